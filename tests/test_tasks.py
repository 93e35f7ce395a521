import pytest
import torch

from netdyn_lib import data, devices, profiles, tasks


def test_iris_is_the_papers_task():
    task = tasks.get("iris")
    assert task.network.count == 83
    assert task.x.shape == (120, 4) and task.x_test.shape == (30, 4)
    assert task.split.class_counts().tolist() == [40, 41, 39]
    assert task.x.max() > 7  # raw centimetres


def test_the_balanced_split_is_balanced():
    assert tasks.get("iris-balanced").split.class_counts().tolist() == [40, 40, 40]


def test_training_and_test_samples_partition_the_data():
    split = data.iris()
    assert len(split.x) + len(split.x_test) == 150
    both = torch.cat([torch.cat([split.x, split.x_test]), torch.cat([split.y, split.y_test])[:, None]], 1)
    from sklearn.datasets import load_iris

    bunch = load_iris()
    original = torch.tensor(bunch.data), torch.tensor(bunch.target, dtype=torch.float64)[:, None]
    order = lambda t: sorted(map(tuple, t.tolist()))  # noqa: E731
    assert order(both) == order(torch.cat(original, 1))


def test_digits_are_scaled_to_one():
    split = data.digits()
    assert split.x.shape == (1437, 64) and split.x_test.shape == (360, 64)
    assert float(split.x.min()) == 0 and float(split.x.max()) == 1
    assert "(1437, 64)" in repr(split)


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="unknown task 'cifar'; known: iris"):
        tasks.get("cifar")
    with pytest.raises(ValueError, match="unknown profile 'gpu'; known: laptop, paper"):
        profiles.sizes("01_toy_map", "gpu")
    with pytest.raises(ValueError, match="unknown experiment '99'; known: "):
        profiles.sizes("99")


def test_laptop_sizes_only_change_what_paper_has():
    for name, changed in profiles._LAPTOP.items():
        assert set(changed) <= set(profiles._PAPER[name])


@pytest.mark.parametrize("name", ["gpu", "cpu:x", "", "cuda:-1"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ValueError, match="unknown device"):
        devices.resolve(name)


def test_a_gpu_that_is_not_there_is_refused():
    absent = torch.cuda.device_count() if torch.cuda.is_available() else 0
    with pytest.raises(ValueError, match=f"asks for GPU {absent}"):
        devices.resolve(f"cuda:{absent}")


def test_auto_is_a_device_that_exists():
    assert devices.resolve("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert devices.resolve(torch.device("cpu")).type == "cpu"
