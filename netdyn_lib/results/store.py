"""Computed results on disk: a folder of shards, each an archive of :mod:`~netdyn_lib.results.npz`,
whose names are here too.

Processes share a store: each claims a shard before it computes it.
"""

import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from . import locks, npz
from .npz import DamagedShard, StoreError, key, read_archive, read_json, write_archive, write_json

__all__ = ["DamagedShard", "Shard", "Store", "StoreError", "key"]
__all__ += ["read_archive", "read_json", "write_archive", "write_json"]
__all__ += ["file_name", "published", "published_names", "turn"]

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAME = re.compile(r"""\w[^/\\:*?"<>|]{0,99}""")


def file_name(name, what):
    """Return ``name`` itself, which a file is to bear; ``what`` says in the error what it names.

    Raises ValueError unless it begins with a letter, digit or ``_``, is at most 100 characters
    long, and has none that separates folders, that cannot be seen, or that some system forbids.
    """
    if not (isinstance(name, str) and _NAME.fullmatch(name) and name.isprintable()):
        raise ValueError(
            f"{what} = {name!r}: a file is named by it, so it must be 1 to 100 printable "
            """characters, the first a letter, digit or '_', and none of / \\ : * ? " < > |"""
        )
    return name


def published(folder, name, what="name"):
    """``FOLDER/NAME.npz``, where published results lie, or would; raises as :func:`file_name`."""
    return Path(folder) / f"{file_name(name, what)}.npz"


def published_names(folder):
    """Sorted names of the results in a folder: hidden files, as those being written, are none."""
    return sorted(path.stem for path in Path(folder).glob("*.npz") if _NAME.fullmatch(path.stem))


@dataclass(frozen=True)
class Shard:
    """What was written under ``key``: ``arrays``, a dict of name to ndarray, and ``meta``, a dict."""

    key: str
    arrays: dict
    meta: dict


class Store:
    """A folder with one archive ``KEY.npz`` for each shard; made at the first write.

    A key is that of :func:`key`, or any name of letters, digits, ``.``, ``_`` and
    ``-`` that begins with a letter or digit; others raise ValueError.  Opening a
    store removes what processes that were killed left half written (where files
    can be locked; else, and what came from other computers, after a day).
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        locks.tidy(self.folder)
        for path in self.folder.glob("locks/*.lock"):
            # A lock that nobody needs any more; those of shards to come are left to whoever claims
            # them.
            if path.stem in self:
                locks.sweep(path, ours=True)

    def path(self, key):
        """Where the shard lies, or would lie."""
        if not (isinstance(key, str) and _KEY.fullmatch(key)):
            raise ValueError(
                f"{key!r} is no key of a shard: letters, digits, '.', '_', '-', at most 100"
            )
        return self.folder / f"{key}.npz"

    def __contains__(self, key):
        """Whether there is a file for the shard; :meth:`check` says whether it is good."""
        return self.path(key).is_file()

    def keys(self):
        """Sorted keys of the shards that are there."""
        return sorted(path.stem for path in self.folder.glob("*.npz") if _KEY.fullmatch(path.stem))

    def write(self, key, arrays, meta):
        """Write a shard in place of any before it and return its path; raises as
        :func:`write_archive`.

        The file's metadata gets the shard's key under ``"key"``, so ``meta`` may
        hold no such name (ValueError).
        """
        path = self.path(key)
        if not isinstance(meta, dict) or "key" in meta:
            raise ValueError(
                f"shard {key}: meta must be a dict without 'key', which the store writes; got {meta!r}"
            )
        return write_archive(path, arrays, {**meta, "key": key})

    def read(self, key):
        """The :class:`Shard` as it was written; KeyError where there is none, else raises as
        :func:`read_archive`.
        """
        path = self.path(key)
        try:
            arrays, meta = read_archive(path)
        except FileNotFoundError:
            raise KeyError(
                f"no shard {key} in {self.folder}: it has not been computed, or was set aside"
            ) from None
        inside = meta.pop("key", None)
        if inside != key:
            raise DamagedShard(
                path, f"it holds shard {inside!r}, not {key!r}: the file was renamed or copied"
            )
        return Shard(key, arrays, meta)

    def check(self, key):
        """Raise what :meth:`read` would."""
        self.read(key)

    def damaged(self):
        """Read every shard; a list of the :class:`DamagedShard` of those that are not as they were
        written.
        """
        found = []
        for key in self.keys():
            try:
                self.check(key)
            except DamagedShard as error:
                found.append(error)
            except KeyError:  # set aside by another process meanwhile
                pass
        return found

    def set_aside(self, key):
        """Rename the shard to ``KEY.npz.damaged``, over any before it, and return that path;
        KeyError where none is.
        """
        path = self.path(key)
        aside = path.with_name(path.name + ".damaged")
        try:
            os.replace(path, aside)
        except FileNotFoundError:
            raise KeyError(f"no shard {key} in {self.folder} to set aside") from None
        return aside

    @contextmanager
    def claim(self, key):
        """Whether this process is to compute the shard: ``with store.claim(key) as mine``.

        False while another process, or thread, is at it, and when the shard is
        there by now.  The kernel ends the claim of a process that dies (while
        processes forked from it live, they keep it).  Where files cannot be locked,
        as on Windows and some network disks, it is True for everybody:
        two then do the same work, which is waste and no harm.

        Raises StoreError where the lock cannot be written.
        """
        with _lock(self.folder / "locks" / f"{self.path(key).stem}.lock") as locked:
            yield locked is not False and key not in self


@contextmanager
def turn(path):
    """Be alone with the file ``path`` for a ``with`` block: whoever changes it takes turns.

    Raises as :meth:`Store.claim`.
    """
    path = Path(path)
    with _lock(path.with_name(f".{path.name}.lock"), wait=True):
        yield


@contextmanager
def _lock(path, wait=False):
    """As of :func:`netdyn_lib.results.locks.lock`, for the block; the file is made for it, and
    removed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, locked = locks.open_locked(path, wait)
    except OSError as error:
        raise npz.unwritten(path, 0, error) from error
    if locked is None:
        os.close(fd)
        path.unlink(missing_ok=True)
    try:
        yield locked
    finally:
        if locked:
            # Removed while it is locked: who opened it meanwhile sees that it is gone.
            with suppress(OSError):
                path.unlink()
            locks.unlock(fd)
