"""What an arm is: its bounds, its networks, and the book's by name."""

import dataclasses
import json

import pytest
import torch

from netdyn_lib.curvature.pruned_descent import RULES, Rule
from netdyn_lib.experiments import sizes
from netdyn_lib.experiments.pruning_ablation import arm
from netdyn_lib.experiments.pruning_ablation.arm import Arm
from netdyn_lib.tasks import tasks
from netdyn_lib.training import minibatches
from tests.small_arms import TASK, small


def test_rules_have_names_and_survive_json():
    one = small("negative-norm")
    assert one.rule == RULES["negative-norm"] and one.label == "negative-norm"
    assert Arm(**json.loads(json.dumps(dataclasses.asdict(one)))) == one
    assert small(Rule("all", 3)).rule.count == 3
    assert small(name="other").label == "other"


def test_segments_and_observations_cover_the_run():
    assert small(steps=10, segment=4).segments() == [(0, 4), (4, 8), (8, 10)]
    assert list(small(steps=6).observed) == [0, 2, 4, 6]
    assert small(steps=4, segment=400).segments() == [(0, 4)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(learning_rate=0), "learning_rate = 0"),
        (dict(learning_rate=float("inf")), "learning_rate = inf"),
        (dict(momentum=1), "momentum = 1"),
        (dict(batch=0), "batch = 0"),
        (dict(steps=0), "steps = 0"),
        (dict(networks=0), "networks = 0"),
        (dict(networks=1001), "network = 1000: must be a whole number, from 0 to 999"),
        (dict(onset=-1), "onset = -1"),
        (dict(seed=0.5), "seed = 0.5"),
        (dict(steps=13), "steps = 13: must be a multiple of every = 2"),
        (dict(segment=5), "segment = 5: must be a multiple"),
        (dict(rule="sideways"), "unknown rule 'sideways'"),
    ],
)
def test_bad_numbers_are_one_clear_error(changes, said):
    with pytest.raises(ValueError, match=said):
        small(**dict(rule="none") | changes)


def test_arms_share_networks_and_batches_and_networks_share_none():
    task = tasks.get(small().task)
    first, second = small("none"), small("positive", learning_rate=0.1)
    for k in range(2):
        torch.testing.assert_close(first.initial(task, k), second.initial(task, k), rtol=0, atol=0)
        assert first.order(k) == second.order(k)
    assert not torch.equal(first.initial(task, 0), first.initial(task, 1))
    orders = {
        (seed, k): small(seed=seed, networks=999).order(k) for seed in range(3) for k in (0, 1, 998)
    }
    assert len(set(orders.values())) == 9


def test_the_books_arms_are_those_of_its_profile():
    size = sizes.sizes("07_hessian_chaos", "paper")
    names = arm.names(profile="paper")
    assert len(names) == len(set(names)) and names[:4] == (
        "usps/none",
        "usps/negative",
        "usps/positive",
        "usps/random-same",
    )
    assert arm.tasks("paper") == ("usps", "usps-sigmoid", "digits-usps", "usps-cnn", "fashion")
    for name in names:
        one = arm.get(name, "paper", seed=3)
        assert (one.name, one.seed, one.networks, one.task) == (
            name,
            3,
            size.networks,
            name.partition("/")[0],
        )
        assert tasks.recipe(one.task).initialisation == "pytorch"
    assert set().union(*(arm.names(task, "paper") for task in arm.tasks("paper"))) == set(names)


def test_the_papers_sizes_are_hs():
    plain = arm.get("usps/negative", "paper")
    assert (plain.learning_rate, plain.batch, plain.momentum, plain.onset) == (1e-3, 8, 0.0, 0)
    assert plain.steps == 40 * minibatches.per_epoch(7291, 8) and plain.segment == 2 * 912
    assert arm.get("digits-usps/none", "paper").steps == 40 * minibatches.per_epoch(1437, 8)
    assert [
        arm.get(f"usps-sigmoid/chaotic-from-{t}", "paper").onset for t in (2000, 5000, 10_000)
    ] == [2000, 5000, 10_000]
    assert arm.get("usps/negative-at-0.01", "paper").learning_rate == 0.01
    assert arm.get("usps/negative-momentum", "paper").momentum == 0.9
    assert arm.get("usps/negative-random-10", "paper").rule == Rule("negative", 10, "random")
    full = arm.get("usps/none-full-batch", "paper")
    assert full.batch is None and not full.spectra and full.rule == RULES["none"]
    known = {
        name.partition("/")[2]
        for task in ("usps", "usps-sigmoid")
        for name in arm.names(task, "paper")
    }
    assert set(RULES) - {"positive-norm"} <= known


def test_the_laptops_are_four_arms_of_two_networks_and_a_stand_in():
    for task in ("usps", "digits-usps"):
        found = [arm.get(name) for name in arm.names(task)]
        assert [one.label for one in found] == ["none", "negative", "positive", "random-same"]
        assert all(one.steps >= 1500 and one.networks == 2 and one.batch == 8 for one in found)


def test_unknown_names_say_what_is_known():
    with pytest.raises(
        ValueError, match="unknown arm 'usps/sideways'; known at the profile laptop: usps/none, "
    ):
        arm.get("usps/sideways")
    with pytest.raises(
        ValueError, match=f"no arm of the task '{TASK}' at the profile paper; tasks: usps, "
    ):
        arm.names(TASK, "paper")
    with pytest.raises(ValueError, match="unknown profile 'huge'"):
        arm.names(profile="huge")
