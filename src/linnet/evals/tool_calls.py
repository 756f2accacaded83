"""Cases of Seal-Tools, ToolAlpaca and the like in the form in which they were published with Hammer.

A file is a JSON list of `{query, tools, answers}`. A tool has its parameters without a schema around them,
each with a flag `required`, the types in Python's names; an answer is `{tool, parameters}` or `{name,
arguments}`. The answer's value is the one that is right. It is read as the type that the parameter has
(`"40.7"` where a number is wanted is 40.7), because the published values are mostly text. What the answer
leaves out may be given as the parameter's own default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid
from linnet.evals.folder import read
from linnet.evals.harness import Case, offered
from linnet.schema import from_text
from linnet.tools import Tool


def load(folder: Path, categories: Sequence[str] = (), limit: int | None = None) -> tuple[Case, ...]:
    """The first `limit` cases of each of these files; of every .json file in the folder when none is named.

    A case that cannot be read has a `fault`. Raises InputInvalid as `folder.read` does, and for a file that
    holds no list.
    """
    files = read(folder, ".json", categories)
    return tuple(case for category, data in files.items() for case in _cases(data, category, limit))


def _cases(data: bytes, category: str, limit: int | None) -> list[Case]:
    try:
        rows = json.loads(data)
    except ValueError as error:
        raise InputInvalid(f"{category}.json is not JSON: {error}", category=category) from error
    if not isinstance(rows, list):
        raise InputInvalid(f"{category}.json is not a list of cases", category=category)
    return [_case(row, category, number) for number, row in enumerate(rows[:limit])]


def _case(row: Any, category: str, number: int) -> Case:
    name = f"{category}_{number}"
    try:
        tools, notes = offered(map(spec_of, row["tools"]))
        expected, strangers = _expected(row["answers"], {tool.name: tool for tool in tools})
        return Case(name, category, row["query"].strip(), tools, "calls", expected, notes=(*notes, *strangers))
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        fault = f"case {number} of {category} cannot be read: {type(error).__name__}: {error}"
        return Case(name, category, fault=fault)


def spec_of(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A published tool as `{name, description, parameters}`, the parameters a JSON Schema object."""
    given: Mapping[str, Mapping[str, Any]] = tool.get("parameters") or {}
    listed = set(tool.get("required") or ())
    required = [name for name, schema in given.items() if name in listed or schema.get("required") is True]
    properties = {name: _schema(schema) for name, schema in given.items()}
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": tool["name"], "description": tool.get("description", ""), "parameters": parameters}


def _schema(published: Mapping[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in published.items() if key != "required"}
    return {**schema, "enum": schema["choices"]} if schema.get("choices") else schema


def _expected(
    answers: Sequence[Mapping[str, Any]], tools: Mapping[str, Tool]
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """`(calls, notes)`: calls as `judge` wants them, and which of them are of tools that are not on offer."""
    calls = []
    for answer in answers:
        name = answer["tool"] if "tool" in answer else answer["name"]
        given = answer["parameters"] if "parameters" in answer else answer["arguments"]
        calls.append({"name": name, "arguments": _allowed(given, tools.get(name))})
    notes = tuple(f"{call['name']} is expected and not on offer" for call in calls if call["name"] not in tools)
    return tuple(calls), notes


def _allowed(given: Mapping[str, Any], tool: Tool | None) -> dict[str, list[Any]]:
    properties = tool.parameters["properties"] if tool else {}
    defaults = {name: ["", schema["default"]] for name, schema in properties.items() if "default" in schema}
    return {**defaults, **{name: [_typed(value, properties.get(name, {}))] for name, value in given.items()}}


def _typed(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return from_text(value, dict(schema))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number and schema.get("type") == "string" else value
