"""netdyn_lib: training a neural network, seen as a dynamical system.

Gradient descent is a map in weight space.  This library iterates that map for
whole ensembles of networks, and measures its trajectories: distances,
Lyapunov exponents, tangent dynamics, curvature, scalar time series.

Modules are loaded when they are first used, so ``import netdyn_lib`` is cheap
and a program that needs only ``netdyn_lib.maps`` never imports PyTorch.
"""

import os
from importlib import import_module

# MKL chooses another kernel for another number of small matrices, and on some processors (AMD's with AVX-512) another one rounds
# differently: a network's numbers would depend on which others share its batch.  So it keeps to one; it takes no longer for that.
# Read at MKL's first product: in time where PyTorch was imported before, though not where it has multiplied matrices already.
os.environ.setdefault("MKL_CBWR", "AUTO")

__version__ = "0.2.0"

_MODULES = (
    "active_inputs",
    "ageing",
    "agreement",
    "archives",
    "arms",
    "arrivals",
    "bands",
    "batch_noise",
    "benchmarks",
    "bifurcations",
    "bisection",
    "blocked",
    "blocked_hessian",
    "cascades",
    "checks",
    "claims",
    "closed_form",
    "cocycles",
    "confined",
    "contributions",
    "convolutional_steppers",
    "convolutions",
    "curvature",
    "data",
    "datasets",
    "derivatives",
    "descent",
    "devices",
    "early_stopping",
    "eigenclasses",
    "eigensystems",
    "ensembles",
    "extras",
    "failures",
    "figures",
    "fingerprint",
    "forecast",
    "gradients",
    "initialisations",
    "jobs",
    "judgements",
    "kantz",
    "kneading",
    "linear_heads",
    "losses",
    "locks",
    "low_rank",
    "lyapunov",
    "machine",
    "maps",
    "minibatches",
    "narrowing",
    "networks",
    "npz",
    "observables",
    "optimizers",
    "outcomes",
    "own_losses",
    "phases",
    "plans",
    "prediction",
    "probe",
    "profiles",
    "pruning",
    "reading",
    "receiver",
    "reduced",
    "relaxation",
    "replay",
    "resampling",
    "rivals",
    "saturation",
    "series",
    "sharpness",
    "sources",
    "steppers",
    "store",
    "student",
    "sweeps",
    "sweetspot",
    "switching",
    "systems",
    "tangent",
    "tasks",
    "threads",
    "tracking",
    "training_loops",
    "trajectories",
    "twins",
    "windows",
)


def __getattr__(name):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])
