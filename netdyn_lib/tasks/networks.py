"""Networks as points of R^P, initial conditions, and ε-balls around them.

A network here is a function of a flat vector of P parameters.  An ensemble is
a tensor with the parameters last: (n, P) for n initial conditions, (n, 1 + M, P)
for n references, each followed by its M perturbed copies.

Initial conditions of networks: from which distribution the papers draw their parameters.
"""

import copy
import math
import os
import threading
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_leaves

from ..validation import positive, whole

# Streams of random numbers drawn for one initial condition.
_INITIAL, _PERTURBATION = 0, 1
_TRIED = 32  # samples on which stacks of networks are tried


@dataclass(frozen=True)
class Activation:
    """A pointwise nonlinearity a = φ(z).

    ``into(z, a)`` writes φ(z) to ``a``.  ``pullback(g, a)`` is g φ'(z) in terms of the value a; it
    is written to ``grad_input`` where that is given.  ``bend(a)`` is φ''(z)/φ'(z), again in terms
    of a (0 for the piecewise linear, whose kink has no second derivative; ``bends`` is then false).
    """

    name: str
    function: callable
    into: callable
    pullback: callable
    bend: callable
    module: type
    bends: bool = True


def _sigmoid_into(z, a):
    torch.sigmoid(z, out=a)


def _tanh_into(z, a):
    torch.tanh(z, out=a)


def _relu_into(z, a):
    torch.clamp(z, min=0, out=a)


def _relu_pullback(g, a, grad_input=None):
    return torch.mul(g, a > 0, out=grad_input)


ACTIVATIONS = {
    a.name: a
    for a in (
        Activation(
            "sigmoid",
            torch.sigmoid,
            _sigmoid_into,
            torch.ops.aten.sigmoid_backward,
            lambda a: 1 - 2 * a,
            nn.Sigmoid,
        ),
        Activation(
            "tanh", torch.tanh, _tanh_into, torch.ops.aten.tanh_backward, lambda a: -2 * a, nn.Tanh
        ),
        Activation(
            "relu", torch.relu, _relu_into, _relu_pullback, torch.zeros_like, nn.ReLU, bends=False
        ),
    )
}


class MLP:
    """Multilayer perceptron with a linear output, as a function of its flat parameters.

    The parameters of a unit lie together, its incoming weights and then its
    bias, so that a layer is one matrix of shape (units, inputs + 1) acting on
    inputs with a 1 appended.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, inputs first: (4, 10, 3) is the papers' network
        for Iris.
    activation : {"sigmoid", "tanh", "relu"}
        Of the hidden layers.

    Raises
    ------
    ValueError
        For fewer than two layers, a layer of no units, or an unknown activation.

    >>> MLP((4, 10, 3)).count
    83
    """

    coupled = False  # whether samples see each other

    def __init__(self, sizes, activation="sigmoid"):
        sizes = tuple(whole(s, "units of a layer", 1) for s in sizes)
        if len(sizes) < 2:
            raise ValueError(
                f"sizes {sizes}: a network needs an input and an output layer, each of at least 1 unit"
            )
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
        self.sizes = sizes
        self.activation = ACTIVATIONS[activation]
        self.shapes = [(out, inn + 1) for inn, out in zip(sizes[:-1], sizes[1:])]
        ends = np.cumsum([0] + [math.prod(s) for s in self.shapes])
        self.slices = [slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:])]
        self.count = int(ends[-1])

    def __repr__(self):
        return f"MLP({'-'.join(map(str, self.sizes))}, {self.activation.name})"

    @property
    def layout(self):
        """Names of the P parameters in order: ``W1[unit,input]``, ``b1[unit]``, …"""
        names = []
        for layer, (out, inn) in enumerate(self.shapes, start=1):
            for unit in range(out):
                names += [f"W{layer}[{unit},{k}]" for k in range(inn - 1)] + [f"b{layer}[{unit}]"]
        return tuple(names)

    @property
    def is_weight(self):
        """Which of the P parameters are weights (the others are biases); (P,) bool."""
        return np.array([name[0] == "W" for name in self.layout])

    def matrices(self, params):
        """Layer matrices with the bias as last column: views (…, units, inputs + 1) of ``params``
        (…, P).
        """
        return [params[..., s].unflatten(-1, shape) for s, shape in zip(self.slices, self.shapes)]

    def unpack(self, params):
        """Weights and biases of each layer: views (…, units, inputs) and (…, units) of ``params``
        (…, P).
        """
        return [(m[..., :-1], m[..., -1]) for m in self.matrices(params)]

    def activations(self, params, x):
        """Outputs of every layer for ``params`` (…, P) and ``x`` (N, d): a list of (…, N, units)."""
        layers = self.unpack(params)
        values = []
        for k, (w, b) in enumerate(layers):
            x = x @ w.transpose(-1, -2) + b.unsqueeze(-2)
            if k < len(layers) - 1:
                x = self.activation.function(x)
            values.append(x)
        return values

    def hidden(self, params, x):
        """Values of the last hidden layer, (…, N, units)."""
        return self.activations(params, x)[-2]

    def forward(self, params, x):
        """Output of the networks ``params`` (…, P) on ``x`` (N, d): (…, N, C)."""
        return self.activations(params, x)[-1]

    outputs = forward

    def to(self, device, dtype=None):
        """The network itself: it holds no tensors."""
        return self

    def module(self, params=None):
        """The same network as an :class:`torch.nn.Sequential`, with ``params`` (P,) where given."""
        layers = []
        for inn, out in zip(self.sizes[:-1], self.sizes[1:]):
            layers += [nn.Linear(inn, out, dtype=torch.float64), self.activation.module()]
        module = nn.Sequential(*layers[:-1])
        if params is not None:
            linear = [m for m in module if isinstance(m, nn.Linear)]
            with torch.no_grad():
                for layer, (w, b) in zip(linear, self.unpack(params)):
                    layer.weight.copy_(w)
                    layer.bias.copy_(b)
        return module


class ModuleNetwork:
    """Any :class:`torch.nn.Module` as a function of its flat parameters.

    ``coupled`` says whether samples see each other, as under the statistics of a batch: then they
    cannot be taken in blocks. It is found where a task is made, with that task's samples
    (:mod:`netdyn_lib.tasks.probe`), and so is whether the module is random or remembers.

    Parameters
    ----------
    module : torch.nn.Module
        Maps (N, …) inputs to (N, C) outputs.  A copy in float64 is kept, and the module itself not
        changed; parameters are flattened in the module's own order.  Parameters of two or more
        dimensions count as weights, the others as biases.

    Raises
    ------
    ValueError
        For a module without trainable parameters, whose parameters have no size yet, that holds
        complex numbers, was made by TorchScript, or cannot be copied.
    """

    def __init__(self, module):
        name = type(module).__name__
        if not isinstance(module, nn.Module):
            raise ValueError(f"{module!r:.80} is no torch.nn.Module: give one, made from its class")
        if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
            raise ValueError(
                f"{name} holds a module of TorchScript, whose parameters cannot be exchanged: "
                "give the module it was made from"
            )
        held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        for part, tensor in held.items():
            if is_lazy(tensor) or tensor.is_meta:
                raise ValueError(
                    f"{part!r} of {name} has no size or no values yet: call a lazy module on a few "
                    "samples first, and make no module on the device meta"
                )
            if tensor.is_complex():
                raise ValueError(
                    f"{part!r} of {name} is {tensor.dtype}: descent is in real numbers; hold real "
                    "and imaginary parts, and join them in forward with torch.complex"
                )
        hooked = [part for part, tensor in module.named_parameters() if tensor._backward_hooks]
        if hooked:
            raise ValueError(
                f"{hooked[0]!r} of {name} has a hook that changes its gradient, which a copy of the "
                "module would lose: scale or clip in forward, or take the hook off"
            )
        self._module = module = copied(module).to(torch.float64)
        self.coupled = False
        self.shapes = {k: p.shape for k, p in module.named_parameters() if p.requires_grad}
        if not self.shapes:
            raise ValueError(f"{name} has no trainable parameter")
        self.count = sum(s.numel() for s in self.shapes.values())
        self.ways = []  # of differentiation that were found right: netdyn_lib.tasks.gradients.ways
        self._live, self._stacks = threading.local(), None

    def __repr__(self):
        return f"ModuleNetwork({type(self._module).__name__}, {self.count} parameters)"

    @property
    def layout(self):
        """Names of the P parameters in order: ``name[index]``."""
        return tuple(
            f"{name}[{','.join(map(str, i))}]"
            for name, s in self.shapes.items()
            for i in np.ndindex(*s)
        )

    @property
    def is_weight(self):
        """Which of the P parameters are weights (the others are biases); (P,) bool."""
        return np.repeat(
            [len(s) > 1 for s in self.shapes.values()], [s.numel() for s in self.shapes.values()]
        )

    @property
    def template(self):
        """The module as it was given, in this network's precision; never called, only copied."""
        return self._module

    @property
    def own(self):
        """The module's own parameters, (P,)."""
        trained = (p for p in self._module.parameters() if p.requires_grad)
        return torch.cat([p.detach().reshape(-1) for p in trained])

    def __getstate__(self):
        # What a call leaves in a module, such as tensors of a transform that has ended, is not
        # copied.
        return {name: value for name, value in vars(self).items() if name != "_live"}

    def __setstate__(self, state):
        vars(self).update(state, _live=threading.local())

    def __deepcopy__(self, memo):
        # Nothing writes to the template, so copies share it; each has a module of its own to call.
        return copy.copy(self)

    def to(self, device, dtype=None):
        """The same network with its frozen parameters and its buffers on a device, of a floating
        type where that is given.
        """
        moved = copy.copy(self)
        moved._module = copy.deepcopy(self._module).to(device, dtype)
        return moved

    def unpack(self, params):
        """Parameters by name: views of ``params`` (P,)."""
        parts = params.split([s.numel() for s in self.shapes.values()])
        return {name: part.view(s) for (name, s), part in zip(self.shapes.items(), parts)}

    def forward(self, params, x):
        """Output of one network ``params`` (P,) on ``x`` (N, …): (N, C)."""
        if not hasattr(self._live, "module"):
            # A call lends it its parameters, so each thread has one.  What is not trained is the
            # template's: a copy that is made within a transform would die with it.
            self._live.module = copied(self._module, shared=True)
        return functional_call(self._live.module, self.unpack(params), (x,))

    def some(self, count):
        """The first samples, a slice, to try something on: all where they see each other."""
        return slice(None if self.coupled else count)

    def outputs(self, params, x):
        """Output of stacked networks ``params`` (E, P) on ``x`` (N, …): (E, N, C).

        One network after another where ``vmap`` cannot follow the module, or is wrong.
        """
        if self._stacks is None:
            self._stacks = self._stacks_rightly(x[self.some(_TRIED)])
        if self._stacks:
            return vmap(self.forward, in_dims=(0, None))(params, x)
        return torch.stack([self.forward(row, x) for row in params])

    def _stacks_rightly(self, x):
        rows = self.own.to(x.device) * torch.tensor([[1.0], [1.1]]).to(self.own)
        try:
            found = vmap(self.forward, in_dims=(0, None))(rows, x)
        except Exception:  # whatever vmap cannot follow
            return False
        expected = torch.stack([self.forward(row, x) for row in rows])
        return torch.allclose(found, expected, equal_nan=True)


class AutomaticMLP(ModuleNetwork):
    """An :class:`MLP` whose derivatives are automatic, for a loss that has no closed form.

    The P parameters are those of the MLP, in the same order.

    >>> AutomaticMLP(MLP((4, 10, 3))).layout == MLP((4, 10, 3)).layout
    True
    """

    def __init__(self, mlp):
        super().__init__(_Layers(mlp))
        self.mlp = mlp

    def __repr__(self):
        return f"Automatic{self.mlp!r}"

    @property
    def layout(self):
        """Names of the P parameters in order, as the MLP has them."""
        return self.mlp.layout

    @property
    def is_weight(self):
        """Which of the P parameters are weights (the others are biases); (P,) bool."""
        return self.mlp.is_weight


class _Layers(nn.Module):
    """Layer matrices with the bias as last column, so that parameters lie as an MLP's."""

    def __init__(self, mlp):
        super().__init__()
        self.activation, draw = mlp.activation.function, torch.Generator().manual_seed(0)
        values = [torch.rand(shape, generator=draw, dtype=torch.float64) for shape in mlp.shapes]
        self.layers = nn.ParameterList((2 * v - 1) / math.sqrt(v.shape[1]) for v in values)

    def forward(self, x):
        for k, layer in enumerate(self.layers):
            x = self.activation(x) if k else x
            x = nn.functional.linear(x, layer[:, :-1], layer[:, -1])
        return x


def copied(module, shared=False):
    """A copy of a module, also of one that keeps tensors of its last call, as hooks and pruning do.

    These belong to a graph of derivatives, for which ``copy.deepcopy`` fails; their values are
    copied. A ``shared`` copy has all tensors of the module itself. Raises ValueError for a module
    that cannot be copied for another reason.
    """
    held = [t for part in module.modules() for t in tree_leaves(vars(part)) if torch.is_tensor(t)]
    kept = {id(t): t for t in held if shared or not t.is_leaf}
    memo = kept if shared else {k: t.detach().clone() for k, t in kept.items()}
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:  # whatever the copy of what it holds raises
        raise ValueError(
            f"{type(module).__name__} cannot be copied ({error}): "
            "leave out what it holds beside layers and tensors"
        ) from error


def _counted(value, name):
    return whole(value, name, 1, cause="an ensemble is of at least 1")


def counted(count, network):
    """A number of networks as an int; ValueError below 1, and where they exceed the memory."""
    count = _counted(count, "count")
    needed, memory = 8 * count * network.count, _memory()
    if needed > memory:
        raise ValueError(
            f"count = {count:,}: so many networks of {network.count:,} parameters take "
            f"{needed / 1e9:,.1f} GB, and this machine has {memory / 1e9:,.1f} GB; "
            "draw some at a time, with start"
        )
    return count


def _memory():
    """Bytes of this machine's memory; infinite where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return math.inf


def initial(network, count, seed=0, std=1.0, start=0, device="cpu"):
    """Independent initial conditions: weights N(0, std²), biases zero.

    Each initial condition has its own stream of random numbers, drawn on the
    processor, so that condition i is the same in whatever batch, shard or
    device it appears.

    Parameters
    ----------
    network : MLP or ModuleNetwork
    count : int
        Number n of initial conditions.
    seed : int
    std : float
        Standard deviation of every weight.
    start : int
        Index of the first one: ``initial(net, 5, start=10)`` equals rows 10
        to 14 of ``initial(net, 15)``.

    Returns
    -------
    torch.Tensor
        (n, P), float64.

    Raises
    ------
    ValueError
        For a count that is no whole number of at least 1, or of more networks than memory holds;
        for a seed that is no whole number, or a standard deviation that is not positive and finite.
    """
    count, first = counted(count, network), whole(start, "start")
    std = positive(std, "std", "the spread of the initial weights")
    rows = [
        _generator(seed, first + i, _INITIAL).standard_normal(network.count) for i in range(count)
    ]
    return torch.tensor(
        np.stack(rows) * (std * network.is_weight), dtype=torch.float64, device=device
    )


def perturbed(params, radius=1e-8, copies=5, seed=0, start=0):
    """Surround each reference with copies from its ε-ball.

    Every parameter of a copy is w + u with u ~ U(−ε, ε), independent (D,
    section 2.1; strictly a cube).

    Parameters
    ----------
    params : torch.Tensor
        (n, P) references.
    radius : float
        ε.
    copies : int
        M, perturbed copies of each.
    seed, start : int
        As in :func:`initial`.

    Returns
    -------
    torch.Tensor
        (n, 1 + M, P) float64, the reference first.

    Raises
    ------
    ValueError
        For ε that is not positive and finite, or copies that are no whole
        number of at least 1.
    """
    copies = _counted(copies, "copies")
    radius = positive(radius, "radius", "the perturbation radius ε")
    params = params.to(torch.float64)  # in single precision copies would be moved by rounding
    count, size = params.shape
    _counted(count, "count")
    start = whole(start, "start")
    if 8 * count * (1 + copies) * size > _memory():
        raise ValueError(
            f"copies = {copies:,}: with {count:,} references of {size:,} parameters, "
            "they exceed the machine's memory"
        )
    draws = [
        _generator(seed, start + i, _PERTURBATION).uniform(-radius, radius, (copies, size))
        for i in range(count)
    ]
    shift = torch.tensor(np.stack(draws), dtype=params.dtype, device=params.device)  # (n, M, P)
    return torch.cat([params[:, None], params[:, None] + shift], dim=1)  # (n, 1 + M, P)


def displacements(balls):
    """Where the copies of each reference lie from it, (n, M, P) for ``balls`` (n, 1 + M, P):
    initial tangent vectors.
    """
    return balls[:, 1:] - balls[:, :1]


def _generator(seed, index, stream):
    return np.random.default_rng([whole(seed, "seed"), int(index), stream])


#: What each scheme draws; the papers that use it.
SCHEMES = {
    "normal": "weights N(0, std²), biases 0 (D, J)",
    "normal-all": "weights and biases N(0, std²) (S)",
    "glorot": "weights U(−a, a) with a² = 6/(fan in + fan out), biases 0 (Glorot and Bengio, 2010; S)",
    "pytorch": "as every PyTorch layer draws its own: linear and convolutional weights and biases "
    "U(−a, a) with a² = 1/fan in (H), gains of normalisation 1, embeddings N(0, 1), …",
}

_RESETS = (nn.Linear.reset_parameters, nn.modules.conv._ConvNd.reset_parameters)


def initial_parameters(network, count, seed=0, scheme="normal", std=1.0, start=0, device="cpu"):
    """Independent initial conditions, (n, P) float64, one stream of random numbers for each.

    They are drawn on the processor, whatever the device, and the global state of PyTorch's
    random numbers stays as it was.

    With ``"pytorch"`` a module whose parameters are all weights and biases of linear or
    convolutional layers has them from the widths of :func:`half_widths`.  In any other module
    every submodule that has ``reset_parameters`` draws its own, children first, as at
    construction; weights under a parametrisation (``weight_norm``) are drawn and then assigned.
    Parameters of a submodule without it, such as an ``nn.Parameter`` of the module itself, keep
    the value they have in the module, in every initial condition alike, and what a constructor
    does to the layers it has made (``nn.init`` …) is not repeated.

    Parameters
    ----------
    network : MLP or ModuleNetwork
    count, seed, start, device
        As in :func:`netdyn_lib.tasks.networks.initial`.
    scheme : str
        One of :data:`SCHEMES`.
    std : float
        Standard deviation, of the normal schemes.

    Raises
    ------
    ValueError
        For an unknown scheme; for ``"pytorch"`` and a module of which no submodule draws
        anything, or one draws only some of its own parameters; as
        :func:`netdyn_lib.tasks.networks.initial`.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"unknown initialisation {scheme!r}; known: {', '.join(SCHEMES)}")
    if scheme == "normal":
        return initial(network, count, seed, std, start, device)
    network = getattr(network, "mlp", network)  # of networks.AutomaticMLP
    first, seed = whole(start, "start"), whole(seed, "seed")
    indices = range(first, first + counted(count, network))
    streams = (np.random.default_rng([seed, index, 0]) for index in indices)
    if scheme == "normal-all":
        std = positive(std, "std", "the spread of the initial parameters")
        rows = [std * stream.standard_normal(network.count) for stream in streams]
    elif scheme == "pytorch" and not _has_widths(network):
        rows = [_drawn_by_layers(network, int(stream.integers(2**63))) for stream in streams]
    else:
        width = half_widths(network, scheme)
        rows = [width * stream.uniform(-1, 1, network.count) for stream in streams]
    return torch.tensor(np.stack(rows), dtype=torch.float64, device=device)


def _has_widths(network):
    """Whether all parameters are weights and biases of linear and convolutional layers."""
    if not isinstance(network, ModuleNetwork):
        return True
    for part in network._module.modules():
        own = {name for name, p in part.named_parameters(recurse=False) if p.requires_grad}
        known = getattr(type(part), "reset_parameters", None) in _RESETS
        if own and not (known and own <= {"weight", "bias"}):
            return False
    return True


def _drawn_by_layers(network, seed):
    """Parameters (P,) of a ModuleNetwork after every submodule has reset its own."""
    module = copy.deepcopy(network._module).to("cpu", torch.float64)
    own = {name: p for name, p in module.named_parameters() if p.requires_grad}
    given = {name: p.detach().clone() for name, p in own.items()}
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs, too
        for p in own.values():
            p.fill_(math.nan)  # so that what is not drawn can be told from what is
        module.apply(_reset)
        if all(p.isnan().all() for p in own.values()):
            raise ValueError(
                f"no part of {type(module).__name__} draws its parameters (reset_parameters), so "
                "'pytorch' does not say how: give your own initial conditions"
            )
        drawn = [torch.where(own[k].isnan(), given[k], own[k]).flatten() for k in network.shapes]
    return torch.cat(drawn).numpy()


def _reset(part):
    """Let one module draw its own parameters, where it can."""
    # Attention and nn.Transformer call it _reset_parameters.
    reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
    if reset is None:
        return
    with parametrize.cached():
        reset()
        if parametrize.is_parametrized(part):
            for name in part.parametrizations:
                setattr(part, name, getattr(part, name).clone())
    for name, p in part.named_parameters(recurse=False):
        if p.numel() and p.isnan().all():
            raise ValueError(
                f"{type(part).__name__} draws its parameters but not {name!r}, so 'pytorch' does "
                "not say how: give your own initial conditions"
            )


def half_widths(network, scheme):
    """Half the width a of every parameter's uniform distribution, (P,); 0 for parameters that start
    at 0.

    ``scheme`` is ``"glorot"`` or ``"pytorch"``.  A module's bias takes the fan
    of the weight in the same layer; raises ValueError for one that has none.
    """
    glorot = scheme == "glorot"
    widths = []
    if isinstance(network, MLP):
        for units, columns in network.shapes:
            layer = np.full((units, columns), _width(columns - 1, units, glorot))
            layer[:, -1] *= not glorot
            widths.append(layer.ravel())
        return np.concatenate(widths)
    shapes = network.shapes
    for name, shape in shapes.items():
        weight = name if len(shape) > 1 else f"{name.rpartition('.')[0]}.weight".removeprefix(".")
        if len(shapes.get(weight, ())) < 2:
            raise ValueError(
                f"{name!r} has no weight beside it, so {scheme!r} does not say how to draw it: give your own initial conditions"
            )
        fan_in, fan_out = (
            math.prod(shapes[weight][1:]),
            shapes[weight][0] * math.prod(shapes[weight][2:]),
        )
        zero = glorot and len(shape) == 1
        widths.append(np.full(math.prod(shape), 0.0 if zero else _width(fan_in, fan_out, glorot)))
    return np.concatenate(widths)


def _width(fan_in, fan_out, glorot):
    return math.sqrt(6 / (fan_in + fan_out) if glorot else 1 / fan_in)
