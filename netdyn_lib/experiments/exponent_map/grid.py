"""A grid of learning rates and scales of the initial weights, and what is measured on it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import numpy as np
import torch
import xarray as xr

from ...results.store import file_name
from ...torch_utils import Stopped
from ...validation import positive, whole
from .. import campaign as engine
from .. import sizes
from ..pieces import Experiment
from ..published import Shelf
from . import following

CHAPTER = "11_boundary_of_chaos"
_FREE = ("name", "task", "draws", "rows")  # they do not change a network's numbers
CHAOS = 0.05  # per epoch: above it the papers call an exponent chaos
VARIABLES = ("exponent", "late", "loss")


@dataclass(frozen=True)
class Rows:
    """Rows ``start`` … ``start + count − 1`` of the grid, of the initial condition ``draw``."""

    draw: int
    start: int
    count: int

    def __str__(self):
        return f"draw {self.draw}, rows {self.start} to {self.start + self.count - 1}"


@dataclass(frozen=True)
class ExponentMap(Experiment):
    """``side`` × ``side`` networks W(0) = s·W₀ at the learning rate η, with one tangent vector.

    W₀ and the first direction are drawn once for each of ``draws``; η and s run evenly in their
    logarithms between the ends of ``rates`` and ``scales``, both included.  Each network takes
    ``epochs`` steps.  ``compiled`` says whether by ``descent.c``; ``rows`` go together in a piece.

    Raises
    ------
    ValueError
        For a name that is none of a file, or numbers out of their bounds.
    """

    kind: ClassVar[str] = "exponent_map"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "pieces"
    partial: ClassVar[bool] = False
    processor: ClassVar[bool] = True
    single: ClassVar[bool] = True
    shelf: ClassVar[Shelf] = Shelf("exponent_map", "map", "exponents")

    name: str
    task: str
    side: int
    epochs: int
    rates: tuple
    scales: tuple
    draws: tuple = (0,)
    rows: int = 10
    compiled: bool = False
    seed: int = 0

    def __post_init__(self):
        file_name(self.name, "name")
        for name, least in dict(side=2, epochs=2, rows=1, seed=0).items():
            object.__setattr__(self, name, whole(getattr(self, name), name, least))
        for name in ("rates", "scales"):
            low, high = (positive(end, name, "an end of the map") for end in getattr(self, name))
            if not low < high:
                raise ValueError(f"{name} = {(low, high)}: the first end must be below the second")
            object.__setattr__(self, name, (low, high))
        object.__setattr__(self, "draws", tuple(whole(d, "draws") for d in self.draws))

    def axis(self, name):
        """Return the values of an axis, ``"rates"`` or ``"scales"``, (side,)."""
        low, high = getattr(self, name)
        return np.exp(np.linspace(np.log(low), np.log(high), self.side))

    def pieces(self):
        """Return the rows that are followed together, of one draw after another."""
        starts = range(0, self.side, self.rows)
        return [Rows(d, a, min(self.rows, self.side - a)) for d in self.draws for a in starts]

    def parameters(self, piece):
        """Return what decides the numbers of a piece."""
        return {k: v for k, v in asdict(self).items() if k not in _FREE} | asdict(piece)

    def compute(self, piece, task, work):
        """Return ``exponent``, ``late`` and ``loss`` of a piece, (rows, side) each; see
        :meth:`combine`.
        """
        scales = self.axis("scales")[piece.start : piece.start + piece.count]
        found = []
        for scale in scales:
            if work.stop():
                raise Stopped(f"stopped before the scale {scale:g}")
            found.append(self.networks(task, piece.draw, scale, self.axis("rates")))
        return {name: np.stack(values) for name, values in zip(VARIABLES, zip(*found))}

    def networks(self, task, draw, scale, rates, compiled=None):
        """Return ``exponent``, ``late`` and ``loss`` of networks at learning rates (n,)."""
        rates = np.asarray(rates, dtype=float)
        start = task.initial(1, self.seed, draw)
        vector = np.random.default_rng([self.seed, draw, 2]).standard_normal(start.shape)
        vector = torch.as_tensor(vector / np.linalg.norm(vector))
        compiled = self.compiled if compiled is None else compiled
        follow = following.compiled if compiled else following.plain
        half = self.epochs // 2
        state = (scale * start).expand(len(rates), -1), vector.expand(len(rates), -1)
        first = follow(task, *state, rates, half)
        second = follow(task, first.params, first.vectors, rates, self.epochs - half)
        whole_growth = first.growth + second.growth
        return whole_growth / self.epochs, second.growth / (self.epochs - half), second.loss

    def combine(self, found):
        """Return the map over (draw, scale, rate): ``exponent``, the mean growth of ln|v| per epoch
        over all epochs, ``late`` over the second half, and ``loss``, the mean training loss over
        the second half.
        """
        shape = len(self.draws), self.side, self.side
        variables = {
            name: (
                ("draw", "scale", "rate"),
                np.concatenate([found[p].arrays[name] for p in self.pieces()]).reshape(shape),
            )
            for name in VARIABLES
        }
        metas = [shard.meta for shard in found.values()]
        about = dict(
            map=json.dumps(asdict(self)),
            provenance=engine.described(engine.origins(metas)),
            content=json.dumps(metas[0]["identity"]["data"]),
        )
        return xr.Dataset(variables, coordinates(self), about)


def coordinates(experiment):
    """Return the coordinates of a map's dataset."""
    axes = dict(scale=experiment.axis("scales"), rate=experiment.axis("rates"))
    return dict(draw=list(experiment.draws), **axes)


def get(name, profile="laptop", seed=0):
    """Return a map of the book by name; ValueError for an unknown name or profile."""
    known = sizes.sizes(CHAPTER, profile).maps
    if name not in known:
        raise ValueError(f"unknown map {name!r}; known: {', '.join(known)}")
    own = {f.name for f in fields(ExponentMap)}
    return ExponentMap(name=name, seed=seed, **{k: v for k, v in known[name].items() if k in own})


def names(profile="laptop"):
    """Return the names of the book's maps."""
    return tuple(sizes.sizes(CHAPTER, profile).maps)
