"""Sharpness of one network: Lanczos on our Hessian–vector products beside PyHessian's power
iteration.

784-64-10, tanh, on 6,000 images, initial weights and weights after 50 epochs at η = 1, float64; the
same relative tolerance, which each counts in its own way (ours on the residual of Lanczos,
PyHessian's on the change from one product to the next).  So the error of both against Lanczos at
1e-12 stands beside the times.  The samples are brought into the order of
:mod:`netdyn_lib.training.blocked` once for all products with them; the time of that is told, not
counted.
"""

import torch

from netdyn_lib.curvature import hessian, lanczos
from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.training import blocked, gradient_descent

from . import profiles, rivals
from .images import double, small
from .measuring import agree, beside, timed

EPOCHS, RATE, TOLERANCE, MOST, ROUNDS = 50, 1.0, 1e-3, 1000, 5
GOAL = 2


def ours(task, params, tolerance=TOLERANCE):
    """Largest eigenvalue by Lanczos."""
    operator = hessian.operator(task, params)
    return lanczos.lanczos(operator, len(params), tolerance=tolerance, most=MOST)


def pyhessian(module, task, params, most=MOST):
    """Eigenvalue largest in magnitude, by PyHessian, of a ``nn.Module`` with these weights."""
    torch.manual_seed(0)
    found = module.hessian(
        task.network.module(params), torch.nn.CrossEntropyLoss(), data=(task.x, task.y), cuda=False
    )
    return found.eigenvalues(maxIter=most, tol=TOLERANCE, top_n=1)[0][0]


def main(keep=print):
    module = rivals.get("pyhessian")
    if module is None:
        return
    task, name = small()
    ordering, _ = timed(blocked.Ordered, task, hessian.length(task, hessian.BLOCK))
    start = task.initial(1)
    late = gradient_descent.run(gradient_descent.GradientDescent(task, RATE), start, EPOCHS).final
    for when, params in (("at the start", start[0]), (f"after {EPOCHS} epochs", late[0])):
        known = ours(task, params, 1e-12).value
        calls = {
            "ours": lambda: ours(task, params),
            "theirs": lambda: pyhessian(module, task, params),
        }
        with double():
            seconds, found = beside(calls, ROUNDS)
        pair, value = found["ours"], found["theirs"]
        agree(abs(pair.value / known - 1), 10 * TOLERANCE, f"sharpness {when}")
        said = (
            f"ours off by {abs(pair.value / known - 1):.0e} with {pair.products} "
            f"products, PyHessian's by {abs(value / known - 1):.0e}; "
            f"samples ordered once, for {ordering:.1f} s, not counted"
        )
        limit = profiles.alone(lambda: ours(task, params))
        work = f"Sharpness {when}, {name}, Lanczos at tolerance {TOLERANCE:g}"
        rival, words = "PyHessian, power iteration at the same tolerance", dict(group="sharpness")
        keep(Row(work, rival, *seconds.values(), "s", GOAL, accuracy=said, limit=limit, **words))
