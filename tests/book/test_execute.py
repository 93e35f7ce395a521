"""Executing: what a run depends on, several at once, failures, interruption, memory."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import psutil
import pytest

from netdyn_lib.book import execute, notebooks
from netdyn_lib.book.project import PipelineError, Project
from netdyn_lib.experiments import sizes
from netdyn_lib.figures import vector
from netdyn_lib.results.provenance import imported

from . import small

REAL = Project(small.ROOT)
CPU = execute.Way(device="cpu")
DEEP = ["__init__", "deep/__init__", "deep/bottom", "side"]


def run(project, **options):
    return execute.execute(project, CPU, log=small.quiet, **options)


def key(project, name="01_first", parameters=None):
    return execute.key(project, name, parameters or {})


# What a run depends on


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import numpy", []),
        ("import netdyn_lib", ["__init__"]),
        ("import netdyn_lib.side", ["__init__", "side"]),
        ("import netdyn_lib.deep.bottom as b", DEEP),
        ("from netdyn_lib import side, missing", ["__init__", "side"]),
        ("from netdyn_lib.deep import bottom", DEEP),
        ("from netdyn_lib.side import x", ["__init__", "side"]),
        ("import netdyn_lib as nd\nnd.deep.bottom.f()", DEEP),
        ("from netdyn_lib import deep\ndeep.bottom", DEEP),
        ("from netdyn_lib import top", [*DEEP[:-1], "middle", "side", "top"]),
    ],
)
def test_imports_are_followed(project, source, modules):
    found = imported(source, project.package)
    assert [str(path.relative_to(project.package).with_suffix("")) for path in found] == modules


def test_the_key_follows_the_modules_a_notebook_imports(project):
    small.write(project, "01_first", "# %%\nfrom netdyn_lib import top\n")
    keys = [key(project)]
    for file in ("side.py", "deep/__init__.py", "top.py"):
        (project.package / file).write_text(small.LIBRARY[file] + "# changed\n")
        keys.append(key(project))
    assert len(set(keys)) == 4
    (project.package / "unrelated.py").write_text("# changed\n")
    (project.book / "claims.yml").write_text("# changed\n")
    assert key(project) == keys[-1]


def test_the_key_follows_the_claims_of_its_chapter(project):
    small.write(project, "02_second", "# %%\nfrom netdyn_lib.results import claims\n")
    path = project.book / "claims.yml"
    other = small.CLAIM.format("A", 1, "01_first", "")
    own = small.CLAIM.format("B", 2, "02_second", "")

    def keys(text):
        path.write_text("papers: {J: a}\nclaims:\n" + text)
        return [key(project, name) for name in project.names()]

    before = keys(other + own)
    assert keys(other + "# a remark\n" + own) == before
    assert keys(other.replace("quantity: q", "quantity: r") + own) == before
    after = keys(other + own.replace("quantity: q", "quantity: r"))
    assert after[0] == before[0]  # it does not import the claims
    assert after[1] != before[1] and keys(other)[1] not in (before[1], after[1])
    path.write_text("claims: [")
    assert key(project) == before[0]
    with pytest.raises(PipelineError, match="claims.yml, line 2, column 1: no YAML"):
        key(project, "02_second")


def test_the_key_follows_parameters_source_and_the_results_it_reads(project):
    keys, results = (
        {key(project, parameters={"seed": seed}) for seed in (0, 1)},
        project.runs.parent,
    )
    (results / "x.csv").write_text("1")
    keys.add(key(project, parameters={"seed": 0}))
    assert len(keys) == 2  # it reads no published results
    home = project.package / "experiments"
    home.mkdir()
    for name in ("__init__", "learning_rate_sweep"):
        (home / f"{name}.py").write_text("")
    source = f"# %%\nfrom {project.package.name}.experiments import learning_rate_sweep\n"
    small.write(project, "01_first", source)
    keys.add(key(project, parameters={"seed": 0}))
    (results / "x.csv").write_text("2")
    keys.add(key(project, parameters={"seed": 0}))
    assert len(keys) == 4
    # What is being written, or was left by a process that was killed, is no result.
    for name in (".x.7.0123abcd-1.partial", "x.json.partial", ".x.npz.lock"):
        (results / name).write_text("half")
    assert key(project, parameters={"seed": 0}) in keys


def test_readers_of_published_results_are_there():
    folder = REAL.package / "experiments"
    for name, results in execute.READERS.items():
        assert (folder / name).is_dir() or (folder / f"{name}.py").exists(), name
        assert list((REAL.book / "results" / results).glob("*.*")), results


def test_a_run_is_of_the_images_that_were_at_hand(monkeypatch):
    found = []
    for there in (False, True):
        monkeypatch.setattr(execute.datasets, "available", lambda name, there=there: there)
        found.append([key(REAL, name) for name in ("01_toy_map", "05_mnist_cifar")])
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]


def test_sizes_of_other_chapters_make_nothing_stale(monkeypatch):
    known, name = sizes.sizes, REAL.names()[0]
    before = execute.modules(REAL, name)
    assert before["experiments.sizes"] and execute.modules(REAL, name) == before
    own = lambda chapter, profile: known(chapter, profile) if chapter == name else 1 / 0
    monkeypatch.setattr(sizes, "sizes", own)
    assert execute.modules(REAL, name) == before
    other = lambda *words: SimpleNamespace(**vars(known(*words)) | {"keep": -1})
    monkeypatch.setattr(sizes, "sizes", other)
    now = execute.modules(REAL, name)
    assert {one for one in now if now[one] != before[one]} == {"experiments.sizes"}


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_that_at_the_beginning_of_a_run(project):
    def git(*words):
        subprocess.run(["git", *words], cwd=project.root, check=True, capture_output=True)

    assert project.commit() == "unknown"
    (project.root / ".gitignore").write_text("_build/\n")
    touched = project.root / "later"
    cells = f"# %%\nimport pathlib\npathlib.Path({str(touched)!r}).touch()\n"
    small.write(project, "01_first", cells)
    git("init", "--quiet")
    git("add", "--all")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "one")
    clean = project.commit()
    project.committed("01_first").write_text("{}")
    assert len(clean) == 12 and project.commit() == clean
    run(project, only="01")
    assert touched.exists() and project.commit() == f"{clean}-dirty"
    assert notebooks.read(project.executed("laptop", "01_first")).metadata.netdyn.commit == clean


# Executing


def test_only_what_changed_is_executed(project):
    assert sorted(run(project)) == ["01_first", "02_second"]
    small.write(project, "02_second", "# %%\nprint(device)\n")
    assert run(project, only="01") == [] and run(project) == ["02_second"]
    nb = notebooks.read(project.executed("laptop", "01_first"))
    ran = {field: nb.metadata.netdyn[field] for field in ("profile", "device", "seed", "commit")}
    assert ran == {"profile": "laptop", "device": "cpu", "seed": 0, "commit": "unknown"}
    injected = [notebooks.tags(cell) for cell in nb.cells if cell.id == notebooks.INJECTED]
    assert injected == [[notebooks.INJECTED, "remove-cell"]]
    assert str(project.root) not in notebooks.dumps(nb)
    # Another seed is another run, and a damaged copy is no run.
    way = execute.Way(device="cpu", seed=3)
    assert execute.execute(project, way, only="01", log=small.quiet) == ["01_first"]
    assert "4" in notebooks.read(project.executed("laptop", "01_first")).cells[-1].outputs[0].text
    text = project.executed("laptop", "02_second").read_text()
    project.executed("laptop", "02_second").write_text(text[: len(text) // 2])
    assert run(project, only="02") == ["02_second"]


def test_those_that_took_longest_begin_and_failures_lose_no_other(project):
    """The second failed before it could keep a copy, so how long it takes is not known."""
    small.write(project, "02_second", "# %%\nx = 1\n\n# %%\nvalues = []\nvalues[x]\n")
    small.write(
        project, "03_third", "# %%\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    for name, seconds in (("01_first", 5.0), ("03_third", 50.0)):
        nb = nbformat.v4.new_notebook()
        nb.metadata.netdyn = small.RUN | {"duration_s": seconds}
        small.keep(project.committed(name), nb)
    said = []
    with pytest.raises(PipelineError) as error:
        execute.execute(project, CPU, jobs=1, log=said.append)
    for part in (
        *("02_second failed in its cell 4 (In [4])", "    values[x]"),
        *("IndexError: list index out of range", "03_third failed: DeadKernelError"),
    ):
        assert part in str(error.value)
    begun = [line.partition(":")[0] for line in said if "executing" in line]
    assert begun == ["[2/3] 02_second", "[3/3] 03_third", "[1/3] 01_first"]
    there = (project.build / "executed" / "laptop").iterdir()
    assert [path.name for path in there] == ["01_first.ipynb"]


def test_chapters_run_side_by_side_and_share_the_cores(project):
    """Each waits for the other to have begun."""
    wait = "# %%\nimport os, pathlib, time\npathlib.Path({0!r}, '{1}').touch()\n"
    wait += "while not pathlib.Path({0!r}, '{2}').exists():\n    time.sleep(0.05)\n"
    wait += "print(os.environ['OMP_NUM_THREADS'], os.environ[{3!r}])"
    for name, mine, other in (("01_first", "a", "b"), ("02_second", "b", "a")):
        cells = wait.format(str(project.root), mine, other, vector.ASKED)
        small.write(project, name, cells)
    assert sorted(run(project, jobs=2)) == ["01_first", "02_second"]
    nb = notebooks.read(project.executed("laptop", "01_first"))
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, execute._cores() // 2))
    assert nb.cells[-1].outputs[0].text == f"{threads} 1\n"
    assert vector.ASKED not in os.environ


def test_an_unknown_notebook_device_or_module_is_named(project):
    with pytest.raises(PipelineError, match="ONLY=07 names no notebook; there are: 01_first, 02"):
        project.names("01,07")
    with pytest.raises(PipelineError, match="unknown device 'tpu'"):
        execute.execute(project, execute.Way(device="tpu"), log=small.quiet)
    (project.package / "side.py").write_text("x = = 1\n")
    small.write(project, "01_first", "# %%\nfrom netdyn_lib import side\n")
    with pytest.raises(PipelineError, match="01_first: .*side.py, line 1: invalid syntax"):
        key(project)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_half_written(project, number):
    flag, kernel = project.root / "go", project.root / "kernel"
    cells = "# %%\nimport os, pathlib, time\nprint('before')\n"
    cells += f"pathlib.Path({str(kernel)!r}).write_text(str(os.getpid()))\n\n# %%\n"
    cells += f"while not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.05)\n"
    small.write(project, "02_second", cells)
    words = ["--root", str(project.root), "execute", "--device", "cpu", "--jobs", "2"]
    command = [sys.executable, "-m", "netdyn_lib.book", *words]
    here = {"cwd": small.ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    # Who runs the tests may ignore an interrupt, as a shell's job in the background does.
    restore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    first = subprocess.Popen(command, text=True, start_new_session=True, preexec_fn=restore, **here)
    folder = project.build / "executed" / "laptop"
    small.until(
        lambda: kernel.exists() and kernel.read_text() and (folder / "01_first.ipynb").exists()
    )
    os.kill(first.pid, number)
    said = first.communicate(timeout=300)[0]
    assert first.returncode != 0
    assert ("the next run goes on from there" in said) == (number == signal.SIGINT)
    assert "Traceback" not in said
    small.until(lambda: not psutil.pid_exists(int(kernel.read_text())))
    assert [path.name for path in folder.iterdir()] == ["01_first.ipynb"]
    flag.touch()
    second = subprocess.run(command, text=True, **here)
    assert second.returncode == 0, second.stdout
    assert "01_first: unchanged, kept" in second.stdout and "02_second: done" in second.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["01_first.ipynb", "02_second.ipynb"]


def test_notes_of_a_run_reach_the_log():
    printed = nbformat.v4.new_output("stream", text="NOTE: MNIST is not at hand\nother\n")
    cells = [
        nbformat.v4.new_code_cell(outputs=[printed]),
        nbformat.v4.new_markdown_cell("NOTE: no"),
    ]
    assert execute.notes(nbformat.v4.new_notebook(cells=cells)) == ["NOTE: MNIST is not at hand"]


# Memory


def test_the_peak_of_a_child_is_seen(monkeypatch):
    monkeypatch.setattr(execute, "_EVERY", 0.02)
    peaks = []
    for code in ("", "x = bytearray(b'1') * 200_000_000; "):
        with execute.Peak() as peak:
            call = [sys.executable, "-c", f"import time; {code}time.sleep(0.5)"]
            subprocess.run(call, check=True)
        peaks.append(peak.megabytes)
    assert 190 < peaks[1] - peaks[0] < 250 and peaks[0] > 1


def test_a_young_child_that_runs_this_program_is_not_counted(monkeypatch):
    # Between fork and exec a child shows all memory of its parent, many times what its program
    # will need.
    child = os.fork()
    if not child:
        signal.pause()
    try:
        mine = psutil.Process(child)
        assert mine.memory_info().rss > 5e6 and execute._resident(mine) == 0
        monkeypatch.setattr(execute, "_YOUNG", 0)  # one that helps for longer has its own memory
        assert execute._resident(mine) > 5e6
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert execute._resident(mine) == 0  # what has ended has no memory


def test_a_young_child_with_a_program_of_its_own_is_counted():
    code = "import time; print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        assert execute._resident(psutil.Process(child.pid)) > 1e6
    finally:
        child.kill()
        child.communicate()


def test_without_children_there_is_no_memory(monkeypatch):
    monkeypatch.setattr(psutil.Process, "children", lambda self, recursive: [])
    with execute.Peak() as peak:
        time.sleep(0)
    assert peak.megabytes == 0
