"""One case asked by one variant: the answer as it is kept, and the outcome that checks make of it.

An answer is what a model was paid for; whether it is right is worked out anew each time, so that checks can change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linnet.agent.wording import Wording
from linnet.calling.dialects.families import parse
from linnet.calling.native import described
from linnet.calling.repair import repair_call
from linnet.calling.way import caller_for
from linnet.errors import LinnetError
from linnet.evals.behaviour import spoken_in
from linnet.evals.lab.check import Said, fault_of
from linnet.evals.lab.notation import told
from linnet.evals.lab.plan import Case, Variant
from linnet.messages import Message, ToolCall
from linnet.requests import Generate, Model, Usage, complete
from linnet.tools import Tool

Call = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What came back. `calls` are `{name, arguments}`, as read and repaired; `written` is all that the model said
    where calls were read out of it. `notes` tell what was not as it should be (cut, repaired, degraded), and `error`
    is the described error that stood in for an answer."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    usage: Usage = Usage()
    seconds: float = 0.0
    written: str = ""
    notes: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """An answer, held against its case: `fault` is "" where it is right. `kept` says that it was asked in an earlier
    run, and read from its journal."""

    variant: Variant
    case: Case
    answer: Answer
    fault: str
    kept: bool = False

    @property
    def right(self) -> bool:
        return not self.fault

    def describe(self) -> dict[str, Any]:
        """The one JSON form, flat."""
        return {
            "variant": self.variant.name,
            "case": self.case.id,
            "right": self.right,
            "fault": self.fault,
            **described_answer(self.answer),
            "kept": self.kept,
        }


def described_answer(answer: Answer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "calls": list(answer.calls),
        "written": answer.written,
        "seconds": round(answer.seconds, 4),
        **asdict(answer.usage),
        "notes": list(answer.notes),
        "error": answer.error,
    }


def judged(variant: Variant, case: Case, answer: Answer, tools: Sequence[Tool], *, kept: bool = False) -> Outcome:
    """Whether an answer is right. One that is an error is not, whatever its case wants."""
    if answer.error is not None:
        return Outcome(variant, case, answer, f"{answer.error['code']}: {answer.error['message']}", kept)
    said = Said(answer.text, answer.calls, {tool.name: tool.parameters["properties"] for tool in tools})
    return Outcome(variant, case, answer, fault_of(case.checks, said), kept)


def ask(model: Model, variant: Variant, case: Case, tools: Sequence[Tool]) -> Answer:
    """Nothing is raised but what asks the program to stop: an error is the answer."""
    started = time.monotonic()
    try:
        answer = _asked(model, variant, case, tools)
    except Exception as error:
        told = error if isinstance(error, LinnetError) else LinnetError(f"unexpected {type(error).__name__}: {error}")
        answer = Answer(error=told.describe())
    return Answer(**{**vars(answer), "seconds": time.monotonic() - started})


def _asked(model: Model, variant: Variant, case: Case, tools: Sequence[Tool]) -> Answer:
    if way := variant.notation.way:
        made = caller_for(model, tools, spoken_in(way, model)).call(
            _filled(variant.prompt.user, variant, case, tools)
        )
        notes = tuple(step.detail for step in made.steps if step.kind == "refuse")
        return Answer(calls=_plain(made.calls), usage=made.usage, notes=(*notes, *_repairs(made.calls)))
    if variant.notation.dialect:
        return _in_dialect(model, variant, case, tools)
    return _said(model, variant, _messages(variant, case, tools))


def _messages(variant: Variant, case: Case, tools: Sequence[Tool]) -> tuple[Message, ...]:
    """Nothing of them is trusted: a case is data, and has no control tokens to give."""
    system, user = (_filled(text, variant, case, tools) for text in (variant.prompt.system, variant.prompt.user))
    if variant.notation.dialect and "tools" not in variant.prompt.fields:
        system = "\n\n".join(filter(None, (system, told(described(tools), variant.notation.example))))
    return (*([Message("system", system)] if system else []), Message("user", user))


def _filled(template: str, variant: Variant, case: Case, tools: Sequence[Tool]) -> str:
    around = {"tools": "\n".join(described(tools)), "call": variant.notation.example}
    return Wording(template).fill({**around, **case.values}) or ""


def _said(model: Model, variant: Variant, messages: tuple[Message, ...]) -> Answer:
    knobs = variant.knobs
    request = Generate(
        messages,
        answer_start=variant.prompt.start,
        constraint=variant.notation.constraint,
        sampling=knobs.sampling,
        stop=knobs.stop,
        max_tokens=knobs.max_tokens,
    )
    done = complete(model, request)
    cut = (f"cut at {knobs.max_tokens} tokens",) if done.finish == "length" else ()
    return Answer(done.text, usage=done.usage, notes=(*cut, *done.degraded))


def _in_dialect(model: Model, variant: Variant, case: Case, tools: Sequence[Tool]) -> Answer:
    """Calls of unknown tools stay, so that they are judged as what they are."""
    said = _said(model, variant, _messages(variant, case, tools))
    written = variant.prompt.start + said.text
    parsed = parse(written, variant.notation.dialect, tools)
    calls = tuple(repair_call(call, tools).call for call in parsed.calls)
    notes = (*said.notes, *(failed.reason for failed in parsed.failures), *_repairs(calls))
    notes += tuple(f"{name} is no tool on offer" for name in parsed.unknown)
    made = (*_plain(calls), *({"name": name, "arguments": {}} for name in parsed.unknown))
    return Answer(parsed.content, made, said.usage, written=written, notes=notes)


def _plain(calls: Sequence[ToolCall]) -> tuple[Call, ...]:
    return tuple({"name": call.name, "arguments": call.arguments} for call in calls)


def _repairs(calls: Sequence[ToolCall]) -> tuple[str, ...]:
    return tuple(repair for call in calls for repair in call.repairs)
