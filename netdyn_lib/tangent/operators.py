"""The tangent map of any map, as the algorithms of this package see it.

An *advance* takes states (n, P) and frames (n, P, k) to the next states F(W),
(n, P), and the images of the frames J(W) V, (n, P, k), each trajectory by itself.
Where the map may differ between initial conditions, as in their learning rates,
it has a keyword ``rows``, a :class:`~netdyn_lib.tangent.Rows`, which says which
of them it is given; without it, they are all of them, in order.
"""

import torch

from ..closed_form import OneHiddenLayerHessian, suits
from .perturbations import Rows, sees_rows, by_derivative

_DENSE = 400  # parameters up to which a Jacobian is formed whole


def by_jacobian(function):
    """Advance of a map whose Jacobian is given: ``function`` takes W (n, P) to (F(W) (n, P), J(W) (n, P, P)).

    It may have a keyword ``rows``.  The advance keeps it as its attribute ``jacobian``.
    """

    def images(params, frames, **context):
        following, jacobian = function(params, **context)
        return following, torch.bmm(jacobian, frames)

    advance = _with_rows(images, sees_rows(function))
    advance.jacobian = function
    return advance


def by_product(product):
    """Advance of a map whose product (W, v) ↦ (F(W), J(W) v), rows (E, P), is given, as ``GradientDescent(…).product``.

    It may have a keyword ``rows``, as for :func:`netdyn_lib.tangent.growth`.
    """
    takes_rows = sees_rows(product)

    def images(params, frames, rows=None):
        n, size, k = frames.shape
        owner = torch.arange(n, device=params.device).repeat_interleave(k)  # (n k,)
        context = {}
        if takes_rows:
            context["rows"] = Rows(owner, n) if rows is None else Rows(rows.index[owner], rows.count)
        following, moved = product(params[owner], frames.transpose(1, 2).reshape(n * k, size), **context)
        return following.view(n, k, size)[:, 0], moved.view(n, k, size).transpose(1, 2)

    return _with_rows(images, takes_rows)


def _with_rows(images, takes_rows):
    """``images`` as an advance that shows by its signature whether it takes ``rows``: who has none may need all rows together."""
    if takes_rows:
        return lambda params, frames, rows=None: images(params, frames, rows=rows)
    return lambda params, frames: images(params, frames)


def of_map(step):
    """Advance of any differentiable map, (E, P) to (E, P), each row by itself, by forward-mode differentiation.

    ``step`` may have a keyword ``rows``, as for :func:`netdyn_lib.tangent.by_derivative`.
    """
    product = by_derivative(step)
    return by_product(product if sees_rows(step) else lambda params, vectors: product(params, vectors))


def of_descent(descent, closed=None):
    """Advance of full-batch gradient descent, J(W) = I − η (H(W) + λI), each initial condition at its own η.

    The Jacobian of a perceptron with one hidden layer and at most 400
    parameters is formed whole, in closed form
    (:class:`~netdyn_lib.closed_form.OneHiddenLayerHessian`, also for what holds at a
    ReLU's kink), and the advance's attribute ``jacobian`` takes W (n, P) to
    (F(W), J(W)), (n, P) and (n, P, P).  Any other network goes by Hessian–vector products.

    Parameters
    ----------
    descent : GradientDescent
        With its weight decay λ and its learning rates.
    closed : bool, optional
        Form the Jacobian whole, or go by products; as said above where not given.

    Raises
    ------
    ValueError
        For ``closed=True`` and a network that has no closed form here.  The
        advance itself: where learning rates and initial conditions differ in number.
    """
    task = descent.task
    if closed is None:
        closed = suits(task) and task.network.count <= _DENSE
    if not closed:
        return by_product(descent.product)
    hessians = OneHiddenLayerHessian(task)

    def function(params, rows=None):
        n = len(params) if rows is None else rows.count
        rates = descent.rates(n, params.device)
        rates = rates if rows is None else rates[rows.index]
        gradient, jacobian = hessians(params)
        following = params - rates[:, None] * (gradient + descent.weight_decay * params)
        jacobian.mul_(-rates[:, None, None])
        jacobian.diagonal(dim1=1, dim2=2).add_(1 - rates[:, None] * descent.weight_decay)
        return following, jacobian

    return by_jacobian(function)
