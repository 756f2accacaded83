"""Requests to OpenAI's Responses -> values: items become messages. Nothing is stored, so that nothing can be gone on
from but what the request brings itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from linnet.errors import EmptyRequest, NotOffered, RequestError
from linnet.interfaces.http.answering import Asked
from linnet.interfaces.http.body import passed_over
from linnet.interfaces.http.openai_shapes import (
    Content,
    Json,
    Loose,
    checked_choice,
    held_schema,
    sized,
    text_of,
    unique,
)
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall
from linnet.requests import Constraint, Generate, Sampling, Schema
from linnet.tools import Tool


class Item(Loose):
    """One of any kind; which fields it has goes by its type, and one with a role alone is a message."""

    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Content = None
    call_id: str = ""
    name: str = ""
    arguments: str = "{}"
    output: Content = None


class ToolShape(Loose):
    type: str
    name: str = ""
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class NamedChoice(Loose):
    type: Literal["function"]
    name: str


class Format(Loose):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    form: Json | None = Field(None, alias="schema")
    strict: bool | None = None


class Text(Loose):
    format: Format | None = None
    verbosity: str | None = None


class ResponsesRequest(Loose):
    """POST /v1/responses"""

    model: str = "default"
    input: str | Annotated[list[Item], Field(min_length=1, max_length=LIMITS.request_messages)]
    instructions: str | None = None
    tools: Annotated[list[ToolShape], Field(max_length=LIMITS.request_tools)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=1 << 31)] | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    metadata: Json | None = None
    user: str | None = None
    service_tier: str | None = None
    truncation: Literal["auto", "disabled"] | None = None
    include: list[str] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    stream_options: Json | None = None

    def asked(self) -> Asked:
        """Raises NotOffered for what would need a store, and for tools that run elsewhere."""
        for name in ("previous_response_id", "conversation", "background"):
            if getattr(self, name):
                raise NotOffered(f"`{name}` needs answers to be stored, and none is on this server", param=name)
        messages = self._messages()
        last = messages[-1]
        tools = self._tools()
        choice = self.tool_choice.name if isinstance(self.tool_choice, NamedChoice) else self.tool_choice
        own = Generate(
            messages,
            constraint=self._constraint(),
            sampling=Sampling(float(self.temperature or 0.0), float(self.top_p or 1.0)),
            max_tokens=self.max_output_tokens or LIMITS.answer_tokens,
            continues=last.role == "assistant" and not last.calls,
        )
        parallel = self.parallel_tool_calls is not False
        return Asked(own, tools, checked_choice(choice, tools), parallel, notes=self._notes())

    def _notes(self) -> tuple[str, ...]:
        stored = ("the answer was not stored",) if self.store else ()
        cut = ("`truncation` has no effect: a conversation that does not fit is refused",)
        return (*stored, *(cut if self.truncation == "auto" else ()), *passed_over(self))

    def _messages(self) -> tuple[Message, ...]:
        own = (Message("system", self.instructions),) if self.instructions else ()
        items = [Item(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        said = tuple(_said(items))
        if not any(message.content.strip() or message.calls for message in said):
            raise EmptyRequest("no item has any text", hint="Give an input with text.", param="input")
        return sized((*own, *said))

    def _tools(self) -> tuple[Tool, ...]:
        given = self.tools or []
        other = next((tool.type for tool in given if tool.type != "function"), None)
        if other is not None:
            raise NotOffered(f"tools of the type {other[:60]!r} run on OpenAI's servers only", param="tools")
        return unique(Tool.from_schema(tool.name, tool.description or "", tool.parameters) for tool in given)

    def _constraint(self) -> Constraint | None:
        form = self.text.format if self.text else None
        if form is None or form.type == "text":
            return None
        if form.type == "json_object":
            return Schema({"type": "object"})
        if form.form is None:
            raise RequestError("`text.format` has no `schema`", param="text.format")
        return held_schema(form.form, "text.format")


def _said(items: list[Item]) -> Iterator[Message]:
    """Calls that stand side by side are one message's; thoughts of other models are left out."""
    calls: list[ToolCall] = []
    names: dict[str, str] = {}
    for place, item in enumerate(items):
        where = f"input[{place}]"
        if item.type == "function_call":
            calls.append(ToolCall(item.name, _arguments(item, where), id=item.call_id))
            names[item.call_id] = item.name
            continue
        if calls:
            yield Message("assistant", "", calls=tuple(calls))
            calls = []
        if item.type == "function_call_output":
            yield Message("tool", text_of(item.output, where), call_id=item.call_id, name=names.get(item.call_id, ""))
        elif item.type == "message" and item.role is not None:
            role: Any = "system" if item.role == "developer" else item.role
            yield Message(role, text_of(item.content, where))
        elif item.type != "reasoning":
            raise NotOffered(f"{where}: items of the type {item.type[:40]!r} are not known here", param=where)
    if calls:
        yield Message("assistant", "", calls=tuple(calls))


def _arguments(item: Item, where: str) -> Json:
    try:
        value = json.loads(item.arguments or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RequestError(f"{where}: the arguments of {item.name[:60]!r} are no JSON object", param=where)
    return value
