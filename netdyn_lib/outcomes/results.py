"""The chapter's campaigns: computed here, beside what is published."""

import subprocess
import sys

import numpy as np
import torch

from ..checks import whole
from . import campaign, measures, predicting, published, running
from .measures import NEAR


def live(profile="laptop", seed=0, folder=None, processes=None):
    """Every campaign of the book, computed where the store lacks it: name → dataset.

    Networks this small keep Python busier than the processor, so threads gain
    little: ``processes`` share the work by sharing the store, one for each of
    PyTorch's threads where not given.  One that fails leaves its part to this one.

    Raises
    ------
    ValueError
        For an unknown profile.
    netdyn_lib.store.StoreError
        Where a block cannot be written.
    """
    processes = torch.get_num_threads() if processes is None else whole(processes, "processes", 1)
    folder = folder or running.default_store()
    campaigns = {name: campaign.get(name, profile, seed) for name in campaign.names()}
    lacking = any(running.lacks(one, folder) for one in campaigns.values())
    command = [sys.executable, "-m", "netdyn_lib.outcomes", "run", "--profile", profile, "--seed", str(seed), "--workers", "1"]
    others = [
        subprocess.Popen([*command, "--store", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range((processes - 1) * lacking)
    ]
    try:
        for one in campaigns.values():
            running.run(one, folder, workers=1 if others else None)
    finally:
        for process in others:
            process.terminate()
            process.wait()
    return {name: running.load(one, folder) for name, one in campaigns.items()}


def paper(root=None):
    """Every campaign that is published: name → (data, table)."""
    return {name: published.load(name, root) for name in campaign.names() if name in published.names(root)}


def notes(found, papers):
    """Where the numbers come from, a line for each campaign."""
    lines = [f"{name}: {len(data['network']):,} networks computed here" for name, data in found.items()]
    for name in found:
        if name in papers:
            data = papers[name][0]
            lines.append(f"{name}: {len(data['network']):,} networks published ({data.attrs['provenance']})")
        else:
            lines.append(f"NOTE: nothing is published of the campaign {name!r}; compute it: {published.command(name)}")
    return "\n".join(lines)


def losses(found):
    """Name → (final losses, outcomes), for a figure."""
    return {name: (data["final_loss"].values, predicting.outcomes(data)) for name, data in found.items()}


def exponents(found):
    """Name → (times, exponents (T, n, P), outcomes), for a figure."""
    return {name: (data["time"].values, data["exponents"].values, predicting.outcomes(data)) for name, data in found.items()}


def angles(found, pairs, time, kind="far"):
    """Name → (angles (n, k) of some pairs at a time, outcomes), for a figure; as :func:`netdyn_lib.outcomes.measures.determined`."""
    return {name: (measures.determined(data, time, pairs, kind), predicting.outcomes(data)) for name, data in found.items()}


def tables(found, resamples, seed):
    """Name → :func:`netdyn_lib.outcomes.predicting.table`."""
    return {name: predicting.table(data, resamples=resamples, seed=seed) for name, data in found.items()}


def savings(found, time, group, risk, resamples, seed):
    """Name → :func:`netdyn_lib.outcomes.predicting.savings`."""
    return {
        name: predicting.savings(data, time, group=group, risk=risk, resamples=resamples, seed=seed) for name, data in found.items()
    }


def ranking(tables, outcome, time):
    """Areas under the curve at a time, a table: predictors against ensembles, with intervals in words."""
    import pandas as pd

    columns = {}
    for name, table in tables.items():
        part = table["auc"].sel(outcome=outcome).sel(time=time, method="nearest", tolerance=NEAR * time)
        columns[name] = {p: "{:.2f} ({:.2f}–{:.2f})".format(*part.sel(predictor=p).values) for p in table["predictor"].values.tolist()}
    return pd.DataFrame(columns)


def worst_residual(found):
    """The median over networks of the largest covariance defect of far-future vectors, over all ensembles.

    Networks without any such vector, which diverged at once, are left out; NaN where there is no other.
    """
    residuals = [np.moveaxis(data["far_residual"].values, 1, 0) for data in found.values()]  # (n, T, P)
    worst = np.concatenate([np.nanmax(r, axis=(1, 2), initial=-np.inf) for r in residuals])
    known = worst[np.isfinite(worst)]
    return float(np.median(known)) if len(known) else np.nan


def scores(papers, otherwise):
    """Tables of published campaigns, name → table; those given ``otherwise`` where nothing is published."""
    return {name: papers[name][1] if name in papers else table for name, table in otherwise.items()}


def savings_table(found):
    """Stopping early on each rule, a :class:`pandas.DataFrame` over (ensemble, rule), intervals in words."""
    import pandas as pd

    def words(interval):
        return "{:.2f} ({:.2f} to {:.2f})".format(*tuple(interval)[:3])

    rows = {}
    for name, comparison in found.items():
        for rule, saving in comparison.rules.items():
            apart = comparison.saved.get(rule)
            rows[name, rule] = {
                "abandoned": words(saving.abandoned), "epochs saved": words(saving.saved), "best missed": words(saving.missed),
                "more than the loss saves": words(apart) if apart is not None else "",
            }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def range_at(tables, outcome, predictor, time):
    """Least and largest area under the curve of a predictor over the ensembles, at a time; without those with too few runs."""
    found = [
        float(table["auc"].sel(outcome=outcome, predictor=predictor, bound="estimate").sel(time=time, method="nearest", tolerance=NEAR * time))
        for table in tables.values()
    ]
    return float(np.nanmin(found)), float(np.nanmax(found))
