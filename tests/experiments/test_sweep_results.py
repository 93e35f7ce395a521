"""A chapter's sweeps: live where the data are at hand, and never other data in their place."""

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments import sizes
from netdyn_lib.experiments.learning_rate_sweep import grid, published, results
from netdyn_lib.results import claims


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without images and without a network."""
    monkeypatch.setenv("NETDYN_OFFLINE", "1")
    monkeypatch.setenv("NETDYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NETDYN_DATA", raising=False)


def test_missing_images_are_said_and_nothing_takes_their_place(bare, tmp_path):
    found = results.live("mnist", store=tmp_path)
    assert not found.there and found.note.startswith("NOTE: MNIST is not at hand")
    # No word of publishing: a laptop's sizes must not take the place of the paper's.
    assert found.note.endswith("netdyn_lib.experiments run mnist --profile laptop")


def test_a_live_sweep_says_what_it_is_of_and_takes_other_sizes(monkeypatch, tmp_path):
    few = dict(copies=1, epochs=4, samples=50, test_samples=20)
    small = grid.Sweep("digits", "digits", (0.5, 5.0), 2, **few)
    monkeypatch.setattr(results, "get", lambda name, profile, seed: small)
    found = results.live("digits", store=tmp_path, conditions=3, copies=None, rates=(5.0,))
    assert found.there and found.origin == "computed here" and "first 50 of" in found.note
    assert found.data.eta.values.tolist() == [5.0]
    assert found.data.sizes["init"] == 3 and found.data.sizes["perturbation"] == 1


def test_a_changed_run_is_marked_and_judges_no_claim():
    plain = sizes.sizes("05_mnist_cifar", "laptop", rates=None, cap=None)
    assert plain.changed == {} and plain.cap == 100 and plain.copies == 1
    size = sizes.sizes("05_mnist_cifar", "laptop", rates=[0.5, 5.0], epochs=100, cap=120)
    assert size.changed == {"rates": (0.5, 5.0), "cap": 120}  # 100 epochs are the profile's
    card = claims.Scorecard("05_mnist_cifar", changed=size.changed)
    card.measure("J-fig5-minimum", 7.5, 7.0, 8.0, readings={"one": 7.5})
    found = card.measurements["J-fig5-minimum"]
    assert found.verdict == "not tested" and "cap = 120" in found.saw and found.measured is None


def test_a_sweep_of_which_too_little_is_published_is_passed_over():
    """A sweep that was cut short once took the place of a smaller one that was whole."""

    def result(counts):
        present = np.arange(10) < np.array(counts)[:, None]
        return results.Result("x", xr.Dataset({"present": (("eta", "init"), present)}), "", "")

    missing = results.Result("x", None, "missing", "")
    cut, whole = result([10, 4]), result([10, 10])
    assert results.best(missing, cut, whole) is cut
    assert results.best(missing, cut, whole, least=results.ENOUGH) is whole
    assert results.best(whole, cut, least=11) is cut and results.best(missing, least=5) is missing


def test_nothing_published_is_said_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(published.SHELF.__class__, "root", lambda self, root=None: tmp_path)
    found = results.paper("mnist")
    assert not found.there and found.note.startswith("NOTE: ")
    assert published.command("mnist") in found.note


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
    assert [c.name for c in checks] == published.names() and published.verified(checks)
    for check in checks:
        images = check.name.startswith(("mnist", "cifar"))
        assert check.agrees is None if images else check.agrees
        assert ("not at hand" in str(check)) == images
    # What cannot be checked takes no place of what can.
    made = [c for c in published.check_all("b", epochs=1, most=1) if c.agrees is not None]
    assert len(made) == 1 and made[0].name in ("digits", "iris", "sharpness")
