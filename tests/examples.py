"""Series and checks that several tests share."""

import numpy as np
from matplotlib import pyplot as plt

from netdyn_lib.series import phases


def cycle(period, steps=240):
    return np.tile(np.arange(period) ** 2.0, -(-steps // period))[:steps]


#: Three losses that are fixed, of period 3 and irregular, and the labels of their blocks.
LOSS = np.stack(
    [np.ones(240), np.tile([1.0, 2.0, 4.0], 80), np.random.default_rng(0).uniform(1, 4, 240)],
    axis=1,
)
LABELS = phases.classify(LOSS, scale=3.0)


def labelled(fig):
    """The figure's visible axes; each must say what its axes are, and the figure must be closed."""
    assert not plt.fignum_exists(fig.number)
    fig.canvas.draw()
    axes = [a for a in fig.axes if a.get_visible()]
    assert any(a.get_xlabel() for a in axes) and any(a.get_ylabel() for a in axes)
    return axes
