"""Stochastic gradient descent without chosen eigendirections of the present mini-batch's Hessian.

    W(t + 1) = W(t) − γ (g − Σ_i v_i v_iᵀ g),   i over the directions that a rule prunes

(Herrmann 2022, theorem 2.2, eq. 12).  Directions without curvature are never pruned: those outside
the range of a batch's Hessian hold no part of its gradient
(:mod:`netdyn_lib.curvature.batch_hessian`), neutral ones within it stay.

A :class:`Rule` says which.  :class:`PrunedSGD` is for a training loop in PyTorch, :func:`step` the
map, and :func:`run` follows ensembles and counts eigenvalues on the way.  The map's derivative, and
what theorem 2.2 says of it, are in :mod:`netdyn_lib.curvature.jacobian`.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .. import torch_utils
from ..tasks import gradients
from ..tasks.tasks import Task
from ..torch_utils import Stopped
from ..training import minibatches
from ..validation import floats, positive, whole
from . import batch_hessian
from .batch_hessian import LowRank

_STREAM = 1  # of the random numbers of a step: [seed, step, 1]
_CLASSES = ("chaotic", "negative", "positive", "neutral")
_NAMES = (
    *("test_loss", "test_accuracy", "norm", "gradient_norm", "kept", "smallest", "largest"),
    *_CLASSES,
    *(f"overlap_{name}" for name in _CLASSES),
)


@dataclass(frozen=True)
class Rule:
    """Which eigendirections to take out of a gradient.

    Parameters
    ----------
    which : {"none", "chaotic", "negative", "positive", "all"}
        A class of :func:`netdyn_lib.curvature.batch_hessian.classes`; ``"all"`` are those that are
        not neutral.
    count : int, optional
        Of these at most so many: the largest in magnitude.
    chosen : {"magnitude", "random"}
        ``"random"`` takes any ``count`` of them.
    elsewhere : bool
        In their place a subspace of as many dimensions, uniformly random in the span of all
        eigenvectors that are not neutral: the control for their number (:func:`elsewhere`).
    restore : bool
        Scale what is left to the length of the whole gradient: the control for
        the lost length.  Where nothing is left (to 1e-12 of it), descent stands still.
    """

    which: str = "none"
    count: int | None = None
    chosen: str = "magnitude"
    elsewhere: bool = False
    restore: bool = False

    def __post_init__(self):
        if self.which not in ("none", "chaotic", "negative", "positive", "all"):
            raise ValueError(
                f"which = {self.which!r}: must be none, chaotic, negative, positive or all"
            )
        if self.chosen not in ("magnitude", "random"):
            raise ValueError(f"chosen = {self.chosen!r}: must be magnitude or random")
        if self.count is not None:
            whole(self.count, "count", 1, cause="to prune nothing take the rule none")

    @property
    def draws(self) -> bool:
        """Whether random numbers decide."""
        return self.elsewhere or (self.chosen == "random" and self.count is not None)

    def mask(
        self, values: np.ndarray, learning_rate: float, rng: np.random.Generator | None
    ) -> np.ndarray:
        """Return which eigenvalues (m,) are pruned, or how many directions elsewhere, (m,) bool."""
        if self.which == "none":
            return np.zeros(len(values), dtype=bool)
        known = batch_hessian.classes(values, learning_rate)
        mask = ~known.neutral if self.which == "all" else getattr(known, self.which).copy()
        if self.count is not None:
            places = np.flatnonzero(mask)
            if self.chosen == "magnitude":
                order = np.argsort(-np.abs(values[places]), kind="stable")
            else:
                order = _drawing(self, rng).permutation(len(places))
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


def named(rule: str | Rule) -> Rule:
    """Return a :class:`Rule` itself, or by its name in :data:`RULES`."""
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        known = ", ".join(RULES)
        raise ValueError(f"unknown rule {rule!r}; known: {known}, or a pruned_descent.Rule")
    return RULES[rule]


def stream(seed: int, step: int) -> np.random.Generator:
    """Return the random numbers of one step."""
    return np.random.default_rng([seed, step, _STREAM])


def _drawing(rule, rng):
    if rng is None:
        raise ValueError(f"{rule} draws random numbers: give rng, a numpy.random.Generator")
    return rng


@torch.no_grad()
def pruned(
    gradient: Tensor,
    spectrum: LowRank,
    learning_rate: float,
    rule: str | Rule = "chaotic",
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Return a gradient (P,) without the directions that a rule prunes.

    ``learning_rate`` γ decides what is chaotic, and ``rng`` is for rules that draw.  The pruned
    part is subtracted, so all else stays to the last bits.
    """
    rule = named(rule)
    if rule.draws:
        _drawing(rule, rng)
    mask = rule.mask(spectrum.values, learning_rate, rng)
    if not mask.any():
        return gradient
    coefficients = spectrum.project(gradient)  # (m,)
    if rule.elsewhere:
        rng = _drawing(rule, rng)
        live = torch.from_numpy(~batch_hessian.classes(spectrum.values, learning_rate).neutral)
        live = live.to(coefficients.device)
        normal = torch.from_numpy(rng.standard_normal(len(gradient))).to(coefficients)
        normal = spectrum.project(normal)[live]
        removed = torch.zeros_like(coefficients)
        removed[live] = elsewhere(coefficients[live], int(mask.sum()), normal, rng)
    else:
        removed = coefficients * torch.from_numpy(mask).to(coefficients)
    left = gradient - spectrum.expand(removed).to(gradient)
    if rule.restore:
        whole_norm, norm = gradient.norm(), left.norm()
        left = left * (whole_norm / norm) if norm > 1e-12 * whole_norm else torch.zeros_like(left)
    return left


def elsewhere(coefficients: Tensor, count: int, normal: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the part of a vector c (n,) in a random subspace of k = ``count`` dimensions.

    The subspace is uniformly random, and is not formed.  The share b of |c|² there has the Beta
    distribution of k/2 and (n − k)/2, for the subspace may be held and c turned instead, and |Pc|²
    of a Gaussian c is a sum of k of n squares.  As ⟨c, Pc⟩ = |Pc|²,

        Pc = b c + √(b(1 − b)) |c| u

    with a unit vector u orthogonal to c, uniform by symmetry; it is ``normal`` (n,), standard
    Gaussian, less its part along c.  Where the coefficients are along eigenvectors, whose signs are
    any, a ``normal`` that is projected on them makes the vector itself the same on every machine.
    ``rng`` draws b.
    """
    n, length = len(coefficients), coefficients.norm()
    if count >= n or length == 0:
        return coefficients
    share = rng.beta(count / 2, (n - count) / 2)
    unit = coefficients / length
    across = normal - (normal @ unit) * unit
    return share * coefficients + (share * (1 - share)) ** 0.5 * length * across / across.norm()


@torch.no_grad()
def step(
    batch: Task,
    params: Tensor,
    learning_rate: float,
    rule: str | Rule = "chaotic",
    rng: np.random.Generator | None = None,
) -> Tensor:
    """Return the parameters (P,) after one step from ``params`` (P,) on a ``batch``."""
    rule, gradient = named(rule), gradients.of(batch)(params[None])[0]
    if rule.which != "none":
        spectrum = batch_hessian.spectrum(batch, params)
        gradient = pruned(gradient, spectrum, learning_rate, rule, rng)
    return params - learning_rate * gradient


@dataclass(frozen=True)
class Descent:
    """Pruned descent by mini-batches of a ``task`` without weight decay, and what is observed of
    it.

    ``batch`` is the number of samples, ``rule`` a :class:`Rule` or its name, ``onset`` the first
    step that is pruned, counted from step 0, ``momentum`` μ as for :class:`PrunedSGD`.  Steps that
    are multiples of ``every`` are observed, the end included where it is one (with the batch that
    would come next); with ``spectra`` also the Hessian's, where pruning itself needs none.
    """

    task: Task
    batch: int
    rule: str | Rule = "none"
    onset: int = 0
    momentum: float = 0.0
    every: int = 100
    spectra: bool = True

    def __post_init__(self):
        unpenalised(self.task)
        minibatches.per_epoch(len(self.task.x), self.batch)
        whole(self.onset, "onset"), whole(self.every, "every", 1)
        minibatches.momentum(self.momentum)
        object.__setattr__(self, "rule", named(self.rule))


@dataclass(frozen=True)
class PrunedRun:
    """What :func:`run` saw of n networks.

    ``loss`` (S, n) is that of every step's batch before the step; ``steps`` (T,) are the observed
    steps, and ``run[name]`` (T, n) what was observed before each: ``test_loss``, ``test_accuracy``
    (NaN for targets that are no labels), ``norm`` ‖W‖, ``gradient_norm`` ‖g‖, ``kept``, the length
    of the pruned gradient in units of it (1 before the onset); of the batch's Hessian ``smallest``,
    ``largest``, how many are ``chaotic``, ``negative``, ``positive``, ``neutral`` of the m' that
    :mod:`netdyn_lib.curvature.batch_frames` leaves, and as ``overlap_negative`` and so on the share
    of ‖g‖² in each.  ``final`` and ``velocity`` (n, P) go on where the run ended.  ``diverged_at``
    (n,) is the first step at which parameters, gradient or Hessian were not finite, −1 for never;
    from there on all is NaN.
    """

    steps: np.ndarray
    loss: np.ndarray
    values: dict
    final: Tensor
    velocity: Tensor
    diverged_at: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.values:
            raise KeyError(f"{name!r} was not observed; observed: {', '.join(self.values)}")
        return self.values[name]


def run(
    descent: Descent,
    params: Tensor,
    rates: float | Sequence[float],
    steps: int,
    *,
    seed: int | Sequence[int] = 0,
    start: int = 0,
    velocity: Tensor | None = None,
    stop: Callable[[], bool] | None = None,
) -> PrunedRun:
    """Follow an ensemble, mini-batch by mini-batch, on as many threads as PyTorch has.

    Parameters
    ----------
    descent : Descent
    params : torch.Tensor
        (n, P), the networks before step ``start``.
    rates : float or sequence of float
        γ, of all or (n,).
    steps : int
    seed : int or sequence of int
        Of the order of samples and of rules that draw, of all networks or (n,).
    start : int
        Where a run goes on that was broken off: batches, onset and random numbers are those of one
        run of both.
    velocity : torch.Tensor, optional
        (n, P) at ``start``; zero by default.
    stop : callable, optional
        Asked before every step; where it returns true, the run ends with
        :class:`~netdyn_lib.torch_utils.Stopped`.
    """
    params = floats(params, descent.task.x.device)
    count = descent.task.network.count
    if params.dim() != 2 or params.shape[1] != count or not len(params):
        raise ValueError(
            f"params of shape {tuple(params.shape)}: expected (n, {count}), of at least 1 network"
        )
    n, steps, start = len(params), whole(steps, "steps"), whole(start, "start")
    velocity = torch.zeros_like(params) if velocity is None else floats(velocity, params.device)
    if velocity.shape != params.shape:
        raise ValueError(
            f"velocity of shape {tuple(velocity.shape)} for params {tuple(params.shape)}: "
            "must be the same"
        )
    gammas = [positive(rate, "rates", "γ") for rate in each(rates, n, "rates")]
    seeds = [whole(s, "seed") for s in each(seed, n, "seeds")]
    abandoned: list[bool] = []

    def before(t):
        if abandoned or (stop is not None and stop()):
            raise Stopped(f"stopped before step {t}")

    def one(k):
        # A functional call lends a module its parameters while it lasts, so two threads must not
        # share one.
        network = copy.deepcopy(descent.task.network)
        mine = replace(descent, task=replace(descent.task, network=network))
        walk = _Walk(mine, gammas[k], seeds[k], start, steps)
        return walk.follow(params[k], velocity[k], before)

    with torch_utils.pool(
        min(n, torch.get_num_threads()), alone=params.device.type == "cpu"
    ) as pool:
        try:
            parts = list(pool.map(one, range(n)))
        except BaseException:  # an interrupt, too: leaving the pool waits for its threads
            abandoned.append(True)
            raise
    loss, values, final, last, gone = zip(*parts)
    return PrunedRun(
        _marks(descent, start, steps),
        np.array(loss).T,
        {name: np.array([row[name] for row in values]).T for name in _NAMES},
        torch.stack(final).cpu(),
        torch.stack(last).cpu(),
        np.array(gone),
    )


class PrunedSGD(torch.optim.Optimizer):
    """Stochastic gradient descent whose gradient is pruned; with the rule ``"none"``,
    ``torch.optim.SGD``.

        optimizer = PrunedSGD(model.parameters(), lr=1e-3, rule="negative")
        for x, y in batches:
            loss = optimizer.step(lambda: criterion(model(x), y))

    The closure returns the loss of the batch and calls no ``backward``.  The
    Hessian is then formed whole, for up to :data:`netdyn_lib.curvature.batch_hessian.DENSE`
    parameters.  A perceptron is many times as fast by its low-rank spectrum:

        loss = losses.CrossEntropy()
        optimizer = PrunedSGD(..., spectrum=lambda: batch_hessian.of_module(model, loss, x, y))

    With that, gradients may also come from ``loss.backward()``, and ``step()`` takes no closure.

    Parameters
    ----------
    params : iterable of torch.nn.Parameter
        One group: all parameters have one learning rate.
    lr : float
        γ.
    rule : str or Rule
    spectrum : callable, optional
        () → LowRank of the present batch at the present parameters, flat in the order of
        ``params``.
    momentum : float
        μ: the velocity is u ← μ u + pruned gradient, and W ← W − γ u, as in PyTorch.
    onset : int
        Steps before the first that is pruned.
    seed : int
        Of rules that draw: each step has its own stream.
    """

    def __init__(self, params, lr, rule="chaotic", spectrum=None, momentum=0.0, onset=0, seed=0):
        # The count of steps is in the group: it is saved with the state.
        lr, momentum = positive(lr, "lr", "the learning rate"), minibatches.momentum(momentum)
        super().__init__(params, {"lr": lr, "momentum": momentum, "steps": 0})
        if len(self.param_groups) != 1:
            raise ValueError(
                f"{len(self.param_groups)} groups of parameters: a Hessian is of all, "
                "so give them as one group"
            )
        self.rule, self.spectrum = named(rule), spectrum
        self.onset, self.seed = whole(onset, "onset"), whole(seed, "seed")

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step, and return what the closure returns."""
        (group,) = self.param_groups
        params = [p for p in group["params"] if p.requires_grad]
        rate, t = group["lr"], group["steps"]
        prune = self.rule.which != "none" and t >= self.onset and rate > 0
        whole_hessian = prune and self.spectrum is None
        if closure is None:
            if whole_hessian:
                raise ValueError(
                    "the Hessian needs the loss: call step(closure), or give a spectrum"
                )
            loss, parts = None, [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
        else:
            with torch.enable_grad():
                loss = closure()
                parts = torch.autograd.grad(
                    loss, params, create_graph=whole_hessian, materialize_grads=True
                )
        if prune:
            found = _dense(parts, params) if whole_hessian else self.spectrum()
            flat = torch.cat([part.detach().reshape(-1) for part in parts])
            flat = pruned(flat, found, rate, self.rule, stream(self.seed, t))
            parts = [
                part.view_as(p)
                for part, p in zip(flat.split([len(p.flatten()) for p in params]), params)
            ]
        for p, part in zip(params, parts):
            part = part.detach()
            if group["momentum"]:
                state = self.state[p]
                buffer = state.setdefault("momentum_buffer", torch.zeros_like(part))
                part = buffer.mul_(group["momentum"]).add_(part)
            p.add_(part, alpha=-rate)
        group["steps"] = t + 1
        return None if loss is None else loss.detach()


def unpenalised(task: Task) -> None:
    """Raise ValueError for a task with weight decay."""
    if task.weight_decay:
        raise ValueError(
            f"weight_decay = {task.weight_decay}: mini-batch descent is of the loss only; "
            "take a task without"
        )


def each(values, count: int, name: str) -> list:
    """Return a list of ``count`` numbers: one for all, or one for each network."""
    found = np.ravel(values).tolist()
    if len(found) not in (1, count):
        raise ValueError(
            f"{len(found)} {name} for {count} networks: give a number for all, or one for each"
        )
    return found * count if len(found) == 1 else found


def _marks(descent, start, steps):
    """Return the steps that are observed."""
    return np.arange(-(-start // descent.every) * descent.every, start + steps + 1, descent.every)


@dataclass(frozen=True)
class _Walk:
    """The descent ``how`` of one network."""

    how: Descent
    rate: float
    seed: int
    start: int
    steps: int

    @torch.no_grad()
    def follow(self, params, velocity, before):
        """Return losses (S,), observations (T,), the end, its velocity, and when it diverged."""
        how, rate, marks = self.how, self.rate, _marks(self.how, self.start, self.steps)
        losses = np.full(self.steps, np.nan)
        seen = {name: np.full(len(marks), np.nan) for name in _NAMES}
        batches = minibatches.order(len(how.task.x), how.batch, None, self.seed, self.start)
        # All samples at every step: their order is of no account but for rounding.
        full = gradients.of(how.task) if how.batch == len(how.task.x) else None
        for k, index in zip(range(self.steps + 1), batches):
            t, last = self.start + k, k == self.steps
            row = np.flatnonzero(marks == t)
            if last and not len(row):
                break
            part = how.task
            if full is None:
                part = minibatches.batch_task(part, torch.from_numpy(index).to(part.x.device))
            point = (full or gradients.of(part)).at(params[None])
            loss, gradient = float(point.losses[0]), point.gradient[0]
            prune = how.rule.which != "none" and t >= how.onset
            found, finite = None, gradient.isfinite().all() & params.isfinite().all()
            try:
                if not (math.isfinite(loss) and bool(finite)):
                    raise FloatingPointError
                if prune or (len(row) and how.spectra):
                    found = batch_hessian.spectrum(part, params)
            except FloatingPointError:
                nothing = torch.full_like(params, torch.nan)
                return losses, seen, nothing, nothing, t
            left = gradient
            if prune:
                left = pruned(gradient, found, rate, how.rule, stream(self.seed, t))
            if len(row):
                for name, value in self._observed(params, gradient, left, found).items():
                    seen[name][row] = value
            if not last:
                before(t)
                losses[k] = loss
                velocity = how.momentum * velocity + left if how.momentum else left
                params = params - rate * velocity
        gone = -1 if bool(params.isfinite().all()) else self.start + self.steps
        return losses, seen, params, velocity, gone

    def _observed(self, params, gradient, left, found):
        task, size = self.how.task, gradient.norm()
        output = task.network.forward(params, task.x_test)
        right = np.nan
        if not task.y_test.is_floating_point():
            right = (output.argmax(-1) == task.y_test).double().mean()
        seen = {
            "test_loss": task.loss.value(output, task.y_test),
            "test_accuracy": right,
            "norm": params.norm(),
            "gradient_norm": size,
            "kept": left.norm() / size,  # NaN where there is no gradient
        }
        if found is not None:
            known = found.classes(self.rate)
            share = batch_hessian.overlap(found.project(gradient), known)
            seen |= {"smallest": found.values[0], "largest": found.values[-1]} | known.counts()
            seen |= {f"overlap_{name}": value for name, value in share.items()}
        return {name: float(value) for name, value in seen.items()}


def _dense(parts, params):
    """Return the spectrum of the Hessian of the loss whose gradient, with a graph, is ``parts``."""
    size = sum(p.numel() for p in params)
    if size > batch_hessian.DENSE:
        raise ValueError(
            f"{size:,} parameters: a Hessian is formed whole up to {batch_hessian.DENSE:,}; "
            "give the optimizer a spectrum"
        )
    with torch.enable_grad():
        flat = torch.cat([part.reshape(-1) for part in parts])
    rows = []
    for units in torch.eye(size, dtype=flat.dtype, device=flat.device).split(256):
        if not flat.requires_grad:  # the loss is linear
            rows.append(torch.zeros_like(units))
            continue
        found = torch.autograd.grad(
            flat, params, units, is_grads_batched=True, retain_graph=True, materialize_grads=True
        )
        rows.append(torch.cat([part.flatten(1) for part in found], 1))
    hessian = torch.cat(rows)
    return batch_hessian.of_matrix((hessian + hessian.T) / 2)
