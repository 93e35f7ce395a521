"""A device that is not there: find tensors made in the wrong place without a GPU.

Within ``pretend()`` PyTorch's device ``meta``, which computes shapes and no numbers, has numbers.
A tensor on it holds another on the processor; what is computed of it is computed of that one, and
is on ``meta`` again.  So reads answer with the true values, runs take their true branches, and
results can be held against the processor's.  An operation that mixes ``meta`` with the processor
fails as it does on CUDA, which allows it for numbers (tensors of no dimension), for copies and for
indices that are on the processor.

    with pretend():
        task = tasks.get("iris").to("meta")
        record = gradient_descent.run(GradientDescent(task, 1.0), task.initial(2, device="meta"), 3)

What it cannot see: kernels that CUDA lacks, order of sums, memory, speed, streams; what is asked of
``cuda`` by name, as free memory and generators are.  Threads are followed where they come from
:func:`netdyn_lib.torch_utils.pool`, whose work is done in the caller's thread here.
"""

from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

from netdyn_lib import torch_utils
from netdyn_lib.experiments import campaign
from netdyn_lib.tasks import tasks

HERE, THERE = torch.device("cpu"), torch.device("meta")
aten = torch.ops.aten
#: Between devices on purpose.
COPIES = {aten._to_copy.default, aten.copy_.default, aten.copy.default}
#: Indices may lie on the processor.
INDEXED = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default}
INDEXED |= {aten._index_put_impl_.default, aten._unsafe_index.Tensor}


class There(torch.Tensor):
    """A tensor on ``meta`` whose numbers are those of ``real``, on the processor."""

    @staticmethod
    def __new__(cls, real):
        about = dict(strides=real.stride(), storage_offset=real.storage_offset())
        return torch.Tensor._make_wrapper_subclass(
            cls, real.shape, dtype=real.dtype, device=THERE, requires_grad=False, **about
        )

    def __init__(self, real):
        self.real_one = real

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _dispatch(func, args, kwargs or {})


def _dispatch(func, args, kwargs):
    if func is aten._efficientzerotensor.default:  # PyTorch would ask `meta` for its products
        func = aten.zeros.default
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    there = [isinstance(one, There) for one in tensors]
    if any(not inside and one.device == THERE for inside, one in zip(there, tensors)):
        raise RuntimeError(f"{func}: a tensor on meta that was made without numbers")
    asked = kwargs.get("device")
    if not any(there) and asked != THERE:
        return func(*args, **kwargs)
    stray = [one for inside, one in zip(there, tensors) if not inside and one.dim()]
    if func in INDEXED and there[0]:
        stray = [one for one in args[2:] if isinstance(one, torch.Tensor) and one.dim()]
        stray = [one for one in stray if not isinstance(one, There)]
    if stray and any(there) and func not in COPIES:
        shapes = [tuple(one.shape) for one in tensors]
        raise RuntimeError(f"{func}: tensors on meta and on the processor are mixed: {shapes}")
    inner = tree_map(lambda one: one.real_one if isinstance(one, There) else one, (args, kwargs))
    if asked == THERE:
        inner[1]["device"] = HERE
    out = func(*inner[0], **inner[1])
    if func is aten._to_copy.default and out is inner[0][0]:
        out = out.clone()
    if asked == HERE or (func in COPIES and not isinstance(args[0], There) and asked is None):
        return out if func is not aten.copy_.default else args[0]
    wrapped = tree_map(lambda one: There(one) if isinstance(one, torch.Tensor) else one, out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


class _Numbers(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _dispatch(func, args, kwargs or {})


class _Made(TorchFunctionMode):
    """Tensors of data, which PyTorch makes on ``meta`` without numbers."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        named = kwargs.get("device")
        if func in (torch.tensor, torch.as_tensor) and named and torch.device(named) == THERE:
            return func(*args, **kwargs | {"device": HERE}).to(THERE)
        if func is torch.Tensor.new_tensor and isinstance(args[0], There):
            return torch.tensor(args[1], dtype=args[0].dtype).to(THERE)
        if func is torch.Tensor.tolist:  # which PyTorch refuses to subclasses
            return args[0].cpu().tolist()
        return func(*args, **kwargs)


class _Caller(Executor):
    """An executor whose work is done at once, by who asks for it."""

    def __init__(self, *_):
        pass

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        future.set_result(function(*args, **kwargs))
        return future

    def map(self, function, *rows, **_):
        return map(function, *rows)


@contextmanager
def pretend():
    """Let ``meta`` be a device with numbers, which the library takes by name."""
    real = torch_utils.resolve

    def resolve(name="auto"):
        return THERE if str(name) == "meta" else real(name)

    with ExitStack() as stack:
        for module in (torch_utils, tasks, campaign):
            stack.enter_context(mock.patch.object(module, "resolve", resolve))
        stack.enter_context(mock.patch.object(torch_utils, "ThreadPoolExecutor", _Caller))
        stack.enter_context(_Made())
        stack.enter_context(_Numbers())
        yield
