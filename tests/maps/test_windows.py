"""Periodic windows against closed forms and against orbits."""

import numpy as np
import pytest

from netdyn_lib.maps import bifurcations, one_dimensional, windows
from netdyn_lib.maps.one_dimensional import CUBIC, LOGISTIC

ONSET = 1.3022834627


@pytest.fixture(scope="module")
def found():
    return windows.search(CUBIC, 7, ONSET, 2.0, narrowest=1e-5)


@pytest.fixture(scope="module")
def every():
    return windows.search(CUBIC, 7, ONSET, 2.0, narrowest=1e-12)


def settled(p, steps):
    """Return the last states of the critical orbits, (steps + 1, ...)."""
    return one_dimensional.orbit(
        CUBIC, p, one_dimensional.orbit(CUBIC, p, CUBIC.critical(p), 6000)[-1], steps
    )


def test_edges_are_those_known(found):
    logistic = windows.search(LOGISTIC, 3, 3.57, 4.0)
    assert logistic.word.tolist() == ["10C"]
    assert abs(logistic.opening[0] - (1 + 8**0.5)) < 1e-12
    assert abs(logistic.superstable[0] - 3.8318740552833155) < 1e-12
    assert abs(logistic.closing[0] - 3.8568006524) < 1e-9  # Grebogi, Ott and Yorke (1983): 3.8568
    symmetric = found[found.word == "2C"].iloc[0]
    assert abs(symmetric.opening - (8**0.5 - 1)) < 1e-12 and symmetric.full_period == 4


def test_edges_are_ordered_and_widest_comes_first(found):
    edges = found[["opening", "superstable", "doubling", "closing"]]
    assert np.all(np.diff(edges, axis=1) > 0) and found.error.max() < 1e-13
    assert np.all(np.diff(found.width) <= 0) and found.width.min() >= 1e-5


def test_orbits_in_a_window_have_its_period(found):
    for m, some in found.groupby("full_period"):
        opening, superstable, doubling = some[["opening", "superstable", "doubling"]].values.T
        inside = opening + 0.01 * (superstable - opening), superstable
        p = np.stack([*inside, opening + 0.99 * (doubling - opening)])
        states = settled(p, m)
        returns = np.abs(states[1:] - states[0])
        assert returns[-1].max() < 1e-6 and returns[:-1].min(initial=np.inf) > 1e-4, m
        assert (
            one_dimensional.lyapunov_exponent(CUBIC, p, states[0], 0, 100 * m, 2).value < 0
        ).all()


def test_the_cycle_is_gone_before_its_window_opens(found):
    widest = found.head(8)
    states = settled(widest.opening.values - 0.01 * widest.width.values, 3000)
    for k, m in enumerate(widest.full_period):
        assert np.abs(states[m:, k] - states[:-m, k]).max() > 0.1, widest.word[k]


@pytest.mark.parametrize(("shift", "confined"), [(-1e-3, True), (1e-2, False)])
def test_the_crisis_lets_orbits_out_of_their_band(found, shift, confined):
    for k in range(6):
        m, sign = int(found.period[k]), float(found.sign[k])
        p = found.closing[k] + shift * found.width[k]
        low, high = sorted(windows.critical_band(CUBIC, m, sign, p))
        states = one_dimensional.orbit(CUBIC, p, float(CUBIC.critical(p)), 5000 * m)[::m]
        states = states * sign ** np.arange(len(states))  # the orbit of c under F = s fᵐ
        inside = (states >= low - 1e-9) & (states <= high + 1e-9)
        assert inside.all() == confined, found.word[k]


def test_narrow_windows_are_those_of_a_parabola(every):
    narrow = every.doubling_share[every.width < 1e-7]
    assert len(narrow) > 50
    np.testing.assert_allclose(narrow, 4 / 9, atol=5e-4)


def test_no_wide_window_is_left_out(every, found):
    assert set(every.word[every.width >= 1e-5]) == set(found.word)
    words = [bifurcations.words(3, m) for m in range(2, 8)]
    assert len(every) == sum((~bifurcations.is_double(w)).sum() for w in words)


def test_outermost_windows_are_apart_and_the_others_inside_them():
    found = windows.search(CUBIC, 9, ONSET, 2.0, narrowest=1e-5)
    outer, others = found[found.outermost].sort_values("opening"), found[~found.outermost]
    assert np.all(outer.opening.values[1:] > outer.closing.values[:-1])
    assert 0 < len(others) < len(outer)
    for opening, closing in zip(others.opening, others.closing):
        assert ((outer.opening < opening) & (closing < outer.closing)).any()


def test_magnified_diagram_follows_both_critical_points():
    diagram = windows.magnify(CUBIC, 1.4504, 1.46, 20, 2000, 6)
    assert np.all(diagram.states[:, :, 0] > 0) and np.all(diagram.states[:, :, 1] < 0)
    merging = bifurcations.merging(CUBIC, 1.0, 2.0)
    assert windows.critical_band(CUBIC, 1, 1, merging)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, -1.0, 2.0), ValueError, "learning rate η = -1.0 must be > 0"),
        ((3, ONSET, 2.0, 0.5), ValueError, "no window of period <= 3 and width >= 0.5 between"),
        ((9, ONSET, 2.0, 1e-18), ArithmeticError, "raise `narrowest`"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        windows.search(CUBIC, *arguments)
