"""Where the system's Chromium is: it prints the book, and tests look at the site in it."""

import os
import shutil

#: Any of these will do; the first that is found is taken.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Names the executable, where it is not on the path or another one is wanted.
EXECUTABLE = "NETDYN_CHROMIUM"


def find():
    """Path of the browser, None where there is none.

    Raises
    ------
    FileNotFoundError
        When the environment names one that is not there.
    """
    named = os.environ.get(EXECUTABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise FileNotFoundError(f"{EXECUTABLE} names {named!r}, which is no executable")
        return found
    return next(filter(None, map(shutil.which, NAMES)), None)
