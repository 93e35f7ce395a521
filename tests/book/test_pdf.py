"""The pages of a site as one document."""

import pytest
from bs4 import BeautifulSoup

from netdyn_lib.book import pdf
from netdyn_lib.book.project import PipelineError

FRONT = {"title": "A <title>", "authors": "Us", "lines": ["Version 1"]}
PARTS = [("", ["book/index"]), ("Chapters", ["notebooks/01_a"])]
INDEX = """<html><head>
<script>window.MathJax = {"options": {"processHtmlClass": "math"}}</script></head><body><article>
<h1>The book<a class="headerlink" href="#x">#</a></h1><p id="x"><a id="in" href="#x">here</a>
<a id="page" href="../notebooks/01_a.html">page</a>
<a id="place" href="../notebooks/01_a.html#x">place</a>
<a id="file" href="../_downloads/c.json">file</a> <a id="out" href="https://example.org">out</a></p>
</article></body></html>"""
CHAPTER = """<html><body><nav>menu</nav><article><h1>1. A</h1>
<details><summary>Show</summary>folded</details>
<details open><summary>Shown</summary>unfolded</details><button>copy</button>
<div class="d-print-none">moves</div><form hidden><button>filter</button></form>
<div class="explorer"><input><p>slider</p></div>
<figure id="x"><img src="../_images/x.png" alt="x"><figcaption>Fig. 1.1</figcaption></figure>
</article></body></html>"""


@pytest.fixture
def html(tmp_path):
    for name, text in (("book/index", INDEX), ("notebooks/01_a", CHAPTER)):
        path = tmp_path / f"{name}.html"
        path.parent.mkdir()
        path.write_text(text)
    return tmp_path


def soup(html, drawings=None, **options):
    book = pdf.Book(html, PARTS, FRONT, drawings or {})
    return BeautifulSoup(pdf.document(book, **options), "html.parser")


def test_links_point_into_the_document(html):
    found = soup(html)
    targets = {
        id: found.find(id=f"book-index--{id}").get("href")
        for id in ("in", "page", "place", "file", "out")
    }
    assert targets == {
        "in": "#book-index--x",
        "page": "#notebooks-01_a",
        "place": "#notebooks-01_a--x",
        "file": None,
        "out": "https://example.org",
    }
    ids = [node["id"] for node in found.find_all(id=True)]
    assert len(set(ids)) == len(ids)
    assert {
        link["href"][1:] for link in found.find_all("a", href=True) if link["href"].startswith("#")
    } <= set(ids)


def test_what_a_page_folds_away_or_moves_is_left_out(html):
    text = soup(html).get_text()
    assert "unfolded" in text and "Fig. 1.1" in text
    assert not any(
        word in text
        for word in ("Show ", " folded", "menu", "copy", "moves", "filter", "slider", "#")
    )
    assert text.count(pdf.INSTEAD) == 1


def test_pictures_are_found_from_the_document_and_drawings_take_their_place(html):
    assert soup(html, at="html").find("img")["src"] == "html/_images/x.png"
    drawing = html / "x.svg"
    assert soup(html, {"x": drawing}).find("img")["src"] == drawing.as_uri()


def test_contents_have_captions_titles_and_page_numbers(html):
    rows = (
        soup(html, pages={"book-index": 3, "notebooks-01_a": 7})
        .select_one(".contents")
        .find_all("p")
    )
    assert [row.get_text() for row in rows] == ["Contents", "The book3", "Chapters", "1. A7"]
    assert not soup(html).select(".contents-page")


def test_formulas_are_configured_as_on_the_site_without_hidden_copies(html):
    text = pdf.document(pdf.Book(html, PARTS, FRONT))
    assert '"processHtmlClass": "math"' in text and '"enableAssistiveMml": false' in text
    assert "A &lt;title&gt;" in text


def test_a_page_that_is_missing_or_empty_is_named(html):
    with pytest.raises(PipelineError, match="no page .*nothing.html"):
        pdf.document(pdf.Book(html, [("", ["book/nothing"])], FRONT))
    (html / "book" / "index.html").write_text("<article></article>")
    with pytest.raises(PipelineError, match="book/index.html has no heading"):
        pdf.document(pdf.Book(html, PARTS, FRONT))
