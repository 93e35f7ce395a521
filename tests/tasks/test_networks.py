"""Networks as functions of flat parameters; initial conditions, each of its own stream; ε-balls."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training.gradient_descent import GradientDescent, run

IRIS = networks.MLP((4, 10, 3))
MLP = networks.MLP((16, 9, 4), "tanh")
MODULE = networks.ModuleNetwork(
    nn.Sequential(
        *(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 3, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(12, 4)),
    )
)


def two_layers():
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
def test_mlp_equals_its_module(activation):
    network = networks.MLP((4, 6, 5, 3), activation)
    params = networks.initial(network, 6, std=0.7).view(2, 3, -1)
    x = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = network.forward(params, x)
    assert found.shape == (2, 3, 9, 3)
    for k in np.ndindex(2, 3):
        expected = network.module(params[k])(x)
        torch.testing.assert_close(found[k], expected, rtol=1e-13, atol=1e-13)


def test_layout_names_every_parameter_once():
    assert len(set(IRIS.layout)) == IRIS.count == 83
    assert IRIS.layout[:5] == ("W1[0,0]", "W1[0,1]", "W1[0,2]", "W1[0,3]", "b1[0]")
    assert IRIS.is_weight.sum() == 70
    module = networks.ModuleNetwork(two_layers())
    assert module.count == 43 == len(module.layout) and module.is_weight.sum() == 35


@pytest.mark.parametrize("name", networks.ACTIVATIONS)
def test_activation_derivatives_agree_with_autograd(name):
    phi = networks.ACTIVATIONS[name]
    # an even number: no kink at 0
    z = torch.linspace(-2, 2, 40, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(phi.function(z).sum(), z, create_graph=True)
    a = phi.function(z).detach()
    torch.testing.assert_close(phi.pullback(torch.ones_like(a), a), slope.detach())
    curve = torch.autograd.grad(slope.sum(), z)[0] if slope.requires_grad else torch.zeros_like(z)
    torch.testing.assert_close(phi.bend(a) * slope.detach(), curve)


def test_perturbations_are_uniform_in_the_ball_and_each_of_its_own_stream():
    params = networks.initial(IRIS, 50, seed=3)
    balls = networks.perturbed(params, 1e-3, 20, seed=3)
    shift = networks.displacements(balls).numpy()
    assert torch.equal(balls[:, 0], params)
    assert np.abs(shift).max() <= 1e-3 * (1 + 1e-9)
    assert abs(np.abs(shift).mean() - 0.5e-3) < 1e-5  # the mean of |U(−ε, ε)| is ε/2
    part = networks.perturbed(params[10:], 1e-3, 20, seed=3, start=10)
    assert torch.equal(part, balls[10:])


def test_a_module_is_copied_and_never_changed():
    module = two_layers()
    networks.ModuleNetwork(module)
    assert all(p.dtype == torch.float32 for p in module.parameters())
    module[0].requires_grad_(False)
    network = networks.ModuleNetwork(module)
    params, x = networks.initial(network, 1)[0], torch.ones(2, 4, dtype=torch.float64)
    before = network.forward(params, x)
    with torch.no_grad():
        module[0].weight.add_(1)
    assert torch.equal(network.forward(params, x), before)


def test_a_network_moves_with_what_is_frozen_in_it():
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5).eval(), nn.Linear(5, 3))
    module[0].requires_grad_(False)
    network = networks.ModuleNetwork(module)
    moved = network.to("meta")  # a device that every machine has
    held = [*moved.template.parameters(), *moved.template.buffers()]
    assert {t.device.type for t in held} == {"meta"} and moved.count == network.count == 28
    assert {t.device.type for t in network.template.parameters()} == {"cpu"}
    assert IRIS.to("meta") is IRIS


def test_a_first_call_within_a_transform_leaves_nothing_of_it():
    """Frozen tensors were once copied there, and belonged to a transform that had ended."""
    module = two_layers()
    module[0].requires_grad_(False)
    module.scale = torch.ones(3)
    network, x = networks.ModuleNetwork(module), torch.ones(2, 4, dtype=torch.float64)

    def value(params):
        return network.forward(params, x).square().sum()

    hessian = torch.func.jacfwd(torch.func.grad(value))
    first, again = (hessian(network.own) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(first, first.T)
    task = tasks.custom("frozen", module, losses.CrossEntropy(), x, [0, 2])
    start = task.initial(2)
    run(GradientDescent(task, 0.1), start, 2)
    torch.func.vmap(torch.func.grad(task.objective))(start)


@pytest.mark.parametrize("scheme", networks.SCHEMES)
@pytest.mark.parametrize("network", [MLP, MODULE], ids=repr)
def test_each_initial_condition_has_its_own_stream(scheme, network):
    whole = networks.initial_parameters(network, 6, 1, scheme)
    assert torch.equal(whole[4:], networks.initial_parameters(network, 2, 1, scheme, start=4))
    assert not torch.equal(whole[0], whole[1])
    assert not torch.equal(whole, networks.initial_parameters(network, 6, 2, scheme))


def test_the_normal_schemes():
    weights = torch.as_tensor(IRIS.is_weight)
    plain = networks.initial(IRIS, 2000, std=2.0)
    assert (plain[:, ~weights] == 0).all()
    assert abs(plain[:, weights].mean()) < 0.02 and abs(plain[:, weights].std() - 2) < 0.02
    spread = networks.initial_parameters(IRIS, 2000, scheme=networks.Scheme("normal-all", 2.0))
    assert 1.8 < spread.std(0).min() and spread.std(0).max() < 2.2


@pytest.mark.parametrize("network", [MLP, MODULE], ids=repr)
def test_glorot_and_pytorch_have_the_widths_of_the_layers(network):
    weight = torch.as_tensor(network.is_weight)
    glorot = networks.initial_parameters(network, 500, scheme="glorot")
    assert (glorot[:, ~weight] == 0).all()
    first = math.sqrt(6 / (16 + 9)) if network is MLP else math.sqrt(6 / (9 + 27))
    assert 0.98 * first < glorot[:, 0].abs().max() <= first
    default = networks.initial_parameters(network, 500, scheme="pytorch")
    bound = 1 / 4 if network is MLP else 1 / 3
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


def drawn(scheme, module=None):
    network = IRIS if module is None else networks.ModuleNetwork(module)
    return networks.initial_parameters(network, 1, scheme=scheme)


def half():
    layer = nn.Linear(3, 2)
    layer.scale = nn.Parameter(torch.ones(2))
    return layer


BALL = networks.initial(IRIS, 2)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: drawn("he"), "unknown initialisation 'he'; known: normal"),
        (lambda: drawn("glorot", nn.LayerNorm(3)), "no weight beside it"),
        (lambda: drawn("pytorch", nn.ParameterList([torch.ones(2, 2)])), "no part of .* draws"),
        (lambda: drawn("pytorch", half()), "Linear draws its parameters but not 'scale'"),
        (lambda: networks.MLP((4, 3), "gelu"), "unknown activation 'gelu'; known: sigmoid"),
        (lambda: networks.MLP((4,)), r"\(4,\)"),
        (lambda: networks.initial(IRIS, 0), "count = 0: must be a whole number, at least 1"),
        (lambda: networks.initial(IRIS, 2, std=0), "std = 0: .* positive and finite"),
        (lambda: networks.initial(IRIS, 2, start=-1), "start = -1"),
        (lambda: networks.perturbed(BALL, 1e-8, 1.5), "copies = 1.5: must be a whole number"),
        (lambda: networks.perturbed(BALL, torch.nan), "ε must be positive and finite"),
        (
            lambda: networks.initial(IRIS, 10**12),
            "count = 1,0.*83 par.* 664,000.0 GB, and this machine",
        ),
        (lambda: networks.perturbed(BALL, 1e-8, 10**12), "copies = 1,0.*the machine's memory"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
