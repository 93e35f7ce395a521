"""Data sets by name, where image sets come from, and that damaged ones are found."""

import dataclasses
import hashlib
import socket
import struct
import subprocess
import sys
import types

import numpy as np
import pytest
import torch

from netdyn_lib.tasks import datasets

CHANGES = {
    "mnist": dict(train=10, test=4, shape=(3, 3)),
    "cifar10": dict(train=20, test=8, shape=(2, 2, 3), head=3),
    "usps": dict(train=6, test=5, shape=(2, 2)),
    "fashion-mnist": dict(train=10, test=4, shape=(3, 3)),
}
SMALL = {name: dataclasses.replace(datasets._SETS[name], **c) for name, c in CHANGES.items()}


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
        part = slice(4 * k, 4 * k + 4)
        np.savez(folder / name / f"train_{k + 1}.npz", x=x[part], y=y[part])
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
    for seed, folder in ((1, "given"), (2, "cache")):
        lay(small / folder, name, seed=seed)
    given = datasets.load(name)
    assert datasets.available(name) and given.origin == "NETDYN_DATA"
    assert datasets.load(name) is given
    assert np.array_equal(given.x, images(name, True, 1)[0])
    assert np.array_equal(given.y_test, images(name, False, 1)[1])
    assert given.x.dtype == torch.uint8 and given.y.dtype == torch.int64
    monkeypatch.delenv("NETDYN_DATA")
    cached = datasets.load(name)
    assert cached.origin == "cache" and cached.checksum != given.checksum and fake.calls == 0
    monkeypatch.setenv("NETDYN_CACHE", str(small / "new"))
    fetched = datasets.load(name)
    assert fetched.origin == "torchvision download" and fake.calls == 2
    for found, expected in zip((fetched.x, fetched.y), images(name, True)):
        assert np.array_equal(found, expected)
    assert fetched.full_test == len(fetched.x_test) == SMALL[name].test
    datasets._load.cache_clear()
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    again = datasets.load(name)
    assert again.origin == "cache" and again.checksum == fetched.checksum
    assert not list((small / "new").glob("download-*"))


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
    with pytest.raises(FileNotFoundError) as caught:
        datasets.load("mnist")
    said = str(caught.value)
    for part in (
        "MNIST ('mnist') is not at hand.  Tried:\n"
        f"  NETDYN_DATA: no file mnist.npz in {small / 'given'}",
        f"cache: no folder {small / 'cache'}",
        "torchvision download: ModuleNotFoundError: ",
        "Set NETDYN_DATA to a folder with mnist.npz",
    ):
        assert part in said
    monkeypatch.delenv("NETDYN_DATA")
    lay(small / "cache", "cifar10")[2].unlink()
    lacking = r"(?s)NETDYN_DATA: not set.*cache: no file cifar10/train_3.npz"
    with pytest.raises(datasets.MissingData, match=lacking):
        datasets.load("cifar10")
    assert not datasets.available("cifar10")


def test_a_failed_download_is_not_tried_again(small, monkeypatch):
    fake = network(monkeypatch, "usps", OSError("network is unreachable"))
    before = socket.getdefaulttimeout()
    again = [r"unreachable \(not tried again in this process\)"] * 3
    for told in ("OSError: network is unreachable\n", *again):
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
    damaged = rf"{path.name} cannot be read as .npz \(\w+: "
    for content in (whole[: len(whole) // 2], b"", b"<html>not found</html>", bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(datasets.DamagedData, match=damaged):
            datasets.load(name)
    assert fake.calls == 0, "a damaged file is not passed over"


@pytest.mark.parametrize(
    "name, value, match",
    [
        ("x_train", np.zeros((10, 3, 3)), r"is float64 \(10, 3, 3\), expected uint8 \(10, 3, 3\)"),
        ("x_test", np.zeros((5, 3, 3), np.uint8), r"uint8 \(5, 3, 3\), expected uint8 \(4, 3, 3\)"),
        ("y_train", np.zeros(10), r"float64 \(10,\), expected integers \(10,\) from 0 to 9"),
        ("y_test", np.full(4, 10), "y_test is int64 .* from 0 to 9"),
        ("y_test", np.full(4, -1), "y_test is int64 .* from 0 to 9"),
        ("y_test", None, r"\['x_test', 'x_train', 'y_train'\], expected 'x_test' and 'y_test'"),
        ("y_train", np.array([None] * 10), "cannot be read as .npz .*allow_pickle"),
    ],
)
def test_wrong_arrays_are_damaged(small, name, value, match):
    (path,) = lay(small / "given", "mnist")
    held = {**np.load(path), name: value}
    np.savez(path, **{key: array for key, array in held.items() if array is not None})
    with pytest.raises(datasets.DamagedData, match=match):
        datasets.load("mnist")


@pytest.mark.parametrize("name", SMALL)
def test_a_changed_pixel_is_found_by_its_checksum(small, monkeypatch, name):
    network(monkeypatch, name)
    datasets.load(name)  # now in the cache; USPS and Fashion-MNIST with their own digest
    few, part, file = None, "", f"{name}.npz"
    if name == "cifar10":
        few, part, file = 3, " of the first 3 images", "cifar10/test.npz"
    path, known_by = small / "cache" / file, file.replace("test.npz", "test_first_1000.npz")
    held = dict(np.load(path))
    keys = ("x_train", "y_train", "x_test", "y_test", "x", "y")
    arrays = [held[key] for key in keys if key in held]

    def found():
        return datasets.digest(*(a[:few].astype(np.uint8) for a in arrays))

    known = found()
    monkeypatch.setitem(datasets._SUMS, known_by, known)
    datasets._load.cache_clear()
    assert datasets.load(name).origin == "cache"
    arrays[0][1, 1, 1] ^= 1
    np.savez(path, **held)
    datasets._load.cache_clear()
    with pytest.raises(datasets.DamagedData) as caught:
        datasets.load(name)
    message = f"{path} is damaged: SHA-256 of its arrays{part} is {found()}, expected {known}"
    assert message in str(caught.value)


def test_a_download_of_other_images_is_refused(small, monkeypatch):
    network(monkeypatch, "mnist")
    monkeypatch.setitem(datasets._SUMS, "mnist.npz", "0" * 64)
    damaged = "mnist.npz, as torchvision downloaded it, is damaged"
    with pytest.raises(datasets.DamagedData, match=damaged):
        datasets.load("mnist")
    assert not datasets.available("mnist")


def test_a_digest_tells_type_shape_and_order():
    a = np.arange(6, dtype=np.uint8)
    expected = hashlib.sha256(b"uint8 (6,)\n" + a.tobytes()).hexdigest()
    assert datasets.digest(a) == datasets.digest(a.copy()) == expected
    square = a.reshape(2, 3)
    assert datasets.digest(square) == datasets.digest(np.asfortranarray(square))
    others = (a.astype(np.int8), square, square.T, a[::-1])
    assert len({expected, *map(datasets.digest, others)}) == 5


def test_torchvision_is_imported_only_to_download():
    code = "import sys, netdyn_lib.tasks.datasets; raise SystemExit('torchvision' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", SMALL)
def test_images_are_flat_and_scaled_to_one(small, name):
    lay(small / "given", name)
    split, held = datasets.get(name), datasets.load(name)
    assert split.x.dtype == torch.float64 and split.y.dtype == torch.int64
    order = (0, 3, 1, 2) if name == "cifar10" else (0, 1, 2)  # as torchvision's ToTensor
    for found, array in ((split.x, held.x), (split.x_test, held.x_test)):
        expected = array.numpy().transpose(order).reshape(len(array), -1) / 255
        assert np.array_equal(found.numpy(), expected)
    assert len(split.classes) == 10 and split.checksum == held.checksum
    few = datasets.get(name, samples=2, test_samples=3)
    assert torch.equal(few.x, split.x[:2]) and torch.equal(few.y_test, split.y_test[:3])
    assert few.x.untyped_storage().nbytes() == few.x.numel() * 8, "the rest is not held in memory"
    counts = f"first 2 of {len(held.x)} training images, first 3 of {len(held.x_test)} test images"
    assert few.provenance() == f"{SMALL[name].title}: {counts} (NETDYN_DATA)"


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: datasets.get("iris", 121), r"samples = 121: .*\(Iris has 120 training samples at"),
        (lambda: datasets.get("digits", 0), "samples = 0"),
        (lambda: datasets.get("digits", 9, 361), r"test_samples = 361: .* from 1 to 360 \(Digits"),
        (lambda: datasets.get("svhn"), "unknown data set 'svhn'; known: iris, .*usps"),
        (lambda: datasets.load("svhn"), "unknown image set 'svhn'; known: mnist, "),
        (lambda: datasets.ridge(samples=True), "samples = "),
        (lambda: datasets.digits(test="0.5"), "test = "),
    ],
)
def test_bad_input_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_embedded_sets():
    iris, digits = datasets.get("iris"), datasets.get("digits", samples=100)
    assert iris.x.shape == (120, 4) and iris.x.max() > 7  # raw centimetres
    assert iris.class_counts().tolist() == [40, 41, 39]
    assert datasets.get("iris-balanced").class_counts().tolist() == [40, 40, 40]
    assert iris.checksum == datasets.iris(balanced=True).checksum != digits.checksum
    from sklearn.datasets import load_iris

    both = torch.cat([iris.x, iris.x_test])  # training and test samples partition the data
    assert sorted(both.tolist()) == sorted(load_iris().data.tolist())
    whole = datasets.digits()
    assert whole.x.shape == (1437, 64) and "(1437, 64)" in repr(whole)
    assert float(whole.x.min()) == 0 and float(whole.x.max()) == 1
    assert torch.equal(digits.x, whole.x[:100]) and torch.equal(digits.x_test, whole.x_test)
    counts = "first 100 of 1,437 training images, 360 test images"
    assert digits.provenance() == f"Digits: {counts} (scikit-learn)"


def test_images_are_resized_by_interpolation_without_smoothing():
    """A plane stays a plane; of single bright pixels those next to new centres are seen."""
    rows = torch.arange(28, dtype=torch.float64)
    plane = (rows[:, None] + 2 * rows).reshape(1, -1)
    dots = torch.eye(28, dtype=torch.float64)[5, :, None] * torch.eye(28, dtype=torch.float64)[5]
    more = dict(x=plane, x_test=dots.reshape(1, -1), title="Squares")
    split = dataclasses.replace(datasets.digits(), **more)
    small = datasets.resized(split, 16)
    centres = (torch.arange(16, dtype=torch.float64) + 0.5) * 28 / 16 - 0.5
    torch.testing.assert_close(small.x, (centres[:, None] + 2 * centres).reshape(1, -1))
    weight = (1 - (centres - 5).abs()).clamp(0)
    torch.testing.assert_close(small.x_test, (weight[:, None] * weight).reshape(1, -1))
    assert small.title == "Squares, 16×16"
    names = ("fashion-mnist-16", "usps", "iris")
    assert [datasets.archive(name) for name in names] == ["fashion-mnist", "usps", None]
    with pytest.raises(ValueError, match="CIFAR: 3072 inputs are no square image"):
        datasets.resized(dataclasses.replace(split, x=torch.zeros(1, 3072), title="CIFAR"), 16)


def needs(name):
    reason = f"{datasets.about(name).title} is not at hand: set NETDYN_DATA"
    return pytest.mark.skipif(not datasets.available(name), reason=reason)


@needs("mnist")
def test_mnist_is_the_published_one():
    held, found = datasets.load("mnist"), []
    for array in map(np.asarray, (held.x, held.y, held.x_test, held.y_test)):
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
    assert datasets.get("mnist", samples=5).y.tolist() == [5, 0, 4, 1, 9]


@needs("cifar10")
def test_cifar10_has_its_checksums_and_begins_with_a_frog():
    held = datasets.load("cifar10")
    assert held.x.shape == (50_000, 32, 32, 3) and held.full_test == 10_000
    assert held.class_counts().tolist() == [5000] * 10
    first = datasets.digest(held.x_test.numpy()[:1000], held.y_test[:1000].byte().numpy())
    assert first == datasets._SUMS["cifar10/test_first_1000.npz"]
    split = datasets.get("cifar10", samples=3, test_samples=1000)
    assert [split.classes[k] for k in split.y] == ["frog", "truck", "truck"]
    assert "first 1,000 of 10,000 test images" in split.provenance()


@needs("usps")
def test_usps_has_its_split():
    held = datasets.load("usps")
    assert held.x.shape == (7291, 16, 16) and held.x_test.shape == (2007, 16, 16)
    assert held.class_counts().min() > 500


@needs("fashion-mnist")
def test_fashion_mnist_has_its_split():
    held = datasets.load("fashion-mnist")
    assert held.x.shape == (60_000, 28, 28) and held.class_counts().tolist() == [6000] * 10
