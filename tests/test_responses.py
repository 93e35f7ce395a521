"""Exponents and arrivals against the learning rate, from datasets whose answer is known."""

import numpy as np
import pytest

from netdyn_lib.sweeps import dataset, responses
from tests.small_sweeps import small

RATES, COUNT, EPOCHS = (0.5, 1.0, 5.0), 6, 100


def synthetic(slopes, first=None, change=None, missing=()):
    """Distances that grow by exp(slope) an epoch, (k, n); arrivals ``first`` (k, n)."""
    sweep = small(rates=RATES, conditions=COUNT, block=1, epochs=EPOCHS, cap=300)
    first = np.full((3, COUNT), 50.0) if first is None else np.asarray(first, float)
    parts, t = {}, np.arange(EPOCHS + 1)
    noise = np.random.default_rng(0)
    for shard in sweep.shards():
        k, i = RATES.index(shard.rate), shard.start
        if (k, i) in missing:
            continue
        curve = 1e-8 * np.exp(slopes[k][i] * t + 1e-3 * noise.standard_normal(len(t)))
        distance = np.repeat(curve[:, None, None], 2, axis=2)
        parts[shard] = dict(distance=distance, first_hit=first[k, i : i + 1], sustained_hit=first[k, i : i + 1] + 3)
    if change:
        change({(RATES.index(s.rate), s.start): p for s, p in parts.items()})
    return dataset.assemble(sweep, parts)


def test_known_slopes_are_found():
    found = responses.exponents(synthetic([[-0.05] * COUNT, [0.15] * COUNT, [0.2] * COUNT]))
    assert [s.estimate for s in found.share] == [0, 1, 1]
    np.testing.assert_allclose([e.estimate for e in found.exponent][1:], [0.15, 0.2], atol=2e-3)
    assert found.count.tolist() == [6, 6, 6] and found.kept.tolist() == [0, 6, 6] and np.isnan(found.exponent[0].estimate)


def test_diverged_coinciding_and_missing_are_told_apart():
    def change(parts):
        parts[2, 0]["distance"][40:] = np.nan  # overflowed
        parts[2, 1]["distance"][40:] = 0.0  # copies met their reference
        parts[2, 2]["distance"][40:] = 0.0
        parts[2, 2]["distance"][60:] = np.nan  # met, and overflowed

    found = responses.exponents(synthetic([[0.15] * COUNT] * 3, change=change, missing=[(2, 5)]))
    assert (found.count[2], found.diverged[2], found.kept[2]) == (5, 2, 2)
    assert found.share[2].estimate == pytest.approx(2 / 5)


def test_nothing_at_a_rate_is_nan():
    def change(parts):
        for i in range(COUNT):
            parts[0, i]["distance"][1:] = np.nan

    data = synthetic([[0.15] * COUNT] * 3, change=change, missing=[(1, i) for i in range(COUNT)])
    found = responses.exponents(data)
    assert found.diverged.tolist() == [6, 0, 0] and found.count.tolist() == [6, 0, 6]
    assert np.isnan(found.exponent[0].estimate) and np.isnan(found.share[1].estimate) and found.rule == responses.exponents(data.isel(eta=[2])).rule
    assert np.isnan(responses.arrivals(data).mean[1].estimate)


def test_arrivals_are_censored_at_the_cap():
    nan = np.nan
    first = [[100, 120, nan, nan, nan, nan], [40, 60, 50, 50, 50, 50], [nan] * 6]
    found = responses.arrivals(synthetic([[0.15] * COUNT] * 3, first))
    assert [m.estimate for m in found.mean][:2] == [110, 50] and np.isnan(found.mean[2].estimate)
    np.testing.assert_allclose([n.estimate for n in found.never], [4 / 6, 0, 1])
    np.testing.assert_allclose([r.estimate for r in found.restricted], [(220 + 1200) / 6, 50, 300])
    assert responses.arrivals(synthetic([[0.15] * COUNT] * 3, first), sustained=True).mean[1].estimate == 53


def test_another_target_is_looked_for_in_the_curves():
    data = synthetic([[0.15] * COUNT] * 3)
    epochs = data.sizes["epoch"] - 1
    rising = np.linspace(0, 1, epochs + 1)[None, :, None] * np.array([1.0, 0.5, 0.1])[:, None, None] * np.ones(COUNT)
    data["test_accuracy"] = (("eta", "epoch", "init"), rising)
    found = responses.arrivals(data, target=0.5)
    assert found.cap == epochs
    assert [m.estimate for m in found.mean][:2] == [np.ceil(epochs / 2), epochs] and found.never[2].estimate == 1
