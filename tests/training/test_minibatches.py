"""Every sample once an epoch, in an order that the seed decides; and runs that can be retraced."""

from itertools import islice

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import pruned_descent
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.torch_utils import Stopped
from netdyn_lib.training import minibatches
from netdyn_lib.training.minibatches import Reference

RATE, BATCH, STEPS = 0.3, 4, 40
LOSS, SQUARES = losses.CrossEntropy(), losses.HalfSquaredError()


def small(activation="tanh", loss=LOSS, **settings):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((23, 5))
    y = rng.integers(0, 3, 23) if loss is LOSS else rng.standard_normal((23, 3))
    return tasks.custom("small", networks.MLP((5, 4, 3), activation), loss, x, y, **settings)


TASK = small()
START = TASK.initial(1)[0]


def test_each_epoch_takes_all_samples_once_and_keeps_the_short_batch():
    batches = list(minibatches.order(23, 5, epochs=3, seed=1))
    assert [len(b) for b in batches] == [5, 5, 5, 5, 3] * 3
    assert minibatches.per_epoch(23, 5) == 5 and minibatches.per_epoch(20, 5) == 4
    epochs = [np.concatenate(batches[k : k + 5]) for k in (0, 5, 10)]
    for k, epoch in enumerate(epochs):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(23))
        np.testing.assert_array_equal(epoch, minibatches.permutation(23, k, 1))
    assert len({epoch.tobytes() for epoch in epochs}) == 3


@pytest.mark.parametrize("start", [0, 3, 5, 12, 15])
def test_the_order_goes_on_from_any_step(start):
    whole = list(minibatches.order(23, 5, epochs=3, seed=1))
    for a, b in zip(whole[start:], minibatches.order(23, 5, 3, 1, start), strict=True):
        np.testing.assert_array_equal(a, b)
    endless = list(islice(minibatches.order(23, 5, seed=1, start=start), 15 - start))
    assert all(map(np.array_equal, endless, whole[start:]))


def test_a_part_of_a_task_has_the_loss_of_its_samples():
    index = torch.tensor([3, 7, 5])
    part = minibatches.batch_task(TASK, index)
    each = [minibatches.batch_task(TASK, index[k : k + 1]).objective(START) for k in range(3)]
    assert float(part.objective(START)) == pytest.approx(float(sum(each)) / 3)
    assert len(part.x) == 3 and torch.equal(part.x_test, TASK.x_test)


def test_an_order_of_samples_is_no_stream_that_drew_a_network_or_a_rule():
    """default_rng([a, b]) is default_rng([a, b, 0]), from which network b of seed a is drawn."""
    assert np.random.default_rng([5, 3]).random() == np.random.default_rng([5, 3, 0]).random()
    drawn = minibatches.permutation(50, 3, 5)
    for stream in ([5, 3], [5, 3, 1], [4, 3, 7]):
        assert not np.array_equal(drawn, np.random.default_rng(stream).permutation(50))


@pytest.mark.parametrize("every", [None, 1, 7, 100])
def test_a_reference_is_the_same_run_forwards_and_backwards(every):
    reference = Reference(TASK, START, RATE, BATCH, STEPS, seed=2, every=every)
    forth, back = list(reference.weights()), list(reference.weights(reverse=True))
    assert [t for t, _ in forth] == list(range(STEPS)) == [t for t, _ in back][::-1]
    assert all(torch.equal(one, same) for (_, one), (_, same) in zip(forth, back[::-1]))
    run = pruned_descent.run(pruned_descent.Descent(TASK, BATCH), START[None], RATE, STEPS, seed=2)
    torch.testing.assert_close(reference.final, run.final[0], atol=1e-14, rtol=0)
    index = torch.tensor(minibatches.at(23, BATCH, 13, 2))
    assert torch.equal(reference.part(13).x, TASK.x[index])


def diverging():
    linear = small("relu", SQUARES)
    return Reference(linear, linear.initial(1)[0], 1e4, BATCH, 60)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: minibatches.order(0, 1), "samples = 0"),
        (lambda: minibatches.order(5, 6), "batch = 6: must be a whole number, from 1 to 5"),
        (lambda: minibatches.order(5, 2, -1), "epochs = -1"),
        (lambda: minibatches.order(5, 2, 1, -1), "seed = -1"),
        (lambda: minibatches.order(5, 2, 1, 0, -2), "start = -2"),
        (lambda: Reference(TASK, START[None], RATE, BATCH, 5), r"expected \(39,\)"),
        (lambda: Reference(small(weight_decay=0.1), START, RATE, BATCH, 5), "weight_decay = 0.1"),
        (diverging, "the run diverged"),
        (lambda: Reference(TASK, START, RATE, BATCH, 5, stop=lambda: True), "before step 0"),
    ],
)
def test_bad_input_is_refused_at_the_call(call, message):
    with pytest.raises((ValueError, Stopped), match=message):
        call()
