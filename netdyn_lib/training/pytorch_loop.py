"""Two trainings by a plain PyTorch loop, and how far apart they are: also where descent is no map
of the weights.

    same = twins(module, criterion, x, y, learning_rate=0.5, steps=100, radius=1e-8)          # the same noise
    floor = twins(module, criterion, x, y, learning_rate=0.5, steps=100, seeds=(0, 1))        # the same weights, other noise

Mini-batches and dropout make each step a random map.  Two trainings under the *same* random numbers
take the same maps, and a distance that grows between them is growth under these maps.  Two
trainings under *different* random numbers part at the first step, with no perturbation at all: that
distance is the floor beneath which nothing can be measured.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from .. import torch_utils
from ..validation import positive, real, whole
from . import minibatches


@dataclass(frozen=True)
class Twins:
    """Two trainings: ``distance`` (T,) is the L1 distance of their weights at each of the steps 0 …
    T − 1.

    ``loss`` (T, 2) is that of each over all samples with its layers as they train, ``evaluated``
    (T, 2) with the module in ``eval()`` mode, as it would be used; both without touching what the
    layers remember.
    """

    distance: np.ndarray
    loss: np.ndarray
    evaluated: np.ndarray


@torch_utils.one()
def twins(
    module,
    criterion,
    x,
    y,
    learning_rate,
    steps,
    *,
    batch=None,
    seeds=(0, 0),
    radius=0.0,
    seed=0,
    optimizer=torch.optim.SGD,
):
    """Train twice from the same weights, as PyTorch does it, and compare.

    Parameters
    ----------
    module : torch.nn.Module
        In training mode throughout; it is copied, in float64, and its layers draw their weights
        anew.
    criterion : callable
        Outputs and targets to a loss.
    x, y : torch.Tensor
        Samples (N, …) and targets.
    learning_rate : float
    steps : int
    batch : int, optional
        Samples of a mini-batch, in the order of :func:`netdyn_lib.training.minibatches.order`; all
        of them where not given.
    seeds : (int, int)
        Of all that is random in each training: the order of samples, and what layers draw.
    radius : float
        ε of the cube in which the second twin starts around the first; 0 for the same weights.
    seed : int
        Of the initial weights and the perturbation.
    optimizer : callable
        ``torch.optim.SGD`` or alike: parameters and ``lr`` to an optimizer.

    Returns
    -------
    Twins

    Raises
    ------
    ValueError
        For numbers out of bounds, or more or fewer than two seeds.
    """
    steps = whole(steps, "steps")
    rate = positive(learning_rate, "learning_rate", "η")
    if not 0 <= real(radius) < math.inf:
        raise ValueError(f"radius = {radius}: ε must be zero or positive, and finite")
    if len(seeds) != 2:
        raise ValueError(f"{len(seeds)} seeds: one for each of the two trainings")
    start = _drawn(module, whole(seed, "seed"))
    weights = parameters_to_vector(start.parameters()).detach()
    shift = torch.from_numpy(np.random.default_rng([seed, 1]).uniform(-1, 1, len(weights)))
    ways, losses, evaluated = zip(
        *(
            _train(
                start,
                weights + k * radius * shift,
                criterion,
                x,
                y,
                rate,
                steps,
                batch,
                whole(s, "seed"),
                optimizer,
            )
            for k, s in enumerate(seeds)
        )
    )
    distance = (ways[1] - ways[0]).abs().sum(1).numpy()
    return Twins(distance, np.array(losses).T, np.array(evaluated).T)


def _drawn(module, seed):
    """A copy in float64, in training mode, whose layers have drawn their weights from ``seed``."""
    module = copy.deepcopy(module).to(torch.float64).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in module.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
    return module


def _train(start, weights, criterion, x, y, rate, steps, batch, seed, optimizer):
    """Weights (T, P), losses (T,) and losses in eval mode (T,) of one training."""
    module = copy.deepcopy(start)
    vector_to_parameters(weights.clone(), module.parameters())
    descent = optimizer(module.parameters(), lr=rate)
    batches = minibatches.order(len(x), len(x) if batch is None else batch, None, seed)
    way, losses, evaluated = [], [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for t in range(steps + 1):
            way.append(parameters_to_vector(module.parameters()).detach())
            losses.append(_looked_at(module, criterion, x, y, train=True))
            evaluated.append(_looked_at(module, criterion, x, y, train=False))
            if t < steps:
                # A full batch keeps its order: other orders of a sum round otherwise.
                index = slice(None) if batch is None else torch.from_numpy(next(batches).copy())
                descent.zero_grad()
                criterion(module(x[index]), y[index]).backward()
                descent.step()
    return torch.stack(way), losses, evaluated


def _looked_at(module, criterion, x, y, train):
    """Loss over all samples in one mode, by a copy and from a fixed stream, so that looking changes
    nothing.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return float(criterion(copy.deepcopy(module).train(train)(x), y))
