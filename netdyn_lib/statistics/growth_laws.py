"""Which law the distance of perturbed copies follows: drift and random walk, or a rival.

ε enters every law so that d(0) = ε: by squares, d² = ε² + f(t), where displacements are orthogonal
to the perturbation on average, or as a sum, d = ε + f(t), where they are along it.  The law of
Herrmann 2022, eq. 15, √(αt² + βt), is f = αt² + βt by squares. That holds a straight line: β = 2ε√α
makes it d = ε + √α t, drift along the perturbation and no walk, so a good fit alone says little of
a random walk.  Neither law of that paper ends: descent that settles does, and the walk of a
particle in a bowl (Uhlenbeck and Ornstein, Phys. Rev. 36, 823, 1930) or a drift that relaxes are
its bounded rivals.

The noise: ln d = ln d̂ + r with r a stationary Gaussian AR(1) process from one observation to the
next, for the residuals of one trajectory are not independent.  Parameters, its ρ and its σ are
those of maximal likelihood.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from ..validation import positive

_LEAST = 12  # observations
_FLOOR = 1e-6  # of σ: relative differences below are no evidence
_MOST = 0.99  # of ρ
# of AICc: a law that is better by no more than this has no support against its own special case
_EASE = 2.0
_MARGIN = 6.0  # of AICc: an evidence of 20 to 1
_SLACK = 1.5  # of the error on held-out time


@dataclass(frozen=True)
class Law:
    """``function(t, ε, *p)`` is d(t), with parameters p > 0 called ``names``; ``starts(T, g)`` are
    first guesses where d has grown to √(ε² + g²) at T; ``contains`` are the laws that it holds as
    special cases; ``text`` is the formula.
    """

    text: str
    names: tuple
    function: Callable
    starts: Callable
    contains: tuple = ()


#: Laws by name, that of Herrmann 2022 first.
LAWS = {
    "drift and walk": Law(
        "d² = ε² + α t² + β t",
        ("alpha", "beta"),
        lambda t, e, a, b: np.sqrt(e**2 + a * t**2 + b * t),
        lambda T, g: [(s * g**2 / T**2, (1 - s) * g**2 / T) for s in (0.001, 0.5, 0.999)],
        ("walk", "drift", "straight line"),
    ),
    "walk": Law(
        "d² = ε² + β t",
        ("beta",),
        lambda t, e, b: np.sqrt(e**2 + b * t),
        lambda T, g: [(g**2 / T,)],
    ),
    "drift": Law(
        "d² = ε² + α t²",
        ("alpha",),
        lambda t, e, a: np.sqrt(e**2 + a * t**2),
        lambda T, g: [(g**2 / T**2,)],
    ),
    "straight line": Law("d = ε + v t", ("v",), lambda t, e, v: e + v * t, lambda T, g: [(g / T,)]),
    "power law": Law(
        "d² = ε² + c t^(2p)",
        ("c", "p"),
        lambda t, e, c, p: np.sqrt(e**2 + c * t ** (2 * p)),
        lambda T, g: [(g**2 / T ** (2 * p), p) for p in (0.3, 0.5, 1.0, 2.0)],
        ("walk", "drift"),
    ),
    "exponential": Law(
        "d = ε + c (e^(λt) − 1), λT ≥ 1",
        ("c", "rate"),
        lambda t, e, c, r: e + c * np.expm1(np.minimum(r * t, 600)),
        lambda T, g: [(g / np.expm1(f), f / T) for f in (1.5, 4.0, 12.0)],
    ),
    "bounded walk": Law(
        "d² = ε² + s (1 − e^(−t/τ))",
        ("s", "tau"),
        lambda t, e, s, tau: np.sqrt(e**2 - s * np.expm1(-t / tau)),
        lambda T, g: [(-(g**2) / np.expm1(-f), T / f) for f in (0.3, 1.5, 6.0)],
        ("walk",),
    ),
    "bounded drift": Law(
        "d = ε + c (1 − e^(−t/τ))",
        ("c", "tau"),
        lambda t, e, c, tau: e - c * np.expm1(-t / tau),
        lambda T, g: [(-g / np.expm1(-f), T / f) for f in (0.3, 1.5, 6.0)],
        ("straight line",),
    ),
}


@dataclass(frozen=True)
class Fit:
    """One law fitted: ``parameters`` by name, ``aicc`` the corrected Akaike criterion, ``held_out``
    the root mean square of ln(d/d̂) in the last third of the time of a fit to the first two, and
    the noise's ``sigma`` (of ln d) and ``rho``.
    """

    law: str
    parameters: dict
    aicc: float
    held_out: float
    sigma: float
    rho: float
    epsilon: float

    def __call__(self, times: ArrayLike) -> np.ndarray:
        """Return d̂(t), shaped as ``times``."""
        t = np.asarray(times, dtype=float)
        return LAWS[self.law].function(t, self.epsilon, *self.parameters.values())


@dataclass(frozen=True)
class Comparison:
    """``fits`` by law; ``winner`` the law that won, or None where undecided; ``standing`` the laws
    that could not be told from the best by AICc, without those that a special case of theirs makes
    superfluous; ``reason`` in words.
    """

    fits: dict
    winner: str | None
    standing: tuple
    reason: str


def compare(
    times: ArrayLike, distance: ArrayLike, epsilon: float, laws: Sequence[str] = tuple(LAWS)
) -> Comparison:
    """Fit laws to a distance, and say which wins by AICc and by held-out time, if any does.

    Laws stand whose AICc is within 6 of the least (an evidence of 20 to 1), without those that are
    better by at most 2 than a special case of theirs that stands too.  A law wins if no other
    stands, and if besides its error on held-out time is at most 1.5 times the least of all laws'
    (or 1e-6).
    Else it is undecided, as over short times, where all are straight.

    Parameters
    ----------
    times : array_like
        t (T,), ascending; t = 0 is left out, for there all laws are ε.  Evenly spaced, or ρ has no
        one meaning.
    distance : array_like
        d (T,), positive.
    epsilon : float
        ε.
    laws : sequence of str
        Of :data:`LAWS`.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        For fewer than 12 positive times, times not ascending, distances not positive and finite, an
        unknown law.
    """
    t, d = np.asarray(times, dtype=float), np.asarray(distance, dtype=float)
    epsilon = positive(epsilon, "epsilon", "the distance at the start")
    if t.shape != d.shape or t.ndim != 1:
        raise ValueError(f"times {t.shape} and distances {d.shape}: expected (T,) both")
    t, d = t[t > 0], d[t > 0]
    if len(t) < _LEAST or not (np.diff(t) > 0).all():
        what = f"{len(t)} positive times: need at least {_LEAST}"
        raise ValueError(f"{what}, ascending, to tell laws apart")
    if not ((d > 0) & (d < np.inf)).all():
        what = "a distance is not positive and finite"
        raise ValueError(f"{what}: a copy diverged, or never left; shorten the curve")
    if unknown := [law for law in laws if law not in LAWS]:
        raise ValueError(f"laws {unknown} unknown, known: {', '.join(LAWS)}")
    early = t <= t[0] + 2 / 3 * (t[-1] - t[0])
    fits = {law: _fit(law, t, d, epsilon, early) for law in laws}
    best = min(fit.aicc for fit in fits.values())
    close = [law for law in laws if fits[law].aicc <= best + _MARGIN]

    def superfluous(law):
        cases = (case for case in LAWS[law].contains if case in close)
        return any(fits[law].aicc >= fits[case].aicc - _EASE for case in cases)

    standing = tuple(law for law in close if not superfluous(law))
    if len(standing) > 1:
        reason = f"undecided: AICc of {', '.join(standing)} within {_MARGIN:g}"
        return Comparison(fits, None, standing, reason)
    (law,) = standing
    other = min(fits, key=lambda name: fits[name].held_out)
    error, least = fits[law].held_out, fits[other].held_out
    if error > _SLACK * max(least, _FLOOR):
        reason = f"undecided: {law} by AICc, but held-out error {error:.2g} against {least:.2g}"
        return Comparison(fits, None, standing, f"{reason} of {other}")
    reason = f"{law}: alone within {_MARGIN:g} of the least AICc, held-out error {error:.2g}"
    return Comparison(fits, law, standing, reason)


def least_squares(
    times: ArrayLike, distance: ArrayLike, epsilon: float, law: str = "drift and walk"
) -> tuple[np.ndarray, float]:
    """Return the fit of a law by least squares of d: d̂ (T,) and R².

    It weighs late times most and takes errors for independent, so R² is no reason to believe it;
    :func:`compare` compares.
    """
    t, d, one = np.asarray(times, dtype=float), np.asarray(distance, dtype=float), LAWS[law]
    grown = np.sqrt(max(d.max() ** 2 - epsilon**2, 1e-6 * d.max() ** 2))

    def curve(p):
        return one.function(t, epsilon, *np.exp(p))

    starts = [np.log(start) for start in one.starts(t.max(), grown)]
    tried = [
        optimize.least_squares(
            lambda p: (curve(p) - d) / d.max(), start, bounds=(start - 40, start + 40)
        )
        for start in starts
    ]
    known = curve(min(tried, key=lambda found: found.cost).x)
    with np.errstate(divide="ignore", invalid="ignore"):
        return known, float(1 - np.sum((d - known) ** 2) / np.sum((d - d.mean()) ** 2))


def _fit(name, times, distance, epsilon, early):
    law, logs = LAWS[name], np.log(distance)
    logp, rho, sigma, likelihood = _likeliest(law, times, logs, epsilon)
    count, n = len(logp) + 2, len(times)
    aicc = 2 * count - 2 * likelihood + 2 * count * (count + 1) / (n - count - 1)
    part = _likeliest(law, times[early], logs[early], epsilon)[0]
    with np.errstate(over="ignore"):
        error = np.log(law.function(times[~early], epsilon, *np.exp(part))) - logs[~early]
    held_out = float(np.sqrt(np.mean(error**2)))
    parameters = dict(zip(law.names, np.exp(logp).tolist()))
    return Fit(name, parameters, aicc, held_out, sigma, rho, epsilon)


def _likeliest(law, times, logs, epsilon):
    """Logarithms of the parameters, ρ, σ and ln likelihood, from the best of several starts."""
    last = np.exp(logs[-1])
    grown = np.sqrt(max(last**2 - epsilon**2, (1e-3 * last) ** 2))
    bounds = np.full(len(law.names), -np.inf), np.full(len(law.names), np.inf)
    if law.text.startswith("d = ε + c"):
        # λT ≥ 1: less than one e-folding would be a straight line
        bounds[0][1] = -np.log(times[-1])
    starts = [np.log(start) for start in law.starts(times[-1], grown)]
    found = [_alternate(law, times, logs, epsilon, start, bounds) for start in starts]
    return max(found, key=lambda one: one[3])


def _alternate(law, times, logs, epsilon, logp, bounds):
    """Least squares of the innovations for ρ given, and ρ for the residuals given, in turn (Prais
    and Winsten, 1954).
    """
    rho, known = 0.0, -np.inf
    # In units of a guess, so that a parameter at zero is no infinity: e^−40 of it is none.
    low, high = np.maximum(bounds[0], logp - 40), np.minimum(bounds[1], logp + 40)

    def residuals(p):
        with np.errstate(over="ignore"):
            return logs - np.log(law.function(times, epsilon, *np.exp(p)))

    logp = np.clip(logp, low + 1e-9, high - 1e-9)
    for _ in range(30):
        least = optimize.least_squares(
            lambda p: _innovations(residuals(p), rho), logp, bounds=(low, high)
        )
        logp, rest = least.x, residuals(least.x)
        likeliest = optimize.minimize_scalar(
            lambda r: -_likelihood(rest, r)[1], bounds=(0, _MOST), method="bounded"
        )
        rho = float(likeliest.x)
        sigma, likelihood = _likelihood(rest, rho)
        if likelihood < known + 1e-4:
            break
        known = likelihood
    return logp, rho, sigma, likelihood


def _innovations(rest, rho):
    return np.concatenate([[np.sqrt(1 - rho**2) * rest[0]], rest[1:] - rho * rest[:-1]])


def _likelihood(rest, rho):
    """σ of the process, and the ln likelihood, of residuals (n,)."""
    n, square = len(rest), float(np.mean(_innovations(rest, rho) ** 2))
    variance = max(square, _FLOOR**2)
    sigma = float(np.sqrt(variance / (1 - rho**2)))
    likelihood = -n / 2 * (np.log(2 * np.pi * variance) + square / variance)
    return sigma, float(likelihood + np.log(1 - rho**2) / 2)
