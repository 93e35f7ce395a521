"""Copies along directions and over sizes: in closed form where the loss is a quadratic, and against
single runs.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import hessian
from netdyn_lib.experiments.perturbation_growth import directions, experiment
from netdyn_lib.experiments.perturbation_growth.directions import Search
from netdyn_lib.experiments.perturbation_growth.divergence import diverge, independent
from netdyn_lib.experiments.sgd_spectra import MiniBatchDescent
from netdyn_lib.tasks import losses, networks, tasks

STEPS, EVERY, HORIZON = 24, 4, 16


def quadratic():
    """Least squares of 3 inputs and a bias, and the eigenvalues of its Hessian, ascending: J = I −
    γH is the same everywhere.
    """
    rng = np.random.default_rng(4)
    x = rng.standard_normal((23, 3)) * np.array([2.5, 1.0, 0.3])
    y, loss = torch.tensor(rng.standard_normal((23, 1))), losses.HalfSquaredError()
    task = tasks.custom("quadratic", networks.MLP((3, 1)), loss, x, y)
    return task, torch.linalg.eigvalsh(hessian.hessians(task.objective, task.initial(1))[0]).numpy()


@pytest.fixture(scope="module")
def exact():
    """(γ, ln of |1 − γλ| ascending, dataset); the largest γλ is 2.2."""
    task, values = quadratic()
    rate = 2.2 / values[-1]
    search = Search(HORIZON, 4, 40)
    descent = MiniBatchDescent(task, rate, 23)
    data = experiment.along_strategies(descent, 2, STEPS, EVERY, search)
    return rate, np.sort(np.log(np.abs(1 - rate * values))), data


def test_singular_values_of_a_quadratic_loss(exact):
    _, logs, data = exact
    both, marks = (2, 1), data["mark"].values
    assert logs[-1] > 0.1 and logs[0] < -0.1 and marks.tolist() == [4, 8, 12, 16]
    np.testing.assert_allclose(data["log_singular"], np.tile(HORIZON * logs[::-1], both), atol=1e-8)
    np.testing.assert_allclose(data["log_shrinking"], np.tile(HORIZON * logs, both), atol=1e-8)
    np.testing.assert_allclose(data["log_top"], np.tile(marks * logs[-1], both), atol=1e-8)
    np.testing.assert_allclose(data["log_bottom"], np.tile(marks * logs[0], both), atol=1e-8)
    assert data["converged_top"].all() and data["converged_bottom"].all()


def test_copies_of_a_quadratic_loss_part_as_its_eigenvalues_say(exact):
    rate, logs, data = exact
    for direction, log in (("top", logs[-1]), ("bottom", logs[0])):
        known = np.tile(0.1 * np.exp(log * data["step"].values), (2, 1))
        found = data["distance"].sel(direction=direction)
        np.testing.assert_allclose(found, known, rtol=1e-6, atol=1e-10)
    inside = np.log(data["distance"].sel(step=data["mark"]) / 0.1)
    assert (inside <= data["log_top"] + 1e-8).all() and (inside >= data["log_bottom"] - 1e-6).all()
    ends = data["distance"].isel(step=-1)
    assert (ends.sel(direction="chaotic") > ends.sel(direction="non-chaotic")).all()
    wanted = dict(task="quadratic", rate=rate, batch=23, steps=STEPS, every=EVERY, epsilon=0.1)
    wanted |= dict(horizon=HORIZON, seed=0, independent=None)
    assert {name: data.attrs[name] for name in wanted} == wanted
    assert np.isnan(data["test_accuracy"]).all()  # targets are no labels


@pytest.fixture(scope="module")
def descent():
    rng = np.random.default_rng(1)
    network, y = networks.MLP((5, 4, 3), "tanh"), torch.tensor(rng.integers(0, 3, 23))
    x = np.random.default_rng(1).standard_normal((23, 5))
    task = tasks.custom("small", network, losses.CrossEntropy(), x, y)
    return MiniBatchDescent(replace(task, initialisation="pytorch"), 0.3, 4, seed=3)


def test_each_network_is_a_run_of_its_own(descent):
    search = Search(8, 3, 40)
    data = experiment.along_strategies(descent, 2, 12, 4, search)
    assert data.attrs["independent"] == independent(descent.task.network)
    for k in range(2):
        top = directions.leading(descent.reference(k, 8), search, 3000 + k)
        alone, one = diverge(descent, k, 12, 4, [top.vectors[:, 0]]), data.sel(network=k)
        np.testing.assert_allclose(one["log_singular"], top.log_singular, atol=1e-9)
        reference = one.sel(run="reference")
        np.testing.assert_array_equal(reference["test_accuracy"], alone.test_accuracy[:, 0])
        np.testing.assert_allclose(reference["test_loss"], alone.test_loss[:, 0], rtol=1e-12)
        found = one["distance"].sel(direction="top")
        np.testing.assert_allclose(found, alone.distance[:, 0], rtol=1e-9)
    assert len(np.unique(data["distance"].isel(step=-1))) == 10


def test_sizes_of_a_quadratic_loss_all_part_alike():
    task, values = quadratic()
    descent = MiniBatchDescent(task, 0.5 / values[-1], 23, 1)
    data = experiment.over_sizes(descent, 2, STEPS, EVERY, (20.0, 1e-12, 1e-3))
    assert data["epsilon"].values.tolist() == [1e-12, 1e-3, 20.0]
    shape = data["distance"] / data["epsilon"]
    np.testing.assert_allclose(shape.sel(epsilon=1e-3), shape.sel(epsilon=20.0), rtol=1e-9)
    np.testing.assert_allclose(shape.sel(epsilon=1e-12), shape.sel(epsilon=20.0), rtol=5e-3)
    np.testing.assert_allclose(shape[:, :, 0], 1, rtol=2e-3)


def test_accuracies_of_sizes_are_those_of_their_runs(descent):
    data = experiment.over_sizes(descent, 1, 12, 6, (0.1, 5.0))
    alone = diverge(descent, 0, 12, 6, [torch.ones(39)])
    np.testing.assert_array_equal(data["reference_accuracy"][0], alone.test_accuracy[:, 0])
    assert data["test_accuracy"].dims == ("network", "epsilon", "step")


def test_a_copy_that_overflows_is_data():
    """Not an error: of a ReLU network with squares, far away."""
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((23, 3)), torch.tensor(rng.standard_normal((23, 1)))
    network = networks.MLP((3, 4, 1), "relu")
    task = tasks.custom("relu", network, losses.HalfSquaredError(), x, y)
    data = experiment.over_sizes(MiniBatchDescent(task, 1e-3, 23), 1, 12, 4, (1e-3, 1e4))
    assert np.isfinite(data["distance"].sel(epsilon=1e-3)).all()
    assert not np.isfinite(data["distance"].sel(epsilon=1e4, step=12)).any()


def test_what_is_published_is_what_was_computed(exact, tmp_path):
    data = exact[2]
    assert experiment.published(tmp_path / "none") == {}
    experiment.publish(data, "usps", tmp_path / "new")
    found = experiment.published(tmp_path / "new")["usps"]
    assert found.attrs == data.attrs | {"published_in": "new/usps.npz"}
    assert set(found.variables) == set(data.variables)
    for name in data.data_vars:
        np.testing.assert_allclose(found[name], data[name], rtol=1e-7)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(horizon=25), "horizon = 25.*from 4 to 24"),
        (dict(every=20), "horizon = 16.*from 20 to 24"),
        (dict(networks=0), "networks = 0"),
        (dict(epsilon=0.0), "epsilon = 0.0"),
        (dict(count=5), "count = 5"),
        (dict(rate=1e40), "the run diverged"),
        (dict(rate=1e-3), "a direction must grow"),
    ],
)
def test_bad_input_is_one_clear_error(changes, said):
    task, values = quadratic()
    how = dict(
        rate=2.2 / values[-1], networks=1, every=EVERY, horizon=HORIZON, count=4, epsilon=0.1
    )
    how |= changes
    search = Search(how["horizon"], how["count"])
    descent = MiniBatchDescent(task, how["rate"], 23)
    with pytest.raises(ValueError, match=said):
        experiment.along_strategies(
            descent, how["networks"], STEPS, how["every"], search, how["epsilon"]
        )
    with pytest.raises(ValueError, match="one is there twice"):
        experiment.over_sizes(descent, 1, 4, 2, (0.1, 0.1))
