"""The reduced map: gradient descent of the logits when a network's hidden layer is frozen.

Where every hidden unit is 0 or 1 on all samples (see
:mod:`netdyn_lib.experiments.saturation`), only the output layer still learns, all samples
share one hidden vector h and one logit vector z, and gradient descent on the
cross-entropy becomes

    z(t + 1) = z(t) − g (softmax(z(t)) − q),    g = ηκ,    κ = 1 + |h|²,

with q the class frequencies of the training set.  Since the sum of the logits
is conserved, it is a map of the plane (for three classes) with one parameter,
the gain g.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

from ..series import phases

#: Loss of guessing among three classes.
GUESSING = float(np.log(3))


def step(logits, gain, target):
    """The reduced map, z − g (softmax(z) − q).

    Parameters
    ----------
    logits : array, shape (..., C)
    gain : array, shape (...)
        g = ηκ.
    target : array, shape (C,)
        q.

    >>> step(np.zeros(2), 4.0, np.array([0.75, 0.25])).tolist()
    [1.0, -1.0]
    """
    return logits - np.asarray(gain)[..., None] * (softmax(logits, axis=-1) - target)


def orbit(logits, gain, target, steps):
    """Iterate the reduced map; (steps + 1, ..., C), the start first.

    Parameters as :func:`step`.
    """
    states = [np.asarray(logits, dtype=float)]
    for _ in range(steps):
        states.append(step(states[-1], gain, target))
    return np.stack(states)


def loss(logits, target):
    """Cross-entropy of one logit vector shared by all samples: ln Σ exp(z) − q·z, (...)."""
    return logsumexp(logits, axis=-1) - logits @ target


def exponent(logits, gain, target, steps=2000, transient=1000):
    """Largest Lyapunov exponent of the reduced map, per step.

    A tangent vector on the plane of constant Σz is multiplied by
    J = I − g (diag p − p pᵀ), p = softmax(z), and renormalised (Benettin).

    Parameters
    ----------
    logits, gain, target
        As :func:`step`.
    steps : int
        Steps averaged, after ``transient`` steps discarded.

    Returns
    -------
    tuple of array
        Exponent (...) and the state reached (..., C).

    Raises
    ------
    ValueError
        For fewer than one step or a negative transient.
    """
    if steps < 1 or transient < 0:
        raise ValueError(
            f"steps = {steps} must be at least 1 and transient = {transient} not negative"
        )
    z = np.asarray(logits, dtype=float)
    gain = np.broadcast_to(np.asarray(gain, dtype=float), z.shape[:-1])
    # no special direction
    vector = np.broadcast_to(np.linspace(-1.0, 2.0, z.shape[-1]) ** 2, z.shape)
    total = np.zeros(z.shape[:-1])
    for t in range(transient + steps):
        p = softmax(z, axis=-1)
        vector = vector - gain[..., None] * p * (vector - (p * vector).sum(-1, keepdims=True))
        vector = vector - vector.mean(-1, keepdims=True)  # rounding must not leave the plane
        length = np.linalg.norm(vector, axis=-1, keepdims=True)
        vector = vector / length
        if t >= transient:
            total += np.log(length[..., 0])
        z = z - gain[..., None] * (p - target)
    return total / steps, z


def critical_gain(target):
    """Gain at which the fixed point softmax(z) = q loses its stability: 2 / λ_max(diag q − q qᵀ).

    >>> round(critical_gain(np.ones(3) / 3), 12)
    6.0
    """
    target = np.asarray(target, dtype=float)
    return float(2 / np.linalg.eigvalsh(np.diag(target) - np.outer(target, target))[-1])


@dataclass(frozen=True)
class Diagram:
    """Bifurcation diagram of the reduced map: ``losses`` (G, starts · keep), ``exponents`` (G,
    starts).
    """

    gains: np.ndarray
    losses: np.ndarray
    exponents: np.ndarray


def bifurcation(low, high, count, target, starts=20, transient=1000, keep=60, spread=5.0, seed=0):
    """Where orbits of the reduced map settle, over a range of gains.

    Parameters
    ----------
    low, high, count : float, float, int
        G = ``count`` gains, evenly spaced.
    target : array, shape (C,)
        q.
    starts : int
        Orbits for each gain, from logits N(0, spread²): the map has several
        attractors.
    transient : int
        Steps discarded; as many again are averaged for the exponent.
    keep : int
        Steps kept after them.
    spread : float
    seed : int

    Returns
    -------
    Diagram

    Raises
    ------
    ValueError
        For a range that is empty, no gains, no starts or nothing kept.
    """
    if not 0 <= low < high or min(count, starts, keep) < 1:
        raise ValueError(
            f"gains from {low} to {high} must ascend from 0 or more; "
            f"count = {count}, starts = {starts} and keep = {keep} must be at least 1"
        )
    gains = np.linspace(low, high, count)
    z = np.random.default_rng(seed).normal(0, spread, (starts, len(target)))
    z = np.broadcast_to(z, (len(gains), *z.shape))  # the same starts for each gain
    exponents, z = exponent(z, gains[:, None], target, transient, transient)
    losses = loss(orbit(z, gains[:, None], target, keep - 1), target)  # (keep, G, starts)
    return Diagram(gains, losses.transpose(1, 2, 0).reshape(len(gains), -1), exponents)


#: Orthonormal coordinates of the plane in which three logits move.
_PLANE = np.array([[-1, 1, 0], [-1, -1, 2]]).T / np.sqrt([2, 6])  # (3, 2)


def plane(logits):
    """Coordinates ((z₂ − z₁)/√2, (2z₃ − z₁ − z₂)/√6) of three logits; (..., 3) to (..., 2)."""
    return np.asarray(logits) @ _PLANE


def basins(gain, target, edge, side=200, transient=300, block=60, tolerance=1e-3):
    """Which kind of attractor the reduced map reaches from each point of the plane of logits.

    Parameters
    ----------
    gain : float
    target : array, shape (3,)
    edge : float
        The square reaches from -edge to edge in both coordinates of :func:`plane`.
    side : int
        Points along a side.
    transient : int
        Steps discarded.
    block, tolerance
        As for :func:`netdyn_lib.series.phases.classify`; the scale is the largest
        loss on any attractor.

    Returns
    -------
    labels : array of int, shape (side, side)
        Rows along the second coordinate.
    points : array, shape (block, side², 2)
        Where the orbits are afterwards, in the plane.
    """
    ticks = (np.arange(side) + 0.5) / side * 2 * edge - edge
    z = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2) @ _PLANE.T
    for _ in range(transient):
        z = step(z, gain, target)
    after = orbit(z, gain, target, block - 1)
    losses = loss(after, target)
    labels = phases.classify(losses, block, tolerance, scale=losses.max())[0]
    return labels.reshape(side, side), plane(after)
