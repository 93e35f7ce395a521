"""What arms end with, on made-up arms whose answers are known."""

import numpy as np
import pytest

from netdyn_lib.experiments.pruning_ablation import analysis
from tests.small_arms import TASK, small, synthetic

ENDS = {
    "none": (0.9, 0.91, 0.92, 0.93, 0.94),
    "negative": (0.5,) * 5,
    "positive": (0.8, 0.81, 0.82, 0.83, 0.84),
}
STEPS = tuple(range(0, 101, 5))
HALF = (np.array(STEPS) >= 50).astype(float)


@pytest.fixture
def data():
    """The last two of the steps have the final values."""
    made = synthetic(ENDS, STEPS)
    made["test_accuracy"][..., -2] = made["test_accuracy"][..., -1]
    return made


def test_the_end_is_the_mean_of_the_last_steps(data):
    np.testing.assert_allclose(analysis.final(data).sel(arm="none"), ENDS["none"])
    data["test_accuracy"][0, 1, -1] = np.nan
    assert np.flatnonzero(np.isnan(analysis.final(data).sel(arm="none"))).tolist() == [1]


def test_what_pruning_costs_is_paired(data):
    assert tuple(analysis.lost(data, "positive")) == pytest.approx((0.1, 0.1, 0.1))
    half = 2.776445 * (0.001 / 4) ** 0.5 / 5**0.5
    wanted = pytest.approx((0.42, 0.42 - half, 0.42 + half))
    assert tuple(analysis.lost(data, "negative")) == wanted
    assert analysis.lost(data, "negative", "positive").estimate == pytest.approx(0.32)


def rated(ends):
    """Arms of rules at some rates: label → (γ, final accuracies)."""
    arms = [
        small(
            label.partition("-")[0],
            name=f"{TASK}/{label}",
            learning_rate=rate,
            momentum=0.9 * label.endswith("momentum"),
        )
        for label, (rate, _) in ends.items()
    ]
    made = synthetic({label: values for label, (_, values) in ends.items()}, STEPS, arms)
    made["test_accuracy"][..., -2] = made["test_accuracy"][..., -1]
    return made


def test_the_best_learning_rate_of_each_rule():
    ends = {
        "none": (0.5, (0.5, 0.6)),
        "negative": (0.5, (0.3, 0.4)),
        "none-at-1": (1, (0.8, 0.9)),
        "negative-at-1": (1, (0.5, 0.7)),
        "negative-at-2": (2, (0.7, 0.6)),
        "none-at-2": (2, (0.99, np.nan)),
        "negative-momentum": (4, (0.95, 0.95)),
    }
    data = rated(ends)
    labels = {0.5: "negative", 1: "negative-at-1", 2: "negative-at-2"}
    assert analysis.by_rate(data, "negative") == labels
    found, mine, theirs = analysis.retuned(data, "negative")
    assert (mine, theirs) == (2, 1), "a rate at which a network diverged is not the best"
    assert found.estimate == pytest.approx(0.2)
    rates, intervals = analysis.rates(data)["negative"]
    assert rates.tolist() == [0.5, 1, 2]
    assert [i.estimate for i in intervals] == pytest.approx([0.35, 0.6, 0.65])
    fewer = dict(arm=data.arm.values.tolist().index("negative-at-2"), seed=1)
    data["present"][fewer], data["test_accuracy"][fewer] = False, np.nan
    assert not data.present.all() and analysis.retuned(data, "negative")[1:] == (2, 1)
    data["test_accuracy"][:] = np.nan
    assert np.isnan(analysis.retuned(data, "negative")[0].estimate)
    alone = rated({label: ends[label] for label in ("none", "none-at-1", "negative")})
    assert np.isnan(analysis.retuned(alone, "negative")[0].estimate), "no other rate to compare"


def test_eigenvalues_above_the_edge():
    data = synthetic(ENDS, STEPS, negative=10 - 5 * HALF, chaotic=10 - 4 * HALF)
    assert analysis.beyond_edge(data, "none").estimate == pytest.approx(HALF.mean())
    data["negative"][0, :, 10:] = np.nan  # diverged: what is not known does not count
    assert analysis.beyond_edge(data, "none").estimate == 0


def test_the_pace_after_an_onset():
    arms = [small("none"), small("chaotic", name=f"{TASK}/late", onset=52)]
    data = synthetic({"none": (0.9,) * 5, "late": (0.9,) * 5}, STEPS, arms)
    fall = np.linspace(1, 0, len(STEPS))
    data["test_loss"][0] = fall
    data["test_loss"][1] = np.where(HALF == 1, 0.5 - 0.25 * (0.5 - fall), fall)
    assert tuple(analysis.pace_after(data, "late")) == pytest.approx((0.25, 0.25, 0.25))


def test_the_summary_says_what_the_arms_end_with(data):
    data["diverged_at"][1, 0] = 7
    data["test_accuracy"][1, 0] = np.nan
    table = analysis.summary(data)
    assert table["networks"].tolist() == [5, 5, 5] and table["diverged"].tolist() == [0, 1, 0]
    assert table.loc["none", "test accuracy"] == "0.920 (0.900 to 0.940)"
    less = table["accuracy, less than none"]
    assert less["none"] == "" and less["positive"] == "0.100 (0.100 to 0.100)"
    assert less["negative"] == "0.425"  # of the four that are known
    few = analysis.summary(data.isel(seed=[1]).sel(arm=["positive"]))
    assert few.loc["positive", "test accuracy"] == "0.810" and not {*less.name} & {*few.columns}


@pytest.mark.parametrize("look", [analysis.lost, analysis.pace_after, analysis.beyond_edge])
def test_unknown_arms_are_one_clear_error(data, look):
    with pytest.raises(ValueError, match="no arm 'other' among none, negative, positive: run or"):
        look(data, "other")
