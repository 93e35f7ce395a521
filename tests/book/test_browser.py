"""The built site as a reader's browser shows it, on a desktop and on a telephone, with the network
cut.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from netdyn_lib.book import notebooks as notebook
from netdyn_lib.book import pages, pdf, scorecard, site
from netdyn_lib.book.project import Project
from netdyn_lib.figures import numbers
from tests import browser as browsers

PROJECT = Project(Path(__file__).resolve().parents[2])
#: Pages that Sphinx and Jupyter Book add to those of the contents.
ADDED = ("index.html", "search.html", "genindex.html")
LISTED = [
    f"{file}.html"
    for file in site._files(yaml.safe_load((PROJECT.root / "_toc.yml").read_text(encoding="utf-8")))
]
CHAPTER = "notebooks/01_toy_map.html"
SCREENS = {"desktop": browsers.DESKTOP, "phone": browsers.PHONE}
#: The smallest letters of figures: labels of ticks, 9.2 points at 150 pixels an inch.
LETTERS = 9.2 / 72 * 150
#: A ring or a shadow around the focused element, and where it stands.
_FOCUS = """() => {
  const node = document.activeElement, style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  let opacity = 1;
  for (let n = node; n; n = n.parentElement) opacity *= getComputedStyle(n).opacity;
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const drawn = s => !/rgba\\(\\d+, \\d+, \\d+, 0\\)/.test(s) && /[1-9]\\d*px/.test(s);
  const shadow = style.boxShadow.split(/,(?![^(]*\\))/).some(drawn);
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const rooms = ["#pst-skip-link", ".bd-links", "article", ".prev-next-footer",
    "#pst-primary-sidebar", ".bd-header-article", ".bd-sidebar-secondary", "footer"];
  return {
    what: node.tagName + "." + node.className + " " + (node.innerText || "").slice(0, 30),
    visible: (ring || shadow) && opacity > 0.9 && inside,
    room: rooms.find(r => node.closest(r)) || node.tagName,
    copies: node.matches("button.copybtn"),
  };
}"""
_SEEN = """width => {
  const all = selector => [...document.querySelectorAll(selector)];
  const article = document.querySelector("article");
  const within = box => box.left > -1 && box.right < width + 1;
  const scrolls = node =>
    /auto|scroll/.test(getComputedStyle(node).overflowX) && within(node.getBoundingClientRect());
  const framed = node => {
    for (let n = node; n && n !== article; n = n.parentElement) if (scrolls(n)) return true;
    return false;
  };
  const cut = n =>
    n.getClientRects().length && !within(n.getBoundingClientRect()) && !framed(n);
  const wide = "table, pre, img, figure, mjx-container, p, .verdict";
  const some = article ? [...article.querySelectorAll(wide)] : [];
  return {
    missing: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
    formulas: all(".math").length, set: all("mjx-container").length,
    errors: all("mjx-merror, [data-mjx-error]").length,
    width: document.scrollingElement.scrollWidth,
    cut: some.filter(cut).map(n => n.outerHTML.slice(0, 120)),
    shrunk: all("figure img").map(i => [i.src, i.clientWidth / i.naturalWidth]),
  };
}"""


@pytest.fixture(scope="module")
def browser():
    # For this module only: while it runs, its event loop keeps others from starting theirs.
    with browsers.started() as running:
        yield running


@pytest.fixture(scope="module")
def bases(html):
    """The two ways to read the site: from a server, and from the file system."""
    with browsers.served(html) as address:
        yield {"server": address, "files": html.resolve().as_uri()}


@pytest.fixture
def visit(browser, bases):
    """Opens the site for a test: ``visit("desktop", "server", dark=False)``; nothing may have gone
    wrong in the end.
    """
    opened = []

    def start(screen, way, dark=False):
        opened.append(browsers.Visit(browser, bases[way], SCREENS[screen], dark))
        return opened[-1]

    yield start
    for reader in opened:
        reader.close()
    assert [fault for reader in opened for fault in reader.faults] == []


# Light on a desktop from a server, and dark on a telephone from files, are both ways, sizes and
# modes at half the time of all.
@pytest.fixture(
    scope="module",
    params=[(page, view) for page in (*LISTED, *ADDED) for view in SCREENS],
    ids="-".join,
)
def seen(request, browser, bases):
    """What a browser sees of one page."""
    page, view = request.param
    way, dark = ("server", False) if view == "desktop" else ("files", True)
    reader = browsers.Visit(browser, bases[way], SCREENS[view], dark)
    reader.open(page)
    found = reader.page.evaluate(_SEEN, SCREENS[view]["viewport"]["width"])
    found |= {
        "theme": reader.page.evaluate("document.documentElement.dataset.theme"),
        "faults": list(reader.faults),
    }
    found |= {"axe": reader.axe(), "view": view, "allowed": SCREENS[view]["viewport"]["width"] + 1}
    reader.close()
    return found


def test_the_page_loads_without_a_fault(seen):
    assert seen["faults"] == []
    assert seen["missing"] == []
    assert seen["theme"] == ("light" if seen["view"] == "desktop" else "dark")


def test_every_formula_is_set(seen):
    assert seen["set"] >= seen["formulas"]
    assert seen["errors"] == 0


def test_the_page_fits_the_screen(seen):
    assert seen["width"] <= seen["allowed"]
    assert seen["cut"] == []


def test_figures_are_legible(seen):
    for source, scale in seen["shrunk"]:
        assert scale * LETTERS >= 8, f"{source} is shown at {scale:.2f} of its size"


def test_axe_finds_nothing_serious(seen):
    assert [found for found in seen["axe"] if found["impact"] in ("serious", "critical")] == []


def test_formulas_are_there_to_be_set(visit):
    page = visit("desktop", "files").open("book/preliminaries.html")
    assert page.locator("mjx-container").count() > 50
    assert page.locator("mjx-container").first.bounding_box()["width"] > 4


def longest_word(path):
    """Length of the longest word of a page's article, which is what no screen can break."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<article") : text.index("</article")]
    return max(map(len, re.sub(r"<[^>]+>", "", text).split()))


def test_pages_beside_the_contents_load_as_well(html, visit):
    """Of the pages of the library, which are made alike: that of each package with the longest
    word, and the six with the longest words of all.
    """
    others = sorted(set(browsers.pages(html)) - {*LISTED, *ADDED})
    assert set(browsers.pages(html)) >= {*LISTED, *ADDED}
    others.sort(key=lambda path: longest_word(html / path))
    chosen = {"/".join(path.split("/")[:2]): path for path in others}
    chosen = sorted({*chosen.values(), *others[-6:]})
    assert len(others) > 80 and len(chosen) > 15
    for start, (view, way) in enumerate((("desktop", "files"), ("phone", "server"))):
        reader = visit(view, way)
        for path in chosen[start::2]:
            found = reader.open(path).evaluate(_SEEN, SCREENS[view]["viewport"]["width"])
            assert (found["missing"], found["cut"], reader.faults) == ([], [], []), path
            assert found["width"] <= SCREENS[view]["viewport"]["width"] + 1, path


@pytest.mark.parametrize(("screen", "way"), [("desktop", "server"), ("phone", "files")])
def test_search_finds_a_term_and_leads_to_it(visit, screen, way):
    reader = visit(screen, way)
    page = reader.open("book/index.html")
    page.locator(".search-button__button:visible").first.click()
    page.keyboard.type("bifurcation")
    page.keyboard.press("Enter")
    found = page.locator("#search-results li a")
    found.first.wait_for()
    page.get_by_text("Search finished").wait_for()
    # Leaving while results still fetch their summaries would break these off.
    page.wait_for_load_state("networkidle")
    titles = found.all_inner_texts()
    assert any("A toy map" in title for title in titles), titles
    found.filter(has_text="A toy map").first.click()
    reader.ready()
    assert CHAPTER in page.url
    assert "bifurcation" in page.locator("article").inner_text()


def test_published_arrays_can_be_downloaded(visit, tmp_path):
    page = visit("desktop", "server").open("book/published.html")
    results = PROJECT.book / "results"
    paths = (
        sorted(results.glob("*.npz"))
        + sorted(results.glob("*/*.npz"))
        + sorted(results.glob("bench/*.json"))
    )
    rows = page.locator("table tbody tr")
    assert [row.locator("td").first.inner_text() for row in rows.all()] == [
        path.stem for path in paths
    ]
    for k, path in enumerate(paths):
        if k and k % 8 == 0:  # Chromium asks before a page's eleventh download
            page = visit("desktop", "server").open("book/published.html")
        with page.expect_download() as coming:
            page.locator("table tbody tr").nth(k).locator("a.download").click()
        assert coming.value.suggested_filename == path.name
        coming.value.save_as(tmp_path / path.name)
        if path.suffix == ".json":
            assert (tmp_path / path.name).read_bytes() == path.read_bytes()
            continue
        with (
            np.load(tmp_path / path.name, allow_pickle=False) as got,
            np.load(path, allow_pickle=False) as kept,
        ):
            assert got.files == kept.files
            for name in kept.files:
                np.testing.assert_array_equal(got[name], kept[name])


def test_claims_can_be_downloaded_and_are_those_shown(visit, tmp_path):
    page = visit("desktop", "server").open("book/scorecard.html")
    with page.expect_download() as coming:
        page.locator("a.download", has_text="claims.json").click()
    coming.value.save_as(tmp_path / "claims.json")
    got = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    notebooks = {name: notebook.read(PROJECT.committed(name)) for name in PROJECT.names()}
    assert got == json.loads(
        scorecard.dumps(scorecard.gather(notebooks, PROJECT.book / "claims.yml"))
    )
    shown = page.locator("table.scorecard .verdict").all_inner_texts()
    assert shown == [claim["verdict"] for claim in got]


def test_copy_buttons_copy_the_cells(visit):
    reader = visit("desktop", "server")
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = reader.open(CHAPTER)
    page.evaluate(
        "for (const fold of document.querySelectorAll('article details')) fold.open = true"
    )
    buttons = page.locator("article .cell_input button.copybtn")
    stem = Path(CHAPTER).stem
    chapter = notebook.pages(stem, notebook.read(PROJECT.committed(stem)))
    shown = [
        cell.source.strip()
        for cell in notebook.with_figures(chapter[stem]).cells
        if cell.cell_type == "code"
        and not {"remove-cell", "remove-input"} & set(cell.metadata.get("tags", ()))
    ]
    assert buttons.count() == len(shown) > 3
    for button, code in zip(buttons.all(), shown, strict=True):
        page.evaluate("navigator.clipboard.writeText('')")
        button.click()
        page.wait_for_function("navigator.clipboard.readText().then(text => text !== '')")
        assert page.evaluate("navigator.clipboard.readText()").strip() == code


def test_beneath_a_figure_numbers_are_downloaded_and_the_command_is_copied(visit, tmp_path):
    reader = visit("desktop", "server")
    reader.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = reader.open(CHAPTER)
    nb = notebook.read(PROJECT.committed(Path(CHAPTER).stem))
    cell, label, *_ = notebook.figures(nb)[0]
    fold = page.locator("details.beneath").first
    assert not fold.locator("a.download").is_visible()
    fold.locator("summary").click()
    with page.expect_download() as coming:
        fold.locator("a.download").click()
    assert coming.value.suggested_filename == f"{label}.csv"
    coming.value.save_as(tmp_path / "numbers.csv")
    assert (tmp_path / "numbers.csv").read_text(encoding="utf-8") == numbers.unpacked(
        cell.metadata.netdyn.numbers
    )
    fold.locator(".highlight-bash button.copybtn").click()
    wanted = pages.command(nb.metadata.netdyn, Path(CHAPTER).stem)
    page.wait_for_function(
        "wanted => navigator.clipboard.readText().then(text => text.trim() === wanted)", arg=wanted
    )


def test_the_scorecards_filters_hide_what_does_not_match(visit):
    page = visit("desktop", "files").open("book/scorecard.html")
    rows = scorecard.gather(
        {name: notebook.read(PROJECT.committed(name)) for name in PROJECT.names()},
        PROJECT.book / "claims.yml",
    )
    shown = (
        "[...document.querySelectorAll('table.scorecard tbody tr')]"
        ".filter(row => row.checkVisibility()).map(row => row.querySelector('b').innerText)"
    )
    count = page.locator("form.scorecard-filters output")
    assert page.evaluate(shown) == [row["id"] for row in rows]
    page.select_option("select[name=paper]", "H")
    page.select_option("select[name=verdict]", "not reproduced")
    wanted = [
        row["id"] for row in rows if (row["paper"], row["verdict"]) == ("H", "not reproduced")
    ]
    assert (
        page.evaluate(shown) == wanted
        and count.inner_text() == f"{len(wanted)} of {len(rows)} claims"
        and 0 < len(wanted) < len(rows)
    )
    page.fill("input[name=word]", wanted[0])
    assert page.evaluate(shown) == wanted[:1]
    page.fill("input[name=word]", "no claim has these words")
    assert page.evaluate(shown) == [] and count.inner_text().startswith("0 of")


def test_copy_buttons_can_be_seen_without_a_mouse(visit):
    page = visit("phone", "files").open(CHAPTER)
    assert (
        page.locator("article button.copybtn").first.evaluate(
            "node => getComputedStyle(node).opacity"
        )
        == "1"
    )


def test_the_switch_makes_the_page_dark_and_light_again(visit):
    reader = visit("desktop", "files")
    page = reader.open(CHAPTER)
    theme, ground = (
        "document.documentElement.dataset.theme",
        "getComputedStyle(document.body).backgroundColor",
    )
    seen = {}
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        seen[page.evaluate("document.documentElement.dataset.mode")] = (
            page.evaluate(theme),
            _light(page.evaluate(ground)),
        )
        if page.evaluate(theme) == "dark":
            # The choice is kept on the next page.
            assert reader.open("book/scorecard.html").evaluate(theme) == "dark"
            reader.open(CHAPTER)
    assert seen == {"auto": ("light", True), "light": ("light", True), "dark": ("dark", False)}


def _light(colour):
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) > 3 * 128


def test_figures_stand_on_a_light_card_in_the_dark(visit):
    reader = visit("desktop", "server", dark=True)
    for path in ("book/index.html", CHAPTER):
        cards = reader.open(path).evaluate("""() => {
          const card = image => {
            const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
            const context = canvas.getContext("2d"), style = getComputedStyle(image);
            context.drawImage(image, 0, 0);
            const corner = context.getImageData(1, 1, 1, 1).data;
            return [style.backgroundColor, style.filter, ...corner];
          };
          return [...document.querySelectorAll("figure img")].map(card);
        }""")
        assert cards
        for ground, shade, *corner in cards:
            assert ground == "rgb(255, 255, 255)"
            assert shade == "brightness(0.88)"
            assert corner in ([255, 255, 255, 255], [0, 0, 0, 0]), (
                "the picture is not drawn on white"
            )


def test_the_keyboard_reaches_everything_and_shows_where_it_is(visit):
    page = visit("desktop", "server").open(CHAPTER)
    page.add_style_tag(content="* { transition: none !important; }")
    stops = []
    for _ in range(600):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(_FOCUS))
        if stops[-1]["room"] in ("BODY", "HTML"):
            break
    stops.pop()
    assert [stop["what"] for stop in stops if not stop["visible"]] == []
    rooms = [stop["room"] for stop in stops]
    first = list(dict.fromkeys(rooms))
    assert first[0] == "#pst-skip-link"
    assert first.index(".bd-links") < first.index("article") < first.index(".prev-next-footer")
    # Appendices of other chapters are folded away.
    links = page.locator(".bd-links a:visible").count()
    assert rooms.count(".bd-links") >= links > len(PROJECT.names())
    assert (
        sum(stop["copies"] for stop in stops)
        == page.locator("article button.copybtn:visible").count()
    )


def test_the_skip_link_leads_to_the_content(visit):
    page = visit("desktop", "server").open(CHAPTER)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main-content")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('#main-content').contains(document.activeElement)")


def test_the_keyboard_turns_the_pages(visit):
    reader = visit("desktop", "files")
    page = reader.open(LISTED[0])
    for selector, wanted in [
        *((".right-next", path) for path in LISTED[1:4]),
        (".left-prev", LISTED[2]),
    ]:
        page.locator(selector).focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{wanted}")
        reader.ready()


def test_the_telephone_opens_its_contents(visit):
    reader = visit("phone", "files")
    page = reader.open(CHAPTER)
    link = page.locator(".bd-links a", has_text="Scorecard")
    assert not link.is_visible()
    page.locator(".primary-toggle").tap()
    link.tap()
    page.wait_for_url("**/book/scorecard.html")
    reader.ready()


def test_what_scrolls_has_a_stop_and_a_name(visit):
    page = visit("phone", "files").open(CHAPTER)
    frame = page.locator("figure .figure-frame").first
    page.wait_for_function("node => node.tabIndex === 0", arg=frame.element_handle())
    assert frame.get_attribute("aria-label") == "Scrollable figure"
    frame.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("node => node.scrollLeft > 0", arg=frame.element_handle())
    # A figure that fits needs no stop.
    wide = visit("desktop", "files").open(CHAPTER)
    assert wide.locator("figure .figure-frame").first.get_attribute("tabindex") is None


@pytest.mark.parametrize(
    ("path", "screen", "dark", "selector"),
    [
        ("book/index.html", "desktop", False, None),
        ("book/index.html", "phone", True, None),
        (CHAPTER, "desktop", False, None),
        (CHAPTER, "desktop", True, "figure"),
        (CHAPTER, "phone", False, "figure"),
        ("book/scorecard.html", "desktop", True, "table.scorecard"),
        ("book/scorecard.html", "phone", False, "table.scorecard"),
        ("book/published.html", "phone", True, "table"),
    ],
)
def test_pictures_of_pages_are_kept_for_a_person(visit, path, screen, dark, selector):
    page = visit(screen, "files", dark).open(path)
    if selector:
        page.locator(selector).first.evaluate("node => node.scrollIntoView({behavior: 'instant'})")
    folder = PROJECT.build / "screenshots"
    kept = (
        folder / f"{Path(path).stem}-{selector or 'top'}-{screen}-{'dark' if dark else 'light'}.png"
    )
    kept.unlink(missing_ok=True)
    page.screenshot(path=kept)
    assert kept.stat().st_size > 20_000


@pytest.mark.parametrize(
    ("variable", "value"), [("NETDYN_BROWSER", "required"), ("CI", "true"), ("CI", "0"), ("CI", "")]
)
def test_a_missing_browser_is_not_passed_over(monkeypatch, tmp_path, variable, value):
    for name in ("CI", browsers.WANTED, pdf.EXECUTABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(variable, value)
    outcome = pytest.fail.Exception if value in ("required", "true") else pytest.skip.Exception
    with pytest.raises(outcome, match="install the package chromium"), browsers.started():
        pass


def test_the_executable_can_be_named(monkeypatch, tmp_path):
    mine = tmp_path / "my-browser"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv(pdf.EXECUTABLE, str(mine))
    assert pdf.find_browser() == str(mine)
    monkeypatch.setenv(pdf.EXECUTABLE, str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="NETDYN_CHROMIUM"):
        pdf.find_browser()
