"""Check this archive: `python verify.py`, with Python 3.8 or later and nothing else.

It checks that every file is there and as it was, that there is no other, that
ro-crate-metadata.json describes what is there, and that every link of the
website leads to a file or place within it.  The exit status is 0 if all is
well and 1 if not.
"""

import hashlib
import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SUMS, CRATE = "SHA256SUMS", "ro-crate-metadata.json"
#: What RO-Crate 1.1 asks of the entity of the whole.
ROOT = ("name", "description", "datePublished", "license", "hasPart")
#: Attributes that hold addresses.
LINKS = {
    "a": "href",
    "link": "href",
    "img": "src",
    "script": "src",
    "source": "src",
    "iframe": "src",
}
#: Problems shown; of more, only their number.
SHOWN = 20


def listed(folder):
    """Checksums by path, as SHA256SUMS has them, and problems of the list itself."""
    sums, problems = {}, []
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return sums, [f"{SUMS} cannot be read: {error}"]
    for number, line in enumerate(lines, 1):
        digest, _, path = line.partition("  ")
        if len(digest) != 64 or not path or path in sums:
            problems.append(f"{SUMS}, line {number}: not one checksum and one path")
        else:
            sums[path] = digest
    if not sums and not problems:
        problems.append(f"{SUMS} is empty")
    return sums, problems


def damaged(folder, sums):
    """Problems with files: missing, changed, or not listed."""
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    } - {SUMS}
    problems = [f"missing: {path}" for path in sorted(set(sums) - there)]
    problems += [
        f"a link, not a file: {path.relative_to(folder).as_posix()}"
        for path in sorted(folder.rglob("*"))
        if path.is_symlink()
    ]
    problems += [f"not in {SUMS}: {path}" for path in sorted(there - set(sums))]
    for path in sorted(there & set(sums)):
        if digest(folder / path) != sums[path]:
            problems.append(f"changed: {path}")
    return problems


def digest(path):
    """SHA-256 of a file in hexadecimal digits; empty where it cannot be read."""
    whole = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                whole.update(block)
    except OSError:
        return ""
    return whole.hexdigest()


def undescribed(folder):
    """Problems of the archive's description as an RO-Crate: its form, and what it describes."""
    try:
        nodes = json.loads((folder / CRATE).read_text(encoding="utf-8"))["@graph"]
        found = {node["@id"]: node for node in nodes}
    except (OSError, ValueError, LookupError, TypeError) as error:
        return [f"{CRATE} is no RO-Crate: {error!r}"]
    problems = [f"{CRATE}: ./ lacks {key}" for key in ROOT if key not in found.get("./", {})]
    if len(found) != len(nodes):
        problems.append(f"{CRATE} describes something twice")
    for id, node in found.items():
        if node.get("@type") in ("File", "Dataset") and not (folder / unquote(id)).exists():
            problems.append(f"{CRATE} describes what is missing: {id}")
        for value in node.values():
            for link in value if isinstance(value, list) else [value]:
                to = link.get("@id", "") if isinstance(link, dict) else id
                if to not in found and "://" not in to:
                    problems.append(f"{CRATE}: {id} leads to what it does not describe: {to}")
    return problems


class Page(HTMLParser):
    """Addresses that a page uses, and the places that others can point to."""

    def __init__(self, path):
        super().__init__()
        self.addresses, self.places = [], set()
        self.feed(path.read_text(encoding="utf-8", errors="replace"))

    def handle_starttag(self, tag, attributes):
        """Note what one tag points to, and what can point to it."""
        for name, value in attributes:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value)
            if LINKS.get(tag) == name:
                self.addresses.append(value)
        found = dict(attributes)
        if (
            tag == "meta"
            and (found.get("http-equiv") or "").lower() == "refresh"
            and "url=" in (found.get("content") or "")
        ):
            self.addresses.append(found["content"].partition("url=")[2].strip())


def broken(site):
    """Links of the website that lead nowhere; those to other sites are not looked at."""
    # Templates of the theme are no pages.
    paths = [
        path
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.relative_to(site).parts
    ]
    if not paths:
        return [f"{site.name}/ has no page"]
    pages = {path.resolve(): Page(path) for path in paths}
    problems = []
    for path, page in pages.items():
        for text in page.addresses:
            try:
                address = urlsplit(text)
            except ValueError:
                problems.append(f"{shown(path, site)}: no address: {text}")
                continue
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if target.is_dir():
                target /= "index.html"
            if site.resolve() not in target.parents:
                problems.append(f"{shown(path, site)}: leads out of {site.name}/: {text}")
            elif not target.is_file():
                problems.append(f"{shown(path, site)}: leads nowhere: {text}")
            elif (
                address.fragment
                and target in pages
                and unquote(address.fragment) not in pages[target].places
            ):
                problems.append(f"{shown(path, site)}: no such place: {text}")
    return problems


def shown(path, site):
    """Path of a page as the archive has it."""
    return f"{site.name}/{path.relative_to(site.resolve()).as_posix()}"


def main(folder):
    """Check the archive in a folder and say what was found; the exit status."""
    sums, problems = listed(folder)
    problems += damaged(folder, sums) if sums else []
    problems += undescribed(folder)
    problems += broken(folder / "site")
    for problem in problems[:SHOWN]:
        print(problem)
    if len(problems) > SHOWN:
        print(f"and {len(problems) - SHOWN} more")
    if problems:
        many = "s" if len(problems) > 1 else ""
        print(f"FAILED: {len(problems)} problem{many} in {len(sums)} files")
        return 1
    print(f"OK: {len(sums)} files are as they were, and every link of the website leads somewhere")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
