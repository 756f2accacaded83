"""Linnet's own places, which no tool may change: settings, store, cache, code, the tools that the user wrote, and
whatever journal or memory is open, wherever it is.

What is written there would be obeyed by the next run. Hides how a file is known to be in such a place: by the
identity (device and inode) of the folders above it, so that no other name, link or mount leads around it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import linnet
from linnet.agent.database import files_in_use
from linnet.settings import settings_file
from linnet.storage import cache_folder, data_folder, models_folder
from linnet.tools import Function, Tool

_DEPTH = 1_024
"""Folders above a file that are looked at; a path has at most 4,096 bytes."""

Identity = tuple[int, int]


def places(tools: Iterable[Tool] = (), environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """The settings file and its default folder, the folders of cache, data and models, the Python that runs, this
    package, and the files in which `tools` are written. They need not exist."""
    chosen, default = settings_file(environ)
    written = (Path(file) for tool in tools if (file := _source(tool.function)))
    folders = (default.parent, cache_folder(), data_folder(), models_folder(), Path(sys.prefix))
    return (chosen, default, *folders, Path(linnet.__file__).parent, *written)


class Guard:
    """Knows which files are in some places, or are open as Linnet's own: a folder stands for all that is in it."""

    def __init__(self, own: Iterable[Path] = ()) -> None:
        self._places = tuple(own)

    def holds(self, folder: int, name: bytes) -> bool:
        """Whether `name` in that opened folder is one of the places, or is in one."""
        all_places = (*self._places, *files_in_use())
        places = [found for place in all_places if (found := _identity(place)) is not None]
        if not places:
            return False
        above = _above(folder)
        files = {(found, os.fsencode(place.name)) for place in all_places if (found := _identity(place.parent))}
        return not above.isdisjoint(places) or (_own(folder), name) in files or _identity_at(folder, name) in places


def _above(folder: int) -> set[Identity]:
    """The identities of a folder and of all that it is in."""
    found: set[Identity] = set()
    current = os.dup(folder)
    try:
        while (identity := _own(current)) not in found and len(found) < _DEPTH:
            found.add(identity)
            upper = os.open("..", getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = upper
    except PermissionError:
        pass  # what is above a folder that may not be entered was not entered through it
    finally:
        os.close(current)
    return found


def _own(descriptor: int) -> Identity:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _identity(place: Path) -> Identity | None:
    try:
        found = place.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _identity_at(folder: int, name: bytes) -> Identity | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _source(function: Function | None) -> str:
    """The file that a function is written in, "" where it has none."""
    while isinstance(function, partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, partial) else function.__wrapped__  # type: ignore[union-attr]
    code = getattr(function, "__code__", None)
    return str(code.co_filename) if code is not None else ""
