"""Encodings that were made of model files for this machine: which one is to be loaded in place of which file.

    records/KEY.json       an Encoding, by the original's hash, the machine and the engine; without one no file counts
    blobs/SHA256.gguf      the bytes of one, complete before they get this name; never changed
    making/NAME.gguf       what is being made: it belongs to the process that has it locked, and ends with it

Hides this layout, below the folder of the models, and the order of writes by which nothing is ever half visible.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from pydantic import ValidationError

from linnet import storage
from linnet.errors import ModelInUse, ModelInvalid
from linnet.hardware import probe
from linnet.hardware.accelerators import ENGINE
from linnet.hardware.machine import Machine
from linnet.limits import LIMITS
from linnet.models import locks, naming, store
from linnet.models.encoding import Encoding, read
from linnet.models.shelf import writing


def engine() -> str:
    """The version of the engine that encodes and computes: with another one, other types may be faster."""
    try:
        return f"{ENGINE} {metadata.version(ENGINE)}"
    except metadata.PackageNotFoundError:
        return ENGINE


def host(machine: Machine) -> str:
    """What of a machine decides which encoding is fastest: its kind, its cores, and what its processor can do."""
    return f"{probe.key(machine)} | {' '.join(machine.features or ())}"


class Making:
    """A file that is being written: `path` and an open descriptor `fd`. Until it is closed nobody else touches it."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self.fd = path, fd

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def sha256(self) -> str:
        return store.digest(self.fd)

    def settle(self) -> None:
        """Its bytes on the disk, and nobody's to change."""
        os.fchmod(self.fd, 0o444)
        os.fsync(self.fd)


class Encodings:
    """Those kept below one folder. Every digest is checked before it becomes part of a path."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or storage.models_folder() / "encodings"

    # --- looking ---------------------------------------------------------------------------------

    def any_stored(self) -> bool:
        """Whether anything was ever decided: if not, no file need be hashed to look for its own."""
        try:
            with os.scandir(self.root / "records") as entries:
                return any(entry.name.endswith(".json") for entry in entries)
        except OSError:
            return False

    def records(self) -> list[Encoding]:
        """Every decision that can be read, by the name of the original."""
        found = (self._read(path)[0] for path in self._paths())
        return sorted((one for one in found if one), key=lambda one: (one.name, one.original, one.machine))

    def decided(self, original: str, machine: str, engine: str) -> tuple[Encoding | None, str]:
        """`(decision, note)` for a file on a machine; None without a note where there is none, None with one where
        it cannot be read. Its `sha256` is None where the original was found to be best."""
        return self._read(self._record(original, machine, engine))

    def for_host(self, original: str, machine: str, engine: str) -> tuple[Encoding | None, str]:
        """`(encoding, note)`: the file to load in place of the original, None if there is none, and why not if one
        was made and cannot be used. Whether its bytes are right is not looked at."""
        found, note = self.decided(original, machine, engine)
        if found is None or found.sha256 is None:
            return None, note
        if not self.blob(found.sha256).is_file():
            return None, f"the {found.label.replace(',', ' encoding', 1)} is gone: the original was used"
        return found, ""

    def of(self, original: str) -> list[Encoding]:
        """All decisions for a file, those for other machines and engines included."""
        return [one for one in self.records() if one.original == original]

    def blob(self, sha256: str) -> Path:
        if not naming.is_digest(sha256):
            raise ModelInvalid(f"{sha256[:80]!r} is not a SHA-256", what="digest")
        return self.root / "blobs" / f"{sha256}.gguf"

    # --- changing --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def making(self) -> Iterator[Making]:
        """A new, empty file beside the others, which is gone afterwards unless `publish` has taken it.

        What killed processes have left is removed first. Raises StorageFull or InputInvalid where nothing can be
        written.
        """
        with writing(self.root):
            for folder in ("records", "blobs", "making"):
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            with self._changing():  # a sweep must not see the file before it is locked
                self._sweep()
                fd, name = tempfile.mkstemp(suffix=".gguf", dir=self.root / "making")
                locks.hold(fd)
        path = Path(name)
        try:
            yield Making(path, fd)
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            os.close(fd)

    def publish(self, found: Encoding, made: Making | None = None) -> Encoding:
        """Make a decision count, with the file that it is about; it takes the place of the one before, and of those
        for other versions of the engine on the same machine.

        The bytes are synced before they are renamed, the rename before the record is written, and that before what
        it takes the place of is removed.
        """
        with writing(self.root), self._changing():
            if made is not None:
                assert found.sha256 is not None
                made.settle()
                made.path.replace(self.blob(found.sha256))
                storage.sync_folder(self.root / "blobs")
            storage.write_whole(self._record(found.original, found.machine, found.engine), found.write())
            for old in self.of(found.original):
                if old.machine == found.machine and old.engine != found.engine:
                    self._record(old.original, old.machine, old.engine).unlink(missing_ok=True)
            self._sweep()
        return found

    def remove(self, original: str, *, force: bool = False) -> tuple[int, int]:
        """Forget everything decided for a file; `(encodings removed, bytes freed)`.

        Raises ModelInUse, unless forced, if a running Linnet has one open; nothing is removed then.
        """
        if not self.of(original):  # nor is there a folder then, perhaps
            return 0, 0
        freed = 0
        with writing(self.root), self._changing(), contextlib.ExitStack() as held:
            found = self.of(original)
            blobs = {self.blob(one.sha256): one for one in found if one.sha256}
            for path, one in blobs.items():
                if not (held.enter_context(locks.alone(path)) or force):
                    pids = list(locks.holders(path))
                    who = f" by process {', '.join(map(str, pids))}" if pids else ""
                    message = f"the {one.type} encoding of {one.name!r} is in use{who}"
                    raise ModelInUse(message, name=one.name, processes=pids)
            for one in found:
                self._record(one.original, one.machine, one.engine).unlink(missing_ok=True)
            storage.sync_folder(self.root / "records")
            for path in blobs:
                with contextlib.suppress(FileNotFoundError):
                    freed += path.stat().st_size
                    path.unlink()
        return len(blobs), freed

    # --- files -----------------------------------------------------------------------------------

    def _record(self, original: str, machine: str, engine: str) -> Path:
        key = hashlib.sha256("\n".join((original, machine, engine)).encode()).hexdigest()
        return self.root / "records" / f"{key}.json"

    def _paths(self) -> list[Path]:
        return sorted(path for path in (self.root / "records").glob("*.json") if not path.name.startswith("."))

    def _read(self, path: Path) -> tuple[Encoding | None, str]:
        limit = LIMITS.encoding_record_bytes
        try:
            with path.open("rb") as file:
                body = file.read(limit + 1)
            found = read(body) if len(body) <= limit else None
        except (FileNotFoundError, NotADirectoryError):
            return None, ""
        except (OSError, ValidationError, RecursionError):
            found = None
        if found is None or self._record(found.original, found.machine, found.engine) != path:
            return None, f"what was decided on encodings is passed over: {path} is damaged, or of another version"
        return found, ""

    def _sweep(self) -> None:
        """Remove what has no owner: files half made by processes that ended, and blobs that no record names."""
        kept = self._named()
        blobs = () if kept is None else (self.root / "blobs").glob("*.gguf")
        left = [path for path in blobs if path.stem not in (kept or ())]
        for path in (*left, *(self.root / "making").glob("*.gguf")):
            with locks.alone(path) as free:
                if free:
                    path.unlink(missing_ok=True)
        for path in (self.root / "records").glob(".*.json.*"):  # written under the lock, and by nobody else
            path.unlink(missing_ok=True)

    def _named(self) -> set[str] | None:
        """Every digest in any record; None where one cannot be opened. What a damaged record names, or one that a
        newer Linnet wrote, is somebody's."""
        found: set[str] = set()
        for path in self._paths():
            try:
                with path.open("rb") as file:
                    body = file.read(LIMITS.encoding_record_bytes)
            except FileNotFoundError:
                continue
            except OSError:
                return None
            found.update(digest.decode() for digest in re.findall(rb"[0-9a-f]{64}", body))
        return found

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Only one process at a time changes what is visible; it is a matter of milliseconds."""
        with locks.exclusive(self.root / "lock"):
            yield
