"""Links to the glossary in a small site."""

import re

import pytest
from bs4 import BeautifulSoup

from netdyn_lib.book import terms

GLOSSARY = """<html><body><article><dl class="simple glossary">
<dt id="term-orbit">orbit<a class="headerlink" href="#term-orbit">#</a></dt><dt id="term-network-trajectory">network trajectory</dt><dd><p>A sequence.</p></dd>
<dt id="term-map">map</dt><dd><p>A <em>rule</em>.</p></dd>
<dt id="term-tangent-map">tangent map</dt><dd><p>A derivative.</p></dd>
</dl></article></body></html>"""
PAGE = """<html><body><nav>orbit</nav><article><h1>The orbit</h1>
<p>Of <code>map</code> and <a href="#x">orbits</a>, <span class="math notranslate nohighlight">\\(map\\)</span>.</p>
<p>Orbits of a tangent map; an orbit, a network trajectory, the map, and remapping.</p><p>A map.</p></article></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book" / "glossary.html").write_text(GLOSSARY)
    (tmp_path / "notebooks" / "a.html").write_text(PAGE)
    return tmp_path


def test_terms_are_read_with_their_definitions(site):
    assert terms.read(site / "book" / "glossary.html") == {
        "orbit": ("term-orbit", "A sequence."),
        "network trajectory": ("term-network-trajectory", "A sequence."),
        "map": ("term-map", "A rule."),
        "tangent map": ("term-tangent-map", "A derivative."),
    }


def test_the_first_use_in_prose_leads_to_the_glossary(site):
    assert terms.link(site) == 3
    soup = BeautifulSoup((site / "notebooks" / "a.html").read_text(), "html.parser")
    found = [(a.get_text(), a["href"], a["title"]) for a in soup.select("a.glossary-term")]
    assert found == [
        ("Orbits", "../book/glossary.html#term-orbit", "A sequence."),
        ("tangent map", "../book/glossary.html#term-tangent-map", "A derivative."),
        ("map", "../book/glossary.html#term-map", "A rule."),
    ]
    before = BeautifulSoup(PAGE, "html.parser").get_text()
    assert soup.get_text() == before, "only links are added"
    assert (site / "book" / "glossary.html").read_text() == GLOSSARY


def test_pages_can_be_left_out_and_a_site_may_have_no_glossary(site):
    assert terms.link(site, skip=("notebooks",)) == 0
    (site / "book" / "glossary.html").unlink()
    assert terms.link(site) == 0


@pytest.mark.parametrize(
    ("term", "used"),
    [
        ("trajectory", "Trajectories"),
        ("network trajectory", "network\ntrajectories"),
        ("basin boundary", "basin boundaries"),
        ("mini-batch", "mini-batches"),
        ("mini-batch", "minibatch"),
        ("mini-batch", "mini\u2011batch"),
        ("ε-ball", "ε ball"),
        ("edge of stability", "edge-of-stability"),
        ("period doubling", "Period-doubling"),
        ("finite-time exponent", "finite time\u00a0exponents"),
        ("majority class", "majority classes"),
        ("epoch", "epochs"),
        ("ray", "rays"),
        ("sweet spot", "sweet spots"),
    ],
)
def test_forms_of_a_term(site, term, used):
    (site / "book" / "glossary.html").write_text(
        GLOSSARY.replace('<dt id="term-map">map', f'<dt id="term-map">{term}')
    )
    page = site / "notebooks" / "a.html"
    page.write_text(
        f"<html><body><article><p>Of {used}, twice: {used}.</p></article></body></html>"
    )
    assert terms.link(site) == 1
    assert (
        BeautifulSoup(page.read_text(), "html.parser")
        .find("a", href="../book/glossary.html#term-map")
        .get_text()
        == used
    )


@pytest.mark.parametrize(
    ("term", "other"),
    [
        ("trajectory", "trajectors"),
        ("ray", "raies"),
        ("map", "maps-to"),
        ("tangent map", "tangentmap"),
        ("a.b", "acb"),
    ],
)
def test_what_is_no_form_of_a_term(term, other):
    assert re.fullmatch(terms.forms(term), other) is None
