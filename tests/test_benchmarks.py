"""Measurements: ratios round by round, growth's exponents, and files that are refused."""

import json

import numpy as np
import pytest

from netdyn_lib.experiments import benchmarks
from netdyn_lib.experiments.benchmarks import Growth, Results, Row
from netdyn_lib.results import provenance, store


def row(**changed):
    return Row(
        **dict(
            work="w, 2 threads",
            rival="a loop",
            ours=(1.0, 2.0, 4.0),
            theirs=(20.0, 20.0, 200.0),
            unit="s",
            goal=15.0,
        )
        | changed
    )


def test_ratios_are_taken_round_by_round():
    assert row().ratios.tolist() == [20, 10, 50]
    assert (row().ratio, row().low, row().high) == (20, 10, 50)
    assert (
        str(row(accuracy="differs by 1e-9"))
        == "w, 2 threads: 2 s; a loop: 20; ratio 20 (10 to 50, 3 rounds); goal 15, met; differs by 1e-9"
    )


def test_rates_are_the_other_way_round():
    assert row(rate=True).ratios.tolist() == [0.05, 0.1, 0.02]


@pytest.mark.parametrize(("goal", "met"), [(20.0, True), (20.5, False), (None, None)])
def test_a_goal_is_met_by_the_median(goal, met):
    assert row(goal=goal).met is met
    assert ("goal" in str(row(goal=goal))) == (goal is not None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(ours=(1.0, 0.0, 1.0)), r"ours = \(1.0, 0.0, 1.0\): expected positive numbers"),
        (dict(theirs=(1.0, np.nan, 1.0)), "theirs = "),
        (dict(ours=()), "expected positive numbers"),
        (dict(ours=(1.0,)), "1 rounds of ours and 3 of the rival's"),
    ],
)
def test_what_is_no_measurement_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        row(**changed)


def growth(**changed):
    sizes = np.array([10.0, 30.0, 100.0, 300.0, 1000.0])
    return Growth(
        **dict(
            work="w", quantity="samples", sizes=sizes, seconds=0.1 * sizes**1.5, mebibytes=2 * sizes
        )
        | changed
    )


def test_an_exact_power_is_found():
    assert (growth().exponent().estimate, growth().exponent("mebibytes").estimate) == pytest.approx(
        (1.5, 1)
    )
    rng = np.random.default_rng(0)
    noisy = growth(seconds=growth().seconds * rng.lognormal(0, 0.2, 5)).exponent()
    assert noisy.low < 1.5 < noisy.high and noisy.high - noisy.low > 0.05


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = [
        i.low <= 1.5 <= i.high
        for i in (
            growth(seconds=growth().seconds * rng.lognormal(0, 0.2, 5)).exponent(level=0.8)
            for _ in range(400)
        )
    ]
    assert 0.74 < np.mean(held) < 0.86


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            dict(sizes=(1, 2), seconds=(1, 2), mebibytes=None),
            "at least three, positive and ascending",
        ),
        (dict(sizes=(1, 3, 2, 4, 5)), "ascending"),
        (dict(seconds=(1, 2, 3)), "expected 5 numbers"),
        (dict(mebibytes=(1, 2, 3, 4, -1)), "not negative"),
    ],
)
def test_sizes_that_are_no_growth_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        growth(**changed)


def test_an_exponent_of_nothing_is_refused():
    for found in (growth(mebibytes=None), growth(mebibytes=(0, 1, 2, 3, 4))):
        with pytest.raises(ValueError, match="an exponent needs positive numbers"):
            found.exponent("mebibytes")
        assert Results({}, (), (found,)).exponents()["exponent of memory"].tolist() == [""]


@pytest.fixture
def results():
    return Results(
        {"processor": "p", "cores": 2, "date": "2026-01-01"},
        (row(), row(work="another", goal=None)),
        (growth(),),
    )


def test_a_file_gives_back_what_was_saved(tmp_path, results):
    path = tmp_path / "new" / "cpu.json"
    benchmarks.save(path, results)
    assert benchmarks.load(path) == results
    assert [p.name for p in path.parent.iterdir()] == ["cpu.json"]


def test_tables_and_rows(results):
    table = results.table()
    assert table["part"].tolist() == ["", ""]
    assert (
        table["ratio"].tolist() == 2 * ["20 (10 to 50)"]
        and table["met"].tolist() == ["yes", ""]
        and table["goal"].tolist() == ["15", ""]
    )
    assert results.exponents()["exponent of time"].str.startswith("1.5").all()
    assert results.row("another").goal is None
    with pytest.raises(ValueError, match="0 rows begin with 'x'; there are: w, 2 threads; another"):
        results.row("x")


def test_a_missing_file_says_how_it_is_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="make bench measures"):
        benchmarks.load(tmp_path / "cpu.json")


def test_a_damaged_file_is_refused(tmp_path, results):
    path = tmp_path / "cpu.json"
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


def test_what_limits_a_row_is_told_and_older_files_have_none(tmp_path):
    limited = Results({}, (row(limit="bytes", goal=50.0),), ())
    assert str(limited.rows[0]).endswith("goal 50, missed; what limits it: bytes")
    assert limited.table()["what limits it"].tolist() == ["bytes"]
    reached = Results({}, (row(limit="bytes", goal=1.0), row(limit="bytes")), ())
    assert reached.table()["what limits it"].tolist() == ["", ""] and "limits" not in str(
        reached.rows[0]
    )
    path = tmp_path / "cpu.json"
    benchmarks.save(path, limited)
    assert benchmarks.load(path) == limited
    found = store.read_json(path)
    del found["rows"][0]["limit"]
    store.write_json(path, found)
    assert benchmarks.load(path).rows[0] == row(goal=50.0)


def test_rows_of_a_part_stand_together():
    rows = tuple(row(work=f"{k}", group=group) for k, group in enumerate(("b", "a", "b")))
    found = Results({}, rows, ())
    assert (
        found.groups == ("b", "a")
        and [r.work for r in found.by_group()] == ["0", "2", "1"] == found.table()["work"].tolist()
    )


@pytest.mark.parametrize(
    ("unit", "rate", "shares"),
    [("Gflop/s", True, True), ("steps a second", True, False), ("s", False, False)],
)
def test_shares_are_in_operations_per_second(unit, rate, shares):
    assert row(unit=unit, rate=rate).shares is shares


def test_what_is_published_says_where(tmp_path, results):
    root = tmp_path / "results" / "bench"
    with pytest.raises(FileNotFoundError, match="make bench KEEP=1 measures"):
        benchmarks.published(root)
    benchmarks.save(root / "cpu.json", results)
    found = benchmarks.published(root)
    assert found == {"cpu": results} and provenance.of(found) == ("bench/cpu.json",)
    assert provenance.of(results) == (provenance.HERE,)
    benchmarks.save(root / "gpu.json", results)
    assert list(benchmarks.published(root)) == ["cpu", "gpu"] and provenance.of(
        benchmarks.published(root)
    ) == ("bench/cpu.json", "bench/gpu.json")
    assert benchmarks.load(root / "cpu.json").published_in is None


def test_the_folder_is_that_of_the_book():
    assert (
        benchmarks.folder().parts[-3:] == ("book", "results", "bench")
        and (benchmarks.folder().parents[1] / "index.md").exists()
    )


def test_what_was_measured_on_what(results):
    other = Results({"device": "a GPU", "cuda": "13", "duration_s": 600.0, "command": "c"}, (), ())
    about = benchmarks.about({"cpu": results, "gpu": other})
    assert about["cpu"].to_dict() == {
        "processor": "p",
        "cores": "2",
        "device": "",
        "CUDA": "",
        "date": "2026-01-01",
        "took": "",
        "repeated by": "make bench KEEP=1",
    }
    assert about.loc["took", "gpu"] == "10 min" and about.loc["repeated by", "gpu"] == "c"
    assert "torch" not in about.index


def test_tables_and_counts_of_several(results):
    alone, both = (
        benchmarks.tables({"cpu": results}),
        benchmarks.tables({"cpu": results, "gpu": results}),
    )
    assert (
        "on" not in alone
        and both["on"].tolist() == ["cpu", "cpu", "gpu", "gpu"]
        and both.columns[0] == "on"
    )
    missed = benchmarks.tables(
        {
            "cpu": Results(
                {}, (row(goal=99.0, work="w" * 60, limit="l" * 60), row(goal=1e-9), row()), ()
            )
        },
        "missed",
    )
    assert missed["what limits it"].tolist() == ["l" * 60] and "on" not in missed
    assert "l" * 60 in missed._repr_html_() and "w" * 60 in missed[["work", "goal"]]._repr_html_()
    assert benchmarks.tables({"cpu": results, "gpu": results}, "exponents")["grows"].tolist() == [
        "samples",
        "samples",
    ]
    assert benchmarks.summary({"cpu": results, "gpu": Results({}, (row(goal=99.0),), ())}) == {
        "goals": 2,
        "met": 1,
        "missed": 1,
    }
