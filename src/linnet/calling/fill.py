"""The arguments of a chosen tool: evidence of the request is assigned, each piece once, and the model fills the rest.

What the request leaves no doubt about is written by code. Where several pieces of evidence compete for
several arguments (numbers, options of the same kind), whole assignments are scored by likelihood. What is
still open is filled under one constraint, in which everything else is fixed text.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling import evidence, lower
from linnet.calling.evidence import Quantity
from linnet.calling.lower import Slot
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Fixed, Generate, Holes, Model, Score, Usage, complete
from linnet.schema import JsonSchema
from linnet.tool import Tool

_NUMERIC = ("number", "integer")


@dataclass(frozen=True)
class Filled:
    """Arguments as JSON values; `told` says in words where each came from."""

    arguments: dict[str, Any]
    usage: Usage
    told: dict[str, str]


def fill(model: Model, tool: Tool, request: str) -> Filled:
    """Arguments for `tool`, from the request alone. They are valid in type; the caller validates them in full."""
    plan = _Plan(tool, request)
    prompt = (Message("user", prompt_of(tool, request), trusted=False),)
    usage = Usage()
    if len(plan.assignments) > 1:
        texts = tuple(_json(assignment) for assignment in plan.assignments)
        end = complete(model, Score(prompt, texts, answer_start="{"))
        usage += end.usage
        best = max(range(len(texts)), key=lambda i: end.scores[i][0])
    else:
        best = 0
    slots = plan.slots(plan.assignments[best] if plan.assignments else {})
    if any(slot.free for slot in slots):
        end = complete(model, Generate(prompt, constraint=_holes(slots), max_tokens=512))
        usage += end.usage
        captures = end.captures
    else:
        captures = {}
    told = {slot.name: "model" if slot.free else "evidence" for slot in slots}
    return Filled({slot.name: slot.read(captures) for slot in slots}, usage, told)


def prompt_of(tool: Tool, request: str) -> str:
    """What the model reads: the function, its parameters with their descriptions and options, the request."""
    lines = [f"Function {tool.name}: {tool.description}", "Arguments:"]
    for name, schema in tool.parameters["properties"].items():
        options = f" One of: {', '.join(map(str, schema['enum']))}." if schema.get("enum") else ""
        lines.append(f"- {name} ({schema.get('type', 'any')}): {schema.get('description', '')}{options}")
    lines += [f"Request: {request}", "Write the arguments of the function call as JSON."]
    return "\n".join(lines)


class _Plan:
    """Which parameters take part, and how the evidence could be dealt out among them."""

    def __init__(self, tool: Tool, request: str) -> None:
        self._tool, self._request = tool, request
        self._properties: dict[str, JsonSchema] = tool.parameters["properties"]
        self._required = set(tool.parameters.get("required", ()))
        self._quantities = self._free_quantities()
        self._numeric = self._numeric_parameters()
        self._options = self._option_groups()
        self.assignments = self._assign()

    # --- numbers ---------------------------------------------------------------------------------

    def _free_quantities(self) -> tuple[Quantity, ...]:
        """Numbers of the request, without those that list parameters take."""
        taken = {q for run in self._number_lists().values() for q in run}
        return tuple(q for q in evidence.numbers(self._request) if q not in taken)

    def _number_lists(self) -> dict[str, tuple[Quantity, ...]]:
        """Runs of numbers, dealt out to the list parameters in order."""
        names = [
            name
            for name, schema in self._properties.items()
            if schema.get("type") == "array" and schema.get("items", {}).get("type") in _NUMERIC
        ]
        return dict(zip(names, lower.number_runs(self._request), strict=False))

    def _numeric_parameters(self) -> list[str]:
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
        return len(set(described) & set(evidence.words(self._request)))

    # --- options ---------------------------------------------------------------------------------

    def _option_groups(self) -> list[tuple[list[str], list[str]]]:
        """Parameters that share a set of options of which the request names several: (names, options named)."""
        groups: dict[str, list[str]] = {}
        for name, schema in self._properties.items():
            if schema.get("enum") and all(isinstance(o, str) for o in schema["enum"]):
                groups.setdefault(json.dumps(schema["enum"]), []).append(name)
        shared = [(names, evidence.named(self._request, json.loads(key))) for key, names in groups.items()]
        return [(names, named) for names, named in shared if len(named) >= len(names) > 1]

    # --- assignments -----------------------------------------------------------------------------

    def _assign(self) -> list[dict[str, Any]]:
        """Ways to deal the evidence out, each piece at most once; those in the request's order come first."""
        dealt = [self._number_deals(), self._quoted_deals()]
        dealt += [list(_deals(names, named)) for names, named in self._options]
        product = itertools.islice(itertools.product(*[d for d in dealt if d]), LIMITS.continuations)
        lists = {name: [self._worth(name, q) for q in run] for name, run in self._number_lists().items()}
        return [{**lists, **{k: v for part in parts for k, v in part.items()}} for parts in product]

    def _number_deals(self) -> list[dict[str, Any]]:
        if not self._numeric or len(self._quantities) < len(self._numeric):
            return []
        deals = _deals(self._numeric, self._quantities)
        worth = [{name: self._worth(name, q) for name, q in deal.items()} for deal in deals]
        return [deal for deal in worth if all(self._takes(n, v) for n, v in deal.items())]

    def _quoted_deals(self) -> list[dict[str, Any]]:
        """Quotations, when there is one for every text parameter."""
        texts = [n for n in self._required if self._is_text(self._properties[n])]
        quoted = evidence.quoted(self._request)
        return list(_deals([n for n in self._properties if n in texts], quoted)) if len(quoted) == len(texts) else []

    @staticmethod
    def _is_text(schema: JsonSchema) -> bool:
        return schema.get("type") == "string" and not schema.get("enum")

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

    # --- slots -----------------------------------------------------------------------------------

    def slots(self, assigned: dict[str, Any]) -> list[Slot]:
        """A slot for each parameter that takes part, in the schema's order."""
        return [
            lower.fixed(name, assigned[name])
            if name in assigned
            else lower.slot(name, schema, self._request, self._quantities)
            for name, schema in self._properties.items()
            if name in assigned or name in self._required or self._wanted(name, schema)
        ]

    def _wanted(self, name: str, schema: JsonSchema) -> bool:
        """Whether the request speaks of an optional parameter that got nothing in the assignment."""
        if schema.get("enum"):
            return bool(evidence.named(self._request, [o for o in schema["enum"] if isinstance(o, str)]))
        if schema.get("type") in _NUMERIC:
            return False
        own = set(evidence.words(name))
        return bool(own) and own <= set(evidence.words(self._request))


def _deals(names: Sequence[str], values: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for values_in_order in itertools.islice(itertools.permutations(values, len(names)), LIMITS.continuations):
        yield dict(zip(names, values_in_order, strict=True))


def _json(assignment: dict[str, Any]) -> str:
    return json.dumps(assignment, ensure_ascii=False)[1:]


def _holes(slots: Sequence[Slot]) -> Holes:
    parts: list[Any] = [Fixed("{")]
    for i, slot in enumerate(slots):
        parts.append(Fixed(f"{', ' if i else ''}{json.dumps(slot.name)}: "))
        parts += slot.parts
    return Holes((*parts, Fixed("}")))
