"""Read files that people or other programs wrote: an error names the place and the likely cause."""

import functools
import json
from contextlib import contextmanager
from pathlib import Path


class Unreadable(ValueError):
    """A file that is not what it should be; one line names it, the place and the likely cause."""


def text(path):
    """Return the text of a file in UTF-8, each line ended by a newline as Python reads it.

    Raises
    ------
    Unreadable
        Where it cannot be opened or is not UTF-8.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"the byte {data[error.start]:#04x} is no UTF-8"
        why = "was it saved in another encoding, or is it a binary file?"
        raise Unreadable(f"{path}, line {line}: {what}: {why}") from None


def from_yaml(path):
    """Return what a YAML file holds.

    A key that stands twice in a mapping is an error; other readers take the last and say nothing.

    Raises
    ------
    Unreadable
        As :func:`text`, and for what is not YAML.
    """
    return parsed_yaml(text(path), path)


def parsed_yaml(words, path, first=1):
    """Return what YAML text holds; errors name ``path`` and count lines from ``first``."""
    import yaml  # here, for a machine that only computes lacks it

    try:
        return yaml.load(words, _strict())
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-13-01
        raise Unreadable(f"{path}{_place(error, words, first)}: {_why(error)}") from None


def parsed_json(words, path):
    """Return what JSON text holds; raises :class:`Unreadable`, with ``path`` and the line."""
    try:
        return json.loads(words)
    except ValueError as error:
        why = "was it cut short?" if words.strip() else "it is empty"
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"{path}, {place}: no JSON ({error.msg}): {why}") from None


@contextmanager
def of_kind(path, kind):
    """Raise errors of a ``with`` block that takes a file's contents apart as :class:`Unreadable`.

    It says that ``path`` is no ``kind``; errors that name the file already pass as they are.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if str(path) in str(error):
            raise
        lacking = isinstance(error, KeyError)
        what = _line(f"it has no {error}" if lacking else f"{type(error).__name__}: {error}")
        why = "is it of another kind, or written by another version?"
        raise Unreadable(f"{path} is no {kind} ({what}): {why}") from error


@functools.cache
def _strict():
    """A loader that refuses keys that stand twice."""
    import yaml

    class Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        def construct_mapping(self, node, deep=False):
            seen = set()
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        what = f"the key {key.value!r} stands twice"
                        raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Strict


def _place(error, words, first):
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f", line {mark.line + first}, column {mark.column + 1}"
    if type(error).__name__ == "ReaderError":
        return f", line {words[: error.position].count(chr(10)) + first}"
    return ""


def _why(error):
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or _line(error)
    if "tab" in words or "cannot start any token" in words:
        return f"no YAML ({words}): is there a tab? YAML is indented by spaces"
    if "stands twice" in words:
        return f"{words}: rename or remove one of the two"
    if "mapping values" in words or "unexpected ':'" in words:
        return f"no YAML ({words}): does a text with a colon lack its quotes?"
    why = "is a bracket or a quote open, a line indented otherwise, or the file cut short?"
    return f"no YAML ({words}): {why}"


def _line(words):
    words = " ".join(str(words).split())
    return words if len(words) <= 200 else f"{words[:200]}…"
