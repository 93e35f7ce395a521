"""A Sphinx extension: this library's docstrings as pages.

Sphinx's own autodoc and napoleon do the work.  Added are what the docstrings
rely on: bars are absolute values, formulas in indented blocks keep their lines, an example after a
section does not belong to the section, names are looked up as Python would
where they stand, and long values of constants are left out.
"""

import importlib
import inspect
import re
from functools import cache

from sphinx import addnodes
from sphinx.ext.autodoc import DataDocumenter

#: Values of constants longer than this are not shown, in characters.
LONGEST_VALUE = 80


def _skip(app, what, name, member, skip, options):
    """Skip what a class of ours has from another library, as matplotlib gives each its ``set``."""
    ours = (getattr(member, "__module__", None) or "netdyn_lib").startswith("netdyn_lib")
    return None if ours or not callable(member) else True


def setup(app):
    """Load autodoc, autosummary and napoleon, and set their options."""
    for extension in ("autodoc", "autosummary", "napoleon"):
        app.setup_extension(f"sphinx.ext.{extension}")
    settings = {
        "add_module_names": False,
        "autodoc_member_order": "bysource",
        "autodoc_typehints": "none",
        "autodoc_use_type_comments": False,
        "autosummary_generate": False,
        "html_domain_indices": False,
        "napoleon_google_docstring": False,
        "napoleon_use_ivar": True,
        "napoleon_use_rtype": False,
        "toc_object_entries_show_parents": "hide",
    }
    for name, value in settings.items():
        app.config[name] = value
    app.add_autodocumenter(ShortData, override=True)
    # Before napoleon, which listens with priority 500.
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-read", _find)
    return {"parallel_read_safe": True, "version": "1"}


class ShortData(DataDocumenter):
    """Module constants: the value is shown where it fits a line."""

    priority = DataDocumenter.priority + 1

    def should_suppress_value_header(self):
        """Whether the value is left out."""
        return super().should_suppress_value_header() or len(repr(self.object)) > LONGEST_VALUE


def _process(app, what, name, obj, options, lines):
    lines[:] = arranged([plain_bars(line) for line in lines])


def plain_bars(line):
    """A line whose bars are absolute values, not substitutions of reStructuredText.

    >>> print(plain_bars("the norm |w| of ``a | b``"))
    the norm \\|w\\| of ``a | b``
    """
    if line.startswith((">>>", "...")):
        return line
    parts = line.split("``")
    return "``".join(part if k % 2 else part.replace("|", r"\|") for k, part in enumerate(parts))


def arranged(lines):
    """A docstring's lines, with ``::`` before indented blocks of its prose and a clear end of
    sections before examples.

    >>> arranged(["The map", "", "    W − ηH", "", "of a stack."])
    ['The map', '', '::', '', '    W − ηH', '', 'of a stack.']
    """
    result, in_section, in_block = [], False, False
    for k, line in enumerate(lines):
        blank = not line.strip()
        starts = k > 0 and not lines[k - 1].strip()
        if k + 1 < len(lines) and line.strip() and re.fullmatch(r"-{3,}", lines[k + 1].strip()):
            in_section = True
        if in_section and line.startswith(">>>") and starts:
            # Two blank lines end a numpy section.
            result.append("")
            in_section = False
        if not blank and not line.startswith(" "):
            in_block = False
        if (
            starts
            and line.startswith(" ")
            and not in_section
            and not in_block
            and not _belongs(result)
        ):
            result += ["::", ""]
            in_block = True
        result.append(line)
    return result


def _belongs(before):
    """Whether an indented line after these continues a list, an option, or a block that is literal
    already.
    """
    last = next((line for line in reversed(before) if line.strip()), "")
    return (
        last.startswith(" ")
        or last.endswith("::")
        or re.match(r"(\*|-|\d+\.|\.\.) ", last) is not None
    )


def _find(app, doctree):
    """Give every reference the full name of what it means; one that means nothing here is left as
    plain text.

    Sphinx would look for any object whose name ends alike, and find ``Fit`` of another module.
    """
    for node in list(doctree.findall(addnodes.pending_xref)):
        if node.get("refdomain") != "py":
            continue
        full = meaning(
            node.get("py:module") or "",
            node.get("py:class") or "",
            node["reftarget"],
            node["reftype"],
        )
        node["refspecific"] = False
        node["reftarget"] = full or node["reftarget"]
        if full is None:
            node.replace_self(node.children)


def meaning(module, owner, target, kind="obj"):
    """Full name of the object that ``target`` denotes in a module of this library; None if there is
    none.

    Parameters
    ----------
    module : str
        Where the reference stands.
    owner : str
        The class whose docstring it stands in, or empty.
    target : str
        As written: a plain name, or a dotted one.
    kind : str
        The role; ``class``, which types in docstrings have too, denotes only classes, and ``func``
        what can be called.
    """
    for start in (f"{module}.{owner}" if owner else "", module, ""):
        obj, home = _look_up(".".join(part for part in (start, target) if part))
        if (
            home is None
            or (kind == "class" and not inspect.isclass(obj))
            or (kind == "func" and not callable(obj))
        ):
            continue
        name = getattr(obj, "__qualname__", None)
        if inspect.ismodule(obj):
            return obj.__name__
        if name and getattr(obj, "__module__", "").startswith("netdyn_lib"):
            return f"{obj.__module__}.{name}"
        return home
    return None


@cache
def _look_up(full):
    """(object, the name under which it was found), or twice None."""
    parts = full.split(".")
    if parts[0] != "netdyn_lib" or not all(part.isidentifier() for part in parts):
        return None, None
    # The longest beginning that is a module: a package may pass on a function that is named as its
    # module.
    for k in range(len(parts), 0, -1):
        try:
            obj = importlib.import_module(".".join(parts[:k]))
        except ImportError:
            continue
        for part in parts[k:]:
            if not hasattr(obj, part):
                return None, None
            obj = getattr(obj, part)
        return obj, full
    return None, None
