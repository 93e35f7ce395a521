"""Small repositories to execute, gather and build."""

import pytest

from netdyn_lib.book import site
from netdyn_lib.book.project import Project, write_whole

from . import small


@pytest.fixture
def project(tmp_path):
    """Two notebooks, a library of a few lines."""
    project = Project(tmp_path)
    for file, text in small.LIBRARY.items():
        write_whole(project.package / file, text)
    project.notebooks.mkdir()
    project.runs.mkdir(parents=True)
    (project.book / "claims.yml").write_text(small.CLAIMS)
    small.write(project, "01_first", "# %%\nprint(seed + 1)\n")
    small.write(project, "02_second", "# %%\nprint(profile)\n")
    return project


@pytest.fixture
def measured(project):
    """A notebook that measured the two claims of the file."""
    return small.card(project.book / "claims.yml", {"B": [2.0], "A": [0.5, 0.4, 0.6]})


@pytest.fixture
def site_project(project, measured, monkeypatch):
    """A whole site in _build, and all that another build needs; jupyter-book is left out."""
    project.source("02_second").unlink()
    small.keep(project.executed("laptop", "01_first"), small.with_figure(measured))
    (project.root / "_toc.yml").write_text(small.TOC)
    (project.root / "_config.yml").write_text("title: t\n")
    index = "---\nfront_figure: fig-x\n---\n# Title\n"
    (project.book / "index.md").write_text(index)
    for file in ("html/index.html", "html/notebooks/01_first.html", "claims.json"):
        write_whole(project.build / file, f"the old {file}")
    monkeypatch.setattr(site, "_add_mathjax", lambda target: None)
    monkeypatch.setattr(site.subprocess, "run", small.built)
    return project
