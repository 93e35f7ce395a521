"""What a panel plots is what it notes."""

import numpy as np
import pytest

from netdyn_lib.figures import numbers, style
from netdyn_lib.figures.panel import Panel

NAN = pytest.approx(np.nan, nan_ok=True)
UP, DOWN = dict(origin="lower"), dict(origin="upper")


def plotted(draw, **options):
    with style.figure(**options) as (fig, axes):
        draw(*axes.flat)
    return fig


@pytest.mark.parametrize(
    "draw, kind, columns",
    [
        (lambda p: p.line([0, 1], [3, np.nan]), "line", dict(x=[0, 1], y=[3, NAN])),
        (lambda p: p.points([5], [6]), "points", dict(x=[5], y=[6])),
        (lambda p: p.point(5, 6, marker="*"), "points", dict(x=[5], y=[6])),
        (
            lambda p: p.band([0, 1, 2], 0, [1, 2, np.nan], where=[False, True, True], by=2),
            "band",
            dict(x=[1], y=[0], y2=[2]),
        ),
        (lambda p: p.level(7), "level", dict(x=[NAN], y=[7])),
        (lambda p: p.mark(8), "mark", dict(x=[8], y=[NAN])),
        (lambda p: p.span(1, 2), "span", dict(x=[1], y=[NAN], x2=[2])),
        (lambda p: p.lying_span(3, 4), "span", dict(x=[NAN], y=[3], y2=[4])),
        (lambda p: p.bars([0, 1], [3, 4], base=[1, 1]), "bar", dict(x=[0, 1], y=[4, 5], y2=[1, 1])),
        (lambda p: p.lying_bar(2, 5, left=1), "bar", dict(x=[6], y=[2], x2=[1])),
        (
            lambda p: p.histogram([0.5, 0.5, 2], np.array([0, 1, 3]), base=1),
            "bar",
            dict(x=[0.5, 2], y=[3, 2], y2=[1, 1]),
        ),
        (lambda p: p.steps([1, 2], [0, 1, 3]), "stairs", dict(x=[0, 1, 3], y=[1, 2, 2])),
        (lambda p: p.stems([1, 2], 0, [3, 4]), "segment", dict(x=[1, 2], y=[0, 0], y2=[3, 4])),
        (
            lambda p: p.estimates([1, 2], [(2, 1.5, np.inf), (3, np.nan, np.nan)], by=3, shift=1),
            "line",
            dict(x=[1, 2], y=[2, 3], y_low=[1.5, NAN], y_high=[np.inf, NAN]),
        ),
        (
            lambda p: p.lying_estimates([(2, 1.5, 4)], [7]),
            "points",
            dict(x=[2], y=[7], x_low=[1.5], x_high=[4]),
        ),
        (
            lambda p: p.image([[1, 2], [3, 4]], extent=(0, 2, 10, 12), **UP),
            "image",
            dict(x=[0.5, 1.5] * 2, y=[10.5, 10.5, 11.5, 11.5], value=[1, 2, 3, 4]),
        ),
        (
            lambda p: p.image([[1, 2], [3, 4]], extent=(0, 2, 10, 12), **DOWN),
            "image",
            dict(x=[0.5, 1.5] * 2, y=[11.5, 11.5, 10.5, 10.5], value=[1, 2, 3, 4]),
        ),
        (lambda p: p.image([[5.0]], **UP), "image", dict(x=[0], y=[0], value=[5])),
    ],
)
def test_a_mark_is_noted_in_its_place(draw, kind, columns):
    figure = plotted(draw)
    (one,) = figure.axes[0].noted
    assert one["kind"] == kind and {k: v.tolist() for k, v in one["columns"].items()} == columns
    axis = figure.axes[0]
    assert axis.lines or axis.patches or axis.collections or axis.images or axis.containers


def test_each_column_is_a_curve_and_nothing_is_no_curve():
    def draw(panel):
        panel.line([0, 1], np.array([[1, 2], [3, 4]]), "_both", color="black")
        panel.points([], [], "none")
        panel.ranged([0, 1], ([2, 3], [1, 2], [3, 4]), "mean", color="black", marker="o")

    (panel,) = plotted(draw).axes
    assert [(one["series"], one["kind"]) for one in panel.noted] == [
        ("both", "line"),
        ("both", "line"),
        ("mean", "line"),
        ("mean", "band"),
    ]
    assert [one["columns"]["y"].tolist() for one in panel.noted[:2]] == [[1, 3], [2, 4]]
    assert panel.get_legend_handles_labels()[1] == ["none", "mean"]


def test_masked_values_are_missing():
    panel = plotted(lambda panel: panel.image(np.ma.array([[5, 99]], mask=[[0, 1]]))).axes[0]
    assert panel.noted[0]["columns"]["value"].tolist() == [5, NAN]


def test_estimates_outside_their_interval_and_beside_their_place_are_plotted():
    """A percentile interval may not hold its estimate."""
    panel = plotted(lambda panel: panel.estimates([2.0], [(5, 1, 4)], by=2, shift=1)).axes[0]
    middle, _, (bar,) = panel.containers[0].lines
    assert middle.get_xydata().tolist() == [[5, 5]]
    assert bar.get_segments()[0].tolist() == [[5, 1], [5, 5]]


def test_a_twin_has_its_own_scale_on_the_right_and_an_inset_its_own_numbers():
    def draw(panel):
        panel.line([0, 1], [1, 2])
        twin = panel.twin()
        twin.line([0, 1], [100, 200])
        panel.inset_axes((0, 0, 0.5, 0.5), axes_class=Panel).line([0], [7])

    figure = plotted(draw)
    panel, twin = figure.axes
    assert twin.get_xlim() == panel.get_xlim() and twin.get_ylim() != panel.get_ylim()
    assert twin.yaxis.get_ticks_position() == "right" and not twin.patch.get_visible()
    assert numbers.table(figure).groupby("panel")["y"].max().tolist() == [2, 7, 200]


def test_a_key_names_what_has_a_label_once():
    def draw(left, right):
        for panel in (left, right):
            panel.line([0, 1], [1, 2], "a", **style.look(0))
            panel.estimates([0], [(1, 0, 2)], "b", **style.look(1))
            panel.line([0, 1], [1, 2], "_hidden")
        style.key(left.figure)

    (legend,) = plotted(draw, columns=2).legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert [handle.get_marker() for handle in legend.legend_handles] == ["o", "s"]
