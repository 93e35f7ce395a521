"""The archive of everything, built once from the committed notebooks, unpacked, checked and
damaged.
"""

import csv
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from netdyn_lib import __version__
from netdyn_lib.book import notebooks, pdf, scorecard, site, supplement, verify
from netdyn_lib.book.project import PipelineError, Project
from netdyn_lib.figures import packing, style, vector
from netdyn_lib.results import claims

PROJECT = Project(Path(__file__).resolve().parents[2])
NAMES = PROJECT.names()
chromium = pytest.mark.skipif(pdf.find_browser() is None, reason="needs Chromium")


def with_a_drawing(chapter):
    """The chapter as a run of the pipeline leaves it: its first figure has a drawing too."""
    with style.figure() as (fig, ((axis,),)):
        axis.plot([0, 1], [0, 1], color="#123456")
    cell, name, _, _ = notebooks.figures(chapter.nb)[0]
    output = next(output for output in cell.outputs if "image/png" in output.get("data", {}))
    output.data[vector.MIME] = packing.packed(vector.of(fig))
    return name


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The archive, and what was said while it was built."""
    chapters = [supplement.committed(PROJECT, name) for name in NAMES]
    with_a_drawing(chapters[0])
    said = []
    archive = supplement.make(
        PROJECT,
        chapters,
        tmp_path_factory.mktemp("supplement"),
        pdf.find_browser() is not None,
        said.append,
    )
    return archive, said


@pytest.fixture(scope="module")
def top(built, tmp_path_factory):
    """The archive, unpacked."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(built[0]) as file:
        file.extractall(folder)
    (top,) = folder.iterdir()
    return top


def checked(top):
    done = subprocess.run(
        [sys.executable, "-I", "verify.py"], cwd=top, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


# The archive's own check


def test_a_whole_archive_verifies(top):
    status, said = checked(top)
    assert (status, said.split(":")[0]) == (0, "OK"), said


def test_its_check_needs_nothing_but_python():
    words = re.findall(
        r"^(?:from|import) (\w+)", Path(verify.__file__).read_text(encoding="utf-8"), flags=re.M
    )
    assert len(words) > 3 and set(words) <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    "path", ["data/digits.npz", "site/index.html", "notebooks/01_toy_map.py", "README.txt"]
)
def test_one_changed_byte_is_found(top, path):
    before = (top / path).read_bytes()
    middle = len(before) // 2
    try:
        (top / path).write_bytes(
            before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :]
        )
        status, said = checked(top)
    finally:
        (top / path).write_bytes(before)
    assert status == 1 and f"changed: {path}\n" in said and "FAILED" in said


def test_a_missing_and_an_extra_file_are_found(top):
    (top / "claims.csv").rename(top / "claims2.csv")
    try:
        status, said = checked(top)
    finally:
        (top / "claims2.csv").rename(top / "claims.csv")
    assert status == 1
    assert said.splitlines()[:2] == ["missing: claims.csv", "not in SHA256SUMS: claims2.csv"]


# What is in it


def test_nothing_is_missing(top):
    there = {path.name for path in top.iterdir()}
    wanted = {
        "site",
        "notebooks",
        "figures",
        "data",
        "claims.json",
        "claims.csv",
        "environment.txt",
        "library",
        "CITATION.cff",
    }
    wanted |= {"LICENSE", "metadata.json", "README.txt", "SHA256SUMS", "verify.py"} | (
        {"book.pdf"} if pdf.find_browser() else set()
    )
    assert there == wanted
    assert top.name == f"netdyn-companion-{__version__}"
    assert (top / "site" / "index.html").exists() and (
        top / "site" / "notebooks" / f"{NAMES[0]}.html"
    ).exists()


def test_every_chapter_has_its_notebook_and_source(top):
    assert {path.name for path in (top / "notebooks").iterdir()} == {
        f"{name}.{kind}" for name in NAMES for kind in ("ipynb", "py")
    }
    for name in NAMES:
        assert notebooks.read(top / "notebooks" / f"{name}.ipynb") == notebooks.read(
            PROJECT.committed(name)
        )
        assert (top / "notebooks" / f"{name}.py").read_bytes() == PROJECT.source(name).read_bytes()


def test_every_figure_is_there_with_the_number_of_the_site(top, numbers):
    with open(top / "figures" / "figures.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [
        (name, label)
        for name in NAMES
        for _, label, _, _ in notebooks.figures(notebooks.read(PROJECT.committed(name)))
    ]
    assert [(row["chapter"], row["name"]) for row in rows] == wanted
    assert {row["file"] for row in rows} == {path.name for path in (top / "figures").iterdir()} - {
        "figures.csv"
    }
    for row in rows:
        assert numbers[f"notebooks/{row['chapter']}", row["name"]].startswith(row["number"] + " ")


def test_a_figure_with_a_drawing_is_a_vector_file_and_the_others_are_said_to_be_pictures(
    built, top
):
    (drawing,) = (top / "figures").glob("*.svg")
    first = notebooks.figures(notebooks.read(PROJECT.committed(NAMES[0])))[0][1]
    assert drawing.name == f"{NAMES[0]}--{first}.svg"
    assert any(
        "stroke: #123456" in node.get("style", "") for node in ET.parse(drawing).getroot().iter()
    )
    pictures = list((top / "figures").glob("*.png"))
    assert f"{len(pictures)} figures are pictures (PNG)" in (top / "README.txt").read_text(
        encoding="utf-8"
    )
    assert f"1 figures as vector drawings, {len(pictures)} as pictures" in built[1]
    assert vector.MIME not in "".join(
        path.read_text(encoding="utf-8") for path in top.rglob(f"{NAMES[0]}.ipynb")
    )


def test_the_readme_says_which_chapters_are_committed_runs(top):
    text = (top / "README.txt").read_text(encoding="utf-8")
    assert all(f"{name}: not executed here; the committed run" in text for name in NAMES)
    assert ("made without book.pdf" in text) == (pdf.find_browser() is None)
    assert "python verify.py" in text and __version__ in text


def test_claims_are_the_same_in_both_forms(top):
    rows = json.loads((top / "claims.json").read_text(encoding="utf-8"))
    with open(top / "claims.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(rows) > 20 and [row["id"] for row in table] == [row["id"] for row in rows]
    assert list(table[0]) == list(scorecard.FIELDS)
    for row, line in zip(rows, table, strict=True):
        assert line["verdict"] == row["verdict"]
        assert line["measured"] == ("" if row["measured"] is None else str(row["measured"]))


def test_the_data_are_those_of_the_book(top):
    for path in (PROJECT.book / "results").rglob("*.npz"):
        assert (
            top / "data" / path.relative_to(PROJECT.book / "results")
        ).read_bytes() == path.read_bytes()


def test_the_library_can_be_installed_from_it(top):
    (wheel,) = (top / "library").glob(f"netdyn_lib-{__version__}-*.whl")
    with zipfile.ZipFile(wheel) as file:
        assert {"netdyn_lib/__init__.py", "netdyn_lib/book/verify.py"} <= set(file.namelist())


def test_the_environment_names_versions_and_machine_but_no_place(top):
    text = (top / "environment.txt").read_text(encoding="utf-8")
    assert "  torch 2." in text and "cores: " in text and "jupyter-book==1." in text
    for path in (top / "environment.txt", top / "README.txt", top / "figures" / "figures.csv"):
        assert str(PROJECT.root) not in path.read_text(encoding="utf-8")


def test_the_same_files_give_the_same_archive(built, top, tmp_path):
    about = yaml.safe_load((PROJECT.root / "CITATION.cff").read_text(encoding="utf-8"))
    supplement._zip(top, tmp_path / "again.zip", supplement._date(about))
    assert (tmp_path / "again.zip").read_bytes() == built[0].read_bytes()
    with zipfile.ZipFile(built[0]) as file:
        names = [entry.filename for entry in file.infolist()]
        assert names == sorted(names, key=lambda name: Path(name).parts) and len(set(names)) == len(
            names
        )
        assert {entry.date_time[:3] for entry in file.infolist()} == {
            tuple(map(int, str(about["date-released"]).split("-")))
        }


# The printed book


@pytest.fixture(scope="module")
def numbers(top):
    """Number and caption of every figure of the site, by page and name."""
    found = {}
    for path in sorted((top / "site").glob("*/*.html")):
        page = path.relative_to(top / "site").with_suffix("").as_posix()
        if not page.startswith("_"):
            found |= {
                (page, figure["id"]): captioned(figure)
                for figure in parsed(path).find_all("figure", id=True)
            }
    return found


def parsed(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def captioned(figure):
    return figure.find("figcaption").get_text().strip(" #¶\n")


def bare(node):
    """Text without the sign that links to its place."""
    return node.get_text().strip("#¶ \n")


def test_the_joined_pages_have_the_numbers_of_the_site(top, numbers):
    front = {"title": "", "authors": "", "lines": []}
    text = pdf.document(pdf.Book(top / "site", site.parts(PROJECT), front))
    whole = BeautifulSoup(text, "html.parser")
    assert len(numbers) > 80
    assert {figure["id"]: captioned(figure) for figure in whole.find_all("figure", id=True)} == {
        pdf.anchor(page, name): caption for (page, name), caption in numbers.items()
    }
    preliminaries = parsed(top / "site" / "book" / "preliminaries.html")
    equations = {
        pdf.anchor("book/preliminaries", node.parent["id"]): bare(node)
        for node in preliminaries.select(".eqno")
    }
    assert len(equations) > 5
    assert (
        equations.items()
        <= {node.parent["id"]: bare(node) for node in whole.select(".eqno")}.items()
    )
    ids = [node["id"] for node in whole.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert [
        word
        for word in (node.get_text() for node in whole.find_all(class_="std-numref"))
        if not re.match(r"Fig. \d", word)
    ] == []


@pytest.fixture(scope="module")
def printed(top):
    from pypdf import PdfReader

    return PdfReader(top / "book.pdf")


def plain(text):
    """Text without white space: where a line ends depends on fonts."""
    return "".join(text.split())


def page_of(printed, page):
    """Index of the page on which a page of the site begins."""
    return printed.get_destination_page_number(
        printed.named_destinations[f"/{page.replace('/', '-')}"]
    )


def text_of(printed, page):
    """Text of the pages from the beginning of a page of the site to the next."""
    starts = sorted(
        page_of(printed, name[1:]) for name in printed.named_destinations if "--" not in name
    )
    first = page_of(printed, page)
    last = next((start for start in starts if start > first), len(printed.pages))
    return plain("".join(printed.pages[k].extract_text() for k in range(first, last)))


@chromium
@pytest.mark.parametrize("name", [NAMES[0], NAMES[2]])
def test_the_printed_figures_have_the_numbers_of_the_site(printed, numbers, name):
    text = text_of(printed, f"notebooks/{name}")
    captions = [caption for (page, _), caption in numbers.items() if page == f"notebooks/{name}"]
    assert len(captions) > 4
    for caption in captions:
        # Up to the first letters that a font may join.
        start = plain(re.split(r"f[fil]|[^ -~]", caption)[0][:60])
        assert re.match(r"Fig\.\d\.\d+\w", start) and start in text, caption


@chromium
def test_the_printed_equations_are_formulas_with_the_numbers_of_the_site(top, printed):
    text = text_of(printed, "book/preliminaries")
    equations = [
        bare(node) for node in parsed(top / "site" / "book" / "preliminaries.html").select(".eqno")
    ]
    assert len(equations) > 5 and all(one in text for one in equations)
    assert all(sign in text for sign in "∇∑η⟺")
    assert not re.search(r"\\(eta|lambda|frac|mathbb|left|varepsilon)\b|\\\(|\$\$", text)
    toy = text_of(printed, f"notebooks/{NAMES[0]}")
    assert "(1.1)" in toy and "(1.2)" in toy


@chromium
def test_the_contents_give_the_pages(top, printed):
    contents = plain(printed.pages[1].extract_text())
    for name in NAMES:
        title = plain(
            bare(parsed(top / "site" / "notebooks" / f"{name}.html").find("article").find("h1"))
        )
        place = page_of(printed, f"notebooks/{name}")
        text = plain(printed.pages[place].extract_text())
        assert f"{title}{place + 1}" in contents
        # The number stands at the foot; where that is in the text is up to the reader.
        assert text.startswith(f"{place + 1}{title}") or (
            text.startswith(title) and text.endswith(str(place + 1))
        )


@chromium
def test_the_pdf_has_bookmarks_the_date_of_the_release_and_no_place_of_this_machine(top, printed):
    assert len(printed.outline) > 0 and printed.trailer["/Root"]["/MarkInfo"]["/Marked"]
    about = yaml.safe_load((top / "CITATION.cff").read_text(encoding="utf-8"))
    assert printed.metadata.creation_date.date() == about["date-released"]
    notes = [note.get_object() for page in printed.pages for note in page.get("/Annots", ())]
    addresses = [str(note["/A"]["/URI"]) for note in notes if "/URI" in note.get("/A", {})]
    assert addresses and all(
        address.startswith(("https:", "http:", "mailto:")) for address in addresses
    )
    assert b"file://" not in (top / "book.pdf").read_bytes()


def test_without_chromium_one_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv(pdf.EXECUTABLE, raising=False)
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    with pytest.raises(PipelineError, match=r"apt-get install chromium.*make supplement PDF=0"):
        supplement.make(PROJECT, [], tmp_path / "never")
    assert not (tmp_path / "never").exists()


# What a run keeps


def test_a_pair_keeps_no_drawing():
    name = NAMES[0]
    run = supplement.committed(PROJECT, name)
    with_a_drawing(run)
    made = notebooks.merge(notebooks.read_source(PROJECT.source(name)), run.nb, name)
    assert notebooks.dumps(made) == PROJECT.committed(name).read_text(encoding="utf-8")


def test_executed_runs_are_taken_before_committed_ones(tmp_path):
    there = Project(tmp_path)
    for folder in ("notebooks", "netdyn_lib", "book", "_toc.yml"):
        (tmp_path / folder).symlink_to(PROJECT.root / folder)
    run = supplement.committed(PROJECT, NAMES[0]).nb
    run.metadata.netdyn["key"] = "of another source"
    run.metadata.netdyn["parameters"] = {"profile": "laptop"}
    path = there.executed("laptop", NAMES[0])
    path.parent.mkdir(parents=True)
    path.write_text(notebooks.dumps(run), encoding="utf-8")
    first, *others = supplement.choose(there)
    assert (
        first.nb.metadata.netdyn["key"] == "of another source"
        and "before its source" in first.origin
    )
    assert [chapter.name for chapter in (first, *others)] == NAMES and all(
        "committed" in chapter.origin for chapter in others
    )
    assert supplement.choose(there, "paper")[0].origin.startswith("not executed here")
    row = next(
        output.data[claims.MIME]
        for cell in run.cells
        for output in cell.get("outputs", [])
        if claims.MIME in output.get("data", {})
    )[0]
    del row["statement"]
    path.write_text(notebooks.dumps(run), encoding="utf-8")
    first = supplement.choose(there)[0]
    assert first.nb == supplement.committed(PROJECT, NAMES[0]).nb
    old = (
        r"the copy executed at profile laptop is too old \(.*older library, without statement: .*\)"
    )
    assert re.match(f"{old}; the committed run", first.origin)


# What a data repository asks

CFF = yaml.safe_load((PROJECT.root / "CITATION.cff").read_text(encoding="utf-8"))


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
    related = about["related_identifiers"]
    assert {one["relation"] for one in related} == {"isSupplementTo"}
    assert {one["identifier"] for one in related} == {
        "10.3389/fcpxs.2024.1367957",
        "10.48550/arXiv.2506.08523",
        "10.48550/arXiv.2405.00743",
    }


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
    assert supplement.doi(paper) == doi


def test_an_author_with_an_orcid_keeps_it():
    orcid = "https://orcid.org/0000-0000-0000-0001"
    person = {"family-names": "Kato", "given-names": "Tosio", "orcid": orcid}
    (creator,) = json.loads(supplement.metadata(CFF | {"authors": [person]}))["metadata"][
        "creators"
    ]
    assert creator == {"name": "Kato, Tosio", "orcid": "0000-0000-0000-0001"}
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
