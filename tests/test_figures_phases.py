"""Figures of labelled series: what is drawn is what was given."""

import numpy as np
from matplotlib.colors import to_rgba

from netdyn_lib.figures import phases as figures
from netdyn_lib.series import phases
from tests.examples import LABELS, LOSS, labelled


def test_trajectories_and_their_strips():
    axes = labelled(figures.trajectories(LOSS, 2 * LOSS, LABELS, ["one", "two", "three"]))
    assert len(axes) == 6
    assert np.array_equal(axes[1].lines[0].get_ydata(), LOSS[:, 1])
    (strip,) = axes[1].collections
    assert {tuple(c) for c in strip.get_facecolors()} == {tuple(to_rgba(figures.PERIOD3))}


def test_phases_are_drawn_in_the_order_given():
    kappa = np.tile([1.0, 3.0, np.nan], (4, 1))
    axes = labelled(figures.raster(LABELS, kappa, np.array([2, 0, 1])))
    assert np.array_equal(axes[0].images[0].get_array(), [[3] * 4, [0] * 4, [1] * 4])
    assert np.isnan(np.ma.filled(axes[1].images[0].get_array()[0], np.nan)).all()


def test_bands_and_weights():
    found = phases.measure(LOSS, LABELS)
    width, gap = (np.tile(v, (3, 1)) for v in (found.width.max(1) + 1e-6, found.gap))
    assert len(labelled(figures.bands(LOSS[:60, 1], width, gap, -2))) == 3
    axes = labelled(figures.weights(LOSS[:, 1:], LABELS[:, 1:], ["u", "v"], 100, 30))
    assert [a.get_ylabel() for a in axes[::2]] == ["u", "v"]
