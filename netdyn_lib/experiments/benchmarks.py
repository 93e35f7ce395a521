"""Speed and memory as measured: ratios to rivals of the same run, and growth with the work.

A file of measurements is JSON, written by ``make bench`` and read here.

>>> row = Row("Iris", "a loop", (1.0, 2.0, 1.0), (100.0, 180.0, 120.0), "µs a step", goal=100)
>>> row.ratio, (row.low, row.high), row.met
(100.0, (90.0, 120.0), True)
"""

import math
import re
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


@dataclass(frozen=True)
class Row:
    """Some work beside a rival that does the same, in the same rounds of one run.

    ``ours`` and ``theirs`` (R,) are times in ``unit``, or where ``rate`` rates, in as many rounds.
    ``goal`` is the least ratio aimed at, None where none was set.  ``accuracy`` says by how much
    the two results differ, ``group`` the part of the benchmarks, ``limit`` what keeps the work from
    its goal where it is missed.
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
                f"{self.work}: {len(self.ours)} rounds of ours and {len(self.theirs)} of the "
                "rival's: they are measured in turn"
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
        ours, theirs = _short(np.median(self.ours)), _short(np.median(self.theirs))
        told = [
            f"{self.work}: {ours} {self.unit}",
            f"{self.rival}: {theirs}",
            f"ratio {_ranged(self)}, {len(self.ours)} rounds",
        ]
        if self.goal is not None:
            told.append(f"goal {self.goal:.3g}, {'met' if self.met else 'missed'}")
        if self.met is False and self.limit:
            told.append(f"what limits it: {self.limit}")
        return "; ".join(told + [self.accuracy] * bool(self.accuracy))


@dataclass(frozen=True)
class Work:
    """One work beside one rival: its rows by number of threads, ``threads`` → tuple of rows.

    Several rows of one number of threads are variants, such as two activations.
    """

    name: str
    rival: str
    threads: dict

    @property
    def goal(self):
        """The goal of its rows, the greatest where they differ; None where none was set."""
        return max((row.goal for row in self.rows if row.goal is not None), default=None)

    @property
    def rows(self):
        """All rows, (K,)."""
        return tuple(row for some in self.threads.values() for row in some)

    def told(self, threads):
        """Return the median ratio with so many threads, from the least to the greatest variant."""
        found = [row.ratio for row in self.threads.get(threads, ())]
        words = dict.fromkeys(_short(one) for one in (min(found), max(found))) if found else {}
        return " to ".join(words)


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
            if values is None:
                continue
            if len(values) != len(self.sizes) or not all(0 <= v < math.inf for v in values):
                raise ValueError(
                    f"{self.work}: {name} {values}: expected {len(self.sizes)} numbers that are "
                    "not negative"
                )

    def __str__(self):
        told = {self.quantity: self.sizes, "s": self.seconds, "MiB": self.mebibytes or ()}
        return f"{self.work}: " + "; ".join(
            f"{name} {', '.join(map(_short, values))}" for name, values in told.items() if values
        )

    def exponent(self, what="seconds", level=0.95):
        """Return the exponent a of time (or ``what="mebibytes"``) ∝ sizeᵃ, an Interval.

        By least squares of logarithms, with Student's t.
        """
        values = getattr(self, what)
        if values is None or min(values) <= 0:
            raise ValueError(f"{self.work}: {what} = {values}: an exponent needs positive numbers")
        fit = stats.linregress(np.log(self.sizes), np.log(values))
        half = stats.t.ppf((1 + level) / 2, len(self.sizes) - 2) * fit.stderr
        return Interval(float(fit.slope), float(fit.slope - half), float(fit.slope + half), level)


@dataclass(frozen=True)
class Results:
    """One run of the benchmarks.

    ``about`` is :func:`netdyn_lib.results.provenance.describe` with ``commit``, ``date`` and
    ``duration_s``; ``published_in`` the file it was published in, None for what was measured here.
    """

    about: dict
    rows: tuple
    growths: tuple
    published_in: str | None = field(default=None, compare=False)

    def by_group(self):
        """Return the rows (K,), those of a part of the benchmarks together."""
        groups = dict.fromkeys(row.group for row in self.rows)
        return tuple(row for group in groups for row in self.rows if row.group == group)

    def by_work(self):
        """Return each :class:`Work` beside each rival, with its numbers of threads side by side.

        Work and rival are called by what stands before the first comma or colon; shares of the
        machine's rate are left out.  What names no threads was measured with all of them.
        """
        found = {}
        for row in (row for row in self.by_group() if not row.shares):
            names = re.split(", ", row.work)[0], re.split("[,:] ", row.rival)[0]
            threads = re.search(r"(\d+) threads?\b", row.work)
            count = int(threads[1]) if threads else int(self.about.get("threads", 1))
            found.setdefault(names, {}).setdefault(count, []).append(row)
        return tuple(
            Work(*names, {count: tuple(rows) for count, rows in sorted(threads.items())})
            for names, threads in found.items()
        )

    def side_by_side(self):
        """Return a pandas DataFrame with a line for each work and rival: ratios by threads."""
        works = self.by_work()
        counts = sorted({count for work in works for count in work.threads})
        return pd.DataFrame(
            {
                "work": work.name,
                "beside": work.rival,
                **{f"{n} thread{'s' * (n > 1)}": work.told(n) for n in counts},
                "goal": "" if work.goal is None else f"{work.goal:.3g}",
            }
            for work in works
        )

    def table(self):
        """Return the rows as a pandas DataFrame, by part of the benchmarks."""
        return pd.DataFrame(
            {
                "part": row.group,
                "work": row.work,
                "rival": row.rival,
                "ours": f"{_short(np.median(row.ours))} {row.unit}",
                "rival's": _short(np.median(row.theirs)),
                "ratio": _ranged(row),
                "goal": "" if row.goal is None else f"{row.goal:.3g}",
                "met": {None: "", True: "yes", False: "no"}[row.met],
                "what limits it": row.limit * (row.met is False),
                "difference of results": row.accuracy,
            }
            for row in self.by_group()
        )


def _short(value):
    """Three digits, as people write them."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ranged(row):
    return f"{_short(row.ratio)} ({_short(row.low)} to {_short(row.high)})"


def save(path, results):
    """Write measurements to ``path``, whole or not at all."""
    rows, growths = ([asdict(one) for one in some] for some in (results.rows, results.growths))
    content = {"format": _FORMAT, "about": results.about, "rows": rows, "growths": growths}
    store.write_json(path, content)


def load(path):
    """Return the :class:`Results` of a file; an error says how it is made, or what it is."""
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
    """Return the measurements that the book shows, a dict of :class:`Results`.

    Of ``"cpu"``, and of ``"gpu"`` where there are some, from the folder ``root``.
    """
    root = Path(root or folder())
    if not (root / f"{NAMES[0]}.json").exists():
        raise FileNotFoundError(
            f"no measurements are published in {root}: {COMMAND} measures, and keeps what it finds "
            "there"
        )
    paths = {name: root / f"{name}.json" for name in NAMES}
    return {
        name: provenance.published_in(load(path), path)
        for name, path in paths.items()
        if path.exists()
    }


def _made(kind, one):
    known = {one.name for one in fields(kind)}
    if set(one) - known:
        raise ValueError(f"unknown fields {', '.join(sorted(set(one) - known))}")
    return kind(**one)
