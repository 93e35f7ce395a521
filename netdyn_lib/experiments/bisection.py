"""Where a share p(η) that need not be monotonic first reaches a level: bisection in ln η.

>>> found = bisect(lambda rate: float(rate > 2), 0.1, 10, tolerance=1.01)
>>> round(found.high, 1), found.monotonic
(2.0, True)
"""

import math
from dataclasses import dataclass

from ..validation import positive, real, whole


@dataclass(frozen=True)
class Bracket:
    """Where a share p(η) reaches a level: p(``low``) < level ≤ p(``high``).

    ``rates`` and ``shares`` are all that was probed, in order of η; ``converged``
    says whether high/low came down to the tolerance, ``monotonic`` whether p
    never falls between probes, and ``reason`` both in words.
    """

    low: float
    high: float
    rates: tuple
    shares: tuple
    converged: bool
    monotonic: bool
    reason: str


def bisect(
    share, low, high=None, level=0.9, tolerance=1.3, growth=10.0, expansions=6, most_probes=20
):
    """Bisection in ln η on p(η) ≥ level.

    First a bracket, p(low) < level ≤ p(high).  Where p(low) is too large, low
    moves down by ``growth``.  Where p(high) is too small, p may have risen and
    fallen again below high, so gaps are halved in ln η before high moves up:
    those beside the largest p, down to the tolerance, or, while p is zero
    everywhere, those wider than ``growth``.

    Parameters
    ----------
    share : callable
        η ↦ p(η) in [0, 1].
    low, high : float
        First bracket, η; ``high`` is ``growth`` × ``low`` where not given.
    level : float
        In (0, 1].
    tolerance : float
        Ratio high/low to end at, above 1.
    growth : float
        Factor of an expansion, above 1.
    expansions : int
        At most so many down and so many up.
    most_probes : int
        Values of η tried, at most.

    Returns
    -------
    Bracket

    Raises
    ------
    ValueError
        Where no bracket is found, naming p at both ends and the likely cause;
        for options outside what is stated here.
    """
    low = positive(low, "low", "the lower learning rate")
    if not 0 < real(level) <= 1:
        raise ValueError(
            f"level = {level}: a share of initial conditions to reach, must be in (0, 1]"
        )
    for name, value in (("tolerance", tolerance), ("growth", growth)):
        if not 1 < real(value) < math.inf:
            raise ValueError(
                f"{name} = {value}: a ratio of learning rates, must be above 1 and finite"
            )
    high = low * growth if high is None else positive(high, "high", "the higher learning rate")
    if high <= low:
        raise ValueError(f"low = {low} and high = {high}: a bracket needs low < high")
    expansions = whole(expansions, "expansions")
    search = _Search(share, level, tolerance, whole(most_probes, "most_probes", 2))
    search.probe(low)
    for _ in range(expansions):
        if search.seen[low] < level:
            break
        if not search.probe(low / growth):
            break
        low /= growth
    if search.seen[low] < level and search.first() is None:
        search.climb(high, growth, expansions)
    if search.seen[low] >= level or search.first() is None:
        raise ValueError(search.complaint())
    low, high = search.bracket()
    while high / low > tolerance and search.probe(math.sqrt(low * high)):
        low, high = search.bracket()
    return search.result(low, high)


class _Search:
    """Probes of one bisection: ``seen`` maps η to p."""

    def __init__(self, share, level, tolerance, most):
        self._share, self._level, self._tolerance, self._most = share, level, tolerance, most
        self.seen = {}

    def probe(self, rate):
        """Look at one more η; False where no probe is left."""
        if len(self.seen) == self._most:
            return False
        self.seen[rate] = float(self._share(rate))
        return True

    def first(self):
        """The smallest η with p ≥ level, or None."""
        return min((r for r, p in self.seen.items() if p >= self._level), default=None)

    def bracket(self):
        high = self.first()
        return max(r for r in self.seen if r < high), high

    def climb(self, high, growth, expansions):
        """Upwards, and between the probes, until p ≥ level somewhere."""
        for _ in range(expansions + 1):
            if not self.probe(high):
                return
            while self.first() is None:
                between = self._between(growth)
                if between is None or not self.probe(between):
                    break
            if self.first() is not None:
                return
            high *= growth

    def _between(self, growth):
        """The middle of the widest gap beside the largest p, or of any while p is zero; None where
        those are narrow.
        """
        rates = sorted(self.seen)
        gaps, narrow = range(len(rates) - 1), growth * (1 + 1e-9)
        if max(self.seen.values()) > 0:
            k = max(range(len(rates)), key=lambda i: self.seen[rates[i]])
            gaps, narrow = [i for i in (k - 1, k) if i in gaps], self._tolerance
        k = max(gaps, key=lambda i: rates[i + 1] / rates[i])
        return math.sqrt(rates[k] * rates[k + 1]) if rates[k + 1] / rates[k] > narrow else None

    def complaint(self):
        rates = sorted(self.seen)
        ends = f"p({rates[0]:.3g}) = {self.seen[rates[0]]:.3g} and p({rates[-1]:.3g}) = {self.seen[rates[-1]]:.3g}"
        top = max(rates, key=self.seen.get)
        if self.seen[rates[0]] >= self._level:
            cause = "the lower end is sensitive already: give a smaller low, or check that the inputs are scaled"
        elif self.seen[top] == 0:
            cause = (
                "no initial condition is sensitive at any of them: the loss may be too simple for chaos, "
                "the networks may overflow first, or high is too small"
            )
        else:
            cause = f"the largest is p({top:.3g}) = {self.seen[top]:.3g}: lower the level, or take more conditions or epochs"
        return (
            f"{ends} do not bracket the level {self._level:.3g} after {len(rates)} probes; {cause}"
        )

    def result(self, low, high):
        rates = sorted(self.seen)
        shares = [self.seen[r] for r in rates]
        converged = high / low <= self._tolerance
        said = [
            f"p reaches {self._level:.3g} between η = {low:.4g} (p = {self.seen[low]:.3g}) and {high:.4g} (p = {self.seen[high]:.3g})"
        ]
        if not converged:
            said.append(
                f"stopped after {len(rates)} probes at a ratio of {high / low:.3g}, not {self._tolerance:.3g}"
            )
        falls = [k for k in range(len(rates) - 1) if shares[k + 1] < shares[k]]
        if falls:
            k = min(falls, key=lambda k: shares[k + 1] - shares[k])
            said.append(
                f"p is not monotonic: it falls from {shares[k]:.3g} at η = {rates[k]:.4g} to {shares[k + 1]:.3g} at {rates[k + 1]:.4g}"
            )
        return Bracket(
            low, high, tuple(rates), tuple(shares), converged, not falls, "; ".join(said)
        )
