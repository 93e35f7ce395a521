"""Launch buttons: the addresses, and the line that installs the library there."""

import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat
import pytest
import yaml

from netdyn_lib.book import launch
from netdyn_lib.book.project import Project

ROOT = Path(__file__).resolve().parents[1]
PLACE = ("someone", "a-book", "main")


@pytest.mark.parametrize(
    "about, found",
    [
        ({}, None),
        ({"repository": {"url": ""}}, None),
        ({"repository": None}, None),
        # Colab and Binder read from GitHub
        ({"repository": {"url": "https://example.org/someone/a-book"}}, None),
        ({"repository": {"url": "https://github.com/someone/a-book"}}, PLACE),
        (
            {"repository": {"url": "https://github.com/someone/a.book.git", "branch": "v1"}},
            ("someone", "a.book", "v1"),
        ),
    ],
)
def test_the_repository_is_read_from_the_settings(about, found):
    assert launch.repository(about) == found


def test_the_books_own_setting_is_one_of_these():
    launch.repository(yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", Project(ROOT).names())
def test_addresses_name_files_that_are_there(name):
    found = launch.addresses(*PLACE, name)
    colab, binder = urlsplit(found["Colab"]), urlsplit(found["Binder"])
    assert colab.path.startswith("/github/someone/a-book/blob/main/")
    assert (ROOT / unquote(colab.path.split("/blob/main/")[1])).exists()
    assert binder.path == "/v2/gh/someone/a-book/main"
    (place,) = parse_qs(binder.query)["urlpath"]
    assert (ROOT / place.removeprefix("lab/tree/")).exists()
    assert all(url.scheme == "https" for url in (colab, binder))


def test_a_branch_with_a_slash_stays_one_name():
    assert "/a-book/feature%2Fx?" in launch.addresses("o", "a-book", "feature/x", "01")["Binder"]


def test_the_first_cell_fetches_the_checkout_and_installs_it():
    """As a whole, for claims and results are needed: only an editable install keeps them beside the
    library.
    """
    import tomllib

    clone, enter, install = launch.install(*PLACE).splitlines()
    assert (
        clone == "!git clone --quiet --depth 1 --branch main https://github.com/someone/a-book"
        and enter == "%cd a-book"
    )
    extras = re.fullmatch(r'%pip install --quiet --editable "\.\[(.+)\]"', install)[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extras in project["optional-dependencies"]


def test_binder_installs_the_requirements_and_the_library():
    lines = (ROOT / ".binder" / "requirements.txt").read_text().split()
    assert (
        lines == ["-r", "../requirements.txt"]
        and (ROOT / ".binder" / lines[1]).resolve() == ROOT / "requirements.txt"
    )
    script = ROOT / ".binder" / "postBuild"
    assert (
        "pip install --no-deps --no-build-isolation --editable ." in script.read_text()
        and script.stat().st_mode & 0o100
    )


def test_a_chapter_shows_them_below_its_title():
    nb = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A"), nbformat.v4.new_code_cell("1")]
    )
    assert len(launch.add(nb, None, "01_a").cells) == 2
    launch.add(nb, PLACE, "01_a")
    nbformat.validate(nb)
    assert launch.install(*PLACE) in nb.cells[1].source and all(
        url in nb.cells[1].source for url in launch.addresses(*PLACE, "01_a").values()
    )
