"""Cascade: a Model made of attempts, one after the other, until an answer is accepted.

The article's fallback chain: a first model, the same with a simpler prompt, another model, rules. An answer that was
seen is never taken back: what an attempt says is held until it is accepted. Only the last, which nothing follows, is
passed on as it comes, if it has no check. Every attempt is told: `how` names the one that answered, `degraded` why
those before it were not taken, `steps` what each cost.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from linnet.agent.guard import Guard
from linnet.errors import Cancelled, DeadlineExceeded, EmptyRequest, LinnetError, SettingsInvalid, Unanswered
from linnet.limits import LIMITS
from linnet.messages import Message, Step
from linnet.requests import (
    Capabilities,
    Done,
    Embed,
    Event,
    Generate,
    Model,
    Piece,
    Prompted,
    Request,
    Score,
    Spell,
    Usage,
)

Ask = Callable[[Generate], Generate]
"""How a request is put to one attempt."""

Accept = Callable[[Generate, Done], str]
"""Why the answer to a request is not taken; "" if it is."""

_FINAL = (Cancelled, EmptyRequest)
"""What no other attempt would mend: the caller's own doing."""

_TAIL = 2_400
"""Characters at the end of an answer in which a loop is looked for."""

# --- how an attempt asks, and what it takes ------------------------------------------------------


def as_it_is(request: Generate) -> Generate:
    return request


_BRIEFLY = Message("system", "Answer in one short sentence.", trusted=True)


def simpler(request: Generate) -> Generate:
    """The last thing the user said and nothing before it, to be answered in one sentence of at most 96 tokens."""
    said = [part for part in request.prompt if isinstance(part, Message) and part.role == "user"][-1:]
    if not said:
        return request
    return replace(request, prompt=(_BRIEFLY, *said), max_tokens=min(request.max_tokens, 96), continues=False)


def plausible(request: Generate, done: Done) -> str:
    """Takes whatever says something and does not end in a loop."""
    if not done.text.strip():
        return "it said nothing"
    return Guard.runaway(done.text) if request.constraint is None else ""


@dataclass(frozen=True)
class Attempt:
    """One way to answer: a Model, how it is asked, what is taken (None: everything), and for how many seconds."""

    name: str
    model: Model
    ask: Ask = as_it_is
    accept: Accept | None = plausible
    seconds: float = math.inf


# --- the chain -----------------------------------------------------------------------------------


class Cascade:
    """Asks its attempts in turn. Bare Models are attempts named after themselves.

    `seconds` is the time of all attempts together, beside the request's own deadline. A `Score` or `Count` goes to
    the first that has an answer, an `Embed` or `Spell` to the first attempt alone. Raises Unanswered where none had
    one, DeadlineExceeded where the time is up; Cancelled and EmptyRequest end it at once. Closes none of its Models.
    """

    def __init__(self, *attempts: Attempt | Model, seconds: float = math.inf) -> None:
        self._attempts = tuple(one if isinstance(one, Attempt) else _named(one) for one in attempts)
        if not 1 <= len(self._attempts) <= LIMITS.cascade_attempts:
            raise SettingsInvalid(
                f"a cascade has {len(attempts)} attempts: it should have 1 to {LIMITS.cascade_attempts}"
            )
        if not seconds > 0 or not all(one.seconds > 0 for one in self._attempts):
            raise SettingsInvalid("the seconds of a cascade and of its attempts should be over 0")
        self._seconds = seconds

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first attempt, and what any of them can do."""
        able = [attempt.model.capabilities for attempt in self._attempts]
        constraints, scores = any(c.constraints for c in able), any(c.scores for c in able)
        return replace(able[0], constraints=constraints, scores=scores)

    @property
    def family(self) -> Any:
        """Of the first attempt's model, for what prompts are written for; None if it has none."""
        return getattr(self._attempts[0].model, "family", None)

    @property
    def original(self) -> Any:
        """The method of the first attempt's model that tells its file's digest; None if it has none."""
        return getattr(self._attempts[0].model, "original", None)

    @property
    def answers_as(self) -> Any:
        """That of the first attempt's model: what others answer is degraded, and so is never kept."""
        return getattr(self._attempts[0].model, "answers_as", None)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(getattr(self._attempts[0].model, "notes", ()))

    def stream(self, request: Request) -> Iterator[Event]:
        run = _Run(self._attempts, request, min(self._seconds, request.deadline))
        return _Told(run, run.events(run.opened(self._attempts[0])))


def _named(model: Model) -> Attempt:
    return Attempt(model.capabilities.name, model)


Opened = Iterator[Event] | LinnetError


class _Told:
    """The events of a run. It can be closed from any thread: a generator that runs cannot."""

    def __init__(self, run: _Run, events: Iterator[Event]) -> None:
        self._run, self._events = run, events

    def __iter__(self) -> _Told:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        self._run.end()


class _Run:
    """One request on its way through the attempts."""

    def __init__(self, attempts: Sequence[Attempt], request: Request, seconds: float) -> None:
        self._attempts, self._request, self._seconds = attempts, request, seconds
        self._began = time.monotonic()
        self._until = self._began + seconds
        self._steps: list[Step] = []
        self._refused: list[tuple[str, str]] = []
        self._usage = Usage()
        self._ended = False
        self._now: Iterator[Event] | None = None

    def end(self) -> None:
        """From any thread: end the attempt that runs, and begin no other."""
        self._ended = True
        with contextlib.suppress(ValueError):  # a generator that runs
            getattr(self._now, "close", lambda: None)()

    def opened(self, attempt: Attempt) -> Opened:
        """The stream of an attempt, or why there is none. The first is opened before anybody reads."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise self._over()
        if isinstance(self._request, Score) and not attempt.model.capabilities.scores:
            return Unanswered("it scores nothing")
        if isinstance(self._request, Embed | Spell) and attempt is not self._attempts[0]:
            return Unanswered("vectors and tokens of one model are not comparable with those of another")
        try:
            stream = attempt.model.stream(replace(self._asked(attempt), deadline=min(left, attempt.seconds)))
            self._now = stream
            if self._ended:
                self.end()
                raise Cancelled("the caller no longer wants the answer")
            return stream
        except _FINAL:
            raise
        except LinnetError as error:
            return error

    def events(self, first: Opened) -> Iterator[Event]:
        errors: list[LinnetError] = []
        for n, attempt in enumerate(self._attempts):
            begun = time.monotonic()
            stream, first = (first if n == 0 else self.opened(attempt)), Unanswered("")
            try:
                if isinstance(stream, LinnetError):
                    raise stream
                if n == len(self._attempts) - 1 and attempt.accept is None:
                    for event in stream:
                        if isinstance(event, Done):
                            self._usage += event.usage
                            event = self._taken(n, event, begun)
                        yield event
                    return
                pieces, done, why = self._heard(attempt, stream, begun)
                self._usage += done.usage
            except _FINAL:
                raise
            except LinnetError as failed:
                errors.append(failed)
                why, pieces, done = f"{failed.code}: {failed.message}", [], Done()
            finally:
                self._now = None
                del stream  # which cancels what has not ended, before another is asked
            if not why:
                yield from pieces
                yield self._taken(n, done, begun)
                return
            self._tell(attempt, why, begun, done.usage)
        if errors and not isinstance(self._request, Generate):
            raise errors[0]  # the others were no more than stand-ins for counting and scoring
        raise self._nobody() from (errors[-1] if errors else None)

    def _asked(self, attempt: Attempt) -> Request:
        return attempt.ask(self._request) if isinstance(self._request, Generate) else self._request

    def _heard(self, attempt: Attempt, stream: Iterator[Event], begun: float) -> tuple[list[Piece], Done, str]:
        """All that an attempt says, and why it is not taken. One in a loop, or over its time, is not heard out."""
        pieces: list[Piece] = []
        asked = self._asked(attempt)
        until = min(self._until, begun + attempt.seconds)
        watched = attempt.accept is not None and isinstance(asked, Generate) and asked.constraint is None
        tail = ""
        for event in stream:
            if isinstance(event, Done):
                judged = attempt.accept is not None and isinstance(asked, Generate)
                return pieces, event, attempt.accept(asked, event) if judged else ""  # type: ignore[misc, arg-type]
            pieces.append(event)
            tail = (tail + event.text)[-_TAIL:]
            late = time.monotonic() > until
            if late or (watched and Guard.runaway(tail)):
                spent = Usage(generated_tokens=sum(len(piece.tokens) for piece in pieces))
                why = f"it did not end within its {until - begun:.3g} s" if late else "it went round in circles"
                return [], Done(usage=spent), why
        raise AssertionError("a Model's stream ended without Done")

    def _taken(self, n: int, done: Done, begun: float) -> Done:
        name, spent = self._attempts[n].name, done.usage
        how = f"fallback:{name}{f'/{done.how}' if done.how else ''}" if n else done.how
        data, start = {"name": name, "taken": True}, begun - self._began
        step = Step("attempt", f"{name}: taken", time.monotonic() - begun, data, start, spent)
        degraded = (*(f"{other} was not taken: {why}" for other, why in self._refused), *done.degraded)
        inner = (inner.later(start) for inner in done.steps)
        return replace(done, usage=self._usage, how=how, degraded=degraded, steps=(*self._steps, *inner, step))

    def _tell(self, attempt: Attempt, why: str, begun: float, usage: Usage) -> None:
        self._refused.append((attempt.name, why))
        data = {"name": attempt.name, "taken": False, "why": why, "generated_tokens": usage.generated_tokens}
        start = begun - self._began
        self._steps.append(Step("attempt", f"{attempt.name}: {why}", time.monotonic() - begun, data, start, usage))

    def _over(self) -> DeadlineExceeded:
        tried = "; ".join(f"{name}: {why}" for name, why in self._refused) or "none was tried"
        return DeadlineExceeded(
            f"the attempts did not end within their {self._seconds:g} s ({tried})", seconds=self._seconds
        )

    def _nobody(self) -> LinnetError:
        if time.monotonic() > self._until:
            return self._over()
        told = [{"name": name, "why": why} for name, why in self._refused]
        return Unanswered("; ".join(f"{name}: {why}" for name, why in self._refused), attempts=told)


# --- rules ---------------------------------------------------------------------------------------


class Rules:
    """A Model without a model: each rule is given the last thing the user said, and the first that is not None
    answers. Raises Unanswered where none does; what a rule raises is its author's."""

    def __init__(self, *rules: Callable[[str], str | None], name: str = "rules") -> None:
        self._rules, self._name = rules, name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self._name, LIMITS.request_bytes, constraints=False, scores=False)

    def stream(self, request: Request) -> Iterator[Event]:
        text = asked_last(request) if isinstance(request, Generate) else None
        says = (rule(text) for rule in self._rules) if text is not None else ()
        answer = next((said for said in says if said is not None), None)
        if answer is None:
            raise Unanswered(f"no rule of {self._name} has an answer")
        done = Done(answer, how="rule", steps=(Step("rule", f"a rule of {self._name} answers"),))
        return iter((Piece(answer, ()), done))


def asked_last(request: Prompted) -> str:
    """The last thing the user said; the untrusted text of a prompt that is rendered already."""
    said = [part.content for part in request.prompt if isinstance(part, Message) and part.role == "user"]
    if said:
        return said[-1]
    return "".join(p.text for p in request.prompt if not isinstance(p, Message) and not p.trusted)
