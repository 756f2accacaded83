"""Which way calls are made: the one that was measured best for this model file, else guided."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Protocol

from linnet.calling import profile as profiles
from linnet.calling.guided import Guide, Guided
from linnet.calling.profile import Profile, Way
from linnet.calling.trust import Trust
from linnet.messages import Step
from linnet.requests import Model
from linnet.tools import Tool


class Caller(Protocol):
    """Makes calls of requests, over a fixed set of tools."""

    def call(self, request: str) -> Guided: ...

    def over(self, model: Model) -> Caller: ...


def stored_profile(model: Model) -> tuple[Profile | None, str]:
    """`(profile, note)` of a Model that has a file, as `linnet.calling.profile.load` has them."""
    original = getattr(model, "original", None)
    if not callable(original) or not profiles.any_stored():
        return None, ""
    return profiles.load(original())


def trust_of(profile: Profile | None) -> tuple[Trust | None, str]:
    """`(trust, note)`: None without a note where the model has no trust of its own, None with one where it was found
    beside other weights than those that ship now."""
    if profile is None or profile.trust is None:
        return None, ""
    if profile.trust.stale:
        return None, "its own weights are passed over: they were found beside others than Linnet has now"
    return profile.trust, ""


def own_trust(model: Model) -> Trust | None:
    """The trust that a model has by its stored profile."""
    return trust_of(stored_profile(model)[0])[0]


def caller_for(model: Model, tools: Sequence[Tool], way: Way) -> Caller:
    """Raises SettingsInvalid for a way that is not open to the model."""
    from linnet.calling.native import Native

    return Guide(model, tools) if way.by == "guided" else Native(model, tools, way)


def guide_for(
    model: Model, tools: Sequence[Tool], profile: Profile | None, note: str = "", *, margin: float | None = None
) -> Caller:
    """The way that the profile says, guided without one. A note, or why the profile's way was not taken, is a step
    of every result. A `margin` that was set means guided: there is nothing else that could keep it. A model on
    another machine is guided as far as its server can be, which is a step too."""
    way = profile.way if profile else Way()
    if way.by == "native":
        from linnet.calling.native import Native, speech_of, why_not  # 50 ms, for those who need it

        reason = "a margin is set" if margin is not None else why_not(way, speech_of(model))
        if not reason:
            return Native(model, tools, way)
        note = f"guided, though its profile says {way}: {reason}"
    trust, stale = trust_of(profile)
    guide, note = served(model, tools, margin) or Guide(model, tools, margin=margin, trust=trust), note or stale
    return _Noted(guide, note) if note else guide


def served(model: Model, tools: Sequence[Tool], margin: float | None) -> Caller | None:
    """None for a model that needs no server's help to be guided."""
    can = model.capabilities
    if can.scores and can.rendered:
        return None
    from linnet.calling.served import Served

    return Served(model, tools, margin=margin)


class _Noted:
    """A caller whose results begin with a note."""

    def __init__(self, caller: Caller, note: str) -> None:
        self._caller, self._note = caller, note

    def over(self, model: Model) -> _Noted:
        noted = copy(self)
        noted._caller = self._caller.over(model)
        return noted

    def call(self, request: str) -> Guided:
        guided = self._caller.call(request)
        return replace(guided, steps=(Step("way", self._note), *guided.steps))
