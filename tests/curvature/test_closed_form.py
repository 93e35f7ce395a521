"""Closed-form Hessians against hands and against torch.func."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import hessian, vmap

from netdyn_lib.curvature import closed_form
from netdyn_lib.tasks import gradients, losses, networks, tasks

ACTIVATIONS = ("tanh", "sigmoid", "relu")
SIZES = [(2, 2, 1), (1, 1, 1), (3, 1, 3), (1, 4, 2), (4, 5, 3), (2, 7, 1)]
LOSSES = [losses.HalfSquaredError(), losses.CrossEntropy()]


def task_of(sizes, activation="tanh", loss=LOSSES[0], samples=23, decay=0.0):
    rng = np.random.default_rng(sum(sizes))
    x = rng.standard_normal((samples, sizes[0]))
    labels = loss.name == "cross-entropy"
    y = rng.integers(0, sizes[-1], samples) if labels else rng.standard_normal((samples, sizes[-1]))
    network = networks.MLP(sizes, activation)
    return tasks.custom("t", network, loss, x, torch.tensor(y), weight_decay=decay)


def assert_close(got, expected, tolerance=1e-12):
    """Equal to ``tolerance`` of each network's largest number."""
    scale = expected.flatten(1).abs().amax(1)
    assert bool((scale > 0).all()), "nothing to compare"
    assert bool(((got - expected).flatten(1).abs().amax(1) <= tolerance * scale).all())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_gradient_and_hessian_are_those_of_torch(sizes, loss, activation):
    if loss.name == "cross-entropy" and sizes[-1] == 1:
        sizes = (*sizes[:2], 2)  # the softmax of one output is constant
    task = task_of(sizes, activation, loss)
    params = task.initial(6)
    gradient, curved = closed_form.OneHiddenLayerHessian(task)(params)
    assert_close(curved, vmap(hessian(task.objective))(params))
    assert torch.equal(curved, curved.transpose(1, 2))
    assert_close(gradient, gradients.of(task)(params))
    assert not curved.requires_grad


def test_a_network_by_hand():
    """f = v tanh(w x + b) + c of one sample: with a = tanh, s = 1 − a², r = f − y."""
    w, b, v, c, x, y = 0.5, -0.7, 3.0, 1.0, 2.0, 2.5
    a = math.tanh(w * x + b)
    s, r = 1 - a * a, v * a + c - y
    unit = (s * v) ** 2 - 2 * a * s * v * r
    mixed = s * v * a + s * r
    expected = [
        [x * x * unit, x * unit, x * mixed, x * s * v],
        [x * unit, unit, mixed, s * v],
        [x * mixed, mixed, a * a, a],
        [x * s * v, s * v, a, 1.0],
    ]
    network, target = networks.MLP((1, 1, 1), "tanh"), torch.tensor([[y]]).double()
    task = tasks.custom("one", network, LOSSES[0], [[x]], target)
    params = torch.tensor([[w, b, v, c]], dtype=torch.float64)
    gradient, curved = closed_form.OneHiddenLayerHessian(task)(params)
    np.testing.assert_allclose(curved[0], expected, rtol=1e-14)
    np.testing.assert_allclose(gradient[0], [x * s * v * r, s * v * r, a * r, r], rtol=1e-14)


def test_an_unused_relu_has_no_curvature():
    """A unit that is off for every sample leaves the Hessian of the output bias, N."""
    task = task_of((1, 1, 1), "relu")
    off = torch.tensor([[0.0, -1.0, 2.0, 0.3]], dtype=torch.float64)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[3, 3] = len(task.x)
    assert torch.equal(closed_form.OneHiddenLayerHessian(task)(off)[1][0], expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_chunks_of_networks_and_blocks_of_samples_change_nothing(monkeypatch, loss, activation):
    task = task_of((3, 4, 3), activation, loss)
    params = task.initial(21)
    whole = closed_form.OneHiddenLayerHessian(task)
    expected = whole(params)
    alone = [torch.cat(parts) for parts in zip(*[whole(p[None]) for p in params])]
    monkeypatch.setattr(closed_form, "_VALUES", 45_000)
    small = closed_form.OneHiddenLayerHessian(task)
    assert small._chunk in (8, 16)
    # The last bit of a sigmoid or a softmax depends on its place in a thread's share of memory.
    exponential = activation == "sigmoid" or loss.name == "cross-entropy"
    same = (lambda a, b: assert_close(a, b, 1e-14) is None) if exponential else torch.equal
    assert all(map(same, alone, expected)) and all(map(same, small(params), expected))
    monkeypatch.setattr(closed_form, "_BLOCK", 1500)
    blocks = closed_form.OneHiddenLayerHessian(task)
    assert 1 < blocks._block < len(task.x) / 2 and len(task.x) % blocks._block
    for got, known in zip(blocks(params), expected):
        assert_close(got, known, 1e-13)
    monkeypatch.setattr(closed_form, "_BLOCK", 0)
    for got, known in zip(closed_form.OneHiddenLayerHessian(task)(params), expected):
        assert_close(got, known, 1e-13)


def test_memory_does_not_grow_with_networks_or_samples():
    for samples in (100, 20_000):
        few = closed_form.OneHiddenLayerHessian(task_of((2, 2, 1), samples=samples))
        rows = sum(few._parts) * few._block * few._chunk
        # bounded, and not so small as to be slow
        assert 8 * rows < 20e6 and few._chunk * few._block >= 20_000
    wide = closed_form.OneHiddenLayerHessian(task_of((390, 1, 1), samples=500))
    assert wide._whole is None and 8 * wide._block * wide._pairs.shape[1] < 20e6


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_what_overflows_is_not_finite_and_alone(loss, activation):
    task = task_of((2, 3, 2), activation, loss)
    params = task.initial(5)
    function = closed_form.OneHiddenLayerHessian(task)
    clean = function(params)
    for value in (math.nan, math.inf, 1e308):
        spoilt = params.clone()
        spoilt[2] = value
        gradient, curved = function(spoilt)
        assert not bool(curved[2].isfinite().all())
        if value != 1e308:  # the cross-entropy of far outputs is flat, and its gradient finite
            assert not bool(gradient[2].isfinite().all())
        good = [0, 1, 3, 4]
        assert_close(curved[good], clean[1][good], 1e-14)
        assert_close(gradient[good], clean[0][good], 1e-14)


def test_kinks_are_counted():
    x = [[-1.0], [0.0], [0.5], [2.0]]
    network = networks.MLP((1, 2, 1), "relu")
    task = tasks.custom("k", network, LOSSES[0], x, torch.zeros(4, 1).double())
    rows = [[1.0, 0.0, 1.0, -0.5, 1, 1, 0], [1.0, -0.001, 0.0, 0.0, 1, 1, 0], [math.nan] * 7]
    params = torch.tensor(rows, dtype=torch.float64)
    assert closed_form.kinks(task, params).tolist() == [2, 4, 0]
    assert closed_form.kinks(task, params, 0.01).tolist() == [2, 5, 0]
    assert closed_form.kinks(task, params, 0.5).tolist() == [2 + 2, 5 + 1, 0]
    smooth = task_of((1, 2, 1), "tanh")
    assert closed_form.kinks(smooth, torch.zeros(2, 7).double()).tolist() == [0, 0]


def test_at_a_kink_the_unit_counts_as_off():
    """Sample 0 lies at the kink: the Hessian there is the limit from where the unit is off."""
    network, y = networks.MLP((1, 1, 1), "relu"), torch.ones(3, 1).double()
    task = tasks.custom("k", network, LOSSES[0], [[0.0], [1.0], [3.0]], y)
    function = closed_form.OneHiddenLayerHessian(task)

    def at(bias):
        return function(torch.tensor([[0.7, bias, 2.0, 0.1]], dtype=torch.float64))[1]

    torch.testing.assert_close(at(0.0), at(-1e-9), rtol=1e-7, atol=1e-7)
    assert float((at(0.0) - at(1e-9)).abs().max()) > 1


@pytest.mark.parametrize(
    "network",
    [
        networks.MLP((3, 4, 3, 2), "tanh"),
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
        networks.MLP((3, 2)),
    ],
)
def test_only_one_hidden_layer_has_a_closed_form(network):
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((9, 3)), rng.integers(0, 2, 9)
    task = tasks.custom("d", network, losses.CrossEntropy(), x, y)
    for call in (closed_form.OneHiddenLayerHessian, lambda t: closed_form.kinks(t, t.initial(1))):
        with pytest.raises(ValueError, match="MLP of one hidden layer"):
            call(task)


def test_bad_input_is_refused():
    task = task_of((2, 2, 1), "relu")
    with pytest.raises(ValueError, match=r"expected \(E, 9\)"):
        closed_form.OneHiddenLayerHessian(task)(torch.zeros(2, 8).double())
    with pytest.raises(ValueError, match="within = nan: a distance must be zero or positive"):
        closed_form.kinks(task, task.initial(1), math.nan)
