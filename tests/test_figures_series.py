"""Figures of series and of the saturated network: what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from netdyn_lib import phases, resampling, saturation, series
from netdyn_lib.figures import saturation as mechanism
from netdyn_lib.figures import series as figures

RNG = np.random.default_rng(0)
LOSS = np.stack([np.ones(240), np.tile([1.0, 2.0, 4.0], 80), RNG.uniform(1, 4, 240)], axis=1)
LABELS = phases.classify(LOSS, scale=3.0)


def labelled(fig):
    """The figure's visible axes; each must say what its axes are, and the figure must be closed."""
    assert not plt.fignum_exists(fig.number)
    fig.canvas.draw()
    axes = [a for a in fig.axes if a.get_visible()]
    assert any(a.get_xlabel() for a in axes) and any(a.get_ylabel() for a in axes)
    return axes


def test_trajectories_and_their_strips():
    axes = labelled(figures.trajectories(LOSS, 2 * LOSS, LABELS, ["one", "two", "three"]))
    assert len(axes) == 6
    assert np.array_equal(axes[1].lines[0].get_ydata(), LOSS[:, 1])
    (strip,) = axes[1].collections
    assert {tuple(c) for c in strip.get_facecolors()} == {tuple(plt.matplotlib.colors.to_rgba(figures.PERIOD3))}


def test_phases_are_drawn_in_the_order_given():
    kappa = np.tile([1.0, 3.0, np.nan], (4, 1))
    axes = labelled(figures.phases(LABELS, kappa, np.array([2, 0, 1])))
    assert np.array_equal(axes[0].images[0].get_array(), [[3] * 4, [0] * 4, [1] * 4])
    assert np.isnan(np.ma.filled(axes[1].images[0].get_array()[0], np.nan)).all()


def test_bands_episode_and_weights():
    found = phases.bands(LOSS, LABELS)
    width = found.by_age(found.width.max(1) + 1e-6, 4)
    assert len(labelled(figures.bands(LOSS[:60, 1], width, found.by_age(found.gap, 4), -2))) == 3
    correlation = series.autocorrelation(LOSS[:, 2], 20, 50)
    axes = labelled(figures.episode(LOSS[:, 2], 1000, 50, correlation))
    assert axes[0].lines[0].get_xdata()[0] == 1000
    assert np.array_equal(axes[1].lines[0].get_ydata(), LOSS[120:170, 2])
    axes = labelled(figures.weights(LOSS[:, 1:], LABELS[:, 1:], ["u", "v"], 100, 30))
    assert [a.get_ylabel() for a in axes[::2]] == ["u", "v"]


def test_divergence_shows_one_reference_of_each_kind():
    curves = series.divergence(np.r_[LOSS[:, 2], LOSS[:, 2] ** 2], 100)
    fit = series.expansion(curves.log_curves)
    axes = labelled(figures.divergence(curves, fit))
    assert sum(p.get_height() for p in axes[1].patches) == pytest.approx((~fit.undefined).sum())
    none = series.Expansion(fit.slope, fit.intercept, np.ones_like(fit.p), fit.first, fit.last)
    assert len(labelled(figures.divergence(curves, none))) == 3  # no significant reference to show


def test_embeddings_show_every_exponent():
    logs = {1: RNG.normal(size=(9, 11)), 2: RNG.normal(size=(9, 11))}
    exponents = {"Kantz, m = 1": resampling.Interval(0.2, 0.1, 0.3), "network": resampling.Interval(0.25, 0.2, 0.3)}
    _, right = labelled(figures.embeddings(logs, logs, exponents, 0.24))
    assert [t.get_text() for t in right.get_yticklabels()] == ["network", "Kantz, m = 1"]


def test_figures_of_the_map():
    target = np.array([40, 41, 39]) / 120
    found = saturation.bifurcation(4, 20, 5, target, starts=3, transient=50, keep=10)
    marks = {"κ=1": 5.0}
    top, _ = labelled(mechanism.diagram(found.gains, found.losses, found.exponents, marks, {5.0: np.ones((2, 3))}, 5.9))
    assert np.array_equal(top.lines[0].get_ydata(), found.losses.ravel())
    labels, points = saturation.basins(10.0, target, 8, side=5, transient=50)
    axes = labelled(mechanism.portrait([labels], 8, [points[0]], [points[0]], ["a"]))
    assert axes[0].images[0].get_array().shape == (5, 5)


def test_figures_of_prediction_split_and_ageing():
    kinds = ("fixed", "period 3", "irregular")
    quantiles = np.geomspace(1e-9, 1, 3)[:, None] * np.ones(61)
    errors = {"reduced map": dict.fromkeys(kinds, quantiles), "frozen": dict.fromkeys(kinds, quantiles)}
    matrix = phases.confusion(LABELS, LABELS)
    axes = labelled(
        mechanism.prediction(LOSS[:61, 2], LOSS[:61, 2], errors, dict.fromkeys(kinds, 4), matrix, phases.KINDS)
    )
    assert [t.get_text() for t in axes[2].texts] == [str(v) for v in matrix.ravel()]
    bars = {"one": {3: 0.75, 1: 0.25}, "two": {0: 1.0}}
    axes = labelled(mechanism.split(bars, LOSS[:12, 1], LOSS[:12]))
    assert sum(p.get_width() for p in axes[0].patches) == pytest.approx(2)
    rate = saturation.Ageing(np.array([60.0, 600, 6000]), np.array([1e-2, 1e-3, 1e-4]), -1, -1.1, -0.9)
    x = np.arange(1.0, 6)
    band = np.stack([0.5 / x, 1 / x, 2 / x])
    assert len(labelled(mechanism.ageing(x, band, x, band, rate))) == 3
