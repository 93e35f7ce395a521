"""The rooms of the library: which modules belong together, in the order in which data flow through
them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """Modules that belong together; ``modules`` are public modules and subpackages of the library
    by name.
    """

    name: str
    title: str
    text: str
    modules: tuple


#: A new module of the library is entered here, in the room it belongs to.
ROOMS = (
    Room(
        "data",
        "Data",
        "Arrays of the data sets by name, where they come from, and their checksums.",
        ("data", "archives"),
    ),
    Room(
        "networks",
        "Networks",
        "Architectures, initial parameters of a whole ensemble, and ε-balls of perturbed copies around them.",
        ("networks", "initialisations"),
    ),
    Room(
        "tasks",
        "Tasks",
        "A task is data, an architecture, a loss and the accuracy that counts as learned.",
        ("tasks", "probe", "losses", "own_losses"),
    ),
    Room(
        "descent",
        "Descent",
        "The map W ↦ W − η∇L(W) of a whole ensemble, on all samples or by mini-batches, iterated and observed.",
        (
            *(
                "descent",
                "ensembles",
                "steppers",
                "blocked",
                "convolutions",
                "convolutional_steppers",
                "active_inputs",
                "gradients",
                "derivatives",
            ),
            *("minibatches", "replay", "optimizers", "training_loops", "trajectories"),
        ),
    ),
    Room(
        "observables",
        "Observables",
        "What is read off a trajectory: loss, accuracy, distance, norm, the epoch of arrival; and how it settles.",
        ("observables", "arrivals", "judgements", "relaxation"),
    ),
    Room(
        "lyapunov",
        "Lyapunov exponents",
        "From distances d(t) to growth windows and finite network Lyapunov exponents, and where an ε-ball leaves tangent space.",
        ("lyapunov", "agreement"),
    ),
    Room(
        "tangent",
        "Tangent dynamics",
        "Products of I − ηH and their like: spectra of exponents, covariant Lyapunov vectors, twins, and systems whose exponents are known.",
        ("tangent", "twins", "systems", "cocycles"),
    ),
    Room(
        "curvature",
        "Curvature",
        "Hessian products, sharpness, and spectra of the Hessian: whole, in closed form, and of mini-batches in the few dimensions that count.",
        (
            "curvature",
            "blocked_hessian",
            "sharpness",
            "tracking",
            "closed_form",
            "eigensystems",
            "eigenclasses",
            "low_rank",
            "confined",
            "narrowing",
            "linear_heads",
            "batch_noise",
            "contributions",
        ),
    ),
    Room(
        "pruning",
        "Pruned descent",
        "Descent without chosen directions of the batch's Hessian, and the experiment that compares its rules.",
        ("pruning", "arms"),
    ),
    Room(
        "series",
        "Time series",
        "Scalar series by themselves: autocorrelation, Kantz's exponent, phases, switches, bands.",
        ("series", "kantz", "phases", "switching", "bands"),
    ),
    Room(
        "maps",
        "One-dimensional maps",
        "Orbits, bifurcations, periodic windows and cascades of maps of the interval.",
        ("maps", "bifurcations", "windows", "cascades", "kneading"),
    ),
    Room(
        "saturation",
        "Saturated networks",
        "Networks whose hidden units are at 0 or 1, the map of the logits that is left of them, and what it foretells.",
        ("saturation", "reduced", "forecast", "ageing"),
    ),
    Room(
        "prediction",
        "Prediction",
        "The outcome of training from what is known early: classifiers, receiver operating characteristics, what stopping early saves.",
        ("prediction", "receiver", "early_stopping", "outcomes"),
    ),
    Room(
        "sweeps",
        "Sweeps and stores",
        "Grids of learning rates and initial conditions in shards, computed here or on a cluster, kept on disk with their provenance; and what work costs.",
        (
            "sweeps",
            "profiles",
            "store",
            "npz",
            "datasets",
            "jobs",
            "locks",
            "machine",
            "fingerprint",
            "benchmarks",
            "plans",
        ),
    ),
    Room(
        "sweetspot",
        "Sweet spot",
        "The learning rate at which sensitivity to initial conditions is fully developed, for any network, and its rivals.",
        ("sweetspot", "bisection", "rivals"),
    ),
    Room(
        "claims",
        "Claims and certainty",
        "The papers' claims with their verdicts, and how sure a number is: resampling and intervals.",
        ("claims", "sources", "resampling", "student"),
    ),
    Room(
        "figures",
        "Figures",
        "One function for each kind of figure: arrays in, a Matplotlib figure out. Needs the extra `book`.",
        ("figures",),
    ),
    Room(
        "tools",
        "Small tools",
        "Checks of arguments, devices, threads, files read, errors told in a line, and what a plain install leaves out.",
        ("checks", "devices", "threads", "reading", "failures", "extras"),
    ),
)
