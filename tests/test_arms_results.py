"""What the chapter shows of arms: computed where it is missing, by several processes, with a
stand-in, and as tables.
"""

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import campaign, jobs
from netdyn_lib.experiments.pruning_ablation import arm, results
from netdyn_lib.tasks import datasets, losses, networks, tasks
from tests.small_arms import TASK, small, synthetic
from tests.test_arms_judging import known

SPREAD = np.arange(6) / 100
ENDS = {"none": 0.9 + SPREAD, "negative": 0.5 + 0 * SPREAD, "positive": 0.8 + SPREAD}


@pytest.fixture
def book(monkeypatch):
    """The book's arms are two small ones, of a task whose data are there."""
    arms = {f"{TASK}/{rule}": small(rule) for rule in ("none", "negative")}
    monkeypatch.setattr(arm, "_table", lambda profile, seed: arms)
    return list(arms.values())


def test_the_books_arms_are_computed_where_they_are_missing(book, tmp_path):
    found = results.live(TASK, folder=tmp_path, processes=1)
    assert found["arm"].values.tolist() == ["none", "negative"]
    assert not campaign.plan(arm.get(TASK), tmp_path).missing
    again = results.live(TASK, folder=tmp_path)
    np.testing.assert_array_equal(again["loss"], found["loss"])
    task = tasks.get(TASK)
    states = results.states(task, (0, 4, 12), book[0].learning_rate, book[0].batch, network=1)
    assert list(states) == [0, 4, 12] and torch.equal(states[0], book[0].initial(task, 1)[0])
    np.testing.assert_array_equal(states[12], found["final"].sel(arm="none").isel(seed=1))


def test_helpers_do_the_work_of_the_command_line_and_are_ended(tmp_path):
    words = ["digits-usps/none", "--store", str(tmp_path)]
    with jobs.helpers(1, words) as others:
        assert others[0].wait(120) == 0
    assert not campaign.plan(arm.get("digits-usps/none"), tmp_path).missing
    with jobs.helpers(1, ["digits-usps", "--store", str(tmp_path)]) as others:
        pass
    assert all(process.returncode is not None for process in others)
    with jobs.helpers(-1, words) as others:
        assert others == []


def test_without_the_images_another_task_stands_in(monkeypatch):
    monkeypatch.setattr(datasets, "available", lambda name: False)
    assert (
        results.live_task("usps") == "digits-usps"
        and results.live_task("digits-usps") == "digits-usps"
    )
    monkeypatch.setattr(datasets, "available", lambda name: True)
    assert results.live_task("usps") == "usps"
    assert (
        set(results.STAND_IN) | set(results.STAND_IN.values()) <= set(tasks.names())
        and results.STAND_IN["usps"] in arm.names()
    )


def test_the_summary_says_what_the_arms_end_with():
    data = synthetic(ENDS, kept=0.5)
    data["diverged_at"][1, 0] = 7
    data["test_accuracy"][1, 0] = np.nan
    table = results.summary(data, tail=0)
    assert (
        table.index.tolist() == list(ENDS)
        and table["networks"].tolist() == [6, 6, 6]
        and table["diverged"].tolist() == [0, 1, 0]
    )
    assert (
        table.loc["none", "test accuracy"] == "0.925 (0.905 to 0.945)"
        and table.loc["none", "accuracy, less than none"] == ""
    )
    assert table.loc["positive", "accuracy, less than none"] == "0.100 (0.100 to 0.100)"
    # of the five that are known
    assert table.loc["negative", "accuracy, less than none"] == "0.430 (0.410 to 0.450)"
    assert (table["kept length"] == 0.5).all()
    few = results.summary(data.isel(seed=[1]), ["positive"], "other")
    assert few.columns.tolist() == [
        "networks",
        "diverged",
        "test accuracy",
        "test loss",
        "loss",
        "kept length",
    ]
    assert few.loc["positive", "test accuracy"] == "0.810"


def test_rates_are_ordered_for_a_figure():
    arms = [
        small(name.partition("-")[0], name=f"{TASK}/{name}", learning_rate=rate)
        for name, rate in (("none", 0.5), ("none-at-0.1", 0.1))
    ]
    found = results.rates(
        synthetic({"none": (0.9, 0.8), "none-at-0.1": (0.3, 0.4)}, arms=arms), tail=0
    )
    assert list(found) == ["none"]
    values, intervals = found["none"]
    assert values.tolist() == [0.1, 0.5] and [round(i.estimate, 3) for i in intervals] == [
        0.35,
        0.85,
    ]


def test_what_arms_cost_and_when_they_begin():
    ends = {
        "none": [0.9, 0.8],
        "negative": [0.5, 0.5],
        "positive": [0.9, 0.7],
        "late": [0.6, 0.6],
        "none-fast": [0.95, 0.95],
        "heavy": [0.1, 0.1],
    }
    rules = {
        "late": dict(rule="negative", onset=100),
        "none-fast": dict(rule="none", learning_rate=0.7),
    }
    rules["heavy"] = dict(rule="negative", momentum=0.9)
    arms = [
        small(**(dict(rule=label) | rules.get(label, {}) | dict(name=f"{TASK}/{label}")))
        for label in ends
    ]
    data = synthetic(ends, arms=arms)
    found = results.costs(data)
    assert list(found) == ["negative", "late", "positive"] and found[
        "negative"
    ].estimate == pytest.approx(0.35)
    assert results.onsets(data) == {"late": 100}
    assert results.there(data, ("late", "x", "none")) == ["late", "none"] and results.there(
        data, ("x",)
    ) == list(ends)


def test_other_tasks_are_listed_below_each_other():
    papers = {
        "usps": synthetic(ENDS),
        "digits-usps": synthetic({"none": [0.9], "negative": [0.5]}),
        "usps-cnn": synthetic({"none": [0.7]}),
    }
    found = results.elsewhere(papers)
    assert found.index.tolist() == [
        ("digits-usps", "none"),
        ("digits-usps", "negative"),
        ("usps-cnn", "none"),
    ]
    assert found.loc[("digits-usps", "negative"), "accuracy, less than none"] == "0.400"
    assert results.elsewhere({"usps": papers["usps"]}) is None


def test_the_share_of_the_most_frequent_class():
    x = torch.zeros(6, 2)
    task = tasks.custom(
        "t", networks.MLP((2, 3)), losses.CrossEntropy(), x, [0, 2, 2, 2, 1, 0], x[:4], [2, 0, 0, 1]
    )
    assert results.majority(task) == 0.25
    data = synthetic(ENDS)
    assert results.end(data, "positive", tail=0) == pytest.approx(0.825) and np.isnan(
        results.end(data, "none-at-all")
    )


def test_what_is_not_published_is_listed_with_its_command():
    papers = {"usps": synthetic({"none": [0.9, 0.8, 0.7], "negative": [0.5, 0.5, 0.4]})}
    papers["usps"]["present"][1, 2] = False
    found = results.unpublished(papers)
    assert (
        "usps/none" not in found.index
        and found.loc["usps/negative", "published"] == 2
        and found.loc["usps/negative", "wanted"] == 3
    )
    assert (
        found.loc["usps-sigmoid/none", "published"] == 0
        and not found.loc["usps-sigmoid/none", "pruned"]
    )
    assert (
        results.judged("here", papers) is papers["usps"]
        and results.judged("here", papers, "fashion") == "here"
    )


def test_eigenvalues_above_the_edge():
    data = known(("none", "negative"))
    assert results.above_edge(data, "negative") == 0 and np.isnan(
        results.above_edge(data, "no such arm")
    )
    data["chaotic"].loc[dict(arm="negative")] += 5
    assert results.above_edge(data, "negative") == 1
