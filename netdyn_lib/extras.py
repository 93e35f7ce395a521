"""What a plain install leaves out: the packages of the extras ``book`` and ``cluster``, and how to get them."""

from importlib.util import find_spec


class MissingExtra(ImportError):
    """A part of the library needs packages that this installation lacks."""


def need(part, extra, *packages):
    """Raise unless all packages are installed; nothing is imported.

    Parameters
    ----------
    part : str
        The module that needs them.
    extra : str
        The extra of this library that brings them.
    packages : str
        Names as they are imported.

    Raises
    ------
    MissingExtra
        Naming what lacks and the command that installs it.

    >>> need("a module", "book", "json")
    """
    missing = [package for package in packages if not _there(package)]
    if missing:
        raise MissingExtra(
            f"{part} needs {', '.join(missing)}, which a plain install of netdyn_lib leaves out: "
            f'pip install "netdyn_lib[{extra}]", or in a clone of the repository pip install ".[{extra}]"'
        )


def _there(package):
    try:
        return find_spec(package) is not None
    except ImportError:
        return False
