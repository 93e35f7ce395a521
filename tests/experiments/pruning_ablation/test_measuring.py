"""A stretch of a run is what pruned descent says, and stretches join to the whole, to the bit."""

import dataclasses

import numpy as np
import pytest

from netdyn_lib.curvature import pruned_descent
from netdyn_lib.experiments.pruning_ablation import measuring
from netdyn_lib.tasks import tasks
from netdyn_lib.torch_utils import Stopped
from tests.small_arms import OBSERVED, small

ARMS = {
    "none": small("none"),
    "negative": small("negative"),
    "random": small("random-same"),
    "momentum": small("positive", momentum=0.9),
    "onset": small("chaotic", onset=5),
    "largest": small(pruned_descent.Rule("all", 2, "random")),
    "full": small("none", batch=None, spectra=False),
}


@pytest.fixture(params=ARMS)
def arm(request):
    return ARMS[request.param]


def test_a_run_is_pruned_descent_observed(arm):
    task = tasks.get(arm.task)
    batch = arm.batch or 1437
    descent = pruned_descent.Descent(task, batch, arm.rule, arm.onset, arm.momentum, 2, arm.spectra)
    run = pruned_descent.run(
        descent, arm.initial(task, 1), arm.learning_rate, 12, seed=arm.order(1)
    )
    found = measuring.follow(task, arm, 1, 0, 12)
    np.testing.assert_array_equal(found["steps"], [0, 2, 4, 6, 8, 10, 12])
    np.testing.assert_array_equal(found["losses"], run.loss[:, 0])
    np.testing.assert_allclose(found["loss"][1:], run.loss[:, 0].reshape(6, 2).mean(1), rtol=1e-15)
    assert np.isnan(found["loss"][0]) and found["diverged_at"] == -1
    for name in run.values:
        np.testing.assert_array_equal(found[name], run[name][:, 0])
    assert set(OBSERVED) < set(found)
    np.testing.assert_array_equal(found["final"], run.final[0])


def test_stretches_join_to_the_whole_to_the_last_bit(arm):
    task, parts, state = tasks.get(arm.task), [], ()
    whole = measuring.joined([measuring.follow(task, arm, 0, 0, 12)], arm)
    for start, stop in arm.segments():
        parts.append(measuring.follow(task, arm, 0, start, stop, *state))
        state = parts[-1]["final"], parts[-1]["velocity"]
    found = measuring.joined(parts, arm)
    assert set(found) == set(whole) and found["first_loss"].shape == (12,)
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_rule_changes_the_run_from_its_onset_on():
    task = tasks.get(small().task)
    none, onset, pruned = (
        measuring.follow(task, ARMS[name], 0, 0, 12)["losses"]
        for name in ("none", "onset", "negative")
    )
    np.testing.assert_array_equal(none[:6], onset[:6])  # the loss of step 5 is that before it
    assert (none[6:] != onset[6:]).all() and none[0] == pruned[0] and none[1] != pruned[1]


def test_what_diverges_is_nan_from_then_on():
    arm = small("none", learning_rate=1e200)
    part = measuring.follow(tasks.get(arm.task), arm, 0, 0, 4)
    assert 0 < part["diverged_at"] <= 4 and np.isnan(part["final"]).all()
    found = measuring.joined([part], arm)
    assert found["diverged_at"] == part["diverged_at"]
    assert all(len(found[name]) == 7 and np.isnan(found[name][3:]).all() for name in OBSERVED)
    np.testing.assert_array_equal(found["steps"], np.arange(0, 13, 2))
    assert found["first_loss"].shape == (4,)


def test_a_run_can_be_asked_to_stop():
    arm, asked = small(), []

    def ask():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(Stopped, match="before step 7"):
        measuring.follow(tasks.get(arm.task), arm, 0, 4, 8, *np.zeros((2, 235)), ask=ask)


def test_what_does_not_fit_is_an_error():
    task = tasks.get(small().task)
    with pytest.raises(ValueError, match="batch = 1438"):
        measuring.follow(task, small(batch=1438), 0, 0, 2)
    with pytest.raises(ValueError, match="weight_decay"):
        measuring.follow(dataclasses.replace(task, weight_decay=0.1), small(), 0, 0, 2)


def test_the_cost_of_a_step_is_measured():
    assert 1e-5 < measuring.cost(tasks.get(small().task), small(), 4) < 10
