"""First and second derivatives of scalar functions, by a way that has been checked.

Forward-over-reverse differentiation is the fastest way to H v.  PyTorch lacks it for some
operations (attention, ``EmbeddingBag``), ``vmap`` cannot follow every forward pass (recurrent
layers, an ``if`` on values), and where either is wrong it says nothing: ``jvp(vmap(grad))`` is off
by up to a third through layer, instance and batch norm, and double backward by a tenth through
``weight_norm`` (PyTorch 2.15).  So a way is taken only where it agrees with central differences
of the gradient; these are the way that is left where no other agrees.
"""

import contextlib
import warnings

import numpy as np
import torch
from torch.func import grad, jvp, vmap

# PyTorch 2.11 to 2.15 warn of their own use of TorchScript at the first
# forward-mode derivative in a process; nothing here can act on it.
warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=FutureWarning)
warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=DeprecationWarning)

_STEP = 1e-6  # of central differences, where weights are of order 1
# Steps at which a way is compared with them: the largest is the most exact for smooth functions,
# the smallest crosses no kink of a large network with ReLU.
_STEPS = (1e-6, 1e-8, 1e-10)
_AGREES = 1e-3  # relative difference; wrong ways are off by 0.02 and more
_SMALL = 1e-3  # share of the whole below which a part's relative difference says little


def directional(function, point: torch.Tensor, direction: torch.Tensor):
    """Return value and derivative along a direction, (f(x), d/ds f(x + s v) at s = 0)."""
    return jvp(function, (point,), (direction,))


def forward_over_reverse(objective):
    """Return (W, v) ↦ (∇L(W), H(W) v) of a scalar function, (P,) each; also under ``vmap``."""

    def product(params, vector):
        with twice_differentiable():
            return directional(grad(objective), params, vector)

    return product


def reverse(objective):
    """Return W ↦ ∇L(W) of a scalar function by plain autograd, (P,) to (P,)."""

    def gradient(params):
        with torch.enable_grad():
            params = params.detach().requires_grad_()
            return torch.autograd.grad(objective(params), params, materialize_grads=True)[0]

    return gradient


def reverse_over_reverse(objective):
    """Return (W, v) ↦ (∇L(W), H(W) v) of a scalar function by plain autograd, (P,) each."""

    def product(params, vector):
        with twice_differentiable():
            params = params.detach().requires_grad_()
            slope = torch.autograd.grad(objective(params), params, create_graph=True)[0]
            return slope.detach(), along(slope, [params], vector)

    return product


@contextlib.contextmanager
def twice_differentiable():
    """Autograd is on, and attention is computed by operations that have second derivatives."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


def of_cudnn(module: torch.nn.Module | None, device: torch.device) -> str:
    """Return what to do about recurrent layers on a GPU, in words; nothing elsewhere.

    cuDNN computes ``RNN``, ``LSTM`` and ``GRU`` there without second derivatives, and in ``eval``
    mode without first ones; PyTorch's own kernels have all of them.
    """
    parts = module.modules() if module is not None and device.type == "cuda" else ()
    kinds = sorted({type(part).__name__ for part in parts if isinstance(part, torch.nn.RNNBase)})
    if not kinds:
        return ""
    return (
        f"{', '.join(kinds)} through cuDNN has no second derivative: "
        "with torch.backends.cudnn.flags(enabled=False) it is twice differentiable"
    )


def along(slope: torch.Tensor, parameters, vector: torch.Tensor) -> torch.Tensor:
    """Return H v (P,) from a gradient ``slope`` (P,) that keeps its history, of ``parameters``."""
    total = slope @ vector
    if not total.requires_grad:  # the loss is linear in all of them
        return torch.zeros_like(vector)
    parts = torch.autograd.grad(total, parameters, materialize_grads=True)
    return torch.cat([part.reshape(-1) for part in parts])


def central(gradient, step: float = _STEP):
    """Return (W, v) ↦ (∇L(W), H(W) v), (P,) each, H v by central differences of ``gradient``.

    No weight moves by more than ``step`` (1 + |w|).  Relative error about 1e-9 for smooth functions
    whose gradient is of the size of H v.
    """
    return lambda params, vector: (gradient(params), _difference(gradient, params, vector, step))


def _difference(gradient, params, vector, step):
    moved = vector != 0
    if not bool(moved.any()):
        return torch.zeros_like(vector)
    h = step * float(((1 + params.abs()) / vector.abs())[moved].min())
    return (gradient(params + h * vector) - gradient(params - h * vector)) / (2 * h)


def agrees(product, gradient, params: torch.Tensor, vector: torch.Tensor, sizes=None) -> bool:
    """Whether (W, v) ↦ (∇L, H v) is what central differences of W ↦ ∇L give at one W.

    ``sizes`` are those of the tensors that make up W: each is compared by itself.
    """
    try:
        slope, curved = product(params, vector)
    except Exception:  # PyTorch has no such derivative, or cannot follow the forward pass
        return False
    plain, sizes = gradient(params), sizes or [len(params)]
    found = (_difference(gradient, params, vector, step) for step in _STEPS)
    # Along a direction in which nothing bends, both are rounding of the gradient.
    return near(slope, plain, sizes) and any(
        near(curved, other, sizes, 1e-6 * plain.norm()) for other in found
    )


def near(value, other, sizes, rounding: float = 0.0, tolerance: float = _AGREES) -> bool:
    """Whether two vectors (P,) agree, in each of their parts of the ``sizes`` given."""
    least = _SMALL * other.norm() + rounding
    parts = zip(value.split(sizes), other.split(sizes))
    return all(bool((a - b).norm() <= tolerance * (b.norm() + least)) for a, b in parts)


def checked(objective, params: torch.Tensor):
    """Return the fastest way to (∇L, H v) of a scalar function that is right at ``params`` (P,).

    This is (W, v) ↦ (∇L(W), H(W) v), (P,) each, and whether ``vmap`` and ``jacfwd`` may follow it.
    """
    vector = torch.from_numpy(np.random.default_rng(0).standard_normal(len(params))).to(params)
    gradient = reverse(objective)
    fast = forward_over_reverse(objective)
    if agrees(fast, gradient, params, vector):
        pair = params[None], vector[None]
        return fast, agrees(
            lambda w, v: [x[0] for x in vmap(fast)(*pair)], gradient, params, vector
        )
    other = reverse_over_reverse(objective)
    return (other if agrees(other, gradient, params, vector) else central(gradient)), False
