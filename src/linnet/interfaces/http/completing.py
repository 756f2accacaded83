"""From a text to what follows it, or to what belongs into a gap: OpenAI's completions and llama-server's."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linnet.errors import EmptyRequest, LinnetError
from linnet.interfaces.http.answering import Ended, Event, Said, Whole
from linnet.interfaces.http.errors import openai_body
from linnet.interfaces.http.merging import merged
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.sse import DONE, frame
from linnet.interfaces.http.told import extension, openai_usage, whole_of
from linnet.messages import Step
from linnet.requests import Generate, Model, Piece, Prompt, Segment, Usage

Json = dict[str, Any]

WITHOUT = "the model has no tokens for filling gaps: it continued what is before the gap, not seeing what is behind"


@dataclass(frozen=True)
class Gap:
    """A text to go on from; with a `suffix` (None: there is no gap) what comes behind the gap. `before` are texts
    from elsewhere that may help, the nearest last."""

    prefix: str
    suffix: str | None = None
    before: tuple[str, ...] = ()
    choices: int = 1
    notes: tuple[str, ...] = ()


def complete(model: Model, gap: Gap, own: Generate) -> Iterator[Event]:
    """The events of all completions; `own` says how they are asked for, whatever its prompt."""
    prompt, notes = prompt_of(model, gap)
    if not any(segment.text for segment in prompt):
        raise EmptyRequest("there is no text to go on from", param="prompt")
    notes = (*gap.notes, *notes)
    requests = [
        replace(own, prompt=prompt, sampling=replace(own.sampling, seed=own.sampling.seed + choice))
        for choice in range(gap.choices)
    ]
    usage: Usage | None = None
    steps: list[Step] = []
    how = ""
    for choice, event in merged([model.stream(request) for request in requests]):
        if isinstance(event, Piece):
            if event.text:
                yield Said(event.text, choice)
            continue
        counted = replace(event.usage, prompt_tokens=0, cached_tokens=0) if choice else event.usage
        usage = counted if usage is None else usage + counted
        notes += tuple(told for told in event.degraded if told not in notes)
        steps += event.steps
        how = how or event.how
        yield Ended("length" if event.finish == "length" else "stop", choice)
    assert usage is not None
    filled = "fallback:continuation" if WITHOUT in notes else "model"
    yield Whole(how or filled, usage, model.capabilities.name, notes, tuple(steps))


def prompt_of(model: Model, gap: Gap) -> tuple[Prompt, tuple[str, ...]]:
    """The text is nobody's: none of it is a control token. A model without tokens for gaps sees what is before."""
    infill = model.capabilities.infill
    told = "".join(f"{text}\n" for text in gap.before)
    if gap.suffix is None or infill is None:
        notes = () if gap.suffix is None else (WITHOUT,)
        return (Segment(told + gap.prefix, False),), notes
    texts = (
        (infill.prefix, True),
        (told + gap.prefix, False),
        (infill.suffix, True),
        (gap.suffix, False),
        (infill.middle, True),
    )
    return tuple(Segment(text, trusted) for text, trusted in texts if text), ()


class TextAnswer:
    """OpenAI's text completion in the making. `echo` is text that each answer begins with."""

    def __init__(self, model: str, include_usage: bool = False, echo: str = "", **extra: Any) -> None:
        self._head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        self._usage, self._echo, self._extra = include_usage, echo, extra
        self._ended: list[Ended] = []
        self._begun: set[int] = set()

    def whole(self, events: Sequence[Event]) -> Json:
        end = whole_of(events)
        texts = {ended.choice: self._echo for ended in events if isinstance(ended, Ended)}
        for event in events:
            if isinstance(event, Said):
                texts[event.choice] += event.text
        finishes = {ended.choice: ended.finish for ended in events if isinstance(ended, Ended)}
        choices = [_one(choice, texts[choice], finishes[choice]) for choice in sorted(finishes)]
        extra = {"usage": openai_usage(end.usage), "linnet": extension(end, **self._extra)}
        return {**self._head, "choices": choices, **extra}

    async def frames(self, run: Run[Event]) -> AsyncGenerator[bytes, None]:
        try:
            async for event in run:
                for chunk in self._chunks(event):
                    yield frame(chunk)
            yield DONE
        except LinnetError as error:
            yield frame(openai_body(error))

    def _chunks(self, event: Event) -> list[Json]:
        if isinstance(event, Said):
            echo = self._echo if event.choice not in self._begun else ""
            self._begun.add(event.choice)
            return [self._chunk(_one(event.choice, echo + event.text, None))]
        if isinstance(event, Ended):
            self._ended.append(event)
        if not isinstance(event, Whole):
            return []
        chunks = [self._chunk(_one(ended.choice, "", ended.finish)) for ended in self._ended]
        chunks[-1]["linnet"] = extension(event, **self._extra)
        if self._usage:
            chunks.append({**self._head, "choices": [], "usage": openai_usage(event.usage)})
        return chunks

    def _chunk(self, choice: Json) -> Json:
        return {**self._head, "choices": [choice], **({"usage": None} if self._usage else {})}


def _one(choice: int, text: str, finish: str | None) -> Json:
    return {"index": choice, "text": text, "finish_reason": finish, "logprobs": None}
