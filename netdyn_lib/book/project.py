"""Where things lie in the repository, and writing them whole or not at all."""

import ctypes
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..results import store


class PipelineError(Exception):
    """A failure to tell the reader about in plain words, without a traceback."""


@dataclass(frozen=True)
class Project:
    """The repository at ``root``: its notebooks, book, library and build folder."""

    root: Path

    @property
    def notebooks(self):
        return self.root / "notebooks"

    @property
    def book(self):
        return self.root / "book"

    @property
    def package(self):
        return self.root / "netdyn_lib"

    @property
    def build(self):
        return self.root / "_build"

    @property
    def runs(self):
        return self.book / "results" / "runs"

    def executed(self, profile, name):
        """Path of a notebook's executed copy."""
        return self.build / "executed" / profile / f"{name}.ipynb"

    def committed(self, name):
        """Path of the ``.ipynb`` paired with a source."""
        return self.notebooks / f"{name}.ipynb"

    def source(self, name):
        """Path of a notebook's source."""
        return self.notebooks / f"{name}.py"

    def names(self, only=""):
        """Names of the notebooks, in order.

        Parameters
        ----------
        only : str
            Prefixes of the wanted names, separated by commas, such as
            ``"01,03"``; empty for all.

        Raises
        ------
        PipelineError
            When there is no notebook, or a prefix that none has.
        """
        names = sorted(path.stem for path in self.notebooks.glob("[0-9][0-9]_*.py"))
        if not names:
            raise PipelineError(
                f"no notebook NN_name.py in {self.notebooks}: is this the companion's repository?"
            )
        prefixes = [part.strip() for part in only.split(",") if part.strip()]
        for prefix in prefixes:
            if not any(name.startswith(prefix) for name in names):
                raise PipelineError(
                    f"ONLY={prefix} names no notebook; there are: {', '.join(names)}"
                )
        return [name for name in names if not prefixes or name.startswith(tuple(prefixes))]

    def commit(self):
        """The commit that is checked out; ``-dirty`` when files differ from it.

        The paired notebooks do not count: writing them is what a run is for.
        ``"unknown"`` outside a git checkout.
        """
        head = self.git("rev-parse", "--short=12", "HEAD")
        if not head:
            return "unknown"
        changed = self.git("status", "--porcelain", "--", ".", ":(exclude)notebooks/*.ipynb")
        return head + ("-dirty" if changed else "")

    def git(self, *words):
        try:
            done = subprocess.run(
                ["git", *words], cwd=self.root, capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return ""
        return done.stdout.strip()


def write_whole(path, text):
    """Write ``text`` to ``path``; a kill at any moment leaves the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    store.tidy(path.parent)
    store.replace(path, text.encode())


def replace_folder(new, old):
    """Put the finished folder ``new`` in the place of ``old``, and remove what was there.

    On Linux a kill at any moment leaves one or the other there, whole.  Elsewhere ``old`` has to be
    renamed first: a kill just then leaves it as ``NAME.old``, and an interruption puts it back.
    """
    new, old = Path(new), Path(old)
    try:
        new.rename(old)  # where nothing is, or an empty folder
        return
    except OSError:
        if not old.is_dir():
            raise
    if not _exchanged(new, old):
        aside = old.with_name(old.name + ".old")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            old.rename(aside)
            new.rename(old)
        finally:
            if not old.exists() and aside.exists():
                aside.rename(old)
        new = aside
    shutil.rmtree(new, ignore_errors=True)


def _exchanged(one, other):
    """Let two folders change places in one step; False where the system or the disk cannot."""
    if sys.platform != "linux":
        return False
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    at, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(exchange) and exchange(at, os.fsencode(one), at, os.fsencode(other), swap) == 0


@contextmanager
def alone(path, what, log=print):
    """Hold the lock of the file ``path`` for a ``with`` block; wait for a process that has it.

    A line to ``log`` says ``what`` that process does.  The wait ends with the other process, killed
    or not: the kernel takes its lock back.  Yields file descriptors for ``pass_fds`` of a process
    started within, so that the lock is held until that one has ended too; none on a file system
    without locks.
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
