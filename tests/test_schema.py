"""Schemas are written out plainly, and values are held against them exactly."""

import json
from pathlib import Path

import pytest

from linnet.errors import ToolInvalid
from linnet.limits import LIMITS
from linnet.schema import from_text, plain, problems, shown

BFCL = Path(__file__).parents[2] / "shared" / "data" / "bfcl_dev"


def one(schema: dict, **around: object) -> dict:
    """The plain form of one property."""
    return plain({"properties": {"x": schema}, **around}, "t")["properties"]["x"]


def wrong(value: object, schema: dict) -> list[str]:
    return [f"{path} {reason}" for path, reason in problems({"x": value}, plain({"properties": {"x": schema}}, "t"))]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("dict", "object"),
        ("HashMap", "object"),
        ("float", "number"),
        ("double", "number"),
        ("Integer", "integer"),
        ("int", "integer"),
        ("tuple", "array"),
        ("list", "array"),
        ("String", "string"),
        ("bool", "boolean"),
        (["string", "null"], "string"),
        (["string", "integer", "null"], ["string", "integer"]),
    ],
)
def test_type_names_of_other_dialects_become_those_of_json_schema(given: object, written: object) -> None:
    assert one({"type": given}) == {"type": written}


def test_any_is_a_schema_without_a_type() -> None:
    assert one({"type": "any", "description": "d"}) == {"description": "d"}
    assert wrong([1, {"a": None}], {"type": "any"}) == []


def test_references_are_written_out_with_what_stands_beside_them() -> None:
    city = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    written = one({"$ref": "#/$defs/a~1b", "description": "where"}, **{"$defs": {"a/b": city}})
    assert written["description"] == "where"
    assert written["properties"] == {"name": {"type": "string"}}
    assert written["additionalProperties"] is False


@pytest.mark.parametrize("pointer", ["#/$defs/none", "other.json#/x", "http://h/x", 3, "#/properties/x"])
def test_a_reference_that_leads_nowhere_or_to_itself_is_refused(pointer: object) -> None:
    with pytest.raises(ToolInvalid, match=r"tool 't': parameters\.x"):
        one({"$ref": pointer})


def test_a_schema_that_holds_itself_is_refused() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#/$defs/tree"}}}
    with pytest.raises(ToolInvalid, match="refers to itself"):
        one({"$ref": "#/$defs/tree"}, **{"$defs": {"tree": tree}})


def test_references_that_multiply_are_refused() -> None:
    rows = {f"d{n}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/d{n + 1}"}] * 10} for n in range(10)}
    with pytest.raises(ToolInvalid, match=f"{LIMITS.schema_nodes}"):
        one({"$ref": "#/$defs/d0"}, **{"$defs": {**rows, "d10": {"type": "string"}}})


def nested(levels: int) -> dict:
    """The property is level 1."""
    schema: dict = {"type": "string"}
    for _ in range(levels - 1):
        schema = {"type": "array", "items": schema}
    return schema


def test_depth_ends_at_the_limit() -> None:
    one(nested(LIMITS.schema_depth))
    with pytest.raises(ToolInvalid, match=f"{LIMITS.schema_depth} levels"):
        one(nested(LIMITS.schema_depth + 1))


def test_the_number_of_schemas_ends_at_the_limit() -> None:
    fits = {f"p{n}": {"type": "string"} for n in range(LIMITS.schema_nodes - 1)}
    plain({"properties": fits}, "t")
    with pytest.raises(ToolInvalid):
        plain({"properties": {**fits, "more": {"type": "string"}}}, "t")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "colour"},
        {"type": []},
        {"type": [3]},
        {"type": 3},
        {"minimum": "1"},
        {"minimum": True},
        {"enum": "abc"},
        {"anyOf": "abc"},
        {"properties": []},
        {"properties": {"a": 3}},
        {"properties": {"a": {}}, "required": ["b"]},
        {"required": True},
        "string",
        3,
    ],
)
def test_what_has_no_meaning_is_refused_by_name(schema: object) -> None:
    with pytest.raises(ToolInvalid, match=r"tool 't': parameters\.x"):
        one(schema)


@pytest.mark.parametrize("schema", [{"type": "string"}, {"type": "array"}, [], "x", None])
def test_parameters_are_an_object(schema: object) -> None:
    with pytest.raises(ToolInvalid):
        plain(schema, "t")


def test_no_parameters_at_all_are_an_empty_closed_object() -> None:
    assert plain({}, "t") == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def test_null_is_not_offered() -> None:
    assert one({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}) == {"type": "integer"}
    assert one({"enum": ["a", None]}) == {"enum": ["a"]}
    assert one({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}) == {
        "oneOf": [{"type": "string"}, {"type": "integer"}]
    }


def test_choices_beside_an_array_are_those_of_its_elements() -> None:
    schema = {"type": "array", "items": {"type": "string"}, "enum": ["a", "b"]}
    assert one(schema) == {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}
    assert wrong(["a", "c"], schema) == ['x[1] must be one of "a", "b", got "c"']


def test_titles_and_unknown_keywords_are_dropped_but_a_property_called_title_is_not() -> None:
    written = plain({"title": "T", "properties": {"title": {"type": "string", "title": "Title"}}, "x-y": 1}, "t")
    assert written["properties"] == {"title": {"type": "string"}}
    assert "x-y" not in written and "title" not in written


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [0, -5, 10**400], [5.0, "5", True, None, [5]]),
        ({"type": "number"}, [5, 5.5, 10**400], ["5", True, float("nan"), float("inf")]),
        ({"type": "boolean"}, [True, False], [0, 1, "true"]),
        ({"type": "string"}, ["", "x"], [1, None]),
        ({"type": ["string", "integer"]}, ["", 3], [1.5, True]),
        ({"type": "array", "items": {"type": "integer"}}, [[], [1, 2]], [[1, "2"], {}, "12"]),
        ({"type": "array", "minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"prefixItems": [{"type": "integer"}], "items": False}, [[], [1]], [["a"], [1, 2]]),
        ({"items": [{"type": "integer"}, {"type": "string"}]}, [[1, "a"]], [["a", 1]]),
        ({"type": "string", "minLength": 1, "maxLength": 2}, ["a", "ab"], ["", "abc"]),
        ({"minimum": 1, "maximum": 3}, [1, 3, "any"], [0, 3.5]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2], [1, 3]),
        ({"enum": [1, "a", True]}, [1, "a", True, 1.0], [2, "b", False]),
        ({"enum": [1]}, [1], [True]),
        ({"const": "a"}, ["a"], ["b"]),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, ["a", 1], [1.5]),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1], [0, 3]),
        ({"type": "dict"}, [{}, {"any": 1}], [[]]),
        ({"type": "dict", "properties": {"a": {"type": "float"}}}, [{}, {"a": 1}], [{"a": "1"}, {"b": 1}]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{"k": 1}], [{"k": "1"}]),
    ],
)
def test_values_are_held_against_the_schema(schema: dict, good: list, bad: list) -> None:
    assert [value for value in good if wrong(value, schema)] == []
    assert [value for value in bad if not wrong(value, schema)] == []


def test_every_problem_is_named_by_its_place() -> None:
    stop = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    properties = {"stops": {"type": "array", "items": stop}, "by": {"type": "string"}}
    schema = plain({"properties": properties, "required": ["by"]}, "t")
    found = dict(problems({"stops": [{"city": 3}, {}], "colour": "red"}, schema))
    assert found == {
        "by": "is missing",
        "stops[0].city": "must be string, got 3",
        "stops[1].city": "is missing",
        "colour": "is not known here; known are stops, by",
    }


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5", "integer", 5),
        (" -5 ", "integer", -5),
        ("5.5", "integer", "5.5"),
        ("5.5", "number", 5.5),
        ("true", "boolean", True),
        ("TRUE", "boolean", True),
        ("1", "boolean", "1"),
        ("five", "integer", "five"),
        ("1e999", "number", "1e999"),
        ("NaN", "number", "NaN"),
        ("5", "string", "5"),
        ("9" * 5000, "integer", "9" * 5000),
    ],
)
def test_text_becomes_a_value_only_where_it_reads_as_one(text: str, kind: str, value: object) -> None:
    read = from_text(text, {"type": kind})
    assert read == value and type(read) is type(value)


def test_shown_is_short_and_never_fails() -> None:
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert shown("x" * 1_000).endswith("...") and len(shown("x" * 1_000)) == 60
    assert shown(object()).startswith('"<object')
    assert shown(deep) == "a list"


@pytest.mark.skipif(not BFCL.is_dir(), reason="the BFCL development half is not beside the project")
def test_every_schema_of_the_leaderboard_can_be_written_out() -> None:
    count = 0
    for file in BFCL.glob("*.jsonl"):
        for line in file.read_text("utf-8").splitlines():
            for function in json.loads(line)["function"]:
                written = json.dumps(plain(function["parameters"], function["name"]))
                assert '"type": "dict"' not in written and '"type": "float"' not in written
                count += 1
    assert count > 1_000


# --- found by fuzzing ----------------------------------------------------------------------------


@pytest.mark.parametrize("required", [[{}], [["a"]], [1], ["x"]], ids=str)
def test_what_is_required_is_a_property_s_name(required: list[object]) -> None:
    with pytest.raises(ToolInvalid, match="require"):
        plain({"type": "object", "required": required}, "t")


@pytest.mark.parametrize("items", [True, False])
def test_misplaced_choices_beside_items_that_are_no_schema(items: bool) -> None:
    written = one({"type": "array", "items": items, "enum": ["a", "b"]})
    assert written["items"] == {"enum": ["a", "b"]}
