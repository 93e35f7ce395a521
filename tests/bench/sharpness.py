"""Sharpness of one network to a given error: Lanczos on our Hessian–vector products beside
PyHessian's power iteration.

784-64-10, tanh, on 6,000 images, float64, at η = 1: initial weights, and weights after 50 and 500
epochs; times are of all three.  Ours ends by its own criterion, with the error asked for.  The
rival's looks at the change from one product to the next, and ends before its error is that small;
so it is told, from a run before, after which product its value is first within the error for good.
The error of both is against Lanczos at a residual of 1e-12.  The samples are brought into the order
of :mod:`netdyn_lib.training.blocked` once for all products with them; the time of that is told, not
counted.
"""

import sys
from contextlib import suppress
from unittest import mock

import numpy as np
import torch

from netdyn_lib.curvature import hessian, lanczos
from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.training import blocked, gradient_descent

from . import profiles, rivals
from .images import double, small
from .measuring import agree, beside, timed

EPOCHS, RATE, MOST, ROUNDS = (0, 50, 500), 1.0, 1000, 5
GOALS = {1e-3: 2, 1e-6: 5, 1e-9: 10}  # error → times as fast


def ours(task, params, **options):
    """Largest eigenvalue by Lanczos."""
    return lanczos.lanczos(hessian.operator(task, params), len(params), most=MOST, **options)


def pyhessian(module, task, params, most):
    """Eigenvalue largest in magnitude, by PyHessian, of a ``nn.Module`` with these weights, after
    so many products.
    """
    torch.manual_seed(0)
    found = module.hessian(
        task.network.module(params), torch.nn.CrossEntropyLoss(), data=(task.x, task.y), cuda=False
    )
    return found.eigenvalues(maxIter=most, tol=0, top_n=1)[0][0]


class Enough(Exception):
    """The rival is within every error for good."""


def errors(module, task, params, known):
    """The relative error of its value after every product, until it is below the least goal.

    Its vectors are short of unit length by 1e-6, so its own values never come closer; here they
    are divided by |v|².
    """
    source, seen = sys.modules[module.hessian.__module__], []
    product = source.group_product

    def noted(one, other):
        value = product(one, other)
        seen.append(abs(float(value / product(other, other)) / known - 1))
        if max(seen[-3:]) < min(GOALS):
            raise Enough
        return value

    with mock.patch.object(source, "group_product", noted), suppress(Enough):
        pyhessian(module, task, params, MOST)
    return np.array(seen)


def needed(errors, error):
    """The first product from which on no error is beyond ``error``."""
    beyond = np.flatnonzero(errors > error)
    first = int(beyond[-1]) + 2 if len(beyond) else 1
    if first > len(errors):
        raise RuntimeError(f"{len(errors)} products of the rival's are not within {error:g}")
    return first


def main(keep=print):
    module = rivals.get("pyhessian")
    if module is None:
        return
    task, name = small()
    ordering, _ = timed(blocked.Ordered, task, hessian.length(task, hessian.BLOCK))
    descent = gradient_descent.GradientDescent(task, RATE)
    run = gradient_descent.run(descent, task.initial(1), EPOCHS[-1], ("weights",), at=EPOCHS)
    states = torch.from_numpy(run["weights"][:, 0])
    known = np.array([ours(task, w, tolerance=1e-12).value for w in states])
    with double():
        off = [errors(module, task, w, k) for w, k in zip(states, known)]
        for error, goal in GOALS.items():
            most = [needed(one, error) for one in off]
            seconds, found = beside(
                {
                    "ours": lambda e=error: [ours(task, w, error=e) for w in states],
                    "theirs": lambda n=most: [
                        pyhessian(module, task, w, k) for w, k in zip(states, n)
                    ],
                },
                ROUNDS,
            )
            mine = max(abs(np.array([pair.value for pair in found["ours"]]) / known - 1))
            theirs = max(one[k - 1] for one, k in zip(off, most))
            agree(max(mine, theirs), error, f"sharpness to {error:g}")
            spent = ", ".join(str(pair.products) for pair in found["ours"])
            keep(
                Row(
                    f"Sharpness to {error:g}, {name}, after {', '.join(map(str, EPOCHS))} epochs",
                    "PyHessian, power iteration, stopped once within the error",
                    *(seconds["ours"], seconds["theirs"]),
                    "s",
                    goal,
                    accuracy=f"{spent} products, off by {mine:.0e}; PyHessian's "
                    f"{', '.join(map(str, most))}, off by {theirs:.0e}; "
                    f"samples ordered once, for {ordering:.1f} s, not counted",
                    group="sharpness",
                    limit=profiles.alone(lambda e=error: ours(task, states[0], error=e)),
                )
            )
