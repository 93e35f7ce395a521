"""Finite-time Lyapunov exponents of mini-batch descent along training.

Y(t) = J(t − 1) … J(0), J = I − γH of the batch of a step.  The Lyapunov matrix Λ(t) = ln(YᵀY)/2t
of Herrmann 2022 has the eigenvalues ln σ_i(Y(t))/t.  Three ways to them:

*   eigh(YᵀY) squares σ, and loses all below 1e-8 of the largest.
*   QR of a random frame (Benettin) needs a frame that has turned: ln R_ii is near ln σ_i only where
    the σ lie far apart.  At a rate of 1e-3 they are within e^±1 for epochs, and a random vector
    among many neutral directions says almost nothing.
*   Here all exponents come from Y = Q D T, by QR every few steps and exact to rounding, and the few
    leading ones of large networks from block Krylov passes forwards and backwards, with bounds on
    their errors (both :mod:`netdyn_lib.lyapunov.singular_values`).

What the QR of one random frame gives is kept beside them, as ``qr``.  Σ_i ln R_ii = Σ_i ln σ_i =
Σ ln|det J| for all P.

Whether subspaces stand still (Herrmann 2022, appendix C.2): those of the Lyapunov matrix, and those
of one batch's Hessian.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy.linalg import lapack

from .. import torch_utils
from ..curvature import batch_hessian, jacobian
from ..curvature.jacobian import forward_step
from ..lyapunov import singular_values
from ..lyapunov.qr import orthonormalise, random_orthogonal
from ..lyapunov.singular_values import Product
from ..results import datasets
from ..training import minibatches
from ..training.minibatches import Reference
from ..validation import whole
from . import published as checks
from .spectra import computed

_SHELF = datasets.Shelf("spectra")
publish, published = _SHELF.publish, _SHELF.published
#: |ln σ| up to which a direction neither grows nor shrinks.
NEUTRAL = 1e-8
_SWEEPS = 20  # passes forwards and back, with 8 vectors, for leading exponents, at most


@dataclass(frozen=True)
class MiniBatchDescent:
    """Mini-batch descent of a ``task`` without weight decay, at the learning rate γ = ``rate``.

    Network k starts from ``task.initial(1, seed, k)`` and sees the order of samples
    ``1000 seed + k``, as in :mod:`netdyn_lib.experiments.pruning_ablation`.
    """

    task: object
    rate: float
    batch: int
    seed: int = 0

    def initial(self, network):
        """Return the parameters (P,) of a network before step 0."""
        return self.task.initial(1, self.seed, network, device=self.task.x.device)[0]

    def order(self, network):
        """Return the seed of a network's order of samples."""
        return minibatches.order_of(self.seed, network)

    def reference(self, network, steps):
        """Return the run of a network, a :class:`~netdyn_lib.training.minibatches.Reference`."""
        order = self.order(network)
        return Reference(self.task, self.initial(network), self.rate, self.batch, steps, order)

    def states(self, network, at):
        """Return the parameters (P,) of a network before the steps ``at``, step → parameters."""
        found = _states(self.reference(network, max(1, *at)), at)
        return {t: found[t] for t in at}

    def attributes(self):
        """Return what a dataset of this descent says of it, as plain data."""
        return dict(
            task=self.task.name,
            data=self.task.split.provenance(),
            rate=float(self.rate),
            batch=int(self.batch),
            seed=int(self.seed),
        )


def of_published(data):
    """Return the descent that a published dataset is of, a :class:`MiniBatchDescent`."""
    about = data.attrs
    return MiniBatchDescent(checks.task_of(data), about["rate"], about["batch"], about["seed"])


def recompute(name, token, root=None):
    """Recompute all exponents over the first time of a published network, and compare: a
    :class:`netdyn_lib.experiments.published.Check`.  The token chooses the network.
    """
    data = published(root)[name]
    if data.attrs["count"] < data.attrs["parameters"]:
        raise ValueError(f"{name} has the leading exponents only, found to a bound, not to digits")
    k, at = checks.chosen(token, name, data.sizes["network"]), data["time"].values[:1]
    exponent, _, turned, _ = next(_all(of_published(data), k, at, data.attrs["interval"]))
    mine = {"exponent": exponent / at, "qr": turned / at}
    there = {key: data[key].values[k, 0] for key in mine}
    return checks.compared(f"{_SHELF.folder}/{name}", f"network {k}, {at[0]} steps", mine, there)


class _Part(Reference):
    """A run that begins at step ``first`` of its order of samples."""

    def __init__(self, *args, first=0, **options):
        self._first = first  # the run is made at once, and asks for its batches
        super().__init__(*args, **options)

    def part(self, step):
        return super().part(self._first + step)


@torch_utils.one()
@torch.no_grad()
def over_time(descent, networks, at, count=None, interval=10, tolerance=1e-2):
    """Return finite-time exponents over [0, t] and over each stretch between successive t.

    Parameters
    ----------
    descent : MiniBatchDescent
    networks : int
        How many; 0, 1, … of the descent.
    at : sequence of int
        The steps t, from 1 on; T is the last.
    count : int, optional
        The leading k, by Hessian products; all P where not given, for some thousand parameters at
        most.
    interval : int
        Steps between QR decompositions.  As many as leave their product well conditioned, (1 +
        γ|λ|)^interval below 1e6, say: at a rate of 1e-3 some 100 are as good as 10, and for all P
        three times as fast.
    tolerance : float
        Of the leading ones: what the bound on ln σ may be, in units of the largest ln σ.

    Returns
    -------
    xarray.Dataset
        Per step: ``exponent`` (network, time, index) ln σ_i(Y(t))/t, descending; ``local`` likewise
        of the product of each stretch that ends at ``time``, without those below 1e-15 of the
        largest; ``qr`` (network, time, index) ln R_ii/t of one random frame; ``bound`` (network,
        time) on the error of all ln σ, of both kinds: 0 for all P.  Ritz values bound ln σ from
        below.

    All P: two QR decompositions and three products of P × P every ``interval`` steps, and a
    low-rank Hessian at each; so P³ decides. The leading k: 40 passes over the sum of all t, and
    over T once more.
    """
    began, networks, at = time.monotonic(), whole(networks, "networks", 1), times(at)
    size = descent.task.network.count
    if count is not None:
        count = whole(count, "count", 1, size, "exponents of a space of that size")
    found = [
        list(
            _all(descent, k, at, interval)
            if count is None
            else _few(descent, k, at, interval, count, tolerance)
        )
        for k in range(networks)
    ]  # by network and time: exponent, local, qr, bound
    lengths = {"exponent": at, "local": np.diff(at, prepend=0), "qr": at}
    variables = {
        name: (
            ("network", "time", "index"),
            np.array([[row[place] for row in rows] for rows in found]) / length[:, None],
        )
        for place, (name, length) in enumerate(lengths.items())
    }
    variables["bound"] = ("network", "time"), np.array([[row[3] for row in rows] for rows in found])
    count = size if count is None else count
    coords = {"network": np.arange(networks), "time": at, "index": np.arange(1, count + 1)}
    attrs = descent.attributes() | dict(count=count, parameters=size, interval=interval)
    return xr.Dataset(
        variables, coords, attrs | dict(provenance=computed(began, descent.task.x.device))
    )


def times(at, least=1, number=1):
    """Return different steps, ascending, as an array; ValueError for fewer than ``number``."""
    at = np.unique([whole(t, "step in at", least) for t in np.ravel(at).tolist()]).astype(int)
    if len(at) < number:
        raise ValueError(f"{len(at)} different times: give at least {number}")
    return at


def _all(descent, network, at, interval):
    """Yield ln σ_i of Y(t), of the stretch, Σ ln R_ii of a random frame, (P,) each, and 0."""
    total = Whole(descent, network, at, interval)
    turned, grown = random_orthogonal(len(total.eye)).to(total.eye), 0.0
    stretch = total.eye
    for t, block in total.blocks():
        turned, r = orthonormalise((block @ turned)[None])
        turned, stretch = turned[0], block @ stretch
        with np.errstate(divide="ignore"):
            grown = grown + np.log(r[0].diagonal().cpu().numpy())
            if t in at:
                local = np.log(torch.linalg.svdvals(stretch).cpu().numpy())
                yield total.singular()[0], local, grown, 0.0
                stretch = total.eye


class Whole:
    """Y(t) = Q D T of all P directions, along a network's run up to the last of ``at``."""

    def __init__(self, descent, network, at, interval):
        self.at, self._interval = at, whole(interval, "interval", 1)
        self.reference = descent.reference(network, int(at[-1]))
        self.eye = torch.eye(descent.task.network.count).to(self.reference.final)
        self._product = Product(self.eye.new_zeros(1, len(self.eye)), self.eye[None])
        self._q = self.eye

    def blocks(self):
        """Yield (t, product of J since the last pair) at every ``interval`` and each of ``at``;
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
        """Return ln σ (P,), descending, and the right singular vectors (P, P) where asked for."""
        m, t = self._product.m[0].cpu().numpy(), self._product.t[0].cpu().numpy()
        spread = m.max() - m.min()
        # beyond what doubles hold, or a direction lost: slow, and without bounds
        if not spread < 900:
            logs, right = self._product.singular(vectors)
            return logs[0], right[0] if vectors else None
        rows = np.ldexp(t, (m - m.max()).astype(int)[:, None])
        if spread < 20:  # 1e-10 of each σ, at worst
            right = None
            if vectors:
                _, sizes, right = np.linalg.svd(rows)
                right = right.T
            else:
                sizes = np.linalg.svd(rows, compute_uv=False)
        else:  # preconditioned Jacobi rotations, for columns of all sizes
            sizes, right, _, work, _, info = lapack.dgejsv(
                rows.T, joba=0, jobu=0 if vectors else 3, jobv=3, jobr=0, jobt=0, jobp=0
            )
            if info:
                raise RuntimeError(f"dgejsv: info = {info}, the singular values did not converge")
            sizes = sizes * (work[0] / work[1])
        logs = np.log(sizes) + m.max() * math.log(2)
        return logs, torch.from_numpy(np.ascontiguousarray(right)).to(self.eye) if vectors else None


def _few(descent, network, at, interval, count, tolerance):
    """Yield the same of the k leading ones, (k,) each, and the larger bound on the error of the two
    ln σ.
    """
    task, rate, batch, order = descent.task, descent.rate, descent.batch, descent.order(network)
    here, frame = descent.initial(network), None
    advance = jacobian.StochasticDescent(task, rate, batch, order)
    grown = jacobian.spectrum(
        advance, here[None], int(at[-1]), count, at=at, interval=interval, progress=False
    ).log_growth[1:, 0]
    for first, t, qr in zip([0, *at[:-1].tolist()], at.tolist(), grown):
        part = _Part(task, here, rate, batch, t - first, order, first=first)
        here, local = part.final, _leading(part, count, tolerance)
        found = _leading(descent.reference(network, t), count, tolerance, frame) if first else local
        frame = found.vectors
        yield found.logs, local.logs, qr, max(found.bound, local.bound)


def _leading(reference, count, tolerance, start=None):
    """Return the leading eigenpairs of YᵀY; each J is symmetric."""

    def gram(frame):
        for reverse in (False, True):
            for t, params in reference.weights(reverse=reverse):
                frame = forward_step(reference, t, params, frame)
        return frame

    return singular_values.leading(gram, reference.final, count, _SWEEPS, tolerance, start)


def extremes(data):
    """Return the largest and smallest exponent over [0, t], per step, and the number positive.

    A DataFrame of means over networks, a row for each time.  ``smallest`` is NaN where only the
    leading ones are known; then ``positive`` is of these.
    """
    known = data.attrs["count"] == data.attrs["parameters"]
    values = data["exponent"].mean("network")
    positive = (data["exponent"] * data["time"] > NEUTRAL).sum("index").mean("network")
    columns = {
        "largest": values.isel(index=0),
        "smallest": values.isel(index=-1) if known else np.full(len(data["time"]), np.nan),
        "positive": positive,
    }
    return pd.DataFrame(columns, index=pd.Index(data["time"].values, name="step"))


@torch_utils.one()
@torch.no_grad()
def overlaps(descent, network, at, count, interval=10):
    """Return the overlaps of eigenspaces of Λ(t) at successive times: do they stand still?

    With V(t) the right singular vectors of Y(t), the overlap is ‖V(t)ᵀV(t′)‖²_F/k(t′): the mean
    share of the later directions that lies within the earlier subspace.  Random subspaces have
    k(t)/P, ``chance``.  For some thousand parameters at most.

    Parameters
    ----------
    descent, at, interval
        As for :func:`over_time`, of one ``network``, at two times at least.
    count : int
        k of the ``leading`` directions.  Others are ``chaotic`` (ln σ > :data:`NEUTRAL`),
        ``contracting`` (below minus that), and ``non-chaotic``, all that are not chaotic.

    Returns
    -------
    pandas.DataFrame
        A row for each ``subspace`` and pair ``time``, ``later``: ``earlier k``, ``k``, ``overlap``,
        ``chance``, ``converged``: directions with equal σ belong to no span of few.
    """
    at, size = times(at, number=2), descent.task.network.count
    count = whole(count, "count", 1, size, "directions of a space of that size")
    total, spans = Whole(descent, network, at, interval), []
    for t, _ in total.blocks():
        if t in at:
            logs, right = total.singular(True)
            apart = count == size or bool(logs[count - 1] - logs[count] > NEUTRAL)
            signs = logs > NEUTRAL, logs <= NEUTRAL, logs < -NEUTRAL
            masks = dict(zip(("chaotic", "non-chaotic", "contracting"), signs))
            parts = {n: (right[:, torch.from_numpy(mask)], True) for n, mask in masks.items()}
            spans.append({"leading": (right[:, :count], apart)} | parts)
    rows = []
    for t, later, one, other in zip(at, at[1:], spans, spans[1:]):
        for name, (v, good) in one.items():
            w, fine = other[name]
            row = {"subspace": name, "time": t, "later": later} | _overlap(v, w)
            rows.append(row | {"chance": v.shape[1] / size, "converged": good and fine})
    return pd.DataFrame(rows).set_index(["subspace", "time"])


@torch_utils.one()
def of_hessian(descent, network, at, lag):
    """Return the overlaps of eigenspaces of one batch's Hessian while the network goes on.

    For the batch of each step t of ``at``, kept as it is: its negative and positive eigenspaces
    at W(t) and at W(t + ``lag``).

    Returns
    -------
    pandas.DataFrame
        A row for each ``class`` and ``time``: ``earlier k``, ``k``, the ``overlap`` as of
        :func:`overlaps`, ``chance`` of subspaces of all P dimensions, k/P, and ``chance in range``,
        k/m: both lie in the few m dimensions in which the batch acts, whatever the network.
    """
    at, lag = times(at, 0), whole(lag, "lag", 1)
    reference = descent.reference(network, int(at[-1] + lag))
    states = _states(reference, {*at.tolist(), *(at + lag).tolist()})
    rows = []
    for t in at.tolist():
        found = [batch_hessian.spectrum(reference.part(t), states[s]) for s in (t, t + lag)]
        for name in ("negative", "positive"):
            v, w = (
                one.basis[:, torch.from_numpy(getattr(one.classes(descent.rate), name))]
                for one in found
            )
            chances = {"chance": v.shape[1] / found[0].size, "chance in range": v.shape[1] / len(v)}
            rows.append({"class": name, "time": t} | _overlap(v, w) | chances)
    return pd.DataFrame(rows).set_index(["class", "time"])


def _states(reference, at):
    """Return step → parameters (P,) of a run before the steps ``at``, and at its end."""
    found = {t: params for t, params in reference.weights() if t in at}
    return found | {reference.steps: reference.final}


def _overlap(v, w):
    """Return ‖VᵀW‖²_F/k, the mean share of the k columns of W (P, k) that lies in the span of V,
    both orthonormal, with their numbers of columns; NaN for no columns.
    """
    shared = float((v.T @ w).square().sum()) / w.shape[1] if w.shape[1] else math.nan
    return {"earlier k": v.shape[1], "k": w.shape[1], "overlap": shared}
