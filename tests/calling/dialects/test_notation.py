"""Literals are read as Python and JSON read them, and never as anything else."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.calling.dialects.markup import escaped, extract, unescaped
from linnet.calling.dialects.notation import closed_json, dump_python, literal, load, load_python
from linnet.calling.dialects.source import NotACall

LETTERS = st.sampled_from(
    [*"0123456789+-.eE_jxob'\"[](){},: \\n", "True", "None", "r'", "f'", "u", "'a'", "1", "[1]", "**", "#"]
)
SCALAR = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
VALUE = st.recursive(
    SCALAR, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=5), v, max_size=4), max_leaves=8
)


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


@settings(max_examples=200)
@given(st.lists(LETTERS, max_size=12).map(lambda parts: f"[{''.join(parts)}]"))
def test_what_is_read_as_python_is_what_python_reads(text: str) -> None:
    found = literal(text)
    if found is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = plain(ast.literal_eval(text))
        except (ValueError, SyntaxError, TypeError, MemoryError):
            assert found == load(text), f"only JSON reads {text!r}"
            return
    assert repr(found) == repr(expected)


@given(VALUE)
def test_a_value_survives_being_written_as_python(value: Any) -> None:
    text = dump_python([value])
    assert repr(load_python(text)) == repr(ast.literal_eval(text)) == repr([value])


@given(VALUE)
def test_a_literal_is_the_whole_text(value: Any) -> None:
    assert literal(json.dumps([value])) == [value] == literal(dump_python([value]))
    assert literal(json.dumps([value]) + "x") is None


@pytest.mark.parametrize("text", ["[NaN]", "[Infinity]", "{'a': 1}", '{"a": 1,}', "[01]", "", "[" * 2000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(NotACall):
        load(text)


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ('{"a": {"b": true}', '{"a": {"b": true}}'),
        ('[{"a": 1}', '[{"a": 1}]'),
        ('{"a": "Lond', ""),
        ('{"a": 1}', ""),
        ("{oops", ""),
    ],
)
def test_closing_a_cut_off_text_invents_no_value(text: str, closed: str) -> None:
    assert closed_json(text) == closed


@given(st.text(st.sampled_from("<>&;ab ]![CDAT\n\"'")))
def test_escaping_is_undone(text: str) -> None:
    assert unescaped(escaped(text)) == text


def test_tags_nested_and_repeated() -> None:
    text = "Sure! <tool>fs</tool> <path>a</path><path>b &amp; c</path><o><k>1</k><k>2</k><l>x</l></o> <open> <b>"
    assert extract(text) == {"tool": "fs", "path": ["a", "b & c"], "o": {"k": ["1", "2"], "l": "x"}}
    assert extract("<a><b>1</a></b>") == {"a": "<b>1"}
    assert extract("no tags, 1 < 2 > 0") == {}
