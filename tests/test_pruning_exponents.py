"""Growth along pruned descent: a loss whose exponents are known, dense products of the tested
tangent maps, and the theorem's promise.
"""

import numpy as np
import pytest
import torch
import xarray as xr

from netdyn_lib.curvature import batch_hessian
from netdyn_lib.curvature.jacobian import PrunedDescent, StochasticDescent
from netdyn_lib.experiments import pruning_exponents
from netdyn_lib.tasks import losses, networks, tasks

RATE, BATCH = 0.3, 3


def small():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((23, 5)), rng.integers(0, 3, 23)
    return tasks.custom("small", networks.MLP((5, 4, 3), "tanh"), losses.CrossEntropy(), x, y)


def test_growth_is_that_of_dense_products():
    task = small()
    data = pruning_exponents.compare(task, 2, RATE, BATCH, 20, (7,), count=2)
    assert data["time"].values.tolist() == [7, 20] and data["growth"].dims == (
        "map",
        "network",
        "time",
    )
    for k in range(2):
        both = [PrunedDescent(task, RATE, BATCH, "chaotic", k, fixed) for fixed in (False, True)]
        advances = [StochasticDescent(task, RATE, BATCH, k), *both]
        for name, advance in zip(data["map"].values, advances):
            states, frames = (
                advance.states(task.initial(1, 0, k)),
                torch.eye(40, dtype=torch.float64)[None, :, :39],
            )
            for t in range(1, 21):
                states, frames = advance(states, frames)
                if t in (7, 20):
                    known = torch.linalg.svdvals(frames[0, :39])[:2].log().numpy()
                    np.testing.assert_allclose(
                        data["leading"].sel(map=name, network=k, time=t), known, atol=1e-9
                    )
    np.testing.assert_array_equal(data["growth"], data["leading"].isel(index=0))


def test_the_projector_held_fixed_lets_nothing_grow_and_the_true_derivative_does():
    data = pruning_exponents.compare(small(), 2, RATE, BATCH, 40, (10, 20), rule="chaotic")
    assert (np.abs(data["growth"].sel(map="fixed")) < 1e-9).all()
    assert (data["growth"].sel(map="pruned") > 1e-3).all() and (
        data["growth"].sel(map="plain") > 1e-3
    ).all()
    assert (
        abs(pruning_exponents.expands(data, "fixed").estimate)
        < 1e-6
        < pruning_exponents.expands(data).estimate
    )
    assert pruning_exponents.expands(data, "plain").estimate == 1


def test_a_quadratic_loss_beyond_the_edge():
    """One eigenvalue above 2/γ: plain descent grows by ln|1 − γλ| a step, pruned descent not at
    all.
    """
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    task = tasks.custom("quadratic", networks.MLP((3, 2)), losses.HalfSquaredError(), x, y)
    values = batch_hessian.spectrum(task, task.initial(1)[0]).values
    rate = 2.4 / values[-1]
    data = pruning_exponents.compare(task, 1, rate, 6, 12, (4,), count=1)
    np.testing.assert_allclose(
        data["growth"].sel(map="plain")[0], np.log(rate * values[-1] - 1) * np.array([4, 12])
    )
    np.testing.assert_allclose(data["growth"].sel(map=["pruned", "fixed"]), 0, atol=1e-12)


def test_bad_input_is_refused():
    for arguments, message in (
        (dict(rule="random-same"), "has no derivative"),
        (dict(at=(0,)), "step in at = 0"),
        (dict(rate=0.0), "rate = 0.0"),
    ):
        with pytest.raises(ValueError, match=message):
            pruning_exponents.compare(
                small(), **dict(networks=1, rate=RATE, batch=BATCH, steps=2, at=(1,)) | arguments
            )


def test_what_was_seen_is_said():
    data = xr.Dataset(
        {"growth": (("map", "network", "time"), [[[1.0, 3.0]], [[0.1, 0.5]], [[0.0, 0.0]]])},
        {"map": list(pruning_exponents.MAPS), "time": [5, 10]},
    )
    assert pruning_exponents.saw(data) == "ln σ₁ after 10 steps: plain 3, pruned 0.5, fixed 0."
