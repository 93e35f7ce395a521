"""Run an experiment piece by piece: compute what is missing, keep each piece, go on after a stop.

An :class:`~netdyn_lib.experiments.pieces.Experiment` says what its pieces are, computes one, and
combines them to a dataset.
:func:`run` computes the pieces that a store lacks, in this process, in several that share the
store, or on a Dask cluster; :func:`load` combines those that are there.
"""

import dataclasses
import functools
import time
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from ..results import reading, store
from ..results.store import Store
from ..tasks import tasks
from ..torch_utils import Stopped, resolve
from ..validation import positive
from .pieces import MARGIN, Experiment, Job, Work, compute, is_good, say

_POLL = 0.5  # seconds between looks at pieces that another process computes


# What a store has


def default_store():
    """Return the store of the checkout that this library lies in, ``_build/store``."""
    return Path(__file__).resolve().parents[2] / "_build" / "store"


def _opened(folder):
    return folder if isinstance(folder, Store) else Store(folder or default_store())


@dataclass
class Plan:
    """The pieces of an experiment as jobs: those a store has, those published, those missing."""

    experiment: Experiment
    jobs: dict  # piece → Job
    have: list = field(default_factory=list)
    known: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    damaged: list = field(default_factory=list)


def plan(experiment, folder=None, device="auto", published=None):
    """Return a :class:`Plan`: look up every piece of an experiment in a store.

    Damaged pieces are named on stderr and set aside, so that they count as missing.  Pieces that
    published results hold count as done: those of the folder ``published``, or of the book where it
    is True.

    Raises
    ------
    ValueError
        For an unknown task or device.
    netdyn_lib.tasks.datasets.MissingData
        Where the task's data cannot be had.
    """
    kept, recipe = _opened(folder), tasks.recipe(experiment.task)
    device = "cpu" if experiment.processor else str(resolve(device))
    found, done, where = Plan(experiment, {}), (), None if published is True else published
    for piece in experiment.pieces():
        job = Job(experiment, piece, recipe, device)
        about = job.identity()
        job = found.jobs[piece] = dataclasses.replace(job, key=store.key(about))
        if published is not None and len(found.jobs) == 1:
            done = set(experiment.published.known(experiment, where, about))
        there = is_good(kept, job.key, lambda line, job=job: _tell(found, job, line))
        (found.have if there else found.known if piece in done else found.missing).append(piece)
    return found


def _tell(found, job, line):
    found.damaged.append(job.key)
    say(f"{job}: {line}")


def load(experiment, folder=None, device="auto", whole=None):
    """Return all that a store has of an experiment, combined to one dataset.

    Parameters
    ----------
    experiment : Experiment
    folder : path-like or Store, optional
    device : str
        The kind of device that computed.
    whole : bool, optional
        Whether pieces that are missing are an error; by default where the experiment says so.

    Raises
    ------
    KeyError
        Where the store holds no piece, or not all; the message says how many it lacks.
    """
    kept = _opened(folder)
    found = plan(experiment, kept, device)
    whole = not experiment.partial if whole is None else whole
    if not found.have or (whole and found.missing):
        raise KeyError(
            f"the store {kept.folder} lacks {len(found.missing)} of {len(found.jobs)} "
            f"{experiment.unit} of {experiment.name!r}: run it first"
        )
    return combined(experiment, shards(found, kept), kept.folder)


def shards(found, folder=None):
    """Return piece → :class:`~netdyn_lib.results.store.Shard` of what a store has by a plan."""
    kept = _opened(folder)
    return {piece: kept.read(found.jobs[piece].key) for piece in found.have}


def combined(experiment, found, source):
    """Return the dataset of pieces that were read from ``source``, which errors name."""
    with reading.of_kind(source, f"store of such {experiment.unit}"):
        return experiment.combine(found)


# Running


@dataclass(frozen=True)
class Outcome:
    """What a run did for one experiment: the number of pieces ``kept`` in the store from before,
    ``published``, ``computed`` now, ``elsewhere`` by another process meanwhile, and still
    ``missing``.

    ``damaged`` has the keys of pieces that were found damaged, set aside and computed again.
    ``stopped`` says why pieces are missing, empty where none is.
    """

    name: str
    kept: int
    published: int
    computed: int
    elsewhere: int
    missing: int
    damaged: tuple
    seconds: float
    stopped: str = ""


def run(experiments, folder=None, device="auto", workers=None, time_limit=None, scheduler=None):
    """Compute the pieces of an experiment that a store lacks.

    Stopped at any moment, killed too, it keeps finished pieces, and the same call goes on from
    there.  Processes that share a store share the work.

    Parameters
    ----------
    experiments : Experiment or Plan, or sequence of such
        In the order in which they are computed.
    folder : path-like or Store, optional
        The store, :func:`default_store` where not given.
    device : str
        As for :func:`netdyn_lib.torch_utils.resolve`; that of the workers, where there are any.
    workers : int, optional
        Threads of one piece: by default all of them here, and one on a cluster's worker.
    time_limit : float, optional
        Seconds after which the run stops.  A piece that would not be finished by then, judging by
        the longest so far, is not begun, unless it could be gone on with.
    scheduler : str or dask.distributed.Client, optional
        Address of a Dask scheduler, or a client of one: pieces are computed by its workers and
        written here.  Without it they are computed in this process.

    Returns
    -------
    Outcome, or list of Outcome for a sequence

    Raises
    ------
    ValueError
        For an unknown task or device, or a time limit that is not positive and finite.
    netdyn_lib.tasks.datasets.MissingData
        Where the task's data cannot be had.
    netdyn_lib.results.store.StoreError
        Where a piece cannot be written; those before it are kept.
    ConnectionError, RuntimeError
        Where no scheduler answers, a piece fails on its worker, or Dask is not installed.
    """
    began, deadline = time.monotonic(), None
    if time_limit is not None:
        deadline = began + positive(time_limit, "time_limit", "seconds")
    single, kept = isinstance(experiments, (Experiment, Plan)), _opened(folder)
    plans = [
        one if isinstance(one, Plan) else plan(one, kept, device)
        for one in ([experiments] if single else experiments)
    ]
    wanted = {p.jobs[piece].key: p.jobs[piece] for p in plans for piece in p.missing}
    with tqdm(total=len(wanted), unit="piece", disable=None, leave=False) as bar:
        if scheduler is None:
            work = functools.partial(Work, kept, workers)
            filled = fill(kept, wanted, lambda job, end: compute(job, work(end)), deadline, bar)
        else:
            try:
                from . import cluster  # Dask is needed only here
            except ImportError as error:
                raise RuntimeError(
                    f"a scheduler needs Dask, which is not installed ({error}): "
                    "pip install dask distributed"
                ) from error
            filled = cluster.fill(scheduler, wanted, kept, deadline, workers or 1, bar)
    outcomes = [_outcome(p, *filled, time.monotonic() - began) for p in plans]
    return outcomes[0] if single else outcomes


def _outcome(found, computed, elsewhere, stopped, seconds):
    keys = {found.jobs[piece].key for piece in found.missing}
    here, there = len(keys & set(computed)), len(keys & set(elsewhere))
    missing = len(keys) - here - there
    return Outcome(
        name=found.experiment.name,
        kept=len(found.have),
        published=len(found.known),
        computed=here,
        elsewhere=there,
        missing=missing,
        damaged=tuple(found.damaged),
        seconds=seconds,
        stopped=stopped if missing else "",
    )


def fill(kept, jobs, make, deadline=None, bar=None):
    """Compute pieces and write each to the store as it is finished.

    Parameters
    ----------
    kept : netdyn_lib.results.store.Store
    jobs : dict
        Key → :class:`~netdyn_lib.experiments.pieces.Job`.  Those that another process has claimed
        are left to it, and waited for.
    make : callable
        Of a job and the deadline, gives (arrays, metadata); may raise
        :class:`~netdyn_lib.torch_utils.Stopped`.
    deadline : float, optional
        Reading of :func:`time.monotonic`.
    bar : tqdm, optional

    Returns
    -------
    tuple
        Keys of pieces computed here and by others, and why it stopped: empty where nothing is left.
    """
    computed, elsewhere, longest, waiting = [], [], 0.0, list(jobs)
    while waiting:
        left = []
        for name in waiting:
            now = time.monotonic()
            resumes = jobs[name].experiment.resumes
            if deadline is not None and now + MARGIN * longest * (not resumes) > deadline:
                return computed, elsewhere, "time limit"
            with kept.claim(name) as mine:
                if is_good(kept, name):  # meanwhile, by another process
                    elsewhere.append(name)
                elif not mine:
                    left.append(name)
                    continue
                else:
                    if bar is not None:
                        bar.set_description(str(jobs[name]))
                    try:
                        arrays, meta = make(jobs[name], deadline)
                    except Stopped:
                        return computed, elsewhere, "time limit"
                    kept.write(name, arrays, meta)
                    computed.append(name)
                    longest = max(longest, time.monotonic() - now)
            if bar is not None:
                bar.update()
        if len(left) == len(waiting):
            time.sleep(_POLL)
        waiting = left
    return computed, elsewhere, ""


def origins(metas):
    """Return what pieces were computed on: each machine, commit and version once, with how many
    pieces and seconds, from the first to the last.
    """
    groups = {}
    for meta in metas:
        about = meta["identity"]
        same = {k: meta[k] for k in ("machine", "commit", "data")}
        same |= {k: about[k] for k in ("version", "task", "versions", "device")}
        same["content"] = about["data"]
        key, when = store.key(same), dict(first=meta["computed"], last=meta["computed"])
        group = groups.setdefault(key, same | dict(shards=0, seconds=0.0) | when)
        group["shards"] += 1
        group["seconds"] = round(group["seconds"] + meta["seconds"], 2)
        group["first"] = min(group["first"], meta["computed"])
        group["last"] = max(group["last"], meta["computed"])
    return list(groups.values())


def described(groups, where="{cores} cores of {processor}"):
    """Return where numbers come from in words, of groups as from :func:`origins`."""
    hours = sum(group["seconds"] for group in groups) / 3600
    commits = ", ".join(sorted({c for g in groups for c in g["commit"].split(", ")}))
    machines = " and ".join(sorted({where.format(**g["machine"]) for g in groups}))
    last = max(groups, key=lambda group: group["last"])
    return (
        f"{hours:.2g} h on {machines}, PyTorch {last['versions']['torch']}, "
        f"commit {commits}, {last['last'][:10]}"
    )
