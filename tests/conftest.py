"""Networks on Iris that several tests look at; none may change them."""

import pytest
import torch

from netdyn_lib import descent, saturation, tasks, trajectories


@pytest.fixture(scope="session")
def iris():
    return tasks.get("iris")


@pytest.fixture(scope="session")
def saturated(iris):
    """Networks whose first k hidden units are 1 and the others 0 on every sample, to the last bit."""
    params = iris.initial(6, seed=1)
    inner, _ = iris.network.matrices(params)
    inner[..., :-1] = 0
    for k in range(6):
        inner[k, :, -1] = torch.where(torch.arange(10) < k, 800.0, -800.0)
    return params


@pytest.fixture(scope="session")
def runs(iris):
    return trajectories.follow(
        descent.GradientDescent(iris, 5.0), iris.initial(12, seed=3), 600, observe=("loss", saturation.mean_logits)
    )
