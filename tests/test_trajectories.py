"""Trajectories kept in blocks: those of one run, and where they diverge."""

import numpy as np
import pytest
import torch

from netdyn_lib.training import gradient_descent


def test_trajectories_are_those_of_one_run(iris, runs):
    record = gradient_descent.run(
        gradient_descent.GradientDescent(iris, 5.0), iris.initial(12, seed=3), 600, ("loss",)
    )
    assert np.array_equal(runs["loss"], record["loss"])
    assert np.array_equal(runs.states[-1], record.final.numpy())
    assert runs.states.shape == (11, 12, 83)
    assert (runs.diverged_at == -1).all()


def test_a_trajectory_that_diverges_is_noted_at_its_epoch(iris):
    start = iris.initial(2, seed=0)
    start[1] = torch.nan
    found = gradient_descent.follow(gradient_descent.GradientDescent(iris, 5.0), start, 120)
    assert found.diverged_at[0] == -1 and found.diverged_at[1] == 0


def test_epochs_that_are_no_whole_blocks_are_refused(iris):
    with pytest.raises(ValueError, match="100 epochs are no positive multiple of a block of 60"):
        gradient_descent.follow(gradient_descent.GradientDescent(iris, 5.0), iris.initial(2), 100)
