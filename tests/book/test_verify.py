"""The archive's own check, on a small archive."""

import json

import pytest

from netdyn_lib.book import verify

PAGE = '<html><body id="top"><a href="{}">x</a><img src="a%20b.png"></body></html>'
ROOT = dict.fromkeys(verify.ROOT, "x") | {"@id": "./", "hasPart": [{"@id": "data.npz"}]}
CRATE = [{"@id": verify.CRATE, "about": {"@id": "./"}}, ROOT, {"@id": "data.npz", "@type": "File"}]


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "site" / "deep").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text(
        '<meta http-equiv="Refresh" content="0; url=deep/page.html" />'
    )
    (tmp_path / "site" / "deep" / "page.html").write_text(PAGE.format("../index.html"))
    (tmp_path / "site" / "deep" / "a b.png").write_bytes(b"png")
    (tmp_path / "data.npz").write_bytes(b"numbers")
    (tmp_path / verify.CRATE).write_text(json.dumps({"@graph": CRATE}))
    seal(tmp_path)
    return tmp_path


def seal(folder):
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name != verify.SUMS
    )
    lines = [f"{verify.digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    (folder / verify.SUMS).write_text("".join(lines))


def test_a_whole_archive_passes(archive, capsys):
    assert verify.main(archive) == 0
    assert capsys.readouterr().out.startswith("OK: 5 files")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("missing.html", "leads nowhere"),
        ("#nowhere", "no such place"),
        ("../index.html#nowhere", "no such place"),
        ("../../data.npz", "leads out of site/"),
        ("http://[", "no address"),
    ],
)
def test_a_link_that_leads_nowhere_fails(archive, capsys, address, said):
    (archive / "site" / "deep" / "page.html").write_text(PAGE.format(address))
    seal(archive)
    assert verify.main(archive) == 1
    assert f"site/deep/page.html: {said}: {address}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "address",
    ["https://example.org/x", "mailto:a@example.org", "#top", "page.html#top", "..", "data:,x"],
)
def test_other_links_pass(archive, address):
    (archive / "site" / "deep" / "page.html").write_text(PAGE.format(address))
    seal(archive)
    assert verify.main(archive) == 0


@pytest.mark.parametrize("text", ["", "abc  data.npz\n", "\n"])
def test_a_damaged_list_fails(archive, text):
    (archive / verify.SUMS).write_text(text)
    assert verify.main(archive) == 1


def test_no_list_fails(archive, capsys):
    (archive / verify.SUMS).unlink()
    assert verify.main(archive) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_many_problems_are_counted(archive, capsys):
    for k in range(30):
        (archive / f"extra{k}").write_text("")
    assert verify.main(archive) == 1
    said = capsys.readouterr().out.splitlines()
    assert len(said) == verify.SHOWN + 2 and said[-2:] == [
        "and 10 more",
        "FAILED: 30 problems in 5 files",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"@id": "other.npz"}, "leads to what it does not describe: data.npz"),
        ({"@id": "gone.npz"}, "describes what is missing: gone.npz"),
        ({"@id": "./"}, "describes something twice"),
        ({"author": {"name": "x"}}, "data.npz leads to what it does not describe: "),
        ({"@id": None}, "is no RO-Crate: "),
    ],
)
def test_a_crate_that_describes_something_else_fails(archive, capsys, change, said):
    nodes = [*CRATE[:2], CRATE[2] | change]
    nodes = [{key: value for key, value in node.items() if value} for node in nodes]
    (archive / verify.CRATE).write_text(json.dumps({"@graph": nodes}))
    seal(archive)
    assert verify.main(archive) == 1
    assert said in capsys.readouterr().out
