"""What is followed: an ensemble of networks of one task, from its initial conditions to the end of
training.
"""

import math
from dataclasses import dataclass, fields

from ...results.store import file_name
from ...validation import positive, whole
from .. import sizes


@dataclass(frozen=True)
class Campaign:
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

    def blocks(self):
        """(start, count) of each block."""
        return [(a, min(self.block, self.count - a)) for a in range(0, self.count, self.block)]


def get(name, profile="laptop", seed=0):
    """A campaign of the book by name, which is its task's.

    Raises ValueError for an unknown name or profile.
    """
    size = sizes.sizes("06_prediction", profile)
    if name not in size.campaigns:
        raise ValueError(f"unknown campaign {name!r}; known: {', '.join(size.campaigns)}")
    own = {f.name: getattr(size, f.name) for f in fields(Campaign) if hasattr(size, f.name)}
    return Campaign(**own | dict(name=name, task=name, seed=seed))


def names():
    """Names of the book's campaigns."""
    return tuple(sizes.sizes("06_prediction").campaigns)
