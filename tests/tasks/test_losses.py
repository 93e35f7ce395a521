"""Losses of one's own: the library's losses come out again, and PyTorch's are what they are."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from netdyn_lib.curvature import batch_hessian
from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training.gradient_descent import GradientDescent, run

RNG = np.random.default_rng(0)
OUTPUT = torch.tensor(RNG.standard_normal((2, 3, 7)))  # (E, C, N)
LABELS = torch.tensor(RNG.integers(0, 3, 7))
NUMBERS = torch.tensor(RNG.standard_normal((7, 3)))

ENTROPY = losses.PerSample(torch.nn.CrossEntropyLoss(reduction="none"))
SMOOTHED = losses.PerSample(
    torch.nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none"), name="smoothed"
)


def halved(z, y):
    return 0.5 * (z - y).square().sum(1)


SQUARED = losses.PerSample(halved, labels=False)


@pytest.mark.parametrize(
    ("own", "known", "y", "scale"),
    [(ENTROPY, losses.CrossEntropy(), LABELS, 1), (SQUARED, losses.HalfSquaredError(), NUMBERS, 7)],
    ids=["cross-entropy", "squared error"],
)
def test_the_librarys_losses_come_out_again(own, known, y, scale):
    """A mean and not a sum, so squared error is a seventh of ours; residuals are of single samples
    either way.
    """
    target = own.encode(y, 3)
    torch.testing.assert_close(target, known.encode(y, 3))
    torch.testing.assert_close(own.value(OUTPUT[0].T, y) * scale, known.value(OUTPUT[0].T, y))
    torch.testing.assert_close(own.values(OUTPUT, target) * scale, known.values(OUTPUT, target))
    torch.testing.assert_close(own.residual(OUTPUT, target), known.residual(OUTPUT, target))
    space = torch.empty_like(OUTPUT)
    assert own.residual(OUTPUT, target, out=space) is space
    assert own.weight(7) * scale == pytest.approx(known.weight(7))


def test_names_are_those_of_what_was_given():
    names = [loss.name for loss in (SMOOTHED, ENTROPY, SQUARED)]
    assert names == ["smoothed", "CrossEntropyLoss", "halved"]


def test_a_perceptron_descends_as_its_module():
    """The same numbers from the perceptron's own forward pass, and from its module's, and its
    products are Hessians'.
    """
    mlp = networks.MLP((2, 4, 3), "tanh")
    x = RNG.standard_normal((7, 2))
    task = tasks.custom("smoothed", mlp, SMOOTHED, x, LABELS)
    start, descent = task.initial(2), GradientDescent(task, 0.5)
    assert torch.equal(start, networks.initial(mlp, 2))
    assert repr(task.network) == "AutomaticMLP(2-4-3, tanh)"
    record = run(descent, start, 20, observe=("loss", "accuracy"))
    output = mlp.module(record.final[0])(torch.tensor(x))
    expected = F.cross_entropy(output, LABELS, label_smoothing=0.1).item()
    assert record["loss"][-1, 0] == pytest.approx(expected, rel=1e-12)
    assert (record["loss"][-1] < record["loss"][0]).all()
    hessian = curvature.hessians(task.objective, start[:1])[0]
    direction = torch.ones_like(start[:1])
    moved = descent.product(start[:1], direction)[1]
    torch.testing.assert_close(moved, direction - 0.5 * direction @ hessian)
    bent = curvature.operator(task, start[0])(direction[0])
    torch.testing.assert_close(bent, hessian @ direction[0])
    values = torch.linalg.eigvalsh(hessian)
    assert batch_hessian.spectrum(task, start[0]).values.max() == pytest.approx(float(values[-1]))


def test_numbers_may_be_columns():
    y = np.arange(4.0)
    task = tasks.custom("line", networks.MLP((1, 1)), SQUARED, np.zeros((4, 1)), y)
    value = task.objective(torch.zeros(2, dtype=torch.float64))
    assert float(value) == pytest.approx(0.5 * np.mean(y**2))


def test_targets_and_losses_of_samples_are_checked():
    with pytest.raises(ValueError, match="expected one loss for each sample"):
        losses.PerSample(lambda z, y: z.square()).value(OUTPUT[0].T, LABELS)
    with pytest.raises(ValueError, match="integer class labels"):
        tasks.custom("wrong", networks.MLP((2, 3)), SMOOTHED, RNG.standard_normal((7, 2)), NUMBERS)
