"""Small JSON files: replaced whole or not at all, and never a reason to fail."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet import storage

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values)
def test_what_is_written_is_read(value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "made" / "on the way" / "value.json"
    assert storage.write_json(path, value)
    assert storage.read_json(path) == value
    assert [p.name for p in path.parent.iterdir()] == ["value.json"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1', b"\xff\xfe\x00", b"[" * 100_000, b"nonsense"])
def test_a_broken_file_is_not_there(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "value.json"
    path.write_bytes(body)
    assert storage.read_json(path) is None


def test_absent_file_and_folder_in_its_place(tmp_path: Path) -> None:
    assert storage.read_json(tmp_path / "absent" / "value.json") is None
    assert storage.read_json(tmp_path) is None
    assert not storage.write_json(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [object(), float("nan"), {("a",): 1}, b"x"])
def test_a_value_that_is_not_json_leaves_the_old_one(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "value.json"
    assert storage.write_json(path, "old")
    assert not storage.write_json(path, value)
    assert storage.read_json(path) == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["value.json"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not storage.write_json(tmp_path / "file" / "value.json", 1)
    assert not storage.write_json(Path("/dev/null/value.json"), 1)


def test_a_failed_rename_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refuse)
    assert not storage.write_json(tmp_path / "value.json", 1)
    assert list(tmp_path.iterdir()) == []


def test_the_temporary_file_is_synced_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def seen(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        order.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(Path, "replace", renamed)
    assert storage.write_json(tmp_path / "value.json", 1)
    assert order == ["file", "rename", "folder"]


WRITER = """
import sys
from pathlib import Path
from linnet.storage import write_json
for _ in range(40):
    assert write_json(Path(sys.argv[1]), [int(sys.argv[2])] * 2_000)
"""


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    storage.write_json(path, [0] * 2_000)
    writers = [subprocess.Popen([sys.executable, "-P", "-c", WRITER, path, mark]) for mark in ("1", "2")]
    while any(writer.poll() is None for writer in writers):
        seen = json.loads(path.read_bytes())
        assert len(seen) == 2_000
        assert len(set(seen)) == 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["value.json"]


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"LINNET_CACHE": "/own", "XDG_CACHE_HOME": "/shared", "HOME": "/home"}, "/own"),
        ({"XDG_CACHE_HOME": "/shared", "HOME": "/home"}, "/shared/linnet"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home"}, "/home/.cache/linnet"),
        ({"LINNET_CACHE": "", "HOME": "/home"}, "/home/.cache/linnet"),
    ],
)
def test_cache_folder(environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert storage.cache_folder() == Path(folder)


def test_an_account_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("LINNET_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert not storage.write_json(storage.cache_folder() / "value.json", 1)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"LINNET_MODELS": "/own", "XDG_DATA_HOME": "/shared", "HOME": "/home"}, "/own"),
        ({"XDG_DATA_HOME": "/shared", "HOME": "/home"}, "/shared/linnet/models"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/home"}, "/home/.local/share/linnet/models"),
        ({"LINNET_MODELS": "", "HOME": "/home"}, "/home/.local/share/linnet/models"),
    ],
)
def test_models_folder(environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINNET_MODELS", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert storage.models_folder() == Path(folder)


def test_what_must_not_be_lost_is_written_or_an_error(tmp_path: Path) -> None:
    storage.write_whole(tmp_path / "made" / "file", b"body")
    assert (tmp_path / "made" / "file").read_bytes() == b"body"
    with pytest.raises(OSError):
        storage.write_whole(tmp_path / "made" / "file" / "below", b"body")


def test_where_data_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINNET_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert storage.data_folder() == tmp_path / "linnet" == storage.models_folder().parent
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert storage.data_folder() == tmp_path / ".local" / "share" / "linnet"
