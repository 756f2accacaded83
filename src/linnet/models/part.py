"""The file that a download grows in, before it has a name: what has come, up to the size that was told."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, TypeAlias

from linnet.models import store
from linnet.models.shelf import Record, Shelf, writing

Stage: TypeAlias = Literal["asking", "waiting", "fetching", "checking"]
Watch: TypeAlias = "Callable[[Stage, int, int], None]"
"""(what is done, bytes done, bytes in all); while waiting the process waited for, 0 if unknown, and 0."""


class Part:
    """A Sink (see `linnet.models.hub`) on the disk of a shelf. Whoever opens it holds the lock of its digest.

    `have` bytes are there. `restarted` says that what had been there at first is gone. Raises StorageFull where the
    disk takes no more; what it has taken stays.
    """

    def __init__(self, shelf: Shelf, record: Record, *, watch: Watch) -> None:
        self._root, self._size, self._watch = shelf.root, record.size, watch
        with writing(self._root):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(shelf.part(record.sha256), flags, 0o600)
        self.have = os.fstat(self._fd).st_size
        if self.have > self._size:
            self.restart()
        self.restarted = False

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def write(self, block: bytes) -> bool:
        """Take what is still missing of the file from the front of a block; whether more is wanted."""
        view = memoryview(block)[: self._size - self.have]
        with writing(self._root):
            while view:
                count = os.pwrite(self._fd, view, self.have)
                self.have += count
                view = view[count:]
        self._watch("fetching", self.have, self._size)
        return self.have < self._size

    def restart(self) -> None:
        """Begin again with nothing."""
        with writing(self._root):
            os.ftruncate(self._fd, 0)
        self.restarted = True
        self.have = 0

    def digest(self) -> str:
        """SHA-256 of what is there, as the disk gives it back."""
        self._watch("checking", 0, self._size)
        return store.digest(self._fd)
