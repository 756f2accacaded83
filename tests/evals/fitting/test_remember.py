"""A Model that remembers: what is asked twice, what a stopped run leaves, who closes what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from linnet.errors import InputInvalid
from linnet.evals.fitting.remember import Remembering
from linnet.requests import (
    Capabilities,
    Done,
    Event,
    Generate,
    Piece,
    Request,
    Score,
    Segment,
    complete,
    complete_all,
)


class Counting:
    """Answers with the number of requests so far."""

    capabilities = Capabilities("counting", 10)

    def __init__(self) -> None:
        self.asked = 0
        self.closed = False

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked += 1
        done = Done(scores=((-0.1 - self.asked, 3),), captures={"value": "é"}, text=str(self.asked))
        return iter((Piece("x", (1,)), done))

    def close(self) -> None:
        self.closed = True


def score(text: str) -> Score:
    return Score((Segment(text, False),), (" a",))


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    first = Counting()
    with closing(Remembering(lambda: closing(first), tmp_path / "said.jsonl")) as model:
        a, b, _ = complete_all(model, [score(text) for text in "abc"])
        again = complete(model, score("a"))
    assert a == again != b and first.asked == 3 and first.closed
    with closing(Remembering(_never, tmp_path / "said.jsonl")) as model:
        assert [complete(model, score(text)) for text in "ab"] == [a, b]


def _never() -> closing[Counting]:
    raise AssertionError("the file knows all that is asked")


def test_requests_of_other_kinds_and_options_differ(tmp_path: Path) -> None:
    inner = Counting()
    prompt = (Segment("a", False),)
    with closing(Remembering(lambda: closing(inner))) as model:
        asked = [Generate(prompt), Generate(prompt, max_tokens=3), Score(prompt, (" b",)), Score(prompt, (" a",))]
        assert len({complete(model, request).text for request in asked}) == 4


def test_requests_are_submitted_at_once() -> None:
    inner = Counting()
    with closing(Remembering(lambda: closing(inner))) as model:
        model.stream(score("a"))
        assert inner.asked == 1 and model.capabilities.name == "counting"


def test_a_stopped_run_leaves_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    with closing(Remembering(lambda: closing(Counting()), path)) as model:
        kept = complete(model, score("a"))
        complete(model, score("b"))
    path.write_bytes(path.read_bytes()[:-9])
    inner = Counting()
    with closing(Remembering(lambda: closing(inner), path)) as model:
        assert complete(model, score("a")) == kept and inner.asked == 0
        again = complete(model, score("b"))
        assert inner.asked == 1
    with closing(Remembering(_never, path)) as model:
        assert complete(model, score("b")) == again


@pytest.mark.parametrize("name", ["", "no/said.jsonl"])
def test_a_file_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputInvalid, match="cannot be"):
        Remembering(_never, tmp_path / name)
