"""Tasks: data, architecture, loss and target accuracy, by name.

A :class:`Recipe` is a task without its data; :func:`get` makes the :class:`Task`.
For one's own, :func:`register` a recipe, or give arrays to :func:`custom`.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from ..torch_utils import resolve
from ..validation import finite, numbers, positive, real
from . import datasets as data
from . import losses, networks, probe


@dataclass(frozen=True)
class Task:
    """A supervised learning task.

    ``network`` maps flat parameters to outputs, ``loss`` scores them,
    ``split`` holds the samples; ``std`` is the spread of the initial weights
    and ``target_accuracy`` what the task counts as learned.  ``weight_decay`` is
    λ of the penalty (λ/2)‖W‖² that belongs to the task: ``GradientDescent`` takes
    it by default, as a part of the map; :meth:`objective` and an observed loss
    are without it.  ``precision`` is the floating type of a task whose inputs are whole numbers.

    Raises ValueError for a ``weight_decay`` that is negative or not finite, a ``std`` that is not
    positive and finite, an accuracy beyond 0 … 1 and an unknown initialisation.
    """

    name: str
    network: Any
    loss: Any
    split: data.Split
    target_accuracy: float
    std: float = 1.0
    weight_decay: float = 0.0
    initialisation: str = "normal"
    precision: torch.dtype = torch.float64

    def __post_init__(self):
        if not 0 <= real(self.weight_decay) < math.inf:
            raise ValueError(
                f"weight_decay = {self.weight_decay}: must be zero or positive, and finite"
            )
        positive(self.std, "std", "the spread of the initial weights")
        target = self.target_accuracy
        if not (0 <= real(target) <= 1 or isinstance(target, float) and math.isnan(target)):
            raise ValueError(
                f"target_accuracy = {target}: a share from 0 to 1, or NaN without classes"
            )
        if self.initialisation not in networks.SCHEMES:
            known = ", ".join(networks.SCHEMES)
            raise ValueError(f"unknown initialisation {self.initialisation!r}; known: {known}")

    @property
    def x(self):
        """Training inputs, (N, …)."""
        return self.split.x

    @property
    def y(self):
        """Training labels, or targets, (N, …)."""
        return self.split.y

    @property
    def x_test(self):
        """Test inputs, (M, …)."""
        return self.split.x_test

    @property
    def y_test(self):
        """Test labels, or targets, (M, …)."""
        return self.split.y_test

    @property
    def dtype(self):
        """The floating type of parameters, outputs and losses; of inputs, if these have one."""
        return self.x.dtype if self.x.is_floating_point() else self.precision

    def objective(self, params):
        """Training loss of one network, ``params`` (P,), without penalty; a scalar, differentiable."""
        return self.loss.value(self.network.forward(params, self.x), self.y)

    def objectives(self, params):
        """Training loss of stacked networks ``params`` (E, P), without penalty; (E,)."""
        outputs = self.network.outputs(params, self.x)
        return torch.stack([self.loss.value(output, self.y) for output in outputs])

    def initial(self, count, seed=0, start=0, device="cpu"):
        """Initial conditions of this task, (n, P); see
        :func:`netdyn_lib.tasks.networks.initial`.
        """
        return networks.initial_parameters(
            self.network, count, seed, self.initialisation, self.std, start, resolve(device)
        )

    def to(self, device=None, dtype=None):
        """The task with its samples, and what its network and loss hold, on a device and of a type.

        The type is ``torch.float64`` or ``torch.float32``; as it is where none is given. Whole
        numbers, as class labels or the indices of words, stay whole numbers. In single precision
        networks descend and are observed; whatever differentiates twice or follows tangent vectors
        refuses it, and so does descent of copies that single precision cannot tell from their
        reference.  Raises ValueError for another type.
        """
        device = self.x.device if device is None else resolve(device)
        dtype = self.dtype if dtype is None else dtype
        if dtype not in (torch.float64, torch.float32):
            raise ValueError(f"dtype = {dtype}: a task is in torch.float64 or torch.float32")
        parts = {k: getattr(self.split, k).to(device) for k in ("x", "y", "x_test", "y_test")}
        moved = {
            k: part.to(dtype) if part.is_floating_point() else part for k, part in parts.items()
        }
        loss = losses.moved(self.loss, device, dtype)
        network, split = self.network.to(device, dtype), replace(self.split, **moved)
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
    data: str | Callable
    network: Callable
    loss: object
    target_accuracy: float
    std: float = 1.0
    weight_decay: float = 0.0
    source: str = ""
    initialisation: str = "normal"

    def architecture(self):
        """The network, an MLP or ModuleNetwork, made without loading data."""
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
    """Convolutions of 8 and 16 kernels 3×3, each with ReLU and 2×2 max-pooling, and one linear
    layer; for (N, side²).
    """
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * (side // 4) ** 2, 10)),
    )


def _small_cnn(side, pool):
    """Four kernels 3×3 with ReLU (40 parameters), max-pooling, and one linear layer (1,010 for a
    side of 16 and pools of 3); for (N, side²).
    """
    return nn.Sequential(
        *(
            nn.Unflatten(1, (1, side, side)),
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(pool),
        ),
        *(nn.Flatten(), nn.Linear(4 * (side // pool) ** 2, 10)),
    )


def _mlp(name, data, sizes, activation, source, target=0.9, decay=0.0, scheme="normal"):
    network = partial(networks.MLP, sizes, activation)
    return Recipe(
        name,
        data,
        network,
        losses.CrossEntropy(),
        target,
        weight_decay=decay,
        source=source,
        initialisation=scheme,
    )


def _cnn(name, data, side, std, source):
    return Recipe(
        name,
        data,
        partial(_convolutional, side),
        losses.CrossEntropy(),
        0.8,
        std=std,
        source=source,
    )


def _known():
    """The papers' tasks, D, J, S and H (see the book's references), and their counterparts on
    digits.
    """
    yield _mlp("iris", "iris", (4, 10, 3), "sigmoid", "D, all figures; J, Fig. 8")
    yield _mlp("iris-balanced", "iris-balanced", (4, 10, 3), "sigmoid", "iris on a 40/40/40 split")
    for name, inputs, width, deep in (("digits", 64, 32, (16, 16)), ("mnist", 784, 64, (32, 32))):
        figure = "J, Fig. {}".format if name == "mnist" else "as J, Fig. {}, on digits".format
        shallow = (inputs, width, 10)
        yield _mlp(name, name, shallow, "tanh", figure("1 to 5"))
        yield _mlp(f"{name}-sigmoid", name, shallow, "sigmoid", figure(9))
        yield _mlp(f"{name}-relu", name, shallow, "relu", figure(9))
        yield _mlp(f"{name}-deep", name, (inputs, *deep, 10), "tanh", figure(10))
        yield _mlp(f"{name}-l2-1e-3", name, shallow, "tanh", figure(11), decay=1e-3)
        yield _mlp(f"{name}-l2-1e-5", name, shallow, "tanh", figure(11), decay=1e-5)
    yield _cnn("digits-cnn", "digits", 8, 0.1, "as J, Fig. 12, on digits")
    # J draws the CNN's weights from N(0, 0.01), and does not say whether that is the variance or
    # the standard deviation.
    yield _cnn(
        "mnist-cnn", "mnist", 28, 0.1, "J, Fig. 12, with 0.01 of N(0, 0.01) taken as the variance"
    )
    yield _cnn(
        "mnist-cnn-sd",
        "mnist",
        28,
        0.01,
        "J, Fig. 12, with 0.01 of N(0, 0.01) taken as the standard deviation",
    )
    yield _mlp("cifar10", "cifar10", (3072, 256, 10), "tanh", "J, Fig. 13", target=0.3)
    for activation in ("tanh", "relu"):
        network = partial(networks.MLP, (2, 2, 1), activation)
        for name, scheme in (("normal", "normal-all"), ("glorot", "glorot")):
            yield Recipe(
                f"ridge-{activation}-{name}",
                "ridge",
                network,
                losses.HalfSquaredError(),
                math.nan,
                source="S",
                initialisation=scheme,
            )
    # H writes 784-20-10, which does not fit its images of 16×16.
    for name, inputs, source in (("usps", 256, "H"), ("digits-usps", 64, "as H, on digits")):
        yield _mlp(
            name,
            name.partition("-")[0],
            (inputs, 20, 10),
            "relu",
            f"{source}, Fig. 1",
            scheme="pytorch",
        )
        yield _mlp(
            f"{name}-sigmoid",
            name.partition("-")[0],
            (inputs, 20, 10),
            "sigmoid",
            f"{source}, Fig. 2",
            scheme="pytorch",
        )
    yield _mlp(
        "digits-small",
        "digits",
        (64, 8, 10),
        "relu",
        "as H, on digits, small enough for whole spectra",
        scheme="pytorch",
    )
    yield _mlp(
        "fashion", "fashion-mnist-16", (256, 20, 10), "relu", "H, appendix B", scheme="pytorch"
    )
    for name, side, pool, source in (
        ("usps", 16, 3, "H, appendix B; ours layer by layer"),
        ("digits-usps", 8, 2, "as H, appendix B, on digits"),
    ):
        network = partial(_small_cnn, side, pool)
        yield Recipe(
            f"{name}-cnn",
            name.partition("-")[0],
            network,
            losses.CrossEntropy(),
            0.9,
            source=source,
            initialisation="pytorch",
        )


_RECIPES = {recipe.name: recipe for recipe in _known()}


def names():
    """Names of the known tasks."""
    return tuple(_RECIPES)


def recipe(name):
    """The :class:`Recipe` of a task, without its data.  Raises ValueError for an unknown name; the
    message lists the known.

    >>> recipe("mnist").architecture().count
    50890
    """
    if name not in _RECIPES:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(_RECIPES)}")
    return _RECIPES[name]


def register(recipe):
    """Make a task of one's own known by its name, for this process.

    Raises ValueError for a name that is taken, data that are neither a known name nor a function,
    or a network that is no function.
    """
    if recipe.name in _RECIPES:
        raise ValueError(f"a task {recipe.name!r} is known already; choose another name")
    if not callable(recipe.data) and recipe.data not in data.names():
        raise ValueError(
            f"task {recipe.name!r}: unknown data set {recipe.data!r}; known: {', '.join(data.names())}"
        )
    if isinstance(recipe.network, nn.Module) or not callable(recipe.network):
        raise ValueError(
            f"task {recipe.name!r}: network = {recipe.network!r:.60}: "
            "expected a function that makes it, lambda: network"
        )
    _RECIPES[recipe.name] = recipe


def get(name, device="cpu", samples=None, test_samples=None):
    """A task by name, its data loaded, on ``device``; with the first ``samples`` and
    ``test_samples`` only where given.

    Raises ValueError for an unknown name (the message lists the known), more
    samples than there are, or data that do not fit the network or the loss;
    ``archives.MissingData`` and ``archives.DamagedData`` as :func:`netdyn_lib.tasks.datasets.load`.
    """
    return build(recipe(name), device, samples, test_samples)


def build(known, device="cpu", samples=None, test_samples=None):
    """The task of a :class:`Recipe`, known by name or not; parameters and errors as for
    :func:`get`.
    """
    own = callable(known.data)
    split = (
        known.data().first(samples, test_samples)
        if own
        else data.get(known.data, samples, test_samples)
    )
    settings = known.target_accuracy, known.std, known.weight_decay, known.initialisation
    return _task(known.name, known.architecture(), known.loss, split, settings).to(device)


def custom(
    name,
    network,
    loss,
    x,
    y,
    x_test=None,
    y_test=None,
    target_accuracy=0.9,
    std=1.0,
    weight_decay=0.0,
    initialisation="normal",
):
    """A task of one's own.

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
    target_accuracy, std, weight_decay : float
        As in :class:`Task`.
    initialisation : str
        One of :data:`netdyn_lib.tasks.networks.SCHEMES`.

    Raises
    ------
    ValueError
        For inputs or targets that are no numbers, NaN or infinite, do not fit the network
        or the loss, or are not alike in number; for a module or a loss that is random or stateful,
        or gives anything but one tensor (N, C), or one number; for a weight decay, a spread, an
        accuracy or an initialisation as :class:`Task`.
    """
    if (x_test is None) != (y_test is None):
        raise ValueError("x_test and y_test belong together: give both, or neither")
    test = (x, y) if x_test is None else (x_test, y_test)
    split = data.Split(x, y, *test, (), (), title=name)
    settings = target_accuracy, std, weight_decay, initialisation
    task = _task(name, _wrapped(network), loss, split, settings)
    classes = () if task.y.is_floating_point() else tuple(map(str, range(int(task.y.max()) + 1)))
    task = replace(task, split=replace(task.split, classes=classes))
    if initialisation != "normal":
        task.initial(1)  # says now where the network is none that it can draw
    return task


def _task(*parts):
    """As :func:`_joined`, a misfit being a plain ValueError."""
    try:
        return _joined(*parts)
    except probe.Misfit as error:
        raise ValueError(str(error)) from error.__cause__


def _joined(name, network, loss, split, settings):
    """A task of samples, network and loss that fit each other, each a copy."""
    x, y = _samples(split.x, split.y, "")
    same = split.x_test is split.x and split.y_test is split.y
    x_test, y_test = (x, y) if same else _samples(split.x_test, split.y_test, "_test")
    if any(p.device != x.device for p in getattr(network, "_module", nn.Identity()).parameters()):
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
    return Task(name, network, loss, split, *settings)


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
    """Inputs of the type that the network takes, and its outputs (n, C) at some of them.

    Raises ValueError for inputs that it does not take.
    """
    floats = x.to(torch.float64)
    if isinstance(network, networks.MLP):
        if x.shape[1:] != network.sizes[:1]:
            expected = f"expected (N, {network.sizes[0]})"
            raise ValueError(f"inputs of shape {tuple(x.shape)} for {network!r}: {expected}")
        start = networks.initial(network, 1, device=x.device)[0]
        return floats, network.forward(start, floats[probe.few(x)])
    if x.is_floating_point():
        return x, probe.outputs(network, x)
    try:
        whole = probe.outputs(network, x)
    except probe.Misfit as refusal:
        try:
            return floats, probe.outputs(network, floats)
        except probe.Misfit as other:
            text = f"as whole numbers, {refusal}; as floating-point numbers, {other}"
            raise ValueError(text) from other
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
    if not isinstance(network, networks.MLP):
        probe.outputs(network, x_test)
    elif x_test.shape[1:] != x.shape[1:]:
        expected = f"expected (N, {network.sizes[0]})"
        raise ValueError(f"x_test of shape {tuple(x_test.shape)} for {network!r}: {expected}")
    return x_test
