"""Hessian products by blocks of samples: those of the dense Hessian, on any number of threads."""

import threading
from dataclasses import replace
from functools import partial

import pytest
import torch

from netdyn_lib.curvature import hessian
from netdyn_lib.tasks import gradients, losses, tasks
from netdyn_lib.training import blocked
from tests import random_problems

problem = partial(random_problems.problem, sizes=(12, 7, 3), silent=(0, 5))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of at most 20 samples."""
    monkeypatch.setattr(blocked, "_VALUES", 0)
    monkeypatch.setattr(blocked, "_LEAST", 20)


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(("keep", "sparse"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize(
    "loss", [None, losses.HalfSquaredError()], ids=["cross-entropy", "half squared error"]
)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("sizes", [(12, 7, 3), (12, 7, 6, 5, 2)])
def test_products_are_those_of_the_dense_hessian(sizes, activation, sparse, loss, keep):
    task = problem(sizes=sizes, activation=activation, sparse=sparse, loss=loss)
    params, vectors = task.initial(1)[0], task.initial(3, seed=1)
    dense = hessian.hessians(task.objective, params[None])[0]
    product = hessian.BlockedHessian(task, 8192, keep).at(params)
    for v in vectors:
        assert relative(product(v), dense @ v) < 1e-13


def test_sparse_samples_are_ordered_and_need_few_inputs():
    for sparse in (True, False):
        blocks = hessian.BlockedHessian(problem(sparse=sparse), 8192, True)._data.blocks
        assert sparse == any(block.active is not None for block in blocks)


def test_nothing_happens_along_inputs_that_are_always_zero():
    task = problem(sparse=True)
    product = hessian.BlockedHessian(task, 8192, True).at(task.initial(1)[0])
    (first, _), *_ = task.network.unpack(product(task.initial(1, seed=1)[0]))
    assert not first[..., [0, 5]].any() and first[..., [1, 2]].any()


def test_numbers_do_not_depend_on_threads():
    task = problem(sparse=True)
    params, v = task.initial(1)[0], task.initial(1, seed=1)[0]
    number, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(hessian.BlockedHessian(task, 8192, True).at(params)(v))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(number)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


def test_other_threads_keep_their_number():
    task = problem()
    number, found = torch.get_num_threads(), []
    try:
        torch.set_num_threads(2)
        product = hessian.BlockedHessian(task, 8192, True).at(task.initial(1)[0])
        for v in task.initial(20, seed=1):
            product(v)
            other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
            other.start()
            other.join()
    finally:
        torch.set_num_threads(number)
    assert found == [2] * 20


@pytest.mark.parametrize("number", [1, 2])
def test_products_are_constants(number):
    task = problem()
    params, v = task.initial(1)[0], task.initial(1, seed=1)[0]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number)
        product = hessian.BlockedHessian(task, 8192, True).at(params)
        plain, before_ = product(v), (params.clone(), v.clone())
        assert torch.equal(product(v), plain)
        assert torch.equal(params, before_[0]) and torch.equal(v, before_[1])
        product = hessian.BlockedHessian(task, 8192, False).at(params.requires_grad_())
        found = product(v.requires_grad_())
    finally:
        torch.set_num_threads(before)
    assert torch.equal(plain, found) and not found.requires_grad


def test_samples_of_zeros_alone():
    task = problem()
    task = replace(task, split=replace(task.split, x=torch.zeros_like(task.x)))
    params, v = task.initial(1)[0], task.initial(1, seed=1)[0]
    dense = hessian.hessians(task.objective, params[None])[0]
    assert relative(hessian.BlockedHessian(task, 8192, True).at(params)(v), dense @ v) < 1e-13


def test_it_agrees_with_all_samples_at_once_at_the_size_of_mnist(monkeypatch):
    monkeypatch.undo()  # blocks as large as they are
    task = problem(sizes=(784, 64, 10), samples=2000, sparse=True)
    assert hessian.suits(task, 8192)
    params, v = task.initial(1), task.initial(1, seed=1)
    point = gradients.MLPGradient(task).at(params)
    found = hessian.BlockedHessian(task, 8192, True).at(params[0])(v[0])
    assert relative(found, point.product(v)[0]) < 1e-13


def test_what_it_suits():
    assert hessian.suits(problem(), 8192) and hessian.suits(problem(), 50)
    assert not hessian.suits(problem(samples=20), 8192)  # one block
    assert hessian.suits(problem(samples=20), 10)  # the caller's bound on memory
    # nothing to keep without a hidden layer
    assert not hessian.suits(problem(sizes=(12, 3)), 8192)
    dense = problem()
    module = tasks.custom("module", dense.network.module(), dense.loss, dense.x, dense.y)
    assert not hessian.suits(module, 8192)
    assert not hessian.suits(task_on(dense, "meta"), 8192)


def task_on(task, device):
    return replace(task, split=replace(task.split, x=task.x.to(device)))


@pytest.mark.parametrize("kept", [2**28, 0])
def test_the_training_hessian_takes_it(monkeypatch, kept):
    monkeypatch.setattr(hessian, "_KEPT", kept)
    task = problem(sparse=True)
    params, v = task.initial(1)[0], task.initial(1, seed=1)[0]
    found = hessian.TrainingHessian(task, weight_decay=0.3)
    taken = found._blocks[0][1].__self__
    assert isinstance(taken, hessian.BlockedHessian) and taken._keep is bool(kept)
    dense = hessian.hessians(task.objective, params[None])[0]
    assert relative(found.at(params)(v), dense @ v + 0.3 * v) < 1e-13
