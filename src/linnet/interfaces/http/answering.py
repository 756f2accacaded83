"""From a conversation, with tools or without, to calls or words: what every chat protocol here is a spelling of.

Hides which way calls come about (guided or native, as the model's profile says), what follows a tool's result, and
how a call comes about that the client insists on. Whether a call is made is decided by the last user's text; a result
that has come back leads to an answer, or to the next of the calls that the same text wants where they are to be made
one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from linnet.agent.claims import checked
from linnet.agent.context.fit import SYSTEM
from linnet.calling.guided import Guided
from linnet.calling.native import told_of
from linnet.calling.profile import Profile, Way
from linnet.calling.repair import repair
from linnet.calling.way import Caller, guide_for, own_trust, stored_profile
from linnet.errors import ConstraintInvalid, EmptyRequest, ToolArgumentsInvalid
from linnet.interfaces.http import odds
from linnet.interfaces.http.merging import merged
from linnet.messages import Message, Step, ToolCall
from linnet.requests import Done, Generate, Model, Piece, Schema, Usage, complete
from linnet.tokens import Odds, Token
from linnet.tools import Tool, spoken

_ALWAYS = -1e9
"""Log-odds that every tool is over: the client has said that one is to be called."""

_ARGUMENT_TOKENS = 384

_ARGUMENTS = "Now answer with nothing but the arguments of {}, as one JSON object."
"""Said to a model that cannot be begun for."""

_REPORTED = 1_000
"""Characters of results that are said as they are; of more the model makes an answer."""


@dataclass(frozen=True)
class Asked:
    """What is to be answered. `own` is how the model's own words are asked for; its prompt is the conversation.

    `choice` is `auto`, `none`, `required`, or the name of the one tool to call. Without `parallel` one call is made
    at a time.
    """

    own: Generate
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    choices: int = 1
    notes: tuple[str, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(part for part in self.own.prompt if isinstance(part, Message))


Finish = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True)
class Said:
    """More of one of the answers; `odds` are those of its tokens, where they were asked for; `first` is a token
    before those, of which there are none."""

    text: str
    choice: int = 0
    odds: tuple[Odds, ...] = ()
    first: Token | None = None


@dataclass(frozen=True)
class Called:
    """A call, whole; `number` counts those of one answer."""

    call: ToolCall
    number: int
    choice: int = 0


@dataclass(frozen=True)
class Ended:
    """The end of one of the answers."""

    finish: Finish
    choice: int = 0


@dataclass(frozen=True)
class Whole:
    """The end of all: what they cost together, and how they came about. `how` is that of `linnet run`; `dropped` says
    what of the request the model did not see, for it had no room."""

    how: str
    usage: Usage = Usage()
    model: str = ""
    degraded: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    repairs: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


Event = Said | Called | Ended | Whole


def answer(model: Model, asked: Asked, profiled: Model) -> Iterator[Event]:
    """The events of all answers. `profiled` is the model whose profile says how it calls tools: `model` may be
    others around it. Raises a LinnetError where nothing can come, or no more of what has begun."""
    plan = _plan(model, asked, profiled) if asked.tools and asked.choice != "none" else Guided((), Usage(), ())
    plan = replace(plan, calls=_different(plan.calls))
    calls = _due(asked, plan.calls)
    said = "" if calls else _reported(asked, profiled)
    if calls:
        yield from _called(asked, plan, calls, model.capabilities.name)
    elif plan.problem is not None and plan.wanted is not None:
        yield from _unfilled(asked, plan, model.capabilities.name)
    elif said:
        yield from _fixed(asked, plan, said, "rule", model.capabilities.name)
    else:
        yield from _spoken(model, asked, plan)


# --- calls ---------------------------------------------------------------------------------------


def _plan(model: Model, asked: Asked, profiled: Model) -> Guided:
    """The calls that the last user's text wants; none where a result has come back and all were made at once."""
    text = next((m.content for m in reversed(asked.messages) if m.role == "user"), "")
    since = _since(asked)
    if not text.strip() and asked.choice != "auto":
        raise EmptyRequest("a call has to be made, and no user has said a word of what it is to do", param="messages")
    if not text.strip() or asked.own.continues:
        return Guided((), Usage(), ())
    if asked.choice != "auto":
        known = " ".join([text, *(_in_words(m.content) for m in since if m.role == "tool")])
        return _insisted(model, asked, known, profiled)
    if since and asked.parallel:
        return Guided((), Usage(), ())
    return _called_by(guide_for(profiled, asked.tools, *stored_profile(profiled)).over(model), text)


def _insisted(model: Model, asked: Asked, text: str, profiled: Model) -> Guided:
    """A call that has to be made, of another tool than before if there is one: what its results say is known now."""
    made = {call.name for message in _since(asked) for call in message.calls}
    tools = [tool for tool in asked.tools if asked.choice in ("required", tool.name)]
    tools = [tool for tool in tools if tool.name not in made] or tools
    believed = Profile(Way(), "guided", trust=own_trust(profiled))
    guided = _called_by(guide_for(profiled, tools, believed, margin=_ALWAYS).over(model), text)
    return guided if guided.calls else _written(model, asked, guided.wanted or tools[0], guided)


def _called_by(caller: Caller, text: str) -> Guided:
    """None where a tool's schema has no grammar, with the reason: the request can be answered without it."""
    try:
        return caller.call(text)
    except ConstraintInvalid as error:
        return Guided((), Usage(), (Step("refuse", error.message),))


def _since(asked: Asked) -> tuple[Message, ...]:
    """What was said since the user last said something: calls and their results."""
    messages = asked.messages
    begin = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    return messages[begin + 1 :]


def _made(asked: Asked) -> int:
    """Of the calls that are planned, how many were made already."""
    return sum(len(message.calls) for message in _since(asked)) if asked.choice == "auto" else 0


def _different(calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """Each call once: to make the same one twice is of no use to anybody."""
    found: list[ToolCall] = []
    for call in calls:
        if all((call.name, call.arguments) != (other.name, other.arguments) for other in found):
            found.append(call)
    return tuple(found)


def _due(asked: Asked, planned: Sequence[ToolCall]) -> Sequence[ToolCall]:
    if asked.parallel:
        return planned
    made = _made(asked)
    return planned[made : made + 1]


def _written(model: Model, asked: Asked, tool: Tool, guided: Guided) -> Guided:
    """A call that has to be made, though the request does not say all of it: the model writes the arguments."""
    said = tuple(message for message in asked.messages if message.role != "system")
    begun = model.capabilities.rendered
    system = told_of((tool,)) if begun else f"{told_of((tool,))}\n\n{_ARGUMENTS.format(tool.name)}"
    request = Generate(
        (Message("system", system), *said),
        answer_start=f'[{{"name": {json.dumps(tool.name)}, "arguments": ' if begun else "",
        constraint=Schema(dict(tool.parameters)),
        max_tokens=max(1, min(_ARGUMENT_TOKENS, model.capabilities.context // 2)),
    )
    try:
        done = complete(model, request)
    except ConstraintInvalid as error:
        problem = ToolArgumentsInvalid(f"{tool.name}: {error.message}", hint=error.hint)
        return replace(guided, wanted=tool, problem=problem)
    usage = guided.usage + done.usage
    steps = (*guided.steps, Step("fill", f"arguments of {tool.name}, written by the model"))
    try:
        arguments, repairs = repair(tool, _object(done, tool))
        tool.validate(arguments)
    except ToolArgumentsInvalid as problem:
        return Guided((), usage, steps, tool, problem)
    notes = (*repairs, "the arguments were written by the model: the request does not give them")
    return Guided((ToolCall(tool.name, arguments, repairs=notes),), usage, steps)


def _object(done: Done, tool: Tool) -> dict[str, object]:
    try:
        value = json.loads(done.text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ToolArgumentsInvalid(f"{tool.name}: the model wrote no whole arguments ({done.finish})")
    return value


def _called(asked: Asked, plan: Guided, calls: Sequence[ToolCall], model: str) -> Iterator[Event]:
    for choice in range(asked.choices):
        for number, call in enumerate(calls):
            yield Called(call, number, choice)
        yield Ended("tool_calls", choice)
    by_code = all(call.how == "evidence" for call in calls)
    repairs = tuple(f"{call.name}: {told}" for call in calls for told in call.repairs)
    later = len(plan.calls) - len(calls) - _made(asked)
    notes = (f"{later} further calls are to be made one after the other",) if later > 0 else ()
    told = (*asked.notes, *notes, *_oddless(asked))
    yield Whole("rule" if by_code else "model", plan.usage, model, told, plan.steps, repairs)


def _unfilled(asked: Asked, plan: Guided, model: str) -> Iterator[Event]:
    """An honest none: which tool it would have been, and what is missing."""
    assert plan.wanted is not None and plan.problem is not None
    name = plan.wanted.name
    text = f"I would use {name}, but {plan.problem.message.removeprefix(f'{name}: ')}."
    yield from _fixed(asked, plan, text, "abstained", model)


# --- words ---------------------------------------------------------------------------------------


def _fixed(asked: Asked, plan: Guided, text: str, how: str, model: str) -> Iterator[Event]:
    for choice in range(asked.choices):
        yield Said(text, choice)
        yield Ended("stop", choice)
    yield Whole(how, plan.usage, model, (*asked.notes, *_oddless(asked)), plan.steps)


def _oddless(asked: Asked) -> tuple[str, ...]:
    return () if asked.own.alternatives is None else (odds.NONE,)


def _reported(asked: Asked, profiled: Model) -> str:
    """What tools have returned since the user last spoke, in words; "" where the model is to find the words: no tool
    has returned, there is too much to say, a form is wanted, or the model calls tools in its own notation or is on
    another machine."""
    results = [message for message in _since(asked) if message.role == "tool"]
    if not results or asked.messages[-1].role != "tool" or asked.own.constraint is not None:
        return ""
    profile, _ = stored_profile(profiled)
    if not profiled.capabilities.rendered or (profile is not None and profile.way.by == "native"):
        return ""
    said = "\n".join(_in_words(message.content) for message in results)
    return said if len(said) <= _REPORTED else ""


def _in_words(content: str) -> str:
    try:
        return spoken(json.loads(content))
    except (ValueError, RecursionError):
        return content.strip()


def _spoken(model: Model, asked: Asked, plan: Guided) -> Iterator[Event]:
    """The model's own words. Draws of one request differ by their seeds."""
    own = asked.own
    prompt, told = introduced(asked.messages)
    requests = [
        replace(own, prompt=prompt, sampling=replace(own.sampling, seed=own.sampling.seed + choice))
        for choice in range(asked.choices)
    ]
    usage, degraded, steps = plan.usage, [*asked.notes], [*plan.steps, *told]
    how = ""
    telling = [odds.Telling() for _ in requests]
    for choice, event in merged([model.stream(request) for request in requests]):
        if isinstance(event, Piece):
            told_of = telling[choice].said(event)
            if event.text:
                yield Said(event.text, choice, told_of)
            continue
        usage += replace(event.usage, prompt_tokens=0, cached_tokens=0) if choice else event.usage
        steps += event.steps
        degraded += [told for told in (*event.degraded, *_doubts(asked, event)) if told not in degraded]
        how = how or event.how or ("cache" if event.cached else "")
        yield Ended("length" if event.finish == "length" else "stop", choice)
    degraded += [odds.NONE] if own.alternatives is not None and any(one.bare for one in telling) else []
    yield Whole(how or "model", usage, model.capabilities.name, tuple(degraded), tuple(steps))


def introduced(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[Step, ...]]:
    """With a system message, as the agent has it, where the client gave none: a small model's template often has one
    that does harm (SmolLM2 answers in French where France is asked about)."""
    if any(message.role == "system" for message in messages):
        return messages, ()
    return (SYSTEM, *messages), (Step("system", f"none was given, and this was put there: {SYSTEM.content}"),)


def _doubts(asked: Asked, done: Done) -> tuple[str, ...]:
    """What the answer claims that no call bears out, where there were tools that could have been called."""
    if not asked.tools:
        return ()
    messages = asked.messages
    about = {tool.name: tool.description for tool in asked.tools}
    calls = [call for message in messages for call in message.calls]
    return checked(done.text, [m.content for m in messages], (), about, calls).findings
