"""Small sweeps on few digits, for the tests and for the processes that they start."""

from functools import partial

from netdyn_lib.experiments.learning_rate_sweep.grid import Sweep
from netdyn_lib.tasks import losses, networks, tasks

TASK = "few-digits"


def register():
    """Make the small task known, once in a process."""
    if TASK not in tasks.names():
        network = partial(networks.MLP, (64, 8, 10), "tanh")
        tasks.register(tasks.Recipe(TASK, "digits", network, losses.CrossEntropy(), 0.4))


def small(**changes):
    """Two learning rates, three initial conditions; four shards."""
    register()
    sizes = dict(
        name="small",
        task=TASK,
        rates=(0.5, 5.0),
        conditions=3,
        copies=2,
        epochs=12,
        cap=30,
        sustained=4,
        samples=40,
        test_samples=30,
        block=2,
    )
    return Sweep(**(sizes | changes))


def same(one, other):
    """Whether two datasets hold the same numbers to the last bit."""
    return one.drop_attrs().identical(other.drop_attrs())


#: Beginning of a script that has the sweep ``SWEEP`` as "small", with SIZES its changes.
PRELUDE = """
import dataclasses, sys
sys.path.insert(0, {root!r})
from netdyn_lib.experiments import __main__, campaign, sizes
from tests.small_sweeps import small
SWEEP = small(**{sizes!r})
few = {{k: v for k, v in dataclasses.asdict(SWEEP).items() if k not in ("name", "seed")}}
sizes._PAPER["05_mnist_cifar"]["sweeps"] = dict(small=few)
sizes._LAPTOP["05_mnist_cifar"] = dict()
"""


def script(root, body="", **sizes):
    """Source of a program with the small sweep among the book's: the command line, or a body."""
    return PRELUDE.format(root=str(root), sizes=sizes) + (body or "__main__.program()\n")
