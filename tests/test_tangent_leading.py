"""Leading exponents along training: of least squares, where they are known, and of few digits; and
how they are published.
"""

import numpy as np
import pytest

from netdyn_lib import lyapunov
from netdyn_lib.curvature import hessian
from netdyn_lib.experiments import spectra
from netdyn_lib.lyapunov import qr
from netdyn_lib.results.store import DamagedShard
from netdyn_lib.tasks import tasks
from netdyn_lib.training import gradient_descent
from tests.small_sweeps import TASK, register
from tests.test_tangent_neutral import COLUMNS, linear


@pytest.fixture(scope="module")
def known():
    """Eigenvalues 0, 1, 2.56 and 4, at learning rates below and above 2/4, and where all overflow."""
    task = linear(0.5 * COLUMNS[1], 0.8 * COLUMNS[2], 0 * COLUMNS[3])
    return spectra.along_training(task, (0.1, 0.6, 1e4), 2, 2, 200, 100, progress=False)


@pytest.fixture(scope="module")
def digits():
    register()
    return spectra.along_training(
        tasks.get(TASK, samples=40), (0.5,), 2, count=2, epochs=7, every=3, seed=1, progress=False
    )


def test_exponents_and_sharpness_are_those_of_the_eigenvalues(known):
    wanted = np.log([[1.0, 0.9], [1.4, 1.0]])  # the largest two of |1 − ηλ|
    np.testing.assert_allclose(
        known["exponent"].isel(eta=slice(2), stretch=1), np.repeat(wanted[:, None], 2, 1), atol=1e-9
    )
    np.testing.assert_allclose(known["sharpness"].sel(eta=0.1), 0.1 * 4 / 2)
    np.testing.assert_allclose(known["sharpness"].sel(eta=0.6), 0.6 * 4 / 2)
    assert (np.diff(known["loss"].sel(eta=0.1), axis=0) < 0).all() and (
        np.diff(known["loss"].sel(eta=0.6), axis=0) > 0
    ).all()


def test_networks_that_overflow_are_nan_from_there_on(known):
    lost = known.sel(eta=1e4)
    assert np.isnan(lost["exponent"]).all()
    for name in ("sharpness", "loss"):
        assert np.isfinite(lost[name][0]).all() and np.isnan(lost[name][1:]).all()


def test_dimensions_and_coordinates(known, digits):
    assert known["exponent"].dims == ("eta", "stretch", "init", "index") and known[
        "exponent"
    ].shape == (3, 2, 2, 2)
    assert known["sharpness"].dims == known["loss"].dims == ("eta", "end", "init")
    assert known["end"].values.tolist() == [0, 100, 200] and known["stretch"].values.tolist() == [
        50,
        150,
    ]
    # no half stretch
    assert digits["end"].values.tolist() == [0, 3, 6] and digits["stretch"].values.tolist() == [
        1.5,
        4.5,
    ]
    attrs = digits.attrs
    assert (attrs["task"], attrs["conditions"], attrs["epochs"], attrs["seed"]) == (TASK, 2, 6, 1)
    assert "commit" in attrs["provenance"] and attrs["data"].startswith("Digits: first 40")


def test_exponents_are_the_growth_of_single_vectors(digits):
    """The first is the growth of the frame's first vector; both together, that of the area of the
    two.
    """
    task = tasks.get(TASK, samples=40)
    gd, start = gradient_descent.GradientDescent(task, 0.5), task.initial(2, 1)
    q = qr.random_orthogonal(task.network.count, 2)
    found = lyapunov.growth(gd.product, start, q.T.expand(2, 2, -1), 6)
    first = np.diff(found.log_norm[::3, :, 0], axis=0) / 3  # (stretch, n)
    np.testing.assert_allclose(digits["exponent"].sel(eta=0.5).isel(index=0), first, rtol=1e-9)
    sine = np.sqrt(1 - (found.directions[:, 0] * found.directions[:, 1]).sum(1).numpy() ** 2)
    area = found.log_norm[6].sum(1) + np.log(sine)
    np.testing.assert_allclose(
        digits["exponent"].sel(eta=0.5).sum(("index", "stretch")) * 3, area, rtol=1e-8
    )


def test_losses_and_sharpness_are_those_of_the_ends(digits):
    task = tasks.get(TASK, samples=40)
    run = gradient_descent.run(
        gradient_descent.GradientDescent(task, 0.5), task.initial(2, 1), 6, ("loss",)
    )
    np.testing.assert_allclose(digits["loss"].sel(eta=0.5), run["loss"][::3], rtol=1e-12)
    for end, states in ((0, task.initial(2, 1)), (6, run.final)):
        wanted = hessian.sharpness(task.objective, states, 1e-6) * 0.5 / 2
        np.testing.assert_allclose(digits["sharpness"].sel(eta=0.5, end=end), wanted, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(rates=()), "rates is empty"),
        (dict(rates=(0.1, -1.0)), "rates = -1"),
        (dict(every=7), "every = 7.*from 1 to 6"),
        (dict(every=0), "every = 0"),
        (dict(epochs=0), "epochs = 0"),
        (dict(count=5), "count = 5"),
        (dict(conditions=0), "count = 0"),
    ],
)
def test_bad_input_is_one_clear_error(changes, said):
    task = linear(*COLUMNS[1:])
    with pytest.raises(ValueError, match=said):
        spectra.along_training(
            **(
                dict(
                    task=task,
                    rates=(0.1,),
                    conditions=1,
                    count=2,
                    epochs=6,
                    every=3,
                    progress=False,
                )
                | changes
            )
        )


def test_what_is_published_is_what_was_computed(known, digits, tmp_path):
    assert spectra.published(tmp_path / "none") == {}
    path = spectra.publish(digits, "few", tmp_path / "new")
    assert path == tmp_path / "new" / "few.npz"
    spectra.publish(known, "known", tmp_path / "new")
    found = spectra.published(tmp_path / "new")
    assert list(found) == ["few", "known"]
    for one, other, place in (
        (found["few"], digits, "new/few.npz"),
        (found["known"], known, "new/known.npz"),
    ):
        assert one.attrs == other.attrs | {"published_in": place} and set(one.data_vars) == set(
            other.data_vars
        )
        for name in other.data_vars:
            assert one[name].dims == other[name].dims
            np.testing.assert_array_equal(one[name], other[name])
        for name in other.coords:
            np.testing.assert_array_equal(one[name], other[name])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedShard, match="few.npz"):
        spectra.published(tmp_path / "new")


def test_notes_say_what_was_computed(digits):
    lines = spectra.notes({"digits": digits, "again": digits}).splitlines()
    assert len(lines) == 2 and lines[0].startswith("digits: ") and "40" in lines[0]
    assert "2 networks, 6 epochs" in lines[1]  # two stretches of three and "commit" in lines[1]
