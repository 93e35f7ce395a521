"""Costs on paper: counts against those of PyTorch and by hand, what runs out first, and rates that
say where they come from.
"""

import math

import numpy as np
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


@pytest.mark.parametrize("sizes", [(7, 5, 3), (7, 6, 5, 3), (4, 9, 2, 6, 3), (5, 3)])
def test_operations_are_those_that_pytorch_counts(sizes):
    samples = 11
    x, y = (
        torch.rand(samples, sizes[0], dtype=torch.float64),
        torch.randint(0, sizes[-1], (samples,)),
    )
    task = tasks.custom("a", networks.MLP(sizes, "tanh"), losses.CrossEntropy(), x, y)
    params = task.initial(1)
    gradient = gradients.of(task)
    with FlopCounterMode(display=False) as counter:
        point = gradient.at(params)
    assert counter.get_total_flops() == samples * cost_model.gradient_operations(sizes)
    with FlopCounterMode(display=False) as counter:
        point.product(torch.rand_like(params))
    assert counter.get_total_flops() == samples * cost_model.product_operations(sizes)


def test_operations_by_hand():
    # 2-3-1: P = 3·3 + 1·4 = 13, D = 3.
    assert cost_model.gradient_operations((2, 3, 1)) == 4 * 13 + 2 * 3
    assert cost_model.product_operations((2, 3, 1)) == 4 * 13 + 8 * 3
    # CIFAR-10 with J's network: P = 256·3073 + 10·257, D = 2,560.
    assert cost_model.gradient_operations((3072, 256, 10)) == 4 * 789_258 + 2 * 2560


def test_a_sweep_by_hand():
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
    assert cost_model.states(work) == 8 * 13 * 8
    assert work.name == "8 networks 2-3-1, 10 samples, 5 epochs"


def test_the_sweep_of_cifar10():
    work = cost_model.sweep((3072, 256, 10), 50_000, 10**6, 200, copies=5)
    assert work.operations == pytest.approx(3.162e19, rel=1e-3)
    assert work.pieces == 166_667
    assert work.memory["samples"] == 3 * 50_000 * 3073 * 8
    assert cost_model.states(work) == pytest.approx(6.314e12, rel=1e-3)


def test_a_block_is_that_of_descent():
    # 798 intermediate values a sample, at most 400,000 in a block: 501 samples, so 100 blocks of
    # 500.
    work = cost_model.sweep((3072, 256, 10), 50_000, 6, 1, copies=5)
    assert work.memory["activations of a block"] == 6 * 798 * 500 * 8


def test_exponents_by_hand():
    work = cost_model.exponents((2, 3, 1), samples=10, steps=6, count=2, interval=4, networks=3)
    turns = 2  # after steps 4 and 6
    qr = turns * (4 * 13 * 4 - 4 * 8 / 3)
    assert work.operations == pytest.approx(3 * (6 * 10 * 2 * (58 + 76) + qr))
    assert work.least == pytest.approx(3 * (6 * 10 * (58 + 2 * 76) + qr))
    frame = 2 * 13 * 8
    assert work.memory == {
        "samples": 2 * 10 * 3 * 8,
        "tangent vectors": frame,
        "repeated states and products": 7 * frame,
        "activations of all samples": 7 * 2 * 4 * 10 * 8,
    }
    assert (work.pieces, work.kept) == (3, 3 * 3 * 2 * 8)


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
    [
        ((300, 40, 10), 5, 10),
        ((300, 40, 10), 5, 40),
        ((4, 64, 10), 4000, 5),
        ((4, 64, 64, 10), 4000, 5),
    ],
)
def test_memory_of_a_tangent_step_is_that_of_the_plan(sizes, samples, count):
    x, y = (
        torch.rand(samples, sizes[0], dtype=torch.float64),
        torch.randint(0, sizes[-1], (samples,)),
    )
    task = tasks.custom("a", networks.MLP(sizes, "tanh"), losses.CrossEntropy(), x, y)
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
    work = cost_model.exponents((3072, 8600, 8600, 10), 50_000, 1000, 10)
    assert work.parameters == 100_482_410
    assert work.memory["tangent vectors"] == 80 * 100_482_410
    assert (
        cost(work, Machine("a GPU", 1e13, 80e9, "assumed")).first
        == "memory: activations of all samples"
    )


def test_in_blocks_only_the_activations_are_less():
    whole, blocks = (cost_model.exponents((20, 9, 3), 1000, 10, 4, at_once=n) for n in (None, 100))
    assert blocks.operations == whole.operations and "in blocks of 100" in blocks.name
    assert (
        blocks.memory["activations of a block"] == whole.memory["activations of all samples"] / 10
    )
    assert blocks.memory["tangent vectors"] == whole.memory["tangent vectors"]


def test_the_largest_network():
    assert cost_model.largest(80e9, 10) == 80_000_000_000 // 640


@pytest.fixture
def work():
    return cost_model.sweep((20, 9, 3), 1000, 60, 10, copies=5)


def test_time_is_that_of_operations_or_of_bytes(work):
    plain = cost(work, ONE)
    assert plain.seconds == pytest.approx(work.operations / 1e10) and plain.bound == "operations"
    slow = cost(work, Machine("narrow", 1e10, 16e9, "assumed", bandwidth=1e3))
    assert slow.seconds == pytest.approx(work.moved / 1e3) and slow.bound == "bytes moved"
    assert slow.hours == slow.seconds / 3600


def test_devices_divide_the_pieces_and_no_more(work):
    whole = cost(work, ONE).seconds
    for devices, used, rounds in ((5, 5, 2), (4, 4, 3), (10, 10, 1), (1000, 10, 1)):
        found = cost(work, ONE.times(devices))
        assert found.used == used and found.seconds == pytest.approx(whole * rounds / 10)
    alone = cost_model.exponents((20, 9, 3), 1000, 10, 4)
    assert cost(alone, ONE.times(100)).seconds == cost(alone, ONE).seconds


def test_what_runs_out_first(work):
    needed = sum(work.memory.values())
    fits, short = (Machine("m", 1e10, memory, "assumed") for memory in (needed, needed - 1))
    assert cost(work, fits).first == "" and cost(work, fits).held == 1 and cost(work, fits).fits
    found = cost(work, short, patience=1e-9)
    assert found.first == f"memory: {max(work.memory, key=work.memory.get)}" and not found.fits
    seconds = cost(work, fits).seconds
    assert (
        cost(work, fits, seconds).first == "" and cost(work, fits, 0.99 * seconds).first == "time"
    )
    assert cost(work, Machine("m", 1e10, needed + 3 * sum(work.each.values()), "assumed")).held == 4


def test_hours_over_devices(work):
    ((one, devices, hours),) = cost_model.over_devices([cost(work, ONE)], 100)
    assert one.work is work and devices[0] == 1 and devices[-1] == 100
    assert hours[0] == cost(work, ONE).hours and hours[-1] == pytest.approx(hours[0] / 10)


def test_tables_say_what_was_counted(work):
    costs = [cost(work, ONE), cost(work, ONE.times(3), patience=1e-9)]
    table = cost_model.table(costs)
    assert table["devices used"].tolist() == ["1 of 1", "3 of 3"] and table[
        "runs out first"
    ].tolist() == ["nothing", "time"]
    assert cost_model.one_of_each(costs) == costs[:1]
    assert cost_model.rates([ONE])["the rate is"].tolist() == ["assumed"]
    assert cost_model.rates([ONE, Machine("a", 1, 1, "b", 2e12)])["bandwidth"].tolist() == [
        "",
        "2 TB/s",
    ]


def row(work, ours, goal=0.85, unit="Gflop/s"):
    return Row(work, "products", (ours, 2 * ours, 1.5 * ours), (100.0,) * 3, unit, goal, rate=True)


ABOUT = {"processor": "a processor", "device": "a GPU", "cuda": None}


def test_a_measured_rate_is_the_largest_of_those_with_a_goal():
    rows = (
        row("float64, 1 thread", 20),
        row("float64, 2 threads", 40),
        row("float64, all inputs", 90, None),
        row("float32", 200),
    )
    rows += (row("float64, steps", 1e6, unit="steps a second"),)
    found = cost_model.measured(Results(ABOUT, rows, ()), 16e9)
    assert (found.rate, found.name, found.basis) == (
        60e9,
        "a processor",
        "measured, float64, 2 threads",
    )
    assert cost_model.measured(Results(ABOUT, rows, ()), 16e9, dtype="float32").rate == 300e9
    with pytest.raises(
        ValueError,
        match="nothing says how fast this machine is; there are: float32; float64, steps",
    ):
        cost_model.measured(Results(ABOUT, rows[3:], ()), 16e9)


def test_a_gpu_is_measured_or_says_that_it_is_not():
    numbers = ("H", 67e12, 80e9, 3e12)
    maker = cost_model.gpu({}, *numbers)
    assert (maker.rate, maker.bandwidth) == (67e12, 3e12) and "not measured" in maker.basis
    found = cost_model.gpu(
        {"gpu": Results(ABOUT | {"cuda": "13"}, (row("float64", 20, unit="Tflop/s"),), ())},
        *numbers,
    )
    assert (found.name, found.rate, found.memory) == (
        "a GPU",
        30e12,
        80e9,
    ) and found.basis.startswith("measured")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Machine("m", 0, 1e9, "x"), "rate = 0: operations per second must be positive"),
        (lambda: Machine("m", 1e9, math.nan, "x"), "memory = nan"),
        (lambda: Machine("m", 1e9, 1e9, "x", bandwidth=-1), "bandwidth = -1"),
        (lambda: Machine("m", 1e9, 1e9, ""), "m: basis is empty"),
        (lambda: ONE.times(0), "devices = 0"),
        (
            lambda: cost_model.sweep((2, 3, 1), 10, 3, 5, copies=3),
            r"count = 3: must be a whole number, at least 4 \(a reference and its copies\)",
        ),
        (lambda: cost_model.sweep((2, 3, 1), 0, 3, 5), "samples = 0"),
        (lambda: cost_model.sweep((2,), 10, 3, 5), "an input and an output layer"),
        (
            lambda: cost_model.exponents((2, 3, 1), 10, 5, 14),
            "count = 14: must be a whole number, from 1 to 13",
        ),
        (lambda: cost_model.exponents((2, 3, 1), 10, 5, 2, interval=0), "interval = 0"),
        (lambda: cost_model.exponents((2, 3, 1), 10, 5, 2, at_once=11), "at_once = 11"),
        (lambda: cost(cost_model.sweep((2, 3, 1), 10, 3, 5), ONE, patience=0), "patience = 0"),
        (lambda: cost_model.largest(-1, 10), "memory = -1"),
    ],
)
def test_numbers_that_are_none_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_look_at_this_machine_beside_what_is_published():
    here = cost_model.step_time(count=12, copies=1, epochs=3, rounds=2)
    assert here.shape == (2,) and (here > 0).all()
    results = Results(ABOUT, (row("Iris, 1 thread", 20, unit="µs a network-step"),), ())
    table = cost_model.beside(results, "Iris", np.array([1.0, 3.0]))
    assert table["engine, µs a network-step"].to_dict() == {
        "published": "30 (20 to 40)",
        "here, roughly": "2 (1 to 3)",
    }
    with pytest.raises(ValueError, match="no row begins with 'MNIST'; there are: Iris, 1 thread"):
        cost_model.beside(results, "MNIST", here)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (8.04e9, "8.04 GB"), (6.3e12, "6.3 TB"), (5e18, "5,000 PB")],
)
def test_bytes_in_words(size, words):
    assert cost_model.amount(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (7200, "2 h"), (4 * 86400, "4 days"), (1e12, "31,688 years")],
)
def test_times_in_words(seconds, words):
    assert cost_model.in_words(seconds) == words
