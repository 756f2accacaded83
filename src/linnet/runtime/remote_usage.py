"""What a server says that a request has cost, in OpenAI's JSON."""

from __future__ import annotations

from pydantic import BaseModel

from linnet.requests import Usage


class _Details(BaseModel):
    cached_tokens: int | None = None


class RemoteUsage(BaseModel):
    """As it is told; no number of it is believed to make sense."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    def usage(self) -> Usage:
        """Nothing below zero, and no more kept than there was."""
        prompt, kept = max(0, self.prompt_tokens), self.prompt_tokens_details
        cached = max(0, (kept and kept.cached_tokens) or 0)
        return Usage(prompt, min(cached, prompt), max(0, self.completion_tokens))
