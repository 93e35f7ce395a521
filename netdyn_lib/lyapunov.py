"""Finite network Lyapunov exponents from distances d(t).

A distance curve is first given a growth *window* by one of several rules;
the exponent Λ is the slope of ln d over it; then it is judged.  The papers say
only that the window is "the one yielding the best exponential fit", which
leaves the rule open, and the rule decides the number.  So the rules stand side
by side here, and :func:`multiverse` applies them all.

Time runs along the first axis, as in a :class:`~netdyn_lib.descent.Record`.
"""

from dataclasses import dataclass

import numpy as np

from .checks import whole
from .resampling import Interval, bootstrap_interval, share_interval

#: The papers count a fit as exponential growth beyond these (D section 4.1, J).
R2, SLOPE = 0.9, 0.05

# Windows whose variance is below this share of the whole curve's are flat
# within the rounding of prefix sums; their R² would be noise.
_FLAT = 1e-9


@dataclass(frozen=True)
class Fit:
    """Growth windows of n curves and the lines ln d ≈ intercept + slope·t in them.

    All arrays are (n,): ``slope`` Λ per epoch; ``start`` and ``stop`` the first
    and last epoch of the window; ``r2`` the coefficient of determination in
    it.  A curve in which no window qualifies has slope and r2 NaN and
    start = stop = −1.
    """

    rule: str
    slope: np.ndarray
    intercept: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    r2: np.ndarray

    def kept(self, r2=R2, slope=SLOPE):
        """Which curves count as exponential growth, R² > ``r2`` and Λ > ``slope``; (n,) bool.

        A rule without a fit (``tangent``) has R² NaN everywhere and is judged by Λ alone.
        """
        good = self.slope > slope
        return good if np.isnan(self.r2[~np.isnan(self.slope)]).all() else good & (self.r2 > r2)


def _log_distance(distance):
    distance = np.asarray(distance, dtype=float)
    if distance.ndim == 1:
        distance = distance[:, None]
    if distance.ndim != 2 or 0 in distance.shape:
        raise ValueError(f"distance has shape {distance.shape}; expected (T,) or (T, n), none of them zero")
    for bad, what in ((~np.isfinite(distance), "not finite"), (distance <= 0, "not positive")):
        if bad.any():
            t, k = np.argwhere(bad)[0]
            cause = (
                "the trajectory diverged (see Record.diverged_at): leave it out, distance[:, record.alive], or shorten the curve"
                if what == "not finite"
                else "copies that coincide with their reference (ε below the resolution of the weights?)"
            )
            raise ValueError(f"curve {k} is {what} at step {t} (d = {distance[t, k]}): {cause}")
    return np.log(distance)


def _prefix(y):
    """Sums over [0, t) for t = 0 … T of y, y² and t·y; each (T + 1, n)."""
    t = np.arange(len(y))[:, None]
    zero = np.zeros((1, y.shape[1]))
    return [np.concatenate([zero, np.cumsum(v, 0)]) for v in (y, y * y, t * y)]


def best_fit(distance, min_length=20):
    """Of all windows of at least ``min_length`` steps with positive slope, the one of largest R².

    The papers' sentence with its free length stated.  It takes the steep start
    of a noisy power law for exponential growth when ``min_length`` is short, as
    R² alone must.  Every window
    t = a … b with b − a ≥ ``min_length`` is fitted by ordinary least squares on
    ln d; all windows are scored at once from prefix sums.

    Parameters
    ----------
    distance : array_like
        d, (T,) or (T, n), positive.
    min_length : int
        Steps.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        For a ``min_length`` that is no whole number from 2 to the steps of the
        curve, or distances that are not positive and finite.

    >>> t = np.arange(100.0)
    >>> fit = best_fit(1e-8 * np.exp(np.minimum(0.3 * t, 18)))
    >>> round(float(fit.slope[0]), 6)
    0.3
    """
    y = _log_distance(distance)
    steps = len(y) - 1
    min_length = whole(min_length, "min_length", 2, steps, cause=f"the curve has {steps} steps")
    y0 = y.mean(0)
    y = y - y0
    s1, s2, st = _prefix(y)
    floor = _FLAT * s2[-1]
    n = y.shape[1]
    best = np.full(n, -1.0)
    result = {k: np.full(n, np.nan) for k in ("slope", "intercept")}
    start, stop = np.full(n, -1), np.full(n, -1)
    columns = np.arange(n)
    for length in range(min_length + 1, len(y) + 1):  # points in the window
        a = np.arange(len(y) - length + 1)[:, None]
        sum_y, sum_yy, sum_ty = (s[length:] - s[: len(s) - length] for s in (s1, s2, st))  # (windows, n)
        centre = a + (length - 1) / 2
        s_tt = length * (length**2 - 1) / 12
        s_ty = sum_ty - centre * sum_y
        s_yy = sum_yy - sum_y**2 / length
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = np.where((s_yy > floor) & (s_ty > 0), s_ty**2 / (s_tt * s_yy), -1.0)
        top = r2.argmax(0)
        better = r2[top, columns] > best
        k, c = top[better], columns[better]
        best[c] = r2[k, c]
        result["slope"][c] = s_ty[k, c] / s_tt
        result["intercept"][c] = sum_y[k, c] / length - result["slope"][c] * centre[k, 0] + y0[c]
        start[c], stop[c] = k, k + length - 1
    return Fit(f"best_fit({min_length})", **result, start=start, stop=stop, r2=np.where(best < 0, np.nan, best))


def ramp(distance):
    """Least-squares plateau–ramp–plateau; the exponent is the ramp's slope.

    ln d(t) ≈ c₁ up to epoch a, then a straight line to c₂ at epoch b, then c₂.
    For given (a, b) this is the regression of ln d on
    φ(t) = clip((t − a)/(b − a), 0, 1), so all pairs with b − a ≥ 2 are scored
    at once from prefix sums; the pair of least squared error with a rising ramp
    is taken.  No length is chosen by hand.  ``r2`` is that of the ramp within
    its own window.

    Parameters, returns and errors as :func:`best_fit`; a curve needs 4 points.

    >>> t = np.arange(100.0)
    >>> fit = ramp(np.exp(0.25 * np.clip(t, 20, 60)))
    >>> int(fit.start[0]), int(fit.stop[0]), round(float(fit.slope[0]), 6)
    (20, 60, 0.25)
    """
    y = _log_distance(distance)
    total, n = y.shape
    if total < 4:
        raise ValueError(f"a curve of {total} points is too short for a plateau–ramp–plateau: it needs 4")
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
        phi_y = (in_ty - a * in_y) / length + (s1[-1] - s1[length + 1 :])  # Σ y = 0, so this is the covariance
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
    return Fit("ramp", slope, intercept, start, stop, _window_r2(y + y0, slope, intercept, start, stop))


def _window_r2(y, slope, intercept, start, stop):
    r2 = np.full(y.shape[1], np.nan)
    for k in np.flatnonzero(start >= 0):
        t = np.arange(start[k], stop[k] + 1)
        seen = y[t, k]
        spread = ((seen - seen.mean()) ** 2).sum()
        r2[k] = 1 - ((seen - intercept[k] - slope[k] * t) ** 2).sum() / spread if spread > 0 else np.nan
    return r2


def fit_in(log_curves, start, stop):
    """Slopes of given curves in given windows, by ordinary least squares as in :func:`best_fit`.

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

    Raises
    ------
    ValueError
        For windows that are not one a curve, empty or outside the curve, or
        values in a window that are not finite.

    >>> fit_in(0.3 * np.arange(100.0), [20], [60]).round(6).tolist()
    [0.3]
    """
    y = np.asarray(log_curves, dtype=float)
    y = y[:, None] if y.ndim == 1 else y
    start, stop = np.atleast_1d(start), np.atleast_1d(stop)
    if y.ndim != 2 or start.shape != y.shape[1:] or stop.shape != y.shape[1:]:
        raise ValueError(f"windows {start.shape}, {stop.shape} for curves {y.shape}: expected (n,) twice for (T, n)")
    slopes = np.full(y.shape[1], np.nan)
    for k in np.flatnonzero(start != -1):
        if not 0 <= start[k] < stop[k] < len(y):
            raise ValueError(f"window {start[k]}–{stop[k]} of curve {k}: must lie within 0–{len(y) - 1} and have a length")
        seen = y[start[k] : stop[k] + 1, k]
        if not np.isfinite(seen).all():
            t = start[k] + np.flatnonzero(~np.isfinite(seen))[0]
            raise ValueError(
                f"curve {k} is not finite at epoch {t} ({y[t, k]}), in its window {start[k]}–{stop[k]}: "
                "it diverged; give it no window, start −1"
            )
        t = np.arange(len(seen)) - (len(seen) - 1) / 2
        slopes[k] = (t * (seen - seen.mean())).sum() / (t**2).sum()
    return slopes


def tangent(log_growth):
    """The tangent-space finite-time exponent over all epochs: no window, and so no R².

    Parameters
    ----------
    log_growth : array_like
        ln of the tangent vectors' growth since epoch 0, (T,) or (T, n); see
        :func:`netdyn_lib.tangent.growth`.

    Returns
    -------
    Fit
        Λ = (ln growth at the end)/(T − 1), with ``r2`` NaN.

    Raises
    ------
    ValueError
        For fewer than 2 epochs, or growth that is NaN or infinite.
    """
    y = np.asarray(log_growth, dtype=float)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or len(y) < 2:
        raise ValueError(f"log_growth of shape {y.shape}: needs (T,) or (T, n), at least 2 epochs")
    if not np.isfinite(y).all():
        t, k = np.argwhere(~np.isfinite(y))[0]
        raise ValueError(
            f"curve {k} of log_growth is {y[t, k]} at epoch {t}; must be all finite: the trajectory diverged, "
            "or the vector shrank to zero; leave it out or shorten the curve"
        )
    n = y.shape[1]
    slope = (y[-1] - y[0]) / (len(y) - 1)
    return Fit("tangent", slope, y[0], np.zeros(n, int), np.full(n, len(y) - 1), np.full(n, np.nan))


def _tangent_norm(norm):
    y = _log_distance(norm)
    return tangent(y - y[0])


_RULES = {"best_fit": best_fit, "ramp": ramp, "tangent": _tangent_norm}


def exponents(distance, rule="best_fit", **options):
    """Growth windows and exponents by a named rule.

    Parameters
    ----------
    distance : array_like
        d(t), (T,) or (T, n), positive.  For ``tangent`` the norm |v(t)| of a
        tangent vector in its place, whose ln(|v(t)|/|v(0)|) goes to :func:`tangent`.
    rule : {"best_fit", "ramp", "tangent"}
    options
        ``min_length`` of :func:`best_fit`.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        For an unknown rule, and as the rule does.
    """
    if rule not in _RULES:
        raise ValueError(f"unknown window rule {rule!r}; known: {', '.join(_RULES)}")
    return _RULES[rule](distance, **options)


@dataclass(frozen=True)
class Summary:
    """λ_nMLE and p of an ensemble, with 95% intervals over its initial conditions.

    ``exponent`` is λ_nMLE, the mean over the ``kept`` exponents, as D takes
    it, with a bootstrap :class:`~netdyn_lib.resampling.Interval`; ``sd`` is
    their standard deviation and ``mean_all`` the mean over all ``count``.
    ``share`` is p with Wilson's interval.  ``window`` is the mean length of the
    kept windows, in epochs.
    """

    rule: str
    count: int
    kept: int
    exponent: Interval
    sd: float
    mean_all: float
    share: Interval
    window: float


def summarise(fit, r2=R2, slope=SLOPE, seed=0):
    """λ_nMLE, the mean of Λ over the kept initial conditions, and p, the share kept.

    With fewer than two curves kept, the exponent, its interval and sd are NaN.
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
    )


def multiverse(distance, log_growth=None, min_lengths=(10, 20, 30), seed=0):
    """Every window rule on the same curves: a dict of rule to :class:`Fit`.

    ``log_growth``, where given, adds the ``tangent`` rule over the same epochs.
    """
    fits = [best_fit(distance, m) for m in min_lengths] + [ramp(distance)]
    if log_growth is not None:
        fits.append(tangent(log_growth))
    return {f.rule: f for f in fits}


def extremes(summaries):
    """The summaries of lowest and of highest exponent, of those that have one."""
    known = sorted((s for s in summaries if s.kept), key=lambda s: s.exponent.estimate)
    if not known:
        raise ValueError("no rule kept any initial condition: there is no exponent to compare")
    return known[0], known[-1]


def largest_deviation(values, reference):
    """Largest |v/reference − 1|; NaN where a value is."""
    return float(np.abs(np.asarray(values) / reference - 1).max())
