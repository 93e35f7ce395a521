"""The chapter's arms: computed here, beside what is published."""

import torch

from ...tasks import datasets, tasks
from ...tasks import datasets as sets
from ...validation import whole
from .. import campaign, jobs
from . import arm as table
from . import published

#: The task that is shown live where the data are not at hand, for each of Herrmann 2022.
STAND_IN = {"usps": "digits-usps", "usps-sigmoid": "digits-usps-sigmoid"}


def live_task(task="usps"):
    """The task itself where its data are at hand, else the one that stands in for it."""
    source = sets.archive(tasks.recipe(task).data)
    return (
        STAND_IN.get(task, task) if source is not None and not datasets.available(source) else task
    )


def live(task="usps", profile="laptop", seed=0, folder=None, processes=None):
    """The arms of a task, computed where the store lacks them, a dataset as
    :func:`netdyn_lib.experiments.campaign.load`'s.

    Where the data of ``task`` are not at hand, those of its stand-in.  ``processes`` share the
    work, each a network at a time; one for each of PyTorch's threads where not given.

    Raises
    ------
    ValueError
        For an unknown profile, or a task without arms.
    netdyn_lib.results.store.StoreError
        Where the store cannot be written.
    """
    arms = table.get(live_task(task), profile, seed)
    plan = campaign.plan(arms, folder)
    count = torch.get_num_threads() if processes is None else whole(processes, "processes", 1)
    words = [arms.name, "--profile", profile, "--seed", seed, "--fresh"]
    words += ["--store", folder or campaign.default_store()]
    with jobs.helpers(min(count, len(plan.missing)) - 1, words):
        campaign.run(plan, folder)
    return campaign.load(arms, folder, whole=True)


def paper(root=None):
    """Everything that is published: task → dataset, in the order of the book's arms."""
    return {
        task: published.load(task, root)
        for task in table.names("paper")
        if task in published.names(root)
    }


def unpublished(papers):
    """Arms of the paper profile of which networks are not published yet, a
    :class:`pandas.DataFrame` indexed by arm.

    With the number of networks that is ``published`` and that ``wanted``, the ``steps`` of each,
    and whether a spectrum is needed at each, which takes most of the time.
    """
    import pandas as pd

    rows = {}
    for task in table.names("paper"):
        known, there = papers.get(task), {}
        if known is not None:
            there = known["present"].sum("seed").to_series().to_dict()
        for one in table.get(task, "paper").arms:
            count, pruned = there.get(one.label, 0), one.rule.which != "none"
            if count < one.networks:
                rows[one.name] = (count, one.networks, one.steps, pruned)
    columns = ["published", "wanted", "steps", "pruned"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
