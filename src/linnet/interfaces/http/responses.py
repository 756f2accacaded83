"""OpenAI's Responses, without a store: the path, and an answer as one object or as the events in which it grows."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from linnet.errors import LinnetError
from linnet.interfaces.http.answering import Called, Ended, Event, Said, Whole, answer
from linnet.interfaces.http.body import understood
from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.responses_shapes import ResponsesRequest
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.service import Service
from linnet.interfaces.http.sse import frame, gathered, streamed
from linnet.interfaces.http.told import extension, headers, whole_of
from linnet.messages import ToolCall
from linnet.requests import Usage

Json = dict[str, Any]


def router(service: Service) -> APIRouter:
    paths = APIRouter()

    @paths.post("/v1/responses", **documented(ResponsesRequest, "Answer a conversation of items", streams=True))
    async def responses(request: Request) -> Response:
        asked, work = await understood(request, ResponsesRequest, ResponsesRequest.asked)
        run = service.run(asked.model, request.scope["owner"], lambda model, bare: answer(model, work, bare))
        made = ResponseAnswer(asked)
        if asked.stream:
            return await streamed(request, run, made.frames)
        events = await gathered(request, run)
        for event in events:
            made.events(event)
        return JSONResponse(made.response(), headers=headers(whole_of(events)))

    return paths


class ResponseAnswer:
    """One answer in the making. `events` are those of the protocol that one of ours leads to."""

    def __init__(self, asked: ResponsesRequest) -> None:
        self._asked = asked
        self._id, self._created = f"resp_{secrets.token_hex(16)}", time.time()
        self._output: list[Json] = []
        self._number = 0
        self._ended: Ended | None = None
        self._whole: Whole | None = None

    async def frames(self, run: Run[Event]) -> AsyncGenerator[bytes, None]:
        try:
            begun = False
            async for event in run:
                if not begun:
                    for name in ("response.created", "response.in_progress"):
                        yield self._frame(name, response=self.response())
                    begun = True
                for name, data in self.events(event):
                    yield self._frame(name, **data)
        except LinnetError as error:
            failed = {**self.response(), "status": "failed", "error": {"code": error.code, "message": error.message}}
            yield self._frame("response.failed", response=failed)

    def response(self) -> Json:
        whole, asked = self._whole, self._asked
        cut = self._ended is not None and self._ended.finish == "length"
        status = "in_progress" if whole is None else "incomplete" if cut else "completed"
        return {
            "id": self._id,
            "object": "response",
            "created_at": int(self._created),
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "model": asked.model,
            "output": list(self._output),
            "parallel_tool_calls": asked.parallel_tool_calls is not False,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": False,
            "temperature": asked.temperature or 0.0,
            "text": {"format": _sent(asked.text and asked.text.format) or {"type": "text"}},
            "tool_choice": _sent(asked.tool_choice) or "auto",
            "tools": [_sent(tool) for tool in asked.tools or ()],
            "top_p": asked.top_p or 1.0,
            "truncation": "disabled",
            "usage": _usage(whole.usage) if whole else None,
            **({"linnet": extension(whole)} if whole else {}),
        }

    def events(self, event: Event) -> list[tuple[str, Json]]:
        match event:
            case Said(text=text):
                return [*self._opened(), self._spoken(text)]
            case Called(call=call):
                return [*self._closed(), *self._called(call)]
            case Ended():
                self._ended = event
                return self._closed()
            case Whole():
                self._whole = event
                response = self.response()
                return [(f"response.{response['status']}", {"response": response})]

    # --- a text ----------------------------------------------------------------------------------

    @property
    def _speaking(self) -> bool:
        return bool(self._output) and self._output[-1]["status"] == "in_progress"

    def _place(self) -> Json:
        return {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1, "content_index": 0}

    def _opened(self) -> list[tuple[str, Json]]:
        if self._speaking:
            return []
        item: Json = {"id": f"msg_{secrets.token_hex(16)}", "type": "message", "role": "assistant", "content": []}
        self._output.append({**item, "status": "in_progress"})
        added = ("response.output_item.added", self._item())
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        self._output[-1]["content"] = [part]
        return [added, ("response.content_part.added", {**self._place(), "part": dict(part)})]

    def _spoken(self, text: str) -> tuple[str, Json]:
        self._output[-1]["content"][0]["text"] += text
        return "response.output_text.delta", {**self._place(), "delta": text, "logprobs": []}

    def _closed(self) -> list[tuple[str, Json]]:
        if not self._speaking:
            return []
        cut = self._ended is not None and self._ended.finish == "length"
        self._output[-1]["status"] = "incomplete" if cut else "completed"
        part, place = self._output[-1]["content"][0], self._place()
        return [
            ("response.output_text.done", {**place, "text": part["text"], "logprobs": []}),
            ("response.content_part.done", {**place, "part": part}),
            ("response.output_item.done", self._item()),
        ]

    # --- a call ----------------------------------------------------------------------------------

    def _called(self, call: ToolCall) -> list[tuple[str, Json]]:
        name, arguments = f"fc_{secrets.token_hex(16)}", json.dumps(call.arguments, ensure_ascii=False)
        called = call.id or f"call_{secrets.token_hex(12)}"
        item = {"id": name, "type": "function_call", "call_id": called, "name": call.name, "arguments": ""}
        self._output.append({**item, "status": "in_progress"})
        added = ("response.output_item.added", self._item())
        self._output[-1] |= {"arguments": arguments, "status": "completed"}
        place = {"item_id": name, "output_index": len(self._output) - 1}
        return [
            added,
            ("response.function_call_arguments.delta", {**place, "delta": arguments}),
            ("response.function_call_arguments.done", {**place, "name": call.name, "arguments": arguments}),
            ("response.output_item.done", self._item()),
        ]

    def _item(self) -> Json:
        return {"output_index": len(self._output) - 1, "item": dict(self._output[-1])}

    def _frame(self, name: str, **data: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return frame({"type": name, "sequence_number": number, **data}, name)


def _sent(value: Any) -> Any:
    """What the client has sent, as it was sent."""
    return value.model_dump(by_alias=True, exclude_unset=True) if hasattr(value, "model_dump") else value


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.generated_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
    }
