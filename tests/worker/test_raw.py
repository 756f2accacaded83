"""The plain loops in this very process: what they compute, and what they refuse to compute."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.errors import ContextOverflow, RequestError
from linnet.protocol import Loop
from linnet.worker.batch import LARGEST
from linnet.worker.raw import Loops


class Watched:
    """The real model, with an account of the batches that it was given."""

    def __init__(self, llama: Any) -> None:
        self._llama = llama
        self.batches: list[list[Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llama, name)

    def decode(self, entries: Any) -> None:
        self.batches.append(list(entries))
        self._llama.decode(entries)


@pytest.fixture
def watched(llama: Any) -> Any:
    yield Watched(llama)
    for sequence in range(4):
        llama.cut(sequence)


def shapes(watched: Watched) -> list[int]:
    return [len(batch) for batch in watched.batches]


def test_a_prompt_is_fed_in_steps_and_the_answer_token_by_token(watched: Watched) -> None:
    looped = Loops(watched, 4).go(Loop(3, prompt=20, generate=3, step=8))  # type: ignore[arg-type]
    assert shapes(watched) == [8, 8, 4, 1, 1, 1]
    assert [e.position for batch in watched.batches for e in batch] == list(range(23))
    assert looped.id == 3 and looped.prefill > 0 and looped.decode > 0 and looped.run == 0


def test_streams_are_apart_and_decode_together(watched: Watched) -> None:
    Loops(watched, 4).go(Loop(1, prompt=5, generate=2, streams=3))  # type: ignore[arg-type]
    assert shapes(watched) == [5, 5, 5, 3, 3]
    assert {e.sequence for batch in watched.batches[:3] for e in batch} == {0, 1, 2}
    assert [e.sequence for e in watched.batches[-1]] == [0, 1, 2]
    prompts = [tuple(e.token for e in batch) for batch in watched.batches[:3]]
    assert len(set(prompts)) == 3


def test_a_run_is_one_batch_of_all_streams_behind_the_prompt(watched: Watched) -> None:
    looped = Loops(watched, 4).go(Loop(1, prompt=5, run=4, generate=1, streams=2))  # type: ignore[arg-type]
    assert shapes(watched) == [5, 5, 8, 2]
    assert [e.position for e in watched.batches[2]] == [5, 6, 7, 8, 5, 6, 7, 8]
    assert [e.logits for e in watched.batches[2]] == [False, False, False, True] * 2
    assert looped.run > 0 and looped.decode > 0


def test_decoding_is_greedy_over_what_was_computed(watched: Watched, llama: Any) -> None:
    Loops(watched, 1).go(Loop(1, prompt=12, generate=4))  # type: ignore[arg-type]
    *fed, last = [e.token for batch in watched.batches for e in batch]
    llama.cut(0)
    llama.decode([*watched.batches[0], *(e for batch in watched.batches[1:-1] for e in batch)])
    assert last == int(llama.logits(len(fed) - 1).argmax())


def test_each_loop_begins_anew(watched: Watched) -> None:
    loops = Loops(watched, 4)  # type: ignore[arg-type]
    loops.go(Loop(1, prompt=6, generate=3, streams=2))
    first, watched.batches = watched.batches, []
    loops.go(Loop(2, prompt=6, generate=3, streams=2))
    assert watched.batches == first


def test_the_context_is_the_bound_of_a_loop(watched: Watched) -> None:
    loops = Loops(watched, 4)  # type: ignore[arg-type]
    loops.go(Loop(1, prompt=watched.context - 2, generate=2, step=256))
    with pytest.raises(ContextOverflow):
        loops.go(Loop(1, prompt=watched.context - 1, generate=2))
    with pytest.raises(ContextOverflow):
        loops.go(Loop(1, prompt=watched.context // 2, run=1, streams=2))


def test_what_no_batch_holds_is_refused(watched: Watched) -> None:
    loops = Loops(watched, 2)  # type: ignore[arg-type]
    for wrong in (
        Loop(1, prompt=1, step=LARGEST + 1),
        Loop(1, prompt=1, streams=3),
    ):
        with pytest.raises(RequestError):
            loops.go(wrong)
    assert watched.batches == []
