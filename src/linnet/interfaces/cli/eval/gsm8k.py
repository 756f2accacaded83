"""`linnet eval gsm8k`: word problems, asked for the answer and asked for the calculation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import common

if TYPE_CHECKING:
    from rich.table import Table


EXAMPLE = "Example: linnet eval gsm8k --data gsm8k --limit 50 --made 50 --out outcomes.jsonl"


def gsm8k(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder with GSM8K's test.jsonl. Default: made-up only."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only N of its cases, spread over the file.")
    ] = None,
    made: Annotated[
        int, typer.Option("--made", metavar="N", min=0, help="And N made-up tasks of one and two steps.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="What they are made up from.")] = 0,
    way: Annotated[
        list[str] | None, typer.Option("--way", metavar="NAME", help="One of the ways; repeatable. Default: all.")
    ] = None,
    out: common.Out = None,
    model: options.Model = None,
    as_json: options.Json = False,
) -> None:
    """Answer word problems in several ways, each held against the first on the same cases.

    `gained` and `lost` count cases, `p` is McNemar's exact two-sided one.
    """
    with output.reporting(as_json):
        from linnet.evals import sums, wordtasks

        ways = sums.chosen(way or ())
        tasks = wordtasks.together(data, limit, made, seed)
        with common.writing(out) as write, common.opened(model) as opened:
            done = common.gathered(sums.evaluate(opened, tasks, ways), len(tasks) * len(ways), write)
        numbers = sums.totals(done)
        if as_json:
            output.say_json({"cases": [outcome.describe() for outcome in done], "totals": numbers})
        else:
            output.show(_table(numbers))


def _table(numbers: Mapping[str, Any]) -> Table:
    table = output.table("way", "kind", "right", "of", "share", "95 %", "gained", "lost", "p", "s", "tokens")
    for column in table.columns[2:]:
        column.justify = "right"
    for way, kinds in numbers.items():
        for kind, row in kinds.items():
            counted = (str(row["right"]), str(row["of"]), common.percent(row["share"]), common.interval(row))
            against = (str(row["gained"]), str(row["lost"]), f"{row['p']:.2g}")
            spent = row["usage"]["prompt_tokens"] + row["usage"]["generated_tokens"]
            table.add_row(
                way, kind, *counted, *against, f"{row['median_seconds']:.2f}", f"{spent / max(1, row['of']):.0f}"
            )
    return table
