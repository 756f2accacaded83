"""Texts -> token ids, as the engine has them: a byte-pair vocabulary out of a GGUF file's header.

The engine's own tokenizer runs in a child that has no request for ids. This one is the `tokenizers` library with the
file's tokens and merges; a test holds it against the engine's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from linnet.errors import KindUnsupported
from linnet.evals.training.lesson import Lesson, Piece
from linnet.models.gguf import Header
from linnet.requests import Prompt

CONTROL, USER_DEFINED = 3, 4
"""Types of tokens in the file."""


@dataclass(frozen=True)
class Spelled:
    """A prompt with an answer, as ids. `judged` has the places of the answer's tokens, by which it is likely, and
    `free` says of each of them whether the model decides it."""

    ids: tuple[int, ...]
    judged: tuple[int, ...]
    free: tuple[bool, ...]


class Tokens:
    """Raises KindUnsupported for a vocabulary of another kind."""

    def __init__(self, header: Header) -> None:
        fields = header.metadata
        kind = (fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre"))
        if kind != ("gpt2", "smollm"):
            message = f"this model cannot be trained here: its vocabulary is of the kind {kind[0]}, {kind[1]}"
            raise KindUnsupported(message, hint="Train the default model.")
        texts, types = _list(fields, "tokens"), _list(fields, "token_type")
        if USER_DEFINED in types:
            raise KindUnsupported("this model cannot be trained here: its vocabulary has markers of its own")
        self._control = {texts[i]: i for i, type in enumerate(types) if type == CONTROL}
        self._marks = re.compile(
            "|".join(re.escape(t) for t in sorted(self._control, key=len, reverse=True)) or "(?!)"
        )
        self._first: list[int] = []
        first = fields.get("tokenizer.ggml.bos_token_id")
        if isinstance(first, int) and fields.get("tokenizer.ggml.add_bos_token"):
            self._first = [first]
        self._plain = _bpe(texts, _list(fields, "merges"))

    def spelled(self, lesson: Lesson) -> list[Spelled]:
        """One for each prompt. A token that reaches over two pieces is free if one of them is."""
        answer, free = self._answer(lesson.answer)
        found = []
        for prompt in lesson.prompts:
            ids = self.prompt(prompt)
            judged = tuple(range(len(ids), len(ids) + len(answer)))
            found.append(Spelled((*ids, *answer), judged, free))
        return found

    def prompt(self, prompt: Prompt) -> list[int]:
        """Control tokens are cut out of trusted text only; what stands between two of them is spelled as one."""
        ids = list(self._first)
        run = ""
        for segment in prompt:
            last = 0
            for found in self._marks.finditer(segment.text) if segment.trusted else ():
                ids += [*self.plain(run + segment.text[last : found.start()]), self._control[found.group()]]
                run, last = "", found.end()
            run += segment.text[last:]
        return ids + self.plain(run)

    def plain(self, text: str) -> list[int]:
        return list(self._plain.encode(text).ids) if text else []

    def _answer(self, pieces: Sequence[Piece]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        text = "".join(piece.text for piece in pieces)
        decided = [piece.free for piece in pieces for _ in piece.text]
        encoded = self._plain.encode(text)
        free = (any(decided[start:end]) for start, end in encoded.offsets)
        return tuple(encoded.ids), tuple(free)


def _list(fields: Any, name: str) -> list[Any]:
    found = fields.get(f"tokenizer.ggml.{name}")
    return list(found) if found is not None else []


def _bpe(texts: Sequence[str], merges: Sequence[str]) -> Any:
    """Digits one by one, then words as GPT-2 cuts them: what llama.cpp calls `smollm`."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    made = Tokenizer(models.BPE({text: i for i, text in enumerate(texts)}, pairs, ignore_merges=False))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return made
