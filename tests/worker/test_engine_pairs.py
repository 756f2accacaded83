"""A forced token and a decoded one are rounded alike: what was forced together says what it would have said alone."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from linnet.protocol import Ended, Load, Submit
from linnet.requests import Done, Generate, Pattern, Schema, Segment
from linnet.worker import engine, generate
from linnet.worker.constrain import Guide
from linnet.worker.engine import Engine
from linnet.worker.llama import Entry, Llama

CONTEXT = 256
CALL = Schema(
    {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
)


@pytest.fixture(scope="module")
def llama(model_path: Path) -> Iterator[Llama]:
    with model_path.open("rb") as file:
        yield Llama(Load(model_fd=file.fileno(), context=CONTEXT), lambda fraction: None)


class Unforced(Guide):
    def forced(self, room: int) -> list[int]:
        return []


def answer(llama: Llama, request: Generate) -> tuple[Done, list[int]]:
    """The end of a request in an empty cache, and how many tokens each of its steps computed."""
    for sequence in range(64):
        llama.cut(sequence)
    one, steps, out = Engine(llama, 64), [], []
    compute = llama.decode

    def counted(entries: Any, tick: Any = None) -> None:
        steps.append(len(entries))
        compute(entries, tick)

    with patch.object(llama, "decode", counted), patch.object(engine, "GUESSES", {}):
        out += one.submit(Submit(1, request))
        while one.busy:
            out += one.step()
    (done,) = [record.done for record in out if isinstance(record, Ended)]
    return done, steps


def prompt(text: str) -> tuple[Segment, ...]:
    return (Segment(text, False),)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="measured on x86-64 only")
def test_the_engine_rounds_all_steps_of_two_tokens_and_more_alike(llama: Llama) -> None:
    tokens = llama.tokenise("The tools of the trade are a hammer, a saw, and a list of names in JSON. " * 3)[:40]
    rows = {}
    for size in (2, 3, 8, 40):
        llama.cut(0)
        for start in range(0, 40, size):
            part = tokens[start : start + size]
            beside = [Entry(part[0], 0, 1, False)] if len(part) == 1 else []
            llama.decode([*(Entry(t, start + i, 0, i + 1 == len(part)) for i, t in enumerate(part)), *beside])
            llama.cut(1)
        rows[size] = llama.logits(len(part) - 1).copy()
    llama.cut(0)
    assert all(np.array_equal(rows[2], row) for row in rows.values())


@pytest.mark.parametrize("city", ["Oslo", "Paris", "Rome"])
def test_an_answer_is_the_same_with_and_without_forced_tokens(llama: Llama, city: str) -> None:
    request = Generate(prompt(f"Weather in {city} for 3 days, as JSON:\n"), constraint=CALL, max_tokens=48)
    forced, together = answer(llama, request)
    with patch.object(generate, "Guide", Unforced):
        unforced, alone = answer(llama, request)
    assert forced.text == unforced.text
    assert forced.usage.forced_tokens > 0 == unforced.usage.forced_tokens
    assert min(together) == min(alone) == 2, "no token is computed by itself"


def test_a_free_answer_is_decoded_token_by_token(llama: Llama) -> None:
    _, steps = answer(llama, Generate(prompt("Once upon a time"), max_tokens=4))
    assert steps[1:] == [1, 1, 1]


def test_the_last_token_of_a_full_context_is_computed_without_company(llama: Llama) -> None:
    start = prompt("word " * (CONTEXT - 8))
    done, steps = answer(llama, Generate(start, constraint=Pattern("[a-z ]*"), max_tokens=64))
    assert done.usage.prompt_tokens + done.usage.generated_tokens == CONTEXT
    assert done.finish == "length" and set(steps[-3:]) <= {1, 2} and max(steps) <= CONTEXT


def test_company_leaves_nothing_behind(llama: Llama) -> None:
    answer(llama, Generate(prompt("Say yes or no:"), constraint=Pattern("[a-z]{5}"), max_tokens=8))
    assert sum(llama.length(sequence) > 0 for sequence in range(64)) == 1, "the kept prefix, and no other"
