"""Figures of the exponents of mini-batch descent: what is drawn is what was given."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from netdyn_lib.curvature.batch_noise import Batches
from netdyn_lib.figures import hessian as figures
from tests.examples import labelled

TIMES = np.array([10, 20, 40, 80, 160])


def spectra(count=6, parameters=6):
    draw = np.random.default_rng(0)
    dims = ("network", "time", "index")
    values = {
        name: (dims, -np.sort(-draw.normal(size=(3, 5, count))))
        for name in ("exponent", "local", "qr")
    }
    return xr.Dataset(
        values,
        {"time": TIMES, "index": np.arange(1, count + 1)},
        dict(count=count, parameters=parameters),
    )


@pytest.mark.filterwarnings("error")
def test_exponents():
    data = spectra()
    left, right = labelled(figures.exponents(data))
    lines = [line for line in left.lines if line.get_color() != figures.MUTED]
    assert [line.get_label() for line in lines] == ["10", "20", "40", "160"]
    np.testing.assert_allclose(lines[3].get_ydata(), data["exponent"].mean("network").isel(time=-1))
    drawn = [line.get_ydata() for line in right.lines if line.get_color() != figures.MUTED]
    for found, (name, index) in zip(
        drawn, (("exponent", 0), ("local", 0), ("exponent", -1)), strict=True
    ):
        np.testing.assert_allclose(found, data[name].isel(index=index).mean("network"))
    few = labelled(figures.exponents(spectra(3), times=(20, 80)))
    assert len(few[0].lines) == 3 and len(few[1].lines) == 3, (
        "the smallest of three is not the smallest of all"
    )


def table(names, levels, **extra):
    rows = [
        {levels[0]: name, "time": t, "overlap": 0.9 - k / 10, "chance": 0.1, **extra}
        for k, name in enumerate(names)
        for t in (5, 10)
    ]
    return pd.DataFrame(rows).set_index(list(levels))


@pytest.mark.filterwarnings("error")
def test_stabilising():
    found = table(["leading", "chaotic"], ("subspace", "time"), converged=True)
    found.loc[("leading", 10), "converged"] = False
    (axis,) = labelled(figures.stabilising(found))
    open_ = [
        line
        for line in axis.lines
        if line.get_marker() == "o"
        and line.get_markerfacecolor() == "white"
        and len(line.get_xdata())
    ]
    assert [line.get_xdata().tolist() for line in open_] == [[10]]
    batch = table(["negative", "positive"], ("class", "time")).rename(
        columns={"chance": "chance in range"}
    )
    assert len(labelled(figures.stabilising(found, batch))) == 2


@pytest.mark.filterwarnings("error")
def test_noise():
    found = Batches((), (np.array([-2.0, -1]), np.empty(0)), (np.array([-0.5, 0.1]), np.empty(0)))
    first, second = labelled(figures.noise({"early": found, "none": Batches((), (), ())}))
    points = next(line for line in first.lines if line.get_marker() == "o")
    assert points.get_xydata().tolist() == [[-2, -0.5], [-1, 0.1]]
    assert (first.get_title(), second.get_title()) == ("early", "none")


@pytest.mark.filterwarnings("error")
def test_maps():
    growth = np.arange(12.0).reshape(3, 2, 2)
    data = xr.Dataset(
        {"growth": (("map", "network", "time"), growth)},
        {"map": ["plain", "pruned", "fixed"], "time": [5, 10]},
    )
    fig = figures.maps(data)
    (axis,) = labelled(fig)
    for line, values in zip(axis.lines, growth.mean(1)):
        np.testing.assert_allclose(line.get_ydata(), values)
    assert [text.get_text() for text in fig.legends[0].get_texts()][1] == "pruned, true derivative"
