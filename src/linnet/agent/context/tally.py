"""Tally: tokens of texts as the model's own tokenizer counts them, each text asked about once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import copy

from pydantic_core import to_json

from linnet.agent.recent import Recent, digest
from linnet.errors import RequestTooLarge
from linnet.limits import LIMITS
from linnet.messages import Message, ToolSpec
from linnet.requests import Count, Model, Segment, complete, complete_all

_TOGETHER = 64
"""Counts that are on their way at once: far from what a worker's queue holds."""

_PROBE = "x"


class Tally:
    """Counts by asking `model`, and remembers. Copies made by `over` ask another Model and share what is known."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: Recent[bytes, int] = Recent(LIMITS.counts_kept)

    def over(self, model: Model) -> Tally:
        other = copy(self)
        other._model = model
        return other

    def texts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by itself. One that is too large to be asked about counts its bytes, which are more."""
        keys = [digest(text) for text in texts]
        counts = {digest(""): 0, **{key: size for key in keys if (size := self._known.get(key)) is not None}}
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in counts}
        counts |= {key: _bytes(text) for key, text in unknown.items() if _bytes(text) > LIMITS.request_bytes}
        asked = [(key, text) for key, text in unknown.items() if key not in counts]
        for i in range(0, len(asked), _TOGETHER):
            some = asked[i : i + _TOGETHER]
            requests = [Count((Segment(text, False),)) for _, text in some]
            for (key, _), done in zip(some, complete_all(self._model, requests), strict=True):
                counts[key] = done.count
                self._known.put(key, done.count)
        return [counts[key] for key in keys]

    def conversation(self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...] = ()) -> int:
        """Tokens of a conversation as the chat template renders it; more than any context if it is too large."""
        try:
            return complete(self._model, Count(messages, tools=tools)).count
        except RequestTooLarge:
            return sys.maxsize

    def before(self, system: Message, tools: tuple[ToolSpec, ...] = ()) -> int:
        """Tokens that stand around one user's text: system message, tools, and what the template adds."""
        return self._remembered((system, Message("user", _PROBE)), tools) - self.texts([_PROBE])[0]

    def around(self, system: Message) -> int:
        """Tokens that the template adds to each further message."""
        one = Message("user", _PROBE)
        three = (system, one, Message("assistant", _PROBE), one)
        more = self._remembered(three) - self._remembered(three[:2]) - 2 * self.texts([_PROBE])[0]
        return max(0, -(-more // 2))

    def _remembered(self, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...] = ()) -> int:
        key = digest(to_json(messages).decode(), to_json(tools).decode())
        known = self._known.get(key)
        if known is None:
            known = self.conversation(messages, tools)
            self._known.put(key, known)
        return known


def said(message: Message) -> str:
    """All text of a message that a template may show: what is counted of it."""
    calls = "".join(to_json([call.name, call.arguments]).decode() for call in message.calls)
    return f"{message.reasoning}{message.content}{calls}"


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
