"""What is said in a conversation, as frozen values: messages, tool calls, their results, and steps; and what a
model is told of a tool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from linnet.usage import Usage

STRICT = ConfigDict(extra="forbid")

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, config=STRICT)
class ToolSpec:
    """What a model is told of a tool. `parameters` is the JSON Schema of an object."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, config=STRICT)
class ToolCall:
    """A call that a rule or a model decided on. `how` says which: `rule`, `evidence` (what the request says
    settled it, and the model was not asked), `model` or `native`.

    `repairs` lists, in words, every change made between what was produced and what is called.
    """

    name: str
    arguments: dict[str, Any]
    id: str = ""
    how: str = "model"
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, config=STRICT)
class ToolResult:
    """The outcome of one call: a JSON value, or the described error; `seconds` of wall time."""

    call: ToolCall
    value: Any = None
    error: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error is None


@dataclass(frozen=True, config=STRICT)
class Message:
    """One turn. `trusted` is false for all text that Linnet or its operator did not write.

    An assistant's `calls` and `reasoning` stand beside its content, and are never trusted. A tool's message is
    the result of one call: `call_id` and `name` say of which; without an id, of the oldest one that is open.
    """

    role: Role
    content: str
    trusted: bool = False
    calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, config=STRICT)
class Step:
    """One thing that was done for an answer: `kind` such as route, choose, fill, tool, answer.

    `start` is in seconds since the work began that it is a step of: the turn, for a step of a Result. A step that is
    listed before another and lies within its time is a part of it, whose `seconds` and `usage` contain its own.
    """

    kind: str
    detail: str
    seconds: float = 0.0
    data: dict[str, Any] = Field(default_factory=dict)
    start: float = 0.0
    usage: Usage = Usage()

    def later(self, seconds: float) -> Step:
        """The same as a step of work that began so much earlier."""
        return replace(self, start=self.start + seconds)
