"""The one command: what it runs, lists, publishes and checks; errors without tracebacks."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from netdyn_lib.experiments import __main__ as command
from netdyn_lib.experiments import campaign, jobs, sizes
from netdyn_lib.experiments.pruning_ablation import arm
from netdyn_lib.tasks import datasets
from tests import small_arms, small_campaigns
from tests.small_sweeps import script, small

ROOT = Path(__file__).resolve().parents[2]
#: None of these may be needed to run, list and publish.
HIDE = """
import sys

class Hidden:
    # To look for a package is allowed, to import it fails: as where it is not installed.

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        names = {"dask", "distributed", "matplotlib", "seaborn", "yaml", "statsmodels", "papermill",
                 "jupytext", "torchvision", "IPython", "nbformat", "sphinx", "plotly"}
        hidden = name.partition(".")[0] in names
        return None if hidden else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Hidden(finder) for finder in sys.meta_path]
"""
VERBS = """
where = ["--store", sys.argv[1], "--device", "cpu", "--out", sys.argv[2]]
assert __main__.main(["list", "small", *where]) == 3
assert __main__.main(["run", "small", *where]) == 0
assert __main__.main(["list", "digits-usps/none", "ridge-tanh-normal", *where]) == 3
assert __main__.main(["publish", "small", *where]) == 0
assert __main__.main(["check", "small", *where[-2:]]) == 0
"""


def test_it_needs_no_more_than_a_machine_that_computes_has(tmp_path):
    places = [str(tmp_path / "store"), str(tmp_path / "out")]
    call = [sys.executable, "-c", HIDE + script(ROOT, VERBS), *places]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "small (laptop): 0 of 4 shards stored"
    assert lines[1] == "  missing: η = 0.5, initial conditions 0 to 1"
    assert "0 kept, 4 computed in" in lines[5] and "small.npz" in lines[-2]
    assert lines[-1].startswith("small, initial condition") and "published agree" in lines[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]


ARMS = ("small-arms/none", "small-arms/negative", "digits-usps/none")


@pytest.fixture
def book(monkeypatch):
    """The book's experiments, small: two sweeps, two campaigns, three arms."""
    few = {k: v for k, v in vars(small()).items() if k not in ("name", "seed")}
    sweeps = {"small": few, "images": few | {"task": "mnist"}}
    monkeypatch.setitem(sizes._PAPER, "05_mnist_cifar", dict(sweeps=sweeps))
    monkeypatch.setitem(sizes._LAPTOP, "05_mnist_cifar", {})
    own = {k: v for k, v in vars(small_campaigns.small()).items() if k not in ("name", "task")}
    names = ("ridge-tanh-normal", "ridge-relu-glorot")
    monkeypatch.setitem(sizes._PAPER, "06_prediction", own | dict(campaigns=names, count=15))
    monkeypatch.setitem(sizes._LAPTOP, "06_prediction", dict(count=12))

    def table(profile, seed):
        more = dict(networks=2 if profile == "laptop" else 3, seed=seed)
        arms = [small_arms.small(name.partition("/")[2], **more) for name in ARMS[:2]]
        last = dict(name=ARMS[2], task="digits-usps", networks=1, seed=seed)
        return {one.name: one for one in (*arms, small_arms.small("none", **last))}

    monkeypatch.setattr(arm, "_table", table)


@pytest.fixture
def run(book, tmp_path, capsys):
    """The status of a command, and what it wrote."""

    def command_line(words):
        where = ["--out", str(tmp_path / "out")]
        if not words.startswith("check"):
            where += ["--store", str(tmp_path / "store")]
        status = command.main([*words.split(), *where])
        return status, *capsys.readouterr()

    return command_line


def test_names_are_unique_at_either_profile():
    for profile in sizes.PROFILES:
        modules = [import_module(f"netdyn_lib.experiments.{name}") for name in command.CATALOGUES]
        every = [name for module in modules for name in module.names(profile)]
        assert len(every) == len(set(every)) == len(command.names(profile)) > 30
        for name in every:
            one = command.get(name, profile, seed=3)
            assert one.name == name and one.pieces() and one.shelf.path(name)


def test_check_reaches_every_published_file():
    names = {name for name, _ in command._published(SimpleNamespace(names=[], out=None))}
    files = (ROOT / "book" / "results").rglob("*.npz")
    places = "results outcomes arms chaos_or_step exponents functions".split()
    assert {f"{p.parent.name}/{p.stem}" for p in files} <= names | {
        f"{place}/{name}" for place in places for name in names
    }


def test_check_takes_datasets_of_no_campaign(capsys):
    assert command.main(["check", "spectra/digits-small"]) == 0
    assert "spectra/digits-small, network" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "pieces", "larger"),
    [("small", 4, 4), ("ridge-tanh-normal", 2, 3), ("small-arms", 4, 6), ("small-arms/none", 2, 3)],
)
def test_every_experiment_is_run_published_continued_and_checked(
    run, tmp_path, name, pieces, larger
):
    status, out, err = run(f"run {name} --workers 1")
    assert (status, err) == (0, "") and out.startswith(f"{name}: 0 kept, {pieces} computed in ")
    assert run(f"run {name}")[1].startswith(f"{name}: {pieces} kept, 0 computed in ")
    status, out, err = run(f"publish {name}")
    task = name.partition("/")[0]
    assert (status, err) == (0, "") and out.startswith(str(tmp_path / "out" / f"{task}.npz: "))
    status, out, err = run(f"check {task}")
    assert (status, err) == (0, "") and "recomputed and published agree" in out
    # The store is lost with its machine: what is published counts, as far as it can.
    (tmp_path / "store").rename(tmp_path / "lost")
    known = 0 if name == "ridge-tanh-normal" else pieces
    status, out, _ = run(f"list {name} --profile paper")
    assert status == (0 if known == larger else 3)
    assert f"{name} (paper): 0 of {larger} " in out and (f"{known} published" in out) == (known > 0)
    line = f"{name}: 0 kept, " + f"{known} published, " * (known > 0)
    assert run(f"run {name} --profile paper")[1].startswith(f"{line}{larger - known} computed")
    if known < larger:
        assert run(f"publish {name} --profile paper")[0] == 0
    if known < larger:
        (tmp_path / "store").rename(tmp_path / "lost again")
    status, out, _ = run(f"list {name} --profile paper")
    assert status == 0 and f"{larger} published" in out
    assert run(f"list {name} --seed 1")[0] == run(f"list {name} --fresh")[0] == 3


def test_a_time_limit_is_for_all_and_status_3(run):
    status, out, _ = run("run small small-arms --time-limit 1e-6")
    assert status == jobs.INCOMPLETE == 3
    assert out.count("missing (time limit)") == 2


def test_more_workers_of_one_thread_are_processes(run, monkeypatch):
    seen, start = [], subprocess.Popen

    def started(words, **more):
        if "-m" not in words:  # git, which says at which commit this is
            return start(words, **more)
        seen.append(words)
        return start(["true"])

    monkeypatch.setattr(jobs.subprocess, "Popen", started)
    assert run("run small-arms/none --workers 9 --profile paper")[0] == 0
    assert len(seen) == 2, "no more than there are networks"
    assert seen[0][1:4] == ["-m", "netdyn_lib.experiments", "run"]
    assert seen[0][4:7] == ["small-arms/none", "--profile", "paper"]
    assert seen[0][-2:] == ["--workers", "1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run small none", "unknown experiment 'none'; known: small, images, ridge-tanh-normal"),
        ("run small-arms/none small-arms/other", "unknown arm 'small-arms/other'; known at"),
        ("run small --device tpu", "unknown device 'tpu'"),
        ("run small --device cuda:99", "cuda:99"),
        ("run small --time-limit 0", "--time-limit = 0"),
        ("run small --time-limit nan", "--time-limit = nan"),
        ("run small --seed -1", "seed = -1"),
        ("run small --workers 0", "workers = 0"),
        ("publish small", "lacks 4 of 4 shards of 'small'"),
        ("publish ridge-tanh-normal", "lacks 2 of 2 blocks of 'ridge-tanh-normal'"),
        ("publish small-arms", "lacks 4 of 4 networks of 'small-arms'"),
        ("check small", "nothing is published of the sweep 'small'"),
    ],
)
def test_bad_input_is_one_error_before_anything_is_computed(run, monkeypatch, words, said):
    monkeypatch.setattr(campaign, "compute", lambda *_: pytest.fail("computed for nothing"))
    status, out, err = run(words)
    assert (status, out) == (1, "") and err.startswith("ERROR: ") and err.count("\n") == 1
    assert said in err


def test_a_store_that_cannot_be_written_is_one_error(book, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(campaign, "compute", lambda *_: pytest.fail("computed for nothing"))
    (tmp_path / "file").touch()
    assert command.main(["run", "small", "--store", str(tmp_path / "file")]) == 1
    assert "was not written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [datasets.MissingData("MNIST is nowhere"), datasets.DamagedData("mnist is damaged")]
)
def test_data_that_cannot_be_had_are_an_error_of_their_experiment_alone(run, monkeypatch, error):
    monkeypatch.setattr(datasets, "load", lambda name: (_ for _ in ()).throw(error))
    status, out, err = run("run images small")
    assert (status, err) == (1, f"ERROR: images: {error}\n")
    assert "small: 0 kept, 4 computed" in out
    status, out, _ = run("list images")
    assert status == 3 and "its data cannot be had" in out


@pytest.mark.parametrize("words", ["", "walk", "run", "run small --profile huge"])
def test_what_cannot_be_understood_is_a_usage_error(book, capsys, words):
    with pytest.raises(SystemExit) as stopped:
        command.main(words.split())
    assert stopped.value.code == 2
    assert "usage: python -m netdyn_lib.experiments" in capsys.readouterr().err
