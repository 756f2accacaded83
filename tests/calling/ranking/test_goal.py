"""What a request is after, and whether a tool is for that."""

from __future__ import annotations

import pytest

from linnet import Tool
from linnet.calling.evidence.reading import Reading
from linnet.calling.evidence.stems import stem
from linnet.calling.ranking.goal import features, goal

NUMBER = {"type": "number"}


def tool(name: str, description: str, *own: str) -> Tool:
    return Tool.from_schema(name, description, {"properties": dict.fromkeys(own, NUMBER)})


AREA = tool("triangle_area", "Calculate the area of a triangle.", "base", "height")
MASS = tool("body_mass_index", "Calculate body mass index given weight and height.", "weight", "height")


@pytest.mark.parametrize(
    ("text", "stems", "head"),
    [
        ("Calculate the area of a triangle with base 3", ("area", "triangle"), "area"),
        ("What is the height of Mount Everest in feet?", ("height", "mount", "everest"), "height"),
        ("Find tall buildings, and trees", ("tall", "buildings"), "buildings"),
        ("5 apples for me", ("apples",), "apples"),
        ("apples 5 pears", ("apples",), "apples"),
        ("a b c d e f g", ("b", "c", "d", "e", "f", "g"), "g"),
    ],
)
def test_the_goal(text: str, stems: tuple[str, ...], head: str) -> None:
    found = goal(Reading(text))
    assert (found.stems, found.head) == (frozenset(map(stem, stems)), frozenset((stem(head),)))


@pytest.mark.parametrize("text", ["", "?!", "what is it", "5 6 7", "of of", "calculate the value"])
def test_no_goal(text: str) -> None:
    found = goal(Reading(text))
    assert found.stems == found.head == frozenset()
    assert features(AREA, Reading(text))["goal none"] == 1.0


def test_a_tool_for_something_else_shares_other_words_only() -> None:
    reading = Reading("Calculate the area of a triangle with a height of 3")
    right, wrong = features(AREA, reading), features(MASS, reading)
    assert right["goal in name"] == right["own name sought"] == right["head in name"] == 1.0
    assert wrong["goal in name"] == wrong["goal in description"] == wrong["own goal sought"] == 0.0
    assert (right["goal open"], wrong["goal open"]) == (0.0, 2.0)


def test_a_goal_that_is_but_a_parameter() -> None:
    told = features(AREA, Reading("What is the height of the tree?"))
    assert told["goal only in parameters"] == 0.5 and told["head only in parameters"] == 1.0


def test_another_word_for_the_same_is_the_same() -> None:
    assert features(tool("remove_file", "Remove a file."), Reading("delete the file"))["goal in name"] == 1.0
