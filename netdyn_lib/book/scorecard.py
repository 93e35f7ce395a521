"""Gather every measured claim from the executed notebooks."""

import io
import json
from csv import DictWriter as writer

from ..results import claims
from . import forms
from .project import PipelineError

#: Fields of one row of ``claims.json``, in order.
FIELDS = (
    "id",
    "paper",
    "reference",
    "figure",
    "chapter",
    "shown",
    "statement",
    "paper_value",
    "measured",
    "low",
    "high",
    "interval_kind",
    "verdict",
    "rule",
    "saw",
    "source",
    "profile",
    "device",
    "commit",
)
#: Those that come from the notebook's run, and those that a measurement does not carry.
RUN = ("profile", "device", "commit")
ADDED = ("reference", "chapter", "shown", *RUN)


def gather(notebooks, path):
    """Rows of the scorecard.

    Parameters
    ----------
    notebooks : dict of str to nbformat.NotebookNode
        Executed notebooks by name.
    path : path-like
        The claims file.

    Returns
    -------
    list of dict
        One for each measured claim, in the order of the claims file, with the
        keys :data:`FIELDS`.

    Raises
    ------
    PipelineError
        For a measurement of a claim that the file does not have or that
        stands there in other words, for a claim measured twice, for a
        measurement by an older library, and for a claims file that cannot be
        read.
    """
    with forms.told():
        known, (references, _), found = claims.load(path), claims.entries(path), {}
    for name, nb in notebooks.items():
        for row in _measured(nb):
            claim = known.get(row["id"])
            if claim is None:
                raise PipelineError(
                    f"{name} measured the claim {row['id']!r}, which {path.name} does not have"
                )
            lacking = [field for field in FIELDS if field not in row and field not in ADDED]
            if lacking:
                raise PipelineError(
                    f"{name} measured {row['id']!r} by an older library, without {', '.join(lacking)}: execute the notebook again"
                )
            if claim.rule != row["rule"] or claim.statement != row["statement"]:
                raise PipelineError(
                    f"{name} measured {row['id']!r} before {path.name} changed it: execute the notebook again"
                )
            if row["id"] in found:
                raise PipelineError(
                    f"the claim {row['id']!r} is measured twice, in {found[row['id']]['chapter']} and {name}"
                )
            whole = row | {
                "reference": references.get(row["paper"], row["paper"]),
                "chapter": name,
                "shown": claim.shown,
            }
            whole |= {k: nb.metadata.netdyn[k] for k in RUN}
            found[row["id"]] = {field: whole[field] for field in FIELDS}
    return [found[id] for id in known if id in found]


def counts(rows):
    """How many rows have each verdict."""
    return {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in claims.VERDICTS}


def dumps(rows):
    """The rows as JSON text; NaN and infinity are refused, for JSON has neither."""
    return json.dumps(rows, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def csv(rows, fields=FIELDS):
    """The rows as comma-separated values, a line for each below the names of the fields; what else
    a row has is left out.
    """
    text = io.StringIO()
    lines = writer(text, fields, lineterminator="\n", extrasaction="ignore")
    lines.writeheader()
    lines.writerows(rows)
    return text.getvalue()


def _measured(nb):
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            rows = output.get("data", {}).get(claims.MIME)
            if rows is not None:
                yield from rows
