"""The experiment as a whole: pieces that resume, what is published, and what decides."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments import campaign
from netdyn_lib.experiments.chaos_or_step import analysis, experiment, published


@pytest.fixture(scope="module")
def small():
    one = experiment.get("iris-step", "laptop")
    return replace(one, rates=(0.5, 20.0), conditions=2, epochs=25, flow_epochs=20, copied=20)


@pytest.fixture(scope="module")
def data(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    first = campaign.run(replace(small, rates=(0.5,)), folder, "cpu")
    second = campaign.run(small, folder, "cpu")
    assert (first.computed, second.kept, second.computed) == (1, 1, 1)
    return campaign.load(small, folder, "cpu")


def test_arms_outside_their_learning_rates_are_missing_not_zero(small, data):
    assert small.at(20.0) == small.names and small.at(0.5) == small.arms
    assert data["loss"].sel(rate=20.0, arm="ball 1").isnull().all()
    assert data["loss"].sel(rate=0.5, arm="ball 1").notnull().all()
    assert data["first"].dims == ("rate", "arm", "network")


def test_what_is_published_is_read_back_known_and_recomputed(small, data, tmp_path):
    published.write(data, tmp_path)
    there = published.load(small.name, tmp_path)
    np.testing.assert_allclose(there["loss"], data["loss"], rtol=1e-6)
    assert published.setting(there) == small
    plan = campaign.plan(small, tmp_path / "store", "cpu", published=tmp_path)
    assert len(plan.known) == 2 and not plan.missing
    published.write(data.isel(rate=[1]), tmp_path)  # the other rate stays
    np.testing.assert_allclose(published.load(small.name, tmp_path)["path"], data["path"], 1e-6)
    longer = replace(small, epochs=30)
    assert len(campaign.plan(longer, tmp_path / "store", "cpu", published=tmp_path).missing) == 2
    assert published.recompute(small.name, "a token", root=tmp_path).agrees
    wrong = data.assign(loss=data["loss"] * 1.1, path=data["path"] + 1)
    published.write(wrong, tmp_path)
    assert not published.recompute(small.name, "a token", root=tmp_path).agrees


@pytest.mark.parametrize("name", published.names())
def test_a_part_of_what_the_book_shows_is_recomputed(name):
    assert published.recompute(name, "chapter 10").agrees


def made_up(neutral, growth=0.1):
    """Arrivals of 30 networks at one rate: descent at 50 epochs on average, small at 200."""
    rng = np.random.default_rng(0)
    noise, own = rng.normal(0, 3, 30), rng.normal(0, 12, 30)
    noise, own = noise - noise.mean(), own - own.mean()
    times = np.array([50 + noise, neutral + own, 200 + noise])[None]
    grown = np.array([np.full(30, 5.0), np.full(30, 50 * growth), np.zeros(30)])[None, ..., None]
    arms = ["descent", "neutral", "small"]
    shape = ("rate", "arm", "network")
    return xr.Dataset(
        {
            "first": (shape, times),
            "growth": ((*shape, "span"), grown),
            "test_accuracy": ((*shape, "epoch"), np.ones((1, 3, 30, 2))),
        },
        {"rate": [0.5], "arm": arms, "span": [50], "epoch": [0, 250]},
    )


@pytest.mark.parametrize(
    "neutral, growth, verdict",
    [
        (30.0, 0.0, "only the step helps"),
        (45.0, 0.0, "only the step helps"),
        (80.0, 0.0, "chaos helps"),
        (54.0, 0.0, "undecided"),
        (30.0, 0.1, "undecided"),  # all of the exponent is kept: no control
    ],
)
def test_the_protocol_decides(neutral, growth, verdict):
    assert analysis.decision(made_up(neutral, growth), 0)[0] == verdict


def test_networks_that_never_arrive_count_with_the_cap():
    data = made_up(30.0)
    data["first"][0, 1, :15] = np.nan
    assert analysis.spent(data, "neutral")[0, :15].tolist() == [250.0] * 15
    assert analysis.means(data, "neutral")[0].estimate == pytest.approx(140, abs=8)
    assert analysis.ratios(data, "neutral")[0].estimate == pytest.approx(2.8, abs=0.2)
    assert analysis.differences(data, "neutral")[0].count == 30
