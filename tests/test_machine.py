"""Provenance: what a machine is, without its name, and which commit it runs."""

import getpass
import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netdyn_lib.results import provenance

FIELDS = (
    "python platform processor cores numpy scipy torch threads cpu_capability device cuda".split()
)


def test_a_processor_is_described():
    about = provenance.describe()
    assert list(about) == FIELDS
    assert json.loads(json.dumps(about, allow_nan=False)) == about
    assert about == provenance.describe(torch.device("cpu"))
    assert about["torch"] == torch.__version__ and type(about["torch"]) is str
    assert about["python"] == platform.python_version()
    assert about["cores"] >= 1 and about["threads"] >= 1
    assert about["device"] == "cpu" and about["cuda"] is None


def test_nothing_private_is_told():
    text = json.dumps(provenance.describe())
    assert str(Path.home()) not in text and str(Path.cwd()) not in text
    for name in (platform.node(), getpass.getuser()):
        assert not name or not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_is_described():
    about = provenance.describe("cuda")
    assert about["device"] == torch.cuda.get_device_name(0) and about["cuda"] == torch.version.cuda
    assert json.loads(json.dumps(about)) == about


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "", 1.5])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=re.escape(f"device {str(device)!r}")):
        provenance.describe(device)


def test_without_pytorch_the_rest_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    about = provenance.describe()
    assert list(about) == FIELDS and about["torch"] is None and about["numpy"]
    with pytest.raises(ValueError, match="PyTorch is not installed"):
        provenance.describe("cuda")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A package in a checkout of its own, and a function that runs git there."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    monkeypatch.delenv("NETDYN_COMMIT", raising=False)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (tmp_path / "README").write_text("")

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    return package, git


def test_the_commit_is_that_of_the_checkout(checkout, monkeypatch):
    package, git = checkout
    assert provenance.commit(package) == "unknown"
    git("add", ".")
    assert provenance.commit(package) == "unknown", "nothing is committed yet"
    git("commit", "-qm", "a")
    git("tag", "-a", "v1", "-m", "a tag is no commit")
    head = git("rev-parse", "--short=12", "HEAD").strip()
    assert provenance.commit(package) == head and len(head) == 12
    monkeypatch.setenv("NETDYN_COMMIT", "0123456")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert provenance.commit(package) == head
    monkeypatch.delenv("GIT_DIR")
    (package / "new.py").write_text("")
    assert provenance.commit(package) == head, "a file that git does not track"
    (package.parent / "README").write_text("changed")
    assert provenance.commit(package) == head + "-dirty"
    git("add", ".")
    assert provenance.commit(package) == head + "-dirty"


def test_a_checkout_around_an_installed_library_is_somebody_elses(checkout):
    package, git = checkout
    git("add", "README")
    git("commit", "-qm", "a")
    assert provenance.commit(package) == "unknown"


def test_without_git_the_environment_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("NETDYN_COMMIT", raising=False)
    assert provenance.commit(tmp_path) == "unknown"
    monkeypatch.setenv("NETDYN_COMMIT", "0123456789ab-dirty")
    assert provenance.commit(tmp_path) == provenance.commit() == "0123456789ab-dirty"
    for wrong in ("/home/a/b", "a b", "a" * 61):
        monkeypatch.setenv("NETDYN_COMMIT", wrong)
        with pytest.raises(ValueError, match="must be a commit"):
            provenance.commit(tmp_path)
