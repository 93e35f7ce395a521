"""One step of descent of convolutional networks on a processor, as closed-form backpropagation.

Convolutions are matrix products of kernels (out, in k k) with patches (in k k, positions), block of
samples by block of samples, in arrays that are kept: PyTorch's own convolution of float64 on a
processor takes several times as long.  A linear layer is a convolution of an image of one pixel.

A network goes through a block by itself, so that its numbers do not depend on the others in its
stack.  Within a block the samples lie innermost: shifting an image, or taking every second pixel,
then still moves long runs of memory.

The interface is that of :mod:`~netdyn_lib.training.steppers`.
"""

import copy
import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from ..tasks.networks import ACTIVATIONS, Activation, ModuleNetwork
from ..tasks.tasks import Task
from . import blocked

# intermediate values of a network in a block: they stay in cache (16 samples of 28 × 28, 240 of
# 8 × 8)
_VALUES = 800_000
_MULTIPLE = 16  # of samples in a block: vectorised loops take so many numbers at once


@dataclass(frozen=True)
class Layer:
    """Convolution, nonlinearity and pooling of one layer, or a linear layer and a nonlinearity.

    ``inputs`` (C, H, W) and ``outputs`` (O, H', W') of one sample; ``kernel``, ``padding`` and
    ``pool`` for the two directions; ``early`` says that the nonlinearity acts on all values, not on
    the pooled ones only.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernel: tuple[int, ...]
    padding: tuple[int, ...]
    pool: tuple[int, ...]
    bias: bool
    activation: Activation | None
    early: bool

    @property
    def used(self) -> tuple[int, int]:
        """Positions at which the convolution is needed: pooling cuts off what fills no window."""
        return self.outputs[1] * self.pool[0], self.outputs[2] * self.pool[1]

    @property
    def width(self) -> int:
        """Numbers in a patch."""
        return self.inputs[0] * math.prod(self.kernel)

    @property
    def values(self) -> int:
        """Intermediate values of one sample: patches, their products, arrays of pooled values."""
        patches = (self.width + self.bias + self.outputs[0]) * math.prod(self.used)
        return patches + 3 * math.prod(self.outputs)


def size(found: list[Layer], samples: int) -> int:
    """Return the samples in a block, a multiple of 16; all blocks but the last are alike."""
    each = sum(layer.values for layer in found)
    largest = max(1, _VALUES // (each * _MULTIPLE)) * _MULTIPLE
    number = -(-samples // largest)
    return min(samples, -(-samples // (number * _MULTIPLE)) * _MULTIPLE)


class ConvolutionalStepper:
    """Descent of stacked convolutional networks, of the :func:`layers` found, block by block."""

    padded = False  # every network is computed in the same arrays

    def __init__(self, task: Task, found: list[Layer]):
        # A module of its own, as in steppers.ModuleStepper: what is observed may call it, in
        # several threads.
        self.task = task = replace(task, network=copy.deepcopy(task.network))
        self.loss, self._layers = task.loss, found
        self.target = task.loss.encode(task.y, found[-1].outputs[0]).to(task.x)  # (C, N)
        self._weight = task.loss.weight(len(task.x))
        template = cast(ModuleNetwork, task.network).template
        self._images = _images(task.x, _parts(template))[0].permute(1, 2, 3, 0)  # (C, H, W, N)
        self._blocks = blocked.slices(task, size(found, len(task.x)))
        self._targets = [self.target[:, b].contiguous() for b in self._blocks]
        self._spaces: dict[int, _Space] = {}
        self._networks: list[_Network] = []

    @property
    def values_per_network(self) -> int:
        """Intermediate values held while a network goes through a block, its output, and its
        parameters and gradient twice.
        """
        block = sum(layer.values for layer in self._layers) * self._blocks[0].stop
        return block + self.target.numel() + 4 * self.task.network.count

    def forward(self, params: torch.Tensor) -> torch.Tensor:
        """Return the output (E, C, N) of ``params`` (E, P), and keep their gradient."""
        count = len(params)
        if len(self._networks) != count:
            self._output = params.new_empty(count, *self.target.shape)
            self._gradient = torch.empty_like(params)
            self._networks = [_Network(self._layers, params) for _ in range(count)]
        for network, row in zip(self._networks, params):
            network.load(row)
        for k, (block, target) in enumerate(zip(self._blocks, self._targets)):
            space = self._space(block.stop - block.start)
            if space.block != k:  # patches of the first layer depend on no network
                space.stages[0].gather(self._images[..., block])
                space.block = k
            for network, output in zip(self._networks, self._output):
                self._pass(space.stages, network, target, output[:, block])
        for network, row in zip(self._networks, self._gradient):
            network.store(row)
        return self._output

    def _pass(self, stages, network, target, output):
        """One network through one block: its ``output`` (C, B), its gradient added up."""
        for stage, matrix in zip(stages, network.matrices):
            stage.forward(matrix)
        last = stages[-1]
        output.copy_(last.pre)
        self.loss.residual(last.pre[None], target, out=last.delta_hidden.view(1, *last.pre.shape))
        for k in reversed(range(len(stages))):
            stages[k].backward(network.matrices[k], network.gradients[k])

    def _space(self, samples):
        if samples not in self._spaces:  # two at most, the last block's and that of all others
            self._spaces[samples] = _Space(self._layers, samples, self._images)
        return self._spaces[samples]

    def subtract(self, params: torch.Tensor, rates: torch.Tensor) -> None:
        """Move ``params`` down the gradient of the last :meth:`forward`, by ``rates`` (E, 1)."""
        params.addcmul_(self._gradient, rates, value=-self._weight)


class _Network:
    """One network's layers as matrices (out, width + 1), the bias last, and their gradients.

    Arrays of its own, alike for every network: a matrix product may round by where in memory its
    factors begin.
    """

    def __init__(self, found, like):
        self._widths = [[layer.width, int(layer.bias)] for layer in found]
        self.matrices = [like.new_empty(x.outputs[0], x.width + x.bias) for x in found]
        self.gradients = [torch.empty_like(m) for m in self.matrices]

    def _beside(self, matrices, flat):
        """Pairs of views: weights, or bias, of a layer's matrix, and the same of (P,)."""
        start = 0
        for matrix, widths in zip(matrices, self._widths):
            for part in matrix.split(widths, 1):
                yield part, flat[start : start + part.numel()].view(part.shape)
                start += part.numel()

    def load(self, params):
        for part, values in self._beside(self.matrices, params):
            part.copy_(values)
        for gradient in self.gradients:
            gradient.zero_()

    def store(self, gradient):
        for part, values in self._beside(self.gradients, gradient):
            values.copy_(part)


class _Space:
    """The arrays of one block, layer by layer; each writes its values to where the next reads them.

    ``block`` says of which block the first layer's patches are.  Made anew in each step they cost a
    single network 6 % more, a group of six 1 %; kept for all of MNIST they would take gigabytes.
    """

    def __init__(self, found, samples, like):
        self.stages, self.block, below = [], None, None
        for layer in found:
            below = _Stage(layer, samples, like, below)
            self.stages.append(below)


class _Stage:
    """A layer in a block of B samples.

    ``patches`` (width + 1, positions · B), ones last, ``pre`` (out, positions · B), ``hidden``
    (out, H', W', B) the pooled values, ``delta_hidden`` the derivative by them.  In the first layer
    the positions lie window offset by window offset, so that pooling reads long runs; in others as
    in the image, so that patches do.
    """

    def __init__(self, layer, samples, like, below):
        self.layer, self.below, self.hidden = layer, below, None
        (c, h, w), (out, rows, columns) = layer.inputs, layer.outputs
        (kh, kw), (qh, qw), (ph, pw) = layer.kernel, layer.pool, layer.padding
        used_h, used_w = layer.used
        self.patches = like.new_ones(layer.width + layer.bias, used_h * used_w * samples)
        self._patches_t = self.patches.T
        around = like.new_zeros(c, h + 2 * ph, w + 2 * pw, samples)
        self._inside = around[:, ph : ph + h, pw : pw + w]
        sc, sh, sw, _ = around.stride()
        self.pre = like.new_empty(out, used_h * used_w * samples)
        if below is None:
            shape = c, kh, kw, qh, qw, rows, columns, samples
            steps = sc, sh, sw, sh, sw, qh * sh, qw * sw, 1
            slabs = self.pre.view(out, qh, qw, rows, columns, samples)
        else:
            shape, steps = (c, kh, kw, used_h, used_w, samples), (sc, sh, sw, sh, sw, 1)
            slabs = self.pre.view(out, rows, qh, columns, qw, samples).permute(0, 2, 4, 1, 3, 5)
            below.hidden = self._inside.view(*below.layer.outputs, samples)
        self._shifted = around.as_strided(shape, steps)
        self._columns = self.patches[: layer.width].view(shape)
        self._slabs = [slabs[:, a, b] for a in range(qh) for b in range(qw)]
        self._maxima = [like.new_empty(out, rows, columns, samples) for _ in range(2)]
        # On the way back the maxima are no longer needed.
        self.delta_hidden = self._maxima[0]
        if below is not None:
            self._folds = self._fold(below.delta_hidden.view(c, h, w, samples))
            self._whole = self._folds[0][0].numel() == below.delta_hidden.numel()

    def _fold(self, target):
        """Pairs of views (of ``target``, of the patches) to be added, for each entry of the kernel.

        First what fills the target.
        """
        h, w = target.shape[1:3]
        (ph, pw), (used_h, used_w) = self.layer.padding, self.layer.used
        pairs = []
        for i in range(self.layer.kernel[0]):
            for j in range(self.layer.kernel[1]):
                y, y_end = max(0, ph - i), min(used_h, h + ph - i)
                x, x_end = max(0, pw - j), min(used_w, w + pw - j)
                if y < y_end and x < x_end:
                    into = target[:, y + i - ph : y_end + i - ph, x + j - pw : x_end + j - pw]
                    pairs.append((into, self._columns[:, i, j, y:y_end, x:x_end]))
        return sorted(pairs, key=lambda pair: -pair[0].numel())

    def gather(self, images=None):
        """Write ``images`` (C, H, W, B), or what the layer below has given, as patches."""
        if images is not None:
            self._inside.copy_(images)
        self._columns.copy_(self._shifted)

    def forward(self, matrix):
        if self.below is not None:
            self.gather()
        torch.mm(matrix, self.patches, out=self.pre)
        if self.hidden is None:  # the output
            return
        activation = self.layer.activation
        if self.layer.early:
            activation.into(self.pre, self.pre)
        top = self._pool()
        if activation is not None and not self.layer.early:
            activation.into(top, self.hidden)
        elif top is not self.hidden:
            self.hidden.copy_(top)

    def _pool(self):
        """The largest value of each window; ``pre`` is left with 1 where a value is larger than all
        before it in its window, else 0.

        The last such 1 marks the first maximum, to which PyTorch gives the derivative.
        """
        top = self._slabs[0]
        for k, slab in enumerate(self._slabs[1:]):
            larger = self.hidden if k == len(self._slabs) - 2 else self._maxima[k % 2]
            torch.maximum(top, slab, out=larger)
            torch.gt(larger, top, out=slab)
            top = larger
        return top

    def backward(self, matrix, gradient):
        delta, activation = self.delta_hidden, self.layer.activation
        if activation is not None and activation.module is nn.ReLU:
            # without an array of signs
            torch.ops.aten.threshold_backward(delta, self.hidden, 0, grad_input=delta)
        elif activation is not None:
            activation.pullback(delta, self.hidden, grad_input=delta)
        for slab in self._slabs[:0:-1]:
            slab.mul_(delta)
            delta.sub_(slab)
        self._slabs[0].copy_(delta)
        gradient.addmm_(self.pre, self._patches_t)
        if self.below is None:
            return
        # the derivative by the inputs, into the layer below; patches are written over
        torch.mm(matrix[:, : self.layer.width].T, self.pre, out=self.patches[: self.layer.width])
        if not self._whole:
            self.below.delta_hidden.zero_()
        for k, (into, part) in enumerate(self._folds):
            if k == 0 and self._whole:
                into.copy_(part)
            else:
                into.add_(part)


def layers(task: Task) -> list[Layer] | None:
    """Return the layers of a task's network; None where the closed form is not for it.

    It is for an ``nn.Sequential`` of ``Flatten`` or ``Unflatten``, then ``Conv2d`` (stride 1, not
    dilated, one group, zeros around), each with an optional ReLU, Tanh or Sigmoid and an optional
    ``MaxPool2d`` (windows side by side) after it, in either order, then ``Flatten`` and ``Linear``,
    with nonlinearities between; all parameters trained and none shared, no hooks; on a processor,
    with a loss that has a residual of each sample.
    """
    network, loss = task.network, task.loss
    if type(network) is not ModuleNetwork or task.x.device.type != "cpu":
        return None
    if not getattr(loss, "separable", True):  # for samples go in blocks
        return None
    if not all(hasattr(loss, name) for name in ("residual", "encode", "weight")):
        return None
    if not all(_plain(part) for part in network.template.modules()):
        return None
    parts = _parts(network.template)
    held = [p for part in parts for p in part.parameters()]
    if len({id(p) for p in held}) < len(held) or not all(p.requires_grad for p in held):
        return None
    x, parts = _images(task.x, parts)
    return None if x is None else _read(tuple(x.shape[1:]), parts)


_NONLINEAR: dict[type, Activation] = {a.module: a for a in ACTIVATIONS.values()}
_KINDS = {nn.Sequential, nn.Flatten, nn.Unflatten, nn.Conv2d, nn.MaxPool2d, nn.Linear, *_NONLINEAR}


def _plain(part):
    """Whether a module is of a known kind, does what its kind does, and nothing listens to it."""
    hooks = [
        k for k, v in vars(part).items() if k.endswith("_hooks") and "state_dict" not in k and v
    ]
    return type(part) in _KINDS and not hooks and "forward" not in vars(part)


def _parts(module):
    """The modules that a call goes through, in order: one that is used twice comes twice."""
    if type(module) is nn.Sequential:
        return [leaf for part in module for leaf in _parts(part)]
    return [module]


def _images(x, parts):
    """The samples as images (N, C, H, W), and the modules from the first convolution on.

    (None, None) where there is none.
    """
    number = len(x)
    for k, part in enumerate(parts):
        if isinstance(part, nn.Conv2d):
            return (x, parts[k:]) if x.dim() == 4 and len(x) == number else (None, None)
        if not isinstance(part, (nn.Flatten, nn.Unflatten)):
            break
        x = part(x)
    return None, None


def _read(shape, parts):
    found, flat, part = [], False, None
    while parts:
        part, parts = parts[0], parts[1:]
        dims = (part.start_dim, part.end_dim) if isinstance(part, nn.Flatten) else ()
        if not flat and dims in ((1, -1), (1, 3)):
            flat, shape = True, (math.prod(shape), 1, 1)
            continue
        if flat and isinstance(part, nn.Linear):
            given, made, kernel, padding = part.in_features, part.out_features, (1, 1), (0, 0)
        elif not flat and isinstance(part, nn.Conv2d):
            given, made, kernel = part.in_channels, part.out_channels, part.kernel_size
            padding = _padding(part)
        else:
            return None
        activation, parts = _nonlinearity(parts)
        pool, pooled = (1, 1), not flat and parts and isinstance(parts[0], nn.MaxPool2d)
        # ReLU and max commute, with the same derivative: where values tie below 0 the slope is 0
        # anyway.  The others round values that differ to one, of which PyTorch's pooling takes the
        # first.
        early = bool(pooled) and activation is not None and activation.module is not nn.ReLU
        if pooled:
            pool, parts = _window(parts[0]), parts[1:]
        if activation is None:
            activation, parts = _nonlinearity(parts)
        if given != shape[0] or None in (padding, pool):
            return None
        sides = zip(shape[1:], kernel, padding, pool)
        outputs = made, *((n + 2 * p - k + 1) // q for n, k, p, q in sides)
        if min(outputs) < 1:
            return None
        bias = part.bias is not None
        found.append(Layer(shape, outputs, kernel, padding, pool, bias, activation, early))
        shape = outputs
    return found if isinstance(part, nn.Linear) and found[-1].activation is None else None


def _nonlinearity(parts):
    """The nonlinearity that comes next, None where that is none, and the parts after it."""
    known = _NONLINEAR.get(type(parts[0])) if parts else None
    return known, parts[1:] if known else parts


def _padding(conv):
    """Zeros around in the two directions; None where they are not alike on both sides, and for a
    convolution with strides, dilation or groups.
    """
    plain = conv.stride == conv.dilation == (1, 1) and conv.groups == 1
    if not plain or conv.padding_mode != "zeros":
        return None
    if conv.padding == "same":
        odd = all(k % 2 for k in conv.kernel_size)
        return tuple(k // 2 for k in conv.kernel_size) if odd else None
    return (0, 0) if conv.padding == "valid" else tuple(conv.padding)


def _window(module):
    """(height, width) of windows that lie side by side; None for other pooling."""

    def pair(v):
        return tuple(v) if isinstance(v, (tuple, list)) else (v, v)

    window, whole = pair(module.kernel_size), not (module.ceil_mode or module.return_indices)
    plain = pair(module.padding) == (0, 0) and pair(module.dilation) == (1, 1)
    return window if whole and plain and pair(module.stride) == window else None
