"""The low-rank spectrum of a mini-batch against the dense one."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import grad, hessian

from netdyn_lib.curvature import batch_frames, batch_hessian
from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.tasks import losses, networks, tasks

LOSSES = [losses.CrossEntropy(), losses.HalfSquaredError()]
ACTIVATIONS = ("relu", "tanh", "sigmoid")


def task_of(sizes=(30, 6, 4), activation="tanh", loss=LOSSES[0], samples=5, x=None):
    rng = np.random.default_rng(sum(sizes))
    x = rng.standard_normal((samples, sizes[0])) if x is None else x
    labels = loss.name == "cross-entropy"
    y = rng.integers(0, sizes[-1], len(x)) if labels else rng.standard_normal((len(x), sizes[-1]))
    return tasks.custom("t", networks.MLP(sizes, activation), loss, x, torch.tensor(y))


def kept(task, params, rank):
    """m' of one hidden layer: a unit that is on for n samples acts in min(n, r) dimensions."""
    below, _ = task.network.matrices(params[None])
    before = below[0] @ torch.cat([task.x, torch.ones_like(task.x[:, :1])], 1).T
    on = before > 0 if task.network.activation.name == "relu" else before.isfinite()
    counts, outputs = on.sum(1), task.network.sizes[-1] - (task.loss.name == "cross-entropy")
    return int(counts.clamp(max=rank).sum() + outputs * ((counts > 0).sum() + 1))


def vectors_of(found):
    """All m' eigenvectors as columns, (P, m')."""
    return found.expand(torch.eye(len(found.values)).double()).T


def batch_of(task, scheme="pytorch"):
    """One network, its Hessian (P, P) and gradient (P,) by torch.func, and the spectrum."""
    params = networks.initial_parameters(task.network, 1, 0, scheme)[0]
    dense, gradient = hessian(task.objective)(params), grad(task.objective)(params)
    return params, dense, gradient, batch_hessian.spectrum(task, params)


def assert_same(found, dense, tolerance=1e-10):
    """All P eigenvalues, orthonormal eigenvectors, and H itself, relative to the largest."""
    known = torch.linalg.eigvalsh(dense).numpy()
    scale = np.abs(known).max()
    assert scale > 1e-3, "nothing to compare"
    everything = np.sort(np.concatenate([found.values, np.zeros(found.size - len(found.values))]))
    np.testing.assert_allclose(everything, known, rtol=0, atol=tolerance * min(1, scale))
    assert np.all(np.diff(found.values) >= 0)
    vectors, eye = vectors_of(found), torch.eye(len(found.values)).double()
    torch.testing.assert_close(vectors.T @ vectors, eye, atol=1e-12, rtol=0)
    formed = found.product(torch.eye(found.size).double())
    torch.testing.assert_close(formed, dense, atol=tolerance * scale, rtol=0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_it_is_the_dense_spectrum(loss, activation):
    task = task_of(activation=activation, loss=loss)
    params, dense, gradient, found = batch_of(task)
    assert found.size == 214 and len(found.basis) == 5 * 6 + 28
    assert len(found.values) == kept(task, params, 5) <= len(found.basis)
    assert_same(found, dense)
    # No part of the gradient lies outside.
    inside = found.expand(found.project(gradient))
    assert float((inside - gradient).norm() / gradient.norm()) < 1e-13


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_eigenspaces_are_those_of_the_dense_matrix(activation):
    """Projectors, for signs and rotations within an eigenvalue are free."""
    _, dense, _, found = batch_of(task_of(activation=activation))
    values, vectors = torch.linalg.eigh(dense)
    for sign in (-1, 1):  # the whole negative and positive space
        ours = vectors_of(found)[:, torch.from_numpy(sign * found.values > 1e-10)]
        theirs = vectors[:, sign * values > 1e-10]
        assert ours.shape[1] > 10
        torch.testing.assert_close(ours @ ours.T, theirs @ theirs.T, atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("sizes", [(12, 5, 4, 3), (9, 3)], ids=str)
def test_other_depths(sizes, loss):
    _, dense, _, found = batch_of(task_of(sizes, "tanh", loss, samples=3))
    deeper = sum(b * (a + 1) for a, b in zip(sizes[1:-1], sizes[2:]))
    assert len(found.values) == 3 * sizes[1] + deeper
    assert_same(found, dense)


def test_closed_form_and_automatic_are_the_same_matrix(monkeypatch):
    task = task_of(activation="sigmoid", samples=7)
    params = task.initial(1)[0]
    closed = batch_hessian.hessian(task, params).matrix
    monkeypatch.setattr(batch_frames, "_VALUES", 3000)  # blocks of samples
    blocks = batch_hessian.hessian(task, params).matrix
    monkeypatch.setattr(batch_frames, "one_hidden", batch_frames._automatic)
    automatic = batch_hessian.hessian(task, params).matrix
    torch.testing.assert_close(closed, automatic, atol=1e-13, rtol=0)
    torch.testing.assert_close(closed, blocks, atol=1e-13, rtol=0)


def test_the_papers_network_has_370_dimensions():
    """Residuals |Hv − λv| by products of the whole network; the rest is annihilated."""
    rng = np.random.default_rng(0)
    task = task_of((256, 20, 10), "relu", x=rng.uniform(size=(8, 256)))
    params = networks.initial_parameters(task.network, 1, 0, "pytorch")[0]
    found = batch_hessian.spectrum(task, params)
    count = len(found.values)
    assert (found.size, len(found.basis), found.frame.shape) == (5350, 370, (257, 8))
    assert count == kept(task, params, 8) < 300
    matvec = curvature.operator(task, params)
    for k in (0, 1, 100, 200, count - 2, count - 1):
        unit = torch.zeros(count, dtype=torch.float64)
        unit[k] = 1
        v = found.expand(unit)
        assert float((matvec(v) - found.values[k] * v).norm()) < 1e-13
        assert float(v.norm()) == pytest.approx(1)
    v = torch.from_numpy(rng.standard_normal(5350))
    outside = v - found.expand(found.project(v))
    assert float(outside.norm()) > 60 and float(matvec(outside).norm()) < 1e-12
    torch.testing.assert_close(matvec(v), found.product(v), atol=1e-12, rtol=0)
    counts = found.classes(1e-3).counts()
    # Rounding makes zeros; no sign is counted among them, nor among all 370.
    assert counts["negative"] + counts["positive"] + counts["neutral"] == count
    whole = batch_hessian.hessian(task, params).solved().classes(1e-3).counts()
    assert whole == counts | {"neutral": counts["neutral"] + 370 - count} and whole["neutral"] > 50
    assert found.classes(1e-3, 1e-14 * found.values[-1]).counts() == counts
    gradient = grad(task.objective)(params)
    assert batch_hessian.overlap(found.project(gradient), found.classes(1e-3))["neutral"] < 1e-20


def test_inputs_that_depend_on_each_other_span_less():
    rng = np.random.default_rng(1)
    few = rng.standard_normal((2, 30))
    # an average keeps the bias's 1
    x = np.stack([few[0], few[1], few[0], 0.3 * few[0] + 0.7 * few[1]])
    _, dense, gradient, found = batch_of(task_of(x=x))
    assert found.frame.shape == (31, 2)
    assert len(found.basis) == 2 * 6 + 28 and len(found.values) == 2 * 6 + 21
    assert_same(found, dense)
    # More samples than inputs: nothing is left out but what is added to all outputs.
    _, dense, _, found = batch_of(task_of((3, 4, 2), samples=11))
    assert found.frame.shape == (4, 4) and len(found.values) == 21
    assert len(found.basis) == found.size == 26
    assert_same(found, dense)


def test_a_module_keeps_its_own_order():
    task = task_of((30, 6, 4), "relu", samples=4)
    module = nn.Sequential(nn.Flatten(), *task.network.module(task.initial(1, seed=2)[0]))
    flat = torch.cat([p.detach().flatten() for p in module.parameters()])

    shapes = {k: p.shape for k, p in module.named_parameters()}

    def objective(values):
        parts = zip(shapes.items(), values.split([s.numel() for s in shapes.values()]))
        output = torch.func.functional_call(
            module, {k: v.view(s) for (k, s), v in parts}, (task.x,)
        )
        return task.loss.value(output, task.y)

    found = batch_hessian.of_module(module, task.loss, task.x.view(4, 5, 6), task.y)
    assert_same(found, hessian(objective)(flat))
    for parts in (
        [nn.Linear(3, 2, bias=False)],
        [nn.Linear(3, 2), nn.ReLU()],
        [nn.Linear(3, 2), nn.GELU(), nn.Linear(2, 2)],
    ):
        with pytest.raises(ValueError, match="no plain perceptron"):
            batch_hessian.of_module(nn.Sequential(*parts), task.loss, task.x, task.y)


def test_any_network_has_a_dense_spectrum(monkeypatch):
    known = task_of((6, 3, 2))
    # it does not end in a linear layer
    module = torch.nn.Sequential(known.network.module(), torch.nn.Identity())
    other = tasks.custom("m", module, known.loss, known.x, known.y)
    params = other.initial(1)[0]
    found = batch_hessian.spectrum(other, params)
    assert len(found.values) == found.size == 29
    assert_same(found, hessian(other.objective)(params))
    monkeypatch.setattr(batch_hessian, "DENSE", 28)
    with pytest.raises(ValueError, match="at most 28 parameters"):
        batch_hessian.spectrum(other, params)


def test_classes_are_theorem_2_1():
    values = np.array([-3.0, -1e-15, 0.0, 1e-15, 0.5, 3.9999, 4.0001])
    known = batch_hessian.classes(values, 0.5)
    exponents = curvature.local_exponents(values, 0.5)
    np.testing.assert_array_equal(known.chaotic, exponents > 1e-9)
    np.testing.assert_array_equal(known.neutral, np.abs(values) < 1e-12)
    assert known.counts() == {"chaotic": 2, "negative": 1, "positive": 3, "neutral": 3}
    shares = batch_hessian.overlap([1.0, 0, 2, 0, 0, 0, 2], known)
    assert shares == pytest.approx(
        {"chaotic": 5 / 9, "negative": 1 / 9, "positive": 4 / 9, "neutral": 4 / 9}
    )
    assert all(np.isnan(share) for share in batch_hessian.overlap(np.zeros(7), known).values())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, w: batch_hessian.spectrum(t, w[None]), r"expected \(29,\)"),
        (lambda t, w: batch_hessian.spectrum(t, w * np.nan), "not finite: the network diverged"),
        (lambda t, w: batch_hessian.spectrum(t, w).project(w[1:]), r"expected \(…, 29\)"),
        (lambda t, w: batch_hessian.classes([1.0], 0), "learning_rate = 0: γ must be positive"),
        (lambda t, w: batch_hessian.classes([1.0], 1, -1), "zero = -1"),
        (lambda t, w: batch_hessian.classes([np.nan], 1), "no class"),
    ],
)
def test_bad_input_is_refused(call, message):
    task = task_of((6, 3, 2))
    with pytest.raises(ValueError, match=message):
        call(task, task.initial(1)[0])


def test_an_overflow_is_an_error():
    task = task_of((6, 3, 2), "relu", LOSSES[1])
    with pytest.raises(FloatingPointError, match="loss overflows"):
        batch_hessian.spectrum(task, task.initial(1)[0] * 1e160)


def test_the_low_rank_spectrum_says_how_far_it_is_from_the_dense_one():
    task = tasks.get("digits-small", samples=8)
    found = batch_hessian.against_dense(task, task.initial(1)[0])
    assert (found.dimensions, found.size) == (kept(task, task.initial(1)[0], 8), 610)
    assert found.apart < 1e-10 and found.matrix_apart < 1e-10
    assert str(batch_hessian.AgainstDense(154, 610, 2e-16, 3e-16)) == (
        "154 of 610 dimensions; eigenvalues apart by 2e-16 of the largest, Hessians by 3e-16"
    )
    wide = task_of((400, 20, 10))
    with pytest.raises(ValueError, match="8,230 parameters"):
        batch_hessian.against_dense(wide, wide.initial(1)[0])
