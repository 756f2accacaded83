"""One bounded turn: rules, then the model; each call checked, run under its deadline, and answered for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

from linnet.agent.claims import checked
from linnet.agent.context.fit import Fitter
from linnet.agent.events import Teller, Watch
from linnet.agent.execute import Approve, made, refused
from linnet.agent.guard import Guard
from linnet.agent.permit import Permit
from linnet.agent.record import Record
from linnet.agent.result import Result
from linnet.agent.router import Decision, Router
from linnet.agent.taint import Taint
from linnet.agent.within import Within
from linnet.calling.evidence.placeholders import placeholders
from linnet.calling.evidence.quotations import quoted
from linnet.calling.unheard import unheard
from linnet.calling.way import Caller
from linnet.errors import LinnetError
from linnet.limits import LIMITS
from linnet.messages import Message, Step, ToolCall, ToolResult
from linnet.requests import Done, Generate, Usage
from linnet.tools import Permission, Tool, spoken

if TYPE_CHECKING:
    from linnet.agent.journal import Run
    from linnet.agent.memory import Memory

_HALVES = re.compile("[\ud800-\udfff]")
"""Lone surrogates: no text that can be encoded, and so none that a model can be asked."""

_THEN = re.compile(r"\s*(?:[.;,]|\band\b)\s*then\s+", re.IGNORECASE)


class Turn:
    """The state of one request on its way to a Result."""

    def __init__(
        self,
        model: Within,
        guide: Caller | None,
        tools: Sequence[Tool],
        granted: Permit,
        approve: Approve | None,
        answer_tokens: int,
        *,
        router: Router | None = None,
        fitter: Fitter | None = None,
        memory: Memory | None = None,
        run: Run | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`guide` is None where the model is not to call anything; `memory` is told of the turn, and asked; `run` is
        the journal in which no call is made twice."""
        self._record, self._run = Record(memory), run
        self._fitter = fitter.over(model) if fitter else Fitter(model)
        self._model, self._guide, self._router = model, guide, (router or Router()).over(tools)
        self._tools = {tool.name: tool for tool in tools}
        self._answer_tokens = answer_tokens
        self._granted, self._approve = granted, approve
        self._ids = count(1)
        self._guard = Guard()
        self._taint = Taint("")
        self._teller = Teller(watch)
        self._now = model.now
        self._steps: list[Step] = []
        self._calls: list[ToolResult] = []
        self._usage = Usage()
        self._dropped: tuple[str, ...] = ()
        self._degraded: tuple[str, ...] = ()
        self._failure: dict[str, Any] | None = None

    def run(self, text: str, history: Sequence[Message]) -> Result:
        """Each part of a request ("..., then ...") in order, until one fails or the limit of calls is reached.
        Raises RunUnderWay."""
        with self._run.alone() if self._run is not None else nullcontext():
            ended = self._run and self._run.result
            return ended or self._gone(text, history)

    def _gone(self, text: str, history: Sequence[Message]) -> Result:
        self._record.begin(text)
        self._taint = Taint(text, history, list(self._tools.values()))
        result = self._taken(_parts(self._whole(text)), history)
        self._record.end(result)
        if self._run is not None and self._failure is None:  # else it can go on under the same id
            self._run.end(result)
        return result

    def _taken(self, parts: Sequence[str], history: Sequence[Message]) -> Result:
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
            self._teller.steps(self._steps)
            self._teller.part(answer)
            how = max(how, produced, key=_weight)
            if self._error or produced == "abstained":
                break
        return self._result("\n".join(answers), how)

    def _whole(self, text: str) -> str:
        whole, halves = _HALVES.subn("\N{REPLACEMENT CHARACTER}", text)
        if halves:
            self._degraded += (f"{halves} lone surrogates of the request were replaced",)
        if unfilled := placeholders(whole):
            self._degraded += (f"the request has {', '.join(unfilled[:3])} in it, which nobody filled",)
        return whole

    def _answer(self, text: str, history: Sequence[Message]) -> tuple[str, str]:
        start = self._now()
        decision = self._router.consider(text)
        self._steps.append(Step("route", decision.why, self._now() - start, start=start))
        self._teller.steps(self._steps)  # now: what follows may take a while
        if decision.tool is not None:
            return self._do(ToolCall(decision.tool.name, decision.arguments, how="rule")), "rule"
        if decision.answer is not None:
            return decision.answer, decision.how
        if decision.prompt is not None and (said := self._prompted(decision, decision.prompt)) is not None:
            return said
        if self._guide is None or not self._tools:
            return self._say(text, history)
        start = self._now()
        guided = self._guide.call(text)
        self._usage += guided.usage
        self._steps += (step.later(start) for step in guided.steps)
        if guided.calls:
            calls, answers = list(guided.calls), [self._do(call) for call in guided.calls]
            for call in self._rest(text, guided.calls):
                calls.append(call)
                answers.append(self._do(call))
            by_code = all(call.how == "evidence" for call in calls)
            return "\n".join(answers), "rule" if by_code else "model"
        if guided.problem is not None and guided.wanted is not None:
            name = guided.wanted.name
            return f"I would use {name}, but {guided.problem.message.removeprefix(f'{name}: ')}.", "abstained"
        return self._say(text, history)

    def _rest(self, text: str, calls: Sequence[ToolCall]) -> Iterator[ToolCall]:
        """Calls for what the request orders beside those: each order is asked for by itself, once, and one that leads
        to none is told."""
        assert self._guide is not None
        orders = unheard(text, calls, self._tools)
        for order in orders[: LIMITS.turn_steps]:
            start = self._now()
            guided = self._guide.call(order)
            self._usage += guided.usage
            self._steps += (step.later(start) for step in guided.steps)
            if not guided.calls:
                why = f": {guided.problem.message}" if guided.problem is not None else ""
                self._degraded += (f"nothing was done about {order!r}{why}",)
            yield from guided.calls
        self._degraded += tuple(f"nothing was done about {order!r}" for order in orders[LIMITS.turn_steps :])

    def _prompted(self, decision: Decision, prompt: str) -> tuple[str, str] | None:
        """The model's answer to an intent's prompt; where it fails a check what stands in, or None."""
        answer, how = self._say(prompt, (), held=bool(decision.intent and decision.intent.checks))
        failed = decision.failed(answer)
        if not failed:
            return answer, how
        self._degraded += (f"the model's answer failed the check {', '.join(failed)}",)
        return None if decision.otherwise is None else (decision.otherwise, decision.how)

    def _do(self, call: ToolCall) -> str:
        tool = self._tools[call.name]
        call = ToolCall(call.name, call.arguments, f"call-{next(self._ids)}", call.how, call.repairs)
        if why := self._guard.objection(call):
            self._degraded += (why,)
            return f"{call.name} was done already."
        self._teller.steps(self._steps)
        start = self._now()
        done = self._once(tool, call)
        self._calls.append(done)
        self._teller.tell(done)
        began = max(start, self._now() - done.seconds)  # behind the wait for a permission
        self._steps.append(Step("tool", done.call.name, done.seconds, start=began))
        if done.error is not None:
            return f"{done.call.name} did not work: {done.error['message']}"
        tool = self._tools.get(done.call.name, tool)
        return tool.render_answer(done.call.arguments, done.value) or spoken(done.value)

    def _once(self, tool: Tool, call: ToolCall) -> ToolResult:
        """The outcome of a call, from the run's journal where it was begun before: then it is not made."""
        self._teller.tell(call)
        self._record.intend(call)
        done = self._run.known(call) if self._run is not None else None
        if done is None:
            done = self._refused(tool, call) or self._made(tool, call)
        else:
            self._guard.repeats(done.call)
            self._degraded += (f"{done.call.name} was begun before the program ended, and was not run again",)
            if (done.call.name, done.call.arguments) != (call.name, call.arguments):
                self._degraded += (f"{call.name} was wanted in its place now; the earlier decision stands",)
            self._taint.read(self._tools.get(done.call.name, tool))
        self._record.outcome(done)
        return done

    def _refused(self, tool: Tool, call: ToolCall) -> ToolResult | None:
        because = self._taint.because(tool, call)
        done = refused(tool, call, self._granted, self._approve, because)
        if because:
            detail = f"{call.name} needed {Permission.SEND_TAINTED}: {because}"
            self._steps.append(Step("taint", detail, start=self._now()))
        return done

    def _made(self, tool: Tool, call: ToolCall) -> ToolResult:
        if self._run is not None:
            self._run.enter(call)
        done = made(tool, call)
        if self._run is not None:
            self._run.leave(done)
        self._taint.read(tool)
        return done

    def _say(self, text: str, history: Sequence[Message], *, held: bool = False) -> tuple[str, str]:
        """The model's own words, where no tool is wanted; `held` back where a check may refuse them."""
        self._teller.steps(self._steps)
        start = self._now()
        known = self._recalled(text)
        fitting = self._now()
        fitted = self._fitter.fit(history, Message("user", text), self._answer_tokens, known=known)
        self._dropped += fitted.dropped
        self._usage += fitted.usage
        self._steps += (step.later(fitting) for step in fitted.steps)
        asked = self._now()
        done = self._listen(Generate(fitted.messages, max_tokens=self._answer_tokens), held)
        self._usage += done.usage
        if done.finish == "length":
            self._degraded += (f"the answer was cut at {done.usage.generated_tokens} tokens",)
        if not done.text.strip():
            self._degraded += ("the model had nothing to say",)
        data = {"usage": asdict(done.usage)} | ({"context": fitted.sizes} if fitted.sizes else {})
        usage = fitted.usage + done.usage
        self._steps += (step.later(asked) for step in done.steps)
        self._steps.append(Step("answer", "in the model's own words", self._now() - start, data, start, usage))
        return self._held_against(done, fitted.messages)

    def _held_against(self, done: Done, messages: Sequence[Message]) -> tuple[str, str]:
        """An answer held against what was done and told, and what it came from."""
        about = {name: tool.description for name, tool in self._tools.items()}
        earlier = (call for message in messages for call in message.calls)
        said = checked(done.text.strip(), (m.content for m in messages), self._calls, about, earlier)
        self._degraded += said.findings
        return said.text, done.how or "model"

    def _recalled(self, text: str) -> list[str] | None:
        start = self._now()
        facts = self._record.recall(text)
        if facts:
            data = {"facts": [fact.id for fact in facts]}
            detail = f"{len(facts)} facts that share words with the request"
            self._steps.append(Step("recall", detail, self._now() - start, data, start))
        return None if facts is None else [fact.text for fact in facts]

    def _listen(self, request: Generate, held: bool = False) -> Done:
        """The end of an answer, or the answer so far once it goes round in circles."""
        text, tokens = "", 0
        for event in self._model.stream(request):
            if isinstance(event, Done):
                return event
            text, tokens = text + event.text, tokens + len(event.tokens)
            if not held:
                self._teller.piece(event.text)
            if why := self._guard.runaway(text, tokens / request.max_tokens):
                self._degraded += (f"the answer was stopped because {why}",)
                said = "" if self._guard.thinks(text) else text
                return Done(said, usage=Usage(generated_tokens=tokens))
        raise AssertionError("a Model's stream ended without Done")

    @property
    def _error(self) -> dict[str, Any] | None:
        return self._failure or (self._calls[-1].error if self._calls else None)

    @property
    def _unnoted(self) -> tuple[str, ...]:
        return self._run.degraded if self._run is not None else ()

    def _result(self, answer: str, how: str) -> Result:
        cached = self._model.cached
        if cached:
            detail = f"{len(cached)} of {self._model.asked} answers of the model were remembered"
            self._steps.append(Step("cache", detail, data={"how": list(dict.fromkeys(cached))}, start=self._now()))
            how = "cache" if how == "model" and len(cached) == self._model.asked else how
        asked = self._usage != Usage() or bool(cached)
        return Result(
            answer=answer,
            how=how,
            calls=tuple(self._calls),
            steps=tuple(self._steps),
            usage=self._usage,
            seconds=self._now(),
            dropped=self._dropped,
            degraded=(*self._model.degraded, *self._degraded, *self._record.degraded, *self._unnoted),
            model=self._model.capabilities.name if asked else "",
            encoding=self._model.capabilities.encoding if asked else "",
            error=self._error,
            questions=self._model.questions,
        )


def _weight(how: str) -> int:
    """What a result says of several parts: what is furthest from code alone, the earlier of two alike."""
    kinds = ("rule", "intent", "cache", "model")
    return kinds.index(how) if how in kinds else len(kinds) + (how == "abstained")


def _parts(text: str) -> list[str]:
    """The steps of a request, in order; a "then" inside a quotation is no step."""
    if any(_THEN.search(quotation) for quotation in quoted(text)):
        return [text]
    return [part for part in _THEN.split(text) if part]
