"""Random requests, every KV cell counted along: `engine_shadow` says what is checked after each step."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from linnet.protocol import Submit
from linnet.requests import Generate, Pattern, Segment
from linnet.worker.boundaries import Boundaries
from linnet.worker.cells import Cells
from linnet.worker.engine import Engine
from linnet.worker.generate import Generation
from linnet.worker.llama import Entry
from linnet.worker.prefix import PrefixTree

sys.path.append(str(Path(__file__).parent))

from engine_shadow import SEQUENCES, Shadow, Totals, check, load, recompute, run

WHOLE, ADAPTED, WINDOW = ("llama", 0), ("llama", 2), ("gemma3", 2)
STATES = ("lfm2", 0), ("qwen35", 0), ("mamba2", 0)


@pytest.fixture(scope="module")
def model() -> Callable[..., Shadow]:
    return cache(load)


def some(llama: Shadow, seeds: range, **fields: Any) -> Totals:
    return sum((run(seed, llama, **fields) for seed in seeds), Totals())


@pytest.mark.parametrize("room", [8, 16])
def test_cells_that_are_shared_and_guessed_into_are_exact(model: Any, room: int) -> None:
    told = some(model(*WHOLE), range(room, room + 6), room=room)
    assert min(told.ended, told.paused, told.resumed, told.cached, told.returned, told.guessed) > 0


def test_adapters_share_no_cell(model: Any) -> None:
    told = some(model(*ADAPTED), range(5))
    assert min(told.ended, told.paused, told.resumed, told.cached, told.returned, told.guessed) > 0


@pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind[0])
def test_states_are_shared_whole_and_never_guessed_into(model: Any, kind: tuple[str, int]) -> None:
    llama = model(*kind)
    assert not llama.can_cut
    told = some(llama, range(4), room=8)
    assert min(told.ended, told.paused, told.resumed, told.cached) > 0
    assert told.guessed == 0


def test_a_window_is_shared_whole_and_guessed_into(model: Any) -> None:
    llama = model(*WINDOW)
    assert not llama.can_cut
    told = some(llama, range(4), room=8)
    assert min(told.ended, told.paused, told.resumed, told.cached, told.guessed) > 0


def test_a_window_wider_than_the_context_is_none(model: Any) -> None:
    wide, narrow = (model("gemma3", 0, 256, window) for window in (257, 256))
    assert wide.can_cut and not narrow.can_cut
    assert some(wide, range(2)).cached > 0


def test_sharing_parts_of_a_window_would_lose_cells(model: Any, monkeypatch: Any) -> None:
    """Why a sliding window is no ordinary model, though its cache has room for the whole past of all sequences."""
    llama = model(*WINDOW)
    monkeypatch.setitem(llama.__dict__, "can_cut", True)
    with pytest.raises(AssertionError, match=r"positions and should have|from those computed alone"):
        some(llama, range(4), room=8)


def test_one_by_one_and_nobody_leaves(model: Any) -> None:
    told = run(1, model(*WHOLE), requests=8, cancelled=0.0, compare=True)
    assert told.ended == 8


# --- that a fault would be seen ------------------------------------------------------------------


FAULTS = {
    "a kept prefix that nobody is said to stand on": (
        PrefixTree,
        "take",
        "requests are said to stand|are put back behind",
    ),
    "a guess that did not hold and stays": (Generation, "_forget", "more cells than tokens|is at"),
    "sequences that are not given back": (Cells, "drop", "lost or lent twice|in use"),
    "a state of other tokens": (Boundaries, "_walk", "other tokens than its own|of a state with"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(model: Any, monkeypatch: Any, fault: str) -> None:
    kind, name, told = FAULTS[fault]
    real = getattr(kind, name)

    def unpinned(tree: Any, *given: Any) -> Any:
        prefix = real(tree, *given)
        if prefix:
            tree.release(prefix)
        return prefix

    def kept(generation: Any) -> None:
        del generation._draft[1:]
        position = generation.lane.position
        real(generation)
        generation.lane.position = position

    def lost(cells: Any, *sequences: int) -> None:
        real(cells, *sequences[1:])

    def any_state(states: Any, key: Any, tokens: Any) -> Any:
        return next(
            ((node, node.depth, len(node.tokens)) for node in states._nodes() if 0 < node.depth < len(tokens)),
            real(states, key, tokens),
        )

    faults = {"take": unpinned, "_forget": kept, "drop": lost, "_walk": any_state}
    monkeypatch.setattr(kind, name, faults[name])
    with pytest.raises(AssertionError, match=told):
        some(model(*(STATES[0] if name == "_walk" else WHOLE)), range(4))


def test_logits_of_other_tokens_are_told_apart(model: Any) -> None:
    for kind in (WHOLE, WINDOW, *STATES):
        llama = model(*kind)
        llama.reset()
        tokens = [*range(100, 140)]
        for position in range(0, 40, 8):
            llama.decode([Entry(tokens[position + i], position + i, 0, True) for i in range(8)])
        recompute(llama, random.Random(0))
        adapter, seen, logits = llama.seen[-1]
        llama.seen = [(adapter, [*seen[:20], 150, *seen[21:]], logits)]
        with pytest.raises(AssertionError, match="from those computed alone"):
            recompute(llama, random.Random(0))


def test_the_book_refuses_what_the_memory_would_take(model: Any) -> None:
    llama = model(*WHOLE)
    llama.reset()
    llama.decode([Entry(10, 0, 0, False), Entry(11, 1, 0, True), Entry(10, 0, 1, False), Entry(12, 1, 1, True)])
    assert llama.used == 4
    llama.share(0, 1, 1)
    assert (llama.used, llama.length(1), llama.tokens(1)) == (3, 2, [10, 12])
    for wrong in (
        lambda: llama.copy(0, 1, 1),
        lambda: llama.copy(0, 2, 3),
        lambda: llama.cut(0, 3),
        lambda: llama.share(0, 1, 2),
        lambda: llama.decode([Entry(10, 3, 0, True)]),
    ):
        with pytest.raises(AssertionError):
            wrong()
    llama.reset()
    assert llama.used == llama.length(0) == 0


def test_an_engine_between_two_steps_is_checked_against_the_memory(model: Any) -> None:
    llama = model(*WHOLE)
    llama.reset()
    engine = Engine(llama, SEQUENCES)
    engine.submit(Submit(1, Generate((Segment("the bird", True),), constraint=Pattern("[a-z]{9}"))))
    engine.step()
    check(engine, llama)
    llama._c.llama_memory_seq_rm(llama._memory, engine._running[1].sequences[0], 3, -1)
    with pytest.raises(AssertionError, match="has 3 positions"):
        check(engine, llama)
