"""Saturated hidden layers: how far units are at 0 or 1, and what then still moves.

At a large learning rate the first steps throw hidden sigmoid units so far out
that each is 0 or 1 on every sample.  No gradient then passes through them: only
the output layer still learns, all samples share one hidden vector h and one
logit vector z, and gradient descent on the cross-entropy becomes the reduced map

    z(t + 1) = z(t) − g (softmax(z(t)) − q),    g = ηκ,    κ = 1 + |h|²,

with q the class frequencies of the training set.  The 1 in κ is the bias and
|h|² the number of units that are on, so κ is a whole number.  The sum of the
logits is conserved, so this is a map of the plane (for three classes) with one
parameter, the gain g.  What it predicts of networks is computed from one
state, with nothing fitted.

The system ages.  A saturated unit moves by an amount proportional to its own
u = h (1 − h), so that u falls as 1/t in units pushed outwards and rises as
1/(t_f − t) in those pushed inwards: units go on and off ever more rarely.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import logsumexp, softmax

from ..series import phases
from ..statistics.intervals import percentile_interval

_TOLERANCE = 1e-2  # within which a unit counts as 0 or 1


def mean_logits(snapshot):
    """Observe the network's output averaged over the training samples, (g, 1 + M, C)."""
    return snapshot.output.mean(-1)


def logit_distance(snapshot):
    """Observe the distance of copies' mean logits from their reference's, mean over copies."""
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
        """Return κ = 1 + |h|², of the mean hidden vector."""
        return 1 + (self.hidden**2).sum(-1)

    @property
    def is_on(self):
        """Return whether the mean of each unit is above 1/2, (…, U) bool."""
        return self.hidden > 0.5

    @property
    def switched(self):
        """Return the units that go on or off between successive states: states (B + 1, ...) to
        (B, ..., U) bool.
        """
        return self.is_on[1:] != self.is_on[:-1]

    def saturated(self):
        """Return whether every unit is within 1% of one constant, 0 or 1, on all samples; (…)."""
        off = np.minimum(self.hidden, 1 - self.hidden).max(-1)
        return (self.spread <= _TOLERANCE) & (off <= _TOLERANCE)

    def settled_kappa(self):
        """Return κ rounded to a whole number, NaN where not saturated; (…)."""
        return np.where(self.saturated(), np.round(self.kappa), np.nan)

    def undisturbed(self):
        """Return the blocks that start and end saturated, with the same units on: states (B + 1, n)
        to (B, n) bool.
        """
        steady = self.saturated()
        return steady[:-1] & steady[1:] & ~self.switched.any(-1)


def measure(task, params):
    """Measure the saturation of the hidden layer of networks.

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
        spread = (h.amax(1) - h.amin(1)).amax(-1)
        parts.append((h.mean(1), spread, (h * (1 - h)).amax(1), z.mean(1)))
    joined = (torch.cat(part).cpu().numpy() for part in zip(*parts))
    return Saturation(*(values.reshape(*lead, *values.shape[1:]) for values in joined))


def check_parameters(task, params):
    """Return parameters as a tensor on the task's device, of a network that the reduction is for.

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
    """Return which parameters the reduction lets move: the outer biases, and outer weights of units
    that are on.

    ``state`` is a :class:`Saturation` of shape (...); the result (..., P) bool.
    """
    (units, inputs), (classes, _) = task.network.shapes
    on = np.insert(state.is_on, units, True, axis=-1)  # (..., U + 1), the bias last
    inner = np.zeros((*on.shape[:-1], units * inputs), dtype=bool)
    return np.concatenate([inner, *[on] * classes], axis=-1)


def by_kappa(values, state, skip=0, block=60):
    """Return a series of networks in undisturbed blocks, by the number κ they have there.

    Parameters
    ----------
    values : array, shape (T, n, ...)
        Such as the loss or the mean logits.
    state : Saturation
        Of the states (B + 1, n) at the starts of blocks.
    skip : int
        Blocks left out at the start.
    block : int

    Returns
    -------
    dict of int to array, shape (blocks, block, ...)
        At most 40 blocks for each κ, evenly spread.
    """
    steady = state.undisturbed()
    steady[:skip] = False
    kappa = np.round(state.kappa[:-1]).astype(int)
    return {
        int(k): phases.blocks_of(values, steady & (kappa == k), block=block)
        for k in np.unique(kappa[steady])
    }


def approach(state, quiet=20):
    """Return how open a unit is before it goes on or off, after a long quiet time.

    Taken are the units that change between two successive states and whose
    derivative h (1 − h) was at most 1%, without a change, at the ``quiet``
    states before.

    Parameters
    ----------
    state : netdyn_lib.experiments.saturation.Saturation
        Of states (B, n) of n trajectories, one for each block.
    quiet : int

    Returns
    -------
    array, shape (K, quiet + 1)
        Derivative at ``quiet``, …, 1, 0 states before the block of the change.
    """
    changed = state.switched  # (B - 1, n, U)
    rows = []
    for b, i, j in np.argwhere(changed[quiet:]):
        before = state.derivative[b : b + quiet + 1, i, j]
        if (before[:-1] <= _TOLERANCE).all() and not changed[b : b + quiet, i, j].any():
            rows.append(before)
    return np.array(rows).reshape(-1, quiet + 1)


@dataclass(frozen=True)
class Ageing:
    """Rate of events per trajectory and epoch, in bins of time equal in the logarithm.

    ``slope`` is the power law's exponent with its bootstrap interval over
    trajectories; −1 is a rate that falls as one over the age.
    """

    epochs: np.ndarray
    rate: np.ndarray
    slope: float
    low: float
    high: float


def rate(events, block=60, seed=0):
    """Fit how the rate of events falls with age: weighted line through ln(rate) against ln(epoch).

    Eight bins of time, equal in the logarithm; the first block is left out.  The interval is that
    of 1,000 resamples of trajectories.

    Parameters
    ----------
    events : array, shape (B, n)
        Events of each trajectory in each block.
    block : int
        Epochs in a block.
    seed : int

    Returns
    -------
    Ageing

    Raises
    ------
    ValueError
        For fewer than three bins with an event in them.
    """
    events = np.asarray(events, dtype=float)
    count, trajectories = events.shape
    middle = (np.arange(count) + 0.5) * block
    edges = np.geomspace(block, count * block, 9)
    member = (middle >= edges[:-1, None]) & (middle < edges[1:, None])  # (bins, B)
    member = member[member.any(1)]
    weight = member.sum(1) * block  # epochs in a bin
    centre = np.exp((member * np.log(middle)).sum(1) / member.sum(1))
    counts = member @ events  # (bins, n)
    total = counts.sum(1)
    if (total > 0).sum() < 3:
        seen = f"{int(total.sum())} events in {int((total > 0).sum())} bins"
        raise ValueError(f"{seen}: a slope needs at least 3 bins with events")

    def slope(total):  # (..., bins), weighted by counts
        y = np.log(np.maximum(total, 0.5) / weight / trajectories)
        x = np.log(centre)
        x = x - (total * x).sum(-1, keepdims=True) / total.sum(-1, keepdims=True)
        return (total * x * y).sum(-1) / (total * x * x).sum(-1)

    draws = np.random.default_rng(seed).integers(trajectories, size=(1000, trajectories))
    again = slope(np.stack([counts[:, d].sum(1) for d in draws]))
    found = percentile_interval(float(slope(total)), again, count=trajectories)
    return Ageing(centre, total / weight / trajectories, *found)


#: Loss of guessing among three classes.
GUESSING = float(np.log(3))


def step(logits, gain, target):
    """Apply the reduced map, z − g (softmax(z) − q).

    Parameters
    ----------
    logits : array, shape (..., C)
    gain : array, shape (...)
        g = ηκ.
    target : array, shape (C,)
        q.

    >>> step(np.zeros(2), 4.0, np.array([0.75, 0.25])).tolist()
    [1.0, -1.0]
    """
    return logits - np.asarray(gain)[..., None] * (softmax(logits, axis=-1) - target)


def reduced_orbit(logits, gain, target, steps):
    """Iterate the reduced map; (steps + 1, ..., C), the start first.

    Parameters as :func:`step`.
    """
    states = [np.asarray(logits, dtype=float)]
    for _ in range(steps):
        states.append(step(states[-1], gain, target))
    return np.stack(states)


def reduced_loss(logits, target):
    """Return the cross-entropy of one logit vector shared by all samples, ln Σ exp(z) − q·z."""
    return logsumexp(logits, axis=-1) - logits @ target


def exponent(logits, gain, target, steps=2000, transient=1000):
    """Return the largest Lyapunov exponent of the reduced map, per step.

    A tangent vector on the plane of constant Σz is multiplied by
    J = I − g (diag p − p pᵀ), p = softmax(z), and renormalised (Benettin).

    Parameters
    ----------
    logits, gain, target
        As :func:`step`.
    steps : int
        Steps averaged, after ``transient`` steps discarded.

    Returns
    -------
    tuple of array
        Exponent (...) and the state reached (..., C).

    Raises
    ------
    ValueError
        For fewer than one step or a negative transient.
    """
    if steps < 1 or transient < 0:
        what = f"steps = {steps} must be at least 1 and transient = {transient} not negative"
        raise ValueError(what)
    z = np.asarray(logits, dtype=float)
    gain = np.broadcast_to(np.asarray(gain, dtype=float), z.shape[:-1])
    # no special direction
    vector = np.broadcast_to(np.linspace(-1.0, 2.0, z.shape[-1]) ** 2, z.shape)
    total = np.zeros(z.shape[:-1])
    for t in range(transient + steps):
        p = softmax(z, axis=-1)
        vector = vector - gain[..., None] * p * (vector - (p * vector).sum(-1, keepdims=True))
        vector = vector - vector.mean(-1, keepdims=True)  # rounding must not leave the plane
        length = np.linalg.norm(vector, axis=-1, keepdims=True)
        vector = vector / length
        if t >= transient:
            total += np.log(length[..., 0])
        z = z - gain[..., None] * (p - target)
    return total / steps, z


def critical_gain(target):
    """Return the gain at which the fixed point softmax(z) = q loses its stability.

    It is 2 / λ_max(diag q − q qᵀ).

    >>> round(critical_gain(np.ones(3) / 3), 12)
    6.0
    """
    target = np.asarray(target, dtype=float)
    return float(2 / np.linalg.eigvalsh(np.diag(target) - np.outer(target, target))[-1])


@dataclass(frozen=True)
class Diagram:
    """Bifurcation diagram of the reduced map: ``losses`` (G, starts · keep), ``exponents`` (G,
    starts).
    """

    gains: np.ndarray
    losses: np.ndarray
    exponents: np.ndarray


def bifurcation(gains, target, starts=20, transient=1000, keep=60, seed=0):
    """Return where orbits of the reduced map settle, at each of some gains.

    Parameters
    ----------
    gains : array, shape (G,)
    target : array, shape (C,)
        q.
    starts : int
        Orbits for each gain, from logits N(0, 5²): the map has several attractors.
    transient : int
        Steps discarded; as many again are averaged for the exponent.
    keep : int
        Steps kept after them.
    seed : int
    """
    gains = np.asarray(gains, dtype=float)
    z = np.random.default_rng(seed).normal(0, 5.0, (starts, len(target)))
    z = np.broadcast_to(z, (len(gains), *z.shape))  # the same starts for each gain
    exponents, z = exponent(z, gains[:, None], target, transient, transient)
    orbits = reduced_orbit(z, gains[:, None], target, keep - 1)  # (keep, G, starts, C)
    losses = reduced_loss(orbits, target).transpose(1, 2, 0)
    return Diagram(gains, losses.reshape(len(gains), -1), exponents)


#: Orthonormal coordinates of the plane in which three logits move.
_PLANE = np.array([[-1, 1, 0], [-1, -1, 2]]).T / np.sqrt([2, 6])  # (3, 2)


def plane(logits):
    """Return the coordinates ((z₂ − z₁)/√2, (2z₃ − z₁ − z₂)/√6) of three logits."""
    return np.asarray(logits) @ _PLANE


def basins(gain, target, edge, side=200, transient=300):
    """Return the kind of attractor that the reduced map reaches from points of the plane of logits.

    Parameters
    ----------
    gain : float
    target : array, shape (3,)
    edge : float
        The square reaches from -edge to edge in both coordinates of :func:`plane`.
    side : int
        Points along a side.
    transient : int
        Steps discarded.

    Returns
    -------
    labels : array of int, shape (side, side)
        Rows along the second coordinate; as of :func:`netdyn_lib.series.phases.classify`, in units
        of the largest loss on any attractor.
    points : array, shape (60, side², 2)
        Where the orbits are afterwards, in the plane.
    """
    ticks = (np.arange(side) + 0.5) / side * 2 * edge - edge
    z = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2) @ _PLANE.T
    for _ in range(transient):
        z = step(z, gain, target)
    after = reduced_orbit(z, gain, target, 59)
    losses = reduced_loss(after, target)
    labels = phases.classify(losses, scale=losses.max())[0]
    return labels.reshape(side, side), plane(after)


def class_frequencies(task):
    """Return q, the share of each class in the training set, (C,)."""
    classes = task.network.sizes[-1]
    return np.bincount(task.y.cpu().numpy(), minlength=classes) / len(task.y)


def predict(task, params, learning_rate, steps):
    """Return the loss of networks as the reduced map predicts it from their present state.

    Nothing is fitted: h and z are the means over the training samples, q is
    counted.

    Parameters
    ----------
    task : Task
    params : array or torch.Tensor, shape (..., P)
    learning_rate : float
    steps : int

    Returns
    -------
    array, shape (steps + 1, ...)

    Raises
    ------
    ValueError
        As :func:`netdyn_lib.experiments.saturation.measure`.
    """
    state = measure(task, params)
    target = class_frequencies(task)
    orbit = reduced_orbit(state.logits, learning_rate * state.kappa, target, steps)
    return reduced_loss(orbit, target)


def predict_frozen(task, params, learning_rate, steps):
    """Return the loss of networks whose hidden layer stays as it is, each sample with its own
    hidden vector.

    With logits z_s and hidden vectors h_s of N samples,
    ``z_s(t + 1) = z_s(t) − (η/N) Σ_r (h_s·h_r + 1)(softmax(z_r(t)) − y_r)``:
    descent of the output layer alone.  What it misses is due to hidden units
    that move; what :func:`predict` misses beyond that, to samples that differ.

    Parameters, result and errors as :func:`predict`.
    """
    params = check_parameters(task, params)
    lead = params.shape[:-1]
    losses = []
    for some in params.reshape(-1, params.shape[-1]).split(256):
        h = task.network.hidden(some, task.x)
        h = torch.cat([h, torch.ones_like(h[..., :1])], dim=-1)  # (m, N, U + 1)
        outer = task.network.matrices(some)[-1].clone()  # (m, C, U + 1)
        y = torch.nn.functional.one_hot(task.y, outer.shape[1]).to(h.dtype)  # (N, C)
        part = []
        for _ in range(steps + 1):
            z = h @ outer.transpose(1, 2)  # (m, N, C)
            log_p = torch.log_softmax(z, dim=-1)
            part.append(-(log_p * y).sum(-1).mean(-1))
            outer -= learning_rate / len(y) * (log_p.exp() - y).transpose(1, 2) @ h
        losses.append(torch.stack(part))
    return torch.cat(losses, dim=1).cpu().numpy().reshape(steps + 1, *lead)


@dataclass(frozen=True)
class Forecast:
    """Losses predicted from the states at some blocks, beside those that followed.

    Attributes
    ----------
    predicted, true : array, shape (horizon + 1, K, n)
        From each of K blocks of n trajectories.
    range : array, shape (n,)
        max - min of the loss of each whole trajectory.
    block : int
    """

    predicted: np.ndarray
    true: np.ndarray
    range: np.ndarray
    block: int

    @property
    def error(self):
        """Return ``|predicted - true| / range``, (horizon + 1, K, n)."""
        return np.abs(self.predicted - self.true) / self.range

    def labels(self, tolerance=1e-3):
        """Return the period of each predicted block, (K, n), by the rule and the scale of the true
        ones.
        """
        scale = np.broadcast_to(self.range, self.predicted.shape[1:])
        ahead = self.predicted[: self.block]
        return phases.classify(ahead, self.block, tolerance, scale=scale)[0]


def from_blocks(task, trajectories, learning_rate, horizon, blocks, model=predict):
    """Predict the loss from the states at the start of some blocks; a :class:`Forecast`.

    Parameters
    ----------
    task : Task
    trajectories : netdyn_lib.training.gradient_descent.Trajectories
        With the loss observed.
    learning_rate : float
    horizon : int
        Steps ahead, at least one block.
    blocks : sequence of int
        Blocks to start from.
    model : callable
        :func:`predict` or :func:`predict_frozen`.

    Raises
    ------
    ValueError
        For a horizon shorter than a block, or that leads beyond the last
        epoch.
    """
    loss, block = trajectories["loss"], trajectories.block
    starts = np.asarray(blocks) * block
    if horizon < block or starts.max() + horizon >= len(loss):
        what = f"a horizon of {horizon} from epoch {starts.max()} must be at least a block"
        raise ValueError(f"{what} of {block} and end by epoch {len(loss) - 1}")
    true = loss[starts + np.arange(horizon + 1)[:, None]]  # (horizon + 1, K, n)
    predicted = model(task, trajectories.states[np.asarray(blocks)], learning_rate, horizon)
    return Forecast(predicted, true, np.ptp(loss, axis=0), block)
