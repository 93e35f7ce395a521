"""Data sets as float64 tensors: inputs (N, …) and integer class labels (N,).

Iris and the handwritten digits ship with scikit-learn, so they are at hand
wherever the library is installed.
"""

from dataclasses import dataclass

import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split


@dataclass(frozen=True)
class Split:
    """Training and test samples: ``x``, ``y``, ``x_test``, ``y_test``; and class and feature names."""

    x: torch.Tensor
    y: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    classes: tuple
    features: tuple

    def class_counts(self):
        """Training samples of each class, (C,).  Raises ValueError where targets are no class labels."""
        if self.y.is_floating_point():
            raise ValueError(f"targets are {self.y.dtype}, not class labels: there are no classes to count")
        return torch.bincount(self.y, minlength=len(self.classes))

    def __repr__(self):
        if self.y.is_floating_point():
            targets = f"targets {tuple(self.y.shape)}"
        else:
            targets = "/".join(str(int(c)) for c in self.class_counts()) + " by class"
        return f"Split({tuple(self.x.shape)} training samples, {targets}; {len(self.x_test)} test samples)"


def _split(bunch, test, seed, stratify, scale=1.0, features=None):
    parts = train_test_split(
        bunch.data / scale,
        bunch.target,
        test_size=test,
        random_state=seed,
        stratify=bunch.target if stratify else None,
    )
    x, x_test = (torch.tensor(p, dtype=torch.float64) for p in parts[:2])
    y, y_test = (torch.tensor(p, dtype=torch.int64) for p in parts[2:])
    names = tuple(map(str, bunch.target_names))
    return Split(x, y, x_test, y_test, names, tuple(features or bunch.feature_names))


def iris(balanced=False, seed=42):
    """Fisher's iris: 120 training and 30 test flowers, 4 raw features in centimetres, 3 species.

    The papers do not say how they split or scaled the data.  Raw features
    reproduce them; by default the split is scikit-learn's with
    ``random_state=42`` (40/41/39 flowers of each species).

    Parameters
    ----------
    balanced : bool
        Split each species alike, 40/40/40.
    seed : int
        ``random_state`` of the split.
    """
    return _split(datasets.load_iris(), 30, seed, balanced, features=("sepal length", "sepal width", "petal length", "petal width"))


def digits(test=360, seed=42):
    """Handwritten digits, 8×8: 1,437 training and 360 test images, pixels scaled from 0…16 to [0, 1], 10 classes."""
    return _split(datasets.load_digits(), test, seed, False, scale=16.0)
