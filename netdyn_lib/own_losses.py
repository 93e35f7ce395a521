"""A loss of one's own, from one function: the loss of each sample.

    smoothed = PerSample(torch.nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none"))
    task = tasks.custom("mine", module, smoothed, x, y)

The library asks more of a loss than its value (see :mod:`netdyn_lib.losses`): that of stacked networks, and its first and
second derivative with respect to the output, from which closed forms are made.  :class:`PerSample` derives them all from
the function by automatic differentiation.  A loss that is no mean over samples, as a contrastive one, is none of this kind.
"""

import torch
from torch.func import grad, vmap

from .losses import CrossEntropy, HalfSquaredError


class PerSample:
    """Mean over samples of a loss of one's own, L = (1/N) Σ_i ℓ(z_i, y_i).

    Parameters
    ----------
    function : callable
        Takes outputs (N, C) and targets to the N losses ℓ, (N,): a function, or a loss of ``torch.nn`` with
        ``reduction="none"``.  Differentiable twice in the outputs by PyTorch.
    labels : bool
        Whether targets are class labels, (N,) whole numbers; if not they are numbers (N, C).
    name : str, optional
        What the loss is called; the function's own name where not given.

    >>> squared = PerSample(lambda z, y: (z - y).square().sum(1), labels=False)
    >>> squared.value(torch.ones(4, 2), torch.zeros(4, 2)).item()
    2.0
    """

    shifts = False  # not known of a function

    def __init__(self, function, labels=True, name=None):
        self.function, self.labels = function, bool(labels)
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def targets(self, y, samples, outputs):
        """Targets ``y`` checked as those of cross-entropy, or of squared error; raises ValueError as these do."""
        return (CrossEntropy() if self.labels else HalfSquaredError()).targets(y, samples, outputs)

    def encode(self, y, classes):
        """Targets as columns (C, N): one-hot for labels, transposed for numbers."""
        return (CrossEntropy() if self.labels else HalfSquaredError()).encode(y, classes)

    def value(self, output, y):
        """Loss of one network: ``output`` (N, C) and its targets; a scalar.

        Raises ValueError where the function gives anything but one number for each sample.
        """
        each = self.function(output, y if self.labels else y.reshape(output.shape))
        if each.shape != output.shape[:1]:
            raise ValueError(
                f"{self.name} gives {tuple(each.shape)} for outputs {tuple(output.shape)}: expected one loss for each sample, "
                f"({len(output)},); take reduction=\"none\", and sum or average over the outputs of a sample"
            )
        return each.mean()

    def values(self, output, target):
        """Loss of stacked networks: ``output`` (E, C, N), ``target`` (C, N); (E,)."""
        y = self._decoded(target)
        return vmap(lambda z: self.value(z.T, y))(output)

    def residual(self, output, target, out=None):
        """∂ℓ_i/∂z_i for ``output`` (E, C, N); same shape, into ``out`` where given."""
        y = self._decoded(target)
        found = vmap(grad(lambda z: self.value(z.T, y) * z.shape[-1]))(output)
        return found if out is None else out.copy_(found)

    def curve(self, output, direction):
        """(∂²ℓ/∂z²) r, which would need the targets too: raises NotImplementedError."""
        raise NotImplementedError(
            f"{self.name}: the closed form of a perceptron's Hessian takes its curvature without the targets; "
            "give the perceptron as a module, networks.ModuleNetwork(mlp.module()), and products are automatic"
        )

    def root(self, output):
        """A square root of the curvature at the output, which is not known of a function: raises NotImplementedError."""
        raise NotImplementedError(f"{self.name}: the low-rank spectrum of a mini-batch needs a loss of netdyn_lib.losses")

    def weight(self, samples):
        """What the residual of each sample is multiplied by: 1/N."""
        return 1 / samples

    def _decoded(self, target):
        return target.argmax(0) if self.labels else target.T
