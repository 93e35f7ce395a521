"""One-dimensional maps against what is known of them by analysis."""

import subprocess
import sys

import numpy as np
import pytest

from netdyn_lib.maps import one_dimensional
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC, bifurcation_diagram, lyapunov_exponent

both = pytest.mark.parametrize("map", [CUBIC, LOGISTIC], ids=lambda map: map.name)


@both
def test_exponent_is_exact_where_the_map_multiplies_an_angle(map):
    found = lyapunov_exponent(map, map.exact[0], 0.1234, 100, 20_000)
    assert abs(found.value - map.exact[1]) < 5 * found.error < 1e-2


@both
def test_derivatives_agree_with_differences(map):
    x, p, h = np.linspace(0.1, 0.9, 7), np.linspace(0.6, 1.9, 7), 1e-6
    along_x = lambda g: (g(x + h, p) - g(x - h, p)) / (2 * h)
    along_p = lambda g: (g(x, p + h) - g(x, p - h)) / (2 * h)
    for derivative, difference in (
        (map.dx, along_x(map.f)),
        (map.dp, along_p(map.f)),
        (map.dxx, along_x(map.dx)),
        (map.dxp, along_p(map.dx)),
    ):
        np.testing.assert_allclose(derivative(x, p), difference, atol=1e-8)


@both
def test_laps_part_rising_from_falling(map):
    p = map.exact[0] * 0.9
    edges = map.laps(p)
    assert abs(map.dx(edges[0], p)) < 1e-14
    size = lambda x: map.fold(map.f(x, p))
    for edge, turn in zip(edges, (1, -1), strict=False):  # up then down, then down and up
        assert all(turn * size(edge) > turn * size(edge + step) for step in (-1e-3, 1e-3))


def test_cubic_at_two_triples_an_angle():
    theta = np.linspace(-1.5, 1.5, 31)
    tripled = CUBIC.f(2**0.5 * np.sin(theta), 2.0)
    np.testing.assert_allclose(tripled, 2**0.5 * np.sin(3 * theta), atol=1e-14)


def test_exponents_of_minimum_saddle_and_superstable_point():
    rates = np.array([0.1, 0.3, 0.7, 0.95])
    found = lyapunov_exponent(CUBIC, rates, 0.1, 5000, 20)
    np.testing.assert_allclose(found.value, np.log(abs(1 - 2 * rates)), atol=1e-9)
    assert np.all(found.error < 1e-9)
    saddle = lyapunov_exponent(CUBIC, rates, 0.0, 0, 20).value
    np.testing.assert_allclose(saddle, np.log(1 + rates), atol=1e-12)
    assert lyapunov_exponent(CUBIC, 0.5, 1.0, 0, 20).value == -np.inf


def test_minima_lose_stability_at_one():
    below = bifurcation_diagram(CUBIC, [0.99], [-0.1, 0.1], 5000)
    np.testing.assert_allclose(below.states[-1, 0], [-1, 1], atol=1e-6)
    beyond = bifurcation_diagram(CUBIC, [1.01], [0.1], 5000).states[:, 0, 0]
    np.testing.assert_allclose(beyond[2:], beyond[:-2], atol=1e-12)
    assert abs(beyond[1] - beyond[0]) > 0.05


def test_sign_of_the_start_decides_until_the_attractors_merge():
    starts = np.random.default_rng(1).normal(0, 0.1, 8)
    apart = bifurcation_diagram(CUBIC, [0.4, 1.2, 1.55], starts, 500).states
    assert np.all(np.sign(apart) == np.sign(starts))
    merged = bifurcation_diagram(CUBIC, [1.65], starts, 500).states
    assert np.all(merged.min(axis=0) < 0) and np.all(merged.max(axis=0) > 0)


def test_orbits_escape_beyond_two_and_are_marked():
    diagram = bifurcation_diagram(CUBIC, [1.9, 2.1], [0.1, -0.2], 2000)
    assert diagram.escaped.tolist() == [[False, False], [True, True]]
    assert np.isnan(diagram.states[:, 1]).all() and np.isfinite(diagram.states[:, 0]).all()
    found = lyapunov_exponent(CUBIC, [1.9, 2.1], 0.1, 0, 20_000)
    assert found.escaped.tolist() == [False, True]
    assert np.isnan(found.value[1]) and np.isnan(found.error[1]) and found.value[0] > 0.5


def test_diagram_keeps_what_follows_the_transient():
    orbit = one_dimensional.orbit(CUBIC, 1.7, 0.1, 30)
    diagram = bifurcation_diagram(CUBIC, [1.7, 1.8], [0.1], 11, keep=20)
    np.testing.assert_array_equal(diagram.states[:, 0, 0], orbit[11:])
    own = bifurcation_diagram(CUBIC, [1.7, 1.8], [[0.1], [0.3]], 0, keep=1)
    np.testing.assert_array_equal(own.states[0], [[0.1], [0.3]])


def test_standard_error_is_that_of_independent_runs():
    starts = np.random.default_rng(2).normal(0, 0.1, 60)
    runs = lyapunov_exponent(CUBIC, 1.9, starts, 200, 2000)
    assert 0.7 < runs.value.std(ddof=1) / np.median(runs.error) < 1.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one_dimensional.orbit(CUBIC, -0.3, 0.1, 5), "rate η = -0.3 must be > 0 and fin"),
        (lambda: bifurcation_diagram(CUBIC, [0.5, 0.0], [0.1], 5), "rate η = 0.0 must be > 0"),
        (lambda: lyapunov_exponent(CUBIC, np.inf, 0.1, 5, 20), "rate η = inf must be > 0"),
        (lambda: one_dimensional.orbit(LOGISTIC, np.nan, 0.1, 5), "parameter r = nan must be > 0"),
        (lambda: one_dimensional.orbit(CUBIC, 1.0, np.nan, 3), "state nan must be finite: did an"),
        (lambda: one_dimensional.orbit(CUBIC, 1.0, 0.1, 2.5), "steps = 2.5: must be a whole numbe"),
        (lambda: bifurcation_diagram(CUBIC, [1.0], [0.1], -1), "transient = -1: must be a whole"),
        (lambda: lyapunov_exponent(CUBIC, 1.0, 0.1, 0, 30), "batches = 20 must divide steps = 30"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_maps_need_no_torch():
    code = "import sys, netdyn_lib.maps.windows; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
