"""The website: read runs, gather rows, stage the book's sources beside the notebooks, build."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..experiments import jobs
from ..figures import vector
from ..results import claims, reading
from . import execute, explorers, forms, history, notebooks, pages, reference, scorecard
from .project import PipelineError, alone, replace_folder, write_whole

#: What the pages need of MathJax; the whole package is ten times as large.
MATHJAX = (
    *("tex-chtml.js", "output/chtml/fonts/woff-v2", "a11y/assistive-mml.js"),
    "input/tex/extensions",
)
#: Jupyter Book in a process of its own.  Sphinx keeps nearly all that it makes until the end;
#: looking through it for garbage as often as Python does by default took a tenth of the time.
_CALL = (
    "import gc; gc.set_threshold(200_000, 20, 100); from jupyter_book.cli.main import main; main()"
)
_LEADS_ON = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>To the front page</title>
<meta http-equiv="Refresh" content="0; url={0}"></head>
<body><main><h1>Moved</h1><p><a href="{0}">To the front page</a></p></main></body></html>
"""


@dataclass(frozen=True)
class Build:
    """Where a site is built: ``folder/html``, by way of folders that ``label`` names.

    With ``strict`` warnings are errors.
    """

    folder: Path
    label: str
    strict: bool = False


def build(project, profile="laptop", only="", log=print):
    """Build ``_build/html`` from the executed copies of one profile; return its path.

    With ``only``, chapters that it does not name are shown as committed where they have no executed
    copy, or one of which the claims can no longer be gathered, and ``log`` is told.
    """
    runs, named = {}, project.names(only)
    for name in chapters(project):
        path, other = project.executed(profile, name), project.committed(name)
        if not path.exists() and only and other.exists():
            log(f"{name}: not executed here at profile {profile}; the committed run is shown")
            path = other
        runs[name] = _read(name, path)
        if name not in named and path != other and other.exists():
            runs[name] = _fitting(project, name, runs[name], other, log)
        run = runs[name].metadata.netdyn
        if "key" in run and execute.key(project, name, run["parameters"]) != run["key"]:
            log(f"{name}: has changed since it was executed; the older run is shown")
    return build_from(project, runs, Build(project.build, "book"), log)


def build_committed(project, place, log=print):
    """Build a site from the committed notebooks; return its path.  ``place`` is a Build."""
    runs = {name: _read(name, project.committed(name)) for name in chapters(project)}
    return build_from(project, runs, place, log)


def build_from(project, runs, place, log=print):
    """Build a site from executed notebooks by name; return its path.  ``place`` is a Build."""
    rows = scorecard.gather(runs, project.book / "claims.yml")
    html = place.folder / "html"
    source, making = (project.build / f"{stem}-{place.label}" for stem in ("source", "making"))
    # Another build would begin by emptying these folders.
    lock = project.build / f"building-{place.label}.lock"
    with alone(lock, f"builds a site in {making}", log) as held:
        stage(project, runs, rows, source, scorecard.kept_runs(project, log))
        log(f"building {html} from {len(runs)} notebooks and {len(rows)} measured claims")
        made = _jupyter_book(source, making, place.strict, held)
        _add_mathjax(made / "_static" / "mathjax")
        _lead_on(made / "index.html")
        write_whole(made / "claims.json", scorecard.dumps(rows))
        html.parent.mkdir(parents=True, exist_ok=True)
        replace_folder(made, html)
        shutil.rmtree(making, ignore_errors=True)
        write_whole(place.folder / "claims.json", scorecard.dumps(rows))
    log(f"done: {html / 'index.html'}")
    return html


# Reading


def chapters(project):
    """Return the names of the notebooks in the table of contents, in its order."""
    toc = forms.contents(project.root / "_toc.yml")
    listed = [Path(file).name for file in _files(toc) if file.startswith("notebooks/")]
    listed = [name for name in listed if not name.endswith(f"_{notebooks.APPENDIX.lower()}")]
    there = project.names()
    if sorted(listed) != there:
        raise PipelineError(
            f"_toc.yml lists the notebooks {', '.join(sorted(listed)) or 'none'}, "
            f"but notebooks/ holds the sources {', '.join(there)}"
        )
    return listed


def parts(project):
    """Return the table of contents: a list of (caption, pages without ``.html``).

    The front page comes first, under no caption.
    """
    toc = forms.contents(project.root / "_toc.yml")
    groups = toc.get("parts") or [{"chapters": toc.get("chapters") or []}]
    listed = [(group.get("caption", ""), list(_files(group.get("chapters")))) for group in groups]
    return [("", [toc["root"]]), *listed]


def _files(entry):
    if isinstance(entry, dict):
        for key, value in entry.items():
            if key in ("file", "root"):
                yield value
            else:
                yield from _files(value)
    elif isinstance(entry, list):
        for item in entry:
            yield from _files(item)


def _read(name, path):
    if not path.exists():
        what = f"the chapter {name} has no executed notebook at {path}"
        raise PipelineError(f"{what}: execute it first")
    return notebooks.executed(path)


def _fitting(project, name, run, path, log):
    """A chapter's executed run, or the committed one at ``path`` where only that one fits."""
    fault = outgrown(project, name, run)
    if fault is None:
        return run
    committed = _read(name, path)
    if outgrown(project, name, committed) is not None:
        return run  # with which the build stops, and says why
    log(f"{name}: the copy executed here is too old ({fault}); the committed run is shown")
    return committed


def outgrown(project, name, run):
    """Return why the claims of a run cannot be gathered; None where they can."""
    try:
        scorecard.gather({name: run}, project.book / "claims.yml")
    except PipelineError as error:
        return str(error)
    return None


# Staging


def stage(project, runs, rows, source, kept=()):
    """Fill the folder ``source`` with all that the book is built from.

    ``runs`` are the notebooks shown, ``rows`` their claims, ``kept`` the runs beside them.
    """
    forms.settings(project.root / "_config.yml")
    shutil.rmtree(source, ignore_errors=True)
    half = shutil.ignore_patterns(".*.partial", ".*.lock", "__pycache__")
    shutil.copytree(project.book, source / "book", ignore=half)
    for file in ("_config.yml", "_toc.yml"):
        shutil.copy(project.root / file, source / file)
    if (project.root / "CITATION.cff").exists():
        shutil.copy(project.root / "CITATION.cff", source)  # for book/_ext/publishing.py
    (source / "notebooks").mkdir()
    for name, nb in runs.items():
        # The renderer warns of data it cannot show; the claims stand in claims.json.
        shown = notebooks.without(notebooks.without(nb, claims.MIME), vector.MIME)
        pages.add_folds(shown, name, execute.modules(project, name), source / "notebooks")
        for page, part in notebooks.pages(name, notebooks.with_figures(shown)).items():
            path = source / "notebooks" / f"{page}.ipynb"
            path.write_text(notebooks.dumps(part), encoding="utf-8")
    _same_pages(source)
    front = front_figure(project.book / "index.md")
    made = source / "book" / "_generated"
    made.mkdir()
    png, figure = pages.front(runs, front)
    changed = history.read(project)
    times = {id: len(some) for id, some in changed.items()}
    (made / "front.png").write_bytes(png)
    texts = {
        "front.md": figure,
        "strip.md": pages.strip(rows),
        "summary.md": pages.summary(rows, runs),
        "scorecard.md": pages.table(rows, runs, scorecard.by_claim(kept), times),
        "changes.md": pages.changes(changed),
        "runs.md": pages.runs_shown(runs),
        "recorded.md": pages.runs_kept(kept, rows, runs),
        "runs.csv": scorecard.runs_csv(kept),
        "published.md": pages.published(project.book / "results"),
        "claims.json": scorecard.dumps(rows),
        "claims.csv": scorecard.csv(rows),
    }
    for file, text in (texts | pages.citing(project, runs)).items():
        (made / file).write_text(text, encoding="utf-8")
    explorers.write(source / "book", project.book / "results")
    reference.stage(project, source)


def _same_pages(source):
    """Check that the table of contents lists all pages of the chapters, and no others."""
    listed = set(_files(forms.contents(source / "_toc.yml")))
    made = {f"notebooks/{path.stem}" for path in (source / "notebooks").glob("*.ipynb")}
    wrong = sorted(made ^ {file for file in listed if file.startswith("notebooks/")})
    if wrong:
        raise PipelineError(
            f"_toc.yml and the chapters disagree on {', '.join(wrong)}: list NAME_appendix "
            "as a section of a chapter that has a cell '# Appendix', and of no other"
        )


def front_figure(path):
    """Return the name of the figure in the header of the front page."""
    with forms.told():
        text = reading.text(path)
        head = re.match(r"---\n(.*?\n)---\n", text, re.S)
        said = reading.parsed_yaml(head[1], path, first=2) if head else None
    if not isinstance(said, dict) or not isinstance(said.get("front_figure"), str):
        what = f"{path} does not begin with ---, front_figure: NAME, ---"
        raise PipelineError(f"{what}: which figure is the front page to show?")
    return said["front_figure"]


# Building


def _jupyter_book(source, folder, strict, held=()):
    shutil.rmtree(folder, ignore_errors=True)
    words = ["build", str(source), "--path-output", str(folder), "--all", "-q"]
    words += ["-W", "--keep-going"] if strict else []
    done = subprocess.run(
        [sys.executable, "-c", _CALL, *words],
        capture_output=True,
        text=True,
        # Sphinx asks the terminal for colours, and its warnings end up in logs.
        env=os.environ | {"NO_COLOR": "1"},
        pass_fds=held,
    )
    # A quiet build prints only its warnings, and they are for the reader; what it raises is told in
    # a line.
    warnings, _, raised = done.stderr.partition("Traceback (most recent call last):\n")
    shown = done.stderr if os.environ.get(jobs.SWITCH) else warnings
    if shown.strip():
        print(shown.strip(), file=sys.stderr)
    html = folder / "_build" / "html"
    if done.returncode or not (html / "index.html").exists():
        causes = [line for line in raised.splitlines() if line.strip() and line[0] != " "]
        why = causes[0].removeprefix("RuntimeError: ") if causes else ""
        if not why and warnings.strip():
            why = "its warnings stand above"
        why = why or " ".join(done.stdout.split())[-500:]
        raise PipelineError(f"jupyter-book failed on {source} (exit {done.returncode}): {why}")
    return html


def _lead_on(page):
    """Give the page that leads on to the front page a language, a title and a link.

    Jupyter Book writes a bare line, which a browser that does not follow it shows as nothing.
    """
    target = re.search('url=([^"]+)', page.read_text(encoding="utf-8"))
    if target:
        page.write_text(_LEADS_ON.format(target[1]), encoding="utf-8")


def _add_mathjax(target):
    try:
        package = metadata.distribution("sphinx-mathjax-offline")
    except metadata.PackageNotFoundError:
        what = "the package sphinx-mathjax-offline is not installed"
        raise PipelineError(f"{what}: run make install") from None
    base = Path(package.locate_file("sphinx-mathjax-offline/static/mathjax"))
    for part in MATHJAX:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (base / part).is_dir():
            # all-packages.js repeats what the single files hold.
            repeated = shutil.ignore_patterns("all-packages.js")
            shutil.copytree(base / part, target / part, ignore=repeated)
        else:
            shutil.copy(base / part, target / part)
