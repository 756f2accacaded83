"""What a request orders and no call does: half of a request must not go unsaid.

Careful rather than thorough: an order is unheard only if it shares no word and no value with any call or its tool,
names something of its own, and nothing up to its end quotes, forbids, or makes a condition. Of 874 requests of BFCL's
development half that led to calls one has such an order, and there nothing was
done about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from linnet.calling.evidence.naming import words
from linnet.calling.evidence.orders import orders
from linnet.calling.evidence.reading import Reading
from linnet.calling.evidence.stems import stem
from linnet.messages import ToolCall
from linnet.tools import Tool

_CAUTION = re.compile(
    r"[\"“”„«»`:<>]|(?<!\w)['‘]|n['’]t\b"
    r"|\b(?:not|never|no|if|when|whenever|once|until|till|unless|while|as soon|after|before|instead|rather|except"
    r"|without|only|say|says|said|saying|tell|tells|told|text|message|write|translate|read|quote|repeat|would|should|might)\b",
    re.IGNORECASE,
)
"""What may make of an order something else: a quotation, what is forbidden, what hangs on something, what is to be
said to somebody."""

_OBJECTS = frozenset("a an the my our your his their me us some any every each all another".split())
"""What stands behind a verb that orders something."""

_BACK = frozenset("this that these those it them him her both all so".split())
"""What an order begins with behind its verb if it is about what was said before."""


def unheard(request: str, calls: Sequence[ToolCall], tools: Mapping[str, Tool]) -> tuple[str, ...]:
    """The orders in a request that its calls have nothing to do with, as they are said; none where it has but one."""
    reading = Reading(request)
    found = orders(reading)
    if len(found) < 2 or not calls:
        return ()
    found = [order for order in found if not _CAUTION.search(request, 0, reading.words[order[1]].end)]
    known = frozenset[str]().union(*(_known(call, tools.get(call.name)) for call in calls))
    return tuple(reading.phrase(*order) for order in found if _foreign(reading, order, known))


def _foreign(reading: Reading, order: tuple[int, int], known: frozenset[str]) -> bool:
    verb, *rest = reading.words[order[0] : order[1] + 1]
    if not rest or rest[0].lower in _BACK:
        return False
    if not (rest[0].lower in _OBJECTS or rest[0].capital or rest[0].text[0].isdigit()):
        return False  # `heat index`: a verb is a noun as well, more often than not
    telling = [word for word in rest if not word.common]
    return bool(telling) and not any(word.stems & known or word.lower in known for word in (verb, *telling))


def _known(call: ToolCall, tool: Tool | None) -> frozenset[str]:
    """Words of all that a call and its tool say, and their stems."""
    said = [call.name.replace(".", " "), *_values(call.arguments)]
    if tool is not None:
        said += [tool.description, *_told(tool.parameters)]
    stems = {stem(word) for part in said for word in words(part)}
    return frozenset(stems | {word.lower() for part in said for word in part.split()})


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _values(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _values(inner)
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))
    else:
        yield str(value)


def _told(schema: Any) -> Iterator[str]:
    """Names of parameters and what is said of them, nested ones too."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _told(inner)
    if isinstance(schema, Mapping):
        yield str(schema.get("description") or "")
        named = schema.get("properties")
        yield from map(str, named) if isinstance(named, Mapping) else ()
        for inner in schema.values():
            yield from _told(inner)
