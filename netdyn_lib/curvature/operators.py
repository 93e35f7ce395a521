"""Hessians and tangent maps as linear operators, for algorithms that see no more than products.

    H = operators.of_loss(model, loss_fn, batch)  # loss_fn(model, batch) -> scalar
    scipy.sparse.linalg.eigsh(H, k=3, which="LA")
    lanczos.leading(H, H.size, 3).pairs
    layer = operators.of_loss(model, loss_fn, batch, parameters="encoder.*")

An :class:`Operator` is a SciPy ``LinearOperator`` of arrays and a plain function of tensors.
:func:`of_task` makes one of a task's training loss, :func:`of_loss` of any model on one batch,
:func:`tangent_map` of a map at one state.
"""

import contextlib
import random
import sys
import warnings
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn
from torch.func import functional_call, vjp
from torch.utils._pytree import tree_map

from ..lyapunov.tangent_maps import by_derivative
from ..tasks import derivatives
from ..tasks.tasks import Task
from ..training.gradient_descent import GradientDescent
from ..validation import floats, whole
from .hessian import TrainingHessian

# Steps of central differences that a Hessian product is compared with, and the relative difference
# allowed.  In double precision no kink of a ReLU is crossed at the smallest; the largest are for a
# forward pass that computes a part of itself in single precision, as some normalisations do.
_DOUBLE = (1e-6, 1e-8, 1e-10, 1e-4, 1e-3), 1e-3
_SINGLE = (1e-2, 1e-3, 1e-4), 0.01

Product = Callable[[Tensor], Tensor]
#: Names of parameters with ``*`` for any text, one or several, or a predicate of a name.
Names = str | Iterable[str] | Callable[[str], bool] | None


class Operator(LinearOperator):
    """A real P × P matrix A, known by its products with vectors.

    ``operator @ x`` and SciPy's algorithms take arrays, ``operator(v)`` a tensor (P,) on any device
    and of any floating type, and returns one like it.

    Parameters
    ----------
    product : callable
        v ↦ A v, (P,) to (P,), of tensors like ``like``.
    like : torch.Tensor
        (P,), whose device and type products have.
    transposed : callable, optional
        v ↦ Aᵀ v; ``product`` itself where A is symmetric.
    """

    def __init__(self, product: Product, like: Tensor, transposed: Product | None = None):
        super().__init__(torch.empty(0, dtype=like.dtype).numpy().dtype, (len(like),) * 2)
        self.size, self._like = len(like), like.detach()
        self._product, self._transposed = product, transposed

    def __call__(self, v):
        if not torch.is_tensor(v):
            return super().__call__(v)
        return self._product(v.detach().to(self._like)).to(v)

    def _matvec(self, x):
        return self._numpy(self._product, x)

    def _rmatvec(self, x):
        if self._transposed is None:
            raise NotImplementedError("this operator has no products with its transpose")
        return self._numpy(self._transposed, x)

    def _numpy(self, product, x):
        return product(torch.as_tensor(np.ravel(x)).to(self._like)).cpu().numpy()


def product_of(operator: Callable | LinearOperator, size: int | None) -> tuple[Product, int]:
    """Return v ↦ A v of float64 tensors, and P, of an operator or of a function and its ``size``.

    Any SciPy ``LinearOperator`` of P × P will do; a function takes and returns tensors (P,).
    """
    if isinstance(operator, LinearOperator):
        rows, size = operator.shape
        if rows != size:
            raise ValueError(f"an operator of shape {operator.shape}: expected P × P")
        if not isinstance(operator, Operator):
            return lambda v: floats(operator.matvec(v.cpu().numpy())), size
    elif size is None:
        raise ValueError("size = None: a plain function needs the length P of its vectors")
    return lambda v: floats(operator(v), "cpu"), whole(size, "size", 1)


def of_task(
    task: Task, params: Tensor, parameters: Names = None, weight_decay: float | None = None
) -> Operator:
    """Return the Hessian of a task's training loss at one network ``params`` (P,).

    ``parameters`` leaves the rows and columns of some alone, by the names of the network's
    ``layout``: ``W1``, ``b1`` … of a perceptron, ``conv.weight`` … of a module.  ``weight_decay``
    is as for :class:`~netdyn_lib.curvature.hessian.TrainingHessian`.
    """
    params = floats(params, task.x.device)
    product = TrainingHessian(task, weight_decay=weight_decay).at(params)
    if parameters is None:
        return Operator(product, params, product)
    names = [name.partition("[")[0] for name in task.network.layout]
    kept = _chosen(names, parameters)
    index = torch.tensor([k for k, name in enumerate(names) if name in kept], device=params.device)

    def block(v):
        return product(torch.zeros_like(params).index_add_(0, index, v))[index]

    return Operator(block, params[index], block)


def of_loss(
    model: nn.Module,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    parameters: Names = None,
) -> Operator:
    """Return the Hessian of the loss of any model on one batch, at its present weights.

    Parameters
    ----------
    model : torch.nn.Module
        In the mode in which it is found; neither it nor any random numbers are changed.
    loss_fn : callable
        (model, batch) to a scalar tensor.
    batch : anything
        As ``loss_fn`` takes it.
    parameters : str, sequence of str, or callable, optional
        Those of ``model.named_parameters()`` that the loss is a function of, such as
        ``"encoder.*"``, or a predicate of the name; by default all that require a gradient.

    One forward pass serves all products: the operator holds its graph, and stays that of these
    weights when the model moves on.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    kept = _chosen(named, parameters)
    loss = BatchLoss(model, loss_fn, batch, [p for name, p in named.items() if name in kept])
    _, slope, product = loss.linearised()
    return Operator(product, slope, product)


def tangent_map(step: Callable[..., Tensor], state: Tensor) -> Operator:
    """Return the Jacobian (P, P) of a map at one ``state`` (P,).

    ``step`` is a :class:`~netdyn_lib.training.gradient_descent.GradientDescent` or an
    :class:`~netdyn_lib.training.optimizers.Optimizer`, whose products are checked, or a
    differentiable function that takes rows (E, P) to (E, P), each by itself.  Products with the
    transpose, which singular values need, are there for descent and for functions.
    """
    state = floats(state)
    along = getattr(step, "product", None) or by_derivative(step)

    def product(v):
        return along(state[None], v[None])[1][0]

    if isinstance(step, GradientDescent):  # symmetric: I − ηH
        return Operator(product, state, product)
    if hasattr(step, "product"):
        return Operator(product, state)
    pull = vjp(lambda w: step(w[None])[0], state)[1]
    return Operator(product, state, lambda v: pull(v)[0])


def _chosen(names, wanted):
    """Return the set of those of ``names`` that are wanted."""
    if wanted is None:
        return set(names)
    patterns = [wanted] if isinstance(wanted, str) else wanted
    matches = lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)
    found = set(filter(wanted if callable(wanted) else matches, names))
    if not found:
        known = ", ".join(dict.fromkeys(names))
        raise ValueError(f"parameters = {wanted!r} choose none of {known}")
    return found


class BatchLoss(nn.Module):
    """The loss of a model on one batch as a function of some of its weights, as one vector.

    At construction a Hessian product by double backward is compared with central differences of the
    gradient.  Where it is wrong or missing, products are central differences, and a warning says
    so.  Weights, gradients, buffers and the random numbers of PyTorch, NumPy and Python are
    afterwards what they were; dropout draws the same masks every time.

    Parameters
    ----------
    model, loss_fn, batch
        As for :func:`of_loss`.
    trained : list of torch.nn.Parameter
        The weights, in the order in which they make up the vector w (P,).
    """

    def __init__(self, model, loss_fn, batch, trained):
        super().__init__()
        self.model, self._loss_fn, self._batch, self._trained = model, loss_fn, batch, trained
        own = set(map(id, self.parameters()))
        odd = [tuple(p.shape) for p in trained if id(p) not in own or p.is_complex()]
        if odd or not trained:
            raise ValueError(
                f"{len(trained)} tensors are to be moved, of which those of shapes {odd} are no "
                "real parameters of the model: give as model a module that holds all of them"
            )
        self._sizes = [p.numel() for p in trained]
        with aside():
            self._twice = self._checked()

    def forward(self, run):
        """Return ``run()``, called while the module's weights are those that were lent to it."""
        return run()

    def holds(self, trained) -> bool:
        """Return whether these tensors are its weights."""
        return list(map(id, trained)) == list(map(id, self._trained))

    def linearised(self) -> tuple[float, Tensor, Product]:
        """Return the loss, its gradient (P,) and v ↦ Hv, (P,) to (P,), at the present weights."""
        with aside():
            if self._twice:
                loss, slope, product = self._at(self._weights(_single), _single)
                return float(loss), slope.detach(), product
            w = self._weights(_doubled)
            loss, slope, _ = self._at(w, _doubled, graph=False)
        differences = aside()(derivatives.central(self._gradient(_doubled)))
        return float(loss), slope, lambda v: differences(w, v.to(w))[1]

    def _weights(self, cast):
        """Return the present weights (P,), ``cast``."""
        first = self._trained[0]
        return torch.cat([cast(p.detach()).flatten().to(first.device) for p in self._trained])

    def _gradient(self, cast):
        return lambda w: self._at(w, cast, graph=False)[1]

    def _at(self, w, cast, graph=True):
        """Return loss, gradient and v ↦ Hv at w (P,), with all numbers ``cast``.

        Without a ``graph`` there are no products.
        """
        w = w.detach().requires_grad_()
        held = self._held(w, cast)
        batch = tree_map(cast, self._batch)

        def lent(run):
            # Backward too: a checkpoint runs its part of the forward pass again there.
            with derivatives.twice_differentiable():
                return functional_call(self, held, (run,), tie_weights=False)

        def first():
            _seed()
            loss = self._loss_fn(self.model, batch)
            if not torch.is_tensor(loss) or not loss.requires_grad:
                given = "a tensor without a graph" if torch.is_tensor(loss) else repr(loss)
                raise ValueError(
                    f"loss_fn gave {given}: expected a scalar tensor that depends on the weights; "
                    "leave out .item(), float(), detach and no_grad"
                )
            if loss.dim():
                raise ValueError(f"loss_fn gave shape {tuple(loss.shape)}: expected a scalar")
            options = dict(create_graph=graph, materialize_grads=True)
            return loss.detach(), torch.autograd.grad(loss, w, **options)[0]

        loss, slope = lent(first)

        def product(v):  # one forward pass is enough for all of them
            if not slope.requires_grad:  # the loss is linear
                return torch.zeros_like(w)
            options = dict(retain_graph=True, materialize_grads=True)
            return lent(lambda: torch.autograd.grad(slope, w, v.to(w), **options)[0]).detach()

        return loss, slope, product

    def _held(self, w, cast):
        """Return the tensors to lend by name, those of w (P,) among them.

        By the name of each module's own, and each module once: of one that stands in the model
        twice, functional_call would not give back the weights (PyTorch 2.15).
        """
        parts = {id(p): part for p, part in zip(self._trained, w.split(self._sizes))}
        made, held = {}, {}
        for place, module in self.named_modules():
            every = dict(recurse=False, remove_duplicate=False)
            own = *module.named_parameters(place, **every), *module.named_buffers(place, **every)
            for name, t in own:
                if id(t) in parts:
                    made[id(t)] = parts[id(t)].view(t.shape).to(cast(torch.empty(0).to(t)))
                elif id(t) not in made:
                    # The forward pass writes into buffers, an optimizer into other weights.
                    moves = t.requires_grad or not isinstance(t, nn.Parameter)
                    made[id(t)] = cast(t.detach().clone() if moves else t.detach())
                held[name] = made[id(t)]
        return held

    def _checked(self):
        """Whether products by double backward are right; warn where they are not."""
        (steps, tolerance), cast = _DOUBLE, _doubled
        try:
            slope = self._gradient(cast)(self._weights(cast))
        except RuntimeError:  # the forward pass insists on single precision
            (steps, tolerance), cast = _SINGLE, _single
            slope = self._gradient(cast)(self._weights(cast))
        if not slope.isfinite().all():
            raise FloatingPointError("the gradient of the loss on the batch is not finite")
        vector = torch.from_numpy(np.random.default_rng(0).standard_normal(len(slope))).to(slope)
        # The row of an embedding's padding gets no gradient, as if it were frozen.
        padded = {
            id(m.weight): m.padding_idx for m in self.modules() if isinstance(m, nn.Embedding)
        }
        for p, part in zip(self._trained, vector.split(self._sizes)):
            if padded.get(id(p)) is not None:
                part.view(p.shape)[padded[id(p)]] = 0
        less = 1e-6 * slope.norm()  # what rounding of the gradient leaves where nothing bends
        gradient, w = self._gradient(cast), self._weights(cast)
        differences = lambda step: derivatives.central(gradient, step)(w, vector)[1]
        near = lambda a, b: derivatives.near(a, b, self._sizes, less, tolerance)
        try:
            curved = self._at(w, cast)[2](vector)
            reason = "differs from central differences of the gradient"
            if any(near(curved, differences(step)) for step in steps):
                return True
        except RuntimeError as error:
            reason = f"fails ({error})"
        if not (cast is _doubled and near(differences(steps[0]), differences(steps[1]))):
            raise ValueError(
                f"no Hessian product of this loss is right: double backward {reason}, and these "
                "are no derivative: is the loss in low precision, or not a function of the weights?"
            )
        warnings.warn(
            f"double backward of this model {reason}: products are central differences in double "
            "precision, two gradients and more for each",
            stacklevel=4,
        )
        return False


def _single(x):
    """Half precision to float32; all else as it is."""
    return x.float() if torch.is_tensor(x) and x.dtype in (torch.float16, torch.bfloat16) else x


def _doubled(x):
    return x.double() if torch.is_tensor(x) and x.is_floating_point() else x


@contextlib.contextmanager
def aside():
    """Whatever runs within leaves random numbers as they were, and nothing is compiled."""
    state = random_state()
    # What is compiled has no second derivative.  Only what has loaded the compiler, which takes
    # seconds, can be compiled.
    compiles = "torch._dynamo" in sys.modules
    try:
        with torch.compiler.set_stance("force_eager") if compiles else contextlib.nullcontext():
            yield
    finally:
        set_random_state(state)


def _generators():
    return torch.default_generator, *torch.cuda.default_generators


def random_state() -> tuple:
    """Return the state of the random numbers of PyTorch on all devices, NumPy and Python."""
    states = [generator.get_state() for generator in _generators()]
    return states, np.random.get_state(), random.getstate()


def set_random_state(state: tuple) -> None:
    """Set the random numbers to a :func:`random_state`."""
    for generator, own in zip(_generators(), state[0]):
        generator.set_state(own)
    np.random.set_state(state[1])
    random.setstate(state[2])


def _seed():
    for generator in _generators():
        generator.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
