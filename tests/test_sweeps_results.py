"""A chapter's sweeps: live where the data are at hand, and never other data in their place."""

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments.learning_rate_sweep import grid, published, results


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
    assert found.note.endswith("python -m netdyn_lib.experiments run mnist --profile laptop")
    assert results.datasets({"here": found}) == {}


def test_a_live_sweep_says_what_it_is_of(monkeypatch, tmp_path):
    small = grid.Sweep(
        "digits", "digits", (0.5, 5.0), 2, copies=1, epochs=4, samples=50, test_samples=20
    )
    monkeypatch.setattr(results, "get", lambda name, profile, seed: small)
    found = results.live("digits", store=tmp_path)
    assert found.live and found.there
    assert "first 50 of" in found.note and "computed here" in found.note
    assert results.best(results.Result("x", None, results.MISSING, ""), found) is found
    assert results.datasets({"here": found})["here"] is found.data


def test_a_sweep_of_which_too_little_is_published_is_passed_over():
    """A sweep that was cut short once took the place of a smaller one that was whole."""

    def result(counts):
        present = np.arange(10) < np.array(counts)[:, None]
        data = xr.Dataset({"present": (("eta", "init"), present)})
        return results.Result("x", data, results.PUBLISHED, "")

    missing = results.Result("x", None, results.MISSING, "")
    cut, whole = result([10, 4]), result([10, 10])
    assert results.best(missing, cut, whole) is cut
    assert results.best(missing, cut, whole, least=results.ENOUGH) is whole
    assert results.best(whole, cut, least=11) is cut and results.best(missing, least=5) is missing


def test_nothing_published_is_said_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(published.SHELF.__class__, "root", lambda self, root=None: tmp_path)
    found = results.paper("mnist")
    assert not found.there and published.command("mnist") in found.note
    assert found.note.startswith("NOTE: ")
    assert results.notes(found, found).count("\n") == 1


def test_what_is_not_published_is_listed_with_its_cost(tmp_path):
    rows = published.unpublished(tmp_path)
    assert list(rows.index) == list(grid.names())
    for name, (exponents, arrivals) in zip(rows.index, rows.values):
        sweep = grid.get(name, "paper")
        assert float(exponents) > 0 and (arrivals == "–") == (sweep.cap == 0)
        assert arrivals == "–" or (float(arrivals) > 0) == (sweep.cap > sweep.epochs)
    assert rows.loc["mnist"].iloc[0] == "1.2e+16" and rows.loc["sharpness"].iloc[1] == "–"
    assert set(published.unpublished().index) == set(grid.names()) - set(published.names())


def test_published_sweeps_are_recomputed_where_their_images_are(bare):
    checks = published.check_all("a commit", epochs=2)
    assert [c.name for c in checks] == published.names()
    for check in checks:
        if check.name.startswith(("mnist", "cifar")):
            assert (
                str(check).startswith("NOTE: ")
                and "not at hand" in str(check)
                and check.agrees is None
            )
        else:
            assert check.agrees
    assert published.verified(checks)


@pytest.mark.parametrize("token", ["a", "b", "c", "d"])
def test_what_cannot_be_checked_takes_no_place_of_what_can(bare, token):
    """Without images digits and Iris can be recomputed: every token does, and asks for no more than
    one.
    """
    made = [
        c for c in published.check_all(token, epochs=1, most=1) if isinstance(c, published.Check)
    ]
    assert len(made) == 1 and made[0].name in ("digits", "iris") and published.verified(made)
