"""Generated parts of pages: scorecard, runs, published results, the front figure, how to cite, and
what a reader can unfold under each figure.
"""

import difflib
import html
import json
import re
import shlex
import textwrap

import nbformat

from ..experiments import benchmarks
from ..results import claims, provenance, reading, store
from . import forms, notebooks, scorecard
from .project import PipelineError, write_whole

#: Folder of the figures' tables, beside the notebooks of a staged book.
NUMBERS = "numbers"
_MOST = 6  # modules named
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|$&~^])")
#: What a reference of ``CITATION.cff`` is in BibTeX, by its type.
ENTRIES = {"article": "article", "conference-paper": "inproceedings", "software": "software"}


def words(text):
    r"""Return text in which nothing is markup: not HTML, a role, a formula, a link or a column.

    >>> print(words("<script>alert(1)</script> & $x$ | y_1"))
    \<script\>alert(1)\</script\> \& \$x\$ \| y\_1
    """
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def code(text):
    """Return text in letters of code; a backtick or a bar would end it, and becomes a blank.

    >>> print(code("a84856809f3c-dirty"), code("a`b|c"))
    `a84856809f3c-dirty` `a b c`
    """
    return f"`{' '.join(re.sub('[`|]', ' ', str(text)).split()) or '–'}`"


def title(nb):
    """Return the first heading of a notebook."""
    for cell in nb.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return line[2:].strip()
    raise PipelineError("a notebook has no heading '# …'")


def _link(name, nb):
    return f"[{title(nb)}](../notebooks/{name}.ipynb)"


def _table(head, align, lines):
    """A table of Markdown; ``align`` has ``l`` or ``r`` for each column."""
    rule = "".join("--:|" if one == "r" else ":--|" for one in align)
    rows = ["| " + " | ".join(cells) + " |" for cells in (head, *lines)]
    return "\n".join([rows[0], f"|{rule}", *rows[1:]]) + "\n"


# Scorecard


def summary(rows, runs):
    """Return the scorecard in brief, a line a chapter, with dashes for one without claims."""
    lines = []
    for name, nb in runs.items():
        per = scorecard.counts([row for row in rows if row["chapter"] == name])
        numbers = [str(n) if any(per.values()) else "–" for n in per.values()]
        lines.append((_link(name, nb), *numbers))
    total = [f"**{n}**" for n in scorecard.counts(rows).values()]
    head = ("Chapter", *map(_badge, claims.VERDICTS))
    return _table(head, "l" + "r" * len(total), [*lines, ("**All**", *total)]) + _committed(runs)


def _committed(runs):
    """A paragraph on the chapters whose committed run is shown; empty for none.

    A pair keeps no ``key``, by which the pipeline knows what it executed here.
    """
    names = [title(nb) for nb in runs.values() if "key" not in nb.metadata.netdyn]
    if not names:
        return ""
    which = "every chapter" if len(names) == len(runs) else words("; ".join(names))
    what = "the run that is committed with the repository; it was not executed to build these pages"
    return f"\nShown of {which}: {what}.\n"


def strip(rows):
    """Return the scorecard as one bar, a length for each verdict, which leads to the whole."""
    parts = [
        f'<span class="verdict verdict-{verdict.replace(" ", "-")}" style="flex-grow: {count}">'
        f"{count} {verdict}</span>"
        for verdict, count in scorecard.counts(rows).items()
        if count
    ]
    link = '<a class="scorecard-strip" href="scorecard.html" aria-label="Scorecard">'
    return f"```{{raw}} html\n{link}{''.join(parts)}</a>\n```\n"


def _badge(verdict):
    return f'<span class="verdict verdict-{verdict.replace(" ", "-")}">{verdict}</span>'


def table(rows, runs, others=None, changed=None):
    """Return the whole scorecard, chapter by chapter, under a form that filters it.

    ``others`` and ``changed`` are as for :func:`netdyn_lib.results.claims.table`.
    """
    parts = []
    for name, nb in runs.items():
        mine = [row for row in rows if row["chapter"] == name]
        if mine:
            at = {
                label: f"../notebooks/{page}.html#{label}"
                for page, part in notebooks.pages(name, nb).items()
                for _, label, *_ in notebooks.figures(part)
            }
            body = claims.table(mine, lambda row: at.get(row["shown"]), others, changed)
            body = " ".join(body.split("\n"))  # a line of it could end the block
            frame = f'role="region" aria-label="Claims of {html.escape(name)}"'
            body = f'<div class="scorecard-frame" tabindex="0" {frame}>{body}</div>'
            parts.append(f"## {_link(name, nb)}\n\n```{{raw}} html\n{body}\n```\n")
    return "\n".join([_filters(rows, runs), *parts]) if parts else "No claim has been measured.\n"


def _filters(rows, runs):
    """A form that a script on the page listens to; without scripts it stays hidden."""
    with_claims = {row["chapter"] for row in rows}
    choices = {
        "paper": {row["paper"]: row["paper"] for row in rows},
        "chapter": {name: title(nb) for name, nb in runs.items() if name in with_claims},
        "verdict": {verdict: verdict for verdict in claims.VERDICTS},
    }
    parts = []
    for name, known in choices.items():
        options = "".join(
            f'<option value="{html.escape(value)}">{html.escape(text)}</option>'
            for value, text in {"": "all", **known}.items()
        )
        parts.append(f'<label>{name} <select name="{name}">{options}</select></label>')
    parts.append('<label>word <input type="search" name="word"></label>')
    count = f'<output aria-live="polite">{len(rows)} of {len(rows)} claims</output>'
    form = f'<form class="scorecard-filters" hidden>{" ".join(parts)} {count}</form>'
    script = '<script src="../_static/scorecard.js" defer></script>'
    return f"```{{raw}} html\n{form}\n{script}\n```\n"


def changes(found):
    """Return the changes of claims, as :func:`netdyn_lib.book.history.changes` has them: a table
    with the words left out struck through and those put in underlined.
    """
    listed = [(id, change) for id, some in found.items() for change in some]
    if not listed:
        return "No claim has changed since it was entered.\n"
    ranged = {id for id, change in listed if change["field"] in ("reproduced", "partly")}
    head, lines = ("Claim", "Date", "What", "Change"), []
    for id, change in listed:
        told = _compared(_value(change["before"]), _value(change["after"]))
        lines.append((words(id), change["date"], words(change["field"].replace("_", " ")), told))
    return (
        f"{len(listed)} changes of {len(found)} claims since they were entered, by git's history "
        f"of `claims.yml`; {len(ranged) or 'none'} of these claims had a range moved.\n\n"
        ":::{dropdown} Every change\n\n" + _table(head, "llll", lines) + "\n:::\n"
    )


def _value(value):
    """What stands in a claim's field, in words."""
    if isinstance(value, list):
        return str(claims.Range(*value))
    return "" if value is None else str(value)


def _compared(before, after):
    """Two texts as one.

    >>> _compared("share of runs below 1", "share of runs below 2")
    'share of runs below <del>1</del> <ins>2</ins>'
    """
    old, new, parts = before.split(), after.split(), []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append(words(" ".join(old[a:b])))
            continue
        pairs = (("del", old[a:b]), ("ins", new[c:d]))
        parts += [f"<{how}>{words(' '.join(some))}</{how}>" for how, some in pairs if some]
    return " ".join(parts)


# Runs

_WAY = ("Profile", "Device", "Seed", "Seconds", "Peak of memory, MB", "Executed", "Commit")
_HEAD = ("Chapter", *_WAY, "Machine")


def _way(run):
    """How a run was made: the cells of a line, from the profile to the machine."""
    peak = f"{run['peak_mb']:,}" if run.get("peak_mb") else "–"
    numbers = (str(run["seed"]), f"{run['duration_s']:.0f}", peak)
    where = (words(run["executed"]), code(run["commit"]), words(run.get("machine") or "–"))
    return words(run["profile"]), words(run["device"]), *numbers, *where


def runs_shown(runs):
    """Return how each notebook was executed."""
    lines = [(_link(name, nb), *_way(nb.metadata.netdyn)) for name, nb in runs.items()]
    groups = {}
    for name, nb in runs.items():
        groups.setdefault(tuple(nb.metadata.netdyn["versions"].items()), []).append(name)
    text = _table(_HEAD, "lllrrrlll", lines) + "\nVersions:\n\n"
    for versions, names in groups.items():
        which = "all chapters" if len(groups) == 1 else ", ".join(names)
        text += f"- {which}: {', '.join(words(' '.join(pair)) for pair in versions)}\n"
    return text + _committed(runs)


def runs_kept(kept, rows, runs):
    """Return the kept runs, and for how many claims their verdicts are those of ``rows``."""
    if not kept:
        return "No run of another profile or device is kept yet.\n"
    lines = []
    for run in kept:
        name = run["chapter"]
        same, many = scorecard.same_verdicts(run, rows)
        chapter = _link(name, runs[name]) if name in runs else words(name)
        lines.append((chapter, *_way(run), f"{same} of {many}" if many else "–"))
    text = (
        "These runs of other profiles or devices are kept, with what they measured "
        "({download}`runs.csv <_generated/runs.csv>`):\n\n"
        + _table((*_HEAD, "Verdicts as on this site"), "lllrrrllll", lines)
    )
    on_gpu = any(run["device"].startswith("cuda") for run in kept)
    return text if on_gpu else text + "\nNone of them is on a GPU.\n"


# Published results


def published(folder):
    """Return the published results of a folder: what each holds, where computed, the file."""
    lines = []
    for path in sorted(folder.glob("*.npz")) + sorted(folder.glob("*/*.npz")):
        with forms.told(), reading.of_kind(path, "published result"):
            _, meta = store.read_archive(path)
            lines.append(_listed(folder, path, *_contents(meta)))
    for path in sorted(folder.glob("bench/*.json")):
        with forms.told(), reading.of_kind(path, "file of measurements"):
            lines.append(_listed(folder, path, *_speeds(benchmarks.load(path))))
    head = ("Name", "What it holds", "Computed", "File")
    return _table(head, "llll", lines) if lines else "Nothing is published yet.\n"


def _listed(folder, path, holds, came):
    size = path.stat().st_size
    shown = f"{size / 1e6:.1f} MB" if size > 5e4 else f"{size / 1e3:.0f} kB"
    place = f"{folder.name}/{path.relative_to(folder)}"
    return words(path.stem), words(holds), came, f"{{download}}`{shown} <{place}>`"


def _where(machine):
    return machine["device"] if machine.get("cuda") else machine["processor"]


def _speeds(measured):
    about = measured.about
    compared = f"{len(measured.rows)} comparisons, growth with {len(measured.growths)} quantities"
    came = words(f"{about['date']}, {_where(about)}, PyTorch {about['torch']}, commit")
    return f"speed and memory: {compared}", f"{came} {code(about['commit'])}"


def _contents(meta):
    """What published results hold, and where they were computed, by their kind."""
    if "sweep" in meta:
        sweep, groups = meta["sweep"], meta["provenance"]
        rates = f"{len(sweep['rates'])} learning rates from {min(sweep['rates']):g} to "
        rates += f"{max(sweep['rates']):g}, {sweep['conditions']} initial conditions"
        holds = f"{sweep['task']}: {rates}, {sweep['copies']} copies, {sweep['epochs']} epochs"
        return f"{holds}. {groups[0]['data']}", "; ".join(_origin(group) for group in groups)
    if "campaign" in meta:
        one = meta["campaign"]
        holds = (
            f"{one['count']:,} networks with their exponents and vectors, {one['steps']:,} steps"
        )
    elif "arms" in meta:
        arms = f"{len(meta['arms'])} arms of pruned descent, {meta['steps'][-1]:,} steps"
        holds = f"{meta['task']}: {arms}. {meta['data']}"
    elif "map" in meta:
        one, draws = meta["map"], len(meta["map"]["draws"])
        holds = f"{one['task']}: exponents of {draws} × {one['side']}² networks over learning rates"
        holds += f" and scales of initial weights, {one['epochs']:,} epochs"
    elif "ensemble" in meta:
        one = meta["ensemble"]
        holds = f"{one['task']}: {one['conditions']} networks and copies as functions, "
        holds += f"{len(one['rates'])} learning rates, {one['epochs']:,} epochs"
    elif "comparison" in meta["attributes"]:
        meta = meta["attributes"]
        one = json.loads(meta["comparison"])
        holds = f"{one['task']}: {one['conditions']} networks descending in several ways, "
        holds += f"{len(one['rates'])} learning rates, {one['epochs']:,} epochs"
    else:
        meta = meta["attributes"]
        if "epsilon" in meta:
            holds = f"{meta['task']}: twins, {meta['steps']:,} steps"
        elif "interval" in meta:
            many = f"{meta['count']:,} of {meta['parameters']:,} exponents"
            holds = f"{meta['task']}: {many} over training"
        else:
            many = f"{meta['conditions']} networks, {meta['epochs']} epochs"
            holds = f"leading exponents and sharpness, {many}"
        holds += f". {meta['data']}"
    return holds, words(meta["provenance"])


def _origin(group):
    machine, seconds = group["machine"], group["seconds"]
    took = f"{seconds / 3600:.2g} h" if seconds > 360 else f"{seconds / 60:.2g} min"
    came = f"{group['last'][:10]}, {_where(machine)}, PyTorch {machine['torch']}, commit"
    return f"{words(came)} {code(group['commit'])}, {took}"


# Front page


def front(runs, wanted):
    """Return the figure named ``wanted`` as PNG, and Markdown that shows it.

    The Markdown expects the picture in ``_generated/front.png`` beside the page that includes it.
    """
    names = []
    for name, nb in runs.items():
        for cell, label, caption, alt in notebooks.figures(nb):
            names.append(label)
            if label == wanted:
                png = notebooks.picture(cell, f"{name}: the figure {wanted!r}")
                options = f":alt: {' '.join(alt.split())}\n:name: front-figure"
                said = f"{' '.join(caption.split())} From {_link(name, nb)}."
                return png, f"```{{figure}} _generated/front.png\n{options}\n\n{said}\n```\n"
    raise PipelineError(
        f"the front page asks for the figure {wanted!r}; the chapters have: "
        f"{', '.join(names) or 'none'}"
    )


# Under a figure


def add_folds(nb, name, now, folder):
    """Put a cell under each figure of a notebook, in place, and its table into a folder.

    The cell, folded to a line, has the figure's numbers, its run, and the command that repeats it.
    It is added after execution, so that notebooks of different runs stay comparable.

    Parameters
    ----------
    nb : nbformat.NotebookNode
        Executed, with its provenance.
    name : str
    now : dict
        The hashes of the modules that it imports as they are now,
        :func:`netdyn_lib.book.execute.modules`.
    folder : pathlib.Path
        Of the staged notebooks; tables go to ``numbers/NAME/FIGURE.csv`` in it.
    """
    labels = {cell.id: label for cell, label, *_ in notebooks.figures(nb)}
    cells, changed = [], stale(nb.metadata.netdyn, now)
    for cell in nb.cells:
        cells.append(cell)
        label = labels.get(cell.id)
        if label:
            kept = cell.metadata.get("netdyn", {})
            numbers = kept.get("numbers")
            if numbers is not None:
                numbers = notebooks.unpacked(numbers, f"{name}: the figure {label!r}")
                write_whole(folder / NUMBERS / name / f"{label}.csv", numbers)
            run, found = nb.metadata.netdyn, kept.get("sources", [provenance.HERE])
            text = [*_stale(changed), *_numbers(name, label, numbers), *_published(found)]
            text += [described(run), "", "```bash", command(run, name), "```"]
            mark = "" if changed == [] else " {bdg-warning}`stale`"
            head = [f":::{{dropdown}} Numbers, run, command{mark}", ":class-container: beneath", ""]
            cells.append(nbformat.v4.new_markdown_cell("\n".join([*head, *text, ":::"])))
            cells[-1].id = f"beneath-{label}"[:64]
    nb.cells = cells


def stale(run, now):
    """Return the modules that have changed, gone or come since a run; None where it names none."""
    if "modules" not in run:
        return None
    then = run["modules"]
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def command(run, name):
    """Return the papermill command that repeats a run."""
    given = [f"-p {one} {shlex.quote(str(run[one]))}" for one in ("profile", "device", "seed")]
    target = f"notebooks/{name}.ipynb {name}-again.ipynb"
    return f".venv/bin/papermill --cwd notebooks {target} {' '.join(given)}"


def described(run):
    """Return a run in a sentence."""
    where = f"{run['device']} ({run['machine']})" if run.get("machine") else run["device"]
    way = words(f"Profile {run['profile']}, device {where}, seed {run['seed']}, commit")
    took = f"the whole chapter took {run['duration_s']:.0f} s"
    return f"{way} {code(run['commit'])}, {words(run['executed'])}; {took}."


def _stale(changed):
    if changed is None:
        why = "This run was made by an older library, which did not keep a record of its modules."
        return [why, ""]
    if not changed:
        return []
    some = ", ".join(map(code, changed[:_MOST]))
    some += f" and {len(changed) - _MOST} more" * (len(changed) > _MOST)
    what = f"Since this run, modules that the chapter imports have changed: {some}."
    return [f"{what} Executed again, it may show something else.", ""]


def _numbers(name, label, numbers):
    if numbers is None:
        return ["The numbers drawn were not kept by this run.", ""]
    rows = sum(not line.startswith("#") for line in numbers.splitlines()) - 1
    file = f"{{download}}`{label}.csv <{NUMBERS}/{name}/{label}.csv>`"
    shown = ["```python", "import pandas as pd", ""]
    shown += [f'pd.read_csv("{label}.csv", comment="#")', "```", ""]
    said = f"What is drawn, {rows:,} rows: {file}. Its first lines say what the panels are."
    return [said, "", *shown]


def _published(found):
    """A sentence on the published files that a figure was drawn from, none where there is none."""
    files = ", ".join(code(source) for source in found if source != provenance.HERE)
    if not files:
        return []
    part, rest = "Drawn", "the run below evaluates them"
    if provenance.HERE in found:
        part = "Partly drawn"
        rest = "the rest, and what is made of them, was computed in the run below"
    place = "(see {doc}`the table of files <../book/published>`)"
    return [f"{part} from our stored runs, {files} {place}; {rest}.", ""]


# Citing


def citing(project, runs):
    """Return what the front page and ``book/citing.md`` include, by file, from ``CITATION.cff``.

    A repository without that file gets nothing.
    """
    path = project.root / "CITATION.cff"
    if not path.exists():
        return {}
    citation = read_citation(path)
    config = forms.settings(project.root / "_config.yml")
    return {
        "citation.md": f"> {sentence(citation)}\n",
        "bibtex.md": f"```bibtex\n{bibtex(citation)}```\n",
        "citing-figure.md": one_figure(citation, runs),
        "reporting.md": reporting((config.get("repository") or {}).get("url") or ""),
    }


def read_citation(path):
    """Return ``CITATION.cff`` as a dictionary."""
    with forms.told():
        citation = reading.from_yaml(path)
    lacking = [field for field in forms.CITATION["required"] if field not in (citation or {})]
    if lacking:
        raise PipelineError(f"{path.name} lacks {', '.join(lacking)}")
    return forms.fit(citation, forms.CITATION, path)


def sentence(citation):
    """Return one sentence for a list of references, as Markdown.

    >>> import datetime
    >>> about = {"authors": [{"name": "A group"}], "title": "A book", "version": "1.0"}
    >>> sentence(about | {"date-released": datetime.date(2026, 1, 2)})
    'A group. *A book*. Version 1.0, 2026.'
    """
    address = _web_address(citation)
    authors = words(", ".join(_author(author) for author in citation["authors"]))
    when = f"Version {words(citation['version'])}, {citation['date-released'].year}."
    return f"{authors}. *{words(citation['title'])}*. {when}{f' {address}.' * bool(address)}"


def bibtex(citation):
    """Return the companion and the papers it repeats as BibTeX in UTF-8."""
    return "\n".join(_entry(work) for work in (citation, *citation.get("references", [])))


def _entry(work):
    kind = ENTRIES.get(work.get("type", "software"))
    if kind is None:
        known = f"there are: {', '.join(ENTRIES)}"
        what = f"CITATION.cff: no BibTeX entry is known for the type {work['type']!r}"
        raise PipelineError(f"{what}; {known}")
    year = work["date-released"].year if "date-released" in work else work["year"]
    names = [
        # A group's name must not be taken for one of a person.
        _author(author) if "family-names" in author else f"{{{_author(author)}}}"
        for author in work["authors"]
    ]
    fields = {
        "author": " and ".join(names),
        "title": f"{{{work['title']}}}",
        "journal": work.get("journal"),
        "booktitle": work.get("collection-title"),
        "volume": work.get("volume"),
        "pages": work.get("start"),
        "version": work.get("version") if kind == "software" else None,
        "year": year,
        "doi": work.get("doi"),
        "url": _web_address(work),
    }
    lines = [f"  {key} = {{{value}}}," for key, value in fields.items() if value not in (None, "")]
    return "\n".join([f"@{kind}{{{_key(work, year)},", *lines, "}"]) + "\n"


def _author(author):
    if "family-names" in author:
        return f"{author['family-names']}, {author.get('given-names', '')}".rstrip(", ")
    return author["name"]


def _key(work, year):
    first = work["authors"][0]
    name = first.get("family-names") or re.sub("(?i)^the ", "", first["name"])
    plain = str.maketrans("áàâäãåéèêëíìîïóòôöõúùûüçñ", "aaaaaaeeeeiiiiooooouuuucn")
    letters = name.casefold().translate(plain)
    return re.sub("[^a-z]", "", re.split("[- ]", letters)[0]) + str(year)


def _web_address(work):
    if work.get("doi"):
        return f"https://doi.org/{work['doi']}"
    return work.get("url") or work.get("repository-code") or ""


def one_figure(citation, runs):
    """Return how to cite one figure, with the book's first figure as the example; Markdown."""
    for name, nb in runs.items():
        for _, label, _, _ in notebooks.figures(nb):
            commit = code(nb.metadata.netdyn["commit"])
            return textwrap.dedent(f"""\
                > Figure `{label}` in: {sentence(citation)[:-1]}, commit {commit}.

                Here `{label}` is the figure's name, the last part of the link beside its caption
                ([{name}](../notebooks/{name}.ipynb)),
                and {commit} the commit at which its chapter was executed.
                """)
    raise PipelineError("no chapter has a figure that could be cited")


def reporting(url):
    """Return where to report an error; without a repository's address there is no link.

    >>> reporting("https://example.org/a/")
    'Please open an issue at <https://example.org/a/issues>.\\n'
    """
    if url:
        return f"Please open an issue at <{url.rstrip('/')}/issues>.\n"
    return (
        "This copy was built without the address of its repository, so there is no link to its "
        "issues here. Whoever gave you the copy or the repository can tell you where they are; "
        "who publishes it sets `repository: url` in `_config.yml`, and this page then links to "
        "them.\n"
    )
