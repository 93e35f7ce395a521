"""Tasks by name are the papers', and a task of one's own is one entry."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from netdyn_lib.experiments import sizes
from netdyn_lib.tasks import datasets, losses, networks, tasks
from netdyn_lib.training.gradient_descent import GradientDescent, run

X, Y = torch.arange(24.0).reshape(6, 4), torch.tensor([0, 1, 2] * 2)
LABELS, NUMBERS = losses.CrossEntropy(), losses.HalfSquaredError()
MLP = networks.MLP((4, 3))


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match="unknown task 'cifar'; known: iris"):
        tasks.get("cifar")
    with pytest.raises(ValueError, match="unknown profile 'gpu'; known: laptop, paper"):
        sizes.sizes("01_toy_map", "gpu")
    with pytest.raises(ValueError, match="unknown experiment '99'; known: "):
        sizes.sizes("99")


def test_laptop_sizes_only_change_what_paper_has():
    for name, changed in sizes._LAPTOP.items():
        assert set(changed) <= set(sizes._PAPER[name])


def test_tasks_say_what_they_are():
    assert "40/41/39 by class" in repr(tasks.get("iris"))
    line = tasks.custom("line", networks.MLP((4, 2)), NUMBERS, X, torch.zeros(6, 2))
    assert "targets (6, 2)" in repr(line) and "'line'" in repr(line)
    with pytest.raises(ValueError, match="no classes to count"):
        line.split.class_counts()


def test_labels_may_be_of_any_integer_type_and_numbers_to_approximate_too():
    for kind in (torch.int32, torch.uint8, torch.int64):
        assert tasks.custom("mine", MLP, LABELS, X, Y.to(kind)).y.dtype == torch.int64
    task = tasks.custom("mine", networks.MLP((4, 1)), NUMBERS, X, Y)
    assert task.y.dtype == torch.float64 and task.split.classes == ()


def put(values, index, value):
    values = torch.as_tensor(values, dtype=torch.float64).clone()
    values[index] = value
    return values


NOT, WILD = float("nan"), float("inf")


@pytest.mark.parametrize(
    "network, loss, x, y, more, match",
    [
        (MLP, LABELS, X, Y.double(), {}, r"float64: cross-entropy needs \(6,\) integer class lab"),
        (MLP, LABELS, X, Y[:, None], {}, r"shape \(6, 1\)"),
        (MLP, LABELS, X, Y + 1, {}, "from 1 to 3 for a network of 3 outputs: must be 0 to 2"),
        (MLP, LABELS, X, Y - 1, {}, "labels from -1 to 1"),
        (MLP, LABELS, put(X, (2, 1), NOT), Y, {}, r"x holds nan at \[2, 1\]"),
        (MLP, LABELS, put(X, (2, 1), WILD), Y, {}, r"x holds inf at \[2, 1\]"),
        (MLP, NUMBERS, X, put(torch.zeros(6, 3), (5, 0), NOT), {}, r"y holds nan at \[5, 0\]"),
        (MLP, NUMBERS, X, torch.zeros(6, 2), {}, r"shape \(6, 2\) for 6 samples and 3 outputs"),
        (MLP, LABELS, X[:, :3], Y, {}, r"\(6, 3\) for MLP\(4-3, sigmoid\): expected \(N, 4\)"),
        (MLP, LABELS, X, Y[:5], {}, "6 inputs but 5 targets"),
        (MLP, LABELS, X, Y, {"x_test": X}, "give both, or neither"),
        (MLP, LABELS, X, Y, {"x_test": put(X, 0, NOT), "y_test": Y}, "x_test holds nan"),
        (MLP, LABELS, X, Y, {"x_test": X[:3], "y_test": Y}, "3 inputs but 6 targets"),
        *[(MLP, LABELS, X, Y, {"weight_decay": v}, "decay = .*: must be zero") for v in (-1, NOT)],
    ],
)
def test_bad_samples_are_refused(network, loss, x, y, more, match):
    with pytest.raises(ValueError, match=match):
        tasks.custom("mine", network, loss, x, y, **more)


COUNTS = {
    **{"iris": 83, "iris-balanced": 83, "mnist-deep": 26_506, "cifar10": 789_258},
    **{f"mnist{more}": 50_890 for more in ("", "-sigmoid", "-relu", "-l2-1e-3", "-l2-1e-5")},
    **{"mnist-cnn": 9_098, "mnist-cnn-sd": 9_098, "digits-cnn": 1_898, "usps-cnn": 1_050},
    **{"digits": 2_410, "digits-deep": 1_482, "digits-small": 610, "ridge-tanh-normal": 9},
    **{"usps": 5_350, "usps-sigmoid": 5_350, "fashion": 5_350},
    **{"digits-usps": 1_510, "digits-usps-sigmoid": 1_510},
}


@pytest.mark.parametrize("name, count", COUNTS.items())
def test_architectures_are_the_papers_and_need_no_data(monkeypatch, name, count):
    monkeypatch.setattr(datasets, "load", None)
    assert tasks.recipe(name).architecture().count == count


def test_recipes_hold_what_the_papers_say():
    known = {name: tasks.recipe(name) for name in tasks.names()}
    assert all(recipe.source and recipe.data in datasets.names() for recipe in known.values())
    targets = {known[name].target_accuracy for name in ("mnist", "iris")}
    assert known["cifar10"].target_accuracy == 0.3 and targets == {0.9}
    stds = {"mnist-cnn": 0.1, "mnist-cnn-sd": 0.01, "digits-cnn": 0.1}
    assert {name for name, recipe in known.items() if recipe.target_accuracy == 0.8} == set(stds)
    assert {name: recipe.std for name, recipe in known.items() if recipe.std != 1} == stds
    decays = {name: recipe.weight_decay for name, recipe in known.items() if recipe.weight_decay}
    both = [(name, text) for name in ("mnist", "digits") for text in ("1e-3", "1e-5")]
    assert decays == {f"{name}-l2-{text}": float(text) for name, text in both}
    drawn = ["usps", "usps-sigmoid", "digits-usps", "digits-usps-sigmoid"]
    assert {known[name].initialisation for name in drawn} == {"pytorch"}
    kinds = dict.fromkeys(drawn[::2], "relu") | dict.fromkeys(drawn[1::2], "sigmoid")
    more = {"": "tanh", "-sigmoid": "sigmoid", "-relu": "relu", "-deep": "tanh"}
    kinds |= {name + kind: phi for name in ("digits", "mnist") for kind, phi in more.items()}
    assert {name: known[name].architecture().activation.name for name in kinds} == kinds


def test_hs_network_starts_as_pytorch_draws_it():
    task = tasks.get("digits-usps")
    (first, second) = task.network.matrices(task.initial(50))
    for layer, fan in ((first, 64), (second, 20)):
        bound = fan**-0.5
        assert 0.99 * bound < float(layer.abs().max()) <= bound  # the biases too
        assert float(layer[..., -1].abs().max()) > 0.9 * bound
        assert float(layer.std()) == pytest.approx(bound / 3**0.5, rel=0.05)


EMBEDDED = [name for name in tasks.names() if name.startswith(("iris", "digits"))]


@pytest.mark.parametrize(
    "name", [*EMBEDDED, "mnist", "mnist-l2-1e-3", "mnist-cnn", "cifar10", "usps"]
)
def test_tasks_train(name):
    source = tasks.recipe(name).data
    if source in datasets.archive_names() and not datasets.available(source):
        pytest.skip(f"{datasets.about(source).title} is not at hand: set NETDYN_DATA")
    task = tasks.get(name, samples=60, test_samples=20)
    assert len(task.x) == 60 and len(task.x_test) == 20
    assert task.weight_decay == tasks.recipe(name).weight_decay
    record = run(GradientDescent(task, 0.01), task.initial(2), 3)
    assert np.isfinite(record["loss"]).all() and (record["loss"][-1] < record["loss"][0]).all()


def test_weight_decay_belongs_to_the_map_and_not_to_the_loss():
    task = tasks.custom("mine", MLP, LABELS, X, Y, weight_decay=0.5)
    plain, params = tasks.custom("mine", MLP, LABELS, X, Y), task.initial(2)
    assert task.weight_decay == 0.5 and plain.weight_decay == 0
    assert task.objective(params[0]) == plain.objective(params[0])
    step, bare = (GradientDescent(t, 0.1).step(params) for t in (task, plain))
    torch.testing.assert_close(step, bare - 0.1 * 0.5 * params)


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(tasks, "_RECIPES", dict(tasks._RECIPES))


def mine(**changes):
    entry = {"name": "mine", "data": datasets.iris, "network": lambda: MLP, "target_accuracy": 0.5}
    return tasks.Recipe(**{**entry, **changes})


def test_a_task_of_ones_own_is_one_entry(registry):
    tasks.register(mine(std=0.5, weight_decay=0.1, network=lambda: torch.nn.Linear(4, 3)))
    task = tasks.get("mine", samples=7)
    assert tasks.names()[-1] == "mine" and task.network.count == 15
    assert len(task.x) == 7 and len(task.x_test) == 30
    assert (task.std, task.weight_decay, task.target_accuracy) == (0.5, 0.1, 0.5)
    with pytest.raises(ValueError, match="a task 'mine' is known already"):
        tasks.register(mine())
    with pytest.raises(ValueError, match="task 'other': unknown data set 'svhn'; known: iris"):
        tasks.register(mine(name="other", data="svhn"))
    tasks.register(mine(name="wide", network=lambda: networks.MLP((5, 3))))
    with pytest.raises(ValueError, match=r"inputs of shape \(120, 4\) for MLP\(5-3, sigmoid\)"):
        tasks.get("wide")
    with pytest.raises(ValueError, match="samples = 500"):
        tasks.get("mine", samples=500)


def test_the_example_of_the_data_page_runs(registry, capsys):
    page = Path(__file__).parents[2] / "book" / "data.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
    (shown,) = re.findall(r"```text\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
    exec(compile(code, "data.md", "exec"), {})
    assert capsys.readouterr().out == shown


def test_the_ridge_tasks_are_the_papers_small_networks():
    for activation in ("tanh", "relu"):
        normal, glorot = (tasks.get(f"ridge-{activation}-{name}") for name in ("normal", "glorot"))
        best = 0.5 * (normal.y - normal.y.mean()).square().sum()
        assert float(best) == pytest.approx(200)
        biases = ~torch.as_tensor(normal.network.is_weight)
        assert (glorot.initial(5)[:, biases] == 0).all()
        assert (normal.initial(5)[:, biases] != 0).all()
