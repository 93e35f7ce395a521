"""Sweeps that are killed, stopped, damaged, shared, and short of disk: nothing finished is lost,
and the numbers are the same.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from netdyn_lib.experiments import jobs
from netdyn_lib.experiments.learning_rate_sweep import dataset
from netdyn_lib.experiments.learning_rate_sweep.running import plan, run
from netdyn_lib.results.store import DamagedShard, Store
from tests.small_sweeps import same, script, small

ROOT = Path(__file__).resolve().parents[1]
#: Twelve shards of a few hundredths of a second.
SIZES = dict(conditions=6, block=1, epochs=60, cap=60)
#: Says when it begins a shard.
ANNOUNCE = """
import os
from netdyn_lib.experiments.learning_rate_sweep import __main__, running
real = running.compute
def compute(*words):
    os.write(1, f"begin {words[4]}\\n".encode())
    return real(*words)
running.compute = compute
"""
RUN = """
import signal
# Who runs the tests may ignore an interrupt, as a shell's job in the background does.
signal.signal(signal.SIGINT, signal.default_int_handler)
__main__.program()
"""


def start(folder, *words, body=ANNOUNCE + RUN, **sizes):
    command = [
        sys.executable,
        "-c",
        script(ROOT, body, **(SIZES | sizes)),
        "run",
        "small",
        "--store",
        str(folder),
        "--device",
        "cpu",
        *words,
    ]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder.parent
    )


def begun(process, number):
    for _ in range(number):
        line = process.stdout.readline()
        assert line.startswith("begin"), line + process.stderr.read()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    run(small(**SIZES), folder, workers=1)
    return dataset.load(small(**SIZES), folder)


def finished(folder, uninterrupted):
    """Go on here, and compare; the outcome."""
    done = run(small(**SIZES), folder)
    assert done.missing == 0
    assert same(dataset.load(small(**SIZES), folder), uninterrupted)
    assert Store(folder).damaged() == [] and not list(folder.glob(".*.partial"))
    return done


def test_a_process_that_is_killed_goes_on_to_the_same_numbers(tmp_path, uninterrupted):
    folder = tmp_path / "store"
    process = start(folder)
    begun(process, 4)
    process.kill()
    process.communicate(timeout=60)
    assert 3 <= len(Store(folder).keys()) < 12
    done = finished(folder, uninterrupted)
    assert done.kept >= 3 and done.kept + done.computed == 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly(tmp_path, number, uninterrupted):
    folder = tmp_path / "store"
    process = start(folder)
    begun(process, 3)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "finished shards are kept" in err and "Traceback" not in err
    assert not list(folder.glob(".*.partial")) and not list(folder.glob("locks/*"))
    assert finished(folder, uninterrupted).kept >= 2


def test_a_signal_does_not_wait_for_minutes_of_work(tmp_path):
    """A hundred epochs of large networks take minutes, and threads look up only after them."""
    stuck = "import concurrent.futures, time\npool = concurrent.futures.ThreadPoolExecutor(1)\nreal = lambda *w: pool.submit(time.sleep, 600).result()\n"
    grace = "from netdyn_lib import jobs\njobs.GRACE = 0.5\n"
    folder, body = tmp_path / "store", ANNOUNCE + grace + stuck + RUN
    process = start(folder, body=body)
    begun(process, 1)
    time.sleep(1)  # until it is at work, behind the announcement
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "finished shards are kept" in err, err
    assert time.monotonic() - began < 30


def test_damaged_shards_are_named_and_computed_again(tmp_path, uninterrupted):
    sweep = small(**SIZES)
    store = Store(tmp_path)
    run(sweep, store)
    keys = list(plan(sweep, store).keys.values())
    cut, flipped = store.path(keys[1]), store.path(keys[7])
    cut.write_bytes(cut.read_bytes()[:-100])
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 4
    flipped.write_bytes(data)
    lines = []
    done = run(sweep, store, log=lines.append)
    assert (done.kept, done.computed, done.damaged) == (10, 2, (keys[1], keys[7]))
    assert len(lines) == 2
    assert all(words in line for line, words in zip(lines, (cut.name, flipped.name)))
    assert "η = 5, initial conditions 0 to 0" in lines[0] and "is damaged" in lines[0]
    assert cut.with_name(cut.name + ".damaged").exists()
    finished(tmp_path, uninterrupted)


#: Lists, and runs, as somebody to whom the store may not be written.
READING = """
import os
from netdyn_lib import store
from netdyn_lib.experiments.learning_rate_sweep import __main__, running
running.plan(SWEEP, "none"), store.Store("store").damaged()  # load all that is needed
if os.getuid() == 0:  # whom no permission stops
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for verb in ("list", "run"):
    print(__main__.main([verb, "small", "--store", "store", "--device", "cpu"]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_a_damaged_shard_of_a_store_that_may_only_be_read_is_named(tmp_path):
    store, sweep = Store(tmp_path / "store"), small(conditions=1)
    run(sweep, store)
    path = store.path(store.keys()[1])
    path.write_bytes(path.read_bytes()[:-100])
    for folder, mode in ((tmp_path, 0o755), (store.folder / "locks", 0o555), (store.folder, 0o555)):
        folder.chmod(mode)
    call = [sys.executable, "-c", script(ROOT, READING, conditions=1)]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    store.folder.chmod(0o755)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    out = done.stdout.splitlines()
    assert out[0].startswith("small (laptop): 1 of 2 shards done") and out[-1] == "1"
    listed, ran, error = done.stderr.splitlines()
    for line in (listed, ran):
        assert f"store/{path.name} is damaged" in line
        assert "nor can it be set aside (Permission denied)" in line
    assert f"ERROR: [Errno 13] {path.stem}.lock was not written (Permission denied)" in error
    assert "make room" not in error
    assert [error.path for error in store.damaged()] == [path], "the store is as it was"


def test_a_damaged_shard_that_cannot_be_set_aside_does_not_count_as_computed(tmp_path, monkeypatch):
    """A folder stands where it would be laid, and no file is renamed onto a folder."""
    store, sweep, lines = Store(tmp_path), small(conditions=1), []
    run(sweep, store)
    path = store.path(store.keys()[1])
    path.write_bytes(path.read_bytes()[:-100])
    path.with_name(path.name + ".damaged").mkdir()
    with pytest.raises(DamagedShard, match=f"{path.name} is damaged: .*; nor can it be set aside"):
        run(sweep, store, log=lines.append)
    assert len(lines) == 1 and path.name in lines[0]
    assert len(plan(sweep, store, log=lines.append).have) == 1


def test_a_damaged_shard_that_another_process_sees_to(tmp_path, monkeypatch):
    sweep, store = small(), Store(tmp_path)
    run(sweep, store)
    check, tries = Store.check, []

    def damaged_once(self, key):
        # At the second look another process has set it aside, or has computed it again.
        tries.append(key)
        if len(tries) == 1:
            raise DamagedShard(store.path(key), "cut short")
        return check(self, key)

    monkeypatch.setattr(Store, "check", damaged_once)
    assert plan(sweep, store).missing == []
    tries.clear()
    store.path(next(iter(plan(sweep, store).keys.values()))).unlink()
    tries.clear()
    assert len(plan(sweep, store).missing) == 1


def test_processes_share_a_store(tmp_path, uninterrupted):
    folder = tmp_path / "store"
    processes = [start(folder) for _ in range(2)]
    outs = [process.communicate(timeout=90) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], outs
    begins = [line for out, _ in outs for line in out.splitlines() if line.startswith("begin")]
    assert len(begins) == len(set(begins)) == 12, "a shard was computed twice"
    assert finished(folder, uninterrupted).kept == 12


def test_a_shard_that_another_holds_is_waited_for_and_taken_over(tmp_path, monkeypatch):
    """Its owner gives it up, as one that dies does."""
    sweep, store = small(), Store(tmp_path)
    first = next(iter(plan(sweep, store).keys.values()))
    monkeypatch.setattr(jobs, "_POLL", 0.02)
    with store.claim(first) as mine:
        waits = run(sweep, store, time_limit=4)
        assert mine and (waits.computed, waits.missing, waits.stopped) == (3, 1, "time limit")
    assert (run(sweep, store).computed, store.damaged()) == (1, [])


def test_a_disk_that_fills_up_keeps_what_was_finished(tmp_path, uninterrupted):
    folder = tmp_path / "store"
    limit = """
import resource
before, number = running.compute, []
def compute(*words):
    number.append(1)
    if len(number) == 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    return before(*words)
running.compute = compute
"""
    process = start(folder, body=ANNOUNCE + limit + RUN)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was not written" in err and "bytes free" in err and "Traceback" not in err
    assert len(Store(folder).keys()) == 3
    assert finished(folder, uninterrupted).kept == 3


def test_what_a_shard_says_of_itself(tmp_path):
    run(small(**SIZES), tmp_path)
    metas = [Store(tmp_path).read(key).meta for key in Store(tmp_path).keys()]
    assert {tuple(sorted(m)) for m in metas} == {
        ("commit", "computed", "data", "identity", "machine", "seconds", "shard", "sweep")
    }
    assert np.all([m["machine"]["device"] == m["identity"]["device"] == "cpu" for m in metas])
    assert (
        metas[0]["data"]
        == "Digits: first 40 of 1,437 training images, first 30 of 360 test images (scikit-learn)"
    )
    assert str(ROOT) not in json.dumps(metas)
