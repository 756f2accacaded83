"""Requests that are costly to read, by draw: nested, repeated, of one character, or with code in a template."""

from __future__ import annotations

import random
from typing import Any

Json = dict[str, Any]
CHAT = "/v1/chat/completions"
SHORT = {"max_tokens": 2}

DEPTHS = (8, 31, 33, 63, 65, 200, 2_000, 20_000)

CHARACTERS = (
    "a",
    "0",
    " ",
    "\n",
    "\t",
    "'",
    "-",
    "{",
    "é",
    "漢",
    "\U0001f600",
    "ab",
    "1a",
    "\u0301",
    "<|",
    "\r\n",
    "\0",
    "\u200b",
)

PATTERNS = (
    "(a{1000}){1000}", "^(a{1000}){1000}$", "((a{1,100}){1,100}){1,100}", "(a|aa)+$", "(a*)*b", "((((a+)+)+)+)+c",
    "[a-z]{1,65535}", "(.{1,99}){1,99}", r"(\w{200}\s){200}", "(?:x?){9999}", "(a|b|ab|ba){500}", ".*.*.*.*.*.*.*x",
    "(([0-9]{1,30}\\.){1,30}){1,30}", "[^a]{5000}", "(" * 400 + "a" + ")" * 400, "a{0,4294967295}",
    "(ab{1,9}){1,9999}",
)  # fmt: skip


def nested(draw: random.Random) -> tuple[str, str, bytes | Json]:
    """Name, path and body."""
    kind = draw.choice(("json", "schema", "tool", "pattern", "pattern", "wide", "cycle", "all of", "many tools"))
    depth = draw.choice(DEPTHS)
    if kind == "json":
        return f"JSON {depth} deep", *_raw(draw, depth)
    schema = _schema(draw, kind, depth)
    where = draw.choice(("form", "tool", "anthropic", "responses"))
    return f"{kind} {depth} as {where}", *_placed(where, schema)


def _raw(draw: random.Random, depth: int) -> tuple[str, bytes]:
    opening, closing = draw.choice(
        (("[", "]"), ('{"a":', "}"), ('[{"a":[', "]}]"), ('{"type":"array","items":', "}"))
    )
    value = opening * depth + "1" + closing * draw.choice((depth, depth - 1))
    field = draw.choice(("metadata", "tools", "response_format", "messages", "logit_bias"))
    path = draw.choice((CHAT, "/v1/messages", "/v1/responses", "/infill", "/v1/embeddings"))
    text = '"messages":[{"role":"user","content":"Hi"}],"max_tokens":2,'
    return path, f'{{{text if field != "messages" else ""}"{field}":{value}}}'.encode()


def _schema(draw: random.Random, kind: str, depth: int) -> Json:
    leaf: Json = {"type": "string"}
    if kind == "pattern":
        return _object({"a": {**leaf, "pattern": draw.choice(PATTERNS)}})
    if kind == "wide":
        many = min(depth, 5_000)
        value = {"enum": [f"v{i}" for i in range(many)]}
        return _object(
            draw.choice(({"a": value}, {f"p{i}": leaf for i in range(many)}, {"a": {"const": "x" * depth}}))
        )
    if kind == "cycle":
        refers = {"$ref": draw.choice(("#", "#/$defs/a", "#/properties/a", "#/$defs/none"))}
        return {
            **_object({"a": refers, "b": {"type": "array", "items": refers}}),
            "$defs": {"a": _object({"c": refers})},
        }
    if kind == "all of":
        both = {"anyOf": [leaf, {"type": "integer"}, {"type": "null"}]}
        return _object({f"a{i}": {"allOf": [both] * min(depth, 40)} for i in range(20)})
    deep = leaf
    for _ in range(min(depth, 300)):
        deep = _object({"a": deep}) if draw.random() < 0.5 else {"type": "array", "items": deep}
    return _object({"a": deep})


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)[:1]}


def _placed(where: str, schema: Json) -> tuple[str, Json]:
    messages = [{"role": "user", "content": "Call it with a."}]
    if where == "form":
        form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
        return CHAT, {"messages": messages, "response_format": form, **SHORT}
    if where == "tool":
        made = {"type": "function", "function": {"name": "t", "description": "d", "parameters": schema}}
        return CHAT, {"messages": messages, "tools": [made], "tool_choice": "required", **SHORT}
    if where == "anthropic":
        made = {"name": "t", "description": "d", "input_schema": schema}
        return "/v1/messages", {"messages": messages, "tools": [made], "tool_choice": {"type": "any"}, **SHORT}
    form = {"format": {"type": "json_schema", "name": "f", "schema": schema}}
    return "/v1/responses", {"input": "Call it.", "text": form, "max_output_tokens": 2}


def run_of_one(draw: random.Random) -> tuple[str, str, Json]:
    """Name, path and body."""
    one, many = draw.choice(CHARACTERS), draw.choice((1_000, 10_000, 100_000, 400_000))
    text = one * (many // len(one))
    name = f"{many:,} of {one!r}"
    tool = {"type": "function", "function": {"name": "t", "description": text, "parameters": {"type": "object"}}}
    user = [{"role": "user", "content": text}]
    hi = [{"role": "user", "content": "Hi"}]
    path, body = draw.choice(
        (
            (CHAT, {"messages": user, **SHORT}),
            (CHAT, {"messages": [{"role": "system", "content": text}, *hi], **SHORT}),
            (CHAT, {"messages": hi, "tools": [tool], **SHORT}),
            (CHAT, {"messages": hi, "stop": [text], **SHORT}),
            ("/v1/messages", {"messages": user, **SHORT}),
            ("/v1/messages/count_tokens", {"messages": user}),
            ("/v1/completions", {"prompt": text, **SHORT}),
            ("/v1/responses", {"input": text, "max_output_tokens": 2}),
            ("/infill", {"input_prefix": text, "input_suffix": text, "prompt": "", "n_predict": 2}),
            ("/v1/embeddings", {"input": text[:50_000]}),  # each 512 tokens of it are honest work
            ("/v1/agent/runs", {"text": text, "stream": True}),
        )
    )
    return f"{name} to {path}", path, body


STARTS = ("''", "[]", "messages", "cycler", "namespace()", "self", "lipsum", "range(1)")
ATTRIBUTES = ("__class__", "__mro__", "__subclasses__()", "__globals__", "__init__", "__base__", "__builtins__")


def template(draw: random.Random, canary: str) -> str:
    """A chat template with code in it."""
    first, second = draw.sample(ATTRIBUTES, 2)
    start = draw.choice(STARTS)
    return draw.choice(
        (
            f"{{{{ {start}.{first}.{second} }}}}",
            f"{{{{ {start}|attr('{first}')|attr('{second}') }}}}",
            f"{{% set x = {start}.{first} %}}{{{{ x.__import__('os').system('touch {canary}') }}}}",
            f"{{% for y in {start}.{first} %}}{{{{ y.{second} }}}}{{% endfor %}}",
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        )
    )
