"""Maps of exponents, published, found again and recomputed."""

import dataclasses

import numpy as np
import pytest

from netdyn_lib.experiments import campaign
from netdyn_lib.experiments.exponent_map import grid, published

SMALL = grid.ExponentMap("small", "iris", 6, 8, (0.1, 2.0), (0.5, 2.0), draws=(0, 3), rows=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    campaign.run(SMALL, folder)
    return campaign.load(SMALL, folder)


def test_axes_are_even_in_the_logarithm_and_rows_lie_in_order(data):
    np.testing.assert_allclose(np.diff(np.log(data.rate)), np.log(20) / 5)
    assert data.exponent.dims == ("draw", "scale", "rate")
    alone = SMALL.networks(_task(), 3, data.scale.values[5], data.rate.values[[1]])
    np.testing.assert_allclose(data.exponent.sel(draw=3)[5, 1], alone[0][0], rtol=1e-9)


def _task():
    from netdyn_lib.tasks import tasks

    return tasks.get("iris")


def test_published_maps_are_found_again_and_recomputed(data, tmp_path):
    published.write(data, tmp_path)
    there = published.load("small", tmp_path)
    assert published.experiment(there) == SMALL
    for name, (unit, steps, _) in published.STEPS.items():
        lost = (data[name] - there[name]).values
        assert lost.min() > -1e-9 and lost.max() <= unit / steps
    about = campaign.plan(SMALL, tmp_path / "none").jobs[SMALL.pieces()[0]].identity()
    assert published.known(SMALL, tmp_path, about) == SMALL.pieces()
    assert published.known(dataclasses.replace(SMALL, epochs=9), tmp_path, about) == []
    assert published.recompute("small", "token", tmp_path).agrees
    published.write(data.assign(exponent=data.exponent + 0.01), tmp_path)
    assert not published.recompute("small", "token", tmp_path).agrees


def test_numbers_out_of_bounds_are_refused():
    for wrong in (dict(rates=(2.0, 1.0)), dict(scales=(0.0, 1.0)), dict(side=1), dict(epochs=1)):
        with pytest.raises(ValueError):
            dataclasses.replace(SMALL, **wrong)
    with pytest.raises(ValueError, match="known: exponent-map"):
        grid.get("unheard")
