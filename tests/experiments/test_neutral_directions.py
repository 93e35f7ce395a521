"""Neutral directions: of linear problems, whose directions are known, and of a unit that is off."""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import jacobian
from netdyn_lib.experiments import neutral_directions
from netdyn_lib.lyapunov import covariant
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import gradient_descent

# Columns orthogonal to each other, each of length 2.
COLUMNS = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1.0]])
TARGETS = np.array([[1.0], [2.0], [0.0], [3.0]])


def linear(*inputs):
    """Least squares with a bias: the Hessian is XᵀX of the inputs (4,) each and a column of ones,
    everywhere.
    """
    x = np.stack(inputs, 1)
    return tasks.custom(
        "linear", networks.MLP((x.shape[1], 1)), losses.HalfSquaredError(), x, TARGETS
    )


@pytest.fixture(scope="module")
def unused():
    """Eigenvalues 1, 2.56, 0 and 4 along the axes: the third input is always zero."""
    return linear(0.5 * COLUMNS[1], 0.8 * COLUMNS[2], 0 * COLUMNS[3])


def test_the_weight_of_an_unused_input_is_neutral_alone(unused):
    found = neutral_directions.directions(
        gradient_descent.GradientDescent(unused, 0.1), unused.initial(3), 150, 50, 1e-6
    )
    rates = np.log(np.abs(1 - 0.1 * np.array([0, 1, 2.56, 4])))
    np.testing.assert_allclose(found.growth, np.tile(rates, (3, 1)), atol=1e-9)
    np.testing.assert_array_equal(found.neutral, np.tile([True, False, False, False], (3, 1)))
    np.testing.assert_allclose(found.shares, np.tile([0, 0, 1, 0], (3, 1)), atol=1e-9)
    np.testing.assert_allclose(found.splitting, np.pi / 2, atol=1e-4)
    assert (found.count == 1).all() and found.shares.max() <= 1


def test_inputs_that_are_the_same_share_a_neutral_direction():
    """Only the sum of their weights counts: the neutral direction is (1, −1)/√2, half on either
    axis.
    """
    task = linear(COLUMNS[1], COLUMNS[1], 0.5 * COLUMNS[2])
    found = neutral_directions.directions(
        gradient_descent.GradientDescent(task, 0.1), task.initial(2), 200, 50, 1e-6
    )
    np.testing.assert_allclose(found.shares, np.tile([0.5, 0.5, 0, 0], (2, 1)), atol=1e-8)
    assert (found.count == 1).all()


def test_a_bound_says_what_is_neutral(unused):
    gd = gradient_descent.GradientDescent(unused, 0.1)
    assert neutral_directions.directions(gd, unused.initial(1), 150, 50, 0.11).count == [2]
    everything = neutral_directions.directions(gd, unused.initial(1), 150, 50, 1.0)
    np.testing.assert_allclose(everything.shares, 1, atol=1e-12)
    assert everything.count == [4] and np.isnan(everything.splitting).all()
    nothing = neutral_directions.directions(
        gradient_descent.GradientDescent(linear(*COLUMNS[1:]), 0.1), unused.initial(1), 20, 5, 1e-6
    )
    assert nothing.count == [0] and (nothing.shares == 0).all()
    assert np.isnan(nothing.splitting).all()


def test_a_unit_that_is_off_is_neutral_and_so_is_what_the_outputs_do_not_see():
    """One ReLU unit is off for every sample, one is on for all, so the outputs are u (w x + b) + c:
    of seven directions two count.
    """
    x = np.arange(4.0)[:, None]
    task = tasks.custom(
        "straight", networks.MLP((1, 2, 1), "relu"), losses.HalfSquaredError(), x, 1 + x
    )
    start = torch.tensor([[-1.0, -1.0, 0.5, 1.0, 0.7, 1.2, 0.2]])  # w₁ b₁ w₂ b₂ | u₁ u₂ c
    gd = gradient_descent.GradientDescent(task, 0.02)
    end = gradient_descent.run(gd, start, 4000, ("loss",), at=(4000,))
    assert end["loss"][0, 0] < 1e-20
    found = neutral_directions.directions(gd, end.final, 400, 50, 1e-6)
    w, b, u = (float(end.final[0, k]) for k in (2, 3, 5))
    # ∂f/∂W, (4, 7)
    seen = np.stack([0 * x, 0 * x, u * x, u + 0 * x, 0 * x, w * x + b, 1 + 0 * x], -1)[:, 0]
    projector = np.eye(7) - np.linalg.pinv(seen) @ seen
    np.testing.assert_allclose(found.shares[0], np.diag(projector), atol=1e-6)
    np.testing.assert_allclose(found.shares[0, [0, 1, 4]], 1, atol=1e-9)
    assert found.count == [5] and found.shares.sum() == pytest.approx(5)


def test_growth_is_taken_between_the_first_and_the_last_step_there_is(unused):
    """Vectors found otherwise: of three steps, some way apart."""
    advance = jacobian.of_descent(gradient_descent.GradientDescent(unused, 0.1))
    found = covariant.vectors(advance, unused.initial(2), (150, 160, 190), backward=50)
    sorted_out = neutral_directions.of_vectors(found, 1e-6)
    np.testing.assert_allclose(
        sorted_out.growth,
        np.tile(np.log(np.abs(1 - 0.1 * np.array([0, 1, 2.56, 4]))), (2, 1)),
        atol=1e-9,
    )
    np.testing.assert_allclose(sorted_out.shares, np.tile([0, 0, 1, 0], (2, 1)), atol=1e-9)
    with pytest.raises(ValueError, match="within = -1"):
        neutral_directions.of_vectors(found, -1)


@pytest.mark.filterwarnings("error")
def test_trajectories_that_overflow_are_nan_beside_others(unused):
    found = neutral_directions.directions(
        gradient_descent.GradientDescent(unused, [0.1, 1e4]), unused.initial(2), 150, 50, 1e-6
    )
    for name in ("growth", "shares", "splitting", "count"):
        values = getattr(found, name)
        assert np.isfinite(values[0]).all() and np.isnan(values[1]).all(), name
    assert not found.neutral[1].any()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((10, 5, 0.0), "within = 0"),
        ((10, 5, np.nan), "within = nan"),
        ((0, 5, 1e-3), "forward = 0"),
        ((10, -1, 1e-3), "backward = -1"),
    ],
)
def test_bad_input_is_one_clear_error(unused, words, said):
    with pytest.raises(ValueError, match=said):
        neutral_directions.directions(
            gradient_descent.GradientDescent(unused, 0.1), unused.initial(1), *words
        )
