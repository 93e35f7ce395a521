"""Changes of the claims, as git knows them, and as the book shows them."""

import os
import subprocess

import pytest
import yaml

from netdyn_lib.book import history, pages
from netdyn_lib.book.project import PipelineError, Project

from . import small

PROJECT = Project(small.ROOT)
CLAIMS = yaml.safe_load((PROJECT.book / history.CLAIMS).read_text(encoding="utf-8"))["claims"]
NAMES = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a"}
NAMES |= {"GIT_COMMITTER_EMAIL": "a", "GIT_CONFIG_GLOBAL": os.devnull}


@pytest.fixture
def clone(tmp_path):
    """A repository of claims, and a call of git in it; each commit is of another day."""
    project, days = Project(tmp_path), iter(range(1, 28))
    project.book.mkdir()

    def git(*words):
        here = NAMES | {"GIT_AUTHOR_DATE": f"2026-01-{next(days):02d}T12:00:00Z"}
        call = ["git", "-c", "init.defaultBranch=main", *words]
        subprocess.run(call, cwd=tmp_path, env=os.environ | here, check=True, capture_output=True)

    git("init")  # day 1
    return project, git


def put(project, **claims):
    """Write claims, each by its quantity and the lower end of its range."""
    rows = [
        dict(id=id, statement="s", paper_value=1, quantity=quantity, reproduced=[low, 1])
        for id, (quantity, low) in claims.items()
    ]
    text = yaml.safe_dump({"claims": rows})
    (project.book / history.CLAIMS).write_text(text, encoding="utf-8")


def test_changes_of_commits_branches_merges_and_the_working_tree(clone):
    project, git = clone
    put(project, A=("a", 0), B=("b", 0))
    git("add", "."), git("commit", "-m", "x")  # 3
    put(project, A=("a, long", 0), B=("b", 0))
    git("commit", "-am", "x")  # 4
    git("checkout", "-b", "other")
    put(project, A=("a, long", 0), B=("b", 0.5))
    git("commit", "-am", "x")  # 6
    git("checkout", "main")
    put(project, A=("a, short", 0), B=("b", 0), C=("c", 0))
    git("commit", "-am", "x")  # 8
    git("merge", "--no-commit", "-s", "ours", "other")
    put(project, A=("a, merged", 0), B=("b", 0.5), C=("c", 0))
    git("commit", "-am", "x")  # 10
    put(project, A=("a, merged", 0), C=("c, new", 0))
    found = history.changes(project)
    told = {id: [tuple(one.values()) for one in some] for id, some in found.items()}
    today = history.date.today().isoformat()
    assert told == {
        "A": [
            ("2026-01-04", "quantity", "a", "a, long"),
            ("2026-01-08", "quantity", "a, long", "a, short"),
            ("2026-01-10", "quantity", "a, short", "a, merged"),
        ],
        "C": [(today, "quantity", "c", "c, new")],
        "B": [("2026-01-06", "reproduced", [0, 1], [0.5, 1]), (today, "whole claim", "s", None)],
    }
    history.write(project, small.quiet)
    assert history.read(project) == found


def test_a_folder_without_history_is_refused(tmp_path):
    with pytest.raises(PipelineError, match=r"git lacks the history of book/claims.yml: .*shallow"):
        history.changes(Project(tmp_path))


def test_the_file_ends_in_the_claims_of_today():
    known = {claim["id"]: claim for claim in CLAIMS}
    for id, some in history.read(PROJECT).items():
        last = {change["field"]: change["after"] for change in some}
        if id in known:
            assert {field: known[id].get(field) for field in last} == last, id
        else:
            assert history.WHOLE in last, id


def test_the_file_has_every_change_that_git_knows():
    try:
        found = history.changes(PROJECT)
    except PipelineError as error:
        pytest.skip(str(error))

    def undated(changes):
        # What is written before its commit has the day before it.
        return {id: [{**one, "date": ""} for one in some] for id, some in changes.items()}

    written = undated(history.read(PROJECT))
    assert written == undated(found), "run python -m netdyn_lib.book history"


def test_the_page_shows_what_was_left_out_and_put_in():
    moved = dict(date="2026-01-02", field="reproduced", before=[0, 1], after=[0.5, None])
    text = pages.changes({"A": [moved, moved | dict(field="quantity", before="a|b", after="a")]})
    assert text.startswith("2 changes of 1 claims") and "1 of these claims had a range" in text
    assert "| A | 2026-01-02 | reproduced | <del>0 to 1</del> <ins>≥ 0.5</ins> |" in text
    assert r"| A | 2026-01-02 | quantity | <del>a\|b</del> <ins>a</ins> |" in text
    assert pages.changes({}) == "No claim has changed since it was entered.\n"
