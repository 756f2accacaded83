"""`linnet eval tools`: tool calls over Seal-Tools, ToolAlpaca and what has their form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import calls, common

EXAMPLE = "Example: linnet eval tools --data tool_calls --category sealtool --limit 20 --out calls.jsonl"


def tools(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder with a CATEGORY.json each.")],
    category: Annotated[
        list[str] | None, typer.Option("--category", "-c", metavar="C", help="One of them; repeatable. Default: all.")
    ] = None,
    limit: calls.Limit = None,
    out: common.Out = None,
    model: options.Model = None,
    as_json: options.Json = False,
) -> None:
    """Make the calls of each case and judge them: right tool names, and right calls.

    A case is {"query", "tools", "answers"}; the lines of --out and the table are those of `linnet eval bfcl`.
    """
    with output.reporting(as_json):
        from linnet.evals import tool_calls

        calls.measure(tool_calls.load(data, category or (), limit), out, model, as_json)
