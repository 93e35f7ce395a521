"""The parts of ``make bench`` that are no timing: the check of memory, the count of operations, the
rival's arithmetic.
"""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from netdyn_lib.experiments import benchmarks
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.results import provenance
from netdyn_lib.tasks import datasets, losses, networks, tasks
from netdyn_lib.training import blocked
from tests.bench import __main__ as bench
from tests.bench import convolutions, growth, images, iris, measuring, rivals, series, window_fits

bench_series = series


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be measured anew only on Linux")
def test_memory_does_not_grow_with_epochs():
    increments = []
    for epochs, hoard in ((20, False), (800, False), (800, True)):
        before, top = iris.measured(epochs, hoard)
        assert top >= before > 0
        increments.append(top - before)
    short, long, hoarded = increments
    assert long - short < iris.MOST_GROWTH
    # 120 networks of 83 numbers at 800 epochs are 61 MiB.
    assert hoarded - short > 2.5 * iris.MOST_GROWTH


@pytest.mark.parametrize(("tops", "fails"), [((130.0, 131.0), False), ((130.0, 180.0), True)])
def test_growth_is_reported_as_a_failure(monkeypatch, capsys, tops, fails):
    monkeypatch.setattr(iris, "measured", lambda epochs: (100.0, tops[epochs > 1]))
    if fails:
        with pytest.raises(SystemExit, match="by 50 MiB"):
            iris.report_memory((1, 2))
    else:
        iris.report_memory((1, 2))
    assert "peak 130 MiB, 30.0 MiB over 100 after set-up" in capsys.readouterr().out


@pytest.mark.parametrize(("top", "fails"), [(5.5, False), (6.5, True)])
def test_a_shard_that_takes_too_much_is_reported_as_a_failure(monkeypatch, capsys, top, fails):
    monkeypatch.setattr(images, "alone", lambda *call: (256.0, top * 1024))
    if fails:
        with pytest.raises(SystemExit, match="takes 6.50 GiB, more than 6"):
            images.report_memory()
    else:
        images.report_memory()
    assert f"peak {top:.2f} GiB, 0.25 before it; at most 6" in capsys.readouterr().out


@pytest.fixture
def tiny():
    """80 images of 28 × 28 in the type of MNIST, with a margin that is zero in all, and their
    labels.
    """
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (80, 28, 28), dtype=np.uint8)
    pictures[:, :4] = 0
    return pictures, rng.integers(0, 10, 80)


@pytest.fixture
def task(tiny):
    pictures, labels = tiny
    x, network = (
        torch.tensor(pictures).flatten(1).double() / 255,
        networks.MLP((784, 6, 10), "tanh"),
    )
    return tasks.custom("tiny", network, losses.CrossEntropy(), x, labels)


def test_the_rival_descends_as_the_engine_does(monkeypatch, tiny, task):
    monkeypatch.setattr(blocked, "_VALUES", 0)
    # the engine takes samples in blocks, as it does all of MNIST
    monkeypatch.setattr(blocked, "_LEAST", 30)
    groups = networks.perturbed(task.initial(1), 1e-8, 1)
    with images.double():
        reading = images.reader(*tiny)
        ((x, y),) = reading
        assert torch.equal(x.flatten(1), task.x) and torch.equal(y, task.y)
        plain = images.loop(task.network, groups[0, 0], reading, 2)
    assert torch.get_default_dtype() == torch.float32
    assert torch.equal(plain[1][0], groups[0, 0])
    record = images.engine(task, groups, 1, 1, ("loss",))
    assert max(images.disagreement(record, *plain)) < 1e-12
    resident = images.loop(task.network, groups[0, 0], [(task.x, task.y)], 2)
    assert all(np.allclose(a, b, rtol=1e-12, atol=0) for a, b in zip(plain, resident, strict=True))


def test_a_disagreement_is_seen(task):
    start = task.initial(1)
    record = images.engine(task, networks.perturbed(start, 1e-8, 1), 1, 1, ("loss",))
    other = images.loop(task.network, start[0], [(task.x[:70], task.y[:70])], 1)
    assert min(images.disagreement(record, *other)) > 1e-3


def test_operations_are_those_that_pytorch_counts_and_the_biases(task):
    _, hidden, outputs = task.network.sizes
    with FlopCounterMode(display=False) as counter:
        images.loop(task.network, task.initial(1)[0], [(task.x, task.y)], 1)
    counted = counter.get_total_flops() + (4 * hidden + 6 * outputs) * len(task.x)
    assert images.operations(784, hidden, outputs, len(task.x)) == counted


def test_the_share_says_what_it_counts(task, monkeypatch):
    groups = networks.perturbed(task.initial(1), 1e-8, 1)
    # as many a second as the engine does in half a second
    rates = [images.operations(784, 6, 10, 80) / 0.5] * 3
    used, whole = images.share_rows(task, groups, 2, [1.0, 1.0, 2.0], rates)
    assert (used.ratio, used.low, used.high) == pytest.approx((0.5, 0.25, 0.5))
    assert used.goal == images.GOAL_SHARE and not used.met
    # so few images are no blocks
    assert "2 networks, float64, 2 threads; the 784 inputs used" in used.work
    assert whole.ratio == used.ratio
    monkeypatch.setattr(blocked, "_VALUES", 0)
    monkeypatch.setattr(blocked, "_LEAST", 20)
    x = task.x * (torch.arange(784) % 4 == torch.arange(80)[:, None] % 4)
    alike, margin = tasks.custom("alike", task.network, task.loss, x, task.y), 4 * 28 // 4
    # each block is of one kind, a quarter of the pixels within the margin
    assert images.mean_inputs(alike) == 784 / 4 - margin


def test_the_ratio_is_taken_round_by_round(task):
    groups = networks.perturbed(task.initial(1), 1e-8, 1)
    times = {"engine": [1.0, 2.0, 1.0], "reading": [20.0, 20.0, 30.0], "resident": [3.0, 3.0, 3.0]}
    reading, resident = images.speed_rows(task, groups, 2, times, "same")
    assert (reading.ratio, reading.low, reading.high, reading.goal) == (20, 10, 30, images.GOAL)
    assert (resident.ratio, resident.low, resident.high, resident.goal) == (3, 1.5, 3, None)
    # the goal is for two cores
    assert next(images.speed_rows(task, groups, 1, times, "same")).goal is None


def test_without_mnist_that_part_is_skipped_by_name(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NETDYN_DATA", str(tmp_path))
    monkeypatch.setenv("NETDYN_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "_download", lambda *_: pytest.fail("a download"))
    monkeypatch.setattr(images, "speed", lambda *_: pytest.fail("nothing is to be measured"))
    images.main()
    skipped = "MNIST: this part is skipped, and nothing stands in for it."
    assert capsys.readouterr().out.startswith(skipped)


def test_with_mnist_one_thread_and_all_are_measured(monkeypatch, tiny, task, capsys):
    measured = []
    monkeypatch.setattr(images, "at_hand", lambda: SimpleNamespace(x=tiny[0], y=tiny[1]))
    monkeypatch.setattr(tasks, "get", lambda name: task)
    for name, said in {
        "speed": lambda task, groups, reading, threads, keep: (*groups.shape[:2], threads),
        "shares": lambda task, conditions, dtype, *_: (conditions, dtype),
        "against_jax": lambda *_: "jax",
        "report_memory": lambda: "memory",
    }.items():
        note = lambda *given, said=said: measured.append(said(*given))
        monkeypatch.setattr(images, name, note)
    images.main()
    shares = [(2, torch.float32), (50, torch.float64), (50, torch.float32)]
    speeds = [(2, 6, number) for number in measuring.counts_of_threads()]
    assert measured == [*speeds, *shares, "jax", "memory"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shares_are_of_the_rate_of_the_same_type(monkeypatch, task, dtype):
    monkeypatch.setattr(images, "SIDE", 50)
    monkeypatch.setattr(images, "ROUNDS", 2)
    asked, rate, kept = [], images.product_rate, []
    monkeypatch.setattr(images, "product_rate", lambda kind: asked.append(kind) or rate(kind))
    images.shares(task, 1, dtype, 2, kept.append)
    assert asked == [dtype] * 2 and [len(row.ours) for row in kept] == [2, 2]
    assert all(f"6 networks, {str(dtype)[6:]}, " in row.work and row.rate for row in kept)


def test_all_rows_of_a_speed_are_kept(monkeypatch, tiny, task):
    monkeypatch.setattr(images, "SIDE", 50)
    monkeypatch.setattr(images, "ROUNDS", 2)
    before, kept, groups = torch.get_num_threads(), [], networks.perturbed(task.initial(1), 1e-8, 1)
    try:
        images.speed(task, groups, images.reader(*tiny), 1, kept.append)
    finally:
        torch.set_num_threads(before)
    assert [row.rate for row in kept] == [False, False, True, True]
    assert all(len(row.ours) == 2 for row in kept)
    assert "loss differs by 0e+00" in kept[0].accuracy or "e-1" in kept[0].accuracy


# Rivals


def test_a_rival_that_is_not_installed_is_left_out_by_name(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(rivals, "FOLDER", tmp_path)
    monkeypatch.setattr(rivals, "MISSING", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert rivals.get("no_such_rival") is None and rivals.MISSING == ["no_such_rival"]
    said = "no_such_rival: this rival is left out, and nothing stands in for it"
    assert capsys.readouterr().out.startswith(said)
    (tmp_path / "such_a_rival.py").write_text("answer = 1")
    assert rivals.get("such_a_rival").answer == 1 and sys.path[-1] == str(tmp_path)


def test_requirements_of_rivals_are_pinned():
    text = (Path(rivals.__file__).parent / "requirements.txt").read_text(encoding="utf-8")
    assert all(re.match(r"#|[\w-]+==[\d.]+(\s+#.*)?$", line) for line in text.splitlines())


def test_polyfit_finds_the_window_that_the_library_finds():
    distance = window_fits.curves(3, 61)
    found = growth_fits.best_fit(distance, 20)
    for k in range(3):
        _, start, stop, slope = window_fits.by_polyfit(distance[:, k], 20)
        assert (start, stop) == (found.start[k], found.stop[k])
        assert slope == pytest.approx(found.slope[k], abs=1e-12)


def test_convolutional_networks_one_by_one_descend_as_the_engine_does(monkeypatch):
    monkeypatch.setattr(convolutions, "at_hand", lambda: None)
    task, name = convolutions.problem(12)
    assert name == "12 random images"
    groups = networks.perturbed(task.initial(1), 1e-3, 1)
    ours, theirs = convolutions.engine(task, groups, 2), convolutions.loop(task, groups, 2)
    assert (ours - theirs).abs().max() < 1e-12 < (ours - groups).abs().max()


@pytest.mark.parametrize(("name", "series", "known", "dimension"), series.MAPS)
def test_series_of_known_exponents(name, series, known, dimension):
    assert bench_series.ours(series(4000), dimension) == pytest.approx(known, abs=0.03)


def test_growth_is_measured_at_every_size(monkeypatch):
    asked = []

    def alone(module, call, **_):
        asked.append(call)
        return 2.0, 100.0, 90.0 + len(asked) * 10

    monkeypatch.setattr(growth, "alone", alone)
    found = growth.growth("parameters")
    assert asked == [f"point('parameters', {width})" for width in growth.WIDTHS]
    assert found.sizes[0] == 785 * 6 + 70 and found.mebibytes == (0, 10, 20, 30, 40)
    assert set(found.seconds) == {2.0}


def test_parts_are_chosen_kept_and_refused(monkeypatch, tmp_path, capsys):
    row = benchmarks.Row("w", "r", (1.0,), (2.0,), "s")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "KEPT", tmp_path / "book" / "results" / "bench")
    part, folder = SimpleNamespace(main=lambda keep: keep(row)), tmp_path / "_build" / "bench"
    monkeypatch.setattr(bench, "import_module", lambda name: part)
    bench.main(["--only", "iris,series"])
    assert len(benchmarks.load(folder / "parts.json").rows) == 2 and not bench.KEPT.exists()
    bench.main(["--keep"])
    kept = benchmarks.load(bench.KEPT / "cpu.json")
    assert kept.about["commit"] == provenance.commit() and len(kept.rows) == len(bench.PARTS)
    assert {"commit", "date", "duration_s", "cores"} <= set(kept.about)
    bench.main(["--only", "iris"])
    assert len(benchmarks.load(folder / "cpu.json").rows) == len(bench.PARTS)
    with pytest.raises(SystemExit, match="unknown parts: no; known: iris"):
        bench.main(["--only", "no"])
    with pytest.raises(SystemExit, match="--keep is for a run of all parts"):
        bench.main(["--only", "iris", "--keep"])


def test_the_spread_is_the_median_and_the_range():
    assert measuring.spread([4.0, 1.0, 2.0], "{:.0f}%") == "2% (from 1% to 4% over 3 rounds)"


def test_a_part_that_fails_or_measures_nothing_costs_the_others_nothing_and_is_not_kept(
    monkeypatch, tmp_path
):
    row = benchmarks.Row("w", "r", (1.0,), (2.0,), "s")

    def part(name):
        def main(keep):
            if name.endswith("iris"):
                keep(row)
                raise RuntimeError("broken")
            if name.endswith("series"):
                sys.exit("too much memory")
            if not name.endswith("images"):
                keep(row)

        return SimpleNamespace(main=main)

    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "KEPT", tmp_path / "book")
    monkeypatch.setattr(bench, "import_module", part)
    monkeypatch.setattr(rivals, "MISSING", ["jax"])
    with pytest.raises(SystemExit) as stopped:
        bench.main(["--keep"])
    said, *parts = str(stopped.value).splitlines()
    assert said == "not all was measured, and nothing is kept for the book"
    broken = {"iris: broken", "series: too much memory", "images: measured nothing"}
    assert set(parts) == broken | {"left out: jax"} and not bench.KEPT.exists()
    kept = benchmarks.load(tmp_path / "_build" / "bench" / "cpu.json")
    assert len(kept.rows) == len(bench.PARTS) - 2


def test_results_that_differ_are_no_measurement():
    assert measuring.agree(1e-9, 1e-8, "x") == 1e-9
    for value in (2e-8, float("nan")):
        with pytest.raises(RuntimeError, match="x: the results differ by"):
            measuring.agree(value, 1e-8, "x")
