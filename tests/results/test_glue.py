"""Numbers for the prose: glued in the book, printed outside it."""

import sys

import numpy as np
import pytest

from netdyn_lib.results.glue import glue_all
from netdyn_lib.statistics.intervals import Interval


def test_without_myst_nb_numbers_are_shown(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "myst_nb", None)  # which makes its import fail
    glue_all("edge", the_rate=np.float64(0.5), share=Interval(0.25, 0, 1), said="yes")
    assert capsys.readouterr().out == "edge-the-rate = 0.5\nedge-share = 0.25\nedge-said = yes\n"
    with pytest.raises(TypeError, match="edge-rates: .* is no single number"):
        glue_all("edge", rates=[1, 2])
