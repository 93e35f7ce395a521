"""The command ``netdyn``: answers of known systems, errors in one line, exit statuses."""

import json
import math
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from netdyn_lib import __main__ as command
from netdyn_lib.experiments import sweet_spot
from netdyn_lib.tasks import datasets

ROOT = Path(__file__).resolve().parents[1]
LINE = """
import torch

line = torch.nn.Linear(1, 1, bias=False)
samples = torch.tensor([[1.0], [2.0]]), torch.tensor([0.5, 1.5])


def needs(something): ...


def fails():
    return 1 / 0
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with a network of one weight; the loss has the curvature Σ x² = 5."""
    (tmp_path / "line.py").write_text(LINE, encoding="utf-8")
    (tmp_path / "line.csv").write_text("x,y\n1,0.5\n2,1.5\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("import torch\nnet = torch.nn.Lnear(1, 1)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def run(*words):
    call = [sys.executable, "-m", "netdyn_lib", *words]
    return subprocess.run(call, capture_output=True, text=True, encoding="utf-8")


def exponents(rate, data="line.csv"):
    words = f"exponents line.py:line --data {data} --learning-rate {rate}".split()
    return [*words, "--conditions", "5", "--epochs", "60", "--device", "cpu", "--json"]


def test_a_parabola_multiplies_by_one_minus_the_rate_times_its_curvature(folder):
    done = run(*exponents(0.5))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    for measured in (found["exponent"], *found["tangent"]):
        assert measured["estimate"] == pytest.approx(math.log(1.5), abs=1e-6)
    assert found["share"]["estimate"] == 1 and found["convergence"] == [{"converged": 5}]


def test_exponents_say_whether_they_have_converged(folder, capsys):
    """A parabola's rate is constant."""
    assert command.main([word for word in exponents(0.5) if word != "--json"]) == 0
    said = capsys.readouterr().out
    assert "has exponent 1 converged after 60 epochs? converged in 5 of 5" in said


def test_without_growth_there_is_no_exponent(folder, capsys):
    assert command.main(exponents(0.1, "line.py:samples")) == 3
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["exponent"]["estimate"] is None
    assert found["tangent"][0]["estimate"] == pytest.approx(math.log(0.5))
    assert said.err.startswith("no answer: 0 of 5 kept")


def test_the_example_of_the_help_runs_and_finds_what_the_library_finds(folder, capsys):
    with pytest.raises(SystemExit) as left:
        command.main(["sweetspot", "--help"])
    said = capsys.readouterr().out
    assert left.value.code == 0
    for code in ("0", "1", "2", "3", "130"):
        assert re.search(rf"^  {code}  \S", said, flags=re.M)
    (source,) = re.findall(r"a file model.py holds\n\n(.*?)\n\n", said, flags=re.S)
    (call,) = re.findall(r"^  netdyn (sweetspot .*)$", said, flags=re.M)
    (folder / "model.py").write_text(source.replace("  ", ""), encoding="utf-8")
    done = run(*call.split(), "--json", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    split = datasets.get("digits", 200)
    search = sweet_spot.Search(low=1, high=8, conditions=5, epochs=40)
    net = command.taken("model.py:net")
    spot = sweet_spot.find(net, split.x, split.y, search)
    found = json.loads(done.stdout)
    assert found["learning_rate"] == spot.learning_rate and found["reason"] == spot.reason


def test_a_search_without_a_bracket_is_no_answer(folder, capsys):
    words = "sweetspot line.py:line --data line.csv --conditions 5 --epochs 20 --level 0.5"
    # Beyond the edge p is 1 down to the smallest rate: there is nothing to bracket from below.
    assert command.main([*words.split(), "--low", "1e9", "--high", "2e9"]) == 3
    assert "do not bracket the level 0.5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("sweetspot line.py:nothing --data iris", 1, "line.py has no 'nothing'; it has fails, "),
        ("sweetspot other.py:line --data iris", 1, "'other.py:line': expected FILE:NAME"),
        ("sweetspot line --data iris", 1, "'line': expected FILE:NAME"),
        ("sweetspot line.py:fails --data iris", 1, "line.py, line 12: ZeroDivisionError: divisi"),
        ("sweetspot line.py:needs --data iris", 1, r"line.py: TypeError: needs\(\) missing"),
        ("sweetspot broken.py:net --data iris", 1, "broken.py, line 2: AttributeError: module"),
        ("sweetspot line.py:line --data iris", 1, r"inputs of shape \(120, 4\)"),
        ("sweetspot line.py:line --data none", 1, "unknown data set 'none'; known: iris, "),
        ("sweetspot line.py:line --data none.npz", 1, ".*No such file or directory: 'none.npz'"),
        ("sweetspot line.py:line --data line.py:line", 1, "'line.py:line' is Linear: expected a p"),
        ("sweetspot line.py:line --data iris --samples 0", 1, "--samples = 0: must be a whole"),
        ("sweetspot line.py:line --data line.csv --loss X", 1, "--loss X: torch.nn has .*HuberLo"),
        ("experiments list nothing", 1, "unknown experiment 'nothing'; known: "),
        ("exponents line.py:line --data iris", 2, "are required: --learning-rate"),
        ("nothing", 2, "invalid choice: 'nothing'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(folder, capsys, words, status, said):
    if status == 2:
        with pytest.raises(SystemExit) as left:
            command.main(words.split())
        assert left.value.code == 2
    else:
        assert command.main(words.split()) == 1
    *usage, line = capsys.readouterr().err.splitlines()
    assert re.search(rf"ERROR: {said}" if status == 1 else said, line), line
    assert bool(usage) == (status == 2)


def test_a_stopped_command_says_that_nothing_is_kept(folder, capsys, monkeypatch):
    def stopped(words):
        raise KeyboardInterrupt

    monkeypatch.setitem(command._VERBS, "exponents", stopped)
    assert command.main(exponents(0.5)) == 130
    assert capsys.readouterr().err == "\nstopped; nothing is kept\n"


def test_an_install_brings_the_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["scripts"]["netdyn"].partition(":")
    assert getattr(import_module(module), name) is command.program
