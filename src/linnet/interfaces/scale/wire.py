"""What goes between an ingress and a replica: calls and replies as JSON, typed and checked on arrival.

Ray pickles what it carries. So that nothing of ours is made out of a pickle, it carries bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet.errors import LinnetError, ProtocolBroken, from_code
from linnet.messages import STRICT
from linnet.models.family import Family
from linnet.requests import Begun, Capabilities, Done, Event, Piece, Request


@dataclass(frozen=True, config=STRICT)
class Call:
    """A request to a model, or to one of its adapters. `begun` is what a replica that is gone had said of it."""

    request: Request
    adapter: str = ""
    begun: Begun | None = None


@dataclass(frozen=True, config=STRICT)
class Failure:
    """The one bad end of a call, as `LinnetError.describe` tells it."""

    code: str
    message: str
    hint: str
    details: dict[str, Any] = Field(default_factory=dict)

    def error(self) -> LinnetError:
        return from_code(self.code, self.message, self.hint, self.details)


@dataclass(frozen=True, config=STRICT)
class Reply:
    """One of the three."""

    piece: Piece | None = None
    done: Done | None = None
    failure: Failure | None = None


@dataclass(frozen=True, config=STRICT)
class Facts:
    """What an ingress has to know of a model that it has not opened: by adapter, "" being the model as it is. `bytes`
    are what one replica takes at most, `family` is how it is spoken to, with each adapter alike."""

    capabilities: dict[str, Capabilities]
    original: dict[str, str]
    bytes: int = 0
    family: Family | None = None


_CALL: TypeAdapter[Call] = TypeAdapter(Call)
_REPLIES: TypeAdapter[tuple[Reply, ...]] = TypeAdapter(Annotated[tuple[Reply, ...], Field()])
_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)


def write_call(call: Call) -> bytes:
    return _CALL.dump_json(call)


def read_call(data: bytes) -> Call:
    """Raises ProtocolBroken."""
    call: Call = _read(_CALL, data)
    return call


def write_replies(outcomes: Sequence[Event | LinnetError]) -> bytes:
    return _REPLIES.dump_json(tuple(map(_reply, outcomes)))


def read_replies(data: bytes) -> list[Event | LinnetError]:
    """None where the call is merely alive. Raises ProtocolBroken."""
    return [_outcome(reply) for reply in _read(_REPLIES, data)]


def write_facts(facts: Facts) -> bytes:
    return _FACTS.dump_json(facts)


def read_facts(data: bytes) -> Facts:
    """Raises ProtocolBroken."""
    facts: Facts = _read(_FACTS, data)
    return facts


def _reply(outcome: Event | LinnetError) -> Reply:
    match outcome:
        case Piece():
            return Reply(piece=outcome)
        case Done():
            return Reply(done=outcome)
        case LinnetError():
            return Reply(failure=Failure(outcome.code, outcome.message, outcome.hint, outcome.details))


def _outcome(reply: Reply) -> Event | LinnetError:
    failure = None if reply.failure is None else reply.failure.error()
    found = reply.piece or reply.done or failure
    if found is None:
        raise ProtocolBroken("a replica sent a reply that says nothing")
    return found


def _read(kind: TypeAdapter[Any], data: bytes) -> Any:
    try:
        return kind.validate_json(data)
    except ValidationError as error:
        raise ProtocolBroken(f"not what a replica or an ingress sends: {error.errors()[0]['msg']}") from error
