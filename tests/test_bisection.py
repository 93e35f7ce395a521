import math

import pytest

from netdyn_lib.experiments.sweet_spot import bisect


def counted(share):
    seen = []

    def probe(rate):
        seen.append(rate)
        return share(rate)

    return probe, seen


def step(at):
    return lambda rate: float(rate >= at)


def tent(rate):
    """Rises from 0 at η = 1 to 1 at 4, and is down to 0.4 from 10 on."""
    return (
        0.0 if rate < 1 else math.log(rate, 4) if rate <= 4 else max(0.4, 1 - math.log(rate / 4, 4))
    )


@pytest.mark.parametrize(
    "low, high", [(0.1, 100.0), (1e-3, None), (20.0, 100.0), (8.0, None), (1e-3, 1e-2)]
)
def test_a_step_is_found_from_any_bracket(low, high):
    found = bisect(step(7.5), low, high, tolerance=1.05)
    assert found.low < 7.5 <= found.high and found.high / found.low <= 1.05
    assert found.converged and found.monotonic and "not monotonic" not in found.reason
    assert list(found.rates) == sorted(found.rates) and len(found.rates) == len(found.shares)


def test_every_rate_is_probed_once_and_the_bracket_halves_in_the_logarithm():
    probe, seen = counted(step(7.5))
    bisect(probe, 1.0, 16.0, tolerance=1.2)
    assert len(set(seen)) == len(seen) == 2 + 4  # 16 to 1.19 by square roots
    assert seen[:3] == [1.0, 16.0, 4.0]


@pytest.mark.parametrize("high", [3.0, 10.0, 50.0, None])
def test_a_share_that_falls_again_is_still_found_and_reported(high):
    found = bisect(tent, 0.1, high, level=0.9, tolerance=1.1)
    assert tent(found.low) < 0.9 <= tent(found.high)
    assert found.low < 4**0.9 * (1 + 1e-12) and found.high < 5
    if high == 50.0:  # beyond the fall: both sides of the tent were probed
        assert not found.monotonic and "p is not monotonic: it falls from" in found.reason


def test_a_window_within_a_bracket_of_zeros_is_found():
    found = bisect(lambda rate: float(7 <= rate < 300), 1e-3, 1e6)
    assert found.low < 7 <= found.high and not found.monotonic


def test_a_search_that_runs_out_of_probes_says_so():
    found = bisect(step(7.5), 0.1, 100.0, tolerance=1.0001, most_probes=5)
    assert (
        not found.converged and len(found.rates) == 5 and "stopped after 5 probes" in found.reason
    )


@pytest.mark.parametrize(
    "share, options, message",
    [
        (
            lambda rate: 0.0,
            {},
            r"p\(0.001\) = 0 and p\(1e\+04\) = 0 do not bracket the level 0.9 after 8 probes; no initial condition",
        ),
        (lambda rate: 1.0, {}, "do not bracket .* sensitive already: give a smaller low"),
        (lambda rate: 0.5 * (rate > 1), {}, "the largest is p.* = 0.5: lower the level"),
        (step(1e3), dict(expansions=1), "no initial condition"),
        (step(1e3), dict(most_probes=2), "after 2 probes"),
        (lambda rate: 1.0, dict(most_probes=2), "after 2 probes"),
    ],
)
def test_what_does_not_bracket(share, options, message):
    with pytest.raises(ValueError, match=message):
        bisect(share, 1e-3, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(low=0.0), "low = 0"),
        (dict(low=2.0, high=1.0), "low = 2.0 and high = 1.0"),
        (dict(low=1.0, level=0.0), "level = 0"),
        (dict(low=1.0, level=1.5), "level = 1.5"),
        (dict(low=1.0, tolerance=1.0), "tolerance = 1"),
        (dict(low=1.0, growth=float("nan")), "growth = nan"),
        (dict(low=1.0, most_probes=1), "most_probes = 1"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        bisect(step(3), **options)
