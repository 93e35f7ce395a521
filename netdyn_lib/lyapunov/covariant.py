"""Covariant Lyapunov vectors by Ginelli's method, for ensembles.

A frame turned by QR forgets how it started: J(t) Q(t) = Q(t + 1) R(t), and the
first i columns of Q(t) span what has grown most in the past.  Vectors
v(t) = Q(t) C(t) with R(t) C(t) ∝ C(t + 1) column by column are carried onto each other by J;
iterated backwards, any upper triangular C tends to the one of the covariant
vectors (Ginelli et al., PRL 99, 130601, 2007; J. Phys. A 46, 254005, 2013).

Covariant vectors with no future: what they would be if the tangent map stayed as it is now.

A covariant vector needs the future, and so knows how a run ends.  Here the
future is guessed instead: all Jacobians from step t on are taken to be J(t).
The past is as it was, in the frame Q(t) of forward QR.  This variant is ours.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from .. import torch_utils
from ..torch_utils import Stopped
from ..validation import floats, whole
from .qr import orthonormalise, start_frame, states
from .tangent_vectors import Rows, sees_rows

_BYTES = (10_000_000, 1_000_000)  # of the frames of a chunk, on other devices and on a processor
_KEPT = ("vectors", "frames", "states", "growth", "residuals", "log_growth")
_NUMBERS = ("growth", "residuals", "log_growth")


@dataclass(frozen=True)
class Moment:
    """What an observer sees at one step ``time``, of the trajectories ``rows``, a slice.

    ``states`` (n, P), ``frames`` (n, P, k), ``vectors`` (n, P, k), ``growth``,
    ``residuals`` and ``log_growth`` (n, k): tensors, as in :class:`CovariantVectors`, of one step.
    """

    time: int
    rows: slice
    states: torch.Tensor
    frames: torch.Tensor
    vectors: torch.Tensor
    growth: torch.Tensor
    residuals: torch.Tensor
    log_growth: torch.Tensor


@dataclass(frozen=True)
class CovariantVectors:
    """The first k covariant Lyapunov vectors of n trajectories at T steps.

    ``times`` (T,) are the steps.  ``vectors`` (T, n, P, k) has v_i(t), of norm 1, in column i;
    ``frames`` (T, n, P, k) the frames Q(t) of the past alone, and ``states`` (T, n, P) the states;
    these three are tensors on the processor, and None where nothing was to be kept.  ``growth`` (T,
    n, k) is ln|J(t) v_i(t)| per step, from the map itself.  ``residuals`` (T, n, k) is the
    covariance defect min over signs of | J v_i(t)/|J v_i(t)| ± v_i(t + interval) |: rounding times
    the condition of J and of the vectors, or something is wrong. ``log_growth`` (T, n, k) is Σ ln
    R_ii from step 0 on: Benettin's exponents, times the steps, of the same frame. ``observed`` (T,
    n, …) is what the observer gave back, or None.

    ``diverged_at`` (n,) is the first step at which a state or frame was not finite, −1 for never:
    states and frames are NaN from there on, and vectors where less than ``backward`` steps are left
    before it.  Seen at QR decompositions only.  ``singular_at`` (n,) is the last step at which the
    tangent map was singular to rounding on the frame, −1 for never: no vector can be brought back
    through it, so at and before it the vectors from the first singular column on are NaN.
    """

    times: np.ndarray
    vectors: torch.Tensor | None
    frames: torch.Tensor | None
    states: torch.Tensor | None
    growth: np.ndarray
    residuals: np.ndarray
    log_growth: np.ndarray
    observed: np.ndarray | None
    diverged_at: np.ndarray
    singular_at: np.ndarray


@dataclass(frozen=True)
class _Plan:
    """Steps in units of ``interval``."""

    interval: int
    forward: int
    start: int
    end: int
    margin: int  # steps of future that a vector must have
    wanted: frozenset
    checkpoint: int


def vectors(
    advance,
    params,
    start,
    stop,
    *,
    forward=0,
    backward=0,
    count=None,
    frame=None,
    at=None,
    interval=1,
    checkpoint=None,
    keep=True,
    observe=None,
    chunk=None,
    stop_when=None,
):
    """Covariant Lyapunov vectors along the trajectories of a map, from step ``start`` to step
    ``stop``.

    Memory grows as the square root of the number of steps: frames are
    held at checkpoints only, and made again between them on the way back.

    Parameters
    ----------
    advance : callable
        Takes (W (n, P), V (n, P, k)) to (F(W), J(W) V), as in
        :mod:`netdyn_lib.lyapunov.tangent_maps`; where it has a keyword ``rows``, it is given a
        :class:`~netdyn_lib.lyapunov.Rows` of the trajectories it sees.
    params : torch.Tensor
        (n, P) states at step −``forward``.
    start, stop : int
        First and last step at which vectors are wanted.
    forward : int
        Steps before step 0, for the state to come to its attractor while the
        frame turns.  With 0, as for descent from an initial condition, the past begins at step 0.
    backward : int
        Steps after ``stop``, for the vectors to forget how they began.  With
        0 there is no future at ``stop`` itself, and the vectors there are NaN.
    count : int, optional
        k; P where not given.
    frame : torch.Tensor, optional
        Q(−``forward``), (P, k) or (n, P, k), made orthonormal first; one random orthogonal frame
        for all where not given.
    at : sequence of int, optional
        The steps wanted between ``start`` and ``stop``; all of them where not given.
    interval : int
        Steps between QR decompositions; all other steps must be multiples of it.
    checkpoint : int, optional
        Intervals between checkpoints; the square root of all where not given.  It changes no bit on
        a processor.
    keep : bool
        Whether vectors, frames and states are kept.
    observe : callable, optional
        Takes a :class:`Moment`, last step first, to a tensor or array (n, …), or to None.
    chunk : int, optional
        Trajectories followed together.  By default all, for a map with a setting for each
        trajectory needs all together, unless it takes ``rows``: then about a megabyte of frames on
        a processor.
    stop_when : callable, optional
        Asked before every step; where it answers true, all is given up with
        :class:`~netdyn_lib.torch_utils.Stopped`.

    Returns
    -------
    CovariantVectors

    Raises
    ------
    ValueError
        For steps that are no whole numbers, not in order or no multiples of ``interval``; and for
        params or a frame as in :func:`~netdyn_lib.lyapunov.benettin.spectrum`.
    """
    params = states(params)
    n, size = params.shape
    plan = _plan(start, stop, forward, backward, at, interval, checkpoint)
    frame = start_frame(params, count, frame)
    generic = _generic(frame.shape[2]).to(params)
    takes_rows = sees_rows(advance)
    if chunk is None:
        chunk = (
            max(1, _BYTES[params.device.type == "cpu"] // (8 * size * frame.shape[2]))
            if takes_rows
            else n
        )
    chunk = whole(chunk, "chunk", 1)

    def follow(part):
        context = (
            {"rows": Rows(torch.arange(part.start, part.stop, device=params.device), n)}
            if takes_rows
            else {}
        )

        def step(state, vectors):
            if stop_when is not None and stop_when():
                raise Stopped("stopped on the way of covariant vectors")
            return advance(state, vectors, **context)

        with torch.no_grad():  # here, for each thread has its own
            return _sweep(step, params[part], frame[part], plan, generic, keep, observe, part)

    with torch_utils.pool(1, alone=params.device.type == "cpu") as pool:
        parts = list(pool.map(follow, [slice(a, min(a + chunk, n)) for a in range(0, n, chunk)]))

    def joined(name):
        if not all(name in moment for part in parts for moment in part[0]):
            return None
        return torch.cat([torch.stack([moment[name] for moment in part[0]]) for part in parts], 1)

    numbers = [
        None if (found := joined(name)) is None else found.numpy()
        for name in (*_NUMBERS, "observed")
    ]
    return CovariantVectors(
        np.array(sorted(plan.wanted)) * plan.interval,
        *(joined(name) for name in ("vectors", "frames", "states")),
        *numbers,
        *(torch.cat([part[k] for part in parts]).numpy() for k in (1, 2)),
    )


def _sweep(advance, state, frame, plan, generic, keep, observe, rows):
    """One chunk there and back: what is kept of each moment, in the order of time; diverged_at and
    singular_at.
    """
    n, device = len(state), state.device
    diverged = torch.full((n,), -1, device=device)

    def forth(state, frame, logs, first, last):
        """(W(t), Q(t), Σ ln R_ii, R(t)) from ``first`` to ``last``, where R is None."""
        for time in range(first, last + 1):
            if time == 0:
                logs = torch.zeros_like(logs)
            diverged[frame[:, 0, 0].isnan() & (diverged < 0)] = max(time, 0)
            following = (
                _turn(advance, state, frame, plan.interval) if time < last else (None, None, None)
            )
            yield state, frame, logs, following[2]
            if time < last:
                state, frame = following[:2]
                logs = logs + following[2].diagonal(dim1=-2, dim2=-1).log()

    def end(state, frame, logs, first, last):
        for step in forth(state, frame, logs, first, last):
            pass
        return step[:3]

    def needed(time, state, frame, logs, r):
        # Where no vector is wanted, the way back needs R alone; of the step after one, also the
        # frame.
        now = time in plan.wanted or time == plan.end
        return (
            state if now else None,
            frame if now or time - 1 in plan.wanted else None,
            logs if now else None,
            r,
        )

    frame = torch.where(state.isfinite().all(1)[:, None, None], frame, math.nan)
    zero = state.new_zeros(n, generic.shape[1])
    bounds = [*range(plan.start, plan.end, plan.checkpoint), plan.end]
    held = [end(state, frame, zero, -plan.forward, plan.start)]
    for first, last in zip(bounds[:-2], bounds[1:-1]):
        held.append(end(*held[-1], first, last))
    del state, frame

    moments = []

    def record(time, state, frame, logs, c, ahead, lost):
        v = torch.bmm(frame, c)
        growth, residuals = _check(advance, state, v, ahead, plan.interval)
        lost = lost | (time + plan.margin > begun)[:, None]  # (n, k)
        v = v.masked_fill(lost[:, None, :], math.nan)
        growth, residuals = (
            growth.masked_fill(lost, math.nan),
            residuals.masked_fill(lost, math.nan),
        )
        moment = Moment(time * plan.interval, rows, state, frame, v, growth, residuals, logs)
        seen = None if observe is None else observe(moment)
        kept = {name: _cpu(getattr(moment, name)) for name in _KEPT if keep or name in _NUMBERS}
        moments.append(kept if seen is None else kept | {"observed": _cpu(seen)})

    c = generic.expand(n, *generic.shape)
    lost = torch.zeros(n, generic.shape[1], dtype=torch.bool, device=device)
    singular = torch.full((n,), -1, device=device)
    path = None
    for first, last in zip(bounds[-2::-1], bounds[:0:-1]):
        path = [needed(first + k, *step) for k, step in enumerate(forth(*held.pop(), first, last))]
        if last == plan.end:
            # the step at which the way back begins
            begun = torch.where(diverged < 0, plan.end, diverged - 1)
            if last in plan.wanted:
                record(last, *path[-1][:3], c, None, lost)
        while len(path) > 1:
            after = path.pop()[1]
            state, frame, logs, r = path[-1]
            time = first + len(path) - 1
            wanted = time in plan.wanted
            ahead = torch.bmm(after, c) if wanted else None  # (n, P, k), v(t + 1)
            c, gone = _pull(r, c, generic, time < begun)
            lost = lost | gone
            singular[gone.any(1) & (singular < 0)] = time
            if wanted:
                record(time, state, frame, logs, c, ahead, lost)
    steps = torch.tensor(plan.interval, device=device)
    return moments[::-1], *(
        torch.where(at < 0, at, at * steps).cpu() for at in (diverged, singular)
    )


def _turn(advance, state, frame, interval):
    """``interval`` steps on: next state, Q and R; NaN from the first state on that is not finite."""
    for _ in range(interval):
        state, frame = advance(state, frame)
    good = state.isfinite().all(1)[:, None]
    q, r = orthonormalise(torch.where(good[..., None], frame, math.nan))
    return torch.where(good, state, math.nan), q, r


def _pull(r, c, generic, underway):
    """C(t) ∝ R(t)⁻¹ C(t + 1) with columns of norm 1, and which columns (n, k) R is too singular
    for.

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


def _check(advance, state, v, ahead, interval):
    """ln|J v| per step and the defect of J v against ``ahead``, v(t + interval): (n, k) each; NaN
    where there is no future.
    """
    if ahead is None:
        nothing = torch.full((len(v), v.shape[2]), math.nan, dtype=v.dtype, device=v.device)
        return nothing, nothing
    growth = 0.0
    for _ in range(interval):
        state, v = advance(state, v)
        norm = torch.linalg.vector_norm(v, dim=1, keepdim=True)  # (n, 1, k)
        v, growth = v / norm, growth + norm[:, 0].log()
    defects = [torch.linalg.vector_norm(v - sign * ahead, dim=1) for sign in (1, -1)]
    return growth / interval, torch.minimum(*defects)


def _generic(count):
    """Upper triangular (k, k), drawn from a seed, with columns of norm 1, none near the span of
    those before it.
    """
    draw = np.random.default_rng([0, count, 4]).standard_normal((count, count))
    c = torch.from_numpy(np.triu(draw, 1) / math.sqrt(count)) + torch.eye(
        count, dtype=torch.float64
    )
    return c / torch.linalg.vector_norm(c, dim=0)


def _plan(start, stop, forward, backward, at, interval, checkpoint):
    interval = whole(interval, "interval", 1)

    def units(value, name, least=0, most=None):
        value = whole(value, name, least, most)
        if value % interval:
            raise ValueError(
                f"{name} = {value}: must be a multiple of interval = {interval}, the steps between QR decompositions"
            )
        return value // interval

    first, last = units(start, "start"), units(stop, "stop", whole(start, "start"))
    forward, backward = units(forward, "forward"), units(backward, "backward")
    if last + backward == first:
        raise ValueError(
            f"stop = {stop} is start, and backward = 0: without a step of future there are no covariant vectors"
        )
    wanted = (
        range(first, last + 1)
        if at is None
        else {units(t, "at", start, stop) for t in np.ravel(at).tolist()}
    )
    if not wanted:
        raise ValueError("at is empty: there is no step at which vectors are wanted")
    length = last + backward - first
    checkpoint = (
        math.isqrt(length - 1) + 1 if checkpoint is None else whole(checkpoint, "checkpoint", 1)
    )
    return _Plan(
        interval, forward, first, last + backward, max(backward, 1), frozenset(wanted), checkpoint
    )


def _cpu(values):
    return torch.as_tensor(values).cpu()


@dataclass(frozen=True)
class FrozenFuture:
    """Frozen-future covariant vectors of n trajectories at one step.

    ``vectors`` (n, P, k): v_i, of norm 1, in column i.  ``growth`` (n, k): ln|J v_i|.
    ``multipliers`` (n, P): |eigenvalues| of J, descending.  ``condition`` (n, k): by how much an
    error of frame or eigenvectors is multiplied in v_i; infinite where past and future do not
    determine v_i. ``undetermined`` (n, k): v_i needs two multipliers told apart that are not; the
    vector given is one of many, yet the span of v_i and its undetermined successors is determined.
    NaN rows of frames or Jacobians stay NaN.
    """

    vectors: torch.Tensor
    growth: np.ndarray
    multipliers: np.ndarray
    condition: np.ndarray
    undetermined: np.ndarray


def frozen_future(frame, jacobian, within=1e-9):
    """Ginelli's vectors at time t for a future in which all Jacobians are J(t).

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

    Returns
    -------
    FrozenFuture

    Raises
    ------
    ValueError
        For shapes that do not fit each other, a frame whose columns are not
        orthonormal, or ``within`` that is negative or NaN.
    """
    frame, jacobian = floats(frame), floats(jacobian)
    n, size, count = frame.shape if frame.dim() == 3 else (0, 0, 0)
    if jacobian.shape != (n, size, size) or not 1 <= count <= size or n == 0:
        raise ValueError(
            f"frame of shape {tuple(frame.shape)} and jacobian of shape {tuple(jacobian.shape)}: expected (n, P, k) and (n, P, P), k ≤ P"
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
            f"frame has columns that are not orthonormal (by {defect:.1e}, bound 1e-6): give the Q of a QR decomposition"
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
        *((values + nan).cpu().numpy() for values in (growth, multipliers, condition)),
        (undetermined & good[:, None]).cpu().numpy(),
    )


def _left(jacobian):
    """Orthonormal bases of the leading left eigenvectors, in columns (n, P, P), and |multipliers|
    (n, P), descending.
    """
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
    """Columns c_i (n, k, k), upper triangular, with rows j < i of ``products`` c_i zero; and 1/σ,
    how well they are determined.
    """
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
