"""Generated parts of pages: folds under figures, citing, published results; nothing is markup."""

import datetime
import io
import re
import shlex

import docutils.core
import nbformat
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from myst_parser.parsers.docutils_ import Parser

import netdyn_lib
from netdyn_lib.book import notebooks, pages
from netdyn_lib.book.project import PipelineError, Project
from netdyn_lib.experiments import benchmarks
from netdyn_lib.figures import numbers
from netdyn_lib.results import claims, provenance, store

from . import small

PROJECT = Project(small.ROOT)
CITATION = pages.read_citation(small.ROOT / "CITATION.cff")
BAD = "<script>alert(1)</script> &\"' | `x` $y$ [z](javascript:1) *a* {{b}} {math}`c` <!-- \\"
BAD_RUN = dict.fromkeys(("profile", "device", "commit", "executed", "machine"), BAD)
BAD_RUN |= {"seed": 0, "duration_s": 1.0, "peak_mb": 2.0}
BAD_RUN |= {"versions": {BAD: BAD}, "modules": {BAD: "1"}}

# Folds under figures

RUN = small.RUN | {"seed": 3, "duration_s": 12.3, "machine": "a processor, 2 cores"}
RUN |= {"modules": {"one": "1", "two": "2"}}
TABLE = "# panel 1: y = loss\npanel,series,kind,x,y\n1,,line,0,2\n1,,line,1,4\n"


def fold(folder, run=RUN, now=RUN["modules"], table=TABLE, found=None):
    """The cell under the only figure of a notebook."""
    cell = nbformat.v4.new_code_cell("# | label: fig-x\n# | fig-cap: c\ndraw()")
    kept = {"numbers": table and numbers.packed(table), "sources": found}
    cell.metadata["netdyn"] = {name: value for name, value in kept.items() if value is not None}
    cells = [nbformat.v4.new_markdown_cell("# A"), cell, nbformat.v4.new_code_cell("1")]
    nb = nbformat.v4.new_notebook(cells=cells)
    nb.metadata["netdyn"] = run
    pages.add_folds(nb, "01_a", now, folder)
    assert [cell.cell_type for cell in nb.cells] == ["markdown", "code", "markdown", "code"]
    nbformat.validate(nb)
    return nb.cells[2].source


def test_a_fold_has_the_figures_numbers_run_and_command(tmp_path):
    text = fold(tmp_path)
    assert text.startswith(":::{dropdown} Numbers, run, command\n") and text.endswith("\n:::")
    way = "Profile laptop, device cpu (a processor, 2 cores), seed 3, commit `abc`, 2026-01-02; "
    assert f"{way}the whole chapter took 12 s." in text
    assert "What is drawn, 2 rows: {download}`fig-x.csv <numbers/01_a/fig-x.csv>`" in text
    table = pd.read_csv(tmp_path / "numbers" / "01_a" / "fig-x.csv", comment="#")
    assert table.equals(pd.read_csv(io.StringIO(TABLE), comment="#")) and "stale" not in text
    command = shlex.split(pages.command(RUN, "01_a"))
    assert command[0].endswith("papermill") and "notebooks/01_a.ipynb" in command
    given = [command[k + 1 : k + 3] for k, word in enumerate(command) if word == "-p"]
    assert given == [["profile", "laptop"], ["device", "cpu"], ["seed", "3"]]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, None),
        ([provenance.HERE], None),
        (["arms/usps.npz"], "Drawn from our stored runs, `arms/usps.npz` (see {doc}`the table of"),
        ([provenance.HERE, "a", "b"], "Partly drawn from our stored runs, `a`, `b` (see {doc}`"),
    ],
)
def test_what_was_drawn_from_published_numbers_is_said(found, said, tmp_path):
    text = fold(tmp_path, found=found)
    assert said in text if said else "published" not in text


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        (RUN["modules"], []),
        ({"one": "1", "two": "3"}, ["two"]),
        ({"one": "1"}, ["two"]),
        ({"one": "1", "two": "2", "three": "3"}, ["three"]),
    ],
)
def test_a_run_is_stale_where_a_module_has_changed(now, changed, tmp_path):
    assert pages.stale(RUN, now) == changed
    text = fold(tmp_path, now=now)
    assert text.splitlines()[0].endswith("{bdg-warning}`stale`") == bool(changed)
    assert all(f"`{module}`" in text for module in changed)


def test_an_older_run_says_that_it_kept_no_record_and_many_changes_are_counted(tmp_path):
    run = {field: RUN[field] for field in RUN if field not in ("modules", "machine")}
    text = fold(tmp_path, run, table=None)
    assert pages.stale(run, {}) is None and "`stale`" in text.splitlines()[0]
    assert all(
        part in text for part in ("older library", "device cpu, seed", "not kept by this run")
    )
    assert not (tmp_path / "numbers").exists()
    text = fold(tmp_path, now={f"m{k}": "0" for k in range(10)} | RUN["modules"])
    assert "`m5` and 4 more" in text and "`m6`" not in text


@pytest.mark.parametrize("name", PROJECT.names())
def test_committed_chapters_hold_the_numbers_of_every_figure(name):
    nb = notebooks.read(PROJECT.committed(name))
    for cell, label, *_ in notebooks.figures(nb):
        text = io.StringIO(numbers.unpacked(cell.metadata.netdyn.numbers))
        table = pd.read_csv(text, comment="#")
        assert len(table) and {"panel", "kind", "x", "y"} <= set(table), label
    assert nb.metadata.netdyn["modules"]


def test_the_front_figure_is_named(measured):
    with pytest.raises(PipelineError, match="asks for the figure 'fig-x'; the chapters have: none"):
        pages.front({"01_first": measured}, "fig-x")


# Nothing foreign is markup


def page(text):
    """The page that MyST makes of Markdown, without what Sphinx alone knows."""
    extensions = ["dollarmath", "colon_fence", "substitution"]
    told = {"report_level": 5, "myst_enable_extensions": extensions, "raw_enabled": True}
    told |= {"embed_stylesheet": False, "stylesheet_path": "", "xml_declaration": False}
    words = {"parser": Parser(), "writer_name": "html5", "settings_overrides": told}
    made = docutils.core.publish_string(text, **words).decode()
    return BeautifulSoup(made, "html.parser").find("body")


def harmless(soup):
    """Whether nothing of :data:`BAD` became markup, and its words are there."""
    markup = soup.find_all(["script", "math", "em"]) + soup.find_all(class_="math")
    return not markup and not soup.find_all("a", href=True) and "alert(1)" in soup.get_text()


def results(folder):
    """One published file of each kind, with metadata that would be markup."""
    about = dict.fromkeys(("task", "data", "provenance"), BAD)
    many = about | {"steps": 3, "count": 1, "parameters": 2, "conditions": 1, "epochs": 4}
    machine = {"device": BAD, "cuda": "12", "processor": BAD, "torch": BAD}
    group = {"data": BAD, "machine": machine, "last": BAD, "commit": BAD, "seconds": 1.0}
    sweep = {"task": BAD, "rates": [1.0], "conditions": 1, "copies": 1, "epochs": 1}
    kinds = {
        "sweep": {"sweep": sweep, "provenance": [group]},
        "campaign": {"campaign": {"count": 1, "steps": 2}, "provenance": BAD},
        "arms": about | {"arms": [], "steps": [1]},
        "twins": {"attributes": many | {"epsilon": 1.0}},
        "spectra": {"attributes": many | {"interval": 1.0}},
        "leading": {"attributes": many},
    }
    for name, meta in kinds.items():
        store.write_archive(folder / "kinds" / f"{name}.npz", {"x": [1.0]}, meta)
    row = benchmarks.Row("w", "r", (1.0,), (2.0,), "s")
    speeds = benchmarks.Results(machine | {"date": BAD, "commit": BAD}, (row,), ())
    benchmarks.save(folder / "bench" / "cpu.json", speeds)
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


def chapter(run):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One")])
    nb.metadata.netdyn = run
    return nb


@pytest.mark.parametrize(
    "text",
    [
        lambda: pages.runs_shown({"01": chapter(BAD_RUN)}),
        lambda: pages.runs_kept([BAD_RUN | {"chapter": BAD, "rows": []}], [], {}),
        lambda: pages.described(BAD_RUN),
        lambda: "\n".join(pages._published([BAD])),
    ],
)
def test_runs_show_how_they_were_made_as_written(text):
    made = text().replace("[One](../notebooks/01.ipynb)", "One")
    soup = page(re.sub(r"\{(download|doc)\}`[^`]*`", "", made))
    assert harmless(soup)
    assert len({len(row.find_all(["th", "td"])) for row in soup.find_all("tr")}) <= 1


def test_pages_say_which_chapters_show_their_committed_run():
    here, committed = chapter(small.RUN | {"key": "1"}), chapter(small.RUN)
    said = "the run that is committed with the repository; it was not executed to build these"
    for part in (pages.runs_shown, lambda runs: pages.summary([], runs)):
        assert f"Shown of every chapter: {said}" in part({"01": committed, "02": committed})
        assert f"Shown of One: {said}" in part({"01": here, "02": committed})
        assert "committed" not in part({"01": here, "02": here})


def test_the_command_that_repeats_a_run_runs_nothing_else():
    words = shlex.split(pages.command(BAD_RUN | {"profile": "a; b"}, "01"))
    assert words[-9:] == ["-p", "profile", "a; b", "-p", "device", BAD, "-p", "seed", "0"]


def test_claims_show_as_written():
    fields = ("id", "paper", "figure", "statement", "rule", "saw", "source", "paper_value")
    row = dict.fromkeys((*fields, "chapter", "shown", "profile", "device", "commit"), BAD)
    row |= {"measured": 1.0, "low": None, "high": None, "interval_kind": None, "verdict": BAD}
    made = claims.table([row], lambda row: BAD, {BAD: [row]})
    assert "<script" not in made and "&lt;script&gt;alert(1)" in made
    soup = BeautifulSoup(made, "html.parser")
    assert soup.find("tr", attrs={"data-paper": BAD}) and soup.find("b").get_text() == BAD
    # A line of backticks in it would end the block of HTML.
    one = row | {"saw": "a\n```\nb", "chapter": "01"}
    text = pages.table([one], {"01": chapter(BAD_RUN)})
    assert text.count("\n```\n") == 2 and "<script>" not in text


def test_cells_of_a_scorecard_have_roles_and_the_name_of_their_column():
    """On a telephone the style sheet stacks the cells of a row."""
    row = dict.fromkeys(("id", "figure", "statement", "rule", "saw", "paper_value"), "x")
    row |= dict.fromkeys(("measured", "low", "high", "interval_kind"), None)
    row |= {"source": provenance.HERE, "verdict": "partly"}
    table = BeautifulSoup(claims.table([row]), "html.parser").table
    assert table["role"] == "table" and {one["role"] for one in table.find_all("tr")} == {"row"}
    assert {cell["role"] for cell in table.find_all("th")} == {"columnheader"}
    cells = [(cell["role"], cell["data-column"]) for cell in table.find_all("td")]
    assert cells == [("cell", name) for name in ("claim", "paper", "ours", "verdict")]


def test_a_citation_shows_as_written():
    cited = {"authors": [{"name": BAD}], "title": BAD, "version": BAD}
    soup = page(pages.sentence(cited | {"date-released": datetime.date(2026, 1, 2)}))
    assert not soup.find_all(["script", "a"]) and soup.get_text().count(BAD) == 3
    assert page(pages.code("a`b|c")).find(class_="literal").get_text() == "a b c"
    assert page(pages.code("``")).get_text().strip() == "–"


# Published results


def test_published_results_are_listed_with_their_provenance(tmp_path):
    assert pages.published(tmp_path) == "Nothing is published yet.\n"
    folder = PROJECT.book / "results"
    text = pages.published(folder)
    paths = [path.relative_to(folder) for path in folder.rglob("*.npz")]
    assert paths and all(f"<results/{path}>" in text for path in paths)
    assert "leading exponents and sharpness" in text
    for name, said in (("gpu.json", b"nothing"), ("x.npz", b"nothing")):
        (tmp_path / "bench").mkdir(exist_ok=True)
        (tmp_path / "bench" / name).write_bytes(said)
        with pytest.raises(PipelineError, match=name):
            pages.published(tmp_path)


# Citing


def test_bibtex_has_every_work_once():
    text = pages.bibtex(CITATION)
    keys = re.findall(r"^@(\w+)\{(\w+),$", text, flags=re.M)
    papers = ["danovski2024", "jimenez2025", "sharafi2024", "herrmann2022"]
    assert keys[0] == ("software", "netdyn2026") and [key for _, key in keys[1:]] == papers
    assert text.count("\n}\n") == len(keys) and text.count("{") == text.count("}")
    for line in (
        f"version = {{{netdyn_lib.__version__}}}",
        "author = {{The netdyn companion authors}}",
        "author = {Danovski, Kaloyan and Soriano, Miguel C. and Lacasa, Lucas}",
    ):
        assert f"  {line},\n" in text
    other = CITATION | {"references": [CITATION["references"][0] | {"type": "map"}]}
    with pytest.raises(PipelineError, match="no BibTeX entry is known for the type 'map'"):
        pages.bibtex(other)


def test_a_file_that_lacks_what_is_cited_is_an_error(tmp_path):
    path = tmp_path / "CITATION.cff"
    for text, said in (
        ("title: x\n", "CITATION.cff lacks authors, version, date-released"),
        ("title: [\n", "CITATION.cff, line 2, column 1: no YAML"),
    ):
        path.write_text(text)
        with pytest.raises(PipelineError, match=said):
            pages.read_citation(path)


def test_what_the_pages_include_is_staged(measured):
    runs = {"01_first": small.with_figure(measured)}
    made, wanted = pages.citing(PROJECT, runs), set()
    for page in ("citing.md", "index.md"):
        text = (PROJECT.book / page).read_text(encoding="utf-8")
        wanted |= set(re.findall(r"\{include\} _generated/(\S+)", text))
    assert wanted - made.keys() == {"front.md", "strip.md", "summary.md"} and made.keys() <= wanted
    text = made["citing-figure.md"]
    assert "`fig-x`" in text and "`abc`" in text and f"Version {netdyn_lib.__version__}" in text
    with pytest.raises(PipelineError, match="no chapter has a figure"):
        pages.one_figure(CITATION, {})
    assert "<http" not in pages.reporting("") and "](" not in pages.reporting("")


def test_the_references_are_the_four_papers_and_the_address_is_that_of_the_settings():
    papers = yaml.safe_load((PROJECT.book / "claims.yml").read_text(encoding="utf-8"))["papers"]
    text = (PROJECT.book / "references.bib").read_text(encoding="utf-8")
    book = {}
    for key, entry in re.findall(r"@\w+\{(\w+),\n(.*?)\n\}", text, flags=re.S):
        fields = dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", entry, flags=re.M))
        families = [name.partition(",")[0] for name in fields["author"].split(" and ")]
        title = re.sub("[{}]", "", fields["title"]).casefold()
        book[key] = title, families, int(fields["year"])
    cited = []
    for work in CITATION["references"]:
        families = [author["family-names"] for author in work["authors"]]
        cited.append((work["title"].casefold(), families, work["year"]))
    del papers["O"]  # the companion itself
    assert len(cited) == 4 and sorted(cited) == sorted(book[key] for key in papers.values())
    settings = yaml.safe_load((small.ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert CITATION.get("repository-code", "") == settings["repository"]["url"]
