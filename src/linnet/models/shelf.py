"""The models on this disk: complete ones under their names, and what is fetched of others so far.

    names/NAME.json         a Record; a model is there exactly when this file is
    blobs/SHA256.gguf       its bytes, complete and checked before they get this name; never changed
    partial/SHA256.part     bytes that have come so far, with SHA256.json: what they will become
    partial/SHA256.lock     the process that fetches them

Hides this layout and the order of writes that makes a half-done model impossible to see: bytes are synced, then
renamed, then the record is written whole. After any crash a file is either not visible or right.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet import storage
from linnet.errors import InputInvalid, ModelInUse, ModelInvalid, PullFailed, StorageFull
from linnet.messages import STRICT
from linnet.models import locks, naming, quantisation

Kind: TypeAlias = Literal["model", "adapter"]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, config=STRICT)
class Record:
    """A stored model, or an adapter of one. `size` in bytes, `stored` in seconds since 1970 (0: not stored yet).

    `source` is a reference to exactly this file (`hf:owner/repo@commit:file`) or where it was copied from;
    `endpoint` is the hub that it came from, `revision` what was asked for and `commit` what that meant.
    `architecture` of an adapter is that of the models that it may be for.
    """

    name: str
    sha256: Digest
    size: Annotated[int, Field(gt=0)]
    source: str
    quantisation: str = "unknown"
    architecture: str = "unknown"
    family: str = "unknown"
    repo: str | None = None
    file: str | None = None
    revision: str | None = None
    commit: str | None = None
    endpoint: str | None = None
    stored: float = 0
    kind: Kind = "model"

    def describe(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, config=STRICT)
class Incomplete:
    """A model that is not whole: `have` of `record.size` bytes are here; `owner` is the process that fetches it."""

    record: Record
    have: int
    owner: int | None


class Shelf:
    """The store below one folder. Every name and digest is checked before it becomes part of a path."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or storage.models_folder()

    # --- looking ---------------------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Every complete model, by name."""
        found = (_read(path) for path in _files(self.root / "names"))
        return [record for record in found if record and self.blob(record.sha256).is_file()]

    def find(self, name: str) -> Record | None:
        """The model of this name; None also for what cannot be a name."""
        try:
            record = _read(self._name(name))
        except InputInvalid:
            return None
        return record if record and self.blob(record.sha256).is_file() else None

    def match(self, wanted: naming.OnHub) -> Record | None:
        """The newest stored model that this reference means, if there is one."""

        def means(record: Record) -> bool:
            file = record.file or ""
            selectors = {file, file.rpartition("/")[2], quantisation.of_name(file), record.quantisation}
            revisions = {record.revision, record.commit}
            named = wanted.selector is None or wanted.selector in selectors
            return record.repo == wanted.repo and named and (not wanted.revision or wanted.revision in revisions)

        return max(filter(means, self.records()), key=lambda record: record.stored, default=None)

    def incomplete(self) -> list[Incomplete]:
        """What is being fetched, or was cut: `models pull` of its source goes on with it."""
        found = []
        for path in _files(self.root / "partial"):
            if record := _read(path):
                part, lock = self.part(record.sha256), self.lock(record.sha256)
                here = part if part.is_file() else self.blob(record.sha256)
                found.append(Incomplete(record, _size(here), next(iter(locks.holders(lock)), None)))
        return found

    # --- where things are ------------------------------------------------------------------------

    def blob(self, sha256: str) -> Path:
        return self.root / "blobs" / f"{_digest(sha256)}.gguf"

    def part(self, sha256: str) -> Path:
        return self.root / "partial" / f"{_digest(sha256)}.part"

    def lock(self, sha256: str) -> Path:
        return self.root / "partial" / f"{_digest(sha256)}.lock"

    def _state(self, sha256: str) -> Path:
        return self.root / "partial" / f"{_digest(sha256)}.json"

    def _name(self, name: str) -> Path:
        return self.root / "names" / f"{naming.check_name(name)}.json"

    # --- changing; whoever does so holds the lock of the digest ----------------------------------

    def prepare(self) -> None:
        """Make the folders. Raises StorageFull or InputInvalid where that cannot be done."""
        with writing(self.root):
            for folder in ("names", "blobs", "partial"):
                (self.root / folder).mkdir(parents=True, exist_ok=True)

    def begin(self, record: Record) -> None:
        """Note what is about to be fetched, so that it can be listed and gone on with."""
        with writing(self.root), self._changing():
            storage.write_whole(self._state(record.sha256), _body(record))

    def abandon(self, sha256: str) -> None:
        """Forget what has been fetched of a file."""
        with writing(self.root):
            for path in (self.part(sha256), self._state(sha256)):
                path.unlink(missing_ok=True)

    def check_free(self, name: str) -> None:
        """Raises InputInvalid for the name of a model that is here."""
        if there := self.find(name):
            message = f"the name {name!r} belongs to another model, {there.source}"
            raise InputInvalid(message, hint="Give another name with --as.", name=name)

    def publish(self, record: Record, made: Path | None = None, *, new: bool = False) -> Record:
        """Give the fetched and checked part its name, or a file of this disk that was made; returns the record as it
        stands now. A `new` one takes the place of none: InputInvalid for a name that somebody was given meanwhile.

        A blob that is there already is given a further name. The file is synced before it is renamed, and the
        rename before the record is written.
        """
        record = replace(record, stored=round(time.time(), 3))
        name, blob, part = self._name(record.name), self.blob(record.sha256), made or self.part(record.sha256)
        with writing(self.root), self._changing():
            if new:
                self.check_free(record.name)
            if part.exists():
                _settle(part)
                part.replace(blob)
                storage.sync_folder(blob.parent)
            elif not blob.is_file():
                raise PullFailed(f"the file of {record.name!r} was removed while it was given its name")
            storage.write_whole(name, _body(record))
            self._state(record.sha256).unlink(missing_ok=True)
            storage.sync_folder(part.parent)
            self._sweep()
        return record

    def discard(self, sha256: str) -> None:
        """Remove a blob that no longer holds the bytes of its digest."""
        with writing(self.root):
            self.blob(sha256).unlink(missing_ok=True)

    def remove(self, name: str, *, force: bool = False) -> int:
        """Remove a model, or what was fetched of one; returns the bytes freed. Nobody else may be fetching it.

        Raises InputInvalid if there is none, and ModelInUse, unless forced, if a running Linnet has it open. A
        process that has it open keeps it until it ends, also when it is removed by force.
        """
        record = self.find(name)
        if record is None:
            return self._remove_part(name)
        blob = self.blob(record.sha256)
        with writing(self.root), self._changing(), locks.alone(blob) as free:
            shared = any(other.sha256 == record.sha256 and other.name != name for other in self.records())
            if not (free or shared or force):
                pids = locks.holders(blob)
                who = f" by process {', '.join(map(str, pids))}" if pids else ""
                raise ModelInUse(f"the model {name!r} is in use{who}", name=name, processes=list(pids))
            self._name(name).unlink(missing_ok=True)
            storage.sync_folder(self.root / "names")
            if not shared:
                blob.unlink(missing_ok=True)
            self._sweep()
        return 0 if shared else record.size

    def _remove_part(self, name: str) -> int:
        found = next((one for one in self.incomplete() if one.record.name == name), None)
        if found is None:
            known = ", ".join(record.name for record in self.records()) or "no model"
            hint = f"Stored are: {known}. See `linnet models list`."
            raise InputInvalid(f"no stored model is called {name[:100]!r}", hint=hint, name=name[:100])

        def refuse(owner: int | None) -> None:
            who = "another process" if owner is None else f"process {owner}"
            raise ModelInUse(f"{name!r} is being fetched by {who}", hint="End that process first.", name=name)

        with locks.exclusive(self.lock(found.record.sha256), refuse):
            self.abandon(found.record.sha256)
        return found.have

    def _sweep(self) -> None:
        """Remove what updates and killed processes leave: files without a name that nobody has open or locked."""
        half = {one.record.sha256 for one in self.incomplete()}
        kept = half | {record.sha256 for record in self.records()}
        blobs = [path for path in _files(self.root / "blobs", ".gguf") if path.stem not in kept]
        stale = [path for path in _files(self.root / "partial", ".lock") if path.stem not in half]
        for path in (*blobs, *stale):
            if naming.is_digest(path.stem):
                with locks.alone(path) as free:
                    if free:
                        path.unlink(missing_ok=True)
        for folder in ("names", "partial"):  # written by who has the lock, and by nobody else
            for path in (self.root / folder).glob(".*.json.*"):
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Only one process at a time writes records; it is a matter of milliseconds."""
        with locks.exclusive(self.root / "lock"):
            yield


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns what a disk says no with into a typed error."""
    try:
        yield
    except OSError as error:
        if error.errno in storage.FULL:
            raise StorageFull(f"there is no room left in {folder}: {error.strerror}", folder=str(folder)) from error
        hint = "Set LINNET_MODELS to a folder that can be written."
        message = f"the models folder {folder} cannot be written: {error.strerror}"
        raise InputInvalid(message, hint=hint, folder=str(folder)) from error


# --- files ---------------------------------------------------------------------------------------

_RECORDS = TypeAdapter(Record)
_RECORD_BYTES = 1 << 16
"""A record has a few hundred; a larger file is not one."""


def _body(record: Record) -> bytes:
    return _RECORDS.dump_json(record, indent=1)


def _read(path: Path) -> Record | None:
    """The record in a file; None if it is absent, broken, or says another name or digest than the file has."""
    try:
        with path.open("rb") as file:
            record = _RECORDS.validate_json(file.read(_RECORD_BYTES), strict=True)
    except (OSError, ValidationError):
        return None
    return record if path.stem in (record.name, record.sha256) else None


def _files(folder: Path, ending: str = ".json") -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ending and not path.name.startswith("."))
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _digest(sha256: str) -> str:
    if not naming.is_digest(sha256):
        raise ModelInvalid(f"{sha256[:80]!r} is not a SHA-256", what="digest")
    return sha256


def _settle(part: Path) -> None:
    """Its bytes on the disk, and nobody's to change."""
    fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(fd, 0o444)
        os.fsync(fd)
    finally:
        os.close(fd)
