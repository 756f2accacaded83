"""Applies a Sandbox to this very process, for good: after every import, before any thread.

Hides Landlock, seccomp, capabilities and resource limits behind three calls. Where Landlock and seccomp
can both forbid a thing both do, so that each covers for the other where a kernel lacks one of them. A process
whose native code takes paths and nothing else may open files again that it was handed, and no other ones.

Covered: what `linnet.limits.Sandbox` says, and always: no capability, no mount, no namespace, no bpf,
no io_uring, no core file, no system call newer than this file or of another architecture.
Not covered: names and metadata of files (stat, access, readlink), the scheduling of other processes of
the same user, time and CPU (the supervisor's business), and descriptors that the caller hands over.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from linnet.errors import SandboxUnavailable
from linnet.hardware.probe import landlock_abi
from linnet.limits import Sandbox

# --- the face ------------------------------------------------------------------------------------


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the thread that started it ends; exit at once if it is gone.

    `parent` is the starter's process id as the starter knows it. Without it, a parent that died before
    this call goes unnoticed. Call it before `apply`, which makes the wish irrevocable.
    """
    parent = os.getppid() if parent is None else parent
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def apply(
    sandbox: Sandbox, readable: Sequence[int] = (), writable: Sequence[int] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lock this process and the threads it will start; returns the (enforced, missing) parts of the wish.

    `readable` and `writable` are open regular files that stay openable, as `/proc/self/fd/N`: for reading, and for
    writing and emptying too, up to `sandbox.file_bytes`. Landlock alone can tell files apart, so without it (ABI 3)
    the part `files` is then missing.

    The parts are `no_new_privs`, `capabilities`, and those of `files`, `network`, `processes` and `memory`
    that the sandbox asks for. Threads that exist already escape Landlock and keep their capabilities:
    parts that rest on those are then missing. Raises SandboxUnavailable if the sandbox is `required` and
    a part is missing; the process is then partly locked and should leave.
    """
    opened = _Opened(tuple(readable), tuple(writable)) if sandbox.files else _NOTHING
    holds = _lock(sandbox, opened) if sys.platform == "linux" else {}
    wanted = [part for part in _PARTS if getattr(sandbox, part, True)]
    enforced = tuple(part for part in wanted if holds.get(part))
    missing = tuple(part for part in wanted if not holds.get(part))
    if sandbox.required and missing:
        raise SandboxUnavailable(f"this system cannot enforce: {', '.join(missing)}", missing=list(missing))
    return enforced, missing


def close_files() -> bool:
    """Take back what `apply` left openable, from all threads of this process; whether that holds now.

    Call it after `apply`. Files that are open stay so. It takes seccomp, which alone reaches threads that run.
    """
    return sys.platform == "linux" and _seccomp(Sandbox(network=False, processes=False), _NOTHING)


_PARTS = ("no_new_privs", "capabilities", "files", "network", "processes", "memory")


class _Opened(NamedTuple):
    """Descriptors whose files may be opened again."""

    readable: tuple[int, ...] = ()
    writable: tuple[int, ...] = ()


_NOTHING = _Opened()


def _lock(sandbox: Sandbox, opened: _Opened) -> dict[str, bool]:
    """Does everything, in the one order that works: what needs /proc or a capability comes first."""
    alone = _threads() == 1
    memory = _limit(sandbox)
    no_new_privs = _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    capabilities = _drop_capabilities() and alone
    landlock = _landlock(sandbox, opened) if alone else 0
    seccomp = _seccomp(sandbox, opened)
    files = landlock >= _LANDLOCK_TRUNCATE or (seccomp and not any(opened))
    return {
        "no_new_privs": no_new_privs,
        "capabilities": capabilities,
        "files": files,
        "network": seccomp,
        "processes": seccomp,
        "memory": memory,
    }


# --- calls into the kernel (numbers: include/uapi/linux of Linux 6.12) ----------------------------

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: Any) -> int:
    """The kernel's answer, or -1. Integers go as longs, buffers by address."""
    longs = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return int(_libc().syscall(ctypes.c_long(number), *longs))


def _threads() -> int | None:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return None


def _drop_capabilities() -> bool:
    """Out of all sets of this thread. Out of the bounding set too, so that root's programs gain none back."""
    for capability in range(64):
        if _libc().prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one, or never had the right to
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x2008_0522, 0))  # version 3, this thread
    return int(_libc().capset(header, ctypes.create_string_buffer(24))) == 0


def _limit(sandbox: Sandbox) -> bool:
    """Resource limits; whether the one on memory holds (Linux counts private mappings since 4.7)."""
    import resource

    # 0 would still feed a dump to a handler that core_pattern pipes to; 1 stops that as well (core(5))
    _lower(resource.RLIMIT_CORE, 1)
    if sandbox.files:
        _lower(resource.RLIMIT_FSIZE, sandbox.file_bytes)
    data = _data_bytes() if sandbox.memory > 0 else None
    if data is not None:
        _lower(resource.RLIMIT_DATA, data + sandbox.memory)
    return data is not None


def _lower(kind: int, value: int) -> None:
    """Soft and hard limit to `value`, or to the hard limit that stands if that is lower."""
    import resource

    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _data_bytes() -> int | None:
    """Private writable memory mapped now, as RLIMIT_DATA counts it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmData:")]
    return sizes[0] * 1024 if sizes else None


# --- Landlock: every right is handled, and granted for the opened files only ----------------------

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_READABLE, _LANDLOCK_WRITABLE = 1 << 2, 1 << 1 | 1 << 2 | 1 << 14  # WRITE_FILE, READ_FILE, TRUNCATE
_LANDLOCK_BENEATH = 1  # a rule by a descriptor: the file itself, or all below a folder
_LANDLOCK_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # the first ABI that knows so many rights on files
_LANDLOCK_TRUNCATE, _LANDLOCK_NETWORK, _LANDLOCK_SCOPES = 3, 4, 6  # the first ABI with each


def _landlock(sandbox: Sandbox, opened: _Opened) -> int:
    """Restrict this thread and those it starts; the ABI in force, 0 if there is none."""
    abi = landlock_abi()
    handled = _landlock_handled(sandbox, abi)
    if not any(handled):
        return 0
    attributes = struct.pack("=QQQ", *handled)[: 8 if abi < _LANDLOCK_NETWORK else 16 if abi < 6 else 24]
    ruleset = _syscall(_LANDLOCK_CREATE, ctypes.create_string_buffer(attributes), len(attributes), 0)
    if ruleset < 0:
        return 0
    for rights, descriptors in zip((_LANDLOCK_READABLE, _LANDLOCK_WRITABLE), opened, strict=True):
        for descriptor in filter(_regular, descriptors):  # of a folder, a rule would open all that is below it
            rule = struct.pack("=Qi", rights & handled[0], descriptor)
            _syscall(_LANDLOCK_ADD, ruleset, _LANDLOCK_BENEATH, ctypes.create_string_buffer(rule), 0)
    refused = _syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return 0 if refused else abi


def _regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _landlock_handled(sandbox: Sandbox, abi: int) -> tuple[int, int, int]:
    """Bits of (rights on files; binding 1 and connecting 2 of TCP; abstract sockets 1 and signals 2)."""
    rights = max((count for first, count in _LANDLOCK_RIGHTS.items() if first <= abi), default=0)
    files = (1 << rights) - 1 if sandbox.files else 0
    network = 3 if sandbox.network and abi >= _LANDLOCK_NETWORK else 0
    scopes = sandbox.network | sandbox.processes << 1 if abi >= _LANDLOCK_SCOPES else 0
    return files, network, scopes


# --- seccomp: a filter in classic BPF -------------------------------------------------------------

# System calls that end in EPERM: name=number on x86_64/number on aarch64, one number where both agree.
_OPEN = "open=2/ openat=257/56"
_FILES = """
    openat2=437 creat=85/ mkdir=83/ mkdirat=258/34 mknod=133/ mknodat=259/33 rmdir=84/
    unlink=87/ unlinkat=263/35 rename=82/ renameat=264/38 renameat2=316/276 link=86/ linkat=265/37
    symlink=88/ symlinkat=266/36 truncate=76/45 chmod=90/ fchmod=91/52 fchmodat=268/53 fchmodat2=452
    chown=92/ fchown=93/55 lchown=94/ fchownat=260/54 utime=132/ utimes=235/ utimensat=280/88
    futimesat=261/ setxattr=188/5 lsetxattr=189/6 fsetxattr=190/7 removexattr=197/14 lremovexattr=198/15
    fremovexattr=199/16 open_by_handle_at=304/265 name_to_handle_at=303/264 inotify_add_watch=254/27
    fanotify_init=300/262 fanotify_mark=301/263 chroot=161/51 memfd_create=319/279 memfd_secret=447
    mq_open=240/180 mq_unlink=241/181 uselib=134/ acct=163/89 quotactl=179/60 quotactl_fd=443
"""
_NETWORK = "socket=41/198 connect=42/203 bind=49/200 listen=50/201 accept=43/202 accept4=288/242"
_PROCESSES = """
    execve=59/221 execveat=322/281 fork=57/ vfork=58/ ptrace=101/117 process_vm_readv=310/270
    process_vm_writev=311/271 process_madvise=440 process_mrelease=448 pidfd_open=434 pidfd_getfd=438
    pidfd_send_signal=424 kcmp=312/272 migrate_pages=256/238 move_pages=279/239 shmget=29/194 shmat=30/196
    semget=64/190 msgget=68/186
"""
_KERNEL = """
    mount=165/40 umount2=166/39 pivot_root=155/41 open_tree=428 move_mount=429 fsopen=430 fsconfig=431
    fsmount=432 fspick=433 mount_setattr=442 unshare=272/97 setns=308/268 bpf=321/280
    perf_event_open=298/241 io_uring_setup=425 io_uring_enter=426 io_uring_register=427 userfaultfd=323/282
    keyctl=250/219 add_key=248/217 request_key=249/218 init_module=175/105 finit_module=313/273
    delete_module=176/106 kexec_load=246/104 kexec_file_load=320/294 reboot=169/142 swapon=167/224
    swapoff=168/225 syslog=103/116 lookup_dcookie=212/18 iopl=172/ ioperm=173/ modify_ldt=154/
    settimeofday=164/170 clock_settime=227/112 clock_adjtime=305/266 adjtimex=159/171 sethostname=170/161
    setdomainname=171/162 vhangup=153/58
"""
_O_STRANGE, _O_WRITES = 0o3000_0000, 0o1103  # PATH, TMPFILE; WRONLY, RDWR, CREAT, TRUNC: the same on both
_NEWEST = 462  # mseal of Linux 6.10; what came later may undo what is said here, and is ENOSYS
_ALL = 0xFFFF_FFFF


class _Test(NamedTuple):
    """The call passes only if the low half of an argument, under a mask, is (or is not) this value."""

    argument: int
    value: int
    mask: int = _ALL
    equal: bool = True


class _Architecture(NamedTuple):
    audit: int  # AUDIT_ARCH_* of linux/audit.h
    column: int  # in the tables above
    seccomp: int  # the number of seccomp(2)


_ARCHITECTURES = {
    "x86_64": _Architecture(0xC000_003E, 0, 317),
    "aarch64": _Architecture(0xC000_00B7, 1, 277),
}


def _conditions(sandbox: Sandbox, pid: int, opened: _Opened) -> list[tuple[str, tuple[_Test, ...]]]:
    """The calls that depend on their arguments, as rows of a table and what must hold for them to pass."""
    rows: list[tuple[str, tuple[_Test, ...]]] = [
        ("ioctl=16/29", (_Test(1, 0x5412, equal=False), _Test(1, 0x541C, equal=False)))  # TIOCSTI, TIOCLINUX
    ]
    if sandbox.files and any(opened):  # Landlock does not judge O_PATH
        refused = _O_STRANGE if opened.writable else _O_STRANGE | _O_WRITES
        rows += [("open=2/", (_Test(1, 0, mask=refused),)), ("openat=257/56", (_Test(2, 0, mask=refused),))]
    if sandbox.network:  # a pair of datagram sockets can still send to any address
        rows.append(("socketpair=53/199", (_Test(0, 1), _Test(1, 1, mask=0xF))))  # AF_UNIX, SOCK_STREAM
    if sandbox.processes:
        thread = 0x0001_0000  # CLONE_THREAD
        owner = tuple(_Test(1, command, equal=False) for command in (8, 10, 15))  # F_SETOWN, _SETSIG, _SETOWN_EX
        rows += [
            ("clone=56/220", (_Test(0, thread, mask=thread),)),
            ("kill=62/129 tkill=200/130 tgkill=234/131", (_Test(0, pid),)),
            ("rt_sigqueueinfo=129/138 rt_tgsigqueueinfo=297/240", (_Test(0, pid),)),
            ("prlimit64=302/261", (_Test(0, 0),)),
            ("fcntl=72/25", owner),
            ("prctl=157/167", (_Test(0, _PR_SET_PDEATHSIG, equal=False),)),
        ]
    return rows


_LOAD, _AND, _EQUAL, _ABOVE, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x06
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026

Instruction = tuple[int, int, int, int]
"""Code, steps to skip when true, steps to skip when false, constant: struct sock_filter."""


def program(sandbox: Sandbox, machine: str, pid: int, opened: _Opened = _NOTHING) -> list[Instruction]:
    """The filter for a process `pid` on an architecture of `_ARCHITECTURES`.

    With `opened` files it lets `open` and `openat` through, for Landlock to judge.

    Offsets into struct seccomp_data: number 0, architecture 4, arguments from 16 on, 8 bytes each.
    """
    audit, column, _ = _ARCHITECTURES[machine]
    denied = [_KERNEL]
    denied += [_OPEN] * (sandbox.files and not any(opened)) + [_FILES] * sandbox.files
    denied += [_NETWORK] * sandbox.network + [_PROCESSES] * sandbox.processes
    steps: list[Instruction] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL)]
    # the newer calls, and with them those of x32, whose numbers have bit 30 set
    steps += [(_LOAD, 0, 0, 0), (_ABOVE, 0, 1, _NEWEST), (_RETURN, 0, 0, _ENOSYS)]
    for number in _numbers(" ".join(denied), column):
        steps += _when(number, [(_RETURN, 0, 0, _EPERM)])
    if sandbox.processes:  # clone3 hides its flags in memory; C libraries then fall back to clone
        steps += _when(435, [(_RETURN, 0, 0, _ENOSYS)])
    for names, tests in _conditions(sandbox, pid, opened):
        for number in _numbers(names, column):
            steps += _when(number, [*(s for test in tests for s in _check(test)), (_RETURN, 0, 0, _ALLOW)])
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _numbers(table: str, column: int) -> list[int]:
    """A column of a table; where it is empty the architecture has no such call."""
    cells = [(entry.partition("=")[2].split("/") * 2)[column] for entry in table.split()]
    return [int(cell) for cell in cells if cell]


def _when(number: int, body: list[Instruction]) -> list[Instruction]:
    """Run the body, which returns, for this system call."""
    return [(_EQUAL, 0, len(body), number), *body]


def _check(test: _Test) -> list[Instruction]:
    """Go on if the test holds, else return EPERM. Both architectures are little-endian: low half first."""
    held = (1, 0) if test.equal else (0, 1)
    return [
        (_LOAD, 0, 0, 16 + 8 * test.argument),
        (_AND, 0, 0, test.mask),
        (_EQUAL, *held, test.value),
        (_RETURN, 0, 0, _EPERM),
    ]


def _seccomp(sandbox: Sandbox, opened: _Opened) -> bool:
    """Filter all threads of this process. False where there is no table of numbers, or no seccomp."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES or struct.calcsize("P") != 8:
        return False
    steps = program(sandbox, machine, os.getpid(), opened)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    flags = 1 | 4  # TSYNC; SPEC_ALLOW: no speculation barrier, the process holds no secret but its own
    return _syscall(_ARCHITECTURES[machine].seccomp, 1, flags, header) == 0  # SECCOMP_SET_MODE_FILTER
