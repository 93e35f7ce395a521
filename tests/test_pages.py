"""The code and the commands on the pages about running it and in the README are run, or at least
understood.
"""

import ast
import re
import shlex
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from netdyn_lib import __main__ as command
from netdyn_lib.book import __main__ as book
from netdyn_lib.experiments import __main__ as experiments
from netdyn_lib.experiments import jobs
from netdyn_lib.experiments.learning_rate_sweep import grid
from netdyn_lib.tasks import tasks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "sweeps.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "book" / "install.md").read_text(encoding="utf-8")
#: Pages with commands.
PAGES = ("README.md", "book/install.md", "book/rerun.md", "book/sweeps.md", "book/index.md")
#: What blocks of code need that are shown and not run, and that is not required.
FOREIGN = {"dask_jobqueue", "dask_cuda"}


def blocks():
    """(what it needs, code) of every block of Python; the first is empty where it runs here."""
    return re.findall(r"(?:% shown, not run: needs (\w+)\n)?```python\n(.*?)```", PAGE, flags=re.S)


def commands(text):
    """(command line, words) of every call of the library's commands in shell commands of a text."""
    calls = {"netdyn_lib.experiments ": experiments, "netdyn_lib.book ": book, "netdyn ": command}
    for block in re.findall(r"```bash\n(.*?)```", text, flags=re.S):
        for line in block.splitlines():
            for call, known in calls.items():
                before, found, words = line.partition(call)
                if found and (before == "" or "-m " in before):
                    yield known, shlex.split(words, comments=True)


@pytest.fixture
def own_tasks(monkeypatch):
    """Tasks that the page registers are forgotten again."""
    monkeypatch.setattr(tasks, "_RECIPES", dict(tasks._RECIPES))


def test_the_page_runs(own_tasks, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "__main__"}
    ran = [code for needs, code in blocks() if not needs]
    assert len(ran) == 5
    for code in ran:
        exec(compile(code, "sweeps.md", "exec"), scope)
    shown = capsys.readouterr().out.splitlines()
    assert shown[:3] == [
        "4 shards computed, 0 missing",
        "4 shards kept, 0 computed",
        "('eta', 'epoch', 'init', 'perturbation')",
    ]
    assert shown[3] == "('init',) 8 initial conditions"
    assert [line.partition(":")[0] for line in shown[4:6]] == ["η = 0.5", "η = 5"]
    # The wider sweep on the cluster keeps what the narrower one has.
    assert shown[6:] == ["('eta', 'epoch', 'init')", "True", "4 shards kept, 2 computed"]


def test_what_is_only_shown_is_python_and_needs_what_it_says():
    shown = [(needs, code) for needs, code in blocks() if needs]
    assert {needs for needs, _ in shown} == FOREIGN
    for needs, code in shown:
        imports = {
            node.module for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)
        }
        package = "netdyn_lib.experiments"
        assert imports == {"dask.distributed", package, f"{package}.learning_rate_sweep", needs}
        ((name, profile),) = re.findall(r'grid\.get\("(\S+)", "(\w+)"\)', code)
        assert grid.get(name, profile)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_understood(page):
    for known, words in commands((ROOT / page).read_text(encoding="utf-8")):
        if known is command and words[0] in command.HANDED:
            known, words = import_module(command.HANDED[words[0]]), words[1:]
        understood = known.parser().parse_args(words)
        if known is experiments:
            assert set(understood.names) <= set(experiments.names("paper"))


def test_the_pages_have_commands_of_each_kind():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    found = {(known.__name__.split(".")[-2], words[0]) for known, words in commands(text)}
    assert found >= {
        *(("experiments", verb) for verb in ("run", "publish", "list", "check")),
        *(("book", verb) for verb in ("execute", "site")),
        *(("netdyn_lib", verb) for verb in ("sweetspot", "exponents", "experiments")),
    }


def test_the_page_on_installing_has_every_option_target_and_status():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    options = set(re.findall(r"^([A-Z_]+) \?=", makefile, flags=re.M))
    assert set(re.findall(r"^\| `([A-Z_]+)=", INSTALL, flags=re.M)) == options - {"KEEP"}
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.M)
    assert set(phony.split()) - set(re.findall(r"make (\w+)", INSTALL)) == {"help", "install"}
    codes = re.findall(r"^  (\d+)  ", command.parser().format_help(), flags=re.M)
    assert re.findall(r"^\| (\d+) \| ", INSTALL, flags=re.M) == codes
    pins = re.findall(r"(torch(?:vision)?==[\d.]+)\+cpu", INSTALL)
    compute = (ROOT / "requirements" / "compute.txt").read_text(encoding="utf-8")
    assert len(pins) == 2 and all(f"\n{pin} " in compute for pin in pins)


@pytest.mark.parametrize("colab", [False, True])
@pytest.mark.parametrize("installed", [False, True])
def test_the_cell_for_colab_installs_there_and_only_once(monkeypatch, colab, installed):
    page = (ROOT / "book" / "rerun.md").read_text(encoding="utf-8")
    (cell,) = re.findall(r"```ipython3\n(.*?)```", page, flags=re.S)
    run = []
    shell = SimpleNamespace(
        system=lambda line: run.append(line.split()[0]),
        run_line_magic=lambda name, line: run.append(name),
    )
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: installed or None)
    code = TransformerManager().transform_cell(cell)
    exec(compile(code, "rerun.md", "exec"), {"get_ipython": lambda: shell})
    assert run == (["git", "cd", "pip"] if colab and not installed else [])


def test_the_page_names_every_option_with_its_default():
    rows = dict(re.findall(r"^\| `(--[\w-]+)` \|.*\| (.+?) \|$", PAGE, flags=re.M))
    parsed = {}
    for verb in ("list", "run", "publish", "check"):
        parsed |= vars(experiments.parser().parse_args([verb, "digits"]))
    options = {
        f"--{name.replace('_', '-')}": value
        for name, value in parsed.items()
        if name not in ("verb", "names")
    }
    assert rows.keys() == options.keys()
    for name, value in options.items():
        assert rows[name] in (
            f"`{value}`",
            *(("none", "all", "the book's") if value is None else ()),
            *(("no",) if value is False else ()),
        )
    codes = re.search(r"exit status is 0 .*?, (\d) where some pieces are missing", PAGE)
    assert int(codes[1]) == jobs.INCOMPLETE
