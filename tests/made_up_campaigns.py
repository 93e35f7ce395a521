"""Made-up campaigns of outcome prediction, of which it is known what tells the outcome."""

import json

import numpy as np
import xarray as xr

from netdyn_lib.lyapunov import angles

STEPS, TIMES = 1000, np.array([5, 15, 50])  # steps; a step takes 0.001
CURVE = (0, *sorted({round(STEPS ** (k / 60)) for k in range(61)}))
_DIMS = {
    **dict.fromkeys(("final_loss", "diverged_at"), ()),
    "curve": ("step",),
    "loss": ("time",),
    "weights": ("time", "parameter"),
    "gradient": ("time",),
    "hessian": ("time", "index"),
    "kinks": ("time",),
    **dict.fromkeys(("exponents", "singular"), ("time", "index")),
    **dict.fromkeys(("frozen_angles", "far_angles"), ("time", "pair")),
    **dict.fromkeys(("frozen_splitting", "far_splitting"), ("time", "split")),
    **dict.fromkeys(("frozen_growth", "far_growth", "far_residual"), ("time", "index")),
}


def synthetic(known=(), count=200, failed=None, size=9, seed=0, **given):
    """A campaign of noise, but for the variables ``known``, which are larger by ten in failed runs;
    every second run has failed.

    Variables ``given`` are taken as they are.
    """
    rng = np.random.default_rng(seed)
    failed = np.arange(count) % 2 == 0 if failed is None else failed
    lengths = dict(time=len(TIMES), step=len(CURVE), parameter=size, index=size, network=count)
    lengths |= dict(pair=size * (size - 1) // 2, split=size - 1)
    variables = {}
    for name, dims in _DIMS.items():
        dims = dims[:1] + ("network",) + dims[1:]
        values = rng.random([lengths[d] for d in dims]) + 0.1
        if name in known:
            values += 10 * failed.reshape([-1 if d == "network" else 1 for d in dims])
        variables[name] = dims, values
    variables["final_loss"] = "network", np.where(failed, 150.0, 1.0) + rng.random(count)
    variables["diverged_at"] = "network", np.full(count, -1)
    for name, values in given.items():
        variables[name] = variables[name][0], values
    coords = dict(
        time=TIMES / STEPS,
        step=np.array(CURVE),
        network=np.arange(count),
        index=np.arange(1, size + 1),
        split=np.arange(1, size),
        pair=list(angles.labels(size)),
    )
    attrs = {"name": "synthetic", "steps": STEPS, "duration": 1.0, "provenance": "made up"}
    return xr.Dataset(variables, coords, attrs)


def of_campaign(data, **changes):
    """A dataset that says which campaign it is of."""
    settings = dict(task="a", seed=0, learning_rate=0.001, times=TIMES.tolist(), backward=20)
    return data.assign_attrs(campaign=json.dumps(settings | changes))
