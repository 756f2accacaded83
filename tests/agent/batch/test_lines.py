"""A file of requests: what each line is, whatever is in it, and one past each limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.batch import lines
from linnet.agent.batch.lines import Asked
from linnet.errors import InputInvalid
from linnet.limits import LIMITS


def read(tmp_path: Path, *bodies: bytes) -> list[Asked]:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(b"\n".join(bodies))
    return list(lines.read(file))


def told(asked: Asked) -> str:
    return asked.error.message if asked.error else ""


def test_requests_with_ids_of_both_kinds(tmp_path: Path) -> None:
    first, second, third = read(
        tmp_path,
        b'\xef\xbb\xbf{"id": "a", "text": "What?", "expect": 1}\r',
        b"",
        b'{"id": 7, "text": "caf\\u00e9"}',
        b'  {"text": "", "id": "7"}  ',
    )
    assert (first.line, first.id, first.text, first.error) == (1, "a", "What?", None)
    assert (second.line, second.id, second.text) == (3, 7, "café")
    assert (third.key, second.key) == ('"7"', "7"), "a text is no number"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "Expecting"),
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"text": "a"}', "no `id`"),
        (b'{"id": true, "text": "a"}', "no `id`"),
        (b'{"id": 1.5, "text": "a"}', "no `id`"),
        (b'{"id": "x", "text": 3}', "no `text`"),
        (b'{"id": "x"}', "no `text`"),
        (b'{"id": "\xff", "text": "a"}', "utf-8"),
        (b'{"id": 1' + b"0" * 5000 + b', "text": "a"}', "digits"),
        (b"[" * 100_000, "nested too deep"),
        (json.dumps({"id": "x" * (LIMITS.batch_id_chars + 1), "text": "a"}).encode(), "over 256 characters"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_rest_goes_on(tmp_path: Path, body: bytes, reason: str) -> None:
    good = b'{"id": "good", "text": "a"}'
    bad, after = read(tmp_path, body, good)
    assert told(bad).startswith("line 1: ") and reason in told(bad)
    assert (after.line, after.error) == (2, None)


def test_a_bad_line_keeps_its_id(tmp_path: Path) -> None:
    (asked,) = read(tmp_path, b'{"id": "x", "text": 3}')
    assert (asked.id, asked.key) == ("x", '"x"')
    (asked,) = read(tmp_path, b"{")
    assert (asked.id, asked.key) == (None, "line 1")


def test_a_line_may_be_as_long_as_the_limit_and_no_longer(tmp_path: Path) -> None:
    def line(size: int) -> bytes:
        return b'{"id": "long", "text": "' + b"x" * (size - 26) + b'"}'

    most = LIMITS.batch_line_bytes
    fits, over, much, after = read(tmp_path, line(most), line(most + 1), line(3 * most), b'{"id": 1, "text": "a"}')
    assert fits.error is None and len(fits.text) == most - 26
    assert "over 4,194,304 bytes" in told(over) and "over 4,194,304 bytes" in told(much)
    assert (after.line, after.text) == (4, "a")


def test_one_request_more_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"\n".join(b'{"id": %d, "text": "a"}' % i for i in range(4))
    object.__setattr__(LIMITS, "batch_lines", 3)
    try:
        assert len(read(tmp_path, body.rpartition(b"\n")[0])) == 3
        with pytest.raises(InputInvalid, match="over 3 requests"):
            read(tmp_path, body)
    finally:
        object.__setattr__(LIMITS, "batch_lines", 1_000_000)


def test_an_id_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"id": "a", "text": "x"}\n{"id": 1, "text": "x"}\n\n{"id": "a", "text": "y"}\n')
    with pytest.raises(InputInvalid, match='line 4 has the id "a" of line 1') as raised:
        lines.keys(file)
    assert raised.value.hint == "Give each request an id of its own."


def test_bad_lines_are_no_duplicates(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{\n{\n{"id": "line 1", "text": "x"}\n')
    assert lines.keys(file) == ["line 1", "line 2", '"line 1"']


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputInvalid):
            list(lines.read(path))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_fault(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    found = read(tmp_path_factory.mktemp("any"), body)
    assert len(found) <= body.count(b"\n") + 1
    assert all(asked.error is not None or isinstance(asked.text, str) for asked in found)
