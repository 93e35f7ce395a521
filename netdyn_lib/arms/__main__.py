"""Command line of the arms: ``python -m netdyn_lib.arms --help``."""

import argparse
import signal
import sys

from .. import profiles
from . import arm

_DONE = 0
_LACKING = 3


def main(argv=None):
    """Run one verb; the exit status is 0 where all is done, 3 where networks are missing, 1 for an error, 130 after a signal."""
    words = _parser().parse_args(argv)
    try:
        names = _chosen(words.names, words.profile)
        return _VERBS[words.verb](words, names, [arm.get(name, words.profile, words.seed) for name in names])
    except (ValueError, OSError, KeyError) as error:
        print(f"ERROR: {error.args[0] if isinstance(error, KeyError) else error}", file=sys.stderr)  # a KeyError's text is in quotes
        return 1
    except KeyboardInterrupt:
        print("\nstopped; finished segments are kept, and the same command goes on from there", file=sys.stderr)
        return 130


def _parser():
    top = argparse.ArgumentParser(prog="python -m netdyn_lib.arms", description="Pruned descent, arm by arm, of the chapter on Hessian chaos.")
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="follow the networks that a store lacks")
    run.add_argument("--time-limit", type=float, metavar="SECONDS", help="for all together")
    run.add_argument("--workers", type=int, default=1, help="processes, each on one core (default: 1)")
    publish = verbs.add_parser("publish", help="write what the book shows of the arms, a file for each task")
    publish.add_argument("--out", help="folder (default: book/results/arms)")
    listing = verbs.add_parser("list", help="the arms in order of value, and how many of their networks a store has")
    listing.add_argument("--time", action="store_true", help="also what a step of each takes on this machine")
    for verb in (run, publish, listing):
        verb.add_argument("names", nargs="*", metavar="NAME", help=f"an arm, or all of a task; all by default: {', '.join(arm.names())}")
        verb.add_argument("--profile", default="laptop", choices=profiles.PROFILES)
        verb.add_argument("--store", default="_build/store", help="folder of the store (default: _build/store)")
        verb.add_argument("--seed", type=int, default=0)
    return top


def _chosen(given, profile):
    """Names of arms, of tasks each replaced by its arms, each once; where none are given, of tasks whose data are at hand."""
    found = {}
    for name in given or [task for task in arm.tasks(profile) if _at_hand(task)]:
        found |= dict.fromkeys(arm.names(name, profile) if name in arm.tasks(profile) else [name])
    return list(found) if given else [name for name in arm.names(profile=profile) if name in found]


def _at_hand(task):
    from .. import archives, data, tasks

    source = data.archive(tasks.recipe(task).data)
    here = source is None or archives.available(source)
    if not here:
        print(f"NOTE: without the arms of {task!r}: {archives.about(source).title} is not at hand (set NETDYN_DATA)", file=sys.stderr, flush=True)
    return here


def _run(words, names, arms):
    from ..checks import whole
    from . import results, running

    workers = whole(words.workers, "workers", 1)
    rest = [*names, "--profile", words.profile, "--seed", str(words.seed), "--store", words.store]
    if words.time_limit is not None:
        rest += ["--time-limit", str(words.time_limit)]
    lacking = running.lacks(arms, words.store)
    with results.helpers(min(workers, lacking) - 1, rest):
        running.run(arms, words.store, words.time_limit)
    return _told(arms, words.store)


def _told(arms, store, more=lambda one: ""):
    from . import running

    lacking = 0
    for one in arms:
        missing = running.lacks([one], store)
        print(f"{one.name}: {one.networks - missing} of {one.networks} networks done{more(one)}", flush=True)
        lacking += missing
    return _LACKING if lacking else _DONE


def _publish(words, names, arms):
    from . import published

    for task in dict.fromkeys(one.task for one in arms):
        path = published.write([one for one in arms if one.task == task], words.store, words.out)
        known = published.load(task, path.parent)
        print(f"{path}: {known.sizes['arm']} arms, {int(known['present'].sum())} networks, {path.stat().st_size / 1e6:.2f} MB", flush=True)
    return _DONE


def _list(words, names, arms):
    from .. import tasks
    from . import measuring

    def time(one):
        if not words.time:
            return f", {one.steps:,} steps each"
        seconds = measuring.cost(tasks.get(one.task), one)
        return f", {one.steps:,} steps each; {1e3 * seconds:.1f} ms a step, {seconds * one.steps / 60:.1f} minutes a network"

    _told(arms, words.store, time)
    return _DONE


_VERBS = {"run": _run, "publish": _publish, "list": _list}


def _interrupt(_number, _frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
