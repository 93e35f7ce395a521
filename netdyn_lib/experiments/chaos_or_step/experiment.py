"""The experiment: the arms of each learning rate, from the same initial conditions."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import xarray as xr

from ...results.store import file_name
from ...validation import whole
from .. import campaign as engine
from .. import sizes
from ..pieces import Experiment
from ..published import Shelf
from . import arms
from .following import SPANS, SUSTAINED, follow

CHAPTER = "10_chaos_or_step"
_FREE = (
    "name",
    "task",
    "rates",
    "names",
    "more",
    "between",
)  # they do not change a network's numbers
_DIMS = {
    **dict.fromkeys(("first", "sustained", "tenfold", "leaves", "start_moved"), ()),
    **dict.fromkeys(("growth", "above"), ("span",)),
    **dict.fromkeys(
        ("loss", "test_loss", "test_accuracy", "distance", "path", "ratio", "excess", "apart"),
        ("epoch",),
    ),
}


@dataclass(frozen=True)
class Rate:
    """All arms at one learning rate."""

    rate: float

    def __str__(self):
        return f"η = {self.rate:g}"


@dataclass(frozen=True)
class Comparison(Experiment):
    """Arms at each learning rate, from ``conditions`` initial conditions, for ``epochs`` epochs.

    ``names`` are those of the arms, of :data:`~netdyn_lib.experiments.chaos_or_step.arms.ARMS` and
    balls, and ``more`` those that are followed at learning rates ``between`` two bounds only;
    ``flow_epochs`` and ``substeps`` are the flow's; ``small`` the share of η that a small
    step takes, and its largest; ``ball_copies`` the copies over which a ball is averaged; perturbed
    copies of the neutral arms are followed for ``copied`` epochs.  Numbers are kept at the epochs
    ``marks``.

    Raises
    ------
    ValueError
        For a name that is none of a file, or numbers out of their bounds.
    """

    kind: ClassVar[str] = "chaos_or_step"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "learning rates"
    processor: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    single: ClassVar[bool] = True
    shelf: ClassVar[Shelf] = Shelf("chaos_or_step", "comparison", "chaos_or_step")

    name: str
    task: str
    rates: tuple
    conditions: int
    names: tuple
    epochs: int
    flow_epochs: int
    substeps: int
    small: tuple
    ball_copies: int
    copied: int
    seed: int = 0
    more: tuple = ()
    between: tuple = (0.0, 0.0)

    def __post_init__(self):
        file_name(self.name, "name")
        for name in ("conditions", "epochs", "substeps", "flow_epochs", "ball_copies", "copied"):
            whole(getattr(self, name), name, 1)
        for name in ("rates", "names", "small", "more", "between"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        whole(self.epochs, "epochs", SUSTAINED, cause="an arrival must last")

    @property
    def marks(self):
        """Return the epochs at which numbers are kept: the first ten, then even in ln t."""
        spaced = {round(10 * (self.epochs / 10) ** (k / 24)) for k in range(25)}
        return tuple(t for t in sorted({*range(11), *SPANS, *spaced}) if t <= self.epochs)

    def pieces(self):
        """Return the learning rates: first those between the bounds, next to where networks learn
        fastest, then the others.
        """
        far = {rate: abs(np.log(2 * rate)) for rate in self.rates}
        return [Rate(r) for r in sorted(self.rates, key=lambda r: (not self._inner(r), far[r]))]

    @property
    def arms(self):
        """Return the names of all arms."""
        return self.names + self.more

    def _inner(self, rate):
        low, high = self.between
        return low <= rate <= high

    def at(self, rate):
        """Return the names of the arms at a learning rate."""
        return self.arms if self._inner(rate) else self.names

    def parameters(self, piece):
        """Return what decides the numbers of a rate; see
        :class:`netdyn_lib.experiments.pieces.Experiment`.
        """
        mine = {k: v for k, v in asdict(self).items() if k not in _FREE}
        return mine | dict(rate=piece.rate, names=self.at(piece.rate))

    def compute(self, piece, task, work):
        """Return the arrays of all arms at a rate, each kept as soon as it is there."""
        found, derivatives = {}, arms.Derivatives.of(task)
        for name in self.at(piece.rate):
            about = self.parameters(piece) | dict(names=None, arm=name)
            lengths = found["descent"]["lengths"] if "descent" in found else None
            arm = arms.of(name, derivatives, piece.rate, self, lengths)
            make = partial(follow, task, arm, self, stop=work.stop)
            found[name] = work.checkpoint(about, make)
        return {
            f"{key}_{self.arms.index(name)}": values
            for name, arrays in found.items()
            for key, values in arrays.items()
            if key != "lengths"
        }

    def combine(self, found):
        """Return the dataset over (rate, arm, network, …) of those rates that there are.

        The variables are those of
        :func:`~netdyn_lib.experiments.chaos_or_step.following.follow`; ``attrs["comparison"]`` is
        the experiment as JSON.
        """
        pieces = sorted(found, key=lambda piece: piece.rate)
        variables = {}
        for key, dims in _DIMS.items():
            none = np.full_like(found[pieces[0]].arrays[f"{key}_0"], np.nan)
            rows = [
                [found[p].arrays.get(f"{key}_{k}", none) for k in range(len(self.arms))]
                for p in pieces
            ]
            variables[key] = ("rate", "arm", "network", *dims), np.array(rows)
        coords = {
            "rate": [piece.rate for piece in pieces],
            "arm": list(self.arms),
            "network": np.arange(self.conditions),
            "epoch": np.array(self.marks),
            "span": np.array(SPANS),
        }
        metas = [shard.meta for shard in found.values()]
        about = dict(name=self.name, version=self.version, comparison=json.dumps(asdict(self)))
        about["provenance"] = engine.described(engine.origins(metas))
        about["content"] = json.dumps(metas[0]["identity"]["data"])
        return xr.Dataset(variables, coords, about)


def get(name, profile="laptop", seed=0):
    """Return a comparison of the book by name; ValueError for an unknown name or profile."""
    known = sizes.sizes(CHAPTER, profile).comparisons
    if name not in known:
        raise ValueError(f"unknown comparison {name!r}; known: {', '.join(known)}")
    return Comparison(name=name, seed=seed, **known[name])


def names(profile="laptop"):
    """Return the names of the book's comparisons."""
    return tuple(sizes.sizes(CHAPTER, profile).comparisons)
