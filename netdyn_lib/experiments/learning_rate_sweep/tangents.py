"""The tangent rule over a sweep's learning rates: exponents without a window."""

from ... import lyapunov
from ...lyapunov import growth_fits
from ...tasks import networks
from ...training import gradient_descent
from . import responses


def exponents(task, rates, conditions, copies=1, epochs=100, radius=1e-8, seed=0):
    """λ and p by the tangent rule at several learning rates.

    Tangent vectors start along the displacements of perturbed copies, so that
    they are the linear counterpart of the same ε-balls; see
    :func:`netdyn_lib.lyapunov.growth_fits.tangent`.  Of so few initial conditions as this
    usually takes, intervals are wide.

    Parameters
    ----------
    task : Task
        With a multilayer perceptron, whose products are in closed form.
    rates : sequence of float
    conditions, copies : int
        Initial conditions, and tangent vectors of each.
    epochs : int

    Returns
    -------
    netdyn_lib.experiments.learning_rate_sweep.responses.Exponents
        p is the share with Λ > 0.05.
    """
    start = task.initial(conditions, seed, device=task.x.device)
    directions = networks.displacements(networks.perturbed(start, radius, copies, seed))
    rows = []
    for rate in rates:
        product = gradient_descent.GradientDescent(task, rate).product
        # (T, n)
        grown = lyapunov.mean_growth(
            lyapunov.growth(product, start, directions, epochs, order=1, workers=2)
        )
        fit = growth_fits.tangent(grown)
        rows.append(responses.row(fit.slope, fit.kept(), seed, fit.rule, fit.reason))
    return responses.collect(rows, rates)
