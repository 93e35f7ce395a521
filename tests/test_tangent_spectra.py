"""Whole spectra, early and late: of least squares, where they are known, and of the network for
Iris.
"""

import numpy as np
import pytest

from netdyn_lib.curvature import jacobian
from netdyn_lib.experiments import neutral_directions, spectra
from netdyn_lib.lyapunov import benettin
from netdyn_lib.training import gradient_descent
from tests.test_tangent_neutral import COLUMNS, linear

RATES = (0.1, 1e4)


@pytest.fixture(scope="module")
def task():
    """Eigenvalues 0, 1, 2.56 and 4."""
    return linear(0.5 * COLUMNS[1], 0.8 * COLUMNS[2], 0 * COLUMNS[3])


@pytest.fixture(scope="module")
def late(task):
    return spectra.late_states(task, RATES, 2, 150)


@pytest.fixture(scope="module")
def found(task, late):
    return spectra.early_and_late(task, late, 150)


def test_late_states_are_those_of_a_run_and_nan_where_it_overflowed(task, late):
    assert list(late) == [0.1, 1e4] and late[0.1].shape == (2, 4)
    run = gradient_descent.run(gradient_descent.GradientDescent(task, 0.1), task.initial(2), 150)
    np.testing.assert_array_equal(late[0.1], run.final)
    assert not late[1e4].isfinite().any()
    np.testing.assert_array_equal(
        spectra.late_states(task, (0.1,), 2, 0, seed=4)[0.1], task.initial(2, 4)
    )


def test_late_exponents_are_those_of_the_eigenvalues(found):
    wanted = np.log(np.abs(1 - 0.1 * np.array([0, 1, 2.56, 4])))
    np.testing.assert_allclose(found[0.1].late, np.tile(wanted, (2, 1)), atol=1e-8)
    # Early the frame still turns: only their sum, ln|det J|, is known.
    np.testing.assert_allclose(found[0.1].early.sum(1), wanted.sum(), rtol=1e-12)
    assert np.isnan(found[1e4].early).all() and np.isnan(found[1e4].late).all()


def test_early_exponents_begin_at_the_initial_conditions(iris):
    found = spectra.early_and_late(
        iris, spectra.late_states(iris, (1.0,), 1, 20, seed=2), 3, seed=2
    )[1.0]
    advance = jacobian.of_descent(gradient_descent.GradientDescent(iris, 1.0))
    np.testing.assert_array_equal(
        found.early, benettin.spectrum(advance, iris.initial(1, 2), 3).exponents()
    )
    assert found.early.shape == found.late.shape == (1, 83) and not np.array_equal(
        found.early, found.late
    )


def test_neutral_exponents_are_counted(found):
    early, late = found[0.1].neutral(1e-6)
    assert (
        late.tolist() == [1, 1]
        and early.tolist() == [0, 0]
        and found[0.1].neutral(1.0)[0].tolist() == [4, 4]
    )
    assert all(np.isnan(count).all() for count in found[1e4].neutral(1e-6))


def test_a_table_has_a_row_for_each_network(task, late, found):
    directions = {
        rate: neutral_directions.directions(
            gradient_descent.GradientDescent(task, rate), states, 150, 50, 1e-6
        )
        for rate, states in late.items()
    }
    table = spectra.table(found, directions, 1e-6)
    assert table.index.tolist() == [
        (0.1, 0),
        (0.1, 1),
        (1e4, 0),
        (1e4, 1),
    ] and table.index.names == ["η", "network"]
    assert table.columns.tolist() == [
        "neutral early",
        "neutral late",
        "largest late",
        "Kaplan–Yorke",
        "weights of the others",
        "angle",
    ]
    # One exponent of zero and none above: the dimension of a line of fixed points.
    assert table.loc[(0.1, 1)].tolist() == [0, 1, 0, 1, 3, 90]
    assert table.loc[1e4].isna().all(axis=None)
