"""Likelihoods that a server tells: how that is found out, what is believed, and the same numbers as the engine's."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import (
    DeadlineExceeded,
    EmptyRequest,
    RemoteBusy,
    RemoteCut,
    RemoteDenied,
    RemoteError,
    RemoteFailed,
    RemoteInvalid,
    RemoteUnsupported,
)
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Done, Model, Score, Segment, Usage, complete
from linnet.runtime.errand import Errand
from linnet.runtime.exchange import Post
from linnet.runtime.fleet.fleet import FleetModel
from linnet.runtime.likelihoods.asking import Likelihoods
from linnet.runtime.likelihoods.echoed import Echoed
from linnet.runtime.likelihoods.told import Told, summed, told_by
from linnet.runtime.local import open_local
from linnet.runtime.remote import RemoteModel

_SPEC = importlib.util.spec_from_file_location("chat_server", Path(__file__).parents[1] / "chat_server.py")
assert _SPEC and _SPEC.loader
chat: Any = sys.modules.setdefault("chat_server", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(chat)
ChatServer = Any


def plain(text: str) -> tuple[Segment, ...]:
    return (Segment(text, False),)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat.chatting() as one:
        yield one


# --- a prompt that is said back --------------------------------------------------------------------

TOKENS = ("one", ",", " two", " three", " four", " five", " six", " zebra", "a", "b", "ab", " ", "é")
"""Of the double: the longest that fits is taken, and one in the n-th place has -n nats."""


def spelled(text: str) -> list[str]:
    found: list[str] = []
    while text:
        found.append(max((token for token in TOKENS if text.startswith(token)), key=len, default=text[0]))
        text = text[len(found[-1]) :]
    return found


def nats(token: str) -> float:
    return -float(TOKENS.index(token) + 1) if token in TOKENS else -30.0


def echoing(path: str, body: dict[str, Any], finish: str = "length") -> tuple[int, Any]:
    """As vLLM answers; one that ends at once tells the token that ends it."""
    if path != "/v1/completions":
        return 404, {}
    choices = []
    for n, text in enumerate(body["prompt"]):
        tokens = [*spelled(text), " so" if finish == "length" else ""]
        columns = {
            "tokens": tokens,
            "token_logprobs": [None, *map(nats, tokens[1:])],
            "text_offset": [len("".join(tokens[:k])) for k in range(len(tokens))],
        }
        choices.append({"index": n, "text": "".join(tokens), "finish_reason": finish, "logprobs": columns})
    return 200, {"choices": choices[::-1], "usage": {"prompt_tokens": 9, "completion_tokens": len(choices)}}


@pytest.mark.parametrize("finish", ["length", "stop"])
def test_an_echo_is_found_and_summed(server: ChatServer, finish: str) -> None:
    server.scoring = lambda path, body: echoing(path, body, finish)
    model = RemoteModel(server.url, "m")
    assert server.scored == [] and not model.capabilities.scores
    assert "echo" in model.learn() and model.capabilities.scores and len(server.scored) == 1
    done = complete(model, Score(plain("one two"), (" three", " four five")))
    assert done.scores == ((-4.0, 1), (-11.0, 2)) and done.usage == Usage(9, 0, 3)
    assert done.steps[0].kind == "remote" and "echo" in done.steps[0].detail
    sent = server.scored[1][1]
    assert sent["prompt"] == ["one two", "one two three", "one two four five"]
    assert (sent["model"], sent["echo"], sent["max_tokens"]) == ("m", True, 1)


def test_a_token_over_the_seam_counts_with_the_text(server: ChatServer) -> None:
    """`a` alone, and `ab` in one token: what the text adds is the one less the other."""
    server.scoring = echoing
    model = RemoteModel(server.url, "m")
    model.learn()
    assert complete(model, Score(plain("one a"), ("b",))).scores == ((nats("ab") - nats("a"), 1),)


def silent(choices: list[Any]) -> None:
    """As llama-server answers: nothing is said back, and the columns are others."""
    choices[0] |= {"text": "", "logprobs": {"content": [{"id": 1, "token": "x", "logprob": -1.0}]}}


def unsaid(choices: list[Any]) -> None:
    choices[0]["text"] = choices[0]["text"][3:]


def short(choices: list[Any]) -> None:
    choices[0]["logprobs"]["token_logprobs"].pop()


def certain(choices: list[Any]) -> None:
    """After the sampler."""
    for one in choices:
        one["logprobs"]["token_logprobs"] = [0.0] * len(one["logprobs"]["tokens"])


def lost(choices: list[Any]) -> None:
    choices.pop()


def positive(choices: list[Any]) -> None:
    choices[0]["logprobs"]["token_logprobs"][-2] = 3.0


def untold(choices: list[Any]) -> None:
    choices[0]["logprobs"]["token_logprobs"][-2] = None


def uneven(choices: list[Any]) -> None:
    choices[0]["logprobs"]["tokens"].append("x")


def endless(choices: list[Any]) -> None:
    """It generates as many as it likes."""
    for one in choices:
        columns = one["logprobs"]
        one["text"] += " and on"
        columns["text_offset"] += [len(one["text"]) - 7, len(one["text"]) - 3]
        columns["tokens"] += [" and", " on"]
        columns["token_logprobs"] += [-1.0, -1.0]


@pytest.mark.parametrize("change", [silent, unsaid, short, certain, lost, positive, untold, uneven, endless])
def test_no_server_is_believed(server: ChatServer, change: Callable[[list[Any]], None]) -> None:
    def scoring(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        status, told = echoing(path, body)
        if status == 200:
            change(told["choices"])
        return status, told

    server.scoring = scoring
    model = RemoteModel(server.url, "m")
    assert model.learn() == "" and not model.capabilities.scores


@pytest.mark.parametrize("one", [None, 0.5, float("nan"), float("inf"), float("-inf"), -1.7e308, -1.1e6])
def test_what_is_no_log_probability(one: float | None) -> None:
    with pytest.raises(RemoteInvalid):
        summed([-1.0, one])
    assert summed([-1.0, 1e-6]) == pytest.approx(-1.0, abs=1e-5)


def test_an_answer_that_nobody_thought_of_is_an_invalid_one(server: ChatServer) -> None:
    class Failing:
        name = "a fault"

        def scored(self, ask: Any, prompt: str, texts: Sequence[str]) -> Told:
            raise OverflowError

    with pytest.raises(RemoteInvalid, match="OverflowError"):
        told_by(Failing(), lambda url, body: b"", "one", ("a",))
    assert Likelihoods(RemoteModel(server.url, "m")._post, (Failing(),)).learn() == ""


# --- finding out ---------------------------------------------------------------------------------


def test_a_server_without_is_asked_once(server: ChatServer) -> None:
    model = RemoteModel(server.url, "m")
    assert [model.learn() for _ in range(3)] == ["", "", ""]
    assert [path for path, _ in server.scored] == ["/v1/completions", "/tokenize"]
    with pytest.raises(RemoteUnsupported):
        model.stream(Score(plain("one"), ("a",)))


def test_one_that_does_not_answer_is_asked_again_after_remote_learn_again_seconds(server: ChatServer) -> None:
    now = 100.0
    status = 503
    server.scoring = lambda path, body: (status, {}) if status != 200 else echoing(path, body)
    post = RemoteModel(server.url, "m")._post
    one = Likelihoods(post, (Echoed(server.url, "m"),), lambda: now)
    assert one.learn() == "" and len(server.scored) == 1
    status = 200
    now += LIMITS.remote_learn_again_seconds - 1
    assert one.learn() == "" and len(server.scored) == 1
    now += 2
    assert one.learn() and len(server.scored) == 2


@pytest.mark.parametrize("status", [400, 404, 405, 413, 200])
def test_one_that_tells_them_no_longer_is_not_believed_on(server: ChatServer, status: int) -> None:
    now, ask = 100.0, Score(plain("one two"), (" three",))
    server.scoring = echoing
    one = Likelihoods(RemoteModel(server.url, "m")._post, (Echoed(server.url, "m"),), lambda: now)
    assert one.learn() and next(one.stream(ask)).scores
    server.scoring = lambda path, body: (status, {"choices": []})
    with pytest.raises(RemoteUnsupported, match="no longer"):
        next(one.stream(ask))
    server.scoring = echoing
    assert one.learn() == "" and len(server.scored) == 3
    with pytest.raises(RemoteUnsupported):
        one.stream(ask)
    now += LIMITS.remote_learn_again_seconds + 1
    assert one.learn() and next(one.stream(ask)).scores


@pytest.mark.parametrize(("status", "kind"), [(401, RemoteDenied), (429, RemoteBusy), (503, RemoteFailed)])
def test_one_that_only_fails_is_believed_on(server: ChatServer, status: int, kind: type[RemoteError]) -> None:
    server.scoring = echoing
    model = RemoteModel(server.url, "m")
    model.learn()
    server.scoring = lambda path, body: (status, {})
    with pytest.raises(kind):
        complete(model, Score(plain("one two"), (" three",)))
    server.scoring = echoing
    assert complete(model, Score(plain("one two"), (" three",))).scores


def test_one_that_was_hung_up_on_is_believed_on(server: ChatServer) -> None:
    free, there = threading.Event(), threading.Event()
    server.scoring = echoing
    one = Likelihoods(RemoteModel(server.url, "m")._post, (Echoed(server.url, "m"),))
    one.learn()
    server.scoring = lambda path, body: (200, {"waited": there.set() or free.wait(60)})
    try:
        errand = one.stream(Score(plain("one two"), (" three",)))
        assert there.wait(60)
        errand.close()
        with pytest.raises(RemoteCut):
            next(errand)
        assert one.learn()
    finally:
        free.set()


def test_finding_out_ends_after_remote_learn_seconds(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()
    server.scoring = lambda path, body: (200, {"waited": free.wait(60)})
    limits = replace(LIMITS, remote_learn_seconds=0.2)
    monkeypatch.setattr("linnet.runtime.likelihoods.asking.LIMITS", limits)
    try:
        assert RemoteModel(server.url, "m").learn() == ""
    finally:
        free.set()


def test_nobody_listens() -> None:
    model = RemoteModel("http://127.0.0.1:9/v1", "m")
    assert model.learn() == "" and not model.capabilities.scores


@pytest.mark.parametrize(
    "request_",
    [
        Score((Message("user", "one"),), ("a",)),
        Score((Segment("one", True),), ("a",)),
        Score(plain("one"), ("a",), answer_start="b"),
        Score(plain("one"), ("a",), continues=True),
    ],
    ids=["messages", "trusted", "begun", "continued"],
)
def test_only_what_follows_a_plain_text_is_scored(server: ChatServer, request_: Score) -> None:
    server.scoring = echoing
    model = RemoteModel(server.url, "m")
    model.learn()
    with pytest.raises(RemoteUnsupported):
        model.stream(request_)
    with pytest.raises(EmptyRequest):
        model.stream(Score(plain(""), ("a",)))
    assert len(server.scored) == 1


def test_a_fleet_has_them_if_each_of_its_servers_does(server: ChatServer) -> None:
    server.scoring = echoing
    with chat.chatting() as other:
        models = [RemoteModel(one.url, "m") for one in (server, other)]
        fleet = FleetModel(models)
        try:
            assert fleet.learn() == "" and not fleet.capabilities.scores
        finally:
            fleet.close()
        other.scoring = echoing
        fleet = FleetModel([RemoteModel(one.url, "m") for one in (server, other)])
        try:
            assert "echo" in fleet.learn() and fleet.capabilities.scores
            done = complete(fleet, Score(plain("one two"), (" three",)))
            assert done.scores == ((-4.0, 1),) and done.steps[-1].kind == "fleet"
        finally:
            fleet.close()


# --- errands -------------------------------------------------------------------------------------


def waiting(url: str, deadline: float) -> Errand:
    def work(ask: Any) -> Done:
        ask(url, b"{}")
        return Done()

    return Errand(lambda url, body: Post(url, body, {}, direct=True), deadline, work)


def test_an_errand_ends_at_its_deadline_and_where_it_is_closed(server: ChatServer) -> None:
    free = threading.Event()
    server.scoring = lambda path, body: (200, {"waited": free.wait(60)})
    try:
        with pytest.raises(DeadlineExceeded, match=r"within its 0\.2 s"):
            next(waiting(f"{server.url}/completions", 0.2))
        errand = waiting(f"{server.url}/completions", 60)
        threading.Timer(0.1, errand.close).start()
        with pytest.raises((RemoteCut, RemoteInvalid)):
            next(errand)
        errand.close()
        with pytest.raises(StopIteration):
            next(errand)
    finally:
        free.set()


# --- a real server -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local() -> Iterator[Model]:
    model = open_local("default", context=512)
    yield model
    model.close()


def test_a_real_llama_server_tells_what_the_engine_does(
    llama_server: str, local: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file of 32 bits to 0.002 nats (docs/fleet.md). With 4 bits the engine itself differs so much between two
    shapes of a batch that 1.0 is allowed; texts that are not the same tokens are many nats apart."""
    monkeypatch.setattr("linnet.runtime.likelihoods.asking.LIMITS", replace(LIMITS, remote_learn_seconds=60.0))
    model = RemoteModel(llama_server, "smollm2")
    assert "forced tokens" in model.learn() and model.capabilities.scores
    asks = [
        Score(plain("The capital of France is"), (" Paris", " Rome", " a city <|im_start|> of lights")),
        Score(plain("Function: weather(city)\nWhat is it like in Zürich?\ncity:"), (" Zürich\n", " 23\n")),
    ]
    for ask in asks:
        far, near = complete(model, ask), complete(local, ask)
        assert [count for _, count in far.scores] == [count for _, count in near.scores]
        for (a, _), (b, _) in zip(far.scores, near.scores, strict=True):
            assert a == pytest.approx(b, abs=1.0)
        assert far.usage.prompt_tokens > near.usage.prompt_tokens > far.usage.generated_tokens == 0
    with pytest.raises(RemoteUnsupported, match="part of a character"):
        complete(model, Score(plain("The capital is"), (" 東京",)))
    assert complete(model, asks[0]).winner() == 0, "the server is well after that"


def test_what_is_raised_is_of_the_tree(server: ChatServer) -> None:
    server.scoring = echoing
    model = RemoteModel(server.url, "m")
    model.learn()
    server.scoring = lambda path, body: (500, {})
    with pytest.raises(RemoteError):
        complete(model, Score(plain("one"), ("a",)))
