"""One folder whose content may be opened, and nothing outside it.

Hides how a path is kept inside. One descriptor of the root is held; every open starts from it and is resolved
by the kernel with openat2 (Linux 5.6), RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS: there is no check before
the open that a race could slip past. BENEATH, not NO_SYMLINKS: a link that stays inside (`latest -> v2`) is
the owner's own way to name a file, and one that leads out fails in the kernel, however it is swapped. Where
openat2 is absent, a path is walked one component at a time with O_NOFOLLOW: no link is followed, and no `..`.

Covered: `..`, absolute paths, links that lead out or are swapped during the call, /proc links, NUL bytes,
very long names; FIFOs, sockets and devices (opened without blocking, then refused).
Not covered: what the owner of the root put there by hard link or mount is inside.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from linnet.errors import ToolDenied, ToolFailed, ToolInvalid

PIECE = 64 * 1024
"""Bytes that are read from a file at a time."""

_OPENAT2 = 437
"""Its number on every architecture but Alpha (linux/arch/*/syscall.tbl)."""
_NO_MAGICLINKS, _BENEATH = 0x02, 0x08
_TRIES = 32
_HOLD = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

Opener = Callable[[int, bytes, int], int]


class Root:
    """A folder whose content may be read, and nothing outside it. Paths are relative to it."""

    def __init__(self, path: str | Path) -> None:
        if not hasattr(os, "O_NOFOLLOW") or os.open not in os.supports_dir_fd:
            raise ToolInvalid("the file tools need a POSIX system: this one cannot open below a descriptor")
        try:
            self.descriptor = os.open(path, _HOLD)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"{called(str(path))} cannot be the root of file tools: {reason}"
            raise ToolInvalid(message, hint="Give an existing folder as the root.") from error
        weakref.finalize(self, os.close, self.descriptor)
        self.opener: Opener = _openat2 if _has_openat2(self.descriptor) else _walk

    @contextmanager
    def read(self, path: str) -> Iterator[BufferedReader[FileIO]]:
        """A regular file. Raises ToolDenied if the path leads out, ToolFailed if it cannot be read."""
        descriptor = self._open(path, 0)
        with BufferedReader(FileIO(descriptor), PIECE) as file, told(path):
            yield file

    @contextmanager
    def scan(self, folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        """The entries of a folder, in no order. Raises as `read` does."""
        descriptor = self._open(folder, os.O_DIRECTORY)
        try:
            with told(folder), os.scandir(descriptor) as entries:
                yield entries
        finally:
            os.close(descriptor)

    @contextmanager
    def parent(self, path: str) -> Iterator[tuple[int, bytes]]:
        """The opened folder that a path is in, and its last name, for calls that follow no link there. Raises as
        `read` does, also for what goes wrong inside."""
        folder, _, name = path.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            raise ToolFailed(f"{called(path)} names no file")
        if path.startswith("/"):
            raise ToolDenied(f"{called(path)} {_OUTSIDE[errno.EXDEV]}", hint=_INSIDE)
        with told(path, "changed"):
            last = os.fsencode(name)
        descriptor = self._open(folder or ".", os.O_DIRECTORY)
        try:
            yield descriptor, last
        finally:
            os.close(descriptor)

    def _open(self, path: str, flags: int) -> int:
        """A descriptor of a folder with O_DIRECTORY, and of a regular file without."""
        if "\0" in path:
            raise ToolDenied(f"{called(path)} has a NUL character", hint=_INSIDE)
        with told(path):
            descriptor = self.opener(self.descriptor, os.fsencode(path), _READ | flags)
        mode = os.fstat(descriptor).st_mode
        if flags or stat.S_ISREG(mode):
            return descriptor
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise ToolFailed(f"{called(path)} is {kind}")


_INSIDE = "Name a path inside the folder that the agent was given."
_OUTSIDE = {errno.EXDEV: "leads out of the folder", errno.ELOOP: "goes through a link that is not followed"}
_REASONS = {
    errno.ENOENT: "does not exist",
    errno.EACCES: "may not be {}",
    errno.EPERM: "may not be {}",
    errno.ENOTDIR: "is not a folder, or goes through a file",
    errno.ENAMETOOLONG: "has too long a name",
    errno.ENXIO: "is not a regular file",
    errno.EAGAIN: "is being moved about; try again",
}


def called(path: str) -> str:
    return printable(path)[:200] or "the empty path"


@contextmanager
def told(path: str, doing: str = "read") -> Iterator[None]:
    """The system's errors in words that name the path as it was given, and no other."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise ToolFailed(f"{called(path)} is not a file name") from error
    except OSError as error:
        number = error.errno or 0
        if number in _OUTSIDE:
            raise ToolDenied(f"{called(path)} {_OUTSIDE[number]}", hint=_INSIDE) from error
        reason = _REASONS.get(number, f"cannot be {{}}: {os.strerror(number)}").format(doing)
        raise ToolFailed(f"{called(path)} {reason}") from error


class _How(ctypes.Structure):
    """struct open_how of linux/openat2.h."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@cache
def _syscall() -> Any:
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    call.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_How), ctypes.c_size_t]
    return call


def _openat2(folder: int, path: bytes, flags: int) -> int:
    how = _How(flags, 0, _BENEATH | _NO_MAGICLINKS)
    number = errno.EAGAIN
    for _ in range(_TRIES):  # EAGAIN: something was renamed while `..` was resolved
        descriptor = _syscall()(_OPENAT2, folder, path, ctypes.byref(how), ctypes.sizeof(how))
        if descriptor >= 0:
            return int(descriptor)
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number))


def _has_openat2(folder: int) -> bool:
    """Whether the kernel has it and lets us: old container filters answer EPERM."""
    if sys.platform != "linux":
        return False
    try:
        os.close(_openat2(folder, b".", os.O_PATH | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _walk(folder: int, path: bytes, flags: int) -> int:
    """Without openat2: component by component from the descriptor, following no link."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if path.startswith(b"/") or b".." in parts:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    current = os.dup(folder)
    try:
        for part in parts[:-1]:
            below = _step(current, part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            os.close(current)
            current = below
        return _step(current, parts[-1] if parts else b".", flags)
    finally:
        os.close(current)


def _step(folder: int, name: bytes, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError:  # what O_DIRECTORY makes of a link
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        raise


def printable(name: str) -> str:
    """A name from the disk or the request, without characters that are invisible or do things."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name[:4_096])
