"""Bifurcations against closed forms.

With S = 1 + η and a = f(w)/w, a cycle w → aw → ±w of the cubic map satisfies
S ∓ 1/a = a²(S − a).  For the cycle of period 2 this is a + 1/a = S, with
multiplier 9 − 2S²; for the symmetric one of period 4, with t = a − 1/a, it is
t² − St + 2 = 0, which has solutions from S = √8 on.  At w = c, a = 2S/3.
"""

import numpy as np
import pytest

from netdyn_lib.maps import bifurcations
from netdyn_lib.maps.bifurcations import TO_BIRTH, TO_DOUBLING, cycle, follow, jet, superstable
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC


def test_jet_agrees_with_differences():
    x, p, m, h = 0.31, 1.37, 5, 1e-6
    value = lambda x, p: jet(CUBIC, x, p, m)  # noqa: E731
    for k, (column, dx, dp) in enumerate([(0, h, 0), (0, 0, h), (1, h, 0), (1, 0, h)], start=1):
        slope = (value(x + dx, p + dp)[column] - value(x - dx, p - dp)[column]) / (2 * h)
        assert value(x, p)[k] == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize(
    ("map", "word", "known"),
    [
        (CUBIC, [], 0.5),
        (CUBIC, [1], 3 / 2**0.5 - 1),
        (CUBIC, [2], ((54 + 5508**0.5) / 16) ** 0.5 - 1),
        (LOGISTIC, [], 2.0),
        (LOGISTIC, [1], 1 + 5**0.5),
        (LOGISTIC, [1, 0], 3.8318740552833155),
    ],
)
def test_superstable_parameters(map, word, known):
    (p,), (error,) = superstable(map, [word], 0.2, map.exact[0])
    assert abs(p - known) < 1e-12
    assert error < 1e-13


@pytest.mark.parametrize(
    ("map", "word", "known"),
    [(CUBIC, [], 1.0), (CUBIC, [1], 5**0.5 - 1), (LOGISTIC, [], 3.0), (LOGISTIC, [1], 1 + 6**0.5)],
)
def test_cycles_double_where_they_should(map, word, known):
    p = superstable(map, [word], 0.2, map.exact[0])[0]
    _, p, _ = follow(map, len(word) + 1, 1, TO_DOUBLING, map.critical(p), p)
    np.testing.assert_allclose(p, known, atol=1e-12)


@pytest.mark.parametrize(
    ("map", "word", "sign", "known"),
    [(CUBIC, [2], -1, 8**0.5 - 1), (LOGISTIC, [1, 0], 1, 1 + 8**0.5)],
)
def test_cycles_are_born_where_they_should(map, word, sign, known):
    p = superstable(map, [word], 0.2, map.exact[0])[0]
    assert bifurcations.signs(map, [word]).tolist() == [sign]
    x, p, _ = follow(map, len(word) + 1, sign, TO_BIRTH, map.critical(p), p)
    np.testing.assert_allclose(p, known, atol=1e-12)
    np.testing.assert_allclose(sign * jet(map, x, p, len(word) + 1)[0], x, atol=1e-10)


def test_multiplier_of_a_cycle_is_the_one_asked_for():
    x, p, _ = cycle(CUBIC, 2, 1, 0.25, CUBIC.critical(1.12), 1.12)
    assert jet(CUBIC, x, p, 2)[1] == pytest.approx(0.25, abs=1e-12)
    assert 9 - 2 * (1 + p) ** 2 == pytest.approx(0.25, abs=1e-12)


def test_attractors_merge_where_the_formula_says():
    assert abs(bifurcations.merging(CUBIC, 1.0, 2.0) - (1.5 * 3**0.5 - 1)) < 1e-14


def test_merging_is_the_crisis_of_the_first_window():
    x, p, _ = bifurcations.crisis(CUBIC, 1, 1, 0.01, 1.6)
    assert abs(x) < 1e-14
    assert abs(p - (1.5 * 3**0.5 - 1)) < 1e-12


def test_orbits_escape_at_two():
    assert abs(bifurcations.escape(CUBIC, 1.7, 3.0) - 2) < 1e-14


def test_newton_refuses_what_has_no_root():
    def equations(x, p):
        return (x * x + 1, p), (2 * x, 0.0), (0.0, 1.0)

    with pytest.raises(ArithmeticError, match="found no such thing for 1 cycle"):
        bifurcations.newton(equations, 0.7, 0.3, "such thing")


def test_polish_refuses_to_leave_its_guess():
    with pytest.raises(ArithmeticError, match="left the word found at learning rate η = 1.1"):
        bifurcations.polish(CUBIC, 2, 1, 1.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bifurcations.merging(LOGISTIC, 3.0, 4.0), "logistic map is not odd"),
        (
            lambda: bifurcations.merging(CUBIC, 1.0, 1.2),
            "no point where the attractors merge between learning rate η",
        ),
        (
            lambda: bifurcations.escape(CUBIC, 1.0, 1.2),
            "no point where the critical orbit escapes between",
        ),
        (lambda: bifurcations.merging(CUBIC, 0.0, 2.0), "learning rate η = 0.0 must be > 0"),
        (lambda: superstable(CUBIC, [[1]], np.nan, 2.0), "learning rate η = nan must be > 0"),
        (lambda: superstable(CUBIC, [[1]], 1.5, 2.0), "word 1C is not passed"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
