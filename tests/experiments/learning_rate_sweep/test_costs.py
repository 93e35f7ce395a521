"""Operations counted before a sweep is run."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from netdyn_lib.experiments.learning_rate_sweep import costs, grid
from netdyn_lib.tasks import networks, tasks


@pytest.mark.parametrize("sizes", [(7, 5, 3), (7, 5, 4, 3), (7, 3)])
def test_per_sample_counts_what_autograd_does(sizes):
    network = networks.MLP(sizes, "tanh")
    module = network.module()
    x = torch.zeros(10, sizes[0], dtype=torch.float64)
    with FlopCounterMode(display=False) as counter:
        module(x).sum().backward()
    assert costs.per_sample(network, sizes[0]) * 10 == counter.get_total_flops()


def test_a_module_is_counted_by_its_products_and_convolutions():
    network = tasks.recipe("mnist-cnn").architecture()
    convolutions = 2 * (784 * 8 * 9 + 196 * 16 * 72)
    assert costs.per_sample(network, 784) == 3 * (convolutions + 2 * 784 * 10)


def test_the_paper_scale_sweeps_cost_what_the_issue_of_their_size_says():
    exponents, further = costs.operations(grid.get("mnist", "paper"))
    assert 1e16 < exponents < 1.5e16  # shallow MNIST: 1.2e16
    assert further > exponents
    assert 1e17 < costs.operations(grid.get("cifar10", "paper"))[0] < 2e17  # 1.5e17


def test_samples_are_known_without_the_data(monkeypatch):
    monkeypatch.setenv("NETDYN_OFFLINE", "1")
    monkeypatch.delenv("NETDYN_DATA", raising=False)
    assert costs.samples_of(grid.get("mnist", "paper")) == 60_000
    assert costs.samples_of(grid.get("mnist", "laptop")) == 6000
    assert costs.samples_of(grid.get("digits", "paper")) == 1437
