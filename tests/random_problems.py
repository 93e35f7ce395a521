"""Small tasks of random samples, for tests of what goes through samples in blocks."""

import torch

from netdyn_lib.tasks import losses, networks, tasks


def problem(sizes=(12, 7, 5, 3), activation="tanh", samples=90, silent=(), sparse=False, loss=None):
    """A classification, or a regression where a loss is given, of random inputs.

    Those ``silent`` are always zero; where ``sparse`` most are zero in most samples, the first ones
    oftenest.
    """
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(samples, sizes[0], generator=draw, dtype=torch.float64)
    x[:, list(silent)] = 0
    if sparse:
        x *= torch.rand(samples, sizes[0], generator=draw) < torch.linspace(0.05, 0.6, sizes[0])
    if loss is None:
        loss, y = losses.CrossEntropy(), torch.randint(sizes[-1], (samples,), generator=draw)
    else:
        y = torch.rand(samples, sizes[-1], generator=draw, dtype=torch.float64)
    return tasks.custom("random", networks.MLP(sizes, activation), loss, x, y)
