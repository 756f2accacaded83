"""The cache: bounded, the last used stay, and what is not what was written is no result."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.agent.cache import Cache, cache_file
from linnet.errors import SettingsInvalid, StoreDamaged, StoreUnavailable
from linnet.limits import LIMITS


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache.db") as cache:
        yield cache


def test_what_was_put_is_there(cache: Cache) -> None:
    cache.put(b"a", b"1")
    cache.put(b"b", b"22")
    cache.put(b"a", b"333")
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (b"333", b"22", None)
    assert (len(cache), cache.held) == (2, 4 + 3)
    with Cache(cache.path) as again:
        assert again.get(b"a") == b"333"
    cache.remove(b"a")
    cache.remove(b"a")
    assert (cache.get(b"a"), len(cache), cache.held) == (None, 1, 3)
    cache.clear()
    assert (len(cache), cache.held, cache.get(b"b")) == (0, 0, None)


def test_the_last_used_stay(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", most_bytes=30) as cache:
        for key in (b"a", b"b", b"c"):
            cache.put(key, b"x" * 9)
        assert cache.get(b"a")
        cache.put(b"d", b"x" * 9)
        assert [cache.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
        cache.put(b"e", b"x" * 30)
        assert len(cache) == 3, "what is larger than all is not kept, and takes nobody's place"
        cache.put(b"f", b"x" * 29)
        assert (len(cache), cache.held) == (1, 30)


def test_one_past_the_number_of_entries(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", most_entries=3) as cache:
        for i in range(4):
            cache.put(bytes([i]), b"")
        assert (len(cache), cache.get(bytes([0])), cache.get(bytes([3]))) == (3, None, b"")


def test_vectors_leave_with_their_results(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db", most_entries=2) as cache:
        for key in (b"a", b"b", b"c"):
            cache.put(key, b"body", kin=b"kin" if key != b"b" else b"other", vector=b"1234")
        assert cache.near(b"kin") == [(b"c", b"1234")] and cache.near(b"other") == [(b"b", b"1234")]
        assert cache.held == 2 * 9 + 3 + 5
        cache.clear()
        assert cache.near(b"kin") == []


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("pgr"), st.binary(min_size=1, max_size=1), st.integers(0, 40))))
def test_it_is_a_bounded_table(tmp_path_factory: pytest.TempPathFactory, done: list[Any]) -> None:
    """Against a plain one: an answer is the last that was put, or none; and never more than the bound is held."""
    known: dict[bytes, bytes] = {}
    with Cache(tmp_path_factory.mktemp("cache") / "c.db", most_bytes=100) as cache:
        for what, key, size in done:
            if what == "p":
                known[key] = os.urandom(size)
                cache.put(key, known[key])
            elif what == "r":
                cache.remove(key)
                known.pop(key, None)
            elif (found := cache.get(key)) is not None:
                assert found == known[key]
            assert cache.held <= 100
        there = {key: body for key in known if (body := cache.get(key)) is not None}
        assert cache.held == sum(len(key) + len(body) for key, body in there.items()) and len(cache) == len(there)


@pytest.mark.parametrize("change", ["body = x'00'", "body = 'text'", "digest = x''"])
def test_a_result_that_was_changed_is_removed(cache: Cache, change: str) -> None:
    cache.put(b"a", b"1")
    cache.put(b"b", b"2")
    with sqlite3.connect(cache.path) as raw:
        raw.execute(f"UPDATE entries SET {change} WHERE key = x'61'")
    raw.close()
    assert (cache.get(b"a"), cache.get(b"b"), len(cache)) == (None, b"2", 1)


def test_a_torn_file_of_its_own_is_begun_anew() -> None:
    path = cache_file()
    with Cache() as cache:
        cache.put(b"a", b"1" * 50_000)
    path.write_bytes(b"\0" * 5_000)
    with Cache() as cache:
        assert (cache.get(b"a"), len(cache)) == (None, 0)
        cache.put(b"a", b"2")
        assert cache.get(b"a") == b"2"
    assert [file.name for file in path.parent.glob("responses.db*")] == ["responses.db"], "nothing is left behind"


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes " * 99)
    with pytest.raises(StoreDamaged):
        Cache(path)
    assert path.read_text() == "notes " * 99


def test_a_memory_is_no_cache(tmp_path: Path) -> None:
    from linnet.agent.memory import Memory

    Memory(tmp_path / "memory.db").close()
    with pytest.raises(StoreDamaged, match="another program"):
        Cache(tmp_path / "memory.db")


@pytest.mark.parametrize("bounds", [{"most_bytes": 0}, {"most_entries": 0}])
def test_a_cache_that_holds_nothing(tmp_path: Path, bounds: dict[str, int]) -> None:
    with pytest.raises(SettingsInvalid, match="holds nothing"):
        Cache(tmp_path / "c.db", **bounds)


def test_a_closed_one_says_so(cache: Cache) -> None:
    cache.close()
    with pytest.raises(StoreUnavailable, match="the cache is closed"):
        cache.get(b"a")


def test_the_default_bounds(tmp_path: Path) -> None:
    with Cache(tmp_path / "c.db") as cache:
        assert (cache._most_bytes, cache._most_entries) == (LIMITS.cache_bytes, LIMITS.cache_entries)
