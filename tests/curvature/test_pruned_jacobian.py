"""The derivative of pruned descent against finite differences, and theorem 2.2 of Herrmann 2022."""

import math

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import batch_hessian, jacobian
from netdyn_lib.curvature.jacobian import PrunedDescent, StochasticDescent, pruned_derivative
from netdyn_lib.curvature.pruned_descent import Rule, named, pruned, step
from netdyn_lib.lyapunov.qr import random_orthogonal
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import minibatches

RATE = 0.3
LOSS = losses.CrossEntropy()


def small(activation="tanh", sizes=(5, 4, 3)):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((23, 5)), rng.integers(0, 3, 23)
    return tasks.custom("small", networks.MLP(sizes, activation), LOSS, x, y)


def batch_of(activation="tanh", sizes=(5, 4, 3)):
    task = minibatches.batch_task(small(activation, sizes), torch.arange(3))
    return task, 0.5 * task.initial(1)[0]


@pytest.mark.parametrize("sizes", [(5, 4, 3), (5, 3, 3, 3)], ids=str)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_changes_of_the_hessian(activation, sizes):
    """∂H along a direction, S ∂M Sᵀ, to 1e-7 of differences of the Hessian of the whole network."""
    task, params = batch_of(activation, sizes)
    local = batch_hessian.around(task, params)
    directions = random_orthogonal(len(params), 3).T
    for v, change in zip(directions, local.changes(directions)):
        dense = [torch.func.hessian(task.objective)(params + sign * 1e-5 * v) for sign in (1, -1)]
        span = local.embed(torch.eye(len(change), dtype=torch.float64)).T  # S: (P, m)
        torch.testing.assert_close(
            span @ change @ span.T, (dense[0] - dense[1]) / 2e-5, atol=1e-7, rtol=0
        )


@pytest.mark.parametrize(
    "rule",
    ["none", "chaotic", "negative", "positive", Rule("all", 2), Rule("negative", 1)],
    ids=str,
)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_the_derivative_is_that_of_the_step(activation, rule):
    """To 1e-6 of central differences; what is pruned stays what it is within them."""
    task, params = batch_of(activation)
    local, gradient = batch_hessian.around(task, params), gradients.of(task)(params[None])[0]
    directions = random_orthogonal(39, 12).T
    found = directions - RATE * pruned_derivative(local, gradient, directions, RATE, rule)
    for v, image in zip(directions, found):
        ends = [step(task, params + sign * 2e-6 * v, RATE, rule) for sign in (1, -1)]
        torch.testing.assert_close(image, (ends[0] - ends[1]) / 4e-6, atol=1e-6, rtol=0)
    every = random_orthogonal(39, 39).T  # more than eigenvectors: by way of their span
    whole = pruned_derivative(local, gradient, every, RATE, rule)
    each = [pruned_derivative(local, gradient, v[None], RATE, rule) for v in every]
    torch.testing.assert_close(whole, torch.cat(each), atol=1e-10, rtol=0)
    if rule not in ("none", "positive"):  # and it is none of the two simpler maps
        spectrum = local.hessian().solved()
        kept = torch.eye(39, dtype=torch.float64) - spectrum.expand(
            spectrum.project(torch.eye(39, dtype=torch.float64))
            * torch.from_numpy(named(rule).mask(spectrum.values, RATE, None))
        )
        fixed = directions - RATE * spectrum.product(directions @ kept)
        assert (
            float((found - fixed).norm()) > 1e-3
            and float((found - directions + RATE * directions @ kept).norm()) > 0.1
        )


def test_theorem_2_2_holds_with_the_hessian_put_in_for_a_quadratic_loss():
    """Where ∂P = 0 the derivative is I − γPH, singular values 1 on what is pruned: no perturbation
    grows.
    """
    rng = np.random.default_rng(0)
    values = np.array([-3.0, -0.5, 0.0, 1.0, 5.0, 8.0])
    q = torch.from_numpy(np.linalg.qr(rng.standard_normal((6, 6)))[0])
    hessian = q @ torch.diag(torch.from_numpy(values)) @ q.T
    local = batch_hessian.Local(
        lambda w: hessian + 0 * w.sum(),
        torch.from_numpy(rng.standard_normal(6)),
        hessian.new_ones(1, 1),
        0,
        6,
    )
    eye = torch.eye(6, dtype=torch.float64)
    matrix = eye - RATE * pruned_derivative(local, hessian @ local.params, eye, RATE, "chaotic")
    known = np.where((values < 0) | (values > 2 / RATE), 1.0, 1 - RATE * values)
    np.testing.assert_allclose((q.T @ matrix @ q).numpy(), np.diag(known), atol=1e-13)
    printed = eye - RATE * q[:, 2:5] @ q[:, 2:5].T
    assert float((matrix - printed).abs().max()) > 0.1


def radial(w):
    """L = e^−r: its gradient −e^−r w/r; H has e^−r along w, and −e^−r/r across."""
    return torch.exp(-w.norm())


def test_theorem_2_2_does_not_rule_out_exponential_divergence():
    """Two batches in turn: L = e^−r, pruned of its negative direction, and a plane that carries W
    back.

    The orbit has period 2.  The gradient has no part across, so pruning changes nothing; J across
    is 1 + γ e^−r/r > 1 at every turn, where I − γPH has 1, and the printed I − γP as well.
    """
    rate, home = 0.5, torch.tensor([1.5, 0.0], dtype=torch.float64)
    back = -torch.func.grad(radial)(home)  # of a loss without curvature

    def turn(w):
        spectrum = batch_hessian.of_matrix(torch.func.hessian(radial)(w))
        assert spectrum.classes(rate).counts()["negative"] == 1
        w = w - rate * pruned(torch.func.grad(radial)(w), spectrum, rate, "chaotic")
        return w - rate * back

    torch.testing.assert_close(turn(home), home, atol=1e-14, rtol=0)
    local = batch_hessian.Local(torch.func.hessian(radial), home, home.new_ones(1, 1), 0, 2)
    eye = torch.eye(2, dtype=torch.float64)
    matrix = eye - rate * pruned_derivative(
        local, torch.func.grad(radial)(home), eye, rate, "chaotic"
    )
    across = 1 + rate * math.exp(-1.5) / 1.5
    torch.testing.assert_close(
        matrix,
        torch.diag(torch.tensor([1 - rate * math.exp(-1.5), across], dtype=torch.float64)),
        atol=1e-12,
        rtol=0,
    )
    w = home + torch.tensor([0.0, 1e-9], dtype=torch.float64)
    for _ in range(100):
        w = turn(w)
    assert float((w - home).norm()) / 1e-9 == pytest.approx(across**100, rel=1e-3)
    assert across**100 > 1000


def test_pruned_descent_of_a_network_expands_where_a_fixed_projector_does_not():
    task = small()
    params = 0.5 * task.initial(1)
    true, fixed = (PrunedDescent(task, RATE, 3, "chaotic", fixed=fixed) for fixed in (False, True))
    states, frame = true.states(params), torch.eye(40, dtype=torch.float64)[None, :, :39]
    sizes = []
    for advance in (true, fixed):
        following, images = advance(states, frame)
        part = minibatches.batch_task(task, torch.tensor(minibatches.at(23, 3, 0)))
        torch.testing.assert_close(
            following[0, :-1], step(part, params[0], RATE, "chaotic"), atol=1e-14, rtol=0
        )
        sizes.append(float(torch.linalg.svdvals(images[0]).max()))
    assert sizes[0] > 1.01 and sizes[1] == pytest.approx(1, abs=1e-12)
    found = jacobian.spectrum(true, params, 15, 3)
    assert np.isfinite(found.log_growth).all()
    calm = jacobian.spectrum(fixed, params, 15, 3)
    assert (calm.log_growth[-1] < 1e-9).all() and found.log_growth[-1, 0, 0] > calm.log_growth[
        -1, 0, 0
    ]
    plain = jacobian.spectrum(StochasticDescent(task, RATE, 3), params, 15, 3)
    none = jacobian.spectrum(PrunedDescent(task, RATE, 3, "none"), params, 15, 3)
    np.testing.assert_allclose(none.log_growth, plain.log_growth, atol=1e-10)


def test_the_map_jumps_where_an_eigenvalue_crosses_zero():
    """L = (x³ + y²)/2 + x/10: λ = 3x has g = 1/10 at the crossing, pruned on one side."""

    def loss(w):
        return w[0] ** 3 / 2 + w[1] ** 2 / 2 + w[0] / 10

    ends = []
    for x in (-1e-9, 1e-9):
        w = torch.tensor([x, 0.0], dtype=torch.float64)
        spectrum = batch_hessian.of_matrix(torch.func.hessian(loss)(w))
        ends.append(w - RATE * pruned(torch.func.grad(loss)(w), spectrum, RATE, "negative"))
    assert float((ends[0] - ends[1]).norm()) == pytest.approx(RATE / 10, rel=1e-6)


def test_rules_without_a_derivative_are_refused():
    task, params = batch_of()
    local = batch_hessian.around(task, params)
    for rule in ("random-same", "negative-norm", Rule("all", 2, "random")):
        with pytest.raises(ValueError, match="has no derivative here"):
            pruned_derivative(local, params, params[None], RATE, rule)
