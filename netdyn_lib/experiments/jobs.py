"""Errors, signals and helpers of command lines: one line for each error, a status for each end."""

import os
import signal
import subprocess
import sys
import threading
import traceback
from contextlib import contextmanager
from pathlib import Path

#: Exit statuses of a command line that leaves something missing, and of one that a signal stopped.
INCOMPLETE, STOPPED = 3, 130
GRACE = 3.0  # seconds that what is under way may take to stop
#: What a stopped command line says.
KEPT = "\nstopped; finished pieces are kept, and the same command goes on from there"


def status(work, stopped=KEPT):
    """Return the exit status that ``work`` gives; 1 after an error, 130 after a signal, with what
    ``stopped`` says.
    """
    try:
        return work()
    except (ValueError, OSError, KeyError, RuntimeError, MemoryError) as error:
        said = error.args[0] if isinstance(error, KeyError) else error  # whose text is in quotes
        print(f"ERROR: {said}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return STOPPED
    except Exception as error:
        return tell(error)


def program(main):
    """Run the command line ``main`` as a program, which Ctrl-C and SIGTERM stop within seconds."""

    def interrupt(_number, _frame):
        # Threads at work look up only every so many epochs, which can take minutes.  Nothing is
        # lost by leaving them: a piece has its name when it is whole, and claims end.
        def leave():
            os.write(2, f"{KEPT}\n".encode())
            os._exit(STOPPED)

        timer = threading.Timer(GRACE, leave)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as of a shell's job in the background
            signal.signal(number, interrupt)
    sys.exit(main())


@contextmanager
def helpers(count, words):
    """So many processes ``run`` the experiments that a command line's ``words`` name, on a core
    each, and are ended when the block is left.

    What one does not finish, as where it fails, is left to whoever goes on.
    """
    call = [sys.executable, "-m", __package__, "run", *map(str, words), "--workers", "1"]
    quiet = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    others = [subprocess.Popen(call, env=environment, **quiet) for _ in range(count)]
    try:
        yield others
    finally:
        for process in others:
            process.terminate()
        for process in others:
            process.wait()


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
