"""Anthropic's paths: messages and the counting of their tokens."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from linnet.interfaces.http.answering import answer, introduced
from linnet.interfaces.http.anthropic_answer import MessageAnswer
from linnet.interfaces.http.anthropic_shapes import CountRequest, MessagesRequest
from linnet.interfaces.http.body import understood
from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.service import Service
from linnet.interfaces.http.sse import gathered, streamed
from linnet.interfaces.http.told import headers, whole_of
from linnet.requests import Count, Model, complete


def router(service: Service) -> APIRouter:
    paths = APIRouter()

    @paths.post("/v1/messages", **documented(MessagesRequest, "Answer a conversation", streams=True))
    async def messages(request: Request) -> Response:
        asked, work = await understood(request, MessagesRequest, MessagesRequest.asked)
        run = service.run(asked.model, request.scope["owner"], lambda model, bare: answer(model, work, bare))
        made = MessageAnswer(asked.model)
        if asked.stream:
            return await streamed(request, run, made.frames)
        events = await gathered(request, run)
        return JSONResponse(made.whole(events), headers=headers(whole_of(events)))

    @paths.post("/v1/messages/count_tokens", **documented(CountRequest, "Count a conversation's tokens"))
    async def count_tokens(request: Request) -> Response:
        asked, said = await understood(request, CountRequest, CountRequest.conversation)
        prompt, _ = introduced(said)

        def counted(model: Model, _: Model) -> Iterator[int]:
            yield complete(model, Count(prompt)).count

        (count,) = await gathered(request, service.run(asked.model, request.scope["owner"], counted))
        return JSONResponse({"input_tokens": count})

    return paths
