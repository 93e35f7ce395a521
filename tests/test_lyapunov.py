"""Window rules on curves whose exponent is known, and on curves that have none."""

import numpy as np
import pytest

from netdyn_lib import lyapunov

T = np.arange(201.0)
RNG = np.random.default_rng(0)
NOISE = np.exp(0.1 * RNG.standard_normal((201, 40)))


def saturating(rate=0.3, start=20, stop=80):
    return 1e-8 * np.exp(rate * (np.clip(T, start, stop) - start))[:, None] * NOISE


@pytest.mark.parametrize("rule", ["best_fit", "ramp"])
def test_grow_then_saturate_has_the_slope_of_its_growth(rule):
    fit = lyapunov.exponents(saturating(), rule)
    assert fit.kept().all()
    np.testing.assert_allclose(fit.slope, 0.3, atol=0.02)
    assert (fit.start >= 10).all() and (fit.stop <= 90).all()


@pytest.mark.parametrize("name, curve", [
    ("plateau", 1e-8 * NOISE),
    ("exact plateau", np.full((201, 40), 1e-8)),
    ("power law", 1e-8 * (1 + T[:, None]) ** 1.5),
    ("decay", 1e-8 * np.exp(-0.2 * T)[:, None] * NOISE),
])
def test_what_does_not_grow_exponentially_is_not_kept(name, curve):
    assert not lyapunov.best_fit(curve).kept().any()


def test_noise_lets_the_steep_start_of_a_power_law_pass():
    """A known limit of the papers' rule: noise spoils R² where the curve is flat, so its steep start wins, and passes."""
    noisy = lyapunov.best_fit(1e-8 * (1 + T[:, None]) ** 1.5 * NOISE)
    assert noisy.kept().mean() > 0.5 and np.median(noisy.start) < 20
    assert not lyapunov.best_fit(1e-8 * (1 + T[:, None]) ** 1.5 * NOISE, min_length=50).kept().any()


def test_taken_whole_a_saturating_curve_would_mislead():
    """Why the window is chosen before it is judged: over everything, R² may pass and the slope is wrong."""
    whole = lyapunov.best_fit(saturating(stop=150), min_length=200)
    chosen = lyapunov.best_fit(saturating(stop=150), min_length=20)
    assert (np.abs(whole.slope - 0.3) > 0.05).all() and (np.abs(chosen.slope - 0.3) < 0.02).all()


def test_best_fit_equals_trying_every_window():
    curve = saturating()[:60, :3]
    fit = lyapunov.best_fit(curve, min_length=15)
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
    fit = lyapunov.ramp(curve)
    y, t = np.log(curve), np.arange(45.0)
    for k in range(2):
        errors = {}
        for a in range(45):
            for b in range(a + 2, 45):
                phi = np.clip((t - a) / (b - a), 0, 1)
                (rise, low), error, *_ = np.linalg.lstsq(np.c_[phi, np.ones(45)], y[:, k], rcond=None)
                if rise > 0:
                    errors[a, b] = (error[0], rise / (b - a))
        a, b = min(errors, key=lambda pair: errors[pair][0])
        assert (fit.start[k], fit.stop[k]) == (a, b)
        assert fit.slope[k] == pytest.approx(errors[a, b][1])


def test_intercepts_give_the_line_in_the_window():
    curve = 1e-8 * np.exp(0.2 * T)
    for fit in (lyapunov.best_fit(curve), lyapunov.ramp(curve)):
        t = np.arange(fit.start[0], fit.stop[0] + 1)
        np.testing.assert_allclose(fit.intercept[0] + fit.slope[0] * t, np.log(curve[t]), atol=1e-6)


def test_tangent_rule_has_no_window():
    fit = lyapunov.tangent(0.1 * T)
    assert fit.slope[0] == pytest.approx(0.1) and np.isnan(fit.r2[0]) and fit.kept()[0]
    assert not lyapunov.tangent(0.01 * T).kept()[0]


@pytest.mark.parametrize("rule", ["best_fit", "ramp", "tangent"])
def test_every_named_rule_takes_a_curve_and_not_its_logarithm(rule):
    for scale in (1e-8, 1.0, 1e3):
        fit = lyapunov.exponents(scale * np.exp(0.1 * T), rule)
        assert fit.slope[0] == pytest.approx(0.1) and fit.rule.startswith(rule)


def test_slopes_in_given_windows_are_those_of_the_fit():
    curve = saturating()
    fit = lyapunov.best_fit(curve)
    np.testing.assert_allclose(lyapunov.fit_in(np.log(curve), fit.start, fit.stop), fit.slope, rtol=1e-10)
    start = fit.start.copy()
    start[7] = -1
    broken = np.log(curve)
    broken[:, 7] = np.nan
    broken[200, 8] = np.inf  # outside its window
    got = lyapunov.fit_in(broken, start, fit.stop)
    assert np.isnan(got[7]) and np.array_equal(np.delete(got, 7), np.delete(lyapunov.fit_in(np.log(curve), fit.start, fit.stop), 7))
    with pytest.raises(ValueError, match="curve 7 is not finite at epoch .* start −1"):
        lyapunov.fit_in(broken, fit.start, fit.stop)
    for window in ((5, 5), (-2, 5), (0, 201)):
        with pytest.raises(ValueError, match="of curve 0: must lie within 0–200"):
            lyapunov.fit_in(T, *window)
    with pytest.raises(ValueError, match=r"windows \(2,\), \(2,\) for curves \(201, 1\)"):
        lyapunov.fit_in(T, [0, 1], [5, 6])


def test_summary_of_an_ensemble():
    half = np.hstack([saturating()[:, :20], 1e-8 * NOISE[:, 20:]])
    summary = lyapunov.summarise(lyapunov.best_fit(half))
    assert (summary.count, summary.kept) == (40, 20)
    assert summary.share.estimate == 0.5 and 0.3 < summary.share.low < 0.5 < summary.share.high < 0.7
    assert summary.exponent.low <= 0.305 and summary.exponent.high >= 0.295
    nothing = lyapunov.summarise(lyapunov.best_fit(1e-8 * NOISE))
    assert nothing.kept == 0 and np.isnan(nothing.exponent.estimate) and np.isnan(nothing.window)


def test_the_multiverse_has_every_rule():
    fits = lyapunov.multiverse(saturating(), np.log(saturating()))
    assert list(fits) == ["best_fit(10)", "best_fit(20)", "best_fit(30)", "ramp", "tangent"]
    summaries = [lyapunov.summarise(f) for f in fits.values()]
    low, high = lyapunov.extremes(summaries)
    assert low.rule == "tangent" and low.exponent.estimate < high.exponent.estimate
    with pytest.raises(ValueError, match="no rule kept"):
        lyapunov.extremes([lyapunov.summarise(lyapunov.best_fit(1e-8 * NOISE))])
    assert lyapunov.largest_deviation([1.0, 1.2], 1.0) == pytest.approx(0.2)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="unknown window rule 'eye'; known: best_fit, ramp, tangent"):
        lyapunov.exponents(saturating(), "eye")
    for bad in (300, 1, 2.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"min_length = {bad}: must be a whole number, from 2 to 200"):
            lyapunov.best_fit(saturating(), min_length=bad)
    broken = saturating()
    broken[70, 3] = np.nan
    with pytest.raises(ValueError, match="curve 3 is not finite at step 70.*diverged"):
        lyapunov.best_fit(broken)
    broken[70, 3] = 0
    with pytest.raises(ValueError, match="curve 3 is not positive at step 70.*ε below the resolution"):
        lyapunov.ramp(broken)
    with pytest.raises(ValueError, match="none of them zero"):
        lyapunov.best_fit(np.ones((201, 0)))
    with pytest.raises(ValueError, match="too short"):
        lyapunov.ramp(np.ones(3))
    with pytest.raises(ValueError, match="curve 0 of log_growth is nan at epoch 1; must be all finite.*diverged"):
        lyapunov.tangent([0.0, np.nan])
