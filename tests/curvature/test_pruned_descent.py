"""Pruned descent: on quadratics in closed form, as an optimizer against PyTorch's own, and as runs
that can be taken up.
"""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from netdyn_lib.curvature import batch_hessian, hessian, pruning
from netdyn_lib.curvature.pruning import rules
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
    np.testing.assert_allclose(found.local_exponents(RATE), np.log(growth), atol=1e-13)


@pytest.mark.parametrize(
    "rule, gone",
    [
        ("none", []),
        ("chaotic", [-3, -0.5, 8]),
        ("negative", [-3, -0.5]),
        ("positive", [1, 5, 8]),
        (pruning.Rule("all"), [-3, -0.5, 1, 5, 8]),
        (pruning.Rule("all", 2), [8, 5]),
        (pruning.Rule("negative", 1), [-3]),
        (pruning.Rule("positive", 9), [1, 5, 8]),
    ],
)
def test_rules_take_out_their_eigendirections(quadratic, rule, gone):
    matrix, vectors, found = quadratic
    gradient = vectors.sum(1)  # 1 along each
    left = vectors.T @ pruning.pruned(gradient, found, RATE, rule)
    np.testing.assert_allclose(left, ~np.isin(VALUES, gone), atol=1e-14)


def test_a_quadratic_descends_in_closed_form(quadratic):
    """Pruned descent multiplies what is kept by 1 − γλ and leaves the rest where it is: no orbit of
    a quadratic grows.
    """
    matrix, vectors, found = quadratic
    w = start = vectors @ torch.arange(1.0, 7, dtype=torch.float64)
    for _ in range(7):
        w = w - RATE * pruning.pruned(matrix @ w, found, RATE, "chaotic")
    expected = np.arange(1, 7) * np.where(found.classes(RATE).chaotic, 1, (1 - RATE * VALUES) ** 7)
    np.testing.assert_allclose(vectors.T @ w, expected, atol=1e-12)
    assert w.norm() < start.norm() and (np.abs(1 - RATE * VALUES) ** 7).max() > 40


def test_controls_of_length_and_number(quadratic):
    _, vectors, found = quadratic
    gradient, rng = vectors[:, [0, 1, 3, 4, 5]].sum(1), np.random.default_rng(0)
    whole = float(gradient.norm())
    cut = pruning.pruned(gradient, found, RATE, "negative")
    restored = pruning.pruned(gradient, found, RATE, "negative-norm")
    assert float(restored.norm()) == pytest.approx(whole)
    torch.testing.assert_close(restored / restored.norm(), cut / cut.norm())
    shares = []
    for _ in range(400):
        left = pruning.pruned(gradient, found, RATE, "random-same", rng)
        shares.append(float(left.norm() / whole) ** 2)
        assert abs(float(left @ vectors[:, 2])) < 1e-14  # the neutral direction is not in the span
        assert float(left @ (gradient - left)) == pytest.approx(0, abs=1e-13)  # a projection
    # 2 of 5 directions
    assert stats.kstest(1 - np.array(shares), stats.beta(2 / 2, 3 / 2).cdf).pvalue > 0.01
    picked = [
        pruning.pruned(gradient, found, RATE, pruning.Rule("positive", 2, "random"), rng)
        for _ in range(60)
    ]
    kept = torch.stack([vectors.T @ p for p in picked])[:, 3:]
    np.testing.assert_allclose(kept.sum(1), 1, atol=1e-13)
    assert all(kept.mean(0) > 0.1)
    everything = pruning.pruned(vectors[:, 0].clone(), found, RATE, "negative-norm")
    assert float(everything.norm()) == 0  # nothing but rounding is left: descent stands still


def test_a_random_subspace_takes_what_one_that_is_formed_takes():
    """All of c has the distribution of a projection by QR of Gaussian columns: along c, and across
    it.
    """
    c, rng = (
        torch.tensor([3.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64),
        np.random.default_rng(1),
    )
    mine = np.array(
        [
            rules.elsewhere(c, 3, torch.from_numpy(rng.standard_normal(7)), rng).numpy()
            for _ in range(1500)
        ]
    )
    frames = [np.linalg.qr(rng.standard_normal((7, 3)))[0] for _ in range(1500)]
    formed = np.array([frame @ (frame.T @ c.numpy()) for frame in frames])
    for direction in (c.numpy(), np.eye(7)[1], np.array([4.0, 0, -3, 0, 0, 0, 0])):
        assert stats.ks_2samp(mine @ direction, formed @ direction).pvalue > 0.01
    # ⟨c, Pc⟩ = |Pc|²
    np.testing.assert_allclose((mine * mine).sum(1), mine @ c.numpy(), rtol=1e-12)
    assert rules.elsewhere(c, 7, c, rng) is c and not rules.elsewhere(0 * c, 3, c, rng).any()


def test_random_subspaces_do_not_depend_on_the_signs_of_eigenvectors(quadratic):
    matrix, vectors, found = quadratic
    gradient = vectors.sum(1)
    turned = dataclasses.replace(
        found, vectors=found.vectors * torch.tensor([1.0, -1, 1, -1, -1, 1]).to(found.vectors)
    )
    one, two = (
        pruning.pruned(gradient, some, RATE, "random-same", rules.stream(3, 5))
        for some in (found, turned)
    )
    torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_pruned_gradient_is_orthogonal_to_what_was_pruned_and_whole_outside(activation):
    task = minibatches.batch_task(small(activation), torch.arange(2))
    params = task.initial(1)[0]
    gradient = torch.func.grad(task.objective)(params)
    found = batch_hessian.spectrum(task, params)
    left = pruning.pruned(gradient, found, RATE, "negative")
    coefficients, mask = found.project(left), torch.from_numpy(found.classes(RATE).negative)
    assert 0 < int(mask.sum()) < len(mask) < found.size
    assert (
        float(coefficients[mask].norm())
        < 1e-14
        < 1e-3
        < float(found.project(gradient)[mask].norm())
    )
    torch.testing.assert_close(
        coefficients[~mask], found.project(gradient)[~mask], atol=1e-15, rtol=0
    )
    # The gradient has no part outside the range, so there is nothing to prune; a penalty's part
    # would stay.
    assert float((gradient - found.expand(found.project(gradient))).norm()) < 1e-14
    outside = torch.randn(found.size, dtype=torch.float64)
    outside -= found.expand(found.project(outside))
    torch.testing.assert_close(
        pruning.pruned(gradient + outside, found, RATE, "negative"),
        left + outside,
        atol=1e-14,
        rtol=0,
    )


def trained(make, steps=12, activation="tanh"):
    """Flat weights after some steps of an optimizer, from the same start on the same batches;
    ``make(module, batch)``.
    """
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
    return torch.cat(
        [torch.cat([m.weight, m.bias[:, None]], 1).flatten() for m in module[::2]]
    ).detach(), optimizer


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_pruning_nothing_is_sgd(momentum):
    sgd = trained(
        lambda module, _: torch.optim.SGD(module.parameters(), lr=RATE, momentum=momentum)
    )[0]
    for options in ({"rule": "none"}, {"rule": "negative", "onset": 12}):
        ours = trained(
            lambda module, _: pruning.PrunedSGD(
                module.parameters(), RATE, momentum=momentum, **options
            )
        )[0]
        assert torch.equal(ours, sgd)
    late = trained(
        lambda module, _: pruning.PrunedSGD(
            module.parameters(), RATE, "negative", momentum=momentum, onset=11
        )
    )[0]
    assert float((late - sgd).abs().max()) > 1e-4
    task = small()
    record = pruning.run(task, task.initial(1), RATE, 4, 12, momentum=momentum, every=12)
    torch.testing.assert_close(record.final[0], sgd, atol=1e-14, rtol=0)


@pytest.mark.parametrize(
    "rule", ["negative", "positive", "chaotic", "negative-norm", pruning.Rule("all", 2)], ids=str
)
def test_optimizer_dense_and_low_rank_and_map_agree(rule):
    dense = trained(lambda module, _: pruning.PrunedSGD(module.parameters(), RATE, rule))[0]

    def of_batch(module, batch):
        return pruning.PrunedSGD(
            module.parameters(),
            RATE,
            rule,
            lambda: batch_hessian.of_module(module, LOSS, batch["x"], batch["y"]),
        )

    low = trained(of_batch)[0]
    torch.testing.assert_close(low, dense, atol=1e-10, rtol=0)
    task = small()
    w = task.initial(1)[0]
    for _, index in zip(range(12), minibatches.order(23, 4)):
        w = pruning.step(task, w, task.x[index], task.y[index], RATE, rule)
    torch.testing.assert_close(w, dense, atol=1e-10, rtol=0)
    record = pruning.run(task, task.initial(1), RATE, 4, 12, rule, every=5)
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
        return module, pruning.PrunedSGD(module.parameters(), RATE, rule, momentum=0.5, seed=3)

    whole, first, second = fresh(), fresh(), fresh()
    go(*whole, batches)
    go(*first, batches[:3])
    second[0].load_state_dict(first[0].state_dict())
    second[1].load_state_dict(first[1].state_dict())
    go(*second, batches[3:])
    assert all(
        torch.equal(a, b)
        for a, b in zip(whole[0].parameters(), second[0].parameters(), strict=True)
    )


def test_a_linear_loss_has_nothing_to_prune():
    w = nn.Parameter(torch.ones(3, dtype=torch.float64))
    pruning.PrunedSGD([w], 0.5, "chaotic").step(lambda: w.sum())
    torch.testing.assert_close(w.data, torch.full((3,), 0.5, dtype=torch.float64))


@pytest.mark.parametrize("rule", ["negative", "random-same"])
def test_ten_steps_are_five_and_five(rule):
    task = small()
    settings = {"rule": rule, "onset": 3, "seed": [0, 0, 7], "every": 2, "momentum": 0.5}
    rates = [0.1, 0.2, 0.2]
    start = task.initial(3)
    whole = pruning.run(task, start, rates, 4, 10, **settings)
    first = pruning.run(task, start, rates, 4, 5, **settings)
    second = pruning.run(
        task, first.final, rates, 4, 5, start=5, velocity=first.velocity, **settings
    )
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
    record = pruning.run(task, start, rate, 4, 6, "negative", every=6, workers=1)
    index = next(minibatches.order(23, 4))
    part = minibatches.batch_task(task, torch.from_numpy(index))
    dense = hessian.hessians(part.objective, start)
    for k in range(2):
        values, gradient = (
            torch.linalg.eigvalsh(dense[k]).numpy(),
            torch.func.grad(part.objective)(start[k]),
        )
        assert record["smallest"][0, k] == pytest.approx(values[0]) and record["largest"][
            0, k
        ] == pytest.approx(values[-1])
        assert (
            record["negative"][0, k]
            == (values < -1e-12 * values[-1]).sum()
            == record["chaotic"][0, k]
        )
        assert record["positive"][0, k] == (values > 1e-12 * values[-1]).sum()
        assert record["gradient_norm"][0, k] == pytest.approx(float(gradient.norm()))
        assert record["kept"][0, k] == pytest.approx(np.sqrt(1 - record["overlap_negative"][0, k]))
        assert record.loss[0, k] == pytest.approx(float(part.objective(start[k])))
        assert record["norm"][1, k] == pytest.approx(float(record.final[k].norm()))
        accuracy = (
            (task.network.forward(record.final[k], task.x_test).argmax(1) == task.y_test)
            .double()
            .mean()
        )
        assert record["test_accuracy"][1, k] == float(accuracy)
    shares = sum(record[f"overlap_{name}"] for name in ("negative", "positive", "neutral"))
    np.testing.assert_allclose(shares, 1)
    plain = pruning.run(task, start, rate, 4, 6, every=6, spectra=False)
    assert np.isnan(plain["negative"]).all() and np.all(plain["kept"] == 1)
    with pytest.raises(KeyError, match="was not observed; observed: test_loss"):
        plain["sharpness"]


@pytest.mark.parametrize("rule", ["none", "negative"])
def test_an_overflow_is_recorded(rule):
    task = small("relu", losses.HalfSquaredError())
    start = task.initial(2)
    record = pruning.run(task, start, [1e-3, 1e3], 4, 60, rule, every=1)
    quiet, gone = record.diverged_at
    assert quiet == -1 and 2 < gone < 60
    assert (
        np.isfinite(record.loss[:, 0]).all()
        and np.isfinite(record.loss[:gone, 1]).all()
        and np.isnan(record.loss[gone:, 1]).all()
    )
    assert np.isfinite(record["norm"][:gone, 1]).all() and np.isnan(record["norm"][gone:, 1]).all()
    assert record.final[0].isfinite().all() and record.final[1].isnan().all()
    assert np.isnan(record["test_accuracy"]).all()  # no labels


def test_a_module_runs_as_the_perceptron_does():
    task = small()
    module = tasks.custom("m", task.network.module(), LOSS, task.x, task.y)
    start = task.initial(1)
    order = torch.cat(
        [
            part.flatten()
            for pair in task.network.unpack(torch.arange(task.network.count))
            for part in pair
        ]
    )
    one = pruning.run(task, start, RATE, 4, 5, "negative", every=5)
    other = pruning.run(module, start[:, order], RATE, 4, 5, "negative", every=5)
    torch.testing.assert_close(other.final[0], one.final[0, order], atol=1e-10, rtol=0)
    np.testing.assert_array_equal(other["negative"], one["negative"])


def test_a_run_can_be_stopped():
    with pytest.raises(Stopped, match="before step 0"):
        pruning.run(small(), small().initial(2), RATE, 4, 5, stop=lambda: True)


def test_bad_input_is_refused(quadratic):
    task, matrix = small(), quadratic
    start = task.initial(2)
    for arguments, message in (
        ((start[0], RATE, 4, 5), r"expected \(n, 39\)"),
        ((start, [1, 2, 3], 4, 5), "3 rates for 2 networks"),
        ((start, 0, 4, 5), "rates = 0: γ must be positive"),
        ((start, RATE, 24, 5), "batch = 24"),
        ((start, RATE, 4, 1.5), "steps = 1.5"),
        ((start, RATE, 4, 5, "bad"), "unknown rule 'bad'; known: none, chaotic"),
    ):
        with pytest.raises(ValueError, match=message):
            pruning.run(task, *arguments)
    with pytest.raises(ValueError, match="velocity of shape"):
        pruning.run(task, start, RATE, 4, 5, velocity=start[:1])
    decay = tasks.custom("d", task.network, LOSS, task.x, task.y, weight_decay=0.1)
    with pytest.raises(ValueError, match="weight_decay = 0.1"):
        pruning.run(decay, start, RATE, 4, 5)
    for arguments, message in (
        (("bad",), "which = 'bad'"),
        (("all", 0), "count = 0"),
        (("all", 1, "bad"), "chosen = 'bad'"),
    ):
        with pytest.raises(ValueError, match=message):
            pruning.Rule(*arguments)
    with pytest.raises(ValueError, match="give rng"):
        pruning.pruned(matrix[1][0], matrix[2], RATE, "random-same")


def test_an_optimizer_says_what_it_lacks(monkeypatch):
    w = nn.Parameter(torch.ones(3))
    with pytest.raises(ValueError, match="2 groups"):
        pruning.PrunedSGD([{"params": [w]}, {"params": [nn.Parameter(torch.ones(1))]}], 0.1)
    with pytest.raises(ValueError, match="momentum = 1"):
        pruning.PrunedSGD([w], 0.1, momentum=1)
    optimizer = pruning.PrunedSGD([w], 0.1)
    with pytest.raises(ValueError, match=r"call step\(closure\)"):
        optimizer.step()
    monkeypatch.setattr(batch_hessian, "DENSE", 2)
    with pytest.raises(ValueError, match="3 parameters: a Hessian is formed whole up to 2"):
        optimizer.step(lambda: w.square().sum())
