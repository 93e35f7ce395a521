"""Window rules on curves whose exponent is known, and on curves that have none."""

import numpy as np
import pytest

from netdyn_lib.lyapunov import growth_fits

T = np.arange(201.0)
RNG = np.random.default_rng(0)
NOISE = np.exp(0.1 * RNG.standard_normal((201, 40)))


def saturating(rate=0.3, start=20, stop=80):
    return 1e-8 * np.exp(rate * (np.clip(T, start, stop) - start))[:, None] * NOISE


@pytest.mark.parametrize("rule", ["best_fit", "ramp"])
def test_grow_then_saturate_has_the_slope_of_its_growth(rule):
    fit = growth_fits.exponents(saturating(), rule)
    assert fit.kept().all()
    np.testing.assert_allclose(fit.slope, 0.3, atol=0.02)
    assert (fit.start >= 10).all() and (fit.stop <= 90).all()


@pytest.mark.parametrize(
    "name, curve",
    [
        ("plateau", 1e-8 * NOISE),
        ("exact plateau", np.full((201, 40), 1e-8)),
        ("power law", 1e-8 * (1 + T[:, None]) ** 1.5),
        ("decay", 1e-8 * np.exp(-0.2 * T)[:, None] * NOISE),
    ],
)
def test_what_does_not_grow_exponentially_is_not_kept(name, curve):
    assert not growth_fits.best_fit(curve).kept().any()


def test_noise_lets_the_steep_start_of_a_power_law_pass():
    """A known limit of the papers' rule: noise spoils R² where the curve is flat, so its steep
    start wins, and passes.
    """
    noisy = growth_fits.best_fit(1e-8 * (1 + T[:, None]) ** 1.5 * NOISE)
    assert noisy.kept().mean() > 0.5 and np.median(noisy.start) < 20
    assert (
        not growth_fits.best_fit(1e-8 * (1 + T[:, None]) ** 1.5 * NOISE, min_length=50).kept().any()
    )


def test_best_fit_equals_trying_every_window():
    curve = saturating()[:60, :3]
    fit = growth_fits.best_fit(curve, min_length=15)
    y, t = np.log(curve), np.arange(60.0)
    for k in range(3):
        best = (-1, None)
        for a in range(60):
            for b in range(a + 15, 60):
                slope, _ = np.polyfit(t[a : b + 1], y[a : b + 1, k], 1)
                r2 = np.corrcoef(t[a : b + 1], y[a : b + 1, k])[0, 1] ** 2
                if slope > 0 and r2 > best[0]:
                    best = (r2, (a, b, slope))
        a, b, slope = best[1]
        assert (fit.start[k], fit.stop[k]) == (a, b)
        assert fit.slope[k] == pytest.approx(slope) and fit.r2[k] == pytest.approx(best[0])


def test_ramp_equals_trying_every_pair():
    curve = saturating(start=10, stop=30)[:45, :2]
    fit = growth_fits.ramp(curve)
    y, t = np.log(curve), np.arange(45.0)
    for k in range(2):
        errors = {}
        for a in range(45):
            for b in range(a + 2, 45):
                phi = np.clip((t - a) / (b - a), 0, 1)
                (rise, low), error, *_ = np.linalg.lstsq(
                    np.c_[phi, np.ones(45)], y[:, k], rcond=None
                )
                if rise > 0:
                    errors[a, b] = (error[0], rise / (b - a))
        a, b = min(errors, key=lambda pair: errors[pair][0])
        assert (fit.start[k], fit.stop[k]) == (a, b)
        assert fit.slope[k] == pytest.approx(errors[a, b][1])


def test_tangent_rule_has_no_window():
    fit = growth_fits.tangent(0.1 * T)
    assert fit.slope[0] == pytest.approx(0.1) and np.isnan(fit.r2[0]) and fit.kept()[0]
    assert not growth_fits.tangent(0.01 * T).kept()[0]


@pytest.mark.parametrize("rule", ["best_fit", "ramp"])
def test_every_named_rule_takes_a_curve_and_not_its_logarithm(rule):
    for scale in (1e-8, 1.0, 1e3):
        fit = growth_fits.exponents(scale * np.exp(0.1 * T), rule)
        assert fit.slope[0] == pytest.approx(0.1) and fit.rule.startswith(rule)


def test_slopes_in_given_windows_are_those_of_the_fit():
    curve = saturating()
    fit = growth_fits.best_fit(curve)
    np.testing.assert_allclose(
        growth_fits.fit_in(np.log(curve), fit.start, fit.stop), fit.slope, rtol=1e-10
    )
    start = fit.start.copy()
    start[7] = -1
    broken = np.log(curve)
    broken[:, 7] = np.nan
    broken[200, 8] = np.inf  # outside its window
    got = growth_fits.fit_in(broken, start, fit.stop)
    assert np.isnan(got[7]) and np.array_equal(
        np.delete(got, 7), np.delete(growth_fits.fit_in(np.log(curve), fit.start, fit.stop), 7)
    )
    with pytest.raises(ValueError, match="curve 7 is not finite at epoch .* start −1"):
        growth_fits.fit_in(broken, fit.start, fit.stop)
    with pytest.raises(ValueError, match="of curve 0: must lie within 0–200"):
        growth_fits.fit_in(T, 0, 201)


def test_summary_of_an_ensemble():
    half = np.hstack([saturating()[:, :20], 1e-8 * NOISE[:, 20:]])
    summary = growth_fits.summarise(growth_fits.best_fit(half))
    assert (summary.count, summary.kept) == (40, 20)
    assert (
        summary.share.estimate == 0.5 and 0.3 < summary.share.low < 0.5 < summary.share.high < 0.7
    )
    assert summary.exponent.low <= 0.305 and summary.exponent.high >= 0.295
    nothing = growth_fits.summarise(growth_fits.best_fit(1e-8 * NOISE))
    assert nothing.kept == 0 and np.isnan(nothing.exponent.estimate) and np.isnan(nothing.window)
    assert summary.reason == "" and nothing.reason == "0 of 40 kept; others: 40 R² or Λ too low"


def test_the_multiverse_has_every_rule():
    fits = growth_fits.multiverse(saturating(), np.log(saturating()))
    assert list(fits) == [*growth_fits.READINGS, "tangent"]
    assert [fit.rule for fit in fits.values()] == list(fits)


def test_bad_input_is_refused():
    with pytest.raises(
        ValueError, match="unknown window rule 'eye'; known: best_fit, ramp, printed"
    ):
        growth_fits.exponents(saturating(), "eye")
    with pytest.raises(ValueError, match="min_length = 300: must be a whole number, from 2 to 200"):
        growth_fits.best_fit(saturating(), min_length=300)
    with pytest.raises(ValueError, match="curve 3 is negative at step 70.*not its logarithm"):
        growth_fits.ramp(
            np.where(np.arange(201 * 40).reshape(201, 40) == 70 * 40 + 3, -1.0, saturating())
        )
    with pytest.raises(ValueError, match="a fit of 1 curves for 40"):
        growth_fits.printed(saturating(), growth_fits.ramp(np.exp(T)))
    with pytest.raises(ValueError, match="none of them zero"):
        growth_fits.best_fit(np.ones((201, 0)))
    with pytest.raises(ValueError, match="too short"):
        growth_fits.ramp(np.ones(3))
    with pytest.raises(ValueError, match="needs at least 2 epochs"):
        growth_fits.tangent([0.0])


@pytest.mark.parametrize("options", growth_fits.READINGS.values())
def test_a_curve_without_an_exponent_says_why_and_leaves_the_others_theirs(options):
    """A copy that overflowed or met its reference once took the exponents of all others along."""
    curves = saturating()
    whole = growth_fits.exponents(curves, **options)
    assert set(whole.reason) == {""} and np.isfinite(whole.slope).all()
    curves[70, 3], curves[60:, 4], curves[50, 5] = np.nan, np.inf, 0.0
    curves[80, 5] = np.inf  # met its reference, and overflowed
    curves[90:, 6] = 0.0
    fit = growth_fits.exponents(curves, **options)
    assert fit.reason[3:7].tolist() == [
        "diverged: not finite at step 70",
        "diverged: not finite at step 60",
        "diverged: not finite at step 80",
        "distance zero: copies coincide with their reference at step 90",
    ]
    others = np.delete(np.arange(40), [3, 4, 5, 6])
    assert (
        np.isnan(fit.slope[3:7]).all()
        and not fit.kept()[3:7].any()
        and (fit.start[3:7] == -1).all()
    )
    np.testing.assert_array_equal(fit.slope[others], whole.slope[others])
    told = growth_fits.summarise(growth_fits.exponents(curves[:, 3:7], **options))
    assert np.isnan(told.exponent.estimate) and told.share.estimate == 0
    assert told.reason == "0 of 4 kept; others: 3 diverged, 1 distance zero"


def test_curves_that_never_grow_have_no_window_and_say_so():
    falling = np.exp(-0.2 * T)
    assert (
        growth_fits.best_fit(falling, 30).reason[0]
        == "no window: none of at least 30 steps has a positive slope"
    )
    assert growth_fits.ramp(falling).reason[0] == "no window: no ramp rises"
    nothing = growth_fits.printed(falling, growth_fits.ramp(falling))
    assert (
        np.isnan(nothing.slope[0])
        and nothing.stop[0] == -1
        and nothing.reason[0] == "no window: no ramp rises"
    )
    shrank = growth_fits.tangent(np.c_[0.1 * T, np.where(T < 9, 0.1 * T, -np.inf)])
    assert shrank.reason.tolist() == ["", "vector zero: it shrank to nothing at step 9"]
    assert growth_fits.why(shrank.reason, shrank.kept()) == "1 of 2 kept; others: 1 vector zero"


@pytest.mark.parametrize("options", growth_fits.READINGS.values())
@pytest.mark.parametrize("rate", [0.06, 0.3, 2.0])
def test_all_readings_of_an_exponential_give_its_rate(rate, options):
    fit = growth_fits.exponents(1e-8 * np.exp(rate * T), **options)
    assert fit.slope[0] == pytest.approx(rate, rel=1e-9) and fit.kept()[0]
    assert (fit.start[0], fit.stop[0]) == (0, 200)


@pytest.mark.parametrize(("rate", "start", "stop"), [(0.3, 20, 80), (1.5, 5, 35), (0.1, 60, 199)])
def test_readings_of_a_ramp_between_plateaus(rate, start, stop):
    """Windows tie within the ramp, and the longest is all of it; from epoch 0 the wait counts."""
    curve = 1e-8 * np.exp(rate * (np.clip(T, start, stop) - start))
    for name, fit in growth_fits.multiverse(curve).items():
        wanted = rate * (stop - start) / stop if name.startswith("printed") else rate
        assert fit.slope[0] == pytest.approx(wanted, rel=1e-9), name
        assert (fit.start[0], fit.stop[0]) == (0 if name.startswith("printed") else start, stop), (
            name
        )
        line = np.exp(fit.intercept[0] + fit.slope[0] * np.array([fit.start[0], fit.stop[0]]))
        np.testing.assert_allclose(line, curve[[fit.start[0], fit.stop[0]]], rtol=1e-6)


def test_windows_that_tie_give_the_longest_and_then_the_earliest():
    """Two exact exponentials with a jump between them: 40 epochs beat 30, and of 30 and 30 the
    first is taken.
    """

    def two(first, second):
        steps = np.r_[np.full(first, 0.1), 3.0, np.full(second, 0.4)]
        return 1e-8 * np.exp(np.r_[0, np.cumsum(steps)])

    for first, second, window in ((30, 40, (31, 71)), (40, 30, (0, 40)), (30, 30, (0, 30))):
        fit = growth_fits.best_fit(two(first, second))
        assert (fit.start[0], fit.stop[0]) == window
