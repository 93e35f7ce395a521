"""Where the time of a call goes, by kinds of operation: what limits it, from a profile
of this run.
"""

import time

import torch
from torch.profiler import ProfilerActivity, profile

from netdyn_lib import torch_utils
from netdyn_lib.training import steppers

KINDS = {
    "matrix products": (
        "mm bmm addmm addmm_ baddbmm baddbmm_ matmul einsum linear mv addmv addmv_ dot"
    ),
    "decompositions": "linalg_qr linalg_solve_triangular triu",
    "pointwise functions": (
        "tanh tanh_ tanh_backward sigmoid sigmoid_backward softmax _softmax log_softmax "
        "_log_softmax relu clamp clamp_min threshold_backward mul mul_ add add_ sub sub_ "
        "addcmul_ gt maximum max_pool2d div div_ log abs where isfinite lt ne eq bitwise_and "
        "rsub neg"
    ),
    "moving of numbers": (
        "copy_ index_select index_add_ index_copy_ cat stack zero_ fill_ gather scatter_ "
        "scatter_add_ clone contiguous _to_copy"
    ),
}
KINDS = {kind: set(names.split()) for kind, names in KINDS.items()}


def kinds(call):
    """Share of the time of a call in each of :data:`KINDS` and in the ``rest`` (sums, observation,
    Python and PyTorch's own bookkeeping), a dict.

    Of the time from its start to its end, which a profile lengthens; operations of this thread and
    of the one that it waits for.  The call is made once before, unprofiled.
    """
    call()
    every = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)
    with profile(activities=[ProfilerActivity.CPU], experimental_config=every) as found:
        begin = time.perf_counter()
        call()
        total = 1e6 * (time.perf_counter() - begin)  # µs
    took = {
        event.key.removeprefix("aten::"): event.self_cpu_time_total
        for event in found.key_averages()
    }
    shares = {
        kind: sum(took.get(name, 0) for name in names) / total for kind, names in KINDS.items()
    }
    assert sum(shares.values()) < 1, (
        "operations took longer than the call: more than one thread worked at a time"
    )
    return shares | {"rest": 1 - sum(shares.values())}


def words(shares):
    """The shares in words.

    >>> words({"matrix products": 0.6, "rest": 0.4})
    "of one thread's time 60% matrix products, 40% rest"
    """
    return "of one thread's time " + ", ".join(
        f"{share:.0%} {kind}" for kind, share in shares.items() if round(share, 2)
    )


@torch_utils.one()
def alone(call):
    """What limits a call that has one thread, in words."""
    return words(kinds(call))


def limit(task, groups, epochs):
    """What limits descent of ``groups`` (n, 1 + M, P), in words: a profile of its steps alone, in
    this thread and with no other.
    """
    state = groups.flatten(0, 1).to(task.x, copy=True)
    stepper, rates = steppers.of(task, groups.shape[1]), torch.full((len(state), 1), 1e-3).to(state)

    @torch.no_grad()
    def steps():
        for _ in range(epochs):
            stepper.forward(state)
            stepper.subtract(state, rates)

    return alone(steps)
