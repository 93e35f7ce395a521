"""Networks as points of R^P, initial conditions, and ε-balls around them.

A network is a function of a flat vector of P parameters.  An ensemble is a tensor with the
parameters last: (n, P) for n initial conditions, (n, 1 + M, P) for n references, each followed by
its M perturbed copies.
"""

import copy
import math
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_leaves

from ..validation import positive, whole

# Streams of random numbers of one initial condition.
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
    function: Callable
    into: Callable
    pullback: Callable
    bend: Callable
    module: type[nn.Module]
    bends: bool = True


_aten = torch.ops.aten
ACTIVATIONS = {
    a.name: a
    for a in (
        Activation(
            *("sigmoid", torch.sigmoid, lambda z, a: torch.sigmoid(z, out=a)),
            *(_aten.sigmoid_backward, lambda a: 1 - 2 * a, nn.Sigmoid),
        ),
        Activation(
            *("tanh", torch.tanh, lambda z, a: torch.tanh(z, out=a)),
            *(_aten.tanh_backward, lambda a: -2 * a, nn.Tanh),
        ),
        Activation(
            *("relu", torch.relu, lambda z, a: torch.clamp(z, min=0, out=a)),
            lambda g, a, grad_input=None: torch.mul(g, a > 0, out=grad_input),
            *(torch.zeros_like, nn.ReLU, False),
        ),
    )
}


class MLP:
    """Multilayer perceptron with a linear output, as a function of its flat parameters.

    The parameters of a unit lie together, its incoming weights and then its bias, so that a layer
    is one matrix of shape (units, inputs + 1) acting on inputs with a 1 appended.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, inputs first: (4, 10, 3) is the papers' network for Iris.
    activation : {"sigmoid", "tanh", "relu"}
        Of the hidden layers.

    >>> MLP((4, 10, 3)).count
    83
    """

    coupled = False  # whether samples see each other

    def __init__(self, sizes: Sequence[int], activation: str = "sigmoid"):
        self.sizes = tuple(whole(s, "units of a layer", 1) for s in sizes)
        if len(self.sizes) < 2:
            raise ValueError(
                f"sizes {self.sizes}: a network needs an input and an output layer, "
                "each of at least 1 unit"
            )
        if activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
        self.activation = ACTIVATIONS[activation]
        self.shapes = [(out, inn + 1) for inn, out in zip(self.sizes[:-1], self.sizes[1:])]
        ends = np.cumsum([0] + [math.prod(s) for s in self.shapes]).tolist()
        self.slices = [slice(a, b) for a, b in zip(ends[:-1], ends[1:])]
        self.count = ends[-1]

    def __repr__(self):
        return f"MLP({'-'.join(map(str, self.sizes))}, {self.activation.name})"

    @property
    def layout(self) -> tuple[str, ...]:
        """Names of the P parameters in order: ``W1[unit,input]``, ``b1[unit]``, …"""
        names = []
        for layer, (out, inn) in enumerate(self.shapes, start=1):
            for unit in range(out):
                names += [f"W{layer}[{unit},{k}]" for k in range(inn - 1)] + [f"b{layer}[{unit}]"]
        return tuple(names)

    @property
    def is_weight(self) -> np.ndarray:
        """Which of the P parameters are weights (the others are biases); (P,) bool."""
        return np.array([name[0] == "W" for name in self.layout])

    def matrices(self, params: torch.Tensor) -> list[torch.Tensor]:
        """Return layers, the bias as last column: views (…, units, inputs + 1) of (…, P)."""
        return [params[..., s].unflatten(-1, shape) for s, shape in zip(self.slices, self.shapes)]

    def unpack(self, params: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return weights (…, units, inputs) and biases (…, units) of layers, views of (…, P)."""
        return [(m[..., :-1], m[..., -1]) for m in self.matrices(params)]

    def activations(self, params: torch.Tensor, x: torch.Tensor) -> list[torch.Tensor]:
        """Return outputs (…, N, units) of every layer for ``params`` (…, P) and ``x`` (N, d)."""
        layers, values = self.unpack(params), []
        for k, (w, b) in enumerate(layers):
            x = x @ w.transpose(-1, -2) + b.unsqueeze(-2)
            if k < len(layers) - 1:
                x = self.activation.function(x)
            values.append(x)
        return values

    def hidden(self, params: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return values of the last hidden layer, (…, N, units)."""
        return self.activations(params, x)[-2]

    def forward(self, params: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return outputs (…, N, C) of the networks ``params`` (…, P) on ``x`` (N, d)."""
        return self.activations(params, x)[-1]

    outputs = forward

    def to(self, device, dtype=None) -> "MLP":
        """Return the network itself: it holds no tensors."""
        return self

    def module(self, params: torch.Tensor | None = None) -> nn.Sequential:
        """Return the network as an :class:`torch.nn.Sequential`, with ``params`` (P,) if given."""
        layers: list[nn.Module] = []
        for inn, out in zip(self.sizes[:-1], self.sizes[1:]):
            layers += [nn.Linear(inn, out, dtype=torch.float64), self.activation.module()]
        module = nn.Sequential(*layers[:-1])
        if params is not None:
            parts = [part for pair in self.unpack(params) for part in pair]
            with torch.no_grad():
                for held, given in zip(module.parameters(), parts):
                    held.copy_(given)
        return module


class ModuleNetwork:
    """Any :class:`torch.nn.Module` as a function of its flat parameters.

    A copy of the module in float64 is kept, ``template``, which is never called; the module itself
    is not changed.  It maps (N, …) inputs to (N, C) outputs.  Parameters are flattened in the
    module's own order; those of two or more dimensions count as weights, the others as biases.

    ``coupled`` says whether samples see each other, as under the statistics of a batch: then they
    cannot be taken in blocks. It is found where a task is made, with that task's samples
    (:mod:`netdyn_lib.tasks.probe`), and so is whether the module is random or remembers.

    Raises ValueError for a module without trainable parameters, whose parameters have no size yet,
    that holds complex numbers, was made by TorchScript, or cannot be copied.
    """

    def __init__(self, module: nn.Module):
        _check_module(module)
        self.template = module = copied(module).to(torch.float64)
        self.coupled = False
        self.shapes = {k: p.shape for k, p in module.named_parameters() if p.requires_grad}
        if not self.shapes:
            raise ValueError(f"{type(module).__name__} has no trainable parameter")
        self.count = sum(s.numel() for s in self.shapes.values())
        # ways of differentiation that were found right: netdyn_lib.tasks.gradients.ways
        self.ways: list[tuple] = []
        self._live, self._stacks = threading.local(), None

    def __repr__(self):
        return f"ModuleNetwork({type(self.template).__name__}, {self.count} parameters)"

    @property
    def layout(self) -> tuple[str, ...]:
        """Names of the P parameters in order: ``name[index]``."""
        return tuple(
            f"{name}[{','.join(map(str, i))}]"
            for name, s in self.shapes.items()
            for i in np.ndindex(*s)
        )

    @property
    def is_weight(self) -> np.ndarray:
        """Which of the P parameters are weights (the others are biases); (P,) bool."""
        return np.concatenate([np.full(s.numel(), len(s) > 1) for s in self.shapes.values()])

    @property
    def own(self) -> torch.Tensor:
        """The module's own parameters, (P,)."""
        trained = (p for p in self.template.parameters() if p.requires_grad)
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

    def to(self, device, dtype=None) -> "ModuleNetwork":
        """Return the network with its frozen parameters and buffers on a device, of a type."""
        moved = copy.copy(self)
        moved.template = copy.deepcopy(self.template).to(device, dtype)
        return moved

    def unpack(self, params: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return parameters by name: views of ``params`` (P,)."""
        parts = params.split([s.numel() for s in self.shapes.values()])
        return {name: part.view(s) for (name, s), part in zip(self.shapes.items(), parts)}

    def forward(self, params: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return outputs (N, C) of one network ``params`` (P,) on ``x`` (N, …)."""
        if not hasattr(self._live, "module"):
            # A call lends it its parameters, so each thread has one.  What is not trained is the
            # template's: a copy that is made within a transform would die with it.
            self._live.module = copied(self.template, shared=True)
        return functional_call(self._live.module, self.unpack(params), (x,))

    def some(self, count: int) -> slice:
        """Return the first samples, to try something on: all where they see each other."""
        return slice(None if self.coupled else count)

    def outputs(self, params: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return outputs (E, N, C) of stacked networks ``params`` (E, P) on ``x`` (N, …).

        One network after another where ``vmap`` cannot follow the module, or is wrong.
        """
        stacked = vmap(self.forward, in_dims=(0, None))
        if self._stacks is None:
            self._stacks = self._stacks_rightly(stacked, x[self.some(_TRIED)])
        return stacked(params, x) if self._stacks else self._one_by_one(params, x)

    def _one_by_one(self, params, x):
        return torch.stack([self.forward(row, x) for row in params])

    def _stacks_rightly(self, stacked, x):
        rows = self.own.to(x.device) * torch.tensor([[1.0], [1.1]]).to(self.own)
        try:
            found = stacked(rows, x)
        except Exception:  # whatever vmap cannot follow
            return False
        return torch.allclose(found, self._one_by_one(rows, x), equal_nan=True)


def _check_module(module):
    name = type(module).__name__
    if not isinstance(module, nn.Module):
        raise ValueError(f"{module!r:.80} is no torch.nn.Module: give one, made from its class")
    if any(isinstance(part, torch.jit.ScriptModule) for part in module.modules()):
        raise ValueError(
            f"{name} holds a module of TorchScript, whose parameters cannot be exchanged: "
            "give the module it was made from"
        )
    for part, tensor in [*module.named_parameters(), *module.named_buffers()]:
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
        if isinstance(tensor, nn.Parameter) and tensor._backward_hooks:
            raise ValueError(
                f"{part!r} of {name} has a hook that changes its gradient, which a copy of the "
                "module would lose: scale or clip in forward, or take the hook off"
            )


class AutomaticMLP(ModuleNetwork):
    """An :class:`MLP` whose derivatives are automatic, for a loss that has no closed form.

    The P parameters are those of the MLP, in the same order.

    >>> AutomaticMLP(MLP((4, 10, 3))).layout == MLP((4, 10, 3)).layout
    True
    """

    def __init__(self, mlp: MLP):
        super().__init__(_Layers(mlp))
        self.mlp = mlp

    def __repr__(self):
        return f"Automatic{self.mlp!r}"

    @property
    def layout(self) -> tuple[str, ...]:
        """Names of the P parameters in order, as the MLP has them."""
        return self.mlp.layout

    @property
    def is_weight(self) -> np.ndarray:
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


def copied(module: nn.Module, shared: bool = False) -> nn.Module:
    """Return a copy of a module, also of one that keeps tensors of its last call, as hooks do.

    These belong to a graph of derivatives, for which ``copy.deepcopy`` fails; their values are
    copied. A ``shared`` copy has all tensors of the module itself.
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


#: What each scheme draws; the papers that use it.
SCHEMES = {
    "normal": "weights N(0, std²), biases 0 (Danovski 2024, Jiménez-González 2025)",
    "normal-all": "weights and biases N(0, std²) (Sharafi 2024)",
    "glorot": "weights U(−a, a) with a² = 6/(fan in + fan out), biases 0 "
    "(Glorot and Bengio, 2010; Sharafi 2024)",
    "pytorch": "as every PyTorch layer draws its own: linear and convolutional weights and biases "
    "U(−a, a) with a² = 1/fan in (Herrmann 2022), gains of normalisation 1, embeddings N(0, 1), …",
}


@dataclass(frozen=True)
class Scheme:
    """From which distribution initial parameters come: ``name``, and ``std`` of the normal ones."""

    name: str = "normal"
    std: float = 1.0

    def __post_init__(self):
        if self.name not in SCHEMES:
            raise ValueError(f"unknown initialisation {self.name!r}; known: {', '.join(SCHEMES)}")
        positive(self.std, "std", "the spread of the initial weights")


def initial(network, count, seed=0, std=1.0, start=0, device="cpu") -> torch.Tensor:
    """Return ``count`` initial conditions, (n, P) float64: weights N(0, std²), biases zero.

    As :func:`initial_parameters` by the scheme "normal".
    """
    return initial_parameters(network, count, seed, Scheme("normal", std), start, device)


def initial_parameters(
    network,
    count: int,
    seed: int = 0,
    scheme: Scheme | str = "normal",
    start: int = 0,
    device="cpu",
) -> torch.Tensor:
    """Return ``count`` independent initial conditions, (n, P) float64.

    Each has its own stream of random numbers on the processor, so that condition i is the same in
    whatever batch, shard or device it appears: ``initial(net, 5, start=10)`` equals rows 10 to 14
    of ``initial(net, 15)``.  PyTorch's global state of random numbers stays as it was.

    With ``"pytorch"`` a module whose parameters are all weights and biases of linear or
    convolutional layers has them from the widths of :func:`half_widths`.  In any other module
    every submodule that has ``reset_parameters`` draws its own, children first, as at
    construction; weights under a parametrisation (``weight_norm``) are drawn and then assigned.
    Parameters of a submodule without it, such as an ``nn.Parameter`` of the module itself, keep
    the value they have in the module, in every initial condition alike, and what a constructor
    does to the layers it has made (``nn.init`` …) is not repeated.

    Raises ValueError for an ensemble beyond the machine's memory, and for ``"pytorch"`` and a
    module of which no submodule draws anything, or one draws only some of its own parameters.
    """
    scheme = scheme if isinstance(scheme, Scheme) else Scheme(scheme)
    network = getattr(network, "mlp", network)  # of AutomaticMLP
    first, seed = whole(start, "start"), whole(seed, "seed")
    indices = range(first, first + counted(count, network))
    streams = (np.random.default_rng([seed, index, _INITIAL]) for index in indices)
    if scheme.name.startswith("normal"):
        spread = scheme.std * (network.is_weight if scheme.name == "normal" else 1)
        rows = [spread * stream.standard_normal(network.count) for stream in streams]
    elif scheme.name == "pytorch" and not _has_widths(network):
        rows = [_drawn_by_layers(network, int(stream.integers(2**63))) for stream in streams]
    else:
        width = half_widths(network, scheme.name)
        rows = [width * stream.uniform(-1, 1, network.count) for stream in streams]
    return torch.tensor(np.stack(rows), dtype=torch.float64, device=device)


def perturbed(
    params: torch.Tensor, radius: float = 1e-8, copies: int = 5, seed: int = 0, start: int = 0
) -> torch.Tensor:
    """Return references (n, P) with ``copies`` from their ε-balls: (n, 1 + M, P), reference first.

    Every parameter of a copy is w + u with u ~ U(−ε, ε), independent (Danovski 2024, section 2.1;
    strictly a cube), ε = ``radius``.  ``seed`` and ``start`` as in :func:`initial_parameters`.
    """
    copies = whole(copies, "copies", 1, cause=_ONE)
    radius = positive(radius, "radius", "the perturbation radius ε")
    params = params.to(torch.float64)  # in single precision copies would be moved by rounding
    count, size = params.shape
    whole(count, "count", 1, cause=_ONE)
    seed, start = whole(seed, "seed"), whole(start, "start")
    if 8 * count * (1 + copies) * size > _memory():
        raise ValueError(
            f"copies = {copies:,}: with {count:,} references of {size:,} parameters, "
            "they exceed the machine's memory"
        )
    streams = (np.random.default_rng([seed, start + i, _PERTURBATION]) for i in range(count))
    shifts = np.stack([stream.uniform(-radius, radius, (copies, size)) for stream in streams])
    moved = params[:, None] + torch.from_numpy(shifts).to(params.device)  # (n, M, P)
    return torch.cat([params[:, None], moved], dim=1)


def displacements(balls: torch.Tensor) -> torch.Tensor:
    """Return where the copies lie from their reference, (n, M, P) for ``balls`` (n, 1 + M, P)."""
    return balls[:, 1:] - balls[:, :1]


_ONE = "an ensemble is of at least 1"


def counted(count: int, network) -> int:
    """Return a number of networks; ValueError below 1, and where they exceed the memory."""
    count = whole(count, "count", 1, cause=_ONE)
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


_RESETS = (nn.Linear.reset_parameters, nn.modules.conv._ConvNd.reset_parameters)


def _has_widths(network):
    """Whether all parameters are weights and biases of linear and convolutional layers."""
    if isinstance(network, MLP):
        return True
    for part in network.template.modules():
        own = {name for name, p in part.named_parameters(recurse=False) if p.requires_grad}
        known = getattr(type(part), "reset_parameters", None) in _RESETS
        if own and not (known and own <= {"weight", "bias"}):
            return False
    return True


def _drawn_by_layers(network, seed):
    """Parameters (P,) of a ModuleNetwork after every submodule has reset its own."""
    module = copy.deepcopy(network.template).to("cpu", torch.float64)
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


def half_widths(network, scheme: str) -> np.ndarray:
    """Return half the width a of every parameter's uniform distribution, (P,); 0 for a start at 0.

    ``scheme`` is ``"glorot"`` or ``"pytorch"``.  A module's bias takes the fan of the weight in the
    same layer; raises ValueError for one that has none.
    """
    glorot = scheme == "glorot"

    def width(fan_in, fan_out):
        return math.sqrt(6 / (fan_in + fan_out) if glorot else 1 / fan_in)

    widths = []
    if isinstance(network, MLP):
        for units, columns in network.shapes:
            layer = np.full((units, columns), width(columns - 1, units))
            layer[:, -1] *= not glorot
            widths.append(layer.ravel())
        return np.concatenate(widths)
    for name, shape in network.shapes.items():
        weight = name if len(shape) > 1 else f"{name.rpartition('.')[0]}.weight".removeprefix(".")
        kernel = network.shapes.get(weight, ())
        if len(kernel) < 2:
            raise ValueError(
                f"{name!r} has no weight beside it, so {scheme!r} does not say how to draw it: "
                "give your own initial conditions"
            )
        fan_in, fan_out = math.prod(kernel[1:]), kernel[0] * math.prod(kernel[2:])
        zero = glorot and len(shape) == 1
        widths.append(np.full(math.prod(shape), 0.0 if zero else width(fan_in, fan_out)))
    return np.concatenate(widths)
