"""What a model picks, in place of likelihoods: for servers that have none to give, and take a JSON Schema.

Hides how it is asked: in messages, with nothing but the options as an answer. A pick is one word where likelihoods
are a number for each option, and a small model picks worse than it judges; so evidence settles first what it can, as
with likelihoods. What is picked counts as a gain of so many nats, and what is not as a loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from linnet.errors import ConstraintInvalid
from linnet.messages import Message
from linnet.requests import Choice, Done, Generate, Model, Usage, complete

GAIN = 8.0
"""Nats that a pick is worth: chosen, not fitted. A pick outweighs a doubt, and not what evidence is sure of."""

NONE = "none"
_TOKENS = 64
"""Beside those of the longest option, of which none is less than a character."""


def picked_tool(model: Model, introductions: Sequence[str], names: Sequence[str], request: str) -> tuple[int, Usage]:
    """The place of the tool that the request needs, -1 for none."""
    none = next(name for name in (NONE, "no function") if name not in names)
    told = [
        "Which function does the request need? Answer with the name of one that does exactly what is asked,",
        f"or with {none!r} if none of them does.",
        "",
        *introductions,
    ]
    done = _picked(model, "\n".join(told), request, (*names, none))
    return (-1 if done.text == none else names.index(done.text)), done.usage


def picked_value(model: Model, introduction: str, label: str, text: str, options: Sequence[str]) -> tuple[str, Usage]:
    """The one of the options that the text says for the parameter of this label."""
    told = f"{introduction.strip()}\n{text.strip()}\n\nWhich words are the value of this parameter?\n{label.strip()}"
    done = _picked(model, "Answer with nothing but the words that are the value.", told, options)
    return done.text, done.usage


def written(text: str) -> tuple[Message, ...]:
    """The beginning of a text as a message that asks for its next words."""
    return (Message("user", f"Write what comes next, and nothing else:\n{text}"),)


def _picked(model: Model, told: str, said: str, options: Sequence[str]) -> Done:
    """Raises ConstraintInvalid, with `strayed`, for an answer of a model that cannot be held to its options."""
    messages = (Message("system", told), Message("user", said))
    room = _TOKENS + max(map(len, options))
    done = complete(model, Generate(messages, constraint=Choice(tuple(options)), max_tokens=room))
    if done.text not in options:
        raise ConstraintInvalid("the model did not keep to the options that it was to pick from", strayed=True)
    return done
