"""Programs for tools, black-box: what they see, what they cannot touch, and that nothing of them survives."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid, LinnetError, RequestTooLarge, SandboxUnavailable
from linnet.limits import LIMITS, MIB
from linnet.program import Launch
from linnet.runtime import programs
from linnet.runtime.programs import Outcome, run_program
from linnet.worker import confine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are kept in by Linux alone")
PYTHON = [sys.executable, "-I", "-S", "-c"]
INTERPRETER = [Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()]
ALWAYS = {"no_new_privs", "capabilities", "tasks", "files", "processes", "network"}


@pytest.fixture(params=[True, False], ids=["apart", "together"])
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With namespaces as this kernel grants them, and as if it granted none."""
    if not request.param:
        monkeypatch.setattr(programs, "Launch", lambda **job: Launch(**job, apart=False))
    return bool(request.param)


def python(code: str, *arguments: str, **options: Any) -> Outcome:
    readable = [*INTERPRETER, *options.pop("readable", ())]
    return run_program([*PYTHON, textwrap.dedent(code), *arguments], readable=readable, **options)


# --- what a program gets -------------------------------------------------------------------------


def test_a_program_in_its_roots(tmp_path: Path, apart: bool) -> None:
    (tmp_path / "read").mkdir()
    (tmp_path / "read" / "note").write_text("pigeons\n")
    (tmp_path / "write").mkdir()
    script = 'cat "$0"; echo kept > made; chmod 600 made 2>&1; echo "$HOME" "$COLOUR"; echo odd >&2; exit 3'
    found = run_program(
        ["sh", "-c", script, str(tmp_path / "read" / "note")],
        readable=[tmp_path / "read"],
        writable=[tmp_path / "write"],
        environment={"COLOUR": "blue", "PATH": "/usr/bin:/bin"},
    )
    assert (found.status, found.stdout, found.stderr, found.ended, found.left) == (
        3,
        b"pigeons\n blue\n"
        if apart
        else b"pigeons\nchmod: changing permissions of 'made': Operation not permitted\n blue\n",
        b"odd\n",
        "",
        0,
    )
    assert (tmp_path / "write" / "made").read_text() == "kept\n"
    assert set(found.enforced) >= ALWAYS
    assert ({"namespaces", "read-only view"} <= set(found.enforced)) == apart


def test_files_as_roots_and_a_folder_to_stand_in(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    found = run_program(
        ["sh", "-c", "pwd; cat a; cat b; cat c; echo new > b"],
        readable=[tmp_path / "a"],
        writable=[tmp_path / "b"],
        cwd=tmp_path,
    )
    assert found.stdout.decode() == f"{tmp_path}\nab"
    assert b"c: Permission denied" in found.stderr
    assert (tmp_path / "b").read_text() == "new\n"


def test_what_it_prints_is_bounded_and_counted() -> None:
    found = run_program(["sh", "-c", "head -c 5000000 /dev/zero; echo no >&2"], output_bytes=1_000)
    assert (len(found.stdout), found.stdout_cut, found.written) == (1_000, True, (5_000_000, 3))
    assert (found.stderr, found.stderr_cut) == (b"no\n", False)
    one_past = run_program(["head", "-c", str(LIMITS.program_output_bytes + 1), "/dev/zero"], output_bytes=1 << 40)
    assert (len(one_past.stdout), one_past.stdout_cut) == (LIMITS.program_output_bytes, True)


def test_standard_input_is_empty_and_a_signal_is_told() -> None:
    assert run_program(["cat"]).stdout == b""
    assert run_program(["sh", "-c", "kill -SEGV $$"]).status == -signal.SIGSEGV


# --- what it cannot touch ------------------------------------------------------------------------

HOSTILE = """
import ctypes, errno, fcntl, json, os, signal, socket, sys
canary, listener, port, caller = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
libc = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
launcher = os.getppid()

def c(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

def outcome(attempt):
    try:
        return repr(attempt() or "done")
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))

home = os.path.dirname(canary)
attempts = {
    "read the canary": lambda: open(canary).read(),
    "write the canary": lambda: open(canary, "w").close(),
    "list its folder": lambda: os.listdir(home),
    "remove it": lambda: os.unlink(canary),
    "make a file beside it": lambda: open(home + "/new", "w").close(),
    "link it here": lambda: os.link(canary, "stolen"),
    "move it here": lambda: os.rename(canary, "stolen"),
    "a link to it": lambda: (os.symlink(canary, "way"), open("way").read()),
    "its mode": lambda: os.chmod(canary, 0o777),
    "its owner": lambda: os.chown(canary, os.getuid(), os.getgid()),
    "its times": lambda: os.utime(canary, (0, 0)),
    "its attributes": lambda: os.setxattr(canary, "user.x", b"x"),
    "its mode by a place": lambda: os.chmod(f"/proc/self/fd/{os.open(canary, os.O_PATH)}", 0o777),
    "the system's mode": lambda: os.fchmod(os.open("/usr/bin/env", os.O_RDONLY), 0o777),
    "passwords": lambda: open("/etc/shadow").read(),
    "accounts": lambda: open("/etc/passwd").read(),
    "caller's environment": lambda: open(f"/proc/{caller}/environ").read(),
    "caller's memory": lambda: open(f"/proc/{caller}/mem", "rb").close(),
    "caller's descriptors": lambda: os.listdir(f"/proc/{caller}/fd"),
    "launcher's environment": lambda: open(f"/proc/{launcher}/environ").read(),
    "launcher's memory": lambda: open(f"/proc/{launcher}/mem", "rb").close(),
    "a disk": lambda: os.mknod("disk", 0o60600, os.makedev(254, 0)),
    "kernel memory": lambda: open("/dev/mem").close(),
    "tcp": lambda: socket.create_connection(("127.0.0.1", port)),
    "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "unix": lambda: socket.socket(socket.AF_UNIX).connect(listener),
    "abstract": lambda: socket.socket(socket.AF_UNIX).bind(chr(0) + "x"),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "datagram pair": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
    "kill the caller": lambda: os.kill(caller, 0),
    "kill the launcher": lambda: os.kill(launcher, 0),
    "trace the launcher": lambda: c("ptrace", 16, launcher, None, None),
    "read the launcher": lambda: c("process_vm_readv", launcher, None, 0, None, 0, 0),
    "unshare": lambda: c("unshare", 0x10000000),
    "clone apart": lambda: c("syscall", 56 if x86 else 220, 0x10000000 | 17, 0, 0, 0, 0),
    "mount": lambda: c("mount", b"none", b"/usr", b"tmpfs", 0, None),
    "remount": lambda: c("mount", b"none", b"/", None, 32, None),
    "chroot": lambda: os.chroot("."),
    "bpf": lambda: c("syscall", 321 if x86 else 280, 0, 0, 0),
    "io_uring": lambda: c("syscall", 425, 1, None),
    "keyctl": lambda: c("syscall", 250 if x86 else 219, 0, -3, 1),
    "shared memory": lambda: c("shmget", 1, 4096, 0o1600),
    "a known queue": lambda: c("msgctl", 0x7fffffff, 2, ctypes.create_string_buffer(256)),
    "make a set-uid file": lambda: os.open("lent", os.O_CREAT | os.O_WRONLY, 0o4755),
    "make one later": lambda: (open("own", "w").close(), os.chmod("own", 0o6755)),
    "by its descriptor": lambda: os.fchmod(os.open("own", os.O_RDWR | os.O_CREAT), 0o2755),
    "without a name": lambda: os.open(".", os.O_TMPFILE | os.O_RDWR, 0o4755),
    "memory in a file": lambda: os.memfd_create("x"),
    "secret memory in a file": lambda: c("syscall", 447, 0),
    "own a socket's signals": lambda: fcntl.ioctl(socket.socketpair()[0], 0x8901, os.getpid().to_bytes(4, "little")),
    "set-uid": lambda: c("setuid", 0 if os.getuid() else 1),
}
inherited = [n for n in range(3, 256) if outcome(lambda: os.fstat(n)) != "EBADF"]
report = {name: outcome(attempt) for name, attempt in attempts.items()}
report["descriptors"] = inherited
report["environment"] = sorted(os.environ)
print(json.dumps(report))
"""


def test_a_hostile_program_gets_nothing(tmp_path: Path, apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_SECRET", "s3cret")
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(), work.mkdir()
    canary = home / "canary"
    canary.write_text("alive")
    os.utime(canary, (1_000_000, 1_000_000))
    before = canary.stat()
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(home / "s"))
        unix.listen()
        for listener in (tcp, unix):
            listener.setblocking(False)
        arguments = [str(canary), str(home / "s"), str(tcp.getsockname()[1]), str(os.getpid())]
        found = python(HOSTILE, *arguments, writable=[work])
        for listener in (tcp, unix):
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert found.status == 0, found.stderr.decode()
    report = json.loads(found.stdout)
    assert report.pop("descriptors") == []
    assert report.pop("environment") == ["LC_ALL", "PATH"]
    refused = {"EPERM", "EACCES", "EROFS", "ENOSYS", "EXDEV", "ESRCH", "ENOENT"}
    assert {name: said for name, said in report.items() if said not in refused} == {}
    assert canary.read_text() == "alive"
    after = canary.stat()
    assert (after.st_mode, after.st_mtime, after.st_nlink) == (before.st_mode, before.st_mtime, 1)
    assert sorted(path.name for path in home.iterdir()) == ["canary", "s"]
    assert [path for path in work.iterdir() if path.lstat().st_mode & 0o6000] == []
    assert b"s3cret" not in found.stdout + found.stderr


def test_the_network_is_internet_only_when_it_is_asked_for(tmp_path: Path) -> None:
    code = """
        import socket, sys
        print(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(9).decode())
        try:
            socket.socket(socket.AF_UNIX)
        except PermissionError:
            print("refused")
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        found = python(code, str(server.getsockname()[1]), network=True)
    assert found.stdout == b"hello\nrefused\n", found.stderr
    assert "network" not in found.enforced


def greet(server: socket.socket) -> None:
    with server.accept()[0] as caller:
        caller.sendall(b"hello")


# --- nothing survives ----------------------------------------------------------------------------

DAEMONS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for leave in (False, True):
    if os.fork() == 0:
        if leave:
            try:
                os.setsid()
            except PermissionError:
                pass
            if os.fork():
                os._exit(0)
        os.closerange(0, 3)
        time.sleep(float(sys.argv[1]))
        os._exit(0)
print("started", flush=True)
time.sleep(float(sys.argv[2]))
"""


def marked(seconds: str) -> list[int]:
    """Processes that run the code above with this mark."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and has(entry, seconds)]


def has(entry: Path, word: str) -> bool:
    try:
        return word.encode() in (entry / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def gone(seconds: str, within: float = 20.0) -> bool:
    end = time.monotonic() + within
    while marked(seconds) and time.monotonic() < end:
        time.sleep(0.02)
    return not marked(seconds)


def test_daemons_do_not_outlive_the_deadline(apart: bool) -> None:
    mark = f"{300 + apart}.0625"
    found = python(DAEMONS, mark, "300", seconds=4.0)
    assert (found.status, found.ended, found.stdout) == (None, "deadline", b"started\n")
    assert gone(mark)
    assert found.seconds < 20, "of the 300 that they would take"


def test_daemons_do_not_outlive_the_program(apart: bool) -> None:
    mark = f"{302 + apart}.0625"
    found = python(DAEMONS, mark, "0.2", seconds=60.0)
    assert (found.status, found.ended, found.left) == (0, "", 2)
    assert gone(mark)


def test_nothing_outlives_a_caller_that_is_killed(tmp_path: Path, apart: bool) -> None:
    mark = f"{304 + apart}.0625"
    code = f"""
        from linnet.program import Launch
        from linnet.runtime import programs
        if not {apart}:
            programs.Launch = lambda **job: Launch(**job, apart=False)
        programs.run_program({[*PYTHON, DAEMONS, mark, "300"]!r}, readable={[str(p) for p in INTERPRETER]!r})
    """
    caller = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    try:
        end = time.monotonic() + 60
        while len(marked(mark)) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(marked(mark)) >= 3, "it never started"
    finally:
        caller.kill()
        caller.wait()
    assert gone(mark)


def test_nothing_outlives_a_launcher_that_is_killed() -> None:
    mark = "308.0625"
    options = {"readable": INTERPRETER, "seconds": 60.0}
    failed: list[Exception] = []

    def run() -> None:
        try:
            run_program([*PYTHON, DAEMONS, mark, "300"], **options)
        except LinnetError as error:
            failed.append(error)

    caller = threading.Thread(target=run)
    caller.start()
    end = time.monotonic() + 60
    while len(marked(mark)) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    for pid in programs.child.running():
        if has(Path(f"/proc/{pid}"), "linnet.worker.launch"):
            os.kill(pid, signal.SIGKILL)
    caller.join()
    assert gone(mark)
    assert [type(error).__name__ for error in failed] == ["WorkerCrashed"]


def test_a_keeper_that_is_killed_is_noticed_at_once(apart: bool) -> None:
    mark, failed, started = f"{310 + apart}.0625", [], time.monotonic()

    def run() -> None:
        try:
            python(DAEMONS, mark, "300", seconds=60.0)
        except LinnetError as error:
            failed.append((error.code, error.message))

    caller = threading.Thread(target=run)
    caller.start()
    while len(marked(mark)) < 3 and time.monotonic() - started < 60:
        time.sleep(0.05)
    (launcher,) = (pid for pid in programs.child.running() if has(Path(f"/proc/{pid}"), "linnet.worker.launch"))
    (keeper,) = (int(pid) for pid in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split())
    killed = time.monotonic()
    os.kill(keeper, signal.SIGKILL)
    caller.join()
    assert time.monotonic() - killed < 30
    assert failed == [("worker_crashed", "the keeper of the program was ended, and the program with it")]
    assert gone(mark)


def test_a_launcher_whose_parent_is_gone_leaves_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-P", "-m", "linnet.worker.launch", str(theirs.fileno()), "1"]
        done = subprocess.run(command, pass_fds=[theirs.fileno()], timeout=30, check=False)
    assert done.returncode == 1


BOMBS = {  # of a bounded size: one that is not stopped must not take this machine; asleep for long, to be many
    "processes": "for _ in range(10):\n    os.fork()\n    time.sleep(0.005)",
    "threads": "threading.stack_size(1 << 16)\nfor _ in range(600): threading.Thread(target=nap, args=(99,)).start()",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_ended(apart: bool, kind: str) -> None:
    mark = f"{306 + apart}.0625"
    code = "import os, sys, threading, time\nnap = time.sleep\n" + BOMBS[kind] + "\ntime.sleep(150)"
    found = python(
        code, mark, seconds=150.0
    )  # each fork is asked for, and is let in when there is a processor for it
    assert (found.status, found.ended) == (None, "tasks")
    assert gone(mark)


def test_a_program_may_have_many_tasks() -> None:
    code = f"""
        import threading, time
        threading.stack_size(1 << 16)
        started = [threading.Thread(target=time.sleep, args=(0.2,)) for _ in range({LIMITS.program_tasks - 10})]
        for each in started: each.start()
        for each in started: each.join()
    """
    assert python(code).status == 0


@pytest.mark.parametrize(
    "code",
    [
        "x = [bytearray(1 << 20) for _ in range(300)]",
        "import mmap, time\nm = mmap.mmap(-1, 300 << 20)\nfor n in range(0, len(m), 4096): m[n] = 1\ntime.sleep(9)",
    ],
    ids=["private", "shared"],
)
def test_memory_is_bounded(code: str) -> None:
    found = python(code, memory=128 * MIB, seconds=60.0)
    assert found.ended == "memory" or (found.status and b"MemoryError" in found.stderr), found


def test_a_file_is_bounded(tmp_path: Path) -> None:
    count = str(LIMITS.program_file_bytes + 1)
    found = run_program(["sh", "-c", f"head -c {count} /dev/zero > big"], writable=[tmp_path])
    assert found.status != 0
    assert (tmp_path / "big").stat().st_size == LIMITS.program_file_bytes


# --- another user, and refusals ------------------------------------------------------------------


def test_a_user_without_rights_gets_the_same(tmp_path: Path) -> None:
    """In a user namespace, where the kernel grants one: as if an ordinary user ran it."""
    code = """
        import sys
        from linnet.runtime.programs import run_program
        script = ": > new && chmod 600 new && echo made; chmod 600 /usr/bin/env"
        found = run_program(["sh", "-c", script], writable=[sys.argv[1]])
        print(found.stdout.decode(), found.stderr.decode(), found.enforced)
    """
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
    command = [*without, sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    if b"namespaces" in done.stdout:
        assert done.stdout.startswith(b"made\n"), done.stdout
    assert b"changing permissions of '/usr/bin/env'" in done.stdout, done.stdout


def test_it_is_refused_where_it_cannot_be_kept_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "landlock_abi", lambda: 2)
    with pytest.raises(SandboxUnavailable, match="files"):
        confine.check(True)
    monkeypatch.setattr(confine, "landlock_abi", lambda: 5)
    confine.check(True)
    with pytest.raises(SandboxUnavailable, match="signals"):
        confine.check(False)


@pytest.mark.parametrize(
    ("argv", "options", "error"),
    [
        ("ls", {}, InputInvalid),
        ([], {}, InputInvalid),
        ([""], {}, InputInvalid),
        (["ls", "a\0b"], {}, InputInvalid),
        (["ls", "\ud800"], {}, InputInvalid),
        (["ls"], {"readable": ["/nonesuch"]}, InputInvalid),
        (["ls"], {"cwd": "/etc/hostname"}, InputInvalid),
        (["ls"] * (LIMITS.program_words + 1), {}, RequestTooLarge),
        (["ls"], {"environment": {str(n): "" for n in range(LIMITS.program_words + 1)}}, RequestTooLarge),
        (["ls", "x" * LIMITS.program_words_bytes], {}, RequestTooLarge),
        (["ls"], {"readable": ["/"] * (LIMITS.program_roots + 1)}, RequestTooLarge),
        (["nonesuch-program"], {}, InputInvalid),
        (["/etc/hostname"], {}, InputInvalid),
    ],
)
def test_what_is_no_program_is_a_typed_error(argv: Any, options: dict[str, Any], error: type[LinnetError]) -> None:
    with pytest.raises(error):
        run_program(argv, **options)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = set(programs.child.running())  # those of other tests, as the models that they share
    yield
    assert set(programs.child.running()) <= before
