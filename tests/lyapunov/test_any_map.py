"""The page about any map runs, and finds the exponents that it says."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "any_map.md").read_text(encoding="utf-8")
HENON = (0.41922, -1.62319)  # Sprott 2003, appendix A


@pytest.fixture(scope="module")
def scope():
    """What the page's code leaves behind."""
    found, kind = {"__name__": "__main__"}, torch.get_default_dtype()
    try:
        for code in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S):
            exec(compile(code, "any_map.md", "exec"), found)
    finally:
        torch.set_default_dtype(kind)
    return found


def test_the_henon_map_and_the_network_that_learned_it_have_the_same_exponents(scope):
    exponents = scope["known"].exponents(100)
    assert exponents.sum() == pytest.approx(math.log(0.3), abs=1e-12)
    for sure in (scope["known"].convergence(100), scope["sure"]):
        assert (sure.verdict == "converged").all()
        assert (np.abs(sure.estimate[0, :2] - HENON) < 4 * sure.error[0, :2]).all()
    # over the same 200 steps
    assert scope["vectors"].residuals.max() < 1e-10
    same = scope["found"].exponents(100, 300)[0, :2]
    np.testing.assert_allclose(scope["vectors"].growth.mean(0)[0], same, atol=0.1)


def test_a_reservoir_forgets_at_the_rate_of_its_spectral_radius(scope):
    quiet = scope["quiet"].exponents(100)[0, 0]
    assert quiet == pytest.approx(math.log(scope["radius"]), abs=0.005)
    driven = scope["conditional"].exponents(100)[0]
    assert (driven < 0).all()
