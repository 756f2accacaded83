"""The catalogue holds together: acts name slots that there are, phrases say slots of their act, tools come in all
styles."""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import combinations

import pytest

from linnet.evals.training.synthesis.catalogue import Act, acts, slots
from linnet.evals.training.synthesis.naming import cased
from linnet.evals.training.synthesis.nothing import alike
from linnet.evals.training.synthesis.toolmaking import MOST_PARAMETERS, Skill, make, toolbox
from linnet.evals.training.synthesis.voices import imperative
from linnet.tools import Tool

BOX = toolbox(2_000, 0)


def act(name: str) -> Act:
    return next(each for each in acts() if each.name == name)


def test_there_are_enough_acts_of_enough_domains() -> None:
    assert len(acts()) >= 400 and len({each.domain for each in acts()}) >= 60
    assert len({(each.domain, each.name) for each in acts()}) == len(acts())


def test_acts_and_slots_are_told_whole() -> None:
    for each in acts():
        assert each.does.endswith(".") and each.does[0].isupper(), each.name
        assert {"order"} <= {phrase.form for phrase in each.phrases}, each.name
        keys = {slot.key for slot in each.slots}
        assert len(keys) == len(each.slots) and each.required <= keys
        assert all(place in slots() for phrase in each.phrases for place in phrase.places), each.name
        assert set(each.given_by) | set(each.given_by.values()) <= keys
    for slot in slots().values():
        assert slot.names and slot.about and slot.says, slot.key
        assert slot.kind == "yes" or all("{}" in way for way in slot.says), slot.key
        assert slot.kind != "yes" or slot.no, slot.key


def test_every_act_can_be_asked_for_whatever_is_said() -> None:
    """There is a phrase that needs no more than the required slots."""
    for each in acts():
        own = {slot.key for slot in each.slots}
        assert any(not (phrase.places & own) - each.required for phrase in each.phrases), each.name


def test_every_slot_is_one_of_some_act_or_makes_phrases_vivid() -> None:
    used = {slot.key for each in acts() for slot in each.slots}
    named = {place for each in acts() for phrase in each.phrases for place in phrase.places}
    elsewhere = {"hobby", "animal", "person", "city", "country", "topic"}
    spare = sorted(set(slots()) - used - named - elsewhere)
    assert spare == []


# --- tools that are made up ----------------------------------------------------------------------


def test_two_thousand_tools_have_names_and_domains_of_their_own() -> None:
    names = [skill.spec.name for skill in BOX]
    assert len(set(names)) == len(names) == 2_000
    assert len({skill.act.domain for skill in BOX}) >= 60


@pytest.mark.parametrize(
    "style",
    [
        r"[a-z]+(_[a-z0-9]+)+",
        r"[a-z]+([A-Z][a-z0-9]+)+",
        r"([A-Z][a-z0-9]+){2,}",
        r"[a-z]+(-[a-z0-9]+)+",
        r"\w+\.\S+",
    ],
)
def test_names_are_written_in_every_style(style: str) -> None:
    assert sum(re.fullmatch(style, skill.spec.name) is not None for skill in BOX) > 60


def test_many_names_tell_nothing_and_then_the_description_tells() -> None:
    def telling(skill: Skill) -> bool:
        place = skill.places[0]
        return place.path[-1][:3].lower() in "".join(place.slot.names).replace(" ", "")

    blank = [skill for skill in BOX if skill.places and not telling(skill)]
    assert len(blank) > 200
    assert sum(bool(skill.places[0].schema.get("description")) for skill in blank) / len(blank) > 0.9


def test_parameters_are_of_every_type_and_few() -> None:
    kinds = Counter(
        "enum" if "enum" in schema else schema["type"]
        for skill in BOX
        for schema in skill.spec.parameters["properties"].values()
    )
    assert set(kinds) == {"string", "integer", "number", "boolean", "array", "object", "enum"}
    assert min(kinds.values()) > 40
    sizes = Counter(len(skill.spec.parameters["properties"]) for skill in BOX)
    assert set(sizes) <= set(range(1, MOST_PARAMETERS + 1)) and set(sizes) >= {1, 2, 3, 4}


def test_every_made_up_tool_is_a_tool() -> None:
    for skill in BOX:
        made = Tool.from_schema(skill.spec.name, skill.spec.description, skill.spec.parameters)
        assert made.description


def test_the_same_act_is_a_different_tool_each_time() -> None:
    made = [make(act("reserve table"), random.Random(seed)).spec for seed in range(20)]
    assert len({spec.name for spec in made}) > 10 and len({spec.description for spec in made}) > 8


def test_acts_that_could_be_confused_are_known() -> None:
    assert alike(act("buy ticket"), act("buy event tickets"))
    assert not alike(act("create reminder"), act("delete reminder")), "a near miss is no twin"
    assert alike(act("get forecast"), act("get forecast"))
    assert not alike(act("get forecast"), act("reserve table"))
    assert sum(alike(a, b) for a, b in combinations(acts(), 2)) < 0.05 * len(acts()) ** 2 / 2


@pytest.mark.parametrize(
    ("does", "order"),
    [
        ("Books a table", "Book a table"),
        ("Searches films", "Search films"),
        ("Applies a coupon", "Apply a coupon"),
        ("Has a parcel picked up", "Have a parcel picked up"),
        ("Switches lights on or off, or dims them", "Switch lights on or off, or dim them"),
        ("Passes a case on", "Pass a case on"),
    ],
)
def test_orders_out_of_sentences(does: str, order: str) -> None:
    assert imperative(does) == order


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("snake", "get_price"),
        ("camel", "getPrice"),
        ("pascal", "GetPrice"),
        ("kebab", "get-price"),
        ("upper", "GET_PRICE"),
    ],
)
def test_cases_of_names(case: str, name: str) -> None:
    assert cased(["get", "price"], case) == name
