import numpy as np
import pytest
import torch
from torch import nn

from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent


@pytest.mark.parametrize(
    "sizes, count",
    [
        ((4, 10, 3), 83),
        ((784, 64, 10), 50_890),
        ((784, 32, 32, 10), 26_506),
        ((3072, 256, 10), 789_258),
        ((2, 2, 1), 9),
    ],
)
def test_parameter_counts_are_the_papers(sizes, count):
    assert networks.MLP(sizes).count == count


@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
def test_mlp_equals_its_module(activation):
    network = networks.MLP((4, 6, 5, 3), activation)
    params = networks.initial(network, 2, std=0.7)
    x = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for p in params:
        torch.testing.assert_close(
            network.forward(p, x), network.module(p)(x), rtol=1e-13, atol=1e-13
        )


def test_forward_takes_stacked_parameters():
    network = networks.MLP((4, 10, 3))
    params = networks.initial(network, 6).view(2, 3, -1)
    x = torch.ones(5, 4, dtype=torch.float64)
    assert network.forward(params, x).shape == (2, 3, 5, 3)
    torch.testing.assert_close(network.forward(params, x)[1, 2], network.forward(params[1, 2], x))


def test_layout_names_every_parameter_once():
    network = networks.MLP((4, 10, 3))
    assert len(set(network.layout)) == network.count == 83
    assert network.layout[:5] == ("W1[0,0]", "W1[0,1]", "W1[0,2]", "W1[0,3]", "b1[0]")
    assert network.is_weight.sum() == 70


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


def test_an_initial_condition_does_not_depend_on_its_batch():
    network = networks.MLP((4, 10, 3))
    many = networks.initial(network, 15, seed=3)
    assert torch.equal(networks.initial(network, 5, seed=3, start=10), many[10:])
    assert not torch.equal(networks.initial(network, 5, seed=4), many[:5])
    balls = networks.perturbed(many, 1e-8, 4, seed=3)
    assert torch.equal(networks.perturbed(many[10:], 1e-8, 4, seed=3, start=10), balls[10:])


def test_initial_weights_are_gaussian_and_biases_zero():
    network = networks.MLP((4, 10, 3))
    params = networks.initial(network, 2000, std=2.0).numpy()
    assert (params[:, ~network.is_weight] == 0).all()
    weights = params[:, network.is_weight]
    assert abs(weights.mean()) < 0.02 and abs(weights.std() - 2) < 0.02


def test_perturbations_are_uniform_in_the_ball():
    params = networks.initial(networks.MLP((4, 10, 3)), 50)
    balls = networks.perturbed(params, 1e-3, 20)
    shift = (balls[:, 1:] - balls[:, :1]).numpy()
    assert torch.equal(balls[:, 0], params)
    assert np.abs(shift).max() <= 1e-3 * (1 + 1e-9)
    assert abs(np.abs(shift).mean() - 0.5e-3) < 1e-5  # the mean of |U(−ε, ε)| is ε/2


def test_a_module_is_a_network():
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    network = networks.ModuleNetwork(module)
    params = networks.initial(network, 3)
    assert network.count == 43 == len(network.layout)
    assert (params[0, ~network.is_weight] == 0).all()
    assert network.forward(params[0], torch.ones(7, 4, dtype=torch.float64)).shape == (7, 3)


def test_bad_input_is_refused():
    network = networks.MLP((4, 10, 3))
    params = networks.initial(network, 2)
    with pytest.raises(ValueError, match="unknown activation 'gelu'; known: sigmoid"):
        networks.MLP((4, 3), "gelu")
    with pytest.raises(ValueError, match=r"\(4,\)"):
        networks.MLP((4,))
    for count in (0, -1, 1.5, float("nan"), float("inf"), "many"):
        with pytest.raises(
            ValueError, match=f"count = {count}: must be a whole number, at least 1"
        ):
            networks.initial(network, count)
        with pytest.raises(
            ValueError, match=f"copies = {count}: must be a whole number, at least 1"
        ):
            networks.perturbed(params, 1e-8, count)
    for bad in (0, -1e-8, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="ε must be positive and finite"):
            networks.perturbed(params, bad)
        with pytest.raises(ValueError, match="positive and finite"):
            networks.initial(network, 2, std=bad)
    with pytest.raises(ValueError, match="start = -1"):
        networks.initial(network, 2, start=-1)


def test_a_module_is_copied_and_never_changed():
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    network = networks.ModuleNetwork(module)
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
    mlp = networks.MLP((4, 3))
    assert mlp.to("meta") is mlp


def test_a_module_without_parameters_is_refused():
    with pytest.raises(ValueError, match="no trainable parameter"):
        networks.ModuleNetwork(nn.ReLU())


def test_a_first_call_within_a_transform_leaves_nothing_of_it():
    """A module's frozen tensors were once copied there, and belonged to a transform that had ended."""
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    module[0].requires_grad_(False)
    module.scale = torch.ones(3)
    network, x = networks.ModuleNetwork(module), torch.ones(2, 4, dtype=torch.float64)
    params = network.own
    value = lambda p: network.forward(p, x).square().sum()  # noqa: E731
    first, again = (torch.func.jacfwd(torch.func.grad(value))(params) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(first, first.T)
    task = tasks.custom("frozen", module, tasks.losses.CrossEntropy(), x, [0, 2])
    start = task.initial(2)
    gradient_descent.run(gradient_descent.GradientDescent(task, 0.1), start, 2)
    torch.func.vmap(torch.func.grad(task.objective))(start)


def test_a_task_takes_any_module():
    task = tasks.custom(
        "mine",
        nn.Linear(4, 3),
        tasks.losses.CrossEntropy(),
        torch.ones(6, 4),
        torch.tensor([0, 1, 2] * 2),
    )
    assert task.network.count == 15
    with pytest.raises(ValueError, match="6 inputs but 5 targets"):
        tasks.custom(
            "mine",
            nn.Linear(4, 3),
            tasks.losses.CrossEntropy(),
            torch.ones(6, 4),
            torch.zeros(5, dtype=int),
        )
