"""The log: one event, one line of JSON, in a file that the user named; nothing is written unless it is set.

Hides that no line can be forged (control characters and all that is not ASCII are escaped, a line is written in one
go), what must not be in it (secrets, and the texts of requests and answers: they are never given to it), and its
bounded size. Several processes may write one file. A log at fault, or that
another program keeps locked, costs no request: it is told once, on stderr.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from linnet.limits import LIMITS

_SECRET = re.compile(
    r"\b(?:sk|pk|rk|hf|ghp|gho|ghs|glpat|xox[abps]|AKIA)[-_]?[A-Za-z0-9_-]{12,}"
    r"|\b[Bb]earer\s+\S{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"
)
_SECRET_NAME = re.compile(r"key|token$|secret|password|passwd|authorization|cookie|credential", re.IGNORECASE)
_HIDDEN = "[secret]"
_LONGEST = 2_000
"""Characters of one text within an event."""
_TRIES, _TRY_SECONDS = 25, 0.002
"""For the lock of the file: no request waits for longer than 50 ms for its line."""


class Log:
    """A file that events are appended to. `secrets` are texts that stand in no line, whatever holds them."""

    def __init__(self, path: Path, secrets: tuple[str, ...] = ()) -> None:
        self._path, self._secrets = path, tuple(secret for secret in secrets if secret)
        self._lock = threading.Lock()
        self._failed = False

    def note(self, event: str, **fields: Any) -> None:
        """Append one event, with the time in seconds since 1970 and the process id. Never raises."""
        told = {"at": round(time.time(), 3), "event": event, "pid": os.getpid(), **self._clean(fields)}
        line = json.dumps(told, default=str).encode() + b"\n"
        if len(line) > LIMITS.log_line_bytes:
            short = {**{name: told[name] for name in ("at", "event", "pid")}, "left_out_bytes": len(line)}
            line = json.dumps(short, default=str).encode() + b"\n"
        try:
            with self._lock:
                self._append(line)
        except OSError as error:
            if not self._failed:
                self._failed = True
                print(f"linnet: the log {self._path} cannot be written: {error.strerror}", file=sys.stderr)

    def _append(self, line: bytes) -> None:
        """Under a lock of the file, so that none is renamed while another process writes its line."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open(self._path, flags, 0o600)
            try:
                _lock(fd)
                status = os.fstat(fd)
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(status, self._path.stat()):
                        if status.st_size and status.st_size + len(line) > LIMITS.log_bytes:
                            self._rotate()
                            continue
                        if os.write(fd, line) < len(line):  # a disk that is full: no half line stays
                            os.ftruncate(fd, status.st_size)
                        return
            finally:
                os.close(fd)

    def _rotate(self) -> None:
        """`log` becomes `log.1`, that `log.2`, and so on; the last one is gone."""
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{i}") for i in range(1, LIMITS.logs_kept))]
        for old, new in reversed(list(pairwise(names))):
            with contextlib.suppress(FileNotFoundError):
                old.replace(new)

    def _clean(self, value: Any, name: str = "") -> Any:
        if name and _SECRET_NAME.search(name) and not isinstance(value, int | float | None):
            return _HIDDEN
        if isinstance(value, Mapping):
            return {self._clean(str(key)): self._clean(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        value = _text(value)
        for secret in self._secrets:
            value = value.replace(secret, _HIDDEN)
        value = _SECRET.sub(_HIDDEN, value[: 2 * _LONGEST])
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."


def _lock(fd: int) -> None:
    """Raises OSError where another holds the file's lock for longer than a line takes to be written."""
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(_TRY_SECONDS)
    raise OSError(errno.EWOULDBLOCK, "another program keeps it locked")


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="backslashreplace")
    try:
        return str(value)
    except Exception:  # of an object's own
        return f"<{type(value).__name__}>"


_log: Log | None = None


def write_to(path: Path | None, secrets: tuple[str, ...] = ()) -> None:
    """From now on events of this process go there; None: nowhere."""
    global _log
    _log = None if path is None else Log(path, secrets)


def note(event: str, **fields: Any) -> None:
    """Tell the log, if there is one."""
    if _log is not None:
        _log.note(event, **fields)
