"""All of it, or some parts: ``python -m tests.bench [--only iris,series] [--keep]``.

Rows are printed as they come and written to ``_build/bench/cpu.json``, those of some parts to
``_build/bench/parts.json``; ``--keep`` also writes them where the book shows them, if no part
failed and none was left out.  A part that fails is told, and the others go on.
"""

import argparse
import shutil
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import torch

from netdyn_lib.experiments import benchmarks
from netdyn_lib.results import provenance

from . import rivals

ROOT = Path(__file__).resolve().parents[2]
PARTS = tuple(
    "iris tangents pruning images convolutions sharpness monitor window_fits series growth".split()
)
KEPT = ROOT / "book" / "results" / "bench"


def main(argv=None):
    about = "Speed and memory of the engine, beside rivals of the same run."
    words = argparse.ArgumentParser(prog="python -m tests.bench", description=about)
    parts = f"parts, such as iris,series; of {', '.join(PARTS)}"
    words.add_argument("--only", default="", help=parts)
    kept = f"write the results to {KEPT.relative_to(ROOT)} too, for the book; of all parts only"
    words.add_argument("--keep", action="store_true", help=kept)
    words = words.parse_args(argv)
    chosen = words.only.split(",") if words.only else PARTS
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"unknown parts: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    if words.keep and set(chosen) != set(PARTS):
        sys.exit("--keep is for a run of all parts: rows of a file are measured together")
    about = provenance.describe()
    machine = f"{about['cpu_capability']}, {about['processor']}, {about['cores']} cores"
    print(f"PyTorch {torch.__version__}, {machine}", flush=True)
    rows, growths, begin, cores = [], [], time.perf_counter(), torch.get_num_threads()

    def keep(found):
        (rows if isinstance(found, benchmarks.Row) else growths).append(found)
        print(found, flush=True)
        save()

    def save():
        more = dict(commit=provenance.commit(), date=datetime.now(UTC).strftime("%Y-%m-%d"))
        more |= dict(duration_s=time.perf_counter() - begin)
        benchmarks.save(path, benchmarks.Results(about | more, tuple(rows), tuple(growths)))

    path = ROOT / "_build" / "bench" / ("parts.json" if words.only else "cpu.json")
    failed = []
    for part in chosen:
        torch.set_num_threads(cores)
        print(f"-- {part}", flush=True)
        before = len(rows) + len(growths)
        try:
            import_module(f"tests.bench.{part}").main(keep)
        except (Exception, SystemExit) as error:
            if not isinstance(error, SystemExit):
                traceback.print_exc()
            failed.append(f"{part}: {error}")
            continue
        if len(rows) + len(growths) == before:
            failed.append(f"{part}: measured nothing")
    failed += [f"left out: {name}" for name in rivals.MISSING]
    save()
    print(f"written: {path.relative_to(ROOT)}")
    if failed:
        kept = ", and nothing is kept for the book" * words.keep
        sys.exit("\n".join((f"not all was measured{kept}", *failed)))
    if words.keep:
        KEPT.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, KEPT / path.name)
        print(f"kept: {(KEPT / path.name).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
