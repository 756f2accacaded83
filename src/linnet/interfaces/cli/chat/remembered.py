"""What was typed in earlier chats, in a private file: a JSON text on each line, the newest last.

What begins with a space is not kept. A file that cannot be read or written costs the history, and a note.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History

from linnet.interfaces.cli import output
from linnet.limits import LIMITS
from linnet.storage import state_folder, write_whole


def history_file() -> Path:
    return state_folder() / "chat_history"


class Remembered(History):
    """As prompt_toolkit wants it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        try:
            _make_private(path)
            _shorten(path)
        except OSError as error:
            output.note(f"What is typed is not kept: {path}: {error.strerror}")

    def load_history_strings(self) -> Iterable[str]:
        return reversed(_entries(self._path)[-LIMITS.chat_history :])

    def store_string(self, string: str) -> None:
        if string[:1].isspace():
            return
        line = json.dumps(string).encode() + b"\n"
        with contextlib.suppress(OSError), self._path.open("ab", buffering=0) as file:
            file.write(line)


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600))
    path.chmod(0o600)


def _shorten(path: Path) -> None:
    """So that the file does not grow for ever: once it holds twice as many, the older half goes."""
    entries = _entries(path)
    if len(entries) > 2 * LIMITS.chat_history:
        kept = entries[-LIMITS.chat_history :]
        write_whole(path, b"".join(json.dumps(entry).encode() + b"\n" for entry in kept))


def _entries(path: Path) -> list[str]:
    """The texts in the file; a torn line is passed over."""
    found = []
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                entry = json.loads(line)
                found += [entry] if isinstance(entry, str) else []
    return found
