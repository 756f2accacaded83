"""What speaks for and against a candidate, as named numbers. `ranker` weighs them; nothing here decides.

A feature's name says what was seen; most are conjoined with the parameter's type or sense, so that `from`
before a word can mean one thing for an origin and another for an amount.
"""

from __future__ import annotations

from collections.abc import Sequence

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import OMITTED, Candidate
from linnet.calling.ranking.facts import Facts, Features
from linnet.calling.ranking.list_features import of_list
from linnet.calling.ranking.number_features import of_number
from linnet.calling.ranking.option_features import of_boolean, of_option
from linnet.calling.ranking.span_features import of_span
from linnet.calling.ranking.text_features import of_text
from linnet.calling.ranking.unsaid_features import of_unsaid
from linnet.tools import Tool

__all__ = ["Features", "Scene"]


class Scene:
    """All that features are read from: one tool, its parameters, one request."""

    def __init__(self, tool: Tool, parameters: Sequence[Parameter], reading: Reading) -> None:
        self._facts = Facts(tool, parameters, reading)
        self._spans: dict[tuple[int, int], Features] = {}

    def features(self, parameter: Parameter, candidate: Candidate) -> Features:
        """Named numbers for one candidate of one of the parameters."""
        if candidate.value is OMITTED or candidate.source in ("default", "example"):
            return of_unsaid(self._facts, parameter, candidate)
        if candidate.source == "legend":
            return {"legend": 1.0, f"legend|{parameter.required}": 1.0}
        return self._said(parameter, candidate)

    def _said(self, parameter: Parameter, candidate: Candidate) -> Features:
        match parameter.type:
            case "number":
                return of_number(self._facts, parameter, candidate)
            case "options":
                return of_option(self._facts, parameter, candidate)
            case "boolean":
                return of_boolean(self._facts, parameter, candidate)
            case "array":
                return of_list(self._facts, parameter, candidate, self._span(candidate))
            case "const" | "object":
                return {f"{parameter.type}:{candidate.source}": 1.0}
        return of_text(self._facts, parameter, candidate, self._span(candidate))

    def _span(self, candidate: Candidate) -> Features:
        """What the words that it covers look like: the same for all parameters."""
        place = candidate.first, candidate.last
        if place not in self._spans:
            self._spans[place] = of_span(self._facts, *place) if candidate.covers else {}
        return self._spans[place]
