"""Curvature and descent along a mini-batch's directions, against dense matrices and pruning."""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import batch_hessian, batch_noise, hessian, pruned_descent
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import minibatches


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((23, 5)), rng.integers(0, 3, 23)
    return tasks.custom("small", networks.MLP((5, 4, 3), "tanh"), losses.CrossEntropy(), x, y)


def part_of(task, batch, step, seed=0):
    index = minibatches.at(len(task.x), batch, step, seed)
    return minibatches.batch_task(task, torch.tensor(index))


def test_counts_are_those_of_the_dense_spectrum(small):
    params = small.initial(1)
    values = torch.linalg.eigvalsh(hessian.hessians(small.objective, params)[0]).numpy()
    found = batch_noise.counts(batch_hessian.spectrum(small, params[0]))
    edge = 1e-12 * values[-1]
    assert found == pytest.approx(
        {
            "negative": (values < -edge).sum(),
            "positive": (values > edge).sum(),
            "negative sum": -values[values < 0].sum(),
            "positive sum": values[values > 0].sum(),
        }
    )


def test_mini_batches_against_the_full_batch(small):
    params = small.initial(1)[0]
    whole = hessian.hessians(small.objective, params[None])[0]
    found = batch_noise.compare(small, params, 4, 3, seed=1, start=2)
    for k in range(3):
        spectrum = batch_hessian.spectrum(part_of(small, 4, k + 2, 1), params)
        negative = spectrum.classes(0.1).negative
        vectors = spectrum.expand(torch.eye(len(negative)).double())[torch.from_numpy(negative)]
        full = torch.diagonal(vectors @ whole @ vectors.T)
        np.testing.assert_allclose(found.full[k], full, atol=1e-13)
        np.testing.assert_allclose(found.own[k], spectrum.values[negative])
        assert found.counts["negative"][k] == negative.sum()
        assert found.share_negative[k] == np.mean(found.full[k] < 0) and found.share_kept[k] < 1
    table = batch_noise.table({"start": found})
    assert table.loc["start", "curvature kept"] == pytest.approx(np.nanmean(found.share_kept))
    all_samples = batch_noise.compare(small, params, 23, 1)  # no noise
    assert all_samples.share_negative[0] == 1 and all_samples.share_kept[0] == pytest.approx(1)
    with pytest.raises(ValueError, match="count = 0"):
        batch_noise.compare(small, params, 4, 0)


def test_along_training_is_what_single_networks_have(small):
    states = dict(zip((3, 7), small.initial(2)))
    found = batch_noise.along(small, states, 4, 3, seed=1)
    assert found.index.tolist() == [3, 7]
    for step, params in states.items():
        one = batch_noise.compare(small, params, 4, 3, 1, step)
        whole = batch_noise.counts(batch_hessian.spectrum(small, params))
        row = found.loc[step]
        for name in ("negative", "positive", "negative sum", "positive sum"):
            assert row[name] == pytest.approx(one.counts[name].mean())
            assert row[f"full {name}"] == whole[name]
        for name in ("share_negative", "share_kept"):
            assert row[name] == pytest.approx(getattr(one, name).mean())


@pytest.fixture(scope="module")
def task():
    return tasks.get("digits-small", samples=64, test_samples=20)


@pytest.fixture(scope="module")
def found(task):
    return batch_noise.measure(task, task.initial(1)[0], 8, 8)  # all batches of one epoch


def test_parts_add_up_and_their_mean_is_the_squared_gradient(task, found):
    np.testing.assert_allclose(found.length.sum(1), 1, atol=1e-10)
    np.testing.assert_allclose(found.descent.sum(1), found.whole, atol=1e-10)
    square = float(gradients.of(task)(task.initial(1))[0].square().sum())
    assert found.whole.mean() == pytest.approx(square, rel=1e-10)
    assert sum(i.estimate for i in found.shares().values()) == pytest.approx(1)
    assert found.shares()["negative"].low < found.shares()["negative"].high


def test_a_share_is_what_pruning_takes_from_the_fall_of_the_loss(task, found):
    """To first order: small steps, over all batches of an epoch from the same weights."""
    params, falls = task.initial(1)[0], {}
    for rule in ("none", "negative", "positive"):
        ends = [pruned_descent.step(part_of(task, 8, k), params, 1e-6, rule) for k in range(8)]
        falls[rule] = sum(float(task.objective(params) - task.objective(end)) for end in ends)
    for rule in ("negative", "positive"):
        share = found.shares()[rule].estimate
        assert 1 - falls[rule] / falls["none"] == pytest.approx(share, abs=1e-3)


def test_full_batches_and_random_directions(task, found):
    full = batch_noise.measure(task, task.initial(1)[0], 64, 1)
    np.testing.assert_allclose(full.descent / full.whole[:, None], full.length, atol=1e-10)
    assert np.isnan(full.shares()["negative"].low)
    known = batch_hessian.spectrum(part_of(task, 8, 0), task.initial(1)[0]).classes(1e-3).counts()
    assert found.dimensions[0].tolist() == [known[name] for name in batch_noise.CLASSES]
    share = found.dimensions[:, 0].sum() / found.dimensions[:, :2].sum()
    assert found.random().estimate == pytest.approx(share)
    table = batch_noise.contribution_table({0: found, 10: found})
    assert list(table.index) == [(t, c) for t in (0, 10) for c in ("negative", "positive")]
    told = table.loc[(0, "negative"), "share of the descent"]
    assert told.startswith(f"{found.shares()['negative'].estimate:.2f} (")
