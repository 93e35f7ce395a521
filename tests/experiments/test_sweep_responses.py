"""Exponents and arrivals against the learning rate, from datasets whose answer is known."""

import json

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments.learning_rate_sweep import responses
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.results import claims
from netdyn_lib.tasks import losses, networks, tasks

RATES, COUNT, EPOCHS, CAP = (0.5, 1.0, 5.0), 6, 100, 300
T = np.arange(EPOCHS + 1)
NAN = np.nan


def swept(logs, first=50.0, missing=()):
    """A sweep's dataset from ln d̄(t) − ln d̄(0), to be broadcast to (eta, epoch, init)."""
    shape = (len(RATES), EPOCHS + 1, COUNT)
    distance = 1e-8 * np.exp(np.broadcast_to(logs, shape))
    present = np.ones((len(RATES), COUNT), bool)
    for place in missing:
        present[place] = False
    first = np.where(present, np.broadcast_to(first, present.shape), NAN)
    dims = ("eta", "epoch", "init")
    return xr.Dataset(
        {
            "distance": (
                (*dims, "perturbation"),
                np.where(present[:, None, :, None], distance[..., None], NAN),
            ),
            "first_hit": (("eta", "init"), first),
            "sustained_hit": (("eta", "init"), first + 3),
            "present": (("eta", "init"), present),
        },
        {"eta": list(RATES), "epoch": T},
        {"sweep": json.dumps(dict(epochs=EPOCHS, cap=CAP, sustained=4))},
    )


def growing(*slopes):
    """ln d̄(t) with a slope for each learning rate, and a little noise."""
    noise = 1e-3 * np.random.default_rng(0).standard_normal((EPOCHS + 1, COUNT))
    return np.array(slopes)[:, None, None] * T[:, None] + noise


def bent(rise, tail):
    """ln d̄(t) that rises by 0.5 an epoch up to epoch ``rise`` and then by ``tail``."""
    return (0.5 * np.minimum(T, rise) + tail * np.maximum(T - rise, 0))[:, None]


def test_known_slopes_are_found():
    found = responses.exponents(swept(growing(-0.05, 0.15, 0.2)))
    assert [s.estimate for s in found.share] == [0, 1, 1] and np.isnan(found.at(0.5).estimate)
    np.testing.assert_allclose([found.at(r).estimate for r in (1, 5)], [0.15, 0.2], atol=2e-3)
    assert found.count.tolist() == [6, 6, 6] and found.kept.tolist() == [0, 6, 6]
    with pytest.raises(ValueError, match=r"η = 3 was not swept; there are: \[0.5, 1.0, 5.0\]"):
        found.at(3)


def test_diverged_coinciding_and_missing_are_told_apart():
    data = swept(growing(0.15, 0.15, 0.15), missing=[(2, 5)])
    distance = data["distance"].values  # (eta, epoch, init, perturbation)
    distance[2, 40:, 0] = NAN  # overflowed
    distance[2, 40:, 1:3] = 0.0  # copies met their reference
    distance[2, 60:, 2] = NAN  # and then overflowed
    found = responses.exponents(data)
    assert (found.count[2], found.diverged[2], found.kept[2]) == (5, 2, 2)
    assert found.share[2].estimate == pytest.approx(2 / 5)
    causes = [reason.split(":")[0] for reason in found.reasons[2]]
    assert causes == ["diverged", "distance zero", "diverged", "", ""] and found.without() == ""


def test_nothing_at_a_rate_is_nan():
    data = swept(growing(0.15, 0.15, 0.15), missing=[(1, i) for i in range(COUNT)])
    data["distance"].values[0, 1:] = NAN
    found = responses.exponents(data)
    assert found.diverged.tolist() == [6, 0, 0] and found.count.tolist() == [6, 0, 6]
    assert np.isnan(found.share[1].estimate) and found.rule
    assert np.isnan(responses.arrivals(data).mean[1].estimate)
    lines = found.without().splitlines()
    assert lines[0] == "η = 0.5: no exponent; 0 of 6 kept; others: 6 diverged"
    assert lines[1] == "η = 1: no exponent; 0 of 0 kept; others: none"


def test_arrivals_are_censored_at_the_cap():
    first = [[100, 120, NAN, NAN, NAN, NAN], [40, 60, 50, 50, 50, 50], [NAN] * 6]
    data = swept(growing(0.15, 0.15, 0.15), first)
    found = responses.arrivals(data)
    assert [m.estimate for m in found.mean][:2] == [110, 50] and np.isnan(found.mean[2].estimate)
    np.testing.assert_allclose([n.estimate for n in found.never], [4 / 6, 0, 1])
    np.testing.assert_allclose([r.estimate for r in found.restricted], [(220 + 1200) / 6, 50, 300])
    assert responses.arrivals(data, sustained=True).mean[1].estimate == 53
    assert found.reached(5.0) == "none of 6 networks arrives within 300 epochs"
    assert found.reached() == "6 of 6 networks arrive within 300 epochs"


def test_another_target_is_looked_for_in_the_curves():
    data, top = swept(growing(0.15, 0.15, 0.15)), np.array([1.0, 0.5, 0.1])
    rising = np.linspace(0, 1, EPOCHS + 1)[None, :, None] * top[:, None, None] * np.ones(COUNT)
    data["test_accuracy"] = (("eta", "epoch", "init"), rising)
    found = responses.arrivals(data, target=0.5)
    assert found.cap == EPOCHS and [m.estimate for m in found.mean][:2] == [EPOCHS / 2, EPOCHS]
    assert found.never[2].estimate == 1


def test_what_comes_after_growth_moves_the_best_window():
    """A ramp of 15 epochs, then slow exact growth: the latter is the better exponential, where the
    record holds enough of it.
    """
    table = responses.by_length(swept(bent(15, 0.04)), (25, 100))
    assert table.epochs.tolist() == [25, 100] * 3 and table.rate.tolist() == sorted([*RATES] * 2)
    assert table.share.tolist() == [1, 0] * 3 and table.kept.tolist() == [COUNT, 0] * 3
    assert (table.exponent[::2] > 0.3).all() and table.exponent[1::2].isna().all()
    # A window that fits into the ramp is exact at any length, and the ramp rule has none to choose.
    short = responses.by_length(swept(bent(15, -0.04)), (25, 100), min_length=10)
    assert short.share.tolist() == [1, 1] * 3
    ramp = responses.by_length(swept(bent(15, 0.0)), (25, 100), "ramp")
    np.testing.assert_allclose(ramp.exponent, 0.5)
    with pytest.raises(ValueError, match="length = 101.*the record ends at epoch 100"):
        responses.by_length(swept(bent(15, 0.0)), (50, 101))


def test_saturation_is_found_wherever_it_lies():
    for rise in (4, 12, 35):
        assert responses.saturation_epochs(swept(bent(rise, 0.0)), 5.0).tolist() == [rise] * COUNT
    # what does not grow does not saturate
    data = swept(growing(-0.05, 0.15, 0.2), missing=[(2, 5)])
    data["distance"].values[2, 40:, :3] = NAN
    assert len(responses.saturation_epochs(data, 0.5)) == 0
    assert len(responses.saturation_epochs(data, 5.0)) == 2


def test_sharpness_is_in_units_of_the_edge():
    sharp = np.array([1.0, 0.5, 3.0])[:, None, None] * 2 / np.array(RATES)[:, None, None]
    sharp = sharp * np.ones((3, 4, 2))
    sharp[2, :, 1] = NAN  # not measured
    coords = {"eta": list(RATES), "sharp_epoch": [0, 1, 5, 10]}
    data = xr.Dataset({"sharpness": (("eta", "sharp_epoch", "init"), sharp)}, coords)
    epochs, scaled = responses.sharpness_at(data, 4.0)  # 5 is nearest
    assert epochs.tolist() == [0, 1, 5, 10]
    np.testing.assert_allclose(scaled, np.full((4, 1), 3.0))


def test_tangent_exponents_of_a_linear_network_are_those_by_hand():
    """On a quadratic loss every tangent vector ends along the steepest eigenvector, and grows by |1
    − ηλ|.
    """
    x = np.array([[2.0, 0.0], [0.0, 0.5]])
    task = tasks.custom("line", networks.MLP((2, 1)), losses.HalfSquaredError(), x, np.zeros(2))
    top = np.linalg.eigvalsh(np.c_[x, np.ones(2)].T @ np.c_[x, np.ones(2)])[-1]
    balls = networks.perturbed(task.initial(3), 1e-8, 1)
    found = responses.tangent_exponents(task, (3 / top, 0.1 / top), balls, epochs=200)
    np.testing.assert_allclose(found.slopes[0], np.log(abs(1 - 3)), atol=0.02)
    assert found.kept.tolist() == [3, 0] and found.rule == "tangent"


# Exponents beside arrivals

GRID = (0.5, 1.0, 2.0, 4.0)


def keeping(counts, rates=GRID):
    """Exponents of which so many of ten initial conditions are kept at each rate."""
    fits = []
    for count in counts:
        slope, flat = np.where(np.arange(10) < count, 0.5, 0.0), np.zeros(10)
        fits.append(growth_fits.Fit("made", slope, *[flat] * 3, flat + 1, np.full(10, "")))
    return responses.collect(fits, rates)


def arriving(means, cap=100):
    """Arrivals of ten networks that all take the same time; None for never."""
    times = np.array([[NAN if m is None else m] * 10 for m in means], dtype=float)
    present = np.ones(times.shape, bool)
    return responses.Arrivals(np.array(GRID), cap, [], [], [], times, present)


def test_fastest_counts_those_that_never_arrive_at_the_cap():
    mixed = arriving([50, 40, 30, None])
    assert responses.fastest(mixed).estimate == 2.0
    mixed.times[2, :5] = NAN  # half never arrive: 65 on average
    assert responses.fastest(mixed).estimate == 1.0
    assert responses.fastest(arriving([30, 40, 30, 50])).estimate == 0.5  # the smallest of equals


def test_three_networks_have_an_estimate_and_no_interval():
    ten, three = arriving([50, 40, 30, None]), arriving([50, 40, 30, None])
    three.present[:, 3:] = False
    found = responses.fastest(three), responses.rise(three, 0.5), responses.slowdown(three, ten)
    for one in found:
        assert np.isfinite(one.estimate) and np.isnan([one.low, one.high]).all()
    assert tuple(responses.slowdown(ten, ten)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("kept", "means", "steps", "why"),
    [
        ((0, 0, 5, 10), (90, 50, 20, 60), 0, ""),
        ((0, 0, 5, 10), (90, 20, 50, 60), 1, ""),
        ((0, 10, 10, 10), (90, 80, 70, 60), 2, ""),
        ((1, 10, 10, 10), (90, 80, 70, 60), NAN, "0.1 at the smallest learning rate already"),
        ((0, 0, 0, 0), (90, 50, 20, 60), NAN, "below 0.1 at every learning rate"),
        ((0, 0, 5, 10), [None] * 4, NAN, "no network arrives before epoch 100 at any"),
        ((0, 0, 0, 0), [None] * 4, NAN, "at any learning rate, and the share sensitive is below"),
    ],
)
def test_steps_from_the_fastest_rate_to_the_onset(kept, means, steps, why):
    found, told = responses.coincidence(keeping(kept), arriving(means))
    assert found.estimate == pytest.approx(steps, nan_ok=True)
    assert np.isnan(found.high) == np.isnan(steps)
    assert why in told and bool(why) == bool(told)


def test_a_draw_without_an_onset_widens_the_interval():
    found, _ = responses.coincidence(keeping((0, 0, 0, 1)), arriving((90, 50, 20, 15)))
    assert tuple(found) == (0, 0, 4)  # a third of the draws lack the one that is sensitive


def test_steps_of_two_sweeps_are_refused():
    with pytest.raises(ValueError, match="must be of one sweep"):
        responses.coincidence(keeping((0, 1, 2), GRID[:3]), arriving([1, 2, 3, 4]))


def test_onset_rise_and_slowdown():
    found, reached = keeping((0, 2, 6, 10)), arriving((90, 30, 40, 90))
    assert responses.onset(found, 0.5).estimate == 2.0
    assert responses.onset(keeping((0, 0, 0, 1)), 0.5).estimate == 8.0  # never: twice the largest
    assert tuple(responses.rise(reached, 4.0)) == (3, 3, 3)
    assert tuple(responses.slowdown(arriving((90, 80, 60, 90)), reached)) == (2, 2, 2)
    reached.times[1] += np.linspace(-8, 8, 10)
    scattered = responses.rise(reached, 4.0)
    assert scattered.low < scattered.estimate < scattered.high


def test_what_was_not_computed_is_no_network_that_never_arrives():
    cut, found = arriving((90, 30, 40, 90)), keeping((0, 2, 6, 10))
    cut.present[2:, 6:] = False
    cut.times[2:, 6:] = NAN
    for k in (2, 3):
        found.keeps[k] = found.keeps[k][:6]
    assert cut.spent.shape == (4, 6) and cut.reached(4.0).startswith("6 of 6 networks")
    assert responses.coincidence(found, cut)[0].estimate == 0
    cut.present[0] = False
    with pytest.raises(ValueError, match="hardly begun"):
        cut.spent  # noqa: B018


@pytest.mark.parametrize(
    ("reproduced", "ratio", "told"),
    [
        ((10, 40), 3.5, "cannot exceed 4.74, where 10 to 40 is asked"),
        ((1.0, 1.5), 60 / 12.67, "4.74 is the largest ratio that it allows"),
        ((1.0, 1.5), 2.0, ""),
        ((1.5, None), 60 / 12.67, ""),
    ],
)
def test_a_ratio_that_the_cap_bounds_is_judged_only_where_it_can_be(reproduced, ratio, told):
    """A factor of 20 was once judged by a ratio that 60 epochs kept below 4.74."""
    claim = claims.Claim("A", "J", "Fig. 10", "one", "s", 20, "q", claims.Range(*reproduced))
    why = responses.cut_short(claim, ratio, 60 / 12.67)
    assert told in why and bool(why) == bool(told)
