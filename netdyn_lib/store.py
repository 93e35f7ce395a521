"""Computed results on disk: a folder of shards, and single archives of the same format.

An archive is a NumPy ``.npz`` file with ``NAME.npy`` for each array, ``meta.json``
and ``sha256``, which is taken over names, types, shapes and values of the arrays
and over the metadata.  ``numpy.load(path)["NAME"]`` reads an array of it and
``json.loads(numpy.load(path)["meta.json"])`` the metadata, without this library.
The same arrays and metadata give the same bytes (with the same zlib).

An archive is written beside its place and renamed into it: whatever stops a
program, its name holds a whole archive, the one before, or nothing.
"""

import errno
import hashlib
import io
import json
import math
import os
import platform
import re
import secrets
import shutil
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_REFUSED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_DAY = 86400.0


class StoreError(OSError):
    """An archive could not be written, as on a full disk; ``errno`` says why.  What was finished before is kept."""


class DamagedShard(ValueError):
    """The file at ``path`` is not what was written; ``stored`` and ``found`` are its checksums, None where unknown."""

    def __init__(self, path, what, stored=None, found=None):
        super().__init__(path, what, stored, found)
        self.path, self.what, self.stored, self.found = Path(path), what, stored, found

    def __str__(self):
        sums = f" (checksum written: {self.stored or 'unknown'}; of what it holds now: {self.found or 'unknown'})"
        cure = "Set it aside with Store.set_aside and compute it again; a published file, fetch it again."
        return f"{self.path} is damaged: {self.what}{sums}. {cure}"


@dataclass(frozen=True)
class Shard:
    """What was written under ``key``: ``arrays``, a dict of name to ndarray, and ``meta``, a dict."""

    key: str
    arrays: dict
    meta: dict


def key(description):
    """24 hexadecimal digits of the SHA-256 of a description's canonical JSON.

    The order of a dict does not matter, a tuple is a list, a number is its exact
    value.  1 and 1.0, and 0.0 and -0.0, are different descriptions: a program may
    treat them differently, and a shard too many costs less than a wrong one.

    Raises
    ------
    TypeError
        For what JSON has no exact form for: anything but dicts with text as keys,
        lists, tuples, text, bool, int, float and None (``numpy.float64`` is a
        float, other NumPy scalars are not), or a description that is no dict.
    ValueError
        For NaN and infinities.

    >>> key({"eta": 0.1, "seed": 3}) == key({"seed": 3, "eta": 0.1})
    True
    >>> key({"eta": 0.1 + 0.2}) == key({"eta": 0.3})
    False
    """
    return hashlib.sha256(_canonical(description, "description").encode()).hexdigest()[:24]


def write_archive(path, arrays, meta):
    """Write a dict of arrays and a dict of metadata to ``path``, whole or not at all, and return the path.

    Raises
    ------
    ValueError, TypeError
        For an array whose name is no identifier or whose type is not plain
        numbers, text, bytes or dates; for metadata as in :func:`key`.
    StoreError
        Where it cannot be written; names the file, its size and the free space.
    """
    path, data = Path(path), _encode(arrays, meta)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)
    except OSError as error:
        raise _unwritten(path, len(data), error) from error
    return path


def read_archive(path):
    """``(arrays, meta)`` of the archive at ``path``, its checksum verified.

    Raises
    ------
    DamagedShard
        Where the file is cut short, changed, no archive, or without a checksum.
    FileNotFoundError
        Where there is none.
    """
    path, stored, found = Path(path), None, None
    data = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if not {"sha256", "meta.json"} <= members.keys():
            raise ValueError("it holds no checksum or no metadata, so this library did not write it")
        stored, text = members.pop("sha256").decode("ascii"), members.pop("meta.json")
        arrays = {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)
            for name, raw in members.items()
        }
        found, meta = _checksum(arrays, text), json.loads(text)
    except MemoryError:
        raise
    except Exception as error:  # a changed byte can make zipfile, zlib, NumPy or json raise anything
        what = f"it cannot be read ({type(error).__name__}: {error}); it is {len(data)} bytes long"
        raise DamagedShard(path, what, stored, found) from error
    if stored != found:
        raise DamagedShard(path, "its checksum does not agree with what it holds", stored, found)
    return arrays, meta


class Store:
    """A folder with one archive ``KEY.npz`` for each shard; made at the first write.

    A key is that of :func:`key`, or any name of letters, digits, ``.``, ``_`` and
    ``-`` that begins with a letter or digit; others raise ValueError.  Opening a
    store removes what processes that were killed left half written (where files
    can be locked; else, and what came from other computers, after a day).
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        for path in self.folder.glob(".*.partial"):
            # A lock reaches as far as one machine for certain; elsewhere only age tells.
            _sweep(path, ours=f".{_HOST}-" in path.name)
        for path in self.folder.glob("locks/*.lock"):
            # A lock that nobody needs any more; those of shards to come are left to whoever claims them.
            if path.stem in self:
                _sweep(path, ours=True)

    def path(self, key):
        """Where the shard lies, or would lie."""
        if not (isinstance(key, str) and _KEY.fullmatch(key)):
            raise ValueError(f"{key!r} is no key of a shard: letters, digits, '.', '_', '-', at most 100")
        return self.folder / f"{key}.npz"

    def __contains__(self, key):
        """Whether there is a file for the shard; :meth:`check` says whether it is good."""
        return self.path(key).is_file()

    def keys(self):
        """Sorted keys of the shards that are there."""
        return sorted(path.stem for path in self.folder.glob("*.npz") if _KEY.fullmatch(path.stem))

    def write(self, key, arrays, meta):
        """Write a shard in place of any before it and return its path; raises as :func:`write_archive`.

        The file's metadata gets the shard's key under ``"key"``, so ``meta`` may
        hold no such name (ValueError).
        """
        path = self.path(key)
        if not isinstance(meta, dict) or "key" in meta:
            raise ValueError(f"shard {key}: meta must be a dict without 'key', which the store writes; got {meta!r}")
        return write_archive(path, arrays, {**meta, "key": key})

    def read(self, key):
        """The :class:`Shard` as it was written; KeyError where there is none, else raises as :func:`read_archive`."""
        path = self.path(key)
        try:
            arrays, meta = read_archive(path)
        except FileNotFoundError:
            raise KeyError(f"no shard {key} in {self.folder}: it has not been computed, or was set aside") from None
        inside = meta.pop("key", None)
        if inside != key:
            raise DamagedShard(path, f"it holds shard {inside!r}, not {key!r}: the file was renamed or copied")
        return Shard(key, arrays, meta)

    def check(self, key):
        """Raise what :meth:`read` would."""
        self.read(key)

    def damaged(self):
        """Read every shard; a list of the :class:`DamagedShard` of those that are not as they were written."""
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
        """Rename the shard to ``KEY.npz.damaged``, over any before it, and return that path; KeyError where none is."""
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
        path = self.folder / "locks" / f"{self.path(key).stem}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd, locked = _open_locked(path)
        except OSError as error:
            raise _unwritten(path, 0, error) from error
        if locked is None:
            os.close(fd)
            path.unlink(missing_ok=True)
        try:
            yield locked is not False and key not in self
        finally:
            if locked:
                # Removed while it is locked: who opened it meanwhile sees that it is gone.
                with suppress(OSError):
                    path.unlink()
                fcntl.flock(fd, fcntl.LOCK_UN)  # closing alone leaves it to forked processes
                os.close(fd)


def _canonical(value, name):
    if not isinstance(value, dict):
        raise TypeError(f"{name} is a {type(value).__name__}, not a dict")
    _exact(value, name)
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))


def _exact(value, name):
    if isinstance(value, dict):
        for word, item in value.items():
            if not isinstance(word, str):
                raise TypeError(f"{name} has the key {word!r}: JSON knows only text as keys")
            _exact(item, f"{name}[{word!r}]")
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            _exact(item, f"{name}[{i}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value}: JSON has no NaN and no infinity; use None or text")
    elif not (value is None or isinstance(value, (str, int))):
        raise TypeError(f"{name} is a {type(value).__name__}, which JSON cannot state exactly: give a plain number")


def _encode(arrays, meta):
    text = _canonical(meta, "meta").encode()
    plain = {}
    for name, array in sorted(arrays.items()):
        if not (isinstance(name, str) and name.isidentifier()):
            raise ValueError(f"array name {name!r}: must be an identifier")
        plain[name] = np.asarray(array, order="C")
        if plain[name].dtype.kind not in "biufcSUmM":
            raise ValueError(f"array {name!r} is of type {plain[name].dtype}: only numbers, text, bytes and dates")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, array in plain.items():
            raw = io.BytesIO()
            np.lib.format.write_array(raw, array, allow_pickle=False)
            archive.writestr(_member(f"{name}.npy"), raw.getbuffer(), zipfile.ZIP_DEFLATED, 6)
        archive.writestr(_member("meta.json"), text, zipfile.ZIP_DEFLATED, 6)
        archive.writestr(_member("sha256"), _checksum(plain, text), zipfile.ZIP_STORED)
    return data.getbuffer()


def _member(name):
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # no clock and no system in the bytes
    info.create_system, info.external_attr = 3, 0o644 << 16
    return info


def _checksum(arrays, text):
    total = hashlib.sha256(b"netdyn archive 1\n")
    for name, array in sorted(arrays.items()):
        # Name, type and shape say how many bytes follow, so no two archives run into the same stream.
        total.update(json.dumps([name, array.dtype.str, array.shape]).encode() + b"\n")
        total.update(array.tobytes())
    total.update(text)
    return total.hexdigest()


def _replace(path, data):
    partial = path.with_name(f".{path.stem}.{os.getpid()}.{_HOST}-{secrets.token_hex(4)}.partial")
    # Locked until it has its name, so that a store opened meanwhile does not sweep it.
    fd, _ = _open_locked(partial, wait=True)
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
            if error.errno not in _REFUSED:
                raise
        finally:
            os.close(folder)


def _unwritten(path, size, error):
    try:
        free = f"{shutil.disk_usage(path.parent).free} bytes free"
    except OSError:
        free = "an unknown space free"
    return StoreError(
        error.errno,
        f"{path.name} was not written ({error.strerror or error}): it needs {size} bytes, and the disk of "
        f"{path.parent} has {free}. Everything finished before it is kept: make room and run again",
    )


def _lock(fd, wait=False):
    """True with the lock, False where another has it, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return None
    return True


def _open_locked(path, wait=False):
    """``(fd, locked)``, ``locked`` as of :func:`_lock`; no fd where another has it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            locked = _lock(fd, wait)
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


def _is_at(fd, path):
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _sweep(path, ours):
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:  # gone, or not ours to remove
        return
    try:
        locked = _lock(fd)
        old = time.time() - os.fstat(fd).st_mtime > _DAY
        if locked is not False and _is_at(fd, path) and ((ours and locked) or old):
            os.unlink(path)
    except OSError:
        pass
    finally:
        os.close(fd)
