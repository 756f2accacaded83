"""Schema-aware coercion of arguments; every change is told in words, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linnet.calling.evidence import stem
from linnet.calling.kinds import items
from linnet.schema import JsonSchema, from_text
from linnet.tools import Tool


def repair(tool: Tool, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`(arguments, repairs)`: the same arguments in the types and options that the schema names."""
    repaired, told = {}, []
    for name, value in arguments.items():
        better = _coerced(value, tool.parameters["properties"].get(name, {}))
        repaired[name] = better
        if better != value or type(better) is not type(value):
            told.append(f"{name}: {value!r} became {better!r}")
    return repaired, tuple(told)


def _coerced(value: Any, schema: JsonSchema) -> Any:
    if schema.get("enum"):
        return _option(value, schema["enum"])
    kind = schema.get("type")
    if kind == "array":
        return [_coerced(item, items(schema)) for item in (value if isinstance(value, list) else [value])]
    if isinstance(value, str) and kind in ("number", "integer", "boolean"):
        return from_text(value, schema)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _option(value: Any, options: list[Any]) -> Any:
    """The option that is the same word in another case or number, or the value as it was."""
    if value in options or not isinstance(value, str):
        return value
    near = [o for o in options if isinstance(o, str) and stem(o.lower()) == stem(value.strip().lower())]
    return near[0] if len(near) == 1 else value
