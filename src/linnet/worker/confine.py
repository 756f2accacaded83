"""What a program that a tool runs may touch, applied to the process that is about to become it.

Hides the places that any program needs, the rights of folders, and namespaces where the kernel grants them.

Covered: opening, listing, running, making, changing and removing files outside the roots and the system's own
programs; sockets of any kind (unless the network was asked for); signals to others and their memory; mounts,
namespaces, io_uring, bpf, capabilities, set-uid programs; modes, owners and times of files outside the writable
roots, by a read-only view of the file system, and where there is none by refusing to change any.
Not covered: names and metadata of files (stat, readlink); the scheduling of other processes of the same user; how
much is written in all (one file is bounded); side channels of shared hardware.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from pathlib import Path
from typing import NamedTuple

from linnet.errors import SandboxUnavailable
from linnet.hardware.probe import landlock_abi
from linnet.limits import LIMITS
from linnet.program import Launch
from linnet.worker import kernel, landlock, seccomp
from linnet.worker.landlock import Rule

SYSTEM = (
    "/usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc/alternatives /etc/ld.so.cache /etc/localtime /etc/nsswitch.conf"
).split()
"""What programs are made of: they may read and run it."""
_DEVICES = "/dev/null /dev/zero /dev/full /dev/random /dev/urandom".split()

_RUN = landlock.EXECUTE | landlock.READ_FILE | landlock.READ_DIR
_DEVICE = landlock.READ_FILE | landlock.WRITE_FILE
_CHANGE = (
    _RUN | landlock.WRITE_FILE | landlock.TRUNCATES | landlock.REMOVE_DIR | landlock.REMOVE_FILE | landlock.MAKE_DIR
    | landlock.MAKE_FILE | landlock.MAKE_FIFO | landlock.MAKE_LINK | landlock.REFER
)  # fmt: skip

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID = 0x0002_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000
_ANY_NAMESPACE = 0x7E02_0000


class Apart(NamedTuple):
    """Which namespaces this process got: of process ids, and of mounts with a read-only view."""

    processes: bool = False
    mounts: bool = False


# --- namespaces ----------------------------------------------------------------------------------


def separate() -> Apart:
    """Namespaces for the children of this process, as far as the kernel grants them."""
    wanted = _NEWNS | _NEWIPC | _NEWPID
    user, group = os.getuid(), os.getgid()
    if kernel.libc().unshare(wanted) == 0:
        return Apart(True, True)
    if kernel.libc().unshare(wanted | _NEWUSER) != 0:
        return Apart()
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    return Apart(True, True)


def view(writable: tuple[int, ...]) -> bool:
    """Make the whole file system read-only but for what is writable; whether that holds. In own namespaces only."""
    places = [place_of(each) for each in writable]
    libc, private, bind = kernel.libc(), 1 << 18 | 1 << 14, 1 << 12
    if libc.mount(b"none", b"/", None, private, None) != 0:
        return False
    changeable = [place for place in places if not os.statvfs(place).f_flag & os.ST_RDONLY]
    for place in changeable:
        if libc.mount(os.fsencode(place), os.fsencode(place), None, bind, None) != 0:
            return False
    if not _read_only("/", True):
        return False
    return all(_read_only(place, False) for place in changeable)


def place_of(descriptor: int) -> str:
    """Where an open file is, in the words of this mount namespace."""
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def enter(cwd: int) -> None:
    """Make a folder the current one; by its name, as its descriptor may be of another mount namespace."""
    os.chdir(place_of(cwd))
    if not os.path.samestat(Path().stat(), os.fstat(cwd)):
        raise FileNotFoundError(2, "the current folder has been moved")


def _read_only(place: str, wanted: bool) -> bool:
    """mount_setattr(2): all mounts from a place on made read-only, or one mount made writable again."""
    attributes = struct.pack("=QQQQ", int(wanted), int(not wanted), 0, 0)
    recursive = 0x8000 if wanted else 0
    buffers = ctypes.c_char_p(os.fsencode(place)), ctypes.create_string_buffer(attributes, 32)
    return kernel.syscall(442, -100, buffers[0], recursive, buffers[1], 32) == 0


# --- the lock ------------------------------------------------------------------------------------


def check(apart: Apart) -> None:
    """Raises SandboxUnavailable where this kernel cannot keep a program in."""
    abi = landlock_abi()
    missing = ["files"] if abi < landlock.TRUNCATE else []
    missing += ["signals"] if abi < landlock.SCOPES and not apart.processes else []
    if missing:
        message = f"programs are not run: this system cannot enforce {', '.join(missing)}"
        raise SandboxUnavailable(message, hint="It takes Linux 6.2, or 6.12 without namespaces.", missing=missing)


def lock(job: Launch, apart: Apart) -> tuple[str, ...]:
    """Lock this process for good; the parts that are enforced. Raises SandboxUnavailable if one is missing."""
    _limit(job)
    rules = [*_system(), *_roots(job)]
    holds = {
        "no_new_privs": kernel.no_new_privileges(),
        "capabilities": kernel.drop_capabilities(),
        "files": landlock.restrict(rules, files=True, network=not job.network, signals=True) >= landlock.TRUNCATE,
        "network": job.network,
        "processes": seccomp.install(_filter(job, apart)),
    }
    holds["network"] = holds["processes"]
    missing = [part for part, held in holds.items() if not held]
    if missing:
        raise SandboxUnavailable(f"programs are not run: this system cannot enforce {', '.join(missing)}")
    apart_names = ("namespaces",) * apart.processes + ("read-only view",) * apart.mounts
    return (*(part for part in holds if part != "network" or not job.network), *apart_names)


def _limit(job: Launch) -> None:
    import resource

    kernel.lower(resource.RLIMIT_CORE, 1)  # as in linnet.worker.lockdown
    kernel.lower(resource.RLIMIT_FSIZE, LIMITS.program_file_bytes)
    kernel.lower(resource.RLIMIT_DATA, job.memory)
    kernel.lower(resource.RLIMIT_MEMLOCK, 0)


def _system() -> list[Rule]:
    rules = [_rule(path, _RUN) for path in SYSTEM] + [_rule(path, _DEVICE) for path in _DEVICES]
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
    denied = [seccomp.KERNEL, seccomp.TRACING, seccomp.SHARED]
    denied += [] if job.network else [seccomp.NETWORK]
    denied += [] if apart.mounts else [seccomp.METADATA]
    rows = [seccomp.TERMINAL, ("clone=56/220", (seccomp.Test(0, 0, mask=_ANY_NAMESPACE),))]
    rows += [] if job.network else [seccomp.PAIRS]
    if not apart.processes:  # all stay in one process group, which is killed at one stroke
        denied.append(seccomp.SESSIONS)
        rows.append(("prlimit64=302/261", (seccomp.Test(0, 0),)))
    return seccomp.Rules(" ".join(denied), seccomp.CLONE3, tuple(rows))
