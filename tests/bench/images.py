"""Few large networks: J's work on all 60,000 images of MNIST, in float64.

2 initial conditions of 784-64-10, each with 5 perturbed copies, at η = 10,
distances at every epoch.  The rival does it as the authors did: one
``nn.Module`` after another with ``torch.optim.SGD``, its batch of all images
read at every epoch through torchvision's ``ToTensor`` and a ``DataLoader``.  It
is timed on a sample, one network for one epoch in each round, and once more
with the batch kept in memory: so much of the ratio is not the reading.

The engine's arithmetic, in double and in single precision, is also set against the rate at which
this machine multiplies large matrices of that type, measured in the same rounds.
"""

import os
import sys
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from netdyn_lib.experiments import campaign
from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.experiments.learning_rate_sweep import grid
from netdyn_lib.tasks import datasets as archives
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import steppers
from netdyn_lib.training.gradient_descent import GradientDescent, run

from . import jax_rival, profiles
from .measuring import agree, alone, begin_peak, beside, counts_of_threads, peak, timed

TASK, CONDITIONS, COPIES, EPOCHS, RATE = "mnist", 2, 5, 2, 10.0
ROUNDS = 3
SIDE, TRIES = 2000, 3  # of the square matrices, and how often they are multiplied in a round
LARGE = 50  # initial conditions of a large ensemble
RESOLVED = 1e-3  # a radius that single precision resolves
GOAL, GOAL_JAX = 20, 1.1  # times as fast as the authors' way on two cores, and as JAX
GOAL_SHARE = 0.85  # of the matrix-product rate
UNIT = "s a network-epoch"
MOST_MEMORY = 6.0  # GiB at the peak of one shard


class Images(datasets.MNIST):
    """torchvision's MNIST over images that are in memory; what it does with each is its own."""

    def __init__(self, images, labels):
        self.data, self.targets = torch.as_tensor(images), torch.as_tensor(labels)
        self.transform, self.target_transform = transforms.ToTensor(), None


@contextmanager
def double():
    """PyTorch's default type is float64, and that is what ``ToTensor`` makes of an image."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def reader(images, labels):
    """All images as one batch, read anew whenever it is iterated."""
    return DataLoader(Images(images, labels), batch_size=len(images), shuffle=False, num_workers=0)


def loop(network, params, batches, epochs):
    """Losses (T,), weights (T + 1, P) of one network by the plain loop; ``batches`` is iterated at
    every epoch.
    """
    module = network.module(params)
    optimiser = torch.optim.SGD(module.parameters(), lr=RATE)
    criterion = torch.nn.CrossEntropyLoss()
    losses, path = [], [flat(module)]
    for _ in range(epochs):
        for x, y in batches:
            optimiser.zero_grad()
            loss = criterion(module(x.flatten(1)), y)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        path.append(flat(module))
    return np.array(losses), torch.stack(path)


def flat(module):
    """Parameters (P,) in the order of an MLP's: those of a unit lie together."""
    layers = [layer for layer in module if isinstance(layer, torch.nn.Linear)]
    return torch.cat([torch.cat([m.weight, m.bias[:, None]], 1).flatten() for m in layers]).detach()


def engine(task, groups, epochs, threads, observe=("distance",)):
    """The same by the engine, for the whole ensemble."""
    return run(GradientDescent(task, RATE), groups, epochs, observe, workers=threads)


def disagreement(record, losses, path):
    """Relative difference of the loss at the start, and of the first step of the first network."""
    start, after = path[0], path[1]
    loss = abs(record["loss"][0].ravel()[0] / losses[0] - 1)
    step = (record.final.flatten(0, -2)[0] - after).abs().max() / (after - start).abs().max()
    return float(loss), float(step)


def operations(inputs, hidden, outputs, samples):
    """Additions and multiplications in the products of one epoch of one network with one hidden
    layer.

    Two of them for each weight and sample, in a layer's output, in its gradient
    and, but for the first layer, in what goes back to the layer below; a bias
    counts as one more input.
    """
    return (4 * (inputs + 1) * hidden + 6 * (hidden + 1) * outputs) * samples


def product_rate(dtype=torch.float64):
    """Operations per second of a product of large matrices of a floating type, the best of a few,
    with PyTorch's threads.
    """
    a, b = torch.rand(2, SIDE, SIDE, dtype=dtype)
    best = min(timed(torch.mm, a, b)[0] for _ in range(TRIES))
    return 2 * SIDE**3 / best


def speed(task, groups, reading, threads, keep):
    torch.set_num_threads(threads)
    resident = [(task.x, task.y)]
    number = groups.shape[0] * groups.shape[1] * EPOCHS
    engine(task, groups[:, :2], 1, threads)  # lays out the samples, once for all
    with double():
        plain = loop(task.network, groups[0, 0], reading, 1)
    loss, step = disagreement(engine(task, groups[:1], 1, 1, ("loss",)), *plain)
    agree(max(loss, step), 1e-9, "one epoch of MNIST")
    same = f"after one epoch the loss differs by {loss:.0e}, the step by {step:.0e} of the largest"
    times, rates = {"engine": [], "reading": [], "resident": []}, []
    for k in range(ROUNDS):
        rates.append(product_rate())
        times["engine"].append(timed(engine, task, groups, EPOCHS, threads)[0] / number)
        start = groups.flatten(0, 1)[k % (groups.shape[0] * groups.shape[1])]
        with double():
            times["reading"].append(timed(loop, task.network, start, reading, 1)[0])
            times["resident"].append(timed(loop, task.network, start, resident, 1)[0])
    limit = profiles.limit(task, groups[:1], 1)
    for row in speed_rows(task, groups, threads, times, same):
        keep(row)
    for row in share_rows(task, groups, threads, times["engine"], rates, limit):
        keep(row)


def work_of(task, groups, threads):
    sizes = "-".join(map(str, task.network.sizes))
    networks_ = groups.shape[0] * groups.shape[1]
    kind = str(task.x.dtype).removeprefix("torch.")
    return (
        f"MNIST {sizes}, {len(task.x):,} images, {networks_} "
        f"networks, {kind}, {threads} thread{'s' * (threads > 1)}"
    )


def speed_rows(task, groups, threads, times, same):
    """Rows of the authors' way, its batch read at every epoch, and kept in memory; ``times`` are
    seconds a network-epoch over rounds.
    """
    work, goal = work_of(task, groups, threads), GOAL if threads == 2 else None
    read = "the authors' way: one network at a time, DataLoader every epoch"
    resident, unit, own = "the same loop, its batch kept in memory", UNIT, times["engine"]
    yield Row(work, read, own, times["reading"], unit, goal, accuracy=same, group="images")
    yield Row(work, resident, own, times["resident"], unit, group="images")


def mean_inputs(task):
    """Inputs that the engine's products with a sample take, on average over samples."""
    blocks = getattr(steppers.of(task), "_blocks", None)
    if blocks is None:
        return float(task.network.sizes[0])
    return sum(len(block) * (block.x.shape[1] - 1) for block in blocks) / len(task.x)


def share_rows(task, groups, threads, seconds, rates, limit=""):
    """The engine's share of the matrix-product rate, by the operations that it does and by those
    that all pixels would need.
    """
    inputs, hidden, outputs = task.network.sizes
    used = mean_inputs(task)
    rival = f"products of {SIDE} × {SIDE} matrices"
    for n, goal, what in (
        (used, GOAL_SHARE, f"the {used:.0f} inputs used on average"),
        (inputs, None, f"all {inputs} inputs, as if zeros were multiplied"),
    ):
        done = operations(n, hidden, outputs, len(task.x)) / np.array(seconds) / 1e9
        words = dict(rate=True, group="images", limit=limit if goal else "")
        work, known = f"{work_of(task, groups, threads)}; {what}", np.array(rates) / 1e9
        yield Row(work, rival, done, known, "Gflop/s", goal, **words)


def shares(task, conditions, dtype, epochs, keep):
    """The share of the matrix-product rate of a floating type, of few networks or hundreds, with
    all cores.
    """
    threads, task = torch.get_num_threads(), task.to(dtype=dtype)
    groups = networks.perturbed(task.initial(conditions), RESOLVED, COPIES)
    number = groups.shape[0] * groups.shape[1] * epochs
    engine(task, groups[:1], 1, threads)  # lays out the samples, once for all
    rates, seconds = [], []
    for _ in range(ROUNDS):
        rates.append(product_rate(dtype))
        seconds.append(timed(engine, task, groups, epochs, threads)[0] / number)
    limit = profiles.limit(task, groups[:1], 1)
    for row in share_rows(task, groups, threads, seconds, rates, limit):
        keep(row)


def against_jax(task, groups, keep):
    """The same beside JAX, each with all cores."""
    jax = jax_rival.get()
    if jax is None:
        return
    threads = torch.get_num_threads()
    forward = jax_rival.mlp(jax, task.network.sizes, task.network.activation.name)
    function = jax_rival.descent(jax, forward, task.x.numpy(), task.y.numpy(), RATE, EPOCHS)
    call, compiling = jax_rival.compiled(jax, function, groups.numpy())
    calls = {
        "ours": lambda: engine(task, groups, EPOCHS, threads).final.numpy(),
        "jax": lambda: np.asarray(call(groups.numpy())[1]),
    }
    seconds, found = beside(calls, ROUNDS)
    number = groups.shape[0] * groups.shape[1] * EPOCHS
    ours, theirs = ([s / number for s in seconds[who]] for who in ("ours", "jax"))
    differs = agree(np.abs(found["jax"] - found["ours"]).max(), 1e-8, "weights on MNIST")
    about = (
        f"weights differ by at most {differs:.0e} after {EPOCHS} epochs; JAX compiled "
        f"for {compiling:.1f} s, not counted; only ours leaves out zero inputs"
    )
    work, rival = work_of(task, groups, threads), "JAX, vmap and scan under jit"
    words = dict(accuracy=about, group="images", limit=profiles.limit(task, groups[:1], 1))
    keep(Row(work, rival, ours, theirs, UNIT, GOAL_JAX, **words))


def shard_memory():
    """Run by itself in a fresh process: measure one shard, print the memory before it and the peak,
    in MiB.
    """
    before = begin_peak()
    sweep = grid.Sweep("bench", TASK, (RATE,), CONDITIONS, COPIES, epochs=EPOCHS, block=CONDITIONS)
    sweep.compute(sweep.pieces()[0], tasks.get(TASK), campaign.Work())
    print(before, peak())


def report_memory():
    """Print the peak of one shard; exit with an error where it is too much."""
    before, top = (mebibytes / 1024 for mebibytes in alone("images", "shard_memory()"))
    print(
        f"shard of {CONDITIONS} × {1 + COPIES} networks, all "
        f"images, {EPOCHS} epochs, in a process of its own: "
        f"peak {top:.2f} GiB, {before:.2f} before it; at most {MOST_MEMORY:g}"
    )
    if top > MOST_MEMORY:
        sys.exit(f"a shard takes {top:.2f} GiB, more than {MOST_MEMORY:g}")


def at_hand():
    """The image set, None where it would have to be downloaded."""
    with mock.patch.dict(os.environ, NETDYN_OFFLINE="1"):
        try:
            return archives.load(TASK)
        except archives.MissingData as error:
            print(f"MNIST: this part is skipped, and nothing stands in for it. {error}")


def small(samples=6000):
    """A task of one hidden layer on so many images of MNIST, and its name; on all digits of
    scikit-learn where MNIST is not at hand.
    """
    if at_hand() is None:
        task = tasks.get("digits")
        print("in its place: the digits of scikit-learn", flush=True)
    else:
        task = tasks.get(TASK, samples=samples)
    return task, f"{task.name} {'-'.join(map(str, task.network.sizes))}, {len(task.x):,} images"


def main(keep=print):
    held = at_hand()
    if held is None:
        return
    task = tasks.get(TASK)
    groups = networks.perturbed(task.initial(CONDITIONS), 1e-8, COPIES)
    reading = reader(held.x, held.y)
    for threads in counts_of_threads():
        speed(task, groups, reading, threads, keep)
    for conditions, dtype, epochs in (
        (CONDITIONS, torch.float32, EPOCHS),
        (LARGE, torch.float64, 1),
        (LARGE, torch.float32, 1),
    ):
        shares(task, conditions, dtype, epochs, keep)
    against_jax(task, groups, keep)
    report_memory()
