"""Pieces on a Dask cluster of two processes: the same numbers, also when a worker is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

from netdyn_lib.experiments import __main__ as command
from netdyn_lib.experiments import campaign, sizes
from netdyn_lib.results.store import Store
from netdyn_lib.tasks import losses, networks, tasks
from tests.small_arms import ablation
from tests.small_sweeps import same, small

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("dask")
    with dask.config.set({"distributed.admin.log-format": "%(message)s"}):
        with LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            protocol="tcp",
            host="127.0.0.1",
            local_directory=str(scratch),
            silence_logs=50,
        ) as found:
            yield found


def own(name, forward=None):
    """A task that no worker has registered, its data and its network made by closures."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 5)), np.arange(30) % 3
    split = tasks.custom(name, networks.MLP((5, 3)), losses.CrossEntropy(), x, y).split

    def network():
        if forward:
            forward()
        return networks.MLP((5, 4, 3), "tanh")

    if name not in tasks.names():
        tasks.register(tasks.Recipe(name, lambda: split, network, losses.CrossEntropy(), 0.9))
    return small(task=name, samples=None, test_samples=None)


def test_workers_give_the_same_numbers(tmp_path, cluster):
    """Also those of pieces that have checkpoints here, and none there."""
    both, here, there = [own("own-cluster"), ablation()], tmp_path / "here", tmp_path / "there"
    campaign.run(both, here)
    done = campaign.run(both, there, scheduler=cluster.scheduler_address)
    assert [(one.computed, one.missing, one.stopped) for one in done] == [(4, 0, ""), (5, 0, "")]
    for one in both:
        assert same(campaign.load(one, there), campaign.load(one, here))
    wider = small(**{**vars(both[0]), "rates": (0.5, 1.0, 5.0)})
    again = campaign.run(wider, there, scheduler=cluster.scheduler_address)
    assert (again.kept, again.computed) == (4, 2)


def test_a_worker_that_is_killed_costs_nothing(tmp_path, cluster):
    sweep = small(conditions=4, block=1, epochs=60, cap=0)
    campaign.run(sweep, tmp_path / "here")
    with Client(cluster) as client:
        victim = next(iter(client.run(os.getpid).values()))
        killed = threading.Timer(0.3, os.kill, (victim, signal.SIGKILL))
        killed.start()
        done = campaign.run(sweep, tmp_path / "there", scheduler=client)
        killed.join()
        assert client.status == "running", "a client that was lent was closed"
    assert (done.computed, done.missing) == (8, 0)
    assert same(*(campaign.load(sweep, tmp_path / place) for place in ("here", "there")))


def test_an_error_on_a_worker_names_the_piece(tmp_path, cluster):
    home = os.getpid()

    def fail():
        if os.getpid() != home:
            raise RuntimeError("no memory on this worker")

    said = "small, η = .*, initial conditions .*: failed on its worker: .*no memory on this worker"
    with pytest.raises(RuntimeError, match=said):
        campaign.run(own("own-failing", fail), tmp_path, scheduler=cluster.scheduler_address)


def test_a_time_limit_holds_on_workers(tmp_path, cluster):
    sweep = small(rates=(0.5, 1.0, 5.0), conditions=1, epochs=3_000_000, cap=0)
    began, how = time.monotonic(), dict(scheduler=cluster.scheduler_address)
    done = campaign.run(sweep, tmp_path, time_limit=2, **how)
    assert time.monotonic() - began < 30
    assert (done.computed, done.missing, done.stopped) == (0, 3, "time limit")
    # Workers are free again: what was given up does not go on.
    assert campaign.run(small(conditions=1), tmp_path, time_limit=60, **how).missing == 0


SCHEDULER = """
import time
from distributed import LocalCluster
from netdyn_lib.experiments.learning_rate_sweep import grid  # now, not when the first piece comes

where = dict(dashboard_address=None, protocol="tcp", host="127.0.0.1", processes=False)
with LocalCluster(n_workers=1, threads_per_worker=1, silence_logs=50, **where) as cluster:
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


def test_a_scheduler_that_is_killed_is_one_error(tmp_path, monkeypatch, capfd):
    """Its process is killed while it computes the second piece, or one soon after."""
    sweep = small(conditions=12, block=1, epochs=100, cap=0)
    size = {name: value for name, value in vars(sweep).items() if name not in ("name", "seed")}
    monkeypatch.setitem(sizes._PAPER, "05_mnist_cifar", dict(sweeps={"small": size}))
    monkeypatch.setitem(sizes._LAPTOP, "05_mnist_cifar", {})
    store = Store(tmp_path / "store")
    words = ["run", "small", "--store", str(store.folder), "--device", "cpu"]
    call = [sys.executable, "-c", SCHEDULER]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process = subprocess.Popen(call, text=True, cwd=tmp_path, **pipes)

    def kill():
        while not store.keys():
            time.sleep(0.01)
        process.kill()

    try:
        address = process.stdout.readline().strip()
        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        assert command.main([*words, "--scheduler", address]) == 1
        killer.join(60)
    finally:
        process.kill()
        process.communicate()
    kept = len(store.keys())
    out, err = capfd.readouterr()
    assert out == "" and 0 < kept < 24 and store.damaged() == []
    assert err.startswith(f"ERROR: the Dask scheduler at {address} is gone"), err
    assert err.count("\n") == 1, err
    assert f"of 24 pieces that were missing {kept} are computed and kept, and {24 - kept}" in err
    assert "missing: the same command, with a sched" in err
    assert command.main(words) == 0
    assert f"small: {kept} kept, {24 - kept} computed" in capfd.readouterr().out


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1:nine"])
def test_an_address_where_nobody_answers_is_a_clear_error(tmp_path, address, monkeypatch):
    from netdyn_lib.experiments import cluster as module

    monkeypatch.setattr(module, "_CONNECT", 1)
    began = time.monotonic()
    with pytest.raises(ConnectionError, match=f"no Dask scheduler answers at '{address}'"):
        campaign.run(small(), tmp_path, scheduler=address)
    assert time.monotonic() - began < 30


def test_without_dask_a_scheduler_is_a_clear_error(tmp_path, monkeypatch):
    from netdyn_lib import experiments

    monkeypatch.delitem(sys.modules, "netdyn_lib.experiments.cluster", raising=False)
    monkeypatch.delattr(experiments, "cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(RuntimeError, match="needs Dask.*pip install dask distributed"):
        campaign.run(small(), tmp_path, scheduler="tcp://127.0.0.1:9")


def test_dask_leaves_nothing_in_the_checkout():
    call = ["git", "status", "--short", "--ignored"]
    said = subprocess.run(call, capture_output=True, text=True, cwd=ROOT).stdout
    assert "dask" not in said.replace("tests/", "")
