"""What a sweep costs: floating-point operations, counted before it is run."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from ...tasks import datasets, tasks
from ...tasks.networks import MLP


def samples_of(sweep):
    """Training samples of a sweep, known without its data where those are images."""
    if sweep.samples is not None:
        return sweep.samples
    name = tasks.recipe(sweep.task).data
    if name in datasets.archive_names():
        return datasets.about(name).train
    return len((name() if callable(name) else datasets.get(name)).x)


def per_sample(network, inputs):
    """Operations of one gradient for one sample: forward, and twice that back, without the
    derivative by the inputs.

    Products and convolutions are counted, a multiplication and an addition as two.

    >>> per_sample(MLP((784, 64, 10), "tanh"), 784)
    204544
    """
    if isinstance(network, MLP):
        products = [2 * inn * out for inn, out in zip(network.sizes[:-1], network.sizes[1:])]
        return 3 * sum(products) - products[0]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.forward(
            torch.zeros(network.count, dtype=torch.float64),
            torch.zeros(1, inputs, dtype=torch.float64),
        )
    return 3 * counter.get_total_flops()


def operations(sweep):
    """Floating-point operations of a sweep's exponents, and at most of its arrivals: a pair of
    floats.

    Arrivals cost the second number only where no network arrives before the cap.
    """
    network = tasks.recipe(sweep.task).architecture()
    name = tasks.recipe(sweep.task).data
    shape = datasets.about(name).shape if name in datasets.archive_names() else None
    inputs = (
        network.sizes[0]
        if isinstance(network, MLP)
        else (int(torch.tensor(shape).prod()) if shape else 64)
    )
    each = float(samples_of(sweep) * per_sample(network, inputs))
    further = len(sweep.rates) * sweep.conditions * max(0, sweep.cap - sweep.epochs)
    return each * sweep.network_epochs, each * further
