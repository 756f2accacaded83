"""Running a tool call: permission first, then the tool in a thread of its own, under its deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from queue import Empty, SimpleQueue
from typing import Any

from linnet import log
from linnet.errors import LinnetError, ToolDenied, ToolFailed, ToolTimeout
from linnet.messages import ToolCall, ToolResult
from linnet.tools import Permission, Tool

Approve = Callable[[Tool, ToolCall], bool]
"""Asked before a call whose permissions were not given beforehand."""


def execute(
    tool: Tool, call: ToolCall, granted: Collection[Permission], approve: Approve | None = None
) -> ToolResult:
    """The outcome of a call, errors included; never raises an error of the tool.

    A tool that does not return cannot be stopped inside this process: at its deadline it is abandoned, and
    the error says so. Its thread never keeps the program from ending.
    """
    started, code = time.monotonic(), ""
    try:
        value = _permitted(tool, call, granted, approve)
        return ToolResult(call, value, seconds=time.monotonic() - started)
    except LinnetError as error:
        code = error.code
        return ToolResult(call, error=error.describe(), seconds=time.monotonic() - started)
    finally:
        log.note("tool", name=tool.name, call=call.id, error=code, seconds=round(time.monotonic() - started, 3))


def _permitted(tool: Tool, call: ToolCall, granted: Collection[Permission], approve: Approve | None) -> Any:
    missing = sorted(tool.permissions - set(granted))
    if missing and not (approve is not None and tool.function is not None and approve(tool, call)):
        message = f"{tool.name} needs the permission {', '.join(missing)}"
        hint = f"Nothing was run: it has no function either. {tool.how_to_bind}" if tool.function is None else None
        raise ToolDenied(message, hint=hint, tool=tool.name, missing=missing)
    outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put((tool.run(call.arguments), None))
        except BaseException as error:
            outcome.put((None, error))

    threading.Thread(target=work, name=f"linnet-tool-{tool.name}", daemon=True).start()
    try:
        value, error = outcome.get(timeout=min(tool.deadline, threading.TIMEOUT_MAX))
    except Empty:
        raise ToolTimeout(
            f"{tool.name} did not return within {tool.deadline:g} s and was abandoned",
            tool=tool.name,
            seconds=tool.deadline,
        ) from None
    if error is not None:
        raise _as_ours(tool, error)
    return value


def _as_ours(tool: Tool, error: BaseException) -> LinnetError:
    """Also of what is no Exception, as CancelledError: raised in a tool's thread, it is the tool's."""
    if isinstance(error, LinnetError):
        return error
    kind = type(error).__name__
    return ToolFailed(f"{tool.name}: {kind}: {str(error)[:500]}", tool=tool.name, error=kind)
