"""The central flow, on a valley whose flow is known, and against gradient descent of a network."""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature.central_flow import CentralFlow, complementary
from netdyn_lib.curvature.closed_form import OneHiddenLayerHessian
from netdyn_lib.tasks import gradients, losses, networks, tasks

SHARPENING = 0.02


def valley(params):
    """L = ½ y x² − c y: curvature y across, which grows by ηc a step, until x oscillates."""
    x, y = params[:, 0], params[:, 1]
    gradient = torch.stack([x * y, x**2 / 2 - SHARPENING], 1)
    rows = torch.stack([torch.stack([y, x], 1), torch.stack([x, 0 * x], 1)], 1)
    return gradient, rows


def product(params, vectors):
    gradient, hessian = valley(params)
    return gradient, (hessian @ vectors[..., None])[..., 0]


def test_in_a_valley_sharpness_rises_to_the_edge_and_stays_with_the_variance_that_holds_it():
    rate, params = 0.5, torch.tensor([[0.0, 3.9], [0.0, 2.0]], dtype=torch.float64)
    flow = CentralFlow(valley, product, rate)
    for _ in range(40):
        params = flow.step(params)
    # 3.9 reaches 2/η = 4 after 0.1/(ηc) = 10 steps; there ½σ² = c.
    np.testing.assert_allclose(params[0], [0.0, 4.0], atol=1e-6)
    np.testing.assert_allclose(params[1], [0.0, 2.0 + 40 * rate * SHARPENING], atol=1e-9)
    np.testing.assert_allclose(flow.trace, [2 * SHARPENING, 0.0], rtol=1e-4, atol=1e-12)
    np.testing.assert_allclose(flow.ratio, [1.0, 0.6], atol=0.01)  # as last looked at


def test_gradient_descent_in_the_valley_oscillates_with_that_variance():
    # At y = 2/η the step turns x around: x = ±√(2c) is a cycle of two steps.
    rate, w = 0.5, torch.tensor([[0.21, 4.0]], dtype=torch.float64)
    seen = []
    for _ in range(300):
        w = w - rate * valley(w)[0]
        seen.append(w[0, 0].item() ** 2)
    assert np.mean(seen) == pytest.approx(2 * SHARPENING, rel=0.02)


def test_a_start_beyond_the_edge_is_moved_to_it_by_the_shortest_way():
    params = torch.tensor([[0.0, 5.0], [0.0, 1.0]], dtype=torch.float64)
    found = CentralFlow(valley, product, 0.5).project(params)
    np.testing.assert_allclose(found, [[0.0, 4.0], [0.0, 1.0]], atol=5e-3)


def test_a_start_without_an_edge_within_reach_is_nan():
    def bowl(params):
        return 9 * params, 9 * torch.eye(2, dtype=torch.float64).expand(len(params), 2, 2)

    flow = CentralFlow(bowl, lambda w, v: (9 * w, 9 * v), 1.0)
    assert bool(flow.project(torch.ones(1, 2, dtype=torch.float64)).isnan().any())


def test_the_complementarity_problem_is_solved():
    rng = np.random.default_rng(0)
    slopes = rng.standard_normal((4, 3, 3, 30))
    slopes = torch.from_numpy(slopes + slopes.swapaxes(1, 2))
    offset = rng.standard_normal((4, 3, 3))
    offset = torch.from_numpy(offset + offset.swapaxes(1, 2))
    force = torch.einsum("eijp,eklp->eijkl", slopes, slopes)
    x = complementary(offset, force)
    slack = offset + torch.einsum("eijkl,ekl->eij", force, x)
    assert torch.linalg.eigvalsh(x).min() > -1e-12
    assert torch.linalg.eigvalsh(slack).min() > -1e-3 * offset.norm()
    assert (x * slack).sum((1, 2)).abs().max() < 1e-3 * offset.norm() * x.norm()


@pytest.mark.parametrize(
    "loss, rate", [(losses.HalfSquaredError(), 0.004), (losses.CrossEntropy(), 2.0)]
)
def test_it_predicts_the_loss_of_a_network_averaged_over_time(loss, rate):
    iris = tasks.get("iris")
    x, y = (iris.x - iris.x.mean(0)) / iris.x.std(0), iris.y
    if isinstance(loss, losses.HalfSquaredError):
        y = torch.nn.functional.one_hot(y).to(x)
    task = tasks.custom("edge", networks.MLP((4, 10, 3), "tanh"), loss, x, y)
    slope, seen, told, edge = gradients.of(task), [], [], []
    with torch.no_grad():
        flow = CentralFlow(OneHiddenLayerHessian(task), slope.product, rate)
        params = descent = flow.project(0.3 * task.initial(3, seed=2)[2:])
        for _ in range(100):
            seen.append(float(task.objectives(descent)))
            descent = descent - rate * slope(descent)
            average = task.objectives(params)
            params = flow.step(params)
            told.append(float(average + flow.trace / rate))
            edge.append(float(flow.ratio))
    assert max(edge[40:]) > 0.98  # the edge is reached, or nothing is tested
    assert np.mean(told[40:]) == pytest.approx(np.mean(seen[40:]), rel=0.1)
