"""Many short strings in one piece of memory behave like a list of them."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.models.texts import Texts


def packed(raws: list[bytes]) -> Texts:
    ends = array("I")
    for raw in raws:
        ends.append((ends[-1] if ends else 0) + len(raw))
    return Texts(b"".join(raws), ends)


@given(st.lists(st.text(max_size=5)))
def test_they_are_the_strings_that_went_in(strings: list[str]) -> None:
    texts = packed([string.encode() for string in strings])
    assert list(texts) == strings and texts == strings and len(texts) == len(strings)
    assert [texts[i] for i in range(len(strings))] == strings
    assert texts[1:3] == strings[1:3] and [raw.decode() for raw in texts.raws()] == strings
    assert texts == packed([string.encode() for string in strings]) and (not strings or texts[-1] == strings[-1])


def test_an_index_outside_is_an_error() -> None:
    with pytest.raises(IndexError):
        packed([b"a"])[1]
    assert list(Texts()) == [] and Texts() != packed([b""])


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert list(packed([b"a\xff", b"b"])) == ["a\ufffd", "b"]
