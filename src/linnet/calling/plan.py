"""Which parameters of a tool take part in a call, and how the evidence could be dealt out among them.

Pure: a tool and a request in, what is certain, groups of deals, and slots out. Each piece of evidence is used once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linnet.calling import evidence, lower
from linnet.calling.evidence import Quantity
from linnet.calling.lower import Slot
from linnet.calling.moments import moments
from linnet.limits import LIMITS
from linnet.schema import JsonSchema
from linnet.tools import Tool

_NUMERIC = ("number", "integer")
_OF_TIME = frozenset(
    map(evidence.stem, ("time", "date", "when", "day", "deadline", "datetime", "moment", "schedule"))
)

_DEGREES = {"degrees", "degree", "deg"}

IN_ORDER_NUMBERS, IN_ORDER_OPTIONS = 2.0, 4.0
"""Nats that speak for the request's own order: people mostly name amounts, and what they start from, first."""

_OF_FILES = frozenset(map(evidence.stem, ("path", "file", "filename", "folder", "directory", "filepath")))

Assignment = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """Parameters that compete for the same kind of evidence. `deals` are the ways to deal it out; the first
    keeps the request's own order, for which `in_order` nats speak beforehand."""

    deals: tuple[Assignment, ...]
    in_order: float


class Plan:
    """The evidence of one request, sorted by the parameters of one tool."""

    def __init__(self, tool: Tool, request: str) -> None:
        self._tool, self._request = tool, request
        self._properties: dict[str, JsonSchema] = tool.parameters["properties"]
        self._required = set(tool.parameters.get("required", ()))
        self._words = set(evidence.words(request))

    @cached_property
    def certain(self) -> Assignment:
        """What the request leaves no choice about."""
        return {**self._number_lists(), **self._times(), **self._paths(), **self._booleans()}

    @cached_property
    def groups(self) -> list[Group]:
        """What it leaves a choice about: each group has at least one deal, and is dealt by itself."""
        numbers = Group(tuple(self._number_deals()), IN_ORDER_NUMBERS)
        options = [Group(tuple(deals), IN_ORDER_OPTIONS) for deals in self._option_deals()]
        texts = Group(tuple(self._quoted_deals() or self._text_deals()), 0.0)
        return [group for group in (numbers, *options, texts) if group.deals]

    def settle(self, chosen: Iterable[Assignment]) -> Assignment:
        """All that is assigned, once a deal of each group was chosen."""
        dealt = {**self.certain, **{name: value for deal in chosen for name, value in deal.items()}}
        return {**dealt, **self._named_optional(dealt)}

    def slots(self, assigned: Assignment) -> list[Slot]:
        """A slot for each parameter that takes part, in the schema's order."""
        return [
            lower.fixed(name, assigned[name])
            if name in assigned
            else lower.slot(name, schema, self._request, self._quantities)
            for name, schema in self._properties.items()
            if name in assigned or name in self._required or self._wanted(name, schema)
        ]

    # --- numbers ---------------------------------------------------------------------------------

    @cached_property
    def _runs(self) -> dict[str, tuple[Quantity, ...]]:
        """Runs of numbers, dealt out to the list parameters in order."""
        names = [
            name
            for name, schema in self._properties.items()
            if schema.get("type") == "array" and schema.get("items", {}).get("type") in _NUMERIC
        ]
        return dict(zip(names, lower.number_runs(self._request), strict=False))

    def _number_lists(self) -> Assignment:
        return {name: [self._worth(name, q) for q in run] for name, run in self._runs.items()}

    @cached_property
    def _quantities(self) -> tuple[Quantity, ...]:
        """Numbers of the request, without those that list parameters take."""
        taken = {q for run in self._runs.values() for q in run}
        return tuple(q for q in evidence.numbers(self._request) if q not in taken)

    @cached_property
    def _numeric(self) -> list[str]:
        """Required number parameters, and as many optional ones as numbers are left for.

        A number in digits must mean something, so it is offered to any; one in words only to a parameter
        that the request speaks of.
        """
        names = [n for n, s in self._properties.items() if s.get("type") in _NUMERIC and not s.get("enum")]
        needed = [n for n in names if n in self._required]
        left = max(0, len(self._quantities) - len(needed))
        digits = sum(not q.spelled for q in self._quantities) > len(needed)
        optional = [n for n in names if n not in self._required and (digits or self._mentions(n))]
        optional.sort(key=lambda n: -self._mentions(n))
        taken = {*needed, *optional[:left]}
        return [n for n in names if n in taken]

    def _mentions(self, name: str) -> int:
        """How many words of a parameter's name and description the request has."""
        described = evidence.words(f"{name} {self._properties[name].get('description', '')}")
        return len(set(described) & self._words)

    def _number_deals(self) -> list[Assignment]:
        if not self._numeric or len(self._quantities) < len(self._numeric):
            return []
        deals = _deals(self._numeric, self._quantities)
        worth = [{name: self._worth(name, q) for name, q in deal.items()} for deal in deals]
        return [deal for deal in worth if all(self._takes(n, v) for n, v in deal.items())]

    def _takes(self, name: str, value: float) -> bool:
        return isinstance(value, int) or self._properties[name]["type"] == "number"

    def _worth(self, name: str, quantity: Quantity) -> int | float:
        """A quantity as a parameter means it: 8 % is 0.08 unless the parameter speaks of per cents."""
        schema = self._properties[name]
        kind = schema.get("items", schema).get("type")
        speaks = f"{name} {schema.get('description', '')}".lower()
        if quantity.percent and kind == "number" and not any(w in speaks for w in ("percent", "per cent", "%")):
            return lower.whole(round(quantity.value / 100, 12))
        return lower.whole(quantity.value)

    # --- options, quotations, times, yes or no ---------------------------------------------------

    def _option_deals(self) -> list[list[Assignment]]:
        """For parameters that share a set of options of which the request names enough: who gets which."""
        groups: dict[str, list[str]] = {}
        for name, schema in self._properties.items():
            if schema.get("enum") and all(isinstance(o, str) for o in schema["enum"]):
                groups.setdefault(json.dumps(schema["enum"]), []).append(name)
        shared = [(names, self._given_first(json.loads(key))) for key, names in groups.items()]
        return [list(_deals(names, named)) for names, named in shared if len(named) >= len(names) > 1]

    def _given_first(self, options: list[str]) -> list[str]:
        """Options named, those right behind a number first: what has an amount is given, what has none is wanted."""
        ends = {q.end for q in self._quantities}
        places = evidence.places_named(self._request, options)

        def given(start: int) -> bool:
            return any(0 <= start - end <= 3 or self._request[end:start].strip(" °") in _DEGREES for end in ends)

        ordered = sorted(places, key=lambda place: not given(place[0]))
        return list(dict.fromkeys(option for _, _, option in ordered))

    def _quoted_deals(self) -> list[Assignment]:
        """Quotations, when there is one for every required text."""
        texts = [n for n, s in self._properties.items() if n in self._required and _is_text(s)]
        quoted = evidence.quoted(self._request)
        return list(_deals(texts, quoted)) if len(quoted) == len(texts) else []

    def _times(self) -> Assignment:
        """Phrases of time, in order, for the texts that speak of time."""
        names = [n for n, s in self._properties.items() if _is_text(s) and self._is_of_time(n)]
        found = [self._request[start:end] for start, end in moments(self._request)]
        return dict(zip(names, found, strict=False))

    def _paths(self) -> Assignment:
        """Words that are written as files, in order, for the texts that speak of files."""
        names = [n for n, s in self._properties.items() if _is_text(s) and _OF_FILES & _name_words(n)]
        return dict(zip(names, evidence.paths(self._request), strict=False))

    @staticmethod
    def _is_of_time(name: str) -> bool:
        return bool(_OF_TIME & _name_words(name))

    def _booleans(self) -> Assignment:
        """Required ones by whether the request negates; optional ones only when it speaks of them."""
        return {
            name: evidence.affirmed(self._request)
            for name, schema in self._properties.items()
            if schema.get("type") == "boolean" and (name in self._required or self._speaks_of(name))
        }

    # --- the rest --------------------------------------------------------------------------------

    def _wanted(self, name: str, schema: JsonSchema) -> bool:
        """Whether the request speaks of an optional parameter that got nothing in the assignment."""
        if schema.get("enum"):
            return bool(evidence.named(self._request, [o for o in schema["enum"] if isinstance(o, str)]))
        return schema.get("type") not in (*_NUMERIC, "boolean") and self._speaks_of(name)

    def _speaks_of(self, name: str) -> bool:
        own = set(evidence.words(name))
        return bool(own) and own <= self._words

    # --- free texts ------------------------------------------------------------------------------

    def _text_deals(self) -> list[Assignment]:
        """Names, and the longest runs of words that nothing else explains, if there is one for each text."""
        names = [
            name
            for name, schema in self._properties.items()
            if _is_text(schema)
            and name not in self.certain
            and (name in self._required or self._wanted(name, schema))
        ]
        own = evidence.words(f"{self._tool.name} {self._tool.description}")
        left = evidence.residues(self._request, own, self._taken)
        pools = (evidence.names(self._request, self._taken), _longest(left, len(names)))
        return [deal for pool in pools if len(pool) == len(names) for deal in _deals(names, pool)] if names else []

    @cached_property
    def _taken(self) -> list[tuple[int, int]]:
        """Places of the request that speak of something else than free text: options, times, numbers."""
        options = [list(map(str, s["enum"])) for s in self._properties.values() if s.get("enum")]
        taken = [(start, end) for o in options for start, end, _ in evidence.places_named(self._request, o)]
        taken += moments(self._request) if any(map(self._is_of_time, self.certain)) else []
        return taken + ([(q.start, q.end) for q in self._quantities] if self._numeric else [])

    def _named_optional(self, dealt: Assignment) -> Assignment:
        """What follows a preposition and nobody else took, for the one optional text still without a value."""
        names = [n for n, s in self._properties.items() if _is_text(s) and n not in dealt]
        if len(names) != 1 or names[0] in self._required or self._is_of_time(names[0]):
            return {}
        used = json.dumps(list(dealt.values()), ensure_ascii=False).lower()
        phrase = evidence.phrase_with(self._request, names[0])
        free = [phrase] if phrase else [n for n in evidence.placed_names(self._request) if n.lower() not in used]
        return {names[0]: free[0]} if len(free) == 1 else {}


def _is_text(schema: JsonSchema) -> bool:
    return schema.get("type") == "string" and not schema.get("enum")


def _longest(texts: list[str], count: int) -> list[str]:
    """The `count` texts with the most words, in their own order; none when there is no clear cut.

    Only whole clauses stand out like that; among shorter texts the model is the better judge.
    """
    if count >= len(texts):
        return texts
    sizes = sorted((len(text.split()) for text in texts), reverse=True)
    return [text for text in texts if len(text.split()) > max(sizes[count], 2)]


def _name_words(name: str) -> set[str]:
    """Stems of a parameter's name, function words such as `when` included."""
    return {*evidence.words(name), *(evidence.stem(part.lower()) for part in name.split("_"))}


def _deals(names: Sequence[str], values: Sequence[Any]) -> Iterator[Assignment]:
    for dealt in itertools.islice(itertools.permutations(values, len(names)), LIMITS.continuations):
        yield dict(zip(names, dealt, strict=True))
