"""One turn over a model that says what it is told to: every way from a request to a result, exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from linnet import Intent
from linnet.agent.result import Result
from linnet.agent.router import Check, Router
from linnet.agent.turn import Turn, _parts
from linnet.agent.within import Within
from linnet.calling.guided import Guide
from linnet.errors import DeadlineExceeded
from linnet.limits import LIMITS
from linnet.messages import Message, Step
from linnet.requests import Capabilities, Count, Done, Event, Finish, Generate, Piece, Request, Score, Usage
from linnet.tools import Permission, Rule, Tool, tool

ALWAYS, NEVER = -99.0, 99.0
"""Margins, in log-odds, over which the best tool is called."""


class Canned:
    """A Model whose answers are given. A token is a word; `heard` are the requests."""

    def __init__(self, text: str = "own words", context: int = 100, finish: Finish = "stop", **captures: str) -> None:
        self.capabilities = Capabilities("canned", context)
        self.heard: list[Request] = []
        self._text, self._finish, self._captures = text, finish, captures

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        match request:
            case Score():
                yield Done(scores=tuple((-1.0, 1) for _ in request.continuations), usage=Usage(10))
            case Count():
                texts = (part.content if isinstance(part, Message) else part.text for part in request.prompt)
                yield Done(count=sum(len(text.split()) for text in texts))
            case Generate():
                yield Piece(self._text, (1, 2))
                done = {"text": self._text, "finish": self._finish, "captures": self._captures}
                yield Done(**done, usage=Usage(20, 5, 2), degraded=("resumed",))

    def messages(self, request: Request) -> list[Message]:
        return [part for part in request.prompt if isinstance(part, Message)]

    @property
    def asked(self) -> list[Message]:
        """The conversation of the last Generate, without what Linnet itself says before it."""
        last = next(request for request in reversed(self.heard) if isinstance(request, Generate))
        return [message for message in self.messages(last) if not message.trusted]


@tool(rules=[Rule(pattern=r"add (?P<a>\d+) and (?P<b>\d+)")], answer="{a} + {b} = {result}")
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@tool(rules=[Rule(prefix="fail", to="why")])
def fail(why: str) -> None:
    """Fails for a reason."""
    raise ValueError(why)


@tool
def get_weather(city: str, days: int) -> str:
    """Gets the weather of a city for some days."""
    return f"sun in {city} for {days} days"


def turn(
    text: str,
    *tools: Tool,
    model: Canned | None = None,
    history: Sequence[Message] = (),
    margin: float = ALWAYS,
    **options: Any,
) -> Result:
    model = model or Canned()
    within = Within(model, 60.0)
    given = {"granted": frozenset(), "approve": None, "answer_tokens": 40, **options}
    return Turn(within, Guide(within, tools, margin=margin), tools, **given).run(text, history)


def kinds(result: Result) -> list[str]:
    return [step.kind for step in result.steps]


# --- rule, model, abstained ----------------------------------------------------------------------


def test_a_rule_asks_no_model() -> None:
    model = Canned()
    result = turn("Add 2 and 3", add, get_weather, model=model)
    assert (result.answer, result.how, result.model, result.usage) == ("2 + 3 = 5", "rule", "", Usage())
    assert [(done.call.name, done.call.arguments, done.call.how, done.call.id) for done in result.calls] == [
        ("add", {"a": 2, "b": 3}, "rule", "call-1")
    ]
    assert [(step.kind, step.detail) for step in result.steps] == [
        ("route", "a rule of add matches"),
        ("tool", "add"),
    ]
    assert model.heard == []
    assert (result.error, result.exit_code, result.dropped, result.degraded) == (None, 0, (), ())
    assert result.seconds >= result.calls[0].seconds


def test_a_call_that_the_model_decided_on() -> None:
    model = Canned(value="7")
    result = turn("weather in Oslo", add, get_weather, model=model)
    assert (result.answer, result.how, result.model) == ("sun in Oslo for 7 days", "model", "canned")
    (done,) = result.calls
    assert (done.call.arguments, done.call.how) == ({"city": "Oslo", "days": 7}, "model")
    assert kinds(result) == ["route", "choose", "fill", "tool"]
    scores = sum(isinstance(request, Score) for request in model.heard)
    assert result.usage == Usage(10 * scores + 20, 5, 2), "what choosing and filling cost"


def test_arguments_that_are_missing_name_the_tool() -> None:
    result = turn("weather", get_weather)
    assert (result.how, result.calls, result.error, result.exit_code) == ("abstained", (), None, 0)
    assert result.answer == "I would use get_weather, but days is missing."
    assert kinds(result) == ["route", "choose", "fill", "refuse"]
    assert result.model == "canned"


def test_where_no_tool_fits_the_model_answers_itself() -> None:
    model = Canned("  own words \n")
    result = turn("weather talk", get_weather, model=model, margin=NEVER)
    assert (result.answer, result.how, result.calls) == ("own words", "model", ())
    assert kinds(result) == ["route", "choose", "answer"]
    assert result.degraded == ("resumed",), "what the model says of its answer"
    assert model.asked == [Message("user", "weather talk")]


def test_where_a_tool_is_merely_named_what_it_needs_is_asked_for() -> None:
    model = Canned()
    result = turn("weather", get_weather, model=model, margin=NEVER)
    assert result.answer == "I would use get_weather, but city is missing; days is missing."
    assert (result.how, kinds(result)) == ("abstained", ["route", "choose", "refuse"])


def test_without_tools_nothing_is_chosen() -> None:
    model = Canned()
    result = turn("weather", model=model)
    assert (result.answer, kinds(result), result.usage) == ("own words", ["route", "answer"], Usage(20, 5, 2))
    assert [type(request) for request in model.heard] == [Generate]
    (asked,) = model.heard
    assert isinstance(asked, Generate)
    assert asked.max_tokens == 40


def test_an_answer_without_end_is_told() -> None:
    assert turn("hi", model=Canned(finish="length")).degraded == ("resumed", "the answer was cut at 2 tokens")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_answer_is_told(text: str) -> None:
    result = turn("hi", model=Canned(text))
    assert (result.answer, result.degraded) == ("", ("resumed", "the model had nothing to say"))


def test_an_answer_that_goes_round_in_circles_is_stopped() -> None:
    closed = []

    class Parrot(Canned):
        def stream(self, request: Request) -> Iterator[Event]:
            try:
                yield Piece("First. ", (0,))
                while True:
                    yield Piece("Pieces of eight! ", (1, 2))
            finally:
                closed.append(request)

    result = turn("hi", model=Parrot())
    assert result.answer == "First. " + " ".join(["Pieces of eight!"] * 4)
    assert result.degraded == ("the answer was stopped because it repeated itself",)
    assert (result.usage, result.model) == (Usage(generated_tokens=9), "canned")
    assert len(closed) == 1


def test_a_thought_that_takes_the_whole_room_is_no_answer() -> None:
    class Thinker(Canned):
        def stream(self, request: Request) -> Iterator[Event]:
            yield Piece("<think>", (0,))
            for n in range(1_000):
                yield Piece(f" {n}", (n,))

    result = turn("hi", model=Thinker())
    assert (result.answer, result.usage) == ("", Usage(generated_tokens=31))
    assert result.degraded[0] == "the answer was stopped because it thought without coming to an answer"


def test_a_claim_without_its_call_is_told() -> None:
    result = turn("save it", model=Canned("I have saved the file."))
    assert "I have saved the file." in result.answer and "No tool was called in this turn" in result.answer
    assert result.degraded == (
        "resumed",
        "the answer claims what was not done in this turn: 'I have saved the file.'",
    )


def test_numbers_are_held_against_the_tools_of_the_turn() -> None:
    result = turn("add 20 and 22, then say it again", add, model=Canned("It was 43."), margin=NEVER)
    assert result.answer.endswith("(add said 42, not 43.)")
    assert "no tool and no input supplied the number 43 of the answer" in result.degraded
    assert turn("say it", add, model=Canned("It was 43."), margin=NEVER).degraded == ("resumed",)


def test_who_answered_is_told() -> None:
    class Chain(Canned):
        def stream(self, request: Request) -> Iterator[Event]:
            yield Piece("ok", (1,))
            yield Done("ok", usage=Usage(1, 0, 1), how="fallback:rules", steps=(Step("attempt", "rules: taken"),))

    result = turn("hi", model=Chain())
    assert (result.how, kinds(result)) == ("fallback:rules", ["route", "attempt", "answer"])


def test_the_callers_system_message_stands_alone() -> None:
    for history, said in (([], 1), ([Message("user", "a")], 1), ([Message("system", "Be brief.")], 1)):
        model = Canned()
        turn("hi", model=model, history=history)
        assert [message.role for message in model.messages(model.heard[-1])].count("system") == said


def test_a_result_without_template_is_spoken() -> None:
    @tool(rules=[Rule(pattern="list(?P<x>)")])
    def listing(x: str = "") -> list[str]:
        """Lists."""
        return ["a", "b", "c"]

    assert turn("list", listing).answer == "a, b and c"


# --- several steps -------------------------------------------------------------------------------


@pytest.mark.parametrize("joint", [", then ", ". Then ", "; then ", " and then ", ",THEN  "])
def test_steps_are_taken_in_order(joint: str) -> None:
    result = turn(f"add 1 and 2{joint}add 3 and 4", add)
    assert (result.answer, result.how) == ("1 + 2 = 3\n3 + 4 = 7", "rule")
    assert [done.call.id for done in result.calls] == ["call-1", "call-2"]


def test_a_then_that_joins_nothing_splits_nothing() -> None:
    model = Canned()
    turn("What happened back then and thence", model=model)
    assert model.asked == [Message("user", "What happened back then and thence")]


def test_an_empty_step_is_none() -> None:
    model = Canned()
    result = turn(", then , then add 1 and 2", add, model=model)
    assert (result.answer, model.heard) == ("1 + 2 = 3", [])


def test_a_model_in_one_step_is_a_model_in_the_whole() -> None:
    for text in ("add 1 and 2, then sing", "sing, then add 1 and 2"):
        result = turn(text, add, margin=NEVER)
        assert (result.how, sorted(result.answer.split("\n"))) == ("model", ["1 + 2 = 3", "own words"])


def test_steps_beyond_the_limit_are_told() -> None:
    def result(steps: int) -> Result:
        return turn(", then ".join(f"add {i} and 1" for i in range(steps)), add)

    assert (len(result(LIMITS.turn_steps).calls), result(LIMITS.turn_steps).degraded) == (LIMITS.turn_steps, ())
    over = result(LIMITS.turn_steps + 1)
    assert len(over.calls) == LIMITS.turn_steps
    assert over.degraded == (f"only the first {LIMITS.turn_steps} of {LIMITS.turn_steps + 1} steps were taken",)


def test_the_same_call_is_made_once() -> None:
    made = []

    @tool(rules=[Rule(prefix="note", to="text")])
    def note(text: str) -> str:
        """Notes a text."""
        made.append(text)
        return f"noted {text}"

    result = turn("note milk, then note eggs, then note milk", note)
    assert made == ["milk", "eggs"]
    assert result.answer == "noted milk\nnoted eggs\nnote was done already."
    assert result.degraded == ("the call of note was asked for twice and made once",)
    assert len(result.calls) == 2


def test_a_step_that_fails_ends_the_turn() -> None:
    result = turn("add 1 and 2, then fail badly, then add 3 and 4", add, fail)
    assert result.answer == "1 + 2 = 3\nfail did not work: fail: ValueError: badly"
    assert [done.ok for done in result.calls] == [True, False]
    assert result.error == result.calls[-1].error
    assert (result.error or {})["code"] == "tool_failed"
    assert result.exit_code == 1


def test_a_step_without_its_arguments_ends_the_turn() -> None:
    result = turn("weather, then add 3 and 4", add, get_weather)
    assert (result.how, result.calls) == ("abstained", ())


def test_rules_may_give_arguments_that_do_not_fit() -> None:
    @tool(rules=[Rule(prefix="wait", to="seconds")])
    def wait(seconds: int) -> None:
        """Waits."""
        raise AssertionError("called")

    result = turn("wait a while", wait)
    assert (result.how, (result.error or {})["code"]) == ("rule", "tool_arguments_invalid")


def test_permission_is_asked_for_with_the_call_as_it_is_made() -> None:
    @tool(permissions=[Permission.RUN], rules=[Rule(prefix="run", to="what")])
    def run(what: str) -> str:
        """Runs a program."""
        return f"ran {what}"

    asked = []

    def approve(tool: Tool, call: Any) -> bool:
        asked.append((tool.name, call.arguments, call.id))
        return True

    assert turn("run ls", run, granted=frozenset({Permission.RUN})).answer == "ran ls"
    assert turn("run ls", run, approve=approve).answer == "ran ls"
    assert asked == [("run", {"what": "ls"}, "call-1")]
    denied = turn("run ls", run, approve=lambda tool, call: False)
    assert ((denied.error or {})["code"], denied.exit_code) == ("tool_denied", 3)


# --- the conversation so far ---------------------------------------------------------------------


def test_history_goes_before_the_request() -> None:
    history = [Message("user", "I am Bo"), Message("assistant", "Hello Bo")]
    model = Canned()
    result = turn("Who am I?", model=model, history=history)
    assert model.asked == [*history, Message("user", "Who am I?")]
    assert result.dropped == ()


def test_history_leaves_room_for_the_answer() -> None:
    history = [Message("user", f"{i} " + "word " * 19) for i in range(5)]
    model = Canned(context=100)
    result = turn("now", model=model, history=history, answer_tokens=40)
    assert model.asked == [*history[3:], Message("user", "now")]
    assert result.dropped == tuple(f"user: {message.content[:60]}" for message in history[:3])


def test_half_the_context_is_left_for_history_however_long_an_answer_may_be() -> None:
    history = [Message("user", f"{i} " + "word " * 19) for i in range(5)]
    assert len(turn("now", model=Canned(context=102), history=history, answer_tokens=1_000).dropped) == 3


def test_rules_see_no_history() -> None:
    model = Canned()
    turn("add 1 and 2", add, model=model, history=[Message("user", "hello")])
    assert model.heard == []


# --- odd text and a model at fault ---------------------------------------------------------------


def test_lone_surrogates_are_replaced_and_told() -> None:
    model = Canned()
    result = turn("a \ud800 b \udfff, then c \U0001f600", model=model)
    asked = [model.messages(request)[-1].content for request in model.heard]
    assert asked == ["a \ufffd b \ufffd", "c \U0001f600"]
    assert result.degraded[-1] == "2 lone surrogates of the request were replaced"


def test_a_placeholder_that_nobody_filled_is_told() -> None:
    assert turn("write to {{name}}").degraded[-1] == "the request has {{name}} in it, which nobody filled"
    assert "{{name}}" not in str(turn("what does `{{name}}` mean?").degraded)


def test_an_error_of_the_model_is_raised() -> None:
    class Late(Canned):
        def stream(self, request: Request) -> Iterator[Event]:
            raise DeadlineExceeded("too late")

    with pytest.raises(DeadlineExceeded):
        turn("hello", model=Late())


def test_what_was_done_is_told_when_a_later_step_fails() -> None:
    class Failing(Canned):
        def stream(self, request: Any) -> Any:
            raise DeadlineExceeded("over")

    result = turn("add 2 and 3, then tell me a story", add, model=Failing())
    assert [call.call.name for call in result.calls] == ["add"]
    assert result.answer.startswith("2 + 3 = 5")
    assert result.error is not None and result.error["code"] == "deadline_exceeded"
    assert result.exit_code == 1


def test_then_inside_a_quotation_is_no_step() -> None:
    assert _parts('note "mix flour, then add eggs" at 5') == ['note "mix flour, then add eggs" at 5']
    assert _parts("do this, then that") == ["do this", "that"]


# --- intents -------------------------------------------------------------------------------------

HOURS = Intent("hours", answer="We open at {opens}.", values={"opens": 8}, rules=[Rule(pattern="hours")])
SLOGAN = Intent(
    "slogan",
    prompt="Praise {about}.",
    rules=[Rule(prefix="slogan:", to="about")],
    checks=[Check("short", longest=9)],
    otherwise="Try {about}!",
)


def routed(model: Canned, *intents: Intent, tools: Sequence[Tool] = ()) -> Turn:
    within = Within(model, 60.0)
    guide = Guide(within, tools, margin=NEVER)
    return Turn(within, guide, tools, frozenset(), None, 40, router=Router(intents=intents))


def test_an_intent_is_answered_without_a_model() -> None:
    model = Canned()
    result = routed(model, HOURS, tools=[add]).run("hours", ())
    assert (result.answer, result.how, result.model) == ("We open at 8.", "rule", "")
    assert result.steps[0].detail == "a rule of intent hours matches" and not model.heard


def test_an_intents_prompt_is_asked_alone() -> None:
    model = Canned("short")
    result = routed(model, SLOGAN).run("slogan: tea", [Message("user", "before")])
    assert (result.answer, result.how, result.degraded) == ("short", "model", ("resumed",))
    assert [message.content for message in model.asked] == ["Praise tea."]


def test_an_answer_that_fails_a_check_is_replaced_and_that_is_told() -> None:
    result = routed(Canned("much too long"), SLOGAN).run("slogan: tea", ())
    assert (result.answer, result.how) == ("Try tea!", "rule")
    assert "the model's answer failed the check short" in result.degraded


def test_without_a_replacement_the_turn_goes_on_as_without_a_router() -> None:
    model = Canned("much too long")
    result = routed(model, replace(SLOGAN, otherwise="")).run("slogan: tea", ())
    assert (result.answer, result.how) == ("much too long", "model")
    assert [message.content for message in model.asked] == ["slogan: tea"]
    assert "the model's answer failed the check short" in result.degraded


def test_steps_of_a_request_are_routed_one_by_one() -> None:
    result = routed(Canned(), HOURS, tools=[add]).run("hours, then add 1 and 2", ())
    assert result.answer == "We open at 8.\n1 + 2 = 3" and result.how == "rule"
