"""One process at a time in a folder that several could fill."""

import os
from contextlib import contextmanager

from ..results import store


@contextmanager
def alone(path, what, log=print):
    """Hold the lock of the file ``path`` for a ``with`` block; where another process has it, a line
    says so, and this one waits.

    The wait has no limit: it ends with the other process, killed or not, for the kernel takes its
    lock back.

    Parameters
    ----------
    path : pathlib.Path
        Made where it is not there, and left there.
    what : str
        What the other process does, for the line.
    log : callable
        Receives the line.

    Yields
    ------
    tuple of int
        File descriptors for ``pass_fds`` of a process started within: the lock is then held until
        that one has ended too, also where this one is killed.  Empty on a file system that has no
        locks; there nothing keeps others out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, locked = store.open_locked(path)
    if locked is False:
        log(f"another process {what}; waiting until it is done (its lock is {path})")
        fd, locked = store.open_locked(path, wait=True)
    try:
        yield (fd,) if locked else ()
    finally:
        store.unlock(fd) if locked else os.close(fd)
