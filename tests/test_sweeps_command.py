"""The command line: exit statuses, errors without tracebacks, and what it imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from netdyn_lib.experiments import sizes
from netdyn_lib.experiments.learning_rate_sweep import __main__ as command
from netdyn_lib.tasks import datasets
from tests.small_sweeps import script, small

ROOT = Path(__file__).resolve().parents[1]
#: None of these may be needed to run, list and publish.
FORBIDDEN = """
class Hidden:
    # To look for a package is allowed, to import it fails: as where it is not installed.

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        names = {"dask", "distributed", "matplotlib", "seaborn", "yaml", "statsmodels", "papermill",
                 "jupytext", "torchvision", "IPython", "nbformat", "sphinx", "plotly"}
        return None if name.partition(".")[0] in names else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Hidden(finder) for finder in sys.meta_path]
from netdyn_lib.experiments.learning_rate_sweep import __main__
where = ["--store", sys.argv[1], "--device", "cpu"]
assert __main__.main(["list", "small", *where]) == 3
assert __main__.main(["run", "small", *where]) == 0
assert __main__.main(["list", *where]) == 0
assert __main__.main(["publish", "small", "--out", sys.argv[2], *where]) == 0
"""


def test_it_needs_no_more_than_a_machine_that_computes_has(tmp_path):
    call = [
        sys.executable,
        "-c",
        script(ROOT, FORBIDDEN),
        str(tmp_path / "store"),
        str(tmp_path / "out"),
    ]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (
        lines[0].startswith("small (laptop): 0 of 4 shards done")
        and "missing: η = 0.5, initial conditions 0 to 1" in lines[1]
    )
    assert "4 computed in" in lines[5] and lines[6].startswith("small (laptop): 4 of 4 shards done")
    assert "small.npz" in lines[7] and "6 of 6 initial conditions" in lines[7]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]


@pytest.fixture
def book(monkeypatch):
    """The small sweep and one of MNIST as the book's."""
    few = {k: v for k, v in vars(small()).items() if k not in ("name", "seed")}
    monkeypatch.setitem(
        sizes._PAPER,
        "05_mnist_cifar",
        dict(sweeps={"small": few, "images": few | {"task": "mnist"}}),
    )
    monkeypatch.setitem(sizes._LAPTOP, "05_mnist_cifar", {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run none", "unknown sweep 'none'; known: small, images"),
        ("run small --device tpu", "unknown device 'tpu'"),
        ("run small --device cuda:99", "cuda:99"),
        ("run small --time-limit 0", "--time-limit = 0"),
        ("run small --time-limit nan", "--time-limit = nan"),
        ("run small --seed -1", "seed = -1"),
        ("run small --workers 0", "workers = 0"),
        ("publish small", "none of its 4 shards"),
    ],
)
def test_bad_input_is_one_error(book, tmp_path, capsys, words, said):
    assert command.main([*words.split(), "--store", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("ERROR: ") and said in err and "Traceback" not in err


def test_a_store_that_cannot_be_written_is_one_error(book, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert command.main(["run", "small", "--store", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("ERROR: ")


@pytest.mark.parametrize(
    "error",
    [datasets.MissingData("MNIST is nowhere"), datasets.DamagedData("mnist.npz is damaged")],
)
def test_data_that_cannot_be_had_are_an_error_of_their_sweep_alone(
    book, tmp_path, capsys, monkeypatch, error
):
    monkeypatch.setattr(datasets, "load", lambda name: (_ for _ in ()).throw(error))
    assert command.main(["run", "images", "small", "--store", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert err == f"ERROR: images: {error}\n" and "small: 0 shards kept, 4 computed" in out
    assert command.main(["list", "images", "--store", str(tmp_path)]) == 3
    assert "its data cannot be had" in capsys.readouterr().out
