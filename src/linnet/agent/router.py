"""Rules first: a request that a tool's own rule understands never reaches a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linnet.errors import ToolInvalid
from linnet.tools import Tool


@dataclass(frozen=True)
class Decision:
    """A tool with its arguments, and why it was decided on."""

    tool: Tool
    arguments: dict[str, Any]
    why: str


class Router:
    """Asks the rules of each tool in turn; the first that understands the whole request decides."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = tuple(tools)

    def decide(self, text: str) -> Decision | None:
        for tool in self._tools:
            arguments = _matched(tool, text)
            if arguments is not None:
                return Decision(tool, arguments, f"a rule of {tool.name} matches")
        return None


def _matched(tool: Tool, text: str) -> dict[str, Any] | None:
    """A rule may be code of the tool's author; where it fails, the author is told."""
    try:
        return tool.match(text)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error)[:500]}"
        raise ToolInvalid(f"a rule of {tool.name} failed with {reason}", tool=tool.name) from error
