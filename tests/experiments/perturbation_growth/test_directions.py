"""Directions against the singular vectors of a dense product, perturbed copies, their bounds, and
the distance of two networks.
"""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.curvature import pruned_descent
from netdyn_lib.experiments.perturbation_growth import directions
from netdyn_lib.experiments.perturbation_growth.directions import Directions, Search
from netdyn_lib.experiments.perturbation_growth.divergence import diverge, independent
from netdyn_lib.experiments.sgd_spectra import MiniBatchDescent
from netdyn_lib.tasks import losses, networks, tasks

RATE, BATCH, STEPS = 0.3, 4, 40
LOSS = losses.CrossEntropy()
FULL = Search(STEPS, 4, 30, 1e-11)


def small(loss=LOSS, sizes=(5, 4, 3)):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((23, sizes[0]))
    y = rng.integers(0, sizes[-1], 23) if loss is LOSS else rng.standard_normal((23, sizes[-1]))
    return tasks.custom("small", networks.MLP(sizes, "tanh"), loss, x, torch.tensor(y))


@pytest.fixture(scope="module")
def descent():
    return MiniBatchDescent(small(), RATE, BATCH, seed=2)


@pytest.fixture(scope="module")
def reference(descent):
    return descent.reference(1, STEPS)


@pytest.fixture(scope="module")
def products(reference):
    """Y at every step (T + 1, P, P), by automatic differentiation."""
    w, eye = next(iter(reference.weights()))[1], torch.eye(39, dtype=torch.float64)
    dense = [eye]
    for t in range(STEPS):
        objective = reference.part(t).objective
        dense.append(dense[-1] - RATE * curvature.hessians(objective, w[None])[0] @ dense[-1])
        w = w - RATE * torch.func.grad(objective)(w)
    torch.testing.assert_close(w, reference.final, atol=1e-12, rtol=0)
    return torch.stack(dense)


@pytest.fixture(scope="module")
def both_ends(products):
    """All directions, from the one that grows most on, and from the one that shrinks most on."""
    _, sizes, right = torch.linalg.svd(products[-1])
    vectors, logs = right.T, sizes.log().numpy()
    return Directions(vectors, logs), Directions(vectors.flip(1), logs[::-1])


def aligned(found, known):
    """|cosines| of corresponding columns, of those whose singular values lie apart."""
    return (found * known).sum(0).abs().numpy()


def test_leading_directions_are_right_singular_vectors(reference, products):
    """Of the start, that is: to 1e-6, where the left ones, of the end, are others."""
    left, sizes, right = torch.linalg.svd(products[-1])
    found = directions.leading(reference, FULL)
    assert found.converged and found.vectors.shape == (39, 4)
    np.testing.assert_allclose(found.log_singular, sizes[:4].log(), atol=1e-9)
    assert (aligned(found.vectors, right[:4].T) > 1 - 1e-6).all()
    assert (aligned(found.vectors, left[:, :4]) < 0.99).all()
    rough = directions.leading(reference, Search(STEPS, 4, 1))
    # Ritz values are from within
    assert not rough.converged and (rough.log_singular <= sizes[:4].log().numpy() + 1e-9).all()


def test_contracting_directions_are_the_last_singular_vectors(reference):
    inverse = eye = torch.eye(39, dtype=torch.float64)
    for t, params in reference.weights():
        hessian = curvature.hessians(reference.part(t).objective, params[None])[0]
        inverse = inverse @ torch.linalg.inv(eye - RATE * hessian)
    left, sizes, _ = torch.linalg.svd(inverse)
    found = directions.contracting(reference, FULL)
    assert found.converged and (np.diff(found.log_singular) > 0).all()
    np.testing.assert_allclose(found.log_singular, -sizes[:4].log(), atol=1e-7)
    assert (aligned(found.vectors, left[:, :4]) > 1 - 1e-6).all()


def test_strategies(both_ends):
    known, low = both_ends
    ways = directions.strategies(known, low)
    assert list(ways) == ["top", "bottom", "chaotic", "non-chaotic", "random"]
    assert all(float(v.norm()) == pytest.approx(1) for v in ways.values())
    torch.testing.assert_close(ways["top"], known.vectors[:, 0])
    torch.testing.assert_close(ways["bottom"], known.vectors[:, -1])
    for name, sign in (("chaotic", 1), ("non-chaotic", -1)):
        inside = torch.from_numpy(sign * known.log_singular > 1e-8)
        share = (known.vectors.T @ ways[name]).square()
        assert float(share[inside].sum()) == pytest.approx(1)
        assert int((share > 1e-9).sum()) == int(inside.sum()) > 2
    assert not torch.equal(ways["random"], directions.strategies(known, low, 1)["random"])
    with pytest.raises(ValueError, match="must grow and one shrink"):
        directions.strategies(Directions(known.vectors, -np.abs(known.log_singular)), low)


def test_small_perturbations_grow_as_their_singular_values(descent, reference, both_ends):
    """And stay within the extremes of all directions."""
    known, low = both_ends
    random = directions.strategies(known, low)["random"]
    ways = [*known.vectors[:, [0, 3, 20]].T, random]
    found = diverge(descent, 1, STEPS, 8, ways, 1e-7)
    assert found.distance.shape == (6, 4)
    grown = np.log(found.distance / 1e-7)
    np.testing.assert_allclose(grown[0], 0, atol=1e-8)
    np.testing.assert_allclose(grown[-1, :3], known.log_singular[[0, 3, 20]], atol=1e-4)
    largest, smallest = directions.extremes(reference, known, low, found.steps)
    assert (grown <= largest[:, None] + 1e-5).all() and (grown >= smallest[:, None] - 1e-5).all()


def test_extremes_are_those_of_the_products(reference, products, both_ends):
    at = [1, 7, 20, STEPS]
    sizes = torch.linalg.svdvals(products[at]).log().numpy()
    largest, smallest = directions.extremes(reference, *both_ends, at)
    np.testing.assert_allclose(largest, sizes[:, 0], atol=1e-9)
    np.testing.assert_allclose(smallest, sizes[:, -1], atol=1e-6)
    few = Search(STEPS, 2, 4)
    ends = directions.leading(reference, few), directions.contracting(reference, few)
    up, down = directions.extremes(reference, *ends, at)
    assert (up <= largest + 1e-9).all() and (down >= smallest - 1e-6).all()


def test_copies_learn_as_any_network(descent):
    found = diverge(descent, 1, 20, 5, [torch.ones(39), torch.arange(39.0)], [0.1, 1.0])
    assert found.steps.tolist() == [0, 5, 10, 15, 20]
    np.testing.assert_allclose(found.distance[0], [0.1, 0.1, 1, 1])
    start, task = descent.initial(1), descent.task
    group = torch.stack([start, start + torch.ones(39) / 39**0.5])  # the third copy
    order = descent.order(1)
    run = pruned_descent.run(
        pruned_descent.Descent(task, BATCH, every=20), group, RATE, 20, seed=[order, order]
    )
    assert found.distance[-1, 2] == pytest.approx(float((run.final[1] - run.final[0]).norm()))
    np.testing.assert_array_equal(found.test_accuracy[-1, [0, 3]], run["test_accuracy"][-1])
    np.testing.assert_allclose(found.test_loss[-1, [0, 3]], run["test_loss"][-1])


def test_copies_of_a_quadratic_loss_part_in_closed_form():
    """Full batches: along an eigenvector d(t) = ε |1 − γλ|^t; no accuracy, for targets are no
    labels.
    """
    task = small(losses.HalfSquaredError(), (3, 1))
    values, vectors = torch.linalg.eigh(curvature.hessians(task.objective, task.initial(1))[0])
    found = diverge(MiniBatchDescent(task, 0.02, 23), 0, 30, 10, vectors.T, 0.1)
    known = 0.1 * np.abs(1 - 0.02 * values.numpy()) ** found.steps[:, None]
    np.testing.assert_allclose(found.distance, known, atol=1e-12)
    assert np.isnan(found.test_accuracy).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"directions": []}, "no copy to follow"),
        ({"directions": [torch.zeros(39)]}, "length 0.0"),
        ({"epsilon": 0.0}, "epsilon = 0.0"),
        ({"rate": 0}, "γ must be positive"),
        ({"batch": 24}, "batch = 24"),
        ({"epsilon": []}, "no epsilon"),
    ],
)
def test_bad_input_is_refused(changes, message):
    of = dict(task=small(), rate=RATE, batch=BATCH)
    how = dict(network=0, steps=5, every=1, directions=[torch.ones(39)])
    of |= {name: value for name, value in changes.items() if name in of}
    how |= {name: value for name, value in changes.items() if name not in of}
    with pytest.raises(ValueError, match=message):
        diverge(MiniBatchDescent(**of), **how)


@pytest.mark.parametrize("scheme", ["pytorch", "glorot"])
def test_two_networks_are_as_far_apart_as_sampling_says(scheme):
    network = networks.MLP((256, 20, 10))
    sample = networks.initial_parameters(network, 400, 0, scheme)
    squares = (sample[::2] - sample[1::2]).square().sum(1)
    known, error = independent(network, scheme), float(squares.std()) / 200**0.5
    assert known**2 == pytest.approx(float(squares.mean()), abs=4 * error)
    if scheme == "pytorch":  # not 6.38, as the paper prints
        assert known == pytest.approx(4.515, abs=1e-3)
    with pytest.raises(ValueError, match="scheme = 'normal'"):
        independent(network, "normal")
