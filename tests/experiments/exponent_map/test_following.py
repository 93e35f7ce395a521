"""Networks followed with a tangent vector: growth known by analysis, and two ways that agree."""

import shutil

import numpy as np
import pytest
import torch

from netdyn_lib.experiments.exponent_map import following, grid, published
from netdyn_lib.tasks import tasks

WAYS = [following.plain]
if shutil.which("cc"):
    WAYS.append(following.compiled)
SMALL = grid.ExponentMap("small", "iris", 5, 6, (0.1, 2.0), (0.5, 2.0), draws=(0, 3), rows=2)


@pytest.fixture(scope="module")
def iris():
    return tasks.get("iris")


@pytest.mark.parametrize("follow", WAYS)
def test_growth_along_an_output_bias_of_a_network_of_zeros(iris, follow):
    """All weights zero: H of the output biases is diag(p) − ppᵀ at p = 1/3, of eigenvalue 1/3 along
    (1, −1, 0), where hidden values do not vary; one step multiplies it by the known J v.
    """
    params = torch.zeros(3, 83, dtype=torch.float64)
    vector = torch.zeros(3, 83, dtype=torch.float64)
    vector[:, -23], vector[:, -12] = 2**-0.5, -(2**-0.5)  # biases of classes 0 and 1
    rates = np.array([0.3, 1.0, 6.0])
    found = follow(iris, params, vector, rates, 1)
    # Hidden values are all 1/2, so each of ten output weights has half the bias's row of H v; the
    # first layer has none while output weights are zero.
    bias, weight = 1 - rates / 3, -rates / 6
    expected = np.log(np.sqrt(bias**2 + 10 * weight**2))
    np.testing.assert_allclose(found.growth, expected, atol=1e-12)
    np.testing.assert_allclose(found.loss, np.log(3), atol=1e-12)


@pytest.mark.parametrize("follow", WAYS)
def test_growth_is_the_limit_of_a_small_displacement(iris, follow):
    start = iris.initial(5)
    vector = torch.as_tensor(np.random.default_rng(0).standard_normal((5, 83)))
    vector /= vector.norm(dim=1, keepdim=True)
    rates = np.geomspace(0.1, 2, 5)
    ends = [follow(iris, start + s * 1e-6 * vector, vector, rates, 10).params for s in (1, -1)]
    apart = np.linalg.norm(ends[0] - ends[1], axis=1) / 2e-6
    found = follow(iris, start, vector, rates, 10)
    np.testing.assert_allclose(found.growth, np.log(apart), atol=1e-6)
    along = (ends[0] - ends[1]) / np.linalg.norm(ends[0] - ends[1], axis=1, keepdims=True)
    np.testing.assert_allclose(found.vectors, along, atol=1e-5)


@pytest.mark.skipif(len(WAYS) < 2, reason="no C compiler")
def test_the_compiled_way_is_the_plain_one_to_rounding(iris):
    """Seven networks: the last vector of four is not full; weights of size 30 saturate units."""
    start = iris.initial(7) * torch.logspace(-1, 1.5, 7).double()[:, None]
    vector = torch.ones_like(start)
    how = iris, start, vector / 83**0.5, np.geomspace(0.1, 30, 7), 8
    one, other = following.plain(*how), following.compiled(*how)
    for name in ("growth", "loss", "params", "vectors"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-7, atol=1e-9)


def test_a_network_that_the_compiled_code_is_not_of_is_refused():
    task = tasks.get("digits")
    with pytest.raises(ValueError, match="one sigmoid hidden layer"):
        following.compiled(task, task.initial(1), task.initial(1), [1.0], 1)


def test_the_vector_is_drawn_once_and_the_weights_are_scaled(iris):
    """Rows of a map are networks that can be followed one by one."""
    found = [SMALL.compute(piece, iris, _Work()) for piece in SMALL.pieces()]
    assert [str(p) for p in SMALL.pieces()][:2] == ["draw 0, rows 0 to 1", "draw 0, rows 2 to 3"]
    one = SMALL.networks(iris, 3, SMALL.axis("scales")[4], SMALL.axis("rates")[[2]])
    for name, value in zip(grid.VARIABLES, one):
        np.testing.assert_allclose(found[-1][name][-1, 2], value[0], rtol=1e-9)


class _Work:
    @staticmethod
    def stop():
        return False


def test_rounding_keeps_the_side_of_every_level():
    values = np.array([-1e-9, 0.0, 0.0499999, 0.05, 0.0500001])
    for name in ("exponent", "late"):
        whole = published.rounded(name, values)
        unit, steps, _ = published.STEPS[name]
        assert ((whole >= 0) == (values >= 0)).all()
        assert ((whole >= 0.05 / unit * steps) == (values >= 0.05)).all()
    losses = np.log(3) * np.array([0.999, 1.0, 1.001, 100.0])
    assert published.rounded("loss", losses).tolist() == [63, 64, 64, 255]
