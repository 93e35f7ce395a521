"""The chapter's campaigns: computed here, beside what is published."""

import numpy as np
import torch

from ...validation import whole
from .. import campaign as engine
from .. import jobs
from . import campaign, measures, predicting, published
from .nearest import at

#: Tangent indicators, that need no future; and what is known of the same moment without tangent
#: dynamics.
TANGENT = ("exponents", "singular values", "vectors", "growth")
RIVALS = ("weights", "Hessian")


def live(profile="laptop", seed=0, folder=None, processes=None):
    """Every campaign of the book, computed where the store lacks it: name → dataset.

    Networks this small keep Python busier than the processor, so threads gain
    little: ``processes`` share the work by sharing the store, one for each of
    PyTorch's threads where not given.  One that fails leaves its part to this one.

    Raises
    ------
    ValueError
        For an unknown profile.
    netdyn_lib.results.store.StoreError
        Where a block cannot be written.
    """
    processes = torch.get_num_threads() if processes is None else whole(processes, "processes", 1)
    campaigns = {name: campaign.get(name, profile, seed) for name in campaign.names()}
    plans = [engine.plan(one, folder) for one in campaigns.values()]
    more = (processes - 1) * any(plan.missing for plan in plans)
    words = [*campaigns, "--profile", profile, "--seed", seed, "--fresh"]
    with jobs.helpers(more, [*words, "--store", folder or engine.default_store()]):
        engine.run(plans, folder, workers=1 if more else None)
    return {name: engine.load(one, folder) for name, one in campaigns.items()}


def paper(root=None):
    """Every campaign that is published: name → (data, table, savings), as
    :func:`netdyn_lib.experiments.outcome_prediction.published.load`.
    """
    return {
        name: published.load(name, root)
        for name in campaign.names()
        if name in published.names(root)
    }


def notes(found, papers):
    """Where the numbers come from, a line for each campaign."""
    lines = [
        f"{name}: {len(data['network']):,} networks computed here" for name, data in found.items()
    ]
    for name in found:
        if name in papers:
            data = papers[name][0]
            lines.append(
                f"{name}: {len(data['network']):,} networks published ({data.attrs['provenance']})"
            )
        else:
            lines.append(
                f"NOTE: nothing is published of the campaign {name!r}; compute it: {published.command(name)}"
            )
    return "\n".join(lines)


def losses(found):
    """Name → (final losses, outcomes), for a figure."""
    return {
        name: (data["final_loss"].values, predicting.outcomes(data)) for name, data in found.items()
    }


def exponents(found):
    """Name → (times, exponents (T, n, P), outcomes), for a figure."""
    return {
        name: (data["time"].values, data["exponents"].values, predicting.outcomes(data))
        for name, data in found.items()
    }


def angles(found, pairs, time, kind="far"):
    """Name → (angles (n, k) of some pairs at a time, outcomes), for a figure; as
    :func:`netdyn_lib.experiments.outcome_prediction.measures.determined`.
    """
    return {
        name: (measures.determined(data, time, pairs, kind), predicting.outcomes(data))
        for name, data in found.items()
    }


def tables(found, resamples, seed):
    """Name → :func:`netdyn_lib.experiments.outcome_prediction.predicting.table`."""
    return {
        name: predicting.table(data, resamples=resamples, seed=seed) for name, data in found.items()
    }


def savings(found, time, group, risk, resamples, seed):
    """Name → :func:`netdyn_lib.experiments.outcome_prediction.predicting.savings`."""
    return {
        name: predicting.savings(data, time, group=group, risk=risk, resamples=resamples, seed=seed)
        for name, data in found.items()
    }


def ranking(tables, outcome, time):
    """Areas under the curve at a time, a table: predictors against ensembles, with intervals in
    words.
    """
    import pandas as pd

    columns = {}
    for name, table in tables.items():
        part = at(table, time)["auc"].sel(outcome=outcome)
        columns[name] = {
            p: "{:.2f} ({:.2f}–{:.2f})".format(*part.sel(predictor=p).values)
            for p in table["predictor"].values.tolist()
        }
    return pd.DataFrame(columns)


def leads(tables, outcome, time, predictors=TANGENT, baselines=predicting.BASELINES):
    """By how much areas of predictors exceed those of baselines at a time, a
    :class:`pandas.DataFrame` over (ensemble, predictor), in words.

    A column for each baseline; intervals are paired over networks.  The classifiers and the split
    into halves are as they were, so the interval is of other test networks alone, not of other
    training ones.  "" where there are too few runs, or a predictor is its own baseline.
    """
    import pandas as pd

    rows = {
        (name, p): {
            f"over {b}": _signed(measures.lead(table, outcome, p, time, b)) for b in baselines
        }
        for name, table in tables.items()
        for p in predictors
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def beyond_rivals(tables, outcome):
    """By how much the best tangent indicator (:data:`TANGENT`) exceeds the better of weights and
    Hessian, a :class:`pandas.DataFrame` of time against ensemble.

    In words: the indicator's name, and its area less that of the better rival, with the interval
    paired over the test networks, as in :func:`leads`. The best of four and the better of two are
    chosen on the networks that they are measured on; the first favours tangent indicators a little,
    and the interval does not know of either choice.
    """
    import pandas as pd

    columns = {}
    for name, table in tables.items():
        column = {}
        for time in table["time"].values.tolist():
            areas = table["auc"].sel(outcome=outcome, time=time, bound="estimate")
            if np.isnan(areas.sel(predictor=[*TANGENT, *RIVALS])).any():
                column[time] = ""
                continue
            best, rival = (
                names[int(np.argmax(areas.sel(predictor=list(names)).values))]
                for names in (TANGENT, RIVALS)
            )
            column[time] = f"{best} {_signed(measures.lead(table, outcome, best, time, rival))}"
        columns[name] = column
    return pd.DataFrame(columns)


def signs(found, times):
    """Signs and order of exponents over [0, t], a :class:`pandas.DataFrame` over (ensemble, time).

    The shares of failed and of ideal runs with a positive largest exponent, by singular values; and
    by their medians over runs, how many exponents are larger in failed runs than in ideal ones, and
    how many are positive in failed runs, of Benettin's (QR) and of those from singular values.
    Runs that have diverged by then have none, and are left out.
    """
    import pandas as pd

    rows = {}
    for name, data in found.items():
        outcomes = predicting.outcomes(data)
        for time in times:
            now, row = at(data, time), {}
            for kind in ("failed", "ideal"):
                first = now["singular"].values[getattr(outcomes, kind), 0]
                first = first[~np.isnan(first)]
                row[f"largest positive, {kind}"] = (
                    float((first > 0).mean()) if len(first) else np.nan
                )
            for words, exponents in (
                ("QR", now["exponents"].values),
                ("singular values", now["singular"].values),
            ):
                failed, ideal = (
                    measures.medians(exponents[rows]) for rows in (outcomes.failed, outcomes.ideal)
                )
                row[f"larger in failed, {words}"], row[f"positive in failed, {words}"] = (
                    int((failed > ideal).sum()),
                    int((failed > 0).sum()),
                )
            rows[name, float(now["time"])] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def future_error(found, time, beyond=10.0, seed=0):
    """How far angles of vectors without a future are from those of vectors with a far one, a
    :class:`pandas.DataFrame` over ensembles.

    Over all pairs that are known at the time (published data have all of them at the early one) and
    determined: the median of |frozen − far| in degrees, and the share above ``beyond`` degrees,
    with its interval over networks.
    """
    import pandas as pd

    rows = {}
    for name, data in found.items():
        pairs = data["pair"].values.tolist()
        frozen, far = (measures.determined(data, time, pairs, kind) for kind in ("frozen", "far"))
        error = np.degrees(np.abs(frozen - far))
        known = ~np.isnan(error)
        rows[name] = {
            "median, degrees": float(np.median(error[known])) if known.any() else np.nan,
            f"more than {beyond:g}°": _words(measures.apart(frozen, far, beyond, seed=seed)),
            "angles": int(known.sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def worst_residual(found):
    """The median over networks of the largest covariance defect of far-future vectors, over all
    ensembles.

    Networks without any such vector, which diverged at once, are left out; NaN where there is no
    other.
    """
    # (n, T, P)
    residuals = [np.moveaxis(data["far_residual"].values, 1, 0) for data in found.values()]
    worst = np.concatenate([np.nanmax(r, axis=(1, 2), initial=-np.inf) for r in residuals])
    known = worst[np.isfinite(worst)]
    return float(np.median(known)) if len(known) else np.nan


def scores(papers, otherwise):
    """Tables of published campaigns, name → table; those given ``otherwise`` where nothing is
    published.
    """
    return {name: papers[name][1] if name in papers else table for name, table in otherwise.items()}


def judged(papers, otherwise):
    """Data of published campaigns, name → dataset; those given ``otherwise`` where nothing is
    published.

    Published data are of two times only, which claims are judged at; see
    :func:`netdyn_lib.experiments.outcome_prediction.published.load`.
    """
    return {name: papers[name][0] if name in papers else data for name, data in otherwise.items()}


def stopping(papers, otherwise, group, risk, resamples, seed):
    """Stopping early over time, name → as
    :func:`netdyn_lib.experiments.outcome_prediction.predicting.savings_over_time`.

    What is published, or where nothing is for this ``group`` and ``risk``, computed from the
    datasets given ``otherwise``.
    """
    found = {}
    for name, data in otherwise.items():
        there = papers[name][2] if name in papers else None
        same = there is not None and (there.attrs["group"], there.attrs["risk"]) == (group, risk)
        found[name] = (
            there
            if same
            else predicting.savings_over_time(
                data, group=group, risk=risk, resamples=resamples, seed=seed
            )
        )
    return found


def best_savings(by_name):
    """The most that each rule saves over all decision times, and when, a :class:`pandas.DataFrame`
    over (ensemble, rule), intervals in words.

    The best of several times is chosen on the data that it is measured on.  That favours every rule
    a little, all in the same way; the interval is that of the time chosen, and does not know of the
    choice.

    Parameters
    ----------
    by_name : dict
        Ensemble → dataset as from :func:`stopping`.
    """
    import pandas as pd

    rows = {}
    for name, data in by_name.items():
        for rule in data["rule"].values.tolist():
            part = data.sel(rule=rule)
            middle = part["saved"].sel(bound="estimate").values
            if np.isnan(middle).all():
                rows[name, rule] = {"best time": np.nan, "epochs saved": "", "best missed": ""}
                continue
            best = part.isel(time=int(np.nanargmax(middle)))
            rows[name, rule] = {
                "best time": float(best["time"]),
                "epochs saved": _words(best["saved"]),
                "best missed": _words(best["missed"]),
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def convergence(here, papers, time, degrees=5.0, seed=0):
    """How far vectors computed here, with a short future, are from the published ones at a time, a
    :class:`pandas.DataFrame` over ensembles.

    The share of angles more than ``degrees`` apart, by
    :func:`netdyn_lib.experiments.outcome_prediction.measures.unconverged`, how many networks both
    have, and how much future the vectors of either know.  And have the published ones converged?
    The same share between them and vectors of a longer future, by
    :func:`netdyn_lib.experiments.outcome_prediction.measures.turned`, of how many networks, and how long that future is.  Ensembles that are not published are left out.

    Raises
    ------
    ValueError
        As :func:`netdyn_lib.experiments.outcome_prediction.measures.unconverged`.
    """
    import pandas as pd

    rows = {}
    for name in (name for name in here if name in papers):
        both = here[name], papers[name][0]
        rows[name] = {
            f"more than {degrees:g}° apart": _words(
                measures.unconverged(*both, time, degrees=degrees, seed=seed)
            ),
            "networks": min(len(data["final_loss"]) for data in both),
            "future here": measures.future(both[0], time),
            "future published": measures.future(both[1], time),
            f"published, more than {degrees:g}° from a longer future": _words(
                measures.turned(both[1], time, degrees=degrees, seed=seed)
            ),
            "networks followed longer": both[1].sizes["followed"],
            "longer future": measures.future(both[1], time) + both[1].attrs["longer"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def savings_at(by_name, time):
    """What each rule saves when it decides at one time, a :class:`pandas.DataFrame` over (ensemble,
    rule), in words.

    Epochs saved, groups of which the best was missed, and how much more is saved than by stopping
    at the same time on the loss, fitted, or where that is no rule, on the loss, paired over
    networks.

    Parameters
    ----------
    by_name : dict
        Ensemble → dataset as from :func:`stopping`.
    time : float
    """
    import pandas as pd

    rows = {}
    for name, data in by_name.items():
        now = at(data, time)
        baseline = now["baseline"].values.tolist()[-1]
        for rule in now["rule"].values.tolist():
            part = now.sel(rule=rule)
            rows[name, rule] = {
                "epochs saved": _known(part["saved"]),
                "best missed": _known(part["missed"]),
            } | {
                f"more than on the {baseline}": _signed(
                    part["difference"].sel(baseline=baseline).values
                )
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def tangencies(found, time, below=10.0, pairs=measures.PAIRS):
    """How often far-future vectors are near a tangency, a :class:`pandas.DataFrame` over (ensemble,
    pair).

    Of failed and of ideal runs, the share of determined angles below ``below`` degrees at a time
    (NaN where none is determined), and how many are determined.
    """
    import pandas as pd

    rows = {}
    for name, (values, outcomes) in angles(found, pairs, time).items():
        for k, pair in enumerate(pairs):
            known = {
                kind: np.degrees(values[getattr(outcomes, kind), k]) for kind in ("failed", "ideal")
            }
            known = {kind: v[~np.isnan(v)] for kind, v in known.items()}
            shares = {
                f"{kind}, below {below:g}°": float((v < below).mean()) if len(v) else np.nan
                for kind, v in known.items()
            }
            rows[name, pair] = shares | {f"{kind}, determined": len(v) for kind, v in known.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def savings_table(found):
    """Stopping early on each rule, a :class:`pandas.DataFrame` over (ensemble, rule), intervals in
    words.
    """
    import pandas as pd

    rows = {}
    for name, comparison in found.items():
        for rule, saving in comparison.rules.items():
            apart = comparison.saved.get(rule)
            rows[name, rule] = {
                "abandoned": _words(saving.abandoned),
                "epochs saved": _words(saving.saved),
                "best missed": _words(saving.missed),
                "more than the loss saves": _words(apart) if apart is not None else "",
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def range_at(tables, outcome, predictor, time):
    """Least and largest area under the curve of a predictor over the ensembles, at a time; without
    those with too few runs.
    """
    found = [
        float(at(table, time)["auc"].sel(outcome=outcome, predictor=predictor, bound="estimate"))
        for table in tables.values()
    ]
    return float(np.nanmin(found)), float(np.nanmax(found))


def _words(bounds):
    """Estimate, low and high, as text."""
    return "{:.2f} ({:.2f} to {:.2f})".format(*map(float, bounds))


def _known(bounds):
    """As :func:`_words`; "" for NaN."""
    bounds = [float(b) for b in bounds]
    return "" if np.isnan(bounds[0]) else _words(bounds)


def _signed(bounds):
    """A difference, its low and its high, as text; "" for NaN."""
    bounds = [float(b) for b in bounds]
    return "" if np.isnan(bounds[0]) else "{:+.2f} ({:.2f} to {:.2f})".format(*bounds)
