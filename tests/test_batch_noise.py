"""Counts of eigenvalues of full and mini-batches, and the full batch's curvature along the latter's
negative directions.
"""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import batch_hessian, batch_noise, hessian
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import minibatches


def small(samples=23):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((samples, 5)), rng.integers(0, 3, samples)
    return tasks.custom("small", networks.MLP((5, 4, 3), "tanh"), losses.CrossEntropy(), x, y)


def test_full_counts_are_those_of_the_dense_spectrum():
    task = small()
    params = task.initial(1)
    values = torch.linalg.eigvalsh(hessian.hessians(task.objective, params)[0]).numpy()
    found = batch_noise.full(task, params[0], 0.1)
    edge = 1e-12 * values[-1]
    assert (found.negative, found.positive, found.size) == (
        (values < -edge).sum(),
        (values > edge).sum(),
        39,
    )
    assert found.negative_sum == pytest.approx(
        -values[values < 0].sum()
    ) and found.positive_sum == pytest.approx(values[values > 0].sum())
    assert (found.smallest, found.largest) == pytest.approx(
        (values[0], values[-1])
    ) and found.chaotic == found.negative


def test_mini_batches_against_the_full_batch():
    task = small()
    params = task.initial(1)[0]
    whole = hessian.hessians(task.objective, params[None])[0]
    found = batch_noise.compare(task, params, 0.1, 4, 3, seed=1, start=2)
    for k in range(3):
        part = minibatches.batch_task(task, torch.tensor(minibatches.at(23, 4, k + 2, 1)))
        spectrum = batch_hessian.spectrum(part, params)
        negative = spectrum.classes(0.1).negative
        vectors = spectrum.dense_vectors()[:, torch.from_numpy(negative)]
        np.testing.assert_allclose(
            found.full[k], torch.diagonal(vectors.T @ whole @ vectors), atol=1e-13
        )
        np.testing.assert_allclose(found.own[k], spectrum.values[negative])
        assert found.counts[k].negative == negative.sum() and found.counts[k].size == 39
        assert found.share_negative[k] == np.mean(found.full[k] < 0) and found.share_kept[k] < 1


def test_a_batch_of_all_samples_has_no_noise():
    found = batch_noise.compare(small(), small().initial(1)[0], 0.1, 23, 1)
    assert found.share_negative[0] == 1 and found.share_kept[0] == pytest.approx(1)
    with pytest.raises(ValueError, match="count = 0"):
        batch_noise.compare(small(), small().initial(1)[0], 0.1, 4, 0)


def test_along_training_is_what_single_networks_have():
    task = small()
    states = task.initial(2)
    found = batch_noise.along(task, dict(zip((3, 7), states)), 0.1, 4, 3, seed=1)
    assert found.index.tolist() == [3, 7]
    for k, step in enumerate((3, 7)):
        one, whole = (
            batch_noise.compare(task, states[k], 0.1, 4, 3, 1, step),
            batch_noise.full(task, states[k], 0.1),
        )
        row = found.loc[step]
        assert row["negative"] == np.mean([c.negative for c in one.counts]) and row[
            "positive"
        ] == np.mean([c.positive for c in one.counts])
        assert row["negative sum"] == pytest.approx(np.mean([c.negative_sum for c in one.counts]))
        for name in ("share_negative", "share_kept"):
            assert row[name] == pytest.approx(getattr(one, name).mean())
        assert (row["full negative"], row["full positive sum"]) == (
            whole.negative,
            whole.positive_sum,
        )
    less = batch_noise.along(task, dict(zip((3, 7), states)), 0.1, 4, 3, seed=1, full=False)
    assert less.columns.tolist() == [name for name in found.columns if not name.startswith("full")]


def test_a_table_of_batches():
    task = small()
    found = batch_noise.compare(task, task.initial(1)[0], 0.1, 4, 3)
    table = batch_noise.table({"start": found})
    assert table.loc["start", "negative"] == np.mean([one.negative for one in found.counts])
    assert table.loc["start", "curvature kept"] == pytest.approx(np.nanmean(found.share_kept))
