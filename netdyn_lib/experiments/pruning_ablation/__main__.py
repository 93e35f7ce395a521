"""Command line of the arms: ``python -m netdyn_lib.experiments.pruning_ablation --help``."""

import argparse
import sys

from .. import jobs, sizes
from . import arm


def main(argv=None):
    """Run one verb; the exit status is 0 where all is done, 3 where networks are missing, 1 for an
    error, 130 after a signal.
    """
    words = _parser().parse_args(argv)

    def work():
        names = _chosen(words.names, words.profile)
        return _VERBS[words.verb](
            words, names, [arm.get(name, words.profile, words.seed) for name in names]
        )

    return jobs.status(work, "segments")


def _parser():
    top = argparse.ArgumentParser(
        prog="python -m netdyn_lib.experiments.pruning_ablation",
        description="Pruned descent, arm by arm, of the chapter on Hessian chaos.",
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="follow the networks that a store lacks")
    run.add_argument("--time-limit", type=float, metavar="SECONDS", help="for all together")
    run.add_argument(
        "--workers", type=int, default=1, help="processes, each on one core (default: 1)"
    )
    publish = verbs.add_parser(
        "publish", help="write what the book shows of the arms, a file for each task"
    )
    publish.add_argument("--out", help="folder (default: book/results/arms)")
    listing = verbs.add_parser(
        "list", help="the arms in order of value, and how many of their networks a store has"
    )
    listing.add_argument(
        "--time", action="store_true", help="also what a step of each takes on this machine"
    )
    for verb in (run, publish, listing):
        verb.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help=f"an arm, or all of a task; all by default: {', '.join(arm.names())}",
        )
        verb.add_argument("--profile", default="laptop", choices=sizes.PROFILES)
        verb.add_argument(
            "--store", default="_build/store", help="folder of the store (default: _build/store)"
        )
        verb.add_argument("--seed", type=int, default=0)
    return top


def _chosen(given, profile):
    """Names of arms, of tasks each replaced by its arms, each once; where none are given, of tasks
    whose data are at hand.
    """
    found = {}
    for name in given or [task for task in arm.tasks(profile) if _at_hand(task)]:
        found |= dict.fromkeys(arm.names(name, profile) if name in arm.tasks(profile) else [name])
    return list(found) if given else [name for name in arm.names(profile=profile) if name in found]


def _at_hand(task):
    from ...tasks import datasets, tasks

    source = datasets.archive(tasks.recipe(task).data)
    here = source is None or datasets.available(source)
    if not here:
        print(
            f"NOTE: without the arms of {task!r}: {datasets.about(source).title} is not at hand (set NETDYN_DATA)",
            file=sys.stderr,
            flush=True,
        )
    return here


def _run(words, names, arms):
    from ...validation import positive, whole
    from . import results, running

    workers = whole(words.workers, "workers", 1)
    had = _had(arms)
    rest = [*(one.name for one in had), "--profile", words.profile]
    rest += ["--seed", str(words.seed), "--store", words.store]
    if words.time_limit is not None:
        rest += ["--time-limit", str(positive(words.time_limit, "--time-limit", "seconds"))]
    with results.helpers(min(workers, running.lacks(had, words.store)) - 1, rest):
        running.run(had, words.store, words.time_limit)
    told = _told(had, words.store)
    return told if had == arms else 1


def _had(arms):
    """Those of some arms whose tasks' data can be had; of each other task an error is told."""
    from ...tasks import tasks
    from ...tasks.datasets import DamagedData, MissingData

    lacking = set()
    for task in dict.fromkeys(one.task for one in arms):
        try:
            tasks.get(task)
        except (MissingData, DamagedData) as error:
            print(f"ERROR: {task}: {error}", file=sys.stderr, flush=True)
            lacking.add(task)
    return [one for one in arms if one.task not in lacking]


def _told(arms, store, more=lambda one: ""):
    from . import running

    lacking = 0
    for one in arms:
        missing = running.lacks([one], store)
        print(
            f"{one.name}: {one.networks - missing} of {one.networks} networks done{more(one)}",
            flush=True,
        )
        lacking += missing
    return jobs.INCOMPLETE if lacking else 0


def _publish(words, names, arms):
    from . import published

    for task in dict.fromkeys(one.task for one in arms):
        path = published.write([one for one in arms if one.task == task], words.store, words.out)
        known = published.load(task, path.parent)
        print(
            f"{path}: {known.sizes['arm']} arms, {int(known['present'].sum())} networks, {path.stat().st_size / 1e6:.2f} MB",
            flush=True,
        )
    return 0


def _list(words, names, arms):
    from ...tasks import tasks
    from . import measuring

    def time(one):
        if not words.time:
            return f", {one.steps:,} steps each"
        seconds = measuring.cost(tasks.get(one.task), one)
        return f", {one.steps:,} steps each; {1e3 * seconds:.1f} ms a step, {seconds * one.steps / 60:.1f} minutes a network"

    _told(arms, words.store, time)
    return 0


_VERBS = {"run": _run, "publish": _publish, "list": _list}


if __name__ == "__main__":
    jobs.program(main, "segments")
