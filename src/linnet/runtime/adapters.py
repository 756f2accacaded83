"""The adapters of one model: opened, held against the model, and kept open as long as it is."""

from __future__ import annotations

from threading import Lock

from linnet.errors import InputInvalid
from linnet.limits import LIMITS
from linnet.models import adapters, store
from linnet.models.gguf import ModelFile, open_model
from linnet.models.integrity import checked_header
from linnet.protocol import Adapter


class Adapters:
    """What was asked for so far, each file once. A worker knows an adapter by its file's SHA-256."""

    def __init__(self, base: ModelFile) -> None:
        self._base = base
        self._files: dict[str, tuple[str, ModelFile]] = {}
        self._lock = Lock()
        self.bytes = 0
        """What the adapters take in a worker's memory."""

    def add(self, text: str) -> Adapter:
        """The adapter that is meant, open.

        Raises ModelNotFound or ModelInvalid for what is no adapter of the model, InputInvalid for one too many.
        """
        located = store.locate_adapter(text)
        file = open_model(located.path)
        try:
            info = adapters.checked(file, checked_header(self._base))
            digest = store.verify(located, file) or store.fingerprint(file)
            with self._lock:
                if new := digest not in self._files:
                    if len(self._files) == LIMITS.adapters:
                        message = f"the model has {LIMITS.adapters} adapters already"
                        raise InputInvalid(
                            message, hint="Open it again with those that are in use.", adapter=text[:200]
                        )
                    self._files[digest] = (located.name, file)
                    self.bytes += info.bytes
                kept = self._files[digest][1]
        except BaseException:
            file.close()
            raise
        if not new:
            file.close()
        return Adapter(digest, kept.fileno())

    def label(self, digest: str) -> str:
        """What people call the adapter: the name that it is stored under, or that of its file."""
        return self._files[digest][0]

    def close(self) -> None:
        with self._lock:
            for _, file in self._files.values():
                file.close()
