"""What a model is used for, as numbers of tokens: by that, one encoding of its weights is faster than another."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from linnet.errors import InputInvalid
from linnet.limits import LIMITS
from linnet.messages import STRICT

Tokens = Annotated[int, Field(ge=0, le=LIMITS.mix_tokens)]


@dataclass(frozen=True, config=STRICT)
class Mix:
    """One turn: `prompt` tokens computed in batches, `decoded` ones that come one by one, in `streams` at once.

    Tokens that are cached count nowhere; those that a constraint forces go through in batches and count as prompt.
    """

    name: Annotated[str, Field(max_length=40)]
    prompt: Tokens
    decoded: Tokens
    streams: Annotated[int, Field(ge=1, le=LIMITS.sequences)] = 1

    def __str__(self) -> str:
        """`agent: 300 prompt tokens, 24 decoded`"""
        beside = f", {self.streams} at once" if self.streams > 1 else ""
        return f"{self.name}: {self.prompt} prompt tokens, {self.decoded} decoded{beside}"

    def seconds(self, prefill: float, decode: float) -> float:
        """How long one turn takes, by the rates in tokens per second; `decode` is that of all streams together.

        Streams share the machine, so each has its part of either rate.
        """
        return self.streams * (self.prompt / prefill + self.decoded / decode)


MIXES = {
    mix.name: mix
    for mix in (
        Mix("agent", 300, 24),
        Mix("chat", 200, 200),
        Mix("documents", 2_000, 100),
    )
}
"""By name. `agent` is a guided turn of Linnet's own (docs/encode.md says how it was counted), `chat` a question and
an answer in the model's own words with the talk so far in the cache, `documents` a page or two to be summed up."""


def mix(text: str) -> Mix:
    """The mix of this name, or of `PROMPT:DECODED[:STREAMS]` in tokens. Raises InputInvalid."""
    if text in MIXES:
        return MIXES[text]
    numbers = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,9})(?::([0-9]{1,9}))?", text, re.ASCII)
    hint = f"Name one of {', '.join(MIXES)}, or write PROMPT:DECODED in tokens, such as 300:24."
    if numbers is None:
        raise InputInvalid(f"{text[:80]!r} is no mix of prompt and answer", hint=hint, given=text[:80])
    prompt, decoded, streams = (int(part or 1) for part in numbers.groups())
    if max(prompt, decoded) > LIMITS.mix_tokens or not 1 <= streams <= LIMITS.sequences or not prompt or not decoded:
        bounds = f"1 to {LIMITS.mix_tokens:,} tokens of each, in 1 to {LIMITS.sequences} streams"
        raise InputInvalid(f"the mix {text!r} is not within {bounds}", hint=hint, given=text)
    return Mix(text, prompt, decoded, streams)
