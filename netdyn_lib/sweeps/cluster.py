"""The shards of a sweep on a Dask cluster.

Workers compute and send back arrays; the process that asked writes them, so a
cluster needs no common file system.  A shard whose worker dies is computed
again on another; Dask gives up a shard only after it has taken down several
workers.
"""

import time

from dask.distributed import Client, as_completed

from .compute import compute


def compute_on(scheduler, found, store, workers, deadline, bar, log):
    """Compute the missing shards of a :class:`~netdyn_lib.sweeps.running.Plan`; numbers of shards computed here and elsewhere, and why it stopped.

    Raises
    ------
    RuntimeError
        For a shard that fails on its worker: names the shard, and chains the
        worker's error.  Shards that were finished are kept.
    """
    mine = not isinstance(scheduler, Client)
    client = Client(scheduler) if mine else scheduler
    computed = elsewhere = 0
    futures = {}
    try:
        for shard in found.missing:
            name = found.keys[shard]
            future = client.submit(
                compute, found.recipe, found.sweep, shard, found.device, name, workers=workers, key=f"shard-{name}", pure=True
            )
            futures[future] = shard
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            for future in as_completed(list(futures), timeout=remaining):
                shard = futures[future]
                try:
                    arrays, meta = future.result()
                except Exception as error:
                    raise RuntimeError(f"{found.sweep.name}, {shard}: failed on its worker: {error}") from error
                name = found.keys[shard]
                if name in store:
                    elsewhere += 1
                else:
                    store.write(name, arrays, meta)
                    computed += 1
                future.release()
                bar.update()
        except TimeoutError:
            return computed, elsewhere, "time limit"
        return computed, elsewhere, ""
    finally:
        client.cancel([f for f in futures if not f.done()])
        if mine:
            client.close()
