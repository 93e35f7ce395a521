"""The scorecard: every measured claim of the executed notebooks, and kept runs beside them.

A kept run, of another profile or device, is one JSON file of ``book/results/runs`` with its
verdicts, time and memory, written from an executed copy by ``python -m netdyn_lib.book record``.
"""

import io
import json
from csv import DictWriter

from ..results import claims, store
from . import forms, notebooks
from .project import PipelineError

#: Fields of one row of ``claims.json``, in order.
FIELDS = (
    *("id", "paper", "reference", "figure", "chapter", "shown", "statement", "paper_value"),
    *("measured", "low", "high", "interval_kind", "n"),
    *("verdict", "judged_on", "rule", "saw", "source"),
    *("profile", "device", "commit"),
)
#: Those that come from the notebook's run, and those that a measurement does not carry.
RUN = ("profile", "device", "commit")
ADDED = ("reference", "chapter", "shown", "judged_on", "n", *RUN)
#: Fields of a kept run, and of what it measured of a claim.
KEPT_RUN = (
    *("chapter", "profile", "device", "seed", "commit", "executed", "duration_s", "peak_mb"),
    *("machine", "versions"),
)
KEPT_ROW = ("id", "rule", "measured", "low", "high", "interval_kind", "verdict", "source")


def gather(runs, path):
    """Return the rows of the scorecard, dicts with the keys :data:`FIELDS`.

    Parameters
    ----------
    runs : dict of str to nbformat.NotebookNode
        Executed notebooks by name.
    path : path-like
        The claims file, in whose order the rows are.

    Raises
    ------
    PipelineError
        For a measurement of a claim that the file lacks or has in other words, that was measured
        twice, or by an older library.
    """
    with forms.told():
        known, (references, _), found = claims.load(path), claims.entries(path), {}
    for name, nb in runs.items():
        for row in _measured(nb):
            claim = known.get(row["id"])
            where = f"{name} measured the claim {row['id']!r}"
            if claim is None:
                raise PipelineError(f"{where}, which {path.name} does not have")
            lacking = [field for field in FIELDS if field not in row and field not in ADDED]
            if lacking:
                why = f"by an older library, without {', '.join(lacking)}"
                raise PipelineError(f"{where} {why}: execute the notebook again")
            if claim.rule != row["rule"] or claim.statement != row["statement"]:
                why = f"before {path.name} changed it"
                raise PipelineError(f"{where} {why}: execute the notebook again")
            if row["id"] in found:
                raise PipelineError(
                    f"{where}, as {found[row['id']]['chapter']} did: once is enough"
                )
            reference = references.get(row["paper"], row["paper"])
            whole = (
                {"n": None} | row | {"reference": reference, "chapter": name, "shown": claim.shown}
            )
            whole |= {"judged_on": claim.judged_on}
            whole |= {field: nb.metadata.netdyn[field] for field in RUN}
            found[row["id"]] = {field: whole[field] for field in FIELDS}
    return [found[id] for id in known if id in found]


def _measured(nb):
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            yield from output.get("data", {}).get(claims.MIME, ())


def counts(rows):
    """Return how many rows have each verdict."""
    return {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in claims.VERDICTS}


def dumps(rows):
    """Return the rows as JSON text; NaN and infinity are refused, for JSON has neither."""
    return json.dumps(rows, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def csv(rows, fields=FIELDS):
    """Return these fields of the rows as comma-separated values under a line of their names."""
    text = io.StringIO()
    lines = DictWriter(text, fields, lineterminator="\n", extrasaction="ignore")
    lines.writeheader()
    lines.writerows(rows)
    return text.getvalue()


# Kept runs


def record(project, profile, only="", log=print):
    """Keep the executed copies of a profile as runs, one file each; return their paths."""
    paths = []
    for name in project.names(only):
        path = project.executed(profile, name)
        if not path.exists():
            what = f"{name} has not been executed at profile {profile}"
            raise PipelineError(f"{what}: make book PROFILE={profile} ONLY={name[:2]}")
        nb = notebooks.executed(path)
        found = {"chapter": name} | {field: nb.metadata.netdyn.get(field) for field in KEPT_RUN[1:]}
        unknown = [field for field in KEPT_RUN if found[field] is None]
        if unknown:
            what = f"{path} does not say its {', '.join(unknown)}"
            raise PipelineError(f"{what}: an older library executed it; execute it again")
        rows = gather({name: nb}, project.book / "claims.yml")
        found["rows"] = [{field: row[field] for field in KEPT_ROW} for row in rows]
        target = project.runs / f"{name}-{profile}-{found['device']}.json"
        with forms.told():
            store.write_json(target, found)
        took = f"{len(rows)} claims, {found['duration_s']:.0f} s"
        log(f"{target.relative_to(project.root)} written: {took}")
        paths.append(target)
    return paths


def kept_runs(project, log=print):
    """Return the kept runs in the order of their files.

    Rows of claims whose rule has changed since are left out, and ``log`` is told.
    """
    with forms.told():
        known, runs = claims.load(project.book / "claims.yml"), []
    for path in sorted(project.runs.glob("*.json")):
        with forms.told():
            run = forms.fit(store.read_json(path), forms.record(KEPT_RUN, KEPT_ROW), path)
        rules = {id: claim.rule for id, claim in known.items()}
        current = [row for row in run["rows"] if rules.get(row["id"]) == row["rule"]]
        if len(current) < len(run["rows"]):
            outdated = len(run["rows"]) - len(current)
            log(f"{path.name}: {outdated} claims have changed since this run and are left out")
        runs.append(run | {"rows": current})
    return runs


def compare(project, profile, log=print):
    """Tell which verdicts of the executed copies are not those of the committed runs.

    Raises
    ------
    PipelineError
        Where there are some.
    """
    found = []
    for path in (lambda name: project.executed(profile, name), project.committed):
        runs = {name: notebooks.executed(path(name)) for name in project.names()}
        found.append({row["id"]: row for row in gather(runs, project.book / "claims.yml")})
    other = [id for id in found[0] | found[1] if len({_verdict(rows, id) for rows in found}) > 1]
    for id in other:
        new, old = (
            f"{_verdict(rows, id)} {claims.interval(rows[id])}" if id in rows else "none"
            for rows in found
        )
        log(f"{id}: {new}, committed: {old}")
    if other:
        what = f"{len(other)} of {len(found[1])} verdicts are not the committed ones"
        raise PipelineError(f"{what}: did code, packages or the processor change?")
    log(f"all {len(found[1])} verdicts are the committed ones")


def _verdict(rows, id):
    return rows[id]["verdict"] if id in rows else None


def by_claim(runs):
    """Return what each kept run measured of a claim: id → rows with their run's profile, device."""
    found = {}
    for run in runs:
        way = {field: run[field] for field in ("profile", "device")}
        for row in run["rows"]:
            found.setdefault(row["id"], []).append(row | way)
    return found


def same_verdicts(run, rows):
    """Return for how many claims a kept run has the verdict of ``rows``, and of how many."""
    shown = {row["id"]: row["verdict"] for row in rows}
    both = [row for row in run["rows"] if row["id"] in shown]
    return sum(row["verdict"] == shown[row["id"]] for row in both), len(both)


def runs_csv(runs):
    """Return all that is kept of runs as comma-separated values, a line for each claim and run."""
    fields = ("id", "chapter", *KEPT_RUN[1:-1], *KEPT_ROW[1:])
    return csv([run | row for run in runs for row in run["rows"]], fields)
