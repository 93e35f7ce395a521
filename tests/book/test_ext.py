"""The extensions of Sphinx: links to the glossary, mends of pages, in a small site."""

import base64
import json
import re
from pathlib import Path

import companion
import docstrings
import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

#: A white picture of 1 by 1 pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
)
CONF = """
extensions = ["myst_parser", "companion", "sphinx_design"]
myst_enable_extensions = ["colon_fence"]
html_theme = "sphinx_book_theme"
"""
INDEX = """# Front

```{toctree}
book/glossary
notebooks/a
```
"""
GLOSSARY = """# Glossary

```{glossary}
orbit
network trajectory
    A sequence.

map
    A *rule*.

tangent map
    A derivative, of a map.
```
"""
PAGE = """# The orbit

Of `map` and [orbits](https://example.org).

:::{dropdown} More
An orbit.
:::

Orbits of a tangent map; an orbit, a network trajectory, the map, and remapping.

A map.

```{figure} a.png
:alt: x

A map as caption.
```

[^cite]: A footnote.

Of A {verdict}`A`, of B {verdict}`B`; A is {measured}`A`, B is {measured}`B`, C is {measured}`C`.
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    files = {
        "conf.py": CONF,
        "index.md": INDEX,
        "book/glossary.md": GLOSSARY,
        "notebooks/a.md": PAGE,
    }
    for file, text in files.items():
        (source / file).parent.mkdir(exist_ok=True)
        (source / file).write_text(text)
    (source / "notebooks" / "a.png").write_bytes(PNG)
    (source / "book" / "claims.yml").write_text("claims: [{id: A}, {id: B}, {id: C}]")
    rows = [dict(id="A", verdict="not reproduced", measured=0.3136, n=1500)]
    rows.append(dict(id="C", verdict="not tested", measured=None))
    (source / "book" / "_generated").mkdir()
    (source / "book" / "_generated" / "claims.json").write_text(json.dumps(rows))
    out = source / "_build"
    with docutils_namespace():
        Sphinx(source, source, out, out / "doctrees", "html", status=None).build()
    return out


def soup(built, name):
    return BeautifulSoup((built / name).read_text(), "html.parser")


def test_the_first_use_in_prose_leads_to_the_glossary(built):
    page = soup(built, "notebooks/a.html")
    found = [(a.get_text(), a["href"], a["title"]) for a in page.select("a.glossary-term")]
    assert found == [
        ("Orbits", "../book/glossary.html#term-orbit", "A sequence."),
        ("tangent map", "../book/glossary.html#term-tangent-map", "A derivative, of a map."),
        ("map", "../book/glossary.html#term-map", "A rule."),
    ]
    text = " ".join(page.find("article").get_text().split())
    said = "Orbits of a tangent map; an orbit, a network trajectory, the map, and remapping."
    assert said in text, "only links are added"
    assert not soup(built, "book/glossary.html").select("a.glossary-term")


def test_a_verdict_is_a_badge_that_leads_to_its_claim(built):
    badges = soup(built, "notebooks/a.html").select("a.verdict")
    assert [(a.get_text(), a["class"], a["href"]) for a in badges] == [
        (
            "not reproduced, n\u00a0=\u00a01,500",
            ["verdict", "verdict-not-reproduced", "reference", "internal"],
            "../book/scorecard.html#claim-A",
        ),
        (
            "not judged in this run",
            ["verdict", "verdict-not-tested", "reference", "internal"],
            "../book/scorecard.html#claim-B",
        ),
    ]
    text = " ".join(soup(built, "notebooks/a.html").get_text().split())
    assert "A is 0.31, B is –, C is –." in text
    with pytest.raises(ExtensionError, match="a names the claim 'D', which claims.yml does not"):
        companion.Verdict().row_of("a", {"A": None}, "D")


def test_a_picture_knows_its_size_and_has_a_frame(built):
    image = soup(built, "notebooks/a.html").find("figure").find("img")
    said = {name: image[name] for name in ("width", "height", "style", "alt")}
    assert said == {"width": "1", "height": "1", "style": "--pixels: 1px", "alt": "x"}
    assert image.parent["class"] == ["figure-frame"] and image["src"].endswith("a.png")


def test_the_system_decides_between_light_and_dark(built):
    text = (built / "index.html").read_text()
    assert 'localStorage.getItem("mode") || "auto"' in text and "matchMedia" in text
    assert text.index('localStorage.getItem("theme")') < text.index("matchMedia")


@pytest.mark.parametrize(
    ("term", "used"),
    [
        ("trajectory", "Trajectories"),
        ("network trajectory", "network\ntrajectories"),
        ("mini-batch", "mini-batches"),
        ("mini-batch", "minibatch"),
        ("mini-batch", "mini\u2011batch"),
        ("ε-ball", "ε ball"),
        ("edge of stability", "edge-of-stability"),
        ("finite-time exponent", "finite time\u00a0exponents"),
        ("majority class", "majority classes"),
        ("epoch", "epochs"),
        ("ray", "rays"),
    ],
)
def test_forms_of_a_term(term, used):
    assert re.fullmatch(companion.forms(term), used, re.IGNORECASE)


@pytest.mark.parametrize(
    ("term", "other"),
    [("trajectory", "trajectors"), ("ray", "raies"), ("tangent map", "tangentmap"), ("a.b", "acb")],
)
def test_what_is_no_form_of_a_term(term, other):
    assert re.fullmatch(companion.forms(term), other) is None


# Docstrings as pages


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a||    W − g||    b||c", "a||::||    W − g||    b||c"),
        ("* a||  more of it", "* a||  more of it"),
        ("as in::||    code", "as in::||    code"),
        ("Parameters|----------|x : int||    Text.", "Parameters|----------|x : int||    Text."),
        ("Raises|------|ValueError||>>> f()", "Raises|------|ValueError|||>>> f()"),
    ],
)
def test_lines_are_arranged(before, after):
    assert docstrings.arranged(before.split("|")) == after.split("|")


@pytest.mark.parametrize(
    ("module", "target", "kind", "full"),
    [
        ("lyapunov.growth_fits", "Fit", "class", "lyapunov.growth_fits.Fit"),
        ("statistics.growth_laws", "Fit", "class", "statistics.growth_laws.Fit"),
        ("results.store", "netdyn_lib.results.store", "mod", "results.store"),
        ("lyapunov.growth_fits", "best_fit", "class", None),
        ("lyapunov.growth_fits", "int", "class", None),
        ("lyapunov.growth_fits", "pandas.DataFrame", "class", None),
    ],
)
def test_names_mean_what_they_mean_in_python(module, target, kind, full):
    found = docstrings.meaning(f"netdyn_lib.{module}", "", target, kind)
    assert found == (full and f"netdyn_lib.{full}")


def test_the_extensions_are_those_of_the_book():
    assert Path(companion.__file__).parent == Path(__file__).resolve().parents[2] / "book" / "_ext"


def test_the_buttons_of_an_appendix_lead_to_the_notebook_of_its_chapter():
    launch, copy = "https://x/lab/tree/notebooks/a_appendix.ipynb", "_sources/a_appendix.ipynb"
    buttons = [
        {"label": "launch-buttons", "buttons": [{"url": launch}, {"type": "javascript"}]},
        {"label": "download-buttons", "buttons": [{"url": copy}]},
    ]
    companion._mend(None, "notebooks/a_appendix", "", {"header_buttons": buttons}, None)
    (first, _), (second,) = (group["buttons"] for group in buttons)
    assert first["url"] == "https://x/lab/tree/notebooks/a.ipynb" and second["url"] == copy
