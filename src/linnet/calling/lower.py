"""One parameter's JSON Schema and the request -> a slot: JSON text with gaps, and how to read what fills them.

Never fails open: a schema that has no better form becomes a gap that the schema itself constrains, and every
call is validated in full afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.calling import evidence, kinds
from linnet.calling.evidence import Quantity
from linnet.calling.lexicon import COMMON
from linnet.requests import Choice, Copy, Fixed, Hole, Number, Schema
from linnet.schema import JsonSchema

Part = Fixed | Hole
Captures = Mapping[str, str]

_EDGE_WORDS = 6
"""Words that the first item of a list may reach back over."""


@dataclass(frozen=True)
class Slot:
    """One argument in the making: `parts` is its JSON text, `read` turns what filled the gaps into its value."""

    name: str
    parts: tuple[Part, ...]
    read: Callable[[Captures], Any]

    @property
    def free(self) -> bool:
        """Whether the model has anything to decide."""
        return bool(self.gaps)

    @property
    def gaps(self) -> frozenset[str]:
        """The names of its gaps."""
        return frozenset(part.name for part in self.parts if isinstance(part, Hole))


def fixed(name: str, value: Any) -> Slot:
    """A slot that evidence has filled."""
    return Slot(name, (Fixed(json.dumps(value, ensure_ascii=False)),), lambda captures: value)


def slot(name: str, schema: JsonSchema, text: str, pool: Sequence[Quantity]) -> Slot:
    """The slot of a parameter whose evidence left more than one possibility; `pool` are the request's numbers."""
    if "const" in schema:
        return fixed(name, schema["const"])
    if options := schema.get("enum"):
        return _options(name, list(options), text, pool)
    match schema.get("type"):
        case "boolean":
            return _choice(name, {"true": True, "false": False})
        case "number" | "integer" as kind:
            return _number(name, [q.value for q in pool], kind == "integer")
        case "array" if _is_simple(schema):
            return _array(name, kinds.items(schema), text, pool)
    return _string(name, text) if kinds.takes_text(schema) else _json(name, Schema(schema))


def _is_simple(schema: JsonSchema) -> bool:
    """Whether a list is one of texts, of numbers or of options."""
    items = kinds.items(schema)
    simple = items.get("enum") or kinds.is_number(items) or kinds.takes_text(items)
    return bool(simple) and "prefixItems" not in schema


def _json(name: str, constraint: Number | Schema) -> Slot:
    return Slot(name, (Hole(name, constraint),), lambda captures: json.loads(captures[name]))


def _number(name: str, pool: list[float], whole_only: bool) -> Slot:
    """One of the pool. Where only fractions are at hand and none will do, one is given as it is, so that the
    check of the arguments says what is wrong."""
    if whole_only and pool and not any(number.is_integer() for number in pool):
        return fixed(name, pool[0])
    return _json(name, Number(tuple(pool), whole_only))


def _choice(name: str, options: dict[str, Any]) -> Slot:
    if len(options) == 1:
        return fixed(name, next(iter(options.values())))
    hole = Hole(name, Choice(tuple(options)))
    return Slot(name, (hole,), lambda captures: options[captures[name]])


def _options(name: str, options: list[Any], text: str, pool: Sequence[Quantity]) -> Slot:
    said = [q.value for q in pool]
    named: list[Any] = evidence.named(text, [o for o in options if isinstance(o, str)])
    named = named or [o for o in options if isinstance(o, int | float) and not isinstance(o, bool) and o in said]
    return _choice(name, {json.dumps(o, ensure_ascii=False): o for o in (named or options)})


def _string(name: str, text: str) -> Slot:
    """A copy from the request; null, which no check of arguments passes, where it has nothing to copy."""
    if not re.search(r"\w", text):
        return fixed(name, None)
    return Slot(name, (Fixed('"'), Hole(name, Copy(text)), Fixed('"')), lambda captures: captures[name])


def _array(name: str, items: JsonSchema, text: str, pool: Sequence[Quantity]) -> Slot:
    if options := items.get("enum"):
        named = evidence.named(text, [o for o in options if isinstance(o, str)])
        return fixed(name, named) if named else _items(name, [[json.dumps(o) for o in options]])
    if items.get("type") in ("number", "integer"):
        return fixed(name, [whole(q.value) for q in next(iter(number_runs(text)), pool)])
    if quoted := evidence.quoted(text):
        return fixed(name, quoted)
    pieces = evidence.listed(text)
    if len(pieces) < 2:
        first, rest = list(_suffixes("".join(pieces) or text)), []
    else:
        first, rest = list(_suffixes(pieces[0])), [[without_article(piece)] for piece in pieces[1:]]
    return _items(name, [[json.dumps(c, ensure_ascii=False) for c in item] for item in (first, *rest)])


def _items(name: str, choices: list[list[str]]) -> Slot:
    parts: list[Part] = [Fixed("[")]
    for i, options in enumerate(choices):
        parts += [Fixed(", ")] if i else []
        parts.append(Hole(f"{name}.{i}", Choice(tuple(options))) if len(options) > 1 else Fixed(options[0]))
    parts.append(Fixed("]"))

    def read(captures: Captures) -> list[Any]:
        return [
            json.loads(captures[f"{name}.{i}"] if len(options) > 1 else options[0])
            for i, options in enumerate(choices)
        ]

    return Slot(name, tuple(parts), read)


def _suffixes(piece: str) -> Iterator[str]:
    """Ends of a piece, the longest first, that do not begin with a function word."""
    words = piece.split()
    starts = [i for i, word in enumerate(words) if word.lower() not in COMMON] or [0]
    yield from dict.fromkeys(" ".join(words[i:]) for i in starts[-_EDGE_WORDS:])


def without_article(text: str) -> str:
    return re.sub(r"^(?:an?|the|some)\s+(?=\S)", "", text, flags=re.IGNORECASE)


def number_runs(text: str) -> list[tuple[Quantity, ...]]:
    """Runs of at least two numbers with nothing but commas, `and` and white space between them, in order."""
    runs: list[list[Quantity]] = []
    for quantity in evidence.numbers(text):
        between = text[runs[-1][-1].end : quantity.start] if runs else "."
        if re.fullmatch(r"[\s,;%]*(?:(?:and|or)[\s,;]*)?", between):
            runs[-1].append(quantity)
        else:
            runs.append([quantity])
    return [tuple(run) for run in runs if len(run) > 1]


def whole(number: float) -> int | float:
    """5 for 5.0: JSON writes whole numbers without a point, and every number type takes them."""
    return int(number) if float(number).is_integer() else number
