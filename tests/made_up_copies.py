"""Made-up distances of perturbed copies whose laws and bounds are known."""

import numpy as np
import xarray as xr

from netdyn_lib.statistics.growth_laws import LAWS

STEPS = np.arange(0, 2001, 100)
DIRECTIONS = ("top", "bottom", "chaotic", "non-chaotic", "random")
EPSILON, HORIZON = 0.1, 1500
MARKS = STEPS[1:16]


def made_up(curves, networks=2, rate=1e-3, **attrs):
    """Copies of some networks: ``curves`` is one function d(t) for all directions, or one by
    direction; bounds ε e^{±rate t}.
    """
    by_direction = curves if isinstance(curves, dict) else dict.fromkeys(DIRECTIONS, curves)
    distance = np.array([[by_direction[name](STEPS) for name in DIRECTIONS]] * networks, float)
    accuracy = np.tile(np.linspace(0.1, 0.9, len(STEPS)), (networks, 6, 1))
    logs = np.tile(rate * MARKS, (networks, 1))
    variables = {
        "distance": (("network", "direction", "step"), distance),
        "test_accuracy": (("network", "run", "step"), accuracy),
        "log_top": (("network", "mark"), logs),
        "log_bottom": (("network", "mark"), -logs),
    }
    coords = {"network": np.arange(networks), "direction": list(DIRECTIONS)}
    coords |= {"run": ["reference", *DIRECTIONS], "step": STEPS, "mark": MARKS}
    known = dict(task="made up", data="none", epsilon=EPSILON, horizon=HORIZON, steps=2000)
    return xr.Dataset(variables, coords, known | dict(independent=4.0, provenance="none") | attrs)


def made_up_sizes(epsilons=(1e-8, 1e-6, 0.1, 10.0), networks=5):
    """d = ε (1 + t/1000)(1 + ε²); accuracies at the end 0.9 − ε/100 for copies, 0.9 for the
    reference.
    """
    epsilon = np.array(epsilons)[:, None]
    distance = epsilon * (1 + STEPS / 1000) * (1 + (STEPS > 0) * epsilon**2)
    dims = ("network", "epsilon", "step")
    accuracy = np.repeat(0.9 - epsilon / 100, len(STEPS), 1)
    variables = {
        "distance": (dims, np.tile(distance, (networks, 1, 1))),
        "test_accuracy": (dims, np.tile(accuracy, (networks, 1, 1))),
        "reference_accuracy": (("network", "step"), np.full((networks, len(STEPS)), 0.9)),
    }
    coords = {"network": np.arange(networks), "epsilon": list(epsilons), "step": STEPS}
    return xr.Dataset(variables, coords, {"task": "made up"})


def noisy(law, parameters, seed=0):
    """A law of growth with a little noise, a function of t."""
    noise = 2e-4 * np.random.default_rng(seed).standard_normal(len(STEPS))
    return lambda t: LAWS[law].function(t, EPSILON, *parameters) * np.exp(noise[: len(t)])
