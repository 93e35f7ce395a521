"""The parts of ``make bench`` that are no timing: the check of memory, the count of operations, the rival's arithmetic."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from netdyn_lib import archives, blocked, losses, networks, tasks
from tests.bench import images, iris, measuring


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be measured anew only on Linux")
def test_memory_does_not_grow_with_epochs():
    increments = []
    for epochs, hoard in ((200, False), (2000, False), (2000, True)):
        before, top = iris.measured(epochs, hoard)
        assert top >= before > 0
        increments.append(top - before)
    short, long, hoarded = increments
    assert long - short < iris.MOST_GROWTH
    # 120 networks of 83 numbers at 2,000 epochs are 152 MiB.
    assert hoarded - short > 5 * iris.MOST_GROWTH


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
    """80 images of 28 × 28 in the type of MNIST, with a margin that is zero in all, and their labels."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (80, 28, 28), dtype=np.uint8)
    pictures[:, :4] = 0
    return pictures, rng.integers(0, 10, 80)


@pytest.fixture
def task(tiny):
    pictures, labels = tiny
    x = torch.tensor(pictures).flatten(1).double() / 255
    return tasks.custom("tiny", networks.MLP((784, 6, 10), "tanh"), losses.CrossEntropy(), x, labels)


def test_the_rival_descends_as_the_engine_does(monkeypatch, tiny, task):
    monkeypatch.setattr(blocked, "_VALUES", 0)
    monkeypatch.setattr(blocked, "_LEAST", 30)  # the engine takes samples in blocks, as it does all of MNIST
    groups = networks.perturbed(task.initial(1), 1e-8, 1)
    with images.double():
        reading = images.reader(*tiny)
        ((x, y),) = reading
        assert x.dtype == torch.float64 and torch.equal(x.flatten(1), task.x) and torch.equal(y, task.y)
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
    biases = (4 * hidden + 6 * outputs) * len(task.x)
    assert images.operations(784, hidden, outputs, len(task.x)) == counter.get_total_flops() + biases


def test_the_share_says_what_it_counts(capsys, task, monkeypatch):
    rates = [images.operations(784, 6, 10, 80) / 0.5] * 3  # as many a second as the engine does in half a second
    images.report_share(task, [1.0, 1.0, 2.0], rates)
    out = capsys.readouterr().out
    assert "share of the matrix-product rate 50% (from 25% to 50% over 3 rounds) by the operations done" in out
    assert "take 784 of 784 pixels" in out and "all would need 50%" in out  # so few images are no blocks
    monkeypatch.setattr(blocked, "_VALUES", 0)
    monkeypatch.setattr(blocked, "_LEAST", 20)
    alike = tasks.custom("alike", task.network, task.loss, task.x * (torch.arange(784) % 4 == torch.arange(80)[:, None] % 4), task.y)
    margin = 4 * 28 // 4
    assert images.mean_inputs(alike) == 784 / 4 - margin  # each block is of one kind, a quarter of the pixels within the margin


def test_the_ratio_is_taken_round_by_round(capsys):
    times = {"engine": [1.0, 2.0, 1.0], "reading": [20.0, 20.0, 30.0], "resident": [3.0, 3.0, 3.0]}
    images.report_speed(2, {name: np.array(seconds) for name, seconds in times.items()})
    out = capsys.readouterr().out
    assert "engine 1.000 s a network-epoch, authors' way 20.00 s, of which 17.00 s read images" in out
    assert "ratio 20.0 (from 10.0 to 30.0 over 3 rounds), goal 15\n" in out
    assert "in memory 3.0 (from 1.5 to 3.0 over 3 rounds)" in out


def test_without_mnist_that_part_is_skipped_by_name(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NETDYN_DATA", str(tmp_path))
    monkeypatch.setenv("NETDYN_CACHE", str(tmp_path))
    monkeypatch.setattr(archives, "_download", lambda *_: pytest.fail("nothing is to be downloaded"))
    monkeypatch.setattr(images, "speed", lambda *_: pytest.fail("nothing is to be measured"))
    images.main()
    assert capsys.readouterr().out.startswith("MNIST: this part is skipped, and nothing stands in for it.")


def test_with_mnist_both_numbers_of_threads_are_measured(monkeypatch, tiny, task, capsys):
    measured = []
    monkeypatch.setattr(images, "at_hand", lambda: SimpleNamespace(x=tiny[0], y=tiny[1]))
    monkeypatch.setattr(tasks, "get", lambda name: task)
    monkeypatch.setattr(images, "speed", lambda task, groups, reading, threads: measured.append((*groups.shape[:2], threads)))
    monkeypatch.setattr(images, "report_memory", lambda: measured.append("memory"))
    images.main()
    assert measured == [(2, 6, 1), (2, 6, 2), "memory"]
    assert "MNIST 784-6-10, 80 images, float64, 2 × 6 networks" in capsys.readouterr().out


def test_the_spread_is_the_median_and_the_range():
    assert measuring.spread([4.0, 1.0, 2.0], "{:.0f}%") == "2% (from 1% to 4% over 3 rounds)"
