"""Neutral directions: those along which perturbations neither grow nor shrink, and what they are
made of.

Covariant Lyapunov vectors inside the phases of an intermittent training: which directions count
while a phase lasts.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ..curvature import jacobian
from ..lyapunov import angles, benettin, covariant
from ..series import phases
from ..training import gradient_descent
from ..validation import positive, whole
from . import saturation


@dataclass(frozen=True)
class Directions:
    """Covariant vectors of n trajectories at one time, sorted into growing, neutral and shrinking.

    ``growth`` (n, P) are mean growth rates per step, of Benettin's method, over the stretch that
    begins at that time, descending up to its length; ``neutral`` (n, P) bool, |growth| below the
    bound. ``shares`` (n, P): how much of each parameter's axis lies in the span of the neutral
    vectors, from 0 to 1 (the diagonal of the projector; the sum is the span's dimension).
    ``splitting`` (n,): smallest angle in radians between that span and that of the other vectors;
    NaN where either has no vector. NaN, and nothing neutral, for trajectories that overflowed, or
    whose tangent map is singular.
    """

    growth: np.ndarray
    neutral: np.ndarray
    shares: np.ndarray
    splitting: np.ndarray

    @property
    def count(self):
        """Number of neutral vectors of each trajectory, (n,), as floats: NaN where not known."""
        return np.where(np.isfinite(self.shares).all(1), self.neutral.sum(1), np.nan)

    @property
    def active_weights(self):
        """How many weights hold the directions that are not neutral: the participation ratio (Σ
        a)²/Σ a² of a = 1 − share, (n,); NaN for none.
        """
        active = 1 - self.shares
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(
                active.sum(1) > 1e-9, np.square(active.sum(1)) / np.square(active).sum(1), np.nan
            )


def directions(descent, params, forward, backward, within):
    """Return covariant vectors of networks under way, and which of them are neutral.

    Parameters
    ----------
    descent : GradientDescent
        Of a network with one hidden layer, small enough for its whole spectrum.
    params : torch.Tensor
        (n, P) states from which the frame starts to turn.
    forward : int
        Steps from ``params`` to the moment looked at, in which the frame turns, and after it, over
        which growth is taken.
    backward : int
        Steps after all these, in which the vectors forget how they began.
    within : float
        Growth rates per step below this in magnitude are neutral.

    Returns
    -------
    Directions
    """
    within, forward = bound(within), whole(forward, "forward", 1)
    advance = jacobian.of_descent(descent)
    found = covariant.vectors(advance, params, (forward, 2 * forward), backward=backward)
    return of_vectors(found, within)


def bound(within):
    """Return ``within`` as a float; ValueError where it is not positive and finite."""
    return positive(within, "within", "the growth per step that counts as none")


def of_vectors(found, within):
    """Return covariant vectors at the first step of ``found`` as Directions, by their growth from
    there to its last step.

    ``found`` is a :class:`~netdyn_lib.lyapunov.covariant.CovariantVectors` of all P vectors, at 2
    or more steps.
    """
    vectors = found.vectors[0]  # (n, P, P)
    growth = (found.log_growth[-1] - found.log_growth[0]) / (found.times[-1] - found.times[0])
    neutral = np.abs(growth) < bound(within)
    shares, splitting = np.full(growth.shape, np.nan), np.full(len(growth), np.nan)
    known = np.isfinite(growth).all(1) & vectors.isfinite().flatten(1).all(1).numpy()
    for k in np.flatnonzero(known):
        flat, rest = vectors[k][:, neutral[k]], vectors[k][:, ~neutral[k]]
        shares[k] = 0.0
        if flat.shape[1]:
            left, sizes, _ = torch.linalg.svd(flat, full_matrices=False)
            basis = left[:, sizes > 1e-10 * sizes[0]]
            shares[k] = basis.square().sum(1).clamp(max=1).numpy()  # not above by rounding
            if rest.shape[1]:
                splitting[k] = angles.between_subspaces(basis[None], rest[None])[0, 0]
    return Directions(growth, neutral, shares, splitting)


#: Kinds of block: an irregular one is a *burst* unless the hidden layer rests, saturated and with
#: the same units on throughout.
KINDS = (*phases.KINDS, "burst")
_IRREGULAR, _BURST = KINDS.index("irregular"), KINDS.index("burst")


@dataclass(frozen=True)
class Blocks:
    """Covariant vectors of m blocks of an intermittent training.

    Each is of a ``kind`` (m,), a position in ``KINDS``, of a ``network`` (m,), from an ``epoch``
    (m,) on. ``directions`` are the vectors at that epoch, neutral where they grow by less than
    ``within`` per epoch in magnitude over the block.  ``kappa`` (m,) is κ at that epoch, 1 + the
    number of hidden units that are on, NaN where the layer is not saturated; ``alike`` (m,) the
    share, among the blocks whose epochs the vectors know, of those of the kind that this one was
    chosen as.

    Of the vectors that are not neutral, NaN where there are too few of them:

    - ``local`` (m, block, P), ln|Jv| at each epoch; NaN for neutral ones,
    - ``weights`` (m, P), how much of each parameter's axis lies in their span (the sum is its
      dimension), and ``outer`` (m,), the share of that in the last layer,
    - ``tangency`` (m,), the smallest angle in radians, over the block, between the one of the
      largest rate and the span of the others,
    - ``change`` (m,), the largest principal angle in radians between their span and that from half
      the past and future, and ``turned`` (m,), the largest angle between one of them and the same
      one from these.

    The first ``inner`` parameters are those of the first layer.
    """

    kind: np.ndarray
    network: np.ndarray
    epoch: np.ndarray
    directions: Directions
    within: float
    kappa: np.ndarray
    alike: np.ndarray
    local: np.ndarray
    weights: np.ndarray
    outer: np.ndarray
    tangency: np.ndarray
    change: np.ndarray
    turned: np.ndarray
    inner: int

    def table(self):
        """Return a row for each block, by kind, a :class:`pandas.DataFrame`; angles in degrees.

        ``growth`` are the two largest and two smallest rates per epoch; ``weights`` how many
        effectively hold what is not neutral.
        """
        found = self.directions
        rates = -np.sort(-found.growth, axis=1).round(4)  # NaN last
        columns = {
            "κ": self.kappa,
            "same kind": self.alike.round(2),
            "neutral": found.count,
            "growth 1": rates[:, 0],
            "growth 2": rates[:, 1],
            "growth P − 1": rates[:, -2],
            "growth P": rates[:, -1],
            "tangency": np.degrees(self.tangency).round(1),
            "angle to neutral": np.degrees(found.splitting).round(1),
            "weights": found.active_weights.round(1),
            "in last layer": self.outer.round(3),
            "span's change": np.degrees(self.change).round(3),
            "vectors' change": np.degrees(self.turned).round(1),
        }
        names = ["phase", "network", "epoch"]
        index = [[KINDS[k] for k in self.kind], self.network, self.epoch]
        table = pd.DataFrame(columns, pd.MultiIndex.from_arrays(index, names=names))
        return table.iloc[np.argsort(self.kind, kind="stable")]


def kinds(labels, undisturbed):
    """Return labels of blocks, as from :func:`netdyn_lib.series.phases.classify`, as positions in
    ``KINDS``.

    ``undisturbed``, bool of the same shape, is where the hidden layer rests, as from
    :meth:`netdyn_lib.experiments.saturation.Saturation.undisturbed`.

    >>> kinds([1, 3, 6, 0, 0], [True, True, True, True, False]).tolist()
    [0, 1, 2, 3, 4]
    """
    found = phases.kinds(labels)
    return np.where((found == _IRREGULAR) & ~np.asarray(undisturbed), _BURST, found)


def choose(found, count, skip=0, margin=0):
    """Return at most ``count`` blocks of each kind, by a rule that looks at nothing but kinds.

    A block is the middle one of a phase, an unbroken run of blocks of one kind.  Networks that show
    more kinds come first, and among equals those of lower number; of each its longest phase, then,
    where blocks are wanting, its next longest.

    Parameters
    ----------
    found : array of int, shape (B, n)
        Kinds, as from :func:`kinds`.
    count : int
    skip : int
        Blocks left out at the start.
    margin : int
        Blocks that must come before a chosen one, and after it.

    Returns
    -------
    blocks, networks : arrays of int, shape (m,)
        In the order of kinds; those of which there are none are left out.
    """
    found, count = np.asarray(found), whole(count, "count", 1)
    first, last = max(whole(skip, "skip"), whole(margin, "margin")), len(found) - 1 - margin
    rows = []  # kind, rank of the phase within its network and kind, place of the network, block
    shown = [len(np.unique(column[skip:])) for column in found.T]
    for place, network in enumerate(np.argsort(-np.array(shown), kind="stable")):
        runs = phases.runs(found[:, network])
        middle = runs.start + (runs.length - 1) // 2
        for kind in range(len(KINDS)):
            good = np.flatnonzero((runs.label == kind) & (middle >= first) & (middle <= last))
            good = good[np.argsort(-runs.length[good], kind="stable")]
            rows += [(kind, rank, place, middle[k], network) for rank, k in enumerate(good)]
    if not rows:
        raise ValueError(
            f"no phase has its middle in blocks {first} to {last} of {len(found)}"
            f" (skip = {skip}, margin = {margin} blocks on either side): follow more epochs"
        )
    table = pd.DataFrame(rows, columns=["kind", "rank", "place", "block", "network"])
    chosen = table.sort_values(["kind", "rank", "place"]).groupby("kind").head(count)
    return chosen["block"].to_numpy(), chosen["network"].to_numpy()


@dataclass(frozen=True)
class Window:
    """Blocks of an intermittent training: of ``block`` epochs, told apart to a ``tolerance`` as in
    :func:`netdyn_lib.series.phases.classify`, with ``turn`` epochs of past and of future.
    """

    turn: int
    block: int = 60
    tolerance: float = 1e-3

    def __post_init__(self):
        if self.turn < 2 or self.turn % self.block:
            raise ValueError(
                f"turn = {self.turn}: must be a positive multiple of block = {self.block},"
                " for states are kept once a block"
            )


def look(descent, start, epochs, window, count, within):
    """Follow networks, choose blocks of each kind of phase, and return their covariant vectors.

    Blocks are classified by the training loss and chosen by :func:`choose`, the first tenth left
    out as a transient.  A frame begins to turn ``turn`` epochs before a block, and vectors know as
    many after it. Rounding makes a chaotic orbit another one within about two hundred epochs, so a
    block is classified again on the orbit that its vectors belong to: ``kind`` is of that.

    Parameters
    ----------
    descent : GradientDescent
        At a learning rate at which training is intermittent; of a network with one hidden layer of
        sigmoid units.
    start : torch.Tensor
        (n, P) initial conditions.
    epochs : int
        Followed, a multiple of the block.
    window : Window
    count : int
        Blocks of each kind, at most.
    within : float
        Growth rates per epoch below this in magnitude are neutral.

    Returns
    -------
    Blocks
    """
    within, count = bound(within), whole(count, "count", 1)
    task, turn, block = descent.task, window.turn, window.block
    margin = turn // block
    runs = gradient_descent.follow(descent, start, epochs, block, ("loss",))
    scale = np.ptp(runs["loss"], axis=0)  # (n,)
    labels = phases.classify(runs["loss"], block, window.tolerance)
    named = kinds(labels, saturation.measure(task, runs.states).undisturbed())
    blocks, networks = choose(named, count, len(labels) // 10, margin)

    params = torch.as_tensor(runs.states[blocks - margin, networks], device=start.device)
    advance = jacobian.of_descent(descent)
    found = covariant.vectors(advance, params, range(turn, turn + block + 1), backward=turn)
    directions = of_vectors(found, within)
    inner = int(np.prod(task.network.shapes[0]))
    weights, tangency, change, turned = _not_neutral(
        found.vectors, _half(advance, params, turn), directions
    )

    followed = found.states  # (block + 1, m, P)
    losses = gradient_descent.run(descent, followed[:-1].flatten(0, 1), 0, ("loss",))["loss"]
    # of every epoch: a unit may open and close again between the ends of a block
    state = saturation.measure(task, followed)
    rests = state.saturated().all(0) & ~state.switched.any((0, -1))
    again = phases.classify(
        losses.reshape(block, -1), block, window.tolerance, scale=scale[networks]
    )
    around = named[blocks + np.arange(-margin, margin + 1)[:, None], networks]  # (blocks, m)
    return Blocks(
        kind=kinds(again[0], rests),
        network=networks,
        epoch=blocks * block,
        directions=directions,
        within=within,
        kappa=state.settled_kappa()[0],
        alike=(around == named[blocks, networks]).mean(0),
        local=np.where(directions.neutral, np.nan, found.growth[:-1]).transpose(1, 0, 2),
        weights=weights,
        outer=weights[:, inner:].sum(1) / weights.sum(1),
        tangency=tangency,
        change=change,
        turned=turned,
        inner=inner,
    )


def _half(advance, params, turn):
    """Return the vectors (m, P, P) ``turn`` steps from ``params``, of half the past and future.

    On the same orbit: by the same arithmetic, or chaos makes it another one.
    """
    half = turn // 2
    later = benettin.spectrum(advance, params, turn - half, 1, at=(turn - half,), progress=False)
    found = covariant.vectors(advance, later.final, [half], backward=half)
    return found.vectors[0]


def _not_neutral(vectors, less, directions):
    """Return ``weights``, ``tangency``, ``change`` and ``turned`` of :class:`Blocks`.

    ``vectors`` (block + 1, m, P, P) are those of the block, ``less`` (m, P, P) those at its start
    that know half the past and future.
    """
    m, size = directions.growth.shape
    weights, tangency, change, turned = np.full((m, size), np.nan), *np.full((3, m), np.nan)
    for k in np.flatnonzero(np.isfinite(directions.count) & (directions.count < size)):
        rest = np.flatnonzero(~directions.neutral[k])
        span, few = vectors[:, k][..., rest], less[k][:, rest]  # (block + 1, P, r), (P, r)
        weights[k] = torch.linalg.qr(span[0])[0].square().sum(1).numpy()
        change[k] = angles.between_subspaces(span[0], few)[-1]
        pairs = (torch.stack(pair, 1) for pair in zip(span[0].T, few.T))
        turned[k] = np.max([angles.between(pair)[0, 1] for pair in pairs])
        if len(rest) > 1:
            order = np.argsort(-directions.growth[k, rest])
            tangency[k] = angles.between_subspaces(span[..., order[:1]], span[..., order[1:]]).min()
    return weights, tangency, change, turned
