"""Published results of all experiments: one small file each, written, read and checked alike.

A file ``book/results/FOLDER/NAME.npz`` is an archive of :mod:`netdyn_lib.results.store`: NumPy
arrays and JSON, no pickle.  Its metadata say which ``experiment`` it is of, in which ``version``
(version 1 where they do not), with which parameters, and where the numbers come from.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..results import provenance, reading, store
from ..tasks import datasets, tasks


def command(name, profile="paper"):
    """Return the commands that compute what is missing of an experiment, and publish it."""
    call = "python -m netdyn_lib.experiments"
    return f"{call} run {name} --profile {profile} && {call} publish {name} --profile {profile}"


@dataclass(frozen=True)
class Shelf:
    """The published results of one kind of experiment, in ``book/results/FOLDER`` or where ``root``
    says; ``noun`` is what errors call one of them.
    """

    experiment: str
    noun: str
    folder: str = ""

    def root(self, root=None):
        """Return the folder."""
        return Path(root or Path(__file__).resolve().parents[2] / "book" / "results" / self.folder)

    def path(self, name, root=None):
        """Return where results lie, or would; ValueError for a name that no file can have."""
        return store.published(self.root(root), name, self.noun)

    def names(self, root=None):
        """Return the sorted names of what is published."""
        return store.published_names(self.root(root))

    def read(self, name, decode, root=None):
        """Return ``decode(arrays, meta)`` of a file, a dataset or several, which say where they
        were read.

        Raises
        ------
        FileNotFoundError
            Where nothing is published under that name; the message says how to compute it.
        netdyn_lib.results.store.DamagedShard
            For a file that is damaged.
        """
        path = self.path(name, root)
        if not path.exists():
            raise FileNotFoundError(
                f"nothing is published of the {self.noun} {name!r}; compute it: {command(name)}"
            )
        arrays, meta = store.read_archive(path)
        with reading.of_kind(path, f"published {self.noun}"):
            found = decode(arrays, meta)
            if isinstance(found, tuple):
                return tuple(provenance.published_in(data, path) for data in found)
            return provenance.published_in(found, path)

    def write(self, name, arrays, meta, root=None):
        """Write a file, whole or not at all; its path."""
        about = dict(experiment=self.experiment, name=name)
        return store.write_archive(self.path(name, root), arrays, about | meta)


# Checking


@dataclass(frozen=True)
class Check:
    """A ``part`` of published results, recomputed here.

    ``apart`` has the largest difference of each quantity, infinite where one of the two is not a
    number; ``agrees`` says whether all are below the tolerance.
    """

    name: str
    part: str
    apart: dict
    agrees: bool

    def __str__(self):
        verdict = "agree" if self.agrees else "DISAGREE"
        worst = sorted(self.apart, key=self.apart.get)[-2:]
        worst = ", ".join(f"{name} to {self.apart[name]:.0e}" for name in reversed(worst))
        more = f"; all of {len(self.apart)}" if len(self.apart) > 2 else ""
        return f"{self.name}, {self.part}: recomputed and published {verdict} ({worst}{more})"


@dataclass(frozen=True)
class Unchecked:
    """Published results whose data are not at hand, so that no part of them can be recomputed here.

    ``agrees`` is None: neither agreement nor disagreement.
    """

    name: str
    agrees: None = None

    def __str__(self):
        return f"NOTE: {self.name} was not recomputed: its images are not at hand on this machine"


def chosen(token, name, count):
    """Return one of ``count`` numbers from 0, chosen by the hash of a token such as the commit."""
    return int(store.key({"token": str(token), "of": name}), 16) % count


def apart(mine, theirs):
    """Return the largest of |mine − theirs|/(1 + |theirs|), 0 where both are the same infinity or
    both NaN; ``mine`` is rounded to single precision first, as it was published.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mine = np.asarray(mine).astype(np.float32).astype(float)
        far = np.abs(mine - theirs) / (1 + np.abs(theirs))
    same = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(far), np.inf, far))))


def task_of(data):
    """Return the task of a published dataset that no campaign computed, with as many samples.

    Raises :class:`netdyn_lib.tasks.datasets.MissingData` where its data cannot be had, and
    ValueError where they are others than those that it names.
    """
    said = data.attrs["data"].partition(" (")[0]
    counts = [int(n.replace(",", "")) for n in re.findall(r"first ([\d,]+) of", said)]
    task = tasks.get(data.attrs["task"], "cpu", *counts)
    have = task.split.provenance().partition(" (")[0]
    if have != said:
        raise ValueError(f"published of {said!r}, at hand are {have!r}: have the data changed?")
    return task


def compared(name, part, mine, theirs, tolerance=1e-3):
    """Return the :class:`Check` of some arrays, by name, recomputed and published."""
    far = {key: apart(mine[key], theirs[key]) for key in mine}
    return Check(name, part, far, max(far.values()) < tolerance)


def check_all(names, recompute, token, most=None):
    """Return a check of each of some results, or of ``most`` of those whose data are at hand.

    The token chooses which.  Results whose data cannot be had give :class:`Unchecked` and do not
    count towards ``most``, so that a machine without images still recomputes what it can.
    """
    found, made = [], 0
    for name in sorted(names, key=lambda name: store.key({"token": str(token), "of": name})):
        if made == most:
            break
        try:
            found.append(recompute(name))
            made += 1
        except datasets.MissingData:
            found.append(Unchecked(name))
    return sorted(found, key=lambda check: check.name)


def verified(checks):
    """Return whether at least one of some checks was made, and all that were made agree."""
    made = [check for check in checks if not isinstance(check, Unchecked)]
    return bool(made) and all(check.agrees for check in made)
