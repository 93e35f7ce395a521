"""Hidden units matched, and barriers, where the answer is known."""

import numpy as np
import pytest
import torch

from netdyn_lib.tasks import matching, networks, tasks
from netdyn_lib.training import gradient_descent


def trained(task, count=2):
    """A few networks that have learned: untrained ones are worse than what lies between them."""
    descent = gradient_descent.GradientDescent(task, 0.5)
    return gradient_descent.run(descent, task.initial(count), 60, observe=()).final


def symmetric(network, params, order, sign):
    """The same function with units reordered and, where ``sign`` is −1, turned."""
    low, high = network.matrices(params)
    bias = high[:, -1].clone()
    if network.activation.name == "sigmoid":
        bias += (high[:, :-1] * (sign < 0)).sum(1)
    low, out = low * sign[:, None], high[:, :-1] * sign
    return torch.cat([low[order].flatten(), torch.cat([out[:, order], bias[:, None]], 1).flatten()])


@pytest.mark.parametrize("name, activation", [("iris", "sigmoid"), ("digits", "tanh")])
def test_a_symmetric_copy_is_matched_to_its_original(name, activation):
    task = tasks.get(name)
    assert task.network.activation.name == activation
    start = trained(task, 4)
    rng = np.random.default_rng(0)
    units = task.network.sizes[1]
    order = torch.as_tensor(rng.permutation(units))
    sign = torch.as_tensor(rng.choice([-1.0, 1.0], units))
    turned = torch.stack([symmetric(task.network, row, order, sign) for row in start])
    outputs = task.network.outputs(turned, task.x_test) - task.network.outputs(start, task.x_test)
    assert outputs.abs().max() < 1e-10 and (turned - start).abs().max() > 0.5
    found = matching.matched(task.network, start, turned)
    # A sigmoid's output bias takes up what the turned units gave, and gives it back.
    np.testing.assert_allclose(found, start, atol=1e-12)
    assert np.abs(matching.barrier(task, start, found).loss).max() < 1e-12
    assert matching.barrier(task, start, turned).loss.max() > 0.1


def test_matching_changes_no_function_and_no_network_comes_further_away():
    for name in ("iris", "digits"):
        task = tasks.get(name)
        one, other = task.initial(3), task.initial(3, start=3)
        found = matching.matched(task.network, one, other)
        a, b = (task.network.outputs(w, task.x_test) for w in (other, found))
        np.testing.assert_allclose(a, b, atol=1e-10)
        assert ((found - one).norm(dim=1) < (other - one).norm(dim=1)).all()


def test_relu_units_keep_their_sign():
    network = networks.MLP((2, 2, 2), "relu")
    one = torch.arange(1.0, 13.0, dtype=torch.float64)[None]
    np.testing.assert_array_equal(matching.matched(network, one, -one).abs().sort()[0], one)
    assert (matching.matched(network, one, -one) < 0).all()


def test_a_network_that_overflowed_has_no_barrier():
    task = tasks.get("iris")
    one = task.initial(2)
    other = one.clone()
    other[1] = torch.nan
    found = matching.matched(task.network, one, other)
    assert found[1].isnan().all()
    barrier = matching.barrier(task, one, found)
    assert np.isnan(barrier.loss[1]) and np.isnan(barrier.error[1]) and barrier.loss[0] < 1e-12
    assert np.isnan(matching.apart(task, one, other)[1][1])


def test_a_loss_that_is_convex_along_the_line_has_no_barrier():
    """Networks that differ in their output layer alone: cross-entropy is convex between them."""
    task = tasks.get("iris")
    one = task.initial(5)
    other = one.clone()
    other[:, task.network.slices[1]] += task.initial(5, start=5)[:, task.network.slices[1]]
    assert matching.barrier(task, one, other).loss.max() < 1e-12


def test_the_barrier_between_two_turned_networks_is_that_of_the_output_bias_alone():
    """tanh is odd: half way between a network and its turned copy no unit says anything."""
    task = tasks.get("digits")
    one = trained(task, 1)
    sign = -torch.ones(task.network.sizes[1], dtype=torch.float64)
    other = symmetric(task.network, one[0], torch.arange(len(sign)), sign)[None]
    silent = (one + other) / 2
    assert (silent == 0).double().mean() > 0.99  # all but ten biases
    height = float(task.objectives(silent)[0] - task.objectives(one)[0])
    assert height > 1
    np.testing.assert_allclose(matching.barrier(task, one, other, 3).loss, height, atol=1e-9)


def test_functions_that_are_known_to_be_apart():
    """Sure of class 0 against sure of class 1, and against equal guesses: 1 and 2/3 apart."""
    task = tasks.get("iris")
    zero = torch.zeros(3, 83, dtype=torch.float64)
    sure = zero.clone()
    bias = torch.arange(83).view(-1)[task.network.slices[1]].view(3, 11)[:, -1]
    sure[0, bias[0]], sure[1, bias[1]] = 1000.0, 1000.0
    classes, far = matching.apart(task, sure[[0, 0, 2]], sure[[1, 2, 2]])
    np.testing.assert_allclose(far, [1, 2 / 3, 0], atol=1e-12)
    np.testing.assert_allclose(classes, [1, 0, 0])


def test_two_hidden_layers_are_refused():
    deep = networks.MLP((4, 3, 3, 2))
    w = torch.zeros(1, deep.count)
    with pytest.raises(ValueError, match="one hidden layer"):
        matching.matched(deep, w, w)
