"""The book's sweeps by name, at either profile; their sizes are in
:mod:`netdyn_lib.experiments.sizes`.
"""

from .. import sizes
from .grid import Sweep

EXPERIMENT = "05_mnist_cifar"


def names():
    """Names of the book's sweeps."""
    return tuple(sizes.sizes(EXPERIMENT, "paper").sweeps)


def get(name, profile="laptop", seed=0):
    """One of the book's sweeps.

    Raises
    ------
    ValueError
        For an unknown name or profile; the message lists the known.
    """
    sweeps = sizes.sizes(EXPERIMENT, profile).sweeps
    if name not in sweeps:
        raise ValueError(f"unknown sweep {name!r}; known: {', '.join(sweeps)}")
    return Sweep(name=name, seed=seed, **sweeps[name])
