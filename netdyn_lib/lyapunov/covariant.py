"""Covariant Lyapunov vectors by Ginelli's method, for ensembles; and without a future.

A frame turned by QR forgets how it started: J(t) Q(t) = Q(t + 1) R(t), and the first i columns of
Q(t) span what has grown most in the past.  Vectors v(t) = Q(t) C(t) with R(t) C(t) ∝ C(t + 1)
column by column are carried onto each other by J; iterated backwards, any upper triangular C tends
to the one of the covariant vectors (Ginelli et al., PRL 99, 130601, 2007; J. Phys. A 46, 254005,
2013).

A covariant vector needs the future, and so knows how a run ends.  :func:`frozen_future` takes all
Jacobians from step t on to be J(t); the past is as it was, in the frame Q(t) of forward QR.  This
variant is ours.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..validation import floats, whole
from .qr import chunked, orthonormalise, start_frame, states
from .tangent_maps import TangentMap

_HELD = 2**28  # bytes of the R's of a chunk up to which all are held, and none is computed twice


@dataclass(frozen=True)
class Moment:
    """What an observer sees at step ``time`` of the trajectories ``rows``, a slice.

    ``states`` (n, P), ``frames`` and ``vectors`` (n, P, k), ``growth``, ``residuals`` and
    ``log_growth`` (n, k): tensors, as in :class:`CovariantVectors`, of one step.
    """

    time: int
    rows: slice
    states: Tensor
    frames: Tensor
    vectors: Tensor
    growth: Tensor
    residuals: Tensor
    log_growth: Tensor


@dataclass(frozen=True)
class CovariantVectors:
    """The first k covariant Lyapunov vectors of n trajectories at T steps.

    ``times`` (T,) are the steps.  ``vectors`` (T, n, P, k) has v_i(t), of norm 1, in column i;
    ``frames`` (T, n, P, k) the frames Q(t) of the past, and ``states`` (T, n, P) the states:
    tensors on the processor, and None where there was an observer, whose results ``observed`` (T,
    n, …) then holds.  ``growth`` (T, n, k) is ln|J(t) v_i(t)| per step, from the map itself.
    ``residuals`` (T, n, k) is the covariance defect min over signs of
    | J v_i(t)/|J v_i(t)| ± v_i(t + interval) |: rounding times the condition of J and of the
    vectors, or something is wrong.  ``log_growth`` (T, n, k) is Σ ln R_ii from step 0 on:
    Benettin's exponents, times the steps, of the same frame.

    ``diverged_at`` (n,) is the first step at which a state or frame was not finite, −1 for never,
    seen at QR decompositions only: states and frames are NaN from there on, and vectors where less
    than ``backward`` steps are left before it.  ``singular_at`` (n,) is the last step at which the
    tangent map was singular to rounding on the frame, −1 for never: no vector can be brought back
    through it, so at and before it the vectors from the first singular column on are NaN.
    """

    times: np.ndarray
    vectors: Tensor | None
    frames: Tensor | None
    states: Tensor | None
    growth: np.ndarray
    residuals: np.ndarray
    log_growth: np.ndarray
    observed: np.ndarray | None
    diverged_at: np.ndarray
    singular_at: np.ndarray


def vectors(
    advance: TangentMap,
    params: Tensor,
    at: Sequence[int],
    backward: int = 0,
    *,
    frame: int | Tensor | None = None,
    interval: int = 1,
    observe: Callable[[Moment], Tensor] | None = None,
    stop: Callable[[], bool] | None = None,
) -> CovariantVectors:
    """Return covariant Lyapunov vectors along the trajectories of a map.

    Memory grows as the square root of the number of steps where that is many: frames are then held
    at checkpoints only, and computed again between them on the way back.

    Parameters
    ----------
    advance, params, frame, stop
        As for :func:`~netdyn_lib.lyapunov.benettin.spectrum`.
    at : sequence of int
        The steps at which vectors are wanted.  The past of a vector begins at step 0: as many steps
        as the state needs to come to its attractor, and the frame to turn, go before the first.
    backward : int
        Steps after the last of ``at``, for the vectors to forget how they began.  With 0 there is
        no future there, and the vectors are NaN.
    interval : int
        Steps between QR decompositions; all other steps must be multiples of it.
    observe : callable, optional
        Takes a :class:`Moment`, last step first, to a tensor (n, …).  Vectors, frames and states
        are then not kept.
    """
    params = states(params)
    plan = _plan(at, backward, interval)
    q0 = start_frame(params, frame)

    def follow(step, part):
        return _Sweep(step, params[part], q0[part], plan, part, observe).back()

    parts = chunked(follow, advance, params, q0.shape[2], stop=stop)

    def joined(name):
        if not all(name in moment for part in parts for moment in part[0]):
            return None
        return torch.cat([torch.stack([m[name] for m in part[0][::-1]]) for part in parts], 1)

    def numbers(name):
        found = joined(name)
        return None if found is None else found.numpy()

    return CovariantVectors(
        times=np.array(sorted(plan.wanted)) * plan.interval,
        **{name: joined(name) for name in ("vectors", "frames", "states")},
        **{name: numbers(name) for name in ("growth", "residuals", "log_growth", "observed")},
        diverged_at=torch.cat([part[1] for part in parts]).cpu().numpy(),
        singular_at=torch.cat([part[2] for part in parts]).cpu().numpy(),
    )


@dataclass(frozen=True)
class FrozenFuture:
    """Frozen-future covariant vectors of n trajectories at one step.

    ``vectors`` (n, P, k): v_i, of norm 1, in column i.  ``growth`` (n, k): ln|J v_i|.
    ``multipliers`` (n, P): |eigenvalues| of J, descending.  ``condition`` (n, k): by how much an
    error of frame or eigenvectors is multiplied in v_i; infinite where past and future do not
    determine v_i.  ``undetermined`` (n, k): v_i needs two multipliers told apart that are not; the
    vector given is one of many, yet the span of v_i and its undetermined successors is determined.
    NaN rows of frames or Jacobians stay NaN.
    """

    vectors: Tensor
    growth: np.ndarray
    multipliers: np.ndarray
    condition: np.ndarray
    undetermined: np.ndarray


def frozen_future(frame: Tensor, jacobian: Tensor, within: float = 1e-9) -> FrozenFuture:
    """Return Ginelli's vectors at time t for a future in which all Jacobians are J(t).

    v_i = span(q_1 … q_i) ∩ span(e_i … e_P), the e_j the eigenvectors of J by descending
    |multiplier|: from the definition of covariant vectors (Ginelli et al., J. Phys. A 46,
    254005, 2013), for J to the power −m maps the second span onto itself.
    v_i = Q c with w_jᵀ Q c = 0 for j < i, the w_j an orthonormal basis of
    the j leading left eigenvectors, which for a symmetric J are the e_j themselves.

    Parameters
    ----------
    frame : torch.Tensor
        (n, P, k), orthonormal columns: Q(t) of forward QR.
    jacobian : torch.Tensor
        (n, P, P), J(t).  Any real matrices; symmetric ones, as of gradient descent, by ``eigh``.
    within : float
        Multipliers are not told apart where ln|μ_{i−1}| − ln|μ_i| is not above it.
    """
    frame, jacobian = floats(frame), floats(jacobian)
    n, size, count = frame.shape if frame.dim() == 3 else (0, 0, 0)
    if jacobian.shape != (n, size, size) or not 1 <= count <= size or n == 0:
        raise ValueError(
            f"frame of shape {tuple(frame.shape)} and jacobian of shape {tuple(jacobian.shape)}: "
            "expected (n, P, k) and (n, P, P), k ≤ P"
        )
    if not within >= 0:
        raise ValueError(
            f"within = {within}: a difference of growth rates must be zero or positive"
        )
    good = frame.isfinite().flatten(1).all(1) & jacobian.isfinite().flatten(1).all(1)
    eye = torch.eye(size, dtype=frame.dtype, device=frame.device)
    q = torch.where(good[:, None, None], frame, eye[:, :count])
    j = torch.where(good[:, None, None], jacobian, eye)
    defect = float((q.mT @ q - eye[:count, :count]).abs().max())
    if defect > 1e-6:
        raise ValueError(
            f"frame has columns that are not orthonormal (by {defect:.1e}, bound 1e-6): "
            "give the Q of a QR decomposition"
        )
    left, multipliers = _left(j)
    coefficients, condition = _intersections(left.mT @ q)
    vectors = q @ coefficients  # (n, P, k)
    vectors = vectors / torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    growth = torch.linalg.vector_norm(j @ vectors, dim=1).log()  # (n, k)
    # Below the rounding of the largest, multipliers are zero, and not told apart; nor are ln 0 and
    # ln 0, their difference NaN.
    logs = multipliers.clamp(min=size * torch.finfo(frame.dtype).eps * multipliers[:, :1]).log()
    together = ~(logs[:, :-1] - logs[:, 1:] > within)  # (n, P − 1)
    undetermined = torch.nn.functional.pad(together, (1, 0))[:, :count]
    nan = torch.where(good, 0.0, torch.nan).to(frame)[:, None]
    return FrozenFuture(
        vectors + nan[..., None],
        growth=(growth + nan).cpu().numpy(),
        multipliers=(multipliers + nan).cpu().numpy(),
        condition=(condition + nan).cpu().numpy(),
        undetermined=(undetermined & good[:, None]).cpu().numpy(),
    )


@dataclass(frozen=True)
class _Plan:
    """Steps in units of ``interval``: the last, those wanted, the future that a vector needs."""

    interval: int
    last: int
    margin: int
    wanted: frozenset


def _plan(at, backward, interval):
    interval = whole(interval, "interval", 1)

    def units(value, name):
        if whole(value, name) % interval:
            raise ValueError(
                f"{name} = {value}: must be a multiple of interval = {interval}, "
                "the steps between QR decompositions"
            )
        return int(value) // interval

    wanted = frozenset(units(t, "at") for t in np.ravel(at).tolist())
    if not wanted:
        raise ValueError("at is empty: there is no step at which vectors are wanted")
    backward = units(backward, "backward")
    if backward == 0 and len(wanted) == 1:
        raise ValueError(
            f"at = {min(wanted) * interval} alone, and backward = 0: "
            "without a step of future there are no covariant vectors"
        )
    return _Plan(interval, max(wanted) + backward, max(backward, 1), wanted)


class _Sweep:
    """One chunk of trajectories there and back."""

    def __init__(self, step, state, frame, plan, rows, observe):
        self._step, self._plan, self._rows, self._observe = step, plan, rows, observe
        self._start = state, frame
        self._diverged = torch.full((len(state),), -1, device=state.device)
        self._moments = []

    def back(self):
        """Return what is kept of each moment, last first; diverged_at and singular_at (n,)."""
        plan, (state, frame) = self._plan, self._start
        n, k = len(state), frame.shape[2]
        frame = torch.where(state.isfinite().all(1)[:, None, None], frame, math.nan)
        first = min(plan.wanted)
        length = plan.last - first
        whole_path = 8 * n * k * k * length <= _HELD
        bounds = [*range(first, plan.last, length if whole_path else math.isqrt(length - 1) + 1)]
        bounds.append(plan.last)
        held = [self._last(state, frame, state.new_zeros(n, k), 0, first)]
        for a, b in zip(bounds[:-2], bounds[1:-1]):
            held.append(self._last(*held[-1], a, b))

        generic = _generic(k).to(state)
        c, lost = generic.expand(n, k, k), torch.zeros(n, k, dtype=torch.bool, device=state.device)
        singular = torch.full_like(self._diverged, -1)
        path = None
        for a, b in zip(bounds[-2::-1], bounds[:0:-1]):
            forth = enumerate(self._forth(*held.pop(), a, b))
            path = [self._needed(a + i, *moment) for i, moment in forth]
            if b == plan.last:
                # the step at which the way back begins
                self._begun = torch.where(self._diverged < 0, b, self._diverged - 1)
                if b in plan.wanted:
                    self._record(b, path[-1], c, None, lost)
            while len(path) > 1:
                after = path.pop()[1]
                time = a + len(path) - 1
                # v(t + 1): (n, P, k)
                ahead = torch.bmm(after, c) if time in plan.wanted else None
                c, gone = _pull(path[-1][3], c, generic, time < self._begun)
                lost = lost | gone
                singular[gone.any(1) & (singular < 0)] = time
                if time in plan.wanted:
                    self._record(time, path[-1], c, ahead, lost)
        steps = (torch.where(t < 0, t, t * plan.interval) for t in (self._diverged, singular))
        return self._moments, *steps

    def _forth(self, state, frame, logs, first, last):
        """Yield (W(t), Q(t), Σ ln R_ii, R(t)) from ``first`` to ``last``, where R is None."""
        for time in range(first, last + 1):
            self._diverged[frame[:, 0, 0].isnan() & (self._diverged < 0)] = time
            if time == last:
                yield state, frame, logs, None
                return
            following, images = state, frame
            for _ in range(self._plan.interval):
                following, images = self._step(following, images)
            good = following.isfinite().all(1)[:, None]
            q, r = orthonormalise(torch.where(good[..., None], images, math.nan))
            yield state, frame, logs, r
            state, frame = torch.where(good, following, math.nan), q
            logs = logs + r.diagonal(dim1=-2, dim2=-1).log()

    def _last(self, state, frame, logs, first, last):
        return deque(self._forth(state, frame, logs, first, last), maxlen=1)[0][:3]

    def _needed(self, time, state, frame, logs, r):
        # Where no vector is wanted, the way back needs R only; of the step after one, also Q.
        now = time in self._plan.wanted or time == self._plan.last
        before = time - 1 in self._plan.wanted
        return (state if now else None, frame if now or before else None, logs if now else None, r)

    def _record(self, time, held, c, ahead, lost):
        state, frame, logs, _ = held
        lost = lost | (time + self._plan.margin > self._begun)[:, None]  # (n, k)
        v = torch.bmm(frame, c)
        numbers = self._check(state, v, ahead)
        growth, residuals = (values.masked_fill(lost, math.nan) for values in numbers)
        v = v.masked_fill(lost[:, None, :], math.nan)
        time *= self._plan.interval
        kept = dict(growth=growth, residuals=residuals, log_growth=logs)
        if self._observe is None:
            kept |= dict(states=state, frames=frame, vectors=v)
        else:
            moment = Moment(time, self._rows, state, frame, v, growth, residuals, logs)
            seen = self._observe(moment)
            kept |= {} if seen is None else {"observed": torch.as_tensor(seen)}
        self._moments.append({name: values.cpu() for name, values in kept.items()})

    def _check(self, state, v, ahead):
        """Return ln|J v| per step and the defect of J v against ``ahead``, (n, k) each.

        They are NaN where there is no future.
        """
        if ahead is None:
            nothing = torch.full_like(v[:, 0], math.nan)
            return nothing, nothing
        growth = torch.zeros_like(v[:, 0])
        for _ in range(self._plan.interval):
            state, v = self._step(state, v)
            norm = torch.linalg.vector_norm(v, dim=1, keepdim=True)  # (n, 1, k)
            v, growth = v / norm, growth + norm[:, 0].log()
        defects = [torch.linalg.vector_norm(v - sign * ahead, dim=1) for sign in (1, -1)]
        return growth / self._plan.interval, torch.minimum(*defects)


def _pull(r, c, generic, underway):
    """Return C(t) ∝ R(t)⁻¹ C(t + 1), columns of norm 1, and for which (n, k) R is too singular.

    Trajectories not ``underway`` (n,) keep the generic matrix: their way back begins earlier.
    """
    size = r.shape[-1]
    eye = torch.eye(size, dtype=r.dtype, device=r.device)
    r = torch.where(underway[:, None, None], r, eye)
    # A diagonal entry below the rounding of its column is zero, and has no direction to bring back.
    diagonal = r.diagonal(dim1=-2, dim2=-1)
    zero = diagonal <= 2 * size * torch.finfo(r.dtype).eps * r.abs().amax(-2)  # (n, k)
    solved = torch.linalg.solve_triangular(
        torch.where(zero[:, None, :] & (eye > 0), eye, r), c, upper=True
    )
    solved = solved / solved.abs().amax(-2, keepdim=True)  # no overflow in the norm
    solved = solved / torch.linalg.vector_norm(solved, dim=-2, keepdim=True)
    gone = (zero.cummax(-1)[0] | ~solved.isfinite().all(-2)) & underway[:, None]
    return torch.where((gone | ~underway[:, None])[:, None, :], generic, solved), gone


def _generic(count):
    """Return a random upper triangular C (k, k), columns of norm 1 none near the span before it."""
    random = np.random.default_rng([0, count, 4]).standard_normal((count, count))
    c = torch.from_numpy(np.triu(random, 1) / math.sqrt(count) + np.eye(count))
    return c / torch.linalg.vector_norm(c, dim=0)


def _left(jacobian):
    """Return bases of the leading left eigenvectors (n, P, P), and |multipliers| (n, P)."""
    scale = jacobian.abs().amax((-2, -1), keepdim=True)
    if bool(((jacobian - jacobian.mT).abs() <= 1e-12 * scale).all()):
        values, vectors = torch.linalg.eigh((jacobian + jacobian.mT) / 2)
    else:
        values, vectors = torch.linalg.eig(jacobian.mT)
        # A complex pair spans the plane of its real and imaginary part; the second of the pair has
        # the same ones.
        vectors = torch.where(values.imag[:, None, :] < 0, vectors.imag, vectors.real)
    order = values.abs().argsort(dim=-1, descending=True, stable=True)  # (n, P)
    vectors = vectors.gather(2, order[:, None, :].expand_as(vectors))
    return torch.linalg.qr(vectors)[0], values.abs().gather(1, order)


def _intersections(products):
    """Return upper triangular c_i (n, k, k), rows j < i of ``products`` c_i zero; and 1/σ."""
    n, size, count = products.shape
    c = products.new_zeros(n, count, count)
    condition = products.new_ones(n, count)
    c[:, 0, 0] = 1.0
    for i in range(1, count):
        # i conditions on i + 1 numbers; the SVD finds their null vector to rounding, near a
        # tangency too.
        _, sigma, right = torch.linalg.svd(products[:, :i, : i + 1])
        null = right[:, -1]  # (n, i + 1)
        c[:, : i + 1, i] = null * torch.where(null[:, -1:] < 0, -1.0, 1.0)
        condition[:, i] = 1 / sigma[:, -1]
    return c, condition
