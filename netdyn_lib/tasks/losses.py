"""Losses: the library's own, with closed derivatives, and any other by automatic differentiation.

    task = tasks.custom("mine", module, torch.nn.CrossEntropyLoss(label_smoothing=0.1), x, y)
    task = tasks.custom("mine", module, lambda z, y: (z - y).abs().mean(), x, y)
    task = tasks.custom("mine", module, losses.PerSample(huber), x, y)

Each has ``value`` (of one network), ``values`` (of stacked networks), and ``residual``, its
derivative with respect to the output, for closed-form gradients; :class:`CrossEntropy` and
:class:`HalfSquaredError` also ``curve`` and ``root`` for closed-form Hessians.
"""

import copy
import functools
import math
import warnings

import torch
import torch.nn.functional as F
from torch import nn

from ..validation import finite, numbers
from .networks import copied


class CrossEntropy:
    """Softmax cross-entropy, mean over samples: L = −(1/N) Σ_i ln softmax(z_i)[y_i]."""

    name = "cross-entropy"
    shifts = True  # the same number added to all outputs changes nothing

    def targets(self, y: torch.Tensor, samples: int, outputs: int) -> torch.Tensor:
        """Return class labels ``y`` (N,) as int64, checked against the network's C ``outputs``."""
        if y.is_floating_point() or y.is_complex() or y.shape != (samples,):
            raise ValueError(
                f"targets of shape {tuple(y.shape)} and {y.dtype}: cross-entropy needs "
                f"({samples},) integer class labels; for numbers to approximate take "
                "HalfSquaredError"
            )
        y = y.to(torch.int64)
        if int(y.min()) < 0 or int(y.max()) >= outputs:
            raise ValueError(
                f"class labels from {int(y.min())} to {int(y.max())} for a network of {outputs} "
                f"outputs: must be 0 to {outputs - 1}"
            )
        return y

    def encode(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return targets as one-hot columns, (C, N) float64."""
        return F.one_hot(y, classes).T.to(torch.float64).contiguous()

    def value(self, output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of one network, a scalar: ``output`` (N, C), ``y`` (N,) class labels."""
        return F.cross_entropy(output, y)

    def values(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return losses of stacked networks, (E,): ``output`` (E, C, N), ``target`` (C, N)."""
        log_p = torch.log_softmax(output, 1)
        return -(log_p * target).sum((1, 2)) / target.shape[1]

    def residual(self, output, target, out=None) -> torch.Tensor:
        """Return N ∂L/∂z = softmax(z) − onehot(y), (E, C, N), into ``out`` where given."""
        return torch.softmax(output, 1, out=out).sub_(target)

    def curve(self, output: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """Return N (∂²L/∂z²) r = p (r − Σ_c p_c r_c), p = softmax(z), r = direction; (E, C, N)."""
        p = torch.softmax(output, 1)
        return p * (direction - (p * direction).sum(1, keepdim=True))

    def root(self, output: torch.Tensor) -> torch.Tensor:
        """Return F of N ∂²L/∂z² = F Fᵀ, (C, C − 1, N) for ``output`` (C, N) of one network.

        F is diag(q) times a basis of what is orthogonal to q = √p, for
        diag(p) − p pᵀ = diag(q)(I − q qᵀ) diag(q).
        """
        q = torch.softmax(output, 0).sqrt()
        return q[:, None] * across(q)

    def weight(self, samples: int) -> float:
        """Return what the residual of each sample is multiplied by: 1/N."""
        return 1 / samples


def across(q: torch.Tensor) -> torch.Tensor:
    """Return an orthonormal basis of what is orthogonal to q ≥ 0, |q| = 1, for N such columns.

    (C, C − 1, N) for ``q`` (C, N): all but the first column of the reflection I − w wᵀ/(1 + q_1),
    w = q + e_1, which takes e_1 to −q.
    """
    basis = -q[:, None] * (q[1:] / (1 + q[:1]))
    basis[0] = -q[1:]
    basis[1:].diagonal().add_(1)
    return basis


class HalfSquaredError:
    """Half the summed squared error: L = ½ Σ_i |z_i − y_i|²."""

    name = "half squared error"
    shifts = False

    def targets(self, y: torch.Tensor, samples: int, outputs: int) -> torch.Tensor:
        """Return numbers ``y`` (N, C), or (N,) for C = 1, as float64, checked."""
        if y.shape != (samples, outputs) and not (outputs == 1 and y.shape == (samples,)):
            raise ValueError(_misshaped(y, samples, outputs, (samples, outputs)))
        return finite(y.to(torch.float64), "y", _MISSING)

    def encode(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return targets transposed to columns, (C, N)."""
        return y.reshape(-1, classes).T.contiguous()

    def value(self, output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of one network, a scalar: ``output`` (N, C), ``y`` (N, C)."""
        return 0.5 * (output - y.reshape(output.shape)).square().sum()

    def values(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return losses of stacked networks, (E,): ``output`` (E, C, N), ``target`` (C, N)."""
        return 0.5 * (output - target).square().sum((1, 2))

    def residual(self, output, target, out=None) -> torch.Tensor:
        """Return ∂L/∂z = z − y, (E, C, N), into ``out`` where given."""
        return torch.sub(output, target, out=out)

    def curve(self, output: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """Return (∂²L/∂z²) r = r, (E, C, N)."""
        return direction

    def root(self, output: torch.Tensor) -> torch.Tensor:
        """Return F of ∂²L/∂z² = F Fᵀ, the unit matrix of each sample, (C, C, N)."""
        return torch.eye(len(output)).to(output)[:, :, None].expand(-1, -1, output.shape[1])

    def weight(self, samples: int) -> float:
        """Return what the residual of each sample is multiplied by: 1."""
        return 1.0


_MISSING = "a target cannot be missing; leave that sample out"


def _misshaped(y, samples, outputs, expected):
    return (
        f"targets of shape {tuple(y.shape)} for {samples} samples and {outputs} outputs: "
        f"expected {expected}"
    )


class Criterion:
    """A loss as PyTorch takes it, L = ``function(outputs, targets)``, for outputs (N, C).

    A task makes it of what is given as its loss; :func:`taken` finds which targets it takes.

    Parameters
    ----------
    function : callable
        A loss of ``torch.nn`` or any function to one number, differentiable twice by PyTorch.
    labels : bool
        Whether targets are class labels, (N,) whole numbers; if not they are numbers.
    shape : tuple
        Of the targets of one sample, where they are numbers.

    ``separable`` says whether L is a sum of losses of single samples (``mean`` false), or their
    mean.  The mean of cross-entropy with class weights, Σ w ℓ / Σ w, is neither: its samples are
    never taken in blocks.
    """

    shifts = False  # not known of a function
    separable, mean = True, True

    def __init__(self, function, labels: bool = True, shape: tuple = (), name: str | None = None):
        self.function, self.labels, self.shape = function, bool(labels), tuple(shape)
        self.name = name or _name(function)

    def targets(self, y: torch.Tensor, samples: int, outputs: int) -> torch.Tensor:
        """Return targets checked: labels (N,) int64, or numbers (N, …) float64."""
        if self.labels:
            return CrossEntropy().targets(y, samples, outputs)
        shape = (samples, *self._tail(outputs))
        if len(y) != samples or y.numel() != math.prod(shape):
            raise ValueError(_misshaped(y, samples, outputs, shape))
        return finite(y.to(torch.float64).reshape(shape), "y", _MISSING)

    def encode(self, y: torch.Tensor, classes: int) -> torch.Tensor:
        """Return targets as columns (C, N) float64: one-hot for labels; numbers transposed.

        Where these are fewer than C, rows of zeros follow.
        """
        if self.labels:
            return CrossEntropy().encode(y, classes)
        columns = y.reshape(len(y), -1).T
        return F.pad(columns, (0, 0, 0, classes - len(columns))).contiguous()

    def value(self, output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of one network, a scalar: ``output`` (N, C) and its targets."""
        expected = (
            'one number, a tensor (); take reduction="mean" or "sum", '
            "or for one loss of each sample losses.PerSample"
        )
        return self._shaped(self.function(output, y), (), output, expected)

    def _shaped(self, found, shape, output, expected):
        if not torch.is_tensor(found) or found.shape != shape:
            given = tuple(found.shape) if torch.is_tensor(found) else type(found).__name__
            raise ValueError(
                f"{self.name} gives {given} for outputs {tuple(output.shape)}: expected {expected}"
            )
        return found

    def values(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return losses of stacked networks, (E,): ``output`` (E, C, N), ``target`` (C, N)."""
        y = self._decoded(target)
        return torch.stack([self.value(z.T, y) for z in output])  # vmap follows not every function

    def residual(self, output, target, out=None) -> torch.Tensor:
        """Return ∂L/∂z over :meth:`weight`, (E, C, N), into ``out`` where given."""
        y = self._decoded(target)
        samples = output.shape[2] if self.mean else 1
        with torch.enable_grad():  # of one network after another: vmap follows not every function
            z = output.detach().requires_grad_()
            total = torch.stack([self.value(one.T, y) for one in z]).sum() * samples
            found = torch.autograd.grad(total, z)[0]
        return found if out is None else out.copy_(found)

    def weight(self, samples: int) -> float:
        """Return what the residual of each sample is multiplied by: 1/N of a mean, 1 of a sum."""
        return 1 / samples if self.mean else 1.0

    def to(self, device=None, dtype=None) -> "Criterion":
        """Return the loss with the tensors of its module or partial on a device, of a type."""
        other = copy.copy(self)
        other.function = moved(self.function, device, dtype)
        return other

    def _tail(self, outputs):
        """Shape of the numbers of one sample."""
        return self.shape

    def _decoded(self, target):
        if self.labels:
            return target.argmax(0)
        shape = self._tail(len(target))
        return target[: math.prod(shape)].T.reshape(target.shape[1], *shape)


class PerSample(Criterion):
    """Mean over samples of a loss of one's own, L = (1/N) Σ_i ℓ(z_i, y_i).

    With class weights too the mean is over the N samples, where PyTorch divides by the sum of their
    weights: for that mean give the loss itself, ``torch.nn.CrossEntropyLoss(weight=…)``.

    Parameters
    ----------
    function : callable
        Takes outputs (N, C) and targets to the N losses ℓ, (N,): a function, or a loss of
        ``torch.nn`` with ``reduction="none"``.  Differentiable twice in the outputs by PyTorch.
    labels : bool
        Whether targets are class labels, (N,) whole numbers; if not they are numbers (N, C).
    name : str, optional
        What the loss is called; the function's own name where not given.

    >>> squared = PerSample(lambda z, y: (z - y).square().sum(1), labels=False)
    >>> squared.value(torch.ones(4, 2), torch.zeros(4, 2)).item()
    2.0
    """

    def __init__(self, function, labels: bool = True, name: str | None = None):
        super().__init__(function, labels, name=name)

    def value(self, output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of one network, a scalar: ``output`` (N, C) and its targets."""
        each = self.function(output, y if self.labels else y.reshape(output.shape))
        expected = (
            f'one loss for each sample, ({len(output)},); take reduction="none", '
            "and sum or average over the outputs of a sample"
        )
        return self._shaped(each, output.shape[:1], output, expected).mean()

    def _tail(self, outputs):
        return (outputs,)


def default(y) -> "CrossEntropy | HalfSquaredError":
    """Return cross-entropy for targets that are whole numbers, else half the squared error.

    >>> default([0, 1, 1]).name, default([0.5, 1.0]).name
    ('cross-entropy', 'half squared error')
    """
    return HalfSquaredError() if numbers(y, "y").is_floating_point() else CrossEntropy()


_FEW = 64  # samples for a first trial: a loss of all pairs takes memory as their square
_ROUNDING = 1e-9


def taken(loss, y: torch.Tensor, outputs: int):
    """Return the loss of a task with targets ``y`` (N, …) and C ``outputs``, from what was given.

    One of this library's, or alike, is kept. A loss of ``torch.nn`` or a function becomes a
    :class:`Criterion`, and what its targets are is found by trying: whole numbers (N,) are class
    labels where C > 1 and the function takes them so, all others are numbers, at most C for each
    sample. Numbers (N,) for C = 1 become (N, 1) where only that makes a loss of single samples.
    Tensors in the loss are copied to where ``y`` is, in float64.

    Raises ValueError for what is no loss, does not take these outputs and targets, gives anything
    but one number, or has no derivative.
    """
    if isinstance(loss, (CrossEntropy, HalfSquaredError)):
        return loss
    if isinstance(loss, type) or not (callable(loss) or hasattr(loss, "value")):
        raise ValueError(
            f"loss = {loss!r}: expected a loss such as losses.CrossEntropy() or "
            "torch.nn.MSELoss(), or a function"
        )
    if hasattr(loss, "value"):
        return _kept(loss, y, outputs)
    function, found, refusals = moved(loss, y.device, torch.float64), [], []
    for labels, shape in _kinds(y, outputs):
        criterion = Criterion(function, labels, shape)
        try:
            targets = criterion.targets(y, len(y), outputs)
            for criterion.mean in (True, False):
                criterion.separable = _separable(criterion, targets, outputs)
                if criterion.separable:
                    return criterion
        except ValueError as error:
            refusals.append(error)
        else:
            found.append(criterion)
    if not found:
        raise ValueError(str(refusals[0])) from refusals[0]
    return found[0]


def _kept(loss, y, outputs):
    """A loss of this library's kind, its tensors moved; checked."""
    name = _name(loss)
    lacks = ", ".join(part for part in ("encode", "weight") if not hasattr(loss, part))
    if lacks:
        raise ValueError(f"{name} has a value but no {lacks}: give {name}.value as the loss")
    loss = moved(loss, y.device, torch.float64)
    targets = loss.targets(y, len(y), outputs) if hasattr(loss, "targets") else y
    if getattr(loss, "separable", True) and not _separable(loss, targets, outputs):
        raise ValueError(
            f"{name}: the loss of a sample depends on other samples; "
            "give a function that makes one number of all"
        )
    return loss


def _kinds(y, outputs):
    """What targets may be, in the order to try: (labels, shape of one sample's numbers)."""
    shape = tuple(y.shape[1:])
    if not y.is_floating_point() and not shape and outputs > 1:
        yield True, ()
    if math.prod(shape) > outputs:
        raise ValueError(
            f"targets of shape {tuple(y.shape)} for {outputs} outputs: "
            "a sample has at most as many numbers as there are outputs"
        )
    yield False, shape
    if not shape and outputs == 1:
        yield False, (1,)


def _separable(loss, y, outputs):
    """Whether the loss of all samples is that of parts of them, by their shares.

    Tried on a few samples, then on all, in random order, at outputs between 0 and 1, which may be
    probabilities.
    """
    draw = torch.Generator().manual_seed(0)
    order = torch.randperm(len(y), generator=draw)
    z = 0.05 + 0.9 * torch.rand(len(y), outputs, generator=draw, dtype=torch.float64).to(y.device)
    for count in sorted({min(len(y), _FEW), len(y)}):
        some, target = z[:count], y[order[:count].to(y.device)]
        total = tried(loss, some, target)
        for cut in sorted({1, count // 3, count // 2} - {0, count}):
            parts = zip(some.split([cut, count - cut]), target.split([cut, count - cut]))
            weight = loss.weight(count)
            try:
                shares = [weight / loss.weight(len(a)) * tried(loss, a, b) for a, b in parts]
            except ValueError:  # a part may have too few samples to be compared with each other
                return False
            if not abs(sum(shares) - total) <= _ROUNDING * (abs(total) + sum(map(abs, shares))):
                return False
    return True


def tried(loss, z: torch.Tensor, y: torch.Tensor) -> float:
    """Return the value of a loss at outputs ``z`` (N, C).

    Raises ValueError where it has none, no derivative, or another the next time.
    """
    z, name = z.detach().clone().requires_grad_(), _name(loss)
    try:
        with torch.enable_grad(), warnings.catch_warnings():
            # PyTorch would go on with all pairs of samples.
            warnings.filterwarnings("error", message="Using a target size")
            value, again = loss.value(z, y), loss.value(z, y)
    except Exception as error:  # whatever a function raises
        hint = (
            " (tensors inside a function stay as they are; those of a loss of torch.nn, or of a "
            "functools.partial, follow the task)"
        )
        hint = "" if isinstance(getattr(loss, "function", None), nn.Module) else hint
        given = f"outputs {tuple(z.shape)} of {z.dtype} and targets {tuple(y.shape)} of {y.dtype}"
        raise ValueError(f"{name} does not take {given}: {error}{hint}") from error
    if not value.requires_grad:
        raise ValueError(f"{name} has no derivative in the outputs: descent needs one")
    if not torch.equal(value.nan_to_num(), again.nan_to_num()):
        raise ValueError(
            f"{name} gives {value.item()} and {again.item()} for the same outputs: "
            "a random loss makes no map"
        )
    return value.item()


def moved(function, device, dtype):
    """Return a copy of a loss, its tensors on a device and of a type; a function as it is."""
    if isinstance(function, nn.Module):  # whose own .to changes it in place
        return copied(function).to(device, dtype).requires_grad_(False)
    if isinstance(function, functools.partial):
        put = functools.partial(moved, device=device, dtype=dtype)
        named = {name: put(value) for name, value in function.keywords.items()}
        return functools.partial(put(function.func), *map(put, function.args), **named)
    if torch.is_tensor(function):
        kind = dtype if function.is_floating_point() else None
        return function.detach().to(device, kind, copy=True)
    return function.to(device, dtype) if hasattr(function, "to") else function


def _name(loss):
    return getattr(loss, "name", getattr(loss, "__name__", type(loss).__name__))
