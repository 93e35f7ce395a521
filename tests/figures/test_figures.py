"""Every figure, once, of made-up numbers: its table holds what went in.

A case returns a figure and what its table must hold: the column "y", or another one, by panel and
series.
"""

import inspect
import io
import re
from types import SimpleNamespace as Made

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from netdyn_lib.experiments import neutral_directions
from netdyn_lib.experiments.perturbation_growth import experiment
from netdyn_lib.figures import (
    exponents,
    hessian,
    maps,
    numbers,
    performance,
    prediction,
    saturation,
    series,
    style,
    sweeps,
    trajectories,
)
from netdyn_lib.lyapunov import growth_fits, linear_regime
from netdyn_lib.maps import one_dimensional
from netdyn_lib.maps.one_dimensional import CUBIC
from netdyn_lib.series import autocorrelation, kantz, phases
from netdyn_lib.statistics import classification, growth_laws
from netdyn_lib.statistics.intervals import Interval, student
from netdyn_lib.tasks import tasks
from tests.examples import LABELS, LOSS, labelled

MODULES = {name: of for name, of in globals().items() if inspect.ismodule(of)}
MODULES = {name: of for name, of in MODULES.items() if "figures" in of.__name__}
NOTHING = Interval(np.nan, np.nan, np.nan)


def rng(*size):
    return np.random.default_rng(0).uniform(0.5, 1.5, size)


def estimates(values, half=0.1):
    return [Interval(v, v - half, v + half) if np.isfinite(v) else NOTHING for v in values]


RATES = one_dimensional.grid(0.5, 2.1, 60)
DIAGRAM = one_dimensional.bifurcation_diagram(CUBIC, RATES, [-0.1, 0.1], 500, 50)


def maps_cases():
    figure = maps.bifurcation(DIAGRAM, {"here": 1.25})
    expected = {(1, ""): DIAGRAM.states[np.isfinite(DIAGRAM.states)], (1, "here", "x"): 1.25}
    yield "bifurcation", figure, expected

    found = one_dimensional.lyapunov_exponent(CUBIC, RATES, 0.1, 100, 200)
    shown = np.where(np.isnan(found.value), np.nan, np.maximum(found.value, -2.6))
    figure = maps.exponent(DIAGRAM, found, {"here": 1.25}, CUBIC.exact)
    expected = {(2, "exponent"): shown, (2, "positive", "y2"): shown[shown > 0]}
    yield "exponent", figure, expected | {(2, r"$\ln 3$ at $\eta$ = 2"): np.log(3)}

    web = one_dimensional.cobweb(CUBIC, 1.2, 0.1, 5)
    figure = maps.cobwebs(CUBIC, [1.2, 1.5], [web, web], [web[:3], web])
    yield "cobwebs", figure, {(1, "first iterates"): web[:, 1], (1, "end"): web[2, 1]}

    points, found = np.array([1.2, 1.28, 1.297]), Made(value=4.67, error=0.1)
    found.estimates, found.errors = np.array([4.5, 4.67]), np.array([0.2, 0.1])
    figure = maps.cascade({"doubling": points}, 1.31, {"doubling": found})
    expected = {(1, "doubling"): 1.31 - points, (2, "doubling", "y_low"): [4.3, 4.57]}
    yield "cascade", figure, expected | {(3, "doubling"): found.errors}

    found = Made(superstable=np.array([1.4, 1.5, 1.6]), width=np.array([0.1, 0.01, 1e-4]))
    found.sign, found.full_period = np.array([1, -1, 1]), np.array([3, 4, 5])
    found.outermost = np.ones(3, bool)
    figure = maps.window_widths(found, 1.3, 2.0)
    expected = {(1, "one symmetric cycle", "y2"): 0.01, (1, "one symmetric cycle"): [5e-5, 0.01]}
    yield "window_widths", figure, expected

    yield "window_zoom", maps.window_zoom([DIAGRAM], [{"here": 1.25}]), {(1, "here", "x"): 1.25}

    # A copy fills its panel from end to end, upside down as its box is.
    ends = [(0.6, 1.6), (1.0, 1.2)]
    figure = maps.self_affine([DIAGRAM, DIAGRAM], ends, [(0.0, 1.3), (1.2, 0.6)], "ab")
    assert [axis.get_xlim() for axis in figure.axes] == ends
    low, high = figure.axes[1].get_ylim()
    assert low > 1.2 and high < 0.6
    with np.errstate(invalid="ignore"):
        inside = (DIAGRAM.states > 0.576) & (DIAGRAM.states < 1.224)
    yield "self_affine", figure, {(2, ""): DIAGRAM.states[inside]}


def test_density_puts_ink_where_orbits_go():
    ink = maps._density(DIAGRAM.states, np.sign(DIAGRAM.initial) == 1, (-1.5, 1.5))
    assert ink.shape == (60, maps._BINS)
    assert ink[0, int(2.5 / 3 * maps._BINS)] == 1 and ink[0].sum() < 3  # one line at w = 1
    assert not ink[-1].any()  # escaped
    left = maps._density(DIAGRAM.states, np.sign(DIAGRAM.initial) == -1, (-1.5, 1.5))
    mirrored = maps._BINS - 1 - left[:-5].argmax(axis=1)
    line = RATES[:-5] < 0.95
    assert np.all(abs(mirrored - ink[:-5].argmax(axis=1))[line] <= 1)
    assert left[0].argmax() != ink[0].argmax()


EPOCHS = np.arange(60)
COPIES = 1e-8 * np.exp(0.3 * EPOCHS)[:, None, None] * rng(2, 3)  # (T, n, M)
RECORD_LOSS = 1 + rng(60, 2)
ONE = "one network"


def trajectories_cases():
    network = tasks.get("iris").network
    walk = np.random.default_rng(0).normal(size=(60, network.count))
    figure = trajectories.trained_networks(network, walk, RECORD_LOSS[:, 0], (0, 30, 59))
    first = network.unpack(torch.as_tensor(walk[0]))[0][0][0, 0]
    ends = {(2, "networks shown"): RECORD_LOSS[[0, 30, 59], 0], (2, "loss"): RECORD_LOSS[:, 0]}
    yield "trained_networks", figure, ends | {(1, f"weight {first:.3g}", "x"): [0, 1]}

    x, y = torch.as_tensor(rng(6, 4)), torch.tensor([0, 1, 2, 0, 1, 2])
    split = Made(x=x[:4], y=y[:4], x_test=x[4:], y_test=y[4:], classes="abc", features="pqrs")
    figure = trajectories.flowers(split, np.array([1, 0, 0, 0], bool), np.array([0, 1], bool))
    expected = {(1, "a"): x[3, 1], (2, "c, misclassified"): x[5, 3], (2, "b"): x[[1, 4], 3]}
    yield "flowers", figure, expected

    figure = trajectories.distances(EPOCHS, COPIES, RECORD_LOSS)
    own = COPIES / COPIES[0].mean(1)[:, None]  # over the mean at the start
    expected = {(1, "one copy"): own[:, 0].T, (2, "mean over copies"): own[:, 1].mean(1)}
    yield "distances", figure, expected | {(4, "loss"): RECORD_LOSS[:, 1]}

    by_radius = {1e-8: COPIES[:, 0], 1e-6: 100 * COPIES[:, 1]}
    figure = trajectories.radii(EPOCHS, by_radius)
    scaled = [d.mean(1) / r for r, d in by_radius.items()]
    apart = scaled[0] / scaled[1] - 1
    ten = "$\\epsilon = 10^{-8}$"
    copies = COPIES[:, 0].T / 1e-8
    yield "radii", figure, {(1, ten): scaled[0], (2, ten): apart, (1, f"one copy, {ten}"): copies}

    network = tasks.get("iris").network
    importance, moved, path = rng(3, network.count)
    figure = trajectories.weights(network, importance, moved, path)
    first = network.unpack(torch.as_tensor(importance))[0][0]
    assert "value = $L(w_{ji} = 0) - L$" in numbers.table(figure).attrs["panels"][0]
    yield "weights", figure, {(1, "", "value"): first, (2, "biases"): moved[~network.is_weight]}

    norm, radial = rng(60, 4), rng(3, 4)
    figure = trajectories.outward(EPOCHS, norm, np.array([0.5, 1, 2]), radial)
    expected = {(1, "mean over networks"): norm.mean(1), (2, "median"): np.median(radial, 1)}
    yield "outward", figure, expected

    values = np.array([[0.5, 1, 1.5], [1, 1, 1.2]])
    figure = trajectories.multipliers(values)
    expected = {(1, "median"): [0.75, 1, 1.35], (2, "contracting, $< 1 - 0.001$"): [1, 1]}
    yield "multipliers", figure, expected

    train, test = rng(2, 60, 5)
    figure = trajectories.learning_curves(EPOCHS, train, test)
    low = np.percentile(test, 5, axis=1)
    yield "learning_curves", figure, {(1, "test"): np.r_[test.mean(1), low]}

    figure = trajectories.share_against_rate([0.1, 1], estimates([0.9, 0.2]), (0.5,))
    expected = {(1, "rate of an experiment", "x"): 0.5, (1, "", "y_high"): [1.0, 0.3]}
    yield "share_against_rate", figure, expected

    values = rng(60, 5)
    figure = trajectories.decays(EPOCHS, {0.01: values})
    ends = np.percentile(values / values[0], [50, 5], axis=1)
    yield "decays", figure, {(1, "$\\lambda$ = 0.01"): ends}

    figure = trajectories.spread(np.array([1.0, 2, 2, 100]), "x", reference=5.0, bins=2)
    yield "spread", figure, {(1, "median", "x"): 2, (1, "reference", "x"): 5, (1, ""): [3, 1]}


FIT = growth_fits.best_fit(COPIES.mean(2))
GROWTH = np.arange(40.0)[:, None] * np.log([[2.0, 3.0, 1.0]])
RADII = (1e-10, 1e-8, 1e-6, 1e-4)
AGREEMENT = linear_regime.compare(
    {r: np.minimum(r * np.exp(GROWTH), 1) for r in RADII}, GROWTH, np.full_like(GROWTH, 10.0)
)
SUMMARIES = [
    Made(rule="best_fit", exponent=Interval(0.3, 0.2, 0.4), share=Interval(0.9, 0.8, 1), sd=0.1)
] * 2


def exponents_cases():
    figure = exponents.growth_panels(EPOCHS, COPIES, RECORD_LOSS, FIT, zoom=50, tail=10)
    ends = COPIES.mean(2)[[FIT.start[0], FIT.stop[0]], 0]
    last = COPIES.mean(2)[-10:, 0]
    expected = {(1, "network 1, fit"): ends, (4, "network 1"): RECORD_LOSS[:, 0]}
    expected |= {(1, "one copy"): COPIES[:51], (2, "network 2"): COPIES[:, 1].mean(1)}
    expected |= {(3, "network 1"): (last - last.min()) / np.ptp(last)}
    yield "growth_panels", figure, expected

    slopes, kept = np.array([0.1, 0.2, 0.3, 0.31]), np.array([False, True, True, True])
    figure = exponents.distribution(slopes, kept, [1e-8, 1e-6], SUMMARIES)
    means = {(1, "mean of the counted", "x"): 0.27, (2, "mean, 95%", "y_low"): [0.2, 0.2]}
    yield "distribution", figure, means | {(2, "± one sd", "y2"): [0.4, 0.4]}

    figure = exponents.multiverse(SUMMARIES, [(0.1, 0.5)] * 2, ["short", "long"])
    assert numbers.table(figure).attrs["panels"][1].endswith("y 1 = short, y 0 = long")
    expected = {(1, "", "x"): [0.3, 0.3], (2, "", "x_high"): [1, 1], (2, "paper", "x"): 0.9}
    expected |= {(1, "spread of networks", "x"): [0.1, 0.5, 0.1, 0.5]}
    yield "multiverse", figure, expected

    # Each rule's line stands below the curve that it fits; the table has the fit itself.
    fits = {f"best fit, {n}": growth_fits.best_fit(COPIES.mean(2), min_length=n) for n in (10, 20)}
    figure = exponents.window_choices(EPOCHS, COPIES.mean(2), fits)
    fit = fits["best fit, 10"]
    ends = COPIES.mean(2)[[fit.start[1], fit.stop[1]], 1]
    plotted = figure.axes[1].lines[1].get_ydata()
    assert (plotted < 0.6 * ends).all() and (plotted > 0.3 * ends).all()
    expected = {(2, "best fit, 10"): ends, (1, "mean over copies"): COPIES[:, 0].mean(1)}
    yield "window_choices", figure, expected

    ball, tangent = np.array([0.3, 0.2, 0.4, 0.1]), np.array([0.3, 0.25, 0.3, 0.1])
    cause = np.array(["never", "saturation", "rounding", "undecided"])
    error = np.zeros((5, 4))
    error[1:] = 10.0 ** np.array([-14, -12, -3, 1])[:, None]
    figure = exponents.agreement(ball, tangent, cause, error, tolerance=0.2)
    median = np.r_[np.nan, error[1:, 0]]  # zero has no place on a logarithmic axis
    expected = {(1, "saturated", "x"): 0.25, (2, "median"): median, (2, "20%"): np.log(1.2)}
    yield "agreement", figure, expected

    figure = exponents.parting(AGREEMENT, (1e-8, 1e-4))
    row = AGREEMENT.row(1e-8)
    cause = AGREEMENT.cause[row, 0]
    mine = AGREEMENT.cause[row] == cause
    inner = AGREEMENT.table().loc[["1e-08", "1e-06"], ["saturation", "rounding", "undecided"]]
    tops = inner.cumsum(axis=1)
    names = {"saturation": "saturated", "undecided": "undecided"}
    expected = {(2, name): tops[kind] for kind, name in names.items()}
    expected |= {(1, f"ε = 1e-08, {cause}"): AGREEMENT.relative[row, mine]}
    yield "parting", figure, expected | {(2, "agree", "y2"): [2, 2]}

    figure = exponents.rates_over_time([(0, 50), (50, 100)], estimates([0.1, 0.2]))
    assert numbers.table(figure).attrs["panels"][0].endswith("x 0 = 0– 50, x 1 = 50– 100")
    yield "rates_over_time", figure, {(1, "", "y_high"): [0.2, 0.3]}

    figure = exponents.sharpness(EPOCHS, rng(60, 3), RECORD_LOSS)
    expected = {(1, "median"): np.median(rng(60, 3), 1), (2, "one network"): RECORD_LOSS.T}
    yield "sharpness", figure, expected

    # Fits are of the networks that did not diverge; each lies on a curve of one.
    distance = np.c_[np.full(60, np.nan), COPIES.mean(2)]
    record, loss = {"mean_distance": distance, "loss": rng(60, 3, 3)}, rng(60, 3, 3)[..., 0]
    record = type("Record", (dict,), {"epochs": 10 * EPOCHS})(record)
    figure = exponents.answer(record, FIT, np.array([[0.2, 0.1], [0.3, 0.0]]))
    ends = [COPIES[[FIT.start[k], FIT.stop[k]], k].mean(1) for k in range(2)]
    expected = {(1, "fit"): ends, (2, "one network"): loss.T, (3, "network 2"): [0.3, 0.0]}
    yield "answer", figure, expected | {(1, "fit", "x"): 10 * np.c_[FIT.start, FIT.stop]}

    values = {"plain": np.array([[0.5, 0.7, 0.6], [1.0, 1.2, np.nan]]), "Adam": np.ones((2, 3))}
    figure = exponents.edges([1, 5], values)
    yield "edges", figure, {(1, "plain"): [0.6, 1.1, 0.5, 1.0], (1, "threshold"): 1}

    values, verdict = rng(3, 2), np.array([["too short"] * 2] * 2 + [["converged", "not yet"]])
    running = Made(estimate=values, low=values - 0.1, high=values + 0.1, verdict=verdict)
    figure = exponents.convergence([1, 10, 100], running, ["a", "b"])
    expected = {(1, "a: converged"): np.r_[values[:, 0], values[:, 0] - 0.1]}
    yield "convergence", figure, expected | {(1, "b: not yet", "y2"): values[:, 1] + 0.1}

    growth = {"a": (EPOCHS, EPOCHS * 1.0, EPOCHS * 1.1)}
    figure = exponents.methods(growth, {"Adam": np.array([0.5, 0.1])})
    yield "methods", figure, {(1, "tangent vector"): EPOCHS * 1.1, (2, "Adam"): [0.5, 0.1]}

    figure = exponents.floors({"a": (np.array([1e-8, 1e-6]), np.array([0.0, 0.5]))}, 1e-8)
    yield "floors", figure, {(1, r"$\epsilon$ = 0, other noise"): [np.nan, 0.5]}

    figure = exponents.remembered(np.arange(3), np.array([3.0, 2, 1]), np.array([4.0, 5, 2]))
    yield "remembered", figure, {(1, "remembered statistics"): [4, 5, 2]}
    reports = {"step": [0, 9], "loss": [2, 1.0], "sharpness_over_edge": [0.5, 1.5]}
    reports |= {"negative_share": [0.5, 0.25], "exponent": [0.1, 0.2], "exponent_se": [np.nan, 0.1]}
    yield "watched", exponents.watched({"Adam": reports}), {(2, "Adam"): [0.5, 1.5]}


def series_cases():
    figure = series.trajectories(LOSS, 2 * LOSS, LABELS, ["one", "two", "three"])
    strips = [axis.collections[0].get_facecolor()[0] for axis in figure.axes[:3]]
    assert len({tuple(colour) for colour in strips}) == 3
    yield "trajectories", figure, {(2, ONE): LOSS[:, 1], (6, ONE): 2 * LOSS[:, 2]}

    kappa = np.tile([1.0, 3.0, np.nan], (4, 1))
    figure = series.raster(LABELS, kappa, np.array([2, 0, 1]))
    kinds = np.repeat([3, 0, 1], 4)
    expected = {(1, series.NUMBERED, "value"): kinds, (2, "", "value"): kappa[:, [2, 0, 1]].T}
    yield "raster", figure, expected

    width = np.outer([1.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0])  # quantiles in successive blocks
    gap = 2 * width
    figure = series.bands(LOSS[:60, 1], width, gap, -2)
    every = {(1, "every third epoch from 1"): LOSS[1:60:3, 1], (1, "training"): LOSS[:60, 1]}
    yield "bands", figure, every | {(3, "slope $-2$", "x"): (np.arange(width.shape[1]) + 0.5) * 60}

    figure = series.weights(LOSS[:, 1:], LABELS[:, 1:], ["u", "v"], 100, 30)
    expected = {(1, "u"): LOSS[:, 1], (4, "v"): LOSS[70:130, 2], (2, "moment", "x"): 100}
    yield "weights", figure, expected

    found = autocorrelation.autocorrelation(LOSS[:, 2], 20, 50)
    figure = series.episode(LOSS[:, 2], 1000, 50, found)
    expected = {(1, "loss", "x"): 1000 + np.arange(240), (2, "loss"): LOSS[120:170, 2]}
    threes = found.lags[1:] % 3 == 0
    yield "episode", figure, expected | {(3, "multiples of 3"): found.values[1:][threes]}

    figure = series.divergence(CURVES, EXPANSION)
    yes = EXPANSION.significant(0.05)
    median = np.flatnonzero(yes)[np.argsort(EXPANSION.slope[yes])][yes.sum() // 2]
    table = numbers.table(figure)
    bars = table[table["kind"] == "bar"]
    assert (bars["y"] - bars["y2"]).sum() == (~EXPANSION.undefined).sum()
    yield "divergence", figure, {(1, "mean over neighbours"): CURVES.curves[median]}

    logs, known = {1: rng(9, 11), 2: rng(9, 11)}, {"Kantz, m = 1": Interval(0.2, 0.1, 0.3)}
    figure = series.embeddings(logs, logs, known | {"network": Interval(0.25, 0.2, 0.3)}, 0.24)
    expected = {(1, "$m = 2$"): logs[2].mean(0), (2, "network", "x_high"): 0.3}
    expected = expected | {(2, "Kantz, m = 1"): 1, (2, "known exponent", "x"): 0.24}
    yield "embeddings", figure, expected


CURVES = kantz.divergence(np.r_[LOSS[:, 2], LOSS[:, 2] ** 2], 100)
EXPANSION = kantz.expansion(CURVES.log_curves)


@pytest.mark.parametrize("labels", [phases.classify(LOSS), np.arange(6)])
def test_names_and_kinds_are_those_of_the_experiments(labels):
    np.testing.assert_array_equal(series.kinds(labels), phases.kinds(labels))
    assert series.KINDS == phases.KINDS and prediction.PHASES == neutral_directions.KINDS
    assert hessian.DIRECTIONS == experiment.EXPECTED


def test_divergence_without_a_significant_reference_hides_its_panel():
    none = Made(**vars(EXPANSION) | {"undefined": EXPANSION.undefined})
    none.significant = lambda threshold: np.zeros_like(EXPANSION.undefined)
    assert len(labelled(series.divergence(CURVES, none))) == 3


def saturation_cases():
    gains, losses, lyapunov = np.linspace(4, 20, 5), rng(5, 10), rng(5, 3) - 1
    seen = {5.0: np.ones((2, 3))}
    figure = saturation.diagram(gains, losses, lyapunov, {"κ=1": 5.0}, seen, 5.9)
    high = lyapunov.max(1)
    expected = {(1, "iterates of the map"): losses, (2, "exponents of one start"): lyapunov.T}
    expected |= {(1, r"networks, at $g = \eta\kappa$"): np.ones(6), (1, "κ=1", "x"): 5}
    expected = expected | {(2, "largest exponent, where positive", "y2"): high[high > 0]}
    yield "diagram", figure, expected

    basin, orbit = np.array([[0, 1], [3, 6]]), rng(4, 2)
    figure = saturation.portrait([basin], 8, [orbit], [-orbit], ["a"])
    expected = {(1, series.NUMBERED, "value"): [3, 0, 1, 2], (1, "orbit of the map"): orbit[:, 1]}
    yield "portrait", figure, expected | {(1, "seen in training", "x"): -orbit[:, 0]}

    kinds = ("fixed", "period 3", "irregular")
    quantiles = np.geomspace(1e-9, 1, 3)[:, None] * np.ones(61)
    errors = {model: dict.fromkeys(kinds, quantiles) for model in ("reduced map", "frozen")}
    matrix, counts = phases.confusion(LABELS, LABELS), dict.fromkeys(kinds, 4)
    names = phases.KINDS
    figure = saturation.prediction(LOSS[:61, 2], LOSS[:61, 1], errors, counts, matrix, names)
    assert [t.get_text() for t in figure.axes[2].texts] == [str(v) for v in matrix.ravel()]
    yield "prediction", figure, {(1, "network"): LOSS[:61, 2], (2, "fixed (4)"): quantiles[1]}

    bars = {"one": {3: 0.75, 1: 0.25}, "two": {0: 1.0}}
    figure = saturation.split(bars, LOSS[:12, 1], LOSS[:12])
    expected = {(1, "irregular", "x"): [1, 1], (1, "period 3", "x2"): [0, 0.25]}
    yield "split", figure, expected | {(2, "3"): LOSS[:12, 2], (3, "training"): LOSS[:12, 1]}

    rate = Made(epochs=np.array([60.0, 600, 6000]), rate=np.array([1e-2, 1e-3, 1e-4]))
    x = np.arange(1.0, 6)
    band = np.stack([0.5 / x, 1 / x, 2 / x])
    figure = saturation.ageing(x, band, x, band, rate)
    expected = {(1, "quantiles 0.1 to 0.9", "y2"): 2 / x, (2, "slope $-1$"): 1 / x}
    expected = expected | {(3, "measured"): rate.rate, (3, "slope $-1$"): 0.6 / rate.epochs}
    yield "ageing", figure, expected


ETA, SLOPES, STEPS = np.array([0.01, 1.0, 7.5, 20]), np.array([0, 0.02, 0.4, 0.6]), np.arange(61)
SHARES, TAU = [0, 0.1, 0.5, 1.0], [30, 40, 20, np.nan]
FOUND = Made(rates=ETA, share=estimates(SHARES), exponent=estimates([np.nan, *SLOPES[1:]]))
FOUND.sd = np.array([np.nan, 0.01, 0.1, 0.1])
ARRIVALS = Made(rates=ETA, cap=100, mean=estimates(TAU, 5), never=estimates([0, 0, 0.2, 1]))
ARRIVALS.restricted = estimates([30, 40, 36, 100], 5)


def swept():
    """Copies part as e^{Λt} and saturate; losses fall; accuracies rise."""
    dims = ("eta", "epoch", "init")
    slope = SLOPES[:, None, None] * (1 + 0.05 * np.arange(4))  # (eta, 1, init)
    mean = np.minimum(1e-8 * np.exp(slope * STEPS[:, None]), 1)
    falls = np.exp(-STEPS / 20)[:, None] * (1 + np.arange(4)) * np.ones((4, 1, 1))
    data = {
        "distance": ((*dims, "perturbation"), mean[..., None] * [0.9, 1.1]),
        "loss": (dims, falls),
        "test_accuracy": (dims, 1 - falls / 5),
        "present": (("eta", "init"), np.ones((4, 4), bool)),
        "sharpness": (("eta", "sharp_epoch", "init"), 2 / ETA[:, None, None] * np.ones((4, 3, 4))),
    }
    return xr.Dataset(data, {"eta": ETA, "epoch": STEPS, "sharp_epoch": [0, 10, 60]})


DATA = swept()
MEAN = DATA["distance"].mean("perturbation")


def fit_at(data, rate):
    return growth_fits.best_fit(data["distance"].sel(eta=rate).mean("perturbation").values)


FIRST = "first initial condition"


def sweeps_cases():
    figure = sweeps.losses(DATA.transpose("init", "epoch", ...), (0.01, 7.5))
    loss = DATA["loss"].sel(eta=7.5).transpose("init", "epoch")
    yield "losses", figure, {(2, "one initial condition"): loss, (2, FIRST): loss[0]}

    figure, expected = sweeps.accuracy(DATA, ETA, 0.9), {(4, "target 0.9"): 0.9}
    yield "accuracy", figure, expected | {(1, FIRST): DATA["test_accuracy"][0, :, 0]}

    expected = {(1, "one initial condition"): MEAN.sel(eta=7.5)}
    yield "distances", sweeps.distances(DATA, [7.5]), expected

    fit = fit_at(DATA, 7.5)
    figure = sweeps.divergence(DATA, 7.5, fit)
    copies = DATA["distance"].sel(eta=7.5, init=0).transpose("perturbation", "epoch")
    ends = np.exp(fit.intercept[0] + fit.slope[0] * np.array([fit.start[0], fit.stop[0]]))
    mean = fit.slope[fit.kept()].mean()
    expected = {(1, "one copy"): copies, (1, "fit"): ends, (3, "paper 0.68", "x"): 0.68}
    expected |= {(3, f"mean of sensitive {mean:.2f}", "x"): mean}
    yield "divergence", figure, expected | {(2, FIRST): MEAN.sel(eta=7.5, init=0)}

    figure = sweeps.exponent_by_rate({"laptop": FOUND, "paper scale": FOUND})
    shifted = figure.axes[0].containers[1].lines[0].get_xdata() / ETA
    assert np.all((shifted > 1) & (shifted < 1.1))  # beside the first, so that neither hides
    sd = {(1, "laptop, one standard deviation", "y2"): SLOPES[1:] + FOUND.sd[1:]}
    yield "exponent_by_rate", figure, {(1, "paper scale", "x"): ETA} | sd

    figure = sweeps.share_and_arrival({"p": FOUND}, ARRIVALS, ARRIVALS, mark=7.5)
    soon = "first epoch at the target"
    expected = {(1, "p"): SHARES, (2, soon): TAU, (3, r"$\eta = 7.5$", "x"): 7.5}
    expected |= {(3, soon): [0, 0, 0.2, 1]}
    yield "share_and_arrival", figure, expected

    rates = np.arange(1.0, 10)
    rows = [(r, t, r / 10 * (t == 60), 0, 1) for r in rates for t in (60, 100)]
    columns = ["rate", "epochs", "share", "share_low", "share_high"]
    figure = sweeps.by_length({"a": pd.DataFrame(rows, columns=columns)})
    names = [rf"$\eta = {r:g}$" for r in rates[2:]]  # the seven that move most
    assert [text.get_text() for text in figure.legends[0].get_texts()] == names
    yield "by_length", figure, {(1, names[-1]): [0.9, 0], (1, names[0], "x"): [60, 100]}

    figure = sweeps.robustness({"one": (FOUND, ARRIVALS), "two": (FOUND, None)})
    yield "robustness", figure, {(3, "least mean", "x"): 0.01, (3, "cap"): 100, (5, "two"): SHARES}

    figure = sweeps.window_rules({"best_fit": FOUND, "ramp": FOUND})
    yield "window_rules", figure, {(1, "best fit"): [np.nan, *SLOPES[1:]], (2, "ramp"): SHARES}

    figure = sweeps.sharpness({"one": (DATA, 0.01), "other": (DATA, 7.5)})
    expected = {(2, "median"): [1, 1, 1], (2, "one network"): np.ones(12)}  # 2/η · η/2
    yield "sharpness", figure, expected

    later = Made(**vars(FOUND) | dict(share=estimates([0, 0, 0, 1])))
    figure = sweeps.regimes({"soon": FOUND, "late": later}, ARRIVALS, 1.0)
    expected = {(1, "soon"): SHARES, (1, "late"): [0, 0, 0, 1], (2, "fastest", "x"): 1}
    expected |= {(2, "training time"): [30, 40, 36, 100]}
    yield "regimes", figure, expected | {(2, "some, or the records disagree", "x2"): 150**0.5}

    figure = sweeps.onset_and_fastest({"one": (FOUND, ARRIVALS), "two": (FOUND, ARRIVALS)})
    yield (
        "onset_and_fastest",
        figure,
        {(1, "calm", "x"): [0.01] * 2, (1, "fastest", "x"): [0.01] * 2},
    )

    figure = sweeps.search(SPOT, FOUND)
    assert [t.get_text() for t in figure.axes[0].texts] == ["1", "3", "4", "2"]  # as probed
    expected = {(1, "bracket 1 to 1.25", "x2"): 1.25, (1, "some overflowed", "x"): 1.25}
    yield "search", figure, expected | {(1, "4 probes"): [0, 0, 0.6, 1], (1, "sweep"): SHARES}

    spent, never = estimates([60, 30, 100], 10), Interval(0.0, 0.0, 0.3)
    names = ("default", "sweet spot", "2/sharpness")
    rows = [
        Made(method=m, learning_rate=r, cost_epochs=c, restricted=t, never=never, break_even=b)
        for m, r, c, t, b in zip(names, (0.1, 2, 40), (0, 3000, 20), spent, (0, 100.0, np.inf))
    ]
    figure = sweeps.comparison(Made(rows=rows, default="default", cap=100))
    told = ["default: baseline", "sweet spot: pays from 100", "2/sharpness: never pays"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == told
    costs = 3000 + 30 * np.geomspace(1, 300, 60)
    expected = {(1, "sweet spot", "x_high"): 40, (2, "default", "x_high"): 0.3}
    yield "comparison", figure, expected | {(3, told[1]): costs, (3, "sweet spot, pays"): 6000}


PROBES = tuple(
    Made(learning_rate=r, share=Interval(p, 0, 1), diverged=lost)
    for r, p, lost in ((0.01, 0, 0), (0.1, 0, 0), (1.0, 0.6, 0), (1.25, 1, 2))
)
SPOT = Made(probes=PROBES, low=1.0, high=1.25, level=0.9, order=(0.01, 1.25, 0.1, 1.0))


def test_published_sweeps_have_logarithms_of_distances():
    published = DATA.rename(init="few").assign(log_mean_distance=np.log(MEAN))
    published["present"] = DATA["present"]
    table = numbers.table(sweeps.divergence(published, 7.5, fit_at(DATA, 7.5)))
    found = table.query("panel == 2 and series == @FIRST")
    np.testing.assert_allclose(found["y"], MEAN.sel(eta=7.5, init=0))


def test_a_fit_of_whole_curves_finds_its_initial_conditions():
    data = DATA.copy(deep=True)
    data["distance"][dict(eta=2, init=0)] = np.nan
    fit = fit_at(data.isel(init=slice(1, None)), 7.5)
    figure = sweeps.divergence(data, 7.5, fit)
    left = numbers.table(figure).query("panel == 1")
    expected = data["distance"].sel(eta=7.5, init=1).transpose("perturbation", "epoch")
    np.testing.assert_allclose(left[left["series"] == "one copy"]["y"], expected.values.ravel())
    assert figure.axes[0].texts[0].get_text() == rf"$\Lambda$ = {fit.slope[0]:.2f}"


def looks(axis):
    lines = {c.get_label(): c.lines[0] for c in axis.containers}
    several = ("color", "marker", "markerfacecolor")
    return {name: tuple(plt.getp(one, what) for what in several) for name, one in lines.items()}


def test_kinds_of_arrivals_have_looks_of_their_own():
    figure = sweeps.share_and_arrival({"here": FOUND, "stored": FOUND}, ARRIVALS, ARRIVALS)
    assert not set(looks(figure.axes[0]).values()) & set(looks(figure.axes[1]).values())


def test_the_regimes_rule():
    names = [sweeps.regime(share) for share in (0.09, 0.1, 0.89, 0.9)]
    assert names == ["calm", "mixed", "mixed", "sensitive"]


TICKS = [(40, 80, ["50", "100"]), (3, 4000, ["1,000", "10,000"])]


@pytest.mark.parametrize("low, high, labels", TICKS)
def test_epochs_are_labelled_in_full(low, high, labels):
    with style.figure() as (fig, ((axis,),)):
        axis.line([0, 1], [low, high])
        sweeps.log_epochs(axis, "epochs")
    fig.canvas.draw()
    bottom, top = axis.get_ylim()
    ticks = zip(axis.get_yticks(), axis.get_yticklabels())
    assert [t.get_text() for v, t in ticks if bottom <= v <= top][-2:] == labels


TIMES = np.array([0.001, 0.015, 0.2])
FINAL = np.array([1e-9, 0.5, 2.0, 50.0, 150.0, 160.0, 170.0, np.nan])
OUTCOMES = classification.outcomes(FINAL)  # 3 ideal, 1 between, 4 failed
NOBODY = classification.outcomes(np.full(8, 50.0))
BOUNDS = ["estimate", "low", "high"]


def prediction_cases():
    figure = prediction.outcomes({"tanh": (FINAL, OUTCOMES)})
    assert figure.axes[0].get_title() == "tanh\nideal 0.38\nmiddle 0.12\nfailed 0.50"
    counts = numbers.table(figure).groupby("series")["y"].sum()
    assert counts.to_dict() == {"ideal": 3, "middle": 1, "failed": 3}
    yield "outcomes", figure, {}

    # Medians and quartiles of those that have not diverged, also of few networks, and of maps of
    # which one is singular (−∞).
    values = np.random.default_rng(0).normal(size=(7, 9))
    values[6], values[0, 8] = np.nan, -np.inf
    lost = np.append(values, np.full((1, 9), np.nan), 0)
    figure = prediction.spectra({"one": (lost, OUTCOMES), "none": (lost, NOBODY)})
    ideal, failed = np.sort(values[:3], 0), np.sort(values[4:6], 0)
    expected = {(1, "ideal"): [*ideal[1], *ideal[0, :8]]}
    yield "spectra", figure, expected | {(1, "failed"): [*failed[0], *failed[0]], (2, ""): 0}

    known = dict(outcome=["ideal", "failed"], predictor=["loss", "weights"])
    data, lost = over_time("auc", known), over_time("auc", known, lost=True)
    figure = prediction.areas({"one": data, "two": lost}, ("weights", "loss"), early=0.015)
    assert [text.get_text() for text in figure.axes[1].texts] == ["too few runs"]
    part = data["auc"].sel(outcome="failed", predictor="weights")
    expected = {(3, "weights"): part.sel(bound=["estimate", "low"]).T, (1, "t = 0.015", "x"): 0.015}
    yield "areas", figure, expected | {(3, "weights", "y2"): part.sel(bound="high")}

    # a percentile interval may lie beside its estimate
    rows = {"row 0": Interval(0.5, 0.1, 0.4), "row 1": NOTHING}
    figure = prediction.differences({"one": rows}, "difference")
    expected = {(1, "row 0", "x"): 0.5, (1, "row 0", "x_high"): 0.4, (1, "row 1"): -1}
    yield "differences", figure, expected

    data = over_time("saved", dict(rule=["loss", "vectors"]))
    figure = prediction.savings_over_time({"one": data}, ["vectors"], early=0.015)
    assert figure.axes[0].get_ylim() == (-0.1, 1)
    expected = {(1, "vectors", "y2"): data["saved"].sel(rule="vectors", bound="high")}
    yield "savings_over_time", figure, expected

    # A share that rounding lifts above 1 counts as 1; a network that overflowed counts nowhere.
    shares = np.array([[0, 0.5, 1 + 1e-12], [np.nan] * 3])
    spectra = Made(early=rng(2, 3), late=np.full((2, 3), np.nan))
    figure = prediction.iris({5.0: spectra}, {5.0: Made(shares=shares)})
    counts = np.zeros(20)
    counts[[0, 10, 19]] = 1
    yield "iris", figure, {(1, "one network, first epochs"): spectra.early, (2, ""): counts}

    # The first block of a kind has two vectors that are not neutral, or none.
    growth = np.array([[0.2, 0, -0.3], [0.1, 0.2, 0.0], [0, 0, 0]])
    local = rng(3, 60, 3)
    local[0, :, 1] = local[2] = np.nan
    found = Made(directions=Made(growth=growth), kind=np.array([3, 3, 4]), within=1e-3, local=local)
    found.weights, found.inner = rng(3, 3), 2
    figure = prediction.phases(found)
    assert [axis.get_ylabel() for axis in figure.axes[::3]] == ["irregular", "burst"]
    expected = {(1, "block 2"): [0.2, 0.1, 0], (3, "block 1"): found.weights[0]}
    expected |= {(2, "grows most"): local[0, :, 0], (2, "grows least"): local[0, :, 2]}
    yield "phases", figure, expected | {(3, "end of the first layer", "x"): 2.5, (5, ""): 0}

    # The frozen exponent ln|1 − ηλ|, not below 0; at ηλ = 1 the multiplier is 0.
    sharp = np.array([[[0.5, 0.5], [0.5, 2.0]]])  # (eta, end, init), in units of 2/η
    data = {"exponent": (("eta", "stretch", "init", "index"), rng(1, 1, 2, 2))}
    data["sharpness"] = (("eta", "end", "init"), sharp)
    data = xr.Dataset(data, {"eta": [0.5], "end": [0, 10], "stretch": [5], "index": [1, 2]})
    figure = prediction.leading({"digits": data})
    expected = {(1, r"$\lambda_2$"): rng(1, 1, 2, 2)[0, 0, :, 1].mean()}
    expected[(1, "frozen curvature")] = [0, np.log(3) / 2]
    yield "leading", figure, expected | {(2, "sharpness of one network"): sharp[0].T}


def over_time(name, first, lost=False):
    values = rng(*(len(v) for v in first.values()), 3)[..., None] + np.array([0, -0.02, 0.03])
    coords = first | dict(time=TIMES, bound=BOUNDS)
    return xr.Dataset({name: (tuple(coords), np.where(lost, np.nan, values))}, coords)


ARMS = ["none", "negative", "positive"]
RUNS = {name: rng(3, 4, 5) for name in ("loss", "test_accuracy", "test_loss", "kept")}
RUNS |= {f"{prefix}{kind}": rng(3, 4, 5) for prefix in ("", "overlap_") for kind in ARMS[1:]}
RUNS = xr.Dataset(
    {name: (("arm", "seed", "step"), values) for name, values in RUNS.items()},
    {"arm": ARMS, "step": np.arange(0, 50, 10)},
)


def ranged(values, over):
    return np.concatenate([values.mean(over), values.min(over)])


def hessian_cases():
    # Networks that diverged are left out, as are steps of which nothing is known.
    data = RUNS.copy(deep=True)
    data["loss"][:, :, 0] = data["loss"][2, 1] = np.nan
    data["loss"][0] = 10.0 ** -np.arange(5)
    data["loss"][1, 0, 2:] = np.inf
    figure = hessian.curves(data, what=("loss", "test_loss"), onsets={"negative": 15})
    assert [axis.get_yscale() for axis in figure.axes] == ["log", "linear"]  # what falls far
    whole, negative, positive = (hessian.named(arm) for arm in ARMS)
    three, four = f"{positive} (n = 3)", f"{negative} (n = 4)"
    expected = {(1, three): ranged(data["loss"][2, [0, 2, 3], 1:], "seed")}
    part = data["loss"][1, :, 1:].where(np.isfinite(data["loss"][1, :, 1:]))
    expected |= {(1, four): ranged(part, "seed"), (1, f"{four}, onset", "x"): 15}
    yield (
        "curves",
        figure,
        expected | {(2, f"{whole} (n = 4)", "y2"): data["test_loss"][0].max("seed")},
    )

    groups = {1e-3: {"none": "positive"}, 0.1: {"none": "none", "negative": "negative"}}
    expected = {(1, whole): RUNS["test_accuracy"][2], (2, negative): RUNS["test_accuracy"][1]}
    yield "by_rate", hessian.by_rate(RUNS, groups), expected

    figure = hessian.counts(RUNS)
    yield "counts", figure, {(3, "negative"): ranged(RUNS["negative"].sel(arm="positive"), "seed")}

    figure = hessian.overlaps(RUNS, ["positive"])
    expected = {(1, "negative"): ranged(RUNS["overlap_negative"].sel(arm="positive"), "seed")}
    yield "overlaps", figure, expected

    yield (
        "kept",
        hessian.kept(RUNS, ARMS[1:]),
        {(1, f"{positive} (n = 4)"): ranged(RUNS["kept"][2], "seed")},
    )

    figure = hessian.differences({"a": Interval(0.4, 0.3, 0.5), "b": Interval(0.1, np.nan, np.nan)})
    yield "differences", figure, {(1, "a", "x_low"): 0.3, (1, "b"): -1, (1, "b", "x"): 0.1}

    one = Made(lengths=lambda: {"negative": Interval(0.3, 0.2, 0.4)}, random=lambda: NOTHING)
    one.shares = lambda: {"negative": Interval(0.1, 0, 0.2)}
    figure = hessian.contributions({0: one, 100: one})
    expected = {(1, "of |g|²", "y_high"): [0.4, 0.4], (1, "of the descent", "x"): [0, 100]}
    yield "contributions", figure, expected

    found = {rule: (np.array([1e-3, 1e-2]), estimates([0.5, 0.7])) for rule in ("none", "negative")}
    yield "rates", hessian.rates(found, mark=1e-3), {(1, negative, "x"): [1e-3, 1e-2]}

    dims, index = ("network", "time", "index"), [1, 2, 3]
    data = {"exponent": (dims, rng(3, 5, 3)), "local": (dims, -rng(3, 5, 3))}
    known = {"count": 3, "parameters": 3}
    data = xr.Dataset(data, {"time": [10, 20, 40, 80, 160], "index": index}, known)
    figure = hessian.exponents(data)
    few = numbers.table(hessian.exponents(data.assign_attrs(parameters=9)))
    assert set(few["series"]) == {"10", "20", "40", "160", "", *NAMED[:2]}  # of three, not of all
    mean = data["exponent"].mean("network")
    expected = {(1, "160"): mean[-1], (2, NAMED[1]): ranged(data["local"][..., 0], "network")}
    expected = expected | {(2, NAMED[2]): ranged(data["exponent"][..., -1], "network")}
    yield "exponents", figure, expected

    own, full = [np.array([-2.0, -1]), np.empty(0)], [np.array([-0.5, 0.1]), np.empty(0)]
    figure = hessian.noise({"early": Made(own=own, full=full), "none": Made(own=(), full=())})
    yield "noise", figure, {(1, "one direction"): full[0], (1, "equal", "x"): [-2, 0]}

    growth = (("map", "network", "time"), np.arange(12.0).reshape(3, 2, 2))
    coords = {"map": ["plain", "pruned", "fixed"], "time": [5, 10]}
    figure = hessian.maps(xr.Dataset({"growth": growth}, coords))
    yield "maps", figure, {(1, "pruned descent, true derivative"): [5, 6, 4, 5]}

    # Copies that overflowed are left out; the laws are fitted to the mean of the others.
    steps, law = np.arange(0, 2001, 100), growth_laws.LAWS["bounded drift"].function
    coords = {"network": [0, 1, 2], "direction": list(hessian.DIRECTIONS), "step": steps}
    ends = law(steps, EPSILON, 1.0, 500.0) * np.ones((3, 5, 1))
    ends[0, 0], ends[1, 0], ends[:, 2] = 0.9 * ends[0, 0], 1.1 * ends[0, 0], np.inf
    ends[2, 0, -1] = np.nan
    data = xr.Dataset({"distance": (tuple(coords), ends)}, coords, {"epsilon": EPSILON})
    figure = hessian.divergence(data)
    assert [text.get_text() for text in figure.axes[2].texts] == ["overflowed"]
    expected = {(1, "measured"): ends[:2, 0], (1, "mean"): ends[:2, 0].mean(0)}
    expected[(2, "bounded drift")] = ends[0, 1]
    yield "divergence", figure, expected

    # Bounds begin at ε and end at the horizon; the line is the mean of exponents.
    data, times = perturbed(), np.array([0, 10, 20])
    figure = hessian.bounds(data)
    upper = EPSILON * np.exp(np.outer([1.5e-3, 1e-3], times))
    expected = {(1, "upper bound"): upper, (1, "upper bound", "x"): np.r_[times, times]}
    top = data["distance"].sel(direction="top")[:, :3]
    yield "bounds", figure, expected | {(1, "top"): ranged(top, "network")}

    figure = hessian.sizes(lengths())
    assert "span" not in set(numbers.table(hessian.sizes(lengths(1)))["kind"])
    known = student(np.linspace(0.7, 0.9, 5))
    expected = {(1, "perturbed copy"): [0.9, 0.899, 0.8], (1, "reference"): 0.8}
    yield "sizes", figure, expected | {(1, "reference, its interval", "y2"): known.high}

    figure = hessian.shape({"ReLU": lengths(), "sigmoid": lengths()})
    shown = set(numbers.table(figure)["series"])
    assert shown == {rf"$\varepsilon$ = {value:g}" for value in (1e-8, 0.1)}
    yield "shape", figure, {(2, r"$\varepsilon$ = 0.1"): 1 + np.arange(0, 101, 10)}


NAMED = (r"$\lambda_1$ over $[0, t]$", r"$\lambda_1$ of a stretch", r"$\lambda_N$ over $[0, t]$")


MARKS, EPSILON = np.array([10, 20]), 0.1


def perturbed():
    """Two networks; bounds are ε e^{±t/1000}."""
    distance, logs = rng(2, 5, 5), np.tile(1e-3 * MARKS, (2, 1))
    data = {
        "distance": (("network", "direction", "step"), distance),
        "log_top": (("network", "mark"), logs * [[1], [2]]),
        "log_bottom": (("network", "mark"), -logs),
    }
    coords = {"direction": list(hessian.DIRECTIONS[::-1]), "network": [0, 1]}
    coords |= {"step": np.arange(0, 50, 10), "mark": MARKS}
    return xr.Dataset(data, coords, {"epsilon": EPSILON})


def test_figures_plot_by_methods_that_note():
    """What is not noted are empty curves for legends, densities of orbits, and strips of phases."""
    raw = r"\.(plot|errorbar|fill_between|hist|barh?|imshow|ax[hv]\w+|scatter|vlines)\((?!\[\])"
    found = {name: re.findall(raw, inspect.getsource(of)) for name, of in MODULES.items()}
    assert {name: calls for name, calls in found.items() if calls} == {"maps": ["imshow"]}


def lengths(networks=5):
    epsilon, steps = np.array([1e-8, 0.1, 10]), np.arange(0, 101, 10)
    accuracy = (0.9 - epsilon / 100)[:, None] * (steps == 100)
    plain = np.linspace(0.7, 0.9, networks)[:, None] * (steps == 100)
    several = np.array([epsilon[:, None] * (1 + steps), accuracy])[:, None].repeat(networks, 1)
    dims = ("network", "epsilon", "step")
    data = {"reference_accuracy": (dims[::2], plain)}
    data |= {name: (dims, some) for name, some in zip(("distance", "test_accuracy"), several)}
    return xr.Dataset(data, {"epsilon": epsilon, "step": steps, "network": np.arange(networks)})


def result(work, ratio, goal=None, shares=False):
    met = None if goal is None else ratio >= goal
    row = Made(work=work, rival="a rival", ratio=ratio, low=0.8 * ratio, high=1.5 * ratio)
    return Made(**vars(row), goal=goal, met=met, shares=shares)


ROWS = [result("reached", 0.9, 0.85, shares=True)]


def work(name, *ratios, goal=None):
    rows = {n: (result(name, ratio, goal),) for n, ratio in enumerate(ratios, 1)}
    return Made(name=name, rival="b", threads=rows, goal=goal, rows=sum(rows.values(), ()))


WORKS = [work("met", 20, 30, goal=15), work("missed", 2, goal=3), work("none", 0.5)]
SIZES = np.array([10.0, 30, 100, 300])


def grows(quantity, seconds, mebibytes=None):
    one = Made(work="w", quantity=quantity, sizes=SIZES, seconds=seconds, mebibytes=mebibytes)
    one.exponent = lambda what: Interval(1.5, 1.4, 1.6)
    return one


GROWTHS = [grows("networks", 0.1 * SIZES**1.5, (0, 0, 1, 1)), grows("samples", SIZES)]
RESULTS = {"cpu": Made(by_group=lambda: ROWS, by_work=lambda: WORKS, growths=GROWTHS)}


def performance_cases():
    figure = performance.ratios(RESULTS | {"gpu": Made(by_work=lambda: WORKS[:1], growths=[])})
    (axis,) = figure.axes
    told = [label.get_text() for label in axis.get_yticklabels()]
    assert told == ["cpu: met | b", "cpu: missed | b", "cpu: none | b", "gpu: met | b"]
    fills = {line.get_mfc() for line in axis.lines if line.get_marker() in "o^"}
    assert "white" in fills and len(fills) == 3  # a goal missed differs not by colour only
    expected = {(1, "cpu: met; b; 2 threads", "x_high"): 45, (1, "cpu: met; b, goal", "x"): 15}
    yield "ratios", figure, expected | {(1, "cpu: none; b; 1 threads", "x"): 0.5}

    figure = performance.shares(RESULTS)
    assert figure.axes[0].get_xlim()[0] == 0 and figure.axes[0].get_xlim()[1] > 1
    yield "shares", figure, {(1, "reached; a rival", "x"): 0.9}

    # Without a power where memory was zero somewhere; said where it was not measured.
    figure = performance.growth(RESULTS)
    top, _, memory, missing = figure.axes
    assert "1.50" in top.get_title() and not memory.get_title()
    assert [text.get_text() for text in missing.texts] == ["not measured"]
    expected = {(1, "cpu, power 1.50"): 0.1 * SIZES**1.5, (3, "cpu, w", "x"): [100, 300]}
    yield "growth", figure, expected | {(1, "cpu, in proportion"): 0.1 * 300**0.5 * SIZES}

    works = [Made(name=name, memory={"weights": 2e9, "data": 3e9}) for name in "ab"]
    machine, hours = Made(name="m", memory=4e9), (np.array([1, 2, 4]), np.array([8, 4, 2]))
    figure = performance.plans([(Made(work=w, machine=machine), *hours) for w in works])
    memory, time = figure.axes
    assert bool(memory.patches[-1].get_hatch()) and not memory.patches[0].get_hatch()
    assert time.lines[0].get_marker() != time.lines[1].get_marker()
    expected = {(1, "a: data", "x"): 3, (1, "memory of m", "x"): 4}
    yield "plans", figure, expected | {(2, "b, m"): [8, 4, 2]}


NONE = Made(by_group=lambda: [result("none", 0.5)], by_work=lambda: [], growths=[])
CASES = {name: make for name, make in globals().items() if name.endswith("_cases")}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("error")
def test_tables_hold_what_went_in(name):
    module = MODULES[name.removesuffix("_cases")]
    functions = inspect.getmembers(module, inspect.isfunction)
    own = {name: of for name, of in functions if of.__module__ == module.__name__}
    figures = {name for name, of in own.items() if (of.__doc__ or "").startswith("Plot")}
    figures = {name for name in figures - {"against_rate"} if not name.startswith("_")}
    for figure_name, figure, expected in CASES[name]():
        figures.remove(figure_name)
        figure.canvas.draw()
        assert not plt.fignum_exists(figure.number)
        text, table = numbers.csv(figure), numbers.table(figure)
        read = pd.read_csv(io.StringIO(text), comment="#")
        assert re.search("^# .*[xy] = ", text, re.M)
        assert len(read) == len(table) > 0 and list(read.columns) == list(table.columns)
        for (panel, label, *column), values in expected.items():
            found = table[(table["panel"] == panel) & (table["series"] == label)]
            found = found[column[0] if column else "y"]
            found = found[found.notna()] if column and column != ["value"] else found
            found, values = np.sort(found), np.sort(np.ravel(values))
            np.testing.assert_allclose(found, values, 1e-6, err_msg=f"{figure_name}: {label}")
    assert not figures, "without a case"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sweeps.losses(DATA, [3]), "η = 3 is not in this sweep.*0.01, 1, 7.5, 20"),
        (
            lambda: sweeps.sharpness({"one": (DATA.drop_vars("sharpness"), 7.5)}),
            "took no sharpness",
        ),
        (lambda: sweeps.divergence(DATA, 7.5, FIT), "fit of 2 curves, but of 4 initial cond.* 4"),
        (
            lambda: hessian.shape({"a": lengths()}, most=1e-9),
            "most = 1e-09: the least epsilon of a is 1e-08",
        ),
        (lambda: exponents.parting(AGREEMENT, (0.5,)), "was not compared"),
        (lambda: performance.shares({"cpu": NONE}), "no row of cpu is of this kind"),
        (lambda: performance.ratios({"cpu": NONE}), "nothing to show: cpu has no such row"),
        (lambda: performance.growth({"cpu": NONE}), "growths is empty"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


#: One initial condition that arrives nowhere, one reference that overflowed.
FEW = DATA.isel(init=[0], eta=[2])
FEW = (FEW * np.nan).assign(present=FEW["present"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: sweeps.losses(FEW, [7.5]),
        lambda: sweeps.accuracy(FEW, [7.5], 0.9),
        lambda: sweeps.distances(FEW, [7.5]),
        lambda: sweeps.divergence(FEW, 7.5, None, paper=None),
        lambda: sweeps.sharpness({"few": (FEW, 7.5)}),
        lambda: sweeps.share_and_arrival({"p": FOUND}, ARRIVALS, ARRIVALS, mark=7.5),
        lambda: prediction.outcomes({"lost": (FINAL[-1:], classification.outcomes(FINAL[-1:]))}),
        lambda: prediction.spectra({"nobody": (np.full((8, 9), np.nan), OUTCOMES)}),
    ],
)
@pytest.mark.filterwarnings("error")
def test_little_and_nothing_are_plotted_without_complaint(make):
    assert len(labelled(make())) > 0
