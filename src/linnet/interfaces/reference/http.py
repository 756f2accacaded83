"""The paths of the server with what a request may hold, from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from linnet.agent.agent import Agent
from linnet.interfaces.http.app import application
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.service import Service
from linnet.interfaces.reference.markdown import code, page, table
from linnet.requests import Model


def http() -> str:
    """The page of the HTTP API."""
    about = (
        "What `GET /openapi.json` of `linnet serve` says, in short. [The HTTP API](../http.md) tells how it behaves; "
        "a wrong request is answered with one of the [errors](errors.md)."
    )
    rows = [(code(f"{method} {path}"), one.get("summary", "")) for method, path, one in _operations()]
    bodies = [_body(method, path, one) for method, path, one in _operations()]
    return page("HTTP", about, table(("path", "what it is"), rows), *bodies)


def document() -> dict[str, Any]:
    """The OpenAPI document, of a server that has no model and is asked nothing."""

    def nobody(*_: object) -> Agent:
        raise NotImplementedError

    return application(Service({"default": cast(Model, None)}), Door(), nobody).openapi()


def _operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _body(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """The fields of a request's body, and those in the path; nothing where it has neither."""
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    required = schema.get("required", ())
    rows = [
        (code(one["name"]), one["in"], _type(one.get("schema", {})), "required" if one.get("required") else "", "")
        for one in operation.get("parameters", ())
    ]
    rows += [
        (code(name), "body", _type(one), _default(name, one, required), one.get("description", ""))
        for name, one in schema.get("properties", {}).items()
    ]
    if not rows:
        return ""
    return f"## {method} {path}\n\n{table(('field', 'in', 'type', 'default', 'what it is'), rows)}"


def _type(schema: Mapping[str, Any]) -> str:
    """In a few words: deeper levels are in the document."""
    if "enum" in schema or "const" in schema:
        return " or ".join(code(one) for one in schema.get("enum", [schema.get("const")]))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            kinds = dict.fromkeys(_type(one) for one in schema[key] if one.get("type") != "null")
            return " or ".join(kinds)
    kind = str(schema.get("type", "any"))
    return f"list of {_type(schema.get('items', {}))}" if kind == "array" else kind


def _default(name: str, schema: Mapping[str, Any], required: Any) -> str:
    if name in required:
        return "required"
    return "" if schema.get("default") in (None, [], {}) else code(schema["default"])
