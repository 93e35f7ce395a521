"""Groups of samples with alike zeros."""

import numpy as np
import pytest

from netdyn_lib.training import blocked


def rows(groups):
    return [group.tolist() for group in groups]


def test_samples_of_one_kind_come_together():
    """Two kinds of samples without a common input, in turn: each group is of one kind, and needs
    its inputs alone.
    """
    kinds = np.kron(np.eye(2, dtype=bool), np.ones((1, 3), dtype=bool))  # inputs 0 to 2, or 3 to 5
    active = kinds[np.arange(20) % 2]
    found = blocked.groups(active, 5)
    assert all(len({row % 2 for row in group}) == 1 and len(group) == 5 for group in rows(found))
    assert blocked.mean_union(active, found) == 3
    assert blocked.mean_union(active, [np.arange(20)]) == 6


def test_each_step_takes_what_adds_least_then_what_has_most():
    active = np.array(
        [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 1, 0, 0, 1], [1, 0, 0, 0, 1]],
        dtype=bool,
    )
    # 0 has the fewest; 1 and 4 add one input each and have two, 1 comes first; 3 adds one, as does
    # 4, and has more.
    assert rows(blocked.groups(active, 3)) == [[0, 1, 3], [2, 4]]
    assert rows(blocked.groups(active, 4)) == [[0, 1, 3, 4], [2]]  # then 4 adds nothing


@pytest.mark.parametrize("length", [1, 7, 40, 100])
def test_every_sample_is_in_one_group(length, monkeypatch):
    active = np.random.default_rng(0).random((101, 30)) < np.linspace(0, 0.6, 30)
    for most in (1000, 33):
        monkeypatch.setattr(blocked, "_TOGETHER", most)
        found = blocked.groups(active, length)
        assert sorted(np.concatenate(found).tolist()) == list(range(101))
        assert max(map(len, found)) <= length and all(
            group.tolist() == sorted(group) for group in found
        )
        assert rows(found) == rows(blocked.groups(active.copy(), length))
    assert blocked.mean_union(active, [np.arange(101)]) == active.any(0).sum()


def test_groups_need_fewer_inputs_than_lots(monkeypatch):
    """Blobs of nine neighbours in a picture of 12 by 12: hundreds of them, of which a group holds
    some.
    """
    rng = np.random.default_rng(1)
    pictures = np.zeros((400, 12, 12), dtype=bool)
    for picture, (i, j) in zip(pictures, rng.integers(0, 10, (400, 2))):
        picture[i : i + 3, j : j + 3] = True
    active = pictures.reshape(400, -1)
    lots = np.split(np.arange(400), 16)
    assert blocked.mean_union(active, blocked.groups(active, 25)) < 0.5 * blocked.mean_union(
        active, lots
    )


def test_nothing_to_group():
    assert blocked.groups(np.zeros((0, 4), dtype=bool), 3) == []
    assert rows(blocked.groups(np.zeros((4, 0), dtype=bool), 3)) == [[0, 1, 2], [3]]
    assert rows(blocked.groups(np.zeros((4, 3), dtype=bool), 3)) == [[0, 1, 2], [3]]


@pytest.mark.parametrize(
    "active, length, match",
    [
        (np.ones((3, 2)), 2, "bool"),
        (np.ones(3, dtype=bool), 2, "shape"),
        (np.ones((3, 2), dtype=bool), 0, "length = 0"),
    ],
)
def test_bad_input(active, length, match):
    with pytest.raises(ValueError, match=match):
        blocked.groups(active, length)
