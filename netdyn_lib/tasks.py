"""Tasks: data, architecture, loss and target accuracy, by name."""

from dataclasses import dataclass, replace

import torch

from . import data, losses, networks
from .checks import finite, floats
from .devices import resolve


@dataclass(frozen=True)
class Task:
    """A supervised learning task.

    ``network`` maps flat parameters to outputs, ``loss`` scores them,
    ``split`` holds the samples; ``std`` is the spread of the initial weights
    and ``target_accuracy`` what the task counts as learned.
    """

    name: str
    network: object
    loss: object
    split: data.Split
    target_accuracy: float
    std: float = 1.0

    @property
    def x(self):
        return self.split.x

    @property
    def y(self):
        return self.split.y

    @property
    def x_test(self):
        return self.split.x_test

    @property
    def y_test(self):
        return self.split.y_test

    def objective(self, params):
        """Training loss of one network, ``params`` (P,); a scalar, differentiable."""
        return self.loss.value(self.network.forward(params, self.x), self.y)

    def initial(self, count, seed=0, start=0, device="cpu"):
        """Initial conditions of this task, (n, P); see :func:`netdyn_lib.networks.initial`."""
        return networks.initial(self.network, count, seed, self.std, start, resolve(device))

    def to(self, device):
        """The task with its samples, and what its network holds, on a device."""
        device = resolve(device)
        moved = {k: getattr(self.split, k).to(device) for k in ("x", "y", "x_test", "y_test")}
        return replace(self, network=self.network.to(device), split=replace(self.split, **moved))


def _iris(balanced=False):
    return Task(
        name="iris-balanced" if balanced else "iris",
        network=networks.MLP((4, 10, 3), "sigmoid"),
        loss=losses.CrossEntropy(),
        split=data.iris(balanced=balanced),
        target_accuracy=0.9,
    )


def _digits():
    return Task(
        name="digits",
        network=networks.MLP((64, 32, 10), "tanh"),
        loss=losses.CrossEntropy(),
        split=data.digits(),
        target_accuracy=0.9,
    )


_TASKS = {
    "iris": _iris,  # D: 4-10-3, sigmoid, 83 parameters
    "iris-balanced": lambda: _iris(balanced=True),  # the same on a 40/40/40 split
    "digits": _digits,
}


def names():
    """Names of the known tasks."""
    return tuple(_TASKS)


def get(name, device="cpu"):
    """A task by name, its samples on ``device``.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known.
    """
    if name not in _TASKS:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(_TASKS)}")
    return _TASKS[name]().to(device)


def custom(name, network, loss, x, y, x_test=None, y_test=None, target_accuracy=0.9, std=1.0):
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

    Raises
    ------
    ValueError
        For inputs or targets that are NaN or infinite, do not fit the network
        or the loss, or are not alike in number.
    """
    if isinstance(network, torch.nn.Module):
        network = networks.ModuleNetwork(network)
    if (x_test is None) != (y_test is None):
        raise ValueError("x_test and y_test belong together: give both, or neither")
    x, y = _samples(network, loss, x, y, "")
    x_test, y_test = (x, y) if x_test is None else _samples(network, loss, x_test, y_test, "_test")
    classes = tuple(map(str, range(int(y.max()) + 1))) if not y.is_floating_point() else ()
    split = data.Split(x, y, x_test, y_test, classes, ())
    return Task(name, network, loss, split, target_accuracy, std)


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
