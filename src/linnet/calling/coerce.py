"""What a piece of text stands for by its schema: the conversion that notations without literals need.

By schema first: a declared string stays a string, a union takes the richest form that fits, `$ref` is
followed. Null, boolean, number, JSON, nested tags, text: in this order where several forms are allowed.
Schemas are read as they come, in any dialect's type names; what makes no sense allows any text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from linnet.calling.dialects.markup import extract
from linnet.calling.dialects.notation import literal
from linnet.limits import LIMITS
from linnet.schema import JsonSchema

_TYPES = {
    **dict.fromkeys(("object", "dict", "map", "hashmap"), "object"),
    **dict.fromkeys(("array", "list", "tuple", "set", "arraylist"), "array"),
    **dict.fromkeys(("number", "float", "double", "decimal"), "number"),
    **dict.fromkeys(("integer", "int", "long", "short", "bigint"), "integer"),
    **dict.fromkeys(("string", "str", "char"), "string"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    "null": "null",
}
_RICHEST = ("null", "boolean", "integer", "number", "array", "object", "string")
_NUMBER = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,3})?")


def resolved(schema: Any, root: JsonSchema) -> JsonSchema:
    """The schema that `$ref` leads to within `root` (RFC 6901); `{}` for what leads nowhere or in circles."""
    for _ in range(LIMITS.schema_depth):
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" not in schema:
            return dict(schema)
        pointer, beside = schema["$ref"], {key: value for key, value in schema.items() if key != "$ref"}
        found = _target(pointer, root)
        schema = {**found, **beside} if isinstance(found, Mapping) else beside
    return {}


def _target(pointer: Any, root: JsonSchema) -> Any:
    found: Any = root
    parts = pointer.split("/") if isinstance(pointer, str) else [""]
    for part in parts[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if parts[0] == "#" else None


def forms(schema: Any, root: JsonSchema) -> list[JsonSchema]:
    """The alternatives of a schema, each with at most one type, `type`, in JSON Schema's names."""
    found: list[JsonSchema] = []
    waiting = [(schema, 0)]
    while waiting and len(found) < LIMITS.schema_depth:
        node, depth = waiting.pop(0)
        node = resolved(node, root)
        inner = [part for key in ("anyOf", "oneOf") for part in _listed(node.get(key))]
        if inner and depth < LIMITS.schema_depth:
            beside = {key: value for key, value in node.items() if key not in ("anyOf", "oneOf")}
            waiting += [({**beside, **part} if isinstance(part, Mapping) else part, depth + 1) for part in inner]
        else:
            found += [{**node, "type": kind} for kind in _kinds(node)]
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _kinds(node: JsonSchema) -> list[str]:
    given = node.get("type")
    names = [given] if isinstance(given, str) else _listed(given)
    known = [_TYPES[name.lower()] for name in names if isinstance(name, str) and name.lower() in _TYPES]
    if not known and isinstance(node.get("properties"), Mapping):
        return ["object"]
    return known or ["array" if isinstance(node.get("items"), Mapping) else "any"]


def from_tag(text: str, schema: Any, root: JsonSchema) -> Any:
    """The richest form that the text fits; the text itself when there is none.

    An undeclared value is text. Numbers keep their kind: 5.0 stays 5.0, but is 5 where an integer is wanted.
    """
    allowed = sorted(forms(schema, root), key=lambda form: (*_RICHEST, "any").index(form["type"]))
    for form in allowed:
        fits, value = _read(text, form, root)
        if fits:
            return value
    return text


def _read(text: str, form: JsonSchema, root: JsonSchema) -> tuple[bool, Any]:
    kind, bare = form["type"], text.strip()
    if kind == "null":
        return bare.lower() in ("null", "none"), None
    if kind == "boolean":
        return bare.lower() in ("true", "false"), bare.lower() == "true"
    if kind in ("integer", "number"):
        return _number(bare, kind)
    if kind in ("array", "object"):
        return _nested(bare, form, root)
    return True, _option(text, form)


def _option(text: str, form: JsonSchema) -> Any:
    """A number or the like that the text spells among the options, else the text."""
    others = [option for option in _listed(form.get("enum")) if not isinstance(option, str)]
    if text in _listed(form.get("enum")):
        return text
    return next((option for option in others if json.dumps(option) == text.strip().lower()), text)


def _number(text: str, kind: str) -> tuple[bool, Any]:
    if not _NUMBER.fullmatch(text):
        return False, None
    if text.lstrip("+-").isdigit():
        return True, int(text)
    value = float(text)
    if kind == "integer":
        return value.is_integer(), int(value) if value.is_integer() else None
    return abs(value) != float("inf"), value


def _nested(text: str, form: JsonSchema, root: JsonSchema) -> tuple[bool, Any]:
    wanted: type = list if form["type"] == "array" else dict
    value = _literal(text)
    if isinstance(value, wanted):
        return True, _leaves(value, form, root)
    if text.startswith("<"):
        value = _tagged(text, form, root)
    return isinstance(value, wanted), value


def _leaves(value: Any, schema: Any, root: JsonSchema) -> Any:
    """A value with the texts in it brought into the types that the schema names, where it allows no text there."""
    if not isinstance(value, str | list | dict):
        return value
    allowed = forms(schema, root)
    if isinstance(value, str):
        return value if any(form["type"] in ("string", "any") for form in allowed) else from_tag(value, schema, root)
    wanted = "array" if isinstance(value, list) else "object"
    form = next((form for form in allowed if form["type"] == wanted), {})
    if isinstance(value, list):
        return [_leaves(item, form.get("items"), root) for item in value]
    known = form.get("properties")
    parts = known if isinstance(known, Mapping) else {}
    return {name: _leaves(part, parts.get(name), root) for name, part in value.items()}


def _literal(text: str) -> Any:
    """A JSON or Python list or object; None for anything else."""
    return literal(text) if text[:1] in ("[", "{", "(") else None


def _tagged(text: str, form: JsonSchema, root: JsonSchema) -> Any:
    """Nested tags as an object, or as the list of what is in the outer ones; None when they are no such thing."""
    found = extract(text)
    if form["type"] == "array":
        items = [item for value in found.values() for item in (value if isinstance(value, list) else [value])]
        return [typed(item, form.get("items"), root) for item in items] or None
    return typed(found, form, root) if found else None


def typed(value: Any, schema: Any, root: JsonSchema) -> Any:
    """Extracted tags (texts, objects, lists) in the types of their schema, as deep as they go."""
    if isinstance(value, str):
        return from_tag(value, schema, root)
    form = next((f for f in forms(schema, root) if f["type"] in ("array", "object")), {})
    if form.get("type") == "array":
        return [typed(item, form.get("items"), root) for item in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        return [typed(item, {}, root) for item in value]
    known = form.get("properties")
    parts = known if isinstance(known, Mapping) else {}
    return {name: typed(part, parts.get(name, {}), root) for name, part in value.items()}
