"""What the commands of a chat show, each as JSON has it, and as lines and tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from linnet.interfaces.cli import output
from linnet.interfaces.cli.chat.budget import STYLES, Section, bars, sections

if TYPE_CHECKING:
    from rich.console import RenderableType

    from linnet.agent.agent import Agent
    from linnet.agent.context.fit import Fitted

KEYS = "Alt-Enter, or a backslash at the end of a line, begins another line. Ctrl-C ends an answer, Ctrl-D the chat."


def help_table(rows: Sequence[tuple[str, str]]) -> list[RenderableType]:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for usage, text in rows:
        table.add_row(output.cell(usage, "bold"), output.cell(text))
    return [table, output.cell(KEYS, "dim")]


# --- tools ---------------------------------------------------------------------------------------


def tools(agent: Agent) -> list[dict[str, Any]]:
    """`may` is what becomes of a call: `run`, `ask` who may be asked, `denied`, or `unbound` without a function."""
    return [
        {
            "name": tool.name,
            "description": tool.description,
            "permissions": sorted(map(str, tool.permissions)),
            "may": "unbound" if tool.function is None else _may(agent, tool),
        }
        for tool in agent.tools
    ]


def _may(agent: Agent, tool: Any) -> str:
    if agent.permit.denied(tool):
        return "denied"
    return "ask" if agent.permit.missing(tool) else "run"


def tools_table(found: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    if not found:
        return [output.cell("There are no tools.")]
    table = output.table("tool", "may", "needs", "what it does")
    for tool in found:
        first = " ".join(str(tool["description"]).split("\n\n")[0].split())
        cells = (tool["name"], tool["may"], ", ".join(tool["permissions"]), first)
        table.add_row(*map(output.cell, cells))
    return [table]


# --- context -------------------------------------------------------------------------------------


def context(fitted: Fitted) -> dict[str, Any]:
    found = sections(fitted.sizes)
    return {
        "window": fitted.sizes["window"],
        "sections": {section.name: section.tokens for section in found},
        "dropped": list(fitted.dropped),
    }


_DROPPED = 8
"""Messages that have no room and are listed one by one."""


def context_bars(data: Mapping[str, Any]) -> list[RenderableType]:
    from shutil import get_terminal_size

    found = sections_of(data)
    lines: list[RenderableType] = [output.cell(f"a window of {data['window']:,} tokens, at the next request", "dim")]
    lines += bars(found, data["window"], get_terminal_size().columns)
    dropped = data["dropped"]
    lines += [output.cell(f"no room for {line}", "yellow") for line in dropped[:_DROPPED]]
    if len(dropped) > _DROPPED:
        lines.append(output.cell(f"no room for {len(dropped) - _DROPPED} more", "yellow"))
    return lines


def sections_of(data: Mapping[str, Any]) -> list[Section]:
    return [Section(name, tokens, STYLES[name]) for name, tokens in data["sections"].items()]
