"""The lock-down, tried from inside real children: what must fail fails, and what the engine needs works."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.errors import SandboxUnavailable
from linnet.hardware.probe import landlock_abi
from linnet.limits import MIB, Sandbox
from linnet.program import Launch
from linnet.worker import confine, lockdown, seccomp
from linnet.worker.seccomp import NOTHING, Opened

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the lock-down is Linux's, and seccomp has tables for two architectures",
)

PREAMBLE = """
import ctypes, errno, json, mmap, os, signal, socket, sys, threading
from linnet.errors import SandboxUnavailable
from linnet.limits import Sandbox
from linnet.worker import lockdown, seccomp

libc = ctypes.CDLL(None, use_errno=True)

def c(name, *arguments):
    "Call the C library; raises OSError for -1."
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

def outcome(attempt):
    "The name of the error number, or what was returned."
    try:
        return attempt() or "done"
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))
"""


def child(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process of its own, as a worker is: one thread, no core file in the way."""
    script = PREAMBLE + textwrap.dedent(code)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False, **options)


def answer(code: str, *arguments: str, **options: Any) -> Any:
    """The JSON that the code prints."""
    done = child(code, *arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


# --- what must fail ------------------------------------------------------------------------------

ATTEMPTS = """
folder, parent, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
file, listener = folder + "/canary", folder + "/socket"
model = os.open(file, os.O_RDONLY)
attempts = {
    "open": lambda: open(file).close(),
    "open /proc": lambda: open("/proc/self/environ").close(),
    "open a descriptor's name": lambda: open(f"/proc/self/fd/{model}").close(),
    "list": lambda: os.listdir(folder),
    "list /proc": lambda: os.listdir("/proc"),
    "write": lambda: open(folder + "/new", "w").close(),
    "append": lambda: open(file, "a").close(),
    "mkdir": lambda: os.mkdir(folder + "/made"),
    "unlink": lambda: os.unlink(file),
    "rename": lambda: os.rename(file, folder + "/other"),
    "link": lambda: os.link(file, folder + "/linked"),
    "symlink": lambda: os.symlink(file, folder + "/linked"),
    "mkfifo": lambda: os.mkfifo(folder + "/fifo"),
    "truncate": lambda: os.truncate(file, 0),
    "chmod": lambda: os.chmod(file, 0o777),
    "fchmod": lambda: os.fchmod(model, 0o777),
    "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
    "utime": lambda: os.utime(file, (0, 0)),
    "futimens": lambda: os.utime(model, (0, 0)),
    "setxattr": lambda: os.setxattr(file, "user.x", b"x"),
    "memfd": lambda: os.memfd_create("x"),
    "chroot": lambda: os.chroot(folder),
    "tcp": lambda: socket.create_connection(("127.0.0.1", port)),
    "tcp6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    "unix": lambda: socket.socket(socket.AF_UNIX).connect(listener),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "datagram pair": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
    "connect inherited": lambda: ready.connect(("127.0.0.1", port)),
    "bind inherited": lambda: ready.bind(("127.0.0.1", 0)),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fexec": lambda: os.execve(model, ["x"], {}),
    "fork": lambda: os.fork(),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "vfork": lambda: __import__("subprocess").run(["/bin/true"]),
    "kill parent": lambda: os.kill(parent, 0),
    "kill all": lambda: os.kill(-1, 0),
    "kill group": lambda: os.kill(0, 0),
    "tgkill parent": lambda: c("syscall", 234 if x86 else 131, parent, parent, 0),
    "tkill parent": lambda: c("syscall", 200 if x86 else 130, parent, 0),
    "pidfd": lambda: os.pidfd_open(parent),
    "ptrace parent": lambda: c("ptrace", 16, parent, None, None),
    "ptrace self": lambda: c("ptrace", 0, 0, None, None),
    "read parent": lambda: c("process_vm_readv", parent, None, 0, None, 0, 0),
    "limit parent": lambda: __import__("resource").prlimit(parent, 7),
    "forget parent": lambda: c("prctl", 1, 0, 0, 0, 0),
    "unshare": lambda: c("unshare", 0x10000000),
    "mount": lambda: c("mount", b"none", folder.encode(), b"tmpfs", 0, None),
    "bpf": lambda: c("syscall", 321 if x86 else 280, 0, 0, 0),
    "perf": lambda: c("syscall", 298 if x86 else 241, 0, 0, -1, -1, 0),
    "io_uring": lambda: c("syscall", 425, 1, None),
    "userfaultfd": lambda: c("syscall", 323 if x86 else 282, 0),
    "keyctl": lambda: c("syscall", 250 if x86 else 219, 0, -3, 1),
    "sigio owner": lambda: __import__("fcntl").fcntl(model, 8, parent),
    "sigio owner by ioctl": lambda: __import__("fcntl").ioctl(ready, 0x8901, parent.to_bytes(4, "little")),
    "sigio group by ioctl": lambda: __import__("fcntl").ioctl(ready, 0x8902, parent.to_bytes(4, "little")),
    "shared memory": lambda: c("shmget", 1, 4096, 0o1600),
    "a known segment": lambda: c("shmctl", none, 2, told),
    "a known queue": lambda: c("msgctl", none, 2, told),
    "send to a known queue": lambda: c("msgsnd", none, letter, 1, 0o4000),
    "read from a known queue": lambda: c("msgrcv", none, told, 8, 0, 0o4000),
    "known semaphores": lambda: c("semctl", none, 0, 11),
    "turn known semaphores": lambda: c("syscall", 65 if x86 else 193, none, turn, 1),
    "turn them in time": lambda: c("semtimedop", none, turn, 1, None),
}
"""

BEFORE = """
import subprocess, fcntl, resource
x86 = os.uname().machine == "x86_64"
ready = socket.socket()
none = 0x7fffffff  # no such segment, queue or set of semaphores: the kernel itself says EINVAL
turn, letter, told = b"\\0\\0\\1\\0\\0\\0", ctypes.create_string_buffer(b"\\1", 32), ctypes.create_string_buffer(256)
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return attempts(tmp_path_factory.mktemp("locked"), "lockdown.apply(Sandbox())")


def attempts(folder: Path, lock: str) -> dict[str, str]:
    """Every attempt against real targets: a canary file, a TCP and a UNIX listener, this process."""
    import socket

    canary = folder / "canary"
    canary.write_text("alive")
    canary.chmod(0o600)
    before = canary.stat()
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder / "socket"))
        unix.listen()
        code = BEFORE + ATTEMPTS + lock + "\nprint(json.dumps({k: outcome(a) for k, a in attempts.items()}))"
        outcomes: dict[str, str] = answer(code, str(folder), str(os.getpid()), str(tcp.getsockname()[1]))
        for listener in (tcp, unix):
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
    after = canary.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_size) == (before.st_mode, before.st_mtime_ns, 5)
    assert sorted(path.name for path in folder.iterdir()) == ["canary", "socket"]
    return outcomes


NAMES = re.findall(r'^    "([^"]+)": lambda', ATTEMPTS, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_refused(refused: dict[str, str], name: str) -> None:
    assert refused[name] in ("EPERM", "EACCES"), f"{name}: {refused[name]}"


def test_attempts_are_real(tmp_path: Path) -> None:
    """Without a lock the same code succeeds where it can, so that the refusals above are the lock's."""
    file = tmp_path / "canary"
    file.write_text("x")
    keep = ["open", "list", "write", "mkdir", "chmod", "utime", "memfd", "tcp6", "datagram pair", "fork"]
    code = BEFORE + ATTEMPTS.replace('"exec"', '"_exec"')
    code += f"""
def quiet(name):
    found = outcome(attempts[name])
    if name == "fork" and os.getpid() != me:
        os._exit(0)
    return str(found)
me = os.getpid()
print(json.dumps({{name: quiet(name) for name in {keep!r}}}))
"""
    outcomes = answer(code, str(tmp_path), str(os.getpid()), "1")
    assert not {"EPERM", "EACCES"} & set(outcomes.values()), outcomes


def test_landlock_holds_files_without_seccomp(tmp_path: Path) -> None:
    if landlock_abi() < 3:
        pytest.skip("this kernel has no Landlock that knows truncate")
    outcomes = attempts_on_files(tmp_path, "lockdown._seccomp = lambda *_: False\n")
    assert outcomes.pop("parts") == [["no_new_privs", "capabilities", "files"], ["network", "processes"]]
    assert set(outcomes.values()) == {"EACCES"}, outcomes


def test_seccomp_holds_without_landlock(tmp_path: Path) -> None:
    outcomes = attempts_on_files(tmp_path, "lockdown._landlock = lambda *_: 0\n")
    assert outcomes.pop("parts")[1] == []
    assert set(outcomes.values()) == {"EPERM"}, outcomes


def attempts_on_files(folder: Path, weaken: str) -> dict[str, Any]:
    (folder / "canary").write_text("alive")
    names = ["open", "list", "write", "mkdir", "unlink", "truncate", "mkfifo", "symlink"]
    code = BEFORE + ATTEMPTS + weaken
    code += "parts = lockdown.apply(Sandbox())\n"
    code += f"print(json.dumps({{'parts': parts, **{{n: outcome(attempts[n]) for n in {names!r}}}}}))"
    found: dict[str, Any] = answer(code, str(folder), str(os.getpid()), "1")
    return found


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86")
def test_other_architectures_are_no_way_round() -> None:
    """x32 numbers are unknown calls; a 32-bit call kills the process."""
    assert (
        answer("lockdown.apply(Sandbox())\nprint(json.dumps(outcome(lambda: c('syscall', 0x40000027))))") == "ENOSYS"
    )
    done = child(
        """
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex("b814000000" "cd80" "c3"))  # mov eax, 20 (getpid); int 0x80; ret
        lockdown.apply(Sandbox())
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        """
    )
    assert done.returncode == -signal.SIGSYS


# --- what must still work ------------------------------------------------------------------------


def test_inherited_descriptors_threads_and_arithmetic_work(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"GGUF" * 4096)
    descriptor = os.open(weights, os.O_RDONLY)
    try:
        found = answer(
            """
            import numpy as np
            model, (ours, theirs) = int(sys.argv[1]), socket.socketpair()
            parts = lockdown.apply(Sandbox(memory=512 << 20))
            file, seen = os.fdopen(model, "rb"), []
            mapped = mmap.mmap(model, 0, prot=mmap.PROT_READ)
            threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(4)]
            [thread.start() for thread in threads], [thread.join() for thread in threads]
            theirs.sendall(b"pipe")
            square = np.arange(90_000.0).reshape(300, 300)
            print(json.dumps({
                "parts": parts, "read": file.read(4).decode(), "mapped": mapped[-4:].decode(),
                "threads": sorted(seen), "matmul": float((square @ np.eye(300) - square).sum()),
                "pipe": ours.recv(4).decode(), "pair": len(socket.socketpair()),
                "affinity": len(os.sched_getaffinity(0)) > 0,
                "self": outcome(lambda: os.kill(os.getpid(), 0)),
            }))
            """,
            str(descriptor),
            pass_fds=[descriptor],
        )
    finally:
        os.close(descriptor)
    everything = ["no_new_privs", "capabilities", "files", "network", "processes", "memory"]
    assert found == {
        "parts": [everything, []],
        "read": "GGUF",
        "mapped": "GGUF",
        "threads": [0, 1, 2, 3],
        "matmul": 0.0,
        "pipe": "pipe",
        "pair": 2,
        "affinity": True,
        "self": "done",
    }


def test_lock_covers_threads_started_later(tmp_path: Path) -> None:
    found = answer(
        """
        lockdown.apply(Sandbox())
        seen = []
        tries = [lambda: open("/etc/passwd"), lambda: socket.socket(), lambda: os.kill(os.getppid(), 0)]
        thread = threading.Thread(target=lambda: seen.extend(map(outcome, tries)))
        thread.start(), thread.join()
        print(json.dumps(seen))
        """
    )
    assert found == ["EPERM", "EPERM", "EPERM"]


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("os.abort()", signal.SIGABRT),
        ("signal.raise_signal(signal.SIGTERM)", signal.SIGTERM),
        ("ctypes.string_at(0)", signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL),
    ],
)
def test_a_locked_child_still_dies_by_its_own_signal(code: str, end: signal.Signals, tmp_path: Path) -> None:
    done = child(f"os.chdir({str(tmp_path)!r})\nlockdown.apply(Sandbox())\n{code}")
    assert done.returncode == -end
    assert list(tmp_path.iterdir()) == [], "a core file was left"


# --- privileges and memory -----------------------------------------------------------------------


def test_no_capability_is_left_in_any_set() -> None:
    status = answer(
        """
        status = open("/proc/self/status")
        lockdown.apply(Sandbox())
        status.seek(0)
        lines = [line.split(":\\t", 1) for line in status.read().splitlines()]
        print(json.dumps(dict(line for line in lines if len(line) == 2)))
        """
    )
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name], 16) == 0, name
    if os.geteuid() == 0:
        assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_an_ordinary_user_is_locked_as_well() -> None:
    """Without the right to shrink the bounding set, which matters to root's programs only."""
    found = answer(
        """
        import resource  # an interpreter in root's home could not be read any more
        if os.geteuid() == 0:
            os.setgroups([]), os.setgid(65534), os.setuid(65534)
        parts = lockdown.apply(Sandbox(memory=256 << 20, required=True))
        tries = [lambda: open("/etc/passwd"), socket.socket, os.fork, lambda: os.kill(os.getppid(), 0)]
        print(json.dumps([parts[1], *map(outcome, tries)]))
        """
    )
    assert found == [[], "EPERM", "EPERM", "EPERM", "EPERM"]


def test_memory_is_bounded_above_what_is_used_already() -> None:
    code = """
        ballast = bytearray(64 << 20)
        lockdown.apply(Sandbox(memory={}))
        def take(size):
            try:
                return len(bytearray(size))
            except MemoryError:
                return "refused"
        print(json.dumps([take(16 << 20), take(96 << 20)]))
    """
    assert answer(code.format(48 * MIB)) == [16 * MIB, "refused"]
    assert answer(code.format(0)) == [16 * MIB, 96 * MIB]


def test_a_file_that_was_handed_over_cannot_be_filled(tmp_path: Path) -> None:
    found = answer(
        """
        file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        lockdown.apply(Sandbox())
        print(json.dumps(outcome(lambda: os.write(file, b"x"))))
        """,
        str(tmp_path / "log"),
    )
    assert found == "EFBIG"


# --- files that may be opened again ---------------------------------------------------------------

AGAIN = """
import fcntl, resource, subprocess
x86 = os.uname().machine == "x86_64"
ready = socket.socket()
folder = sys.argv[1]
port, parent, file, listener = 1, os.getppid(), folder + "/canary", folder + "/socket"
model = source = os.open(folder + "/source", os.O_RDONLY)
target = os.open(folder + "/target", os.O_RDWR | os.O_CREAT)
inherited = os.open(folder + "/inherited", os.O_RDWR | os.O_CREAT)
again = lambda fd, flags=os.O_RDONLY: os.close(os.open(f"/proc/self/fd/{fd}", flags, 0o666))
WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

def fill(size):
    with open(f"/proc/self/fd/{target}", "wb", 0) as again:
        return again.write(bytes(size))

tries = {
    "source": lambda: again(source),
    "source by its name": lambda: os.close(os.open(folder + "/source", os.O_RDONLY)),
    "target": lambda: fill(1000),
    "source for writing": lambda: again(source, WRITING),
    "source emptied": lambda: again(source, os.O_RDONLY | os.O_TRUNC),
    "not listed": lambda: again(inherited),
    "not listed, written": lambda: os.write(inherited, bytes(100_000)) and again(inherited, WRITING),
    "sibling": lambda: open(folder + "/canary").close(),
    "passwd": lambda: open("/etc/passwd").close(),
    "memory": lambda: open("/proc/self/mem", "rb").close(),
    "place": lambda: os.close(os.open("/etc/passwd", os.O_PATH)),
    "unnamed": lambda: os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR)),
    "created": lambda: open(folder + "/new", "w").close(),
    "created in /tmp": lambda: open(f"/tmp/linnet-{os.getpid()}", "w").close(),
    "folder": lambda: os.listdir(folder),
}
show = lambda names: {name: outcome(tries[name]) for name in names}
"""
REFUSED = {"EPERM", "EACCES"}
landlocked = pytest.mark.skipif(landlock_abi() < 3, reason="Landlock that knows truncate tells files apart")


def files_in(folder: Path) -> Path:
    (folder / "canary").write_text("alive")
    (folder / "source").write_text("GGUF")
    return folder


@landlocked
def test_only_the_listed_files_can_be_opened_again(tmp_path: Path) -> None:
    code = """
        parts = lockdown.apply(Sandbox(file_bytes=100_000), readable=[source], writable=[target])
        print(json.dumps([parts, show(tries)]))
    """
    parts, tried = answer(AGAIN + textwrap.dedent(code), str(files_in(tmp_path)))
    assert parts == [["no_new_privs", "capabilities", "files", "network", "processes"], []]
    assert tried.pop("source") == tried.pop("source by its name") == "done"
    assert tried.pop("target") == 1000
    assert set(tried.values()) <= REFUSED, tried
    assert (tmp_path / "source").read_text() == "GGUF"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary", "inherited", "source", "target"]


@landlocked
def test_a_writable_file_grows_to_its_bound_and_no_further(tmp_path: Path) -> None:
    code = """
        lockdown.apply(Sandbox(file_bytes=100_000), writable=[target])
        print(json.dumps([fill(100_000), fill(100_001), outcome(lambda: os.pwrite(target, b"x", 100_000))]))
    """
    assert answer(AGAIN + textwrap.dedent(code), str(files_in(tmp_path))) == [100_000, 100_000, "EFBIG"]


@landlocked
def test_the_rest_is_as_closed_as_ever(tmp_path: Path) -> None:
    """All that is refused to others is refused here: the network, processes, names of files, privileges."""
    lock = (
        "lockdown.apply(Sandbox(file_bytes=9), readable=[model], writable=[os.open(folder + '/canary', os.O_RDWR)])"
    )
    own = ("open", "write", "append", "open a descriptor's name")
    outcomes = {name: found for name, found in attempts(tmp_path, lock).items() if name not in own}
    assert set(outcomes.values()) <= REFUSED, outcomes


@landlocked
@pytest.mark.parametrize("threads", ["", "before"])
def test_after_closing_nothing_opens_any_more(threads: str, tmp_path: Path) -> None:
    """In threads that run already as well: the model worker's do."""
    code = f"""
        lockdown.apply(Sandbox(file_bytes=1000), readable=[source], writable=[target])
        go, seen = threading.Event(), {{}}
        late = threading.Thread(target=lambda: (go.wait(), seen.update(show(tries))))
        late.start() if {bool(threads)} else None
        first = outcome(tries["source"])
        closed = lockdown.close_files()
        None if {bool(threads)} else late.start()
        go.set(), late.join()
        read = os.pread(source, 4, 0).decode(), os.pwrite(target, b"x", 0)
        print(json.dumps([first, closed, seen, show(tries), read]))
    """
    first, closed, seen, here, read = answer(AGAIN + textwrap.dedent(code), str(files_in(tmp_path)))
    assert (first, closed, read) == ("done", True, ["GGUF", 1])
    assert set(seen.values()) | set(here.values()) <= REFUSED | {"EFBIG"}, (seen, here)
    assert {seen["source"], here["source"], here["target"], here["sibling"]} == {"EPERM"}


@landlocked
def test_a_folder_is_no_file_to_open_again(tmp_path: Path) -> None:
    code = """
        lockdown.apply(Sandbox(), readable=[os.open(folder, os.O_RDONLY)])
        print(json.dumps(show(["folder", "sibling", "source"])))
    """
    assert set(answer(AGAIN + textwrap.dedent(code), str(files_in(tmp_path))).values()) <= REFUSED


def test_without_landlock_files_are_missing_when_some_may_be_opened(tmp_path: Path) -> None:
    code = """
        lockdown._landlock = lambda *_: 0
        try:
            lockdown.apply(Sandbox(required=True), readable=[source])
        except SandboxUnavailable as error:
            print(json.dumps([error.details, show(["source for writing", "created", "place", "folder"])]))
    """
    details, tried = answer(AGAIN + textwrap.dedent(code), str(files_in(tmp_path)))
    assert details == {"missing": ["files"]}
    assert "canary" in tried.pop("folder"), "what is called missing is missing"
    assert set(tried.values()) == {"EPERM"}, "the filter still knows that nothing is to be written"


def test_a_sandbox_that_leaves_files_alone_leaves_them_alone(tmp_path: Path) -> None:
    code = """
        parts = lockdown.apply(Sandbox(files=False), readable=[source])
        print(json.dumps([parts[1], show(["sibling", "created"])]))
    """
    found = answer(AGAIN + textwrap.dedent(code), str(files_in(tmp_path)))
    assert found == [[], {"sibling": "done", "created": "done"}]


# --- the wish and the answer ---------------------------------------------------------------------


def test_only_what_is_asked_for_is_enforced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("open")
    found = answer(
        """
        parts = lockdown.apply(Sandbox(files=False, network=True, processes=False))
        forked = os.fork()
        if forked == 0:
            os._exit(0)
        print(json.dumps([parts, open(sys.argv[1]).read(), os.waitpid(forked, 0)[1], outcome(socket.socket)]))
        """,
        str(file),
    )
    assert found == [[["no_new_privs", "capabilities", "network"], []], "open", 0, "EPERM"]


def test_required_and_missing_is_an_error_that_names_the_parts() -> None:
    found = answer(
        """
        seccomp.ARCHITECTURES = {}
        try:
            lockdown.apply(Sandbox(required=True))
        except SandboxUnavailable as error:
            print(json.dumps([error.message, error.details]))
        """
    )
    assert found == [
        "this system cannot enforce: network, processes",
        {"missing": ["network", "processes"]},
    ]


def test_required_and_enforced_is_no_error() -> None:
    assert answer("print(json.dumps(lockdown.apply(Sandbox(required=True))))")[1] == []


def test_another_system_enforces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockdown.sys, "platform", "darwin")
    everything = ("no_new_privs", "capabilities", "files", "network", "processes", "memory")
    assert lockdown.apply(Sandbox(memory=MIB)) == ((), everything)
    with pytest.raises(SandboxUnavailable, match="files, network"):
        lockdown.apply(Sandbox(required=True))


def test_a_thread_that_exists_already_is_told_of_and_filtered_too() -> None:
    """Landlock and capabilities bind one thread, so they no longer count; the filter binds all of them."""
    found = answer(
        """
        seen, locked = [], threading.Event()
        tries = [lambda: open("/etc/passwd"), socket.socket, os.fork]
        early = threading.Thread(target=lambda: (locked.wait(), seen.extend(map(outcome, tries))))
        early.start()
        parts = lockdown.apply(Sandbox())
        locked.set(), early.join()
        print(json.dumps([parts, seen]))
        """
    )
    assert found == [
        [["no_new_privs", "files", "network", "processes"], ["capabilities"]],
        ["EPERM", "EPERM", "EPERM"],
    ]


# --- the parent's death --------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["", "lockdown.apply(Sandbox())"])
def test_it_dies_with_its_parent_also_when_locked_and_hanging(lock: str) -> None:
    grandchild = PREAMBLE + textwrap.dedent(
        f"""
        lockdown.die_with_parent(int(sys.argv[1]))
        {lock}
        print(os.getpid(), flush=True)
        ctypes.PyDLL(None).sleep(60)  # PyDLL keeps the lock of the interpreter
        """
    )
    parent = """
        import subprocess
        started = subprocess.Popen([sys.executable, "-P", "-c", sys.argv[1], str(os.getpid())])
        started.wait()
    """
    command = [sys.executable, "-P", "-c", PREAMBLE + textwrap.dedent(parent), grandchild]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as middle:
        assert middle.stdout is not None
        pid = int(middle.stdout.readline())
        middle.kill()
    assert gone(pid, seconds=30.0)


def gone(pid: int, seconds: float) -> bool:
    """Whether a process that is no child of ours has ended, or is a zombie of whoever adopted it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_a_parent_that_is_gone_already_ends_it_at_once() -> None:
    done = child("lockdown.die_with_parent(2 ** 22 + 1)\nprint('still here')")
    assert (done.returncode, done.stdout) == (1, b"")


def test_without_a_number_the_present_parent_is_meant() -> None:
    assert answer("lockdown.die_with_parent()\nprint(json.dumps('still here'))") == "still here"


# --- the filter as a program, on both architectures ----------------------------------------------

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 + errno.EPERM, 0x50000 + errno.ENOSYS
PID = 4242


OPENED = Opened((3,), (4,))


def verdict(
    sandbox: Sandbox,
    machine: str,
    number: int,
    *arguments: int,
    audit: int | None = None,
    opened: Opened = NOTHING,
) -> int:
    """What the kernel would answer: the few instructions of classic BPF that the filter uses."""
    audit = seccomp.ARCHITECTURES[machine].audit if audit is None else audit
    data = number.to_bytes(4, "little") + audit.to_bytes(4, "little") + bytes(8)
    data += b"".join(a.to_bytes(8, "little") for a in (*arguments, *[0] * 6)[:6])
    return judged(seccomp.program(seccomp.for_child(sandbox, PID, opened), machine), data)


def judged(steps: list[seccomp.Instruction], data: bytes) -> int:
    at = register = 0
    while True:
        code, when_true, when_false, constant = steps[at]
        at += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            register = int.from_bytes(data[constant : constant + 4], "little")
        elif code == 0x54:
            register &= constant
        else:
            assert code in (0x15, 0x25)
            holds = register == constant if code == 0x15 else register > constant
            at += when_true if holds else when_false


NUMBERS = {  # for the cases below, from the kernel's own tables
    "x86_64": {
        "openat": 257,
        "read": 0,
        "mmap": 9,
        "futex": 202,
        "clone": 56,
        "tgkill": 234,
        "socketpair": 53,
    },
    "aarch64": {
        "openat": 56,
        "read": 63,
        "mmap": 222,
        "futex": 98,
        "clone": 220,
        "tgkill": 131,
        "socketpair": 199,
    },
}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_verdicts(machine: str) -> None:
    number, full, none = NUMBERS[machine], Sandbox(), Sandbox(files=False, network=False, processes=False)

    def says(name: str, *arguments: int, sandbox: Sandbox = full) -> int:
        return verdict(sandbox, machine, number[name], *arguments)

    assert [says(name) for name in ("read", "mmap", "futex")] == [ALLOW] * 3
    assert says("openat") == EPERM
    assert says("openat", sandbox=none) == ALLOW
    assert says("clone", 0x3D0F00) == ALLOW, "the flags of pthread_create"
    assert says("clone", 0x4111) == says("clone", 17) == EPERM
    assert says("clone", 17, sandbox=none) == ALLOW
    assert says("tgkill", PID, PID, 6) == ALLOW
    assert says("tgkill", PID + 1, PID + 1, 6) == EPERM
    assert says("socketpair", 1, 1 | 0o2000000) == ALLOW
    assert says("socketpair", 1, 2) == says("socketpair", 30, 1) == EPERM
    assert verdict(full, machine, 435) == ENOSYS
    assert verdict(none, machine, 435) == ALLOW
    assert verdict(none, machine, 462) == ALLOW
    assert verdict(none, machine, 463) == verdict(none, machine, 0x40000000) == ENOSYS
    assert verdict(none, machine, number["read"], audit=0x40000003) == KILL
    assert verdict(none, machine, 425) == EPERM, "io_uring is never needed"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_verdicts_where_files_may_be_opened_again(machine: str) -> None:
    """Plainly for reading, and for writing where a file is writable; never as a mere place, never without a name."""
    openat = NUMBERS[machine]["openat"]
    none, path, unnamed = 0xFFFFFF9C, os.O_PATH, os.O_TMPFILE | os.O_RDWR
    writing = [os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_RDWR, os.O_RDONLY | os.O_TRUNC]

    def says(flags: int, opened: Opened, files: bool = True) -> int:
        return verdict(Sandbox(files=files), machine, openat, none, 0, flags, opened=opened)

    only_readable = Opened((3,))
    assert says(os.O_RDONLY | os.O_CLOEXEC, only_readable) == says(os.O_RDONLY, OPENED) == ALLOW
    assert [says(flags, OPENED) for flags in writing] == [ALLOW] * 3
    assert [says(flags, only_readable) for flags in writing] == [EPERM] * 3
    assert says(path, OPENED) == says(unnamed, OPENED) == EPERM
    assert says(path, OPENED, files=False) == ALLOW
    for name, number in {"creat": 85, "openat2": 437}.items():
        if machine == "x86_64" or name == "openat2":
            assert verdict(Sandbox(), machine, number, opened=OPENED) == EPERM, name


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_program_leaves_a_file_that_lends_rights(machine: str) -> None:
    """Where nothing is made the mode is no argument: there may be anything in its place."""
    job = Launch(argv=("true",), environment={}, cwd=3, seconds=1.0)
    steps = seccomp.program(confine._filter(job, confine.Apart(True, True, True)), machine)
    audit, column, _ = seccomp.ARCHITECTURES[machine]

    def says(name: str, *arguments: int) -> int:
        table = " ".join(names for names, _ in seccomp.MODES)
        (number,) = seccomp._numbers(next(entry for entry in table.split() if entry.startswith(f"{name}=")), column)
        values = (*arguments, *[0] * 6)[:6]
        data = number.to_bytes(4, "little") + audit.to_bytes(4, "little") + bytes(8)
        return judged(steps, data + b"".join(a.to_bytes(8, "little") for a in values))

    calls: list[tuple[str, tuple[int, ...]]] = [("fchmod", (3,)), ("fchmodat", (3, 0)), ("fchmodat2", (3, 0))]
    calls += [("mknodat", (3, 0)), ("openat", (3, 0, os.O_CREAT)), ("openat", (3, 0, os.O_TMPFILE | os.O_RDWR))]
    if machine == "x86_64":
        calls += [("chmod", (0,)), ("creat", (0,)), ("mknod", (0,)), ("open", (0, os.O_CREAT | os.O_WRONLY))]
    for name, before in calls:
        assert [says(name, *before, mode) for mode in (0o4755, 0o2755, 0o6000)] == [EPERM] * 3, name
        assert [says(name, *before, mode) for mode in (0, 0o755, 0o1777)] == [ALLOW] * 3, name
    assert says("openat", 3, 0, os.O_RDONLY | os.O_DIRECTORY, 0o7777) == ALLOW
    hidden = (437).to_bytes(4, "little") + audit.to_bytes(4, "little") + bytes(56)
    assert judged(steps, hidden) == ENOSYS


@given(
    sandbox=st.builds(Sandbox, files=st.booleans(), network=st.booleans(), processes=st.booleans()),
    machine=st.sampled_from(["x86_64", "aarch64"]),
    number=st.integers(0, 2**32 - 1) | st.integers(0, 470),
    arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6),
)
def test_every_path_through_the_filter_ends_in_a_verdict(
    sandbox: Sandbox, machine: str, number: int, arguments: list[int]
) -> None:
    found = verdict(sandbox, machine, number, *arguments)
    assert found in (ALLOW, EPERM, ENOSYS)
    if found == ALLOW:  # asking for less never forbids more
        for part in ("files", "network", "processes"):
            assert verdict(replace(sandbox, **{part: False}), machine, number, *arguments) == ALLOW


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_tables_agree_with_the_kernel_headers(machine: str) -> None:
    header = {
        "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        "aarch64": Path("/usr/include/asm-generic/unistd.h"),
    }[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    known = {
        name: int(number)
        for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", header.read_text(), re.MULTILINE)
    }
    rows = seccomp._conditions(Sandbox(), PID, OPENED)
    column = seccomp.ARCHITECTURES[machine].column
    tables = [
        seccomp.OPEN,
        seccomp.FILES,
        seccomp.NETWORK,
        seccomp.PROCESSES,
        seccomp.SYSTEM_V,
        seccomp.KERNEL,
        seccomp.TRACING,
        seccomp.SHARED,
        seccomp.METADATA,
        seccomp.SESSIONS,
        seccomp.FORKS,
        seccomp.CLONE3,
        seccomp.INTERNET[0],
        seccomp.OPENAT2,
        *(row[0] for row in seccomp.MODES),
        seccomp.CONTROL[0],
        "prlimit64=302/261",
        *(row[0] for row in rows),
    ]
    for entry in " ".join(tables).split():
        name, _, numbers = entry.partition("=")
        cell = (numbers.split("/") * 2)[column]
        if cell and int(cell) <= max(known.values()):
            assert known[name] == int(cell), name
        elif not cell:
            assert name not in known, f"{name} exists here"
