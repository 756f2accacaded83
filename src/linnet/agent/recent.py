"""Recent: values that were worked out and may be asked for again, the last used of them."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `room` values by their keys; the one that was not asked for the longest gives way. Safe between
    threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._room:
                self._values.popitem(last=False)


def digest(*texts: str) -> bytes:
    """16 bytes that stand for texts, and for how they are parted."""
    made = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode(errors="surrogatepass")
        made.update(len(data).to_bytes(8, "big") + data)
    return made.digest()
