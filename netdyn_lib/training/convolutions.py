"""Which convolutional networks the closed form of
:mod:`~netdyn_lib.training.convolutional_steppers` is for, and their layers as plain sizes.
"""

from dataclasses import dataclass

from torch import nn

from ..tasks.networks import ACTIVATIONS, Activation, ModuleNetwork


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
    parts = _parts(network._module)
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


def images(task):
    """The samples of a task that has :func:`layers`, as images (N, C, H, W)."""
    return _images(task.x, _parts(task.network._module))[0]


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
