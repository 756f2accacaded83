"""Which prefixes stay computed: the longest match is found, what is shared counts once, leaves give way first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from linnet.worker.prefix import Prefix, PrefixTree

NONE = (-1, 0)


def tree(*kept: list[int]) -> PrefixTree:
    """Sequences 0, 1, ... with these tokens, kept in this order."""
    made = PrefixTree()
    for sequence, tokens in enumerate(kept):
        made.keep("", sequence, tokens)
    return made


def test_an_empty_tree_knows_nothing() -> None:
    empty = PrefixTree()
    assert empty.take("", [1, 2, 3]) is None and empty.longest("", [1]) == 0
    assert (empty.cells, empty.leaves, empty.pinned, empty.evict()) == (0, 0, 0, None)


def test_the_longest_common_start_is_found() -> None:
    made = tree([1, 2, 3, 4], [1, 2, 9])
    assert made.longest("", [1, 2, 3, 8]) == 3
    assert made.longest("", [1, 2, 9, 9]) == 3
    assert made.longest("", [1, 2, 3, 4, 5, 6]) == 4
    assert made.longest("", [1]) == 1
    assert made.longest("", [2, 3]) == made.longest("", []) == 0
    taken = made.take("", [1, 2, 9, 9])
    assert taken and (taken.sequence, taken.length) == (1, 3)


def test_shared_tokens_count_once() -> None:
    made = tree([1, 2, 3], [4])
    assert (made.cells, made.leaves) == (4, 2)
    assert made.keep("", 2, [1, 2, 8, 9]) == ([], (0, 2))
    assert (made.cells, made.leaves) == (6, 3)


def test_what_is_held_already_is_not_kept() -> None:
    made = tree([1, 2, 3])
    assert made.keep("", 1, [1, 2]) == ([1], NONE)
    assert made.keep("", 2, [1, 2, 3]) == ([2], NONE)
    assert made.keep("", 3, []) == ([3], NONE)
    assert (made.cells, made.leaves) == (3, 1)


def test_what_goes_on_from_another_takes_its_place() -> None:
    made = tree([1, 2], [1, 3])
    assert made.keep("", 2, [1, 2, 3]) == ([0], (0, 2))
    assert (made.cells, made.leaves) == (4, 2)


def test_keys_share_nothing() -> None:
    made = PrefixTree()
    made.keep("anna", 0, [1, 2, 3])
    assert made.longest("bert", [1, 2, 3]) == 0 and made.take("bert", [1, 2, 3]) is None
    assert made.keep("bert", 1, [1, 2, 3]) == ([], NONE)
    assert (made.cells, made.leaves) == (6, 2)


def test_keys_that_hold_nothing_are_forgotten() -> None:
    made = PrefixTree()
    for i in range(50):
        made.longest(i, [1])
        made.keep(i, i, [1])
        made.evict()
    assert len(made._roots) <= 1


def test_the_least_recently_used_leaf_goes_first() -> None:
    made = tree([1, 1], [2, 2], [3, 3])
    used = made.take("", [1, 1])
    assert used
    made.release(used)
    assert [made.evict() for _ in range(4)] == [(1, 0), (2, 0), (0, 0), None]


def test_a_beginning_outlives_what_was_added_to_it() -> None:
    """The system prompt of many requests is what is worth keeping."""
    made = tree([1, 2, 3, 7, 7], [1, 2, 3, 8, 8, 8], [1, 2, 3, 9])
    assert made.evict() == (0, 0) and made.evict() == (1, 0)
    assert made.evict() == (2, 3), "the last one that has the beginning keeps it"
    assert (made.cells, made.leaves) == (3, 1) and made.longest("", [1, 2, 3, 4]) == 3
    assert made.evict() == (2, 0) and made.cells == 0


def test_what_a_request_stands_on_stays() -> None:
    made = tree([1, 2, 3, 4], [5])
    held = made.take("", [1, 2, 9])
    assert held and held.length == 2 and made.pinned == 2
    assert made.evict() == (0, 2), "only what the request does not use"
    assert made.evict() == (1, 0)
    assert made.evict() is None and made.cells == 2
    made.release(held)
    assert made.pinned == 0 and made.evict() == (0, 0)


def test_pins_survive_a_split_above_them() -> None:
    made = tree([1, 2, 3, 4])
    held = made.take("", [1, 2, 3, 4])
    made.keep("", 1, [1, 2, 9])
    assert held and made.pinned == 4
    assert made.evict() == (1, 0) and made.evict() is None
    made.release(held)
    assert made.pinned == 0


class Cache(RuleBasedStateMachine):
    """Against the plainest model there is: a list of sequences with all of their tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.tree, self.next = PrefixTree(), 0
        self.held: dict[int, tuple[str, list[int]]] = {}
        self.taken: list[tuple[Prefix, str, list[int]]] = []

    tokens = st.lists(st.integers(0, 2), max_size=7)
    keys = st.sampled_from("ab")

    @rule(key=keys, tokens=tokens)
    def keep(self, key: str, tokens: list[int]) -> None:
        sequence, self.next = self.next, self.next + 1
        best = max((common(other, tokens) for k, other in self.held.values() if k == key), default=0)
        gone, (holder, length) = self.tree.keep(key, sequence, tokens)
        if sequence not in gone:
            assert length == best
            assert not length or self.held[holder][1][:length] == tokens[:length]
        self.held[sequence] = (key, tokens)
        for other in gone:
            _, covered = self.held.pop(other)
            assert any(k == key and kept[: len(covered)] == covered for k, kept in self.held.values()) or not covered

    @rule(key=keys, tokens=tokens)
    def take(self, key: str, tokens: list[int]) -> None:
        best = max((common(other, tokens) for k, other in self.held.values() if k == key), default=0)
        assert self.tree.longest(key, tokens) == best
        taken = self.tree.take(key, tokens)
        assert (taken.length if taken else 0) == best
        if taken:
            holder = self.held[taken.sequence]
            assert holder[0] == key and holder[1][: taken.length] == tokens[: taken.length]
            self.taken.append((taken, key, tokens[: taken.length]))

    @precondition(lambda self: self.taken)
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        self.tree.release(self.taken.pop(which % len(self.taken))[0])

    @rule()
    def evict(self) -> None:
        given = self.tree.evict()
        if given is None:
            assert self.tree.cells == self.tree.pinned
            return
        sequence, length = given
        key, tokens = self.held.pop(sequence)
        assert length < len(tokens)
        if length:
            self.held[sequence] = (key, tokens[:length])

    @invariant()
    def it_counts_what_is_held(self) -> None:
        distinct = {(key, *tokens[: i + 1]) for key, tokens in self.held.values() for i in range(len(tokens))}
        assert self.tree.cells == len(distinct) and self.tree.leaves == len(self.held)
        under = {(key, *tokens[: i + 1]) for _, key, tokens in self.taken for i in range(len(tokens))}
        assert self.tree.pinned == len(under) and under <= distinct


TestCache = Cache.TestCase


def common(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


@given(st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=25))
def test_evicting_ends_with_nothing(kept: list[list[int]]) -> None:
    made = tree(*kept)
    steps = 0
    while made.evict():
        steps += 1
        assert steps <= 400
    assert (made.cells, made.leaves) == (0, 0)


# --- proven or not -------------------------------------------------------------------------------


def test_what_nobody_has_begun_with_is_unproven_and_the_last_of_it_stays() -> None:
    made = PrefixTree()
    for sequence in range(3):
        made.keep("k", sequence, [sequence, 7, 7])
    assert made.unproven == 9
    held = made.take("k", [1, 7, 7, 9])
    assert held is not None
    made.release(held)
    assert made.unproven == 6, "a request began with it"
    assert made.evict(unproven=2) is None, "so many may be gone on from"
    assert made.evict(unproven=1) == (0, 0) and made.unproven == 3
    assert made.evict(unproven=1) is None
    assert made.evict() == (2, 0), "where all may go, it is the least recently used"


def test_what_is_said_to_be_begun_with_stays_beyond_what_was_added_to_it() -> None:
    made = PrefixTree()
    made.keep("k", 0, [1, 2, 3, 4])
    made.prove("k", [1, 2])
    assert made.unproven == 2 and made.cells == 4
    made.keep("k", 1, [8])
    assert made.evict(unproven=1) == (0, 2), "its beginning stays"
    assert (made.unproven, made.cells, made.longest("k", [1, 2, 3])) == (1, 3, 2)
    made.prove("k", [9])
    assert made.unproven == 1, "what is not held cannot be proven"
