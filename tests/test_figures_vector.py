"""A figure as a vector drawing: complete, the same every time, and only where it is asked for."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from netdyn_lib.figures import packing, style, vector

SVG = "{http://www.w3.org/2000/svg}"


def drawn(points=40):
    x = np.linspace(0, 1, points)
    with style.figure(1, 2) as (fig, ((left, right),)):
        left.plot(x, x**2, color="#ff0000")
        left.set_xlabel("epoch $t$")
        right.plot(x, x, ".", gid="markers")
        right.scatter(x, x**3, gid="dots")
    return fig


def test_a_line_is_a_path_in_its_colour():
    root = ET.fromstring(vector.of(drawn()))
    styles = [path.get("style", "") for path in root.iter(f"{SVG}path")]
    assert sum("stroke: #ff0000" in text for text in styles) == 1
    assert not list(root.iter(f"{SVG}image")) and not list(root.iter(f"{SVG}text"))


def test_the_same_figure_gives_the_same_text():
    assert vector.of(drawn()) == vector.of(drawn())


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
    assert fig._repr_mimebundle_() == {vector.MIME: packing.packed(vector.of(fig))}


def test_what_a_figure_hands_on_besides_stays(monkeypatch):
    monkeypatch.setenv(vector.ASKED, "1")
    monkeypatch.setattr(
        "matplotlib.figure.Figure._repr_mimebundle_",
        lambda self, include=None, exclude=None: {"text/x": "y"},
        raising=False,
    )
    found = drawn()._repr_mimebundle_(include=None)
    assert found["text/x"] == "y" and set(found) == {"text/x", vector.MIME}


@pytest.mark.parametrize("text", ["", "<svg/>", "η → 2/λ"])
def test_packing_keeps_text(text):
    assert packing.unpacked(packing.packed(text)) == text
