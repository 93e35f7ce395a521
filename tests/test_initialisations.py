"""Initial conditions: their distributions, and that each has its own stream."""

import math

import pytest
import torch
from torch import nn

from netdyn_lib import initialisations, networks, tasks

NETWORK = networks.MLP((16, 9, 4), "tanh")
MODULE = networks.ModuleNetwork(nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4)))


def test_normal_is_that_of_the_networks():
    assert torch.equal(initialisations.initial(NETWORK, 4, 3, std=0.5, start=2), networks.initial(NETWORK, 4, 3, 0.5, 2))


@pytest.mark.parametrize("scheme", initialisations.SCHEMES)
@pytest.mark.parametrize("network", [NETWORK, MODULE])
def test_each_initial_condition_has_its_own_stream(scheme, network):
    whole = initialisations.initial(network, 6, 1, scheme)
    assert torch.equal(whole[4:], initialisations.initial(network, 2, 1, scheme, start=4))
    assert not torch.equal(whole[0], whole[1])


def test_normal_all_draws_biases_too():
    drawn = initialisations.initial(NETWORK, 2000, scheme="normal-all", std=2.0)
    assert drawn.std(0).min() > 1.8
    assert drawn.std(0).max() < 2.2


@pytest.mark.parametrize("network", [NETWORK, MODULE])
def test_glorot_and_pytorch_have_the_widths_of_the_layers(network):
    weight = torch.as_tensor(network.is_weight)
    glorot = initialisations.initial(network, 500, scheme="glorot")
    assert (glorot[:, ~weight] == 0).all()
    first = math.sqrt(6 / (16 + 9)) if network is NETWORK else math.sqrt(6 / (9 + 27))
    assert 0.98 * first < glorot[:, 0].abs().max() <= first
    default = initialisations.initial(network, 500, scheme="pytorch")
    bound = 1 / 4 if network is NETWORK else 1 / 3
    assert 0.98 * bound < default[:, 0].abs().max() <= bound
    assert default[:, ~weight].abs().max() > 0


def test_pytorch_is_what_a_layer_of_pytorch_draws():
    layer = networks.ModuleNetwork(nn.Linear(25, 400))
    drawn = torch.cat([p.detach().flatten() for p in nn.Linear(25, 400).parameters()]).double()
    assert initialisations.half_widths(layer, "pytorch") == pytest.approx(0.2)
    assert drawn.abs().max() == pytest.approx(0.2, rel=1e-3)


def test_what_is_refused():
    with pytest.raises(ValueError, match="unknown initialisation 'he'; known: normal"):
        initialisations.initial(NETWORK, 1, scheme="he")
    with pytest.raises(ValueError, match="no weight beside it"):
        initialisations.initial(networks.ModuleNetwork(nn.LayerNorm(3)), 1, scheme="glorot")


def test_the_ridge_tasks_are_the_papers_small_networks():
    for name in ("ridge-tanh-normal", "ridge-tanh-glorot", "ridge-relu-normal", "ridge-relu-glorot"):
        task = tasks.get(name)
        assert task.network.count == 9
        best = 0.5 * (task.y - task.y.mean()).square().sum()
        assert float(best) == pytest.approx(200)
    biases = ~torch.as_tensor(task.network.is_weight)
    assert (task.initial(5)[:, biases] == 0).all()
    assert (tasks.get("ridge-relu-normal").initial(5)[:, biases] != 0).all()
