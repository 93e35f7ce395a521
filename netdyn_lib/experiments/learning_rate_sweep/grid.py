"""A sweep as a grid of learning rates and blocks of initial conditions, cut into shards."""

import math
from dataclasses import dataclass

from ...results.store import file_name
from ...validation import positive, whole


@dataclass(frozen=True)
class Shard:
    """One piece of a sweep: initial conditions ``start`` … ``start + count − 1`` at the learning
    rate ``rate``.
    """

    rate: float
    start: int
    count: int

    def __str__(self):
        return (
            f"η = {self.rate:g}, initial conditions {self.start} to {self.start + self.count - 1}"
        )


@dataclass(frozen=True)
class Sweep:
    """What is measured, at which learning rates, for how many initial conditions.

    Parameters
    ----------
    name : str
        What the sweep, and the file of its published results, is called; no number depends on it.
    task : str
        A task by name; see :mod:`netdyn_lib.tasks.tasks`.
    rates : sequence of float
        Learning rates η.
    conditions : int
        Initial conditions at each.
    copies : int
        M, perturbed copies of each in a ball of ``radius`` ε.
    epochs : int
        Steps over which distances, losses and accuracies are followed.
    cap : int
        Epochs within which a reference may arrive at the task's target
        accuracy; 0 for no search.  Those that do not are censored.
    sustained : int
        Epochs in a row that count as a sustained arrival.
    sharp_at : sequence of int
        Epochs at which the sharpness of references is taken; none by default.
    sharp_conditions : int
        Of how many references of each learning rate.
    samples, test_samples : int, optional
        The first so many images; all by default.
    block : int
        Initial conditions in a shard.
    seed : int

    Raises
    ------
    ValueError
        For a name that is none of a file, a learning rate or radius that is not
        positive and finite, a learning rate that stands twice, sizes that are no whole
        numbers, a cap below the epochs, or epochs of sharpness out of order.
    """

    name: str
    task: str
    rates: tuple
    conditions: int
    copies: int = 5
    radius: float = 1e-8
    epochs: int = 200
    cap: int = 0
    sustained: int = 20
    sharp_at: tuple = ()
    sharp_conditions: int = 0
    samples: int | None = None
    test_samples: int | None = None
    block: int = 5
    seed: int = 0

    def __post_init__(self):
        file_name(self.name, "name")
        try:
            rates = tuple(positive(r, "rates", "a learning rate η") for r in self.rates)
        except TypeError:
            raise ValueError(f"rates = {self.rates!r}: give a sequence of learning rates") from None
        if not rates or len(set(rates)) != len(rates):
            raise ValueError(f"rates {rates}: give at least one learning rate, and each once")
        object.__setattr__(self, "rates", rates)
        object.__setattr__(
            self, "radius", positive(self.radius, "radius", "the perturbation radius ε")
        )
        for name, least in dict(
            conditions=1,
            copies=1,
            epochs=1,
            cap=0,
            sustained=1,
            sharp_conditions=0,
            block=1,
            seed=0,
        ).items():
            object.__setattr__(self, name, whole(getattr(self, name), name, least))
        object.__setattr__(
            self, "sharp_at", tuple(whole(t, "sharp_at", 0, self.epochs) for t in self.sharp_at)
        )
        if list(self.sharp_at) != sorted(set(self.sharp_at)):
            raise ValueError(f"sharp_at = {self.sharp_at}: give the epochs in order, and each once")
        for name in ("samples", "test_samples"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole(getattr(self, name), name, 1))
        if 0 < self.cap < self.epochs:
            raise ValueError(
                f"cap = {self.cap} below epochs = {self.epochs}: arrivals are searched in the same run, and beyond it"
            )

    def shards(self):
        """The shards, block by block and within a block rate by rate: a sweep that is cut short has
        seen every rate.
        """
        blocks = [
            (a, min(self.block, self.conditions - a)) for a in range(0, self.conditions, self.block)
        ]
        return [Shard(rate, start, count) for start, count in blocks for rate in self.rates]

    def sharp_in(self, shard):
        """How many references of a shard have their sharpness taken."""
        return max(0, min(shard.count, self.sharp_conditions - shard.start)) if self.sharp_at else 0

    @property
    def network_epochs(self):
        """Networks times epochs of the exponents; arrivals, of which one cannot know, come on top."""
        return len(self.rates) * self.conditions * (1 + self.copies) * self.epochs

    def __len__(self):
        return len(self.rates) * math.ceil(self.conditions / self.block)
