"""Command line of the pipeline: ``python -m netdyn_lib.book --help``."""

import argparse
import sys
from pathlib import Path

from ..experiments import jobs
from ..experiments.sizes import PROFILES
from .project import PipelineError, Project


def parser():
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m netdyn_lib.book", description="From notebooks to website."
    )
    top.add_argument(
        "--root",
        type=Path,
        default=Path.cwd(),
        help="the repository (default: the working directory)",
    )
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser(
        "execute", help="execute the notebooks that changed, into _build/executed"
    )
    run.add_argument("--device", default="auto", help="cpu, cuda or auto")
    run.add_argument("--seed", type=int, help="default: the one in each notebook")
    run.add_argument("--fresh", action="store_true", help="execute also what did not change")
    pair = verbs.add_parser(
        "pair", help="write the committed .ipynb of each source from its executed copy"
    )
    keep = verbs.add_parser(
        "record",
        help="keep the executed copies of a profile as runs in book/results/runs, with their verdicts",
    )
    site = verbs.add_parser("site", help="build _build/html from the executed copies")
    supplement = verbs.add_parser(
        "supplement", help="build the archive _build/supplement/netdyn-companion-VERSION.zip"
    )
    supplement.add_argument(
        "--without-pdf", action="store_true", help="leave out book.pdf, which needs Chromium"
    )
    for verb in (run, pair, site, supplement):
        verb.add_argument("--profile", default="laptop", choices=PROFILES)
    keep.add_argument("--profile", required=True, choices=PROFILES)
    for verb in (run, pair, keep, site):
        verb.add_argument("--only", default="", help="prefixes of notebooks, such as 01,03")
    verbs.add_parser(
        "test-site",
        help="build _build/test-site/html from the committed notebooks, warnings as errors",
    )
    return top


def main(argv=None):
    """Run one verb; the exit status is 0 where it worked, 1 for an error, told in a line, and 130
    after Ctrl-C.
    """
    words = parser().parse_args(argv)
    project = Project(words.root.resolve())
    try:
        _call(project, words)
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        return jobs.tell(error)
    except KeyboardInterrupt:
        print(
            "\ninterrupted; what was finished is kept, and the next run goes on from there",
            file=sys.stderr,
        )
        return 130
    return 0


def _call(project, words):
    # Imported here, because each verb takes seconds to import what only it needs.
    if words.verb == "execute":
        from .execute import execute

        execute(project, words.profile, words.device, words.seed, words.only, words.fresh, log=_say)
    elif words.verb == "pair":
        from .pair import pair

        pair(project, words.profile, words.only, log=_say)
    elif words.verb == "record":
        from .recorded import record

        record(project, words.profile, words.only, log=_say)
    elif words.verb == "site":
        from .site import build

        build(project, words.profile, words.only, log=_say)
    elif words.verb == "supplement":
        from .supplement import build

        build(project, words.profile, not words.without_pdf, log=_say)
    else:
        from .site import build_committed

        build_committed(project, project.build / "test-site", log=_say)


def _say(line):
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
