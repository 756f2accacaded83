"""A conversation as OpenAI's JSON has it: what may be sent, how many tokens it may be, and ids for its calls."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from linnet.errors import EmptyRequest, RemoteUnsupported
from linnet.messages import Message, ToolCall
from linnet.requests import Count, Prompted, check_size


def spoken(request: Prompted) -> tuple[Message, ...]:
    """The conversation. Raises for a prompt that is rendered already, is begun, is empty or is too large."""
    messages = tuple(part for part in request.prompt if isinstance(part, Message))
    if len(messages) < len(request.prompt):
        raise RemoteUnsupported("a server is asked in messages: a rendered prompt is in one model's own marks")
    if request.continues or (not isinstance(request, Count) and request.answer_start):
        raise RemoteUnsupported("a chat server does not continue an answer that the caller has begun")
    beside = [
        json.dumps([call.arguments for call in m.calls], default=str) + m.reasoning for m in messages if m.calls
    ]
    told = [json.dumps([tool.name, tool.description, tool.parameters]) for tool in request.tools]
    if not check_size((*(message.content for message in messages), *beside, *told)):
        raise EmptyRequest("the prompt holds no text")
    return messages


def estimated(request: Prompted) -> int:
    """Tokens, rather too many: a third of the ASCII characters, two for any other, some for each message."""
    texts = [part.content if isinstance(part, Message) else part.text for part in request.prompt]
    texts += [json.dumps([tool.name, tool.description, tool.parameters]) for tool in request.tools]
    plain = sum(letter.isascii() for text in texts for letter in text)
    return math.ceil(plain / 3) + 2 * (sum(map(len, texts)) - plain) + 6 * len(texts)


def on_the_line(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages, each call with an id; a result without one answers the oldest call that is open."""
    told: list[dict[str, Any]] = []
    waiting: list[str] = []
    made = 0
    for message in messages:
        one: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.calls:
            ids = [call.id or f"call_{made + n}" for n, call in enumerate(message.calls)]
            made += len(ids)
            waiting = [*waiting, *ids]
            one["tool_calls"] = [_call(call, name) for call, name in zip(message.calls, ids, strict=True)]
        if message.role == "tool":
            answered = message.call_id or (waiting[0] if waiting else "call_0")
            waiting = [name for name in waiting if name != answered]
            one["tool_call_id"] = answered
        told.append(one)
    return told


def _call(call: ToolCall, name: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": name, "type": "function", "function": function}
