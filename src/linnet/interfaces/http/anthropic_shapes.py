"""Anthropic's requests as their clients send them -> values: blocks become messages, and so does each result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from linnet.errors import EmptyRequest, NotOffered, RequestError
from linnet.interfaces.http.answering import Asked
from linnet.interfaces.http.body import passed_over
from linnet.interfaces.http.openai_shapes import Json, Loose, checked_choice, sized, unique
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall
from linnet.requests import Generate, Sampling
from linnet.tools import Tool


class Block(Loose):
    """One of any kind; which fields it has goes by its type."""

    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: Json | None = None
    tool_use_id: str = ""
    content: Any = None
    is_error: bool | None = None
    thinking: str = ""


Blocks = Annotated[list[Block], Field(max_length=LIMITS.request_messages)]


class Turn(Loose):
    role: Literal["user", "assistant"]
    content: str | Blocks


class ToolShape(Loose):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: Json | None = None


class Choice(Loose):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class CountRequest(Loose):
    """POST /v1/messages/count_tokens"""

    model: str = "default"
    messages: Annotated[list[Turn], Field(min_length=1, max_length=LIMITS.request_messages)]
    system: str | Blocks | None = None
    tools: Annotated[list[ToolShape], Field(max_length=LIMITS.request_tools)] | None = None
    tool_choice: Choice | None = None

    def conversation(self) -> tuple[Message, ...]:
        """None of it is trusted. Raises NotOffered for what is no text, EmptyRequest where there is none."""
        system = _texts(self.system or "", "system")
        said = [
            message for place, turn in enumerate(self.messages) for message in _messages(turn, f"messages[{place}]")
        ]
        if not any(message.content.strip() or message.calls for message in said):
            raise EmptyRequest("no message has any text", hint="Give a message with content.", param="messages")
        return sized((*((Message("system", system),) if system.strip() else ()), *_named(said)))


class MessagesRequest(CountRequest):
    """POST /v1/messages"""

    max_tokens: Annotated[int, Field(ge=1, le=1 << 31)]
    stop_sequences: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=LIMITS.stops)] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    metadata: Json | None = None
    service_tier: str | None = None

    def asked(self) -> Asked:
        messages = self.conversation()
        last = messages[-1]
        tools = self._tools()
        choice = self.tool_choice or Choice(type="auto")
        own = Generate(
            messages,
            sampling=Sampling(float(self.temperature or 0.0), float(self.top_p or 1.0), self.top_k or 0),
            stop=tuple(self.stop_sequences or ()),
            max_tokens=self.max_tokens,
            continues=last.role == "assistant" and not last.calls,
        )
        wanted = {"any": "required", "tool": choice.name or ""}.get(choice.type, choice.type)
        parallel = not choice.disable_parallel_tool_use
        return Asked(own, tools, checked_choice(wanted, tools), parallel, notes=passed_over(self))

    def _tools(self) -> tuple[Tool, ...]:
        given = self.tools or []
        other = next((tool.type for tool in given if tool.type not in (None, "custom")), None)
        if other is not None:
            raise NotOffered(f"tools of the type {other[:60]!r} run on Anthropic's servers only", param="tools")
        return unique(Tool.from_schema(tool.name, tool.description or "", tool.input_schema) for tool in given)


def _messages(turn: Turn, place: str) -> Iterator[Message]:
    """Results first, each a message of its own, and then what is said beside them."""
    if isinstance(turn.content, str):
        yield Message(turn.role, turn.content)
        return
    for block in turn.content:
        if block.type == "tool_result":
            content = block.content if isinstance(block.content, str) else _texts(_blocks(block, place), place)
            told = json.dumps({"error": content}) if block.is_error else content
            yield Message("tool", told, call_id=block.tool_use_id)
    rest = [block for block in turn.content if block.type not in ("tool_result", "tool_use", "thinking")]
    calls = tuple(ToolCall(b.name, b.input or {}, id=b.id) for b in turn.content if b.type == "tool_use")
    thought = "".join(block.thinking for block in turn.content if block.type == "thinking")
    if rest or calls or thought:
        yield Message(turn.role, _texts(rest, place), calls=calls, reasoning=thought)


def _blocks(block: Block, place: str) -> list[Block]:
    given = block.content or []
    if not isinstance(given, list) or not all(isinstance(one, dict) and "type" in one for one in given):
        raise RequestError(f"{place}: the content of a tool_result is a text or a list of blocks", param=place)
    texts = [one.get("text", "") for one in given]
    if not all(isinstance(text, str) for text in texts):
        raise RequestError(f"{place}: the text of a block is no text", param=place)
    return [Block(type=str(one["type"]), text=text) for one, text in zip(given, texts, strict=True)]


def _texts(given: str | list[Block], place: str) -> str:
    if isinstance(given, str):
        return given
    other = next((block.type for block in given if block.type != "text"), None)
    if other is not None:
        raise NotOffered(f"{place}: models here take text, not {other[:40]!r}", param=place)
    return "\n".join(block.text for block in given)


def _named(said: list[Message]) -> Iterator[Message]:
    """Each result with the name of its call."""
    names: dict[str, str] = {}
    for message in said:
        names.update({call.id: call.name for call in message.calls})
        if message.role == "tool":
            yield Message("tool", message.content, call_id=message.call_id, name=names.get(message.call_id, ""))
        else:
            yield message
