import numpy as np
import pytest

from netdyn_lib.training import observables


def test_curves_that_never_rise():
    t = np.arange(0, 1000, 10)
    curves = np.stack([1 / (1 + t), np.cos(t / 100) + 2, np.ones(100), 1 / (1 + t)], 1)
    curves[50:, 3] = np.nan  # diverged
    assert observables.non_increasing(curves).tolist() == [True, False, True, False]
    assert not observables.non_increasing([np.inf, 1.0])
    with pytest.raises(ValueError, match="1 epochs: fewer than 2"):
        observables.non_increasing([1.0])
