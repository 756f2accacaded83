"""Several calls as a table: lists in order, values for all rows, products, and a bound on the work."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet import Tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking import assign as assigning
from linnet.calling.ranking import tables as searched
from linnet.calling.ranking.candidates import OMITTED, Candidate
from linnet.calling.ranking.joints import cut, joined
from linnet.calling.ranking.ranker import Weights
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import Split
from linnet.calling.ranking.tables import tables
from linnet.limits import LIMITS

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
NAMES = ("Ann", "Bob", "Eve", "Paris", "Rome", "Oslo")
Rows = list[dict[str, Any]]


def sheet(text: str, required: Sequence[str] | None = None, **own: Any) -> Sheet:
    """Numbers are as good as each other, and of texts names are the good ones; nothing left out is."""
    schema = {"properties": own, "required": list(own if required is None else required)}
    tool = Tool.from_schema("do_it", "Does it.", schema)
    made = Sheet(tool, parameters(tool), Reading(text), Weights({}, {}, {}, {}, {}))
    made.logits = {p: [_likes(p.type, c) for c in found] for p, found in made.found.items()}
    return made


def _likes(kind: str, candidate: Candidate) -> float:
    if candidate.value is OMITTED:
        return -3.0
    return 0.0 if kind != "string" or candidate.value in NAMES else -9.0


def rows(split: Split) -> Rows:
    return [{p.name: c.value for p, c in call.items()} for call in split.calls]


def best(made: Sheet, count: int, listed: int = 1, product: bool = False) -> Rows:
    """The rows of the likeliest table with so many, and with a list for so many arguments."""
    found = [
        split
        for split in tables(made)
        if (len(split.calls), len(split.listed), split.product) == (count, listed, product)
    ]
    return rows(max(found, key=lambda split: split.score))


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Ann, Bob and Eve", "Ann and Bob and Eve", "Ann, Bob, Eve", "Ann or Bob or Eve"])
def test_one_list(text: str) -> None:
    assert best(sheet(f"call {text}", who=TEXT), 3) == [{"who": "Ann"}, {"who": "Bob"}, {"who": "Eve"}]


@pytest.mark.parametrize(
    "text", ["Ann and Bob for 3 and 4 respectively", "Ann for 3 and Bob for 4", "3 for Ann, then 4 for Bob"]
)
def test_two_lists_go_along_however_they_are_told(text: str) -> None:
    assert best(sheet(text, who=TEXT, n=NUMBER), 2, 2) == [{"who": "Ann", "n": 3}, {"who": "Bob", "n": 4}]


def test_what_is_said_once_goes_for_all_rows() -> None:
    assert best(sheet("Ann and Bob for 3", who=TEXT, n=NUMBER), 2) == [{"who": "Ann", "n": 3}, {"who": "Bob", "n": 3}]


def test_what_one_row_alone_says_is_left_out_of_the_others_where_that_is_allowed() -> None:
    said = sheet("Ann in room 7, then call Bob", required=("who",), who=TEXT, n=NUMBER)
    (split,) = [s for s in tables(said) if len(s.calls) == 2 and {"n": 7, "who": "Ann"} in rows(s)][:1]
    assert rows(split) == [{"who": "Ann", "n": 7}, {"who": "Bob", "n": OMITTED}]
    for_all = sheet("Ann and then call Bob both in room 7", required=("who",), who=TEXT, n=NUMBER)
    assert [{"who": "Ann", "n": 7}, {"who": "Bob", "n": 7}] in [rows(s) for s in tables(for_all)]


def test_values_of_one_manner_are_likelier_together() -> None:
    """Two in quotation marks and one without, two behind `in` and one behind `from`, two in miles and one in feet."""
    assert best(sheet("say 'Ann' to 'Bob' and Eve", who=TEXT), 2) == [{"who": "Ann"}, {"who": "Bob"}]
    assert best(sheet("in Rome from Oslo in Paris", who=TEXT), 2) == [{"who": "Rome"}, {"who": "Paris"}]
    assert best(sheet("of 3 miles of 4 feet of 5 miles", n=NUMBER), 2) == [{"n": 3}, {"n": 5}]


def test_one_value_is_no_table() -> None:
    assert list(tables(sheet("call Ann", who=TEXT))) == [] == list(tables(sheet("", who=TEXT, n=NUMBER)))
    assert list(tables(sheet("do it and do it"))) == []


# --- products ------------------------------------------------------------------------------------


def test_each_meets_each() -> None:
    made = sheet("Ann and Bob in 3 and 4", who=TEXT, n=NUMBER)
    pairs = [{"who": w, "n": n} for w in ("Ann", "Bob") for n in (3, 4)]
    assert best(made, 4, 2, product=True) == pairs


def test_lists_that_are_told_row_by_row_are_no_product() -> None:
    assert not any(s.product for s in tables(sheet("Ann with 3, then Bob with 4", who=TEXT, n=NUMBER)))


# --- joints --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann, Bob", True),
        ("Ann and Bob", True),
        ("Ann, and then Bob", True),
        ("Ann/Bob", False),  # one word
        ("Ann / Bob", True),
        ("Ann Bob", False),
        ("Ann with Bob", False),
        ("Ann, with Bob", False),
    ],
)
def test_joined(text: str, expected: bool) -> None:
    reading = Reading(text)
    left, right = Candidate("Ann", "span", 0, 0), Candidate("Bob", "span", len(reading.words) - 1)
    right = Candidate("Bob", "span", right.first, right.first)
    assert len(reading.words) < 2 or joined(reading, left, right) is expected


# --- whatever is said ----------------------------------------------------------------------------

PIECES = st.lists(st.sampled_from("Ann Bob Paris Rome 3 4 5 $7 , ; ' and or with respectively".split()), max_size=30)


@settings(max_examples=60)
@given(PIECES.map(" ".join))
def test_every_table_is_one(text: str) -> None:
    """Rows in the order of the text, no word in two of them, no more than the limit, a value for every argument."""
    made = sheet(text, required=("who", "n"), who=TEXT, n=NUMBER, city=TEXT)
    for split in tables(made):
        assert 2 <= len(split.calls) <= LIMITS.calls_per_request and split.listed and not split.stretches
        assert split.apart >= 0 and split.worst >= 0
        lists = {p: list(dict.fromkeys(call[p] for call in split.calls)) for p in split.listed}
        for items in lists.values():
            assert len(items) > 1 and all(a.last < b.first for a, b in pairwise(items))
        if not split.product:
            assert all(len(items) == len(split.calls) for items in lists.values())
        listed = [c for items in lists.values() for c in items]
        if split.product:
            assert not any(a.meets(b) for i, a in enumerate(listed) for b in listed[:i])


@pytest.mark.parametrize("joint", [", ", " and ", "; "])
def test_no_more_rows_than_the_limit(joint: str) -> None:
    limit = LIMITS.calls_per_request
    counts = {len(s.calls) for s in tables(sheet(joint.join(map(str, range(limit + 1))), n=NUMBER))}
    assert counts == set(range(2, limit + 1))


@pytest.mark.parametrize("piece", ["3, ", "4 and 5, ", "Ann, 7 and ", "Ann with 3, then Bob with 4; "])
def test_the_work_is_bounded(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 words that could all be values of any of 12 parameters. Steps: prices of choices, pairs of choices and
    of mentions that are compared, and candidates that are placed; with the bounds of the search all are finite."""
    steps = dict.fromkeys(("_price", "_together", "unlikeness", "_keep_two"), 0)
    for name in steps:
        honest = getattr(searched, name)

        def counting(*given: Any, name: str = name, honest: Any = honest) -> Any:
            steps[name] += 1
            return honest(*given)

        monkeypatch.setattr(searched, name, counting)
    placed = 0
    among = assigning._among

    def placing(*given: Any) -> float:
        nonlocal placed
        placed += 1
        return among(*given)

    monkeypatch.setattr(assigning, "_among", placing)
    own: dict[str, Any] = {f"p{i}": NUMBER if i % 2 else TEXT for i in range(12)}
    made = sheet((piece * 400)[:3000], **own)
    assert len(made.reading.words) == 400 and list(tables(made))
    counts, depths, mentions = LIMITS.calls_per_request - 1, 12, 48
    tried = searched._SINGLES + searched._LISTS
    assert steps["_price"] <= counts * 12 * depths * searched._BEAM * tried
    assert steps["_together"] <= counts * (12 * searched._LISTS) ** 2 / 2
    assert steps["unlikeness"] <= 12 * mentions**2 / 2
    assert steps["_keep_two"] <= 12 * mentions**2 / 2 * counts
    assert placed <= searched._PRODUCTS * 10 * assigning.BEAM * assigning.TOP


# --- what rows say of arguments without a list --------------------------------------------------------


HOUSES = "Ann with 3 rooms from 1990, then Bob from 1995, and finally Eve with 2 rooms from 2000"


def ways(text: str, count: int, **own: Any) -> list[Split]:
    required = [name for name in own if not name.startswith("may_")]
    return [split for split in tables(sheet(text, required=required, **own)) if len(split.calls) == count]


def test_a_value_that_some_rows_tell_anew_holds_from_there_on() -> None:
    told = [rows(s) for s in ways(HOUSES, 3, who=TEXT, rooms=NUMBER, year=NUMBER) if s.told]
    wanted = [
        {"who": "Ann", "year": 1990, "rooms": 3},
        {"who": "Bob", "year": 1995, "rooms": 3},
        {"who": "Eve", "year": 2000, "rooms": 2},
    ]
    assert wanted in told


def test_where_it_may_be_left_out_the_rows_that_are_silent_leave_it_out() -> None:
    told = [rows(s) for s in ways(HOUSES, 3, who=TEXT, may_rooms=NUMBER, year=NUMBER) if s.told]
    assert any([row["may_rooms"] for row in made] == [3, OMITTED, 2] for made in told)


def test_an_optional_value_of_one_row_may_go_for_all() -> None:
    made = ways("Ann in room 7, then call Bob", 2, who=TEXT, may_room=NUMBER)
    by = {bool(s.common): [row["may_room"] for row in rows(s)] for s in made if rows(s)[0]["may_room"] == 7}
    assert by == {False: [7, OMITTED], True: [7, 7]}


def test_values_in_brackets_are_pairs() -> None:
    made = ways("the pairs (45, 60) and (81, 27)", 2, first=NUMBER, second=NUMBER)
    best = max((s for s in made if len(s.listed) == 2), key=lambda s: s.score)
    assert rows(best) == [{"first": 45, "second": 60}, {"first": 81, "second": 27}]


@pytest.mark.parametrize(
    "text, begins",
    [("at 3. Then do it at 5", "Then"), ("at 3 and then at 5", "then"), ("at 3 metres at 5", "5")],
)
def test_a_row_begins_behind_the_last_cut(text: str, begins: str) -> None:
    reading = Reading(text)
    after = next(i for i, word in enumerate(reading.words) if word.text.startswith("3"))
    assert reading.words[cut(reading, after + 1, len(reading.words) - 1)].text == begins
