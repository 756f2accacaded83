"""A typed function, or a schema, becomes a tool: described, checked, run and answered for."""

import asyncio
import enum
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import linnet.tools as module
from linnet.errors import ToolArgumentsInvalid, ToolDenied, ToolFailed, ToolInvalid
from linnet.limits import LIMITS
from linnet.tools import Permission, Rule, Tool, spoken, tool


class Unit(enum.Enum):
    KM = "km"
    MILE = "mile"


class Stop(BaseModel):
    city: str
    nights: int = 1


@dataclass
class Point:
    x: float
    y: float


HUGE = pytest.param(10**5_000, id="huge")
"""More digits than Python prints."""


class Bare: ...


class Chain(BaseModel):
    next: Optional["Chain"] = None


@tool(
    answer="{amount} {source} is {result} {target}",
    permissions=["network"],
    deadline=5,
    examples=["2 km in miles"],
)
def convert(amount: float, source: Unit, target: Literal["km", "mile"] = "mile", digits: int | None = None) -> float:
    """Converts a length
    between units.

    More about it, not for the model.

    Args:
        amount: how much, in units
            of the source: any number.
        source (Unit): what it is in.
    Returns:
        digits: not a parameter's description.
    """
    return round(amount * 2, digits or 2)


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    return tool(function).parameters["properties"]


# --- what a signature becomes --------------------------------------------------------------------


def test_a_function_becomes_a_tool() -> None:
    assert convert.name == "convert"
    assert convert.description == "Converts a length between units."
    assert convert.permissions == {Permission.NETWORK}
    assert (convert.deadline, convert.examples) == (5, ("2 km in miles",))
    assert convert.parameters == {
        "type": "object",
        "properties": {
            "amount": {"type": "number", "description": "how much, in units of the source: any number."},
            "source": {"type": "string", "enum": ["km", "mile"], "description": "what it is in."},
            "target": {"type": "string", "enum": ["km", "mile"], "default": "mile"},
            "digits": {"type": "integer"},
        },
        "required": ["amount", "source"],
        "additionalProperties": False,
    }


def test_bare_decoration_and_calling_still_work() -> None:
    @tool
    def double_it(x: int) -> int:
        return 2 * x

    assert isinstance(double_it, Tool)
    assert double_it(3) == double_it(x=3) == 6
    assert double_it.description == "double it"
    assert double_it.deadline == LIMITS.tool_seconds


def test_given_name_and_description_win() -> None:
    @tool(name="weather.now", description="Weather.")
    def f(place: str) -> str:
        """Other."""
        return place

    assert (f.name, f.description) == ("weather.now", "Weather.")


def test_rest_fields_describe_parameters() -> None:
    def f(width: float, height: float, depth: float = 1.0) -> float:
        """Volume of a box.
        :param width: in metres,
            inside
        :param float height: in metres
        :returns: litres
        """
        return width * height * depth

    made = tool(f)
    assert made.description == "Volume of a box."
    assert made.parameters["properties"]["width"]["description"] == "in metres, inside"
    assert made.parameters["properties"]["height"]["description"] == "in metres"
    assert "description" not in made.parameters["properties"]["depth"]


def test_annotated_fields_describe_and_bound() -> None:
    def f(age: Annotated[int, Field(description="in years", ge=0, le=150)]) -> int:
        """Args:
        age: not this one
        """
        return age

    made = tool(f)
    assert made.parameters["properties"]["age"] == {
        "type": "integer",
        "description": "in years",
        "minimum": 0,
        "maximum": 150,
    }
    with pytest.raises(ToolArgumentsInvalid, match="age must be less than or equal to 150, got 151"):
        made.validate({"age": 151})


def test_models_are_written_out_without_references() -> None:
    def f(stops: list[Stop], start: Point) -> None: ...

    stop = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "nights": {"type": "integer", "default": 1}},
        "required": ["city"],
        "additionalProperties": False,
    }
    assert parameters(f)["stops"] == {"type": "array", "items": stop}
    assert parameters(f)["start"]["required"] == ["x", "y"]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (int, {"type": "integer"}),
        (bool, {"type": "boolean"}),
        (str | None, {"type": "string"}),
        (int | str | None, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Literal["a", None], {"enum": ["a"]}),
        (list[int | None], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (date, {"type": "string", "format": "date"}),
        (Any, {}),
    ],
)
def test_annotations_become_schemas(annotation: Any, schema: dict[str, Any]) -> None:
    def f(x): ...

    f.__annotations__ = {"x": annotation}
    made = tool(f)
    assert made.parameters["properties"]["x"] == schema
    assert made.parameters["required"] == ["x"]


@pytest.mark.parametrize("annotation", [int, int | None])
def test_a_default_of_none_means_not_required_and_never_null(annotation: Any) -> None:
    def f(x=None):
        return x

    f.__annotations__ = {"x": annotation}
    made = tool(f)
    assert made.parameters["properties"]["x"] == {"type": "integer"}
    assert made.parameters["required"] == []
    assert made.validate({}) == made.validate({"x": None}) == {}
    assert made.run({}) is None


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        (Bare, "Bare"),
        (complex, "complex"),
        (list[complex], r"list\[complex\]"),
        (Callable[[int], int], "Callable"),
        (type[int], r"type\[int\]"),
        (None, "null"),
        (Chain, "refers to itself"),
        ("Nowhere", "Nowhere"),
    ],
)
def test_types_without_a_json_form_are_refused_when_decorated(annotation: Any, named: str) -> None:
    def f(fine: int, odd): ...

    f.__annotations__ |= {"odd": annotation}
    with pytest.raises(ToolInvalid, match=named) as caught:
        tool(f)
    assert annotation == "Nowhere" or "odd" in str(caught.value)


def _spread(*values: int) -> None: ...
def _keywords(**values: int) -> None: ...
def _positional(values: int, /) -> None: ...
def _untyped(values) -> None: ...
def _bad_default(values: int = "many") -> None: ...
async def _later(values: int) -> None: ...
async def _drips(values: int):
    yield values


@pytest.mark.parametrize("function", [_spread, _keywords, _positional, _untyped, _bad_default])
def test_parameters_that_cannot_be_filled_are_refused_by_name(function: Any) -> None:
    with pytest.raises(ToolInvalid, match="values"):
        tool(function)


@pytest.mark.parametrize("function", [_later, _drips])
def test_async_functions_are_refused(function: Any) -> None:
    with pytest.raises(ToolInvalid, match="async"):
        tool(function)
    with pytest.raises(ToolInvalid, match="async"):
        Tool.from_schema("later", "Later.", {}, function)


@pytest.mark.parametrize("thing", [int, Bare, Bare(), 3])
def test_what_is_not_a_function_is_refused(thing: Any) -> None:
    with pytest.raises(ToolInvalid):
        tool(thing)


def test_methods_and_lambdas_without_parameters_work() -> None:
    class Counter:
        count = 0

        def add(self, by: int = 1) -> int:
            self.count += by
            return self.count

    made = tool(Counter().add)
    assert made.run({}) == 1 and made.run({"by": 4}) == 5
    assert tool(name="nothing")(lambda: 7).run({}) == 7


@pytest.mark.parametrize("name", ["schema", "json", "copy", "model_config", "_x", "class_"])
def test_parameter_names_clash_with_nothing(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def f({name}: int = 2) -> int:\n    return {name}", scope)
    made = tool(scope["f"])
    assert made.run({}) == 2 and made.run({name: 5}) == 5


# --- arguments -----------------------------------------------------------------------------------


def test_bind_gives_python_types_and_validate_json_values() -> None:
    assert convert.bind({"amount": 3, "source": "km"}) == {"amount": 3.0, "source": Unit.KM}
    assert convert.validate({"amount": 3, "source": "km"}) == {
        "amount": 3.0,
        "source": "km",
        "target": "mile",
    }


def test_validate_is_stable() -> None:
    def f(stops: list[Stop], when: date, tags: frozenset[str] = frozenset(), at: Path = Path("x")) -> None: ...

    arguments = {"stops": [{"city": "Rome"}], "when": "2026-01-02"}
    full = {"stops": [{"city": "Rome", "nights": 1}], "when": "2026-01-02", "tags": [], "at": "x"}
    made = tool(f)
    assert made.validate(arguments) == full
    assert made.validate(full) == full
    assert made.bind(arguments)["stops"] == [Stop(city="Rome")]
    assert made.bind(arguments)["when"] == date(2026, 1, 2)


def test_every_bad_argument_is_named() -> None:
    with pytest.raises(ToolArgumentsInvalid) as caught:
        convert.validate({"amount": "3", "target": "inch", "colour": "red"})
    problems = {entry["argument"]: entry["problem"] for entry in caught.value.details["problems"]}
    assert set(problems) == {"amount", "target", "colour", "source"}
    assert problems["source"] == "is missing"
    assert 'got "3"' in problems["amount"]
    assert "'km' or 'mile'" in problems["target"]
    assert all(name in str(caught.value) for name in problems)


def test_nested_problems_name_their_place() -> None:
    def trip(stops: list[Stop]) -> None: ...

    with pytest.raises(ToolArgumentsInvalid, match=r"stops\[1\]\.nights must be a valid integer, got \"two\""):
        tool(trip).validate({"stops": [{"city": "a"}, {"city": "b", "nights": "two"}]})


@pytest.mark.parametrize("value", ["5", 5.0, 5.5, True, None, [5], {"x": 5}, float("nan"), HUGE, object(), b"5"])
def test_an_integer_is_exactly_an_integer(value: Any) -> None:
    def f(x: int) -> int:
        return x

    with pytest.raises(ToolArgumentsInvalid, match="x "):
        tool(f).validate({"x": value})


def test_deep_and_odd_arguments_are_errors_not_crashes() -> None:
    def f(x: Any) -> None: ...

    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, {1, 2}, float("inf"), "\ud800"):
        with pytest.raises(ToolArgumentsInvalid):
            tool(f).validate({"x": value})
    for arguments in ([], None, "x", 3):
        with pytest.raises(ToolArgumentsInvalid, match="must be an object"):
            tool(f).validate(arguments)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_value_is_taken_or_refused(value: Any) -> None:
    for made in (convert, FROM_SCHEMA):
        try:
            full = made.validate({"amount": value, "source": "km"})
        except ToolArgumentsInvalid:
            continue
        assert made.validate(full) == full
        assert type(value) in (int, float)


# --- tools that come as schemas ------------------------------------------------------------------

FROM_SCHEMA = Tool.from_schema(
    "convert.length",
    "Converts.",
    {
        "type": "dict",
        "properties": {"amount": {"type": "float"}, "source": {"type": "string", "default": "km"}},
        "required": ["amount"],
    },
    lambda amount, source="mile": [amount, source],
)


def test_a_schema_becomes_a_tool() -> None:
    assert FROM_SCHEMA.parameters["properties"]["amount"] == {"type": "number"}
    assert FROM_SCHEMA.validate({"amount": 3}) == {"amount": 3}
    assert FROM_SCHEMA.run({"amount": 3}) == [3, "mile"]
    with pytest.raises(ToolArgumentsInvalid, match=r"convert\.length: amount is missing; unit is not known"):
        FROM_SCHEMA.validate({"unit": 1})


def test_a_schema_without_a_function_is_described_but_not_run() -> None:
    made = Tool.from_schema("remote", "Elsewhere.")
    assert made.validate({}) == {}
    for call in (lambda: made.run({}), made):
        with pytest.raises(ToolFailed, match="no function"):
            call()


@pytest.mark.parametrize("name", ["", "two words", "x" * 129, "line\nbreak", "naïve?", "a\n"])
def test_names_that_could_break_a_prompt_are_refused(name: str) -> None:
    with pytest.raises(ToolInvalid, match="name"):
        Tool.from_schema(name, "d")


@pytest.mark.parametrize("deadline", [0, -1, float("nan")])
def test_deadlines_are_over_zero(deadline: float) -> None:
    with pytest.raises(ToolInvalid, match="deadline"):
        Tool.from_schema("t", "d", deadline=deadline)


def test_unknown_permissions_are_refused_with_a_near_match() -> None:
    with pytest.raises(ToolInvalid) as caught:
        Tool.from_schema("t", "d", permissions=["files.reed"])
    assert caught.value.hint == "Did you mean files.read?"


def test_a_tool_is_frozen_and_hashable() -> None:
    assert len({convert, FROM_SCHEMA}) == 2
    with pytest.raises(AttributeError):
        convert.name = "other"


# --- running -------------------------------------------------------------------------------------


def returning(value: Any) -> Tool:
    return tool(name="give")(lambda: value)


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (Stop(city="Rome"), {"city": "Rome", "nights": 1}),
        (Point(1, 2.5), {"x": 1, "y": 2.5}),
        ({"a": {date(2026, 1, 2)}}, {"a": ["2026-01-02"]}),
        (Unit.KM, "km"),
        ((1, 2), [1, 2]),
        ({1: None}, {"1": None}),
        (float("inf"), "Infinity"),
        pytest.param(10**4_000, 10**4_000, id="long"),
        (None, None),
    ],
)
def test_results_become_json_values(value: Any, json: Any) -> None:
    assert returning(value).run({}) == json


@pytest.mark.parametrize("value", [object(), Bare(), b"\xff", "\ud800", HUGE, lambda: 1])
def test_results_without_a_json_form_are_failures(value: Any) -> None:
    with pytest.raises(ToolFailed, match="give returned a"):
        returning(value).run({})


def test_a_result_nested_without_end_is_a_failure() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ToolFailed):
        returning(deep).run({})


def test_a_circular_result_is_a_failure() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ToolFailed):
        returning(circle).run({})


def test_output_ends_at_the_limit() -> None:
    most = LIMITS.tool_output_bytes - 2  # the quotes
    assert len(returning("x" * most).run({})) == most
    with pytest.raises(ToolFailed, match=f"{LIMITS.tool_output_bytes + 1:,} bytes"):
        returning("x" * (most + 1)).run({})


@pytest.mark.parametrize("error", [ValueError("no such unit"), KeyError("k"), SystemExit(3), RecursionError("deep")])
def test_an_exception_becomes_a_typed_failure_without_a_traceback(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(ToolFailed) as caught:
        tool(fail).run({})
    assert caught.value.message == f"fail: {type(error).__name__}: {error}"
    assert caught.value.details["error"] == type(error).__name__
    assert "Traceback" not in str(caught.value.describe()) and __file__ not in str(caught.value.describe())


def test_linnet_errors_and_interrupts_pass_as_they_are() -> None:
    def deny() -> None:
        raise ToolDenied("not yours")

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(ToolDenied, match="not yours"):
        tool(deny).run({})
    with pytest.raises(KeyboardInterrupt):
        tool(interrupt).run({})


def test_a_long_message_is_cut() -> None:
    def fail() -> None:
        raise ValueError("x" * 10_000)

    with pytest.raises(ToolFailed) as caught:
        tool(fail).run({})
    assert len(str(caught.value)) < 600


def test_wrong_arguments_never_reach_the_function() -> None:
    called = []

    def note(x: int) -> None:
        called.append(x)

    with pytest.raises(ToolArgumentsInvalid):
        tool(note).run({"x": "1"})
    assert called == []


def test_an_awaitable_result_is_a_failure() -> None:
    future: asyncio.Future[int] = asyncio.Future(loop=(loop := asyncio.new_event_loop()))
    with pytest.raises(ToolFailed):
        returning(future).run({})
    loop.close()


# --- answers -------------------------------------------------------------------------------------


def answering(template: str) -> Tool:
    return Tool.from_schema("t", "d", answer=template)


@pytest.mark.parametrize(
    ("template", "arguments", "value", "answer"),
    [
        ("{amount} km is {result} m", {"amount": 1.0}, 1000.0, "1 km is 1000 m"),
        ("{result}", {}, 0.1 + 0.2, "0.3"),
        ("{result}", {}, [1.5, "b", True], "1.5, b and yes"),
        ("{result}", {}, ["a", "b"], "a and b"),
        ("{result}", {}, [], "none"),
        ("{result}", {}, [{"a": 1}, {"a": 2.0}], "- a: 1\n- a: 2"),
        ("{city}: {degrees}°", {"city": "rome"}, {"city": "Rome", "degrees": 21}, "Rome: 21°"),
        ("{result}", {}, {"a": 1, "b": [1, 2]}, "a: 1, b: 1 and 2"),
        ("{{{x}}}", {"x": 1}, None, "{1}"),
        ("{x}", {"x": "{x.__class__} {0} %s"}, None, "{x.__class__} {0} %s"),
        ("done", {}, None, "done"),
        ("{result}", {}, None, None),
        ("{x} {result}", {}, 1, None),
        ("{result}", {}, False, "no"),
    ],
)
def test_answers_are_filled(template: str, arguments: dict[str, Any], value: Any, answer: str | None) -> None:
    assert answering(template).render_answer(arguments, value) == answer


def test_without_a_template_there_is_no_answer() -> None:
    assert Tool.from_schema("t", "d").render_answer({}, 1) is None


@pytest.mark.parametrize(
    "template",
    [
        "{x.y}",
        "{x[0]}",
        "{}",
        "{0}",
        "{x!r}",
        "{x:>99999999}",
        "{x",
        "x}",
        "{x:{y}}",
        "{ x}",
        "{__class__.y}",
    ],
)
def test_templates_name_plain_fields_only(template: str) -> None:
    with pytest.raises(ToolInvalid, match="answer"):
        answering(template)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (363.0, "363"),
        (-0.0, "0"),
        (1e300, "1e+300"),
        (1234567890123.45, "1234567890123.45"),
        (1 / 3, "0.333333333333333"),
        (None, "nothing"),
        ({}, "nothing"),
        ([[1, 2], [3]], "1 and 2 and 3"),
    ],
)
def test_values_are_spoken_short(value: Any, text: str) -> None:
    assert spoken(value) == text


# --- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("calc: 2+2", {"x": "2+2"}),
        ("  CALC:2+2  ", {"x": "2+2"}),
        ("calc:", None),
        ("calc 2+2", None),
        ("please calc: 2", None),
        ("calc: " + "1" * 10_000, {"x": "1" * 10_000}),
    ],
)
def test_a_prefix_gives_the_rest(text: str, found: Any) -> None:
    assert Rule(prefix="calc:", to="x").match(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("list files", {}),
        ("List Files in docs", {"folder": "docs"}),
        ("list files in docs now", None),
        ("do list files", None),
    ],
)
def test_a_pattern_matches_the_whole_request(text: str, found: Any) -> None:
    assert Rule(pattern=r"list files(?: in (?P<folder>\S+))?").match(text) == found


def test_an_extractor_decides_for_itself() -> None:
    rule = Rule(extract=lambda text: {"x": text[::-1]} if text.startswith("a") else None)
    assert rule.match(" ab ") == {"x": "ba"}
    assert rule.match("b") is None


def test_patterns_and_extractors_see_no_text_over_the_limit() -> None:
    for rule in (Rule(pattern="a+"), Rule(extract=lambda text: {})):
        assert rule.match("a" * LIMITS.rule_chars) == {}
        assert rule.match("a" * (LIMITS.rule_chars + 1)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prefix": "a:"},
        {"to": "x"},
        {"prefix": "a:", "to": "x", "pattern": "b"},
        {"pattern": "b", "to": "x"},
        {"pattern": "b", "extract": lambda text: None},
        {"pattern": "("},
    ],
)
def test_a_rule_has_exactly_one_form(fields: dict[str, Any]) -> None:
    with pytest.raises(ToolInvalid):
        Rule(**fields)


@pytest.mark.parametrize("rule", [Rule(prefix="a:", to="y"), Rule(pattern="(?P<y>a)")])
def test_rules_fill_parameters_that_exist(rule: Rule) -> None:
    with pytest.raises(ToolInvalid, match="unknown parameters: \\['y'\\]"):
        Tool.from_schema("t", "d", {"properties": {"x": {"type": "string"}}}, rules=(rule,))


def test_the_first_fitting_rule_gives_typed_arguments() -> None:
    @tool(rules=[Rule(prefix="roll:", to="sides"), Rule(pattern=r"roll (?P<times>\d+) dice of (?P<sides>\w+)")])
    def roll(sides: int, times: int = 1, fair: bool = True) -> int:
        return sides * times

    assert roll.match("roll: 6") == {"sides": 6}
    assert roll.match("roll 2 dice of 20") == {"times": 2, "sides": 20}
    assert roll.match("roll 2 dice of six") == {"times": 2, "sides": "six"}
    assert roll.match("something else") is None
    with pytest.raises(ToolArgumentsInvalid, match="sides"):
        roll.run(roll.match("roll: six"))


# --- the module ----------------------------------------------------------------------------------


def test_importing_it_needs_nothing_heavier_than_pydantic() -> None:
    heavy = ("numpy", "bm25s", "llama_cpp", "jinja2", "simpleeval")
    code = f"import sys, linnet.tools; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_output_limit_is_read_from_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, tool_output_bytes=5))
    assert returning("abc").run({}) == "abc"
    with pytest.raises(ToolFailed, match="6 bytes"):
        returning("abcd").run({})


def test_a_tool_gives_what_a_model_is_told_of_it() -> None:
    spec = convert.spec
    assert (spec.name, spec.description) == ("convert", convert.description)
    assert spec.parameters == convert.parameters and spec.parameters is not convert.parameters
