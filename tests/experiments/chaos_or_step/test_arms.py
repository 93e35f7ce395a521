"""Each arm on a loss whose answer is known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from netdyn_lib.experiments.chaos_or_step import arms
from netdyn_lib.experiments.chaos_or_step.following import SPANS, follow
from netdyn_lib.tasks import tasks

VALUES = torch.tensor([-0.5, 0.5, 1.5, 3.0, 5.0], dtype=torch.float64)


@dataclass
class Setting:
    small: tuple = (0.1, 0.1)
    ball_copies: int = 8
    substeps: int = 4
    copied: int = 100
    conditions: int = 3
    seed: int = 0
    epochs: int = 60
    flow_epochs: int = 30
    marks: tuple = (0, 1, 10, 50)


def quadratic():
    def gradient(w):
        return w * VALUES

    def both(w):
        return gradient(w), torch.diag(VALUES).expand(len(w), 5, 5)

    return arms.Derivatives(gradient, lambda w, v: (gradient(w), v * VALUES), both)


def quartic():
    """The double well V = w⁴/4 − w²/2 of each parameter."""

    def gradient(w):
        return w**3 - w

    def both(w):
        return gradient(w), torch.diag_embed(3 * w**2 - 1)

    return arms.Derivatives(gradient, lambda w, v: (gradient(w), (3 * w**2 - 1) * v), both)


def stepped(name, derivatives, rate=1.0, lengths=None, start=None):
    arm = arms.of(name, derivatives, rate, Setting(), lengths)
    start = torch.ones(3, 5, dtype=torch.float64) if start is None else start
    params = arm.begin(start) if name == "flow" else start
    return params, arm.step(params, torch.arange(3)), arm


@pytest.mark.parametrize(
    "name, expected",
    [
        ("descent", 1 - VALUES),
        ("neutral", torch.tensor([1.5, 0.5, -0.5, -1.0, -1.0])),
        ("neutral both", torch.tensor([1.01, 0.5, -0.5, -1.0, -1.0])),
        ("shortened", 1 - VALUES * (10.75 / 36.75) ** 0.5),  # |steps|² of neutral and descent
        ("small", 1 - 0.1 * VALUES),
        ("ball 0.3", 1 - VALUES),  # the mean gradient of a quadratic is that of the centre
    ],
)
def test_multipliers_on_a_quadratic(name, expected):
    _, found, _ = stepped(name, quadratic())
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)), atol=1e-9)


def test_a_ball_smooths_the_double_well_by_three_times_its_variance():
    # mean of (w + u)³ over pairs ±u is w³ + 3 w mean(u²)
    _, found, arm = stepped("ball 0.5", quartic(), 0.1)
    spread = (arm._offsets**2).mean(1)
    assert arm._offsets.abs().max() <= 0.5
    torch.testing.assert_close(found, 1 - 0.1 * 3 * spread)


@pytest.mark.parametrize("name, moved", [("small isotropic", 5), ("small unstable", 2)])
def test_noise_has_the_length_that_is_given_and_the_directions(name, moved):
    lengths = torch.tensor([[0.3, 0.0, 2.0]], dtype=torch.float64)
    start, found, _ = stepped(name, quadratic(), lengths=lengths)
    noise = found - start * (1 - 0.1 * VALUES)
    torch.testing.assert_close(noise.norm(dim=1), lengths[0])
    assert int((noise.abs() > 1e-12).any(0).sum()) == moved  # λ = 3 and 5 exceed 2/η


def test_the_flow_of_a_quadratic_below_the_edge_is_gradient_flow():
    start, found, arm = stepped("flow", quadratic(), 0.2)
    torch.testing.assert_close(found, start * (1 - 0.05 * VALUES) ** 4)  # four Euler steps
    assert not bool(arm.variance.any())


def test_no_flow_starts_where_no_move_lowers_the_sharpness():
    start, found, _ = stepped("flow", quadratic(), 1.0)
    assert bool(start.isnan().all()) and bool(found.isnan().all())


class Line:
    """A task of which nothing but the weights is asked."""

    x_test = y_test = torch.zeros(2, dtype=torch.int64)
    target_accuracy = 0.9

    class loss:
        @staticmethod
        def value(output, y):
            return output.mean()

    class network:
        @staticmethod
        def outputs(params, x):
            return params[:, None, :2].expand(-1, 2, -1)

    @staticmethod
    def objectives(params):
        return params.sum(1)

    @staticmethod
    def initial(count, seed):
        return torch.zeros(count, 5, dtype=torch.float64)  # the fixed point: only copies move


@pytest.mark.parametrize(
    "name, grows", [("descent", 4.0), ("neutral", 1.5), ("neutral both", 1.01)]
)
def test_growth_on_a_quadratic_is_that_of_the_largest_multiplier(name, grows):
    arm = arms.of(name, quadratic(), 1.0, Setting())
    found = follow(Line, arm, Setting())
    late = (found["growth"][:, 1] - found["growth"][:, 0]) / (SPANS[1] - SPANS[0])
    if name == "neutral both":  # directions that do not grow stay as long for hundreds of steps
        assert (late > 0).all() and (late < np.log(grows)).all()
    else:
        np.testing.assert_allclose(late, np.log(grows), atol=2e-3)
    assert np.isnan(found["growth"][:, 2:]).all()  # 60 epochs are no 100
    assert np.isfinite(found["tenfold"]).all() == (name != "neutral both")


def test_networks_are_the_same_alone_and_together():
    task = tasks.get("iris")
    derivatives, one, two = arms.Derivatives.of(task), Setting(conditions=1), Setting()
    for name in ("neutral", "ball 0.1"):
        alone, both = (follow(task, arms.of(name, derivatives, 0.5, s), s) for s in (one, two))
        np.testing.assert_allclose(alone["loss"][0, :3], both["loss"][0, :3], rtol=1e-9)
