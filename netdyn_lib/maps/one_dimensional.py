"""One-dimensional maps with a parameter: orbits, bifurcation diagrams, Lyapunov exponents.

Gradient descent on a loss V of a single weight is the map
w ↦ f(w) = w − η V'(w).  For the double well V(w) = w⁴/4 − w²/2 this is the
cubic map w ↦ w[1 − η(w² − 1)] of Jiménez-González et al. (2025), appendix A.
The algorithms below see only a :class:`Map`, so they serve any other map too.

Orbits may escape to infinity.  That is a finding and no error: an escaped
orbit is NaN from end to end, and is marked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..validation import whole


@dataclass(frozen=True)
class Map:
    """A map x ↦ f(x, p) of the line, with the derivatives that root finding needs.

    All functions take ``x`` and the parameter ``p`` as floats or as arrays of
    one shape, and use arithmetic only.

    Attributes
    ----------
    name, parameter : str
        What to call the map and its parameter in messages.
    f, dx, dp, dxx, dxp : callable
        f and its partial derivatives ∂f/∂x, ∂f/∂p, ∂²f/∂x², ∂²f/∂x∂p.
    laps : callable
        ``laps(p)``: the points, in increasing order, that part the line into
        pieces on which f (|f| as a function of |x|, for an odd map) is
        monotone: rising, falling, rising and so on.  The first is the critical
        point c, of which f(c) is the largest value.
    odd : bool
        Whether f(−x) = −f(x).
    exact : (float, float)
        A parameter at which the map multiplies an angle, and its exponent there.
    """

    name: str
    parameter: str
    f: Callable
    dx: Callable
    dp: Callable
    dxx: Callable
    dxp: Callable
    laps: Callable
    odd: bool
    exact: tuple[float, float]

    def critical(self, p: ArrayLike) -> np.ndarray:
        """Return the critical point c(p), where ∂f/∂x = 0."""
        return self.laps(p)[0]

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Return |x| for an odd map, which sees no difference between x and −x; else x."""
        return abs(x) if self.odd else x


#: Gradient descent on w⁴/4 − w²/2 with learning rate η.  The third lap begins where f is 0.
CUBIC = Map(
    name="cubic gradient map",
    parameter="learning rate η",
    f=lambda w, eta: w * (1 - eta * (w * w - 1)),
    dx=lambda w, eta: 1 + eta - 3 * eta * w * w,
    dp=lambda w, eta: w - w * w * w,
    dxx=lambda w, eta: -6 * eta * w,
    dxp=lambda w, eta: 1 - 3 * w * w,
    laps=lambda eta: (((1 + eta) / (3 * eta)) ** 0.5, ((1 + eta) / eta) ** 0.5),
    odd=True,
    exact=(2.0, np.log(3.0)),  # w = √2 sin θ becomes √2 sin 3θ
)

#: The textbook map, on which this library's numbers can be checked against known ones.
LOGISTIC = Map(
    name="logistic map",
    parameter="parameter r",
    f=lambda x, r: r * x * (1 - x),
    dx=lambda x, r: r * (1 - 2 * x),
    dp=lambda x, r: x * (1 - x),
    dxx=lambda x, r: -2 * r + 0 * x,
    dxp=lambda x, r: 1 - 2 * x + 0 * r,
    laps=lambda r: (0.5 + 0 * r,),
    odd=False,
    exact=(4.0, np.log(2.0)),  # x = sin² θ becomes sin² 2θ
)


def parameters(map: Map, values: ArrayLike) -> np.ndarray:
    """Return values of a map's parameter as a float array.

    Raises
    ------
    ValueError
        Unless every value is finite and positive.

    >>> parameters(CUBIC, [0.5, -1.0])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: learning rate η = -1.0 must be > 0 and finite: zero never moves, ...
    """
    values = np.asarray(values, dtype=float)
    bad = values[~(np.isfinite(values) & (values > 0))]
    if bad.size:
        cause = "zero never moves, a negative rate climbs the loss"
        if not np.isfinite(bad[0]):
            cause = "was it computed by a division by zero, or read from an empty cell?"
        elif map is not CUBIC:
            cause = "outside that range the map has no bounded orbit to study"
        raise ValueError(f"{map.parameter} = {bad[0]} must be > 0 and finite: {cause}")
    return values


def _states(x: ArrayLike) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    if not np.isfinite(x).all():
        bad = x[~np.isfinite(x)][0]
        raise ValueError(f"initial state {bad} must be finite: did an earlier orbit escape?")
    return x


def grid(low: float, high: float, number: int) -> np.ndarray:
    """Return the midpoints of equal cells of (low, high): shares of them are shares of the range.

    >>> grid(0, 2, 4).tolist()
    [0.25, 0.75, 1.25, 1.75]
    """
    return low + (high - low) * (np.arange(whole(number, "number", 1)) + 0.5) / number


def _forward(map, x, p, steps):
    for _ in range(steps):
        x = map.f(x, p)
    return x


def orbit(map: Map, p: ArrayLike, x: ArrayLike, steps: int) -> np.ndarray:
    """Return the orbit x, f(x), f²(x), … of every parameter and initial state.

    Parameters
    ----------
    p, x : float or array
        Parameters and initial states, broadcast to one shape (...).
    steps : int
        Iterations.

    Returns
    -------
    array, shape (steps + 1, ...)
        Infinite or NaN from where an orbit has left the range of floats.

    Raises
    ------
    ValueError
        For a parameter that is not positive and finite, an initial state that
        is not finite, or no steps.

    At η = 1/2 the minimum w = 1 is superstable, and 1 − w squares itself:

    >>> orbit(CUBIC, 0.5, 0.9, 3).round(6)
    array([0.9     , 0.9855  , 0.999686, 1.      ])
    """
    p, x = np.broadcast_arrays(parameters(map, p), _states(x))
    out = np.empty((whole(steps, "steps", 1) + 1, *p.shape))
    out[0] = x
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            out[t + 1] = map.f(out[t], p)
    return out


@dataclass(frozen=True)
class Diagram:
    """A bifurcation diagram.

    ``parameters`` (P,) and ``initial`` (P, K); ``states`` (keep, P, K) are the
    iterates after the transient, NaN throughout where ``escaped`` (P, K).
    """

    parameters: np.ndarray
    initial: np.ndarray
    states: np.ndarray
    escaped: np.ndarray


def bifurcation_diagram(
    map: Map, p: ArrayLike, x: ArrayLike, transient: int, keep: int = 200
) -> Diagram:
    """Iterate every initial state at every parameter; discard a transient, keep the rest.

    Parameters
    ----------
    p : array, shape (P,)
    x : array, shape (K,) or (P, K)
        Initial states, the same for every parameter or each its own.
    transient, keep : int
        Iterations discarded (may be 0) and kept (Jiménez-González 2025 keeps 200).

    Returns
    -------
    Diagram

    Raises
    ------
    ValueError
        As :func:`orbit`.
    """
    values = np.atleast_1d(parameters(map, p))
    transient, keep = whole(transient, "transient"), whole(keep, "keep", 1)
    grid, start = np.broadcast_arrays(values[:, None], np.atleast_2d(_states(x)))  # (P, K)
    states = np.empty((keep, *grid.shape))
    with np.errstate(over="ignore", invalid="ignore"):
        states[0] = _forward(map, start, grid, transient)
        for t in range(1, keep):
            states[t] = map.f(states[t - 1], grid)
    escaped = ~np.isfinite(states[-1])
    states[:, escaped] = np.nan
    return Diagram(values, start, states, escaped)


@dataclass(frozen=True)
class Exponent:
    """Lyapunov exponents, each with its standard error; arrays of one shape.

    ``value`` and ``error`` are in units of 1 per iteration, NaN where
    ``escaped``.  A superstable cycle has the value −inf.
    """

    parameters: np.ndarray
    value: np.ndarray
    error: np.ndarray
    escaped: np.ndarray


def lyapunov_exponent(
    map: Map, p: ArrayLike, x: ArrayLike, transient: int, steps: int, batches: int = 20
) -> Exponent:
    """Return the Lyapunov exponent λ = (1/t) Σ ln|f'(x_k)|, k = 0 … t − 1, after a transient.

    Jiménez-González 2025 prints ln(f'(w)) in its eq. (A3).  On an attractor f' takes both
    signs, so the absolute value belongs there and is taken here.

    Parameters
    ----------
    p, x : float or array
        Parameters and initial states, broadcast to one shape (...).
    transient, steps : int
        Iterations discarded, and averaged over; ``steps`` is a multiple of ``batches``.
    batches : int
        The standard error comes from the means of so many consecutive
        stretches: single values of ln|f'| are correlated in time, long means
        hardly are.

    Returns
    -------
    Exponent
        With arrays of shape (...).

    Raises
    ------
    ValueError
        As :func:`orbit`; or when ``batches`` does not divide ``steps``, or is less than 2.

    The minimum of the double well has multiplier 1 − 2η:

    >>> float(lyapunov_exponent(CUBIC, 0.25, 0.1, 500, 20).value.round(9))  # ln 0.5
    -0.693147181
    """
    p, x = np.broadcast_arrays(parameters(map, p), _states(x))
    transient, steps = whole(transient, "transient"), whole(steps, "steps", 1)
    if whole(batches, "batches", 2) and steps % batches:
        raise ValueError(
            f"batches = {batches} must divide steps = {steps}: the batches have one length"
        )
    sums = np.zeros((batches, *p.shape))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        x = _forward(map, x, p, transient)
        for t in range(steps):
            sums[t * batches // steps] += np.log(np.abs(map.dx(x, p)))
            x = map.f(x, p)
        means = sums * (batches / steps)
        value, error = means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(batches)
    escaped = ~np.isfinite(x)
    return Exponent(p, np.where(escaped, np.nan, value), np.where(escaped, np.nan, error), escaped)


def cobweb(map: Map, p: float, x: float, steps: int) -> np.ndarray:
    """Return the points of a cobweb: (x₀, x₀) → (x₀, x₁) → (x₁, x₁) → …, shape (2·steps + 1, 2).

    >>> cobweb(LOGISTIC, 2.0, 0.25, 1).tolist()
    [[0.25, 0.25], [0.25, 0.375], [0.375, 0.375]]
    """
    path = np.repeat(orbit(map, float(p), float(x), steps), 2)  # x₀ x₀ x₁ x₁ …
    across, up = path[:-1], np.concatenate([path[:1], path[2:]])  # x₀ x₀ x₁ … and x₀ x₁ x₁ …
    return np.column_stack([across, up])
