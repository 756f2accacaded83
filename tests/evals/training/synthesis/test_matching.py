"""Tools of one's own, and the acts and slots that they are like."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet import Tool
from linnet.agent.tools import standard
from linnet.calling.evidence.parameters import parameters
from linnet.errors import InputInvalid
from linnet.evals.training.synthesis.catalogue import slots
from linnet.evals.training.synthesis.matching import skill_of, slot_likeness
from linnet.evals.training.synthesis.synthesise import own
from linnet.tool_files import load_tools

OWN = {tool.name: tool for tool in load_tools([Path(__file__).parents[4] / "examples" / "tools.py"])}


@pytest.mark.parametrize(
    ("tool", "act", "keys"),
    [
        ("convert_units", "convert units", ["value", "unit_from", "unit_to"]),
        ("create_reminder", "create reminder", ["task", "moment", "repeat"]),
        ("split_bill", "split bill", ["bill", "party", "tip"]),
        ("shopping_list", "add to shopping list", ["groceries", "shop"]),
        ("set_lights", "set lights", ["room", "on", "level"]),
    ],
)
def test_the_example_tools_are_like_acts_of_the_catalogue(tool: str, act: str, keys: list[str]) -> None:
    skill, name = skill_of(OWN[tool])
    assert name == act and [place.slot.key for place in skill.places] == keys
    assert skill.spec == OWN[tool].spec and len(skill.act.phrases) > 10


def test_a_tool_is_like_no_act_that_does_something_else_to_the_same_thing() -> None:
    """Listing files is not copying them, and writing a text file is not writing a text to somebody."""
    found = {tool.name: skill_of(tool)[1] for tool in standard.tools(("list_files", "write_file", "read_file"))}
    assert found["list_files"] == "" and found["write_file"] == "" and found["read_file"] == "open file"


def test_phrases_that_say_what_the_tool_has_not_are_dropped_and_its_own_words_added() -> None:
    tool = Tool.from_schema(
        "delete_file", "Delete a file.", {"properties": {"folder": {"type": "string"}}, "required": ["folder"]}
    )
    skill, name = skill_of(tool)
    texts = {phrase.text for phrase in skill.act.phrases}
    assert name == "delete files" and "delete a file" in texts and not any("{ext}" in text for text in texts)


def test_a_name_that_is_a_thing_is_asked_for_as_one() -> None:
    skill, _ = skill_of(Tool.from_schema("oracle", "Foretell the outcome of a war.", {}))
    assert {(p.form, p.text) for p in skill.act.phrases} == {
        ("order", "foretell the outcome of a war"),
        ("noun", "the oracle"),
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "string", "pattern": "a+"},
        {"type": "array", "items": {"type": "object"}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    ],
)
def test_what_no_words_stand_for(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="thing"):
        skill_of(Tool.from_schema("f", "Fetch it.", {"properties": {"thing": schema}, "required": ["thing"]}))
    skill, _ = skill_of(Tool.from_schema("f", "Fetch it.", {"properties": {"thing": schema}}))
    assert skill.places == ()


def test_parameters_inside_objects_have_their_places() -> None:
    inner = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    skill, _ = skill_of(Tool.from_schema("f", "Fetch it.", {"properties": {"where": inner}, "required": ["where"]}))
    assert [place.path for place in skill.places] == [("where", "city")] and skill.places[0].slot.kind == "city"


def test_a_slot_of_another_type_is_not_like_a_parameter() -> None:
    tool = Tool.from_schema("f", "F.", {"properties": {"people": {"type": "string"}, "guests": {"type": "integer"}}})
    people, guests = parameters(tool)
    assert slot_likeness(people, slots()["party"]) == 0 < slot_likeness(guests, slots()["party"])


def test_two_parameters_alike_get_slots_of_their_own() -> None:
    shapes = {"city": {"type": "string"}, "town": {"type": "string"}}
    skill, _ = skill_of(Tool.from_schema("f", "Fetch it.", {"properties": shapes, "required": ["city", "town"]}))
    assert len({place.slot.key for place in skill.places}) == 2


# --- any tools -----------------------------------------------------------------------------------

WORDS = st.sampled_from(
    "city date when amount total lang currency file_name isUrgent to from x qty {odd} _ üb url items".split()
)
PLAIN = [{"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {}]
BOUND = [
    {"type": "integer", "minimum": 5_000},
    {"type": "integer", "maximum": -3},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "integer", "multipleOf": 5},
    {"type": "string", "format": "date"},
    {"type": "string", "maxLength": 12},
    {"enum": ["first_class", "ECONOMY", 3]},
    {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    {"type": "array", "items": {"enum": ["a_b", "c"]}, "uniqueItems": True},
    {"type": ["string", "null"], "description": "The day, as YYYY/MM/DD."},
    {"type": "string", "description": "Language as an ISO code, e.g. 'de'."},
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
]
DESCRIPTIONS = st.sampled_from(["", "Books {a} table.", "Get the weather: now", "Sends money to a person.", "???"])


@st.composite
def tools(draw: st.DrawFn) -> Tool:
    properties = draw(st.dictionaries(WORDS, st.sampled_from(PLAIN + BOUND), max_size=5))
    required = [name for name in properties if draw(st.booleans())]
    name = draw(st.sampled_from(["f", "_", "send_money", "Weather.getForecast", "a-b", "..."]))
    return Tool.from_schema(name, draw(DESCRIPTIONS), {"properties": properties, "required": required})


@given(tools(), st.integers(0, 1_000))
@settings(deadline=None, max_examples=60)
def test_any_tool_is_learned_by_right_calls_or_left_out_and_told(tool: Tool, seed: int) -> None:
    try:
        made = own([tool], seed)
    except InputInvalid as told:
        assert tool.name in told.message
        return
    for each in made.examples(12):
        assert each.fault() == "" and each.request
