"""Published sweeps: one small file each, opened as a dataset, and recomputed in part to see that
they still hold.

A file is an archive of :mod:`netdyn_lib.results.store`: NumPy arrays and JSON, no
pickle.  It holds ln d̄(t), losses and accuracies in float32 for every initial
condition, the distances of single copies for a few, arrivals, sharpness, and
the provenance of every shard, the repeated parts of it once.
"""

import html
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ...results import provenance as sources
from ...results import reading, store
from ...tasks import datasets, networks, tasks
from ...training import gradient_descent
from . import dataset, responses
from .grid import Sweep
from .measuring import OF_REFERENCES

FEW = 3  # initial conditions whose single copies are published
_DIMS = dataset.DIMS | {
    "log_mean_distance": ("epoch", "init"),
    "distance": ("epoch", "few", "perturbation"),
    "present": ("init",),
}
_WHOLE = {"diverged_at": np.int32, "present": bool}


def folder():
    """``book/results`` of the checkout that this library lies in."""
    return Path(__file__).resolve().parents[3] / "book" / "results"


def path_of(name, root=None):
    """Where a sweep's published results lie, or would; ValueError for a name that no file has."""
    return store.published(root or folder(), name, "sweep")


def write(data, root=None):
    """Publish a sweep's dataset; the path of its file.

    Raises
    ------
    netdyn_lib.results.store.StoreError
        Where it cannot be written.
    """
    sweep = json.loads(data.attrs["sweep"])
    arrays = {"log_mean_distance": responses.log_mean_distance(data).astype(np.float32)}
    arrays["distance"] = (
        data["distance"]
        .transpose("eta", "epoch", "init", "perturbation")
        .values[:, :, :FEW]
        .astype(np.float32)
    )
    for name in (n for n in data.data_vars if n != "distance"):
        values = data[name].transpose("eta", *_DIMS[name]).values
        arrays[name] = values.astype(_WHOLE.get(name, np.float32))
    metas = json.loads(data.attrs["shards"])
    path = path_of(sweep["name"], root)
    store.write_archive(path, arrays, dict(sweep=sweep, provenance=_provenance(metas)))
    return path


def _provenance(metas):
    """What the shards were computed on: each machine, commit and version once, with how many shards
    and seconds.
    """
    groups = {}
    for meta in metas:
        same = {k: meta[k] for k in ("machine", "commit", "data")} | {
            k: meta["identity"][k] for k in ("task", "versions", "device", "code")
        }
        same["content"] = meta["identity"]["data"]
        group = groups.setdefault(
            json.dumps(same, sort_keys=True),
            same | dict(shards=0, seconds=0.0, first=meta["computed"], last=meta["computed"]),
        )
        group["shards"] += 1
        group["seconds"] = round(group["seconds"] + meta["seconds"], 2)
        group["first"], group["last"] = (
            min(group["first"], meta["computed"]),
            max(group["last"], meta["computed"]),
        )
    return list(groups.values())


def names(root=None):
    """Names of the published sweeps."""
    return store.published_names(root or folder())


def load(name, root=None):
    """A published sweep as a dataset, as
    :func:`netdyn_lib.experiments.learning_rate_sweep.dataset.load`'s.

    In place of ``distance`` for all, it has ``log_mean_distance``, ln d̄(t), and
    ``distance`` for the first few initial conditions (dimension ``few``).

    Raises
    ------
    FileNotFoundError
        Where nothing is published under that name; the message says how to compute it.
    netdyn_lib.results.store.DamagedShard
        For a file that is damaged.
    """
    path = path_of(name, root)
    if not path.exists():
        raise FileNotFoundError(
            f"nothing is published of the sweep {name!r}; compute it: {command(name)}"
        )
    arrays, meta = store.read_archive(path)
    with reading.of_kind(path, "published sweep"):
        return sources.published_in(_dataset(arrays, meta["sweep"], meta["provenance"]), path)


def _dataset(arrays, sweep, provenance):
    coords = {
        "eta": ("eta", np.array(sweep["rates"]), {"long_name": "learning rate η"}),
        "init": np.arange(sweep["conditions"]),
        "few": np.arange(arrays["distance"].shape[2]),
        "perturbation": np.arange(sweep["copies"]),
        "epoch": np.arange(sweep["epochs"] + 1),
        "network": np.arange(1 + sweep["copies"]),
    }
    if sweep["sharp_at"]:
        coords["sharp_epoch"] = np.array(sweep["sharp_at"])
    variables = {k: (("eta", *_DIMS[k]), v) for k, v in arrays.items()}
    return xr.Dataset(
        variables, coords, dict(sweep=json.dumps(sweep), provenance=json.dumps(provenance))
    )


def summary(data):
    """Where published numbers come from, in a sentence."""
    groups = json.loads(data.attrs["provenance"])
    sweep = json.loads(data.attrs["sweep"])
    there = int(data["present"].sum())
    hours = sum(g["seconds"] for g in groups) / 3600
    devices = " and ".join(sorted({f"{g['machine']['device'] or g['device']}" for g in groups}))
    commits = ", ".join(sorted({g["commit"] for g in groups}))
    return (
        f"published.  {groups[0]['data']}; {there} of {len(sweep['rates']) * sweep['conditions']} initial conditions and learning rates, "
        f"{sweep['copies']} copies, {sweep['epochs']} epochs; {hours:.2g} h on {devices}, commit {commits}, {groups[-1]['last'][:10]}."
    )


@dataclass(frozen=True)
class Unpublished:
    """What is not published: ``rows`` maps names to (operations of the exponents, of the arrivals
    at most or None, command).

    Shown in a notebook, it is a table whose commands stand there in full,
    where pandas would cut them; as text, each command has a line of its own.
    """

    rows: dict

    def _repr_html_(self):
        cells = [
            (
                html.escape(name),
                _number(exponents),
                _number(arrivals),
                f'<code style="white-space: normal">{html.escape(text)}</code>',
            )
            for name, (exponents, arrivals, text) in self.rows.items()
        ]
        head = "".join(
            f"<th>{h}</th>" for h in ("", "operations, exponents", "arrivals, at most", "command")
        )
        body = "".join(
            f"<tr><th>{row[0]}</th>" + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>"
            for row in cells
        )
        return (
            f'<table class="dataframe"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            if cells
            else "<p>Everything is published.</p>"
        )

    def __str__(self):
        lines = [
            f"{name}: {_number(exponents)} operations for the exponents, {_number(arrivals)} at most for the arrivals\n    {text}"
            for name, (exponents, arrivals, text) in self.rows.items()
        ]
        return "\n".join(lines) or "Everything is published."

    __repr__ = __str__


def _number(operations):
    """Operations in short: a dash for what a sweep does not search, 0 for what costs no more than
    its exponents.
    """
    return "–" if operations is None else f"{operations:.1e}" if operations else "0"


def unpublished(root=None):
    """The book's sweeps at paper scale that are not published, what they would cost, and the
    commands; an :class:`Unpublished`.
    """
    from . import costs, named

    there, rows = names(root), {}
    for name in (n for n in named.names() if n not in there):
        sweep = named.get(name, "paper")
        exponents, arrivals = costs.operations(sweep)
        rows[name] = exponents, arrivals if sweep.cap else None, command(name)
    return Unpublished(rows)


def command(name, profile="paper"):
    """The commands that compute a sweep and publish it."""
    return (
        f"python -m netdyn_lib.experiments.learning_rate_sweep run {name} --profile {profile} && "
        f"python -m netdyn_lib.experiments.learning_rate_sweep publish {name} --profile {profile}"
    )


@dataclass(frozen=True)
class Check:
    """A small part of a published sweep, recomputed here.

    One initial condition, ``init``, at one learning rate, ``rate``, for so many
    ``epochs``; ``log_distance`` is the largest difference of ln d̄(t) between
    published and recomputed, ``loss`` the largest relative difference of the
    loss; ``agrees`` whether both are within their tolerance.
    """

    name: str
    rate: float
    init: int
    epochs: int
    log_distance: float
    loss: float
    agrees: bool

    def __str__(self):
        verdict = "agree" if self.agrees else "DISAGREE"
        return (
            f"{self.name}: initial condition {self.init} at η = {self.rate:g}, {self.epochs} epochs recomputed and published {verdict} "
            f"(ln d̄ to {self.log_distance:.0e}, loss to {self.loss:.0e})"
        )


def recompute(name, token, epochs=5, tolerance=1e-3, root=None, device="cpu"):
    """Recompute a part of a published sweep, chosen by a token, and compare.

    Another processor or PyTorch rounds otherwise, and chaos amplifies what it
    rounds: over few epochs by so little that the tolerance, of ln d̄ and of the
    relative loss, is far above it, and far below any real change.

    Parameters
    ----------
    name : str
        A published sweep.
    token : str
        Anything that changes from build to build, such as the commit: its hash
        chooses the initial condition and the learning rate among those published.
    epochs : int

    Returns
    -------
    Check

    Raises
    ------
    netdyn_lib.tasks.datasets.MissingData
        Where the sweep's data cannot be had.
    ValueError
        Where every published initial condition diverged.
    """
    data = load(name, root)
    sweep = Sweep(
        **{
            k: tuple(v) if isinstance(v, list) else v
            for k, v in json.loads(data.attrs["sweep"]).items()
        }
    )
    there = np.argwhere(data["present"].values & (data["diverged_at"] < 0).all("network").values)
    if not len(there):
        raise ValueError(
            f"{name}: no published initial condition is without divergence, so none can be compared"
        )
    which, init = there[int(store.key({"token": str(token), "sweep": name}), 16) % len(there)]
    epochs = min(epochs, sweep.epochs)
    task = tasks.get(
        sweep.task, device=device, samples=sweep.samples, test_samples=sweep.test_samples
    )
    start = task.initial(1, sweep.seed, int(init))
    ball = networks.perturbed(start, sweep.radius, sweep.copies, sweep.seed, int(init))
    gd = gradient_descent.GradientDescent(task, sweep.rates[which])
    run = gradient_descent.run(gd, ball, epochs, ("mean_distance", OF_REFERENCES[0]))
    here = {"eta": which, "init": init, "epoch": slice(0, epochs + 1)}
    published = data.isel(here)
    # copies may meet their reference: −inf in both
    with np.errstate(divide="ignore", invalid="ignore"):
        here, there = np.log(run["mean_distance"][:, 0]), published["log_mean_distance"].values
        far = float(np.where(here == there, 0.0, np.abs(here - there)).max())
    loss = float(np.abs(run["reference_loss"][:, 0] / published["loss"].values - 1).max())
    return Check(
        name,
        sweep.rates[which],
        int(init),
        epochs,
        far,
        loss,
        bool(far < tolerance and loss < tolerance),
    )


@dataclass(frozen=True)
class Unchecked:
    """A published sweep whose data are not at hand, so that no part of it can be recomputed here.

    It neither agrees nor disagrees: ``agrees`` is None, which counts as no agreement where one is
    asked for.
    """

    name: str
    agrees: None = None

    def __str__(self):
        return f"NOTE: {self.name} was not recomputed: its images are not at hand on this machine"


def check_all(token, epochs=5, root=None, device="cpu", most=None):
    """:func:`recompute` a part of published sweeps, of all or of ``most`` of those whose data are
    at hand.

    The token chooses which.  Sweeps whose data cannot be had are passed over and do
    not count towards ``most``, so that a machine without images still recomputes what it can.

    Returns
    -------
    list of Check and Unchecked
        By name; :class:`Unchecked` for each that was passed over.  See :func:`verified`.
    """
    found, made = [], 0
    for name in sorted(names(root), key=lambda name: store.key({"token": str(token), "of": name})):
        if made == most:
            break
        try:
            found.append(recompute(name, token, epochs, root=root, device=device))
            made += 1
        except datasets.MissingData:
            found.append(Unchecked(name))
    return sorted(found, key=lambda check: check.name)


def verified(checks):
    """Whether at least one of some checks was made, and all that were made agree."""
    made = [check for check in checks if not isinstance(check, Unchecked)]
    return bool(made) and all(check.agrees for check in made)
