"""Figures of maps: what is drawn is what was given."""

import numpy as np
import pytest

from netdyn_lib.figures import maps as figures
from netdyn_lib.maps import cascades, one_dimensional, windows
from netdyn_lib.maps.one_dimensional import CUBIC


@pytest.fixture(scope="module")
def diagram():
    return one_dimensional.bifurcation_diagram(
        CUBIC, one_dimensional.grid(0.5, 2.1, 60), [-0.1, 0.1], 500, 50
    )


def test_density_puts_ink_where_orbits_go(diagram):
    ink = figures._density(diagram.states, np.sign(diagram.initial) == 1, (-1.5, 1.5))
    assert ink.shape == (60, figures._BINS)
    row = int((1 + 1.5) / 3 * figures._BINS)
    assert ink[0, row] == 1 and ink[0].sum() < 3  # one line at w = 1, a few bins wide
    assert not ink[-1].any()  # escaped
    left = figures._density(diagram.states, np.sign(diagram.initial) == -1, (-1.5, 1.5))
    mirrored = figures._BINS - 1 - left[:-5].argmax(axis=1)
    line = diagram.parameters[:-5] < 0.95
    assert np.all(abs(mirrored - ink[:-5].argmax(axis=1))[line] <= 1)
    assert left[0].argmax() != ink[0].argmax()


def test_axes_are_labelled_and_marks_are_where_they_belong(diagram):
    fig = figures.bifurcation(diagram, {"here": 1.25})
    (axis,) = fig.axes
    assert axis.get_xlabel() and axis.get_ylabel()
    assert any(np.allclose(line.get_xdata(), 1.25) for line in axis.lines)
    exponents = one_dimensional.lyapunov_exponent(CUBIC, diagram.parameters, 0.1, 100, 200)
    top, bottom = figures.exponent(diagram, exponents, {"here": 1.25}, CUBIC.exact).axes
    assert top.get_shared_x_axes().joined(top, bottom)
    curve = max(bottom.lines, key=lambda line: len(line.get_xdata()))
    above = exponents.value > -1
    np.testing.assert_array_equal(curve.get_ydata()[above], exponents.value[above])


def test_every_window_has_its_stem():
    found = windows.search(CUBIC, 5, 1.31, 2.0)
    (axis,) = figures.window_widths(found, 1.3, 2.0).axes
    drawn = np.concatenate([line.get_ydata() for line in axis.lines])
    np.testing.assert_allclose(np.sort(drawn), np.sort(found.width))


def test_cascade_and_cobwebs_draw_what_they_get():
    found = cascades.cascade(CUBIC, 4, 0.1, 2.0)
    ratio = cascades.feigenbaum(found.doubling, found.doubling_error)
    left = figures.cascade({"doubling": found.doubling}, 1.31, {"doubling": ratio}).axes[0]
    np.testing.assert_allclose(left.lines[0].get_ydata(), 1.31 - found.doubling)
    web = one_dimensional.cobweb(CUBIC, 1.2, 0.1, 5)
    axes = figures.cobwebs(CUBIC, [1.2, 1.5], [web, web], [web, web]).axes
    assert [axis.get_visible() for axis in axes] == [True, True, False]
    assert any(np.array_equal(line.get_xydata(), web) for line in axes[0].lines)


def test_a_copy_fills_its_panel_from_end_to_end(diagram):
    panels = figures.self_affine(
        [diagram, diagram], [(0.6, 1.6), (1.0, 1.2)], [(0.0, 1.3), (1.2, 0.6)], "ab"
    ).axes
    assert [axis.get_xlim() for axis in panels] == [(0.6, 1.6), (1.0, 1.2)]
    low, high = panels[1].get_ylim()
    assert low > 1.2 and high < 0.6  # upside down, as the box is
