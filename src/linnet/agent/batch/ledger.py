"""Ledger: which requests of a batch have a row in its output, and which had begun what must not be done twice.

Hides two files and the order of writes. The output gets each row as soon as there is one; beside it, until all is
done, `OUTPUT.begun` names each request before its first tool runs. Both are appended to and synced line by line, so
that whatever ends the program, a request has its row, or is named as begun, or has not touched anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.agent.batch.lines import key_of
from linnet.errors import InputInvalid
from linnet.models.locks import hold_alone
from linnet.storage import append, resumable, sync_folder, write_pieces


@dataclass(frozen=True)
class Row:
    """Where in the output a request's row is, how its answer came about, and whether it tells of an error."""

    start: int
    size: int
    how: str
    bad: bool


class Ledger:
    """The output file and what is known of it. One process has it at a time.

    Without `resume` the output must be new or empty. Raises InputInvalid for a file that cannot be used, StorageFull
    from each write for which there is no room.
    """

    def __init__(self, output: Path, *, resume: bool = False) -> None:
        self._path = output.resolve()
        self._aside = self._path.with_name(self._path.name + ".begun")
        self._lock = threading.Lock()
        self.rows: dict[str, Row] = {}
        self._begun: dict[str, int] = {}
        with contextlib.ExitStack() as opened:
            self._out = _Appended(self._path, b'{"id": ', opened)
            self._names = _Appended(self._aside, b'{"key": ', opened)
            opened.callback(self._tidy)
            if not resume and (self._out.size or self._names.size):
                hint = "If these are answers of `linnet batch`, go on with them by --resume; or name another file."
                raise InputInvalid(f"{str(output)!r} is not empty", hint=hint, path=str(output))
            for start, line in self._out.lines():
                self._know(start, line)
            for start, line in self._names.lines():
                try:
                    name = json.loads(line)
                    self._begun[name["key"]] = name["at"]
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    raise _foreign(self._aside, start) from error
            self._opened = opened.pop_all()

    def interrupted(self, key: str) -> bool:
        """Whether its tools may have run since its last row was written."""
        row, begun = self.rows.get(key), self._begun.get(key, -1)
        return begun >= 0 and (row is None or row.start < begun)

    def begin(self, key: str) -> None:
        """Before the first tool of a request runs: it does not run again by itself."""
        with self._lock:
            if not self.interrupted(key):
                self._names.append({"key": key, "at": self._out.size})
                self._begun[key] = self._out.size

    def finish(self, row: Mapping[str, Any]) -> None:
        """A row, which has `id`, `line`, `how` and `error`. It takes the place of one that the request had."""
        with self._lock:
            self._know(*self._out.append(row))

    def settle(self, keys: Iterable[str]) -> None:
        """All is done: the output in this order, in one step, with one row for each; rows of others come last, in
        the order in which they were done."""
        # Nothing is interrupted now; and where rows were says nothing of them once they have moved.
        self._names.clear()
        others = sorted(self.rows, key=lambda key: self.rows[key].start)
        order = list(dict.fromkeys([*(key for key in keys if key in self.rows), *others]))
        if sum(self.rows[key].size for key in order) < self._out.size or not self._sorted(order):
            mode = self._path.stat().st_mode & 0o777
            with resumable(self._path):
                write_pieces(self._path, (self._out.read(self.rows[key]) for key in order), mode)

    def close(self) -> None:
        """Whatever thread comes later finds it closed."""
        with self._lock:
            self._opened.close()
            self._out.forget()
            self._names.forget()

    def _tidy(self) -> None:
        if not self._names.size:
            self._aside.unlink(missing_ok=True)
            sync_folder(self._aside.parent)

    def _sorted(self, order: list[str]) -> bool:
        starts = [self.rows[key].start for key in order]
        return starts == sorted(starts)

    def _know(self, start: int, line: bytes) -> None:
        try:
            row = json.loads(line)
            key = key_of(row["id"], row["line"])
            self.rows[key] = Row(start, len(line), row["how"], row["error"] is not None)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _foreign(self._path, start) from error


class _Appended:
    """A file of JSON lines, with one beginning, that grows whole line by whole line; a torn last one is cut off."""

    def __init__(self, path: Path, head: bytes, opened: contextlib.ExitStack) -> None:
        self._path, self._head = path, head
        with resumable(path):
            if path.exists() and not path.is_file():
                raise InputInvalid(f"{str(path)!r} is no file", hint="Name a file.", path=str(path))
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            opened.callback(os.close, self._fd)
            sync_folder(path.parent)
        if not hold_alone(self._fd) or not os.path.samestat(os.fstat(self._fd), path.stat()):
            told = f"another `linnet batch` writes {str(path)!r}"
            raise InputInvalid(told, hint="Let it end.", path=str(path), held=True)
        self.size = os.fstat(self._fd).st_size

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Where each line begins, and the line."""
        whole = 0
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n") and self._torn(line):
                    break
                yield whole, line
                whole += len(line)
        self._cut(whole)

    def _torn(self, line: bytes) -> bool:
        """Whether this end of the file is of a line of ours. After a power cut the system may leave zeros."""
        return line.startswith(self._head[: len(line)]) or not line.strip(b"\0")

    def append(self, value: Any) -> tuple[int, bytes]:
        """On the disk when this returns, or not at all."""
        line, start = json.dumps(value).encode() + b"\n", self.size
        with resumable(self._path):
            append(self._fd, line)
        self.size += len(line)
        return start, line

    def read(self, row: Row) -> bytes:
        return os.pread(self._fd, row.size, row.start)

    def clear(self) -> None:
        self._cut(0)
        os.fsync(self._fd)

    def forget(self) -> None:
        """The file is closed, and its descriptor may be another's soon."""
        self._fd = -1

    def _cut(self, size: int) -> None:
        os.ftruncate(self._fd, size)
        self.size = size


def _foreign(path: Path, start: int) -> InputInvalid:
    message = f"{str(path)!r} holds something else than `linnet batch` writes, at byte {start}"
    return InputInvalid(message, hint="Name another file.", path=str(path))
