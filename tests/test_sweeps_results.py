"""A chapter's sweeps: live where the data are at hand, and never other data in their place."""

import pytest

from netdyn_lib import sweeps
from netdyn_lib.sweeps import named, published, results


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without images and without a network."""
    monkeypatch.setenv("NETDYN_OFFLINE", "1")
    monkeypatch.setenv("NETDYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NETDYN_DATA", raising=False)


def test_missing_images_are_said_and_nothing_takes_their_place(bare, tmp_path):
    found = results.live("mnist", store=tmp_path)
    assert not found.there and not found.live
    assert found.note.startswith("NOTE: MNIST is not at hand")
    # No word of publishing: a laptop's sizes must not take the place of the paper's.
    assert found.note.endswith("python -m netdyn_lib.sweeps run mnist --profile laptop")
    assert results.datasets({"here": found}) == {}


def test_a_live_sweep_says_what_it_is_of(monkeypatch, tmp_path):
    small = sweeps.Sweep("digits", "digits", (0.5, 5.0), 2, copies=1, epochs=4, samples=50, test_samples=20)
    monkeypatch.setattr(results, "get", lambda name, profile, seed: small)
    found = results.live("digits", store=tmp_path)
    assert found.live and found.there
    assert "first 50 of" in found.note and "computed here" in found.note
    assert results.best(results.Result("x", None, results.MISSING, ""), found) is found
    assert results.datasets({"here": found})["here"] is found.data


def test_nothing_published_is_said_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(published, "folder", lambda: tmp_path)
    found = results.paper("mnist")
    assert not found.there and published.command("mnist") in found.note
    assert found.note.startswith("NOTE: ")
    assert results.notes(found, found).count("\n") == 1


def test_what_is_not_published_is_listed_with_its_cost_and_command(tmp_path):
    table = published.unpublished(tmp_path)
    assert list(table.index) == list(named.names())
    assert table.loc["mnist", "operations, exponents"] == "1.2e+16"
    assert table.loc["mnist", "command"] == published.command("mnist")


def test_everything_published_opens_and_is_listed_no_more():
    missing = set(published.unpublished().index)
    for name in published.names():
        data = published.load(name)
        assert name not in missing
        assert bool(data.present.any())
        assert published.summary(data).startswith("published.  ")
    assert sum(path.stat().st_size for path in published.folder().glob("*")) < 20e6


def test_published_sweeps_are_recomputed_where_their_images_are(bare):
    checks = published.check_all("a commit", epochs=2)
    assert [c.name for c in checks] == published.names()
    for check in checks:
        assert check.agrees
        if check.name.startswith(("mnist", "cifar")):
            assert str(check).startswith("NOTE: ") and "not at hand" in str(check)
