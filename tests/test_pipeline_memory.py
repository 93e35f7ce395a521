"""The peak of memory of what a run starts."""

import os
import signal
import subprocess
import sys

from netdyn_lib.book import memory


def test_the_peak_of_a_child_is_seen(monkeypatch):
    monkeypatch.setattr(memory, "EVERY", 0.02)
    with memory.Peak() as small:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)"], check=True)
    with memory.Peak() as large:
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import time; x = bytearray(b'1') * 200_000_000; time.sleep(0.5)",
            ],
            check=True,
        )
    assert 190 < large.megabytes - small.megabytes < 250 and small.megabytes > 1


def test_a_young_child_that_runs_this_program_is_not_counted(monkeypatch):
    # between fork and exec a child shows all memory of its parent, here many times what its program
    # will need
    child = os.fork()
    if not child:
        signal.pause()
    try:
        mine = memory.psutil.Process(child)
        assert mine.memory_info().rss > 5e6 and memory._resident(mine) == 0
        monkeypatch.setattr(memory, "_YOUNG", 0)  # one that helps for longer has memory of its own
        assert memory._resident(mine) > 5e6
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_young_child_with_a_program_of_its_own_is_counted():
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )
    try:
        child.stdout.readline()
        assert memory._resident(memory.psutil.Process(child.pid)) > 1e6
    finally:
        child.kill()
        child.communicate()


def test_what_has_ended_has_no_memory():
    child = subprocess.Popen([sys.executable, "-c", ""])
    seen = memory.psutil.Process(child.pid)
    child.wait()
    assert memory._resident(seen) == 0


def test_without_children_there_is_none(monkeypatch):
    # tests before may have left some
    monkeypatch.setattr(memory.psutil.Process, "children", lambda self, recursive: [])
    with memory.Peak() as peak:
        pass
    assert peak.megabytes == 0
