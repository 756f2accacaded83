"""seccomp: which system calls a process may still make, as a filter in classic BPF.

Hides numbers, tables for two architectures, and the little machine that runs the filter.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import NamedTuple

from linnet.limits import Sandbox
from linnet.worker import kernel

# System calls that end in EPERM: name=number on x86_64/number on aarch64, one number where both agree.
OPEN = "open=2/ openat=257/56"
FILES = """
    openat2=437 creat=85/ mkdir=83/ mkdirat=258/34 mknod=133/ mknodat=259/33 rmdir=84/
    unlink=87/ unlinkat=263/35 rename=82/ renameat=264/38 renameat2=316/276 link=86/ linkat=265/37
    symlink=88/ symlinkat=266/36 truncate=76/45 chmod=90/ fchmod=91/52 fchmodat=268/53 fchmodat2=452
    chown=92/ fchown=93/55 lchown=94/ fchownat=260/54 utime=132/ utimes=235/ utimensat=280/88
    futimesat=261/ setxattr=188/5 lsetxattr=189/6 fsetxattr=190/7 removexattr=197/14 lremovexattr=198/15
    fremovexattr=199/16 open_by_handle_at=304/265 name_to_handle_at=303/264 inotify_add_watch=254/27
    fanotify_init=300/262 fanotify_mark=301/263 chroot=161/51 memfd_create=319/279 memfd_secret=447
    mq_open=240/180 mq_unlink=241/181 uselib=134/ acct=163/89 quotactl=179/60 quotactl_fd=443
"""
NETWORK = "socket=41/198 connect=42/203 bind=49/200 listen=50/201 accept=43/202 accept4=288/242"
PROCESSES = """
    execve=59/221 execveat=322/281 fork=57/ vfork=58/ ptrace=101/117 process_vm_readv=310/270
    process_vm_writev=311/271 process_madvise=440 process_mrelease=448 pidfd_open=434 pidfd_getfd=438
    pidfd_send_signal=424 kcmp=312/272 migrate_pages=256/238 move_pages=279/239
"""
SYSTEM_V = """
    shmget=29/194 shmat=30/196 shmctl=31/195 semget=64/190 semop=65/193 semctl=66/191 semtimedop=220/192
    msgget=68/186 msgsnd=69/189 msgrcv=70/188 msgctl=71/187
"""  # an id that is guessed is as good as one that was asked for
TRACING = """
    ptrace=101/117 process_vm_readv=310/270 process_vm_writev=311/271 process_madvise=440 process_mrelease=448
    pidfd_getfd=438 kcmp=312/272 migrate_pages=256/238 move_pages=279/239
"""
SHARED = """
    memfd_create=319/279 memfd_secret=447 mq_open=240/180 mq_unlink=241/181
    open_by_handle_at=304/265 chroot=161/51 acct=163/89 quotactl=179/60 quotactl_fd=443
"""
METADATA = """
    chmod=90/ fchmod=91/52 fchmodat=268/53 fchmodat2=452 chown=92/ fchown=93/55 lchown=94/ fchownat=260/54
    utime=132/ utimes=235/ utimensat=280/88 futimesat=261/ setxattr=188/5 lsetxattr=189/6 fsetxattr=190/7
    removexattr=197/14 lremovexattr=198/15 fremovexattr=199/16
"""
FORKS = "fork=57/ vfork=58/ clone=56/220"
SESSIONS = "setsid=112/157 setpgid=109/154"
CLONE3 = "clone3=435"  # hides its flags in memory; C libraries then fall back to clone
OPENAT2 = "openat2=437"  # hides its mode in memory; what uses it falls back to openat
KERNEL = """
    mount=165/40 umount2=166/39 pivot_root=155/41 open_tree=428 move_mount=429 fsopen=430 fsconfig=431
    fsmount=432 fspick=433 mount_setattr=442 unshare=272/97 setns=308/268 bpf=321/280
    perf_event_open=298/241 io_uring_setup=425 io_uring_enter=426 io_uring_register=427 userfaultfd=323/282
    keyctl=250/219 add_key=248/217 request_key=249/218 init_module=175/105 finit_module=313/273
    delete_module=176/106 kexec_load=246/104 kexec_file_load=320/294 reboot=169/142 swapon=167/224
    swapoff=168/225 syslog=103/116 lookup_dcookie=212/18 iopl=172/ ioperm=173/ modify_ldt=154/
    settimeofday=164/170 clock_settime=227/112 clock_adjtime=305/266 adjtimex=159/171 sethostname=170/161
    setdomainname=171/162 vhangup=153/58
"""
O_STRANGE, O_WRITES = 0o3000_0000, 0o1103  # PATH, TMPFILE; WRONLY, RDWR, CREAT, TRUNC: the same on both
_MAKES = 0o2000_0100  # TMPFILE, CREAT: with others the C library leaves anything in the place of the mode
_NEWEST = 462  # mseal of Linux 6.10; what came later may undo what is said here, and is ENOSYS
_ALL = 0xFFFF_FFFF


class Test(NamedTuple):
    """The call passes only if the low half of an argument, under a mask, is (or is not) this value.

    `when`: only where an argument has one of these bits, for the others of a call may be anything then.
    """

    argument: int
    value: int
    mask: int = _ALL
    equal: bool = True
    when: tuple[int, int] | None = None


class Architecture(NamedTuple):
    audit: int  # AUDIT_ARCH_* of linux/audit.h
    column: int  # in the tables above
    seccomp: int  # the number of seccomp(2)


ARCHITECTURES = {
    "x86_64": Architecture(0xC000_003E, 0, 317),
    "aarch64": Architecture(0xC000_00B7, 1, 277),
}


Row = tuple[str, tuple[Test, ...]]
"""A row of a table, and what must hold of the arguments for the call to pass."""

_REQUESTS = (0x5412, 0x541C, 0x8901, 0x8902)  # TIOCSTI, TIOCLINUX; FIOSETOWN, SIOCSPGRP, which are F_SETOWN again
CONTROL: Row = ("ioctl=16/29", tuple(Test(1, request, equal=False) for request in _REQUESTS))
INTERNET: Row = ("socket=41/198", (Test(0, 2, mask=_ALL & ~8),))  # AF_INET or AF_INET6
PAIRS: Row = ("socketpair=53/199", (Test(0, 1), Test(1, 1, mask=0xF)))  # AF_UNIX, SOCK_STREAM
"""A pair of datagram sockets can still send to any address."""


def _lent(argument: int, when: tuple[int, int] | None = None) -> tuple[Test, ...]:
    return (Test(argument, 0, mask=0o6000, when=when),)


MODES: tuple[Row, ...] = (
    ("chmod=90/ fchmod=91/52 creat=85/ mknod=133/", _lent(1)),
    ("fchmodat=268/53 fchmodat2=452 mknodat=259/33", _lent(2)),
    ("open=2/", _lent(2, when=(1, _MAKES))),
    ("openat=257/56", _lent(3, when=(2, _MAKES))),
)
"""No file lends its owner's rights, or its group's, to whoever runs it."""


class Opened(NamedTuple):
    """Descriptors whose files may be opened again."""

    readable: tuple[int, ...] = ()
    writable: tuple[int, ...] = ()


NOTHING = Opened()


@dataclass(frozen=True)
class Rules:
    """Tables of calls that end in EPERM, of calls that end in ENOSYS, and of those that depend on their arguments."""

    denied: str
    absent: str = ""
    rows: tuple[Row, ...] = ()


def for_child(sandbox: Sandbox, pid: int, opened: Opened = NOTHING) -> Rules:
    """For a child of ours with process id `pid`; with `opened` files `open` and `openat` are left to Landlock."""
    denied = [KERNEL]
    denied += [OPEN] * (sandbox.files and not any(opened)) + [FILES] * sandbox.files
    denied += [NETWORK] * sandbox.network + [PROCESSES, SYSTEM_V] * sandbox.processes
    absent = CLONE3 if sandbox.processes else ""
    return Rules(" ".join(denied), absent, tuple(_conditions(sandbox, pid, opened)))


def _conditions(sandbox: Sandbox, pid: int, opened: Opened) -> list[Row]:
    """The calls that depend on their arguments, as rows of a table and what must hold for them to pass."""
    rows: list[Row] = [CONTROL]
    if sandbox.files and any(opened):  # Landlock does not judge O_PATH
        refused = O_STRANGE if opened.writable else O_STRANGE | O_WRITES
        rows += [("open=2/", (Test(1, 0, mask=refused),)), ("openat=257/56", (Test(2, 0, mask=refused),))]
    if sandbox.network:
        rows.append(PAIRS)
    if sandbox.processes:
        thread = 0x0001_0000  # CLONE_THREAD
        owner = tuple(Test(1, command, equal=False) for command in (8, 10, 15))  # F_SETOWN, _SETSIG, _SETOWN_EX
        rows += [
            ("clone=56/220", (Test(0, thread, mask=thread),)),
            ("kill=62/129 tkill=200/130 tgkill=234/131", (Test(0, pid),)),
            ("rt_sigqueueinfo=129/138 rt_tgsigqueueinfo=297/240", (Test(0, pid),)),
            ("prlimit64=302/261", (Test(0, 0),)),
            ("fcntl=72/25", owner),
            ("prctl=157/167", (Test(0, kernel.PR_SET_PDEATHSIG, equal=False),)),
        ]
    return rows


_LOAD, _AND, _EQUAL, _ABOVE, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x06
_ALLOW, _ASK, _KILL, _EPERM, _ENOSYS = 0x7FFF_0000, 0x7FC0_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026

Instruction = tuple[int, int, int, int]
"""Code, steps to skip when true, steps to skip when false, constant: struct sock_filter."""


def program(rules: Rules, machine: str) -> list[Instruction]:
    """The filter on an architecture of `ARCHITECTURES`.

    Offsets into struct seccomp_data: number 0, architecture 4, arguments from 16 on, 8 bytes each.
    """
    audit, column, _ = ARCHITECTURES[machine]
    steps: list[Instruction] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL)]
    # the newer calls, and with them those of x32, whose numbers have bit 30 set
    steps += [(_LOAD, 0, 0, 0), (_ABOVE, 0, 1, _NEWEST), (_RETURN, 0, 0, _ENOSYS)]
    for table, answer in ((rules.denied, _EPERM), (rules.absent, _ENOSYS)):
        for number in _numbers(table, column):
            steps += _when(number, [(_RETURN, 0, 0, answer)])
    for names, tests in rules.rows:
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


def _check(test: Test) -> list[Instruction]:
    """Go on if the test holds, else return EPERM. Both architectures are little-endian: low half first."""
    held = (1, 0) if test.equal else (0, 1)
    steps = [*_masked(test.argument, test.mask), (_EQUAL, *held, test.value), (_RETURN, 0, 0, _EPERM)]
    return [*_masked(*test.when), (_EQUAL, len(steps), 0, 0), *steps] if test.when else steps


def _masked(argument: int, mask: int) -> list[Instruction]:
    return [(_LOAD, 0, 0, 16 + 8 * argument), (_AND, 0, 0, mask)]


def install(rules: Rules) -> bool:
    """Filter all threads of this process. False where there is no table of numbers, or no seccomp."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES or struct.calcsize("P") != 8:
        return False
    # TSYNC; SPEC_ALLOW: no speculation barrier, the process holds no secret but its own
    return _load(program(rules, machine), 1 | 4) == 0


def listen(table: str) -> int:
    """Have these calls of this thread, and of what it starts, wait for whoever reads from the descriptor that is
    returned (seccomp_unotify(2)); -1 where that cannot be had. Filters that refuse a call go before this one.
    """
    machine = os.uname().machine
    if machine not in ARCHITECTURES or struct.calcsize("P") != 8:
        return -1
    steps: list[Instruction] = [(_LOAD, 0, 0, 0)]
    for number in _numbers(table, ARCHITECTURES[machine].column):
        steps += _when(number, [(_RETURN, 0, 0, _ASK)])
    return _load([*steps, (_RETURN, 0, 0, _ALLOW)], 4 | 8)  # SPEC_ALLOW, NEW_LISTENER


def _load(steps: list[Instruction], flags: int) -> int:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    return kernel.syscall(ARCHITECTURES[os.uname().machine].seccomp, 1, flags, header)  # SECCOMP_SET_MODE_FILTER
