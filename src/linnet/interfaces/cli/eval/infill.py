"""`linnet eval infill`: gaps in code, filled in several ways, and the programs run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import common

if TYPE_CHECKING:
    from rich.table import Table


EXAMPLE = "Example: linnet eval infill --data humaneval_infilling --limit 50 --out outcomes.jsonl"


def infill(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder with human-eval-infilling's files.")],
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only N of its cases, spread over the files.")
    ] = None,
    way: Annotated[
        list[str] | None, typer.Option("--way", metavar="NAME", help="One of the ways; repeatable. Default: all.")
    ] = None,
    out: common.Out = None,
    model: options.Model = None,
    as_json: options.Json = False,
) -> None:
    """Fill gaps in programs whose tests are known: the same text as stood there, and whether the tests pass.

    What the model writes is run behind the lock, without files, network or processes. `p` is McNemar's, for passing,
    against the first way on the same cases.
    """
    with output.reporting(as_json):
        from linnet.evals import infill as gaps

        ways, cases = gaps.chosen(way or ()), gaps.read(data, limit)
        with common.writing(out) as write, common.opened(model) as opened:
            done = common.gathered(gaps.evaluate(opened, cases, ways), len(cases) * len(ways), write)
        rows = gaps.totals(done)
        if as_json:
            output.say_json({"cases": [outcome.describe() for outcome in done], "totals": rows})
        else:
            output.show(_table(rows))


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = output.table("way", "how", "gap", "of", "exact", "95 %", "passes", "95 %", "p", "s")
    for column in table.columns[3:]:
        column.justify = "right"
    for row in rows:
        judged = [
            text
            for part in ("exact", "passes")
            for text in (common.percent(row[part]["share"]), common.interval(row[part]))
        ]
        cost = (f"{row['p']:.2g}", f"{row['median_seconds']:.2f}")
        table.add_row(row["way"], ", ".join(row["how"]), row["kind"], str(row["of"]), *judged, *cost)
    return table
