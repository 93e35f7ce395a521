"""The book's sweeps by name, at either profile; their sizes are in :mod:`netdyn_lib.profiles`."""

from .. import profiles
from .grid import Sweep

EXPERIMENT = "05_mnist_cifar"


def names():
    """Names of the book's sweeps."""
    return tuple(profiles.sizes(EXPERIMENT, "paper").sweeps)


def get(name, profile="laptop", seed=0):
    """One of the book's sweeps.

    Raises
    ------
    ValueError
        For an unknown name or profile; the message lists the known.
    """
    sweeps = profiles.sizes(EXPERIMENT, profile).sweeps
    if name not in sweeps:
        raise ValueError(f"unknown sweep {name!r}; known: {', '.join(sweeps)}")
    return Sweep(name=name, seed=seed, **sweeps[name])
