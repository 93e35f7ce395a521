"""Figures of one series: what is drawn is what was given."""

import numpy as np
import pytest

from netdyn_lib.figures import series as figures
from netdyn_lib.series import autocorrelation, kantz
from netdyn_lib.statistics import intervals
from tests.examples import LOSS, labelled

RNG = np.random.default_rng(0)


def test_an_episode_is_drawn_from_its_epoch_and_magnified_in_its_middle():
    correlation = autocorrelation.autocorrelation(LOSS[:, 2], 20, 50)
    axes = labelled(figures.episode(LOSS[:, 2], 1000, 50, correlation))
    assert axes[0].lines[0].get_xdata()[0] == 1000
    assert np.array_equal(axes[1].lines[0].get_ydata(), LOSS[120:170, 2])


def test_divergence_shows_one_reference_of_each_kind():
    curves = kantz.divergence(np.r_[LOSS[:, 2], LOSS[:, 2] ** 2], 100)
    fit = kantz.expansion(curves.log_curves)
    axes = labelled(figures.divergence(curves, fit))
    assert sum(p.get_height() for p in axes[1].patches) == pytest.approx((~fit.undefined).sum())
    none = kantz.Expansion(fit.slope, fit.intercept, np.ones_like(fit.p), fit.first, fit.last)
    assert len(labelled(figures.divergence(curves, none))) == 3  # no significant reference to show


def test_embeddings_show_every_exponent():
    logs = {1: RNG.normal(size=(9, 11)), 2: RNG.normal(size=(9, 11))}
    exponents = {
        "Kantz, m = 1": intervals.Interval(0.2, 0.1, 0.3),
        "network": intervals.Interval(0.25, 0.2, 0.3),
    }
    _, right = labelled(figures.embeddings(logs, logs, exponents, 0.24))
    assert [t.get_text() for t in right.get_yticklabels()] == ["network", "Kantz, m = 1"]
