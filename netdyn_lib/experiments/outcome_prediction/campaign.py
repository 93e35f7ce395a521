"""What is followed: an ensemble of networks of one task, from its initial conditions to the end of
training.
"""

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import numpy as np
import xarray as xr

from ...results.store import file_name
from ...validation import positive, whole
from .. import campaign as engine
from .. import sizes
from ..pieces import Experiment
from ..published import Shelf

CHAPTER = "06_prediction"
_FREE = ("name", "task", "count", "block")  # they do not change a network's numbers
_BOTH = ("frozen", "far")
_DIMS = {
    **dict.fromkeys(("final_loss", "diverged_at"), ()),
    "curve": ("step",),
    **dict.fromkeys(("loss", "gradient", "kinks"), ("time",)),
    "weights": ("time", "parameter"),
    **dict.fromkeys(("hessian", "exponents", "singular", "far_residual"), ("time", "index")),
    **{f"{kind}_angles": ("time", "pair") for kind in _BOTH},
    **{f"{kind}_splitting": ("time", "split") for kind in _BOTH},
    **{f"{kind}_growth": ("time", "index") for kind in _BOTH},
}


@dataclass(frozen=True)
class Block:
    """Networks ``start`` … ``start + count − 1``."""

    start: int
    count: int

    def __str__(self):
        return f"networks {self.start} to {self.start + self.count - 1}"


@dataclass(frozen=True)
class Campaign(Experiment):
    """``count`` networks of a task, trained for ``steps`` steps of gradient descent.

    A step takes the time dt = η, the ``learning_rate``.  Indicators are taken at the steps
    ``times``; far-future vectors know ``backward`` steps beyond the last of them.
    ``block`` networks are followed together; numbers do not depend on it.

    Raises
    ------
    ValueError
        For a name that is none of a file, numbers out of their bounds, or times that do not grow
        or leave the training.
    """

    kind: ClassVar[str] = "outcome_prediction"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "blocks"
    partial: ClassVar[bool] = False
    processor: ClassVar[bool] = True
    shelf: ClassVar[Shelf] = Shelf("outcome_prediction", "campaign", "outcomes")

    name: str
    task: str
    count: int
    learning_rate: float
    steps: int
    times: tuple
    backward: int
    block: int
    seed: int = 0

    def __post_init__(self):
        file_name(self.name, "name")
        object.__setattr__(
            self, "learning_rate", positive(self.learning_rate, "learning_rate", "η")
        )
        for name, least in dict(count=1, steps=1, backward=1, block=1, seed=0).items():
            object.__setattr__(self, name, whole(getattr(self, name), name, least))
        times = tuple(whole(t, "time", 1) for t in self.times)
        if not times or list(times) != sorted(set(times)):
            raise ValueError(f"times = {self.times}: must grow, and there must be at least one")
        object.__setattr__(self, "times", times)
        whole(times[-1] + self.backward, "last time + backward", 1, self.steps, "steps of training")

    @property
    def curve(self):
        """The steps at which the loss is kept for drawing: 0, some sixty spaced evenly in ln t, and
        the last.
        """
        spaced = {round(math.exp(k * math.log(self.steps) / 60)) for k in range(61)}
        return (0, *sorted(spaced | {self.steps}))

    def pieces(self):
        """Return the blocks of networks that are followed together."""
        starts = range(0, self.count, self.block)
        return [Block(a, min(self.block, self.count - a)) for a in starts]

    def parameters(self, piece):
        """Return what decides the numbers of a block; see
        :class:`netdyn_lib.experiments.pieces.Experiment`.
        """
        return {k: v for k, v in asdict(self).items() if k not in _FREE} | asdict(piece)

    def compute(self, piece, task, work):
        """Return the arrays of a block, by
        :func:`netdyn_lib.experiments.outcome_prediction.measuring.measure`.
        """
        from .measuring import measure

        how = dict(workers=work.workers, stop=work.stop)
        return measure(task, self, piece.start, piece.count, **how)

    def combine(self, found):
        """Return the dataset of all blocks over (time, network, …); times are t = steps · η.

        Variables are those of
        :func:`netdyn_lib.experiments.outcome_prediction.measuring.measure`; ``attrs["campaign"]``
        is the campaign as JSON.
        """
        blocks, variables = [found[piece].arrays for piece in self.pieces()], {}
        for name, dims in _DIMS.items():
            values = np.concatenate([block[name] for block in blocks], 1 if dims else 0)
            if values.ndim == 3 and len(dims) == 1:
                values = values.squeeze(-1)
            variables[name] = (*dims[:1], "network", *dims[1:]), values
        size = variables["hessian"][1].shape[2]
        coords = {
            "time": np.array(self.times) * self.learning_rate,
            "step": np.array(self.curve),
            "network": np.arange(self.count),
            "index": np.arange(1, size + 1),
            "split": np.arange(1, size),
            "pair": [f"({i + 1},{j + 1})" for i, j in zip(*np.triu_indices(size, 1))],
        }
        metas = [shard.meta for shard in found.values()]
        about = dict(name=self.name, steps=self.steps, duration=self.steps * self.learning_rate)
        about |= dict(
            campaign=json.dumps(asdict(self)),
            provenance=engine.described(engine.origins(metas)),
            content=json.dumps(metas[0]["identity"]["data"]),
        )
        return xr.Dataset(variables, coords, about)


def get(name, profile="laptop", seed=0):
    """Return a campaign of the book by name, which is its task's; ValueError for an unknown name or
    profile.
    """
    size = sizes.sizes(CHAPTER, profile)
    if name not in size.campaigns:
        raise ValueError(f"unknown campaign {name!r}; known: {', '.join(size.campaigns)}")
    own = {f.name: getattr(size, f.name) for f in fields(Campaign) if hasattr(size, f.name)}
    return Campaign(**own | dict(name=name, task=name, seed=seed))


def names(profile="laptop"):
    """Return the names of the book's campaigns."""
    return tuple(sizes.sizes(CHAPTER, profile).campaigns)
