"""Time, spread, and the memory of a process of its own."""

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch


def timed(function, *arguments):
    """Seconds that a call takes, and what it returns."""
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def beside(calls, rounds, warm=True):
    """Seconds of several calls in turn, a tuple of (R,) for each name of the dict ``calls``, and
    what each returned last.

    Each is called once before, untimed, unless ``warm`` is false.
    """
    if warm:
        for call in calls.values():
            call()
    seconds, results = {name: [] for name in calls}, {}
    for _ in range(rounds):
        for name, call in calls.items():
            took, results[name] = timed(call)
            seconds[name].append(took)
    return {name: tuple(values) for name, values in seconds.items()}, results


def counts_of_threads():
    """One thread, and all that PyTorch has."""
    return sorted({1, torch.get_num_threads()})


def agree(difference, bound, what):
    """The difference; RuntimeError where it is beyond the bound, or NaN: what does something else
    is no rival.
    """
    if not difference <= bound:
        raise RuntimeError(f"{what}: the results differ by {difference:.1e}, more than {bound:g}")
    return difference


def spread(values, form="{:.1f}"):
    """The median of some rounds and their range, in words.

    >>> spread([3, 1, 2])
    '2.0 (from 1.0 to 3.0 over 3 rounds)'
    """
    low, middle, high = (form.format(f(values)) for f in (np.min, np.median, np.max))
    return f"{middle} (from {low} to {high} over {len(values)} rounds)"


def begin_peak():
    """Start measuring the peak anew, and return the memory in use, in MiB.

    The peak of ``getrusage`` is of no use for this: a process inherits that of
    the one that started it.  Linux keeps another with the memory itself.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # no Linux, or not allowed: the peak is then that since the start of the process
    return peak()


def peak():
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (
            20 if sys.platform == "darwin" else 10
        )
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def alone(module, call, **environment):
    """The numbers that a call prints which runs in a process of its own; ``module`` is one of this
    package.
    """
    command = [sys.executable, "-c", f"from tests.bench import {module}; {module}.{call}"]
    here = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=here,
        env=os.environ | environment,
    )
    return tuple(float(word) for word in done.stdout.split())
