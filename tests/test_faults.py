"""The first fault of what was read: where it is, and nothing of where nothing is meant in particular."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from linnet.faults import first_fault
from linnet.messages import ToolSpec

_SPECS = TypeAdapter(list[ToolSpec])


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ([{"name": "a"}, {"description": "b"}], "1.name: Field required"),
        ([{"name": "a", "description": 1}], "0.description: Input should be a valid string"),
        ([{}, 3], "0.name: Field required"),
        (3, "Input should be a valid list"),
    ],
)
def test_the_first_fault_is_told_with_its_place(read: Any, told: str) -> None:
    with pytest.raises(ValidationError) as raised:
        _SPECS.validate_python(read)
    assert first_fault(raised.value) == told


def test_what_is_no_json_has_no_place() -> None:
    with pytest.raises(ValidationError) as raised:
        _SPECS.validate_json("[")
    assert first_fault(raised.value).startswith("Invalid JSON")
