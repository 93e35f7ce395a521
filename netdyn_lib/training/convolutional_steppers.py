"""One step of descent of stacked convolutional networks on a processor, as closed-form
backpropagation.

Convolutions are matrix products of kernels (out, in k k) with patches (in k k, positions), block of
samples by block of samples, in arrays that are kept: PyTorch's own convolution of float64 on a
processor takes several times as long.

A network goes through a block alone, so that its numbers do not depend on the others in its stack.
Within a block the samples lie innermost: shifting an image, or taking every second pixel, then
still moves long runs of memory.

The interface is that of :mod:`~netdyn_lib.training.steppers`, except that ``forward`` also computes
the gradient that ``subtract`` then follows.

Which convolutional networks the closed form of
:mod:`~netdyn_lib.training.convolutional_steppers` is for, and their layers as plain sizes.
"""

import copy
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..tasks.networks import ACTIVATIONS, Activation, ModuleNetwork
from . import blocked

# intermediate values of a network in a block: they stay in cache (16 samples of 28 × 28, 240 of 8 ×
# 8)
_VALUES = 800_000
_MULTIPLE = 16  # of samples in a block: vectorised loops take so many numbers at once


def size(found, samples):
    """Samples in a block, all but the last alike, for the layers ``found``: a multiple of 16."""
    each = sum(layer.values for layer in found)
    largest = max(1, _VALUES // (each * _MULTIPLE)) * _MULTIPLE
    number = -(-samples // largest)
    return min(samples, -(-samples // (number * _MULTIPLE)) * _MULTIPLE)


class ConvolutionalStepper:
    """Descent of stacked convolutional networks by closed-form backpropagation, block by block,
    each network alone.

    For the layers that :func:`netdyn_lib.training.convolutional_steppers.layers` finds in the task's network.
    """

    padded = False  # every network is computed in the same arrays

    def __init__(self, task, found):
        # A module of its own, as in steppers.ModuleStepper: what is observed may call it, in
        # several threads.
        self.task = task = replace(task, network=copy.deepcopy(task.network))
        self.loss, self._layers = task.loss, found
        self.target = task.loss.encode(task.y, found[-1].outputs[0]).to(task.x)  # (C, N)
        self._weight = task.loss.weight(len(task.x))
        self._images = sample_images(task).permute(1, 2, 3, 0)  # (C, H, W, N)
        self._blocks = blocked.slices(task, size(found, len(task.x)))
        self._targets = [self.target[:, b].contiguous() for b in self._blocks]
        self._spaces, self._networks, self._output = {}, [], None

    @property
    def values_per_network(self):
        """Intermediate values held while a network goes through a block, its output, and its
        parameters and gradient twice.
        """
        return (
            sum(layer.values for layer in self._layers) * self._blocks[0].stop
            + self.target.numel()
            + 4 * self.task.network.count
        )

    def forward(self, params):
        """Output (E, C, N) of ``params`` (E, P), written again at the next call; keeps the gradient
        for :meth:`subtract`.
        """
        count = len(params)
        if self._output is None or len(self._output) != count:
            self._output = params.new_empty(count, *self.target.shape)
            self._gradient = torch.empty_like(params)
            self._networks = [_Network(self._layers, params) for _ in range(count)]
        for network, row in zip(self._networks, params):
            network.load(row)
        for k, (block, target) in enumerate(zip(self._blocks, self._targets)):
            space = self._space(block.stop - block.start)
            if space.block != k:  # patches of the first layer depend on no network
                space.first.gather(self._images[..., block])
                space.block = k
            for network, output in zip(self._networks, self._output):
                self._pass(space, network, target, output[:, block])
        for network, row in zip(self._networks, self._gradient):
            network.store(row)
        return self._output

    def _pass(self, space, network, target, output):
        """One network through one block: its ``output`` (C, B), and its gradient added to what it
        has.
        """
        for stage, matrix in zip(space.stages, network.matrices):
            stage.forward(matrix)
        output.copy_(space.last.pre)
        self.loss.residual(space.last.pre[None], target, out=space.last.delta[None])
        for stage, matrix, gradient in zip(
            space.stages[::-1], network.matrices[::-1], network.gradients[::-1]
        ):
            stage.backward(matrix, gradient)

    def _space(self, samples):
        if samples not in self._spaces:  # two at most, the last block's and that of all others
            self._spaces[samples] = _Space(self._layers, samples, self._images)
        return self._spaces[samples]

    def subtract(self, params, rates):
        """Move ``params`` (E, P) down the gradient of the last :meth:`forward`, W ← W − η ∇L(W), η
        = ``rates`` (E, 1).
        """
        params.addcmul_(self._gradient, rates, value=-self._weight)


class _Network:
    """One network's layers as matrices (out, width + 1), the bias last, and where their gradients
    add up.

    Arrays of its own, alike for every network: a matrix product may round by where in memory its
    factors begin.
    """

    def __init__(self, found, like):
        self.matrices = [
            like.new_empty(layer.outputs[0], layer.width + layer.bias) for layer in found
        ]
        self.gradients = [torch.empty_like(m) for m in self.matrices]
        shapes = [
            (layer.outputs[0], width)
            for layer in found
            for width in ((layer.width, 1) if layer.bias else (layer.width,))
        ]
        self._shapes, self._sizes = shapes, [a * b for a, b in shapes]
        self._into, self._from = (
            [part for m, layer in zip(ms, found) for part in _split(m, layer)]
            for ms in (self.matrices, self.gradients)
        )

    def load(self, params):
        for part, values, shape in zip(self._into, params.split(self._sizes), self._shapes):
            part.copy_(values.view(shape))
        for gradient in self.gradients:
            gradient.zero_()

    def store(self, gradient):
        for part, values, shape in zip(self._from, gradient.split(self._sizes), self._shapes):
            values.view(shape).copy_(part)


def _split(matrix, layer):
    """Weights and bias, as views of a layer's matrix."""
    return (matrix[:, :-1], matrix[:, -1:]) if layer.bias else (matrix,)


class _Space:
    """The arrays of one block, layer by layer; each layer writes its values to where the next one
    reads them.

    ``block`` says of which block the first layer's patches are.  Made anew in each step they cost a
    lone network 6 % more, a group of six 1 %; kept for all of MNIST they would take gigabytes.
    """

    def __init__(self, found, samples, like):
        self.stages, self.block = [], None
        below = None
        for layer in found:
            kind = _ConvolutionStage if isinstance(layer, Convolution) else _DenseStage
            below = kind(layer, samples, like, below)
            self.stages.append(below)
        self.first, self.last = self.stages[0], self.stages[-1]


class _DenseStage:
    """A linear layer in a block of B samples: ``inputs`` (width + 1, B), ones last, ``pre`` (out,
    B) and its ``delta``.
    """

    def __init__(self, layer, samples, like, below):
        self.layer, self.below = layer, below
        self.inputs = like.new_ones(layer.width + layer.bias, samples)
        self._inputs_t = self.inputs.T
        below.hidden = self.inputs[: layer.width].view(*below.layer.outputs, samples)
        self._into = below.delta_hidden.view(layer.width, samples)
        self.pre = like.new_empty(*layer.outputs, samples)
        self.delta = torch.empty_like(self.pre)
        self.delta_hidden = self.delta
        self.hidden = None

    def forward(self, matrix):
        torch.mm(matrix, self.inputs, out=self.pre)
        if self.hidden is None:
            return
        if self.layer.activation is None:
            self.hidden.copy_(self.pre)
        else:
            self.layer.activation.into(self.pre, self.hidden)

    def backward(self, matrix, gradient):
        if self.layer.activation is not None:
            _pull(self.layer.activation, self.delta, self.hidden)
        gradient.addmm_(self.delta, self._inputs_t)
        torch.mm(_split(matrix, self.layer)[0].T, self.delta, out=self._into)


class _ConvolutionStage:
    """A convolution in a block of B samples.

    ``patches`` (width + 1, positions · B), ones last, ``pre`` (out, positions · B), ``hidden``
    (out, H', W', B) the pooled values, ``delta_hidden`` the derivative by them.  In the first layer
    the positions lie window offset by window offset, so that pooling reads long runs; in others as
    in the image, so that patches do.
    """

    def __init__(self, layer, samples, like, below):
        self.layer, self.below = layer, below
        (c, h, w), (out, rows, columns), (kh, kw), (qh, qw) = (
            layer.inputs,
            layer.outputs,
            layer.kernel,
            layer.pool,
        )
        (ph, pw), (used_h, used_w) = layer.padding, layer.used
        self.patches = like.new_ones(layer.width + layer.bias, used_h * used_w * samples)
        self._around = like.new_zeros(c, h + 2 * ph, w + 2 * pw, samples)
        self._inside = self._around[:, ph : ph + h, pw : pw + w]
        sc, sh, sw, _ = self._around.stride()
        self.pre = like.new_empty(out, used_h * used_w * samples)
        if below is None:
            shape = c, kh, kw, qh, qw, rows, columns, samples
            self._shifted = self._around.as_strided(
                shape, (sc, sh, sw, sh, sw, qh * sh, qw * sw, 1)
            )
            slabs = self.pre.view(out, qh, qw, rows, columns, samples)
        else:
            shape = c, kh, kw, used_h, used_w, samples
            self._shifted = self._around.as_strided(shape, (sc, sh, sw, sh, sw, 1))
            slabs = self.pre.view(out, rows, qh, columns, qw, samples).permute(0, 2, 4, 1, 3, 5)
            below.hidden = self._inside
        self._columns = self.patches[: layer.width].view(shape)
        self._patches_t = self.patches.T
        self._folds = [] if below is None else self._fold(below.delta_hidden)
        self._whole = bool(self._folds) and self._folds[0][0].shape == below.delta_hidden.shape
        self._slabs = [slabs[:, a, b] for a in range(qh) for b in range(qw)]
        self._maxima = [like.new_empty(out, rows, columns, samples) for _ in range(2)]
        # In the way back the maxima are no longer needed.
        self.delta_hidden = self._maxima[0]
        self.hidden = None

    def _fold(self, target):
        """Pairs of views (of ``target``, of the patches) to be added, one for each entry of the
        kernel; first what fills the target.
        """
        (_, h, w), (ph, pw), (used_h, used_w) = (
            self.layer.inputs,
            self.layer.padding,
            self.layer.used,
        )
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
        activation = self.layer.activation
        if self.layer.early:
            activation.into(self.pre, self.pre)
        top = self._pool()
        if activation is None or self.layer.early:
            if top is not self.hidden:
                self.hidden.copy_(top)
        else:
            activation.into(top, self.hidden)

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
        delta = self.delta_hidden
        if self.layer.activation is not None:
            _pull(self.layer.activation, delta, self.hidden)
        for slab in self._slabs[:0:-1]:
            slab.mul_(delta)
            delta.sub_(slab)
        self._slabs[0].copy_(delta)
        gradient.addmm_(self.pre, self._patches_t)
        if self.below is not None:
            self._back(matrix)

    def _back(self, matrix):
        """The derivative by the layer's inputs, into the layer below; patches are written over."""
        torch.mm(_split(matrix, self.layer)[0].T, self.pre, out=self.patches[: self.layer.width])
        if not self._whole:
            self.below.delta_hidden.zero_()
        for k, (into, part) in enumerate(self._folds):
            if k == 0 and self._whole:
                into.copy_(part)
            else:
                into.add_(part)


def _pull(activation, delta, values):
    """delta φ'(z) in place, in terms of the ``values`` φ(z)."""
    if activation.module is nn.ReLU:
        # without an array of signs
        torch.ops.aten.threshold_backward(delta, values, 0, grad_input=delta)
    else:
        activation.pullback(delta, values, grad_input=delta)


@dataclass(frozen=True)
class Convolution:
    """Convolution, nonlinearity and pooling of one layer.

    ``inputs`` (C, H, W) and ``outputs`` (O, H', W') of one sample, ``kernel``, ``padding`` and
    ``pool`` for the two directions; ``early`` says that the nonlinearity acts on all values, not on
    the pooled ones alone.
    """

    inputs: tuple
    outputs: tuple
    kernel: tuple
    padding: tuple
    pool: tuple
    bias: bool
    activation: Activation | None
    early: bool

    @property
    def used(self):
        """Positions at which the convolution is needed: pooling cuts off what fills no window."""
        return self.outputs[1] * self.pool[0], self.outputs[2] * self.pool[1]

    @property
    def width(self):
        """Numbers in a patch."""
        return self.inputs[0] * self.kernel[0] * self.kernel[1]

    @property
    def values(self):
        """Intermediate values of one sample: patches, their products, and three arrays of pooled
        values.
        """
        positions = self.used[0] * self.used[1]
        return (self.width + self.bias + self.outputs[0]) * positions + 3 * self.outputs[
            0
        ] * self.outputs[1] * self.outputs[2]


@dataclass(frozen=True)
class Dense:
    """A linear layer and the nonlinearity after it."""

    width: int
    outputs: tuple
    bias: bool
    activation: Activation | None

    @property
    def values(self):
        """Intermediate values of one sample."""
        return self.width + self.bias + 2 * self.outputs[0]


def layers(task):
    """The layers of a task's network, :class:`Convolution` then :class:`Dense`; None where the
    closed form is not for it.

    It is for an ``nn.Sequential`` of ``Flatten`` or ``Unflatten``, then ``Conv2d`` (stride 1, not
    dilated, one group, zeros around), each with an optional ReLU, Tanh or Sigmoid and an optional
    ``MaxPool2d`` (windows side by side) after it, in either order, then ``Flatten`` and ``Linear``,
    with nonlinearities between; all parameters trained and none shared, no hooks; on a processor,
    with a loss that has a residual of each sample.
    """
    network = task.network
    if type(network) is not ModuleNetwork or task.x.device.type != "cpu":
        return None
    separable = getattr(task.loss, "separable", True)  # for samples go in blocks
    needed = ("residual", "encode", "weight")
    if not separable or not all(hasattr(task.loss, name) for name in needed):
        return None
    parts = _parts(network.template)
    if parts is None:
        return None
    x, parts = _images(task.x, parts)
    return None if x is None else _read(tuple(x.shape[1:]), parts)


def _parts(module):
    """The modules of a Sequential in order, those of Sequentials within it too; None where one does
    more than its kind, or parameters are shared.
    """
    if not all(_plain(part) for part in module.modules()):
        return None
    found = _called(module)
    parameters = [p for part in found for p in part.parameters()]
    if len({id(p) for p in parameters}) < len(parameters) or not all(
        p.requires_grad for p in parameters
    ):
        return None
    return found


def _plain(part):
    """Whether a module is of a known kind, computes what its kind does, and nothing listens to it."""
    hooks = [
        value
        for name, value in vars(part).items()
        if name.endswith("_hooks") and "state_dict" not in name
    ]
    return type(part) in _KINDS and not any(hooks) and "forward" not in vars(part)


def _called(module):
    """The modules that a call goes through, in order: one that is used twice comes twice."""
    return (
        [leaf for part in module for leaf in _called(part)]
        if type(module) is nn.Sequential
        else [module]
    )


_NONLINEAR = {a.module: a for a in ACTIVATIONS.values()}
_KINDS = {nn.Sequential, nn.Flatten, nn.Unflatten, nn.Conv2d, nn.MaxPool2d, nn.Linear, *_NONLINEAR}


def sample_images(task):
    """The samples of a task that has :func:`layers`, as images (N, C, H, W)."""
    return _images(task.x, _parts(task.network.template))[0]


def _images(x, parts):
    """The samples as images (N, C, H, W), and the modules from the first convolution on; (None,
    None) where there is none.
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
    parts, found = list(parts), []
    while parts and isinstance(parts[0], nn.Conv2d):
        layer = _convolution(shape, parts)
        if layer is None:
            return None
        found.append(layer)
        shape = layer.outputs
    if (
        not parts
        or not isinstance(parts[0], nn.Flatten)
        or (parts[0].start_dim, parts[0].end_dim) not in ((1, -1), (1, 3))
    ):
        return None
    del parts[0]
    width = shape[0] * shape[1] * shape[2]
    while parts and isinstance(parts[0], nn.Linear):
        linear = parts.pop(0)
        if linear.in_features != width or linear.out_features < 1:
            return None
        width = linear.out_features
        found.append(
            Dense(linear.in_features, (width,), linear.bias is not None, _nonlinearity(parts))
        )
    last = found[-1]
    return None if parts or not isinstance(last, Dense) or last.activation is not None else found


def _nonlinearity(parts):
    """The nonlinearity that comes next, taken off ``parts``; None where that is none."""
    return _NONLINEAR[type(parts.pop(0))] if parts and type(parts[0]) in _NONLINEAR else None


def _convolution(shape, parts):
    conv = parts.pop(0)
    padding = conv.padding
    if isinstance(padding, str):
        padding = {"valid": (0, 0), "same": tuple(k // 2 for k in conv.kernel_size)}[padding]
        if conv.padding == "same" and not all(k % 2 for k in conv.kernel_size):
            return None
    plain = (
        conv.stride == (1, 1)
        and conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
    )
    if not plain or conv.in_channels != shape[0]:
        return None
    activation = _nonlinearity(parts)
    pool = None
    if parts and isinstance(parts[0], nn.MaxPool2d):
        pool = _window(parts.pop(0))
        if pool is None:
            return None
    # ReLU and max commute, with the same derivative: where values tie below 0 the slope is 0
    # anyway.  The others round values that differ to one, of which PyTorch's pooling takes the
    # first.
    early = activation is not None and pool is not None and activation.module is not nn.ReLU
    if activation is None:
        activation = _nonlinearity(parts)
    pool = pool or (1, 1)
    size = [n + 2 * p - k + 1 for n, p, k in zip(shape[1:], padding, conv.kernel_size)]
    outputs = conv.out_channels, *(n // q for n, q in zip(size, pool))
    if min(outputs) < 1:
        return None
    return Convolution(
        shape,
        outputs,
        conv.kernel_size,
        tuple(padding),
        pool,
        conv.bias is not None,
        activation,
        early,
    )


def _window(module):
    """(height, width) of windows that lie side by side; None for other pooling."""

    def pair(v):
        return tuple(v) if isinstance(v, (tuple, list)) else (v, v)

    plain = (
        pair(module.padding) == (0, 0)
        and pair(module.dilation) == (1, 1)
        and not module.ceil_mode
        and not module.return_indices
    )
    window = pair(module.kernel_size)
    return window if plain and pair(module.stride) == window else None
