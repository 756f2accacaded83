"""A Model around a Model that remembers every answer in a file, so that nothing is asked twice.

One JSON line for each answer, added as soon as it is there: a run that was stopped goes on where it was. The
inner Model is opened when something is asked that the file does not know. One file is for one model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet.errors import InputInvalid
from linnet.requests import Capabilities, Done, Event, Model, Request

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)


@dataclass(frozen=True)
class _Line:
    key: str
    done: Done


_LINE = TypeAdapter(_Line)


class Remembering:
    """`open_model` opens the inner Model, which is closed by `close`. Without a path nothing outlives it."""

    def __init__(self, open_model: Callable[[], AbstractContextManager[Model]], path: Path | None = None) -> None:
        """Raises InputInvalid for a file that cannot be read or written."""
        self._open = open_model
        self._model: Model | None = None
        self._known = _read(path) if path else {}
        self._held = ExitStack()
        self._file = self._held.enter_context(_appending(path)) if path else None

    @property
    def capabilities(self) -> Capabilities:
        return self._inner().capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        key = hashlib.sha256(_REQUEST.dump_json(request)).hexdigest()
        if key in self._known:
            return iter((self._known[key],))
        return self._noted(key, self._inner().stream(request))  # submitted here, not when it is first read

    def close(self) -> None:
        self._held.close()

    def _inner(self) -> Model:
        if self._model is None:
            self._model = self._held.enter_context(self._open())
        return self._model

    def _noted(self, key: str, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, Done):
                self._note(key, event)
            yield event

    def _note(self, key: str, done: Done) -> None:
        self._known[key] = done
        if self._file is not None:
            self._file.write(_LINE.dump_json(_Line(key, done)) + b"\n")
            self._file.flush()


def _read(path: Path) -> dict[str, Done]:
    """What the file knows; a line that was not written to its end is passed over."""
    known: dict[str, Done] = {}
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be read: {error.strerror}", path=str(path)) from error
    for line in lines:
        with suppress(ValidationError):
            told = _LINE.validate_json(line)
            known[told.key] = told.done
    return known


def _appending(path: Path) -> IO[bytes]:
    try:
        file = path.open("ab")
        file.write(b"\n" if file.tell() else b"")  # ends a line that a stopped run left unfinished
        return file
    except OSError as error:
        raise InputInvalid(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error
