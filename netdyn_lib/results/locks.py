"""Files written whole or not at all, and locks that the kernel takes back from a process that dies.

A file that is being written is ``.NAME.PID.HOST-TOKEN.partial`` beside its place: hidden, locked,
and of its writer alone.  What dead processes left behind is found by that.
"""

import errno
import hashlib
import os
import platform
import secrets
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: Errors of a file system that has no locks, or does not flush folders.
REFUSED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
#: Stands for this machine in the name of a file that is being written.
HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_DAY = 86400.0


def lock(fd, wait=False):
    """True with the lock, False where another has it, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        return None
    return True


def open_locked(path, wait=False):
    """The file, opened or made, with its lock: ``(fd, locked)``, ``locked`` as of :func:`lock`; no
    fd where another has it.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            locked = lock(fd, wait)
            # Who had it before may have removed the file between our opening and our lock.
            done = locked is None or (locked and _is_at(fd, path))
        except BaseException:
            os.close(fd)
            raise
        if done:
            return fd, locked
        os.close(fd)
        if not locked:
            return None, False


def unlock(fd):
    """Give up the lock and close the file: closing alone leaves the lock to forked processes."""
    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def sweep(path, ours):
    """Remove a file that nobody has locked: ``ours``, of this machine, whose locks can be trusted;
    or one older than a day.
    """
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:  # gone, or not ours to remove
        return
    try:
        locked = lock(fd)
        old = time.time() - os.fstat(fd).st_mtime > _DAY
        if locked is not False and _is_at(fd, path) and ((ours and locked) or old):
            os.unlink(path)
    except OSError:
        pass
    finally:
        os.close(fd)


def tidy(folder):
    """Remove what killed processes left half written in a folder; what is locked lives."""
    for path in Path(folder).glob(".*.partial"):
        # A lock reaches as far as one machine for certain; elsewhere only age tells.
        sweep(path, ours=f".{HOST}-" in path.name)


def replace(path, data):
    """Write bytes to ``path``, whose folder is there.

    Whatever stops this, the name holds all of them, the file before, or nothing.
    """
    path = Path(path)
    mark = f"{os.getpid()}.{HOST}-{secrets.token_hex(4)}"
    partial = path.with_name(f".{path.stem[:100]}.{mark}.partial")
    # Locked until it has its name, so that a folder tidied meanwhile keeps it.
    fd, _ = open_locked(partial, wait=True)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            os.fsync(fd)
            if fcntl is not None:
                os.replace(partial, path)
        finally:
            os.close(fd)
        if fcntl is None:  # Windows renames no open file
            os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name itself must survive a power cut
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
        finally:
            os.close(folder)


def _is_at(fd, path):
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
