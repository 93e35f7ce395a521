"""What a curve is called where it does not say so itself."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from netdyn_lib.figures.naming import Legends, own_name


@pytest.fixture
def axes():
    figure, axes = plt.subplots(1, 2)
    yield axes
    plt.close(figure)


def key(owner, *entries):
    owner.legend(handles=[Line2D([], [], label=name, **looks) for name, looks in entries])


def named(axis, artist, **options):
    return Legends(axis.figure).name(axis, artist, **options)


@pytest.mark.parametrize(
    "label, name",
    [
        ("loss", "loss"),
        ("_loss", "loss"),
        (None, ""),
        ("_nolegend_", ""),
        ("_child12", ""),
        ("", ""),
        ("_", ""),
    ],
)
def test_a_label_is_a_name_with_and_without_an_underscore(axes, label, name):
    assert own_name(axes[0].plot([1], [2], label=label)[0]) == name


def test_no_legend_shows_a_label_with_an_underscore(axes):
    axes[0].plot([1], [2], label="_hidden")
    axes[0].plot([1], [2], label="shown")
    assert axes[0].get_legend_handles_labels()[1] == ["shown"]


def test_a_key_of_the_figure_names_lines_points_and_bands(axes):
    key(axes[0].figure, ("first", dict(color="C0", marker="o")), ("second", dict(color="C1")))
    left, right = axes
    assert named(left, left.plot([1], [2], "o-", color="C0")[0]) == "first"
    assert named(right, right.fill_between([0, 1], 0, 1, color="C1", alpha=0.2, lw=0)) == "second"
    assert named(right, right.scatter([0, 1], [0, 1], color="C1")) == "second"
    assert named(right, right.vlines([0, 1], 0, 1, color="C0")) == "first"
    assert named(right, right.plot([1], [2], color="C2")[0]) == ""


def test_one_colour_in_two_dashes(axes):
    dashes = (0, (5, 1, 1, 1))
    key(
        axes[0].figure,
        ("solid", dict(color="k")),
        ("dashed", dict(color="k", ls="--")),
        ("own", dict(color="k", ls=dashes)),
    )
    axis = axes[0]
    found = [
        named(axis, axis.plot([1, 2], [2, 3], color="k", ls=ls, lw=lw)[0])
        for ls, lw in (("-", 1), ("--", 3), (dashes, 2))
    ]
    assert found == ["solid", "dashed", "own"]


def test_no_name_rather_than_a_wrong_one(axes):
    key(axes[0].figure, ("first", dict(color="k", ls="--")), ("second", dict(color="k", ls=":")))
    assert named(axes[0], axes[0].plot([1, 2], [2, 3], color="k")[0]) == ""


def test_a_guide_borrows_its_colour(axes):
    key(axes[0], ("curve", dict(color="C0", marker="o")), ("level", dict(color="C1", ls="--")))
    axis = axes[0]
    assert named(axis, axis.axhline(1, color="C0"), guide=True) == ""
    assert named(axis, axis.axhline(1, color="C1", ls="--"), guide=True) == "level"
    axis.legend(handles=[Patch(color="C0", label="phase")])
    assert (
        named(axis, axis.axvspan(1, 2, color="C0"), guide=True) == "phase"
        and named(axis, axis.axhline(1, color="C0"), guide=True) == ""
    )


@pytest.mark.parametrize(
    "looks", [dict(ls=":"), dict(ls="", marker="o"), dict(ls="--", marker="s")]
)
def test_one_entry_whose_look_contradicts_is_not_the_name(axes, looks):
    key(
        axes[0].figure,
        ("fitted", dict(color="k", ls="--", marker="o" if looks.get("marker") == "s" else None)),
    )
    contradicts = looks["ls"] != "" or looks.get("marker") == "s"
    assert (
        named(axes[0], axes[0].plot([1, 2], [2, 3], color="k", **looks)[0]) == ""
    ) == contradicts


def test_the_own_legend_comes_first_then_the_figures_and_no_other(axes):
    left, right = axes
    key(left, ("own", dict(color="C0")))
    line = left.plot([1, 2], [2, 3], color="C0")[0]
    other = right.plot([1, 2], [2, 3], color="C0")[0]
    assert named(left, line) == "own" and named(right, other) == ""
    key(left.figure, ("whole", dict(color="C0")))
    assert named(left, line) == "own" and named(right, other) == "whole"


def test_what_has_a_scale_of_colours_has_no_name(axes):
    key(axes[0], ("curve", dict(color="C0")))
    assert named(axes[0], axes[0].scatter([0, 1], [0, 1], c=[1, 2])) == ""
