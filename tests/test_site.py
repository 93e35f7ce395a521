"""The website, built once from the committed notebooks with warnings as errors."""

import ast
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

import netdyn_lib
from netdyn_lib.book import beneath, reference, scorecard, terms
from netdyn_lib.book import notebooks as notebook
from netdyn_lib.book import pages as fragments
from netdyn_lib.book.project import Project
from netdyn_lib.book.rooms import ROOMS
from netdyn_lib.figures import packing
from netdyn_lib.results import claims

PROJECT = Project(Path(__file__).resolve().parents[1])
NAMES = PROJECT.names()
CLAIMS = PROJECT.book / "claims.yml"
each = pytest.mark.parametrize("name", NAMES)
#: Traces of something that went wrong, or that was not meant for readers.
BANNED = (
    "np.float64(",
    "np.int64(",
    "Measurement(",
    "{measured}",
    "injected-parameters",
    "Traceback",
    "glue:",
    "{glue",
    "??",
    "{numref}",
    "{eq}",
)
#: Of these, what signatures and the examples of docstrings show with right.
IN_DOCSTRINGS = ("Measurement(", "Traceback")


@pytest.fixture(scope="session")
def pages(html):
    """Every page of the site, parsed, by its path."""
    parsed = {}
    for path in sorted(html.rglob("*.html")):
        if "_static" in path.relative_to(html).parts:
            continue  # templates of the theme, not pages
        parsed[path.resolve()] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    return parsed


def page(pages, html, name):
    return pages[(html / f"{name}.html").resolve()]


def internal(pages):
    """(page, address) of every link, picture, script and style that is not outside."""
    for path, soup in pages.items():
        for tag, attribute in (
            ("a", "href"),
            ("img", "src"),
            ("script", "src"),
            ("link", "href"),
            ("source", "src"),
        ):
            for node in soup.find_all(tag, **{attribute: True}):
                address = urlsplit(node[attribute])
                if not address.scheme and not address.netloc:
                    yield path, address


@each
def test_every_figure_is_shown_with_number_caption_and_alt(html, pages, name):
    soup = page(pages, html, f"notebooks/{name}")
    for _, label, _, alt in notebook.figures(notebook.read(PROJECT.committed(name))):
        figure = soup.find("figure", id=label)
        assert figure is not None, label
        assert figure.find(class_="caption-number").get_text(strip=True).startswith("Fig. "), label
        assert figure.find(class_="caption-text").get_text(strip=True), label
        assert figure.find("img")["alt"] == alt, label


def test_every_picture_has_a_description(pages):
    for path, soup in pages.items():
        for image in soup.find_all("img"):
            assert image.get("alt", "").strip(), f"{path}: {image}"


def test_no_link_is_broken(html, pages):
    ids = {path: {node["id"] for node in soup.find_all(id=True)} for path, soup in pages.items()}
    broken = []
    for path, address in internal(pages):
        target = (path.parent / unquote(address.path)).resolve() if address.path else path
        if address.path.endswith("/"):
            target /= "index.html"
        if not target.exists():
            broken.append(f"{path.relative_to(html.resolve())}: {address.geturl()}")
        elif address.fragment and target in ids and unquote(address.fragment) not in ids[target]:
            broken.append(f"{path.relative_to(html.resolve())}: no anchor {address.geturl()}")
    assert broken == []


def test_pages_load_nothing_from_elsewhere(pages):
    for path, soup in pages.items():
        loaded = [
            node.get("src") or node.get("href")
            for node in soup.find_all(["script", "img", "link", "iframe"])
        ]
        assert [url for url in loaded if url and urlsplit(url).netloc] == [], path


def test_formulas_have_their_script(html, pages):
    source = page(pages, html, "book/preliminaries").find(
        "script", src=lambda s: s and "mathjax" in s
    )["src"]
    script = html / "book" / source
    assert script.stat().st_size > 100_000
    assert list((script.parent / "output/chtml/fonts/woff-v2").glob("MathJax_Math-Italic.woff"))


@pytest.mark.parametrize("word", BANNED)
def test_no_page_shows(html, pages, word):
    shown = [
        str(path.relative_to(html.resolve()))
        for path, soup in pages.items()
        if (article := soup.find("article")) is not None and word in article.get_text()
        if not (word in IN_DOCSTRINGS and path.parent.name == "reference")
    ]
    assert shown == []


def test_every_claim_is_measured(html):
    notebooks = {name: notebook.read(PROJECT.committed(name)) for name in NAMES}
    assert [row["id"] for row in scorecard.gather(notebooks, CLAIMS)] == list(claims.load(CLAIMS))


def test_the_scorecard_lists_every_claim(html, pages):
    rows = page(pages, html, "book/scorecard").select("table.scorecard tbody tr")
    shown = {row.find("b").get_text(): row.select_one(".verdict").get_text() for row in rows}
    assert list(shown) == list(claims.load(CLAIMS))
    assert set(shown.values()) <= set(claims.VERDICTS)


def test_claims_can_be_downloaded(html, pages):
    links = {
        Path(link["href"]).name: html / "book" / link["href"]
        for link in page(pages, html, "book/scorecard").find_all("a", class_="download")
    }
    rows = json.loads(links["claims.json"].read_text(encoding="utf-8"))
    lines = pd.read_csv(links["claims.csv"], keep_default_na=False)
    assert list(lines) == list(scorecard.FIELDS) and lines["id"].tolist() == [
        row["id"] for row in rows
    ]
    assert lines["saw"].tolist() == [row["saw"] for row in rows]
    assert rows == json.loads((html / "claims.json").read_text(encoding="utf-8"))
    assert rows == json.loads(
        (PROJECT.build / "test-site" / "claims.json").read_text(encoding="utf-8")
    )
    known = claims.load(CLAIMS)
    assert [row["id"] for row in rows] == list(known)
    for row in rows:
        assert set(row) == set(scorecard.FIELDS)
        judged = {known[row["id"]].judge(row["measured"])}
        if re.match("(Reproduced|Partly|Not reproduced): ", row["saw"]):  # by several readings
            told = re.findall(
                "(?:^|; )((?:not )?reproduced|partly): ", row["saw"].split(". ")[0].lower()
            )
            judged.update(told)
        assert row["verdict"] == (judged.pop() if len(judged) == 1 else "partly")
        if row["low"] is not None and row["high"] is not None:
            assert row["low"] <= row["high"]


def test_every_claim_leads_to_a_figure_of_its_chapter():
    """Or to none: a claim about one number needs no figure."""
    labels = {
        name: {
            label for _, label, _, _ in notebook.figures(notebook.read_source(PROJECT.source(name)))
        }
        for name in NAMES
    }
    known = claims.load(CLAIMS)
    assert [
        claim.id
        for claim in known.values()
        if claim.shown and claim.shown not in labels[claim.chapter]
    ] == []
    assert sum(claim.shown is None for claim in known.values()) < 10


def test_the_scorecards_lines_can_be_filtered(html, pages):
    soup = page(pages, html, "book/scorecard")
    known = claims.load(CLAIMS)
    for row in soup.select("table.scorecard tbody tr"):
        claim = known[row.find("b").get_text()]
        assert (row["data-paper"], row["data-chapter"]) == (claim.paper, claim.chapter) and row[
            "data-verdict"
        ] in claims.VERDICTS
        link = row.find("a")
        assert (link is None) == (claim.shown is None) and (
            link is None or link["href"].endswith(f"{claim.chapter}.html#{claim.shown}")
        )
    form = soup.find("form", class_="scorecard-filters")
    chosen = {
        select["name"]: [option["value"] for option in select.find_all("option")]
        for select in form.find_all("select")
    }
    chapters = dict.fromkeys(claim.chapter for claim in known.values())
    assert (
        chosen["chapter"] == ["", *chapters]
        and chosen["verdict"] == ["", *claims.VERDICTS]
        and "H" in chosen["paper"]
    )


def test_what_stands_beneath_figures_can_be_downloaded(html, pages):
    for name in NAMES:
        nb = notebook.read(PROJECT.committed(name))
        soup = page(pages, html, f"notebooks/{name}")
        folds = soup.select("details.beneath")
        figures = notebook.figures(nb)
        assert len(folds) == len(figures)
        for fold, (cell, label, *_) in zip(folds, figures, strict=True):
            link = fold.find("a", class_="download")
            text = (html / "notebooks" / link["href"]).read_text(encoding="utf-8")
            assert Path(link["href"]).name == f"{label}.csv" and text == packing.unpacked(
                cell.metadata.netdyn.numbers
            )
            assert (
                nb.metadata.netdyn["commit"] in fold.get_text()
                and beneath.command(nb.metadata.netdyn, name) in fold.get_text()
            )


def test_the_scorecard_page_names_every_field():
    text = (PROJECT.book / "scorecard.md").read_text(encoding="utf-8")
    assert re.findall(r"`(\w+)`", text.partition("the fields")[2].partition("\n\n")[0]) == list(
        scorecard.FIELDS
    )


def test_the_front_page_has_a_figure_and_the_scorecard_in_brief(html, pages):
    front = page(pages, html, "book/index")
    assert front.find("figure").find("img")["alt"]
    text = " ".join(front.get_text().split())
    assert all(word in text for word in ("make book", "make test", "How to cite"))
    titles = [fragments.title(notebook.read(PROJECT.committed(name))) for name in NAMES]
    table = front.find("table").get_text(" ")
    assert all(title in table for title in titles)


def test_the_run_table_has_every_chapter(html, pages):
    rows = page(pages, html, "book/runs").select("table tbody tr")
    assert len(rows) == len(NAMES)
    for row, name in zip(rows, NAMES, strict=True):
        run = notebook.read(PROJECT.committed(name)).metadata.netdyn
        assert [cell.get_text(strip=True) for cell in row.find_all("td")][1:4] == [
            run["profile"],
            run["device"],
            str(run["seed"]),
        ]


def test_every_entry_of_the_glossary_is_linked_from_a_page(html, pages):
    """Or the book does not use its terms, and it can go."""
    entries = {}
    for place, definition in terms.read(html / terms.GLOSSARY).values():
        entries.setdefault(definition, set()).add(place)
    linked = {
        anchor["href"].partition("#")[2]
        for soup in pages.values()
        for anchor in soup.select("a.glossary-term")
    }
    assert (
        len(entries) > 30
        and [sorted(places) for places in entries.values() if not places & linked] == []
    )


def test_the_reference_has_an_entry_for_every_public_name(html, pages):
    for room in ROOMS:
        for name in room.modules:
            soup = page(pages, html, f"reference/{name}")
            entries = {node["id"] for node in soup.select("dl.py > dt[id]")}
            for module in reference.modules(PROJECT.package, name):
                assert soup.find(id=f"module-{module.name}") is not None, module.name
                wanted = {f"{module.name}.{public}" for public in defined(module.name)}
                assert wanted <= entries, sorted(wanted - entries)
                assert not wanted or all(
                    soup.find(id=one).find_next_sibling("dd").get_text(strip=True) for one in wanted
                )


def defined(module):
    """Public functions and classes that a module's file defines."""
    path = PROJECT.root.joinpath(*module.split("."))
    tree = ast.parse(
        (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(
            encoding="utf-8"
        )
    )
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


def test_what_docstrings_refer_to_is_linked(pages):
    """Only names of other libraries stay plain text."""
    foreign = {
        "pandas",
        "xarray",
        "torch",
        "numpy",
        "time",
        "matplotlib",
        "statsmodels",
        "scipy",
        "sklearn",
    }
    plain = set()
    for path, soup in pages.items():
        if path.parent.name == "reference":
            names = [
                node.get_text()
                for node in soup.select("code.xref.py")
                if node.find_parent("a") is None
            ]
            plain |= {(path.stem, name) for name in names if name.partition(".")[0] not in foreign}
    assert plain == set()


def test_no_page_shows_a_folder_of_this_machine(html, pages):
    """As a default of a parameter would, were its value shown."""
    assert [str(path) for path, soup in pages.items() if str(PROJECT.root) in soup.get_text()] == []


def test_citing_has_bibtex_and_no_link_without_an_address(html, pages):
    soup = page(pages, html, "book/citing")
    text = soup.find("article").get_text()
    assert "@software{" in text and f"version = {{{netdyn_lib.__version__}}}" in text
    assert bool(
        yaml.safe_load((PROJECT.root / "_config.yml").read_text())["repository"]["url"]
    ) == ("/issues" in text)


def test_the_chapters_come_before_the_reference_in_a_search(html):
    """The pages of the reference name the same terms, and there are many of them."""
    assert 'page.startsWith("reference/") ? score - 1000' in (
        html / "_static" / "language_data.js"
    ).read_text(encoding="utf-8")
    indexed = json.loads(
        re.search(
            r"Search.setIndex\((.*)\)",
            (html / "searchindex.js").read_text(encoding="utf-8"),
            flags=re.S,
        )[1]
    )
    assert {"notebooks/01_toy_map", "reference/lyapunov"} <= set(indexed["docnames"])
    assert (html / "searchindex.js").stat().st_size < 1_000_000
