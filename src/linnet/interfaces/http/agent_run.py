"""AgentRun: one turn of a server's own agent, what happens in it, and who decides on its calls.

The agent asks for permission in the thread of its turn, and waits there; whoever watches the run answers from the
event loop. What happens is written down, so that it can be watched from the beginning by whoever comes later; beyond
`LIMITS.agent_run_bytes` only what kind of event it was, which is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, assert_never

from pydantic_core import to_json

from linnet.agent.agent import Agent
from linnet.agent.events import Said, TurnEvent
from linnet.agent.execute import Approve
from linnet.agent.result import Result
from linnet.agent.trace import trace_of
from linnet.app import load_seconds
from linnet.errors import Cancelled, LinnetError, NotThere
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.service import DEFAULT, Service
from linnet.limits import LIMITS
from linnet.messages import Message, Step, ToolCall, ToolResult
from linnet.requests import Model
from linnet.tools import Tool

Json = dict[str, Any]

_KEPT = frozenset(("approval", "decision", "done", "error"))
"""Events that are kept whole however much a run has said: one decides by them, or has its answer from them."""

MakeAgent = Callable[[Model, Approve], Agent]


@dataclass(eq=False)
class _Question:
    """A call that is to be decided on; its own answer, so that none is taken for that of another."""

    told: Json
    answered: threading.Event = field(default_factory=threading.Event)
    approved: bool = False


class AgentRun:
    """A turn that waits or runs. Raises what the line does, at once, for one that is refused. `kept_as` is its id in
    the journal, "" for one that is not kept."""

    def __init__(
        self,
        service: Service,
        make: MakeAgent,
        owner: str,
        text: str,
        history: Sequence[Message],
        kept_as: str = "",
    ) -> None:
        self.id, self.owner, self.created = f"run_{secrets.token_hex(12)}", owner, time.time()
        self._began = time.monotonic()
        self.status = "queued"
        self.events: list[Json] = []
        self.bytes = sum(len(part.encode()) for part in (text, *(message.content for message in history)))
        self.left_out = 0  # events of which only the kind was kept
        self.result: Json | None = None
        self.error: Json | None = None
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pending: _Question | None = None
        self._asked = 0
        self._cancelled = False
        self._loaded: Callable[[], float | None] = lambda: None  # how long it took, if the turn found no model loaded

        def work(model: Model, bare: Model) -> Iterator[TurnEvent]:
            self._loaded = partial(load_seconds, bare) if load_seconds(bare) is None else lambda: None
            with make(_Faced(model, bare), self._ask) as agent:
                yield from agent.stream(text, history, run_id=kept_as)

        self._run: Run[TurnEvent] = service.run(DEFAULT, owner, work, agents=True, stopped=self._stopped)
        self._task = asyncio.create_task(self._follow())

    # --- for whoever watches ---------------------------------------------------------------------

    @property
    def over(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")

    @property
    def waiting_for(self) -> Json | None:
        """The call that is to be decided on."""
        return self._pending.told if self._pending else None

    def describe(self) -> Json:
        return {
            "id": self.id,
            "object": "agent.run",
            "created": int(self.created),
            "status": self.status,
            "approval": self.waiting_for,
            "result": self.result,
            "error": self.error,
            "events": len(self.events),
            "left_out": self.left_out,
        }

    async def watch(self, begin: int = 0) -> AsyncIterator[tuple[int, Json]]:
        """Each event with its number, from the one that is wanted on, until the run is over."""
        at = begin
        while True:
            while at < len(self.events):
                yield at, self.events[at]
                at += 1
            if self.over:
                return
            await self._changed.wait()

    def decide(self, number: int, approve: bool) -> None:
        """Of the call with this number. Raises NotThere where another waits for a decision, or none does."""
        if self._pending is None or self._pending.told["number"] != number:
            raise NotThere(f"no call {number} of this run waits for a decision", hint="See the run's `approval`.")
        question, self._pending = self._pending, None
        self._note({"type": "decision", "number": number, "call": question.told["call"], "approved": approve})
        self.status = "running"
        question.approved = approve
        question.answered.set()

    def cancel(self) -> None:
        """End the turn; a tool that runs is let finish, and none is begun. Cancelling again does nothing."""
        self._cancelled = True
        self._run.cancel()

    # --- what happens ----------------------------------------------------------------------------

    async def _follow(self) -> None:
        try:
            async for event in self._run:
                self.status = "running" if self._pending is None else self.status
                note = told(event)
                if isinstance(event, Result):
                    self.result = note["result"]
                    self.result["trace"] = trace_of(event, self._loaded()).describe()
                    self.status = "cancelled" if self._cancelled else "completed"
                self._note(note)
            if self.result is None:
                raise LinnetError("the turn ended without a result")
        except Exception as error:  # whatever it is: a run that never is over would be watched, and kept, for ever
            ours = as_ours(error)
            self._run.cancel()
            self.error = ours.describe()
            self.status = "cancelled" if isinstance(ours, Cancelled) else "failed"
            self._note({"type": "error", "error": self.error})
        self._changed.set()

    def _note(self, event: Json) -> None:
        """`at` are seconds since the run was accepted: the wait in the line, and for a decision, can be read off."""
        at = round(time.monotonic() - self._began, 4)
        size = len(to_json(event))
        if self.bytes + size > LIMITS.agent_run_bytes and event["type"] not in _KEPT:
            self.left_out += 1
            event = {"type": event["type"], "left_out": size}
            size = len(to_json(event))
        self.bytes += size
        self.events.append({**event, "at": at})
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _ask(self, tool: Tool, call: ToolCall) -> bool:
        """In the thread of the turn: wait for a decision."""
        self._asked += 1
        about = {"permissions": sorted(tool.permissions), "description": tool.description}
        question = _Question({"number": self._asked, "call": _call(call), **about})
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody will decide
            self._loop.call_soon_threadsafe(self._wait_for, question)
            if not question.answered.wait(LIMITS.approval_seconds):
                self._loop.call_soon_threadsafe(self._give_up, question)
                question.answered.wait(1)  # a decision that has just been told to its client stands
        return question.approved and not self._cancelled

    def _give_up(self, question: _Question) -> None:
        if self._pending is question:
            self._refuse()

    def _refuse(self) -> None:
        if self._pending is not None:
            self.decide(self._pending.told["number"], False)

    def _stopped(self) -> None:
        """Somebody has cancelled the turn, or the server ends."""
        self._cancelled = True
        self._refuse()

    def _wait_for(self, question: _Question) -> None:
        self._pending, self.status = question, "waiting_for_approval"
        self._note({"type": "approval", **question.told})
        if self._cancelled:
            self._refuse()


class _Faced:
    """A Model that is asked through others, and looked at as it is."""

    def __init__(self, model: Model, bare: Model) -> None:
        self.stream, self._bare = model.stream, bare

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bare, name)


def told(event: TurnEvent) -> Json:
    """An event of a turn as JSON."""
    match event:
        case Said(text=text):
            return {"type": "said", "text": text}
        case Step():
            return {"type": "step", "step": asdict(event)}
        case ToolCall():
            return {"type": "call", "call": _call(event)}
        case ToolResult():
            outcome = {"value": event.value, "error": event.error, "seconds": round(event.seconds, 4)}
            return {"type": "result", "call": _call(event.call), **outcome}
        case Result():
            return {"type": "done", "result": event.describe()}
    assert_never(event)


def _call(call: ToolCall) -> Json:
    return {"id": call.id, "name": call.name, "arguments": call.arguments, "how": call.how}
