"""Following arms into a store, network after network and checkpoint after checkpoint, from which it
goes on where it stopped.
"""

import dataclasses
import functools
import json
import sys
import time
from contextlib import closing, suppress
from datetime import UTC, datetime

import numpy as np
import xarray as xr
from tqdm import tqdm

from ...results import provenance as machine
from ...results import reading, store
from ...torch_utils import Stopped
from ...validation import positive
from .. import jobs
from .measuring import follow, joined
from .pieces import default_store, pieces

_POLL = 0.5  # seconds between looks at networks that another process follows
_ENDS = {
    "final": ("parameter",),
    "velocity": ("parameter",),
    "first_loss": ("first",),
    "diverged_at": (),
}


def run(arms, folder=None, time_limit=None, progress=None, log=None):
    """Follow the networks that a store lacks, on one core of the processor.

    Stopped at any moment, killed too, it keeps finished segments, and the same call goes on from
    there with the same numbers.  Processes that share a store share the work, a network each.

    Parameters
    ----------
    arms : sequence of Arm
        In the order in which they are followed.
    folder : path-like, optional
        The store, :func:`netdyn_lib.experiments.pruning_ablation.pieces.default_store` where not
        given.
    time_limit : float, optional
        Seconds after which it stops, within a segment.
    progress : bool, optional
        Show a progress bar; by default on a terminal only.
    log : callable, optional
        Receives lines about damaged files; printed to stderr by default.

    Returns
    -------
    tuple
        Numbers of networks that the store had before, and that it still lacks.

    Raises
    ------
    ValueError
        For an unknown task or one with weight decay, a batch of more samples than there are, or a
        time limit that is not positive and finite.
    netdyn_lib.tasks.datasets.MissingData
        Where a task's data cannot be had.
    netdyn_lib.results.store.StoreError
        Where a segment cannot be written; those before it are kept.
    """
    deadline = (
        None
        if time_limit is None
        else time.monotonic() + positive(time_limit, "time_limit", "seconds")
    )
    log = log or (lambda line: print(line, file=sys.stderr, flush=True))
    kept, found = (
        store.Store(folder or default_store()),
        {piece.key: piece for piece in pieces(arms)},
    )
    wanted = {name: found[name] for name in jobs.missing(kept, found, log)}
    quiet, lacking = not (sys.stderr.isatty() if progress is None else progress), len(wanted)
    total = sum(piece.arm.steps for piece in wanted.values())
    with (
        tqdm(total=total, unit="step", disable=quiet, leave=False) as bar,
        suppress(Stopped),
        closing(_mine(kept, wanted, deadline)) as mine,
    ):
        for piece, elsewhere in mine:
            bar.set_description(f"{piece.arm.name}, network {piece.network}")
            if elsewhere:
                bar.update(piece.arm.steps)
            else:
                kept.write(piece.key, *_followed(kept, piece, deadline, bar.update, log))
            lacking -= 1
    return len(found) - len(wanted), lacking


def _mine(kept, wanted, deadline):
    """(piece, False) of each to be followed here, claimed meanwhile, and (piece, True) of those
    that others have finished.
    """
    waiting = wanted
    while waiting:
        left = {}
        for name, piece in waiting.items():
            if deadline is not None and time.monotonic() > deadline:
                raise Stopped("the time is over")
            with kept.claim(name) as mine:
                if jobs.is_good(kept, name):
                    yield piece, True
                elif mine:
                    yield piece, False
                else:
                    left[name] = piece
        if len(left) == len(waiting):
            time.sleep(_POLL)
        waiting = left


def _followed(kept, piece, deadline, advance, log):
    """Arrays and metadata of one network, gone on with from its last good checkpoint."""

    def ask():
        advance()
        return deadline is not None and time.monotonic() > deadline

    parts, metas, state = [], [], ()
    for start, stop, name in piece.segments():
        if jobs.missing(kept, [name], log):
            began = time.monotonic()
            arrays = follow(piece.task, piece.arm, piece.network, start, stop, *state, ask=ask)
            meta = dict(
                seconds=round(time.monotonic() - began, 2),
                **_here(),
                computed=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            )
            kept.write(name, arrays, meta | dict(identity=piece.identity, segment=[start, stop]))
        else:
            shard = kept.read(name)
            arrays, meta = shard.arrays, shard.meta
            advance(stop - start)
        parts.append(arrays)
        metas.append(meta)
        state = arrays["final"], arrays["velocity"]
        if arrays["diverged_at"] >= 0:
            break
    last = {k: metas[-1][k] for k in ("machine", "computed")}
    commits = sorted({meta["commit"] for meta in metas})
    seconds = round(sum(meta["seconds"] for meta in metas), 2)
    return joined(parts, piece.arm), dict(
        identity=piece.identity, steps=piece.arm.steps, seconds=seconds, commits=commits, **last
    )


@functools.cache
def _here():
    return dict(machine=machine.describe("cpu"), commit=machine.commit())


def lacks(arms, folder=None):
    """How many networks of some arms a store lacks; damaged ones are found by :func:`run`."""
    kept = store.Store(folder or default_store())
    return len({piece.key for piece in pieces(arms)} - set(kept.keys()))


def load(arms, folder=None, partial=False):
    """Arms of one task, an :class:`xarray.Dataset` over (arm, seed, step), seed k being network k
    of each.

    ``loss`` is the mean over the batches since the observation before (NaN at step 0); the others
    are those of
    :class:`netdyn_lib.curvature.pruned_descent.PrunedRun`: ``test_loss``, ``test_accuracy``, ``norm``, ``gradient_norm``, ``kept``, ``smallest``,
    ``largest``, the counts ``chaotic``, ``negative``, ``positive``, ``neutral`` and their
    ``overlap_…``; ``diverged_at`` (−1 for never) and ``present`` (arm, seed); ``first_loss`` (arm,
    seed, first) of single batches; ``final`` and ``velocity`` (arm, seed, parameter). NaN where an
    arm is shorter, or has fewer networks, than others.

    Parameters
    ----------
    arms : sequence of Arm
    folder : path-like, optional
    partial : bool
        Leave out what the store lacks: networks are NaN, arms without any network are not there.

    Raises
    ------
    ValueError
        For arms of several tasks, or none.
    KeyError
        Where networks are lacking, the message says how many; with ``partial`` where all are.
    netdyn_lib.results.store.DamagedShard
        For a network whose file is damaged.
    """
    if len({arm.task for arm in arms}) != 1:
        raise ValueError(
            f"{len(arms)} arms of {len({arm.task for arm in arms})} tasks: give at least one arm, and all of one task"
        )
    kept, wanted = store.Store(folder or default_store()), pieces(arms)
    shards = {
        name: kept.read(name)
        for name in dict.fromkeys(piece.key for piece in wanted)
        if name in kept
    }
    there = [piece for piece in wanted if piece.key in shards]
    if not there or (len(there) < len(wanted) and not partial):
        raise KeyError(
            f"the store {kept.folder} lacks {len(wanted) - len(there)} of {len(wanted)} networks of {len(arms)} arms of {arms[0].task!r}: "
            "run them first"
        )
    present = list(dict.fromkeys(piece.arm for piece in there))
    with reading.of_kind(kept.folder, "store of such networks"):
        data = _dataset(
            present,
            {
                (present.index(piece.arm), piece.network): shards[piece.key].arrays
                for piece in there
            },
        )
        came = provenance([shard.meta for shard in shards.values()])
    data.attrs = {"task": arms[0].task, "data": wanted[0].task.split.provenance()}
    data.attrs["arms"] = json.dumps([dataclasses.asdict(arm) for arm in present])
    return data.assign_attrs(provenance=came)


def _dataset(arms, rows):
    """A dataset of ``rows``, (arm's place, network) → arrays of a run."""
    steps = np.array(sorted(set().union(*(arm.observed for arm in arms))))
    shape, sample = (len(arms), max(arm.networks for arm in arms)), next(iter(rows.values()))
    dims = {name: _ENDS.get(name, ("step",)) for name in sample if name != "steps"}
    sizes = {
        "step": len(steps),
        "parameter": len(sample["final"]),
        "first": max(len(row["first_loss"]) for row in rows.values()),
    }
    values = {
        name: np.full(shape + tuple(sizes[d] for d in own), np.nan) for name, own in dims.items()
    }
    present = np.zeros(shape, dtype=bool)
    for place, row in rows.items():
        present[place] = True
        at = np.searchsorted(steps, row["steps"])
        for name, own in dims.items():
            part = values[name][place]
            if own == ("step",):
                part[at] = row[name]
            elif own:
                part[: len(row[name])] = row[name]
            else:
                values[name][place] = row[name]
    variables = {name: (("arm", "seed", *dims[name]), array) for name, array in values.items()}
    coords = {"arm": [arm.label for arm in arms], "seed": np.arange(shape[1]), "step": steps}
    return xr.Dataset(variables | {"present": (("arm", "seed"), present)}, coords)


def provenance(metas):
    """Where the numbers of some networks come from, in words."""
    hours, last = (
        sum(meta["seconds"] for meta in metas) / 3600,
        max(metas, key=lambda meta: meta["computed"]),
    )
    commits = ", ".join(sorted(set().union(*(meta["commits"] for meta in metas))))
    where = ", ".join(sorted({str(meta["machine"]["processor"]) for meta in metas}))
    return f"{hours:.2g} h on one core of {where}, PyTorch {last['identity']['versions']['torch']}, commit {commits}, {last['computed'][:10]}"
