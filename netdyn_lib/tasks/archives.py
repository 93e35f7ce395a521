"""Image sets as raw bytes: MNIST, Fashion-MNIST, CIFAR-10 and USPS, found by name and checked.

They are looked for in the folder ``NETDYN_DATA``, then in the cache ``NETDYN_CACHE``
(``~/.cache/netdyn``), then downloaded by torchvision into the cache, unless ``NETDYN_OFFLINE=1``.
Nothing stands in for a set that is not found. Both folders hold ``mnist.npz``,
``fashion-mnist.npz``, ``usps.npz`` with ``x_train``, ``y_train``, ``x_test``, ``y_test``;
``cifar10/train_1.npz`` … ``5.npz``, ``cifar10/test.npz`` or ``test_first_1000.npz`` with ``x``,
``y``.
"""

import hashlib
import os
import socket
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np

from ..results import npz

_TIMEOUT = 10  # seconds that one connection of a download may be silent


class MissingData(FileNotFoundError):
    """A set that no source has; the message lists the sources and why each failed."""


class DamagedData(ValueError):
    """A file that is not what it should be; the message names it and what is wrong."""


@dataclass(frozen=True)
class Archive:
    """One image set, read-only: ``x`` (N, rows, columns) or (N, rows, columns, 3) uint8, ``y`` (N,)
    int64, and test alike.

    ``origin`` is ``"NETDYN_DATA"``, ``"cache"`` or ``"torchvision download"``;
    ``checksum`` the :func:`digest` of x, y, x_test, y_test with labels as uint8;
    ``full_test`` the size of the original test set, of which ``x_test`` may be the first few.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    origin: str
    checksum: str
    full_test: int


@dataclass(frozen=True)
class _Set:
    """A set without its data; ``dataset`` is torchvision's class."""

    title: str
    dataset: str
    train: int
    test: int
    shape: tuple
    classes: tuple = tuple("0123456789")
    head: int = 0  # images in test_first_1000.npz
    records: bool = False  # whether a file in the cache carries its own digest


_THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_SETS = {
    "mnist": _Set("MNIST", "MNIST", 60_000, 10_000, (28, 28)),
    "fashion-mnist": _Set(
        "Fashion-MNIST", "FashionMNIST", 60_000, 10_000, (28, 28), _CLOTHES, records=True
    ),
    "cifar10": _Set("CIFAR-10", "CIFAR10", 50_000, 10_000, (32, 32, 3), _THINGS, head=1000),
    "usps": _Set("USPS", "USPS", 7291, 2007, (16, 16), records=True),
}

# Digests of the arrays of each file.  MNIST's belongs to the published files: a test rebuilds them.
# USPS comes from torchvision in another order of rows than that of the file meant here, and of
# Fashion-MNIST no copy was at hand: of these a download is vouched for by torchvision's MD5 alone.
_SUMS = {
    "mnist.npz": "88d991fdc7ccde887ffc4f71beaebdea7f32713839bb7d725186db364a03b513",
    "cifar10/train_1.npz": "bc0fa763a2b4cd00ce0982d630abcf95618180d95bbde3887f32cca5083d6b6b",
    "cifar10/train_2.npz": "9b6ff822d99ab3a5a1022407d2ef1d5ee408359cc3cd124161bf9b6d836e041f",
    "cifar10/train_3.npz": "40fa939173508c4a54249884b62e055b01e41d58fa4a5c6d7880eda8bb2c09bb",
    "cifar10/train_4.npz": "857115ced2e5549da671a7a236cdfdbbe468d1dcaa1b0f09bee19e9cd59e9db2",
    "cifar10/train_5.npz": "1ef7c328ff5fd270aae4db7edddd7ef683d4bfd6d6b48523359ad6c2a48132cc",
    "cifar10/test_first_1000.npz": "3f70d50ec3deeda323c953679dae547460b0d4865c724d0df82783102a11cf83",
    "usps.npz": "0ee76fa2306c777b4be94a9ef5ac9682c7df3fd951079ef4bca2dc3af13d293f",
}

_FAILED = {}  # why the download of a set failed, by name: it is tried once a process


def names():
    """Names of the image sets."""
    return tuple(_SETS)


def about(name):
    """What is known of a set without its data: ``title``, ``classes``, ``train``, ``test``,
    ``shape``; ValueError if unknown.
    """
    if name not in _SETS:
        raise ValueError(f"unknown image set {name!r}; known: {', '.join(_SETS)}")
    return _SETS[name]


def digest(*arrays):
    """SHA-256 over type, shape and bytes (C order) of each array in turn: the same however they are
    packed.
    """
    state = hashlib.sha256()
    for array in arrays:
        state.update(f"{array.dtype.name} {array.shape}\n".encode())
        state.update(np.ascontiguousarray(array))
    return state.hexdigest()


def available(name):
    """Whether ``NETDYN_DATA`` or the cache has a set's files; none is read or downloaded.

    ValueError for an unknown name.
    """
    about(name)
    return any(folder and not _lacking(name, folder) for folder in _folders())


def load(name):
    """An image set by name, an :class:`Archive`, from the first source that has it; kept for the
    next call.

    Raises ValueError for an unknown name; :class:`MissingData` if no source has
    it; :class:`DamagedData` if a file is truncated, or its arrays are not of the
    right name, type, shape or checksum, and then no other source is asked.
    """
    about(name)
    return _load(name, *_folders(), os.environ.get("NETDYN_OFFLINE", "") not in ("", "0"))


def _folders():
    """NETDYN_DATA, None where it is not set, and the cache."""
    given, cache = (
        os.environ.get("NETDYN_DATA"),
        os.environ.get("NETDYN_CACHE") or "~/.cache/netdyn",
    )
    return Path(given).expanduser() if given else None, Path(cache).expanduser()


@lru_cache(maxsize=4)
def _load(name, given, cache, offline):
    tried = []
    for origin, folder in (("NETDYN_DATA", given), ("cache", cache)):
        lacking = "not set" if folder is None else _lacking(name, folder)
        if not lacking:
            return _read(name, folder, origin)
        tried.append(f"{origin}: {lacking}")
    failure = "left out, since NETDYN_OFFLINE is set" if offline else _download(name, cache)
    if not failure:
        return _read(name, cache, "torchvision download")
    tried = "\n  ".join([*tried, f"torchvision download: {failure}"])
    files = ", ".join(file for file, _ in _layout(name, cache))
    raise MissingData(
        f"{about(name).title} ({name!r}) is not at hand.  Tried:\n  {tried}\nSet NETDYN_DATA to a folder with {files}, "
        "or load it once where there is a network: torchvision then downloads it into the cache."
    )


def _layout(name, folder):
    """Files of a set: [(path, [(images, labels, part, rows), …]), …], part 0 for training and 1 for
    test, rows a slice.
    """
    known = about(name)
    if not known.head:
        train, test = (
            ("x_train", "y_train", 0, slice(0, known.train)),
            ("x_test", "y_test", 1, slice(0, known.test)),
        )
        return [(f"{name}.npz", [train, test])]
    size = known.train // 5
    files = [
        (f"{name}/train_{k + 1}.npz", [("x", "y", 0, slice(k * size, (k + 1) * size))])
        for k in range(5)
    ]
    if (folder / name / "test_first_1000.npz").is_file() and not (
        folder / name / "test.npz"
    ).is_file():
        return [*files, (f"{name}/test_first_1000.npz", [("x", "y", 1, slice(0, known.head))])]
    return [*files, (f"{name}/test.npz", [("x", "y", 1, slice(0, known.test))])]


def _lacking(name, folder):
    """What of a set a folder lacks, in words; empty if nothing."""
    if not folder.is_dir():
        return f"no folder {folder}"
    return next(
        (
            f"no file {file} in {folder}"
            for file, _ in _layout(name, folder)
            if not (folder / file).is_file()
        ),
        "",
    )


def _read(name, folder, origin):
    files = _layout(name, folder)
    checked = (
        _checked(name, folder / file, file, wanted, _unpacked(folder / file))
        for file, wanted in files
    )
    *train, (x_test, y_test) = (pair for pairs in checked for pair in pairs)
    x, y = (p[0] if len(p) == 1 else np.concatenate(p) for p in zip(*train))
    arrays = [x, y.astype(np.int64), x_test, y_test.astype(np.int64)]
    for array in arrays:
        array.setflags(write=False)
    return Archive(name, *arrays, origin, digest(x, y, x_test, y_test), about(name).test)


def _unpacked(path):
    try:
        with zipfile.ZipFile(path) as held:
            names = held.namelist()
            return {name.removesuffix(".npy"): npz.array(held.read(name)) for name in names}
    except Exception as error:  # a damaged archive fails in as many ways as there are bytes in it
        raise DamagedData(
            f"{path} cannot be read as .npz ({type(error).__name__}: {error})"
        ) from error


def _checked(name, path, file, wanted, held):
    """The pairs (images, labels) of one file, labels as uint8.

    Raises DamagedData; ``path`` is its name in the message.
    """
    known, pairs = about(name), []
    for images, labels, _, rows in wanted:
        if not {images, labels} <= set(held):
            raise DamagedData(
                f"{path} has the arrays {sorted(held)}, expected {images!r} and {labels!r}"
            )
        x, y, shape = held[images], held[labels], (rows.stop - rows.start, *known.shape)
        if x.dtype != np.uint8 or x.shape != shape:
            raise DamagedData(f"{path}: {images} is {x.dtype} {x.shape}, expected uint8 {shape}")
        if (
            y.dtype.kind not in "iu"
            or y.shape != shape[:1]
            or not set(np.unique(y)) <= set(range(10))
        ):
            raise DamagedData(
                f"{path}: {labels} is {y.dtype} {y.shape}, expected integers {shape[:1]} from 0 to 9"
            )
        pairs.append((x, y.astype(np.uint8)))
    own, part, parts = (
        known.records and "sha256" in held,
        "",
        [array for pair in pairs for array in pair],
    )
    expected = str(held["sha256"]) if own else _SUMS.get(file)
    if file.endswith("/test.npz"):  # of the whole test set only the beginning is known
        expected, part = (
            _SUMS.get(f"{name}/test_first_1000.npz"),
            f" of the first {known.head} images",
        )
        parts = [array[: known.head] for array in parts]
    found = digest(*parts)
    if expected and found != expected:
        raise DamagedData(
            f"{path} is damaged: SHA-256 of its arrays{part} is {found}, expected {expected}; replace it"
        )
    return pairs


def _download(name, cache):
    """Let torchvision download a set, and write it to the cache.

    Returns why it failed, or nothing.
    """
    if name in _FAILED:
        return f"{_FAILED[name]} (not tried again in this process)"
    known, before = about(name), socket.getdefaulttimeout()
    try:
        dataset = getattr(import_module("torchvision.datasets"), known.dataset)
        cache.mkdir(parents=True, exist_ok=True)
        print(f"Downloading {known.title} into {cache}", file=sys.stderr)
        socket.setdefaulttimeout(_TIMEOUT)
        with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as folder:
            _write(
                name,
                cache,
                Path(folder),
                [dataset(folder, train=train, download=True) for train in (True, False)],
            )
    except DamagedData:
        raise
    except Exception as error:  # no torchvision, no network, no space, a broken mirror
        _FAILED[name] = " ".join(f"{type(error).__name__}: {error}".split())
    finally:
        socket.setdefaulttimeout(before)
    return _FAILED.get(name, "")


def _write(name, cache, folder, parts):
    """Check torchvision's training and test set, and lay them into the cache; ``folder`` is where a
    file grows.
    """
    for file, wanted in _layout(name, folder):
        held = {}
        for images, labels, part, rows in wanted:
            held[images], held[labels] = (
                np.asarray(a)[rows] for a in (parts[part].data, parts[part].targets)
            )
        if about(name).records:
            held["sha256"] = np.array(digest(*(a.astype(np.uint8) for a in held.values())))
        _checked(name, f"{file}, as torchvision downloaded it,", file, wanted, held)
        np.savez(folder / "whole.npz", **held)
        (cache / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder / "whole.npz", cache / file)
