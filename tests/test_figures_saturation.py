"""Figures of the saturated network and its map: what is drawn is what was given."""

import numpy as np
import pytest

from netdyn_lib.experiments import saturation
from netdyn_lib.figures import saturation as figures
from netdyn_lib.series import phases
from tests.examples import LABELS, LOSS, labelled


def test_figures_of_the_map():
    target = np.array([40, 41, 39]) / 120
    gains = np.linspace(4, 20, 5)
    found = saturation.bifurcation(gains, target, starts=3, transient=50, keep=10)
    marks = {"κ=1": 5.0}
    top, _ = labelled(
        figures.diagram(
            found.gains, found.losses, found.exponents, marks, {5.0: np.ones((2, 3))}, 5.9
        )
    )
    assert np.array_equal(top.lines[0].get_ydata(), found.losses.ravel())
    labels, points = saturation.basins(10.0, target, 8, side=5, transient=50)
    axes = labelled(figures.portrait([labels], 8, [points[0]], [points[0]], ["a"]))
    assert axes[0].images[0].get_array().shape == (5, 5)


def test_figures_of_prediction_split_and_ageing():
    kinds = ("fixed", "period 3", "irregular")
    quantiles = np.geomspace(1e-9, 1, 3)[:, None] * np.ones(61)
    errors = {
        "reduced map": dict.fromkeys(kinds, quantiles),
        "frozen": dict.fromkeys(kinds, quantiles),
    }
    matrix = phases.confusion(LABELS, LABELS)
    axes = labelled(
        figures.prediction(
            LOSS[:61, 2], LOSS[:61, 2], errors, dict.fromkeys(kinds, 4), matrix, phases.KINDS
        )
    )
    assert [t.get_text() for t in axes[2].texts] == [str(v) for v in matrix.ravel()]
    bars = {"one": {3: 0.75, 1: 0.25}, "two": {0: 1.0}}
    axes = labelled(figures.split(bars, LOSS[:12, 1], LOSS[:12]))
    assert sum(p.get_width() for p in axes[0].patches) == pytest.approx(2)
    rate = saturation.Ageing(
        np.array([60.0, 600, 6000]), np.array([1e-2, 1e-3, 1e-4]), -1, -1.1, -0.9
    )
    x = np.arange(1.0, 6)
    band = np.stack([0.5 / x, 1 / x, 2 / x])
    assert len(labelled(figures.ageing(x, band, x, band, rate))) == 3
