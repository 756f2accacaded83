"""Prefixes outside of the KV cache: what is kept, for how long, and that it comes back as what it was."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from linnet.limits import LIMITS
from linnet.requests import Generate, Pattern, Score, Segment
from linnet.worker import parked as subject
from linnet.worker.llama import Entry
from linnet.worker.parked import STRIDE, Parked, passed_over, strides

sys.path.append(str(Path(__file__).parent))

from engine_shadow import Shadow, check, load
from engine_shop import Shop


@dataclass(frozen=True)
class Bytes:
    """So many of them, that nobody has to have."""

    nbytes: int


def tree(*kept: list[int], most_bytes: int = 1_000, most: int = 100) -> Parked:
    """Sequences 0, 1, ... with these tokens in cells, kept in this order."""
    made = Parked(most_bytes, most)
    for sequence, tokens in enumerate(kept):
        made.keep("", sequence, tokens)
    return made


def park(made: Parked, size: int = 10) -> tuple[int, int]:
    """The next leaf leaves its cells."""
    leaf = made.least()
    assert leaf and made.store(leaf, Bytes(size))
    given = made.evict()
    assert given
    return given


# --- policy: when --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "unused", "passed"),
    [(0, 0, False), (100, 100, False), (100, 156, False), (100, 157, True), (256, 1, True), (257, 255, False)],
)
def test_cells_are_in_the_way_where_they_make_another_stride(needed: int, unused: int, passed: bool) -> None:
    assert STRIDE == 256 and passed_over(needed, unused) is passed


def test_strides_are_rounded_up() -> None:
    assert [strides(cells) for cells in (0, 1, 256, 257, 512)] == [0, 1, 1, 2, 2]


# --- policy: what --------------------------------------------------------------------------------


def test_what_is_parked_is_found_and_takes_no_cells() -> None:
    made = tree([1, 2, 3])
    assert park(made) == (0, 0)
    assert (made.cells, made.leaves, made.bytes, made.longest("", [1, 2, 3, 4])) == (0, 0, 10, 3)
    taken = made.take("", [1, 2, 9])
    assert taken and taken.length == 2 and made.pinned == 2
    (missing,) = made.missing(taken)
    assert missing.tokens == (1, 2) and missing.state is not None
    assert (missing.state.start, missing.state.end) == (0, 3), "a part of what was saved"
    assert made.revive(missing, 7) == []
    assert (made.cells, made.leaves, taken.sequence, made.missing(taken)) == (2, 1, 7, [])


def test_each_edge_is_parked_by_itself() -> None:
    made = tree([1, 2, 3, 4], [1, 2, 8, 9])
    assert park(made, 2) == (0, 0) and park(made, 2) == (1, 2), "the last one that has the beginning keeps it"
    assert (made.cells, made.bytes) == (2, 4)
    assert park(made, 2) == (1, 0)
    taken = made.take("", [1, 2, 3, 4])
    assert taken and [node.tokens for node in made.missing(taken)] == [(1, 2), (3, 4)]


def test_a_sequence_that_is_gone_on_from_below_is_given_back() -> None:
    made = tree([1, 2, 3], [1, 2, 4])
    park(made)
    taken = made.take("", [1, 2, 3])
    assert taken
    (missing,) = made.missing(taken)
    assert made.evict() == (1, 2), "the beginning is a leaf now"
    assert made.revive(missing, 5) == [1], "and is held twice"
    assert (made.cells, made.leaves, taken.sequence) == (3, 1, 5)


def test_a_prefix_that_does_not_come_back_is_stood_on_as_far_as_it_does() -> None:
    made = tree([1, 2, 3], [1, 2, 4])
    park(made)
    taken = made.take("", [1, 2, 3])
    assert taken and taken.node.parent
    shorter = made.shorten(taken, taken.node.parent)
    assert shorter and (shorter.length, made.pinned) == (2, 2)
    made.release(shorter)
    taken = made.take("", [1, 2, 3])
    assert taken
    assert made.shorten(taken, made._roots[""]) is None and made.pinned == 0


def test_what_was_computed_again_stands_in_cells() -> None:
    made = tree([1, 2, 3])
    park(made)
    assert made.keep("", 4, [1, 2]) == ([], (-1, 0))
    assert (made.cells, made.leaves) == (2, 1)
    assert made.keep("", 5, [1, 2, 3, 4]) == ([4], (4, 2)), "what is in cells is shared, what is parked is not"
    assert (made.cells, made.leaves, made.bytes) == (4, 1, 10)


def test_a_token_is_not_worth_a_hundred() -> None:
    made = tree([1, *range(2, 102)])
    park(made)
    for wanted, worth in (([1], False), ([1, 2], True)):
        taken = made.take("", wanted)
        assert taken and [made.worth(node) for node in made.missing(taken)] == [worth]
        made.release(taken)
        made = tree([1, *range(2, 102)])
        park(made)


def test_keys_share_nothing() -> None:
    made = Parked(100, 10)
    made.keep(("ann", ""), 0, [1, 2])
    park(made)
    for other in (("bert", ""), ("", ""), ("ann", "adapter")):
        assert made.longest(other, [1, 2]) == 0 and made.take(other, [1, 2]) is None
    assert made.keep(("bert", ""), 1, [1, 2]) == ([], (-1, 0)) and made.longest(("ann", ""), [1, 2]) == 2


def test_what_was_saved_and_split_counts_once_until_nobody_needs_it() -> None:
    made = tree([1, 2, 3, 4])
    park(made, 40)
    held = made.take("", [1, 2, 9])
    assert held and made.bytes == 40
    made.release(held)
    made.most_bytes = 39
    made.keep("", 1, [7])
    leaf = made.least()
    assert leaf and made.store(leaf, Bytes(1)) and made.bytes == 1 and made.longest("", [1, 2]) == 0


def test_only_what_stands_in_cells_alone_is_unsaved() -> None:
    made = tree([1, 2, 3], [5, 6, 7])
    first, second = made.unsaved()
    assert (first.tokens, second.tokens) == ((5, 6, 7), (1, 2, 3)), "the last used first"
    assert made.store(first, Bytes(3)) and made.unsaved() == [second]
    made.take("", [5])
    assert {node.tokens for node in made.unsaved()} == {(5,), (1, 2, 3)}, "three times what it needs is too much"


# --- policy: how much ----------------------------------------------------------------------------


def test_bytes_are_bounded_and_the_least_recently_used_goes() -> None:
    made = tree([1], [2], [3], most_bytes=20)
    for _ in range(3):
        park(made)
    assert made.bytes == 20 and [made.longest("", [token]) for token in (1, 2, 3)] == [0, 1, 1]


def test_the_limits_and_one_past_them() -> None:
    made = Parked()
    made.keep("", 0, [1])
    leaf = made.least()
    assert leaf and made.store(leaf, Bytes(LIMITS.parked_bytes))
    assert not made.store(leaf, Bytes(LIMITS.parked_bytes + 1)) and made.bytes == 0
    many = Parked()
    for token in range(LIMITS.parked_prefixes + 1):
        many.keep("", 0, [token])
        park(many)
        assert many.longest("", [0]) == (token < LIMITS.parked_prefixes)
    assert many.longest("", [1]) == 1


def test_what_a_request_waits_for_is_not_given_up() -> None:
    made = tree([1, 1], [2, 2], most_bytes=10)
    park(made)
    held = made.take("", [1, 1])
    leaf = made.least()
    assert held and leaf and not made.store(leaf, Bytes(10)), "the only one that can go is the new one"
    assert made.missing(held)[0].state is not None
    made.release(held)


# --- cells ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama() -> Shadow:
    return cache(load)()


@pytest.fixture
def shop(llama: Shadow, monkeypatch: Any) -> Shop:
    monkeypatch.setattr(subject, "STRIDE", 32)
    llama.reset()
    return Shop(llama)


def ask(text: str, owner: str = "") -> Generate:
    return Generate((Segment(text, True),), constraint=Pattern("[a-c]{4}"), owner=owner)


RULES = "these are the rules that all of you begin with "


def test_what_another_begins_with_is_parked_and_comes_back(shop: Shop, llama: Shadow) -> None:
    first = shop.one(ask(RULES + "one"))
    other = shop.one(ask("something else, and long enough to be in the way of it"))
    assert llama.returned == 0
    again = shop.one(ask(RULES + "two"))
    check(shop.engine, llama)
    assert first.usage.cached_tokens == 0 and other.usage.cached_tokens < 3
    assert again.usage.cached_tokens > 40 and llama.returned > 40


def test_what_is_begun_with_again_and_again_stays_in_cells(shop: Shop, llama: Shadow) -> None:
    for i in range(5):
        done = shop.one(ask(f"{RULES}{i}"))
        check(shop.engine, llama)
    assert done.usage.cached_tokens > 40 and llama.returned == 0


def test_the_same_answer_parked_or_not(shop: Shop, llama: Shadow) -> None:
    alone = shop.one(ask(RULES + "one"))
    for number in range(3):
        shop.one(ask(f"{number} something else, and long enough to be in the way of it"))
        shop.engine.rest()
        assert shop.one(ask(RULES + "one")).text == alone.text
        check(shop.engine, llama)
    assert llama.returned > 100


def test_an_owner_gets_nothing_of_another_back(shop: Shop, llama: Shadow) -> None:
    shop.one(ask(RULES, owner="ann"))
    shop.one(ask("something else, and long enough to be in the way of it"))
    for other in ("bert", ""):
        assert shop.one(ask(RULES, owner=other)).usage.cached_tokens < 3
    assert shop.one(ask(RULES, owner="ann")).usage.cached_tokens > 40
    check(shop.engine, llama)


def test_a_worker_at_rest_has_all_of_it_saved(shop: Shop, llama: Shadow) -> None:
    shop.one(ask(RULES))
    tree = shop.engine._cells.tree
    assert isinstance(tree, Parked) and tree.unsaved() and tree.bytes == 0
    shop.engine.rest()
    held = tree.bytes
    assert not tree.unsaved() and held > 0 and tree.cells > 0, "and still in cells"
    shop.engine.rest()
    assert tree.bytes == held
    check(shop.engine, llama)


def test_what_is_older_than_all_that_is_parked_gives_way(shop: Shop, llama: Shadow) -> None:
    cells = shop.engine._cells
    tree = cells.tree
    assert isinstance(tree, Parked)
    shop.one(ask(RULES))
    shop.engine.rest()
    tree.most_bytes = tree.bytes
    shop.one(ask("later, and about as long as the rules that all begin with"))
    while cells.evict():
        pass
    check(shop.engine, llama)
    later = tree.bytes
    (sequence,) = cells.lend(1)
    llama.decode([Entry(token, at, sequence, at == 29) for at, token in enumerate(range(100, 130))])
    cells.keep(("", ""), sequence, [*range(100, 130)])
    for root in tree._roots.values():
        for node in root.children.values():
            node.used = 0 if node.resident else 99
    cells.settle(32)
    assert (tree.cells, tree.bytes) == (0, later), "else it were saved anew at every step"
    check(shop.engine, llama)


def test_where_nothing_may_be_parked_all_stays_as_it_was(shop: Shop, llama: Shadow) -> None:
    tree = shop.engine._cells.tree
    assert isinstance(tree, Parked)
    tree.most_bytes = 0
    shop.one(ask(RULES))
    shop.one(ask("something else, and long enough to be in the way of it"))
    assert shop.one(ask(RULES)).usage.cached_tokens > 40, "cells that nobody needs keep it"
    assert (tree.bytes, llama.returned) == (0, 0)
    check(shop.engine, llama)


@pytest.mark.parametrize("free", [2, 3])
def test_what_comes_back_leaves_the_sequences_that_continuations_need(shop: Shop, llama: Shadow, free: int) -> None:
    cells = shop.engine._cells
    request = Score((Segment(RULES + "one", True),), ("red green blue", "oooo q"))
    expected = shop.one(request).scores
    while cells.evict():
        pass
    others = cells.lend(len(cells.free) - free)
    told = shop.one(request)
    assert told.scores and expected and len({score for score, _ in told.scores}) == 2
    assert [score for score, _ in told.scores] == pytest.approx([score for score, _ in expected], abs=0.1)
    assert (llama.returned > 40) is (free == 3), "two are for the request: none is left for the prefix"
    cells.drop(*others)
    check(shop.engine, llama)
