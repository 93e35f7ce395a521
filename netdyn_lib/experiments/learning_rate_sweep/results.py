"""A chapter's sweep: computed here where its data are at hand, published otherwise, and what to say
about it.
"""

from dataclasses import dataclass

from ...tasks import datasets as archives
from ...tasks import tasks
from .. import campaign
from . import published
from .grid import get

#: Initial conditions that a verdict takes; fewer have no interval.
ENOUGH = 5
LIVE, PUBLISHED, MISSING = "computed here", "published", "missing"


@dataclass(frozen=True)
class Result:
    """A sweep's ``data``, an xarray.Dataset or None, its ``origin``, and a ``note`` for the reader."""

    name: str
    data: object
    origin: str
    note: str

    @property
    def live(self):
        """Whether the numbers were computed here."""
        return self.origin == LIVE

    @property
    def there(self):
        """Whether there are any numbers."""
        return self.data is not None


def live(name, profile="laptop", device="auto", seed=0, store=None):
    """Compute what is missing of one of the book's sweeps, and open it.

    Where its data cannot be had there is no other data in their place: the
    result is empty, and its note says what is missing, and the command that
    computes it where the data are.

    Raises
    ------
    ValueError
        For an unknown sweep, profile or device.
    netdyn_lib.tasks.datasets.DamagedData
        For data that are there, and damaged.
    """
    sweep = get(name, profile, seed)
    try:
        campaign.run(sweep, store, device)
    except archives.MissingData:
        title = archives.about(tasks.recipe(sweep.task).data).title
        note = (
            f"NOTE: {title} is not at hand on this machine, so the sweep {name!r} was not run.  "
            f"Where it is: python -m netdyn_lib.experiments run {name} --profile {profile}"
        )
        return Result(name, None, MISSING, note)
    data = campaign.load(sweep, store, device)
    split = tasks.get(sweep.task, samples=sweep.samples, test_samples=sweep.test_samples).split
    return Result(name, data, LIVE, f"{name}, {profile}: computed here.  {split.provenance()}")


def paper(name):
    """A published sweep as a result; empty, with the command that computes it, where nothing is
    published.
    """
    try:
        data = published.load(name)
    except FileNotFoundError as error:
        return Result(name, None, MISSING, f"NOTE: {error}")
    return Result(name, data, PUBLISHED, f"{name}: {published.summary(data)}")


def best(*candidates, least=0):
    """The first of some results that has numbers, of at least so many initial conditions at every
    rate.

    The last where none has.
    """
    enough = (c for c in candidates if c.there and c.data["present"].sum("init").min() >= least)
    return next(enough, candidates[-1])


def datasets(labelled):
    """Datasets by label, of those results that have numbers: a dict for a dict."""
    return {label: result.data for label, result in labelled.items() if result.there}


def notes(*found):
    """The notes of some results, one on each line."""
    return "\n".join(r.note for r in found)
