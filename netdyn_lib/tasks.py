"""Tasks: data, architecture, loss and target accuracy, by name.

A :class:`Recipe` is a task without its data; :func:`get` makes the :class:`Task`.
For one's own, :func:`register` a recipe, or give arrays to :func:`custom`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from . import data, initialisations, losses, networks
from .checks import finite, floats
from .devices import resolve


@dataclass(frozen=True)
class Task:
    """A supervised learning task.

    ``network`` maps flat parameters to outputs, ``loss`` scores them,
    ``split`` holds the samples; ``std`` is the spread of the initial weights
    and ``target_accuracy`` what the task counts as learned.  ``weight_decay`` is
    λ of the penalty (λ/2)‖W‖² that belongs to the task: ``GradientDescent`` takes
    it by default, as a part of the map; :meth:`objective` and an observed loss
    are without it.

    Raises ValueError for a ``weight_decay`` that is negative or not finite.
    """

    name: str
    network: object
    loss: object
    split: data.Split
    target_accuracy: float
    std: float = 1.0
    weight_decay: float = 0.0
    initialisation: str = "normal"

    def __post_init__(self):
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise ValueError(f"weight_decay = {self.weight_decay}: must be zero or positive, and finite")

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
        """Precision of the parameters, ``torch.float64`` or ``torch.float32``."""
        return self.x.dtype

    def objective(self, params):
        """Training loss of one network, ``params`` (P,), without penalty; a scalar, differentiable."""
        return self.loss.value(self.network.forward(params, self.x), self.y)

    def objectives(self, params):
        """Training loss of stacked networks ``params`` (E, P), without penalty; (E,)."""
        outputs = self.network.outputs(params, self.x)
        return torch.stack([self.loss.value(output, self.y) for output in outputs])

    def initial(self, count, seed=0, start=0, device="cpu"):
        """Initial conditions of this task, (n, P); see :func:`netdyn_lib.initialisations.initial`."""
        return initialisations.initial(self.network, count, seed, self.initialisation, self.std, start, resolve(device))

    def to(self, device=None, dtype=None):
        """The task with its samples, and what its network holds, on a device, and in ``torch.float64`` or ``torch.float32`` where that is given.

        In single precision networks descend and are observed; whatever differentiates twice or follows tangent vectors refuses it, and so
        does descent of copies that single precision cannot tell from their reference.  Raises ValueError for another type.
        """
        device = self.x.device if device is None else resolve(device)
        dtype = self.x.dtype if dtype is None else dtype
        if dtype not in (torch.float64, torch.float32):
            raise ValueError(f"dtype = {dtype}: a task is in torch.float64 or torch.float32")
        parts = {k: getattr(self.split, k).to(device) for k in ("x", "y", "x_test", "y_test")}
        moved = {k: part.to(dtype) if part.is_floating_point() else part for k, part in parts.items()}
        return replace(self, network=self.network.to(device, dtype), split=replace(self.split, **moved))


@dataclass(frozen=True)
class Recipe:
    """A task without its data.

    ``data`` is one of :func:`netdyn_lib.data.names`, or a function without
    arguments that gives a :class:`~netdyn_lib.data.Split`; ``network`` a function
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
    return networks.ModuleNetwork(network) if isinstance(network, nn.Module) else network


def _convolutional(side):
    """Convolutions of 8 and 16 kernels 3×3, each with ReLU and 2×2 max-pooling, and one linear layer; for (N, side²)."""
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * (side // 4) ** 2, 10)),
    )


def _small_cnn(side, pool):
    """Four kernels 3×3 with ReLU (40 parameters), max-pooling, and one linear layer (1,010 for a side of 16 and pools of 3); for (N, side²)."""
    return nn.Sequential(
        *(nn.Unflatten(1, (1, side, side)), nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(pool)),
        *(nn.Flatten(), nn.Linear(4 * (side // pool) ** 2, 10)),
    )


def _mlp(name, data, sizes, activation, source, target=0.9, decay=0.0, scheme="normal"):
    network = partial(networks.MLP, sizes, activation)
    return Recipe(name, data, network, losses.CrossEntropy(), target, weight_decay=decay, source=source, initialisation=scheme)


def _cnn(name, data, side, std, source):
    return Recipe(name, data, partial(_convolutional, side), losses.CrossEntropy(), 0.8, std=std, source=source)


def _known():
    """The papers' tasks, D, J, S and H (see the book's references), and their counterparts on digits."""
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
    # J draws the CNN's weights from N(0, 0.01), and does not say whether that is the variance or the standard deviation.
    yield _cnn("mnist-cnn", "mnist", 28, 0.1, "J, Fig. 12, with 0.01 of N(0, 0.01) taken as the variance")
    yield _cnn("mnist-cnn-sd", "mnist", 28, 0.01, "J, Fig. 12, with 0.01 of N(0, 0.01) taken as the standard deviation")
    yield _mlp("cifar10", "cifar10", (3072, 256, 10), "tanh", "J, Fig. 13", target=0.3)
    for activation in ("tanh", "relu"):
        network = partial(networks.MLP, (2, 2, 1), activation)
        for name, scheme in (("normal", "normal-all"), ("glorot", "glorot")):
            yield Recipe(
                f"ridge-{activation}-{name}", "ridge", network, losses.HalfSquaredError(), math.nan, source="S", initialisation=scheme
            )
    # H writes 784-20-10, which does not fit its images of 16×16.
    for name, inputs, source in (("usps", 256, "H"), ("digits-usps", 64, "as H, on digits")):
        yield _mlp(name, name.partition("-")[0], (inputs, 20, 10), "relu", f"{source}, Fig. 1", scheme="pytorch")
        yield _mlp(f"{name}-sigmoid", name.partition("-")[0], (inputs, 20, 10), "sigmoid", f"{source}, Fig. 2", scheme="pytorch")
    yield _mlp("digits-small", "digits", (64, 8, 10), "relu", "as H, on digits, small enough for whole spectra", scheme="pytorch")
    yield _mlp("fashion", "fashion-mnist-16", (256, 20, 10), "relu", "H, appendix B", scheme="pytorch")
    for name, side, pool, source in (("usps", 16, 3, "H, appendix B; ours layer by layer"), ("digits-usps", 8, 2, "as H, appendix B, on digits")):
        network = partial(_small_cnn, side, pool)
        yield Recipe(f"{name}-cnn", name.partition("-")[0], network, losses.CrossEntropy(), 0.9, source=source, initialisation="pytorch")


_RECIPES = {recipe.name: recipe for recipe in _known()}


def names():
    """Names of the known tasks."""
    return tuple(_RECIPES)


def recipe(name):
    """The :class:`Recipe` of a task, without its data.  Raises ValueError for an unknown name; the message lists the known.

    >>> recipe("mnist").architecture().count
    50890
    """
    if name not in _RECIPES:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(_RECIPES)}")
    return _RECIPES[name]


def register(recipe):
    """Make a task of one's own known by its name, for this process.

    Raises ValueError for a name that is taken, or data that are neither a known name nor a function.
    """
    if recipe.name in _RECIPES:
        raise ValueError(f"a task {recipe.name!r} is known already; choose another name")
    if not callable(recipe.data) and recipe.data not in data.names():
        raise ValueError(f"task {recipe.name!r}: unknown data set {recipe.data!r}; known: {', '.join(data.names())}")
    _RECIPES[recipe.name] = recipe


def get(name, device="cpu", samples=None, test_samples=None):
    """A task by name, its data loaded, on ``device``; with the first ``samples`` and ``test_samples`` only where given.

    Raises ValueError for an unknown name (the message lists the known), more
    samples than there are, or data that do not fit the network or the loss;
    ``archives.MissingData`` and ``archives.DamagedData`` as :func:`netdyn_lib.archives.load`.
    """
    return build(recipe(name), device, samples, test_samples)


def build(known, device="cpu", samples=None, test_samples=None):
    """The task of a :class:`Recipe`, known by name or not; parameters and errors as for :func:`get`."""
    own = callable(known.data)
    split = known.data().first(samples, test_samples) if own else data.get(known.data, samples, test_samples)
    network = known.architecture()
    x, y = _samples(network, known.loss, split.x, split.y, "")
    x_test, y_test = _samples(network, known.loss, split.x_test, split.y_test, "_test")
    split = replace(split, x=x, y=y, x_test=x_test, y_test=y_test)
    settings = known.target_accuracy, known.std, known.weight_decay, known.initialisation
    return Task(known.name, network, known.loss, split, *settings).to(device)


def custom(name, network, loss, x, y, x_test=None, y_test=None, target_accuracy=0.9, std=1.0, weight_decay=0.0):
    """A task of one's own.

    Parameters
    ----------
    network : torch.nn.Module, MLP or ModuleNetwork
    loss : CrossEntropy, HalfSquaredError or alike
    x, y : array-like
        Training inputs (N, …) and targets: class labels (N,), which make it a
        classification, or numbers (N, C).
    x_test, y_test : array-like, optional
        Test samples; the training samples where none are given.
    target_accuracy, std, weight_decay : float
        As in :class:`Task`.

    Raises
    ------
    ValueError
        For inputs or targets that are NaN or infinite, do not fit the network
        or the loss, or are not alike in number; for a weight decay that is negative or not finite.
    """
    network = _wrapped(network)
    if (x_test is None) != (y_test is None):
        raise ValueError("x_test and y_test belong together: give both, or neither")
    x, y = _samples(network, loss, x, y, "")
    x_test, y_test = (x, y) if x_test is None else _samples(network, loss, x_test, y_test, "_test")
    classes = tuple(map(str, range(int(y.max()) + 1))) if not y.is_floating_point() else ()
    split = data.Split(x, y, x_test, y_test, classes, (), title=name)
    return Task(name, network, loss, split, target_accuracy, std, weight_decay)


def _samples(network, loss, x, y, which):
    """Inputs (N, …) float64 and targets as the loss takes them, checked."""
    x, y = floats(x), torch.as_tensor(y).detach()
    if x.dim() == 0 or y.dim() == 0 or len(x) != len(y) or len(x) == 0:
        raise ValueError(
            f"{x.shape[0] if x.dim() else 0} inputs but {y.shape[0] if y.dim() else 0} targets: "
            "a task needs one target for each input, and at least one"
        )
    finite(x, "x" + which, "a network has no output for it; fill in or leave out that sample")
    targets = getattr(loss, "targets", lambda y, samples, outputs: y)
    return x, targets(y, len(x), _outputs(network, x))


def _outputs(network, x):
    """Number C of the network's outputs.  Raises ValueError for inputs that it does not take."""
    if isinstance(network, networks.MLP):
        if x.shape[1:] != network.sizes[:1]:
            raise ValueError(f"inputs of shape {tuple(x.shape)} for {network!r}: expected (N, {network.sizes[0]})")
        return network.sizes[-1]
    try:
        with torch.no_grad():
            output = network.forward(x.new_zeros(network.count), x[:1])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"inputs of shape {tuple(x.shape)} for {network!r}: it does not take them ({error})") from error
    if output.dim() != 2:
        raise ValueError(f"{network!r} maps inputs {tuple(x[:1].shape)} to {tuple(output.shape)}: expected (N, C)")
    return output.shape[1]
