"""Initial conditions of networks: from which distribution the papers draw their parameters."""

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from ..validation import positive, whole
from . import networks

#: What each scheme draws; the papers that use it.
SCHEMES = {
    "normal": "weights N(0, std²), biases 0 (D, J)",
    "normal-all": "weights and biases N(0, std²) (S)",
    "glorot": "weights U(−a, a) with a² = 6/(fan in + fan out), biases 0 (Glorot and Bengio, 2010; S)",
    "pytorch": "as every PyTorch layer draws its own: linear and convolutional weights and biases "
    "U(−a, a) with a² = 1/fan in (H), gains of normalisation 1, embeddings N(0, 1), …",
}

_RESETS = (nn.Linear.reset_parameters, nn.modules.conv._ConvNd.reset_parameters)


def initial(network, count, seed=0, scheme="normal", std=1.0, start=0, device="cpu"):
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
        return networks.initial(network, count, seed, std, start, device)
    network = getattr(network, "mlp", network)  # of networks.AutomaticMLP
    first, seed = whole(start, "start"), whole(seed, "seed")
    indices = range(first, first + networks.counted(count, network))
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
    if not isinstance(network, networks.ModuleNetwork):
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
    if isinstance(network, networks.MLP):
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
