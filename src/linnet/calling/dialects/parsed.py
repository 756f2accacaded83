"""What reading a model's text yields: events while it arrives, and `Parsed` for the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from linnet.messages import ToolCall


@dataclass(frozen=True)
class Content:
    """Text for the user, released as soon as it cannot be part of a call."""

    text: str


@dataclass(frozen=True)
class Reasoning:
    """Text of a thinking block."""

    text: str


@dataclass(frozen=True)
class Called:
    """A call that is complete. `repairs` tells what was done to make it one."""

    name: str
    arguments: dict[str, Any]
    id: str = ""
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """Something that began like a call and is none: why, and its text."""

    reason: str
    text: str


Event: TypeAlias = Content | Reasoning | Called | Failed


@dataclass(frozen=True)
class Parsed:
    """A whole text, read. `content` and `reasoning` are stripped; `strategy` says how the calls were found.

    `unknown` are names of called tools that were not offered: such a call is reported and must not be run.
    `guesses` are calls that nobody made for certain (see salvage): never to be run without the caller's say.
    """

    content: str = ""
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    strategy: str = "none"
    failures: tuple[Failed, ...] = ()
    unknown: tuple[str, ...] = ()
    guesses: tuple[ToolCall, ...] = field(default=())

    @property
    def repairs(self) -> tuple[str, ...]:
        """The repairs of all calls, each with the name of its tool."""
        return tuple(f"{call.name}: {told}" for call in self.calls for told in call.repairs)


def gathered(events: Iterable[Event], strategy: str, offered: Iterable[str] | None) -> Parsed:
    """Events of one text -> `Parsed`; `offered` are the names of the tools, None where nobody knows them."""
    content, reasoning, calls, failures = [], [], [], []
    for event in events:
        match event:
            case Content(text):
                content.append(text)
            case Reasoning(text):
                reasoning.append(text)
            case Called(name, arguments, identity, repairs):
                calls.append(ToolCall(name, arguments, identity, "native", repairs))
            case Failed():
                failures.append(event)
    known = None if offered is None else set(offered)
    unknown = dict.fromkeys(call.name for call in calls if known is not None and call.name not in known)
    return Parsed(
        "".join(content).strip(),
        "".join(reasoning).strip(),
        tuple(calls),
        strategy if calls else "none",
        tuple(failures),
        tuple(unknown),
    )
