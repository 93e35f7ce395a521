"""Saturated hidden layers: how far units are at 0 or 1, and what then still moves.

At a large learning rate the first steps throw hidden sigmoid units so far out
that each is 0 or 1 on every sample.  No gradient then passes through them, and
what is left is the map of the logits in :mod:`netdyn_lib.experiments.reduced`.  Its one
parameter holds κ = 1 + |h|²: the 1 is the bias and |h|² the number of units
that are on, so κ is a whole number.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..series import phases


def mean_logits(snapshot):
    """Observable: the network's output averaged over the training samples, (g, 1 + M, C)."""
    return snapshot.output.mean(-1)


def logit_distance(snapshot):
    """Observable: distance of the mean logits of perturbed copies from their reference's, mean over
    copies; (g,).
    """
    logits = mean_logits(snapshot)
    return (logits[:, 1:] - logits[:, :1]).norm(dim=-1).mean(-1)


mean_logits.needs_output = logit_distance.needs_output = True


@dataclass(frozen=True)
class Saturation:
    """How far the hidden layers of networks are saturated; leading axes (…) as the parameters'.

    Attributes
    ----------
    hidden : array, shape (..., U)
        Mean value of each unit over the training samples.
    spread : array, shape (...)
        Largest difference of a unit's value between two samples, over units.
    derivative : array, shape (..., U)
        Largest derivative h (1 − h) of each unit over the samples: how open it
        still is to the gradient.
    logits : array, shape (..., C)
        Mean output over the training samples.
    """

    hidden: np.ndarray
    spread: np.ndarray
    derivative: np.ndarray
    logits: np.ndarray

    @property
    def kappa(self):
        """κ = 1 + |h|², of the mean hidden vector."""
        return 1 + (self.hidden**2).sum(-1)

    @property
    def is_on(self):
        """Whether the mean of each unit is above 1/2, (…, U) bool."""
        return self.hidden > 0.5

    @property
    def switched(self):
        """Units that went on or off between successive states: states (B + 1, ...) to (B, ..., U)
        bool.
        """
        return self.is_on[1:] != self.is_on[:-1]

    def saturated(self, tolerance=1e-2):
        """Every unit within the tolerance of one constant, 0 or 1, on all samples; (…) bool."""
        off = np.minimum(self.hidden, 1 - self.hidden).max(-1)
        return (self.spread <= tolerance) & (off <= tolerance)

    def settled_kappa(self, tolerance=1e-2):
        """κ rounded to a whole number, NaN where not saturated; (…)."""
        return np.where(self.saturated(tolerance), np.round(self.kappa), np.nan)

    def undisturbed(self, tolerance=1e-2):
        """Blocks that start and end saturated, with the same units on: states (B + 1, n) to (B, n)
        bool.
        """
        steady = self.saturated(tolerance)
        return steady[:-1] & steady[1:] & ~self.switched.any(-1)

    def openness(self, levels=(0.1, 0.5, 0.9), tolerance=1e-2):
        """Quantiles, over the saturated trajectories, of the largest derivative; states (B, n) to
        (levels, B).

        NaN where no trajectory is saturated.
        """
        saturated, largest = self.saturated(tolerance), self.derivative.max(-1)
        empty = np.full(len(levels), np.nan)
        rows = [
            np.quantile(u[s], levels) if s.any() else empty
            for u, s in zip(largest, saturated, strict=True)
        ]
        return np.stack(rows, axis=1)


def measure(task, params):
    """Saturation of the hidden layer of networks.

    Parameters
    ----------
    task : Task
        With a one-hidden-layer sigmoid :class:`~netdyn_lib.tasks.networks.MLP`.
    params : array or torch.Tensor, shape (..., P)

    Returns
    -------
    Saturation

    Raises
    ------
    ValueError
        For a network of another kind, or parameters that are not finite.
    """
    params = check_parameters(task, params)
    lead = params.shape[:-1]
    parts = []
    for some in params.reshape(-1, params.shape[-1]).split(512):
        h, z = task.network.activations(some, task.x)  # (m, N, U), (m, N, C)
        parts.append(
            (h.mean(1), (h.amax(1) - h.amin(1)).amax(-1), (h * (1 - h)).amax(1), z.mean(1))
        )
    hidden, spread, derivative, logits = (
        torch.cat(p).cpu().numpy() for p in zip(*parts, strict=True)
    )
    hidden, derivative, logits = (v.reshape(*lead, -1) for v in (hidden, derivative, logits))
    return Saturation(hidden, spread.reshape(lead), derivative, logits)


def check_parameters(task, params):
    """Parameters as a tensor on the task's device, of a network that the reduction is for.

    Raises ValueError for a network with anything but one hidden layer of
    sigmoid units, or parameters that are not finite.
    """
    sizes = getattr(task.network, "sizes", ())
    if len(sizes) != 3 or task.network.activation.name != "sigmoid":
        raise ValueError(
            f"{task.network!r}: the reduction is for one hidden layer of sigmoid units"
        )
    params = torch.as_tensor(params, dtype=torch.float64, device=task.x.device)
    if not bool(params.isfinite().all()):
        raise ValueError("parameters hold NaN or infinite values: leave diverged networks out")
    return params


def expected_moving(task, state):
    """Which parameters the reduction lets move: the outer biases, and outer weights of units that
    are on.

    ``state`` is a :class:`Saturation` of shape (...); the result (..., P) bool.
    """
    inner, outer = task.network.shapes
    # (..., U + 1)
    on = np.concatenate([state.is_on, np.ones((*state.is_on.shape[:-1], 1), dtype=bool)], axis=-1)
    on = np.broadcast_to(on[..., None, :], (*on.shape[:-1], *outer)).reshape(*on.shape[:-1], -1)
    return np.concatenate(
        [np.zeros((*on.shape[:-1], inner[0] * inner[1]), dtype=bool), on], axis=-1
    )


def moving_directions(weights):
    """Singular values of the steps of one trajectory, as shares of their sum of squares.

    ``weights`` is (T, P); the result (min(T − 1, P),) descends and sums to 1.
    A network that obeys the reduced map moves in C − 1 directions.
    """
    values = np.linalg.svd(np.diff(np.asarray(weights), axis=0), compute_uv=False) ** 2
    return values / values.sum()


def outer_units(task):
    """Output unit that each parameter is an outer weight of, None for other parameters; a list of
    P.
    """
    names = task.network.layout
    return [int(name[3 : name.index(",")]) if name.startswith("W2[") else None for name in names]


def by_kappa(values, state, skip=0, most=40, block=60):
    """A series of networks in undisturbed blocks, by the number κ they have there.

    Parameters
    ----------
    values : array, shape (T, n, ...)
        Such as the loss or the mean logits.
    state : Saturation
        Of the states (B + 1, n) at the starts of blocks.
    skip : int
        Blocks left out at the start.
    most : int
        Blocks taken for each κ, evenly spread.
    block : int

    Returns
    -------
    dict of int to array, shape (blocks, block, ...)
    """
    steady = state.undisturbed()
    steady[:skip] = False
    kappa = np.round(state.kappa[:-1]).astype(int)
    found = {}
    for k in np.unique(kappa[steady]):
        found[int(k)] = phases.blocks_of(values, steady & (kappa == k), most, block)
    return found
