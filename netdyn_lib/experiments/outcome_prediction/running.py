"""Following a campaign: block after block into a store, from which it goes on where it stopped."""

import dataclasses
import functools
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

from ...results import provenance, reading, store
from ...tasks import tasks
from ...validation import positive
from .. import jobs
from ..learning_rate_sweep.compute import versions
from .measuring import measure

_FREE = ("name", "count", "block")  # they do not change a network's numbers
_DIMS = (
    {
        "final_loss": (),
        "diverged_at": (),
        "curve": ("step",),
        "loss": ("time",),
        "weights": ("time", "parameter"),
        "gradient": ("time",),
        "hessian": ("time", "index"),
        "kinks": ("time",),
        "exponents": ("time", "index"),
        "singular": ("time", "index"),
    }
    | {f"{kind}_angles": ("time", "pair") for kind in ("frozen", "far")}
    | {f"{kind}_splitting": ("time", "split") for kind in ("frozen", "far")}
    | {f"{kind}_growth": ("time", "index") for kind in ("frozen", "far")}
    | {"far_residual": ("time", "index")}
)


@functools.cache
def _code():
    return provenance.code(
        provenance.closure(
            ("experiments.outcome_prediction.measuring", "tasks.networks", "tasks.losses")
        )
    )


def identity(campaign, start, count):
    """Everything that determines the numbers of a block, as plain data."""
    task = tasks.get(campaign.task)
    settings = {k: v for k, v in dataclasses.asdict(campaign).items() if k not in _FREE}
    what = dict(
        network=repr(task.network),
        loss=task.loss.name,
        initialisation=task.initialisation,
        std=task.std,
        weight_decay=task.weight_decay,
        data=task.split.checksum,
    )
    return dict(
        task=what, campaign=settings, rows=[start, count], versions=versions(), code=_code()
    )


def default_store():
    """The store of the checkout that this library lies in, ``_build/store``."""
    return Path(__file__).resolve().parents[3] / "_build" / "store"


def run(campaign, folder=None, workers=None, time_limit=None, progress=None, log=None):
    """Compute the blocks of a campaign that a store lacks, on the processor.

    Small networks gain nothing from a GPU.  Stopped at any moment, it keeps
    finished blocks, and the same call goes on from there.

    Parameters
    ----------
    campaign : Campaign
    folder : path-like, optional
        The store, :func:`default_store` where not given.
    workers : int, optional
        Threads.
    time_limit : float, optional
        Seconds after which no further block is begun, and one under way is given up.
    progress : bool, optional
        Show a progress bar; by default on a terminal only.
    log : callable, optional
        Receives lines about damaged blocks; printed to stderr by default.

    Returns
    -------
    tuple
        Numbers of blocks that the store had before, and that it still lacks.

    Raises
    ------
    ValueError
        For an unknown task, or a time limit that is not positive and finite.
    netdyn_lib.results.store.StoreError
        Where a block cannot be written.
    """
    if time_limit is not None:
        time_limit = positive(time_limit, "time_limit", "seconds")
    kept = store.Store(folder or default_store())
    blocks = {store.key(identity(campaign, *rows)): rows for rows in campaign.blocks()}
    wanted = jobs.missing(
        kept, blocks, log or (lambda line: print(line, file=sys.stderr, flush=True))
    )
    deadline = None if time_limit is None else time.monotonic() + time_limit
    quiet = not (sys.stderr.isatty() if progress is None else progress)
    with tqdm(
        total=len(blocks),
        initial=len(blocks) - len(wanted),
        unit="block",
        desc=campaign.name,
        disable=quiet,
        leave=False,
    ) as bar:
        pieces = {
            name: functools.partial(_piece, campaign, blocks[name], workers) for name in wanted
        }
        computed, elsewhere, _ = jobs.fill(kept, pieces, deadline, bar.update)
    return len(blocks) - len(wanted), len(wanted) - computed - elsewhere


def lacks(campaign, folder=None):
    """Whether a store lacks a block of a campaign; damaged ones are found by :func:`run`."""
    kept = store.Store(folder or default_store())
    return any(store.key(identity(campaign, *rows)) not in kept for rows in campaign.blocks())


def _piece(campaign, rows, workers, deadline):
    began = time.monotonic()
    stop = None if deadline is None else lambda: time.monotonic() > deadline
    arrays = measure(tasks.get(campaign.task), campaign, *rows, workers=workers, stop=stop)
    meta = dict(
        identity=identity(campaign, *rows),
        machine=provenance.describe("cpu"),
        commit=provenance.commit(),
        seconds=round(time.monotonic() - began, 2),
        computed=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    return arrays, meta


def load(campaign, folder=None):
    """A campaign's numbers, an :class:`xarray.Dataset` over (time, network, …); times in units of t
    = steps · η.

    Variables are those of :func:`netdyn_lib.experiments.outcome_prediction.measuring.measure`;
    ``attrs["campaign"]`` is the campaign as JSON.

    Raises
    ------
    KeyError
        For blocks that the store lacks; the message says how many.
    netdyn_lib.results.store.DamagedShard
        For a block that is damaged.
    """
    kept = store.Store(folder or default_store())
    names = [store.key(identity(campaign, *rows)) for rows in campaign.blocks()]
    if lacking := [name for name in names if name not in kept]:
        raise KeyError(
            f"the store {kept.folder} lacks {len(lacking)} of {len(names)} blocks of the campaign {campaign.name!r}: run it first"
        )
    shards = [kept.read(name) for name in names]
    with reading.of_kind(kept.folder, "store of such blocks"):
        return _whole(campaign, shards)


def _whole(campaign, shards):
    variables = {}
    for name, dims in _DIMS.items():
        axis = 1 if dims else 0
        whole = np.concatenate([s.arrays[name] for s in shards], axis)
        variables[name] = (
            dims[:1] + ("network",) + dims[1:],
            whole.squeeze(-1) if whole.ndim == 3 and len(dims) == 1 else whole,
        )
    size = variables["hessian"][1].shape[2]
    pairs = [f"({i + 1},{j + 1})" for i, j in zip(*np.triu_indices(size, 1))]
    coords = {
        "time": np.array(campaign.times) * campaign.learning_rate,
        "step": np.array(campaign.curve),
        "network": np.arange(campaign.count),
        "index": np.arange(1, size + 1),
        "split": np.arange(1, size),
        "pair": pairs,
    }
    data = xr.Dataset(
        variables,
        coords,
        {
            "name": campaign.name,
            "steps": campaign.steps,
            "duration": campaign.steps * campaign.learning_rate,
        },
    )
    data.attrs["campaign"] = json.dumps(dataclasses.asdict(campaign))
    data.attrs["provenance"] = _provenance([s.meta for s in shards])
    return data


def _provenance(metas):
    first, hours = metas[0], sum(m["seconds"] for m in metas) / 3600
    commits = ", ".join(sorted({m["commit"] for m in metas}))
    where = first["machine"]
    return f"{hours:.2g} h on {where['cores']} cores of {where['processor']}, PyTorch {first['identity']['versions']['torch']}, commit {commits}, {metas[-1]['computed'][:10]}"


def live(name, profile="laptop", seed=0, folder=None, count=None):
    """Compute what is missing of one of the book's campaigns, and open it."""
    from .campaign import get

    campaign = get(name, profile, seed)
    if count is not None:
        campaign = dataclasses.replace(campaign, count=count)
    run(campaign, folder)
    return load(campaign, folder)
