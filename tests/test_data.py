"""Data sets by name, and what a split says of itself."""

import dataclasses

import numpy as np
import pytest
import torch

from netdyn_lib.tasks import datasets


def needs(name):
    here = datasets.available(name)
    return pytest.mark.skipif(
        not here, reason=f"{datasets.about(name).title} is not at hand: set NETDYN_DATA"
    )


@pytest.fixture
def images(monkeypatch):
    """Six training and four test images in place of each archive."""
    rng = np.random.default_rng(0)

    def load(name):
        shape = datasets.about(name).shape
        x, x_test = (rng.integers(0, 256, (n, *shape), dtype=np.uint8) for n in (6, 4))
        held.append(
            datasets.Archive(name, x, np.arange(6), x_test, np.arange(4), "cache", "abc", 9)
        )
        for array in (x, x_test):
            array.setflags(write=False)
        return held[-1]

    held = []
    monkeypatch.setattr(datasets, "load", load)
    return held


@pytest.mark.parametrize(
    "name, size", [("mnist", 784), ("fashion-mnist", 784), ("usps", 256), ("cifar10", 3072)]
)
def test_images_are_flat_and_scaled_to_one(images, recwarn, name, size):
    split, held = datasets.get(name), images.__getitem__(0)
    assert (
        split.x.shape == (6, size)
        and split.x.dtype == torch.float64
        and split.y.dtype == torch.int64
    )
    order = (0, 3, 1, 2) if name == "cifar10" else (0, 1, 2)  # as torchvision's ToTensor
    assert np.array_equal(split.x.numpy(), held.x.transpose(order).reshape(6, -1) / 255)
    assert np.array_equal(split.x_test.numpy(), held.x_test.transpose(order).reshape(4, -1) / 255)
    assert len(split.classes) == 10 and split.checksum == "abc" and split.full_test == 9
    assert len(recwarn) == 0


def test_the_first_few_are_taken(images):
    split = datasets.get("cifar10", samples=2, test_samples=3)
    assert np.array_equal(
        split.x.numpy(), images[0].x[:2].transpose(0, 3, 1, 2).reshape(2, -1) / 255
    )
    assert split.y.tolist() == [0, 1] and split.y_test.tolist() == [0, 1, 2]
    assert split.x.untyped_storage().nbytes() == 2 * 3072 * 8, "the rest is not held in memory"
    assert (
        split.provenance()
        == "CIFAR-10: first 2 of 6 training images, first 3 of 9 test images (cache)"
    )


@pytest.mark.parametrize(
    "few, match",
    [
        (
            {"samples": 7},
            r"samples = 7: must be a whole number, from 1 to 6 \(MNIST has 6 training images at hand\)",
        ),
        ({"samples": 0}, "samples = 0"),
        ({"samples": 1.5}, "samples = 1.5"),
        (
            {"test_samples": 5},
            r"test_samples = 5: .* from 1 to 4 \(MNIST has 4 test images at hand\)",
        ),
    ],
)
def test_more_than_there_are_is_refused(images, few, match):
    with pytest.raises(ValueError, match=match):
        datasets.get("mnist", **few)
    with pytest.raises(
        ValueError, match=r"samples = 121: .*\(Iris has 120 training samples at hand\)"
    ):
        datasets.get("iris", 121)


def test_unknown_sets_list_the_known():
    assert datasets.names()[:5] == ("iris", "iris-balanced", "digits", "ridge", "mnist")
    with pytest.raises(ValueError, match="unknown data set 'svhn'; known: iris, .*usps"):
        datasets.get("svhn")


def test_missing_images_are_an_error(monkeypatch, tmp_path):
    for variable in ("NETDYN_DATA", "NETDYN_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("NETDYN_OFFLINE", "1")
    with pytest.raises(datasets.MissingData, match="USPS"):
        datasets.get("usps", samples=5)


def test_embedded_sets_come_by_name_too():
    assert torch.equal(datasets.get("iris").x, datasets.iris().x)
    assert torch.equal(datasets.get("iris-balanced").y, datasets.iris(balanced=True).y)
    few = datasets.get("digits", samples=100)
    assert torch.equal(few.x, datasets.digits().x[:100]) and torch.equal(
        few.x_test, datasets.digits().x_test
    )
    assert (
        few.provenance()
        == "Digits: first 100 of 1,437 training images, 360 test images (scikit-learn)"
    )
    assert datasets.iris().checksum == datasets.iris(balanced=True).checksum != few.checksum


@needs("mnist")
def test_mnist_begins_with_a_five():
    split = datasets.get("mnist", samples=2000, test_samples=1000)
    assert split.y[:5].tolist() == [5, 0, 4, 1, 9]
    assert (
        "first 2,000 of 60,000 training images, first 1,000 of 10,000 test images"
        in split.provenance()
    )


@needs("cifar10")
def test_cifar10_begins_with_a_frog():
    split = datasets.get("cifar10", samples=3, test_samples=1000)
    assert [split.classes[k] for k in split.y] == ["frog", "truck", "truck"]
    assert (
        "first 3 of 50,000 training images, first 1,000 of 10,000 test images" in split.provenance()
    )


@needs("usps")
def test_usps_has_ten_digits():
    assert datasets.get("usps").class_counts().min() > 500


def test_images_are_resized_by_interpolation_without_smoothing():
    """A plane stays a plane, and of single bright pixels only those next to new centres are seen."""
    rows = torch.arange(28, dtype=torch.float64)
    plane = (rows[:, None] + 2 * rows).reshape(1, -1)
    dots = torch.eye(28, dtype=torch.float64)[5, :, None] * torch.eye(28, dtype=torch.float64)[5]
    split = dataclasses.replace(
        datasets.digits(), x=plane, x_test=dots.reshape(1, -1), title="Squares"
    )
    small = datasets.resized(split, 16)
    centres = (torch.arange(16, dtype=torch.float64) + 0.5) * 28 / 16 - 0.5
    torch.testing.assert_close(small.x, (centres[:, None] + 2 * centres).reshape(1, -1))
    weight = (1 - (centres - 5).abs()).clamp(0)
    torch.testing.assert_close(small.x_test, (weight[:, None] * weight).reshape(1, -1))
    assert (
        small.title == "Squares, 16×16" and datasets.archive("fashion-mnist-16") == "fashion-mnist"
    )
    assert datasets.archive("usps") == "usps" and datasets.archive("iris") is None
    with pytest.raises(ValueError, match="CIFAR: 3072 inputs are no square image"):
        datasets.resized(dataclasses.replace(split, x=torch.zeros(1, 3072), title="CIFAR"), 16)
