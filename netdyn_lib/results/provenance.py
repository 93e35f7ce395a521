"""What a computation ran on, and at which commit: kept with published numbers.

Nothing here names a computer, a person or a folder.
"""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path


def describe(device="cpu"):
    """What decides the last bits of a result, as a dict for JSON.

    Parameters
    ----------
    device : str or torch.device
        Where the computation runs: ``"cpu"``, ``"cuda"``, ``"cuda:1"``.

    Returns
    -------
    dict
        ``python``, ``platform`` (system, architecture, C library), ``processor``
        (model name), ``cores`` (int, those this process may use), ``numpy``,
        ``scipy``, ``torch`` (versions), ``threads`` (int, PyTorch's),
        ``cpu_capability`` (the vector instructions PyTorch uses), ``device`` (the
        name of the GPU, or ``"cpu"``), ``cuda`` (the version PyTorch was built
        with, for a GPU).  None for what is not there; without PyTorch, all of its.

    Raises
    ------
    ValueError
        For a device that is none, or that this machine and PyTorch do not have.
    """
    about = {
        "python": platform.python_version(),
        "platform": " ".join(
            filter(None, (platform.system(), platform.machine(), *platform.libc_ver()))
        ),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "numpy": _version("numpy"),
        "scipy": _version("scipy"),
        "torch": None,
        "threads": None,
        "cpu_capability": None,
        "device": "cpu",
        "cuda": None,
    }
    try:
        import torch
    except ImportError:
        if str(device) != "cpu":
            raise ValueError(
                f"device {str(device)!r}: PyTorch is not installed, so only 'cpu' is there"
            ) from None
        return about
    about["torch"] = str(torch.__version__)
    about["threads"] = torch.get_num_threads()
    about["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    try:
        kind = torch.device(device).type
        if kind == "cuda":
            about["device"] = torch.cuda.get_device_name(device)
            about["cuda"] = torch.version.cuda
        else:
            about["device"] = kind
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"device {str(device)!r}: {str(error).splitlines()[0]}") from None
    return about


def commit(folder=None):
    """The commit of the checkout that the library lies in.

    Twelve hexadecimal digits, with ``-dirty`` where files that git tracks differ
    from it.  Where the library is no tracked part of a checkout, as on a machine
    that was handed only the files, the environment's ``NETDYN_COMMIT``, and
    ``"unknown"`` where that is not set either.

    Parameters
    ----------
    folder : path-like, optional
        The package's folder; this library's by default.

    Raises
    ------
    ValueError
        Where ``NETDYN_COMMIT`` is used and is not 1 to 60 letters, digits, ``.``,
        ``_`` or ``-``.
    """
    folder = Path(__file__).resolve().parents[1] if folder is None else Path(folder)
    # A library installed into somebody's own checkout lies in it and is no part of it.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py"):
        head = _git(folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
        if head:
            return head
    given = os.environ.get("NETDYN_COMMIT", "")
    if given and not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", given):
        raise ValueError(
            f"NETDYN_COMMIT = {given!r}: must be a commit: letters, digits, '.', '_', '-', at most 60"
        )
    return given or "unknown"


def _git(folder, *words):
    """What git says, "" where it fails or is not installed."""
    # Inside a git hook, variables point at the hook's repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, env=environment, capture_output=True, text=True
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or None


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
