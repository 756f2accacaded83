"""What `bfcl` and `tools` share: running cases with tools, and the table of a measuring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linnet.interfaces.cli import output
from linnet.interfaces.cli.eval import common

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.evals.harness import Case, Outcome

Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N cases of each category.")
]


def measure(cases: Sequence[Case], out: Path | None, model: str | None, as_json: bool) -> None:
    """Run the cases, write a line for each, and print the table, or one object."""
    from linnet.evals.harness import by_category, evaluate, totals

    with common.writing(out) as write, common.opened(model) as opened:
        outcomes = common.gathered(evaluate(opened, cases), len(cases), write)
    categories, numbers = by_category(outcomes), totals(outcomes)
    if as_json:
        lines = [outcome.describe() for outcome in outcomes]
        output.say_json({"cases": lines, "categories": categories, "totals": numbers})
    else:
        output.show(_table({**categories, "all": numbers}))
        _tell_troubles(outcomes)


def _table(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    table = output.table("category", "right", "share", "95 %", "names", "refused", "median")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for name, numbers in rows.items():
        told = [common.percent(numbers["share"]), common.interval(numbers)]
        told += [common.percent(numbers[key]) for key in ("named", "refused")]
        right, seconds = f"{numbers['right']}/{numbers['of']}", f"{numbers['median_seconds']:.2f} s"
        table.add_row(output.cell(name), right, *told, seconds)
    return table


def _tell_troubles(outcomes: Sequence[Outcome]) -> None:
    """On stderr: what could not be run or offered, the first few by name."""
    told = [f"{o.case.id}: {note}" for o in outcomes for note in (*([o.fault] if o.error else []), *o.case.notes)]
    for line in told[:5]:
        output.complain(f"note: {line}")
    if len(told) > 5:
        output.complain(f"note: and {len(told) - 5} more; --out FILE has them all")
