"""Periodic windows against closed forms and against orbits."""

import numpy as np
import pytest

from netdyn_lib.maps import bifurcations, one_dimensional, windows
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC

ONSET = 1.3022834627


@pytest.fixture(scope="module")
def found():
    return windows.search(CUBIC, 7, ONSET, 2.0, narrowest=1e-5)


def settled(map, p, period, steps):
    """The last states of a critical orbit, longer than a period."""
    c = float(map.critical(p))
    return one_dimensional.orbit(map, p, one_dimensional.orbit(map, p, c, 6000)[-1], steps)


def test_logistic_period_three():
    found = windows.search(LOGISTIC, 3, 3.57, 4.0)
    assert found.word.tolist() == ["10C"]
    assert abs(found.opening[0] - (1 + 8**0.5)) < 1e-12
    assert abs(found.superstable[0] - 3.8318740552833155) < 1e-12
    assert abs(found.closing[0] - 3.8568006524) < 1e-9  # Grebogi, Ott and Yorke (1983): 3.8568


def test_symmetric_period_four_opens_by_algebra(found):
    k = found.word.tolist().index("2C")
    assert abs(found.opening[k] - (8**0.5 - 1)) < 1e-12
    assert found.full_period[k] == 4


def test_edges_are_ordered_and_widest_comes_first(found):
    edges = np.array([found.opening, found.superstable, found.doubling, found.closing])
    assert np.all(np.diff(edges, axis=0) > 0)
    assert np.all(np.diff(found.width) <= 0) and found.width[-1] >= 1e-5
    assert found.error.max() < 1e-13


def test_orbits_in_a_window_have_its_period(found):
    for k in range(len(found)):
        m = int(found.full_period[k])
        just_inside = found.opening[k] + 0.01 * (found.superstable[k] - found.opening[k])
        for p in (
            just_inside,
            found.superstable[k],
            0.99 * found.doubling[k] + 0.01 * found.opening[k],
        ):
            states = settled(CUBIC, p, m, 2 * m)
            returns = np.abs(states[1 : m + 1] - states[0])
            assert returns[-1] < 1e-6, (found.word[k], p)
            assert returns[:-1].min(initial=np.inf) > 1e-4, (found.word[k], p)
            assert (
                one_dimensional.lyapunov_exponent(
                    CUBIC, p, float(states[0]), 0, 100 * m, batches=2
                ).value
                < 0
            )


def test_the_cycle_is_gone_before_its_window_opens(found):
    for k in range(8):
        m = int(found.full_period[k])
        states = settled(CUBIC, found.opening[k] - 0.01 * found.width[k], m, 3000)
        assert np.abs(states[m:] - states[:-m]).max() > 0.1, found.word[k]


@pytest.mark.parametrize(("shift", "confined"), [(-1e-3, True), (1e-2, False)])
def test_the_crisis_lets_orbits_out_of_their_band(found, shift, confined):
    for k in range(6):
        m, sign = int(found.period[k]), float(found.sign[k])
        p = found.closing[k] + shift * found.width[k]
        low, high = sorted(windows.critical_band(CUBIC, m, sign, p))
        states = one_dimensional.orbit(CUBIC, p, float(CUBIC.critical(p)), 20_000 * m)[::m]
        states = states * sign ** np.arange(len(states))  # the orbit of c under F = s fᵐ
        inside = (states >= low - 1e-9) & (states <= high + 1e-9)
        assert inside.all() == confined, found.word[k]


def test_narrow_windows_are_those_of_a_parabola():
    found = windows.search(CUBIC, 7, ONSET, 2.0, narrowest=1e-12)
    narrow = found.width < 1e-7
    assert narrow.sum() > 50
    np.testing.assert_allclose(found.doubling_share[narrow], 4 / 9, atol=5e-4)


def test_no_wide_window_is_left_out(found):
    every = windows.search(CUBIC, 7, ONSET, 2.0, narrowest=1e-12)
    assert set(every.word[every.width >= 1e-5]) == set(found.word)
    words = sum(
        len(w) - bifurcations.is_double(w).sum()
        for w in (bifurcations.words(3, m) for m in range(2, 8))
    )
    assert len(every) == words


def test_outermost_windows_are_apart_and_the_others_inside_them():
    found = windows.search(CUBIC, 9, ONSET, 2.0, narrowest=1e-5)
    outer = found.outermost
    order = np.argsort(found.opening[outer])
    assert np.all(found.opening[outer][order][1:] > found.closing[outer][order][:-1])
    assert 0 < (~outer).sum() < outer.sum()
    for k in np.flatnonzero(~outer):
        assert np.any(
            (found.opening[outer] < found.opening[k]) & (found.closing[k] < found.closing[outer])
        )


def test_gaps_and_windows_fill_the_range():
    blank = np.zeros(2)
    made = windows.Windows(
        blank,
        blank,
        blank,
        np.array([2.0, 5.0]),
        blank,
        blank,
        np.array([3.0, 6.0]),
        blank,
        np.array([True, True]),
    )
    assert made.covered(0.0, 10.0) == pytest.approx(0.2)
    assert made.widest_gap(0.0, 10.0) == pytest.approx(0.4)
    assert made.widest_gap(1.0, 6.0) == pytest.approx(0.4)


def test_table_lists_the_widest(found):
    table = found.table(5)
    assert table["period"].tolist() == [3, 4, 6, 6, 5]
    assert table["opening"].tolist()[0] == round(found.opening[0], 6)


def test_magnified_diagram_follows_both_critical_points():
    diagram = windows.magnify(CUBIC, 1.4504, 1.46, 20, 2000, 6)
    assert np.all(diagram.states[:, :, 0] > 0) and np.all(diagram.states[:, :, 1] < 0)
    merging = bifurcations.merging(CUBIC, 1.0, 2.0)
    assert windows.critical_band(CUBIC, 1, 1, merging)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, ONSET, 2.0), ValueError, "longest = 1 must be a whole number >= 2"),
        ((3, -1.0, 2.0), ValueError, "learning rate η = -1.0 must be > 0"),
        ((3, 1.6, np.inf), ValueError, "learning rate η = inf must be > 0"),
        (
            (3, ONSET, 2.0, 0.0),
            ValueError,
            "narrowest = 0.0 must be > 0: there are infinitely many",
        ),
        (
            (3, ONSET, 2.0, 0.5),
            ValueError,
            "no window of period <= 3 and width >= 0.5 between learning rate η",
        ),
        ((9, ONSET, 2.0, 1e-18), ArithmeticError, "raise `narrowest`"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        windows.search(CUBIC, *arguments)
