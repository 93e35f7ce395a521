"""How much memory a run needs at its peak: the kernel of a notebook, and whatever processes it
starts.
"""

import threading
import time

import psutil

EVERY = 0.5  # seconds between looks; a shorter peak may be missed
# seconds within which what was forked may still be about to start a program of its own
_YOUNG = 3.0


class Peak:
    """Watch the processes that this one starts: ``with Peak() as peak: …``, then
    ``peak.megabytes``.

    The largest sum of their resident memory at one moment, in units of 10⁶ bytes; memory that
    processes share counts for each of them.  A process that runs its parent's program is left out
    for its first three seconds: it may be about to start another, and until then it shows its
    parent's memory.  0 where none was seen.
    """

    def __init__(self):
        self.megabytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        here = psutil.Process()
        while not self._over.is_set():
            self.megabytes = max(
                self.megabytes, sum(map(_resident, here.children(recursive=True))) / 1e6
            )
            self._over.wait(EVERY)


def _resident(process):
    try:
        # before its memory is read: what has a program of its own by now cannot show its parent's
        # memory after
        return 0 if _undecided(process) else process.memory_info().rss
    except psutil.Error:  # it has ended meanwhile
        return 0


def _undecided(process):
    parent = process.parent()
    return (
        parent is not None
        and time.time() - process.create_time() < _YOUNG
        and process.cmdline() == parent.cmdline()
    )
