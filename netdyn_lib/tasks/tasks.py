"""Tasks: data, architecture, loss and target accuracy, by name.

A :class:`Recipe` is a task without its data; :func:`get` makes the :class:`Task`.
For one's own, :func:`register` a recipe, or give arrays to :func:`custom`.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from ..torch_utils import resolve
from ..validation import finite, numbers, real
from . import datasets as data
from . import losses, networks, probe


@dataclass(frozen=True)
class Task:
    """A supervised learning task.

    ``network`` maps flat parameters to outputs, ``loss`` scores them, ``split`` holds the samples.
    ``target_accuracy`` is what the task counts as learned; ``initialisation`` one of
    :data:`netdyn_lib.tasks.networks.SCHEMES`, and ``std`` the spread of the initial weights.
    ``weight_decay`` is λ of the penalty (λ/2)‖W‖² that belongs to the task: ``GradientDescent``
    takes it by default, as a part of the map; :meth:`objective` and an observed loss are without
    it.  ``precision`` is the floating type of a task whose inputs are whole numbers.
    """

    name: str
    network: networks.MLP | networks.ModuleNetwork
    loss: losses.CrossEntropy | losses.HalfSquaredError | losses.Criterion
    split: data.Split
    target_accuracy: float = 0.9
    std: float = 1.0
    weight_decay: float = 0.0
    initialisation: str = "normal"
    precision: torch.dtype = torch.float64

    def __post_init__(self):
        if not 0 <= real(self.weight_decay) < math.inf:
            raise ValueError(
                f"weight_decay = {self.weight_decay}: must be zero or positive, and finite"
            )
        networks.Scheme(self.initialisation, self.std)  # refuses what is none
        target = self.target_accuracy
        if not (0 <= real(target) <= 1 or isinstance(target, float) and math.isnan(target)):
            raise ValueError(
                f"target_accuracy = {target}: a share from 0 to 1, or NaN without classes"
            )

    @property
    def x(self) -> torch.Tensor:
        """Training inputs, (N, …)."""
        return self.split.x

    @property
    def y(self) -> torch.Tensor:
        """Training labels, or targets, (N, …)."""
        return self.split.y

    @property
    def x_test(self) -> torch.Tensor:
        """Test inputs, (M, …)."""
        return self.split.x_test

    @property
    def y_test(self) -> torch.Tensor:
        """Test labels, or targets, (M, …)."""
        return self.split.y_test

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of parameters, outputs and losses; of inputs, if these have one."""
        return self.x.dtype if self.x.is_floating_point() else self.precision

    def objective(self, params: torch.Tensor) -> torch.Tensor:
        """Return the training loss of one network (P,), without penalty; differentiable."""
        return self.loss.value(self.network.forward(params, self.x), self.y)

    def objectives(self, params: torch.Tensor) -> torch.Tensor:
        """Return training losses (E,) of stacked networks (E, P), without penalty."""
        outputs = self.network.outputs(params, self.x)
        return torch.stack([self.loss.value(output, self.y) for output in outputs])

    def initial(self, count: int, seed: int = 0, start: int = 0, device="cpu") -> torch.Tensor:
        """Return initial conditions of this task, (n, P), by its initialisation.

        As :func:`netdyn_lib.tasks.networks.initial_parameters`.
        """
        scheme = networks.Scheme(self.initialisation, self.std)
        place = resolve(device)
        return networks.initial_parameters(self.network, count, seed, scheme, start, place)

    def to(self, device=None, dtype: torch.dtype | None = None) -> "Task":
        """Return the task with its samples, network and loss on a device and of a floating type.

        The type is ``torch.float64`` or ``torch.float32``; as it is where none is given. Whole
        numbers, as class labels or the indices of words, stay whole numbers. In single precision
        networks descend and are observed; whatever differentiates twice or follows tangent vectors
        refuses it, and so does descent of copies that single precision cannot tell from their
        reference.
        """
        device = self.x.device if device is None else resolve(device)
        dtype = self.dtype if dtype is None else dtype
        if dtype not in (torch.float64, torch.float32):
            raise ValueError(f"dtype = {dtype}: a task is in torch.float64 or torch.float32")
        parts = {k: getattr(self.split, k).to(device) for k in ("x", "y", "x_test", "y_test")}
        parts = {k: v.to(dtype) if v.is_floating_point() else v for k, v in parts.items()}
        loss = losses.moved(self.loss, device, dtype)
        network, split = self.network.to(device, dtype), replace(self.split, **parts)
        return replace(self, network=network, loss=loss, split=split, precision=dtype)


@dataclass(frozen=True)
class Recipe:
    """A task without its data.

    ``data`` is one of :func:`netdyn_lib.tasks.datasets.names`, or a function without
    arguments that gives a :class:`~netdyn_lib.tasks.datasets.Split`; ``network`` a function
    without arguments that gives an MLP, ModuleNetwork or :class:`torch.nn.Module`;
    ``source`` says whose task it is; the rest is as in :class:`Task`.
    """

    name: str
    data: str | Callable[[], data.Split]
    network: Callable[[], object]
    loss: object = losses.CrossEntropy()
    target_accuracy: float = 0.9
    std: float = 1.0
    weight_decay: float = 0.0
    source: str = ""
    initialisation: str = "normal"

    def architecture(self) -> networks.MLP | networks.ModuleNetwork:
        """Return the network, made without loading data."""
        return _wrapped(self.network())


def _wrapped(network):
    if isinstance(network, nn.Module):
        return networks.ModuleNetwork(network)
    if isinstance(network, type) or not (hasattr(network, "forward") and hasattr(network, "count")):
        raise ValueError(
            f"network = {network!r:.80}: expected a torch.nn.Module, an MLP or a ModuleNetwork, "
            "made from its class"
        )
    return network


def _convolutional(side):
    """Two convolutions of 8 and 16 kernels 3×3, with ReLU and 2×2 max-pooling, and a linear layer.

    For inputs (N, side²).
    """
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * (side // 4) ** 2, 10)),
    )


def _small_cnn(side, pool):
    """Four kernels 3×3 with ReLU (40 parameters), max-pooling, and a linear layer.

    For inputs (N, side²); the linear layer has 1,010 parameters for a side of 16 and pools of 3.
    """
    return nn.Sequential(
        *(nn.Unflatten(1, (1, side, side)), nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()),
        *(nn.MaxPool2d(pool), nn.Flatten(), nn.Linear(4 * (side // pool) ** 2, 10)),
    )


def _known() -> Iterator[Recipe]:
    """The papers' tasks and their counterparts on digits."""

    def mlp(name, source, sizes, activation, **more):
        network = partial(networks.MLP, sizes, activation)
        return Recipe(name, **{"data": name, "network": network, "source": source, **more})

    jimenez, herrmann = "Jiménez-González 2025, Fig. {}".format, "Herrmann 2022, {}".format
    iris = (4, 10, 3), "sigmoid"
    yield mlp("iris", "Danovski 2024, all figures; Jiménez-González 2025, Fig. 8", *iris)
    yield mlp("iris-balanced", "iris on a 40/40/40 split", *iris)
    for name, inputs, width, deep in (("digits", 64, 32, (16, 16)), ("mnist", 784, 64, (32, 32))):
        figure = jimenez if name == "mnist" else f"as {jimenez('{}')}, on digits".format
        one, two = (inputs, width, 10), (inputs, *deep, 10)
        yield mlp(name, figure("1 to 5"), one, "tanh")
        for activation in ("sigmoid", "relu"):
            yield mlp(f"{name}-{activation}", figure(9), one, activation, data=name)
        yield mlp(f"{name}-deep", figure(10), two, "tanh", data=name)
        for decay in ("1e-3", "1e-5"):
            more = {"data": name, "weight_decay": float(decay)}
            yield mlp(f"{name}-l2-{decay}", figure(11), one, "tanh", **more)
    # Jiménez-González 2025 draws the CNN's weights from N(0, 0.01), and does not say whether that
    # is the variance or the standard deviation.
    taken = f"{jimenez(12)}, with 0.01 of N(0, 0.01) taken as the {{}}".format
    for name, side, std, source in (
        ("digits-cnn", 8, 0.1, f"as {jimenez(12)}, on digits"),
        ("mnist-cnn", 28, 0.1, taken("variance")),
        ("mnist-cnn-sd", 28, 0.01, taken("standard deviation")),
    ):
        network, held = partial(_convolutional, side), name.partition("-")[0]
        yield Recipe(name, held, network, target_accuracy=0.8, std=std, source=source)
    yield mlp("cifar10", jimenez(13), (3072, 256, 10), "tanh", target_accuracy=0.3)
    for activation in ("tanh", "relu"):
        for name, scheme in (("normal", "normal-all"), ("glorot", "glorot")):
            more = {"loss": losses.HalfSquaredError(), "target_accuracy": math.nan}
            more |= {"data": "ridge", "initialisation": scheme}
            yield mlp(f"ridge-{activation}-{name}", "Sharafi 2024", (2, 2, 1), activation, **more)
    # Herrmann 2022 writes 784-20-10, which does not fit its images of 16×16.
    for name, inputs, source in (
        ("usps", 256, herrmann("Fig. {}")),
        ("digits-usps", 64, f"as {herrmann('Fig. {}')}, on digits"),
    ):
        more = {"data": name.partition("-")[0], "initialisation": "pytorch"}
        sizes = inputs, 20, 10
        yield mlp(name, source.format(1), sizes, "relu", **more)
        yield mlp(f"{name}-sigmoid", source.format(2), sizes, "sigmoid", **more)
    more = {"data": "digits", "initialisation": "pytorch"}
    small = "as Herrmann 2022, on digits, small enough for whole spectra"
    yield mlp("digits-small", small, (64, 8, 10), "relu", **more)
    more["data"] = "fashion-mnist-16"
    yield mlp("fashion", herrmann("appendix B"), (256, 20, 10), "relu", **more)
    for name, side, pool, source in (
        ("usps", 16, 3, f"{herrmann('appendix B')}; ours layer by layer"),
        ("digits-usps", 8, 2, f"as {herrmann('appendix B')}, on digits"),
    ):
        network, held = partial(_small_cnn, side, pool), name.partition("-")[0]
        yield Recipe(f"{name}-cnn", held, network, source=source, initialisation="pytorch")


_RECIPES = {recipe.name: recipe for recipe in _known()}


def names() -> tuple[str, ...]:
    """Return the names of the known tasks."""
    return tuple(_RECIPES)


def recipe(name: str) -> Recipe:
    """Return the :class:`Recipe` of a task, without its data.

    >>> recipe("mnist").architecture().count
    50890
    """
    if name not in _RECIPES:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(_RECIPES)}")
    return _RECIPES[name]


def register(recipe: Recipe) -> None:
    """Make a task of one's own known by its name, for this process.

    Raises ValueError for a name that is taken, data that are neither a known name nor a function,
    or a network that is no function.
    """
    if recipe.name in _RECIPES:
        raise ValueError(f"a task {recipe.name!r} is known already; choose another name")
    if not callable(recipe.data) and recipe.data not in data.names():
        known = ", ".join(data.names())
        raise ValueError(f"task {recipe.name!r}: unknown data set {recipe.data!r}; known: {known}")
    if isinstance(recipe.network, nn.Module) or not callable(recipe.network):
        raise ValueError(
            f"task {recipe.name!r}: network = {recipe.network!r:.60}: "
            "expected a function that makes it, lambda: network"
        )
    _RECIPES[recipe.name] = recipe


def get(name: str, device="cpu", samples: int | None = None, test_samples: int | None = None):
    """Return a task by name on ``device``, its data loaded.

    With the first ``samples`` and ``test_samples`` only where given.  Raises ValueError for an
    unknown name, more samples than there are, or data that do not fit the network or the loss;
    ``datasets.MissingData`` and ``datasets.DamagedData`` as :func:`netdyn_lib.tasks.datasets.load`.
    """
    return build(recipe(name), device, samples, test_samples)


def build(
    known: Recipe, device="cpu", samples: int | None = None, test_samples: int | None = None
) -> Task:
    """Return the task of a :class:`Recipe`, known by name or not, as :func:`get` does."""
    if callable(known.data):
        split = known.data().first(samples, test_samples)
    else:
        split = data.get(known.data, samples, test_samples)
    names = ("target_accuracy", "std", "weight_decay", "initialisation")
    settings = {name: getattr(known, name) for name in names}
    return _task(known.name, known.architecture(), known.loss, split, **settings).to(device)


def custom(name: str, network, loss, x, y, x_test=None, y_test=None, **settings) -> Task:
    """Return a task of one's own.

    The network is tried with some of the samples, in its own mode and at its own parameters, and
    refused where it is no map of its parameters; so is the loss. Samples, network and loss are
    copied.

    Parameters
    ----------
    network : torch.nn.Module, MLP or ModuleNetwork
        Maps inputs (N, …) to outputs (N, C). An MLP with a loss that has no closed form becomes a
        :class:`~netdyn_lib.tasks.networks.AutomaticMLP`, of the same parameters.
    loss : CrossEntropy, HalfSquaredError, a loss of torch.nn, or a function
        As PyTorch takes it, ``loss(outputs, targets)``, to one number:
        ``torch.nn.CrossEntropyLoss()``, ``torch.nn.functional.mse_loss``; see
        :func:`netdyn_lib.tasks.losses.taken`.
    x, y : array-like
        Training inputs (N, …) and targets: class labels (N,), which make it a
        classification, or numbers (N, C). Whatever ``numpy.asarray`` takes, and tensors.
        Inputs become float64, except whole numbers that the module takes as such, as the indices of
        an embedding: these stay int64. (Where it takes both, and the outputs differ by the rounding
        of single precision, they become float64.)
    x_test, y_test : array-like, optional
        Test samples; the training samples where none are given.
    settings
        ``target_accuracy=0.9``, ``std=1.0``, ``weight_decay=0.0``, ``initialisation="normal"``, as
        in :class:`Task`.

    Raises ValueError for inputs or targets that are no numbers, NaN or infinite, do not fit the
    network or the loss, or are not alike in number; for a module or a loss that is random or
    stateful, or gives anything but one tensor (N, C), or one number.
    """
    if (x_test is None) != (y_test is None):
        raise ValueError("x_test and y_test belong together: give both, or neither")
    test = (x, y) if x_test is None else (x_test, y_test)
    split = data.Split(x, y, *test, title=name)
    task = _task(name, _wrapped(network), loss, split, **settings)
    classes = () if task.y.is_floating_point() else tuple(map(str, range(int(task.y.max()) + 1)))
    task = replace(task, split=replace(task.split, classes=classes))
    if task.initialisation != "normal":
        task.initial(1)  # says now where the network is none that it can draw
    return task


def _task(name, network, loss, split, **settings):
    """A task of samples, network and loss that fit each other, each a copy."""
    x, y = _samples(split.x, split.y, "")
    same = split.x_test is split.x and split.y_test is split.y
    x_test, y_test = (x, y) if same else _samples(split.x_test, split.y_test, "_test")
    module = getattr(network, "template", nn.Identity())
    if any(p.device != x.device for p in module.parameters()):
        network = network.to(x.device)
    x, seen = _fitting(network, x)
    outputs = seen.shape[1]
    x_test = x if same else _alike(network, x, x_test)
    with probe.generators_kept(x.device):
        loss = losses.taken(loss, y, outputs)
    targets = getattr(loss, "targets", lambda y, samples, outputs: y)
    y = targets(y, len(y), outputs)
    losses.tried(loss, seen, y if len(seen) == len(y) else y[probe.few(x)])
    y_test = y if same else targets(y_test, len(y_test), outputs)
    if isinstance(network, networks.MLP):
        if not hasattr(loss, "curve"):
            network = networks.AutomaticMLP(network)
    else:
        network = copy.copy(network)
        network.coupled = probe.coupled(network, x)
    split = replace(split, x=x, y=y, x_test=x_test, y_test=y_test)
    return Task(name, network, loss, split, **settings)


def _samples(x, y, which):
    """Inputs (N, …) and targets (N, …), each int64 or float64, checked."""
    if isinstance(x, dict):
        raise ValueError(
            f"x{which} is a dict: a network takes one array (N, …); join its parts, and take them "
            "apart in forward"
        )
    x, y = numbers(x, "x" + which), numbers(y, "y" + which)
    count, targets = (len(part) if part.dim() else 0 for part in (x, y))
    if count != targets or count == 0:
        raise ValueError(
            f"{count} inputs but {targets} targets: a task needs one target for each input, and at "
            f"least one; x{which} is of shape {tuple(x.shape)}, expected one array (N, …) and "
            "no tuple of several"
        )
    finite(x, "x" + which, "a network has no output for it; fill in or leave out that sample")
    return x, y.to(x.device)


def _fitting(network, x):
    """Inputs of the type that the network takes, and its outputs (n, C) at some of them."""
    floats = x.to(torch.float64)
    _check_width(network, x, "inputs")
    if x.is_floating_point():
        return x, probe.outputs(network, x)
    try:
        whole = probe.outputs(network, x)
    except probe.Misfit as refusal:
        try:
            return floats, probe.outputs(network, floats)
        except probe.Misfit as error:
            text = f"as whole numbers, {refusal}; as floating-point numbers, {error}"
            raise ValueError(text) from error
    try:
        other = probe.outputs(network, floats)
    except probe.Misfit:
        return x, whole
    # PyTorch takes functions of whole numbers, such as x / 255, in single precision.
    apart = (whole - other).abs().max() / other.abs().max()
    return (floats, other) if 1e-12 < apart < 1e-4 else (x, whole)


def _alike(network, x, x_test):
    """Test inputs of the type of the training inputs ``x``; ValueError where they do not fit."""
    if x_test.is_floating_point() and not x.is_floating_point():
        raise ValueError(
            "x holds whole numbers, which the network takes as such, but x_test holds "
            f"{x_test.dtype}: give both alike"
        )
    x_test = x_test.to(x.dtype)
    _check_width(network, x_test, "x_test")
    probe.outputs(network, x_test)
    return x_test


def _check_width(network, x, name):
    if isinstance(network, networks.MLP) and x.shape[1:] != network.sizes[:1]:
        shape, expected = tuple(x.shape), f"expected (N, {network.sizes[0]})"
        raise ValueError(f"{name} of shape {shape} for {network!r}: {expected}")
