"""What is kept of encodings: by which keys it is found, and that nothing half done is ever visible."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.errors import InputInvalid, ModelInUse, ModelInvalid, StorageFull
from linnet.hardware.machine import Machine
from linnet.limits import LIMITS
from linnet.models import encodings, gguf, inventory, locks
from linnet.models.encoding import Agreement, Encoding, Quality, Speed, Trial
from linnet.models.encodings import Encodings
from linnet.models.mixes import MIXES, mix

BODY = b"weights of another type"
OTHER = "b" * 64


def made_of(original: str = "a" * 64, sha256: str | None = None, **changes: object) -> Encoding:
    found = Encoding(
        original=original,
        name="small",
        machine="this",
        engine="engine 1",
        type="bf16",
        sha256=sha256,
        size=len(BODY) if sha256 else 0,
        date="2026-11-22",
        mix=MIXES["agent"],
        threads=2,
        why="it is faster",
        trials=(
            Trial("q4_1", 10, Quality(0.004, 0.0001, 0.02, 0.1, 0.95, 100), Speed(100, 20, 2.0, 1.0, 1.0, 1.0, 7)),
            Trial("bf16", 30, Quality(0.0002, 0.0, 0.001, 0.01, 0.99, 100), Speed(200, 30, 1.0, 2.0, 1.9, 2.1, 7)),
            Trial("q4_0", 9, rejected="a mean KL of 0.1"),
        ),
        agreement=(Agreement("it and the original", 50, 32, 0.5, 20.0),),
    )
    return replace(found, **changes)


@pytest.fixture
def kept(tmp_path: Path) -> Encodings:
    return Encodings(tmp_path / "encodings")


@pytest.fixture
def stored(kept: Encodings) -> Encoding:
    return store(kept)


def store(kept: Encodings, body: bytes = BODY, **changes: object) -> Encoding:
    with kept.making() as made:
        made.path.write_bytes(body)
        return kept.publish(made_of(sha256=made.sha256(), **changes), made)


def names(kept: Encodings, folder: str) -> list[str]:
    return sorted(path.name for path in (kept.root / folder).iterdir())


def test_what_is_published_is_found_by_its_keys_and_by_no_others(kept: Encodings, stored: Encoding) -> None:
    assert stored.sha256 == hashlib.sha256(BODY).hexdigest() and stored.label == "bf16, made for this machine"
    assert kept.any_stored() and kept.records() == kept.of("a" * 64) == [stored]
    assert kept.for_host("a" * 64, "this", "engine 1") == (stored, "")
    blob = kept.blob(stored.sha256)
    assert blob.read_bytes() == BODY and blob.stat().st_mode & 0o777 == 0o444
    for keys in ((OTHER, "this", "engine 1"), ("a" * 64, "that", "engine 1"), ("a" * 64, "this", "engine 2")):
        assert kept.for_host(*keys) == (None, "")
    assert names(kept, "making") == []


def test_where_nothing_was_ever_decided(kept: Encodings) -> None:
    assert not kept.any_stored() and kept.records() == [] and kept.remove("a" * 64) == (0, 0)
    assert kept.for_host("a" * 64, "this", "engine 1") == (None, "")
    assert not kept.root.exists()


def test_a_decision_for_the_original_takes_the_place_of_an_encoding(kept: Encodings, stored: Encoding) -> None:
    stays = kept.publish(made_of(type="q4_1"))
    assert kept.decided("a" * 64, "this", "engine 1") == (stays, "")
    assert kept.for_host("a" * 64, "this", "engine 1") == (None, "")
    assert names(kept, "blobs") == [], "the bytes that nobody loads any more are gone"


def test_another_machine_keeps_its_own_and_an_older_engine_does_not(kept: Encodings, stored: Encoding) -> None:
    there = store(kept, b"for there", machine="that")
    newer = store(kept, b"newer", engine="engine 2")
    assert kept.of("a" * 64) == sorted([there, newer], key=lambda one: one.machine)
    assert names(kept, "blobs") == sorted(f"{one.sha256}.gguf" for one in (there, newer))


def test_what_is_not_published_is_gone_at_once(kept: Encodings) -> None:
    with pytest.raises(KeyboardInterrupt), kept.making() as made:
        made.path.write_bytes(b"half")
        assert names(kept, "making") == [made.path.name]
        raise KeyboardInterrupt
    assert names(kept, "making") == names(kept, "blobs") == names(kept, "records") == []


KILLED = """
import sys, time
from pathlib import Path
from linnet.models.encodings import Encodings
with Encodings(Path(sys.argv[1])).making() as made:
    made.path.write_bytes(b"half")
    print("made", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_has_left_is_removed_by_the_next_and_not_before(kept: Encodings) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(kept.root)], stdout=subprocess.PIPE)
    try:
        assert child.stdout and child.stdout.readline() == b"made\n"
        with kept.making() as mine:
            assert len(names(kept, "making")) == 2, "it lives: what it makes is its own"
        child.send_signal(signal.SIGKILL)
        child.wait()
        (left,) = names(kept, "making")
        with kept.making() as mine:
            assert names(kept, "making") == [mine.path.name] != [left]
    finally:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def test_bytes_without_a_record_are_swept_and_never_found(kept: Encodings, stored: Encoding) -> None:
    assert stored.sha256
    (record,) = (kept.root / "records").glob("*.json")
    record.unlink()  # as after a crash between the two writes
    assert kept.for_host("a" * 64, "this", "engine 1") == (None, "")
    with locks_on(kept.blob(stored.sha256)), kept.making():
        assert names(kept, "blobs"), "somebody has it open still"
    with kept.making():
        assert names(kept, "blobs") == []


@contextlib.contextmanager
def locks_on(path: Path) -> Iterator[None]:
    """As a worker holds the file that it has open."""
    with path.open("rb") as file:
        assert locks.hold(file.fileno())
        yield


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff", b'{"original": 1}'])
def test_a_damaged_record_is_a_note_and_no_error(kept: Encodings, stored: Encoding, damage: bytes) -> None:
    (record,) = (kept.root / "records").glob("*.json")
    record.write_bytes(damage)
    found, note = kept.for_host("a" * 64, "this", "engine 1")
    assert found is None and str(record) in note and "damaged" in note
    assert kept.records() == []


def test_what_a_record_that_cannot_be_read_names_is_left_alone(kept: Encodings, stored: Encoding) -> None:
    (record,) = (kept.root / "records").glob("*.json")
    whole = record.read_bytes()
    newer = json.dumps({**json.loads(whole), "heat": 1, "version": 2}).encode()
    for body in (newer, whole[:-20], whole + b" " * LIMITS.encoding_record_bytes):
        record.write_bytes(body)
        assert kept.records() == []
        with kept.making():
            assert names(kept, "blobs") == [f"{stored.sha256}.gguf"]
    record.unlink()
    record.mkdir()  # it cannot be opened as a file, whoever asks
    with kept.making():
        assert names(kept, "blobs") == [f"{stored.sha256}.gguf"], "nobody knows what it names"


def test_the_old_decision_counts_until_the_new_one_is_written(
    kept: Encodings, stored: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, body: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(encodings.storage, "write_whole", full)
    with pytest.raises(StorageFull):
        store(kept, b"newer", engine="engine 2")
    assert kept.for_host("a" * 64, "this", "engine 1") == (stored, "")


def test_removing_takes_what_was_decided_while_it_waited(
    kept: Encodings, stored: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = Encodings._changing

    @contextlib.contextmanager
    def waiting(self: Encodings) -> Iterator[None]:
        monkeypatch.setattr(Encodings, "_changing", changing)
        store(kept, b"for there", machine="that")
        with changing(self):
            yield

    monkeypatch.setattr(Encodings, "_changing", waiting)
    assert kept.remove("a" * 64) == (2, len(BODY) + len(b"for there"))
    assert kept.records() == [] and names(kept, "records") == names(kept, "blobs") == []


def test_a_record_under_the_name_of_another_does_not_count(kept: Encodings, stored: Encoding) -> None:
    (record,) = (kept.root / "records").glob("*.json")
    told = json.loads(record.read_bytes())
    record.write_text(json.dumps({**told, "machine": "that"}))
    found, note = kept.for_host("a" * 64, "this", "engine 1")
    assert found is None and "passed over" in note


def test_a_record_at_the_limit_is_read_and_one_past_it_is_not(kept: Encodings, stored: Encoding) -> None:
    (record,) = (kept.root / "records").glob("*.json")
    body = record.read_bytes()
    record.write_bytes(body + b" " * (LIMITS.encoding_record_bytes - len(body)))
    assert kept.for_host("a" * 64, "this", "engine 1")[0] == stored
    record.write_bytes(body + b" " * (LIMITS.encoding_record_bytes - len(body) + 1))
    assert kept.for_host("a" * 64, "this", "engine 1")[0] is None


def test_one_whose_file_is_gone_is_told(kept: Encodings, stored: Encoding) -> None:
    assert stored.sha256
    kept.blob(stored.sha256).unlink()
    assert kept.for_host("a" * 64, "this", "engine 1") == (
        None,
        "the bf16 encoding made for this machine is gone: the original was used",
    )


def test_removing(kept: Encodings, stored: Encoding) -> None:
    there = store(kept, b"for there", machine="that")
    other = store(kept, b"of another", original=OTHER)
    assert stored.sha256
    with locks_on(kept.blob(stored.sha256)), pytest.raises(ModelInUse, match="bf16 encoding of 'small' is in use"):
        kept.remove("a" * 64)
    assert len(kept.records()) == 3, "all or nothing"
    with locks_on(kept.blob(stored.sha256)):
        assert kept.remove("a" * 64, force=True) == (2, len(BODY) + len(b"for there"))
    assert kept.records() == [other] and there.sha256 not in names(kept, "blobs")


def test_only_digests_become_paths(kept: Encodings) -> None:
    with pytest.raises(ModelInvalid):
        kept.blob("../../etc/passwd")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputInvalid, match="cannot be written"), Encodings(tmp_path / "file" / "x").making():
        pass


def test_the_machine_is_its_processor_and_the_engine_its_version() -> None:
    plain, wide = (
        Machine("linux", "x86_64", cpu="A", cores=2),
        Machine("linux", "x86_64", cpu="A", cores=2, features=("avx2",)),
    )
    assert encodings.host(plain) != encodings.host(wide) and "avx2" in encodings.host(wide)
    assert encodings.engine().startswith("llama-cpp-python ")


def test_encodings_are_listed_below_their_model_and_elsewhere_without_one(
    home: Path, gguf_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    from linnet.hardware import probe
    from linnet.models.pull import pull

    (tmp_path / "mine.gguf").write_bytes(gguf_bytes())
    record = pull(str(tmp_path / "mine.gguf")).record
    assert record
    kept = Encodings()
    here = {"machine": encodings.host(probe.probe()), "engine": encodings.engine()}
    store(kept, b"one", original=record.sha256, name="mine", **here)
    store(kept, b"two", original=record.sha256, name="mine", machine="that")
    store(kept, b"of a file by path", original=OTHER, name="elsewhere")
    kept.publish(made_of("c" * 64))  # the original was best: there is nothing to list
    found = inventory.inventory()
    (mine,) = [model for model in found if model.name == "mine"]
    assert sorted((one.type, one.size, one.here) for one in mine.encodings) == [
        ("bf16", 23, False),
        ("bf16", 23, True),
    ]
    assert [one.name for one in inventory.strays(found)] == ["elsewhere"]


# --- mixes ---------------------------------------------------------------------------------------


def test_seconds_of_a_mix() -> None:
    assert mix("agent").seconds(100.0, 12.0) == pytest.approx(3.0 + 2.0)
    assert mix("300:24:4").seconds(100.0, 48.0) == pytest.approx(4 * (3.0 + 0.5)), "streams share the machine"
    assert str(mix("agent")) == "agent: 300 prompt tokens, 24 decoded"


def test_mixes_up_to_the_limit_and_one_past_it() -> None:
    most, streams = LIMITS.mix_tokens, LIMITS.sequences
    found = mix(f"{most}:{most}:{streams}")
    assert (found.prompt, found.decoded, found.streams) == (most, most, streams)
    for text in (
        f"{most + 1}:1",
        f"1:{most + 1}",
        f"1:1:{streams + 1}",
        "0:1",
        "1:0",
        "1:1:0",
        "1",
        "a:b",
        "",
        "-1:2",
    ):
        with pytest.raises(InputInvalid):
            mix(text)


def test_a_file_that_is_published_may_be_opened_as_a_model(kept: Encodings, gguf_bytes: Callable[..., bytes]) -> None:
    found = store(kept, gguf_bytes())
    assert found.sha256
    with gguf.open_model(kept.blob(found.sha256)) as file:
        assert gguf.read_header(file.fileno()).architecture == "llama"
