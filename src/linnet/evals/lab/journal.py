"""Journal: answers in a file, one line each as it is there, so that no answer is asked for twice.

Hides the file, its lock, a last line that was torn, and how an answer is known again: by all that it depends on, the
prompt as it is written, notation, model, its file and how that is loaded, settings, tools and the case's values. What
is changed in a case file is asked anew, and nothing else; checks are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from linnet.errors import InputInvalid
from linnet.evals.lab.answer import Answer, Outcome
from linnet.evals.lab.plan import Case, Variant
from linnet.limits import LIMITS
from linnet.models.locks import hold_alone
from linnet.storage import append, resumable
from linnet.tools import Tool
from linnet.usage import Usage

_HEAD = b'{"key": '
_USAGE = TypeAdapter(Usage)


def key_of(variant: Variant, case: Case, tools: Sequence[Tool], file: str) -> str:
    """What an answer is known by; `file` stands for the model's file, and how it is loaded."""
    content: dict[str, Any] = {"variant": variant.content(), "values": case.values, "file": file}
    if variant.notation.calls:
        content["tools"] = [[tool.name, tool.description, tool.parameters] for tool in tools]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:32]


class Journal:
    """Answers by key; in a file with `path`, in memory alone without. One process has the file at a time.

    Without `resume` the file must be new or empty. Raises InputInvalid for one that cannot be used, StorageFull from
    a write for which there is no room.
    """

    def __init__(self, path: Path | None = None, *, resume: bool = False) -> None:
        self._path, self._fd = path, -1
        self._answers: dict[str, Answer] = {}
        if path is not None:
            self._fd = _opened(path)
            try:
                self._begin(path, resume)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def get(self, key: str) -> Answer | None:
        return self._answers.get(key)

    def add(self, key: str, outcome: Outcome) -> None:
        """On the disk when this returns, where there is a file."""
        self._answers[key] = outcome.answer
        if self._path is not None:
            with resumable(self._path):
                append(self._fd, json.dumps({"key": key, **outcome.describe()}).encode() + b"\n")

    def _begin(self, path: Path, resume: bool) -> None:
        size = os.fstat(self._fd).st_size
        if size and not resume:
            hint = "If these are answers of `linnet prompt run`, go on with them by --resume; or name another file."
            raise InputInvalid(f"{str(path)!r} is not empty", hint=hint, path=str(path))
        if size > LIMITS.lab_journal_bytes:
            raise InputInvalid(f"{str(path)!r} is over {LIMITS.lab_journal_bytes:,} bytes", path=str(path))
        whole = 0
        for line in _lines(self._fd):
            if not line.endswith(b"\n") and line.startswith(_HEAD[: len(line)]):
                break  # what the end of a program has torn
            self._answers.update(_read(line, path, whole))
            whole += len(line)
        os.ftruncate(self._fd, whole)


def _opened(path: Path) -> int:
    with resumable(path):
        if path.exists() and not path.is_file():
            raise InputInvalid(f"{str(path)!r} is no file", hint="Name a file.", path=str(path))
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    if hold_alone(fd):
        return fd
    os.close(fd)
    raise InputInvalid(f"another `linnet prompt run` writes {str(path)!r}", hint="Let it end.", path=str(path))


def _lines(fd: int) -> Iterator[bytes]:
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        yield from file


def _read(line: bytes, path: Path, at: int) -> dict[str, Answer]:
    try:
        row: Mapping[str, Any] = json.loads(line)
        counts = {name: row[name] for name in Usage.__dataclass_fields__}
        answer = _answer(row, counts)
        return {} if answer.error else {str(row["key"]): answer}  # an error is no answer: it is asked again
    except (ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        message = f"{str(path)!r} holds something else than `linnet prompt run` writes, at byte {at}"
        raise InputInvalid(message, hint="Name another file.", path=str(path)) from error


def _answer(row: Mapping[str, Any], counts: Mapping[str, Any]) -> Answer:
    calls = tuple({"name": call["name"], "arguments": dict(call["arguments"])} for call in row["calls"])
    usage, notes = _USAGE.validate_python(counts), tuple(map(str, row["notes"]))
    return Answer(
        str(row["text"]), calls, usage, float(row["seconds"]), str(row["written"]), notes, _error(row["error"])
    )


def _error(told: Any) -> Mapping[str, Any] | None:
    return None if told is None else {**told, "code": str(told["code"]), "message": str(told["message"])}
