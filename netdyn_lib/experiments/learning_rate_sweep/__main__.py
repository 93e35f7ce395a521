"""Command line of the sweeps: ``python -m netdyn_lib.experiments.learning_rate_sweep --help``."""

import argparse
import sys

from .. import jobs, sizes
from . import named


def parser():
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m netdyn_lib.experiments.learning_rate_sweep",
        description="The book's sweeps: what there is, what is done, and doing the rest.",
        epilog="A run that is stopped, by its time limit or by a signal, keeps every shard that is finished; the same command goes on from there.",
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    known = ", ".join(named.names())
    run = verbs.add_parser("run", help="compute the shards that a store lacks")
    run.add_argument("names", nargs="+", metavar="NAME", help=f"in this order: {known}")
    run.add_argument(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="begin no shard that would not be finished by then, for all names together",
    )
    run.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask scheduler whose workers compute"
    )
    run.add_argument("--workers", type=int, help="threads of one shard (default: all)")
    show = verbs.add_parser("list", help="what is done and what is missing")
    show.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    publish = verbs.add_parser(
        "publish", help="write what a store has of a sweep to one file for the book"
    )
    publish.add_argument("names", nargs="+", metavar="NAME")
    publish.add_argument("--out", default="book/results", help="folder (default: book/results)")
    for verb in (run, show, publish):
        verb.add_argument("--profile", default="laptop", choices=sizes.PROFILES)
        verb.add_argument(
            "--store", default="_build/store", help="folder of shards (default: _build/store)"
        )
        verb.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 or auto")
        verb.add_argument("--seed", type=int, default=0)
    return top


def main(argv=None):
    """Run one verb.

    The exit status is 0 where all is done, 3 where shards are missing, 1 for an
    error and 130 after a signal.  Data that cannot be had are an error of their
    sweep; the other sweeps are computed.
    """
    words = parser().parse_args(argv)

    def work():
        sweeps = [
            named.get(name, words.profile, words.seed) for name in (words.names or named.names())
        ]
        return {"run": _run, "list": _list, "publish": _publish}[words.verb](sweeps, words)

    return jobs.status(work, "shards")


def program():
    """The command line as a program, which signals stop."""
    jobs.program(main, "shards")


def _run(sweeps, words):
    from ...tasks.datasets import DamagedData, MissingData
    from .running import run

    remaining = jobs.countdown(words.time_limit)
    incomplete = failed = False
    for sweep in sweeps:
        left = remaining()
        if left is not None and left <= 0:
            print(f"{sweep.name}: not begun, time limit", flush=True)
            incomplete = True
            continue
        try:
            done = run(sweep, words.store, words.device, words.scheduler, words.workers, left)
        except (MissingData, DamagedData) as error:  # the other sweeps may have theirs
            print(f"ERROR: {sweep.name}: {error}", file=sys.stderr, flush=True)
            failed = True
            continue
        line = f"{sweep.name}: {done.kept} shards kept, {done.computed} computed in {done.seconds:.0f} s"
        line += f", {done.elsewhere} computed by another process" if done.elsewhere else ""
        line += f", {done.missing} missing ({done.stopped})" if done.missing else ""
        print(line, flush=True)
        incomplete |= done.missing > 0
    return 1 if failed else jobs.INCOMPLETE if incomplete else 0


def _list(sweeps, words):
    from ...tasks.datasets import DamagedData, MissingData
    from .running import plan

    incomplete = False
    for sweep in sweeps:
        try:
            found = plan(sweep, words.store, words.device)
        except (MissingData, DamagedData) as error:
            print(f"{sweep.name}: its data cannot be had: {str(error).splitlines()[0]}")
            incomplete = True
            continue
        print(
            f"{sweep.name} ({words.profile}): {len(found.have)} of {len(found.keys)} shards done, {sweep.network_epochs:,} network-epochs in all"
        )
        for shard in found.missing if words.names else []:
            print(f"  missing: {shard}")
        incomplete |= bool(found.missing)
    return jobs.INCOMPLETE if incomplete else 0


def _publish(sweeps, words):
    from . import dataset, published

    for sweep in sweeps:
        data = dataset.load(sweep, words.store, words.device)
        path = published.write(data, words.out)
        share = f"{int(data['present'].sum())} of {data['present'].size} initial conditions and learning rates"
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {share}")
    return 0


if __name__ == "__main__":
    program()
