"""Bifurcations against closed forms, words against an independent count and search.

With S = 1 + η and a = f(w)/w, a cycle w → aw → ±w of the cubic map satisfies
S ∓ 1/a = a²(S − a).  For the cycle of period 2 this is a + 1/a = S, with
multiplier 9 − 2S²; for the symmetric one of period 4, with t = a − 1/a, it is
t² − St + 2 = 0, which has solutions from S = √8 on.  At w = c, a = 2S/3.
"""

import numpy as np
import pytest

from netdyn_lib.maps import bifurcations, one_dimensional
from netdyn_lib.maps.bifurcations import TO_BIRTH, TO_DOUBLING, cycle, follow, jet, locate
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC


def superstable(map, word):
    guess, sign = locate(map, [word], 0.2, map.exact[0]), bifurcations.signs(map, [word])
    return bifurcations.polish(map, len(word) + 1, sign, guess)


def test_jet_agrees_with_differences():
    x, p, m, h = 0.31, 1.37, 5, 1e-6
    value = lambda x, p: jet(CUBIC, x, p, m)
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
    (p,), (error,) = superstable(map, word)
    assert abs(p - known) < 1e-12 and error < 1e-13


@pytest.mark.parametrize(
    ("map", "word", "known"),
    [(CUBIC, [], 1.0), (CUBIC, [1], 5**0.5 - 1), (LOGISTIC, [], 3.0), (LOGISTIC, [1], 1 + 6**0.5)],
)
def test_cycles_double_where_they_should(map, word, known):
    p = superstable(map, word)[0]
    _, p, _ = follow(map, len(word) + 1, 1, TO_DOUBLING, map.critical(p), p)
    np.testing.assert_allclose(p, known, atol=1e-12)


@pytest.mark.parametrize(
    ("map", "word", "sign", "known"),
    [(CUBIC, [2], -1, 8**0.5 - 1), (LOGISTIC, [1, 0], 1, 1 + 8**0.5)],
)
def test_cycles_are_born_where_they_should(map, word, sign, known):
    p = superstable(map, word)[0]
    assert bifurcations.signs(map, [word]).tolist() == [sign]
    x, p, _ = follow(map, len(word) + 1, sign, TO_BIRTH, map.critical(p), p)
    np.testing.assert_allclose(p, known, atol=1e-12)
    np.testing.assert_allclose(sign * jet(map, x, p, len(word) + 1)[0], x, atol=1e-10)


def test_multiplier_of_a_cycle_is_the_one_asked_for():
    x, p, _ = cycle(CUBIC, 2, 1, 0.25, CUBIC.critical(1.12), 1.12)
    assert jet(CUBIC, x, p, 2)[1] == pytest.approx(0.25, abs=1e-12)
    assert 9 - 2 * (1 + p) ** 2 == pytest.approx(0.25, abs=1e-12)


def test_attractors_merge_in_the_crisis_of_the_first_window_and_orbits_escape_at_two():
    assert abs(bifurcations.merging(CUBIC, 1.0, 2.0) - (1.5 * 3**0.5 - 1)) < 1e-14
    x, p, _ = bifurcations.crisis(CUBIC, 1, 1, 0.01, 1.6)
    assert abs(x) < 1e-14 and abs(p - (1.5 * 3**0.5 - 1)) < 1e-12
    assert abs(bifurcations.escape(CUBIC, 1.7, 3.0) - 2) < 1e-14


def test_newton_refuses_what_has_no_root_and_what_is_far_away():
    no_root = lambda x, p: ((x * x + 1, p), (2 * x, 0.0), (0.0, 1.0))
    with pytest.raises(ArithmeticError, match="found no such thing for 1 cycle"):
        bifurcations.newton(no_root, 0.7, 0.3, "such thing")
    with pytest.raises(ArithmeticError, match="left the word found at learning rate η = 1.1"):
        bifurcations.polish(CUBIC, 2, 1, 1.1)


def expected(laps, period):
    """Möbius count of the superstable cycles of a map that reaches all its laps."""
    divisors = [d for d in range(1, period + 1, 2) if period % d == 0]
    terms = (mobius(d) * (laps ** (period // d) - (laps == 3)) for d in divisors)
    return sum(terms) // (2 * period)


def mobius(n):
    primes = [q for q in range(2, n + 1) if n % q == 0 and all(q % r for r in range(2, q))]
    return 0 if any(n % (q * q) == 0 for q in primes) else (-1) ** len(primes)


@pytest.mark.parametrize("laps", [2, 3])
def test_number_of_words_is_the_known_one(laps):
    periods = range(1, 9)
    found = [len(bifurcations.words(laps, m)) for m in periods]
    assert found == [expected(laps, m) for m in periods]


@pytest.mark.parametrize("period", [3, 4, 5])
@pytest.mark.parametrize(
    ("map", "low", "high"), [(CUBIC, 0.6, 2.0), (LOGISTIC, 2.1, 4.0)], ids=["cubic", "logistic"]
)
def test_words_lie_where_a_fine_scan_finds_closing_orbits(map, low, high, period):
    p = one_dimensional.grid(low, high, 200_000)
    x = c = map.critical(p) + 0 * p
    for _ in range(period):
        x = map.f(x, p)
    gap = map.fold(x) - c
    crossed = p[np.flatnonzero(np.sign(gap[1:]) != np.sign(gap[:-1]))]
    laps = len(map.laps(high)) + 1
    closing = [q for q in range(2, period + 1) if period % q == 0]  # shorter orbits close too
    found = [locate(map, bifurcations.words(laps, q), low, high) for q in closing]
    np.testing.assert_allclose(crossed, np.sort(np.concatenate(found)), atol=2 * (p[1] - p[0]))


def test_a_doubled_word_follows_its_mother_and_no_other_word_is_a_double():
    word = [1, 0]
    for _ in range(4):
        twice = bifurcations.double(word)
        assert bifurcations.is_double([twice])[0]
        mother, child = (locate(CUBIC, [w], 1.0, 2.0)[0] for w in (word, twice))
        assert mother < child < 1.4729277  # and within the window
        word = twice
    assert not bifurcations.is_double(bifurcations.words(2, 3)).any()
    assert bifurcations.is_double(bifurcations.words(2, 4)).tolist() == [False, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bifurcations.merging(LOGISTIC, 3.0, 4.0), "logistic map is not odd"),
        (lambda: bifurcations.merging(CUBIC, 1.0, 1.2), "no point where the attractors merge betw"),
        (lambda: locate(CUBIC, [[2]], 1.0, 1.5), "word 2C is not passed between learning rate η"),
        (lambda: bifurcations.words(1, 3), "laps = 1 and period = 3 must be"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
