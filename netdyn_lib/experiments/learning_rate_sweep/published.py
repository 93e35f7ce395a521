"""Published sweeps: opened as a dataset, continued, and recomputed in part.

A file holds ln d̄(t), losses and accuracies in single precision for every initial condition, the
distances of single copies for a few, arrivals, sharpness, and the provenance of its pieces, each
machine, commit and version once.
"""

import json
from dataclasses import asdict, replace

import numpy as np
import xarray as xr

from ...results import store
from ...statistics.intervals import LEAST
from ...tasks import networks, tasks
from ...training import gradient_descent
from .. import published
from ..published import Check, Unchecked, command, verified  # noqa: F401, part of this module
from . import grid, responses

SHELF = grid.Sweep.shelf
names, path_of = SHELF.names, SHELF.path
FEW = 3  # initial conditions whose single copies are published
_DIMS = grid.DIMS | {
    "log_mean_distance": ("epoch", "init"),
    "distance": ("epoch", "few", "perturbation"),
    "present": ("init",),
}
_WHOLE = {"diverged_at": np.int32, "present": bool}


def folder():
    """Return ``book/results`` of the checkout that this library lies in."""
    return SHELF.root()


def load(name, root=None):
    """Return a published sweep, a dataset as :func:`netdyn_lib.experiments.campaign.load`'s.

    In place of ``distance`` for all, it has ``log_mean_distance``, ln d̄(t), and ``distance`` for
    the first few initial conditions (dimension ``few``).  Raises as
    :meth:`netdyn_lib.experiments.published.Shelf.read`.
    """
    return SHELF.read(name, _dataset, root)


def _dataset(arrays, meta):
    sweep = grid.Sweep(**meta["sweep"])
    coords = grid.axes(sweep) | {"few": np.arange(arrays["distance"].shape[2])}
    variables = {k: (("eta", *_DIMS[k]), v) for k, v in arrays.items()}
    about = {k: json.dumps(meta[k]) for k in ("sweep", "provenance")}
    return xr.Dataset(variables, coords, about | dict(version=meta.get("version", 1)))


def _form(data):
    """A sweep's dataset in the form that is published: ln d̄ of all, distances of few copies."""
    if "log_mean_distance" in data:
        return data
    few = data["distance"].isel(init=slice(FEW)).rename(init="few")
    logs = ("eta", "epoch", "init"), responses.log_mean_distance(data)
    return data.drop_vars("distance").assign(log_mean_distance=logs, distance=few)


def write(data, root=None):
    """Publish a sweep's dataset beside what is published of it already; the path of its file.

    Raises
    ------
    ValueError
        Where a sweep of that name with other parameters is published.
    netdyn_lib.results.store.StoreError
        Where it cannot be written.
    """
    sweep, data = grid.of(data), _form(data)
    path = path_of(sweep.name, root)
    with store.turn(path):  # what another publishes meanwhile is not lost
        if path.exists():
            there = load(sweep.name, root)
            if there.attrs["version"] == sweep.version:
                of = _tasks(data) + _tasks(there)
                if not grid.same(sweep, grid.of(there)) or any(one != of[0] for one in of):
                    raise ValueError(
                        f"{path} holds a sweep with other parameters or data: was it of another "
                        "profile? Move it away, or publish to another folder"
                    )
                data = merged(data, there)
        arrays = {}
        for name, values in data.data_vars.items():
            values = values.transpose("eta", *_DIMS[name]).values
            arrays[name] = values.astype(_WHOLE.get(name, np.float32))
        about = {k: json.loads(data.attrs[k]) for k in ("sweep", "provenance")}
        return SHELF.write(sweep.name, arrays, about | dict(version=sweep.version), root)


def merged(data, there):
    """Return a sweep's dataset, and beside it what ``there``, published before, has of other
    learning rates and initial conditions; the provenance of both.
    """
    mine, theirs = grid.of(data), grid.of(there)
    rates = (*mine.rates, *(rate for rate in theirs.rates if rate not in mine.rates))
    sweep = replace(mine, rates=rates, conditions=max(mine.conditions, theirs.conditions))
    have, had = (_grown(some["present"], sweep, False) for some in (data, _matching(there, mine)))
    if not bool((had & ~have).any()):
        return data
    variables = {}
    for name in data.data_vars.keys() & there.data_vars.keys() - {"present"}:
        along = {"few": "init"} if name == "distance" else {}
        new, old = (some[name].rename(along) for some in (data, there))
        fill = -1 if name == "diverged_at" else np.nan
        new, old = _grown(new, sweep, fill), _grown(old, sweep, fill)
        variables[name] = new.where(have, old.where(had, fill))
    few = min(FEW, sweep.conditions)
    variables["distance"] = variables["distance"].isel(init=slice(few)).rename(init="few")
    old, new = (json.loads(some.attrs["provenance"]) for some in (there, data))
    # What was published of the same pieces before is not counted twice.
    begun = [_beginning(group) for group in new]
    came = [group for group in old if _beginning(group) not in begun] + new
    about = dict(sweep=json.dumps(asdict(sweep)), provenance=json.dumps(came))
    found = xr.Dataset(variables | {"present": have | had}, grid.axes(sweep), about)
    return found.assign_coords(few=np.arange(few))


def _tasks(data):
    """Task and samples of each group of a sweep's pieces.

    The oldest results do not say how weights were drawn: from a normal distribution.
    """
    groups, normal = json.loads(data.attrs["provenance"]), {"initialisation": "normal"}
    return [(normal | group["task"], group["content"]) for group in groups]


def _beginning(group):
    return {k: v for k, v in group.items() if k not in ("shards", "seconds", "last")}


def _grown(values, sweep, fill):
    return values.reindex(eta=list(sweep.rates), init=np.arange(sweep.conditions), fill_value=fill)


def _matching(there, sweep):
    """A published dataset with only those initial conditions present whose sharpness was taken
    where the sweep takes it.
    """
    if not sweep.sharp_at:
        return there
    old, inits = grid.of(there), there["init"]
    alike = (inits < old.sharp_conditions) == (inits < sweep.sharp_conditions)
    return there.assign(present=there["present"] & alike)


def known(sweep, root, about):
    """Return those pieces of a sweep of which every initial condition is published in ``root``.

    ``about`` is the identity of one of them: what is published counts where it is of the same
    version, parameters, task and data.
    """
    if sweep.name not in names(root):
        return []
    there = load(sweep.name, root)
    same = all(one == (about["task"], about["data"]) for one in _tasks(there))
    version = there.attrs["version"] == sweep.version
    if not (version and same and grid.same(sweep, grid.of(there))):
        return []
    present = _matching(there, sweep)["present"]
    rows = dict(zip(present["eta"].values.tolist(), present.values))
    spans = {piece: (piece.start, piece.start + piece.count) for piece in sweep.pieces()}
    return [
        piece
        for piece, (start, stop) in spans.items()
        if piece.rate in rows and rows[piece.rate][start:stop].sum() == stop - start
    ]


def summary(data):
    """Return where published numbers come from, in a sentence."""
    groups, sweep = json.loads(data.attrs["provenance"]), grid.of(data)
    hours = sum(g["seconds"] for g in groups) / 3600
    devices = " and ".join(sorted({f"{g['machine']['device'] or g['device']}" for g in groups}))
    commits = ", ".join(sorted({g["commit"] for g in groups}))
    cells = f"{int(data['present'].sum())} of {data['present'].size}"
    return (
        f"stored run (ours).  {groups[0]['data']}; {cells} initial conditions and learning rates, "
        f"{sweep.copies} copies, {sweep.epochs} epochs; {hours:.2g} h on {devices}, "
        f"commit {commits}, {groups[-1]['last'][:10]}."
    )


def unpublished(root=None):
    """Return the book's sweeps at paper scale that are not published: a
    :class:`pandas.DataFrame` of the operations of their exponents, and at most of their arrivals
    (a dash where none are searched), indexed by name.
    """
    import pandas as pd

    from . import costs  # PyTorch's counter of operations says a line when it is imported

    there, rows = names(root), {}
    for name in (n for n in grid.names() if n not in there):
        sweep = grid.get(name, "paper")
        exponents, arrivals = (f"{n:.1e}" if n else "0" for n in costs.operations(sweep))
        rows[name] = exponents, arrivals if sweep.cap else "–"
    columns = ["operations, exponents", "arrivals, at most"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns)


def recompute(name, token, epochs=5, tolerance=1e-3, root=None, device="cpu", arrivals=20):
    """Recompute one initial condition of a published sweep at one learning rate, and τ of several
    at another, and compare.

    Another processor or PyTorch rounds otherwise, and chaos amplifies what it rounds: over few
    epochs by so little that the tolerance, of ln d̄ and of the relative loss, is far above it, and
    far below any real change.  Training times are not so short: where training is chaotic, τ of
    one network depends on how numbers are rounded, and sets of networks are compared by
    :func:`~netdyn_lib.experiments.learning_rate_sweep.responses.same_arrivals`.

    Parameters
    ----------
    name : str
        A published sweep.
    token : str
        Anything that changes from build to build, such as the commit: its hash chooses the initial
        condition and the learning rate among those published.
    epochs : int
    arrivals : int
        At most so many networks are trained until they arrive, or to the cap, at one of the
        learning rates at which at least half do; none where fewer than five are published.

    Returns
    -------
    netdyn_lib.experiments.published.Check

    Raises
    ------
    netdyn_lib.tasks.datasets.MissingData
        Where the sweep's data cannot be had.
    ValueError
        Where every published initial condition diverged.
    """
    data = load(name, root)
    sweep = grid.of(data)
    there = np.argwhere(data["present"].values & (data["diverged_at"] < 0).all("network").values)
    if not len(there):
        raise ValueError(
            f"{name}: no published initial condition is without divergence, so none can be compared"
        )
    which, init = there[published.chosen(token, name, len(there))].tolist()
    epochs = min(epochs, sweep.epochs)
    task = tasks.get(sweep.task, device, sweep.samples, sweep.test_samples)
    start = task.initial(1, sweep.seed, init)
    ball = networks.perturbed(start, sweep.radius, sweep.copies, sweep.seed, init)
    gd = gradient_descent.GradientDescent(task, sweep.rates[which])
    run = gradient_descent.run(gd, ball, epochs, ("mean_distance", grid.OF_REFERENCES[0]))
    there = data.isel(eta=which, init=init, epoch=slice(0, epochs + 1))
    # copies may meet their reference: −inf in both
    with np.errstate(divide="ignore", invalid="ignore"):
        mine, theirs = np.log(run["mean_distance"][:, 0]), there["log_mean_distance"].values
        far = float(np.where(mine == theirs, 0.0, np.abs(mine - theirs)).max())
    loss = float(np.abs(run["reference_loss"][:, 0] / there["loss"].values - 1).max())
    part = f"initial condition {init} at η = {sweep.rates[which]:g}, {epochs} epochs"
    told, alike = _arrivals_again(data, task, token, arrivals)
    agrees = bool(far < tolerance and loss < tolerance and alike)
    return Check(name, part + told, {"ln d̄": far, "loss": loss}, agrees)


def _arrivals_again(data, task, token, most):
    """What recomputed training times say of the published, in words, and whether they agree."""
    sweep = grid.of(data)
    there = data["present"].values & ("first_hit" in data)
    rates = np.flatnonzero(there.sum(1) >= LEAST)
    hits = data["first_hit"].values if len(rates) else None
    rates = [k for k in rates if np.isfinite(hits[k, there[k]]).mean() >= 0.5]
    if not rates or most < LEAST:
        return "", True
    k = rates[published.chosen(token, f"{sweep.name}, arrivals", len(rates))]
    inits = np.flatnonzero(there[k])[:most]
    start = task.initial(int(inits[-1]) + 1, sweep.seed)[inits]
    gd = gradient_descent.GradientDescent(task, sweep.rates[k])
    mine = gradient_descent.search(gd, start, task.target_accuracy, sweep.cap, sustained=1).first
    theirs = hits[k, inits]
    p, power = responses.same_arrivals(mine, theirs, sweep.cap)
    same = int(((mine == theirs) | (np.isnan(mine) & np.isnan(theirs))).sum())
    told = f"; τ of {len(inits)} networks at η = {sweep.rates[k]:g} ({same} the same to the epoch; "
    told += f"one distribution: p = {p:.2g}, power {power:.2f} for a factor of 1.5)"
    return told, p >= responses.LEVEL


def check_all(token, epochs=5, root=None, device="cpu", most=None, arrivals=0):
    """:func:`recompute` a part of published sweeps; see
    :func:`netdyn_lib.experiments.published.check_all`.
    """

    def one(name):
        return recompute(name, token, epochs, root=root, device=device, arrivals=arrivals)

    return published.check_all(names(root), one, token, most)
