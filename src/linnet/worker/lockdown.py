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

import os
import stat
import sys
from collections.abc import Sequence

from linnet.errors import SandboxUnavailable
from linnet.limits import Sandbox
from linnet.worker import kernel, landlock, seccomp
from linnet.worker.seccomp import NOTHING, Opened

# --- the face ------------------------------------------------------------------------------------


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when the thread that started it ends; exit at once if it is gone.

    `parent` is the starter's process id as the starter knows it. Without it, a parent that died before
    this call goes unnoticed. Call it before `apply`, which makes the wish irrevocable.
    """
    parent = os.getppid() if parent is None else parent
    if sys.platform == "linux":
        kernel.libc().prctl(kernel.PR_SET_PDEATHSIG, 9, 0, 0, 0)
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
    opened = Opened(tuple(readable), tuple(writable)) if sandbox.files else NOTHING
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
    return sys.platform == "linux" and _seccomp(Sandbox(network=False, processes=False), NOTHING)


_PARTS = ("no_new_privs", "capabilities", "files", "network", "processes", "memory")


def _lock(sandbox: Sandbox, opened: Opened) -> dict[str, bool]:
    """Does everything, in the one order that works: what needs /proc or a capability comes first."""
    alone = kernel.threads() == 1
    memory = _limit(sandbox)
    no_new_privs = kernel.no_new_privileges()
    capabilities = kernel.drop_capabilities() and alone
    abi = _landlock(sandbox, opened) if alone else 0
    filtered = _seccomp(sandbox, opened)
    files = abi >= landlock.TRUNCATE or (filtered and not any(opened))
    return {
        "no_new_privs": no_new_privs,
        "capabilities": capabilities,
        "files": files,
        "network": filtered,
        "processes": filtered,
        "memory": memory,
    }


def _limit(sandbox: Sandbox) -> bool:
    """Resource limits; whether the one on memory holds (Linux counts private mappings since 4.7)."""
    import resource

    # 0 would still feed a dump to a handler that core_pattern pipes to; 1 stops that as well (core(5))
    kernel.lower(resource.RLIMIT_CORE, 1)
    if sandbox.files:
        kernel.lower(resource.RLIMIT_FSIZE, sandbox.file_bytes)
    data = kernel.data_bytes() if sandbox.memory > 0 else None
    if data is not None:
        kernel.lower(resource.RLIMIT_DATA, data + sandbox.memory)
    return data is not None


_READABLE = landlock.READ_FILE
_WRITABLE = landlock.READ_FILE | landlock.WRITE_FILE | landlock.TRUNCATES


def _landlock(sandbox: Sandbox, opened: Opened) -> int:
    """The ABI in force, 0 if there is none. Of a folder, a rule would open all that is below it: it gets none."""
    pairs = zip((_READABLE, _WRITABLE), opened, strict=True)
    rules = [landlock.Rule(rights, each) for rights, some in pairs for each in some if _regular(each)]
    return landlock.restrict(rules, files=sandbox.files, network=sandbox.network, signals=sandbox.processes)


def _regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _seccomp(sandbox: Sandbox, opened: Opened) -> bool:
    return seccomp.install(seccomp.for_child(sandbox, os.getpid(), opened))
