"""What stays of exchanges that have left the window, as a text of a few lines that stands before the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from linnet.agent.context.facts import facts_in
from linnet.agent.context.shorten import shorten
from linnet.agent.context.window import KeyFacts, ShortRoles
from linnet.messages import Message

_LETTERS = {"user": "U", "assistant": "A", "tool": "T", "system": "S"}
_HEADING = "Earlier in this conversation:"

Sizes = Callable[[Sequence[str]], list[int]]
"""The tokens of each of several texts."""


def note(policy: ShortRoles | KeyFacts, gone: Sequence[Message], sizes: Sizes) -> str:
    """At most `policy.tokens` of what was said, the newest of it, in the order in which it was said."""
    if isinstance(policy, ShortRoles):
        asked = [i for i, message in enumerate(gone) if message.role == "user"][-policy.exchanges :]
        lines = [short_role(message, policy.chars) for message in gone[asked[0] if asked else 0 :]]
    else:
        stated = (fact for message in gone if message.role == "user" for fact in facts_in(message.content))
        lines = list(dict.fromkeys([*stated][::-1]))[::-1]  # of what was said twice the later
    return "\n".join(_newest(lines, policy.tokens, sizes))


def short_role(message: Message, chars: int) -> str:
    """`U: Where do I live?`"""
    text = " ".join(message.content.split())
    cut = text if len(text) <= chars else f"{text[:chars].rstrip()}..."
    return f"{_LETTERS[message.role]}: {cut}"


def transcript(messages: Iterable[Message]) -> str:
    """Messages as a model reads them that is to sum them up."""
    return "\n".join(f"{message.role.capitalize()}: {message.content}" for message in messages if message.content)


def before(text: str, content: str) -> str:
    """A note, and then what the user said. It goes into that message: all templates have a place for one."""
    return f"{_HEADING}\n{text}\n\n{content}" if text else content


def room_for(tokens: int, sizes: Sizes) -> int:
    """What a note of so many tokens takes, with what stands around it."""
    return tokens + sizes([before("\n", "")])[0]


def within(text: str, tokens: int, sizes: Sizes) -> str:
    return shorten(text, tokens, lambda part: sizes([part])[0])


def _newest(lines: Sequence[str], tokens: int, sizes: Sizes) -> list[str]:
    kept: list[str] = []
    for line, size in zip(lines[::-1], sizes(lines[::-1]), strict=True):
        tokens -= size + 1  # and the line's end
        if tokens < 0:
            break
        kept.insert(0, line)
    return kept
