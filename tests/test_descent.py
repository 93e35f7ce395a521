import numpy as np
import pytest
import torch

from netdyn_lib import descent, losses, lyapunov, networks, observables, tasks

IRIS = tasks.get("iris")


def balls(count=4, copies=5):
    return networks.perturbed(IRIS.initial(count), 1e-8, copies)


def plain_training(params, rate, epochs, decay=0.0):
    """The rival, and the truth: one network, autograd and torch.optim.SGD."""
    module = IRIS.network.module(params)
    optimiser = torch.optim.SGD(module.parameters(), lr=rate, weight_decay=decay)
    losses_seen = []
    for _ in range(epochs):
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(module(IRIS.x), IRIS.y)
        losses_seen.append(value.item())
        value.backward()
        optimiser.step()
    return np.array(losses_seen), module


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_descent_equals_plain_training(decay):
    start = IRIS.initial(3)
    record = descent.run(descent.GradientDescent(IRIS, 0.5, decay), start, 25, observe=("loss",))
    for k in range(3):
        seen, module = plain_training(start[k], 0.5, 25, decay)
        np.testing.assert_allclose(record["loss"][:25, k], seen, rtol=1e-9)
        for (w, b), layer in zip(IRIS.network.unpack(record.final[k]), (module[0], module[2])):
            torch.testing.assert_close(w, layer.weight.data, rtol=1e-8, atol=1e-9)
            torch.testing.assert_close(b, layer.bias.data, rtol=1e-8, atol=1e-9)


def test_one_step_is_the_map():
    start = IRIS.initial(3)
    gd = descent.GradientDescent(IRIS, 0.5, 0.01)
    torch.testing.assert_close(descent.run(gd, start, 1).final, gd.step(start), rtol=1e-13, atol=1e-13)


def test_fast_path_and_any_module_give_the_same_numbers():
    module = tasks.custom("module", IRIS.network.module(), losses.CrossEntropy(), IRIS.x, IRIS.y)
    start = IRIS.initial(4)
    unordered = torch.stack([torch.cat([p.flatten() for p in IRIS.network.module(w).parameters()]).detach() for w in start])
    fast = descent.run(descent.GradientDescent(IRIS, 1.0), start, 20)
    slow = descent.run(descent.GradientDescent(module, 1.0), unordered, 20)
    np.testing.assert_allclose(fast["loss"], slow["loss"], rtol=1e-10)


def test_an_initial_condition_gives_the_same_numbers_in_any_batch():
    gd, start = descent.GradientDescent(IRIS, 1.0), balls(13)
    whole = descent.run(gd, start, 201, observe=("mean_distance",), workers=1)
    for rows, workers, chunk in ((slice(0, 1), 1, None), (slice(3, 10), 2, 3), (slice(5, 6), 3, 1), (slice(0, 13), 2, 2)):
        part = descent.run(gd, start[rows], 201, observe=("mean_distance",), workers=workers, chunk=chunk)
        assert torch.equal(part.final, whole.final[rows])
        assert np.array_equal(part["mean_distance"], whole["mean_distance"][:, rows])
    fits = [lyapunov.best_fit(r["mean_distance"]) for r in (part, whole)]
    assert np.array_equal(fits[0].slope, fits[1].slope)


def test_threads_do_not_change_results():
    gd, start = descent.GradientDescent(IRIS, 1.0), balls(6)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(descent.run(gd, start, 100, observe=("distance",)))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(results[0]["distance"], results[1]["distance"])


def test_modules_can_run_in_several_threads():
    module = tasks.custom("module", torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)), losses.CrossEntropy(), IRIS.x, IRIS.y)
    gd, start = descent.GradientDescent(module, 0.5), module.initial(12)
    names = ("loss", "test_accuracy")
    one = descent.run(gd, start, 60, observe=names, workers=1, chunk=1)
    many = descent.run(gd, start, 60, observe=names, workers=4, chunk=1)
    for name in names:
        np.testing.assert_allclose(many[name], one[name], rtol=1e-9)


def test_a_twin_without_perturbation_stays_at_distance_zero():
    start = IRIS.initial(5)
    twins = torch.stack([start, start], 1)
    record = descent.run(descent.GradientDescent(IRIS, 5.0), twins, 300, observe=("distance",))
    assert (record["distance"] == 0).all()


def test_several_learning_rates_advance_as_one_batch():
    start = IRIS.initial(3)
    grid, rates = descent.each_rate(start, (0.1, 1.0))
    record = descent.run(descent.GradientDescent(IRIS, rates), grid, 30)
    by_rate = record.by_rate("loss", 2)
    for k, rate in enumerate((0.1, 1.0)):
        alone = descent.run(descent.GradientDescent(IRIS, rate), start, 30)
        assert np.array_equal(by_rate[:, k], alone["loss"])


def test_observation_times_and_shapes():
    gd, start = descent.GradientDescent(IRIS, 0.1), balls(3, copies=2)
    names = ("loss", "accuracy", "test_accuracy", "norm", "distance", "mean_distance", "weights")
    record = descent.run(gd, start, 250, observe=names, every=50)
    assert record.epochs.tolist() == [0, 50, 100, 150, 200, 250]
    shapes = {k: record[k].shape for k in names}
    assert shapes["loss"] == shapes["accuracy"] == shapes["test_accuracy"] == shapes["norm"] == (6, 3, 3)
    assert shapes["distance"] == (6, 3, 2) and shapes["mean_distance"] == (6, 3) and shapes["weights"] == (6, 3, 3, 83)
    np.testing.assert_allclose(record["weights"][-1], record.final.numpy())
    np.testing.assert_allclose(record["norm"], np.linalg.norm(record["weights"], axis=-1))
    assert descent.run(gd, start[:, 0], 250, observe=("weights",), every=50)["weights"].shape == (6, 3, 83)
    assert descent.run(gd, start[:, 0], 0)["loss"].shape == (1, 3)


def test_observed_values_are_those_of_the_weights():
    record = descent.run(descent.GradientDescent(IRIS, 1.0), IRIS.initial(2), 40, observe=("loss", "accuracy", "test_accuracy", "weights"), every=20)
    for t, k in np.ndindex(3, 2):
        w = torch.tensor(record["weights"][t, k])
        assert record["loss"][t, k] == pytest.approx(float(IRIS.objective(w)), rel=1e-12)
        assert record["accuracy"][t, k] == (IRIS.network.forward(w, IRIS.x).argmax(1) == IRIS.y).double().mean()
        wrong = observables.misclassified(IRIS, w)
        assert record["test_accuracy"][t, k] == pytest.approx(1 - wrong[1].mean())


def test_an_overflow_is_recorded_and_leaves_the_others_alone():
    x = torch.ones(4, 1, dtype=torch.float64)
    linear = tasks.custom("quadratic", networks.MLP((1, 1)), losses.HalfSquaredError(), x, torch.zeros(4, 1, dtype=torch.float64))
    rates = (0.01, 1e3, 0.02)  # |1 − ηλ| with λ = 8 on (w, b): the second one overflows
    start = torch.ones(3, 2, dtype=torch.float64)
    record = descent.run(descent.GradientDescent(linear, rates), start, 300)
    step = int(np.log(np.finfo(float).max) / np.log(8e3 - 1)) + 1  # (w, b) grow by |1 − ηλ| each epoch
    assert record.diverged_at.tolist()[0::2] == [-1, -1]
    assert abs(int(record.diverged_at[1]) - step) <= 1
    assert np.isnan(record["loss"][record.diverged_at[1] :, 1]).all()
    assert np.isfinite(record["loss"][:, [0, 2]]).all()
    alone = descent.run(descent.GradientDescent(linear, rates[2]), start[2:], 300)
    assert np.array_equal(alone["loss"][:, 0], record["loss"][:, 2])


def test_a_copy_that_diverges_is_told_from_its_reference():
    x = torch.ones(4, 1, dtype=torch.float64)
    linear = tasks.custom("quadratic", networks.MLP((1, 1)), losses.HalfSquaredError(), x, torch.zeros(4, 1, dtype=torch.float64))
    group = torch.tensor([[[0.0, 0.0], [1e-8, 0.0]]], dtype=torch.float64)  # the reference is the fixed point itself
    record = descent.run(descent.GradientDescent(linear, 1e3), group, 200, observe=("distance", "loss"))
    assert record.diverged_at[0, 0] == -1 and record.diverged_at[0, 1] > 0
    assert np.isfinite(record["loss"][:, 0, 0]).all() and np.isnan(record["distance"][-1, 0, 0])


def test_a_stream_holds_one_block_at_a_time():
    gd, start = descent.GradientDescent(IRIS, 1.0), balls(2)
    blocks = [b for b, _ in descent.stream(gd, start, 950, observe=("distance",))]
    assert max(len(b.epochs) for b in blocks) <= 101
    times = np.concatenate([b.epochs for b in blocks])
    assert times.tolist() == list(range(951))


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), (1.0, -1.0), ()])
def test_impossible_learning_rates_are_refused(bad):
    with pytest.raises(ValueError, match="η must be positive and finite"):
        descent.GradientDescent(IRIS, bad)


def test_bad_input_is_refused():
    gd, start = descent.GradientDescent(IRIS, 1.0), balls(2)
    for decay in (-1e-3, float("nan")):
        with pytest.raises(ValueError, match="weight_decay"):
            descent.GradientDescent(IRIS, 1.0, decay)
    with pytest.raises(ValueError, match=r"\(2, 6, 82\); expected \(n, 83\)"):
        descent.run(gd, start[..., 1:], 1)
    with pytest.raises(ValueError, match="ensemble of zero"):
        descent.run(gd, start[:0], 1)
    with pytest.raises(ValueError, match="unknown observable 'colour'; known: loss"):
        descent.run(gd, start, 1, observe=("colour",))
    with pytest.raises(ValueError, match="needs perturbed copies"):
        descent.run(gd, start[:, 0], 1, observe=("distance",))
    with pytest.raises(ValueError, match="every = 0"):
        descent.run(gd, start, 1, every=0)
    with pytest.raises(ValueError, match="epochs = -1"):
        descent.run(gd, start, -1)
    with pytest.raises(ValueError, match="3 learning rates for 2 initial conditions"):
        descent.run(descent.GradientDescent(IRIS, (1.0, 1.0, 1.0)), start, 1)
    with pytest.raises(KeyError, match="'norm' was not observed; observed: loss"):
        descent.run(gd, start, 1)["norm"]
