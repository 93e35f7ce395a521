"""The numbers behind figures that are drawn from known numbers."""

import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from netdyn_lib.figures import behind, packing, style


def opened(figure):
    return pd.read_csv(io.StringIO(behind.csv(figure)), comment="#", keep_default_na=True)


def drawn(draw, **options):
    with style.figure(**options) as (fig, axes):
        draw(*axes.flat)
    return fig


def kind(table, name):
    return table[table["kind"] == name].reset_index(drop=True)


def test_lines_points_and_marks():
    def draw(axis):
        axis.plot([0, 1, 2], [3, 4, np.nan], label="a curve")
        axis.plot([5], [6], "o", label="_hidden")
        axis.axhline(7)
        axis.axvline(8)
        axis.scatter([1, 2], [3, 4], c=[0.5, 0.25], label="cloud")
        axis.plot([0.1], [0.2], transform=axis.transAxes)  # no data
        axis.set(xlabel=r"step $t$", ylabel="loss", title="#1")

    figure = drawn(draw)
    found = opened(figure)
    line = kind(found, "line")
    assert line["series"].tolist() == ["a curve"] * 3 and line["y"].tolist()[:2] == [3, 4] and np.isnan(line["y"][2])
    points = kind(found, "points")
    assert points[["x", "y"]].values.tolist() == [[5, 6], [1, 3], [2, 4]] and points["value"].tolist()[1:] == [0.5, 0.25]
    assert kind(found, "level")["y"].tolist() == [7] and kind(found, "mark")["x"].tolist() == [8]
    assert len(found) == 8 and (found["panel"] == 1).all()
    assert behind.csv(figure).splitlines()[0] == "# panel 1: #1: x = step $t$, y = loss"


def test_bands_bars_stairs_and_error_bars():
    def draw(left, right):
        left.fill_between([0, 1, 2], [0, 1, 0], [2, 3, 4], where=[True, True, True], label="range")
        left.errorbar([1.0], [2.0], [[0.5], [0.25]], label="mean", capsize=2)
        right.bar([0, 1], [3, 4], bottom=[1, 1], label="upright")
        right.barh([0, 1], [5, 6], left=[1, 1], label="lying")
        right.stairs([1, 2], [0, 1, 3], label="histogram")
        right.axvspan(0, 1)

    found = opened(drawn(draw, columns=2))
    band = kind(found, "band")
    assert band[["x", "y", "y2"]].values.tolist() == [[0, 0, 2], [1, 1, 3], [2, 0, 4]] and set(band["series"]) == {"range"}
    segment = kind(found, "segment")
    assert segment[["x", "y"]].values.tolist() == [[1, 1.5], [1, 2.25]] and set(segment["series"]) == {"mean"}
    bars = kind(found, "bar")
    assert set(bars["panel"]) == {2}
    assert bars[bars["series"] == "upright"][["x", "y", "y2"]].values.tolist() == [[0, 4, 1], [1, 5, 1]]
    assert bars[bars["series"] == "lying"][["x", "y", "value"]].values.tolist() == [[6, 0, 1], [7, 1, 1]]
    assert kind(found, "stairs")[["x", "y"]].values.tolist() == [[0, 1], [1, 2], [3, 2]]


@pytest.mark.parametrize("origin, extent, corner", [
    ("lower", (0, 3, 10, 12), (0.5, 10.5)), ("upper", (0, 3, 10, 12), (0.5, 11.5)), ("upper", None, (0, 0)), ("lower", None, (0, 0)),
])  # fmt: skip
def test_images(origin, extent, corner):
    """The first pixel is where matplotlib draws it."""
    found = opened(drawn(lambda axis: axis.imshow(np.arange(6.0).reshape(2, 3), origin=origin, extent=extent)))
    assert found["value"].tolist() == [0, 1, 2, 3, 4, 5] and tuple(found.loc[0, ["x", "y"]]) == corner
    assert found["x"][1] - found["x"][0] == 1 and abs(found["y"][3] - found["y"][0]) == 1


def test_meshes_and_colours():
    def draw(left, right):
        left.pcolormesh([0, 1, 3], [0, 2], [[5.0, 6.0]])
        right.imshow(np.array([[[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]]))

    found = opened(drawn(draw, columns=2))
    assert kind(found, "cell")[["x", "y", "value"]].values.tolist() == [[0.5, 1, 5], [2, 1, 6]]
    assert kind(found, "image")["value"].tolist() == [0, 1]


def test_insets_come_with_their_axes_and_hidden_ones_do_not():
    def draw(left, right):
        left.inset_axes((0, 0, 1, 1)).plot([1], [2])
        right.plot([3], [4])
        right.set_visible(False)

    found = opened(drawn(draw, columns=2))
    assert found[["panel", "x", "y"]].values.tolist() == [[1, 1, 2]]


def test_a_picture_stands_for_points():
    def draw(axis):
        x, y = np.arange(3.0)[:, None], np.array([[0.0, np.nan]])
        behind.stands_for(axis.imshow(np.zeros((2, 2))), x, y)

    assert opened(drawn(draw))[["x", "y"]].values.tolist() == [[0, 0], [1, 0], [2, 0]]


def test_of_many_points_some_are_kept_and_it_is_said(monkeypatch):
    monkeypatch.setattr(behind, "MOST", 10)
    figure = drawn(lambda axis: axis.plot(np.arange(25), np.arange(25)))
    assert opened(figure)["x"].tolist() == list(range(0, 25, 3))
    assert "# one point in 3 is kept; the notebook computes all" in behind.csv(figure)
    picture = drawn(lambda axis: behind.stands_for(axis.imshow(np.zeros((2, 2))), np.arange(100), 0))
    found = opened(picture)
    assert len(found) == 10 and found["x"].is_monotonic_increasing and set(found["series"]) == {"10 of 100 points, drawn at random"}


def test_a_notebook_gets_them_where_it_asks(monkeypatch):
    monkeypatch.delenv(behind.ASKED, raising=False)
    assert not hasattr(drawn(lambda axis: axis.plot([1], [2])), "_repr_mimebundle_")
    monkeypatch.setenv(behind.ASKED, "1")
    figure = drawn(lambda axis: axis.plot([1], [2]))
    (letters,) = figure._repr_mimebundle_().values()
    assert packing.unpacked(letters) == behind.csv(figure) and letters == packing.packed(behind.csv(figure))
    json.dumps(letters)


def test_labels_of_the_whole_figure_come_first():
    figure = drawn(lambda axis: axis.plot([1], [2]))
    figure.supxlabel("step")
    assert behind.csv(figure).splitlines()[0] == "# all panels: x = step"


def test_an_empty_figure_has_an_empty_table():
    assert len(behind.table(plt.figure())) == 0
