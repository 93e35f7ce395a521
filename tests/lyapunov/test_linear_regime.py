"""Where perturbed copies leave the linear regime and why, on maps whose answer is known."""

import numpy as np
import pytest
import torch

from netdyn_lib import lyapunov
from netdyn_lib.lyapunov import growth_fits, linear_regime
from netdyn_lib.tasks import networks
from netdyn_lib.training import gradient_descent

EPOCHS = 60
RADII = (1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)


def follow(step, start, radii=RADII, epochs=EPOCHS):
    """Distances by radius, log growth and weights' sizes of a map of the line along one direction,
    +ε; ``start`` (n,).
    """
    start = torch.tensor(start, dtype=torch.float64)[:, None]
    growth = lyapunov.growth(
        lyapunov.by_derivative(step), start, torch.ones_like(start)[:, None], epochs
    )
    distances = {}
    for radius in radii:
        w, copy = start, start + radius
        seen = [(copy - w).abs()]
        sizes = [w.abs()]
        for _ in range(epochs):
            w, copy = step(w), step(copy)
            seen.append((copy - w).abs())
            sizes.append(w.abs())
        distances[radius] = torch.cat(seen, 1).T.numpy()
    return distances, lyapunov.mean_growth(growth), torch.cat(sizes, 1).T.numpy() + 1e-300


def test_a_linear_map_never_parts():
    # Doubling is exact in binary: the difference of two orbits is ε 2^t to the last bit.
    distances, growth, sizes = follow(lambda w: 2 * w, [0.5, 3.0])
    # the displacement of 1e-14 itself is rounded
    found = linear_regime.compare(distances, growth, sizes, tolerance=0.02)
    inner = found.radii > 1e-14
    assert np.isnan(found.epoch[inner]).all() and np.isnan(found.relative[inner]).all()
    assert (found.cause[inner] == linear_regime.NEVER).all()
    np.testing.assert_allclose(linear_regime.log_error(distances[1e-8], growth), 0, atol=1e-7)


def test_a_quadratic_map_parts_by_saturation_at_one_distance():
    # w ↦ 2w + w² = (1 + w)² − 1 at its fixed point 0: d(t) = (1 + ε)^(2^t) − 1 exactly, against ε
    # 2^t. With x = ε 2^t they differ by 10% where (eˣ − 1)/x = 1.1, x = 0.1894.
    radii = (1e-10, 1e-8, 1e-6, 1e-4)
    distances, growth, _ = follow(lambda w: 2 * w + w * w, [0.0], radii, epochs=34)
    capped = {r: np.minimum(d, 1e9) for r, d in distances.items()}
    found = linear_regime.compare(capped, growth, np.ones_like(growth))
    wanted = [np.ceil(np.log2(0.1894 / r)) for r in radii]
    np.testing.assert_array_equal(found.epoch[:, 0], wanted)
    assert (found.distance >= np.expm1(0.1894) * 0.99).all() and (
        found.distance <= np.expm1(2 * 0.1894) * 1.01
    ).all()
    assert found.cause[:, 0].tolist() == ["undecided"] + ["saturation"] * 3, (
        "the smallest radius has no witness"
    )


def test_the_logistic_map_saturates_at_a_distance_that_no_radius_changes():
    start = np.random.default_rng(0).uniform(0.1, 0.9, 200)
    distances, growth, sizes = follow(
        lambda w: 4 * w * (1 - w), start, (1e-12, 1e-10, 1e-8, 1e-6, 1e-4), epochs=50
    )
    found = linear_regime.compare(distances, growth, sizes)
    medians = [found.typical(r, linear_regime.SATURATION, "distance") for r in (1e-10, 1e-8, 1e-6)]
    assert max(medians) < 4 * min(medians), "four decades of ε"
    epochs = [found.typical(r, linear_regime.SATURATION, "epoch") for r in (1e-10, 1e-8, 1e-6)]
    np.testing.assert_allclose(np.diff(epochs), -np.log2(100), atol=2.5)  # λ = ln 2
    assert all(found.count(r, linear_regime.SATURATION) > 150 for r in (1e-10, 1e-8, 1e-6))


def test_a_contracting_map_parts_by_rounding():
    # d = ε 2^−t falls below half a spacing, 2^−53, of weights that stay near 1; larger balls later.
    distances, growth, sizes = follow(
        lambda w: 1 + (w - 1) / 2, [1.3], (1e-12, 1e-10, 1e-8, 1e-6), epochs=EPOCHS
    )
    found = linear_regime.compare(distances, growth, sizes)
    assert found.cause[:, 0].tolist() == ["rounding"] * 3 + ["undecided"]
    assert (np.diff(found.epoch[:, 0]) > 0).all()
    assert (found.relative[:, 0] < 20 * 2.0**-52).all()


def test_a_fresh_vector_grows_where_the_followed_one_has_lost_its_part():
    epochs, n = 10, 3
    weights = torch.ones(epochs + 1, n, 2, dtype=torch.float64)

    def product(w, v):
        return w, v * torch.tensor([2.0, 1.0], dtype=torch.float64)

    followed, fresh = linear_regime.along_a_fresh_vector(
        product, weights, np.zeros((epochs + 1, n)), [10, 9, 3], back=5
    )
    np.testing.assert_array_equal(followed, 0)
    start = lyapunov.random_directions(weights[0])[:, 0].abs()
    for k, lag in enumerate((5, 5, 3)):  # the last parts sooner than a vector of 5 epochs could
        assert fresh[k] == pytest.approx(
            float(((2**lag * start[k, 0] + start[k, 1]) / start[k].sum()).log())
        )
    with pytest.raises(ValueError, match="epoch = nan"):
        linear_regime.along_a_fresh_vector(product, weights, np.zeros((11, n)), [10, np.nan, 3])


def test_causes_by_their_witnesses():
    never = np.nan
    epochs = np.array([[9, 3, 3, 9, never], [5, 5, 5, 5, never], [3, 9, 3, 9, 4]], float)
    found = linear_regime._causes(epochs)
    assert found[1].tolist() == ["saturation", "rounding", "undecided", "undecided", "never"]
    assert found[2, 4] == "saturation" and found[0, 4] == "never"


def simple():
    t = np.arange(40.0)[:, None]
    growth = np.tile(t * np.log(2), (1, 2))
    distances = {r: np.minimum(r * np.exp(growth), 1) for r in (1e-8, 1e-6, 1e-4)}
    return distances, growth


def test_windows_that_reach_past_the_parting():
    distances, growth = simple()
    found = linear_regime.compare(distances, growth, np.full_like(growth, 10.0))
    epoch = found.epoch[1, 0]
    assert epoch == 21 and found.relative[1, 0] == 0.1 and found.row(1e-6) == 1
    for stops, causes in (((epoch - 1, epoch), ["never", "saturation"]), ((-1, -1), ["never"] * 2)):
        fit = growth_fits.Fit("given", *np.zeros((3, 2)), np.array(stops), np.ones(2), ["", ""])
        assert found.in_window(fit, 1e-6).tolist() == causes
    table = found.table()
    assert table.loc["1e-06"].tolist() == [2, 0, 0, 0] and (table.sum(axis=1) == 2).all()
    assert found.count(1e-6, "saturation") == 2 and np.isnan(found.typical(1e-6, "rounding"))
    with pytest.raises(
        ValueError, match="radius 0.5 was not compared; compared are 1e-08, 1e-06, 0.0001"
    ):
        found.row(0.5)


def test_merged_copies_have_parted():
    distance = np.array([[1.0], [0.5], [0.0]])
    assert linear_regime.parting(distance, np.log([[1.0], [0.5], [0.25]])).tolist() == [2.0]


def test_tolerance_is_a_share():
    growth = np.zeros((3, 1))
    curve = np.array([[1.0], [1.05], [1.15]])
    assert linear_regime.parting(curve, growth).tolist() == [2.0]
    assert linear_regime.parting(curve, growth, 0.04).tolist() == [1.0]
    assert np.isnan(linear_regime.parting(curve, growth, 0.16)).all()


@pytest.mark.parametrize(
    ("distance", "growth", "message"),
    [
        (np.ones((5, 2)), np.zeros((5, 3)), "expected"),
        (np.full((5, 1), np.nan), np.zeros((5, 1)), "distance is nan at epoch 0, not finite"),
        (np.ones((5, 1)), np.full((5, 1), -np.inf), "log_growth is -inf"),
        (-np.ones((5, 1)), np.zeros((5, 1)), "negative"),
        (np.zeros((5, 1)), np.zeros((5, 1)), "below the resolution of the weights"),
    ],
)
def test_bad_curves(distance, growth, message):
    with pytest.raises(ValueError, match=message):
        linear_regime.parting(distance, growth)


def test_bad_comparisons():
    distances, growth = simple()
    good = np.ones_like(growth)
    with pytest.raises(ValueError, match="tolerance"):
        linear_regime.compare(distances, growth, good, np.inf)
    with pytest.raises(ValueError, match="three at least"):
        linear_regime.compare({1e-8: distances[1e-8], 1e-6: distances[1e-6]}, growth, good)
    with pytest.raises(ValueError, match="all positive"):
        linear_regime.compare(distances, growth, 0 * good)


def test_size_is_the_references_in_the_norm_of_the_distance(iris):
    balls = networks.perturbed(iris.initial(3, seed=0), 1e-2, 2)
    record = gradient_descent.run(
        gradient_descent.GradientDescent(iris, 1.0),
        balls,
        2,
        observe=("weights", linear_regime.size),
    )
    np.testing.assert_allclose(record["size"], np.abs(record["weights"][:, :, 0]).sum(-1))
