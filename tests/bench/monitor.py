"""A training loop with the monitor at its default beside the same loop without.

The convolutional network of the book on digits: batches of 32 by a ``DataLoader``, a probe batch as
large, float32, from one report at the start to the step before the next.
"""

import itertools

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector
from torch.utils.data import DataLoader, TensorDataset

from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.monitor import Monitor
from netdyn_lib.tasks import tasks

from .measuring import agree, beside

BATCH, STEPS, ROUNDS = 32, 1000, 3  # as many steps as the monitor's default
GOAL = 1 / 1.1
OPTIMIZERS = {
    "SGD with momentum": lambda ps: torch.optim.SGD(ps, lr=0.05, momentum=0.9),
    "Adam": lambda ps: torch.optim.Adam(ps, lr=1e-3),
}


def loss_fn(model, batch):
    return cross_entropy(model(batch[0]), batch[1])


def loop(make, watch, steps=STEPS):
    """Train from fixed weights; return them as they end, (P,)."""
    task = tasks.get("digits-cnn")
    torch.manual_seed(0)
    model = tasks.recipe("digits-cnn").network()
    optimizer = make(model.parameters())
    samples = TensorDataset(task.x.float(), task.y)
    probe = samples[:BATCH]
    loader = DataLoader(samples, BATCH, shuffle=True)
    monitor = Monitor(model, loss_fn, probe) if watch else None
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    for batch in itertools.islice(batches, steps):
        optimizer.zero_grad()
        loss_fn(model, batch).backward()
        optimizer.step()
        if monitor is not None:
            monitor.step(optimizer)
    return parameters_to_vector(model.parameters()).detach()


def main(keep=print):
    for name, make in OPTIMIZERS.items():
        calls = {"with": lambda: loop(make, True), "without": lambda: loop(make, False)}
        seconds, ends = beside(calls, ROUNDS)
        agree(float((ends["with"] - ends["without"]).abs().max()), 0, "weights with a monitor")
        row = Row(
            f"Loop with a monitor, every={STEPS}, CNN on digits, {name}, batches of {BATCH}",
            "the loop without",
            *([1e3 * s / STEPS for s in seconds[which]] for which in ("with", "without")),
            "ms a step",
            GOAL,
            accuracy="the same weights",
            group="monitor",
            limit="Hessian products of a report",
        )
        keep(row)
        print(f"with a monitor, the loop takes {1 / row.ratio:.3f} of its time without", flush=True)
