"""Where image sets come from, what happens when they do not come, and that damaged ones are found."""

import dataclasses
import hashlib
import socket
import struct
import subprocess
import sys
import types

import numpy as np
import pytest

from netdyn_lib.tasks import datasets

SMALL = {
    "mnist": dataclasses.replace(datasets._SETS["mnist"], train=10, test=4, shape=(3, 3)),
    "cifar10": dataclasses.replace(
        datasets._SETS["cifar10"], train=20, test=8, shape=(2, 2, 3), head=3
    ),
    "usps": dataclasses.replace(datasets._SETS["usps"], train=6, test=5, shape=(2, 2)),
    "fashion-mnist": dataclasses.replace(
        datasets._SETS["fashion-mnist"], train=10, test=4, shape=(3, 3)
    ),
}


def images(name, train, seed=0):
    known = SMALL[name]
    count, rng = (known.train if train else known.test), np.random.default_rng([seed, train])
    return rng.integers(0, 256, (count, *known.shape), dtype=np.uint8), rng.integers(0, 10, count)


def lay(folder, name, test="test.npz", seed=0):
    """Write a small set; returns its files."""
    (x, y), (x_test, y_test) = images(name, True, seed), images(name, False, seed)
    folder.mkdir(parents=True, exist_ok=True)
    if name != "cifar10":
        np.savez(folder / f"{name}.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
        return [folder / f"{name}.npz"]
    (folder / name).mkdir()
    for k in range(5):
        np.savez(
            folder / name / f"train_{k + 1}.npz", x=x[4 * k : 4 * k + 4], y=y[4 * k : 4 * k + 4]
        )
    few = 3 if test == "test_first_1000.npz" else 8
    np.savez(folder / name / test, x=x_test[:few], y=y_test[:few])
    return [folder / name / f"train_{k}.npz" for k in range(1, 6)] + [folder / name / test]


class Torchvision:
    """Stands for torchvision.datasets, and counts what is asked of it."""

    def __init__(self, name, failure=None):
        self.calls, self.timeouts = 0, []
        setattr(self, datasets._SETS[name].dataset, self.dataset)
        self.name, self.failure = name, failure

    def dataset(self, root, train, download):
        self.calls += 1
        self.timeouts.append(socket.getdefaulttimeout())
        if self.failure:
            raise self.failure
        x, y = images(self.name, train)
        return types.SimpleNamespace(data=x, targets=y.tolist())


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Sets of a few images without known checksums, empty folders, and no way out."""
    for name, known in SMALL.items():
        monkeypatch.setitem(datasets._SETS, name, known)
    monkeypatch.setattr(datasets, "_SUMS", {})
    monkeypatch.setattr(datasets, "_FAILED", {})
    monkeypatch.setenv("NETDYN_DATA", str(tmp_path / "given"))
    monkeypatch.setenv("NETDYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NETDYN_OFFLINE", raising=False)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)  # an import of it fails
    datasets._load.cache_clear()
    yield tmp_path
    datasets._load.cache_clear()


def network(monkeypatch, name, failure=None):
    fake = Torchvision(name, failure)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", fake)
    return fake


@pytest.mark.parametrize("name", SMALL)
def test_the_folder_comes_first_then_the_cache_then_the_download(small, monkeypatch, name):
    fake = network(monkeypatch, name)
    assert not datasets.available(name)
    lay(small / "given", name, seed=1)
    lay(small / "cache", name, seed=2)
    given = datasets.load(name)
    assert (
        datasets.available(name) and given.origin == "NETDYN_DATA" and datasets.load(name) is given
    )
    assert np.array_equal(given.x, images(name, True, 1)[0]) and np.array_equal(
        given.y_test, images(name, False, 1)[1]
    )
    assert given.x.dtype == np.uint8 and given.y.dtype == np.int64 and not given.x.flags.writeable
    monkeypatch.delenv("NETDYN_DATA")
    cached = datasets.load(name)
    assert cached.origin == "cache" and cached.checksum != given.checksum and fake.calls == 0
    monkeypatch.setenv("NETDYN_CACHE", str(small / "new"))
    fetched = datasets.load(name)
    assert fetched.origin == "torchvision download" and fake.calls == 2
    assert np.array_equal(fetched.x, images(name, True)[0]) and np.array_equal(
        fetched.y, images(name, True)[1]
    )
    assert fetched.full_test == len(fetched.x_test) == SMALL[name].test


@pytest.mark.parametrize("name", SMALL)
def test_a_set_is_downloaded_once(small, monkeypatch, name):
    network(monkeypatch, name)
    fetched = datasets.load(name)
    datasets._load.cache_clear()
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    again = datasets.load(name)
    assert again.origin == "cache" and again.checksum == fetched.checksum
    assert not list((small / "cache").glob("download-*"))


def test_part_of_the_test_set_says_so(small):
    lay(small / "given", "cifar10", "test_first_1000.npz")
    held = datasets.load("cifar10")
    assert held.x_test.shape == (3, 2, 2, 3) and held.full_test == 8
    x, y = images("cifar10", False)
    np.savez(small / "given" / "cifar10" / "test.npz", x=x, y=y)
    datasets._load.cache_clear()
    assert len(datasets.load("cifar10").x_test) == 8


def test_a_missing_set_names_every_source(small, monkeypatch):
    (small / "given").mkdir()
    with pytest.raises(datasets.MissingData) as caught:
        datasets.load("mnist")
    said = str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    assert (
        f"MNIST ('mnist') is not at hand.  Tried:\n  NETDYN_DATA: no file mnist.npz in {small / 'given'}"
        in said
    )
    assert (
        f"cache: no folder {small / 'cache'}" in said
        and "torchvision download: ModuleNotFoundError: " in said
    )
    assert "Set NETDYN_DATA to a folder with mnist.npz" in said
    monkeypatch.delenv("NETDYN_DATA")
    lay(small / "cache", "cifar10")[2].unlink()
    with pytest.raises(
        datasets.MissingData, match=r"(?s)NETDYN_DATA: not set.*cache: no file cifar10/train_3.npz"
    ):
        datasets.load("cifar10")
    assert not datasets.available("cifar10")


def test_a_failed_download_is_not_tried_again(small, monkeypatch):
    fake = network(monkeypatch, "usps", OSError("network is unreachable"))
    before = socket.getdefaulttimeout()
    for told in (
        "OSError: network is unreachable\n",
        *[r"unreachable \(not tried again in this process\)"] * 20,
    ):
        with pytest.raises(datasets.MissingData, match=told):
            datasets.load("usps")
    assert fake.calls == 1
    assert 0 < fake.timeouts[0] <= 10 and socket.getdefaulttimeout() == before
    assert not list((small / "cache").iterdir())


def test_offline_nothing_is_downloaded(small, monkeypatch):
    fake = network(monkeypatch, "mnist")
    monkeypatch.setenv("NETDYN_OFFLINE", "1")
    with pytest.raises(datasets.MissingData, match="left out, since NETDYN_OFFLINE is set"):
        datasets.load("mnist")
    assert fake.calls == 0
    monkeypatch.setenv("NETDYN_OFFLINE", "0")
    assert datasets.load("mnist").origin == "torchvision download"


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_truncated_and_strange_files_are_damaged(small, monkeypatch, name):
    fake = network(monkeypatch, name)
    path = lay(small / "given", name)[0]
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 5] ^= 1  # within the first array
    for content in (whole[: len(whole) // 2], b"", b"<html>not found</html>", bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(
            datasets.DamagedData, match=rf"{path.name} cannot be read as .npz \(\w+: "
        ):
            datasets.load(name)
    assert fake.calls == 0, "a damaged file is not passed over"


@pytest.mark.parametrize(
    "change, match",
    [
        (
            {"x_train": np.zeros((10, 3, 3))},
            r"x_train is float64 \(10, 3, 3\), expected uint8 \(10, 3, 3\)",
        ),
        (
            {"x_test": np.zeros((5, 3, 3), np.uint8)},
            r"x_test is uint8 \(5, 3, 3\), expected uint8 \(4, 3, 3\)",
        ),
        (
            {"y_train": np.zeros(10)},
            r"y_train is float64 \(10,\), expected integers \(10,\) from 0 to 9",
        ),
        ({"y_test": np.full(4, 10)}, "y_test is int64 .* from 0 to 9"),
        ({"y_test": np.full(4, -1)}, "y_test is int64 .* from 0 to 9"),
        (
            {"y_test": None},
            r"has the arrays \['x_test', 'x_train', 'y_train'\], expected 'x_test' and 'y_test'",
        ),
        ({"y_train": np.array([None] * 10)}, "cannot be read as .npz .*allow_pickle"),
    ],
)
def test_wrong_arrays_are_damaged(small, change, match):
    (path,) = lay(small / "given", "mnist")
    held = {key: value for key, value in {**np.load(path), **change}.items() if value is not None}
    np.savez(path, **held)
    with pytest.raises(datasets.DamagedData, match=match):
        datasets.load("mnist")


@pytest.mark.parametrize("name", SMALL)
def test_a_changed_pixel_is_found_by_its_checksum(small, monkeypatch, name):
    network(monkeypatch, name)
    datasets.load(name)  # now in the cache; USPS and Fashion-MNIST with their own digest
    part = "" if name != "cifar10" else " of the first 3 images"
    path = {"cifar10": small / "cache" / "cifar10" / "test.npz"}.get(
        name, small / "cache" / f"{name}.npz"
    )
    held = dict(np.load(path))
    arrays = [
        held[key] for key in ("x_train", "y_train", "x_test", "y_test", "x", "y") if key in held
    ]
    known = datasets.digest(*(a[: 3 if part else None].astype(np.uint8) for a in arrays))
    monkeypatch.setitem(
        datasets._SUMS, {"cifar10": "cifar10/test_first_1000.npz"}.get(name, path.name), known
    )
    datasets._load.cache_clear()
    assert datasets.load(name).origin == "cache"
    arrays[0][1, 1, 1] ^= 1
    np.savez(path, **held)
    datasets._load.cache_clear()
    with pytest.raises(datasets.DamagedData) as caught:
        datasets.load(name)
    found = datasets.digest(*(a[: 3 if part else None].astype(np.uint8) for a in arrays))
    assert f"{path} is damaged: SHA-256 of its arrays{part} is {found}, expected {known}" in str(
        caught.value
    )


def test_a_download_of_other_images_is_refused(small, monkeypatch):
    network(monkeypatch, "mnist")
    monkeypatch.setitem(datasets._SUMS, "mnist.npz", "0" * 64)
    with pytest.raises(
        datasets.DamagedData, match="mnist.npz, as torchvision downloaded it, is damaged"
    ):
        datasets.load("mnist")
    assert not datasets.available("mnist")


def test_unknown_sets_are_refused():
    for function in (datasets.load, datasets.available, datasets.about):
        with pytest.raises(ValueError, match="unknown image set 'svhn'; known: mnist, "):
            function("svhn")


def test_a_digest_tells_type_shape_and_order():
    a = np.arange(6, dtype=np.uint8)
    assert (
        datasets.digest(a)
        == datasets.digest(a.copy())
        == hashlib.sha256(b"uint8 (6,)\n" + a.tobytes()).hexdigest()
    )
    square = a.reshape(2, 3)
    assert datasets.digest(square) == datasets.digest(np.asfortranarray(square))
    others = (a.astype(np.int8), square, square.T, a[::-1])
    assert len({datasets.digest(a), *map(datasets.digest, others)}) == 5


def test_torchvision_is_imported_only_to_download():
    code = "import sys, netdyn_lib.tasks.datasets; raise SystemExit('torchvision' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def needs(name):
    here = datasets.available(name)
    return pytest.mark.skipif(
        not here, reason=f"{datasets.about(name).title} is not at hand: set NETDYN_DATA"
    )


@needs("mnist")
def test_mnist_is_the_published_one():
    held, found = datasets.load("mnist"), []
    for array in (held.x, held.y, held.x_test, held.y_test):
        magic = 2051 if array.ndim == 3 else 2049
        head = struct.pack(f">{1 + array.ndim}i", magic, *array.shape)
        found.append(hashlib.md5(head + array.astype(np.uint8).tobytes()).hexdigest())
    assert found == [
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ]
    assert held.checksum == datasets._SUMS["mnist.npz"]


@needs("cifar10")
def test_cifar10_has_its_checksums():
    held = datasets.load("cifar10")
    assert held.x.shape == (50_000, 32, 32, 3) and held.full_test == 10_000
    assert np.bincount(held.y).tolist() == [5000] * 10
    first = datasets.digest(held.x_test[:1000], held.y_test[:1000].astype(np.uint8))
    assert first == datasets._SUMS["cifar10/test_first_1000.npz"]


@needs("usps")
def test_usps_has_its_split():
    held = datasets.load("usps")
    assert held.x.shape == (7291, 16, 16) and held.x_test.shape == (2007, 16, 16)


@needs("fashion-mnist")
def test_fashion_mnist_has_its_split():
    held = datasets.load("fashion-mnist")
    assert held.x.shape == (60_000, 28, 28) and np.bincount(held.y).tolist() == [6000] * 10
