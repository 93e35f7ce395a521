"""Figures of outcomes and of what tells them: what is drawn is what was given, whatever is missing."""

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.figures import prediction as figures
from netdyn_lib.statistics import classification
from netdyn_lib.statistics.early_stopping import Comparison, Saving
from netdyn_lib.statistics.intervals import Interval
from tests.examples import labelled

TIMES = np.array([0.001, 0.015, 0.2])
LOSSES = np.array([1e-9, 0.5, 2.0, 50.0, 150.0, 160.0, 170.0, np.nan])
FOUND = classification.outcomes(LOSSES)  # 3 ideal, 1 between, 4 failed
NOBODY = classification.outcomes(np.full(8, 50.0))
MANY = classification.outcomes(np.repeat([1.0, 200.0], (21, 41)))


def legends(fig):
    return [text.get_text() for legend in fig.legends for text in legend.get_texts()]


def drawn(axis):
    """Lines of an axis with more than the two points of a mark."""
    return [line for line in axis.lines if len(line.get_xdata()) > 2]


def test_outcomes_have_a_panel_for_each_ensemble_and_every_loss_in_its_colour():
    fig = figures.outcomes(
        {
            "one": (LOSSES, FOUND),
            "two": (LOSSES[:7] * 1000, classification.outcomes(LOSSES[:7] * 1000)),
        }
    )
    one, two = labelled(fig)
    assert (
        one.get_title() == "one\nideal 0.38\nmiddle 0.12\nfailed 0.50"
        and two.get_title().startswith("two\n")
    )
    counts = [sum(p.get_height() for p in group) for group in one.containers]
    assert counts == [3, 1, 3], "a finite loss is not drawn"
    assert sum(p.get_height() for group in two.containers for p in group) == 7
    colours = [group[0].get_facecolor()[:3] for group in one.containers]
    assert len(set(colours)) == 3 and legends(fig) == ["ideal", "middle", "failed"]
    assert one.get_xscale() == "log" and one.get_ylabel() == "networks"


@pytest.mark.filterwarnings("error")
def test_outcomes_of_nothing_finite_are_drawn():
    lost = np.full(5, np.nan)
    (axis,) = labelled(figures.outcomes({"lost": (lost, classification.outcomes(lost))}))
    assert "failed 1.00" in axis.get_title() and sum(p.get_height() for p in axis.patches) == 0


def test_courses_are_medians_of_each_class():
    exponents = np.random.default_rng(0).normal(size=(3, 62, 9))
    fig = figures.courses(
        {"one": (TIMES, exponents, MANY), "two": (TIMES, 2 * exponents, MANY)}, (1, 9)
    )
    axes = np.reshape(labelled(fig), (2, 2))
    for row, direction in enumerate((1, 9)):
        for column in range(2):
            lines, bands = drawn(axes[row, column]), axes[row, column].collections
            for line, band, rows in zip(lines, bands, (MANY.ideal, MANY.failed), strict=True):
                wanted = (column + 1) * np.sort(exponents[:, rows, direction - 1], 1)  # (T, n)
                np.testing.assert_array_equal(line.get_xdata(), TIMES)
                np.testing.assert_array_equal(line.get_ydata(), wanted[:, rows.sum() // 2])
                edges = band.get_paths()[0].vertices
                for time, values in zip(TIMES, wanted):
                    here = edges[edges[:, 0] == time, 1]
                    assert (here.min(), here.max()) == (
                        values[rows.sum() // 4],
                        values[3 * rows.sum() // 4],
                    )
            ideal, failed = lines
            assert (ideal.get_linestyle(), failed.get_linestyle()) == ("-", "--")
    assert axes[0, 0].get_ylabel() == r"$\lambda_1$" and axes[1, 0].get_ylabel() == r"$\lambda_9$"
    assert [a.get_title() for a in axes[0]] == ["one", "two"] and axes[
        1, 1
    ].get_xlabel() == "time $t$"
    assert legends(fig) == ["ideal", "failed"]


@pytest.mark.filterwarnings("error")
def test_courses_of_few_lost_and_singular_networks():
    """A published file has the exponents of the first networks alone; diverged networks have none,
    singular maps −∞.
    """
    exponents = np.random.default_rng(0).normal(size=(3, 6, 9))
    exponents[2, 3:] = np.nan
    exponents[0, 0] = -np.inf
    (axis,) = labelled(figures.courses({"one": (TIMES, exponents, FOUND)}, (1,)))
    lines = [line for line in axis.lines if line.get_color() != figures.MUTED]
    assert [len(line.get_xdata()) for line in lines] == [3, 2]
    np.testing.assert_allclose(lines[0].get_ydata(), np.median(exponents[:, :3, 0], 1))
    (axis,) = labelled(figures.courses({"nobody": (TIMES, exponents, NOBODY)}, (1,)))
    assert len(axis.lines) == 1


def test_tangencies_are_shares_of_angles_in_degrees():
    angles = np.radians(
        [[5, 85], [5, 85], [5, 85], [40, 40], [61, 31], [61, 31], [61, np.nan], [61, np.nan]]
    )
    fig = figures.tangencies({"one": (angles, FOUND)}, ("(1,2)", "(3,4)"), bins=9)
    above, below = labelled(fig)
    assert (above.get_ylabel(), below.get_ylabel()) == ("(1,2)", "(3,4)") and below.get_xlim() == (
        0,
        90,
    )
    ideal, failed = (patch.get_data() for patch in above.patches)
    np.testing.assert_allclose(ideal.values, [1, 0, 0, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(failed.values, [0, 0, 0, 0, 0, 0, 1, 0, 0])
    np.testing.assert_allclose(failed.edges, np.arange(0, 91, 10))
    ideal, failed = (patch.get_data().values for patch in below.patches)
    assert ideal[8] == 1 and failed[3] == 1  # of those that are known
    assert (
        len(
            labelled(figures.tangencies({"nobody": (angles, NOBODY)}, ("(1,2)", "(3,4)")))[
                0
            ].patches
        )
        == 0
    )


def table(lost=()):
    """Areas that grow with time, another for each predictor and outcome."""
    values = (
        0.5 + 0.01 * np.arange(2 * 3 * 3).reshape(2, 3, 3)[..., None] + np.array([0, -0.02, 0.03])
    )
    for outcome in lost:
        values[("ideal", "failed").index(outcome)] = np.nan
    coords = dict(
        outcome=["ideal", "failed"],
        predictor=["loss", "weights", "exponents"],
        time=TIMES,
        bound=["estimate", "low", "high"],
    )
    return xr.Dataset({"auc": (tuple(coords), values)}, coords)


def test_areas_have_a_row_for_each_outcome():
    data = table()
    fig = figures.areas(
        {"one": data, "two": table(lost=["failed"])}, ("exponents", "loss"), early=0.015
    )
    axes = np.reshape(labelled(fig), (2, 2))
    for row, outcome in enumerate(("ideal", "failed")):
        for line, predictor in zip(drawn(axes[row, 0]), ("exponents", "loss"), strict=True):
            wanted = data["auc"].sel(outcome=outcome, predictor=predictor, bound="estimate")
            np.testing.assert_array_equal(line.get_xdata(), TIMES)
            np.testing.assert_array_equal(line.get_ydata(), wanted)
        assert axes[row, 0].get_ylabel() == f"AUC, {outcome}" and len(axes[row, 0].collections) == 2
        assert any(np.all(np.array(line.get_xdata()) == 0.015) for line in axes[row, 0].lines)
    assert (
        axes[1, 1].texts[0].get_text() == "too few runs"
        and not drawn(axes[1, 1])
        and not axes[0, 1].texts
    )
    assert legends(fig) == ["exponents", "loss"] and [a.get_title() for a in axes[0]] == [
        "one",
        "two",
    ]


def test_areas_without_bands_and_mark():
    axes = labelled(figures.areas({"one": table()}, ("loss",), bands=False))
    assert not axes[0].collections and len(axes[0].lines) == 2


def comparison(*saved):
    nothing = Interval(0.0, 0.0, 0.0)
    return Comparison(
        {
            f"rule {k}": Saving(0.0, nothing, interval, nothing, nothing)
            for k, interval in enumerate(saved)
        },
        {},
        {},
        "rule 0",
    )


def test_savings_are_points_with_bars_from_above():
    several = comparison(Interval(0.3, 0.1, 0.4), Interval(0.5, 0.45, 0.7))
    fig = figures.savings({"ridge-tanh-normal": several, "two": several})
    one, two = fig.axes
    for k, (middle, low, high) in enumerate([(0.3, 0.1, 0.4), (0.5, 0.45, 0.7)]):
        bar, point = one.lines[2 * k : 2 * k + 2]
        assert point.get_xydata().tolist() == [[middle, -k]]
        np.testing.assert_allclose(bar.get_xydata(), [[low, -k], [high, -k]])
    assert [a.get_title() for a in (one, two)] == [
        "tanh, normal",
        "two",
    ] and fig.get_supxlabel() == "share of epochs saved"
    assert [t.get_text() for t in one.get_yticklabels()] == ["rule 0", "rule 1"]


@pytest.mark.filterwarnings("error")
def test_savings_beside_their_interval_or_unknown_are_drawn():
    """The estimate of a percentile interval may lie outside it."""
    fig = figures.savings(
        {"one": comparison(Interval(0.5, 0.1, 0.4), Interval(np.nan, np.nan, np.nan))}
    )
    fig.canvas.draw()
    (axis,) = fig.axes
    assert axis.lines[1].get_xydata().tolist() == [[0.5, 0]]
    np.testing.assert_allclose(axis.lines[0].get_xydata(), [[0.1, 0], [0.4, 0]])


def over_time(lost=False):
    """Savings of two rules, the second at a loss late."""
    values = np.array([[0.1, 0.3, 0.5], [0.6, 0.4, -1.5]])[..., None] + np.array([0, -0.05, 0.1])
    coords = dict(rule=["loss", "vectors"], time=TIMES, bound=["estimate", "low", "high"])
    return xr.Dataset(
        {"saved": (tuple(coords), np.full_like(values, np.nan) if lost else values)}, coords
    )


@pytest.mark.filterwarnings("error")
def test_savings_over_time_are_lines_with_bands():
    data = over_time()
    fig = figures.savings_over_time(
        {"ridge-tanh-normal": data, "two": over_time(lost=True)}, early=0.015
    )
    one, two = labelled(fig)
    lines = [line for line in drawn(one) if len(line.get_xdata()) == len(TIMES)]
    for line, band, rule in zip(lines, one.collections, ("loss", "vectors"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), TIMES)
        np.testing.assert_array_equal(
            line.get_ydata(), data["saved"].sel(rule=rule, bound="estimate")
        )
        edges = band.get_paths()[0].vertices
        for time, (low, high) in zip(
            TIMES, data["saved"].sel(rule=rule, bound=["low", "high"]).values
        ):
            here = edges[edges[:, 0] == time, 1]
            assert (here.min(), here.max()) == (low, high)
    assert (
        one.get_xscale() == "log"
        and one.get_ylim() == (-0.1, 1)
        and one.get_xlabel() == "decision time $t$"
    )
    assert one.get_ylabel() == "share of epochs saved" and [a.get_title() for a in (one, two)] == [
        "tanh, normal",
        "two",
    ]
    assert any(np.all(np.array(line.get_xdata()) == 0.015) for line in one.lines)
    assert (
        two.texts[0].get_text() == "too few runs"
        and not drawn(two)
        and legends(fig) == ["loss", "vectors"]
    )
    (axis,) = labelled(figures.savings_over_time({"one": data}, bottom=-2))
    assert axis.get_ylim() == (-2, 1) and len(axis.lines) == 3
