"""Momentum and Adam against PyTorch's optimizers, finite differences and quadratic losses."""

import math

import numpy as np
import pytest
import torch

from netdyn_lib import lyapunov
from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.curvature import optimizers
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent

BOTH = {
    "momentum": lambda task, rate=0.1, **more: optimizers.Momentum(task, rate, 0.9, **more),
    "adam": lambda task, rate=0.01, **more: optimizers.Adam(task, rate, **more),
}
each = pytest.mark.parametrize("name", BOTH)


def small():
    """A perceptron; one of its inputs is always zero, so that some gradients are."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((23, 5))
    x[:, 2] = 0
    y = rng.integers(0, 3, 23)
    return tasks.custom("small", networks.MLP((5, 4, 3), "tanh"), losses.CrossEntropy(), x, y)


def convolution():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(8, 3)
    )
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((12, 1, 4, 4)), rng.integers(0, 3, 12)
    return tasks.custom("convolution", module, losses.CrossEntropy(), x, y)


def quadratic():
    """A quadratic loss ½ Σ |z − y|² of a linear network, its Hessian, and its minimum (1, P)."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((9, 3))
    y = x @ np.array([[1.0], [2.0], [-1.0]]) + 0.5
    task = tasks.custom("quadratic", networks.MLP((3, 1)), losses.HalfSquaredError(), x, y)
    hessian = curvature.hessians(task.objective, task.initial(1))[0]
    minimum = torch.tensor([[1.0, 2.0, -1.0, 0.5]], dtype=torch.float64)
    assert float(task.objective(minimum[0])) < 1e-25
    return task, hessian, minimum


def roots(trace, product):
    """ln|z| of the roots of z² − trace z + product for each ``trace``, descending."""
    found = np.concatenate([np.roots([1, -value, product]) for value in trace])
    return np.sort(np.log(np.abs(found)))[::-1]


def by_torch(task, params, make, steps):
    """Weights (steps, P) of PyTorch's own optimizer from one network."""
    w = torch.nn.Parameter(params.clone())
    optimizer, way = make([w]), []
    for _ in range(steps):
        optimizer.zero_grad()
        task.objective(w).backward()
        optimizer.step()
        way.append(w.detach().clone())
    return torch.stack(way)


@each
@pytest.mark.parametrize(("make", "decay"), [(small, 0.01), (convolution, 0.0)])
def test_steps_are_those_of_pytorch(name, decay, make):
    task = make()
    own = BOTH[name](task, weight_decay=decay)
    settings = dict(lr=own.descent.learning_rate.item(), weight_decay=decay)
    theirs = {
        "momentum": lambda p: torch.optim.SGD(p, momentum=0.9, **settings),
        "adam": lambda p: torch.optim.Adam(p, **settings),
    }
    steps = 100 if make is small else 40
    start = task.initial(2)[1:]
    record = optimizers.run(own, start, steps, observe=("weights", "loss"))
    for k, params in enumerate(start):
        way = by_torch(task, params, theirs[name], steps)
        np.testing.assert_allclose(record["weights"][1:, k], way, atol=1e-11, rtol=0)
    loss = [float(task.objective(w)) for w in own.weights(record.final)]
    np.testing.assert_allclose(record["loss"][-1], loss, rtol=1e-12)
    assert abs(record["weights"][-1] - record["weights"][0]).max() > 0.1


@each
@pytest.mark.parametrize("make", [small, convolution])
def test_the_tangent_map_is_that_of_finite_differences(name, make):
    """Some steps in, where Adam's means are not zero."""
    task = make()
    own = BOTH[name](task, [0.02, 0.05], weight_decay=0.01)
    states = optimizers.run(own, task.initial(2), 5).final
    frame = optimizers.frame(own, 5)
    following, images = own.advance(states, frame.expand(2, -1, -1))
    torch.testing.assert_close(following, own.step(states), atol=1e-14, rtol=0)
    size = 1e-7
    for column, image in zip(frame.T, images.unbind(2)):
        ahead, behind = (own.step(states + sign * size * column) for sign in (1, -1))
        difference = (ahead - behind) / (2 * size)
        good = torch.ones(own.size, dtype=bool)
        if name == "adam":  # a mean square of zero cannot be moved to either side
            kink = own._split(states)[2] == 0
            good[2 * own.count : 3 * own.count] = ~kink.any(0)
        torch.testing.assert_close(image[:, good], difference[:, good], atol=1e-6, rtol=1e-5)


def test_a_network_may_be_one_of_many():
    """Rows say whose learning rate it is; all vectors at once and one by one give the same."""
    task = small()
    own = BOTH["adam"](task, [0.01, 0.02, 0.05])
    states = optimizers.run(own, task.initial(3), 4).final
    rows = lyapunov.Rows(torch.tensor([2]), 3)
    frame = optimizers.frame(own, 2).expand(1, -1, -1)
    following, images = own.advance(states[2:], frame, rows)
    torch.testing.assert_close(following, own.step(states)[2:], atol=1e-14, rtol=0)
    product = own.product(states[2:], frame[..., 0], rows)[1]
    torch.testing.assert_close(images[..., 0], product, atol=1e-14, rtol=0)
    torch.testing.assert_close(own.step(states[2:], rows=rows), following, atol=1e-14, rtol=0)
    with pytest.raises(ValueError, match="3 learning rates for 2"):
        own.step(states[:2])


@pytest.mark.parametrize(("share", "mu"), [(0.5, 0.5), (0.999, 0.9), (1.001, 0.9), (1.2, 0.5)])
def test_momentum_on_a_quadratic(share, mu):
    """Exponents are ln|z|, z² − (1 + μ − ηh) z + μ = 0, positive beyond h = (2 + 2μ)/η."""
    task, hessian, minimum = quadratic()
    curved = torch.linalg.eigvalsh(hessian).numpy()
    rate = share * (2 + 2 * mu) / curved[-1]
    own = optimizers.Momentum(task, rate, mu)
    expected = roots(1 + mu - rate * curved, mu)
    found = optimizers.spectrum(own, minimum, 800, interval=4, at=(200, 800))
    np.testing.assert_allclose(np.sort(found.exponents(200)[0])[::-1], expected, atol=5e-3)
    np.testing.assert_allclose(found.exponents(200).sum(), own.count * math.log(mu), atol=1e-9)
    assert optimizers.sharpness(own, own.states(minimum))[0] / own.threshold == pytest.approx(
        share, rel=1e-9
    )
    assert (expected[0] > 0) == (share > 1)


@pytest.mark.parametrize("share", [0.5, 0.999, 1.001])
def test_adam_with_a_preconditioner_that_stands_still(share):
    """As momentum, H ↦ P⁻¹H, by the roots of z² − (1 + β₁ − η(1 − β₁)h) z + β₁."""
    task, hessian, minimum = quadratic()
    mean_square = torch.tensor([[0.5, 1.0, 2.0, 4.0]], dtype=torch.float64)
    # so late that no mean needs a correction
    beta, late = 0.9, torch.full((1, 1), 1e17, dtype=torch.float64)
    state = torch.cat([minimum, torch.zeros_like(minimum), mean_square, late], 1)
    curved = np.sort(np.linalg.eigvals((hessian / (mean_square.T + 1e-8)).numpy()).real)
    rate = share * (2 + 2 * beta) / (1 - beta) / curved[-1]
    own = optimizers.Adam(task, rate, (beta, 1 - 1e-14))
    assert optimizers.sharpness(own, state)[0] == pytest.approx(curved[-1], rel=1e-9)
    assert optimizers.sharpness(own, state)[0] / own.threshold == pytest.approx(share, rel=1e-9)
    expected = roots(1 + beta - rate * (1 - beta) * curved, beta)
    frame = optimizers.frame(own, 2 * own.count)
    frame[2 * own.count :] = 0
    found = optimizers.spectrum(own, state, 800, frame, interval=4, at=(200, 800))
    np.testing.assert_allclose(np.sort(found.exponents(200)[0])[::-1], expected, atol=5e-3)
    # The run itself: a small distance from the minimum grows, or does not.  (Once it is large v
    # grows too, and Adam recovers.)
    pushed = state.clone()
    pushed[:, :4] += 1e-9
    moved = optimizers.run(own, pushed, 300, observe=("weights",))["weights"][:, 0]
    moved = moved - minimum.numpy()
    assert (abs(moved).max() > 1e-6) == (share > 1)


def test_adams_mean_square_decays():
    """At the minimum s ↦ √β₂ s: P exponents ½ ln β₂ beside those of (W, m)."""
    task, hessian, minimum = quadratic()
    zero = torch.zeros_like(minimum)
    state = torch.cat([minimum, zero, zero + 1e-30, zero[:, :1] + 1e9], 1)
    own = optimizers.Adam(task, 0.1, (0.9, 0.99), epsilon=1.0)
    curved = torch.linalg.eigvalsh(hessian).numpy()
    decay = np.full(4, 0.5 * math.log(0.99))
    expected = np.concatenate([roots(1 + 0.9 - 0.1 * 0.1 * curved, 0.9), decay])
    found = optimizers.spectrum(own, state, 800, interval=4, at=(200, 800))
    np.testing.assert_allclose(np.sort(found.exponents(200)[0]), np.sort(expected), atol=5e-3)


def test_thresholds():
    task = small()
    assert optimizers.Momentum(task, 0.1, 0.9).threshold == pytest.approx(38.0)
    assert optimizers.Adam(task, 0.1).threshold == pytest.approx(380.0)
    np.testing.assert_allclose(optimizers.Momentum(task, [0.1, 0.2], 0.0).threshold, [20, 10])


@each
def test_copies_part_as_tangent_vectors_grow(name):
    """d(t) of copies in W is the growth of the tangent vectors along them while ε is small."""
    task = small()
    own = BOTH[name](task, {"momentum": 0.3, "adam": 0.05}[name])
    balls = networks.perturbed(task.initial(3), 1e-9, 2)
    record = optimizers.run(own, balls, 60, observe=("distance", "mean_distance"))
    np.testing.assert_allclose(record["distance"].mean(2), record["mean_distance"])
    states = own.states(balls[:, 0])
    frames = own.states(networks.displacements(balls)).transpose(1, 2)
    for _ in range(60):
        states, frames = own.advance(states, frames)
    expected = own.weights(frames.transpose(1, 2)).abs().sum(-1)
    np.testing.assert_allclose(record["distance"][-1], expected, rtol=1e-3)
    final = own.weights(record.final)[:, 0]
    torch.testing.assert_close(final, own.weights(states), atol=1e-10, rtol=0)
    assert np.isfinite(growth_fits.best_fit(record["mean_distance"]).slope).all()


@pytest.mark.parametrize(
    "make", [lambda t: gradient_descent.GradientDescent(t, 0.5), BOTH["momentum"], BOTH["adam"]]
)
def test_a_copy_beside_its_tangent_vector(make):
    task = small()
    method = make(task)
    ball = networks.perturbed(task.initial(1), 1e-8, 1)
    run = optimizers.run if isinstance(method, optimizers.Optimizer) else gradient_descent.run
    record = run(method, ball, 40, observe=("mean_distance",), every=4)
    parted, grown = optimizers.beside_tangent(method, ball, record)
    assert parted.shape == grown.shape == (11,) and parted[0] == grown[0] == 0
    np.testing.assert_allclose(parted, grown, atol=1e-4)
    assert abs(parted).max() > 0.05
    with pytest.raises(ValueError, match="one reference and one copy"):
        optimizers.beside_tangent(method, ball[0], record)


@each
def test_a_run_goes_on_from_its_states(name):
    task = small()
    own, start = BOTH[name](task), task.initial(2)
    whole = optimizers.run(own, start, 20, observe=("norm",))
    first = optimizers.run(own, start, 12, observe=("norm",), every=4)
    assert first.epochs.tolist() == [0, 4, 8, 12]
    rest = optimizers.run(own, first.final, 8, observe=("norm",), at=(8,))
    torch.testing.assert_close(rest.final, whole.final, atol=0, rtol=0)
    np.testing.assert_array_equal(rest["norm"][0], whole["norm"][-1])


def test_an_overflow_is_noted():
    task = quadratic()[0]
    own = optimizers.Momentum(task, [0.01, 1e5], 0.9)
    balls = networks.perturbed(task.initial(2), 1e-8, 1)
    record = optimizers.run(own, balls, 80, observe=("loss", "mean_distance"))
    assert record.alive.tolist() == [True, False]
    assert 0 < record.diverged_at[1, 0] < 80
    assert np.isfinite(record["loss"][:, 0]).all() and np.isnan(record["loss"][-1, 1]).all()
    assert np.isnan(record["mean_distance"][-1, 1])
    along = optimizers.sharpness_along(own, task.initial(2), (0, 79))
    assert np.isfinite(along[:, 0]).all() and np.isnan(along[1, 1])


def test_sharpness_along_training_has_three_edges():
    """On a quadratic loss sharpness stands still, and units are those of each method."""
    task, hessian, _ = quadratic()
    largest = float(torch.linalg.eigvalsh(hessian)[-1])
    start = task.initial(2)
    plain = gradient_descent.GradientDescent(task, [0.01, 0.02], 0.5)
    known = [[(largest + 0.5) * 0.005, (largest + 0.5) * 0.01]] * 2
    np.testing.assert_allclose(optimizers.sharpness_along(plain, start, (0, 3)), known)
    moving = optimizers.Momentum(task, 0.01, 0.9, weight_decay=0.5)
    known = np.full((2, 2), (largest + 0.5) * 0.01 / 3.8)
    np.testing.assert_allclose(optimizers.sharpness_along(moving, start, (0, 3)), known)
    adam = optimizers.Adam(task, 0.01)
    state = optimizers.run(adam, start, 3).final
    root = adam.preconditioner(state).rsqrt()
    scaled = root[:, :, None] * hessian * root[:, None]
    expected = torch.linalg.eigvalsh(scaled)[:, -1] / adam.threshold
    np.testing.assert_allclose(optimizers.sharpness_along(adam, start, (1, 3))[1], expected)
    with pytest.raises(ValueError, match="before the first step"):
        optimizers.sharpness_along(adam, start, (0, 3))
    with pytest.raises(ValueError, match="in order"):
        optimizers.sharpness_along(adam, start, (3, 1))


def test_advances_go_by_their_method():
    task = small()
    plain, own = gradient_descent.GradientDescent(task, 0.1), BOTH["adam"](task)
    for method, size in ((plain, 39), (own, own.size)):
        found = optimizers.spectrum(method, task.initial(1), 3, count=2)
        assert found.frame.shape == (1, size, 2) and found.exponents().shape == (1, 2)
    assert optimizers.advance_of(own) == own.advance
    assert optimizers.threshold_of(own) == own.threshold
    assert optimizers.threshold_of(plain) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("start", "options", "message"),
    [
        (torch.zeros(2, 7), {}, "39 numbers last"),
        (None, {"at": ()}, "names no epoch"),
        (None, {"at": (4,)}, "epoch in at = 4"),
        (None, {"observe": ("mean_distance",)}, "perturbed copies"),
        (None, {"observe": ("path_length",)}, "not kept here"),
    ],
)
def test_bad_runs_are_refused(start, options, message):
    task = small()
    start = task.initial(2) if start is None else start
    with pytest.raises(ValueError, match=message):
        optimizers.run(optimizers.Adam(task, 0.1), start, 3, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: optimizers.Momentum(t, 0.1, 1.0), "momentum = 1.0"),
        (lambda t: optimizers.Momentum(t, -0.1), "η must be positive"),
        (lambda t: optimizers.Adam(t, 0.1, (0.9, 1.0)), "beta2 = 1.0"),
        (lambda t: optimizers.Adam(t, 0.1, epsilon=0), "epsilon = 0"),
    ],
)
def test_bad_optimizers_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(small())


def test_a_frame_has_no_part_in_the_clock():
    adam = BOTH["adam"](small())
    frame = optimizers.frame(adam)
    assert frame.shape == (3 * 39 + 1, 3 * 39) and not frame[-1].any()
    _, images = adam.advance(adam.states(adam.task.initial(1)), frame[None])
    assert not images[:, -1].any()
