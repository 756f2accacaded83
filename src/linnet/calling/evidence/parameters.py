"""A tool's parameters as filling sees them: flat, with what their names and descriptions say about them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from linnet.calling.evidence.lexicon import SENSES
from linnet.calling.evidence.naming import words
from linnet.calling.evidence.stems import stem
from linnet.schema import JsonSchema
from linnet.tools import Tool

_EXAMPLE = re.compile(r"(?<!\w)['\"“‘`]([^'\"“”‘’`\n]{1,60})['\"”’`](?!\w)")
_AFTER_EG = re.compile(r"(?:e\.g\.?,?|i\.e\.?,?|such as|for example,?|like)\s+([^.;()]{1,80})", re.IGNORECASE)
_DEFAULT = re.compile(
    r"defaults?(?:\s+(?:value|location|unit|is|to|as|set))*(?:\s*(?:is|to|=|:|as))?\s+"
    r"(?:an?\s+)?(?:empty\s+)?['\"“‘`]?(\w[^'\"”’`,;()\n]{0,60}?)['\"”’`]?"
    r"(?=[.,;)\s]*(?:$|[.;),]\s|\s(?:if|when|for)\b))",
    re.IGNORECASE,
)
_LEGEND = re.compile(
    r"(?:(?<![\w.])(-?\d{1,4})\s*(?:corresponds to|represents|for|means|is|indicates|=|:)"
    r"|['\"]([\w-]{1,20})['\"]\s*(?:(?:corresponds )?to|represents|for|means|is|indicates|=|:))\s*(?:an?\s+|the\s+)?"
    r"([A-Za-z][\w ]{1,40}?)(?=\s*(?:[,.;)]|\band\b|\bor\b|$))"
)
_FORM = re.compile(r"\b(?:YYYY|yyyy|MM|DD|HH|hh|City|State|Country|Address)\b|[<{\[]")
"""What shows the form of a value and is none."""
_ITEM = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+")


@dataclass(frozen=True, eq=False)
class Parameter:
    """One place for a value: `path` leads to it through nested objects."""

    path: tuple[str, ...]
    schema: JsonSchema
    required: bool
    index: int

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @cached_property
    def type(self) -> str:
        """`number` stands for integers as well; a schema without a type takes text."""
        if "const" in self.schema:
            return "const"
        if self.schema.get("enum"):
            return "options"
        kind = self.schema.get("type", "string")
        kind = next((k for k in kind if k != "null"), "string") if isinstance(kind, list) else kind
        return "number" if kind == "integer" else str(kind)

    @cached_property
    def integer(self) -> bool:
        kind = self.schema.get("type")
        return kind == "integer" or (isinstance(kind, list) and "integer" in kind and "number" not in kind)

    @cached_property
    def description(self) -> str:
        return str(self.schema.get("description") or "")

    @cached_property
    def name_stems(self) -> frozenset[str]:
        return frozenset(words(self.path[-1])) or frozenset(stem(w.lower()) for w in self.path[-1].split("_"))

    @cached_property
    def description_stems(self) -> frozenset[str]:
        return frozenset(words(self.description))

    @cached_property
    def element(self) -> Parameter:
        """What a list holds, as if that were a parameter."""
        return Parameter((*self.path, "item"), items(self.schema), True, 0)

    @cached_property
    def senses(self) -> tuple[str, ...]:
        """What it is about (place, person, time ...), by its name first, by its description otherwise."""
        by_name = _senses(self.name_stems)
        return by_name or _senses(frozenset(words(self.description.split(".")[0]))) or ("thing",)

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """Values that the description quotes or lists as examples."""
        found = [m[1].strip() for m in _EXAMPLE.finditer(self.description)]
        if not found:
            lists = (_ITEM.split(m[1].strip()) for m in _AFTER_EG.finditer(self.description))
            found = [item.strip() for items in lists for item in items if 0 < len(item.split()) <= 4]
        return tuple(dict.fromkeys(e for e in found if e and not _FORM.search(e)))

    @cached_property
    def example_stems(self) -> frozenset[str]:
        return frozenset(stem(word) for example in self.examples for word in example.lower().split())

    @cached_property
    def legend(self) -> dict[str, frozenset[str]]:
        """Values whose meaning the description tells (`1 for Bangkok, 2 for Chiang Mai`): the stems of each
        meaning that no other has; where it has none, those that not all have."""
        meanings = {(m[1] or m[2]): frozenset(words(m[3])) for m in _LEGEND.finditer(self.description)}
        if len(meanings) < 2 and self.type != "number":
            return {}
        told = Counter(stem for meaning in meanings.values() for stem in meaning)
        own = {value: frozenset(s for s in meaning if told[s] == 1) for value, meaning in meanings.items()}
        most = {
            value: frozenset(s for s in meaning if told[s] < len(meanings)) for value, meaning in meanings.items()
        }
        return {value: meaning for value in meanings if (meaning := own[value] or most[value])}

    @cached_property
    def default(self) -> Any:
        """The schema's default, or the one that the description tells; None when there is none."""
        if self.schema.get("default") is not None:
            return self.schema["default"]
        told = _DEFAULT.search(self.description)
        return _typed(told[1].strip(), self) if told else None


def _senses(stems: frozenset[str]) -> tuple[str, ...]:
    return tuple(sense for sense, known in SENSES.items() if stems & known)


def _typed(text: str, parameter: Parameter) -> Any:
    match parameter.type:
        case "number":
            return _number(text, parameter.integer)
        case "boolean":
            return {"true": True, "false": False}.get(text.lower())
        case "string":
            return text
        case "options":
            return next((o for o in parameter.schema["enum"] if str(o).lower() == text.lower()), None)
    return None


def _number(text: str, integer: bool) -> int | float | None:
    try:
        value = float(text.replace(",", "").rstrip("%"))
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if integer or value.is_integer() else value


def items(schema: JsonSchema) -> JsonSchema:
    """The schema of a list's elements; the one that takes anything when there is none (`items` may be a bool)."""
    found = schema.get("items")
    return found if isinstance(found, dict) else {}


def parameters(tool: Tool) -> tuple[Parameter, ...]:
    """All places for values, nested objects taken apart, in the schema's order."""
    return tuple(
        Parameter(path, schema, required, index)
        for index, (path, schema, required) in enumerate(_flat(tool.parameters, (), True))
    )


def _flat(
    schema: JsonSchema, above: tuple[str, ...], needed: bool
) -> Iterator[tuple[tuple[str, ...], JsonSchema, bool]]:
    required = set(schema.get("required", ()))
    for name, inner in (schema.get("properties") or {}).items():
        here, must = (*above, name), needed and name in required
        inner = inner if isinstance(inner, dict) else {}
        if inner.get("type") == "object" and inner.get("properties") and len(here) < 4:
            yield from _flat(inner, here, must)
        else:
            yield here, inner, must


def nested(values: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """Values by path -> arguments."""
    arguments: dict[str, Any] = {}
    for path, value in values.items():
        inside = arguments
        for part in path[:-1]:
            inside = inside.setdefault(part, {})
        inside[path[-1]] = value
    return arguments
