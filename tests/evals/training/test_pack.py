"""Packing: what is computed for a text in a pack is what would be computed for it alone. No tensors needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.evals.training.lesson import Lesson, Piece
from linnet.evals.training.pack import Pack, Told, pack, packs
from linnet.evals.training.tokens import Spelled

LESSON = Lesson("call", ((),), (Piece("x"),))


def told(*texts: tuple[list[int], int]) -> Told:
    """`(ids, tokens of the answer)` of each."""
    spelled = (Spelled(tuple(ids), tuple(range(len(ids) - n, len(ids))), (True,) * n) for ids, n in texts)
    return Told(LESSON, tuple(spelled))


def seen(pack: Pack, place: int) -> list[int]:
    """The ids that a token attends to, by the rule that the mask is made of."""
    return [pack.ids[at] for at in range(place + 1) if place < pack.ends[at]]


texts = st.lists(st.integers(0, 3), min_size=2, max_size=8).flatmap(
    lambda ids: st.tuples(st.just(ids), st.integers(1, len(ids) - 1))
)


@given(st.lists(texts, min_size=1, max_size=8))
def test_every_answer_token_is_judged_behind_exactly_what_stands_before_it(rows: list[tuple[list[int], int]]) -> None:
    made = pack(told(row) for row in rows)
    judged = iter(zip(made.judged, made.targets, made.owners, strict=True))
    for owner, (ids, n) in enumerate(rows):
        for at in range(len(ids) - n, len(ids)):
            place, target, whose = next(judged)
            assert (seen(made, place), target, whose) == (ids[:at], ids[at], owner)
            assert made.depths[place] == at - 1
    assert next(judged, None) is None
    assert made.spelled == sum(len(ids) for ids, _ in rows)


def test_a_shared_beginning_is_there_once() -> None:
    made = pack([told(([1, 2, 3, 4], 1), ([1, 2, 3, 5], 1)), told(([1, 2, 9, 9], 2))])
    assert made.ids == (1, 2, 3, 9) and made.ends == (4, 4, 3, 4)
    assert made.spelled == 12 and made.lessons[0][1] == (0, 1)


def test_groups_stay_together_and_packs_keep_their_size() -> None:
    groups = [[told(([n, 1, 2, 3], 1))] for n in range(10, 16)]
    made = list(packs(groups, 9))
    assert [count for _, count in made] == [2, 2, 2] and all(len(p.ids) <= 9 for p, _ in made)
    assert [count for _, count in packs(groups, 1)] == [1] * 6, "one that is too long is a pack by itself"
    assert list(packs([], 9)) == [] == list(packs([[], []], 9))
    assert [count for _, count in packs([[], *groups[:1], []], 9)] == [3], "what leads to no lesson is used up too"
