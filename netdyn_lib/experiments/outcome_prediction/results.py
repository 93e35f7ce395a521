"""The chapter's campaigns: computed here, beside what is published."""

import torch

from ...validation import whole
from .. import campaign as engine
from .. import jobs
from . import campaign, published


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
