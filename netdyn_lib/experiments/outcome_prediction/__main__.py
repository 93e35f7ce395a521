"""Command line of the campaigns: ``python -m netdyn_lib.experiments.outcome_prediction --help``."""

import argparse

from .. import jobs, sizes
from . import campaign


def main(argv=None):
    """Run one verb; the exit status is 0 where all is done, 3 where blocks are missing, 1 for an
    error, 130 after a signal.
    """
    top = argparse.ArgumentParser(
        prog="python -m netdyn_lib.experiments.outcome_prediction",
        description="The campaigns of the chapter on prediction.",
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="compute the blocks that a store lacks")
    run.add_argument("--time-limit", type=float, metavar="SECONDS", help="for all together")
    run.add_argument("--workers", type=int, help="threads (default: all)")
    publish = verbs.add_parser(
        "publish", help="write what the book shows of a campaign to one file"
    )
    publish.add_argument("--out", help="folder (default: book/results/outcomes)")
    for verb in (run, publish):
        verb.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help=f"all by default: {', '.join(campaign.names())}",
        )
        verb.add_argument("--profile", default="laptop", choices=sizes.PROFILES)
        verb.add_argument(
            "--store", default="_build/store", help="folder of blocks (default: _build/store)"
        )
        verb.add_argument("--seed", type=int, default=0)
    words = top.parse_args(argv)

    def work():
        names = words.names or campaign.names()
        campaigns = [campaign.get(name, words.profile, words.seed) for name in names]
        return {"run": _run, "publish": _publish}[words.verb](campaigns, words)

    return jobs.status(work, "blocks")


def _run(campaigns, words):
    from . import running

    remaining, lacking = jobs.countdown(words.time_limit), 0
    for one in campaigns:
        left, blocks = remaining(), len(one.blocks())
        if left is not None and left <= 0:
            print(f"{one.name}: not begun, time limit", flush=True)
            lacking += blocks
            continue
        kept, missing = running.run(one, words.store, words.workers, left)
        done = f"{blocks - missing} of {blocks} blocks done, {kept} of them before"
        print(f"{one.name}: {done}", flush=True)
        lacking += missing
    return jobs.INCOMPLETE if lacking else 0


def _publish(campaigns, words):
    from . import published, running

    for one in campaigns:
        path = published.write(running.load(one, words.store), one, root=words.out)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", flush=True)
    return 0


if __name__ == "__main__":
    jobs.program(main, "blocks")
