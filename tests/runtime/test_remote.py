"""RemoteModel against a server of our own that answers, stalls, cuts and lies, and against a real llama-server."""

from __future__ import annotations

import gc
import importlib.util
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet import Agent, errors, tool
from linnet.errors import (
    DeadlineExceeded,
    EmptyRequest,
    LinnetError,
    RemoteBusy,
    RemoteCut,
    RemoteDenied,
    RemoteError,
    RemoteFailed,
    RemoteInvalid,
    RemoteRefused,
    RemoteSilent,
    RemoteUnreachable,
    RemoteUnsupported,
    RequestTooLarge,
    SettingsInvalid,
)
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.requests import (
    Choice,
    Copy,
    Count,
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
    Usage,
    complete,
    complete_all,
)
from linnet.runtime import exchange
from linnet.runtime.remote import RemoteModel

_SPEC = importlib.util.spec_from_file_location("chat_server", Path(__file__).with_name("chat_server.py"))
assert _SPEC and _SPEC.loader
chat: Any = sys.modules.setdefault("chat_server", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(chat)
DONE, Reply, chatting, delta, event, usage, words = (
    getattr(chat, name) for name in ("DONE", "Reply", "chatting", "delta", "event", "usage", "words")
)
ChatServer = Any
KEY = "sk-test-0123456789abcdef"
ASK = Generate((Message("user", "Hello"),), max_tokens=9)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chatting() as one:
        yield one


@pytest.fixture
def model(server: ChatServer) -> RemoteModel:
    return RemoteModel(server.url, "m", key=KEY, silence=5.0)


# --- an answer -----------------------------------------------------------------------------------


def test_an_answer_comes_in_pieces(server: ChatServer, model: RemoteModel, outcome: Any) -> None:
    came = outcome(model.stream(ASK))
    assert [piece.text for piece in came.pieces] == ["Hello", " there"]
    assert came.done.usage == Usage(prompt_tokens=7, cached_tokens=2, generated_tokens=2)
    assert (came.done.finish, came.done.degraded, came.done.how) == ("stop", (), "")
    assert came.done.steps[0].data == {"model": "told", "thought_characters": 0}
    assert server.url in came.done.steps[0].detail


def test_what_is_sent(server: ChatServer, model: RemoteModel) -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, seed=3)
    complete(model, replace(ASK, sampling=sampling, stop=("END",)))
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.headers["User-Agent"].startswith("linnet/")
    assert asked.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_nothing_is_opened_before_a_request(server: ChatServer) -> None:
    model = RemoteModel(server.url, "m")
    assert model.capabilities.name.startswith("m@127.0.0.1:")
    assert not model.capabilities.scores
    assert server.asked == []
    complete(model, ASK)
    assert "Authorization" not in server.asked[0].headers


def test_proxies_are_passed_by_on_the_own_machine(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert complete(RemoteModel(server.url, "m"), ASK).text == "Hello there"


def test_calls_and_their_results_have_ids(server: ChatServer, model: RemoteModel) -> None:
    calls = (ToolCall("f", {"a": 1}), ToolCall("g", {}, id="own"))
    said = (
        Message("user", "do"),
        Message("assistant", "", calls=calls),
        Message("tool", "1"),
        Message("tool", "2", call_id="own"),
    )
    complete(model, replace(ASK, prompt=said))
    _, made, first, second = server.asked[0].body["messages"]
    assert [call["id"] for call in made["tool_calls"]] == ["call_0", "own"]
    assert made["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert (first["tool_call_id"], second["tool_call_id"]) == ("call_0", "own")


def test_calls_come_back_as_the_text_that_dialects_read(server: ChatServer, model: RemoteModel) -> None:
    from linnet.calling.dialects.families import parse

    def part(index: int, name: str | None, arguments: str) -> bytes:
        return delta(tool_calls=[{"index": index, "function": {"name": name, "arguments": arguments}}])

    parts = [part(0, "f", '{"a"'), part(1, "g", ""), part(0, None, ": 1}")]
    server.replies.append(Reply([*parts, delta("tool_calls"), DONE]))
    done = complete(model, replace(ASK, tools=(ToolSpec("f"), ToolSpec("g"))))
    assert server.asked[0].body["tools"][0]["function"]["name"] == "f"
    read = parse(done.text, "hammer", ()).calls
    assert [(call.name, call.arguments) for call in read] == [("f", {"a": 1}), ("g", {})]


def test_thoughts_are_no_answer_and_are_told(server: ChatServer, model: RemoteModel) -> None:
    server.replies.append(Reply([delta(reasoning_content="hm, "), delta(content="yes"), delta("stop"), DONE]))
    done = complete(model, ASK)
    assert (done.text, done.steps[0].data["thought_characters"]) == ("yes", 4)
    assert done.degraded == ("tokens are estimated: the server told none",)
    assert done.usage.prompt_tokens > 0 and done.usage.generated_tokens == 1


def test_an_end_without_its_mark_is_told(server: ChatServer, model: RemoteModel) -> None:
    server.replies.append(Reply([delta(content="yes"), delta("length"), usage(1, 1)]))
    done = complete(model, ASK)
    assert (done.text, done.finish) == ("yes", "length")
    assert done.degraded == ("the server's stream had no end mark",)


def picked(value: str) -> Reply:
    return Reply(words(json.dumps({"answer": value})))


@pytest.fixture
def shouting(model: RemoteModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    """An agent over the server with one tool, of which evidence settles nothing."""
    from linnet.calling import choose
    from linnet.calling.ranking.ranker import Belief, Doubt, fitted

    @tool
    def shout(text: str) -> str:
        """Shouts a text."""
        return text.upper()

    weights = replace(fitted(), doubt=Doubt(), model={**fitted().model, "tool": Belief(0.0, 1.0)})
    monkeypatch.setattr(choose, "fitted", lambda: weights)
    with Agent([shout], model, only="shout") as agent:
        yield agent


SHOUT = 'Shout the text "hello" for me'
LISTED = '[{"name": "shout", "arguments": {"text": "hello"}}]'


def test_an_agent_has_it_pick_where_evidence_leaves_doubt(server: ChatServer, shouting: Agent) -> None:
    """Guiding takes likelihoods, which this server does not give."""
    server.replies.append(picked("shout"))
    result = shouting.run(SHOUT)
    assert (result.answer, [call.call.how for call in result.calls]) == ("HELLO", ["model"])
    assert [step.kind for step in result.steps] == ["route", "way", "choose", "fill", "tool"]
    assert "asked to pick" in result.steps[1].detail and result.usage.prompt_tokens > 0
    (asked,) = server.asked
    assert asked.body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"] == ["shout", "none"]
    server.replies += [picked("none"), Reply(words("I am well."))]
    result = shouting.run("How are you?")
    assert (result.answer, result.calls) == ("I am well.", ())


@pytest.mark.parametrize(
    "first",
    [
        Reply([b'{"error": "response_format is not supported"}'], 400),
        Reply([b"no such thing"], 501),
        Reply(words("I would take shout.")),
        Reply(words('{"answer": "sh', "length")),
    ],
    ids=["refused", "not built", "passed over", "cut"],
)
def test_a_server_that_cannot_be_held_is_asked_for_calls_as_json(
    server: ChatServer, shouting: Agent, first: Reply
) -> None:
    server.replies += [first, Reply(words(LISTED))]
    result = shouting.run(SHOUT)
    assert (result.answer, [call.call.how for call in result.calls]) == ("HELLO", ["native"])
    tried, way = result.steps[1:3]
    assert (tried.kind, way.kind) == ("way", "way") and "asked for calls as JSON" in way.detail
    assert "asked to pick" in tried.detail and "in no usage" in tried.detail
    assert "response_format" not in server.asked[1].body
    assert "Shouts a text." in server.asked[1].body["messages"][0]["content"]


@pytest.mark.parametrize("status", [401, 429, 500])
def test_what_is_no_matter_of_form_is_not_asked_again(server: ChatServer, shouting: Agent, status: int) -> None:
    server.replies.append(Reply([b"no"], status))
    with pytest.raises(RemoteError):
        shouting.run(SHOUT)
    assert len(server.asked) == 1


# --- what a server cannot do ---------------------------------------------------------------------

TEXT = (Message("user", "hi"),)


@pytest.mark.parametrize(
    "request_",
    [
        Score(TEXT, ("a",)),
        Generate((Segment("hi", True),)),
        Generate(TEXT, answer_start="Yes"),
        Generate((*TEXT, Message("assistant", "Well")), continues=True),
        Generate(TEXT, constraint=Pattern("[a-z]+")),
        Generate(TEXT, constraint=Schema({"type": "wrong"})),
        Generate(TEXT, constraint=Choice(("a",)), tools=(ToolSpec("f"),)),
        Generate(TEXT, stop=("1", "2", "3", "4", "5")),
    ],
    ids=lambda request: request.kind,
)
def test_what_it_cannot_do_is_an_error_and_nothing_is_sent(
    server: ChatServer, model: RemoteModel, request_: Any
) -> None:
    with pytest.raises(RemoteUnsupported):
        model.stream(request_)
    assert server.asked == []


def test_what_it_is_not_told_is_told(model: RemoteModel) -> None:
    asked = replace(ASK, sampling=Sampling(top_k=5), template_options={"enable_thinking": False})
    (note,) = complete(model, asked).degraded
    assert "top_k" in note and "enable_thinking" in note


def test_counting_is_an_estimate_and_says_so(server: ChatServer, model: RemoteModel) -> None:
    done = complete(model, Count((Message("user", "a" * 300 + "語" * 10),)))
    assert done.count == 126
    assert "estimated" in done.degraded[0]
    assert server.asked == []


def test_size_and_emptiness_are_seen_before_anything_is_sent(server: ChatServer, model: RemoteModel) -> None:
    with pytest.raises(RequestTooLarge):
        model.stream(Generate((Message("user", "x" * (LIMITS.request_bytes + 1)),)))
    with pytest.raises(EmptyRequest):
        model.stream(Generate((Message("user", ""),)))
    assert server.asked == []


# --- constraints ---------------------------------------------------------------------------------

HOLES = Holes((Fixed("Set "), Hole("room", Choice(("hall", "attic"))), Fixed(" to "), Hole("n", Number())))


@pytest.mark.parametrize(
    ("constraint", "said", "text"),
    [
        (Choice(("yes", "no")), {"answer": "no"}, "no"),
        (Fixed("so"), {"answer": "so"}, "so"),
        (Number((3.0, 4.5)), {"answer": 4.5}, "4.5"),
        (Number(integer=True), {"answer": 12}, "12"),
        (Copy("a green house, in town"), {"answer": "green house"}, "green house"),
        (Schema({"type": "object", "properties": {"a": {"type": "integer"}}}), {"a": 1}, '{"a": 1}'),
        (Schema({"type": "array", "items": {"type": "string"}}), {"answer": ["x"]}, '["x"]'),
        (HOLES, {"0_room": "attic", "1_n": 7}, "Set attic to 7"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_constraint_becomes_a_schema_and_the_answer_text(
    server: ChatServer, model: RemoteModel, outcome: Any, constraint: Any, said: Any, text: str
) -> None:
    server.replies.append(Reply(words(json.dumps(said, indent=1))))
    came = outcome(model.stream(replace(ASK, constraint=constraint)))
    assert (came.done.text, came.done.finish, len(came.pieces)) == (text, "constraint", 1)
    form = server.asked[0].body["response_format"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
    assert form["json_schema"]["schema"]["type"] == "object"
    assert bool(came.done.degraded) == isinstance(constraint, Copy)


def test_gaps_are_told_by_name(server: ChatServer, model: RemoteModel) -> None:
    server.replies.append(Reply(words('{"0_room": "hall", "1_n": 7}')))
    assert complete(model, replace(ASK, constraint=HOLES)).captures == {"room": "hall", "n": "7"}


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        (Choice(("yes", "no")), '{"answer": "maybe"}'),
        (Choice(("yes", "no")), '"yes"'),
        (Choice(("yes", "no")), "yes"),
        (Choice(("yes", "no")), '{"answer": null}'),
        (Choice(("yes", "no")), "[" * 100_000),
        (Number((3.0,)), '{"answer": 4}'),
        (Number(), '{"answer": true}'),
        (Number(), '{"answer": NaN}'),
        (Number(), '{"answer": 1e999}'),
        (Number(integer=True), '{"answer": 1.5}'),
        (Number(integer=True), '{"answer": 1234567890123456}'),
        (Copy("a green house"), '{"answer": "a red house"}'),
        (Copy("a green house"), '{"answer": "green hous"}'),
        (Copy("a green house", max_words=2), '{"answer": "a green house"}'),
        (Copy("a green house"), '{"answer": ""}'),
        (Schema({"type": "object", "properties": {"a": {"type": "integer"}}}), '{"a": "1"}'),
        (HOLES, '{"0_room": "hall"}'),
    ],
)  # fmt: skip
def test_no_server_is_believed(server: ChatServer, model: RemoteModel, constraint: Any, said: str) -> None:
    server.replies.append(Reply([delta(content=said), delta("stop"), DONE]))
    with pytest.raises(RemoteInvalid):
        complete(model, replace(ASK, constraint=constraint))


def test_a_form_that_is_cut_is_no_answer(server: ChatServer, model: RemoteModel) -> None:
    server.replies.append(Reply([delta(content='{"answer": "y'), delta("length"), DONE]))
    with pytest.raises(RemoteCut, match="room"):
        complete(model, replace(ASK, constraint=Choice(("yes",))))


# --- every way to fail ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "kind", "told"),
    [
        (Reply(status=401, blocks=[b'{"error": "no"}']), RemoteDenied, '401: {"error": "no"}'),
        (Reply(status=403), RemoteDenied, "403"),
        (Reply(status=429, headers={"Retry-After": "7"}), RemoteBusy, "429"),
        (Reply(status=404), RemoteRefused, "404"),
        (Reply(status=400, blocks=[b"too \x1b[31m long"]), RemoteRefused, "too  ?.31m long"),
        (Reply(status=307, headers={"Location": "http://other/"}), RemoteRefused, "not followed"),
        (Reply(status=500), RemoteFailed, "500"),
        (Reply(status=503, headers={"Retry-After": "3"}), RemoteFailed, "503"),
        (Reply(words("ok"), kind="application/json"), RemoteInvalid, "application/json"),
        (Reply(words("ok"), kind=""), RemoteInvalid, "no type"),
        (Reply(words("ok"), headers={"Content-Encoding": "gzip"}), RemoteInvalid, "packs"),
        (Reply([event("{not json")]), RemoteInvalid, "no part of an answer"),
        (Reply([event("[" * 10_000)]), RemoteInvalid, "no part of an answer"),
        (Reply([event({"choices": [{"delta": {"content": 7}}]})]), RemoteInvalid, "no part of an answer"),
        (Reply([b"data: \xff\xfe\n\n"]), RemoteInvalid, "no part of an answer"),
        (Reply([event({"error": {"message": "out of memory"}})]), RemoteFailed, "out of memory"),
        (Reply([delta(content="a"), delta("content_filter"), DONE]), RemoteRefused, "content_filter"),
        (Reply([delta(content="a")]), RemoteCut, "before its end"),
        (Reply([delta(content="a"), DONE]), RemoteCut, "before its end"),
        (Reply([delta(content="a")], cut=True), RemoteCut, "before its end"),
        (Reply([delta(content="a"), b"data: {\"cho"], cut=True), RemoteCut, "before its end"),
        (Reply(raw=b"SSH-2.0-OpenSSH\r\n"), RemoteInvalid, "127.0.0.1"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), RemoteInvalid, "127.0.0.1"),
        (Reply([delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "{"}}]), delta("stop"), DONE]),
         RemoteInvalid, "no JSON object"),
    ],
)  # fmt: skip
def test_each_way_to_fail_is_an_error_of_its_own(
    server: ChatServer, model: RemoteModel, reply: Any, kind: type[LinnetError], told: str
) -> None:
    server.replies.append(reply)
    with pytest.raises(kind, match=told) as caught:
        complete(model, ASK)
    assert type(caught.value) is kind


def test_how_long_to_wait_is_told(server: ChatServer, model: RemoteModel) -> None:
    date = "Fri, 31 Dec 2100 23:59:59 GMT"
    server.replies += [Reply(status=429, headers={"Retry-After": after}) for after in ("7", date, "soon")]
    found = []
    for _ in range(3):
        with pytest.raises(RemoteBusy) as caught:
            complete(model, ASK)
        found.append(caught.value.details)
    assert found[0] == {"status": 429, "retry_after": 7.0}
    assert found[1]["retry_after"] > 1e9
    assert found[2] == {"status": 429}


def test_nobody_listens() -> None:
    with chatting() as server:
        url = server.url
    with pytest.raises(RemoteUnreachable):
        complete(RemoteModel(url, "m"), ASK)


def test_no_such_host() -> None:
    with pytest.raises(RemoteUnreachable):
        complete(RemoteModel("http://no-such-host.invalid/v1", "m"), ASK)


def test_silence_and_deadline(server: ChatServer) -> None:
    model = RemoteModel(server.url, "m", silence=0.2)
    server.replies += [Reply(silent=True), Reply([delta(content="a")], hold=True)]
    for _ in range(2):
        with pytest.raises(RemoteSilent, match=r"nothing for 0\.2 s"):
            complete(model, ASK)
    server.replies += [Reply(silent=True), Reply([delta(content="a")] * 400, pause=0.05)]
    for _ in range(2):
        with pytest.raises(DeadlineExceeded, match=r"0\.1 s"):
            complete(RemoteModel(server.url, "m"), replace(ASK, deadline=0.1))


def test_the_whole_answer_has_a_limit(
    server: ChatServer, model: RemoteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = b"".join(words("Hello there"))
    monkeypatch.setattr(exchange, "LIMITS", replace(LIMITS, remote_reply_bytes=len(good)))
    server.replies += [Reply([good]), Reply([good, b"\n"], hold=True), Reply([b"\n", good])]
    assert complete(model, ASK).text == "Hello there"
    assert complete(model, ASK).text == "Hello there"  # what comes after the end mark is not read
    with pytest.raises(RemoteInvalid, match="the limit"):
        complete(model, ASK)


def test_one_event_has_a_limit(server: ChatServer, model: RemoteModel) -> None:
    server.replies.append(Reply([b"data: ", b"x" * LIMITS.remote_event_bytes]))
    with pytest.raises(RemoteInvalid, match="event of over"):
        complete(model, ASK)


def test_calls_have_a_limit(server: ChatServer, model: RemoteModel) -> None:
    calls = [{"index": n, "function": {"name": "f", "arguments": "{}"}} for n in range(LIMITS.remote_calls + 1)]
    server.replies += [Reply([delta(tool_calls=some), delta("stop"), DONE]) for some in (calls[:-1], calls)]
    assert complete(model, ASK).text.count('"f"') == LIMITS.remote_calls
    with pytest.raises(RemoteInvalid, match=f"over {LIMITS.remote_calls} times"):
        complete(model, ASK)


def test_only_the_beginning_of_a_refusal_is_read(server: ChatServer, model: RemoteModel) -> None:
    server.replies.append(Reply([b"no " * 400] * 1_000, status=500, hold=True))
    with pytest.raises(RemoteFailed) as caught:
        complete(model, ASK)
    assert len(caught.value.message) < 400
    assert server.gone.wait(60)


def test_everything_the_client_raises_is_translated() -> None:
    """By its own name or a parent's: what is not in the table would be told as unreachable."""
    import httpx2

    for name in dir(httpx2):
        kind = getattr(httpx2, name)
        if isinstance(kind, type) and issubclass(kind, httpx2.TransportError | httpx2.InvalidURL):
            abstract = kind in (httpx2.TransportError, httpx2.TimeoutException, httpx2.ProtocolError)
            assert abstract or any(parent.__name__ in exchange.FOREIGN for parent in kind.__mro__), name
    assert all(hasattr(httpx2, name) for name in exchange.FOREIGN)


# --- closing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [Reply(silent=True), Reply([delta(content="a")], hold=True)])
@pytest.mark.parametrize("begun", [False, True])
def test_dropping_a_stream_hangs_up(server: ChatServer, model: RemoteModel, reply: Any, begun: bool) -> None:
    server.replies.append(replace(reply))
    stream = model.stream(ASK)
    if begun and reply.hold:
        assert next(stream).text == "a"  # type: ignore[union-attr]
    while not server.asked:
        time.sleep(0.01)
    del stream
    gc.collect()
    assert server.gone.wait(60)


def test_who_hangs_up_takes_the_end_from_nobody(server: ChatServer) -> None:
    """Another thread does, just as the reader has seen that it is open and waits for what comes: the end had come."""
    server.replies.append(Reply(status=500))
    one = exchange.Exchange(exchange.Post(f"{server.url}/chat/completions", b"{}", {}), 30.0)
    try:
        until = time.monotonic() + 60
        while one._line.blocks.empty():
            assert time.monotonic() < until
            time.sleep(0.01)
        one._line.hang_up()
        with pytest.raises(RemoteCut, match="hung up"):
            next(one)
    finally:
        one.close()


def test_a_reader_that_goes_away_leaves_no_thread(server: ChatServer, model: RemoteModel) -> None:
    server.replies.append(Reply([delta(content="word ")] * 3_000, hold=True))
    stream = model.stream(ASK)
    next(stream)
    del stream
    until = time.monotonic() + 60
    while any(thread.name == "linnet-remote" for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_several_are_asked_at_once(server: ChatServer, model: RemoteModel) -> None:
    """None of them waits for another to be read."""
    server.replies += [Reply([], hold=True) for _ in range(4)]
    streams = [model.stream(ASK) for _ in range(4)]
    until = time.monotonic() + 20
    while len(server.asked) < 4:
        assert time.monotonic() < until
        time.sleep(0.01)
    del streams
    assert [done.text for done in complete_all(model, [ASK] * 4)] == ["Hello there"] * 4


# --- the key -------------------------------------------------------------------------------------


def test_the_key_is_shown_nowhere(server: ChatServer, model: RemoteModel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"wrong key {KEY}!".encode()
    server.replies += [
        Reply(status=401, blocks=[said]),
        Reply([event({"error": {"message": KEY}})]),
        Reply([event(f"{{{KEY}")]),
        Reply([delta(KEY), DONE]),
        Reply([event({"model": KEY, "choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}), DONE]),
    ]
    told = []
    for _ in range(4):
        with pytest.raises(RemoteError) as caught:
            complete(model, ASK)
        told.append(repr(caught.value.describe()) + repr(caught.value) + repr(caught.value.__cause__))
    done = complete(model, ASK)
    assert KEY not in "".join([*told, caplog.text, repr(model), repr(done), repr(model.capabilities)])
    assert "[key]" in told[0]
    server.replies.append(Reply(words("ok"), kind=f"text/{KEY}"))
    with pytest.raises(RemoteInvalid, match=r"text/\[key\]"):
        complete(model, ASK)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://example.com/v1", KEY),
        ("https://example.com/v1", "two words"),
        ("https://example.com/v1", "ümlaut"),
        ("https://user:secret@example.com/v1", ""),
        ("https://example.com/v1?key=secret", ""),
        ("ftp://example.com", ""),
        ("example.com/v1", ""),
        ("http://[::1", ""),
        ("http://a b/", ""),
    ],
)
def test_addresses_and_keys_that_cannot_be(url: str, key: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        RemoteModel(url, "m", key=key)
    told = repr(caught.value.describe())
    assert (not key or key not in told) and "secret" not in told


@pytest.mark.parametrize(
    "url", ["https://example.com/v1/", "http://127.0.0.1:8080", "http://localhost/v1", "http://[::1]:1/v1"]
)
def test_where_a_key_may_go(url: str) -> None:
    assert RemoteModel(url, "m", key=KEY).host


def test_each_error_is_one_of_the_tree() -> None:
    assert set(exchange.FOREIGN.values()) <= set(errors.tree(RemoteError))


# --- a real server -------------------------------------------------------------------------------


def test_a_real_llama_server(llama_server: str, outcome: Callable[..., Any]) -> None:
    model = RemoteModel(llama_server, "smollm2")
    said = (Message("system", "You are a helpful assistant."), Message("user", "What is the capital of France?"))
    ask = Generate(said, max_tokens=12)
    came = outcome(model.stream(ask))
    assert came.error is None and "Paris" in came.text
    assert len(came.pieces) > 3
    assert came.done.usage.prompt_tokens > 10
    assert came.done.degraded == ()
    held = complete(model, replace(ask, constraint=Choice(("Berlin", "Paris", "Rome")), max_tokens=60))
    assert (held.text, held.finish) == ("Paris", "constraint")
    assert complete(model, replace(ask, max_tokens=2)).finish == "length"
