"""OpenAI's paths: chat completions, completions, models."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from linnet.errors import NotOffered, RequestError
from linnet.interfaces.http.answering import Event, answer
from linnet.interfaces.http.body import received, understood
from linnet.interfaces.http.completing import Gap, TextAnswer, complete
from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.echoing import echoed
from linnet.interfaces.http.openai_chat import ChatAnswer
from linnet.interfaces.http.openai_shapes import ChatRequest, CompletionRequest, Drawing
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.service import Service
from linnet.interfaces.http.sse import gathered, streamed
from linnet.interfaces.http.told import headers, whole_of
from linnet.requests import Generate

_COMPLETION_TOKENS = 16
"""Of a completion without `max_tokens`, as in OpenAI's protocol."""


def router(service: Service) -> APIRouter:
    paths = APIRouter()

    @paths.post("/v1/chat/completions", **documented(ChatRequest, "Answer a conversation", streams=True))
    async def chat(request: Request) -> Response:
        asked, work = await understood(request, ChatRequest, ChatRequest.asked)
        run = service.run(asked.model, request.scope["owner"], lambda model, bare: answer(model, work, bare))
        made = ChatAnswer(asked.model, *_usage(asked), **_drawn(work.own))
        return await _answered(request, run, made, bool(asked.stream))

    @paths.post("/v1/completions", **documented(CompletionRequest, "Continue a text", streams=True))
    async def completions(request: Request) -> Response:
        asked = await received(request, CompletionRequest)
        if asked.best_of not in (None, asked.n or 1):
            raise NotOffered("all answers are given, and none is chosen for you; ask for `n`", param="best_of")
        own = _own(asked)
        if asked.judged:
            how: Any = {"choices": asked.n or 1, "more": asked.max_tokens != 0, "notes": asked.not_done()}
            run = service.run(
                asked.model, request.scope["owner"], lambda model, _: echoed(model, asked.texts, own, **how)
            )
            told = TextAnswer(asked.model, *_usage(asked), **_drawn(own))
            return await _answered(request, run, told, bool(asked.stream))
        gap = Gap(asked.text, asked.suffix or None, choices=asked.n or 1, notes=asked.not_done())
        run = service.run(asked.model, request.scope["owner"], lambda model, _: complete(model, gap, own))
        echo = asked.text if asked.echo else ""
        made = TextAnswer(asked.model, *_usage(asked), echo=echo, **_drawn(own))
        return await _answered(request, run, made, bool(asked.stream))

    @paths.get("/v1/models", **documented(None, "The models on offer"))
    async def models(request: Request) -> Response:
        told = [described(service, name) for name in service.models]
        return JSONResponse({"object": "list", "data": told})

    @paths.get("/v1/models/{model:path}", **documented(None, "One model"))
    async def model(request: Request, model: str) -> Response:
        service.model(model)
        return JSONResponse(described(service, model))

    return paths


def described(service: Service, name: str) -> dict[str, Any]:
    """A model as OpenAI lists it; what the engine says of it is beside that."""
    found = service.model(name).capabilities
    told = {"name": found.name, "context": found.context, "infill": found.infill is not None, **service.stands(name)}
    created = int(service.started)
    return {"id": name, "object": "model", "created": created, "owned_by": "linnet", "linnet": told}


def _own(asked: CompletionRequest) -> Generate:
    """Without its prompt. Raises NotOffered, RequestError for what only goes with a prompt that is judged."""
    if not asked.judged and len(asked.texts) > 1:
        raise NotOffered("several prompts are taken with `echo` and `logprobs` only", param="prompt")
    if not asked.judged and asked.max_tokens == 0:
        raise RequestError("no tokens are an answer only with `echo` and `logprobs`", param="max_tokens")
    if asked.judged and asked.suffix:
        raise NotOffered("a prompt is judged, or a gap filled", param="suffix")
    most = asked.max_tokens or _COMPLETION_TOKENS
    return Generate((), sampling=asked.sampling(), stop=asked.stops, max_tokens=most, alternatives=asked.logprobs)


async def _answered(request: Request, run: Run[Event], made: ChatAnswer | TextAnswer, stream: bool) -> Response:
    if stream:
        return await streamed(request, run, made.frames)
    events = await gathered(request, run)
    return JSONResponse(made.whole(events), headers=headers(whole_of(events)))


def _usage(asked: Drawing) -> tuple[bool]:
    return (bool(asked.stream_options and asked.stream_options.include_usage),)


def _drawn(own: Generate) -> dict[str, Any]:
    """The seed, where the answer was drawn: with it the same answer can be had again."""
    return {"seed": own.sampling.seed} if own.sampling.temperature else {}
