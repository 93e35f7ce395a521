"""Generated parts of pages: the scorecard, its summary, the runs, the published results, the front
figure.
"""

import html
import re

from ..experiments import benchmarks
from ..results import claims, reading, store
from . import forms, scorecard
from . import notebooks as notebook
from . import recorded as recorded_runs
from .foreign import code, words
from .project import PipelineError


def title(nb):
    """First heading of a notebook."""
    for cell in nb.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return line[2:].strip()
    raise PipelineError("a notebook has no heading '# …'")


def _link(name, nb):
    return f"[{title(nb)}](../notebooks/{name}.ipynb)"


def summary(rows, notebooks):
    """The scorecard in brief: one line for each chapter, with dashes for one that has no claims."""
    lines = [
        "| Chapter | " + " | ".join(_badge(v) for v in claims.VERDICTS) + " |",
        "|:--|" + "--:|" * len(claims.VERDICTS),
    ]
    for name, nb in notebooks.items():
        per = scorecard.counts([row for row in rows if row["chapter"] == name])
        lines.append(
            f"| {_link(name, nb)} | "
            + " | ".join(str(n) if any(per.values()) else "–" for n in per.values())
            + " |"
        )
    total = scorecard.counts(rows)
    lines.append("| **All** | " + " | ".join(f"**{n}**" for n in total.values()) + " |")
    return "\n".join(lines) + "\n"


def _badge(verdict):
    return f'<span class="verdict verdict-{verdict.replace(" ", "-")}">{verdict}</span>'


def table(rows, notebooks, others=None):
    """The whole scorecard, chapter by chapter, with a form that filters it; ``others`` as for
    :func:`netdyn_lib.results.claims.table`.
    """
    parts = []
    for name, nb in notebooks.items():
        mine = [row for row in rows if row["chapter"] == name]
        if mine:
            body = f'<div class="scorecard-frame" tabindex="0" role="region" aria-label="Claims of {html.escape(name)}">{claims.table(mine, _address, others)}</div>'
            body = " ".join(body.split("\n"))  # a line of it could end the block
            parts.append(f"## {_link(name, nb)}\n\n```{{raw}} html\n{body}\n```\n")
    return (
        "\n".join([_filters(rows, notebooks), *parts]) if parts else "No claim has been measured.\n"
    )


def _address(row):
    return f"../notebooks/{row['chapter']}.html#{row['shown']}" if row["shown"] else None


def _filters(rows, notebooks):
    """A form that a script on the page listens to; without scripts it stays hidden, and the page
    shows all.
    """
    chapters = {
        name: title(nb)
        for name, nb in notebooks.items()
        if any(row["chapter"] == name for row in rows)
    }
    choices = {
        "paper": {paper: paper for paper in dict.fromkeys(row["paper"] for row in rows)},
        "chapter": chapters,
        "verdict": {verdict: verdict for verdict in claims.VERDICTS},
    }
    parts = []
    for name, known in choices.items():
        options = "".join(
            f'<option value="{html.escape(value)}">{html.escape(text)}</option>'
            for value, text in known.items()
        )
        parts.append(
            f'<label>{name} <select name="{name}"><option value="">all</option>{options}</select></label>'
        )
    parts.append('<label>word <input type="search" name="word"></label>')
    count = f'<output aria-live="polite">{len(rows)} of {len(rows)} claims</output>'
    form = f'<form class="scorecard-filters" hidden>{" ".join(parts)} {count}</form>'
    return f'```{{raw}} html\n{form}\n<script src="../_static/scorecard.js" defer></script>\n```\n'


def fill(text, rows, page="a page"):
    """A page's text with each ``{measured}`` role replaced by what was measured.

    >>> fill("about {measured}`A`", [{"id": "A", "measured": 0.3136}])
    'about 0.31'

    Raises
    ------
    PipelineError
        For a claim that no row measures.
    """
    values = {
        row["id"]: "–" if row["measured"] is None else f"{row['measured']:.2g}" for row in rows
    }

    def value(match):
        if match[1] not in values:
            raise PipelineError(
                f"{page} shows what was measured of {match[1]!r}, which no chapter has measured"
            )
        return values[match[1]]

    return re.sub(r"\{measured\}`([^`]+)`", value, text)


def runs(notebooks):
    """How each notebook was executed."""
    head = (
        "Chapter",
        "Profile",
        "Device",
        "Seed",
        "Seconds",
        "Peak of memory, MB",
        "Executed",
        "Commit",
        "Machine",
    )
    lines = ["| " + " | ".join(head) + " |", "|:--|:--|:--|--:|--:|--:|:--|:--|:--|"]
    for name, nb in notebooks.items():
        run = nb.metadata.netdyn
        lines.append("| " + " | ".join((_link(name, nb), *_way(run))) + " |")
    return "\n".join(lines) + "\n\n" + _versions(notebooks)


def recorded(runs, rows, notebooks):
    """Runs that are kept beside those shown: what they took, and whether they come to the same
    verdicts as ``rows``, those of the site.
    """
    if not runs:
        return "No run of another profile or device is kept yet.\n"
    lines = [
        "These runs of other profiles or devices are kept, with what they measured ({download}`runs.csv <_generated/runs.csv>`):",
        "",
    ]
    head = (
        "Chapter",
        "Profile",
        "Device",
        "Seed",
        "Seconds",
        "Peak of memory, MB",
        "Executed",
        "Commit",
        "Machine",
        "Verdicts as on this site",
    )
    lines += ["| " + " | ".join(head) + " |", "|:--|:--|:--|--:|--:|--:|:--|:--|:--|:--|"]
    for run in runs:
        name = run["chapter"]
        same, many = recorded_runs.agreement(run, rows)
        chapter = _link(name, notebooks[name]) if name in notebooks else words(name)
        lines.append(
            "| " + " | ".join((chapter, *_way(run), f"{same} of {many}" if many else "–")) + " |"
        )
    if not any(run["device"].startswith("cuda") for run in runs):
        lines += ["", "None of them is on a GPU."]
    return "\n".join(lines) + "\n"


def _way(run):
    """How a run was made: the cells of a line, from the profile to the machine."""
    peak = f"{run['peak_mb']:,}" if run.get("peak_mb") else "–"
    cells = (
        words(run["profile"]),
        words(run["device"]),
        str(run["seed"]),
        f"{run['duration_s']:.0f}",
        peak,
    )
    return *cells, words(run["executed"]), code(run["commit"]), words(run.get("machine") or "–")


def _versions(notebooks):
    groups = {}
    for name, nb in notebooks.items():
        groups.setdefault(tuple(nb.metadata.netdyn["versions"].items()), []).append(name)
    lines = ["Versions:", ""]
    for versions, names in groups.items():
        which = "all chapters" if len(groups) == 1 else ", ".join(names)
        lines.append(
            f"- {which}: "
            + ", ".join(words(f"{package} {version}") for package, version in versions)
        )
    return "\n".join(lines) + "\n"


def published(folder):
    """The published results in a folder and below it: what each holds, where it comes from, and the
    file to download.
    """
    lines = ["| Name | What it holds | Computed | File |", "|:--|:--|:--|:--|"]
    for path in sorted(folder.glob("*.npz")) + sorted(folder.glob("*/*.npz")):
        with forms.told(), reading.of_kind(path, "published result"):
            _, meta = store.read_archive(path)
            lines.append(_listed(folder, path, *_contents(meta)))
    for path in sorted(folder.glob("bench/*.json")):
        with forms.told(), reading.of_kind(path, "file of measurements"):
            lines.append(_listed(folder, path, *_speeds(benchmarks.load(path))))
    return "\n".join(lines) + "\n" if len(lines) > 2 else "Nothing is published yet.\n"


def _listed(folder, path, holds, came):
    size = path.stat().st_size
    shown = f"{size / 1e6:.1f} MB" if size > 5e4 else f"{size / 1e3:.0f} kB"
    return f"| {words(path.stem)} | {holds} | {came} | {{download}}`{shown} <{folder.name}/{path.relative_to(folder)}>` |"


def _speeds(measured):
    about = measured.about
    where = about["device"] if about.get("cuda") else about["processor"]
    holds = f"speed and memory: {len(measured.rows)} comparisons, growth with {len(measured.growths)} quantities"
    return holds, words(
        f"{about['date']}, {where}, PyTorch {about['torch']}, commit"
    ) + f" {code(about['commit'])}"


def _contents(meta):
    """What published results hold, and where they come from: of a sweep, a campaign, arms, twins,
    spectra, or leading exponents.
    """
    if "sweep" in meta:
        sweep, groups = meta["sweep"], meta["provenance"]
        rates = f"{len(sweep['rates'])} learning rates from {min(sweep['rates']):g} to {max(sweep['rates']):g}"
        holds = f"{sweep['task']}: {rates}, {sweep['conditions']} initial conditions, {sweep['copies']} copies, {sweep['epochs']} epochs"
        return words(f"{holds}. {groups[0]['data']}"), "; ".join(_origin(group) for group in groups)
    if "campaign" in meta:
        campaign = meta["campaign"]
        holds = f"{campaign['count']:,} networks with their exponents and vectors, {campaign['steps']:,} steps"
        return words(holds), words(meta["provenance"])
    if "arms" in meta:
        holds = f"{meta['task']}: {len(meta['arms'])} arms of pruned descent, {meta['steps'][-1]:,} steps. {meta['data']}"
        return words(holds), words(meta["provenance"])
    about = meta["attributes"]
    if "epsilon" in about:
        holds = f"{about['task']}: twins, {about['steps']:,} steps. {about['data']}"
    elif "interval" in about:
        holds = f"{about['task']}: {about['count']:,} of {about['parameters']:,} exponents over training. {about['data']}"
    else:
        holds = f"leading exponents and sharpness, {about['conditions']} networks, {about['epochs']} epochs. {about['data']}"
    return words(holds), words(about["provenance"])


def _origin(group):
    machine = group["machine"]
    where = machine["device"] if machine.get("cuda") else machine["processor"]
    hours = (
        f"{group['seconds'] / 3600:.2g} h"
        if group["seconds"] > 360
        else f"{group['seconds'] / 60:.2g} min"
    )
    return (
        words(f"{group['last'][:10]}, {where}, PyTorch {machine['torch']}, commit")
        + f" {code(group['commit'])}, {hours}"
    )


def front(notebooks, wanted):
    """The figure named ``wanted`` as a picture, with its Markdown.

    Returns
    -------
    png : bytes
    text : str
        A figure that expects the picture in ``_generated/front.png`` beside the page that includes
        it.

    Raises
    ------
    PipelineError
        When no executed notebook shows a figure of that name.
    """
    for name, nb in notebooks.items():
        for cell, label, caption, alt in notebook.figures(nb):
            if label == wanted:
                png = notebook.picture(cell, f"{name}: the figure {wanted!r}")
                text = (
                    f"```{{figure}} _generated/front.png\n:alt: {' '.join(alt.split())}\n:name: front-figure\n\n"
                    f"{' '.join(caption.split())} From {_link(name, nb)}.\n```\n"
                )
                return png, text
    names = [label for nb in notebooks.values() for _, label, _, _ in notebook.figures(nb)]
    raise PipelineError(
        f"the front page asks for the figure {wanted!r}; the chapters have: {', '.join(names) or 'none'}"
    )
