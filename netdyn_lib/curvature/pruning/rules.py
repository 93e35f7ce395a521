"""Which eigendirections are taken out of a gradient, and the gradient without them."""

from dataclasses import dataclass

import numpy as np
import torch

from ...validation import whole
from .. import batch_hessian

_STREAM = 1  # of random numbers drawn at a step: [seed, step, 1]


@dataclass(frozen=True)
class Rule:
    """Which eigendirections to take out of a gradient.

    Parameters
    ----------
    which : {"none", "chaotic", "negative", "positive", "all"}
        A class of :func:`netdyn_lib.curvature.batch_hessian.classes`; ``"all"`` are those that are
        not neutral.
    count : int, optional
        Of these at most so many: the largest in magnitude.
    chosen : {"magnitude", "random"}
        ``"random"`` takes any ``count`` of them.
    elsewhere : bool
        In their place a subspace of as many dimensions, uniformly random in the span of all
        eigenvectors that are not neutral: the control for their number (:func:`elsewhere`).
    restore : bool
        Scale what is left to the length of the whole gradient: the control for
        the lost length.  Where nothing is left (to 1e-12 of it), descent stands still.

    Raises
    ------
    ValueError
        For an unknown class or choice, or a count below 1.
    """

    which: str = "none"
    count: int | None = None
    chosen: str = "magnitude"
    elsewhere: bool = False
    restore: bool = False

    def __post_init__(self):
        if self.which not in ("none", "chaotic", "negative", "positive", "all"):
            raise ValueError(
                f"which = {self.which!r}: must be none, chaotic, negative, positive or all"
            )
        if self.chosen not in ("magnitude", "random"):
            raise ValueError(f"chosen = {self.chosen!r}: must be magnitude or random")
        if self.count is not None:
            whole(self.count, "count", 1, cause="to prune nothing take the rule none")

    def mask(self, values, learning_rate, rng):
        """Which eigenvalues (m,) are pruned, or how many directions elsewhere, (m,) bool."""
        if self.which == "none":
            return np.zeros(len(values), dtype=bool)
        known = batch_hessian.classes(values, learning_rate)
        mask = ~known.neutral if self.which == "all" else getattr(known, self.which).copy()
        if self.count is not None:
            places = np.flatnonzero(mask)
            order = (
                np.argsort(-np.abs(values[places]), kind="stable")
                if self.chosen == "magnitude"
                else rng.permutation(len(places))
            )
            mask[places[order[self.count :]]] = False
        return mask


#: Rules by name: the paper's, and the controls it lacks.
RULES = {name: Rule(name) for name in ("none", "chaotic", "negative", "positive")} | {
    "negative-norm": Rule("negative", restore=True),
    "positive-norm": Rule("positive", restore=True),
    "random-same": Rule("negative", elsewhere=True),
    "random-same-norm": Rule("negative", elsewhere=True, restore=True),
    "random-same-positive": Rule("positive", elsewhere=True),
}


def named(rule):
    """A :class:`Rule` itself, or by its name in :data:`RULES`.

    Raises ValueError for an unknown name; the message lists the known.
    """
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; known: {', '.join(RULES)}, or a pruning.Rule")
    return RULES[rule]


def stream(seed, step):
    """The random numbers of one step, a :class:`numpy.random.Generator`."""
    return np.random.default_rng([seed, step, _STREAM])


@torch.no_grad()
def pruned(gradient, spectrum, learning_rate, rule="chaotic", rng=None):
    """A gradient without the directions that a rule prunes: (P,) for ``gradient`` (P,).

    ``spectrum`` is a :class:`~netdyn_lib.curvature.batch_hessian.LowRank`, ``learning_rate`` γ
    decides what is chaotic, and ``rng`` is a :class:`numpy.random.Generator`, for rules that draw.
    The pruned part is subtracted, so all else stays to the last bits.
    """
    rule = named(rule)
    if rng is None and (rule.elsewhere or (rule.chosen == "random" and rule.count is not None)):
        raise ValueError(f"{rule} draws random numbers: give rng, a numpy.random.Generator")
    mask = rule.mask(spectrum.values, learning_rate, rng)
    if not mask.any():
        return gradient
    coefficients = spectrum.project(gradient)  # (m,)
    if rule.elsewhere:
        live = torch.from_numpy(~batch_hessian.classes(spectrum.values, learning_rate).neutral).to(
            coefficients.device
        )
        normal = spectrum.project(
            torch.from_numpy(rng.standard_normal(len(gradient))).to(coefficients)
        )
        removed = torch.zeros_like(coefficients)
        removed[live] = elsewhere(coefficients[live], int(mask.sum()), normal[live], rng)
    else:
        removed = coefficients * torch.from_numpy(mask).to(coefficients)
    left = gradient - spectrum.expand(removed).to(gradient)
    if rule.restore:
        whole_norm, norm = gradient.norm(), left.norm()
        left = left * (whole_norm / norm) if norm > 1e-12 * whole_norm else torch.zeros_like(left)
    return left


def elsewhere(coefficients, count, normal, rng):
    """The part of a vector c (n,) in a uniformly random subspace of ``count`` = k of its n
    dimensions, without forming the subspace.

    The share b of |c|² there has the Beta distribution of k/2 and (n − k)/2, for the subspace may
    be held and c turned instead, and
    |Pc|² of a Gaussian c is a sum of k of n squares.  As ⟨c, Pc⟩ = |Pc|², Pc = b c + √(b(1 − b)) |c| u with a unit vector u
    orthogonal to c, uniform by symmetry; it is ``normal`` (n,), standard Gaussian, less its part
    along c. Where the coefficients are along eigenvectors, whose signs are any, a ``normal`` that
    is projected on them makes the vector itself the same on every machine.  ``rng`` draws b.
    """
    n, length = len(coefficients), coefficients.norm()
    if count >= n or length == 0:
        return coefficients
    share = rng.beta(count / 2, (n - count) / 2)
    unit = coefficients / length
    across = normal - (normal @ unit) * unit
    return share * coefficients + (share * (1 - share)) ** 0.5 * length * across / across.norm()
