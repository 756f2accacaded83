"""Cached: a Model around a Model that answers from a cache what has been asked before.

Hides what makes two requests the same, and which answers may be kept: those that the same request leads to again,
whole, and with nothing about them that was not as it should be. A hit is told in `Done.cached`, and took no
token.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet.agent.cache import Cache
from linnet.errors import SettingsInvalid, StoreError
from linnet.messages import Message
from linnet.requests import (
    Capabilities,
    Count,
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

_REQUEST: TypeAdapter[Request] = TypeAdapter(Request)
_NOT_ASKED = ("deadline", "stable", "alternatives")
"""Of a request what has no bearing on its answer."""


@dataclass(frozen=True)
class Kept:
    """What is in the cache: the text that was asked, as it was, and the end of its answer."""

    text: str
    done: Done


_KEPT = TypeAdapter(Kept)


class Cached:
    """Answers `Generate` and `Score` from `cache` where it can, and keeps what `model` answers.

    `digest` stands for the weights and how they are spoken to; a LocalModel says it by itself. With `normalised`
    requests are the same whose last untrusted texts differ in case, spaces, forms of characters or final marks only.
    What cannot be read or written of the cache is told in `degraded`, and the model is asked.
    """

    def __init__(self, model: Model, cache: Cache, *, digest: str = "", normalised: bool = False) -> None:
        """Raises SettingsInvalid for a Model that does not say which it is."""
        self._model, self._cache, self._normalised = model, cache, normalised
        self._which = Which(model, digest)

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Count | Embed | Spell):  # vectors have a cache of their own (linnet.agent.semantic)
            return self._model.stream(request)
        if isinstance(request, Generate | Score) and request.alternatives is not None:  # what is kept has no odds
            return self._model.stream(request)
        key, text = self._key(request), last_text(request)
        notes: tuple[str, ...] = ()
        try:
            kept = found(self._cache, key)
        except StoreError as error:
            kept, notes = None, (error.message,)
        if kept is not None:
            return iter(hit(kept.done, "exact" if kept.text == text else "normalised", standing(self._model)))
        return Noting(self._model.stream(request), lambda done: self._note(key, Kept(text, done)), notes)

    def _key(self, request: Prompted) -> bytes:
        said = normal(last_text(request)) if self._normalised else None
        return key_of(request, self._which(), said)

    def _note(self, key: bytes, kept: Kept) -> tuple[str, ...]:
        return keep(self._cache, key, kept, standing(self._model))


class Noting:
    """The events of one request, the last of which is noted. Dropping this drops the stream behind it."""

    def __init__(self, events: Iterator[Event], note: Any, told: tuple[str, ...] = ()) -> None:
        self._events, self._note, self._told = events, note, told

    def __iter__(self) -> Noting:
        return self

    def __next__(self) -> Event:
        event = next(self._events)
        if not isinstance(event, Done):
            return event
        told = (*self._told, *self._note(event))
        return replace(event, degraded=(*event.degraded, *dict.fromkeys(told))) if told else event

    def close(self) -> None:
        """From any thread, if the stream behind it can be."""
        getattr(self._events, "close", lambda: None)()


# --- which requests are the same -----------------------------------------------------------------


def key_of(request: Prompted, digest: str, said: str | None = None) -> bytes:
    """32 bytes for everything that an answer depends on; `said` stands for the last untrusted text, if given."""
    asked = _REQUEST.dump_python(request, mode="json")
    for name in _NOT_ASKED:
        asked.pop(name, None)
    if said is not None:
        place = _last(request)
        if place is not None:
            asked["prompt"][place]["content" if "content" in asked["prompt"][place] else "text"] = ["normal", said]
    text = json.dumps([1, digest, asked], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def last_text(request: Prompted) -> str:
    """The last untrusted text of a prompt: what was asked."""
    place = _last(request)
    if place is None:
        return ""
    part = request.prompt[place]
    return part.content if isinstance(part, Message) else part.text


def _last(request: Prompted) -> int | None:
    places = (i for i in range(len(request.prompt) - 1, -1, -1) if not request.prompt[i].trusted)
    return next(places, None)


def normal(text: str) -> str:
    """A text without what seldom matters: case, runs of spaces, compatibility forms, full stops and the like at the
    end."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" .!?")


class Which:
    """What stands for a Model in keys: `digest`, or what the Model says of itself, asked once. A template that may
    ask for the date is another one on another day."""

    def __init__(self, model: Model, digest: str = "") -> None:
        """Raises SettingsInvalid for a Model that does not say which it is."""
        self._says: Any = getattr(model, "answers_as", None)
        self._digest = digest
        self._dated = not digest and "strftime_now" in str(getattr(getattr(model, "family", None), "template", ""))
        if not digest and not callable(self._says):
            raise SettingsInvalid("the cache has to know which model answers", hint="Give `digest`.")

    def __call__(self) -> str:
        self._digest = self._digest or self._says()
        return f"{self._digest} {datetime.date.today().isoformat() if self._dated else ''}"


def standing(model: Model) -> tuple[str, ...]:
    """What every answer of a Model tells of its machine, and so is nothing about one of them."""
    return tuple(getattr(model, "notes", ()))


# --- what is kept, and what comes back -----------------------------------------------------------


def found(cache: Cache, key: bytes) -> Kept | None:
    """What the cache has; what is there and no answer is removed. Raises StoreError."""
    body = cache.get(key)
    if body is None:
        return None
    try:
        return _KEPT.validate_json(body)
    except ValidationError:
        cache.remove(key)
        return None


def keep(
    cache: Cache, key: bytes, kept: Kept, standing: tuple[str, ...], *, kin: bytes = b"", vector: bytes = b""
) -> tuple[str, ...]:
    """Keep an answer that may be: one that was not cut, resumed, or itself remembered. Returns what went wrong."""
    done = kept.done
    if done.finish == "length" or done.cached or set(done.degraded) - set(standing):
        return ()
    try:
        cache.put(key, _KEPT.dump_json(replace(kept, done=replace(done, degraded=()))), kin=kin, vector=vector)
    except StoreError as error:
        return (error.message,)
    return ()


def hit(done: Done, how: str, standing: tuple[str, ...]) -> tuple[Event, ...]:
    """The events of an answer that was remembered: it took no token."""
    told = replace(done, usage=Usage(), cached=how, degraded=standing, steps=())
    return (Piece(done.text, ()), told) if done.text else (told,)
