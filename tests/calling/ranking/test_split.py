"""What hypotheses on several calls are made of: prices of candidates, values for all calls, parts of the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.split import CONSIDERED, assigned, considered, for_all, said

PRICES = st.lists(st.tuples(st.integers(0, 8), st.one_of(st.none(), st.sampled_from([0.0, 2.5]))), max_size=60)


def test_a_stretch_is_said_with_what_stands_behind_it() -> None:
    reading = Reading("  Ann, then Bob! ")
    assert said(reading, 0, 1) == "Ann,"
    assert said(reading, 1, 3) == "then Bob!" and said(reading, 0, 3) == "Ann, then Bob!"
    assert said(Reading(""), 0, 0) == ""


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("Ann and Bob, all measured in metres", "metres", True),
        ("both of them in metres", "metres", True),
        ("each in metres", "metres", True),
        ("all one two three four five six metres", "metres", False),
        ("metres for all of them", "metres", False),
        ("in metres", "metres", False),
    ],
)
def test_words_before_a_value_say_that_it_goes_for_all(text: str, word: str, expected: bool) -> None:
    reading = Reading(text)
    (place,) = [i for i, w in enumerate(reading.words) if w.text == word]
    assert for_all(reading, Candidate(word, "span", place, place)) is expected


def test_what_stands_nowhere_goes_for_all_by_no_word() -> None:
    assert not for_all(Reading("all of them"), Candidate(1, "default"))


def test_parameters_without_candidates_are_left_out() -> None:
    one, other = (Parameter((name,), {"type": "number"}, True, i) for i, name in enumerate(("a", "b")))
    four = Candidate(4, "number", 0, 0)
    assert assigned({one: [(four, -0.5)], other: []}) == ({one: four}, -0.5)
    assert assigned({one: []}) == ({}, 0.0) == assigned({})


@given(PRICES)
def test_the_best_are_those_of_a_full_search(priced: list[tuple[int, float | None]]) -> None:
    """Looking no further than is needed finds the same nats as looking at all."""
    priced.sort(key=lambda pair: pair[0])
    own = {Candidate(i, "span", i, i): price for i, (_, price) in enumerate(priced)}
    costs = [(candidate, float(cost)) for candidate, (cost, _) in zip(own, priced, strict=True)]
    looked: list[Candidate] = []

    def price(candidate: Candidate) -> float | None:
        looked.append(candidate)
        return own[candidate]

    found = considered(costs, 2.5, price)
    whole = sorted(-cost - own[c] for c, cost in costs if own[c] is not None)[::-1]  # type: ignore[operator]
    assert [nats for _, nats in found] == whole[:CONSIDERED]
    assert len(looked) == len(set(looked))
    assert all(nats == -dict(costs)[c] - own[c] for c, nats in found)  # type: ignore[operator]


def test_what_is_far_behind_is_not_looked_at() -> None:
    costs = [(Candidate(i, "span", i, i), float(i)) for i in range(600)]
    looked = []
    considered(costs, 2.5, lambda candidate: looked.append(candidate) or 0.0)  # type: ignore[func-returns-value]
    assert len(looked) <= CONSIDERED + 3
