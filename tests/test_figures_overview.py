"""The picture of regimes, of responses that are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from netdyn_lib.figures import numbers, overview
from netdyn_lib.statistics.intervals import Interval


@pytest.mark.parametrize(
    "share, name",
    [
        (0.0, "calm"),
        (0.09, "calm"),
        (0.1, "mixed"),
        (0.89, "mixed"),
        (0.9, "sensitive"),
        (1.0, "sensitive"),
    ],
)
def test_the_regimes_rule(share, name):
    assert overview.regime(share) == name


def test_shares_exponents_and_regimes_are_drawn():
    rates = np.array([0.1, 1.0, 10.0])
    nothing = Interval(np.nan, np.nan, np.nan)
    exponents = SimpleNamespace(
        rates=rates,
        share=[Interval(0, 0, 0.1), Interval(0.5, 0.4, 0.6), Interval(1, 0.9, 1)],
        exponent=[nothing, Interval(0.2, 0.1, 0.3), Interval(0.4, 0.3, 0.5)],
    )
    arrivals = SimpleNamespace(
        rates=rates,
        cap=100,
        never=[Interval(0, 0, 0.1), Interval(0.25, 0.2, 0.3), Interval(1, 0.9, 1)],
    )
    figure = overview.regimes(exponents, arrivals, 1.0)
    top, below = figure.axes
    assert [len([p for p in axis.patches if p.get_alpha()]) for axis in (top, below)] == [3, 3]
    assert [text.get_text() for text in below.get_legend().get_texts()] == [
        "hardly any sensitive",
        "some sensitive",
        "nearly all sensitive",
    ]
    found = numbers.table(figure)
    lines = found[found["kind"] == "line"]
    assert lines[lines["series"] == "sensitive, $p$"]["y"].tolist() == [0, 0.5, 1]
    assert lines[lines["series"].str.startswith("at the target")]["y"].tolist() == [1, 0.75, 0]
    assert found[found["kind"] == "mark"]["x"].tolist() == [1, 1]
    assert found["series"].notna().all() and set(found[found["kind"] == "mark"]["series"]) == {
        "fastest"
    }
    assert found[found["kind"] == "span"].groupby("panel")["series"].agg(list).tolist() == 2 * [
        ["hardly any sensitive", "some sensitive", "nearly all sensitive"]
    ]
    assert [text.get_text() for text in below.texts] == []
