"""What the loop of a worker asks of an engine, so that it need not know, nor import, which one it has."""

from __future__ import annotations

from typing import Literal, Protocol

from linnet.protocol import Emitted, Ended, Failed, Restored, Saved, Submit

Outgoing = Emitted | Ended | Failed | Saved | Restored
Phase = Literal["load", "prefill", "decode", "idle"]


class Face(Protocol):
    """An engine; all but `step` return at once."""

    @property
    def busy(self) -> bool: ...

    @property
    def phase(self) -> Phase: ...

    @property
    def progress(self) -> float: ...

    def submit(self, submit: Submit) -> list[Outgoing]:
        """Take on a request; what can be said of it at once is returned."""

    def cancel(self, id: int) -> list[Outgoing]: ...

    def step(self) -> list[Outgoing]:
        """Go on with all requests."""

    def use_threads(self, decode: int, prefill: int) -> None: ...

    def freed(self, offset: int) -> None:
        """What was saved there has been copied out."""

    def rest(self) -> None:
        """Nothing has come for a while."""

    def leave(self) -> list[Outgoing]:
        """What is still to be told before the worker ends."""
