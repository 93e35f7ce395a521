"""The forms of the files that the pipeline reads, as JSON schemas, and the check against them."""

import math
from contextlib import contextmanager
from datetime import date

import jsonschema
from sphinx_external_toc.parsing import MalformedError, parse_toc_data

from ..figures import vector
from ..results import claims, reading
from ..results.store import DamagedShard
from .project import PipelineError

_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_MAYBE_TEXT, _MAYBE_NUMBER = {"type": ["string", "null"]}, {"type": ["number", "null"]}
_TEXTS = {"type": "array", "items": _TEXT}


def _object(needed=(), **properties):
    return {"type": "object", "required": list(needed), "properties": properties}


#: What a claim's measurement is; what an older library left out is found when rows are gathered.
_ROW = _object(
    ["id"],
    **dict.fromkeys(("id", "paper", "figure", "chapter", "statement", "quantity"), _TEXT),
    **dict.fromkeys(("rule", "saw", "source"), _TEXT),
    **dict.fromkeys(("measured", "low", "high"), _MAYBE_NUMBER),
    paper_value={"type": ["string", "number", "null"]},
    revised=_MAYBE_TEXT,
    judged_on=_MAYBE_TEXT,
    interval_kind={"enum": [*claims.INTERVALS, None]},
    verdict={"enum": list(claims.VERDICTS)},
)
_WAY = dict(
    **dict.fromkeys(("profile", "device", "commit", "executed"), _TEXT),
    seed=_WHOLE,
    duration_s=_NUMBER,
    peak_mb=_MAYBE_NUMBER,
    machine=_MAYBE_TEXT,
    versions={"type": "object", "additionalProperties": _TEXT},
)
#: How a notebook was run; what may lack was not yet written by older libraries.
_RUN = _object(
    ("profile", "device", "seed", "commit", "executed", "duration_s", "versions"),
    **_WAY,
    key=_TEXT,
    parameters={"type": "object"},
    modules={"type": "object", "additionalProperties": _TEXT},
)
_CELL = _object(
    metadata=_object(tags=_TEXTS, netdyn=_object(numbers=_TEXT, sources=_TEXTS)),
    outputs={
        "items": _object(
            data=_object(
                **{
                    claims.MIME: {"type": "array", "items": _ROW},
                    vector.MIME: _TEXT,
                    "image/png": _TEXT,
                }
            )
        )
    },
)
#: An executed notebook: what this pipeline adds to the form of the format itself.
NOTEBOOK = _object(metadata=_object(["netdyn"], netdyn=_RUN), cells={"items": _CELL})

_AUTHOR = _object(**dict.fromkeys(("name", "family-names", "given-names", "orcid"), _TEXT))
_AUTHOR["anyOf"] = [{"required": ["name"]}, {"required": ["family-names"]}]
_WORK = dict(
    **dict.fromkeys(("title", "type", "doi", "url", "repository-code"), _TEXT),
    **dict.fromkeys(("journal", "collection-title"), _TEXT),
    **{"date-released": {"type": "date"}},
    authors={"type": "array", "minItems": 1, "items": _AUTHOR},
)
_PAPER = _object(["title", "authors", "type"], year=_WHOLE, **_WORK)
_PAPER["anyOf"] = [{"required": ["year"]}, {"required": ["date-released"]}]
#: CITATION.cff, as far as it is read here.
CITATION = _object(
    ["title", "authors", "version", "date-released"],
    version=_TEXT,
    abstract=_TEXT,
    license=_TEXT,
    keywords=_TEXTS,
    **_WORK,
    references={"type": "array", "items": _PAPER},
)

#: Changes of claims since they were entered, as :mod:`netdyn_lib.book.history` writes them.
_VALUE = {"type": ["string", "number", "array", "null"]}
_CHANGE = _object(
    ["date", "field", "before", "after"], date=_TEXT, field=_TEXT, before=_VALUE, after=_VALUE
)
CHANGES = {"type": "object", "additionalProperties": {"type": "array", "items": _CHANGE}}


def record(run, row):
    """The form of a run kept beside the notebooks: with the fields ``run``, and ``row`` of each
    claim.
    """
    rows = {"type": "array", "items": _ROW | {"required": list(row)}}
    return _object([*run, "rows"], chapter=_TEXT, **_WAY, rows=rows)


def _number(_checker, value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_KINDS = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", _number)
_KINDS = _KINDS.redefine("date", lambda _checker, value: isinstance(value, date))
_VALIDATOR = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=_KINDS)


def fit(found, form, path):
    """Return what was found in a file, where it has the form.

    Raises
    ------
    PipelineError
        Naming the file, the place in it and what is wrong there.
    """
    _tell(_VALIDATOR(form).iter_errors(found), path)
    return found


def contents(path):
    """The table of contents of a book, as a dict.

    Raises
    ------
    PipelineError
        For a file that Jupyter Book could not take as one; it names the place.
    """
    with told():
        toc = reading.from_yaml(path)
    try:
        parse_toc_data(toc)
    except (AttributeError, LookupError, MalformedError, TypeError, ValueError) as error:
        raise PipelineError(f"{path} is no table of contents: {error}") from None
    return toc


def settings(path):
    """The settings of a book, as a dict.

    Raises
    ------
    PipelineError
        For settings that Jupyter Book could not take; it names the place.
    """
    with told():
        config = reading.from_yaml(path)
    if not isinstance(config, dict):
        why = "is it empty, or another file?"
        raise PipelineError(f"{path} holds no settings, each a name and a value: {why}")
    from jupyter_book.config import get_validator  # Sphinx takes half a second to import

    _tell(get_validator().iter_errors(config), path)
    return config


@contextmanager
def told(name=""):
    """Tell what a ``with`` block cannot read, what is damaged and what is no Python, as
    PipelineError.

    ``name`` goes before the message.
    """
    before = f"{name}: " if name else ""
    try:
        yield
    except (DamagedShard, OSError, reading.Unreadable) as error:
        raise PipelineError(f"{before}{error}") from None
    except SyntaxError as error:
        raise PipelineError(f"{before}{error.filename}, line {error.lineno}: {error.msg}") from None


def _tell(errors, path):
    error = next(iter(errors), None)
    if error is None:
        return
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    place = "".join(steps).removeprefix(".")
    what = " ".join(error.message.split())
    if error.validator == "anyOf":
        what = "it lacks " + " or ".join(one["required"][0] for one in error.validator_value)
    elif len(what) > 200:
        what = f"{what[:80]} … {what[-80:]}"
    why = "was it changed by hand, or written by another version?"
    raise PipelineError(f"{path}{f', at {place}' * bool(place)}: {what}: {why}")
