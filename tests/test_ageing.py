"""Events that grow rare: the power of their rate, and what comes before them."""

import numpy as np
import pytest

from netdyn_lib.experiments import saturation


def test_the_approach_to_a_switch_is_kept_after_a_quiet_time():
    hidden = np.zeros((30, 1, 2))
    hidden[25:, 0, 1] = 1
    derivative = np.full((30, 1, 2), 1e-4)
    state = saturation.Saturation(hidden, np.zeros((30, 1)), derivative, np.zeros((30, 1, 3)))
    assert saturation.approach(state, quiet=20).shape == (1, 21)
    assert saturation.approach(state, quiet=26).shape == (0, 27)


@pytest.mark.parametrize("power", [0.0, -1.0])
def test_ageing_finds_the_power_of_a_rate(power):
    rng = np.random.default_rng(5)
    epochs = (np.arange(200) + 0.5) * 60
    events = rng.poisson(0.3 * (epochs[:, None] / 600) ** power, (200, 200))
    found = saturation.rate(events, 60)
    assert found.low <= power <= found.high
    assert found.slope == pytest.approx(power, abs=0.1)


def test_too_few_events_are_refused():
    with pytest.raises(ValueError, match="at least 3 bins"):
        saturation.rate(np.zeros((20, 5)))
