"""The shards of a sweep on a Dask cluster.

Workers compute and send back arrays; the process that asked writes them, so a
cluster needs no common file system.  A shard whose worker dies is computed
again on another; Dask gives up a shard only after it has taken down several
workers.  Shards are not claimed: a second process on the same store may compute
what a cluster is at, which is waste and no harm.
"""

import logging
import secrets
import time
from concurrent.futures import CancelledError
from contextlib import suppress

from ...results.store import StoreError
from ...torch_utils import Stopped
from ...validation import need
from .. import jobs
from .compute import compute

need("netdyn_lib.experiments.learning_rate_sweep.cluster", "cluster", "dask", "distributed")

from distributed import Client, wait  # noqa: E402
from distributed.utils import silence_logging_cmgr  # noqa: E402

MARGIN = 1.15  # a shard may take this much longer than the longest so far
_CONNECT = 10  # seconds within which a scheduler must answer
_POLL = 1.0  # seconds between looks at the clock and the workers
_GRACE = 5.0  # seconds past the deadline in which workers may say that they stopped


def compute_on(scheduler, found, store, workers, deadline, bar, log):
    """Compute the missing shards of a
    :class:`~netdyn_lib.experiments.learning_rate_sweep.running.Plan`; numbers of shards computed
    here and elsewhere, and why it stopped.

    Each shard takes one thread of its worker, or as many as ``workers`` says.

    Raises
    ------
    RuntimeError
        For a shard that fails on its worker: names the shard, and chains the
        worker's error.  Shards that were finished are kept.
    ConnectionError
        Where no scheduler answers at the address, or it is lost on the way: says what is kept and
        what is missing.
    """
    client = scheduler if isinstance(scheduler, Client) else _connected(scheduler)
    run = _Run(client, found, store, workers or 1, deadline, bar, log)
    # Of a scheduler that is gone, Dask logs a page: one error says it.
    with silence_logging_cmgr(logging.CRITICAL):
        try:
            return run.all()
        finally:
            if client is not scheduler:
                client.close()


def _connected(address):
    try:
        return Client(address, timeout=_CONNECT)
    except Exception as error:  # which one depends on the address and on Dask's version
        raise ConnectionError(
            f"no Dask scheduler answers at {address!r}: {type(error).__name__}: {error}"
        ) from error


class _Run:
    """Shards handed out as workers become free, so that none waits in a queue while its time
    passes.
    """

    def __init__(self, client, found, store, workers, deadline, bar, log):
        self.client, self.found, self.store, self.workers = client, found, store, workers
        self.deadline, self.bar, self.log = deadline, bar, log
        self.waiting, self.flying = list(found.missing), {}
        self.computed = self.elsewhere = 0
        self.longest, self.late, self.lonely = 0.0, False, False
        self.address = client.scheduler.address

    def all(self):
        try:
            while self.waiting or self.flying:
                self._hand_out()
                if self.late and (not self.flying or self._left() < -_GRACE):
                    break
                for future in self._finished():
                    self._take(future, self.flying.pop(future))
        except StoreError:
            raise
        except (CancelledError, OSError) as error:  # an OSError also where a call finds nobody
            raise ConnectionError(self._lost(error)) from error
        finally:
            with suppress(Exception):  # where the scheduler is gone, so are its tasks
                self.client.cancel(list(self.flying))
        return self.computed, self.elsewhere, "time limit" if self.late else ""

    def _lost(self, error):
        name, total = self.found.sweep.name, len(self.found.keys)
        kept = len(self.found.have) + self.computed + self.elsewhere
        return (
            f"{name}: the Dask scheduler at {self.address} is gone ({type(error).__name__}); "
            f"{self.computed} shards were computed now, {kept} of {total} are kept and "
            f"{total - kept} missing: the same command, with a scheduler that runs, goes on"
        )

    def _left(self):
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def _hand_out(self):
        free = sum(self.client.nthreads().values()) - len(self.flying)
        if free + len(self.flying) == 0 and not self.lonely:
            self.lonely = True
            self.log(f"{self.found.sweep.name}: the cluster has no workers; waiting for some")
        self.late = self.late or self._left() < MARGIN * self.longest or self._left() <= 0
        while self.waiting and free > 0 and not self.late:
            shard = self.waiting.pop(0)
            name = self.found.keys[shard]
            if jobs.is_good(self.store, name):  # meanwhile, by another process
                self.elsewhere += 1
                self.bar.update()
                continue
            # A name of its own for each attempt: a worker may still be at one that was given up.
            future = self.client.submit(
                on_worker,
                self.found.recipe,
                self.found.sweep,
                shard,
                self.found.device,
                name,
                self._ends(),
                self.workers,
                key=f"shard-{name}-{secrets.token_hex(4)}",
                pure=False,
            )
            self.flying[future] = shard
            free -= 1

    def _ends(self):
        """The deadline by the clock on the wall, which machines share; their other clocks begin
        when they do.
        """
        return None if self.deadline is None else time.time() + self._left()

    def _finished(self):
        if not self.flying:
            time.sleep(_POLL)
            return ()
        try:
            return wait(list(self.flying), timeout=_POLL, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return ()

    def _take(self, future, shard):
        try:
            arrays, meta = future.result()
        except Stopped:
            self.late = True
            return
        except CancelledError:  # by no fault of the shard
            raise
        except Exception as error:
            raise RuntimeError(
                f"{self.found.sweep.name}, {shard}: failed on its worker: {type(error).__name__}: {error}"
            ) from error
        name = self.found.keys[shard]
        if name in self.store:
            self.elsewhere += 1
        else:
            self.store.write(name, arrays, meta)
            self.computed += 1
        self.longest = max(self.longest, meta["seconds"])
        self.bar.update()


def on_worker(recipe, sweep, shard, device, expected, ends, workers):
    """:func:`~netdyn_lib.experiments.learning_rate_sweep.compute.compute` with a deadline ``ends``
    of :func:`time.time`.
    """
    deadline = None if ends is None else time.monotonic() + ends - time.time()
    return compute(recipe, sweep, shard, device, expected, deadline, workers)
