"""What the papers claim, what we measured, and the verdict.

``book/claims.yml`` states each claim with the quantity that tests it and two
ranges of that quantity, written down before it is measured.  A measurement
that falls in the first range is *reproduced*, in the second *partly*, and
otherwise *not reproduced*.  Nothing else enters the verdict.  Where what was
run can decide nothing either way, the claim is *not tested*, and it is said why.
"""

import html
import math
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path

from . import provenance, reading

MIME = "application/vnd.netdyn.claims+json"
#: What a claim can turn out to be.
VERDICTS = ("reproduced", "partly", "not reproduced", "not tested")
#: Kinds of interval: of sampling, or bounds of the error of a computation that samples nothing.
INTERVALS = ("95%", "numerical")


@dataclass(frozen=True)
class Range:
    """A closed interval; ``None`` leaves a side open.

    >>> 0.3 in Range(0.25, None), str(Range(0.25, None)), str(Range(0, 1))
    (True, '≥ 0.25', '0 to 1')
    """

    low: float | None = None
    high: float | None = None

    def __contains__(self, value):
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self):
        if self.low is None:
            return f"≤ {self.high:g}"
        return f"≥ {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Claim:
    """One claim of one paper.

    ``quantity`` says in words what is measured; ``reproduced`` and ``partly`` are the ranges that
    decide (``partly`` contains ``reproduced``). ``revised`` says what of this was changed after a
    first measurement, and why; ``shown`` names the figure of the chapter that shows the quantity
    best, None where none does; ``judged_on`` what the verdict holds for where that is not the
    paper's own task, as "our task".
    """

    id: str
    paper: str
    figure: str
    chapter: str
    statement: str
    paper_value: str | float | None
    quantity: str
    reproduced: Range
    partly: Range | None = None
    revised: str | None = None
    shown: str | None = None
    judged_on: str | None = None

    @property
    def rule(self):
        """Return the deciding rule, as a sentence, and how it was revised."""
        partly = f", partly if {self.partly}" if self.partly else ""
        rule = f"{self.quantity}: reproduced if {self.reproduced}{partly}, else not reproduced."
        return rule + (
            f" Revised after a first measurement: {self.revised}" if self.revised else ""
        )

    def judge(self, value):
        """Return the verdict for a measured value, None for a claim that could not be tested."""
        if value is None:
            return "not tested"
        if value in self.reproduced:
            return "reproduced"
        return "partly" if self.partly is not None and value in self.partly else "not reproduced"

    def judge_all(self, values):
        """Return the verdict for several readings of the quantity: theirs where all agree, else
        *partly*.
        """
        verdicts = {self.judge(value) for value in values}
        return verdicts.pop() if len(verdicts) == 1 else "partly"

    def in_words(self, readings):
        """Return readings of the quantity, name to value, NaN for none, by verdict; a sentence."""
        groups = {verdict: [] for verdict in VERDICTS}
        for name, value in readings.items():
            groups[self.judge(None if math.isnan(value) else value)].append(f"{name} {value:.2f}")
        told = "; ".join(
            f"{verdict}: {', '.join(some)}" for verdict, some in groups.items() if some
        )
        return f"{told[:1].upper()}{told[1:]}."


@dataclass(frozen=True)
class Measurement:
    """A measured claim: the estimate, its interval and the kind of that, and what was seen.

    ``readings`` are further values of it, where the paper's words can be read in several ways.
    ``measured`` is None for a claim that could not be tested; ``saw`` then says why.  ``sources``
    are those of the numbers that it rests on, as of :func:`netdyn_lib.results.provenance.of`; ``n``
    how many independent values, None where that is not known or nothing is sampled.
    """

    claim: Claim
    measured: float | None
    low: float | None = None
    high: float | None = None
    saw: str = ""
    interval: str = INTERVALS[0]
    sources: tuple = (provenance.HERE,)
    readings: tuple = ()
    n: int | None = None

    @property
    def verdict(self):
        """Return the claim's verdict on the measured value and all readings."""
        return self._judge(self.measured)

    def _judge(self, measured):
        return self.claim.judge_all((measured, *self.readings))

    @property
    def decisive(self):
        """Return whether both ends of the interval would have the same verdict; a measurement
        without one is decisive, a claim not tested never.
        """
        ends = [v for v in (self.low, self.high) if v is not None]
        return self.measured is not None and all(self._judge(v) == self.verdict for v in ends)

    def row(self):
        """Return the measurement as plain data, one row of the scorecard."""
        told = asdict(self.claim)
        for key in ("reproduced", "partly", "shown"):
            del told[key]
        kind = None if self.low is None and self.high is None else self.interval
        told |= dict(rule=self.claim.rule, measured=self.measured, low=self.low, high=self.high)
        told |= dict(interval_kind=kind, n=self.n, saw=self.saw, verdict=self.verdict)
        return told | dict(source=provenance.in_words(self.sources))


def fitting(*judged):
    """Return the names of the readings that are *reproduced* in each of some (claim, readings by
    name), in words.

    >>> claim = Claim("A", "D", "Fig. 1", "one", "s", 1, "q", Range(0, 1))
    >>> fitting((claim, dict(slope=0.5, ramp=0.6)), (claim, dict(slope=0.4, ramp=3.0)))
    'slope'
    """
    first = judged[0][1]
    fit = (n for n in first if all(claim.judge(r[n]) == "reproduced" for claim, r in judged))
    return ", ".join(fit) or "none"


def load(path=None):
    """Return the claims of a file, id → :class:`Claim`, in its order.

    Parameters
    ----------
    path : path-like, optional
        A claims file; by default ``book/claims.yml`` of the repository that
        this library lies in.

    Raises
    ------
    FileNotFoundError
        When there is no such file (the library was installed without the book).
    netdyn_lib.results.reading.Unreadable
        For what is no claims file, two claims of one name, a claim that lacks
        something or has something of another kind, or a ``partly`` range that
        does not contain the ``reproduced`` one.
    """
    path = Path(path or Path(__file__).resolve().parents[2] / "book" / "claims.yml")
    claims = {}
    for number, entry in enumerate(entries(path)[1], 1):
        try:
            claim = _claim(entry)
            if claim.id in claims:
                raise ValueError(f"claim {claim.id!r} stands twice")
        except ValueError as error:
            raise reading.Unreadable(f"{path}, entry {number} of its claims: {error}") from None
        claims[claim.id] = claim
    return claims


def entries(path):
    """Return what stands in a claims file: the papers, name → key of the reference, and its list
    of claims.

    Raises
    ------
    FileNotFoundError, netdyn_lib.results.reading.Unreadable
        As :func:`load`, but for the claims themselves.
    """
    if not Path(path).exists():
        why = "they are part of the companion's repository: pass path="
        raise FileNotFoundError(f"no claims at {path}; {why}")
    whole = reading.from_yaml(path)
    if not isinstance(whole, dict) or "claims" not in whole:
        why = "is it another file, or cut short?"
        raise reading.Unreadable(f"{path} has no key 'claims' with a list of claims: {why}")
    papers, found = whole.get("papers") or {}, whole["claims"] or []
    for key, value, kind in (("papers", papers, dict), ("claims", found, list)):
        if not isinstance(value, kind):
            what = "a mapping" if kind is dict else "a list, each entry of which begins with '-'"
            has = f"the {type(value).__name__} {str(value)[:40]!r}"
            raise reading.Unreadable(f"{path}: {key} is {has}, not {what}")
    return papers, found


def _claim(entry):
    if not isinstance(entry, dict):
        raise ValueError(f"{entry!r} is no mapping with id, paper, figure and so on")
    name = f"claim {entry.get('id')!r}"
    needed = {one.name: one.default is MISSING for one in fields(Claim)}
    lacking = [key for key in needed if needed[key] and key not in entry]
    unknown = [str(key) for key in entry if key not in needed]
    if lacking:
        raise ValueError(f"{name} lacks {', '.join(lacking)}: is a key misspelt?")
    if unknown:
        raise ValueError(f"{name} has the unknown key {', '.join(unknown)}: is it misspelt?")
    texts = ("id", "paper", "figure", "chapter", "statement", "quantity")
    for key in (*texts, "revised", "shown", "judged_on"):
        empty = entry.get(key) is None and not needed[key]
        if not (empty or isinstance(entry[key], str) and entry[key]):
            raise ValueError(f"{name}: {key} is {entry[key]!r}, not a text: does it lack quotes?")
    if isinstance(entry["paper_value"], list | dict):
        raise ValueError(f"{name}: paper_value is {entry['paper_value']!r}, not a number or a text")
    ranges = {k: entry.get(k) for k in ("reproduced", "partly")}
    ranges = {k: _range(name, k, v) for k, v in ranges.items() if v is not None or needed[k]}
    claim = Claim(**entry | ranges)
    if claim.partly is not None:
        inner, outer = claim.reproduced, claim.partly
        wide = inner.low is not None or outer.low is None
        wide &= inner.high is not None or outer.high is None
        if not wide or any(end is not None and end not in outer for end in (inner.low, inner.high)):
            raise ValueError(f"{name}: partly ({outer}) must contain reproduced ({inner})")
    return claim


def _range(name, key, value):
    known = [v for v in value if v is not None] if isinstance(value, list) else []
    numbers = all(type(v) in (int, float) and math.isfinite(v) for v in known)
    if not known or not numbers or len(value) != 2:
        what = "not [low, high] of two numbers, one of them null at most"
        raise ValueError(f"{name}: {key} is {value!r}, {what}")
    if known[0] > known[-1]:
        raise ValueError(f"{name}: {key} is {value!r}: low is above high")
    return Range(*value)


@dataclass(frozen=True)
class Remarks:
    """What a measurement is entered with, beside the number and its interval.

    Attributes
    ----------
    saw : str
        What was seen, in one sentence; a claim that is not reproduced
        needs one, or the scorecard is not shown.
    interval : {"95%", "numerical"}
        Whether ``low`` and ``high`` are a 95% interval, or bound the
        error of a computation in which nothing is sampled.
    untested : str
        Why the quantity may be without a value, in one sentence.  With it a
        ``measured`` that is NaN is the verdict *not tested*; without, an error.
    source : xarray.Dataset or the like, optional
        The data that the quantity was taken from, as for :func:`netdyn_lib.results.provenance.of`;
        without, it was computed in this run.
    readings : dict of str to float, optional
        What each reading of the paper's words gives.  All are judged by the claim's ranges,
        and told before ``saw``; where they do not agree, the verdict is *partly*.
        NaN decides nothing.
    n : int, optional
        Independent values (networks, initial conditions) behind the number, where ``measured`` is
        no interval that knows its own count.
    """

    saw: str = ""
    interval: str = INTERVALS[0]
    untested: str = ""
    source: object = None
    readings: dict | None = None
    n: int | None = None


@dataclass
class Scorecard:
    """The claims of one chapter, as a notebook measures them.

    A notebook calls :meth:`measure` once for each claim of its chapter and
    shows the scorecard in its last cells.  Shown, it is a table for readers
    and, beside it, plain data from which the book's scorecard is gathered.
    With sizes that were ``changed``, as :func:`netdyn_lib.experiments.sizes.sizes` says, it judges
    no claim.
    """

    chapter: str
    path: str | None = None
    measurements: dict = field(default_factory=dict)
    changed: dict = field(default_factory=dict)

    def __post_init__(self):
        self._claims = {k: c for k, c in load(self.path).items() if c.chapter == self.chapter}
        if not self._claims:
            raise ValueError(f"no claim names the chapter {self.chapter!r}")

    def measure(self, id, measured, low=None, high=None, **remarks):
        """Enter one measurement; show nothing, so that a cell may end in it.

        Parameters
        ----------
        id : str
            A claim of this chapter.
        measured : float or Interval
            The estimate of the claim's quantity, or
            :class:`netdyn_lib.statistics.intervals.Interval` with its ends and count.
        low, high : float, optional
            The interval of a float, None for a quantity that has none.  NaN says that there are too
            few values for one (:mod:`netdyn_lib.statistics.intervals`): the verdict is *not
            tested*, whatever was measured.
        **remarks
            ``saw``, ``interval``, ``untested``, ``source``, ``readings`` and ``n``, as of
            :class:`Remarks`.

        Raises
        ------
        KeyError
            For an id that is not a claim of this chapter.
        ValueError
            For a measurement that is not a finite number, an interval the
            wrong way round, or a kind of interval that there is not.
        """
        if id not in self._claims:
            known = ", ".join(self._claims)
            raise KeyError(f"{id!r} is not a claim of {self.chapter}; its claims: {known}")
        told, claim = Remarks(**remarks), self._claims[id]
        n = told.n
        if hasattr(measured, "estimate"):
            n = measured.count if n is None else n
            measured, low, high = measured
        saw, untested, sources = told.saw.strip(), told.untested.strip(), provenance.of(told.source)
        measured, low, high = (None if v is None else float(v) for v in (measured, low, high))
        if self.changed:
            sizes = ", ".join(f"{name} = {value!r}" for name, value in self.changed.items())
            measured = math.nan
            untested = f"This run's sizes are not the profile's ({sizes}): it judges no claim."
        elif math.isfinite(measured) and any(v is not None and math.isnan(v) for v in (low, high)):
            few = "Too few values for an interval, and so for a verdict"
            measured, untested = math.nan, f"{few}; their estimate is {measured:.3g}. {saw}".strip()
        if math.isnan(measured) and untested:
            self.measurements[id] = Measurement(claim, None, saw=untested, sources=sources, n=n)
            return
        if not all(math.isfinite(v) for v in (measured, low, high) if v is not None):
            hint = "; say in untested= why it could not be measured" if math.isnan(measured) else ""
            found = f"measured {measured} in [{low}, {high}]"
            raise ValueError(f"claim {id!r}: {found} is not finite{hint}")
        if low is not None and high is not None and low > high:
            raise ValueError(f"claim {id!r}: interval [{low}, {high}] is the wrong way round")
        if told.interval not in INTERVALS:
            kinds = f"{told.interval!r}; known: {', '.join(INTERVALS)}"
            raise ValueError(f"claim {id!r}: unknown kind of interval {kinds}")
        readings = told.readings or {}
        saw = f"{claim.in_words(readings)} {saw}".strip() if readings else saw
        known = tuple(float(v) for v in readings.values() if not math.isnan(v))
        self.measurements[id] = Measurement(
            claim, measured, low, high, saw, told.interval, sources, known, n
        )

    def _complete(self):
        missing = [k for k in self._claims if k not in self.measurements]
        if missing:
            raise ValueError(f"{self.chapter} has not measured: {', '.join(missing)}")
        rows = [self.measurements[k] for k in self._claims]
        silent = ", ".join(
            f"{m.claim.id} ({m.verdict}, measured {m.measured:.6g})"
            for m in rows
            if m.verdict not in ("reproduced", "not tested") and not m.saw
        )
        if silent:
            raise ValueError(f"{self.chapter} does not say what was seen instead (saw=): {silent}")
        return rows

    def verdicts(self, decisive=False):
        """Return one line for each claim: its id and verdict.

        With ``decisive``, only for claims whose whole interval has that verdict:
        those that another processor, on which a chaotic run ends otherwise, may be
        expected to give as well.  Raises ValueError while a claim is unmeasured.
        """
        rows = [m for m in self._complete() if m.decisive or not decisive]
        on = {m.claim.id: f" on {m.claim.judged_on}" * bool(m.claim.judged_on) for m in rows}
        return "\n".join(f"{m.claim.id}: {m.verdict}{on[m.claim.id]}" for m in rows)

    def rows(self):
        """Return the scorecard as a list of plain dicts.

        Raises
        ------
        ValueError
            While a claim is unmeasured, or is not reproduced and nothing says
            what was seen instead.
        """
        return [m.row() for m in self._complete()]

    def _repr_mimebundle_(self, include=None, exclude=None):
        rows = self.rows()
        return {"text/plain": self.verdicts(), "text/html": table(rows), MIME: rows}


def interval(row):
    """Return ``measured`` with its interval, for a table cell.

    >>> interval(dict(measured=0.31, low=0.302, high=0.325, interval_kind="95%"))
    '0.31 [0.302, 0.325]'
    >>> interval(dict(measured=4.669201, low=4.669199, high=4.669203, interval_kind="numerical"))
    '4.669201 ± 2e-06 numerical'
    >>> interval(dict(measured=0.5, low=0.5, high=0.51, interval_kind="numerical"))
    '0.5 [0.5, 0.51] numerical'
    >>> interval(dict(measured=None, low=None, high=None, interval_kind=None))
    '–'
    """
    measured, low, high = row["measured"], row["low"], row["high"]
    if measured is None:
        return "–"
    if low is None or high is None:
        return f"{measured:.3g}"
    error = (high - low) / 2
    numerical = row["interval_kind"] == "numerical"
    if numerical and error > 0 and abs((low + high) / 2 - measured) < 1e-3 * error:
        digits = max(0, math.ceil(-math.log10(error)))  # to the place of the error
        return f"{measured:.{digits}f} ± {error:.0e} numerical"
    return f"{measured:.3g} [{low:.3g}, {high:.3g}]" + " numerical" * numerical


def origin(row):
    """Return where the numbers of a gathered row come from: the profile and device of its chapter's
    run, a published file, or both.

    >>> origin(dict(source="published in arms/usps.npz", profile="laptop", device="cpu"))
    'published in arms/usps.npz'
    >>> origin(dict(source="computed here", profile="laptop", device="cpu"))
    'laptop, cpu'
    """
    return row["source"].replace(provenance.HERE, f"{row['profile']}, {row['device']}")


def table(rows, address=None, others=None, changed=None):
    """Return rows of a scorecard as an HTML table.

    ``address`` gives the link to the figure of a row, or None; rows that were gathered from runs
    also say their :func:`origin`.  ``others`` has rows of further runs by claim, each with its
    profile, device and verdict.  ``changed`` says of a claim how often it changed since it was
    entered; the row then leads to the place ``claim-changes`` of its page.  Each line of the table
    has its paper, chapter and verdict as data attributes.
    """

    def small(text):
        return f"<br><small>{text}</small>"

    def other(row):
        told = f"{html.escape(origin(row))}: {interval(row)}, {html.escape(row['verdict'])}"
        return small(told)

    heads, body = ("claim", "paper", "ours", "verdict"), []
    for row in rows:
        safe = {key: html.escape(str(value)) for key, value in row.items()}
        words = f"<b>{safe['id']}</b> ({safe['figure']})<br>{safe['statement']}"
        words += small(safe["rule"]) + (small(f"Seen: {safe['saw']}") if row["saw"] else "")
        place = address(row) if address is not None else None
        if place:
            words += small(f'<a href="{html.escape(place)}">Figure of {safe["id"]}</a>')
        times = (changed or {}).get(row["id"])
        if times:
            told = f"{times} change{'s' * (times > 1)} of {safe['id']} since it was entered"
            words += small(f'<a href="#claim-changes">{told}</a>')
        known = row["measured"] is not None or row["source"] != provenance.HERE
        run = small(html.escape(origin(row))) if "profile" in row and known else ""
        further = "".join(other(one) for one in (others or {}).get(row["id"], ()))
        verdict, kind = safe["verdict"], safe["verdict"].replace(" ", "-")
        on = small(f"on {safe['judged_on']}") if row.get("judged_on") else ""
        on += small(f"n = {row['n']:,}") if row.get("n") else ""
        cells = (
            words,
            "" if row["paper_value"] is None else safe["paper_value"],
            interval(row) + run + further,
            f'<span class="verdict verdict-{kind}">{verdict}</span>{on}',
        )
        names = [name for name in ("paper", "chapter", "verdict") if name in row]
        data = " ".join(f'data-{name}="{safe[name]}"' for name in names)
        named = zip(heads, cells)
        line = "".join(f'<td role="cell" data-column="{h}">{c}</td>' for h, c in named)
        body.append(f'<tr id="claim-{safe["id"]}" role="row" {data}>{line}</tr>')
    header = "".join(f'<th scope="col" role="columnheader">{head}</th>' for head in heads)
    # On a telephone the style sheet stacks the cells of a row: roles keep the table one.
    return (
        f'<table class="scorecard" role="table"><thead role="rowgroup"><tr role="row">{header}</tr>'
        f'</thead><tbody role="rowgroup">{"".join(body)}</tbody></table>'
    )
