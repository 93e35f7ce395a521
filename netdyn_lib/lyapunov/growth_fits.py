"""Finite network Lyapunov exponents from distances d(t).

A distance curve is first given a growth *window* by one of several rules;
the exponent Λ is the slope of ln d over it, or what the papers print,
ln(d(τ)/d(0))/τ with τ the window's end; then it is judged.  The papers say
only that the window is "the one yielding the best exponential fit", which
leaves the rule open, and the rule decides the number.  So the rules stand side
by side here (:data:`READINGS`), and :func:`multiverse` applies them all.

A curve that diverged, whose copies met their reference, or that has no window
has no exponent: Λ is NaN, and ``Fit.reason`` says why.

Time runs along the first axis, as in a :class:`~netdyn_lib.training.gradient_descent.Record`.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from ..statistics.intervals import Interval, bootstrap_interval, share_interval
from ..validation import whole

#: The papers count a fit as exponential growth beyond these (Danovski 2024, section 4.1;
#: Jiménez-González 2025).
R2, SLOPE = 0.9, 0.05

#: The readings of the papers' sentence, name to the options of :func:`exponents`.
READINGS: dict[str, dict] = {
    **{f"best_fit({n})": dict(rule="best_fit", min_length=n) for n in (10, 20, 30)},
    "ramp": dict(rule="ramp"),
    "printed(best_fit(20))": dict(rule="printed", window="best_fit"),
    "printed(ramp)": dict(rule="printed", window="ramp"),
    "between(best_fit(20))": dict(rule="printed", window="best_fit", between=True),
}

# Windows whose variance is below this share of the whole curve's are flat
# within the rounding of prefix sums; their R² would be noise.
_FLAT = 1e-9
# Windows whose R² differ by less than this tie: prefix sums round R² by about as much.
_TIE = 1e-9


@dataclass(frozen=True)
class Fit:
    """Growth windows of n curves and the lines ln d ≈ intercept + slope·t in them.

    All arrays are (n,): ``slope`` Λ per epoch; ``start`` and ``stop`` the first
    and last epoch of the window; ``r2`` the coefficient of determination in
    it; ``reason`` says why a curve has no exponent, and is empty where it has one.
    Without one, slope and r2 are NaN and start = stop = −1.
    """

    rule: str
    slope: np.ndarray
    intercept: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    r2: np.ndarray
    reason: np.ndarray

    def kept(self, r2: float = R2, slope: float = SLOPE) -> np.ndarray:
        """Return which curves count as exponential growth, R² > ``r2`` and Λ > ``slope``; (n,)
        bool.

        A rule without a fit (``tangent``) has R² NaN everywhere and is kept by Λ only.
        """
        good = self.slope > slope
        return good if np.isnan(self.r2[~np.isnan(self.slope)]).all() else good & (self.r2 > r2)


def _curves(values, name):
    """Return ``values`` as (T, n) floats; ValueError for another shape, or without any."""
    y = np.asarray(values, dtype=float)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or 0 in y.shape:
        raise ValueError(f"{name} has shape {y.shape}; expected (T,) or (T, n), none of them zero")
    return y


def _reasons(*causes):
    """Return the first of ``causes``, pairs of words and where (T, n) bool, of each curve: (n,)."""
    reason = np.full(causes[0][1].shape[1], "", dtype=object)
    for words, bad in causes:
        for k in np.flatnonzero(bad.any(0) & (reason == "")):
            reason[k] = f"{words} at step {bad[:, k].argmax()}"
    return reason


def _log_distance(distance):
    """Return ln d (T, n), NaN for a curve that can have no exponent, and why it has none (n,)."""
    distance = _curves(distance, "distance")
    if (distance < 0).any():
        t, k = np.argwhere(distance < 0)[0]
        raise ValueError(
            f"curve {k} is negative at step {t} (d = {distance[t, k]}): a distance never is; "
            "pass d, not its logarithm"
        )
    reason = _reasons(("diverged: not finite", ~np.isfinite(distance)), (_MET, distance == 0))
    return np.log(np.where(reason == "", distance, np.nan)), reason


# ε below the resolution of the weights, or a contracting map, takes a copy to its reference.
_MET = "distance zero: copies coincide with their reference"


def _prefix(y):
    """Return sums over [0, t) for t = 0 … T of y, y² and t·y; each (T + 1, n)."""
    t = np.arange(len(y))[:, None]
    zero = np.zeros((1, y.shape[1]))
    return [np.concatenate([zero, np.cumsum(v, 0)]) for v in (y, y * y, t * y)]


def best_fit(distance, min_length: int = 20) -> Fit:
    """Fit the window of largest R², of those of ``min_length`` steps or more and positive slope.

    Of equal R² (to rounding) the longest is taken, and of these the earliest.
    The papers' sentence with its free length stated.  It takes the steep start
    of a noisy power law for exponential growth when ``min_length`` is short, as
    R² alone must.  Every window
    t = a … b with b − a ≥ ``min_length`` is fitted by ordinary least squares on
    ln d; all windows are scored at once from prefix sums.

    Parameters
    ----------
    distance : array_like
        d, (T,) or (T, n).
    min_length : int
        Steps.

    >>> t = np.arange(100.0)
    >>> fit = best_fit(1e-8 * np.exp(np.minimum(0.3 * t, 18)))
    >>> round(float(fit.slope[0]), 6)
    0.3
    """
    y, reason = _log_distance(distance)
    steps = len(y) - 1
    min_length = whole(min_length, "min_length", 2, steps, cause=f"the curve has {steps} steps")
    y0 = y.mean(0)
    y = y - y0
    s1, s2, st = _prefix(y)
    floor = _FLAT * s2[-1]
    n = y.shape[1]
    best = np.full(n, -1.0)
    r2_taken = np.full(n, np.nan)
    result = {k: np.full(n, np.nan) for k in ("slope", "intercept")}
    start, stop = np.full(n, -1), np.full(n, -1)
    columns = np.arange(n)
    for length in range(min_length + 1, len(y) + 1):  # points in the window
        a = np.arange(len(y) - length + 1)[:, None]
        # (windows, n)
        sum_y, sum_yy, sum_ty = (s[length:] - s[: len(s) - length] for s in (s1, s2, st))
        centre = a + (length - 1) / 2
        s_tt = length * (length**2 - 1) / 12
        s_ty = sum_ty - centre * sum_y
        s_yy = sum_yy - sum_y**2 / length
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = np.where((s_yy > floor) & (s_ty > 0), s_ty**2 / (s_tt * s_yy), -1.0)
        highest = r2.max(0)
        top = (r2 >= highest - _TIE).argmax(0)
        better = (highest >= 0) & (highest >= best - _TIE)  # a longer one that ties is better
        k, c = top[better], columns[better]
        best[c] = np.maximum(best[c], highest[c])
        r2_taken[c] = r2[k, c]
        result["slope"][c] = s_ty[k, c] / s_tt
        result["intercept"][c] = sum_y[k, c] / length - result["slope"][c] * centre[k, 0] + y0[c]
        start[c], stop[c] = k, k + length - 1
    without = f"no window: none of at least {min_length} steps has a positive slope"
    reason = np.where((start < 0) & (reason == ""), without, reason)
    rule = f"best_fit({min_length})"
    return Fit(rule, **result, start=start, stop=stop, r2=r2_taken, reason=reason)


def ramp(distance) -> Fit:
    """Fit a plateau–ramp–plateau by least squares; the exponent is the ramp's slope.

    ln d(t) ≈ c₁ up to epoch a, then a straight line to c₂ at epoch b, then c₂.
    For given (a, b) this is the regression of ln d on
    φ(t) = clip((t − a)/(b − a), 0, 1), so all pairs with b − a ≥ 2 are scored
    at once from prefix sums; the pair of least squared error with a rising ramp
    is taken.  No length is chosen by hand.  ``r2`` is that of the ramp within
    its own window.

    Parameters as for :func:`best_fit`; a curve needs 4 points.

    >>> t = np.arange(100.0)
    >>> fit = ramp(np.exp(0.25 * np.clip(t, 20, 60)))
    >>> int(fit.start[0]), int(fit.stop[0]), round(float(fit.slope[0]), 6)
    (20, 60, 0.25)
    """
    y, reason = _log_distance(distance)
    total, n = y.shape
    if total < 4:
        raise ValueError(
            f"a curve of {total} points is too short for a plateau–ramp–plateau: it needs 4"
        )
    y0 = y.mean(0)
    y = y - y0
    s1, _, st = _prefix(y)
    best = np.full(n, 0.0)
    rise, start, stop = np.full(n, np.nan), np.full(n, -1), np.full(n, -1)
    low = np.full(n, np.nan)
    columns = np.arange(n)
    for length in range(2, total):
        a = np.arange(total - length)[:, None]
        after = total - 1 - (a + length)  # points on the upper plateau
        phi = (length + 1) / 2 + after
        phi2 = (length + 1) * (2 * length + 1) / (6 * length) + after
        in_y = s1[length + 1 :] - s1[: total - length]
        in_ty = st[length + 1 :] - st[: total - length]
        # Σ y = 0, so this is the covariance
        phi_y = (in_ty - a * in_y) / length + (s1[-1] - s1[length + 1 :])
        gain = np.where(phi_y > 0, phi_y**2 / (phi2 - phi**2 / total), 0.0)  # drop in squared error
        top = gain.argmax(0)
        better = gain[top, columns] > best
        k, c = top[better], columns[better]
        best[c] = gain[k, c]
        rise[c] = phi_y[k, c] / (phi2 - phi**2 / total)[k, 0]
        low[c] = -rise[c] * phi[k, 0] / total
        start[c], stop[c] = k, k + length
    slope = rise / (stop - start)
    intercept = low - slope * start + y0
    r2 = _window_r2(y + y0, slope, intercept, start, stop)
    reason = np.where((start < 0) & (reason == ""), "no window: no ramp rises", reason)
    return Fit("ramp", slope, intercept, start, stop, r2, reason)


def printed(distance, fit: Fit, between: bool = False) -> Fit:
    """Return the exponent as Danovski 2024 and Jiménez-González 2025 print it (Eq. 3): Λ =
    ln(d(τ)/d(0))/τ.

    τ is the saturation time, "the window yielding the best exponential fit":
    here the epoch at which the window of ``fit`` ends, the end of a
    :func:`best_fit` or the corner of a :func:`ramp`.  The papers keep by the R²
    of that fit and by this Λ, which is below the slope where growth sets in late.

    Parameters
    ----------
    distance : array_like
        d, (T,) or (T, n).
    fit : Fit
        Of the same curves.
    between : bool
        Count from the window's first epoch a, not from 0: ln(d(τ)/d(a))/(τ − a).

    Returns
    -------
    Fit
        ``start`` 0 or a, ``stop`` τ, the line through d there, ``r2`` that of ``fit``.

    >>> d = np.exp(0.3 * np.clip(np.arange(100.0), 20, 60))
    >>> round(float(printed(d, best_fit(d)).slope[0]), 6)  # 0.3 × (60 − 20)/60
    0.2
    """
    y, _ = _log_distance(distance)
    if fit.stop.shape != y.shape[1:]:
        raise ValueError(f"a fit of {len(fit.stop)} curves for {y.shape[1]}: must be of the same")
    start = fit.start if between else np.where(fit.start < 0, -1, 0)
    ends = np.take_along_axis(y, np.stack([start, fit.stop]), 0)  # NaN or any, where −1
    with np.errstate(invalid="ignore"):
        slope = np.where(start < 0, np.nan, (ends[1] - ends[0]) / (fit.stop - start))
    rule = f"{'between' if between else 'printed'}({fit.rule})"
    return replace(fit, rule=rule, slope=slope, intercept=ends[0] - slope * start, start=start)


def _window_r2(y, slope, intercept, start, stop):
    r2 = np.full(y.shape[1], np.nan)
    for k in np.flatnonzero(start >= 0):
        t = np.arange(start[k], stop[k] + 1)
        seen = y[t, k]
        spread = ((seen - seen.mean()) ** 2).sum()
        r2[k] = (
            1 - ((seen - intercept[k] - slope[k] * t) ** 2).sum() / spread if spread > 0 else np.nan
        )
    return r2


def fit_in(log_curves, start, stop) -> np.ndarray:
    """Return the slopes of curves in given windows, by least squares as in :func:`best_fit`.

    So a tangent growth ln|v(t)| is fitted by the same estimator, in the same
    window, as an ε-ball's ln d(t): ``fit_in(mean_growth(growth), fit.start, fit.stop)``.

    Parameters
    ----------
    log_curves : array_like
        ln d or ln|v|, (T,) or (T, n).
    start, stop : array_like of int
        First and last epoch of each curve's window, (n,); −1 for no window.

    Returns
    -------
    numpy.ndarray
        (n,) slopes per epoch, NaN where ``start`` is −1.

    >>> fit_in(0.3 * np.arange(100.0), [20], [60]).round(6).tolist()
    [0.3]
    """
    y = np.asarray(log_curves, dtype=float)
    y = y[:, None] if y.ndim == 1 else y
    start, stop = np.atleast_1d(start), np.atleast_1d(stop)
    if y.ndim != 2 or start.shape != y.shape[1:] or stop.shape != y.shape[1:]:
        raise ValueError(
            f"windows {start.shape}, {stop.shape} for curves {y.shape}: "
            "expected (n,) twice for (T, n)"
        )
    slopes = np.full(y.shape[1], np.nan)
    for k in np.flatnonzero(start != -1):
        if not 0 <= start[k] < stop[k] < len(y):
            raise ValueError(
                f"window {start[k]}–{stop[k]} of curve {k}: "
                f"must lie within 0–{len(y) - 1} and have a length"
            )
        seen = y[start[k] : stop[k] + 1, k]
        if not np.isfinite(seen).all():
            t = start[k] + np.flatnonzero(~np.isfinite(seen))[0]
            raise ValueError(
                f"curve {k} is not finite at epoch {t} ({y[t, k]}), in its window "
                f"{start[k]}–{stop[k]}: it diverged; give it no window, start −1"
            )
        t = np.arange(len(seen)) - (len(seen) - 1) / 2
        slopes[k] = (t * (seen - seen.mean())).sum() / (t**2).sum()
    return slopes


def tangent(log_growth) -> Fit:
    """Return the tangent-space finite-time exponent over all epochs: no window, and so no R².

    Parameters
    ----------
    log_growth : array_like
        ln of the tangent vectors' growth since epoch 0, (T,) or (T, n); see
        :func:`netdyn_lib.lyapunov.growth`.

    Returns
    -------
    Fit
        Λ = (ln growth at the end)/(T − 1), with ``r2`` NaN.
    """
    y = _curves(log_growth, "log_growth")
    if len(y) < 2:
        raise ValueError(f"log_growth of shape {y.shape}: needs at least 2 epochs")
    shrank = y == -np.inf
    reason = _reasons(
        ("diverged: not finite", ~np.isfinite(y) & ~shrank),
        ("vector zero: it shrank to nothing", shrank),
    )
    known = reason == ""
    y = np.where(known, y, np.nan)
    slope = (y[-1] - y[0]) / (len(y) - 1)
    start, stop = np.where(known, 0, -1), np.where(known, len(y) - 1, -1)
    return Fit("tangent", slope, y[0], start, stop, np.full(len(known), np.nan), reason)


def _printed(distance, window="best_fit", between=False, **options):
    return printed(distance, exponents(distance, window, **options), between)


_RULES = {"best_fit": best_fit, "ramp": ramp, "printed": _printed}


def exponents(distance, rule: str = "best_fit", **options) -> Fit:
    """Return growth windows and exponents by a named rule.

    Parameters
    ----------
    distance : array_like
        d(t), (T,) or (T, n).
    rule : {"best_fit", "ramp", "printed"}
    options
        ``min_length`` of :func:`best_fit`; for :func:`printed` the rule that finds τ as
        ``window``, by default best_fit, its options, and ``between``.
    """
    if rule not in _RULES:
        raise ValueError(f"unknown window rule {rule!r}; known: {', '.join(_RULES)}")
    return _RULES[rule](distance, **options)


@dataclass(frozen=True)
class Summary:
    """λ_nMLE and p of an ensemble, with 95% intervals over its initial conditions.

    ``exponent`` is λ_nMLE, the mean over the ``kept`` exponents, as Danovski
    2024 takes it, with a bootstrap :class:`~netdyn_lib.statistics.intervals.Interval`; ``sd`` is
    their standard deviation and ``mean_all`` the mean over all ``count``.
    ``share`` is p with Wilson's interval.  ``window`` is the mean length of the
    kept windows, in epochs.  ``reason`` says why there is no exponent, empty where there is one.
    """

    rule: str
    count: int
    kept: int
    exponent: Interval
    sd: float
    mean_all: float
    share: Interval
    window: float
    reason: str


def why(reasons, kept) -> str:
    """Say why so few curves are kept: how many, and what speaks against the others.

    ``reasons`` (n,) are a :class:`Fit`'s, ``kept`` (n,) what its method of that name returned.

    >>> why(["", "", "no window: no ramp rises"], [True, False, False])
    '1 of 3 kept; others: 1 R² or Λ too low, 1 no window'
    """
    causes = [r.split(":")[0] or "R² or Λ too low" for r, k in zip(reasons, kept) if not k]
    told = ", ".join(f"{count} {cause}" for cause, count in Counter(causes).most_common())
    return f"{sum(kept)} of {len(kept)} kept; others: {told or 'none'}"


def summarise(fit: Fit, r2: float = R2, slope: float = SLOPE, seed: int = 0) -> Summary:
    """Return λ_nMLE, the mean of Λ over the kept initial conditions, and p, the share kept.

    With fewer than two curves kept, the exponent, its interval and sd are NaN, and ``reason``
    says why.
    """
    kept = fit.kept(r2, slope)
    chosen = fit.slope[kept]
    enough = len(chosen) > 1
    nothing = Interval(np.nan, np.nan, np.nan)
    return Summary(
        rule=fit.rule,
        count=len(kept),
        kept=len(chosen),
        exponent=bootstrap_interval(chosen, seed=seed) if enough else nothing,
        sd=float(chosen.std(ddof=1)) if enough else np.nan,
        mean_all=float(np.nanmean(fit.slope)) if not np.isnan(fit.slope).all() else np.nan,
        share=share_interval(kept),
        window=float((fit.stop - fit.start)[kept].mean()) if len(chosen) else np.nan,
        reason="" if enough else why(fit.reason, kept),
    )


def multiverse(distance, log_growth=None) -> dict[str, Fit]:
    """Apply all :data:`READINGS` to the same curves: name → :class:`Fit`.

    ``log_growth``, where given, adds the ``tangent`` rule over the same epochs.
    """
    fits = {name: exponents(distance, **options) for name, options in READINGS.items()}
    return fits if log_growth is None else fits | {"tangent": tangent(log_growth)}
