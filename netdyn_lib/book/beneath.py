"""What stands beneath every figure, folded to one line: its numbers, its run, and the command that
repeats it.

It is written into the pages after execution, so that notebooks of different runs stay comparable.
"""

import hashlib
import shlex

import nbformat

from ..experiments import sizes as profiles
from ..results import provenance, reading
from . import forms, notebooks
from .foreign import code, words
from .project import write_whole

#: Folder of the tables, beside the notebooks of a staged book.
FOLDER = "numbers"
_MOST = 6  # modules named


def add(nb, name, now, folder):
    """Put a cell beneath each figure of a notebook, in place, and its table into a folder.

    Parameters
    ----------
    nb : nbformat.NotebookNode
        Executed, with its provenance.
    name : str
    now : dict
        The fingerprints of the modules that it imports as they are now,
        :func:`netdyn_lib.results.provenance.behind`.
    folder : pathlib.Path
        Of the staged notebooks; tables go to ``numbers/NAME/FIGURE.csv`` within.
    """
    changed, labels, cells = stale(nb.metadata.netdyn, now), {}, []
    for cell, label, *_ in notebooks.figures(nb):
        labels[cell.id] = label
    for cell in nb.cells:
        cells.append(cell)
        label = labels.get(cell.id)
        if label:
            text = _numbers(cell, folder / FOLDER / name / f"{label}.csv")
            found = cell.metadata.get("netdyn", {}).get("sources", [provenance.HERE])
            cells.append(_cell(label, _text(nb.metadata.netdyn, name, label, text, changed, found)))
    nb.cells = cells
    return nb


def now(project, name):
    """The fingerprints of the modules that a notebook's source imports, as they are.

    Of the profiles, that of this notebook's sizes alone: those of other chapters do not make it
    stale.
    """
    with forms.told(name):
        found = provenance.behind(reading.text(project.source(name)), project.package)
    if "profiles" in found:
        sizes = {
            profile: sorted(vars(profiles.sizes(name, profile)).items())
            for profile in profiles.PROFILES
        }
        found["profiles"] = hashlib.sha256(repr(sizes).encode()).hexdigest()[:12]
    return found


def stale(run, now):
    """Names of the modules that have changed, gone or come since a ``run``; None where the run does
    not say what it was.
    """
    if "modules" not in run:
        return None
    then = run["modules"]
    return sorted(
        module for module in then.keys() | now.keys() if then.get(module) != now.get(module)
    )


def command(run, name):
    """The papermill command that repeats a run."""
    given = " ".join(
        f"-p {key} {shlex.quote(str(run[key]))}" for key in ("profile", "device", "seed")
    )
    return f".venv/bin/papermill --cwd notebooks notebooks/{name}.ipynb {name}-again.ipynb {given}"


def described(run):
    """A run in a sentence."""
    where = f"{run['device']} ({run['machine']})" if run.get("machine") else run["device"]
    way = words(f"Profile {run['profile']}, device {where}, seed {run['seed']}, commit")
    return f"{way} {code(run['commit'])}, {words(run['executed'])}; the whole chapter took {run['duration_s']:.0f} s."


def _published(found):
    """A sentence on the published files that a figure was drawn from, none where there is none."""
    files = [code(source) for source in found if source != provenance.HERE]
    if not files:
        return []
    part = "Partly drawn" if provenance.HERE in found else "Drawn"
    rest = (
        "the rest, and what is made of them, was computed in the run below"
        if provenance.HERE in found
        else "the run below evaluates them"
    )
    return [
        f"{part} from published results, {', '.join(files)} (see {{doc}}`the table of files <../book/published>`); {rest}.",
        "",
    ]


def _numbers(cell, path):
    letters = cell.metadata.get("netdyn", {}).get("numbers")
    if letters is None:
        return None
    text = notebooks.unpacked(letters, f"{path.parent.name}: the figure {path.stem!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return text


def _cell(label, text):
    cell = nbformat.v4.new_markdown_cell(text)
    cell.id = f"beneath-{label}"[:64]
    return cell


def _text(run, name, label, numbers, changed, found):
    mark = "" if changed == [] else " {bdg-warning}`stale`"
    lines = [f":::{{dropdown}} Numbers, run, command{mark}", ":class-container: beneath", ""]
    if changed is None:
        lines += [
            "This run was made by an older library, which did not keep a record of its modules.",
            "",
        ]
    elif changed:
        some = ", ".join(map(code, changed[:_MOST])) + (
            f" and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
        )
        lines += [
            f"Since this run, modules that the chapter imports have changed: {some}. Executed again, it may show something else.",
            "",
        ]
    if numbers is None:
        lines += ["The numbers drawn were not kept by this run.", ""]
    else:
        rows = sum(not line.startswith("#") for line in numbers.splitlines()) - 1
        lines += [
            f"What is drawn, {rows:,} rows: {{download}}`{label}.csv <{FOLDER}/{name}/{label}.csv>`. Its first lines say what the panels are.",
            *(
                "",
                "```python",
                "import pandas as pd",
                "",
                f'pd.read_csv("{label}.csv", comment="#")',
                "```",
                "",
            ),
        ]
    lines += [*_published(found), described(run), "", "```bash", command(run, name), "```", ":::"]
    return "\n".join(lines)
