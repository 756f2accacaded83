"""Asking whoever sits at the terminal whether a call may be made. Without a terminal, it may not."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from linnet.interfaces.cli import output

if TYPE_CHECKING:
    from linnet import Tool
    from linnet.messages import ToolCall

_SHOWN = 2_000
"""Characters of a call that are shown; a longer one is not asked for but refused."""


def asker() -> Asker | None:
    """Who is asked; None without a terminal for both the question and the answer."""
    ends = (sys.stdin, sys.stderr)
    return Asker() if all(end is not None and end.isatty() for end in ends) else None


class Asker:
    """Shows the exact call and reads y, n or a: always in this run, for this tool with these permissions. `calm` is
    called first, to clear the line."""

    def __init__(self, read: Callable[[], str] | None = None) -> None:
        self.calm: Callable[[], None] = lambda: None
        self._read = read or sys.stdin.readline
        self._forget = _forget_typed if read is None else lambda: None
        self._lock = threading.Lock()
        self._always: set[tuple[str, frozenset[str]]] = set()

    def __call__(self, tool: Tool, call: ToolCall) -> bool:
        """One question at a time: an answer belongs to the call that is shown above it."""
        with self._lock:
            return self._may(tool, call)

    def _may(self, tool: Tool, call: ToolCall) -> bool:
        wanted = (tool.name, frozenset(map(str, tool.permissions)))
        if wanted in self._always:
            return True
        self.calm()
        shown = f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})"
        if len(shown) > _SHOWN:
            output.complain(f"refused, for it is too long to be shown: {shown[:200]}...")
            return False
        output.complain(f"{shown}\nwants {', '.join(sorted(wanted[1]))}")
        while True:
            self._forget()
            output.complain("May it? [y]es, [n]o, [a]lways in this run: ")
            answer = self._read()
            if not answer or answer.strip().lower() in ("n", "no", ""):
                return False
            if answer.strip().lower() in ("y", "yes"):
                return True
            if answer.strip().lower() in ("a", "always"):
                self._always.add(wanted)
                return True


def _forget_typed() -> None:
    """What was typed before a question was to be seen is no answer to it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
