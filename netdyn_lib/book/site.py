"""Stage the book's sources beside the executed notebooks, and build the website."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ..experiments import jobs
from ..figures import vector
from ..results import claims, reading
from . import (
    accessibility,
    beneath,
    citing,
    execute,
    explorers,
    forms,
    launch,
    pages,
    recorded,
    reference,
    scorecard,
    terms,
)
from . import notebooks as notebook
from .alone import alone
from .project import PipelineError, replace_folder, write_whole

#: What the pages need of MathJax; the whole package is ten times as large.
MATHJAX = (
    "tex-chtml.js",
    "output/chtml/fonts/woff-v2",
    "a11y/assistive-mml.js",
    "input/tex/extensions",
)

#: Jupyter Book in a process of its own.  Sphinx keeps nearly all that it makes until the end;
#: looking through it for garbage as often as Python does by default took a tenth of the time.
_CALL = (
    "import gc; gc.set_threshold(200_000, 20, 100); from jupyter_book.cli.main import main; main()"
)

#: Pages whose words do not lead to the glossary: lists, not prose.
UNLINKED = (
    "book/scorecard.html",
    "book/published.html",
    "book/bibliography.html",
    "genindex.html",
    "search.html",
    "reference",
)


def build(project, profile="laptop", only="", log=print):
    """Build ``_build/html`` from the executed copies of one profile.

    Parameters
    ----------
    project : Project
    profile : str
    only : str
        When given, chapters that it does not name are shown as committed
        where they have no executed copy, or one of which the claims can no
        longer be gathered, and a line says so.
    log : callable
        Receives lines of progress.

    Returns
    -------
    pathlib.Path
        The finished site.

    Raises
    ------
    PipelineError
        When a chapter has no executed notebook, or the book does not build.
    """
    notebooks, named = {}, project.names(only)
    for name in chapters(project):
        path, other = project.executed(profile, name), project.committed(name)
        if not path.exists() and only and other.exists():
            log(f"{name}: not executed here at profile {profile}; the committed run is shown")
            path = other
        notebooks[name] = _read(name, path)
        if name not in named and path != other and other.exists():
            notebooks[name] = _fitting(project, name, notebooks[name], other, log)
        _tell_if_stale(project, name, notebooks[name].metadata.netdyn, log)
    return _build(project, notebooks, "book", project.build / "html", project.build, False, log)


def build_committed(project, folder, log=print):
    """Build ``folder/html`` from the committed notebooks, warnings as errors.

    Raises
    ------
    PipelineError
        As :func:`build`, and for any warning.
    """
    notebooks = {name: _read(name, project.committed(name)) for name in chapters(project)}
    return _build(project, notebooks, "test", folder / "html", folder, True, log)


def build_from(project, notebooks, label, folder, log=print):
    """Build ``folder/html`` from the notebooks given, by name; ``label`` names the folders in
    between.
    """
    return _build(project, notebooks, label, folder / "html", folder, False, log)


def chapters(project):
    """Names of the notebooks in the table of contents, in its order.

    Raises
    ------
    PipelineError
        When the contents and the folder of notebooks do not name the same.
    """
    toc = forms.contents(project.root / "_toc.yml")
    listed = [Path(file).name for file in _files(toc) if file.startswith("notebooks/")]
    there = project.names()
    if sorted(listed) != there:
        raise PipelineError(
            f"_toc.yml lists the notebooks {', '.join(sorted(listed)) or 'none'}, "
            f"but notebooks/ holds the sources {', '.join(there)}"
        )
    return listed


def parts(project):
    """The table of contents: ``(caption, pages)`` for each part, pages without ``.html``; the front
    page first, under no caption.
    """
    toc = forms.contents(project.root / "_toc.yml")
    groups = toc.get("parts") or [{"chapters": toc.get("chapters") or []}]
    return [
        ("", [toc["root"]]),
        *((group.get("caption", ""), list(_files(group.get("chapters")))) for group in groups),
    ]


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
        raise PipelineError(
            f"the chapter {name} has no executed notebook at {path}: execute it first"
        )
    return notebook.executed(path)


def _fitting(project, name, executed, path, log):
    """The executed run of a chapter, or the committed one at ``path`` where the claims file has
    outgrown the former but not the latter.
    """
    fault = outgrown(project, name, executed)
    if fault is None:
        return executed
    committed = _read(name, path)
    if outgrown(project, name, committed) is not None:
        return executed  # with which the build stops, and says why
    log(f"{name}: the copy executed here is too old ({fault}); the committed run is shown")
    return committed


def outgrown(project, name, run):
    """Why the claims of a run cannot be gathered; None where they can."""
    try:
        scorecard.gather({name: run}, project.book / "claims.yml")
    except PipelineError as error:
        return str(error)
    return None


def _tell_if_stale(project, name, run, log):
    if "key" in run and execute.key(project, name, run["parameters"]) != run["key"]:
        log(f"{name}: has changed since it was executed; the older run is shown")


def _build(project, notebooks, label, html, folder, strict, log):
    rows = scorecard.gather(notebooks, project.book / "claims.yml")
    source, making = (project.build / f"{stem}-{label}" for stem in ("source", "making"))
    # Another build would begin by emptying these folders.
    with alone(project.build / f"building-{label}.lock", f"builds a site in {making}", log) as held:
        stage(project, notebooks, rows, source, recorded.load(project, log))
        log(f"building {html} from {len(notebooks)} notebooks and {len(rows)} measured claims")
        made = _jupyter_book(source, making, strict, held)
        _add_mathjax(made / "_static" / "mathjax")
        terms.link(made, skip=UNLINKED)
        accessibility.mend(made)
        write_whole(made / "claims.json", scorecard.dumps(rows))
        html.parent.mkdir(parents=True, exist_ok=True)
        replace_folder(made, html)
        shutil.rmtree(making, ignore_errors=True)
        write_whole(folder / "claims.json", scorecard.dumps(rows))
    log(f"done: {html / 'index.html'}")
    return html


def stage(project, notebooks, rows, source, runs=()):
    """Fill the folder ``source`` with everything the book is built from; ``runs`` are those kept
    beside the notebooks'.
    """
    place = launch.repository(forms.settings(project.root / "_config.yml"))
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for file in ("_config.yml", "_toc.yml"):
        shutil.copy(project.root / file, source / file)
    half = shutil.ignore_patterns(".*.partial", ".*.lock")
    shutil.copytree(project.book, source / "book", ignore=half)
    (source / "notebooks").mkdir()
    for name, nb in notebooks.items():
        # The renderer warns of data it cannot show; the claims stand in claims.json.
        shown = notebook.without(notebook.without(nb, claims.MIME), vector.MIME)
        beneath.add(shown, name, beneath.now(project, name), source / "notebooks")
        launch.add(shown, place, name)
        shown = notebook.with_figures(shown)
        (source / "notebooks" / f"{name}.ipynb").write_text(notebook.dumps(shown), encoding="utf-8")
    made = source / "book" / "_generated"
    made.mkdir()
    index, front = _front_page(project.book / "index.md")
    (source / "book" / "index.md").write_text(
        pages.fill(index, rows, "book/index.md"), encoding="utf-8"
    )
    png, figure = pages.front(notebooks, front)
    (made / "front.png").write_bytes(png)
    texts = {
        "front.md": figure,
        "summary.md": pages.summary(rows, notebooks),
        "scorecard.md": pages.table(rows, notebooks, recorded.by_claim(runs)),
        "runs.md": pages.runs(notebooks),
        "recorded.md": pages.recorded(runs, rows, notebooks),
        "runs.csv": recorded.csv(runs),
        "published.md": pages.published(project.book / "results"),
        "claims.json": scorecard.dumps(rows),
        "claims.csv": scorecard.csv(rows),
    }
    for file, text in texts.items():
        (made / file).write_text(text, encoding="utf-8")
    explorers.write(source / "book", project.book / "results")
    reference.stage(project, source)
    citing.stage(project, notebooks, made)


def _front_page(path):
    """The text of the front page, and the name of the figure that it asks for between its first two
    lines ``---``.
    """
    with forms.told():
        text = reading.text(path)
        head = re.match(r"---\n(.*?\n)---\n", text, re.S)
        said = reading.parsed_yaml(head[1], path, first=2) if head else None
    if not isinstance(said, dict) or not isinstance(said.get("front_figure"), str):
        raise PipelineError(
            f"{path} does not begin with ---, front_figure: NAME, ---: which figure is the front page to show?"
        )
    return text, said["front_figure"]


def _jupyter_book(source, folder, strict, held=()):
    shutil.rmtree(folder, ignore_errors=True)
    words = ["build", str(source), "--path-output", str(folder), "--all", "-q"]
    words += ["-W", "--keep-going"] if strict else []
    done = subprocess.run(
        [sys.executable, "-c", _CALL, *words],
        capture_output=True,
        text=True,
        env=_environment(),
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
        cause = next(
            (line for line in raised.splitlines() if line.strip() and line[0] != " "), ""
        ).removeprefix("RuntimeError: ")
        why = cause or (
            "its warnings stand above" if warnings.strip() else " ".join(done.stdout.split())[-500:]
        )
        raise PipelineError(f"jupyter-book failed on {source} (exit {done.returncode}): {why}")
    return html


def _environment():
    # Sphinx asks the terminal for colours, and its warnings end up in logs.
    return os.environ | {"NO_COLOR": "1"}


def _add_mathjax(target):
    try:
        package = metadata.distribution("sphinx-mathjax-offline")
    except metadata.PackageNotFoundError:
        raise PipelineError(
            "the package sphinx-mathjax-offline is not installed: run make install"
        ) from None
    base = Path(package.locate_file("sphinx-mathjax-offline/static/mathjax"))
    for part in MATHJAX:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (base / part).is_dir():
            # all-packages.js repeats what the single files hold.
            shutil.copytree(
                base / part, target / part, ignore=shutil.ignore_patterns("all-packages.js")
            )
        else:
            shutil.copy(base / part, target / part)
