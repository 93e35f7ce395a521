"""Where numbers come from: machine, commit, code, and the published file that they were read from.

What a computation ran on is kept with published numbers; nothing of it names a computer, a person
or a folder.

Which code a chapter comes from: the modules it imports, and a hash of what each does, which
stays when a docstring, a comment or the layout changes.  Imports are found by reading, not by
running: ``import``, ``from … import …`` wherever they stand, relative imports, and attributes of an
imported package that are its submodules (the library loads those when they are first used).  A
module whose name is only known when the program runs, as in ``import_module(name)``, is not seen.

A dataset that was read from the published results says so among its attributes.  What is made of it
does not, so a notebook names the data that a figure or a claim rests on.
"""

import ast
import functools
import hashlib
import json
import os
import platform
import re
import subprocess
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import xarray as xr


def describe(device="cpu"):
    """Return what decides the last bits of a result, as a dict for JSON.

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
    allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    system = " ".join(filter(None, (platform.system(), platform.machine(), *platform.libc_ver())))
    about = dict(python=platform.python_version(), platform=system, processor=_processor())
    about |= dict(cores=len(allowed), numpy=_version("numpy"), scipy=_version("scipy"))
    about |= dict(torch=None, threads=None, cpu_capability=None, device="cpu", cuda=None)
    try:
        import torch
    except ImportError:
        if str(device) != "cpu":
            what = f"device {str(device)!r}: PyTorch is not installed"
            raise ValueError(f"{what}, so only 'cpu' is there") from None
        return about
    about["torch"], about["threads"] = str(torch.__version__), torch.get_num_threads()
    about["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    try:
        about["device"] = torch.device(device).type
        if about["device"] == "cuda":
            about["device"] = torch.cuda.get_device_name(device)
            about["cuda"] = torch.version.cuda
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"device {str(device)!r}: {str(error).splitlines()[0]}") from None
    return about


def commit(folder=None):
    """Return the commit of the checkout that the library lies in.

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
        what = f"NETDYN_COMMIT = {given!r}: must be a commit"
        raise ValueError(f"{what}: letters, digits, '.', '_', '-', at most 60")
    return given or "unknown"


def _git(folder, *words):
    """Return what git says, "" where it fails or is not installed."""
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


LIBRARY = Path(__file__).resolve().parents[1]


def imported(source, package=LIBRARY):
    """Return the files of the package that a piece of source outside it imports, directly or not.

    Parameters
    ----------
    source : str
        Python source, such as a notebook's.
    package : path-like
        The package's folder; its name is the package's name.

    Returns
    -------
    list of pathlib.Path
        Sorted; with each submodule comes the ``__init__`` of every package it
        lies in, because importing it runs them.

    Raises
    ------
    SyntaxError
        When the source, or a file it leads to, is not Python.
    """
    files = _files(Path(package))
    wanted = _reached(_uses(ast.parse(source, "the notebook"), "", files), files)
    return sorted(files[module] for module in wanted)


def behind(source, package=LIBRARY):
    """Return what each module that a piece of source imports does: a sorted dict, module → 12
    hexadecimal digits.

    They are a hash of its syntax tree without comments, positions and statements that are only
    text, such as docstrings; the same under every version of Python.  Parameters and what is raised
    are those of :func:`imported`.  The ``__init__`` of the package itself is left out: it names
    every module, and so changes with each that is added.
    """
    package, found = Path(package), {}
    for path in imported(source, package):
        module = ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        if module != "__init__":
            stat = path.stat()
            found[module] = _hash(path, stat.st_mtime_ns, stat.st_size)
    return dict(sorted(found.items()))


# several chapters import the same; the stamp of the file says whether it has changed
@functools.lru_cache(1000)
def _hash(path, *_stamp):
    return hashlib.sha256(json.dumps(_plain(_parsed(path))).encode()).hexdigest()[:12]


def _files(package):
    package, files = Path(package), {}
    for path in package.rglob("*.py"):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        files[".".join(parts)] = path
    return files


def _parsed(path):
    return ast.parse(path.read_bytes(), str(path))  # what is no text is a SyntaxError, too


def _reached(start, files):
    wanted, queue = set(), set(start)
    while queue:
        module = queue.pop()
        if module in wanted:
            continue
        wanted.add(module)
        here = module if files[module].name == "__init__.py" else module.rpartition(".")[0]
        queue |= _uses(_parsed(files[module]), here, files)
    return wanted


def _uses(tree, here, files):
    """Modules of the package that a syntax tree names; ``here`` is the package it lies in."""
    used, bound = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                used |= _with_parents(alias.name, files)
                local = alias.asname or alias.name.partition(".")[0]
                bound[local] = alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, here)
            used |= _with_parents(base, files)
            for alias in node.names:
                used |= _with_parents(f"{base}.{alias.name}", files)
                bound[alias.asname or alias.name] = f"{base}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            used |= _with_parents(_dotted(node, bound), files)
    return used


def _base(node, here):
    if not node.level:
        return node.module or ""
    parts = here.split(".")
    parts = parts[: max(0, len(parts) - node.level + 1)]
    return ".".join([*parts, node.module] if node.module else parts)


def _with_parents(name, files):
    """``name`` and the packages it lies in, as far as they are modules of ours."""
    if name not in files:
        return set()
    parts = name.split(".")
    return {".".join(parts[:k]) for k in range(1, len(parts) + 1)}


def _dotted(node, bound):
    words = []
    while isinstance(node, ast.Attribute):
        words.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in bound:
        return ""
    return ".".join([bound[node.id], *reversed(words)])


def _plain(part):
    """A syntax tree as nested lists of text."""
    if isinstance(part, ast.JoinedStr):
        # Python 3.12 alone ends some formats in an empty text.
        kept = (_plain(item) for item in part.values if not _is_text(item) or item.value)
        return ["JoinedStr", *kept]
    if isinstance(part, ast.AST):
        fields = [[name, _plain(value)] for name, value in ast.iter_fields(part) if name != "kind"]
        # Newer versions of Python have more fields, which are empty in what older ones can read.
        return [type(part).__name__, *(field for field in fields if field[1] not in (None, []))]
    if isinstance(part, list):
        text = [isinstance(item, ast.Expr) and _is_text(item.value) for item in part]
        return [_plain(item) for item, skip in zip(part, text) if not skip]
    # ascii: which characters repr spells out depends on the version of Unicode.
    return None if part is None else ascii(part)


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


#: The source of what a run computed itself.
HERE = "computed here"
#: Under which a figure hands its sources to a notebook.
MIME = "application/vnd.netdyn.sources+json"
_ATTRIBUTE = "published_in"


def published_in(data, path):
    """Return data that say that they were read from ``path``, by its place below the last folder
    ``results`` in it.

    ``data`` are an xarray.Dataset, or a dataclass with a field ``published_in`` such as
    :class:`netdyn_lib.experiments.benchmarks.Results`.
    """
    parts = path.parts
    first = len(parts) - parts[::-1].index("results") if "results" in parts else -2
    told = {_ATTRIBUTE: "/".join(parts[first:])}
    return data.assign_attrs(told) if isinstance(data, xr.Dataset) else replace(data, **told)


def of(*data):
    """Return the sources of some data, in order of appearance and each once.

    Parameters
    ----------
    data : xarray.Dataset, netdyn_lib.experiments.learning_rate_sweep.results.Result,
    netdyn_lib.experiments.benchmarks.Results, dict, list or tuple of such, or None
        None, as of a result that is missing, has no source.

    Returns
    -------
    tuple of str
        :data:`HERE`, or a file as ``"arms/usps.npz"``, within ``book/results``.  :data:`HERE`
        where there are no data.

    Raises
    ------
    TypeError
        For anything else, which cannot say where it comes from.
    """
    return tuple(dict.fromkeys(_each(data))) or (HERE,)


def _each(data):
    if data is None:
        return
    if isinstance(data, xr.Dataset):
        yield data.attrs.get(_ATTRIBUTE, HERE)
    elif isinstance(data, dict | list | tuple):
        for one in data.values() if isinstance(data, dict) else data:
            yield from _each(one)
    elif hasattr(data, "origin") and hasattr(data, "data"):
        yield from _each(data.data)
    elif hasattr(data, _ATTRIBUTE):
        yield getattr(data, _ATTRIBUTE) or HERE
    else:
        what = f"{type(data).__name__} does not say where its numbers come from"
        raise TypeError(f"{what}: give the datasets that it was made of")


def shown(figure, *data):
    """Let a figure say that it shows ``data``, as in :func:`of`; return the figure.

    One that says nothing shows what was computed here.
    """
    figure.netdyn_sources = of(*data)
    return figure


def of_figure(figure):
    """Return what :func:`shown` said of a figure."""
    return getattr(figure, "netdyn_sources", (HERE,))


def in_words(found):
    """Return sources as words, one after another.

    >>> in_words(("computed here", "arms/usps.npz"))
    'computed here; stored in arms/usps.npz'
    """
    return "; ".join(source if source == HERE else f"stored in {source}" for source in found)
