"""One value for each parameter: evidence is not given away twice, order counts, the search is bounded."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.ranking import assign as searched
from linnet.calling.ranking.assign import BEAM, IN_ORDER, SHARED, SIBLINGS, TOP, Ranked, assign, siblings
from linnet.calling.ranking.candidates import OMITTED, Candidate

NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def parameters(*names: str, schema: dict[str, str] | None = None) -> list[Parameter]:
    return [Parameter((name,), schema or NUMBER, True, index) for index, name in enumerate(names)]


def word(place: int, value: object = None, source: str = "span") -> Candidate:
    return Candidate(place if value is None else value, source, place, place)


def chosen(*ways: Ranked, names: Iterable[str] = ("one", "other", "third")) -> list[object]:
    found = assign(dict(zip(parameters(*names), ways, strict=False)))
    assert found is not None
    return [candidate.value for candidate in found.chosen]


def test_each_takes_its_best() -> None:
    assert chosen([(word(0), -0.1), (word(5), -2)], [(word(1), -0.2), (word(6), -1)]) == [0, 1]


def test_what_two_want_goes_to_the_one_that_it_fits_best() -> None:
    """Both like word 0 best; the second has another choice that is nearly as good."""
    assert chosen([(word(0), -0.1), (word(3), -3.5)], [(word(0), -0.2), (word(3), -0.4)]) == [0, 3]
    assert chosen([(word(3), -0.2), (word(0), -0.4)], [(word(3), -0.1), (word(0), -3.5)]) == [0, 3]


def test_a_part_of_a_span_is_shared_as_the_whole_is() -> None:
    span = Candidate("1 and 2", "span", 1, 3)
    assert chosen([(span, -0.1)], [(word(2), -0.1), (word(7), -0.5)]) == ["1 and 2", 7]


def test_evidence_is_given_twice_where_all_else_is_worse_by_more_than_that_costs() -> None:
    twice, once = -0.1, -0.1 - SHARED - 1
    assert chosen([(word(0), twice)], [(word(0), twice), (word(3), once)]) == [0, 0]


def test_what_covers_no_words_is_never_shared() -> None:
    default = Candidate(1, "default")
    assert chosen([(default, -0.1), (word(0), -1)], [(default, -0.1), (word(1), -1)]) == [1, 1]
    assert chosen([(Candidate(OMITTED, "omitted"), -0.1)], [(word(1), -0.1)]) == [OMITTED, 1]


def test_the_name_of_an_option_may_stand_inside_a_text() -> None:
    """`red wine`: the colour is an option that the request names, and the drink is a text around it."""
    colour, drink = Candidate("red", "named", 4, 4), Candidate("red wine", "span", 4, 5)
    assert chosen([(colour, -0.1), (word(9), -1)], [(drink, -0.1), (word(8), -1)]) == ["red", "red wine"]


def test_two_of_a_pair_are_taken_in_order() -> None:
    """All four choices are as likely, so that order alone decides."""
    way = [(word(0), -1.0), (word(4), -1.0)]
    assert chosen(way, way, names=("x", "y")) == [0, 4]
    assert chosen(way[::-1], way[::-1], names=("mass1_kg", "mass2_kg")) == [0, 4]


def test_order_counts_more_between_siblings() -> None:
    """The evidence is against the order, by less than siblings weigh and by more than others do."""
    against = (IN_ORDER + SIBLINGS) / 2
    first = [(word(4), -1.0), (word(0), -1.0 - against)]
    second = [(word(0), -1.0), (word(4), -1.0 - against)]
    assert chosen(first, second, names=("from_city", "to_city")) == [0, 4]
    assert chosen(first, second, names=("height", "radius")) == [4, 0]


def test_order_counts_between_parameters_of_one_type_only() -> None:
    way = [(word(4), -1.0), (word(0), -1.1)]
    number, text = Parameter(("x",), NUMBER, True, 0), Parameter(("y",), TEXT, True, 1)
    found = assign({number: way, text: [(word(0), -1.0)]})
    assert found and [candidate.value for candidate in found.chosen] == [4, 0]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("x", "y", True),
        ("mass1", "mass2", True),
        ("mass_1", "mass_2", True),
        ("start_city", "end_city", True),
        ("startCity", "endCity", True),
        ("start_city", "end_date", False),
        ("city", "country", False),
        ("city", "city", False),
        ("from_city", "city", False),
        ("", "", False),
    ],
)
def test_siblings_differ_in_one_word(one: str, other: str, alike: bool) -> None:
    left, right = parameters(one, other)
    assert siblings(left, right) is alike and siblings(right, left) is alike


def test_without_a_candidate_there_is_no_assignment() -> None:
    one, other = parameters("one", "other")
    assert assign({one: [(word(0), -0.1)], other: []}) is None
    empty = assign({})
    assert empty and empty.chosen == () and empty.score == 0


def test_the_result_is_in_the_order_of_what_was_asked() -> None:
    one, other = parameters("one", "other")
    found = assign({other: [(word(0, "b"), -0.1)], one: [(word(5, "a"), -9.0)]})
    assert found and [candidate.value for candidate in found.chosen] == ["b", "a"]


def test_the_score_is_what_speaks_for_it() -> None:
    ways = dict(zip(parameters("one", "other"), ([(word(0), -0.5)], [(word(1), -0.25)]), strict=True))
    found = assign(ways)
    assert found and found.score == pytest.approx(-0.75 + IN_ORDER)
    shared = assign(dict(zip(ways, ([(word(0), -0.5)], [(word(0), -0.25)]), strict=True)))
    assert shared and shared.score == pytest.approx(-0.75 - SHARED)


def test_the_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 parameters with 600 candidates each: what is looked at grows with their number, not with its power."""
    looked = 0
    honest = searched._among

    def counting(*given: object) -> float:
        nonlocal looked
        looked += 1
        return honest(*given)  # type: ignore[arg-type]  # passed on as it is

    monkeypatch.setattr(searched, "_among", counting)
    ways = {p: [(word(place), -0.01 * place) for place in range(600)] for p in parameters(*map(str, range(30)))}
    found = assign(ways)
    assert found and looked <= 30 * BEAM * TOP
    best = [candidate.first for candidate in found.chosen]
    assert max(best) < TOP, "no candidate behind the best is tried"


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True), min_size=1, max_size=3))
def test_nothing_is_given_twice_while_every_word_is_as_good(places: list[list[int]]) -> None:
    """Whoever shares a word has no free one among its own, when all are as likely."""
    ways = [[(word(place), -1.0) for place in way] for way in places]
    taken = chosen(*ways, names=[f"name{'x' * number}" for number in range(len(ways))])
    for number, way in enumerate(places):
        if taken.count(taken[number]) > 1:
            assert set(way) <= set(taken)
