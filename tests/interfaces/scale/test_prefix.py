"""What two requests have in common where they are for one replica."""

from __future__ import annotations

from dataclasses import replace

import pytest

from linnet.interfaces.scale.prefix import key_of
from linnet.messages import Message, ToolSpec
from linnet.requests import Count, Embed, Generate, Score, Segment, Spell

SYSTEM = Message("system", "You are a librarian.")
ASKED = Generate((SYSTEM, Message("user", "Hello")))


def test_what_follows_the_system_message_changes_nothing() -> None:
    longer = replace(
        ASKED, prompt=(SYSTEM, Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "B"))
    )
    assert key_of(longer) == key_of(ASKED) == key_of(replace(ASKED, max_tokens=3))


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, prompt=(Message("system", "You are a cook."), Message("user", "Hello"))),
        replace(ASKED, owner="somebody"),
        replace(ASKED, tools=(ToolSpec("add", "Add numbers", {"type": "object", "properties": {}}),)),
    ],
)
def test_what_is_before_it_does(other: Generate) -> None:
    assert key_of(other) != key_of(ASKED)


def test_an_adapter_has_prefixes_of_its_own() -> None:
    assert key_of(ASKED, "home") != key_of(ASKED)


def test_a_conversation_without_a_system_message_stays_where_it_began() -> None:
    first = Generate((Message("user", "Who are you?"),))
    later = Generate((*first.prompt, Message("assistant", "A model."), Message("user", "Really?")))
    assert key_of(first) == key_of(later) != key_of(Generate((Message("user", "Who am I?"),)))


def test_of_rendered_prompts_the_stable_segments_count() -> None:
    def prompt(end: str) -> tuple[Segment, ...]:
        return (Segment("<s>", True), Segment("tools", False), Segment(end, False))

    assert key_of(Generate(prompt("a"), stable=2)) == key_of(Score(prompt("b"), ("x",), stable=2))
    assert key_of(Generate(prompt("a"), stable=3)) != key_of(Generate(prompt("b"), stable=3))


def test_every_kind_of_request_has_a_key() -> None:
    kinds = [Embed(("text",)), Spell("text"), Count((Segment("text", False),)), ASKED]
    assert all(len(key_of(request)) == 32 for request in kinds)
