"""The device a computation runs on."""

import torch

NAMES = ("auto", "cpu", "cuda")


def resolve(name="auto"):
    """Turn a device's name into a :class:`torch.device`.

    Parameters
    ----------
    name : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"`` and so on, or ``"auto"`` for the
        first GPU where there is one and the processor otherwise.

    Raises
    ------
    ValueError
        For a name that is no device, or a GPU that is not there.

    >>> resolve("cpu")
    device(type='cpu')
    """
    if isinstance(name, torch.device):
        name = str(name)
    present = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if present else "cpu")
    kind, _, index = str(name).partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise ValueError(f"unknown device {name!r}; known: {', '.join(NAMES)}, or cuda:INDEX")
    if kind == "cuda" and int(index or 0) >= present:
        raise ValueError(
            f"device {name!r} asks for GPU {int(index or 0)}, but PyTorch {torch.__version__} sees {present}: "
            "the machine has no such GPU, or this PyTorch was built without CUDA; use device='cpu' or 'auto'"
        )
    return torch.device(name)
