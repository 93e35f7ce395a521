"""The command line of the arms: exit statuses, and errors without tracebacks."""

import subprocess
import sys

import pytest

from netdyn_lib.experiments.pruning_ablation import __main__ as command
from netdyn_lib.experiments.pruning_ablation import arm, published, running
from netdyn_lib.tasks import datasets, tasks
from tests.small_arms import TASK, small

NAMES = (f"{TASK}/none", f"{TASK}/negative", "digits-usps/none")


@pytest.fixture
def book(monkeypatch):
    """The book's arms, small; those of paper size have one network more."""

    def table(profile, seed):
        networks = 2 if profile == "laptop" else 3
        last = small("none", name=NAMES[2], task="digits-usps", networks=1, seed=seed)
        return {
            name: small(name.partition("/")[2], networks=networks, seed=seed) for name in NAMES[:2]
        } | {NAMES[2]: last}

    monkeypatch.setattr(arm, "_table", table)


@pytest.fixture
def run(book, tmp_path, capsys):
    """The status of a command, and what it wrote."""

    def command_line(words):
        status = command.main([*words.split(), "--store", str(tmp_path / "store")])
        return status, *capsys.readouterr()

    return command_line


def test_all_arms_are_run_once_and_published(run, tmp_path):
    status, out, err = run("run")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{NAMES[0]}: 2 of 2 networks done",
        f"{NAMES[1]}: 2 of 2 networks done",
        f"{NAMES[2]}: 1 of 1 networks done",
    ]
    status, out, err = run(f"publish --out {tmp_path / 'out'}")
    assert (
        (status, err) == (0, "")
        and f"{TASK}.npz: 2 arms, 4 networks, 0.0" in out
        and out.count(" MB") == 2
    )
    assert published.names(tmp_path / "out") == ["digits-usps", TASK]
    assert published.recompute(TASK, "x", root=tmp_path / "out").agrees


def test_names_are_arms_or_tasks_in_the_order_given(run):
    assert run(f"run {NAMES[1]} {TASK} {NAMES[1]}")[1].splitlines() == [
        f"{name}: 2 of 2 networks done" for name in (NAMES[1], NAMES[0])
    ]
    status, out, _ = run("list")
    assert status == 0 and out.splitlines()[2] == f"{NAMES[2]}: 0 of 1 networks done, 12 steps each"
    assert run(f"run {NAMES[0]} --profile paper")[1] == f"{NAMES[0]}: 3 of 3 networks done\n"
    assert (
        run(f"list {NAMES[0]} --seed 1")[1] == f"{NAMES[0]}: 0 of 2 networks done, 12 steps each\n"
    )


def test_tasks_whose_data_are_not_at_hand_are_left_out_and_named(run, monkeypatch):
    monkeypatch.setattr(command.arm, "tasks", lambda profile: (TASK, "fashion"))
    monkeypatch.setattr(datasets, "available", lambda name: False)
    status, out, err = run("list")
    assert status == 0 and f"{NAMES[0]}: 0 of 2" in out and "fashion" not in out
    assert (
        err
        == "NOTE: without the arms of 'fashion': Fashion-MNIST is not at hand (set NETDYN_DATA)\n"
    )


def test_what_is_not_finished_is_published_as_far_as_it_is(run, tmp_path):
    run(f"run {NAMES[0]}")
    status, out, _ = run(f"publish {TASK} --profile paper --out {tmp_path / 'out'}")
    assert status == 0 and "1 arms, 2 networks" in out


def test_a_list_says_what_a_step_takes(run):
    status, out, _ = run(f"list {NAMES[0]} --time")
    assert status == 0 and "12 steps each; " in out and " ms a step, 0.0 minutes a network" in out


def test_a_time_limit_is_status_3(run):
    status, out, _ = run(f"run {NAMES[0]} --time-limit 1e-6")
    assert (status, out) == (3, f"{NAMES[0]}: 0 of 2 networks done\n")


def test_more_workers_are_processes(run, monkeypatch):
    from netdyn_lib.experiments.pruning_ablation import results

    seen, start = [], subprocess.Popen
    monkeypatch.setattr(
        results.subprocess, "Popen", lambda words, **more: seen.append(words) or start(["true"])
    )
    assert run(f"run {NAMES[0]} --workers 9 --time-limit 60 --profile paper")[0] == 0
    assert len(seen) == 2, "no more than there are networks"
    words = seen[0]
    assert words[1:5] == [
        "-m",
        "netdyn_lib.experiments.pruning_ablation",
        "run",
        NAMES[0],
    ] and words[-2:] == ["--workers", "1"]
    assert words[5:7] == ["--profile", "paper"] and words[-4:-2] == ["--time-limit", "60.0"]


def test_an_unknown_name_is_an_error_before_anything_is_computed(run, monkeypatch):
    monkeypatch.setattr(running, "run", lambda *words: pytest.fail("computed for nothing"))
    status, out, err = run(f"run {NAMES[0]} other")
    assert (
        (status, out) == (1, "")
        and err.startswith("ERROR: unknown arm 'other'; known at the profile laptop: ")
        and err.count("\n") == 1
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --time-limit 0", "--time-limit = 0"),
        ("run --seed -1", "seed = -1"),
        ("run --workers 0", "workers = 0"),
        ("publish", f"lacks 4 of 4 networks of 2 arms of '{TASK}'"),
    ],
)
def test_bad_input_is_one_error(run, words, said):
    status, out, err = run(words)
    assert (
        (status, out) == (1, "")
        and err.startswith("ERROR: ")
        and said in err
        and err.count("\n") == 1
    )


def test_a_store_that_cannot_be_written_is_one_error(book, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert command.main(["run", "--store", str(tmp_path / "file")]) == 1
    assert "was not written" in capsys.readouterr().err


@pytest.mark.parametrize("error", [datasets.MissingData("none"), datasets.DamagedData("damaged")])
def test_data_that_cannot_be_had_are_an_error_of_their_task_alone(run, monkeypatch, error):
    get = tasks.get

    def some(name, *words, **more):
        if name == TASK:
            raise error
        return get(name, *words, **more)

    monkeypatch.setattr(tasks, "get", some)
    assert run("run") == (1, f"{NAMES[2]}: 1 of 1 networks done\n", f"ERROR: {TASK}: {error}\n")


def test_an_interrupt_is_status_130(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", interrupted)
    status, _, err = run("run")
    assert status == 130 and "finished segments are kept" in err


@pytest.mark.parametrize("words", ["", "walk", "run --profile huge"])
def test_what_cannot_be_understood_is_a_usage_error(book, capsys, words):
    with pytest.raises(SystemExit) as stopped:
        command.main(words.split())
    assert (
        stopped.value.code == 2
        and "usage: python -m netdyn_lib.experiments.pruning_ablation" in capsys.readouterr().err
    )


def test_running_needs_no_plots_and_no_statistics_package():
    """A bare machine with a GPU has torch, numpy, scipy, scikit-learn, pandas, xarray and tqdm."""
    hidden = (
        "matplotlib",
        "seaborn",
        "statsmodels",
        "yaml",
        "dask",
        "distributed",
        "nbformat",
        "torchvision",
    )
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden!r}))"
    code = f"{hide}; from netdyn_lib.experiments.pruning_ablation import __main__, published, results; __main__.main(['list', 'digits-usps'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
