"""The reduced map: its closed forms, its fixed point, its exponent and its attractors."""

import numpy as np
import pytest

from netdyn_lib.experiments import saturation
from netdyn_lib.series import phases

EQUAL = np.ones(3) / 3
UNEQUAL = np.array([40, 41, 39]) / 120


def test_the_map_conserves_the_sum_and_has_its_fixed_point():
    target = np.array([0.2, 0.5, 0.3])
    z = np.random.default_rng(0).normal(size=(7, 3))
    after = saturation.step(z, np.full(7, 9.0), target)
    assert after.sum(-1) == pytest.approx(z.sum(-1))
    assert saturation.step(np.log(target), 9.0, target) == pytest.approx(np.log(target))
    assert saturation.reduced_loss(np.log(target), target) == pytest.approx(
        -(target * np.log(target)).sum()
    )


def test_the_fixed_point_loses_stability_at_the_critical_gain():
    target, critical = UNEQUAL, saturation.critical_gain(UNEQUAL)
    start = np.log(target) + 1e-6 * np.array([1, -2, 1])
    for factor, stable in ((0.97, True), (1.03, False)):
        orbit = saturation.reduced_orbit(start, factor * critical, target, 2000)
        away = np.abs(orbit[-2:] - np.log(target)).max()
        assert (away < 1e-6) == stable
        # The largest exponent of a fixed point is ln|1 - g λ| of an eigenvalue λ.
        spectrum = np.linalg.eigvalsh(np.diag(target) - np.outer(target, target))[1:]
        if stable:
            found, _ = saturation.exponent(start, factor * critical, target, 400, 200)
            assert found == pytest.approx(
                np.log(np.abs(1 - factor * critical * spectrum)).max(), abs=1e-3
            )


def test_the_exponent_is_the_growth_of_a_small_difference():
    target, gain = UNEQUAL, 10.0
    z = saturation.reduced_orbit(np.array([[0.3, -0.2, -0.1]]), gain, target, 500)[-1]
    found, _ = saturation.exponent(z, gain, target, 3000, 100)
    rates = []
    for _ in range(300):  # renormalised pairs
        near = z + 1e-9 * np.array([1, -1, 0])
        far = saturation.reduced_orbit(near, gain, target, 20)[-1] - (
            z := saturation.reduced_orbit(z, gain, target, 20)[-1]
        )
        rates.append(np.log(np.linalg.norm(far) / (1e-9 * np.sqrt(2))) / 20)
    assert found[0] > 0.1
    assert np.mean(rates) == pytest.approx(found[0], rel=0.15)


def test_equal_classes_rotate_at_a_third_of_the_gain():
    gain = 60.0
    z = saturation.reduced_orbit(gain * np.array([1, 0, -1]) / 3, gain, EQUAL, 30)
    losses = saturation.reduced_loss(z, EQUAL)
    assert losses == pytest.approx(gain / 3, rel=1e-6)
    assert z[3] == pytest.approx(z[0], abs=1e-6)
    assert np.abs(z[1] - z[0]).max() > gain / 4


def test_the_loss_of_equal_classes_hides_the_rotation_and_that_of_unequal_ones_does_not():
    for target, label in ((EQUAL, 1), (UNEQUAL, 3)):
        z = saturation.reduced_orbit(np.array([5.0, 0.0, -5.0]), 20.0, target, 3000)[-121:]
        assert phases.classify(z[:, 0])[-1] == 3
        assert phases.classify(saturation.reduced_loss(z, target), scale=1.0)[-1] == label


def test_the_diagram_knows_fixed_point_and_chaos():
    found = saturation.bifurcation(5, 10, 2, UNEQUAL, starts=12, transient=400, keep=60)
    assert found.losses.shape == (2, 12 * 60)
    assert np.ptp(found.losses[0]) < 1e-9 and (found.exponents[0] < 0).all()
    assert (found.exponents[1] > 0.1).any() and (found.exponents[1] < -0.1).any()


def test_basins_are_those_of_single_orbits():
    labels, points = saturation.basins(10.0, UNEQUAL, 8, side=6, transient=200)
    assert set(np.unique(labels)) <= {0, 3} and len(np.unique(labels)) == 2
    assert points.shape == (60, 36, 2)
    ticks = (np.arange(6) + 0.5) / 6 * 16 - 8
    for row, column in np.argwhere(labels == 3):
        z = np.array([ticks[column], ticks[row]]) @ saturation._PLANE.T
        assert saturation.plane(z) == pytest.approx([ticks[column], ticks[row]])
        orbit = saturation.reduced_orbit(z, 10.0, UNEQUAL, 203)
        assert points[0].reshape(6, 6, 2)[row, column] == pytest.approx(
            saturation.plane(orbit[200]), abs=1e-6
        )
        assert orbit[203] == pytest.approx(orbit[200], abs=1e-3)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="steps = 0"):
        saturation.exponent(np.zeros(3), 5.0, EQUAL, steps=0)
    with pytest.raises(ValueError, match="starts = 0"):
        saturation.bifurcation(1, 2, 3, EQUAL, starts=0)
