"""Computed prefixes of prompts on disk: what a worker is handed at its start, and what becomes of those it makes.

    CONTEXT-KEY.state   a head that says whose state it is, padded to a page, and the state as the engine wrote it

CONTEXT stands for all that a state depends on beside its tokens, KEY for these and their adapter. Hides this layout,
the bounds on it, and every reason why a file cannot be read or written: to the caller it is just not there. A file is
written beside its place and renamed, without waiting for the disk: one that a power cut has torn is told by
its length, or by the digest that the worker checks before it uses a state.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet import storage
from linnet.limits import LIMITS
from linnet.messages import STRICT
from linnet.models import encodings
from linnet.protocol import Freed, Load, Record, Restored, Saved, Snapshot, Top

_MAGIC = b"linnetKV"
_VERSION = 1
_FIRST = struct.Struct("<8sII32s")
"""Magic, version, bytes of the head, SHA-256 of the head."""

_PAGE = 4_096
_NAME = 24
"""Characters of a digest that stand in the name of a file."""

_STALE = 3_600.0
"""Seconds after which a file that nobody has finished is nobody's."""


@dataclass(frozen=True, config=STRICT)
class _Head:
    context: str
    adapter: str
    tokens: tuple[int, ...]
    top: Top
    digest: str
    size: int


_HEAD = TypeAdapter(_Head)


class SnapshotStore:
    """The files below one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or storage.cache_folder() / "snapshots"

    def opened(self, context: str) -> Iterator[Snapshot]:
        """Those of a context, last used first, each with an open descriptor that is the caller's to close.

        A file that is damaged is removed.
        """
        for path in self._by_use(f"{context[:_NAME]}-*.state"):
            with contextlib.suppress(OSError):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                found = _read(fd, context, path.stem)
                if found is None:
                    os.close(fd)
                    path.unlink()
                else:
                    yield found

    def publish(self, context: str, saved: Saved, scratch: int) -> None:
        """Copy what was saved in the scratch to its place, and let what was used longest ago go."""
        head = _Head(context, saved.adapter, saved.tokens, saved.top, saved.digest, saved.size)
        body = _HEAD.dump_json(head)
        path = self._folder / f"{_key(head)}.state"
        if len(body) > LIMITS.snapshot_header_bytes or self.touch(path.stem):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            first = _FIRST.pack(_MAGIC, _VERSION, len(body), hashlib.sha256(body).digest())
            self._write(path, (first + body).ljust(_start(len(body)), b"\0"), scratch, saved)
            self._sweep()

    def touch(self, key: str) -> bool:
        """Note that it was used; False if it is not there."""
        try:
            os.utime(self._folder / f"{key}.state")
        except OSError:
            return False
        return True

    def remove(self, key: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / f"{key}.state").unlink()

    def _write(self, path: Path, front: bytes, scratch: int, saved: Saved) -> None:
        fd, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=self._folder)
        try:
            with os.fdopen(fd, "wb", buffering=0) as file:
                file.write(front)
                done = 0
                while done < saved.size:
                    sent = os.sendfile(fd, scratch, saved.offset + done, saved.size - done)
                    if sent == 0:
                        raise OSError("the scratch is shorter than what was saved in it")
                    done += sent
                os.fsync(fd)
            Path(name).replace(path)
            storage.sync_folder(self._folder)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _sweep(self) -> None:
        kept = total = 0
        for path in self._by_use("*.state"):
            size = path.stat().st_size
            kept, total = kept + 1, total + size
            if kept > LIMITS.snapshots_kept or total > LIMITS.snapshots_bytes:
                path.unlink(missing_ok=True)
                kept, total = kept - 1, total - size
        for path in self._folder.glob(".*.part"):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink(missing_ok=True)

    def _by_use(self, pattern: str) -> list[Path]:
        used = {}
        for path in self._folder.glob(pattern):
            with contextlib.suppress(OSError):
                used[path] = path.stat().st_mtime_ns
        return sorted(used, key=lambda path: -used[path])


def context_of(weights: str, load: Load) -> str:
    """What a state depends on beside tokens and adapter: the weights, the engine, how keys and values are stored, and
    the size of the context, by which some models scale positions."""
    parts = [_VERSION, weights, encodings.engine(), load.cache, load.context]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _key(head: _Head) -> str:
    """The name of a file without its ending."""
    tokens = hashlib.sha256(json.dumps([head.context, head.adapter, head.tokens]).encode()).hexdigest()
    return f"{head.context[:_NAME]}-{tokens[:_NAME]}"


def _start(head: int) -> int:
    """Where the state begins behind a head of so many bytes."""
    return -(-(_FIRST.size + head) // _PAGE) * _PAGE


def _read(fd: int, context: str, key: str) -> Snapshot | None:
    """What a file says of itself, if its head is whole, is that of its name, and all of the state is there."""
    first = os.pread(fd, _FIRST.size, 0)
    if len(first) < _FIRST.size:
        return None
    magic, version, size, sha256 = _FIRST.unpack(first)
    if (magic, version) != (_MAGIC, _VERSION) or size > LIMITS.snapshot_header_bytes:
        return None
    body = os.pread(fd, size, _FIRST.size)
    if hashlib.sha256(body).digest() != sha256:
        return None
    try:
        head = _HEAD.validate_json(body)
    except ValidationError:
        return None
    offset = _start(size)
    if (head.context, _key(head)) != (context, key) or os.fstat(fd).st_size != offset + head.size or not head.tokens:
        return None
    return Snapshot(key, fd, offset, head.size, head.digest, head.tokens, head.top, head.adapter)


class Snapshots:
    """The prefixes of one model, whose weights are known as `weights`: lent to its workers, taken from them.

    What takes time is done by a thread that nobody waits for.
    """

    def __init__(self, weights: str, store: SnapshotStore | None = None) -> None:
        self._weights = weights
        self._store = store or SnapshotStore()
        self._context = ""
        self._lent: tuple[str, ...] = ()
        self._trusted = True
        self._scratch = -1
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.seconds: list[float] = []
        """What each restoring took, of those that were told."""

    def lend(self, load: Load, opened: ExitStack) -> Load:
        """The load with descriptors for one worker, which are closed here with `opened`."""
        self._drop_scratch()
        self._context, self._lent = context_of(self._weights, load), ()
        found: list[Snapshot] = []
        if self._trusted:
            adapters = {"", *(adapter.name for adapter in load.adapters)}
            left = LIMITS.record_bytes // 4  # tokens and all else of the load go over in one record
            for one in self._store.opened(self._context):
                opened.callback(os.close, one.fd)
                left -= one.offset
                if left < 0 or len(found) == LIMITS.snapshots_open:
                    break
                if one.adapter in adapters:
                    found.append(one)
        self._lent = tuple(one.key for one in found)
        if hasattr(os, "memfd_create"):
            self._scratch = os.memfd_create("linnet-snapshots", os.MFD_CLOEXEC)
            os.ftruncate(self._scratch, LIMITS.snapshot_bytes)
        return replace(load, snapshots=tuple(found), scratch=self._scratch)

    def take(self, record: Saved | Restored, answer: Callable[[Record], None]) -> None:
        """See to what a worker has told; `answer` goes to it."""
        context, scratch = self._context, self._scratch

        def publish(saved: Saved) -> None:
            self._store.publish(context, saved, scratch)
            if scratch == self._scratch:  # else it was another worker's, which has left
                answer(Freed(saved.offset))

        match record:
            case Saved():
                self._do(partial(publish, record))
            case Restored(good=True):
                self.seconds = [*self.seconds[-255:], record.seconds]
                self._do(partial(self._store.touch, record.key))
            case Restored():
                self._do(partial(self._store.remove, record.key))

    def lost(self, *, blamed: bool) -> None:
        """A worker has died. No other is handed what may have been the cause; what is `blamed` is removed."""
        self._trusted = False
        if blamed:
            for key in self._lent:
                self._do(partial(self._store.remove, key))

    def close(self, seconds: float) -> None:
        """Let go of everything, once what was saved is stored; waits no longer than so many seconds for that."""
        self._drop_scratch()
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(seconds)
            self._thread = None

    def _drop_scratch(self) -> None:
        if self._scratch >= 0:
            scratch, self._scratch = self._scratch, -1
            self._do(partial(os.close, scratch))

    def _do(self, job: Callable[[], object]) -> None:
        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="linnet-snapshots", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            with contextlib.suppress(OSError):
                job()
