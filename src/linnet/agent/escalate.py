"""Escalation: a Model in front of another machine's, which is asked only if that is allowed, within an allowance, and
without what the rules keep back.

Goes last or late in a Cascade, whose `steps` then say why it was asked. What was kept back is told by kind and
number, and put back where its mark stands in the answer. That answer is another machine's: it may ask for what it was
not shown, so nothing that sends should be done with it unasked.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from linnet.agent.allowance import Allowance, Left
from linnet.agent.redact import STANDARD, Redaction, Restoring, Rule
from linnet.errors import EscalationDenied, RemoteUnsupported
from linnet.messages import Step
from linnet.requests import Capabilities, Done, Event, Generate, Holes, Model, Number, Piece, Request, Schema, Usage

_SENT = ("prompt", "constraint", "tools", "stop", "template_options")
"""The fields of a request that hold a user's words and are sent."""

_NAMES = frozenset({"kind", "role", "how", "id", "call_id", "name"})
"""Fields that are names of ours, not words of a user."""


class Escalation:
    """`remote` behind a gate. With `allowed` false every request is an EscalationDenied: a chain can have it and go
    on to what follows. `rules` say what is kept back; `allowance` what may be spent (None: no bound)."""

    def __init__(
        self,
        remote: Model,
        *,
        allowed: bool,
        rules: Sequence[Rule] = STANDARD,
        allowance: Allowance | None = None,
    ) -> None:
        self._remote, self._allowed, self._rules, self._allowance = remote, allowed, tuple(rules), allowance

    @property
    def capabilities(self) -> Capabilities:
        return self._remote.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        name = self.capabilities.name
        if not self._allowed:
            raise EscalationDenied(f"requests may not be sent to {name}")
        if not isinstance(request, Generate):
            raise RemoteUnsupported(f"{name} is sent questions only, not texts to count or to score")
        redaction = Redaction(self._rules, _texts(request))
        sent = _redacted(request, redaction)
        most = _most(sent)
        left = self._allowance.take(most) if self._allowance else None
        return self._events(self._remote.stream(sent), request, redaction, most, left)

    def _events(
        self, events: Iterator[Event], request: Generate, redaction: Redaction, most: int, left: Left | None
    ) -> Iterator[Event]:
        restoring = Restoring(redaction)
        for event in events:
            if isinstance(event, Piece):
                yield replace(event, text=restoring.feed(event.text))
                continue
            if rest := restoring.end():
                yield Piece(rest, ())
            if self._allowance:
                left = self._allowance.give_back(max(0, most - _spent(event.usage)))
            yield self._told(event, request, redaction, left)

    def _told(self, done: Done, request: Generate, redaction: Redaction, left: Left | None) -> Done:
        kinds = redaction.kinds
        kept = ", ".join(f"{count} of kind {kind}" for kind, count in kinds.items())
        name = self.capabilities.name
        data = {"redacted": kinds, "left": dataclasses.asdict(left) if left else None}
        step = Step("escalate", f"sent to {name}, {f'but {kept}' if kept else 'whole'}", data=data)
        return replace(
            done,
            text=redaction.restore(done.text),
            captures={key: redaction.restore(text) for key, text in done.captures.items()},
            how=f"remote:{name}",
            degraded=(*([f"kept from {name}: {kept}"] if kept else []), *done.degraded),
            steps=(*done.steps, step),
        )


def _redacted(request: Generate, redaction: Redaction) -> Generate:
    """The request without what the rules keep back. Raises EscalationDenied where the form of the answer needs it."""
    sent = {name: _mapped(getattr(request, name), redaction.redact) for name in _SENT}
    before = redaction.kinds
    if sent["constraint"] != request.constraint and isinstance(request.constraint, Schema | Holes | Number):
        raise EscalationDenied(f"the form of the answer holds what is not to be sent: {', '.join(before)}")
    return replace(request, **sent, owner="", stable=0)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A value with all its texts changed, and numbers that a change would touch as changed texts."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        text = f"{value:.15g}"
        return value if change(text) == text else change(text)
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(one, change) for one in value)
    if isinstance(value, Number):
        return None if _mapped(value.evidence, change) != value.evidence else value
    words = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name not in _NAMES}
    return replace(value, **{name: _mapped(one, change) for name, one in words.items()})


def _texts(request: Generate) -> list[str]:
    texts: list[str] = []

    def note(text: str) -> str:
        texts.append(text)
        return text

    for name in _SENT:
        _mapped(getattr(request, name), note)
    return texts


def _most(request: Generate) -> int:
    """Tokens that a request may take, rather too many: half of its characters, two for any that is not ASCII."""
    text = "".join(_texts(request)) + json.dumps([tool.parameters for tool in request.tools])
    plain = sum(map(str.isascii, text))
    return plain // 2 + 2 * (len(text) - plain) + 16 * len(request.prompt) + request.max_tokens


def _spent(usage: Usage) -> int:
    return usage.prompt_tokens + usage.generated_tokens
