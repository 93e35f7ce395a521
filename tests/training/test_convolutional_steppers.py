"""Convolutional networks by closed form: autograd's numbers, whatever blocks and stack."""

import copy

import pytest
import torch
from torch import nn

from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import convolutional_steppers, ensembles, steppers
from netdyn_lib.training.gradient_descent import GradientDescent, run

FLAT, TWICE = nn.Flatten(), nn.ReLU()


def conv(*channels, kernel=3, **rest):
    return nn.Conv2d(*channels, kernel, **rest)


def relu():
    return nn.ReLU()


def pool(*size, **rest):
    return nn.MaxPool2d(*size, **rest)


def end(inputs, outputs=3, **rest):
    return nn.Linear(inputs, outputs, **rest)


#: For images of 2 × 9 × 8.
ARCHITECTURES = {
    "two": [
        *(conv(2, 3, padding=1), relu(), pool(2)),
        *(conv(3, 4, padding=1), relu(), pool(2), FLAT, end(16)),
    ],
    "kernel 5": [conv(2, 3, kernel=5), relu(), FLAT, end(60)],
    "tanh": [*(conv(2, 3), nn.Tanh(), pool(2)), *(conv(3, 4, kernel=2), nn.Tanh(), FLAT, end(16))],
    "tanh after pooling": [
        *(conv(2, 3), pool((2, 3)), nn.Tanh()),
        *(conv(3, 2, kernel=(1, 2)), nn.Sigmoid(), FLAT, end(6)),
    ],
    "pool 3 with a rest": [
        *(conv(2, 3, padding=1), relu()),
        *(conv(3, 2), relu(), pool(3), FLAT, end(8)),
    ],
    "rest of the first": [
        *(conv(2, 3, padding=1), nn.Sigmoid(), pool((2, 3))),
        *(conv(3, 3, padding="same"), FLAT, end(24)),
    ],
    "no pool": [
        *(conv(2, 3), relu(), conv(3, 2, padding=(0, 2)), relu()),
        *(conv(2, 2, kernel=1), FLAT, end(80)),
    ],
    "pool only": [conv(2, 3), pool(2), conv(3, 2), pool(1), relu(), FLAT, end(2)],
    "two linear": [conv(2, 3), relu(), FLAT, end(126, 5), nn.Tanh(), end(5, 4), end(4)],
    "no bias": [
        *(conv(2, 3, bias=False), relu(), conv(3, 2, bias=False), relu()),
        *(FLAT, end(40, 4, bias=False), end(4)),
    ],
    "wide margin": [
        *(conv(2, 2), relu()),
        *(conv(2, 2, kernel=2, padding=3), relu(), pool(3), FLAT, end(24)),
    ],
    "nested": [nn.Sequential(conv(2, 3), relu()), nn.Sequential(pool(2), FLAT, end(27))],
    "rows": [FLAT, nn.Unflatten(1, (2, 9, 8)), conv(2, 2), relu(), FLAT, end(84)],
    "a nonlinearity used twice": [conv(2, 2), TWICE, conv(2, 2), TWICE, FLAT, end(40)],
}
SMOOTHED = nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none")
LOSSES = [losses.CrossEntropy(), losses.HalfSquaredError(), losses.PerSample(SMOOTHED)]


def problem(parts, samples=70, loss=LOSSES[0], levels=None):
    """Random images of 2 × 9 × 8; of so many ``levels`` of grey, so that values tie."""
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(samples, 2, 9, 8, generator=draw, dtype=torch.float64)
    x = (x * levels).floor() if levels else x
    y = torch.randint(3, (samples,), generator=draw)
    if loss is LOSSES[1]:
        y = torch.rand(samples, 3, generator=draw, dtype=torch.float64)
    module = parts if isinstance(parts, nn.Module) else nn.Sequential(*parts)
    return tasks.custom("images", module, loss, x, y, std=0.4)


def start(task, count=3):
    """Initial conditions, biases too."""
    draw = torch.Generator().manual_seed(1)
    biases = torch.rand(count, task.network.count, dtype=torch.float64, generator=draw)
    return task.initial(count) + 0.1 * biases


def gradient(task, params, kind=convolutional_steppers.ConvolutionalStepper):
    """The gradient of the stepper, and its outputs; used again, with a stack of another size."""
    stepper = steppers.of(task)
    assert type(stepper) is kind
    stepper.forward(params[:1].clone())
    moved, output = params.clone(), stepper.forward(params).clone()
    stepper.subtract(moved, torch.ones(len(params), 1, dtype=torch.float64))
    return params - moved, output


def agrees(task, params, **options):
    found, output = gradient(task, params, **options)
    for p, g, z in zip(params, found, output):
        single = p.clone().requires_grad_()
        (slope,) = torch.autograd.grad(task.objective(single), single)
        torch.testing.assert_close(g, slope, rtol=1e-11, atol=1e-11 * float(slope.abs().max()))
        torch.testing.assert_close(z.T, task.network.forward(p, task.x), rtol=1e-12, atol=1e-12)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 16 samples, and a smaller one at the end."""
    monkeypatch.setattr(convolutional_steppers, "_VALUES", 0)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradient_and_output_are_autograds(name, loss, small_blocks):
    task = problem(ARCHITECTURES[name], 22, loss)
    assert [s.stop - s.start for s in steppers.of(task)._blocks] == [16, 6]
    agrees(task, start(task))


TIED = ["two", "tanh", "pool 3 with a rest", "pool only", "tanh after pooling"]


@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("weight", [0.25, -0.25, 0.0])
def test_of_equal_values_in_a_window_the_first_has_the_derivative(name, weight):
    task = problem(ARCHITECTURES[name], 30, levels=2)
    # Kernels of one small dyadic number each, so that sums are exact and many values tie.
    params = start(task, 2)
    for row in params:
        for key, values in task.network.unpack(row).items():
            if values.dim() == 4:
                values.fill_(weight)
            elif int(key.split(".")[0]) < len(ARCHITECTURES[name]) - 1:
                values.fill_(0.125)
    agrees(task, params)


@pytest.mark.parametrize("nonlinear", [nn.Tanh(), nn.Sigmoid(), nn.ReLU()], ids=repr)
def test_values_that_only_rounding_makes_equal(nonlinear):
    # The output is φ of the first channel, the second says which of a window's pixels has the
    # derivative.
    task = problem([conv(2, 1, kernel=1), nonlinear, pool(2), FLAT, end(16)], 5)
    # which tanh and sigmoid do not tell apart
    task.x[:, 0] = 3 + 2**-51 * (10 * task.x[:, 0]).floor()
    params = start(task)
    params[:, 0], params[:, 1:3] = 1, 0
    agrees(task, params)


@pytest.mark.parametrize("name, side", [("mnist-cnn", 28), ("digits-cnn", 8), ("usps-cnn", 16)])
def test_the_books_networks_are_of_this_kind(name, side):
    network = tasks.recipe(name).architecture()
    x = torch.rand(10, side**2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    task = tasks.custom(name, network, losses.CrossEntropy(), x, torch.arange(10), std=0.1)
    agrees(task, task.initial(2))


@pytest.mark.parametrize("name", ["two", "tanh", "no pool"])
def test_a_network_does_not_depend_on_its_stack(name, small_blocks):
    task = problem(ARCHITECTURES[name])
    params = start(task, 7)
    found, output = gradient(task, params)
    for rows in ([4], [6, 2], [3, 3, 0, 1]):
        part, values = gradient(task, params[rows])
        assert torch.equal(part, found[rows]) and torch.equal(values, output[rows])
    gd = GradientDescent(task, 0.5)
    whole, single = run(gd, params, 20, workers=2), run(gd, params[5:6], 20, workers=1)
    assert (whole["loss"][:, 5:6] == single["loss"]).all()
    assert torch.equal(whole.final[5:6], single.final)


def test_a_network_that_diverges_spoils_no_other(small_blocks):
    task = problem(ARCHITECTURES["two"])
    params = start(task, 4)
    params[1] *= 1e200
    params[2, 5] = torch.nan
    found, output = gradient(task, params)
    assert not found[1].isfinite().all() and not output[2].isfinite().any()
    assert torch.equal(found[3:], gradient(task, params[3:])[0]) and found[3].isfinite().all()
    record = run(GradientDescent(task, 0.1), params, 3)
    assert record.final[[0, 3]].isfinite().all() and not record.final[1:3].isfinite().all(1).any()


class Own(nn.Sequential):
    """A container that may compute anything."""


def changed(change):
    parts = copy.deepcopy(ARCHITECTURES["kernel 5"])
    change(parts)
    return parts


def tied():
    parts = [conv(2, 2, padding=1), relu(), conv(2, 2, padding=1), FLAT, end(144)]
    parts[2].weight = parts[0].weight
    return parts


ONE = conv(2, 2, padding=1)
OTHERS = {
    "stride": [conv(2, 3, stride=2), relu(), FLAT, end(36)],
    "dilation": [conv(2, 3, dilation=2), relu(), FLAT, end(60)],
    "groups": [conv(2, 4, groups=2), relu(), FLAT, end(168)],
    "reflections": [conv(2, 3, padding=1, padding_mode="reflect"), relu(), FLAT, end(216)],
    "even kernel of the same size": [conv(2, 3, kernel=2, padding="same"), relu(), FLAT, end(216)],
    "windows that overlap": [conv(2, 3), relu(), pool(3, 2), FLAT, end(18)],
    "windows beyond the edge": [conv(2, 3), relu(), pool(2, ceil_mode=True), FLAT, end(36)],
    "another nonlinearity": [conv(2, 3), nn.GELU(), FLAT, end(126)],
    "two nonlinearities": [conv(2, 3), relu(), nn.Tanh(), FLAT, end(126)],
    "pool first": [pool(2), conv(2, 3), relu(), FLAT, end(12)],
    "nonlinear output": [conv(2, 3), FLAT, end(126), nn.Tanh()],
    "no linear layer": [conv(2, 3, kernel=(9, 8)), FLAT],
    "no convolution": [FLAT, end(144)],
    "own container": Own(*ARCHITECTURES["kernel 5"]),
    "shared": [ONE, relu(), ONE, FLAT, end(144)],
    "tied": tied(),
    "frozen": changed(lambda parts: parts[0].bias.requires_grad_(False)),
    "hooked": changed(lambda parts: parts[1].register_forward_hook(lambda m, x, z: 2 * z)),
    "weights with a norm": changed(lambda p: nn.utils.parametrizations.weight_norm(p[0])),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHERS)
def test_other_modules_go_the_general_way(name):
    task = problem(OTHERS[name], 12)
    assert convolutional_steppers.layers(task) is None
    agrees(task, start(task, 2), kind=steppers.ModuleStepper)


def test_other_losses_and_networks_go_the_general_way():
    task, entropy = problem(ARCHITECTURES["two"], 12), losses.CrossEntropy()

    class Bare:
        name, value, encode, weight = "bare", entropy.value, entropy.encode, entropy.weight

    class Shifted(networks.ModuleNetwork):
        def forward(self, params, x):
            return super().forward(params, x) + 1

    shifted = Shifted(nn.Sequential(*ARCHITECTURES["two"]))
    for network, loss in ((task.network, Bare()), (shifted, task.loss)):
        other = tasks.custom("other", network, loss, task.x, task.y)
        assert convolutional_steppers.layers(other) is None
    assert convolutional_steppers.layers(task) is not None


def test_blocks_are_alike_and_as_large_as_their_values_allow(monkeypatch):
    found = convolutional_steppers.layers(problem(ARCHITECTURES["two"], 12))
    each, most = sum(layer.values for layer in found), convolutional_steppers._VALUES
    largest = convolutional_steppers.size(found, 10**6)
    assert largest % 16 == 0 and 0.9 * most < largest * each <= most
    assert convolutional_steppers.size(found, 12) == 12
    assert convolutional_steppers.size(found, largest + 1) == -(-(largest + 1) // 32) * 16
    monkeypatch.setattr(convolutional_steppers, "_VALUES", 0)
    few, many = (steppers.of(problem(ARCHITECTURES["two"], n)) for n in (32, 320))
    memory = many.values_per_network - few.values_per_network
    assert memory == many.target.numel() - few.target.numel()


def test_threads_share_no_module(monkeypatch):
    """Test accuracy calls the module itself: one lent to two threads would mix their parameters."""
    task = tasks.get("digits-cnn", samples=60, test_samples=60)
    steps = [steppers.of(task) for _ in range(2)]
    networks_of = [task.network, *(s.task.network for s in (*steps, steppers.of(task)))]
    for network in networks_of:
        network.forward(network.own, task.x)
    assert len({id(network._live.module) for network in networks_of}) == 4
    monkeypatch.setattr(ensembles, "_CACHE_BYTES", 0)  # one group in a chunk
    balls, observe = networks.perturbed(task.initial(6), 1e-8, 1), ("test_accuracy", "loss")
    found = [run(GradientDescent(task, 0.5), balls, 8, observe, workers=w) for w in (1, 2, 2)]
    for other in found[1:]:
        assert all((other[name] == found[0][name]).all() for name in observe)
