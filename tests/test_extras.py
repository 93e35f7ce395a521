"""What a plain install leaves out is named, with the command that brings it."""

import sys

import pytest

from netdyn_lib import validation as extras


def test_what_is_there_is_not_missed():
    extras.need("a module", "book", "json", "numpy")


def test_what_lacks_is_named_with_its_extra():
    with pytest.raises(
        extras.MissingExtra,
        match=r'a module needs no_such_package, .*pip install "netdyn_lib\[book\]"',
    ):
        extras.need("a module", "book", "json", "no_such_package")
    assert issubclass(extras.MissingExtra, ImportError)


def test_a_package_that_may_not_be_imported_counts_as_missing(monkeypatch):
    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name == "wave":
                raise ImportError(name)

    monkeypatch.delitem(sys.modules, "wave", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Blocked(), *sys.meta_path])
    with pytest.raises(extras.MissingExtra, match="needs wave"):
        extras.need("a module", "book", "wave")
