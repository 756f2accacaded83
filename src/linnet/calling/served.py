"""Guiding a model on another machine as far as its server goes: by likelihoods, else by picks, else by calls as JSON.

Hides what a server has, which only asking it tells. One that gives no likelihoods picks where evidence leaves doubt;
where it takes no JSON Schema either, or does not keep to one, the same request is made of it once more, for all calls
at once in its own words. What was refused is not remembered: a server may be another one tomorrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace

from linnet.calling.guided import Guide, Guided
from linnet.calling.profile import JSON, Way
from linnet.errors import LinnetError, RemoteFailed, RemoteRefused, RemoteUnsupported
from linnet.messages import Step
from linnet.requests import Capabilities, Event, Model, Request
from linnet.tools import Tool

PICKS = "it gives no likelihoods: where evidence leaves doubt, it is asked to pick"
AS_JSON = "it can be held to no form of answer: it is asked for calls as JSON"

_NOT_TAKEN = (400, 422, 501)
"""What servers say to a form of request that they do not know."""


class Served:
    """Makes calls by a Model that has no likelihoods, or takes no rendered prompts. One with a method `learn` is
    asked by it what its server has, at the first call."""

    def __init__(self, model: Model, tools: Sequence[Tool], *, margin: float | None = None) -> None:
        self._bare = self._model = model
        self._tools = tools
        self._guide = Guide(model, tools, margin=margin)

    def over(self, model: Model) -> Served:
        """The same over another Model, which wraps this one's."""
        served = copy(self)
        served._model, served._guide = model, self._guide.over(model)
        return served

    def call(self, request: str) -> Guided:
        """The first steps say which way was gone, and which were tried. Raises what the server fails with, unless
        it is the form of what it was asked."""
        steps: list[Step] = []
        for note, call in self._ways():
            try:
                guided = call(request)
            except LinnetError as error:
                if not unheld(error):
                    raise
                told = f"{note}; this failed, with what it cost in no usage: {error.message}"
                steps.append(Step("way", told))
            else:
                return replace(guided, steps=(*steps, Step("way", note), *guided.steps))
        return self._last(request, steps)

    def _ways(self) -> Iterator[tuple[str, Callable[[str], Guided]]]:
        learn = getattr(self._bare, "learn", None)
        how = learn() if callable(learn) else ""
        if self._model.capabilities.scores:
            yield f"guided by likelihoods of its server: {how}" if how else "guided by likelihoods", self._guide.call
        if self._model.capabilities.constraints:
            yield PICKS, self._guide.over(_Mute(self._model)).call

    def _last(self, request: str, steps: list[Step]) -> Guided:
        from linnet.calling.native import Native  # 50 ms, for those who need it

        guided = Native(self._bare, self._tools, Way("native", JSON)).over(self._model).call(request)
        return replace(guided, steps=(*steps, Step("way", AS_JSON), *guided.steps))


class _Mute:
    """A Model without its likelihoods."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._model.capabilities, scores=False)

    def stream(self, request: Request) -> Iterator[Event]:
        return self._model.stream(request)


def unheld(error: LinnetError) -> bool:
    """Whether the form of what was asked is what failed: the server does not take it, or has not kept to it."""
    if isinstance(error, RemoteRefused | RemoteFailed):
        return error.details.get("status") in _NOT_TAKEN
    return isinstance(error, RemoteUnsupported) or bool(error.details.get("strayed"))
