"""Initial conditions of networks: from which distribution the papers draw their parameters."""

import math

import numpy as np
import torch

from . import networks
from .checks import positive, whole

#: What each scheme draws; the papers that use it.
SCHEMES = {
    "normal": "weights N(0, std²), biases 0 (D, J)",
    "normal-all": "weights and biases N(0, std²) (S)",
    "glorot": "weights U(−a, a) with a² = 6/(fan in + fan out), biases 0 (Glorot and Bengio, 2010; S)",
    "pytorch": "weights and biases U(−a, a) with a² = 1/fan in, as a PyTorch layer draws its own (H)",
}


def initial(network, count, seed=0, scheme="normal", std=1.0, start=0, device="cpu"):
    """Independent initial conditions, (n, P) float64, one stream of random numbers for each.

    Parameters
    ----------
    network : MLP or ModuleNetwork
    count, seed, start, device
        As in :func:`netdyn_lib.networks.initial`.
    scheme : str
        One of :data:`SCHEMES`.
    std : float
        Standard deviation, of the normal schemes.

    Raises
    ------
    ValueError
        For an unknown scheme; as :func:`netdyn_lib.networks.initial`.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"unknown initialisation {scheme!r}; known: {', '.join(SCHEMES)}")
    if scheme == "normal":
        return networks.initial(network, count, seed, std, start, device)
    if scheme == "normal-all":
        std, width = positive(std, "std", "the spread of the initial parameters"), None
    else:
        width = half_widths(network, scheme)
    rows = []
    for index in range(whole(start, "start"), start + networks.counted(count, network)):
        draw = np.random.default_rng([whole(seed, "seed"), index, 0])
        rows.append(std * draw.standard_normal(network.count) if width is None else width * draw.uniform(-1, 1, network.count))
    return torch.tensor(np.stack(rows), dtype=torch.float64, device=device)


def half_widths(network, scheme):
    """Half the width a of every parameter's uniform distribution, (P,); 0 for parameters that start at 0.

    ``scheme`` is ``"glorot"`` or ``"pytorch"``.  A module's bias takes the fan
    of the weight in the same layer; raises ValueError for one that has none.
    """
    glorot = scheme == "glorot"
    widths = []
    network = getattr(network, "mlp", network)
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
            raise ValueError(f"{name!r} has no weight beside it, so {scheme!r} does not say how to draw it: give your own initial conditions")
        fan_in, fan_out = math.prod(shapes[weight][1:]), shapes[weight][0] * math.prod(shapes[weight][2:])
        zero = glorot and len(shape) == 1
        widths.append(np.full(math.prod(shape), 0.0 if zero else _width(fan_in, fan_out, glorot)))
    return np.concatenate(widths)


def _width(fan_in, fan_out, glorot):
    return math.sqrt(6 / (fan_in + fan_out) if glorot else 1 / fan_in)
