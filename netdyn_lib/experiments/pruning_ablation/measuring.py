"""A stretch of training of one network of an arm, from one checkpoint to the next."""

import time

import numpy as np
import torch

from ...curvature import pruned_descent


def follow(task, arm, network, start, stop, params=None, velocity=None, ask=None):
    """Follow a network from step ``start`` to ``stop``.

    Parameters
    ----------
    task : Task
        The arm's.
    arm : Arm
    network : int
        Which of the arm's networks.
    start, stop : int
        Multiples of the arm's ``every``, though a run that is not gone on with may stop anywhere.
    params, velocity : array, optional
        (P,) before step ``start``, where it is not 0.
    ask : callable, optional
        Asked before every step; where it answers true, :class:`~netdyn_lib.torch_utils.Stopped` is
        raised.

    Returns
    -------
    dict
        ``steps`` (T,), those observed of ``start`` < t ≤ ``stop``, and 0 where it starts there;
        ``loss`` (T,), the mean over the batches since the observation before, each before its step
        (NaN at 0); ``losses`` (S,) of each step; what
        :class:`netdyn_lib.curvature.pruned_descent.PrunedRun` observes, (T,) each; ``final`` and
        ``velocity`` (P,), where it ends;
        ``diverged_at`` (), −1 for never.
    """
    if params is None:
        params, velocity = arm.initial(task, network)[0], None
    params = torch.as_tensor(params)[None]
    velocity = None if velocity is None else torch.as_tensor(velocity)[None]
    descent = pruned_descent.Descent(
        task,
        len(task.x) if arm.batch is None else arm.batch,
        arm.rule,
        arm.onset,
        arm.momentum,
        arm.every,
        arm.spectra,
    )
    run = pruned_descent.run(
        descent,
        params,
        arm.learning_rate,
        stop - start,
        seed=arm.order(network),
        start=start,
        velocity=velocity,
        stop=ask,
    )
    # what is seen at its start belongs to the stretch before
    keep = (run.steps > start) | (run.steps == 0)
    steps, losses = run.steps[keep], run.loss[:, 0]
    means = [losses[t - arm.every - start : t - start].mean() if t else np.nan for t in steps]
    return {
        "steps": steps,
        "loss": np.array(means),
        "losses": losses,
        **{name: values[keep, 0] for name, values in run.values.items()},
        "final": run.final[0].numpy(),
        "velocity": run.velocity[0].numpy(),
        "diverged_at": run.diverged_at[0],
    }


def joined(parts, arm, first=20):
    """A whole run from its stretches in order; where they end early, as where the network diverged,
    NaN follows.

    As :func:`follow`, with the ``first_loss`` (F,) of the ``first`` few steps in place of
    ``losses``.
    """
    count = len(arm.observed)
    whole = {"steps": np.array(arm.observed)}
    for name in (
        name
        for name in parts[0]
        if name not in ("steps", "losses", "final", "velocity", "diverged_at")
    ):
        known = np.concatenate([part[name] for part in parts])
        whole[name] = np.concatenate([known, np.full(count - len(known), np.nan)])
    last = parts[-1]
    early = np.concatenate([part["losses"] for part in parts])[:first]
    return (
        whole
        | {"first_loss": early}
        | {name: np.asarray(last[name]) for name in ("final", "velocity", "diverged_at")}
    )


def cost(task, arm, steps=30):
    """Seconds that a step of an arm takes here, without observations, by a run of so many steps."""
    follow(task, arm, 0, 0, 2)
    began = time.perf_counter()
    follow(task, arm, 0, 0, steps)
    return (time.perf_counter() - began) / steps
