"""Two trainings by a plain PyTorch loop, and how far apart they are, map or no map.

    setting = Setting(learning_rate=0.5, steps=100)
    same = twins(module, criterion, x, y, setting, radius=1e-8)   # the same noise
    floor = twins(module, criterion, x, y, setting, seeds=(0, 1))  # the same weights, other noise

Mini-batches and dropout make each step a random map.  Two trainings under the *same* random numbers
take the same maps, and a distance that grows between them is growth under these maps.  Two
trainings under *different* random numbers part at the first step, with no perturbation at all: that
distance is the floor below which nothing can be measured.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from .. import torch_utils
from ..validation import positive, real, whole
from . import minibatches


@dataclass(frozen=True)
class Setting:
    """How both are trained: ``learning_rate``, ``steps``, samples of a ``batch`` (None for all).

    Batches come in the order of :func:`netdyn_lib.training.minibatches.order`.  ``optimizer`` takes
    parameters and ``lr`` to an optimizer of PyTorch.
    """

    learning_rate: float
    steps: int
    batch: int | None = None
    optimizer: Callable = torch.optim.SGD

    def __post_init__(self):
        positive(self.learning_rate, "learning_rate", "η")
        whole(self.steps, "steps")


@dataclass(frozen=True)
class Twins:
    """Two trainings: ``distance`` (T,), the L1 distance of their weights at steps 0 … T − 1.

    ``loss`` (T, 2) is that of each over all samples with its layers as they train, ``evaluated``
    (T, 2) with the module in ``eval()`` mode, as it would be used; both without touching what the
    layers remember.
    """

    distance: np.ndarray
    loss: np.ndarray
    evaluated: np.ndarray


@torch_utils.one()
def twins(
    module: nn.Module,
    criterion: Callable,
    x: torch.Tensor,
    y: torch.Tensor,
    setting: Setting,
    *,
    seeds: tuple[int, int] = (0, 0),
    radius: float = 0.0,
    seed: int = 0,
) -> Twins:
    """Train a module twice from the same weights, as PyTorch does it, and compare.

    The module stays in training mode; it is copied, in float64, and its layers draw their weights
    anew.  ``criterion`` takes outputs and targets to a loss.

    seeds : of all that is random in each training: the order of samples, and what layers draw
    radius : ε of the cube in which the second starts around the first; 0 for the same weights
    seed : of the initial weights and the perturbation
    """
    if not 0 <= real(radius) < math.inf:
        raise ValueError(f"radius = {radius}: ε must be zero or positive, and finite")
    if len(seeds) != 2:
        raise ValueError(f"{len(seeds)} seeds: one for each of the two trainings")
    start = _drawn(module, whole(seed, "seed"))
    weights = parameters_to_vector(start.parameters()).detach()
    shift = torch.from_numpy(np.random.default_rng([seed, 1]).uniform(-1, 1, len(weights)))
    found = []
    for k, noise in enumerate(seeds):
        one = copy.deepcopy(start)
        vector_to_parameters(weights + k * radius * shift, one.parameters())
        found.append(_train(one, criterion, (x, y), setting, whole(noise, "seed")))
    ways, losses, evaluated = zip(*found)
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


def _train(module, criterion, samples, setting, seed):
    """Weights (T, P), losses (T,) and losses in eval mode (T,) of one training of ``module``."""
    x, y = samples
    optimizer = setting.optimizer(module.parameters(), lr=setting.learning_rate)
    batches = minibatches.order(len(x), setting.batch or len(x), None, seed)
    way, losses, evaluated = [], [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for t in range(setting.steps + 1):
            way.append(parameters_to_vector(module.parameters()).detach())
            losses.append(_looked_at(module, criterion, x, y, train=True))
            evaluated.append(_looked_at(module, criterion, x, y, train=False))
            if t < setting.steps:
                # A full batch keeps its order: other orders of a sum round otherwise.
                index = slice(None) if setting.batch is None else torch.from_numpy(next(batches))
                optimizer.zero_grad()
                criterion(module(x[index]), y[index]).backward()
                optimizer.step()
    return torch.stack(way), losses, evaluated


def _looked_at(module, criterion, x, y, train):
    """Loss over all samples in one mode, by a copy and from a fixed stream: it changes nothing."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return float(criterion(copy.deepcopy(module).train(train)(x), y))
