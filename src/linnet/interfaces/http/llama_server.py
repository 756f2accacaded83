"""llama-server's paths, as editors use them: infill and completion with their timings, and what the server is."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from linnet import __version__, requests
from linnet.errors import LinnetError
from linnet.interfaces.http.answering import Ended, Event, Said, Whole
from linnet.interfaces.http.body import received
from linnet.interfaces.http.completing import Gap, complete, fitted, how_filled, prompt_of
from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.errors import openai_body
from linnet.interfaces.http.llama_shapes import (
    CompletionRequest,
    InfillRequest,
    LlamaRequest,
    picked,
)
from linnet.interfaces.http.odds import probabilities
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.service import DEFAULT, Service
from linnet.interfaces.http.sse import frame, streamed, wanted
from linnet.interfaces.http.told import extension, headers, whole_of
from linnet.requests import Count, Model, Usage

Json = dict[str, Any]


def router(service: Service) -> APIRouter:
    paths = APIRouter()

    async def answered(request: Request, asked: CompletionRequest | InfillRequest) -> Response:
        own, gap = asked.own(), asked.gap()
        made = Filled(asked, gap)

        def work(model: Model, _: Model) -> Iterator[Event]:
            if isinstance(asked, InfillRequest) and not (asked.most or gap.some):
                return iter((Ended("stop"), Whole("rule", model=model.capabilities.name)))  # nothing to compute
            shown = fitted(model, gap, own.max_tokens) if isinstance(asked, InfillRequest) else gap
            events, most = complete(model, shown, own), asked.t_max_predict_ms or 0
            return timely(events, most, model, shown) if most > 0 else events

        run = service.run(asked.model, request.scope["owner"], work)
        if asked.stream:
            return await streamed(request, run, made.frames)
        async with wanted(request, run):
            async for event in run:
                made.take(event)
        return JSONResponse(picked(made.whole(), asked.response_fields), headers=headers(whole_of(made.events)))

    @paths.post("/infill", **documented(InfillRequest, "Fill a gap in code", streams=True))
    async def infill(request: Request) -> Response:
        return await answered(request, await received(request, InfillRequest))

    @paths.post("/completion", **documented(CompletionRequest, "Continue a text", streams=True))
    async def completion(request: Request) -> Response:
        return await answered(request, await received(request, CompletionRequest))

    @paths.get("/props", **documented(None, "What this server is"))
    async def props(request: Request) -> Response:
        able = service.model(DEFAULT).capabilities
        settings = {"id": 0, "n_ctx": able.context, "is_processing": service.line.running > 0, "params": {}}
        told = {
            "default_generation_settings": settings,
            "total_slots": service.line.seats,
            "model_path": able.name,
            "model_alias": DEFAULT,
            "chat_template": "",
            "modalities": {"vision": False, "audio": False},
            "build_info": f"linnet {__version__}",
            "linnet": {"infill": able.infill is not None, "encoding": able.encoding},
        }
        return JSONResponse(told)

    @paths.get("/slots", **documented(None, "Which seats are taken"))
    async def slots(request: Request) -> Response:
        context, running = service.model(DEFAULT).capabilities.context, service.line.running
        seats = range(service.line.seats)
        return JSONResponse([{"id": n, "n_ctx": context, "is_processing": n < running} for n in seats])

    return paths


def timely(events: Iterator[Event], milliseconds: float, model: Model, gap: Gap) -> Iterator[Event]:
    """Ended once so much time has passed since the first word and a line has ended. What it had cost by then is
    estimated, for nobody tells of what is given up."""
    until, said, lines = float("inf"), 0, False
    for event in events:
        until = min(until, time.monotonic() + milliseconds / 1_000)
        yield event
        if not isinstance(event, Said):
            continue
        said, lines = said + 1, lines or "\n" in event.text
        if lines and time.monotonic() > until:
            prompt, known = prompt_of(model, gap)
            usage = Usage(requests.complete(model, Count(prompt)).count, 0, said)
            notes = (*gap.notes, *known, "ended at the time that the client gave; tokens are estimated")
            yield Ended("length")
            yield Whole(how_filled(notes), usage, model.capabilities.name, notes, dropped=gap.dropped)
            return


@dataclass
class Filled:
    """One answer in the making, with the time that its parts took."""

    asked: LlamaRequest
    gap: Gap
    started: float = field(default_factory=time.monotonic)
    first: float = 0.0
    events: list[Event] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _finish: str = "stop"

    def take(self, event: Event) -> str:
        """The text that the event brings; none is shown where none was wanted."""
        self.events.append(event)
        if isinstance(event, Ended):
            self._finish = event.finish
        if not isinstance(event, Said):
            return ""
        self.first = self.first or time.monotonic()
        text = event.text if self.asked.most else ""
        self._texts.append(text)
        return text

    def whole(self) -> Json:
        end = whole_of(self.events)
        usage, text = end.usage, "".join(self._texts)
        predicted = usage.generated_tokens if self.asked.most else 0
        computed = usage.prompt_tokens - usage.cached_tokens
        return {
            "index": 0,
            "content": text,
            "tokens": [],
            "id_slot": 0,
            "stop": True,
            "model": self.asked.model,
            "tokens_predicted": predicted,
            "tokens_evaluated": usage.prompt_tokens,
            "tokens_cached": usage.cached_tokens,
            "generation_settings": {},
            "prompt": self.gap.prefix + self.gap.begun,
            "has_new_line": "\n" in text,
            "truncated": bool(end.dropped),
            "stop_type": "limit" if self._finish == "length" else "eos",
            "stopping_word": "",
            "timings": self._timings(computed, predicted, usage.cached_tokens),
            **self._probabilities(),
            "linnet": extension(end),
        }

    def _probabilities(self) -> Json:
        odds = [one for event in self.events if isinstance(event, Said) for one in event.odds]
        return {"completion_probabilities": probabilities(odds)} if odds and self.asked.most else {}

    def _timings(self, computed: int, predicted: int, cached: int) -> Json:
        """As a client saw it: waiting in the line counts to the prompt."""
        now = time.monotonic()
        first = self.first or now
        prompt, said = (first - self.started) * 1_000, (now - first) * 1_000
        return {
            "cache_n": cached,
            "prompt_n": computed,
            "prompt_ms": round(prompt, 3),
            "prompt_per_token_ms": round(prompt / max(1, computed), 3),
            "prompt_per_second": round(computed / max(1e-6, prompt / 1_000), 3),
            "predicted_n": predicted,
            "predicted_ms": round(said, 3),
            "predicted_per_token_ms": round(said / max(1, predicted), 3),
            "predicted_per_second": round(predicted / max(1e-6, said / 1_000), 3),
        }

    async def frames(self, run: Run[Event]) -> AsyncGenerator[bytes, None]:
        """Its streams have no `[DONE]`: the last event says `stop`."""
        try:
            async for event in run:
                text = self.take(event)
                if text:
                    odds = probabilities(event.odds) if isinstance(event, Said) else []
                    told = {"completion_probabilities": odds} if odds else {}
                    yield frame({"index": 0, "content": text, "tokens": [], "stop": False, "id_slot": 0, **told})
            last = self.whole()
            last.pop("completion_probabilities", None)
            yield frame({**last, "content": ""})
        except LinnetError as error:
            yield frame(openai_body(error))
