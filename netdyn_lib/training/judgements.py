"""Yes-or-no questions about trajectories, one answer for each network.

Each function takes what an ensemble's run observed, time first, and returns a
bool array (n,), whose mean is a share.  The thresholds of the book's claims are
arguments here, so that a chapter names them and computes nothing.
"""

import numpy as np

from . import observables


def row(epochs, epoch):
    """The index at which ``epoch`` was observed.  Raises ValueError where it was not."""
    found = np.flatnonzero(np.asarray(epochs) == epoch)
    if not len(found):
        raise ValueError(
            f"epoch {epoch} was not observed; observed are {epochs[0]} … {epochs[-1]}, {len(epochs)} in all"
        )
    return int(found[0])


def larger_at(epochs, curves, late, early):
    """Is a curve (T, n) larger at epoch ``late`` than at ``early``?"""
    return curves[row(epochs, late)] > curves[row(epochs, early)]


def unlike(distance, factor=1.5):
    """Did copies of one reference grow unlike: the most by over ``factor`` times the least?

    ``distance`` (T, n, M); growth is d_j(T)/d_j(0).
    """
    growth = distance[-1] / distance[0]
    return growth.max(1) > factor * growth.min(1)


def growth(curves):
    """Last value over first, (n,) floats, of curves (T, n)."""
    return curves[-1] / curves[0]


def lowest(curves):
    """Least value over first, (n,) floats, of curves (T, n)."""
    return np.min(curves, axis=0) / curves[0]


def ratio_at_end(curves, reference):
    """Last value over the last value of a reference, (n,) floats, for (T, n) each."""
    return curves[-1] / reference[-1]


def falls(values):
    """Is the last of some values, (k, n), below the first?"""
    return values[-1] < values[0]


def share_below(values, bound):
    """Share of a network's values, (n, P), below a bound, not counting NaN: (n,) floats."""
    values = np.asarray(values)
    return (values < bound).sum(1) / (~np.isnan(values)).sum(1)


def leaves_origin(epochs, norm, middle, late):
    """Does the norm (T, n) grow from epoch ``middle`` to ``late``, beyond its initial value?"""
    return larger_at(epochs, norm, late, middle) & larger_at(epochs, norm, late, epochs[0])


def levels_off(epochs, curves, early, late, share=0.1):
    """Does a decay become slow: its rate over the window ``late`` at least 0 and below ``share`` of
    that over ``early``?

    Windows are pairs of epochs.  A curve that ends up growing does not level off.
    """
    slow = observables.decay_rate(epochs, curves, *late)
    return (slow >= 0) & (slow < share * observables.decay_rate(epochs, curves, *early))


def grows_late(epochs, curves, window):
    """Does a curve grow over a window of epochs (negative decay rate)?"""
    return observables.decay_rate(epochs, curves, *window) < 0


def settles_erratically(loss, below=0.1):
    """Does the loss (T, n) end below a level after having risen at least once?"""
    return (loss[-1] < below) & ~observables.non_increasing(loss)


def neutral(multipliers, band):
    """Share of multipliers, (n, P), within ``band`` of 1: (n,) floats."""
    return (np.abs(np.asarray(multipliers) - 1) < band).mean(1)


def contracting(multipliers, band):
    """Number of multipliers, (n, P), below 1 − ``band``: (n,) whole numbers."""
    return (np.asarray(multipliers) < 1 - band).sum(1)


def late_level(epochs, scaled, window):
    """Median over a window of epochs, (n,), of ``scaled`` (T, n), such as sharpness in units of
    2/η.
    """
    epochs = np.asarray(epochs)
    inside = (epochs >= window[0]) & (epochs <= window[1])
    if not inside.any():
        raise ValueError(f"no observation between epochs {window[0]} and {window[1]}")
    return np.median(scaled[inside], axis=0)


def near_edge(epochs, scaled, window, within=0.2):
    """Is the late level of sharpness, in units of 2/η, within a share of 1?"""
    return np.abs(late_level(epochs, scaled, window) - 1) <= within


def beyond_edge(epochs, scaled, window):
    """Is the late level of sharpness, in units of 2/η, above 1?"""
    return late_level(epochs, scaled, window) > 1


def below_edge(epochs, scaled, epoch, share=0.5):
    """Is ``scaled`` (T, n), sharpness in units of 2/η, below a share of 1 at an epoch?"""
    return scaled[row(epochs, epoch)] < share


def overlooked(fit, distance, factor=1e5):
    """Was a curve discarded by a window rule although it grew by ``factor``?

    ``fit`` is a :class:`~netdyn_lib.lyapunov.growth_fits.Fit` of ``distance`` (T, n).
    """
    return ~fit.kept() & (np.max(distance, axis=0) > factor * distance[0])


def ratio_of_arrivals(slow, fast):
    """Ratio of arrival epochs of the networks that arrive both times, from (n,) each, NaN for
    never.
    """
    slow, fast = np.asarray(slow), np.asarray(fast)
    both = ~(np.isnan(slow) | np.isnan(fast))
    if not both.any():
        raise ValueError("no network arrives both times: there is no ratio of arrivals")
    return slow[both] / fast[both]


def never(arrivals):
    """Which networks never arrive: NaN among arrival epochs (n,)."""
    return np.isnan(arrivals)


def orders_apart(first, second):
    """log10 of the ratio of the largest values of two sets of curves, (T, n) each: (n,) floats."""
    return np.log10(np.max(first, axis=0) / np.max(second, axis=0))


def difference(first, second):
    """Absolute difference of two measures of the same networks, (n,) each."""
    return np.abs(np.asarray(first) - np.asarray(second))


def converges_erratically(loss, share=0.5, last=10):
    """Does the loss (T, n) rise at least once, and stay below a share of its first value over the
    ``last`` observations?
    """
    return (np.asarray(loss[-last:]) < share * np.asarray(loss[0])).all(
        0
    ) & ~observables.non_increasing(loss)
