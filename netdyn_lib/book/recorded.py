"""Runs kept beside those that the site shows: other profiles, other devices, each with its
verdicts, time and memory.

A run is one JSON file of ``book/results/runs``, written from an executed copy by ``python -m
netdyn_lib.book record``.
"""

from ..results import claims, store
from . import forms, notebooks, scorecard
from .project import PipelineError

#: Fields of a run, and of what it measured of a claim.
RUN = (
    "chapter",
    "profile",
    "device",
    "seed",
    "commit",
    "executed",
    "duration_s",
    "peak_mb",
    "machine",
    "versions",
)
ROW = ("id", "rule", "measured", "low", "high", "interval_kind", "verdict", "source")


def folder(project):
    """Where the runs of a project lie."""
    return project.book / "results" / "runs"


def record(project, profile, only="", log=print):
    """Keep the executed copies of a profile as runs, one file each; their paths.

    Raises
    ------
    PipelineError
        For a chapter that has no executed copy in that profile, one that does not say how it was
        run, or one that
        :func:`netdyn_lib.book.scorecard.gather` cannot read.
    """
    paths = []
    for name in project.names(only):
        path = project.executed(profile, name)
        if not path.exists():
            raise PipelineError(
                f"{name} has not been executed in the profile {profile}: make book PROFILE={profile} ONLY={name[:2]}"
            )
        nb = notebooks.executed(path)
        found = {"chapter": name} | {field: nb.metadata.netdyn.get(field) for field in RUN[1:]}
        unknown = [field for field in RUN if found[field] is None]
        if unknown:
            raise PipelineError(
                f"{path} does not say its {', '.join(unknown)}: it was executed by an older library; execute it again"
            )
        found["rows"] = [
            {field: row[field] for field in ROW}
            for row in scorecard.gather({name: nb}, project.book / "claims.yml")
        ]
        target = folder(project) / f"{name}-{profile}-{found['device']}.json"
        with forms.told():
            store.write_json(target, found)
        log(
            f"{target.relative_to(project.root)} written: {len(found['rows'])} claims, {found['duration_s']:.0f} s"
        )
        paths.append(target)
    return paths


def load(project, log=print):
    """The runs that are kept, in the order of their files; rows of claims whose rule has changed
    since are left out, and it is said.

    Raises
    ------
    PipelineError
        For a file that is damaged, or no record of a run.
    """
    with forms.told():
        known, runs = claims.load(project.book / "claims.yml"), []
    for path in sorted(folder(project).glob("*.json")):
        with forms.told():
            run = forms.fit(store.read_json(path), forms.record(RUN, ROW), path)
        current = [
            row
            for row in run["rows"]
            if row["id"] in known and known[row["id"]].rule == row["rule"]
        ]
        if len(current) < len(run["rows"]):
            log(
                f"{path.name}: {len(run['rows']) - len(current)} claims have changed since this run and are left out"
            )
        runs.append(run | {"rows": current})
    return runs


def by_claim(runs):
    """What each run measured of a claim: id → rows, each with the profile and device of its run."""
    found = {}
    for run in runs:
        for row in run["rows"]:
            found.setdefault(row["id"], []).append(
                row | {"profile": run["profile"], "device": run["device"]}
            )
    return found


def agreement(run, rows):
    """Of how many claims a run has the verdict of ``rows``, those of the site: (as many, of how
    many).
    """
    shown = {row["id"]: row["verdict"] for row in rows}
    both = [row for row in run["rows"] if row["id"] in shown]
    return sum(row["verdict"] == shown[row["id"]] for row in both), len(both)


def csv(runs):
    """All that is kept, a line for each claim and run."""
    return scorecard.csv(
        [run | row for run in runs for row in run["rows"]], ("id", "chapter", *RUN[1:-1], *ROW[1:])
    )
