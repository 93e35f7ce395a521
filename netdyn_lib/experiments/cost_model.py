"""Costs on paper: operations, bytes and time of work that was never run, from rates that are given.

A plan has two halves.  A :class:`Work` says what has to be done, counted from sizes; a
:class:`Machine` says how fast, with the sentence that tells where its rate comes from.
:func:`cost` puts them together, and says which resource runs out first.

All numbers are for float64, bytes are counted by thousands (a GB is 10⁹ bytes), and a
multiplication and an addition are two operations.  What is counted are matrix products and QR
decompositions; the pointwise part is left out, so times are lower bounds at the rate given.

>>> laptop = Machine("a laptop", 5e10, 16e9, "assumed")
>>> round(cost(sweep((784, 64, 10), 60_000, 600, 200, copies=5), laptop).hours, 1)
8.2
"""

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from ..tasks.networks import MLP
from ..training import blocked
from ..validation import positive, whole
from .benchmarks import FLOPS

_ITEM = 8  # bytes of a float64
#: Arrays of a network's parameters that descent holds at a time: weights, their start, the
#: gradient, and the first layer and its gradient transposed.
_STATES = 5
#: Arrays of the frame's shape (k, P) that a step of the tangent map holds at a time, the frame
#: among them, by count of what is alive.
FRAMES = 8
#: Intermediate values of a Hessian product, as multiples of the units: forward, backward, and both
#: derivatives; by count of what is alive 7.4 for one hidden layer, 6.3 for two.
_VALUES = 7
#: Layouts of the samples that descent holds: the task's, and two in blocks.
_LAYOUTS = 3


@dataclass(frozen=True)
class Machine:
    """One device of a kind, or several.

    ``rate`` is in operations per second and device, ``memory`` in bytes per device, ``bandwidth``
    in bytes per second and device, None where it is not known.  ``basis`` says in words where the
    rate comes from.
    """

    name: str
    rate: float
    memory: float
    basis: str
    bandwidth: float | None = None
    devices: int = 1

    def __post_init__(self):
        positive(self.rate, "rate", "operations per second")
        positive(self.memory, "memory", "bytes of a device")
        if self.bandwidth is not None:
            positive(self.bandwidth, "bandwidth", "bytes per second")
        whole(self.devices, "devices", 1)


@dataclass(frozen=True)
class Work:
    """What has to be done, whatever does it.

    ``operations`` are those that this library does, ``least`` those that the task needs; ``moved``
    the bytes that at least pass between memory and processor.  ``networks`` train, and the work
    falls into ``pieces`` that know nothing of each other, of which a device needs one at a time.
    ``shared`` and ``each`` map what lies in a device's memory to its bytes: once, and for each
    piece that it holds.  ``kept`` are bytes of results.  ``parameters`` is P of one network.
    """

    name: str
    parameters: int
    operations: float
    least: float
    moved: float
    networks: int
    pieces: int
    shared: dict
    each: dict
    kept: float

    @property
    def memory(self):
        """What lies in memory with one piece: a dict from its name to its bytes."""
        return self.shared | self.each


@dataclass(frozen=True)
class Cost:
    """Some work on some machine.

    ``used`` of the devices have something to do.  ``bound`` says whether ``seconds`` is the time of
    the operations or of the bytes moved.  ``needed`` are bytes of one device, ``held`` how many
    pieces it holds at once.  ``first`` says which resource runs out first, "" where none does.
    """

    work: Work
    machine: Machine
    used: int
    seconds: float
    bound: str
    needed: float
    held: int
    first: str

    @property
    def hours(self):
        """The time in hours."""
        return self.seconds / 3600


def gradient_operations(sizes):
    """Return the operations of one gradient for one sample of a perceptron, 4 P + 2 D.

    P = Σ_k n_k (n_{k−1} + 1) parameters, which a forward pass and the weights' gradient take 2
    operations each; D = Σ_{k≥2} n_k n_{k−1} weights after the first layer, through which the error
    goes back.

    >>> gradient_operations((784, 64, 10))
    204840
    """
    count, deep = _counts(sizes)
    return 4 * count + 2 * deep


def product_operations(sizes):
    """Return the operations of one Hessian product for one sample, 4 P + 8 D.

    At a point where the gradient is kept.  The derivative of the forward pass along v has one
    product for each layer (2 P) and one more after the first (2 D); that of the weights' gradient
    likewise; that of the error's way back has two (4 D).
    """
    count, deep = _counts(sizes)
    return 4 * count + 8 * deep


def _counts(sizes):
    network = MLP(sizes)
    return network.count, sum(inn * out for inn, out in zip(network.sizes[1:-1], network.sizes[2:]))


def sweep(sizes, samples, count, epochs, copies=0):
    """Return the :class:`Work` of full-batch gradient descent of ``count`` perceptrons.

    In groups of a reference and its ``copies`` M, which are computed together; ``sizes`` are the
    units by layer, the inputs first.

    Operations are ``count`` · ``epochs`` · N (4 P + 2 D).  A device holds the samples, N (d + 1)
    values in three layouts, and of each network five arrays of P values, the outputs of all samples
    twice, and three values a unit for each sample of a block.  In an epoch at least six arrays of P
    values pass through memory for each network, and the values of all samples twice.  Kept are the
    distance of every copy, and loss and two accuracies of every reference, at each epoch.
    """
    together = 1 + whole(copies, "copies")
    samples, epochs = whole(samples, "samples", 1), whole(epochs, "epochs", 1)
    count = whole(count, "count", together, cause="a reference and its copies")
    (parameters, _), units = _counts(sizes), sum(sizes[1:])
    groups, layers = math.ceil(count / together), "-".join(map(str, sizes))
    most = blocked.size(SimpleNamespace(x=range(samples), network=None, loss=None), 3 * units)
    block = math.ceil(samples / math.ceil(samples / most))
    operations = float(count) * epochs * samples * gradient_operations(sizes)
    return Work(
        name=f"{count:,} networks {layers}, {samples:,} samples, {epochs:,} epochs",
        parameters=parameters,
        operations=operations,
        least=operations,
        moved=float(count) * epochs * (6 * parameters + 6 * units * samples) * _ITEM,
        networks=count,
        pieces=groups,
        shared={"samples": _LAYOUTS * samples * (sizes[0] + 1) * _ITEM},
        each={
            "weights and gradients": together * _STATES * parameters * _ITEM,
            "activations of a block": together * 3 * units * block * _ITEM,
            "outputs": together * 2 * sizes[-1] * samples * _ITEM,
        },
        kept=float(groups) * (epochs + 1) * (copies + 3) * _ITEM,
    )


def exponents(sizes, samples, steps, count, networks=1, at_once=None):
    """Return the :class:`Work` of the k = ``count`` largest Lyapunov exponents of a perceptron.

    Of gradient descent, by Benettin's method at every step.  A step takes k tangent vectors along.
    :func:`netdyn_lib.lyapunov.tangent_maps.by_product` treats each as a network of its own and so
    repeats the gradient k times: N k (8 P + 10 D) operations; N (4 P + 2 D + k (4 P + 8 D)) would
    do.  A QR decomposition of (P, k) with its Q takes 4 P k² − (4/3) k³ operations.  A device holds
    the samples in two layouts, eight arrays of (k, P), the state among them k times, and seven
    values a unit for every sample and vector, since those of tangent vectors' Hessian products are
    not taken in blocks; ``at_once`` counts as if so many samples were.  A network is one piece: its
    vectors are not spread over devices.
    """
    samples, steps = whole(samples, "samples", 1), whole(steps, "steps", 1)
    networks, held = whole(networks, "networks", 1), samples
    parameters, _ = _counts(sizes)
    count = whole(count, "count", 1, parameters, "a network has as many exponents as parameters")
    where, which = "", "all samples"
    if at_once is not None:
        held = whole(at_once, "at_once", 1, samples, "samples of a block")
        where, which = f" in blocks of {held:,}", "a block"
    gradient, product, units = gradient_operations(sizes), product_operations(sizes), sum(sizes[1:])
    orthonormal = networks * steps * (4 * parameters * count**2 - 4 * count**3 / 3)
    frame, values = count * parameters * _ITEM, count * units * samples * _ITEM
    seen = networks * float(steps) * samples
    return Work(
        name=f"{count} exponents of a network of {parameters:,} parameters, "
        f"{samples:,} samples{where}, {steps:,} steps",
        parameters=parameters,
        operations=seen * count * (gradient + product) + orthonormal,
        least=seen * (gradient + count * product) + orthonormal,
        moved=float(networks) * steps * ((2 * FRAMES + 4) * frame + 2 * _VALUES * values),
        networks=networks,
        pieces=networks,
        shared={"samples": 2 * samples * (sizes[0] + 1) * _ITEM},
        each={
            "tangent vectors": frame,
            "repeated states and products": (FRAMES - 1) * frame,
            f"activations of {which}": _VALUES * values * held // samples,
        },
        kept=float(networks) * (steps + 1) * count * _ITEM,
    )


def cost(work, machine, patience=math.inf):
    """Return the :class:`Cost` of some work on some machine.

    With n = min(devices, pieces) devices the time is max(operations / rate, moved / bandwidth) ·
    ⌈pieces / n⌉ / pieces.  First runs out the memory of a device, where one piece does not fit
    (work that does not fit stops at its first step, however long it would take), and what takes
    most of it is named; else time, where it is beyond ``patience`` seconds.
    """
    used = min(machine.devices, work.pieces)
    computing = work.operations / machine.rate
    moving = 0.0 if machine.bandwidth is None else work.moved / machine.bandwidth
    seconds = math.ceil(work.pieces / used) / work.pieces * max(computing, moving)
    once, piece = sum(work.shared.values()), sum(work.each.values())
    held = max(0, int((machine.memory - once) // piece))
    first = "time" if seconds > patience else ""
    if not held:
        first = f"memory: {max(work.memory, key=work.memory.get)}"
    bound = "operations" if computing >= moving else "bytes moved"
    return Cost(work, machine, used, seconds, bound, once + piece, held, first)


def over_devices(costs, at_most=10_000):
    """Return the hours of each work on ever more devices of its machine, up to ``at_most``.

    A list of (:class:`Cost`, devices (n,), hours (n,)).
    """
    devices = np.unique(np.geomspace(1, at_most, 60).round().astype(int))

    def hours(one):
        more = (replace(one.machine, devices=int(n)) for n in devices)
        return np.array([cost(one.work, machine).hours for machine in more])

    return [(one, devices, hours(one)) for one in costs]


def measured(results, memory):
    """Return the :class:`Machine` of the benchmarks, at the rate that the engine reached there.

    The rate is the largest median of the float64 rows of ``results``
    (:class:`~netdyn_lib.experiments.benchmarks.Results`) in operations per second that have a goal:
    those without one count operations that were left out.  ``memory``, bytes, is not measured.
    """
    rows = [r for r in results.rows if r.shares and r.goal is not None and "float64" in r.work]
    if not rows:
        raise ValueError(
            f"no row in {', '.join(FLOPS)} with a goal names float64: nothing says how fast this "
            f"machine is; there are: {'; '.join(row.work for row in results.rows)}"
        )
    rate, work = max((FLOPS[row.unit] * float(np.median(row.ours)), row.work) for row in rows)
    about = results.about
    name = about.get("device") if about.get("cuda") else about.get("processor")
    return Machine(name or "the machine of the benchmarks", rate, memory, f"measured, {work}")


def amount(size):
    """Return bytes in words.

    >>> amount(8e9), amount(1.5e13)
    ('8 GB', '15 TB')
    """
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    power = min((len(str(int(size))) - 1) // 3, len(units) - 1)
    value = size / 1000**power
    return f"{value:,.3g} {units[power]}" if value < 1000 else f"{value:,.0f} {units[power]}"


def in_words(seconds):
    """Return a time in words.

    >>> in_words(90), in_words(3e8)
    ('1.5 min', '9.5 years')
    """
    units = (("s", 1), ("min", 60), ("h", 3600), ("days", 86400), ("years", 365.25 * 86400))
    unit, length = [(name, size) for name, size in units if seconds >= size or size == 1][-1]
    value = seconds / length
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2g} {unit}"
