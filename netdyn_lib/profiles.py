"""The one place where the size of every experiment is written.

``paper`` holds the papers' own sizes; ``laptop`` names what it changes of
them, so that the whole book runs in minutes on two processor cores.  A
notebook asks for its sizes by experiment and profile and types no number of
its own.
"""

from types import SimpleNamespace

PROFILES = ("laptop", "paper")

_PAPER = {
    "01_toy_map": dict(
        learning_rates=2000,  # values of η across the bifurcation diagram
        transient=2000,  # iterations discarded
        keep=200,  # iterations drawn (J, appendix A)
        initial_conditions=20,
        exponent_steps=100_000,  # iterations in a mean of ln|f'(w)|
        cascade=11,  # superstable cycles of period 2^0 .. 2^cascade
        longest_period=12,  # periodic windows searched up to this period
    ),
}

_LAPTOP = {
    "01_toy_map": dict(exponent_steps=20_000),
}


def sizes(experiment, profile="laptop"):
    """Sizes of one experiment at one profile.

    Parameters
    ----------
    experiment : str
        Name of a notebook without its suffix, such as ``"01_toy_map"``.
    profile : {"laptop", "paper"}

    Returns
    -------
    types.SimpleNamespace
        One attribute for each size; plain numbers and tuples.

    Raises
    ------
    ValueError
        For an unknown profile or experiment; the message lists the known.

    >>> sizes("01_toy_map").keep
    200
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; known: {', '.join(PROFILES)}")
    if experiment not in _PAPER:
        raise ValueError(f"unknown experiment {experiment!r}; known: {', '.join(_PAPER)}")
    table = dict(_PAPER[experiment])
    if profile == "laptop":
        table |= _LAPTOP.get(experiment, {})
    return SimpleNamespace(**table)
