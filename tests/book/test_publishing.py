"""What search engines, reference managers and social cards read: of a small site, of the book."""

import json
import shutil
import xml.etree.ElementTree as ET

import publishing
import pytest
import yaml
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from netdyn_lib.book import citations
from netdyn_lib.book.project import Project

from . import small
from .test_ext import PNG

CFF = yaml.safe_load((small.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
REPOSITORY, BASE = "https://github.com/Owner/book", "https://owner.github.io/book/"
FRONT = """# A book

```{image} deep/a.png
:alt: front
```

```{toctree}
deep/a
b
```
"""
PAGE = r"""# "A" & <b>

Things:

At $\sqrt 2$ or so.

At $\eta = 1$, [a link](../b) and <i>more</i>.

```{figure} ä.png
:alt: The "picture"
```
"""


@pytest.fixture(scope="module", params=["", REPOSITORY], ids=["asleep", "awake"])
def built(request, tmp_path_factory):
    """A small site, and the address of its repository."""
    source = tmp_path_factory.mktemp("source")
    settings = {
        "extensions": ["myst_parser", "publishing"],
        "myst_enable_extensions": ["dollarmath"],
        "html_theme_options": {"repository_url": request.param},
        "html_theme": "sphinx_book_theme",
        "html_title": "The site",
        "smartquotes": False,
    }
    conf = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    (source / "deep").mkdir()
    files = {"conf.py": conf, "index.md": FRONT, "deep/a.md": PAGE, "b.md": "# B\n\nText.\n"}
    for file, text in files.items():
        (source / file).write_text(text, encoding="utf-8")
    for name in ("a.png", "ä.png"):
        (source / "deep" / name).write_bytes(PNG)
    shutil.copy(small.ROOT / "CITATION.cff", source)
    out = source / "_build"
    with docutils_namespace():
        Sphinx(source, source, out, out / "doctrees", "html", status=None).build()
    return out, request.param


def head(path):
    """Tags of a page by name, and its JSON-LD."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").head
    tags = {}
    for node in soup.find_all("meta", content=True):
        tags.setdefault(node.get("name") or node.get("property"), []).append(node["content"])
    data = [json.loads(node.string) for node in soup.select('script[type="application/ld+json"]')]
    return tags, data


def test_a_page_tells_its_title_text_and_picture_and_what_it_is_part_of(built):
    out, awake = built
    tags, (data,) = head(out / "deep" / "a.html")
    title, said = '"A" & <b>', "At η = 1, a link and more."
    assert tags["og:title"] == tags["citation_title"] == [title]
    assert tags["description"] == tags["og:description"] == [said]
    assert tags["citation_inbook_title"] == [CFF["title"]]
    assert tags["citation_author"] == [author["name"] for author in CFF["authors"]]
    assert tags["citation_publication_date"] == [f"{CFF['date-released']:%Y/%m/%d}"]
    (page,) = data["@graph"]
    assert (page["name"], page["description"]) == (title, said)
    assert page["isPartOf"]["name"] == CFF["title"]
    address = {key: tags.get(key) for key in ("og:url", "og:image", "citation_fulltext_html_url")}
    if not awake:
        assert set(address.values()) == {None} and "url" not in page and "image" not in page
        return
    place, picture = f"{BASE}deep/a.html", f"{BASE}_images/%C3%A4.png"
    assert list(address.values()) == [[place], [picture], [place]]
    assert (page["url"], page["image"]) == (place, picture)
    assert tags["og:image:alt"] == ['The "picture"']
    assert (out / "_images" / "ä.png").read_bytes() == PNG
    # A page without a picture has that of the front page.
    assert head(out / "b.html")[0]["og:image"] == [f"{BASE}_images/a.png"]


def test_the_front_page_is_cited_as_the_whole(built):
    tags, (data,) = head(built[0] / "index.html")
    assert tags["citation_title"] == [CFF["title"]] and "citation_inbook_title" not in tags
    ids = {node["@id"] for node in data["@graph"] if "@id" in node}
    page, whole, *_ = data["@graph"]
    assert page["about"] == {"@id": whole["@id"]} and whole["name"] == CFF["title"]
    assert {one["@id"] for one in [*whole["author"], *whole["citation"]]} <= ids


def test_the_map_of_the_site_has_every_page_once_it_has_an_address(built):
    out, awake = built
    if not awake:
        assert not list(out.glob("sitemap.xml")) + list(out.glob("robots.txt"))
        return
    places = [node.text for node in ET.parse(out / "sitemap.xml").getroot().iter() if node.text]
    listed = [place for place in places if place.strip()]
    assert listed == [f"{BASE}{page}.html" for page in ("b", "deep/a", "index")]
    assert f"Sitemap: {BASE}sitemap.xml\n" in (out / "robots.txt").read_text()


@pytest.mark.parametrize(
    "url", ["", "https://gitlab.com/a/b", "https://github.com/a", "https://github.com/a/b/issues"]
)
def test_only_a_repository_on_github_gives_an_address(url):
    assert publishing.pages_address(url) == ""


def test_the_licence_of_the_pages_is_that_of_the_book():
    text = (small.ROOT / "book" / "licence.md").read_text(encoding="utf-8")
    assert f"]({citations.CC_BY})" in text


def test_an_author_with_an_orcid_and_a_paper_without_a_doi():
    orcid = "https://orcid.org/0000-0000-0000-0001"
    authors = [{"family-names": "Kato", "given-names": "Tosio", "orcid": orcid}, {"name": "A"}]
    paper = {"type": "article", "title": "t", "authors": authors, "year": 2020}
    whole, _, *found = citations.graph(CFF | {"authors": authors, "references": [paper]}, "./")
    assert [node["@id"] for node in found] == [orcid, "#author-2", "#paper-1"]
    assert [node["@type"] for node in found] == ["Person", "Organization", "ScholarlyArticle"]
    assert whole["citation"] == [{"@id": "#paper-1"}]
    assert found[2]["creditText"] == "Kato, Tosio; A (2020). t."


# The book


def test_every_page_of_the_book_has_a_description_and_the_site_sleeps(html):
    settings = yaml.safe_load((small.ROOT / "_config.yml").read_text(encoding="utf-8"))
    awake, described = bool(settings["repository"]["url"]), {}
    for path in html.rglob("*.html"):
        page = path.relative_to(html).as_posix()
        if page.startswith(("book/", "notebooks/", "reference/")):
            tags, (data,) = head(path)
            (described[page],) = tags["description"]
            assert data["@context"] == "https://schema.org" and ("og:url" in tags) == awake
            assert len(described[page]) > 20 and "\\" not in described[page], page
    listed = (html / "sitemap.xml").read_text() if awake else ""
    assert all((f"/{page}</loc>" in listed) == awake for page in described)
    chapters = {page: text for page, text in described.items() if page.startswith("notebooks/")}
    made = sum(page.count("_appendix.") for page in chapters)
    assert len(chapters) == len(set(chapters.values())) == made + len(Project(small.ROOT).names())
