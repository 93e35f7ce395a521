"""Initial conditions: their distributions, and that each has its own stream."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.tasks import networks, tasks

NETWORK = networks.MLP((16, 9, 4), "tanh")
MODULE = networks.ModuleNetwork(
    nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4)
    )
)


def test_normal_is_that_of_the_networks():
    assert torch.equal(
        networks.initial_parameters(NETWORK, 4, 3, std=0.5, start=2),
        networks.initial(NETWORK, 4, 3, 0.5, 2),
    )


@pytest.mark.parametrize("scheme", networks.SCHEMES)
@pytest.mark.parametrize("network", [NETWORK, MODULE])
def test_each_initial_condition_has_its_own_stream(scheme, network):
    whole = networks.initial_parameters(network, 6, 1, scheme)
    assert torch.equal(whole[4:], networks.initial_parameters(network, 2, 1, scheme, start=4))
    assert not torch.equal(whole[0], whole[1])


def test_normal_all_draws_biases_too():
    drawn = networks.initial_parameters(NETWORK, 2000, scheme="normal-all", std=2.0)
    assert drawn.std(0).min() > 1.8
    assert drawn.std(0).max() < 2.2


@pytest.mark.parametrize("network", [NETWORK, MODULE])
def test_glorot_and_pytorch_have_the_widths_of_the_layers(network):
    weight = torch.as_tensor(network.is_weight)
    glorot = networks.initial_parameters(network, 500, scheme="glorot")
    assert (glorot[:, ~weight] == 0).all()
    first = math.sqrt(6 / (16 + 9)) if network is NETWORK else math.sqrt(6 / (9 + 27))
    assert 0.98 * first < glorot[:, 0].abs().max() <= first
    default = networks.initial_parameters(network, 500, scheme="pytorch")
    bound = 1 / 4 if network is NETWORK else 1 / 3
    assert 0.98 * bound < default[:, 0].abs().max() <= bound
    assert default[:, ~weight].abs().max() > 0


class Attentive(nn.Module):
    """Token ids (N, T) to (N, 3), with a parameter that no layer draws."""

    def __init__(self):
        super().__init__()
        self.embed, self.attend = nn.Embedding(7, 4), nn.MultiheadAttention(4, 2, batch_first=True)
        self.norm, self.last = nn.LayerNorm(4), nn.Linear(4, 3)
        self.shift = nn.Parameter(torch.tensor([0.5, 0.25]).double())

    def forward(self, x):
        h = self.embed(x.long())
        return self.last(self.norm(self.attend(h, h, h)[0]).mean(1)) + self.shift.sum()


class Old(nn.Module):
    """Draws its weights through ``.data``, as older code does."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 2))
        self.reset_parameters()

    def reset_parameters(self):
        self.weight.data.uniform_(-0.5, 0.5)

    def forward(self, x):
        return x @ self.weight.T


BUILT = {
    "old": Old,
    "layer norm": lambda: nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 2)),
    "attention": Attentive,
    "lstm": lambda: nn.LSTM(3, 4),
    "weight norm": lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 4))),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose1d(2, 3, 2), nn.GroupNorm(3, 3)),
}


@pytest.mark.parametrize("build", BUILT.values(), ids=BUILT)
def test_pytorch_is_what_pytorch_draws_at_construction(build):
    network, state = networks.ModuleNetwork(build()), torch.get_rng_state()
    drawn = networks.initial_parameters(network, 3, 5, "pytorch")
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(drawn[1:], networks.initial_parameters(network, 2, 5, "pytorch", start=1))
    single = networks.initial_parameters(network.to("cpu", torch.float32), 3, 5, "pytorch")
    assert torch.equal(drawn, single)
    for index, row in enumerate(drawn):
        seed = np.random.default_rng([5, index, 0]).integers(2**63)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            torch.set_default_dtype(torch.float64)
            try:
                fresh = build()
            finally:
                torch.set_default_dtype(torch.float32)
        built = dict(fresh.named_parameters())
        flat = [built[name].detach().flatten() for name in network.shapes]
        assert torch.equal(row, torch.cat(flat))


def test_pytorch_is_what_a_layer_of_pytorch_draws():
    layer = networks.ModuleNetwork(nn.Linear(25, 400))
    drawn = torch.cat([p.detach().flatten() for p in nn.Linear(25, 400).parameters()]).double()
    assert networks.half_widths(layer, "pytorch") == pytest.approx(0.2)
    assert drawn.abs().max() == pytest.approx(0.2, rel=1e-3)


def test_what_is_refused():
    with pytest.raises(ValueError, match="unknown initialisation 'he'; known: normal"):
        networks.initial_parameters(NETWORK, 1, scheme="he")
    with pytest.raises(ValueError, match="no weight beside it"):
        networks.initial_parameters(networks.ModuleNetwork(nn.LayerNorm(3)), 1, scheme="glorot")
    bare = nn.ParameterList([torch.ones(2, 2)])
    with pytest.raises(ValueError, match="no part of ParameterList draws its parameters"):
        networks.initial_parameters(networks.ModuleNetwork(bare), 1, scheme="pytorch")
    half = nn.Linear(3, 2)
    half.scale = nn.Parameter(torch.ones(2))
    with pytest.raises(ValueError, match="Linear draws its parameters but not 'scale'"):
        networks.initial_parameters(networks.ModuleNetwork(half), 1, scheme="pytorch")


def test_the_ridge_tasks_are_the_papers_small_networks():
    for name in (
        "ridge-tanh-normal",
        "ridge-tanh-glorot",
        "ridge-relu-normal",
        "ridge-relu-glorot",
    ):
        task = tasks.get(name)
        assert task.network.count == 9
        best = 0.5 * (task.y - task.y.mean()).square().sum()
        assert float(best) == pytest.approx(200)
    biases = ~torch.as_tensor(task.network.is_weight)
    assert (task.initial(5)[:, biases] == 0).all()
    assert (tasks.get("ridge-relu-normal").initial(5)[:, biases] != 0).all()
