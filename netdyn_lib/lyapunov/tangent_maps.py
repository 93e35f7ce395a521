"""The tangent map of any map, as the algorithms of this package see it.

An *advance* takes states (n, P) and frames (n, P, k) to the next states F(W),
(n, P), and the images of the frames J(W) V, (n, P, k), each trajectory by itself.
Where the map may differ between initial conditions, as in their learning rates,
it has a keyword ``rows``, a :class:`~netdyn_lib.lyapunov.Rows`, which says which
of them it is given; without it, they are all of them, in order.
"""

import torch

from .tangent_vectors import Rows, by_derivative, sees_rows


def by_jacobian(function):
    """Advance of a map whose Jacobian is given: ``function`` takes W (n, P) to (F(W) (n, P), J(W)
    (n, P, P)).

    It may have a keyword ``rows``.  The advance keeps it as its attribute ``jacobian``.
    """

    def images(params, frames, **context):
        following, jacobian = function(params, **context)
        return following, torch.bmm(jacobian, frames)

    advance = _with_rows(images, sees_rows(function))
    advance.jacobian = function
    return advance


def by_product(product):
    """Advance of a map whose product (W, v) ↦ (F(W), J(W) v), rows (E, P), is given, as
    ``GradientDescent(…).product``.

    It may have a keyword ``rows``, as for :func:`netdyn_lib.lyapunov.growth`.
    """
    takes_rows = sees_rows(product)

    def images(params, frames, rows=None):
        n, size, k = frames.shape
        owner = torch.arange(n, device=params.device).repeat_interleave(k)  # (n k,)
        context = {}
        if takes_rows:
            context["rows"] = (
                Rows(owner, n) if rows is None else Rows(rows.index[owner], rows.count)
            )
        following, moved = product(
            params[owner], frames.transpose(1, 2).reshape(n * k, size), **context
        )
        return following.view(n, k, size)[:, 0], moved.view(n, k, size).transpose(1, 2)

    return _with_rows(images, takes_rows)


def _with_rows(images, takes_rows):
    """``images`` as an advance that shows by its signature whether it takes ``rows``: who has none
    may need all rows together.
    """
    if takes_rows:
        return lambda params, frames, rows=None: images(params, frames, rows=rows)
    return lambda params, frames: images(params, frames)


def of_map(step):
    """Advance of any differentiable map, (E, P) to (E, P), each row by itself, by forward-mode
    differentiation.

    ``step`` may have a keyword ``rows``, as for :func:`netdyn_lib.lyapunov.by_derivative`.
    """
    product = by_derivative(step)
    return by_product(
        product if sees_rows(step) else lambda params, vectors: product(params, vectors)
    )
