"""A final text against the ledger: claims without a call, numbers that nobody supplied, and the notes on them."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.agent.claims import checked, unsupplied
from linnet.messages import ToolCall, ToolResult


def result(name: str, value: Any = "ok", error: str = "", **arguments: Any) -> ToolResult:
    told = {"code": "tool_failed", "message": error} if error else None
    return ToolResult(ToolCall(name, arguments), None if error else value, told)


def test_a_claim_without_a_call() -> None:
    found = checked("I have saved the file.", ())
    assert found.text == "I have saved the file.\n\n(No tool was called in this turn that could save anything.)"
    assert found.findings == ("the answer claims what was not done in this turn: 'I have saved the file.'",)


@pytest.mark.parametrize("name", ["save_file", "writeNote", "files.create"])
def test_a_call_bears_it_out(name: str) -> None:
    text = "I have saved the file."
    assert checked(text, (), [result(name)]).text == text


def test_the_description_may_say_what_a_tool_does() -> None:
    text = "I have sent the message."
    assert checked(text, (), [result("telegraph")]).findings
    assert not checked(text, (), [result("telegraph")], {"telegraph": "Send a text to a person."}).findings


def test_a_call_that_failed_says_so() -> None:
    found = checked("Email sent.", (), [result("send_email", error="no such address")])
    assert found.text == "Email sent.\n\n(send_email did not work: no such address)"


def test_a_call_of_an_earlier_turn_bears_it_out_too() -> None:
    assert not checked("Yes, I have saved the file.", (), earlier=[ToolCall("save_file", {})]).findings
    assert checked("Yes, I have saved the file.", (), earlier=[ToolCall("send_email", {})]).findings


def test_another_deed_bears_out_nothing() -> None:
    assert checked("I have deleted the file.", (), [result("send_email")]).findings


def test_done_is_borne_out_by_any_call() -> None:
    assert not checked("Done!", (), [result("anything")]).findings
    assert checked("Done!", ()).findings


def test_a_note_is_made_once() -> None:
    found = checked("I have sent the email. Your message has been sent. Email sent.", ())
    assert found.text.count("No tool was called") == 1


@pytest.mark.parametrize("text", ["", "Hello!", "I can save the file.", "The sky is blue since 1970."])
def test_what_claims_nothing_stays_as_it_is(text: str) -> None:
    assert checked(text, ()) == checked(text, ("x",))
    assert checked(text, ()).text == text and not checked(text, ()).findings


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "It is 42.16 km.",
        "It is 42 km.",
        "That is 26.2 miles, or 42.1648 km.",
        "There are 3 ways:\n1. one\n12. two",
        "On 2026-11-28 at 10:30",
        "It costs $1,250.",
        "That is 15%.",
        "`x = 99` is code",
        "twenty is 20",
    ],
)
def test_numbers_that_somebody_supplied(text: str) -> None:
    told = ("On 2026-11-28 at 10:30, 26.2 miles, 1250 dollars, a share of 0.15, and twenty",)
    assert unsupplied(text, told, [result("convert", 42.1648)]) == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is 43 km.", ("43",)),
        ("42.17", ("42.17",)),
        ("11", ("11",)),
        ("10", ()),
        ("-3,000.5 and 3", ("-3,000.5",)),
    ],
)
def test_numbers_that_nobody_supplied(text: str, found: tuple[str, ...]) -> None:
    assert unsupplied(text, (), [result("convert", 42.1648)]) == found


def test_numbers_of_texts_lists_and_arguments_count() -> None:
    results = [result("f", {"a": ["it is 77", {"b": 78}], "c": True, "d": None}, n=79)]
    assert unsupplied("77, 78, 79 and 80", (), results) == ("80",)


def test_one_number_of_one_tool_puts_it_right() -> None:
    found = checked("It is 43 km.", ("26.2 miles",), [result("convert", 42.1648)])
    assert found.text == "It is 43 km.\n\n(convert said 42.1648, not 43.)"
    assert found.findings == ("no tool and no input supplied the number 43 of the answer",)
    several = checked("It is 43 km.", (), [result("convert", [1.5, 2.5])])
    assert several.text == "It is 43 km." and several.findings


def test_without_a_tools_result_a_model_may_know_numbers() -> None:
    assert checked("Mount Everest is 8,849 m high.", ("How high is it?",)).findings == ()


@pytest.mark.parametrize("text", ["9" * 400, "1e999", "1" + ",000" * 200])
def test_numbers_that_no_float_holds(text: str) -> None:
    checked(f"It is {text}.", (text,), [result("f", 1)])


def test_a_placeholder_that_the_model_left_is_told() -> None:
    found = checked("Dear {{name}}, about {{subject}} and {{name}}.", ["Write about {{subject}}."])
    assert found.findings == ("the answer leaves {{name}} to be filled",)
    assert found.text == "Dear {{name}}, about {{subject}} and {{name}}."


@pytest.mark.parametrize("told", ['Write "Dear {{name}}" in French.', "Explain `{{name}}`.", "```\n{{name}}\n```"])
def test_a_placeholder_that_a_request_quotes_may_stand_in_the_answer(told: str) -> None:
    assert checked("Cher {{name}}", [told]).findings == ()
