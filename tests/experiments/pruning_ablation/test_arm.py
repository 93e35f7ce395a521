"""What an arm is: its bounds, its networks and their numbers, and the book's by name."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from netdyn_lib.curvature.pruned_descent import RULES, Rule
from netdyn_lib.experiments import campaign, sizes
from netdyn_lib.experiments.pruning_ablation import arm, measuring
from netdyn_lib.experiments.pruning_ablation.arm import Arm
from netdyn_lib.tasks import tasks
from netdyn_lib.training import minibatches
from tests.small_arms import OBSERVED, TASK, ablation, small
from tests.small_sweeps import same


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
        (dict(learning_rate=float("inf")), "learning_rate = inf"),
        (dict(momentum=1), "momentum = 1"),
        (dict(batch=0), "batch = 0"),
        (dict(networks=1001), "network = 1000: must be a whole number, from 0 to 999"),
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
    size, tasks_ = sizes.sizes("07_hessian_chaos", "paper"), arm.names("paper")
    assert tasks_ == ("usps", "usps-sigmoid", "digits-usps", "usps-cnn", "fashion")
    usps = [one.label for one in arm.get("usps", "paper").arms]
    assert usps[:4] == ["none", "negative", "positive", "random-same"]
    for task in tasks_:
        found = arm.get(task, "paper", seed=3).arms
        assert len(found) == len({one.name for one in found})
        assert {(one.seed, one.networks, one.task) for one in found} == {(3, size.networks, task)}
        assert tasks.recipe(task).initialisation == "pytorch"
        assert {one.name.partition("/")[0] for one in found} == {task}


def one(name, profile="laptop"):
    (found,) = arm.get(name, profile).arms
    return found


def test_the_papers_sizes_are_those_of_herrmann_2022():
    plain = one("usps/negative", "paper")
    assert (plain.learning_rate, plain.batch, plain.momentum, plain.onset) == (1e-3, 8, 0.0, 0)
    assert plain.steps == 40 * minibatches.per_epoch(7291, 8) and plain.segment == 2 * 912
    assert one("digits-usps/none", "paper").steps == 40 * minibatches.per_epoch(1437, 8)
    assert [one(f"usps-sigmoid/chaotic-from-{t}", "paper").onset for t in (2000, 5000, 10_000)] == [
        2000,
        5000,
        10_000,
    ]
    assert one("usps/negative-at-0.01", "paper").learning_rate == 0.01
    assert one("usps/negative-momentum", "paper").momentum == 0.9
    assert one("usps/negative-random-10", "paper").rule == Rule("negative", 10, "random")
    full = one("usps/none-full-batch", "paper")
    assert full.batch is None and not full.spectra and full.rule == RULES["none"]
    known = {one.label for task in ("usps", "usps-sigmoid") for one in arm.get(task, "paper").arms}
    assert set(RULES) - {"positive-norm"} <= known


def test_the_laptops_are_four_arms_of_two_networks_and_a_stand_in():
    for task in ("usps", "digits-usps"):
        found = arm.get(task).arms
        assert [one.label for one in found] == ["none", "negative", "positive", "random-same"]
        assert all(one.steps >= 1500 and one.networks == 2 and one.batch == 8 for one in found)


def test_unknown_names_say_what_is_known():
    said = "unknown arm 'usps/sideways'; known at the profile laptop: usps, digits-usps, usps/none"
    with pytest.raises(ValueError, match=said):
        arm.get("usps/sideways")
    with pytest.raises(ValueError, match="unknown profile 'huge'"):
        arm.names("huge")
    for arms in ((), (small("none"), small("none", task="digits-usps"))):
        with pytest.raises(ValueError, match="at least one arm, and all of one task"):
            arm.Ablation(TASK, arms)


ARMS = [*ablation().arms]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    assert campaign.run(ablation(), path).computed == 5
    return path


@pytest.fixture(scope="module")
def data(folder):
    return campaign.load(ablation(), folder)


def test_a_dataset_is_what_was_measured(data):
    task = tasks.get(TASK)
    for one in ARMS:
        for k in range(one.networks):
            found, part = measuring.follow(task, one, k, 0, 12), data.sel(arm=one.label, seed=k)
            for name in (*OBSERVED, "final", "velocity", "diverged_at"):
                np.testing.assert_array_equal(part[name], found[name], err_msg=name)
            np.testing.assert_array_equal(part["first_loss"], found["losses"])


def test_dimensions_and_provenance(data):
    assert dict(data.sizes) == {"arm": 3, "seed": 2, "step": 7, "parameter": 235, "first": 12}
    assert data["arm"].values.tolist() == ["none", "random-same", "negative"]
    assert data["test_loss"].dims == ("arm", "seed", "step") and data["step"].values[-1] == 12
    assert data["present"].values.tolist() == [[True, True], [True, True], [True, False]]
    assert np.isnan(data["test_loss"].sel(arm="negative", seed=1)).all()
    assert [Arm(**one) for one in json.loads(data.attrs["arms"])] == ARMS
    assert all(word in data.attrs["provenance"] for word in ("one core of", "PyTorch", "commit"))


def test_arms_of_other_lengths_and_numbers_stand_in_one_dataset(folder, data):
    longer = small("none", name="longer", steps=20, every=4, networks=1)
    both = ablation(*ARMS[:2], longer)
    campaign.run(both, folder)
    found = campaign.load(both, folder)
    assert found["step"].values.tolist() == [0, 2, 4, 6, 8, 10, 12, 16, 20]
    mine = found["loss"].sel(arm="none", step=data["step"])
    np.testing.assert_array_equal(mine, data["loss"].sel(arm="none"))
    later = found["test_loss"].sel(arm="longer", seed=0)
    wanted = data["test_loss"].sel(arm="none", seed=0, step=[4, 8, 12])
    np.testing.assert_array_equal(later.sel(step=[4, 8, 12]), wanted)
    assert np.isnan(later.sel(step=[2, 6, 10])).all()
    assert np.isfinite(later.sel(step=[16, 20])).all()


def test_segments_change_no_number(data, tmp_path):
    arms = ablation(*(dataclasses.replace(one, segment=6) for one in ARMS))
    campaign.run(arms, tmp_path)
    assert same(campaign.load(arms, tmp_path), data)


def test_runs_that_diverge_are_data(tmp_path):
    arms = ablation(small("none", learning_rate=1e200))
    campaign.run(arms, tmp_path)
    found = campaign.load(arms, tmp_path).sel(arm="none")
    assert (found["diverged_at"] > 0).all() and found["present"].all()
    assert np.isnan(found["test_loss"].isel(step=slice(3, None))).all()
    assert np.isfinite(found["test_loss"].isel(step=0)).all()


def test_networks_that_are_missing_are_an_error_or_left_out(folder):
    more = ablation(small("none", networks=3), small("positive", seed=5))
    with pytest.raises(KeyError, match=f"lacks 3 of 5 networks of '{TASK}'"):
        campaign.load(more, folder, whole=True)
    found = campaign.load(more, folder)
    assert found["arm"].values.tolist() == ["none"]
    assert found["present"].values.tolist() == [[True, True, False]]
    assert np.isnan(found["diverged_at"].values[0, 2])
