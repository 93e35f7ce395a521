"""Finite-time Lyapunov exponents of mini-batch descent along training, and whether its subspaces stand still.

Y(t) = J(t − 1) … J(0), J = I − γH of the batch of a step.  H's Lyapunov matrix Λ(t) = ln(YᵀY)/2t has the eigenvalues
ln σ_i(Y(t))/t, and no other numbers are what growth since the start is.  Three ways to them:

*   eigh(YᵀY) squares σ, and loses all below 1e-8 of the largest.
*   QR of a random frame (Benettin) needs a frame that has turned: only where the σ lie far apart is ln R_ii near ln σ_i.  At a
    rate of 1e-3 they are within e^±1 for epochs, and a vector that is drawn at random among many neutral directions says almost nothing.
*   Here all exponents come of Y = Q D T, by QR every few steps and exact to rounding (:mod:`netdyn_lib.tangent.singular`), the few leading
    ones of large networks of passes forwards and backwards, by block Krylov methods (Saad, Numerical Methods for Large Eigenvalue
    Problems, ch. 6), with bounds on their errors.

What the QR of one random frame gives is kept beside them, as ``qr``.  Σ_i ln R_ii = Σ_i ln σ_i = Σ ln|det J| for all P.
"""

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy.linalg import lapack
from tqdm import tqdm

from .. import low_rank, machine
from ..arms.measures import student
from ..checks import whole
from ..descent import quiet
from ..twins.directions import forward_step
from ..twins.reference import Reference
from . import stochastic
from .frames import orthonormalise, random_orthogonal
from .singular import Product

#: |ln σ| up to which a direction neither grows nor shrinks, as in :func:`netdyn_lib.twins.strategies`.
NEUTRAL = 1e-8
_ORDERS = 1000  # between the orders of samples of one seed and the next, as in netdyn_lib.arms.arm
_BLOCK = 8  # vectors taken along a run together: as long as one takes, or two


class _Part(Reference):
    """A run that begins at step ``first`` of its order of samples."""

    def __init__(self, *args, first=0, **options):
        self._first = first  # the run is made at once, and asks for its batches
        super().__init__(*args, **options)

    def part(self, step):
        return super().part(self._first + step)


def over_time(task, networks, rate, batch, steps, at, count=None, interval=10, seed=0, progress=None, sweeps=20, tolerance=1e-2):
    """Finite-time exponents of mini-batch descent, over [0, t] and over each stretch between successive t.

    Parameters
    ----------
    task : Task
        Without weight decay.
    networks : int
        How many; network k starts from ``task.initial(1, seed, k)`` and sees the order of samples ``1000 seed + k``, as in an arm.
    rate : float
        γ.
    batch, steps : int
        Samples of a batch; T.
    at : sequence of int
        The steps t, from 1 to T; T is one in any case.
    count : int, optional
        The leading k alone, by Hessian products; all P where not given, for some thousand parameters at most.
    interval : int
        Steps between QR decompositions.  As many as leave their product well conditioned, (1 + γ|λ|)^interval below 1e6, say: at a rate
        of 1e-3 some 100 are as good as 10, and for all P three times as fast.
    seed : int
    progress : bool, optional
        Show a progress bar; by default on a terminal only.
    sweeps, tolerance : int, float
        Of the leading ones: passes forwards and back with 8 vectors at most (and as many as k needs), and what the bound on ln σ may be,
        in units of the largest ln σ.

    Returns
    -------
    xarray.Dataset
        Per step: ``exponent`` (network, time, index) ln σ_i(Y(t))/t, descending; ``local`` likewise of the product of each stretch that
        ends at ``time``, of which those are lost that are below 1e-15 of the largest; ``qr`` (network, time, index) ln R_ii/t of one random
        frame; ``bound`` (network, time) on the error of all ln σ, of both kinds: 0 for all P.  Ritz values bound ln σ from below.

    Raises
    ------
    ValueError
        For numbers out of bounds, no t, or a run that overflows.

    All P: two QR decompositions and three products of P × P every ``interval`` steps, and a low-rank Hessian at each; so P³ decides.
    The leading k: 2 ``sweeps`` passes over the sum of all t, and over T once more.
    """
    began, networks = time.monotonic(), whole(networks, "networks", 1, _ORDERS - 1)
    steps, size = whole(steps, "steps", 1), task.network.count
    count = None if count is None else whole(count, "count", 1, size, "exponents of a space of that size")
    at = np.unique([steps, *(whole(t, "step in at", 1, steps, "the steps of the run") for t in np.ravel(at).tolist())])
    runs = {name: [] for name in ("exponent", "local", "qr", "bound")}
    with tqdm(total=networks * len(at), unit="time", disable=quiet(progress), leave=False) as bar, torch.no_grad():
        for k in range(networks):
            start = task.initial(1, seed, k, device=task.x.device)[0], rate, batch
            rows = _all(task, start, at, interval, _order(seed, k)) if count is None else _few(
                task, start, at, interval, _order(seed, k), count, whole(sweeps, "sweeps", 1), tolerance
            )  # fmt: skip
            for name, values in zip(runs, zip(*(bar.update() and row or row for row in rows))):
                runs[name].append(np.array(values))
    lengths = {"exponent": at, "local": np.diff(at, prepend=0), "qr": at}
    variables = {n: (("network", "time", "index"), np.stack(runs[n]) / length[:, None]) for n, length in lengths.items()}
    variables["bound"] = ("network", "time"), np.stack(runs["bound"])
    where = machine.describe(str(task.x.device))
    hours, device = (time.monotonic() - began) / 3600, where["device"] or where["processor"]
    about = f"{hours:.2g} h on {device}, commit {machine.commit()}, {datetime.now(UTC):%Y-%m-%d}"
    attrs = dict(task=task.name, data=task.split.provenance(), rate=rate, batch=batch, seed=seed, count=size if count is None else count)
    coords = {"network": np.arange(networks), "time": at, "index": np.arange(1, attrs["count"] + 1)}
    return xr.Dataset(variables, coords, attrs | dict(parameters=size, interval=interval, provenance=about))


def _all(task, start, at, interval, order):
    """ln σ_i of Y(t), of the stretch, and Σ ln R_ii of a random frame, (P,) each, and 0, at each t."""
    total, reference = _Whole(task, start, at, interval, order), None
    turned, grown = random_orthogonal(task.network.count).to(total.eye), 0.0
    stretch = total.eye
    for t, block in total.blocks():
        turned, r = orthonormalise((block @ turned)[None])
        turned, stretch = turned[0], block @ stretch
        with np.errstate(divide="ignore"):
            grown = grown + np.log(r[0].diagonal().cpu().numpy())
        if t in at:
            with np.errstate(divide="ignore"):
                yield total.singular()[0], np.log(torch.linalg.svdvals(stretch).cpu().numpy()), grown, 0.0
            stretch = total.eye


class _Whole:
    """Y(t) = Q D T of all P directions, along a run up to the last of ``at``."""

    def __init__(self, task, start, at, interval, order):
        params, rate, batch = start
        self.at, self._interval = at, whole(interval, "interval", 1)
        self.reference = Reference(task, params, rate, batch, int(at[-1]), order)
        self.eye = torch.eye(task.network.count).to(params)
        self._product, self._q = Product(params.new_zeros(1, len(params)), self.eye[None]), self.eye

    def blocks(self):
        """Pairs (t, product of J since the last pair) at every ``interval`` and each of ``at``; Y(t) is taken along."""
        block = self.eye
        for t, params in self.reference.weights():
            block = forward_step(self.reference, t, params, block)
            if (t + 1) % self._interval == 0 or t + 1 in self.at:
                self._q = self._product.multiply((block @ self._q)[None])[0]
                yield t + 1, block
                block = self.eye

    def singular(self, vectors=False):
        """ln σ (P,), descending, and the right singular vectors (P, P) where asked for."""
        m, t = self._product.m[0].cpu().numpy(), self._product.t[0].cpu().numpy()
        spread = m.max() - m.min()
        if not spread < 900:  # beyond what doubles hold, or a direction lost: slow, and without bounds
            logs, right = self._product.singular(vectors)
            return logs[0], right[0] if vectors else None
        rows = np.ldexp(t, (m - m.max()).astype(int)[:, None])
        if spread < 20:  # 1e-10 of each σ, at worst
            _, sizes, right = np.linalg.svd(rows) if vectors else (None, np.linalg.svd(rows, compute_uv=False), None)
            right = right.T if vectors else None
        else:  # preconditioned Jacobi rotations, for columns of all sizes
            sizes, right, _, work, _, info = lapack.dgejsv(rows.T, joba=0, jobu=0 if vectors else 3, jobv=3, jobr=0, jobt=0, jobp=0)
            if info:
                raise RuntimeError(f"dgejsv: info = {info}, the singular values of the product did not converge")
            sizes = sizes * (work[0] / work[1])
        return np.log(sizes) + m.max() * math.log(2), torch.from_numpy(np.ascontiguousarray(right)).to(self.eye) if vectors else None


def _few(task, start, at, interval, order, count, sweeps, tolerance):
    """The same of the k leading ones, (k,) each, and the larger bound on the error of the two ln σ."""
    params, rate, batch = start
    advance = stochastic.StochasticDescent(task, rate, batch, order)
    grown = stochastic.spectrum(advance, params[None], int(at[-1]), count, at=at, interval=interval, progress=False).log_growth[1:, 0]
    frame, here = None, params
    for first, t, qr in zip([0, *at[:-1].tolist()], at.tolist(), grown):
        part = _Part(task, here, rate, batch, t - first, order, first=first)
        here, local = part.final, _leading(part, count, sweeps, tolerance)
        found = local if first == 0 else _leading(Reference(task, params, rate, batch, t, order), count, sweeps, tolerance, frame)
        frame = found.vectors
        yield found.logs, local.logs, qr, max(found.bound, local.bound)


@dataclass(frozen=True)
class _Leading:
    """ln σ (k,) and initial directions (P, k); bounds on the error of ln σ, and on 1 − overlap of the span with the true one."""

    logs: np.ndarray
    vectors: torch.Tensor
    bound: float
    turn: float


def _leading(reference, count, sweeps, tolerance, start=None, turn=math.inf):
    """The leading directions of a run, by block Krylov: Rayleigh and Ritz with all of V, AV, A²V …, A = YᵀY.

    Where σ are all near 1, subspace iteration moves by next to nothing and seems converged.  A Krylov space is that of any A − c too.
    Ends where the residuals r = Au − θu bound ln σ = ln θ/2 to within ``tolerance`` of the largest, and the span to within ``turn``
    (Davis and Kahan).
    """
    size = reference.task.network.count
    width = min(size, _BLOCK)
    block = random_orthogonal(size, width).to(reference.final)
    if start is not None:  # of an earlier time
        block = orthonormalise((start[:, :width] if start.shape[1] >= width else torch.cat([start, block], 1)[:, :width])[None])[0][0]
    basis, images = block[:, :0], block[:, :0]
    for sweep in range(max(sweeps, -(-count // width))):
        image = _gram(reference, block)
        basis, images = torch.cat([basis, block], 1), torch.cat([images, image], 1)
        small = basis.T @ images
        values, turned = torch.linalg.eigh((small + small.T) / 2)
        values, turned = values.flip(0), turned.flip(1)
        if len(values) >= count:
            some = turned[:, :count]
            vectors = basis @ some
            sizes = (images @ some - vectors * values[:count]).norm(dim=0)
            bound = float((sizes / (2 * values[:count])).max())
            gap = float(values[count - 1] - values[count]) if len(values) > count else (math.inf if count == size else 0.0)
            moved = float(sizes.square().sum()) / (gap**2 * count) if gap > 0 else math.inf
            logs = values[:count].log() / 2
            if len(values) == size or (bound <= tolerance * abs(float(logs[0])) and moved <= turn):
                break
        block = _beyond(basis, image, min(width, size - basis.shape[1]), sweep)
    return _Leading(logs.cpu().numpy(), vectors, bound, moved)


def _gram(reference, frame):
    """YᵀY ``frame`` (P, k).  Raises FloatingPointError where it is beyond what doubles hold."""
    for t, params in reference.weights():
        frame = forward_step(reference, t, params, frame)
    for t, params in reference.weights(reverse=True):
        frame = forward_step(reference, t, params, frame)  # J is symmetric
    if not bool(frame.isfinite().all()):
        raise FloatingPointError(f"growth over {reference.steps} steps is beyond e^350, and its square beyond doubles: take fewer steps")
    return frame


def _beyond(basis, image, width, seed):
    """Up to ``width`` orthonormal columns (P, k) of an image's part outside of a ``basis``; where nothing is left, random ones."""
    draw = random_orthogonal(len(basis), width, seed + 1).to(basis)
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


def _share(one, other):
    """‖VᵀW‖²_F/k, the mean share of the k columns of W (P, k) that lies in the span of V, both orthonormal; NaN for no columns."""
    return float((one.T @ other).square().sum()) / other.shape[1] if other.shape[1] else math.nan


def _order(seed, network):
    return _ORDERS * whole(seed, "seed") + network


def stabilising(task, network, rate, batch, times, count, seed=0, whole_up_to=700, interval=10, sweeps=30, turning=1e-2):
    """Do the eigenspaces of Λ(t) stand still (H, appendix C.2)?  Overlaps of those at successive times.

    With V(t) the right singular vectors of Y(t), the overlap is ‖V(t)ᵀV(t′)‖²_F/k(t′): the mean share of the later directions that lies
    within the earlier subspace.  Random subspaces have k(t)/P, ``chance``.

    Parameters
    ----------
    task, rate, batch, seed, interval
        As for :func:`over_time`; ``network`` is the number of one.
    times : sequence of int
        At least two steps.
    count : int
        k of the leading directions.
    whole_up_to : int
        Parameters up to which all directions are taken, and also those with ln σ > :data:`NEUTRAL`, ``chaotic``, with ln σ below
        minus that, ``contracting``, and all that are not chaotic, ``non-chaotic``.
    sweeps, turning : int, float
        Of larger networks: passes at most, and the bound on 1 − overlap with the true span up to which it counts as converged.

    Returns
    -------
    pandas.DataFrame
        A row for each ``subspace`` and pair ``time``, ``later``: ``earlier k``, ``k``, ``overlap``, ``chance``, ``converged``.
        Directions with σ that are alike belong to no span of few: see whether ``converged``.

    Raises
    ------
    ValueError
        For fewer than two times; as :func:`over_time`.
    """
    times = _several(times)
    size, order = task.network.count, _order(seed, whole(network, "network"))
    count = whole(count, "count", 1, size, "directions of a space of that size")
    params = task.initial(1, seed, network, device=task.x.device)[0]
    spans = []
    with torch.no_grad():
        if size <= whole_up_to:
            total = _Whole(task, (params, rate, batch), times, interval, order)
            for t, _ in total.blocks():
                if t in times:
                    logs, right = total.singular(True)
                    masks = {"chaotic": logs > NEUTRAL, "non-chaotic": logs <= NEUTRAL, "contracting": logs < -NEUTRAL}
                    apart = bool(logs[count - 1] - logs[min(count, size - 1)] > NEUTRAL) or count == size
                    parts = {name: (right[:, torch.from_numpy(mask)], True) for name, mask in masks.items()}
                    spans.append({"leading": (right[:, :count], apart)} | parts)
        else:
            frame = None
            for t in times:
                found = _leading(Reference(task, params, rate, batch, t, order), count, sweeps, math.inf, frame, turning)
                frame = found.vectors
                spans.append({"leading": (frame, found.turn <= turning)})
    return _pairs(times, spans, size)


def _pairs(times, spans, size):
    rows = []
    for a, b, one, other in zip(times, times[1:], spans, spans[1:]):
        for name, ((v, good), (w, fine)) in ((name, (one[name], other[name])) for name in one):
            numbers = {"earlier k": v.shape[1], "k": w.shape[1], "overlap": _share(v, w), "chance": v.shape[1] / size}
            rows.append({"subspace": name, "time": a, "later": b} | numbers | {"converged": good and fine})
    return pd.DataFrame(rows).set_index(["subspace", "time"])


def hessian_subspaces(task, network, rate, batch, times, lag, seed=0):
    """Do the eigenspaces of one batch's Hessian stand still while the network goes on?

    For the batch of each step t of ``times``, kept as it is: its negative and positive eigenspaces at W(t) and at W(t + ``lag``).

    Returns
    -------
    pandas.DataFrame
        A row for each ``class`` and ``time``: ``earlier k``, ``k``, the ``overlap`` as of :func:`stabilising`, ``chance`` of subspaces of
        all P dimensions, k/P, and ``chance in range``, k/m: both lie in the few m dimensions in which the batch acts, whatever the network.

    Raises ValueError as :func:`over_time`.
    """
    times, lag = _several(times, 0, 1), whole(lag, "lag", 1)
    wanted = {*times, *(t + lag for t in times)}
    params = task.initial(1, seed, network, device=task.x.device)[0]
    reference = Reference(task, params, rate, batch, max(wanted), _order(seed, whole(network, "network")))
    states = {t: w for t, w in reference.weights() if t in wanted} | {max(wanted): reference.final}
    rows = []
    for t in times:
        found = [low_rank.spectrum(reference.part(t), states[s]) for s in (t, t + lag)]
        for name in ("negative", "positive"):
            v, w = (one.basis[:, torch.from_numpy(getattr(one.classes(rate), name))] for one in found)
            chances = {"chance": v.shape[1] / found[0].size, "chance in range": v.shape[1] / len(v)}
            rows.append({"class": name, "time": t, "earlier k": v.shape[1], "k": w.shape[1], "overlap": _share(v, w)} | chances)
    return pd.DataFrame(rows).set_index(["class", "time"])


def _several(times, least=1, number=2):
    times = sorted({whole(t, "time", least) for t in np.ravel(times).tolist()})
    if len(times) < number:
        raise ValueError(f"{len(times)} different times: give at least {number}")
    return times


def positive_count(data):
    """How many of the exponents over [0, t] are positive, t λ > :data:`NEUTRAL`: a DataArray (network, time); of those that are known."""
    return (data["exponent"] * data["time"] > NEUTRAL).sum("index")


def largest_early(data):
    """The largest exponent over the first stretch, per step, an Interval over networks."""
    return student(data["exponent"].isel(index=0, time=0))


def late(data):
    """The largest exponent of the last stretch alone, per step, an Interval over networks."""
    return student(data["local"].isel(index=0, time=-1))


def decay(data):
    """The largest exponent over [0, T] over that over the first stretch, an Interval over networks; 1 where growth goes on as it began."""
    largest = data["exponent"].isel(index=0)
    return student(largest.isel(time=-1) / largest.isel(time=0))


def never_below_zero(data, what="local"):
    """Share of the stretches in which the largest exponent is positive, an Interval over networks.

    ``local`` is the largest of all directions in a stretch by itself: it is never below 0 where some direction is neutral.  ``qr`` is
    that of a perturbation that was drawn at random at the start and has grown or shrunk since.
    """
    if what == "local":
        growth = data["local"].isel(index=0) * _lengths(data)
    elif what == "qr":
        sums = data["qr"].isel(index=0) * data["time"]
        growth = sums - sums.shift(time=1, fill_value=0)
    else:
        raise ValueError(f"what = {what!r}: must be local or qr")
    return student((growth > NEUTRAL).mean("time"))


def _lengths(data):
    return xr.DataArray(np.diff(data["time"], prepend=0), dims="time")


def extremes(data):
    """Of each time: the largest and smallest exponent over [0, t], per step, and the number positive, means over networks; a DataFrame.

    ``smallest`` is NaN where the leading ones alone are known; then ``positive`` is of these.
    """
    whole_known = data.attrs["count"] == data.attrs["parameters"]
    values = data["exponent"].mean("network")
    smallest = values.isel(index=-1).values if whole_known else np.full(len(data["time"]), np.nan)
    columns = {"largest": values.isel(index=0), "smallest": smallest, "positive": positive_count(data).mean("network")}
    return pd.DataFrame(columns, index=pd.Index(data["time"].values, name="step"))
