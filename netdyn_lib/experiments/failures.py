"""The last handler of a command line: what was not foreseen is told in one line, too."""

import os
import sys
import traceback
from pathlib import Path

#: Set in the environment, it shows the whole traceback.
SWITCH = "NETDYN_TRACEBACK"


def tell(error):
    """Print an unforeseen error on stderr in a line, its type, message and place; return 1, the
    status.

    With ``NETDYN_TRACEBACK=1`` in the environment the traceback stands before it.
    """
    if os.environ.get(SWITCH):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f", in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    words = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}{where}"
    if isinstance(error, SyntaxError):  # of a module that is imported only now
        words = f"{error.filename}, line {error.lineno}: {error.msg}: was the file being edited?"
    print(f"ERROR: {words} ({SWITCH}=1 shows the whole traceback)", file=sys.stderr)
    return 1
