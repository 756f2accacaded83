"""Micro-agents: the four, one's own, which model they get; tests that were written are run before they come back."""

from __future__ import annotations

from typing import Any

import pytest

from linnet import MicroAgent
from linnet.agent import testing
from linnet.agent.chain import Chain
from linnet.agent.checks import IsChoice, IsText
from linnet.agent.micro import MICRO_AGENTS, doc_generator, error_explainer, test_writer
from linnet.agent.tier import TIERS, chosen
from linnet.errors import RequestError, SandboxUnavailable
from linnet.messages import Message
from linnet.requests import Choice, Pattern

ADD = "def add(a, b=1):\n    return a + b\n"


def test_your_own_is_a_value(saying: Any) -> None:
    mood = MicroAgent("mood", "Name the mood.", "{text}", Choice(("glad", "sad")), check=IsChoice(("glad", "sad")))
    assert mood == MicroAgent(
        "mood", "Name the mood.", "{text}", Choice(("glad", "sad")), check=IsChoice(("glad", "sad"))
    )
    model = saying("glad")
    done = mood.run(model, text="What a day!")
    assert (done.name, done.value, done.how) == ("mood", "glad", "model")
    assert model.heard[0].prompt == (Message("system", "Name the mood.", True), Message("user", "What a day!"))


def test_what_it_needs(saying: Any) -> None:
    assert error_explainer.needs == {"error"} and doc_generator.needs == {"code"}
    with pytest.raises(RequestError, match="needs a value 'error'"):
        error_explainer.run(saying("x"), text="x")


@pytest.mark.parametrize("instruction", ["", "Do this.\nAnd that."])
def test_an_instruction_is_one_line(instruction: str) -> None:
    with pytest.raises(RequestError, match="should be one line"):
        MicroAgent("a", instruction, "{text}")


def test_it_is_a_step(saying: Any) -> None:
    chain = Chain("c", (MicroAgent("a", "Say it.", "{text}"), MicroAgent("b", "Again.", "{a}")))
    assert chain.run(saying("one", "two"), text="x").value == "two"


def test_the_four_have_names_and_one_line() -> None:
    assert [agent.name for agent in MICRO_AGENTS] == [
        "code_completer",
        "error_explainer",
        "doc_generator",
        "test_writer",
    ]
    assert all(len(agent.instruction.split()) <= 10 and agent.tier in TIERS for agent in MICRO_AGENTS)


def test_two_sentences_explain_an_error(saying: Any) -> None:
    said = "The list has 3.5 items at most. Index 7 is past its end! Try a smaller one."
    assert error_explainer.run(saying(said), error="x").value == said.removesuffix(" Try a smaller one.")
    assert error_explainer.run(saying("Oh."), error="x").reason == "too_short"


def test_a_docstring_has_the_functions_own_parameters(saying: Any) -> None:
    done = doc_generator.run(saying("adds two given numbers together. It is fast."), code=ADD)
    assert done.value == "Adds two given numbers together.\n\nParameters:\n    a\n    b"
    assert (
        doc_generator.run(saying("says hello to everyone."), code="def f(): pass").value == "Says hello to everyone."
    )


# --- models by tier ------------------------------------------------------------------------------


def test_each_job_gets_its_tier_or_is_told(saying: Any) -> None:
    small, large = saying("small answer"), saying("large answer")
    assert chosen(small, "large", "x") == (small, ())
    assert chosen({"small": small, "large": large}, "large", "x") == (large, ())
    assert chosen({"large": large}, "small", "x") == (large, ("x wants a small model: the large one was used",))
    assert chosen({"small": small}, "medium", "x")[0] is small
    with pytest.raises(RequestError, match="no model for 'x'"):
        chosen({}, "small", "x")
    done = MicroAgent("a", "Say it.", "{text}", tier="medium").run({"small": small}, text="x")
    assert done.value == "small answer" and done.degraded[0] == "a wants a medium model: the small one was used"


# --- tests for a function ------------------------------------------------------------------------


def test_only_tests_that_hold_come_back(saying: Any) -> None:
    said = (
        "assert add(1, 2) == 3\nassert add(1) == 2\nassert add(2) == 2\nassert add(1) == 2\nassert add(0) == add(0)\n"
    )
    model = saying(said)
    done = test_writer.run(model, code=ADD)
    assert done.value.source == "def test_add() -> None:\n    assert add(1, 2) == 3\n    assert add(1) == 2"
    assert done.value.ran and len(done.value.kept) == 2
    assert done.value.dropped == (
        ("assert add(2) == 2", "AssertionError"),
        ("assert add(0) == add(0)", "what it expects is no literal"),
    )
    space: dict[str, Any] = {}
    exec(ADD + done.value.source, space)
    space["test_add"]()
    constraint = model.heard[0].constraint
    assert isinstance(constraint, Pattern) and "assert add" in constraint.regex


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (ADD, "assert add(1) == 5\n", "no test holds"),
        (ADD, "assert add(1 == 5\n", "no test holds"),
        (ADD, "import os; os.remove('x')\n", "no test holds"),
        (ADD + "oops\n", "assert add(1) == 2\n", "the code itself does not run: NameError"),
    ],
)
def test_when_none_holds_it_says_why(saying: Any, code: str, said: str, reason: str) -> None:
    done = test_writer.run(saying(said), code=code)
    assert (done.value, done.how, done.failed) == (None, "abstained", "tests") and reason in done.detail


def test_without_a_function_it_says_so(saying: Any) -> None:
    done = test_writer.run(saying("x"), code="x = 1")
    assert done.failed == "said" and "defines no function" in done.detail


def test_without_a_sandbox_tests_are_compiled_only(saying: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise SandboxUnavailable("this system cannot enforce: files")

    monkeypatch.setattr("linnet.runtime.trial.run", refuse)
    done = test_writer.run(saying("assert add(1) == 5\nassert add(\n"), code=ADD)
    assert (done.value.ran, done.value.kept) == (False, ("assert add(1) == 5",))
    assert [line for line, _ in done.value.dropped] == ["assert add("]
    assert str(done.value) == done.value.source


def test_the_form_of_a_test_is_a_constraint() -> None:
    with pytest.raises(RequestError, match="defines no function"):
        testing.written("x = 1")


def test_the_real_model_writes_what_holds_or_abstains(real: Any) -> None:
    done = test_writer.run(real, code=ADD)
    assert done.ok == bool(done.value and done.value.kept)
    explained = error_explainer.run(real, error="ZeroDivisionError: division by zero")
    assert explained.ok and IsText(4, 60)(explained.value).ok
