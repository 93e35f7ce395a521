"""Speed and memory as measured: ratios to rivals of the same run, growth with the size of the work,
and their file.

A file of measurements is JSON, written by ``make bench`` and read here.

>>> row = Row("Iris", "a loop", (1.0, 2.0, 1.0), (100.0, 180.0, 120.0), "µs a network-step", goal=100)
>>> row.ratio, (row.low, row.high), row.met
(100.0, (90.0, 120.0), True)
"""

import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ..results import provenance, reading, store
from ..statistics.intervals import Interval

_FORMAT = 1
#: Files of measurements that the book shows, in this order.
NAMES = ("cpu", "gpu")
#: The command that measures anew and keeps the results for the book.
COMMAND = "make bench KEEP=1"
#: Operations per second in a unit of rates.
FLOPS = {"Gflop/s": 1e9, "Tflop/s": 1e12}
#: What is told of a machine → in which words.
_ABOUT = {
    "processor": "processor",
    "cores": "cores",
    "threads": "threads",
    "cpu_capability": "vector instructions",
    "device": "device",
    "cuda": "CUDA",
}
_ABOUT |= {
    name: name for name in ("platform", "python", "torch", "numpy", "scipy", "commit", "date")
}


@dataclass(frozen=True)
class Row:
    """Some work beside a rival that does the same, in the same rounds of one run.

    ``ours`` and ``theirs`` (R,) are times in ``unit``, or where ``rate`` rates, in as many rounds.
    ``goal`` is the least ratio aimed at, None where none was set.  ``accuracy`` says by how much
    the two results differ, ``group`` the part of the benchmarks, ``limit`` what keeps the work from
    its goal where it is missed.  Raises ValueError for numbers that are not positive and finite, or
    rounds that are not as many.
    """

    work: str
    rival: str
    ours: tuple
    theirs: tuple
    unit: str
    goal: float | None = None
    rate: bool = False
    accuracy: str = ""
    group: str = ""
    limit: str = ""

    def __post_init__(self):
        for name in ("ours", "theirs"):
            values = tuple(float(v) for v in getattr(self, name))
            if not values or not all(math.isfinite(v) and v > 0 for v in values):
                raise ValueError(
                    f"{self.work}: {name} = {values}: expected positive numbers, one a round"
                )
            object.__setattr__(self, name, values)
        if len(self.ours) != len(self.theirs):
            raise ValueError(
                f"{self.work}: {len(self.ours)} rounds of ours and {len(self.theirs)} of the rival's: they are measured in turn"
            )

    @property
    def ratios(self):
        """How many times as fast as the rival, round by round, (R,)."""
        ours, theirs = np.array(self.ours), np.array(self.theirs)
        return ours / theirs if self.rate else theirs / ours

    @property
    def ratio(self):
        """The median over rounds."""
        return float(np.median(self.ratios))

    @property
    def low(self):
        """The least over rounds."""
        return float(self.ratios.min())

    @property
    def high(self):
        """The greatest over rounds."""
        return float(self.ratios.max())

    @property
    def met(self):
        """Whether the median reaches the goal; None without one."""
        return None if self.goal is None else bool(self.ratio >= self.goal)

    @property
    def shares(self):
        """Whether the ratio is a share of the rate of arithmetic of the machine: both sides in
        operations per second.
        """
        return self.rate and self.unit in FLOPS

    def __str__(self):
        few = f"{len(self.ours)} round{'s' * (len(self.ours) > 1)}"
        aim = (
            ""
            if self.goal is None
            else f"; goal {self.goal:.3g}, {'met' if self.met else 'missed'}"
        )
        return (
            f"{self.work}: {_short(np.median(self.ours))} {self.unit}; {self.rival}: {_short(np.median(self.theirs))}; "
            f"ratio {_short(self.ratio)} ({_short(self.low)} to {_short(self.high)}, {few}){aim}"
            + f"; {self.accuracy}" * bool(self.accuracy)
            + f"; what limits it: {self.limit}" * bool(self.limit and self.met is False)
        )


@dataclass(frozen=True)
class Growth:
    """Time and memory of some work at several sizes of one quantity.

    ``sizes`` (K,) ascending, ``seconds`` (K,) the median at each, ``mebibytes`` (K,) what the peak
    of a process of its own is above that before the work; None where memory was not measured.
    """

    work: str
    quantity: str
    sizes: tuple
    seconds: tuple
    mebibytes: tuple | None = None
    remark: str = ""

    def __post_init__(self):
        for name in ("sizes", "seconds", "mebibytes"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        if len(self.sizes) < 3 or list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] <= 0:
            raise ValueError(
                f"{self.work}: sizes {self.sizes}: expected at least three, positive and ascending"
            )
        for name in ("seconds", "mebibytes"):
            values = getattr(self, name)
            if values is not None and (
                len(values) != len(self.sizes)
                or not all(math.isfinite(v) and v >= 0 for v in values)
            ):
                raise ValueError(
                    f"{self.work}: {name} {values}: expected {len(self.sizes)} numbers that are not negative"
                )

    def __str__(self):
        memory = "" if self.mebibytes is None else "; MiB " + ", ".join(map(_short, self.mebibytes))
        return f"{self.work}, {self.quantity} {', '.join(map(_short, self.sizes))}: s {', '.join(map(_short, self.seconds))}{memory}"

    def exponent(self, what="seconds", level=0.95):
        """Exponent a of time (or ``what="mebibytes"``) ∝ sizeᵃ, by least squares of logarithms,
        with its t interval.

        Raises ValueError for what was not measured, or is zero somewhere.
        """
        values = getattr(self, what)
        if values is None or min(values) <= 0:
            raise ValueError(f"{self.work}: {what} = {values}: an exponent needs positive numbers")
        fit = stats.linregress(np.log(self.sizes), np.log(values))
        half = stats.t.ppf((1 + level) / 2, len(self.sizes) - 2) * fit.stderr
        return Interval(float(fit.slope), float(fit.slope - half), float(fit.slope + half), level)


@dataclass(frozen=True)
class Results:
    """One run of the benchmarks: ``about`` is :func:`netdyn_lib.results.provenance.describe` with
    ``commit``, ``date`` and ``duration_s``.

    ``published_in`` is the file it was published in, as :mod:`netdyn_lib.results.provenance` names it;
    None for what was measured here.
    """

    about: dict
    rows: tuple
    growths: tuple
    published_in: str | None = field(default=None, compare=False)

    @property
    def groups(self):
        """The parts of the benchmarks that rows belong to, in order of appearance."""
        return tuple(dict.fromkeys(row.group for row in self.rows))

    def by_group(self):
        """The rows (K,), those of a part together, otherwise in the order in which they were
        measured.
        """
        return tuple(row for group in self.groups for row in self.rows if row.group == group)

    def table(self):
        """The rows as a pandas DataFrame, by part of the benchmarks."""
        rows = self.by_group()
        return pd.DataFrame(
            {
                "part": [row.group for row in rows],
                "work": [row.work for row in rows],
                "rival": [row.rival for row in rows],
                "ours": [f"{_short(np.median(row.ours))} {row.unit}" for row in rows],
                "rival's": [_short(np.median(row.theirs)) for row in rows],
                "ratio": [
                    f"{_short(row.ratio)} ({_short(row.low)} to {_short(row.high)})" for row in rows
                ],
                "goal": ["" if row.goal is None else f"{row.goal:.3g}" for row in rows],
                "met": [{None: "", True: "yes", False: "no"}[row.met] for row in rows],
                "what limits it": [row.limit * (row.met is False) for row in rows],
                "difference of results": [row.accuracy for row in rows],
            }
        )

    def missed(self):
        """The rows that missed their goal, and what limits them, as a pandas DataFrame."""
        rows = self.table()
        return rows.loc[rows["met"] == "no", ["work", "rival", "ratio", "goal", "what limits it"]]

    def exponents(self):
        """Exponents of time and memory for each quantity, as a pandas DataFrame."""
        return pd.DataFrame(
            {
                "work": [growth.work for growth in self.growths],
                "grows": [growth.quantity for growth in self.growths],
                "from": [f"{growth.sizes[0]:,.0f}" for growth in self.growths],
                "to": [f"{growth.sizes[-1]:,.0f}" for growth in self.growths],
                "exponent of time": [str(growth.exponent()) for growth in self.growths],
                "exponent of memory": [
                    str(growth.exponent("mebibytes"))
                    if growth.mebibytes and min(growth.mebibytes) > 0
                    else ""
                    for growth in self.growths
                ],
                "remark": [growth.remark for growth in self.growths],
            }
        )

    def row(self, start):
        """The one row whose work begins with ``start``; ValueError where none or several do."""
        found = [row for row in self.rows if row.work.startswith(start)]
        if len(found) != 1:
            raise ValueError(
                f"{len(found)} rows begin with {start!r}; there are: {'; '.join(row.work for row in self.rows)}"
            )
        return found[0]


def _short(value):
    """Three digits, as people write them."""
    value = float(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def save(path, results):
    """Write measurements to ``path``, whole or not at all."""
    rows, growths = ([asdict(one) for one in some] for some in (results.rows, results.growths))
    content = {"format": _FORMAT, "about": results.about, "rows": rows, "growths": growths}
    store.write_json(path, content)


def load(path):
    """The :class:`Results` of a file.

    Raises
    ------
    FileNotFoundError
        Where it is missing.
    netdyn_lib.results.store.DamagedShard
        Where it is damaged.
    ValueError
        Where it is of another format.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is not there: make bench measures, and python -m tests.bench --keep writes it"
        )
    found = store.read_json(path)
    try:
        version = found["format"]
        if version != _FORMAT:
            raise ValueError(f"format {version}, expected {_FORMAT}")
        rows, growths = (
            tuple(_made(kind, one) for one in found[name])
            for kind, name in ((Row, "rows"), (Growth, "growths"))
        )
        return Results(dict(found["about"]), rows, growths)
    except (KeyError, TypeError, ValueError) as error:
        what = f"({type(error).__name__}: {error}): was it written by another version?"
        raise reading.Unreadable(f"{path} is no file of measurements {what}") from None


def folder():
    """``book/results/bench`` of the checkout that this library lies in."""
    return Path(__file__).resolve().parents[2] / "book" / "results" / "bench"


def published(root=None):
    """The measurements that the book shows: a dict from ``"cpu"``, and ``"gpu"`` where there are
    some, to their :class:`Results`.

    Parameters
    ----------
    root : path-like, optional
        The folder, :func:`folder` where not given.

    Raises
    ------
    FileNotFoundError
        Where those of a processor are missing; the message says how to measure them.
    ValueError
        As :func:`load`.
    """
    root = Path(root or folder())
    if not (root / f"{NAMES[0]}.json").exists():
        raise FileNotFoundError(
            f"no measurements are published in {root}: {COMMAND} measures, and keeps what it finds there"
        )
    paths = {name: root / f"{name}.json" for name in NAMES}
    return {
        name: provenance.published_in(load(path), path)
        for name, path in paths.items()
        if path.exists()
    }


def about(found):
    """What several :class:`Results` were measured on, when, at which commit, and by which command:
    a pandas DataFrame, a column for each name.

    ``found`` is a dict, as from :func:`published`.  Lines of which nothing is known anywhere are
    left out.
    """
    columns = {}
    for name, results in found.items():
        seconds = results.about.get("duration_s")
        told = {words: results.about.get(key) for key, words in _ABOUT.items()}
        told |= {
            "took": None if seconds is None else f"{seconds / 60:.0f} min",
            "repeated by": results.about.get("command", COMMAND if name == NAMES[0] else None),
        }
        columns[name] = {
            words: "" if value is None else str(value) for words, value in told.items()
        }
    whole = pd.DataFrame(columns)
    return whole[(whole != "").any(axis=1)]


class Table(pd.DataFrame):
    """A DataFrame whose texts are shown whole on a page; pandas cuts them after 50 characters."""

    @property
    def _constructor(self):
        return Table

    def _repr_html_(self):
        with pd.option_context("display.max_colwidth", None):
            return super()._repr_html_()


def tables(found, what="table"):
    """One :class:`Table` of several :class:`Results`, with a first column that names each where
    there are several.

    ``found`` is a dict, as from :func:`published`, ``what`` ``"table"``, ``"missed"`` or
    ``"exponents"``.
    """
    parts = [getattr(results, what)().assign(on=name) for name, results in found.items()]
    whole = Table(pd.concat(parts, ignore_index=True))
    whole.insert(0, "on", whole.pop("on"))
    return whole if len(parts) > 1 else whole.drop(columns="on")


def summary(found):
    """How many goals are met: a dict with ``goals``, ``met`` and ``missed``, counts over all rows
    of ``found``, a dict of :class:`Results`.
    """
    verdicts = [
        row.met for results in found.values() for row in results.rows if row.met is not None
    ]
    return {"goals": len(verdicts), "met": sum(verdicts), "missed": len(verdicts) - sum(verdicts)}


def _made(kind, one):
    known = {one.name for one in fields(kind)}
    if set(one) - known:
        raise ValueError(f"unknown fields {', '.join(sorted(set(one) - known))}")
    return kind(**one)
