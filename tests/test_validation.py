"""Numbers that were given, and packages that a plain install leaves out."""

import sys

import numpy as np
import pytest
import torch

from netdyn_lib import validation

NONE = [True, np.True_, torch.tensor(True), "1", None, float("nan")]


@pytest.mark.parametrize("value", [*NONE, b"1", 1.5, [1, 2], 1j])
def test_whole_numbers_are_checked_as_such(value):
    with pytest.raises(ValueError, match="count = .*: must be a whole number"):
        validation.whole(value, "count")


@pytest.mark.parametrize("value", [*NONE, 0, -1.0, torch.inf])
def test_positive_numbers_are_checked_as_such(value):
    with pytest.raises(ValueError, match="rate = .*: η must be positive and finite"):
        validation.positive(value, "rate", "η")


def test_numbers_of_numpy_and_torch_are_numbers():
    three, half = (np.int64(3), torch.tensor(3), 3.0), (np.float32(0.5), torch.tensor(0.5), 0.5)
    assert {validation.whole(n, "n") for n in three} == {3}
    assert {validation.positive(r, "r", "η") for r in half} == {0.5}
    assert validation.floats([0.1, 2]).tolist() == [0.1, 2.0]


def test_what_lacks_is_named_with_its_extra(monkeypatch):
    validation.need("a module", "book", "json", "numpy")
    with pytest.raises(ImportError, match=r'a module needs no_such, .*"netdyn_lib\[book\]"'):
        validation.need("a module", "book", "json", "no_such")

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name == "wave":
                raise ImportError(name)

    monkeypatch.delitem(sys.modules, "wave", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Blocked(), *sys.meta_path])
    with pytest.raises(validation.MissingExtra, match="needs wave"):
        validation.need("a module", "book", "wave")
