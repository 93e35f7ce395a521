"""Networks on Iris and the built site, which several tests look at; none may change them."""

from pathlib import Path

import pytest
import torch

from netdyn_lib.book import site
from netdyn_lib.book.project import Project, alone
from netdyn_lib.experiments import saturation
from netdyn_lib.tasks import tasks
from netdyn_lib.training import gradient_descent


@pytest.fixture(scope="session")
def html(testrun_uid):
    """Folder of the site, built once in a run of the tests, from the committed notebooks with
    warnings as errors.

    Where tests run in several processes, the first that needs the site builds it and the others
    wait.
    """
    project = Project(Path(__file__).resolve().parents[1])
    folder = project.build / "test-site"
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / "built-in-run"
    with alone(folder / "lock", "builds the site", lambda line: None):
        if not built.exists() or built.read_text(encoding="utf-8") != testrun_uid:
            built.unlink(missing_ok=True)
            site.build_committed(project, site.Build(folder, "test", strict=True))
            built.write_text(testrun_uid, encoding="utf-8")
    return folder / "html"


@pytest.fixture(scope="session")
def iris():
    return tasks.get("iris")


@pytest.fixture(scope="session")
def saturated(iris):
    """Networks whose first k hidden units are 1, the others 0 on every sample, to the last bit."""
    params = iris.initial(6, seed=1)
    inner, _ = iris.network.matrices(params)
    inner[..., :-1] = 0
    for k in range(6):
        inner[k, :, -1] = torch.where(torch.arange(10) < k, 800.0, -800.0)
    return params


@pytest.fixture(scope="session")
def runs(iris):
    return gradient_descent.follow(
        gradient_descent.GradientDescent(iris, 5.0),
        iris.initial(12, seed=3),
        600,
        observe=("loss", saturation.mean_logits),
    )
