"""Published results of every kind: names of files, what can be wrong with one, and checks."""

import pytest
import xarray as xr

from netdyn_lib.experiments import published
from netdyn_lib.experiments.learning_rate_sweep import published as sweeps
from netdyn_lib.experiments.outcome_prediction import published as outcomes
from netdyn_lib.experiments.pruning_ablation import published as arms
from netdyn_lib.experiments.published import Check, Unchecked
from netdyn_lib.results import datasets, store
from netdyn_lib.results.store import DamagedShard
from netdyn_lib.tasks.datasets import MissingData
from tests.small_arms import small as small_arm
from tests.small_campaigns import small as small_campaign
from tests.small_sweeps import small as small_sweep

BAD = ["", ".", "..", "../x", "/etc/x", "a/b", "a\\b", "C:x", ".hidden", " x", "-x", "a*", 'a"']
BAD += ["a\0b", "a\nb", "a\x7f", "n" * 101, 3, None, b"a"]
LOADERS = {"sweep": sweeps.load, "ablation": arms.load, "campaign": outcomes.load}
ASKED = LOADERS | {
    "a path": lambda name: store.published("results", name),
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


@pytest.mark.parametrize("noun", LOADERS)
def test_what_is_missing_says_how_to_compute_it_and_damage_is_an_error(tmp_path, noun):
    said = f"of the {noun} 'usps'; compute it: python -m netdyn_lib.experiments run usps --profile"
    with pytest.raises(FileNotFoundError, match=said):
        LOADERS[noun]("usps", tmp_path)
    path = store.write_archive(tmp_path / "usps.npz", {"x": [1.0]}, {})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedShard, match="usps.npz is damaged"):
        LOADERS[noun]("usps", tmp_path)


@pytest.mark.parametrize(
    ("shelf", "folder"),
    [(sweeps.SHELF, "results"), (outcomes.SHELF, "outcomes"), (arms.SHELF, "arms")],
)
def test_the_books_files_are_read_and_say_where(shelf, folder, tmp_path):
    assert shelf.root().name == folder and shelf.names() and not shelf.names(tmp_path / "none")
    assert shelf.path(shelf.names()[0]).exists()


def test_a_check_in_words():
    few, many = {"loss": 2e-9, "x": 1e-3}, {"loss": 2e-9, "x": 0.0, "y": 1e-8}
    assert str(Check("a", "network 0", few, True)) == (
        "a, network 0: recomputed and published agree (x to 1e-03, loss to 2e-09)"
    )
    assert str(Check("a", "network 0", many, False)) == (
        "a, network 0: recomputed and published DISAGREE (y to 1e-08, loss to 2e-09; all of 3)"
    )


def test_as_many_are_recomputed_as_were_asked_for():
    def recompute(name):
        if name in missing:
            raise MissingData(name)
        return Check(name, "", {}, True)

    missing, chosen = set(), set()
    for token in range(20):
        checks = published.check_all("abcdefgh", recompute, token, 2)
        assert len(checks) == 2 and published.verified(checks)
        chosen |= {check.name for check in checks}
    assert chosen == set("abcdefgh")  # over tokens, all have their turn
    missing = set("abcdefg")
    checks = published.check_all("abcdefgh", recompute, "x", 2)
    assert [c.name for c in checks] == list("abcdefgh")
    assert [c.agrees for c in checks] == [None] * 7 + [True] and published.verified(checks)
    missing = set("abcdefgh")
    none = published.check_all("abcdefgh", recompute, "x", 2)
    assert not published.verified(none) and not published.verified([])


def test_one_that_disagrees_is_no_verification():
    right, wrong = (Check("a", "", {}, agrees) for agrees in (True, False))
    assert published.verified([right]) and str(Unchecked("b")).startswith("NOTE: b was not")
    assert not published.verified([right, wrong, Unchecked("b")])
