"""`linnet eval bfcl`: tool calls by the rules of the Berkeley Function Calling Leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import ablation, calls, common

EXAMPLE = "Example: linnet eval bfcl --data bfcl --category simple_python --limit 20 --out calls.jsonl"


def bfcl(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder with a CATEGORY.jsonl each.")],
    category: Annotated[
        list[str] | None, typer.Option("--category", "-c", metavar="C", help="One of them; repeatable. Default: all.")
    ] = None,
    limit: calls.Limit = None,
    out: common.Out = None,
    model: options.Model = None,
    as_json: options.Json = False,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Answer each case in several ways, and compare each with the one before.")
    ] = False,
    arm: Annotated[
        list[str] | None, typer.Option("--arm", metavar="NAME", help="With --ablate: one of the ways; repeatable.")
    ] = None,
) -> None:
    """Make the calls of each case and judge them, category by category.

    A line of --out has id, category, calls, how, right, fault, seconds and tokens by kind. `names` in the
    table is the share of right tool names, `refused` that of the cases needing a call that got none.
    """
    with output.reporting(as_json):
        from linnet.evals import bfcl

        cases = bfcl.load(data, category or (), limit)
        if ablate or arm:
            ablation.measure(cases, arm or (), out, model, as_json)
        else:
            calls.measure(cases, out, model, as_json)
