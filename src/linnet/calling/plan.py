"""Which parameters of a tool take part in a call, and how the evidence could be dealt out among them.

Pure: a tool and a request in; what is certain, groups of deals, and slots out. Evidence that is dealt is dealt once.
"""

from __future__ import annotations

import itertools
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linnet.calling import evidence, kinds, lower
from linnet.calling.evidence import Quantity
from linnet.calling.lower import Slot
from linnet.calling.moments import moments
from linnet.limits import LIMITS
from linnet.schema import JsonSchema
from linnet.tools import Tool

IN_ORDER = 2.0
"""Nats that speak for dealing evidence out in the request's own order: what comes first is mostly named first."""
OPTIONS_IN_ORDER = 4.0
"""The same for options, which mostly say where something starts and where it ends."""
FITTING = 3.0
"""Nats for each number that stands where its parameter is spoken of (`4 people`), or is a per cent where per
cents are meant; and against one that is not."""

_NEXT_WORD = re.compile(r"[\s-]*([^\W\d_]+)")
_OF_A_UNIT = re.compile(r"[\s°-]*(?:deg(?:ree)?s?\s*)?")

Assignment = dict[str, Any]


@dataclass(frozen=True)
class Deal:
    """One way to deal evidence out, and the nats that speak for it before the model is asked."""

    assignment: Assignment
    prior: float = 0.0


Group = tuple[Deal, ...]
"""Parameters that compete for the same kind of evidence: the ways to deal it out, in the request's order first."""


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
        lists = {name: [self._worth(name, q) for q in run] for name, run in self._runs.items()}
        return {**lists, **self._times, **self._paths, **self._booleans}

    @cached_property
    def groups(self) -> list[Group]:
        """What it leaves a choice about: each group has at least one deal, and is dealt by itself."""
        texts = self._quoted_deals() or self._text_deals()
        return [group for group in (self._number_deals(), *self._option_deals(), texts) if group]

    def settle(self, chosen: Iterable[Deal]) -> Assignment:
        """All that is assigned, once a deal of each group was chosen."""
        dealt = {**self.certain, **{name: value for deal in chosen for name, value in deal.assignment.items()}}
        return {**dealt, **self._named_optional(dealt)}

    def slots(self, assigned: Assignment) -> list[Slot]:
        """A slot for each parameter that takes part, in the schema's order."""
        return [
            lower.fixed(name, assigned[name])
            if name in assigned
            else lower.slot(name, schema, self._request, self._quantities)
            for name, schema in self._properties.items()
            if name in assigned or self._fillable(name) or self._wanted(name, schema)
        ]

    def _fillable(self, name: str) -> bool:
        """Whether a required parameter can be filled: what is to be said cannot when nothing says it, nor can a
        list of numbers when there are none left.

        Then it is left out, the call is not valid, and the caller is told what is missing.
        """
        schema = self._properties[name]
        silent = kinds.is_clause(name) and kinds.is_text(schema) and not self._residues
        numberless = kinds.is_number_list(schema) and not self._quantities
        return name in self._required and not silent and not numberless

    def _wanted(self, name: str, schema: JsonSchema) -> bool:
        """Whether the request speaks of an optional parameter that got nothing in the assignment."""
        if schema.get("enum"):
            return bool(evidence.named(self._request, kinds.options(schema)))
        return not kinds.is_number(schema) and schema.get("type") != "boolean" and self._speaks_of(name)

    def _speaks_of(self, name: str) -> bool:
        own = set(evidence.words(name))
        return bool(own) and own <= self._words

    # --- numbers ---------------------------------------------------------------------------------

    @cached_property
    def _runs(self) -> dict[str, tuple[Quantity, ...]]:
        """Runs of numbers, dealt out to the list parameters in order."""
        names = [name for name, schema in self._properties.items() if kinds.is_number_list(schema)]
        return dict(zip(names, lower.number_runs(self._request), strict=False))

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
        names = [name for name, schema in self._properties.items() if kinds.is_number(schema)]
        needed = [name for name in names if name in self._required]
        left = max(0, len(self._quantities) - len(needed))
        digits = sum(not q.spelled for q in self._quantities) > len(needed)
        optional = [n for n in names if n not in self._required and (digits or self._mentions(n))]
        optional.sort(key=lambda name: -self._mentions(name))
        taken = {*needed, *optional[:left]}
        return [name for name in names if name in taken]

    def _mentions(self, name: str) -> int:
        """How many words of a parameter's name and description the request has."""
        described = evidence.words(f"{name} {self._properties[name].get('description', '')}")
        return len(set(described) & self._words)

    def _number_deals(self) -> Group:
        if not self._numeric or len(self._quantities) < len(self._numeric):
            return ()

        def prior(dealt: Sequence[Quantity]) -> float:
            return sum(self._fit(name, q) for name, q in zip(self._numeric, dealt, strict=True))

        dealt = _permutations(self._quantities, len(self._numeric))
        priors = [prior(deal) for deal in dealt]
        # The request's own order is favoured only where no other fits its words better.
        priors[0] += IN_ORDER if priors[0] >= max(priors) else 0.0
        worth = [
            Deal({name: self._worth(name, q) for name, q in zip(self._numeric, deal, strict=True)}, p)
            for deal, p in zip(dealt, priors, strict=True)
        ]
        return tuple(deal for deal in worth if all(self._takes(n, v) for n, v in deal.assignment.items()))

    def _fit(self, name: str, quantity: Quantity) -> float:
        """Nats for giving this number to this parameter, by the words around it."""
        percents = [n for n in self._numeric if self._means_percent(n)]
        fit = 0.0
        if percents:
            fit += FITTING if quantity.percent and name in percents else 0.0
            fit -= FITTING if quantity.percent != (name in percents) else 0.0
        following = _NEXT_WORD.match(self._request, quantity.end)
        if following and evidence.stem(following[1].lower()) in kinds.name_words(name):
            fit += FITTING
        return fit

    def _means_percent(self, name: str) -> bool:
        speaks = f"{name} {self._properties[name].get('description', '')}".lower()
        return any(word in speaks for word in ("percent", "per cent", "%"))

    def _takes(self, name: str, value: float) -> bool:
        return isinstance(value, int) or self._properties[name]["type"] == "number"

    def _worth(self, name: str, quantity: Quantity) -> int | float:
        """A quantity as a parameter means it: 8 % is 0.08 unless the parameter speaks of per cents."""
        schema = self._properties[name]
        fraction = schema.get("items", schema).get("type") == "number" and not self._means_percent(name)
        return lower.whole(round(quantity.value / 100, 12) if quantity.percent and fraction else quantity.value)

    # --- options, times, files, yes or no --------------------------------------------------------

    def _option_deals(self) -> list[Group]:
        """For parameters that share a set of options of which the request names enough: who gets which."""
        sharing: dict[str, list[str]] = {}
        for name, schema in self._properties.items():
            if kinds.options(schema):
                sharing.setdefault(json.dumps(schema["enum"]), []).append(name)
        dealt = [
            (names, self._given_first(kinds.options({"enum": json.loads(key)})))
            for key, names in sharing.items()
            if len(names) > 1
        ]
        return [_deals(names, named, OPTIONS_IN_ORDER) for names, named in dealt if len(named) >= len(names)]

    def _given_first(self, options: list[str]) -> list[str]:
        """Options named, those right behind a number first: what has an amount is given, what has none is wanted."""

        ends = [q.end for q in self._quantities]

        def given(start: int) -> bool:
            before = bisect_right(ends, start)
            return before > 0 and bool(_OF_A_UNIT.fullmatch(self._request, ends[before - 1], start))

        places = sorted(evidence.places_named(self._request, options), key=lambda place: not given(place[0]))
        return list(dict.fromkeys(option for _, _, option in places))

    @cached_property
    def _times(self) -> Assignment:
        """Phrases of time, in order, for the texts that speak of time."""
        found = [self._request[start:end] for start, end in moments(self._request)]
        return dict(zip(self._texts(kinds.is_time), found, strict=False))

    @cached_property
    def _paths(self) -> Assignment:
        """Words that are written as files, in order, for the texts that speak of files."""
        return dict(zip(self._texts(kinds.is_file), evidence.paths(self._request), strict=False))

    def _texts(self, kind: Callable[[str, JsonSchema], bool]) -> list[str]:
        return [name for name, schema in self._properties.items() if kind(name, schema)]

    @cached_property
    def _booleans(self) -> Assignment:
        """Required ones by whether the request negates; optional ones only when it speaks of them."""
        return {
            name: evidence.affirmed(self._request)
            for name, schema in self._properties.items()
            if schema.get("type") == "boolean" and (name in self._required or self._speaks_of(name))
        }

    # --- free texts ------------------------------------------------------------------------------

    def _quoted_deals(self) -> Group:
        """Quotations, when there is one for every required text."""
        texts = [n for n, s in self._properties.items() if n in self._required and kinds.is_text(s)]
        quoted = evidence.quoted(self._request)
        return _deals(texts, quoted, IN_ORDER) if len(quoted) == len(texts) else ()

    def _text_deals(self) -> Group:
        """Names, and the longest runs of words that nothing else explains, if there is one for each text.

        What is said or to be done is a run of words; who or where it is, is more often a name.
        """
        names = [
            name
            for name, schema in self._properties.items()
            if kinds.is_text(schema) and name not in self.certain and name in self._required
        ]
        runs = _longest(self._residues, len(names))
        pools = [runs] if any(map(kinds.is_clause, names)) and len(runs) == len(names) else [self._names(), runs]
        deals = (deal for pool in pools if len(pool) == len(names) for deal in _deals(names, pool, 0.0))
        return tuple(itertools.islice(deals, LIMITS.continuations))

    @cached_property
    def _residues(self) -> list[str]:
        own = evidence.words(f"{self._tool.name} {self._tool.description}")
        return evidence.residues(self._request, own, self._taken)

    def _names(self) -> list[str]:
        return evidence.names(self._request, self._taken)

    @cached_property
    def _taken(self) -> list[tuple[int, int]]:
        """Places of the request that speak of something else than free text: options, times, numbers."""
        sets = [kinds.options(schema) for schema in self._properties.values()]
        taken = [(start, end) for group in sets for start, end, _ in evidence.places_named(self._request, group)]
        taken += moments(self._request) if self._times else []
        return taken + ([(q.start, q.end) for q in self._quantities] if self._numeric else [])

    def _named_optional(self, dealt: Assignment) -> Assignment:
        """What follows a preposition and nobody else took, for the one optional text still without a value."""
        names = [n for n, s in self._properties.items() if kinds.is_text(s) and n not in dealt]
        if len(names) != 1 or names[0] in self._required or kinds.is_time(names[0], self._properties[names[0]]):
            return {}
        used = json.dumps(list(dealt.values()), ensure_ascii=False).lower()
        phrase = evidence.phrase_with(self._request, names[0])
        free = [phrase] if phrase else [n for n in evidence.placed_names(self._request) if n.lower() not in used]
        return {names[0]: free[0]} if len(free) == 1 else {}


def _longest(texts: list[str], count: int) -> list[str]:
    """The `count` texts with the most words, in their own order; none when there is no clear cut.

    Only whole clauses stand out like that; among shorter texts the model is the better judge.
    """
    if count >= len(texts):
        return texts
    sizes = sorted((len(text.split()) for text in texts), reverse=True)
    return [text for text in texts if len(text.split()) > max(sizes[count], 2)]


def _deals(names: Sequence[str], values: Sequence[Any], in_order: float) -> Group:
    if not names:
        return ()
    dealt = _permutations(values, len(names))
    return tuple(Deal(dict(zip(names, d, strict=True)), 0.0 if i else in_order) for i, d in enumerate(dealt))


def _permutations(values: Sequence[Any], count: int) -> list[tuple[Any, ...]]:
    return list(itertools.islice(itertools.permutations(values, count), LIMITS.continuations))
