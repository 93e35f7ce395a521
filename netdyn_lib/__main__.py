"""The command ``netdyn``: sweet spot and exponents of a network of one's own, and the experiments.

``netdyn --help``, or ``python -m netdyn_lib --help``.
"""

import argparse
import inspect
import json
import math
import sys
import traceback
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from .experiments import jobs
from .validation import whole

#: Verbs with a command line of their own.
HANDED = {"experiments": "netdyn_lib.experiments.__main__", "book": "netdyn_lib.book.__main__"}
_ABOUT = """\
Is the training of your network chaotic, and from which learning rate on?

  netdyn sweetspot FILE:MODEL --data DATA    the learning rate at which sensitivity is developed
  netdyn exponents FILE:MODEL --data DATA    Lyapunov exponents at one learning rate
  netdyn experiments ...                     run, list, publish, check the book's experiments
  netdyn book ...                            execute the notebooks, build the website (in a clone)

netdyn VERB --help says more."""
_EXAMPLE = """\
An example: a file model.py holds

  import torch
  net = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Tanh(), torch.nn.Linear(8, 10))

and the digits that come with scikit-learn are the data:

  {call}

Training is full-batch gradient descent with a constant learning rate, in double precision.
"""
_EXAMPLES = {
    "sweetspot": "netdyn sweetspot model.py:net --data digits --samples 200 --low 1 --high 8 "
    "--conditions 5 --epochs 40",
    "exponents": "netdyn exponents model.py:net --data digits --samples 200 --learning-rate 3 "
    "--conditions 5 --epochs 60",
}
_STATUS = """\
exit status:
  0  there is an answer
  1  an error, told in one line; NETDYN_TRACEBACK=1 shows where an unforeseen one arose
  2  a call that is not understood
  3  computed, and no answer: the search did not converge, or no exponent (its reason is told);
     of experiments: pieces are missing
  130  stopped by Ctrl-C
"""


_MODEL = "a module in a Python file, or what makes one: a class, or a function without arguments"
_DATA = (
    "a file .npz with x and y; a file .csv with a column y and the inputs in the others; "
    "FILE:NAME, a pair (x, y) in a Python file, or a function that gives it; or a data set: "
    "iris, digits, mnist …"
)
#: Options of both verbs: name → (type, default, help); one whose default is ``...`` must be given.
_OPTIONS = {
    "samples": (int, None, "take the first so many (default: all)"),
    "loss": (
        str,
        None,
        "a loss of torch.nn, as HuberLoss, or FILE:NAME (default: cross-entropy for targets that "
        "are whole numbers, half the summed squared error for others)",
    ),
    "initialisation": (
        str,
        "normal",
        "normal: weights N(0, 1) and biases 0, as in the papers (the default); normal-all; glorot; "
        "or pytorch: as the layers draw their own",
    ),
    "conditions": (int, 12, "initial conditions (default: 12)"),
    "copies": (int, 1, "perturbed copies of each (default: 1)"),
    "radius": (float, 1e-8, "distance of the copies (default: 1e-8)"),
    "epochs": (int, 100, "for which they are followed (default: 100)"),
    "seed": (int, 0, "of initial conditions and copies (default: 0)"),
    "device": (str, "auto", "cpu, cuda or auto (the default: a GPU where there is one)"),
}
_OWN = {
    "sweetspot": {
        "low": (float, None, "lower learning rate to begin at (default: 0.001)"),
        "high": (float, None, "higher one (default: 10 × low)"),
        "level": (float, None, "share of initial conditions to reach (default: 0.9)"),
        "tolerance": (float, None, "ratio of learning rates to end at (default: 1.3)"),
    },
    "exponents": {
        "learning-rate": (float, ..., "of gradient descent"),
        "leading": (int, 1, "leading exponents of the tangent map to measure (default: 1)"),
    },
}
_WHAT = {
    "sweetspot": "Find the smallest learning rate at which nearby networks part exponentially from "
    "nearly every initial condition, by bisection.",
    "exponents": "Train an ensemble at one learning rate, with slightly perturbed copies, and "
    "measure how fast they part; say of each exponent of the tangent map in how many networks it "
    "has converged.",
}


def parser():
    """Return the parser of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser("netdyn", None, _ABOUT, _STATUS, formatter_class=raw)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in HANDED:  # main hands on before it parses; here they are known verbs
        verbs.add_parser(verb, add_help=False)
    for verb, own in _OWN.items():
        said = _EXAMPLE.format(call=_EXAMPLES[verb]) + "\n" + _STATUS
        one = verbs.add_parser(verb, description=_WHAT[verb], epilog=said, formatter_class=raw)
        one.add_argument("model", metavar="FILE:MODEL", help=_MODEL)
        one.add_argument("--data", required=True, help=_DATA)
        for name, (kind, default, about) in (own | _OPTIONS).items():
            given = dict(required=True) if default is ... else dict(default=default)
            one.add_argument(f"--{name}", type=kind, metavar="X", help=about, **given)
        one.add_argument("--json", action="store_true", help="print one JSON object, NaN as null")
    return top


def main(argv=None):
    """Run one verb and return the exit status, as ``netdyn --help`` says."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in HANDED:
        return jobs.status(lambda: import_module(HANDED[argv[0]]).main(argv[1:]))
    words = parser().parse_args(argv)
    return jobs.status(lambda: _VERBS[words.verb](words), stopped="\nstopped; nothing is kept")


def program():
    """Run the command; of experiments, which keep what is finished, signals stop it at once."""
    if sys.argv[1:2] == ["experiments"]:
        jobs.program(main)
    sys.exit(main())


# What is given


def taken(place, called=True):
    """Return what ``FILE:NAME`` names in a Python file, a function or a class ``called``.

    Raises ValueError that names the file and, of an error in it, the line.
    """
    file, _, name = place.rpartition(":")
    path = Path(file).resolve()
    if not name or path.suffix != ".py" or not path.is_file():
        raise ValueError(f"{place!r}: expected FILE:NAME, a Python file that is there and a name")
    sys.path.insert(0, str(path.parent))  # as when it is run
    spec = spec_from_file_location(f"_given_{path.stem}", path)
    module = sys.modules[spec.name] = module_from_spec(spec)
    with _within(path):
        spec.loader.exec_module(module)
    if not hasattr(module, name):
        known = ", ".join(known for known in sorted(vars(module)) if known[0] != "_")
        raise ValueError(f"{path.name} has no {name!r}; it has {known or 'nothing'}")
    found = getattr(module, name)
    if called and (inspect.isfunction(found) or inspect.isclass(found)):
        with _within(path):
            return found()
    return found


@contextmanager
def _within(path):
    """Any error of the file's code as a ValueError that says where it arose."""
    try:
        yield
    except Exception as error:
        lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f"{path.name}, line {lines[-1].lineno}" if lines else path.name
        raise ValueError(f"{where}: {type(error).__name__}: {error}") from error


def samples(place, count=None):
    """Return inputs x and targets y, the first ``count``, from a file or of a known data set."""
    if place.endswith(".npz"):
        import numpy as np

        with np.load(place) as held:
            if not {"x", "y"} <= set(held):
                what = f"{place} has {', '.join(held) or 'nothing'}: expected x and y"
                raise ValueError(f"{what}; numpy.savez(file, x=inputs, y=targets) writes them")
            x, y = held["x"], held["y"]
    elif place.endswith(".csv"):
        import pandas as pd

        table = pd.read_csv(place)
        if "y" not in table or table.shape[1] < 2:
            raise ValueError(f"{place} has the columns {', '.join(table)}: expected y and inputs")
        x, y = table.drop(columns="y").to_numpy(), table["y"].to_numpy()
    elif ":" in place:
        found = taken(place)
        if not isinstance(found, (tuple, list)) or len(found) != 2:
            raise ValueError(f"{place!r} is {type(found).__name__}: expected a pair (x, y)")
        x, y = found
    else:
        from .tasks import datasets

        split = datasets.get(place)
        x, y = split.x, split.y
    return x[:count], y[:count]


def task(words):
    """Return the task of a command line's model, data and loss."""
    import torch

    from .tasks import losses, tasks
    from .torch_utils import resolve

    if words.samples is not None:
        whole(words.samples, "--samples", 1)
    x, y = samples(words.data, words.samples)
    if words.loss is None:
        loss = losses.default(y)
    elif ":" in words.loss:
        loss = taken(words.loss, called=False)
    elif words.loss.endswith("Loss") and hasattr(torch.nn, words.loss):
        loss = getattr(torch.nn, words.loss)()
    else:
        known = ", ".join(name for name in dir(torch.nn) if name.endswith("Loss"))
        raise ValueError(f"--loss {words.loss}: torch.nn has {known}; or give FILE:NAME")
    how = dict(initialisation=words.initialisation)
    return tasks.custom(words.model, taken(words.model), loss, x, y, **how).to(
        resolve(words.device)
    )


# What is asked


def _sweetspot(words):
    from .experiments import sweet_spot

    names = [field.name for field in fields(sweet_spot.Search)]
    given = {name: value for name, value in vars(words).items() if name in names}
    search = sweet_spot.Search(**{n: v for n, v in given.items() if v is not None})
    try:
        spot = sweet_spot.find(task(words), search=search, seed=words.seed)
    except sweet_spot.NoBracket as error:
        return _tell(words, {"learning_rate": math.nan, "reason": str(error)}, [], str(error))
    lines = [f"learning rate with developed sensitivity: {spot.learning_rate:.4g}"]
    lines += [
        f"  η = {one.learning_rate:<9.4g} p = {one.share}, λ = {one.exponent}"
        for one in spot.probes
    ]
    lines += [f"cost: {spot.cost_epochs:,} network-epochs", spot.reason]
    return _tell(
        words, asdict(spot), lines, "" if spot.converged else "the search did not converge"
    )


def _exponents(words):
    import numpy as np

    from .curvature import jacobian
    from .lyapunov import benettin, growth_fits
    from .statistics.intervals import bootstrap_interval
    from .tasks import networks
    from .training.gradient_descent import GradientDescent, run

    made, last = task(words), words.epochs
    descent = GradientDescent(made, words.learning_rate)
    start = made.initial(words.conditions, words.seed)
    balls = networks.perturbed(start, words.radius, words.copies, words.seed)
    record = run(descent, balls, last, observe=("mean_distance",))
    answer = growth_fits.summarise(growth_fits.best_fit(record["mean_distance"]), seed=words.seed)
    advance = jacobian.of_descent(descent)
    spectrum = benettin.spectrum(advance, start, last, words.leading)
    growth, verdicts = spectrum.exponents(), spectrum.convergence().verdict  # (n, k)
    finite = growth[np.isfinite(growth).all(1)]
    gone = len(growth) - len(finite)
    tangent = [
        bootstrap_interval(values, seed=words.seed) for values in finite.T if len(values) > 1
    ]
    lines = [
        f"exponent per epoch, of copies {words.radius:g} apart: {answer.exponent}",
        f"share of initial conditions with exponential growth: {answer.share}",
    ]
    lines += [f"exponent {k} of the tangent map: {one}" for k, one in enumerate(tangent, 1)]
    converged = [dict(zip(*np.unique(column, return_counts=True))) for column in verdicts.T]
    for k, counts in enumerate(converged, 1):
        told = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items())
        lines.append(f"has exponent {k} converged after {last} epochs? {told} of {len(growth)}")
    if gone:
        lines.append(f"{gone} of {len(growth)} networks diverged, and have no tangent exponents")
    found = asdict(answer) | {"tangent": [asdict(one) for one in tangent], "diverged": gone}
    found["convergence"] = [{str(v): int(n) for v, n in one.items()} for one in converged]
    return _tell(words, found, lines, answer.reason)


def _tell(words, found, lines, lacking):
    """Print an answer, and why it is none where something is ``lacking``; return the status."""
    if words.json:
        plain = json.dumps(found, default=lambda value: value.item())
        print(json.dumps(json.loads(plain, parse_constant=lambda _: None), ensure_ascii=False))
    else:
        print("\n".join(lines), end="\n" * bool(lines))
    if lacking:
        print(f"no answer: {lacking}", file=sys.stderr)
    return jobs.INCOMPLETE if lacking else 0


_VERBS = {"sweetspot": _sweetspot, "exponents": _exponents}


if __name__ == "__main__":
    program()
