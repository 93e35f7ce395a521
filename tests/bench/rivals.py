"""Where the rivals lie: packages that nothing but the benchmarks needs, in ``_build/rivals``."""

import sys
from importlib import import_module
from pathlib import Path

#: What was asked for and is not installed.
MISSING = []
FOLDER = Path(__file__).resolve().parents[2] / "_build" / "rivals"


def get(name):
    """The rival's module; None, and a line that says so, where it is not installed.

    The folder comes last in the search, so that what the book is pinned to stays what is used.
    """
    if FOLDER.is_dir() and str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    try:
        return import_module(name)
    except Exception as error:  # noqa: BLE001: a rival may fail to import in any way
        MISSING.append(name)
        print(
            f"{name}: this rival is left out, and nothing stands in "
            f"for it ({error}). make bench installs it into _build/rivals",
            flush=True,
        )
        return None
