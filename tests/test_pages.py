"""The code and the commands on the page about sweeps and in the README are run, or at least
understood.
"""

import ast
import re
import shlex
from pathlib import Path

import pytest

from netdyn_lib.experiments import __main__ as command_line
from netdyn_lib.experiments import jobs
from netdyn_lib.experiments.learning_rate_sweep import grid
from netdyn_lib.tasks import tasks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "sweeps.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: What blocks of code need that are shown and not run, and that is not required.
FOREIGN = {"dask_jobqueue", "dask_cuda"}


def blocks():
    """(what it needs, code) of every block of Python; the first is empty where it runs here."""
    return re.findall(r"(?:% shown, not run: needs (\w+)\n)?```python\n(.*?)```", PAGE, flags=re.S)


def commands(text):
    """Arguments of every call of the experiments' command in the text's shell commands."""
    lines = [
        line
        for block in re.findall(r"```bash\n(.*?)```", text, flags=re.S)
        for line in block.splitlines()
    ]
    return [
        shlex.split(line.partition("netdyn_lib.experiments ")[2], comments=True)
        for line in lines
        if "netdyn_lib.experiments " in line
    ]


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
        experiments = "netdyn_lib.experiments"
        assert imports == {
            "dask.distributed",
            experiments,
            f"{experiments}.learning_rate_sweep",
            needs,
        }
        ((name, profile),) = re.findall(r'grid\.get\("(\S+)", "(\w+)"\)', code)
        assert grid.get(name, profile)


@pytest.mark.parametrize("text", [PAGE, README], ids=["sweeps.md", "README.md"])
def test_every_command_is_understood(text):
    calls = commands(text)
    assert {words[0] for words in calls} >= {"run", "publish"}
    for words in calls:
        understood = command_line.parser().parse_args(words)
        assert set(understood.names) <= set(command_line.names("paper"))


def test_the_page_names_every_option_with_its_default():
    rows = dict(re.findall(r"^\| `(--[\w-]+)` \|.*\| (.+?) \|$", PAGE, flags=re.M))
    parsed = {}
    for verb in ("list", "run", "publish", "check"):
        parsed |= vars(command_line.parser().parse_args([verb, "digits"]))
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
