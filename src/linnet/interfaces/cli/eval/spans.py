"""`linnet eval spans`: which words of a sentence are an argument."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import options, output
from linnet.interfaces.cli.eval import common

if TYPE_CHECKING:
    from rich.table import Table


EXAMPLE = "Example: linnet eval spans --data restaurant8k/test.json --limit 50"


def spans(
    data: Annotated[Path, typer.Option("--data", metavar="FILE", help="Sentences with slots, as RESTAURANTS-8K.")],
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only N sentences, spread over the file.")
    ] = None,
    out: common.Out = None,
    model: options.Model = None,
    as_json: options.Json = False,
) -> None:
    """Find time, date, people and names in what guests say, and count by slot what is exactly right."""
    with output.reporting(as_json):
        from linnet.evals.spans import evaluate, load, totals

        sentences = load(data, limit)
        with common.writing(out) as write, common.opened(model) as opened:
            found = common.gathered(evaluate(opened, sentences), len(sentences), write)
        numbers = totals(found)
        if as_json:
            output.say_json({"cases": [outcome.describe() for outcome in found], "totals": numbers})
        else:
            output.show(_table(numbers))
            output.say(f"right as a whole: {numbers['right']} of {numbers['of']}, {common.share(numbers)}")
            output.say(f"median: {numbers['median_seconds']:.2f} s; {common.tokens(numbers['usage'])}")


def _table(numbers: Mapping[str, Any]) -> Table:
    table = output.table("slot", "expected", "found", "right", "precision", "recall", "F1")
    for column in table.columns[1:]:
        column.justify = "right"
    for slot, counts in {**numbers["slots"], "all": numbers["all"]}.items():
        counted = [str(counts[key]) for key in ("expected", "found", "hits")]
        table.add_row(slot, *counted, *(common.percent(counts[key]) for key in ("precision", "recall", "f1")))
    return table
