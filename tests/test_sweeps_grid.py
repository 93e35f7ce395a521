"""A sweep as a grid, its shards, and what their keys depend on."""

import dataclasses

import pytest
import torch

from netdyn_lib.experiments.learning_rate_sweep import Sweep, compute, named
from netdyn_lib.experiments.learning_rate_sweep.grid import Shard
from netdyn_lib.tasks import datasets, losses, networks, tasks
from tests.small_sweeps import TASK, register, small


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(rates=(0.5, 0.0)), "rates = 0.0.*positive"),
        (dict(rates=(-1.0,)), "rates = -1.0"),
        (dict(rates=(float("nan"),)), "rates = nan"),
        (dict(rates=(float("inf"),)), "rates = inf"),
        (dict(rates=()), "at least one"),
        (dict(rates=(0.5, 0.5)), "each once"),
        (dict(rates=0.5), "rates = 0.5"),
        (dict(rates=("a",)), "rates = a: a learning rate η must be positive"),
        (dict(radius=0.0), "radius = 0.0"),
        (dict(conditions=0), "conditions = 0"),
        (dict(block=1.5), "block = 1.5"),
        (dict(copies=0), "copies = 0"),
        (dict(epochs="many"), "epochs = many"),
        (dict(cap=5), "cap = 5 below epochs"),
        (dict(seed=-1), "seed = -1"),
        (dict(samples=0), "samples = 0"),
        (dict(sharp_at=(0, 13)), "sharp_at = 13"),
        (dict(sharp_at=(5, 0)), "in order"),
        (dict(sharp_at=(5, 5)), "each once"),
    ],
)
def test_what_is_no_sweep_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        small(**changes)


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_shards_cover_the_grid_once_and_see_every_rate_early(block):
    sweep = small(conditions=5, block=block)
    shards = sweep.shards()
    cells = [(s.rate, i) for s in shards for i in range(s.start, s.start + s.count)]
    assert sorted(cells) == [(r, i) for r in (0.5, 5.0) for i in range(5)]
    assert len(shards) == len(sweep)
    assert [s.rate for s in shards[:2]] == [0.5, 5.0]
    assert str(Shard(5.0, 2, 3)) == "η = 5, initial conditions 2 to 4"
    assert sweep.network_epochs == 2 * 5 * 3 * 12


def test_sharpness_is_of_the_first_references():
    sweep = small(conditions=6, block=4, sharp_at=(0, 3), sharp_conditions=5)
    assert [sweep.sharp_in(s) for s in sweep.shards()] == [4, 4, 1, 1]
    assert small(sharp_conditions=3).sharp_in(sweep.shards()[0]) == 0


def test_the_books_sweeps():
    for name in named.names():
        assert named.get(name).name == name
        assert len(named.get(name, "paper", seed=3)) >= 1
    with pytest.raises(ValueError, match="unknown sweep 'none'; known: digits"):
        named.get("none")
    with pytest.raises(ValueError, match="unknown profile"):
        named.get("digits", "huge")


# Keys


def key_of(sweep, shard=0, recipe=None, device="cpu"):
    recipe = recipe or tasks.recipe(sweep.task)
    task = tasks.build(recipe, device, sweep.samples, sweep.test_samples)
    return compute.key(sweep, sweep.shards()[shard], recipe, task)


@pytest.mark.parametrize(
    "changes",
    [
        dict(rates=(0.6, 5.0)),
        dict(block=1),
        dict(epochs=13),
        dict(copies=3),
        dict(radius=1e-7),
        dict(seed=1),
        dict(cap=31),
        dict(sustained=5),
        dict(samples=41),
        dict(test_samples=31),
        dict(sharp_at=(0,), sharp_conditions=1),
        dict(task="digits"),
        dict(task="digits-sigmoid"),
        dict(task="digits-l2-1e-3"),
        dict(task="digits-cnn"),
    ],
)
def test_a_key_changes_with_what_decides_the_numbers(changes):
    assert key_of(small(**changes)) != key_of(small())


def test_a_key_stays_with_what_does_not():
    first = key_of(small())
    assert key_of(small(name="other")) == first
    assert key_of(small(rates=(5.0, 0.5)), shard=1) == first
    assert key_of(small(rates=(0.5, 1.0, 5.0), conditions=9)) == first
    assert key_of(small(), shard=1) != first != key_of(small(), shard=2)
    # Sharpness of other shards does not matter to one that takes none.
    deep = dict(sharp_at=(0,), conditions=4)
    assert key_of(small(sharp_conditions=2, **deep), 2) == key_of(
        small(sharp_conditions=1, **deep), 2
    )


def test_a_key_changes_with_code_versions_device_and_definition(monkeypatch):
    sweep, recipe = small(), tasks.recipe(TASK)
    first = key_of(sweep)
    for change in (
        dict(target_accuracy=0.5),
        dict(std=0.5),
        dict(weight_decay=0.1),
        dict(network=lambda: networks.MLP((64, 9, 10), "tanh")),
        dict(network=lambda: networks.MLP((64, 8, 10), "relu")),
        dict(data="digits", loss=Other()),
    ):
        assert key_of(sweep, recipe=dataclasses.replace(recipe, **change)) != first, change
    assert key_of(sweep, recipe=dataclasses.replace(recipe, name="other", source="x")) == first
    with monkeypatch.context() as patch:
        patch.setattr(compute, "code", lambda: "other")
        assert key_of(sweep) != first
    with monkeypatch.context() as patch:
        patch.setattr(compute, "versions", lambda: {"numpy": "0", "torch": "0"})
        assert key_of(sweep) != first
    identity = compute.identity(sweep, sweep.shards()[0], recipe, tasks.build(recipe, samples=40))
    assert identity["device"] == "cpu" and set(identity["versions"]) == {"numpy", "torch"}


class Other(losses.CrossEntropy):
    pass


def test_a_key_follows_the_samples_themselves():
    """A checksum belongs to a whole set: another split of it, or other pixels, are other data."""
    iris = [key_of(Sweep("s", name, (1.0,), 1)) for name in ("iris", "iris-balanced")]
    assert iris[0] != iris[1]
    register()
    recipe = tasks.recipe(TASK)
    split = datasets.digits()
    brighter = dataclasses.replace(split, x=split.x * 2)
    test = dataclasses.replace(split, y_test=split.y_test.flip(0))
    keys = [
        key_of(small(), recipe=dataclasses.replace(recipe, data=lambda s=s: s))
        for s in (split, brighter, test)
    ]
    assert len(set(keys)) == 3


def network(act, scale=1.0):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.scale = torch.nn.Linear(64, 10), scale

    Net.forward = act
    return Net()


def test_a_key_follows_the_code_of_a_module_of_ones_own():
    """Two classes of one name, with other arithmetic, must not answer for each other."""
    recipe = tasks.recipe(small().task)

    def key(act, scale=1.0):
        return key_of(
            small(), recipe=dataclasses.replace(recipe, network=lambda: network(act, scale))
        )

    doubled = key(lambda self, x: self.layer(2 * x))
    assert doubled == key(lambda self, x: self.layer(2 * x))
    assert (
        len(
            {
                doubled,
                key(lambda self, x: self.layer(3 * x)),
                key(lambda self, x: self.layer(x).sin()),
                key(lambda self, x: self.layer(2 * x), 0.5),
            }
        )
        == 4
    )


def test_a_machine_that_would_compute_something_else_refuses():
    sweep = small()
    with pytest.raises(ValueError, match="would compute something else.*wanted 0000"):
        compute.compute(tasks.recipe(TASK), sweep, sweep.shards()[0], "cpu", "0000")
