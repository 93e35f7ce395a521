"""Building the site: one build at a time, interrupted or not, from runs that fit the claims."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from netdyn_lib.book import notebooks, pages, site
from netdyn_lib.book.project import PipelineError, write_whole
from netdyn_lib.results import store

from . import small

locks = pytest.mark.skipif(store.fcntl is None, reason="needs locks on files")


def half_built(words, **options):
    """In place of jupyter-book: begins a site, then is interrupted."""
    small.built(words)
    raise KeyboardInterrupt


def half_moved(path, target):
    """In place of Path.rename: interrupted when the old site is aside, the new one not there."""
    if path.name == Path(target).name == "html":
        raise KeyboardInterrupt
    os.rename(path, target)


def test_an_interrupted_build_leaves_the_old_site_whole(site_project, monkeypatch):
    html = site_project.build / "html"
    before = small.whole(html)
    for owner, name, stand_in in (
        (site.subprocess, "run", half_built),
        (Path, "rename", half_moved),
    ):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(owner, name, stand_in)
            site.build(site_project, log=small.quiet)
        assert small.whole(html) == before
    assert (site_project.build / "claims.json").read_text() == "the old claims.json"
    # And the next build is not disturbed by what was left.
    site.build(site_project, log=small.quiet)
    assert small.whole(html).keys() == {"index.html", "claims.json"}
    assert (html / "index.html").read_text() == "new"
    made = site_project.build / "source-book" / "book" / "_generated"
    assert "0.5" in (made / "claims.json").read_text()
    assert not (site_project.build / "html.old").exists()


def test_the_page_that_leads_on_has_a_language_a_title_and_a_link(tmp_path):
    page = tmp_path / "index.html"
    page.write_text('\n<meta http-equiv="Refresh" content="0; url=book/index.html" />\n')
    site._lead_on(page)
    text = page.read_text()
    assert all(
        part in text for part in ('lang="en"', "<title>", 'href="book/index.html"', "0; url=book")
    )


@pytest.fixture
def two_chapters(site_project):
    """Of the second chapter, an executed and a committed run, told apart by their titles.

    The claims A and B are the first one's, C is its.
    """
    project = site_project
    small.write(project, "02_second", "# %%\nprint(profile)\n")
    (project.root / "_toc.yml").write_text(small.TOC + "- file: notebooks/02_second\n")
    third = small.CLAIM.format("C", 8, "02_second", "u")
    (project.book / "claims.yml").write_text(small.CLAIMS + third)
    for title, path in (
        ("executed", project.executed("laptop", "02_second")),
        ("committed", project.committed("02_second")),
    ):
        nb = small.card(project.book / "claims.yml", {"C": [0.25]}, "02_second")
        nb.cells[0] = nbformat.v4.new_markdown_cell(f"# {title}")
        small.keep(path, nb)
    shutil.copy(project.executed("laptop", "01_first"), project.committed("01_first"))
    return project


def reword(row):
    row["statement"] = "older words"


def strip(row):
    del row["interval_kind"]


@pytest.mark.parametrize(
    ("age", "why"),
    [
        (reword, "before claims.yml changed it"),
        (strip, "by an older library, without interval_kind"),
    ],
)
def test_an_outgrown_run_of_another_chapter_gives_way_to_the_committed_one(two_chapters, age, why):
    project, said = two_chapters, []
    executed = project.executed("laptop", "02_second")
    committed = project.committed("02_second")
    shown = project.build / "source-book" / "notebooks" / "02_second.ipynb"

    def outgrow(path):
        nb = notebooks.read(path)
        age(small.rows_of(nb)[0])
        small.keep(path, nb)

    def fails(only):
        with pytest.raises(PipelineError, match=why):
            site.build(project, only=only, log=small.quiet)

    site.build(project, only="01", log=said.append)
    assert pages.title(notebooks.read(shown)) == "executed"
    assert not any("committed" in line for line in said)
    outgrow(executed)
    site.build(project, only="01", log=said.append)
    (line,) = (line for line in said if "committed" in line)
    assert pages.title(notebooks.read(shown)) == "committed" and executed.exists()
    assert line.startswith("02_second: the copy executed here is too old (") and why in line
    for only in ("", "02", "01,02"):
        fails(only)
    outgrow(committed)
    fails("01")
    committed.unlink()
    fails("01")


#: Two builds in processes of their own, in which a process that goes on until a file is there
#: stands for jupyter-book.
BUILDER = """
import subprocess, sys
from pathlib import Path
from netdyn_lib.book import site
from netdyn_lib.book.project import Project
root, name, inner = Path(sys.argv[1]), *sys.argv[2:]
run = subprocess.run

def jupyter_book(words, **options):
    folder = words[words.index("--path-output") + 1]
    return run([sys.executable, "-c", inner, str(root), name, folder], **options)

site._add_mathjax = lambda target: None
site.subprocess.run = jupyter_book
site.build(Project(root), log=lambda line: print(line, flush=True))
"""
INNER = """
import sys, time
from pathlib import Path
root, name, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
page = folder / "_build" / "html" / "index.html"
page.parent.mkdir(parents=True)
page.write_text(name)
(root / f"{name}-builds").touch()
while not (root / f"{name}-may-end").exists():
    time.sleep(0.02)
(root / f"{name}-found").write_text(page.read_text() if page.exists() else "nothing")
"""


@pytest.fixture
def builder(site_project, monkeypatch):
    """Starts builds, and ends what is left of them."""
    monkeypatch.undo()  # each process has stand-ins of its own
    root, started = site_project.root, []

    def start(name):
        words = [sys.executable, "-c", BUILDER, str(root), name, INNER]
        with open(root / f"{name}.log", "w") as said:
            here = {"cwd": small.ROOT, "stdout": said, "stderr": subprocess.STDOUT}
            started.append(subprocess.Popen(words, **here))
        return started[-1]

    yield start
    for name in ("first", "second"):
        (root / f"{name}-may-end").touch()
    for process in started:
        process.kill()
        process.wait()


def says_that_it_waits(root, name):
    return "another process builds a site in" in (root / f"{name}.log").read_text()


@locks
@pytest.mark.parametrize("killed", [False, True])
def test_a_second_build_waits_for_the_first_and_for_what_a_killed_one_started(
    site_project, builder, killed
):
    """Sphinx goes on for its minute, in the folder that the next build would empty."""
    root = site_project.root
    first = builder("first")
    small.until((root / "first-builds").exists)
    if killed:
        first.kill()
        first.wait()
    second = builder("second")
    small.until(lambda: says_that_it_waits(root, "second"))
    (root / "second-may-end").touch()
    time.sleep(0.3)
    assert second.poll() is None and not (root / "second-builds").exists()
    (root / "first-may-end").touch()
    assert killed or first.wait(60) == 0, (root / "first.log").read_text()
    assert second.wait(60) == 0, (root / "second.log").read_text()
    for name in ("first", "second"):
        assert (root / f"{name}-found").read_text() == name
    assert (site_project.build / "html" / "index.html").read_text() == "second"
    assert not says_that_it_waits(root, "first")


FAKE_BOOK = {
    "__init__.py": "",
    "cli/__init__.py": "",
    "cli/main.py": """
import gc, sys
from pathlib import Path

def main():
    if "-W" not in sys.argv:
        print("index.md: WARNING: a warning", file=sys.stderr)
        try:
            raise ValueError("no theme named 'nope'")
        except ValueError as error:
            raise RuntimeError("There was an error") from error
    page = Path(sys.argv[sys.argv.index("--path-output") + 1], "_build", "html", "index.html")
    page.parent.mkdir(parents=True)
    page.write_text(str(gc.get_threshold()[0]))
""",
}


def test_sphinx_seldom_looks_for_garbage_and_its_fault_is_one_line(tmp_path, monkeypatch, capsys):
    """What stands for Jupyter Book tells after how many new objects Python would look."""
    for file, text in FAKE_BOOK.items():
        write_whole(tmp_path / "fakes" / "jupyter_book" / file, text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fakes"))
    made = site._jupyter_book(tmp_path, tmp_path / "making", strict=True)
    assert int((made / "index.html").read_text()) >= 100_000
    said = r"jupyter-book failed on .* \(exit 1\): ValueError: no theme named 'nope'$"
    with pytest.raises(PipelineError, match=said):
        site._jupyter_book(tmp_path, tmp_path / "making", strict=False)
    assert capsys.readouterr().err == "index.md: WARNING: a warning\n"


def test_contents_and_notebooks_name_the_same(project):
    (project.root / "_toc.yml").write_text(small.TOC)
    said = "_toc.yml lists the notebooks 01_first, .* 01_first, 02_second"
    with pytest.raises(PipelineError, match=said):
        site.chapters(project)
    project.source("02_second").unlink()
    with pytest.raises(PipelineError, match="the chapter 01_first has no executed notebook"):
        site.build(project)
