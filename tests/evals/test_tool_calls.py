"""Reading Seal-Tools' and ToolAlpaca's cases: schemas without a wrapper, answers of two forms, typed values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid
from linnet.evals.harness import fault_of
from linnet.evals.tool_calls import load, spec_of

DATA = Path(__file__).parents[3] / "shared" / "data" / "tool_calls"

INCOME = {
    "name": "netIncome",
    "description": "Net income.",
    "parameters": {
        "revenue": {"type": "float", "description": "Money in.", "required": True},
        "year": {"type": "int", "description": "Which year."},
        "code": {"type": "str", "description": "A code."},
        "kind": {"type": "str", "description": "Gross or net.", "choices": ["gross", "net"], "default": "net"},
    },
    "required": ["revenue"],
}


def write(folder: Path, *rows: Any) -> Path:
    (folder / "set.json").write_text(json.dumps(rows))
    return folder


def row(*answers: Any) -> dict[str, Any]:
    return {"query": " Net income of 40.7 in 2020? ", "tools": [INCOME], "answers": list(answers)}


def test_parameters_become_a_schema() -> None:
    schema = spec_of(INCOME)["parameters"]
    assert schema["required"] == ["revenue"] and schema["properties"]["kind"]["enum"] == ["gross", "net"]
    assert spec_of({"name": "a", "parameters": {}}) == {
        "name": "a",
        "description": "",
        "parameters": {"type": "object", "properties": {}, "required": []},
    }
    flagged = {"name": "a", "parameters": {"x": {"type": "str", "required": True}, "y": {"type": "str"}}}
    assert spec_of(flagged)["parameters"]["required"] == ["x"]
    listed = {"name": "a", "parameters": {"x": {"type": "str"}}, "required": ["x"]}
    assert spec_of(listed)["parameters"]["required"] == ["x"]


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ({"revenue": 40.7, "year": 2020, "code": "7"}, True),
        ({"revenue": 40.7, "year": 2020, "code": "7", "kind": "net"}, True),  # its own default
        ({"revenue": 40.7, "year": 2020, "code": "7", "kind": "gross"}, False),
        ({"revenue": 40.7, "year": "2020", "code": "7"}, False),
        ({"revenue": 40.7, "year": 2020, "code": 7}, False),
        ({"revenue": 40.7, "code": "7"}, False),
    ],
)
def test_published_values_are_read_by_their_type(tmp_path: Path, arguments: dict[str, Any], right: bool) -> None:
    answer = {"tool": "netIncome", "parameters": {"revenue": "40.7", "year": "2020", "code": 7}}
    (case,) = load(write(tmp_path, row(answer)))
    assert case.id == "set_0" and case.request == "Net income of 40.7 in 2020?"
    assert (fault_of(case, [{"name": "netIncome", "arguments": arguments}]) == "") is right


def test_answers_of_either_form_and_several_of_them(tmp_path: Path) -> None:
    one = {"tool": "netIncome", "parameters": {"revenue": "1"}}
    two = {"name": "netIncome", "arguments": {"revenue": 2}}
    (case,) = load(write(tmp_path, row(one, two)))
    calls = [{"name": "netIncome", "arguments": {"revenue": value}} for value in (2, 1)]
    assert fault_of(case, calls) == "" and fault_of(case, calls[:1]) == "1 calls, 2 expected"


def test_an_answer_that_is_not_on_offer_is_told(tmp_path: Path) -> None:
    (case,) = load(write(tmp_path, row({"tool": "tax", "parameters": {"of": 1}})))
    assert case.notes == ("tax is expected and not on offer",) and case.needs_call


def test_bad_cases_and_bad_files(tmp_path: Path) -> None:
    cases = load(write(tmp_path, {"query": "x"}, 7, row({"tool": "netIncome"}), row()))
    assert [bool(case.fault) for case in cases] == [True, True, True, False]
    assert len(load(tmp_path, limit=2)) == 2
    for text, said in (("{", "is not JSON"), ("{}", "is not a list")):
        (tmp_path / "set.json").write_text(text)
        with pytest.raises(InputInvalid, match=said):
            load(tmp_path)
    with pytest.raises(InputInvalid, match="no category 'st'") as caught:
        load(tmp_path, ["st"])
    assert "set" in caught.value.hint


@pytest.mark.skipif(not DATA.is_dir(), reason="Seal-Tools and ToolAlpaca are not beside the project")
def test_every_published_answer_is_right_by_its_own_rules() -> None:
    cases = load(DATA)
    assert len(cases) == 408 and [case.id for case in cases if case.fault] == []
    for case in cases:
        gold = [
            {"name": want["name"], "arguments": {k: v[0] for k, v in want["arguments"].items() if "" not in v}}
            for want in case.expected
        ]
        assert fault_of(case, gold) == "", case.id
