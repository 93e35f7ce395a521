"""Running a sweep: here, shard after shard, or on a Dask cluster; and going on where it stopped."""

import sys
import time
from dataclasses import dataclass, field

from tqdm import tqdm

from ...results.store import DamagedShard, Store
from ...tasks import tasks
from ...torch_utils import resolve
from .. import jobs
from .compute import compute, key, task_of


@dataclass(frozen=True)
class Outcome:
    """What a run did: shards ``kept`` from before, ``computed`` now, ``elsewhere`` by another
    process meanwhile, and still ``missing``.

    ``damaged`` names the shards that were found damaged, set aside and computed
    again.  ``stopped`` says why shards are missing, empty where none is.
    """

    kept: int
    computed: int
    elsewhere: int
    missing: int
    damaged: tuple
    seconds: float
    stopped: str = ""


@dataclass
class Plan:
    """The shards of a sweep with their keys: what a store has of them, and what it lacks."""

    sweep: object
    recipe: object
    device: str
    keys: dict  # shard → key
    have: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    damaged: list = field(default_factory=list)


def plan(sweep, store, device="auto", log=None):
    """Look up every shard of a sweep in a store.

    Damaged shards are named in the log and set aside, so that they count as missing.

    Raises
    ------
    ValueError
        For an unknown task or device.
    netdyn_lib.tasks.datasets.MissingData
        Where the task's data cannot be had.
    """
    store = store if isinstance(store, Store) else Store(store)
    recipe = tasks.recipe(sweep.task)
    device = str(resolve(device))
    task = task_of(recipe, sweep.samples, sweep.test_samples, device)
    found = Plan(
        sweep, recipe, device, {shard: key(sweep, shard, recipe, task) for shard in sweep.shards()}
    )
    for shard, name in found.keys.items():
        there = False
        try:
            there = jobs.is_good(store, name)
        except DamagedShard as error:
            found.damaged.append(name)
            (log or _say)(f"{sweep.name}, {shard}: {error} It counts as missing.")
        (found.have if there else found.missing).append(shard)
    return found


def run(
    sweep,
    store,
    device="auto",
    scheduler=None,
    workers=None,
    time_limit=None,
    progress=None,
    log=None,
):
    """Compute the shards of a sweep that a store lacks.

    Parameters
    ----------
    sweep : Sweep
    store : Store or path-like
    device : str
        As for :func:`netdyn_lib.torch_utils.resolve`; that of the workers, where there are any.
    scheduler : str or dask.distributed.Client, optional
        Address of a Dask scheduler, or a client of one: shards are computed by
        its workers and written here.  Without it they are computed in this process.
    workers : int, optional
        Threads of one shard: by default all of them here, and one on a cluster's worker.
    time_limit : float, optional
        Seconds after which the run stops.  A shard that would not be finished
        by then, judging by the longest so far, is not begun.
    progress : bool, optional
        Show a progress bar with an estimate of the time left; by default on a terminal only.
    log : callable, optional
        Receives lines about damaged shards and the like; printed to stderr by default.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        For an unknown task or device, or a time limit that is not positive.
    netdyn_lib.tasks.datasets.MissingData
        Where the task's data cannot be had.
    netdyn_lib.results.store.StoreError
        Where a shard cannot be written; those before it are kept.
    ConnectionError, RuntimeError
        Where no scheduler answers, a shard fails on its worker, or Dask is not installed.
    """
    if time_limit is not None and not time_limit > 0:
        raise ValueError(f"time_limit = {time_limit}: must be a positive number of seconds")
    began = time.monotonic()
    deadline = None if time_limit is None else began + time_limit
    store = store if isinstance(store, Store) else Store(store)
    found = plan(sweep, store, device, log)
    total = len(found.keys)
    quiet = not (sys.stderr.isatty() if progress is None else progress)
    with tqdm(
        total=total,
        initial=len(found.have),
        unit="shard",
        desc=sweep.name,
        disable=quiet,
        leave=False,
    ) as bar:
        if scheduler is None:
            computed, elsewhere, stopped = _here(found, store, workers, deadline, bar)
        else:
            try:
                from . import cluster  # Dask is needed only here
            except ImportError as error:
                raise RuntimeError(
                    f"a scheduler needs Dask, which is not installed ({error}): pip install dask distributed"
                ) from error

            computed, elsewhere, stopped = cluster.compute_on(
                scheduler, found, store, workers, deadline, bar, log or _say
            )
    missing = total - len(found.have) - computed - elsewhere
    return Outcome(
        len(found.have),
        computed,
        elsewhere,
        missing,
        tuple(found.damaged),
        time.monotonic() - began,
        stopped if missing else "",
    )


def _here(found, store, workers, deadline, bar):
    """Compute what is missing in this process, leaving to other processes the shards that they are
    at.
    """

    def piece(shard):
        name = found.keys[shard]
        return lambda deadline: compute(
            found.recipe, found.sweep, shard, found.device, name, deadline, workers
        )

    return jobs.fill(
        store, {found.keys[shard]: piece(shard) for shard in found.missing}, deadline, bar.update
    )


def _say(line):
    print(line, file=sys.stderr, flush=True)
