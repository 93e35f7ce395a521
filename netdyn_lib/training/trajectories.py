"""Training trajectories with the parameters kept once every block, for what needs more than a
stream of numbers.
"""

from dataclasses import dataclass

import numpy as np
import torch

from . import gradient_descent as engine


@dataclass(frozen=True)
class Trajectories:
    """Observables at every epoch, and all the parameters at the start of every block.

    ``values`` as in a :class:`~netdyn_lib.training.gradient_descent.Record`, epochs 0 … T;
    ``states`` is (T / block + 1, n, P), at epochs 0, block, 2 block, …, T;
    ``diverged_at`` (n,), −1 for never.
    """

    values: dict
    states: np.ndarray
    block: int
    diverged_at: np.ndarray

    def __getitem__(self, name):
        return self.values[name]

    @property
    def final(self):
        """Parameters after the last epoch, (n, P)."""
        return torch.as_tensor(self.states[-1])


def follow(descent, start, epochs, block=60, observe=("loss", "norm")):
    """Run an ensemble, keeping its parameters once every block.

    Parameters
    ----------
    descent : GradientDescent
    start : torch.Tensor
        (n, P) initial conditions.
    epochs : int
        T, a multiple of the block.
    block : int
    observe : sequence
        Observables as for :func:`netdyn_lib.training.gradient_descent.run`.

    Returns
    -------
    Trajectories

    Raises
    ------
    ValueError
        For epochs that are no positive multiple of the block.
    """
    if block < 1 or epochs < 1 or epochs % block:
        raise ValueError(f"{epochs} epochs are no positive multiple of a block of {block}")
    diverged = np.full(len(start), -1)
    states, parts = [start.cpu().numpy()], []
    for first in range(0, epochs, block):
        record = engine.run(descent, start, block, observe)
        fresh = (record.diverged_at >= 0) & (diverged < 0)
        diverged[fresh] = first + record.diverged_at[fresh]
        done = first + block == epochs  # a stretch's last epoch is the next one's first
        parts.append({k: v if done else v[:-1] for k, v in record.values.items()})
        start = record.final
        states.append(start.numpy())
    values = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    return Trajectories(values, np.stack(states), block, diverged)
