"""Directional derivatives of functions of tensors, by forward-mode differentiation."""

import warnings

from torch.func import jvp

# PyTorch 2.11 to 2.15 warn of their own use of TorchScript at the first
# forward-mode derivative in a process; nothing here can act on it.
warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=FutureWarning)
warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=DeprecationWarning)


def directional(function, point, direction):
    """Value and derivative along a direction: (f(x), d/ds f(x + s v) at s = 0), both shaped as f(x)."""
    return jvp(function, (point,), (direction,))
