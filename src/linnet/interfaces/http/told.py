"""What Linnet adds to an answer, the same in every protocol: an object `linnet`, and headers `x-linnet-*`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from linnet.interfaces.http.answering import Event, Whole
from linnet.requests import Usage


def extension(whole: Whole, **more: Any) -> dict[str, Any]:
    """`how` it came about, what was not as it should be, and tokens by kind."""
    return {
        "how": whole.how,
        "model": whole.model,
        "usage": asdict(whole.usage),
        "degraded": list(whole.degraded),
        "dropped": list(whole.dropped),
        "repairs": list(whole.repairs),
        "steps": [asdict(step) for step in whole.steps],
        **more,
    }


MARKS = (
    *("x-linnet-how", "x-linnet-model", "x-linnet-cached-tokens", "x-linnet-forced-tokens"),
    *("x-linnet-generated-tokens", "x-linnet-degraded"),
)
"""The names of those headers."""


def headers(whole: Whole) -> dict[str, str]:
    usage = whole.usage
    counts = (usage.cached_tokens, usage.forced_tokens, usage.generated_tokens, len(whole.degraded))
    return dict(zip(MARKS, (_plain(whole.how), _plain(whole.model), *map(str, counts)), strict=True))


def whole_of(events: Sequence[Event]) -> Whole:
    """The last event of an answer that has one."""
    return next(event for event in reversed(events) if isinstance(event, Whole))


def openai_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.generated_tokens,
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _plain(text: str) -> str:
    return re.sub(r"[^\x21-\x7e]", "_", text)[:200]
