"""Bodies: looked at before they are parsed, and what is wrong is named with its place."""

from __future__ import annotations

import json
import time

import hypothesis
import pytest
from hypothesis import strategies as st

from linnet.errors import LinnetError, QueueFull, RequestError
from linnet.interfaces.http.body import Bodies, check_bounds, parsed, passed_over
from linnet.interfaces.http.openai_shapes import ChatRequest
from linnet.limits import LIMITS

DEPTH = LIMITS.json_depth


def chat(**more: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "Hi"}], **more}).encode()


def test_the_limit_of_nesting_holds_and_one_past_it_does_not() -> None:
    check_bounds(b"[" * DEPTH + b"]" * DEPTH)
    with pytest.raises(RequestError, match="64 levels"):
        check_bounds(b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1))
    with pytest.raises(RequestError):
        check_bounds(b'{"a":' * (DEPTH + 1))


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b"null", b'"a, b"', b"-1.5e3"])
def test_the_limit_of_values_holds_and_one_past_it_does_not(value: bytes) -> None:
    most = LIMITS.json_values
    check_bounds(b"[" + b", ".join([value] * (most - 1)) + b"]")
    with pytest.raises(RequestError, match="more than 200,000 values"):
        check_bounds(b"[" + b", ".join([value] * most) + b"]")


def test_names_of_fields_count() -> None:
    check_bounds(json.dumps({str(n): n for n in range(99_999)}).encode())
    with pytest.raises(RequestError, match="values"):
        check_bounds(json.dumps({str(n): n for n in range(100_000)}).encode())


def test_brackets_in_strings_are_no_levels() -> None:
    check_bounds(json.dumps({"a": "[" * 1000, '"[{': '\\"[[[' * 100}).encode())


@hypothesis.given(
    st.recursive(st.text(), lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(), part, max_size=2))
)
def test_depth_is_that_of_the_value(value: object) -> None:
    def depth(part: object) -> int:
        parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if parts is None else 1 + max(map(depth, parts), default=0)

    wrapped: object = value
    for _ in range(DEPTH - depth(value)):
        wrapped = [wrapped]
    check_bounds(json.dumps(wrapped).encode())
    with pytest.raises(RequestError):
        check_bounds(
            json.dumps([wrapped] if depth(wrapped) == DEPTH else wrapped).encode() if depth(wrapped) else b"[" * 65
        )


WRONG = [
    *(b"", b"{", b"\xff", b"NaN", b"[]", b'"text"', b"null", b"1" * 5000, b'{"messages": []}', b'{"messages": {}}'),
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    *(
        chat(n=0),
        chat(n=9),
        chat(n="2"),
        chat(temperature=-1),
        chat(temperature=5.1),
        chat(top_p=0),
        chat(max_tokens=0),
    ),
    *(chat(stop=["a"] * 17), chat(model=7), chat(stream="yes"), chat(tools=[{}])),
    *(chat(messages=[{"role": "robot", "content": "x"}]), chat(response_format={"type": "xml"})),
]


@pytest.mark.parametrize("body", WRONG)
def test_what_has_the_wrong_shape_is_told(body: bytes) -> None:
    with pytest.raises(LinnetError) as caught:
        parsed(body, ChatRequest).asked()
    assert len(caught.value.message) < 1_100


def test_the_place_is_named() -> None:
    body = chat(messages=[{"role": "user", "content": "x"}, {"role": "user", "content": 7}])
    with pytest.raises(RequestError, match=r"messages\[1\]\.content"):
        parsed(body, ChatRequest)


def test_bombs_take_no_time() -> None:
    started = time.monotonic()
    unended = (b'"' + b"\\" * (8 << 20), b'"' + b'\\"' * (4 << 20))
    for bomb in (b"[" * (8 << 20), b'{"a":' * (1 << 20), b"[" + b"[]," * (2 << 20), b"]" * (8 << 20), *unended):
        with pytest.raises(RequestError):
            parsed(bomb, ChatRequest)
    assert time.monotonic() - started < 60


def test_all_bodies_together_are_bounded() -> None:
    bodies, one, two = Bodies(most=100), {"type": "http"}, {"type": "http"}
    bodies.take(one, 60)
    bodies.take(two, 40)
    with pytest.raises(QueueFull):
        bodies.take(two, 1)
    bodies.give(one)
    bodies.give(one)
    bodies.take(two, 60)
    bodies.give(two)
    assert bodies.held == 0


def test_unknown_fields_are_told_of() -> None:
    told = passed_over(parsed(chat(frobnicate=1, **{"x" * 200: 2}), ChatRequest))
    assert len(told) == 2 and "frobnicate" in told[0] and all(len(line) < 120 for line in told)


def test_of_unknown_fields_only_the_names_are_kept() -> None:
    asked = parsed(chat(frobnicate=[[]] * 1_000), ChatRequest)
    assert asked.model_extra == {"frobnicate": None}
