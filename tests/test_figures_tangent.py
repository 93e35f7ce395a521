"""Figures of spectra, neutral directions and leading exponents: what is drawn is what was given."""

import numpy as np
import pytest
import xarray as xr

from netdyn_lib.experiments.neutral_directions import Blocks, Directions
from netdyn_lib.experiments.spectra import Stretches
from netdyn_lib.figures import tangent as figures
from tests.examples import labelled

SIZE = 7


def stretches(networks, seed=0):
    draw = np.random.default_rng(seed)
    return Stretches(draw.normal(size=(networks, SIZE)), draw.normal(size=(networks, SIZE)) / 100)


def directions(shares):
    shares = np.array(shares, float)
    nothing = np.full_like(shares, np.nan)
    return Directions(nothing, np.isfinite(shares), shares, nothing[:, 0], nothing, nothing[:, 0])


def curves(axis):
    """Lines of an axis but for a zero line."""
    return [line for line in axis.lines if line.get_color() != figures.MUTED]


def test_iris_has_a_row_for_each_rate():
    spectra = {0.01: stretches(2), 5.0: stretches(3, 1)}
    shares = {
        0.01: [[0, 0.5, 0.99, 1, 1 + 1e-12, 0.3, 0.2]] * 2,
        5.0: [[1.0] * SIZE, [np.nan] * SIZE],
    }
    fig = figures.iris(spectra, {rate: directions(values) for rate, values in shares.items()})
    axes = np.reshape(labelled(fig), (2, 3))
    for row, (rate, found) in enumerate(spectra.items()):
        for axis, exponents in zip(axes[row], (found.early, found.late)):
            for line, wanted in zip(curves(axis), exponents, strict=True):
                np.testing.assert_array_equal(line.get_xdata(), np.arange(1, SIZE + 1))
                np.testing.assert_array_equal(line.get_ydata(), wanted)
            assert axis.get_yscale() == "symlog"
        assert axes[row, 0].get_ylabel().endswith(f"= {rate:g}")
    assert [a.get_title() for a in axes[0]] == ["first epochs", "late", "neutral span"]
    heights = [[p.get_height() for p in axis.patches] for axis in axes[:, 2]]
    assert sum(heights[0]) == 14, "a share that rounding lifts above 1 is not drawn"
    assert heights[0][-1] == 6 and sum(heights[1]) == heights[1][-1] == 7
    assert axes[1, 2].get_xlabel() == "share in neutral span"


@pytest.mark.filterwarnings("error")
def test_iris_of_networks_that_overflowed():
    lost = np.full((2, SIZE), np.nan)
    axes = labelled(figures.iris({1e4: Stretches(lost, lost)}, {1e4: directions(lost)}))
    assert len(axes) == 3 and sum(p.get_height() for p in axes[2].patches) == 0


def blocks(kinds):
    """Of networks of seven weights, the first three inner, with three vectors that are not neutral:
    of rates 0.2, −0.1 and −0.3.
    """
    m = len(kinds)
    growth = np.tile([0.2, 0, 1e-4, 0, -0.1, -0.3, 0], (m, 1))
    flat = np.abs(growth) < 1e-3
    draw = np.random.default_rng(0)
    local = np.where(flat[:, None], np.nan, draw.normal(size=(m, 60, SIZE)))
    nothing = np.full(m, np.nan)
    found = Directions(growth, flat, np.zeros((m, SIZE)), nothing, growth, nothing)
    numbers = np.arange(m)
    return Blocks(
        np.array(kinds),
        numbers,
        60 * numbers,
        found,
        1e-3,
        nothing,
        nothing,
        local,
        draw.uniform(size=(m, SIZE)),
        *[nothing] * 4,
        3,
    )


def test_phases_has_a_row_for_each_kind_there_is():
    found = blocks([0, 3, 3, 4])
    axes = np.reshape(labelled(fig := figures.phases(found)), (3, 3))
    assert [a.get_ylabel() for a in axes[:, 0]] == ["fixed", "irregular", "burst"]
    for row, members in zip(axes, ([0], [1, 2], [3])):
        spectra = [line for line in row[0].lines if line.get_linestyle() == "None"]
        shares = [line for line in row[2].lines if len(line.get_xdata()) == SIZE]
        for k, spectrum, share in zip(members, spectra, shares, strict=True):
            np.testing.assert_array_equal(spectrum.get_xdata(), np.arange(1, SIZE + 1))
            np.testing.assert_array_equal(
                spectrum.get_ydata(), np.sort(found.directions.growth[k])[::-1]
            )
            np.testing.assert_array_equal(share.get_ydata(), found.weights[k])
        most, least = curves(row[1])
        np.testing.assert_array_equal(most.get_ydata(), found.local[members[0], :, 0])
        np.testing.assert_array_equal(least.get_ydata(), found.local[members[0], :, 5])
        (border,) = [line for line in row[2].lines if len(line.get_xdata()) == 2]
        assert border.get_xdata()[0] == 3.5 and row[0].get_yscale() == "symlog"
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["grows most", "grows least"]


@pytest.mark.filterwarnings("error")
def test_phases_where_one_direction_or_none_is_not_neutral():
    found = blocks([1, 2])
    found.local[0, :, [4, 5]] = found.local[1] = np.nan
    axes = np.reshape(labelled(figures.phases(found)), (2, 3))
    (only,) = curves(axes[0, 1])
    np.testing.assert_array_equal(only.get_ydata(), found.local[0, :, 0])
    assert not curves(axes[1, 1])


def along(rates, count=3, lost=()):
    """As from ``leading.along_training``: exponents and sharpness that differ everywhere; ``lost``
    rates overflow in the second stretch.
    """
    exponent = np.random.default_rng(0).normal(size=(len(rates), 4, 2, count))
    sharp = np.random.default_rng(1).uniform(0.6, 3, (len(rates), 5, 2))
    for rate in lost:
        exponent[rates.index(rate), 1:], sharp[rates.index(rate), 2:] = np.nan, np.nan
    coords = {
        "eta": list(rates),
        "end": np.arange(0, 41, 10),
        "stretch": np.arange(5.0, 40, 10),
        "index": np.arange(1, count + 1),
    }
    dims = ("eta", "stretch", "init", "index")
    return xr.Dataset(
        {"exponent": (dims, exponent), "sharpness": (("eta", "end", "init"), sharp)}, coords
    )


def test_leading_has_a_column_for_each_rate_of_each_task():
    first, second = along((0.5, 2.5)), along((10.0,), count=2)
    fig = figures.leading({"digits": first, "mnist": second})
    axes = np.reshape(labelled(fig), (2, 3))
    assert [a.get_title() for a in axes[0]] == [
        "digits\n" + r"$\eta$ = 0.5",
        "digits\n" + r"$\eta$ = 2.5",
        "mnist\n" + r"$\eta$ = 10",
    ]
    for column, (data, rate) in enumerate([(first, 0.5), (first, 2.5), (second, 10.0)]):
        above, below = axes[:, column]
        part = data.sel(eta=rate)
        lines = curves(above)
        assert len(lines) == len(data["index"])
        for k, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_xdata(), data["stretch"])
            np.testing.assert_allclose(
                line.get_ydata(), part["exponent"].isel(index=k).mean("init")
            )
        (frozen,) = [line for line in above.lines if line.get_linestyle() == ":"]
        wanted = np.maximum(0, np.log(np.abs(1 - rate * part["sharpness"] * 2 / rate))).mean("init")
        np.testing.assert_allclose(frozen.get_ydata(), wanted)
        np.testing.assert_array_equal(frozen.get_xdata(), data["end"])
        for k, line in enumerate(below.lines[:2]):
            np.testing.assert_array_equal(line.get_ydata(), part["sharpness"].isel(init=k))
        np.testing.assert_array_equal(below.lines[2].get_ydata(), [1, 1])
        assert below.get_yscale() == "log" and below.get_xlabel() == "epoch"
    names = [text.get_text() for text in fig.legends[0].get_texts()]
    assert names == [r"$\lambda_1$", r"$\lambda_2$", r"$\lambda_3$", "frozen curvature"]


@pytest.mark.filterwarnings("error")
def test_leading_at_the_frozen_zero_and_of_networks_that_overflowed():
    data = along((0.5, 10.0), lost=[10.0])
    data["sharpness"][0] = 0.5  # the multiplier is 0
    axes = np.reshape(labelled(figures.leading({"digits": data})), (2, 2))
    (frozen,) = [line for line in axes[0, 0].lines if line.get_linestyle() == ":"]
    assert (frozen.get_ydata() == 0).all()
    assert np.isnan(curves(axes[0, 1])[0].get_ydata()).tolist() == [False, True, True, True]
