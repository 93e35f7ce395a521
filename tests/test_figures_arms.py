"""Figures of pruned descent: what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from netdyn_lib.curvature import batch_noise
from netdyn_lib.figures import arms as figures
from netdyn_lib.statistics.intervals import Interval
from netdyn_lib.tasks import tasks
from tests.examples import labelled
from tests.small_arms import synthetic

ENDS = {"none": (0.9, 0.92, 0.94), "negative": (0.5, 0.5, 0.6), "positive": (0.8, 0.82, 0.84)}
STEPS = (0, 10, 20, 30)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    shape = (3, 3, 4)
    counts = {name: rng.integers(0, 50, shape) for name in ("negative", "positive", "neutral")}
    shares = {f"overlap_{name}": rng.uniform(size=shape) for name in counts}
    return synthetic(ENDS, STEPS, kept=rng.uniform(size=shape), **counts, **shares)


def drawn(axis, values, line=0):
    """A line is the mean over networks of (seed, step), its band their range."""
    np.testing.assert_allclose(axis.lines[line].get_ydata(), values.mean("seed"))
    heights = axis.collections[line].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx(
        (float(values.min()), float(values.max()))
    )


def test_learning_curves_are_means_and_ranges(data):
    axes = labelled(figures.curves(data))
    for axis, name in zip(axes, ("test_accuracy", "test_loss")):
        for k, arm in enumerate(ENDS):
            drawn(axis, data[name].sel(arm=arm), k)
        np.testing.assert_array_equal(axis.lines[0].get_xdata(), STEPS)
    assert axes[1].get_ylabel() == "test loss"


def test_losses_that_fall_far_are_drawn_by_their_logarithm(data):
    near = data.assign(test_loss=data["test_loss"] + 1)
    assert labelled(figures.curves(near, what=("test_loss",)))[0].get_yscale() == "linear"
    data["test_loss"][0] = 10.0 ** -np.arange(4)
    assert labelled(figures.curves(data, what=("test_loss",)))[0].get_yscale() == "log"


def test_an_onset_is_marked_in_the_colour_of_its_arm(data):
    fig = figures.curves(data, ["none", "negative"], ("test_accuracy",), onsets={"negative": 15})
    (axis,) = labelled(fig)
    assert len(axis.lines) == 3
    mark = axis.lines[2]
    assert list(mark.get_xdata()) == [15, 15] and to_hex(mark.get_color()) == to_hex(
        axis.lines[1].get_color()
    )
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["none", "negative"]


def test_what_is_not_known_is_left_out(data):
    data["loss"][:, :, 0] = np.nan  # before the first batch
    data["loss"][1, 0, 2:] = np.nan  # diverged
    data["loss"][2, 1] = np.nan  # not computed
    (axis,) = labelled(figures.curves(data, what=("loss",)))
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), STEPS[1:])
    assert all(np.isfinite(line.get_ydata()).all() for line in axis.lines)


def test_counts_and_overlaps_have_a_panel_for_each_arm(data):
    for figure, variable in ((figures.counts, "{}"), (figures.overlaps, "overlap_{}")):
        axes = labelled(figure(data))
        assert [axis.get_title() for axis in axes] == list(ENDS)
        for axis, arm in zip(axes, ENDS):
            for k, kind in enumerate(("positive", "negative")):
                drawn(axis, data[variable.format(kind)].sel(arm=arm), k)
    assert len(labelled(figures.counts(data, ["positive"]))) == 1


def test_the_kept_length(data):
    (axis,) = labelled(figures.kept(data, ["negative", "positive"]))
    drawn(axis, data["kept"].sel(arm="positive"), 1)


def test_differences_from_above():
    found = {
        "negative": Interval(0.4, 0.3, 0.5, 0.95),
        "positive": Interval(0.1, np.nan, np.nan, 0.95),
    }
    (axis,) = labelled(figures.differences(found))
    assert [text.get_text() for text in axis.get_yticklabels()] == list(found)
    bar, point = axis.lines[:2]
    assert (
        list(bar.get_xdata()) == [0.3, 0.5]
        and list(bar.get_ydata()) == [0, 0]
        and list(point.get_xdata()) == [0.4]
    )
    assert axis.get_ylim() == (-1.5, 0.5)


def test_ends_against_learning_rates():
    one = np.array([1e-3, 1e-2]), [Interval(0.5, 0.4, 0.6, 0.95), Interval(0.7, 0.6, 0.8, 0.95)]
    (axis,) = labelled(figures.rates({"none": one, "negative": one}, mark=1e-3))
    assert axis.get_xscale() == "log" and r"\gamma" in axis.get_xlabel()
    first, second = (axis.containers[k].lines[0] for k in range(2))
    np.testing.assert_allclose(first.get_ydata(), [0.5, 0.7])
    np.testing.assert_allclose(second.get_xdata(), one[0], rtol=1e-9)
    assert list(axis.lines[-1].get_xdata()) == [1e-3, 1e-3]


def test_contributions_are_points_with_intervals_over_training():
    task = tasks.get("digits-small", samples=80, test_samples=20)
    by_step = {step: batch_noise.measure(task, task.initial(1)[0], 8, 5) for step in (0, 100)}
    (axis,) = figures.contributions(by_step).axes
    heights = [container[0].get_ydata() for container in axis.containers]
    found = by_step[0]
    expected = [
        found.lengths()["negative"].estimate,
        found.shares()["negative"].estimate,
        found.random().estimate,
    ]
    np.testing.assert_allclose([row[0] for row in heights], expected)
    assert axis.get_xlabel() == "step" and len(axis.figure.legends[0].get_texts()) == 3
