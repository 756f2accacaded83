"""Advisory locks on files: one downloads while the others wait, and a model in use is not removed.

Hides flock(2) and the file in which the owner tells its process id. A lock ends with its process, however that
ends. Where a file system has no locks (some network ones), everybody is taken to have it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL = 0.1
"""Seconds between two looks at a lock that another process has."""

_UNKNOWN = 10
"""Looks after which an owner that has not written its process id yet is not expected to do so."""


@contextlib.contextmanager
def exclusive(path: Path, waiting: Callable[[int | None], None] = lambda owner: None) -> Iterator[bool]:
    """Hold the lock file for the block; yields whether another one had it before.

    `waiting` is told the owner's process id, once for each owner; None where it is not known. The file is removed
    at the end: who had waited for it finds that it is no longer the one at the path, and takes the next.
    """
    looks = 0
    told: int | None = -1
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _taken(fd, shared=False):
                owner = _owner(fd)
                if owner != told and (owner is not None or looks == _UNKNOWN):
                    waiting(owner)
                    told = owner
                looks += 1
                time.sleep(_POLL)
            if _is_at(fd, path):
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                try:
                    yield looks > 0
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(fd)


def hold(fd: int) -> bool:
    """Mark an open file as in use, together with others, until it is closed; False if somebody removes it now."""
    return _taken(fd, shared=True)


def hold_alone(fd: int) -> bool:
    """Keep an open file to oneself until it is closed; False if somebody else has it."""
    return _taken(fd, shared=False)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody holds this file; for the block, nobody will. A file that is not there is held by nobody."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _taken(fd, shared=False)
    finally:
        os.close(fd)


def holders(path: Path) -> tuple[int, ...]:
    """The processes that hold a file, as far as the system tells (Linux: proc_locks(5))."""
    try:
        status, text = path.stat(), Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return ()
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    found = re.findall(rf"FLOCK +ADVISORY +[A-Z]+ +([0-9]+) +{place} ", text)
    return tuple(sorted({int(pid) for pid in found if int(pid) > 0}))


def _taken(fd: int, *, shared: bool) -> bool:
    import fcntl

    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _owner(fd: int) -> int | None:
    text = os.pread(fd, 20, 0)
    return int(text) if re.fullmatch(rb"[0-9]+\n", text) else None


def _is_at(fd: int, path: Path) -> bool:
    try:
        here, there = os.fstat(fd), path.stat()
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
