"""Command line of the book: ``python -m netdyn_lib.book --help``."""

import argparse
import sys
from pathlib import Path

from ..experiments import jobs
from ..experiments.sizes import PROFILES
from .project import PipelineError, Project

_VERBS = {
    "execute": "execute the notebooks that changed, into _build/executed",
    "pair": "write the committed .ipynb of each source from its executed copy",
    "readme": "write the figure and the numbers of README.md from the committed notebooks",
    "site": "build _build/html from the executed copies, or the committed notebooks",
    "compare": "tell which verdicts of executed copies are not those of the committed notebooks",
    "record": "keep the executed copies of a profile, with their verdicts, in book/results/runs",
    "history": "write what git knows of changes of book/claims.yml to book/claims_history.yml",
    "supplement": "build the archive _build/supplement/netdyn-companion-VERSION.zip",
    "test-site": "build _build/test-site/html from the committed notebooks, warnings as errors",
}


def parser():
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m netdyn_lib.book", description="From notebooks to website."
    )
    where = "the repository (default: the working directory)"
    top.add_argument("--root", type=Path, default=Path.cwd(), help=where)
    verbs = top.add_subparsers(dest="verb", required=True)
    added = {verb: verbs.add_parser(verb, help=about) for verb, about in _VERBS.items()}
    run = added["execute"]
    run.add_argument("--device", default="auto", help="cpu, cuda or auto")
    run.add_argument("--seed", type=int, help="default: the one in each notebook")
    run.add_argument("--fresh", action="store_true", help="execute also what did not change")
    at_once = "notebooks at once (default: as many as there are cores, at most 3)"
    run.add_argument("--jobs", type=_count, help=at_once)
    without = "leave out book.pdf, which needs Chromium"
    added["supplement"].add_argument("--without-pdf", action="store_true", help=without)
    for verb in ("execute", "pair", "compare", "site", "supplement"):
        added[verb].add_argument("--profile", default="laptop", choices=PROFILES)
    added["record"].add_argument("--profile", required=True, choices=PROFILES)
    for verb in ("execute", "pair", "record", "site"):
        some = "prefixes of notebooks, such as 01,03"
        added[verb].add_argument("--only", default="", help=some)
    shown = "show the committed notebooks, whatever was executed here"
    added["site"].add_argument("--committed", action="store_true", help=shown)
    return top


def _count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of notebooks: give 1 or more")
    return int(text)


def main(argv=None):
    """Run one verb and return the exit status.

    It is 0 where the verb worked, 1 for an error, told in a line, and 130 after Ctrl-C.
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
        kept = "what was finished is kept, and the next run goes on from there"
        print(f"\ninterrupted; {kept}", file=sys.stderr)
        return 130
    return 0


def _call(project, words):
    # Imported here, because each verb takes seconds to import what only it needs.
    if words.verb == "execute":
        from .execute import Way, execute

        way = Way(words.profile, words.device, words.seed)
        execute(project, way, words.only, words.fresh, words.jobs, log=_say)
    elif words.verb == "pair":
        from .notebooks import pair

        pair(project, words.profile, words.only, log=_say)
    elif words.verb == "readme":
        from .readme import write

        write(project, log=_say)
    elif words.verb == "compare":
        from .scorecard import compare

        compare(project, words.profile, log=_say)
    elif words.verb == "record":
        from .scorecard import record

        record(project, words.profile, words.only, log=_say)
    elif words.verb == "history":
        from .history import write

        write(project, log=_say)
    elif words.verb == "test-site" or words.verb == "site" and words.committed:
        from .site import Build, build_committed

        tested = Build(project.build / "test-site", "test", strict=True)
        shown = Build(project.build, "book")
        build_committed(project, tested if words.verb == "test-site" else shown, log=_say)
    elif words.verb == "site":
        from .site import build

        build(project, words.profile, words.only, log=_say)
    else:
        from .supplement import build

        build(project, words.profile, not words.without_pdf, log=_say)


def _say(line):
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
