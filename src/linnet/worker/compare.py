"""What a model predicts on texts, and how far that is from what a reference predicted.

Arithmetic on rows of log-probabilities, and a file that holds them; a model is only asked for logits. Each text is
one window: nothing is carried over from text to text. The convention is that of llama.cpp's `llama-perplexity
--kl-divergence`: KL(P || Q) of the reference P and the model Q under test, in nats, averaged over positions.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linnet.errors import ContextOverflow, InputInvalid, ModelInvalid, RequestTooLarge, StorageFull
from linnet.limits import LIMITS
from linnet.protocol import Distance
from linnet.requests import Segment
from linnet.worker.llama import Entry, Llama, Logits
from linnet.worker.sample import log_probabilities
from linnet.worker.tokenise import tokenise

SKIPPED = 4
"""Positions at the start of each text that are not counted: with next to nothing before them they say the same of
every text."""

STEP = 64
"""Tokens of one batch. The same for every model, since other batches round differently; small, since each token's
logits are kept until the next."""

Row = NDArray[np.float32]
"""Natural logarithms of the probabilities of all tokens at one position, shape (vocabulary,)."""


# --- what is predicted ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Windows:
    """Token ids of each text, and what tells the same texts under the same tokeniser from others.

    `positions` are those whose predictions count: each has a token that follows it.
    """

    tokens: tuple[tuple[int, ...], ...]

    @property
    def positions(self) -> int:
        return sum(max(0, len(window) - 1 - SKIPPED) for window in self.tokens)

    @property
    def digest(self) -> bytes:
        """SHA-256 of all ids, each text behind its length."""
        parts = (np.array([len(window), *window], "<u4").tobytes() for window in self.tokens)
        return hashlib.sha256(b"".join(parts)).digest()


def windows_of(texts: Sequence[str], model: Llama) -> Windows:
    """Raises ContextOverflow for a text over the model's context, InputInvalid if no position is left to count."""
    found = [tokenise((Segment(text, False),), model.vocabulary, model.tokenise) for text in texts]
    longest = max(map(len, found))
    if longest > model.context:
        raise ContextOverflow(f"a text has {longest} tokens and the context {model.context}", context=model.context)
    windows = Windows(tuple(map(tuple, found)))
    if not windows.positions:
        raise InputInvalid(f"the texts are too short: only what follows {SKIPPED + 1} tokens is counted")
    return windows


def predictions(model: Llama, windows: Windows, computed: Callable[[int], None]) -> Iterator[tuple[Row, int]]:
    """(prediction, token that really followed) at every position that counts, in order.

    `computed` is told how many tokens went through the model. Raises ModelInvalid for logits that are no numbers.
    """
    for tokens in windows.tokens:
        last = len(tokens) - 1  # what the last token predicts is not known to be right or wrong
        for start in range(0, last, STEP):
            places = range(start, min(start + STEP, last))
            model.decode([Entry(tokens[i], i, 0, i >= SKIPPED) for i in places])
            for i in places:
                if i >= SKIPPED:
                    yield row_of(model.logits(i - start)), tokens[i + 1]
            computed(len(places))
        model.cut(0)


def row_of(logits: Logits) -> Row:
    """Log-probabilities out of logits. Rounded to single precision, as a file holds them: equal logits then differ
    by nothing at all from a reference."""
    row = log_probabilities(logits).astype(np.float32)
    if np.isnan(row).any():
        raise ModelInvalid("the model computes what is not a number")
    return row


# --- a reference in a file -----------------------------------------------------------------------

_HEAD = struct.Struct("<8sQQ32s")  # magic, vocabulary, positions, digest of the tokens; rows of float32 follow
_MAGIC = b"linnetP1"


def size_of(positions: int, vocabulary: int) -> int:
    """Bytes of the file for so many predictions. Raises RequestTooLarge above the limit."""
    size = _HEAD.size + 4 * positions * vocabulary
    if size > LIMITS.predictions_bytes:
        what = f"{positions} predictions over {vocabulary} tokens take {size} bytes"
        raise RequestTooLarge(f"{what}; the limit is {LIMITS.predictions_bytes}", limit=LIMITS.predictions_bytes)
    return size


class Writer:
    """Fills an empty file with predictions, front to back. Raises StorageFull where it takes no more."""

    def __init__(self, fd: int, windows: Windows, vocabulary: int) -> None:
        size_of(windows.positions, vocabulary)
        self._fd, self._end = fd, 0
        self._put(_HEAD.pack(_MAGIC, vocabulary, windows.positions, windows.digest))

    def write(self, row: Row) -> None:
        self._put(row.astype("<f4").tobytes())

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                count = os.pwrite(self._fd, view, self._end)
                self._end += count
                view = view[count:]
        except OSError as error:
            raise StorageFull(f"the predictions cannot be written: {error.strerror}", written=self._end) from error


class Reader:
    """Reads what a Writer has written for the same tokens, one row after the other.

    Raises InputInvalid for anything else, before any row is read.
    """

    def __init__(self, fd: int, windows: Windows, vocabulary: int) -> None:
        self._fd, self._row, self._end = fd, 4 * vocabulary, _HEAD.size
        head = os.pread(fd, _HEAD.size, 0)
        if head[: len(_MAGIC)] != _MAGIC or len(head) != _HEAD.size:
            raise InputInvalid("the reference holds no predictions")
        if head != _HEAD.pack(_MAGIC, vocabulary, windows.positions, windows.digest):
            raise InputInvalid("the reference was made from other texts, or with another vocabulary")
        if os.fstat(fd).st_size != size_of(windows.positions, vocabulary):
            raise InputInvalid("the reference is not whole")

    def read(self) -> Row:
        data = os.pread(self._fd, self._row, self._end)
        self._end += len(data)
        row = np.frombuffer(data, "<f4")
        if len(data) != self._row or np.isnan(row).any():
            raise InputInvalid("the reference holds what is no prediction")
        return row


# --- how far apart -------------------------------------------------------------------------------


@dataclass
class Distances:
    """Gathers divergences position by position; holds one number for each, and no rows."""

    _divergences: list[float] = field(default_factory=list)
    _same: int = 0

    def add(self, reference: Row, row: Row) -> None:
        self._divergences.append(divergence(reference, row))
        self._same += int(np.argmax(reference)) == int(np.argmax(row))

    def told(self, reference_perplexity: float) -> Distance:
        """Of one position or more. Raises ModelInvalid where a token that the reference expects is impossible."""
        found = np.sort(np.array(self._divergences))
        if not np.isfinite(found).all():
            raise ModelInvalid("the model takes for impossible what the reference expects")
        count = len(found)
        spread = float(found.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
        p99 = float(found[math.ceil(0.99 * count) - 1])
        return Distance(float(found.mean()), spread, p99, float(found[-1]), self._same / count, reference_perplexity)


def divergence(reference: Row, row: Row) -> float:
    """KL(P || Q) = sum of p (log p - log q), in nats, in double precision; rounding below 0 is taken for 0."""
    expected = np.isfinite(reference)
    log_p = reference[expected].astype(np.float64)
    log_q = row[expected].astype(np.float64)
    return max(0.0, float(np.sum(np.exp(log_p) * (log_p - log_q))))


@dataclass
class Perplexity:
    """The exponential of the mean of -log p of the tokens that really followed."""

    _sum: float = 0.0
    _count: int = 0

    def add(self, row: Row, token: int) -> None:
        self._sum -= float(row[token])
        self._count += 1

    @property
    def value(self) -> float:
        """Raises ModelInvalid where it is no number: a token that followed was impossible."""
        mean = self._sum / self._count
        if not mean < _LARGEST:
            raise ModelInvalid("the model takes for impossible what the texts say")
        return math.exp(mean)


_LARGEST = 700.0  # beyond, the exponential overflows
