"""Following the networks of one arm: arrivals, losses, and the growth of a small perturbation."""

import numpy as np
import torch

from ...torch_utils import Stopped, one
from ...training.observables import first_hit

#: Epochs over which growth is summed, and shares are taken.
SPANS = (20, 50, 100, 200)
#: Epochs that an arrival must last.
SUSTAINED = 20
#: Share of the weights' norm: so far away, the flow has left the orbit.
APART = 0.1
_SEPARATION = 1e-7  # of the copy that follows a network, and is set back to that after every step
_KEPT = ("loss", "test_loss", "test_accuracy", "distance", "path", "ratio", "excess", "apart")


@one()
@torch.no_grad()
def follow(task, arm, setting, stop=None):
    """Follow all networks of one arm at one learning rate.

    Parameters
    ----------
    task : Task
    arm : object
        With ``step(params, networks)``, as of :func:`netdyn_lib.experiments.chaos_or_step.arms.of`.
    setting : Comparison
    stop : callable, optional
        Where it answers true, :class:`~netdyn_lib.torch_utils.Stopped` is raised.

    Returns
    -------
    dict of numpy.ndarray
        For n networks, M marks and S spans: ``first`` and ``sustained`` (n,), the epoch of arrival
        at the task's accuracy and of arrival for :data:`SUSTAINED` epochs, NaN for never;
        ``start_moved`` (n,), how far the start is from the initial condition; ``growth`` (n, S),
        ln of the growth of an infinitesimal perturbation over the first epochs :data:`SPANS`;
        ``tenfold`` (n,), the first epoch at which it has grown tenfold; ``leaves`` (n,), the first
        at which the flow is farther than :data:`APART` from the orbit, or has left its domain;
        ``above`` (n, S), the share of those epochs at which the sharpness exceeds 2/η.  At the
        marks, (n, M), ``loss`` (of the flow: its average over time), ``test_loss``,
        ``test_accuracy``, ``distance`` and ``path`` (L2, from the start), ``ratio``,
        sharpness/(2/η), ``excess``, the length of the excess of a step, and ``apart``, the distance
        of the flow from the orbit over the weights' norm.  ``lengths`` (T, n): the excess at every
        step.  NaN for what an arm does not have.
    """
    count, own = setting.conditions, torch.arange(setting.conditions)
    begin, copies = getattr(arm, "begin", torch.clone), getattr(arm, "copies", True)
    epochs = setting.epochs if copies else min(setting.epochs, setting.flow_epochs)
    start = task.initial(count, setting.seed)
    params = begin(start)
    start_moved = (params - start).norm(dim=1)
    shadow = params + _away(params, setting.seed) if copies else params[:0]
    last = max(s for s in SPANS if s <= getattr(arm, "followed", max(SPANS)))
    origin, path, grown = params.clone(), params.new_zeros(count), params.new_zeros(count)
    every, logs, kept = {"right": [], "ratio": [], "excess": [], "apart": []}, [grown], []
    for epoch in range(epochs + 1):
        if stop is not None and stop():
            raise Stopped(f"{epoch} of {epochs} epochs")
        networks = torch.cat([own, own[: len(shadow)]])
        following = arm.step(torch.cat([params, shadow]), networks)
        now = {"right": _accuracy(task, params)}
        for key in ("ratio", "excess", "apart"):
            now[key] = getattr(arm, key, params.new_full((count,), torch.nan)).clone()
        for key, values in now.items():
            every[key].append(values)
        if epoch in setting.marks:
            extra = getattr(arm, "variance", 0.0)
            seen = task.objectives(params) + extra, _test_loss(task, params), now["right"]
            seen += ((params - origin).norm(dim=1), path)
            kept.append((*seen, now["ratio"], now["excess"], now["apart"]))
        path = path + (following[:count] - params).norm(dim=1)
        params = following[:count]
        if len(shadow):
            apart = following[count:] - params
            length = apart.norm(dim=1, keepdim=True).clamp(min=1e-300)
            grown = grown + (length[:, 0] / _SEPARATION).log()
            shadow = (params + _SEPARATION * apart / length)[: count * (epoch + 1 < last)]
            logs.append(grown)
    every = {key: torch.stack(values).numpy() for key, values in every.items()}  # (T, n)
    found = {name: np.array(_padded(values, setting)) for name, values in zip(_KEPT, zip(*kept))}
    found |= _arrivals(task, every["right"]) | _shares(every["ratio"], epochs)
    found |= _growth(torch.stack(logs).numpy() if copies else np.full((1, count), np.nan))
    outside = (every["apart"] > APART) | np.isnan(every["apart"]) & (not copies)
    found["leaves"] = first_hit(range(len(outside)), outside, 1)
    return found | dict(lengths=every["excess"], start_moved=start_moved.numpy())


def _away(params, seed):
    """Return a random direction of the separation's length for each network, (n, P)."""
    drawn = [
        np.random.default_rng([seed, k, 3]).standard_normal(params.shape[1])
        for k in range(len(params))
    ]
    away = torch.from_numpy(np.array(drawn))
    return _SEPARATION * away / away.norm(dim=1, keepdim=True)


def _padded(values, setting):
    """Return what was kept at the marks as (n, M), NaN at those that were not reached."""
    rows = torch.stack(values, 1).numpy()
    lacking = len(setting.marks) - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, lacking)), constant_values=np.nan)


def _arrivals(task, right):
    epochs, target = range(len(right)), task.target_accuracy
    return dict(
        first=first_hit(epochs, right, target),
        sustained=first_hit(epochs, right, target, sustained=SUSTAINED),
    )


def _shares(ratio, epochs):
    known = [ratio[: min(span, epochs) + 1] for span in SPANS]
    return dict(above=np.stack([(part > 1).mean(0) for part in known], 1))


def _growth(logs):
    """Return the growth over the spans, NaN where a record is shorter, and when it is tenfold."""
    last = len(logs) - 1
    rows = [logs[span] if span <= last else np.full(logs.shape[1], np.nan) for span in SPANS]
    tenfold = first_hit(range(len(logs)), logs, np.log(10))
    return dict(growth=np.stack(rows, 1), tenfold=tenfold)


def _accuracy(task, params):
    chosen = task.network.outputs(params, task.x_test).argmax(-1)
    right = (chosen == task.y_test).to(params).mean(1)
    return torch.where(params.isfinite().all(1), right, torch.zeros_like(right))


def _test_loss(task, params):
    outputs = task.network.outputs(params, task.x_test)
    return torch.stack([task.loss.value(output, task.y_test) for output in outputs])
