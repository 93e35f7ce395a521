"""Finite-time Lyapunov exponents of mini-batch descent along training.

Y(t) = J(t − 1) … J(0), J = I − γH of the batch of a step.  H's Lyapunov matrix Λ(t) = ln(YᵀY)/2t
has the eigenvalues ln σ_i(Y(t))/t, and no other numbers are what growth since the start is.  Three
ways to them:

*   eigh(YᵀY) squares σ, and loses all below 1e-8 of the largest.
*   QR of a random frame (Benettin) needs a frame that has turned: only where the σ lie far apart is ln R_ii near ln σ_i.  At a
    rate of 1e-3 they are within e^±1 for epochs, and a vector that is drawn at random among many
    neutral directions says almost nothing.
*   Here all exponents come of Y = Q D T, by QR every few steps and exact to rounding (:mod:`netdyn_lib.lyapunov.singular_values`), the few leading
    ones of large networks of passes forwards and backwards, by block Krylov methods with bounds on
    their errors (:mod:`netdyn_lib.lyapunov.singular_values`).

What the QR of one random frame gives is kept beside them, as ``qr``.  Σ_i ln R_ii = Σ_i ln σ_i = Σ
ln|det J| for all P.

Whether the subspaces of mini-batch descent stand still: those of the Lyapunov matrix, and those
of one batch's Hessian (H, appendix C.2).
"""

import math
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy.linalg import lapack
from tqdm import tqdm

from .. import torch_utils
from ..curvature import batch_hessian, jacobian
from ..curvature.jacobian import forward_step
from ..lyapunov import singular_values
from ..lyapunov.qr import orthonormalise, random_orthogonal
from ..lyapunov.singular_values import Product
from ..results import datasets, provenance
from ..statistics.intervals import student
from ..torch_utils import quiet
from ..training import minibatches
from ..training.minibatches import Reference
from ..validation import whole

_SHELF = datasets.Shelf("spectra")
publish, published = _SHELF.publish, _SHELF.published
#: |ln σ| up to which a direction neither grows nor shrinks, as in
#: :func:`netdyn_lib.experiments.perturbation_growth.strategies`.
NEUTRAL = 1e-8


class _Part(Reference):
    """A run that begins at step ``first`` of its order of samples."""

    def __init__(self, *args, first=0, **options):
        self._first = first  # the run is made at once, and asks for its batches
        super().__init__(*args, **options)

    def part(self, step):
        return super().part(self._first + step)


@torch_utils.one()
def over_time(
    task,
    networks,
    rate,
    batch,
    steps,
    at,
    count=None,
    interval=10,
    seed=0,
    progress=None,
    sweeps=20,
    tolerance=1e-2,
):
    """Finite-time exponents of mini-batch descent, over [0, t] and over each stretch between
    successive t.

    Parameters
    ----------
    task : Task
        Without weight decay.
    networks : int
        How many; network k starts from ``task.initial(1, seed, k)`` and sees the order of samples
        ``1000 seed + k``, as in an arm.
    rate : float
        γ.
    batch, steps : int
        Samples of a batch; T.
    at : sequence of int
        The steps t, from 1 to T; T is one in any case.
    count : int, optional
        The leading k alone, by Hessian products; all P where not given, for some thousand
        parameters at most.
    interval : int
        Steps between QR decompositions.  As many as leave their product well conditioned, (1 +
        γ|λ|)^interval below 1e6, say: at a rate of 1e-3 some 100 are as good as 10, and for all P
        three times as fast.
    seed : int
    progress : bool, optional
        Show a progress bar; by default on a terminal only.
    sweeps, tolerance : int, float
        Of the leading ones: passes forwards and back with 8 vectors at most (and as many as k
        needs), and what the bound on ln σ may be, in units of the largest ln σ.

    Returns
    -------
    xarray.Dataset
        Per step: ``exponent`` (network, time, index) ln σ_i(Y(t))/t, descending; ``local`` likewise
        of the product of each stretch that ends at ``time``, of which those are lost that are below
        1e-15 of the largest; ``qr`` (network, time, index) ln R_ii/t of one random frame; ``bound``
        (network, time) on the error of all ln σ, of both kinds: 0 for all P.  Ritz values bound ln
        σ from below.

    Raises
    ------
    ValueError
        For numbers out of bounds, no t, or a run that overflows.

    All P: two QR decompositions and three products of P × P every ``interval`` steps, and a
    low-rank Hessian at each; so P³ decides. The leading k: 2 ``sweeps`` passes over the sum of all
    t, and over T once more.
    """
    began, networks = time.monotonic(), whole(networks, "networks", 1)
    steps, size = whole(steps, "steps", 1), task.network.count
    count = (
        None
        if count is None
        else whole(count, "count", 1, size, "exponents of a space of that size")
    )
    at = np.unique(
        [
            steps,
            *(
                whole(t, "step in at", 1, steps, "the steps of the run")
                for t in np.ravel(at).tolist()
            ),
        ]
    )
    runs = {name: [] for name in ("exponent", "local", "qr", "bound")}
    with (
        tqdm(total=networks * len(at), unit="time", disable=quiet(progress), leave=False) as bar,
        torch.no_grad(),
    ):
        for k in range(networks):
            start = task.initial(1, seed, k, device=task.x.device)[0], rate, batch
            rows = (
                _all(task, start, at, interval, minibatches.order_of(seed, k))
                if count is None
                else _few(
                    task,
                    start,
                    at,
                    interval,
                    minibatches.order_of(seed, k),
                    count,
                    whole(sweeps, "sweeps", 1),
                    tolerance,
                )
            )
            for name, values in zip(runs, zip(*(bar.update() and row or row for row in rows))):
                runs[name].append(np.array(values))
    lengths = {"exponent": at, "local": np.diff(at, prepend=0), "qr": at}
    variables = {
        n: (("network", "time", "index"), np.stack(runs[n]) / length[:, None])
        for n, length in lengths.items()
    }
    variables["bound"] = ("network", "time"), np.stack(runs["bound"])
    where = provenance.describe(str(task.x.device))
    hours, device = (time.monotonic() - began) / 3600, where["device"] or where["processor"]
    about = f"{hours:.2g} h on {device}, commit {provenance.commit()}, {datetime.now(UTC):%Y-%m-%d}"
    attrs = dict(
        task=task.name,
        data=task.split.provenance(),
        rate=rate,
        batch=batch,
        seed=seed,
        count=size if count is None else count,
    )
    coords = {"network": np.arange(networks), "time": at, "index": np.arange(1, attrs["count"] + 1)}
    return xr.Dataset(
        variables, coords, attrs | dict(parameters=size, interval=interval, provenance=about)
    )


def _all(task, start, at, interval, order):
    """ln σ_i of Y(t), of the stretch, and Σ ln R_ii of a random frame, (P,) each, and 0, at each t."""
    total, reference = Whole(task, start, at, interval, order), None
    turned, grown = random_orthogonal(task.network.count).to(total.eye), 0.0
    stretch = total.eye
    for t, block in total.blocks():
        turned, r = orthonormalise((block @ turned)[None])
        turned, stretch = turned[0], block @ stretch
        with np.errstate(divide="ignore"):
            grown = grown + np.log(r[0].diagonal().cpu().numpy())
        if t in at:
            with np.errstate(divide="ignore"):
                yield (
                    total.singular()[0],
                    np.log(torch.linalg.svdvals(stretch).cpu().numpy()),
                    grown,
                    0.0,
                )
            stretch = total.eye


class Whole:
    """Y(t) = Q D T of all P directions, along a run up to the last of ``at``."""

    def __init__(self, task, start, at, interval, order):
        params, rate, batch = start
        self.at, self._interval = at, whole(interval, "interval", 1)
        self.reference = Reference(task, params, rate, batch, int(at[-1]), order)
        self.eye = torch.eye(task.network.count).to(params)
        self._product, self._q = Product(params.new_zeros(1, len(params)), self.eye[None]), self.eye

    def blocks(self):
        """Pairs (t, product of J since the last pair) at every ``interval`` and each of ``at``;
        Y(t) is taken along.
        """
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
        # beyond what doubles hold, or a direction lost: slow, and without bounds
        if not spread < 900:
            logs, right = self._product.singular(vectors)
            return logs[0], right[0] if vectors else None
        rows = np.ldexp(t, (m - m.max()).astype(int)[:, None])
        if spread < 20:  # 1e-10 of each σ, at worst
            _, sizes, right = (
                np.linalg.svd(rows)
                if vectors
                else (None, np.linalg.svd(rows, compute_uv=False), None)
            )
            right = right.T if vectors else None
        else:  # preconditioned Jacobi rotations, for columns of all sizes
            sizes, right, _, work, _, info = lapack.dgejsv(
                rows.T, joba=0, jobu=0 if vectors else 3, jobv=3, jobr=0, jobt=0, jobp=0
            )
            if info:
                raise RuntimeError(
                    f"dgejsv: info = {info}, the singular values of the product did not converge"
                )
            sizes = sizes * (work[0] / work[1])
        return np.log(sizes) + m.max() * math.log(2), torch.from_numpy(
            np.ascontiguousarray(right)
        ).to(self.eye) if vectors else None


def _few(task, start, at, interval, order, count, sweeps, tolerance):
    """The same of the k leading ones, (k,) each, and the larger bound on the error of the two ln σ."""
    params, rate, batch = start
    advance = jacobian.StochasticDescent(task, rate, batch, order)
    grown = jacobian.spectrum(
        advance, params[None], int(at[-1]), count, at=at, interval=interval, progress=False
    ).log_growth[1:, 0]
    frame, here = None, params
    for first, t, qr in zip([0, *at[:-1].tolist()], at.tolist(), grown):
        part = _Part(task, here, rate, batch, t - first, order, first=first)
        here, local = part.final, leading(part, count, sweeps, tolerance)
        found = (
            local
            if first == 0
            else leading(
                Reference(task, params, rate, batch, t, order), count, sweeps, tolerance, frame
            )
        )
        frame = found.vectors
        yield found.logs, local.logs, qr, max(found.bound, local.bound)


def leading(reference, count, sweeps, tolerance, start=None, turn=math.inf):
    """The leading directions of a run, :class:`netdyn_lib.lyapunov.singular_values.Leading` of YᵀY;
    parameters as there.
    """
    return singular_values.leading(
        lambda frame: _gram(reference, frame),
        reference.final,
        count,
        sweeps,
        tolerance,
        start,
        turn,
    )


def _gram(reference, frame):
    """YᵀY ``frame`` (P, k)."""
    for t, params in reference.weights():
        frame = forward_step(reference, t, params, frame)
    for t, params in reference.weights(reverse=True):
        frame = forward_step(reference, t, params, frame)  # J is symmetric
    return frame


def positive_count(data):
    """How many of the exponents over [0, t] are positive, t λ > :data:`NEUTRAL`: a DataArray
    (network, time); of those that are known.
    """
    return (data["exponent"] * data["time"] > NEUTRAL).sum("index")


def largest_early(data):
    """The largest exponent over the first stretch, per step, an Interval over networks."""
    return student(data["exponent"].isel(index=0, time=0))


def late(data):
    """The largest exponent of the last stretch alone, per step, an Interval over networks."""
    return student(data["local"].isel(index=0, time=-1))


def decay(data):
    """The largest exponent over [0, T] over that over the first stretch, an Interval over networks;
    1 where growth goes on as it began.
    """
    largest = data["exponent"].isel(index=0)
    return student(largest.isel(time=-1) / largest.isel(time=0))


def never_below_zero(data, what="local"):
    """Share of the stretches in which the largest exponent is positive, an Interval over networks.

    ``local`` is the largest of all directions in a stretch by itself: it is never below 0 where
    some direction is neutral.  ``qr`` is that of a perturbation that was drawn at random at the
    start and has grown or shrunk since.
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
    """Of each time: the largest and smallest exponent over [0, t], per step, and the number
    positive, means over networks; a DataFrame.

    ``smallest`` is NaN where the leading ones alone are known; then ``positive`` is of these.
    """
    whole_known = data.attrs["count"] == data.attrs["parameters"]
    values = data["exponent"].mean("network")
    smallest = values.isel(index=-1).values if whole_known else np.full(len(data["time"]), np.nan)
    columns = {
        "largest": values.isel(index=0),
        "smallest": smallest,
        "positive": positive_count(data).mean("network"),
    }
    return pd.DataFrame(columns, index=pd.Index(data["time"].values, name="step"))


def saw(data):
    """What was seen of the largest exponents, in words."""
    largest, times = data["exponent"].isel(index=0).mean("network"), data["time"].values
    first, last = (
        f"{float(largest.isel(time=k)):.2g} per step over [0, {times[k]:,}]" for k in (0, -1)
    )
    alone = float(data["local"].isel(index=0, time=-1).mean("network"))
    count = float(positive_count(data).isel(time=-1).mean())
    return f"The largest is {first} and {last}; {alone:.2g} over the last stretch alone; {count:.0f} of {data.sizes['index']:,} are positive at the end."


@torch_utils.one()
def overlaps(
    task,
    network,
    rate,
    batch,
    times,
    count,
    seed=0,
    whole_up_to=700,
    interval=10,
    sweeps=30,
    turning=1e-2,
):
    """Do the eigenspaces of Λ(t) stand still (H, appendix C.2)?  Overlaps of those at successive
    times.

    With V(t) the right singular vectors of Y(t), the overlap is ‖V(t)ᵀV(t′)‖²_F/k(t′): the mean
    share of the later directions that lies within the earlier subspace.  Random subspaces have
    k(t)/P, ``chance``.

    Parameters
    ----------
    task, rate, batch, seed, interval
        As for :func:`netdyn_lib.experiments.sgd_spectra.over_time`; ``network`` is the number of
        one.
    times : sequence of int
        At least two steps.
    count : int
        k of the leading directions.
    whole_up_to : int
        Parameters up to which all directions are taken, and also those with ln σ >
        :data:`~netdyn_lib.experiments.sgd_spectra.NEUTRAL`, ``chaotic``, with ln σ below minus
        that, ``contracting``, and all that are not chaotic, ``non-chaotic``.
    sweeps, turning : int, float
        Of larger networks: passes at most, and the bound on 1 − overlap with the true span up to
        which it counts as converged.

    Returns
    -------
    pandas.DataFrame
        A row for each ``subspace`` and pair ``time``, ``later``: ``earlier k``, ``k``, ``overlap``,
        ``chance``, ``converged``. Directions with σ that are alike belong to no span of few: see
        whether ``converged``.

    Raises
    ------
    ValueError
        For fewer than two times; as :func:`netdyn_lib.experiments.sgd_spectra.over_time`.
    """
    times = _several(times)
    size, order = task.network.count, minibatches.order_of(seed, network)
    count = whole(count, "count", 1, size, "directions of a space of that size")
    params = task.initial(1, seed, network, device=task.x.device)[0]
    spans = []
    with torch.no_grad():
        if size <= whole_up_to:
            total = Whole(task, (params, rate, batch), times, interval, order)
            for t, _ in total.blocks():
                if t in times:
                    logs, right = total.singular(True)
                    masks = {
                        "chaotic": logs > NEUTRAL,
                        "non-chaotic": logs <= NEUTRAL,
                        "contracting": logs < -NEUTRAL,
                    }
                    apart = (
                        bool(logs[count - 1] - logs[min(count, size - 1)] > NEUTRAL)
                        or count == size
                    )
                    parts = {
                        name: (right[:, torch.from_numpy(mask)], True)
                        for name, mask in masks.items()
                    }
                    spans.append({"leading": (right[:, :count], apart)} | parts)
        else:
            frame = None
            for t in times:
                found = leading(
                    Reference(task, params, rate, batch, t, order),
                    count,
                    sweeps,
                    math.inf,
                    frame,
                    turning,
                )
                frame = found.vectors
                spans.append({"leading": (frame, found.turn <= turning)})
    return _pairs(times, spans, size)


def _pairs(times, spans, size):
    rows = []
    for a, b, one, other in zip(times, times[1:], spans, spans[1:]):
        for name, ((v, good), (w, fine)) in ((name, (one[name], other[name])) for name in one):
            numbers = {
                "earlier k": v.shape[1],
                "k": w.shape[1],
                "overlap": _share(v, w),
                "chance": v.shape[1] / size,
            }
            rows.append(
                {"subspace": name, "time": a, "later": b} | numbers | {"converged": good and fine}
            )
    return pd.DataFrame(rows).set_index(["subspace", "time"])


@torch_utils.one()
def of_hessian(task, network, rate, batch, times, lag, seed=0):
    """Do the eigenspaces of one batch's Hessian stand still while the network goes on?

    For the batch of each step t of ``times``, kept as it is: its negative and positive eigenspaces
    at W(t) and at W(t + ``lag``).

    Returns
    -------
    pandas.DataFrame
        A row for each ``class`` and ``time``: ``earlier k``, ``k``, the ``overlap`` as of
        :func:`overlaps`, ``chance`` of subspaces of all P dimensions, k/P, and ``chance in range``,
        k/m: both lie in the few m dimensions in which the batch acts, whatever the network.

    Raises ValueError as :func:`netdyn_lib.experiments.sgd_spectra.over_time`.
    """
    times, lag = _several(times, 0, 1), whole(lag, "lag", 1)
    wanted = {*times, *(t + lag for t in times)}
    params = task.initial(1, seed, network, device=task.x.device)[0]
    reference = Reference(
        task, params, rate, batch, max(wanted), minibatches.order_of(seed, network)
    )
    states = {t: w for t, w in reference.weights() if t in wanted} | {max(wanted): reference.final}
    rows = []
    for t in times:
        found = [batch_hessian.spectrum(reference.part(t), states[s]) for s in (t, t + lag)]
        for name in ("negative", "positive"):
            v, w = (
                one.basis[:, torch.from_numpy(getattr(one.classes(rate), name))] for one in found
            )
            chances = {"chance": v.shape[1] / found[0].size, "chance in range": v.shape[1] / len(v)}
            rows.append(
                {
                    "class": name,
                    "time": t,
                    "earlier k": v.shape[1],
                    "k": w.shape[1],
                    "overlap": _share(v, w),
                }
                | chances
            )
    return pd.DataFrame(rows).set_index(["class", "time"])


def _several(times, least=1, number=2):
    times = sorted({whole(t, "time", least) for t in np.ravel(times).tolist()})
    if len(times) < number:
        raise ValueError(f"{len(times)} different times: give at least {number}")
    return times


def _share(one, other):
    """‖VᵀW‖²_F/k, the mean share of the k columns of W (P, k) that lies in the span of V, both
    orthonormal; NaN for no columns.
    """
    return float((one.T @ other).square().sum()) / other.shape[1] if other.shape[1] else math.nan


def last(table, name):
    """The overlap of a subspace at the last two of the times compared, of a table of
    :func:`overlaps`; ValueError for an unknown one.
    """
    known = list(dict.fromkeys(table.index.get_level_values(0)))
    if name not in known:
        raise ValueError(f"subspace = {name!r}; known: {', '.join(known)}")
    return float(table.loc[name]["overlap"].iloc[-1])


def saw_subspaces(table):
    """Overlaps from the first to the last pair of times by subspace, and what chance gives, in
    words.
    """
    parts = [
        f"{name} {table.loc[name]['overlap'].iloc[0]:.2f} to {table.loc[name]['overlap'].iloc[-1]:.2f} (chance {table.loc[name]['chance'].iloc[-1]:.2f})"
        for name in dict.fromkeys(table.index.get_level_values(0))
    ]
    return f"Overlap of successive times, from the first to the last: {', '.join(parts)}."
