"""What is kept back: found, replaced, and put back, with nothing lost on the way."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.redact import EMAILS, KEYS, NUMBERS, STANDARD, Redaction, Restoring, Rule
from linnet.errors import EscalationDenied, SettingsInvalid
from linnet.limits import LIMITS

SECRETS = st.sampled_from(
    ["a@b.org", "Anna.Smith+x@mail.example.com", "+49 30 1234567", "4111 1111 1111 1111", "DE89370400440532013000",
     "sk-abcdefghijklmnop1234", "AKIAABCDEFGHIJKLMNOP", "password: hunter2", "[EMAIL_1]", "[email_2]",
     "[NUMBER_1", "]"]
)  # fmt: skip
TEXTS = st.lists(st.one_of(SECRETS, st.text(max_size=12)), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Write to bob.smith@example.co.uk.", "Write to [EMAIL_1]."),
        ("<a@b.org>, a@b.org and c@d.org", "<[EMAIL_1]>, [EMAIL_1] and [EMAIL_2]"),
        ("Call +49 (30) 123-4567 now", "Call [NUMBER_1] now"),
        ("Card 4111 1111 1111 1111", "Card [NUMBER_1]"),
        ("IBAN DE89370400440532013000", "IBAN DE[NUMBER_1]"),
        ("Key sk-proj_abcdefghijkl", "Key [KEY_1]"),
        ("ghp_abcdefghijklmnop0123", "[KEY_1]"),
        ("AKIAIOSFODNN7EXAMPLE is it", "[KEY_1] is it"),
        ("my password is hunter2, ok", "my password is [KEY_1], ok"),
        ("API key: abc123xyz", "API key: [KEY_1]"),
        ("0123456789abcdef0123456789abcdef", "[KEY_1]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "[KEY_1]"),
        ("In 2026-11-28 we sold 1,250 of 12 kinds", "In 2026-11-28 we sold 1,250 of 12 kinds"),
        ("1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 9"),
        ("Pneumonoultramicroscopicsilicovolcanoconiosis", "Pneumonoultramicroscopicsilicovolcanoconiosis"),
        ("a @ b", "a @ b"),
    ],
)
def test_what_the_rules_find(text: str, sent: str) -> None:
    redaction = Redaction(STANDARD, [text])
    assert redaction.redact(text) == sent
    assert redaction.restore(sent) == text


def test_marks_are_told_by_kind() -> None:
    redaction = Redaction(STANDARD, [])
    redaction.redact("a@b.org c@d.org a@b.org 030 1234567")
    assert redaction.kinds == {"email": 2, "number": 1}


def test_a_mark_that_is_there_already_is_nobodys() -> None:
    text = "[EMAIL_1] is a mark, a@b.org is none, [email_2] is another"
    redaction = Redaction(STANDARD, [text])
    assert redaction.redact(text) == "[EMAIL_1] is a mark, [EMAIL_3] is none, [email_2] is another"
    assert redaction.restore(redaction.redact(text)) == text


@given(TEXTS)
def test_there_and_back(text: str) -> None:
    redaction = Redaction(STANDARD, [text])
    assert redaction.restore(redaction.redact(text)) == text


@given(TEXTS, st.data())
def test_there_and_back_in_pieces(text: str, data: st.DataObject) -> None:
    redaction = Redaction(STANDARD, [text])
    sent = redaction.redact(text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    restoring = Restoring(redaction)
    pieces = [restoring.feed(sent[a:b]) for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert "".join(pieces) + restoring.end() == text


@given(st.emails())
def test_no_address_gets_through(address: str) -> None:
    if not re.fullmatch(r"[\w.+%-]+@[\w.-]+", address):
        return  # odd ones are not promised
    assert address not in Redaction(EMAILS, []).redact(f"Ask {address} about it")


@given(st.text("0123456789", min_size=7, max_size=20))
def test_no_long_number_gets_through(digits: str) -> None:
    assert digits not in Redaction(NUMBERS, []).redact(f"It is {digits}.")


def test_a_model_may_write_a_mark_smaller() -> None:
    redaction = Redaction(EMAILS, [])
    redaction.redact("a@b.org")
    assert redaction.restore("[Email_1], [EMAIL_2]") == "a@b.org, [EMAIL_2]"


def test_rules_of_ones_own() -> None:
    names = Rule("name", re.compile("Anna|Tom"))
    redaction = Redaction((*STANDARD, names, Rule("digits", re.compile(r"\d+"))), [])
    text = "Anna (anna@b.org) and Tom are 41"
    assert redaction.redact(text) == "[NAME_1] ([EMAIL_1]) and [NAME_2] are [DIGITS_1]"
    assert redaction.restore(redaction.redact(text)) == text
    for kind in ("", "a b", "x1", "y" * 25):
        with pytest.raises(SettingsInvalid):
            Rule(kind, names.pattern)


def test_how_many_texts_can_be_kept_back() -> None:
    redaction = Redaction(EMAILS, [])
    redaction.redact(" ".join(f"a{n}@b.org" for n in range(LIMITS.redactions)))
    redaction.redact("a1@b.org")
    with pytest.raises(EscalationDenied, match="the limit"):
        redaction.redact("one.more@b.org")


@pytest.mark.parametrize(
    "text",
    ["a" * 300_000, "a." * 150_000, "1 " * 150_000, "12 " * 100_000, "a@" * 150_000, "-----BEGIN A-----" * 15_000,
     "password: " * 30_000, "[EMAIL_" * 40_000, "+-" * 150_000],
    ids=lambda text: text[:6],
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    """Within pytest's own time: a quadratic rule would take minutes for a third of a megabyte."""
    Redaction((*KEYS, *EMAILS), [text]).redact(text)
    list(NUMBERS[0].find(text))
