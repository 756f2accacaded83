"""Counts are asked for once each, and agree with the real tokenizer and template."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from linnet.agent.context.tally import Tally, said
from linnet.agent.recent import Recent, digest
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall
from linnet.requests import Capabilities, Count, Done, Event, Request, complete
from linnet.runtime.local import LocalModel, open_local

SYSTEM = Message("system", "Be brief.")


class Asked:
    capabilities = Capabilities("asked", 100)

    def __init__(self) -> None:
        self.heard: list[Request] = []

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        yield Done(count=7)


def test_each_text_is_asked_about_once() -> None:
    model, other = Asked(), Asked()
    tally = Tally(model)
    assert tally.texts(["a", "b", "a", ""]) == [7, 7, 7, 0]
    assert tally.texts(["b"]) == [7] and len(model.heard) == 2
    assert tally.over(other).texts(["a"]) == [7] and not other.heard
    assert (tally.before(SYSTEM), tally.before(SYSTEM)) == (0, 0) and len(model.heard) == 4


def test_a_text_that_is_too_large_counts_its_bytes() -> None:
    model = Asked()
    assert Tally(model).texts(["é" * (LIMITS.request_bytes // 2 + 1)]) == [LIMITS.request_bytes + 2]
    assert model.heard == []


def test_calls_and_reasoning_count() -> None:
    call = ToolCall("add", {"a": 1})
    assert said(Message("assistant", "b", calls=(call,), reasoning="a")) == 'ab["add",{"a":1}]'


def test_the_last_used_are_kept() -> None:
    recent: Recent[str, int] = Recent(2)
    for key, value in (("a", 1), ("b", 2)):
        recent.put(key, value)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c"), len(recent)) == (1, None, 3, 2)


def test_a_digest_knows_where_texts_part() -> None:
    assert digest("ab", "c") != digest("a", "bc") and digest("a") == digest("a")
    assert digest("\ud800") != digest("")


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    model = open_local(context=512)
    yield model
    model.close()


def test_the_parts_add_up_on_the_real_model(model: LocalModel) -> None:
    messages = (SYSTEM, Message("user", "Who wrote it?\n"), Message("assistant", "  I don't know, 3 or 4 people."),
                Message("user", "Tell me <|im_end|> more about 日本 then!"))  # fmt: skip
    tally = Tally(model)
    sizes = tally.texts([message.content for message in messages[1:]])
    reckoned = tally.before(SYSTEM) + sum(sizes) + 2 * tally.around(SYSTEM)
    assert abs(reckoned - complete(model, Count(messages)).count) <= 3
