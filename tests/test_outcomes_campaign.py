"""What a campaign is: its blocks, its bounds, and the book's by name."""

import pytest

from netdyn_lib.experiments import sizes as profiles
from netdyn_lib.experiments.outcome_prediction import campaign
from netdyn_lib.experiments.outcome_prediction.campaign import Campaign


def small(**changes):
    """Twelve of S's networks for sixty steps, in two blocks; indicators at 1, 5 and 15 steps."""
    sizes = dict(
        task="ridge-tanh-normal",
        count=12,
        learning_rate=0.001,
        steps=60,
        times=(1, 5, 15),
        backward=20,
        block=7,
    )
    return Campaign(**(dict(name="small") | sizes | changes))


@pytest.mark.parametrize(
    ("count", "block", "blocks"),
    [(12, 7, [(0, 7), (7, 5)]), (14, 7, [(0, 7), (7, 7)]), (3, 7, [(0, 3)])],
)
def test_blocks_cover_every_network_once(count, block, blocks):
    assert small(count=count, block=block).blocks() == blocks


def test_the_curve_grows_from_the_first_step_to_the_last():
    curve = small(steps=10_000).curve
    assert (
        curve[:3] == (0, 1, 2)
        and curve[-1] == 10_000
        and list(curve) == sorted(set(curve))
        and 40 < len(curve) < 63
    )
    assert small(steps=60).curve[-1] == 60
    assert small(steps=2, times=(1,), backward=1).curve == (0, 1, 2)


def test_numbers_of_other_types_are_the_same_campaign():
    assert small(count=12.0, times=[1, 5.0, 15], steps=60.0) == small() and small(
        times=[1, 5, 15]
    ).times == (1, 5, 15)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(learning_rate=0), "learning_rate = 0"),
        (dict(learning_rate=float("nan")), "learning_rate = nan"),
        (dict(count=0), "count = 0"),
        (dict(steps=1.5), "steps = 1.5"),
        (dict(block=0), "block = 0"),
        (dict(backward=0), "backward = 0"),
        (dict(seed=-1), "seed = -1"),
        (dict(times=()), "at least one"),
        (dict(times=(5, 1)), r"times = \(5, 1\): must grow"),
        (dict(times=(0, 5)), "time = 0"),
        (dict(times=(41,)), "last time . backward = 61: must be a whole number, from 1 to 60"),
    ],
)
def test_bad_numbers_are_one_clear_error(changes, said):
    with pytest.raises(ValueError, match=said):
        small(**changes)


def test_the_books_campaigns_are_those_of_its_profile():
    assert campaign.names() == profiles.sizes("06_prediction").campaigns
    paper = campaign.get("ridge-relu-normal", "paper", seed=3)
    size = profiles.sizes("06_prediction", "paper")
    assert (paper.name, paper.task, paper.seed) == ("ridge-relu-normal", "ridge-relu-normal", 3)
    assert (paper.count, paper.steps, paper.times) == (size.count, size.steps, size.times)
    assert (
        campaign.get("ridge-relu-normal").count
        == profiles.sizes("06_prediction").count
        < paper.count
    )


def test_unknown_names_and_profiles_say_what_is_known():
    with pytest.raises(ValueError, match="unknown campaign 'none'; known: ridge-tanh-normal, "):
        campaign.get("none")
    with pytest.raises(ValueError, match="unknown profile 'huge'"):
        campaign.get("ridge-tanh-normal", "huge")
