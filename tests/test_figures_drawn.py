"""Things of known numbers, read off axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from netdyn_lib.figures import drawn


@pytest.fixture
def axis():
    figure, axis = plt.subplots()
    yield axis
    plt.close(figure)


def read(axis):
    return [
        (
            thing.kind,
            thing.name,
            {name: np.asarray(values).tolist() for name, values in thing.columns.items()},
        )
        for thing in drawn.things(axis)
    ]


def only(axis):
    (found,) = read(axis)
    return found


def test_lines_points_and_stairs(axis):
    axis.plot([0, 1], [3, 4], label="a curve")
    axis.plot([5], [6], "o", label="_hidden from legends")
    axis.plot([0, 1], [1, 2], drawstyle="steps-post")
    axis.scatter([1, 2], [3, 4], c=[0.5, 0.25], label="cloud")
    assert read(axis) == [
        ("line", "a curve", {"x": [0, 1], "y": [3, 4]}),
        ("points", "hidden from legends", {"x": [5], "y": [6]}),
        ("stairs", "", {"x": [0, 1], "y": [1, 2]}),
        ("points", "cloud", {"x": [1, 2], "y": [3, 4], "value": [0.5, 0.25]}),
    ]


def test_what_is_masked_has_no_value(axis):
    axis.plot(
        np.ma.array([0.0, 1.0], mask=[False, False]), np.ma.array([5.0, 99.0], mask=[False, True])
    )
    axis.scatter([0, 1], np.ma.array([5.0, 99.0], mask=[False, True]))
    for thing in drawn.things(axis):
        assert 99 not in thing.columns["y"] and thing.columns["y"][0] == 5


def test_what_is_hidden_is_left_out(axis):
    axis.plot([0], [1])[0].set_visible(False)
    axis.plot([0], [1], ls="none")  # neither line nor marker
    axis.scatter([0], [1]).set_visible(False)
    axis.bar([0], [1])[0].set_visible(False)
    axis.imshow([[1]]).set_visible(False)
    axis.errorbar([0], [1], [1])[0].set_visible(False)
    assert read(axis) == []


def test_guides_have_one_coordinate(axis):
    axis.axhline(7, label="_seven")
    axis.axvline(8)
    axis.axvspan(1, 2)
    axis.axhspan(3, 4)
    axis.plot([0.1, 0.1], [5, 6], transform=axis.get_yaxis_transform())
    axis.plot([0.1], [0.2], transform=axis.transAxes)  # no data
    nan = pytest.approx(np.nan, nan_ok=True)
    assert read(axis) == [
        ("level", "seven", {"x": [nan], "y": [7]}),
        ("mark", "", {"x": [8], "y": [nan]}),
        ("level", "", {"x": [nan, nan], "y": [5, 6]}),
        ("span", "", {"x": [1], "y": [nan], "x2": [2]}),
        ("span", "", {"x": [nan], "y": [3], "y2": [4]}),
    ]


@pytest.mark.parametrize("given, ends", [(dict(slope=2), [1, 9]), (dict(xy2=(1, 3)), [1, 9])])
def test_a_line_without_ends_reaches_the_sides(axis, given, ends):
    axis.set(xlim=(0, 4), ylim=(0, 4))
    axis.axline((0, 1), **given)
    assert only(axis) == ("line", "", {"x": [0, 4], "y": ends})


def test_an_upright_line_without_ends_is_a_mark(axis):
    axis.axline((2, 1), (2, 5))
    kind, _, columns = only(axis)
    assert kind == "mark" and columns["x"] == [2]


@pytest.mark.parametrize("options, kind", [(dict(fmt="o"), "points"), (dict(fmt="-"), "line")])
def test_an_error_bar_is_one_thing_without_its_caps(axis, options, kind):
    axis.errorbar(
        [1.0, 2.0],
        [2.0, np.nan],
        [[0.5, np.nan], [0.25, np.nan]],
        label="mean",
        capsize=2,
        **options,
    )
    nan = pytest.approx(np.nan, nan_ok=True)
    assert only(axis) == (
        kind,
        "mean",
        {"x": [1, 2], "y": [2, nan], "y_low": [1.5, nan], "y_high": [2.25, nan]},
    )


def test_error_bars_lying_both_ways_and_without_points(axis):
    axis.errorbar([1.0], [2.0], xerr=0.5, yerr=0.25)
    axis.errorbar([1.0], [2.0], xerr=0.5, fmt="none")
    both, bare = read(axis)
    assert both[2] == {
        "x": [1],
        "y": [2],
        "x_low": [0.5],
        "x_high": [1.5],
        "y_low": [1.75],
        "y_high": [2.25],
    }
    assert bare[0] == "points" and bare[2]["x_low"] == [0.5] and np.isnan(bare[2]["x"]).all()


def test_bands_and_outlines(axis):
    axis.fill_between(
        [0, 1, 2, 3], [0, 1, 5, 0], [2, 3, 4, 6], where=[True, True, False, False], label="range"
    )
    axis.fill([0, 1, 1], [0, 0, 1])
    band, outline = read(axis)
    assert band == ("band", "range", {"part": [0, 0], "x": [0, 1], "y": [0, 1], "y2": [2, 3]})
    assert outline == ("outline", "", {"x": [0, 1, 1, 0], "y": [0, 0, 1, 0]})


def test_segments(axis):
    axis.vlines([1, 2], 0, [3, 4], label="gaps")
    assert only(axis) == (
        "segment",
        "gaps",
        {"part": [0, 0, 1, 1], "x": [1, 1, 2, 2], "y": [0, 3, 0, 4]},
    )


def test_bars_upright_lying_and_of_histograms(axis):
    axis.bar([0, 1], [3, 4], bottom=[1, 1], label="upright")
    axis.barh([0, 1], [5, 6], left=[1, 1], label="lying")
    axis.hist([0.5, 0.5, 1.5], [0, 1, 2], label="counts")
    assert read(axis) == [
        ("bar", "upright", {"x": [0, 1], "y": [4, 5], "y2": [1, 1]}),
        ("bar", "lying", {"x": [6, 7], "y": [0, 1], "x2": [1, 1]}),
        ("bar", "counts", {"x": [0.5, 1.5], "y": [2, 1], "y2": [0, 0]}),
    ]


def test_a_histogram_without_inner_edges_is_its_outline(axis):
    axis.hist([0.5, 0.5, 1.5], [0, 1, 2], histtype="step", label="counts")
    kind, name, columns = only(axis)
    assert (
        (kind, name) == ("outline", "counts")
        and max(columns["y"]) == 2
        and set(columns["x"]) == {0, 1, 2}
    )


def test_stairs(axis):
    axis.stairs([1, 2], [0, 1, 3], label="steps")
    assert only(axis) == ("stairs", "steps", {"x": [0, 1, 3], "y": [1, 2, 2]})


@pytest.mark.parametrize(
    "origin, extent, corner",
    [
        ("lower", (0, 3, 10, 12), (0.5, 10.5)),
        ("upper", (0, 3, 10, 12), (0.5, 11.5)),
        ("upper", None, (0, 0)),
        ("lower", None, (0, 0)),
    ],
)
def test_images(axis, origin, extent, corner):
    """The first pixel is where matplotlib draws it."""
    axis.imshow(np.arange(6.0).reshape(2, 3), origin=origin, extent=extent)
    kind, _, columns = only(axis)
    assert (
        kind == "image"
        and columns["value"] == [0, 1, 2, 3, 4, 5]
        and (columns["x"][0], columns["y"][0]) == corner
    )
    assert columns["x"][1] - columns["x"][0] == 1 and abs(columns["y"][3] - columns["y"][0]) == 1


def test_meshes_and_colours(axis):
    axis.imshow(np.array([[[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]]))
    axis.pcolormesh([0, 1, 3], [0, 2], [[5.0, 6.0]])
    cells, image = read(axis)
    assert cells == ("cell", "", {"x": [0.5, 2], "y": [1, 1], "value": [5, 6]}) and image[2][
        "value"
    ] == [0, 1]


def test_insets_come_with_their_axes_and_hidden_ones_do_not():
    figure, (left, right) = plt.subplots(1, 2)
    inside = left.inset_axes((0, 0, 1, 1))
    left.inset_axes((0, 0, 1, 1)).set_visible(False)
    right.set_visible(False)
    assert list(drawn.axes(figure)) == [left, inside]
    plt.close(figure)


def test_what_is_drawn_beside_its_place_is_told_in_its_place(axis):
    drawn.moved(axis.plot([2.0, 4.0], [10.0, 30.0])[0], by=2, lift=10)
    drawn.moved(axis.errorbar([6.0], [1.0], 0.5, fmt="o"), by=2, shift=2)
    errors, line = read(axis)
    assert line[2] == {"x": [1, 2], "y": [1, 3]}
    assert errors[2] == {"x": [2], "y": [1], "y_low": [0.5], "y_high": [1.5]}


def test_an_end_that_is_infinite_does_not_take_the_other_along(axis):
    axis.errorbar([1.0, 2.0], [1.0, 1.0], [[0.5, 0.5], [np.inf, 0.25]], fmt="o")
    assert only(axis)[2] == {
        "x": [1, 2],
        "y": [1, 1],
        "y_low": [0.5, 0.5],
        "y_high": [np.inf, 1.25],
    }
