"""What a request has cost the model, in tokens by kind."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Usage:
    """Token counts by kind. `prompt_tokens` includes `cached_tokens`, which were not computed again;
    `generated_tokens` includes `forced_tokens`, which the constraint left no choice about, and `guessed_tokens`,
    which were read off the prompt before the model had said them, and then computed several at a time."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    forced_tokens: int = 0
    guessed_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.generated_tokens + other.generated_tokens,
            self.forced_tokens + other.forced_tokens,
            self.guessed_tokens + other.guessed_tokens,
        )
