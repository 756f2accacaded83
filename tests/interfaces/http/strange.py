"""Bodies that no client sends, by seed: right ones with something changed, and bytes that are none."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

PARAMETERS = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "t", "description": "d", "parameters": PARAMETERS}}
TEXT = {"type": "text", "text": "Hi"}
RIGHT: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "default", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "tools": [TOOL],
        "tool_choice": "auto", "stop": ["x"], "temperature": 0.5, "seed": 1, "n": 1, "stream": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "boolean"}}},
    },
    "/v1/completions": {"model": "default", "prompt": "Hi", "max_tokens": 2, "n": 1, "echo": False},
    "/v1/messages": {
        "model": "default", "messages": [{"role": "user", "content": [TEXT]}], "max_tokens": 2,
        "system": "s", "tools": [{"name": "t", "description": "d", "input_schema": {"type": "object"}}],
    },
    "/v1/messages/count_tokens": {"model": "default", "messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {
        "model": "default", "input": [{"role": "user", "content": "Hi"}], "max_output_tokens": 2,
        "text": {"format": {"type": "text"}}, "tools": [{"type": "function", "name": "t", "parameters": {}}],
    },
    "/infill": {"input_prefix": "a", "input_suffix": "b", "prompt": "c", "n_predict": 2, "input_extra": [TEXT]},
    "/completion": {"prompt": "Hi", "n_predict": 2, "temperature": 0},
    "/v1/embeddings": {"model": "default", "input": "Hi"},
    "/v1/agent/runs": {"text": "What is 2 + 2?", "history": [{"role": "user", "content": "Hi"}]},
}  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2, 1 << 63, -(1 << 70), 1e308, 0.1, "", " ", "x", "default", "\0", "<|im_end|>",
    "𐍈" * 9, [], {}, [[]], [None], ["x"], {"": ""}, {"type": "object"}, {"role": "user"},
    [{"role": "tool", "content": "x"}],
    {"type": "text"}, {"type": "function"}, [{"type": "text", "text": None}], "\u2028", {"$ref": "#"},
    {"a": {"b": [1]}},
]  # fmt: skip
RAW = [b"", b"{", b"null", b"[" * 70, b"\xff\xfe", b'{"a":1}{"b":2}',
       b'{"messages":[{"role":"user","content":"\\ud800"}]}',
       b'{"n":1e999}', b'{"n":NaN}', b'{"a":1,"a":2}', b"9" * 5_000, b'"x"']  # fmt: skip


def bodies(seed: int, count: int) -> list[tuple[str, bytes]]:
    """`(path, body)`; what is asked for is short, so that each is answered at once."""
    rng = random.Random(seed)
    return [one(rng) for _ in range(count)]


def one(rng: random.Random) -> tuple[str, bytes]:
    path = rng.choice(list(RIGHT))
    if rng.random() < 0.1:
        return path, rng.choice(RAW) if rng.random() < 0.6 else rng.randbytes(rng.randint(1, 60))
    body = json.loads(json.dumps(RIGHT[path]))
    for _ in range(rng.randint(1, 3)):
        change(rng, body)
    return path, json.dumps(body).encode()


def change(rng: random.Random, value: Any) -> None:
    """Something in it is other, gone, or new; how much is to be said stays as it is."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        below = [key for key in keys if isinstance(value[key], dict | list) and value[key]]
        if below and rng.random() < 0.6:
            value = value[rng.choice(below)]
            continue
        key = rng.choice(keys) if keys else None
        if key in ("max_tokens", "n_predict", "max_output_tokens"):
            return
        if key is not None and rng.random() < 0.25:
            del value[key]
        elif key is not None and rng.random() < 0.8:
            value[key] = odd(rng)
        elif isinstance(value, dict):
            value[rng.choice(("x", "type", "name", "content", "stream", "n", "logprobs"))] = odd(rng)
        else:
            value.append(odd(rng))
        return


def odd(rng: random.Random) -> Any:
    return deepcopy(rng.choice(ODD))
