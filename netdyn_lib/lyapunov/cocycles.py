"""Constructed cocycles: products of given matrices, whose exponents and covariant vectors are
known.

A cocycle is a tangent map without a map: matrices J(t) along the clock.  The
state carries the clock in its first entry, so that ``advance`` looks as any map's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..validation import floats, positive, whole
from .qr import random_orthogonal
from .tangent_maps import by_jacobian


def clock(size, times=(0.0,)):
    """States (n, P) of a cocycle: the ``times`` (n,) in the first entry, zeros in the P − 1 others,
    which do nothing.
    """
    times = floats(times)
    states = torch.zeros(
        len(times), whole(size, "size", 1), dtype=torch.float64, device=times.device
    )
    states[:, 0] = times
    return states


def by_time(jacobians):
    """Advance of the cocycle whose Jacobians ``jacobians`` gives, a function of times (n,) to (n,
    P, P).
    """

    def function(states):
        following = states.clone()
        following[:, 0] += 1
        return following, jacobians(states[:, 0])

    return by_jacobian(function)


def constant(jacobian):
    """Advance of the cocycle that is the same (P, P) matrix at all times."""
    jacobian = floats(jacobian)
    return by_time(lambda times: jacobian.expand(len(times), *jacobian.shape))


@dataclass(frozen=True)
class KnownCocycle:
    """A cocycle with its truth.

    ``advance`` as of :mod:`netdyn_lib.lyapunov.tangent_maps`; ``states(times)`` gives (n, P) for n
    clocks, ``vectors(times)`` the covariant vectors in columns, (n, P, P), and ``angle(times)`` the
    angle in radians between the first two, (n,); ``exponents`` (P,), descending.
    """

    advance: Callable
    states: Callable
    vectors: Callable
    angle: Callable
    exponents: np.ndarray


def near_tangency(
    exponents=(0.5, 0.1, -0.4), smallest=1e-3, time=50, width=5.0, largest=1.0, turn=0.3, seed=0
):
    """A cocycle whose first two covariant vectors come close to each other once.

    J(t) = V(t + 1) diag(e^λ) V(t)⁻¹ with columns of norm 1, so J(t) v_i(t) = e^{λ_i} v_i(t + 1):
    exponents and vectors are what they were chosen to be, at any finite time.  V(t) = O(t) U(t),
    with O a rotation by ``turn`` radians a step in a random plane, and U upper triangular with u_1
    = (1, 0, …), u_2 = (cos θ, sin θ, 0, …), ln θ(t) = ln θ_max + (ln θ_min − ln θ_max) e^{−((t −
    t_0)/w)²}.

    Parameters
    ----------
    exponents : sequence of float
        λ per step, P ≥ 2, strictly descending.
    smallest, largest : float
        θ_min and θ_max in radians, 0 < θ_min ≤ θ_max ≤ π/2.
    time, width : float
        t_0, the time of the tangency, and w, in steps.
    turn : float
        Radians per step.
    seed : int

    Returns
    -------
    KnownCocycle

    Raises
    ------
    ValueError
        For exponents that are less than two, not finite or not descending, or angles and widths
        that are not positive or out of order.

    >>> float(near_tangency(smallest=1e-3, time=50).angle([50.0])[0])
    0.001
    """
    exponents = floats(exponents)
    if (
        exponents.dim() != 1
        or len(exponents) < 2
        or not bool(exponents.isfinite().all() and (exponents.diff() < 0).all())
    ):
        raise ValueError(
            f"exponents = {exponents.tolist()}: must be at least 2, finite, and strictly descending"
        )
    smallest, largest = (
        positive(smallest, "smallest", "an angle"),
        positive(largest, "largest", "an angle"),
    )
    width = positive(width, "width", "a number of steps")
    if not smallest <= largest <= np.pi / 2:
        raise ValueError(
            f"smallest = {smallest} and largest = {largest}: must be in this order, and at most π/2 = {np.pi / 2:.6f}"
        )
    size = len(exponents)
    basis = random_orthogonal(size, seed=seed)
    # The other vectors lean on all before them, by angles far from zero.
    others = torch.eye(size, dtype=torch.float64)
    others += torch.from_numpy(
        np.triu(
            np.random.default_rng([whole(seed, "seed"), size, 5]).uniform(-0.5, 0.5, (size, size)),
            1,
        )
    )
    others = others / torch.linalg.vector_norm(others, dim=0)

    def angle(times):
        bump = torch.exp(-(((floats(times) - time) / width) ** 2))
        return largest * (smallest / largest) ** bump

    def vectors(times):
        times = floats(times)
        theta, phase = angle(times), turn * times
        upper = others.repeat(len(times), 1, 1)  # (n, P, P)
        upper[:, 0, 1], upper[:, 1, 1] = theta.cos(), theta.sin()
        rotation = torch.eye(size, dtype=torch.float64).repeat(len(times), 1, 1)
        rotation[:, 0, 0] = rotation[:, -1, -1] = phase.cos()
        rotation[:, 0, -1], rotation[:, -1, 0] = -phase.sin(), phase.sin()
        return basis @ rotation @ upper

    def jacobians(times):
        images = vectors(times + 1) * exponents.exp()  # (n, P, P)
        return torch.linalg.solve(vectors(times), images, left=False)

    return KnownCocycle(
        by_time(jacobians),
        lambda times=(0.0,): clock(size, times),
        vectors,
        angle,
        exponents.numpy(),
    )
