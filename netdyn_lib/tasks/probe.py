"""Try whether a network is a map of its parameters, and whether its samples see each other.

Dropout, noise, running means and power iterations come as many classes and as bare functions. What
they share is that the same parameters and samples give other outputs, or leave other buffers, on a
module that has been called before. And where samples see each other, as under the statistics of a
batch, half of them have other outputs than among all.
"""

import copy
import random
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch.func import functional_call

from ..validation import finite
from .networks import ModuleNetwork, copied

_SAMPLES = 64  # at most: enough to see each other, few enough to cost little
_NEAR = 0.01  # standard deviation of the step to other parameters
_ROUNDING = 1e-9  # of the largest value, also where layers amplify it


class Misfit(ValueError):
    """A network does not take these samples, or its outputs are not (N, C) float64."""


def few(x):
    """Which of the samples ``x`` (N, …) to try: at most 64, spread evenly, and extreme indices."""
    index = torch.linspace(0, len(x) - 1, min(len(x), _SAMPLES)).round().long()
    if len(x) > _SAMPLES and not x.is_floating_point():
        flat = x.reshape(len(x), -1)
        index[1:3] = torch.stack([flat.amin(1).argmin(), flat.amax(1).argmax()])
    return index.to(x.device)


def outputs(network, x):
    """Outputs (n, C) of :func:`few` of the samples ``x`` (N, …) at the network's own parameters.

    Of all samples where few are refused: the network of a graph, say, takes all of its nodes. The
    network, its buffers and the generators of random numbers stay as they were.

    Raises
    ------
    Misfit
        Where the network does not take the samples, or its outputs are not one tensor (n, C) of
        float64, differentiable in its parameters.
    """
    with generators_kept(x.device):
        return _first(_Trial(network, len(x)), x)[1]


def coupled(network, x):
    """Whether samples see each other: few of ``x`` (N, …), as for :func:`outputs`, against half.

    Looked at in the module's own mode, at its own parameters and at others nearby. What happens
    elsewhere, or with other samples, is not seen. Samples that cannot be halved count as coupled.
    Nothing is changed, as by :func:`outputs`.

    Raises
    ------
    ValueError
        Where the network is no map of its parameters: it draws random numbers, or has other outputs
        or buffers where it has been called before than where it has not.
    Misfit
        As :func:`outputs`.
    """
    fresh, used = _Trial(network, len(x)), _Trial(network, len(x))
    with generators_kept(x.device):
        drawn = _generators(x.device)
        part, output = _first(fresh, x)
        state, half = fresh.state(), part[: len(part) // 2]
        near = used.own + _NEAR * _noise(used.own)
        seen = _differ(output, fresh, fresh.own, half)
        seen |= _differ(used(near, part), used, near, half)
        again = used(used.own, part)
        if _generators(x.device) != drawn:
            raise ValueError(_refusal(network, "draws random numbers", _drawing(network, part)))
    changed = [name for name, value in used.state().items() if not _same(value, state.get(name))]
    if changed:
        owner, names = changed[0].rpartition(".")[0], ", ".join(map(repr, changed[:3]))
        layer = _named(owner, used.module.get_submodule(owner)) if owner else None
        raise ValueError(_refusal(network, f"changes {names} whenever it is called", layer))
    if not _same(output, again):
        raise ValueError(_refusal(network, "gives other outputs once it has been called"))
    return seen


class _Trial:
    """A copy of a network, for any parameters and some of N samples; ``own`` (P,) are its own."""

    def __init__(self, network, samples):
        self.name, self.network, self.samples = repr(network), copy.copy(network), samples
        self.module = getattr(network, "template", None)
        if self.module is None:
            self.network = copy.deepcopy(network)
            self.own = 0.1 * _noise(torch.empty(network.count, dtype=torch.float64))
            return
        self.module = self.network.template = copied(self.module)
        held = dict(self.module.named_parameters())
        self.own = torch.cat([held[name].detach().flatten() for name in network.shapes])
        finite(self.own, f"the parameters of {self.name}", "it diverged; draw its weights anew")

    def __call__(self, params, x):
        """Outputs (n, C) of the samples ``x`` (n, …), checked; raises Misfit."""
        # PyTorch refuses to write to views of it: a module that changes its parameters is found.
        given = params.to(x.device).clone().requires_grad_()
        try:
            with torch.enable_grad():
                if type(self.network) is ModuleNetwork:  # its forward may keep the module as it was
                    values = functional_call(self.module, self.network.unpack(given), (x,))
                else:
                    values = self.network.forward(given, x)
        except Exception as error:  # whatever a module raises
            shape = (self.samples, *x.shape[1:])
            raise Misfit(
                f"inputs of shape {shape} for {self.name}: "
                f"it does not take them as {x.dtype} ({error})"
            ) from error
        return _checked(values, len(x), self.name)

    def state(self):
        """Buffers and frozen parameters by name, copied."""
        if self.module is None:
            return {}
        held = {**dict(self.module.named_buffers()), **dict(self.module.named_parameters())}
        kept = {name: value for name, value in held.items() if name not in self.network.shapes}
        return {name: value.detach().clone() for name, value in kept.items()}


def _first(trial, x):
    """The samples that a network is tried with, few, or all where few are refused; its outputs."""
    part = x[few(x)]
    try:
        return part, trial(trial.own, part)
    except Misfit as error:
        if len(part) == len(x) or error.__cause__ is None:
            raise
        return x, trial(trial.own, x)


def _checked(values, samples, name):
    """Outputs without their graph; Misfit where they are not (n, C) of float64, with a graph."""
    if not torch.is_tensor(values):
        raise Misfit(
            f"{name} gives a {type(values).__name__}: expected one tensor (N, C); "
            "let forward return that one alone"
        )
    if values.dim() != 2 or len(values) != samples or not values.numel():
        end = "; let forward end with .unsqueeze(1)" if values.shape == (samples,) else ""
        raise Misfit(
            f"{name} maps {samples} samples to {tuple(values.shape)}: expected (N, C), "
            f"here ({samples}, C){end}"
        )
    if values.dtype != torch.float64:
        raise Misfit(
            f"{name} gives {values.dtype}, with parameters and inputs of torch.float64: "
            "leave out what casts in forward, and make tensors there with dtype=x.dtype"
        )
    if not values.requires_grad:
        raise Misfit(
            f"{name}: its outputs have no derivative in its parameters; "
            "leave out detach and no_grad in forward"
        )
    return values.detach()


def _differ(output, trial, params, half):
    """Whether the first samples have other outputs alone than among all, ``output`` (n, C)."""
    if not len(half):
        return False
    try:
        return not _same(output[: len(half)], trial(params, half))
    except Misfit:
        return True


def _same(a, b):
    """Whether two tensors are equal to rounding, NaN to NaN."""
    if b is None or a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not a.is_floating_point() or not a.numel():
        return torch.equal(a, b)
    scale = float(a.abs().nan_to_num(0, 0, 0).max())
    return torch.allclose(a, b, rtol=0, atol=_ROUNDING * scale, equal_nan=True)


def _noise(like):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(like.shape, generator=draw, dtype=like.dtype).to(like.device)


def _sources(device):
    """What reads and what writes the state of PyTorch's, NumPy's, Python's, a GPU's generator."""
    yield torch.get_rng_state, torch.set_rng_state
    yield np.random.get_state, np.random.set_state
    yield random.getstate, random.setstate
    if device.type == "cuda":
        write = partial(torch.cuda.set_rng_state, device=device)
        yield partial(torch.cuda.get_rng_state, device), write


def _generators(device):
    """The states of all generators, to be compared."""
    states = [read() for read, _ in _sources(device)]
    return [state.tolist() if torch.is_tensor(state) else repr(state) for state in states]


@contextmanager
def generators_kept(device):
    """Leave the global generators of random numbers afterwards as they were."""
    before = [(write, read()) for read, write in _sources(device)]
    try:
        yield
    finally:
        for write, state in before:
            write(state)


def _drawing(network, x):
    """The first layer that draws random numbers, in words; None where it is none of the parts."""
    trial, states, found = _Trial(network, len(x)), {}, []

    def begin(part, _):
        states[part] = _generators(x.device)

    def end(part, *_):
        if states[part] != _generators(x.device):
            found.append(part)

    module = trial.module or torch.nn.Identity()
    names = {part: name for name, part in module.named_modules() if name}
    for part in names:
        part.register_forward_pre_hook(begin)
        part.register_forward_hook(end)
    trial(trial.own, x)
    return _named(names[found[0]], found[0]) if found else None


def _named(name, part):
    return f"layer {name!r} ({type(part).__name__})"


def _refusal(network, cause, layer=None):
    module = getattr(network, "template", None)
    training = module is not None and any(part.training for part in module.modules())
    return (
        f"{layer or repr(network)} is random or stateful{' in training' * training}, "
        "so descent is no map of the parameters: "
        f"remove {'it' if layer else 'what makes it so'}"
        f"{', or call module.eval() first' * training} (it {cause})"
    )
