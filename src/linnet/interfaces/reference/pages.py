"""Which reference pages there are, and whether those in a folder are what the code makes."""

from __future__ import annotations

from pathlib import Path

from linnet import storage
from linnet.interfaces.reference.commands import commands
from linnet.interfaces.reference.http import http
from linnet.interfaces.reference.python import python
from linnet.interfaces.reference.values import errors, limits, settings

FOLDER = "reference"
"""Below the folder of the documentation."""


def pages(docs: Path) -> dict[str, str]:
    """Text by file name; `docs` has the other pages, whose imports the Python page follows."""
    others = [file.read_text(encoding="utf-8") for file in sorted(docs.glob("*.md"))]
    return {
        "cli.md": commands(),
        "settings.md": settings(),
        "limits.md": limits(),
        "errors.md": errors(),
        "python.md": python(others),
        "http.md": http(),
    }


def stale(docs: Path) -> list[str]:
    """Names of pages that are missing or not what the code makes, and of those that nothing makes."""
    made, folder = pages(docs), docs / FOLDER
    found = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.md")} if folder.is_dir() else {}
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))


def write(docs: Path) -> list[str]:
    """Bring the folder up to date. Returns the names of what has changed."""
    changed, made = stale(docs), pages(docs)
    for name in changed:
        if name in made:
            storage.write_whole(docs / FOLDER / name, made[name].encode())
            (docs / FOLDER / name).chmod(0o644)
        else:
            (docs / FOLDER / name).unlink()
    return changed
