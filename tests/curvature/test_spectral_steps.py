"""Steps without expansion, on losses whose eigenvalues are known."""

import numpy as np
import pytest
import torch

from netdyn_lib.curvature.closed_form import OneHiddenLayerHessian
from netdyn_lib.curvature.spectral_steps import Dense, Krylov, NeutralDescent, factors, pause
from netdyn_lib.maps.one_dimensional import CUBIC
from netdyn_lib.tasks import gradients, tasks


class Quadratic:
    """L = ½ wᵀ A w, of one matrix for all networks."""

    def __init__(self, matrix):
        self.matrix = torch.as_tensor(matrix, dtype=torch.float64)

    def gradient(self, params):
        return params @ self.matrix

    def both(self, params):
        return self.gradient(params), self.matrix.expand(len(params), -1, -1)

    def product(self, vectors):
        return vectors @ self.matrix


class At(Quadratic):
    """As :class:`Quadratic`; ``gradient`` is that of the point."""

    def at(self, params):
        held = At(self.matrix)
        held.gradient = params @ self.matrix
        return held


def rotated(values, seed=0):
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values),) * 2))
    return turn @ np.diag(values) @ turn.T, torch.from_numpy(turn)


VALUES = np.array([-2.0, -0.001, 0.0, 0.5, 1.9, 2.1, 7.0])


@pytest.mark.parametrize("growth", [None, 0.01])
def test_multipliers_of_a_quadratic_are_those_of_the_formula(growth):
    matrix, turn = rotated(VALUES)
    loss = Quadratic(matrix)
    arm = NeutralDescent(Dense(loss.both, 1.0, growth), loss.gradient)
    start = torch.randn(3, 7, dtype=torch.float64, generator=torch.manual_seed(0))
    found = arm.step(start) @ turn / (start @ turn)
    negative = 1.01 if growth else 3.0  # 1 − ηλ at λ = −2
    expected = [negative, 1.001, 1.0, 0.5, -0.9, -1.0, -1.0]
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)), atol=1e-9)


def test_the_rest_of_the_step_stays_and_the_parts_add_up_to_gradient_descent():
    matrix, turn = rotated(VALUES)
    loss = Quadratic(matrix)
    start = torch.ones(1, 7, dtype=torch.float64)
    parts = Dense(loss.both, 1.0)(start)
    torch.testing.assert_close(parts.kept + parts.excess, -loss.gradient(start))
    assert (parts.excess @ turn)[:, :5].abs().max() < 1e-12  # only beyond 2/η
    plain = NeutralDescent(Dense(loss.both, 1.0), loss.gradient, neutral=False)
    torch.testing.assert_close(plain.step(start), start - loss.gradient(start))
    assert plain.ratio.item() == pytest.approx(3.5)  # 7/(2/η)
    assert plain.excess.item() == pytest.approx(parts.excess.norm().item())


def test_a_shortened_step_has_the_direction_of_one_and_the_length_of_the_other():
    matrix, _ = rotated(VALUES)
    loss = Quadratic(matrix)
    start = torch.randn(3, 7, dtype=torch.float64, generator=torch.manual_seed(2))
    kinds = {"neutral": {}, "shortened": {"shortened": True}, "plain": {"neutral": False}}
    moved = {
        name: NeutralDescent(Dense(loss.both, 1.0), loss.gradient, **kind).step(start) - start
        for name, kind in kinds.items()
    }
    length = {name: step.norm(dim=1) for name, step in moved.items()}
    torch.testing.assert_close(length["shortened"], length["neutral"])
    assert (length["shortened"] < length["plain"]).all()
    along = (moved["shortened"] * moved["plain"]).sum(1)
    torch.testing.assert_close(along, length["shortened"] * length["plain"])


def test_lanczos_from_the_gradient_gives_the_same_step():
    matrix, _ = rotated(np.concatenate([np.linspace(0, 1, 40), [3.0, 5.0, 9.0]]))
    loss, at = Quadratic(matrix), At(matrix)
    start = torch.randn(2, 43, dtype=torch.float64, generator=torch.manual_seed(1))
    dense, krylov = Dense(loss.both, 1.0)(start), Krylov(at.at, 1.0, steps=20)(start)
    torch.testing.assert_close(krylov.kept, dense.kept, rtol=0, atol=1e-6)
    torch.testing.assert_close(krylov.largest, dense.largest, rtol=1e-8, atol=0)


def test_lanczos_agrees_with_all_eigenvectors_of_a_network():
    task = tasks.get("iris")
    slope, params = gradients.of(task), task.initial(4, seed=1)
    dense = Dense(OneHiddenLayerHessian(task), 2.0)(params)
    torch.testing.assert_close(Krylov(slope.at, 2.0)(params).kept, dense.kept, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rate", [0.5, 1.5, 1.9])
def test_on_the_double_well_the_minimum_stays_and_turns_neutral(rate):
    # V = w⁴/4 − w²/2, V'' = 3w² − 1: 2 at the minimum, which descent leaves from η = 1 on.
    def both(w):
        return w**3 - w, (3 * w**2 - 1)[..., None]

    def gradient(w):
        return both(w)[0]

    arm = NeutralDescent(Dense(both, rate), gradient)
    one = torch.ones(1, 1, dtype=torch.float64)
    assert arm.step(one).item() == 1.0
    near = one + 1e-6
    slope = (NeutralDescent(Dense(both, rate), gradient).step(near) - 1).item() / 1e-6
    assert slope == pytest.approx(max(1 - 2 * rate, -1.0), abs=1e-4)
    plain = NeutralDescent(Dense(both, rate), gradient, neutral=False)
    assert plain.step(near).item() == pytest.approx(CUBIC.f(near.item(), rate))


def test_no_spectrum_is_computed_while_the_threshold_is_out_of_reach():
    loss = Quadratic(np.diag([0.5, 0.1]))
    arm = NeutralDescent(Dense(loss.both, 0.01), loss.gradient)
    params = torch.ones(1, 2, dtype=torch.float64)
    for _ in range(22):
        params = arm.step(params)
    assert arm.looks == 2  # at steps 0 and 11
    np.testing.assert_allclose(params[0], [0.995**22, 0.999**22])
    assert pause(torch.tensor([1.0, -1.0]), torch.tensor([0.01, 0.01])).tolist() == [2, 0]


def test_copies_get_a_spectrum_where_their_network_does():
    loss = Quadratic(np.diag([3.0, 0.1]))
    arm = NeutralDescent(Dense(loss.both, 1.0), loss.gradient)
    params = torch.ones(4, 2, dtype=torch.float64)
    found = arm.step(params, torch.tensor([0, 1, 0, 1]))
    np.testing.assert_allclose(found, np.tile([-1.0, 0.9], (4, 1)))
    assert arm.ratio.shape == (2,)


def test_factors_are_continuous_at_both_thresholds():
    near = torch.tensor([2 - 1e-9, 2 + 1e-9, -0.01 + 1e-9, -0.01 - 1e-9], dtype=torch.float64)
    np.testing.assert_allclose(factors(near, 1.0, 0.01), 1.0, atol=1e-6)
