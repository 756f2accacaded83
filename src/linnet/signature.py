"""What a Python function asks for: its parameters as JSON Schema, and JSON arguments as its keywords.

Hides pydantic, one adapter a parameter (so that names like `schema` or `_x` clash with nothing), and the
two usual ways to describe parameters in a docstring.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from linnet.errors import ToolInvalid
from linnet.schema import JsonSchema, Problem, plain, shown

_NONE = inspect.Parameter.empty


class _Writer(GenerateJsonSchema):
    """Pydantic's own writer, without the two types that it writes as what they are not."""

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        return self.handle_invalid_for_json_schema(schema, "complex number")

    def is_subclass_schema(self, schema: core_schema.IsSubclassSchema) -> JsonSchemaValue:
        return self.handle_invalid_for_json_schema(schema, "class")


@dataclass(frozen=True)
class Parameter:
    """One parameter: how its JSON is read, and its default (`Parameter.empty` of inspect when required)."""

    adapter: TypeAdapter[Any]
    default: Any

    @property
    def required(self) -> bool:
        return self.default is _NONE

    def written(self, value: Any) -> Any:
        return self.adapter.dump_python(value, mode="json")


@dataclass(frozen=True)
class Signature:
    """`schema` is plain (see linnet.schema); `summary` is the first paragraph of the docstring."""

    schema: JsonSchema
    summary: str
    parameters: Mapping[str, Parameter]

    @classmethod
    def of(cls, function: Callable[..., Any], tool: str) -> Signature:
        """Raises ToolInvalid naming the parameter, and its type when there is no JSON for it."""
        described = _described(inspect.getdoc(function) or "")
        parameters, properties = {}, {}
        for parameter, annotation in _annotated(function, tool):
            name = parameter.name
            parameters[name], own = _read(parameter, annotation, tool)
            beside = {"description": described[name]} if name in described else {}
            properties[name] = beside | own
        required = [name for name, parameter in parameters.items() if parameter.required]
        schema = plain({"properties": properties, "required": required}, tool)
        return cls(schema, _summary(inspect.getdoc(function) or ""), parameters)

    def bind(self, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """The keywords for the call, in the function's own types, and what is wrong with the arguments."""
        keywords: dict[str, Any] = {}
        wrong: list[Problem] = []
        for name, value in arguments.items():
            if name not in self.parameters:
                wrong.append((name, f"is not known here; known are {', '.join(self.parameters) or 'none'}"))
                continue
            try:
                keywords[name] = self.parameters[name].adapter.validate_json(_json(value), strict=True)
            except ValidationError as error:
                wrong += _told(name, error)
            except (TypeError, ValueError, RecursionError):
                wrong.append((name, f"must be a JSON value, got {shown(value)}"))
        missing = [n for n, p in self.parameters.items() if p.required and n not in arguments]
        return keywords, wrong + [(name, "is missing") for name in missing]

    def written(self, keywords: Mapping[str, Any]) -> dict[str, Any]:
        """Keywords as JSON values, defaults filled in, in the order of the signature; a default of None, and
        None where it is the default, is left out."""
        full = {name: keywords.get(name, p.default) for name, p in self.parameters.items()}
        given = {n: v for n, v in full.items() if v is not None or self.parameters[n].default is not None}
        return {name: self.parameters[name].written(value) for name, value in given.items()}


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _told(name: str, error: ValidationError) -> Iterator[Problem]:
    for part in error.errors(include_url=False, include_context=False):
        steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in part["loc"]]
        reason = part["msg"].replace("Input should", "must")
        yield name + "".join(steps), f"{reason[0].lower()}{reason[1:]}, got {shown(part['input'])}"


# --- reading a function --------------------------------------------------------------------------


def _annotated(function: Callable[..., Any], tool: str) -> Iterator[tuple[inspect.Parameter, Any]]:
    if not inspect.isroutine(function):
        raise ToolInvalid(f"tool {tool!r} is made from a {type(function).__name__}, not from a function")
    try:
        parameters = inspect.signature(function).parameters.values()
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError, SyntaxError) as error:
        raise ToolInvalid(f"tool {tool!r}: the annotations cannot be read: {error}") from error
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolInvalid(
                f"tool {tool!r}: parameter {parameter} is {parameter.kind.description}; "
                "only parameters that take a keyword can be filled",
                parameter=parameter.name,
            )
        if parameter.name not in hints:
            raise ToolInvalid(f"tool {tool!r}: parameter {parameter.name!r} has no type", parameter=parameter.name)
        yield parameter, hints[parameter.name]


def _read(parameter: inspect.Parameter, annotation: Any, tool: str) -> tuple[Parameter, JsonSchema]:
    name, default = parameter.name, parameter.default
    where = f"tool {tool!r}: parameter {name!r} of type {inspect.formatannotation(annotation)}"
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation if default is not None else annotation | None)
        own = adapter.json_schema(schema_generator=_Writer)
    except (PydanticUserError, TypeError) as error:
        raise ToolInvalid(f"{where} has no JSON form", parameter=name) from error
    own = plain({"$defs": own.pop("$defs", {}), "properties": {name: own}}, tool)["properties"][name]
    if own.get("type") == "null":
        raise ToolInvalid(f"{where} can be nothing but null", parameter=name)
    if default is not _NONE and default is not None:
        own["default"] = _default(adapter, default, where, name)
    return Parameter(adapter, default), own


def _default(adapter: TypeAdapter[Any], default: Any, where: str, name: str) -> Any:
    try:
        adapter.validate_python(default, strict=True)
        return adapter.dump_python(default, mode="json")
    except ValueError as error:
        raise ToolInvalid(f"{where} has the default {default!r}, which does not fit", parameter=name) from error


_SECTION = re.compile(r"\s*(?:args|arguments|parameters|params):\s*$", re.IGNORECASE)
_FIELD = re.compile(r"\s*:(\w+)\b[^:]*:")
_GOOGLE = re.compile(r"(\s+)\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")
_REST = re.compile(r"\s*:param\s+(?:[^:]*\s)?(\w+):\s*(.*)")


def _summary(docstring: str) -> str:
    """The first paragraph, as one line."""
    lines: list[str] = []
    for line in docstring.strip().splitlines():
        if not line.strip() or _SECTION.match(line) or _FIELD.match(line):
            break
        lines.append(line.strip())
    return " ".join(lines)


def _described(docstring: str) -> dict[str, str]:
    """What the docstring says of each parameter, in Google style (`Args:`) or reST (`:param x:`)."""
    lines = docstring.splitlines()
    return {name: " ".join(text.split()) for name, text in (*_google(lines), *_rest(lines))}


def _google(lines: list[str]) -> Iterator[tuple[str, str]]:
    start = next((i + 1 for i, line in enumerate(lines) if _SECTION.match(line)), len(lines))
    margin, name, text = "", "", ""
    for line in lines[start:]:
        entry = _GOOGLE.match(line)
        if line.strip() and not line.startswith(margin or " "):
            break
        if entry and (not margin or entry[1] == margin):
            if name:
                yield name, text
            margin, name, text = entry[1], entry[2], entry[3]
        else:
            text += f" {line}"
    if name:
        yield name, text


def _rest(lines: list[str]) -> Iterator[tuple[str, str]]:
    name, text = "", ""
    for line in [*lines, ""]:
        if name and (not line.strip() or _FIELD.match(line)):
            yield name, text
            name = ""
        if entry := _REST.match(line):
            name, text = entry[1], entry[2]
        elif name:
            text += f" {line}"
