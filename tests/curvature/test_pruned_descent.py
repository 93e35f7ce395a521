"""Pruned descent: on quadratics in closed form, against PyTorch's SGD, and as runs that go on."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from netdyn_lib.curvature import batch_hessian, hessian, pruned_descent
from netdyn_lib.curvature.pruned_descent import Descent, PrunedSGD, Rule, pruned, run
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.torch_utils import Stopped
from netdyn_lib.training import minibatches

RATE = 0.3
LOSS = losses.CrossEntropy()


def small(activation="tanh", loss=LOSS, samples=23):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((samples, 5))
    y = rng.integers(0, 3, samples) if loss is LOSS else rng.standard_normal((samples, 3))
    return tasks.custom("small", networks.MLP((5, 4, 3), activation), loss, x, torch.tensor(y))


def rotated(values, seed=0):
    """A symmetric matrix with these eigenvalues, and its eigenvectors as columns."""
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))[0]
    return torch.from_numpy(q @ np.diag(values) @ q.T), torch.from_numpy(q)


def part_of(task, index):
    return minibatches.batch_task(task, torch.as_tensor(index))


VALUES = np.array([-3.0, -0.5, 0.0, 1.0, 5.0, 8.0])  # at γ = 0.3 the edge 2/γ is 6.67


@pytest.fixture
def quadratic():
    matrix, vectors = rotated(VALUES)
    return matrix, vectors, batch_hessian.of_matrix(matrix)


def test_theorem_2_1(quadratic):
    """One step along an eigenvector grows iff λ < 0 or λ > 2/γ, by |1 − γλ|."""
    matrix, vectors, found = quadratic
    growth = (vectors - RATE * matrix @ vectors).norm(dim=0).numpy()
    np.testing.assert_allclose(growth, np.abs(1 - RATE * VALUES), atol=1e-14)
    np.testing.assert_array_equal(growth > 1 + 1e-9, (VALUES < 0) | (VALUES > 2 / RATE))
    np.testing.assert_array_equal(growth > 1 + 1e-9, found.classes(RATE).chaotic)


@pytest.mark.parametrize(
    "rule, gone",
    [
        ("none", []),
        ("chaotic", [-3, -0.5, 8]),
        ("negative", [-3, -0.5]),
        ("positive", [1, 5, 8]),
        (Rule("all"), [-3, -0.5, 1, 5, 8]),
        (Rule("all", 2), [8, 5]),
        (Rule("negative", 1), [-3]),
        (Rule("positive", 9), [1, 5, 8]),
    ],
)
def test_rules_take_out_their_eigendirections(quadratic, rule, gone):
    matrix, vectors, found = quadratic
    gradient = vectors.sum(1)  # 1 along each
    left = vectors.T @ pruned(gradient, found, RATE, rule)
    np.testing.assert_allclose(left, ~np.isin(VALUES, gone), atol=1e-14)


def test_a_quadratic_descends_in_closed_form(quadratic):
    """Pruned descent multiplies what is kept by 1 − γλ and leaves the rest where it is: no orbit of
    a quadratic grows.
    """
    matrix, vectors, found = quadratic
    w = start = vectors @ torch.arange(1.0, 7, dtype=torch.float64)
    for _ in range(7):
        w = w - RATE * pruned(matrix @ w, found, RATE, "chaotic")
    expected = np.arange(1, 7) * np.where(found.classes(RATE).chaotic, 1, (1 - RATE * VALUES) ** 7)
    np.testing.assert_allclose(vectors.T @ w, expected, atol=1e-12)
    assert w.norm() < start.norm() and (np.abs(1 - RATE * VALUES) ** 7).max() > 40


def test_controls_of_length_and_number(quadratic):
    _, vectors, found = quadratic
    gradient, rng = vectors[:, [0, 1, 3, 4, 5]].sum(1), np.random.default_rng(0)
    whole = float(gradient.norm())
    cut = pruned(gradient, found, RATE, "negative")
    restored = pruned(gradient, found, RATE, "negative-norm")
    assert float(restored.norm()) == pytest.approx(whole)
    torch.testing.assert_close(restored / restored.norm(), cut / cut.norm())
    shares = []
    for _ in range(400):
        left = pruned(gradient, found, RATE, "random-same", rng)
        shares.append(float(left.norm() / whole) ** 2)
        assert abs(float(left @ vectors[:, 2])) < 1e-14  # the neutral direction is not in the span
        assert float(left @ (gradient - left)) == pytest.approx(0, abs=1e-13)  # a projection
    # 2 of 5 directions
    assert stats.kstest(1 - np.array(shares), stats.beta(2 / 2, 3 / 2).cdf).pvalue > 0.01
    rule = Rule("positive", 2, "random")
    picked = [pruned(gradient, found, RATE, rule, rng) for _ in range(60)]
    kept = torch.stack([vectors.T @ p for p in picked])[:, 3:]
    np.testing.assert_allclose(kept.sum(1), 1, atol=1e-13)
    assert all(kept.mean(0) > 0.1)
    everything = pruned(vectors[:, 0].clone(), found, RATE, "negative-norm")
    assert float(everything.norm()) == 0  # nothing but rounding is left: descent stands still


def test_a_random_subspace_takes_what_one_that_is_formed_takes():
    """All of c has the distribution of a projection by QR of Gaussian columns: along c, and across
    it.
    """
    c, rng = torch.tensor([3.0, 0, 4, 0, 0, 0, 0]).double(), np.random.default_rng(1)
    normals = torch.from_numpy(rng.standard_normal((1500, 7)))
    mine = np.array([pruned_descent.elsewhere(c, 3, one, rng).numpy() for one in normals])
    frames = [np.linalg.qr(rng.standard_normal((7, 3)))[0] for _ in range(1500)]
    formed = np.array([frame @ (frame.T @ c.numpy()) for frame in frames])
    for direction in (c.numpy(), np.eye(7)[1], np.array([4.0, 0, -3, 0, 0, 0, 0])):
        assert stats.ks_2samp(mine @ direction, formed @ direction).pvalue > 0.01
    # ⟨c, Pc⟩ = |Pc|²
    np.testing.assert_allclose((mine * mine).sum(1), mine @ c.numpy(), rtol=1e-12)
    assert (
        pruned_descent.elsewhere(c, 7, c, rng) is c
        and not pruned_descent.elsewhere(0 * c, 3, c, rng).any()
    )


def test_random_subspaces_do_not_depend_on_the_signs_of_eigenvectors(quadratic):
    matrix, vectors, found = quadratic
    gradient = vectors.sum(1)
    signs = torch.tensor([1.0, -1, 1, -1, -1, 1]).double()
    turned = dataclasses.replace(found, vectors=found.vectors * signs)
    one, two = (
        pruned(gradient, some, RATE, "random-same", pruned_descent.stream(3, 5))
        for some in (found, turned)
    )
    torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_pruned_gradient_is_orthogonal_to_what_was_pruned_and_whole_outside(activation):
    task = minibatches.batch_task(small(activation), torch.arange(2))
    params = task.initial(1)[0]
    gradient = torch.func.grad(task.objective)(params)
    found = batch_hessian.spectrum(task, params)
    left = pruned(gradient, found, RATE, "negative")
    coefficients, mask = found.project(left), torch.from_numpy(found.classes(RATE).negative)
    assert 0 < int(mask.sum()) < len(mask) < found.size
    whole = found.project(gradient)
    assert float(coefficients[mask].norm()) < 1e-14 < 1e-3 < float(whole[mask].norm())
    torch.testing.assert_close(coefficients[~mask], whole[~mask], atol=1e-15, rtol=0)
    # The gradient has no part outside the range, so there is nothing to prune; a penalty's part
    # would stay.
    assert float((gradient - found.expand(found.project(gradient))).norm()) < 1e-14
    outside = torch.randn(found.size, dtype=torch.float64)
    outside -= found.expand(found.project(outside))
    both = pruned(gradient + outside, found, RATE, "negative")
    torch.testing.assert_close(both, left + outside, atol=1e-14, rtol=0)


def trained(make, steps=12, activation="tanh"):
    """Flat weights after some steps of ``make(module, batch)``, always on the same batches."""
    task = small(activation)
    module = nn.Sequential(*task.network.module(task.initial(1)[0]))
    batch, criterion = {}, nn.CrossEntropyLoss()
    optimizer = make(module, batch)
    for _, index in zip(range(steps), minibatches.order(23, 4)):
        batch["x"], batch["y"] = task.x[index], task.y[index]
        optimizer.zero_grad()
        if isinstance(optimizer, torch.optim.SGD) or optimizer.spectrum is not None:
            criterion(module(batch["x"]), batch["y"]).backward()
            optimizer.step()
        else:
            optimizer.step(lambda: criterion(module(batch["x"]), batch["y"]))
    parts = [torch.cat([m.weight, m.bias[:, None]], 1).flatten() for m in module[::2]]
    return torch.cat(parts).detach()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_pruning_nothing_is_sgd(momentum):
    def ours(rule, onset=0):
        return trained(
            lambda module, _: PrunedSGD(
                module.parameters(), RATE, rule, momentum=momentum, onset=onset
            )
        )

    sgd = trained(lambda module, _: torch.optim.SGD(module.parameters(), RATE, momentum))
    assert torch.equal(ours("none"), sgd) and torch.equal(ours("negative", 12), sgd)
    assert float((ours("negative", 11) - sgd).abs().max()) > 1e-4
    task = small()
    record = run(Descent(task, 4, momentum=momentum), task.initial(1), RATE, 12)
    torch.testing.assert_close(record.final[0], sgd, atol=1e-14, rtol=0)


@pytest.mark.parametrize(
    "rule", ["negative", "positive", "chaotic", "negative-norm", Rule("all", 2)], ids=str
)
def test_optimizer_dense_and_low_rank_and_map_are_the_same(rule):
    dense = trained(lambda module, _: PrunedSGD(module.parameters(), RATE, rule))

    def of_batch(module, batch):
        def spectrum():
            return batch_hessian.of_module(module, LOSS, batch["x"], batch["y"])

        return PrunedSGD(module.parameters(), RATE, rule, spectrum)

    torch.testing.assert_close(trained(of_batch), dense, atol=1e-10, rtol=0)
    task = small()
    w = task.initial(1)[0]
    for _, index in zip(range(12), minibatches.order(23, 4)):
        w = pruned_descent.step(part_of(task, index), w, RATE, rule)
    torch.testing.assert_close(w, dense, atol=1e-10, rtol=0)
    record = run(Descent(task, 4, rule, every=5), task.initial(1), RATE, 12)
    torch.testing.assert_close(record.final[0], w, atol=1e-13, rtol=0)


@pytest.mark.parametrize("rule", ["negative", "random-same"])
def test_a_saved_optimizer_goes_on(rule):
    task = small()
    criterion = nn.CrossEntropyLoss()
    batches = list(minibatches.order(23, 4, epochs=1))

    def go(module, optimizer, some):
        for index in some:
            optimizer.step(lambda: criterion(module(task.x[index]), task.y[index]))

    def fresh():
        module = task.network.module(task.initial(1)[0])
        return module, PrunedSGD(module.parameters(), RATE, rule, momentum=0.5, seed=3)

    whole, first, second = fresh(), fresh(), fresh()
    go(*whole, batches)
    go(*first, batches[:3])
    second[0].load_state_dict(first[0].state_dict())
    second[1].load_state_dict(first[1].state_dict())
    go(*second, batches[3:])
    pairs = zip(whole[0].parameters(), second[0].parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_linear_loss_has_nothing_to_prune():
    w = nn.Parameter(torch.ones(3, dtype=torch.float64))
    PrunedSGD([w], 0.5, "chaotic").step(lambda: w.sum())
    torch.testing.assert_close(w.data, torch.full((3,), 0.5, dtype=torch.float64))


@pytest.mark.parametrize("rule", ["negative", "random-same"])
def test_ten_steps_are_five_and_five(rule):
    task = small()
    how = Descent(task, 4, rule, onset=3, momentum=0.5, every=2)
    rates, seed, start = [0.1, 0.2, 0.2], [0, 0, 7], task.initial(3)
    whole = run(how, start, rates, 10, seed=seed)
    first = run(how, start, rates, 5, seed=seed)
    second = run(how, first.final, rates, 5, seed=seed, start=5, velocity=first.velocity)
    assert torch.equal(whole.final, second.final) and torch.equal(whole.velocity, second.velocity)
    np.testing.assert_array_equal(whole.loss, np.concatenate([first.loss, second.loss]))
    np.testing.assert_array_equal(whole.steps, [0, 2, 4, 6, 8, 10])
    np.testing.assert_array_equal(np.concatenate([first.steps, second.steps]), whole.steps)
    for name in whole.values:
        np.testing.assert_array_equal(whole[name], np.concatenate([first[name], second[name]]))
    assert np.all(whole["kept"][:2] == 1) and np.all(whole["kept"][2:] < 1)


def test_what_a_run_observes():
    task, rate = small("sigmoid"), 0.2
    start = task.initial(2)
    record = run(Descent(task, 4, "negative", every=6), start, rate, 6)
    part = part_of(task, next(minibatches.order(23, 4)))
    dense = hessian.hessians(part.objective, start)
    for k in range(2):
        values = torch.linalg.eigvalsh(dense[k]).numpy()
        seen = {name: found[0, k] for name, found in record.values.items()}
        assert seen["smallest"] == pytest.approx(values[0])
        assert seen["largest"] == pytest.approx(values[-1])
        assert seen["negative"] == (values < -1e-12 * values[-1]).sum() == seen["chaotic"]
        assert seen["positive"] == (values > 1e-12 * values[-1]).sum()
        length = float(torch.func.grad(part.objective)(start[k]).norm())
        assert seen["gradient_norm"] == pytest.approx(length)
        assert seen["kept"] == pytest.approx(np.sqrt(1 - seen["overlap_negative"]))
        assert record.loss[0, k] == pytest.approx(float(part.objective(start[k])))
        assert record["norm"][1, k] == pytest.approx(float(record.final[k].norm()))
        output = task.network.forward(record.final[k], task.x_test)
        right = (output.argmax(1) == task.y_test).double().mean()
        assert record["test_accuracy"][1, k] == float(right)
    shares = sum(record[f"overlap_{name}"] for name in ("negative", "positive", "neutral"))
    np.testing.assert_allclose(shares, 1)
    plain = run(Descent(task, 4, every=6, spectra=False), start, rate, 6)
    assert np.isnan(plain["negative"]).all() and np.all(plain["kept"] == 1)
    with pytest.raises(KeyError, match="was not observed; observed: test_loss"):
        plain["sharpness"]


@pytest.mark.parametrize("rule", ["none", "negative"])
def test_an_overflow_is_recorded(rule):
    task = small("relu", losses.HalfSquaredError())
    start = task.initial(2)
    record = run(Descent(task, 4, rule, every=1), start, [1e-3, 1e3], 60)
    quiet, gone = record.diverged_at
    assert quiet == -1 and 2 < gone < 60
    assert np.isfinite(record.loss[:, 0]).all()
    assert np.isfinite(record.loss[:gone, 1]).all() and np.isnan(record.loss[gone:, 1]).all()
    assert np.isfinite(record["norm"][:gone, 1]).all() and np.isnan(record["norm"][gone:, 1]).all()
    assert record.final[0].isfinite().all() and record.final[1].isnan().all()
    assert np.isnan(record["test_accuracy"]).all()  # no labels


def test_a_module_runs_as_the_perceptron_does():
    task = small()
    module = tasks.custom("m", task.network.module(), LOSS, task.x, task.y)
    start = task.initial(1)
    places = task.network.unpack(torch.arange(task.network.count))
    order = torch.cat([part.flatten() for pair in places for part in pair])
    one = run(Descent(task, 4, "negative", every=5), start, RATE, 5)
    other = run(Descent(module, 4, "negative", every=5), start[:, order], RATE, 5)
    torch.testing.assert_close(other.final[0], one.final[0, order], atol=1e-10, rtol=0)
    np.testing.assert_array_equal(other["negative"], one["negative"])


def test_a_run_can_be_stopped():
    with pytest.raises(Stopped, match="before step 0"):
        run(Descent(small(), 4), small().initial(2), RATE, 5, stop=lambda: True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, w: run(Descent(t, 4), w[0], RATE, 5), r"expected \(n, 39\)"),
        (lambda t, w: run(Descent(t, 4), w, [1, 2, 3], 5), "3 rates for 2 networks"),
        (lambda t, w: run(Descent(t, 4), w, 0, 5), "rates = 0: γ must be positive"),
        (lambda t, w: run(Descent(t, 4), w, RATE, 1.5), "steps = 1.5"),
        (lambda t, w: run(Descent(t, 4), w, RATE, 5, velocity=w[:1]), "velocity of shape"),
        (lambda t, w: Descent(t, 24), "batch = 24"),
        (lambda t, w: Descent(t, 4, "bad"), "unknown rule 'bad'; known: none, chaotic"),
        (lambda t, w: Descent(dataclasses.replace(t, weight_decay=0.1), 4), "weight_decay = 0.1"),
        (lambda t, w: Rule("bad"), "which = 'bad'"),
        (lambda t, w: Rule("all", 0), "count = 0"),
        (lambda t, w: Rule("all", 1, "bad"), "chosen = 'bad'"),
        (
            lambda t, w: pruned(w[0], batch_hessian.spectrum(t, w[0]), RATE, "random-same"),
            "give rng",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(small(), small().initial(2))


def test_an_optimizer_says_what_it_lacks(monkeypatch):
    w = nn.Parameter(torch.ones(3))
    with pytest.raises(ValueError, match="2 groups"):
        PrunedSGD([{"params": [w]}, {"params": [nn.Parameter(torch.ones(1))]}], 0.1)
    with pytest.raises(ValueError, match="momentum = 1"):
        PrunedSGD([w], 0.1, momentum=1)
    optimizer = PrunedSGD([w], 0.1)
    with pytest.raises(ValueError, match=r"call step\(closure\)"):
        optimizer.step()
    monkeypatch.setattr(batch_hessian, "DENSE", 2)
    with pytest.raises(ValueError, match="3 parameters: a Hessian is formed whole up to 2"):
        optimizer.step(lambda: w.square().sum())
