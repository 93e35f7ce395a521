"""Names, notes and origins in published results and runs show on the pages as they are written:
nothing in them is markup.
"""

import datetime
import shlex

import docutils.core
import nbformat
import pytest
from bs4 import BeautifulSoup
from myst_parser.parsers.docutils_ import Parser

from netdyn_lib.book import beneath, citing, foreign, pages
from netdyn_lib.experiments import benchmarks
from netdyn_lib.results import claims, store

BAD = "<script>alert(1)</script> &\"' | `x` $y$ [z](javascript:1) *a* {{b}} {math}`c` <!-- \\"
RUN = {
    "profile": BAD,
    "device": BAD,
    "seed": 0,
    "commit": BAD,
    "executed": BAD,
    "duration_s": 1.0,
    "peak_mb": 2.0,
    "machine": BAD,
    "versions": {BAD: BAD},
    "modules": {BAD: "1"},
}


def page(text):
    """The page that MyST makes of Markdown, without what Sphinx alone knows."""
    told = {
        "report_level": 5,
        "myst_enable_extensions": ["dollarmath", "colon_fence", "substitution"],
        "raw_enabled": True,
    }
    settings = {"embed_stylesheet": False, "stylesheet_path": "", "xml_declaration": False} | told
    made = docutils.core.publish_string(
        text, parser=Parser(), writer_name="html5", settings_overrides=settings
    ).decode()
    return BeautifulSoup(made, "html.parser").find("body")


def harmless(soup):
    """Whether nothing of :data:`BAD` became markup, and its words are there."""
    found = [node.name for node in soup.find_all(["script", "math", "em"])]
    return (
        not found
        and not soup.find_all(class_="math")
        and not soup.find_all("a", href=True)
        and "alert(1)" in soup.get_text()
    )


def results(folder):
    """One published file of each kind, with metadata that would be markup."""
    about = {
        "task": BAD,
        "data": BAD,
        "provenance": BAD,
        "steps": 3,
        "count": 1,
        "parameters": 2,
        "conditions": 1,
        "epochs": 4,
    }
    machine = {"device": BAD, "cuda": "12", "processor": BAD, "torch": BAD}
    group = {"data": BAD, "machine": machine, "last": BAD, "commit": BAD, "seconds": 1.0}
    sweep = {"task": BAD, "rates": [1.0], "conditions": 1, "copies": 1, "epochs": 1}
    kinds = {
        "sweep": {"sweep": sweep, "provenance": [group]},
        "campaign": {"campaign": {"count": 1, "steps": 2}, "provenance": BAD},
        "arms": {
            "arms": [],
            "steps": [1],
            **{name: BAD for name in ("task", "data", "provenance")},
        },
        "twins": {"attributes": about | {"epsilon": 1.0}},
        "spectra": {"attributes": about | {"interval": 1.0}},
        "leading": {"attributes": about},
    }
    for name, meta in kinds.items():
        store.write_archive(folder / "kinds" / f"{name}.npz", {"x": [1.0]}, meta)
    row = benchmarks.Row("w", "r", (1.0,), (2.0,), "s")
    benchmarks.save(
        folder / "bench" / "cpu.json",
        benchmarks.Results(machine | {"date": BAD, "commit": BAD}, (row,), ()),
    )
    return [*kinds, "cpu"]


def test_published_results_show_their_metadata_as_written(tmp_path):
    names = results(tmp_path)
    soup = page(pages.published(tmp_path))
    assert harmless(soup) and "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in str(soup)
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in soup.select("tbody tr")]
    # In words all of it is there; in letters of code a backtick and a bar are blanks.
    assert sorted(row[0] for row in rows) == sorted(names) and {len(row) for row in rows} == {4}
    assert all(BAD in row[1] for row in rows if row[0] not in ("campaign", "cpu"))
    assert all(BAD in row[2] for row in rows if row[0] not in ("sweep", "cpu"))


def chapter():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One")])
    nb.metadata.netdyn = RUN
    return nb


@pytest.mark.parametrize(
    "text",
    [
        lambda: pages.runs({"01": chapter()}),
        lambda: pages.recorded([RUN | {"chapter": BAD, "rows": []}], [], {}),
        lambda: beneath.described(RUN),
        lambda: "\n".join(beneath._published([BAD])),
    ],
)
def test_runs_show_how_they_were_made_as_written(text):
    made = text().replace("[One](../notebooks/01.ipynb)", "One")
    soup = page(
        made.replace("{download}`runs.csv <_generated/runs.csv>`", "").replace(
            "{doc}`the table of files <../book/published>`", ""
        )
    )
    assert harmless(soup)
    if soup.find("table"):
        assert len({len(row.find_all(["th", "td"])) for row in soup.find_all("tr")}) == 1


def test_the_command_that_repeats_a_run_runs_nothing_else():
    words = shlex.split(beneath.command(RUN | {"profile": "a; b"}, "01"))
    assert words[-9:] == ["-p", "profile", "a; b", "-p", "device", BAD, "-p", "seed", "0"]


def test_claims_show_as_written():
    row = {
        name: BAD
        for name in (
            "id",
            "paper",
            "figure",
            "statement",
            "rule",
            "saw",
            "source",
            "paper_value",
            "chapter",
            "profile",
            "device",
            "shown",
        )
    }
    row |= {
        "verdict": "reproduced",
        "measured": 1.0,
        "low": None,
        "high": None,
        "interval_kind": None,
    }
    made = claims.table([row | {"verdict": BAD}], lambda row: BAD, {BAD: [row | {"verdict": BAD}]})
    assert "<script" not in made and "&lt;script&gt;alert(1)" in made
    soup = BeautifulSoup(made, "html.parser")
    assert soup.find("tr", attrs={"data-paper": BAD}) and soup.find("b").get_text() == BAD
    # A line of backticks in it would end the block of HTML.
    text = pages.table([row | {"saw": "a\n```\nb", "chapter": "01"}], {"01": chapter()})
    assert text.count("\n```\n") == 2 and "<script>" not in text


def test_a_citation_shows_as_written():
    cited = {
        "authors": [{"name": BAD}],
        "title": BAD,
        "version": BAD,
        "date-released": datetime.date(2026, 1, 2),
    }
    soup = page(citing.sentence(cited))
    assert not soup.find_all(["script", "a"]) and soup.get_text().count(BAD) == 3


def test_letters_of_code_stay_one_piece():
    assert (
        page(foreign.code("a`b|c")).find(class_="literal").get_text() == "a b c"
        and page(foreign.code("``")).get_text().strip() == "–"
    )
