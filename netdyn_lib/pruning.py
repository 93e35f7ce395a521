"""Stochastic gradient descent without chosen eigendirections of the present mini-batch's Hessian.

    W(t + 1) = W(t) − γ (g − Σ_i v_i v_iᵀ g),   i over the directions that a :class:`Rule` prunes

(Herrmann, Granz and Landgraf, 2022, H: theorem 2.2, eq. 12).  Directions without
curvature are never pruned: those outside the range of a batch's Hessian hold no
part of its gradient (:mod:`netdyn_lib.low_rank`), neutral ones within it stay.

:class:`PrunedSGD` is for a training loop in PyTorch, :func:`step` the map, and
:func:`run` follows ensembles and counts eigenvalues on the way.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from . import gradients, low_rank, minibatches, threads
from .checks import floats, positive, whole
from .descent import quiet
from .ensembles import Stopped

_STREAM = 1  # of random numbers drawn at a step: [seed, step, 1]


@dataclass(frozen=True)
class Rule:
    """Which eigendirections to take out of a gradient.

    Parameters
    ----------
    which : {"none", "chaotic", "negative", "positive", "all"}
        A class of :func:`netdyn_lib.low_rank.classes`; ``"all"`` are those that are not neutral.
    count : int, optional
        Of these at most so many: the largest in magnitude.
    chosen : {"magnitude", "random"}
        ``"random"`` takes any ``count`` of them.
    elsewhere : bool
        In their place as many random orthonormal directions, uniform in the
        span of all eigenvectors that are not neutral: the control for their number.
    restore : bool
        Scale what is left to the length of the whole gradient: the control for
        the lost length.  Where nothing is left (to 1e-12 of it), descent stands still.

    Raises
    ------
    ValueError
        For an unknown class or choice, or a count below 1.
    """

    which: str = "none"
    count: int | None = None
    chosen: str = "magnitude"
    elsewhere: bool = False
    restore: bool = False

    def __post_init__(self):
        if self.which not in ("none", "chaotic", "negative", "positive", "all"):
            raise ValueError(f"which = {self.which!r}: must be none, chaotic, negative, positive or all")
        if self.chosen not in ("magnitude", "random"):
            raise ValueError(f"chosen = {self.chosen!r}: must be magnitude or random")
        if self.count is not None:
            whole(self.count, "count", 1, cause="to prune nothing take the rule none")

    def mask(self, values, learning_rate, rng):
        """Which eigenvalues (m,) are pruned, or how many directions elsewhere, (m,) bool."""
        if self.which == "none":
            return np.zeros(len(values), dtype=bool)
        known = low_rank.classes(values, learning_rate)
        mask = ~known.neutral if self.which == "all" else getattr(known, self.which).copy()
        if self.count is not None:
            places = np.flatnonzero(mask)
            order = np.argsort(-np.abs(values[places]), kind="stable") if self.chosen == "magnitude" else rng.permutation(len(places))
            mask[places[order[self.count :]]] = False
        return mask


#: Rules by name: the paper's, and the controls it lacks.
RULES = {name: Rule(name) for name in ("none", "chaotic", "negative", "positive")} | {
    "negative-norm": Rule("negative", restore=True),
    "positive-norm": Rule("positive", restore=True),
    "random-same": Rule("negative", elsewhere=True),
    "random-same-norm": Rule("negative", elsewhere=True, restore=True),
    "random-same-positive": Rule("positive", elsewhere=True),
}


def named(rule):
    """A :class:`Rule` itself, or by its name in :data:`RULES`.  Raises ValueError for an unknown name; the message lists the known."""
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; known: {', '.join(RULES)}, or a pruning.Rule")
    return RULES[rule]


@torch.no_grad()
def pruned(gradient, spectrum, learning_rate, rule="chaotic", rng=None):
    """A gradient without the directions that a rule prunes: (P,) for ``gradient`` (P,).

    ``spectrum`` is a :class:`~netdyn_lib.low_rank.LowRank`, ``learning_rate`` γ
    decides what is chaotic, and ``rng`` is a :class:`numpy.random.Generator`, for rules that draw.
    The pruned part is subtracted, so all else stays to the last bits.
    """
    rule = named(rule)
    if rng is None and (rule.elsewhere or (rule.chosen == "random" and rule.count is not None)):
        raise ValueError(f"{rule} draws random numbers: give rng, a numpy.random.Generator")
    mask = rule.mask(spectrum.values, learning_rate, rng)
    if not mask.any():
        return gradient
    coefficients = spectrum.project(gradient)  # (m,)
    if rule.elsewhere:
        live = torch.from_numpy(~low_rank.classes(spectrum.values, learning_rate).neutral).to(coefficients.device)
        frame = np.linalg.qr(rng.standard_normal((int(live.sum()), int(mask.sum()))))[0]
        frame = torch.from_numpy(frame).to(coefficients)  # (live, k), Haar-distributed span
        removed = torch.zeros_like(coefficients)
        removed[live] = frame @ (frame.T @ coefficients[live])
    else:
        removed = coefficients * torch.from_numpy(mask).to(coefficients)
    left = gradient - spectrum.expand(removed).to(gradient)
    if rule.restore:
        whole_norm, norm = gradient.norm(), left.norm()
        left = left * (whole_norm / norm) if norm > 1e-12 * whole_norm else torch.zeros_like(left)
    return left


def step(task, params, x, y, learning_rate, rule="chaotic", rng=None):
    """The map: parameters (P,) after one step from ``params`` (P,) on the batch ``x`` (B, …), ``y`` (B,) or (B, C).

    Out of place; without a history of differentiation.  Raises as :func:`netdyn_lib.low_rank.spectrum`.
    """
    rule, part = named(rule), replace(task, split=replace(task.split, x=x, y=y))
    with torch.no_grad():
        gradient = gradients.of(part)(params[None])[0]
        if rule.which != "none":
            gradient = pruned(gradient, low_rank.spectrum(part, params), learning_rate, rule, rng)
        return params - learning_rate * gradient


class PrunedSGD(torch.optim.Optimizer):
    """Stochastic gradient descent whose gradient is pruned; with the rule ``"none"``, ``torch.optim.SGD``.

        optimizer = PrunedSGD(model.parameters(), lr=1e-3, rule="negative")
        for x, y in batches:
            loss = optimizer.step(lambda: criterion(model(x), y))

    The closure returns the loss of the batch and calls no ``backward``.  The
    Hessian is then formed whole, for up to :data:`netdyn_lib.low_rank.DENSE`
    parameters.  A perceptron is many times as fast by its low-rank spectrum:

        optimizer = PrunedSGD(..., spectrum=lambda: low_rank.of_module(model, losses.CrossEntropy(), x, y))

    With that, gradients may also come from ``loss.backward()``, and ``step()`` takes no closure.

    Parameters
    ----------
    params : iterable of torch.nn.Parameter
        One group: all parameters have one learning rate.
    lr : float
        γ.
    rule : str or Rule
    spectrum : callable, optional
        () → LowRank of the present batch at the present parameters, flat in the order of ``params``.
    momentum : float
        μ: the velocity is u ← μ u + pruned gradient, and W ← W − γ u, as in PyTorch.
    onset : int
        Steps before the first that is pruned.
    seed : int
        Of rules that draw: each step has its own stream.

    Raises
    ------
    ValueError
        For γ that is not positive and finite, μ outside [0, 1), several groups, or an unknown rule.
    """

    def __init__(self, params, lr, rule="chaotic", spectrum=None, momentum=0.0, onset=0, seed=0):
        # The count of steps is in the group: it is saved with the state.
        super().__init__(params, {"lr": positive(lr, "lr", "the learning rate"), "momentum": _momentum(momentum), "steps": 0})
        if len(self.param_groups) != 1:
            raise ValueError(f"{len(self.param_groups)} groups of parameters: a Hessian is of all, so give them as one group")
        self.rule, self.spectrum = named(rule), spectrum
        self.onset, self.seed = whole(onset, "onset"), whole(seed, "seed")

    @torch.no_grad()
    def step(self, closure=None):
        """One step; returns what the closure returns.  Raises ValueError where there is nothing to take the Hessian from."""
        (group,) = self.param_groups
        params = [p for p in group["params"] if p.requires_grad]
        rate, t = group["lr"], group["steps"]
        prune = self.rule.which != "none" and t >= self.onset and rate > 0
        whole_hessian = prune and self.spectrum is None
        if closure is None:
            if whole_hessian:
                raise ValueError("the Hessian needs the loss: call step(closure), or give the optimizer a spectrum")
            loss, parts = None, [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
        else:
            with torch.enable_grad():
                loss = closure()
                parts = torch.autograd.grad(loss, params, create_graph=whole_hessian, materialize_grads=True)
        if prune:
            found = _dense(parts, params) if whole_hessian else self.spectrum()
            flat = torch.cat([part.detach().reshape(-1) for part in parts])
            flat = pruned(flat, found, rate, self.rule, np.random.default_rng([self.seed, t, _STREAM]))
            parts = [part.view_as(p) for part, p in zip(flat.split([p.numel() for p in params]), params)]
        for p, part in zip(params, parts):
            if group["momentum"]:
                state = self.state[p]
                if "momentum_buffer" in state:
                    state["momentum_buffer"].mul_(group["momentum"]).add_(part.detach())
                else:
                    state["momentum_buffer"] = part.detach().clone()
                part = state["momentum_buffer"]
            p.add_(part.detach(), alpha=-rate)
        group["steps"] = t + 1
        return None if loss is None else loss.detach()


def _dense(parts, params):
    """Spectrum of the Hessian of the loss whose gradient is ``parts``, made with a graph."""
    size = sum(p.numel() for p in params)
    if size > low_rank.DENSE:
        raise ValueError(f"{size:,} parameters: a Hessian is formed whole up to {low_rank.DENSE:,}; give the optimizer a spectrum")
    with torch.enable_grad():
        flat = torch.cat([part.reshape(-1) for part in parts])
    rows = []
    for units in torch.eye(size, dtype=flat.dtype, device=flat.device).split(256):
        if not flat.requires_grad:  # the loss is linear
            rows.append(torch.zeros_like(units))
            continue
        found = torch.autograd.grad(flat, params, units, is_grads_batched=True, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([part.flatten(1) for part in found], 1))
    hessian = torch.cat(rows)
    return low_rank.of_matrix((hessian + hessian.T) / 2)


def _momentum(value):
    if not 0 <= value < 1:
        raise ValueError(f"momentum = {value}: must be at least 0 and below 1, or the velocity grows without end")
    return float(value)


@dataclass(frozen=True)
class PrunedRun:
    """What :func:`run` saw of n networks.

    ``loss`` (S, n) is that of every step's batch before the step; ``steps`` (T,)
    are the observed steps, and ``run[name]`` (T, n) what was observed before
    each: ``test_loss``, ``test_accuracy`` (NaN for targets that are no labels),
    ``norm`` ‖W‖, ``gradient_norm`` ‖g‖, ``kept``, the length of the pruned
    gradient in units of it (1 before the onset); of the batch's Hessian ``smallest``, ``largest``, how many
    are ``chaotic``, ``negative``, ``positive``, ``neutral`` in its range, and as
    ``overlap_negative`` and so on the share of ‖g‖² in each.  ``final`` and
    ``velocity`` (n, P) go on where the run ended.  ``diverged_at`` (n,) is the
    first step at which parameters, gradient or Hessian were not finite, −1 for never; from there on all is NaN.
    """

    steps: np.ndarray
    loss: np.ndarray
    values: dict
    final: torch.Tensor
    velocity: torch.Tensor
    diverged_at: np.ndarray

    def __getitem__(self, name):
        if name not in self.values:
            raise KeyError(f"{name!r} was not observed; observed: {', '.join(self.values)}")
        return self.values[name]


def run(
    task, params, rates, batch, steps, rule="none", *, onset=0, seed=0, start=0, every=100, spectra=True, momentum=0.0, velocity=None,
    workers=None, stop=None, progress=None,
):  # fmt: skip
    """Pruned descent of an ensemble, mini-batch by mini-batch.

    Parameters
    ----------
    task : Task
        Without weight decay.
    params : torch.Tensor
        (n, P), the networks before step ``start``.
    rates : float or sequence of float
        γ, of all or (n,).
    batch, steps : int
        Samples of a batch, steps to take; :func:`netdyn_lib.minibatches.per_epoch` says how many an epoch has.
    rule : str or Rule
    onset : int
        The first step that is pruned, counted from step 0.
    seed : int or sequence of int
        Of the order of samples and of rules that draw, of all networks or (n,).
    start : int
        Where a run goes on that was broken off: batches, onset and random numbers are those of one run of both.
    every : int
        Observe at steps that are multiples, the end included where it is one (with the batch that would come next).
    spectra : bool
        Whether to observe spectra where pruning itself needs none.
    momentum, velocity
        As for :class:`PrunedSGD`; ``velocity`` (n, P) at ``start``, zero where not given.
    workers : int, optional
        Networks side by side; as many as PyTorch's threads where not given.
    stop : callable, optional
        Asked before every step; where it answers true, all is given up with :class:`~netdyn_lib.ensembles.Stopped`.
    progress : bool, optional

    Returns
    -------
    PrunedRun

    Raises
    ------
    ValueError
        For numbers out of bounds, shapes that disagree, or a task with weight decay.
    """
    if task.weight_decay:
        raise ValueError(f"weight_decay = {task.weight_decay}: pruned descent is of the loss alone; take a task without")
    params = floats(params, task.x.device)
    if params.dim() != 2 or params.shape[1] != task.network.count or not len(params):
        raise ValueError(f"params of shape {tuple(params.shape)}: expected (n, {task.network.count}), of at least 1 network")
    n, steps, start = len(params), whole(steps, "steps"), whole(start, "start")
    velocity = torch.zeros_like(params) if velocity is None else floats(velocity, params.device)
    if velocity.shape != params.shape:
        raise ValueError(f"velocity of shape {tuple(velocity.shape)} for params {tuple(params.shape)}: must be the same")
    rates = [positive(rate, "rates", "γ") for rate in _each(rates, n, "rates")]
    seeds = [whole(s, "seed") for s in _each(seed, n, "seed")]
    minibatches.per_epoch(len(task.x), batch)
    walk = _Walk(task, named(rule), batch, start, steps, whole(onset, "onset"), whole(every, "every", 1), spectra, _momentum(momentum))
    bar = tqdm(total=n * steps, unit="step", disable=quiet(progress), leave=False)
    abandoned = []

    def one(k):
        def before(t):
            if abandoned or (stop is not None and stop()):
                raise Stopped(f"stopped before step {t}")
            bar.update()

        return walk.follow(params[k], velocity[k], rates[k], seeds[k], before)

    workers = whole(workers or torch.get_num_threads(), "workers", 1)
    with bar, threads.pool(workers, alone=params.device.type == "cpu") as pool:
        try:
            parts = list(pool.map(one, range(n)))
        except BaseException:  # an interrupt, too: leaving the pool waits for its threads
            abandoned.append(True)
            raise
    loss, values, final, velocity, gone = zip(*parts)
    values = {name: np.array([row[name] for row in values]).T for name in values[0]}
    return PrunedRun(walk.marks, np.array(loss).T, values, torch.stack(final).cpu(), torch.stack(velocity).cpu(), np.array(gone))


def _each(value, n, name):
    values = np.ravel(value).tolist()
    if np.ndim(value) and len(values) != n:
        raise ValueError(f"{len(values)} {name} for {n} networks: give a number for all, or one for each")
    return values if np.ndim(value) else values * n


_CLASSES = ("chaotic", "negative", "positive", "neutral")
_NAMES = ("test_loss", "test_accuracy", "norm", "gradient_norm", "kept", "smallest", "largest", *_CLASSES)
_NAMES += tuple(f"overlap_{name}" for name in _CLASSES)


@dataclass(frozen=True)
class _Walk:
    """What all networks of a run share."""

    task: object
    rule: Rule
    batch: int
    start: int
    steps: int
    onset: int
    every: int
    spectra: bool
    momentum: float

    @property
    def marks(self):
        first = -(-self.start // self.every) * self.every
        return np.arange(first, self.start + self.steps + 1, self.every)

    @torch.no_grad()
    def follow(self, params, velocity, rate, seed, before):
        """One network: losses (S,), observations by name (T,) each, where it ends, its velocity, and when it diverged."""
        losses = np.full(self.steps, np.nan)
        seen = {name: np.full(len(self.marks), np.nan) for name in _NAMES}
        batches = minibatches.order(len(self.task.x), self.batch, None, seed, self.start)
        for k, index in zip(range(self.steps + 1), batches):
            t, last = self.start + k, k == self.steps
            row = np.flatnonzero(self.marks == t)
            if last and not len(row):
                break
            part = minibatches.part(self.task, torch.from_numpy(index).to(params.device))
            loss = float(part.objective(params))
            gradient = gradients.of(part)(params[None])[0]
            prune = self.rule.which != "none" and t >= self.onset
            try:
                if not (math.isfinite(loss) and bool(gradient.isfinite().all() & params.isfinite().all())):
                    raise FloatingPointError
                found = low_rank.spectrum(part, params) if prune or (len(row) and self.spectra) else None
            except FloatingPointError:
                nothing = torch.full_like(params, torch.nan)
                return losses, seen, nothing, nothing, t
            left = pruned(gradient, found, rate, self.rule, np.random.default_rng([seed, t, _STREAM])) if prune else gradient
            if len(row):
                for name, value in self._observed(params, gradient, left, found, rate).items():
                    seen[name][row] = value
            if not last:
                before(t)
                losses[k] = loss
                velocity = self.momentum * velocity + left if self.momentum else left
                params = params - rate * velocity
        return losses, seen, params, velocity, -1 if bool(params.isfinite().all()) else self.start + self.steps

    def _observed(self, params, gradient, left, found, rate):
        task, size = self.task, gradient.norm()
        output = task.network.forward(params, task.x_test)
        labels = not task.y_test.is_floating_point()
        seen = {
            "test_loss": task.loss.value(output, task.y_test),
            "test_accuracy": (output.argmax(-1) == task.y_test).double().mean() if labels else np.nan,
            "norm": params.norm(),
            "gradient_norm": size,
            "kept": left.norm() / size,  # NaN where there is no gradient
        }
        if found is not None:
            known = found.classes(rate)
            share = low_rank.overlap(found.project(gradient), known)
            seen |= {"smallest": found.values[0], "largest": found.values[-1]} | known.counts()
            seen |= {f"overlap_{name}": value for name, value in share.items()}
        return {name: float(value) for name, value in seen.items()}
