"""What is followed: a few networks of one task, each with its own order of samples, under one rule
of pruning.
"""

from dataclasses import dataclass

from ...curvature.pruned_descent import Rule, named
from ...results.store import file_name
from ...training import minibatches
from ...validation import positive, whole
from .. import sizes


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
                    f"{name} = {getattr(self, name)}: must be a multiple of every = {self.every}, or its end is not observed"
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


def get(name, profile="laptop", seed=0):
    """An arm of the book by name, ``TASK/LABEL``.

    Raises ValueError for an unknown name or profile; the message lists the known.
    """
    table = _table(profile, seed)
    if name not in table:
        raise ValueError(
            f"unknown arm {name!r}; known at the profile {profile}: {', '.join(table)}"
        )
    return table[name]


def names(task=None, profile="laptop"):
    """Names of the book's arms, or of those of one task, in order of value: what is cut short has
    seen what matters most.

    Raises ValueError for an unknown profile, or a task of which there is no arm.
    """
    table = _table(profile, 0)
    found = tuple(name for name, arm in table.items() if task in (None, arm.task))
    if not found:
        raise ValueError(
            f"no arm of the task {task!r} at the profile {profile}; tasks: {', '.join(tasks(profile))}"
        )
    return found


def tasks(profile="laptop"):
    """Names of the tasks that have arms."""
    return tuple(dict.fromkeys(arm.task for arm in _table(profile, 0).values()))


def _table(profile, seed):
    """Name → arm, in order of value."""
    size, table = sizes.sizes("07_hessian_chaos", profile), {}
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
