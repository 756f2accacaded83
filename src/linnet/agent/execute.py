"""Running a tool call: permission first, then the tool in a thread of its own, under its deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from contextvars import copy_context
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from linnet import log
from linnet.agent.permit import Permit
from linnet.errors import LinnetError, ToolDenied, ToolFailed, ToolTimeout
from linnet.messages import ToolCall, ToolResult
from linnet.tools import Permission, Tool

Approve = Callable[[Tool, ToolCall], bool]
"""Asked before a call whose permissions were not given beforehand. The tool that it is shown has all permissions that
this call needs, `network.tainted` too where the session has read what nobody vouches for."""


def execute(
    tool: Tool,
    call: ToolCall,
    granted: Collection[Permission] | Permit,
    approve: Approve | None = None,
    because: str = "",
) -> ToolResult:
    """The outcome of a call, `refused` or `made`; never raises an error of the tool."""
    return refused(tool, call, granted, approve, because) or made(tool, call)


def refused(
    tool: Tool,
    call: ToolCall,
    granted: Collection[Permission] | Permit,
    approve: Approve | None = None,
    because: str = "",
) -> ToolResult | None:
    """The outcome of a call that may not be made; None for one that may. With `because` it needs the permission
    `network.tainted` too, for that reason."""
    started = time.monotonic()
    permit = granted if isinstance(granted, Permit) else Permit(frozenset(granted))
    try:
        _permit(tool, call, permit, approve, because)
        return None
    except LinnetError as error:
        return _noted(ToolResult(call, error=error.describe(), seconds=time.monotonic() - started))


def made(tool: Tool, call: ToolCall) -> ToolResult:
    """The outcome of a call that may be made, errors included.

    A tool that does not return cannot be stopped inside this process: at its deadline it is abandoned, and
    the error says so. Its thread never keeps the program from ending.
    """
    started = time.monotonic()
    try:
        return _noted(ToolResult(call, _run(tool, call), seconds=time.monotonic() - started))
    except LinnetError as error:
        return _noted(ToolResult(call, error=error.describe(), seconds=time.monotonic() - started))


def _noted(done: ToolResult) -> ToolResult:
    code = done.error["code"] if done.error else ""
    log.note("tool", name=done.call.name, call=done.call.id, error=code, seconds=round(done.seconds, 3))
    return done


def _permit(tool: Tool, call: ToolCall, permit: Permit, approve: Approve | None, because: str) -> None:
    """Raises ToolDenied: what is denied is not asked for, nor what could not run."""
    wanted = replace(tool, permissions=tool.permissions | {Permission.SEND_TAINTED}) if because else tool
    if denied := permit.denied(wanted):
        message = f"{tool.name} is denied: {', '.join(denied)}"
        raise ToolDenied(message, hint="Take it from what is denied (`deny`).", tool=tool.name, denied=denied)
    missing = permit.missing(wanted)
    if not missing or (approve is not None and tool.function is not None and approve(wanted, call)):
        return
    hint = f"If it may: --allow {','.join(missing)}; in a program or the settings, `allow`."
    if tool.function is None:
        hint = f"Nothing was run: it has no function either. {tool.how_to_bind}"
    message = f"{tool.name} needs the permission {', '.join(missing)}{f', because {because}' if because else ''}"
    raise ToolDenied(message, hint=hint, tool=tool.name, missing=missing)


def _run(tool: Tool, call: ToolCall) -> Any:
    outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            outcome.put((tool.run(call.arguments), None))
        except BaseException as error:
            outcome.put((None, error))

    context = copy_context()  # what the caller has set goes for its tool too: spans, loggers
    threading.Thread(target=context.run, args=(work,), name=f"linnet-tool-{tool.name}", daemon=True).start()
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
