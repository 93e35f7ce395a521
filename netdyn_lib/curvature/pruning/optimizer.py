"""Pruned descent for a training loop in PyTorch."""

import torch

from ...training import minibatches
from ...validation import positive, whole
from .. import batch_hessian
from .rules import named, pruned, stream


class PrunedSGD(torch.optim.Optimizer):
    """Stochastic gradient descent whose gradient is pruned; with the rule ``"none"``,
    ``torch.optim.SGD``.

        optimizer = PrunedSGD(model.parameters(), lr=1e-3, rule="negative")
        for x, y in batches:
            loss = optimizer.step(lambda: criterion(model(x), y))

    The closure returns the loss of the batch and calls no ``backward``.  The
    Hessian is then formed whole, for up to :data:`netdyn_lib.curvature.batch_hessian.DENSE`
    parameters.  A perceptron is many times as fast by its low-rank spectrum:

        optimizer = PrunedSGD(..., spectrum=lambda: low_rank.of_module(model, losses.CrossEntropy(),
        x, y))

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

    Raises
    ------
    ValueError
        For γ that is not positive and finite, μ outside [0, 1), several groups, or an unknown rule.
    """

    def __init__(self, params, lr, rule="chaotic", spectrum=None, momentum=0.0, onset=0, seed=0):
        # The count of steps is in the group: it is saved with the state.
        super().__init__(
            params,
            {
                "lr": positive(lr, "lr", "the learning rate"),
                "momentum": minibatches.momentum(momentum),
                "steps": 0,
            },
        )
        if len(self.param_groups) != 1:
            raise ValueError(
                f"{len(self.param_groups)} groups of parameters: a Hessian is of all, so give them as one group"
            )
        self.rule, self.spectrum = named(rule), spectrum
        self.onset, self.seed = whole(onset, "onset"), whole(seed, "seed")

    @torch.no_grad()
    def step(self, closure=None):
        """One step; returns what the closure returns.

        Raises ValueError where there is nothing to take the Hessian from.
        """
        (group,) = self.param_groups
        params = [p for p in group["params"] if p.requires_grad]
        rate, t = group["lr"], group["steps"]
        prune = self.rule.which != "none" and t >= self.onset and rate > 0
        whole_hessian = prune and self.spectrum is None
        if closure is None:
            if whole_hessian:
                raise ValueError(
                    "the Hessian needs the loss: call step(closure), or give the optimizer a spectrum"
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
                part.view_as(p) for part, p in zip(flat.split([p.numel() for p in params]), params)
            ]
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
    if size > batch_hessian.DENSE:
        raise ValueError(
            f"{size:,} parameters: a Hessian is formed whole up to {batch_hessian.DENSE:,}; give the optimizer a spectrum"
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
