"""The monitor against analytic truths, dense Hessians, and loops that run without it."""

import copy
import math
import random
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam, AdamW, RMSprop
from torch.utils.data import DataLoader, TensorDataset

from netdyn_lib.monitor import Monitor
from tests.zoo import SAMPLES, ZOO, embedding, normalised, tokens, vectors

LAMBDAS = torch.tensor([3.0, 1.0, -0.5], dtype=torch.float64)


class Weights(nn.Module):
    """A model that is its weights, one tensor each."""

    def __init__(self, *values):
        super().__init__()
        tensors = (torch.tensor([v], dtype=torch.float64) for v in values)
        self.parts = nn.ParameterList(nn.Parameter(tensor) for tensor in tensors)

    def forward(self):
        return torch.cat(list(self.parts))


def quadratic(model, curvatures):
    return (curvatures * model() ** 2).sum() / 2


def step(model, loss_fn, batch, optimizer):
    optimizer.zero_grad()
    loss_fn(model, batch).backward()
    optimizer.step()


def test_a_quadratic_loss():
    model = Weights(1.0, 1e6, 1e-9)
    optimizer = SGD(model.parameters(), lr=0.1)
    monitor = Monitor(model, quadratic, LAMBDAS, every=1)
    for _ in range(200):
        step(model, quadratic, LAMBDAS, optimizer)
        report = monitor.step(optimizer)
    w = model().detach()
    slope = (LAMBDAS * w) ** 2
    expected = {
        "loss": float((LAMBDAS * w**2).sum() / 2),
        "sharpness": 3.0,
        "sharpness_over_edge": 0.15,
        "eigenvalue_1": 3.0,
        "eigenvalue_2": 1.0,
        "eigenvalue_3": -0.5,
        "residual": 0.0,
        "negative_share": float(slope[2] / slope.sum()),
        "exponent": math.log(1.05),  # along the eigenvalue −0.5
        "exponent_se": 0.0,
        "exponent_converged": 1.0,
    }
    assert report == pytest.approx(expected, abs=1e-3) and set(report) == set(expected)


def test_reports_come_every_so_many_calls():
    model = Weights(1.0)
    optimizer = SGD(model.parameters(), lr=0.1)
    monitor = Monitor(model, quadratic, LAMBDAS[:1], every=3)
    found = [monitor.step(optimizer) for _ in range(7)]
    assert [bool(report) for report in found] == [True, False, False] * 2 + [True]
    assert all(type(value) is float for value in found[0].values())


def grouped(parameters, lr):
    """A learning rate for each weight, in groups of their own."""
    return [{"params": [p], "lr": lr * f} for p, f in zip(parameters, (1.0, 2.0, 0.5))]


# A preconditioner that eps dominates does not move, so that a step is linear.
STILL, FAST = dict(eps=1e30), dict(betas=(0.5, 0.9))


@pytest.mark.parametrize(
    ("make", "edge"),
    [
        (SGD, 2),
        (lambda ps, lr: SGD(ps, lr, momentum=0.9), 3.8),
        (lambda ps, lr: SGD(ps, lr, momentum=0.9, dampening=0.5), 7.6),
        (lambda ps, lr: SGD(ps, lr, momentum=0.9, nesterov=True), 3.8 / 2.8),
        (lambda ps, lr: SGD(ps, lr, momentum=0.5, weight_decay=1.0), 3 * 3 / 4),
        (lambda ps, lr: SGD(grouped(ps, lr), lr), 2),
        (lambda ps, lr: SGD(grouped(ps, lr), lr, momentum=0.9), 3.8),
        (lambda ps, lr: Adam(ps, lr, **FAST, **STILL), 6e30),
        (lambda ps, lr: Adam(ps, lr, amsgrad=True, weight_decay=3.0, **FAST, **STILL), 3e30),
        # η (1 − β)(h/eps) = (2 − ηd)(1 + β)
        (lambda ps, lr: AdamW(ps, lr, weight_decay=2e-30, **FAST, **STILL), 3 * 3e30 / 4.5),
        (lambda ps, lr: RMSprop(ps, lr, **STILL), 2e30),
        (lambda ps, lr: RMSprop(ps, lr, momentum=0.9, centered=True, **STILL), 3.8e30),
    ],
)
def test_an_optimizer_diverges_beyond_its_edge(make, edge):
    """Just below its threshold, η·sharpness, a quadratic loss falls, and just beyond it rises."""
    curvatures = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
    for over in (0.97, 1.03):
        model = Weights(1.0, 1.0, 1.0)
        optimizer = make(list(model.parameters()), over * edge / 3)
        monitor, sizes = Monitor(model, quadratic, curvatures, every=200), []
        for _ in range(201):
            step(model, quadratic, curvatures, optimizer)
            sizes.append(float(model().detach().norm()))
            report = monitor.step(optimizer)
        assert (report["sharpness_over_edge"] > 1) == (over > 1) == (sizes[200] > 2 * sizes[120])
        near = 0.07 if isinstance(optimizer, AdamW) else 1e-3
        assert report["sharpness_over_edge"] == pytest.approx(over, abs=near)


def test_adams_preconditioner_is_read_from_its_state():
    model, h, (beta, beta2) = Weights(1.0, -2.0, 0.5), np.array([3.0, 1.0, 2.0]), (0.8, 0.95)
    optimizer = Adam(model.parameters(), lr=0.1, betas=(beta, beta2), eps=1e-3)
    monitor = Monitor(model, quadratic, torch.tensor(h), every=20)
    v, t = np.zeros(3), 21
    for _ in range(t):
        v = beta2 * v + (1 - beta2) * (h * model().detach().numpy()) ** 2
        step(model, quadratic, torch.tensor(h), optimizer)
        report = monitor.step(optimizer)
    scaled = h * (1 - beta) / ((1 - beta**t) * (np.sqrt(v / (1 - beta2**t)) + 1e-3))
    edge = 2 * (1 + beta) / 0.1  # of the preconditioned sharpness, times 1 − β
    assert report["sharpness_over_edge"] == pytest.approx(scaled.max() / edge, rel=1e-3)


def logistic(model, _):
    """A potential whose descent at η = 1 is w ← 4 w (1 − w)."""
    w = model().sum()
    return 4 * w**3 / 3 - 3 * w**2 / 2


def test_the_exponent_of_the_logistic_map():
    model = Weights(0.3)
    optimizer = SGD(model.parameters(), lr=1.0)
    monitor = Monitor(model, logistic, None, every=1)
    for _ in range(300):
        step(model, logistic, None, optimizer)
        report = monitor.step(optimizer)
    assert report["exponent"] == pytest.approx(math.log(2), abs=0.05)
    assert 0 < report["exponent_se"] < 0.1


def cross_entropy(model, batch):
    return F.cross_entropy(model(batch["x"]), batch["y"])


def under_autocast(model, batch):
    with torch.autocast("cpu", torch.bfloat16):
        return cross_entropy(model, batch)


#: A module and its samples, and by what share of its sharpness eigenvalues may be off.
KINDS = {name: (*ZOO[name], 1e-3) for name in ("tied parameters", "frozen layer", "embedding")}
KINDS |= {name: (*ZOO[name], 1e-3) for name in ("lstm", "attention", "transformer", "weight norm")}
KINDS |= {
    "batch norm": (lambda: normalised(nn.BatchNorm1d(6)), vectors, 1e-3),
    "padding": (lambda: embedding(partial(nn.Embedding, padding_idx=0)), tokens, 1e-3),
    "dropout": (lambda: normalised(nn.Dropout(0.3)), vectors, 1e-3),
    "compiled": (lambda: normalised(nn.BatchNorm1d(6)), vectors, 1e-3),
    "bfloat16": (lambda: normalised(nn.LayerNorm(6)).bfloat16(), vectors, 1e-3),
    "autocast": (lambda: normalised(nn.LayerNorm(6)).float(), vectors, 0.05),
}


def problem(name):
    """A model, its loss and a probe batch."""
    torch.manual_seed(0)
    make, samples, _ = KINDS[name]
    model, x = make(), samples()
    if name not in ("bfloat16", "autocast"):
        model = model.double()
    if name == "compiled":  # by what has no second derivative
        model = torch.compile(model, backend="aot_eager")
    x = x.to(next(model.parameters())) if x.is_floating_point() else x
    batch = {"x": x, "y": torch.randint(0, 3, (SAMPLES,))}
    return model, under_autocast if name == "autocast" else cross_entropy, batch


def plainly(model, batch):
    """The gradient and the Hessian, by central differences of plain autograd in float64."""
    model = copy.deepcopy(getattr(model, "_orig_mod", model)).double()
    x = batch["x"].double() if batch["x"].is_floating_point() else batch["x"]
    trained = [p for p in model.parameters() if p.requires_grad]
    start = nn.utils.parameters_to_vector(trained).detach()

    def gradient(w):
        with torch.no_grad():
            nn.utils.vector_to_parameters(w.clone(), trained)
        torch.manual_seed(0)
        found = torch.autograd.grad(F.cross_entropy(model(x), batch["y"]), trained)
        return torch.cat([part.flatten() for part in found])

    rows = 1e-5 * torch.eye(len(start), dtype=torch.float64)
    if isinstance(getattr(model, "inner", None), nn.Embedding) and model.inner.padding_idx == 0:
        rows[:4] = 0  # frozen
    dense = torch.stack([gradient(start + row) - gradient(start - row) for row in rows]) / 2e-5
    return gradient(start), (dense + dense.T) / 2


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore:double backward of this model")
def test_curvature_of_every_kind_of_model(name):
    model, loss_fn, batch = problem(name)
    slope, dense = plainly(model, batch)
    values, vectors = torch.linalg.eigh(dense)
    report = Monitor(model, loss_fn, batch).step(SGD(model.parameters(), lr=0.1))
    found = [report[f"eigenvalue_{k}"] for k in (1, 2, 3)]
    near = KINDS[name][2] * float(values[-1])
    np.testing.assert_allclose(found, values.flip(0)[:3], atol=near)
    assert report["sharpness"] == found[0] and report["residual"] < 0.01
    share = float(((vectors.T @ slope)[values < 0] ** 2).sum() / (slope @ slope))
    assert report["negative_share"] == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore:double backward of this model")
def test_a_loop_with_a_monitor_is_the_loop_without(name):
    """Weights, gradients, buffers, modes and random numbers, bit for bit."""

    def trained(watch):
        model, loss_fn, batch = problem(name)
        optimizer = Adam(model.parameters(), lr=0.01)
        monitor = Monitor(model, loss_fn, batch, every=1) if watch else None
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(1)
        for _ in range(3):
            step(model, loss_fn, batch, optimizer)
            assert not watch or math.isfinite(monitor.step(optimizer)["sharpness"])
        drawn = float(torch.rand(())), np.random.rand(), random.random()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        state = [value for one in optimizer.state.values() for value in one.values()]
        tensors = [*model.parameters(), *model.buffers(), *grads, *state]
        return drawn, [m.training for m in model.modules()], tensors

    with_it, without = trained(True), trained(False)
    assert with_it[:2] == without[:2]
    assert all(torch.equal(a, b) for a, b in zip(with_it[2], without[2], strict=True))


def test_a_wrong_double_backward_is_told_once():
    model, loss_fn, batch = problem("weight norm")
    monitor, optimizer = Monitor(model, loss_fn, batch, every=1), SGD(model.parameters(), lr=0.1)
    with pytest.warns(UserWarning, match="double backward of this model differs") as told:
        monitor.step(optimizer)
        monitor.step(optimizer)
    assert len(told) == 1


def followed(epsilon, spoil=None):
    """Distances of a copy in a loop with dropout, shuffled batches and a scheduler."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3)).double()
    x, y = torch.randn(24, 6, dtype=torch.float64), torch.randint(0, 3, (24,))
    loss_fn = lambda model, batch: F.cross_entropy(model(batch[0]), batch[1])
    optimizer = SGD(model.parameters(), lr=0.3, momentum=0.5)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    monitor, distances = Monitor(model, loss_fn, (x, y), every=1, epsilon=epsilon), []
    for _ in range(4):
        for batch in DataLoader(TensorDataset(x, y), 6, shuffle=True):
            optimizer.zero_grad()
            loss_fn(model, batch).backward()
            if spoil:
                spoil(model)
            optimizer.step()
            schedule.step()
            distances.append(monitor.step(optimizer, batch)["distance"])
    return np.array(distances)


def test_a_copy_meets_the_same_batches_and_random_numbers():
    small, smaller = followed(1e-6), followed(1e-7)
    assert np.isnan(small[0]) and 0.3e-6 < small[1] / 53 < 0.7e-6
    # In the linear regime, whatever batches, masks and rates the steps had: other ones would part
    # the weights by as much for either ε.
    np.testing.assert_allclose(small[1:], 10 * smaller[1:], rtol=1e-4)


def test_a_copy_of_descent_grows_as_the_tangent_vector():
    model = Weights(1.0, 2.0, 3.0)
    optimizer = SGD(model.parameters(), lr=0.1)
    monitor, found = Monitor(model, quadratic, LAMBDAS, every=1, epsilon=1e-3), []
    for _ in range(100):
        step(model, quadratic, LAMBDAS, optimizer)
        found.append(monitor.step(optimizer, LAMBDAS)["distance"])
    assert found[-1] / found[-2] == pytest.approx(1.05, abs=1e-4)


def test_a_loop_that_does_more_than_a_step_has_no_copy():
    clip = lambda model: nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    with pytest.raises(ValueError, match="the loop clips gradients, adds up several batches"):
        followed(1e-6, clip)


@pytest.mark.parametrize("kind", [torch.optim.Adagrad, lambda ps: SGD(ps, maximize=True)])
def test_an_optimizer_that_is_not_known_has_no_edge(kind):
    model = Weights(1.0, 2.0, 3.0)
    monitor, optimizer = Monitor(model, quadratic, LAMBDAS, every=1), kind(model.parameters())
    with pytest.warns(UserWarning, match="is not known, or it maximises") as told:
        reports = [monitor.step(optimizer) for _ in range(3)]
    assert len(told) == 1 and math.isnan(reports[-1]["exponent"])
    assert math.isnan(reports[-1]["sharpness_over_edge"]) and reports[-1]["sharpness"] > 2.9


def test_an_optimizer_whose_rate_has_gone_is_at_rest():
    model = Weights(1.0, 2.0, 3.0)
    optimizer = Adam(model.parameters(), lr=0.1)
    monitor = Monitor(model, quadratic, LAMBDAS, every=1)
    assert math.isnan(monitor.step(optimizer)["sharpness_over_edge"])  # it has no state yet
    step(model, quadratic, LAMBDAS, optimizer)
    optimizer.param_groups[0]["lr"] = 0.0
    report = monitor.step(optimizer)
    assert report["sharpness_over_edge"] == 0 and report["exponent"] == pytest.approx(0, abs=1e-12)


def test_an_optimizer_may_be_wrapped_and_weights_may_be_thawed():
    model = Weights(1.0, 2.0, 3.0)
    model.parts[0].requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=0.1)
    monitor = Monitor(model, quadratic, LAMBDAS, every=1)
    wrapped = SimpleNamespace(optimizer=SimpleNamespace(optimizer=optimizer))
    assert monitor.step(wrapped)["sharpness"] == pytest.approx(1)
    model.parts[0].requires_grad_(True)
    assert monitor.step(wrapped)["sharpness"] == pytest.approx(3)


def test_a_loss_that_is_not_finite_is_nan():
    model = Weights(1.0, 2.0, 3.0)
    monitor, optimizer = Monitor(model, quadratic, LAMBDAS, every=1), SGD(model.parameters(), 0.1)
    fine = monitor.step(optimizer)
    with torch.no_grad():
        model.parts[0].fill_(math.inf)
    report = monitor.step(optimizer)
    assert list(report) == list(fine) and math.isnan(report["sharpness"])
    assert report["loss"] == math.inf


def test_a_flat_loss_has_no_curvature():
    model, loss_fn = Weights(1.0, 2.0), lambda model, slopes: (model() * slopes).sum()
    for slopes in (torch.tensor([1.0, 2.0]), torch.zeros(2)):
        report = Monitor(model, loss_fn, slopes).step(SGD(model.parameters(), lr=0.1))
        assert report["sharpness"] == report["residual"] == report["sharpness_over_edge"] == 0
        assert report["exponent"] == pytest.approx(0, abs=1e-15)


def test_bad_input_is_refused():
    model = Weights(1.0, 2.0, 3.0)
    give = lambda **more: Monitor(model, quadratic, LAMBDAS, **more)
    for bad in (dict(every=0), dict(top=13), dict(epsilon=-1e-6)):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} = "):
            give(**bad)
    with pytest.raises(ValueError, match="with an epsilon, step needs the batch of each step"):
        give(epsilon=1e-6).step(SGD(model.parameters(), 0.1))
    other = Weights(1.0)
    with pytest.raises(ValueError, match=r"those of shapes \[\(1,\)\] are no real parameters"):
        give().step(SGD([*model.parameters(), *other.parameters()], 0.1))
    model.compile(backend="eager")
    with pytest.raises(ValueError, match="a model compiled in place, by model.compile"):
        give(epsilon=1e-6).step(SGD(model.parameters(), 0.1), LAMBDAS)


def test_curvature_that_is_not_finite_is_nan_and_the_state_of_sgd_stays_empty():
    model = Weights(1.0, 1.0)
    optimizer, watch = SGD(model.parameters(), lr=0.1), Monitor(model, bent, None, every=1)
    assert watch.step(optimizer)["sharpness"] == pytest.approx(0.75)
    assert optimizer.state_dict()["state"] == {}
    with torch.no_grad():
        model.parts[0].zero_()
    report = watch.step(optimizer)
    assert report["loss"] == 1.0 and math.isnan(report["sharpness"])
    with torch.no_grad():
        model.parts[0].fill_(math.nan)
    for late in (watch, Monitor(model, bent, None, every=1)):
        assert all(math.isnan(late.step(optimizer)[key]) for key in ("loss", "exponent"))


def bent(model, _):
    """A loss Σ|w|^1.5, whose second derivative is infinite at 0 and 0.75 at 1."""
    return (model().abs() ** 1.5).sum()


@pytest.mark.parametrize(
    "loss_fn, said",
    [
        (lambda model, batch: 0.25, "loss_fn gave 0.25: expected a scalar tensor"),
        (lambda model, batch: quadratic(model, batch).item(), "leave out .item"),
        (lambda model, batch: quadratic(model, batch).detach(), "a tensor without a graph"),
    ],
    ids=["number", "item", "detach"],
)
def test_a_loss_that_is_no_function_of_the_weights_is_refused_in_a_line(loss_fn, said):
    model = Weights(1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match=said) as found:
        Monitor(model, loss_fn, LAMBDAS).step(SGD(model.parameters(), lr=0.1))
    assert "\n" not in str(found.value)


def test_no_optimizer_is_refused_in_a_line():
    with pytest.raises(TypeError, match="optimizer = None has no param_groups"):
        Monitor(Weights(1.0, 2.0, 3.0), quadratic, LAMBDAS).step(None)
