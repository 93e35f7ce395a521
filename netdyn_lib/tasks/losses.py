"""Losses, each with its value and its derivative with respect to the network's output.

Both are needed: the value for automatic differentiation through any network,
the derivative (the *residual*) for the closed-form gradient of a multilayer
perceptron.  The tests hold one against the other.
"""

import torch
import torch.nn.functional as F

from ..validation import finite


def across(q):
    """An orthonormal basis of what is orthogonal to q ≥ 0, |q| = 1: (C, C − 1, N) for N such
    columns ``q`` (C, N).

    All but the first column of the reflection I − w wᵀ/(1 + q_1), w = q + e_1, which takes e_1 to
    −q.
    """
    basis = -q[:, None] * (q[1:] / (1 + q[:1]))
    basis[0] = -q[1:]
    basis[1:].diagonal().add_(1)
    return basis


class CrossEntropy:
    """Softmax cross-entropy, mean over samples: L = −(1/N) Σ_i ln softmax(z_i)[y_i]."""

    name = "cross-entropy"
    shifts = True  # the same number added to all outputs changes nothing

    def targets(self, y, samples, outputs):
        """Class labels ``y`` (N,) as int64, checked against the network's C ``outputs``.

        Raises
        ------
        ValueError
            For labels that are not integers, not one for each sample, or not in 0 … C − 1.
        """
        if y.is_floating_point() or y.is_complex() or y.shape != (samples,):
            raise ValueError(
                f"targets of shape {tuple(y.shape)} and {y.dtype}: cross-entropy needs ({samples},) integer class labels; "
                "for numbers to approximate take HalfSquaredError"
            )
        y = y.to(torch.int64)
        if int(y.min()) < 0 or int(y.max()) >= outputs:
            raise ValueError(
                f"class labels from {int(y.min())} to {int(y.max())} for a network of {outputs} outputs: must be 0 to {outputs - 1}"
            )
        return y

    def encode(self, y, classes):
        """Targets as the closed-form gradient wants them: one-hot columns, (C, N) float64."""
        return F.one_hot(y, classes).T.to(torch.float64).contiguous()

    def value(self, output, y):
        """Loss of one network: ``output`` (N, C), ``y`` (N,) class labels; a scalar."""
        return F.cross_entropy(output, y)

    def values(self, output, target):
        """Loss of stacked networks: ``output`` (E, C, N), ``target`` (C, N); (E,)."""
        log_p = torch.log_softmax(output, 1)
        return -(log_p * target).sum((1, 2)) / target.shape[1]

    def residual(self, output, target, out=None):
        """N ∂L/∂z = softmax(z) − onehot(y) for ``output`` (E, C, N); same shape, into ``out`` where
        given.
        """
        return torch.softmax(output, 1, out=out).sub_(target)

    def curve(self, output, direction):
        """N (∂²L/∂z²) r = p (r − Σ_c p_c r_c), p = softmax(z): how the residual changes along
        ``direction`` r; (E, C, N).
        """
        p = torch.softmax(output, 1)
        return p * (direction - (p * direction).sum(1, keepdim=True))

    def root(self, output):
        """F of N ∂²L/∂z² = F Fᵀ, (C, C − 1, N) for ``output`` (C, N) of one network: diag(√p) times
        a basis across √p.

        For diag(p) − p pᵀ = diag(q)(I − q qᵀ) diag(q), with the unit vector q = √p.
        """
        q = torch.softmax(output, 0).sqrt()
        return q[:, None] * across(q)

    def weight(self, samples):
        """What the residual of each sample is multiplied by: 1/N."""
        return 1 / samples


class HalfSquaredError:
    """Half the summed squared error: L = ½ Σ_i |z_i − y_i|²."""

    name = "half squared error"
    shifts = False

    def targets(self, y, samples, outputs):
        """Numbers ``y`` (N, C), or (N,) for C = 1, as float64, checked against the network's C
        ``outputs``.

        Raises
        ------
        ValueError
            For targets that are NaN or infinite, or of another shape.
        """
        if y.shape != (samples, outputs) and not (outputs == 1 and y.shape == (samples,)):
            raise ValueError(
                f"targets of shape {tuple(y.shape)} for {samples} samples and {outputs} outputs: expected {(samples, outputs)}"
            )
        return finite(y.to(torch.float64), "y", "a target cannot be missing; leave that sample out")

    def encode(self, y, classes):
        """Targets transposed to columns, (C, N)."""
        return y.reshape(-1, classes).T.contiguous()

    def value(self, output, y):
        """Loss of one network: ``output`` (N, C), ``y`` (N, C); a scalar."""
        return 0.5 * (output - y.reshape(output.shape)).square().sum()

    def values(self, output, target):
        """Loss of stacked networks: ``output`` (E, C, N), ``target`` (C, N); (E,)."""
        return 0.5 * (output - target).square().sum((1, 2))

    def residual(self, output, target, out=None):
        """∂L/∂z = z − y for ``output`` (E, C, N); same shape, into ``out`` where given."""
        return torch.sub(output, target, out=out)

    def curve(self, output, direction):
        """(∂²L/∂z²) r = r: how the residual changes along ``direction``; (E, C, N)."""
        return direction

    def root(self, output):
        """F of ∂²L/∂z² = F Fᵀ, here the unit matrix of each sample: (C, C, N) for ``output`` (C, N)
        of one network.
        """
        return torch.eye(len(output)).to(output)[:, :, None].expand(-1, -1, output.shape[1])

    def weight(self, samples):
        """What the residual of each sample is multiplied by: 1."""
        return 1.0
