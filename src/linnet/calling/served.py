"""Guiding a model on another machine as far as its server can be held: by picks, else by JSON that is read here.

Hides what a server lacks, which only asking it tells. One that gives no likelihoods picks where evidence leaves
doubt; where it takes no JSON Schema either, or does not keep to one, the same request is made of it once more, for
all calls at once in its own words. Nothing of that is remembered: a server may be another one tomorrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from linnet.calling.guided import Guide, Guided
from linnet.calling.native import Native
from linnet.calling.profile import JSON, Way
from linnet.errors import LinnetError, RemoteFailed, RemoteRefused, RemoteUnsupported
from linnet.messages import Step
from linnet.requests import Model
from linnet.tools import Tool

PICKS = "it gives no likelihoods: where evidence leaves doubt, it is asked to pick"

_NOT_TAKEN = (400, 422, 501)
"""What servers say to a form of answer that they do not know."""


class Served:
    """Makes calls by a Model that has no likelihoods, or takes no rendered prompts."""

    def __init__(self, model: Model, tools: Sequence[Tool], *, margin: float | None = None) -> None:
        self._model = model
        self._guide = Guide(model, tools, margin=margin)
        self._asked = Native(model, tools, Way("native", JSON))

    def over(self, model: Model) -> Served:
        """The same over another Model, which wraps this one's."""
        served = copy(self)
        served._model = model
        served._guide, served._asked = self._guide.over(model), self._asked.over(model)
        return served

    def call(self, request: str) -> Guided:
        """The first step says which way was gone. Raises what the server fails with, but for the form of answer."""
        can = self._model.capabilities
        if not can.constraints:
            return _told(
                "it can be held to no form of answer: it is asked for calls as JSON", self._asked.call(request)
            )
        try:
            guided = self._guide.call(request)
        except LinnetError as error:
            if not unheld(error):
                raise
            note = f"it cannot be held to a JSON Schema, so that it was asked for calls as JSON ({error.message})"
            return _told(f"{note}; what was asked before is in no usage", self._asked.call(request))
        return guided if can.scores else _told(PICKS, guided)


def unheld(error: LinnetError) -> bool:
    """Whether a form of answer is what failed: the server does not take it, or has not kept to it."""
    if isinstance(error, RemoteRefused | RemoteFailed):
        return error.details.get("status") in _NOT_TAKEN
    return isinstance(error, RemoteUnsupported) or bool(error.details.get("strayed"))


def _told(note: str, guided: Guided) -> Guided:
    return replace(guided, steps=(Step("way", note), *guided.steps))
