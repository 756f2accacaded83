"""Which parameters of a tool take part in a call, and how the evidence could be dealt out among them.

Pure: a tool and a request in, assignments and slots out. Each piece of evidence is used once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
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

Assignment = dict[str, Any]


class Plan:
    """The evidence of one request, sorted by the parameters of one tool."""

    def __init__(self, tool: Tool, request: str) -> None:
        self._tool, self._request = tool, request
        self._properties: dict[str, JsonSchema] = tool.parameters["properties"]
        self._required = set(tool.parameters.get("required", ()))
        self._words = set(evidence.words(request))

    @cached_property
    def assignments(self) -> list[Assignment]:
        """Ways to deal the evidence out; those in the request's own order come first. Never empty."""
        certain = {**self._number_lists(), **self._times(), **self._booleans()}
        dealt = [
            self._number_deals(),
            *self._option_deals(),
            self._quoted_deals() or self._text_deals(certain),
        ]
        product = itertools.islice(itertools.product(*[d for d in dealt if d]), LIMITS.continuations)
        deals = [{**certain, **{k: v for part in parts for k, v in part.items()}} for parts in product]
        return [{**deal, **self._named_optional(deal)} for deal in deals]

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
        shared = [(names, evidence.named(self._request, json.loads(key))) for key, names in groups.items()]
        return [list(_deals(names, named)) for names, named in shared if len(named) >= len(names) > 1]

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

    def _is_of_time(self, name: str) -> bool:
        described = evidence.words(name) or [evidence.stem(name.lower())]
        return bool(_OF_TIME & {*described, evidence.stem(name.lower())})

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

    def _text_deals(self, certain: Assignment) -> list[Assignment]:
        """Names, and runs of words that nothing else explains, where there is exactly one for each text."""
        names = [
            name
            for name, schema in self._properties.items()
            if _is_text(schema) and name not in certain and (name in self._required or self._wanted(name, schema))
        ]
        named = evidence.names(self._request)
        pools = [pool for pool in (named, self._left_over(certain)) if names and len(pool) == len(names)]
        return [deal for pool in pools for deal in _deals(names, pool)]

    def _named_optional(self, dealt: Assignment) -> Assignment:
        """What follows a preposition and nobody else took, for the one optional text still without a value."""
        names = [n for n, s in self._properties.items() if _is_text(s) and n not in dealt]
        if len(names) != 1 or names[0] in self._required or self._is_of_time(names[0]):
            return {}
        used = json.dumps(list(dealt.values()), ensure_ascii=False).lower()
        phrase = evidence.phrase_with(self._request, names[0])
        free = [phrase] if phrase else [n for n in evidence.placed_names(self._request) if n.lower() not in used]
        return {names[0]: free[0]} if len(free) == 1 else {}

    def _left_over(self, certain: Assignment) -> list[str]:
        options = [s["enum"] for s in self._properties.values() if s.get("enum")]
        named = [p for group in options for p in evidence.places_named(self._request, [str(o) for o in group])]
        taken = [(start, end) for start, end, _ in named]
        taken += moments(self._request) if any(self._is_of_time(n) for n in certain) else []
        taken += [(q.start, q.end) for q in self._quantities] if self._numeric else []
        own = evidence.words(f"{self._tool.name} {self._tool.description}")
        return evidence.residues(self._request, own, taken)


def _is_text(schema: JsonSchema) -> bool:
    return schema.get("type") == "string" and not schema.get("enum")


def _deals(names: Sequence[str], values: Sequence[Any]) -> Iterator[Assignment]:
    for dealt in itertools.islice(itertools.permutations(values, len(names)), LIMITS.continuations):
        yield dict(zip(names, dealt, strict=True))
