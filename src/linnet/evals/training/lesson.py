"""`Lesson`: one thing that a model is to learn, in the very text in which it will be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from linnet.requests import Prompt

Kind = Literal["choose", "fill", "write", "call"]
"""Which tool, or none, a request makes likely; which parameter a value belongs to, or none; the value of a parameter
that a request says in no words of its own; whole calls as JSON."""


@dataclass(frozen=True)
class Piece:
    """A part of an answer. What is not `free` stands there whatever the model says: nothing is learned from it."""

    text: str
    free: bool = True


@dataclass(frozen=True)
class Lesson:
    """With one prompt: write the answer. With several: under `prompts[right]` the answer is the likeliest.

    The second is how Linnet asks a model to decide: by how much likelier a text is under one introduction than under
    the others. `name` tells it from others of its example.
    """

    kind: Kind
    prompts: tuple[Prompt, ...]
    answer: tuple[Piece, ...]
    right: int = 0
    name: str = ""

    @property
    def decides(self) -> bool:
        return len(self.prompts) > 1

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.answer)
