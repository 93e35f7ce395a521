"""Covariant vectors in phases: of saturated networks, which the reduced map describes exactly, and
of networks that switch.
"""

import numpy as np
import pytest

from netdyn_lib.experiments import neutral_directions, saturation
from netdyn_lib.experiments.neutral_directions import KINDS
from netdyn_lib.series import phases
from netdyn_lib.training import gradient_descent

FIXED, THREE, OTHER, IRREGULAR, BURST = range(5)


def test_irregular_blocks_are_bursts_unless_the_hidden_layer_rests():
    assert KINDS == ("fixed", "period 3", "other period", "irregular", "burst")
    labels = np.array([[1, 3, 2, 0], [1, 3, 2, 0]])
    rests = np.array([[True] * 4, [False] * 4])
    assert neutral_directions.kinds(labels, rests).tolist() == [
        [FIXED, THREE, OTHER, IRREGULAR],
        [FIXED, THREE, OTHER, BURST],
    ]


def column(*runs):
    return np.concatenate([np.full(length, kind) for kind, length in runs])


@pytest.fixture(scope="module")
def three_networks():
    """One of period 3 throughout; one that alternates; one that alternates and settles."""
    return np.stack(
        [
            column((THREE, 20)),
            column((THREE, 5), (IRREGULAR, 3), (THREE, 7), (IRREGULAR, 5)),
            column((THREE, 4), (BURST, 1), (FIXED, 6), (IRREGULAR, 9)),
        ],
        1,
    )


def test_blocks_are_the_middle_of_phases_of_networks_that_switch_most(three_networks):
    blocks, networks = neutral_directions.choose(three_networks, 1)
    # Network 2 has four kinds: its only phases of period 3 (blocks 0 to 3), fixed (5 to 10),
    # irregular (11 to 19), burst (4).
    assert networks.tolist() == [2] * 4 and blocks.tolist() == [7, 1, 15, 4]


def test_other_networks_come_before_a_second_phase_of_one(three_networks):
    blocks, networks = neutral_directions.choose(three_networks, 5)
    found = {
        kind: [(k, b) for b, k in zip(blocks, networks) if three_networks[b, k] == kind]
        for kind in range(5)
    }
    assert found[THREE] == [(2, 1), (1, 11), (0, 9), (1, 2)], (
        "the longest of each, then what is left"
    )
    assert found[IRREGULAR] == [(2, 15), (1, 17), (1, 6)]
    assert found[FIXED] == [(2, 7)] and found[BURST] == [(2, 4)] and found[OTHER] == [], (
        "nothing is invented"
    )


def test_blocks_keep_away_from_beginning_and_end(three_networks):
    blocks, networks = neutral_directions.choose(three_networks, 5, skip=2, margin=6)
    assert blocks.min() >= 6 and blocks.max() <= 13
    # The phase of period 3 of network 2 lies in what is skipped, and so does the burst in the
    # margin.
    assert [(k, b) for b, k in zip(blocks, networks)] == [(2, 7), (1, 11), (0, 9), (1, 6)]
    assert neutral_directions.choose(three_networks, 5, skip=16)[0].tolist() == [17]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (dict(count=0), "count = 0"),
        (dict(count=1.5), "count = 1.5"),
        (
            dict(count=1, skip=18),
            r"no phase has its middle in blocks 18 to 19 of 20 .*follow more epochs",
        ),
        (dict(count=1, margin=10), r"blocks 10 to 9 of 20 .*margin = 10"),
        (dict(count=1, margin=-1), "margin = -1"),
    ],
)
def test_a_choice_without_blocks_is_one_clear_error(three_networks, words, said):
    with pytest.raises(ValueError, match=said):
        neutral_directions.choose(three_networks, **words)


@pytest.fixture(scope="module")
def gd(iris):
    return gradient_descent.GradientDescent(iris, 5.0)


@pytest.fixture(scope="module")
def resting(gd, saturated):
    """κ = 1 and 3, to the last bit; perturbations of the second's cycle shrink by e^−0.07 per epoch
    only.
    """
    return neutral_directions.look(gd, saturated[[0, 2]], 1200, 120, 1, 1e-3)


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
    target = saturation.class_frequencies(gd.task)
    assert resting.kind.tolist() == [FIXED, THREE] and resting.kappa.tolist() == [1, 3]
    assert resting.absent == ("other period", "irregular", "burst") and (resting.alike == 1).all()
    for k, period in enumerate((1, 3)):
        start = gradient_descent.run(
            gd, saturated[[0, 2]][[k]], int(resting.epoch[k]), (saturation.mean_logits,)
        )["mean_logits"][-1, 0]
        wanted = multipliers(5.0 * resting.kappa[k], start, target, period)
        assert wanted[2] == pytest.approx(0, abs=1e-9)
        np.testing.assert_allclose(
            np.sort(resting.directions.growth[k])[:2], np.sort(wanted[:2]), rtol=1e-4
        )
        np.testing.assert_allclose(
            resting.directions.growth[k, resting.directions.neutral[k]], 0, atol=1e-7
        )
    fixed = np.log(np.abs(1 - 5 * np.linalg.eigvalsh(np.diag(target) - np.outer(target, target))))
    np.testing.assert_allclose(
        np.sort(resting.directions.growth[0])[:2], np.sort(fixed)[:2], rtol=1e-7
    )
    # The fixed point's growth is the same at every epoch.
    np.testing.assert_allclose(
        resting.local[0][:, ~resting.directions.neutral[0]].std(0), 0, atol=1e-7
    )


def test_what_counts_in_saturated_networks_is_a_plane_in_the_outer_weights(resting):
    assert (resting.directions.count == 81).all()
    np.testing.assert_allclose(resting.directions.splitting, np.pi / 2, atol=5e-3)
    np.testing.assert_allclose(resting.directions.active_weights, 3 * resting.kappa, rtol=1e-3)
    np.testing.assert_allclose(resting.outer, 1, atol=1e-4)
    # Each outer weight of a unit that is on, and each bias, has a share of 2/3 of 1/κ.
    for kappa, shares in zip(resting.kappa, resting.weights):
        assert (
            np.isclose(shares, 2 / (3 * kappa), atol=1e-3).sum() == 3 * kappa
            and np.isclose(shares, 0, atol=1e-3).sum() == 83 - 3 * kappa
        )
    assert resting.change[0] < 1e-6 and resting.change[1] < np.exp(-0.0686 * 60), (
        "half the future is 60 epochs"
    )
    assert resting.inner == 50 and resting.local.shape == (2, 60, 83)
    assert np.isfinite(resting.local).all(1).sum(1).tolist() == [2, 2]


def test_the_fixed_point_has_orthogonal_vectors(resting):
    """J is symmetric there."""
    assert resting.tangency[0] == pytest.approx(np.pi / 2, abs=1e-2)
    assert 0 < resting.tangency[1] < np.pi / 2


def test_a_table_has_a_row_for_each_block(resting):
    table = resting.table()
    assert table.index.tolist() == [
        ("fixed", 0, resting.epoch[0]),
        ("period 3", 1, resting.epoch[1]),
    ]
    assert table.index.names == ["phase", "network", "epoch"]
    assert (
        table["neutral"].tolist() == [81, 81]
        and table["weights"].tolist() == [3, 9]
        and table["in last layer"].tolist() == [1, 1]
    )
    assert (
        (table["growth 1"] == 0).all()
        and (table["growth P"] <= table["growth P − 1"]).all()
        and (table["growth P"] < -0.4).all()
    )
    np.testing.assert_allclose(table["angle to neutral"], 90, atol=0.2)


@pytest.fixture(scope="module")
def chaotic(gd, iris):
    """A network with one unit on that is irregular throughout."""
    return neutral_directions.look(gd, iris.initial(7)[[6]], 600, 60, 1, 1e-3)


@pytest.fixture(scope="module")
def switching(gd, iris):
    """A network of period 3 of which a unit opens now and then."""
    return neutral_directions.look(gd, iris.initial(10)[[9]], 1200, 60, 2, 1e-3)


def test_what_counts_in_chaos_grows_and_is_in_the_outer_weights(chaotic):
    assert chaotic.kind.tolist() == [IRREGULAR] and chaotic.kappa == [2]
    growth = chaotic.directions.growth[0]
    assert (
        chaotic.directions.count == [81] and (growth[~chaotic.directions.neutral[0]] > 0.01).all()
    )
    assert chaotic.outer > 0.999 and chaotic.directions.active_weights[0] == pytest.approx(
        6, abs=0.1
    )
    # The first column of QR is the first vector: over the block it grows as Benettin says.
    assert chaotic.local[0, :, 0].mean() == pytest.approx(growth[0], abs=1e-10)


def test_more_counts_in_a_burst(switching):
    burst = switching.kind == BURST
    assert burst.any() and THREE in switching.kind
    assert (switching.directions.count[burst] < 80).all() and (switching.outer[burst] < 0.9).all()
    assert (switching.alike[burst] < 1).all() and (
        np.diff([KINDS.index(name) for name, *_ in switching.table().index]) >= 0
    ).all()


def test_blocks_are_those_of_the_series(switching, gd, iris):
    loss = gradient_descent.run(gd, iris.initial(10)[[9]], 1200, ("loss",))["loss"]
    labels = phases.classify(loss)[:, 0]
    assert (switching.epoch % 60 == 0).all()
    np.testing.assert_array_equal(
        phases.kinds(labels[switching.epoch // 60]), np.minimum(switching.kind, IRREGULAR)
    )


def test_a_bound_above_every_rate_leaves_nothing_to_measure(gd, saturated):
    found = neutral_directions.look(gd, saturated[[0]], 180, 60, 1, 10.0)
    assert found.directions.count == [83] and found.absent == KINDS[1:]
    for values in (
        found.local,
        found.weights,
        found.outer,
        found.tangency,
        found.change,
        found.turned,
    ):
        assert np.isnan(values).all()
    assert (
        found.table()[["tangency", "angle to neutral", "weights", "in last layer"]]
        .isna()
        .all(axis=None)
    )


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
    with pytest.raises(ValueError, match=said):
        neutral_directions.look(
            gd, saturated[[0]], **dict(epochs=180, turn=60, count=1, within=1e-3) | words
        )
