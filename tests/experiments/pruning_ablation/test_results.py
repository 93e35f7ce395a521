"""Arms computed where they are missing, by several processes, and with a stand-in."""

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import campaign, jobs
from netdyn_lib.experiments.pruning_ablation import arm, results
from netdyn_lib.experiments.sgd_spectra import MiniBatchDescent
from netdyn_lib.tasks import datasets, tasks
from tests.small_arms import TASK, small, synthetic


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
    descent = MiniBatchDescent(tasks.get(TASK), book[0].learning_rate, book[0].batch)
    states = descent.states(1, (0, 4, 12))
    assert list(states) == [0, 4, 12] and torch.equal(states[0], descent.initial(1))
    wanted = found["final"].sel(arm="none").isel(seed=1)
    np.testing.assert_allclose(states[12], wanted, rtol=1e-12)


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


def test_what_is_not_published_is_listed_with_its_command():
    papers = {"usps": synthetic({"none": [0.9, 0.8] * 2 + [0.7], "negative": [0.5] * 4 + [0.4]})}
    papers["usps"]["present"][1, 4] = False
    found = results.unpublished(papers)
    assert (
        "usps/none" not in found.index
        and found.loc["usps/negative", "published"] == 4
        and found.loc["usps/negative", "wanted"] == 5
    )
    assert (
        found.loc["usps-sigmoid/none", "published"] == 0
        and not found.loc["usps-sigmoid/none", "pruned"]
    )
