"""Exponents and arrivals against the learning rate, from datasets whose answer is known."""

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments.learning_rate_sweep import grid, responses
from tests.small_sweeps import small

RATES, COUNT, EPOCHS = (0.5, 1.0, 5.0), 6, 100


def synthetic(slopes, first=None, change=None, missing=()):
    """Distances that grow by exp(slope) an epoch, (k, n); arrivals ``first`` (k, n)."""
    sweep = small(rates=RATES, conditions=COUNT, block=1, epochs=EPOCHS, cap=300)
    first = np.full((3, COUNT), 50.0) if first is None else np.asarray(first, float)
    parts, t = {}, np.arange(EPOCHS + 1)
    noise = np.random.default_rng(0)
    for shard in sweep.pieces():
        k, i = RATES.index(shard.rate), shard.start
        if (k, i) in missing:
            continue
        curve = 1e-8 * np.exp(slopes[k][i] * t + 1e-3 * noise.standard_normal(len(t)))
        distance = np.repeat(curve[:, None, None], 2, axis=2)
        parts[shard] = dict(
            distance=distance, first_hit=first[k, i : i + 1], sustained_hit=first[k, i : i + 1] + 3
        )
    if change:
        change({(RATES.index(s.rate), s.start): p for s, p in parts.items()})
    return grid.assemble(sweep, parts)


def test_known_slopes_are_found():
    found = responses.exponents(synthetic([[-0.05] * COUNT, [0.15] * COUNT, [0.2] * COUNT]))
    assert [s.estimate for s in found.share] == [0, 1, 1]
    np.testing.assert_allclose([e.estimate for e in found.exponent][1:], [0.15, 0.2], atol=2e-3)
    assert (
        found.count.tolist() == [6, 6, 6]
        and found.kept.tolist() == [0, 6, 6]
        and np.isnan(found.exponent[0].estimate)
    )


def test_diverged_coinciding_and_missing_are_told_apart():
    def change(parts):
        parts[2, 0]["distance"][40:] = np.nan  # overflowed
        parts[2, 1]["distance"][40:] = 0.0  # copies met their reference
        parts[2, 2]["distance"][40:] = 0.0
        parts[2, 2]["distance"][60:] = np.nan  # met, and overflowed

    found = responses.exponents(synthetic([[0.15] * COUNT] * 3, change=change, missing=[(2, 5)]))
    assert (found.count[2], found.diverged[2], found.kept[2]) == (5, 2, 2)
    assert found.share[2].estimate == pytest.approx(2 / 5)
    causes = [reason.split(":")[0] for reason in found.reasons[2]]
    assert causes == ["diverged", "distance zero", "diverged", "", ""] and found.without() == ""


def test_nothing_at_a_rate_is_nan():
    def change(parts):
        for i in range(COUNT):
            parts[0, i]["distance"][1:] = np.nan

    data = synthetic([[0.15] * COUNT] * 3, change=change, missing=[(1, i) for i in range(COUNT)])
    found = responses.exponents(data)
    assert found.diverged.tolist() == [6, 0, 0] and found.count.tolist() == [6, 0, 6]
    assert (
        np.isnan(found.exponent[0].estimate)
        and np.isnan(found.share[1].estimate)
        and found.rule == responses.exponents(data.isel(eta=[2])).rule
    )
    assert np.isnan(responses.arrivals(data).mean[1].estimate)
    told = "no exponent; 0 of 6 kept; others: 6 diverged\nη = 1: no exponent; 0 of 0 kept; others: none"
    assert found.without() == f"η = 0.5: {told}"


def test_arrivals_are_censored_at_the_cap():
    nan = np.nan
    first = [[100, 120, nan, nan, nan, nan], [40, 60, 50, 50, 50, 50], [nan] * 6]
    found = responses.arrivals(synthetic([[0.15] * COUNT] * 3, first))
    assert [m.estimate for m in found.mean][:2] == [110, 50] and np.isnan(found.mean[2].estimate)
    np.testing.assert_allclose([n.estimate for n in found.never], [4 / 6, 0, 1])
    np.testing.assert_allclose([r.estimate for r in found.restricted], [(220 + 1200) / 6, 50, 300])
    assert (
        responses.arrivals(synthetic([[0.15] * COUNT] * 3, first), sustained=True).mean[1].estimate
        == 53
    )


def test_another_target_is_looked_for_in_the_curves():
    data = synthetic([[0.15] * COUNT] * 3)
    epochs = data.sizes["epoch"] - 1
    rising = (
        np.linspace(0, 1, epochs + 1)[None, :, None]
        * np.array([1.0, 0.5, 0.1])[:, None, None]
        * np.ones(COUNT)
    )
    data["test_accuracy"] = (("eta", "epoch", "init"), rising)
    found = responses.arrivals(data, target=0.5)
    assert found.cap == epochs
    assert [m.estimate for m in found.mean][:2] == [np.ceil(epochs / 2), epochs] and found.never[
        2
    ].estimate == 1


def bent(rise, tail):
    """ln d̄ that rises by 0.5 an epoch up to epoch ``rise`` and then by ``tail``; of every network
    at every rate.
    """

    def change(parts):
        t = np.arange(EPOCHS + 1)
        for part in parts.values():
            part["distance"][:] = (
                1e-8 * np.exp(0.5 * np.minimum(t, rise) + tail * np.maximum(t - rise, 0))
            )[:, None, None]

    return synthetic([[0.0] * COUNT] * 3, change=change)


def test_what_comes_after_growth_moves_the_best_window():
    """A ramp of 15 epochs, then slow exact growth: the latter is the better exponential, where the
    record holds enough of it.
    """
    table = responses.by_length(bent(15, 0.04), (25, 100))
    assert list(table.columns) == [
        "rate",
        "epochs",
        "share",
        "share_low",
        "share_high",
        "exponent",
        "exponent_low",
        "exponent_high",
        "count",
        "kept",
    ]
    assert table.epochs.tolist() == [25, 100] * 3 and table.rate.tolist() == sorted([*RATES] * 2)
    assert (
        table.share.tolist() == [1, 0] * 3
        and table.kept.tolist() == [COUNT, 0] * 3
        and set(table["count"]) == {COUNT}
    )
    assert (table.exponent[::2] > 0.3).all() and table.exponent[1::2].isna().all()
    whole = responses.exponents(bent(15, 0.04))
    assert table.share_high[1] == whole.share[0].high
    # A window that fits into the ramp is exact at any length, and the ramp rule has no length to
    # choose.
    assert (
        responses.by_length(bent(15, -0.04), (25, 100), min_length=10).share.tolist() == [1, 1] * 3
    )
    np.testing.assert_allclose(responses.by_length(bent(15, 0.0), (25, 100), "ramp").exponent, 0.5)


def test_a_record_is_not_lengthened():
    with pytest.raises(ValueError, match="length = 101.*the record ends at epoch 100"):
        responses.by_length(bent(15, 0.0), (50, 101))
    with pytest.raises(ValueError, match="the curve has 10 steps"):
        responses.by_length(bent(15, 0.0), (10,))


@pytest.mark.parametrize("rise", [4, 12, 35])
def test_saturation_is_found_wherever_it_lies(rise):
    found = responses.saturation_epochs(bent(rise, 0.0), 5.0)
    assert (
        found.corner.tolist() == [rise] * COUNT
        and found.half.tolist() == [np.ceil(rise / 2)] * COUNT
    )
    assert tuple(found.corner_median) == (
        rise,
        rise,
        rise,
    ) and found.half_median.estimate == np.ceil(rise / 2)
    assert (found.growing, found.count, found.rate) == (COUNT, COUNT, 5.0)


def test_nothing_that_grows_does_not_saturate():
    def change(parts):
        for i in range(3):
            parts[2, i]["distance"][40:] = np.nan

    data = synthetic(
        [[-0.05] * COUNT, [0.15] * COUNT, [0.2] * COUNT], change=change, missing=[(2, 5)]
    )
    still = responses.saturation_epochs(data, 0.5)
    assert (
        (still.growing, still.count) == (0, COUNT)
        and np.isnan(still.corner_median.estimate)
        and np.isnan(still.half_median.estimate)
    )
    some = responses.saturation_epochs(data, 5.0)
    assert (some.growing, some.count) == (2, 5)
    with pytest.raises(ValueError, match="η = 3 was not swept"):
        responses.saturation_epochs(data, 3)


def test_how_many_arrive_in_words():
    nan = np.nan
    first = [[nan] * 6, [40, nan, nan, nan, nan, nan], [nan, 60, nan, nan, nan, nan]]
    found = responses.arrivals(synthetic([[0.15] * COUNT] * 3, first, missing=[(0, 5)]))
    assert str(responses.reached(found, 0.5)) == "none of 5 networks arrives within 300 epochs"
    assert (
        str(responses.reached(found, 1.0)) == "1 of 6 networks arrives within 300 epochs"
        and responses.reached(found, 1.0).never == 5
    )
    assert str(responses.reached(found)) == "2 of 6 networks arrive within 300 epochs"
    every = responses.arrivals(synthetic([[0.15] * COUNT] * 3))
    assert str(responses.reached(every)) == "all 6 networks arrive within 300 epochs"
    assert str(
        responses.Reached(0, 1, 5)
    ) == "the one network does not arrive within 5 epochs" and "no network" in str(
        responses.Reached(0, 0, 5)
    )
    with pytest.raises(ValueError, match="was not swept"):
        responses.reached(found, 7)


def test_shares_by_length_are_said_in_words():
    table = responses.by_length(bent(15, 0.04), (25, 100))
    words = responses.shares_in_words(table, 25)
    assert words.startswith(f"1.00 at η = {sorted(RATES)[0]:g}, ") and words.count("1.00") == 3
    assert responses.shares_in_words(table, 100).count("0.00 at") == 3
    with pytest.raises(ValueError, match="epochs = 26: the table has records of 25, 100"):
        responses.shares_in_words(table, 26)


def test_late_sharpness_of_each_rate():
    """At 2/η, at half of it and far above it, constant but for a first half that does not count."""
    epochs, rates = np.array([0, 1, 5, 10]), np.array([1.0, 2.0, 4.0])
    sharp = np.array([1.0, 0.5, 3.0])[:, None, None] * 2 / rates[:, None, None] * np.ones((3, 4, 2))
    sharp[:, :2] = 99
    sharp[2, :, 1] = np.nan  # not measured
    data = xr.Dataset(
        {"sharpness": (("eta", "sharp_epoch", "init"), sharp)},
        {"eta": rates, "sharp_epoch": epochs},
    )
    table = responses.late_sharpness(data)
    assert table["median"].tolist() == [1.0, 0.5, 3.0] and table["near the edge"].tolist() == [
        "2 of 2",
        "0 of 2",
        "0 of 1",
    ]
