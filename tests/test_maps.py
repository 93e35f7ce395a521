"""One-dimensional maps against what is known of them by analysis."""

import numpy as np
import pytest

from netdyn_lib.maps import one_dimensional
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC

both = pytest.mark.parametrize("map", [CUBIC, LOGISTIC], ids=lambda map: map.name)


@both
def test_exponent_is_exact_where_the_map_multiplies_an_angle(map):
    p, known = map.exact
    found = one_dimensional.lyapunov_exponent(map, p, 0.1234, 100, 20_000)
    assert abs(found.value - known) < 5 * found.error
    assert found.error < 2e-3


@both
def test_derivatives_agree_with_differences(map):
    x, p, h = np.linspace(0.1, 0.9, 7), np.linspace(0.6, 1.9, 7), 1e-6
    along_x = lambda g: (g(x + h, p) - g(x - h, p)) / (2 * h)  # noqa: E731
    along_p = lambda g: (g(x, p + h) - g(x, p - h)) / (2 * h)  # noqa: E731
    np.testing.assert_allclose(map.dx(x, p), along_x(map.f), atol=1e-8)
    np.testing.assert_allclose(map.dp(x, p), along_p(map.f), atol=1e-8)
    np.testing.assert_allclose(map.dxx(x, p), along_x(map.dx), atol=1e-8)
    np.testing.assert_allclose(map.dxp(x, p), along_p(map.dx), atol=1e-8)


@both
def test_laps_part_rising_from_falling(map):
    p = map.exact[0] * 0.9
    edges = map.laps(p)
    assert abs(map.dx(edges[0], p)) < 1e-14
    size = lambda x: map.fold(map.f(x, p))  # noqa: E731
    for edge, turn in zip(edges, (1, -1), strict=False):  # up then down, then down and up
        assert turn * size(edge) > turn * size(edge - 1e-3)
        assert turn * size(edge) > turn * size(edge + 1e-3)


def test_cubic_at_two_triples_an_angle():
    theta = np.linspace(-1.5, 1.5, 31)
    np.testing.assert_allclose(
        CUBIC.f(2**0.5 * np.sin(theta), 2.0), 2**0.5 * np.sin(3 * theta), atol=1e-14
    )


def test_exponent_of_the_minimum():
    rates = np.array([0.1, 0.3, 0.7, 0.95])
    found = one_dimensional.lyapunov_exponent(CUBIC, rates, 0.1, 5000, 20)
    np.testing.assert_allclose(found.value, np.log(abs(1 - 2 * rates)), atol=1e-9)
    assert np.all(found.error < 1e-9)


def test_exponent_on_the_saddle_is_positive_at_every_rate():
    rates = np.array([0.1, 0.5, 1.5])
    np.testing.assert_allclose(
        one_dimensional.lyapunov_exponent(CUBIC, rates, 0.0, 0, 20).value,
        np.log(1 + rates),
        atol=1e-12,
    )


def test_superstable_exponent_is_minus_infinity():
    assert one_dimensional.lyapunov_exponent(CUBIC, 0.5, 1.0, 0, 20).value == -np.inf


def test_minima_lose_stability_at_one():
    assert (
        one_dimensional.share_near(
            one_dimensional.bifurcation_diagram(CUBIC, [0.99], [-0.1, 0.1], 5000), (-1, 1)
        )
        == 1
    )
    beyond = one_dimensional.bifurcation_diagram(CUBIC, [1.01], [0.1], 5000).states[:, 0, 0]
    np.testing.assert_allclose(beyond[2:], beyond[:-2], atol=1e-12)
    assert abs(beyond[1] - beyond[0]) > 0.05


def test_sign_of_the_start_decides_until_the_attractors_merge():
    starts = one_dimensional.initial_states(8, seed=1)
    apart = one_dimensional.bifurcation_diagram(CUBIC, [0.4, 1.2, 1.55], starts, 500).states
    assert np.all(np.sign(apart) == np.sign(starts))
    merged = one_dimensional.bifurcation_diagram(CUBIC, [1.65], starts, 500).states
    assert np.all(merged.min(axis=0) < 0) and np.all(merged.max(axis=0) > 0)


def test_orbits_escape_beyond_two_and_are_marked():
    diagram = one_dimensional.bifurcation_diagram(CUBIC, [1.9, 2.1], [0.1, -0.2], 2000)
    assert diagram.escaped.tolist() == [[False, False], [True, True]]
    assert np.isnan(diagram.states[:, 1]).all() and np.isfinite(diagram.states[:, 0]).all()
    found = one_dimensional.lyapunov_exponent(CUBIC, [1.9, 2.1], 0.1, 0, 20_000)
    assert found.escaped.tolist() == [False, True]
    assert np.isnan(found.value[1]) and np.isnan(found.error[1]) and found.value[0] > 0.5


def test_escaped_orbits_count_as_neither_near_nor_positive():
    assert (
        one_dimensional.share_near(
            one_dimensional.bifurcation_diagram(CUBIC, [0.5, 2.5], [0.1], 2000), (1,)
        )
        == 0.5
    )
    assert (
        one_dimensional.lyapunov_exponent(CUBIC, [1.9, 2.5], 0.1, 0, 20_000).positive_share() == 0.5
    )


def test_diagram_keeps_what_follows_the_transient():
    orbit = one_dimensional.orbit(CUBIC, 1.7, 0.1, 30)
    diagram = one_dimensional.bifurcation_diagram(CUBIC, [1.7, 1.8], [0.1], 11, keep=20)
    np.testing.assert_array_equal(diagram.states[:, 0, 0], orbit[11:])
    own = one_dimensional.bifurcation_diagram(CUBIC, [1.7, 1.8], [[0.1], [0.3]], 0, keep=1)
    np.testing.assert_array_equal(own.states[0], [[0.1], [0.3]])


def test_standard_error_is_that_of_independent_runs():
    starts = one_dimensional.initial_states(60, seed=2)
    runs = one_dimensional.lyapunov_exponent(CUBIC, 1.9, starts, 200, 2000)
    assert 0.7 < runs.value.std(ddof=1) / np.median(runs.error) < 1.4


def test_positive_share_asks_for_so_many_errors():
    found = one_dimensional.Exponent(
        np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, -1.0]), np.full(3, 0.1), np.zeros(3, bool)
    )
    assert found.positive_share(errors=0) == pytest.approx(2 / 3)
    assert found.positive_share(errors=2) == pytest.approx(1 / 3)
    assert found.positive_share(errors=0, low=1.5) == 0.5


def test_initial_states_follow_the_seed_and_the_scale():
    np.testing.assert_array_equal(
        one_dimensional.initial_states(5, seed=3), one_dimensional.initial_states(5, seed=3)
    )
    assert one_dimensional.initial_states(20_000, scale=0.1).std() == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize("bad", [0.0, -0.3, np.nan, np.inf])
@pytest.mark.parametrize(
    "call",
    [
        lambda p: one_dimensional.orbit(CUBIC, p, 0.1, 5),
        lambda p: one_dimensional.bifurcation_diagram(CUBIC, [0.5, p], [0.1], 5),
        lambda p: one_dimensional.lyapunov_exponent(CUBIC, p, 0.1, 5, 20),
        lambda p: one_dimensional.cobweb(CUBIC, p, 0.1, 5),
    ],
    ids=["orbit", "diagram", "exponent", "cobweb"],
)
def test_bad_learning_rates_are_named(call, bad):
    with pytest.raises(ValueError, match=rf"learning rate η = {bad} must be > 0 and finite: "):
        call(bad)


def test_bad_parameter_of_another_map_is_named():
    with pytest.raises(ValueError, match="parameter r = -1.0 must be > 0 and finite: "):
        one_dimensional.orbit(LOGISTIC, -1.0, 0.1, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: one_dimensional.orbit(CUBIC, 1.0, 0.1, 0),
            "steps = 0 must be a whole number >= 1",
        ),
        (
            lambda: one_dimensional.orbit(CUBIC, 1.0, 0.1, 2.5),
            "steps = 2.5 must be a whole number >= 1",
        ),
        (
            lambda: one_dimensional.orbit(CUBIC, 1.0, np.nan, 3),
            "initial state nan must be finite: did an earlier orbit escape",
        ),
        (
            lambda: one_dimensional.bifurcation_diagram(CUBIC, [1.0], [0.1], -1),
            "transient = -1 must be a whole number >= 0",
        ),
        (
            lambda: one_dimensional.bifurcation_diagram(CUBIC, [1.0], [0.1], 5, keep=0),
            "keep = 0 must be a whole number >= 1",
        ),
        (lambda: one_dimensional.lyapunov_exponent(CUBIC, 1.0, 0.1, 0, 0), "steps = 0 must be"),
        (
            lambda: one_dimensional.lyapunov_exponent(CUBIC, 1.0, 0.1, 0, 30),
            "batches = 20 must divide steps = 30",
        ),
        (
            lambda: one_dimensional.lyapunov_exponent(CUBIC, 1.0, 0.1, 0, 30, batches=1),
            "batches = 1 must be",
        ),
        (lambda: one_dimensional.initial_states(0), "number = 0 must be"),
        (lambda: one_dimensional.initial_states(3, scale=0.0), "scale = 0.0 must be > 0"),
        (lambda: one_dimensional.grid(0, 1, 0), "number = 0 must be"),
        (
            lambda: one_dimensional.lyapunov_exponent(CUBIC, [1.0], 0.1, 0, 20).positive_share(
                low=3
            ),
            r"no parameter lies in \(3, ",
        ),
        (
            lambda: one_dimensional.share_near(
                one_dimensional.bifurcation_diagram(CUBIC, [1.0], [0.1], 5), (1,), low=3
            ),
            "no parameter lies",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
