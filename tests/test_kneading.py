"""Words against an independent count and an independent search."""

import numpy as np
import pytest

from netdyn_lib.maps import bifurcations, one_dimensional
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC


def expected(laps, period):
    """Möbius count of the superstable cycles of a map that reaches all its laps."""
    total = 0
    for divisor in range(1, period + 1, 2):
        if period % divisor == 0:
            total += mobius(divisor) * (laps ** (period // divisor) - (laps == 3))
    return total // (2 * period)


def mobius(n):
    primes = [q for q in range(2, n + 1) if n % q == 0 and all(q % r for r in range(2, q))]
    return 0 if any(n % (q * q) == 0 for q in primes) else (-1) ** len(primes)


@pytest.mark.parametrize("laps", [2, 3])
def test_number_of_words_is_the_known_one(laps):
    assert [len(bifurcations.words(laps, m)) for m in range(1, 10)] == [
        expected(laps, m) for m in range(1, 10)
    ]


@pytest.mark.parametrize("period", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("map", "low", "high"), [(CUBIC, 0.6, 2.0), (LOGISTIC, 2.1, 4.0)], ids=["cubic", "logistic"]
)
def test_words_lie_where_a_fine_scan_finds_closing_orbits(map, low, high, period):
    p = one_dimensional.grid(low, high, 400_000)
    c = map.critical(p) + 0 * p
    x = c
    for _ in range(period):
        x = map.f(x, p)
    gap = map.fold(x) - c
    crossed = p[np.flatnonzero(np.sign(gap[1:]) != np.sign(gap[:-1]))]
    laps = len(map.laps(high)) + 1
    closing = [q for q in range(2, period + 1) if period % q == 0]  # shorter orbits close too
    found = np.concatenate(
        [bifurcations.locate(map, bifurcations.words(laps, q), low, high) for q in closing]
    )
    np.testing.assert_allclose(crossed, np.sort(found), atol=2 * (p[1] - p[0]))


def test_a_doubled_word_follows_its_mother():
    word = [1, 0]
    for _ in range(4):
        twice = bifurcations.double(word)
        assert bifurcations.is_double([twice])[0]
        mother, child = (bifurcations.locate(CUBIC, [w], 1.0, 2.0)[0] for w in (word, twice))
        assert mother < child < 1.4729277  # and within the window
        word = twice


def test_a_word_born_in_a_tangent_bifurcation_is_no_double():
    assert not bifurcations.is_double(bifurcations.words(2, 3)).any()
    assert bifurcations.is_double(bifurcations.words(2, 4)).tolist() == [False, True]


def test_signs_tell_mirror_images():
    assert bifurcations.word_signs([[2], [1]]).tolist() == [-1, 1]


def test_names_and_words_are_inverse():
    for word in bifurcations.words(3, 4):
        assert bifurcations.parse(bifurcations.name(word)) == word.tolist()
    with pytest.raises(ValueError, match="'12' is not the name of a word"):
        bifurcations.parse("12")


def test_a_word_outside_the_range_is_named():
    with pytest.raises(
        ValueError, match=r"word 2C is not passed between learning rate η = 1.0 and 1.5: widen"
    ):
        bifurcations.locate(CUBIC, [[2]], 1.0, 1.5)


@pytest.mark.parametrize(("laps", "period"), [(1, 3), (3, 0)])
def test_bad_input_is_named(laps, period):
    with pytest.raises(ValueError, match=rf"laps = {laps} and period = {period} must be"):
        bifurcations.words(laps, period)
