"""Bounds, laws and sizes, on made-up copies whose answers are known."""

import numpy as np
import pytest

from netdyn_lib.experiments.perturbation_growth import analysis
from netdyn_lib.statistics import growth_laws
from netdyn_lib.statistics.growth_laws import LAWS
from tests.made_up_copies import DIRECTIONS, EPSILON, STEPS, made_up, made_up_sizes, noisy


@pytest.mark.parametrize(
    ("rate", "both", "upper", "lower"), [(5e-4, 1, 1, 1), (2e-3, 0, 0, 1), (-2e-3, 0, 1, 0)]
)
def test_bounds_that_hold_and_do_not(rate, both, upper, lower):
    data = made_up(lambda t: EPSILON * np.exp(rate * t))
    assert analysis.within(data).estimate == both
    assert analysis.within(data, lower=False).estimate == upper
    assert analysis.within(data, upper=False).estimate == lower


def test_the_share_within_bounds_is_of_times_and_directions():
    one = {name: (lambda t: EPSILON + 0 * t) for name in DIRECTIONS} | {
        "top": lambda t: EPSILON * np.exp(np.where(t > 750, 2e-3, 0) * t)
    }  # 8 of the 15 times of one direction are above
    assert analysis.within(made_up(one)).estimate == pytest.approx(1 - 8 / 15 / 5)
    gone = made_up(lambda t: EPSILON * np.exp(5e-4 * t), networks=5)
    gone["distance"][1, 0, 3] = np.nan
    assert analysis.within(gone).estimate == pytest.approx(1 - 1 / 375)
    # a distance on its bound, to the single precision in which it is published
    data = made_up(lambda t: EPSILON * np.exp(1e-3 * t))
    data["distance"][:] = data["distance"].values.astype(np.float32)
    assert analysis.within(data).estimate == 1


def test_laws_of_known_curves():
    straight, papers = noisy("straight line", (5e-4,)), noisy("drift and walk", (4e-8, 2e-4), 1)
    curves = dict.fromkeys(DIRECTIONS, straight) | {"top": papers}
    curves["bottom"] = lambda t: np.where(t > 500, np.nan, 1.0)
    data = made_up(curves, networks=1)
    table = analysis.laws(data).loc[0]
    assert list(table.index) == list(DIRECTIONS)
    assert table.loc["top", "least AICc"] == "drift and walk"
    assert "drift and walk" in table.loc["top", "standing"]
    assert table.loc["random", "standing"] == "straight line"
    # which decides nothing
    assert table.loc["random", "held out"] in LAWS and table.loc["random", "R²"] > 0.99
    assert table.loc["bottom"].tolist()[:4] == [""] * 4 and np.isnan(table.loc["bottom", "R²"])
    assert analysis.share_of(data, ("drift and walk",)).estimate == 1 / 4
    assert analysis.share_of(data, ("straight line", "exponential")).estimate == 3 / 4
    assert analysis.share_of(data).estimate == 1  # the law, or a special case of it


def test_the_fit_by_least_squares():
    exact = LAWS["drift and walk"].function(STEPS, EPSILON, 4e-8, 2e-4)
    fit, explained = growth_laws.least_squares(STEPS, exact, EPSILON)
    np.testing.assert_allclose(fit, exact, rtol=1e-5)
    assert explained == pytest.approx(1)
    bent = EPSILON + 1 - np.exp(-STEPS / 300)  # saturates, as no α, β ≥ 0 can
    fit, explained = growth_laws.least_squares(STEPS, bent, EPSILON)
    assert explained < 0.9 and fit[0] == EPSILON and (np.diff(fit) > 0).all()


def test_early_exponentials():
    fast = {name: noisy("exponential", (1e-3, 4e-3)) for name in DIRECTIONS}
    assert analysis.early_exponential(made_up(fast)).estimate == 1
    assert analysis.early_exponential(made_up(noisy("straight line", (5e-4,)))).estimate == 0
    # eleven observations
    assert np.isnan(analysis.early_exponential(made_up(fast, horizon=1100)).estimate)


def test_harm_is_paired_and_of_a_known_length():
    sizes = made_up_sizes()
    assert analysis.harm(sizes, 10.0).estimate == pytest.approx(0.1)
    sizes["test_accuracy"][:, 3, -1] = 0.5
    assert analysis.harm(sizes, 10.0).estimate == pytest.approx(0.25)  # the last two of 21
    with pytest.raises(ValueError, match="no copies at epsilon = 3; there are some at 1e-08, 1e-0"):
        analysis.harm(sizes, 3.0)


def test_the_range_in_which_copies_behave_alike():
    table = analysis.linear_range(made_up_sizes(), 1e-6)
    assert table.index.name == "epsilon"
    np.testing.assert_allclose(table["departure"], [0, 0, 0.01, 100], rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(table["low"], table["high"])
    other = analysis.linear_range(made_up_sizes(), 0.2)  # the nearest, as a ratio, is 0.1
    assert other.loc[1e-8, "departure"] == pytest.approx(0.01 / 1.01)
    broken = made_up_sizes()
    broken["distance"][0, 3, 5] = np.nan  # of one of the networks
    assert analysis.linear_range(broken, 1e-6).loc[10.0, "departure"] == pytest.approx(100)
