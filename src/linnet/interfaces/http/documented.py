"""What /openapi.json says of a path whose body is read by `linnet.interfaces.http.body`, and not by FastAPI."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

_TOLD = {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}}
_ERROR = {"type": "object", "properties": {"error": _TOLD}, "required": ["error"]}


def documented(
    shape: type[BaseModel] | None, summary: str, *, streams: bool = False, media: str = "application/json"
) -> dict[str, Any]:
    """Keywords for a route: its request body, and answers by status."""
    good: dict[str, Any] = {"description": "The answer", "content": {media: {}}}
    if streams:
        good["content"]["text/event-stream"] = {}
    bad = {"description": "An error", "content": {"application/json": {"schema": _ERROR}}}
    extra: dict[str, Any] = {"responses": {"200": good, "2XX": good, "4XX": bad, "5XX": bad}}
    if shape is not None:
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": _schema(shape)}}}
    kind = JSONResponse if media == "application/json" else PlainTextResponse
    return {"summary": summary, "openapi_extra": extra, "response_model": None, "response_class": kind}


@cache
def _schema(shape: type[BaseModel]) -> dict[str, Any]:
    """Written out without references, which would have to stand at the document's root."""
    whole = shape.model_json_schema(by_alias=True)
    named = whole.pop("$defs", {})
    written = _inlined(whole, named)
    assert isinstance(written, dict)
    return written


def _inlined(node: Any, named: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(part, named) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(named[node["$ref"].rpartition("/")[2]], named)
    return {key: _inlined(value, named) for key, value in node.items()}
