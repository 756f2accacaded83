"""Where Linnet keeps its files, how small JSON files are read and replaced whole, and how a line is appended whole.

Hides the atomic write (temporary file, fsync, rename, fsync of the folder) and every reason why a
cache cannot be read or written: to the caller such a file is simply not there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid, StorageFull

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where a disk, a quota or a limit on the size of files takes no more."""


def cache_folder() -> Path:
    """$LINNET_CACHE, or $XDG_CACHE_HOME/linnet, or ~/.cache/linnet. It need not exist.

    A relative $XDG_CACHE_HOME is ignored, as the XDG base directory specification asks.
    """
    if own := os.environ.get("LINNET_CACHE"):
        return Path(own)
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (shared if shared.is_absolute() else _home() / ".cache") / "linnet"


def models_folder() -> Path:
    """$LINNET_MODELS, or $XDG_DATA_HOME/linnet/models, or ~/.local/share/linnet/models. It need not exist."""
    if own := os.environ.get("LINNET_MODELS"):
        return Path(own)
    return data_folder() / "models"


def data_folder() -> Path:
    """$XDG_DATA_HOME/linnet, or ~/.local/share/linnet. It need not exist."""
    shared = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (shared if shared.is_absolute() else _home() / ".local" / "share") / "linnet"


def state_folder() -> Path:
    """$XDG_STATE_HOME/linnet, or ~/.local/state/linnet. It need not exist."""
    shared = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (shared if shared.is_absolute() else _home() / ".local" / "state") / "linnet"


def read_json(path: Path) -> Any | None:
    """The value in the file; None when it is absent, unreadable or broken."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def write_json(path: Path, value: Any) -> bool:
    """Replace the file in one step: a reader sees the old value or the new one, also after a power cut.

    Makes the folder if need be. False when the value cannot be written; the old file is then left alone.
    """
    try:
        body = json.dumps(value, allow_nan=False).encode()
        write_whole(path, body)
    except (OSError, ValueError, TypeError, RecursionError):
        return False
    return True


def write_whole(path: Path, body: bytes) -> None:
    """As `write_json` does, for a file that must not be lost: raises OSError when it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_pieces(path, (body,))


def write_pieces(path: Path, pieces: Iterable[bytes], mode: int = 0o600) -> None:
    """As `write_whole` does, for a file that is more than fits into memory, with these permissions."""
    _replace(path, pieces, mode)
    sync_folder(path.parent)


def append(descriptor: int, line: bytes) -> None:
    """Appends to an open file: on the disk when this returns, or not at all. Raises OSError."""
    start = os.fstat(descriptor).st_size
    try:
        left = memoryview(line)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, start)
        raise


@contextlib.contextmanager
def resumable(path: Path) -> Iterator[None]:
    """What the system says of a file that a command can go on with, as StorageFull or InputInvalid."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            hint = "Make room, then go on with --resume."
            raise StorageFull(f"{str(path)!r}: the disk has no room", hint=hint, path=str(path)) from error
        raise InputInvalid(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error


def sync_folder(folder: Path) -> None:
    """Keeps a rename in it. Some file systems refuse it for a folder, and Windows has no such call."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _home() -> Path:
    """The home folder. An account without one has no cache: below the null device nothing can be made."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def _replace(path: Path, pieces: Iterable[bytes], mode: int) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            temporary.chmod(mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
