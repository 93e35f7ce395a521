"""Kantz's exponent of series of 20,000 beside nolds' ``lyap_r`` (Rosenstein), on maps whose
exponents are known.

Both embed in the same dimension with the same Theiler window, take every point as a reference,
follow as many neighbours and fit the same steps by least squares: n = 1 to 6, before nearest
neighbours of so long a series have grown to its size.  nolds has one neighbour; what ours finds
with 10, its default, which start farther apart and so reach the size of the attractor sooner, and
what nolds finds by its defaults is told beside.
"""

import math
import warnings

import numpy as np

from netdyn_lib.experiments.benchmarks import Row
from netdyn_lib.series import kantz

from . import rivals
from .measuring import agree, beside

LENGTH, FIRST, LAST, THEILER, ROUNDS = 20_000, 1, 6, 10, 3
GOAL = 5


def logistic(length=LENGTH, r=4.0, transient=1000):
    """An orbit of x ↦ r x (1 − x)."""
    values = np.empty(transient + length)
    values[0] = 0.3
    for t in range(1, len(values)):
        values[t] = r * values[t - 1] * (1 - values[t - 1])
    return values[transient:]


def henon(length=LENGTH, transient=1000):
    """x of an orbit of the Hénon map, a = 1.4, b = 0.3."""
    x, y, values = 0.1, 0.1, np.empty(transient + length)
    for t in range(len(values)):
        values[t], x, y = x, 1 - 1.4 * x * x + y, 0.3 * x
    return values[transient:]


#: Name, series, largest exponent, embedding dimension.
MAPS = (("logistic map, r = 4", logistic, math.log(2), 1), ("Hénon map", henon, 0.41922, 2))


def ours(series, dimension, neighbours=1):
    """Mean slope over all points as references."""
    known = dict(references=len(series), dimension=dimension, theiler=THEILER, steps=LAST)
    found = kantz.divergence(series, neighbours=neighbours, **known)
    return float(np.nanmean(kantz.expansion(found.log_curves, FIRST, LAST).slope))


def theirs(nolds, series, dimension):
    """The slope by nolds, over the same steps."""
    known = dict(emb_dim=dimension, lag=1, min_tsep=THEILER, trajectory_len=LAST + 1)
    return float(nolds.lyap_r(series, fit="poly", fit_offset=FIRST, **known))


def main(keep=print):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pkg_resources
        nolds = rivals.get("nolds")
    if nolds is None:
        return
    for name, make, known, dimension in MAPS:
        series = make()
        ours(series[:2000], dimension)
        theirs(nolds, series[:2000], dimension)
        calls = {
            "ours": lambda: ours(series, dimension),
            "theirs": lambda: theirs(nolds, series, dimension),
        }
        seconds, values = beside(calls, ROUNDS, warm=False)
        agree(abs(values["ours"] - known), 0.05, name)
        np.random.seed(0)  # nolds fits lines to random subsets by default
        default = nolds.lyap_r(series)
        said = (
            f"known {known:.5f}; ours off by {values['ours'] - known:+.5f} "
            f"(with 10 neighbours by {ours(series, dimension, 10) - known:+.5f}), "
            f"nolds by {values['theirs'] - known:+.5f} "
            f"(by its defaults by {default - known:+.5f})"
        )
        work = f"Exponent of a series by its neighbours, {name}, {LENGTH:,} values"
        work, rival = f"{work}, all of them references", "nolds lyap_r, same embedding, neighbour"
        rival, words = f"{rival} and steps", dict(accuracy=said, group="series")
        keep(Row(work, rival, *seconds.values(), "s", GOAL, **words))
