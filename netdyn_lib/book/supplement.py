"""One archive of everything: site, notebooks, figures, data, claims, library, environment, PDF,
checksums.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime

from bs4 import BeautifulSoup

from ..figures import vector
from ..results import provenance
from . import deposit, execute, pdf, scorecard, site, verify
from . import notebooks as notebook
from . import pages as fragments
from .project import PipelineError, replace_folder

NAME = "netdyn-companion"
#: Files at the top of the repository that the archive has too.
COPIED = ("CITATION.cff", "LICENSE")


@dataclass(frozen=True)
class Chapter:
    """One chapter's run as the archive has it; ``origin`` says where it comes from, empty for a run
    made here of this very source.
    """

    name: str
    nb: object
    origin: str = ""


def build(project, profile="laptop", with_pdf=True, log=print):
    """Build ``_build/supplement/netdyn-companion-VERSION.zip`` from the executed notebooks.

    Of a chapter without an executed copy, or with one whose claims can no
    longer be gathered, the committed run is taken, and the log and the
    archive's README.txt say so.

    Returns
    -------
    pathlib.Path
        The archive.

    Raises
    ------
    PipelineError
        When something is missing that the archive needs: a run, a field of
        CITATION.cff, Chromium for the PDF.
    """
    chapters = choose(project, profile)
    for chapter in chapters:
        if chapter.origin:
            log(f"{chapter.name}: {chapter.origin}")
    return make(project, chapters, project.build / "supplement", with_pdf, log)


def choose(project, profile="laptop"):
    """The run of each chapter: executed where there is one, else committed; a list of
    :class:`Chapter`.
    """
    return [
        _executed(project, profile, name) or committed(project, name)
        for name in site.chapters(project)
    ]


def _executed(project, profile, name):
    path = project.executed(profile, name)
    if not path.exists():
        return None
    nb = notebook.executed(path)
    fault = site.outgrown(project, name, nb)
    if fault is not None:
        return committed(
            project, name, f"the copy executed at profile {profile} is too old ({fault})"
        )
    run = nb.metadata.netdyn
    if "key" in run and execute.key(project, name, run.parameters) != run.key:
        return Chapter(
            name,
            nb,
            f"executed at profile {profile} before its source or what it depends on changed",
        )
    return Chapter(name, nb)


def committed(project, name, why="not executed here"):
    """The committed run of a chapter, taken for the reason given."""
    path = project.committed(name)
    if not path.exists():
        raise PipelineError(
            f"{name} has neither an executed nor a committed notebook: run make book"
        )
    return Chapter(
        name,
        notebook.executed(path),
        f"{why}; the committed run, whose figures are pictures and not vector drawings",
    )


def make(project, chapters, folder, with_pdf=True, log=print):
    """Build the archive of the chapters given, in ``folder``; its path.

    Beside it lies the same, unpacked.
    """
    about = deposit.citation(project)
    if with_pdf:
        pdf.require()  # before minutes are spent
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{NAME}-{about['version']}"
    top = folder / "making" / made.name  # so that one made before stays until this one is whole
    shutil.rmtree(top.parent, ignore_errors=True)
    top.mkdir(parents=True)
    notebooks = {chapter.name: chapter.nb for chapter in chapters}
    html = site.build_from(project, notebooks, "supplement", folder, log)
    numbers = _numbers(html, chapters)
    drawings, pictures = _figures(chapters, numbers, top / "figures")
    log(f"{len(drawings)} figures as vector drawings, {len(pictures)} as pictures")
    if with_pdf:
        pages = pdf.print_book(
            html,
            site.parts(project),
            _front(project, about, chapters),
            top / "book.pdf",
            drawings,
            _date(about),
        )
        log(f"the book as PDF: {pages} pages")
    html.rename(top / "site")
    (folder / "claims.json").unlink()
    _notebooks(project, chapters, top / "notebooks")
    shutil.copytree(project.book / "results", top / "data", ignore=shutil.ignore_patterns(".*"))
    rows = scorecard.gather(notebooks, project.book / "claims.yml")
    _write(top / "claims.json", scorecard.dumps(rows))
    _write(top / "claims.csv", scorecard.csv(rows))
    _write(top / "environment.txt", _environment(project, chapters))
    for file in COPIED:
        shutil.copyfile(project.root / file, top / file)
    _library(project, top / "library", _date(about))
    _write(top / "metadata.json", deposit.dumps(about))
    shutil.copyfile(verify.__file__, top / "verify.py")
    _write(top / "README.txt", _readme(project, about, chapters, pictures, with_pdf))
    _write(
        top / verify.SUMS,
        "".join(
            f"{verify.digest(path)}  {path.relative_to(top).as_posix()}\n" for path in _members(top)
        ),
    )
    archive = folder / f"{top.name}.zip"
    _zip(top, archive, _date(about))
    replace_folder(top, made)
    top.parent.rmdir()
    log(f"done: {archive} ({archive.stat().st_size / 1e6:.0f} MB, {len(_members(made))} files)")
    return archive


def _date(about):
    """The time that files of the archive bear: that of the release, or SOURCE_DATE_EPOCH where the
    environment sets it.
    """
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    return datetime.fromisoformat(str(about["date-released"])).replace(tzinfo=UTC)


def _members(top):
    return sorted(path for path in top.rglob("*") if path.is_file())


def _zip(top, archive, date):
    """The folder as an archive that is the same for the same files: in order, with one time, one
    mode.
    """
    partial = archive.with_name(archive.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for path in _members(top):
            entry = zipfile.ZipInfo(
                f"{top.name}/{path.relative_to(top).as_posix()}", date.timetuple()[:6]
            )
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # modes are those of Unix
            entry.external_attr = 0o100644 << 16
            file.writestr(entry, path.read_bytes())
    os.replace(partial, archive)


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


# Figures


def _numbers(html, chapters):
    """Number of each figure on the site, by its name."""
    found = {}
    for chapter in chapters:
        soup = BeautifulSoup(
            (html / "notebooks" / f"{chapter.name}.html").read_text(encoding="utf-8"), "html.parser"
        )
        for figure in soup.find_all("figure", id=True):
            caption = figure.find(class_="caption-number")
            if caption:
                found[figure["id"]] = caption.get_text(strip=True)
    return found


def _figures(chapters, numbers, folder):
    """Write every figure, as a drawing where its notebook has one and else as the picture; paths of
    both kinds by name.
    """
    drawings, pictures, rows = {}, {}, []
    folder.mkdir()
    for chapter in chapters:
        for cell, name, caption, alt in notebook.figures(chapter.nb):
            path = folder / f"{chapter.name}--{name}"
            which = f"{chapter.name}: the figure {name!r}"
            picture = notebook.picture(cell, which)
            drawing = next(
                (o.data[vector.MIME] for o in cell.outputs if vector.MIME in o.get("data", {})),
                None,
            )
            if drawing is None:
                pictures[name] = path = path.with_suffix(".png")
                path.write_bytes(picture)
            else:
                drawings[name] = path = path.with_suffix(".svg")
                _write(path, notebook.unpacked(drawing, which))
            shown = {
                "file": path.name,
                "number": numbers.get(name, ""),
                "chapter": chapter.name,
                "name": name,
            }
            rows.append(
                shown | {"caption": " ".join(caption.split()), "description": " ".join(alt.split())}
            )
    _write(
        folder / "figures.csv",
        scorecard.csv(rows, ("file", "number", "chapter", "name", "caption", "description")),
    )
    return drawings, pictures


# Notebooks, library, environment


def _notebooks(project, chapters, folder):
    folder.mkdir()
    for chapter in chapters:
        # The drawings lie in figures/.
        _write(
            folder / f"{chapter.name}.ipynb",
            notebook.dumps(notebook.without(chapter.nb, vector.MIME)),
        )
        shutil.copyfile(project.source(chapter.name), folder / f"{chapter.name}.py")


def _library(project, folder, date):
    """The library as a wheel, built from a copy because building leaves files beside its source."""
    folder.mkdir()
    copy = project.build / "wheel-source"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(project.root / file, copy / file)
    shutil.copytree(
        project.package, copy / project.package.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    words = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(folder),
        str(copy),
    ]
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": str(int(date.timestamp())),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, env=environment
    )
    shutil.rmtree(copy, ignore_errors=True)
    if done.returncode or not list(folder.glob("*.whl")):
        raise PipelineError(
            f"the library could not be packed (exit {done.returncode}):\n{done.stderr.strip()[-2000:]}"
        )


def _environment(project, chapters):
    """Requirements, the versions that each notebook ran with, and the machine that packed the
    archive.
    """
    groups = {}
    for chapter in chapters:
        groups.setdefault(tuple(sorted(chapter.nb.metadata.netdyn["versions"].items())), []).append(
            chapter.name
        )
    lines = ["Versions that the notebooks ran with", ""]
    for versions, names in groups.items():
        lines += (
            [f"{', '.join(names)}:"]
            + [f"  {package} {version}" for package, version in versions]
            + [""]
        )
    lines += ["The machine that packed this archive", ""]
    lines += [
        f"  {field}: {value}" for field, value in provenance.describe().items() if value is not None
    ]
    lines += [
        "",
        "requirements.txt",
        "",
        (project.root / "requirements.txt").read_text(encoding="utf-8").strip(),
    ]
    return "\n".join(lines) + "\n"


# What the archive says of itself


def _runs(chapters):
    for chapter in chapters:
        run = chapter.nb.metadata.netdyn
        yield f"{fragments.title(chapter.nb)}: profile {run['profile']}, {run['device']}, seed {run['seed']}, {run['executed']}, commit {run['commit']}"


def _front(project, about, chapters):
    return {
        "title": about["title"],
        "authors": "; ".join(deposit.name(author) for author in about["authors"]),
        "lines": [
            f"Version {about['version']}, {about['date-released']}; commit {project.commit()}.",
            "The whole of the website on paper, with its numbers of figures and equations. Code that the website folds away is left out.",
            *_runs(chapters),
            "Text and figures: CC BY 4.0. Code: MIT licence.",
        ],
    }


def _readme(project, about, chapters, pictures, with_pdf):
    notes = [f"{chapter.name}: {chapter.origin}." for chapter in chapters if chapter.origin]
    if pictures:
        notes.append(
            f"{len(pictures)} figures are pictures (PNG), because their runs kept no vector drawing; figures/figures.csv lists all."
        )
    if not with_pdf:
        notes.append("The archive was made without book.pdf.")
    contents = (
        ("site/", "the website: open site/index.html in a browser; it needs no network"),
        *(
            [("book.pdf", "the whole book as one document, with the numbering of the website")]
            if with_pdf
            else []
        ),
        (
            "notebooks/",
            "each chapter as an executed notebook (.ipynb) and as its source (.py, Jupytext)",
        ),
        ("figures/", "every figure, CHAPTER--NAME; figures.csv has their numbers and captions"),
        (
            "data/",
            "published results, opened by numpy.load; site/book/published.html says what each holds; data/runs: other runs of chapters, as JSON",
        ),
        (
            "claims.json, claims.csv",
            "every claim of the papers that was tested, with its measured value and verdict",
        ),
        ("library/", "the library netdyn_lib: pip install library/*.whl"),
        ("environment.txt", "requirements, the versions that the notebooks ran with, the machine"),
        (
            "CITATION.cff, metadata.json",
            "how to cite this, for programs; the second in the words of a data repository",
        ),
        ("LICENSE", "the licence of the code; site/book/licence.html has that of text and figures"),
        ("verify.py, SHA256SUMS", "checksums of all files, and what checks them"),
    )
    blocks = [
        f"{about['title']}\nVersion {about['version']}, {about['date-released']}; commit {project.commit()}",
        " ".join(about["abstract"].split()),
        "What is in it\n\n" + "\n".join(f"  {name}\n      {text}" for name, text in contents),
        "How the chapters were run\n\n" + "\n".join(f"  {line}" for line in _runs(chapters)),
        *(
            ["What to know of this copy\n\n" + "\n".join(f"  {note}" for note in notes)]
            if notes
            else []
        ),
        "How to verify it\n\n  python verify.py\n\n"
        "  checks every checksum, that no file is missing or extra, and that the links of the website lead somewhere.\n"
        "  It needs Python 3.8 or later and nothing else. The exit status is 0 if all is well and 1 if not.",
        "How to cite it\n\n  "
        + deposit.cited(about)
        + "\n\n  Please cite the papers whose experiments it repeats, too:\n\n"
        + "\n".join(f"  {deposit.reference(paper)}" for paper in about["references"]),
    ]
    return "\n\n\n".join(blocks) + "\n"
