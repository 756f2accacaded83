"""`linnet limits`: every limit, by name and number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from linnet.interfaces.cli import options, output
from linnet.limits import KIB, LIMITS, MIB

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLE = "Example: linnet limits --json"


def limits(as_json: options.Json = False) -> None:
    """Print every limit: its name, its number and what it bounds."""
    with output.reporting(as_json):
        rows = LIMITS.rows()
        if as_json:
            output.say_json(rows)
        else:
            output.show(_table(rows))


def _table(rows: list[dict[str, Any]]) -> Table:
    table = output.table("limit", "number", "of what")
    for row in rows:
        table.add_row(row["name"], _number(row["value"], row["unit"]), row["meaning"])
    return table


def _number(value: float, unit: str) -> str:
    """`512 KiB`, `4,096 schemas`, `0.25 s`"""
    if unit == "bytes":
        size, name = (MIB, "MiB") if value >= MIB else (KIB, "KiB")
        return f"{value / size:,g} {name}"
    return f"{value:,.10g} {unit}"
