"""Where perturbed copies leave the linear regime: the epoch, the distance there, and why.

A copy at distance d(t) follows the tangent vector that starts in its direction
until one of two errors shows.  To lowest order,

    ln(d(t)/d(0)) − ln(|v(t)|/|v(0)|) ≈ A(t) ε + B(t)/ε :

the map is not linear, an error that grows with the radius ε (*saturation*), and
each step is rounded, an error that grows as ε shrinks (*rounding*).  The sign of
the dependence on ε tells them apart without a threshold on d, so the same
directions are followed at several radii (:func:`compare`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..validation import floats, positive, whole
from .growth_fits import Fit
from .tangent_maps import TangentMap, growth, random_directions

#: What can part a copy from its tangent vector; *never* and *undecided* where none or both show.
NEVER, SATURATION, ROUNDING, UNDECIDED = "never", "saturation", "rounding", "undecided"
#: All of them, in the order of tables.
CAUSES = (SATURATION, ROUNDING, UNDECIDED, NEVER)


def size(s):
    """Observe the size of the reference's weights, Σ_k |w_k|, in the norm of distances: (g,)."""
    return s.params[:, 0].abs().sum(-1)


size.per = "reference"  # type: ignore[attr-defined]  # observables carry attributes


def log_error(distance, log_growth) -> np.ndarray:
    """Return ln(d(t)/d(0)) − ln(|v(t)|/|v(0)|) at every epoch, (T, n).

    −∞ where a copy has merged with its reference, d = 0.

    Parameters
    ----------
    distance : array_like
        d of one copy of each reference, (T, n), at every epoch from 0.
    log_growth : array_like
        ln(|v(t)|/|v(0)|) of a tangent vector in the copy's direction, (T, n),
        as :func:`~netdyn_lib.lyapunov.mean_growth` gives it.
    """
    distance, log_growth = np.asarray(distance, dtype=float), np.asarray(log_growth, dtype=float)
    if (
        distance.ndim != 2
        or distance.shape != log_growth.shape
        or len(distance) < 2
        or not distance.shape[1]
    ):
        raise ValueError(
            f"distance {distance.shape} and log_growth {log_growth.shape}: "
            "expected (T, n) for both, T at least 2"
        )
    for values, name in ((distance, "distance"), (log_growth, "log_growth")):
        _refuse(
            ~np.isfinite(values),
            values,
            name,
            "not finite: the trajectory diverged, or the vector shrank to zero; leave it out",
        )
    _refuse(
        distance < 0, distance, "distance", "negative: give the distance itself, not its logarithm"
    )
    _refuse(
        distance[:1] == 0, distance, "distance", "zero: ε is below the resolution of the weights"
    )
    with np.errstate(divide="ignore"):  # copies may merge with their reference later on
        return np.log(distance / distance[0]) - log_growth


def _refuse(bad, values, name, cause):
    if bad.any():
        t, k = np.argwhere(bad)[0]
        raise ValueError(f"curve {k} of {name} is {values[t, k]} at epoch {t}, {cause}")


def parting(distance, log_growth, tolerance: float = 0.1) -> np.ndarray:
    """Return the first epoch at which copy and tangent vector differ by more than ``tolerance``.

    They differ by the factor exp|ln(d(t)/d(0)) − ln(|v(t)|/|v(0)|)|, and part
    where that is above 1 + ``tolerance``.

    Parameters
    ----------
    distance, log_growth : array_like
        As in :func:`log_error`.
    tolerance : float
        A share; 0.1 is 10%.

    Returns
    -------
    numpy.ndarray
        (n,) epochs, NaN where they never part.

    Doubling until the distance is 1, and a vector that goes on doubling:

    >>> t = np.arange(40.0)[:, None]
    >>> parting(np.minimum(2.0 ** (t - 20), 1), t * np.log(2)).tolist()
    [21.0]
    """
    parted = np.abs(log_error(distance, log_growth)) > np.log1p(
        positive(tolerance, "tolerance", "the difference that parts two curves")
    )
    return np.where(parted.any(0), parted.argmax(0), np.nan)


@dataclass(frozen=True)
class LinearRegime:
    """Where and why copies of n references at R radii left their tangent vectors.

    ``radii`` (R,), rising; ``epoch`` (R, n) of the parting, NaN for never;
    ``distance`` (R, n) between copy and reference there, and ``relative`` (R, n)
    the same in units of the reference's weights, NaN likewise; ``cause`` (R, n),
    one of :data:`CAUSES`:

    * *saturation*: a copy at a smaller radius still follows at that epoch, and none at a larger
      one,
    * *rounding*: a copy at a larger radius still follows, and none at a smaller one,
    * *undecided*: neither, as between a smaller radius already rounded off and a larger one
      saturated, or both,
    * *never*: they did not part.

    The smallest radius has no smaller one to convict saturation, nor the largest
    a larger one to convict rounding; they serve as witnesses to the others.
    """

    radii: np.ndarray
    epoch: np.ndarray
    distance: np.ndarray
    relative: np.ndarray
    cause: np.ndarray

    def row(self, radius: float) -> int:
        """Return the index of a radius."""
        found = np.flatnonzero(self.radii == radius)
        if not len(found):
            raise ValueError(
                f"radius {radius} was not compared; compared are "
                + ", ".join(f"{r:g}" for r in self.radii)
            )
        return int(found[0])

    def count(self, radius: float, cause: str) -> int:
        """Return how many copies at a radius have a cause."""
        return int((self.cause[self.row(radius)] == cause).sum())

    def typical(self, radius: float, cause: str, what: str = "relative", q: float = 50) -> float:
        """Return a percentile of ``relative``, ``distance`` or ``epoch`` over copies of one cause.

        NaN where there is none.
        """
        chosen = getattr(self, what)[self.row(radius)][self.cause[self.row(radius)] == cause]
        return float(np.percentile(chosen, q)) if len(chosen) else float("nan")

    def table(self) -> pd.DataFrame:
        """Return the counts by radius (rows) and cause (columns)."""
        counts = [[(row == cause).sum() for cause in CAUSES] for row in self.cause]
        return pd.DataFrame(
            counts,
            index=pd.Index([f"{r:g}" for r in self.radii], name="radius"),
            columns=list(CAUSES),
        )

    def in_window(self, fit: Fit, radius: float) -> np.ndarray:
        """Return what parts copy and tangent vector before a fitted window ends, (n,): one of
        :data:`CAUSES`.

        *never* where the window of the :class:`~netdyn_lib.lyapunov.growth_fits.Fit` of the
        copies at this ``radius`` ends before they part, else the cause of parting.
        A curve without a window also has *never*.
        """
        k = self.row(radius)
        # a comparison with NaN is False
        return np.where(fit.stop >= self.epoch[k], self.cause[k], NEVER)


def compare(by_radius: dict, log_growth, weights, tolerance: float = 0.1) -> LinearRegime:
    """Find where and why ε-balls of several radii part from tangent vectors.

    Parameters
    ----------
    by_radius : dict
        ε → distances (T, n) of one copy of each reference at every epoch from
        0; at every radius in the same direction.
    log_growth : array_like
        (T, n), of tangent vectors in that direction.
    weights : array_like
        Size of the reference's weights, (T, n), in the norm of the distance: :func:`size`.
    tolerance : float
        As in :func:`parting`.
    """
    radii = sorted(positive(r, "radius", "the perturbation radius ε") for r in by_radius)
    if len(radii) < 3:
        raise ValueError(
            f"radii {radii}: three at least, so that one has a smaller and a larger beside it"
        )
    curves = [np.asarray(by_radius[r], dtype=float) for r in radii]
    epoch = np.stack([parting(d, log_growth, tolerance) for d in curves])
    weights = np.asarray(weights, dtype=float)
    if weights.shape != curves[0].shape or not (weights > 0).all():
        raise ValueError(
            f"weights of shape {weights.shape} for distances {curves[0].shape}: "
            "expected the same, all positive"
        )
    parted = ~np.isnan(epoch)
    rows, columns = np.nan_to_num(epoch).astype(int), np.arange(epoch.shape[1])
    distance = np.stack(
        [np.where(p, d[t, columns], np.nan) for p, d, t in zip(parted, curves, rows)]
    )
    relative = distance / np.where(parted, weights[rows, columns], 1)
    return LinearRegime(np.array(radii), epoch, distance, relative, _causes(epoch))


def along_a_fresh_vector(
    product: TangentMap, weights, log_growth, epoch, back: int = 40, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the growth of tangent vectors up to the parting, and of fresh random ones there.

    Both are ln of the growth over the same epochs, (n,).

    Where a fresh vector grows and the followed one does not, the followed one
    has lost its part along the expanding directions; what rounding puts there grows instead.

    Parameters
    ----------
    product : callable
        As in :func:`netdyn_lib.lyapunov.growth`.
    weights : array_like or torch.Tensor
        (T, n, P) of the references at every epoch from 0, where the product computes.
    log_growth : array_like
        (T, n) of the followed vectors.
    epoch : array_like
        (n,) epochs of parting, none NaN.
    back : int
        Epochs before the parting at which the fresh vectors start; epoch 0 where that is later.
    """
    weights = floats(weights)
    epochs = np.array([whole(e, "epoch", 1, len(weights) - 1) for e in np.ravel(epoch)])
    log_growth = np.asarray(log_growth, dtype=float)
    if weights.shape[:2] != log_growth.shape or log_growth.shape[1:] != epochs.shape:
        raise ValueError(
            f"weights {tuple(weights.shape)}, log_growth {log_growth.shape}, epochs "
            f"{epochs.shape}: expected (T, n, P), (T, n), (n,)"
        )
    columns = np.arange(len(epochs))
    start = np.maximum(epochs - whole(back, "back", 1), 0)
    states = weights[start, columns]
    directions = random_directions(states, seed=seed)
    fresh = growth(product, states, directions, int((epochs - start).max()), order=1)
    followed = log_growth[epochs, columns] - log_growth[start, columns]
    return followed, fresh.log_norm[epochs - start, columns, 0]


def _causes(epoch):
    """Return causes (R, n) from the epochs of parting (R, n), NaN for never, the radii rising."""
    until = np.where(np.isnan(epoch), np.inf, epoch)
    cause = np.full(epoch.shape, UNDECIDED, dtype="U10")
    for k, here in enumerate(until):
        smaller, larger = ((other > here).any(0) for other in (until[:k], until[k + 1 :]))
        cause[k, smaller & ~larger] = SATURATION
        cause[k, larger & ~smaller] = ROUNDING
        cause[k, np.isinf(here)] = NEVER
    return cause
