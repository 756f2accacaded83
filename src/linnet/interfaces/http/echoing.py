"""Prompts said back with how likely each of their tokens was: `echo` with `logprobs` in OpenAI's completions.

Hides that it is three requests: which tokens a text is, how likely they are, and what follows. Prompts are judged
side by side; of the first token of a text nothing is told unless the model sets one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from linnet.errors import EmptyRequest, NotOffered
from linnet.interfaces.http.answering import Ended, Event, Said, Whole
from linnet.interfaces.http.completing import Gap, complete
from linnet.requests import Done, Generate, Model, Piece, Score, Segment, Spell, Usage, complete_all
from linnet.tokens import Odds, Token


def echoed(
    model: Model, prompts: Sequence[str], own: Generate, *, choices: int, more: bool, notes: tuple[str, ...]
) -> Iterator[Event]:
    """The events of all answers, numbered prompt by prompt; with `more` each goes on as `own` says. Raises NotOffered
    for a model that judges no texts, EmptyRequest for an empty one."""
    if not all(prompts):
        raise EmptyRequest("there is no text to go on from", param="prompt")
    if not model.capabilities.scores or not model.capabilities.rendered:
        raise NotOffered("this model tells no log-probabilities of a prompt; leave out `echo`", param="echo")
    whole = Whole("model", model=model.capabilities.name, degraded=notes)
    for number, (prompt, (tokens, odds, usage)) in enumerate(zip(prompts, _judged(model, prompts, own), strict=True)):
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


Judged = tuple[tuple[Token, ...], tuple[Odds, ...], Usage]
"""Tokens of a text, and the odds of all of them, or of all but the first."""


def _judged(model: Model, prompts: Sequence[str], own: Generate) -> list[Judged]:
    spelled = complete_all(model, [Spell(prompt) for prompt in prompts])
    most = own.alternatives or 0
    streams = [
        model.stream(Score((Segment(prompt, False),), (), alternatives=most, deadline=own.deadline))
        for prompt in prompts
    ]
    found: list[Judged] = []
    for spell, stream in zip(spelled, streams, strict=True):
        odds: tuple[Odds, ...] = ()
        for event in stream:
            odds += event.odds if isinstance(event, Piece) else ()
            if isinstance(event, Done):
                found.append((spell.tokens, odds, event.usage))
    return found


def _together(whole: Whole, event: Whole) -> Whole:
    """A prompt is counted once, though it was read twice."""
    usage = whole.usage + replace(event.usage, prompt_tokens=0, cached_tokens=0)
    notes = tuple(dict.fromkeys((*whole.degraded, *event.degraded)))
    return replace(whole, usage=usage, degraded=notes, steps=(*whole.steps, *event.steps))
