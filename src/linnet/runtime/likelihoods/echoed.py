"""Likelihoods out of a prompt that is said back with them: OpenAI's completions with `echo` and `logprobs`.

vLLM and Linnet have it. One request has the prompt alone and with each of the texts behind it; what a text adds is
told by the tokens in which the two differ, so that a token that reaches over the seam counts with the text.
One token more is generated, as not every server takes none for an answer, and left out again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel

from linnet.errors import RemoteInvalid
from linnet.runtime.errand import Ask
from linnet.runtime.likelihoods.told import Told, read, summed
from linnet.runtime.remote_usage import RemoteUsage


class _Columns(BaseModel):
    tokens: list[str]
    token_logprobs: list[float | None]
    text_offset: list[int]


class _Choice(BaseModel):
    index: int
    text: str
    finish_reason: str | None = None
    logprobs: _Columns


class _Reply(BaseModel):
    choices: list[_Choice]
    usage: RemoteUsage = RemoteUsage()


class Echoed:
    """Of the `model` behind an address."""

    name = "`echo` with `logprobs`"

    def __init__(self, address: str, model: str) -> None:
        self._url, self._model = f"{address}/completions", model

    def scored(self, ask: Ask, prompt: str, texts: Sequence[str]) -> Told:
        sent = [prompt, *(prompt + text for text in texts)]
        asked = {"model": self._model, "prompt": sent, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
        reply = read(_Reply, ask(self._url, json.dumps(asked).encode()))
        choices = sorted(reply.choices, key=lambda choice: choice.index)
        if [choice.index for choice in choices] != list(range(len(sent))):
            raise RemoteInvalid(f"the server was given {len(sent)} prompts and answers {len(choices)}")
        alone, *whole = [_own(choice, text) for choice, text in zip(choices, sent, strict=True)]
        return Told(tuple(_added(alone, one) for one in whole), reply.usage.usage())


_Row = list[tuple[str, float | None]]
"""Tokens with their log-probabilities."""


def _own(choice: _Choice, sent: str) -> _Row:
    """The tokens of what was sent, without the one that was generated."""
    columns = choice.logprobs
    if not choice.text.startswith(sent) or not (
        len(columns.tokens) == len(columns.token_logprobs) == len(columns.text_offset)
    ):
        raise RemoteInvalid("the server does not say the prompt back with a log-probability for each of its tokens")
    rows = list(zip(columns.tokens, columns.token_logprobs, strict=True))
    # Offsets do not tell it everywhere: vLLM's count the mark before a text, which the text does not show.
    if rows and len(choice.text[len(sent) :].strip()) > len(rows[-1][0].strip()):
        raise RemoteInvalid("the server goes on for more than the one token that it was asked for")
    # One that ended at once may tell the token that ends it, or may not.
    more = choice.finish_reason == "length" or (rows and columns.text_offset[-1] >= len(sent))
    return rows[:-1] if more else rows


def _added(alone: _Row, whole: _Row) -> tuple[float, int]:
    """What a text adds. Of the first token of all nothing is told."""
    same = next((n for n, (a, b) in enumerate(zip(alone, whole, strict=False)) if a[0] != b[0]), len(alone))
    if not 0 < same < len(whole):
        raise RemoteInvalid("the server's tokens do not tell a prompt from what follows it")
    return summed([one for _, one in whole[same:]]) - summed([one for _, one in alone[same:]]), len(whole) - same
