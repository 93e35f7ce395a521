"""What has changed in ``book/claims.yml`` since each claim was written down, by git's history.

``python -m netdyn_lib.book history`` writes it to ``book/claims_history.yml``, from which the
scorecard shows it also where there is no git.
"""

from datetime import date
from functools import cache

import yaml

from ..results import reading
from . import forms
from .project import PipelineError, write_whole

CLAIMS, FILE = "claims.yml", "claims_history.yml"
#: Fields of a claim that say what is tested and what decides.
FIELDS = ("statement", "paper_value", "quantity", "reproduced", "partly")
#: What a claim that is taken out has lost.
WHOLE = "whole claim"
_HEAD = """\
# Every change of a claim's statement, the paper's value, the quantity or its ranges since the claim
# was entered, by git's history of claims.yml.  Do not edit: `python -m netdyn_lib.book history`
# writes it, with what is not committed yet under today's date.
"""
#: C's parser where it is there: ten times as fast on dozens of versions of one file.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def changes(project):
    """Return the changes of each claim, oldest first: id → dicts with date, field, before, after.

    A commit has changed what differs from all its parents: a merge is not counted twice.

    Raises
    ------
    netdyn_lib.book.project.PipelineError
        Where git has no history of the file, or only the end of it.
    """
    path = f"book/{CLAIMS}"
    listed = project.git(
        *("log", "--full-history", "--topo-order", "--reverse", "--format=%as %H %P", "--", path)
    )
    if not listed or project.git("rev-parse", "--is-shallow-repository") == "true":
        why = "is this no clone, or a shallow one (git fetch --unshallow)?"
        raise PipelineError(f"{project.root}: git lacks the history of {path}: {why}")
    at, found = cache(lambda commit: _parsed(project.git("show", f"{commit}:./{path}"))), {}
    for line in listed.splitlines():
        day, commit, *parents = line.split()
        _compare([at(parent) for parent in parents] or [{}], at(commit), day, found)
    now = _parsed((project.book / CLAIMS).read_text(encoding="utf-8"))
    _compare([at("HEAD")], now, date.today().isoformat(), found)
    order = {id: k for k, id in enumerate(now)}
    return {id: found[id] for id in sorted(found, key=lambda id: order.get(id, len(order)))}


def _parsed(text):
    whole = yaml.load(text, _LOADER) or {"claims": []}  # before the file was there
    return {claim["id"]: claim for claim in whole["claims"]}


def _compare(before, after, day, found):
    """Enter into ``found`` what ``after`` has otherwise than all claims of ``before``."""
    for id in before[0]:
        if not all(id in version for version in before):
            continue  # entered on one side of a merge
        old = [version[id] for version in before]
        if id not in after:
            change = dict(date=day, field=WHOLE, before=old[0]["statement"], after=None)
            found.setdefault(id, []).append(change)
            continue
        for field in FIELDS:
            new = after[id].get(field)
            if all(version.get(field) != new for version in old):
                change = dict(date=day, field=field, before=old[0].get(field), after=new)
                found.setdefault(id, []).append(change)


def write(project, log=print):
    """Write the changes to ``book/claims_history.yml``; return its path."""
    found, path = changes(project), project.book / FILE
    text = yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=96)
    write_whole(path, _HEAD + text)
    many = sum(map(len, found.values()))
    log(f"{path.relative_to(project.root)} written: {many} changes of {len(found)} claims")
    return path


def read(project):
    """Return the changes that ``book/claims_history.yml`` has; none for a book without it."""
    path = project.book / FILE
    if not path.exists():
        return {}
    with forms.told():
        found = reading.from_yaml(path)
    return forms.fit(found or {}, forms.CHANGES, path)
