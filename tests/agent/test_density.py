"""Chain of density: copied terms, an answer, a shorter one that is held against both."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.agent.checks import held
from linnet.agent.density import Denser, density
from linnet.requests import Holes

LONG = "The bridge in Malmo was opened in 1999 by the king of the country."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The bridge was opened in 1999.", ""),
        (LONG + " Yes.", "not_shorter"),
        ("It was opened in 1999.", "lost_terms"),
        ("The bridge was opened in 2001.", "new_words"),
        ("The bridge was opened by Olof.", "new_words"),
    ],
)
def test_what_a_shorter_answer_may_be(text: str, reason: str) -> None:
    assert held(Denser(LONG, ("bridge", "Oslo")), text).reason == reason


def test_the_steps_in_order(saying: Any) -> None:
    model = saying("the bridge, Malmo, the bridge", LONG, "The bridge was opened in 1999.")
    done = density.run(model, query="When was the bridge in Malmo opened?")
    assert done.value == "The bridge was opened in 1999." and done.failed == ""
    assert done.values["terms"] == ("the bridge", "Malmo")
    assert isinstance(model.heard[0].constraint, Holes)


def test_one_that_does_not_hold_gives_way_to_the_first_sentence(saying: Any) -> None:
    done = density.run(saying("Malmo", "It was 1999. Or so.", "It was in Oslo."), query="When?")
    assert done.value == "It was 1999." and done.steps[3].how == "rule"
    assert done.steps[3].tries[0].reason == "new_words"


def test_the_question_is_no_answer(saying: Any) -> None:
    done = density.run(saying("x", "Who came?", "Who came?"), query="who  came?")
    assert (done.failed, done.value) == ("validated", None)


def test_the_real_model_copies_its_terms(real: Any) -> None:
    query = "The ferry to Helsinki leaves at nine. When does the ferry leave?"
    done = density.run(real, query=query)
    assert all(term in query for term in done.values["terms"])
    assert done.usage.prompt_tokens > 0 and len(done.steps) >= 2
