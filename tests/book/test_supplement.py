"""The archive of everything, made once from the committed notebooks, checked and damaged."""

import csv
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from bs4 import BeautifulSoup

from netdyn_lib import __version__
from netdyn_lib.book import citations, notebooks, pdf, scorecard, site, supplement, verify
from netdyn_lib.book.project import PipelineError, Project
from netdyn_lib.figures import style, vector
from netdyn_lib.figures.numbers import packed
from netdyn_lib.results import claims

from . import small

PROJECT = Project(small.ROOT)
NAMES = PROJECT.names()
BROWSER = pdf.find_browser() is not None
CFF = yaml.safe_load((PROJECT.root / "CITATION.cff").read_text(encoding="utf-8"))
chromium = pytest.mark.skipif(not BROWSER, reason="needs Chromium")
FILES = {"site", "notebooks", "figures", "data", "claims.json", "claims.csv", "environment.txt"}
FILES |= {"library", "CITATION.cff", "LICENSE", "metadata.json", "README.txt", "SHA256SUMS"}
FILES |= {"requirements", "requirements.txt"}
FILES |= {"ro-crate-metadata.json", "verify.py", *["book.pdf"] * BROWSER}


def with_a_drawing(chapter):
    """The chapter as a run of the pipeline leaves it: its first figure has a drawing too."""
    with style.figure() as (fig, ((axis,),)):
        axis.plot([0, 1], [0, 1], color="#123456")
    cell, name, _, _ = notebooks.figures(chapter.nb)[0]
    output = next(output for output in cell.outputs if "image/png" in output.get("data", {}))
    output.data[vector.MIME] = packed(vector.of(fig))
    return name


@pytest.fixture(scope="module")
def built(tmp_path_factory, html):
    """The archive, and what was said while it was built, from the site of all tests."""
    chapters, said = [supplement.committed(PROJECT, name) for name in NAMES], []
    with_a_drawing(chapters[0])
    folder = tmp_path_factory.mktemp("supplement")

    def copied(project, runs, place, log):
        supplement.shutil.copytree(html, place.folder / "html")
        (place.folder / "claims.json").touch()
        return place.folder / "html"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "build_from", copied)
        yield supplement.make(PROJECT, chapters, folder, BROWSER, said.append), said


@pytest.fixture(scope="module")
def top(built, tmp_path_factory):
    """The archive, unpacked."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(built[0]) as file:
        file.extractall(folder)
    (top,) = folder.iterdir()
    return top


def text_of(path):
    return path.read_text(encoding="utf-8")


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def checked(top):
    call = [sys.executable, "-I", "verify.py"]
    done = subprocess.run(call, cwd=top, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


# The archive's own check


def test_a_whole_archive_verifies_with_nothing_but_python(top):
    status, said = checked(top)
    assert (status, said.split(":")[0]) == (0, "OK"), said
    words = re.findall(r"^(?:from|import) (\w+)", text_of(Path(verify.__file__)), flags=re.M)
    assert len(words) > 3 and set(words) <= set(sys.stdlib_module_names)


def test_changed_bytes_a_missing_and_an_extra_file_are_found(top):
    paths = ["README.txt", "data/digits.npz", "notebooks/01_toy_map.py", "site/index.html"]
    before = {path: (top / path).read_bytes() for path in paths}
    for path, text in before.items():
        k = len(text) // 2
        (top / path).write_bytes(text[:k] + bytes([text[k] ^ 1]) + text[k + 1 :])
    (top / "claims.csv").rename(top / "claims2.csv")
    status, said = checked(top)
    (top / "claims2.csv").rename(top / "claims.csv")
    for path, text in before.items():
        (top / path).write_bytes(text)
    lines = ["missing: claims.csv", "not in SHA256SUMS: claims2.csv"]
    lines += [f"changed: {path}" for path in paths]
    assert status == 1 and said.splitlines()[: len(lines)] == lines and "FAILED" in said


# What is in it


def test_nothing_is_missing(top):
    assert {path.name for path in top.iterdir()} == FILES
    assert top.name == f"netdyn-companion-{__version__}" and (top / "site" / "index.html").exists()
    wanted = {f"{name}.{kind}" for name in NAMES for kind in ("ipynb", "py")}
    assert {path.name for path in (top / "notebooks").iterdir()} == wanted
    for name in NAMES:
        made = notebooks.read(top / "notebooks" / f"{name}.ipynb")
        assert made == notebooks.read(PROJECT.committed(name))
        source = (top / "notebooks" / f"{name}.py").read_bytes()
        assert source == PROJECT.source(name).read_bytes()
        assert (top / "site" / "notebooks" / f"{name}.html").exists()
    results = PROJECT.book / "results"
    for path in results.rglob("*.npz"):
        assert (top / "data" / path.relative_to(results)).read_bytes() == path.read_bytes()
    (wheel,) = (top / "library").glob(f"netdyn_lib-{__version__}-*.whl")
    with zipfile.ZipFile(wheel) as file:
        assert {"netdyn_lib/__init__.py", "netdyn_lib/book/verify.py"} <= set(file.namelist())


def test_every_figure_is_there_as_a_drawing_or_a_picture(built, top, numbers):
    rows, wanted = table(top / "figures" / "figures.csv"), []
    for name in NAMES:
        figures = notebooks.figures(notebooks.read(PROJECT.committed(name)))
        wanted += [(name, label) for _, label, _, _ in figures]
    assert [(row["chapter"], row["name"]) for row in rows] == wanted
    there = {path.name for path in (top / "figures").iterdir()} - {"figures.csv"}
    assert {row["file"] for row in rows} == there
    for row in rows:
        (caption,) = (text for (_, name), text in numbers.items() if name == row["name"])
        assert caption.startswith(row["number"] + " ")
    (drawing,) = (top / "figures").glob("*.svg")
    assert drawing.name == "--".join(wanted[0]) + ".svg"
    styles = [node.get("style", "") for node in ET.parse(drawing).getroot().iter()]
    assert any("stroke: #123456" in one for one in styles)
    many = len(list((top / "figures").glob("*.png")))
    assert f"{many} figures are pictures (PNG)" in text_of(top / "README.txt")
    assert f"1 figures as vector drawings, {many} as pictures" in built[1]
    assert vector.MIME not in text_of(top / "notebooks" / f"{NAMES[0]}.ipynb")


def test_the_archive_says_what_it_is_and_names_no_place(top):
    readme, machine = text_of(top / "README.txt"), text_of(top / "environment.txt")
    assert all(f"{name}: not executed here; the committed run" in readme for name in NAMES)
    assert ("made without book.pdf" in readme) != BROWSER == ("whole book as one" in readme)
    assert "python verify.py" in readme and __version__ in readme
    assert all(word in machine for word in ("  torch 2.", "cores: "))
    assert "jupyter-book==1." in text_of(top / "requirements" / "book.txt")
    assert "\ntornado==" in text_of(top / "requirements" / "lock.txt")
    for text in (readme, machine, text_of(top / "figures" / "figures.csv")):
        assert str(PROJECT.root) not in text
    rows, lines = json.loads(text_of(top / "claims.json")), table(top / "claims.csv")
    assert len(rows) > 20 and list(lines[0]) == list(scorecard.FIELDS)
    for row, line in zip(rows, lines, strict=True):
        measured = "" if row["measured"] is None else str(row["measured"])
        said = (row["id"], row["verdict"], measured)
        assert (line["id"], line["verdict"], line["measured"]) == said


def test_the_same_files_give_the_same_archive(built, top, tmp_path):
    supplement._zip(top, tmp_path / "again.zip", supplement._date(CFF))
    assert (tmp_path / "again.zip").read_bytes() == built[0].read_bytes()
    with zipfile.ZipFile(built[0]) as file:
        names = [entry.filename for entry in file.infolist()]
        dates = {entry.date_time[:3] for entry in file.infolist()}
    assert names == sorted(names, key=lambda name: Path(name).parts)
    assert len(set(names)) == len(names)
    assert dates == {tuple(map(int, str(CFF["date-released"]).split("-")))}


# The printed book


@pytest.fixture(scope="module")
def numbers(top):
    """Number and caption of every figure of the site, by page and name."""
    found = {}
    for path in (top / "site").glob("[!_]*/*.html"):
        page = path.relative_to(top / "site").with_suffix("").as_posix()
        for figure in parsed(path).find_all("figure", id=True):
            found[page, figure["id"]] = bare(figure.find("figcaption"))
    return found


@pytest.fixture(scope="module")
def equations(top):
    """Number of every equation of the preliminaries, by name."""
    page = parsed(top / "site" / "book" / "preliminaries.html")
    return {node.parent["id"]: bare(node) for node in page.select(".eqno")}


def parsed(path):
    return BeautifulSoup(text_of(path), "html.parser")


def bare(node):
    """Text without the sign that links to its place."""
    return node.get_text().strip("#¶ \n")


def test_the_joined_pages_have_the_numbers_of_the_site(top, numbers, equations):
    front = {"title": "", "authors": "", "lines": []}
    text = pdf.document(pdf.Book(top / "site", site.parts(PROJECT), front))
    whole = BeautifulSoup(text, "html.parser")
    figures = {one["id"]: bare(one.find("figcaption")) for one in whole.find_all("figure", id=True)}
    assert len(numbers) > 80 and len(equations) > 5
    assert figures == {pdf.anchor(*place): caption for place, caption in numbers.items()}
    found = {node.parent["id"]: bare(node) for node in whole.select(".eqno")}
    for name, number in equations.items():
        assert found[pdf.anchor("book/preliminaries", name)] == number
    ids = [node["id"] for node in whole.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for node in whole.find_all(class_="std-numref"):
        assert re.match(r"Fig. \d", node.get_text())


@pytest.fixture(scope="module")
def printed(top):
    from pypdf import PdfReader

    return PdfReader(top / "book.pdf")


def plain(text):
    """Text without white space: where a line ends depends on fonts."""
    return "".join(text.split())


def starts(printed):
    """Index of the page on which each page of the site begins."""
    places = {name[1:]: place for name, place in printed.named_destinations.items()}
    numbers = {name: printed.get_destination_page_number(place) for name, place in places.items()}
    return {name: number for name, number in numbers.items() if "--" not in name}


def printed_text(printed, page):
    """Text of the pages from the beginning of a page of the site to the next."""
    begin = starts(printed)
    first = begin[pdf.anchor(page)]
    last = min([k for k in begin.values() if k > first], default=len(printed.pages))
    return plain("".join(printed.pages[k].extract_text() for k in range(first, last)))


@chromium
def test_figures_and_equations_are_printed_with_the_numbers_of_the_site(
    printed, numbers, equations
):
    for name in (NAMES[0], NAMES[2]):
        text = printed_text(printed, f"notebooks/{name}")
        captions = [one for (page, _), one in numbers.items() if page == f"notebooks/{name}"]
        assert len(captions) > 4
        for caption in captions:
            # Up to the first letters that a font may join.
            start = plain(re.split(r"f[fil]|[^ -~]", caption)[0][:60])
            assert re.match(r"Fig\.\d\.\d+[\w(]", start) and start in text, caption
    text = printed_text(printed, "book/preliminaries")
    assert all(one in text for one in equations.values()) and all(sign in text for sign in "∇∑η⟺")
    assert not re.search(r"\\(eta|lambda|frac|mathbb|left|varepsilon)\b|\\\(|\$\$", text)
    toy = printed_text(printed, f"notebooks/{NAMES[0]}")
    assert "(1.1)" in toy and "(1.2)" in toy


@chromium
def test_the_contents_give_the_pages(top, printed):
    begin = starts(printed)
    contents = plain(
        "".join(printed.pages[k].extract_text() for k in range(1, min(begin.values())))
    )
    for name in NAMES:
        page = parsed(top / "site" / "notebooks" / f"{name}.html")
        title, place = plain(bare(page.find("article").find("h1"))), begin[f"notebooks-{name}"]
        text, number = plain(printed.pages[place].extract_text()), str(place + 1)
        assert f"{title}{number}" in contents
        # The number stands at the foot; where that is in the text is up to the reader.
        at_end = text.startswith(title) and text.endswith(number)
        assert at_end or text.startswith(f"{number}{title}")


@chromium
def test_the_pdf_has_bookmarks_the_date_of_the_release_and_no_place_of_this_machine(top, printed):
    assert len(printed.outline) > 0 and printed.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert printed.metadata.creation_date.date() == CFF["date-released"]
    notes = [note.get_object() for page in printed.pages for note in page.get("/Annots", ())]
    addresses = [str(note["/A"]["/URI"]) for note in notes if "/URI" in note.get("/A", {})]
    assert addresses and {one.partition(":")[0] for one in addresses} <= {"https", "http", "mailto"}
    assert b"file://" not in (top / "book.pdf").read_bytes()


def test_without_chromium_one_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv(pdf.EXECUTABLE, raising=False)
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    with pytest.raises(PipelineError, match=r"apt-get install chromium.*make supplement PDF=0"):
        supplement.make(PROJECT, [], tmp_path / "never")
    assert not (tmp_path / "never").exists()


# What a run keeps


def test_a_pair_keeps_no_drawing():
    run = supplement.committed(PROJECT, NAMES[0])
    with_a_drawing(run)
    made = notebooks.merge(notebooks.read_source(PROJECT.source(NAMES[0])), run.nb, NAMES[0])
    assert notebooks.dumps(made) == text_of(PROJECT.committed(NAMES[0]))


def test_executed_runs_are_taken_before_committed_ones(tmp_path):
    there = Project(tmp_path)
    for folder in ("notebooks", "netdyn_lib", "book", "_toc.yml"):
        (tmp_path / folder).symlink_to(PROJECT.root / folder)
    run = supplement.committed(PROJECT, NAMES[0]).nb
    run.metadata.netdyn |= {"key": "of another source", "parameters": {"profile": "laptop"}}
    small.keep(there.executed("laptop", NAMES[0]), run)
    first, *others = supplement.choose(there)
    assert first.nb.metadata.netdyn["key"] == "of another source"
    assert "before its source" in first.origin
    assert [chapter.name for chapter in (first, *others)] == NAMES
    assert all("committed" in chapter.origin for chapter in others)
    assert supplement.choose(there, "paper")[0].origin.startswith("not executed here")
    outputs = [output for cell in run.cells for output in cell.get("outputs", [])]
    found = [output.data for output in outputs if claims.MIME in output.get("data", {})]
    del found[0][claims.MIME][0]["statement"]
    small.keep(there.executed("laptop", NAMES[0]), run)
    first = supplement.choose(there)[0]
    assert first.nb == supplement.committed(PROJECT, NAMES[0]).nb
    old = (
        r"the copy executed at profile laptop is too old \(.*older library, without statement: .*\)"
    )
    assert re.match(f"{old}; the committed run", first.origin)


# What a data repository asks


def test_the_fields_of_a_deposit_come_from_the_citation():
    about = json.loads(supplement.metadata(supplement.citation(PROJECT)))["metadata"]
    same = ("title", "version", "keywords")
    assert [about[field] for field in same] == [CFF[field] for field in same]
    assert about["version"] == __version__ and about["license"] == "mit"
    assert about["upload_type"] == "software" and about["language"] == "eng"
    assert about["publication_date"] == str(CFF["date-released"])
    assert about["creators"] == [{"name": "The netdyn companion authors"}]
    assert about["description"] == f"<p>{' '.join(CFF['abstract'].split())}</p>"
    assert len(about["references"]) == len(CFF["references"]) == 4
    related = {(one["identifier"], one["relation"]) for one in about["related_identifiers"]}
    arxiv = ("10.48550/arXiv.2506.08523", "10.48550/arXiv.2405.00743")
    papers = ("10.3389/fcpxs.2024.1367957", *arxiv)
    assert related == {(paper, "isSupplementTo") for paper in papers}


def test_the_crate_describes_every_file_but_those_of_the_site(top):
    crate = json.loads(text_of(top / "ro-crate-metadata.json"))
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    nodes = {node["@id"]: node for node in crate["@graph"]}
    itself, whole = nodes["ro-crate-metadata.json"], nodes["./"]
    assert itself["about"] == {"@id": "./"} and itself["@type"] == "CreativeWork"
    assert itself["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert (whole["@type"], whole["name"]) == ("Dataset", CFF["title"])
    assert whole["version"] == __version__
    assert len(whole["citation"]) == 4 and whole["datePublished"] == str(CFF["date-released"])
    parts = {part["@id"].rstrip("/") for part in whole["hasPart"]}
    assert parts == FILES - {"README.txt", "ro-crate-metadata.json"}
    assert all(nodes[part["@id"]]["description"] for part in whole["hasPart"])
    assert {"image/svg+xml", "application/zip"} < {
        node.get("encodingFormat") for node in nodes.values()
    }
    assert "application/octet-stream" not in text_of(top / "ro-crate-metadata.json")
    files = {unquote(id) for id, node in nodes.items() if node["@type"] == "File"}
    there = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}
    undescribed = {"README.txt", "ro-crate-metadata.json"}
    assert files == {path for path in there if not path.startswith("site/")} - undescribed


@pytest.mark.parametrize(
    ("paper", "doi"),
    [
        ({"doi": "10.1/x", "url": "https://arxiv.org/abs/2506.08523"}, "10.1/x"),
        ({"url": "https://arxiv.org/abs/2506.08523v2"}, "10.48550/arXiv.2506.08523"),
        ({"url": "https://arxiv.org/abs/nlin/0001001"}, "10.48550/arXiv.nlin/0001001"),
        ({"url": "https://example.org/abs/2506.08523"}, None),
    ],
)
def test_a_doi_is_given_made_from_arxiv_or_absent(paper, doi):
    assert citations.doi(paper) == doi


def test_an_author_with_an_orcid_keeps_it():
    orcid = "https://orcid.org/0000-0000-0000-0001"
    person = {"family-names": "Kato", "given-names": "Tosio", "orcid": orcid}
    about = json.loads(supplement.metadata(CFF | {"authors": [person]}))["metadata"]
    assert about["creators"] == [{"name": "Kato, Tosio", "orcid": "0000-0000-0000-0001"}]
    with pytest.raises(PipelineError, match="'poem'"):
        supplement.metadata(CFF | {"type": "poem"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"abstract": ""}, "lacks abstract"),
        ({"keywords": None}, "at keywords: None is not of type 'array'"),
        ({"version": "9.9"}, f"version 9.9, but netdyn_lib has {__version__}"),
    ],
)
def test_a_citation_that_will_not_do_is_refused(tmp_path, change, said):
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(CFF | change), encoding="utf-8")
    with pytest.raises(PipelineError, match=said):
        supplement.citation(Project(tmp_path))
