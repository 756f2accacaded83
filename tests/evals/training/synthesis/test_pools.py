"""Values as they are said and as they are meant: calling reads the one and finds the other."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.calling.evidence import codes, dates
from linnet.calling.evidence.quantities import numbers
from linnet.evals.training.synthesis import amounts, times
from linnet.evals.training.synthesis.catalogue import load, slots
from linnet.evals.training.synthesis.pools import Pool, Said, plain_option

SEEDS = st.integers(0, 10**9)
TYPES = {"int": "integer", "num": "number", "money": "number", "percent": "number", "year": "integer"}


def test_every_slot_has_values() -> None:
    for key, slot in slots().items():
        schema: dict[str, Any] = {"type": TYPES.get(slot.kind.split(":")[0], "string")}
        if "|" in slot.kind and not slot.kind.startswith("~"):
            schema = {"enum": slot.kind.split("|")}
        for seed in range(5):
            said = Pool(random.Random(seed)).value(slot.kind, schema)
            assert said.value is not None and (said.text or slot.kind == "yes"), key


@given(st.integers(0, 999_999))
@settings(deadline=None)
def test_numbers_in_words_are_read_as_what_they_are(number: int) -> None:
    read = numbers(amounts.spelled(number))
    assert [quantity.value for quantity in read] == [number]


@given(SEEDS)
@settings(deadline=None)
def test_amounts_are_read_as_what_they_are(seed: int) -> None:
    draw = random.Random(seed)
    for said, value in (
        amounts.integer(draw, 1, 90_000),
        amounts.decimal(draw, 1, 500, 2),
        amounts.money(draw, 2, 5_000, draw.random() < 0.5),
        amounts.percent(draw, 1, 60, draw.random() < 0.5),
    ):
        assert [quantity.value for quantity in numbers(f"with {said} today")] == [value], said


@given(SEEDS, st.sampled_from(("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d")))
@settings(deadline=None, max_examples=60)
def test_dates_have_the_form_that_is_asked_for(seed: int, form: str) -> None:
    said, value = times.date(random.Random(seed), form)
    assert (dates.written(said, form.replace("%d/%m", "%d-%m"), "") or "").replace("-", "/") == value.replace(
        "-", "/"
    )


@given(SEEDS)
@settings(deadline=None, max_examples=60)
def test_times_of_day_have_24_hours(seed: int) -> None:
    said, value = times.clock24(random.Random(seed))
    assert dates.written(said, "%H:%M", "") == value


@pytest.mark.parametrize(
    ("kind", "table"), [("currency", "currency"), ("langcode", "language"), ("countrycode", "country")]
)
def test_codes_are_those_that_calling_finds(kind: str, table: str) -> None:
    for row in load("pools.toml")["codes"][kind].split(";"):
        said, _, code = row.strip().partition(":")
        assert codes.code(said, table) == code, said


def test_units_of_one_request_measure_the_same_and_differ() -> None:
    options = ["kilometers", "miles", "kilograms", "pounds", "celsius", "fahrenheit"]
    alike = [{"kilometers", "miles"}, {"kilograms", "pounds"}, {"celsius", "fahrenheit"}]
    for seed in range(60):
        pool = Pool(random.Random(seed))
        pair = {pool.value(kind, {"enum": options}).value for kind in ("unit", "unit2")}
        assert pair in alike


def test_two_values_of_one_request_differ() -> None:
    for seed in range(40):
        pool = Pool(random.Random(seed))
        drawn = [pool.value("city", {}).text for _ in range(4)]
        assert len(set(drawn)) == 4


def test_what_is_typed_without_capitals_is_meant_without() -> None:
    assert Said("Ada Rao", "Ada Rao").lowered() == Said("ada rao", "ada rao")
    assert Said("Rome and Oslo", ["Rome", "Oslo"]).lowered().value == ["rome", "oslo"]
    assert Said("B-17", "B-17", firm=True).lowered().text == "B-17"
    assert Said("May 1 2024", "2024-05-01").lowered() == Said("may 1 2024", "2024-05-01")


@pytest.mark.parametrize(
    ("option", "said"),
    [("first_class", "first class"), ("firstClass", "first class"), ("HIGH", "high"), ("XL", "XL"), ("4k", "4k")],
)
def test_options_are_said_as_words(option: str, said: str) -> None:
    assert plain_option(option) == said


def test_ranges_of_a_schema_are_kept() -> None:
    for seed in range(40):
        said = Pool(random.Random(seed)).value("int:2:120", {"type": "integer", "minimum": 200, "maximum": 210})
        assert 200 <= said.value <= 210
        listed = Pool(random.Random(seed)).value("[grocery]", {"type": "array", "minItems": 3, "maxItems": 3})
        assert len(listed.value) == 3
