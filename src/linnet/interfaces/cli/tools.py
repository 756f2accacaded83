"""`linnet tools`: which tools are on offer, and whether the model understands them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.errors import FAILED
from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import common
from linnet.interfaces.cli.helping import App

if TYPE_CHECKING:
    from rich.table import Table

    from linnet import Agent, Settings, Tool
    from linnet.agent.permit import Permit
    from linnet.evals.toolcheck import Tried
    from linnet.requests import Capabilities

EXAMPLE = "Example: linnet tools check --tools examples/tools.py --per-tool 4"

Files = Annotated[
    list[str] | None,
    typer.Option("--tools", metavar="FILE,...", help="Python files; every Tool in them is offered."),
]

Standard = Annotated[
    bool, typer.Option("--standard", help="Also the standard tools: files, web search, database, shell.")
]

app = App(no_args_is_help=True, help="Which tools there are, and are they understood.", epilog=EXAMPLE)


@app.command("list", epilog="Example: linnet tools list --tools examples/tools.py")
def list_tools(
    tools: options.ToolFiles = None,
    standard: Standard = False,
    root: options.Folder = None,
    allow: options.Allow = None,
    deny: options.Deny = None,
    as_json: options.Json = False,
) -> None:
    """The tools on offer: those of the files, those that the settings turn on, and the built-in ones, each with what
    it would do now: run, ask, be refused, or nothing, for it is off until it is configured."""
    with output.reporting(as_json):
        settings = options.settings(root=root, allow=options.split(allow), deny=options.split(deny))
        with contextlib.redirect_stdout(sys.stderr), _looked_at(settings, tools, standard) as agent:
            told = [_described(tool, agent.permit) for tool in agent.tools]
        if as_json:
            output.say_json({"tools": told})
        else:
            output.show(_tools_table(told))


@app.command(epilog=EXAMPLE)
def check(
    tools: Files = None,
    standard: Standard = False,
    root: options.Folder = None,
    model: options.Model = None,
    per_tool: Annotated[
        int, typer.Option("--per-tool", metavar="N", min=1, max=100, help="Requests made up for each tool.")
    ] = 8,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Other requests with another number.")] = 0,
    out: common.Out = None,
    as_json: options.Json = False,
    fail_under: Annotated[
        float | None,
        typer.Option("--fail-under", metavar="SHARE", min=0, max=1, help="End with 1 if less than this is right."),
    ] = None,
) -> None:
    """Ask for each tool in made-up words, and say which are mixed up, and which arguments are not understood.

    The tools of the files are asked for, with the built-in ones on offer beside them; without files, those.
    """
    with output.reporting(as_json):
        from linnet.evals.toolcheck import report

        own = _loaded(tools, standard)
        asked = own or _offered((), root)
        tried = _tried(own, asked, root, model, per_tool, seed, out)
        found = report(asked, tried)
        if as_json:
            output.say_json({**found, "requests": [one.describe() for one in tried]})
        else:
            _tell(found)
        raise typer.Exit(FAILED if fail_under is not None and found["share"] < fail_under else 0)


# --- tools ---------------------------------------------------------------------------------------


def _loaded(names: Sequence[str] | None, standard: bool) -> tuple[Tool, ...]:
    from linnet.interfaces.cli.tool_files import load_tools, split, standard_tools

    with contextlib.redirect_stdout(sys.stderr):
        return (*load_tools(split(names or ())), *(standard_tools() if standard else ()))


def _offered(tools: Sequence[Tool], root: Path | None) -> tuple[Tool, ...]:
    """What an agent with these settings offers; no model is opened for it."""
    from linnet.agent.agent import Agent

    settings = options.settings(root=root)
    return Agent(tools, _Unasked(), root=settings.root, only=settings.tools).tools


@contextlib.contextmanager
def _looked_at(settings: Settings, tools: Sequence[str] | None, standard: bool) -> Iterator[Agent]:
    """The agent of these settings, without a model."""
    from linnet.agent.agent import Agent
    from linnet.agent.tools.standard import NAMES
    from linnet.app import open_toolbox
    from linnet.interfaces.cli.tool_files import sorted_out

    files, named = sorted_out(tools or (), NAMES if standard else ())
    toolbox = open_toolbox(settings, named, files)
    with contextlib.closing(toolbox):
        for note in toolbox.notes:
            output.complain(note)
        given = {"root": settings.root, "only": settings.tools, "allow": settings.allow, "deny": settings.deny}
        yield Agent((*files, *toolbox.tools), _Unasked(), **given)  # type: ignore[arg-type]


class _Unasked:
    """The Model of an agent that is only looked at."""

    @property
    def capabilities(self) -> Capabilities:
        from linnet.requests import Capabilities

        return Capabilities("unasked", 1)

    def stream(self, request: Any) -> Iterator[Any]:
        raise NotImplementedError


def _tried(
    own: Sequence[Tool],
    asked: Sequence[Tool],
    root: Path | None,
    model: str | None,
    per_tool: int,
    seed: int,
    out: Path | None,
) -> list[Tried]:
    from linnet.evals.probes import probes
    from linnet.evals.toolcheck import check

    offered, margin = _offered(own, root), options.settings().margin
    total, tried = len(probes(asked, per_tool, seed)), []
    with common.writing(out) as write, common.opened(model) as opened:
        made = check(opened, offered, asked, per_tool=per_tool, seed=seed, margin=margin)
        for one in common.progress(made, total):
            tried.append(one)
            write(one.describe())
    return tried


# --- telling -------------------------------------------------------------------------------------


def _described(tool: Tool, permit: Permit) -> dict[str, Any]:
    told = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {
        **told,
        "permissions": sorted(tool.permissions),
        "runs": tool.function is not None,
        "state": _state(tool, permit),
        "rules": len(tool.rules),
        "examples": list(tool.examples),
    }


def _state(tool: Tool, permit: Permit) -> str:
    """`off` until it is configured, `denied`, `asks` first (which without a terminal is no), or `runs`."""
    if tool.function is None:
        return "off"
    if permit.denied(tool):
        return "denied"
    return "asks" if permit.missing(tool) else "runs"


def _tools_table(tools: Sequence[Mapping[str, Any]]) -> Table:
    table = output.table("tool", "arguments", "what it does", "permissions", "state")
    for tool in tools:
        parameters = tool["parameters"]
        names = [name if name in parameters["required"] else f"[{name}]" for name in parameters["properties"]]
        cells = (tool["name"], ", ".join(names), tool["description"], ", ".join(tool["permissions"]), tool["state"])
        table.add_row(*map(output.cell, cells))
    return table


def _tell(found: Mapping[str, Any]) -> None:
    output.show(_matrix_table(found["matrix"]))
    if any(told["named"] for told in found["parameters"]):
        output.show("", _parameters_table(found["parameters"]))
    output.say(f"\nright: {found['right']} of {found['of']} requests, median {found['median_seconds']:.2f} s")
    for line in found["advice"]:
        output.say(f"- {line}")
    if not found["advice"]:
        output.say("Nothing to advise.")


def _matrix_table(matrix: Mapping[str, Mapping[str, int]]) -> Table:
    table = output.table("wanted", "right tool", "else led to")
    for wanted, row in matrix.items():
        others = ", ".join(f"{called} {times}" for called, times in row.items() if called != wanted)
        table.add_row(output.cell(wanted), f"{row.get(wanted, 0)}/{sum(row.values())}", output.cell(others))
    return table


def _parameters_table(parameters: Sequence[Mapping[str, Any]]) -> Table:
    table = output.table("argument", "named", "filled", "right")
    for column in table.columns[1:]:
        column.justify = "right"
    for told in parameters:
        name = output.cell(f"{told['tool']}.{told['parameter']}")
        table.add_row(name, *(str(told[key]) for key in ("named", "filled", "right")))
    return table
