"""Specialists: a Model that has a request classified, answered by the model for its class, and perhaps refined.

The article's pipeline of classifier, specialist and refiner, over any Models. On one model file, specialists are its
adapters (`default+code`), or the same model under other prompts, samplings and constraints (`Prompted`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from linnet.agent.cascade import Accept, asked_last, plausible
from linnet.errors import Cancelled, DeadlineExceeded, LinnetError, SettingsInvalid
from linnet.messages import Message, Step
from linnet.requests import (
    Capabilities,
    Constraint,
    Done,
    Embed,
    Event,
    Generate,
    Model,
    Piece,
    Request,
    Sampling,
    Score,
    Spell,
    Usage,
    complete,
)

# --- classes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Class:
    """What a request was found to be; `label` None: none of the known ones."""

    label: str | None
    why: str
    usage: Usage = field(default=Usage())


Classify = Callable[[str, float], Class]
"""A request's text and the seconds there are -> its class."""


def by_rules(rule: Callable[[str], str | None]) -> Classify:
    """A function of the text, as a trained router's or one of patterns: no token is spent."""
    return lambda text, seconds: Class(rule(text), "by rule")


def by_likelihood(model: Model, labels: Mapping[str, str]) -> Classify:
    """The label whose description a model finds likeliest after the text, against the description by itself: so
    that a common word does not win for being common. Two `Score` requests."""
    names, words = tuple(labels), tuple(f" {text}" for text in labels.values())

    def classify(text: str, seconds: float) -> Class:
        until = time.monotonic() + seconds
        asked = (Message("user", f"What is this request about?\n{text}"),)
        said = complete(model, Score(asked, words, answer_start="It is about", deadline=seconds))
        left = max(until - time.monotonic(), 1e-3)
        blank = (Message("user", "What is this request about?"),)
        alone = complete(model, Score(blank, words, answer_start="It is about", deadline=left))
        gains = [a[0] - b[0] for a, b in zip(said.scores, alone.scores, strict=True)]
        best = gains.index(max(gains))
        return Class(names[best], f"likeliest by {max(gains):.1f} nats", said.usage + alone.usage)

    return classify


# --- specialists ---------------------------------------------------------------------------------


class Prompted:
    """A Model under a prompt of its own: its system message takes the place of the request's."""

    def __init__(
        self, model: Model, system: str, *, sampling: Sampling | None = None, constraint: Constraint | None = None
    ) -> None:
        self._model, self._system = model, Message("system", system, trusted=True)
        own: dict[str, Any] = {"sampling": sampling, "constraint": constraint}
        self._own = {key: value for key, value in own.items() if value is not None}

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Embed | Spell):
            return self._model.stream(request)
        said = tuple(part for part in request.prompt if isinstance(part, Message) and part.role != "system")
        if not said:
            return self._model.stream(request)
        request = replace(request, prompt=(self._system, *said))
        if isinstance(request, Generate):
            request = replace(request, **self._own)
        return self._model.stream(request)


def refinement(request: Generate, answer: str) -> Generate:
    """The question with a draft of its answer, to be put right and said well."""
    text = f"Question: {asked_last(request)}\nDraft answer: {answer}\nWrite the final answer, corrected and short."
    return replace(request, prompt=(Message("user", text),), constraint=None, continues=False, answer_start="")


@dataclass(frozen=True)
class Refiner:
    """Who reads an answer over: a Model, how it is asked, and which of its answers take the place of the first."""

    model: Model
    ask: Callable[[Generate, str], Generate] = refinement
    accept: Accept = plausible


class Specialists:
    """`classify` gives a request its class, `specialists` has the Model for each, `default` is the one for those of
    no known class; `how` is `specialist:NAME`.

    With a `refiner` nothing is seen before it has spoken; what it says is taken or, where it fails or is not
    accepted, the specialist's answer stands, and `degraded` says so. Constrained answers are not refined. Requests
    other than `Generate` go to the default. Nothing is asked before the first event is read. Closes none of its
    Models.
    """

    def __init__(
        self, classify: Classify, specialists: Mapping[str, Model], *, default: str, refiner: Refiner | None = None
    ) -> None:
        if default not in specialists:
            raise SettingsInvalid(f"there is no specialist {default!r}", hint=f"There are {', '.join(specialists)}.")
        self._classify, self._specialists = classify, dict(specialists)
        self._default, self._refiner = default, refiner

    @property
    def capabilities(self) -> Capabilities:
        return self._specialists[self._default].capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        if not isinstance(request, Generate):
            return self._specialists[self._default].stream(request)
        return self._events(request)

    def _events(self, request: Generate) -> Iterator[Event]:
        begun = time.monotonic()
        until = begun + request.deadline
        found = self._classify(asked_last(request), request.deadline)
        label = found.label if found.label in self._specialists else None
        name = label or self._default
        data = {"label": found.label, "why": found.why}
        detail, took = f"{name}{'' if label else ', for want of a class'}", time.monotonic() - begun
        step = Step("classify", detail, took, data, usage=found.usage)
        stream = self._specialists[name].stream(replace(request, deadline=_left(until, request)))
        pieces: list[Piece] = []
        for event in stream:
            if isinstance(event, Piece) and self._refiner is None:
                yield event
            elif isinstance(event, Piece):
                pieces.append(event)
            else:
                how = event.how or f"specialist:{name}"
                steps = (step, *(inner.later(took) for inner in event.steps))
                done = replace(event, usage=found.usage + event.usage, steps=steps, how=how)
                yield from self._refined(request, pieces, done, begun, until)

    def _refined(
        self, request: Generate, pieces: list[Piece], done: Done, began: float, until: float
    ) -> Iterator[Event]:
        if self._refiner is None or request.constraint is not None:
            yield from pieces
            yield done
            return
        begun = time.monotonic()
        why, said, refined = self._ask_refiner(request, done.text, until)
        spent = done.usage + refined.usage
        detail = f"not taken: {why}" if why else "taken"
        start = begun - began
        step = Step("refine", detail, time.monotonic() - begun, {"draft": done.text}, start, refined.usage)
        steps = (*done.steps, *(inner.later(start) for inner in refined.steps), step)
        if why:
            note = f"the refiner's answer was not taken: {why}"
            yield from pieces
            yield replace(done, usage=spent, steps=steps, degraded=(*done.degraded, note))
        else:
            yield from said
            told = (*done.degraded, *refined.degraded)
            yield replace(refined, usage=spent, steps=steps, degraded=told, how=done.how)

    def _ask_refiner(self, request: Generate, draft: str, until: float) -> tuple[str, list[Piece], Done]:
        assert self._refiner is not None
        said: list[Piece] = []
        try:
            asked = replace(self._refiner.ask(request, draft), deadline=_left(until, request))
            for event in self._refiner.model.stream(asked):
                if isinstance(event, Done):
                    return self._refiner.accept(asked, event), said, event
                said.append(event)
        except Cancelled:
            raise
        except LinnetError as error:
            return f"{error.code}: {error.message}", [], Done()
        raise AssertionError("a Model's stream ended without Done")


def _left(until: float, request: Generate) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded(f"the request did not end within its {request.deadline:g} s", seconds=request.deadline)
    return left
