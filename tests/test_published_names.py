"""Names that files are to bear: they stay in their folder, or are refused in one line."""

import pytest
import xarray as xr

from netdyn_lib.experiments.learning_rate_sweep import published as sweeps
from netdyn_lib.experiments.outcome_prediction import published as outcomes
from netdyn_lib.experiments.pruning_ablation import published as arms
from netdyn_lib.results import datasets, store
from tests.small_arms import small as small_arm
from tests.small_sweeps import small as small_sweep
from tests.test_outcomes_campaign import small as small_campaign

BAD = ["", ".", "..", "../x", "/etc/x", "a/b", "a\\b", "C:x", ".hidden", " x", "-x", "a*", 'a"']
BAD += ["a\0b", "a\nb", "a\x7f", "n" * 101, 3, None, b"a"]
ASKED = {
    "a path": lambda name: store.published("results", name),
    "a published sweep": sweeps.load,
    "published arms": arms.load,
    "a published campaign": outcomes.load,
    "a dataset": lambda name: datasets.Shelf("none").publish(xr.Dataset(), name, "results"),
    "a sweep": lambda name: small_sweep(name=name),
    "a campaign": lambda name: small_campaign(name=name),
    "an arm's task": lambda name: small_arm(task=name),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_name_that_could_leave_its_folder_is_refused(tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    for name in BAD:
        with pytest.raises(ValueError, match=r"^\w+ = .*: a file is named by it, so it must be "):
            ASKED[what](name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["digits", "a.b-c_d", "η = 0.5", "n" * 100, "_", "usps (2)"])
def test_other_names_are_those_of_files(tmp_path, name):
    path = store.published(tmp_path, name)
    assert path == tmp_path / f"{name}.npz"
    store.write_archive(path, {}, {})
    (tmp_path / ".hidden.npz").touch()
    assert store.published_names(tmp_path) == [name]
