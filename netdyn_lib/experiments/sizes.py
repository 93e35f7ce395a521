"""The one place where the size of every experiment is written.

``paper`` holds the papers' own sizes; ``laptop`` names what it changes of
them, so that the whole book runs in minutes on two processor cores.  A
notebook asks for its sizes by experiment and profile and types no number of
its own.
"""

from types import SimpleNamespace

PROFILES = ("laptop", "paper")

# J's learning rates, from the authors' published generator; the sigmoid's go on to where its
# arrivals rise.
_LOW = (0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
_RATES = (*_LOW, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0)
_FURTHER = (*_RATES, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0)

_COARSE = (0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0)
_FEW = dict(conditions=3, copies=2, epochs=60, cap=300, block=1)
_FEW_L2 = _FEW | dict(rates=_COARSE, samples=6000, test_samples=2000, conditions=2, cap=200)
_SHARP = dict(  # Fig. 14 of the paper
    task="mnist",
    rates=(2.5, 5.0, 7.5, 10.0),
    conditions=3,
    copies=1,
    epochs=300,
    block=1,
    sharp_at=(0, 10, 20, 30, 50, 75, 100, 150, 200, 250, 300),
    sharp_conditions=3,
)

# Sweeps by name, as in J: see netdyn_lib.experiments.learning_rate_sweep.grid.Sweep.  A cap
# is ours: J states none.
_SWEEPS = {
    "digits": dict(task="digits", rates=_RATES, conditions=50, cap=1000, block=10),
    "digits-sigmoid": dict(
        task="digits-sigmoid", rates=_FURTHER, conditions=50, cap=2000, block=10
    ),
    "digits-relu": dict(task="digits-relu", rates=_RATES, conditions=50, cap=2000, block=10),
    "digits-deep": dict(task="digits-deep", rates=_RATES, conditions=50, cap=4000, block=10),
    "digits-l2-1e-3": dict(task="digits-l2-1e-3", rates=_RATES, conditions=50, cap=2000, block=10),
    "digits-l2-1e-5": dict(task="digits-l2-1e-5", rates=_RATES, conditions=50, cap=2000, block=10),
    "digits-cnn": dict(task="digits-cnn", rates=_RATES[4:12], conditions=40, cap=2000, block=5),
    "iris": dict(task="iris", rates=_RATES, conditions=500, cap=4000, block=100),
    "mnist": dict(task="mnist", rates=_RATES, conditions=50, cap=2000, block=5),
    "mnist-sigmoid": dict(task="mnist-sigmoid", rates=_FURTHER, conditions=50, cap=2000, block=5),
    "mnist-relu": dict(task="mnist-relu", rates=_RATES, conditions=50, cap=2000, block=5),
    "mnist-deep": dict(task="mnist-deep", rates=_RATES, conditions=50, cap=20_000, block=5),
    "mnist-l2-1e-3": dict(task="mnist-l2-1e-3", rates=_RATES, conditions=50, cap=2000, block=5),
    "mnist-l2-1e-5": dict(task="mnist-l2-1e-5", rates=_RATES, conditions=50, cap=2000, block=5),
    # At 1e18 operations the whole grid would take a day on a GPU: every other rate.
    "mnist-cnn": dict(task="mnist-cnn", rates=_RATES[1::2], conditions=40, cap=2000, block=5),
    "mnist-cnn-sd": dict(task="mnist-cnn-sd", rates=_RATES[1::2], conditions=40, cap=2000, block=5),
    "cifar10": dict(task="cifar10", rates=_RATES, conditions=50, cap=2000, block=5),
    # Published from two processor cores: few initial conditions, fewer rates, and but for the first
    # fewer images.
    "mnist-few": dict(task="mnist", rates=(0.01, *_COARSE), **_FEW | dict(cap=200)),
    # J's length of record
    "mnist-few-200": dict(
        task="mnist", rates=(2.5, 5.0, 7.5, 10.0), **_FEW | dict(epochs=200, cap=200)
    ),
    "mnist-6000-few": dict(task="mnist", rates=(0.1, *_COARSE), samples=6000, **_FEW),
    "mnist-sharpness": _SHARP | dict(samples=6000),
    "mnist-sharpness-all": _SHARP | dict(conditions=10, sharp_conditions=10),
    "mnist-sigmoid-few": dict(
        task="mnist-sigmoid",
        rates=(1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0),
        samples=6000,
        test_samples=2000,
        **_FEW | dict(cap=200),
    ),
    "mnist-relu-few": dict(
        task="mnist-relu", rates=(0.01, 0.05, 0.1, *_COARSE), samples=6000, **_FEW
    ),
    "mnist-deep-few": dict(
        task="mnist-deep",
        rates=(0.1, *_COARSE),
        samples=6000,
        test_samples=2000,
        **_FEW | dict(cap=600),
    ),
    "mnist-l2-1e-3-few": _FEW_L2 | dict(task="mnist-l2-1e-3"),
    "mnist-l2-1e-5-few": _FEW_L2 | dict(task="mnist-l2-1e-5"),
    "cifar10-few": dict(
        task="cifar10",
        rates=(0.5, 1.0, 2.5, 5.0, 10.0, 20.0),
        samples=5000,
        **_FEW | dict(conditions=2, copies=1, cap=60),
    ),
    "mnist-6000-eta10": dict(
        task="mnist",
        rates=(10.0,),
        conditions=50,
        epochs=60,
        block=1,
        samples=6000,
        test_samples=1000,
    ),
    # J, Figs. 2 and 3
    "mnist-eta10": dict(task="mnist", rates=(10.0,), conditions=50, epochs=200, block=1),
    "sharpness": dict(
        task="digits",
        rates=(1.0, 2.5, 5.0, 7.5),
        conditions=10,
        copies=1,
        epochs=1000,
        block=5,
        sharp_at=(0, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1000),
        sharp_conditions=10,
    ),
}

# What the laptop profile changes of them.
_VARIANT = dict(rates=(0.5, 2.5, 7.5), conditions=2, copies=1, epochs=60, cap=100, block=2)
_LAPTOP_SWEEPS = {
    "digits": dict(conditions=3, copies=1, epochs=100, cap=100, block=3),
    "digits-sigmoid": _VARIANT | dict(rates=(1.0, 5.0, 15.0, 40.0)),
    "digits-relu": _VARIANT | dict(rates=(0.1, 0.5, 7.5)),
    "digits-deep": _VARIANT,
    "digits-l2-1e-3": _VARIANT,
    "digits-l2-1e-5": _VARIANT,
    "digits-cnn": dict(
        rates=(0.5, 2.5, 10.0), conditions=2, copies=1, epochs=20, cap=20, samples=120, block=2
    ),
    "iris": dict(conditions=10, copies=1, epochs=150, cap=300, block=10),
    "mnist": dict(
        rates=_COARSE,
        conditions=6,
        copies=3,
        epochs=60,
        cap=60,
        samples=6000,
        test_samples=1000,
        block=2,
    ),
    "cifar10": dict(
        rates=(0.5, 10.0),
        conditions=2,
        copies=1,
        epochs=6,
        cap=6,
        samples=2000,
        test_samples=1000,
        block=2,
    ),
    "sharpness": dict(
        conditions=2, epochs=100, sharp_at=(0, 10, 20, 40, 70, 100), sharp_conditions=2, block=2
    ),
}

# Maps of exponents, by name: netdyn_lib.experiments.exponent_map.grid.ExponentMap.
_MAP = dict(task="iris", epochs=100, rates=(0.1, 10**1.5), scales=(0.1, 10**1.5), compiled=True)
_MAPS = {
    "exponent-map": _MAP | dict(side=500),
    "exponent-map-draws": _MAP | dict(side=192, draws=tuple(range(1, 6)), rows=16),
}
# Ensembles of perturbed copies seen as functions: netdyn_lib.experiments.function_growth.grid.
_FUNCTIONS = {
    "function-iris": dict(task="iris", rates=_RATES, conditions=100, epochs=1000),
    "function-digits": dict(task="digits", rates=(0.001, 0.1, *_COARSE), conditions=50, epochs=200),
}
_LAPTOP_MAP = dict(compiled=False, rows=5)

# Arms of chapter 10; a ball's radius ρ is that of U(−ρ, ρ) per parameter.
_STEPS = dict(names=("descent", "neutral", "small"), between=(0.5, 1.0))
_STEPS |= dict(more=("neutral both", "flow", "small isotropic", "small unstable"))
_STEPS["more"] += ("ball 0.1", "ball 0.3", "ball 1")
_STEPS |= dict(small=(0.1, 0.1), ball_copies=8, substeps=4)  # a tenth of η, at most 0.1
_LONG_STEPS = _STEPS | dict(rates=_RATES, conditions=50, flow_epochs=100, copied=100)
_SHORT_STEPS = _LONG_STEPS | dict(more=(), flow_epochs=1, copied=50)
_SHORT_STEPS |= dict(names=("descent", "neutral", "shortened", "small"))

_PAPER = {
    "05_mnist_cifar": dict(
        sweeps=_SWEEPS,
        losses=(0.01, 7.5, 20.0),  # J, Fig. 1
        regimes=(0.01, 1.0, 5.0),  # D's on Iris
        growth=10.0,  # J, Figs. 2 and 3
        short_record=60,  # epochs of most published records of MNIST
        iris_rate=1.0,  # D, Fig. 8
        fastest=7.5,  # J, Fig. 5
        small_target=0.7,  # what networks reach with 6,000 images of MNIST
        tangent_rates=(0.5, 2.5, 5.0, 10.0, 20.0),
        tangent_conditions=20,
        tangent_epochs=200,
        search_low=0.1,  # J's bracket: p = 0 here,
        search_high=10.0,  # and nearly 1 here
        search_conditions=50,
        search_epochs=200,  # as long as the digits' sweep
        level=0.9,
        default=0.5,  # the learning rate of one who does not search
        races=50,  # fresh initial conditions on which what was found is tried
        race_cap=1000,
        checked=5,  # epochs recomputed of a published sweep,
        checks=100,  # and of how many of those
        timed=50,  # networks trained in both precisions,
        timed_cap=1000,  # for so many epochs at most
    ),
    "06_prediction": dict(
        campaigns=(
            "ridge-tanh-normal",
            "ridge-tanh-glorot",
            "ridge-relu-normal",
            "ridge-relu-glorot",
        ),
        count=8000,  # networks of each (S)
        learning_rate=0.001,  # the time of a step
        steps=10_000,
        times=(1, 2, 5, 10, 15, 20, 50, 100, 200, 500, 1000),  # steps; S's "early" is 15 of them
        early=0.015,
        backward=2000,  # steps of future beyond the last of those times
        block=500,
        resamples=300,
        group=10,  # networks of which the best is wanted
        risk=0.05,
        checked=20,  # networks of each campaign recomputed
        iris_rates=(0.01, 1.0, 5.0),  # D's
        iris_networks=20,
        iris_epochs=4000,  # before "late" begins
        iris_steps=500,  # epochs behind a whole spectrum
        iris_turn=500,  # epochs of past and of future behind covariant vectors
        within=1e-3,  # growth per epoch that counts as none
        phase_networks=100,  # followed at η = 5, by the blocks of chapter 4
        phase_epochs=6000,
        phase_turn=240,  # epochs of past and of future behind the vectors of a block
        phase_blocks=10,  # of each kind of phase
        # below, at and above the rate at which the digits are learned fastest
        leading_rates=(0.5, 2.5, 7.5),
        leading_networks=5,
        leading_epochs=200,
    ),
    "07_hessian_chaos": dict(
        # Families of arms, in order of value: a task, and which of its arms.
        families=(
            *(
                ("usps", "sets"),
                ("usps", "controls"),
                ("usps-sigmoid", "onsets"),
                ("usps", "retuned"),
            ),
            *(("usps", "momentum"), ("usps", "largest"), ("usps", "full"), ("digits-usps", "sets")),
            *(("usps-cnn", "sets"), ("fashion", "sets")),
        ),
        # H, Fig. 1, without its chaotic set: at this γ no eigenvalue comes near 2/γ, and it is the
        # negative one.
        sets=("none", "negative", "positive"),
        controls=("random-same", "negative-norm", "random-same-norm", "random-same-positive"),
        retuned=("none", "negative"),
        # beside H's; the last, because accuracy still rose at 3e-2 with negative directions pruned
        rates=(1e-2, 3e-3, 3e-2, 1e-1),
        # so large that some eigenvalues are above 2/γ; the negative directions and these pruned
        chaotic_rates=(1e-1,),
        onsets=(2000, 5000, 10_000),  # H, Fig. 2
        largest=(10,),  # negative directions pruned: the largest, or as many of them at random
        momentum=0.9,
        learning_rate=1e-3,  # H's γ
        batch=8,
        networks=5,  # the fewest that give a verdict
        # 40 epochs of 912 batches, seen four times an epoch; and of 180.
        lengths={"usps": (36_480, 228), "usps-sigmoid": (36_480, 228), "digits-usps": (7200, 90)}
        | {"usps-cnn": (36_480, 228), "fashion": (36_480, 228)},
        segment=8,  # observations between two checkpoints
        checked=20,  # steps recomputed of a published arm
        # steps at which a network's batches are looked at
        times=(0, 500, 1500, 4560, 9120, 18_240),
        middle=1500,  # the one of which the text speaks
        batches=100,
        noise_times=(0, 1500, 9120),
        noise_batches=10,
        small_times=(0, 720, 1440, 7200),  # of the digits' small network, 180 an epoch
        map_networks=5,
        map_times=tuple(range(36, 361, 36)),
        spectrum_networks=5,
        spectrum_times=(180, 360, 720, 1440, 2880, 5760, 7200),
        interval=100,  # steps between QR decompositions
        leading=20,
        leading_networks=1,
        leading_times=(912, 4560, 9120),
        span=10,
        span_times=(180, 360, 720, 1440, 2880, 5760),
        lag_times=(0, 180, 720, 1440, 2880, 5760),
        lag=180,
        twin_networks=5,
        twin_steps=36_480,
        twin_every=760,
        horizon=9120,  # T of the directions, ten epochs
        epsilon=0.1,  # H's
        directions=8,
        sweeps=6,
        tolerance=0.01,  # on ln σ, in units of the largest
        size_steps=36_480,
        size_every=760,
        epsilons=(1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 0.1, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0),
        small_epsilons=7,  # the first of these, with sigmoid units
        linear=1e-10,  # the ε with which others are compared: the least well above rounding
    ),
    "08_your_own_network": dict(
        samples=500,
        low=0.5,  # learning rates between which the search begins
        high=8.0,
        search_conditions=20,
        search_epochs=60,
        ensemble=50,  # initial conditions
        radius=1e-8,
        copies=5,
        epochs=60,
        spectra=5,  # networks with a tangent spectrum
        spectrum_epochs=60,
        leading=20,  # exponents of it
        long_epochs=600,  # of one network, to see whether exponents converge
        std=0.1,  # of initial weights under Huber's loss
        plain_rate=0.3,
        momentum_rate=0.25,
        momentum=0.9,
        adam_rate=0.03,
        betas=(0.9, 0.999),
        edge_networks=10,
        edge_at=(10, 30, 60, 100, 150, 200, 250, 300, 400, 600, 800, 1000),
        methods_epochs=100,
        noise_rate=0.5,
        noise_steps=200,
        batch=20,
        watch_rate=0.05,  # of momentum, in a loop with the monitor
        watch_epochs=40,
        watch_every=20,  # steps from report to report
    ),
    "09_performance": dict(
        # A sweep and a spectrum that were never run.
        sweep_sizes=(3072, 256, 10),  # J's network on CIFAR-10
        images=50_000,
        sweep_networks=10**6,
        sweep_copies=5,
        sweep_epochs=200,
        large_sizes=(3072, 8600, 8600, 10),  # some 10⁸ parameters
        large_steps=1000,
        exponents=10,
        conditions=1,
        block=500,  # samples, if Hessian products took them in blocks
        patience=30 * 86_400,  # seconds that one is ready to wait
        cpu_memory=16e9,  # bytes, assumed of the processor that was measured
        # By its maker's data sheet, with tensor cores: operations per second in float64, bytes,
        # bytes per second.
        gpu=("NVIDIA H100 SXM", 67e12, 80e9, 3.35e12),
        devices=100,  # of a cluster
        most_devices=10_000,
        # One look at the engine on the reader's machine, and the row of the benchmarks beside it.
        step_row="Iris 4-10-3, 3,000 networks × 201 epochs, 1 thread",
        step_networks=3000,
        epochs=201,
        rounds=5,
    ),
    "11_boundary_of_chaos": dict(maps=_MAPS, functions=_FUNCTIONS),
    "10_chaos_or_step": dict(
        comparisons={
            "iris-step": dict(_LONG_STEPS, task="iris", epochs=250),
            "digits-step": dict(_SHORT_STEPS, task="digits", epochs=80),
            "iris-length": dict(_SHORT_STEPS, task="iris", epochs=250),
        },
        shown=0.5,  # the learning rate of single trajectories
        checked=0.01,  # the greatest difference of a recomputed number
    ),
    "02_iris_slow": dict(
        learning_rate=0.01,
        epochs=4000,  # D's training
        early=200,  # epochs in which growth might be exponential
        first=100,  # epochs after a late perturbation that count as its beginning
        long_epochs=10_000,  # and beyond it
        unlike=1.5,  # factor between the growth of copies
        # scales along the ray through the origin
        factors=tuple(round(0.5 + 0.025 * k, 3) for k in range(41)),
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
        exponent_epochs=200,
        learned_loss=0.4,  # below which a network has learned
        mnist_rate=10.0,  # J, Fig. 3
        edges=(0, 50, 100, 200, 500, 1000),  # stretches of the first half of training
        radius=1e-8,
        examples=4,  # D, Fig. 7
        ensemble=500,  # D, Fig. 8
        copies=5,
        radii=(1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2),
        parting_radii=(1e-12, 1e-8, 1e-4),  # of these, drawn one by one against the tangent vector
        long_ensemble=100,  # networks followed for all epochs
        tangent_ensemble=100,
        sharp_networks=50,
        sharp_epochs=20_000,
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
        cobweb_rates=(0.25, 0.9, 1.15, 1.27, 1.52, 1.9),  # values of η
        cobweb_steps=40,
        zoom_rates=1000,  # values of η across a magnified window
        zoom_keep=1000,
    ),
    # The interactive pages: what is computed when the site is staged.
    "explorers": dict(
        columns=700,  # learning rates across the bifurcation diagram and the exponent's curve
        bins=320,  # heights in it
        keep=1000,  # iterations drawn
        cascade=7,  # superstable cycles behind the end of the cascade that is marked
        points=61,  # epochs of a published curve that are shown, at most,
        networks=50,  # and initial conditions, one by one
        rates=(0.01, 1.0, 5.0),  # the regimes of chapters 2, 3 and 4
        conditions=3,
        copies=2,
        radius=1e-8,
        every_epoch=400,  # shown one by one up to here,
        epochs=4000,  # and from there to the end
        apart=15,  # so many apart; odd, so that oscillations of period 2 are seen
        exponent_epochs=200,
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
    "05_mnist_cifar": dict(
        sweeps={name: entry | _LAPTOP_SWEEPS.get(name, {}) for name, entry in _SWEEPS.items()},
        tangent_conditions=3,
        tangent_epochs=60,
        checks=2,
        timed=20,
        timed_cap=300,
        search_conditions=10,
        search_epochs=100,
        races=4,
        race_cap=300,
    ),
    "06_prediction": dict(
        count=500,
        times=(1, 2, 5, 10, 15, 20, 50, 100, 200),
        backward=200,
        block=250,
        checked=5,
        resamples=200,
        iris_networks=2,
        iris_steps=150,
        iris_turn=150,
        phase_networks=20,
        phase_epochs=3000,
        phase_turn=120,
        phase_blocks=2,
        leading_networks=2,
        leading_epochs=40,
    ),
    "07_hessian_chaos": dict(
        families=(("usps", "sets"), ("digits-usps", "sets")),
        sets=("none", "negative", "positive", "random-same"),
        networks=2,
        lengths={"usps": (1500, 50), "digits-usps": (1500, 50)},
        spectrum_networks=1,
        spectrum_times=(180, 360, 720, 1440),
        span_times=(180, 360, 720, 1440),
        lag_times=(0, 180, 720, 1440),
        small_times=(0, 720, 1440),
        leading=8,
        leading_times=(250, 750),
        times=(0, 500, 1500, 4560, 9120),
        batches=60,
        noise_times=(0, 1500),
        noise_batches=3,
        twin_networks=1,
        twin_every=380,
        twin_steps=9120,
        horizon=760,
        directions=4,
        sweeps=4,
        size_steps=4560,
        size_every=190,
    ),
    "08_your_own_network": dict(
        samples=100,
        search_conditions=8,
        ensemble=8,
        copies=2,
        spectra=2,
        leading=8,
        edge_networks=2,
        edge_at=(10, 30, 60, 100, 150, 200, 250, 300),
        methods_epochs=40,
        noise_steps=60,
        watch_epochs=80,
        watch_every=4,
    ),
    "09_performance": dict(step_networks=300, rounds=3),
    "11_boundary_of_chaos": dict(
        functions={
            "function-iris": _FUNCTIONS["function-iris"]
            | dict(rates=_COARSE, conditions=10, epochs=200),
            "function-digits": _FUNCTIONS["function-digits"]
            | dict(rates=(0.1, *_COARSE[2:6]), conditions=5, epochs=60),
        },
        maps={
            "exponent-map": _MAPS["exponent-map"] | _LAPTOP_MAP | dict(side=40),
            "exponent-map-draws": _MAPS["exponent-map-draws"]
            | _LAPTOP_MAP
            | dict(side=20, draws=(1, 2)),
        },
    ),
    "10_chaos_or_step": dict(
        comparisons={
            "iris-step": dict(
                task="iris",
                rates=(0.1, 0.5, 1.0, 5.0),
                conditions=5,
                epochs=60,
                flow_epochs=60,
                copied=50,
                **_STEPS,
            )
        }
    ),
    "02_iris_slow": dict(
        ensemble=100, ensemble_copies=2, fans=25, regularised=20, rate_epochs=1000, spectra=50
    ),
    "03_edge_of_stability": dict(
        long_ensemble=60,
        tangent_ensemble=40,
        sharp_networks=40,
        sharp_times=20,
        sharp_epochs=10_000,
    ),
    "01_toy_map": dict(exponent_steps=20_000, cascade=10, window_cascade=7),
    "04_iris_eta5": dict(conditions=300, balanced=100, gains=900, starts=8, side=120),
}


def sizes(experiment, profile="laptop", **changed):
    """Sizes of one experiment at one profile.

    Parameters
    ----------
    experiment : str
        Name of a notebook without its suffix, such as ``"01_toy_map"``.
    profile : {"laptop", "paper"}
    changed : optional
        Sizes by name that stand in the place of the profile's, as a notebook's parameters give
        them; None leaves the profile's.

    Returns
    -------
    types.SimpleNamespace
        One attribute for each size; plain numbers and tuples.  ``changed`` holds those that are
        not the profile's, by name: a run with any is another experiment than the papers'.

    Raises
    ------
    ValueError
        For an unknown profile, experiment or size; the message lists the known.

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
    if experiment == "05_mnist_cifar" and "digits" in table["sweeps"]:
        digits = dict(copies=5, epochs=200) | table["sweeps"]["digits"]
        table |= {k: digits[k] for k in ("rates", "conditions", "copies", "epochs", "cap")}
    if unknown := changed.keys() - table.keys():
        known = ", ".join(sorted(table))
        raise ValueError(f"{experiment} has no size {', '.join(sorted(unknown))}; known: {known}")
    changed = {name: value for name, value in changed.items() if value is not None}
    changed = {
        name: tuple(value) if isinstance(value, list) else value for name, value in changed.items()
    }
    changed = {name: value for name, value in changed.items() if value != table[name]}
    return SimpleNamespace(**table | changed, changed=changed)
