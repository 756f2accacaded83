"""Prompts said back with how likely each of their tokens was: `echo` with `logprobs` in OpenAI's completions.

Hides that it is three requests: which tokens a text is, how likely they are, and what follows. Prompts are judged
side by side; of the first token of a text nothing is told unless the model sets one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from linnet.errors import EmptyRequest, NotOffered, RequestTooLarge
from linnet.interfaces.http.answering import Ended, Event, Said, Whole
from linnet.interfaces.http.completing import Gap, complete
from linnet.limits import LIMITS
from linnet.requests import Done, Generate, Model, Score, Segment, Spell, Usage, complete_all
from linnet.requests import Event as ModelEvent
from linnet.tokens import Odds, Token


def echoed(
    model: Model, prompts: Sequence[str], own: Generate, *, choices: int, more: bool, notes: tuple[str, ...]
) -> Iterator[Event]:
    """The events of all answers, numbered prompt by prompt; with `more` each goes on as `own` says. Raises NotOffered
    for a model that judges no texts, EmptyRequest for an empty one, RequestTooLarge."""
    if not all(prompts):
        raise EmptyRequest("there is no text to go on from", param="prompt")
    if not model.capabilities.scores or not model.capabilities.rendered:
        raise NotOffered("this model tells no log-probabilities of a prompt; leave out `echo`", param="echo")
    whole = Whole("model", model=model.capabilities.name, degraded=notes)
    judged = _judged(model, prompts, own, choices)
    for number, (prompt, (tokens, odds, usage)) in enumerate(zip(prompts, judged, strict=True)):
        first = tokens[0] if len(odds) < len(tokens) else None
        whole = replace(whole, usage=whole.usage + usage)
        places = [number * choices + choice for choice in range(choices)]
        for place in places:
            yield Said(prompt, place, odds, first)
        if not more:
            yield from (Ended("length", place) for place in places)
            continue
        for event in complete(model, Gap(prompt, choices=choices), own):
            if isinstance(event, Whole):
                whole = _together(whole, event)
            elif not isinstance(event, Said | Ended):
                raise AssertionError("a completion calls nothing")
            else:
                yield replace(event, choice=places[event.choice])
    yield whole


_TOGETHER = 8
"""Prompts that are judged side by side, so that one request does not fill the engine's line."""

Judged = tuple[tuple[Token, ...], tuple[Odds, ...], Usage]
"""Tokens of a text, and the odds of all of them, or of all but the first."""


def _judged(model: Model, prompts: Sequence[str], own: Generate, choices: int) -> Iterator[Judged]:
    most = own.alternatives or 0
    spelled = _spelled(model, prompts, choices * (1 + most))
    for at in range(0, len(prompts), _TOGETHER):
        some = prompts[at : at + _TOGETHER]
        asked = [Score((Segment(one, False),), (), alternatives=most, deadline=own.deadline) for one in some]
        streams = [model.stream(request) for request in asked]
        for tokens, stream in zip(spelled[at : at + _TOGETHER], streams, strict=True):
            yield tokens, *_heard(stream)


def _spelled(model: Model, prompts: Sequence[str], each: int) -> list[tuple[Token, ...]]:
    """One after the other: no more tokens are held than may be told, and those of one prompt. Raises RequestTooLarge
    where `each` of the log-probabilities for every token are too many."""
    spelled: list[tuple[Token, ...]] = []
    told, limit = 0, LIMITS.echoed_odds
    for prompt in prompts:
        (done,) = complete_all(model, [Spell(prompt)])
        told += each * len(done.tokens)
        if told > limit:
            message = f"{told:,} log-probabilities or more would be told; the limit is {limit:,}"
            raise RequestTooLarge(message, size=told, limit=limit, param="prompt")
        spelled.append(done.tokens)
    return spelled


def _heard(stream: Iterator[ModelEvent]) -> tuple[tuple[Odds, ...], Usage]:
    told: list[Odds] = []
    for event in stream:
        if isinstance(event, Done):
            return tuple(told), event.usage
        told += event.odds
    raise AssertionError("a Model's stream ended without Done")


def _together(whole: Whole, event: Whole) -> Whole:
    """A prompt is counted once, though it was read twice."""
    usage = whole.usage + replace(event.usage, prompt_tokens=0, cached_tokens=0)
    notes = tuple(dict.fromkeys((*whole.degraded, *event.degraded)))
    return replace(whole, usage=usage, degraded=notes, steps=(*whole.steps, *event.steps))
