"""The pieces of work of some arms: one network each, with their keys in a store."""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

from ...results import provenance, store
from ...tasks import tasks
from ..learning_rate_sweep.compute import versions
from .arm import Arm

# they do not change a network's numbers, or are said otherwise
_FREE = ("name", "steps", "segment", "networks")


@functools.cache
def _code():
    return provenance.code(
        provenance.closure(
            ("experiments.pruning_ablation.measuring", "tasks.networks", "tasks.losses")
        )
    )


def identity(arm, network, task):
    """Everything that determines the numbers of a network of an arm, but for where it ends, as
    plain data; ``task`` is the arm's, loaded.
    """
    settings = {k: v for k, v in dataclasses.asdict(arm).items() if k not in _FREE}
    what = dict(
        network=repr(task.network),
        loss=task.loss.name,
        initialisation=task.initialisation,
        std=task.std,
    )
    what |= dict(data=task.split.checksum, samples=len(task.x), test_samples=len(task.x_test))
    drawn = dict(network=network, order=arm.order(network))
    return dict(task=what, arm=settings, drawn=drawn, versions=versions(), code=_code())


@dataclass(frozen=True)
class Piece:
    """One ``network`` of an arm, and the ``task`` that it learns."""

    arm: Arm
    network: int
    task: object

    @functools.cached_property
    def identity(self):
        """What determines its numbers: :func:`identity` of its arm, network and task."""
        return identity(self.arm, self.network, self.task)

    @functools.cached_property
    def key(self):
        """Of the whole run."""
        return store.key(self.identity | {"steps": self.arm.steps})

    def segments(self):
        """Yield (start, stop, key) of each stretch between checkpoints; those of a longer run begin
        with the same.
        """
        for span in self.arm.segments():
            yield *span, store.key(self.identity | {"segment": list(span)})


def pieces(arms):
    """A :class:`Piece` for each network of some arms, arm by arm; arms that do the same share keys.
    Raises as :func:`netdyn_lib.tasks.tasks.get`.
    """
    loaded = {name: tasks.get(name) for name in dict.fromkeys(arm.task for arm in arms)}
    return [Piece(arm, k, loaded[arm.task]) for arm in arms for k in range(arm.networks)]


def default_store():
    """The store of the checkout that this library lies in, ``_build/store``."""
    return Path(__file__).resolve().parents[3] / "_build" / "store"
