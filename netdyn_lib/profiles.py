"""The one place where the size of every experiment is written.

``paper`` holds the papers' own sizes; ``laptop`` names what it changes of
them, so that the whole book runs in minutes on two processor cores.  A
notebook asks for its sizes by experiment and profile and types no number of
its own.
"""

from types import SimpleNamespace

PROFILES = ("laptop", "paper")

_PAPER = {
    "02_iris_slow": dict(
        learning_rate=0.01,
        epochs=4000,  # D's training
        half=2000,  # where the late part begins
        early=200,  # epochs in which growth might be exponential
        first=100,  # epochs after a late perturbation that count as its beginning
        long_epochs=10_000,  # and beyond it
        drawn=(0, 200, 4000),  # epochs at which the network is drawn
        unlike=1.5,  # factor between the growth of copies
        factors=tuple(round(0.5 + 0.025 * k, 3) for k in range(41)),  # scales along the ray through the origin
        strict=0.1 / 4000,  # a multiplier as near to 1 is neutral over the whole training
        radius=1e-8,
        examples=4,  # initial conditions shown (D, Fig. 3)
        copies=20,  # perturbations of each (D, Fig. 3)
        radii=(1e-14, 1e-10, 1e-6, 1e-2),  # D, Fig. 4
        ensemble=500,  # initial conditions behind a share
        ensemble_copies=5,
        fans=100,  # initial conditions with all the copies
        regularised=100,
        rates=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        rate_epochs=4000,
        decays=(1e-4, 1e-3, 1e-2),  # strengths λ of the penalty (λ/2)|W|²
        spectra=100,  # networks whose Hessian is diagonalised
    ),
    "03_edge_of_stability": dict(
        learning_rate=1.0,
        slow_rate=0.01,  # for comparison
        epochs=4000,
        half=2000,  # where the late part begins
        exponent_epochs=200,
        points=201,  # observations of an exponent's curve
        edges=(0, 50, 100, 200, 500, 1000, 2000, 4000),  # stretches of training
        radius=1e-8,
        examples=4,  # D, Fig. 7
        ensemble=500,  # D, Fig. 8
        copies=5,
        radii=(1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2),
        long_ensemble=100,  # networks followed for all epochs
        tangent_ensemble=100,
        sharp_networks=50,
        sharp_epochs=20_000,
        sharp_last=19_999,  # the last epoch with one after it
        sharp_times=60,  # epochs, log-spaced, at which sharpness is taken
    ),
    "01_toy_map": dict(
        learning_rates=2000,  # values of η across the bifurcation diagram
        transient=2000,  # iterations discarded
        keep=200,  # iterations drawn (J, appendix A)
        initial_conditions=20,
        exponent_steps=100_000,  # iterations in a mean of ln|f'(w)|
        cascade=11,  # superstable cycles of period 2^0 .. 2^cascade
        longest_period=12,  # periodic windows searched up to this period
        window_cascade=8,  # doublings followed inside the widest window
        cobweb_rates=(0.25, 0.9, 1.15, 1.29, 1.52, 1.9),  # values of η
        cobweb_steps=40,
        zoom_rates=1000,  # values of η across a magnified window
        zoom_keep=1000,
    ),
    "04_iris_eta5": dict(
        learning_rate=5.0,
        conditions=600,  # trajectories, on the split of 40/41/39
        balanced=600,  # trajectories on the split of 40/40/40
        epochs=6000,
        block=60,  # epochs in a block that is classified
        tolerance=1e-3,  # of returning, relative to the range of the series
        tolerances=(1e-2, 1e-3, 1e-4),
        lags=50,
        zoom=50,
        shuffles=1000,  # D, Fig 10
        references=1000,  # D, Fig 11
        neighbours=10,
        theiler=10,
        steps=10,
        dimensions=(1, 2, 3),
        networks=40,  # with both phases, whose every weight is followed
        copies=5,
        radius=1e-8,
        perturbed=200,  # states from which perturbed copies start
        growth=(10, 40),  # epochs over which the distance of their logits is fitted
        horizon=60,
        frozen_every=30,  # blocks between forecasts with every sample's own hidden vector
        horizons=(60, 600, 3000),  # epochs from which the last block is foretold
        gains=3000,
        starts=20,
        side=400,  # points along a side of a picture of basins
    ),
}

_LAPTOP = {
    "02_iris_slow": dict(ensemble=100, ensemble_copies=2, fans=25, regularised=20, rate_epochs=1000, spectra=50),
    "03_edge_of_stability": dict(long_ensemble=60, tangent_ensemble=40, sharp_networks=40, sharp_times=20, sharp_epochs=10_000, sharp_last=9_999),
    "01_toy_map": dict(exponent_steps=20_000, cascade=10, window_cascade=7),
    "04_iris_eta5": dict(conditions=300, balanced=100, gains=900, starts=8, side=120),
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
