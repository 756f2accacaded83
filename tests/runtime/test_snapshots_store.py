"""The files of computed prefixes: whole or not there, few enough, and only for the state they were made of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.limits import LIMITS
from linnet.protocol import Adapter, Freed, Load, Record, Restored, Saved, Snapshot
from linnet.runtime import snapshots
from linnet.runtime.snapshots import Snapshots, SnapshotStore, context_of

STATE = bytes(range(256)) * 40
CONTEXT = context_of("weights", Load())


def saved(*tokens: int, adapter: str = "") -> Saved:
    return Saved(64, len(STATE), "ab", tokens, ((1, 2.5), (3, -0.25)), adapter)


@pytest.fixture
def scratch() -> Iterator[int]:
    fd = os.memfd_create("test")
    os.pwrite(fd, STATE, 64)
    yield fd
    os.close(fd)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def found(store: SnapshotStore, context: str = CONTEXT) -> list[Snapshot]:
    """Those that are there, their descriptors closed again."""
    kept = list(store.opened(context))
    for one in kept:
        os.close(one.fd)
    return kept


def files(store: SnapshotStore) -> list[Path]:
    return sorted(store._folder.iterdir()) if store._folder.exists() else []


def test_what_is_published_is_found_as_it_was(store: SnapshotStore, scratch: int) -> None:
    store.publish(CONTEXT, saved(5, 6, 7, adapter="home"), scratch)
    (one,) = store.opened(CONTEXT)
    assert (one.tokens, one.top, one.digest, one.adapter) == ((5, 6, 7), ((1, 2.5), (3, -0.25)), "ab", "home")
    assert os.pread(one.fd, one.size, one.offset) == STATE and one.offset % 4096 == 0
    assert os.fstat(one.fd).st_mode & 0o077 == 0, "prompts are nobody else's business"
    os.close(one.fd)


def test_the_same_is_written_once(store: SnapshotStore, scratch: int) -> None:
    store.publish(CONTEXT, saved(5), scratch)
    before = files(store)[0].stat().st_ino
    store.publish(CONTEXT, saved(5), scratch)
    assert [path.stat().st_ino for path in files(store)] == [before]


def test_an_adapter_has_its_own(store: SnapshotStore, scratch: int) -> None:
    for adapter in ("", "home", "work"):
        store.publish(CONTEXT, saved(5, adapter=adapter), scratch)
    assert {one.adapter for one in found(store)} == {"", "home", "work"}


@pytest.mark.parametrize(
    ("weights", "load"),
    [("others", Load()), ("weights", Load(cache="q8_0")), ("weights", Load(context=1024))],
    ids=["another model", "another type of cache", "another context"],
)
def test_another_context_finds_nothing(store: SnapshotStore, scratch: int, weights: str, load: Load) -> None:
    store.publish(CONTEXT, saved(5), scratch)
    assert found(store, context_of(weights, load)) == [] and len(found(store)) == 1


def test_another_engine_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots.encodings, "engine", lambda: "llama-cpp-python 99.0")
    assert context_of("weights", Load()) != CONTEXT


def test_a_file_cut_off_anywhere_is_removed(store: SnapshotStore, scratch: int) -> None:
    store.publish(CONTEXT, saved(5), scratch)
    (path,) = files(store)
    whole = path.read_bytes()
    for length in (0, 7, 47, 48, 100, 4095, 4096, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert found(store) == [] and files(store) == [], length
    path.write_bytes(whole + b"x")
    assert found(store) == [] and files(store) == []


def test_a_flipped_byte_in_the_head_is_found(store: SnapshotStore, scratch: int) -> None:
    store.publish(CONTEXT, saved(5, 6), scratch)
    (path,) = files(store)
    whole = path.read_bytes()
    head = whole[:4096].rstrip(b"\0")
    for at in range(len(head)):
        bent = bytearray(whole)
        bent[at] ^= 1
        path.write_bytes(bent)
        assert found(store) == [] and files(store) == [], at


def test_a_file_under_anothers_name_is_removed(store: SnapshotStore, scratch: int) -> None:
    for token in (5, 6):
        store.publish(CONTEXT, saved(token), scratch)
    one, other = files(store)
    one.replace(other)
    assert found(store) == []


def test_what_was_used_longest_ago_goes(store: SnapshotStore, scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LIMITS", replace(LIMITS, snapshots_kept=3))
    for token in range(3):
        store.publish(CONTEXT, saved(token), scratch)
    for age, one in enumerate(found(store)):
        os.utime(store._folder / f"{one.key}.state", (1e9 - age, 1e9 - age))
    oldest = found(store)[-1]
    assert len(found(store)) == 3
    assert store.touch(oldest.key)
    store.publish(CONTEXT, saved(9), scratch)
    tokens = [one.tokens for one in found(store)]
    assert len(tokens) == 3 and oldest.tokens in tokens and (9,) in tokens


def test_one_byte_too_many_is_too_many(store: SnapshotStore, scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    each = 4096 + len(STATE)
    for limit, kept in ((2 * each, 2), (2 * each - 1, 1)):
        monkeypatch.setattr(snapshots, "LIMITS", replace(LIMITS, snapshots_bytes=limit))
        for path in files(store):
            path.unlink()
        for token in range(2):
            store.publish(CONTEXT, saved(token), scratch)
        assert len(files(store)) == kept


def test_a_head_that_is_too_long_is_not_written(
    store: SnapshotStore, scratch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(CONTEXT, saved(5), scratch)
    size = len(files(store)[0].read_bytes()[48:4096].rstrip(b"\0"))
    files(store)[0].unlink()
    for limit, kept in ((size - 1, 0), (size, 1)):
        monkeypatch.setattr(snapshots, "LIMITS", replace(LIMITS, snapshot_header_bytes=limit))
        store.publish(CONTEXT, saved(5), scratch)
        assert len(files(store)) == kept


def test_a_scratch_that_is_too_short_leaves_nothing(store: SnapshotStore, scratch: int) -> None:
    store.publish(CONTEXT, replace(saved(5), size=len(STATE) + 1), scratch)
    assert files(store) == []


def test_what_a_killed_process_has_left_goes_in_time(store: SnapshotStore, scratch: int) -> None:
    store.publish(CONTEXT, saved(5), scratch)
    new, old = store._folder / ".new.part", store._folder / ".old.part"
    for path in (new, old):
        path.touch()
    os.utime(old, (1e9, 1e9))
    store.publish(CONTEXT, saved(6), scratch)
    assert new.exists() and not old.exists()


def test_where_nothing_can_be_written_nothing_happens(tmp_path: Path, scratch: int) -> None:
    (tmp_path / "file").touch()
    store = SnapshotStore(tmp_path / "file" / "snapshots")
    store.publish(CONTEXT, saved(5), scratch)
    assert found(store) == [] and not store.touch("none")
    store.remove("none")


# --- lent to workers, and taken from them --------------------------------------------------------


class Lent:
    """A load with what was lent, while the descriptors are open."""

    def __init__(self, lender: Snapshots, load: Load = Load()) -> None:  # noqa: B008  # frozen
        with ExitStack() as opened:
            self.load = lender.lend(load, opened)
            self.fds = [os.fstat(fd).st_size for fd in self.load.descriptors]

    @property
    def tokens(self) -> set[tuple[int, ...]]:
        return {one.tokens for one in self.load.snapshots}


@pytest.fixture
def lender(store: SnapshotStore) -> Iterator[Snapshots]:
    lender = Snapshots("weights", store)
    yield lender
    lender.close(5.0)


def settled(lender: Snapshots) -> None:
    """Everything that was queued is done."""
    lender._jobs.put(None)
    if lender._thread is not None:
        lender._thread.join()
        lender._thread = None
    lender._jobs = type(lender._jobs)()


def test_a_worker_is_lent_memory_and_what_there_is(store: SnapshotStore, lender: Snapshots, scratch: int) -> None:
    assert Lent(lender).fds == [LIMITS.snapshot_bytes]
    store.publish(CONTEXT, saved(5), scratch)
    store.publish(CONTEXT, saved(6, adapter="home"), scratch)
    assert Lent(lender).tokens == {(5,)}
    assert Lent(lender, Load(adapters=(Adapter("home", -1),))).tokens == {(5,), (6,)}


def test_no_more_are_lent_than_may_be_open(
    store: SnapshotStore, lender: Snapshots, scratch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "LIMITS", replace(LIMITS, snapshots_open=2))
    for token in range(3):
        store.publish(CONTEXT, saved(token), scratch)
    assert len(Lent(lender).load.snapshots) == 2


def test_what_is_lent_fits_in_a_record(
    store: SnapshotStore, lender: Snapshots, scratch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for token in range(3):
        store.publish(CONTEXT, saved(token), scratch)
    monkeypatch.setattr(snapshots, "LIMITS", replace(LIMITS, record_bytes=4 * 2 * 4096))
    assert len(Lent(lender).load.snapshots) == 2


def test_what_a_worker_saves_is_stored_and_its_place_given_back(store: SnapshotStore, lender: Snapshots) -> None:
    Lent(lender)
    os.pwrite(lender._scratch, STATE, 64)
    told: list[Record] = []
    lender.take(saved(5), told.append)
    settled(lender)
    assert told == [Freed(64)] and [one.tokens for one in found(store)] == [(5,)]


def test_what_is_wrong_is_removed(store: SnapshotStore, lender: Snapshots, scratch: int) -> None:
    for token in (5, 6):
        store.publish(CONTEXT, saved(token), scratch)
    bad, good = Lent(lender).load.snapshots
    lender.take(Restored(bad.key, False, 0.1), no_answer)
    lender.take(Restored(good.key, True, 0.25), no_answer)
    settled(lender)
    assert [one.key for one in found(store)] == [good.key] and lender.seconds == [0.25]


def test_what_may_have_killed_a_worker_is_removed(store: SnapshotStore, lender: Snapshots, scratch: int) -> None:
    store.publish(CONTEXT, saved(5), scratch)
    assert Lent(lender).tokens == {(5,)}
    lender.lost(blamed=True)
    settled(lender)
    assert found(store) == [] and Lent(lender).tokens == set()


def test_after_a_death_ordered_by_others_nothing_is_lent_or_removed(
    store: SnapshotStore, lender: Snapshots, scratch: int
) -> None:
    store.publish(CONTEXT, saved(5), scratch)
    assert Lent(lender).tokens == {(5,)}
    lender.lost(blamed=False)
    settled(lender)
    assert len(found(store)) == 1 and Lent(lender).tokens == set()


def no_answer(record: Any) -> None:
    raise AssertionError(record)
