"""What a failure says: of the server, and of whether another one may be asked the same. One table, no machinery."""

from __future__ import annotations

from dataclasses import dataclass

from linnet.errors import (
    DeadlineExceeded,
    LinnetError,
    RemoteBusy,
    RemoteCut,
    RemoteDenied,
    RemoteFailed,
    RemoteInvalid,
    RemoteRefused,
    RemoteSilent,
    RemoteUnreachable,
)


@dataclass(frozen=True)
class Verdict:
    """`fault`: it is the server's, and counts against it. `gone`: once is enough to know. `wait`: so many seconds it
    asks to be left alone. `suspect`: only a look at its health can tell. `elsewhere`: another may do better."""

    fault: bool = False
    gone: bool = False
    wait: float | None = None
    suspect: bool = False
    elsewhere: bool = False


_FAULT = Verdict(fault=True, elsewhere=True)
_GONE = Verdict(fault=True, gone=True, elsewhere=True)
_NOTHING = Verdict()

_NOT_HERE = (404, 405)
"""A path or a model that this server lacks: others may be set up better."""


def verdict(error: LinnetError, begun: bool = False) -> Verdict:
    """`begun` says that the answer's first word had come."""
    match error:
        case RemoteUnreachable() | RemoteDenied():
            return _GONE
        case RemoteBusy() | RemoteFailed():
            after = error.details.get("retry_after")
            return _FAULT if after is None else Verdict(wait=float(after), elsewhere=True)
        case RemoteRefused():
            return _FAULT if error.details.get("status") in _NOT_HERE else _NOTHING
        case RemoteInvalid() | RemoteCut():  # one that answers, if not in the form that was asked for, is well
            return _NOTHING if error.details.get("strayed") else _FAULT
        case RemoteSilent():
            return _FAULT
        case DeadlineExceeded():  # no time is left for another; a short deadline is no fault of a slow server
            return Verdict(suspect=not begun)
        case _:
            return _NOTHING
