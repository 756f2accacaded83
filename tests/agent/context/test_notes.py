"""What stays of what has left: the newest of it, within its tokens; and which sentences state something."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.context import notes
from linnet.agent.context.facts import LONGEST, facts_in
from linnet.agent.context.window import KeyFacts, ShortRoles
from linnet.messages import Message


def sizes(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


GONE = [
    Message("user", "My name is Bo. Who was Bach?"),
    Message("assistant", "A composer.\nBorn in 1685."),
    Message("user", "I live in Oslo."),
    Message("assistant", "x" * 100),
]


def test_short_roles() -> None:
    told = notes.note(ShortRoles(chars=20), GONE, sizes)
    assert told.splitlines() == [
        "U: My name is Bo. Who w...",
        "A: A composer. Born in...",
        "U: I live in Oslo.",
        f"A: {'x' * 20}...",
    ]
    assert notes.note(ShortRoles(chars=20, exchanges=1), GONE, sizes).startswith("U: I live")
    assert notes.note(ShortRoles(), [Message("assistant", "hi")], sizes) == "A: hi"


def test_key_facts_are_the_users_own_words() -> None:
    assert notes.note(KeyFacts(), GONE, sizes) == "My name is Bo.\nI live in Oslo."
    assert notes.note(KeyFacts(tokens=5), GONE, sizes) == "I live in Oslo.", "the newest first"
    again = [*GONE, Message("user", "My name is Bo.")]
    assert notes.note(KeyFacts(), again, sizes) == "I live in Oslo.\nMy name is Bo.", "once, where it was said last"


@given(st.lists(st.text(max_size=80), max_size=12), st.integers(1, 40), st.booleans())
def test_a_note_is_within_its_tokens(contents: list[str], tokens: int, roles: bool) -> None:
    policy = ShortRoles(tokens) if roles else KeyFacts(tokens)
    told = notes.note(policy, [Message("user", content) for content in contents], sizes)
    assert sizes([told])[0] <= tokens


def test_a_note_stands_before_what_is_said() -> None:
    assert notes.before("a\nb", "c") == "Earlier in this conversation:\na\nb\n\nc"
    assert notes.before("", "c") == "c"


def test_a_transcript_has_names() -> None:
    assert notes.transcript([GONE[0], Message("assistant", "")]) == "User: My name is Bo. Who was Bach?"


@pytest.mark.parametrize(
    "text",
    [
        "My sister's name is Ingrid.", "I'm allergic to nuts.", "Call me Sam.", "we moved to Bergen last year",
        "The meeting is at 5 on Friday.", "Our budget was small.", "Remember the milk!", "I have two dogs",
    ],
)  # fmt: skip
def test_statements(text: str) -> None:
    assert facts_in(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "What is my name?",
        "Tell me 3 things about rivers.",
        "Rivers are long.",
        "",
        "Is my car red",
        "I have " + "x" * LONGEST,
    ],
)
def test_no_statements(text: str) -> None:
    assert facts_in(text) == []


@given(st.text(max_size=400))
def test_facts_stand_in_the_text(text: str) -> None:
    assert all(fact in text and len(fact) <= LONGEST for fact in facts_in(text))
