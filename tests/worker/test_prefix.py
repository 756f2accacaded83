"""Which prefixes stay computed: the longest match is found, and the least recently used gives way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.worker.prefix import PrefixCache


def test_an_empty_cache_knows_nothing() -> None:
    cache = PrefixCache(4)
    assert cache.longest([1, 2, 3]) == (-1, 0)
    assert (cache.cells, cache.evict()) == (0, -1)


def test_the_longest_common_start_is_found() -> None:
    cache = PrefixCache(4)
    cache.keep(0, [1, 2, 3, 4])
    cache.keep(1, [1, 2, 9])
    assert cache.longest([1, 2, 3, 8]) == (0, 3)
    assert cache.longest([1, 2, 9, 9]) == (1, 3)
    assert cache.longest([1, 2, 3, 4, 5, 6]) == (0, 4)
    assert cache.longest([1]) in [(0, 1), (1, 1)]
    assert cache.longest([2, 3]) == (-1, 0)
    assert cache.longest([]) == (-1, 0)


def test_cells_are_the_tokens_that_are_held() -> None:
    cache = PrefixCache(4)
    cache.keep(0, [1, 2, 3])
    cache.keep(1, [4])
    assert cache.cells == 4
    cache.evict()
    assert cache.cells == 1


def test_what_is_known_already_is_not_kept() -> None:
    cache = PrefixCache(4)
    assert cache.keep(0, [1, 2, 3]) == []
    assert cache.keep(1, [1, 2]) == [1]
    assert cache.keep(2, [1, 2, 3]) == [2]
    assert cache.keep(3, []) == [3]
    assert cache.cells == 3


def test_what_a_longer_one_covers_gives_way() -> None:
    cache = PrefixCache(4)
    cache.keep(0, [1, 2])
    cache.keep(1, [1, 3])
    assert cache.keep(2, [1, 2, 3]) == [0]
    assert cache.longest([1, 2, 3]) == (2, 3)
    assert cache.longest([1, 3]) == (1, 2)


def test_the_least_recently_used_goes_first() -> None:
    cache = PrefixCache(2)
    cache.keep(0, [1, 1])
    cache.keep(1, [2, 2])
    assert cache.longest([1, 1]) == (0, 2)  # used again
    assert cache.keep(2, [3, 3]) == [1]
    assert cache.longest([2, 2]) == (-1, 0)
    assert cache.evict() == 0 and cache.evict() == 2 and cache.evict() == -1


TOKENS = st.lists(st.integers(0, 2), max_size=6)


@given(st.lists(TOKENS, max_size=20), TOKENS, st.integers(1, 4))
def test_no_sequence_is_lost_and_none_is_given_back_twice(
    kept: list[list[int]], asked: list[int], limit: int
) -> None:
    cache, free = PrefixCache(limit), set(range(len(kept)))
    held: dict[int, list[int]] = {}
    for sequence, tokens in enumerate(kept):
        free.discard(sequence)
        held[sequence] = tokens
        for gone in cache.keep(sequence, tokens):
            assert gone in held
            del held[gone]
            free.add(gone)
        assert len(held) <= limit and len(held) + len(free) == len(kept)
        assert cache.cells == sum(map(len, held.values()))
    sequence, length = cache.longest(asked)
    best = max((common(tokens, asked) for tokens in held.values()), default=0)
    assert length == best
    if length:
        assert held[sequence][:length] == asked[:length]
    evicted = [cache.evict() for _ in range(len(held) + 1)]
    assert sorted(evicted) == sorted([*held, -1])


def common(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
