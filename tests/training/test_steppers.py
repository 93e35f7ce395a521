"""Steps in place: autograd's gradients and outputs, whatever the blocks and the stack."""

import copy
import gc
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import blocked, ensembles, steppers
from netdyn_lib.training.gradient_descent import GradientDescent, run
from tests.random_problems import problem


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of at most 20 samples."""
    monkeypatch.setattr(blocked, "_VALUES", 0)
    monkeypatch.setattr(blocked, "_LEAST", 20)


def agrees(task, stepper, count=4):
    """Outputs and three steps in place are autograd's; the stack's size may change."""
    for number in (count, 1, count):
        params = task.initial(number)
        expected = params.clone()
        rates = torch.linspace(0.05, 0.06, number, dtype=torch.float64)[:, None]
        for _ in range(3):
            output = torch.stack([task.network.forward(p, task.x).T for p in params])
            torch.testing.assert_close(stepper.forward(params), output, rtol=1e-12, atol=1e-12)
            stepper.subtract(params, rates)
            slope = torch.func.vmap(torch.func.grad(task.objective))(expected)
            expected = expected - rates * slope
        torch.testing.assert_close(params, expected, rtol=1e-10, atol=1e-11)
    return params


@pytest.mark.parametrize("loss", [None, losses.HalfSquaredError()], ids=["entropy", "squares"])
@pytest.mark.parametrize(
    "sizes, activation",
    [((4, 3), "sigmoid"), ((4, 10, 3), "sigmoid"), ((4, 6, 5, 3), "tanh"), ((4, 8, 3), "relu")],
)
def test_perceptrons_in_one_block(sizes, activation, loss):
    task = problem(sizes, activation, loss=loss)
    stepper = steppers.of(task)
    assert len(stepper._blocks) == 1 and isinstance(stepper, steppers.MLPStepper)
    agrees(task, stepper)


@pytest.mark.parametrize("sizes", [(12, 7, 3), (12, 7, 6, 5, 3)])
@pytest.mark.parametrize("activation, silent", [("tanh", ()), ("sigmoid", (0, 5)), ("relu", (11,))])
@pytest.mark.parametrize("grouped, together", [(True, 1), (True, 3), (False, 1)])
def test_perceptrons_in_blocks(small_blocks, sizes, activation, silent, grouped, together):
    task = problem(sizes, activation, silent=silent)
    stepper = steppers.of(task, together)
    stepper._grouped = grouped  # a GPU's way is one product of the whole stack
    assert len(stepper._blocks) == 5
    moved = agrees(task, stepper)
    # Weights of an input that is always zero stay where they are, to the last bit.
    first = [task.network.unpack(p)[0][0][..., list(silent)] for p in (task.initial(4), moved)]
    assert torch.equal(*first)


def test_other_samples_in_blocks(small_blocks):
    dense, zeros = problem(samples=200), problem(silent=range(12))
    summed = problem(loss=losses.HalfSquaredError())
    module = replace(summed, network=networks.ModuleNetwork(summed.network.module()))
    net = nn.Sequential(
        *(nn.Unflatten(1, (1, 4, 3)), nn.Conv2d(1, 2, 3, padding=1)),
        *(nn.GELU(), nn.Flatten(), nn.Linear(24, 3)),
    )
    convolution = tasks.custom("gelu", net, losses.CrossEntropy(), zeros.x + 1, zeros.y)
    for task in (dense, zeros, summed, module, convolution):
        kind = type(steppers.of(task))
        is_module = isinstance(task.network, networks.ModuleNetwork)
        assert kind is (steppers.ModuleStepper if is_module else steppers.MLPStepper)
        agrees(task, steppers.of(task))


def test_sparse_samples_are_ordered_and_need_few_inputs(small_blocks):
    task = problem(samples=200, sparse=True)
    stepper = steppers.of(task)
    widths = [block.x.shape[1] - 1 for block in stepper._blocks]
    assert widths[0] < widths[-1] and sum(widths) < 0.85 * 12 * len(widths)
    assert sorted(stepper._data.samples.tolist()) == list(range(200))
    held = sum(block.x.count_nonzero() for block in stepper._blocks)
    assert held == task.x.count_nonzero() + 200  # with the ones
    agrees(task, stepper)
    plain = steppers.of(problem())  # without a zero samples keep their order
    assert plain._data.samples.tolist() == list(range(90))
    on_meta = torch.zeros(50, 12, device="meta")  # holds nothing, so that a copy would fail
    assert [len(rows) for rows in blocked._parts(on_meta, 20)] == [20, 20, 10]


def test_blocks_cover_every_sample_once_and_are_alike(small_blocks):
    task = problem(samples=91)
    parts = blocked.slices(task, blocked.size(task, 100))
    assert [k for s in parts for k in range(s.start, s.stop)] == list(range(91))
    lengths = [s.stop - s.start for s in parts]
    assert max(lengths) <= 20 and max(lengths) - min(lengths) <= len(parts)
    few, none = steppers.of(problem(samples=20)), steppers.of(problem((12, 3)))
    assert len(few._blocks) == len(none._blocks) == 1  # few samples, or no hidden layer
    grown = [steppers.of(problem(samples=n)) for n in (40, 4000)]
    memory = grown[1].values_per_network - grown[0].values_per_network
    assert memory == 2 * (grown[1].target.numel() - grown[0].target.numel())


@pytest.mark.parametrize("copies", [2, 11])  # one more than fit into a stack
def test_a_group_does_not_depend_on_its_batch_nor_on_threads(small_blocks, monkeypatch, copies):
    task = problem((12, 7, 3))
    ball, gd = networks.perturbed(task.initial(5), 1e-8, copies), GradientDescent(task, 5.0)
    whole = run(gd, ball, 60, ("distance", "loss"), workers=2)
    monkeypatch.setattr(ensembles, "_CACHE_BYTES", 0)  # one group in a chunk
    part = run(gd, ball[2:4], 60, ("distance", "loss"), workers=1)
    assert all((whole[name][:, 2:4] == part[name]).all() for name in ("distance", "loss"))
    single = run(gd, ball[3, 1:2], 5)
    # not to the last bit
    assert np.allclose(whole["loss"][:6, 3, 1], single["loss"][:, 0], rtol=1e-12, atol=0)
    assert list(steppers._ends(20, 10)) == [(0, 8), (8, 10), (10, 18), (18, 20)]


def test_the_order_of_samples_lives_as_long_as_they_and_travels_nowhere(small_blocks):
    task, other = problem(), problem()
    fields, size = set(vars(task.split)), len(pickle.dumps(task.split))
    first = steppers.of(task)
    assert steppers.of(task)._data is first._data  # ordered once
    assert set(vars(task.split)) == fields and len(pickle.dumps(task.split)) == size
    assert set(vars(copy.deepcopy(task).split)) == fields
    assert steppers.of(other)._data is not first._data
    known = id(task.split), id(other.split)
    assert all(k in blocked._orders for k in known)
    del task, first
    gc.collect()
    assert known[0] not in blocked._orders and known[1] in blocked._orders


def rows(groups):
    return [group.tolist() for group in groups]


def test_samples_of_one_kind_come_together():
    """Two kinds of samples without a common input, in turn: each group is of one kind."""
    kinds = np.kron(np.eye(2, dtype=bool), np.ones((1, 3), dtype=bool))  # inputs 0 to 2, or 3 to 5
    active = kinds[np.arange(20) % 2]
    found = blocked.groups(active, 5)
    assert all(len({row % 2 for row in group}) == 1 and len(group) == 5 for group in rows(found))
    assert blocked.mean_union(active, found) == 3
    assert blocked.mean_union(active, [np.arange(20)]) == 6


def test_each_step_takes_what_adds_least_then_what_has_most():
    active = np.array([[*row] for row in ("10000", "11000", "00110", "11001", "10001")]) == "1"
    # 0 has the fewest; 1 and 4 add one input each and have two, 1 comes first; 3 adds one, as does
    # 4, and has more.
    assert rows(blocked.groups(active, 3)) == [[0, 1, 3], [2, 4]]
    assert rows(blocked.groups(active, 4)) == [[0, 1, 3, 4], [2]]  # then 4 adds nothing
    for shape in ((4, 0), (4, 3)):
        assert rows(blocked.groups(np.zeros(shape, dtype=bool), 3)) == [[0, 1, 2], [3]]


@pytest.mark.parametrize("length", [1, 7, 100])
def test_every_sample_is_in_one_group(length, monkeypatch):
    active = np.random.default_rng(0).random((101, 30)) < np.linspace(0, 0.6, 30)
    for most in (1000, 33):
        monkeypatch.setattr(blocked, "_TOGETHER", most)
        found = blocked.groups(active, length)
        assert sorted(np.concatenate(found).tolist()) == list(range(101))
        assert max(map(len, found)) <= length
        assert all(group.tolist() == sorted(group) for group in found)
