"""Archives: arrays and metadata in one file, with a checksum, written whole or not at all.

An archive is a NumPy ``.npz`` file with ``NAME.npy`` for each array, ``meta.json``
and ``sha256``, which is taken over names, types, shapes and values of the arrays
and over the metadata.  ``numpy.load(path)["NAME"]`` reads an array of it and
``json.loads(numpy.load(path)["meta.json"])`` the metadata, without this library.
The same arrays and metadata give the same bytes (with the same zlib).

An archive is written beside its place and renamed into it: whatever stops a
program, its name holds a whole archive, the one before, or nothing.

Results that people read in an editor are JSON files, :func:`write_json`, whose checksum is
one of their fields.
"""

import errno
import hashlib
import io
import json
import math
import shutil
import zipfile
from pathlib import Path

import numpy as np

from . import locks


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
        sums = f" (checksum written: {self.stored or 'unknown'}; of what it holds now: {self.found or 'unknown'})"
        cure = "Set it aside with Store.set_aside and compute it again; a published file, fetch it again."
        return f"{self.path} is damaged: {self.what}{sums}. {cure}"


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
        locks.tidy(path.parent)
        locks.replace(path, data)
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
        f"{path.name} was not written ({error.strerror or error}): it needs {size} bytes, and the disk of "
        f"{path.parent} has {free}. Everything finished before it is kept: "
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
            f"{name} is a {type(value).__name__}, which JSON cannot state exactly: give a plain number"
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
                f"array {name!r} is of type {plain[name].dtype}: only numbers, text, bytes and dates"
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
