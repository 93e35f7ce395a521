"""Two trainings by a plain loop: the library's map where there is one, floors where none is."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from netdyn_lib.tasks import losses, tasks
from netdyn_lib.training import pytorch_loop
from netdyn_lib.training.gradient_descent import GradientDescent, run

RNG = np.random.default_rng(2)
X, Y = torch.tensor(RNG.standard_normal((12, 4))), torch.tensor(RNG.integers(0, 3, 12))
LOSS = nn.CrossEntropyLoss()


def net(*between):
    return nn.Sequential(nn.Linear(4, 5), *between, nn.Tanh(), nn.Linear(5, 3))


def follow(module, steps=15, batch=None, **options):
    setting = pytorch_loop.Setting(0.5, steps, batch)
    return pytorch_loop.twins(module, LOSS, X, Y, setting, **options)


def start_of(module):
    """The module as the loop draws it, and its weights."""
    start = pytorch_loop._drawn(module, 0)
    return start, parameters_to_vector(start.parameters()).detach()


def test_full_batch_is_the_librarys_map():
    """Distance and loss of descent.run from the same two starts."""
    found = follow(net(), radius=1e-4)
    _, weights = start_of(net())
    shift = torch.from_numpy(np.random.default_rng([0, 1]).uniform(-1, 1, len(weights)))
    task = tasks.custom("same", net(), losses.CrossEntropy(), X, Y)
    ball = torch.stack([weights, weights + 1e-4 * shift])[None]
    record = run(GradientDescent(task, 0.5), ball, 15, observe=("mean_distance", "loss"))
    np.testing.assert_allclose(found.distance, record["mean_distance"][:, 0], rtol=1e-9)
    np.testing.assert_allclose(found.loss, record["loss"][:, 0], rtol=1e-9)
    np.testing.assert_array_equal(found.evaluated, found.loss)


@pytest.mark.parametrize(
    ("module", "batch"),
    [(net(), 4), (net(nn.Dropout(0.3)), None), (net(nn.BatchNorm1d(5)), 4)],
    ids=["batches", "dropout", "norm"],
)
def test_other_noise_parts_twins_at_once(module, batch):
    same, near, other = (
        follow(module, batch=batch, **more) for more in ({}, dict(radius=1e-8), dict(seeds=(0, 1)))
    )
    assert not same.distance.any()
    assert 0 < near.distance[1] < 1e-5
    assert other.distance[0] == 0 and other.distance[1] > 1e-3


def test_a_full_batch_with_batch_normalisation_has_no_noise():
    other = follow(net(nn.BatchNorm1d(5)), seeds=(0, 1))
    assert not other.distance.any()
    # but what it remembers is not what it trains with
    assert abs(other.evaluated - other.loss).max() > 1e-3


def test_looking_changes_nothing():
    """Weights are those of a loop that looks at no loss, dropout and running means included."""
    module = net(nn.BatchNorm1d(5), nn.Dropout(0.3))
    before = torch.random.get_rng_state()
    (start, _), (plain, weights) = start_of(module), start_of(module)
    way = pytorch_loop._train(start, LOSS, (X, Y), pytorch_loop.Setting(0.1, 5), 3)[0]
    assert torch.equal(before, torch.random.get_rng_state()) and torch.equal(way[0], weights)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for _ in range(5):
            optimizer.zero_grad()
            LOSS(plain(X), Y).backward()
            optimizer.step()
    assert torch.equal(way[-1], parameters_to_vector(plain.parameters()).detach())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(seeds=(1,)), "1 seeds"),
        (dict(radius=-1.0), "radius = -1.0"),
        (dict(batch=40), "batch = 40"),
        (dict(steps=-1), "steps = -1"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        follow(net(), **options)


def test_batch_statistics_without_memory_are_a_map():
    """What chapter 8 recommends: the library takes it, and trains it as PyTorch does."""
    norm = nn.BatchNorm2d(3, track_running_stats=False)
    module = nn.Sequential(
        *(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2, padding=1), norm),
        *(nn.Tanh(), nn.Flatten(), nn.Linear(27, 3)),
    )
    task = tasks.custom("taken", module, losses.CrossEntropy(), X, Y)
    _, weights = start_of(module)
    record = run(GradientDescent(task, 0.5), weights[None], 15)
    np.testing.assert_allclose(record["loss"][:, 0], follow(module).loss[:, 0], rtol=1e-9)
