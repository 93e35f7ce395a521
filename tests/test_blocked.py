"""Descent by blocks of samples: the same gradients and outputs, whatever the blocks and the batch."""

import copy
import gc
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import blocked, gradient_descent, steppers
from tests.random_problems import problem


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of at most 20 samples."""
    monkeypatch.setattr(blocked, "_VALUES", 0)
    monkeypatch.setattr(blocked, "_LEAST", 20)


@pytest.mark.parametrize("sizes", [(12, 7, 3), (12, 7, 5, 3), (12, 7, 6, 5, 3)])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("silent", [(), (0, 5, 11)])
@pytest.mark.parametrize("alone, together", [(True, 1), (True, 2), (True, 3), (False, 1)])
def test_gradient_and_output_are_those_of_all_samples_at_once(
    sizes, activation, silent, alone, together
):
    task = problem(sizes, activation, silent=silent)
    params = task.initial(4)
    stepper = steppers.MLPStepper(task, together)
    stepper._grouped = alone  # a GPU's way is one batched product
    expected = torch.func.vmap(lambda p: task.network.forward(p, task.x))(params).transpose(1, 2)
    torch.testing.assert_close(stepper.forward(params), expected, rtol=1e-13, atol=1e-13)
    gradient = gradients.ModuleGradient(task)(params)
    moved = params.clone()
    stepper.subtract(moved, torch.full((4, 1), 0.5, dtype=torch.float64))
    torch.testing.assert_close(moved, params - 0.5 * gradient, rtol=1e-13, atol=1e-14)
    # Weights of an input that is always zero stay where they are, to the last bit.
    first = [task.network.unpack(p)[0][0][..., list(silent)] for p in (params, moved)]
    assert torch.equal(*first)


def test_summed_loss():
    perceptron = problem(loss=losses.HalfSquaredError())
    module = replace(perceptron, network=networks.ModuleNetwork(perceptron.network.module()))
    by_module = steppers.ModuleStepper(module)
    for task, stepper in ((perceptron, steppers.MLPStepper(perceptron)), (module, by_module)):
        params = task.initial(2)
        stepper.forward(params)
        moved = params.clone()
        stepper.subtract(moved, torch.full((2, 1), 0.1, dtype=torch.float64))
        torch.testing.assert_close(
            moved, params - 0.1 * gradients.ModuleGradient(task)(params), rtol=1e-12, atol=1e-13
        )


def test_any_module_by_blocks():
    module = nn.Sequential(
        nn.Unflatten(1, (1, 4, 3)),
        nn.Conv2d(1, 2, 3, padding=1),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(24, 3),
    )
    like = problem((12, 3))
    task = tasks.custom("convolution", module, losses.CrossEntropy(), like.x, like.y)
    params = task.initial(3)
    stepper = steppers.of(task)
    assert isinstance(stepper, steppers.ModuleStepper)
    expected = torch.func.vmap(lambda p: task.network.forward(p, task.x))(params).transpose(1, 2)
    torch.testing.assert_close(stepper.forward(params), expected)
    moved = params.clone()
    stepper.subtract(moved, torch.full((3, 1), 0.5, dtype=torch.float64))
    torch.testing.assert_close(
        moved, params - 0.5 * gradients.ModuleGradient(task)(params), rtol=1e-12, atol=1e-13
    )


def test_blocks_cover_every_sample_once_and_are_alike():
    task = problem(samples=91)
    parts = blocked.slices(task, blocked.size(task, 100))
    assert [k for s in parts for k in range(s.start, s.stop)] == list(range(91))
    lengths = [s.stop - s.start for s in parts]
    assert max(lengths) <= 20
    assert max(lengths) - min(lengths) <= len(parts)


def test_few_samples_and_no_hidden_layer_need_no_blocks(monkeypatch):
    assert isinstance(steppers.of(problem(samples=20)), steppers.MLPStepper)
    assert isinstance(steppers.of(problem((12, 3))), steppers.MLPStepper)
    assert isinstance(steppers.of(problem()), steppers.MLPStepper)


@pytest.mark.parametrize("copies", [2, 11])  # one more than fit into a stack
def test_a_group_does_not_depend_on_its_batch_nor_on_threads(copies):
    task = problem((12, 7, 3))
    ball = networks.perturbed(task.initial(5), 1e-8, copies)
    gd = gradient_descent.GradientDescent(task, 5.0)
    whole = gradient_descent.run(gd, ball, 60, ("distance", "loss"), workers=2)
    part = gradient_descent.run(gd, ball[2:4], 60, ("distance", "loss"), workers=1, chunk=1)
    assert (whole["distance"][:, 2:4] == part["distance"]).all()
    assert (whole["loss"][:, 2:4] == part["loss"]).all()
    alone = gradient_descent.run(gd, ball[3, 1:2], 5, ("loss",))
    # not to the last bit
    assert np.allclose(whole["loss"][:6, 3, 1], alone["loss"][:, 0], rtol=1e-12, atol=0)


def test_stacks_are_groups_and_not_too_large():
    assert list(steppers._ends(6, 3)) == [(0, 3), (3, 6)]
    assert list(steppers._ends(3, 1)) == [(0, 1), (1, 2), (2, 3)]
    assert list(steppers._ends(20, 10)) == [(0, 8), (8, 10), (10, 18), (18, 20)]


def test_memory_of_a_block_does_not_grow_with_the_samples():
    few, many = (steppers.MLPStepper(problem(samples=n)) for n in (40, 4000))
    grown = many.values_per_network - few.values_per_network
    assert grown == 2 * (many.target.numel() - few.target.numel())


def test_most_blocks_need_few_of_the_inputs_where_samples_are_sparse():
    dense = problem(samples=200)
    draw = torch.Generator().manual_seed(1)
    sparse = dense.x * (torch.rand(200, 12, generator=draw) < torch.linspace(0.05, 1, 12))
    task = tasks.custom("sparse", dense.network, dense.loss, sparse, dense.y)
    stepper = steppers.MLPStepper(task)
    widths = [block.x.shape[1] - 1 for block in stepper._blocks]
    assert widths[0] < widths[-1] and sum(widths) < 0.85 * 12 * len(widths)
    assert sorted(stepper._data.samples.tolist()) == list(range(200))
    # and the ones
    assert sum(block.x.count_nonzero() for block in stepper._blocks) == sparse.count_nonzero() + 200
    params = task.initial(2)
    expected = torch.func.vmap(lambda p: task.network.forward(p, task.x))(params).transpose(1, 2)
    torch.testing.assert_close(stepper.forward(params), expected, rtol=1e-13, atol=1e-13)
    moved = params.clone()
    stepper.subtract(moved, torch.ones(2, 1, dtype=torch.float64))
    torch.testing.assert_close(
        moved, params - gradients.ModuleGradient(task)(params), rtol=1e-13, atol=1e-14
    )


def test_the_order_of_samples_lives_as_long_as_they_and_travels_nowhere():
    task = problem()
    fields, size = set(vars(task.split)), len(pickle.dumps(task.split))
    first = steppers.MLPStepper(task)
    assert steppers.MLPStepper(task)._data is first._data  # ordered once
    assert set(vars(task.split)) == fields and len(pickle.dumps(task.split)) == size
    assert set(vars(copy.deepcopy(task).split)) == fields
    other = problem()
    assert steppers.MLPStepper(other)._data is not first._data
    known = id(task.split), id(other.split)
    assert all(k in blocked._orders for k in known)
    del task, first
    gc.collect()
    assert known[0] not in blocked._orders and known[1] in blocked._orders


def test_samples_on_another_device_are_not_copied_to_the_host_for_their_zeros():
    x = torch.zeros(50, 12, device="meta")  # holds nothing, so that a copy would fail
    assert [len(rows) for rows in blocked._parts(x, 20)] == [20, 20, 10]


def test_samples_of_zeros_alone():
    task = problem(silent=range(12))
    params = task.initial(2)
    stepper = steppers.MLPStepper(task)
    expected = torch.func.vmap(lambda p: task.network.forward(p, task.x))(params).transpose(1, 2)
    torch.testing.assert_close(stepper.forward(params), expected, rtol=1e-13, atol=1e-13)
    moved = params.clone()
    stepper.subtract(moved, torch.ones(2, 1, dtype=torch.float64))
    torch.testing.assert_close(
        moved, params - gradients.ModuleGradient(task)(params), rtol=1e-13, atol=1e-14
    )


def test_samples_without_a_zero_keep_their_order():
    stepper = steppers.MLPStepper(problem())
    assert stepper._data.samples.tolist() == list(range(90))
