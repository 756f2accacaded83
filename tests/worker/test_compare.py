"""Comparing predictions: the arithmetic against definitions, the file of a reference, and the real model's rows."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import ContextOverflow, InputInvalid, ModelInvalid, RequestTooLarge, StorageFull
from linnet.limits import LIMITS
from linnet.worker import compare
from linnet.worker.compare import SKIPPED, STEP, Distances, Perplexity, Reader, Windows, Writer

logits = st.lists(st.floats(-30, 30, width=32), min_size=8, max_size=8).map(lambda x: np.array(x, np.float32))
WINDOWS = Windows((tuple(range(12)), tuple(range(20, 29))))


def row(*probabilities: float) -> compare.Row:
    with np.errstate(divide="ignore"):
        return np.log(np.array(probabilities)).astype(np.float32)


# --- divergence ----------------------------------------------------------------------------------


def test_a_divergence_by_hand() -> None:
    expected = 0.5 * math.log(0.5 / 0.25) + 0.25 * math.log(0.25 / 0.25) + 0.25 * math.log(0.25 / 0.5)
    assert compare.divergence(row(0.5, 0.25, 0.25), row(0.25, 0.25, 0.5)) == pytest.approx(expected, rel=1e-6)


def test_it_is_that_of_the_reference_and_not_the_other_way_round() -> None:
    p, q = row(0.9, 0.1), row(0.5, 0.5)
    assert compare.divergence(p, q) == pytest.approx(0.368064, rel=1e-5)
    assert compare.divergence(q, p) == pytest.approx(0.510826, rel=1e-5)


@given(logits, logits)
def test_no_divergence_is_negative_and_that_from_itself_is_zero(p: Any, q: Any) -> None:
    one, other = compare.row_of(p), compare.row_of(q)
    assert compare.divergence(one, one) == 0.0
    assert 0.0 <= compare.divergence(one, other) < math.inf
    shifted = compare.divergence(one, compare.row_of(p + np.float32(3)))
    assert shifted == pytest.approx(0.0, abs=1e-4), "logits say the same whatever is added to all of them"


def test_what_the_reference_rules_out_does_not_count() -> None:
    assert compare.divergence(row(1.0, 0.0), row(0.5, 0.5)) == pytest.approx(math.log(2))
    assert compare.divergence(row(0.5, 0.5), row(1.0, 0.0)) == math.inf


def test_distances_are_gathered() -> None:
    gathered = Distances()
    for share in range(1, 200):
        gathered.add(row(0.5, 0.5), row(share / 200, 1 - share / 200))
    told = gathered.told(7.0)
    each = sorted(0.5 * math.log(0.25 / (s / 200 * (1 - s / 200))) for s in range(1, 200))
    assert told.mean == pytest.approx(sum(each) / 199, rel=1e-4)
    assert told.standard_error == pytest.approx(float(np.std(each, ddof=1)) / math.sqrt(199), rel=1e-4)
    assert told.p99 == pytest.approx(each[197], rel=1e-4), "197.01 of 199, so the 198th"
    assert told.largest == pytest.approx(each[-1], rel=1e-4)
    assert told.same_top == pytest.approx(100 / 199), "the first of two that are equally likely"
    assert told.reference_perplexity == 7.0


def test_one_position_is_enough() -> None:
    gathered = Distances()
    gathered.add(row(0.5, 0.5), row(0.5, 0.5))
    told = gathered.told(2.0)
    assert (told.mean, told.standard_error, told.p99, told.largest, told.same_top) == (0.0, 0.0, 0.0, 0.0, 1.0)


def test_an_impossible_expectation_is_an_error_and_no_number() -> None:
    gathered = Distances()
    gathered.add(row(0.5, 0.5), row(1.0, 0.0))
    with pytest.raises(ModelInvalid, match="impossible"):
        gathered.told(1.0)


def test_perplexity_by_hand_and_of_the_impossible() -> None:
    told = Perplexity()
    told.add(row(0.5, 0.5), 0)
    told.add(row(0.125, 0.875), 0)
    assert told.value == pytest.approx(4.0)
    told.add(row(0.0, 1.0), 0)
    with pytest.raises(ModelInvalid):
        _ = told.value


def test_what_is_not_a_number_is_refused() -> None:
    with pytest.raises(ModelInvalid):
        compare.row_of(np.array([1.0, np.nan], np.float32))


# --- windows -------------------------------------------------------------------------------------


def test_positions_are_those_after_the_first_few_that_have_a_successor() -> None:
    assert WINDOWS.positions == (12 - 1 - SKIPPED) + (9 - 1 - SKIPPED)
    assert Windows((tuple(range(SKIPPED + 1)),)).positions == 0


def test_the_digest_tells_tokens_and_where_texts_end() -> None:
    same = Windows((tuple(range(12)), tuple(range(20, 29))))
    others = [Windows(((1, 2, 3),)), Windows(((1, 2), (3,))), Windows(((1,), (2, 3))), Windows(((1, 2, 4),)), WINDOWS]
    assert same.digest == WINDOWS.digest
    assert len({other.digest for other in others}) == len(others)


# --- the file of a reference ---------------------------------------------------------------------


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "reference", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


ROWS = [row(*np.random.default_rng(i).dirichlet(np.ones(5))) for i in range(WINDOWS.positions)]


def fill(fd: int) -> None:
    writer = Writer(fd, WINDOWS, 5)
    for one in ROWS:
        writer.write(one)


def test_rows_come_back_as_they_were(fd: int) -> None:
    fill(fd)
    assert os.fstat(fd).st_size == compare.size_of(WINDOWS.positions, 5)
    reader = Reader(fd, WINDOWS, 5)
    for one in ROWS:
        assert np.array_equal(reader.read(), one)


@pytest.mark.parametrize(
    ("windows", "vocabulary"),
    [(WINDOWS, 6), (Windows((tuple(range(12)), tuple(range(21, 30)))), 5), (Windows((tuple(range(12)),)), 5)],
    ids=["vocabulary", "tokens", "positions"],
)
def test_a_reference_of_something_else_is_refused(fd: int, windows: Windows, vocabulary: int) -> None:
    fill(fd)
    with pytest.raises(InputInvalid, match="other texts"):
        Reader(fd, windows, vocabulary)


def test_a_reference_that_is_none_or_not_whole_is_refused(fd: int) -> None:
    with pytest.raises(InputInvalid, match="no predictions"):
        Reader(fd, WINDOWS, 5)
    fill(fd)
    os.ftruncate(fd, os.fstat(fd).st_size - 1)
    with pytest.raises(InputInvalid, match="not whole"):
        Reader(fd, WINDOWS, 5)
    os.pwrite(fd, b"GGUF", 0)
    with pytest.raises(InputInvalid, match="no predictions"):
        Reader(fd, WINDOWS, 5)


def test_a_reference_of_no_numbers_is_refused(fd: int) -> None:
    fill(fd)
    os.pwrite(fd, np.array([np.nan], "<f4").tobytes(), compare.size_of(0, 5) + 8)
    with pytest.raises(InputInvalid, match="no prediction"):
        Reader(fd, WINDOWS, 5).read()


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(StorageFull):
            Writer(full, WINDOWS, 5)
    finally:
        os.close(full)


def test_the_largest_file_and_one_byte_more() -> None:
    room = LIMITS.predictions_bytes - compare.size_of(0, 1)
    assert compare.size_of(1, room // 4) <= LIMITS.predictions_bytes
    with pytest.raises(RequestTooLarge):
        compare.size_of(1, room // 4 + 1)


# --- the real model ------------------------------------------------------------------------------

TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps in the warm sun until the evening comes. "


def test_predictions_are_those_of_every_position_in_order(llama: Any) -> None:
    windows = compare.windows_of([TEXT, TEXT * 4], llama)
    assert len(windows.tokens[1]) > STEP, "more than one batch"
    steps: list[int] = []
    found = list(compare.predictions(llama, windows, steps.append))
    assert [token for _, token in found] == [t for tokens in windows.tokens for t in tokens[SKIPPED + 1 :]]
    assert len(found) == windows.positions
    assert sum(steps) == sum(len(tokens) - 1 for tokens in windows.tokens)
    assert all(one.shape == (llama.vocabulary.size,) for one, _ in found)
    assert all(np.exp(one.astype(np.float64)).sum() == pytest.approx(1.0, abs=1e-5) for one, _ in found[:20])
    likely = [float(one[token]) for one, token in found[: len(windows.tokens[0])]]
    assert sum(likely) / len(likely) > -6, "English is not a surprise: the rows belong to the tokens that follow"
    again = list(compare.predictions(llama, Windows(windows.tokens[:1]), steps.append))
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(again, found, strict=False)), "nothing is carried over"


def test_control_tokens_in_texts_are_text(llama: Any) -> None:
    (tokens,) = compare.windows_of(["<|im_start|>user\nHello<|im_end|> and more"], llama).tokens
    assert not set(tokens) & llama.vocabulary.control_ids


def test_texts_that_do_not_fit_or_are_too_short(llama: Any) -> None:
    with pytest.raises(ContextOverflow):
        compare.windows_of([" a" * (llama.context + 1)], llama)
    with pytest.raises(InputInvalid, match="too short"):
        compare.windows_of(["", "Hi"], llama)
