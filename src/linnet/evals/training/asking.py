"""Examples -> lessons: what a model will be asked about each, word for word.

Nothing is composed here. The code that asks in use is run with a Model that notes what it is asked (`Listener`), so
that a change of a prompt changes the lessons with it. What is right comes from the example's calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from linnet.calling import fill
from linnet.calling.choose import CANDIDATES, Chooser, gains_of
from linnet.calling.evidence.parameters import Parameter, parameters
from linnet.calling.native import Native
from linnet.calling.profile import JSON, Way
from linnet.calling.ranking.ranker import fitted, weighing
from linnet.calling.retrieve import Retriever
from linnet.evals.fitting.wide import widened
from linnet.evals.judge import plain
from linnet.evals.training.example import Example
from linnet.evals.training.lesson import Kind, Lesson, Piece
from linnet.evals.training.written import written
from linnet.messages import Message, ToolCall
from linnet.requests import Capabilities, Done, Event, Generate, Model, Prompt, Request, Score, Segment
from linnet.tools import Tool

GUIDED: tuple[Kind, ...] = ("choose", "fill", "write")
"""What a guided model is asked. Whole calls take four times the tokens, and pay only in long trainings."""

KINDS: tuple[Kind, ...] = (*GUIDED, "call")

Render = Callable[[tuple[Message, ...]], Prompt]
"""A conversation as the model's chat template says it, with the beginning of an answer at its end."""

CALLING = Way("native", JSON, constrained=True)
"""The way in which whole calls are asked for."""


def lessons(example: Example, render: Render, kinds: Sequence[Kind] = KINDS) -> Iterator[Lesson]:
    """What is to be learned from an example, and nothing twice. Asked is further than in use as it ships: an adapter
    that is worth it is asked that far. Raises ToolInvalid for a tool that is none."""
    tools = _offered(example)
    with weighing(widened(fitted())):
        guided = [*(_choosing(example, tools) if "choose" in kinds else ()), *_filling(example, tools)]
    yield from (lesson for lesson in guided if lesson.kind in kinds)
    if "call" in kinds:
        yield from _calling(example, tools, render)


def _offered(example: Example) -> tuple[Tool, ...]:
    return _made(tuple(json.dumps([t.name, t.description, t.parameters], sort_keys=False) for t in example.tools))


@lru_cache(maxsize=256)
def _made(specs: tuple[str, ...]) -> tuple[Tool, ...]:
    """Tools once for all examples that are about them."""
    return tuple(Tool.from_schema(*json.loads(spec)) for spec in specs)


@lru_cache(maxsize=64)
def _chooser(tools: tuple[Tool, ...]) -> Chooser:
    return Chooser(tools)


@lru_cache(maxsize=64)
def _retriever(tools: tuple[Tool, ...]) -> Retriever:
    return Retriever(tools)


class Listener:
    """A Model that notes what it is asked, and knows nothing."""

    capabilities = Capabilities("listener", 4096)

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        if isinstance(request, Score):
            return iter((Done(scores=tuple((0.0, 1) for _ in request.continuations)),))
        return iter((Done(text="[]", captures={"value": "null"}),))


def _prompt(request: Request) -> Prompt:
    assert isinstance(request, Score | Generate)
    return tuple(part for part in request.prompt if isinstance(part, Segment))


# --- which tool ----------------------------------------------------------------------------------


def _choosing(example: Example, tools: tuple[Tool, ...]) -> Iterator[Lesson]:
    """Each tool that is wanted against those that are not and none; or none against all. Where evidence settles it
    even so the model is not asked, and time is better spent on what it may be asked."""
    listener = Listener()
    _chooser(tools).choose(listener, example.request)
    if not listener.asked:
        return
    found = _retriever(tools).candidates(example.request, CANDIDATES)
    wanted = {call.name for call in example.calls}
    others = [tool for tool in found if tool.name not in wanted]
    if not wanted and found:
        yield _chosen(example.request, others, 0, "none")
    for tool in found:
        if tool.name in wanted:
            yield _chosen(example.request, [tool, *others], 1, tool.name)


def _chosen(request: str, tools: Sequence[Tool], right: int, name: str) -> Lesson:
    listener = Listener()
    gains_of(listener, tools, request)
    prompts = tuple(_prompt(asked) for asked in listener.asked)
    first = listener.asked[0]
    assert isinstance(first, Score)
    return Lesson("choose", prompts, (Piece(first.continuations[0]),), right, name)


# --- which value ---------------------------------------------------------------------------------


def _filling(example: Example, tools: Sequence[Tool]) -> Iterator[Lesson]:
    """Of an example with one call: the values that evidence leaves in doubt, and those that it has none for."""
    if len(example.calls) != 1:
        return
    call = example.calls[0]
    tool = next(tool for tool in tools if tool.name == call.name)
    listener = Listener()
    fill.fill(listener, tool, example.request)
    named = {fill._label(parameter): parameter for parameter in parameters(tool)}
    scored = [asked for asked in listener.asked if isinstance(asked, Score)]
    yield from _judged(scored, named, call)
    for asked in listener.asked:
        if isinstance(asked, Generate):
            yield from _invented(asked, named, call)


def _judged(asked: Sequence[Score], named: dict[str, Parameter], call: ToolCall) -> Iterator[Lesson]:
    """Each text that the labels are asked about belongs to one of them, or to none; what could be either's is
    passed over. Of those that belong to none, the best candidates: as many as there are labels."""
    if not asked:
        return
    own = [named.get(_label_of(one)) for one in asked]
    prompts = tuple(_prompt(one) for one in asked)
    nobodys = len(asked) - 1  # the last label is that of no parameter
    strangers = 0
    for text in asked[0].continuations:
        fitting = [i for i, parameter in enumerate(own) if parameter and _is_value(text, parameter, call)]
        strangers += not fitting
        if len(fitting) == 1 or (not fitting and strangers < len(asked)):
            yield Lesson("fill", prompts, (Piece(text),), fitting[0] if fitting else nobodys, text.strip())


def _label_of(asked: Score) -> str:
    """What the last line of the prompt begins."""
    text = _prompt(asked)[-1].text
    return text[text.rindex("\n") :]


def _is_value(text: str, parameter: Parameter, call: ToolCall) -> bool:
    value = _value(call, parameter)
    return value is not None and plain(fill._worded(value)) == plain(text.strip())


def _value(call: ToolCall, parameter: Parameter) -> Any:
    """None where the call has none."""
    value: Any = call.arguments
    for part in parameter.path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _invented(asked: Generate, named: dict[str, Parameter], call: ToolCall) -> Iterator[Lesson]:
    text = _prompt(asked)[-1].text
    parameter = named.get(text[text.rindex("\n") :].removesuffix(" "))
    value = None if parameter is None else _value(call, parameter)
    if parameter is not None and value is not None:
        yield Lesson("write", (_prompt(asked),), (Piece(json.dumps(value, ensure_ascii=False)),), 0, parameter.name)


# --- whole calls ---------------------------------------------------------------------------------


class _Unanswered(Exception):
    """Ends asking once the question is known."""


class _Overhearer(Listener):
    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        raise _Unanswered


def _calling(example: Example, tools: tuple[Tool, ...], render: Render) -> Iterator[Lesson]:
    """All calls as JSON, where the tools that they need are among those that the model is told of."""
    told = _retriever(tools).candidates(example.request, CALLING.tools)
    if not {call.name for call in example.calls} <= {tool.name for tool in told}:
        return
    asked = _overheard(Native(_Overhearer(), tools, CALLING), example.request)
    if asked is not None:
        messages = tuple(part for part in asked.prompt if isinstance(part, Message))
        yield Lesson("call", (render(messages),), written(example.calls, told))


def _overheard(native: Native, request: str) -> Generate | None:
    model: Model = native._model
    assert isinstance(model, _Overhearer)
    try:
        native.call(request)
    except _Unanswered:
        asked = model.asked[-1]
        return asked if isinstance(asked, Generate) else None
    return None
