"""H's claims as rows for a scorecard: each quantity by hand, and what is said where arms are
missing.
"""

import dataclasses
import json

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments import campaign
from netdyn_lib.experiments.pruning_ablation import judging, measures
from netdyn_lib.results import claims
from tests.small_arms import TASK, ablation, small

STEPS = np.arange(0, 101, 5)
ENDS = {
    "none": 0.9,
    "negative": 0.5,
    "positive": 0.85,
    "random-same": 0.8,
    "negative-norm": 0.6,
    "random-same-positive": 0.86,
    "none-at-0.01": 0.93,
    "negative-at-0.01": 0.7,
}


def known(labels=tuple(ENDS), networks=5):
    """Arms whose accuracy at the end is that of ENDS, a little apart from network to network, and
    whose loss is 1 less it.
    """
    arms = [
        small(
            label.partition("-at-")[0],
            name=f"{TASK}/{label}",
            learning_rate=float(label.partition("-at-")[2] or 1e-3),
            networks=networks,
        )
        for label in labels
    ]
    spread = 0.01 * np.arange(networks) - 0.01 * (networks - 1) / 2
    ends = np.array([ENDS[label] for label in labels])[:, None, None] + spread[:, None] + 0 * STEPS
    shape = ends.shape
    ramp = np.broadcast_to(STEPS / 100, shape)
    values = {
        "test_accuracy": ends,
        "test_loss": 1 - ends,
        "loss": 1 - ends,
        "negative": 100 - 20 * ramp,
        "positive": 100 + 20 * ramp,
        "chaotic": 100 - 20 * ramp,
        "overlap_negative": 0.2 + 0 * ramp,
        "overlap_positive": 0.7 + 0 * ramp,
        "largest": 30 + 0 * ramp,
    }
    data = xr.Dataset(
        {k: (("arm", "seed", "step"), v) for k, v in values.items()},
        {"arm": list(labels), "seed": range(networks), "step": STEPS},
    )
    data.attrs["arms"] = json.dumps([dataclasses.asdict(arm) for arm in arms])
    return data


def test_every_claim_is_what_it_says():
    found = {row.id: row for row in judging.rows(known())}
    expected = {
        "H-negative-always": 1,
        "H-no-edge": 0,
        "H-overlap": 0.5,
        "H-negative-hurts": 0.4,
        "H-negative-loss": 0.4,
        "H-positive-mild": 0.05 / 0.4,
        "H-direction": 0.3,
        "H-not-length": 0.3,
        "H-positive-less": -0.01,
        "H-inevitable": 0.23,
    }
    for id, value in expected.items():
        assert found[id].measured == pytest.approx(value, abs=1e-12), id
        assert found[id].saw and not found[id].untested
    assert found["H-counts-negative"].measured == pytest.approx(82.5 / 97.5 - 1) and found[
        "H-counts-positive"
    ].measured == pytest.approx(117.5 / 102.5 - 1)
    assert (
        "0.900" in found["H-negative-hurts"].saw
        and "negative 0.500" in found["H-negative-hurts"].saw
    )
    assert "90 negative and 110 positive" in found["H-overlap"].saw
    assert "0.03/γ" in found["H-no-edge"].saw
    assert found["H-inevitable"].saw == (
        "Best γ: at 0.01 of 0.001, 0.01 without pruning and at 0.01 of 0.001, 0.01 with negative directions pruned. "
        "The largest tried is the best without pruning and with negative directions pruned: a larger one may do better."
    )


def test_what_is_left_above_the_edge_at_the_best_rate_is_said():
    data = known()
    data["chaotic"].loc[dict(arm="negative-at-0.01")] += 5
    (row,) = (row for row in judging.rows(data) if row.id == "H-inevitable")
    assert row.saw.endswith(
        " There, at 100.0% of the steps observed, an eigenvalue was above 2/γ, in a direction that is not pruned."
    )


def test_what_all_chaotic_directions_pruned_leave_at_the_best_rate_is_said(monkeypatch):
    monkeypatch.setitem(ENDS, "chaotic-at-0.01", 0.65)
    (row,) = (row for row in judging.rows(known(tuple(ENDS))) if row.id == "H-inevitable")
    assert row.saw.endswith(
        " With all chaotic directions pruned there, those above 2/γ too, networks end lower by 0.050 (0.050 to 0.050)."
    )
    (row,) = (row for row in judging.rows(known(tuple(ENDS), 1)) if row.id == "H-inevitable")
    assert row.saw.endswith("networks end lower by 0.050.")


def test_claims_whose_arms_are_missing_are_not_tested_and_name_them():
    found = {row.id: row for row in judging.rows(known(("none", "negative")))}
    assert (
        np.isnan(found["H-direction"].measured)
        and found["H-direction"].untested
        == "Arms neither published nor computed here: random-same."
    )
    assert "none-at-0.01, negative-at-0.01" in found["H-inevitable"].untested
    assert "none, chaotic-from-2000" in found["H-onset"].untested
    assert found["H-negative-hurts"].measured == pytest.approx(0.4)


def test_one_network_has_no_bounds_and_none_no_value():
    (row,) = [row for row in judging.rows(known(networks=1)) if row.id == "H-negative-hurts"]
    assert row.interval == pytest.approx((0.4, np.nan, np.nan), nan_ok=True)
    data = known()
    data["test_accuracy"] = data["test_accuracy"] * np.nan
    (row,) = [row for row in judging.rows(data) if row.id == "H-negative-hurts"]
    assert np.isnan(row.measured) and "diverged" in row.untested


def test_the_slowest_onset_decides(monkeypatch):
    seen = {"chaotic-from-2000": 0.3, "chaotic-from-5000": 0.8}
    monkeypatch.setattr(
        measures, "pace_after", lambda data, arm: measures.student([seen[arm], seen[arm] + 0.02])
    )
    monkeypatch.setattr(measures, "saw", lambda data, arms: ", ".join(arms))
    data = known(("none", "negative"))
    sigmoid = xr.Dataset(coords={"arm": ["none", "chaotic", *seen]})
    (row,) = [row for row in judging.rows(data, sigmoid) if row.id == "H-onset"]
    assert row.measured == pytest.approx(0.81) and row.saw.endswith(
        "chaotic-from-5000 Not followed: pruning from step 10,000 on."
    )


def test_rows_are_the_chapters_claims_and_fit_a_scorecard():
    card = claims.Scorecard("07_hessian_chaos")
    for row in judging.rows(known()):
        card.measure(row.id, *row.interval, saw=row.saw, untested=row.untested)
    assert (
        card.measurements["H-direction"].verdict == "reproduced"
        and card.measurements["H-onset"].verdict == "not tested"
    )


def test_three_networks_decide_no_claim():
    card = claims.Scorecard("07_hessian_chaos")
    for row in judging.rows(known(networks=3)):
        card.measure(row.id, *row.interval, saw=row.saw, untested=row.untested)
    assert {m.verdict for m in card.measurements.values()} == {"not tested"}
    assert (
        "Too few values" in card.measurements["H-direction"].saw
        and "0.3." in card.measurements["H-direction"].saw
    )


def test_what_a_store_gives_is_judged(tmp_path):
    arms = [small("none"), small("negative")]
    campaign.run(ablation(*arms), tmp_path)
    found = {row.id: row for row in judging.rows(campaign.load(ablation(*arms), tmp_path))}
    assert (
        np.isfinite(found["H-negative-hurts"].measured)
        and 0 <= found["H-negative-always"].measured <= 1
    )
