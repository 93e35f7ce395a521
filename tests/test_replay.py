"""A run of mini-batch descent that is kept, to be gone through forwards and backwards."""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import pruned_descent
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.torch_utils import Stopped
from netdyn_lib.training import minibatches
from netdyn_lib.training.minibatches import Reference

RATE, BATCH, STEPS = 0.3, 4, 40
LOSS = losses.CrossEntropy()


def small(activation="tanh", loss=LOSS):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((23, 5))
    y = rng.integers(0, 3, 23) if loss is LOSS else rng.standard_normal((23, 3))
    return tasks.custom("small", networks.MLP((5, 4, 3), activation), loss, x, torch.tensor(y))


@pytest.fixture(scope="module")
def task():
    return small()


@pytest.fixture(scope="module")
def reference(task):
    return Reference(task, task.initial(1)[0], RATE, BATCH, STEPS, seed=2)


@pytest.mark.parametrize("every", [1, 7, 40, 100])
def test_a_reference_is_the_same_run_forwards_and_backwards(task, reference, every):
    other = Reference(task, task.initial(1)[0], RATE, BATCH, STEPS, seed=2, every=every)
    forth, back = list(other.weights()), list(other.weights(reverse=True))
    assert [t for t, _ in forth] == list(range(STEPS)) == [t for t, _ in back][::-1]
    for (_, one), (_, same), (_, known) in zip(forth, back[::-1], reference.weights(), strict=True):
        assert torch.equal(one, same) and torch.equal(one, known)
    run = pruned_descent.run(
        pruned_descent.Descent(task, BATCH), task.initial(1), RATE, STEPS, seed=2
    )
    torch.testing.assert_close(other.final, run.final[0], atol=1e-14, rtol=0)


def test_batches_are_those_of_every_other_run(reference):
    index = minibatches.at(23, BATCH, 13, 2)
    assert torch.equal(reference.part(13).x, reference.task.x[torch.tensor(index)])


def test_a_run_stops_and_refuses_bad_input(task):
    start = task.initial(1)[0]
    with pytest.raises(Stopped, match="before step 0"):
        Reference(task, start, RATE, BATCH, 5, stop=lambda: True)
    with pytest.raises(ValueError, match=r"expected \(39,\)"):
        Reference(task, start[None], RATE, BATCH, 5)
    with pytest.raises(ValueError, match="the run diverged"):
        linear = small("relu", losses.HalfSquaredError())
        Reference(linear, linear.initial(1)[0], 1e4, BATCH, 60)
    with pytest.raises(ValueError, match="weight_decay = 0.1"):
        Reference(
            tasks.custom("d", task.network, LOSS, task.x, task.y, weight_decay=0.1),
            start,
            RATE,
            BATCH,
            5,
        )
