"""Finite-time Lyapunov exponents by singular values, which no start frame enters.

The product M = J(t − 1) … J(0) stretches a unit sphere into an ellipsoid with half-axes
σ_i, and ln σ_i/t are its finite-time exponents.  In double precision M itself holds
no more than 16 orders of magnitude of them.  Here it is kept as

    M = Q diag(2^m) T,

Q orthogonal, m whole numbers, T well conditioned with rows of norm 1/2 … 1: the
stratification of quantum Monte Carlo (Loh et al., Phys. Rev. B 41, 9301, 1990; with columns
sorted before the QR, Tomas et al., IPDPS 2012, 308).  One-sided Jacobi rotations
then find every σ, the smallest too, to high relative accuracy (Demmel & Veselić,
SIAM J. Matrix Anal. Appl. 13, 1204, 1992).  On rows with their own powers of
two they know no overflow: the spread of the σ has no bound.

What is found belongs to Jacobians that differ from the given ones in the last bits
of their norm.  Where each J has a condition number far below 1e16, and directions keep
their order of growth, that changes every ln σ by some cond(J) · 1e-16 per step.  Where directions
change places, a product may be so sensitive that no arithmetic in double precision finds it.

Leading eigenpairs of a symmetric operator that has no negative eigenvalue, by block Krylov
methods, with bounds on their error.

Rayleigh and Ritz with all of V, AV, A²V … (Saad, Numerical Methods for Large Eigenvalue Problems,
ch. 6).  For A = YᵀY of a tangent product these are singular values and initial directions.  Where
its eigenvalues are all near 1, subspace iteration moves by next to nothing and seems converged; a
Krylov space is that of any A − c too.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..validation import whole
from .benettin import over_time
from .qr import chunked, orthonormalise, random_orthogonal, states, timetable

_SWEEPS = 60  # seven are usual


@dataclass(frozen=True)
class SingularGrowth:
    """Singular values of the tangent maps of n trajectories over T stretches of time from the
    start.

    ``times`` (T,) are steps; ``log_singular`` (T, n, P) is ln σ_i, descending.
    ``directions`` (n, P, P), where asked for, holds in column i the direction at the
    start that σ_i(times[−1]) stretches, orthonormal.  ``final`` (n, P) are the states
    after the last step; ``diverged_at`` (n,) the first step with a state or a tangent
    vector that is not finite, −1 for never: ln σ is NaN from there on, and so are
    directions.  A singular tangent map has ln σ = −inf for what it lost; one that is
    singular only up to rounding has σ near 1e-16 instead.
    """

    times: np.ndarray
    log_singular: np.ndarray
    directions: torch.Tensor | None
    final: torch.Tensor
    diverged_at: np.ndarray

    def exponents(self, dt=1.0):
        """Finite-time exponents ln σ_i/(t dt) for each t > 0, (T', n, P), ``dt`` the time of a
        step; ValueError for dt not positive.
        """
        return over_time(self.times, self.log_singular, dt)


def singular_exponents(
    advance,
    params,
    steps,
    at=None,
    interval=1,
    directions=False,
    progress=None,
    stop=None,
    chunk=None,
):
    """Logarithms of all singular values of J(t − 1) … J(0) along trajectories.

    Parameters
    ----------
    advance : callable
        As for :func:`~netdyn_lib.lyapunov.benettin.spectrum`.
    params : torch.Tensor
        (n, P) initial conditions.
    steps : int
        Steps taken.
    at : sequence of int, optional
        Steps t at which singular values are computed, from 0 to ``steps``; by
        default the last.  Each costs as much as some tens of QR decompositions.
    interval : int
        Steps between QR decompositions.  More than 1 is accurate as long as the
        product of so many J is well conditioned.
    directions : bool
        Whether to return the right singular vectors of the last step in ``at``.
    progress, stop, chunk
        As for :func:`~netdyn_lib.lyapunov.benettin.spectrum`.

    Returns
    -------
    SingularGrowth

    Raises
    ------
    ValueError
        For no initial conditions, or numbers of steps that are none.
    RuntimeError
        Where Jacobi's rotations do not converge.
    """
    params, steps = states(params), whole(steps, "steps")
    marks, kept = timetable(steps, whole(interval, "interval", 1), [steps] if at is None else at)
    n, size = params.shape

    def follow(walk, part):
        q = torch.eye(size, dtype=params.dtype, device=params.device).expand(
            len(walk.params), size, size
        )
        product = Product(torch.zeros_like(walk.params), q)
        logs, vectors = [], None
        nan = np.full(len(q), -1)
        for mark in [*([0] if kept[0] == 0 else []), *marks]:
            if mark:
                q = product.multiply(walk.to(mark, q))
                bad = q[:, 0, 0].isnan().cpu().numpy()
                nan = np.where((nan < 0) & bad, mark, nan)
            if mark in kept:
                wanted = directions and mark == kept[-1]
                found, vectors = product.singular(wanted)
                logs.append(found)
        return np.stack(logs), vectors, walk.params, walk.diverged(nan)

    parts = chunked(follow, advance, params, steps, size, chunk, progress, stop)
    logs, vectors, final, gone = zip(*parts)
    logs, gone = np.concatenate(logs, 1), np.concatenate(gone)
    logs[(gone >= 0) & (kept[:, None] >= gone)] = np.nan
    vectors = torch.cat(vectors) if directions else None
    if directions:
        vectors[torch.as_tensor((gone >= 0) & (kept[-1] >= gone), device=vectors.device)] = (
            torch.nan
        )
    return SingularGrowth(kept, logs, vectors, torch.cat(final), gone)


class Product:
    """diag(2^m) T of Q diag(2^m) T: ``m`` (n, P), whole numbers, −inf for zero, and ``t`` (n, P,
    P).  Q is the caller's.
    """

    def __init__(self, m, t):
        self.m, self.t = _level(m, t)

    def multiply(self, images):
        """Take J Q = ``images`` (n, P, P) in, and return the new Q; NaN where the images are not
        finite.
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

    def singular(self, vectors):
        """ln σ_i (n, P), descending, as an array; and where ``vectors``, what they stretch, as
        columns (n, P, P).
        """
        m, columns = _orthogonal(self.m, self.t)
        size = _norm(columns)
        logs = torch.where(size > 0, m, -torch.inf).cpu().numpy() * math.log(2)
        with np.errstate(divide="ignore"):
            logs += np.log(size.cpu().numpy())
        # QR completes the directions that are lost: what is left is orthogonal already.
        return logs, orthonormalise(columns.transpose(1, 2))[0] if vectors else None


def _orthogonal(m, x):
    """Rows 2^m_i x_i turned by one-sided Jacobi rotations until they are orthogonal, sorted by
    norm: new m and x.

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
        f"{len(alive)} of {len(x)} singular value decompositions did not converge in {_SWEEPS} sweeps of Jacobi rotations"
    )


def _sweep(m, x):
    """Every pair of rows once; also which matrices (n,) had a pair to turn.

    The rows are sorted by norm.
    """
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
    """All pairs i < j of ``size`` in rounds of pairs that do not meet, the schedule of a
    tournament: index tensors i and j.
    """
    players = list(range(size)) + [-1] * (size % 2)
    for _ in range(len(players) - 1):
        half = len(players) // 2
        pairs = [sorted(p) for p in zip(players[:half], players[: half - 1 : -1]) if -1 not in p]
        if pairs:
            yield torch.tensor(pairs, device=device).unbind(1)
        players = [players[0], players[-1], *players[1:-1]]


def _level(m, x):
    """The same rows 2^m_i x_i with each x_i of norm 1/2 … 1, or 0 with m_i = −inf.  No rounding."""
    norm = _norm(x)
    power = torch.frexp(norm)[1].to(x)
    zero = (norm == 0) | (m == -torch.inf)
    x = torch.where(zero[:, :, None], 0.0, x * _two_to_the(-power)[:, :, None])
    return torch.where(zero, -torch.inf, m + power), x


def _descending(m, norm):
    """Order (n, P) of the numbers 2^m · ``norm``, largest first."""
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
    """2^power for whole numbers up to 1023, by its bits, exactly; 0 below −1022."""
    bits = (
        torch.nan_to_num(power, nan=-1023.0, neginf=-1023.0).clamp(-1023, 1023).to(torch.int64)
        + 1023
    ) << 52
    return bits.view(torch.float64)


#: Vectors taken along together: for tangent products as long as one takes, or two.
BLOCK = 8


@dataclass(frozen=True)
class Leading:
    """Half the logarithms of the k leading eigenvalues, ``logs`` (k,), ln σ for A = YᵀY, and their
    eigenvectors (P, k), after so many ``sweeps``.

    ``bound`` is on the error of all ``logs``, to first order in the residuals; Ritz values bound ln
    σ from below.  ``turn`` is on 1 − overlap of the span of all k with the true one (Davis and
    Kahan), infinite where the gap after them is not known.
    """

    logs: np.ndarray
    vectors: torch.Tensor
    bound: float
    turn: float
    sweeps: int


def leading(
    product, like, count, sweeps, tolerance, start=None, turn=math.inf, relative=True, seed=0
):
    """The k leading eigenpairs of A.

    Parameters
    ----------
    product : callable
        A V of V (P, w), w at most :data:`BLOCK`.
    like : torch.Tensor
        Any (P,), for its type and device.
    count : int
        k.
    sweeps : int
        Products at most; as many as k needs in any case.
    tolerance : float
        On ``bound``, in units of the largest ln σ where ``relative``.  Ends where both this and
        ``turn`` are kept.
    start : torch.Tensor, optional
        Vectors (P, k') to begin with, as those of a similar operator.
    seed : int
        Of the random vectors to begin with.

    Raises
    ------
    FloatingPointError
        Where a product is not finite.
    """
    size = len(like)
    width = min(size, BLOCK)
    block = random_orthogonal(size, width, seed).to(like)
    if start is not None:
        block = orthonormalise(
            (
                start[:, :width]
                if start.shape[1] >= width
                else torch.cat([start, block], 1)[:, :width]
            )[None]
        )[0][0]
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
            gap = (
                float(values[count - 1] - values[count])
                if len(values) > count
                else (math.inf if count == size else 0.0)
            )
            moved = float(residuals.square().sum()) / (gap**2 * count) if gap > 0 else math.inf
            logs = values[:count].log() / 2
            small_enough = bound <= (tolerance * abs(float(logs[0])) if relative else tolerance)
            if len(values) == size or (small_enough and moved <= turn):
                break
        block = _beyond(basis, image, min(width, size - basis.shape[1]), sweep)
    return Leading(logs.cpu().numpy(), vectors, bound, moved, sweep)


def _beyond(basis, image, width, seed):
    """Up to ``width`` orthonormal columns (P, k) of an image's part outside of a ``basis``; where
    nothing is left, random ones.
    """
    draw = random_orthogonal(len(basis), width, seed).to(basis)
    size = image.norm(dim=0).max()
    image = image[:, :width]
    for _ in range(2):  # once leaves rounding errors
        image = image - basis @ (basis.T @ image)
        draw = draw - basis @ (basis.T @ draw)
    lost = image.norm(dim=0) <= 1e-13 * size
    image = torch.where(lost, draw, image / size)
    for _ in range(2):
        image = image - basis @ (basis.T @ image)
        image = orthonormalise(image[None])[0][0]
    return image
