"""Command lines: an error is one line and a status."""

import pytest

from netdyn_lib.experiments import jobs


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("too large"), 1, "ERROR: too large\n"),
        (KeyError("the store lacks it"), 1, "ERROR: the store lacks it\n"),
        (MemoryError("8 GB"), 1, "ERROR: 8 GB\n"),
        (RuntimeError("failed on its worker"), 1, "ERROR: failed on its worker\n"),
        (ConnectionError("gone"), 1, "ERROR: gone\n"),
        (KeyboardInterrupt(), 130, jobs.KEPT + "\n"),
    ],
)
def test_an_error_is_one_line_and_a_status(capsys, error, status, said):
    def work():
        raise error

    assert jobs.status(work) == status and capsys.readouterr().err == said
    assert jobs.status(lambda: 3) == 3
