"""The numbers behind figures that are drawn from known numbers."""

import io
import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from netdyn_lib.figures import numbers, packing, style
from netdyn_lib.results import provenance


def opened(figure):
    return pd.read_csv(io.StringIO(numbers.csv(figure)), comment="#", keep_default_na=True)


def drawn(draw, **options):
    with style.figure(**options) as (fig, axes):
        draw(*axes.flat)
    return fig


def kind(table, name):
    return table[table["kind"] == name].reset_index(drop=True)


def test_a_row_a_point_with_panel_curve_and_name():
    def draw(axis):
        axis.plot([0, 1, 2], [3, 4, np.nan], label="a curve")
        axis.plot([5], [6], "o", label="_a dot")
        axis.axhline(7)
        axis.set(xlabel=r"step $t$", ylabel="loss", title="#1")

    figure = drawn(draw)
    found = opened(figure)
    assert (
        found.columns.tolist() == ["panel", "curve", "series", "kind", "x", "y"]
        and (found["panel"] == 1).all()
    )
    assert found["curve"].tolist() == [1, 1, 1, 2, 3] and found["series"].fillna("").tolist() == [
        "a curve"
    ] * 3 + ["a dot", ""]
    assert found["kind"].tolist() == ["line"] * 3 + ["points", "level"]
    assert found["y"].fillna(-1).tolist() == [3, 4, -1, 6, 7] and found["x"].fillna(
        -1
    ).tolist() == [0, 1, 2, 5, -1]
    assert numbers.csv(figure).splitlines()[0] == "# panel 1: #1: x = step $t$, y = loss"


def test_an_estimate_is_told_from_the_ends_of_its_interval():
    found = opened(
        drawn(
            lambda axis: axis.errorbar(
                [1.0, 2.0], [2.0, 3.0], [[0.5, 0.1], [0.25, 0.2]], label="mean", capsize=2
            )
        )
    )
    assert found[["kind", "series", "x", "y", "y_low", "y_high"]].values.tolist() == [
        ["line", "mean", 1, 2, 1.5, 2.25],
        ["line", "mean", 2, 3, 2.9, 3.2],
    ]


def test_panels_of_a_grid_have_places_and_the_labels_they_share():
    with style.figure(2, 2, sharex=True, sharey=True) as (figure, axes):
        for axis in axes.flat:
            axis.plot([1], [2])
        for axis in axes[-1]:
            axis.set_xlabel("step")
        axes[0, 0].set_ylabel("loss")
    lines = numbers.csv(figure).splitlines()[:4]
    assert lines == [
        f"# panel {k}: row {row}, column {column}: x = step, y = loss"
        for k, (row, column) in enumerate(((1, 1), (1, 2), (2, 1), (2, 2)), 1)
    ]


def test_axes_that_share_a_scale_under_two_names_keep_their_own():
    with style.figure(1, 3, sharex=True) as (figure, axes):
        for axis, name in zip(axes[0], ("step", "epoch", ""), strict=True):
            axis.plot([1], [2])
            axis.set_xlabel(name)
    assert numbers.table(figure).attrs["panels"] == ["x = step", "x = epoch", ""]


def test_published_numbers_say_in_which_file_they_are():
    figure = drawn(lambda axis: axis.plot([1], [2]))
    assert "# computed here" in numbers.csv(figure).splitlines()
    provenance.shown(
        figure, provenance.published_in(xr.Dataset(), Path("book/results/arms/usps.npz"))
    )
    assert "# published in arms/usps.npz" in numbers.csv(figure).splitlines()


def test_names_at_the_ticks_are_told():
    def draw(left, middle, right, last):
        left.plot([1, 2], [0, -1], "o")
        left.set_yticks([0, -1], ["first rule", "second rule"])
        middle.bar(["loss", "norm"], [1, 2])
        right.plot([1], [2])
        right.set_xticks([1, 2000], ["1", "2,000"])
        last.plot([1], [2])
        last.set_xticks([0, 1], ["0–\n50", "50–\n100"])

    found = numbers.table(drawn(draw, columns=4)).attrs["panels"]
    assert found == [
        "y 0 = first rule, y -1 = second rule",
        "x 0 = loss, x 1 = norm",
        "",
        "x 0 = 0– 50, x 1 = 50– 100",
    ]


def test_a_colour_scale_says_what_its_values_are():
    with style.figure() as (figure, axes):
        figure.colorbar(axes[0, 0].imshow(np.zeros((2, 2))), label="loss")
    assert numbers.table(figure).attrs["panels"] == ["value = loss"]


def test_a_picture_stands_for_points():
    def draw(axis):
        x, y = np.arange(3.0)[:, None], np.array([[0.0, np.nan]])
        numbers.stands_for(axis.imshow(np.zeros((2, 2))), x, y)

    assert opened(drawn(draw))[["x", "y"]].values.tolist() == [[0, 0], [1, 0], [2, 0]]


def test_long_curves_are_thinned_short_ones_are_whole(monkeypatch):
    """Each by itself, so that what few points say stays; and it is said how."""
    monkeypatch.setattr(numbers, "MOST", 300)

    def draw(axis):
        axis.plot(np.arange(7), np.arange(7), label="short")
        axis.plot(np.arange(1000), np.arange(1000) % 2, label="period 2")
        axis.plot(np.arange(400), np.arange(400), label="long")

    figure = drawn(draw)
    found = opened(figure)
    parts = {name: part for name, part in found.groupby("series")}
    assert (
        len(found) <= 305
        and parts["short"]["x"].tolist() == list(range(7))
        and parts["short"]["every"].isna().all()
    )
    for name, last in (("period 2", 999), ("long", 399)):
        x, every = parts[name]["x"].to_numpy(), parts[name]["every"].to_numpy()
        assert (
            x[0] == 0
            and x[-1] == last
            and (np.diff(x) == every[1:]).all()
            and len(set(every[1:-1])) == 1
        )
        assert math.gcd(int(every[1]), 6) == 1
    assert len(parts["period 2"]) > 1.2 * len(parts["long"]) and parts["period 2"]["y"].tolist()[
        :4
    ] == [0, 1, 0, 1]
    assert '"every" not all points are kept' in numbers.csv(figure)


def test_on_a_logarithmic_axis_every_decade_stays(monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 60)

    def draw(axis):
        axis.plot(np.arange(1, 10_001), np.ones(10_000))
        axis.set_xscale("log")

    x = opened(drawn(draw))["x"].to_numpy()
    assert x[0] == 1 and x[-1] == 10_000 and len(x) <= 61
    assert all(((x >= low) & (x < 10 * low)).sum() >= 5 for low in (1, 10, 100, 1000))


def test_no_curve_is_thinned_where_all_fit(monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 25)
    figure = drawn(lambda axis: axis.plot(np.arange(25), np.arange(25)))
    assert opened(figure)["x"].tolist() == list(range(25)) and "every" not in numbers.csv(figure)


def test_parts_stay_whole(monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 40)
    found = opened(drawn(lambda axis: axis.vlines(np.arange(50), 0, 1)))
    assert found["part"].tolist() == np.repeat(np.arange(0, 50, 5), 2).tolist() and set(
        found["y"]
    ) == {0, 1}


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
    assert numbers._share(lengths) == kept


def test_of_many_points_of_a_picture_some_are_drawn_at_random(monkeypatch):
    monkeypatch.setattr(numbers, "MOST", 10)
    picture = drawn(
        lambda axis: numbers.stands_for(
            axis.imshow(np.zeros((2, 2))), np.where(np.arange(100) < 90, np.arange(100), np.nan), 0
        )
    )
    found = opened(picture)
    assert (
        len(found) == 10
        and found["x"].is_monotonic_increasing
        and set(found["series"]) == {"points drawn at random from 90"}
    )


def test_a_notebook_gets_them_where_it_asks(monkeypatch):
    monkeypatch.delenv(numbers.ASKED, raising=False)
    assert not hasattr(drawn(lambda axis: axis.plot([1], [2])), "_repr_mimebundle_")
    monkeypatch.setenv(numbers.ASKED, "1")
    figure = drawn(lambda axis: axis.plot([1], [2]))
    letters = figure._repr_mimebundle_()[numbers.MIME]
    assert figure._repr_mimebundle_()[provenance.MIME] == [provenance.HERE]
    assert packing.unpacked(letters) == numbers.csv(figure) and letters == packing.packed(
        numbers.csv(figure)
    )
    json.dumps(letters)


def test_labels_of_the_whole_figure_come_first():
    figure = drawn(lambda axis: axis.plot([1], [2]))
    figure.supxlabel("step")
    assert numbers.csv(figure).splitlines()[0] == "# all panels: x = step"


def test_an_empty_figure_has_an_empty_table():
    assert len(numbers.table(plt.figure())) == 0
