"""`linnet models list`: which models and adapters are here, and which are half here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from linnet.interfaces.cli import options, output

if TYPE_CHECKING:
    from rich.table import Table

    from linnet.models.inventory import Model

EXAMPLE = "Example: linnet models list"


def list_models(as_json: options.Json = False) -> None:
    """Models and adapters that can be named: stored, in a package or Linnet's own, and what a cut pull has left."""
    with output.reporting(as_json):
        from linnet import storage
        from linnet.models.inventory import inventory, strays

        found = inventory()
        others = strays(found)
        if as_json:
            told = {"folder": str(storage.models_folder()), "models": [_described(one) for one in found]}
            output.say_json({**told, "encodings_elsewhere": [asdict(one) for one in others]})
        else:
            output.show(_whats(found), "", _whences(found))
            for one in found:
                if one.state == "incomplete":
                    output.note(f"to go on with {one.name}: linnet models pull {one.source}", verbose=True)
            for kept in others:
                what = f"{kept.name} in {kept.type}, {_bytes(kept.size)}, of a file that is not in the store"
                output.note(f"{what}; to remove it: linnet models rm --encodings {kept.name}", verbose=True)


def _described(model: Model) -> dict[str, Any]:
    return {**asdict(model), "stored": None if model.stored is None else _time(model.stored).isoformat()}


def _whats(models: Sequence[Model]) -> Table:
    table = output.table("name", "size", "quantisation", "family", "when")
    table.columns[1].justify = "right"
    for model in models:
        style = "" if model.state == "complete" else "yellow"
        spoken = model.family if model.kind == "model" else f"adapter for {model.architecture}"
        told = (model.name, _size(model), model.quantisation, spoken, _when(model))
        table.add_row(*(output.cell(text, style) for text in told))
        for kept in model.encodings:
            whose = "made for this machine" if kept.here else "made for another machine"
            table.add_row(
                *map(output.cell, ("  its encoding", _bytes(kept.size), kept.type.upper(), whose, kept.date))
            )
    return table


def _whences(models: Sequence[Model]) -> Table:
    """A table of its own: a line of 80 columns has no room for the two."""
    table = output.table("name", "revision", "source")
    for column in table.columns:
        column.overflow = "fold"
    for model in models:
        table.add_row(*map(output.cell, (model.name, _revision(model), _source(model))))
    return table


def _size(model: Model) -> str:
    """`94.0 MiB`; `40% of 94.0 MiB` for what is only half here."""
    from linnet.hardware.budget import size

    return (
        size(model.size) if model.state == "complete" else f"{100 * model.have // model.size}% of {size(model.size)}"
    )


def _bytes(count: int) -> str:
    from linnet.hardware.budget import size

    return size(count)


def _when(model: Model) -> str:
    if model.state != "complete":
        return model.state
    return "" if model.stored is None else f"{_time(model.stored).astimezone():%Y-%m-%d}"


def _source(model: Model) -> str:
    """Without the commit, which has a column of its own, and of a file's hash what tells it from others."""
    source = model.source.replace(f"@{model.commit}", "") if model.commit else model.source
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", source)


def _revision(model: Model) -> str:
    if not model.commit:
        return ""
    asked = "" if model.revision in (None, model.commit) else f"{model.revision}="
    return f"{asked}{model.commit[:8]}"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
