"""Claims: ranges, verdicts, the scorecard, and the book's own claims file."""

import json
from pathlib import Path

import pytest
import xarray as xr
import yaml

from netdyn_lib.results import claims, provenance
from netdyn_lib.statistics import intervals

ROOT = Path(__file__).resolve().parents[1]

FILE = """
claims:
  - {id: A, paper: D, figure: Fig 1, chapter: one, statement: s, paper_value: 1, quantity: q,
     reproduced: [0.9, 1.1], partly: [0.5, null]}
  - {id: B, paper: J, figure: Fig 2, chapter: one, statement: "a < b", paper_value: null, quantity: r,
     reproduced: [null, 0]}
  - {id: C, paper: J, figure: Fig 3, chapter: two, statement: t, paper_value: x, quantity: r, reproduced: [0, 1]}
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
    card.measure(id, *values, **options)
    return card.measurements[id]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.9, "reproduced"),
        (1.1, "reproduced"),
        (1.2, "partly"),
        (0.5, "partly"),
        (0.49, "not reproduced"),
    ],
)
def test_verdict_is_decided_by_the_ranges(card, value, verdict):
    assert entered(card, "A", value).verdict == verdict


def test_a_claim_without_a_partly_range_is_reproduced_or_not(card):
    assert entered(card, "B", 0).verdict == "reproduced"
    assert entered(card, "B", 1e-12).verdict == "not reproduced"


def test_a_scorecard_shows_a_table_and_data(card):
    card.measure("A", 1, 0.95, 1.05)
    card.measure("B", 2, saw="two")
    bundle = card._repr_mimebundle_()
    assert bundle["text/plain"] == "A: reproduced\nB: not reproduced"
    assert "a &lt; b" in bundle["text/html"]
    assert "1 [0.95, 1.05]" in bundle["text/html"]
    rows = json.loads(json.dumps(bundle[claims.MIME]))
    assert [(row["id"], row["verdict"], row["saw"]) for row in rows] == [
        ("A", "reproduced", ""),
        ("B", "not reproduced", "two"),
    ]


def test_measuring_shows_nothing(card):
    assert card.measure("A", 1) is None


@pytest.mark.parametrize("value", [0.6, 0.1])
def test_a_claim_that_is_not_reproduced_says_what_was_seen(card, value):
    card.measure("B", 0)
    card.measure("A", value, saw=" ")
    for shown in (card.rows, card.verdicts, card._repr_mimebundle_):
        with pytest.raises(
            ValueError,
            match=rf"one does not say what was seen instead \(saw=\): A \(.*, measured {value}\)",
        ):
            shown()
    card.measure("A", value, saw="something else")
    assert card.rows()[0]["saw"] == "something else"


def test_an_interval_has_a_kind(card):
    assert entered(card, "A", 1).row()["interval_kind"] is None
    assert entered(card, "A", 1, 0.95, 1.05).row()["interval_kind"] == "95%"
    card.measure("A", 1, 0.9995, 1.0005, interval="numerical")
    card.measure("B", -1, -1.5, -0.5)
    rows = card.rows()
    assert [row["interval_kind"] for row in rows] == ["numerical", "95%"]
    assert ">1.0000 ± 5e-04 numerical</td>" in claims.table(rows)
    assert ">-1 [-1.5, -0.5]</td>" in claims.table(rows)
    with pytest.raises(
        ValueError, match="'A': unknown kind of interval 'sd'; known: 95%, numerical"
    ):
        card.measure("A", 1, 0.9, 1.1, interval="sd")


def test_an_unmeasured_claim_is_named(card):
    card.measure("A", 1)
    with pytest.raises(ValueError, match="one has not measured: B"):
        card.rows()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measurement_is_finite(card, value):
    with pytest.raises(ValueError, match="is not finite"):
        card.measure("A", value)


def test_a_claim_that_could_not_be_tested_says_why_and_decides_nothing(card):
    nan = float("nan")
    with pytest.raises(ValueError, match="is not finite; say in untested="):
        card.measure("A", nan, nan, nan, saw="nothing")
    found = entered(card, "A", nan, nan, nan, saw="something", untested=" no network arrives ")
    assert (found.verdict, found.measured, found.low, found.saw) == (
        "not tested",
        None,
        None,
        "no network arrives",
    )
    assert not found.decisive
    # a number is judged, whatever would have been said without
    card.measure("B", 0, untested="never needed")
    assert (
        card.verdicts() == "A: not tested\nB: reproduced"
        and card.verdicts(decisive=True) == "B: reproduced"
    )
    rows = json.loads(json.dumps(card.rows(), allow_nan=False))
    assert (
        rows[0]["measured"] is None
        and rows[0]["verdict"] in claims.VERDICTS
        and rows[0]["interval_kind"] is None
    )
    html = claims.table(rows)
    assert (
        ">–</td>" in html and "Seen: no network arrives" in html and "verdict-not-tested" in html
    )


def test_a_quantity_of_too_few_values_is_not_tested_whatever_it_is(card):
    three = intervals.share_interval([True, True, False])
    found = entered(card, "A", *three, saw="Two of three.")
    assert (found.verdict, found.measured, found.low, found.high) == (
        "not tested",
        None,
        None,
        None,
    )
    assert (
        found.saw
        == "Too few values for an interval, and so for a verdict; their estimate is 0.667. Two of three."
    )
    # a number that needs no interval
    assert entered(card, "A", three.estimate).verdict != "not tested"


def test_an_interval_is_the_right_way_round(card):
    with pytest.raises(ValueError, match=r"\[2.0, 1.0\] is the wrong way round"):
        card.measure("A", 1, 2, 1)


def test_a_chapter_measures_only_its_own_claims(card):
    with pytest.raises(KeyError, match="'C' is not a claim of one; its claims: A, B"):
        card.measure("C", 0)


def test_a_chapter_without_claims_is_named(file):
    with pytest.raises(ValueError, match="no claim names the chapter 'three'"):
        claims.Scorecard("three", file)


def test_one_id_stands_once(file):
    file.write_text(FILE.replace("id: B", "id: A"), encoding="utf-8")
    with pytest.raises(ValueError, match="'A' stands twice"):
        claims.load(file)


@pytest.mark.parametrize("partly", ["[1.0, 2]", "[0.95, null]", "[null, 1.0]"])
def test_the_partly_range_contains_the_reproduced_one(file, partly):
    file.write_text(FILE.replace("[0.5, null]", partly), encoding="utf-8")
    with pytest.raises(ValueError, match="must contain reproduced"):
        claims.load(file)


def test_a_missing_file_says_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="part of the companion's repository"):
        claims.load(tmp_path / "none.yml")


def test_the_books_claims_are_complete():
    path = ROOT / "book" / "claims.yml"
    known = claims.load(path)
    papers = yaml.safe_load(path.read_text(encoding="utf-8"))["papers"]
    chapters = {source.stem for source in (ROOT / "notebooks").glob("[0-9][0-9]_*.py")}
    references = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    assert known
    for claim in known.values():
        assert claim.paper in papers, claim.id
        assert claim.chapter in chapters, claim.id
        assert all((claim.figure, claim.statement, claim.quantity)), claim.id
    # A chapter that repeats no paper has nothing to claim.
    assert chapters - {claim.chapter for claim in known.values()} == {
        "08_your_own_network",
        "09_performance",
    }
    assert all(f"{{{key}," in references for key in papers.values())


def test_a_verdict_is_decisive_where_the_whole_interval_shares_it(card):
    assert entered(card, "A", 1.0, 0.95, 1.05).decisive
    assert not entered(card, "A", 1.0, 0.8, 1.05).decisive
    assert entered(card, "B", 0).decisive  # no interval, nothing to cross
    card.measure("A", 1.0, 0.8, 1.05)
    assert (
        card.verdicts() == "A: reproduced\nB: reproduced"
        and card.verdicts(decisive=True) == "B: reproduced"
    )


def test_a_measurement_says_where_its_numbers_come_from(card):
    published = provenance.published_in(xr.Dataset(), Path("results/arms/usps.npz"))
    assert entered(card, "A", 1.0).row()["source"] == "computed here"
    assert (
        entered(card, "A", 1.0, source=[published, xr.Dataset()]).row()["source"]
        == "published in arms/usps.npz; computed here"
    )
    assert (
        entered(card, "B", float("nan"), untested="no data", source=published).row()["source"]
        == "published in arms/usps.npz"
    )
    rows = [row | dict(profile="laptop", device="cpu") for row in card.rows()]
    assert [claims.origin(row) for row in rows] == [
        "published in arms/usps.npz; laptop, cpu",
        "published in arms/usps.npz",
    ]
    assert "published in arms/usps.npz; laptop, cpu" in claims.table(rows)


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
    found = entered(
        card, "A", 1.0, 0.95, 1.05, saw="More.", readings=dict(zip(("one", "two"), others))
    )
    assert found.verdict == found.row()["verdict"] == verdict and found.decisive
    assert not entered(card, "A", 1.0, 0.8, 1.05, readings={"one": 1.0}).decisive
    assert entered(card, "B", 1.0, readings={"one": 2.0}).verdict == "not reproduced"


def test_readings_are_told_by_verdict(card):
    found = entered(
        card, "A", 1.0, saw="More.", readings={"one": 1.0, "two": 0.6, "three": 0.95, "four": 0.1}
    )
    assert (
        found.saw
        == "Reproduced: one 1.00, three 0.95; partly: two 0.60; not reproduced: four 0.10. More."
    )
    found = entered(card, "A", 1.0, readings={"one": 1.0, "two": float("nan")})
    assert (
        found.saw == "Reproduced: one 1.00; not tested: two nan." and found.verdict == "reproduced"
    )
