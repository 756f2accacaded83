"""What a program that a tool runs may touch, applied to the process that is about to become it.

Hides the places that any program needs, the rights of folders, and namespaces where the kernel grants them.

Covered: opening, listing, running, making, changing and removing files outside the roots and the system's own
programs; sockets of any kind (unless the network was asked for); signals to others and their memory; mounts,
namespaces, io_uring, bpf, capabilities, set-uid programs; modes, owners and times of files outside the writable
roots, by a read-only view of the file system, and where there is none by refusing to change any; set-uid and set-gid
files anywhere; memory that no process is charged with (memory files, shared segments, queues).
As many processes and threads as `program_tasks` says, and no more for a moment (`linnet.worker.gate`).
Not covered: names and metadata of files (stat, readlink); the scheduling of other processes of the same user; how
much is written in all (one file is bounded); side channels of shared hardware.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
import struct
from pathlib import Path
from typing import NamedTuple

from linnet.errors import InputInvalid, SandboxUnavailable
from linnet.hardware.probe import landlock_abi
from linnet.limits import LIMITS
from linnet.program import Launch
from linnet.worker import gate, kernel, landlock, seccomp
from linnet.worker.landlock import Rule

SYSTEM = (
    "/usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc/alternatives /etc/ld.so.cache /etc/localtime /etc/nsswitch.conf"
).split()
"""What programs are made of: they may read and run it."""
_NETWORK = "/etc/hosts /etc/resolv.conf /etc/services /etc/ssl/certs".split()
_DEVICES = "/dev/null /dev/zero /dev/full /dev/random /dev/urandom".split()

_RUN = landlock.EXECUTE | landlock.READ_FILE | landlock.READ_DIR
_DEVICE = landlock.READ_FILE | landlock.WRITE_FILE
_CHANGE = (
    _RUN | landlock.WRITE_FILE | landlock.TRUNCATES | landlock.REMOVE_DIR | landlock.REMOVE_FILE | landlock.MAKE_DIR
    | landlock.MAKE_FILE | landlock.MAKE_FIFO | landlock.MAKE_LINK | landlock.REFER
)  # fmt: skip

_NOSUID, _NODEV, _NOEXEC, _BIND, _RECURSIVE, _PRIVATE = 1 << 1, 1 << 2, 1 << 3, 1 << 12, 1 << 14, 1 << 18
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID = 0x0002_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000
_ANY_NAMESPACE = 0x7E02_0000


class Apart(NamedTuple):
    """Which namespaces a program got: of process ids, of mounts with a read-only view, and its own /proc in it."""

    processes: bool = False
    mounts: bool = False
    proc: bool = False


# --- namespaces ----------------------------------------------------------------------------------


def separate() -> bool:
    """Namespaces of process ids and of shared memory for the children of this process, if the kernel grants them."""
    wanted = _NEWIPC | _NEWPID
    user, group = os.getuid(), os.getgid()
    if kernel.libc().unshare(wanted) == 0:
        return True
    if kernel.libc().unshare(wanted | _NEWUSER) != 0:
        return False
    with contextlib.suppress(OSError):  # it only shows other ids than usual, then
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    return True


def view(writable: tuple[int, ...]) -> Apart:
    """Have this process, which is in a namespace of process ids, see a file system that only the writable places can
    be changed in, with a /proc of its own; as far as that can be had. Raises InputInvalid for a place that was moved.
    """
    if kernel.libc().unshare(_NEWNS) != 0 or not _mount("none", "/", _RECURSIVE | _PRIVATE):
        return Apart(True)
    places = [place_of(each) for each in writable]
    changeable = [place for place in places if not os.statvfs(place).f_flag & os.ST_RDONLY]
    if not all(_mount(place, place, _BIND) for place in changeable) or not _read_only("/", True):
        return Apart(True)
    for place in changeable:
        if not _read_only(place, False):
            raise InputInvalid(f"{place} cannot be made writable for a program")
    own = _mount("proc", "/proc", _NOSUID | _NODEV | _NOEXEC, "proc", "subset=pid")
    return Apart(True, True, own)


def _mount(source: str, target: str, flags: int, kind: str | None = None, options: str | None = None) -> bool:
    words = [os.fsencode(word) if word is not None else None for word in (source, target, kind, options)]
    return int(kernel.libc().mount(*words[:3], ctypes.c_ulong(flags), words[3])) == 0


def place_of(descriptor: int) -> str:
    """Where an open file is, by a name: descriptors lead into the mounts of the namespace that they come from."""
    place = Path(f"/proc/self/fd/{descriptor}").readlink()
    if not os.path.samestat(place.stat(), os.fstat(descriptor)):
        raise InputInvalid(f"{place} was moved while a program was started")
    return str(place)


def _read_only(place: str, wanted: bool) -> bool:
    """mount_setattr(2): all mounts from a place on made read-only, or one mount made writable again."""
    attributes = struct.pack("=QQQQ", int(wanted), int(not wanted), 0, 0)
    recursive = 0x8000 if wanted else 0
    buffers = ctypes.c_char_p(os.fsencode(place)), ctypes.create_string_buffer(attributes, 32)
    return kernel.syscall(442, -100, buffers[0], recursive, buffers[1], 32) == 0


# --- the lock ------------------------------------------------------------------------------------


def check(processes: bool) -> None:
    """Raises SandboxUnavailable where this kernel cannot keep a program in. `processes`: in a namespace of them."""
    abi = landlock_abi()
    missing = ["files"] if abi < landlock.TRUNCATE else []
    missing += ["signals"] if abi < landlock.SCOPES and not processes else []
    if missing:
        message = f"programs are not run: this system cannot enforce {', '.join(missing)}"
        raise SandboxUnavailable(message, hint="It takes Linux 6.2, or 6.12 without namespaces.", missing=missing)


def lock(job: Launch, apart: Apart, hand: socket.socket) -> tuple[str, ...]:
    """Lock this process for good; the parts that are enforced. Its gate goes to the other end of `hand`.

    Raises SandboxUnavailable if a part is missing.
    """
    _limit(job)
    rules = [*_system(apart, job.network), *_roots(job)]
    holds = {
        "no_new_privs": kernel.no_new_privileges(),
        "capabilities": kernel.drop_capabilities(),
        "tasks": gate.close_behind(hand),
        "files": landlock.restrict(rules, files=True, network=not job.network, signals=True) >= landlock.TRUNCATE,
        "processes": seccomp.install(_filter(job, apart)),
    }
    missing = [part for part, held in holds.items() if not held]
    if missing:
        raise SandboxUnavailable(f"programs are not run: this system cannot enforce {', '.join(missing)}")
    named = {"network": not job.network, "namespaces": apart.processes, "read-only view": apart.mounts}
    return (*holds, *(part for part, held in named.items() if held))


def _limit(job: Launch) -> None:
    import resource

    kernel.lower(resource.RLIMIT_CORE, 1)  # as in linnet.worker.lockdown
    kernel.lower(resource.RLIMIT_FSIZE, LIMITS.program_file_bytes)
    kernel.lower(resource.RLIMIT_DATA, job.memory)


def _system(apart: Apart, network: bool) -> list[Rule]:
    """`/proc` only as one of the program's own: the system's tells of all processes."""
    folders = (*SYSTEM, *_NETWORK * network, *["/proc"] * apart.proc)
    rules = [_rule(path, _RUN) for path in folders] + [_rule(path, _DEVICE) for path in _DEVICES]
    return [rule for rule in rules if rule is not None]


def _rule(path: str, rights: int) -> Rule | None:
    try:
        return _fitting(os.open(path, os.O_PATH | os.O_CLOEXEC), rights)
    except OSError:
        return None


def _roots(job: Launch) -> list[Rule]:
    return [_fitting(each, _RUN) for each in job.readable] + [_fitting(each, _CHANGE) for each in job.writable]


def _fitting(descriptor: int, rights: int) -> Rule:
    """A file can have some of a folder's rights only, and a rule with others is refused."""
    folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    return Rule(rights if folder else rights & landlock.OF_FILES, descriptor)


def _filter(job: Launch, apart: Apart) -> seccomp.Rules:
    denied = [seccomp.KERNEL, seccomp.TRACING, seccomp.SYSTEM_V, seccomp.SHARED]
    denied += [] if job.network else [seccomp.NETWORK]
    denied += [] if apart.mounts else [seccomp.METADATA]
    rows = [seccomp.CONTROL, ("clone=56/220", (seccomp.Test(0, 0, mask=_ANY_NAMESPACE),))]
    rows += seccomp.MODES
    rows.append(seccomp.INTERNET if job.network else seccomp.PAIRS)
    if not apart.processes:  # all stay in one process group, which is killed at one stroke
        denied.append(seccomp.SESSIONS)
        rows.append(("prlimit64=302/261", (seccomp.Test(0, 0),)))
    return seccomp.Rules(" ".join(denied), f"{seccomp.CLONE3} {seccomp.OPENAT2}", tuple(rows))
