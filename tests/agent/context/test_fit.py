"""A fitted conversation over a model whose tokens are words: it fits, the newest is whole, all else is told of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.context.fit import SYSTEM, Fitted, Fitter
from linnet.agent.context.shorten import MARK
from linnet.agent.context.window import KeyFacts, ShortRoles, Summary, Window
from linnet.errors import RequestTooLarge, SettingsInvalid
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.requests import Capabilities, Count, Done, Event, Generate, Request, Segment, Usage

REQUEST = Message("user", "now")


class Words:
    """A Model whose tokens are words. Its template adds `around` to each message, and `hidden` to a conversation of
    over three messages, which nobody can know of from parts."""

    def __init__(self, context: int = 200, around: int = 3, hidden: int = 0) -> None:
        self.capabilities = Capabilities("words", context)
        self.heard: list[Request] = []
        self._around, self._hidden = around, hidden

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        if isinstance(request, Count):
            yield Done(count=self.count(request))
        else:
            yield Done(text="they spoke", usage=Usage(30, 0, 2))

    def count(self, request: Any) -> int:
        if len(str(request.prompt)) > 100_000:
            raise RequestTooLarge("too large")
        texts = [
            part.text
            if isinstance(part, Segment)
            else f"{part.content}{part.reasoning}{' '.join(str(call.arguments) for call in part.calls)}"
            for part in request.prompt
        ]
        tools = sum(5 + len(tool.description.split()) for tool in request.tools)
        words = sum(len(text.split()) for text in texts) + tools
        if isinstance(request.prompt[0], Segment):
            return words
        return words + self._around * len(texts) + (self._hidden if len(texts) > 3 else 0)

    @property
    def written(self) -> list[Generate]:
        return [request for request in self.heard if isinstance(request, Generate)]


def talk(turns: int, words: int = 6) -> list[Message]:
    rest = "w " * (words - 1)
    pairs = ((Message("user", f"q{i} {rest}"), Message("assistant", f"a{i} {rest}")) for i in range(turns))
    return [message for pair in pairs for message in pair]


def fit(model: Words, history: list[Message], window: Window | None = None, answer: int = 50, **more: Any) -> Fitted:
    return Fitter(model, window).fit(history, REQUEST, answer, **more)


def size(model: Words, fitted: Fitted) -> int:
    return model.count(Count(fitted.messages, tools=fitted.tools))


# --- what stays ------------------------------------------------------------------------------------


def test_all_that_fits_is_said_in_order() -> None:
    history = talk(3)
    fitted = fit(Words(), history)
    assert fitted.messages == (SYSTEM, *history, REQUEST)
    assert (fitted.dropped, fitted.usage, fitted.steps) == ((), Usage(), ())
    nothing = dict.fromkeys(("tools", "memory", "older"), 0)
    room = {"window": 200, "room": 150, "answer": 50}
    assert fitted.sizes == {**room, "system": 12, **nothing, "history": 54, "request": 4}


def test_without_history_nothing_is_counted() -> None:
    model = Words()
    assert fit(model, []) == Fitted((SYSTEM, REQUEST))
    assert model.heard == []


def test_the_oldest_leave_and_are_told() -> None:
    history = talk(12)
    fitted = fit(Words(), history)
    left = len(history) + 2 - len(fitted.messages)
    assert 0 < left < len(history) - 4
    assert fitted.messages[1:-1] == tuple(history[left:])
    assert fitted.dropped == tuple(f"{m.role}: {m.content[:60]}" for m in history[:left])


def test_the_system_message_stays_whoever_leaves() -> None:
    history = [Message("system", "Be brief."), Message("system", "Be kind."), *talk(12)]
    fitted = fit(Words(), history)
    assert fitted.messages[0] == Message("system", "Be brief.\n\nBe kind.")
    assert fitted.dropped and not any("system" in told for told in fitted.dropped)


def test_a_system_message_has_its_share() -> None:
    fitted = fit(Words(), [Message("system", "be brief " * 60), *talk(1)])
    assert len(fitted.messages[0].content.split()) <= 50 and MARK in fitted.messages[0].content
    assert fitted.dropped[0].startswith("shortened system: be brief")


def test_a_long_message_is_shortened_and_told() -> None:
    fitted = fit(Words(), [Message("user", "word " * 500), Message("assistant", "yes")])
    assert MARK in fitted.messages[1].content
    assert fitted.dropped == (f"shortened user: {'word ' * 12}",)


def test_what_cannot_even_be_counted_is_shortened() -> None:
    fitted = fit(Words(), [Message("user", "word " * 120_000), Message("assistant", "yes")])
    assert len(fitted.messages) == 4 and MARK in fitted.messages[1].content


def test_the_request_is_never_dropped_or_shortened() -> None:
    model, long = Words(), Message("user", "word " * 500)
    fitted = Fitter(model).fit(talk(3), long, 50)
    assert fitted.messages == (SYSTEM, long)
    assert len(fitted.dropped) == 6


def test_a_call_and_its_result_leave_together() -> None:
    call = (Message("user", "add"), Message("assistant", "", calls=(ToolCall("add", {"a": 1}),)),
            Message("tool", "3"), Message("assistant", "It is 3."))  # fmt: skip
    for turns in range(1, 14):
        kept = fit(Words(), [*call, *talk(turns)]).messages[1:]
        assert kept[:4] == call or not any(message in kept for message in call)


def test_a_template_that_adds_more_than_its_parts_is_noticed() -> None:
    model = Words(hidden=30)
    fitted = fit(model, talk(12))
    assert size(model, fitted) <= 150 and len(fitted.messages) > 2


def test_room_is_left_for_what_is_asked_between_two_answers() -> None:
    model = Words(context=400)
    fitted = Fitter(model, asking=True).fit(talk(40), REQUEST, 50)
    assert size(model, fitted) <= 150 == fitted.sizes["room"]
    assert fit(model, talk(40)).sizes["room"] == 350


def test_a_smaller_window_than_the_context() -> None:
    model = Words(context=4_000)
    fitted = fit(model, talk(40), Window(tokens=200))
    assert size(model, fitted) <= 150 and fitted.dropped


WINDOWS = {
    "dropped": None,
    "facts": Window(older=KeyFacts(20)),
    "roles": Window(older=ShortRoles(20)),
    "one by one": Window(kept=1.0, whole=0),
}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_two_hundred_turns(window: Window | None) -> None:
    """Each prompt fits, and has the last two exchanges whole; but for few turns it goes on from the one before."""
    model = Words(context=300)
    fitter, history = Fitter(model, window), []
    moved, before = 0, ()
    for turn in talk(200, 8)[::2]:
        fitted = fitter.fit(history, turn, 50)
        assert size(model, fitted) <= 250
        assert fitted.messages[-1] == turn
        assert len(history) < 4 or fitted.messages[-4:-1] == tuple(history[-3:])
        moved += fitted.messages[: len(before)] != before
        before = fitted.messages
        history += [turn, Message("assistant", turn.content.replace("q", "a"))]
    assert (moved > 180) if window and window.kept == 1.0 else (15 < moved < 50)
    counts = [request for request in model.heard if isinstance(request, Count)]
    assert len(counts) < 200 * 6, "each text is counted once, and each whole"


@given(
    st.lists(st.tuples(st.sampled_from(("user", "assistant", "tool", "system")), st.integers(0, 60)), max_size=30),
    st.integers(20, 400),
    st.integers(1, 300),
    st.integers(0, 40),
    st.sampled_from([None, KeyFacts(20), ShortRoles(20), Summary(20)]),
)
def test_whatever_was_said_is_said_or_told(
    said: list[Any], context: int, answer: int, hidden: int, older: Any
) -> None:
    model = Words(context, hidden=hidden)
    history = [Message(role, f"m{i} " + "w " * words) for i, (role, words) in enumerate(said)]
    fitted = fit(model, history, Window(older=older), answer)
    assert size(model, fitted) <= context - min(answer, context // 2) or len(fitted.messages) == 2
    assert fitted.messages[-1].content.endswith(REQUEST.content)
    text = " ".join((*fitted.dropped, *(message.content for message in fitted.messages)))
    if context >= 40:
        assert all(f"m{i} " in f"{text} " for i in range(len(history)) if history[i].role != "system")


# --- sections --------------------------------------------------------------------------------------


def test_facts_stand_before_the_request_and_have_their_share() -> None:
    facts = [f"fact {i} of many" for i in range(20)]
    fitted = fit(Words(), talk(2), known=facts)
    last = fitted.messages[-1].content
    assert last.startswith("What is known:\n- fact 0 of many\n") and last.endswith("\n\nnow")
    kept = last.count("- fact")
    assert 0 < kept < 20
    assert fitted.dropped == tuple(f"memory: {fact}" for fact in facts[kept:])


def test_memory_with_nothing_to_say_moves_no_window() -> None:
    for turns in range(1, 16):
        with_one, with_none = (fit(Words(), talk(turns), known=known) for known in (["a fact"], []))
        assert with_one.messages[:-1] == with_none.messages[:-1]
        assert with_none.messages[-1] == REQUEST


def test_tools_have_their_share_and_the_last_ones_go() -> None:
    tools = [ToolSpec(f"t{i}", "does a thing") for i in range(10)]
    model = Words()
    fitted = fit(model, talk(10), tools=tools)
    assert fitted.tools == tuple(tools[:6])
    assert fitted.dropped[:4] == ("tool: t6", "tool: t7", "tool: t8", "tool: t9")
    assert size(model, fitted) <= 150


# --- what stays of what has left -------------------------------------------------------------------


def test_a_summary_is_written_once_for_a_block() -> None:
    model = Words(context=300)
    fitter, history = Fitter(model, Window(older=Summary(10))), []
    usage, told = Usage(), []
    for turn in talk(60, 8)[::2]:
        fitted = fitter.fit(history, turn, 50)
        usage += fitted.usage
        told += fitted.steps
        assert size(model, fitted) <= 250
        if fitted.dropped:
            assert fitted.messages[1].content.startswith("Earlier in this conversation:\nthey spoke\n\nq")
        history += [turn, Message("assistant", "yes")]
    assert 1 < len(model.written) < 20
    assert [step.kind for step in told] == ["summary"] * len(model.written)
    assert usage.generated_tokens == 2 * len(model.written)
    assert "they spoke" in str(model.written[1].prompt) and "they spoke" not in str(model.written[0].prompt)


def test_a_long_history_all_at_once_is_one_answer_of_the_model() -> None:
    model = Words(context=300)
    fit(model, talk(200, 8), Window(older=Summary(10)))
    assert len(model.written) == 1
    assert model.count(model.written[0]) <= 290


@pytest.mark.parametrize(
    "given",
    [
        {"kept": 0},
        {"kept": 1.5},
        {"system": -1},
        {"longest": "all"},
        {"tokens": 0},
        {"whole": -1},
        {"older": Summary(0)},
    ],
)
def test_a_window_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="of the window is"):
        Window(**given)
