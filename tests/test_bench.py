"""The check of memory in ``make bench`` passes for a stream, and would not for a hoard."""

import sys

import pytest

from tests import bench


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be measured anew only on Linux")
def test_memory_does_not_grow_with_epochs():
    increments = []
    for epochs, hoard in ((200, False), (2000, False), (2000, True)):
        before, top = bench.measured(epochs, hoard)
        assert top >= before > 0
        increments.append(top - before)
    short, long, hoarded = increments
    assert long - short < bench.MOST_GROWTH
    # 120 networks of 83 numbers at 2,000 epochs are 152 MiB.
    assert hoarded - short > 5 * bench.MOST_GROWTH


@pytest.mark.parametrize(("tops", "fails"), [((130.0, 131.0), False), ((130.0, 180.0), True)])
def test_growth_is_reported_as_a_failure(monkeypatch, capsys, tops, fails):
    monkeypatch.setattr(bench, "measured", lambda epochs: (100.0, tops[epochs > 1]))
    if fails:
        with pytest.raises(SystemExit, match="by 50 MiB"):
            bench.report_memory((1, 2))
    else:
        bench.report_memory((1, 2))
    assert "peak 130 MiB, 30.0 MiB over 100 after set-up" in capsys.readouterr().out
