"""Mends of finished pages, one by one."""

import base64

import pytest
from bs4 import BeautifulSoup

from netdyn_lib.book import accessibility

#: A white picture of 1 by 1 pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
)
TABLE = (
    '<table class="scorecard"><thead><tr><th>claim</th><th>verdict</th></tr></thead>'
    "<tbody><tr><td><b>A</b> &lt; 2</td><td>partly</td></tr></tbody></table>"
)
REDIRECTION = '<meta http-equiv="Refresh" content="0; url=book/index.html" />'


def test_the_system_decides_between_light_and_dark():
    unchosen = 'a.mode = localStorage.getItem("mode") || "";\na.theme = localStorage.getItem("theme") || "";'
    mended = accessibility.colours(unchosen)
    assert '"mode") || "auto";' in mended
    assert 'localStorage.getItem("theme") || (window.matchMedia' in mended
    assert '|| "";' not in mended


def test_cells_of_a_scorecard_have_roles_and_the_name_of_their_column():
    page = accessibility.scorecards(f"<p>before</p>{TABLE}<table><tr><td>other</td></tr></table>")
    assert page.startswith("<p>before</p>") and page.endswith(
        "<table><tr><td>other</td></tr></table>"
    )
    table = BeautifulSoup(page, "html.parser").table
    assert table["role"] == "table"
    assert [cell["role"] for cell in table.find_all(["th", "td"])] == [
        "columnheader",
        "columnheader",
        "cell",
        "cell",
    ]
    assert [cell["data-column"] for cell in table.find_all("td")] == ["claim", "verdict"]
    assert [row["role"] for row in table.find_all("tr")] == ["row", "row"]
    assert "&lt; 2" in str(table)


def test_a_picture_knows_its_size_and_has_a_frame(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    page = accessibility.figures(
        '<figure><img alt="x" src="a.png" /></figure><img src="gone.png"><img src="b.svg">',
        tmp_path,
    )
    soup = BeautifulSoup(page, "html.parser")
    image = soup.find("img", src="a.png")
    assert (image["width"], image["height"], image["style"], image["alt"]) == (
        "1",
        "1",
        "--pixels: 1px",
        "x",
    )
    assert image.parent["class"] == ["figure-frame"]
    assert page.endswith('<img src="gone.png"><img src="b.svg">')


def test_what_is_no_png_is_told(tmp_path):
    (tmp_path / "a.png").write_bytes(b"GIF89a, in truth")
    with pytest.raises(ValueError, match=r"a\.png does not begin like a PNG"):
        accessibility.size(tmp_path / "a.png")


def test_the_page_that_leads_on_has_a_language_a_title_and_a_link():
    soup = BeautifulSoup(accessibility.redirection(REDIRECTION), "html.parser")
    assert soup.html["lang"] == "en"
    assert soup.title.get_text() and soup.find("a")["href"] == "book/index.html"
    assert "url=book/index.html" in soup.find("meta", attrs={"http-equiv": "Refresh"})["content"]
    assert accessibility.redirection("<html>other</html>") == "<html>other</html>"


def test_a_site_is_mended_once_and_templates_are_left(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "a.png").write_bytes(PNG)
    words = f'<div role="doc-biblioentry"></div>{TABLE}<img src="a.png">'
    (tmp_path / "book" / "page.html").write_text(words)
    (tmp_path / "_static" / "page.html").write_text(words)
    (tmp_path / "index.html").write_text(REDIRECTION)
    accessibility.mend(tmp_path)
    once = {path: path.read_text() for path in tmp_path.rglob("*.html")}
    assert once[tmp_path / "_static" / "page.html"] == words
    assert all(
        word in once[tmp_path / "book" / "page.html"]
        for word in ("listitem", "data-column", "figure-frame")
    )
    accessibility.mend(tmp_path)
    assert {path: path.read_text() for path in tmp_path.rglob("*.html")} == once
