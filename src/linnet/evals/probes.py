"""Requests made up from what tools say of themselves, each with the call that it should lead to.

Four ways to ask (an order, a question, a polite order, a fragment), filled with the tool's own name or
description and with values for its parameters: options of an enum, examples out of descriptions, else values
of the parameter's kind. The same seed makes the same requests.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.schema import JsonSchema
from linnet.tools import Tool


@dataclass(frozen=True)
class Probe:
    """A request for `tool`, the arguments that it names, and how it asks. A tool of None: it wants none.

    An example that the tool's author wrote names arguments that nobody knows: `arguments` is None.
    """

    request: str
    tool: Tool | None
    arguments: Mapping[str, Any] | None
    form: str


_FORMS = {
    "order": "{Action}{with_}.",
    "question": "Can you {action}{with_}?",
    "polite": "Please {action} for me{with_}, thank you.",
    "fragment": "{name}{with_}",
}

_DRAWS = 5
"""Values drawn for a parameter, so that two parameters rarely get the same."""

_IDLE = (
    "Who wrote the novel Frankenstein?",
    "Hello, how are you today?",
    "Why is the sky blue?",
    "Tell me a joke about two parrots.",
)
"""Requests that hardly any tool is for."""


def probes(tools: Sequence[Tool], per_tool: int, seed: int = 0) -> tuple[Probe, ...]:
    """`per_tool` requests for each tool, its own examples first; and at the end some that want none."""
    made = [probe for tool in tools for probe in _of(tool, per_tool, random.Random(f"{seed} {tool.name}"))]
    return (*made, *(Probe(text, None, {}, "idle") for text in _IDLE))


def _of(tool: Tool, count: int, draw: random.Random) -> list[Probe]:
    own = [Probe(text, tool, None, "example") for text in tool.examples[: count // 2]]
    forms = list(_FORMS)
    return own + [_probe(tool, forms[i % len(forms)], i, draw) for i in range(count - len(own))]


def _probe(tool: Tool, form: str, turn: int, draw: random.Random) -> Probe:
    """Half of the requests, and of each form, leave optional parameters out."""
    whole, required = (turn + turn // len(_FORMS)) % 2 == 0, set(tool.parameters["required"])
    arguments: dict[str, Any] = {}
    for name, schema in tool.parameters["properties"].items():
        if whole or name in required:
            drawn = [value_of(name, schema, draw) for _ in range(_DRAWS)]
            value = next((value for value in drawn if value not in arguments.values()), drawn[0])
            arguments |= {} if value is None else {name: value}
    action = action_of(tool)
    clauses = ", ".join(_clause(name, value, draw) for name, value in arguments.items())
    text = _FORMS[form].format(
        action=action,
        Action=action[:1].upper() + action[1:],
        name=_spaced(tool.name),
        with_=clauses and f" with {clauses}",
    )
    return Probe(text, tool, arguments, form)


# --- words ---------------------------------------------------------------------------------------


def action_of(tool: Tool) -> str:
    """The first sentence of the description as something to do, or the name where there is none."""
    first = re.split(r"[.;:\n]", tool.description.strip())[0].strip()
    first = re.sub(r",? (?:given|based on|using|with or without)\b.*", "", first)
    verb, _, rest = first.partition(" ")
    return f"{_imperative(verb.lower())} {rest}" if rest else _spaced(tool.name)


def _imperative(verb: str) -> str:
    """`calculates`, `searches`, `applies` -> calculate, search, apply."""
    for ending, bare in ((r"ies$", "y"), (r"(ss|x|ch|sh)es$", r"\1"), (r"([^siu])s$", r"\1")):
        if re.search(ending, verb):
            return re.sub(ending, bare, verb)
    return verb


def _clause(name: str, value: Any, draw: random.Random) -> str:
    label = _spaced(name)
    if isinstance(value, bool):
        return f"{label} set to {'true' if value else 'false'}"
    said = _joined([str(part) for part in value]) if isinstance(value, list) else str(value)
    forms = ["{label} {said}", "{label} set to {said}", "{said} as {label}"]
    if " " in said:  # words before a label would run into what stands before them
        forms[2] = "{label} {said}" if isinstance(value, list) else '{label} "{said}"'
    return draw.choice(forms).format(label=label, said=said)


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _spaced(name: str) -> str:
    """`getUserName`, `get_user.name` -> get user name."""
    return " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[._/:-]", " ", name).lower().split())


# --- values --------------------------------------------------------------------------------------

_BY_WORD = {
    "city|location|place|town|destination|origin|from|to": ("Paris", "Lisbon", "Toronto", "Nairobi"),
    "country|nation": ("Portugal", "Kenya", "Canada", "Japan"),
    "date|day|deadline": ("12 May 2025", "3 March 2026", "tomorrow", "next Friday"),
    "time|when|hour": ("9 am", "6:30 pm", "noon", "tomorrow at 9 am"),
    "email|mail": ("anna@example.org", "tom@example.com"),
    "url|link|website": ("https://example.org", "https://example.com/news"),
    "file|path|filename|folder|directory": ("notes.txt", "report.md", "plans.csv"),
    "name|person|author|artist|user|recipient|contact": ("Anna Weber", "Tom Okafor", "Mira Singh"),
    "store|shop|restaurant|hotel|company": ("Blue Anchor", "Miller and Sons", "Corner House"),
    "id|code|number": ("A1742", "K2093", "B5581"),
    "language": ("French", "German", "Japanese"),
    "currency": ("EUR", "USD", "JPY"),
    "expression|formula|equation": ("12 * 7", "2 + 3 * 4", "45 / 9"),
}
"""Words in a parameter's name -> values that a person may give for it."""

_PLAIN = ("green lanterns", "old maps", "winter apples", "paper boats")
_ITEMS = ("apples", "candles", "rye bread", "blue ink", "walnuts")


def value_of(name: str, schema: JsonSchema, draw: random.Random) -> Any:
    """A value that the schema accepts and a person could say; None where none is known (objects)."""
    if options := schema.get("enum"):
        return draw.choice(options)
    match schema.get("type"):
        case "integer":
            return draw.randint(*_range(schema))
        case "number":
            return draw.randint(*_range(schema)) + (0 if "maximum" in schema else draw.choice((0, 0.5)))
        case "boolean":
            return draw.random() < 0.5
        case "array":
            return _list(schema, draw)
        case "string" | None:
            return None if {"anyOf", "oneOf", "allOf", "pattern"} & schema.keys() else _text(name, schema, draw)
    return None


def _range(schema: JsonSchema) -> tuple[int, int]:
    low = int(schema.get("minimum", schema.get("exclusiveMinimum", 1) + ("exclusiveMinimum" in schema)))
    high = int(schema.get("maximum", schema.get("exclusiveMaximum", low + 28) - 1))
    return low, max(low, high)


def _list(schema: JsonSchema, draw: random.Random) -> list[Any] | None:
    items = schema.get("items")
    items = items if isinstance(items, dict) else {}
    count = max(int(schema.get("minItems", 1)), min(int(schema.get("maxItems", 3)), draw.choice((2, 3))))
    if items.get("type") in ("integer", "number"):
        return [draw.randint(*_range(items)) for _ in range(count)]
    options = items.get("enum") or (_ITEMS if items.get("type", "string") == "string" else ())
    return draw.sample(list(options), min(count, len(options))) or None


def _text(name: str, schema: JsonSchema, draw: random.Random) -> str:
    if schema.get("format") == "date" or "yyyy-mm-dd" in schema.get("description", "").lower():
        return f"2026-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
    told = _examples(schema.get("description", ""))
    words = set(_spaced(name).split())
    known = next((values for keys, values in _BY_WORD.items() if words & set(keys.split("|"))), _PLAIN)
    return draw.choice(told or known)


def _examples(description: str) -> list[str]:
    """What a description gives as examples: `such as call Anna or next Friday`, `e.g. 'Paris'`."""
    found = re.search(r"(?:such as|e\.g\.,?|for example,?|like)\s+([^.;()]+)", description)
    if not found:
        return []
    quoted = re.findall(r"['\"`](.+?)['\"`]", found[1])
    pieces = quoted or re.split(r",\s*(?:or |and )?| or | and ", found[1])
    return [piece.strip() for piece in pieces if 0 < len(piece.strip()) <= 40]
