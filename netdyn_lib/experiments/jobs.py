"""Work that a store lacks, done one piece after another, beside other processes that do the same.

Command lines of such work end alike: :func:`status` and :func:`program`.
A piece has a key, and a function that takes a deadline, a reading of
:func:`time.monotonic` or None, and gives its arrays and metadata.

The last handler of a command line: what was not foreseen is told in one line, too.
"""

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from ..results.store import DamagedShard
from ..torch_utils import Stopped
from ..validation import positive

_POLL = 0.5  # seconds between looks at pieces that another process computes
_MARGIN = 1.15  # a piece may take this much longer than the longest so far

#: Exit statuses of a command line that leaves something missing, and of one that a signal stopped.
INCOMPLETE, STOPPED = 3, 130
GRACE = 3.0  # seconds that what is under way may take to stop


def is_good(store, name):
    """Whether a piece is in the store; DamagedShard where it is not as written, and set aside.

    Where it cannot be set aside, as in a folder that may only be read, the error says so.
    """
    for attempt in (1, 2):
        if name not in store:
            return False
        try:
            store.check(name)
            return True
        except KeyError:
            return False
        except DamagedShard as error:
            # Another process may have set it aside and computed it again just now: look twice.
            if attempt == 2:
                try:
                    store.set_aside(name)
                except KeyError:
                    pass
                except OSError as refused:
                    what = f"{error.what}; nor can it be set aside ({refused.strerror})"
                    raise DamagedShard(error.path, what, error.stored, error.found) from refused
                raise


def missing(store, names, log):
    """Those of the keys that the store lacks, in their order; damaged pieces are set aside and
    named to ``log``.
    """
    found = []
    for name in names:
        try:
            if is_good(store, name):
                continue
        except DamagedShard as error:
            log(f"{error} It counts as missing.")
        found.append(name)
    return found


def fill(store, pieces, deadline=None, done=lambda: None):
    """Compute pieces and write each to the store as it is finished.

    Parameters
    ----------
    store : netdyn_lib.results.store.Store
    pieces : dict
        Key → function of a deadline that gives (arrays, metadata).  Those that
        another process has claimed are left to it, and waited for.
    deadline : float, optional
        Reading of :func:`time.monotonic`.  A piece that would not be finished
        by then, judging by the longest so far, is not begun; one under way may raise
        :class:`~netdyn_lib.torch_utils.Stopped`.
    done : callable
        Called after each piece.

    Returns
    -------
    tuple
        Numbers of pieces computed here and by others, and why it stopped: empty where nothing is
        left.

    Raises
    ------
    netdyn_lib.results.store.StoreError
        Where a piece cannot be written; those before it are kept.
    netdyn_lib.results.store.DamagedShard
        Where a damaged file stands in a piece's place and cannot be set aside.
    """
    computed = elsewhere = 0
    longest = 0.0
    waiting = list(pieces)
    while waiting:
        left = []
        for name in waiting:
            now = time.monotonic()
            if deadline is not None and now + _MARGIN * longest > deadline:
                return computed, elsewhere, "time limit"
            with store.claim(name) as mine:
                if is_good(store, name):  # meanwhile, by another process
                    elsewhere += 1
                elif not mine:
                    left.append(name)
                    continue
                else:
                    try:
                        arrays, meta = pieces[name](deadline)
                    except Stopped:
                        return computed, elsewhere, "time limit"
                    store.write(name, arrays, meta)
                    computed += 1
                    longest = max(longest, time.monotonic() - now)
            done()
        if len(left) == len(waiting):
            time.sleep(_POLL)
        waiting = left
    return computed, elsewhere, ""


def status(work, pieces):
    """Return the exit status that ``work`` gives; 1 after an error, 130 after a signal, each told.

    ``pieces`` names what is kept then, as "shards".
    """
    try:
        return work()
    except (ValueError, OSError, KeyError, RuntimeError, MemoryError) as error:
        said = error.args[0] if isinstance(error, KeyError) else error  # whose text is in quotes
        print(f"ERROR: {said}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(_stopped(pieces), file=sys.stderr)
        return STOPPED
    except Exception as error:
        return tell(error)


def program(main, pieces):
    """Run the command line ``main`` as a program, which Ctrl-C and SIGTERM stop within seconds."""

    def interrupt(_number, _frame):
        # Threads at work look up only every so many epochs, which can take minutes.  Nothing is
        # lost by leaving them: a piece has its name when it is whole, and claims end.
        def leave():
            os.write(2, f"{_stopped(pieces)}\n".encode())
            os._exit(STOPPED)

        timer = threading.Timer(GRACE, leave)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as of a shell's job in the background
            signal.signal(number, interrupt)
    sys.exit(main())


def countdown(limit):
    """A function that gives the seconds left of ``--time-limit``, None where there is no limit.

    Raises ValueError where it is not positive and finite.
    """
    if limit is None:
        return lambda: None
    ends = time.monotonic() + positive(limit, "--time-limit", "seconds")
    return lambda: ends - time.monotonic()


def _stopped(pieces):
    return f"\nstopped; finished {pieces} are kept, and the same command goes on from there"


#: Set in the environment, it shows the whole traceback.
SWITCH = "NETDYN_TRACEBACK"


def tell(error):
    """Print an unforeseen error on stderr in a line, its type, message and place; return 1, the
    status.

    With ``NETDYN_TRACEBACK=1`` in the environment the traceback stands before it.
    """
    if os.environ.get(SWITCH):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f", in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    words = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}{where}"
    if isinstance(error, SyntaxError):  # of a module that is imported only now
        words = f"{error.filename}, line {error.lineno}: {error.msg}: was the file being edited?"
    print(f"ERROR: {words} ({SWITCH}=1 shows the whole traceback)", file=sys.stderr)
    return 1
