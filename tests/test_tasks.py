import numpy as np
import pytest
import torch

from netdyn_lib import data, descent, devices, losses, networks, profiles, tasks

X, Y = torch.arange(24.0).reshape(6, 4), torch.tensor([0, 1, 2] * 2)
LABELS, NUMBERS = losses.CrossEntropy(), losses.HalfSquaredError()
MLP, LINEAR = networks.MLP((4, 3)), torch.nn.Linear(4, 3)


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


def test_a_task_moves_its_network_too():
    module = torch.nn.Sequential(torch.nn.Linear(4, 5).requires_grad_(False), torch.nn.Linear(5, 3))
    task = tasks.custom("mine", module, LABELS, X, Y)
    assert task.to("cpu").network is not task.network
    torch.testing.assert_close(task.to("cpu").objective(task.initial(1)[0]), task.objective(task.initial(1)[0]))


def test_tasks_say_what_they_are():
    assert "40/41/39 by class" in repr(tasks.get("iris"))
    line = tasks.custom("line", networks.MLP((4, 2)), NUMBERS, X, torch.zeros(6, 2))
    assert "targets (6, 2)" in repr(line) and "'line'" in repr(line)
    with pytest.raises(ValueError, match="no classes to count"):
        line.split.class_counts()


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.int64])
def test_labels_of_any_integer_type_are_labels(kind):
    task = tasks.custom("mine", networks.MLP((4, 3)), LABELS, X, Y.to(kind))
    record = descent.run(descent.GradientDescent(task, 0.1), task.initial(2), 3, observe=("loss", "accuracy"))
    assert task.y.dtype == torch.int64 and np.isfinite(record["loss"]).all()


def test_numbers_to_approximate_may_be_integers():
    task = tasks.custom("mine", networks.MLP((4, 1)), NUMBERS, X, Y)
    assert task.y.dtype == torch.float64 and task.split.classes == ()


def put(values, index, value):
    values = torch.as_tensor(values, dtype=torch.float64).clone()
    values[index] = value
    return values


@pytest.mark.parametrize("network, loss, x, y, more, match", [
    (MLP, LABELS, X, Y.double(), {}, r"torch.float64: cross-entropy needs \(6,\) integer class labels"),
    (MLP, LABELS, X, Y[:, None], {}, r"shape \(6, 1\)"),
    (MLP, LABELS, X, Y + 1, {}, "labels from 1 to 3 for a network of 3 outputs: must be 0 to 2"),
    (MLP, LABELS, X, Y - 1, {}, "labels from -1 to 1"),
    (MLP, LABELS, put(X, (2, 1), float("nan")), Y, {}, r"x holds nan at \[2, 1\]"),
    (MLP, LABELS, put(X, (2, 1), float("inf")), Y, {}, r"x holds inf at \[2, 1\]"),
    (MLP, NUMBERS, X, put(torch.zeros(6, 3), (5, 0), float("nan")), {}, r"y holds nan at \[5, 0\]"),
    (MLP, NUMBERS, X, torch.zeros(6, 2), {}, r"targets of shape \(6, 2\) for 6 samples and 3 outputs"),
    (MLP, LABELS, X[:, :3], Y, {}, r"inputs of shape \(6, 3\) for MLP\(4-3, sigmoid\): expected \(N, 4\)"),
    (LINEAR, LABELS, X[:, :3], Y, {}, r"inputs of shape \(6, 3\) for ModuleNetwork\(Linear, 15 parameters\): it does not take"),
    (torch.nn.Sequential(LINEAR, torch.nn.Flatten(0)), LABELS, X, Y, {}, r"to \(3,\): expected \(N, C\)"),
    (MLP, LABELS, X, Y[:5], {}, "6 inputs but 5 targets"),
    (MLP, LABELS, X, Y, {"x_test": X}, "give both, or neither"),
    (MLP, LABELS, X, Y, {"x_test": put(X, 0, float("nan")), "y_test": Y}, "x_test holds nan"),
    (MLP, LABELS, X, Y, {"x_test": X[:3], "y_test": Y}, "3 inputs but 6 targets"),
])
def test_bad_samples_are_refused(network, loss, x, y, more, match):
    with pytest.raises(ValueError, match=match):
        tasks.custom("mine", network, loss, x, y, **more)
