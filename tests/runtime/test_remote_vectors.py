"""Vectors of a server: what it is asked, and that none is believed."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linnet.agent.cascade import Cascade, Rules
from linnet.agent.escalate import Escalation
from linnet.errors import (
    KindUnsupported,
    RemoteInvalid,
    RemoteRefused,
    RemoteUnsupported,
    RequestTooLarge,
)
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Done, Embed, Event, Request, complete
from linnet.runtime.remote import RemoteModel

_SPEC = importlib.util.spec_from_file_location("chat_server", Path(__file__).with_name("chat_server.py"))
assert _SPEC and _SPEC.loader
chat: Any = sys.modules.setdefault("chat_server", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(chat)


@pytest.fixture
def server() -> Iterator[Any]:
    with chat.chatting() as one:
        yield one


@pytest.fixture
def model(server: Any) -> RemoteModel:
    return RemoteModel(server.url, "m", key="sk-test-0123456789abcdef", silence=5.0)


def answer(server: Any, *rows: Any, **more: Any) -> None:
    data = [{"index": index, "embedding": row} for index, row in rows]
    body = json.dumps({"data": data, **more}).encode()
    server.replies.append(chat.Reply([body], kind="application/json"))


def test_rows_come_back_in_order_and_of_length_one(server: Any, model: RemoteModel) -> None:
    answer(server, (1, [0.0, 2.0]), (0, [3.0, 4.0]), usage={"prompt_tokens": 5})
    done = complete(model, Embed(("a", "b")))
    assert done.vectors and done.vectors.array() == pytest.approx(np.array([[0.6, 0.8], [0.0, 1.0]]))
    assert (done.usage.prompt_tokens, done.degraded) == (5, ())
    (asked,) = server.asked
    assert asked.path == "/v1/embeddings" and asked.headers["Authorization"].endswith("cdef")
    assert asked.body == {"model": "m", "input": ["a", "b"], "encoding_format": "float"}


def test_tokens_that_are_not_told_are_told(server: Any, model: RemoteModel) -> None:
    answer(server, (0, [1.0]))
    assert complete(model, Embed(("a",))).degraded == ("tokens are not counted: the server told none",)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(0, [1.0])],
        [(0, [1.0]), (0, [1.0])],
        [(0, [1.0]), (2, [1.0])],
        [(0, [1.0]), (1, [1.0, 2.0])],
        [(0, [0.0]), (1, [1.0])],
        [(0, []), (1, [])],
        [(0, [float("nan")]), (1, [1.0])],
        [(0, [1.0] * (LIMITS.vector_width + 1)), (1, [1.0] * (LIMITS.vector_width + 1))],
    ],
)
def test_no_server_is_believed(server: Any, model: RemoteModel, rows: Any) -> None:
    answer(server, *rows)
    with pytest.raises(RemoteInvalid):
        complete(model, Embed(("a", "b")))


def test_what_is_no_answer_is_refused(server: Any, model: RemoteModel) -> None:
    server.replies.append(chat.Reply([b"<html>"], kind="text/html"))
    with pytest.raises(RemoteInvalid, match="not with application/json"):
        complete(model, Embed(("a",)))
    server.replies.append(chat.Reply([b'{"data": "x"}'], kind="application/json"))
    with pytest.raises(RemoteInvalid, match="holds no vectors"):
        complete(model, Embed(("a",)))
    server.replies.append(chat.Reply([b"{}"], status=404))
    with pytest.raises(RemoteRefused):
        complete(model, Embed(("a",)))


def test_too_much_is_not_sent(server: Any, model: RemoteModel) -> None:
    with pytest.raises(RequestTooLarge):
        model.stream(Embed(("a" * (LIMITS.request_bytes + 1),)))
    assert not server.asked


# --- wrappers ------------------------------------------------------------------------------------


class Refusing:
    capabilities = Capabilities("refusing", 100)

    def stream(self, request: Request) -> Iterator[Event]:
        raise KindUnsupported("it does not embed")


class Counting:
    capabilities = Capabilities("counting", 100)

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        return iter((Done(),))


def test_a_cascade_does_not_mix_vectors_of_two_models() -> None:
    other = Counting()
    with pytest.raises(KindUnsupported):
        complete(Cascade(Refusing(), other, Rules()), Embed(("a",)))
    assert other.asked == []
    assert complete(Cascade(other, Refusing()), Embed(("a",))) and len(other.asked) == 1


def test_the_gate_to_a_server_lets_questions_through_only(model: RemoteModel) -> None:
    with pytest.raises(RemoteUnsupported):
        complete(Escalation(model, allowed=True), Embed(("a",)))
