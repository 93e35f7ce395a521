"""Systems with known exponents, and Benettin's method on all of them."""

import numpy as np
import pytest
import torch
from torch.func import jacrev, vmap

from netdyn_lib.lyapunov.benettin import spectrum
from netdyn_lib.lyapunov.known_systems import SYSTEMS
from netdyn_lib.lyapunov.tangent_maps import by_jacobian

EACH = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS)


@EACH
def test_exponents_are_the_known_ones_and_their_sum_is_that_of_the_determinants(system):
    volumes = []  # of every step, ln|det J| (n,)

    def recorded(params):
        following, jacobian = system.function(params)
        volumes.append(torch.linalg.slogdet(jacobian).logabsdet)
        return following, jacobian

    found = spectrum(
        by_jacobian(recorded),
        system.start,
        system.steps,
        transient=system.transient,
        at=[system.steps],
    )
    exponents = found.exponents(dt=system.step_time)  # (n, P)
    assert (found.diverged_at == -1).all() and (found.singular_at == -1).all()
    off = np.abs(exponents.mean(0) - system.exponents)
    assert (off <= system.tolerance).all(), f"off by {off}"
    counted = torch.stack(volumes[system.transient :]).mean(0).numpy() / system.step_time
    np.testing.assert_allclose(exponents.sum(1), counted, rtol=0, atol=1e-10)


@EACH
def test_jacobians_are_the_derivatives(system):
    states = system.start[::7]
    following, jacobian = system.function(states)
    assert following.shape == states.shape and following.dtype == torch.float64
    exact = vmap(jacrev(lambda w: system.function(w[None])[0][0]))(states)
    torch.testing.assert_close(jacobian, exact, rtol=1e-12, atol=1e-12)


@EACH
def test_what_is_known_of_each_has_its_shape(system):
    size = system.start.shape[1]
    assert len(system.exponents) == len(system.tolerance) == size and system.source
    assert list(system.exponents) == sorted(system.exponents, reverse=True)


def test_exponents_of_an_area_preserving_map_come_in_pairs():
    system = SYSTEMS["standard map"]
    exponents = spectrum(by_jacobian(system.function), system.start, 100).exponents()
    np.testing.assert_allclose(exponents[:, 0], -exponents[:, 1], atol=1e-12)


def test_a_runge_kutta_step_of_lorenz_is_of_fourth_order():
    function, start = SYSTEMS["Lorenz system"].function, SYSTEMS["Lorenz system"].start[:5]

    def after(dt, steps):
        state = start
        for _ in range(steps):
            state = function(state, dt)[0]
        return state

    exact = after(0.000625, 320)
    ratio = (after(0.02, 10) - exact).norm() / (after(0.01, 20) - exact).norm()
    assert 13 < float(ratio) < 20  # 2⁴
