"""Figures of searches and of rivals: what is drawn is what was given."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from netdyn_lib.experiments.sweet_spot import Comparison, Probe, Row, SweetSpot
from netdyn_lib.figures import rates
from netdyn_lib.figures import sweetspot as figures
from netdyn_lib.statistics.intervals import Interval, share_interval
from tests.examples import labelled

NOTHING = Interval(math.nan, math.nan, math.nan)


def spot(kept=(0, 0, 7, 12), rates=(0.01, 0.1, 1.0, 1.25), diverged=(0, 0, 0, 0)):
    probes = tuple(
        Probe(
            *(rate, share_interval(np.arange(12) < k), NOTHING, k, 12, lost, 0, 2400),
            *(12 - lost, lost, 0, 2.3),
        )
        for rate, k, lost in zip(rates, kept, diverged)
    )
    return SweetSpot(
        rates[-1], rates[-2], rates[-1], 0.9, probes, 2400 * len(probes), True, True, ""
    )


def row(method, rate, cost, mean, never, pays):
    restricted = Interval(mean, 0.9 * mean, min(100, 1.1 * mean)) if np.isfinite(mean) else NOTHING
    return Row(
        method, rate, cost, 10, 10, never, 20.0, restricted, cost + mean, cost + 10 * mean, pays
    )


NEVER = share_interval([False] * 10)
RESULT = Comparison(
    (
        row("default", 0.1, 0, 60.0, NEVER, 0),
        row("sweet spot", 2.0, 3000, 30.0, NEVER, 100.0),
        row("2/sharpness", 40.0, 20, 100.0, NEVER, math.inf),
    ),
    "default",
    0.9,
    100,
    20,
    {},
)


def legend(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_probes_are_numbered_as_they_were_made():
    ordered = SimpleNamespace(**vars(spot()) | dict(order=(0.01, 1.25, 0.1, 1.0)))
    (axis,) = labelled(figures.search(ordered))
    assert [(t.xy[0], t.get_text()) for t in axis.texts] == [
        (0.01, "1"),
        (0.1, "3"),
        (1.0, "4"),
        (1.25, "2"),
    ]


def test_probes_are_drawn_and_the_bracket_is_shaded():
    found = spot(diverged=(0, 0, 0, 2))
    fig = figures.search(found)
    (axis,) = labelled(fig)
    x, y = axis.containers[0].lines[0].get_xydata().T
    assert x.tolist() == [0.01, 0.1, 1.0, 1.25] and y.tolist() == [
        p.share.estimate for p in found.probes
    ]
    assert not axis.texts and axis.get_xscale() == "log"
    box = axis.patches[0].get_extents().transformed(axis.transData.inverted())
    assert (box.x0, box.x1) == pytest.approx((1.0, 1.25))
    cross = next(line for line in axis.lines if line.get_marker() == "x")
    assert cross.get_xdata().tolist() == [1.25]
    assert {"level 0.9", "4 probes", "some overflowed", "bracket 1 to 1.25"} == set(legend(fig))


def test_a_sweep_lies_behind_the_probes():
    truth = SimpleNamespace(
        rates=np.array([0.001, 50.0]), share=[share_interval([True, False]), NOTHING]
    )
    fig = figures.search(spot(), truth)
    (axis,) = labelled(fig)
    behind = axis.containers[0].lines[0]
    assert (
        behind.get_xdata().tolist() == [0.001, 50.0]
        and behind.get_zorder() < axis.containers[1].lines[0].get_zorder()
    )
    assert axis.get_xlim()[0] < 0.001 and axis.get_xlim()[1] > 50 and "sweep" in legend(fig)


def test_rivals_are_compared_row_by_row_and_over_trainings():
    fig = figures.comparison(RESULT)
    left, right, below = labelled(fig)
    assert [t.get_text().split(",")[0] for t in left.get_yticklabels()] == [
        "default",
        "sweet spot",
        "2/sharpness",
    ]
    assert [c.lines[0].get_xdata()[0] for c in left.containers] == [60, 30, 100]
    assert [c.lines[0].get_xdata()[0] for c in right.containers] == [0, 0, 0]
    assert legend(fig) == [
        "default: baseline",
        "sweet spot: pays from 100",
        "2/sharpness: never pays",
    ]
    stars = [line.get_xydata().tolist() for line in below.lines if line.get_marker() == "*"]
    assert stars == [[[100.0, 6000.0]]]
    line = below.lines[1]
    assert (
        np.allclose(line.get_ydata(), 3000 + 30 * line.get_xdata()) and line.get_xdata()[-1] >= 300
    )
    assert below.get_xscale() == below.get_yscale() == "log"


@pytest.mark.filterwarnings("error")
def test_little_and_nothing_are_drawn_without_complaint():
    one = Comparison(
        (row("default", 0.1, 0, math.nan, NOTHING, math.inf),), "default", 0.9, 100, 20, {}
    )
    assert len(labelled(figures.comparison(one))) == 3
    none = SimpleNamespace(rates=np.array([1.0]), share=[NOTHING])
    labelled(figures.search(spot((12, 12), (0.5, 1.0)), none))


@pytest.mark.parametrize(
    "low, high, labels",
    [(40, 80, ["20", "50", "100"]), (3, 4000, ["1", "10", "100", "1,000", "10,000"])],
)
def test_epochs_are_labelled_in_full(low, high, labels):
    with figures.style.figure() as (fig, ((axis,),)):
        axis.plot([low, high])
        rates.log_epochs(axis, "epochs")
    fig.canvas.draw()
    bottom, top = axis.get_ylim()
    shown = [
        t.get_text()
        for v, t in zip(axis.get_yticks(), axis.get_yticklabels())
        if bottom <= v <= top
    ]
    assert [s for s in shown if s in labels][-2:] == labels[-2:]
