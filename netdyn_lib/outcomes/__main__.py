"""Command line of the campaigns: ``python -m netdyn_lib.outcomes --help``."""

import argparse
import signal
import sys

from .. import profiles
from . import campaign


def main(argv=None):
    """Run one verb; the exit status is 0 where all is done, 3 where blocks are missing, 1 for an error, 130 after a signal."""
    top = argparse.ArgumentParser(prog="python -m netdyn_lib.outcomes", description="The campaigns of the chapter on prediction.")
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="compute the blocks that a store lacks")
    run.add_argument("--time-limit", type=float, metavar="SECONDS", help="for each campaign")
    run.add_argument("--workers", type=int, help="threads (default: all)")
    publish = verbs.add_parser("publish", help="write what the book shows of a campaign to one file")
    publish.add_argument("--out", help="folder (default: book/results/outcomes)")
    for verb in (run, publish):
        verb.add_argument("names", nargs="*", metavar="NAME", help=f"all by default: {', '.join(campaign.names())}")
        verb.add_argument("--profile", default="laptop", choices=profiles.PROFILES)
        verb.add_argument("--store", default="_build/store", help="folder of blocks (default: _build/store)")
        verb.add_argument("--seed", type=int, default=0)
    words = top.parse_args(argv)
    from . import published, running

    lacking = 0
    try:
        for one in [campaign.get(name, words.profile, words.seed) for name in words.names or campaign.names()]:
            if words.verb == "run":
                kept, missing = running.run(one, words.store, words.workers, words.time_limit)
                print(f"{one.name}: {len(one.blocks()) - missing} of {len(one.blocks())} blocks done, {kept} of them before", flush=True)
                lacking += missing
            else:
                path = published.write(running.load(one, words.store), one, root=words.out)
                print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", flush=True)
    except (ValueError, OSError, KeyError) as error:
        print(f"ERROR: {error.args[0] if isinstance(error, KeyError) else error}", file=sys.stderr)  # a KeyError's text is in quotes
        return 1
    except KeyboardInterrupt:
        print("\nstopped; finished blocks are kept, and the same command goes on from there", file=sys.stderr)
        return 130
    return 3 if lacking else 0


def _interrupt(_number, _frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
