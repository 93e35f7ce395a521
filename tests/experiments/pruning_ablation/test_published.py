"""Published arms: what was computed is read back as far as it is published, and what is altered is
found.
"""

import functools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from netdyn_lib.curvature.pruned_descent import Rule
from netdyn_lib.experiments import campaign, sizes
from netdyn_lib.experiments.pruning_ablation import arm, published, results
from netdyn_lib.experiments.pruning_ablation.arm import Ablation, Arm
from netdyn_lib.experiments.published import Unchecked
from netdyn_lib.results import store
from netdyn_lib.tasks import datasets
from tests.small_arms import OBSERVED, TASK, ablation, small, synthetic

ARMS = [
    small("none", networks=3),
    small("negative"),
    small("random-same"),
    small(Rule("all", 1, "random"), name="largest"),
    small("none", name="lost", learning_rate=1e200, networks=1),
    small("none", name="long", steps=20, networks=1, spectra=False),
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    campaign.run(ablation(*ARMS), path)
    return path


def publish(stored, root, *arms):
    return published.write(campaign.load(ablation(*arms), stored), root)


@pytest.fixture
def root(stored, tmp_path):
    # one is not computed
    path = publish(stored, tmp_path, *ARMS[:3], small("positive"), *ARMS[3:])
    assert path == tmp_path / f"{TASK}.npz"
    return tmp_path


def alter(root, name, change):
    path = root / f"{TASK}.npz"
    arrays, meta = store.read_archive(path)
    store.write_archive(path, arrays | {name: change(arrays[name])}, meta)


def test_publishers_at_once_lose_nothing(stored, tmp_path, monkeypatch):
    """Each reads what is published, and writes it with its own arm."""
    save = published.save
    monkeypatch.setattr(published, "save", lambda *words: time.sleep(0.05) or save(*words))
    arms = [small("none", networks=3), small("negative"), small("random-same")]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda one: publish(stored, tmp_path, one), arms))
    assert set(published.load(TASK, tmp_path)["arm"].values) == {"none", "negative", "random-same"}
    assert [path.name for path in tmp_path.iterdir()] == [f"{TASK}.npz"]


@pytest.mark.filterwarnings("error")
def test_what_was_computed_is_read_back(stored, root):
    data, found = campaign.load(ablation(*ARMS), stored), published.load(TASK, root)
    assert found["arm"].values.tolist() == [one.label for one in ARMS]
    assert set(data.data_vars) - set(found.data_vars) == {"final", "velocity"}
    for name in found.data_vars:
        assert found[name].dims == data[name].dims
        exact = name in ("chaotic", "negative", "positive", "neutral", "present", "diverged_at")
        loose = name == "kept" or name.startswith("overlap")
        np.testing.assert_allclose(
            found[name],
            data[name],
            rtol=0 if exact else 1e-6,
            atol=5e-4 if loose else 0,
            err_msg=name,
        )
    np.testing.assert_array_equal(found["step"], data["step"])
    assert [Arm(**one) for one in json.loads(found.attrs.pop("arms"))] == ARMS
    assert [Arm(**one) for one in json.loads(data.attrs.pop("arms"))] == ARMS
    where = {"published_in": f"{root.name}/{TASK}.npz", "version": 1}
    assert found.attrs == data.attrs | where
    assert np.isnan(found["negative"].sel(arm="long")).all()


def test_what_is_recomputed_agrees(root, monkeypatch):
    # sixty times the same data
    monkeypatch.setattr(published.tasks, "get", functools.cache(published.tasks.get))
    found = {}
    for check in (published.recompute(TASK, token, root=root) for token in range(60)):
        assert check.agrees and max(check.apart.values()) < 1e-3, check
        found[check.part.split(", ")[0]] = check
    assert found.keys() == {f"arm {one.label}" for one in ARMS}
    for name, check in found.items():
        assert check.part.endswith("20 steps" if name == "arm long" else "12 steps")
    assert "kept" in found["arm negative"].apart


def token_of(root, label):
    tokens = (
        k for k in range(200) if f"arm {label}," in str(published.recompute(TASK, k, 1, root=root))
    )
    return next(tokens)


@pytest.mark.parametrize(
    "name",
    [
        "first_loss",
        *(name for name in OBSERVED if name not in ("loss", "neutral", "overlap_neutral")),
    ],
)
def test_an_altered_number_disagrees(root, name):
    token = token_of(root, "negative")
    alter(root, name, lambda values: values + 1)
    check = published.recompute(TASK, token, root=root)
    assert not check.agrees and "DISAGREE" in str(check)
    assert [key for key, apart in check.apart.items() if not apart < 1e-3] == [
        "loss" if name == "first_loss" else name
    ]


def test_arms_exchanged_disagree(root):
    token = token_of(root, "negative")
    alter(root, "first_loss", lambda values: values[[0, 2, 1, 3, 4, 5]])
    assert not published.recompute(TASK, token, root=root).agrees


def test_bad_numbers_of_steps(root):
    assert published.recompute(TASK, 0, 3, root=root).part.endswith("3 steps")
    with pytest.raises(ValueError, match="steps = 0"):
        published.recompute(TASK, 0, 0, root=root)


def test_every_task_is_checked_and_what_has_no_data_is_named(root, monkeypatch):
    (check,) = published.check_all("x", 2, root)
    assert check.agrees and check.name == TASK

    def missing(*_):
        raise datasets.MissingData("none")

    monkeypatch.setattr(published.tasks, "get", missing)
    assert published.check_all("x", 2, root) == [Unchecked(TASK)]


def test_networks_that_are_published_count_as_done(root, monkeypatch):
    def known(*arms):
        found = campaign.plan(ablation(*arms), "none", published=root)
        return [(p.arm.label, p.number) for p in found.known], len(found.missing)

    assert known(small("none", networks=4)) == ([("none", k) for k in range(3)], 1)
    assert known(small("negative"), small("positive")) == ([("negative", 0), ("negative", 1)], 2)
    for other in (dict(seed=1), dict(learning_rate=0.4), dict(steps=14)):
        assert known(small("negative", **other)) == ([], 2)
    monkeypatch.setattr(Ablation, "version", 2)
    assert known(small("negative")) == ([], 2)


def test_every_network_that_the_book_shows_counts_as_done():
    for task in ("usps", "usps-sigmoid", "digits-usps", "usps-cnn"):
        there, wanted = published.load(task), arm.get(task, "paper")
        content = json.loads(there.attrs["content"])
        found = published.known(wanted, None, dict(data=content))
        labels = {one.label for one in wanted.arms} & set(there["arm"].values)
        assert len(found) == int(there["present"].sel(arm=sorted(labels)).sum()) > 0


def test_the_papers_arms_of_a_task_take_less_than_a_megabyte():
    """32 arms of 3 networks, at worst incompressible."""
    size = sizes.sizes("07_hessian_chaos", "paper")
    arms = arm.get("usps", "paper").arms
    types = [np.dtype(published._type(name)).itemsize for name in OBSERVED]
    assert len(arms) * size.networks * (len(arms[0].observed) * sum(types) + 20 * 4) < 1e6
    assert size.checked <= 20


def test_the_book_shows_what_is_published(root, monkeypatch):
    assert results.paper(root) == {}
    monkeypatch.setattr(results.table, "names", lambda profile: (TASK,))
    assert list(results.paper(root)) == [TASK]


def test_what_is_published_is_kept_beside_what_is_new(tmp_path):
    def some(ends, networks, **changes):
        arms = [
            small(label, name=f"{TASK}/{label}", networks=networks, **changes) for label in ends
        ]
        return synthetic(ends, (0, 6, 12), arms=arms).assign_attrs(provenance=f"of {networks}")

    first = some({"none": [0.5, 0.6], "negative": [0.3, 0.4]}, 2)
    published.save(first, tmp_path)
    second = some({"none": [0.9, 0.8, 0.7], "positive": [0.2, 0.1, 0.3]}, 3)
    second["present"][0, 1] = False  # not followed yet
    found = published.merged(second, published.load(TASK, tmp_path))
    assert (
        found["arm"].values.tolist() == ["none", "positive", "negative"]
        and found.attrs["provenance"] == "of 3; of 2"
    )
    ends = found["test_accuracy"].isel(step=-1)
    np.testing.assert_allclose(ends.sel(arm="none"), [0.9, 0.6, 0.7], atol=1e-6)
    np.testing.assert_allclose(ends.sel(arm="negative"), [0.3, 0.4, np.nan], atol=1e-6)
    assert found["present"].sel(arm="negative").values.tolist() == [True, True, False]
    published.save(found, tmp_path)
    again = published.load(TASK, tmp_path)
    np.testing.assert_allclose(again["test_accuracy"], found["test_accuracy"], atol=1e-6)
    other = some({"none": [0.9]}, 1, learning_rate=0.1)
    alone = published.merged(
        other,
        published.load(TASK, tmp_path)
        .sel(arm=["none"])
        .assign_attrs(arms=json.dumps(json.loads(again.attrs["arms"])[:1])),
    )
    assert (
        alone.sizes["seed"] >= 1
        and float(alone["test_accuracy"].sel(arm="none").isel(seed=0, step=-1)) == 0.9
        and int(alone["present"].sum()) == 1
    )


def test_publishing_the_same_again_does_not_repeat_where_it_comes_from(tmp_path):
    def some(label, where):
        return synthetic(
            {label: [0.5]}, (0, 6, 12), arms=[small(label, name=f"{TASK}/{label}", networks=1)]
        ).assign_attrs(provenance=where)

    published.save(some("none", "1 h on A"), tmp_path)
    for _ in range(3):
        for data in (some("negative", "2 h on B"), some("positive", "2 h on C; 1 h on A")):
            published.save(published.merged(data, published.load(TASK, tmp_path)), tmp_path)
        assert published.load(TASK, tmp_path).attrs["provenance"] == "2 h on C; 1 h on A; 2 h on B"
