"""YAML in bounds: plain values with their lines, and everything else refused with a line."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.evals.lab.marked import Wrong, read
from linnet.limits import LIMITS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[no, on, y, 2026-11-28, 1:30, 0x1F, 1_000]", ["no", "on", "y", "2026-11-28", "1:30", "0x1F", "1_000"]),
        ("[1, -2, 3.5, 1e3, true, null, ~, 'true', '1']", [1, -2, 3.5, 1000.0, True, None, None, "true", "1"]),
        ("a: 1e999\nb: .inf", {"a": "1e999", "b": ".inf"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("1: one\nnull: none", {"1": "one", "null": "none"}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("--- {a: é}\n", {"a": "é"}),
    ],
)  # fmt: skip
def test_values_are_plain(text: str, value: Any) -> None:
    assert read(text.encode()).value == value


def test_each_value_has_its_line() -> None:
    marked = read(b"a:\n  - 1\n  - b: 2\n    c: 3\nd: &x\n  e: 4\nf: *x\n")
    assert [marked.line(path) for path in (("a", 0), ("a", 1, "c"), ("d", "e"), ("f", "e"))] == [2, 4, 6, 6]
    assert marked.line(("a", 1, "nowhere")) == 3


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (b"", 0, "it is empty"),
        (b"a: 1\nb: 2\na: 3\n", 3, "'a' stands there twice, first in line 1"),
        (b"a: 1\n---\nb: 2\n", 2, "a second document"),
        (b"a: !!python/object:os.system [x]\n", 1, "values here have no tags"),
        (b"a: !own 1\n", 1, "'!own'"),
        (b"a: *x\n", 1, "*x names nothing that stands before it"),
        (b"a: &x [*x]\n", 1, "*x names nothing"),
        (b"? [a, b]\n: 1\n", 1, "a key is a text"),
        (b"a: [1, 2\nb: 3\n", 2, "it is not YAML"),
        (b"a: \x07\n", 0, "it is not YAML"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8 at byte 8"),
    ],
)
def test_what_is_refused_has_a_line(text: bytes, line: int, what: str) -> None:
    with pytest.raises(Wrong) as wrong:
        read(text)
    assert what in wrong.value.what and wrong.value.line == line


def test_the_limit_of_bytes_and_one_more() -> None:
    most = b"a: 1 #" + b"x" * (LIMITS.lab_file_bytes - 6)
    assert read(most).value == {"a": 1}
    with pytest.raises(Wrong, match="over 262,144 bytes"):
        read(most + b"x")


def test_the_limit_of_depth_and_one_more() -> None:
    most = LIMITS.lab_depth
    read(b"[" * most + b"]" * most)
    for text in (
        b"[" * (most + 1) + b"]" * (most + 1),
        b"a: &x [[]]\nb: " + b"[" * (most - 2) + b"*x" + b"]" * (most - 2),
    ):
        with pytest.raises(Wrong, match="deeper than 48 levels"):
            read(text)
    with pytest.raises(Wrong, match="deeper"):
        read(b"[" * 200_000)


def test_aliases_count_each_time_they_are_written() -> None:
    """100 an alias, up to `LIMITS.lab_values`; keys do not count."""
    assert LIMITS.lab_values == 50_000
    items = b"[" + b"1," * 99 + b"]"
    text = b"a: &x " + items + b"\nb: [" + b"*x," * 498 + b"]"
    assert len(read(text).value["b"]) == 498
    with pytest.raises(Wrong, match="over 50,000 values"):
        read(b"a: &x " + items + b"\nb: [" + b"*x," * 499 + b"]")


def test_a_billion_laughs_end_at_once() -> None:
    rows = [b"a0: &a0 [x, x]"] + [b"a%d: &a%d [*a%d, *a%d]" % (n, n, n - 1, n - 1) for n in range(1, 40)]
    with pytest.raises(Wrong, match="aliases written out"):
        read(b"\n".join(rows))
