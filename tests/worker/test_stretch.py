"""How much a constraint forces: an estimate that is right where it matters, and quick whatever it reads."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import ConstraintInvalid
from linnet.limits import LIMITS
from linnet.requests import Choice, Copy, Fixed, Hole, Holes, Number, Pattern, Schema
from linnet.worker.constrain import grammar
from linnet.worker.stretch import of_pattern, stretch


@pytest.mark.parametrize(
    ("regex", "size"),
    [
        ("", 0),
        ("abc", 3),
        ("a{1000}", 1_000),
        ("(a{1000}){1000}", 1_000_000),
        ("^(?:a{10}b){10}$", 110),
        ("(?P<x>ab){3,}?c", 7),
        ("a{0,1000}", 1),
        ("(abc)?d", 4),
        ("(a{50}|b)", 50),
        ("a|bc|d", 2),
        (r"\d{3}-\d{4}", 8),
        (r"\p{Lu}{5}\x{41}\x41\u0041", 8),
        (r"\ba\B", 1),
        ("[]a]{4}", 4),
        ("[^]a]{4}", 4),
        (r"[\]]{4}x", 5),
        ("[a-z&&[^b]]{4}", 4),
        ("(?i)ab", 2),
        ("(?i:ab)+", 2),
        (".{7}", 7),
        ("((((a{9}){9}){9}){9}){9}", 9**5),
        ("(" * 9_999, 0),
        (")" * 9, 0),
        ("a{,3}", 1),
        ("[", 1),
        ("\\", 1),
    ],
)
def test_of_a_pattern(regex: str, size: int) -> None:
    assert of_pattern(regex) == size


@given(st.text(alphabet="ab(|)[]{}?*+,0123\\^$p:", max_size=60))
def test_any_text_has_a_number(regex: str) -> None:
    assert of_pattern(regex) >= 0


@given(st.lists(st.tuples(st.sampled_from(["a", "bc", "[x-z]", r"\d"]), st.integers(1, 9)), max_size=6))
def test_a_text_that_fits_is_no_longer(parts: list[tuple[str, int]]) -> None:
    """Of patterns in which everything is fixed."""
    regex = "".join(f"(?:{one}){{{times}}}" for one, times in parts)
    text = "".join({"[x-z]": "y", r"\d": "7"}.get(one, one) * times for one, times in parts)
    assert re.fullmatch(regex, text) and of_pattern(regex) == len(text)


def test_what_is_long_is_read_at_once() -> None:
    started = time.process_time()
    for regex in ("(" * 60_000, "[" * 60_000, "a{9}" * 15_000, "\\p{" * 15_000, "{1," * 20_000, "(?" * 30_000):
        of_pattern(regex)
    assert time.process_time() - started < 5.0


STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "size"),
    [
        ({}, 1),
        ({"const": "abc"}, 5),
        ({"enum": ["a", "bcd", 1]}, 5),
        ({**STRING, "minLength": 10}, 12),
        ({**STRING, "pattern": "^(a{100}){100}$"}, 10_002),
        ({"type": "array", "minItems": 1_000, "items": {"const": "x" * 98}}, 100_002),
        ({"type": "array", "prefixItems": [{"const": "ab"}], "minItems": 3, "items": {"const": 1}}, 8),
        ({"type": "object", "properties": {"a": {"const": 1}, "b": STRING}, "required": ["a"]}, 2 + 6 + 7 + 5),
        ({"anyOf": [{"const": 1}, {"const": "abcd"}]}, 6),
        ({"$defs": {"a": {"const": "abcd"}}, "$ref": "#/$defs/a"}, 6),
        ({"type": ["null", "string"], "minLength": 4}, 6),
        ({"$ref": "#"}, 1),
        ({"$ref": "#/nowhere"}, 1),
        ({"$ref": "https://example.org/x"}, 1),
        ({"type": 7, "minItems": "x", "enum": 3}, 1),
        ({"type": "array", "minItems": -1, "prefixItems": 3}, 3),
    ],
)
def test_of_a_schema(schema: Any, size: int) -> None:
    assert stretch(Schema(schema)) == size


def test_references_that_double_are_counted_without_following_each() -> None:
    defs: dict[str, Any] = {
        f"d{i}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)
    }
    started = time.process_time()
    assert stretch(Schema({"$defs": {**defs, "d30": {"const": 1}}, "$ref": "#/$defs/d0"})) > 2**30
    assert time.process_time() - started < 5.0


def test_references_that_are_too_deep_to_follow_are_endless() -> None:
    defs: dict[str, Any] = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5_000)}
    assert stretch(Schema({"$defs": defs, "$ref": "#/$defs/d0"})) > LIMITS.constraint_chars
    tree = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"type": "array", "items": {"$ref": "#"}}}}
    assert stretch(Schema(tree)) < 100, "what goes round in a circle is not endless by that"


def test_of_the_others() -> None:
    assert [stretch(one) for one in (Fixed("abc"), Choice(("a", "bcd")), Copy("a b", 2), Number())] == [3, 3, 1, 1]
    assert stretch(Holes((Fixed("abc"), Hole("x", Pattern("d{4}")), Hole("y", Choice(("e", "fg")))))) == 9


def test_the_limit_and_one_past_it() -> None:
    most = LIMITS.constraint_chars
    assert grammar(Pattern(f"(?:ab){{{most // 2}}}"))
    with pytest.raises(ConstraintInvalid, match="at a stretch"):
        grammar(Pattern(f"(?:ab){{{most // 2}}}c"))
    with pytest.raises(ConstraintInvalid, match="at a stretch"):
        grammar(Schema({"anyOf": [{"const": 1}, {"type": "array", "minItems": most, "items": {"const": "x"}}]}))
