"""One bounded turn: rules, then the model; each call checked, run under its deadline, and answered for."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from linnet.agent.context import fit
from linnet.agent.execute import Approve, execute
from linnet.agent.guard import Guard
from linnet.agent.result import Result
from linnet.agent.router import Router
from linnet.agent.within import Within
from linnet.calling.evidence.quotations import quoted
from linnet.calling.way import Caller
from linnet.errors import LinnetError, RequestTooLarge
from linnet.limits import LIMITS
from linnet.messages import Message, Step, ToolCall, ToolResult
from linnet.requests import Count, Done, Generate, Usage, complete
from linnet.tools import Permission, Tool, spoken

_HALVES = re.compile("[\ud800-\udfff]")
"""Lone surrogates: no text that can be encoded, and so none that a model can be asked."""

_THEN = re.compile(r"\s*(?:[.;,]|\band\b)\s*then\s+", re.IGNORECASE)

_SYSTEM = Message("system", "You are a helpful assistant.", trusted=True)
"""Said when the caller says nothing: with the default that its own template puts there, SmolLM2 answers worse
than with any other (docs/log.md)."""


class Turn:
    """The state of one request on its way to a Result."""

    def __init__(
        self,
        model: Within,
        guide: Caller,
        tools: Sequence[Tool],
        granted: frozenset[Permission],
        approve: Approve | None,
        answer_tokens: int,
    ) -> None:
        self._model, self._guide, self._router = model, guide, Router(tools)
        self._tools = {tool.name: tool for tool in tools}
        self._answer_tokens = answer_tokens
        self._granted, self._approve = granted, approve
        self._ids = count(1)
        self._guard = Guard()
        self._started = time.monotonic()
        self._steps: list[Step] = []
        self._calls: list[ToolResult] = []
        self._usage = Usage()
        self._dropped: tuple[str, ...] = ()
        self._degraded: tuple[str, ...] = ()
        self._failure: dict[str, Any] | None = None

    def run(self, text: str, history: Sequence[Message]) -> Result:
        """Each part of a request ("..., then ...") in order, until one fails or the limit of calls is reached."""
        parts = _parts(self._whole(text))
        if len(parts) > LIMITS.turn_steps:
            self._degraded += (f"only the first {LIMITS.turn_steps} of {len(parts)} steps were taken",)
        answers: list[str] = []
        how = "rule"
        for part in parts[: LIMITS.turn_steps]:
            try:
                answer, produced = self._answer(part, history)
            except LinnetError as error:
                if not self._calls:
                    raise
                # What was done must be told, so the error goes into the result.
                self._failure, answer, produced = error.describe(), f"I could not go on: {error.message}", how
            answers.append(answer)
            how = produced if produced != "rule" else how
            if self._error or produced == "abstained":
                break
        return self._result("\n".join(answers), how)

    def _whole(self, text: str) -> str:
        whole, halves = _HALVES.subn("\N{REPLACEMENT CHARACTER}", text)
        if halves:
            self._degraded += (f"{halves} lone surrogates of the request were replaced",)
        return whole

    def _answer(self, text: str, history: Sequence[Message]) -> tuple[str, str]:
        decision = self._router.decide(text)
        if decision is not None:
            self._steps.append(Step("route", decision.why))
            return self._do(ToolCall(decision.tool.name, decision.arguments, how="rule")), "rule"
        self._steps.append(Step("route", "no rule matches"))
        if not self._tools:
            return self._say(text, history), "model"
        guided = self._guide.call(text)
        self._usage += guided.usage
        self._steps += guided.steps
        if guided.calls:
            by_code = all(call.how == "evidence" for call in guided.calls)
            return "\n".join(map(self._do, guided.calls)), "rule" if by_code else "model"
        if guided.problem is not None and guided.wanted is not None:
            name = guided.wanted.name
            return f"I would use {name}, but {guided.problem.message.removeprefix(f'{name}: ')}.", "abstained"
        return self._say(text, history), "model"

    def _do(self, call: ToolCall) -> str:
        tool = self._tools[call.name]
        call = ToolCall(call.name, call.arguments, f"call-{next(self._ids)}", call.how, call.repairs)
        if self._guard.repeats(call):
            self._degraded += (f"the call of {call.name} was asked for twice and made once",)
            return f"{call.name} was done already."
        done = execute(tool, call, self._granted, self._approve)
        self._calls.append(done)
        self._steps.append(Step("tool", call.name, done.seconds))
        if done.error is not None:
            return f"{call.name} did not work: {done.error['message']}"
        return tool.render_answer(done.call.arguments, done.value) or spoken(done.value)

    def _say(self, text: str, history: Sequence[Message]) -> str:
        """The model's own words, where no tool is wanted."""
        started = time.monotonic()
        context = self._model.capabilities.context
        budget = context - min(self._answer_tokens, context // 2)
        kept, dropped = fit(history, Message("user", text), budget, self._count)
        self._dropped += dropped
        system = () if any(message.role == "system" for message in kept) else (_SYSTEM,)
        done = self._listen(Generate((*system, *kept), max_tokens=self._answer_tokens))
        self._usage += done.usage
        if done.finish == "length":
            self._degraded += (f"the answer was cut at {done.usage.generated_tokens} tokens",)
        if not done.text.strip():
            self._degraded += ("the model had nothing to say",)
        self._steps.append(Step("answer", "in the model's own words", time.monotonic() - started))
        return done.text.strip()

    def _listen(self, request: Generate) -> Done:
        """The end of an answer, or the answer so far once it goes round in circles."""
        text, tokens = "", 0
        for event in self._model.stream(request):
            if isinstance(event, Done):
                return event
            text, tokens = text + event.text, tokens + len(event.tokens)
            if self._guard.loops(text):
                self._degraded += ("the answer was stopped because it repeated itself",)
                return Done(text, usage=Usage(generated_tokens=tokens))
        raise AssertionError("a Model's stream ended without Done")

    def _count(self, messages: tuple[Message, ...]) -> int:
        try:
            return complete(self._model, Count(messages)).count
        except RequestTooLarge:  # more than is counted is more than fits
            return sys.maxsize

    @property
    def _error(self) -> dict[str, Any] | None:
        return self._failure or (self._calls[-1].error if self._calls else None)

    def _result(self, answer: str, how: str) -> Result:
        return Result(
            answer=answer,
            how=how,
            calls=tuple(self._calls),
            steps=tuple(self._steps),
            usage=self._usage,
            seconds=time.monotonic() - self._started,
            dropped=self._dropped,
            degraded=(*self._model.degraded, *self._degraded),
            model=self._model.capabilities.name if self._usage != Usage() else "",
            encoding=self._model.capabilities.encoding if self._usage != Usage() else "",
            error=self._error,
        )


def _parts(text: str) -> list[str]:
    """The steps of a request, in order; a "then" inside a quotation is no step."""
    if any(_THEN.search(quotation) for quotation in quoted(text)):
        return [text]
    return [part for part in _THEN.split(text) if part]
