"""Where a reader can run a chapter without installing anything: addresses made from the repository
in ``_config.yml``.
"""

import re
from urllib.parse import quote

import nbformat

_GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?$")


def repository(config):
    """(owner, name, branch) of the repository in the settings of the book; None where none is set,
    or one that is not on GitHub.
    """
    about = config.get("repository") or {}
    match = _GITHUB.match((about.get("url") or "").strip())
    return (match[1], match[2], about.get("branch") or "main") if match else None


def addresses(owner, name, branch, chapter):
    """Service → the address that opens a chapter there."""
    path = quote(f"notebooks/{chapter}.ipynb")
    return {
        "Colab": f"https://colab.research.google.com/github/{owner}/{name}/blob/{quote(branch)}/{path}",
        "Binder": f"https://mybinder.org/v2/gh/{owner}/{name}/{quote(branch, safe='')}?urlpath=lab/tree/{path}",
    }


def install(owner, name, branch):
    """The lines of a notebook's first cell that fetch and install the library where it lacks, as on
    Colab; Binder has it already.

    The checkout is needed as a whole: claims and published results lie beside the library.
    """
    address = f"https://github.com/{owner}/{name}"
    return f'!git clone --quiet --depth 1 --branch {branch} {address}\n%cd {name}\n%pip install --quiet --editable ".[book]"'


def add(nb, place, chapter):
    """Put the ways to launch a notebook below its title, in place; nothing where ``place`` is None."""
    if place is None:
        return nb
    links = " · ".join(f"[{service}]({url})" for service, url in addresses(*place, chapter).items())
    text = [
        ":::{dropdown} Run this chapter elsewhere",
        ":class-container: beneath",
        "",
        f"{links}. On Colab this comes first, in a cell of its own:",
        *("", "```ipython3", install(*place), "```", ":::"),
    ]
    cell = nbformat.v4.new_markdown_cell("\n".join(text))
    cell.id = "launch"
    after = next(k for k, old in enumerate(nb.cells) if old.cell_type == "markdown")
    nb.cells.insert(after + 1, cell)
    return nb
