"""Watch the curvature of a loss, and the stability of its training, in a loop of your own.

    monitor = Monitor(model, loss_fn, batch)  # loss_fn(model, batch) -> scalar
    for data in loader:
        ...                                   # forward, backward, optimizer.step(): as it was
        report = monitor.step(optimizer)      # at every 1000th call; {} in between

A report is a flat dict of floats, for any logger.  All of it is of the loss on one *probe batch*,
as a function of the weights that the optimizer moves, with the model in the mode in which it is
found: batch normalisation takes the statistics of the probe batch where the model trains, and
dropout draws the same masks at every report.  Weights, gradients, buffers and the random numbers
of PyTorch, NumPy and Python are afterwards what they were before.
"""

import contextlib
import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from .curvature import lanczos
from .curvature.operators import BatchLoss, aside, random_state, set_random_state
from .lyapunov import convergence
from .validation import positive, whole

_RESIDUAL = 0.01  # relative, of eigenvectors; an eigenvalue is then off by some 1e-4 of itself
_MOST = 100  # Hessian products for one set of eigenvalues
_SURE = 1e-3  # rate per step within which an exponent has converged, or a tenth of itself
_SAME = 0.01  # relative difference of two updates that differ by rounding alone


class Monitor:
    """Measure sharpness, the edge of stability and local expansion along a training loop.

    At the first call a Hessian product by double backward is compared with central differences of
    the gradient.  Where it is wrong or missing, products are central differences, and a warning
    says so once.

    On the book's convolutional network for digits, with batches of 32 and a probe batch as large,
    a report takes the time of some 20 steps with SGD and 40 with Adam, and the first some 15 more:
    3% to 6% of the loop with the default ``every``.  It grows as the probe batch.  25 vectors of
    the length of the weights are held in double precision on the processor.

    Parameters
    ----------
    model : torch.nn.Module
        As the loop trains it, compiled or not; of DistributedDataParallel, what it wraps.
    loss_fn : callable
        (model, batch) to a scalar tensor; may use ``torch.autocast``.
    batch : anything
        The probe batch, as ``loss_fn`` takes it, on the model's device.
    every : int
        Report at the first call of :meth:`step`, and at each of this many after it.
    top : int
        Eigenvalues of the Hessian in a report, 1 to 12.
    epsilon : float, optional
        Train a copy from weights that differ by uniform random numbers in (−ε, ε), with the same
        batches and random numbers, and report its distance; each step is then taken twice.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[[nn.Module, Any], Tensor],
        batch: Any,
        every: int = 1000,
        top: int = 3,
        epsilon: float | None = None,
    ):
        self._every, self._top = whole(every, "every", 1), whole(top, "top", 1, 12)
        self._epsilon = epsilon if epsilon is None else positive(epsilon, "epsilon", "ε")
        self._model, self._loss_fn, self._batch = model, loss_fn, batch
        self._calls, self._told, self._growth = 0, False, list[float]()
        self._probe: BatchLoss | None = None
        self._copy: _Copy | None = None
        self._tangent: Tensor | None = None  # v and u, (2, P)
        self._start: Tensor | None = None  # of Lanczos, (P,)

    def step(self, optimizer: Optimizer, batch: Any = None) -> dict[str, float]:
        """Return a report, or {} in between; call it right after ``optimizer.step()``.

        ``batch`` is what that step was taken on, and needed with an ``epsilon``.

        * ``loss``: on the probe batch, without weight decay;
        * ``eigenvalue_1`` … : the largest algebraic eigenvalues of its Hessian H; ``sharpness`` is
          the first, ``residual`` the largest |Hv − λv| in units of the first: if beyond 0.01, they
          have not converged, and are lower bounds;
        * ``sharpness_over_edge``: in units of the optimizer's own threshold, see below;
        * ``negative_share``: the share of |∇L|² that lies along eigenvectors of H with negative
          eigenvalues, by :class:`Gauss quadrature <netdyn_lib.curvature.lanczos.Leading>`;
        * ``exponent``: growth rate of a tangent vector per step, see below, the mean over the later
          half of the reports so far; ``exponent_se`` its standard error from blocks of reports,
          ``exponent_converged`` 1 or 0;
        * ``distance``: Σ|w − w'| over the weights of training and copy, with ``epsilon``.

        They are NaN where the loss, or a product with its Hessian, is not finite.

        **Edge.**  With a preconditioner that hardly moves, a step is u ← μu + ∇L + λw,
        w ← (1 − s)w − Du, with momentum μ, L2 penalty λ, a diagonal D, and η times the decoupled
        weight decay as s.  On a quadratic loss it oscillates with growing amplitude where the
        largest eigenvalue of S^{1/2} (H + λ) S^{1/2}, S = D / ((2 − s)(1 + μ)), is beyond 1, and
        that eigenvalue is reported.  So the edge is at η·sharpness = 2 for gradient descent, at
        2 + 2μ for momentum, at (2 + 2μ)/(1 + 2μ) for Nesterov's (Cohen et al., ICLR 2021), and for
        Adam at a preconditioned sharpness of (2 + 2β₁)/((1 − β₁)η) (Cohen et al.,
        arXiv:2207.14484, 2022).  D is η for SGD, times 1 − dampening, η/(√v + ε) for RMSprop, and
        η(1 − β₁)/((1 − β₁ᵗ)(√v̂ + ε)) for Adam and AdamW, read from the optimizer's state; each
        group of parameters has its own.  Any other optimizer has NaN, and one warning.

        **Exponent.**  A pair (v, u) is carried from report to report by the linear part of that
        step, u ← μu + (H + λ)v, v ← (1 − s)v − Du, and divided by |v|: v ← (I − ηH)v for SGD
        without momentum.  With ``every=1`` and all data as probe batch, the mean of ln|v| before
        the division is the largest Lyapunov exponent of gradient descent or momentum.  With a
        larger ``every`` only one step in so many is applied, and for Adam the dependence of D on w
        is left out: then it is a mean of local rates.
        """
        while not isinstance(optimizer, tuple(_LINEAR)) and hasattr(optimizer, "optimizer"):
            optimizer = optimizer.optimizer  # Lightning and Accelerate wrap it
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(
                f"optimizer = {optimizer!r} has no param_groups: give step the loop's optimizer"
            )
        if self._epsilon is not None:
            self._follow(optimizer, batch)
        self._calls += 1
        if (self._calls - 1) % self._every:
            return {}
        with aside():
            report = self._report(optimizer)
        if self._copy is not None:
            self._copy.forget()  # the calls of the model for this report
        return report

    def _follow(self, optimizer, batch):
        if batch is None:
            raise ValueError("batch = None: with an epsilon, step needs the batch of each step")
        if self._copy is None:
            self._copy = _Copy(self._model, optimizer, self._epsilon)
        else:
            with aside():
                self._copy.step(self._loss_fn, batch)

    def _report(self, optimizer):
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        trained = [p for p in trained if p.requires_grad]
        size = sum(p.numel() for p in trained)
        names = [f"eigenvalue_{k}" for k in range(1, min(self._top, size) + 1)]
        found = dict.fromkeys(("loss", "sharpness", "sharpness_over_edge", *names), math.nan)
        found |= dict.fromkeys(("residual", "negative_share"), math.nan)
        finite = False
        with contextlib.suppress(FloatingPointError):  # of a gradient or product that is not
            if self._probe is None or not self._probe.holds(trained):
                self._probe = BatchLoss(self._model, self._loss_fn, self._batch, trained)
                self._tangent = self._start = None
                self._growth.clear()  # of other weights
            found["loss"], slope, product = self._probe.linearised()
            finite = math.isfinite(found["loss"]) and bool(slope.isfinite().all())
            if finite:
                found |= self._curvature(names, slope, product)
                steps = self._steps(optimizer, slope)
                if steps is not None:
                    over = self._over_edge(product, steps, found["sharpness"])
                    found["sharpness_over_edge"] = over
                    self._expand(product, steps)
        rates = finite and self._growth[len(self._growth) // 2 :] or [math.nan]
        mean = convergence.assess(rates, absolute=_SURE)
        found |= {"exponent": float(mean.estimate), "exponent_se": float(mean.error)}
        found["exponent_converged"] = float(mean.verdict == convergence.CONVERGED)
        return found | ({} if self._copy is None else {"distance": self._copy.distance()})

    def _curvature(self, names, slope, product):
        # The gradient lies mostly along leading eigenvectors: from there Lanczos takes no more
        # products than from those of the report before, and sees the gradient's spectrum too.
        start = slope if bool(slope.any()) else None
        seen = lanczos.leading(product, len(slope), len(names), start, _RESIDUAL, _MOST)
        sharpness, residual = seen.pairs[0].value, max(pair.residual for pair in seen.pairs)
        found = dict(zip(names, (pair.value for pair in seen.pairs)))
        share = math.nan if start is None else float(seen.weights[seen.nodes < 0].sum())
        # without curvature, the residual is zero too
        residual = residual / abs(sharpness) if residual else 0.0
        return found | dict(sharpness=sharpness, residual=residual, negative_share=share)

    def _steps(self, optimizer, like):
        """Return what :func:`_linear` does; None before the first step, or with one warning."""
        turned = any(group.get("maximize") for group in optimizer.param_groups)
        if type(optimizer) not in _LINEAR or turned:
            if not self._told:
                self._told = True
                warnings.warn(
                    f"the threshold of {type(optimizer).__name__} is not known, or it maximises: "
                    "sharpness_over_edge and exponent are NaN",
                    stacklevel=4,
                )
            return None
        return _linear(optimizer, like) if isinstance(optimizer, SGD) or optimizer.state else None

    def _over_edge(self, product, steps, sharpness):
        scale, momentum, nesterov, decay, shrink = steps
        scale = scale * (1 + 2 * momentum * nesterov) / ((2 - shrink) * (1 + momentum))
        if bool((scale == scale[0]).all() and (decay == decay[0]).all()):
            return float(scale[0] * (sharpness + decay[0]))
        root = scale.sqrt()

        def scaled(v):
            v = root * v.to(root)
            return root * (product(v) + decay * v)

        found = lanczos.lanczos(scaled, len(root), self._start, _RESIDUAL, _MOST)
        self._start = found.vector
        return found.value

    def _expand(self, product, steps):
        """Carry the tangent vector over one step, and note the growth of its length."""
        scale, momentum, nesterov, decay, shrink = steps
        if self._tangent is None:
            drawn = torch.from_numpy(np.random.default_rng(0).standard_normal(len(scale)))
            self._tangent = torch.stack([drawn / drawn.norm(), 0 * drawn]).to(scale)
        v, u = self._tangent
        curved = product(v) + decay * v
        u = momentum * u + curved
        v = (1 - shrink) * v - scale * torch.where(nesterov > 0, curved + momentum * u, u)
        length = v.norm()
        self._growth.append(float(length.log()))
        self._tangent = torch.stack([v, u]) / length if length > 0 else None


class _Copy:
    """A second training: the same batches, random numbers and rates, from weights nearby.

    The state of random numbers is noted when the model is called, and the optimizer's settings when
    it steps, for a scheduler may change them before this copy takes its step.  The first step is
    taken by an exact copy: where it does not end at the loop's own weights, the loop does more than
    a step on the gradient of the loss, and a distance would say nothing.
    """

    def __init__(self, model, optimizer, epsilon):
        if getattr(model, "_compiled_call_impl", None) is not None:
            raise ValueError(
                "a model compiled in place, by model.compile(), hides its calls, and so the random "
                "numbers it draws: use model = torch.compile(model), or no epsilon"
            )
        self._theirs, self._epsilon, self._apart = model, epsilon, False
        own = getattr(model, "_orig_mod", model)  # of a compiled one
        self._model, self._optimizer = copy.deepcopy((own, optimizer))
        groups = zip(self._optimizer.param_groups, optimizer.param_groups)
        self._pairs = [pair for a, b in groups for pair in zip(a["params"], b["params"])]
        self.forget()
        model.register_forward_pre_hook(self._called)
        optimizer.register_step_pre_hook(self._stepped)

    def forget(self):
        self._random = self._settings = None

    def _called(self, *_):
        if self._random is None and torch.is_grad_enabled():
            self._random = random_state()

    def _stepped(self, optimizer, *_):
        leave = lambda group: {key: group[key] for key in group if key != "params"}
        self._settings = [leave(group) for group in optimizer.param_groups]

    def step(self, loss_fn, batch):
        settings, drawn = self._settings, self._random
        self.forget()
        if settings is None:
            return  # a step left out, as with gradients that overflow
        if drawn is None:
            raise RuntimeError(
                "the optimizer stepped but the model was not called since its last step: give the "
                "monitor the module that the loop calls"
            )
        own = getattr(self._theirs, "_orig_mod", self._theirs)
        for mine, theirs in zip(self._model.modules(), own.modules()):
            mine.training = theirs.training
        for group, values in zip(self._optimizer.param_groups, settings):
            group.update(values)
        before = [p.detach().clone() for p, _ in self._pairs] if not self._apart else []
        set_random_state(drawn)
        self._optimizer.zero_grad()
        with torch.enable_grad():
            loss_fn(self._model, batch).backward()
        self._optimizer.step()
        if not self._apart:
            self._part(before)

    @torch.no_grad()
    def _part(self, before):
        """Move the weights by ε, once a step was seen to be the loop's own."""
        moved = math.hypot(*(float((p - b).norm()) for (_, p), b in zip(self._pairs, before)))
        error = math.hypot(*(float((p - q).norm()) for p, q in self._pairs))
        if not error <= _SAME * moved:
            raise ValueError(
                f"a step of loss_fn on an exact copy ends {error / moved:.2g} of the step's length "
                "away from the loop's own: the loop clips gradients, adds up several batches, or "
                "has another loss; the distance of a copy would say nothing"
            )
        if moved > 0:
            random = np.random.default_rng(0)
            for p, _ in self._pairs:
                shift = random.uniform(-self._epsilon, self._epsilon, p.shape)
                p += torch.from_numpy(np.asarray(shift)).to(p)
            self._apart = True

    @torch.no_grad()
    def distance(self):
        """Return Σ|w − w'|; NaN before the copy has been moved."""
        total = sum(float((p.double() - q.double()).abs().sum()) for p, q in self._pairs)
        return total if self._apart else math.nan


def _linear(optimizer, like):
    """Return D, μ, whether it is Nesterov's, λ and s of each weight, (5, P)."""
    rows = []
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.requires_grad:
                # Without a state, it has not moved yet.
                moves = isinstance(optimizer, SGD) or p in optimizer.state
                describe = _LINEAR[type(optimizer)]
                state = optimizer.state.get(p, {})  # [p] would add an entry
                values = describe(group, state) if moves else (0, 0, 0, 0, 0)
                entries = [torch.as_tensor(x).to(like).expand(p.shape).flatten() for x in values]
                rows.append(torch.stack(entries))
    return torch.cat(rows, 1)


def _sgd(group, state):
    momentum = group["momentum"]
    rate = group["lr"] * (1 - group["dampening"] if momentum else 1)
    return rate, momentum, group["nesterov"], group["weight_decay"], 0


def _adam(group, state):
    (beta, beta2), t, rate = group["betas"], state["step"], group["lr"]
    square = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
    root = (square / (1 - beta2**t)).sqrt() + group["eps"]
    decay, apart = group["weight_decay"], group.get("decoupled_weight_decay")
    scale = rate * (1 - beta) / ((1 - beta**t) * root)
    return (scale, beta, 0, 0, rate * decay) if apart else (scale, beta, 0, decay, 0)


def _adamw(group, state):
    return _adam(group | {"decoupled_weight_decay": True}, state)


def _rmsprop(group, state):
    square = state["square_avg"] - (state["grad_avg"] ** 2 if group["centered"] else 0)
    scale = group["lr"] / (square.sqrt() + group["eps"])
    return scale, group["momentum"], 0, group["weight_decay"], 0


_LINEAR = {SGD: _sgd, Adam: _adam, AdamW: _adamw, RMSprop: _rmsprop}
