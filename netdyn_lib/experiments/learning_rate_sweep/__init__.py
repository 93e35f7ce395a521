"""Sweeps over learning rates and initial conditions: cut into shards, computed here or on a
cluster, kept on disk.

    sweep = sweeps.get("digits")
    sweeps.run(sweep, "results")
    data = sweeps.load(sweep, "results")

Computing imports no more than NumPy, SciPy, PyTorch, scikit-learn and tqdm;
:func:`load` also xarray, and a cluster Dask.
"""

from importlib import import_module

_HOMES = {
    "Sweep": "grid",
    "Shard": "grid",
    "get": "named",
    "names": "named",
    "measure": "measuring",
    "plan": "running",
    "run": "running",
    "load": "dataset",
    "assemble": "dataset",
}


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in (
        "cluster",
        "compute",
        "dataset",
        "grid",
        "measuring",
        "named",
        "published",
        "responses",
        "running",
    ):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_HOMES])
