"""Every sample once an epoch, in an order that the seed decides and that can be taken up anywhere."""

from itertools import islice

import numpy as np
import pytest
import torch

from netdyn_lib.tasks import tasks
from netdyn_lib.training import minibatches


def test_each_epoch_takes_all_samples_once_and_keeps_the_short_batch():
    batches = list(minibatches.order(23, 5, epochs=3, seed=1))
    assert [len(b) for b in batches] == [5, 5, 5, 5, 3] * 3
    assert minibatches.per_epoch(23, 5) == 5 and minibatches.per_epoch(20, 5) == 4
    epochs = [np.concatenate(batches[k : k + 5]) for k in (0, 5, 10)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(23))
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])


@pytest.mark.parametrize("start", [0, 3, 5, 12, 15])
def test_the_order_goes_on_from_any_step(start):
    whole = list(minibatches.order(23, 5, epochs=3, seed=1))
    for a, b in zip(whole[start:], minibatches.order(23, 5, 3, 1, start), strict=True):
        np.testing.assert_array_equal(a, b)
    endless = list(islice(minibatches.order(23, 5, seed=1, start=start), 15 - start))
    assert all(map(np.array_equal, endless, whole[start:]))


def test_seeds_differ():
    assert not np.array_equal(minibatches.permutation(50, 0, 0), minibatches.permutation(50, 0, 1))


def test_a_part_of_a_task_has_the_loss_of_its_samples():
    iris = tasks.get("iris")
    params, index = iris.initial(1)[0], torch.tensor([3, 77, 5])
    part = minibatches.batch_task(iris, index)
    one_by_one = [
        minibatches.batch_task(iris, index[k : k + 1]).objective(params) for k in range(3)
    ]
    assert float(part.objective(params)) == pytest.approx(float(sum(one_by_one)) / 3)
    assert len(part.x) == 3 and torch.equal(part.x_test, iris.x_test)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0, 1), "samples = 0"),
        ((5, 6), "batch = 6: must be a whole number, from 1 to 5"),
        ((5, 1.5), "batch = 1.5"),
        ((5, 2, -1), "epochs = -1"),
        ((5, 2, 1, -1), "seed = -1"),
        ((5, 2, 1, 0, -2), "start = -2"),
    ],
)
def test_bad_numbers_are_refused_at_the_call(arguments, message):
    with pytest.raises(ValueError, match=message):
        minibatches.order(*arguments)


def test_an_order_of_samples_is_no_stream_that_drew_a_network_or_a_rule():
    """default_rng([a, b]) is default_rng([a, b, 0]), from which network b of seed a is drawn."""
    assert np.random.default_rng([5, 3]).random() == np.random.default_rng([5, 3, 0]).random()
    drawn = minibatches.permutation(50, 3, 5)
    for stream in ([5, 3], [5, 3, 1]):
        assert not np.array_equal(drawn, np.random.default_rng(stream).permutation(50))
