"""Measurements: ratios round by round, growth's exponents, and files that are refused."""

import json

import numpy as np
import pytest

from netdyn_lib.experiments import benchmarks
from netdyn_lib.experiments.benchmarks import Growth, Results, Row
from netdyn_lib.results import provenance, store

SIZES = np.array([10.0, 30.0, 100.0, 300.0, 1000.0])


def row(**changed):
    plain = dict(work="w, 2 threads", rival="a loop", unit="s", goal=15.0)
    times = dict(ours=(1.0, 2.0, 4.0), theirs=(20.0, 20.0, 200.0))
    return Row(**plain | times | changed)


def growth(**changed):
    plain = dict(work="w", quantity="samples", sizes=SIZES, seconds=0.1 * SIZES**1.5)
    return Growth(**plain | dict(mebibytes=2 * SIZES) | changed)


def test_ratios_are_taken_round_by_round():
    assert row().ratios.tolist() == [20, 10, 50]
    assert (row().ratio, row().low, row().high) == (20, 10, 50)
    assert row(rate=True).ratios.tolist() == [0.05, 0.1, 0.02]
    told = "w, 2 threads: 2 s; a loop: 20; ratio 20 (10 to 50), 3 rounds; goal 15, met"
    assert str(row(accuracy="differs by 1e-9")) == f"{told}; differs by 1e-9"
    assert row(unit="Gflop/s", rate=True).shares and not row(unit="Gflop/s").shares
    assert not row(unit="steps a second", rate=True).shares


@pytest.mark.parametrize(("goal", "met"), [(20.0, True), (20.5, False), (None, None)])
def test_a_goal_is_met_by_the_median(goal, met):
    found = row(goal=goal, limit="bytes")
    assert found.met is met and ("goal" in str(found)) == (goal is not None)
    assert str(found).endswith("missed; what limits it: bytes") == (met is False)
    (told,) = Results({}, (found,), ()).table().to_dict("records")
    assert told["what limits it"] == ("bytes" if met is False else "")
    assert told["ratio"] == "20 (10 to 50)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: row(ours=(1.0, 0.0, 1.0)), r"ours = \(1.0, 0.0, 1.0\): expected positive"),
        (lambda: row(theirs=(1.0, np.nan, 1.0)), "theirs = "),
        (lambda: row(ours=(1.0,)), "1 rounds of ours and 3 of the rival's"),
        (lambda: growth(sizes=(1, 2), seconds=(1, 2), mebibytes=None), "at least three"),
        (lambda: growth(sizes=(1, 3, 2, 4, 5)), "ascending"),
        (lambda: growth(seconds=(1, 2, 3)), "expected 5 numbers"),
        (lambda: growth(mebibytes=(1, 2, 3, 4, -1)), "not negative"),
        (lambda: growth(mebibytes=None).exponent("mebibytes"), "needs positive numbers"),
        (lambda: growth(mebibytes=(0, 1, 2, 3, 4)).exponent("mebibytes"), "positive numbers"),
    ],
)
def test_what_is_no_measurement_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_exact_power_is_found_and_its_interval_covers_as_often_as_it_says():
    found = growth().exponent().estimate, growth().exponent("mebibytes").estimate
    assert found == pytest.approx((1.5, 1))
    rng, held = np.random.default_rng(1), []
    for _ in range(400):
        noisy = growth(seconds=0.1 * SIZES**1.5 * rng.lognormal(0, 0.2, 5))
        held.append(1.5 in noisy.exponent(level=0.8))
    assert 0.74 < np.mean(held) < 0.86


@pytest.fixture
def results():
    rows = row(group="b"), row(group="a", work="another", goal=None), row(group="b", work="more")
    return Results({"processor": "p", "cores": 2, "date": "2026-01-01"}, rows, (growth(),))


def test_rows_of_a_part_stand_together(results):
    assert results.table()["part"].tolist() == ["b", "b", "a"]
    assert [found.work for found in results.by_group()] == ["w, 2 threads", "more", "another"]
    assert results.table()["met"].tolist() == ["yes", "yes", ""]


def test_threads_and_variants_of_a_work_stand_in_one_line():
    rows = [
        row(work="Iris, 3 networks, tanh, 1 thread", theirs=(10.0,) * 3, ours=(1.0,) * 3),
        row(work="Iris, 3 networks, relu, 1 thread", theirs=(8.0,) * 3, ours=(1.0,) * 3, goal=None),
        row(work="Iris, 3 networks, 2 threads", theirs=(30.0,) * 3, ours=(2.0,) * 3, goal=7),
        row(work="Share, 1 thread", unit="Gflop/s", rate=True),
        row(work="Sweep", rival="other, in words", goal=None, theirs=(2.0,) * 3, ours=(1.0,) * 3),
    ]
    found = Results({"threads": 4}, tuple(rows), ()).side_by_side()
    expected = [["Iris", "a loop", "8 to 10", "15", "", "15"], ["Sweep", "other", "", "", "2", ""]]
    assert found.columns.tolist()[2:] == ["1 thread", "2 threads", "4 threads", "goal"]
    assert found.values.tolist() == expected


def test_a_file_gives_back_what_was_saved(tmp_path, results):
    path = tmp_path / "new" / "cpu.json"
    benchmarks.save(path, results)
    assert benchmarks.load(path) == results
    assert [p.name for p in path.parent.iterdir()] == ["cpu.json"]
    older = store.read_json(path)
    del older["rows"][0]["limit"]
    store.write_json(path, older)
    assert benchmarks.load(path) == results


def test_a_damaged_file_is_refused(tmp_path, results):
    path = tmp_path / "cpu.json"
    with pytest.raises(FileNotFoundError, match="make bench measures"):
        benchmarks.load(path)
    benchmarks.save(path, results)
    whole, found = path.read_text(), store.read_json(path)
    for text in (whole[:-40], "[]", whole.replace("20.0", "21.0", 1), json.dumps(found)):
        path.write_text(text)
        with pytest.raises(store.DamagedShard, match="cpu.json is damaged"):
            benchmarks.load(path)
    one = found["rows"][0]
    others = [found | {"format": 2}, {"format": 1, "about": {}, "rows": []}]
    others += [found | {"rows": [one | change]} for change in ({"more": 1}, {"ours": [-1]})]
    for content in others:
        store.write_json(path, content)
        with pytest.raises(ValueError, match=r"cpu.json is no file of measurements \("):
            benchmarks.load(path)


def test_what_is_published_says_where(tmp_path, results):
    root = tmp_path / "results" / "bench"
    with pytest.raises(FileNotFoundError, match="make bench KEEP=1 measures"):
        benchmarks.published(root)
    benchmarks.save(root / "cpu.json", results)
    assert benchmarks.published(root) == {"cpu": results}
    benchmarks.save(root / "gpu.json", results)
    both = benchmarks.published(root)
    assert list(both) == ["cpu", "gpu"]
    assert provenance.of(both) == ("bench/cpu.json", "bench/gpu.json")
    assert provenance.of(results) == (provenance.HERE,)
    assert (benchmarks.folder().parents[1] / "index.md").exists()
