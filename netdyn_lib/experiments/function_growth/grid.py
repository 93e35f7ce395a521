"""Networks, a perturbed copy of each and an unrelated one, over learning rates."""

import json
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import numpy as np
import torch
import xarray as xr

from ...results.store import file_name
from ...tasks import matching, networks
from ...training import gradient_descent
from ...validation import positive, whole
from .. import campaign as engine
from .. import sizes
from ..pieces import Experiment
from ..published import Shelf

CHAPTER = "11_boundary_of_chaos"
#: What the pair of a network is: its copy, or the next network.
PAIRS = ("copy", "unrelated")
_FREE = ("name", "task", "rates")  # they do not change a piece's numbers
DIMS = {
    **dict.fromkeys(("distance", "logits"), ("epoch", "init")),
    **dict.fromkeys(("loss", "test_accuracy"), ("init",)),
    **dict.fromkeys(("apart", "function", "disagreement"), ("pair", "init")),
    **dict.fromkeys(("loss_barrier", "error_barrier"), ("pair", "units", "init")),
}


def logit_distance(s):
    """Return the root mean square distance of the logits on the test set, copy to reference,
    (g, M); of each sample's logits less their mean, which changes no class probability.
    """
    output = s.task.network.outputs(s.params.flatten(0, 1), s.task.x_test)  # (g (1 + M), N, C)
    output = (output - output.mean(-1, keepdim=True)).unflatten(0, s.params.shape[:2])
    return (output[:, 1:] - output[:, :1]).square().mean((-1, -2)).sqrt()


vars(logit_distance).update(per="copy", needs_copies=True)


@dataclass(frozen=True)
class Rate:
    """All networks at the learning rate ``rate``."""

    rate: float

    def __str__(self):
        return f"η = {self.rate:g}"


@dataclass(frozen=True)
class FunctionGrowth(Experiment):
    """``conditions`` networks of a task, each with a copy from its ball of radius ``radius``,
    trained for ``epochs`` at each of the ``rates``; ``points`` on each line between two ends.

    Raises
    ------
    ValueError
        For a name that is none of a file, or numbers out of their bounds.
    """

    kind: ClassVar[str] = "function_growth"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "rates"
    partial: ClassVar[bool] = False
    processor: ClassVar[bool] = True
    shelf: ClassVar[Shelf] = Shelf("function_growth", "ensemble", "functions")

    name: str
    task: str
    rates: tuple
    conditions: int
    epochs: int
    radius: float = 1e-8
    points: int = 21
    seed: int = 0

    def __post_init__(self):
        file_name(self.name, "name")
        rates = tuple(positive(r, "rates", "a learning rate η") for r in self.rates)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "radius", positive(self.radius, "radius", "ε"))
        for name, least in dict(conditions=2, epochs=1, points=3, seed=0).items():
            object.__setattr__(self, name, whole(getattr(self, name), name, least))

    @property
    def at(self):
        """The epochs at which distances are kept: all to 20, then some sixty, even in ln t."""
        spaced = np.geomspace(20, max(self.epochs, 20), 60).round().astype(int)
        return tuple(t for t in sorted({*range(20), *spaced.tolist(), self.epochs})
                     if t <= self.epochs)  # fmt: skip

    def pieces(self):
        """Return one piece for each learning rate."""
        return [Rate(rate) for rate in self.rates]

    def parameters(self, piece):
        """Return what decides the numbers of a piece."""
        return {k: v for k, v in asdict(self).items() if k not in _FREE} | asdict(piece)

    def compute(self, piece, task, work):
        """Return the arrays of a learning rate; see :meth:`combine`."""
        start = task.initial(self.conditions, self.seed)
        balls = networks.perturbed(start, self.radius, 1, seed=self.seed)
        descent = gradient_descent.GradientDescent(task, piece.rate)
        how = dict(at=self.at, workers=work.workers, stop=work.stop)
        observed = ("distance", logit_distance)
        record = gradient_descent.run(descent, balls, self.epochs, observed, **how)
        reference, copy = record.final.unbind(1)
        found = self.ends(task, reference, {"copy": copy, "unrelated": reference.roll(-1, 0)})
        outputs = task.network.outputs(reference, task.x_test)
        right = (outputs.argmax(-1) == task.y_test).double().mean(-1)
        return found | {
            "distance": record["distance"][..., 0],
            "logits": record["logit_distance"][..., 0],
            "loss": task.objectives(reference).detach().numpy(),
            "test_accuracy": right.numpy(),
        }

    def ends(self, task, reference, pairs):
        """Return what is measured of ends (n, P) and of those they are paired with, by name."""
        found = {name: [] for name, dims in DIMS.items() if dims[0] == "pair"}
        for other in pairs.values():
            turned = matching.matched(task.network, reference, other)
            classes, far = matching.apart(task, reference, other)
            found["apart"].append(torch.linalg.vector_norm(other - reference, 1, dim=1).numpy())
            found["function"].append(far)
            found["disagreement"].append(classes)
            both = [matching.barrier(task, reference, w, self.points) for w in (other, turned)]
            found["loss_barrier"].append(np.stack([b.loss for b in both]))
            found["error_barrier"].append(np.stack([b.error for b in both]))
        return {name: np.stack(values) for name, values in found.items()}

    def combine(self, found):
        """Return a dataset over (rate, …, init).

        ``distance``, L1, and ``logits``, :func:`logit_distance`, of copies over (epoch,); ``loss``
        and ``test_accuracy`` of the references at the end; there, over (pair,): ``apart``, L1
        distance of the weights, ``function`` and ``disagreement`` as of
        :func:`netdyn_lib.tasks.matching.apart`, and ``loss_barrier`` and ``error_barrier`` over
        (units,), with hidden units as they are and matched.
        """
        arrays = [found[piece].arrays for piece in self.pieces()]
        variables = {n: (("rate", *d), np.stack([a[n] for a in arrays])) for n, d in DIMS.items()}
        metas = [shard.meta for shard in found.values()]
        about = dict(
            ensemble=json.dumps(asdict(self)),
            provenance=engine.described(engine.origins(metas)),
            content=json.dumps(metas[0]["identity"]["data"]),
        )
        return xr.Dataset(variables, coordinates(self), about)


def coordinates(experiment):
    """Return the coordinates of an ensemble's dataset."""
    several = dict(pair=list(PAIRS), units=["as they are", "matched"])
    return dict(rate=list(experiment.rates), epoch=list(experiment.at), **several)


def get(name, profile="laptop", seed=0):
    """Return an ensemble of the book by name; ValueError for an unknown name or profile."""
    known = sizes.sizes(CHAPTER, profile).functions
    if name not in known:
        raise ValueError(f"unknown ensemble {name!r}; known: {', '.join(known)}")
    return FunctionGrowth(name=name, seed=seed, **known[name])


def names(profile="laptop"):
    """Return the names of the book's ensembles."""
    return tuple(sizes.sizes(CHAPTER, profile).functions)


def of(data):
    """Return the :class:`FunctionGrowth` of a dataset."""
    about, known = json.loads(data.attrs["ensemble"]), {f.name for f in fields(FunctionGrowth)}
    return FunctionGrowth(**{k: tuple(v) if isinstance(v, list) else v for k, v in about.items()
                             if k in known})  # fmt: skip
