"""The one command of all experiments: ``python -m netdyn_lib.experiments --help``."""

import argparse
import secrets
import sys
from functools import partial
from importlib import import_module

from ..validation import positive, whole
from . import jobs, sizes

#: Modules with ``names(profile)`` and ``get(name, profile, seed)``.
CATALOGUES = (
    "learning_rate_sweep.grid",
    "outcome_prediction.campaign",
    "pruning_ablation.arm",
    "chaos_or_step.experiment",
    "exponent_map.grid",
    "function_growth.grid",
)

#: Modules with ``published()`` and ``recompute(name, token)`` of datasets that no campaign
#: computes, by folder of ``book/results``.
DATASETS = {
    "leading": "spectra",
    "spectra": "sgd_spectra",
    "twins": "perturbation_growth.experiment",
}


def names(profile="laptop"):
    """Return name → the module that knows it, of every experiment of the book."""
    modules = [import_module(f"{__package__}.{module}") for module in CATALOGUES]
    return {name: module for module in modules for name in module.names(profile)}


def get(name, profile="laptop", seed=0):
    """Return an experiment of the book, or a part of one, as ``usps/negative``.

    Raises ValueError for an unknown name; the message lists the known.
    """
    known = names(profile)
    owner = known.get(name) or known.get(name.partition("/")[0])
    if owner is None:
        raise ValueError(f"unknown experiment {name!r}; known: {', '.join(known)}")
    return owner.get(name, profile, seed)


def parser():
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m netdyn_lib.experiments",
        description="The book's experiments: what there is, what is done, and doing the rest.",
        epilog="A run that is stopped, by its time limit or by a signal, keeps every piece that is "
        "finished; the same command goes on from there, also from published results.",
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="compute the pieces that are neither stored nor published")
    show = verbs.add_parser("list", help="what is done and what is missing")
    publish = verbs.add_parser("publish", help="write what is known to one file for the book")
    check = verbs.add_parser("check", help="recompute a part of published results, and compare")
    run.add_argument("--time-limit", type=float, metavar="SECONDS", help="for all names together")
    run.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers compute")
    run.add_argument(
        "--workers",
        type=int,
        help="threads of one piece (default: all); of experiments on one thread, processes",
    )
    for verb in (run, show, publish, check):
        need = "+" if verb in (run, publish) else "*"
        verb.add_argument(
            "names", nargs=need, metavar="NAME", help="in this order; `list` shows all"
        )
        verb.add_argument("--out", help="folder of published files (default: the book's)")
    for verb in (run, show, publish):
        verb.add_argument("--profile", default="laptop", choices=sizes.PROFILES)
        verb.add_argument(
            "--store", default="_build/store", help="folder of pieces (default: _build/store)"
        )
        verb.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 or auto")
        verb.add_argument("--seed", type=int, default=0)
    for verb in (run, show):
        verb.add_argument("--fresh", action="store_true", help="what is published does not count")
    return top


def main(argv=None):
    """Run one verb.

    The exit status is 0 where all is done, 3 where pieces are missing, 1 for an error and 130 after
    a signal.  Data that cannot be had are an error of their experiment; the others are computed.
    """
    words = parser().parse_args(argv)
    return jobs.status(lambda: _VERBS[words.verb](words))


def _chosen(words):
    return [get(name, words.profile, words.seed) for name in words.names or names(words.profile)]


def _plans(words):
    """Plans of those experiments whose data can be had; of the others, name → error."""
    from ..tasks.datasets import DamagedData, MissingData
    from . import campaign

    plans, lacking = [], {}
    for one in _chosen(words):
        known = None if words.fresh else words.out or True
        try:
            plans.append(campaign.plan(one, words.store, words.device, known))
        except (MissingData, DamagedData) as error:
            lacking[one.name] = error
    return plans, lacking


def _run(words):
    from . import campaign

    workers = None if words.workers is None else whole(words.workers, "workers", 1)
    limit = words.time_limit
    limit = None if limit is None else positive(limit, "--time-limit", "seconds")
    plans, lacking = _plans(words)
    for name, error in lacking.items():
        print(f"ERROR: {name}: {error}", file=sys.stderr, flush=True)
    single = bool(plans) and all(plan.experiment.single for plan in plans)
    more = min(workers or 1, sum(len(plan.missing) for plan in plans)) - 1
    call = [plan.experiment.name for plan in plans]
    call += ["--profile", words.profile, "--seed", words.seed, "--store", words.store]
    call += ["--out", words.out] if words.out else []
    call += ["--fresh"] if words.fresh else []
    with jobs.helpers(more if single and not words.scheduler else 0, call):
        how = 1 if single else workers, limit, words.scheduler
        outcomes = campaign.run(plans, words.store, words.device, *how)
    for done in outcomes:
        line = f"{done.name}: {done.kept} kept, "
        line += f"{done.published} published, " if done.published else ""
        line += f"{done.computed} computed in {done.seconds:.0f} s"
        line += f", {done.elsewhere} by another process" if done.elsewhere else ""
        line += f", {done.missing} missing ({done.stopped})" if done.missing else ""
        print(line, flush=True)
    incomplete = any(done.missing for done in outcomes)
    return 1 if lacking else jobs.INCOMPLETE if incomplete else 0


def _list(words):
    plans, lacking = _plans(words)
    for name, error in lacking.items():
        print(f"{name}: its data cannot be had: {str(error).splitlines()[0]}")
    for plan in plans:
        one, done = plan.experiment, len(plan.have)
        more = f" and {len(plan.known)} published" if plan.known else ""
        print(f"{one.name} ({words.profile}): {done} of {len(plan.jobs)} {one.unit} stored{more}")
        for piece in plan.missing if words.names else []:
            print(f"  missing: {piece}")
    incomplete = lacking or any(plan.missing for plan in plans)
    return jobs.INCOMPLETE if incomplete else 0


def _publish(words):
    from . import campaign

    for one in _chosen(words):
        path = one.published.write(campaign.load(one, words.store, words.device), words.out)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", flush=True)
    return 0


def _check(words):
    from ..tasks.datasets import DamagedData, MissingData
    from .published import Unchecked, verified

    token, checks, damaged = secrets.token_hex(4), [], False
    for name, recompute in [*_published(words)]:  # a wrong name before anything is computed
        try:
            checks.append(recompute(token))
        except MissingData:
            checks.append(Unchecked(name))
        except DamagedData as error:  # of one experiment; the others are checked
            print(f"ERROR: {name}: {error}", file=sys.stderr, flush=True)
            damaged = True
            continue
        print(checks[-1], flush=True)
    return 0 if verified(checks) and not damaged else 1


def _published(words):
    """Names, and what recomputes a part of each, ``recompute(token)``: those asked for, or all that
    is published.
    """
    others = {}  # in the book; another folder has campaigns only
    for folder, module in DATASETS.items() if words.out is None else ():
        owner = import_module(f"{__package__}.{module}")
        others |= {f"{folder}/{name}": partial(owner.recompute, name) for name in owner.published()}
    for name in words.names or names("paper"):
        if name in others:
            yield name, others[name]
            continue
        one = get(name, "paper")
        if words.names or one.shelf.path(one.home, words.out).exists():
            yield one.name, partial(one.published.recompute, one.home, root=words.out)
    yield from () if words.names else others.items()


_VERBS = {"run": _run, "list": _list, "publish": _publish, "check": _check}


if __name__ == "__main__":
    jobs.program(main)
