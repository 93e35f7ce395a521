"""Everything that is computed of a network is computed on its task's device.

Each path runs on the processor, and on a device that is not there (:mod:`tests.pretend_device`):
a tensor made on the wrong one is an error, and the numbers are the same.  What is followed: all
steppers (perceptron, module, stacked convolutions), momentum, Adam, mini-batches, all named
observables, tangent products, Hessians (dense, closed form, in blocks, low-rank, of a training
loss), Lanczos, exponents by QR, covariant vectors, singular values, perturbed copies, pruned
descent, the probe of the sweet spot, neutral directions, spectra and their subspaces, and the verbs
``run``, ``list``, ``publish`` and ``check`` of the one command.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import nn

from netdyn_lib.curvature import (
    batch_hessian,
    batch_noise,
    closed_form,
    hessian,
    jacobian,
    lanczos,
    optimizers,
    pruned_descent,
    sharpness,
)
from netdyn_lib.experiments import (
    __main__,
    neutral_directions,
    pruning_exponents,
    saturation,
    sgd_spectra,
    sizes,
    spectra,
    sweet_spot,
)
from netdyn_lib.experiments.learning_rate_sweep import responses
from netdyn_lib.experiments.perturbation_growth import directions, experiment
from netdyn_lib.lyapunov import benettin, covariant, singular_values, tangent_maps
from netdyn_lib.tasks import gradients, losses, networks, tasks
from netdyn_lib.training import gradient_descent, minibatches, observables
from netdyn_lib.training.gradient_descent import GradientDescent
from tests.pretend_device import pretend
from tests.small_sweeps import small

DATA = np.random.default_rng(0)
X, IMAGES = DATA.standard_normal((20, 4)), DATA.standard_normal((20, 1, 6, 6))
LABELS, NUMBERS = np.arange(20) % 3, DATA.standard_normal((20, 1))
NETWORKS = {
    "perceptron": lambda: networks.MLP((4, 3, 3), "tanh"),
    "deep": lambda: networks.MLP((4, 3, 3, 3), "relu"),
    "module": lambda: nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Tanh(), nn.Linear(3, 3)),
    "convolution": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    ),
}


def task_of(kind, device):
    """A small task on a device; ``numbers`` is one of targets that are none of a few labels."""
    x, y, loss = (IMAGES if kind == "convolution" else X), LABELS, losses.CrossEntropy()
    if kind == "numbers":
        kind, y, loss = "perceptron", NUMBERS, losses.HalfSquaredError()
        made = networks.MLP((4, 3, 1), "sigmoid")
    else:
        torch.manual_seed(0)
        made = NETWORKS[kind]()
    few = (x[:8], y[:8])
    return tasks.custom(kind, made, loss, x, y, few[0], few[1]).to(device)


def start(task, count=2):
    return task.initial(count, device=task.x.device)


def balls(task, count=2):
    return networks.perturbed(start(task, count), 1e-3, 2)


def vectors(task, count=2):
    return tangent_maps.random_directions(start(task, count), 1, 3)


# Paths: of a task, on whatever device it is, to numbers


def descends(task):
    """All observables that have a name, and one's own."""
    names = [n for n in observables._NAMED if "accuracy" not in n or not task.y.is_floating_point()]
    own = (*map(observables.of_reference, ("loss", "norm")), saturation.mean_logits)
    rates = GradientDescent(task, (0.3, 0.5))
    return gradient_descent.run(rates, balls(task), 4, (*names, *own))


def follows(task):
    method = GradientDescent(task, 0.3, 0.01)
    found = gradient_descent.follow(method, start(task), 6, 2, ("loss",))
    labels = not task.y.is_floating_point()
    far = gradient_descent.search(method, start(task), 0.4, 4) if labels else ()
    return found, far, observables.importances(task, start(task))


def looks(task):
    w = start(task)
    wrong = () if task.y.is_floating_point() else observables.misclassified(task, w[0])
    return task.objectives(w), wrong, observables.radial_loss(task, w, (0.5, 1.0))


def differentiates(task):
    w, v = start(task), vectors(task)[:, 0]
    gd, point = GradientDescent(task, 0.3), gradients.of(task).at(w)
    grown = tangent_maps.growth(gd.product, w, vectors(task), 4, order=1)
    return point.gradient, point.losses, gradients.of(task).product(w, v), gd.step(w), grown


def curves(task):
    w, v = start(task), vectors(task)[0, 0]
    dense = hessian.hessians(task.objective, w), hessian.spectra(task.objective, w)
    products = hessian.operator(task, w[0])(v), hessian.TrainingHessian(task, 7).at(w[0])(v)
    top = lanczos.lanczos(hessian.operator(task, w[0]), len(v), tolerance=1e-8).value
    along = sharpness.along_descent(GradientDescent(task, 0.3), w, 2, [0, 2])
    ball = balls(task)
    held = jacobian.frozen_distance(task.objective, ball, [0, 3], 0.1)
    return dense, products, top, along.values, hessian.sharpness(task.objective, w), held


def orders(task):
    """Momentum and Adam: steps, sharpness, exponents and the tangent along a copy."""
    found = []
    for method in (optimizers.Momentum(task, 0.1), optimizers.Adam(task, 0.01)):
        ball = networks.perturbed(start(task, 1), 1e-6, 1)
        record = optimizers.run(method, ball, 3, ("mean_distance", "loss"))
        found += [record, optimizers.spectrum(method, start(task), 3, 2).exponents()]
        found += [optimizers.beside_tangent(method, ball, record)]
        found += [optimizers.sharpness_along(method, start(task), [1, 3])]
    return found


def grows(task):
    """Exponents, covariant vectors and singular values."""
    advance, w = jacobian.of_descent(GradientDescent(task, 0.3)), start(task)
    found = covariant.vectors(advance, w, [3], 3, frame=3)
    leading = (found.growth, found.residuals, found.vectors.abs(), found.diverged_at)
    exponents = benettin.spectrum(advance, w, 4, 3).exponents()
    return exponents, leading, singular_values.singular_exponents(advance, w, 3).exponents()


def probes(task):
    search = sweet_spot.Search(epochs=25, conditions=2, copies=1)
    found = sweet_spot.probe(task, 0.3, balls(task), search.epochs)
    return found.share.estimate, found.kept, found.learned


def responds(task):
    return responses.tangent_exponents(task, (0.3,), balls(task), 6).slopes


def samples(task):
    """Mini-batches: states, tangents, exponents, and what one batch's Hessian says."""
    w, part = (
        start(task),
        minibatches.batch_task(task, torch.tensor([1, 5, 7], device=task.x.device)),
    )
    noise = batch_noise.compare(task, w[0], 4, 2).counts, batch_noise.measure(task, w[0], 4, 2)
    if task.name != "module":
        noise += (batch_noise.along(task, {0: w[0]}, 4, 2),)
    found = batch_hessian.spectrum(part, w[0])
    low = found.values, found.product(vectors(task)[0]), found.project(w)
    against = dataclasses.astuple(batch_hessian.against_dense(part, w[0]))
    for momentum in (0.0, 0.5):
        advance = jacobian.StochasticDescent(task, 0.1, 4, momentum=momentum)
        low += (jacobian.spectrum(advance, w, 3, 2).exponents(),)
    kept = minibatches.Reference(task, w[0], 0.1, 4, 5)
    back = jacobian.inverse_step(kept, 2, w[0], vectors(task)[0].T)
    return noise, low, against, [state for _, state in kept.weights(reverse=True)], back


def prunes(task):
    found = []
    for rule in ("none", "positive", "random-same-norm"):
        descent = pruned_descent.Descent(task, 4, rule, momentum=0.5, every=2)
        found.append(pruned_descent.run(descent, start(task, 1), 0.3, 2))
    return found


def prunes_tangents(task):
    found = []
    for fixed in (False, True):
        advance = jacobian.PrunedDescent(task, 0.5, 3, "negative", fixed=fixed)
        found.append(jacobian.spectrum(advance, start(task), 2, 2).exponents())
    descent = sgd_spectra.MiniBatchDescent(task, 0.3, 4)
    return found, pruning_exponents.compare(descent, 1, [1, 3], "negative")


def spans(task):
    """Exponents of mini-batch descent along training, and their subspaces."""
    descent = sgd_spectra.MiniBatchDescent(task, 0.1, 4)
    whole = sgd_spectra.over_time(descent, 1, [2, 4], interval=2)
    few = sgd_spectra.over_time(descent, 1, [2, 4], 2, interval=2)
    both = sgd_spectra.overlaps(descent, 0, [2, 4], 2, 2), sgd_spectra.of_hessian(descent, 0, 4, 2)
    return whole, few, both


def departs(task):
    descent = sgd_spectra.MiniBatchDescent(task, 0.3, 4)
    search = directions.Search(4, count=2)
    found = experiment.along_strategies(descent, 1, 6, 2, search, 0.1)
    return found["log_top"], found["test_loss"], experiment.over_sizes(descent, 1, 4, 2, (0.1, 1))


def trains(task):
    late = spectra.late_states(task, (0.3,), 2, 5)
    found = spectra.early_and_late(task, late, 3)
    return found, spectra.along_training(task, (0.3,), 2, 4, 2)


def closes(task):
    w = start(task)
    return closed_form.OneHiddenLayerHessian(task)(w), closed_form.kinks(task, w, 0.1)


def saturates(task):
    method, w = GradientDescent(task, 3.0), start(task, 3)
    trajectories = gradient_descent.follow(method, w, 20, 10, observe=(saturation.mean_logits,))
    neutral = neutral_directions.directions(method, w, 6, 6, 1e-3)
    return saturation.measure(task, trajectories.states), neutral.growth


ALL = ("perceptron", "numbers", "module", "convolution")
PATHS = {
    **dict.fromkeys((descends, differentiates), (*ALL, "deep")),
    **dict.fromkeys((follows, looks, curves, samples), ALL),
    **dict.fromkeys((orders, grows), ("perceptron", "module")),
    **dict.fromkeys((probes, responds, prunes, trains), ("perceptron", "module")),
    **dict.fromkeys((prunes_tangents, spans, departs), ("perceptron",)),
    **dict.fromkeys((closes,), ("perceptron", "numbers")),
    saturates: ("numbers",),
}
CASES = [(path, kind) for path, kinds in PATHS.items() for kind in kinds]


def flat(found):
    """All numbers of a result, in order."""
    if isinstance(found, xr.Dataset):
        return flat({name: found[name].values for name in found})
    if isinstance(found, (pd.DataFrame, xr.DataArray)):
        return [found.values]
    if dataclasses.is_dataclass(found):
        return flat(vars(found))
    if isinstance(found, dict):
        return [one for value in found.values() for one in flat(value)]
    if isinstance(found, (list, tuple)):
        return [one for value in found for one in flat(value)]
    if isinstance(found, torch.Tensor):
        return [found.detach().cpu().numpy()]
    return [np.asarray(found)]


def same(one, other):
    assert len(one) == len(other) > 0
    for mine, theirs in zip(one, other):
        if mine.dtype.kind in "fiub":
            np.testing.assert_allclose(theirs, mine, rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("path", "kind"), CASES, ids=lambda v: getattr(v, "__name__", v))
def test_a_path_stays_on_its_tasks_device(path, kind):
    here = flat(path(task_of(kind, "cpu")))
    with pretend():
        there = flat(path(task_of(kind, "meta")))
    same(here, there)


def test_the_one_command_runs_on_a_device(tmp_path, monkeypatch, capsys):
    """Sweeps, with times of training and sharpness; published, and checked on the processor."""
    few = small(
        rates=(0.5,), conditions=1, epochs=6, cap=12, sharp_at=(0, 6), sharp_conditions=1, block=1
    )
    known = {k: v for k, v in vars(few).items() if k not in ("name", "seed")}
    monkeypatch.setitem(sizes._PAPER, "05_mnist_cifar", dict(sweeps=dict(small=known)))
    monkeypatch.setitem(sizes._LAPTOP, "05_mnist_cifar", {})
    out = ["--out", str(tmp_path / "out")]
    words = ["small", *out, "--store", str(tmp_path / "store"), "--device", "meta"]
    with pretend():
        said = [__main__.main([verb, *words]) for verb in ("list", "run", "list", "publish")]
    assert said == [3, 0, 0, 0], capsys.readouterr()
    assert __main__.main(["check", "small", *out]) == 0
