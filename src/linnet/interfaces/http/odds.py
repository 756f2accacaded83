"""How likely the tokens of an answer were, in the words of each protocol that asks for it.

Hides which tokens are told with which text (those of a stop string are not), and how part of a character is written.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Sequence
from typing import Any

from linnet.requests import Piece
from linnet.tokens import Odds, Token

Json = dict[str, Any]

NONE = "no log-probabilities: these words are not a local model's own, token by token"


class Telling:
    """Of one answer: each token's odds come with the text in which it begins."""

    def __init__(self) -> None:
        self._waiting: deque[Odds] = deque()
        self._shown = self._begun = 0
        self._any = False

    @property
    def bare(self) -> bool:
        """Whether there is text, and were odds of none of it."""
        return self._shown > 0 and not self._any

    def said(self, piece: Piece) -> tuple[Odds, ...]:
        self._waiting += piece.odds
        self._any = self._any or bool(piece.odds)
        self._shown += len(piece.text.encode(errors="replace"))
        told: list[Odds] = []
        while self._waiting and self._begun < self._shown:
            told.append(self._waiting.popleft())
            self._begun += told[-1].token.shown
        return tuple(told)


# --- OpenAI's chat -------------------------------------------------------------------------------


def chat_logprobs(odds: Sequence[Odds]) -> Json | None:
    return {"content": [_entry(one) for one in odds], "refusal": None} if odds else None


def _entry(odds: Odds) -> Json:
    likeliest = [_one(token, logprob) for token, logprob in odds.likeliest]
    return {**_one(odds.token, odds.logprob), "top_logprobs": likeliest}


def _one(token: Token, logprob: float) -> Json:
    return {"token": written(token), "logprob": logprob, "bytes": list(token.bytes)}


def written(token: Token) -> str:
    """Its text, or, where that is part of a character, its bytes as OpenAI writes them."""
    try:
        return token.bytes.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.bytes)


# --- OpenAI's completions ------------------------------------------------------------------------


class Columns:
    """Of one completion: lists that stand side by side, with where in its text each token begins, in characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._at = 0

    def of(self, odds: Sequence[Odds], first: Token | None = None) -> Json | None:
        """Of the `first` token of all nothing is known."""
        if not odds and first is None:
            return None
        begun = [] if first is None else [first]
        return {
            "tokens": [written(one) for one in (*begun, *(one.token for one in odds))],
            "token_logprobs": [*(None for _ in begun), *(one.logprob for one in odds)],
            "top_logprobs": [*(None for _ in begun), *map(_by_text, odds)],
            "text_offset": [self._place(one) for one in (*begun, *(one.token for one in odds))],
        }

    def _place(self, token: Token) -> int:
        place = self._at
        self._at += len(self._decoder.decode(token.bytes[: token.shown]))
        return place


def _by_text(odds: Odds) -> dict[str, float]:
    """With the token itself, whether or not it is one of the likeliest."""
    return {written(token): logprob for token, logprob in (*odds.likeliest, (odds.token, odds.logprob))}


# --- llama-server's ------------------------------------------------------------------------------


def probabilities(odds: Sequence[Odds]) -> list[Json]:
    """As llama-server has them where none are asked for `post_sampling_probs`."""
    return [
        {
            "id": one.token.id,
            **_one(one.token, one.logprob),
            "top_logprobs": [{"id": token.id, **_one(token, logprob)} for token, logprob in one.likeliest],
        }
        for one in odds
    ]
