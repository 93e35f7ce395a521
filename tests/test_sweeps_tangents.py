"""The tangent rule over learning rates."""

import numpy as np

from netdyn_lib.experiments.learning_rate_sweep import tangents
from netdyn_lib.tasks import losses, networks, tasks


def test_a_linear_network_has_its_exponents_by_hand():
    """On a quadratic loss every tangent vector ends along the steepest eigenvector, and grows by |1
    − ηλ|.
    """
    x = np.array([[2.0, 0.0], [0.0, 0.5]])
    task = tasks.custom("line", networks.MLP((2, 1)), losses.HalfSquaredError(), x, np.zeros(2))
    top = np.linalg.eigvalsh(np.c_[x, np.ones(2)].T @ np.c_[x, np.ones(2)])[-1]
    found = tangents.exponents(task, (3 / top, 0.1 / top), conditions=3, epochs=200)
    expected = np.log(abs(1 - 3))
    np.testing.assert_allclose(found.slopes[0], expected, atol=0.02)
    assert found.kept.tolist() == [3, 0]
    assert found.rule == "tangent"
    assert found.share[1].estimate == 0
