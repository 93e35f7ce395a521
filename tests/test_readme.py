"""The README: its code runs, its figure and its numbers are those of the committed notebooks."""

import re
from pathlib import Path

import torch

from netdyn_lib.book import notebooks, readme, scorecard
from netdyn_lib.book.project import Project

ROOT = Path(__file__).parent.parent
PROJECT = Project(ROOT)
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LOOP, OWN = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)


def test_it_is_short_and_its_links_lead_to_files():
    assert len(TEXT.splitlines()) <= 90
    links = re.findall(r"\]\(((?!https?:)[^)]+)\)", TEXT)
    assert len(links) > 4 and [link for link in links if not (ROOT / link).is_file()] == []


def test_its_figure_and_numbers_are_those_of_the_committed_notebooks():
    """`make notebooks` writes them; `python -m netdyn_lib.book readme` does it alone."""
    runs = {name: notebooks.executed(PROJECT.committed(name)) for name in PROJECT.names()}
    picture, alt = readme.front(PROJECT, runs)
    assert (ROOT / readme.PICTURE).read_bytes() == picture
    rows = scorecard.gather(runs, PROJECT.book / "claims.yml")
    assert readme.filled(TEXT, rows, alt) == TEXT
    assert f"![{alt}]({readme.PICTURE})" in TEXT and len(alt) > 20
    found = TEXT.partition("## What was found")[2].partition("## ")[0]
    assert len(re.findall(r"<!-- [\w -]+ -->", found)) > 5


def test_the_example_runs(capsys):
    scope = {}
    exec(compile(OWN, "README.md", "exec"), scope)
    said = capsys.readouterr().out
    assert "exponent per epoch: " in said and "developed sensitivity: " in said
    assert scope["result"].count == 10 and 1 <= scope["spot"].learning_rate <= 8


def test_a_loop_of_ones_own_reports(capsys):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = torch.randn(8, 3), torch.randn(8, 1)
    loss_fn = lambda model, batch: torch.nn.functional.mse_loss(model(batch[0]), batch[1])

    def train(inputs, targets):
        optimizer.zero_grad()
        loss_fn(model, (inputs, targets)).backward()
        optimizer.step()

    exec(compile(LOOP, "README.md", "exec"), locals() | {"loader": [batch] * 2})
    (first,) = capsys.readouterr().out.splitlines()  # the second step reports nothing
    assert float(first.split()[0]) > 0
