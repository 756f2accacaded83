"""Schema-aware repair: names snapped to those that exist, values to the types and options that the schema names.

Every change is told in words. Nothing is guessed beyond a bound, and an unknown tool stays unknown: it is
reported, never run and never dropped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linnet.calling.coerce import from_tag
from linnet.calling.dialects.notation import literal
from linnet.calling.evidence.parameters import items
from linnet.calling.evidence.stems import stem
from linnet.messages import ToolCall
from linnet.schema import JsonSchema, from_text, problems
from linnet.tools import Tool

NEAR = 84.0
"""Similarity (rapidfuzz's ratio, 0 to 100) from which a name or an option is taken for another: one letter in six."""
LEAD = 6.0
"""By how much it must be ahead of the next."""


@dataclass(frozen=True)
class Repaired:
    """A call as its tool wants it. Without `tool` there is none of that name, nor one near enough: not to be run."""

    call: ToolCall
    tool: Tool | None


def repair_call(call: ToolCall, tools: Sequence[Tool]) -> Repaired:
    """The call with its tool's name snapped to one on offer and its arguments repaired, all of it told."""
    named = {tool.name: tool for tool in tools}
    name = snapped(call.name, named)
    if name is None:
        return Repaired(call, None)
    told = () if name == call.name else (f"the tool {call.name!r} became {name!r}",)
    arguments, repairs = repair(named[name], call.arguments)
    return Repaired(
        replace(call, name=name, arguments=arguments, repairs=(*call.repairs, *told, *repairs)), named[name]
    )


def repair(tool: Tool, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """`(arguments, repairs)`: the same arguments under the names, in the types and options of the schema."""
    renamed, told = _renamed(arguments, tool.parameters)
    repaired = {}
    for name, value in renamed.items():
        better = _coerced(value, tool.parameters["properties"].get(name, {}))
        repaired[name] = better
        if not _same(better, value):
            told.append(f"{name}: {value!r} became {better!r}")
    return repaired, tuple(told)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


# --- names ---------------------------------------------------------------------------------------


def snapped(name: str, known: Iterable[str]) -> str | None:
    """The known name that this one is, or is but for case, dots and dashes, or a letter in six; None for none.

    Two that are as near as each other are none.
    """
    names = list(known)
    if name in names:
        return name
    alike = [other for other in names if _folded(other) == _folded(name)]
    if alike:
        return alike[0] if len(alike) == 1 else None
    return _nearest(_folded(name), {other: _folded(other) for other in names})


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _nearest(text: str, options: Mapping[str, str]) -> str | None:
    """The key of the option nearest to the text, if near enough and well ahead of the second."""
    from rapidfuzz import fuzz, process

    found = process.extract(text, dict(options), scorer=fuzz.ratio, score_cutoff=NEAR - LEAD, limit=2)
    if not found or found[0][1] < NEAR or (len(found) > 1 and found[0][1] - found[1][1] < LEAD):
        return None
    return str(found[0][2])


def _renamed(arguments: Mapping[str, Any], schema: JsonSchema) -> tuple[dict[str, Any], list[str]]:
    """Arguments under the schema's names; one that is given already, or may have any name, keeps its own."""
    free = [name for name in schema.get("properties", {}) if name not in arguments]
    if schema.get("additionalProperties", True) is not False or not free:
        return dict(arguments), []
    renamed, told = {}, []
    for name, value in arguments.items():
        better = name if name in schema["properties"] else snapped(name, free) or name
        if better != name:
            free.remove(better)
            told.append(f"the argument {name!r} became {better!r}")
        renamed[better] = value
    return renamed, told


# --- values --------------------------------------------------------------------------------------


def _coerced(value: Any, schema: JsonSchema) -> Any:
    if schema.get("enum"):
        return _option(value, schema["enum"])
    alternatives = _alternatives(schema)
    if alternatives:
        return _richest(value, schema, alternatives)
    kind = schema.get("type")
    if kind == "array":
        return _list(value, schema)
    if kind == "object":
        return _object(value, schema)
    return _scalar(value, schema)


def _scalar(value: Any, schema: JsonSchema) -> Any:
    kind = schema.get("type")
    if isinstance(value, str) and kind in ("number", "integer", "boolean"):
        return from_text(value, schema)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _list(value: Any, schema: JsonSchema) -> list[Any]:
    if isinstance(value, str):
        held = literal(value.strip())
        value = held if isinstance(held, list) else value
    return [_coerced(item, items(schema)) for item in (value if isinstance(value, list) else [value])]


def _object(value: Any, schema: JsonSchema) -> Any:
    if isinstance(value, str):
        held = literal(value.strip())
        value = held if isinstance(held, dict) else value
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    renamed, _ = _renamed(value, schema)
    return {name: _coerced(part, known.get(name, {})) for name, part in renamed.items()}


def _alternatives(schema: JsonSchema) -> list[JsonSchema]:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return [{**schema, "type": kind} for kind in kinds]
    return [form for form in schema.get("anyOf") or schema.get("oneOf") or () if isinstance(form, dict)]


def _richest(value: Any, schema: JsonSchema, alternatives: list[JsonSchema]) -> Any:
    """The value itself where it fits a form; else the richest form that it can be brought into."""
    if not any(problems(value, schema)):
        return value
    tries = [from_tag(value, schema, schema)] if isinstance(value, str) else []
    tries += [_coerced(value, form) for form in alternatives]
    return next((better for better in tries if not any(problems(better, schema))), value)


def _option(value: Any, options: list[Any]) -> Any:
    """The option that is the same word in another case or number, or nearly; or the value as it was."""
    if value in options or not isinstance(value, str):
        return value
    words = [option for option in options if isinstance(option, str)]
    plain = value.strip().lower()
    near = [option for option in words if stem(option.lower()) == stem(plain)]
    spelled = [option for option in options if not isinstance(option, str) and json.dumps(option) == plain]
    if near or spelled:
        return [*near, *spelled][0] if len(near) + len(spelled) == 1 else value
    nearest = snapped(plain, words) if len(plain) > 3 else None
    return value if nearest is None else nearest
