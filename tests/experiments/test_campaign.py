"""The engine: pieces once each, shared, in time; killed, damaged, short of disk; and their keys."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import campaign, pieces
from netdyn_lib.experiments.learning_rate_sweep.grid import Sweep
from netdyn_lib.experiments.pruning_ablation import measuring
from netdyn_lib.results import reading, store
from netdyn_lib.results.store import DamagedShard, Store, StoreError
from netdyn_lib.tasks import datasets, losses, networks, tasks
from netdyn_lib.torch_utils import Stopped
from tests import small_arms, small_campaigns
from tests.small_arms import ablation
from tests.small_sweeps import TASK, register, same, script, small

ROOT = Path(__file__).resolve().parents[2]
#: Twelve pieces of a few hundredths of a second.
SIZES = dict(conditions=6, block=1, epochs=60, cap=60)
EXPERIMENTS = {
    "sweep": lambda: small(**SIZES),
    "campaign": lambda: small_campaigns.small(block=2),
    "ablation": ablation,
}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Name → the dataset of an experiment that nobody interrupted, computed when asked for."""
    found = {}

    def of(name):
        if name not in found:
            folder = tmp_path_factory.mktemp(name)
            campaign.run(EXPERIMENTS[name](), folder, workers=1)
            found[name] = campaign.load(EXPERIMENTS[name](), folder, whole=True)
        return found[name]

    return of


def finished(name, folder, uninterrupted):
    """Go on here, and compare; the outcome."""
    done = campaign.run(EXPERIMENTS[name](), folder)
    assert done.missing == 0 and done.stopped == ""
    assert same(campaign.load(EXPERIMENTS[name](), folder, whole=True), uninterrupted(name))
    assert Store(folder).damaged() == [] and not list(folder.glob(".*.partial"))
    return done


# Pieces that a store lacks


class Pieces:
    """Pieces of work by name: ``acts`` is what is done before one is finished, ``log`` has those
    that were begun.
    """

    def __init__(self, names, resumes=False):
        self.acts, self.log, self.updated = {}, [], 0
        about = SimpleNamespace(resumes=resumes)
        self.jobs = {name: SimpleNamespace(experiment=about, key=name) for name in names}

    def make(self, job, deadline):
        self.log.append(job.key)
        self.acts.get(job.key, str)()
        return {"x": np.zeros(3)}, {"n": job.key}

    def set_description(self, text):
        pass

    def update(self):
        self.updated += 1

    def fill(self, kept, deadline=None):
        return campaign.fill(kept, self.jobs, self.make, deadline, self)


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by sleeping alone; ``then`` is what happens meanwhile."""
    now = SimpleNamespace(time=1000.0, then=lambda: None, slept=0)

    def sleep(seconds):
        now.time, now.slept = now.time + seconds, now.slept + 1
        now.then()

    patched = SimpleNamespace(monotonic=lambda: now.time, sleep=sleep)
    monkeypatch.setattr(campaign, "time", patched)
    return now


def test_pieces_are_computed_in_order_once(tmp_path):
    kept, pieces = Store(tmp_path), Pieces("cab")
    assert pieces.fill(kept) == (["c", "a", "b"], [], "") and pieces.log == ["c", "a", "b"]
    assert pieces.updated == 3 and kept.read("a").meta == {"n": "a"}
    assert pieces.fill(kept) == ([], ["c", "a", "b"], "") and len(pieces.log) == 3


def test_what_another_process_holds_is_waited_for_and_taken_over(tmp_path, clock):
    kept, pieces = Store(tmp_path), Pieces("abc")
    one, other = kept.claim("a"), kept.claim("b")
    assert one.__enter__() and other.__enter__()

    def then():
        if clock.slept == 2:  # this one gives up, as one that dies does
            other.__exit__(None, None, None)
        if clock.slept == 3:
            kept.write("a", {}, {"n": "theirs"})
            one.__exit__(None, None, None)

    clock.then = then
    assert pieces.fill(kept) == (["c", "b"], ["a"], "")
    assert pieces.log == ["c", "b"] and kept.read("a").meta == {"n": "theirs"}


def test_time_limits(tmp_path, clock):
    """Waiting ends with the limit; a piece that would not be finished is not begun, but where it
    could be gone on with; one that gives up keeps those before it.
    """
    kept = Store(tmp_path)
    with kept.claim("x") as mine:
        assert mine and Pieces("x").fill(kept, clock.time + 10) == ([], [], "time limit")
    assert 10 <= clock.time - 1000 < 12

    def slow():
        clock.time += 10

    def gives_up():
        raise Stopped("the time is over")

    for resumes, begun in ((False, ["a", "b"]), (True, ["a", "b", "c"])):
        pieces = Pieces("abcd", resumes)
        pieces.acts = dict(a=slow, b=slow, c=gives_up)
        there = Store(tmp_path / str(resumes))
        assert pieces.fill(there, clock.time + 25) == (["a", "b"], [], "time limit")
        assert pieces.log == begun and there.keys() == ["a", "b"]
        assert not list(there.folder.glob("locks/*"))


def test_an_error_keeps_the_pieces_before_it_and_lets_go(tmp_path):
    kept, pieces = Store(tmp_path), Pieces("ab")
    pieces.acts["b"] = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        pieces.fill(kept)
    assert kept.keys() == ["a"] and not list((tmp_path / "locks").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        Pieces("a").fill(Store(tmp_path / "file"))


def test_several_at_the_same_work_do_each_piece_once(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "_POLL", 0.002)
    pieces, results, go = Pieces([f"p{k}" for k in range(12)]), [], threading.Barrier(3)

    def one():
        go.wait()
        results.append(pieces.fill(Store(tmp_path)))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pieces.log) == sorted(pieces.jobs)
    assert all(len(here) + len(there) == 12 and why == "" for here, there, why in results)


def test_a_piece_mended_or_set_aside_by_another_meanwhile(tmp_path, monkeypatch):
    """At the second look it is good, or gone; what no one has mended is an error of that piece."""
    kept = Store(tmp_path)
    path = kept.write("a", {"x": np.arange(3.0)}, {})
    whole, check = path.read_bytes(), kept.check

    def then(mend):
        def looked(name):
            try:
                check(name)
            finally:
                mend()

        path.write_bytes(whole[:-20])
        monkeypatch.setattr(kept, "check", looked)
        return campaign.is_good(kept, "a")

    assert then(lambda: path.write_bytes(whole)) and not list(tmp_path.glob("*.damaged"))
    assert not then(lambda: path.unlink(missing_ok=True))
    with pytest.raises(DamagedShard):
        then(lambda: None)
    assert not path.exists() and path.with_name("a.npz.damaged").exists()


def test_what_cannot_be_set_aside_is_an_error(tmp_path, monkeypatch):
    kept = Store(tmp_path)
    kept.write("a", {}, {})
    kept.path("a").write_bytes(b"nothing")

    def refused(*_):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(kept, "set_aside", refused)
    with pytest.raises(DamagedShard, match="nor can it be set aside .Permission denied"):
        Pieces("a").fill(kept)


# Killed, stopped, damaged, shared

BEGIN = """
import os, sys
from netdyn_lib.experiments import campaign
real = campaign.compute
def compute(job, work):
    os.write(1, f"begin {job.key}\\n".encode())
    return real(job, work)
campaign.compute = compute
"""
#: Says when it begins a piece, and goes on until it is killed.
RUN = """
from tests.experiments.test_campaign import EXPERIMENTS
campaign.run(EXPERIMENTS[sys.argv[1]](), sys.argv[2], "cpu", 1)
"""
COMMAND = """
import signal
# Who runs the tests may ignore an interrupt, as a shell's job in the background does.
signal.signal(signal.SIGINT, signal.default_int_handler)
from netdyn_lib.experiments import jobs
jobs.program(__main__.main)
"""


def start(*words, body=BEGIN + RUN, cwd=ROOT):
    call, pipes = [sys.executable, "-c", body, *words], dict.fromkeys(("stdout", "stderr"), -1)
    return subprocess.Popen(call, text=True, cwd=cwd, **pipes)


def command(folder, body=""):
    words = ["run", "small", "--store", str(folder), "--out", str(folder), "--device", "cpu"]
    return start(*words, body=script(ROOT, BEGIN + body + COMMAND, **SIZES))


def begun(process, number):
    for _ in range(number):
        line = process.stdout.readline()
        assert line.startswith("begin"), line + process.stderr.read()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_process_that_is_killed_goes_on_to_the_same_numbers(tmp_path, name, uninterrupted):
    process = start(name, str(tmp_path))
    begun(process, 4)
    process.kill()
    process.communicate(timeout=60)
    done = finished(name, tmp_path, uninterrupted)
    assert done.kept >= 3 and done.kept + done.computed == len(EXPERIMENTS[name]().pieces())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_damaged_pieces_are_named_and_computed_again(tmp_path, capsys, name, uninterrupted):
    one, kept = EXPERIMENTS[name](), Store(tmp_path)
    campaign.run(one, kept)
    jobs = campaign.plan(one, kept).jobs
    places = [kept.path(jobs[one.pieces()[k]].key) for k in (1, 3)]
    places[0].write_bytes(places[0].read_bytes()[:-100])
    data = bytearray(places[1].read_bytes())
    for place in range(len(data) // 3, len(data) // 2, 40):
        data[place] ^= 4
    places[1].write_bytes(data)
    done = campaign.run(one, kept)
    assert (done.computed, done.damaged) == (2, tuple(path.stem for path in places))
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 2
    for line, path, k in zip(err.splitlines(), places, (1, 3)):
        assert line.startswith(f"{one.name}, {one.pieces()[k]}: {path} is damaged")
        assert line.endswith("It counts as missing.")
        assert path.with_name(path.name + ".damaged").exists()
    finished(name, tmp_path, uninterrupted)


def test_processes_share_a_store(tmp_path, uninterrupted):
    processes = [start("sweep", str(tmp_path)) for _ in range(2)]
    outs = [process.communicate(timeout=90) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], outs
    begins = [line for out, _ in outs for line in out.splitlines()]
    assert len(begins) == len(set(begins)) == 12, "a piece was computed twice"
    assert finished("sweep", tmp_path, uninterrupted).kept == 12


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly(tmp_path, number, uninterrupted):
    process = command(tmp_path)
    begun(process, 3)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "finished pieces are kept" in err and "Traceback" not in err
    assert not list(tmp_path.glob(".*.partial")) and not list(tmp_path.glob("locks/*"))
    assert finished("sweep", tmp_path, uninterrupted).kept >= 2


def test_a_signal_does_not_wait_for_minutes_of_work(tmp_path):
    """A hundred epochs of large networks take minutes, and threads look up only after them."""
    stuck = """
import concurrent.futures, time
from netdyn_lib.experiments import jobs
jobs.GRACE = 0.5
pool = concurrent.futures.ThreadPoolExecutor(1)
real = lambda *words: pool.submit(time.sleep, 600).result()
"""
    process = command(tmp_path, stuck)
    begun(process, 1)
    time.sleep(1)  # until it is at work, after the announcement
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "finished pieces are kept" in err, err
    assert time.monotonic() - began < 30


def test_a_disk_that_fills_up_keeps_what_was_finished(tmp_path, uninterrupted):
    limit = """
import resource
before, number = campaign.compute, []
def compute(*words):
    number.append(1)
    if len(number) == 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    return before(*words)
campaign.compute = compute
"""
    process = command(tmp_path, limit)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "was not written" in err and "bytes free" in err and "Traceback" not in err
    assert len(Store(tmp_path).keys()) == 3
    assert finished("sweep", tmp_path, uninterrupted).kept == 3


#: Lists, and runs, as somebody to whom the store may not be written.
READING = """
import os
from netdyn_lib.results.store import Store
campaign.plan(SWEEP, "none"), Store(sys.argv[1]).damaged()  # load all that is needed
if os.getuid() == 0:  # whom no permission stops
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for verb in ("list", "run"):
    words = [verb, "small", "--store", sys.argv[1], "--device", "cpu", "--out", sys.argv[1]]
    print(__main__.main(words), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_a_damaged_piece_of_a_store_that_may_only_be_read_is_named(tmp_path):
    kept = Store(tmp_path / "store")
    campaign.run(small(conditions=1), kept)
    path = kept.path(kept.keys()[1])
    path.write_bytes(path.read_bytes()[:-100])
    for folder, mode in ((tmp_path, 0o755), (kept.folder / "locks", 0o555), (kept.folder, 0o555)):
        folder.chmod(mode)
    process = start("store", body=script(ROOT, READING, conditions=1), cwd=tmp_path)
    out, err = process.communicate(timeout=90)
    kept.folder.chmod(0o755)
    assert process.returncode == 0 and "Traceback" not in err, err
    assert out.startswith("small (laptop): 1 of 2 shards stored"), err
    assert out.endswith("\n1\n")
    *named, error = err.splitlines()
    assert len(named) == 2
    for line in named:
        assert f"store/{path.name} is damaged" in line
        assert "nor can it be set aside (Permission denied)" in line
    assert f"ERROR: [Errno 13] {path.stem}.lock was not written (Permission denied)" in error
    assert [error.path for error in kept.damaged()] == [path], "the store is as it was"


# A piece that is continued from its checkpoints


@pytest.fixture
def counted(monkeypatch):
    """The stretches that are followed: (label, network, start, stop) of each."""
    seen, follow = [], measuring.follow

    def count(task, arm, network, start, stop, *state, **more):
        seen.append((arm.label, network, start, stop))
        return follow(task, arm, network, start, stop, *state, **more)

    monkeypatch.setattr(measuring, "follow", count)
    return seen


def checkpoints(folder):
    metas = [Store(folder).read(name).meta for name in Store(folder).keys()]
    return [meta for meta in metas if "segment" in meta["identity"]["parameters"]]


def test_a_killed_network_is_gone_on_with_to_the_last_bit(tmp_path, counted):
    """Killed with −9, anywhere in a stretch: no claim is left, and the rest is followed from the
    last checkpoint.
    """
    body = f"""
from netdyn_lib.experiments import campaign
from tests.small_arms import ablation, small
arm = small("random-same", momentum=0.5, networks=1, steps=1_000_000)
campaign.run(ablation(arm), {str(tmp_path)!r})
"""
    process = start(body=body)
    try:
        end = time.monotonic() + 120
        while len(list(tmp_path.glob("*.npz"))) < 3:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    done = len(checkpoints(tmp_path))
    arm = small_arms.small("random-same", momentum=0.5, networks=1, steps=4 * (done + 2))
    assert campaign.run(ablation(arm), tmp_path).computed == 1
    first = 4 * done
    assert [span for *_, span in (c[2:] for c in counted)] == [first + 4, first + 8]
    whole = ablation(dataclasses.replace(arm, segment=arm.steps))
    campaign.run(whole, tmp_path / "whole")
    found = [
        campaign.load(one, at)
        for one, at in ((ablation(arm), tmp_path), (whole, tmp_path / "whole"))
    ]
    assert same(*found)
    million = ablation(dataclasses.replace(arm, steps=1_000_000))
    with Store(tmp_path).claim(next(iter(campaign.plan(million, tmp_path).jobs.values())).key) as m:
        assert m


def test_a_time_limit_stops_within_a_stretch_and_the_next_run_goes_on(tmp_path, counted):
    arm = small_arms.small("negative", steps=1_000_000, segment=100, networks=1)
    began = time.monotonic()
    done = campaign.run(ablation(arm), tmp_path, time_limit=2)
    assert (done.computed, done.missing, done.stopped) == (0, 1, "time limit")
    assert time.monotonic() - began < 20
    kept = len(checkpoints(tmp_path))
    assert kept == len(counted) - 1 and not list(tmp_path.glob("locks/*"))
    counted.clear()
    campaign.run(ablation(arm), tmp_path, time_limit=0.5)
    assert not counted or counted[0] == ("negative", 0, 100 * kept, 100 * kept + 100)


def test_damaged_checkpoints_and_more_networks_or_steps(tmp_path, counted, capsys, uninterrupted):
    """Only what is lacking is followed."""
    one, kept = ablation(), Store(tmp_path)
    campaign.run(one, kept)
    jobs = campaign.plan(one, kept).jobs
    piece = one.pieces()[2]
    (middle,) = (
        name
        for name in kept.keys()
        for about in [kept.read(name).meta["identity"]["parameters"]]
        if about.get("segment") == [4, 8]
        and (about["network"], about["arm"]["rule"]) == (0, dataclasses.asdict(piece.arm.rule))
        and about["arm"]["momentum"] == 0
    )
    for name in (jobs[piece].key, middle):
        kept.path(name).write_bytes(b"nothing")
    counted.clear()
    finished("ablation", tmp_path, uninterrupted)
    assert counted == [("random-same", 0, 4, 8)]
    assert capsys.readouterr().err.count("counts as missing") == 2
    for more, spans in (
        (dict(networks=3), [(2, 0, 4), (2, 4, 8), (2, 8, 12)]),
        (dict(steps=16), [(0, 12, 16), (1, 12, 16)]),
        (dict(name="again", networks=2), []),
    ):
        counted.clear()
        campaign.run(ablation(small_arms.small("none", **more)), kept)
        assert [span[1:] for span in counted] == spans


# Keys


def key_of(experiment, piece=0, recipe=None):
    recipe = recipe or tasks.recipe(experiment.task)
    job = campaign.Job(experiment, experiment.pieces()[piece], recipe, "cpu")
    return store.key(job.identity())


def test_a_key_changes_with_parameters_version_task_data_and_packages(monkeypatch):
    first, seen = key_of(small()), []
    changes = [
        *(dict(rates=(0.6, 5.0)), dict(block=1), dict(epochs=13), dict(copies=3), dict(seed=1)),
        *(dict(radius=1e-7), dict(cap=31), dict(sustained=5), dict(samples=41)),
        *(dict(test_samples=31), dict(sharp_at=(0,), sharp_conditions=1), dict(task="digits")),
        *(dict(task=f"digits-{kind}") for kind in ("sigmoid", "l2-1e-3", "cnn")),
    ]
    seen += [key_of(small(**change)) for change in changes]
    recipe = tasks.recipe(TASK)
    for change in (
        dict(target_accuracy=0.5),
        dict(std=0.5),
        dict(weight_decay=0.1),
        dict(network=lambda: networks.MLP((64, 9, 10), "tanh")),
        dict(data="digits", loss=Other()),
    ):
        seen.append(key_of(small(), recipe=dataclasses.replace(recipe, **change)))
    monkeypatch.setattr(pieces, "versions", lambda: {"numpy": "0", "torch": "0"})
    seen.append(key_of(small()))
    monkeypatch.undo()
    monkeypatch.setattr(Sweep, "version", 2)
    seen.append(key_of(small()))
    monkeypatch.undo()
    assert len({first, *seen}) == len(seen) + 1 == len(changes) + 8
    for name, change in (("campaign", dict(backward=21)), ("ablation", dict(onset=1))):
        make = (
            small_campaigns.small
            if name == "campaign"
            else lambda **c: ablation(small_arms.small(**c))
        )
        assert key_of(make()) not in {key_of(make(**change)), key_of(make(seed=1)), first}


class Other(losses.CrossEntropy):
    pass


def test_a_key_stays_with_what_decides_no_number():
    first = key_of(small())
    assert key_of(small(name="other")) == first
    assert key_of(small(rates=(5.0, 0.5)), 1) == first
    assert key_of(small(rates=(0.5, 1.0, 5.0), conditions=9)) == first
    renamed = dataclasses.replace(tasks.recipe(TASK), name="other", source="x")
    assert key_of(small(), recipe=renamed) == first
    # Sharpness of other pieces does not matter to one that takes none.
    deep = dict(sharp_at=(0,), conditions=4)
    assert key_of(small(sharp_conditions=2, **deep), 2) == key_of(
        small(sharp_conditions=1, **deep), 2
    )
    of = small_campaigns.small
    assert key_of(of(name="other", count=500)) == key_of(of())
    arms = [small_arms.small(**more) for more in ({}, dict(name="other", networks=9, segment=6))]
    assert len({key_of(ablation(arm)) for arm in arms}) == 1


def test_a_key_follows_the_samples_themselves():
    """A checksum belongs to a whole set: another split of it, or other pixels, are other data."""
    iris = [key_of(Sweep("s", name, (1.0,), 1)) for name in ("iris", "iris-balanced")]
    assert iris[0] != iris[1]
    register()
    recipe, split = tasks.recipe(TASK), datasets.digits()
    brighter = dataclasses.replace(split, x=split.x * 2)
    test = dataclasses.replace(split, y_test=split.y_test.flip(0))
    given = [dataclasses.replace(recipe, data=lambda s=s: s) for s in (split, brighter, test)]
    assert len({key_of(small(), recipe=one) for one in given}) == 3


def network(act, scale=1.0):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.scale = torch.nn.Linear(64, 10), scale

    Net.forward = act
    return Net()


def test_a_key_follows_the_code_of_a_module_of_your_own():
    """Two classes of one name, with other arithmetic, must not answer for each other."""
    recipe = tasks.recipe(small().task)

    def key(act, scale=1.0):
        return key_of(
            small(), recipe=dataclasses.replace(recipe, network=lambda: network(act, scale))
        )

    doubled = key(lambda self, x: self.layer(2 * x))
    assert doubled == key(lambda self, x: self.layer(2 * x))
    others = {
        key(lambda self, x: self.layer(3 * x)),
        key(lambda self, x: self.layer(x).sin()),
        key(lambda self, x: self.layer(2 * x), 0.5),
    }
    assert len({doubled, *others}) == 4


def test_a_machine_that_would_compute_something_else_refuses():
    job = campaign.Job(small(), small().pieces()[0], tasks.recipe(TASK), "cpu", "0000")
    with pytest.raises(ValueError, match="would compute something else.*wanted 0000"):
        campaign.compute(job, campaign.Work())


# What a run says


def test_only_what_is_missing_is_computed(tmp_path, monkeypatch):
    sweep, seen, real = small(), [], campaign.compute
    monkeypatch.setattr(
        campaign, "compute", lambda job, work: seen.append(job.piece) or real(job, work)
    )
    first = campaign.run(sweep, tmp_path)
    assert (first.kept, first.computed, first.missing, len(seen)) == (0, 4, 0, 4)
    jobs, lost = campaign.plan(sweep, tmp_path).jobs, [sweep.pieces()[k] for k in (1, 3)]
    for piece in lost:
        Store(tmp_path).path(jobs[piece].key).unlink()
    assert campaign.plan(sweep, tmp_path).missing == lost
    part = campaign.load(sweep, tmp_path)
    assert part["present"].values.tolist() == [[True] * 3, [False] * 3]
    assert (
        np.isnan(part["loss"].sel(eta=5.0)).all() and (part["diverged_at"].sel(eta=5.0) == -1).all()
    )
    with pytest.raises(KeyError, match="lacks 2 of 4 shards of 'small': run it first"):
        campaign.load(sweep, tmp_path, whole=True)
    both = campaign.run([sweep, small(rates=(0.5, 1.0, 5.0), name="wider")], tmp_path)
    assert [(one.kept, one.computed) for one in both] == [(2, 2), (2, 4)]
    assert seen[4:6] == lost and campaign.run(sweep, tmp_path).computed == 0


def test_what_a_piece_says_of_itself(tmp_path):
    campaign.run(small(), tmp_path)
    metas = [Store(tmp_path).read(key).meta for key in Store(tmp_path).keys()]
    names = "commit computed data identity machine name seconds"
    assert {" ".join(sorted(meta)) for meta in metas} == {names}
    assert all(m["machine"]["device"] == m["identity"]["device"] == "cpu" for m in metas)
    said = "Digits: first 40 of 1,437 training images, first 30 of 360 test images (scikit-learn)"
    assert metas[0]["data"] == said and str(ROOT) not in json.dumps(metas)
    metas[0]["machine"]["processor"] = "another"
    assert sorted(group["shards"] for group in campaign.origins(metas)) == [1, 3]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_store_of_another_kind_is_named(tmp_path, name):
    """Its pieces have the right keys and checksums, and hold something else."""
    one = EXPERIMENTS[name]()
    for job in campaign.plan(one, tmp_path).jobs.values():
        store.write_archive(tmp_path / f"{job.key}.npz", {"x": [1.0]}, {"key": job.key})
    with pytest.raises(reading.Unreadable, match=f"{tmp_path} is no store of such {one.unit} .it"):
        campaign.load(one, tmp_path)


def test_bad_input_is_one_clear_error(tmp_path):
    for one, how, said in (
        (small(task="none"), {}, "unknown task 'none'; known: iris"),
        (small(), dict(device="tpu"), "unknown device 'tpu'"),
        (small(), dict(device="cuda:99"), "sees 0|asks for GPU 99"),
        (small(samples=5000), {}, "samples = 5000"),
        (small(), dict(workers=0), "workers = 0"),
        *((small(), dict(time_limit=n), "time_limit") for n in (0, -1, float("nan"))),
    ):
        with pytest.raises(ValueError, match=said):
            campaign.run(one, tmp_path, **how)
    assert not list(tmp_path.glob("*.npz"))
