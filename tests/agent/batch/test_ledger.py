"""The ledger: rows and beginnings that outlive any end of the program, at whatever byte it comes."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.batch.ledger import Ledger
from linnet.errors import InputInvalid, StorageFull


def row(id: Any, how: str = "rule", error: Any = None) -> dict[str, Any]:
    return {"id": id, "line": 1, "answer": f"of {id}", "how": how, "error": error}


def opened(path: Path, *, resume: bool = True) -> contextlib.closing[Ledger]:
    return contextlib.closing(Ledger(path, resume=resume))


def ids(path: Path) -> list[Any]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_rows_are_there_at_once_and_in_order_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out, resume=False) as ledger:
        for id in ("c", "a", "b"):
            ledger.finish(row(id))
            assert ids(out)[-1] == id
        out.chmod(0o640)
        ledger.settle(['"a"', '"b"', '"c"', '"not answered"'])
    assert ids(out) == ["a", "b", "c"]
    assert out.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"], "nothing else is left"


def test_what_was_begun_is_known_until_it_has_a_row(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out) as ledger:
        ledger.begin('"a"')
        ledger.begin('"b"')
        ledger.begin('"a"')
        ledger.finish(row("a"))
    assert len((tmp_path / "out.jsonl.begun").read_text().splitlines()) == 2
    with opened(out) as ledger:
        assert [ledger.interrupted(f'"{id}"') for id in "abc"] == [False, True, False]
        assert set(ledger.rows) == {'"a"'}
        # Run once more, and interrupted once more.
        ledger.begin('"a"')
    with opened(out) as ledger:
        assert ledger.interrupted('"a"')


def test_a_later_row_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out) as ledger:
        ledger.finish(row("a", "failed", {"code": "x"}))
        ledger.finish(row("b"))
        assert ledger.rows['"a"'].bad
        ledger.finish(row("a"))
        assert not ledger.rows['"a"'].bad
        ledger.settle(['"a"', '"b"'])
    assert ids(out) == ["a", "b"]
    assert '"failed"' not in out.read_text()


def test_rows_that_the_file_no_longer_asks_for_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out) as ledger:
        ledger.finish(row("gone"))
        ledger.finish(row("a"))
        ledger.settle(['"a"'])
    assert ids(out) == ["a", "gone"]


def test_cut_at_every_byte_it_goes_on_from_the_last_whole_row(tmp_path: Path) -> None:
    out, begun = tmp_path / "out.jsonl", tmp_path / "out.jsonl.begun"
    with opened(out) as ledger:
        for id in (1, 2, 3):
            ledger.begin(str(id))
            ledger.finish(row(id))
    whole, names = out.read_bytes(), begun.read_bytes()
    second = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    for end in range(second, len(whole)):
        out.write_bytes(whole[:end])
        begun.write_bytes(names)
        with opened(out) as ledger:
            assert set(ledger.rows) == {"1", "2"}
            assert [ledger.interrupted(str(id)) for id in (1, 2, 3)] == [False, False, True]
            assert out.read_bytes() == whole[:second]
            ledger.finish(row(3, "interrupted"))
        assert ids(out) == [1, 2, 3]
    for end in range(len(names)):
        begun.write_bytes(names[:end])
        with opened(out) as ledger:
            assert begun.read_bytes() == names[: names[:end].rfind(b"\n") + 1]


def test_an_end_while_the_order_is_made_loses_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether before the file is replaced or after: what has a row is not interrupted."""
    from linnet.agent.batch import ledger as module

    write = module.write_pieces
    for replaced in (False, True):
        out = tmp_path / f"out{replaced}.jsonl"

        def dies(path: Path, pieces: Any, mode: int, replaced: bool = replaced) -> None:
            if replaced:
                write(path, pieces, mode)
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "write_pieces", dies)
        with opened(out) as ledger:
            for id in ("b", "a"):
                ledger.begin(f'"{id}"')
                ledger.finish(row(id))
            with pytest.raises(KeyboardInterrupt):
                ledger.settle(['"a"', '"b"'])
        monkeypatch.setattr(module, "write_pieces", write)
        with opened(out) as ledger:
            assert set(ledger.rows) == {'"a"', '"b"'}
            assert not any(ledger.interrupted(f'"{id}"') for id in "ab")
            ledger.settle(['"a"', '"b"'])
        assert ids(out) == ["a", "b"]


def test_closed_it_takes_nothing_more(tmp_path: Path) -> None:
    with opened(tmp_path / "out.jsonl") as ledger:
        pass
    with pytest.raises(InputInvalid):
        ledger.finish(row("a"))
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_an_output_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.touch()
    with opened(out, resume=False) as ledger:  # empty: as mktemp makes it
        ledger.begin('"a"')
    with pytest.raises(InputInvalid, match="is not empty") as raised:
        Ledger(out)
    assert "--resume" in raised.value.hint
    assert (tmp_path / "out.jsonl.begun").exists(), "it says what was begun"


@pytest.mark.parametrize("text", ["no json\n", "{}\n", "[]\n", '{"id": 1}\n', "[" * 100_000 + "\n"])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(text)
    with pytest.raises(InputInvalid, match="something else"):
        Ledger(out, resume=True)
    assert out.read_text() == text


def test_a_file_of_something_else_without_a_last_newline_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("my only copy of a poem")
    with pytest.raises(InputInvalid, match="something else"):
        Ledger(out, resume=True)
    assert out.read_text() == "my only copy of a poem"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out), pytest.raises(InputInvalid, match="another `linnet batch`"):
        Ledger(out, resume=True)
    with opened(out):
        pass


def test_what_is_no_file_and_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "out.jsonl"):
        with pytest.raises(InputInvalid):
            Ledger(path)


def test_a_full_disk_leaves_whole_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out) as ledger:
        ledger.finish(row("a"))
        write = os.write
        full = OSError(28, "No space left on device")

        def torn(fd: int, data: bytes) -> int:
            if len(data) > 10:
                return write(fd, data[:10])
            raise full

        monkeypatch.setattr(os, "write", lambda fd, data: torn(fd, bytes(data)[:11] if len(data) > 20 else b""))
        with pytest.raises(StorageFull):
            ledger.finish(row("b"))
        monkeypatch.setattr(os, "write", write)
        assert ids(out) == ["a"]
        ledger.finish(row("c"))
    assert ids(out) == ["a", "c"]
