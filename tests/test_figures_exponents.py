"""Figures of agreement with tangent space: what is drawn is what was given."""

import numpy as np
import pytest

from netdyn_lib.figures import exponents as figures
from netdyn_lib.figures import numbers
from netdyn_lib.lyapunov import growth_fits, linear_regime
from tests.examples import labelled

GROWTH = np.arange(40.0)[:, None] * np.log([[2.0, 3.0, 1.0]])
RADII = (1e-10, 1e-8, 1e-6, 1e-4)
FOUND = linear_regime.compare(
    {r: np.minimum(r * np.exp(GROWTH), 1) for r in RADII}, GROWTH, np.full_like(GROWTH, 10.0)
)


def points(axis):
    """Coordinates of the marks of an axis, its lines and empty keys left out; sorted."""
    marks = [
        line for line in axis.lines if line.get_linestyle() == "None" and len(line.get_xdata())
    ]
    return sorted((x, y) for line in marks for x, y in zip(line.get_xdata(), line.get_ydata()))


@pytest.mark.filterwarnings("error")
def test_agreement_draws_every_point_and_clips_nothing():
    ball, tangent = np.array([0.3, 0.2, 0.4, 0.1]), np.array([0.3, 0.25, 0.3, 0.1])
    cause = np.array(["never", "saturation", "rounding", "undecided"])
    error = np.zeros((5, 4))
    error[1:] = 10.0 ** np.array([-14, -12, -3, 1])[:, None]
    left, right = labelled(figures.agreement(ball, tangent, cause, error, tolerance=0.2))
    assert points(left) == sorted(zip(tangent, ball))
    assert [text.get_text() for text in left.get_legend().texts] == [
        "saturated",
        "rounded",
        "undecided",
        "agree",
    ]
    median, upper, line = right.lines
    assert np.isnan(median.get_ydata()[0]), "zero has no place on a logarithmic axis"
    np.testing.assert_allclose(median.get_ydata()[1:], error[1:, 0])
    np.testing.assert_allclose(upper.get_ydata()[1:], error[1:, 0])
    np.testing.assert_allclose(line.get_ydata(), np.log(1.2))
    assert right.get_ylim()[0] < 1e-14
    left, _ = labelled(figures.agreement(ball, tangent, np.full(4, "never"), error))
    assert [text.get_text() for text in left.get_legend().texts] == ["agree"], (
        "no key without a point"
    )


@pytest.mark.filterwarnings("error")
def test_parting_draws_the_radii_asked_for_and_counts_the_inner_ones():
    left, right = labelled(figures.parting(FOUND, (1e-8, 1e-4)))
    rows = [FOUND.row(r) for r in (1e-8, 1e-4)]
    # the third does not part
    wanted = [(FOUND.epoch[k, i], FOUND.relative[k, i]) for k in rows for i in range(2)]
    assert points(left) == sorted(wanted)
    assert [text.get_text() for text in left.get_legend().texts] == ["ε = 1e-08", "ε = 0.0001"]
    low, high = left.get_ylim()
    assert low < 2.0**-52 and high >= FOUND.relative[np.isfinite(FOUND.relative)].max()
    assert [text.get_text() for text in right.get_xticklabels()] == ["1e-08", "1e-06"]
    heights = np.array([bar.get_height() for bar in right.patches]).reshape(
        len(linear_regime.CAUSES), 2
    )
    np.testing.assert_array_equal(
        heights,
        FOUND.table().loc[["1e-08", "1e-06"], ["saturation", "rounding", "undecided", "never"]].T,
    )
    with pytest.raises(ValueError, match="was not compared"):
        figures.parting(FOUND, (0.5,))


def test_windows_are_drawn_apart_and_told_in_place():
    """Each rule's line is lifted off the curve that it fits; the table behind the figure has the
    fit itself.
    """
    epochs = np.arange(60)
    distance = np.exp(0.3 * epochs)[:, None] * [1e-8, 1e-7]
    fits = {
        rule: growth_fits.best_fit(distance, min_length=length)
        for rule, length in (("best_fit(10)", 10), ("best_fit(20)", 20))
    }
    figure = figures.window_choices(epochs, distance, fits)
    drawn_at = figure.axes[0].lines[1].get_ydata()
    table = numbers.table(figure)
    lines = table[(table["panel"] == 1) & (table["series"] == "best fit(10)")]
    np.testing.assert_allclose(lines["y"], distance[lines["x"].astype(int), 0], rtol=1e-6)
    assert (drawn_at < 0.6 * lines["y"].to_numpy()).all()
    assert set(table["series"]) == {"mean over copies", "best fit(10)", "best fit(20)"}
