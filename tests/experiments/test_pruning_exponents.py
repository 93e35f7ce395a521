"""Growth along pruned descent: a loss whose exponents are known, dense products of the tested
tangent maps, and the theorem's promise.
"""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import batch_hessian
from netdyn_lib.curvature.jacobian import PrunedDescent, StochasticDescent
from netdyn_lib.experiments import pruning_exponents
from netdyn_lib.experiments.sgd_spectra import MiniBatchDescent
from netdyn_lib.tasks import losses, networks, tasks

RATE, BATCH = 0.3, 3


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((23, 5)), rng.integers(0, 3, 23)
    return tasks.custom("small", networks.MLP((5, 4, 3), "tanh"), losses.CrossEntropy(), x, y)


@pytest.fixture(scope="module")
def data(task):
    return pruning_exponents.compare(MiniBatchDescent(task, RATE, BATCH), 2, (7, 20))


def test_growth_is_that_of_dense_products(task, data):
    assert data["growth"].dims == ("map", "network", "time")
    for k in range(2):
        both = [PrunedDescent(task, RATE, BATCH, "chaotic", k, fixed) for fixed in (False, True)]
        for name, advance in zip(
            data["map"].values, [StochasticDescent(task, RATE, BATCH, k), *both]
        ):
            states = advance.states(task.initial(1, 0, k))
            frames = torch.eye(40, dtype=torch.float64)[None, :, :39]
            for t in range(1, 21):
                states, frames = advance(states, frames)
                if t in (7, 20):
                    known = float(torch.linalg.matrix_norm(frames[0, :39], 2).log())
                    found = float(data["growth"].sel(map=name, network=k, time=t))
                    assert found == pytest.approx(known, abs=1e-9)


def test_the_projector_held_fixed_lets_nothing_grow_and_the_true_derivative_does(data):
    assert (np.abs(data["growth"].sel(map="fixed")) < 1e-9).all()
    assert (data["growth"].sel(map=["pruned", "plain"], time=20) > 1e-3).all()


def test_a_quadratic_loss_beyond_the_edge():
    """One eigenvalue above 2/γ: plain descent grows by ln|1 − γλ| a step, pruned descent not at
    all.
    """
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    task = tasks.custom("quadratic", networks.MLP((3, 2)), losses.HalfSquaredError(), x, y)
    values = batch_hessian.spectrum(task, task.initial(1)[0]).values
    rate = 2.4 / values[-1]
    data = pruning_exponents.compare(MiniBatchDescent(task, rate, 6), 1, (4, 12))["growth"]
    wanted = np.log(rate * values[-1] - 1) * np.array([4, 12])
    np.testing.assert_allclose(data.sel(map="plain")[0], wanted)
    np.testing.assert_allclose(data.sel(map=["pruned", "fixed"]), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("rate", "at", "rule", "said"),
    [
        (RATE, (1,), "random-same", "has no derivative"),
        (RATE, (0,), "chaotic", "step in at = 0"),
        (0.0, (1,), "chaotic", "rate = 0.0"),
    ],
)
def test_bad_input_is_refused(task, rate, at, rule, said):
    with pytest.raises(ValueError, match=said):
        pruning_exponents.compare(MiniBatchDescent(task, rate, BATCH), 1, at, rule)
