"""Directions that are left out of a batch's Hessian are exactly 0, and no others are lost."""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import batch_frames, batch_hessian, pruned_descent
from netdyn_lib.curvature.jacobian import pruned_derivative
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import minibatches

LOSSES = [losses.CrossEntropy(), losses.HalfSquaredError()]
RATE = 0.1


def task_of(activation="relu", loss=LOSSES[0], sizes=(30, 6, 4), samples=5, x=None):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((samples, sizes[0])) if x is None else x
    y = (
        rng.integers(0, sizes[-1], len(x))
        if loss.shifts
        else rng.standard_normal((len(x), sizes[-1]))
    )
    return tasks.custom("t", networks.MLP(sizes, activation), loss, x, torch.tensor(y))


def weights(task, **biases):
    """One network; ``b2=−9`` sets the bias of hidden unit 2, which turns it on or off for all
    samples.
    """
    params = networks.initial_parameters(task.network, 1, 0, "pytorch")[0]
    inputs = task.network.sizes[0]
    for name, value in biases.items():
        params[int(name[1:]) * (inputs + 1) + inputs] = value
    return params


def both(task, params):
    """The Hessian's spectrum in all m dimensions, and in m'."""
    local = batch_hessian.around(task, params)
    return local.hessian().solved(), local.spectrum()


def assert_same(task, params):
    """The spectrum is that in all m dimensions, and holds all of the gradient."""
    whole, found = both(task, params)
    size, scale = len(whole.values), np.abs(whole.values).max()
    eye, few = torch.eye(size).double(), torch.eye(len(found.values)).double()
    span = found.subspace.times(few)  # T
    torch.testing.assert_close(span.T @ span, few, atol=1e-13, rtol=0)
    torch.testing.assert_close(found.basis, span @ found.vectors, atol=1e-13, rtol=0)
    torch.testing.assert_close(found.subspace.transposed(eye), span.T, atol=1e-15, rtol=0)
    matrix = batch_hessian.hessian(task, params).matrix
    assert float((matrix - matrix @ span @ span.T).abs().max()) < 1e-14 * scale
    formed = (found.basis * torch.from_numpy(found.values)) @ found.basis.T
    torch.testing.assert_close(formed, matrix, atol=1e-13 * scale, rtol=0)
    values = np.sort(np.concatenate([found.values, np.zeros(size - len(found.values))]))
    np.testing.assert_allclose(values, whole.values, rtol=0, atol=1e-12 * scale)
    # eigenvalues near 0 turn into the directions left out: projectors on what is clear of it
    for sign in (-1, 1):
        one, other = (
            some.basis[:, torch.from_numpy(sign * some.values > 1e-6 * scale)]
            for some in (whole, found)
        )
        assert one.shape == other.shape
        torch.testing.assert_close(one @ one.T, other @ other.T, atol=1e-8, rtol=0)
    gradient = gradients.of(task)(params[None])[0]
    outside = gradient - found.expand(found.project(gradient))
    assert float(outside.norm()) < 1e-14 * max(1, float(gradient.norm()))
    v = torch.from_numpy(np.random.default_rng(0).standard_normal((3, found.size)))
    torch.testing.assert_close(found.product(v), whole.product(v), atol=1e-12 * scale, rtol=0)
    return found


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_nothing_is_lost(loss, activation):
    task = task_of(activation, loss)
    found = assert_same(task, weights(task))
    above = (4 - loss.shifts) * 7
    assert above < len(found.values) <= 30 + above
    assert (len(found.values) < 30 + above) == (activation == "relu")


def test_dimensions_of_units_that_are_on_for_few_samples():
    task = task_of()
    params = weights(task, b1=-99, b4=99)
    below, _ = task.network.matrices(params[None])
    on = (below[0] @ torch.cat([task.x, torch.ones(5, 1)], 1).T > 0).sum(1)
    assert on[1] == 0 and on[4] == 5 and 0 < int(on[on > 0].min()) < 5
    found = assert_same(task, params)
    assert len(found.values) == int(on.sum()) + 3 * 6
    assert found.subspace.above.tolist() == [0, 2, 3, 4, 5, 6]
    units = found.subspace.first // 5
    assert torch.bincount(units, minlength=6).tolist() == on.tolist()
    # nothing but the outputs' biases
    dead = assert_same(task, weights(task, **{f"b{j}": -99 for j in range(6)}))
    assert len(dead.values) == 3 and len(dead.subspace.first) == 0


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_repeated_and_dependent_samples_are_spanned(loss):
    rng = np.random.default_rng(5)
    few = rng.standard_normal((3, 30))
    x = np.stack([few[0], few[1], few[0], few[2], few[1], few[0], 0.3 * few[0] + 0.7 * few[2]])
    task = task_of("relu", loss, x=x)
    found = assert_same(task, weights(task))
    assert found.subspace.rank == 3 and len(found.subspace.first) < 18
    # one image, eight times
    assert_same(task_of("relu", loss, x=np.repeat(few[:1], 8, 0)), weights(task))
    assert_same(task_of("relu", loss, samples=50), weights(task))  # more samples than inputs


def test_a_saturated_sigmoid_still_has_weights_above():
    """φ(99) is 1 and its slope exactly 0: weights out of the unit act as a bias does."""
    task = task_of("sigmoid")
    found = assert_same(task, weights(task, b2=99))
    assert len(found.values) == 25 + 21 and len(found.subspace.above) == 7


def test_few_outputs():
    for outputs, width in ((1, 1), (2, 1), (3, 2)):  # a single output has nothing but 1
        task = task_of(sizes=(8, 3, outputs))
        params = weights(task)
        found = batch_hessian.spectrum(task, params)
        assert len(found.values) == len(found.subspace.first) + width * len(found.subspace.above)
        dense = torch.func.hessian(task.objective)(params)
        formed = found.product(torch.eye(found.size).double())
        torch.testing.assert_close(formed, dense, atol=1e-14, rtol=0)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_many_samples_are_narrowed_by_the_same_directions(activation, monkeypatch):
    """Where B Bᵀ would be large M is formed first; the boundary is a matter of time alone."""
    task = task_of(activation, sizes=(3, 4, 3), samples=12)
    params = weights(task)
    by_product = batch_hessian.around(task, params)
    many = batch_hessian.around(task_of(activation, sizes=(3, 4, 3), samples=40), params)
    called = []
    inner = batch_frames.one_hidden
    monkeypatch.setattr(batch_frames, "one_hidden", lambda *some: called.append(1) or inner(*some))
    matrix, found = by_product.reduced(by_product.restrict(params))
    assert not called
    known = found.transposed(found.transposed(by_product.hessian().matrix).T)
    torch.testing.assert_close(known, matrix, atol=1e-15, rtol=0)
    called.clear()
    many.spectrum()
    assert called
    assert_same(task_of(activation, sizes=(3, 4, 3), samples=40), params)


@pytest.mark.parametrize("sizes", [(12, 5, 4, 3), (9, 3)], ids=str)
def test_other_depths_are_solved_whole(sizes):
    task = task_of("relu", sizes=sizes)
    found = batch_hessian.spectrum(task, weights(task))
    assert found.subspace is None and len(found.values) == len(found.basis)
    assert batch_frames.reduced_matrix(task.network, task.loss, task.x.T, task.y) is None


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_roots_of_the_losses_second_derivative(loss):
    output = 5 * torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    output[:, 0] = torch.tensor([800.0, 0, 0, 0])  # learned so far that p is exactly 1, and 0
    root = loss.root(output)
    assert root.shape == (4, 3 if loss.shifts else 4, 6)
    units = torch.eye(4, dtype=torch.float64)[:, :, None].expand(-1, -1, 6)
    known = loss.curve(output.expand(4, 4, 6), units)
    square = torch.einsum("ckn,dkn->cdn", root, root)
    torch.testing.assert_close(square, known.expand(4, 4, 6), atol=1e-15, rtol=0)
    assert loss.shifts == bool(known.sum(0).abs().max() < 1e-15)


@pytest.mark.parametrize("rule", ["negative", "chaotic", "positive"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_pruned_gradients_of_a_run_are_those_of_all_dimensions(activation, rule):
    task = task_of(activation, sizes=(40, 9, 5), samples=64)
    params, lengths = weights(task), []
    for _, index in zip(range(10), minibatches.order(64, 6)):
        part = minibatches.batch_task(task, torch.from_numpy(index))
        gradient = gradients.of(part)(params[None])[0]
        whole, narrow = (
            pruned_descent.pruned(gradient, found, RATE, rule) for found in both(part, params)
        )
        assert float((whole - narrow).norm()) < 1e-10 * float(gradient.norm())
        lengths.append(len(both(part, params)[1].values))
        params = params - RATE * narrow
    assert max(lengths) < 9 * 6 + 5 * 10


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_what_is_left_out_does_not_turn_the_eigenvectors(activation):
    """T is locally constant, so third derivatives have no part there either."""
    task = task_of(activation, sizes=(7, 5, 3), samples=4)
    params = weights(task, b1=-99)
    local, gradient = batch_hessian.around(task, params), gradients.of(task)(params[None])[0]
    directions = torch.from_numpy(np.random.default_rng(1).standard_normal((6, len(params))))
    whole, found = both(task, params)
    assert len(found.values) < len(whole.values)
    span = found.subspace.times(torch.eye(len(found.values)).double())
    changes = local.changes(directions)
    assert float(changes.abs().max()) > 1e-2
    inside = span @ (span.T @ changes @ span) @ span.T
    torch.testing.assert_close(inside, changes, atol=1e-14, rtol=0)
    known, narrow = (
        pruned_derivative(local, gradient, directions, RATE, "negative", one)
        for one in (whole, found)
    )
    torch.testing.assert_close(narrow, known, rtol=1e-7, atol=1e-9)
