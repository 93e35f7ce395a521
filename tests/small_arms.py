"""Arms of a few seconds: rules of pruning on a small network; and made-up data in their form."""

import dataclasses
import json

import numpy as np
import xarray as xr

from netdyn_lib.experiments.pruning_ablation.arm import Ablation, Arm
from netdyn_lib.tasks import losses, networks, tasks

TASK = "small-arms"
OBSERVED = (
    "loss",
    "test_loss",
    "test_accuracy",
    "norm",
    "gradient_norm",
    "kept",
    "smallest",
    "largest",
    "chaotic",
    "negative",
    "positive",
    "neutral",
    "overlap_chaotic",
    "overlap_negative",
    "overlap_positive",
    "overlap_neutral",
)


def register():
    """Make the task known: digits, 64-3-10, drawn as PyTorch does."""
    if TASK not in tasks.names():
        tasks.register(
            tasks.Recipe(
                TASK,
                "digits",
                lambda: networks.MLP((64, 3, 10), "relu"),
                losses.CrossEntropy(),
                0.9,
                source="these tests",
                initialisation="pytorch",
            )
        )


def small(rule="negative", **changes):
    """Two networks for twelve steps at a large rate, in three segments of two observations."""
    register()
    sizes = dict(learning_rate=0.5, batch=4, steps=12, every=2, segment=4, networks=2)
    return Arm(**(dict(name=f"{TASK}/{rule}", task=TASK, rule=rule) | sizes | changes))


def synthetic(ends, steps=(0, 100, 200), arms=None, **variables):
    """A dataset with final test accuracies ``ends``, label → (n,), reached in a line from 0.1; test
    losses are 1 less them.
    """
    ends = {label: np.asarray(values, float) for label, values in ends.items()}
    seeds = len(next(iter(ends.values())))
    rise = np.linspace(0, 1, len(steps))
    # (A, n, T)
    accuracy = np.array([0.1 + (values - 0.1)[:, None] * rise for values in ends.values()])
    shape = accuracy.shape
    values = dict.fromkeys(OBSERVED, np.ones(shape)) | dict(
        test_accuracy=accuracy, test_loss=1 - accuracy
    )
    values |= {
        name: np.broadcast_to(np.asarray(value, float), shape) for name, value in variables.items()
    }
    data = {name: (("arm", "seed", "step"), value.copy()) for name, value in values.items()}
    data |= {
        "present": (("arm", "seed"), np.ones(shape[:2], bool)),
        "diverged_at": (("arm", "seed"), np.full(shape[:2], -1.0)),
    }
    arms = (
        [small(name=f"{TASK}/{label}", networks=seeds) for label in ends] if arms is None else arms
    )
    attrs = {
        "task": TASK,
        "data": "made up",
        "provenance": "none",
        "content": "null",
        "arms": json.dumps([dataclasses.asdict(arm) for arm in arms]),
    }
    return xr.Dataset(
        data, {"arm": list(ends), "seed": np.arange(seeds), "step": list(steps)}, attrs
    )


def ablation(*arms):
    """Some arms as one experiment, by default three: two of two networks, and one of one."""
    few = (small("none"), small("random-same"), small("negative", momentum=0.9, networks=1))
    return Ablation(TASK, arms or few)
