"""`linnet eval bfcl --ablate`: what each idea brings, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linnet.interfaces.cli import output
from linnet.interfaces.cli.eval import common

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.evals.ablation import Row
    from linnet.evals.harness import Case, Outcome


def measure(cases: Sequence[Case], arms: Sequence[str], out: Path | None, model: str | None, as_json: bool) -> None:
    """Run the cases under each arm, write a line for each, and print a table for each category and for all."""
    from linnet.evals.ablation import ablate, chosen, compare

    table = chosen(arms)
    done: dict[str, list[Outcome]] = {name: [] for name in table}
    with common.writing(out) as write, common.opened(model) as opened:
        for name, outcome in common.progress(ablate(opened, cases, table), len(cases) * len(table)):
            done[name].append(outcome)
            write({"arm": name, **outcome.describe()})
    told = {category: compare(_only(done, category)) for category in dict.fromkeys(c.category for c in cases)}
    told["all"] = compare(done)
    if as_json:
        output.say_json({"arms": {category: [row.describe() for row in rows] for category, rows in told.items()}})
    else:
        for category, rows in told.items():
            output.show(_table(category, rows), "")


def _only(done: dict[str, list[Outcome]], category: str) -> dict[str, list[Outcome]]:
    return {name: [o for o in outcomes if o.case.category == category] for name, outcomes in done.items()}


def _table(category: str, rows: list[Row]) -> Table:
    table = output.table(category, "right", "share", "95 %", "gained", "lost", "p", "median")
    table.columns[0].min_width = 16
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(output.cell(row.arm), *_cells(row))
    return table


def _cells(row: Row) -> list[str]:
    numbers = row.totals
    against = ["", "", ""] if row.p is None else [str(row.gained), str(row.lost), f"{row.p:.3f}"]
    right, seconds = f"{numbers['right']}/{numbers['of']}", f"{numbers['median_seconds']:.2f} s"
    return [right, common.percent(numbers["share"]), common.interval(numbers), *against, seconds]
