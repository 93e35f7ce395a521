"""Bands of known width, gap and narrowing."""

import numpy as np
import pytest

from netdyn_lib.series import phases
from tests.examples import cycle


def test_bands_are_measured():
    decay = np.exp(-np.arange(60) / 20)
    series = np.tile([1.0, 5.0, 3.0], 20) + np.tile([1e-3, -1e-3, 2e-3], 20) * decay
    found = phases.measure(series[:, None], np.array([[3]]))
    span = 1 - np.exp(-57 / 20)
    assert found.width[0] == pytest.approx(
        1e-3 * np.array([span, 2 * span * np.exp(-2 / 20), span * np.exp(-1 / 20)])
    )
    assert found.centre[0] == pytest.approx([1, 3, 5], abs=1e-3)
    assert found.gap[0] == pytest.approx(2, abs=0.01)
    assert found.decaying[0].tolist() == [True, True, False]
    assert (found.member[0], found.when[0]) == (0, 0)


def test_bands_that_narrow_as_a_power_give_the_power():
    blocks, block = 50, 60
    width = (np.arange(blocks) + 0.5) ** -2.0
    ramp = np.linspace(1, 0, block)[None] * width[:, None]  # (blocks, block)
    series = (cycle(3, block)[None] + 0.1 * ramp).ravel()
    both = np.stack([series, series], axis=1)
    for unit in (1.0, 1e-15):
        found = phases.measure(unit * both, np.full((blocks, 2), 3)).narrowing(skip=5)
        assert found.estimate == pytest.approx(-2, abs=0.01)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="no block has period 3"):
        phases.measure(np.ones((60, 1)), np.array([[1]]))
    with pytest.raises(ValueError, match="period 7 must"):
        phases.measure(np.ones((60, 1)), np.array([[7]]), 7)
