"""The table of a figure, and how a notebook gets it."""

import io
import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from netdyn_lib.figures import numbers, style
from netdyn_lib.results import provenance
from tests.figures.test_panel import plotted


def opened(figure):
    return pd.read_csv(io.StringIO(numbers.csv(figure)), comment="#")


def test_a_row_a_point_with_panel_curve_and_name():
    def draw(panel):
        panel.line([0, 1, 2], [3, 4, np.nan], "a curve")
        panel.point(5, 6, "_a dot")
        panel.level(7)
        panel.set(xlabel=r"step $t$", ylabel="loss", title="#1")

    figure = plotted(draw)
    found = opened(figure)
    assert found.columns.tolist() == ["panel", "curve", "series", "kind", "x", "y"]
    assert found["curve"].tolist() == [1, 1, 1, 2, 3] and set(found["panel"]) == {1}
    assert found["series"].fillna("").tolist() == ["a curve"] * 3 + ["a dot", ""]
    assert found["kind"].tolist() == ["line"] * 3 + ["points", "level"]
    assert found["y"].fillna(-1).tolist() == [3, 4, -1, 6, 7]
    assert found["x"].fillna(-1).tolist() == [0, 1, 2, 5, -1]
    assert numbers.csv(figure).splitlines()[0] == "# panel 1: #1: x = step $t$, y = loss"


def test_panels_of_a_grid_have_letters_and_the_labels_they_share():
    with style.figure(2, 2, sharex=True, sharey=True) as (figure, axes):
        for axis in axes.flat:
            axis.line([1], [2])
        style.frame(axes, (), ["loss"], "step")
    assert numbers.table(figure).attrs["panels"] == [
        f"{letter}: x = step, y = loss" for letter in "abcd"
    ]


def test_axes_that_share_a_scale_under_two_names_keep_their_own():
    with style.figure(1, 3, sharex=True) as (figure, axes):
        for axis, name in zip(axes[0], ("step", "epoch", "")):
            axis.line([1], [2])
            axis.set_xlabel(name)
        figure.supxlabel("time")
    assert numbers.table(figure).attrs["panels"] == ["a: x = step", "b: x = epoch", "c"]
    assert numbers.csv(figure).splitlines()[0] == "# all panels: x = time"


def test_names_at_the_ticks_and_scales_of_colours_are_told():
    def draw(left, right, last):
        for panel in (left, right):
            panel.line([1, 2], [0, -1])
        left.names("y", [0, -1], ["first rule", "second\nrule"])
        last.image(np.zeros((2, 2)), scale_name="loss")

    both = "y 0 = first rule, y -1 = second rule"
    with style.figure(1, 2, sharey=True) as (figure, ((left, right),)):
        draw(left, right, right)
    assert numbers.table(figure).attrs["panels"] == [f"a: {both}", f"b: value = loss; {both}"]


def test_hidden_panels_and_empty_figures_have_no_rows():
    figure = plotted(lambda panel: (panel.line([1], [2]), panel.set_visible(False)))
    assert len(numbers.table(figure)) == len(numbers.table(plt.figure())) == 0


def test_published_numbers_say_in_which_file_they_are():
    figure = plotted(lambda panel: panel.line([1], [2]))
    assert "# computed here" in numbers.csv(figure).splitlines()
    published = provenance.published_in(xr.Dataset(), Path("book/results/arms/usps.npz"))
    provenance.shown(figure, published)
    assert "# published in arms/usps.npz" in numbers.csv(figure).splitlines()


def test_long_curves_are_thinned_short_ones_are_whole(monkeypatch):
    """Each by itself, so that what few points say stays; and it is said how."""
    monkeypatch.setattr(numbers, "MOST", 300)

    def draw(panel):
        panel.line(np.arange(7), np.arange(7), "short")
        panel.line(np.arange(1000), np.arange(1000) % 2, "period 2")
        panel.line(np.arange(400), np.arange(400), "long")

    figure = plotted(draw)
    found = opened(figure)
    parts = {name: part for name, part in found.groupby("series")}
    assert len(found) <= 305 and parts["short"]["x"].tolist() == list(range(7))
    assert parts["short"]["every"].isna().all()
    for name, last in (("period 2", 999), ("long", 399)):
        x, every = parts[name]["x"].to_numpy(), parts[name]["every"].to_numpy()
        assert x[0] == 0 and x[-1] == last and (np.diff(x) == every[1:]).all()
        assert len(set(every[1:-1])) == 1 and math.gcd(int(every[1]), 6) == 1
    assert len(parts["period 2"]) > 1.2 * len(parts["long"])
    assert parts["period 2"]["y"].tolist()[:4] == [0, 1, 0, 1]
    assert '"every" not all points are kept' in numbers.csv(figure)


def test_on_a_logarithmic_axis_every_decade_stays(monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 60)
    draw = lambda panel: (
        panel.line(np.arange(1, 10_001), np.ones(10_000)),
        panel.set_xscale("log"),
    )
    x = opened(plotted(draw))["x"].to_numpy()
    assert x[0] == 1 and x[-1] == 10_000 and len(x) <= 61
    assert all(((x >= low) & (x < 10 * low)).sum() >= 5 for low in (1, 10, 100, 1000))


@pytest.mark.parametrize(
    "lengths, kept",
    [
        ([5, 5], [5, 5]),
        ([4, 16, 16], [2, 4, 4]),
        ([1, 1, 25], [1, 1, 8]),
        ([100] * 20, [1] * 20),
        ([], []),
    ],
)
def test_rows_are_shared_by_the_roots_of_lengths(monkeypatch, lengths, kept):
    monkeypatch.setattr(numbers, "MOST", 10)
    assert numbers._share(lengths).tolist() == kept


def test_of_many_points_some_are_drawn_at_random(monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 10)
    x, y, name = numbers.some_of(np.where(np.arange(100) < 90, np.arange(100), np.nan), 0)
    assert len(x) == len(y) == 10 and (np.diff(x) > 0).all()
    assert name == "points drawn at random from 90"
    x, y, name = numbers.some_of(np.arange(3.0)[:, None], np.array([[0.0, np.nan]]))
    assert (x.tolist(), y.tolist(), name) == ([0, 1, 2], [0, 0, 0], "")


def test_a_notebook_gets_table_and_sources_where_it_asks(monkeypatch):
    draw = lambda panel: panel.line([1], [2])
    monkeypatch.delenv(numbers.ASKED, raising=False)
    assert not hasattr(plotted(draw), "_repr_mimebundle_")
    monkeypatch.setenv(numbers.ASKED, "1")
    figure = plotted(draw)
    bundle = figure._repr_mimebundle_()
    assert numbers.unpacked(bundle[numbers.MIME]) == numbers.csv(figure)
    assert bundle[provenance.MIME] == [provenance.HERE] and json.dumps(bundle)
