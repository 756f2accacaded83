"""Whole states at boundaries: which are kept, and that who goes on from one says what it would have said without."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from linnet.protocol import Emitted
from linnet.requests import Done, Generate, Score, Segment
from linnet.worker.batch import Lane, plan
from linnet.worker.boundaries import LEAST, Boundaries
from linnet.worker.prefix import Prefix
from linnet.worker.tokenise import tokenise

sys.path.append(str(Path(__file__).parent))

from engine_shadow import Shadow, check, load
from engine_shop import Shop, kept

NONE = (-1, 0)


# --- policy --------------------------------------------------------------------------------------


def states(*kept: list[int], stable: bool = False) -> Boundaries:
    """Sequences 0, 1, ... with these tokens, each computed from nothing."""
    made = Boundaries()
    for sequence, tokens in enumerate(kept):
        made.keep("", sequence, tokens, stable=stable)
    return made


def test_a_state_is_taken_whole_or_not_at_all() -> None:
    made = states([1, 2, 3, 4], [1, 2])
    assert made.longest("", [1, 2, 3, 9]) == 2 and made.longest("", [1, 9]) == 0
    taken = made.take("", [1, 2, 3, 4, 5])
    assert taken and (taken.sequence, taken.length) == (0, 4)
    assert made.longest("anna", [1, 2, 3, 4]) == 0


def test_what_was_computed_twice_counts_twice() -> None:
    made = states([1, 2, 3], [1, 2, 4])
    assert (made.cells, made.leaves) == (6, 2)
    assert made.keep("", 2, [1, 2, 3]) == ([2], NONE), "the same is there already"
    assert made.keep("", 3, []) == ([3], NONE)
    assert (made.cells, made.leaves) == (6, 2)


def test_a_state_counts_what_it_adds_to_the_one_it_started_from() -> None:
    made = states([1, 2], stable=True)
    on = made.take("", [1, 2, 3])
    assert on and made.keep("", 1, [1, 2, 3, 4], on) == ([], NONE)
    assert (made.cells, made.leaves, made.pinned) == (4, 2, 2)
    further = made.take("", [1, 2, 3, 4, 5])
    assert further and (further.sequence, further.length, made.pinned) == (1, 4, 4)


def test_an_end_gives_way_to_the_one_that_went_on_from_it() -> None:
    made = states([1, 2])
    on = made.take("", [1, 2])
    assert on
    made.release(on)
    assert made.keep("", 1, [1, 2, 3], on) == ([0], NONE)
    assert (made.cells, made.leaves) == (3, 1)


@pytest.mark.parametrize("why", ["it is stable", "another stands on it", "another has gone on from it"])
def test_a_state_that_is_still_of_use_stays(why: str) -> None:
    made = states([1, 2], stable=why == "it is stable")
    on = made.take("", [1, 2])
    assert on
    if why == "another has gone on from it":
        made.keep("", 1, [1, 2, 9], on)
    if why != "another stands on it":
        made.release(on)
    assert made.keep("", 2, [1, 2, 3], on) == ([], NONE)
    assert made.longest("", [1, 2, 8]) == 2


def test_the_end_that_was_used_longest_ago_goes_first_and_the_beginning_last() -> None:
    made = states([1, 2], stable=True)
    on = made.take("", [1, 2])
    assert on
    made.keep("", 1, [1, 2, 3], on)
    made.keep("", 2, [1, 2, 4], on)
    assert made.evict() == (1, 0) and made.evict() == (2, 0) and made.evict() is None, "somebody stands on it"
    made.release(on)
    assert made.evict() == (0, 0) and made.evict() is None and made.cells == 0
    assert not made._roots


class Memory(RuleBasedStateMachine):
    """Against sequences with numbered cells, as a cache has them."""

    def __init__(self) -> None:
        super().__init__()
        self.made, self.next = Boundaries(), 0
        self.held: dict[int, tuple[str, list[tuple[int, int]]]] = {}
        self.taken: list[tuple[Prefix, int]] = []

    @rule(key=st.sampled_from("ab"), tokens=st.lists(st.integers(0, 1), max_size=6), stable=st.booleans())
    def request(self, key: str, tokens: list[int], stable: bool) -> None:
        whole = {tuple(t for t, _ in cells): sequence for sequence, (k, cells) in self.held.items() if k == key}
        best = max((len(other) for other in whole if tuple(tokens[: len(other)]) == other), default=0)
        on = self.made.take(key, tokens)
        assert (on.length if on else 0) == best == self.made.longest(key, tokens)
        cells = self.held[on.sequence][1] if on else []
        assert [token for token, _ in cells] == tokens[:best]
        if on:
            self.made.release(on)
        sequence, self.next = self.next, self.next + 1
        cells = cells + [(token, 100 * sequence + i) for i, token in enumerate(tokens[best:])]
        gone, _ = self.made.keep(key, sequence, tokens, on, stable=stable)
        self.held[sequence] = (key, cells)
        for other in gone:
            assert other == sequence or other not in {one.sequence for one, _ in self.taken}
            del self.held[other]

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def stand(self, which: int) -> None:
        key, cells = [*self.held.values()][which % len(self.held)]
        taken = self.made.take(key, [token for token, _ in cells])
        assert taken
        self.taken.append((taken, taken.sequence))

    @precondition(lambda self: self.taken)
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        self.made.release(self.taken.pop(which % len(self.taken))[0])

    @rule()
    def evict(self) -> None:
        given = self.made.evict()
        stood_on = {sequence for _, sequence in self.taken}
        if given is None:
            assert len(self.taken) or not self.held
            return
        assert given[1] == 0 and given[0] not in stood_on
        del self.held[given[0]]

    @invariant()
    def it_counts_what_is_held(self) -> None:
        cells = {(key, number) for key, held in self.held.values() for _, number in held}
        assert self.made.cells == len(cells) and self.made.leaves == len(self.held)
        under = {(self.held[at][0], number) for _, at in self.taken for _, number in self.held[at][1]}
        assert self.made.pinned == len(under)


TestMemory = Memory.TestCase


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 60), st.integers(0, 60))
def test_a_step_never_passes_by_where_a_lane_is_to_stop(pending: int, budget: int, position: int, stop: int) -> None:
    lane = Lane(0, position, [1] * pending, stop=stop)
    ((_, count),) = plan([lane], budget)
    assert 0 < count <= min(pending, budget)
    assert not position < stop < position + count
    if stop <= position:
        assert count == min(pending, budget)


# --- the engine, on small models -----------------------------------------------------------------

KINDS = ("lfm2", "qwen35", "mamba2", "gemma3")
RULES = "you are a polite assistant in a small shop that sells apples pears and plums "
QUESTION = "what do you sell on mondays and to whom "


@pytest.fixture(scope="module")
def models() -> Callable[[str], Shadow]:
    return cache(lambda architecture: load(architecture, context=1024))


@pytest.fixture(params=KINDS)
def llama(request: Any, models: Any) -> Shadow:
    model: Shadow = models(request.param)
    model.reset()
    return model


@pytest.fixture
def scratch() -> Iterator[int]:
    fd = os.memfd_create("scratch")
    os.ftruncate(fd, 4 << 20)
    yield fd
    os.close(fd)


def ask(question: str = QUESTION, **fields: Any) -> Generate:
    prompt = (Segment(RULES, True), Segment(question, False))
    return Generate(prompt, **{"max_tokens": 12, "stable": 1, **fields})


def rules_of(llama: Shadow) -> int:
    """Tokens that all of these prompts begin with."""
    return len(tokenise((Segment(RULES, True),), llama.vocabulary, llama.tokenise))


def same(done: Done, other: Done) -> bool:
    return (done.text, done.finish, done.captures) == (other.text, other.finish, other.captures)


def test_the_rules_are_computed_once(llama: Shadow) -> None:
    alone = {question: Shop(llama).one(ask(question)) for question in ("hello ", QUESTION)}
    shop = Shop(llama)
    assert shop.one(ask("who are you ")).usage.cached_tokens == 0
    for question, without in alone.items():
        done = shop.one(ask(question))
        check(shop.engine, llama)
        assert done.usage.cached_tokens == rules_of(llama) and same(done, without)


def test_an_owner_has_states_of_its_own(llama: Shadow) -> None:
    shop = Shop(llama)
    shop.one(ask(owner="ann"))
    assert shop.one(ask()).usage.cached_tokens == shop.one(ask(owner="bert")).usage.cached_tokens == 0
    assert shop.one(ask("hello ", owner="ann")).usage.cached_tokens == rules_of(llama)


def test_a_conversation_goes_on_where_it_was(llama: Shadow) -> None:
    shop = Shop(llama)
    before, text = 0, RULES
    for question in ("hello ", "why ", QUESTION, "how much "):
        text += question
        score = Score((Segment(text, True),), ("it is", "no"))
        done = shop.one(score)
        assert done.usage.cached_tokens == before
        before = len(tokenise(score.prompt, llama.vocabulary, llama.tokenise))
        assert shop.engine._cells.tree.leaves == 1, "an end gives way to the next"
    alone = Shop(llama).one(score).scores
    assert max(abs(a - b) for (a, _), (b, _) in zip(alone, done.scores, strict=True)) < 0.05


def test_what_is_kept_of_an_answer_is_all_that_was_computed(llama: Shadow) -> None:
    shop = Shop(llama)
    done = shop.one(ask())
    said = [t for record in shop.told if isinstance(record, Emitted) for t in record.tokens]
    whole = [*tokenise(ask().prompt, llama.vocabulary, llama.tokenise), *said]
    assert done.finish == "length" and shop.engine._cells.tree.longest(("", ""), whole) == len(whole) - 1


def test_the_same_prompt_again_computes_its_last_token(llama: Shadow) -> None:
    """The logits behind it are wanted, and a state cannot go back."""
    score = Score((Segment(RULES, True),), ("apples", "a dog"), stable=1)
    shop = Shop(llama)
    first, again = shop.one(score), shop.one(score)
    assert again.usage.cached_tokens == rules_of(llama) - 1
    for (nats, count), (other, number) in zip(first.scores, again.scores, strict=True):
        assert count == number and abs(nats - other) < 0.05


def test_branches_start_from_the_state_of_the_prompt(llama: Shadow) -> None:
    texts = tuple(f"{word} it is" for word in ("apples", "a dog", "pears", "nothing at all", "x"))
    score = Score((Segment(RULES, True), Segment(QUESTION, True)), texts, stable=1)
    alone = Shop(llama).one(score).scores
    shop = Shop(llama)
    shop.one(ask("hello "))
    done = shop.one(score)
    assert done.usage.cached_tokens == rules_of(llama)
    assert max(abs(a - b) for (a, _), (b, _) in zip(alone, done.scores, strict=True)) < 0.05
    assert shop.one(replace(score, continuations=("one", "two"))).usage.cached_tokens == rules_of(llama)


def test_two_that_compute_the_same_rules_keep_them_once(llama: Shadow) -> None:
    shop = Shop(llama)
    for question in ("hello ", QUESTION):
        shop.submit(ask(question, max_tokens=30))
    while not all(job.lane.position > rules_of(llama) for job in after_a_step(shop)):
        check(shop.engine, llama)
    states = [one.prefix for one in shop.engine._running.values()]
    assert states[0] and states[1] and states[0].node is states[1].node
    shop.run()
    check(shop.engine, llama)


def after_a_step(shop: Shop) -> list[Any]:
    """Jobs that run then."""
    shop.told += shop.engine.step()
    return [one.job for one in shop.engine._running.values()]


def test_rules_that_are_short_are_not_worth_a_stop(llama: Shadow) -> None:
    shop = Shop(llama)
    short = Segment("a" * (LEAST - 3), True)
    shop.submit(Generate((short, Segment(QUESTION, True)), max_tokens=2, stable=1))
    assert [job.lane.stop for job in after_a_step(shop)] == [0]
    shop.run()


def test_a_cancelled_prompt_leaves_its_boundary_and_nothing_else(llama: Shadow) -> None:
    shop = Shop(llama)
    shop.submit(ask(QUESTION * 3))
    while after_a_step(shop)[0].lane.position < rules_of(llama):
        pass
    shop.engine.cancel(1)
    check(shop.engine, llama)
    assert shop.engine._cells.tree.leaves == 1 and shop.engine._cells.tree.cells == rules_of(llama)
    assert shop.one(ask("hello ")).usage.cached_tokens == rules_of(llama)


def test_many_states_are_bounded(llama: Shadow) -> None:
    shop = Shop(llama)
    for i in range(24):
        shop.one(Generate((Segment(f"{i} q", True),), max_tokens=1))
        check(shop.engine, llama)
    assert shop.engine._cells.tree.leaves == 16


# --- on disk -------------------------------------------------------------------------------------


def test_a_boundary_outlives_the_worker(llama: Shadow, scratch: int) -> None:
    first = Shop(llama, scratch=scratch)
    done = first.one(ask())
    (saved,) = first.saved
    assert len(saved.tokens) == rules_of(llama)
    check(first.engine, llama)
    llama.reset()
    again = Shop(llama, kept=(kept(saved, scratch),))
    restored = again.one(ask())
    assert again.restored == [("k", True)] and restored.usage.cached_tokens == rules_of(llama)
    assert same(restored, done)
    again.one(ask("hello "))
    assert again.restored == [("k", True)], "now it is in memory"


@pytest.mark.parametrize("of", ["a byte", "a logit", "the tokens"])
def test_a_wrong_state_is_found(llama: Shadow, scratch: int, of: str) -> None:
    first = Shop(llama, scratch=scratch)
    done = first.one(ask())
    one = kept(first.saved[0], scratch)
    if of == "a byte":
        at = one.offset + one.size - 9
        os.pwrite(scratch, bytes([os.pread(scratch, 1, at)[0] ^ 16]), at)
    elif of == "a logit":
        one = replace(one, top=tuple((token, logit + 2.0) for token, logit in one.top))
    else:
        one = replace(one, tokens=(*one.tokens[:-1], 300))
    llama.reset()
    again = Shop(llama, kept=(one,))
    answer = again.one(ask())
    assert answer.usage.cached_tokens == 0 and same(answer, done)
    assert again.restored == ([] if of == "the tokens" else [("k", False)])


def test_a_state_that_finds_no_room_is_not_cut(llama: Shadow) -> None:
    fd = os.memfd_create("scratch")
    try:
        os.ftruncate(fd, 4096)
        shop = Shop(llama, scratch=fd)
        shop.one(ask())
        assert shop.saved == [] and not shop.engine.busy
    finally:
        os.close(fd)


def test_an_answer_is_resumed_from_a_boundary(llama: Shadow) -> None:
    shop = Shop(llama)
    whole = shop.one(ask())
    said = tuple(t for record in shop.told if isinstance(record, Emitted) for t in record.tokens)
    for cut in (1, 5, len(said) - 1):
        resumed = shop.one(ask(), emitted=said[:cut])
        assert same(resumed, whole) and resumed.usage.cached_tokens >= rules_of(llama)
