"""An ensemble of small convolutional networks beside the same one after another, and beside JAX.

The book's 8 and 16 kernels of 3 × 3, on 1,000 images, 12 networks (2 groups of a reference and 5
copies), 2 epochs at η = 0.1, float64.
"""

import numpy as np
import torch

from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training.gradient_descent import GradientDescent, run

from . import jax_rival, profiles
from .images import at_hand
from .measuring import agree, beside

SAMPLES, GROUPS, COPIES, EPOCHS, RATE, ROUNDS = 1000, 2, 5, 2, 0.1, 3
GOAL, GOAL_JAX = 5, 1.0


def problem(samples=SAMPLES):
    """The task, and what it is in words; without MNIST on random images, for which the work is the
    same.
    """
    if at_hand() is not None:
        return tasks.get("mnist-cnn", samples=samples), f"{samples:,} images of MNIST"
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(samples, 784)), torch.from_numpy(rng.integers(0, 10, samples))
    network = tasks.recipe("mnist-cnn").architecture()
    task = tasks.custom("cnn", network, losses.CrossEntropy(), x, y, std=0.1)
    return task, f"{samples:,} random images"


def module(task, params):
    """One network as an ordinary ``nn.Module``."""
    network = tasks.recipe("mnist-cnn").network().double()
    # which lends the module its memory
    torch.nn.utils.vector_to_parameters(params.clone(), network.parameters())
    return network


def loop(task, groups, epochs=EPOCHS):
    """Final weights (n, 1 + M, P), one network after another, its batch kept in memory."""
    ends, criterion = [], torch.nn.CrossEntropyLoss()
    for params in groups.flatten(0, 1):
        network = module(task, params)
        optimiser = torch.optim.SGD(network.parameters(), lr=RATE)
        for _ in range(epochs):
            optimiser.zero_grad()
            criterion(network(task.x), task.y).backward()
            optimiser.step()
        ends.append(torch.nn.utils.parameters_to_vector(network.parameters()).detach())
    return torch.stack(ends).view(groups.shape)


def engine(task, groups, epochs=EPOCHS):
    """The same by the engine."""
    return run(GradientDescent(task, RATE), groups, epochs, ("distance",)).final


def main(keep=print):
    task, name = problem()
    groups = networks.perturbed(task.initial(GROUPS), 1e-8, COPIES)
    calls = {"ours": lambda: engine(task, groups), "loop": lambda: loop(task, groups)}
    jax = jax_rival.get()
    if jax is not None:
        function = jax_rival.descent(
            jax, jax_rival.convolutional(jax, 28), task.x.numpy(), task.y.numpy(), RATE, EPOCHS
        )
        ready, compile_seconds = jax_rival.compiled(jax, function, groups.numpy())
        calls["jax"] = lambda: ready(groups.numpy())
    seconds, found = beside(calls, ROUNDS)
    number = groups.shape[0] * groups.shape[1] * EPOCHS
    per = {who: [1e3 * s / number for s in values] for who, values in seconds.items()}
    work = (
        f"Convolutional network, {GROUPS} × {1 + COPIES} networks, "
        f"{name}, {EPOCHS} epochs, {torch.get_num_threads()} threads"
    )
    limit = profiles.limit(task, groups[:1], 1)
    ends = {who: np.asarray(found[who][1] if who == "jax" else found[who]) for who in calls}

    def row(who, rival, goal, more=""):
        apart = float(np.abs(ends["ours"] - ends[who]).max())
        differs = agree(apart, 1e-9, f"weights of convolutional networks, {rival}")
        said = f"weights differ by at most {differs:.0e}{more}"
        words = dict(accuracy=said, group="images", limit=limit)
        keep(Row(work, rival, per["ours"], per[who], "ms a network-epoch", goal, **words))

    row("loop", "one nn.Module after another", GOAL)
    if jax is not None:
        more = f"; JAX compiled for {compile_seconds:.1f} s, not counted"
        row("jax", "JAX, vmap and scan under jit", GOAL_JAX, more)
