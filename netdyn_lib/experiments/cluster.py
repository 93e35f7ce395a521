"""The pieces of an experiment on a Dask cluster.

Workers compute and send back arrays; the process that asked writes them, so a cluster needs no
common file system.  A piece whose worker dies is computed again on another; Dask gives up a piece
only after it has taken down several workers.  Pieces are not claimed: a second process on the same
store may compute what a cluster is at, which is waste and no harm.
"""

import logging
import secrets
import time
from concurrent.futures import CancelledError
from contextlib import suppress

from ..results.store import StoreError
from ..torch_utils import Stopped
from ..validation import need
from . import pieces

need("netdyn_lib.experiments.cluster", "cluster", "dask", "distributed")

from distributed import Client, wait  # noqa: E402
from distributed.utils import silence_logging_cmgr  # noqa: E402

_CONNECT = 10  # seconds within which a scheduler must answer
_POLL = 1.0  # seconds between looks at the clock and the workers
_GRACE = 5.0  # seconds past the deadline in which workers may say that they stopped


def fill(scheduler, jobs, store, deadline, workers, bar):
    """Compute pieces on the workers of a scheduler; parameters and result are those of
    :func:`netdyn_lib.experiments.campaign.fill`.

    Each piece takes one thread of its worker, or as many as ``workers`` says.

    Raises
    ------
    RuntimeError
        For a piece that fails on its worker: names the piece, and chains the worker's error.
        Pieces that were finished are kept.
    ConnectionError
        Where no scheduler answers at the address, or it is lost on the way: says what is kept and
        what is missing.
    """
    client = scheduler if isinstance(scheduler, Client) else _connected(scheduler)
    run = _Run(client, jobs, store, deadline, workers, bar)
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
    """Pieces handed out as workers become free, so that none waits in a queue while its time
    passes.
    """

    def __init__(self, client, jobs, store, deadline, workers, bar):
        self.client, self.jobs, self.store, self.workers = client, jobs, store, workers
        self.deadline, self.bar = deadline, bar
        self.waiting, self.flying = list(jobs), {}
        self.computed, self.elsewhere = [], []
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
            done, total = len(self.computed) + len(self.elsewhere), len(self.jobs)
            raise ConnectionError(
                f"the Dask scheduler at {self.address} is gone ({type(error).__name__}); "
                f"of {total} pieces that were missing {done} are computed and kept, and "
                f"{total - done} missing: the same command, with a scheduler that runs, goes on"
            ) from error
        finally:
            with suppress(Exception):  # where the scheduler is gone, so are its tasks
                self.client.cancel(list(self.flying))
        return self.computed, self.elsewhere, "time limit" if self.late else ""

    def _left(self):
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def _hand_out(self):
        free = sum(self.client.nthreads().values()) - len(self.flying)
        if free + len(self.flying) == 0 and not self.lonely:
            self.lonely = True
            pieces.say("the cluster has no workers; waiting for some")
        self.late = self.late or self._left() <= max(0, pieces.MARGIN * self.longest)
        while self.waiting and free > 0 and not self.late:
            name = self.waiting.pop(0)
            if pieces.is_good(self.store, name):  # meanwhile, by another process
                self.elsewhere.append(name)
                self.bar.update()
                continue
            # The deadline by the clock on the wall, which machines share.
            ends = None if self.deadline is None else time.time() + self._left()
            # A name of its own for each attempt: a worker may still be at one that was given up.
            key = f"piece-{name}-{secrets.token_hex(4)}"
            words = (self.jobs[name], ends, self.workers)
            self.flying[self.client.submit(on_worker, *words, key=key, pure=False)] = name
            free -= 1

    def _finished(self):
        if not self.flying:
            time.sleep(_POLL)
            return ()
        try:
            return wait(list(self.flying), timeout=_POLL, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return ()

    def _take(self, future, name):
        try:
            arrays, meta = future.result()
        except Stopped:
            self.late = True
            return
        except CancelledError:  # by no fault of the piece
            raise
        except Exception as error:
            raise RuntimeError(
                f"{self.jobs[name]}: failed on its worker: {type(error).__name__}: {error}"
            ) from error
        if name in self.store:
            self.elsewhere.append(name)
        else:
            self.store.write(name, arrays, meta)
            self.computed.append(name)
        self.longest = max(self.longest, meta["seconds"])
        self.bar.update()


def on_worker(job, ends, workers):
    """:func:`netdyn_lib.experiments.pieces.compute` with a deadline ``ends`` of
    :func:`time.time`.
    """
    deadline = None if ends is None else time.monotonic() + ends - time.time()
    return pieces.compute(job, pieces.Work(None, workers, deadline))
