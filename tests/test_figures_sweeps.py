"""Figures of sweeps: what is drawn is what was given, whatever is missing."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from netdyn_lib.experiments.learning_rate_sweep import published, responses
from netdyn_lib.experiments.learning_rate_sweep.grid import Sweep, assemble
from netdyn_lib.figures import sweeps as figures
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.statistics.intervals import Interval
from tests.examples import labelled

RATES, SLOPES = (0.01, 1.0, 7.5, 20.0), (0.0, 0.02, 0.4, 0.6)
NOTHING = Interval(np.nan, np.nan, np.nan)


def synthetic(rates=RATES, conditions=4, broken=(), **options):
    """Copies part as e^{Λt} and saturate; losses fall; accuracies rise, but not at the largest η;
    ``broken`` rates overflow.
    """
    sweep = Sweep(
        "synthetic",
        "digits",
        rates,
        conditions,
        copies=2,
        epochs=60,
        cap=100,
        sharp_at=(0, 1, 10, 60),
        sharp_conditions=2,
        block=2,
        **options,
    )
    t, shards = np.arange(61.0)[:, None], {}
    for shard in sweep.pieces():
        init = shard.start + np.arange(shard.count)
        slope = dict(zip(RATES, SLOPES)).get(shard.rate, 0.3) * (1 + 0.05 * init)
        mean = np.minimum(1e-8 * np.exp(slope * t), 1)  # (T, n)
        arrives = np.where(shard.rate < 20, 30.0 + init, np.nan)
        parts = dict(
            distance=mean[:, :, None] * [0.9, 1.1],
            loss=np.exp(-t / 20) * (1 + init),
            accuracy=t / 60 + 0 * init,
            test_accuracy=t / 70 + 0 * init,
            diverged_at=np.full((len(init), 3), -1),
            first_hit=arrives,
            sustained_hit=arrives + 10,
            followed=arrives,
            sharpness=np.where(init < 2, 2 / shard.rate, np.nan) * np.ones((4, 1)),
        )
        if shard.rate in broken:
            for name in ("distance", "loss", "sharpness", "first_hit", "sustained_hit"):
                parts[name] = np.full_like(parts[name], np.nan)
        shards[shard] = parts
    return assemble(sweep, shards)


DATA = synthetic()
FOUND = responses.exponents(DATA)
FIRST, SUSTAINED = responses.arrivals(DATA), responses.arrivals(DATA, sustained=True)


def fit_at(data, rate):
    k = int(np.argmax(data["eta"].values == rate))
    return growth_fits.exponents(np.exp(responses.log_mean_distance(data)[k]))


def legends(fig):
    return [
        text.get_text()
        for legend in [*fig.legends, *(a.get_legend() for a in fig.axes)]
        if legend
        for text in legend.get_texts()
    ]


def points(axis, k):
    """What the k-th errorbar of an axis marks."""
    return axis.containers[k].lines[0].get_xydata().T


def test_losses_have_a_panel_for_each_rate_and_the_first_initial_condition_bold():
    axes = labelled(figures.losses(DATA.transpose("init", "epoch", ...), (0.01, 7.5, 20)))
    assert [a.get_title() for a in axes] == [r"$\eta = 0.01$", r"$\eta = 7.5$", r"$\eta = 20$"]
    assert [len(a.lines) for a in axes] == [5, 5, 5] and axes[0].get_yscale() == "log"
    assert np.array_equal(axes[1].lines[2].get_ydata(), DATA["loss"].sel(eta=7.5, init=2))
    assert np.array_equal(axes[1].lines[-1].get_ydata(), DATA["loss"].sel(eta=7.5, init=0))
    assert axes[1].lines[-1].get_linewidth() > axes[1].lines[0].get_linewidth()


def test_a_rate_that_was_not_swept_is_named():
    with pytest.raises(
        ValueError, match="η = 3 is not in this sweep; its learning rates: 0.01, 1, 7.5, 20"
    ):
        figures.losses(DATA, [3])


def test_accuracy_shows_its_target_and_wraps_rows():
    axes = labelled(figures.accuracy(DATA, RATES, 0.9))
    assert len(axes) == 4 and all(np.all(np.array(a.lines[-1].get_ydata()) == 0.9) for a in axes)
    assert axes[1].get_xlabel() and not axes[0].get_xlabel()  # the fourth stands below the first


def test_divergence_draws_copies_window_and_exponents():
    fit = fit_at(DATA, 7.5)
    fig = figures.divergence(DATA, 7.5, fit)
    left, middle, right = labelled(fig)
    assert np.allclose(
        left.lines[1].get_ydata(), DATA["distance"].sel(eta=7.5, init=0, perturbation=1)
    )
    assert np.allclose(
        np.log(left.lines[2].get_ydata()),
        fit.intercept[0] + fit.slope[0] * np.array([fit.start[0], fit.stop[0]]),
    )
    assert (
        len(middle.lines) == 5
        and sum(p.get_height() for p in right.patches if p.get_height() > 0) == 4
    )
    assert right.lines[0].get_xdata()[0] == pytest.approx(FOUND.exponent[2].estimate)
    assert "paper 0.68" in legends(
        fig
    ) and f"mean of kept {FOUND.exponent[2].estimate:.2f}" in legends(fig)


def test_divergence_of_published_results_and_of_nothing(tmp_path):
    published.write(synthetic().assign_attrs(provenance="[]"), tmp_path)
    data = published.load("synthetic", tmp_path)
    left, middle, _ = labelled(figures.divergence(data, 7.5, fit_at(DATA, 7.5), paper=None))
    assert np.allclose(
        middle.lines[-1].get_ydata(), DATA["distance"].sel(eta=7.5, init=0).mean("perturbation")
    )
    lost = synthetic(broken=(7.5,))
    assert len(labelled(figures.divergence(lost, 7.5, None))) == 3
    with pytest.raises(
        ValueError, match="fit of 4 curves, but of 4 initial conditions 0|fit of 3 curves"
    ):
        figures.divergence(
            lost, 7.5, growth_fits.exponents(np.exp(0.3 * np.arange(61.0))[:, None] * np.ones(3))
        )


def test_a_fit_of_whole_curves_finds_its_initial_conditions():
    data = synthetic()
    data["distance"][dict(eta=2, init=0)] = np.nan
    fit = growth_fits.exponents(np.exp(responses.log_mean_distance(data)[2][:, 1:]))
    left, middle, _ = labelled(figures.divergence(data, 7.5, fit))
    assert np.allclose(
        left.lines[0].get_ydata(), data["distance"].sel(eta=7.5, init=1, perturbation=0)
    )
    assert left.texts[0].get_text() == rf"$\Lambda$ = {fit.slope[0]:.2f}"


def test_exponents_by_rate_stand_beside_each_other():
    fig = figures.exponent_by_rate({"laptop": FOUND, "paper scale": FOUND}, {"paper": 7.5})
    (axis,) = labelled(fig)
    x, y = points(axis, 0)
    assert np.array_equal(x, RATES) and np.array_equal(
        y, [i.estimate for i in FOUND.exponent], equal_nan=True
    )
    assert np.all(points(axis, 1)[0] > x) and np.all(points(axis, 1)[0] < 1.1 * x)
    assert legends(fig) == ["laptop", "paper scale"] and [t.get_text() for t in axis.texts] == [
        "paper"
    ]
    assert axis.get_xscale() == "log" and axis.get_xlim()[0] < 0.01 and axis.get_xlim()[1] > 20
    markers = [c.lines[0].get_marker() for c in axis.containers]
    assert len(set(markers)) == 2


def test_share_and_arrival_share_rates_and_leave_out_what_never_arrives():
    fig = figures.share_and_arrival({"p": FOUND}, FIRST, SUSTAINED, mark=7.5)
    top, middle, below = labelled(fig)
    assert np.array_equal(points(top, 0)[1], [i.estimate for i in FOUND.share])
    assert np.array_equal(np.isnan(points(middle, 0)[1]), [False, False, False, True])
    assert points(middle, 1)[1][0] == 41.5 and middle.get_yscale() == "log"
    assert np.array_equal(points(below, 0)[1], [0, 0, 0, 1])
    assert (
        any("by epoch 100" in text for text in legends(fig))
        and top.texts[0].get_text() == r"$\eta = 7.5$"
    )
    for axis in labelled(figures.share_and_arrival({"p": FOUND}, None, None))[1:]:
        assert axis.texts[0].get_text() == "arrivals not searched"
    assert (
        len(labelled(figures.share_and_arrival({"p": FOUND}, None, SUSTAINED))[1].containers) == 1
    )


def looks(axis):
    """Colour, marker and whether it is open, of every errorbar of an axis by its label."""
    lines = {c.get_label(): c.lines[0] for c in axis.containers}
    return {
        name: (line.get_color(), line.get_marker(), line.get_markerfacecolor() == "white")
        for name, line in lines.items()
    }


def test_arrivals_by_label_keep_its_colour_and_have_markers_of_their_own():
    other = dataclasses.replace(FIRST, cap=500)
    fig = figures.share_and_arrival(
        {"here": FOUND, "published": FOUND},
        {"here": FIRST, "published": other},
        {"here": SUSTAINED, "published": SUSTAINED},
    )
    top, middle, below = labelled(fig)
    shares, epochs = looks(top), looks(middle)
    assert list(epochs) == [
        "here, first hit",
        "published, first hit",
        "here, sustained",
        "published, sustained",
    ]
    for name, (colour, marker, empty) in epochs.items():
        label, kind = name.split(", ")
        assert colour == shares[label][0] and empty == (kind == "sustained")
    markers = {marker for _, marker, _ in epochs.values()}
    assert len(markers) == 2 and not markers & {marker for _, marker, _ in shares.values()}
    assert "published, first hit, by epoch 500" in legends(fig) and len(below.containers) == 4
    # Without labels, kinds have looks that no label has.
    top, middle, _ = labelled(
        figures.share_and_arrival({"here": FOUND, "published": FOUND}, FIRST, SUSTAINED)
    )
    assert not set(looks(top).values()) & set(looks(middle).values()) and list(looks(middle)) == [
        "first hit",
        "sustained",
    ]


def test_arrivals_of_a_label_that_has_no_exponents_are_drawn():
    top, middle, _ = labelled(figures.share_and_arrival({"here": FOUND}, {"published": FIRST}, {}))
    assert (
        list(looks(middle)) == ["published, first hit"]
        and looks(middle)["published, first hit"][0] != looks(top)["here"][0]
    )
    assert (
        labelled(figures.share_and_arrival({"here": FOUND}, {}, {}))[1].texts[0].get_text()
        == "arrivals not searched"
    )


def test_the_share_is_drawn_against_the_length_of_the_record():
    long, short = (
        responses.by_length(DATA, (30, 45, 60)),
        responses.by_length(DATA.isel(eta=[0, 2]), (30, 60)),
    )
    fig = figures.by_length({"digits": long, "MNIST": short}, rates=(7.5, 20))
    left, right = labelled(fig)
    assert [len(a.containers) for a in (left, right)] == [2, 1] and (
        left.get_title(),
        right.get_title(),
    ) == ("digits", "MNIST")
    x, y = points(left, 0)
    assert (
        np.array_equal(y, long[long.rate == 7.5].share)
        and x.tolist() == [30, 45, 60]
        and left.get_xscale() == "log"
    )
    assert looks_of(left, 0) == looks_of(right, 0)  # a rate looks alike in both
    assert legends(fig) == [r"$\eta = 7.5$", r"$\eta = 20$"]
    with pytest.raises(ValueError, match="must be at most 7 of 0.01, 1, 7.5, 20"):
        figures.by_length({"digits": long}, rates=(3.0,))


def looks_of(axis, k):
    return axis.containers[k].lines[0].get_color(), axis.containers[k].lines[0].get_marker()


def test_without_rates_those_are_drawn_that_move_most():
    rates = tuple(float(r) for r in range(1, 10))
    rows = [
        dict(rate=r, epochs=t, share=r / 10 * (t == 60), share_low=0, share_high=1)
        for r in rates
        for t in (60, 100)
    ]
    fig = figures.by_length({"": pd.DataFrame(rows)})
    assert legends(fig) == [rf"$\eta = {r:g}$" for r in rates[2:]]
    still = figures.by_length({"": pd.DataFrame([row | dict(share=0.0) for row in rows[:4]])})
    assert legends(still) == [r"$\eta = 1$", r"$\eta = 2$"]


def test_no_exponent_at_all_is_said():
    none = responses.exponents(synthetic((0.01, 1.0)))
    axes = labelled(figures.robustness({"one": (none, None), "two": (FOUND, None)}))
    assert [t.get_text() for t in axes[0].texts] == ["none"] and not axes[3].texts


def test_robustness_has_a_row_for_each_task_and_stars_the_least_mean():
    fig = figures.robustness({"one": (FOUND, FIRST), "two": (FOUND, None)})
    axes = labelled(fig)
    assert (
        len(axes) == 6 and axes[0].get_title("left") == "one" and axes[3].get_title("left") == "two"
    )
    star = next(line for line in axes[2].lines if line.get_marker() == "*")
    assert star.get_xydata().tolist() == [[0.01, 31.5]] and axes[5].texts
    assert np.array_equal(points(axes[2], 0)[1], [i.estimate for i in FIRST.restricted])
    assert axes[0].get_shared_x_axes().joined(axes[0], axes[3])
    other = dataclasses.replace(FOUND, rates=FOUND.rates * 2)
    axes = labelled(figures.robustness({"one": (FOUND, FIRST), "two": (other, None)}))
    assert not axes[0].get_shared_x_axes().joined(axes[0], axes[3])


def test_window_rules_are_named():
    fig = figures.window_rules({"best_fit": FOUND, "ramp": responses.exponents(DATA, "ramp")})
    assert [len(a.containers) for a in labelled(fig)] == [2, 2] and legends(fig) == [
        "best fit",
        "ramp",
    ]


def test_sharpness_is_scaled_by_its_rate():
    axes = labelled(figures.sharpness(DATA))
    assert len(axes) == 4
    for axis in axes:
        # 2/η by construction
        assert np.allclose(axis.lines[-2].get_ydata(), 1) and np.allclose(
            axis.lines[0].get_ydata(), 1
        )
        assert axis.get_xscale() == "symlog"
    with pytest.raises(ValueError, match="took no sharpness"):
        figures.sharpness(DATA.drop_vars("sharpness"))


@pytest.mark.parametrize(
    "data", [synthetic((1.0,), 1), synthetic(broken=RATES), synthetic((7.5,), 1, broken=(7.5,))]
)
@pytest.mark.filterwarnings("error")
def test_little_and_nothing_are_drawn_without_complaint(data):
    rates = tuple(data["eta"].values)
    found, arrivals = responses.exponents(data), responses.arrivals(data)
    figures.losses(data, rates), figures.accuracy(data, rates, 0.9), figures.sharpness(data)
    figures.divergence(data, rates[0], None), figures.window_rules({"ramp": found})
    labelled(figures.exponent_by_rate({"all": found}))
    labelled(figures.share_and_arrival({"all": found}, arrivals, arrivals, mark=7.5))
    axes = labelled(figures.robustness({"all": (found, arrivals)}))
    assert any(line.get_marker() == "*" for line in axes[2].lines) == bool(
        np.isfinite(arrivals.times).any()
    )


def test_distances_are_those_of_every_initial_condition():
    data = synthetic()
    fig = figures.distances(data, data.eta.values[:2])
    assert len(fig.axes) == 2
    assert fig.axes[0].get_yscale() == "log"
    assert len(fig.axes[0].lines) >= int(data.present[0].sum())
