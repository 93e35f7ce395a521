"""Costs on paper: counts against those of PyTorch and by hand, what runs out first, and rates that
say where they come from.
"""

from dataclasses import replace

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from netdyn_lib.curvature import jacobian
from netdyn_lib.experiments import cost_model
from netdyn_lib.experiments.benchmarks import Results, Row
from netdyn_lib.experiments.cost_model import Machine, cost
from netdyn_lib.lyapunov import qr as frames
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import gradient_descent

ONE = Machine("one", 1e10, 16e9, "assumed")


def task_of(sizes, samples):
    x = torch.rand(samples, sizes[0], dtype=torch.float64)
    y = torch.randint(0, sizes[-1], (samples,))
    return tasks.custom("a", networks.MLP(sizes, "tanh"), losses.CrossEntropy(), x, y)


@pytest.mark.parametrize("sizes", [(7, 5, 3), (7, 6, 5, 3), (4, 9, 2, 6, 3), (5, 3)])
def test_operations_are_those_that_pytorch_counts(sizes):
    samples = 11
    task = task_of(sizes, samples)
    params, gradient = task.initial(1), gradients.of(task)
    with FlopCounterMode(display=False) as counter:
        point = gradient.at(params)
    assert counter.get_total_flops() == samples * cost_model.gradient_operations(sizes)
    with FlopCounterMode(display=False) as counter:
        point.product(torch.rand_like(params))
    assert counter.get_total_flops() == samples * cost_model.product_operations(sizes)


def test_a_sweep_by_hand():
    # 2-3-1: P = 3·3 + 1·4 = 13, D = 3, 4 P + 2 D = 58.
    work = cost_model.sweep((2, 3, 1), samples=10, count=8, epochs=5, copies=1)
    assert (work.parameters, work.networks, work.pieces) == (13, 8, 4)
    assert work.operations == work.least == 8 * 5 * 10 * 58
    assert work.memory == {
        "samples": 3 * 10 * 3 * 8,
        "weights and gradients": 2 * 5 * 13 * 8,
        "activations of a block": 2 * 3 * 4 * 10 * 8,
        "outputs": 2 * 2 * 1 * 10 * 8,
    }
    assert work.moved == 8 * 5 * (6 * 13 + 6 * 4 * 10) * 8
    # groups, epochs with the first, a distance and three of the reference
    assert work.kept == 4 * 6 * 4 * 8
    assert work.name == "8 networks 2-3-1, 10 samples, 5 epochs"


def test_the_sweep_of_cifar10():
    work = cost_model.sweep((3072, 256, 10), 50_000, 10**6, 200, copies=5)
    assert work.operations == pytest.approx(3.162e19, rel=1e-3) and work.pieces == 166_667
    # 798 intermediate values a sample, at most 400,000 in a block: 501 samples, so 100 blocks of
    # 500.
    assert work.memory["activations of a block"] == 6 * 798 * 500 * 8


def test_exponents_by_hand():
    work = cost_model.exponents((2, 3, 1), samples=10, steps=6, count=2, networks=3)
    qr = 6 * (4 * 13 * 4 - 4 * 8 / 3)
    assert work.operations == pytest.approx(3 * (6 * 10 * 2 * (58 + 76) + qr))
    assert work.least == pytest.approx(3 * (6 * 10 * (58 + 2 * 76) + qr))
    frame = 2 * 13 * 8
    assert work.memory == {
        "samples": 2 * 10 * 3 * 8,
        "tangent vectors": frame,
        "repeated states and products": 7 * frame,
        "activations of all samples": 7 * 2 * 4 * 10 * 8,
    }
    assert (work.pieces, work.kept) == (3, 3 * 7 * 2 * 8)


class Live(TorchDispatchMode):
    """The largest sum of the bytes of all results of operations that are alive at one time."""

    def __init__(self):
        super().__init__()
        self.held, self.peak = {}, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if torch.is_tensor(tensor):
                storage = tensor.untyped_storage()
                reference = StorageWeakRef(storage)
                self.held[reference.cdata] = reference, storage.nbytes()
        self.held = {key: pair for key, pair in self.held.items() if not pair[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.held.values()))
        return found


@pytest.mark.parametrize(
    "sizes, samples, count",
    [((300, 40, 10), 5, 10), ((300, 40, 10), 5, 40), ((4, 64, 64, 10), 4000, 5)],
)
def test_memory_of_a_tangent_step_is_that_of_the_plan(sizes, samples, count):
    task = task_of(sizes, samples)
    state = task.initial(1)
    advance = jacobian.of_descent(gradient_descent.GradientDescent(task, 0.1), closed=False)
    frame = frames.random_orthogonal(task.network.count, count)[None]
    with Live() as live:
        for _ in range(2):
            state, frame = advance(state, frame)
            frame, _ = frames.orthonormalise(frame)
    planned = cost_model.exponents(sizes, samples, 1, count).memory
    assert 0.85 < live.peak / (sum(planned.values()) - planned["samples"]) < 1.15


def test_ten_vectors_of_a_hundred_million_numbers_are_eight_gigabytes():
    large = ((3072, 8600, 8600, 10), 50_000, 1000, 10)
    work, blocks = cost_model.exponents(*large), cost_model.exponents(*large, at_once=500)
    assert work.parameters == 100_482_410
    assert work.memory["tangent vectors"] == 80 * 100_482_410
    machine = Machine("a GPU", 1e13, 80e9, "assumed")
    assert cost(work, machine).first == "memory: activations of all samples"
    # in blocks only the activations are less
    assert blocks.operations == work.operations and "in blocks of 500" in blocks.name
    less = blocks.memory["activations of a block"]
    assert less == work.memory["activations of all samples"] / 100


@pytest.fixture
def work():
    return cost_model.sweep((20, 9, 3), 1000, 60, 10, copies=5)


def test_time_is_that_of_operations_or_of_bytes(work):
    plain = cost(work, ONE)
    assert plain.seconds == pytest.approx(work.operations / 1e10) and plain.bound == "operations"
    slow = cost(work, Machine("narrow", 1e10, 16e9, "assumed", bandwidth=1e3))
    assert slow.seconds == pytest.approx(work.moved / 1e3) and slow.bound == "bytes moved"


def test_devices_divide_the_pieces_and_no_more(work):
    whole = cost(work, ONE).seconds
    for devices, used, rounds in ((5, 5, 2), (4, 4, 3), (10, 10, 1), (1000, 10, 1)):
        found = cost(work, replace(ONE, devices=devices))
        assert found.used == used and found.seconds == pytest.approx(whole * rounds / 10)
    one = cost_model.exponents((20, 9, 3), 1000, 10, 4)
    assert cost(one, replace(ONE, devices=100)).seconds == cost(one, ONE).seconds
    ((_, devices, hours),) = cost_model.over_devices([cost(work, ONE)], 100)
    assert devices[0] == 1 and devices[-1] == 100
    assert hours[0] == whole / 3600 and hours[-1] == pytest.approx(hours[0] / 10)


def test_what_runs_out_first(work):
    needed, each = sum(work.memory.values()), sum(work.each.values())
    fits, short, much = (replace(ONE, memory=m) for m in (needed, needed - 1, needed + 3 * each))
    assert cost(work, fits).first == "" and cost(work, fits).held == 1
    assert cost(work, short, 1e-9).first == f"memory: {max(work.memory, key=work.memory.get)}"
    seconds = cost(work, fits).seconds
    assert cost(work, fits, seconds).first == "" and cost(work, fits, 0.9 * seconds).first == "time"
    assert cost(work, much).held == 4


def row(work, ours, goal=0.85, unit="Gflop/s"):
    return Row(work, "products", (ours, 2 * ours, 1.5 * ours), (100.0,) * 3, unit, goal, rate=True)


def test_a_measured_rate_is_the_largest_of_those_with_a_goal():
    about = {"processor": "a processor", "device": "a GPU", "cuda": None}
    rows = (
        row("float64, 1 thread", 20),
        row("float64, 2 threads", 40),
        row("float64, all inputs", 90, None),
        row("float32", 200),
        row("float64, steps", 1e6, unit="steps a second"),
    )
    found = cost_model.measured(Results(about, rows, ()), 16e9)
    basis = "measured, float64, 2 threads"
    assert (found.rate, found.name, found.basis) == (60e9, "a processor", basis)
    fast = Results(about | {"cuda": "13"}, (row("float64", 20, unit="Tflop/s"),), ())
    assert cost_model.measured(fast, 80e9) == Machine("a GPU", 30e12, 80e9, "measured, float64")
    with pytest.raises(ValueError, match="nothing says .*; there are: float32; float64, steps"):
        cost_model.measured(Results(about, rows[3:], ()), 16e9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Machine("m", 0, 1e9, "x"), "rate = 0: operations per second must be positive"),
        (lambda: Machine("m", 1e9, float("nan"), "x"), "memory = nan"),
        (lambda: cost_model.sweep((2, 3, 1), 10, 3, 5, copies=3), "count = 3: .* at least 4"),
        (lambda: cost_model.sweep((2,), 10, 3, 5), "an input and an output layer"),
        (lambda: cost_model.exponents((2, 3, 1), 10, 5, 14), "count = 14: .* from 1 to 13"),
    ],
)
def test_numbers_that_are_none_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bytes_and_times_in_words():
    sizes = [cost_model.amount(size) for size in (0, 999, 8.04e9, 6.3e12, 5e18)]
    assert sizes == ["0 B", "999 B", "8.04 GB", "6.3 TB", "5,000 PB"]
    times = [cost_model.in_words(seconds) for seconds in (0.5, 7200, 4 * 86400, 1e12)]
    assert times == ["0.5 s", "2 h", "4 days", "31,688 years"]
