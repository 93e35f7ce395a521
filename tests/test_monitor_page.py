"""The code on the page about the monitor runs, with stand-ins for loggers that are not installed.

The stand-ins have the signatures of the packages' documentation.
"""

import csv
import math
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

PAGE = (Path(__file__).resolve().parents[1] / "book" / "monitor.md").read_text(encoding="utf-8")


class SummaryWriter:
    """TensorBoard's."""

    def __init__(self, log_dir):
        self.scalars = []

    def add_scalar(self, tag, scalar_value, global_step=None):
        self.scalars.append((tag, scalar_value, global_step))


class Logger:
    """Lightning's."""

    def __init__(self):
        self.logged = {}

    def log_metrics(self, metrics, step=None):
        self.logged[step] = metrics


class LanguageModel(nn.Module):
    """A linear model that takes names and returns an object with a loss, as Hugging Face's."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)

    def forward(self, inputs, labels):
        return SimpleNamespace(loss=nn.functional.mse_loss(self.linear(inputs), labels))


X, Y = torch.eye(3), torch.ones(3, 1)


@pytest.fixture(scope="module")
def page():
    """What the blocks of the page define, after they ran."""
    stand_ins = {
        "torch.utils.tensorboard": {"SummaryWriter": SummaryWriter},
        "lightning": {"Callback": object},
        "transformers": {"TrainerCallback": object},
    }
    scope = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        for name, content in stand_ins.items():
            module = ModuleType(name)
            vars(module).update(content)
            patch.setitem(sys.modules, name, module)
        for code in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S):
            exec(compile(code, "monitor.md", "exec"), scope)
    return scope


def test_the_page_says_what_a_report_has(page):
    keys = re.findall(r"^\| (`.*?) \|", PAGE, flags=re.M)
    told = set(re.findall(r"`(\w+)`", " ".join(keys)))
    report = page["Monitor"](page["model"], page["loss_fn"], next(iter(page["loader"])))
    found = set(report.step(page["optimizer"])) | {"distance"}
    assert told == found - {"eigenvalue_2", "eigenvalue_3"}


def test_a_csv_file(page, tmp_path):
    log = page["CSVFile"](tmp_path / "log.csv")
    for step, report in enumerate([{"loss": 1.0}, {}, {"loss": 0.5}]):
        log.write(step, report)
    rows = list(csv.DictReader((tmp_path / "log.csv").open(newline="")))
    assert rows == [{"step": "0", "loss": "1.0"}, {"step": "2", "loss": "0.5"}]


def test_tensorboard(page, tmp_path):
    log = page["TensorBoard"](tmp_path)
    log.write(3, {"loss": 1.0, "sharpness": 2.0})
    assert log.writer.scalars == [("monitor/loss", 1.0, 3), ("monitor/sharpness", 2.0, 3)]


def test_lightning(page):
    module, logger = nn.Linear(3, 1), Logger()
    optimizers = [torch.optim.SGD(module.parameters(), lr=0.1)]
    trainer = SimpleNamespace(optimizers=optimizers, loggers=[logger], global_step=0)
    loss_fn = lambda model, batch: nn.functional.mse_loss(model(batch[0]), batch[1])
    callback = page["LightningMonitor"](loss_fn, (X, Y), every=2, top=1)
    callback.on_train_start(trainer, module)
    for k in range(3):
        trainer.global_step = k + 1
        callback.on_train_batch_end(trainer, module, None, (X, Y), k)
    assert list(logger.logged) == [1, 3]
    # The Hessian of the mean square over e_1, e_2, e_3, with a bias.
    assert logger.logged[3]["monitor/sharpness"] == pytest.approx(2 / 3 * 4, rel=1e-4)


def test_hugging_face(page):
    model, state = LanguageModel(), SimpleNamespace(log_history=[], global_step=7)
    wrapped = SimpleNamespace(optimizer=torch.optim.AdamW(model.parameters(), lr=0.1))
    model(X, Y).loss.backward()
    wrapped.optimizer.step()
    callback = page["HuggingFaceMonitor"]({"inputs": X, "labels": Y}, every=2)
    for _ in range(2):
        callback.on_step_end(None, state, None, model=model, optimizer=wrapped, lr_scheduler=None)
    ((only),) = state.log_history
    assert only["step"] == 7 and only["sharpness"] == pytest.approx(2 / 3 * 4, rel=1e-4)
    assert math.isfinite(only["sharpness_over_edge"])
