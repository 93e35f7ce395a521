"""Claims: ranges, verdicts, the scorecard, and the book's own claims file."""

import json
from pathlib import Path

import pytest
import xarray as xr
import yaml

from netdyn_lib.results import claims, provenance
from netdyn_lib.statistics import intervals

ROOT = Path(__file__).resolve().parents[2]
NAN = float("nan")

FILE = """
claims:
  - {id: A, paper: D, figure: Fig 1, chapter: one, statement: s, paper_value: 1, quantity: q,
     reproduced: [0.9, 1.1], partly: [0.5, null]}
  - {id: B, paper: J, figure: Fig 2, chapter: one, statement: "a < b", paper_value: null,
     quantity: r, reproduced: [null, 0]}
  - {id: C, paper: J, figure: Fig 3, chapter: two, statement: t, paper_value: x, quantity: r,
     reproduced: [0, 1]}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture
def card(file):
    return claims.Scorecard("one", file)


def entered(card, id, *values, **options):
    assert card.measure(id, *values, **options) is None  # a cell that ends in it shows nothing
    return card.measurements[id]


@pytest.mark.parametrize(
    ("id", "value", "verdict"),
    [
        ("A", 0.9, "reproduced"),
        ("A", 1.1, "reproduced"),
        ("A", 1.2, "partly"),
        ("A", 0.5, "partly"),
        ("A", 0.49, "not reproduced"),
        ("B", 0, "reproduced"),
        ("B", 1e-12, "not reproduced"),
    ],
)
def test_verdict_is_decided_by_the_ranges(card, id, value, verdict):
    assert entered(card, id, value).verdict == verdict


def test_a_scorecard_shows_a_table_and_data(card):
    card.measure("A", 1, 0.9995, 1.0005, interval="numerical")
    card.measure("B", 2, 1.5, 2.5, saw="two")
    bundle = card._repr_mimebundle_()
    assert bundle["text/plain"] == "A: reproduced\nB: not reproduced"
    html = bundle["text/html"]
    assert "a &lt; b" in html and "Seen: two" in html
    assert ">1.0000 ± 5e-04 numerical</td>" in html and ">2 [1.5, 2.5]</td>" in html
    rows = json.loads(json.dumps(bundle[claims.MIME]))
    assert [(row["id"], row["verdict"], row["saw"], row["interval_kind"]) for row in rows] == [
        ("A", "reproduced", "", "numerical"),
        ("B", "not reproduced", "two", "95%"),
    ]
    assert entered(card, "A", 1).row()["interval_kind"] is None


@pytest.mark.parametrize("value", [0.6, 0.1])
def test_a_claim_that_is_not_reproduced_says_what_was_seen(card, value):
    card.measure("B", 0)
    card.measure("A", value, saw=" ")
    told = rf"one does not say what was seen instead \(saw=\): A \(.*, measured {value}\)"
    for shown in (card.rows, card.verdicts, card._repr_mimebundle_):
        with pytest.raises(ValueError, match=told):
            shown()
    card.measure("A", value, saw="something else")
    assert card.rows()[0]["saw"] == "something else"


def test_a_verdict_on_another_task_than_the_papers_names_it(file):
    text = FILE.replace("quantity: q,", "quantity: q, judged_on: our task,")
    file.write_text(text, encoding="utf-8")
    card = claims.Scorecard("one", file)
    card.measure("A", 2, saw="two")
    card.measure("B", 0)
    assert card.verdicts() == "A: partly on our task\nB: reproduced"
    assert [row["judged_on"] for row in card.rows()] == ["our task", None]
    assert "partly</span><br><small>on our task</small>" in claims.table(card.rows())


def test_a_claim_that_could_not_be_tested_says_why_and_decides_nothing(card):
    options = dict(saw="something", untested=" no network arrives ")
    found = entered(card, "A", NAN, NAN, NAN, **options)
    assert (found.verdict, found.measured, found.low) == ("not tested", None, None)
    assert found.saw == "no network arrives" and not found.decisive
    # a number is judged, whatever would have been said without
    card.measure("B", 0, untested="never needed")
    assert card.verdicts() == "A: not tested\nB: reproduced"
    assert card.verdicts(decisive=True) == "B: reproduced"
    rows = json.loads(json.dumps(card.rows(), allow_nan=False))
    assert rows[0]["measured"] is rows[0]["interval_kind"] is None
    html = claims.table(rows)
    assert ">–</td>" in html and "Seen: no network arrives" in html and "verdict-not-tested" in html


def test_a_quantity_of_too_few_values_is_not_tested_whatever_it_is(card):
    three = intervals.share_interval([True, True, False])
    found = entered(card, "A", *three, saw="Two of three.")
    assert (found.verdict, found.measured, found.low) == ("not tested", None, None)
    few = "Too few values for an interval, and so for a verdict; their estimate is 0.667."
    assert found.saw == f"{few} Two of three."
    # a number that needs no interval
    assert entered(card, "A", three.estimate).verdict != "not tested"


def test_a_run_with_other_sizes_judges_no_claim(file):
    card = claims.Scorecard("one", file, changed={"epochs": 5})
    found = entered(card, "A", 1.0, 0.9, 1.1)
    assert found.verdict == "not tested" and "(epochs = 5)" in found.saw


def test_a_verdict_is_decisive_where_the_whole_interval_shares_it(card):
    assert entered(card, "A", 1.0, 0.95, 1.05).decisive
    assert entered(card, "B", 0).decisive  # no interval, nothing to cross
    assert not entered(card, "A", 1.0, 0.8, 1.05).decisive
    assert card.verdicts() == "A: reproduced\nB: reproduced"
    assert card.verdicts(decisive=True) == "B: reproduced"


def test_a_measurement_says_where_its_numbers_come_from(card):
    published = provenance.published_in(xr.Dataset(), Path("results/arms/usps.npz"))
    card.measure("A", 1.0, source=[published, xr.Dataset()])
    card.measure("B", NAN, untested="no data", source=published)
    rows = [row | dict(profile="laptop", device="cpu") for row in card.rows()]
    sources = ["stored in arms/usps.npz; computed here", "stored in arms/usps.npz"]
    assert [row["source"] for row in rows] == sources
    shown = [source.replace("computed here", "laptop, cpu") for source in sources]
    assert [claims.origin(row) for row in rows] == shown and shown[0] in claims.table(rows)
    assert entered(card, "A", 1.0).row()["source"] == "computed here"


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ((0.95, 1.1), "reproduced"),
        ((0.95, 0.6), "partly"),
        ((0.95, 0.1), "partly"),
        ((0.6, 0.5), "partly"),
    ],
)
def test_readings_that_differ_in_verdict_are_partly(card, others, verdict):
    readings = dict(zip(("one", "two"), others))
    found = entered(card, "A", 1.0, 0.95, 1.05, saw="More.", readings=readings)
    assert found.verdict == found.row()["verdict"] == verdict and found.decisive
    assert not entered(card, "A", 1.0, 0.8, 1.05, readings={"one": 1.0}).decisive
    assert entered(card, "B", 1.0, readings={"one": 2.0}).verdict == "not reproduced"


def test_readings_are_told_by_verdict(card):
    readings = {"one": 1.0, "two": 0.6, "three": 0.95, "four": 0.1}
    told = "Reproduced: one 1.00, three 0.95; partly: two 0.60; not reproduced: four 0.10. More."
    assert entered(card, "A", 1.0, saw="More.", readings=readings).saw == told
    found = entered(card, "A", 1.0, readings={"one": 1.0, "two": NAN})
    assert found.saw == "Reproduced: one 1.00; not tested: two nan."
    assert found.verdict == "reproduced"


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda card: card.measure("A", NAN, saw="nothing"), ValueError, "not finite; say in unt"),
        (lambda card: card.measure("A", float("inf")), ValueError, "is not finite"),
        (lambda card: card.measure("A", 1, 2, 1), ValueError, r"\[2.0, 1.0\] is the wrong way ro"),
        (lambda card: card.measure("A", 1, interval="sd"), ValueError, "kind of interval 'sd'; k"),
        (
            lambda card: card.measure("C", 0),
            KeyError,
            "'C' is not a claim of one; its claims: A, B",
        ),
        (lambda card: card.rows(), ValueError, "one has not measured: A, B"),
        (lambda card: claims.Scorecard("three", card.path), ValueError, "the chapter 'three'"),
        (lambda card: claims.load("none.yml"), FileNotFoundError, "part of the companion's repos"),
    ],
)
def test_bad_measurements_are_named(card, call, error, match):
    with pytest.raises(error, match=match):
        call(card)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("id: B", "id: A", "entry 2 of its claims: claim 'A' stands twice"),
        ("[0.5, null]", "[1.0, 2]", "must contain reproduced"),
        ("[0.5, null]", "[0.95, null]", "must contain reproduced"),
        ("[0.5, null]", "[null, 1.0]", "must contain reproduced"),
    ],
)
def test_bad_files_are_named(file, old, new, match):
    file.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=match):
        claims.load(file)


def test_the_books_claims_are_complete():
    path = ROOT / "book" / "claims.yml"
    known = claims.load(path).values()
    papers = yaml.safe_load(path.read_text(encoding="utf-8"))["papers"]
    chapters = {source.stem for source in (ROOT / "notebooks").glob("[0-9][0-9]_*.py")}
    references = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    for claim in known:
        assert claim.paper in papers and claim.chapter in chapters, claim.id
        assert all((claim.figure, claim.statement, claim.quantity)), claim.id
    # A chapter that repeats no paper has nothing to claim.
    silent = {"08_your_own_network", "09_performance"}
    assert chapters - {claim.chapter for claim in known} == silent
    assert all(f"{{{key}," in references for key in papers.values())
