"""Everything that is computed of a network is right for any kind of module.

Each number is held against a module that is called and differentiated as in any training loop,
without ``torch.func``; second derivatives against central differences of its gradients.
"""

import copy
import functools
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.curvature import jacobian, operators, optimizers
from netdyn_lib.experiments import sweet_spot
from netdyn_lib.lyapunov import benettin, growth_fits, tangent_maps
from netdyn_lib.lyapunov.qr import random_orthogonal
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import blocked, minibatches
from netdyn_lib.training.gradient_descent import GradientDescent, run
from tests.zoo import COUPLED, SAMPLES, ZOO, Net, plain, vectors

RATE = 0.3


class Reference:
    """Loss, gradient and H v of one module by plain autograd and central differences."""

    def __init__(self, module, x, y):
        self.module, self.x, self.y = module.double(), x, y
        self.parameters = [p for p in self.module.parameters() if p.requires_grad]

    def load(self, w):
        with torch.no_grad():
            nn.utils.vector_to_parameters(w.clone(), self.parameters)  # it lends, not copies

    def loss(self, w):
        self.load(w)
        return F.cross_entropy(self.module(self.x), self.y).detach()

    def gradient(self, w):
        self.load(w)
        value = F.cross_entropy(self.module(self.x), self.y)
        return nn.utils.parameters_to_vector(torch.autograd.grad(value, self.parameters)).detach()

    def curved(self, w, v, step=1e-4):
        """H v of error O(step⁴)."""
        near, far = (
            (self.gradient(w + k * step * v) - self.gradient(w - k * step * v)) / (2 * k * step)
            for k in (1, 2)
        )
        return (4 * near - far) / 3

    def descend(self, w, steps, make=lambda ps: torch.optim.SGD(ps, lr=RATE)):
        """Weights (steps + 1, P) along a loop with a ``torch.optim`` optimiser."""
        self.load(w)
        optimizer, path = make(self.parameters), [w]
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(self.module(self.x), self.y).backward()
            optimizer.step()
            path.append(nn.utils.parameters_to_vector(self.parameters).detach().clone())
        return torch.stack(path)


@functools.cache
def case(kind):
    make, samples = ZOO[kind]
    modules = []
    for _ in range(3):  # the same each time
        torch.manual_seed(7)
        modules.append(make())
    x, y = samples(), torch.arange(SAMPLES) % 3
    task = tasks.custom(kind, modules[0], losses.CrossEntropy(), x, y)
    assert task.network.coupled == (kind in COUPLED)
    own = task.network.own
    params = torch.stack([own, own + 0.2 * torch.randn_like(own)])
    reference = Reference(modules[1], x, y)
    one = Reference(modules[2], x[3:4], y[3:4])
    found = dict(task=task, params=params, vectors=torch.randn_like(params))
    basis = torch.eye(len(own)).double()
    dense = functools.cache(lambda k: each(lambda v: reference.curved(params[k], v), basis))
    return SimpleNamespace(**found, dense=dense, reference=reference, one=one)


def close(found, expected, tolerance=1e-6):
    found, expected = (torch.as_tensor(np.asarray(v)) for v in (found, expected))
    assert found.shape == expected.shape
    scale = expected.abs().max() + 1e-6
    assert float((found - expected).abs().max()) <= tolerance * float(scale)


def each(function, *rows):
    return torch.stack([function(*row) for row in zip(*rows)])


def loss(c):
    expected = each(c.reference.loss, c.params)
    close(c.task.objectives(c.params), expected, 1e-12)
    close(each(c.task.objective, c.params).detach(), expected, 1e-12)


def gradient(c):
    expected = each(c.reference.gradient, c.params)
    close(gradients.of(c.task)(c.params), expected, 1e-10)
    found = gradients.of(c.task).at(c.params)
    close(found.gradient, expected, 1e-10)
    close(found.losses, each(c.reference.loss, c.params), 1e-10)


def twenty_steps(c):
    record = run(GradientDescent(c.task, RATE), c.params, 20, ("loss", "test_accuracy"))
    paths = [c.reference.descend(w, 20) for w in c.params]
    close(record.final, torch.stack([path[-1] for path in paths]), 1e-9)
    close(record["loss"][:, 0], each(c.reference.loss, paths[0]), 1e-9)


def hessian(c):
    found = curvature.hessians(c.task.objective, c.params)
    close(found, each(c.dense, range(len(c.params))))


def hessian_vector(c):
    expected = each(c.reference.curved, c.params, c.vectors)
    for product in (
        lambda w, v: curvature.product_of(c.task.objective, w)[0](w, v)[1],
        lambda w, v: curvature.operator(c.task, w)(v),
    ):
        close(each(product, c.params, c.vectors), expected)

    def of_loss(w, v):
        c.reference.load(w)
        batch = c.reference.x, c.reference.y
        loss = lambda model, batch: F.cross_entropy(model(batch[0]), batch[1])
        found = operators.of_loss(c.reference.module, loss, batch)(v)
        trained = [p for p in c.reference.module.parameters() if p.requires_grad]
        assert list(map(id, trained)) == list(map(id, c.reference.parameters))
        return found

    close(each(of_loss, c.params, c.vectors), expected)


def tangent_product(c):
    following, moved = GradientDescent(c.task, RATE).product(c.params, c.vectors)
    close(following, c.params - RATE * each(c.reference.gradient, c.params), 1e-9)
    close(moved, c.vectors - RATE * each(c.reference.curved, c.params, c.vectors))


def sharpness(c):
    """Its eigenvector is found by Lanczos in products, or in the whole Hessian: both are tried."""
    expected = torch.linalg.eigvalsh((c.dense(1) + c.dense(1).T) / 2)[-1]
    close(curvature.sharpness(c.task.objective, c.params)[1], expected)
    product = curvature.operator(c.task, c.params[1])
    close(curvature.largest(product, c.params.shape[1]), expected, 1e-5)


def three_exponents(c):
    steps, start = 6, c.params[:1]
    frame = random_orthogonal(start.shape[1], 3)
    advance = jacobian.of_descent(GradientDescent(c.task, RATE))
    found = benettin.spectrum(advance, start, steps, frame=frame, at=(steps,)).exponents()[0]
    total = torch.zeros(3, dtype=torch.float64)
    for w in c.reference.descend(start[0], steps - 1):
        images = frame - RATE * each(lambda v: c.reference.curved(w, v), frame.T).T
        frame, upper = torch.linalg.qr(images)
        total += upper.diagonal().abs().log()
    close(found, total / steps, 1e-5)


def probe(c):
    balls = networks.perturbed(c.params, 1e-8, 1, 0)
    found = sweet_spot.probe(c.task, RATE, balls, epochs=25)
    ends = [[c.reference.descend(w, 25) for w in ball] for ball in balls]
    distance = torch.stack([(copied - whole).abs().sum(1) for whole, copied in ends], 1)
    fit = growth_fits.best_fit(distance.numpy(), 20)
    assert (found.count, found.kept, found.diverged) == (2, int(fit.kept().sum()), 0)


def momentum(c):
    method = optimizers.Momentum(c.task, RATE, 0.8)
    record = optimizers.run(method, c.params, 20)
    for k, w in enumerate(c.params):
        path = c.reference.descend(w, 20, lambda ps: torch.optim.SGD(ps, lr=RATE, momentum=0.8))
        close(method.weights(record.final)[k], path[-1], 1e-8)
    tangent(method, c)


def adam(c):
    method = optimizers.Adam(c.task, 0.01, epsilon=1e-4)
    record = optimizers.run(method, c.params, 20)
    for k, w in enumerate(c.params):
        path = c.reference.descend(w, 20, lambda ps: torch.optim.Adam(ps, lr=0.01, eps=1e-4))
        close(method.weights(record.final)[k], path[-1], 1e-7)
    tangent(method, c)


def tangent(method, c, step=1e-6):
    """The tangent map of an optimiser against central differences of its steps, along weights."""
    states = optimizers.run(method, c.params, 3).final
    vectors = F.pad(c.vectors, (0, method.size - method.count))
    ahead, back = (method.step(states + sign * step * vectors) for sign in (1, -1))
    moved = method.product(states, vectors)[1][:, : method.parts * method.count]
    close(moved, ((ahead - back) / (2 * step))[:, : moved.shape[1]], 1e-5)


def preconditioned(c):
    """Adam's sharpness, against its matrix from central differences."""
    method = optimizers.Adam(c.task, 0.01, epsilon=1e-2)
    states = optimizers.run(method, c.params[:1], 3).final
    w, root = method.weights(states)[0], method.preconditioner(states)[0].sqrt()
    dense = each(lambda v: c.reference.curved(w, v), torch.eye(len(w)).double())
    scaled = (dense + dense.T) / 2 / root / root[:, None]
    close(optimizers.sharpness(method, states)[0], torch.linalg.eigvalsh(scaled)[-1], 1e-5)


def in_blocks(c):
    """Blocks of five samples: never where samples see each other, and the same numbers."""
    record = run(GradientDescent(c.task, RATE), c.params, 5)
    close(record.final, torch.stack([c.reference.descend(w, 5)[-1] for w in c.params]), 1e-9)
    product = curvature.TrainingHessian(c.task, block=5).at(c.params[0])
    close(product(c.vectors[0]), c.reference.curved(c.params[0], c.vectors[0]))


def batch_of_one(c):
    part = minibatches.batch_task(c.task, torch.tensor([3]))
    slope, curved = gradients.of(part).product(c.params, c.vectors)
    close(slope, each(c.one.gradient, c.params), 1e-9)
    close(curved, each(c.one.curved, c.params, c.vectors))


ROWS = [
    *(loss, gradient, twenty_steps, hessian, hessian_vector, tangent_product, sharpness),
    *(three_exponents, probe, momentum, adam, preconditioned, in_blocks, batch_of_one),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
@pytest.mark.parametrize("kind", ZOO)
def test_zoo(kind, row, monkeypatch):
    if row is batch_of_one and kind in COUPLED:
        pytest.skip("one sample has no batch to be normalised over")
    if row is in_blocks:
        monkeypatch.setattr(blocked, "_VALUES", 0)
        monkeypatch.setattr(blocked, "_LEAST", 5)
    row(case(kind))


def made(module, x, y=None, loss=None):
    y = torch.arange(len(x)) % 3 if y is None else y
    return tasks.custom("made", module, loss or losses.CrossEntropy(), x, y)


def test_a_slower_way_is_told_once():
    task = made(ZOO["weight norm"][0](), ZOO["weight norm"][1]())
    with pytest.warns(UserWarning, match="Hessian products go by central differences"):
        gradients.of(task)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradients.of(task)
        gradients.of(minibatches.batch_task(task, torch.arange(4)))


@pytest.mark.filterwarnings("ignore")
def test_parts_that_begin_at_zero_hide_no_wrong_way():
    """Double backward of weight norm is wrong, and shows in nothing while the layers above are
    zero.
    """
    net = ZOO["weight norm"][0]()
    torch.nn.init.zeros_(net[2].weight)
    assert gradients.ways(made(net, vectors())).product == "central differences"


@pytest.mark.filterwarnings("ignore")
def test_a_branch_that_few_samples_take_is_seen():
    def forward(net, x):
        return net.out(torch.where(x[:, :1] < 0, torch.tanh(net.one(x)), net.norm(x)))

    norm = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))
    net = Net(forward, one=nn.Linear(6, 4), norm=norm, out=nn.Linear(4, 3))
    x = torch.randn(100, 6, dtype=torch.float64)
    task = made(net, x[x[:, 0].argsort()])
    assert gradients.ways(task).product == "central differences"


@pytest.mark.filterwarnings("ignore")
def test_gradients_that_do_not_add_up_are_not_taken_in_blocks(monkeypatch):
    """Rare tokens have larger gradients here, and what is rare depends on the batch."""
    monkeypatch.setattr(blocked, "_VALUES", 0)
    monkeypatch.setattr(blocked, "_LEAST", 5)
    inner, out = nn.Embedding(7, 4, scale_grad_by_freq=True), nn.Linear(4, 3)
    net = Net(lambda net, t: net.out(net.inner(t).mean(1)), inner=inner, out=out)
    x, y = torch.randint(0, 7, (SAMPLES, 5)), torch.arange(SAMPLES) % 3
    reference, task = Reference(copy.deepcopy(net), x, y), made(net, x)
    start = task.network.own[None]
    found = run(GradientDescent(task, RATE), start, 5).final[0]
    close(found, reference.descend(start[0], 5)[-1], 1e-9)


def test_a_gradient_of_no_loss_has_tangents_and_no_hessian():
    """The gradient takes no part in the detached factor, but changes with it."""
    net = plain(lambda net, x: net.out(torch.tanh(net.one(x))) * net.one.weight.detach().norm())
    x = vectors()
    reference, task = Reference(copy.deepcopy(net), x, torch.arange(SAMPLES) % 3), made(net, x)
    w, v = task.network.own[None], torch.randn(1, task.network.count, dtype=torch.float64)
    with pytest.warns(UserWarning, match="it has no Hessian"):
        moved = GradientDescent(task, RATE).product(w, v)[1]
    close(moved[0], v[0] - RATE * reference.curved(w[0], v[0]))
    for measure in (curvature.sharpness, curvature.hessians):
        with pytest.raises(ValueError, match="has no Hessian"):
            measure(task.objective, w)
    with pytest.raises(ValueError, match="has no Hessian"):
        curvature.operator(task, w[0])


def test_a_loss_that_vmap_cannot_follow():
    def loss(output, y):
        return F.cross_entropy(output, y) + output[output > 0].sum() / len(output)

    x, y = vectors(), torch.arange(SAMPLES) % 3
    task = made(nn.Linear(6, 3), x, y, loss)
    start = task.network.own[None]
    record = run(GradientDescent(task, RATE), start, 3)
    net = nn.Linear(6, 3).double()
    nn.utils.vector_to_parameters(start[0].clone(), net.parameters())
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    for expected in record["loss"][:, 0]:
        optimizer.zero_grad()
        value = loss(net(x), y)
        assert value.item() == pytest.approx(expected, rel=1e-9)
        value.backward()
        optimizer.step()


@pytest.mark.filterwarnings("ignore")
def test_weights_of_very_different_size_share_no_step():
    """A step of central differences that suits a weight of 1e6 is far too long for the others."""

    def forward(net, x):
        return net.out(torch.sin(net.one(x)) * net.scale / 1e6) * float(net.out.weight.norm())

    net = plain(forward)
    net.scale = nn.Parameter(torch.tensor(1e6))
    x = vectors()
    reference, task = Reference(copy.deepcopy(net), x, torch.arange(SAMPLES) % 3), made(net, x)
    w, v = task.network.own, torch.randn(task.network.count, dtype=torch.float64)
    assert gradients.ways(task).product == "central differences"
    close(gradients.of(task).product(w[None], v[None])[1][0], reference.curved(w, v))


def test_a_hook_on_a_parameter_is_refused():
    net = nn.Linear(6, 3)
    net.weight.register_hook(lambda slope: 0.5 * slope)
    with pytest.raises(ValueError, match="'weight' of Linear has a hook"):
        made(net, vectors())


def test_one_task_in_several_threads():
    task = made(ZOO["lstm"][0](), ZOO["lstm"][1]())
    rows = task.network.own + 0.3 * torch.randn(40, task.network.count, dtype=torch.float64)
    expected = [float(task.objective(row)) for row in rows]
    with ThreadPoolExecutor(4) as pool:
        assert [float(v) for v in pool.map(task.objective, rows)] == expected


@pytest.mark.filterwarnings("ignore")
def test_a_derivative_from_outside_is_refused():
    """jvp(vmap(grad)) is silently wrong through layer norm."""
    c = case("layer norm")
    with pytest.raises(ValueError, match="take .product of GradientDescent"):
        product = tangent_maps.by_derivative(GradientDescent(c.task, RATE).step)
        tangent_maps.by_product(product)(c.params, c.vectors[:, :, None])
