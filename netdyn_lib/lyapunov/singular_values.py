"""Finite-time Lyapunov exponents by singular values, which no start frame enters.

The product M = J(t − 1) … J(0) stretches a unit sphere into an ellipsoid with half-axes σ_i, and
ln σ_i/t are its finite-time exponents.  In double precision M itself holds no more than 16 orders
of magnitude of them.  :class:`Product` keeps it as

    M = Q diag(2^m) T,

Q orthogonal, m whole numbers, T well conditioned with rows of norm 1/2 … 1: the stratification of
quantum Monte Carlo (Loh et al., Phys. Rev. B 41, 9301, 1990; with columns sorted before the QR,
Tomas et al., IPDPS 2012, 308).  One-sided Jacobi rotations then find every σ, the smallest too, to
high relative accuracy (Demmel & Veselić, SIAM J. Matrix Anal. Appl. 13, 1204, 1992).  On rows with
their own powers of two they know no overflow: the spread of the σ has no bound.

What is found belongs to Jacobians that differ from the given ones in the last bits of their norm.
Where each J has a condition number far below 1e16, and directions keep their order of growth, that
changes every ln σ by some cond(J) · 1e-16 per step.  Where directions change places, a product may
be so sensitive that no arithmetic in double precision finds it.

:func:`leading` finds the few largest σ of a large map, with bounds on their error, by block Krylov
methods: Rayleigh and Ritz with all of V, AV, A²V … for A = MᵀM (Saad, Numerical Methods for Large
Eigenvalue Problems, ch. 6).  Where the eigenvalues of A are all near 1, subspace iteration moves by
next to nothing and seems converged; a Krylov space is that of any A − c too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..validation import positive, whole
from .qr import Walk, chunked, orthonormalise, random_orthogonal, shown, states, timetable
from .tangent_maps import TangentMap

#: Vectors taken along together: for tangent products as long as one takes, or two.
BLOCK = 8

_SWEEPS = 60  # seven are usual


@dataclass(frozen=True)
class SingularGrowth:
    """Singular values of the tangent maps of n trajectories over T stretches from the start.

    ``times`` (T,) are steps; ``log_singular`` (T, n, P) is ln σ_i, descending; ``final`` (n, P) are
    the states after the last step; ``diverged_at`` (n,) the first step with a state or a tangent
    vector that is not finite, −1 for never: ln σ is NaN from there on.  A singular tangent map has
    ln σ = −inf for what it lost; one that is singular only up to rounding has σ near 1e-16 instead.
    """

    times: np.ndarray
    log_singular: np.ndarray
    final: Tensor
    diverged_at: np.ndarray

    def exponents(self, dt: float = 1.0) -> np.ndarray:
        """Return ln σ_i/(t dt) for each t > 0, (T', n, P); ``dt`` is the time of a step."""
        later = self.times > 0
        time = self.times[later] * positive(dt, "dt", "the time of a step")
        return self.log_singular[later] / time[:, None, None]


def singular_exponents(
    advance: TangentMap,
    params: Tensor,
    steps: int,
    at: Sequence[int] | None = None,
    *,
    interval: int = 1,
    progress: bool | None = None,
    stop: Callable[[], bool] | None = None,
) -> SingularGrowth:
    """Return the logarithms of all singular values of J(t − 1) … J(0) along trajectories.

    Parameters
    ----------
    advance, params, steps, progress, stop
        As for :func:`~netdyn_lib.lyapunov.benettin.spectrum`.
    at : sequence of int, optional
        Steps t at which to compute singular values, from 0 to ``steps``; by default the last.  Each
        costs as much as some tens of QR decompositions.
    interval : int
        Steps between QR decompositions.  More than 1 is accurate as long as the product of so many
        J is well conditioned.
    """
    params, steps = states(params), whole(steps, "steps")
    marks, kept = timetable(steps, whole(interval, "interval", 1), [steps] if at is None else at)
    size = params.shape[1]

    def follow(step, part):
        walk = Walk(step, params[part])
        q = torch.eye(size).to(params).expand(len(walk.params), size, size)
        product = Product(torch.zeros_like(walk.params), q)
        logs, nan = [], np.full(len(q), -1)
        for mark in [*([0] if kept[0] == 0 else []), *marks]:
            if mark:
                q = product.multiply(walk.to(mark, q))
                nan = np.where((nan < 0) & q[:, 0, 0].isnan().cpu().numpy(), mark, nan)
            if mark in kept:
                logs.append(product.singular()[0])
        return np.stack(logs), walk.params, walk.diverged(nan)

    parts = chunked(follow, advance, params, size, shown(steps, progress), stop)
    logs = np.concatenate([part[0] for part in parts], 1)
    gone = np.concatenate([part[2] for part in parts])
    logs[(gone >= 0) & (kept[:, None] >= gone)] = np.nan
    return SingularGrowth(kept, logs, torch.cat([part[1] for part in parts]), gone)


@dataclass(frozen=True)
class Leading:
    """Half the logarithms of the k leading eigenvalues, ``logs`` (k,): ln σ for A = MᵀM.

    ``vectors`` (P, k) are their eigenvectors, found in so many ``sweeps``.  ``bound`` is on the
    error of all ``logs``, to first order in the residuals; Ritz values bound ln σ from below.
    ``turn`` is on 1 − overlap of the span of all k with the true one (Davis and Kahan), infinite
    where the gap after them is not known.
    """

    logs: np.ndarray
    vectors: Tensor
    bound: float
    turn: float
    sweeps: int


def leading(
    product: Callable[[Tensor], Tensor],
    like: Tensor,
    count: int,
    sweeps: int,
    tolerance: float,
    start: Tensor | None = None,
    turn: float = math.inf,
    seed: int = 0,
) -> Leading:
    """Return the k leading eigenpairs of a symmetric A without negative eigenvalues.

    Parameters
    ----------
    product : callable
        V ↦ A V, (P, w) with w at most :data:`BLOCK`.
    like : torch.Tensor
        Any (P,), for its type and device.
    count : int
        k.
    sweeps : int
        Products at most; as many as k needs in any case.
    tolerance, turn : float
        Bounds at which to end: on ``bound`` in units of the largest ln σ, and on ``turn``.
    start : torch.Tensor, optional
        (P, k'), vectors to begin with, as those of a similar operator.
    seed : int
        Of the random vectors to begin with.
    """
    size = len(like)
    width = min(size, BLOCK)
    block = random_orthogonal(size, width, seed).to(like)
    if start is not None:
        block = orthonormalise(torch.cat([start, block], 1)[None, :, :width])[0][0]
    basis, images = block[:, :0], block[:, :0]
    for sweep in range(1, max(sweeps, -(-count // width)) + 1):
        image = product(block)
        if not bool(image.isfinite().all()):
            raise FloatingPointError(
                "growth is beyond e^350, and its square beyond doubles: take fewer steps"
            )
        basis, images = torch.cat([basis, block], 1), torch.cat([images, image], 1)
        small = basis.T @ images
        values, turned = torch.linalg.eigh((small + small.T) / 2)
        values, turned = values.flip(0), turned.flip(1)
        if len(values) >= count:
            some = turned[:, :count]
            vectors = basis @ some
            residuals = (images @ some - vectors * values[:count]).norm(dim=0)
            bound = float((residuals / (2 * values[:count])).max())
            gap = math.inf if count == size else 0.0
            if len(values) > count:
                gap = float(values[count - 1] - values[count])
            moved = float(residuals.square().sum()) / (gap**2 * count) if gap > 0 else math.inf
            logs = values[:count].log() / 2
            good = bound <= tolerance * abs(float(logs[0])) and moved <= turn
            if len(values) == size or good:
                break
        block = _beyond(basis, image, min(width, size - basis.shape[1]), sweep)
    return Leading(logs.cpu().numpy(), vectors, bound, moved, sweep)


def _beyond(basis, image, width, seed):
    """Return up to ``width`` orthonormal columns of an image's part outside of a ``basis`` (P, k).

    Where nothing is left, they are random.
    """

    def outside(vectors):
        return vectors - basis @ (basis.T @ vectors)

    size = image.norm(dim=0).max()
    # once leaves rounding errors
    image = outside(outside(image[:, :width]))
    random = outside(outside(random_orthogonal(len(basis), width, seed).to(basis)))
    lost = image.norm(dim=0) <= 1e-13 * size
    image = torch.where(lost, random, image / size)
    for _ in range(2):
        image = orthonormalise(outside(image)[None])[0][0]
    return image


class Product:
    """diag(2^m) T of M = Q diag(2^m) T; Q is the caller's.

    ``m`` (n, P) are whole numbers, −inf for zero; ``t`` (n, P, P).
    """

    def __init__(self, m: Tensor, t: Tensor):
        self.m, self.t = _level(m, t)

    def multiply(self, images: Tensor) -> Tensor:
        """Multiply by J, given J Q = ``images`` (n, P, P), and return the new Q.

        It is NaN where the images are not finite.
        """
        # Unsorted, a row that has shrunk can drown in one that grew, and is lost.
        order = _descending(self.m, images.abs().amax(1))
        m, t = self.m.gather(1, order), _rows(self.t, order)
        q, r = orthonormalise(images.gather(2, order[:, None, :].expand_as(images)))
        mantissa, power = torch.frexp(r)
        power = torch.where(r == 0, -torch.inf, power + m[:, None, :])  # of R diag(2^m)
        # (n, P); −inf for a row of zeros, and no other: R_ii may be zero with more to its right
        top = power.amax(2)
        first = mantissa * _two_to_the(power - _finite(top)[:, :, None])
        self.m, self.t = _level(top, torch.bmm(first, t))
        return q

    def singular(self, vectors: bool = False) -> tuple[np.ndarray, Tensor | None]:
        """Return ln σ_i (n, P), descending, and the directions that they stretch (n, P, P).

        Directions are columns at the start, and None unless asked for by ``vectors``.
        """
        m, columns = _orthogonal(self.m, self.t)
        size = _norm(columns)
        logs = torch.where(size > 0, m, -torch.inf).cpu().numpy() * math.log(2)
        with np.errstate(divide="ignore"):
            logs += np.log(size.cpu().numpy())
        # QR completes the directions that are lost: what is left is orthogonal already.
        return logs, orthonormalise(columns.transpose(1, 2))[0] if vectors else None


def _orthogonal(m, x):
    """Turn rows 2^m_i x_i by Jacobi rotations until they are orthogonal, sorted by norm.

    These are the columns of the transpose of diag(2^m) T, so that their norms are
    its singular values.  Rows that are not finite are left as they are.
    """
    m, x = m.clone(), x.clone()
    alive = x.isfinite().all(2).all(1).nonzero()[:, 0]
    for _ in range(_SWEEPS):
        order = _descending(m[alive], _norm(x[alive]))
        m[alive], x[alive] = m[alive].gather(1, order), _rows(x[alive], order)
        m[alive], x[alive], turned = _sweep(m[alive], x[alive])
        alive = alive[turned]
        if not len(alive):
            return m, x
    raise RuntimeError(
        f"{len(alive)} of {len(x)} singular value decompositions did not converge "
        f"in {_SWEEPS} sweeps of Jacobi rotations"
    )


def _sweep(m, x):
    """Turn every pair of rows, sorted by norm, once; also return which matrices had one to turn."""
    close = 4 * torch.finfo(x.dtype).eps * math.sqrt(x.shape[2])
    turned = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for one, other in _rounds(x.shape[1], x.device):
        a, b = x[:, one], x[:, other]  # (n, pairs, P)
        aa, bb, ab = (a * a).sum(2), (b * b).sum(2), (a * b).sum(2)
        turn = ab.abs() > close * (aa * bb).sqrt()
        turned |= turn.any(1)
        ratio = _two_to_the(torch.where(turn, m[:, other] - m[:, one], 0.0))
        # tan θ = ratio · slope; written so that a ratio that underflows does no harm.
        zeta = (ratio**2 * bb - aa) / (2 * torch.where(turn, ab, 1.0))
        slope = torch.where(zeta < 0, -1.0, 1.0).to(x) / (zeta.abs() + (ratio**2 + zeta**2).sqrt())
        slope = torch.where(turn, slope, 0.0)[:, :, None]
        ratio = ratio[:, :, None]
        cosine = 1 / (1 + (ratio * slope) ** 2).sqrt()
        x[:, one], x[:, other] = cosine * (a - slope * ratio**2 * b), cosine * (b + slope * a)
    return *_level(m, x), turned


def _rounds(size, device):
    """Yield index tensors i < j of all pairs in rounds of pairs that do not meet, a tournament."""
    players = list(range(size)) + [-1] * (size % 2)
    for _ in range(len(players) - 1):
        half = len(players) // 2
        pairs = [sorted(p) for p in zip(players[:half], players[: half - 1 : -1]) if -1 not in p]
        if pairs:
            yield torch.tensor(pairs, device=device).unbind(1)
        players = [players[0], players[-1], *players[1:-1]]


def _level(m, x):
    """Return the same rows 2^m_i x_i, each x_i of norm 1/2 … 1, or 0 with m_i = −inf; exact."""
    norm = _norm(x)
    power = torch.frexp(norm)[1].to(x)
    zero = (norm == 0) | (m == -torch.inf)
    x = torch.where(zero[:, :, None], 0.0, x * _two_to_the(-power)[:, :, None])
    return torch.where(zero, -torch.inf, m + power), x


def _descending(m, norm):
    """Return the order (n, P) of the numbers 2^m · ``norm``, largest first."""
    mantissa, power = torch.frexp(norm)  # power + mantissa grows with norm, as a logarithm does
    key = torch.where(norm == 0, -torch.inf, m + power + mantissa)
    return key.argsort(dim=1, descending=True, stable=True)


def _rows(x, order):
    return x.gather(1, order[:, :, None].expand_as(x))


def _norm(x):
    return torch.linalg.vector_norm(x, dim=2)


def _finite(m):
    return torch.where(m == -torch.inf, 0.0, m)


def _two_to_the(power):
    """Return 2^power for whole numbers up to 1023, by its bits, exactly; 0 below −1022."""
    power = torch.nan_to_num(power, nan=-1023.0, neginf=-1023.0).clamp(-1023, 1023)
    return ((power.to(torch.int64) + 1023) << 52).view(torch.float64)
