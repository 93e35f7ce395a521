"""A figure as a vector drawing: complete, the same every time, and only where it is asked for."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from netdyn_lib.figures import numbers, style, vector

SVG = "{http://www.w3.org/2000/svg}"


def drawn(points=40):
    x = np.linspace(0, 1, points)
    with style.figure(1, 2) as (fig, ((left, right),)):
        left.line(x, x**2, color="#ff0000")
        left.set_xlabel("epoch $t$")
        right.points(x, x, marker=".")
        right.scatter(x, x**3)
    return fig


def test_a_line_is_a_path_in_its_colour_and_the_text_is_the_same_every_time():
    text = vector.of(drawn())
    root = ET.fromstring(text)
    styles = [path.get("style", "") for path in root.iter(f"{SVG}path")]
    assert sum("stroke: #ff0000" in text for text in styles) == 1
    assert not list(root.iter(f"{SVG}image")) and not list(root.iter(f"{SVG}text"))
    assert vector.of(drawn()) == text


def test_many_markers_become_a_picture_within_the_drawing_and_the_figure_stays_as_it_was():
    few, fig = drawn(), drawn(vector.SHAPES + 1)
    root = ET.fromstring(vector.of(fig))
    assert len(list(root.iter(f"{SVG}image"))) == 1  # of both artists, one upon the other
    assert any("stroke: #ff0000" in path.get("style", "") for path in root.iter(f"{SVG}path"))
    assert not any(artist.get_rasterized() for artist in fig.findobj())
    assert len(vector.of(fig)) < 20 * len(vector.of(few))


def test_a_figure_hands_its_drawing_on_only_where_that_is_asked(monkeypatch):
    monkeypatch.delenv(vector.ASKED, raising=False)
    assert not hasattr(drawn(), "_repr_mimebundle_")
    monkeypatch.setenv(vector.ASKED, "1")
    fig = drawn()
    assert fig._repr_mimebundle_() == {vector.MIME: numbers.packed(vector.of(fig))}
    monkeypatch.setenv(numbers.ASKED, "1")
    assert {numbers.MIME, vector.MIME} < set(drawn()._repr_mimebundle_())


@pytest.mark.parametrize("text", ["", "<svg/>", "η → 2/λ"])
def test_packing_keeps_text(text):
    assert numbers.unpacked(numbers.packed(text)) == text
