"""H's claims on twins as numbers, on made-up twins whose answers are known."""

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments import perturbation_growth
from netdyn_lib.experiments.perturbation_growth import measures
from netdyn_lib.experiments.perturbation_growth.experiment import EXPECTED
from netdyn_lib.statistics.intervals import student

STEPS = np.arange(0, 2001, 100)
DIRECTIONS = ("top", "bottom", "chaotic", "non-chaotic", "random")
EPSILON, HORIZON = 0.1, 1500
MARKS = STEPS[1:16]


def made_up(curves, networks=2, rate=1e-3, **attrs):
    """Twins of two networks: ``curves`` is one function d(t) for all directions, or one by
    direction; bounds ε e^{±rate t}.
    """
    by_direction = curves if isinstance(curves, dict) else dict.fromkeys(DIRECTIONS, curves)
    distance = np.array(
        [[by_direction[name](STEPS) for name in DIRECTIONS]] * networks, dtype=float
    )
    accuracy = np.tile(np.linspace(0.1, 0.9, len(STEPS)), (networks, 6, 1))
    logs = np.tile(rate * MARKS, (networks, 1))
    variables = {
        "distance": (("network", "direction", "step"), distance),
        "test_accuracy": (("network", "run", "step"), accuracy),
        "log_top": (("network", "mark"), logs),
        "log_bottom": (("network", "mark"), -logs),
    }
    coords = {
        "network": np.arange(networks),
        "direction": list(DIRECTIONS),
        "run": ["reference", *DIRECTIONS],
    }
    coords |= {"step": STEPS, "mark": MARKS}
    known = dict(
        task="made up",
        data="none",
        epsilon=EPSILON,
        horizon=HORIZON,
        steps=2000,
        independent=4.0,
        provenance="none",
    )
    return xr.Dataset(variables, coords, known | attrs)


def made_up_sizes(epsilons=(1e-8, 1e-6, 0.1, 10.0), networks=5):
    """d = ε (1 + t/1000)(1 + ε²); accuracies at the end 0.9 − ε/100 for twins, 0.9 for the
    reference.
    """
    epsilon = np.array(epsilons)[:, None]
    distance = np.tile(
        epsilon * (1 + STEPS / 1000) * (1 + (STEPS > 0) * epsilon**2), (networks, 1, 1)
    )
    accuracy = np.tile(np.linspace(0, 1, len(STEPS)) ** 0 * (0.9 - epsilon / 100), (networks, 1, 1))
    variables = {
        "distance": (("network", "epsilon", "step"), distance),
        "test_accuracy": (("network", "epsilon", "step"), accuracy),
        "reference_accuracy": (("network", "step"), np.full((networks, len(STEPS)), 0.9)),
    }
    return xr.Dataset(
        variables,
        {"network": np.arange(networks), "epsilon": list(epsilons), "step": STEPS},
        {"task": "made up"},
    )


def noisy(law, parameters, seed=0):
    noise = 2e-4 * np.random.default_rng(seed).standard_normal(len(STEPS))
    return lambda t: perturbation_growth.LAWS[law].function(t, EPSILON, *parameters) * np.exp(
        noise[: len(t)]
    )


def known(interval, estimate, **options):
    assert interval.estimate == pytest.approx(estimate, **options)


def test_bounds_that_hold_and_do_not():
    inside = made_up(lambda t: EPSILON * np.exp(5e-4 * t), networks=5)
    for share in (measures.within, measures.upper_within, measures.lower_within):
        known(share(inside), 1)
    above = made_up(lambda t: EPSILON * np.exp(2e-3 * t))
    known(measures.within(above), 0)
    known(measures.upper_within(above), 0)
    known(measures.lower_within(above), 1)
    below = made_up(lambda t: EPSILON * np.exp(-2e-3 * t))
    known(measures.lower_within(below), 0)
    known(measures.upper_within(below), 1)
    one = {name: (lambda t: EPSILON + 0 * t) for name in DIRECTIONS} | {
        "top": lambda t: EPSILON * np.exp(np.where(t > 750, 2e-3, 0) * t)
    }
    known(measures.within(made_up(one)), 1 - 8 / 15 / 5)  # of the top alone, at 800 … 1500
    inside["distance"][1, 0, 3] = np.nan
    assert (
        measures.within(inside).estimate == pytest.approx(1 - 1 / 375)
        and measures.within(inside).high > 1
    )


def test_a_distance_on_its_bound_is_within():
    """To the single precision in which it is published."""
    data = made_up(lambda t: EPSILON * np.exp(1e-3 * t))
    data["distance"][:] = data["distance"].values.astype(np.float32)
    known(measures.within(data), 1)


def test_late_growth_is_that_of_a_straight_line():
    known(measures.late_growth(made_up(lambda t: EPSILON + 1e-4 * t)), 1)
    known(measures.late_growth(made_up(lambda t: EPSILON + 1e-4 * np.minimum(t, 1500))), 0)
    known(measures.late_growth(made_up(lambda t: EPSILON + 1e-7 * t**2)), (4 - 2.25) / 2.25 * 3)
    mixed = {name: (lambda t, k=k: EPSILON + 1e-4 * k * t) for k, name in enumerate(DIRECTIONS)}
    known(measures.late_growth(made_up(mixed)), 1)
    gone = made_up(lambda t: EPSILON + 1e-4 * t)
    gone["distance"][:, 0, 15:] = np.inf
    gone["distance"][:, 1, 5:] = np.nan
    known(measures.late_growth(gone), 1)
    assert np.isnan(measures.late_growth(made_up(lambda t: EPSILON - 1e-5 * t)).estimate)


def test_the_largest_distance_in_units_of_strangers():
    data = made_up(lambda t: EPSILON + 1e-3 * t, networks=5)
    data["distance"][1, 2, 5] = 4.2
    data["distance"][1, 2, 6] = np.inf
    found = measures.largest(data)
    known(found, (4 * 2.1 + 4.2) / 5 / 4)
    assert (found.low, found.high) == tuple(student([4.2 / 4] + 4 * [2.1 / 4]))[1:]
    with pytest.raises(ValueError, match="not drawn uniformly"):
        measures.largest(made_up(lambda t: t, independent=None))


def test_the_order_of_directions():
    by = {name: (lambda t, k=k: EPSILON + 1e-4 * (5 - k) * t) for k, name in enumerate(EXPECTED)}
    known(measures.ordered(made_up(by)), 1)
    known(
        measures.ordered(
            made_up(
                {name: (lambda t, k=k: EPSILON + 1e-4 * k * t) for k, name in enumerate(EXPECTED)}
            )
        ),
        -1,
    )
    by["top"], by["chaotic"] = by["chaotic"], by["top"]  # one of ten pairs
    known(measures.ordered(made_up(by)), 0.8)
    gone = made_up(by)
    gone["distance"][:, 0, -1] = np.nan
    assert np.isnan(measures.ordered(gone).estimate)


def test_laws_of_known_curves():
    straight, papers = noisy("straight line", (5e-4,)), noisy("drift and walk", (4e-8, 2e-4), 1)
    data = made_up(
        dict.fromkeys(DIRECTIONS, straight)
        | {"top": papers, "bottom": lambda t: np.where(t > 500, np.nan, 1.0)},
        networks=1,
    )
    table = measures.laws(data)
    assert table.index.names == ["network", "direction"] and list(table.index) == [
        (0, name) for name in DIRECTIONS
    ]
    assert (
        table.loc[(0, "top"), "least AICc"] == "drift and walk"
        and "drift and walk" in table.loc[(0, "top"), "standing"]
    )
    assert table.loc[(0, "random"), "standing"] == "straight line" and table.loc[
        (0, "random"), "winner"
    ] in ("straight line", "undecided")
    # which decides nothing
    assert (
        table.loc[(0, "random"), "held out"] in perturbation_growth.LAWS
        and table.loc[(0, "random"), "R²"] > 0.99
    )
    assert table.loc[(0, "bottom")].tolist()[:4] == [""] * 4 and np.isnan(
        table.loc[(0, "bottom"), "R²"]
    )
    known(measures.share_of(data, ("drift and walk",)), 1 / 4)
    known(measures.share_of(data, ("straight line", "exponential")), 3 / 4)
    known(measures.share_of(data), 1)  # H's law, or a special case of it
    assert np.isnan(measures.share_of(data).low)  # one network


def test_the_papers_fit_by_least_squares():
    exact = perturbation_growth.LAWS["drift and walk"].function(STEPS, EPSILON, 4e-8, 2e-4)
    fit, explained = measures.least_squares(STEPS, exact, EPSILON)
    np.testing.assert_allclose(fit, exact, rtol=1e-5)
    assert explained == pytest.approx(1)
    bent = EPSILON + 1 - np.exp(-STEPS / 300)  # saturates, as no α, β ≥ 0 can
    fit, explained = measures.least_squares(STEPS, bent, EPSILON)
    assert explained < 0.9 and fit[0] == EPSILON and (np.diff(fit) > 0).all()
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(STEPS))
    fit, explained = measures.least_squares(STEPS, exact + noise, EPSILON)
    assert explained == pytest.approx(1 - np.var(noise) / np.var(exact), abs=5e-3)


def test_early_exponentials():
    fast = {name: noisy("exponential", (1e-3, 4e-3)) for name in DIRECTIONS}
    known(measures.early_exponential(made_up(fast)), 1)
    late = made_up(noisy("straight line", (5e-4,)))
    known(measures.early_exponential(late), 0)
    # eleven observations
    assert np.isnan(measures.early_exponential(made_up(fast, horizon=1100)).estimate)


def test_harm_is_paired_and_of_a_known_length():
    sizes = made_up_sizes()
    known(measures.harm(sizes, 10.0), 0.1)
    known(measures.harm(sizes, 1e-6), 0, abs=1e-7)
    sizes["test_accuracy"][:, 3, -1] = 0.5
    known(measures.harm(sizes, 10.0), 0.25)  # the last two of 21 observations
    known(measures.harm(sizes, 10.0, tail=0), 0.4)
    with pytest.raises(
        ValueError, match="no twins at epsilon = 3; there are some at 1e-08, 1e-06, 0.1, 10"
    ):
        measures.harm(sizes, 3.0)


def test_the_range_in_which_twins_behave_alike():
    table = measures.linear_range(made_up_sizes())
    assert table.index.name == "epsilon" and table.attrs["reference"] == 1e-6
    np.testing.assert_allclose(table["departure"], [0, 0, 0.01, 100], rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(table["low"], table["high"])
    # as ratios
    assert measures.linear_range(made_up_sizes((1e-9, 1e-4))).attrs["reference"] == 1e-4
    other = measures.linear_range(made_up_sizes(), reference=0.1)
    assert other.attrs["reference"] == 0.1 and other.loc[1e-8, "departure"] == pytest.approx(
        0.01 / 1.01
    )
    broken = made_up_sizes()
    broken["distance"][0, 3, 5] = np.nan
    # of the other network
    assert measures.linear_range(broken).loc[10.0, "departure"] == pytest.approx(100)


def test_departures_side_by_side_and_the_largest():
    runs = {"a": made_up_sizes((1e-10, 1e-8, 1e-6, 1e-2, 0.1)), "b": made_up_sizes((1e-10, 1e-8))}
    runs["a"]["distance"].loc[dict(epsilon=1e-6)] *= 5
    table = measures.departures(runs, 1e-10)
    assert list(table.columns) == ["a", "b"] and np.isnan(table.loc[0.1, "b"])
    at = measures.linear_range(runs["a"], 1e-10).loc[1e-6]
    assert tuple(measures.departure(runs["a"], 1e-10)) == pytest.approx(
        (at["departure"], at["low"], at["high"]), nan_ok=True
    )
    assert (
        measures.departure(runs["b"], 1e-10).estimate
        == measures.linear_range(runs["b"], 1e-10).loc[1e-8, "departure"]
    )


def test_what_was_seen_is_said():
    said = measures.saw(made_up(lambda t: 0.1 + 1e-4 * t))
    assert (
        said.startswith(f"Distance at the end: top {0.1 + 1e-4 * STEPS[-1]:.2f}, chaotic")
        and "straight line" in said
        and "The upper bound holds at" in said
    )
    sizes = made_up_sizes()
    assert (
        measures.saw_sizes(sizes)
        == f"Accuracy lost at the end: {measures.harm(sizes, 10.0).estimate:.3f} at 10."
    )
