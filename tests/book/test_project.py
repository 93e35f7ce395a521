"""Files and folders are replaced whole."""

import json
import os
import subprocess
import sys

import pytest

from netdyn_lib.book import project as project_module
from netdyn_lib.book.project import replace_folder, write_whole

from . import small

one_step = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes two steps")
#: Replaces a file and a folder, in processes that are killed at each call.
REPLACING = """
import json, os, shutil, sys
from pathlib import Path
root, folder = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, root)
from netdyn_lib.book.project import replace_folder, write_whole
from tests.killed import at_each_call
page, html, making = folder / "page.json", folder / "html", folder / "making"

def replace():
    write_whole(page, "new" * 1000)
    replace_folder(making, html)

def lay():
    for path, text in ((html, "old"), (making, "new")):
        shutil.rmtree(path, ignore_errors=True)
        for number in range(3):
            write_whole(path / f"{number}.html", text)
    write_whole(page, "old" * 1000)

def good():
    assert sorted(path.read_text() for path in html.iterdir()) in (["old"] * 3, ["new"] * 3)
    assert page.read_text() in ("old" * 1000, "new" * 1000)

killed = at_each_call(replace, folder, lay, good)
print(json.dumps([killed, sorted(os.listdir(folder)), (html / "0.html").read_text()]))
"""
#: Puts one folder after another in the same place.
AGAIN = """
import shutil, sys
from pathlib import Path
from netdyn_lib.book.project import replace_folder, write_whole
folder, name = Path(sys.argv[1]), sys.argv[2]
for _ in range(50):
    making = folder / f"making-{name}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    for number in range(3):
        (making / str(number)).write_text(name)
    write_whole(folder / "page", name * 100_000)
    replace_folder(making, folder / "html")
"""


@one_step
def test_a_kill_at_any_call_leaves_the_old_or_the_new(tmp_path):
    call = [sys.executable, "-c", REPLACING, str(small.ROOT), str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    killed, left, text = json.loads(done.stdout)
    assert killed > 8 and left == ["html", "page.json"] and text == "new"


@one_step
def test_two_writers_at_once_leave_a_whole_file_and_folder(tmp_path):
    words = [sys.executable, "-c", AGAIN, str(tmp_path)]
    here = {"cwd": small.ROOT, "stderr": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*words, name], **here) for name in "ab"]
    small.until((tmp_path / "html").exists)
    gone = 0
    while any(writer.poll() is None for writer in writers):
        gone += not (tmp_path / "html").exists()
        assert (tmp_path / "page").read_text() in ("a" * 100_000, "b" * 100_000)
    for writer in writers:
        assert writer.communicate()[1] == "" and writer.returncode == 0
    assert gone == 0 and len({path.read_text() for path in (tmp_path / "html").iterdir()}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html", "page"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_in_one_step_or_two(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(project_module, "_exchanged", lambda one, other: False)
    for name in ("first", "second"):
        write_whole(tmp_path / "new" / "file", name)
        replace_folder(tmp_path / "new", tmp_path / "html")
    assert (tmp_path / "html" / "file").read_text() == "second" and os.listdir(tmp_path) == ["html"]
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "new", tmp_path / "html")
    assert os.listdir(tmp_path) == ["html"]
