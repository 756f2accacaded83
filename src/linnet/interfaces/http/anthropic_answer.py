"""An answer as Anthropic writes it: one message of blocks, or the events in which it grows."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from linnet.errors import LinnetError
from linnet.interfaces.http.answering import Called, Ended, Event, Said, Whole
from linnet.interfaces.http.errors import anthropic_body
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.sse import frame
from linnet.interfaces.http.told import extension, whole_of
from linnet.messages import ToolCall
from linnet.requests import Usage

Json = dict[str, Any]

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class MessageAnswer:
    """One answer in the making, under the name that the client gave the model. Which stop sequence ended it is not
    known here, so that `stop_sequence` is null."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._id = f"msg_{secrets.token_hex(12)}"
        self._blocks = 0  # begun
        self._open = False  # a block of text
        self._ended: Ended | None = None

    # --- whole -----------------------------------------------------------------------------------

    def whole(self, events: Sequence[Event]) -> Json:
        end = whole_of(events)
        text = "".join(event.text for event in events if isinstance(event, Said))
        content: list[Json] = [{"type": "text", "text": text}] if text else []
        content += [_block(event.call) for event in events if isinstance(event, Called)]
        ended = next(event for event in events if isinstance(event, Ended))
        made = self._message(content, _REASONS[ended.finish], end.usage)
        return {**made, "linnet": extension(end)}

    def _message(self, content: list[Json], reason: str | None, usage: Usage) -> Json:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": _usage(usage),
        }

    # --- in events -------------------------------------------------------------------------------

    async def frames(self, run: Run[Event]) -> AsyncGenerator[bytes, None]:
        try:
            begun = False
            async for event in run:
                if not begun:
                    yield _frame({"type": "message_start", "message": self._message([], None, Usage())})
                    begun = True
                for one in self._events(event):
                    yield _frame(one)
        except LinnetError as error:
            yield _frame(anthropic_body(error))

    def _events(self, event: Event) -> list[Json]:
        match event:
            case Said(text=text):
                delta = {"type": "text_delta", "text": text}
                return [*self._opened(), self._delta(delta)]
            case Called(call=call):
                return [*self._closed(), *self._call(call)]
            case Ended():
                self._ended = event
                return self._closed()
            case Whole():
                return self._end(event)

    def _opened(self) -> list[Json]:
        if self._open:
            return []
        self._open = True
        return [self._begin({"type": "text", "text": ""})]

    def _closed(self) -> list[Json]:
        if not self._open:
            return []
        self._open = False
        return [{"type": "content_block_stop", "index": self._blocks - 1}]

    def _call(self, call: ToolCall) -> list[Json]:
        block = _block(call)
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments, ensure_ascii=False)}
        begin = self._begin({**block, "input": {}})
        return [begin, self._delta(delta), {"type": "content_block_stop", "index": self._blocks - 1}]

    def _begin(self, block: Json) -> Json:
        self._blocks += 1
        return {"type": "content_block_start", "index": self._blocks - 1, "content_block": block}

    def _delta(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._blocks - 1, "delta": delta}

    def _end(self, whole: Whole) -> list[Json]:
        assert self._ended is not None
        delta = {"stop_reason": _REASONS[self._ended.finish], "stop_sequence": None}
        told = {"type": "message_delta", "delta": delta, "usage": _usage(whole.usage), "linnet": extension(whole)}
        return [told, {"type": "message_stop"}]


def _frame(event: Json) -> bytes:
    return frame(event, event["type"])


def _block(call: ToolCall) -> Json:
    name = call.id or f"toolu_{secrets.token_hex(12)}"
    return {"type": "tool_use", "id": name, "name": call.name, "input": call.arguments}


def _usage(usage: Usage) -> Json:
    """Anthropic counts what came from a cache apart."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": usage.generated_tokens,
    }
