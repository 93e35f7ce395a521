"""Which modules of a package a piece of source depends on.

Found by reading, not by running: ``import``, ``from … import …``, relative
imports, and attributes of an imported package that are its submodules (the
library loads those when they are first used).  A module whose name is only
known when the program runs, as in ``import_module(name)``, is not seen.
"""

import ast
from pathlib import Path


def closure(source, package):
    """Files of ``package`` that ``source`` imports, directly or not.

    Parameters
    ----------
    source : str
        Python source that lies outside the package, such as a notebook's.
    package : path-like
        Folder of the package; its name is the package's name.

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
    package = Path(package)
    files = _modules(package)
    wanted, queue = set(), _uses(ast.parse(source, "the notebook"), "", files)
    while queue:
        module = queue.pop()
        if module in wanted:
            continue
        wanted.add(module)
        path = files[module]
        here = module if path.name == "__init__.py" else module.rpartition(".")[0]
        queue |= _uses(ast.parse(path.read_text(encoding="utf-8"), str(path)), here, files)
    return sorted(files[module] for module in wanted)


def _modules(package):
    files = {}
    for path in package.rglob("*.py"):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        files[".".join(parts)] = path
    return files


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
    parts = parts[: len(parts) - node.level + 1]
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
