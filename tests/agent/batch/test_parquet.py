"""Parquet files of requests and answers: the same requests, the same answers, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.batch import lines, parquet
from linnet.agent.result import Result
from linnet.errors import InputInvalid

pa = pytest.importorskip("pyarrow", reason="the extra linnet[ray] is not installed: no pyarrow")


def requests(path: Path, rows: list[dict[str, Any]], group: int = 2) -> Path:
    from pyarrow import parquet as files

    files.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def answered(out: Path, *ids: Any) -> Path:
    rows = [{"id": id, "line": line, **Result(f"of {id}", "rule").describe()} for line, id in enumerate(ids, 1)]
    parquet.rows_of(out).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return out


def table(out: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet as files

    return files.read_table(out).to_pylist()


def test_a_row_is_a_request_as_a_line_is(tmp_path: Path) -> None:
    rows = [{"text": f"What is {i}?", "id": f"r{i}", "more": 1.5} for i in range(5)]
    file = requests(tmp_path / "r.parquet", [*rows, {"id": None, "text": "x"}, {"id": "y", "text": None}])
    found = list(lines.read(file))
    assert [(asked.line, asked.id, asked.text) for asked in found[:5]] == [
        (i + 1, f"r{i}", f"What is {i}?") for i in range(5)
    ]
    assert [asked.error and asked.error.message for asked in found[5:]] == [
        "line 6: it has no `id` that is a text or a whole number", "line 7: it has no `text`",
    ]  # fmt: skip


@pytest.mark.parametrize("start", range(8))
def test_it_can_be_read_from_any_row_on(tmp_path: Path, start: int) -> None:
    file = requests(tmp_path / "r.parquet", [{"id": i, "text": "a"} for i in range(7)], group=3)
    assert [line.number for line in lines.raw(file, start + 1, start)] == list(range(start + 1, 8))
    assert [lines.asked(line.number, line.body).id for line in lines.raw(file, 1, start)] == list(range(start, 7))


def test_other_columns_and_other_files(tmp_path: Path) -> None:
    file = requests(tmp_path / "r.parquet", [{"question": "a"}, {"question": "b"}])
    assert [asked.error is not None for asked in lines.read(file)] == [True, True]
    (tmp_path / "none.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputInvalid, match="no Parquet file that can be read"):
        list(lines.read(tmp_path / "none.parquet"))


def test_answers_are_columns_and_what_has_a_form_is_json(tmp_path: Path) -> None:
    out = answered(tmp_path / "out.parquet", 1, 2)
    parquet.write(out)
    first = table(out)[0]
    assert {
        "id": 1,
        "line": 1,
        "answer": "of 1",
        "how": "rule",
        "calls": "[]",
        "error": None,
    }.items() <= first.items()
    assert first["prompt_tokens"] == 0 and first["dropped"] == []
    assert out.stat().st_mode & 0o777 == parquet.rows_of(out).stat().st_mode & 0o777


@pytest.mark.parametrize("ids", [("a", 2), (1 << 63,), ("\ud800", None)])
def test_ids_that_are_no_numbers_are_texts(tmp_path: Path, ids: tuple[Any, ...]) -> None:
    out = answered(tmp_path / "out.parquet", *ids)
    parquet.write(out)
    expected = ["?" if id == "\ud800" else id and str(id) for id in ids]
    assert [row["id"] for row in table(out)] == expected


def test_no_answers_are_a_table_without_rows(tmp_path: Path) -> None:
    out = answered(tmp_path / "out.parquet")
    parquet.write(out)
    assert table(out) == []


def test_somebody_elses_file_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    parquet.check(out)
    out.write_text("mine")
    with pytest.raises(InputInvalid, match="is there already"):
        parquet.check(out)
    answered(out, 1)
    parquet.check(out)


def test_other_outputs_are_their_own_rows(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    parquet.check(out)
    parquet.write(out)
    assert parquet.rows_of(out) == out and not out.exists()
