"""Figures of twins: what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from netdyn_lib.experiments.perturbation_growth import measures
from netdyn_lib.experiments.perturbation_growth.experiment import EXPECTED
from netdyn_lib.figures import numbers
from netdyn_lib.figures import twins as figures
from tests.examples import labelled
from tests.test_twins_measures import (
    DIRECTIONS,
    EPSILON,
    MARKS,
    STEPS,
    made_up,
    made_up_sizes,
    noisy,
)


@pytest.fixture
def data():
    """Curves of every direction, and of both networks, differ."""
    found = made_up(
        {name: noisy("straight line", (1e-4 * (k + 1),), k) for k, name in enumerate(DIRECTIONS)}
    )
    found["distance"][1] *= 1.1
    return found


def test_divergence_is_mean_and_range_by_direction(data):
    (axis,) = labelled(figures.divergence(data))
    assert axis.get_yscale() == "linear" and len(axis.lines) == len(EXPECTED)
    for k, direction in enumerate(EXPECTED):
        values = data["distance"].sel(direction=direction)
        np.testing.assert_allclose(axis.lines[k].get_ydata(), values.mean("network"))
        heights = axis.collections[k].get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx(
            (float(values.min()), float(values.max()))
        )
    assert labelled(figures.divergence(data, log=True))[0].get_yscale() == "log"
    assert [text.get_text() for text in figures.divergence(data).legends[0].get_texts()] == list(
        EXPECTED
    )


def test_twins_that_overflow_are_left_out(data):
    data["distance"][0, 0] = np.inf
    data["distance"][:, 1, 10:] = np.nan
    (axis,) = labelled(figures.divergence(data))
    np.testing.assert_allclose(
        axis.lines[0].get_ydata(), data["distance"].sel(direction="top", network=1)
    )
    np.testing.assert_array_equal(axis.lines[EXPECTED.index("bottom")].get_xdata(), STEPS[:10])


def test_bounds_begin_at_epsilon_and_end_at_the_horizon(data):
    data["log_top"][1] *= 2
    (axis,) = labelled(figures.bounds(data))
    assert axis.get_yscale() == "log"
    top, bottom = axis.lines[-2:]
    times = np.append(0, MARKS)
    # the mean of exponents
    np.testing.assert_allclose(top.get_ydata(), EPSILON * np.exp(1.5e-3 * times))
    np.testing.assert_allclose(bottom.get_ydata(), EPSILON * np.exp(-1e-3 * times))
    for line in axis.lines:
        np.testing.assert_array_equal(line.get_xdata(), times)
    heights = axis.collections[-2].get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(EPSILON * np.exp(2e-3 * MARKS[-1]))
    found = numbers.table(axis.figure)
    assert found["series"].notna().all() and set(found[found["kind"] == "band"]["series"]) == {
        *EXPECTED,
        "upper bound",
        "lower bound",
    }


def test_fits_of_one_network(data):
    data["distance"][1, DIRECTIONS.index("random"), 5:] = np.inf
    axes = labelled(figures.fits(data, 1))
    assert len(axes) == 5 and [axis.get_title().split("\n")[0] for axis in axes] == list(EXPECTED)
    found = {
        direction: comparison
        for network, direction, comparison in measures.compared(data)
        if network == 1
    }
    for axis, direction in zip(axes, EXPECTED):
        if direction == "random":
            assert [text.get_text() for text in axis.texts] == ["overflowed"]
            continue
        points, papers, rival, least = axis.lines
        fits = found[direction].fits
        name = axis.get_title().removeprefix(f"{direction}\nrival: ")
        assert name != "drift and walk" and fits[name].aicc == min(
            fit.aicc for law, fit in fits.items() if law != "drift and walk"
        )
        np.testing.assert_allclose(
            points.get_ydata(), data["distance"].sel(network=1, direction=direction)
        )
        np.testing.assert_allclose(papers.get_ydata(), fits["drift and walk"](STEPS))
        np.testing.assert_allclose(rival.get_ydata(), fits[name](STEPS))
        values = data["distance"].sel(network=1, direction=direction).values
        np.testing.assert_allclose(
            least.get_ydata(), measures.least_squares(STEPS, values, EPSILON)[0]
        )
    with pytest.raises(ValueError, match="network = 7: the data hold 0, 1"):
        figures.fits(data, 7)


def test_ends_against_sizes():
    sizes = made_up_sizes()
    sizes["reference_accuracy"][1] = 0.8
    (axis,) = labelled(figures.sizes(sizes))
    assert axis.get_xscale() == "log" and r"\varepsilon" in axis.get_xlabel()
    points = axis.containers[0].lines[0]
    np.testing.assert_allclose(points.get_xdata(), sizes["epsilon"])
    np.testing.assert_allclose(points.get_ydata(), 0.9 - sizes["epsilon"] / 100)
    assert any(np.allclose(line.get_ydata(), 0.88) for line in axis.lines)
    assert len(axis.patches) == 1
    assert numbers.table(axis.figure)["series"].tolist()[-1] == "reference, its interval"
    assert not labelled(figures.sizes(made_up_sizes(networks=1)))[0].patches  # no interval of one


def test_shapes_of_small_sizes_alone():
    (axis,) = labelled(figures.shape(made_up_sizes()))
    assert len(axis.lines) == 3
    for line, epsilon in zip(axis.lines, (1e-8, 1e-6, 0.1)):
        np.testing.assert_allclose(line.get_ydata()[1:], (1 + STEPS[1:] / 1000) * (1 + epsilon**2))
    assert len({to_hex(line.get_color()) for line in axis.lines}) == 3
    assert len(labelled(figures.shape(made_up_sizes(), most=20))[0].lines) == 4
    with pytest.raises(ValueError, match="most = 1e-09: the least epsilon is 1e-08"):
        figures.shape(made_up_sizes(), most=1e-9)
