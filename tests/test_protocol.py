"""The pipe: whatever arrives, the reader gets a record, an end, or ProtocolBroken."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import socket
import struct
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet import protocol as p
from linnet.channel import Channel, check
from linnet.errors import ContextOverflow, LinnetError, ProtocolBroken, RequestError, RequestTooLarge
from linnet.limits import LIMITS, Sandbox
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.requests import (
    Choice,
    Copy,
    Count,
    Done,
    Embed,
    Fixed,
    Generate,
    Hole,
    Holes,
    Number,
    Pattern,
    Sampling,
    Schema,
    Score,
    Segment,
    Spell,
    Usage,
)
from linnet.script import Die, Flood, Garble, Hang, Say, Script
from linnet.tokens import Odds, Token
from linnet.vectors import Pooling, Vectors

PROMPT = (Segment("<|im_start|>", True), Segment("wörld \U0001f600\u2028\x00", False))
CALL = ToolCall("f", {"a": [1, None]}, "7", "rule", ("x",))
MESSAGE = Message("user", "hi", True, (CALL,), "hm", "7", "f")
SPEC = ToolSpec("f", "Does it.", {"type": "object", "properties": {"a": {}}})
TOLD = {"tools": (SPEC,), "template_options": {"thinking": False}, "continues": True}
HOLES = Holes(
    (
        Fixed("a"),
        Hole("c", Choice(("x", 'y"\\\n'))),
        Hole("p", Pattern("[a-z]/")),
        Hole("s", Schema({"type": "object", "properties": {"é": {"enum": [1, None]}}})),
        Hole("w", Copy("some words", 3)),
        Hole("n", Number((1.5, -2.0), True)),
    )
)
GENERATE = Generate(
    PROMPT, "Sure", HOLES, Sampling(0.7, 0.9, 40, 11), ("\n\n", "</s>"), 17, 3.5, **TOLD, owner="ann", stable=1
)
SCORE = Score((MESSAGE,), (" a", " b"), "The", 2.5, **TOLD, owner="ann", stable=1)
SCRIPT = Script((Say("00ff"), Die(11, 0), Hang(0.5), Flood(3), Garble("ff")), (Die(0, 3),), (1, 3), "bad", 0.25)
SANDBOX = Sandbox(files=False, network=False, processes=False, memory=5, file_bytes=6, required=True)
SNAPSHOT = p.Snapshot("k", 8, 4096, 23, "ff", (1, 49151), ((5, 17.25), (6, -0.1)), "home")

POOLING = Pooling("last", 64, 128, 7, True, True, b"\x01\x02", b"\x03\x04")
TO_CHILD = [
    p.Load(3, 99, 5, 2, 4, SANDBOX, SCRIPT, 2, (p.Adapter("home", 7, 0.5),), "q8_0", (SNAPSHOT,), 9, POOLING, False),
    p.Submit(7, GENERATE, (1, 2, 49151), "home"),
    p.Submit(8, SCORE, (5,), "home"),
    p.Submit(9, Count(PROMPT, 1.5, **TOLD), (5,), "home"),
    p.Submit(10, Embed(("a text", "é\U0001f600"), 1.5), (5,), "home"),
    p.Submit(11, Spell("a text", (7, 49151), True, True, 1.5), (5,), "home"),
    p.Cancel(7),
    p.Freed(64),
    p.Render(4, "{{ x }}", (MESSAGE,), "<s>", "</s>", "Yes", "2026-11-22", (SPEC,), {"a": [1, None]}, True),
    p.Loop(3, 5, 2, 4, 8, 16),
    p.Encode(3, 4, "q4_k_m", 2, SANDBOX),
    p.Compare(p.Load(3), ("a text", "é\U0001f600"), 5, True),
    p.Launch(("grep", "-r", "é"), {"PATH": "/bin"}, 3, 1.5, (4,), (5, 6), 10, 1 << 20, True, False),
    p.Extract(3, "utf-8", 9, SANDBOX),
    p.Trial(("x = 1", "assert x == 'é\U0001f600'"), SANDBOX),
    p.Threads(3, 5),
    p.Stop(),
]
FROM_CHILD = [
    p.Ready("llama.cpp", 4096, 49152, 0.26, ("files",), ("memory",)),
    p.Beat("decode", 12.5),
    p.Emitted(3, "é\U0001f600", (1, 2), (Odds(Token(1, "c3a9", True), -0.5, ((Token(2, "ff"), -1.5),)),)),
    p.Ended(3, Done("t", "length", Usage(1, 2, 3, 4), {"n": "4"}, ((-0.5, 2),), 6, ("resumed",))),
    p.Ended(4, Done(vectors=Vectors(2, bytes(range(16))))),
    p.Saved(64, 23, "ff", (1, 49151), ((5, 17.25),), "home"),
    p.Restored("k", False, 0.25),
    p.Looped(3, 0.5, 0.25, 1.5),
    p.Recoded(0.5, ("files",)),
    p.Compared(7, 49152, 12.5, 0.75, p.Distance(0.1, 0.01, 0.5, 0.75, 0.9, 11.5), ("memory",)),
    p.Exited(None, "deadline", ("aGk=", ""), (2, 0), 1, 0.5, ("files",)),
    p.Extracted("é", "text\n", True, True, ("memory",)),
    p.Tried(("", "NameError: x"), "printed\n", True, ("memory",)),
    p.Rendered(2, PROMPT, ("something is left out",)),
    p.failed(5, ContextOverflow("too long", prompt_tokens=9, context=8)),
]


class Pipe:
    """A channel under test and the raw end opposite to it."""

    def __init__(self, *, child: bool) -> None:
        self.raw, end = socket.socketpair()
        self.channel = Channel(end, child=child)

    def close(self) -> None:
        self.raw.close()
        self.channel.close()


@pytest.fixture(params=[True, False], ids=["child", "caller"])
def pipe(request: pytest.FixtureRequest) -> Iterator[Pipe]:
    pipe = Pipe(child=request.param)
    yield pipe
    pipe.close()


@pytest.fixture
def caller() -> Iterator[Pipe]:
    pipe = Pipe(child=False)
    yield pipe
    pipe.close()


def frame(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body


def framed(record: Any) -> bytes:
    """The bytes that `send` writes for a record."""
    pipe = Pipe(child=type(record) in [type(r) for r in FROM_CHILD])
    try:
        pipe.channel.send(record)
        pipe.channel.socket.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: pipe.raw.recv(1 << 16), b""))
    finally:
        pipe.close()


# --- records -------------------------------------------------------------------------------------


def test_every_record_is_tried_here() -> None:
    assert {type(record) for record in TO_CHILD + FROM_CHILD} == set(get_args(p.Record))
    assert {type(s.request) for s in TO_CHILD if isinstance(s, p.Submit)} == {Generate, Score, Count, Embed, Spell}


@pytest.mark.parametrize("record", TO_CHILD + FROM_CHILD, ids=lambda r: r.record)
def test_no_field_of_a_tried_record_has_its_default(record: Any) -> None:
    """Else a field that is lost on the way would not be missed."""
    markers = {"record", "kind", "do", "emitted"}
    for field in dataclasses.fields(record):
        if field.name not in markers:
            assert getattr(record, field.name) != field.default, field.name


@pytest.mark.parametrize("record", TO_CHILD + FROM_CHILD, ids=lambda r: r.record)
def test_a_record_arrives_as_it_was_sent(record: Any) -> None:
    ours, theirs = socket.socketpair()
    to_child = record in TO_CHILD
    sender, receiver = Channel(ours, child=not to_child), Channel(theirs, child=to_child)
    sender.send(record)
    sender.close()
    arrived = receiver.receive()
    assert arrived == record and type(arrived) is type(record)
    assert receiver.receive() is None
    receiver.close()


def test_numbers_of_evidence_and_scores_keep_their_precision(caller: Pipe) -> None:
    scores = ((-0.1 - 1e-16, 3), (-1.7976931348623157e308, 1), (5e-324, 2))
    caller.raw.sendall(framed(p.Ended(1, Done(scores=scores))))
    arrived = caller.channel.receive()
    assert isinstance(arrived, p.Ended) and arrived.done.scores == scores


def test_a_failure_becomes_the_error_it_was(caller: Pipe) -> None:
    caller.raw.sendall(framed(FROM_CHILD[-1]))
    arrived = caller.channel.receive()
    assert isinstance(arrived, p.Failed)
    error = arrived.error()
    assert isinstance(error, ContextOverflow)
    assert error.describe() == ContextOverflow("too long", prompt_tokens=9, context=8).describe()


def test_a_hostile_failure_is_still_an_error() -> None:
    """The names in `details` come from the other side, and must not meet those of a constructor."""
    hostile = {"message": 1, "hint": 2, "self": 3, "code": 4}
    error = p.Failed(1, "worker_crashed", "m", "h", hostile).error()
    assert (error.message, error.hint, error.details) == ("m", "h", hostile)
    assert isinstance(p.Failed(1, "no_such_thing", "m", "h").error(), ProtocolBroken)


# --- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [p.Emitted(3, "é\U0001f600", (1, 2)), p.Beat("idle", 0.0)])
def test_a_frame_may_arrive_in_two_parts_cut_anywhere(record: Any) -> None:
    data = framed(record)
    for cut in range(len(data)):
        pipe = Pipe(child=False)
        pipe.raw.sendall(data[:cut])
        assert pipe.channel.pending() is None
        pipe.raw.sendall(data[cut:])
        assert pipe.channel.pending() == record
        assert pipe.channel.pending() is None
        pipe.close()


def test_a_frame_may_arrive_byte_by_byte(caller: Pipe) -> None:
    data = framed(p.Beat("load", 0.5))
    for byte in data[:-1]:
        caller.raw.sendall(bytes([byte]))
        assert caller.channel.pending() is None
    caller.raw.sendall(data[-1:])
    assert caller.channel.pending() == p.Beat("load", 0.5)


def test_many_records_in_one_chunk_keep_their_order(caller: Pipe) -> None:
    records = [p.Emitted(i, "x" * i, (i,)) for i in range(200)]
    caller.raw.sendall(b"".join(map(framed, records[:50])))
    assert [caller.channel.receive() for _ in range(50)] == records[:50]
    assert caller.channel.pending() is None and not caller.channel.wait(0.0)


def test_waiting_sees_what_is_buffered_already(caller: Pipe) -> None:
    caller.raw.sendall(framed(p.Beat("idle", 1.0)) * 2)
    assert caller.channel.receive() == p.Beat("idle", 1.0)
    assert caller.channel.wait(0.0), "the second record is not in the socket any more, but here"
    assert caller.channel.pending() == p.Beat("idle", 1.0)
    assert not caller.channel.wait(0.0)


def test_a_negative_wait_is_no_wait(caller: Pipe) -> None:
    assert not caller.channel.wait(-1.0)


def test_waiting_works_above_descriptor_1023() -> None:
    """A server with a thousand connections has such descriptors, and `select` refuses them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip(f"no more than {hard} descriptors may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    raw, end = socket.socketpair()
    high = socket.socket(fileno=os.dup2(end.fileno(), 1500))
    try:
        channel = Channel(high, child=False)
        assert not channel.wait(0.0)
        raw.sendall(framed(p.Beat("idle", 1.0)))
        assert channel.wait(1.0) and channel.pending() == p.Beat("idle", 1.0)
    finally:
        for one in (raw, end, high):
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("size", [LIMITS.record_bytes + 1, 2**31, 2**32 - 1])
def test_an_oversize_length_is_refused_before_its_bytes_arrive(pipe: Pipe, size: int) -> None:
    pipe.raw.sendall(struct.pack("<I", size))
    with pytest.raises(ProtocolBroken, match=f"{size}.*{LIMITS.record_bytes}"):
        pipe.channel.receive()


def test_the_largest_length_is_still_a_frame(pipe: Pipe) -> None:
    pipe.raw.sendall(struct.pack("<I", LIMITS.record_bytes) + b"{")
    assert pipe.channel.pending() is None


def test_an_oversize_record_is_not_sent(caller: Pipe) -> None:
    with pytest.raises(ProtocolBroken, match=str(LIMITS.record_bytes)):
        caller.channel.send(p.Submit(1, Generate((Segment("x" * LIMITS.record_bytes, True),))))
    assert not select_readable(caller.raw), "not a byte of it may be in the pipe"


def select_readable(end: socket.socket) -> bool:
    end.setblocking(False)
    try:
        return bool(end.recv(1))
    except BlockingIOError:
        return False


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"record": "beat"', b'{"record": "nonsense"}', b"[" * 100_000],
    ids=["empty", "null", "list", "no record", "not UTF-8", "cut off", "unknown", "deep"],
)
def test_what_is_not_a_record_breaks_the_protocol(pipe: Pipe, body: bytes) -> None:
    pipe.raw.sendall(frame(body))
    with pytest.raises(ProtocolBroken, match="not a record"):
        pipe.channel.receive()


@pytest.mark.parametrize(
    "changed",
    [{"id": "3"}, {"id": None}, {"text": 4}, {"tokens": ["a"]}, {"tokens": [1.5]}, {"extra": 1}, {"text": "\ud800"}],
    ids=str,
)
def test_a_record_with_a_wrong_field_breaks_the_protocol(caller: Pipe, changed: dict[str, Any]) -> None:
    fields = {"record": "emitted", "id": 3, "text": "x", "tokens": [1], **changed}
    caller.raw.sendall(frame(json.dumps(fields).encode()))
    if changed == {"id": "3"}:  # pydantic reads a number from a text; the value is then a number
        assert caller.channel.receive() == p.Emitted(3, "x", (1,))
        return
    with pytest.raises(ProtocolBroken):
        caller.channel.receive()


@pytest.mark.parametrize("record", TO_CHILD, ids=lambda r: r.record)
def test_a_caller_takes_no_order(record: Any) -> None:
    pipe = Pipe(child=False)
    pipe.raw.sendall(framed(record))
    with pytest.raises(ProtocolBroken):
        pipe.channel.receive()
    pipe.close()


@pytest.mark.parametrize("record", FROM_CHILD, ids=lambda r: r.record)
def test_a_child_takes_no_answer(record: Any) -> None:
    pipe = Pipe(child=True)
    pipe.raw.sendall(framed(record))
    with pytest.raises(ProtocolBroken):
        pipe.channel.receive()
    pipe.close()


def test_the_end_in_mid_frame_is_an_end() -> None:
    data = framed(p.Beat("idle", 1.0))
    for cut in range(len(data)):
        pipe = Pipe(child=False)
        pipe.raw.sendall(data[:cut])
        pipe.raw.close()
        assert pipe.channel.receive() is None
        with pytest.raises(EOFError):
            pipe.channel.pending()
        pipe.channel.close()


def test_what_came_before_the_end_is_delivered(caller: Pipe) -> None:
    caller.raw.sendall(framed(p.Beat("idle", 1.0)) * 2)
    caller.raw.close()
    assert [caller.channel.pending() for _ in range(2)] == [p.Beat("idle", 1.0)] * 2
    with pytest.raises(EOFError):
        caller.channel.pending()


def test_sending_to_nobody_is_an_os_error(caller: Pipe) -> None:
    caller.raw.close()
    with pytest.raises(OSError):
        caller.channel.send(p.Cancel(1))


# --- anything at all -----------------------------------------------------------------------------


def read_all(data: bytes, *, child: bool) -> None:
    """Fails on anything but records, an end, and ProtocolBroken."""
    pipe = Pipe(child=child)
    pipe.raw.sendall(data)
    pipe.raw.close()
    try:
        while (record := pipe.channel.receive()) is not None:
            assert isinstance(record, get_args(p.Record))
    except ProtocolBroken as error:
        assert len(error.message) < 2_000, "what arrived must not be repeated in full"
    finally:
        pipe.channel.close()


@given(st.binary(max_size=200), st.booleans())
def test_random_bytes(data: bytes, child: bool) -> None:
    read_all(data, child=child)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["record", "id", "text", "tokens", "done", "code", "message", "hint", "details", "request", "kind", "prompt"]
)
NAMES = st.sampled_from([r.record for r in TO_CHILD + FROM_CHILD])


@given(st.dictionaries(KEYS, JSON, max_size=8), NAMES, st.booleans())
@settings(max_examples=200)
def test_random_records(fields: dict[str, Any], name: str, child: bool) -> None:
    read_all(frame(json.dumps({**fields, "record": name}).encode()), child=child)


@given(st.sampled_from(FROM_CHILD), st.data())
@settings(max_examples=200)
def test_flipped_bytes(record: Any, data: st.DataObject) -> None:
    bent = bytearray(framed(record))
    for _ in range(data.draw(st.integers(1, 3))):
        bent[data.draw(st.integers(0, len(bent) - 1))] = data.draw(st.integers(0, 255))
    read_all(bytes(bent), child=False)


# --- what is refused before it is sent -----------------------------------------------------------


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "constraint",
    [
        Schema({"enum": ["\ud800"]}),
        Schema({"enum": [object()]}),
        Schema(deep(210)),
        Schema(deep(2_000)),
        Number((float("inf"),)),
        Number((float("nan"),)),
    ],
    ids=["half a character", "no JSON", "too deep to read", "too deep to write", "infinity", "not a number"],
)
def test_a_request_that_json_cannot_carry_is_refused(constraint: Any) -> None:
    """In the worker it would break the protocol and end everybody's request."""
    with pytest.raises(RequestError):
        check(p.Submit(1, Generate(PROMPT, constraint=constraint)))


def test_a_request_that_json_can_carry_passes() -> None:
    for record in TO_CHILD:
        if isinstance(record, p.Submit):
            check(record)
    check(p.Submit(1, Generate(PROMPT, constraint=Schema(deep(100)))))


def test_a_request_over_half_a_record_is_refused() -> None:
    def submit(size: int) -> p.Submit:
        return p.Submit(1, Generate(PROMPT, constraint=Choice(("x" * size,))))

    limit = LIMITS.record_bytes // 2
    check(submit(limit - 1_000))
    with pytest.raises(RequestTooLarge, match=str(limit)):
        check(submit(limit + 1))


def test_errors_of_this_room_are_of_the_tree() -> None:
    assert issubclass(ProtocolBroken, LinnetError)
