"""The layout on the disk: what is visible is right, whatever else lies there; what is in use stays."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.errors import InputInvalid, ModelInUse, ModelInvalid, PullFailed
from linnet.models import locks
from linnet.models.naming import OnHub
from linnet.models.shelf import Record, Shelf

COMMIT = "c" * 40


@pytest.fixture
def shelf(home: Path) -> Shelf:
    shelf = Shelf()
    shelf.prepare()
    return shelf


def record(body: bytes = b"weights", name: str = "m", **values: object) -> Record:
    given = {"source": f"hf:o/r@{COMMIT}:m.gguf", "repo": "o/r", "file": "m-Q4_0.gguf", "revision": "main"}
    return Record(name, hashlib.sha256(body).hexdigest(), len(body), **{**given, "commit": COMMIT, **values})  # type: ignore[arg-type]


@pytest.fixture
def put(shelf: Shelf):
    def put(body: bytes = b"weights", name: str = "m", **values: object) -> Record:
        made = record(body, name, **values)
        shelf.begin(made)
        shelf.part(made.sha256).write_bytes(body)
        return shelf.publish(made)

    return put


def test_an_empty_store(home: Path) -> None:
    shelf = Shelf()
    assert (shelf.records(), shelf.incomplete(), shelf.find("m"), shelf.match(OnHub("o/r"))) == ([], [], None, None)
    assert not home.exists()


def test_what_is_published_is_found_and_nothing_else_is_left(shelf: Shelf, put, home: Path) -> None:
    made = put()
    assert shelf.records() == [made] == [shelf.find("m")] and made.stored > 0
    assert shelf.blob(made.sha256).read_bytes() == b"weights"
    assert shelf.blob(made.sha256).stat().st_mode & 0o777 == 0o444
    files = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert files == {"names/m.json", f"blobs/{made.sha256}.gguf"}


def test_a_new_one_takes_the_place_of_none(shelf: Shelf, put, tmp_path: Path) -> None:
    there, other = put(name="mine"), record(b"other", "mine")
    (tmp_path / "made").write_bytes(b"other")
    with pytest.raises(InputInvalid, match="belongs to another model") as told:
        shelf.publish(other, tmp_path / "made", new=True)
    assert told.value.details["name"] == "mine"
    assert shelf.records() == [there] and (tmp_path / "made").exists()
    assert not shelf.blob(other.sha256).exists()
    assert shelf.publish(other, tmp_path / "made").sha256 == other.sha256, "an update does"


def test_the_order_of_writes(shelf: Shelf, put, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Bytes are on the disk before they get a name, the name before the record, the record before it counts."""
    order: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def synced(fd: int) -> None:
        place = Path(f"/proc/self/fd/{fd}").readlink()
        order.append(f"sync {'temporary' if place.name.startswith('.') else place.suffix or place.name}")
        fsync(fd)

    def renamed(self: Path, target: Path) -> Path:
        order.append(f"rename to {target.suffix}")
        return rename(self, target)

    made = record()
    shelf.part(made.sha256).write_bytes(b"weights")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    shelf.publish(made)
    writes = ["sync .part", "rename to .gguf", "sync blobs", "sync temporary", "rename to .json", "sync names"]
    assert order == [*writes, "sync partial"]


def test_what_is_half_here_is_listed_as_such_and_not_found(shelf: Shelf) -> None:
    made = record()
    shelf.begin(made)
    shelf.part(made.sha256).write_bytes(b"wei")
    assert shelf.find("m") is None and shelf.records() == []
    (found,) = shelf.incomplete()
    assert (found.record, found.have, found.owner) == (made, 3, None)
    with locks.exclusive(shelf.lock(made.sha256)):
        assert shelf.incomplete()[0].owner == os.getpid()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b"[" * 70_000, b'{"name": "m"}', b'{"name": "other", "sha256": "x", "size": 1}'],
)
def test_a_broken_record_is_not_there(shelf: Shelf, put, home: Path, body: bytes) -> None:
    put()
    (home / "names" / "m.json").write_bytes(body)
    assert shelf.records() == [] and shelf.find("m") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", "../../../etc/passwd"),
        ("sha256", "A" * 64),
        ("name", "../m"),
        ("size", 0),
        ("size", "7"),
        ("odd", 1),
    ],
)
def test_a_record_that_lies_is_not_there(shelf: Shelf, put, home: Path, key: str, value: object) -> None:
    put()
    path = home / "names" / "m.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    assert shelf.records() == []


def test_a_record_under_another_name_is_not_there(shelf: Shelf, put, home: Path) -> None:
    put()
    (home / "names" / "m.json").rename(home / "names" / "n.json")
    assert shelf.records() == [] and shelf.find("n") is None


def test_a_record_without_its_file_is_not_there(shelf: Shelf, put) -> None:
    shelf.blob(put().sha256).unlink()
    assert shelf.records() == [] and shelf.find("m") is None and shelf.match(OnHub("o/r")) is None


@pytest.mark.parametrize("digest", ["", "../" * 22, "a" * 63, "A" * 64, "a" * 64 + "/", f"{'a' * 60}/../"])
def test_a_digest_is_checked_before_it_is_a_path(shelf: Shelf, digest: str) -> None:
    for path in (shelf.blob, shelf.part, shelf.lock):
        with pytest.raises(ModelInvalid, match="not a SHA-256"):
            path(digest)


@pytest.mark.parametrize("name", ["../m", "", "a/b", "M", ".."])
def test_a_name_is_checked_before_it_is_a_path(shelf: Shelf, name: str) -> None:
    assert shelf.find(name) is None
    with pytest.raises(InputInvalid):
        shelf.remove(name)
    with pytest.raises(InputInvalid):
        shelf.publish(replace(record(), name=name))


def test_what_a_reference_means(shelf: Shelf, put) -> None:
    made = put(quantisation="Q4_0")
    yes = [(None, None), ("main", None), (COMMIT, None), (None, "Q4_0"), (None, "m-Q4_0.gguf"), ("main", "Q4_0")]
    assert all(shelf.match(OnHub("o/r", *one)) == made for one in yes)
    assert not any(shelf.match(OnHub("o/r", *one)) for one in [("v1", None), ("d" * 40, None), (None, "Q8_0")])
    assert shelf.match(OnHub("o/other")) is None


def test_two_names_share_the_bytes(shelf: Shelf, put) -> None:
    one = put(name="one")
    shelf.publish(replace(one, name="two"))
    assert [found.name for found in shelf.records()] == ["one", "two"]
    assert shelf.remove("one") == 0 and shelf.blob(one.sha256).exists()
    assert shelf.remove("two") == len(b"weights") and not shelf.blob(one.sha256).exists()


def test_a_further_name_for_what_was_removed_meanwhile(shelf: Shelf, put) -> None:
    made = put()
    shelf.remove("m")
    with pytest.raises(PullFailed, match="removed while"):
        shelf.publish(replace(made, name="n"))
    assert shelf.records() == []


def test_a_new_revision_replaces_the_old_one(shelf: Shelf, put) -> None:
    old, new = put(b"old"), put(b"new")
    assert shelf.records() == [new] and not shelf.blob(old.sha256).exists()


def test_an_old_revision_in_use_stays_until_the_next_change(shelf: Shelf, put) -> None:
    old = put(b"old")
    with shelf.blob(old.sha256).open("rb") as file:
        locks.hold(file.fileno())
        put(b"new")
        assert shelf.blob(old.sha256).exists()
    put(b"else", name="n")
    assert not shelf.blob(old.sha256).exists() and len(shelf.records()) == 2


def test_what_is_in_use_is_removed_by_force_only(shelf: Shelf, put) -> None:
    made = put()
    with shelf.blob(made.sha256).open("rb") as file:
        locks.hold(file.fileno())
        with pytest.raises(ModelInUse, match=f"in use by process {os.getpid()}") as caught:
            shelf.remove("m")
        assert "--force" in caught.value.hint and shelf.find("m") == made
        assert shelf.remove("m", force=True) == 7 and shelf.find("m") is None
        assert file.read() == b"weights", "who has it open keeps it"


def test_removing_what_is_half_here(shelf: Shelf) -> None:
    made = record()
    shelf.begin(made)
    shelf.part(made.sha256).write_bytes(b"wei")
    with locks.exclusive(shelf.lock(made.sha256)), pytest.raises(ModelInUse, match="being fetched by process"):
        shelf.remove("m", force=True)
    assert shelf.remove("m") == 3 and shelf.incomplete() == []
    assert list((shelf.root / "partial").iterdir()) == []


def test_removing_what_is_not_there(shelf: Shelf, put) -> None:
    put()
    with pytest.raises(InputInvalid, match="no stored model is called 'n'") as caught:
        shelf.remove("n")
    assert "Stored are: m." in caught.value.hint


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputInvalid, match="cannot be written") as caught:
        Shelf(tmp_path / "file").prepare()
    assert "LINNET_MODELS" in caught.value.hint


def test_links_in_the_place_of_a_record_or_other_files_do_no_harm(shelf: Shelf, put, home: Path) -> None:
    put()
    (home / "names" / "dir.json").mkdir()
    (home / "names" / "loop.json").symlink_to("loop.json")
    (home / "blobs" / "mine.gguf").write_bytes(b"x")
    put(b"else", name="n")
    assert [found.name for found in shelf.records()] == ["m", "n"]
    assert (home / "blobs" / "mine.gguf").exists(), "what is not ours is not swept"


def test_a_record_from_before_there_were_adapters_is_one_of_a_model(shelf: Shelf, put, home: Path) -> None:
    made = put()
    path = home / "names" / "m.json"
    old = json.loads(path.read_text())
    assert old.pop("kind") == "model"
    path.write_text(json.dumps(old))
    assert shelf.records() == [made]


def test_an_adapter_keeps_its_kind(shelf: Shelf, put, home: Path) -> None:
    assert put(kind="adapter", architecture="llama").kind == "adapter"
    assert [(record.kind, record.architecture) for record in shelf.records()] == [("adapter", "llama")]
    path = home / "names" / "m.json"
    path.write_text(path.read_text().replace('"adapter"', '"other"'))
    assert shelf.records() == []
