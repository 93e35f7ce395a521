"""The chapter's arms: computed here, beside what is published."""

import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import torch

from ...curvature import pruned_descent
from ...tasks import datasets, tasks
from ...tasks import datasets as sets
from ...training import minibatches
from ...validation import whole
from . import arm as table
from . import measures, published, running
from .pieces import default_store

#: The task that is shown live where H's data are not at hand, for each of hers.
STAND_IN = {"usps": "digits-usps", "usps-sigmoid": "digits-usps-sigmoid"}


def live_task(task="usps"):
    """The task itself where its data are at hand, else the one that stands in for it."""
    source = sets.archive(tasks.recipe(task).data)
    return (
        STAND_IN.get(task, task) if source is not None and not datasets.available(source) else task
    )


def live(task="usps", profile="laptop", seed=0, folder=None, processes=None):
    """The arms of a task, computed where the store lacks them, a dataset as
    :func:`netdyn_lib.experiments.pruning_ablation.running.load`'s.

    Where the data of ``task`` are not at hand, those of its stand-in.  ``processes`` share the
    work, each a network at a time; one for each of PyTorch's threads where not given.

    Raises
    ------
    ValueError
        For an unknown profile, or a task without arms.
    netdyn_lib.results.store.StoreError
        Where the store cannot be written.
    """
    names = table.names(live_task(task), profile)
    arms, folder = [table.get(name, profile, seed) for name in names], folder or default_store()
    count = torch.get_num_threads() if processes is None else whole(processes, "processes", 1)
    lacking = running.lacks(arms, folder)
    with helpers(
        min(count, lacking) - 1,
        [*names, "--profile", profile, "--seed", str(seed), "--store", str(folder)],
    ):
        running.run(arms, folder)
    return running.load(arms, folder)


def states(task, times, learning_rate, batch, seed=0, network=0):
    """A network of the arm without pruning at some ``times`` of its training, step → parameters
    (P,); ``task`` is loaded, times ascend.
    """
    params, order, now, found = (
        task.initial(1, seed, network),
        minibatches.order_of(seed, network),
        0,
        {},
    )
    for time in times:
        descent = pruned_descent.Descent(task, batch, every=max(1, time), spectra=False)
        run = pruned_descent.run(descent, params, learning_rate, time - now, seed=order, start=now)
        params, now = run.final, time
        found[time] = params[0]
    return found


@contextmanager
def helpers(count, words):
    """So many processes ``run`` the command line's ``words`` meanwhile, on a core each; they are
    ended when the block is left.

    What one does not finish, as where it fails, is left to whoever goes on.
    """
    command = [
        sys.executable,
        "-m",
        "netdyn_lib.experiments.pruning_ablation",
        "run",
        *words,
        "--workers",
        "1",
    ]
    quiet = dict(
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    others = [subprocess.Popen(command, **quiet) for _ in range(count)]
    try:
        yield others
    finally:
        for process in others:
            process.terminate()
        for process in others:
            process.wait()


def paper(root=None):
    """Everything that is published: task → dataset, in the order of the book's arms."""
    return {
        task: published.load(task, root)
        for task in table.tasks("paper")
        if task in published.names(root)
    }


def judged(data, papers, task="usps"):
    """What claims are judged on: the published arms of a ``task`` where there are any, else those
    computed here.
    """
    return papers.get(task, data)


def unpublished(papers):
    """Arms of the paper profile of which networks are not published yet, a
    :class:`pandas.DataFrame` indexed by arm.

    With the number of networks that is ``published`` and that ``wanted``, the ``steps`` of each,
    and whether a spectrum is needed at each, which takes most of the time.
    """
    import pandas as pd

    rows = {}
    for task in table.tasks("paper"):
        known = papers.get(task)
        there = (
            {}
            if known is None
            else dict(
                zip(known["arm"].values.tolist(), known["present"].sum("seed").values.tolist())
            )
        )
        for one in (table.get(name, "paper") for name in table.names(task, "paper")):
            if there.get(one.label, 0) < one.networks:
                rows[one.name] = {
                    "published": there.get(one.label, 0),
                    "wanted": one.networks,
                    "steps": one.steps,
                    "pruned": one.rule.which != "none",
                }
    return pd.DataFrame.from_dict(rows, orient="index")


def notes(data, papers, task="usps"):
    """Where the numbers come from, a line for each source."""
    count = int(data["present"].sum())
    size = f"{data.sizes['arm']} arms, {count} networks, {int(data['step'].max()):,} steps"
    lines = [f"{data.attrs['task']}: {size} computed here ({data.attrs['data']})"]
    if data.attrs["task"] != task:
        lines.append(
            f"NOTE: the images of {task!r} are not at hand; computed here are arms of {data.attrs['task']!r} in their place"
        )
    for name, known in papers.items():
        lines.append(
            f"{name}: {known.sizes['arm']} arms, {int(known['present'].sum())} networks, {int(known['step'].max()):,} steps "
            f"published ({known.attrs['provenance']})"
        )
    lines += [
        f"NOTE: nothing is published of the arms of {name!r}; compute them: {published.command(name)}"
        for name in table.tasks("paper")
        if name not in papers
    ]
    return "\n".join(lines)


def summary(data, arms=None, baseline="none", tail=measures.TAIL):
    """What arms end with, a :class:`pandas.DataFrame` indexed by arm, intervals over networks in
    words.

    Parameters
    ----------
    data : xarray.Dataset
    arms : sequence of str, optional
        All by default.
    baseline : str
        The arm from which paired differences are taken; without any where it is not there.
    tail : float
        As for :func:`netdyn_lib.experiments.pruning_ablation.measures.final`.
    """
    import pandas as pd

    arms = data["arm"].values.tolist() if arms is None else list(arms)
    ends = {
        what: measures.final(data, what, tail) for what in ("test_accuracy", "test_loss", "loss")
    }
    rows = {}
    for arm in arms:
        row = {
            "networks": int(data["present"].sel(arm=arm).sum()),
            "diverged": int((data["diverged_at"].sel(arm=arm) >= 0).sum()),
        }
        row |= {
            what.replace("_", " "): words(measures.student(values.sel(arm=arm).values))
            for what, values in ends.items()
        }
        if baseline in data["arm"].values:
            row[f"accuracy, less than {baseline}"] = (
                "" if arm == baseline else words(measures.lost(data, arm, baseline, tail=tail))
            )
        kept = data["kept"].sel(arm=arm).mean("step").mean("seed")
        rows[arm] = row | {"kept length": float(kept)}
    return pd.DataFrame.from_dict(rows, orient="index")


def elsewhere(papers, but=("usps",), tail=measures.TAIL):
    """:func:`summary` of all that is published but of some tasks, one below the other: indexed by
    task and arm; None where there is nothing.
    """
    import pandas as pd

    found = {task: summary(data, tail=tail) for task, data in papers.items() if task not in but}
    return pd.concat(found, names=["task", "arm"]) if found else None


def majority(task):
    """The accuracy of a guess that is always the most frequent class of the training samples, on
    the test samples of a ``task``.
    """
    frequent = task.y.bincount().argmax()
    return float((task.y_test == frequent).double().mean())


def end(data, arm, what="test_accuracy", tail=measures.TAIL):
    """What an arm ends with, mean over networks; NaN where the arm is not there."""
    return (
        float(measures.final(data, what, tail).sel(arm=arm).mean("seed"))
        if arm in data["arm"].values
        else np.nan
    )


def above_edge(data, arm):
    """Share of the observed steps at which an eigenvalue is above 2/γ, mean over networks; NaN
    where the arm is not there.
    """
    return measures.beyond_edge(data, arm).estimate if arm in data["arm"].values else np.nan


def rates(data, rules=("none", "negative", "positive"), what="test_accuracy", tail=measures.TAIL):
    """Final values of each rule at every learning rate, rule → (γ (k,), list of k Intervals), for a
    figure; rules without an arm are left out.
    """
    found, ends = {}, measures.final(data, what, tail)
    for rule in (rule for rule in rules if rule in data["arm"].values):
        known = measures.by_rate(data, rule)
        found[rule] = (
            np.array(list(known)),
            [measures.student(ends.sel(arm=label).values) for label in known.values()],
        )
    return found


def words(interval, digits=3):
    """Estimate and bounds as text; without bounds where they are not known."""
    middle, low, high = (f"{value:.{digits}f}" for value in interval)
    return middle if np.isnan(interval.low) else f"{middle} ({low} to {high})"


def there(data, arms):
    """Those of some ``arms`` that a dataset has, a list in their order; all of it where it has
    none.
    """
    known = data["arm"].values.tolist()
    return [arm for arm in arms if arm in known] or known


def costs(data, baseline="none", tail=measures.TAIL):
    """What each arm at the baseline's learning rate and momentum ends below it in test accuracy,
    label → Interval, from the largest.
    """
    pace = {one.label: (one.learning_rate, one.momentum) for one in measures.arms(data)}
    found = {
        arm: measures.lost(data, arm, baseline, tail=tail)
        for arm in pace
        if arm != baseline and pace[arm] == pace[baseline]
    }
    known = {arm: interval for arm, interval in found.items() if not np.isnan(interval.estimate)}
    return dict(sorted(known.items(), key=lambda pair: -pair[1].estimate))


def onsets(data):
    """Label → the step from which it prunes, of the arms that do not prune from the start."""
    return {one.label: one.onset for one in measures.arms(data) if one.onset}
