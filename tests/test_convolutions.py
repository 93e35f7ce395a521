"""Convolutional networks by closed form: autograd's numbers, whatever the architecture, the blocks
and the stack.
"""

import copy

import pytest
import torch
from torch import nn

from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import blocked, convolutional_steppers, gradient_descent, steppers


def conv(*channels, kernel=3, padding=0, **rest):
    return nn.Conv2d(*channels, kernel, padding=padding, **rest)


#: For images of 2 × 9 × 8, with the inputs of the linear layer.
ARCHITECTURES = {
    "two": [
        conv(2, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        conv(3, 4, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 3),
    ],
    "kernel 5": [conv(2, 3, kernel=5), nn.ReLU(), nn.Flatten(), nn.Linear(60, 3)],
    "tanh": [
        conv(2, 3),
        nn.Tanh(),
        nn.MaxPool2d(2),
        conv(3, 4, kernel=2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(16, 3),
    ],
    "tanh after pooling": [
        conv(2, 3),
        nn.MaxPool2d((2, 3)),
        nn.Tanh(),
        conv(3, 2, kernel=(1, 2)),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(6, 3),
    ],
    "pool 3 with a rest": [
        conv(2, 3, padding=1),
        nn.ReLU(),
        conv(3, 2),
        nn.ReLU(),
        nn.MaxPool2d(3),
        nn.Flatten(),
        nn.Linear(8, 3),
    ],
    "rest of the first": [
        conv(2, 3, padding=1),
        nn.Sigmoid(),
        nn.MaxPool2d((2, 3)),
        conv(3, 3, padding="same"),
        nn.Flatten(),
        nn.Linear(24, 3),
    ],
    "no pool": [
        conv(2, 3),
        nn.ReLU(),
        conv(3, 2, padding=(0, 2)),
        nn.ReLU(),
        conv(2, 2, kernel=1),
        nn.Flatten(),
        nn.Linear(80, 3),
    ],
    "pool alone": [
        conv(2, 3),
        nn.MaxPool2d(2),
        conv(3, 2),
        nn.MaxPool2d(1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2, 3),
    ],
    "two linear": [
        conv(2, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(126, 5),
        nn.Tanh(),
        nn.Linear(5, 4),
        nn.Linear(4, 3),
    ],
    "no bias": [
        conv(2, 3, bias=False),
        nn.ReLU(),
        conv(3, 2, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(40, 4, bias=False),
        nn.Linear(4, 3),
    ],
    "wide margin": [
        conv(2, 2),
        nn.ReLU(),
        conv(2, 2, kernel=2, padding=3),
        nn.ReLU(),
        nn.MaxPool2d(3),
        nn.Flatten(),
        nn.Linear(24, 3),
    ],
    "nested": [
        nn.Sequential(conv(2, 3), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 3)),
    ],
}
LOSSES = [
    losses.CrossEntropy(),
    losses.HalfSquaredError(),
    losses.PerSample(nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none")),
]


def problem(parts, samples=70, loss=LOSSES[0], levels=None, std=0.4):
    """Random images of 2 × 9 × 8; of so many ``levels`` of grey, so that values tie."""
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(samples, 2, 9, 8, generator=draw, dtype=torch.float64)
    if levels:
        x = (x * levels).floor()
    y = torch.randint(3, (samples,), generator=draw)
    if loss is LOSSES[1]:
        y = torch.rand(samples, 3, generator=draw, dtype=torch.float64)
    return tasks.custom(
        "images",
        parts if isinstance(parts, nn.Module) else nn.Sequential(*parts),
        loss,
        x,
        y,
        std=std,
    )


def start(task, count=3):
    """Initial conditions, biases too."""
    return task.initial(count) + 0.1 * torch.rand(
        count, task.network.count, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def gradient(task, params):
    """The gradient of the stepper, and its outputs."""
    stepper = steppers.of(task)
    assert isinstance(stepper, convolutional_steppers.ConvolutionalStepper)
    moved, output = params.clone(), stepper.forward(params).clone()
    stepper.subtract(moved, torch.ones(len(params), 1, dtype=torch.float64))
    return params - moved, output


def agrees(task, params):
    found, output = gradient(task, params)
    for p, g, z in zip(params, found, output):
        single = p.clone().requires_grad_()
        (slope,) = torch.autograd.grad(task.objective(single), single)
        torch.testing.assert_close(g, slope, rtol=1e-11, atol=1e-11 * float(slope.abs().max()))
        torch.testing.assert_close(z.T, task.network.forward(p, task.x), rtol=1e-12, atol=1e-12)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 16 samples, and a smaller one at the end."""
    monkeypatch.setattr(convolutional_steppers, "_VALUES", 0)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda l: l.name)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradient_and_output_are_autograds(name, loss):
    task = problem(ARCHITECTURES[name], 20, loss)
    agrees(task, start(task))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_in_blocks(name, small_blocks):
    task = problem(ARCHITECTURES[name])
    assert [s.stop - s.start for s in steppers.of(task)._blocks] == [16, 16, 16, 16, 6]
    agrees(task, start(task))


@pytest.mark.parametrize(
    "name", ["two", "tanh", "pool 3 with a rest", "pool alone", "tanh after pooling"]
)
@pytest.mark.parametrize("weight", [0.25, -0.25, 0.0])
def test_of_equal_values_in_a_window_the_first_has_the_derivative(name, weight):
    task = problem(ARCHITECTURES[name], 30, levels=2)
    # Kernels of one small dyadic number each, so that sums are exact and many values of a window
    # tie.
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
    task = problem(
        [conv(2, 1, kernel=1), nonlinear, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)], 5
    )
    # which tanh and sigmoid do not tell apart
    task.x[:, 0] = 3 + 2**-51 * (10 * task.x[:, 0]).floor()
    params = start(task)
    params[:, 0], params[:, 1:3] = 1, 0
    agrees(task, params)


def test_samples_that_come_as_rows():
    parts = [
        nn.Flatten(),
        nn.Unflatten(1, (2, 9, 8)),
        conv(2, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(84, 3),
    ]
    task = problem(parts, 20)
    agrees(task, start(task))


@pytest.mark.parametrize("name", ["two", "tanh", "no pool"])
def test_a_network_does_not_depend_on_its_stack(name, small_blocks):
    task = problem(ARCHITECTURES[name])
    params = start(task, 7)
    found, output = gradient(task, params)
    for rows in ([4], [6, 2], [3, 3, 0, 1]):
        part, values = gradient(task, params[rows])
        assert torch.equal(part, found[rows]) and torch.equal(values, output[rows])
    gd = gradient_descent.GradientDescent(task, 0.5)
    whole = gradient_descent.run(gd, params, 20, ("loss",), workers=2)
    alone = gradient_descent.run(gd, params[5:6], 20, ("loss",), workers=1)
    assert (whole["loss"][:, 5:6] == alone["loss"]).all() and torch.equal(
        whole.final[5:6], alone.final
    )


def test_a_stepper_is_used_again_with_other_stacks():
    task = problem(ARCHITECTURES["two"], 20)
    stepper = steppers.of(task)
    for count in (3, 1, 3):
        params = start(task, count)
        expected = params - 0.5 * gradients.ModuleGradient(task)(params)
        stepper.forward(params)
        stepper.subtract(params, torch.full((count, 1), 0.5, dtype=torch.float64))
        torch.testing.assert_close(params, expected, rtol=1e-12, atol=1e-13)


def test_a_network_that_diverges_spoils_no_other(small_blocks):
    task = problem(ARCHITECTURES["two"])
    params = start(task, 4)
    params[1] *= 1e200
    params[2, 5] = torch.nan
    found, output = gradient(task, params)
    assert (
        not found[1].isfinite().all()
        and not found[2].isfinite().all()
        and not output[2].isfinite().any()
    )
    assert torch.equal(found[3:], gradient(task, params[3:])[0]) and found[3].isfinite().all()
    record = gradient_descent.run(gradient_descent.GradientDescent(task, 0.1), params, 3, ("loss",))
    assert record.final[[0, 3]].isfinite().all() and not record.final[1:3].isfinite().all(1).any()


def test_the_engine_descends_as_a_plain_loop(small_blocks):
    task = problem(ARCHITECTURES["two"], 40)
    params = start(task, 2)
    ends = gradient_descent.run(
        gradient_descent.GradientDescent(task, 0.3), params, 25, ("loss",)
    ).final
    for p, end in zip(params, ends):
        module = nn.Sequential(*copy.deepcopy(ARCHITECTURES["two"])).double()
        nn.utils.vector_to_parameters(p.clone(), module.parameters())
        optimiser = torch.optim.SGD(module.parameters(), lr=0.3)
        for _ in range(25):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(task.x), task.y).backward()
            optimiser.step()
        torch.testing.assert_close(
            end, nn.utils.parameters_to_vector(module.parameters()).detach(), rtol=1e-11, atol=1e-12
        )


class Own(nn.Sequential):
    """A container that may compute anything."""


def shared():
    first = conv(2, 2, padding=1)
    return [first, nn.ReLU(), first, nn.Flatten(), nn.Linear(144, 3)]


def tied():
    parts = [
        conv(2, 2, padding=1),
        nn.ReLU(),
        conv(2, 2, padding=1),
        nn.Flatten(),
        nn.Linear(144, 3),
    ]
    parts[2].weight = parts[0].weight
    return parts


def frozen():
    parts = copy.deepcopy(ARCHITECTURES["kernel 5"])
    parts[0].bias.requires_grad_(False)
    return parts


def hooked():
    parts = copy.deepcopy(ARCHITECTURES["kernel 5"])
    parts[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    return parts


def normed():
    parts = copy.deepcopy(ARCHITECTURES["kernel 5"])
    nn.utils.parametrizations.weight_norm(parts[0])
    return parts


OTHERS = {
    "stride": [conv(2, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)],
    "dilation": [conv(2, 3, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(60, 3)],
    "groups": [conv(2, 4, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(168, 3)],
    "reflections": [
        conv(2, 3, padding=1, padding_mode="reflect"),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(216, 3),
    ],
    "even kernel of the same size": [
        conv(2, 3, kernel=2, padding="same"),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(216, 3),
    ],
    "windows that overlap": [
        conv(2, 3),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(18, 3),
    ],
    "windows beyond the edge": [
        conv(2, 3),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(36, 3),
    ],
    "another nonlinearity": [conv(2, 3), nn.GELU(), nn.Flatten(), nn.Linear(126, 3)],
    "two nonlinearities": [conv(2, 3), nn.ReLU(), nn.Tanh(), nn.Flatten(), nn.Linear(126, 3)],
    "pool first": [nn.MaxPool2d(2), conv(2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3)],
    "nonlinear output": [conv(2, 3), nn.Flatten(), nn.Linear(126, 3), nn.Tanh()],
    "no linear layer": [conv(2, 3, kernel=(9, 8)), nn.Flatten()],
    "no convolution": [nn.Flatten(), nn.Linear(144, 3)],
    "own container": Own(*ARCHITECTURES["kernel 5"]),
    "shared": shared(),
    "tied": tied(),
    "frozen": frozen(),
    "hooked": hooked(),
    "weights with a norm": normed(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_modules_go_the_general_way(name):
    task = problem(OTHERS[name], 12)
    assert convolutional_steppers.layers(task) is None
    stepper = steppers.of(task)
    assert type(stepper) is (
        steppers.ModuleStepper if name == "no convolution" else steppers.ModuleStepper
    )
    if name == "hooked":
        return
    params = start(task, 2)
    moved = params.clone()
    stepper.forward(params)
    stepper.subtract(moved, torch.ones(2, 1, dtype=torch.float64))
    if name == "no convolution":
        stepper.subtract(params.clone(), torch.ones(2, 1, dtype=torch.float64))
    for p, m in zip(params, moved):
        torch.testing.assert_close(
            m, p - torch.func.grad(task.objective)(p), rtol=1e-11, atol=1e-12
        )


def test_other_losses_devices_and_networks_go_the_general_way():
    task = problem(ARCHITECTURES["two"], 12)

    class Bare:
        name, value, encode, weight = (
            "bare",
            losses.CrossEntropy().value,
            losses.CrossEntropy().encode,
            losses.CrossEntropy().weight,
        )

    assert (
        convolutional_steppers.layers(tasks.custom("bare", task.network, Bare(), task.x, task.y))
        is None
    )
    assert convolutional_steppers.layers(tasks.get("iris")) is None

    class Shifted(networks.ModuleNetwork):
        def forward(self, params, x):
            return super().forward(params, x) + 1

    assert (
        convolutional_steppers.layers(
            tasks.custom(
                "own", Shifted(nn.Sequential(*ARCHITECTURES["two"])), task.loss, task.x, task.y
            )
        )
        is None
    )
    assert convolutional_steppers.layers(task) is not None


def test_a_nonlinearity_may_be_used_twice():
    relu = nn.ReLU()
    task = problem([conv(2, 2), relu, conv(2, 2), relu, nn.Flatten(), nn.Linear(40, 3)], 12)
    agrees(task, start(task))


@pytest.mark.parametrize("name", ["mnist-cnn", "digits-cnn", "usps-cnn"])
def test_the_books_networks_are_of_this_kind(name):
    network = tasks.recipe(name).architecture()
    side = {"mnist-cnn": 28, "digits-cnn": 8, "usps-cnn": 16}[name]
    x = torch.rand(10, side**2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    task = tasks.custom(name, network, losses.CrossEntropy(), x, torch.arange(10), std=0.1)
    agrees(task, task.initial(2))


def test_blocks_are_alike_and_as_large_as_their_values_allow():
    found = convolutional_steppers.layers(problem(ARCHITECTURES["two"], 12))
    each = sum(layer.values for layer in found)
    largest = convolutional_steppers.size(found, 10**6)
    assert (
        largest % 16 == 0
        and 0.9 * convolutional_steppers._VALUES < largest * each <= convolutional_steppers._VALUES
    )
    assert convolutional_steppers.size(found, 12) == 12
    assert convolutional_steppers.size(found, largest + 1) == -(-(largest + 1) // 32) * 16


def test_memory_of_a_block_does_not_grow_with_the_samples(small_blocks):
    few, many = (steppers.of(problem(ARCHITECTURES["two"], n)) for n in (32, 320))
    assert (
        many.values_per_network - few.values_per_network == many.target.numel() - few.target.numel()
    )


def test_threads_share_no_module():
    """Test accuracy calls the module itself, in each thread: one that were lent to two would have
    the other's parameters.
    """
    task = tasks.get("digits-cnn", samples=60, test_samples=60)
    steps = [steppers.of(task) for _ in range(2)]
    networks_of = [task.network, *(s.task.network for s in (*steps, steppers.of(task)))]
    for network in networks_of:
        network.forward(network.own, task.x)
    assert len({id(network._live.module) for network in networks_of}) == 4
    balls = networks.perturbed(task.initial(6), 1e-8, 1)
    found = [
        gradient_descent.run(
            gradient_descent.GradientDescent(task, 0.5),
            balls,
            8,
            observe=("test_accuracy", "loss"),
            workers=w,
            chunk=1,
        )
        for w in (1, 2, 2, 2)
    ]
    for other in found[1:]:
        assert (other["test_accuracy"] == found[0]["test_accuracy"]).all() and (
            other["loss"] == found[0]["loss"]
        ).all()
