"""Twins along H's directions and over sizes: against closed form where the loss is a quadratic, and
against single runs.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import hessian
from netdyn_lib.experiments import perturbation_growth
from netdyn_lib.experiments.perturbation_growth import experiment
from netdyn_lib.results.store import DamagedShard
from netdyn_lib.tasks import losses, networks, tasks

STEPS, EVERY, HORIZON = 24, 4, 16
ALONG = dict(
    networks=2, batch=23, steps=STEPS, every=EVERY, horizon=HORIZON, count=4, progress=False
)


def quadratic():
    """Least squares of 3 inputs and a bias, and the eigenvalues of its Hessian, ascending: J = I −
    γH is the same everywhere.
    """
    rng = np.random.default_rng(4)
    x = rng.standard_normal((23, 3)) * np.array([2.5, 1.0, 0.3])
    task = tasks.custom(
        "quadratic",
        networks.MLP((3, 1)),
        losses.HalfSquaredError(),
        x,
        torch.tensor(rng.standard_normal((23, 1))),
    )
    return task, torch.linalg.eigvalsh(hessian.hessians(task.objective, task.initial(1))[0]).numpy()


@pytest.fixture(scope="module")
def exact():
    """(γ, ln of |1 − γλ| ascending, dataset); the largest γλ is 2.2."""
    task, values = quadratic()
    rate = 2.2 / values[-1]
    data = experiment.along_strategies(task, **ALONG | dict(rate=rate, sweeps=40))
    return rate, np.sort(np.log(np.abs(1 - rate * values))), data


def labelled_task():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((23, 5))
    task = tasks.custom(
        "small",
        networks.MLP((5, 4, 3), "tanh"),
        losses.CrossEntropy(),
        x,
        torch.tensor(rng.integers(0, 3, 23)),
    )
    return replace(task, initialisation="pytorch")


def test_singular_values_of_a_quadratic_loss(exact):
    _, logs, data = exact
    assert logs[-1] > 0.1 and logs[0] < -0.1
    np.testing.assert_allclose(
        data["log_singular"], np.tile(HORIZON * logs[::-1], (2, 1)), atol=1e-8
    )
    np.testing.assert_allclose(data["log_shrinking"], np.tile(HORIZON * logs, (2, 1)), atol=1e-8)
    np.testing.assert_allclose(
        data["log_top"], np.outer([1, 1], data["mark"] * logs[-1]), atol=1e-8
    )
    np.testing.assert_allclose(
        data["log_bottom"], np.outer([1, 1], data["mark"] * logs[0]), atol=1e-8
    )
    assert (
        data["converged_top"].all()
        and data["converged_bottom"].all()
        and (data["bound_top"] < 1e-3).all()
    )


def test_twins_of_a_quadratic_loss_part_as_its_eigenvalues_say(exact):
    _, logs, data = exact
    for direction, log in (("top", logs[-1]), ("bottom", logs[0])):
        known = np.tile(0.1 * np.exp(log * data["step"].values), (2, 1))
        np.testing.assert_allclose(
            data["distance"].sel(direction=direction), known, rtol=1e-6, atol=1e-10
        )
    inside = np.log(data["distance"].sel(step=data["mark"]) / 0.1)
    assert (inside <= data["log_top"] + 1e-8).all() and (inside >= data["log_bottom"] - 1e-6).all()
    assert (
        data["distance"].sel(direction="chaotic", step=STEPS)
        > data["distance"].sel(direction="non-chaotic", step=STEPS)
    ).all()


def test_dimensions_and_attributes(exact):
    rate, _, data = exact
    assert data["distance"].dims == ("network", "direction", "step") and data["distance"].shape == (
        2,
        5,
        7,
    )
    assert data["test_accuracy"].dims == data["test_loss"].dims == ("network", "run", "step")
    assert data["direction"].values.tolist() == [
        "top",
        "bottom",
        "chaotic",
        "non-chaotic",
        "random",
    ]
    assert data["run"].values.tolist() == ["reference", *data["direction"].values]
    assert data["mark"].values.tolist() == [4, 8, 12, 16] and data["index"].values.tolist() == [
        1,
        2,
        3,
        4,
    ]
    wanted = dict(
        task="quadratic",
        rate=rate,
        batch=23,
        steps=STEPS,
        every=EVERY,
        epsilon=0.1,
        horizon=HORIZON,
        seed=0,
        independent=None,
    )
    assert {name: data.attrs[name] for name in wanted} == wanted
    assert "commit" in data.attrs["provenance"] and data.attrs["data"].startswith("quadratic: ")
    assert np.isnan(data["test_accuracy"]).all()  # targets are no labels


def test_networks_are_those_of_the_arms():
    """Weights, batches and directions of each network, by runs of its own."""
    task = labelled_task()
    sizes = dict(
        networks=2,
        rate=0.3,
        batch=4,
        steps=12,
        every=4,
        horizon=8,
        count=3,
        sweeps=40,
        seed=3,
        progress=False,
    )
    data = experiment.along_strategies(task, **sizes, marks=[8])
    assert (
        data["mark"].values.tolist() == [8]
        and data.attrs["independent"] == perturbation_growth.independent(task.network).rms
    )
    for k in range(2):
        start = task.initial(1, 3, k)[0]
        known = perturbation_growth.all_directions(
            perturbation_growth.Reference(task, start, 0.3, 4, 8, seed=3000 + k)
        )
        np.testing.assert_allclose(data["log_singular"][k], known.log_singular[:3], atol=1e-2)
        np.testing.assert_allclose(data["log_shrinking"][k], known.log_singular[:-4:-1], atol=1e-2)
        np.testing.assert_allclose(data["log_top"][k], known.log_singular[0], atol=1e-2)
        # both are the same singular vector, and no two twins are
        ways = {"one": known.vectors[:, 0], "other": -known.vectors[:, 0]}
        alone = perturbation_growth.diverge(task, start, 0.3, 4, 12, ways, seed=3000 + k, every=4)
        one = data.sel(network=k)
        np.testing.assert_array_equal(
            one["test_accuracy"].sel(run="reference"), alone.test_accuracy[:, 0]
        )
        np.testing.assert_allclose(
            one["test_loss"].sel(run="reference"), alone.test_loss[:, 0], rtol=1e-12
        )
        assert (
            np.abs(one["distance"].sel(direction="top").values[:, None] - alone.distance)
            .max(0)
            .min()
            < 2e-3
        )
    ends = data["distance"].isel(step=-1).values
    assert len(np.unique(ends)) == 10
    again = experiment.along_strategies(task, **sizes, marks=[8])
    assert all(np.array_equal(again[name], data[name]) for name in data.data_vars)


def test_sizes_of_a_quadratic_loss_all_part_alike():
    task, values = quadratic()
    data = experiment.over_sizes(
        task, 2, 0.5 / values[-1], 23, STEPS, EVERY, (20.0, 1e-12, 1e-3), seed=1, progress=False
    )
    assert data["epsilon"].values.tolist() == [1e-12, 1e-3, 20.0] and data["distance"].dims == (
        "network",
        "epsilon",
        "step",
    )
    shape = data["distance"] / data["epsilon"]
    np.testing.assert_allclose(shape.sel(epsilon=1e-3), shape.sel(epsilon=20.0), rtol=1e-9)
    np.testing.assert_allclose(shape.sel(epsilon=1e-12), shape.sel(epsilon=20.0), rtol=5e-3)
    np.testing.assert_allclose(shape[:, :, 0], 1, rtol=2e-3)
    assert (
        data.attrs["epsilon"] == [1e-12, 1e-3, 20.0]
        and data.attrs["seed"] == 1
        and data.attrs["horizon"] is None
    )


def test_accuracies_of_sizes_are_those_of_their_runs():
    task = labelled_task()
    data = experiment.over_sizes(task, 1, 0.3, 4, 12, 6, (0.1, 5.0), progress=False)
    alone = perturbation_growth.diverge(
        task, task.initial(1)[0], 0.3, 4, 12, {"a": torch.ones(39)}, every=6
    )
    np.testing.assert_array_equal(data["reference_accuracy"][0], alone.test_accuracy[:, 0])
    assert data["test_accuracy"].dims == ("network", "epsilon", "step") and data[
        "test_accuracy"
    ].shape == (1, 2, 3)


def test_a_twin_that_overflows_is_data():
    """Not an error: of a ReLU network with squares, far away."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((23, 3))
    task = tasks.custom(
        "relu",
        networks.MLP((3, 4, 1), "relu"),
        losses.HalfSquaredError(),
        x,
        torch.tensor(rng.standard_normal((23, 1))),
    )
    data = experiment.over_sizes(task, 1, 1e-3, 23, 12, 4, (1e-3, 1e4), progress=False)
    assert (
        np.isfinite(data["distance"].sel(epsilon=1e-3)).all()
        and not np.isfinite(data["distance"].sel(epsilon=1e4, step=12)).any()
    )


def test_what_is_published_is_what_was_computed(exact, tmp_path):
    data = exact[2]
    assert experiment.published(tmp_path / "none") == {}
    path = experiment.publish(data, "usps", tmp_path / "new")
    assert path == tmp_path / "new" / "usps.npz"
    found = experiment.published(tmp_path / "new")
    assert (
        list(found) == ["usps"]
        and found["usps"].attrs == data.attrs | {"published_in": "new/usps.npz"}
        and set(found["usps"].variables) == set(data.variables)
    )
    for name in data.variables:
        if data[name].dtype == float:
            np.testing.assert_allclose(found["usps"][name], data[name], rtol=1e-7)
        else:
            np.testing.assert_array_equal(found["usps"][name], data[name])
    assert experiment.notes(found).startswith(
        "usps: quadratic"
    ) and "2 networks, 24 steps; " in experiment.notes(found)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedShard, match="usps.npz"):
        experiment.published(tmp_path / "new")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(horizon=25), "horizon = 25.*from 1 to 24"),
        (dict(marks=[4, 6]), r"marks \[6\] are no multiples of every = 4"),
        (dict(marks=[20]), "a mark = 20.*from 1 to 16"),
        (dict(every=20), "no mark up to the horizon 16 is a multiple of every = 20"),
        (dict(networks=0), "networks = 0"),
        (dict(epsilon=0.0), "epsilon = 0.0"),
        (dict(count=5), "count = 5"),
        (dict(rate=1e40), "the run diverged"),
        (dict(rate=1e-3), "a direction must grow"),
        (dict(seed=-1), "seed = -1"),
    ],
)
def test_bad_input_is_one_clear_error(changes, said):
    task, values = quadratic()
    with pytest.raises(ValueError, match=said):
        experiment.along_strategies(task, **ALONG | dict(rate=2.2 / values[-1]) | changes)


@pytest.mark.parametrize(
    ("epsilons", "said"),
    [((), "no epsilon"), ((0.1, 0.1), "one is there twice"), ((0.0,), "epsilons = 0.0")],
)
def test_bad_sizes_are_refused(epsilons, said):
    with pytest.raises(ValueError, match=said):
        experiment.over_sizes(quadratic()[0], 1, 1e-3, 23, 4, 2, epsilons)
