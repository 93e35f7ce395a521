"""The figure and the numbers of README.md, from the committed notebooks."""

import re

from ..results import claims
from . import notebooks, scorecard, site
from .project import PipelineError, write_whole

#: The picture, beside the book's pages.
PICTURE = "book/front.png"
#: A number, and what it is of, in a comment that no reader sees.
_NUMBER = re.compile(r"[\d.]+<!-- ([\w -]+) -->")
_FIGURE = re.compile(rf"!\[[^\]]*\]\({re.escape(PICTURE)}\)")


def write(project, log=print):
    """Write :data:`PICTURE` and what README.md says of it and of the claims; log both paths."""
    runs = {name: notebooks.executed(project.committed(name)) for name in project.names()}
    picture, alt = front(project, runs)
    rows = scorecard.gather(runs, project.book / "claims.yml")
    readme = project.root / "README.md"
    (project.root / PICTURE).write_bytes(picture)
    write_whole(readme, filled(readme.read_text(encoding="utf-8"), rows, alt))
    log(f"{PICTURE} and the numbers of README.md written")


def front(project, runs):
    """Return the figure of the book's front page in executed notebooks: as PNG, and in words."""
    wanted = site.front_figure(project.book / "index.md")
    for name, nb in runs.items():
        for cell, label, _, alt in notebooks.figures(nb):
            if label == wanted:
                return notebooks.picture(cell, f"{name}: {label}"), " ".join(alt.split())
    raise PipelineError(f"book/index.md asks for the figure {wanted!r}, which no chapter has")


def filled(text, rows, alt):
    """Return ``text`` with the figure's description, and its numbers as measured.

    A number stands before a comment that names a claim, a verdict, whose claims are counted, or
    "claims", for all of them.

    >>> row = {"id": "A", "measured": 0.3136, "verdict": "partly"}
    >>> filled("0.4<!-- A --> in 9<!-- partly --> of 9<!-- claims -->", [row], "")
    '0.31<!-- A --> in 1<!-- partly --> of 1<!-- claims -->'
    """
    known = {row["id"]: f"{row['measured']:.2g}" for row in rows if row["measured"] is not None}
    known |= {
        verdict: sum(row["verdict"] == verdict for row in rows) for verdict in claims.VERDICTS
    }
    known["claims"] = len(rows)

    def value(match):
        if match[1] not in known:
            raise PipelineError(
                f"README.md shows what was measured of {match[1]!r}: no chapter did"
            )
        return f"{known[match[1]]}<!-- {match[1]} -->"

    return _FIGURE.sub(lambda _: f"![{alt}]({PICTURE})", _NUMBER.sub(value, text))
