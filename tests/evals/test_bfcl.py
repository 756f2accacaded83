"""Reading the leaderboard's cases: types, names, requests, truths; and lines that are broken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid
from linnet.evals.bfcl import case_of, load, request_of
from linnet.evals.harness import fault_of

DATA = Path(__file__).parents[3] / "shared" / "data" / "bfcl_dev"

WEATHER = {
    "name": "weather.get",
    "description": "Get the weather.",
    "parameters": {
        "type": "dict",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "above": {"type": "float"},
            "hours": {"type": "tuple", "items": {"type": "integer"}},
            "place": {"type": "dict", "properties": {"floor": {"type": "any"}, "open": {"type": "boolean"}}},
        },
        "required": ["city"],
    },
}
PARIS = {"weather.get": {"city": ["Paris"], "days": ["", 1], "above": ["", 2.5], "hours": [""], "place": [""]}}


def row(**given: Any) -> dict[str, Any]:
    said = [[{"role": "user", "content": "Weather in Paris?"}]]
    return {"id": "a_0", "question": said, "function": [WEATHER], "ground_truth": [PARIS], **given}


def write(folder: Path, category: str, *lines: Any) -> None:
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    (folder / f"{category}.jsonl").write_bytes(b"\n".join(texts) + b"\n")


def test_types_become_json_schema_and_names_stay() -> None:
    tool = case_of(row(), "simple").tools[0]
    of = tool.parameters["properties"]
    assert tool.name == "weather.get" and tool.parameters["type"] == "object"
    assert [of[name].get("type") for name in of] == ["string", "integer", "number", "array", "object"]
    assert of["hours"]["items"] == {"type": "integer"}
    assert of["place"]["properties"] == {"floor": {}, "open": {"type": "boolean"}}


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ({"city": "paris"}, True),
        ({"city": "Paris", "above": 2.5}, True),
        ({"city": "Paris", "days": 1.0}, False),
        ({"city": "Paris", "days": True}, False),
        ({"days": 1}, False),
        ({"city": "Paris", "wind": 1}, False),
        ({"city": None}, False),
    ],
)
def test_a_case_judges_by_its_schema(arguments: dict[str, Any], right: bool) -> None:
    case = case_of(row(), "simple")
    assert (fault_of(case, [{"name": "weather.get", "arguments": arguments}]) == "") is right


CALL = {"name": "weather.get", "arguments": {"city": "Rome"}}


@pytest.mark.parametrize(
    ("category", "calls", "right"),
    [
        ("irrelevance", [], True),
        ("irrelevance", [CALL], False),
        ("live_irrelevance", [CALL], False),
        ("live_relevance", [], False),
        ("live_relevance", [CALL], True),
        ("live_relevance", [CALL, CALL], True),
        ("simple", [], False),
    ],
)
def test_what_is_right_in_a_category(category: str, calls: list[dict[str, Any]], right: bool) -> None:
    assert (fault_of(case_of(row(), category), calls) == "") is right


def test_without_a_truth_a_case_is_not_judged() -> None:
    given = row()
    del given["ground_truth"]
    case = case_of(given, "simple")
    assert case.want == "unknown" and not case.needs_call and fault_of(case, [CALL]) == ""


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("question", "request_text"),
    [
        ([[message("user", " hi \n")]], "hi"),
        ([message("user", "hi")], "hi"),
        ([[message("system", "Be kind."), message("user", "hi")]], "hi"),
        ([[message("user", "one"), message("user", "two")]], "one\ntwo"),
        ([[message("user", "one"), message("assistant", "done"), message("user", "two")]], "two"),
        ([[message("user", "one")], [message("user", "two")]], "one\ntwo"),
        ([[message("system", "Be kind.")]], ""),
    ],
)
def test_the_request_is_what_the_user_said_last(question: list[Any], request_text: str) -> None:
    assert request_of(question) == request_text


def test_a_bad_tool_is_left_out_and_told() -> None:
    bad = {"name": "x", "description": "", "parameters": {"type": "dict", "properties": {"a": {"type": "colour"}}}}
    case = case_of(row(function=[bad, WEATHER, {"description": "no name"}]), "simple")
    assert [tool.name for tool in case.tools] == ["weather.get"]
    assert len(case.notes) == 2 and "colour" in case.notes[0] and not case.fault


def test_a_bad_line_is_a_case_with_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "simple", row(), b"{", b"", b"\xff", {"id": "b"}, [1], row(id="c", ground_truth=[7]))
    cases = load(tmp_path)
    assert [case.id for case in cases] == ["a_0", "simple:2", "simple:4", "simple:5", "simple:6", "simple:7"]
    assert [bool(case.fault) for case in cases] == [False, True, True, True, True, True]
    assert "line 2 of simple" in cases[1].fault


def test_categories_and_limit(tmp_path: Path) -> None:
    write(tmp_path, "b", row(id="1"), row(id="2\u2028"), row(id="3"))
    write(tmp_path, "a", row(id="4"))
    assert [case.id for case in load(tmp_path, limit=2)] == ["4", "1", "2\u2028"]
    assert [case.category for case in load(tmp_path, ["b"])] == ["b", "b", "b"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="no data folder") as caught:
        load(tmp_path / "away")
    assert "--data" in caught.value.hint
    with pytest.raises(InputInvalid, match=r"has no \.jsonl files"):
        load(tmp_path)
    write(tmp_path, "parallel", row())
    with pytest.raises(InputInvalid, match="no category 'paralel'") as caught:
        load(tmp_path, ["paralel"])
    assert "Did you mean parallel?" in caught.value.hint


@pytest.mark.skipif(not DATA.is_dir(), reason="the development half of BFCL is not beside the project")
def test_every_case_of_the_development_half_is_read_whole() -> None:
    cases = load(DATA)
    assert len(cases) == 1_157
    assert [case.id for case in cases if case.fault or case.notes or not case.request] == []
    # each truth, with the first of its allowed values, is right by its own rules
    wrong = [case.id for case in cases if case.want == "calls" and fault_of(case, list(map(first, case.expected)))]
    assert wrong == ["live_simple_106-63-0", "live_simple_112-68-0"], "these two allow no value at all"


def first(want: Mapping[str, Any]) -> dict[str, Any]:
    """The call with the first allowed values; an object's values are lists of allowed ones themselves."""
    arguments = {k: plainly(v[0]) for k, v in want["arguments"].items() if v and "" not in v}
    return {"name": want["name"], "arguments": arguments}


def plainly(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: allowed[0] for key, allowed in value.items() if "" not in allowed}
    return [plainly(part) for part in value] if isinstance(value, list) else value
