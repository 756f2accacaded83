"""The example tools compute what they say, and the example requests can be judged against them."""

from __future__ import annotations

import importlib.util
import itertools
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from linnet import Tool
from linnet.errors import ToolFailed

EXAMPLES = Path(__file__).parents[2] / "examples"
FIVE = ("convert_units", "create_reminder", "split_bill", "shopping_list", "set_lights")
LINES = (EXAMPLES / "requests.jsonl").read_text(encoding="utf-8").splitlines()
REQUESTS = [json.loads(line) for line in LINES]
CALLS = {r["id"]: r["expect"]["calls"][0] for r in REQUESTS if r["expect"].get("calls")}
ANSWERS = {r["id"]: r for r in REQUESTS if "answer" in r["expect"]}


@pytest.fixture
def tools() -> ModuleType:
    """A fresh copy of the module: what the tools remember is not shared between tests."""
    spec = importlib.util.spec_from_file_location("example_tools", EXAMPLES / "tools.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(tool: Tool, **arguments: Any) -> str | None:
    answer: str | None = tool.render_answer(tool.validate(arguments), tool.run(arguments))
    return answer


# --- the tools -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "source", "target", "expected"),
    [
        (26.2, "miles", "kilometers", 42.1648),
        (1, "feet", "inches", 12),
        (180, "pounds", "kilograms", 81.6466),
        (2.5, "gallons", "liters", 9.46353),
        (-40, "celsius", "fahrenheit", -40),
        (98.6, "fahrenheit", "celsius", 37),
        (1, "centimeters", "miles", 6.21371e-06),
    ],
)
def test_units(tools: ModuleType, amount: float, source: str, target: str, expected: float) -> None:
    assert tools.convert_units(amount, source, target) == expected


@pytest.mark.parametrize("source", ["miles", "kilograms", "gallons", "fahrenheit"])
def test_units_go_there_and_back(tools: ModuleType, source: str) -> None:
    kind = tools.SCALES[source][0]
    for target in (unit for unit, scale in tools.SCALES.items() if scale[0] == kind):
        there = tools.convert_units(12.5, source, target)
        assert tools.convert_units(there, target, source) == pytest.approx(12.5, rel=1e-5)


def test_units_of_different_kinds_do_not_convert(tools: ModuleType) -> None:
    with pytest.raises(ToolFailed, match="miles measure length and pounds measure weight"):
        tools.convert_units.run({"amount": 1, "source": "miles", "target": "pounds"})


def test_every_unit_has_a_scale(tools: ModuleType) -> None:
    assert tools.convert_units.parameters["properties"]["source"]["enum"] == list(tools.SCALES)


def test_reminders_are_kept_in_order(tools: ModuleType) -> None:
    tools.create_reminder("feed the cat", "noon")
    second = tools.create_reminder("water the plants", "7 pm", "daily")
    assert second == {"number": 2, "what": "water the plants", "when": "7 pm, daily"}
    assert [(r["text"], r["repeat"]) for r in tools.reminders] == [
        ("feed the cat", "never"),
        ("water the plants", "daily"),
    ]


@pytest.mark.parametrize(("text", "time"), [("", "noon"), ("feed the cat", " ")])
def test_an_empty_reminder_is_refused(tools: ModuleType, text: str, time: str) -> None:
    with pytest.raises(ToolFailed, match="needs a text and a time"):
        tools.create_reminder.run({"text": text, "time": time})
    assert tools.reminders == []


@pytest.mark.parametrize(
    ("total", "people", "tip", "each"),
    [(96, 4, 0, "24.00"), (128.4, 6, 15, "24.61"), (100, 3, 0, "33.34"), (59.9, 2, 12.5, "33.70")],
)
def test_shares_are_rounded_up_to_the_cent(
    tools: ModuleType, total: float, people: int, tip: float, each: str
) -> None:
    assert tools.split_bill(total, people, tip) == each


@pytest.mark.parametrize(("total", "people", "tip"), [(10, 0, 0), (-1, 2, 0), (10, 2, -5)])
def test_an_impossible_bill_is_refused(tools: ModuleType, total: float, people: int, tip: float) -> None:
    with pytest.raises(ToolFailed, match="at least one person"):
        tools.split_bill.run({"total": total, "people": people, "tip_percent": tip})


def test_shopping_lists_grow_by_store_without_doubles(tools: ModuleType) -> None:
    tools.shopping_list(["milk", "eggs"])
    tools.shopping_list(["nails"], "Hardware store")
    assert tools.shopping_list(["Eggs", "bread"])["wanted"] == ["milk", "eggs", "bread"]
    assert tools.lists["hardware store"] == ["nails"]


def test_lights_remember_how_bright_they_were(tools: ModuleType) -> None:
    assert tools.set_lights("office", True) == "on at 100 percent"
    assert tools.set_lights("office", True, 30) == "on at 30 percent"
    assert tools.set_lights("office", False) == "off"
    assert tools.set_lights("office", True) == "on at 30 percent"
    assert tools.set_lights("kitchen", True) == "on at 100 percent"


@pytest.mark.parametrize("brightness", [0, 101])
def test_brightness_has_bounds(tools: ModuleType, brightness: int) -> None:
    with pytest.raises(ToolFailed, match=f"not {brightness}"):
        tools.set_lights.run({"room": "office", "on": True, "brightness": brightness})


def test_each_tool_answers_in_a_sentence(tools: ModuleType) -> None:
    assert said(tools.convert_units, amount=86, source="fahrenheit", target="celsius") == (
        "86 fahrenheit is 30 celsius."
    )
    assert said(tools.create_reminder, text="feed the cat", time="noon") == "Reminder 1: feed the cat, noon."
    assert said(tools.split_bill, total=75, people=3) == "With 3 people, each one pays 25.00."
    assert said(tools.shopping_list, items=["milk", "eggs"]) == ("On the shopping list for any store: milk and eggs.")
    assert said(tools.set_lights, room="living room", on=False) == "The living room lights are off."


def test_every_tool_and_parameter_is_described(tools: ModuleType) -> None:
    found = {name: value for name, value in vars(tools).items() if isinstance(value, Tool)}
    assert sorted(found) == sorted(FIVE)
    for tool in found.values():
        undescribed = [n for n, p in tool.parameters["properties"].items() if not p.get("description")]
        assert tool.description.endswith(".") and not undescribed


# --- the requests --------------------------------------------------------------------------------


def answers(id_: str) -> list[str]:
    found = ANSWERS[id_]["expect"]["answer"]
    return [found] if isinstance(found, str) else found


def test_requests_have_one_shape_and_ids_of_their_own() -> None:
    assert len(REQUESTS) >= 40
    assert all(set(request) == {"id", "text", "expect"} and request["text"].strip() for request in REQUESTS)
    assert all(list(request["expect"]) in (["calls"], ["answer"]) for request in REQUESTS)
    assert all(len(request["expect"].get("calls", [])) <= 1 for request in REQUESTS)
    for key in ("id", "text"):
        assert len({request[key] for request in REQUESTS}) == len(REQUESTS)


def test_every_tool_is_wanted_often_and_some_requests_want_none() -> None:
    wanted = [call["name"] for call in CALLS.values()]
    assert {name for name in wanted if wanted.count(name) >= 4} == set(FIVE)
    assert sum(request["expect"] == {"calls": []} for request in REQUESTS) >= 4


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_allowed_call_fits_its_tool_and_works(tools: ModuleType, call: dict[str, Any]) -> None:
    tool, allowed = getattr(tools, call["name"]), call["arguments"]
    assert list(allowed) == list(tool.parameters["properties"])
    assert not [name for name in tool.parameters["required"] if "" in allowed[name]]
    for values in itertools.product(*allowed.values()):
        tool.run({name: value for name, value in zip(allowed, values, strict=True) if value != ""})


@pytest.mark.parametrize("id_", ANSWERS)
def test_no_answer_stands_in_its_own_request(id_: str) -> None:
    for answer in answers(id_):
        assert answer and answer.lower() not in ANSWERS[id_]["text"].lower()


@pytest.mark.parametrize("id_", [id_ for id_ in ANSWERS if id_.startswith("files")])
def test_answers_about_files_are_in_the_files(id_: str) -> None:
    paths = [path for path in (EXAMPLES / "files").rglob("*") if path.is_file()]
    text = "\n".join(f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in paths)
    assert all(answer in text for answer in answers(id_))


def test_the_first_program_is_short() -> None:
    source = (EXAMPLES / "first_program.py").read_text(encoding="utf-8")
    compile(source, "first_program.py", "exec")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
