"""The explorers in a browser: what they show at a setting is what the library gives there.

The fixture ``site`` holds the pages' own HTML without the theme around it, beside the files that
the built site has for them.
"""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from netdyn_lib.experiments import sizes as profiles
from netdyn_lib.experiments.exponent_map import published as map_published
from netdyn_lib.experiments.learning_rate_sweep import published, responses
from netdyn_lib.maps import one_dimensional
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent
from tests import browser as browsers

BOOK = Path(__file__).resolve().parents[2] / "book"
NAMES = ("map", "sweeps", "trajectories", "exponents")
CHAPTER, SIZE = profiles.sizes("01_toy_map"), profiles.sizes("explorers")
START = 0.1
DATA_LIMIT = 2_700_000  # bytes, of all four
SHELL = (
    '<!DOCTYPE html><html lang="en" data-theme="light"><meta charset="utf-8"><title>x</title>'
    '<meta name="viewport" content="width=device-width"><body>{}</body></html>'
)


@pytest.fixture(scope="module")
def site(html, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorers")
    (folder / "_static").symlink_to((html / "_static").resolve())
    (folder / "book").mkdir()
    for name in NAMES:
        text = (BOOK / f"explore_{name}.md").read_text(encoding="utf-8")
        body = "".join(re.findall(r"```\{raw\} html\n(.*?)```", text, flags=re.S))
        page = folder / "book" / f"explore_{name}.html"
        page.write_text(SHELL.format(body), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")  # while Playwright runs, no other test of the process may start it
def browser():
    with browsers.started() as opened:
        yield opened


class Explorer:
    """A page with an explorer, and what it says of itself."""

    def __init__(self, page, name):
        self.page, self.name = page, name
        self.root = page.locator(f"#explorer-{name}")

    def __getitem__(self, key):
        return self.root.evaluate("(node, key) => node.dataset[key]", key)

    def part(self, name):
        return self.root.locator(f'[data-part="{name}"]')

    def slide(self, name, value):
        """Move a slider as a hand does: it changes, and says so."""
        said = "node.dispatchEvent(new Event('input', {bubbles: true}));"
        move = f"(node, value) => {{ node.value = value; {said} }}"
        self.part(name).evaluate(move, str(value))

    def said(self):
        return self.part("readout").inner_text()


@pytest.fixture
def open_page(browser, site):
    """Open an explorer: ``open_page(name, width=…)``; at the end there must have been no error and
    no request but to files.
    """
    contexts, wrong = [], []

    def open_(name, width=1000, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        if options.get("java_script_enabled", True):  # without, scripts are asked for and given up
            page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
        page.on(
            "request",
            lambda request: None
            if request.url.startswith(("file:", "data:"))
            else wrong.append(request.url),
        )
        page.goto(f"file://{site}/book/explore_{name}.html")
        if options.get("java_script_enabled", True):
            page.wait_for_selector(f"#explorer-{name}[data-ready=true]", timeout=20_000)
        return Explorer(page, name)

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def test_data_are_small(site):
    sizes = [path.stat().st_size for path in (site / "_static").glob("explore_*_data.js")]
    assert len(sizes) == len(NAMES) and sum(sizes) < DATA_LIMIT


@pytest.mark.parametrize("name", NAMES)
def test_a_telephone_does_not_scroll_sideways(open_page, name):
    shown = open_page(name, width=360)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360
    widths = shown.root.evaluate(
        "node => [...node.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)"
    )
    assert widths and 240 <= min(widths) <= max(widths) <= 360


@pytest.mark.parametrize("name", NAMES)
def test_every_chart_and_control_has_a_name(open_page, name):
    shown = open_page(name)
    for svg in shown.root.locator("svg").all():
        assert svg.get_attribute("role") == "img" and len(svg.get_attribute("aria-label")) > 40
        assert svg.locator(".explore-label").count() >= 1
    unnamed = shown.root.evaluate(
        "node => [...node.querySelectorAll('input, select')]"
        ".filter(n => !n.labels.length || !n.labels[0].textContent.trim()).length"
    )
    assert unnamed == 0
    assert shown.part("readout").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_a_sentence_says_so(open_page, name):
    shown = open_page(name, java_script_enabled=False)
    assert "needs JavaScript" in shown.page.locator("noscript:has(+ .explorer)").inner_text()
    assert not shown.root.is_visible()


@pytest.mark.parametrize("name", NAMES)
def test_the_dark_theme_changes_ink(open_page, name):
    shown = open_page(name)
    ink = "node => getComputedStyle(node.querySelector('svg text')).fill"
    light = shown.root.evaluate(ink)
    shown.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert shown.root.evaluate(ink) != light


# The cubic map


def number(text):
    return {"Infinity": math.inf, "-Infinity": -math.inf}.get(text) or float(text)


@pytest.mark.parametrize("eta", [0.25, 0.5, 0.9, 1.15, 1.27, 1.452, 1.52, 1.7, 1.9, 2.0])
def test_the_exponent_at_a_rate_is_the_librarys(open_page, eta):
    shown = open_page("map")
    shown.slide("eta", eta)
    assert float(shown["eta"]) == eta
    wanted = one_dimensional.lyapunov_exponent(
        one_dimensional.CUBIC, eta, START, CHAPTER.transient, CHAPTER.exponent_steps
    )
    # The orbits are the same to the last bit; logarithms may round otherwise.
    assert number(shown["exponent"]) == pytest.approx(float(wanted.value), abs=1e-9)
    after = one_dimensional.orbit(
        one_dimensional.CUBIC, eta, START, CHAPTER.transient + CHAPTER.exponent_steps + 64
    )[-65:]
    back = np.flatnonzero(abs(after[1:] - after[0]) < 1e-9)
    assert int(shown["period"]) == (back[0] + 1 if len(back) else 0)
    assert f"η = {eta:g}" in shown.said()
    if np.isfinite(wanted.value):
        assert f"λ = {wanted.value:.4g}".replace("-", "−") in shown.said()


def test_an_escaping_orbit_is_said_to_escape(open_page):
    shown = open_page("map")
    shown.slide("eta", 2.05)
    assert (shown["escaped"], shown["exponent"]) == (
        "true",
        "NaN",
    ) and "escapes to infinity" in shown.said()
    shown.slide("eta", 1.9)
    assert shown["escaped"] == "false" and "escapes" not in shown.said()


def test_the_map_can_be_iterated_from_any_start(open_page):
    shown, cubic = open_page("map"), one_dimensional.CUBIC
    shown.slide("eta", 0.5)
    for start, steps in ((0.001, 6), (-1.2, 100)):
        shown.slide("start", start)
        shown.slide("steps", steps)
        orbit = one_dimensional.orbit(cubic, 0.5, start, steps)
        grown = np.log(abs(1.5 - 1.5 * orbit[:-1] ** 2)).mean()
        assert float(shown["weight"]) == orbit[-1]
        assert float(shown["finite"]) == pytest.approx(grown, abs=1e-9)
    said = shown.part("step-readout")
    shown.part("again").click()
    assert "After 1 step " in said.inner_text()
    shown.part("next").click()
    assert "After 2 steps" in said.inner_text()
    orange = shown.part("cobweb").locator("path.stroke-orange")
    assert orange.count() == 1
    shown.part("settled").uncheck()
    assert orange.count() == 0


def test_the_map_listens_to_keys_buttons_typing_and_clicks(open_page):
    shown = open_page("map")
    shown.part("eta").focus()
    before = float(shown["eta"])
    shown.page.keyboard.press("ArrowRight")
    assert float(shown["eta"]) == pytest.approx(before + 0.001)
    shown.page.get_by_role("button", name="η = 1.27").click()
    assert shown["eta"] == "1.27" and shown.part("eta-number").input_value() == "1.27"
    shown.part("eta-number").fill("1.301234")
    assert shown["eta"] == "1.301234"
    shown.part("eta-number").fill("7")  # beyond the range: as if not typed
    assert shown["eta"] == "1.301234"
    width = shown.part("diagram").bounding_box()["width"]
    shown.part("diagram").click(position={"x": width / 2, "y": 100})
    assert 0.9 < float(shown["eta"]) < 1.1


def test_the_marker_stands_at_the_rate(open_page):
    shown = open_page("map")
    place = "node => Number(node.querySelector('[data-part=exponent] circle').getAttribute('cx'))"
    shown.slide("eta", 1.0)
    one = shown.root.evaluate(place)
    shown.slide("eta", 1.5)
    middle = shown.root.evaluate(place)
    shown.slide("eta", 2.0)
    assert shown.root.evaluate(place) - middle == pytest.approx(middle - one, abs=0.5)
    assert middle > one + 50


# Sweeps


@pytest.mark.parametrize("name", ["mnist-few", "digits"])
def test_every_rate_of_a_sweep_shows_the_responses(open_page, name):
    found = responses.exponents(published.load(name))
    arrivals = responses.arrivals(published.load(name))
    shown = open_page("sweeps")
    shown.part("sweep").select_option(name)
    rows = {"exponent": (found.exponent, found.slopes), "share": (found.share, found.keeps)}
    rows |= {"arrival 0.9": (arrivals.mean, arrivals.times)}
    for quantity, (intervals, each) in rows.items():
        shown.part("quantity").select_option(quantity)
        for k, rate in enumerate(found.rates):
            shown.slide("rate", k)
            assert (float(shown["rate"]), shown["sweep"], shown["quantity"]) == (
                rate,
                name,
                quantity,
            )
            for field, key in (("estimate", "value"), ("low", "low"), ("high", "high")):
                value = float(getattr(intervals[k], field))
                assert (
                    shown[key] == ""
                    if np.isnan(value)
                    else float(shown[key]) == pytest.approx(value, rel=1e-5)
                )
            values = [np.nan if v is None else v for v in json.loads(shown["networks"])]
            np.testing.assert_allclose(values, each[k].astype(float), rtol=1e-5)
            assert f"η = {rate:g}:" in shown.said()


def test_the_pointer_shows_what_the_slider_shows(open_page):
    shown = open_page("sweeps")
    shown.part("sweep").select_option("mnist-few")
    rates = responses.exponents(published.load("mnist-few")).rates
    shown.slide("rate", 3)
    kept = shown.said()
    shown.slide("rate", 6)
    by_slider, values = shown.said(), shown["networks"]
    place = shown.part("quantity-chart").locator("circle.fill-blue").last.bounding_box()
    # where the chosen rate is
    line = shown.part("quantity-chart").locator("line.stroke-ink").bounding_box()
    shown.slide("rate", 3)
    shown.page.mouse.move(line["x"], place["y"] + 60)
    assert float(shown["rate"]) == rates[6] and shown["networks"] == values
    assert shown.said().split("Network")[0] == by_slider.split("Network")[0]
    shown.page.mouse.move(2, 2)
    assert float(shown["rate"]) == rates[3] and shown.said() == kept
    shown.page.mouse.move(line["x"], place["y"] + 60)
    shown.page.mouse.down()
    shown.page.mouse.up()
    shown.page.mouse.move(2, 2)
    assert float(shown["rate"]) == rates[6]
    shown.part("rate").focus()
    shown.page.keyboard.press("ArrowLeft")
    assert float(shown["rate"]) == rates[5]


def test_one_network_can_be_singled_out(open_page):
    slopes = responses.exponents(published.load("digits")).slopes[-1]
    shown = open_page("sweeps")
    shown.slide("rate", 15)
    lines = shown.part("curve-chart").locator("path")
    assert (
        lines.count() == len(slopes)
        and shown.part("curve-chart").locator("path.stroke-orange").count() == 0
    )
    shown.slide("network", 8)
    assert f"Network 8: Λ = {slopes[7]:.3g} per epoch" in shown.said()
    assert shown.part("curve-chart").locator("path.stroke-orange").count() == 1
    assert shown.root.locator("tbody tr").count() == len(slopes)


def test_what_is_not_published_is_said(open_page):
    shown = open_page("sweeps")
    shown.part("sweep").select_option("cifar10-few")
    assert "Not measured in this sweep: sharpness" in shown.part("absent").inner_text()
    assert "1 of 12 pairs" in shown.part("absent").inner_text()
    assert "cifar10-few.npz" in shown.part("provenance").inner_text()
    offered = shown.part("curve").locator("option").evaluate_all("all => all.map(one => one.value)")
    assert offered == ["distance", "loss", "test_accuracy"]
    shown.part("sweep").select_option("mnist-sharpness")
    assert shown.part("curve").locator("option").count() == 4


# Trajectories


@pytest.mark.parametrize(("choice", "epoch"), [(0, 400), (1, 60), (2, 200)])
def test_distances_are_those_of_descent(open_page, choice, epoch):
    shown = open_page("trajectories")
    task, rate = tasks.get("iris"), SIZE.rates[choice]
    balls = networks.perturbed(
        task.initial(SIZE.conditions), radius=SIZE.radius, copies=SIZE.copies
    )
    record = gradient_descent.run(
        gradient_descent.GradientDescent(task, rate), balls, epoch, ("distance", "loss")
    )
    shown.part("rate").select_option(index=choice)
    shown.slide("time", epoch)
    assert (float(shown["eta"]), int(shown["epoch"])) == (rate, epoch)
    for condition in range(SIZE.conditions):
        shown.part("condition").select_option(index=condition)
        assert json.loads(shown["distance"]) == pytest.approx(
            record["distance"][epoch, condition].tolist(), rel=1e-3
        )
        assert float(shown["loss"]) == pytest.approx(record["loss"][epoch, condition, 0], rel=1e-3)
    assert f"η = {rate:g}, epoch {epoch}" in shown.said()


def test_time_moves_by_keys_and_plays(open_page):
    shown = open_page("trajectories")
    shown.slide("time", 10)
    shown.part("time").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown["epoch"] == "11"
    shown.page.get_by_role("button", name="Play").click()
    shown.page.wait_for_function(
        "Number(document.getElementById('explorer-trajectories').dataset.epoch) > 14"
    )
    shown.page.get_by_role("button", name="Pause").click()
    stood = shown["epoch"]
    shown.page.wait_for_timeout(200)
    assert shown["epoch"] == stood and shown.part("play").inner_text() == "Play"


# The map of exponents


def test_the_map_says_what_is_published_at_a_point(open_page):
    data = map_published.load(map_published.names()[0])  # the large map comes first
    side = data.sizes["rate"]
    shown = open_page("exponents")
    for row, column in ((0, 0), (side // 3, side // 2), (side - 1, side - 1)):
        shown.slide("rate", column)
        shown.slide("scale", row)
        published_value = float(data["exponent"][0, row, column])
        found = float(shown["exponent"])
        assert found - 1e-9 <= published_value < found + 0.01
        assert "per epoch" in shown.said()


def test_the_map_is_zoomed_and_picked_by_hand_and_keyboard(open_page):
    shown = open_page("exponents")
    whole = float(shown["wide"])
    shown.part("closer").press("Enter")
    assert float(shown["wide"]) == whole / 2
    before = shown.part("rate").input_value()
    shown.part("rate").press("ArrowRight")
    assert int(shown.part("rate").input_value()) == int(before) + 1
    box = shown.part("chart").bounding_box()
    shown.page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    assert int(shown.part("rate").input_value()) < int(before)
    shown.part("back").click()
    assert float(shown["wide"]) == whole
