"""Which sentences promise a deed that the turn, which ends with them, will not see."""

from __future__ import annotations

import pytest

from linnet.agent.claims import checked
from linnet.agent.promises import promises
from linnet.messages import ToolCall, ToolResult


@pytest.mark.parametrize(
    ("text", "deed"),
    [
        ("I'm glad you're happy with the bill. I'll split it for you.", "do"),
        ("I'll send an email to Anna.", "send"),
        ("I will book it.", "arrange"),
        ("Sure! I'll set a reminder for 6 pm.", "arrange"),
        ("I’ll remind you to call mum.", "arrange"),
        ("Let me book the table.", "arrange"),
        ("I am going to turn off the lights now.", "switch"),
        ("I'll go ahead and delete that file for you.", "delete"),
        ("I'll quickly check your calendar.", "look up"),
        ("I'll divide the whole bill for you.", "do"),
        ("Let me reheat that for you.", "do"),
        ("I'll send you the tickets.", "send"),
        ("I'll set an alarm for 6:30.", "arrange"),
        ("Note: I'll send an email to Anna.", "send"),
        ("Let me check your calendar. One moment, please.", "look up"),
        ("All right. Let me check your calendar.", "look up"),
        ("I'll add it to your calendar.", "create"),
        ("I'll order it for you.", "arrange"),
    ],
)
def test_a_promise(text: str, deed: str) -> None:
    (found,) = promises(text)
    assert found.deed == deed and found.sentence in text


@pytest.mark.parametrize(
    "text",
    [
        "I will send the email as soon as you confirm.",
        "I'll book it once I know the time.",
        "Let me know when you have sent it.",
        "I'll write you a poem.",
        "I'll create an example for you.",
        "I'll explain it for you.",
        "I'll break it down for you.",
        "Let me summarise that for you.",
        "I'll call it a day.",
        "I'll do my best.",
        "I will always remember the sea.",
        "I'll send my love to the mountains.",
        "Shall I split it for you?",
        'She said: "I\'ll send the email."',
        "`I'll split it for you`",
        "I won't delete your file.",
        "The waiter will split it for you.",
        "I'll be here for you.",
        "I'll tell you the story of the table.",
        "Let me check that for you. 17 is a prime number.",
        "Let me look it up for you. Paris has two million people.",
        "Let me check that for you. The second largest is Lyon.",
        "I'll add it up: 3 + 4 = 7.",
        "I'll add them up for you.",
        "Sure, I'll edit the text: The cat sat.",
        "I'll order them by size: 1, 2, 3.",
        "I'll order them by size.",
        "I'll replace it with a synonym: big.",
        "I'll update the table below:\n| a |",
        "I'll divide the bill for you: each pays 5.",
        "Let me set the record straight: the table is oak.",
        "",
    ],
)
def test_no_promise(text: str) -> None:
    assert promises(text) == ()


def test_the_answer_says_that_nothing_comes_of_it() -> None:
    found = checked("I'll send an email to Anna.", ())
    assert found.text.endswith("\n\n(No tool was called in this turn that could send anything.)")
    assert found.findings == ('the answer promises what was not done in this turn: "I\'ll send an email to Anna."',)


def test_a_call_keeps_a_promise() -> None:
    done = ToolResult(ToolCall("create_reminder", {}), "ok")
    assert not checked("I'll remind you to call mum.", (), [done]).findings
    assert checked("I'll send an email to Anna.", (), [done]).findings


def test_a_claim_and_a_promise_of_the_same_deed_are_told_once() -> None:
    assert checked("I have sent the email. I'll send an email to Tom.", ()).text.count("No tool") == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["I'll " * 20_000, "I'll split the " * 10_000, "I'll send" + " a" * 60_000, "Let me check it. " * 9_000]
)
def test_long_texts_take_no_long_time(text: str) -> None:
    promises(text)
