"""How far apart two networks are that were drawn independently: the scale beside which twins
diverge.
"""

from dataclasses import dataclass

import numpy as np

from ...tasks import networks


@dataclass(frozen=True)
class Apart:
    """L2 distance of two independent initial conditions: ``rms`` √E‖ΔW‖², exact; ``mean`` E‖ΔW‖ and
    ``sd``, to second order.
    """

    rms: float
    mean: float
    sd: float


def independent(network, scheme="pytorch"):
    """Expected distance of two networks, each parameter uniform on (−a, a).

    E‖ΔW‖² = Σ 2 a²/3, twice the variance of each, and Var‖ΔW‖² = Σ (28/45) a⁴, from E Δ⁴ = (16/15)
    a⁴; then E‖ΔW‖ ≈ rms − Var/(8 rms³).  For PyTorch's default, a² = 1/fan in, each layer adds 2
    (fan in + 1) units/(3 fan in).

    H prints 6.38 for its network.  For 256-20-10 the distance is 4.515, and 4.511 for the 784-20-10
    of H's text; √2 times the latter is 6.380: as if each parameter's difference had four times its
    variance, not twice.

    ``scheme`` is one of the uniform :data:`netdyn_lib.tasks.networks.SCHEMES`, ``"pytorch"``
    or ``"glorot"``.

    >>> from netdyn_lib.tasks.networks import MLP
    >>> round(independent(MLP((256, 20, 10))).rms, 3), round(2**0.5 * independent(MLP((784, 20, 10))).rms, 3)
    (4.515, 6.38)
    """
    if scheme not in ("pytorch", "glorot"):
        raise ValueError(
            f"scheme = {scheme!r}: must be pytorch or glorot, whose parameters are uniform"
        )
    squares = networks.half_widths(network, scheme) ** 2
    total, variance = 2 / 3 * squares.sum(), 28 / 45 * (squares**2).sum()
    rms = np.sqrt(total)
    return Apart(
        float(rms), float(rms - variance / (8 * rms**3)), float(np.sqrt(variance) / (2 * rms))
    )
