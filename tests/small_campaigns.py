"""A small campaign of outcome prediction, of a second."""

from netdyn_lib.experiments.outcome_prediction.campaign import Campaign


def small(**changes):
    """Twelve ridge networks for sixty steps, in two blocks; indicators at 1, 5 and 15 steps."""
    sizes = dict(task="ridge-tanh-normal", count=12, learning_rate=0.001, steps=60)
    sizes |= dict(times=(1, 5, 15), backward=20, block=7)
    return Campaign(**(dict(name="small") | sizes | changes))
