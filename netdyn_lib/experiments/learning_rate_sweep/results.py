"""A chapter's sweeps: computed here where their data are at hand, else published, else missing."""

from dataclasses import dataclass, replace

from ...tasks import datasets as archives
from ...tasks import tasks
from .. import campaign
from . import published
from .grid import get

#: Initial conditions that a verdict takes; fewer have no interval.
ENOUGH = 5


@dataclass(frozen=True)
class Result:
    """A sweep's ``data``, an xarray.Dataset or None, its ``origin``, and a ``note`` for the reader.

    ``origin`` is ``"computed here"``, ``"published"`` or ``"missing"``.
    """

    name: str
    data: object
    origin: str
    note: str

    @property
    def there(self):
        """Whether there are any numbers."""
        return self.data is not None


def live(name, profile="laptop", device="auto", seed=0, store=None, **changed):
    """Compute what is missing of one of the book's sweeps, and open it, a :class:`Result`.

    ``changed`` are sizes of the sweep, such as ``rates`` or ``conditions``, that stand in the place
    of the profile's; None leaves the profile's.  Where the data cannot be had there is no other
    data in their place: the result is empty, and its note says what is missing, and the command
    that computes it where the data are.
    """
    changed = {size: value for size, value in changed.items() if value is not None}
    sweep = replace(get(name, profile, seed), **changed)
    try:
        campaign.run(sweep, store, device)
    except archives.MissingData:
        title = archives.about(tasks.recipe(sweep.task).data).title
        note = (
            f"NOTE: {title} is not at hand on this machine, so the sweep {name!r} was not run.  "
            f"Where it is: python -m netdyn_lib.experiments run {name} --profile {profile}"
        )
        return Result(name, None, "missing", note)
    split = tasks.get(sweep.task, samples=sweep.samples, test_samples=sweep.test_samples).split
    note = f"{name}, {profile}: computed here.  {split.provenance()}"
    return Result(name, campaign.load(sweep, store, device), "computed here", note)


def paper(name):
    """Return a published sweep, or an empty :class:`Result` with the command that computes it."""
    try:
        data = published.load(name)
    except FileNotFoundError as error:
        return Result(name, None, "missing", f"NOTE: {error}")
    return Result(name, data, "published", f"{name}: {published.summary(data)}")


def best(*candidates, least=0):
    """Return the first result with at least so many initial conditions at every learning rate.

    The last where none has.
    """
    enough = (c for c in candidates if c.there and c.data["present"].sum("init").min() >= least)
    return next(enough, candidates[-1])
