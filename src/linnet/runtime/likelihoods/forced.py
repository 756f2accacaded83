"""Likelihoods out of a grammar that leaves no choice: llama-server, which says no prompt back.

It takes tokens for a prompt, and since the end of 2025 token ids in a grammar (`<[7042]>`). Under a grammar of a
text's own tokens it can write nothing else, and tells of each token the probability that the model gave it before
grammar and sampling; their sum is the likelihood, of the same tokens that the engine here would make of the text. The
prompt stays computed between the texts, as the server keeps it.

Of a token that is a part of a character the server tells nothing, and its grammar may end it: a text with such a
token is not sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel

from linnet.errors import RemoteInvalid, RemoteUnsupported
from linnet.requests import Usage
from linnet.runtime.errand import Ask
from linnet.runtime.likelihoods.told import Told, read, summed


class _Token(BaseModel):
    id: int
    piece: str | list[int]

    @property
    def whole(self) -> bool:
        """Whether it is whole characters. One that is not is told as bytes."""
        return isinstance(self.piece, str)


class _Tokens(BaseModel):
    tokens: list[_Token]


class _One(BaseModel):
    id: int
    logprob: float


class _Timings(BaseModel):
    cache_n: int = 0


class _Reply(BaseModel):
    completion_probabilities: list[_One]
    timings: _Timings = _Timings()


class Forced:
    """Of the one model behind an address; llama-server's own paths are beside `/v1`."""

    name = "forced tokens and their `n_probs`"

    def __init__(self, address: str) -> None:
        self._root = address.removesuffix("/v1")

    def scored(self, ask: Ask, prompt: str, texts: Sequence[str]) -> Told:
        before = [token.id for token in self._tokens(ask, prompt, True)]
        told = [self._one(ask, before, self._tokens(ask, text, False)) for text in texts]
        return Told(tuple(score for score, _ in told), sum((usage for _, usage in told), Usage()))

    def _tokens(self, ask: Ask, text: str, first: bool) -> list[_Token]:
        """Control tokens within a text are text; before the first the server sets what the model wants there."""
        asked = {"content": text, "add_special": first, "parse_special": False, "with_pieces": True}
        found = read(_Tokens, ask(f"{self._root}/tokenize", json.dumps(asked).encode())).tokens
        if not found:
            raise RemoteInvalid("the server makes no token of a text")
        return found

    def _one(self, ask: Ask, before: list[int], tokens: list[_Token]) -> tuple[tuple[float, int], Usage]:
        if not all(token.whole for token in tokens):
            raise RemoteUnsupported(
                "the server tells no likelihood of a text with a token that is part of a character"
            )
        ids = [token.id for token in tokens]
        asked = {
            "prompt": before,
            "grammar": "root ::= " + " ".join(f"<[{one}]>" for one in ids),
            "n_predict": len(ids),
            "n_probs": 1,
            "post_sampling_probs": False,
            "temperature": 0.0,
            "cache_prompt": True,
            "stream": False,
        }
        reply = read(_Reply, ask(f"{self._root}/completion", json.dumps(asked).encode()))
        if [one.id for one in reply.completion_probabilities] != ids:
            raise RemoteInvalid("the server wrote other tokens than the grammar allows")
        usage = Usage(len(before) + len(ids), min(max(0, reply.timings.cache_n), len(before)))
        return (summed([one.logprob for one in reply.completion_probabilities]), len(ids)), usage
