"""What a model says of plain text is to stay as it was: texts in its own words, by which a training is held.

The words are the model's own, drawn from it before it learns, so that nothing has to be had from elsewhere and what
it knows of is what it is held to. How far it has moved on them is `Network.drift`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from linnet import storage
from linnet.evals.training import pack
from linnet.evals.training.lesson import Lesson, Piece
from linnet.evals.training.pack import Pack, Told
from linnet.evals.training.tokens import Tokens
from linnet.limits import LIMITS
from linnet.requests import Generate, Model, Sampling, Segment, complete

OPENINGS = (
    "The", "A", "In", "I", "When", "How", "What", "If", "My", "Every", "There", "Once", "To", "Write", "Last week",
    "Question: A", "Question: How", "Three friends", "She", "People", "During", "Explain", "Most", "Dear",
)  # fmt: skip
"""Beginnings of texts of many sorts: reports, stories, questions, tasks, letters."""

TEXTS, WORDS = 96, 64
"""Texts that are drawn, and the most tokens of each: half a minute of the default model."""

LOOKED = 8
"""Of so many texts one is looked at only, and never held to."""

AT_ONCE = 8


def own_words(model: Model, path: Path, seed: int, at: Callable[[float], None] = lambda share: None) -> list[str]:
    """TEXTS texts of the model; those in the file at `path` where there are any, and kept there else."""
    kept = storage.read_json(path)
    if isinstance(kept, list) and kept and all(isinstance(text, str) for text in kept):
        return kept
    texts = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for text in pool.map(lambda number: _drawn(model, seed, number), range(TEXTS)):
            texts.append(text)
            at(len(texts) / TEXTS)
    storage.write_json(path, texts)
    return texts


def _drawn(model: Model, seed: int, number: int) -> str:
    opening = OPENINGS[number % len(OPENINGS)]
    sampling = Sampling(temperature=1.0, seed=seed * TEXTS + number)
    asked = Generate((Segment(opening, False),), sampling=sampling, max_tokens=WORDS, deadline=LIMITS.request_seconds)
    return opening + complete(model, asked).text


def packed(texts: Sequence[str], tokens: Tokens, size: int) -> tuple[list[Pack], list[Pack]]:
    """`(held, looked)`: packs of about `size` tokens that a training is held to, and others to look at meanwhile."""
    looked = texts[::LOOKED]
    held = [text for number, text in enumerate(texts) if number % LOOKED]
    return _packs(held, tokens, size), _packs(looked, tokens, size)


def _packs(texts: Sequence[str], tokens: Tokens, size: int) -> list[Pack]:
    told = [_told(text, tokens) for text in texts if len(text.split()) > 1]
    return [each for each, _ in pack.packs(([one] for one in told if one.texts[0].judged), size)]


def _told(text: str, tokens: Tokens) -> Told:
    """Each text as what is written behind its first word."""
    first, _, rest = text.partition(" ")
    lesson = Lesson("write", ((Segment(first, False),),), (Piece(f" {rest}"),))
    return Told(lesson, tuple(tokens.spelled(lesson)))
