"""Segments of prompt -> token ids, so that text nobody vouched for can never become a control token.

Control tokens are cut out of trusted text only. What stands between two of them is joined across segments
before it is tokenised, because piecewise tokenisation differs from the whole at almost every seam. A
user-defined marker (llama.cpp recognises those in any text) that touches untrusted text is broken in two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from linnet.requests import Segment
from linnet.worker.llama import Vocabulary, texts_by_length

Tokenise = Callable[[str], list[int]]


def tokenise(segments: tuple[Segment, ...], vocabulary: Vocabulary, plain: Tokenise) -> list[int]:
    """Token ids of a prompt; `plain` tokenises text without recognising control tokens."""
    control = _alternation(tuple(texts_by_length(vocabulary.control)))
    markers = _alternation(vocabulary.user_defined and tuple(texts_by_length(vocabulary.user_defined)))
    tokens: list[int] = []
    for part in _split(segments, control):
        if isinstance(part, str):
            tokens.append(vocabulary.control[part])
        else:
            for text in _break_markers(part, markers):
                tokens += plain(text)
    if vocabulary.bos is not None and tokens[:1] != [vocabulary.bos]:
        tokens.insert(0, vocabulary.bos)
    return tokens


Run = list[tuple[str, bool]]
"""Text between two control tokens, with its trust."""


def _split(segments: tuple[Segment, ...], control: re.Pattern[str] | None) -> Iterator[str | Run]:
    run: Run = []
    for segment in segments:
        last = 0
        for found in control.finditer(segment.text) if control and segment.trusted else ():
            run.append((segment.text[last : found.start()], True))
            yield run
            yield found.group()
            run, last = [], found.end()
        run.append((segment.text[last:], segment.trusted))
    yield run


def _break_markers(run: Run, markers: re.Pattern[str] | None) -> Iterator[str]:
    text = "".join(piece for piece, _ in run)
    trust = [trusted for piece, trusted in run for _ in piece]
    wanted = None if all(trust) else markers
    start = look = 0
    while wanted and (found := wanted.search(text, look)):
        look = found.start() + 1  # not past its end: what is left of a broken marker may be another one
        if not all(trust[found.start() : found.end()]) and len(found.group()) > 1:
            yield text[start:look]
            start = look
    if text[start:]:
        yield text[start:]


@lru_cache(maxsize=16)
def _alternation(texts: tuple[str, ...]) -> re.Pattern[str] | None:
    texts = tuple(t for t in texts if t)
    return re.compile("|".join(map(re.escape, texts))) if texts else None
