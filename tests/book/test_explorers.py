"""The numbers of the interactive pages are the library's."""

import base64
import dataclasses
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from netdyn_lib.book import explorers
from netdyn_lib.book.project import PipelineError
from netdyn_lib.experiments import sizes
from netdyn_lib.experiments.exponent_map import grid
from netdyn_lib.experiments.exponent_map import published as map_published
from netdyn_lib.experiments.learning_rate_sweep import published, responses
from netdyn_lib.figures import style
from netdyn_lib.lyapunov import growth_fits
from netdyn_lib.maps import bifurcations, one_dimensional
from netdyn_lib.tasks import networks, tasks
from netdyn_lib.training import gradient_descent

BOOK = Path(__file__).resolve().parents[2] / "book"
SIZE, CHAPTER = sizes.sizes("explorers"), sizes.sizes("01_toy_map")
FIELDS = ("estimate", "low", "high")


def close(found, wanted):
    """Equal to six digits, None standing for what is not finite."""
    found = np.array([np.nan if v is None else v for v in found], dtype=float)
    wanted = np.asarray(wanted, dtype=float)
    np.testing.assert_allclose(
        found, np.where(np.isfinite(wanted), wanted, np.nan), rtol=1e-5, atol=1e-300
    )


# Packing and scripts


def unpacked(pack):
    """The array that ``explorers.packed`` packed, to within half a step."""
    whole = np.frombuffer(base64.b64decode(pack["data"]), "<i2").reshape(pack["shape"])
    missing, least = whole == explorers.MISSING, whole == explorers.MINUS_INFINITY
    return np.where(missing, np.nan, np.where(least, -np.inf, whole * pack["step"]))


def test_packing_keeps_values_to_half_a_step():
    values = np.random.default_rng(0).normal(size=(3, 4, 5))
    values[0, 0, 0], values[1, 1, 1] = np.nan, -np.inf
    found = unpacked(explorers.packed(values, 1e-3))
    np.testing.assert_allclose(found, values, atol=0.5001e-3)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))


@pytest.mark.parametrize(
    ("value", "message"), [(32.767, "more than 32766 steps"), (np.inf, "no place in 16 bits")]
)
def test_what_cannot_be_packed_is_named(value, message):
    with pytest.raises(ValueError, match=message):
        explorers.packed([0.0, value], 1e-3)


def test_a_script_is_one_object():
    text = explorers.script("map", {"a": [1, None], "η": "x"})
    assert json.loads(re.search(r"netdynData\.map = (.*);\n$", text)[1]) == {
        "a": [1, None],
        "η": "x",
    }
    with pytest.raises(ValueError, match="not JSON compliant"):
        explorers.script("map", {"a": float("nan")})


def test_scripts_are_written_for_the_pages_there_are(tmp_path, monkeypatch):
    for folder in ("_static", "_generated"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(explorers, "toy_map", lambda: {"x": 1})
    monkeypatch.setattr(explorers, "iris_runs", lambda: (None, None, None))
    monkeypatch.setattr(explorers, "regimes", lambda *runs: {})
    explorers.write(tmp_path, tmp_path / "results")
    assert list((tmp_path / "_static").iterdir()) == []
    (tmp_path / "explore_map.md").write_text("# Map\n")
    explorers.write(tmp_path, tmp_path / "results")
    assert [path.name for path in (tmp_path / "_static").iterdir()] == ["explore_map_data.js"]


def test_pages_load_scripts_that_lie_there_or_are_written():
    pages = sorted(BOOK.glob("explore_*.md"))
    assert [page.stem for page in pages] == [
        "explore_exponents",
        "explore_map",
        "explore_sweeps",
        "explore_trajectories",
    ]
    for page in pages:
        loaded = re.findall(
            r'(?:src|href)="\.\./_static/([^"]+)"', page.read_text(encoding="utf-8")
        )
        assert f"{page.stem}_data.js" in loaded and f"{page.stem}.js" in loaded
        assert all(
            (BOOK / "_static" / name).exists() for name in loaded if not name.endswith("_data.js")
        )


def test_colours_of_the_light_theme_are_the_figures():
    css = (BOOK / "_static" / "explore.css").read_text(encoding="utf-8")
    colours = dict(
        re.findall(r"--explore-(blue|orange|green|pink|muted): (#\w+);", css.split("}")[0])
    )
    assert set(colours.values()) <= {*style.PALETTE, style.MUTED}
    assert len(set(colours.values())) == 5


# The map of exponents


def test_levels_of_the_picture_are_exponents_rounded_down(tmp_path):
    """Signs, and the side of 0.05, are those of the values."""
    one = grid.get("exponent-map")
    shape, rng = (1, one.side, one.side), np.random.default_rng(0)
    values = {name: rng.normal(0.02, 0.05, shape) for name in ("exponent", "late")}
    values["loss"] = rng.random(shape)
    variables = {name: (("draw", "scale", "rate"), v) for name, v in values.items()}
    about = dict(map=json.dumps(dataclasses.asdict(one)), provenance="made up", content="null")
    map_published.write(
        xr.Dataset(variables, grid.coordinates(one), about), tmp_path / map_published.SHELF.folder
    )
    data = explorers.exponents(tmp_path)
    picture = Image.open(io.BytesIO(base64.b64decode(data["png"])))
    found = (np.asarray(picture).astype(int) - data["zero"]) * data["step"]
    np.testing.assert_array_less(np.abs(found + 0.005 - values["exponent"][0]), 0.00501)
    assert ((found >= 0) == (values["exponent"][0] >= 0)).all()
    assert ((found >= data["threshold"] - 1e-12) == (values["exponent"][0] >= 0.05)).all()
    with pytest.raises(PipelineError, match="nothing to show"):
        explorers.exponents(tmp_path / "elsewhere")


# The cubic map


@pytest.fixture(scope="module")
def toy_map():
    return explorers.toy_map()


def test_exponents_of_the_map_are_the_librarys(toy_map):
    shown = unpacked(toy_map["exponent"])
    rates = one_dimensional.grid(*toy_map["range"], len(shown))
    some = np.arange(5, len(shown), 97)
    wanted = one_dimensional.lyapunov_exponent(
        one_dimensional.CUBIC, rates[some], toy_map["start"], toy_map["transient"], toy_map["steps"]
    )
    np.testing.assert_allclose(shown[some], wanted.value, atol=0.51e-3)
    np.testing.assert_array_equal(np.isnan(shown), rates > 2)


def heights(diagram, column):
    """The heights that are inked in one column of a bifurcation diagram, as weights."""
    pairs = np.frombuffer(base64.b64decode(diagram["ink"]), np.uint8).reshape(
        diagram["columns"], -1
    )
    ink = np.stack([pairs >> 4, pairs & 15], axis=-1).reshape(diagram["columns"], -1)
    return ((np.flatnonzero(ink[column]) + 0.5) / diagram["bins"] * 2 - 1) * diagram["span"]


def test_the_diagram_shows_cycles_where_they_are(toy_map):
    diagram = toy_map["diagram"]
    rates = one_dimensional.grid(*toy_map["range"], diagram["columns"])
    high = 2 * diagram["span"] / diagram["bins"]
    for rate, period in ((0.7, 1), (1.15, 2)):
        column = int(abs(rates - rate).argmin())
        cycle = one_dimensional.orbit(one_dimensional.CUBIC, rates[column], toy_map["start"], 2000)[
            -period:
        ]
        shown = heights(diagram, column)
        gaps = abs(shown[:, None] - cycle)
        assert (gaps.min(0) < high).all() and (gaps.min(1) < 2 * high).all()
    assert len(heights(diagram, int(abs(rates - 1.9).argmin()))) > diagram["bins"] / 2
    assert len(heights(diagram, diagram["columns"] - 1)) == 0  # escaped


def test_marks_of_the_map(toy_map):
    marks = {mark["name"]: mark["eta"] for mark in toy_map["marks"]}
    assert (
        marks["merging"]
        == pytest.approx(1.5 * 3**0.5 - 1, abs=1e-9)
        == bifurcations.merging(one_dimensional.CUBIC, low=1.0, high=2.0)
    )
    assert marks["escape"] == pytest.approx(2, abs=1e-9) and marks["η = 1"] == pytest.approx(
        1, abs=1e-9
    )
    assert 1.302 < marks["η∞"] < 1.303
    assert (
        toy_map["presets"][:-1] == list(CHAPTER.cobweb_rates)
        and toy_map["steps"] == CHAPTER.exponent_steps
    )


# Sweeps

NAMES = ("mnist-few", "mnist-sharpness", "cifar10-few")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the explorer gets of some published sweeps, by name."""
    root = tmp_path_factory.mktemp("results")
    for name in NAMES:
        (root / f"{name}.npz").write_bytes(published.path_of(name).read_bytes())
    return {sweep["name"]: sweep for sweep in explorers.sweeps(root)["sweeps"]}


@pytest.mark.parametrize("name", NAMES)
def test_exponents_and_shares_are_those_of_the_responses(shown, name):
    sweep, wanted = shown[name], responses.exponents(published.load(name))
    assert sweep["rates"] == wanted.rates.tolist()
    for quantity, intervals in (("exponent", wanted.exponent), ("share", wanted.share)):
        for found, interval in zip(
            sweep["quantities"][quantity]["interval"], intervals, strict=True
        ):
            close(found, [getattr(interval, field) for field in FIELDS])
    for k, slopes in enumerate(wanted.slopes):
        close(sweep["quantities"]["exponent"]["networks"][k], slopes)
        assert (
            sweep["quantities"]["exponent"]["keeps"][k]
            == sweep["quantities"]["share"]["networks"][k]
            == wanted.keeps[k].tolist()
        )
        assert len(slopes) == sum(sweep["present"][k])


def test_arrivals_are_those_of_the_responses(shown):
    data = published.load("mnist-few")
    small = sizes.sizes("05_mnist_cifar").small_target
    for target, wanted in (
        (0.9, responses.arrivals(data)),
        (small, responses.arrivals(data, target=small)),
    ):
        found = shown["mnist-few"]["quantities"][f"arrival {target:g}"]
        assert (found["target"], found["cap"]) == (target, wanted.cap)
        for k, times in enumerate(wanted.times):
            close(found["networks"][k], times[wanted.present[k]])
            close(found["interval"][k], [getattr(wanted.mean[k], field) for field in FIELDS])
            assert found["never"][k][0] == pytest.approx(np.isnan(times).mean())


def test_what_was_not_measured_is_not_shown(shown):
    assert "arrival 0.9" not in shown["mnist-sharpness"]["quantities"]
    assert {name for name, sweep in shown.items() if "sharpness" in sweep["quantities"]} == {
        "mnist-sharpness"
    }
    assert (
        sum(map(sum, shown["cifar10-few"]["present"]))
        == int(published.load("cifar10-few")["present"].sum())
        < 12
    )


def test_sharpness_is_in_units_of_the_edge(shown):
    data, found = (
        published.load("mnist-sharpness"),
        shown["mnist-sharpness"]["quantities"]["sharpness"],
    )
    epochs, scaled = responses.sharpness_at(data, 7.5)
    late = np.median(scaled[epochs >= 150], axis=0)
    close(found["networks"][2], late)
    assert found["interval"][2][0] == pytest.approx(np.median(late), rel=1e-3)
    close(np.ravel(found["curves"][2]), scaled.T.ravel())


@pytest.mark.parametrize("name", NAMES)
def test_curves_are_the_published_ones(shown, name):
    data, curves = published.load(name), shown[name]["curves"]
    assert curves["epochs"] == list(range(0, shown[name]["epochs"] + 1, curves["every"]))
    assert len(curves["epochs"]) <= SIZE.points
    logs = responses.log_mean_distance(data)[:, :: curves["every"]].transpose(0, 2, 1)
    there = np.broadcast_to(data["present"].values[:, :, None], logs.shape)
    found = unpacked(curves["distance"])
    np.testing.assert_allclose(found[there], logs[there], atol=0.51e-3)
    assert np.isnan(found[~there]).all()
    accuracy = (
        data["test_accuracy"].transpose("eta", "init", "epoch").values[:, :, :: curves["every"]]
    )
    np.testing.assert_allclose(
        unpacked(curves["test_accuracy"])[there], accuracy[there], atol=0.51e-4
    )
    loss = np.log(data["loss"].transpose("eta", "init", "epoch").values[:, :, :: curves["every"]])
    np.testing.assert_allclose(unpacked(curves["loss"])[there], loss[there], atol=0.51e-3)


def test_titles_name_data_and_network(shown):
    assert shown["mnist-few"]["title"] == "MNIST: 784-64-10 tanh"
    assert shown["cifar10-few"]["title"] == "CIFAR-10, 5,000 images: 3072-256-10 tanh"


def test_no_published_sweep_is_an_error(tmp_path):
    with pytest.raises(PipelineError, match="no sweep is published"):
        explorers.sweeps(tmp_path)


# Trajectories


@pytest.fixture(scope="module")
def short():
    """Trajectories of fewer epochs, and the sizes they have."""
    changed = dict(
        sizes._PAPER["explorers"],
        rates=(0.01, 5.0),
        conditions=2,
        every_epoch=60,
        epochs=90,
        exponent_epochs=60,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sizes._PAPER, "explorers", changed)
        size, _, record = explorers.iris_runs()
        return explorers.trajectories(size, record)


def test_trajectories_are_those_of_descent(short):
    task = tasks.get("iris")
    balls = networks.perturbed(task.initial(2), radius=SIZE.radius, copies=SIZE.copies)
    assert short["epochs"] == [*range(61), 75, 90] and short["parameters"] == 83
    for run in short["runs"]:
        record = gradient_descent.run(
            gradient_descent.GradientDescent(task, run["rate"]),
            balls,
            90,
            ("distance", "mean_distance", "loss", "weights"),
        )
        for k, one in enumerate(run["conditions"]):
            distance, loss = (
                record["distance"][short["epochs"], k].T,
                record["loss"][short["epochs"], k].T,
            )
            np.testing.assert_allclose(unpacked(one["distance"]), np.log(distance), atol=0.51e-3)
            np.testing.assert_allclose(unpacked(one["loss"]), np.log(loss), atol=0.51e-3)
            fit = growth_fits.best_fit(record["mean_distance"][:61, k])
            assert one["fit"]["exponent"] == pytest.approx(fit.slope[0], rel=1e-5)
            assert (one["fit"]["start"], one["fit"]["stop"], one["fit"]["kept"]) == (
                fit.start[0],
                fit.stop[0],
                fit.kept()[0],
            )
            places, shares = explorers.principal(record["weights"][short["epochs"], k])
            np.testing.assert_allclose(
                unpacked(one["projection"]),
                places.transpose(1, 2, 0),
                atol=abs(places).max() / 32000,
            )
            close(one["shares"], shares)


def test_principal_components_keep_distances_and_order():
    weights = np.random.default_rng(1).normal(size=(40, 3, 5)) * np.array([5, 3, 1, 0.5, 0.1])
    places, shares = explorers.principal(weights, components=5)
    flat = weights.reshape(-1, 5)
    np.testing.assert_allclose(
        np.linalg.norm(places.reshape(-1, 5), axis=1), np.linalg.norm(flat - flat.mean(0), axis=1)
    )
    np.testing.assert_allclose(shares.sum(), 1)
    assert (np.diff(shares) < 0).all() and (places[-1, 0] >= 0).all()
    np.testing.assert_allclose(shares, places.reshape(-1, 5).var(0) / flat.var(0).sum())


def test_a_diverged_network_has_no_projection():
    with pytest.raises(ValueError, match="diverged"):
        explorers.principal(np.full((2, 1, 3), np.inf))
