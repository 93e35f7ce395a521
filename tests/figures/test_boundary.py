"""Figures of chapter 11 plot what they are given."""

import numpy as np

from netdyn_lib.figures import boundary, numbers

RATES, SCALES = np.geomspace(0.1, 10, 5), np.geomspace(0.1, 10, 4)


def test_a_map_notes_its_values_at_their_places():
    values = np.arange(20.0).reshape(4, 5) / 100 - 0.1
    found = numbers.table(
        boundary.maps({"one": (RATES, SCALES, values), "two": (RATES, SCALES, values)})
    )
    first = found[found.panel == 1].pivot(index="y", columns="x", values="value")
    np.testing.assert_allclose(first.values, values)


def test_kinds_are_two_bits():
    chaotic, failed = np.indices((4, 5)) % 2 == 1
    fig = boundary.kinds(
        {"a": (RATES, SCALES, chaotic, failed), "b": (RATES, SCALES, chaotic, failed)}
    )
    found = numbers.table(fig)
    first = found[found.panel == 1].pivot(index="y", columns="x", values="value").values
    np.testing.assert_array_equal(first, 2 * chaotic + failed)
    assert list(boundary.KINDS)[3] == "above, failed"


def test_growth_is_in_units_of_its_start():
    values = np.array([[[2.0, 4.0], [8.0, 16.0]]])  # one rate, two epochs, two networks
    fig = boundary.growth(
        {"t": np.array([0, 1])}, {"t": {"weights": values, "logits": values}}, [1]
    )
    found = numbers.table(fig)
    assert found[(found.kind == "line") & (found.panel == 1)].y.tolist() == [1, 4]


def test_boxes_and_rates_show_medians_and_every_dimension():
    fig = boundary.boxes((1, 2, 4), {"x": np.array([16, 8, 4])}, {"x": 1.0, "draws": [1.1, 1.2]})
    found = numbers.table(fig)
    assert found[(found.panel == 1) & (found.series == "x")].y.tolist() == [4, 2, 1]
    assert sorted(found[(found.panel == 2) & (found.kind == "points")].x) == [1.0, 1.1, 1.2]
    pairs = {"copy": np.array([[1.0, 2.0, 3.0]] * 5)}
    found = numbers.table(boundary.over_rates({"t": RATES}, {"t": [pairs]}, ["d"], 0.5))
    assert found[found.kind == "line"].y.tolist() == [2.0] * 5


def test_functions_plot_each_pair():
    one = np.array([0.1, 1.0]), np.array([0.2, 0.9]), np.array([1.0, 5.0])
    found = numbers.table(boundary.functions({"a": one, "b": one}))
    assert found[(found.panel == 2) & (found.kind == "points")].y.tolist() == [0.2, 0.9]
