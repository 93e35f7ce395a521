"""Whether numbers say where they come from."""

from pathlib import Path

import nbformat
import pytest
import xarray as xr

from netdyn_lib.book import notebooks
from netdyn_lib.experiments.learning_rate_sweep import published as sweeps
from netdyn_lib.experiments.learning_rate_sweep import results
from netdyn_lib.experiments.outcome_prediction import published as campaigns
from netdyn_lib.experiments.pruning_ablation import published as arms
from netdyn_lib.figures import style
from netdyn_lib.results import datasets, provenance

ROOT = Path(__file__).resolve().parent.parent
HERE = xr.Dataset({"loss": ("step", [1.0])})
PUBLISHED = provenance.published_in(HERE, Path("book/results/arms/usps.npz"))


def test_a_dataset_says_in_which_file_it_was():
    assert provenance.of(PUBLISHED) == ("arms/usps.npz",) and provenance.of(HERE) == (
        provenance.HERE,
    )
    assert provenance.of(provenance.published_in(HERE, Path("/some/place/results/digits.npz"))) == (
        "digits.npz",
    )
    assert provenance.of(provenance.published_in(HERE, Path("/some/place/twins/usps.npz"))) == (
        "twins/usps.npz",
    )
    assert provenance.of(
        provenance.published_in(HERE, Path("/results/companion/book/results/twins/usps.npz"))
    ) == ("twins/usps.npz",)


def test_sources_of_many_each_once_in_order():
    other = results.Result("digits", HERE, "computed here", "")
    missing = results.Result("mnist", None, "missing", "")
    assert provenance.of({"a": PUBLISHED, "b": [other, (PUBLISHED, None)]}, missing) == (
        "arms/usps.npz",
        provenance.HERE,
    )
    assert provenance.of() == provenance.of(missing) == (provenance.HERE,)


def test_what_does_not_know_is_refused():
    with pytest.raises(TypeError, match="float does not say where its numbers come from"):
        provenance.of(1.0)


def test_every_loader_of_published_results_says_so(tmp_path):
    shelf = datasets.Shelf("twins")
    shelf.publish(HERE, "usps", tmp_path)
    assert provenance.of(shelf.published(tmp_path)) == (f"{tmp_path.name}/usps.npz",)
    assert provenance.of(campaigns.load("ridge-tanh-normal")) == ("outcomes/ridge-tanh-normal.npz",)
    assert provenance.of(arms.load("usps")) == ("arms/usps.npz",)
    assert provenance.of(sweeps.load("digits")) == ("digits.npz",)


def test_a_figure_says_what_it_shows():
    with style.figure() as (figure, axes):
        axes[0, 0].plot([1], [2])
    assert provenance.of_figure(figure) == (provenance.HERE,)
    assert provenance.shown(figure, PUBLISHED) is figure and provenance.of_figure(figure) == (
        "arms/usps.npz",
    )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("0*.ipynb")), ids=lambda path: path.stem
)
def test_figures_whose_captions_speak_of_published_results_name_their_data(path):
    """A caption is prose; that what it says is kept beside the figure is not left to the author's
    memory.
    """
    nb = nbformat.read(path, 4)
    for cell, name, caption, *_ in notebooks.figures(nb):
        if "ublished" in caption:
            assert "sources.shown(" in cell.source, name
            if "where" not in caption:
                assert any(
                    source.endswith((".npz", ".json")) for source in cell.metadata.netdyn.sources
                ), name
