"""Costs on paper: operations, bytes and time of work that was never run, from rates that are given.

A plan has two halves.  A :class:`Work` says what has to be done, counted from sizes alone; a
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
import time
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from .. import torch_utils
from ..tasks import tasks
from ..tasks.networks import MLP, perturbed
from ..training import blocked, gradient_descent
from ..validation import positive, whole
from .benchmarks import FLOPS, Table

_ITEM = 8  # bytes of a float64
#: Arrays of a network's parameters that descent holds at a time: weights, their start, the
#: gradient, and the first layer and its gradient transposed.
_STATES = 5
#: Arrays of the frame's shape (k, P) that a step of the tangent map holds at a time, the frame
#: among them, by count of what is alive.
_FRAMES = 8
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
    rate comes from.  Raises ValueError for numbers that are not positive and finite.
    """

    name: str
    rate: float
    memory: float
    basis: str
    bandwidth: float | None = None
    devices: int = 1

    def __post_init__(self):
        for name, meaning in (
            ("rate", "operations per second"),
            ("memory", "bytes of a device"),
            ("bandwidth", "bytes per second"),
        ):
            if name != "bandwidth" or self.bandwidth is not None:
                object.__setattr__(self, name, positive(getattr(self, name), name, meaning))
        object.__setattr__(self, "devices", whole(self.devices, "devices", 1))
        if not self.basis:
            raise ValueError(
                f"{self.name}: basis is empty: say whether the rate of {self.rate:g} was measured, and on what"
            )

    def times(self, devices):
        """As many of these devices."""
        return replace(self, devices=devices)


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

    ``used`` of the devices have something to do.  ``seconds`` is the larger of the time of
    operations and, where the bandwidth is known, that of the bytes moved; ``bound`` says which.
    ``needed`` and ``available`` are bytes of one device, ``held`` how many pieces it holds at once,
    0 where not even one.  ``first`` says which resource runs out first, "" where none does.
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

    @property
    def fits(self):
        """Whether one piece fits into the memory of a device."""
        return self.held > 0


def gradient_operations(sizes):
    """Operations of one gradient for one sample of a perceptron: 4 P + 2 D.

    P = Σ_k n_k (n_{k−1} + 1) parameters, which a forward pass and the weights' gradient take 2
    operations each; D = Σ_{k≥2} n_k n_{k−1} weights behind the first layer, through which the error
    goes back.  Raises ValueError for sizes that are no network's.

    >>> gradient_operations((784, 64, 10))
    204840
    """
    count, deep = _counts(sizes)
    return 4 * count + 2 * deep


def product_operations(sizes):
    """Operations of one Hessian product for one sample at a point where the gradient is kept: 4 P +
    8 D, as in :func:`gradient_operations`.

    The derivative of the forward pass along v has one product for each layer (2 P) and one more
    behind the first (2 D); that of the weights' gradient likewise; that of the error's way back has
    two (4 D).

    >>> round(product_operations((784, 64, 10)) / gradient_operations((784, 64, 10)), 2)
    1.02
    """
    count, deep = _counts(sizes)
    return 4 * count + 8 * deep


def _counts(sizes):
    network = MLP(sizes)
    return network.count, sum(inn * out for inn, out in zip(network.sizes[1:-1], network.sizes[2:]))


def sweep(sizes, samples, count, epochs, copies=0, name=None):
    """Full-batch gradient descent of ``count`` perceptrons, in groups of a reference and its
    copies: a :class:`Work`.

    Operations are ``count`` · ``epochs`` · N (4 P + 2 D).  A device holds the samples, N (d + 1)
    values in three layouts, and of each network five arrays of P values, the outputs of all samples
    twice, and three values a unit for each sample of a block.  In an epoch at least six arrays of P
    values pass through memory for each network, and the values of all samples twice.  Kept are the
    distance of every copy, and loss and two accuracies of every reference, at each epoch.

    Parameters
    ----------
    sizes : sequence of int
        Units by layer, the inputs first.
    samples : int
        N.
    count : int
        Networks, copies included.
    epochs : int
    copies : int
        M, perturbed copies of each reference; groups of 1 + M are what is computed together.
    name : str, optional

    Raises
    ------
    ValueError
        For numbers that are no sizes, or fewer networks than a group has.
    """
    samples, epochs, copies = (
        whole(samples, "samples", 1),
        whole(epochs, "epochs", 1),
        whole(copies, "copies"),
    )
    count = whole(count, "count", 1 + copies, cause="a reference and its copies")
    (parameters, _), units = _counts(sizes), sum(sizes[1:])
    groups, together = math.ceil(count / (1 + copies)), 1 + copies
    block = math.ceil(
        samples
        / math.ceil(
            samples
            / blocked.size(SimpleNamespace(x=range(samples), network=None, loss=None), 3 * units)
        )
    )
    operations = float(count) * epochs * samples * gradient_operations(sizes)
    each = {
        "weights and gradients": together * _STATES * parameters * _ITEM,
        "activations of a block": together * 3 * units * block * _ITEM,
        "outputs": together * 2 * sizes[-1] * samples * _ITEM,
    }
    return Work(
        name or f"{count:,} networks {_dashed(sizes)}, {samples:,} samples, {epochs:,} epochs",
        parameters,
        operations,
        operations,
        float(count) * epochs * (6 * parameters + 6 * units * samples) * _ITEM,
        count,
        groups,
        {"samples": _LAYOUTS * samples * (sizes[0] + 1) * _ITEM},
        each,
        float(groups) * (epochs + 1) * (copies + 3) * _ITEM,
    )


def exponents(sizes, samples, steps, count, interval=1, networks=1, at_once=None, name=None):
    """The ``count`` = k largest Lyapunov exponents of gradient descent of a perceptron by
    Benettin's method: a :class:`Work`.

    A step takes k tangent vectors along.  :func:`netdyn_lib.lyapunov.tangent_maps.by_product`
    treats each as a network of its own and so repeats the gradient k times: N k (8 P + 10 D)
    operations; N (4 P + 2 D + k (4 P + 8 D)) would do.  A QR decomposition of (P, k) with its Q
    takes 4 P k² − (4/3) k³ operations.  A device holds the samples in two layouts, eight arrays of
    (k, P), the state among them k times, and seven values a unit for every sample and vector, since
    those of tangent vectors' Hessian products are not taken in blocks.  A network is one piece: its
    vectors are not spread over devices.

    Parameters
    ----------
    sizes, samples : as for :func:`sweep`
    steps : int
        Steps of descent.
    count : int
        k.
    interval : int
        Steps between QR decompositions.
    networks : int
        Initial conditions.
    at_once : int, optional
        Samples whose values are in memory at a time: all, as this library has it, or as many as it
        would be in blocks.
    name : str, optional

    Raises
    ------
    ValueError
        For numbers that are no sizes, more exponents than parameters, or more samples at once than
        there are.
    """
    samples, steps, interval, networks = (
        whole(v, n, 1)
        for v, n in (
            (samples, "samples"),
            (steps, "steps"),
            (interval, "interval"),
            (networks, "networks"),
        )
    )
    parameters, _ = _counts(sizes)
    count = whole(count, "count", 1, parameters, "a network has as many exponents as parameters")
    gradient, product, units = gradient_operations(sizes), product_operations(sizes), sum(sizes[1:])
    turns = math.ceil(steps / interval)
    orthonormal = networks * turns * (4 * parameters * count**2 - 4 * count**3 / 3)
    frame, values = count * parameters * _ITEM, count * units * samples * _ITEM
    moved = steps * (2 * _FRAMES * frame + 2 * _VALUES * values) + turns * 4 * frame
    held = (
        samples if at_once is None else whole(at_once, "at_once", 1, samples, "samples of a block")
    )
    where = "" if at_once is None else f" in blocks of {held:,}"
    return Work(
        name
        or f"{count} exponents of a network of {parameters:,} parameters, {samples:,} samples{where}, {steps:,} steps",
        parameters,
        networks * float(steps) * samples * count * (gradient + product) + orthonormal,
        networks * float(steps) * samples * (gradient + count * product) + orthonormal,
        float(networks) * moved,
        networks,
        networks,
        {"samples": 2 * samples * (sizes[0] + 1) * _ITEM},
        {
            "tangent vectors": frame,
            "repeated states and products": (_FRAMES - 1) * frame,
            f"activations of {'all samples' if at_once is None else 'a block'}": _VALUES
            * values
            * held
            // samples,
        },
        float(networks) * (turns + 1) * count * _ITEM,
    )


def largest(memory, count):
    """Parameters of the largest network whose ``count`` tangent vectors, with all that a step makes
    of them, fit into ``memory`` bytes; an int.

    It is ⌊memory / (8 · 8 · k)⌋, with nothing left for samples and activations.

    >>> largest(64e9, 10)
    100000000
    """
    return int(
        positive(memory, "memory", "bytes of a device")
        // (_ITEM * _FRAMES * whole(count, "count", 1))
    )


def cost(work, machine, patience=math.inf):
    """Some work on some machine: a :class:`Cost`.

    With n = min(devices, pieces) devices the time is max(operations / rate, moved / bandwidth) ·
    ⌈pieces / n⌉ / pieces.  First runs out the memory of a device, where one piece does not fit, and
    what takes most of it is named; else time, where it is beyond ``patience``, the seconds that one
    is ready to wait.

    Raises
    ------
    ValueError
        For a ``patience`` that is not positive.
    """
    if not patience > 0:
        raise ValueError(
            f"patience = {patience}: seconds that one is ready to wait must be positive"
        )
    used = min(machine.devices, work.pieces)
    rounds = math.ceil(work.pieces / used) / work.pieces
    computing = work.operations / machine.rate
    moving = 0.0 if machine.bandwidth is None else work.moved / machine.bandwidth
    seconds = rounds * max(computing, moving)
    needed, once = sum(work.memory.values()), sum(work.shared.values())
    held = max(0, int((machine.memory - once) // sum(work.each.values())))
    bound = "operations" if computing >= moving else "bytes moved"
    # Work that does not fit stops at its first step, however long it would take.
    first = (
        f"memory: {max(work.memory, key=work.memory.get)}"
        if not held
        else "time"
        if seconds > patience
        else ""
    )
    return Cost(work, machine, used, seconds, bound, needed, held, first)


def one_of_each(costs):
    """The costs on one device of each kind, without those on several; a list."""
    return [one for one in costs if one.machine.devices == 1]


def states(work):
    """Bytes of the weights of all networks of a sweep at one epoch."""
    return float(work.networks) * work.parameters * _ITEM


def over_devices(costs, at_most=10_000):
    """Hours of each work on ever more devices of its machine: a list of (:class:`Cost`, devices
    (n,), hours (n,)), from 1 device to ``at_most``.
    """
    devices = np.unique(np.geomspace(1, whole(at_most, "at_most", 1), 60).round().astype(int))
    return [
        (one, devices, np.array([cost(one.work, one.machine.times(int(n))).hours for n in devices]))
        for one in costs
    ]


def table(costs):
    """Several :class:`Cost` as a :class:`~netdyn_lib.experiments.benchmarks.Table`, a row each."""
    return Table(
        {
            "work": [one.work.name for one in costs],
            "machine": [one.machine.name for one in costs],
            "devices used": [f"{one.used:,} of {one.machine.devices:,}" for one in costs],
            "operations": [f"{one.work.operations:.1e}" for one in costs],
            "needed at least": [f"{one.work.least:.1e}" for one in costs],
            "bytes moved": [f"{one.work.moved:.1e}" for one in costs],
            "time": [in_words(one.seconds) for one in costs],
            "decided by": [one.bound for one in costs],
            "memory of one piece": [amount(one.needed) for one in costs],
            "of a device's": [amount(one.machine.memory) for one in costs],
            "results": [amount(one.work.kept) for one in costs],
            "runs out first": [one.first or "nothing" for one in costs],
        }
    )


def parts(work):
    """What lies in a device's memory for one piece of some work, as a pandas DataFrame."""
    return pd.DataFrame(
        {"in memory": list(work.memory), "bytes": [amount(value) for value in work.memory.values()]}
    )


def rates(machines):
    """The rates of some machines and where they come from, as a pandas DataFrame."""
    return pd.DataFrame(
        {
            "machine": [one.name for one in machines],
            "operations per second": [f"{one.rate:.2e}" for one in machines],
            "memory": [amount(one.memory) for one in machines],
            "bandwidth": [
                "" if one.bandwidth is None else f"{amount(one.bandwidth)}/s" for one in machines
            ],
            "the rate is": [one.basis for one in machines],
        }
    )


def measured(results, memory, name=None, dtype="float64", devices=1):
    """The machine on which the benchmarks were taken, at the rate that the engine reached there.

    Parameters
    ----------
    results : netdyn_lib.experiments.benchmarks.Results
    memory : float
        Bytes of a device: no benchmark measures these.
    name : str, optional
        By default the GPU's, or the processor's.
    dtype : str
        Only rows whose work names it count.
    devices : int

    Returns
    -------
    Machine
        ``rate`` is the largest median of the rows in operations per second that have a goal: those
        without one count operations that were left out.

    Raises
    ------
    ValueError
        Where there is no such row.
    """
    rows = [
        row for row in results.rows if row.shares and row.goal is not None and dtype in row.work
    ]
    if not rows:
        there = "; ".join(row.work for row in results.rows)
        raise ValueError(
            f"no row in {', '.join(FLOPS)} with a goal names {dtype}: nothing says how fast this machine is; there are: {there}"
        )
    fastest = max(rows, key=lambda row: FLOPS[row.unit] * np.median(row.ours))
    about = results.about
    name = (
        name
        or (about.get("device") if about.get("cuda") else about.get("processor"))
        or "the machine of the benchmarks"
    )
    return Machine(
        name,
        FLOPS[fastest.unit] * float(np.median(fastest.ours)),
        memory,
        f"measured, {fastest.work}",
        devices=devices,
    )


def nominal(name, rate, memory, bandwidth=None, devices=1):
    """A machine by its maker's numbers: a :class:`Machine` whose ``basis`` says that nothing was
    measured.
    """
    return Machine(
        name,
        rate,
        memory,
        "its maker's nominal peak, not measured: programs stay below it",
        bandwidth,
        devices,
    )


def gpu(found, name, rate, memory, bandwidth=None):
    """The GPU that was measured, where one was, else one by its maker's numbers: a
    :class:`Machine`.

    ``found`` is a dict as from :func:`netdyn_lib.experiments.benchmarks.published`; the rest as for
    :func:`nominal`, of which a measured GPU takes the memory.
    """
    return (
        measured(found["gpu"], memory) if "gpu" in found else nominal(name, rate, memory, bandwidth)
    )


def step_time(name="iris", count=300, copies=5, epochs=201, rate=1.0, rounds=3, seed=0):
    """Microseconds that one step of one network takes here, roughly: (R,), by one thread, over as
    many ``rounds``.

    ``count`` networks of the task ``name``, in groups of a reference and ``copies``, descend
    together for so many ``epochs`` at the learning rate ``rate``, distances at every epoch.
    """
    task = tasks.get(name)
    groups = perturbed(task.initial(max(1, count // (1 + copies)), seed), 1e-8, copies, seed)
    plain = gradient_descent.GradientDescent(task, rate)
    steps = groups.shape[0] * groups.shape[1] * epochs
    found = []
    with torch_utils.one():
        # what is made once is not counted
        gradient_descent.run(plain, groups, 2, observe=("distance",), workers=1)
        for _ in range(whole(rounds, "rounds", 1)):
            begin = time.perf_counter()
            gradient_descent.run(plain, groups, epochs, observe=("distance",), workers=1)
            found.append(1e6 * (time.perf_counter() - begin) / steps)
    return np.array(found)


def beside(results, start, here):
    """A step's time as published and here: a pandas DataFrame of medians and ranges.

    Parameters
    ----------
    results : netdyn_lib.experiments.benchmarks.Results
    start : str
        How the work of the published row begins; of several, whose rivals differ, the first.
    here : array
        (R,) times in the unit of that row, as from :func:`step_time`.

    Raises
    ------
    ValueError
        Where no row begins so.
    """
    rows = [row for row in results.rows if row.work.startswith(start)]
    if not rows:
        raise ValueError(
            f"no row begins with {start!r}; there are: {'; '.join(row.work for row in results.rows)}"
        )
    both = {"published": rows[0].ours, "here, roughly": here}
    told = {
        who: f"{np.median(times):.3g} ({np.min(times):.3g} to {np.max(times):.3g})"
        for who, times in both.items()
    }
    return pd.DataFrame({f"engine, {rows[0].unit}": told})


def amount(size):
    """Bytes in words.

    >>> amount(8e9), amount(1.5e13)
    ('8 GB', '15 TB')
    """
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000 or unit == "PB":
            return f"{size:,.3g} {unit}" if size < 1000 else f"{size:,.0f} {unit}"
        size /= 1000
    raise AssertionError


def in_words(seconds):
    """A time in words.

    >>> in_words(90), in_words(3e8)
    ('1.5 min', '9.5 years')
    """
    units = (("s", 1), ("min", 60), ("h", 3600), ("days", 86400), ("years", 365.25 * 86400))
    unit, length = [(name, size) for name, size in units if seconds >= size or size == 1][-1]
    value = seconds / length
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2g} {unit}"


def _dashed(sizes):
    return "-".join(map(str, sizes))
