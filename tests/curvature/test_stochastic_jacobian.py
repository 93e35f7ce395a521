"""Tangent maps of mini-batches and of momentum, against finite differences and closed forms."""

import numpy as np
import pytest
import torch

from netdyn_lib import lyapunov
from netdyn_lib.curvature import batch_hessian, jacobian, optimizers, pruned_descent
from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.curvature.jacobian import StochasticDescent
from netdyn_lib.lyapunov import benettin, singular_values
from netdyn_lib.lyapunov.qr import random_orthogonal
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import minibatches

RATE, BATCH = 0.2, 4
LOSS = losses.CrossEntropy()


def small(activation="tanh", loss=LOSS, sizes=(5, 4, 3), samples=23):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((samples, sizes[0]))
    y = (
        rng.integers(0, sizes[-1], samples)
        if loss is LOSS
        else rng.standard_normal((samples, sizes[-1]))
    )
    return tasks.custom("small", networks.MLP(sizes, activation), loss, x, torch.tensor(y))


def linear():
    """A quadratic loss, and its Hessian."""
    task = small(loss=losses.HalfSquaredError(), sizes=(3, 1))
    return task, curvature.hessians(task.objective, task.initial(1))[0]


def differences(step, state, frame, size=1e-5):
    """Central differences of a map of (P,) along the columns of ``frame`` (P, k)."""
    return torch.stack(
        [(step(state + size * v) - step(state - size * v)) / (2 * size) for v in frame.T], 1
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("many", [2, 64])
def test_finite_differences(activation, momentum, many, monkeypatch):
    """J of five steps across the end of an epoch, against differences of the run, both ways."""
    monkeypatch.setattr(jacobian, "_MANY", many)
    task = small(activation)
    params = task.initial(2)
    velocity = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 39)))
    advance = StochasticDescent(task, [0.1, 0.2], BATCH, [0, 7], momentum)
    frame = advance.frame(3)
    states, frames = advance.states(params, 4, velocity), frame.expand(2, -1, -1)
    for _ in range(5):
        states, frames = advance(states, frames)
    assert states[:, -1].tolist() == [9, 9] and not frames[:, -1].any()
    for k, (rate, seed) in enumerate([(0.1, 0), (0.2, 7)]):

        def run(state):
            w, u = state[None, :39], state[None, 39:] if momentum else velocity[:1]
            how = pruned_descent.Descent(task, BATCH, momentum=momentum, spectra=False)
            end = pruned_descent.run(how, w, rate, 5, seed=seed, start=4, velocity=u)
            return torch.cat([end.final[0], end.velocity[0]] if momentum else [end.final[0]])

        start = torch.cat([params[k], velocity[k]]) if momentum else params[k]
        torch.testing.assert_close(states[k, :-1], run(start), atol=1e-14, rtol=0)
        known = differences(run, start, frame[:-1])
        torch.testing.assert_close(frames[k, :-1], known, atol=1e-7, rtol=0)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_exponents_of_a_quadratic_loss_under_momentum(momentum):
    """Per eigenvalue λ of H the factors are the roots of z² − (1 + μ − γλ) z + μ; together |det J|
    = μ^P.
    """
    task, hessian = linear()
    roots = [
        np.roots([1, -(1 + momentum - 0.02 * value), momentum])
        for value in torch.linalg.eigvalsh(hessian).tolist()
    ]
    known = np.sort(np.log(np.abs(np.concatenate(roots))))[::-1]
    advance = optimizers.Momentum(task, 0.02, momentum).advance
    states = torch.cat([task.initial(1), torch.zeros(1, 4)], 1)
    found = benettin.spectrum(advance, states, 3000, at=[1000, 3000])
    np.testing.assert_allclose(found.log_growth[-1].sum(), 3000 * 4 * np.log(momentum), rtol=1e-9)
    # complex pairs turn, and R_ii with them
    np.testing.assert_allclose(found.exponents(1000)[0], known, atol=2e-3)


def test_without_momentum_the_velocity_is_forgotten():
    task, hessian = linear()
    advance = optimizers.Momentum(task, 0.02, 0).advance
    images = advance(
        torch.randn(1, 8, dtype=torch.float64), torch.eye(8, dtype=torch.float64)[None]
    )[1][0]
    one = torch.eye(4, dtype=torch.float64)
    known = torch.cat(
        [torch.cat([one - 0.02 * hessian, 0 * one], 1), torch.cat([hessian, 0 * one], 1)]
    )
    torch.testing.assert_close(images, known, atol=1e-12, rtol=0)


def test_full_batch_momentum_keeps_rates_and_weight_decay():
    task = small()
    advance = optimizers.Momentum(task, [0.1, 0.3], 0.8, weight_decay=0.2).advance
    states = torch.randn(2, 78, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    frame = random_orthogonal(78, 4)
    images = advance(states, frame.expand(2, -1, -1))[1]
    for k, rate in enumerate((0.1, 0.3)):

        def step(state):
            w, u = state[:39], state[39:]
            u = 0.8 * u + torch.func.grad(task.objective)(w) + 0.2 * w
            return torch.cat([w - rate * u, u])

        torch.testing.assert_close(
            images[k], differences(step, states[k], frame), atol=1e-8, rtol=0
        )
        alone = advance(states[k : k + 1], frame[None], rows=lyapunov.Rows(torch.tensor([k]), 2))
        torch.testing.assert_close(alone[1][0], images[k], atol=1e-14, rtol=0)


def test_the_papers_sum_is_the_part_in_the_weights():
    """Eq. 8 of Herrmann 2022, Y(t + 1) = Y(t) − γ Σ_s μ^(t − s) H(s) Y(s), counted from s = 0."""
    task, momentum = small(), 0.7
    advance = StochasticDescent(task, RATE, BATCH, 0, momentum)
    states = advance.states(task.initial(1))
    frames = torch.zeros(1, 79, 3, dtype=torch.float64)
    frames[0, :39] = y = torch.linalg.qr(torch.randn(39, 3, dtype=torch.float64))[0]
    past = []
    for t in range(9):
        part = minibatches.batch_task(task, torch.tensor(minibatches.at(23, BATCH, t)))
        past.append(curvature.hessians(part.objective, states[:, :39])[0] @ y)
        y = y - RATE * sum(momentum ** (t - s) * one for s, one in enumerate(past))
        states, frames = advance(states, frames)
        torch.testing.assert_close(frames[0, :39], y, atol=1e-12, rtol=0)


def test_the_whole_spectrum_is_that_of_the_product():
    """Σ ln R_ii of all is Σ ln|det J|, and networks in a stack are those alone."""
    task = small("tanh", sizes=(3, 3, 2))
    params = task.initial(2)
    advance = StochasticDescent(task, RATE, BATCH)
    found = jacobian.spectrum(advance, params, 30, start=3)
    assert found.frame.shape == (2, 20, 20) and found.final.shape == (2, 20)
    product, volume, w = torch.eye(20, dtype=torch.float64), 0.0, params[0]
    for t in range(3, 33):
        part = minibatches.batch_task(task, torch.tensor(minibatches.at(23, BATCH, t)))
        matrix = (
            torch.eye(20, dtype=torch.float64)
            - RATE * curvature.hessians(part.objective, w[None])[0]
        )
        product, volume = matrix @ product, volume + float(torch.linalg.slogdet(matrix)[1])
        w = w - RATE * torch.func.grad(part.objective)(w)
    torch.testing.assert_close(found.final[0], w, atol=1e-13, rtol=0)
    assert found.log_growth[-1, 0].sum() == pytest.approx(volume, abs=1e-9)
    known = singular_values.singular_exponents(
        advance, advance.states(params[:1], 3), 30
    ).log_singular[-1, 0]
    sizes = np.log(torch.linalg.svdvals(product).numpy())
    # the clock has 0
    np.testing.assert_allclose(np.delete(known, np.abs(known).argmin()), sizes, atol=1e-9)
    alone = jacobian.spectrum(advance, params[1:], 30, start=3, interval=5)
    np.testing.assert_allclose(alone.log_growth[-1, 0], found.log_growth[-1, 1], atol=1e-9)
    few = jacobian.spectrum(advance, params, 30, 4, start=3)
    assert few.log_growth.shape[2] == 4


def test_several_tangents_of_a_module():
    """Forward mode once refused rows that share their memory."""
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 2))
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.arange(6) % 2
    task = tasks.custom("module", module, losses.CrossEntropy(), x, y)
    w, frame = task.network.own, random_orthogonal(task.network.count, 3)
    images = jacobian.curved(task, w, frame)[1]
    torch.testing.assert_close(images, curvature.hessians(task.objective, w[None])[0] @ frame)


def test_theorem_2_1_on_a_batch_of_a_network():
    """A step lengthens a perturbation along v_i iff λ_i < 0 or λ_i > 2/γ, by |1 − γλ_i|."""
    task = minibatches.batch_task(small(), torch.arange(4))
    params = task.initial(1)[0]
    found = batch_hessian.spectrum(task, params)
    rate = 2.5 / found.values[-2]  # the two largest are beyond 2/γ
    vectors, known = found.expand(torch.eye(len(found.values)).double()).T, found.classes(rate)
    grown = []
    for v in vectors.T:
        ends = [
            pruned_descent.step(task, params + sign * 1e-5 * v, rate, "none") for sign in (1, -1)
        ]
        grown.append(float((ends[0] - ends[1]).norm()) / 2e-5)
    np.testing.assert_allclose(
        grown, np.exp(curvature.local_exponents(found.values, rate)), atol=1e-6
    )
    assert known.chaotic.sum() > known.negative.sum() + 1 > 3
    clear = ~known.neutral & (np.abs(np.abs(1 - rate * found.values) - 1) > 1e-5)
    np.testing.assert_array_equal(np.array(grown)[clear] > 1, known.chaotic[clear])


def test_a_network_that_overflows_is_marked_and_leaves_others_alone():
    task = small("relu", losses.HalfSquaredError())
    params = task.initial(2)
    found = jacobian.spectrum(StochasticDescent(task, [1e-3, 1e4], BATCH), params, 60, 3)
    assert found.diverged_at[0] == -1 and 0 < found.diverged_at[1] < 60
    assert np.isfinite(found.log_growth[:, 0]).all() and np.isnan(found.log_growth[-1, 1]).all()


def test_bad_input_is_refused():
    task = small()
    decay = tasks.custom("d", task.network, LOSS, task.x, task.y, weight_decay=0.1)
    for arguments, message in (
        ((decay, 0.1, 4), "weight_decay = 0.1"),
        ((task, 0.0, 4), "γ must be positive"),
        ((task, 0.1, 24), "batch = 24"),
        ((task, 0.1, 4, -1), "seed = -1"),
        ((task, 0.1, 4, 0, 1.0), "momentum = 1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            StochasticDescent(*arguments)
    with pytest.raises(ValueError, match="3 rates for 2 networks"):
        jacobian.spectrum(StochasticDescent(task, [0.1, 0.2, 0.3], 4), task.initial(2), 1, 2)
