"""Exponents early, late and along training: of least squares, where they are known, of the network
for Iris, and of few digits.
"""

import numpy as np
import pytest

from netdyn_lib import lyapunov
from netdyn_lib.curvature import hessian, jacobian
from netdyn_lib.experiments import neutral_directions, spectra
from netdyn_lib.lyapunov import benettin, qr
from netdyn_lib.results.store import DamagedShard
from netdyn_lib.tasks import tasks
from netdyn_lib.training.gradient_descent import GradientDescent, run
from tests.experiments.test_neutral_directions import COLUMNS, linear
from tests.small_sweeps import TASK, register


@pytest.fixture(scope="module")
def task():
    """Eigenvalues 0, 1, 2.56 and 4."""
    return linear(0.5 * COLUMNS[1], 0.8 * COLUMNS[2], 0 * COLUMNS[3])


@pytest.fixture(scope="module")
def late(task):
    return spectra.late_states(task, (0.1, 1e4), 2, 150)


@pytest.fixture(scope="module")
def found(task, late):
    return spectra.early_and_late(task, late, 150)


def test_late_states_are_those_of_a_run_and_nan_where_it_overflowed(task, late):
    assert list(late) == [0.1, 1e4] and late[0.1].shape == (2, 4)
    ends = run(GradientDescent(task, 0.1), task.initial(2), 150).final
    np.testing.assert_array_equal(late[0.1], ends)
    assert not late[1e4].isfinite().any()


def test_late_exponents_are_those_of_the_eigenvalues(found):
    wanted = np.log(np.abs(1 - 0.1 * np.array([0, 1, 2.56, 4])))
    np.testing.assert_allclose(found[0.1].late, np.tile(wanted, (2, 1)), atol=1e-8)
    # Early the frame still turns: only their sum, ln|det J|, is known.
    np.testing.assert_allclose(found[0.1].early.sum(1), wanted.sum(), rtol=1e-12)
    assert np.isnan(found[1e4].early).all() and np.isnan(found[1e4].late).all()


def test_early_exponents_begin_at_the_initial_conditions(iris):
    late = spectra.late_states(iris, (1.0,), 1, 20, seed=2)
    found = spectra.early_and_late(iris, late, 3, seed=2)[1.0]
    advance = jacobian.of_descent(GradientDescent(iris, 1.0))
    wanted = benettin.spectrum(advance, iris.initial(1, 2), 3).exponents()
    np.testing.assert_array_equal(found.early, wanted)
    assert found.late.shape == (1, 83) and not np.array_equal(found.early, found.late)


def test_a_table_has_a_row_for_each_network(task, late, found):
    directions = {
        rate: neutral_directions.directions(GradientDescent(task, rate), states, 150, 50, 1e-6)
        for rate, states in late.items()
    }
    table = spectra.table(found, directions, 1e-6)
    assert table.index.names == ["η", "network"]
    assert table.index.tolist() == [(0.1, 0), (0.1, 1), (1e4, 0), (1e4, 1)]
    # One exponent of zero and none above: the dimension of a line of fixed points.
    assert table.loc[(0.1, 1)].tolist() == [0, 1, 0, 1, 3, 90]
    assert table.loc[1e4].isna().all(axis=None)


# Along training


@pytest.fixture(scope="module")
def known(task):
    """At learning rates below and above 2/4, and where all overflow."""
    return spectra.along_training(task, (0.1, 0.6, 1e4), 2, 200, 100)


@pytest.fixture(scope="module")
def digits():
    register()
    return spectra.along_training(tasks.get(TASK, samples=40), (0.5,), 2, 7, 3, seed=1)


def test_exponents_and_sharpness_are_those_of_the_eigenvalues(known):
    assert known["exponent"].dims == ("eta", "stretch", "init", "index")
    wanted = np.log([[1.0, 0.9, 0.744], [1.4, 1.0, 0.536]])  # the largest three of |1 − ηλ|
    late = known["exponent"].isel(eta=slice(2), stretch=1)
    np.testing.assert_allclose(late, np.repeat(wanted[:, None], 2, 1), atol=1e-9)
    np.testing.assert_allclose(known["sharpness"].sel(eta=0.1), 0.1 * 4 / 2)
    np.testing.assert_allclose(known["sharpness"].sel(eta=0.6), 0.6 * 4 / 2)
    assert (np.diff(known["loss"].sel(eta=0.1), axis=0) < 0).all()
    assert (np.diff(known["loss"].sel(eta=0.6), axis=0) > 0).all()
    lost = known.sel(eta=1e4)
    assert np.isnan(lost["exponent"]).all()
    for name in ("sharpness", "loss"):
        assert np.isfinite(lost[name][0]).all() and np.isnan(lost[name][1:]).all()


def test_exponents_are_the_growth_of_single_vectors(digits):
    """The first is the growth of the frame's first vector; the first two together, that of the area
    of the two.
    """
    assert digits["end"].values.tolist() == [0, 3, 6]  # no half stretch
    task = tasks.get(TASK, samples=40)
    frame = qr.random_orthogonal(task.network.count, 3)[:, :2]
    gd, start = GradientDescent(task, 0.5), task.initial(2, 1)
    found = lyapunov.growth(gd.product, start, frame.T.expand(2, 2, -1), 6)
    exponent = digits["exponent"].sel(eta=0.5)
    first = np.diff(found.log_norm[::3, :, 0], axis=0) / 3  # (stretch, n)
    np.testing.assert_allclose(exponent.isel(index=0), first, rtol=1e-9)
    sine = np.sqrt(1 - (found.directions[:, 0] * found.directions[:, 1]).sum(1).numpy() ** 2)
    area = found.log_norm[6].sum(1) + np.log(sine)
    both = exponent.isel(index=slice(2)).sum(("index", "stretch")) * 3
    np.testing.assert_allclose(both, area, rtol=1e-8)


def test_losses_and_sharpness_are_those_of_the_ends(digits):
    task = tasks.get(TASK, samples=40)
    record = run(GradientDescent(task, 0.5), task.initial(2, 1), 6, ("loss",))
    np.testing.assert_allclose(digits["loss"].sel(eta=0.5), record["loss"][::3], rtol=1e-12)
    for end, states in ((0, task.initial(2, 1)), (6, record.final)):
        wanted = hessian.sharpness(task.objective, states, 1e-6) * 0.5 / 2
        np.testing.assert_allclose(digits["sharpness"].sel(eta=0.5, end=end), wanted, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(rates=()), "rates is empty"),
        (dict(rates=(0.1, -1.0)), "rates = -1"),
        (dict(every=7), "every = 7.*from 1 to 6"),
        (dict(epochs=0), "epochs = 0"),
        (dict(conditions=0), "count = 0"),
    ],
)
def test_bad_input_is_one_clear_error(task, changes, said):
    good = dict(rates=(0.1,), conditions=1, epochs=6, every=3)
    with pytest.raises(ValueError, match=said):
        spectra.along_training(task, **good | changes)


def test_what_is_published_is_what_was_computed(digits, tmp_path):
    assert spectra.published(tmp_path / "none") == {}
    path = spectra.publish(digits, "few", tmp_path / "new")
    found = spectra.published(tmp_path / "new")["few"]
    assert found.attrs == digits.attrs | {"published_in": "new/few.npz"}
    assert found.equals(digits)
    check = spectra.recompute("few", "a commit", tmp_path / "new")
    assert check.agrees and check.part == "η = 0.5, 3 epochs"
    spectra.publish(digits.assign(loss=digits["loss"] * 1.01), "few", tmp_path / "new")
    assert not spectra.recompute("few", "a commit", tmp_path / "new").agrees
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedShard, match="few.npz"):
        spectra.published(tmp_path / "new")
