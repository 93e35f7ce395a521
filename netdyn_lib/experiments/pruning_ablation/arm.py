"""What is followed: a few networks of one task, each with its own order of samples, under one rule
of pruning.
"""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import xarray as xr

from ...curvature.pruned_descent import Rule, named
from ...results.store import file_name
from ...training import minibatches
from ...validation import positive, whole
from .. import campaign, sizes
from ..published import Shelf

CHAPTER = "07_hessian_chaos"
# They do not change a network's numbers.
_FREE = ("name", "segment", "networks")
_ENDS = {
    "final": ("parameter",),
    "velocity": ("parameter",),
    "first_loss": ("first",),
    "diverged_at": (),
}


@dataclass(frozen=True)
class Arm:
    """``networks`` networks of a task, trained for ``steps`` steps of pruned descent by
    mini-batches.

    Parameters
    ----------
    name : str
        What the arm is called; no number depends on it.
    task : str
        A task by name, without weight decay; see :mod:`netdyn_lib.tasks.tasks`.
    rule : Rule or str
        Of :mod:`netdyn_lib.curvature.pruned_descent`.
    learning_rate : float
        γ.
    batch : int or None
        Samples of a batch; None for all.
    steps, every : int
        Steps followed; those that are multiples of ``every``, 0 and the last included, are
        observed.
    segment : int
        Steps between two checkpoints, a multiple of ``every``; no number depends on it.
    networks : int
        How many; network k of every arm of the same task and seed starts from the same weights and
        sees the same batches.
    onset : int
        The first step that is pruned.
    momentum : float
        μ.
    spectra : bool
        Whether spectra are observed.  Those of large batches take minutes each.
    seed : int

    Raises
    ------
    ValueError
        For a task whose name is none of a file, numbers out of bounds, an unknown rule, or steps
        or a segment that are no multiple of ``every``.
    """

    name: str
    task: str
    rule: Rule
    learning_rate: float
    batch: int | None
    steps: int
    every: int
    segment: int
    networks: int = 1
    onset: int = 0
    momentum: float = 0.0
    spectra: bool = True
    seed: int = 0

    def __post_init__(self):
        file_name(self.task, "task")
        rule = Rule(**self.rule) if isinstance(self.rule, dict) else named(self.rule)
        object.__setattr__(self, "rule", rule)
        object.__setattr__(
            self, "learning_rate", positive(self.learning_rate, "learning_rate", "γ")
        )
        object.__setattr__(self, "momentum", minibatches.momentum(self.momentum))
        for name, least in dict(steps=1, every=1, segment=1, networks=1, onset=0, seed=0).items():
            object.__setattr__(self, name, whole(getattr(self, name), name, least))
        minibatches.order_of(self.seed, self.networks - 1)
        if self.batch is not None:
            object.__setattr__(self, "batch", whole(self.batch, "batch", 1))
        for name in ("steps", "segment"):
            if getattr(self, name) % self.every:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: must be a multiple of every = {self.every}, "
                    "or its end is not observed"
                )

    @property
    def label(self):
        """The name without its task: ``negative`` of ``usps/negative``."""
        return self.name.removeprefix(f"{self.task}/")

    @property
    def observed(self):
        """The observed steps, a range."""
        return range(0, self.steps + 1, self.every)

    def segments(self):
        """(start, stop) of each stretch between checkpoints."""
        return [(a, min(a + self.segment, self.steps)) for a in range(0, self.steps, self.segment)]

    def initial(self, task, network):
        """Parameters (1, P) before step 0 of a network, of the arm's ``task``."""
        return task.initial(1, self.seed, network)

    def order(self, network):
        """Seed of the order of samples, and of rules that draw, of a network."""
        return minibatches.order_of(self.seed, network)


@dataclass(frozen=True)
class Network:
    """One of an arm's networks."""

    arm: Arm
    number: int

    def __str__(self):
        return f"{self.arm.label}, network {self.number}"


@dataclass(frozen=True)
class Ablation(campaign.Experiment):
    """Some arms of one task, named by it: the same networks and batches under several rules.

    ``arms`` are computed in their order; those that do the same share their networks.

    Raises ValueError for no arms, or arms of another task.
    """

    kind: ClassVar[str] = "pruning_ablation"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "networks"
    resumes: ClassVar[bool] = True
    processor: ClassVar[bool] = True
    single: ClassVar[bool] = True
    shelf: ClassVar[Shelf] = Shelf("pruning_ablation", "ablation", "arms")

    name: str
    arms: tuple

    def __post_init__(self):
        object.__setattr__(self, "arms", tuple(self.arms))
        tasks = {arm.task for arm in self.arms}
        if tasks != {self.name.partition("/")[0]}:
            raise ValueError(
                f"{self.name}: {len(self.arms)} arms of the tasks {', '.join(sorted(tasks))}: give "
                "at least one arm, and all of one task"
            )

    @property
    def task(self):
        """The task of all arms."""
        return self.arms[0].task

    @property
    def home(self):
        """The name of the file of its published results."""
        return self.task

    def pieces(self):
        """Return the networks, arm by arm."""
        return [Network(arm, k) for arm in self.arms for k in range(arm.networks)]

    def parameters(self, piece):
        """Return what decides the numbers of a network; see
        :class:`netdyn_lib.experiments.campaign.Experiment`.
        """
        settings = {k: v for k, v in asdict(piece.arm).items() if k not in _FREE}
        return dict(arm=settings, network=piece.number, order=piece.arm.order(piece.number))

    def compute(self, piece, task, work):
        """Return the arrays of a network, continued from its last checkpoint, by
        :func:`netdyn_lib.experiments.pruning_ablation.measuring.follow`.
        """
        from .measuring import follow, joined

        about, parts, state = self.parameters(piece), [], ()
        about["arm"].pop("steps")  # the first stretches of a longer run are the same
        for start, stop in piece.arm.segments():
            span = piece.arm, piece.number, start, stop
            parts.append(
                work.checkpoint(
                    about | {"segment": [start, stop]},
                    lambda: follow(task, *span, *state, ask=work.stop),
                )
            )
            state = parts[-1]["final"], parts[-1]["velocity"]
            if parts[-1]["diverged_at"] >= 0:
                break
        return joined(parts, piece.arm)

    def combine(self, found):
        """Return the dataset of some networks over (arm, seed, step), seed k being network k of
        each arm.

        ``loss`` is the mean over the batches since the observation before (NaN at step 0); the
        others are those of :class:`netdyn_lib.curvature.pruned_descent.PrunedRun`: ``test_loss``,
        ``test_accuracy``, ``norm``, ``gradient_norm``, ``kept``, ``smallest``, ``largest``, the
        counts ``chaotic``, ``negative``, ``positive``, ``neutral`` and their ``overlap_…``;
        ``diverged_at`` (−1 for never) and ``present`` (arm, seed); ``first_loss`` (arm, seed,
        first) of single batches; ``final`` and ``velocity`` (arm, seed, parameter).  NaN where an
        arm is shorter, or has fewer networks, than others.
        """
        arms = list(dict.fromkeys(piece.arm for piece in found))
        rows = {(arms.index(p.arm), p.number): shard.arrays for p, shard in found.items()}
        metas = list({shard.key: shard.meta for shard in found.values()}.values())
        came = campaign.described(campaign.origins(metas), "one core of {processor}")
        about = dict(task=self.task, data=metas[0]["data"], provenance=came)
        about["arms"] = json.dumps([asdict(arm) for arm in arms])
        about["content"] = json.dumps(metas[0]["identity"]["data"])
        return _dataset(arms, rows).assign_attrs(about)


def _dataset(arms, rows):
    """A dataset of ``rows``, (arm's place, network) → arrays of a run."""
    steps = np.array(sorted(set().union(*(arm.observed for arm in arms))))
    shape, sample = (len(arms), max(arm.networks for arm in arms)), next(iter(rows.values()))
    dims = {name: _ENDS.get(name, ("step",)) for name in sample if name != "steps"}
    sizes = dict(step=len(steps), parameter=len(sample["final"]))
    sizes["first"] = max(len(row["first_loss"]) for row in rows.values())
    values = {
        name: np.full(shape + tuple(sizes[d] for d in own), np.nan) for name, own in dims.items()
    }
    present = np.zeros(shape, dtype=bool)
    for place, row in rows.items():
        present[place] = True
        at = np.searchsorted(steps, row["steps"])
        for name, own in dims.items():
            part = values[name][place]
            if own == ("step",):
                part[at] = row[name]
            elif own:
                part[: len(row[name])] = row[name]
            else:
                values[name][place] = row[name]
    variables = {name: (("arm", "seed", *dims[name]), array) for name, array in values.items()}
    coords = {"arm": [arm.label for arm in arms], "seed": np.arange(shape[1]), "step": steps}
    return xr.Dataset(variables | {"present": (("arm", "seed"), present)}, coords)


def get(name, profile="laptop", seed=0):
    """Return the arms of one of the book's tasks, or one arm, ``TASK/LABEL``.

    Raises ValueError for an unknown name or profile; the message lists the known.
    """
    table = _table(profile, seed)
    found = [arm for arm in table.values() if name in (arm.task, arm.name)]
    if not found:
        known = ", ".join([*names(profile), *table])
        raise ValueError(f"unknown arm {name!r}; known at the profile {profile}: {known}")
    return Ablation(name, found)


def names(profile="laptop"):
    """Return the names of the tasks that have arms, in order of value: what is cut short has seen
    what matters most.
    """
    return tuple(dict.fromkeys(arm.task for arm in _table(profile, 0).values()))


def _table(profile, seed):
    """Name → arm, in order of value."""
    size, table = sizes.sizes(CHAPTER, profile), {}
    for task, family in size.families:
        steps, every = size.lengths[task]
        for label, changes in _FAMILIES[family](size):
            own = (
                dict(
                    learning_rate=size.learning_rate,
                    batch=size.batch,
                    networks=size.networks,
                    seed=seed,
                )
                | changes
            )
            name = f"{task}/{label}"
            table[name] = Arm(
                name, task, steps=steps, every=every, segment=size.segment * every, **own
            )
    return table


def _largest(size):
    for count in size.largest:
        yield f"negative-top-{count}", dict(rule=Rule("negative", count))
        yield f"negative-random-{count}", dict(rule=Rule("negative", count, "random"))


# Family → (label, what it changes) of its arms, by sizes.
_FAMILIES = {
    "sets": lambda size: [(rule, dict(rule=rule)) for rule in size.sets],
    "controls": lambda size: [(rule, dict(rule=rule)) for rule in size.controls],
    "retuned": lambda size: [
        (f"{rule}-at-{rate:g}", dict(rule=rule, learning_rate=rate))
        for rules, rates in ((size.retuned, size.rates), (("chaotic",), size.chaotic_rates))
        for rate in rates
        for rule in rules
    ],
    "onsets": lambda size: [
        ("none", dict(rule="none")),
        ("chaotic", dict(rule="chaotic")),
        *((f"chaotic-from-{onset}", dict(rule="chaotic", onset=onset)) for onset in size.onsets),
    ],
    "largest": _largest,
    "momentum": lambda size: [
        (f"{rule}-momentum", dict(rule=rule, momentum=size.momentum))
        for rule in ("none", "negative")
    ],
    "full": lambda size: [("none-full-batch", dict(rule="none", batch=None, spectra=False))],
}
