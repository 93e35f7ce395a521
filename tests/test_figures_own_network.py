"""Figures of chapter 8: what is drawn is what was given."""

import numpy as np

from netdyn_lib.figures import own_network as figures
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.training.gradient_descent import Record
from tests.examples import labelled


def drawn(axis):
    return [np.asarray(line.get_ydata(), float) for line in axis.lines]


def test_the_answer():
    t = np.arange(60)
    distance = 1e-8 * np.exp(np.outer(t, [0.2, 0.3]))
    loss = np.random.default_rng(0).uniform(1, 2, (60, 2, 3))
    record = Record(t, {"mean_distance": distance, "loss": loss}, None, np.full((2, 3), -1))
    exponents = np.array([[0.2, 0.1, -0.1], [0.3, 0.0, -0.2]])
    fit = growth_fits.best_fit(distance)
    axes = labelled(figures.answer(record, fit, exponents))
    np.testing.assert_array_equal(drawn(axes[0])[0], distance[:, 0])
    np.testing.assert_array_equal(drawn(axes[0])[1], distance[:, 1])
    np.testing.assert_allclose(drawn(axes[0])[3][-1], distance[fit.stop[1], 1], rtol=1e-6)
    np.testing.assert_array_equal(drawn(axes[1])[1], loss[:, 1, 0])
    np.testing.assert_array_equal(drawn(axes[2])[1], exponents[1])


def test_the_answer_without_a_network_that_diverged():
    t = np.arange(60)
    distance = 1e-8 * np.exp(np.outer(t, [0.2, 0.25, 0.3]))
    distance[30:, 0] = np.nan
    record = Record(
        t,
        {"mean_distance": distance, "loss": np.ones((60, 3, 2))},
        None,
        np.array([[30, -1], [-1, -1], [-1, -1]]),
    )
    fit = growth_fits.best_fit(distance[:, record.alive])
    lines = drawn(labelled(figures.answer(record, fit, np.zeros((1, 2))))[0])
    np.testing.assert_allclose(
        [line[-1] for line in lines[3:]],
        [distance[fit.stop[k], k + 1] for k in range(2)],
        rtol=1e-6,
    )


def test_edges_have_medians_and_the_edge():
    values = {"plain": np.array([[0.5, 0.7, 0.6], [1.0, 1.2, np.nan]]), "Adam": np.ones((2, 3))}
    (axis,) = labelled(figures.edges([1, 5], values))
    np.testing.assert_allclose(drawn(axis)[0], [0.6, 1.1])
    assert drawn(axis)[-1].tolist() == [1, 1]
    assert axis.get_ylim()[0] == 0


def test_methods_have_copies_and_vectors():
    t = np.arange(4)
    axes = labelled(
        figures.methods(
            {"a": (t, t * 1.0, t * 1.1), "b": (t, t * 2.0, t * 2.1)}, {"a": np.array([0.5, 0.1])}
        )
    )
    assert [axis.get_title() for axis in axes] == ["a", "b", ""]
    np.testing.assert_allclose(drawn(axes[1])[1], t * 2.1)
    np.testing.assert_allclose(drawn(axes[2])[0], [0.5, 0.1])


def test_floors_leave_out_zeros():
    axes = labelled(figures.floors({"a": (np.array([1e-8, 1e-6]), np.array([0.0, 0.5]))}, 1e-8))
    np.testing.assert_array_equal(drawn(axes[0])[0], [1e-8, 1e-6])
    np.testing.assert_array_equal(drawn(axes[0])[1], [np.nan, 0.5])


def test_remembered():
    (axis,) = labelled(
        figures.remembered(np.arange(3), np.array([3.0, 2.0, 1.0]), np.array([4.0, 5.0, 2.0]))
    )
    assert [line.tolist() for line in drawn(axis)] == [[3, 2, 1], [4, 5, 2]]
