"""The records on the pipe between a caller and its children, and how they are framed.

A frame is a 4-byte little-endian length and that many bytes of JSON. Records are typed and checked on
arrival, lengths before anything is allocated. Nothing is pickled; descriptors are inherited, never sent.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet.errors import LinnetError, ProtocolBroken, RequestError, RequestTooLarge, from_code
from linnet.limits import LIMITS, Sandbox
from linnet.messages import STRICT, Message, ToolSpec
from linnet.requests import Done, Request, Segment

_LENGTH = struct.Struct("<I")

# --- a script for the engine without a model -----------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Say:
    """Emit these bytes (hexadecimal), one token each; a token's id is its byte."""

    hex: str
    do: Literal["say"] = "say"


@dataclass(frozen=True, config=STRICT)
class Die:
    """End by this signal, or with this exit status when the signal is 0."""

    signal: int = 0
    status: int = 0
    do: Literal["die"] = "die"


@dataclass(frozen=True, config=STRICT)
class Hang:
    """Stop making progress for so many seconds, beating no heart."""

    seconds: float
    do: Literal["hang"] = "hang"


@dataclass(frozen=True, config=STRICT)
class Flood:
    """Send so many pieces of one byte each as fast as the pipe takes them."""

    pieces: int
    do: Literal["flood"] = "flood"


@dataclass(frozen=True, config=STRICT)
class Garble:
    """Send these raw bytes (hexadecimal) in place of a record."""

    hex: str
    do: Literal["garble"] = "garble"


Action = Annotated[Say | Die | Hang | Flood | Garble, Field(discriminator="do")]


@dataclass(frozen=True, config=STRICT)
class Script:
    """What the scripted engine does for every request, in order.

    Everything but `Say` and `Flood` happens only in the workers whose start number is listed in `generations`
    (1 is the first start; empty means in all), and `poison`, if set, only to requests that contain it.
    `load` happens while loading.
    """

    actions: tuple[Action, ...] = ()
    load: tuple[Action, ...] = ()
    generations: tuple[int, ...] = ()
    poison: str = ""
    seconds_per_token: float = 0.0


# --- caller to child -----------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Load:
    """The first record: what to load and within which bounds.

    `model_fd` is an inherited descriptor; `context` is in tokens over all sequences, of which there are
    more than running answers: branches of scoring (at least one) and kept prefixes have their own. A
    `script` in place of a descriptor starts the scripted engine. `generation` counts this worker's starts.
    """

    model_fd: int = -1
    context: int = 2_048
    sequences: int = Field(default=4 * LIMITS.sequences, ge=2)
    decode_threads: int = 1
    prefill_threads: int = 1
    sandbox: Sandbox = Sandbox()
    script: Script | None = None
    generation: int = 1
    record: Literal["load"] = "load"


@dataclass(frozen=True, config=STRICT)
class Submit:
    """Take on a request. `emitted` are the tokens that a dead worker had already sent for it."""

    id: int
    request: Request
    emitted: tuple[int, ...] = ()
    record: Literal["submit"] = "submit"


@dataclass(frozen=True, config=STRICT)
class Cancel:
    """Drop a request; it ends as `Failed` with `cancelled`, unless it has ended already."""

    id: int
    record: Literal["cancel"] = "cancel"


@dataclass(frozen=True, config=STRICT)
class Render:
    """Render a conversation with a model's chat template, in the model-less child.

    `today` is the date that the template may ask for, ISO 8601, so that a rendering can be repeated. `options`
    are further variables of the template. With `continues` the last message is the beginning of the answer.
    """

    id: int
    template: str
    messages: tuple[Message, ...]
    bos: str = ""
    eos: str = ""
    answer_start: str = ""
    today: str = ""
    tools: tuple[ToolSpec, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    continues: bool = False
    record: Literal["render"] = "render"


@dataclass(frozen=True, config=STRICT)
class Stop:
    """Leave at once, with exit status 0."""

    record: Literal["stop"] = "stop"


ToChild = Annotated[Load | Submit | Cancel | Render | Stop, Field(discriminator="record")]

# --- child to caller -----------------------------------------------------------------------------


@dataclass(frozen=True, config=STRICT)
class Ready:
    """The start is acknowledged. `sandbox` lists what could be enforced and `missing` what could not."""

    engine: str
    context: int
    vocabulary: int
    seconds: float
    sandbox: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    record: Literal["ready"] = "ready"


@dataclass(frozen=True, config=STRICT)
class Beat:
    """Alive, and this far: `progress` grows with every token computed or byte loaded."""

    phase: Literal["load", "prefill", "decode", "idle"]
    progress: float
    record: Literal["beat"] = "beat"


@dataclass(frozen=True, config=STRICT)
class Emitted:
    """A piece of the answer to request `id`; `tokens` are all ids since the last one.

    Texts follow from tokens alone; what is held back to the end of the answer comes with `Ended`.
    """

    id: int
    text: str
    tokens: tuple[int, ...]
    record: Literal["emitted"] = "emitted"


@dataclass(frozen=True, config=STRICT)
class Ended:
    """The one good end of a request."""

    id: int
    done: Done
    record: Literal["ended"] = "ended"


@dataclass(frozen=True, config=STRICT)
class Rendered:
    """The one good end of a rendering; `notes` say in words what the template could not say as it was asked."""

    id: int
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    record: Literal["rendered"] = "rendered"


@dataclass(frozen=True, config=STRICT)
class Failed:
    """The one bad end of a request; with id 0, of the start itself."""

    id: int
    code: str
    message: str
    hint: str
    details: dict[str, Any] = Field(default_factory=dict)
    record: Literal["failed"] = "failed"

    def error(self) -> LinnetError:
        return from_code(self.code, self.message, self.hint, self.details)


def failed(id: int, error: LinnetError) -> Failed:
    """The record that tells of an error."""
    return Failed(id, error.code, error.message, error.hint, error.details)


FromChild = Annotated[Ready | Beat | Emitted | Ended | Rendered | Failed, Field(discriminator="record")]
Record = Load | Submit | Cancel | Render | Stop | Ready | Beat | Emitted | Ended | Rendered | Failed

_TO_CHILD: TypeAdapter[Any] = TypeAdapter(ToChild)
_FROM_CHILD: TypeAdapter[Any] = TypeAdapter(FromChild)


def check(submit: Submit) -> None:
    """Refuse here what the child could only refuse by giving up: a request that JSON cannot carry.

    Half a record is left for the tokens that a resumed request carries as well. Raises RequestTooLarge or
    RequestError.
    """
    limit = LIMITS.record_bytes // 2
    try:
        body = _TO_CHILD.dump_json(submit)
        if len(body) > limit:
            raise RequestTooLarge(f"the request is {len(body)} bytes as JSON; the limit is {limit}", limit=limit)
        _TO_CHILD.validate_json(body)
    except ValueError as error:
        raise RequestError(f"the request cannot be written as JSON: {str(error)[:300]}") from error


# --- framing -------------------------------------------------------------------------------------


class Channel:
    """One end of the pipe. `child` says which end: it decides which records may arrive.

    Sending is not thread-safe: the owner of an end serialises its own sends.
    """

    def __init__(self, end: socket.socket, *, child: bool) -> None:
        self.socket = end
        self._arriving = _TO_CHILD if child else _FROM_CHILD
        self._leaving = _FROM_CHILD if child else _TO_CHILD
        self._buffer = bytearray()

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, record: Record) -> None:
        """Blocks until the whole record is in the pipe. Raises OSError when the other side is gone."""
        self.socket.sendall(self.frame(record))

    def frame(self, record: Record) -> bytes:
        """The bytes of a record. Raises ProtocolBroken for one that is too large."""
        body = self._leaving.dump_json(record)
        if len(body) > LIMITS.record_bytes:
            raise ProtocolBroken(f"a record of {len(body)} bytes is over the limit of {LIMITS.record_bytes}")
        return _LENGTH.pack(len(body)) + body

    def receive(self) -> Record | None:
        """The next record; None at end of file. Blocks. Raises ProtocolBroken for what is not a record."""
        while True:
            record = self.buffered()
            if record is not None:
                return record
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                return None
            self._buffer += chunk

    def buffered(self) -> Record | None:
        """A record that has arrived whole already, or None; never blocks."""
        if len(self._buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._buffer)
        if size > LIMITS.record_bytes:
            raise ProtocolBroken(f"a record of {size} bytes was announced; the limit is {LIMITS.record_bytes}")
        end = _LENGTH.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        try:
            record: Record = self._arriving.validate_json(body)
        except ValidationError as error:
            raise ProtocolBroken(f"not a record: {error.errors()[0]['msg']}") from error
        return record

    def pending(self) -> Record | None:
        """As `receive`, but None as well when nothing whole has arrived; never blocks.

        Raises EOFError at end of file, so that "nothing yet" and "nothing ever" differ.
        """
        record = self.buffered()
        if record is not None:
            return record
        try:
            chunk = self.socket.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        if not chunk:
            raise EOFError
        self._buffer += chunk
        return self.buffered()

    def wait(self, seconds: float) -> bool:
        """Whether `pending` may have something new to say, waiting at most so long for it."""
        if self._whole():
            return True
        # not `select`, which fails for descriptors above 1,023
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1_000))

    def _whole(self) -> bool:
        if len(self._buffer) < _LENGTH.size:
            return False
        return len(self._buffer) >= _LENGTH.size + int(_LENGTH.unpack_from(self._buffer)[0])

    def close(self) -> None:
        self.socket.close()
