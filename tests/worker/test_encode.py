"""The child with one job, from outside: what it may touch while it works, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.channel import Channel
from linnet.errors import InputInvalid, ModelInvalid, OutOfMemory, StorageFull
from linnet.hardware.probe import landlock_abi
from linnet.limits import MIB, Sandbox
from linnet.protocol import Compare, Encode, Failed, Load, Recoded, Record, Stop

WRITER = Path(__file__).parents[1] / "models" / "gguf_writer.py"


def small_model() -> bytes:
    spec = importlib.util.spec_from_file_location("gguf_writer_of_encode", WRITER)
    assert spec and spec.loader
    writer = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = writer
    spec.loader.exec_module(writer)
    return bytes(writer.small().write())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").write_bytes(small_model())
    (tmp_path / "sibling").write_text("alive")
    return tmp_path


class Files:
    def __init__(self, folder: Path) -> None:
        self.source = os.open(folder / "source", os.O_RDONLY)
        self.target = os.open(folder / "target", os.O_RDWR | os.O_CREAT)


@pytest.fixture
def files(folder: Path) -> Iterator[Files]:
    opened = Files(folder)
    yield opened
    os.close(opened.source)
    os.close(opened.target)


RUN = "import sys\nfrom linnet.worker import encode\nsys.exit(encode.main())"


def answers(job: Record, fds: tuple[int, ...], code: str = RUN) -> tuple[list[Record], int]:
    """All that a child says to a job, and its exit status."""
    ours, theirs = socket.socketpair()
    environment = {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-P", "-c", code, str(theirs.fileno()), str(os.getpid())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno(), *fds], env=environment, cwd="/")
    theirs.close()
    channel = Channel(ours, child=False)
    try:
        channel.send(job)
        found = list(iter(channel.receive, None))
        return found, process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
        channel.close()


def encoding(files: Files, **given: Any) -> Encode:
    sandbox = Sandbox(**{"file_bytes": 4 * MIB, "memory": 512 * MIB, **given.pop("sandbox", {})})
    return Encode(
        **{"source_fd": files.source, "target_fd": files.target, "kind": "q8_0", "sandbox": sandbox, **given}
    )


def error_of(found: list[Record]) -> Exception:
    (failure,) = found
    assert isinstance(failure, Failed), failure
    return failure.error()


def test_it_does_its_job_and_leaves(files: Files) -> None:
    (done,), status = answers(encoding(files), (files.source, files.target))
    assert isinstance(done, Recoded) and done.seconds > 0 and status == 0
    assert done.missing == () or landlock_abi() < 3
    assert os.pread(files.target, 4, 0) == b"GGUF"


PROBE = """
import errno, json, os, socket, sys
from linnet.worker import encode, llama

folder = {folder!r}

def outcome(attempt):
    try:
        return attempt() and "done"
    except OSError as error:
        return errno.errorcode[error.errno]

def probe(source, target, kind, threads, rows_bytes):
    "Where llama.cpp would be at work: everything that its code could try."
    opened = lambda path, flags=os.O_RDONLY: os.open(path, flags) and True
    tries = {{
        "source": lambda: opened(f"/proc/self/fd/{{source}}"),
        "target": lambda: opened(f"/proc/self/fd/{{target}}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        "source, to write": lambda: opened(f"/proc/self/fd/{{source}}", os.O_RDWR),
        "sibling": lambda: opened(folder + "/sibling"),
        "new": lambda: opened(folder + "/new", os.O_WRONLY | os.O_CREAT),
        "passwd": lambda: opened("/etc/passwd"),
        "environment": lambda: opened("/proc/self/environ"),
        "parent": lambda: opened(f"/proc/{{os.getppid()}}/environ"),
        "list": lambda: os.listdir(folder),
        "remove": lambda: os.unlink(folder + "/sibling") is None,
        "network": lambda: socket.socket(),
        "program": lambda: os.execv("/bin/true", ["true"]),
        "fork": lambda: os.fork() >= 0,
        "signal": lambda: os.kill(os.getppid(), 0) is None,
        "growth": lambda: os.pwrite(target, b"x", {bound}),
    }}
    os.write(target, json.dumps({{name: outcome(attempt) for name, attempt in tries.items()}}).encode())

llama.quantise = probe
sys.exit(encode.main())
"""


@pytest.mark.skipif(landlock_abi() < 3, reason="Landlock that knows truncate tells files apart")
def test_native_code_at_work_reaches_its_two_files_and_nothing_else(folder: Path, files: Files) -> None:
    job = encoding(files, sandbox={"file_bytes": 10_000, "required": True})
    probe = PROBE.format(folder=str(folder), bound=10_000)
    (done,), status = answers(job, (files.source, files.target), probe)
    assert isinstance(done, Recoded) and done.missing == () and status == 0
    found = json.loads(os.pread(files.target, 10_000, 0))
    assert found.pop("source") == found.pop("target") == "done"
    assert found.pop("growth") == "EFBIG"
    assert set(found.values()) <= {"EPERM", "EACCES"}, found
    assert sorted(path.name for path in folder.iterdir()) == ["sibling", "source", "target"]


def test_a_disk_that_is_full_has_a_name(files: Files) -> None:
    """A bound on the file's size stands for the disk: native code sees a write that fails in both cases."""
    size = os.fstat(files.source).st_size
    found, status = answers(encoding(files, sandbox={"file_bytes": size // 8}), (files.source, files.target))
    error = error_of(found)
    assert isinstance(error, StorageFull) and "File too large" in error.message and status == 1
    assert os.fstat(files.target).st_size <= size // 8


def test_what_llama_refuses_is_no_full_disk(folder: Path) -> None:
    whole = (folder / "source").read_bytes()
    (folder / "source").write_bytes(whole[: len(whole) // 2])
    files = Files(folder)
    found, _ = answers(encoding(files), (files.source, files.target))
    error = error_of(found)
    assert isinstance(error, ModelInvalid) and not isinstance(error, StorageFull)
    assert "q8_0" in error.message and len(error.message) > 60, "with llama.cpp's own words"


@pytest.mark.parametrize("threads", [1, 8])
def test_memory_is_bounded(files: Files, model_path: Path, threads: int) -> None:
    """For the rows of a tensor, and for the stacks of threads: llama.cpp says either in its own words."""
    source = os.open(model_path, os.O_RDONLY)
    sandbox = {"memory": 16 * MIB, "file_bytes": 256 * MIB}
    job = encoding(files, source_fd=source, threads=threads, sandbox=sandbox)
    found, _ = answers(job, (source, files.target))
    os.close(source)
    assert isinstance(error_of(found), OutOfMemory)


def test_a_file_that_cannot_be_opened_again_has_a_reason(folder: Path) -> None:
    """Without capabilities root obeys modes as well, and others always do."""
    files = Files(folder)
    os.fchmod(files.source, 0)
    if os.geteuid() == 0:
        os.fchown(files.source, 65534, 65534)
    found, _ = answers(encoding(files), (files.source, files.target))
    error = error_of(found)
    assert isinstance(error, InputInvalid) and "Permission denied" in error.message


@pytest.mark.parametrize("first", [Stop(), Load()], ids=["stop", "load"])
def test_no_other_job_is_taken(first: Record) -> None:
    assert answers(first, ()) == ([], 2)


def test_a_pipe_that_ends_ends_it() -> None:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-c", RUN, str(theirs.fileno()), str(os.getpid())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    ours.close()
    assert process.wait(timeout=60) == 0


def test_comparing_opens_no_file_at_all(folder: Path, files: Files) -> None:
    """The reference is written through its descriptor."""
    probe = textwrap.dedent("""
        import os, sys
        from linnet.worker import compare, encode
        windows_of = compare.windows_of
        def probe(texts, model):
            for path in ("/etc/passwd", f"/proc/self/fd/{3}", "/proc/self/environ"):
                try:
                    os.open(path, os.O_RDONLY)
                    os._exit(99)
                except PermissionError:
                    pass
            return windows_of(texts, model)
        compare.windows_of = probe
        sys.exit(encode.main())
    """)
    sandbox = Sandbox(file_bytes=MIB, required=landlock_abi() >= 3)
    load = Load(model_fd=files.source, context=128, sequences=2, sandbox=sandbox)
    job = Compare(load, ("some words to begin with",), files.target, True)
    found, status = answers(job, (files.source, files.target), probe)
    assert status == 0 and found[-1].record == "compared"
    assert os.fstat(files.target).st_size > 0
