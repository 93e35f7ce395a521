"""A sweep: a grid of learning rates and blocks of initial conditions, and what it measures."""

import json
from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np
import xarray as xr

from ...curvature import sharpness
from ...results.store import file_name
from ...tasks import networks
from ...training import gradient_descent, observables
from ...validation import positive, whole
from .. import campaign, sizes
from ..pieces import Experiment
from ..published import Shelf

CHAPTER = "05_mnist_cifar"
OF_REFERENCES = tuple(
    observables.of_reference(name) for name in ("loss", "accuracy", "test_accuracy")
)
#: Dimensions of a block's arrays after that of the learning rate.
DIMS = {
    "distance": ("epoch", "init", "perturbation"),
    "loss": ("epoch", "init"),
    "accuracy": ("epoch", "init"),
    "test_accuracy": ("epoch", "init"),
    "diverged_at": ("init", "network"),
    "first_hit": ("init",),
    "sustained_hit": ("init",),
    "followed": ("init",),
    "sharpness": ("sharp_epoch", "init"),
}
UNITS = {
    "distance": "L1 norm in weight space",
    "loss": "nats",
    "accuracy": "share",
    "test_accuracy": "share",
    "diverged_at": "epoch, −1 for never",
    "first_hit": "epoch, NaN for never within cap",
    "sustained_hit": "epoch, NaN for never within cap",
    "followed": "epochs",
    "sharpness": "1 / learning rate",
}
# Fields of a sweep that decide no number of a block.
_FREE = ("name", "task", "rates", "conditions", "block", "sharp_conditions")
_LEAST = dict(conditions=1, copies=1, epochs=1, cap=0, sustained=1, block=1, seed=0)


@dataclass(frozen=True)
class Shard:
    """Initial conditions ``start`` … ``start + count − 1`` at the learning rate ``rate``."""

    rate: float
    start: int
    count: int

    def __str__(self):
        last = self.start + self.count - 1
        return f"η = {self.rate:g}, initial conditions {self.start} to {last}"


@dataclass(frozen=True)
class Sweep(Experiment):
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
        Epochs within which a reference may arrive at the task's target accuracy; 0 for no search.
        Those that do not are censored.
    sustained : int
        Epochs in a row that count as a sustained arrival.
    sharp_at : sequence of int
        Epochs at which the sharpness of references is taken; none by default.
    sharp_conditions : int
        Of how many references of each learning rate.
    samples, test_samples : int, optional
        The first so many images; all by default.
    block : int
        Initial conditions in a piece.
    seed : int

    Raises
    ------
    ValueError
        For a name that no file can have, a learning rate or radius that is not positive and finite,
        a learning rate that stands twice, sizes that are no whole numbers, a cap below the epochs,
        or epochs of sharpness out of order.
    """

    kind: ClassVar[str] = "learning_rate_sweep"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "shards"
    shelf: ClassVar[Shelf] = Shelf("learning_rate_sweep", "sweep")

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
        def keep(name, value):
            object.__setattr__(self, name, value)

        file_name(self.name, "name")
        try:
            rates = tuple(positive(r, "rates", "a learning rate η") for r in self.rates)
        except TypeError:
            raise ValueError(f"rates = {self.rates!r}: give a sequence of learning rates") from None
        if not rates or len(set(rates)) != len(rates):
            raise ValueError(f"rates {rates}: give at least one learning rate, and each once")
        keep("rates", rates)
        keep("radius", positive(self.radius, "radius", "the perturbation radius ε"))
        for name, least in (_LEAST | dict(sharp_conditions=0)).items():
            keep(name, whole(getattr(self, name), name, least))
        keep("sharp_at", tuple(whole(t, "sharp_at", 0, self.epochs) for t in self.sharp_at))
        if list(self.sharp_at) != sorted(set(self.sharp_at)):
            raise ValueError(f"sharp_at = {self.sharp_at}: give the epochs in order, and each once")
        for name in ("samples", "test_samples"):
            if getattr(self, name) is not None:
                keep(name, whole(getattr(self, name), name, 1))
        if 0 < self.cap < self.epochs:
            raise ValueError(
                f"cap = {self.cap} below epochs = {self.epochs}: arrivals are searched in the same "
                "run, and beyond it"
            )

    def pieces(self):
        """Return the pieces, block by block and within a block rate by rate: a sweep that is cut
        short has seen every rate.
        """
        starts = range(0, self.conditions, self.block)
        blocks = [(a, min(self.block, self.conditions - a)) for a in starts]
        return [Shard(rate, start, count) for start, count in blocks for rate in self.rates]

    def sharp_in(self, shard):
        """Return of how many references of a piece the sharpness is taken."""
        return max(0, min(shard.count, self.sharp_conditions - shard.start)) if self.sharp_at else 0

    def parameters(self, piece):
        """Return what decides the numbers of a piece; see
        :class:`netdyn_lib.experiments.pieces.Experiment`.
        """
        fixed = {k: v for k, v in asdict(self).items() if k not in _FREE}
        return fixed | dict(sharp=self.sharp_in(piece), **asdict(piece))

    def compute(self, piece, task, work):
        """Return the arrays of a piece.

        For n initial conditions, M copies and T = epochs + 1 observations: ``distance`` (T, n, M)
        of each copy from its reference; ``loss``, ``accuracy`` and ``test_accuracy`` (T, n) of the
        references; ``diverged_at`` (n, 1 + M), −1 for never.  With a cap, ``first_hit``,
        ``sustained_hit`` and ``followed`` (n,) as in
        :class:`~netdyn_lib.training.gradient_descent.Arrivals`; with ``sharp_at`` of k epochs,
        ``sharpness`` (k, n), NaN where it was not taken.
        """
        start = task.initial(piece.count, self.seed, piece.start)
        ball = networks.perturbed(start, self.radius, self.copies, self.seed, piece.start)
        gd = gradient_descent.GradientDescent(task, piece.rate)
        # A regression has no accuracy.
        observed = OF_REFERENCES[:1] if task.y.is_floating_point() else OF_REFERENCES
        shared = dict(workers=work.workers, stop=work.stop)
        record = gradient_descent.run(gd, ball, self.epochs, ("distance", *observed), **shared)
        found = {"distance": record["distance"], "diverged_at": record.diverged_at}
        found |= {f.__name__.removeprefix("reference_"): record[f.__name__] for f in observed}
        if self.cap:
            arrived = gradient_descent.search(
                gd,
                record.final[:, 0].to(task.x.device),
                task.target_accuracy,
                self.cap,
                self.sustained,
                record["reference_test_accuracy"],
                **shared,
            )
            found |= {"first_hit": arrived.first, "sustained_hit": arrived.sustained}
            found["followed"] = arrived.followed
        if self.sharp_at:
            found["sharpness"] = np.full((len(self.sharp_at), piece.count), np.nan)
            few = self.sharp_in(piece)
            if few:
                track = sharpness.along_descent(
                    gd, start[:few], self.epochs, self.sharp_at, stop=work.stop
                )
                found["sharpness"][:, :few] = track.values
        return found

    def combine(self, found):
        """Return the dataset of some pieces, with their provenance; see :func:`assemble`."""
        data = assemble(self, {piece: shard.arrays for piece, shard in found.items()})
        came = campaign.origins([shard.meta for shard in found.values()])
        return data.assign_attrs(provenance=json.dumps(came))

    @property
    def network_epochs(self):
        """Networks times epochs of the exponents; those of arrivals come on top."""
        return len(self.rates) * self.conditions * (1 + self.copies) * self.epochs


def axes(sweep):
    """Return the coordinates of a sweep's dataset."""
    coords = {
        "eta": ("eta", np.array(sweep.rates), {"long_name": "learning rate η"}),
        "init": np.arange(sweep.conditions),
        "perturbation": np.arange(sweep.copies),
        "epoch": np.arange(sweep.epochs + 1),
        "network": np.arange(1 + sweep.copies),
    }
    return coords | ({"sharp_epoch": np.array(sweep.sharp_at)} if sweep.sharp_at else {})


def assemble(sweep, arrays):
    """Return a dataset from pieces: ``arrays`` maps each to its arrays.

    It has the coordinates ``eta``, ``init``, ``perturbation``, ``epoch``, ``network`` (0 for the
    reference) and, where sharpness was taken, ``sharp_epoch``.  What is missing is NaN (−1 of whole
    numbers), and ``present`` (eta, init) says what is there.
    """
    coords = axes(sweep)
    sizes = {k: len(v[1]) if isinstance(v, tuple) else len(v) for k, v in coords.items()}
    values = {}
    for name in (k for k in DIMS if any(k in part for part in arrays.values())):
        shape = (sizes["eta"], *(sizes[d] for d in DIMS[name]))
        count = name == "diverged_at"
        values[name] = np.full(shape, -1 if count else np.nan, dtype=int if count else float)
    present = np.zeros((sizes["eta"], sizes["init"]), dtype=bool)
    for shard, parts in arrays.items():
        here, inits = sweep.rates.index(shard.rate), slice(shard.start, shard.start + shard.count)
        present[here, inits] = True
        for name, whole_grid in values.items():
            where = tuple(inits if d == "init" else slice(None) for d in DIMS[name])
            whole_grid[here][where] = parts[name]
    variables = {k: (("eta", *DIMS[k]), v, {"units": UNITS[k]}) for k, v in values.items()}
    variables["present"] = (("eta", "init"), present)
    return xr.Dataset(variables, coords, dict(sweep=json.dumps(asdict(sweep))))


def of(data):
    """Return the sweep that a dataset, live or published, is of."""
    about = json.loads(data.attrs["sweep"])
    return Sweep(**about)


def names(profile="paper"):
    """Return the names of the book's sweeps."""
    return tuple(sizes.sizes(CHAPTER, profile).sweeps)


def get(name, profile="laptop", seed=0):
    """Return one of the book's sweeps; ValueError for an unknown name lists the known."""
    sweeps = sizes.sizes(CHAPTER, profile).sweeps
    if name not in sweeps:
        raise ValueError(f"unknown sweep {name!r}; known: {', '.join(sweeps)}")
    return Sweep(name=name, seed=seed, **sweeps[name])


def same(one, other):
    """Return whether two sweeps differ at most in their rates and numbers of initial conditions, so
    that what one has measured belongs to the other.
    """
    free = {k: getattr(one, k) for k in _FREE if k != "task"}
    return replace(other, **free) == one
