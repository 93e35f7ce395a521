"""Momentum and Adam as maps, for the tools that look at gradient descent.

    adam = Adam(task, learning_rate=0.01) record = run(adam, networks.perturbed(task.initial(10),
    1e-8, 2), 200, observe=("mean_distance",)) found = spectrum(adam, task.initial(1), 200,
    count=10)

An optimizer remembers more than the weights, so its step is no map of them.  It is one of an
extended *state*: (W, u) with the velocity u of momentum, and (W, m, s, t) with Adam's means m of
the gradient and s² = v of its square, and the number t of steps taken.  Distances are those of the
weights; tangent vectors and exponents are of the whole state.

Full batch, constant learning rate; one step is one epoch.  By mini-batches:
:mod:`netdyn_lib.curvature.jacobian`.

For a quadratic loss of curvature h, both are linear once Adam's v stands still, and oscillate with
growing amplitude beyond a sharpness that ``Momentum.threshold`` and ``Adam.threshold`` give (Cohen
et al., 2021 and arXiv:2207.14484).
"""

from .maps import Adam, Momentum
from .running import advance_of, beside_tangent, run, sharpness_along, spectrum, threshold_of

__all__ = [
    "Adam",
    "Momentum",
    "advance_of",
    "beside_tangent",
    "run",
    "sharpness_along",
    "spectrum",
    "threshold_of",
]
