"""One text of a model, read as it arrives: content, thinking and calls told apart.

Hides what is common to all dialects: thinking blocks, quotations, end-of-turn tokens, the bounds, and what
becomes of a text that began like a call. Feeding a text in any pieces gives what feeding it whole gives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from linnet.calling.dialects.dialect import Dialect, Offer
from linnet.calling.dialects.parsed import Called, Content, Event, Failed, Reasoning
from linnet.calling.dialects.prose import Prose
from linnet.calling.dialects.source import Marks, NotACall, Reading, Source
from linnet.limits import LIMITS

ENDS = (
    *("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>", "<turn|>"),
    *("<｜end▁of▁sentence｜>", "</s>"),
)
"""End-of-turn tokens that an engine may leave at the end of a text; anywhere else they are text."""


@dataclass(frozen=True)
class Thinking:
    """The marks of a thinking block. `label` is a first line that belongs to the mark (Gemma 4's `thought`)."""

    begin: str = "<think>"
    end: str = "</think>"
    label: str = ""


@dataclass(frozen=True)
class Reader:
    """How a text is to be read. `full` splits thinking off; else it stays in the content, marks and all.

    `strict`: "name" leaves a call of a tool that is not offered as text, "schema" also one that lacks a
    required argument. `sentencepiece`: a tokenizer's letters for blanks may have been left in the text.
    """

    dialect: Dialect
    offer: Offer = field(default_factory=Offer)
    thinking: Thinking = field(default_factory=Thinking)
    starts_in_reasoning: bool = False
    full: bool = True
    strict: str = ""
    sentencepiece: bool = False

    def start(self) -> Parser:
        return Parser(self)

    def events(self, text: str) -> list[Event]:
        """Those of a whole text."""
        parser = self.start()
        return [*parser.feed(text), *parser.close()]


class Parser:
    """Reads one text; use once. Both methods return what became certain: content at once, calls when whole."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.source = Source()
        self.prose = Prose()
        self.calls = self.attempts = 0
        thinking = reader.thinking
        self.in_content = _both(reader.dialect, thinking.begin, *ENDS)
        self.in_thinking = _both(reader.dialect, thinking.end)
        self.in_either = _both(reader.dialect, thinking.begin, thinking.end, *ENDS)
        self.blanks = _Blanks() if reader.sentencepiece else None
        self.running = self._run()

    def feed(self, text: str) -> list[Event]:
        self.source.push(self.blanks.restored(text) if self.blanks else text)
        return self._drained()

    def close(self) -> list[Event]:
        """Everything that was held back. No feeding after it."""
        self.source.ended = True
        return self._drained()

    def _drained(self) -> list[Event]:
        events: list[Event] = []
        for event in self.running:
            if event is None:
                break
            if isinstance(event, Reasoning) and not self.reader.full:
                event = Content(event.text)
            events.append(event)
        return events

    @property
    def spent(self) -> bool:
        """Whether no further call is looked for."""
        return self.attempts > LIMITS.parse_attempts

    # --- the states ------------------------------------------------------------------------------

    def _run(self) -> Reading[None]:
        thinking = self.reader.thinking
        if self.reader.starts_in_reasoning:
            yield from self._thinking((yield from self.source.accept(thinking.begin)))
        elif thinking.label and (yield from self.source.accept(thinking.label)):
            yield from self._thinking("", labelled=True)
        yield from self._content()

    def _content(self, until: str = "") -> Reading[bool]:
        """Content to the end of the text; or, returning true, to `until`."""
        marks = self.in_either if until else self.in_content
        fresh = not until
        while not self.source.done:
            if fresh and self.reader.dialect.bare and not self.spent:
                yield from self._bare()
            text, mark = yield from self.source.some(marks[self.spent])
            yield from self._say(text)
            fresh = mark == self.reader.thinking.begin
            if mark == until != "":
                return True
            if mark in ENDS:
                yield from self._end_of_turn(mark)
            elif fresh and not self.prose.quoted:
                yield from self._thinking(mark)
            elif mark:
                yield from self._attempt(mark)
        return False

    def _bare(self) -> Reading[None]:
        """A call without a marker, where content begins."""
        yield from self._say((yield from self.source.space()))
        letter = yield from self.source.peek()
        if letter and letter in self.reader.dialect.bare:
            yield from self._attempt("")

    def _end_of_turn(self, mark: str) -> Reading[None]:
        space = yield from self.source.space()
        if not self.source.done and not (yield from self.source.peek()).startswith("<"):
            yield from self._say(mark + space)

    def _thinking(self, mark: str, *, labelled: bool = False) -> Reading[None]:
        """To the end of a thinking block. A whole call in it ends it, unless its end mark comes after all."""
        reader, source = self.reader, self.source
        if mark and not reader.full:
            yield Content(mark)
        if reader.thinking.label and not labelled:
            label = yield from source.accept(reader.thinking.label)
            yield from self._think("" if reader.full else label)
        while not source.done:
            text, mark = yield from source.some(self.in_thinking[self.spent])
            yield from self._think(text)
            if mark == reader.thinking.end:
                yield from self._think("" if reader.full else mark)
                break
            if mark and (yield from self._called_while_thinking(mark)):
                break
        self.prose = Prose()

    def _called_while_thinking(self, mark: str) -> Reading[bool]:
        """Whether the block ended: with a call in it that no end mark follows, or with its end mark."""
        held: list[Event] = []
        record, calls = self.source.record(), self.calls
        try:
            yield from _captured(self._attempt(mark), held)
            if self.calls == calls:
                yield from self._think(mark + record.text())
                return False
            end = self.reader.thinking.end
            if (yield from _captured(self._content(until=end), held)):
                self.calls = calls
                text = mark + record.text()
                yield from self._think(text.removesuffix(end) if self.reader.full else text)
            else:
                yield from held
            return True
        finally:
            record.close()

    # --- what is said ----------------------------------------------------------------------------

    def _say(self, text: str) -> Reading[None]:
        if text:
            self.prose.feed(text)
            yield Content(text)

    def _think(self, text: str) -> Reading[None]:
        if text:
            self.prose.feed(text)
            yield Reasoning(text)

    def _attempt(self, mark: str) -> Reading[None]:
        """A call that may begin with `mark`; its text is content when it is none."""
        quoted = self.prose.quoted and not (mark.startswith("```") and self.prose.begins_line)
        if quoted or self.attempts >= LIMITS.parse_attempts or self.calls >= LIMITS.parse_calls:
            yield from self._refused(mark, quoted)
            return
        self.attempts += 1
        record, said = self.source.record(), mark
        self.source.fuse = LIMITS.call_chars
        try:
            for event in self.reader.dialect.read(self.source, mark, self.reader.offer):
                if isinstance(event, Called):
                    event = self._admitted(event)
                    record.restart()
                    said = ""
                elif event is not None:
                    self.prose.feed(getattr(event, "text", ""))
                    record.restart()
                    said = ""
                yield event
        except NotACall as why:
            yield from self._failed(why, said, record.text())
        finally:
            self.source.fuse = float("inf")
            record.close()

    def _refused(self, mark: str, quoted: bool) -> Reading[None]:
        if not quoted and self.attempts <= LIMITS.parse_attempts:
            self.attempts = LIMITS.parse_attempts + 1
            reason = (
                f"the text holds more than {LIMITS.parse_calls} calls, or {LIMITS.parse_attempts} beginnings of one"
            )
            yield Failed(reason, mark)
        yield from self._say(mark)

    def _failed(self, why: NotACall, mark: str, text: str) -> Reading[None]:
        if mark or text or self.calls >= LIMITS.parse_calls:
            yield Failed(why.reason, mark + text)
        kept = {"all": mark + text, "body": text}.get(why.keep, "")
        yield from self._say(kept)

    def _admitted(self, call: Called) -> Called:
        """The call, if its family lets it be one."""
        offer, strict = self.reader.offer, self.reader.strict
        if self.calls >= LIMITS.parse_calls:
            raise NotACall(f"the text holds more than {LIMITS.parse_calls} calls")
        if strict and offer.known and call.name not in offer.schemas:
            raise NotACall(f"there is no tool {call.name!r}")
        missing = offer.missing(call) if strict == "schema" else []
        if missing:
            raise NotACall(f"{call.name} lacks {', '.join(missing)}")
        self.calls += 1
        return call


@lru_cache(maxsize=256)
def _both(dialect: Dialect, *others: str) -> tuple[Marks, Marks]:
    """What to look for: with the marks of calls, and without them once no call is looked for any more."""
    return dialect.marks(others), Marks(others)


def _captured(reading: Reading[bool] | Reading[None], held: list[Event]) -> Reading[bool]:
    """Lets a reading go on, and keeps its events back."""
    while True:
        try:
            event = next(reading)
        except StopIteration as end:
            return bool(end.value)
        if event is None:
            yield None
        else:
            held.append(event)


class _Blanks:
    """A tokenizer's letters for a blank and a line end, put back; until a real one shows that there are none."""

    def __init__(self) -> None:
        self.real = False

    def restored(self, text: str) -> str:
        if self.real:
            return text
        cut = next((i for i, letter in enumerate(text) if letter in " \n"), len(text))
        self.real = cut < len(text)
        return text[:cut].replace("Ġ", " ").replace("Ċ", "\n") + text[cut:]


def whole(events: Iterable[Event]) -> list[Event]:
    """The events with neighbouring texts of one kind joined: what does not depend on how the text was fed."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Content | Reasoning) and type(last) is type(event):
            joined[-1] = type(event)(last.text + event.text)
        else:
            joined.append(event)
    return joined
