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
from netdyn_lib.book import history, notebooks, scorecard
from netdyn_lib.book import pages as made
from netdyn_lib.book.project import Project
from netdyn_lib.figures import numbers
from netdyn_lib.results import claims

from . import small

PROJECT = Project(small.ROOT)
NAMES = PROJECT.names()
CLAIMS = PROJECT.book / "claims.yml"
KNOWN = claims.load(CLAIMS)
each = pytest.mark.parametrize("name", NAMES)
#: Traces of something that went wrong, or that was not meant for readers.
BANNED = ("np.float64(", "np.int64(", "Measurement(", "{measured}", "injected-parameters")
BANNED += ("Traceback", "glue:", "{glue", "??", "{numref}", "{eq}")
#: Of these, what signatures and the examples of docstrings show with right.
IN_DOCSTRINGS = ("Measurement(", "Traceback")
#: Other libraries, whose names stay plain text in docstrings.
FOREIGN = {"pandas", "xarray", "torch", "numpy", "time", "matplotlib", "statsmodels", "scipy"}
#: What loads or leads to something, and by which attribute.
LINKS = {"a": "href", "img": "src", "script": "src", "link": "href", "source": "src"}


@pytest.fixture(scope="module")
def pages(html):
    """Every page of the site, parsed, by its path in the site; templates of the theme are none."""
    paths = [path for path in html.rglob("*.html") if "_static" not in path.parts]
    parsed = {}
    for path in sorted(paths):
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        parsed[path.relative_to(html).with_suffix("").as_posix()] = soup
    return parsed


@each
def test_every_figure_is_shown_with_number_caption_alt_and_a_fold(html, pages, name):
    nb, shown = notebooks.read(PROJECT.committed(name)), []
    for page, part in notebooks.pages(name, nb).items():
        soup, figures = pages[f"notebooks/{page}"], notebooks.figures(part)
        folds = soup.select("details.beneath")
        shown += [(soup, *both) for both in zip(folds, figures, strict=True)]
    for soup, fold, (cell, label, _, alt) in shown:
        figure = soup.find("figure", id=label)
        assert figure.find(class_="caption-number").get_text(strip=True).startswith("Fig. "), label
        assert figure.find(class_="caption-text").get_text(strip=True), label
        assert figure.find("img")["alt"] == alt and figure.find("img")["width"], label
        link, run = fold.find("a", class_="download")["href"], nb.metadata.netdyn
        text = (html / "notebooks" / link).read_text(encoding="utf-8")
        assert Path(link).name == f"{label}.csv"
        assert text == numbers.unpacked(cell.metadata.netdyn.numbers)
        said = fold.get_text()
        assert run["commit"] in said and made.command(run, name) in said


def test_no_link_is_broken_and_nothing_is_loaded_from_elsewhere(html, pages):
    ids = {page: {node["id"] for node in soup.find_all(id=True)} for page, soup in pages.items()}
    broken = []
    for page, soup in pages.items():
        for tag, attribute in LINKS.items():
            for node in soup.find_all(tag, **{attribute: True}):
                address = urlsplit(node[attribute])
                if address.scheme or address.netloc:
                    if tag != "a" and "canonical" not in node.get("rel", ()):
                        broken.append(f"{page} loads {node[attribute]}")
                    continue
                here = html / f"{page}.html"
                target = here.parent / unquote(address.path) if address.path else here
                target = target / "index.html" if address.path.endswith("/") else target
                name = target.resolve().relative_to(html.resolve()).with_suffix("").as_posix()
                if not target.exists():
                    broken.append(f"{page}: {node[attribute]}")
                elif address.fragment and unquote(address.fragment) not in ids.get(name, ()):
                    broken.append(f"{page}: no anchor {node[attribute]}")
    assert broken == []


def test_every_picture_has_a_description_and_formulas_their_script(html, pages):
    for page, soup in pages.items():
        for image in soup.find_all("img"):
            assert image.get("alt", "").strip(), f"{page}: {image}"
    scripts = pages["book/preliminaries"].find_all("script", src=True)
    (source,) = (node["src"] for node in scripts if "mathjax" in node["src"])
    script = html / "book" / source
    assert script.stat().st_size > 100_000
    assert list((script.parent / "output/chtml/fonts/woff-v2").glob("MathJax_Math-Italic.woff"))


def test_no_page_shows_what_went_wrong_or_a_folder_of_this_machine(pages):
    shown = []
    for page, soup in pages.items():
        allowed = IN_DOCSTRINGS if page.startswith("reference/") else ()
        text = (soup.find("article") or soup).get_text()
        words = [word for word in BANNED if word in text and word not in allowed]
        # As a default of a parameter would, were its value shown.
        shown += [(page, word) for word in words]
        shown += [(page, "a folder")] if str(PROJECT.root) in soup.get_text() else []
    assert shown == []


# Claims


def test_the_scorecard_lists_every_claim_with_what_its_form_needs(pages):
    soup, shown, changed = pages["book/scorecard"], [], history.read(PROJECT)
    at = {
        (name, label): f"{page}.html#{label}"
        for name in NAMES
        for page, part in notebooks.pages(name, notebooks.read(PROJECT.committed(name))).items()
        for _, label, *_ in notebooks.figures(part)
    }
    for row in soup.select("table.scorecard tbody tr"):
        claim = KNOWN[row.find("b").get_text()]
        shown.append(claim.id)
        assert (row["data-paper"], row["data-chapter"]) == (claim.paper, claim.chapter)
        assert row["data-verdict"] == row.select_one(".verdict").get_text() in claims.VERDICTS
        links = [link["href"] for link in row.find_all("a") if "Figure" in link.get_text()]
        place = at.get((claim.chapter, claim.shown))
        assert [link.endswith(place) for link in links] == [True] * (claim.shown is not None)
        times = len(changed.get(claim.id, ()))
        told = [link.get_text() for link in row.find_all("a", href="#claim-changes")]
        assert [text.split()[0] for text in told] == [str(times)] * (times > 0)
    assert shown == list(KNOWN)
    form = soup.find("form", class_="scorecard-filters")
    chosen = {
        select["name"]: [option["value"] for option in select.find_all("option")]
        for select in form.find_all("select")
    }
    assert chosen["chapter"] == ["", *dict.fromkeys(claim.chapter for claim in KNOWN.values())]
    assert chosen["verdict"] == ["", *claims.VERDICTS] and "H" in chosen["paper"]


def test_claims_can_be_downloaded(html, pages):
    found = pages["book/scorecard"].find_all("a", class_="download")
    links = {Path(link["href"]).name: html / "book" / link["href"] for link in found}
    rows = json.loads(links["claims.json"].read_text(encoding="utf-8"))
    lines = pd.read_csv(links["claims.csv"], keep_default_na=False)
    assert list(lines) == list(scorecard.FIELDS)
    assert lines["saw"].tolist() == [row["saw"] for row in rows]
    for copy in (html / "claims.json", html.parent / "claims.json"):
        assert rows == json.loads(copy.read_text(encoding="utf-8"))
    runs = {name: notebooks.read(PROJECT.committed(name)) for name in NAMES}
    assert rows == scorecard.gather(runs, CLAIMS)
    assert [row["id"] for row in rows] == list(KNOWN)
    for row in rows:
        judged = {KNOWN[row["id"]].judge(row["measured"])}
        if re.match("(Reproduced|Partly|Not reproduced): ", row["saw"]):  # by several readings
            said = row["saw"].split(". ")[0].lower()
            judged.update(re.findall("(?:^|; )((?:not )?reproduced|partly): ", said))
        assert row["verdict"] == (judged.pop() if len(judged) == 1 else "partly")
        if row["low"] is not None and row["high"] is not None:
            assert row["low"] <= row["high"]


def test_every_claim_leads_to_a_figure_of_its_chapter():
    """Or to none: a claim about one number needs no figure."""
    labels = set()
    for name in NAMES:
        figures = notebooks.figures(notebooks.read_source(PROJECT.source(name)))
        labels |= {(name, label) for _, label, _, _ in figures}
    shown = [(claim.chapter, claim.shown) for claim in KNOWN.values() if claim.shown]
    assert set(shown) <= labels and len(shown) > 0.9 * len(KNOWN)


def test_the_scorecard_page_names_every_field():
    text = (PROJECT.book / "scorecard.md").read_text(encoding="utf-8")
    named = text.partition("the fields")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", named) == list(scorecard.FIELDS)


# Pages


def test_the_front_page_has_a_figure_and_the_scorecard_in_brief(pages):
    front = pages["book/index"]
    assert front.find("figure").find("img")["alt"]
    text = " ".join(front.get_text().split())
    assert all(word in text for word in ("make book", "make test", "How to cite"))
    table = front.find("table").get_text(" ")
    for name in NAMES:
        assert made.title(notebooks.read(PROJECT.committed(name))) in table


def test_the_run_table_has_every_chapter(pages):
    rows = pages["book/runs"].find("table").select("tbody tr")
    for row, name in zip(rows, NAMES, strict=True):
        run = notebooks.read(PROJECT.committed(name)).metadata.netdyn
        cells = [cell.get_text(strip=True) for cell in row.find_all("td")]
        assert cells[1:4] == [run["profile"], run["device"], str(run["seed"])]


def test_every_entry_of_the_glossary_is_linked_from_a_page(pages):
    """Or the book does not use its terms, and it can go."""
    links = [link["href"] for soup in pages.values() for link in soup.select("a.glossary-term")]
    linked, entries, places = {link.partition("#")[2] for link in links}, 0, set()
    for node in pages["book/glossary"].select("dl.glossary > *"):
        if node.name == "dt":
            places.add(node["id"])
        else:
            assert places & linked, f"no page links to {sorted(places)}"
            entries, places = entries + 1, set()
    assert entries > 30


def test_citing_has_bibtex_and_no_link_without_an_address(pages):
    text = pages["book/citing"].find("article").get_text()
    assert "@software{" in text and f"version = {{{netdyn_lib.__version__}}}" in text
    settings = yaml.safe_load((PROJECT.root / "_config.yml").read_text(encoding="utf-8"))
    assert bool(settings["repository"]["url"]) == ("/issues" in text)


def test_the_chapters_come_before_the_reference_in_a_search(html):
    """The pages of the reference name the same terms, and there are many of them."""
    scorer = (html / "_static" / "language_data.js").read_text(encoding="utf-8")
    assert 'page.startsWith("reference/") ? score - 1000' in scorer
    text = (html / "searchindex.js").read_text(encoding="utf-8")
    indexed = json.loads(re.search(r"Search.setIndex\((.*)\)", text, flags=re.S)[1])
    assert {"notebooks/01_toy_map", "reference/lyapunov"} <= set(indexed["docnames"])
    assert len(text) < 1_000_000


# Reference


def test_the_reference_has_an_entry_for_every_public_name(pages):
    for path in PROJECT.package.rglob("*.py"):
        parts = path.relative_to(PROJECT.package).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not parts or parts[0] == "book" or parts[-1] == "__main__":
            continue
        soup, name = pages["/".join(("reference", *parts))], ".".join(("netdyn_lib", *parts))
        assert soup.find(id=f"module-{name}") is not None, name
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                entry = soup.find("dt", id=f"{name}.{node.name}")
                assert entry and entry.find_next_sibling("dd").get_text(strip=True), node.name


def test_what_docstrings_refer_to_is_linked(pages):
    """Only names of other libraries stay plain text."""
    plain = set()
    for page, soup in pages.items():
        if page.startswith("reference/"):
            nodes = [node for node in soup.select("code.xref.py") if node.find_parent("a") is None]
            plain |= {(page, node.get_text()) for node in nodes}
    assert {one for one in plain if one[1].partition(".")[0] not in {*FOREIGN, "sklearn"}} == set()
