"""Variety is counted as it says."""

from __future__ import annotations

from linnet.evals.training.example import Example
from linnet.evals.training.synthesis.synthesise import general
from linnet.evals.training.synthesis.variety import Variety, measure, skeleton
from linnet.messages import ToolCall, ToolSpec

TOOL = ToolSpec("f", "", {"type": "object", "properties": {"city": {}, "days": {}}})


def asked(request: str, **arguments: object) -> Example:
    return Example((TOOL,), request, (ToolCall("f", dict(arguments)),), "single")


def test_skeletons_mask_arguments_numbers_and_number_words() -> None:
    assert skeleton(asked("In Lima for 3 days", city="Lima", days=3)) == "in _ for _ days"
    assert skeleton(asked("in New York for three days", city="new york", days=3)) == "in _ for _ days"
    assert skeleton(asked("limaville", city="lima")) == "limaville"


def test_the_same_request_over_and_over_has_no_variety() -> None:
    told = measure([asked("weather in Lima for 3 days", city="Lima", days=3)] * 5)
    assert told.skeletons == (1, 1) and told.grams == (15, 3) and told.overlap == (1.0, 1.0)
    assert told.words == (6, 6, 6) and told.kinds == {"single": 5} and told.tools == 1


def test_requests_without_a_word_in_common_overlap_in_nothing() -> None:
    told = measure([asked("weather in Lima"), asked("will it snow")])
    assert told.overlap == (0.0, 0.0) and told.skeletons == (2, 2)


def test_no_examples_are_no_fault() -> None:
    told = measure([])
    assert isinstance(told, Variety) and told.examples == 0 and told.overlap == (0.0, 0.0) and told.lines()


def test_what_is_made_up_is_varied() -> None:
    told = measure(general(5).examples(1_000))
    assert told.skeletons[0] > 950
    assert told.grams[1] > 0.8 * told.grams[0]
    assert told.overlap[0] < 0.01 and told.overlap[1] < 0.1
    assert told.describe()["examples"] == 1_000
