"""Operators against dense matrices, by SciPy's own algorithms, and spectra that are known."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh, svds
from torch.func import functional_call

from netdyn_lib.curvature import hessian, lanczos, operators, spectral_density
from netdyn_lib.lyapunov import benettin
from netdyn_lib.results import datasets
from netdyn_lib.tasks import losses, tasks
from netdyn_lib.training import gradient_descent, minibatches, optimizers
from tests.known_systems import henon_step

RNG = np.random.default_rng(5)
X, Y = torch.tensor(RNG.standard_normal((12, 4))), torch.tensor(RNG.integers(0, 3, 12))


def net(*between):
    torch.manual_seed(0)
    parts = (torch.nn.Linear(4, 5), *between, torch.nn.Tanh(), torch.nn.Linear(5, 3))
    return torch.nn.Sequential(*parts).double()


def cross_entropy(model, batch):
    return torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"])


def dense(model, names=None):
    """The Hessian of the loss by PyTorch, of all parameters or of some."""
    held = {k: p.detach() for k, p in model.named_parameters() if names is None or k in names}

    def objective(*parts):
        output = functional_call(model, dict(zip(held, parts)), (X,))
        return torch.nn.functional.cross_entropy(output, Y)

    blocks = torch.autograd.functional.hessian(objective, tuple(held.values()))
    sizes = [p.numel() for p in held.values()]
    rows = [[b.reshape(n, m) for b, m in zip(row, sizes)] for row, n in zip(blocks, sizes)]
    return torch.cat([torch.cat(row, 1) for row in rows]).numpy()


def test_a_loss_of_any_model_is_an_operator_of_scipy_and_of_tensors():
    model = net()
    found = operators.of_loss(model, cross_entropy, {"x": X, "y": Y})
    exact = dense(model)
    np.testing.assert_allclose(found @ np.eye(43), exact, atol=1e-14)
    np.testing.assert_allclose(eigsh(found, 3, which="LA")[0], np.linalg.eigvalsh(exact)[-3:])
    best = lanczos.lanczos(found, found.size).value
    assert best == pytest.approx(np.linalg.eigvalsh(exact)[-1], rel=1e-9)
    v = torch.ones(43, dtype=torch.float32)
    assert found(v).dtype == torch.float32 and found.dtype == np.float64
    np.testing.assert_allclose(found(v), exact.sum(1), atol=1e-6)
    # It stays the Hessian of the weights at which it was made.
    with torch.no_grad():
        model[0].weight.zero_()
    np.testing.assert_allclose(found @ np.eye(43), exact, atol=1e-14)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ("2.*", ["2.weight", "2.bias"]),
        (["0.weight", "2.bias"], ["0.weight", "2.bias"]),
        (lambda name: name.endswith("bias"), ["0.bias", "2.bias"]),
    ],
)
def test_the_curvature_of_a_layer_is_a_block_of_the_hessian(parameters, names):
    model = net()
    exact = dense(model, names)
    found = operators.of_loss(model, cross_entropy, {"x": X, "y": Y}, parameters)
    np.testing.assert_allclose(found @ np.eye(len(exact)), exact, atol=1e-14)
    task = tasks.custom("t", model, losses.CrossEntropy(), X, Y)
    same = operators.of_task(task, task.network.own, parameters)
    with torch.no_grad():  # the other layers move on
        for parameter in model.parameters():
            parameter.zero_()
    np.testing.assert_allclose(found @ np.eye(len(exact)), exact, atol=1e-14)
    np.testing.assert_allclose(same @ np.eye(len(exact)), exact, atol=1e-14)


def test_a_perceptrons_layers_have_names(iris):
    params = iris.initial(1)[0]
    whole = operators.of_task(iris, params) @ np.eye(83)
    np.testing.assert_allclose(whole, hessian.hessians(iris.objective, params[None])[0], atol=1e-12)
    layer = iris.network.slices[1]
    block = operators.of_task(iris, params, ["W2", "b2"]) @ np.eye(33)
    np.testing.assert_allclose(block, whole[layer, layer], atol=1e-14)
    with pytest.raises(ValueError, match=r"parameters = 'W3' choose none of W1, b1, W2, b2"):
        operators.of_task(iris, params, "W3")


def test_a_product_leaves_a_model_with_dropout_and_batch_norm_as_it_was():
    model = net(torch.nn.BatchNorm1d(5), torch.nn.Dropout(0.5)).train()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    found = operators.of_loss(model, cross_entropy, {"x": X, "y": Y})
    whole = found @ np.eye(found.size)
    np.testing.assert_allclose(whole, whole.T, atol=1e-13)
    again = operators.of_loss(model, cross_entropy, {"x": X, "y": Y}) @ np.eye(found.size)
    np.testing.assert_array_equal(whole, again)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_central_differences_stand_in_for_a_wrong_double_backward():
    linear = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3).double())
    args = linear, cross_entropy, {"x": X, "y": Y}
    with pytest.warns(UserWarning, match="central differences in double precision"):
        found = operators.of_loss(*args)
    task = tasks.custom("t", linear, losses.CrossEntropy(), X, Y)
    exact = operators.of_task(task, task.network.own)
    state = torch.get_rng_state()
    np.testing.assert_allclose(found @ np.eye(found.size), exact @ np.eye(found.size), atol=1e-7)
    assert torch.equal(torch.get_rng_state(), state)


def test_tangent_maps_have_their_singular_values(iris):
    state = torch.tensor([0.3, 0.2], dtype=torch.float64)
    found = operators.tangent_map(henon_step, state)
    np.testing.assert_allclose(found @ np.eye(2), [[-0.84, 1], [0.3, 0]], atol=1e-15)
    np.testing.assert_allclose(found.T @ np.eye(2), [[-0.84, 0.3], [1, 0]], atol=1e-15)
    np.testing.assert_allclose(svds(found, 1)[1], np.linalg.norm([[-0.84, 1], [0.3, 0]], 2))
    params, decay = iris.initial(1)[0], 0.1
    descent = operators.tangent_map(gradient_descent.GradientDescent(iris, 0.5, decay), params)
    expected = np.eye(83) - 0.5 * (operators.of_task(iris, params, weight_decay=decay) @ np.eye(83))
    np.testing.assert_allclose(descent @ np.eye(83), expected, atol=1e-13)
    momentum = optimizers.Momentum(iris, 0.5, 0.9)
    beyond = operators.tangent_map(momentum, momentum.states(params[None])[0])
    assert np.linalg.slogdet(beyond @ np.eye(166))[1] == pytest.approx(83 * np.log(0.9))
    with pytest.raises(NotImplementedError, match="no products with its transpose"):
        beyond.T @ np.eye(166)


VALUES = np.r_[np.linspace(-1, 1, 200), 30.0, 50.0, 80.0]
#: The same matrix as a function of tensors and as an operator of SciPy's.
ROTATION = np.linalg.qr(RNG.standard_normal((203, 203)))[0]
MATRIX = (ROTATION * VALUES) @ ROTATION.T
FORMS = [
    (lambda v: torch.from_numpy(MATRIX) @ v, 203),
    (LinearOperator((203, 203), lambda x: MATRIX @ x), None),
]


@pytest.mark.parametrize("form", FORMS, ids=["function", "LinearOperator"])
def test_the_trace_by_hutch_plus_plus(form):
    found = [spectral_density.trace(*form, seed=seed) for seed in range(40)]
    errors = np.array([one.value for one in found]) - VALUES.sum()
    # As Hutchinson's mean over 20 signs, of what is left without the three outliers.
    assert np.sqrt((errors**2).mean()) == pytest.approx(np.sqrt(2 / 20 * 200 / 3), rel=0.3)
    assert np.mean([one.error for one in found]) == pytest.approx(errors.std(), rel=0.3)
    assert np.mean([VALUES.sum() in one.interval for one in found]) > 0.85
    exact = spectral_density.trace(*form, products=3 * 203)  # the subspace is everything
    assert exact.value == pytest.approx(VALUES.sum(), abs=1e-10) and exact.error < 1e-10


def test_the_density_by_lanczos_quadrature():
    found = spectral_density.spectral_measure(*FORMS[1], probes=100, products=30)
    assert found.mean(np.ones_like).estimate == pytest.approx(1, abs=1e-12)
    for function in (lambda x: x, np.square, lambda x: x > 0, lambda x: x > 40):
        mean, low, high = found.mean(function)
        assert abs(mean - function(VALUES).mean()) < 0.75 * (high - low)  # 3 standard errors
    low, high = tuple(found.mean(lambda x: x))[1:]
    off = MATRIX - np.diag(MATRIX.diagonal())
    error = np.sqrt(2 * (off**2).sum() / 100) / 203  # of gᵀAg/P, g of random signs
    # χ² with one degree of freedom, for one eigenvalue: of kurtosis 15, so within 3 · 0.19
    assert (high - low) / 2 == pytest.approx(1.98 * error, rel=0.57)
    grid = np.linspace(-2, 2, 401)
    density = found.density(grid, 0.1)
    exact = np.exp(-((grid[:, None] - VALUES) ** 2) / 0.02).mean(1) / np.sqrt(0.02 * np.pi)
    within = (density.low <= exact) & (exact <= density.high)
    assert within.mean() > 0.8 and np.abs(density.estimate - exact).max() < 0.05
    mass = np.trapezoid(density.estimate, grid)
    assert mass == pytest.approx(200 / 203, abs=0.01)


def test_sharpness_and_trace_have_intervals_over_batches(iris):
    params = iris.initial(1)[0]
    parts = [minibatches.batch_task(iris, minibatches.at(len(iris.x), 15, k)) for k in range(6)]
    dense = [hessian.hessians(part.objective, params[None])[0] for part in parts]
    values, interval = spectral_density.over_batches(operators.of_task(p, params) for p in parts)
    np.testing.assert_allclose(values, [np.linalg.eigvalsh(h)[-1] for h in dense], rtol=1e-6)
    assert interval.count == 6 and interval.low < np.mean(values) < interval.high
    traces, _ = spectral_density.over_batches(
        (operators.of_task(part, params) for part in parts),
        lambda operator: spectral_density.trace(operator, products=3 * 83).value,
    )
    np.testing.assert_allclose(traces, [float(h.trace()) for h in dense], rtol=1e-9)


def test_bad_input_is_refused(iris):
    with pytest.raises(ValueError, match="size = None: a plain function needs the length P"):
        spectral_density.trace(lambda v: v)
    with pytest.raises(ValueError, match=r"an operator of shape \(2, 3\): expected P × P"):
        spectral_density.trace(LinearOperator((2, 3), lambda x: x[:2]))
    with pytest.raises(ValueError, match=r"loss_fn gave shape \(12,\): expected a scalar"):
        operators.of_loss(net(), lambda model, x: model(x).sum(1), X)


def test_what_the_reference_says_to_do_is_done():
    """Every call in its table of how to do things names what there is."""
    page = (Path(__file__).resolve().parents[2] / "book" / "reference.md").read_text("utf-8")
    named = re.findall(r"\b(operators|spectral_density|benettin|datasets)\.(\w+)\(", page)
    homes = dict(operators=operators, spectral_density=spectral_density)
    homes |= dict(benettin=benettin, datasets=datasets)
    assert len(named) > 8 and all(hasattr(homes[module], name) for module, name in named)
