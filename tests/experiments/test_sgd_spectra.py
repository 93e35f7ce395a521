"""Exponents of mini-batch descent against dense products, a loss whose exponents are known, and
subspaces that stand still.
"""

import numpy as np
import pytest
import torch
import xarray as xr

from netdyn_lib.curvature import batch_hessian, hessian
from netdyn_lib.experiments import sgd_spectra
from netdyn_lib.experiments.sgd_spectra import MiniBatchDescent
from netdyn_lib.tasks import losses, networks, tasks
from netdyn_lib.training import minibatches

RATE, BATCH = 0.3, 4


def small(activation="tanh", sizes=(5, 4, 3)):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((23, sizes[0])), rng.integers(0, sizes[-1], 23)
    return tasks.custom("small", networks.MLP(sizes, activation), losses.CrossEntropy(), x, y)


def quadratic():
    """A linear layer under half the squared error: H = X̃ᵀX̃/N for each output, whatever the
    weights.
    """
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6, 3)) * np.array([1, 2, 3])
    return tasks.custom(
        "quadratic", networks.MLP((3, 2)), losses.HalfSquaredError(), x, rng.standard_normal((6, 2))
    )


def products(task, order, steps, first=0):
    """ln σ of the dense product of each stretch and of the whole, and Σ ln|det J|."""
    w = task.initial(1, 0, order)[0]
    y, volume, seen = torch.eye(len(w), dtype=torch.float64), 0.0, []
    for t in range(steps):
        part = minibatches.batch_task(
            task, torch.tensor(minibatches.at(len(task.x), BATCH, t, order))
        )
        jacobian = (
            torch.eye(len(w), dtype=torch.float64)
            - RATE * hessian.hessians(part.objective, w[None])[0]
        )
        if t >= first:
            y, volume = jacobian @ y, volume + float(torch.linalg.slogdet(jacobian)[1])
        w = w - RATE * torch.func.grad(part.objective)(w)
        seen.append(y)
    return seen, volume


@pytest.mark.parametrize("count", [None, 4])
def test_a_quadratic_loss_has_its_exponents(count):
    """ln|1 − γλ| over any stretch: those of 1 + 3 inputs twice, once for each output."""
    task = quadratic()
    values = batch_hessian.spectrum(task, task.initial(1)[0]).values
    known = np.sort(np.log(np.abs(1 - 0.1 * values)))[::-1]
    data = sgd_spectra.over_time(MiniBatchDescent(task, 0.1, 6), 2, (7, 30, 60), count, 5, 1e-12)
    assert data["time"].values.tolist() == [7, 30, 60] and data["index"].size == (count or 8)
    for name in ("exponent", "local"):
        wanted = np.broadcast_to(known[: count or 8], data[name].shape)
        np.testing.assert_allclose(data[name], wanted, atol=1e-9)
    if count is None:
        np.testing.assert_allclose(data["qr"].sum("index"), known.sum(), rtol=1e-9)
        table = sgd_spectra.extremes(data)
        assert table["positive"].tolist() == [(known > 0).sum()] * 3
        assert table.loc[60].tolist()[:2] == pytest.approx([known[0], known[-1]])
    else:
        assert np.isnan(sgd_spectra.extremes(data)["smallest"]).all()


@pytest.fixture(scope="module")
def data():
    return sgd_spectra.over_time(MiniBatchDescent(small(), RATE, BATCH), 2, (12, 30), interval=4)


def test_all_exponents_are_those_of_the_dense_product(data):
    task = small()
    for k in range(2):
        seen, volume = products(task, k, 30)
        for t in (12, 30):
            sizes = torch.linalg.svdvals(seen[t - 1]).log().numpy()
            found = data["exponent"].sel(network=k, time=t) * t
            np.testing.assert_allclose(found, sizes, atol=1e-9)
        stretch = torch.linalg.svdvals(products(task, k, 30, 12)[0][-1]).log().numpy()
        np.testing.assert_allclose(data["local"].sel(network=k, time=30) * 18, stretch, atol=1e-9)
        for name in ("exponent", "qr"):
            total = float(data[name].sel(network=k, time=30).sum()) * 30
            assert total == pytest.approx(volume, abs=1e-9)
    # A random frame has not turned: its exponents are no singular values.
    assert (data["qr"].max("index") < data["exponent"].isel(index=0)).all()
    assert data.attrs["count"] == data.attrs["parameters"] == 39 and data.attrs["task"] == "small"
    assert data.attrs["data"] == task.split.provenance() and "commit" in data.attrs["provenance"]


def test_leading_exponents_are_those_of_all(data, monkeypatch):
    descent = MiniBatchDescent(small(), RATE, BATCH)
    few = sgd_spectra.over_time(descent, 1, (12, 30), 3, 4, 1e-6)
    all_of_them = data.isel(network=[0], index=slice(3))
    for name in ("exponent", "local"):
        np.testing.assert_allclose(few[name], all_of_them[name], atol=1e-5)
    monkeypatch.setattr(sgd_spectra, "_SWEEPS", 2)
    rough = sgd_spectra.over_time(descent, 1, (12, 30), 3, 4, 1e-6)
    assert (rough["exponent"] <= all_of_them["exponent"] + 1e-12).all()
    assert (rough["bound"] > few["bound"]).all()


@pytest.mark.parametrize("scale", [1, 60])
def test_singular_values_of_any_spread(scale):
    """One direction loses e^−5 a step, or e^−300: the whole product holds all of them."""
    powers = -np.arange(8.0) * scale
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 8)))
    total = object.__new__(sgd_spectra.Whole)
    total.eye = torch.eye(8, dtype=torch.float64)
    total._product = sgd_spectra.Product(torch.from_numpy(powers)[None], rows[None])
    known, right = total._product.singular(True)
    logs, vectors = total.singular(True)
    np.testing.assert_allclose(logs, known[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose((vectors * right[0]).sum(0).abs(), 1, atol=1e-10)
    np.testing.assert_allclose(total.singular()[0], known[0], rtol=1e-12, atol=1e-12)


def test_subspaces_of_a_quadratic_loss_stand_still():
    found = sgd_spectra.overlaps(MiniBatchDescent(quadratic(), 0.1, 6), 0, (5, 10, 20), 2)
    names = ["leading", "chaotic", "non-chaotic", "contracting"]
    assert found.index.unique("subspace").tolist() == names
    np.testing.assert_allclose(found["overlap"].dropna(), 1, atol=1e-9)
    assert found.loc["leading"]["chance"].tolist() == [0.25, 0.25]
    assert found.loc["leading"]["converged"].all()


def test_subspaces_of_a_network():
    found = sgd_spectra.overlaps(MiniBatchDescent(small(), RATE, BATCH), 1, (10, 20), 3)
    seen, _ = products(small(), 1, 20)
    (one, first), (other, second) = (torch.linalg.svd(seen[t - 1])[1:] for t in (10, 20))
    k, later = int((one.log() > 1e-8).sum()), int((other.log() > 1e-8).sum())
    row = found.loc["chaotic"].loc[10]
    assert (row["earlier k"], row["k"], row["later"]) == (k, later, 20)
    wanted = float((first[:k] @ second[:later].T).square().sum()) / later
    assert row["overlap"] == pytest.approx(wanted, abs=1e-8)


def test_subspaces_of_one_batch():
    task = small()
    found = sgd_spectra.of_hessian(MiniBatchDescent(task, RATE, BATCH), 0, (3, 9), 5)
    w, states = task.initial(1)[0], []
    for t in range(9):
        part = minibatches.batch_task(task, torch.tensor(minibatches.at(23, BATCH, t)))
        states.append(w)
        w = w - RATE * torch.func.grad(part.objective)(w)
    part = minibatches.batch_task(task, torch.tensor(minibatches.at(23, BATCH, 3)))
    spectra = [batch_hessian.spectrum(part, states[t]) for t in (3, 8)]
    v, u = (
        one.expand(torch.eye(len(one.values)).double()[one.classes(RATE).negative]).T
        for one in spectra
    )
    row = found.loc["negative"].loc[3]
    assert (
        row["overlap"] == pytest.approx(float((v.T @ u).square().sum()) / u.shape[1])
        and row["chance"] == v.shape[1] / 39
    )
    assert row["chance in range"] == v.shape[1] / len(spectra[0].basis) > row["chance"]


def test_bad_input_is_refused():
    good = dict(rate=RATE, networks=1, at=(10,), count=None, interval=10)
    for changes, message in (
        (dict(at=()), "0 different times"),
        (dict(at=(0,)), "step in at = 0"),
        (dict(count=40), "count = 40"),
        (dict(networks=0), "networks = 0"),
        (dict(interval=0), "interval = 0"),
        (dict(rate=-1.0), "rate = -1.0"),
    ):
        how = good | changes
        descent = MiniBatchDescent(small(), how.pop("rate"), BATCH)
        with pytest.raises(ValueError, match=message):
            sgd_spectra.over_time(descent, **how)
    with pytest.raises(ValueError, match="1 different times"):
        sgd_spectra.overlaps(MiniBatchDescent(small(), RATE, BATCH), 0, (5, 5), 2)


def test_published_spectra_are_read_again(data, tmp_path):
    sgd_spectra.publish(data, "one", tmp_path)
    (found,) = sgd_spectra.published(tmp_path).values()
    xr.testing.assert_allclose(found, data, rtol=1e-6, atol=1e-9)
