"""Work that a store lacks, done one piece after another, beside other processes that do the same.

A piece has a key, and a function that takes a deadline, a reading of
:func:`time.monotonic` or None, and gives its arrays and metadata.
"""

import time
from contextlib import suppress

from .ensembles import Stopped
from .store import DamagedShard

_POLL = 0.5  # seconds between looks at pieces that another process computes
_MARGIN = 1.15  # a piece may take this much longer than the longest so far


def is_good(store, name):
    """Whether a piece is in the store, as it was written; one that is not is set aside, and raises DamagedShard."""
    for attempt in (1, 2):
        if name not in store:
            return False
        try:
            store.check(name)
            return True
        except KeyError:
            return False
        except DamagedShard:
            # Another process may have set it aside and computed it again just now: look twice.
            if attempt == 2:
                with suppress(KeyError):
                    store.set_aside(name)
                raise


def missing(store, names, log):
    """Those of the keys that the store lacks, in their order; damaged pieces are set aside and named to ``log``."""
    found = []
    for name in names:
        try:
            if is_good(store, name):
                continue
        except DamagedShard as error:
            log(f"{error} It is computed again.")
        found.append(name)
    return found


def fill(store, pieces, deadline=None, done=lambda: None):
    """Compute pieces and write each to the store as it is finished.

    Parameters
    ----------
    store : netdyn_lib.store.Store
    pieces : dict
        Key → function of a deadline that gives (arrays, metadata).  Those that
        another process has claimed are left to it, and waited for.
    deadline : float, optional
        Reading of :func:`time.monotonic`.  A piece that would not be finished
        by then, judging by the longest so far, is not begun; one under way may raise
        :class:`~netdyn_lib.ensembles.Stopped`.
    done : callable
        Called after each piece.

    Returns
    -------
    tuple
        Numbers of pieces computed here and by others, and why it stopped: empty where nothing is left.

    Raises
    ------
    netdyn_lib.store.StoreError
        Where a piece cannot be written; those before it are kept.
    """
    computed = elsewhere = 0
    longest = 0.0
    waiting = list(pieces)
    while waiting:
        left = []
        for name in waiting:
            now = time.monotonic()
            if deadline is not None and now + _MARGIN * longest > deadline:
                return computed, elsewhere, "time limit"
            with store.claim(name) as mine:
                if name in store:  # meanwhile, by another process
                    elsewhere += 1
                elif not mine:
                    left.append(name)
                    continue
                else:
                    try:
                        arrays, meta = pieces[name](deadline)
                    except Stopped:
                        return computed, elsewhere, "time limit"
                    store.write(name, arrays, meta)
                    computed += 1
                    longest = max(longest, time.monotonic() - now)
            done()
        if len(left) == len(waiting):
            time.sleep(_POLL)
        waiting = left
    return computed, elsewhere, ""
