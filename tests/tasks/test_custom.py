"""What gets into a task: networks, losses, samples and numbers, by what they do."""

import copy
import functools
import random
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

from netdyn_lib.tasks import gradients, losses, networks, probe, tasks
from netdyn_lib.training import steppers
from netdyn_lib.training.gradient_descent import GradientDescent, run

DRAW = torch.Generator().manual_seed(0)
X = torch.randn(30, 5, dtype=torch.float64, generator=DRAW)
Y = torch.arange(30) % 3
NUMBERS = torch.randn(30, 3, dtype=torch.float64, generator=DRAW)
S = nn.Sequential
ENTROPY = losses.CrossEntropy()


def task_of(module, loss=ENTROPY, x=X, y=Y, **more):
    return tasks.custom("t", module, loss, x, y, **more)


def layers(*between):
    torch.manual_seed(0)
    return S(nn.Linear(5, 6), *between, nn.Linear(6, 3))


class Net(nn.Module):
    """Two linear layers, with something between them."""

    def __init__(self, between=torch.tanh):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.between = nn.Linear(5, 6), nn.Linear(6, 3), between

    def forward(self, x):
        return self.b(self.between(self.a(x)))


class FunctionalDropout(Net):
    def forward(self, x):
        return self.b(F.dropout(self.a(x), 0.3, self.training))


class LayerDrop(Net):
    """Leaves a layer out so rarely that no few calls would show it."""

    def forward(self, x):
        return self.b(self.a(x) if not self.training or random.random() > 1e-6 else x)


class Mean(Net):
    """Subtracts a running mean, a buffer or a mere attribute."""

    def __init__(self, hold):
        super().__init__()
        hold(self, "mean", torch.zeros(6))

    def forward(self, x):
        h = self.a(x)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * h.detach().mean(0)
        return self.b(torch.tanh(h - self.mean))


class Prepared(Net):
    """Takes its scale from the first samples that it sees, as ActNorm does."""

    scale = None

    def forward(self, x):
        h = self.a(x)
        if self.scale is None:
            self.scale = h.detach().std(0)
        return self.b(h / self.scale)


class Words(nn.Module):
    def __init__(self, **more):
        super().__init__()
        self.e, self.o = nn.Embedding(7, 4, **more), nn.Linear(4, 3)

    def forward(self, tokens):
        return self.o(self.e(tokens).mean(1))


def noise(h):
    return h + torch.randn(6, dtype=h.dtype)


def numpy_noise(h):
    return h + torch.from_numpy(np.random.standard_normal(6))


RANDOM = {
    "functional dropout": FunctionalDropout,
    "dropout": lambda: layers(nn.Dropout(0.2)),
    "noise": lambda: Net(noise),
    "NumPy's noise": lambda: Net(numpy_noise),
    "a layer left out": LayerDrop,
    "running mean": lambda: Mean(nn.Module.register_buffer),
    "running mean, no buffer": lambda: Mean(setattr),
    "first samples": Prepared,
    "spectral norm": lambda: S(parametrizations.spectral_norm(nn.Linear(5, 6)), nn.Linear(6, 3)),
    "batch norm": lambda: layers(nn.BatchNorm1d(6)),
    "instance norm that remembers": lambda: S(
        *(nn.Unflatten(1, (1, 5)), nn.InstanceNorm1d(1, track_running_stats=True)),
        *(nn.Flatten(), nn.Linear(5, 3)),
    ),
}


NAMED = {
    "dropout": r"^layer '1' \(Dropout\) is .*\(it draws random numbers\)",
    "batch norm": r"^layer '1' \(BatchNorm1d\) is .*changes '1.running_mean', '1.running_var', ",
}


@pytest.mark.parametrize("name", RANDOM)
def test_what_is_no_map_of_its_parameters_is_refused_and_the_cause_is_named(name):
    with pytest.raises(ValueError, match=NAMED.get(name, "")) as raised:
        task_of(RANDOM[name]())
    raised.match(r"in training, so descent is no map.*module.eval\(\) first \(it ")
    if name not in ("noise", "NumPy's noise", "first samples"):
        assert not task_of(RANDOM[name]().eval()).network.coupled


class Item(Net):
    def forward(self, x):
        return self.b(torch.tanh(self.a(x) / float(self.a.weight.detach().norm())))


class Caches(Net):
    """Keeps what it computed last, in an attribute, a list and a buffer; its map is pure."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.register_buffer("last", None)

    def forward(self, x):
        self.hidden = torch.tanh(self.a(x))
        self.seen[:] = [self.hidden]
        self.last = self.hidden.detach()
        return self.b(self.hidden)


#: Beside those of tests/zoo.py.
MAPS = {
    "pruned": lambda: changed(lambda net: prune.l1_unstructured(net.a, "weight", 0.5)),
    "caches": Caches,
    "item": Item,
    "compiled": lambda: torch.compile(Net(), backend="eager"),
}


@pytest.mark.parametrize("name", MAPS)
def test_what_is_a_map_is_taken_and_its_samples_are_alone(name):
    module = MAPS[name]()
    task = task_of(module)
    assert not task.network.coupled
    double = networks.copied(module).double()
    torch.testing.assert_close(task.objective(task.network.own), F.cross_entropy(double(X), Y))


class Centre(nn.Module):
    def forward(self, h):
        return h - h.mean(0)


class Graph(Net):
    """Each sample is a node that sees its neighbours: all are needed at once."""

    def __init__(self, nodes):
        super().__init__()
        self.register_buffer("beside", torch.eye(nodes).roll(1, 0))

    def forward(self, x):
        return self.b(torch.tanh(self.beside @ self.a(x)))


def silent():
    """The last layer starts at zero, so that the module's own outputs are all alike."""
    module = layers(Centre())
    nn.init.zeros_(module[-1].weight)
    return module


COUPLED = {
    "batch norm without memory": lambda: layers(nn.BatchNorm1d(6, track_running_stats=False)),
    "the same in eval": lambda: layers(nn.BatchNorm1d(6, track_running_stats=False)).eval(),
    "centred by hand": lambda: layers(Centre()),
    "centred, seen from other parameters": silent,
}


@pytest.mark.parametrize("name", COUPLED)
@pytest.mark.parametrize("samples", [3, 30])
def test_samples_that_see_each_other_are_seen(name, samples):
    task = task_of(COUPLED[name](), x=X[:samples], y=Y[:samples])
    single, network = task.to("cpu", torch.float32).network, task.network
    for of in (network, copy.copy(network), copy.deepcopy(network), single):
        assert of.coupled is True


def test_a_network_may_need_all_samples_at_once():
    x = torch.randn(100, 5, generator=DRAW)
    y = torch.arange(100) % 3
    task, plain = task_of(Graph(100), x=x, y=y), networks.copied(Graph(100)).double()
    assert task.network.coupled and gradients.ways(task).stacked
    record = run(GradientDescent(task, 0.5), task.network.own[None], 5, ("test_accuracy",))
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(plain(x.double()), y).backward()
        optimizer.step()
    found = nn.utils.parameters_to_vector(plain.parameters()).detach()
    torch.testing.assert_close(record.final[0], found)
    with pytest.raises(ValueError, match=r"inputs of shape \(99, 5\) for .*it does not take them"):
        task_of(Graph(100), x=x[1:], y=torch.arange(99) % 3)


def test_a_recipes_network_is_tried_too():
    def recipe(layer, loss=ENTROPY):
        return tasks.Recipe("r", "iris", lambda: S(nn.Linear(4, 3), layer), loss)

    norm = nn.BatchNorm1d(3, track_running_stats=False)
    task = tasks.build(recipe(norm, nn.CrossEntropyLoss()))
    assert task.network.coupled and task.loss.separable
    with pytest.raises(ValueError, match="no map of the parameters"):
        tasks.build(recipe(nn.Dropout()))
    with pytest.raises(ValueError, match="expected a function that makes it"):
        tasks.register(tasks.Recipe("r", "iris", nn.Linear(4, 3)))


def test_trying_leaves_everything_as_it_was():
    module = Caches()
    module(X.float())  # as after a training of one's own
    module.b.eval()

    def states():
        return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()

    kept, hidden, before = copy.deepcopy(module.state_dict()), module.hidden, states()
    task = task_of(module)
    assert module.hidden is hidden and module.training and not module.b.training
    assert all(torch.equal(v, kept[k]) for k, v in module.state_dict().items())
    copy.deepcopy(task.network)  # PyTorch copies no tensor with a history
    with pytest.raises(ValueError, match="a random loss makes no map"):
        task_of(module, lambda z, y: F.cross_entropy(F.dropout(z), y))
    for refused in (Net(noise), Net(numpy_noise), LayerDrop()):
        with pytest.raises(ValueError, match="draws random numbers"):
            task_of(refused)
        assert states() == before


def test_trying_costs_no_more_for_many_samples():
    sizes = []
    module = layers()
    module.register_forward_pre_hook(lambda part, inputs: sizes.append(len(inputs[0])))
    task_of(module, x=torch.rand(5000, 5), y=torch.arange(5000) % 3)
    assert max(sizes) == 64 and len(sizes) < 10


def test_real_samples_are_tried():
    """An index that the table has not is found wherever it is."""
    tokens = torch.zeros(1000, 3, dtype=torch.int64)
    tokens[777, 1] = 7
    with pytest.raises(ValueError, match="index out of range"):
        task_of(Words(), x=tokens, y=torch.arange(1000) % 3)
    assert len(probe.few(tokens)) == 64 and 777 in probe.few(tokens)


class Ends(Net):
    """Two linear layers, whose outputs become something else."""

    def __init__(self, end):
        super().__init__()
        self.end = end

    def forward(self, x):
        return self.end(super().forward(x))


def changed(change):
    module = Net()
    change(module)
    return module


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return S(torch.jit.script(nn.Linear(5, 3)))


def misfit(message, make=Net, **options):
    return make, options, message


def cast(outputs):
    return outputs.float()


def break_bias(net):
    nn.init.constant_(net.a.bias, float("nan"))


EACH = nn.CrossEntropyLoss(reduction="none")
NOT_ALL = losses.PerSample(nn.CrossEntropyLoss())
PAIRS = losses.PerSample(lambda z, y: (z.sum(1) - z.sum(1).mean()) ** 2)
HALF = type("Half", (), {"value": staticmethod(F.cross_entropy)})()
MISFITS = {
    "tuple": misfit(r"a tuple: expected one tensor \(N, C\)", lambda: Ends(lambda z: (z, z))),
    "dict": misfit("gives a dict: expected one tensor", lambda: Ends(lambda z: {"logits": z})),
    "single precision": misfit("torch.float32, with .* of torch.float64", lambda: Ends(cast)),
    "no derivative": misfit("no derivative in its par", lambda: Ends(torch.Tensor.detach)),
    "a view": misfit(
        "it does not take them as torch.int64 .*modified inplace",
        lambda: Words(max_norm=0.1),
        x=torch.arange(60).view(30, 2) % 7,
    ),
    "random in eval": misfit(
        r"or stateful, so descent .*: remove what makes it so \(it draws", lambda: Net(noise).eval()
    ),
    "lazy": misfit("'0.weight' of Seq.* has no size or no values", lambda: S(nn.LazyLinear(3))),
    "meta": misfit("'weight' .* no size or no val", lambda: nn.Linear(5, 3, device="meta")),
    "complex": misfit("is torch.complex64", lambda: nn.Linear(5, 3, dtype=torch.complex64)),
    "scripted": misfit("TorchScript.*give the module it was made from", scripted),
    "no parameters": misfit("no trainable parameter", nn.Flatten),
    "a class": misfit("network = .*expected a torch.nn.Module", lambda: Net),
    "squeezed": misfit(r"to \(30,\): .*unsqueeze", lambda: S(nn.Linear(5, 1), nn.Flatten(0))),
    "images": misfit(r"\(30, 3, 1\): expected \(N, C\)", lambda: Ends(lambda z: z[..., None])),
    "wrong shape": misfit(r"shape \(30, 4\) for .*it does not take them", x=X[:, :4]),
    "diverged": misfit("parameters of .* nan", lambda: changed(break_bias)),
    "not to be copied": misfit(
        "cannot be copied", lambda: changed(lambda net: setattr(net, "what", open(__file__)))
    ),
    "dict of inputs": misfit("x is a dict", x={"x": X}),
    "two inputs": misfit("2 inputs but 30 targets.*no tuple of several", x=(X, X)),
    "test inputs": misfit(r"inputs of shape \(30, 4\)", x_test=X[:, :4], y_test=Y),
    "a loss's class": misfit("expected a loss such as", loss=nn.CrossEntropyLoss),
    "no loss": misfit("expected a loss such as", loss="cross-entropy"),
    "mean for each sample": misfit("expected one loss for each sample", loss=NOT_ALL),
    "each for a mean": misfit(r"gives \(30,\) .*expected one number.*PerSample", loss=EACH),
    "no probabilities": misfit("between 0 and 1", loss=nn.BCELoss(), y=(NUMBERS > 0)),
    "no probabilities of an MLP": misfit(
        "between 0 and 1", lambda: networks.MLP((5, 3)), loss=nn.BCELoss(), y=(NUMBERS > 0)
    ),
    "an accuracy": misfit("no derivative in the outputs", loss=lambda z, y: (z > y[0]).sum()),
    "labels beyond": misfit("labels from 1 to 3", loss=nn.CrossEntropyLoss(), y=Y + 1),
    "too many numbers": misfit(r"\(30, 4\) for 3 outputs", loss=nn.MSELoss(), y=X[:, :4]),
    "pairs of samples": misfit("depends on other samples", loss=PAIRS),
    "half a loss": misfit("has a value but no encode, weight", loss=HALF),
    "single precision inside": misfit(
        "tensors inside a function stay", loss=lambda z, y: F.cross_entropy(z, y, torch.ones(3))
    ),
    "unknown start": misfit("unknown initialisation 'he'; known: normal", initialisation="he"),
    "no start": misfit(
        "'1.weight' has no weight", lambda: layers(nn.LayerNorm(6)), initialisation="glorot"
    ),
    "spread": misfit("std = -1", std=-1),
    "accuracy": misfit("target_accuracy = 0.9", target_accuracy="0.9"),
    "decay": misfit("weight_decay = 1: must be zero or positive", weight_decay="1"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_one_error_says_what_is_expected(name):
    make, options, message = MISFITS[name]
    with pytest.raises(ValueError, match=message):
        task_of(make(), **options)


class Table:
    """As a frame of another library: NumPy can make an array of it."""

    def __array__(self, dtype=None, copy=None):
        return X.numpy().astype(dtype or float)


ARRAYS = {
    "frame": lambda x, y: (pd.DataFrame(x), pd.Series(y)),
    "list of tensors": lambda x, y: ([torch.tensor(row) for row in x], list(map(torch.tensor, y))),
    "reversed": lambda x, y: (x[::-1].copy()[::-1], y[::-1].copy()[::-1]),
    "big-endian": lambda x, y: (x.astype(">f8"), y.astype(">i4")),
    "objects": lambda x, y: (x.astype(object), y.astype(object)),
    "lists": lambda x, y: (x.tolist(), y.tolist()),
    "nullable": lambda x, y: (pd.DataFrame(x).convert_dtypes(), pd.Series(y, dtype="Int64")),
    "unsigned": lambda x, y: (x, y.astype(np.uint8)),
    "strided tensor": lambda x, y: (torch.tensor(x).T.contiguous().T, torch.tensor(y)),
    "with a history": lambda x, y: (torch.tensor(x, requires_grad=True) * 1, torch.tensor(y)),
    "protocol": lambda x, y: (Table(), y),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_whatever_numpy_takes_is_taken_and_copied(name):
    x, y = ARRAYS[name](X.numpy().copy(), Y.numpy().copy())
    task = task_of(Net(), x=x, y=y)
    assert torch.equal(task.x, X) and torch.equal(task.y, Y) and not task.x.requires_grad


def test_what_becomes_of_the_callers_arrays_changes_no_task():
    for x, y in ((X.clone(), Y.clone()), (X.numpy().copy(), Y.numpy().copy())):
        task = task_of(Net(), x=x, y=y, x_test=x, y_test=y)
        x[:], y[:] = 7, 0
        assert torch.equal(task.x, X) and torch.equal(task.y, Y) and torch.equal(task.x_test, X)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, np.array(list("abc") * 10), "y of ndarray holds a, of <U1: .*numbers; numpy.unique"),
        (X + 1j, Y, "x is a tensor of torch.complex128"),
        (X.numpy() + 1j, Y, "x of ndarray holds .*complex128: expected real numbers"),
        ([[1.0, 2.0], [3.0]] * 15, Y, "x is no array of numbers"),
        (X.to_sparse(), Y, "sparse.*dense"),
        (X, [0.0, None] * 15, "y of list holds None"),
        (np.ma.masked_greater(X.numpy(), 1), Y, "x is masked"),
        (pd.to_datetime(range(30)), Y, "datetime64"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        task_of(Net(), x=x, y=y)


def test_whole_numbers_stay_so_where_the_module_takes_them():
    tokens = torch.arange(90).view(30, 3) % 7
    task = task_of(Words(), x=tokens)
    assert task.x.dtype == task.x_test.dtype == torch.int64 and task.dtype == torch.float64
    value = F.cross_entropy(task.network.template(tokens), Y)
    torch.testing.assert_close(task.objective(task.network.own), value)
    single = task.to(dtype=torch.float32)
    assert single.x.dtype == torch.int64 and single.dtype == torch.float32 == single.to("cpu").dtype
    assert single.objective(single.network.own).dtype == torch.float32
    assert single.to(dtype=torch.float64).dtype == torch.float64
    with pytest.raises(ValueError, match="x holds whole numbers"):
        task_of(Words(), x=tokens, x_test=X, y_test=Y)
    with pytest.raises(ValueError, match=r"layer 'o' \(Dropout\)|no map of the parameters"):
        task_of(S(Words(), nn.Dropout()), x=tokens)


class Scaled(Net):
    """Takes whole numbers too, but x / 255 of these is in single precision."""

    def forward(self, x):
        return self.b.bias * (x / 255).sum(1, keepdim=True)


@pytest.mark.parametrize("make", [Net, Scaled, lambda: networks.MLP((5, 3))])
def test_whole_numbers_become_floats_where_the_network_wants_those(make):
    pixels = torch.arange(150).view(30, 5)
    task, floats = (task_of(make(), x=x) for x in (pixels.numpy(), pixels.double()))
    assert task.x.dtype == task.dtype == torch.float64 and torch.equal(task.x, floats.x)
    assert task.objective(task.initial(1)[0]) == floats.objective(task.initial(1)[0])


WEIGHTS = torch.tensor([1.0, 2.0, 5.0])

# name: (loss, targets, whether samples may go in blocks)
TORCHS = {
    "cross-entropy": (nn.CrossEntropyLoss(), Y, True),
    "cross-entropy's function": (F.cross_entropy, Y, True),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), Y, True),
    "sum": (nn.CrossEntropyLoss(reduction="sum"), Y, True),
    "weighted": (nn.CrossEntropyLoss(weight=WEIGHTS), Y, False),
    "weighted sum": (nn.CrossEntropyLoss(weight=WEIGHTS, reduction="sum"), Y, True),
    "weighted function": (functools.partial(F.cross_entropy, weight=WEIGHTS), Y, False),
    "probabilities": (nn.CrossEntropyLoss(), NUMBERS.softmax(1), True),
    "margin": (nn.MultiMarginLoss(), Y, True),
    "squares": (nn.MSELoss(), NUMBERS, True),
    "sum of squares": (nn.MSELoss(reduction="sum"), NUMBERS, True),
    "huber": (F.smooth_l1_loss, NUMBERS, True),
    "logits": (nn.BCEWithLogitsLoss(pos_weight=WEIGHTS), (NUMBERS > 0).double(), True),
    "own": (lambda z, y: (z.sin() - y).square().mean(), NUMBERS, True),
    "whole numbers": (nn.MSELoss(), (3 * NUMBERS).round().long(), True),
    "all pairs": (lambda z, y: torch.cdist(z, y).mean(), NUMBERS, False),
    "fewer targets than outputs": (lambda z, y: of_first(z, y[:, 0]), NUMBERS[:, :1], True),
    "one number": (lambda z, y: of_first(z, y), NUMBERS[:, 0], True),
}


def of_first(z, y):
    return (z[:, 1].exp() + (z[:, 0] - y).square()).mean()


def perceptron():
    return networks.MLP((5, 4, 3), "tanh")


@pytest.mark.parametrize("make", [Net, perceptron])
@pytest.mark.parametrize("name", TORCHS)
def test_torchs_losses_are_what_they_are(name, make):
    """Value, stacked values and descent are those of the function on the network's outputs."""
    loss, y, separable = TORCHS[name]
    task = task_of(make(), loss, y=y)
    start = 0.3 * task.initial(2)
    double = networks.copied(loss).double() if isinstance(loss, nn.Module) else loss
    if isinstance(loss, functools.partial):
        double = functools.partial(F.cross_entropy, weight=WEIGHTS.double())
    real = y if y.is_floating_point() or name != "whole numbers" else y.double()
    outputs = torch.stack([task.network.forward(p, X) for p in start])
    expected = torch.stack([double(z, real) for z in outputs])
    torch.testing.assert_close(torch.stack([task.objective(p) for p in start]), expected)
    target = task.loss.encode(task.y, 3)
    assert target.shape == (3, 30) and task.loss.separable is separable
    torch.testing.assert_close(task.loss.values(outputs.transpose(1, 2), target), expected)
    # One step against PyTorch's own gradient, whatever stepper the task has.
    stepper, moved = steppers.of(task), start.clone()
    stepper.forward(moved)
    stepper.subtract(moved, torch.ones(2, 1, dtype=torch.float64))
    for p, m in zip(start, moved):
        p = p.clone().requires_grad_()
        (slope,) = torch.autograd.grad(double(task.network.forward(p, X), real), p)
        torch.testing.assert_close(m, p.detach() - slope)
    residual = task.loss.residual(outputs.transpose(1, 2), target)[0].T * task.loss.weight(30)
    z = outputs[0].clone().requires_grad_()
    torch.testing.assert_close(residual, torch.autograd.grad(double(z, real), z)[0])


def test_a_share_of_the_samples_is_a_share_of_a_separable_loss():
    """What blocks of samples rely on; half of them are of one class."""
    y = torch.arange(1000) % 10 // 9 * 2
    z = torch.randn(1000, 3, dtype=torch.float64, generator=DRAW)
    for loss in (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(weight=WEIGHTS, reduction="sum")):
        taken = losses.taken(loss, y, 3)
        assert taken.separable
        parts = [
            taken.value(a, b) / taken.weight(len(b)) for a, b in zip(z.split(300), y.split(300))
        ]
        torch.testing.assert_close(sum(parts) * taken.weight(1000), taken.value(z, y))
    rare = torch.zeros(100_000, dtype=torch.int64)
    rare[77_777] = 2  # a single sample that weighs more
    assert not losses.taken(nn.CrossEntropyLoss(weight=WEIGHTS), rare, 3).separable


SQUARES = [nn.MSELoss(), F.mse_loss, lambda z, y: (z - y).square().mean()]


@pytest.mark.parametrize("loss", [*SQUARES, lambda z, y: F.mse_loss(z.squeeze(1), y)])
@pytest.mark.parametrize("y", [NUMBERS[:, 0], NUMBERS[:, 0].tolist(), Y], ids=type)
def test_one_number_for_each_sample_meets_its_own_output(loss, y):
    """PyTorch broadcasts (N, 1) against (N,) to all pairs of samples."""
    task = task_of(nn.Linear(5, 1), loss, y=y)
    error = task.network.forward(task.network.own, X)[:, 0] - torch.as_tensor(y).double()
    torch.testing.assert_close(task.objective(task.network.own), error.square().mean())
    assert task.loss.separable and task.y.is_floating_point()


each = functools.partial(F.cross_entropy, weight=WEIGHTS.double(), reduction="none")
WEIGHTED = nn.CrossEntropyLoss(weight=WEIGHTS, reduction="none")


@pytest.mark.parametrize(
    "loss",
    [nn.CrossEntropyLoss(weight=WEIGHTS), losses.PerSample(WEIGHTED), losses.PerSample(each)],
)
def test_class_weights_follow_precision_and_are_copied(loss):
    task = task_of(Net(), loss)
    single, params = task.to(dtype=torch.float32), task.network.own
    value = each(task.network.forward(params, X), Y).sum()
    value /= 30 if isinstance(loss, losses.PerSample) else WEIGHTS.double()[Y].sum()
    torch.testing.assert_close(task.objective(params), value)
    assert single.objective(params.float()).dtype == torch.float32
    torch.testing.assert_close(single.objective(params.float()).double(), value, rtol=1e-5, atol=0)
    held = getattr(loss, "function", loss)
    if isinstance(held, nn.Module):
        assert held.weight.dtype == torch.float32  # the caller's own
        found = [run(GradientDescent(t, 0.1), t.initial(2), 5)["loss"] for t in (single, task)]
        np.testing.assert_allclose(*found, rtol=1e-4)
