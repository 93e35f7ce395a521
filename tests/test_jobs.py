"""Work that a store lacks: once each, beside others, within a time limit, and again where it is
damaged.
"""

import runpy
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from netdyn_lib.experiments import jobs
from netdyn_lib.results.store import DamagedShard, Store, StoreError
from netdyn_lib.torch_utils import Stopped


def work(value, log=None, before=lambda: None):
    def piece(deadline):
        before()
        if log is not None:
            log.append((value, deadline))
        return {"x": np.full(3, float(value))}, {"n": value}

    return piece


def held(store, name):
    """A claim of another holder, and how it lets go."""
    claim = store.claim(name)
    assert claim.__enter__()
    return lambda: claim.__exit__(None, None, None)


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by sleeping alone; ``then`` is what happens meanwhile."""
    now = SimpleNamespace(time=1000.0, then=lambda: None, slept=0)

    def sleep(seconds):
        now.time, now.slept = now.time + seconds, now.slept + 1
        now.then()

    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: now.time, sleep=sleep))
    return now


def test_pieces_are_computed_in_order_written_and_counted(tmp_path):
    store, log, done = Store(tmp_path), [], []
    pieces = {name: work(k, log) for k, name in enumerate("cab")}
    assert jobs.fill(store, pieces, None, lambda: done.append(1)) == (3, 0, "")
    assert log == [(0, None), (1, None), (2, None)] and len(done) == 3
    assert store.read("a").arrays["x"].tolist() == [1, 1, 1] and store.read("a").meta == {"n": 1}
    assert jobs.fill(store, pieces, None, lambda: done.append(1)) == (0, 3, "") and len(log) == 3
    assert jobs.fill(store, {}) == (0, 0, "")


def test_what_another_process_holds_is_left_to_it_and_waited_for(tmp_path, clock):
    store, log, done = Store(tmp_path), [], []
    release = held(store, "a")

    def finish():
        if clock.slept == 3:
            store.write("a", {"x": np.zeros(1)}, {"n": "theirs"})
            release()

    clock.then = finish
    assert jobs.fill(
        store, {"a": work(1, log), "b": work(2, log)}, None, lambda: done.append(1)
    ) == (1, 1, "")
    assert log == [(2, None)] and clock.slept == 3 and len(done) == 2
    assert store.read("a").meta == {"n": "theirs"}


def test_what_another_process_gave_up_is_computed_here(tmp_path, clock):
    store = Store(tmp_path)
    clock.then = held(store, "a")
    assert jobs.fill(store, {"a": work(1)}) == (1, 0, "") and clock.slept == 1
    assert store.read("a").meta == {"n": 1}


def test_waiting_ends_with_the_time_limit(tmp_path, clock):
    store = Store(tmp_path)
    release = held(store, "a")
    assert jobs.fill(store, {"a": work(1)}, clock.time + 10) == (0, 0, "time limit")
    assert 10 <= clock.time - 1000 < 12
    release()


def test_a_piece_that_would_not_be_finished_is_not_begun(tmp_path, clock):
    store, log = Store(tmp_path), []

    def slow():
        clock.time += 10

    pieces = {name: work(k, log, slow) for k, name in enumerate("abcd")}
    deadline = clock.time + 25
    assert jobs.fill(store, pieces, deadline) == (2, 0, "time limit"), (
        "after 20 of 25 seconds another piece of 10 was begun"
    )
    assert log == [(0, deadline), (1, deadline)] and store.keys() == ["a", "b"]


def test_a_piece_that_gives_up_keeps_those_before_it(tmp_path):
    store = Store(tmp_path)

    def gives_up():
        raise Stopped("time is up")

    assert jobs.fill(store, {"a": work(1), "b": work(2, None, gives_up), "c": work(3)}, 1e18) == (
        1,
        0,
        "time limit",
    )
    assert store.keys() == ["a"] and not list((tmp_path / "locks").iterdir())


def test_an_error_keeps_those_before_it_and_lets_go(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError):
        jobs.fill(store, {"a": work(1), "b": lambda deadline: 1 / 0})
    assert store.keys() == ["a"] and not list((tmp_path / "locks").iterdir())
    with store.claim("b") as mine:
        assert mine
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        jobs.fill(Store(tmp_path / "file"), {"a": work(1)})


def test_several_at_the_same_work_do_each_piece_once(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "_POLL", 0.002)
    log, results, go = [], [], threading.Barrier(3)
    pieces = {f"p{k}": work(k, log) for k in range(12)}

    def one():
        go.wait()
        results.append(jobs.fill(Store(tmp_path), pieces))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(value for value, _ in log) == list(range(12))
    assert sum(computed for computed, _, _ in results) == 12 and all(
        c + e == 12 and why == "" for c, e, why in results
    )


def test_what_is_missing_is_named_in_order_and_damage_is_set_aside(tmp_path):
    store, log = Store(tmp_path), []
    for name in "abc":
        store.write(name, {"x": np.arange(3.0)}, {})
    path = store.path("b")
    path.write_bytes(path.read_bytes()[:-20])
    assert jobs.missing(store, "dbac", log.append) == ["d", "b"]
    assert len(log) == 1 and str(path) in log[0] and log[0].endswith("It counts as missing.")
    assert not path.exists() and path.with_name("b.npz.damaged").exists()
    assert jobs.missing(store, "dbac", log.append) == ["d", "b"] and len(log) == 1


def test_a_piece_mended_meanwhile_is_good(tmp_path, monkeypatch):
    """Another process set the damaged one aside and computed it again between two looks."""
    store = Store(tmp_path)
    store.write("a", {"x": np.arange(3.0)}, {})
    whole = store.path("a").read_bytes()
    store.path("a").write_bytes(whole[:-20])
    real, looks = store.check, []

    def check(name):
        looks.append(name)
        try:
            real(name)
        finally:
            store.path("a").write_bytes(whole)

    monkeypatch.setattr(store, "check", check)
    assert jobs.is_good(store, "a") and looks == ["a", "a"]
    assert not list(tmp_path.glob("*.damaged"))


def test_a_piece_that_vanishes_is_missing(tmp_path, monkeypatch):
    store = Store(tmp_path)
    assert not jobs.is_good(store, "a")
    store.write("a", {}, {})

    def gone(name):
        raise KeyError(name)

    monkeypatch.setattr(store, "check", gone)
    assert not jobs.is_good(store, "a")


def test_damage_is_an_error_of_one_piece(tmp_path):
    store = Store(tmp_path)
    store.path("a").parent.mkdir(exist_ok=True)
    store.path("a").write_bytes(b"no archive")
    with pytest.raises(DamagedShard):
        jobs.is_good(store, "a")
    assert jobs.fill(store, {"a": work(1)}) == (1, 0, "")


# Command lines


@pytest.mark.parametrize("package", ["sweeps", "arms", "outcomes"])
@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_the_three_command_lines_are_stopped_alike(package, monkeypatch):
    begun = []
    monkeypatch.setattr(jobs, "program", lambda main, pieces: begun.append(pieces))
    runpy.run_module(f"netdyn_lib.{package}.__main__", run_name="__main__")
    assert begun == [{"sweeps": "shards", "arms": "segments", "outcomes": "blocks"}[package]]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("too large"), 1, "ERROR: too large\n"),
        (KeyError("the store lacks it"), 1, "ERROR: the store lacks it\n"),
        (MemoryError("8 GB"), 1, "ERROR: 8 GB\n"),
        (RuntimeError("failed on its worker"), 1, "ERROR: failed on its worker\n"),
        (ConnectionError("gone"), 1, "ERROR: gone\n"),
        (KeyboardInterrupt(), 130, jobs._stopped("blocks") + "\n"),
    ],
)
def test_an_error_is_one_line_and_a_status(capsys, error, status, said):
    def work():
        raise error

    assert jobs.status(work, "blocks") == status and capsys.readouterr().err == said
    assert jobs.status(lambda: 3, "blocks") == 3


def test_a_time_limit_counts_down():
    assert jobs.countdown(None)() is None
    assert 59 < jobs.countdown(60)() <= 60
    for limit in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"--time-limit = {limit}"):
            jobs.countdown(limit)
