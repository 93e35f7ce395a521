"""What classes of directions contribute to descent: against the formula on a quadratic, and against
what pruning does to the loss.
"""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import batch_hessian, batch_noise, pruning
from netdyn_lib.tasks import gradients, tasks
from netdyn_lib.training import minibatches


@pytest.fixture(scope="module")
def task():
    return tasks.get("digits-small", samples=160, test_samples=20)


@pytest.fixture(scope="module")
def found(task):
    return batch_noise.measure(task, task.initial(1)[0], 1e-3, 8, 20)  # all batches of one epoch


def test_parts_add_up_and_their_mean_is_the_squared_gradient(task, found):
    np.testing.assert_allclose(found.length.sum(1), 1, atol=1e-10)
    np.testing.assert_allclose(found.descent.sum(1), found.whole, atol=1e-10)
    square = float(gradients.of(task)(task.initial(1))[0].square().sum())
    assert found.whole.mean() == pytest.approx(square, rel=1e-10)
    assert (
        sum(i.estimate for i in found.shares().values()) == pytest.approx(1)
        and found.shares()["negative"].low < found.shares()["negative"].high
    )


def test_a_share_is_what_pruning_takes_from_the_fall_of_the_loss(task, found):
    """To first order: small steps, over all batches of an epoch from the same weights."""
    params, rate = task.initial(1)[0], 1e-6
    falls = {}
    for rule in ("none", "negative", "positive"):
        fall = 0.0
        for k in range(20):
            part = minibatches.batch_task(task, torch.tensor(minibatches.at(160, 8, k)))
            fall += float(
                task.objective(params)
                - task.objective(pruning.step(part, params, part.x, part.y, rate, rule))
            )
        falls[rule] = fall
    for rule in ("negative", "positive"):
        assert 1 - falls[rule] / falls["none"] == pytest.approx(
            found.shares()[rule].estimate, abs=1e-3
        )


def test_a_full_batch_contributes_what_it_holds(task):
    found = batch_noise.measure(task, task.initial(1)[0], 1e-3, 160, 1)
    np.testing.assert_allclose(found.descent / found.whole[:, None], found.length, atol=1e-10)
    assert np.isnan(found.shares()["negative"].low)


def test_random_directions_take_their_number(task, found):
    known = batch_hessian.spectrum(
        minibatches.batch_task(task, torch.tensor(minibatches.at(160, 8, 0))), task.initial(1)[0]
    ).classes(1e-3)
    assert found.dimensions[0].tolist() == [
        known.negative.sum(),
        known.positive.sum(),
        known.neutral.sum(),
    ]
    assert found.random().estimate == pytest.approx(
        found.dimensions[:, 0].sum() / found.dimensions[:, :2].sum()
    )


def test_the_table_has_a_row_for_each_time_and_class(found):
    table = batch_noise.contribution_table({0: found, 10: found})
    assert list(table.index) == [
        (0, "negative"),
        (0, "positive"),
        (10, "negative"),
        (10, "positive"),
    ]
    assert table.loc[(0, "negative"), "share of the descent"].startswith(
        f"{found.shares()['negative'].estimate:.2f} ("
    )
    with pytest.raises(ValueError, match="count = 0"):
        batch_noise.measure(tasks.get("iris"), tasks.get("iris").initial(1)[0], 1.0, 8, 0)
