"""Arrivals: first and sustained, censored at a cap, continued from what was seen."""

import numpy as np
import pytest
import torch

from netdyn_lib.tasks import tasks
from netdyn_lib.torch_utils import Stopped
from netdyn_lib.training import gradient_descent
from netdyn_lib.training.observables import first_hit

CAP, TASK = 120, tasks.get("iris")
START = TASK.initial(8, seed=3)


def descent(rate=1.0):
    return gradient_descent.GradientDescent(TASK, rate)


@pytest.fixture(scope="module")
def record():
    return gradient_descent.run(descent(), START, CAP, ("test_accuracy",))


def search(start=START, target=0.8, cap=CAP, sustained=20, rate=1.0, **options):
    return gradient_descent.search(descent(rate), start, target, cap, sustained, **options)


def expected(curves, target, sustained):
    times = np.arange(len(curves))
    return first_hit(times, curves, target), first_hit(times, curves, target, sustained)


@pytest.mark.parametrize(
    ("target", "sustained"), [(0.8, 20), (0.8, 1), (0.5, 60), (1.01, 20), (0.0, 20)]
)
def test_arrivals_are_those_of_the_whole_curve(record, target, sustained):
    found = search(START, target, sustained=sustained)
    first, lasting = expected(record["test_accuracy"], target, sustained)
    np.testing.assert_array_equal(found.first, first)
    np.testing.assert_array_equal(found.sustained, lasting)
    assert (found.followed[np.isnan(lasting)] == CAP).all() and (found.followed <= CAP).all()


@pytest.mark.parametrize("stretch", [1, 7, 1000])
@pytest.mark.parametrize("known", [None, 0, 10, 30, CAP])
def test_neither_stretches_nor_what_was_seen_matter_bit_for_bit(monkeypatch, stretch, known):
    whole = search()
    monkeypatch.setattr(gradient_descent, "_STRETCH", stretch)
    part = search()
    if known is not None:
        before = gradient_descent.run(descent(), START, known, ("test_accuracy",))
        part = search(before.final, seen=before["test_accuracy"])
    np.testing.assert_array_equal(part.first, whole.first)
    np.testing.assert_array_equal(part.sustained, whole.sustained)


def test_a_stretch_at_the_target_must_end_within_the_cap(record):
    first, lasting = expected(record["test_accuracy"], 0.8, 20)
    arrived = np.flatnonzero(~np.isnan(lasting))
    k = arrived[np.argmax(lasting[arrived])]
    whole = search(START[k : k + 1], cap=int(lasting[k]) + 19)
    short = search(START[k : k + 1], cap=int(lasting[k]) + 18)
    assert whole.sustained[0] == lasting[k] and np.isnan(short.sustained[0])
    assert short.first[0] == whole.first[0] == first[k]


def test_networks_that_diverge_never_arrive_and_a_search_can_be_stopped():
    wild = START.clone()
    wild[0] = 1e308
    wild[1] = torch.nan
    found = search(wild, rate=1e307, target=1.01, cap=60)
    assert np.isnan(found.first).all() and np.isnan(found.sustained).all()
    with pytest.raises(Stopped):
        search(stop=lambda: True)
