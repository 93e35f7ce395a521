"""netdyn_lib: training a neural network, seen as a dynamical system.

Gradient descent is a map in weight space.  This library iterates that map for
whole ensembles of networks, and measures its trajectories: distances,
Lyapunov exponents, tangent dynamics, curvature, scalar time series.

Modules are imported from their packages, as in ``from netdyn_lib.lyapunov import growth_fits``.
A program that needs only ``netdyn_lib.maps`` never imports PyTorch.
"""

import os
from importlib import import_module

# MKL chooses another kernel for another number of small matrices, and on some processors (AMD's
# with AVX-512) another one rounds differently: a network's numbers would depend on which others
# share its batch.  So it keeps to one; it takes no longer for that. Read at MKL's first product: in
# time where PyTorch was imported before, though not where it has multiplied matrices already.
os.environ.setdefault("MKL_CBWR", "AUTO")

__version__ = "0.2.0"

_PACKAGES = (
    "curvature",
    "experiments",
    "figures",
    "lyapunov",
    "maps",
    "results",
    "series",
    "statistics",
    "tasks",
    "training",
)


def __getattr__(name):
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_PACKAGES])
