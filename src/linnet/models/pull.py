"""Bring a model, or an adapter of one, into the store: from a hub, or from a path; whole, checked, and once.

Hides what it takes that a model is either there and right or not there: room is asked for first, one process fetches
while the others wait, bytes are held against the SHA-256 before they get a name, and so is the header.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from linnet.errors import HubOffline, InputInvalid, ModelInvalid, ModelMismatch, StorageFull
from linnet.hardware import budget, probe
from linnet.limits import LIMITS
from linnet.models import adapters, addresses, catalogue, choice, family, gguf, locks, naming, quantisation, store
from linnet.models.hub import Hub, Sink
from linnet.models.integrity import sound_header
from linnet.models.part import Part, Watch
from linnet.models.shelf import Record, Shelf, writing


@dataclass(frozen=True)
class Pulled:
    """`path` is the file, `fetched` the bytes that came now, `kept` those that a cut pull had left here.

    `already` is true when nothing had to come. `record` is None for a model that stays where its package has it.
    """

    name: str
    path: Path
    record: Record | None
    fetched: int = 0
    kept: int = 0
    already: bool = False
    notes: tuple[str, ...] = ()


@dataclass
class _Job:
    """What one pull works with."""

    shelf: Shelf
    watch: Watch
    free: Callable[[Path], int]
    notes: list[str] = field(default_factory=list)


def free_bytes(folder: Path) -> int:
    """What this user may still write on the disk of a folder."""
    return shutil.disk_usage(folder).free


def pull(
    text: str,
    *,
    name: str | None = None,
    endpoint: str | None = None,
    offline: bool = False,
    watch: Watch = lambda stage, done, total: None,
    shelf: Shelf | None = None,
    free: Callable[[Path], int] = free_bytes,
    host: choice.Host | None = None,
    pause: float = 1.0,
    patience: float = LIMITS.hub_silence_seconds,
) -> Pulled:
    """The model that `text` names (see `linnet.models.naming`), stored as `name` or as its file is called.

    `endpoint` is the hub's address (None: HF_ENDPOINT, the public one), `free` tells the room on the disk of a
    folder, `host` the machine that a quantisation is chosen for (None: this one); `pause` and `patience` are the
    hub's. Raises a ModelError, InputInvalid or SettingsInvalid; what has come until then is gone on with next time.
    """
    if naming.split_adapter(text)[1]:
        raise InputInvalid(f"{text[:200]!r} names a model and an adapter", hint="Pull each of the two by itself.")
    wanted = naming.parse(text)
    job = _Job(shelf or Shelf(), watch, free)
    if name is not None:
        _check_free_of_catalogue(naming.check_name(name))
    if isinstance(wanted, naming.OnDisk):
        return _from_disk(job, wanted.path, name)
    if not isinstance(wanted, naming.OnHub):
        return _in_place(job, text, name)
    offline = offline or addresses.is_offline()
    if (offline or wanted.pinned) and (stored := _stored(job, wanted, name)):
        return stored
    if offline:
        raise HubOffline(f"offline mode is on, and {wanted} is not stored whole", reference=str(wanted))
    address = addresses.endpoint(endpoint)
    hub = Hub(
        address, addresses.token(address), pause=pause, patience=patience, retrying=lambda why: job.notes.append(why)
    )
    return _from_hub(job, hub, wanted, name, host)


# --- what needs no hub ---------------------------------------------------------------------------


def _in_place(job: _Job, text: str, name: str | None) -> Pulled:
    """A known model, or one in a package, is used where it lies; a stored one is there already."""
    if name is not None:
        raise InputInvalid(f"{text!r} has its name already", hint="--as is for models of a hub and for files.")
    located = store.locate(text)
    with gguf.open_model(located.path) as file:
        store.verify(located, file)
    return Pulled(located.name, located.path, job.shelf.find(located.name), already=True)


def _stored(job: _Job, wanted: naming.OnHub, name: str | None) -> Pulled | None:
    record = job.shelf.match(wanted)
    path = job.shelf.blob(record.sha256) if record else None
    if record is None or path is None or name not in (None, record.name) or not _is_sound(path, record):
        return None
    return Pulled(record.name, path, record, already=True)


def _from_disk(job: _Job, path: Path, name: str | None) -> Pulled:
    with gguf.open_model(path) as file:
        header = sound_header(file)
        job.watch("checking", 0, header.file_size)
        digest = store.digest(file.fileno())
        chosen = name or naming.default_name(path.name)
        record = Record(chosen, digest, header.file_size, f"file:{path.absolute()}", file=path.name)

        def copy(sink: Sink) -> None:
            while block := os.pread(file.fileno(), 1 << 20, sink.have):
                if not sink.write(block):
                    return

        return _obtain(job, _claimed(job, record), copy)


# --- from a hub ----------------------------------------------------------------------------------


def _from_hub(job: _Job, hub: Hub, wanted: naming.OnHub, name: str | None, host: choice.Host | None) -> Pulled:
    job.watch("asking", 0, 0)
    listing = hub.listing(wanted.repo, wanted.revision or "main")
    if listing.odd:
        job.notes.append(f"{listing.odd} files of the repository have odd names and are passed over")
    chosen = choice.choose(listing.files, wanted.selector, host or _this_machine(wanted.selector))
    file = chosen.file
    if file.sha256 is None or file.size <= 0:
        raise ModelInvalid(
            f"the hub tells no SHA-256 of {file.path!r}, so what comes could not be checked",
            hint="Choose a file that the hub stores as a large one (LFS).",
        )
    if wanted.selector is None:
        job.notes.append(f"{file.path} ({budget.size(file.size)}) was chosen: {chosen.reason}")
    record = Record(
        name or naming.default_name(file.path),
        file.sha256,
        file.size,
        f"hf:{listing.repo}@{listing.commit}:{file.path}",
        quantisation=file.quantisation or "unknown",
        repo=listing.repo,
        file=file.path,
        revision=wanted.revision or "main",
        commit=listing.commit,
        endpoint=hub.endpoint,
    )
    return _obtain(job, _claimed(job, record), lambda sink: hub.fetch(listing, file, sink))


def _this_machine(selector: str | None) -> choice.Host:
    """Asked and measured only where there is something to choose."""
    if selector is not None:
        return choice.Host()
    machine = probe.probe()
    known = probe.recall(machine)
    return choice.Host(machine.memory_available, (known and known.bandwidth) or probe.bandwidth())


# --- names ---------------------------------------------------------------------------------------


def _check_free_of_catalogue(name: str) -> None:
    if name in catalogue.names():
        hint = "Give another name with --as."
        raise InputInvalid(f"{name!r} is the name of a known model or adapter", hint=hint, name=name)


def _claimed(job: _Job, record: Record) -> Record:
    """The record, if its name is free, or belongs to the same file at another revision, or to the same bytes."""
    _check_free_of_catalogue(record.name)
    there = job.shelf.find(record.name)
    if there is None or there.sha256 == record.sha256:
        return record
    if there.repo is None or (there.repo, there.file) != (record.repo, record.file):
        message = f"the name {record.name!r} belongs to another model, {there.source}"
        raise InputInvalid(message, hint="Give another name with --as, or remove that one first.", name=record.name)
    job.notes.append(f"replaces commit {there.commit or 'unknown'}")
    return record


# --- one download, whole or not at all -----------------------------------------------------------


def _obtain(job: _Job, record: Record, fetch: Callable[[Sink], None]) -> Pulled:
    shelf = job.shelf
    shelf.prepare()
    with locks.exclusive(shelf.lock(record.sha256), lambda owner: job.watch("waiting", owner or 0, 0)) as waited:
        path = shelf.blob(record.sha256)
        if path.is_file() and not _is_sound(path, record):
            job.notes.append("the stored file was damaged, and is fetched again")
            shelf.discard(record.sha256)
        if path.is_file():
            if waited:
                job.notes.append("another process fetched it meanwhile")
            done = shelf.find(record.name)
            if done is None or done.sha256 != record.sha256 or _says_more(record, done):
                done = shelf.publish(_described(record, path))
            shelf.abandon(record.sha256)
            return Pulled(record.name, path, done, already=True, notes=tuple(job.notes))
        with Part(shelf, record, watch=job.watch) as part:
            kept = part.have
            _check_room(job, record, part.have)
            shelf.begin(record)
            fetch(part)
            fetched = _checked(job, record, part, kept, fetch)
        done = shelf.publish(_sound_header(job, record))
        return Pulled(record.name, path, done, fetched, record.size - fetched, notes=tuple(job.notes))


def _says_more(record: Record, there: Record) -> bool:
    """The same bytes under another revision of a hub: by that they shall be found from now on."""
    return record.repo is not None and (record.source, record.revision) != (there.source, there.revision)


def _check_room(job: _Job, record: Record, have: int) -> None:
    need = record.size - have + LIMITS.disk_spare_bytes
    with writing(job.shelf.root):
        free = job.free(job.shelf.root)
    if free < need:
        message = f"{record.name} needs {budget.size(need)} of disk, {budget.size(free)} are free in {job.shelf.root}"
        raise StorageFull(message, needed=need, free=free)


def _checked(job: _Job, record: Record, part: Part, kept: int, fetch: Callable[[Sink], None]) -> int:
    """Hold the bytes against the digest; returns how many of them came now.

    What an earlier pull has left may be at fault (a disk that lost power): then all is fetched once more.
    """
    if kept and part.restarted:
        job.notes.append("the hub did not go on where the file was cut: all of it was fetched again")
    found = part.digest()
    if found != record.sha256 and kept and not part.restarted:
        job.notes.append("what was here of the file was damaged: all of it was fetched again")
        part.restart()
        fetch(part)
        found = part.digest()
    if found == record.sha256:
        return record.size if part.restarted else record.size - kept
    job.shelf.abandon(record.sha256)
    message = f"what came is not {record.source}: its SHA-256 is {found}, not {record.sha256}"
    hint = "Run the command again; if it returns, the hub or something on the way changes the file."
    raise ModelMismatch(message, hint=hint, expected=record.sha256, found=found)


def _sound_header(job: _Job, record: Record) -> Record:
    """A file whose header is not sound never gets a name."""
    try:
        return _described(record, job.shelf.part(record.sha256))
    except ModelInvalid:
        job.shelf.abandon(record.sha256)
        raise


def _described(record: Record, path: Path) -> Record:
    with gguf.open_model(path) as file:
        header = sound_header(file)
    known = replace(record, quantisation=quantisation.of_header(header), architecture=header.architecture)
    if adapters.is_adapter(header):
        return replace(known, kind="adapter")
    return replace(known, family=family.detect(header).name)


def _is_sound(path: Path, record: Record) -> bool:
    """Whether the stored file still has its bytes."""
    try:
        with gguf.open_model(path) as file:
            store.verify(store.Located(path, record.name, record.sha256), file)
    except (ModelMismatch, ModelInvalid):
        return False
    return True
