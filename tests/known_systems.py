"""Maps and products of matrices whose Lyapunov exponents and vectors are known.

A cocycle is a tangent map without a map: matrices J(t) along the clock, which the state carries in
its first entry.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from netdyn_lib.lyapunov.qr import random_orthogonal
from netdyn_lib.lyapunov.tangent_maps import by_jacobian
from netdyn_lib.validation import floats

# |1 − ηλ| of these Hessian eigenvalues at this η lie far enough apart to be sorted in some hundred
# steps.
_RATE, _CURVATURES = 0.1, (25.0, 12.0, 3.0, 0.0, -2.0)
_FACTORS = (1.5, -1.0, 0.6, -0.05)
_KICK = 10.0
_LORENZ_STEP = 0.02


@dataclass(frozen=True)
class System:
    """A map of R^P, initial conditions (n, P), and its exponents per unit of time, descending.

    ``function`` takes states (n, P) to the next and the Jacobians (n, P, P).  The mean over the
    initial conditions, over ``steps`` steps after ``transient`` ones, is within ``tolerance`` (P,),
    four standard errors or more.
    """

    name: str
    function: Callable
    start: torch.Tensor
    exponents: tuple
    step_time: float
    transient: int
    steps: int
    tolerance: tuple
    source: str


def henon(params):
    """The Hénon map (x, y) ↦ (1 − a x² + y, b x) at a = 1.4, b = 0.3 (Commun. Math. Phys.

    50, 69, 1976).
    """
    a, b = 1.4, 0.3
    x, y = params.unbind(1)
    return torch.stack([1 - a * x**2 + y, b * x], 1), _matrix([[-2 * a * x, 1.0], [b, 0.0]])


def henon_step(params):
    """The Hénon map without its Jacobian, (E, 2) to (E, 2)."""
    return henon(params)[0]


def lorenz(params, dt=_LORENZ_STEP):
    """One Runge–Kutta step of fourth order of Lorenz' flow at σ = 10, ρ = 28, β = 8/3 (J. Atmos.
    Sci. 20, 130, 1963).

    The Jacobian is that of the step itself, its four stages differentiated by the chain rule.
    """
    sigma, rho, beta = 10.0, 28.0, 8 / 3

    def flow(state):
        x, y, z = state.unbind(1)
        slope = torch.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z], 1)
        return slope, _matrix([[-sigma + 0 * x, sigma, 0.0], [rho - z, -1.0, -x], [y, x, -beta]])

    eye = torch.eye(3, dtype=params.dtype, device=params.device)
    k, tangent = flow(params)  # (n, 3), (n, 3, 3)
    total, total_tangent = k, tangent
    for ahead, weight in ((dt / 2, 2), (dt / 2, 2), (dt, 1)):
        following, derivative = flow(params + ahead * k)
        k, tangent = following, torch.bmm(derivative, eye + ahead * tangent)
        total, total_tangent = total + weight * k, total_tangent + weight * tangent
    return params + dt / 6 * total, eye + dt / 6 * total_tangent


def standard_map(params):
    """The standard map p' = p + K sin x, x' = x + p' on the torus (mod 2π), K = 10; states are (x,
    p).
    """
    x, p = params.unbind(1)
    kick = _KICK * x.cos()
    p = p + _KICK * x.sin()
    return torch.stack([x + p, p], 1).remainder(2 * math.pi), _matrix(
        [[1 + kick, 1.0], [kick, 1.0]]
    )


def diagonal(params):
    """The linear map w ↦ diag(1.5, −1, 0.6, −0.05) w."""
    factors = params.new_tensor(_FACTORS)
    return factors * params, factors.diag().expand(len(params), -1, -1)


def quadratic_descent(params):
    """Gradient descent w ↦ w − ηHw on L = ½ wᵀHw at η = 0.1, H with eigenvalues 25, 12, 3, 0 and −2
    in rotated axes.
    """
    jacobian = torch.eye(5, dtype=params.dtype, device=params.device) - _RATE * _hessian().to(
        params
    )
    return (jacobian * params[:, None, :]).sum(2), jacobian.expand(len(params), -1, -1)


def _hessian():
    # A product of two reflections: orthogonal, and the same on every machine.
    axes = torch.eye(5, dtype=torch.float64)
    for normal in ([1.0, 2.0, -1.0, 0.5, 1.5], [-1.0, 0.5, 2.0, 1.0, 1.0]):
        normal = floats(normal)
        axes = axes - 2 * torch.outer(axes @ normal, normal) / (normal @ normal)
    return axes @ floats(_CURVATURES).diag() @ axes.T


def _matrix(rows):
    """(n, P, P) of entries (n,) or numbers; the first entry is (n,)."""
    like = rows[0][0]
    entries = [[e if torch.is_tensor(e) else torch.full_like(like, e) for e in row] for row in rows]
    return torch.stack([torch.stack(row, 1) for row in entries], 1)


def _logs(factors):
    return tuple(sorted((math.log(abs(f)) for f in factors), reverse=True))


def _line(first, last, count):
    """``count`` points from ``first`` to ``last``, (count, P)."""
    return floats(first) + torch.linspace(0, 1, count, dtype=torch.float64)[:, None] * (
        floats(last) - floats(first)
    )


SYSTEMS = {
    s.name: s
    for s in (
        System(
            "Hénon map",
            henon,
            _line([-0.3, 0.0], [0.3, 0.1], 400),
            (0.41922, -1.62319),
            1.0,
            100,
            500,
            (0.005, 0.005),
            "Sprott, Chaos and Time-Series Analysis, Oxford 2003, appendix A",
        ),
        System(
            "Lorenz system",
            lorenz,
            _line([-2.0, -3.0, 15.0], [4.0, 5.0, 20.0], 300),
            (0.9056, 0.0, -14.5723),
            _LORENZ_STEP,
            500,
            1000,
            (0.03, 0.015, 0.025),
            "Sprott, Chaos and Time-Series Analysis, Oxford 2003, appendix A",
        ),
        System(
            "standard map",
            standard_map,
            _line([0.1, 0.2], [6.1, 4.3], 100),
            (math.log(_KICK / 2), -math.log(_KICK / 2)),
            1.0,
            100,
            500,
            (0.03, 0.03),
            "ln(K/2), 0.011 below what is measured at K = 10: Chirikov, Phys. Rep. 52, 263, 1979",
        ),
        System(
            "diagonal map",
            diagonal,
            _line([1e-9] * 4, [1.0] * 4, 3),
            _logs(_FACTORS),
            1.0,
            150,
            300,
            (1e-13,) * 4,
            "exact",
        ),
        System(
            "quadratic descent",
            quadratic_descent,
            _line([1e-9] * 5, [1.0] * 5, 3),
            _logs(1 - _RATE * c for c in _CURVATURES),
            1.0,
            250,
            300,
            (1e-13,) * 5,
            "exact: ln|1 − ηλ|",
        ),
    )
}


def clock(size, times=(0.0,)):
    """States (n, P) of a cocycle: the ``times`` (n,) in the first entry, zeros in the others."""
    times = floats(times)
    states = torch.zeros(len(times), size, dtype=torch.float64)
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
    """``states``, covariant ``vectors`` (n, P, P) and ``angle`` of the first two (n,), by times."""

    advance: Callable
    states: Callable
    vectors: Callable
    angle: Callable
    exponents: np.ndarray


def near_tangency(
    exponents=(0.5, 0.1, -0.4), smallest=1e-3, time=50, width=5.0, largest=1.0, turn=0.3, seed=0
):
    """A cocycle whose first two covariant vectors come close to each other once, at ``time``.

    J(t) = V(t + 1) diag(e^λ) V(t)⁻¹ with columns of norm 1, so J(t) v_i(t) = e^{λ_i} v_i(t + 1).
    V(t) = O(t) U(t), with O a rotation by ``turn`` radians a step in a random plane, and U upper
    triangular with u_1 = (1, 0, …), u_2 = (cos θ, sin θ, 0, …), ln θ(t) = ln θ_max + (ln θ_min − ln
    θ_max) e^{−((t − t_0)/w)²}.
    """
    exponents = floats(exponents)
    size = len(exponents)
    basis = random_orthogonal(size, seed=seed)
    # The other vectors lean on all before them, by angles far from zero.
    others = torch.eye(size, dtype=torch.float64)
    leaning = np.random.default_rng([seed, size, 5]).uniform(-0.5, 0.5, (size, size))
    others += torch.from_numpy(np.triu(leaning, 1))
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
