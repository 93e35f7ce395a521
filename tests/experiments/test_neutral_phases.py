"""Covariant vectors in phases: of saturated networks, which the reduced map describes exactly, and
of networks that switch.
"""

import numpy as np
import pytest

from netdyn_lib.experiments import neutral_directions, saturation
from netdyn_lib.experiments.neutral_directions import KINDS, Window, look
from netdyn_lib.series import phases
from netdyn_lib.training import gradient_descent

FIXED, THREE, OTHER, IRREGULAR, BURST = range(5)


def column(*runs):
    return np.concatenate([np.full(length, kind) for kind, length in runs])


@pytest.fixture(scope="module")
def three_networks():
    """One of period 3 throughout; one that alternates; one that alternates and settles."""
    alternates = column((THREE, 5), (IRREGULAR, 3), (THREE, 7), (IRREGULAR, 5))
    settles = column((THREE, 4), (BURST, 1), (FIXED, 6), (IRREGULAR, 9))
    return np.stack([column((THREE, 20)), alternates, settles], 1)


def test_blocks_are_the_middle_of_phases_of_networks_that_switch_most(three_networks):
    blocks, networks = neutral_directions.choose(three_networks, 1)
    # Network 2 has four kinds: its only phases of period 3 (blocks 0 to 3), fixed (5 to 10),
    # irregular (11 to 19), burst (4).
    assert networks.tolist() == [2] * 4 and blocks.tolist() == [7, 1, 15, 4]


def test_other_networks_come_before_a_second_phase_of_one(three_networks):
    blocks, networks = neutral_directions.choose(three_networks, 5)
    found = {kind: [] for kind in range(5)}
    for block, network in zip(blocks, networks):
        found[three_networks[block, network]].append((network, block))
    # the longest of each, then what is left
    assert found[THREE] == [(2, 1), (1, 11), (0, 9), (1, 2)]
    assert found[IRREGULAR] == [(2, 15), (1, 17), (1, 6)]
    assert found[FIXED] == [(2, 7)] and found[BURST] == [(2, 4)] and found[OTHER] == []


def test_blocks_keep_away_from_beginning_and_end(three_networks):
    blocks, networks = neutral_directions.choose(three_networks, 5, skip=2, margin=6)
    # The phase of period 3 of network 2 lies in what is skipped, and so does the burst in the
    # margin.
    assert list(zip(networks, blocks)) == [(2, 7), (1, 11), (0, 9), (1, 6)]
    with pytest.raises(ValueError, match=r"no phase has its middle in blocks 18 to 19 of 20 "):
        neutral_directions.choose(three_networks, 1, skip=18)


@pytest.fixture(scope="module")
def gd(iris):
    return gradient_descent.GradientDescent(iris, 5.0)


@pytest.fixture(scope="module")
def resting(gd, saturated):
    """κ = 1 and 3, to the last bit; perturbations of the second's cycle shrink by e^−0.07 per epoch
    only.
    """
    return look(gd, saturated[[0, 2]], 1200, Window(120), 1, 1e-3)


def multipliers(gain, logits, target, period):
    """|Eigenvalues| per step of the reduced map's derivative along a cycle, and the direction of
    Σz, which stays.
    """
    product = np.eye(len(target))
    for z in saturation.reduced_orbit(logits, gain, target, period - 1):
        p = np.exp(z) / np.exp(z).sum()
        product = (np.eye(len(target)) - gain * (np.diag(p) - np.outer(p, p))) @ product
    return np.sort(np.log(np.abs(np.linalg.eigvals(product))) / period)[[1, 0, 2]]


def test_growth_in_saturated_networks_is_that_of_the_reduced_map(gd, resting, saturated):
    target, found = saturation.class_frequencies(gd.task), resting.directions
    assert resting.kind.tolist() == [FIXED, THREE] and resting.kappa.tolist() == [1, 3]
    np.testing.assert_allclose(found.growth[found.neutral], 0, atol=1e-7)
    lowest = np.sort(found.growth)[:, :2]
    for k, period in enumerate((1, 3)):
        start, epoch = saturated[[0, 2]][[k]], int(resting.epoch[k])
        run = gradient_descent.run(gd, start, epoch, (saturation.mean_logits,))
        wanted = multipliers(5.0 * resting.kappa[k], run["mean_logits"][-1, 0], target, period)
        assert wanted[2] == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(lowest[k], np.sort(wanted[:2]), rtol=1e-4)
    fixed = np.log(np.abs(1 - 5 * np.linalg.eigvalsh(np.diag(target) - np.outer(target, target))))
    np.testing.assert_allclose(lowest[0], np.sort(fixed)[:2], rtol=1e-7)
    # The fixed point's growth is the same at every epoch.
    np.testing.assert_allclose(resting.local[0][:, ~found.neutral[0]].std(0), 0, atol=1e-7)


def test_what_counts_in_saturated_networks_is_a_plane_in_the_outer_weights(resting):
    assert (resting.directions.count == 81).all() and resting.inner == 50
    np.testing.assert_allclose(resting.directions.splitting, np.pi / 2, atol=5e-3)
    np.testing.assert_allclose(resting.directions.active_weights, 3 * resting.kappa, rtol=1e-3)
    np.testing.assert_allclose(resting.outer, 1, atol=1e-4)
    # Each outer weight of a unit that is on, and each bias, has a share of 2/3 of 1/κ.
    for kappa, shares in zip(resting.kappa, resting.weights):
        assert np.isclose(shares, 2 / (3 * kappa), atol=1e-3).sum() == 3 * kappa
        assert np.isclose(shares, 0, atol=1e-3).sum() == 83 - 3 * kappa
    # half the future is 60 epochs
    assert resting.change[0] < 1e-6 and resting.change[1] < np.exp(-0.0686 * 60)
    assert np.isfinite(resting.local).all(1).sum(1).tolist() == [2, 2]
    # J is symmetric at the fixed point
    assert resting.tangency[0] == pytest.approx(np.pi / 2, abs=1e-2)
    assert 0 < resting.tangency[1] < np.pi / 2
    table = resting.table().loc[["fixed", "period 3"]]
    assert table["weights"].tolist() == [3, 9] and (table["growth 1"] == 0).all()
    assert (table["growth P"] <= table["growth P − 1"]).all()


@pytest.fixture(scope="module")
def chaotic(gd, iris):
    """A network with one unit on that is irregular throughout."""
    return look(gd, iris.initial(7)[[6]], 600, Window(60), 1, 1e-3)


@pytest.fixture(scope="module")
def switching(gd, iris):
    """A network of period 3 of which a unit opens now and then."""
    return look(gd, iris.initial(10)[[9]], 1200, Window(60), 2, 1e-3)


def test_what_counts_in_chaos_grows_and_is_in_the_outer_weights(chaotic):
    assert chaotic.kind.tolist() == [IRREGULAR] and chaotic.kappa == [2]
    found = chaotic.directions
    assert found.count == [81] and (found.growth[~found.neutral] > 0.01).all()
    assert chaotic.outer > 0.999 and found.active_weights[0] == pytest.approx(6, abs=0.1)
    # The first column of QR is the first vector: over the block it grows as Benettin says.
    assert chaotic.local[0, :, 0].mean() == pytest.approx(found.growth[0, 0], abs=1e-10)


def test_more_counts_in_a_burst(switching, gd, iris):
    burst = switching.kind == BURST
    assert burst.any() and THREE in switching.kind
    assert (switching.directions.count[burst] < 80).all() and (switching.outer[burst] < 0.9).all()
    assert (switching.alike[burst] < 1).all()
    order = [KINDS.index(name) for name, *_ in switching.table().index]
    assert order == sorted(order)
    loss = gradient_descent.run(gd, iris.initial(10)[[9]], 1200, ("loss",))["loss"]
    labels = phases.classify(loss)[switching.epoch // 60, 0]
    np.testing.assert_array_equal(phases.kinds(labels), np.minimum(switching.kind, IRREGULAR))


def test_a_bound_above_every_rate_leaves_nothing_to_measure(gd, saturated):
    found = look(gd, saturated[[0]], 180, Window(60), 1, 10.0)
    assert found.directions.count == [83] and found.kind.tolist() == [FIXED]
    for name in ("local", "weights", "outer", "tangency", "change", "turned"):
        assert np.isnan(getattr(found, name)).all(), name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (dict(turn=90), "turn = 90: .*multiple of block = 60"),
        (dict(turn=0), "turn = 0"),
        (dict(count=0), "count = 0"),
        (dict(within=0.0), "within = 0"),
        (dict(within=np.nan), "within = nan"),
        (dict(epochs=130), "130 epochs are no positive multiple"),
        (dict(epochs=120), "no phase has its middle in blocks 1 to 0 of 2"),
    ],
)
def test_bad_input_is_one_clear_error(gd, saturated, words, said):
    how = dict(epochs=180, turn=60, count=1, within=1e-3) | words
    with pytest.raises(ValueError, match=said):
        window = Window(how["turn"])
        look(gd, saturated[[0]], how["epochs"], window, how["count"], how["within"])
