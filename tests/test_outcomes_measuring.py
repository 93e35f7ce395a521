"""What is measured of each network, held against the definitions and against single networks."""

import numpy as np
import pytest
import torch

from netdyn_lib import torch_utils
from netdyn_lib.curvature import closed_form, hessian
from netdyn_lib.experiments.outcome_prediction import measuring
from netdyn_lib.experiments.outcome_prediction.measuring import measure
from netdyn_lib.lyapunov import qr
from netdyn_lib.tasks import tasks
from netdyn_lib.training import gradient_descent
from tests.small_campaigns import small

CAMPAIGN = small(count=4, times=(1, 4, 10), steps=40)
DT = CAMPAIGN.learning_rate
TASK = tasks.get(CAMPAIGN.task)


@pytest.fixture(scope="module")
def found():
    return measure(TASK, CAMPAIGN, 0, 4, workers=1)


@pytest.fixture(scope="module")
def path():
    """States (T + 1, n, P) and Jacobians (T + 1, n, P, P) of steps 0 … 10, by automatic
    differentiation.
    """
    state, states, jacobians = TASK.initial(4), [], []
    for _ in range(11):
        states.append(state)
        jacobians.append(torch.eye(9) - DT * hessian.hessians(TASK.objective, state))
        state = state - DT * torch.stack([torch.func.grad(TASK.objective)(w) for w in state])
    return torch.stack(states), torch.stack(jacobians)


def test_shapes_are_those_of_the_docstring(found):
    points = len(CAMPAIGN.curve)
    wanted = dict.fromkeys(("final_loss", "diverged_at"), (4,)) | {
        "curve": (points, 4),
        "loss": (3, 4),
    }
    wanted |= dict.fromkeys(("gradient", "kinks"), (3, 4, 1))
    wanted |= dict.fromkeys(
        (
            "weights",
            "hessian",
            "exponents",
            "singular",
            "frozen_growth",
            "far_growth",
            "far_residual",
        ),
        (3, 4, 9),
    )
    wanted |= dict.fromkeys(("frozen_angles", "far_angles"), (3, 4, 36)) | dict.fromkeys(
        ("frozen_splitting", "far_splitting"), (3, 4, 8)
    )
    assert {name: values.shape for name, values in found.items()} == wanted


def test_losses_weights_and_gradients_are_those_of_a_plain_run(found, path):
    run = gradient_descent.run(
        gradient_descent.GradientDescent(TASK, DT), TASK.initial(4), 40, ("loss",)
    )
    np.testing.assert_array_equal(found["curve"], run["loss"][list(CAMPAIGN.curve)])
    np.testing.assert_array_equal(found["loss"], run["loss"][[1, 4, 10]])
    np.testing.assert_array_equal(found["final_loss"], run["loss"][40])
    assert (found["diverged_at"] == -1).all()
    states = path[0][[1, 4, 10]]
    np.testing.assert_allclose(found["weights"], states, rtol=1e-11)
    slopes = [[float(torch.func.grad(TASK.objective)(w).norm()) for w in row] for row in states]
    np.testing.assert_allclose(found["gradient"][..., 0], slopes, rtol=1e-10)


def test_hessian_eigenvalues_are_those_of_automatic_differentiation(found, path):
    for k, states in enumerate(path[0][[1, 4, 10]]):
        wanted = hessian.spectra(TASK.objective, states)
        np.testing.assert_allclose(found["hessian"][k], wanted, atol=1e-9 * abs(wanted).max())


def test_exponents_are_logarithms_of_qr_by_hand(found, path):
    q, logs = qr.random_orthogonal(9).expand(4, 9, 9), torch.zeros(4, 9, dtype=torch.float64)
    for step in range(1, 11):
        q, r = torch.linalg.qr(path[1][step - 1] @ q)
        logs = logs + r.diagonal(dim1=1, dim2=2).abs().log()
        if step in CAMPAIGN.times:
            found_here = found["exponents"][CAMPAIGN.times.index(step)]
            np.testing.assert_allclose(found_here, logs / (step * DT), rtol=1e-8, atol=1e-8)


def test_singular_values_are_those_of_the_product(found, path):
    product = torch.eye(9, dtype=torch.float64).expand(4, 9, 9)
    for step in range(1, 11):
        product = path[1][step - 1] @ product
        if step in CAMPAIGN.times:
            here, wanted = (
                found["singular"][CAMPAIGN.times.index(step)],
                torch.linalg.svdvals(product),
            )
            assert (np.diff(here, axis=1) <= 0).all()
            np.testing.assert_allclose(here, wanted.log() / (step * DT), rtol=1e-6, atol=1e-6)


def test_both_kinds_of_exponents_have_the_sum_of_the_determinants(found, path):
    dets = torch.linalg.slogdet(path[1])[1].cumsum(0)  # ln|det J(t) … J(0)|
    for k, step in enumerate(CAMPAIGN.times):
        for name in ("exponents", "singular"):
            np.testing.assert_allclose(
                found[name][k].sum(1), dets[step - 1] / (step * DT), rtol=1e-8
            )


def test_frozen_vectors_are_first_of_the_past_and_last_of_the_present(found, path):
    """v_1 is q_1, and v_9 the eigenvector of the least multiplier: the angle between them, and the
    growth along the last.
    """
    q = qr.random_orthogonal(9).expand(4, 9, 9)
    for step in range(10):
        q = torch.linalg.qr(path[1][step] @ q)[0]
    values, vectors = torch.linalg.eigh(path[1][10])
    least = values.abs().argmin(1)
    last = vectors[torch.arange(4), :, least]
    cosine = (q[:, :, 0] * last).sum(1).abs()
    # the pair (1,9)
    np.testing.assert_allclose(np.cos(found["frozen_angles"][2, :, 7]), cosine, atol=1e-9)
    np.testing.assert_allclose(
        found["frozen_growth"][2, :, 8], values.abs().amin(1).log() / DT, rtol=1e-8
    )
    along_first = torch.linalg.vector_norm(path[1][10] @ q[:, :, :1], dim=1)[:, 0]
    np.testing.assert_allclose(found["frozen_growth"][2, :, 0], along_first.log() / DT, rtol=1e-8)


def test_far_vectors_are_covariant_and_their_angles_are_angles(found):
    assert (
        np.nanmax(found["far_residual"]) < 1e-10 and np.isfinite(found["far_residual"]).mean() > 0.9
    )
    for kind in ("frozen", "far"):
        angles, splitting = found[f"{kind}_angles"], found[f"{kind}_splitting"]
        assert np.nanmin(angles) >= 0 and np.nanmax(angles) <= np.pi / 2 + 1e-12
        # The first split parts v_1 from all others, so it is no larger than the angle to any of
        # them.
        assert (splitting[..., 0] <= angles[..., :8].min(-1) + 1e-9)[
            np.isfinite(splitting[..., 0])
        ].all()


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        # Angles are rounded by their place in a batch.
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_numbers_do_not_depend_on_who_is_beside_or_on_threads(found, monkeypatch):
    part = measure(TASK, CAMPAIGN, 1, 2, workers=1)
    same(
        part,
        {
            name: values[1:3] if values.ndim == 1 else values[:, 1:3]
            for name, values in found.items()
        },
    )
    monkeypatch.setattr(measuring, "_TOGETHER", 3)
    same(measure(TASK, CAMPAIGN, 0, 4, workers=2), found)


def test_another_seed_is_another_ensemble(found):
    other = measure(TASK, small(count=4, times=(1, 4, 10), steps=40, seed=1), 0, 4, workers=1)
    assert not np.isclose(other["loss"], found["loss"]).any()


def test_kinks_are_counted_with_relu_alone(found):
    assert (found["kinks"] == 0).all()
    relu = tasks.get("ridge-relu-normal")
    x = relu.x[0]
    params = relu.initial(1)
    inner, _ = relu.network.matrices(params)
    # the first sample lies on the first unit's kink
    inner[0, 0, :2], inner[0, 0, 2] = torch.tensor([1.0, 0.0]), -x[0]
    assert closed_form.kinks(relu, params, 1e-9).item() == 1


@pytest.mark.filterwarnings("error")
def test_networks_that_overflow_are_data():
    """At η = 1 some of the ReLU networks overflow within the first steps: NaN from there on."""
    campaign = small(task="ridge-relu-normal", learning_rate=1.0, times=(1, 5, 15))
    found = measure(tasks.get(campaign.task), campaign, 0, 12, workers=1)
    gone = found["diverged_at"]
    assert {6, 7} & set(gone.tolist()) and (gone == -1).any()
    lost = (gone >= 0) & (gone <= 15)
    for name in (
        "weights",
        "hessian",
        "exponents",
        "singular",
        "far_angles",
        "frozen_angles",
        "far_growth",
        "gradient",
        "kinks",
    ):
        assert np.isnan(found[name][2, lost]).all(), name
    for name in ("weights", "hessian", "gradient"):
        assert np.isfinite(found[name][:, gone < 0]).all() and np.isfinite(found[name][0]).all(), (
            name
        )
    assert (
        np.isnan(found["final_loss"][gone >= 0]).all()
        and np.isfinite(found["final_loss"][gone < 0]).all()
    )
    assert np.isnan(found["loss"][2, lost]).all()


@pytest.mark.parametrize("moments", [0, 45, 51])
def test_it_gives_up_when_asked_wherever_it_is(moments):
    """Within training, singular values, and covariant vectors."""
    asked = []

    def stop():
        asked.append(1)
        return len(asked) > moments

    with pytest.raises(torch_utils.Stopped):
        measure(TASK, CAMPAIGN, 0, 2, workers=1, stop=stop)
    assert len(asked) < moments + 10


def test_networks_of_more_layers_are_refused():
    with pytest.raises(ValueError, match="one hidden layer"):
        measure(tasks.get("digits-deep"), small(task="digits-deep"), 0, 2, workers=1)
