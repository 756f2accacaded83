"""An engine that does what a hostile model file could make it do, inside a real worker, as its caller starts one."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import OutOfMemory
from linnet.hardware.footprint import Footprint
from linnet.limits import MIB, Sandbox
from linnet.messages import Message
from linnet.protocol import Load
from linnet.requests import Generate, Segment, complete
from linnet.runtime import sandbox
from linnet.runtime.local import LocalModel, open_local
from linnet.runtime.supervisor import Supervisor
from linnet.script import Deed, Script

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the lock-down is Linux's")

SECRET = "s3cret-of-the-caller"

HOSTILE = """
import ctypes, errno, json, os, socket, sys
canary, listener, port, caller = {arguments!r}
libc = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
home = os.path.dirname(canary)

def c(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

def outcome(attempt):
    try:
        return repr(attempt() or "done")
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))

def program(name):  # a program in memory, as if it had come with the model file
    place = ctypes.CFUNCTYPE(ctypes.c_int)
    descriptor = os.memfd_create(name)
    os.write(descriptor, b"#!/bin/sh")
    os.execve(descriptor, [name], {{}})

def bomb():  # of a bounded size: should it go off, the machine must survive it
    for _ in range(5):
        os.fork()

attempts = {{
    "open": lambda: open(canary).read(),
    "open below a descriptor": lambda: os.open("canary", os.O_RDONLY, dir_fd=3),
    "list": lambda: os.listdir(home),
    "write": lambda: open(canary, "w").close(),
    "make": lambda: open(home + "/new", "w").close(),
    "make in /tmp": lambda: open("/tmp/linnet-canary", "w").close(),
    "make in shared memory": lambda: open("/dev/shm/linnet-canary", "w").close(),
    "remove": lambda: os.unlink(canary),
    "rename": lambda: os.rename(canary, home + "/other"),
    "link": lambda: os.link(canary, home + "/linked"),
    "symlink": lambda: os.symlink(canary, home + "/linked"),
    "chmod": lambda: os.chmod(canary, 0o777),
    "chown": lambda: os.chown(canary, os.getuid(), os.getgid()),
    "utime": lambda: os.utime(canary, (0, 0)),
    "setxattr": lambda: os.setxattr(canary, "user.x", b"x"),
    "truncate": lambda: os.truncate(canary, 0),
    "own environment": lambda: open("/proc/self/environ").read(),
    "caller's environment": lambda: open(f"/proc/{{caller}}/environ").read(),
    "caller's memory": lambda: open(f"/proc/{{caller}}/mem", "rb").close(),
    "caller's maps": lambda: open(f"/proc/{{caller}}/maps").read(),
    "caller's descriptors": lambda: os.listdir(f"/proc/{{caller}}/fd"),
    "caller's command": lambda: open(f"/proc/{{caller}}/cmdline").read(),
    "processes": lambda: os.listdir("/proc"),
    "trace": lambda: c("ptrace", 16, caller, None, None),
    "read memory": lambda: c("process_vm_readv", caller, None, 0, None, 0, 0),
    "write memory": lambda: c("process_vm_writev", caller, None, 0, None, 0, 0),
    "take a descriptor": lambda: os.pidfd_open(caller),
    "kill the caller": lambda: os.kill(caller, 9),
    "signal the caller": lambda: os.kill(caller, 18),
    "kill the group": lambda: os.kill(0, 0),
    "kill everybody": lambda: os.kill(-1, 0),
    "limit the caller": lambda: c("syscall", 302 if x86 else 261, caller, 7, None, None),
    "outlive the caller": lambda: c("prctl", 1, 0, 0, 0, 0),
    "tcp": lambda: socket.create_connection(("127.0.0.1", port)),
    "tcp6": lambda: socket.socket(socket.AF_INET6),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    "unix": lambda: socket.socket(socket.AF_UNIX).connect(listener),
    "abstract": lambda: socket.socket(socket.AF_UNIX).bind(chr(0) + "linnet"),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM),
    "datagram pair": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "exec from memory": lambda: program("hostile"),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {{}}),
    "fork bomb": bomb,
    "vfork": lambda: c("syscall", 58 if x86 else 220, 17, 0, 0, 0, 0),
    "clone3": lambda: c("syscall", 435, None, 0),
    "mount": lambda: c("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "chroot": lambda: os.chroot("/"),
    "unshare": lambda: c("unshare", 0x10000000),
    "io_uring": lambda: c("syscall", 425, 1, None),
    "bpf": lambda: c("syscall", 321 if x86 else 280, 0, 0, 0),
    "userfaultfd": lambda: c("syscall", 323 if x86 else 282, 0),
    "keyctl": lambda: c("syscall", 250 if x86 else 219, 0, -3, 1),
    "shared memory": lambda: c("shmget", 1, 4096, 0o1600),
    "inotify": lambda: c("syscall", 254 if x86 else 27, 0, b"/", 2),
    "new call": lambda: c("syscall", 463, 0, 0, 0),
    "much memory": lambda: bytearray(1 << 30),
}}
if not x86:
    del attempts["vfork"]

def tried(attempt):
    try:
        return outcome(attempt)
    except MemoryError:
        return "ENOMEM"

report = {{name: tried(attempt) for name, attempt in attempts.items()}}
report["stat"] = outcome(lambda: os.stat(canary).st_size)
report["environment"] = sorted(os.environ)
report["descriptors"] = [n for n in range(3, 512) if outcome(lambda: os.fstat(n)) != "EBADF"]
report["secret"] = any({secret!r} in str(value) for value in os.environ.values())
say(json.dumps(report))
"""

NOT_COVERED = {"stat"}
"""Listed as such in the docstring of linnet.worker.lockdown: names and metadata."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, ...]]:
    """A canary file, two listeners and a secret, which are looked at again when the test has ended."""
    monkeypatch.setenv("LINNET_TEST_SECRET", SECRET)
    canary = tmp_path / "canary"
    canary.write_text("alive")
    before = canary.stat()
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        yield str(canary), str(tmp_path / "s"), tcp.getsockname()[1], os.getpid()
        for listener in (tcp, unix):
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
    after = canary.stat()
    assert canary.read_text() == "alive"
    assert (after.st_mode, after.st_mtime_ns, after.st_nlink) == (before.st_mode, before.st_mtime_ns, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary", "s"]
    assert not Path("/tmp/linnet-canary").exists()
    assert os.environ["LINNET_TEST_SECRET"] == SECRET


def does(code: str, confined: Sandbox) -> str:
    """What the engine says after it has run this, in a worker of its own that must survive it."""
    engine = Supervisor(Load(script=Script((Deed(code),)), sandbox=confined))
    try:
        done = complete(engine, Generate((Segment("do", True),), max_tokens=1 << 16))
        assert done.degraded == (), "it died of it"
        assert engine.ready is not None and engine.ready.missing == ()
        return done.text
    finally:
        engine.close()


def test_a_hostile_engine_gets_nothing(world: tuple[Any, ...]) -> None:
    code = HOSTILE.format(arguments=world, secret=SECRET)
    report = json.loads(does(code, sandbox.for_model(512 * MIB, required=True)))
    inherited = report.pop("descriptors")
    assert len(inherited) == 1, "the pipe alone"
    assert "LC_ALL" in (environment := report.pop("environment"))
    assert len(environment) == 5
    assert report.pop("secret") is False
    refused = {"EPERM", "EACCES", "ENOSYS", "EBADF", "ENOTDIR", "ENOMEM"}
    assert {name for name, said in report.items() if said not in refused} == NOT_COVERED


def test_the_limit_follows_the_prediction() -> None:
    parts = {"process": 55, "tables": 7, "copied": 100, "cache": 50, "states": 1, "compute": 30, "logits": 10}
    parts |= {"scoring": 20, "parked": 8}
    predicted = Footprint(weights=1_000, idle=5, **parts)
    private = sum(parts.values())
    assert sandbox.memory_of(predicted, threads=2) == private * 3 // 2 + 288 * MIB
    confined = sandbox.for_model(100 * MIB)
    assert sandbox.with_more(confined, 3 * MIB).memory == 106 * MIB
    assert sandbox.with_more(sandbox.for_model(), 3).memory == 0, "no limit stays none"


def test_what_is_missing_is_a_note() -> None:
    assert sandbox.note(()) == ()
    assert sandbox.note(("files", "memory", "files")) == (
        "the sandbox was incomplete: files, memory could not be enforced",
    )


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("True", True), ("0", False), ("", False)])
def test_the_environment_can_demand_it(value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_demanded", False)
    monkeypatch.setenv(sandbox.DEMAND, value)
    assert sandbox.for_model().required is wanted
    assert sandbox.for_rendering().required is wanted
    assert sandbox.for_encoding(1, 1).required is wanted
    assert sandbox.for_comparing().required is wanted
    assert sandbox.for_page(1).required is wanted
    monkeypatch.setenv(sandbox.DEMAND, "0")
    sandbox.demand()
    assert sandbox.for_model().required


# --- a real model --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    with closing(open_local(encoding="original", context=512)) as opened:
        yield opened


HELLO = Generate((Message("user", "Hello"),), max_tokens=2)


def test_a_worker_that_ran_with_less_says_so_in_each_result(model: LocalModel) -> None:
    supervisor = model.supervisor
    assert supervisor._load.sandbox.memory > 256 * MIB, "a limit is the default"
    whole = complete(model, HELLO)
    assert whole.degraded == model.notes == ()
    assert supervisor.ready is not None and "memory" in supervisor.ready.sandbox
    supervisor._ready = replace(supervisor.ready, missing=("files", "network"))
    told = "the sandbox was incomplete: files, network could not be enforced"
    assert complete(model, HELLO).degraded == model.notes == (told,)


def test_out_of_memory_is_a_typed_error_and_the_worker_s_alone(model: LocalModel) -> None:
    supervisor = model.supervisor
    before = supervisor._load
    supervisor.close()
    supervisor._load = replace(before, sandbox=replace(before.sandbox, memory=MIB))
    with pytest.raises(OutOfMemory):
        complete(model, HELLO)
    supervisor.close()
    supervisor._load = before
    assert complete(model, HELLO).usage.generated_tokens > 0
