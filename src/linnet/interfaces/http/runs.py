"""/v1/agent/runs: turns of the server's own agents: begun, watched, decided on, cancelled."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from linnet.errors import EmptyRequest, NotThere, QueueFull, RequestError
from linnet.interfaces.http.agent_run import AgentRun, Json, MakeAgent
from linnet.interfaces.http.body import received
from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.openai_shapes import ChatMessage, Loose, read_messages
from linnet.interfaces.http.service import Service
from linnet.interfaces.http.sse import frame, kept_alive
from linnet.limits import LIMITS
from linnet.requests import check_size


class RunRequest(Loose):
    """POST /v1/agent/runs. With `stream` the run is watched on this very connection, and ends with it. With a `key`
    of the client's own it is kept in the journal: asked again under it, whatever ended the first, it goes on, and no
    call is made twice."""

    text: str
    key: str | None = None
    history: Annotated[list[ChatMessage], Field(max_length=LIMITS.request_messages)] | None = None
    stream: bool | None = None


class Decision(Loose):
    """POST /v1/agent/runs/{id}/decision: of the call with this `number`, and of no other that waits by then."""

    number: int
    approve: bool


class Runs:
    """Those that are remembered. Each is its owner's alone: to all others it is not there."""

    def __init__(
        self,
        most: int = LIMITS.agent_runs,
        each: int = LIMITS.agent_runs_each,
        most_bytes: int = LIMITS.agent_runs_bytes,
    ) -> None:
        self._most, self._each, self._most_bytes = most, each, most_bytes
        self._runs: dict[str, AgentRun] = {}

    def add(self, run: AgentRun) -> None:
        self._runs[run.id] = run

    def make_room(self, owner: str) -> None:
        """Forget the oldest that are over, those of the owner first, until there is room for one more.

        Raises QueueFull where too many are under way, of this owner or of all, or those hold too much.
        """
        if sum(not run.over for run in self.of(owner)) >= self._each:
            raise QueueFull(f"{self._each} runs of one client are under way", queue=self._each)
        for old in sorted((run for run in self._runs.values() if run.over), key=lambda run: run.owner != owner):
            if len(self._runs) < self._most and self.bytes < self._most_bytes:
                break
            del self._runs[old.id]
        if len(self._runs) >= self._most:
            raise QueueFull(f"{self._most} runs are under way", queue=self._most)
        if self.bytes >= self._most_bytes:
            raise QueueFull(f"runs under way hold {self.bytes:,} bytes", bytes=self.bytes)

    @property
    def bytes(self) -> int:
        """What all of them hold: their texts and events."""
        return sum(run.bytes for run in self._runs.values())

    def of(self, owner: str) -> list[AgentRun]:
        return [run for run in self._runs.values() if run.owner == owner]

    def get(self, id: str, owner: str) -> AgentRun:
        run = self._runs.get(id)
        if run is None or run.owner != owner:
            raise NotThere(f"there is no run {id[:60]!r}", hint="Runs that are over are forgotten after a while.")
        return run


def router(service: Service, make: MakeAgent) -> APIRouter:
    paths, runs = APIRouter(), Runs()

    def named(request: Request, id: str) -> AgentRun:
        return runs.get(id, request.scope["owner"])

    @paths.post("/v1/agent/runs", **documented(RunRequest, "Begin a turn of an agent", streams=True))
    async def begin(request: Request) -> Response:
        asked = await received(request, RunRequest)
        if not asked.text.strip():
            raise EmptyRequest("the request is empty", param="text")
        check_size((asked.text,))
        history = read_messages(asked.history) if asked.history else ()
        owner = request.scope["owner"]
        runs.make_room(owner)
        run = AgentRun(service, make, owner, asked.text, history, _kept_as(owner, asked.key))
        runs.add(run)
        if asked.stream:
            return _events(run, 0, bound=True)
        return JSONResponse(run.describe(), 201, {"Location": f"/v1/agent/runs/{run.id}"})

    @paths.get("/v1/agent/runs", **documented(None, "The runs that are remembered"))
    async def listed(request: Request) -> Response:
        found = [run.describe() for run in runs.of(request.scope["owner"])]
        return JSONResponse({"object": "list", "data": found})

    @paths.get("/v1/agent/runs/{id}", **documented(None, "One run"))
    async def one(request: Request, id: str) -> Response:
        return JSONResponse(named(request, id).describe())

    @paths.get("/v1/agent/runs/{id}/events", **documented(None, "What happens in it", streams=True))
    async def watch(request: Request, id: str) -> Response:
        return _events(named(request, id), _behind(request.headers.get("last-event-id", "")), bound=False)

    @paths.post("/v1/agent/runs/{id}/decision", **documented(Decision, "Approve the call that waits, or do not"))
    async def decide(request: Request, id: str) -> Response:
        run, decision = named(request, id), await received(request, Decision)
        run.decide(decision.number, decision.approve)
        return JSONResponse(run.describe())

    @paths.post("/v1/agent/runs/{id}/cancel", **documented(None, "End it"))
    async def cancel(request: Request, id: str) -> Response:
        run = named(request, id)
        run.cancel()
        return JSONResponse(run.describe())

    return paths


def _kept_as(owner: str, key: str | None) -> str:
    """The id in the journal, where each owner has keys of their own. Raises RequestError."""
    if key is None:
        return ""
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,80}", key):
        raise RequestError("`key` is 1 to 80 letters, digits and _ . : -", param="key")
    return f"{owner or 'anybody'}:{key}"


def _behind(last: str) -> int:
    """The number of the next event, behind the last one that a client has seen."""
    if not last:
        return 0
    if not re.fullmatch("[0-9]{1,9}", last):
        raise RequestError("Last-Event-ID is not one of this server's")
    return int(last) + 1


def _events(run: AgentRun, begin: int, *, bound: bool) -> Response:
    async def frames() -> AsyncGenerator[bytes, None]:
        try:
            if begin == 0:
                yield _frame({"type": "run", "run": run.describe()})
            async for number, event in run.watch(begin):
                yield b"id: %d\n" % number + _frame(event)
        finally:
            if bound and not run.over:
                run.cancel()

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(kept_alive(frames()), media_type="text/event-stream", headers=headers)


def _frame(event: Json) -> bytes:
    return frame(event, event["type"])
