"""OpenAI's requests as their clients send them -> values. What is not done here is refused or told, never dropped."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from linnet.errors import EmptyRequest, NotOffered, RequestError
from linnet.interfaces.http.answering import Asked
from linnet.interfaces.http.body import passed_over
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall
from linnet.requests import Constraint, Generate, Sampling, Schema, check_size
from linnet.tools import Tool

Json = dict[str, Any]

_AS_USUAL = BeforeValidator(lambda given: None if given == -1 else given)
"""llama-server's clients (llama.vscode) say -1 where they name no number of tokens."""


class Loose(BaseModel):
    """What clients send more than is known here is kept by name, to be told of."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    def model_post_init(self, context: Any, /) -> None:
        if self.model_extra:
            self.__pydantic_extra__ = dict.fromkeys(self.model_extra)


class Part(Loose):
    type: str
    text: str = ""


Content = str | Annotated[list[Part], Field(max_length=LIMITS.request_messages)] | None


class FunctionCall(Loose):
    name: str
    arguments: str = "{}"


class Call(Loose):
    id: str = ""
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(Loose):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content = None
    tool_calls: Annotated[list[Call], Field(max_length=LIMITS.request_tools)] | None = None
    tool_call_id: str = ""
    name: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None


class Function(Loose):
    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class ToolShape(Loose):
    type: Literal["function"] = "function"
    function: Function


class NamedFunction(Loose):
    name: str


class NamedChoice(Loose):
    type: Literal["function"]
    function: NamedFunction


class JsonSchemaFormat(Loose):
    name: str = "answer"
    json_schema: Json | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Loose):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class StreamOptions(Loose):
    include_usage: bool = False


class Drawing(Loose):
    """What requests for words have in common."""

    model: str = "default"
    n: Annotated[int, Field(ge=1, le=LIMITS.choices)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: str | Annotated[list[str], Field(max_length=LIMITS.stops)] | None = None
    seed: int | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    max_tokens: Annotated[Annotated[int, Field(ge=1, le=1 << 31)] | None, _AS_USUAL] = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if not all(given):
            raise RequestError("a stop string is empty", param="stop")
        return tuple(given)

    def sampling(self) -> Sampling:
        """Without a temperature it is greedy; a seed that was not given is drawn, and told."""
        seed = (self.seed or 0) % (1 << 31) if self.seed is not None or not self.temperature else secrets.randbits(31)
        return Sampling(float(self.temperature or 0.0), float(self.top_p or 1.0), self.top_k or 0, seed)

    def not_done(self) -> tuple[str, ...]:
        undone = [name for name in ("presence_penalty", "frequency_penalty", "logit_bias") if getattr(self, name)]
        return (*(f"`{name}` has no effect here" for name in undone), *passed_over(self))


class ChatRequest(Drawing):
    """POST /v1/chat/completions"""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=LIMITS.request_messages)]
    tools: Annotated[list[ToolShape], Field(max_length=LIMITS.request_tools)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1 << 31)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=LIMITS.alternatives)] | None = None
    metadata: Json | None = None
    store: bool | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None

    def asked(self) -> Asked:
        """Raises NotOffered, RequestError, ToolInvalid."""
        if self.top_logprobs is not None and not self.logprobs:
            raise RequestError("`top_logprobs` are told with `logprobs` only", param="top_logprobs")
        messages = read_messages(self.messages)
        last = messages[-1]
        tools = made_tools(self.tools or ())
        choice = self.tool_choice.function.name if isinstance(self.tool_choice, NamedChoice) else self.tool_choice
        own = Generate(
            messages,
            constraint=_constraint(self.response_format),
            sampling=self.sampling(),
            stop=self.stops,
            max_tokens=self.max_completion_tokens or self.max_tokens or LIMITS.answer_tokens,
            continues=last.role == "assistant" and not last.calls,
            alternatives=(self.top_logprobs or 0) if self.logprobs else None,
        )
        parallel = self.parallel_tool_calls is not False
        notes = (*(("the answer was not stored",) if self.store else ()), *self.not_done())
        return Asked(own, tools, checked_choice(choice, tools), parallel, self.n or 1, notes)


class CompletionRequest(Drawing):
    """POST /v1/completions"""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=LIMITS.echoed_prompts)]
    max_tokens: Annotated[Annotated[int, Field(ge=0, le=1 << 31)] | None, _AS_USUAL] = None
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=LIMITS.alternatives)] | None = None
    best_of: Annotated[int, Field(ge=1, le=LIMITS.choices)] | None = None

    @property
    def text(self) -> str:
        return self.texts[0]

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.prompt,) if isinstance(self.prompt, str) else tuple(self.prompt)

    @property
    def judged(self) -> bool:
        """Whether the tokens of the prompts are to be told with their log-probabilities."""
        return bool(self.echo) and self.logprobs is not None


# --- messages ------------------------------------------------------------------------------------


def read_messages(given: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """The conversation. None of it is trusted: control tokens in it are text."""
    names: dict[str, str] = {}
    messages = tuple(_message(message, place, names) for place, message in enumerate(given))
    if not any(message.content.strip() or message.calls for message in messages):
        raise EmptyRequest("no message has any text", hint="Give a message with content.", param="messages")
    return sized(messages)


def sized(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Raises RequestTooLarge before the request stands in the line, and not when its turn has come."""
    check_size(message.content for message in messages)
    return messages


def _message(given: ChatMessage, place: int, names: dict[str, str]) -> Message:
    """`names` collects which tool each call was of: results bring the id alone."""
    content = text_of(given.content, f"messages[{place}].content")
    role: Any = "system" if given.role == "developer" else given.role
    calls = tuple(_call(call, place) for call in given.tool_calls or ()) if role == "assistant" else ()
    names.update({call.id: call.name for call in calls})
    thought = (given.reasoning_content or "") if role == "assistant" else ""
    answered = given.tool_call_id if role == "tool" else ""
    name = names.get(answered, given.name or "") if role == "tool" else ""
    return Message(role, content, calls=calls, reasoning=thought, call_id=answered, name=name)


def _call(given: Call, place: int) -> ToolCall:
    try:
        arguments = json.loads(given.function.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        message = f"messages[{place}].tool_calls: the arguments of {given.function.name[:60]!r} are no JSON object"
        raise RequestError(message, param="messages")
    return ToolCall(given.function.name, arguments, id=given.id)


def text_of(content: Content, place: str) -> str:
    """The text of a message. Raises NotOffered for what is no text."""
    if content is None or isinstance(content, str):
        return content or ""
    other = next((part.type for part in content if part.type not in ("text", "input_text", "output_text")), None)
    if other is not None:
        raise NotOffered(f"{place}: models here take text, not {other[:40]!r}", param=place)
    return "\n".join(part.text for part in content)


# --- tools and forms -----------------------------------------------------------------------------


def made_tools(given: Sequence[ToolShape]) -> tuple[Tool, ...]:
    return unique(
        Tool.from_schema(t.function.name, t.function.description or "", t.function.parameters) for t in given
    )


def unique(tools: Iterator[Tool]) -> tuple[Tool, ...]:
    """Raises RequestError for two of one name."""
    found: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in found:
            raise RequestError(f"two tools are named {tool.name!r}", param="tools")
        found[tool.name] = tool
    return tuple(found.values())


def checked_choice(choice: str | None, tools: Sequence[Tool]) -> str:
    if choice in (None, "auto", "none"):
        return choice or "auto"
    if choice == "required" and tools:
        return choice
    if any(tool.name == choice for tool in tools):
        return str(choice)
    raise RequestError(f"`tool_choice` names {str(choice)[:80]!r}, which is not among the tools", param="tool_choice")


def _constraint(form: ResponseFormat | None) -> Constraint | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return Schema({"type": "object"})
    if form.json_schema is None or form.json_schema.json_schema is None:
        raise RequestError("`response_format` has no `json_schema.schema`", param="response_format")
    return held_schema(form.json_schema.json_schema, "response_format")


def held_schema(schema: Json, place: str) -> Schema:
    """Raises RequestError for a schema that nests too deeply."""
    if deeper(schema, LIMITS.schema_depth):
        limit = LIMITS.schema_depth
        raise RequestError(f"the schema nests deeper than {limit} levels", param=place, limit=limit)
    return Schema(schema)


def deeper(value: Any, levels: int) -> bool:
    """Whether a JSON value nests deeper than so many levels."""
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    return any(deeper(part, levels - 1) for part in (value.values() if isinstance(value, dict) else value))
