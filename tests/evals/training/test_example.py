"""Examples as values, and the files that hold them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid
from linnet.evals.training import example
from linnet.evals.training.example import Example, line_of, read, write
from linnet.limits import LIMITS
from linnet.messages import ToolCall, ToolSpec

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOL = ToolSpec("forecast", "Tells the weather.", SCHEMA)
ASKED = Example((TOOL,), "How will it be in Łódź?", (ToolCall("forecast", {"city": "Łódź"}),), "single")


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    examples = [ASKED, Example((TOOL,), "hello", (), "none")]
    assert write(tmp_path / "new" / "e.jsonl", iter(examples)) == 2
    assert list(read(tmp_path / "new" / "e.jsonl")) == examples


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_bytes(b"\n" + line_of(ASKED) + b"  \n" + line_of(ASKED).rstrip())
    assert list(read(tmp_path / "e.jsonl")) == [ASKED, ASKED]


def cases(folder: Path, *truths: Any) -> Path:
    schema = {"type": "dict", "properties": {**SCHEMA["properties"], "more": {"type": "dict"}}}
    row = {
        "question": [[{"role": "user", "content": "How will it be?"}]],
        "function": [{"name": "forecast", "description": "Tells.", "parameters": schema}],
    }
    lines = [json.dumps({**row, "id": f"c{n}", "ground_truth": truth}) for n, truth in enumerate(truths)]
    (folder / "single.jsonl").write_text("\n".join(lines))
    return folder


def test_a_folder_of_cases_gives_what_is_right_first_and_leaves_out_what_may_be(tmp_path: Path) -> None:
    more = {"deep": [True, False], "left": ["", 3], "list": [[1, 2]]}
    truth = [{"forecast": {"city": ["Oslo", "OSLO"], "days": [1, ""], "more": [more]}}]
    one, none = read(cases(tmp_path, truth, []))
    assert one.calls == (ToolCall("forecast", {"city": "Oslo", "more": {"deep": True, "list": [1, 2]}}),)
    assert one.kind == "single" and one.request == "How will it be?" and none.calls == ()


def test_a_case_that_says_nothing_is_no_example_and_a_wrong_one_an_error(tmp_path: Path) -> None:
    (tmp_path / "live_relevance.jsonl").write_text(
        cases(tmp_path, [{"forecast": {}}]).joinpath("single.jsonl").read_text()
    )
    assert [each.kind for each in read(tmp_path)] == ["single"]
    with pytest.raises(InputInvalid, match="forcast"):
        list(read(cases(tmp_path, [{"forcast": {}}])))
    (tmp_path / "single.jsonl").write_text("{")
    with pytest.raises(InputInvalid, match="cannot be read"):
        list(read(tmp_path))


def test_a_call_in_a_case_that_wants_none_is_not_learned(tmp_path: Path) -> None:
    cases(tmp_path, [{"forecast": {"city": ["Oslo"]}}]).joinpath("single.jsonl").rename(
        tmp_path / "irrelevance.jsonl"
    )
    assert [each.calls for each in read(tmp_path)] == [()]


def test_no_more_cases_than_examples_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "LIMITS", replace(LIMITS, training_examples=2))
    assert len(list(read(cases(tmp_path, [], [])))) == 2
    with pytest.raises(InputInvalid, match="over 2"):
        list(read(cases(tmp_path, [], [], [])))


def test_a_call_is_held_against_its_tools_schema() -> None:
    assert ASKED.fault() == ""
    wrong = replace(ASKED, calls=(ToolCall("forecast", {"city": "Łódź", "days": "3"}),))
    assert "days must be integer" in wrong.fault()


@pytest.mark.parametrize(
    ("tools", "calls"),
    [
        ((TOOL, TOOL), ()),
        ((TOOL,), (ToolCall("forcast", {}),)),
        ((TOOL,), (ToolCall("forecast", {}),) * (LIMITS.calls_per_request + 1)),
        (tuple(ToolSpec(f"t{i}") for i in range(LIMITS.request_tools + 1)), ()),
    ],
)
def test_what_cannot_be_an_example(tools: Any, calls: Any) -> None:
    with pytest.raises(ValueError):
        Example(tools, "x", calls)


def test_as_many_calls_and_tools_as_a_request_may_have() -> None:
    tools = tuple(ToolSpec(f"t{i}") for i in range(LIMITS.request_tools))
    assert len(Example(tools, "x", (ToolCall("t0", {}),) * LIMITS.calls_per_request).tools) == LIMITS.request_tools


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "Invalid JSON"),
        (b'{"tools": [], "request": 3}', "request"),
        (b'{"tools": [], "request": "x", "more": 1}', "more"),
        (b'{"tools": [], "request": "x", "calls": [{"name": "f", "arguments": {}}]}', "calls f"),
        (b"\xff\xfe", "Invalid JSON"),
    ],
)
def test_a_wrong_line_is_named(line: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_bytes(line_of(ASKED) + line)
    with pytest.raises(InputInvalid, match=f"line 2: .*{told}"):
        list(read(tmp_path / "e.jsonl"))


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="cannot be read"):
        list(read(tmp_path / "absent.jsonl"))
    (tmp_path / "file").touch()
    with pytest.raises(InputInvalid, match="cannot be written"):
        write(tmp_path / "file" / "e.jsonl", [ASKED])


def test_one_example_more_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "LIMITS", replace(LIMITS, training_examples=2))
    write(tmp_path / "e.jsonl", [ASKED] * 2)
    assert len(list(read(tmp_path / "e.jsonl"))) == 2
    write(tmp_path / "e.jsonl", [ASKED] * 3)
    with pytest.raises(InputInvalid, match="line 3: is one example more than 2"):
        list(read(tmp_path / "e.jsonl"))


def test_a_line_of_the_limit_and_one_byte_more(tmp_path: Path) -> None:
    spare = LIMITS.training_line_bytes - len(line_of(ASKED))
    full = replace(ASKED, request=ASKED.request + "x" * spare)
    write(tmp_path / "e.jsonl", [full])
    assert list(read(tmp_path / "e.jsonl")) == [full]
    write(tmp_path / "e.jsonl", [replace(full, request=full.request + "x")])
    with pytest.raises(InputInvalid, match="bytes long"):
        list(read(tmp_path / "e.jsonl"))
