"""Prefixes written and read by the engine, on the real model: the same answers, or as if there were none."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linnet.limits import LIMITS
from linnet.protocol import Ended, Saved
from linnet.requests import Done, Generate, Score, Segment
from linnet.worker import snapshots
from linnet.worker.snapshots import LEAST, TOLERANCE, digest

sys.path.append(str(Path(__file__).parent))

from engine_shop import Shop, kept

RULES = (
    "You are a polite assistant in a small shop. You sell apples, pears and plums, and you know all prices by heart."
)


def prompt(question: str, rules: str = RULES) -> tuple[Segment, ...]:
    return (
        Segment(f"<|im_start|>system\n{rules}<|im_end|>\n<|im_start|>user\n", True),
        Segment(question, False),
        Segment("<|im_end|>\n<|im_start|>assistant\n", True),
    )


def ask(question: str = "What do you sell?", **fields: Any) -> Generate:
    return Generate(prompt(question), **{"max_tokens": 6, "stable": 1, **fields})


@pytest.fixture
def shop(llama: Any) -> Callable[..., Shop]:
    return lambda **given: Shop(llama, **given)


@pytest.fixture
def scratch() -> Iterator[int]:
    fd = os.memfd_create("scratch")
    os.ftruncate(fd, 16 << 20)
    yield fd
    os.close(fd)


@pytest.fixture
def taken(shop: Any, scratch: int) -> tuple[Done, Saved]:
    """An answer without any snapshot, and the snapshot that was taken after it."""
    first = shop(scratch=scratch)
    done = first.one(ask())
    (saved,) = first.saved
    return done, saved


# --- there and back ------------------------------------------------------------------------------


def test_the_stable_tokens_are_taken_and_no_more(taken: Any, llama: Any) -> None:
    from linnet.worker.tokenise import tokenise

    _, saved = taken
    whole = tokenise(prompt("What do you sell?"), llama.vocabulary, llama.tokenise)
    alone = tokenise(prompt("")[:1], llama.vocabulary, llama.tokenise)
    assert list(saved.tokens) == alone == whole[: len(alone)] and len(alone) >= LEAST
    assert len(saved.top) == 8 and saved.adapter == ""


def test_a_restored_prefix_is_not_computed_again(taken: Any, shop: Any, scratch: int) -> None:
    done, saved = taken
    again = shop(kept=(kept(saved, scratch),))
    answer = again.one(ask())
    assert again.restored == [("k", True)]
    assert answer.text == done.text and done.usage.cached_tokens == 0
    assert answer.usage.cached_tokens == len(saved.tokens)
    again.one(ask("And what is it?"))
    assert again.restored == [("k", True)], "now it is in memory"


def test_a_prompt_that_is_stable_throughout(shop: Any, scratch: int) -> None:
    score = Score((Segment(RULES, False),), (" Good day.", " Go away."), stable=1)
    first = shop(scratch=scratch)
    done = first.one(score)
    again = shop(kept=(kept(first.saved[0], scratch),))
    answer = again.one(score)
    assert answer.usage.cached_tokens == len(first.saved[0].tokens) - 1 > LEAST
    for (nats, count), (other, same) in zip(done.scores, answer.scores, strict=True):
        assert count == same and abs(nats - other) < 0.5


def test_where_a_token_reaches_over_the_edge_it_is_not_stable(shop: Any, scratch: int) -> None:
    one = shop(scratch=scratch)
    one.one(Generate((Segment(RULES + " unbeliev", True), Segment("able", True)), max_tokens=1, stable=1))
    assert one.saved[0].tokens[-1] != one.snapshots._llama.tokenise(RULES + " unbeliev")[-1]


def test_the_longest_that_fits_is_restored(shop: Any, scratch: int) -> None:
    first = shop(scratch=scratch)
    for request in (ask(), Generate(prompt("What do you sell, on Mondays, and to whom, and why?"), stable=3)):
        first.one(replace(request, max_tokens=1))
    short, long = first.saved
    again = shop(kept=(kept(short, scratch), kept(long, scratch, key="long")))
    again.one(Generate(prompt("What do you sell, on Mondays, and to whom, and why?"), max_tokens=1))
    assert again.restored == [("long", True)] and len(long.tokens) > len(short.tokens)


def test_several_are_restored_together(shop: Any, scratch: int) -> None:
    rules = [RULES.replace("shop", place) for place in ("market", "garden", "cellar")]
    requests = [Generate(prompt("Hi", each), max_tokens=2, stable=1) for each in rules]
    first = shop(scratch=scratch)
    for request in requests:
        first.submit(request)
    first.run()
    files = tuple(kept(saved, scratch, key=str(i)) for i, saved in enumerate(first.saved))
    again = shop(kept=files)
    for request in requests:
        again.submit(request)
    again.run()
    assert sorted(again.restored) == [("0", True), ("1", True), ("2", True)]
    usages = [record.done.usage for record in again.told if isinstance(record, Ended)]
    assert all(usage.cached_tokens > LEAST for usage in usages)


def test_it_is_restored_once_more_after_it_had_to_give_way(taken: Any, shop: Any, scratch: int) -> None:
    _, saved = taken
    again = shop(kept=(kept(saved, scratch),))
    again.engine._cells.tree.most_bytes = 0  # so that it cannot be parked
    again.one(ask())
    while again.engine._cells.evict():
        pass
    assert again.one(ask()).usage.cached_tokens == len(saved.tokens)
    assert again.restored == [("k", True)] * 2


# --- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [0, 1, 1000, -1, "middle"])
def test_a_flipped_byte_is_found(taken: Any, shop: Any, scratch: int, where: int | str) -> None:
    done, saved = taken
    at = saved.offset + (saved.size // 2 if where == "middle" else int(where) % saved.size)
    os.pwrite(scratch, bytes([os.pread(scratch, 1, at)[0] ^ 16]), at)
    again = shop(kept=(kept(saved, scratch),))
    answer = again.one(ask())
    assert again.restored == [("k", False)]
    assert (answer.text, answer.usage.cached_tokens) == (done.text, 0)
    again.one(Generate(prompt("Other words", RULES), max_tokens=1, owner="ann"))
    again.one(ask("More?"))
    assert again.restored == [("k", False)], "it is not used again"


@pytest.mark.parametrize(
    "of", ["other logits", "other tokens", "too many tokens", "no logits", "a cut file", "closed"]
)
def test_a_whole_state_of_something_else_is_found(
    taken: Any, shop: Any, scratch: int, of: str, tmp_path: Any
) -> None:
    done, saved = taken
    request = ask()
    token, logit = saved.top[0]
    one = kept(saved, scratch)
    if of == "other logits":
        one = replace(one, top=((token, logit + TOLERANCE + 0.5), *saved.top[1:]))
    elif of == "no logits":
        one = replace(one, top=())
    elif of == "a cut file":
        one = replace(one, offset=one.offset + (16 << 20) - one.size + 1)
    elif of == "closed":
        one = replace(one, fd=-1)
    else:
        other = RULES.replace("polite", "rude") + (" Always." if of == "too many tokens" else "")
        request = Generate(prompt("What do you sell?", other), max_tokens=6)
        second = shop(scratch=-1)
        done = second.one(request)
        tokens = shop(scratch=-1).engine._intake.tokens(prompt("", other)[:1])
        assert tuple(tokens) != saved.tokens
        one = replace(one, tokens=tuple(tokens))
    again = shop(kept=(one,))
    answer = again.one(request)
    assert again.restored == [("k", False)]
    assert (answer.text, answer.usage.cached_tokens) == (done.text, 0)


def test_logits_may_be_a_little_apart(taken: Any, shop: Any, scratch: int) -> None:
    _, saved = taken
    moved = tuple((token, logit + TOLERANCE - 0.5) for token, logit in saved.top)
    again = shop(kept=(kept(saved, scratch, top=moved),))
    again.one(ask())
    assert again.restored == [("k", True)]


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000])
def test_a_digest_tells_any_byte_the_length_and_the_tokens(size: int) -> None:
    state = np.arange(size, dtype=np.uint64).astype(np.uint8)
    whole = digest(state, (1, 2))
    assert digest(state.copy(), [1, 2]) == whole != digest(state, (1, 3))
    assert digest(np.append(state, np.uint8(0)), (1, 2)) != whole
    for at in {0, size // 2, size - 1} if size else ():
        bent = state.copy()
        bent[at] ^= 128
        assert digest(bent, (1, 2)) != whole


# --- whose, and how many -------------------------------------------------------------------------


def test_an_owner_neither_reads_nor_writes(taken: Any, shop: Any, scratch: int) -> None:
    _, saved = taken
    own = shop(scratch=scratch, kept=(kept(saved, scratch),))
    assert own.one(ask(owner="ann")).usage.cached_tokens == 0
    own.one(Generate(prompt("Hi", RULES + " Smile."), max_tokens=1, stable=1, owner="ann"))
    assert own.restored == [] and own.saved == []


def test_an_adapters_state_is_not_the_models(taken: Any, shop: Any, scratch: int) -> None:
    _, saved = taken
    again = shop(kept=(kept(saved, scratch, adapter="home"),))
    assert again.one(ask()).usage.cached_tokens == 0 and again.restored == []


def test_each_is_taken_once(shop: Any, scratch: int) -> None:
    first = shop(scratch=scratch)
    for question in ("Hi", "Hello", "Hi"):
        first.one(ask(question))
    assert len(first.saved) == 1
    again = shop(scratch=scratch, kept=(kept(first.saved[0], scratch),))
    again.one(ask("Yes?"))
    assert again.saved == []


def test_nothing_is_taken_while_something_runs(shop: Any, scratch: int) -> None:
    busy = shop(scratch=scratch)
    busy.submit(ask(max_tokens=1))
    busy.submit(Generate(prompt("Tell me more."), max_tokens=40))
    busy.run()
    kinds = [type(record) for record in busy.told if isinstance(record, Ended | Saved)]
    assert kinds == [Ended, Ended, Saved]


def test_what_is_short_or_not_stable_is_not_taken(shop: Any, scratch: int, llama: Any) -> None:
    one = shop(scratch=scratch)
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    tokens = llama.tokenise(words)
    texts = ["".join(llama.piece(t).decode() for t in tokens[:count]) for count in (LEAST - 1, LEAST)]
    for text in texts:
        one.one(Score((Segment(text, True),), (" x",), stable=1))
    one.one(Score((Segment(RULES, True),), (" x",)))
    assert [len(saved.tokens) for saved in one.saved] == [LEAST]


def test_a_worker_takes_so_many_and_no_more(shop: Any, scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LIMITS", replace(LIMITS, snapshots_taken=2))
    one = shop(scratch=scratch)
    for place in ("market", "garden", "cellar"):
        one.one(Generate(prompt("Hi", RULES.replace("shop", place)), max_tokens=1, stable=1))
    assert len(one.saved) == 2


def test_without_a_scratch_nothing_is_taken(shop: Any) -> None:
    one = shop()
    one.one(ask())
    assert one.saved == [] and not one.engine.busy


# --- the scratch ---------------------------------------------------------------------------------


@pytest.fixture
def small(taken: Any) -> Iterator[int]:
    """Room for one and a half."""
    fd = os.memfd_create("scratch")
    os.ftruncate(fd, taken[1].size * 3 // 2)
    yield fd
    os.close(fd)


def test_what_finds_no_room_waits_until_the_first_was_copied(shop: Any, small: int) -> None:
    one = shop(scratch=small)
    for place in ("market", "garden"):
        one.one(Generate(prompt("Hi", RULES.replace("shop", place)), max_tokens=1, stable=1))
    assert len(one.saved) == 1 and not one.engine.busy
    before = os.pread(small, one.saved[0].size, 0)
    one.engine.freed(one.saved[0].offset)
    assert one.engine.busy
    one.run()
    assert len(one.saved) == 2 and one.saved[1].offset == 0
    assert os.pread(small, one.saved[0].size, 0) != before


def test_memory_that_was_copied_goes_back_to_the_system(shop: Any, scratch: int) -> None:
    one = shop(scratch=scratch)
    one.one(ask())
    assert os.fstat(scratch).st_blocks * 512 >= one.saved[0].size
    one.engine.freed(one.saved[0].offset)
    assert os.fstat(scratch).st_blocks == 0 and os.fstat(scratch).st_size == 16 << 20


def test_one_that_is_too_long_is_cut(shop: Any, taken: Any) -> None:
    _, saved = taken
    fd = os.memfd_create("scratch")
    try:
        os.ftruncate(fd, saved.size * 4 // 5)
        one = shop(scratch=fd)
        one.one(ask())
        (part,) = one.saved
        assert LEAST <= len(part.tokens) < len(saved.tokens) and part.tokens == saved.tokens[: len(part.tokens)]
        again = shop(kept=(kept(part, fd),))
        assert again.one(ask()).usage.cached_tokens == len(part.tokens)
    finally:
        os.close(fd)
