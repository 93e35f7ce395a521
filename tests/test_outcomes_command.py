"""The command line of the campaigns: exit statuses, and errors without tracebacks."""

import pytest

from netdyn_lib.experiments import sizes as profiles
from netdyn_lib.experiments.outcome_prediction import __main__ as command
from netdyn_lib.experiments.outcome_prediction import published, running
from tests.test_outcomes_campaign import small

NAMES = ("ridge-tanh-normal", "ridge-relu-glorot")


@pytest.fixture
def book(monkeypatch):
    """The book's campaigns, small; those of paper size have one block more."""
    sizes = {
        k: getattr(small(), k)
        for k in ("count", "learning_rate", "steps", "times", "backward", "block")
    }
    monkeypatch.setitem(profiles._PAPER, "06_prediction", sizes | dict(campaigns=NAMES, count=15))
    monkeypatch.setitem(profiles._LAPTOP, "06_prediction", dict(count=12))


@pytest.fixture
def run(book, tmp_path, capsys):
    """The status of a command, and what it wrote."""

    def command_line(words):
        status = command.main([*words.split(), "--store", str(tmp_path / "store")])
        return status, *capsys.readouterr()

    return command_line


def test_all_campaigns_are_run_once_and_published(run, tmp_path):
    status, out, err = run("run --workers 1")
    assert (status, err) == (0, "")
    assert out.splitlines() == [f"{name}: 2 of 2 blocks done, 0 of them before" for name in NAMES]
    assert run("run ridge-relu-glorot") == (
        0,
        "ridge-relu-glorot: 2 of 2 blocks done, 2 of them before\n",
        "",
    )
    status, out, err = run(f"publish --out {tmp_path / 'out'}")
    assert (status, err) == (0, "") and out.count("MB") == 2
    assert published.names(tmp_path / "out") == sorted(NAMES)
    assert published.load(NAMES[0], tmp_path / "out")[0].sizes["network"] == 12
    assert published.recompute(NAMES[1], "x", 2, root=tmp_path / "out").agrees


def test_profiles_and_seeds_are_other_campaigns(run):
    assert run("run ridge-tanh-normal --profile paper")[:2] == (
        0,
        "ridge-tanh-normal: 3 of 3 blocks done, 0 of them before\n",
    )
    # The first block is the same seven networks.
    assert (
        run("run ridge-tanh-normal")[1]
        == "ridge-tanh-normal: 2 of 2 blocks done, 1 of them before\n"
    )
    assert (
        run("run ridge-tanh-normal --seed 1")[1]
        == "ridge-tanh-normal: 2 of 2 blocks done, 0 of them before\n"
    )


def test_a_time_limit_is_status_3(run):
    status, out, _ = run("run --time-limit 1e-6")
    assert (status, out) == (3, "".join(f"{name}: not begun, time limit\n" for name in NAMES))


def test_an_unknown_name_is_an_error_before_anything_is_computed(run, monkeypatch):
    monkeypatch.setattr(running, "run", lambda *words: pytest.fail("computed for nothing"))
    status, out, err = run("run ridge-tanh-normal none")
    assert (status, out) == (
        1,
        "",
    ) and err == f"ERROR: unknown campaign 'none'; known: {', '.join(NAMES)}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --time-limit 0", "--time-limit = 0"),
        ("run --time-limit nan", "--time-limit = nan"),
        ("run --seed -1", "seed = -1"),
        ("run --workers 0", "workers = 0"),
        ("publish", "lacks 2 of 2 blocks of the campaign 'ridge-tanh-normal'"),
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


def test_a_damaged_block_is_told_and_computed_again(run, tmp_path):
    run("run ridge-tanh-normal")
    next((tmp_path / "store").glob("*.npz")).write_bytes(b"nothing")
    status, out, err = run(f"publish ridge-tanh-normal --out {tmp_path / 'out'}")
    assert status == 1 and "is damaged" in err and not (tmp_path / "out").exists()
    status, out, err = run("run ridge-tanh-normal")
    assert (status, out) == (
        0,
        "ridge-tanh-normal: 2 of 2 blocks done, 1 of them before\n",
    ) and "counts as missing" in err


def test_an_interrupt_is_status_130(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", interrupted)
    status, _, err = run("run")
    assert status == 130 and "finished blocks are kept" in err


@pytest.mark.parametrize("words", ["", "walk", "run --profile huge"])
def test_what_cannot_be_understood_is_a_usage_error(book, capsys, words):
    with pytest.raises(SystemExit) as stopped:
        command.main(words.split())
    assert (
        stopped.value.code == 2
        and "usage: python -m netdyn_lib.experiments.outcome_prediction" in capsys.readouterr().err
    )
