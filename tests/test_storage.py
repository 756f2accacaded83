"""Small JSON files: replaced whole or not at all, and never a reason to fail."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import linnet
from linnet import storage
from linnet.agent.memory import Memory

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


# --- every write there is ------------------------------------------------------------------------

WRITERS = {
    "agent/runs.py": "an empty file that is locked while a run is under way",
    "interfaces/mcp/server.py": "standard output, by its descriptor",
    "storage.py": "is how files are replaced whole",
    "log.py": "appends whole lines, and cuts off half of one",
    "runtime/snapshots.py": "computed prefixes: a temporary file, synced, renamed; believed only with their digest",
    "agent/database.py": "makes the empty file with its permissions; SQLite in WAL mode does the rest",
    "agent/batch/ledger.py": "appends whole lines, synced, and cuts off half of one",
    "models/part.py": "what a download grows in, which is visible to nobody before its digest is right",
    "models/locks.py": "locks hold nothing but a process id",
    "models/encodings.py": "an encoding in the making, which gets its name once it is synced and recorded",
    "interfaces/cli/eval/common.py": "rows of an evaluation, where its user asked for them, line by line",
    "evals/lab/journal.py": "appends whole lines, synced, and cuts off half of one",
    "interfaces/cli/prompt.py": "a case file to begin with, which is its user's from then on",
    "evals/fitting/remember.py": "answers that a fitting remembers, line by line; a torn one is passed over",
    "interfaces/cli/chat/remembered.py": "appends whole lines of what was typed; a torn one is passed over",
    "interfaces/cli/main.py": "opens the null device",
    "runtime/encoder.py": "makes sure that the caller's file, empty so far, can be written, and hands it over",
    "agent/tools/writing.py": "a user's files: a new one is made beside the old one, and renamed",
    "agent/tools/mcp.py": "gives a server's standard error somewhere to go",
    "worker/confine.py": "writes to the kernel's files in /proc",
    "worker/encode.py": "fills the file that it was handed, which its caller names when it is whole",
}
"""Modules that write to files themselves, and why what is visible of them is whole (P10)."""

_WRITES = re.compile(
    r"write_text\(|write_bytes\(|mkstemp\(|NamedTemporaryFile\(|O_CREAT|O_WRONLY|O_RDWR"
    r"|open\([^)]*[\"'](?:[wax]b?\+?|r\+b?|rb\+)[\"']"
)


def test_every_module_that_writes_is_listed_with_a_reason() -> None:
    root = Path(linnet.__file__).parent
    found = {p.relative_to(root).as_posix() for p in root.rglob("*.py") if _WRITES.search(p.read_text())}
    assert found - {"agent/tools/files.py", "agent/tools/root.py"} == set(WRITERS)


def test_a_disk_that_is_full_leaves_the_old_value_and_a_typed_error(tmp_path: Path) -> None:
    """By the limit of a process on the size of its files: small files stay as they were, a store says that it is
    full, and both are whole afterwards."""
    program = """
import resource, signal, sys
from pathlib import Path
import linnet
from linnet import storage
from linnet.agent.memory import Memory
from linnet.agent.memory import Memory
from linnet.errors import StoreOverfull, StoreUnavailable
folder = Path(sys.argv[1])
memory = Memory(folder / "m.db")
memory.add("the first fact")
assert storage.write_json(folder / "v.json", "old")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
assert not storage.write_json(folder / "v.json", "x" * 200_000)
try:
    for i in range(1_000):
        memory.add(f"fact {i} " + "x" * 900)
except (StoreOverfull, StoreUnavailable) as error:
    print(error.code, i)
"""
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[0] in ("store_overfull", "store_unavailable"), ran.stdout
    assert storage.read_json(tmp_path / "v.json") == "old"
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("m.db")) == ["v.json"]
    memory = Memory(tmp_path / "m.db")
    facts = [fact.text for fact in memory.facts()]
    memory.close()
    assert facts[0] == "the first fact" and len(facts) == 1 + int(ran.stdout.split()[1])
