"""From a text to what follows it, or to what belongs into a gap: OpenAI's completions and llama-server's."""

from __future__ import annotations

import bisect
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linnet.errors import EmptyRequest, LinnetError
from linnet.interfaces.http.answering import Ended, Event, Said, Whole
from linnet.interfaces.http.errors import openai_body
from linnet.interfaces.http.merging import merged
from linnet.interfaces.http.odds import NONE, Columns, Telling
from linnet.interfaces.http.running import Run
from linnet.interfaces.http.sse import DONE, frame
from linnet.interfaces.http.told import extension, openai_usage, whole_of
from linnet.messages import Step
from linnet.requests import Count, Generate, Model, Piece, Prompt, Segment, Usage
from linnet.requests import complete as counted
from linnet.tokens import Odds, Token

Json = dict[str, Any]

WITHOUT = "the model has no tokens for filling gaps: it continued what is before the gap, not seeing what is behind"


@dataclass(frozen=True)
class Gap:
    """A text to go on from; with a `suffix` (None: there is no gap) what comes behind the gap. `begun` is what of the
    gap is there already: the line that is being typed. `before` are texts from elsewhere that may help, the nearest
    last."""

    prefix: str
    suffix: str | None = None
    begun: str = ""
    before: tuple[str, ...] = ()
    choices: int = 1
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def some(self) -> bool:
        """Whether there is any text at all."""
        return any((self.prefix, self.suffix, self.begun, *self.before))

    def shorter(self, cut: int) -> Gap:
        """Without what is farthest from the gap: one of the texts before for each `cut`, and then one of `PARTS` of
        what is around the gap, the prefix to a beginning of a line, so that the next request begins with it too."""
        away = min(cut, len(self.before))
        share, suffix = cut - away, self.suffix or ""
        start = len(self.prefix) * share // PARTS
        start = (self.prefix.find("\n", start) + 1 or start) if share else 0
        end = len(suffix) - len(suffix) * share // PARTS
        told = (
            (away, f"{away} of the texts before, the farthest ones"),
            (start, f"the first {start:,} characters of the prefix"),
            (len(suffix) - end, f"the last {len(suffix) - end:,} characters of the suffix"),
        )
        return replace(
            self,
            prefix=self.prefix[start:],
            suffix=self.suffix and suffix[:end],
            before=self.before[away:],
            dropped=tuple(text for lost, text in told if lost),
        )


PARTS = 32


def fitted(model: Model, gap: Gap, answer: int) -> Gap:
    """As much of a gap as fits the model's context beside so many tokens of answer, and `dropped` tells of the rest;
    all of it where not even a little would fit."""
    room = model.capabilities.context - answer

    def fits(cut: int) -> bool:
        prompt, _ = prompt_of(model, gap.shorter(cut))
        if sum(len(segment.text.encode(errors="replace")) for segment in prompt) + _CONTROL <= room:
            return True  # no token is less than a byte
        return counted(model, Count(prompt)).count <= room

    cuts = len(gap.before) + PARTS
    found = 0 if fits(0) else bisect.bisect_left(range(cuts), True, lo=1, key=fits)
    return gap.shorter(found) if found < cuts else gap


_CONTROL = 8
"""Tokens that a tokeniser may put around a prompt."""


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
    telling = [Telling() for _ in requests]
    for choice, event in merged([model.stream(request) for request in requests]):
        if isinstance(event, Piece):
            told = telling[choice].said(event)
            if event.text:
                yield Said(event.text, choice, told)
            continue
        counted = replace(event.usage, prompt_tokens=0, cached_tokens=0) if choice else event.usage
        usage = counted if usage is None else usage + counted
        notes += tuple(note for note in event.degraded if note not in notes)
        steps += event.steps
        how = how or event.how
        yield Ended("length" if event.finish == "length" else "stop", choice)
    assert usage is not None
    notes += (NONE,) if own.alternatives is not None and any(one.bare for one in telling) else ()
    yield Whole(how or how_filled(notes), usage, model.capabilities.name, notes, tuple(steps), dropped=gap.dropped)


def how_filled(notes: Sequence[str]) -> str:
    """How an answer came about, by what is told of it."""
    return "fallback:continuation" if WITHOUT in notes else "model"


def prompt_of(model: Model, gap: Gap) -> tuple[Prompt, tuple[str, ...]]:
    """The text is nobody's: none of it is a control token. A model without tokens for gaps sees what is before."""
    infill = model.capabilities.infill
    told = "".join(f"{text}\n" for text in gap.before)
    if gap.suffix is None or infill is None:
        notes = () if gap.suffix is None else (WITHOUT,)
        return (Segment(told + gap.prefix + gap.begun, False),), notes
    return infill.around(told + gap.prefix, gap.suffix, gap.begun), ()


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
        self._columns: defaultdict[int, Columns] = defaultdict(Columns)

    def whole(self, events: Sequence[Event]) -> Json:
        end = whole_of(events)
        texts = {ended.choice: self._echo for ended in events if isinstance(ended, Ended)}
        odds: defaultdict[int, tuple[Odds, ...]] = defaultdict(tuple)
        firsts: dict[int, Token] = {}
        for event in events:
            if isinstance(event, Said):
                texts[event.choice] += event.text
                odds[event.choice] += event.odds
                firsts |= {event.choice: event.first} if event.first else {}
        finishes = {ended.choice: ended.finish for ended in events if isinstance(ended, Ended)}
        choices = [
            _one(choice, texts[choice], finishes[choice], Columns().of(odds[choice], firsts.get(choice)))
            for choice in sorted(finishes)
        ]
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
            odds = self._columns[event.choice].of(event.odds, event.first)
            return [self._chunk(_one(event.choice, echo + event.text, None, odds))]
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


def _one(choice: int, text: str, finish: str | None, odds: Json | None = None) -> Json:
    return {"index": choice, "text": text, "finish_reason": finish, "logprobs": odds}
