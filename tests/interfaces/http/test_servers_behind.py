"""A fleet over Linnet's own server, several times: answers, a worker that dies, a server that ends."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from linnet.interfaces.http.answering import Asked, Called, Whole, answer
from linnet.interfaces.http.service import Service
from linnet.messages import Message
from linnet.requests import Generate, Score, Segment, complete
from linnet.runtime.fleet.fleet import FleetModel
from linnet.runtime.remote import RemoteModel
from linnet.script import Say
from linnet.tools import Tool

_SPEC = importlib.util.spec_from_file_location(
    "chat_server", Path(__file__).parents[2] / "runtime" / "chat_server.py"
)
assert _SPEC and _SPEC.loader
chat: Any = sys.modules.setdefault("chat_server", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(chat)
Reply, chatting, words = chat.Reply, chat.chatting, chat.words
ASK = Generate((Message("user", "Hello"),), max_tokens=9, deadline=60)


def test_two_servers_of_ours_and_one_that_ends(serving: Callable[..., object]) -> None:
    servers = [serving(*[Say(b"Well met.".hex())] * 4) for _ in range(2)]
    urls = [f"{server.url}/v1" for server in servers]  # type: ignore[attr-defined]
    with contextlib.closing(FleetModel([RemoteModel(url, "default") for url in urls])) as fleet:
        assert [complete(fleet, ASK).text for _ in range(2)] == ["Well met."] * 2
        assert [one["answered"] for one in fleet.servers()] == [1, 1]
        assert [one["well"] for one in fleet.look(60.0)] == [True, True]
        servers[0].close()  # type: ignore[attr-defined]
        ends = [complete(fleet, ASK) for _ in range(2)]
        assert [done.text for done in ends] == ["Well met."] * 2
        assert sum("remote_unreachable" in note for done in ends for note in done.degraded) == 1
        assert [one["state"] for one in fleet.servers()] == ["open", "closed"]


def test_health_tells_of_the_servers_behind(serving: Callable[..., object]) -> None:
    server = serving(Say(b"Well met.".hex()))
    service: Service = server.service  # type: ignore[attr-defined]
    assert "servers" not in httpx.get(f"{server.url}/health", timeout=60).json()  # type: ignore[attr-defined]
    fleet = FleetModel([RemoteModel("http://127.0.0.1:9/v1", "m")])
    service.servers = fleet.servers
    told = httpx.get(f"{server.url}/health", timeout=60).json()["servers"]  # type: ignore[attr-defined]
    assert told == [{"server": "127.0.0.1:9", "state": "closed", "outstanding": 0, "retry_after": 0.0}]


REPEAT = Tool.from_schema("repeat", "Repeats.", {"properties": {"times": {"type": "number"}}, "required": ["times"]})


def test_a_call_that_is_insisted_on_comes_of_a_server_too() -> None:
    """Guided first; where the server keeps to no form, as JSON; and where that is no call, its arguments alone."""
    ask = Asked(Generate((Message("user", "again and again"),), deadline=60), (REPEAT,), "required")

    def asked(*said: str) -> tuple[dict[str, object], Whole, list[str]]:
        with chatting() as server:
            server.replies = [Reply(words(text)) for text in said]
            far = RemoteModel(server.url, "m")
            events = list(answer(far, ask, far))
        (called,) = [event for event in events if isinstance(event, Called)]
        (whole,) = [event for event in events if isinstance(event, Whole)]
        return called.call.arguments, whole, [one.body["messages"][0]["content"] for one in server.asked]

    arguments, whole, _ = asked('{"0_value": 7}')
    assert arguments == {"times": 7} and "asked to pick" in whole.steps[0].detail
    arguments, whole, told = asked("seven times", "[]", '{"times": 3}')
    assert arguments == {"times": 3} and "asked for calls as JSON" in whole.steps[1].detail
    assert any("written by the model" in repair for repair in whole.repairs)
    assert "the arguments of repeat, as one JSON object" in told[2]


def test_our_own_server_tells_likelihoods_and_so_guides_as_embedded(server: str) -> None:
    """By `echo`; near to what the engine says (it differs by so much between two shapes of a batch)."""
    from linnet.runtime.local import open_local

    far = RemoteModel(f"{server}/v1", "default")
    assert "echo" in far.learn() and far.capabilities.scores
    prompt = (Segment("The capital of France is", False),)
    ask = Score(prompt, (" Paris", " Rome", " 東京"))
    with contextlib.closing(open_local("default", context=512)) as local:
        near = complete(local, ask)
    done = complete(far, ask)
    assert [count for _, count in done.scores] == [count for _, count in near.scores]
    for (a, _), (b, _) in zip(done.scores, near.scores, strict=True):
        assert a == pytest.approx(b, abs=1.0)
