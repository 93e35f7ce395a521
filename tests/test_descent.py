import threading
import time

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import ensembles, gradient_descent, observables

IRIS = tasks.get("iris")


def quadratic(features=1):
    """A linear network with weight and bias, whose loss is a quadratic of curvature 8 along (1, 1),
    and 0 at the origin.
    """
    x = torch.ones(4, features, dtype=torch.float64)
    return tasks.custom(
        "quadratic",
        networks.MLP((features, 1)),
        losses.HalfSquaredError(),
        x,
        torch.zeros(4, 1, dtype=torch.float64),
    )


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
    record = gradient_descent.run(
        gradient_descent.GradientDescent(IRIS, 0.5, decay), start, 25, observe=("loss",)
    )
    for k in range(3):
        seen, module = plain_training(start[k], 0.5, 25, decay)
        np.testing.assert_allclose(record["loss"][:25, k], seen, rtol=1e-9)
        for (w, b), layer in zip(IRIS.network.unpack(record.final[k]), (module[0], module[2])):
            torch.testing.assert_close(w, layer.weight.data, rtol=1e-8, atol=1e-9)
            torch.testing.assert_close(b, layer.bias.data, rtol=1e-8, atol=1e-9)


def test_one_step_is_the_map():
    start = IRIS.initial(3)
    gd = gradient_descent.GradientDescent(IRIS, 0.5, 0.01)
    torch.testing.assert_close(
        gradient_descent.run(gd, start, 1).final, gd.step(start), rtol=1e-13, atol=1e-13
    )


def test_fast_path_and_any_module_give_the_same_numbers():
    module = tasks.custom("module", IRIS.network.module(), losses.CrossEntropy(), IRIS.x, IRIS.y)
    start = IRIS.initial(4)
    unordered = torch.stack(
        [
            torch.cat([p.flatten() for p in IRIS.network.module(w).parameters()]).detach()
            for w in start
        ]
    )
    fast = gradient_descent.run(gradient_descent.GradientDescent(IRIS, 1.0), start, 20)
    slow = gradient_descent.run(gradient_descent.GradientDescent(module, 1.0), unordered, 20)
    np.testing.assert_allclose(fast["loss"], slow["loss"], rtol=1e-10)


def test_an_initial_condition_gives_the_same_numbers_in_any_batch():
    gd, start = gradient_descent.GradientDescent(IRIS, 1.0), balls(13)
    whole = gradient_descent.run(gd, start, 201, observe=("mean_distance",), workers=1)
    for rows, workers, chunk in (
        (slice(0, 1), 1, None),
        (slice(3, 10), 2, 3),
        (slice(5, 6), 3, 1),
        (slice(0, 13), 2, 2),
    ):
        part = gradient_descent.run(
            gd, start[rows], 201, observe=("mean_distance",), workers=workers, chunk=chunk
        )
        assert torch.equal(part.final, whole.final[rows])
        assert np.array_equal(part["mean_distance"], whole["mean_distance"][:, rows])
    fits = [growth_fits.best_fit(r["mean_distance"]) for r in (part, whole)]
    assert np.array_equal(fits[0].slope, fits[1].slope)


def test_threads_do_not_change_results():
    gd, start = gradient_descent.GradientDescent(IRIS, 1.0), balls(6)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(gradient_descent.run(gd, start, 100, observe=("distance",)))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(results[0]["distance"], results[1]["distance"])


def test_modules_can_run_in_several_threads():
    module = tasks.custom(
        "module",
        torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)),
        losses.CrossEntropy(),
        IRIS.x,
        IRIS.y,
    )
    gd, start = gradient_descent.GradientDescent(module, 0.5), module.initial(12)
    names = ("loss", "test_accuracy")
    one = gradient_descent.run(gd, start, 60, observe=names, workers=1, chunk=1)
    many = gradient_descent.run(gd, start, 60, observe=names, workers=4, chunk=1)
    for name in names:
        np.testing.assert_allclose(many[name], one[name], rtol=1e-9)


def test_a_twin_without_perturbation_stays_at_distance_zero():
    start = IRIS.initial(5)
    twins = torch.stack([start, start], 1)
    record = gradient_descent.run(
        gradient_descent.GradientDescent(IRIS, 5.0), twins, 300, observe=("distance",)
    )
    assert (record["distance"] == 0).all()


def test_several_learning_rates_advance_as_one_batch():
    start = IRIS.initial(3)
    grid, rates = gradient_descent.each_rate(start, (0.1, 1.0))
    record = gradient_descent.run(gradient_descent.GradientDescent(IRIS, rates), grid, 30)
    by_rate = record.by_rate("loss", 2)
    for k, rate in enumerate((0.1, 1.0)):
        alone = gradient_descent.run(gradient_descent.GradientDescent(IRIS, rate), start, 30)
        assert np.array_equal(by_rate[:, k], alone["loss"])


def test_observation_times_and_shapes():
    gd, start = gradient_descent.GradientDescent(IRIS, 0.1), balls(3, copies=2)
    names = ("loss", "accuracy", "test_accuracy", "norm", "distance", "mean_distance", "weights")
    record = gradient_descent.run(gd, start, 250, observe=names, every=50)
    assert record.epochs.tolist() == [0, 50, 100, 150, 200, 250]
    shapes = {k: record[k].shape for k in names}
    assert (
        shapes["loss"]
        == shapes["accuracy"]
        == shapes["test_accuracy"]
        == shapes["norm"]
        == (6, 3, 3)
    )
    assert (
        shapes["distance"] == (6, 3, 2)
        and shapes["mean_distance"] == (6, 3)
        and shapes["weights"] == (6, 3, 3, 83)
    )
    np.testing.assert_allclose(record["weights"][-1], record.final.numpy())
    np.testing.assert_allclose(record["norm"], np.linalg.norm(record["weights"], axis=-1))
    assert gradient_descent.run(gd, start[:, 0], 250, observe=("weights",), every=50)[
        "weights"
    ].shape == (6, 3, 83)
    assert gradient_descent.run(gd, start[:, 0], 0)["loss"].shape == (1, 3)


def test_observed_values_are_those_of_the_weights():
    record = gradient_descent.run(
        gradient_descent.GradientDescent(IRIS, 1.0),
        IRIS.initial(2),
        40,
        observe=("loss", "accuracy", "test_accuracy", "weights"),
        every=20,
    )
    for t, k in np.ndindex(3, 2):
        w = torch.tensor(record["weights"][t, k])
        assert record["loss"][t, k] == pytest.approx(float(IRIS.objective(w)), rel=1e-12)
        assert (
            record["accuracy"][t, k]
            == (IRIS.network.forward(w, IRIS.x).argmax(1) == IRIS.y).double().mean()
        )
        wrong = observables.misclassified(IRIS, w)
        assert record["test_accuracy"][t, k] == pytest.approx(1 - wrong[1].mean())


def test_an_overflow_is_recorded_and_leaves_the_others_alone():
    linear = quadratic()
    rates = (0.01, 1e3, 0.02)  # |1 − ηλ| with λ = 8 on (w, b): the second one overflows
    start = torch.ones(3, 2, dtype=torch.float64)
    record = gradient_descent.run(gradient_descent.GradientDescent(linear, rates), start, 300)
    # (w, b) grow by |1 − ηλ| each epoch
    step = int(np.log(np.finfo(float).max) / np.log(8e3 - 1)) + 1
    assert record.diverged_at.tolist()[0::2] == [-1, -1]
    assert abs(int(record.diverged_at[1]) - step) <= 1
    assert np.isnan(record["loss"][record.diverged_at[1] :, 1]).all()
    assert np.isfinite(record["loss"][:, [0, 2]]).all()
    alone = gradient_descent.run(gradient_descent.GradientDescent(linear, rates[2]), start[2:], 300)
    assert np.array_equal(alone["loss"][:, 0], record["loss"][:, 2])


def test_a_copy_that_diverges_is_told_from_its_reference():
    linear = quadratic()
    # the reference is the fixed point itself
    group = torch.tensor([[[0.0, 0.0], [1e-8, 0.0]]], dtype=torch.float64)
    record = gradient_descent.run(
        gradient_descent.GradientDescent(linear, 1e3), group, 200, observe=("distance", "loss")
    )
    assert record.diverged_at[0, 0] == -1 and record.diverged_at[0, 1] > 0
    assert np.isfinite(record["loss"][:, 0, 0]).all() and np.isnan(record["distance"][-1, 0, 0])
    assert record.alive.tolist() == [False]


def two_of_three_overflow(epochs, **options):
    """Runs whose second and third networks overflow at about epochs 79 and 154."""
    gd = gradient_descent.GradientDescent(quadratic(), (0.01, 1e3, 12.7))
    return gradient_descent.run(gd, torch.ones(3, 2, dtype=torch.float64), epochs, **options)


def test_diverged_networks_can_be_left_out():
    record = two_of_three_overflow(300)
    assert record.alive.tolist() == [True, False, False]
    assert np.isfinite(record["loss"][:, record.alive]).all()


def test_one_block_is_gone_through_twice_for_one_divergence(monkeypatch):
    watched = []
    iterate = ensembles.Simulation._iterate

    def counted(self, chunk, epochs, last, watch=False):
        watched.append(self.epoch if watch else None)
        return iterate(self, chunk, epochs, last, watch)

    monkeypatch.setattr(ensembles.Simulation, "_iterate", counted)
    record = two_of_three_overflow(1000)
    assert [w for w in watched if w is not None] == [0, 100]
    # each first NaN where it is said to be
    step = two_of_three_overflow(300, observe=("weights",))["weights"]
    assert [int(np.argmax(np.isnan(step[:, k, 0]))) for k in (1, 2)] == record.diverged_at[
        1:
    ].tolist()


def test_a_function_of_ones_own_survives_a_divergence():
    def seven(s):
        return s.params.sum((1, 2))[:, None].expand(-1, 7)

    record = two_of_three_overflow(300, observe=(seven, "loss"))
    assert record["seven"].shape == (301, 3, 7)
    for k in range(3):
        assert np.array_equal(np.isnan(record["seven"][:, k, 0]), np.isnan(record["loss"][:, k]))


def test_a_stream_holds_one_block_at_a_time():
    gd, start = gradient_descent.GradientDescent(IRIS, 1.0), balls(2)
    blocks = [b for b, _ in gradient_descent.stream(gd, start, 950, observe=("distance",))]
    assert max(len(b.epochs) for b in blocks) <= 101
    times = np.concatenate([b.epochs for b in blocks])
    assert times.tolist() == list(range(951))


@pytest.mark.parametrize("every", [1, 7, 100, 101, 150, 250, 1000])
def test_observing_seldom(every):
    gd, start = gradient_descent.GradientDescent(IRIS, 0.5), balls(2, copies=2)
    names = ("loss", "distance", "weights", "mean_distance")
    full = gradient_descent.run(gd, start, 305, observe=names)
    record = gradient_descent.run(gd, start, 305, observe=names, every=every)
    assert record.epochs.tolist() == list(range(0, 306, every))
    for name in names:
        assert np.array_equal(record[name], full[name][::every])
    assert torch.equal(record.final, full.final)


def test_observing_at_chosen_epochs():
    gd, start = gradient_descent.GradientDescent(IRIS, 0.5), balls(2, copies=2)
    full = gradient_descent.run(gd, start, 305, observe=("weights", "accuracy"))
    for at in ([305], [0], [250, 3, 3, 120], np.array([100, 101, 200]), range(0, 306, 61)):
        record = gradient_descent.run(gd, start, 305, observe=("weights", "accuracy"), at=at)
        assert record.epochs.tolist() == sorted(set(at))
        for name in ("weights", "accuracy"):
            assert np.array_equal(record[name], full[name][record.epochs])
        assert torch.equal(record.final, full.final)
    blocks = [b.epochs.tolist() for b, _ in gradient_descent.stream(gd, start, 305, at=[7, 300])]
    assert blocks == [[7], [300]]


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("copies", [0, 2])
def test_displacement_and_path_length_are_those_of_the_weights(decay, copies):
    gd = gradient_descent.GradientDescent(IRIS, 2.0, decay)
    start = balls(7, copies) if copies else IRIS.initial(7)
    options = {"workers": 2, "chunk": 3}
    full = gradient_descent.run(gd, start, 230, observe=("weights",), **options)
    at = [0, 1, 99, 100, 230]
    record = gradient_descent.run(
        gd, start, 230, observe=("displacement", "path_length", "loss"), at=at, **options
    )
    weights = full["weights"]
    travelled = np.concatenate(
        [np.zeros_like(weights[:1]), np.abs(np.diff(weights, axis=0)).cumsum(0)]
    )
    assert record["path_length"].shape == (5, *start.shape)
    np.testing.assert_allclose(record["displacement"], np.abs(weights - weights[0])[at], rtol=1e-14)
    np.testing.assert_allclose(record["path_length"], travelled[at], rtol=1e-12)
    assert torch.equal(record.final, full.final)


def test_the_path_is_not_walked_twice_where_a_network_diverges():
    record = two_of_three_overflow(200, observe=("weights", "path_length"))
    travelled = np.abs(np.diff(record["weights"][:, 0], axis=0)).sum(0)
    np.testing.assert_allclose(record["path_length"][-1, 0], travelled, rtol=1e-12)


def test_the_callers_gradients_and_threads_are_left_alone():
    def fresh():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        return seen[0]

    module = tasks.custom("module", torch.nn.Linear(4, 3), losses.CrossEntropy(), IRIS.x, IRIS.y)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            for task in (IRIS, module):
                start = task.initial(3).requires_grad_()
                gd = gradient_descent.GradientDescent(task, torch.tensor(0.5, requires_grad=True))
                for block, simulation in gradient_descent.stream(
                    gd, start, 150, workers=2, chunk=1
                ):
                    assert torch.is_grad_enabled() and not simulation.params.requires_grad
                    assert fresh() == torch.get_num_threads() == threads
                assert fresh() == torch.get_num_threads() == threads
                assert torch.is_grad_enabled() and start.requires_grad
    finally:
        torch.set_num_threads(before)


def test_a_worker_computes_with_one_thread():
    seen = []

    def threads(s):
        seen.append(torch.get_num_threads())
        return s.params[..., 0]

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        gradient_descent.run(
            gradient_descent.GradientDescent(IRIS, 0.5),
            IRIS.initial(4),
            5,
            observe=threads,
            workers=2,
            chunk=2,
        )
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


@pytest.mark.parametrize(
    "count, copies, workers",
    [(100, 0, 2), (500, 5, 2), (7, 5, 1), (41, 5, 2), (1, 0, 2), (30, 0, 2)],
)
def test_chunks_are_alike_and_busy_every_worker(count, copies, workers):
    start = balls(count, copies) if copies else IRIS.initial(count)
    simulation = ensembles.Simulation(
        gradient_descent.GradientDescent(IRIS, 0.5), start, workers=workers
    )
    sizes = [rows.stop - rows.start for rows in simulation._rows]
    assert sum(sizes) == count and max(sizes) - min(sizes) <= 1
    assert max(sizes) * (1 + copies) <= 120
    if count * (1 + copies) >= 80 * workers or count == 100:
        assert len(sizes) % workers == 0
    if count == 30:
        assert len(sizes) == 1  # too few to be worth a thread
    assert torch.equal(simulation.params, start)


def test_a_module_has_the_same_exponents_within_the_stated_tolerance():
    """0.05 per epoch, 1e-5 in the median: other products differ in the last bits, and chaos
    amplifies them.
    """
    module = tasks.custom("module", IRIS.network.module(), losses.CrossEntropy(), IRIS.x, IRIS.y)
    start = balls(12, copies=1)
    parameters = [
        [
            torch.cat([p.flatten() for p in IRIS.network.module(w).parameters()]).detach()
            for w in group
        ]
        for group in start
    ]
    reordered = torch.stack([torch.stack(group) for group in parameters])

    def fit(task, groups, **options):
        gd = gradient_descent.GradientDescent(task, 1.0)
        return growth_fits.best_fit(
            gradient_descent.run(gd, groups, 200, observe=("mean_distance",), **options)[
                "mean_distance"
            ]
        ).slope

    fast = fit(IRIS, start)
    for options in ({"workers": 1, "chunk": 12}, {"workers": 2, "chunk": 5}):
        error = np.abs(fit(module, reordered, **options) - fast)
        assert error.max() < 0.05 and np.median(error) < 1e-5


def test_a_start_in_single_precision_is_taken_as_double():
    gd, start = gradient_descent.GradientDescent(IRIS, 0.1), IRIS.initial(2).float()
    record = gradient_descent.run(gd, start, 20)
    assert record.final.dtype == torch.float64
    assert torch.equal(record.final, gradient_descent.run(gd, start.double(), 20).final)
    assert float(gd.learning_rate) == 0.1  # and not the single nearest to it


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), (1.0, -1.0), ()])
def test_impossible_learning_rates_are_refused(bad):
    with pytest.raises(ValueError, match="η must be positive and finite"):
        gradient_descent.GradientDescent(IRIS, bad)


def test_the_learning_rate_at_fault_is_named():
    with pytest.raises(
        ValueError,
        match=r"learning_rate\[2\] = -0.5: η must be positive and finite \(descent would climb the loss\)",
    ):
        gradient_descent.GradientDescent(IRIS, [1.0, 0.1, -0.5, 0.0])
    with pytest.raises(
        ValueError,
        match=r"learning_rate = nan: η must be positive and finite \(where it was computed",
    ):
        gradient_descent.GradientDescent(IRIS, float("nan"))
    with pytest.raises(
        ValueError, match=r"shape \(2, 1\): η must be positive and finite, a number or a sequence"
    ):
        gradient_descent.GradientDescent(IRIS, [[1.0], [2.0]])
    with pytest.raises(
        ValueError, match="1 learning rates for 2 initial conditions: give a number for all"
    ):
        gradient_descent.run(gradient_descent.GradientDescent(IRIS, [1.0]), IRIS.initial(2), 1)
    with pytest.raises(ValueError, match="rates = 1.0: give a sequence"):
        gradient_descent.each_rate(IRIS.initial(2), 1.0)


@pytest.mark.parametrize("name", ["epochs", "every", "workers", "chunk"])
@pytest.mark.parametrize("bad", [-1, 1.5, float("nan"), float("inf"), "ten"])
def test_numbers_that_are_no_whole_numbers_are_refused(name, bad):
    options = {"epochs": 1, name: bad}
    with pytest.raises(ValueError, match=f"{name} = {bad}: must be a whole number, at least"):
        gradient_descent.run(
            gradient_descent.GradientDescent(IRIS, 1.0), IRIS.initial(2), **options
        )


def test_bad_input_is_refused():
    gd, start = gradient_descent.GradientDescent(IRIS, 1.0), balls(2)
    for decay in (-1e-3, float("nan")):
        with pytest.raises(ValueError, match="weight_decay"):
            gradient_descent.GradientDescent(IRIS, 1.0, decay)
    with pytest.raises(ValueError, match=r"\(2, 6, 82\); expected \(n, 83\)"):
        gradient_descent.run(gd, start[..., 1:], 1)
    with pytest.raises(ValueError, match="ensemble of zero"):
        gradient_descent.run(gd, start[:0], 1)
    with pytest.raises(ValueError, match="unknown observable 'colour'; known: loss"):
        gradient_descent.run(gd, start, 1, observe=("colour",))
    with pytest.raises(ValueError, match="needs perturbed copies"):
        gradient_descent.run(gd, start[:, 0], 1, observe=("distance",))
    for name in ("every", "workers", "chunk"):
        with pytest.raises(ValueError, match=f"{name} = 0: must be a whole number, at least 1"):
            gradient_descent.run(gd, start, 1, **{name: 0})
    for bad in ([-1], [6], [2.5], [1, float("nan")]):
        with pytest.raises(
            ValueError, match=f"epoch in at = {bad[-1]}: must be a whole number, from 0 to 5"
        ):
            gradient_descent.stream(gd, start, 5, at=bad)
    with pytest.raises(ValueError, match="at names no epoch"):
        gradient_descent.run(gd, start, 5, at=[])
    with pytest.raises(ValueError, match="not both"):
        gradient_descent.run(gd, start, 5, every=2, at=[1])
    with pytest.raises(ValueError, match="accuracy needs class labels"):
        gradient_descent.run(
            gradient_descent.GradientDescent(quadratic(), 0.1),
            torch.ones(1, 2),
            1,
            observe=("accuracy",),
        )
    with pytest.raises(ValueError, match="distance needs perturbed copies"):
        gradient_descent.run(gd, start[:, :1], 1, observe="mean_distance")
    with pytest.raises(ValueError, match="epochs = -1"):
        gradient_descent.run(gd, start, -1)
    with pytest.raises(ValueError, match="3 learning rates for 2 initial conditions"):
        gradient_descent.run(gradient_descent.GradientDescent(IRIS, (1.0, 1.0, 1.0)), start, 1)
    with pytest.raises(KeyError, match="'norm' was not observed; observed: loss"):
        gradient_descent.run(gd, start, 1)["norm"]


def test_an_interrupt_stops_the_other_threads_too(iris):
    """Leaving a pool waits for its threads, so they are told to stop before their next epoch."""
    seen = []

    def watch(s):
        first = bool((s.params[0, 0] == start[0]).all())
        if s.epoch == 0 and first:
            watch.first = s.params.data_ptr()
        if s.epoch == 3 and s.params.data_ptr() == watch.first:
            raise KeyboardInterrupt
        time.sleep(0.01)
        seen.append(s.epoch)
        return s.params[:, 0, 0]

    watch.first = None
    start = iris.initial(2)
    with pytest.raises(KeyboardInterrupt):
        gradient_descent.run(
            gradient_descent.GradientDescent(iris, 1.0),
            start,
            100,
            observe=(watch,),
            workers=2,
            chunk=1,
        )
    assert max(seen) < 50


def test_a_run_that_is_asked_to_stop_does(iris):
    answers = iter([False] * 5 + [True])
    with pytest.raises(torch_utils.Stopped, match="stopped before epoch 5"):
        gradient_descent.run(
            gradient_descent.GradientDescent(iris, 1.0),
            iris.initial(1),
            100,
            workers=1,
            stop=lambda: next(answers),
        )
