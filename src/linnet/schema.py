"""JSON Schema as tools use it: read from any dialect, written out plainly, and held against values.

Hides references, the type names of other dialects, and `null` as a way to say "optional". A plain schema has
no `$ref` and no `title`, closes every object that names its properties, and knows only the keywords of
`_SHAPES`; others (`not`, `if`, `patternProperties`) are dropped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from linnet.errors import ToolInvalid
from linnet.limits import LIMITS

JsonSchema = dict[str, Any]
Problem = tuple[str, str]
"""Where in the arguments (`to`, `stops[2].city`), and what is wrong there."""

# --- writing a schema out plainly ----------------------------------------------------------------

_TYPES = {
    **{name: "object" for name in ("object", "dict", "map", "hashmap")},
    **{name: "array" for name in ("array", "list", "tuple", "arraylist", "set")},
    **{name: "number" for name in ("number", "float", "double", "decimal")},
    **{name: "integer" for name in ("integer", "int", "long", "short", "bigint")},
    **{name: "string" for name in ("string", "str", "char")},
    **{name: "boolean" for name in ("boolean", "bool")},
    "null": "null",
}
"""Type names of other dialects (BFCL, OpenAPI, Java, Python), in lower case, to those of JSON Schema."""

_NUMBER, _COUNT, _SCHEMAS = (int, float), (int,), (list, tuple)
_SHAPES: dict[str, tuple[type, ...]] = {
    "type": (str, list),
    "description": (str,),
    "default": (object,),
    "enum": (list, tuple),
    "const": (object,),
    "format": (str,),
    "pattern": (str,),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
    "uniqueItems": (bool,),
    "required": (list, tuple),
    "additionalProperties": (bool, Mapping),
    "properties": (Mapping,),
    "items": (bool, Mapping, list),
    **dict.fromkeys(("prefixItems", "anyOf", "oneOf", "allOf"), _SCHEMAS),
}


def plain(schema: Mapping[str, Any], tool: str) -> JsonSchema:
    """The parameters of `tool` as one closed object schema; raises ToolInvalid naming what has no meaning."""
    writer = _Writer(schema, tool)
    node = writer.write({"type": "object", **schema}, "parameters", 0)
    if node.get("type") != "object":
        raise ToolInvalid(f"tool {tool!r}: the parameters are of type {node.get('type')!r}, not an object")
    closed = {"type": "object", "properties": {}, "required": [], "additionalProperties": False} | node
    writer.close(closed, "parameters")
    return closed


class _Writer:
    """Writes one document out. References are followed within it only; depth and size are bounded, so that
    circles and references that multiply end as errors."""

    def __init__(self, root: Mapping[str, Any], tool: str) -> None:
        if not isinstance(root, Mapping):
            raise ToolInvalid(f"tool {tool!r}: the parameters are {shown(root)}, not a JSON Schema object")
        self.root, self.tool, self.left = root, tool, LIMITS.schema_nodes

    def fail(self, path: str, reason: str) -> ToolInvalid:
        place = path if len(path) <= 60 else f"{path[:57]}..."
        return ToolInvalid(f"tool {self.tool!r}: {place} {reason}", tool=self.tool)

    def write(self, node: Any, path: str, depth: int) -> JsonSchema:
        self.left -= 1
        if depth > LIMITS.schema_depth:
            raise self.fail(path, f"nests deeper than {LIMITS.schema_depth} levels, or refers to itself")
        if self.left < 0:
            raise self.fail(path, f"is one schema more than {LIMITS.schema_nodes}, references written out")
        if node is True:
            return {}
        plain_node = self.keywords(self.resolved(node, path), path)
        self.set_type(plain_node, path)
        self.descend(plain_node, path, depth + 1)
        self.close(plain_node, path)
        return _without_null(plain_node)

    def resolved(self, node: Any, path: str) -> Mapping[str, Any]:
        for _ in range(LIMITS.schema_depth):
            if not isinstance(node, Mapping):
                raise self.fail(path, f"is {shown(node)}, not a schema")
            if "$ref" not in node:
                return node
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = {**self.target(node["$ref"], path), **beside}
        raise self.fail(path, "refers to itself")

    def target(self, pointer: Any, path: str) -> Mapping[str, Any]:
        """RFC 6901, within this document."""
        found: Any = self.root
        parts = pointer.split("/") if isinstance(pointer, str) else [pointer]
        for part in parts[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        if parts[0] != "#" or not isinstance(found, Mapping):
            raise self.fail(path, f"refers to {shown(pointer)}, which is not in the schema")
        return found

    def keywords(self, node: Mapping[str, Any], path: str) -> JsonSchema:
        kept = {key: node[key] for key in _SHAPES if key in node}
        for key, value in kept.items():
            numeric_flag = isinstance(value, bool) and _SHAPES[key] in (_NUMBER, _COUNT)
            if not isinstance(value, _SHAPES[key]) or numeric_flag:
                raise self.fail(path, f"has {key}: {shown(value)}")
        if not all(isinstance(name, str) for name in kept.get("required", ())):
            raise self.fail(path, f"has required: {shown(kept['required'])}")
        if isinstance(kept.get("items"), list):  # as before JSON Schema 2020-12
            kept["prefixItems"] = kept.pop("items")
        return kept

    def set_type(self, node: JsonSchema, path: str) -> None:
        """In place: the types in JSON Schema's names, one where one is left."""
        given = node.get("type", "any")
        names = [given] if isinstance(given, str) else given
        if "any" in names:
            node.pop("type", None)
            return
        known = [_TYPES.get(name.lower()) if isinstance(name, str) else None for name in names]
        if not known or None in known:
            raise self.fail(path, f"has the unknown type {shown(given)}")
        types = [name for name in dict.fromkeys(known) if name != "null"] or ["null"]
        node["type"] = types[0] if len(types) == 1 else types

    def descend(self, node: JsonSchema, path: str, depth: int) -> None:
        if "properties" in node:
            properties = node["properties"].items()
            node["properties"] = {str(k): self.write(v, f"{path}.{k}", depth) for k, v in properties}
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), Mapping):
                node[key] = self.write(node[key], f"{path}[{key}]", depth)
        for key in ("prefixItems", "anyOf", "oneOf", "allOf"):
            if key in node:
                node[key] = [self.write(v, f"{path}[{key} {i}]", depth) for i, v in enumerate(node[key])]

    def close(self, node: JsonSchema, path: str) -> None:
        if node.get("properties"):
            node.setdefault("additionalProperties", False)
        strangers = [name for name in node.get("required", ()) if name not in node.get("properties", ())]
        if strangers and node.get("additionalProperties") is False:
            raise self.fail(path, f"requires {shown(strangers)}, which are not among its properties")


def _without_null(node: JsonSchema) -> JsonSchema:
    """Optional means left out: a small model that may write null writes it everywhere."""
    if "enum" in node:
        values = [value for value in node["enum"] if value is not None]
        # BFCL puts the choices of the elements beside `type: array`
        misplaced = node.get("type") == "array" and not any(isinstance(value, list) for value in values)
        if misplaced:
            del node["enum"]
            of = node.get("items")
            node["items"] = {**(of if isinstance(of, Mapping) else {}), "enum": values}
        else:
            node["enum"] = values
    if "default" in node and node["default"] is None:
        del node["default"]
    for key in ("anyOf", "oneOf"):
        options = [option for option in node.get(key, ()) if option.get("type") != "null"]
        if len(options) == 1:
            del node[key]
            node = {**options[0], **node}
        elif options:
            node[key] = options
    return node


# --- holding a value against a plain schema ------------------------------------------------------


def problems(value: Any, schema: JsonSchema, path: str = "") -> Iterator[Problem]:
    """What is wrong with `value`, part by part; nothing when it fits.

    Types are exact, as the Berkeley leaderboard judges them: 5.0, "5" and true are not integers. `pattern`
    and `format` are not looked at.
    """
    types = schema.get("type")
    if types and not any(_is(value, name) for name in ([types] if isinstance(types, str) else types)):
        yield path, f"must be {_either(types)}, got {shown(value)}"
        return
    allowed = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else None
    if allowed is not None and not any(_same(value, option) for option in allowed):
        yield path, f"must be one of {', '.join(map(shown, allowed))}, got {shown(value)}"
    yield from _alternatives(value, schema, path)
    if isinstance(value, Mapping):
        yield from _in_object(value, schema, path)
    elif isinstance(value, (list, tuple)):
        yield from _in_array(value, schema, path)
    elif isinstance(value, str):
        yield from _in_range(len(value), schema, path, "minLength", "maxLength", "characters")
    elif _is(value, "number"):
        yield from _in_number(value, schema, path)


_KINDS: dict[str, tuple[type, ...]] = {
    "object": (Mapping,),
    "array": (list, tuple),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    finite = not isinstance(value, float) or math.isfinite(value)
    return finite and isinstance(value, _KINDS[name])


def _same(value: Any, option: Any) -> bool:
    return bool(value == option) and isinstance(value, bool) == isinstance(option, bool)


def _either(types: str | list[str]) -> str:
    return types if isinstance(types, str) else " or ".join(types)


def _alternatives(value: Any, schema: JsonSchema, path: str) -> Iterator[Problem]:
    for part in schema.get("allOf", ()):
        yield from problems(value, part, path)
    for key in ("anyOf", "oneOf"):
        options = schema.get(key, ())
        if options and all(any(problems(value, option)) for option in options):
            yield path, f"fits none of its {len(options)} forms, got {shown(value)}"


def _in_object(value: Mapping[str, Any], schema: JsonSchema, path: str) -> Iterator[Problem]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield _below(path, name), "is missing"
    for name, part in value.items():
        if name in known:
            yield from problems(part, known[name], _below(path, name))
        elif isinstance(others, Mapping):
            yield from problems(part, dict(others), _below(path, name))
        elif not others:
            yield _below(path, name), f"is not known here; known are {', '.join(known) or 'none'}"


def _below(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _in_array(value: list[Any] | tuple[Any, ...], schema: JsonSchema, path: str) -> Iterator[Problem]:
    yield from _in_range(len(value), schema, path, "minItems", "maxItems", "items")
    first, rest = schema.get("prefixItems", []), schema.get("items", True)
    for place, part in enumerate(value):
        element = first[place] if place < len(first) else rest
        if isinstance(element, Mapping):
            yield from problems(part, dict(element), f"{path}[{place}]")
        elif not element:
            yield f"{path}[{place}]", "is one item too many"


def _in_number(value: float, schema: JsonSchema, path: str) -> Iterator[Problem]:
    yield from _in_range(value, schema, path, "minimum", "maximum", "")
    if value <= schema.get("exclusiveMinimum", -math.inf):
        yield path, f"must be over {schema['exclusiveMinimum']}, got {shown(value)}"
    if value >= schema.get("exclusiveMaximum", math.inf):
        yield path, f"must be under {schema['exclusiveMaximum']}, got {shown(value)}"


def _in_range(value: float, schema: JsonSchema, path: str, least: str, most: str, unit: str) -> Iterator[Problem]:
    if value < schema.get(least, -math.inf):
        yield path, f"must be at least {schema[least]} {unit}".rstrip() + f", got {shown(value)}"
    if value > schema.get(most, math.inf):
        yield path, f"must be at most {schema[most]} {unit}".rstrip() + f", got {shown(value)}"


def from_text(text: str, schema: JsonSchema) -> Any:
    """What a piece of a request stands for: `5` where an integer is wanted is 5. Other text stays text."""
    kind = schema.get("type")
    if kind in ("integer", "number", "boolean"):
        try:
            value = json.loads(text.strip().lower())
        except ValueError:
            return text
        return value if _is(value, kind) else text
    return text


def shown(value: Any) -> str:
    """A value as JSON, short enough for a message."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (TypeError, ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
