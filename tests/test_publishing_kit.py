"""Workflows, issue forms, devcontainer and CONTRIBUTING.md: their forms, and what they name."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from netdyn_lib.book import __main__ as book

ROOT = Path(__file__).resolve().parents[1]
FLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MAKE = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
each = pytest.mark.parametrize("name", sorted(FLOWS))


def runs(flow):
    return [
        step["run"]
        for job in flow["jobs"].values()
        for step in job.get("steps", ())
        if "run" in step
    ]


@each
def test_a_workflow_has_little_permission_and_pinned_actions(name):
    flow = FLOWS[name]
    assert flow["permissions"] == {"contents": "read"} and flow["name"] == name
    assert name == "awake" or {"group", "cancel-in-progress"} == flow["concurrency"].keys()
    for key, job in flow["jobs"].items():
        assert job.get("permissions") == (
            {"pages": "write", "id-token": "write"} if key == "deploy" else None
        )
        assert "uses" in job or job["timeout-minutes"] <= 120
        for use in [job, *job.get("steps", ())]:
            if "uses" in use:
                local = use["uses"].startswith("./")
                assert (
                    (ROOT / use["uses"]).exists()
                    if local
                    else re.fullmatch(r"actions/[\w-]+@v\d+", use["uses"])
                )


@each
def test_a_workflow_sleeps_until_the_address_is_set(name):
    """Every job waits for the switch, or calls a workflow whose jobs do."""
    for key, job in FLOWS[name]["jobs"].items():
        if (name, key) == ("awake", "read") or "uses" in job:
            continue
        asked = job["needs"]
        assert job["if"] == f"needs.{asked}.outputs.here == 'true'"
        called = FLOWS[Path(FLOWS[name]["jobs"][asked]["uses"]).stem]
        assert "here" in called[True]["workflow_call"]["outputs"]  # YAML takes on for true


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ('""', "false"),
        ("https://github.com/Owner/book", "true"),
        ('"https://github.com/owner/book/"', "true"),
        ("https://github.com/owner/book2", "false"),
        ("https://github.com/fork/book", "false"),
    ],
)
def test_the_switch_is_the_address_of_this_very_repository(tmp_path, url, here):
    text = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert (
        yaml.safe_load(text)["repository"]["branch"] == FLOWS["pages"][True]["push"]["branches"][0]
    )
    text = re.sub(r"^(repository:\n  url:).*", rf"\1 {url}", text, flags=re.M)
    (tmp_path / "_config.yml").write_text(text, encoding="utf-8")
    said = {"GITHUB_OUTPUT": str(tmp_path / "out"), "GITHUB_REPOSITORY": "owner/book"}
    said["GITHUB_SERVER_URL"] = "https://github.com"
    (script,) = runs(FLOWS["awake"])
    subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=os.environ | said, check=True)
    assert (tmp_path / "out").read_text() == f"here={here}\n"


def test_workflows_and_the_devcontainer_call_what_there_is():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    calls = [
        container["postCreateCommand"],
        *(call for flow in FLOWS.values() for call in runs(flow)),
    ]
    assert {".ci/run", "make book", "make book FRESH=1"} <= set(calls)
    assert set(re.findall(r"\bmake ([a-z]+)", " ".join(calls))) - {"chromium"} <= MAKE
    for words in re.findall(r"-m netdyn_lib\.book (.*)", "\n".join(calls)):
        assert book.parser().parse_args(words.split())
    version = (ROOT / ".binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f":{version}-" in container["image"]
    steps = [
        step
        for flow in FLOWS.values()
        for job in flow["jobs"].values()
        for step in job.get("steps", ())
    ]
    pythons = {
        step["with"]["python-version"] for step in steps if "python-version" in step.get("with", {})
    }
    assert pythons == {version}


@pytest.mark.parametrize("path", FORMS, ids=[path.stem for path in FORMS])
def test_an_issue_form_has_what_github_asks(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"] and form["description"]
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids) > 2
    for part in form["body"]:
        assert part["type"] in ("input", "textarea", "dropdown") and part["attributes"]["label"]
        assert (part["type"] == "dropdown") == ("options" in part["attributes"])
    assert any(part.get("validations", {}).get("required") for part in form["body"])


def test_contributing_names_what_there_is():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake ([a-z]+)", text)) <= MAKE
    flows = {f"{name}.yml" for name in FLOWS if name != "awake"}
    assert all(f"(`{flow}`)" in text for flow in flows)
    paths = {word for word in re.findall(r"`([\w./]+)`", text) if "/" in word or "." in word}
    paths -= flows | {"sitemap.xml", "notebooks/NN_name.py", ".ipynb"}
    missing = {path for path in paths if not (ROOT / path).exists()}
    assert len(paths) > 8 and missing == set()
