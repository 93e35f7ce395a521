"""What the papers claim, what we measured, and the verdict.

``book/claims.yml`` states each claim with the quantity that tests it and two
ranges of that quantity, written down before it is measured.  A measurement
that falls in the first range is *reproduced*, in the second *partly*, and
otherwise *not reproduced*.  Nothing else enters the verdict.
"""

import html
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

MIME = "application/vnd.netdyn.claims+json"
VERDICTS = ("reproduced", "partly", "not reproduced")


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
        if self.high is None:
            return f"≥ {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Claim:
    """One claim of one paper.

    ``quantity`` says in words what is measured; ``reproduced`` and ``partly``
    are the ranges that decide (``partly`` contains ``reproduced``).
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

    @property
    def rule(self):
        """The deciding rule, as a sentence."""
        text = f"{self.quantity}: reproduced if {self.reproduced}"
        return text + (f", partly if {self.partly}" if self.partly else "") + ", else not reproduced."

    def judge(self, value):
        """Verdict for a measured value."""
        if value in self.reproduced:
            return "reproduced"
        if self.partly is not None and value in self.partly:
            return "partly"
        return "not reproduced"


@dataclass(frozen=True)
class Measurement:
    """A measured claim: the estimate, its 95% interval, and what was seen."""

    claim: Claim
    measured: float
    low: float | None = None
    high: float | None = None
    saw: str = ""

    @property
    def verdict(self):
        return self.claim.judge(self.measured)

    def row(self):
        """The measurement as plain data, one row of the scorecard."""
        plain = {k: v for k, v in asdict(self.claim).items() if k not in ("reproduced", "partly")}
        return plain | dict(
            rule=self.claim.rule,
            measured=self.measured,
            low=self.low,
            high=self.high,
            saw=self.saw,
            verdict=self.verdict,
        )


def _root():
    return Path(__file__).resolve().parent.parent


def load(path=None):
    """Read the claims.

    Parameters
    ----------
    path : path-like, optional
        A claims file; by default ``book/claims.yml`` of the repository that
        this library lies in.

    Returns
    -------
    dict of str to Claim
        In the order of the file.

    Raises
    ------
    FileNotFoundError
        When there is no such file (the library was installed without the book).
    ValueError
        For two claims of one name, or a ``partly`` range that does not
        contain the ``reproduced`` one.
    """
    path = Path(path) if path is not None else _root() / "book" / "claims.yml"
    if not path.exists():
        raise FileNotFoundError(f"no claims at {path}; they are part of the companion's repository: pass path=")
    claims = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["claims"]:
        entry = dict(entry)
        entry["reproduced"] = Range(*entry["reproduced"])
        if entry.get("partly") is not None:
            entry["partly"] = Range(*entry["partly"])
            _check_nested(entry)
        if entry["id"] in claims:
            raise ValueError(f"claim {entry['id']!r} stands twice in {path}")
        claims[entry["id"]] = Claim(**entry)
    return claims


def _check_nested(entry):
    inner, outer = entry["reproduced"], entry["partly"]
    for bound in (inner.low, inner.high):
        if bound is not None and bound not in outer:
            raise ValueError(f"claim {entry['id']!r}: partly ({outer}) must contain reproduced ({inner})")
    if (inner.low is None and outer.low is not None) or (inner.high is None and outer.high is not None):
        raise ValueError(f"claim {entry['id']!r}: partly ({outer}) must contain reproduced ({inner})")


@dataclass
class Scorecard:
    """The claims of one chapter, as a notebook measures them.

    A notebook calls :meth:`measure` once for each claim of its chapter and
    shows the scorecard in its last cells.  Shown, it is a table for readers
    and, beside it, plain data from which the book's scorecard is gathered.
    """

    chapter: str
    path: str | None = None
    measurements: dict = field(default_factory=dict)

    def __post_init__(self):
        self._claims = {k: c for k, c in load(self.path).items() if c.chapter == self.chapter}
        if not self._claims:
            raise ValueError(f"no claim names the chapter {self.chapter!r}")

    def measure(self, id, measured, low=None, high=None, saw=""):
        """Enter one measurement and return it.

        Parameters
        ----------
        id : str
            A claim of this chapter.
        measured : float
            The estimate of the claim's quantity.
        low, high : float, optional
            Its 95% interval.
        saw : str
            What was seen, in one sentence; required reading when the claim
            does not reproduce.

        Raises
        ------
        KeyError
            For an id that is not a claim of this chapter.
        ValueError
            For a measurement that is not a finite number, or an interval the
            wrong way round.
        """
        if id not in self._claims:
            raise KeyError(f"{id!r} is not a claim of {self.chapter}; its claims: {', '.join(self._claims)}")
        measured = float(measured)
        low, high = (None if v is None else float(v) for v in (low, high))
        if not all(math.isfinite(v) for v in (measured, low, high) if v is not None):
            raise ValueError(f"claim {id!r}: measured {measured} in [{low}, {high}] is not finite")
        if low is not None and high is not None and low > high:
            raise ValueError(f"claim {id!r}: interval [{low}, {high}] is the wrong way round")
        self.measurements[id] = Measurement(self._claims[id], measured, low, high, saw)
        return self.measurements[id]

    def _complete(self):
        missing = [k for k in self._claims if k not in self.measurements]
        if missing:
            raise ValueError(f"{self.chapter} has not measured: {', '.join(missing)}")
        return [self.measurements[k] for k in self._claims]

    def verdicts(self):
        """One line for each claim: its id and verdict.  Raises ValueError while a claim is unmeasured."""
        return "\n".join(f"{m.claim.id}: {m.verdict}" for m in self._complete())

    def rows(self):
        """The scorecard as a list of plain dicts.  Raises ValueError while a claim is unmeasured."""
        return [m.row() for m in self._complete()]

    def _repr_mimebundle_(self, include=None, exclude=None):
        rows = self.rows()
        return {"text/plain": self.verdicts(), "text/html": table(rows), MIME: rows}


def interval(row):
    """``measured`` with its interval, for a table cell."""
    text = f"{row['measured']:.3g}"
    if row["low"] is not None and row["high"] is not None:
        text += f" [{row['low']:.3g}, {row['high']:.3g}]"
    return text


def table(rows):
    """Rows of a scorecard as an HTML table."""
    head = ("claim", "paper", "ours [95%]", "verdict")
    body = []
    for row in rows:
        words = html.escape(row["statement"])
        words += f"<br><small>{html.escape(row['rule'])}</small>"
        if row["saw"]:
            words += f"<br><small>Seen: {html.escape(row['saw'])}</small>"
        value = "" if row["paper_value"] is None else html.escape(str(row["paper_value"]))
        verdict = row["verdict"]
        cells = (
            f"<b>{html.escape(row['id'])}</b> ({html.escape(row['figure'])})<br>{words}",
            value,
            interval(row),
            f'<span class="verdict verdict-{verdict.replace(" ", "-")}">{verdict}</span>',
        )
        body.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    header = "".join(f"<th>{h}</th>" for h in head)
    return f'<table class="scorecard"><thead><tr>{header}</tr></thead><tbody>{"".join(body)}</tbody></table>'
