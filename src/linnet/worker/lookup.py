"""Guessing what comes next from where the last tokens stood before: policy over token ids.

Answers of agents repeat what stands in their prompt: tool results, names, code. Guessed tokens are computed together
and kept as far as the model would have said them itself, so a wrong guess costs time and never changes a word
(prompt-lookup decoding; speculative decoding is Leviathan et al. 2023, https://arxiv.org/abs/2211.17192).
"""

from __future__ import annotations

from collections.abc import Iterable

GRAM = 3
"""Tokens that must have stood in the same order before: after two, most guesses are wrong."""

LEAST, MOST = 2, 12
"""Tokens of a guess. With others one costs half as much as by itself where weights are quantised, a fifth in BF16."""

PATIENCE = 4
"""Tokens without guesses after one of which nothing held; doubled with each further one, at most to 64."""


class Lookup:
    """One answer's past, prompt included, and how far to trust it."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._behind: dict[tuple[int, ...], int] = {}  # a run of tokens -> where the one behind it stands
        self._length = LEAST
        self._quiet = 0
        self._patience = PATIENCE
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """The text goes on with this token."""
        if len(self._tokens) >= GRAM:
            self._behind[tuple(self._tokens[-GRAM:])] = len(self._tokens)
        self._tokens.append(token)
        self._quiet -= self._quiet > 0

    def guess(self, limit: int) -> list[int]:
        """What may come next, at most `limit` tokens; nothing where the last ones are new, or guesses have failed."""
        if self._quiet or limit < 1 or len(self._tokens) < GRAM:
            return []
        at = self._behind.get(tuple(self._tokens[-GRAM:]))
        return [] if at is None else self._tokens[at : at + min(limit, self._length)]

    def judge(self, guessed: int, right: int) -> None:
        """So many tokens were guessed, and so many of them held."""
        if right == guessed:
            self._length = min(2 * self._length, MOST)
        elif right:
            self._length = max(LEAST, right)
        else:
            self._length, self._quiet = LEAST, self._patience
            self._patience = min(2 * self._patience, 64)
        if right:
            self._patience = PATIENCE
