"""Twins: directions against the singular vectors of a dense product, runs that go on, bounds, and
the distance of strangers.
"""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature import hessian as curvature
from netdyn_lib.curvature import pruned_descent
from netdyn_lib.experiments import perturbation_growth
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.torch_utils import Stopped

RATE, BATCH, STEPS = 0.3, 4, 40
LOSS = losses.CrossEntropy()


def small(activation="tanh", loss=LOSS, sizes=(5, 4, 3)):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((23, sizes[0]))
    y = rng.integers(0, sizes[-1], 23) if loss is LOSS else rng.standard_normal((23, sizes[-1]))
    return tasks.custom("small", networks.MLP(sizes, activation), loss, x, torch.tensor(y))


@pytest.fixture(scope="module")
def reference():
    task = small()
    return perturbation_growth.Reference(task, task.initial(1)[0], RATE, BATCH, STEPS, seed=2)


@pytest.fixture(scope="module")
def product(reference):
    """U, σ, V of the dense product Y(T), and Y at every step (T + 1, P, P)."""
    task, w = reference.task, reference.task.initial(1)[0]
    dense = [torch.eye(39, dtype=torch.float64)]
    for t in range(STEPS):
        objective = reference.part(t).objective
        dense.append(dense[-1] - RATE * curvature.hessians(objective, w[None])[0] @ dense[-1])
        w = w - RATE * torch.func.grad(objective)(w)
    torch.testing.assert_close(w, reference.final, atol=1e-12, rtol=0)
    assert task is reference.task
    return (*torch.linalg.svd(dense[-1]), torch.stack(dense))


def aligned(found, known):
    """|cosines| of corresponding columns, of those whose singular values lie apart."""
    return (found * known).sum(0).abs().numpy()


def test_leading_directions_are_right_singular_vectors(reference, product):
    """Of the start, that is: to 1e-8, where the left ones, of the end, are others."""
    left, sizes, right, _ = product
    found = perturbation_growth.leading(reference, 4, sweeps=30, tolerance=1e-11)
    assert found.converged and found.vectors.shape == (39, 4)
    np.testing.assert_allclose(found.log_singular, sizes[:4].log(), atol=1e-9)
    np.testing.assert_allclose(found.exponents, sizes[:4].log() / STEPS, atol=1e-9)
    assert (aligned(found.vectors, right[:4].T) > 1 - 1e-6).all()
    assert (aligned(found.vectors, left[:, :4]) < 0.99).all()
    rough = perturbation_growth.leading(reference, 4, sweeps=1)
    # Ritz values are from within
    assert not rough.converged and (rough.log_singular <= sizes[:4].log().numpy() + 1e-9).all()


def test_contracting_directions_are_the_last_singular_vectors(reference, product):
    _, _, right, dense = product
    inverse = torch.eye(39, dtype=torch.float64)
    for t, params in reference.weights():
        hessian = curvature.hessians(reference.part(t).objective, params[None])[0]
        inverse = inverse @ torch.linalg.inv(torch.eye(39, dtype=torch.float64) - RATE * hessian)
    left, sizes, _ = torch.linalg.svd(inverse)
    found = perturbation_growth.contracting(reference, 3, sweeps=30, tolerance=1e-11)
    assert found.converged and (np.diff(found.log_singular) > 0).all()
    np.testing.assert_allclose(found.log_singular, -sizes[:3].log(), atol=1e-7)
    assert (aligned(found.vectors, left[:, :3]) > 1 - 1e-6).all()
    everything = perturbation_growth.all_directions(reference)
    np.testing.assert_allclose(everything.log_singular[-3:], found.log_singular[::-1], atol=1e-7)
    np.testing.assert_allclose(everything.log_singular[:5], product[1][:5].log(), atol=1e-10)
    assert (aligned(everything.vectors[:, :4], right[:4].T) > 1 - 1e-8).all()
    torch.testing.assert_close(
        everything.vectors.T @ everything.vectors,
        torch.eye(39, dtype=torch.float64),
        atol=1e-11,
        rtol=0,
    )


def test_strategies(reference):
    known, low = (
        perturbation_growth.all_directions(reference),
        perturbation_growth.contracting(reference, 3, sweeps=30, tolerance=1e-9),
    )
    ways = perturbation_growth.strategies(known)
    assert list(ways) == ["top", "bottom", "chaotic", "non-chaotic", "random"]
    assert all(float(v.norm()) == pytest.approx(1) for v in ways.values())
    grows, shrinks = (torch.from_numpy(sign * known.log_singular > 1e-8) for sign in (1, -1))
    assert 2 < int(grows.sum()) < 30 and int(shrinks.sum()) > 5
    for name, inside in (("chaotic", grows), ("non-chaotic", shrinks)):
        share = (known.vectors.T @ ways[name]).square()
        assert float(share[inside].sum()) == pytest.approx(1) and int((share > 1e-9).sum()) == int(
            inside.sum()
        )
    assert not torch.equal(ways["random"], perturbation_growth.strategies(known, seed=1)["random"])
    few = perturbation_growth.Directions(
        known.vectors[:, :3], known.log_singular[:3], STEPS, 1, 0.0, True
    )
    part = perturbation_growth.strategies(few, low)
    assert abs(float(part["bottom"] @ ways["bottom"])) > 1 - 1e-6 and torch.equal(
        part["top"], ways["top"]
    )
    assert float((low.vectors.T @ part["non-chaotic"]).norm()) == pytest.approx(1)
    many = perturbation_growth.Directions(
        known.vectors[:, :-2], known.log_singular[:-2], STEPS, 1, 0.0, True
    )
    assert float(
        (
            known.vectors[:, shrinks].T @ perturbation_growth.strategies(many, low)["non-chaotic"]
        ).norm()
    ) == pytest.approx(1)
    with pytest.raises(ValueError, match="3 of 39 directions are known"):
        perturbation_growth.strategies(few)
    with pytest.raises(ValueError, match="must grow and one shrink"):
        perturbation_growth.strategies(
            perturbation_growth.Directions(
                known.vectors, -np.abs(known.log_singular), STEPS, 1, 0.0, True
            )
        )


def test_small_perturbations_grow_as_their_singular_values(reference):
    """And the share of times within the bounds is 1, with extremes from all directions, and 0 with
    others.
    """
    task, known = reference.task, perturbation_growth.all_directions(reference)
    ways = {k: known.vectors[:, k] for k in (0, 3, 20)} | {
        "random": perturbation_growth.strategies(known)["random"]
    }
    found = perturbation_growth.diverge(
        task, task.initial(1)[0], RATE, BATCH, STEPS, ways, 1e-7, seed=2, every=8
    )
    assert found.distance.shape == (6, 4) and found.names == (0, 3, 20, "random")
    np.testing.assert_allclose(found.distance[0], 1e-7, rtol=1e-8)
    np.testing.assert_allclose(
        np.log(found.distance[-1, :3] / 1e-7), known.log_singular[[0, 3, 20]], atol=1e-4
    )
    low = perturbation_growth.Directions(
        known.vectors.flip(1), known.log_singular[::-1], STEPS, 1, 0.0, True
    )
    limits = perturbation_growth.extremes(reference, known, low, found.steps)
    np.testing.assert_allclose(limits.largest[-1], known.log_singular[0], atol=1e-9)
    np.testing.assert_allclose(limits.smallest[-1], known.log_singular[-1], atol=1e-6)
    assert limits.largest[0] == 0 == limits.smallest[0] and np.isnan(limits.exponents[0]).all()
    np.testing.assert_array_equal(
        perturbation_growth.share_within(found.distance, found.epsilon, limits, 1e-5), 1
    )
    wide = perturbation_growth.norm_bounds(reference, found.steps)
    assert (wide.largest >= limits.largest - 1e-12).all() and (
        wide.smallest <= limits.smallest + 1e-7
    ).all()
    one, same = (
        perturbation_growth.norm_bounds(reference, [1]),
        perturbation_growth.extremes(reference, known, low, [1]),
    )
    np.testing.assert_allclose(
        [one.largest, one.smallest], [same.largest, same.smallest], atol=1e-9
    )
    assert perturbation_growth.share_within(100 * found.distance, 1e-7, limits).max() < 0.1
    with pytest.raises(ValueError, match="3 distances for 6 times"):
        perturbation_growth.share_within(found.distance[:3], 1, limits)


def test_extremes_before_the_end_are_those_of_the_products(reference, product):
    known = perturbation_growth.all_directions(reference)
    low = perturbation_growth.Directions(
        known.vectors.flip(1), known.log_singular[::-1], STEPS, 1, 0.0, True
    )
    at = [1, 7, 20]
    sizes = torch.linalg.svdvals(product[3][at]).log().numpy()
    found = perturbation_growth.extremes(reference, known, low, at)
    np.testing.assert_allclose(found.largest, sizes[:, 0], atol=1e-9)
    np.testing.assert_allclose(found.smallest, sizes[:, -1], atol=1e-6)
    few = perturbation_growth.extremes(
        reference,
        perturbation_growth.leading(reference, 2),
        perturbation_growth.contracting(reference, 2),
        at,
    )
    assert (few.largest <= found.largest + 1e-9).all() and (
        few.smallest >= found.smallest - 1e-6
    ).all()


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_twins_are_runs_that_can_be_taken_up(momentum):
    task = small()
    start = task.initial(1)[0]
    ways = {"a": torch.ones(39), "b": torch.arange(39.0)}
    whole = perturbation_growth.diverge(
        task, start, RATE, BATCH, 20, ways, [0.1, 1.0], every=5, momentum=momentum
    )
    assert (
        whole.names == ("a", "b", "a", "b")
        and whole.epsilon.tolist() == [0.1, 0.1, 1, 1]
        and whole.steps.tolist() == [0, 5, 10, 15, 20]
    )
    np.testing.assert_allclose(whole.distance[0], whole.epsilon)
    first = perturbation_growth.diverge(
        task, start, RATE, BATCH, 8, ways, [0.1, 1.0], every=5, momentum=momentum
    )
    rest = perturbation_growth.follow(
        task,
        first.final,
        RATE,
        BATCH,
        12,
        every=5,
        start=8,
        velocity=first.velocity,
        momentum=momentum,
    )
    assert torch.equal(rest.final, whole.final) and torch.equal(rest.velocity, whole.velocity)
    for name in ("steps", "distance", "loss", "test_loss", "test_accuracy"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(first, name), getattr(rest, name)]), getattr(whole, name)
        )
    descent = pruned_descent.Descent(task, BATCH, every=20, momentum=momentum)
    run = pruned_descent.run(descent, start[None], RATE, 20)
    torch.testing.assert_close(whole.final[0], run.final[0], atol=1e-13, rtol=0)
    assert whole.test_accuracy[-1, 0] == run["test_accuracy"][-1, 0]
    assert whole.loss[-1, 0] == pytest.approx(float(task.objective(run.final[0])))
    np.testing.assert_allclose((whole.final[1:] - whole.final[0]).norm(dim=1), whole.distance[-1])


def test_twins_of_a_quadratic_loss_part_in_closed_form():
    """Full batches: along an eigenvector d(t) = ε |1 − γλ|^t; no accuracy, for targets are no
    labels.
    """
    task = small(loss=losses.HalfSquaredError(), sizes=(3, 1))
    values, vectors = torch.linalg.eigh(curvature.hessians(task.objective, task.initial(1))[0])
    found = perturbation_growth.diverge(
        task, task.initial(1)[0], 0.02, 23, 30, dict(enumerate(vectors.T)), 0.1, every=10
    )
    known = 0.1 * np.abs(1 - 0.02 * values.numpy()) ** found.steps[:, None]
    np.testing.assert_allclose(found.distance, known, atol=1e-12)
    assert np.isnan(found.test_accuracy).all()


def test_runs_stop_and_refuse_bad_input(reference):
    task, start = reference.task, reference.task.initial(1)[0]
    with pytest.raises(Stopped, match="before step 0"):
        perturbation_growth.diverge(task, start, RATE, BATCH, 5, {"a": start}, stop=lambda: True)
    for change, message in (
        ({"directions": {}}, "no twin to follow"),
        ({"directions": {"a": start[:3]}}, r"direction 'a' of shape \(3,\)"),
        ({"directions": {"a": 0 * start}}, "length 0.0"),
        ({"epsilon": 0.0}, "epsilon = 0.0"),
        ({"rate": 0}, "γ must be positive"),
        ({"batch": 24}, "batch = 24"),
        ({"momentum": 1}, "momentum = 1"),
        ({"velocity": start[None]}, r"velocity of shape \(1, 39\)"),
    ):
        with pytest.raises(ValueError, match=message):
            perturbation_growth.diverge(
                **(
                    {
                        "task": task,
                        "params": start,
                        "rate": RATE,
                        "batch": BATCH,
                        "steps": 5,
                        "directions": {"a": start},
                    }
                    | change
                )
            )
    with pytest.raises(ValueError, match="a reference and at least 1 twin"):
        perturbation_growth.follow(task, start[None], RATE, BATCH, 5)
    decay = tasks.custom("d", task.network, LOSS, task.x, task.y, weight_decay=0.1)
    with pytest.raises(ValueError, match="weight_decay = 0.1"):
        perturbation_growth.diverge(decay, start, RATE, BATCH, 5, {"a": start})
    with pytest.raises(ValueError, match="count = 40"):
        perturbation_growth.leading(reference, 40)


@pytest.mark.parametrize("scheme", ["pytorch", "glorot"])
def test_strangers_are_as_far_apart_as_sampling_says(scheme):
    network = networks.MLP((256, 20, 10))
    draws = networks.initial_parameters(network, 400, 0, scheme)
    distances = (draws[::2] - draws[1::2]).norm(dim=1).numpy()
    known = perturbation_growth.independent(network, scheme)
    error = known.sd / np.sqrt(len(distances))
    assert abs(distances.mean() - known.mean) < 4 * error and distances.std() == pytest.approx(
        known.sd, rel=0.2
    )
    assert known.mean < known.rms and np.sqrt((distances**2).mean()) == pytest.approx(
        known.rms, abs=4 * error
    )


def test_the_papers_distance_is_another():
    """PyTorch's own layers, too: 4.51, not 6.38."""
    generator = torch.random.get_rng_state()
    torch.manual_seed(0)
    nets = [
        torch.nn.Sequential(torch.nn.Linear(256, 20), torch.nn.Linear(20, 10)) for _ in range(100)
    ]
    torch.random.set_rng_state(generator)
    flat = torch.stack(
        [torch.cat([p.detach().flatten() for p in net.parameters()]) for net in nets]
    )
    seen = float((flat[::2] - flat[1::2]).norm(dim=1).mean())
    known = perturbation_growth.independent(networks.MLP((256, 20, 10)))
    assert seen == pytest.approx(known.mean, abs=0.03) and known.mean == pytest.approx(
        4.515, abs=0.003
    )
    with pytest.raises(ValueError, match="scheme = 'normal'"):
        perturbation_growth.independent(networks.MLP((256, 20, 10)), "normal")
