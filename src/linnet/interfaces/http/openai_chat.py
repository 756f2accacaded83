"""Chat completions as OpenAI writes them: one object, or chunks whose indices, ids and ends are exact."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from linnet.errors import LinnetError
from linnet.interfaces.http.answering import Called, Ended, Event, Said, Whole
from linnet.interfaces.http.errors import openai_body
from linnet.interfaces.http.odds import chat_logprobs
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.sse import DONE, frame
from linnet.interfaces.http.told import extension, openai_usage, whole_of
from linnet.messages import ToolCall
from linnet.tokens import Odds

Json = dict[str, Any]


class ChatAnswer:
    """One answer in the making, under the name that the client gave the model. `extra` goes into `linnet`."""

    def __init__(self, model: str, include_usage: bool = False, **extra: Any) -> None:
        self._head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": model}
        self._usage, self._extra = include_usage, extra
        self._begun: set[int] = set()
        self._ended: list[Ended] = []

    # --- whole -----------------------------------------------------------------------------------

    def whole(self, events: Sequence[Event]) -> Json:
        end = whole_of(events)
        choices = [
            self._choice(ended, [event for event in events if getattr(event, "choice", None) == ended.choice])
            for ended in events
            if isinstance(ended, Ended)
        ]
        return {
            **self._head,
            "object": "chat.completion",
            "choices": sorted(choices, key=lambda choice: choice["index"]),
            "usage": openai_usage(end.usage),
            "linnet": extension(end, **self._extra),
        }

    def _choice(self, ended: Ended, events: Sequence[Event]) -> Json:
        calls = [_call(event.call) for event in events if isinstance(event, Called)]
        said = [event for event in events if isinstance(event, Said)]
        text, odds = "".join(event.text for event in said), [one for event in said for one in event.odds]
        message: Json = {"role": "assistant", "content": None if calls and not text else text, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        told = {"finish_reason": ended.finish, "logprobs": chat_logprobs(odds)}
        return {"index": ended.choice, "message": message, **told}

    # --- in chunks -------------------------------------------------------------------------------

    async def frames(self, run: Run[Event]) -> AsyncGenerator[bytes, None]:
        """Finish reasons come only once all is whole: what breaks off has none, and no `[DONE]`, but an error."""
        try:
            async for event in run:
                for chunk in self._chunks(event):
                    yield frame(chunk)
            yield DONE
        except LinnetError as error:
            yield frame(openai_body(error))

    def _chunks(self, event: Event) -> list[Json]:
        match event:
            case Said(text=text, choice=choice, odds=odds):
                return [*self._opening(choice), self._chunk(choice, {"content": text}, odds=odds)]
            case Called(call=call, number=number, choice=choice):
                return [*self._opening(choice), *self._call_chunks(call, number, choice)]
            case Ended():
                self._ended.append(event)
                return self._opening(event.choice)
            case Whole():
                return self._closing(event)

    def _opening(self, choice: int) -> list[Json]:
        if choice in self._begun:
            return []
        self._begun.add(choice)
        return [self._chunk(choice, {"role": "assistant", "content": ""})]

    def _call_chunks(self, call: ToolCall, number: int, choice: int) -> list[Json]:
        """The head of the call, and then its arguments: some clients take those only as a continuation."""
        told = _call(call)
        arguments = told["function"].pop("arguments")
        head = {"index": number, **told, "function": {**told["function"], "arguments": ""}}
        rest = {"index": number, "function": {"arguments": arguments}}
        return [self._chunk(choice, {"tool_calls": [part]}) for part in (head, rest)]

    def _closing(self, whole: Whole) -> list[Json]:
        chunks = [self._chunk(ended.choice, {}, ended.finish) for ended in self._ended]
        chunks[-1]["linnet"] = extension(whole, **self._extra)
        if self._usage:
            chunks.append({**self._chunk(0, {}), "choices": [], "usage": openai_usage(whole.usage)})
        return chunks

    def _chunk(self, choice: int, delta: Json, finish: str | None = None, odds: Sequence[Odds] = ()) -> Json:
        one = {"index": choice, "delta": delta, "finish_reason": finish, "logprobs": chat_logprobs(odds)}
        usage = {"usage": None} if self._usage else {}
        return {**self._head, "object": "chat.completion.chunk", "choices": [one], **usage}


def _call(call: ToolCall) -> Json:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id or f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
