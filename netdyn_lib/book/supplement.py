"""One archive of everything: site, notebooks, figures, data, claims, library, environment, PDF,
checksums, and what a data repository asks of a deposit.
"""

import html as markup
import json
import mimetypes
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from bs4 import BeautifulSoup

from .. import __version__
from ..figures import vector
from ..results import provenance
from . import execute, notebooks, pages, pdf, scorecard, site, verify
from .citations import CC_BY, author_name, doi, graph, reference
from .project import PipelineError, replace_folder

NAME = "netdyn-companion"
#: Files at the top of the repository that the archive has too.
COPIED = ("CITATION.cff", "LICENSE", "requirements.txt")
#: Of the archive, what is under the licence of text and figures.
_TEXTS = ("site/", "book.pdf", "figures/")
#: Media types that Python does not know; files without a suffix are text.
_FORMATS = {".ipynb": "application/x-ipynb+json", ".cff": "application/yaml", "": "text/plain"}
_FORMATS |= dict.fromkeys((".npz", ".whl"), "application/zip")
#: Zenodo's words for what CITATION.cff calls a type, and for the types of references.
_UPLOADS = {"software": "software", "dataset": "dataset"}
_RESOURCES = {"article": "publication-article", "conference-paper": "publication-conferencepaper"}
_NEEDED = (
    *("title", "abstract", "authors", "version", "date-released", "license", "keywords"),
    "references",
)


@dataclass(frozen=True)
class Chapter:
    """One chapter's run as the archive has it.

    ``origin`` says where it comes from; it is empty for a run made here of this very source.
    """

    name: str
    nb: object
    origin: str = ""


def build(project, profile="laptop", with_pdf=True, log=print):
    """Build ``_build/supplement/netdyn-companion-VERSION.zip``; return its path.

    Of a chapter without an executed copy, or with one whose claims can no longer be gathered, the
    committed run is taken, and the log and the archive's README.txt say so.
    """
    chapters = choose(project, profile)
    for chapter in chapters:
        if chapter.origin:
            log(f"{chapter.name}: {chapter.origin}")
    return make(project, chapters, project.build / "supplement", with_pdf, log)


def choose(project, profile="laptop"):
    """Return the run of each chapter as a Chapter: executed where there is one, else committed."""
    chapters = []
    for name in site.chapters(project):
        path = project.executed(profile, name)
        if not path.exists():
            chapters.append(committed(project, name))
            continue
        nb = notebooks.executed(path)
        fault, run, origin = site.outgrown(project, name, nb), nb.metadata.netdyn, ""
        copy = f"executed at profile {profile}"
        if fault is not None:
            chapters.append(committed(project, name, f"the copy {copy} is too old ({fault})"))
            continue
        if "key" in run and execute.key(project, name, run.parameters) != run.key:
            origin = f"{copy} before its source or what it depends on changed"
        chapters.append(Chapter(name, nb, origin))
    return chapters


def committed(project, name, why="not executed here"):
    """Return the committed run of a chapter, taken for the reason given."""
    path = project.committed(name)
    if not path.exists():
        what = f"{name} has neither an executed nor a committed notebook"
        raise PipelineError(f"{what}: run make book")
    origin = f"{why}; the committed run, whose figures are pictures and not vector drawings"
    return Chapter(name, notebooks.executed(path), origin)


def make(project, chapters, folder, with_pdf=True, log=print):
    """Build the archive of the chapters given, in ``folder``; return its path.

    Beside it lies the same, unpacked.
    """
    about = citation(project)
    if with_pdf:
        pdf.require()  # before minutes are spent
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{NAME}-{about['version']}"
    top = folder / "making" / made.name  # so that one made before stays until this one is whole
    shutil.rmtree(top.parent, ignore_errors=True)
    top.mkdir(parents=True)
    runs = {chapter.name: chapter.nb for chapter in chapters}
    html = site.build_from(project, runs, site.Build(folder, "supplement"), log)
    drawings, pictures = _figures(chapters, _numbers(html, chapters), top / "figures")
    log(f"{len(drawings)} figures as vector drawings, {len(pictures)} as pictures")
    if with_pdf:
        book = pdf.Book(html, site.parts(project), _front(project, about, chapters), drawings)
        count = pdf.print_book(book, top / "book.pdf", _date(about))
        log(f"the book as PDF: {count} pages")
    html.rename(top / "site")
    (folder / "claims.json").unlink()
    (top / "notebooks").mkdir()
    for chapter in chapters:
        path = top / "notebooks" / f"{chapter.name}.ipynb"
        _write(path, notebooks.dumps(notebooks.without(chapter.nb, vector.MIME)))  # in figures/
        shutil.copyfile(project.source(chapter.name), path.with_suffix(".py"))
    shutil.copytree(project.book / "results", top / "data", ignore=shutil.ignore_patterns(".*"))
    rows = scorecard.gather(runs, project.book / "claims.yml")
    _write(top / "claims.json", scorecard.dumps(rows))
    _write(top / "claims.csv", scorecard.csv(rows))
    _write(top / "environment.txt", _environment(project, chapters))
    for file in COPIED:
        shutil.copyfile(project.root / file, top / file)
    shutil.copytree(project.root / "requirements", top / "requirements")
    _library(project, top / "library", _date(about))
    _write(top / "metadata.json", metadata(about))
    shutil.copyfile(verify.__file__, top / "verify.py")
    notes = [f"{chapter.name}: {chapter.origin}." for chapter in chapters if chapter.origin]
    if pictures:
        why = "because their runs kept no vector drawing; figures/figures.csv lists all"
        notes.append(f"{len(pictures)} figures are pictures (PNG), {why}.")
    if not with_pdf:
        notes.append("The archive was made without book.pdf.")
    _write(top / "README.txt", _readme(project, about, chapters, notes, with_pdf))
    _write(top / verify.CRATE, crate(about, top, _contents(with_pdf)))
    sums = (
        f"{verify.digest(path)}  {path.relative_to(top).as_posix()}\n" for path in _members(top)
    )
    _write(top / verify.SUMS, "".join(sums))
    archive = folder / f"{top.name}.zip"
    _zip(top, archive, _date(about))
    replace_folder(top, made)
    top.parent.rmdir()
    log(f"done: {archive} ({archive.stat().st_size / 1e6:.0f} MB, {len(_members(made))} files)")
    return archive


def _date(about):
    """The time that files of the archive bear: SOURCE_DATE_EPOCH, or that of the release."""
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    return datetime.fromisoformat(str(about["date-released"])).replace(tzinfo=UTC)


def _members(top):
    return sorted(path for path in top.rglob("*") if path.is_file())


def _zip(top, archive, date):
    """Pack a folder so that the same files give the same archive: one order, time and mode."""
    partial = archive.with_name(archive.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for path in _members(top):
            name = f"{top.name}/{path.relative_to(top).as_posix()}"
            entry = zipfile.ZipInfo(name, date.timetuple()[:6])
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
    pages = [page for chapter in chapters for page in notebooks.pages(chapter.name, chapter.nb)]
    for name in pages:
        page = (html / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        for figure in BeautifulSoup(page, "html.parser").find_all("figure", id=True):
            caption = figure.find(class_="caption-number")
            if caption:
                found[figure["id"]] = caption.get_text(strip=True)
    return found


def _figures(chapters, numbers, folder):
    """Write every figure, as a drawing where its run has one and else as the picture.

    Returns the paths of both kinds, by the figures' names.
    """
    drawings, pictures, rows = {}, {}, []
    folder.mkdir()
    for chapter in chapters:
        for cell, name, caption, alt in notebooks.figures(chapter.nb):
            path, which = folder / f"{chapter.name}--{name}", f"{chapter.name}: the figure {name!r}"
            picture = notebooks.picture(cell, which)
            found = [output.get("data", {}).get(vector.MIME) for output in cell.outputs]
            drawing = next(filter(None, found), None)
            if drawing is None:
                pictures[name] = path = path.with_suffix(".png")
                path.write_bytes(picture)
            else:
                drawings[name] = path = path.with_suffix(".svg")
                _write(path, notebooks.unpacked(drawing, which))
            said = {"caption": " ".join(caption.split()), "description": " ".join(alt.split())}
            number = numbers.get(name, "")
            where = {"file": path.name, "number": number, "chapter": chapter.name, "name": name}
            rows.append(where | said)
    _write(folder / "figures.csv", scorecard.csv(rows, rows[0] if rows else ("file",)))
    return drawings, pictures


# Library, environment


def _library(project, folder, date):
    """The library as a wheel, built from a copy because building leaves files beside its source."""
    folder.mkdir()
    copy = project.build / "wheel-source"
    shutil.rmtree(copy, ignore_errors=True)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project.package, copy / project.package.name, ignore=unwanted)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(project.root / file, copy / file)
    words = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir"]
    fixed = {"SOURCE_DATE_EPOCH": str(int(date.timestamp())), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *words, str(folder), str(copy)],
        capture_output=True,
        text=True,
        env=os.environ | fixed,
    )
    shutil.rmtree(copy, ignore_errors=True)
    if done.returncode or not list(folder.glob("*.whl")):
        said = done.stderr.strip()[-2000:]
        what = f"the library could not be packed (exit {done.returncode})"
        raise PipelineError(f"{what}:\n{said}")


def _environment(project, chapters):
    """Versions that each notebook ran with, and the machine that packed the archive."""
    groups = {}
    for chapter in chapters:
        versions = tuple(sorted(chapter.nb.metadata.netdyn["versions"].items()))
        groups.setdefault(versions, []).append(chapter.name)
    lines = ["Versions that the notebooks ran with", ""]
    for versions, names in groups.items():
        lines += [f"{', '.join(names)}:", *(f"  {one} {version}" for one, version in versions), ""]
    machine = {field: value for field, value in provenance.describe().items() if value is not None}
    lines += ["The machine that packed this archive", ""]
    lines += [f"  {field}: {value}" for field, value in machine.items()]
    return "\n".join(lines) + "\n"


# What the archive says of itself


def _runs(chapters):
    for chapter in chapters:
        run = chapter.nb.metadata.netdyn
        way = f"profile {run['profile']}, {run['device']}, seed {run['seed']}, {run['executed']}"
        yield f"{pages.title(chapter.nb).partition(': ')[0]}: {way}, commit {run['commit']}"


def _front(project, about, chapters):
    return {
        "title": about["title"],
        "authors": "; ".join(author_name(author) for author in about["authors"]),
        "lines": [
            f"Version {about['version']}, {about['date-released']}; commit {project.commit()}.",
            "The whole of the website on paper, with its numbers of figures and equations. "
            "Code that the website folds away is left out.",
            *_runs(chapters),
            "Text and figures: CC BY 4.0. Code: MIT licence.",
        ],
    }


_README = """\
{title}
Version {version}, {date}; commit {commit}


{abstract}


What is in it

{contents}


How the chapters were run

{runs}


{notes}How to verify it

  python verify.py

  checks every checksum, that no file is missing or extra, and that the links of the website
  lead somewhere. It needs Python 3.8 or later and nothing else.
  The exit status is 0 if all is well and 1 if not.


How to cite it

  {cited}

  Please cite the papers whose experiments it repeats, too:

{papers}
"""
_PDF = """\
  book.pdf
      the whole book as one document, with the numbering of the website
"""
_CONTENTS = """\
  site/
      the website: open site/index.html in a browser; it needs no network
  book.pdf
      the whole book as one document, with the numbering of the website
  notebooks/
      each chapter as an executed notebook (.ipynb) and as its source (.py, Jupytext)
  figures/
      every figure, CHAPTER--NAME; figures.csv has their numbers and captions
  data/
      published results, opened by numpy.load; site/book/published.html says what each holds;
      data/runs: other runs of chapters, as JSON
  claims.json, claims.csv
      every claim of the papers that was tested, with its measured value and verdict
  library/
      the library netdyn_lib: pip install library/*.whl
  requirements.txt, requirements/
      the packages of the book, pinned: pip install -r requirements.txt; lock.txt has all of them
  environment.txt
      the versions that the notebooks ran with, the machine
  CITATION.cff, metadata.json, ro-crate-metadata.json
      how to cite this and what is in it, for programs: the second in the words of a data
      repository, the third as an RO-Crate
  LICENSE
      the licence of the code; site/book/licence.html has that of text and figures
  verify.py, SHA256SUMS
      checksums of all files, and what checks them"""


def _contents(with_pdf):
    return _CONTENTS if with_pdf else _CONTENTS.replace(_PDF, "")


def _readme(project, about, chapters, notes, with_pdf):
    lines = "\n".join(f"  {note}" for note in notes)
    return _README.format(
        title=about["title"],
        version=about["version"],
        date=about["date-released"],
        commit=project.commit(),
        abstract=" ".join(about["abstract"].split()),
        contents=_contents(with_pdf),
        runs="\n".join(f"  {line}" for line in _runs(chapters)),
        notes=f"What to know of this copy\n\n{lines}\n\n\n" if notes else "",
        cited=cited(about),
        papers="\n".join(f"  {reference(paper)}" for paper in about["references"]),
    )


# What a data repository asks


def citation(project):
    """Return CITATION.cff as a dict, complete for a deposit and of this library's version."""
    path = project.root / "CITATION.cff"
    found = pages.read_citation(path)
    missing = [field for field in _NEEDED if not found.get(field)]
    if missing:
        raise PipelineError(f"{path.name} lacks {', '.join(missing)}: a deposit needs them")
    if str(found["version"]) != __version__:
        what = f"{path.name} has version {found['version']}, but netdyn_lib has {__version__}"
        raise PipelineError(f"{what}: which is it?")
    return found


def metadata(citation):
    """Return the body of a deposition for Zenodo's interface, as JSON ready to be sent."""
    kind = citation.get("type", "software")
    if kind not in _UPLOADS:
        known = " or ".join(_UPLOADS)
        raise PipelineError(f"CITATION.cff has the type {kind!r}: must be {known}")
    abstract = markup.escape(" ".join(citation["abstract"].split()), quote=False)
    related = [
        {
            "identifier": doi(paper),
            "relation": "isSupplementTo",
            "scheme": "doi",
            "resource_type": _resource(paper),
        }
        for paper in citation["references"]
        if doi(paper)
    ]
    about = {
        "title": citation["title"],
        "upload_type": _UPLOADS[kind],
        "publication_date": str(citation["date-released"]),
        "description": f"<p>{abstract}</p>",
        "creators": [
            {"name": author_name(author)} | _orcid(author) for author in citation["authors"]
        ],
        "access_right": "open",
        "license": citation["license"].lower(),
        "keywords": citation["keywords"],
        "version": str(citation["version"]),
        "language": "eng",
        "related_identifiers": related,
        "references": [reference(paper) for paper in citation["references"]],
    }
    return json.dumps({"metadata": about}, ensure_ascii=False, indent=1) + "\n"


def crate(citation, top, contents):
    """Return ``ro-crate-metadata.json`` of the archive in the folder ``top``, as RO-Crate 1.1.

    ``contents`` is what README.txt says is in it, whose words describe the entities.  Every file is
    one but those of the website.
    """
    whole, *others = graph(citation, "./")
    listed = re.findall(r"^  (\S.*)\n((?: {6}.*(?:\n|$))+)", contents, flags=re.M)
    parts, files = [], []
    for name, said in ((name, said) for names, said in listed for name in names.split(", ")):
        inner = _members(top / name) if name.endswith("/") and name != "site/" else []
        files += (found := [_entity(path, top) for path in inner])
        node = {"@id": name, "@type": "Dataset"} if name.endswith("/") else _entity(top / name, top)
        node |= {"name": name, "description": " ".join(said.split())}
        node |= {"license": {"@id": CC_BY}} if name in _TEXTS else {}
        parts.append(node | ({"hasPart": [{"@id": one["@id"]} for one in found]} if found else {}))
    parts = [node for node in parts if node["@id"] != verify.CRATE]  # which describes itself
    itself = {"@id": verify.CRATE, "@type": "CreativeWork", "about": {"@id": "./"}}
    itself["conformsTo"] = {"@id": "https://w3id.org/ro/crate/1.1"}
    whole |= {"@type": "Dataset", "hasPart": [{"@id": node["@id"]} for node in parts]}
    licence = {"@id": CC_BY, "@type": "CreativeWork", "name": "CC BY 4.0"}
    nodes = [itself, whole, *parts, *files, licence, *others]
    context = "https://w3id.org/ro/crate/1.1/context"
    return json.dumps({"@context": context, "@graph": nodes}, ensure_ascii=False, indent=1) + "\n"


def _entity(path, top):
    """A file of the archive; checksums are written last, and have no size yet."""
    kinds = mimetypes.MimeTypes()  # without what this machine adds
    kind = _FORMATS.get(path.suffix) or kinds.guess_type(path.name)[0] or "application/octet-stream"
    found = {"@id": quote(path.relative_to(top).as_posix()), "@type": "File", "name": path.name}
    found |= {"encodingFormat": kind}
    return found | ({"contentSize": str(path.stat().st_size)} if path.exists() else {})


def cited(citation):
    """Return how to cite the companion, in one line."""
    authors = "; ".join(author_name(author) for author in citation["authors"])
    found = f" https://doi.org/{citation['doi']}" if citation.get("doi") else ""
    when = f"Version {citation['version']}, {str(citation['date-released'])[:4]}"
    return f"{authors}. {citation['title']}. {when}.{found}"


def _orcid(person):
    return {"orcid": person["orcid"].rpartition("/")[2]} if person.get("orcid") else {}


def _resource(paper):
    if (paper.get("journal") or "").lower() == "arxiv":
        return "publication-preprint"
    return _RESOURCES.get(paper["type"], "publication-other")
