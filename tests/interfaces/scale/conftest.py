"""Replicas in this very process, over the engine without a model: what Ray does not add is tested without Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet.interfaces.scale.flow import Lost
from linnet.interfaces.scale.replica import Replica
from linnet.interfaces.scale.routing import placed
from linnet.interfaces.scale.wire import Facts
from linnet.messages import Message
from linnet.requests import Begun, Capabilities, Count, Embed, Request, Segment, Spell
from linnet.runtime.stream import Stream
from linnet.runtime.supervisor import Supervisor
from linnet.script import Action


class Scripted:
    """A Model as a replica has it, that says what its script does."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.begun: list[Begun | None] = []

    capabilities = Capabilities("scripted", 4096, scores=False)

    def original(self) -> str:
        return "0" * 64

    def with_adapter(self, text: str) -> Scripted:
        return Scripted(self.supervisor)

    def close(self) -> None:
        self.supervisor.close()

    def stream(self, request: Request, begun: Begun | None = None) -> Stream:
        self.begun.append(begun)
        if isinstance(request, Embed | Spell):
            return self.supervisor.stream(request)
        prompt = tuple(
            Segment(f"{part.role}: {part.content}\n", False) if isinstance(part, Message) else part
            for part in request.prompt
        )
        plain: dict[str, Any] = {"prompt": prompt, "tools": (), "template_options": {}, "continues": False}
        if not isinstance(request, Count):
            plain["answer_start"] = ""
        return self.supervisor.stream(replace(request, **plain), "", begun)


class Here:
    """Replicas of this process. `fail(chunks)` may end a call after so many chunks, as a death of its replica would;
    `hush` are replicas that say nothing more."""

    def __init__(self, models: dict[str, Scripted]) -> None:
        self.models = models
        self.replicas = {
            name: Replica(lambda model=model: model, lambda name=name: name) for name, model in models.items()
        }
        self.calls: list[str] = []
        self.fails: list[int] = []
        self.hush: set[str] = set()
        self.closed = 0

    async def call(self, call: bytes, key: str, avoid: Collection[str]) -> AsyncGenerator[bytes, None]:
        loads = {name: replica._ongoing for name, replica in self.replicas.items()}
        name = placed(key, loads, avoid)[0]
        self.calls.append(name)
        left = self.fails.pop(0) if self.fails else -1
        answer = self.replicas[name].answer(call)
        try:
            async for chunk in answer:
                if left == 0:
                    raise Lost("ActorDiedError")
                yield chunk
                if name in self.hush:
                    await asyncio.sleep(3_600)
                left -= chunk != b"[]"
        finally:
            self.closed += 1
            await answer.aclose()

    def facts(self) -> Facts:
        return Facts({"": Scripted.capabilities}, {"": "0" * 64})

    def idle(self, seconds: float = 60.0) -> bool:
        """Whether nothing runs in any engine, within so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not any(model.supervisor._tickets for model in self.models.values()):
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def here(scripted: Callable[..., Supervisor]) -> Iterator[Callable[..., Here]]:
    """`here(action, ..., replicas=2, ...)`"""
    made: list[Here] = []

    def make(*actions: Action, replicas: int = 2, **script: Any) -> Here:
        made.append(Here({f"r{i}": Scripted(scripted(*actions, **script)) for i in range(replicas)}))
        return made[-1]

    yield make
    for one in made:
        for replica in one.replicas.values():
            replica.close()
