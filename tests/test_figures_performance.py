"""Figures of chapter 9: what is drawn is what was measured."""

import numpy as np
import pytest

from netdyn_lib.experiments import cost_model
from netdyn_lib.experiments.benchmarks import Growth, Results, Row
from netdyn_lib.figures import numbers
from netdyn_lib.figures import performance as figures
from netdyn_lib.results import provenance
from tests.examples import labelled

SIZES = np.array([10.0, 30.0, 100.0, 300.0])


def row(work="w", ratio=10.0, goal=None, **more):
    theirs = tuple(ratio * v for v in (0.8, 1.0, 1.5))
    return Row(
        work, "a rival", **dict(ours=(1.0, 1.0, 1.0), theirs=theirs, unit="s", goal=goal) | more
    )


def share(work, part, goal=0.85):
    return Row(work, "products", (part * 100,) * 2, (100.0,) * 2, "Gflop/s", goal, rate=True)


@pytest.fixture
def found():
    rows = (
        row("met", 20, 15, group="a"),
        row("missed", 2, 3, group="b"),
        row("none", 0.5, group="a"),
        share("reached", 0.9),
        share("not reached", 0.7),
    )
    growths = (
        Growth("w", "networks", SIZES, 0.1 * SIZES, 2 * SIZES),
        Growth("w", "epochs", SIZES, 0.1 * SIZES, (0, 0, 1, 1)),
        Growth("w", "samples", SIZES, 0.1 * SIZES**1.5),
    )
    return {"cpu": Results({}, rows, growths, "bench/cpu.json")}


def points(axis, name):
    return [line for line in axis.lines if line.get_label() == f"_{name}"]


def test_ratios_are_medians_with_ranges_and_goals(found):
    (axis,) = labelled(figures.ratios(found))
    assert axis.get_xscale() == "log"
    # by group
    assert [label.get_text().splitlines()[0] for label in axis.get_yticklabels()] == [
        "met",
        "none",
        "missed",
    ]
    (point,), (goal,) = points(axis, "met; a rival"), points(axis, "met; a rival, goal")
    assert (list(point.get_xdata()), list(goal.get_xdata())) == ([20], [15]) and list(
        point.get_ydata()
    ) == [0]
    assert list(points(axis, "met; a rival, range over rounds")[0].get_xdata()) == pytest.approx(
        [16, 30]
    )
    assert not points(axis, "none; a rival, goal")


def test_verdicts_differ_in_form_and_not_in_colour_alone(found):
    (axis,) = labelled(figures.ratios(found))
    looks = [points(axis, f"{name}; a rival")[0] for name in ("met", "missed", "none")]
    assert len({one.get_marker() for one in looks}) == 3
    assert looks[0].get_markerfacecolor() != "white" and looks[1].get_markerfacecolor() == "white"
    assert [text.get_text() for text in axis.figure.legends[0].get_texts()] == [
        "goal met",
        "goal missed",
        "no goal set",
        "goal",
    ]


def test_shares_begin_at_zero_and_have_their_own_figure(found):
    (axis,) = labelled(figures.shares(found))
    assert axis.get_xscale() == "linear" and axis.get_xlim()[0] == 0 and axis.get_xlim()[1] > 1
    assert [label.get_text().splitlines()[0] for label in axis.get_yticklabels()] == [
        "reached",
        "not reached",
    ]
    assert points(axis, "reached; products")[0].get_xdata()[0] == pytest.approx(0.9)


def test_several_machines_are_named(found):
    (axis,) = labelled(figures.ratios(found | {"gpu": Results({}, (row("other", 5),), ())}))
    assert [label.get_text().splitlines()[0] for label in axis.get_yticklabels()] == [
        "cpu: met",
        "cpu: none",
        "cpu: missed",
        "gpu: other",
    ]


def test_nothing_to_show_is_refused(found):
    with pytest.raises(ValueError, match="no row of cpu is of this kind"):
        figures.shares({"cpu": Results({}, (row(),), ())})
    with pytest.raises(ValueError, match="growths is empty"):
        figures.growth({"cpu": Results({}, (row(),), ())})


def test_growth_has_points_and_the_power_that_fits(found):
    fig = figures.growth(found)
    axes = labelled(fig)
    assert len(axes) == 6 and [axis.get_xlabel() for axis in axes[3:]] == [
        "networks",
        "epochs",
        "samples",
    ]
    (time,) = points(axes[0], "cpu, w")
    np.testing.assert_array_equal(time.get_ydata(), 0.1 * SIZES)
    (fit,) = points(axes[2], "cpu, power 1.50")
    np.testing.assert_allclose(fit.get_ydata(), 0.1 * SIZES**1.5)
    assert "1.50" in axes[2].get_title()
    # Where memory was zero somewhere, the rest is shown without a power; where it was not measured,
    # that is said.
    (some,) = points(axes[4], "cpu, w")
    assert list(some.get_xdata()) == [100, 300] and not axes[4].get_title()
    assert [text.get_text() for text in axes[5].texts] == ["not measured"]


def test_plans_have_parts_devices_and_hours():
    works = [
        cost_model.sweep((20, 9, 3), 1000, 60, 10, copies=5),
        cost_model.exponents((20, 9, 3), 1000, 10, 4),
    ]
    machine = cost_model.Machine("m", 1e9, 4e9, "assumed")
    curves = cost_model.over_devices([cost_model.cost(work, machine) for work in works], 100)
    memory, time = labelled(figures.plans(curves))
    widths = [patch.get_width() for patch in memory.patches]
    np.testing.assert_allclose(
        widths, [size / 1e9 for work in works for size in work.memory.values()]
    )
    assert list(memory.lines[0].get_xdata()) == [4, 4]
    assert bool(memory.patches[-1].get_hatch()) and not memory.patches[0].get_hatch()
    np.testing.assert_allclose(time.lines[0].get_ydata(), curves[0][2])
    assert len(set(time.lines[1].get_ydata())) == 1  # one network's exponents are one device's work
    assert time.lines[0].get_marker() != time.lines[1].get_marker()


def test_every_curve_has_a_name_in_the_table_behind(found):
    curves = cost_model.over_devices(
        [
            cost_model.cost(
                cost_model.sweep((20, 9, 3), 1000, 60, 10),
                cost_model.Machine("m", 1e9, 4e9, "assumed"),
            )
        ],
        100,
    )
    for fig in (
        figures.ratios(found),
        figures.shares(found),
        figures.growth(found),
        figures.plans(curves),
    ):
        table = numbers.table(fig)
        assert len(table) and (table["series"] != "").all()


def test_a_figure_names_the_file_of_its_measurements(found):
    assert provenance.of_figure(provenance.shown(figures.ratios(found), found)) == (
        "bench/cpu.json",
    )
