"""Descent of ensembles: the numbers of a plain loop, whatever chunks, threads and observations."""

import threading
import time

import numpy as np
import pytest
import torch
import xarray as xr

from netdyn_lib import torch_utils
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import ensembles, gradient_descent, observables
from netdyn_lib.training.gradient_descent import GradientDescent, run

IRIS = tasks.get("iris")
MODULE = tasks.custom("module", IRIS.network.module(), losses.CrossEntropy(), IRIS.x, IRIS.y)


def quadratic():
    """A line whose loss is a quadratic of curvature 8 along (1, 1), and 0 at the origin."""
    x, y = torch.ones(4, 1, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)
    return tasks.custom("quadratic", networks.MLP((1, 1)), losses.HalfSquaredError(), x, y)


def balls(count=4, copies=5):
    return networks.perturbed(IRIS.initial(count), 1e-8, copies)


def as_module(params):
    """Parameters (P,) of IRIS in the order of its module."""
    return torch.cat([p.flatten() for p in IRIS.network.module(params).parameters()]).detach()


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def one_group_a_chunk(monkeypatch):
    monkeypatch.setattr(ensembles, "_CACHE_BYTES", 0)


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_descent_equals_plain_training(decay):
    start, gd = IRIS.initial(3), GradientDescent(IRIS, 0.5, decay)
    record, same = run(gd, start, 25), torch.stack([as_module(p) for p in start])
    found = run(GradientDescent(MODULE, 0.5, decay), same, 25).final
    for k in range(3):
        module = IRIS.network.module(start[k])
        optimiser = torch.optim.SGD(module.parameters(), lr=0.5, weight_decay=decay)
        for t in range(25):
            optimiser.zero_grad()
            value = torch.nn.functional.cross_entropy(module(IRIS.x), IRIS.y)
            assert record["loss"][t, k] == pytest.approx(value.item(), rel=1e-9)
            value.backward()
            optimiser.step()
        expected = torch.nn.utils.parameters_to_vector(module.parameters()).detach()
        for end in (as_module(record.final[k]), found[k]):
            torch.testing.assert_close(end, expected, rtol=1e-8, atol=1e-9)
    step = run(gd, start, 1).final
    torch.testing.assert_close(step, gd.step(start), rtol=1e-13, atol=1e-13)


def test_an_initial_condition_gives_the_same_numbers_in_any_batch(monkeypatch, threads):
    gd, start = GradientDescent(IRIS, 1.0), balls(13)
    whole = run(gd, start, 201, ("mean_distance",), workers=1)
    group = 8 * 6 * 3 * 13 * 120  # bytes
    for rows, workers, size in ((slice(0, 1), 1, 0), (slice(3, 10), 2, 3), (slice(0, 13), 3, 2)):
        monkeypatch.setattr(ensembles, "_CACHE_BYTES", size * group)
        threads(workers)
        part = run(gd, start[rows], 201, ("mean_distance",))
        assert torch.equal(part.final, whole.final[rows])
        assert np.array_equal(part["mean_distance"], whole["mean_distance"][:, rows])
    fits = [growth_fits.best_fit(r["mean_distance"]) for r in (part, whole)]
    assert np.array_equal(fits[0].slope, fits[1].slope)


def test_modules_can_run_in_several_threads(one_group_a_chunk):
    gd, start, names = GradientDescent(MODULE, 0.5), MODULE.initial(5), ("loss", "test_accuracy")
    one, many = (run(gd, start, 25, names, workers=n) for n in (1, 4))
    for name in names:
        np.testing.assert_allclose(many[name], one[name], rtol=1e-9)


def test_a_module_has_the_same_exponents_within_the_stated_tolerance(monkeypatch):
    """0.05 per epoch, 1e-5 in the median: other products differ in the last bits."""
    start = balls(12, copies=1)
    reordered = torch.stack([torch.stack([as_module(w) for w in group]) for group in start])

    def fit(task, groups, **options):
        record = run(GradientDescent(task, 1.0), groups, 200, ("mean_distance",), **options)
        return growth_fits.best_fit(record["mean_distance"]).slope

    fast = fit(IRIS, start)
    for size, workers in ((4_500_000, 1), (500_000, 2)):
        monkeypatch.setattr(ensembles, "_CACHE_BYTES", size)
        error = np.abs(fit(MODULE, reordered, workers=workers) - fast)
        assert error.max() < 0.05 and np.median(error) < 1e-5


def test_several_learning_rates_advance_as_one_batch():
    start = IRIS.initial(3)
    grid, rates = gradient_descent.each_rate(start, (0.1, 1.0))
    by_rate = run(GradientDescent(IRIS, rates), grid, 30).by_rate("loss", 2)
    for k, rate in enumerate((0.1, 1.0)):
        single = run(GradientDescent(IRIS, rate), start, 30)
        assert np.array_equal(by_rate[:, k], single["loss"])


def test_observation_times_and_shapes():
    gd, start = GradientDescent(IRIS, 0.1), balls(3, copies=2)
    names = ("loss", "accuracy", "test_accuracy", "norm", "distance", "mean_distance", "weights")
    record = run(gd, start, 250, names, every=50)
    assert record.epochs.tolist() == [0, 50, 100, 150, 200, 250]
    shapes = [record[k].shape for k in names]
    assert shapes == [(6, 3, 3)] * 4 + [(6, 3, 2), (6, 3), (6, 3, 3, 83)]
    np.testing.assert_allclose(record["weights"][-1], record.final.numpy())
    np.testing.assert_allclose(record["norm"], np.linalg.norm(record["weights"], axis=-1))
    for t, k in np.ndindex(6, 3):
        w = torch.tensor(record["weights"][t, k, 1])
        assert record["loss"][t, k, 1] == pytest.approx(float(IRIS.objective(w)), rel=1e-12)
        seen = record["accuracy"][t, k, 1], record["test_accuracy"][t, k, 1]
        wrong = [part.mean() for part in observables.misclassified(IRIS, w)]
        assert seen == pytest.approx(1 - np.array(wrong))
    references = run(gd, start[:, 0], 250, ("weights",), every=50)
    assert references["weights"].shape == (6, 3, 83)
    assert run(gd, start[:, 0], 0)["loss"].shape == (1, 3)


def test_observing_seldom_and_at_chosen_epochs():
    gd, start = GradientDescent(IRIS, 0.5), balls(2, copies=2)
    names = ("loss", "distance", "weights", "mean_distance", "accuracy")
    full = run(gd, start, 305, names)
    times = {n: range(0, 306, n) for n in (7, 100, 101, 250, 1000)}
    several = [({"every": n}, epochs) for n, epochs in times.items()]
    chosen = [305], [0], [250, 3, 3, 120], np.array([100, 101, 200])
    for options, epochs in several + [({"at": at}, sorted(set(at))) for at in chosen]:
        record = run(gd, start, 305, names, **options)
        assert record.epochs.tolist() == list(epochs)
        assert all(np.array_equal(record[name], full[name][record.epochs]) for name in names)
        assert torch.equal(record.final, full.final)
    blocks = [b.epochs.tolist() for b, _ in gradient_descent.stream(gd, start, 305, at=[7, 300])]
    assert blocks == [[7], [300]]
    blocks = [b.epochs for b, _ in gradient_descent.stream(gd, start, 950, ("distance",))]
    assert max(map(len, blocks)) <= 101  # one block in memory at a time
    assert np.concatenate(blocks).tolist() == list(range(951))


@pytest.mark.parametrize("decay, copies", [(0.0, 2), (0.01, 0)])
def test_displacement_and_path_length_are_those_of_the_weights(decay, copies):
    gd = GradientDescent(IRIS, 2.0, decay)
    start = balls(7, copies) if copies else IRIS.initial(7)
    full = run(gd, start, 230, ("weights",), workers=2)
    at, names = [0, 1, 99, 100, 230], ("displacement", "path_length", "loss")
    record = run(gd, start, 230, names, at=at, workers=2)
    weights = full["weights"]
    steps = np.abs(np.diff(weights, axis=0, prepend=weights[:1])).cumsum(0)
    np.testing.assert_allclose(record["displacement"], np.abs(weights - weights[0])[at], rtol=1e-14)
    np.testing.assert_allclose(record["path_length"], steps[at], rtol=1e-12)
    assert torch.equal(record.final, full.final)


def test_an_overflow_is_recorded_and_leaves_the_others_as_they_are():
    rates = (0.01, 1e3, 0.02)  # |1 − ηλ| with λ = 8 on (w, b): the second one overflows
    start = torch.ones(3, 2, dtype=torch.float64)
    record = run(GradientDescent(quadratic(), rates), start, 300)
    # (w, b) grow by |1 − ηλ| each epoch
    step = int(np.log(np.finfo(float).max) / np.log(8e3 - 1)) + 1
    gone = record.diverged_at
    assert gone.tolist()[0::2] == [-1, -1] and abs(int(gone[1]) - step) <= 1
    assert np.isnan(record["loss"][gone[1] :, 1]).all()
    assert record.alive.tolist() == [True, False, True]
    assert np.isfinite(record["loss"][:, record.alive]).all()
    single = run(GradientDescent(quadratic(), rates[2]), start[2:], 300)
    assert np.array_equal(single["loss"][:, 0], record["loss"][:, 2])


def test_a_copy_that_diverges_is_told_from_its_reference():
    # the reference is the fixed point itself
    group = torch.tensor([[[0.0, 0.0], [1e-8, 0.0]]], dtype=torch.float64)
    record = run(GradientDescent(quadratic(), 1e3), group, 200, ("distance", "loss"))
    assert record.diverged_at[0, 0] == -1 and record.diverged_at[0, 1] > 0
    assert np.isfinite(record["loss"][:, 0, 0]).all() and np.isnan(record["distance"][-1, 0, 0])
    assert record.alive.tolist() == [False]


def two_of_three_overflow(epochs, *observe):
    """Runs whose second and third networks overflow at about epochs 79 and 154."""
    gd = GradientDescent(quadratic(), (0.01, 1e3, 12.7))
    return run(gd, torch.ones(3, 2, dtype=torch.float64), epochs, observe or ("loss",))


def test_one_block_is_gone_through_twice_for_one_divergence(monkeypatch):
    watched, iterate = [], ensembles.Simulation._iterate

    def counted(self, chunk, epochs, last, watch=False):
        watched.extend([self.epoch] * watch)
        return iterate(self, chunk, epochs, last, watch)

    monkeypatch.setattr(ensembles.Simulation, "_iterate", counted)
    record = two_of_three_overflow(1000)
    assert watched == [0, 100]
    # each first NaN where it is said to be
    step = two_of_three_overflow(300, "weights")["weights"]
    first = [int(np.argmax(np.isnan(step[:, k, 0]))) for k in (1, 2)]
    assert first == record.diverged_at[1:].tolist()
    # and the path is not walked twice
    record = two_of_three_overflow(200, "weights", "path_length")
    travelled = np.abs(np.diff(record["weights"][:, 0], axis=0)).sum(0)
    np.testing.assert_allclose(record["path_length"][-1, 0], travelled, rtol=1e-12)


def test_a_function_of_ones_own_survives_a_divergence():
    def seven(s):
        return s.params.sum((1, 2))[:, None].expand(-1, 7)

    record = two_of_three_overflow(300, seven, "loss")
    assert np.array_equal(
        np.isnan(record["seven"]), np.isnan(record["loss"])[..., None].repeat(7, 2)
    )


def test_the_callers_gradients_and_threads_stay_as_they_were(threads, one_group_a_chunk):
    def fresh():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        return seen[0]

    inside = []

    def within(s):
        inside.append(torch.get_num_threads())
        return s.params[..., 0]

    for number, task in ((1, IRIS), (3, IRIS), (1, MODULE), (3, MODULE)):
        threads(number)
        start = task.initial(2).requires_grad_()
        gd = GradientDescent(task, torch.tensor(0.5, requires_grad=True))
        for _, simulation in gradient_descent.stream(gd, start, 120, within, workers=2):
            assert torch.is_grad_enabled() and not simulation.params.requires_grad
            assert fresh() == torch.get_num_threads() == number
        assert fresh() == torch.get_num_threads() == number
        assert torch.is_grad_enabled() and start.requires_grad
    assert set(inside) == {1}  # a worker computes with one thread


@pytest.mark.parametrize(
    "count, copies, workers",
    [(100, 0, 2), (500, 5, 2), (7, 5, 1), (41, 5, 2), (1, 0, 2), (30, 0, 2)],
)
def test_chunks_are_alike_and_busy_every_worker(count, copies, workers):
    start = balls(count, copies) if copies else IRIS.initial(count)
    simulation = ensembles.Simulation(GradientDescent(IRIS, 0.5), start, workers=workers)
    sizes = [rows.stop - rows.start for rows in simulation._rows]
    assert sum(sizes) == count and max(sizes) - min(sizes) <= 1
    assert max(sizes) * (1 + copies) <= 120
    if count * (1 + copies) >= 80 * workers or count == 100:
        assert len(sizes) % workers == 0
    if count == 30:
        assert len(sizes) == 1  # too few to be worth a thread
    assert torch.equal(simulation.params, start)


def test_a_start_in_single_precision_is_taken_as_double():
    gd, start = GradientDescent(IRIS, 0.1), IRIS.initial(2).float()
    record = run(gd, start, 20)
    assert record.final.dtype == torch.float64
    assert torch.equal(record.final, run(gd, start.double(), 20).final)
    assert float(gd.learning_rate) == 0.1  # and not the single nearest to it


def test_trajectories_are_those_of_one_run(iris, runs):
    record = run(GradientDescent(iris, 5.0), iris.initial(12, seed=3), 600, ("loss",))
    assert np.array_equal(runs["loss"], record["loss"])
    assert np.array_equal(runs.states[-1], record.final.numpy())
    assert runs.states.shape == (11, 12, 83) and (runs.diverged_at == -1).all()
    start = iris.initial(2, seed=0)
    start[1] = torch.nan
    found = gradient_descent.follow(GradientDescent(iris, 5.0), start, 120)
    assert found.diverged_at[0] == -1 and found.diverged_at[1] == 0


def refused(*arguments, rate=1.0, task=IRIS, **options):
    return lambda: run(GradientDescent(task, rate), *arguments, **options)


START = balls(2)
NOT = "η must be positive and finite"


@pytest.mark.parametrize(
    "call, message",
    [
        *[(lambda v=v: GradientDescent(IRIS, v), NOT) for v in (0, torch.inf, (1.0, -1.0), ())],
        (lambda: GradientDescent(IRIS, [1.0, -0.5]), rf"\[1\] = -0.5: {NOT} \(descent would climb"),
        (lambda: GradientDescent(IRIS, float("nan")), rf"nan: {NOT} \(where it was computed"),
        (lambda: GradientDescent(IRIS, [[1.0], [2.0]]), rf"shape \(2, 1\): {NOT}, a number or a"),
        (lambda: GradientDescent(IRIS, 1.0, -1e-3), "weight_decay = -0.001"),
        (refused(START, 1, rate=(1.0,) * 3), "3 learning rates for 2 initial conditions: give a"),
        (lambda: gradient_descent.each_rate(START, 1.0), "rates = 1.0: give a sequence"),
        (refused(START[..., 1:], 1), r"\(2, 6, 82\); expected \(n, 83\)"),
        (refused(START[:0], 1), "ensemble of zero"),
        (refused(START, 1, observe=("colour",)), "unknown observable 'colour'; known: loss"),
        (refused(START[:, :1], 1, observe="mean_distance"), "distance needs perturbed copies"),
        (refused(START, 1.5), "epochs = 1.5: must be a whole number, at least 0"),
        (refused(START, 1, every=0), "every = 0: must be a whole number, at least 1"),
        (refused(START, 1, workers="ten"), "workers = ten: must be a whole number, at least 1"),
        (refused(START, 5, at=[1, 6]), "epoch in at = 6: must be a whole number, from 0 to 5"),
        (refused(START, 5, at=[]), "at names no epoch"),
        (refused(START, 5, every=2, at=[1]), "not both"),
        (lambda: refused(START, 1)()["norm"], "'norm' was not observed; observed: loss"),
        (
            lambda: gradient_descent.follow(GradientDescent(IRIS, 5.0), START[:, 0], 100),
            "100 epochs are no positive multiple of a block of 60",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises((ValueError, KeyError), match=message):
        call()


def test_an_interrupt_stops_the_other_threads_too(iris, one_group_a_chunk):
    """Leaving a pool waits for its threads, so they are told to stop before their next epoch."""
    seen, start, first = [], iris.initial(2), []

    def watch(s):
        if s.epoch == 0 and bool((s.params[0, 0] == start[0]).all()):
            first.append(s.params.data_ptr())
        if s.epoch == 3 and s.params.data_ptr() in first:
            raise KeyboardInterrupt
        time.sleep(0.01)
        seen.append(s.epoch)
        return s.params[:, 0, 0]

    with pytest.raises(KeyboardInterrupt):
        run(GradientDescent(iris, 1.0), start, 100, (watch,), workers=2)
    assert max(seen) < 50
    answers = iter([False] * 5 + [True])
    with pytest.raises(torch_utils.Stopped, match="stopped before epoch 5"):
        run(GradientDescent(iris, 1.0), iris.initial(1), 100, stop=lambda: next(answers))


def test_a_record_becomes_netcdf(tmp_path):
    def columns(s):
        return s.params[:, 0, :4]

    balls = networks.perturbed(IRIS.initial(3), 1e-6, 2)
    names = ("loss", "distance", "mean_distance", "weights", columns)
    record = run(GradientDescent(IRIS, 1.0), balls, 4, names, every=2)
    found = xr.load_dataset(record.to_netcdf(tmp_path / "run.nc"), engine="scipy")
    assert {name: values.dims[2:] for name, values in found.items() if "epoch" in values.dims} == {
        "loss": ("network",),
        "distance": ("perturbation",),
        "mean_distance": (),
        "weights": ("network", "parameter"),
        "columns": ("columns_2",),
    }
    for name, values in record.values.items():
        np.testing.assert_array_equal(found[name], values)
    np.testing.assert_array_equal(found["epoch"], [0, 2, 4])
    np.testing.assert_array_equal(found["final"], record.final)
    alone = run(GradientDescent(IRIS, 1.0), balls[:, 0], 1, ("loss", "weights")).to_dataset()
    assert alone["weights"].dims == ("epoch", "init", "parameter")
