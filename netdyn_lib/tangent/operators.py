"""The tangent map of any map, as the algorithms of this package see it.

An *advance* takes states (n, P) and frames (n, P, k) to the next states F(W),
(n, P), and the images of the frames J(W) V, (n, P, k), each trajectory by itself.
"""

import torch

from .perturbations import Rows, _takes_rows


def by_jacobian(function):
    """Advance of a map whose Jacobian is given: ``function`` takes W (n, P) to (F(W) (n, P), J(W) (n, P, P))."""

    def advance(params, frames):
        following, jacobian = function(params)
        return following, torch.bmm(jacobian, frames)

    advance.jacobian = function
    return advance


def by_product(product):
    """Advance of a map whose product (W, v) ↦ (F(W), J(W) v), rows (E, P), is given, as ``GradientDescent(…).product``."""
    takes_rows = _takes_rows(product)

    def advance(params, frames):
        n, size, k = frames.shape
        owner = torch.arange(n, device=params.device).repeat_interleave(k)  # (n k,)
        context = {"rows": Rows(owner, n)} if takes_rows else {}
        following, images = product(params[owner], frames.transpose(1, 2).reshape(n * k, size), **context)
        return following.view(n, k, size)[:, 0], images.view(n, k, size).transpose(1, 2)

    return advance
