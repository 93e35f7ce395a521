"""Computed results on disk: archives with a checksum, and stores of such archives.

An archive is a NumPy ``.npz`` file with ``NAME.npy`` for each array, ``meta.json`` and ``sha256``,
which is taken over names, types, shapes and values of the arrays and over the metadata.
``numpy.load(path)["NAME"]`` reads an array of it and ``json.loads(numpy.load(path)["meta.json"])``
the metadata, without this library.  The same arrays and metadata give the same bytes (with the same
zlib).  Results that people read in an editor are JSON files, :func:`write_json`, whose checksum is
one of their fields.

A store is a folder of archives, its shards.  Processes share it: each claims a shard before it
computes it, and the kernel takes the lock back from a process that dies.

Files are written beside their place and renamed into it: whatever stops a program, a name holds a
whole file, the one before, or nothing.  A file that is being written is
``.NAME.PID.HOST-TOKEN.partial``: hidden, locked, and of its writer alone.  What dead processes left
behind is found by that.
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
    """What was written under ``key``: ``arrays``, name → ndarray, and ``meta``, a dict."""

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
        tidy(self.folder)
        for path in self.folder.glob("locks/*.lock"):
            # A lock that nobody needs any more; those of shards to come are left to whoever claims
            # them.
            if path.stem in self:
                sweep(path, ours=True)

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
                f"shard {key}: meta must be a dict without 'key', which the store writes; "
                f"got {meta!r}"
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
    """As of :func:`netdyn_lib.results.store.lock`, for the block; the file is made for it, and
    removed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, locked = open_locked(path, wait)
    except OSError as error:
        raise unwritten(path, 0, error) from error
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
            unlock(fd)


class StoreError(OSError):
    """An archive could not be written, as on a full disk; ``errno`` says why.

    What was finished before is kept.
    """


class DamagedShard(ValueError):
    """The file at ``path`` is not what was written; ``stored`` and ``found`` are its checksums,
    None where unknown.
    """

    def __init__(self, path, what, stored=None, found=None):
        super().__init__(path, what, stored, found)
        self.path, self.what, self.stored, self.found = Path(path), what, stored, found

    def __str__(self):
        stored, found = self.stored or "unknown", self.found or "unknown"
        return (
            f"{self.path} is damaged: {self.what} (checksum written: {stored}; of what it holds "
            f"now: {found}). Set it aside with Store.set_aside and compute it again; a published "
            "file, fetch it again."
        )


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
    """Write a dict of arrays and a dict of metadata to ``path``, whole or not at all, and return
    the path.

    Raises
    ------
    ValueError, TypeError
        For an array whose name is no identifier or whose type is not plain
        numbers, text, bytes or dates; for metadata as in :func:`key`.
    StoreError
        Where it cannot be written; names the file, its size and the free space.
    """
    return _write(Path(path), _encode(arrays, meta))


def write_json(path, content):
    """Write a dict to ``path`` as JSON, whole or not at all, and return the path.

    A field ``sha256`` is added: the checksum of the dict's canonical form, as of :func:`key`.

    Raises
    ------
    ValueError, TypeError
        As :func:`key`; and for a dict that has a field ``sha256``.
    StoreError
        Where it cannot be written.
    """
    if "sha256" in content:
        raise ValueError(f"{path}: the content has a field 'sha256', which is the checksum's")
    whole = {"sha256": _digest(content)} | content
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    return _write(Path(path), text.encode())


def read_json(path):
    """The dict that :func:`write_json` wrote, without its checksum.

    Raises
    ------
    DamagedShard
        Where the file is no JSON, is without a checksum, or has another content than was written.
    FileNotFoundError
        Where there is none.
    """
    path, data, found = Path(path), Path(path).read_bytes(), None
    try:
        content = json.loads(data)
        stored = content.pop("sha256", None)
        found = _digest(content)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        what = f"it cannot be read ({type(error).__name__}: {error}); it is {len(data)} bytes long"
        raise DamagedShard(path, what) from error
    if stored is None:
        what = "it holds no checksum, so an older library or another program wrote it"
        raise DamagedShard(path, what, None, found)
    if stored != found:
        raise DamagedShard(path, "its checksum does not agree with what it holds", stored, found)
    return content


def _digest(content):
    return hashlib.sha256(_canonical(content, "content").encode()).hexdigest()


def _write(path, data):
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tidy(path.parent)
        replace(path, data)
    except OSError as error:
        raise unwritten(path, len(data), error) from error
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
            raise ValueError(
                "it holds no checksum or no metadata, so this library did not write it"
            )
        stored, text = members.pop("sha256").decode("ascii"), members.pop("meta.json")
        arrays = {name.removesuffix(".npy"): array(raw) for name, raw in members.items()}
        found, meta = _checksum(arrays, text), json.loads(text)
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # a changed byte can make zipfile, zlib, NumPy or json raise anything
        what = f"it cannot be read ({type(error).__name__}: {error}); it is {len(data)} bytes long"
        raise DamagedShard(path, what, stored, found) from error
    if stored != found:
        raise DamagedShard(path, "its checksum does not agree with what it holds", stored, found)
    return arrays, meta


def array(raw):
    """The array in the bytes of a ``.npy`` file.

    Raises ValueError where they are none, or their header claims another number of bytes than
    follow it: what a damaged header claims is not allocated.
    """
    form, stream = np.lib.format, io.BytesIO(raw)
    read = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    version = form.read_magic(stream)
    if version not in read:
        raise ValueError(f"version {version} of the format .npy: plain arrays are of 1.0 or 2.0")
    shape, _, dtype = read[version](stream)
    claimed, there = math.prod(shape) * dtype.itemsize, len(raw) - stream.tell()
    if claimed != there and not dtype.hasobject:
        claim = f"{shape} of {dtype}, {claimed} bytes"
        raise ValueError(f"its header claims {claim}, where {there} follow")
    return form.read_array(io.BytesIO(raw), allow_pickle=False)


def unwritten(path, size, error):
    """The :class:`StoreError` for a file of ``size`` bytes that the ``error`` kept from being
    written.
    """
    try:
        free = f"{shutil.disk_usage(path.parent).free} bytes free"
    except OSError:
        free = "an unknown space free"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return StoreError(
        error.errno,
        f"{path.name} was not written ({error.strerror or error}): it needs {size} bytes, and the "
        f"disk of {path.parent} has {free}. Everything finished before it is kept: "
        f"{'make room' if full else 'see that the folder can be written'} and run again",
    )


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
        raise TypeError(
            f"{name} is a {type(value).__name__}, which JSON cannot state exactly: give a plain "
            "number"
        )


def _encode(arrays, meta):
    text = _canonical(meta, "meta").encode()
    plain = {}
    for name, array in sorted(arrays.items()):
        if not (isinstance(name, str) and name.isidentifier()):
            raise ValueError(f"array name {name!r}: must be an identifier")
        plain[name] = np.asarray(array, order="C")
        if plain[name].dtype.kind not in "biufcSUmM":
            raise ValueError(
                f"array {name!r} is of type {plain[name].dtype}: only numbers, text, bytes and "
                "dates"
            )
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
        # Name, type and shape say how many bytes follow, so no two archives run into the same
        # stream.
        total.update(json.dumps([name, array.dtype.str, array.shape]).encode() + b"\n")
        total.update(array.tobytes())
    total.update(text)
    return total.hexdigest()


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
