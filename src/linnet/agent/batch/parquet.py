"""Parquet files of requests and of answers, by pyarrow, which is imported when there is one.

Hides that such a file can only be written whole: its rows are kept beside it as JSON lines, to which more can come.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid, RequestError
from linnet.storage import resumable, write_pieces
from linnet.usage import Usage

_ROWS = 1_024
"""Rows that are in memory together."""

_TEXTS, _LISTS, _VALUES = ("answer", "how", "model", "encoding"), ("dropped", "degraded"), ("calls", "steps", "error")

_USAGE = tuple(field.name for field in fields(Usage))


def named(path: Path) -> bool:
    """Whether a file is to be taken for one of these."""
    return path.suffix.lower() == ".parquet"


def rows_of(out: Path) -> Path:
    """Where the rows of this output grow: in itself, or beside it."""
    return out.with_name(out.name + ".jsonl") if named(out) else out


def check(out: Path) -> None:
    """Raises InputInvalid where the output is a Parquet file without its rows beside it, and so somebody else's, and
    RequestError where pyarrow is missing."""
    if not named(out):
        return
    _pyarrow()
    rows = rows_of(out)
    if out.exists() and not (rows.is_file() and rows.stat().st_size):
        hint = f"Name another file; `linnet batch` goes on only with one whose rows are in {rows.name!r}."
        raise InputInvalid(f"{str(out)!r} is there already", hint=hint, path=str(out))


def read(path: Path, start: int = 0) -> Iterator[dict[str, Any]]:
    """`id` and `text` of each row from that one on, counted from 0; one that has no such column has none in any row.
    Raises InputInvalid for what is no Parquet file."""
    _pyarrow()
    from pyarrow import parquet

    with path.open("rb") as file, _readable(path), parquet.ParquetFile(file) as table:
        columns = [name for name in ("id", "text") if name in table.schema_arrow.names]
        first = 0
        for group in range(table.metadata.num_row_groups):
            count = table.metadata.row_group(group).num_rows
            if first + count > start:
                skipped = max(0, start - first)
                for batch in table.iter_batches(_ROWS, [group], columns):
                    fresh = batch.slice(min(skipped, batch.num_rows))
                    skipped -= batch.num_rows - fresh.num_rows
                    yield from fresh.to_pylist() if columns else ({} for _ in range(fresh.num_rows))
            first += count


def write(out: Path) -> None:
    """The output from its rows, in their order, in one step. Does nothing for an output of another kind. Raises
    StorageFull and InputInvalid where it cannot be written."""
    if not named(out):
        return
    _pyarrow()
    from pyarrow import RecordBatch, parquet

    rows = rows_of(out)
    with resumable(out), rows.open("rb") as lines, tempfile.TemporaryFile(dir=out.parent) as memory:
        whole = all(_whole(json.loads(line)["id"]) for line in lines)
        schema = _schema(whole)
        lines.seek(0)
        with parquet.ParquetWriter(memory, schema) as table:
            while some := [_flat(json.loads(line), whole) for _, line in zip(range(_ROWS), lines, strict=False)]:
                table.write_batch(RecordBatch.from_pylist(some, schema))
        memory.seek(0)
        mode = rows.stat().st_mode & 0o777
        write_pieces(out, iter(lambda: memory.read(1 << 20), b""), mode)


def _schema(whole: bool) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.int64() if whole else pa.string()),
            ("line", pa.int64()),
            *((name, pa.string()) for name in _TEXTS),
            *((name, pa.list_(pa.string())) for name in _LISTS),
            *((name, pa.string()) for name in _VALUES),
            ("seconds", pa.float64()),
            *((name, pa.int64()) for name in _USAGE),
        ]
    )


def _flat(row: dict[str, Any], whole: bool) -> dict[str, Any]:
    """One row of the table. What has a form of its own is JSON; an id among texts is a text."""
    id = row["id"] if whole or row["id"] is None else _text(str(row["id"]))
    values = {name: None if row[name] is None else json.dumps(row[name]) for name in _VALUES}
    return {**row, **row["usage"], **values, "id": id, "answer": _text(row["answer"])}


def _whole(id: Any) -> bool:
    return isinstance(id, int) and abs(id) < 1 << 63


def _text(text: str) -> str:
    """JSON has halves of characters, and Parquet none."""
    return text.encode("utf-8", "replace").decode()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except ArrowException as error:
        told = " ".join(str(error).split())[:200]
        raise InputInvalid(f"{str(path)!r} is no Parquet file that can be read: {told}", path=str(path)) from error


def _pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        hint = "Install it: pip install 'linnet[ray]', or pyarrow alone."
        raise RequestError("Parquet files need pyarrow, which is not installed", hint=hint) from error
